/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Archives in and out, by libarchive: tar, cpio, zip, 7z … with any of its compressions.
 *
 * Reading goes entry by entry and hands out regular files only; what else is there is told. Names are bytes
 * for the caller: nothing is ever opened or made by them.
 *
 *	archive_reader_open()
 *	archive_reader_next() until `end`; archive_reader_read() for its bytes
 *	archive_reader_close()
 *
 *	archive_writer_open()	the bytes go to a sink; the format goes by a name
 *	archive_writer_begin(), archive_writer_data() until the entry is whole
 *	archive_writer_finish()
 *	archive_writer_close()
 *
 * For one task at a time.
 */
#ifndef PG_FORMATS_ARCHIVE_H
#define PG_FORMATS_ARCHIVE_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive_reader; /* opaque */
struct archive_writer; /* opaque */

struct archive_file {
	const char *name; /* path in the archive, "./" in front taken off; borrowed until next */
	bool has_size;
	uint64_t size; /* bytes, where the archive says it in front */
};

/* Where an archive is read from; all borrowed until close. */
struct archive_input {
	const char *name; /* for messages */
	int fd;           /* open for reading; seeked where it can be */
	/* Called before each read, may wait for the descriptor; an error ends the reading. May be NULL. */
	int (*wait)(void *arg, struct err *err);
	void *wait_arg;
	/*
	 * Called for each entry that is passed over, but for directories, which hold nothing: links, devices and so
	 * on, and names that cannot be had. `name` is "" where there is none. May be NULL.
	 */
	void (*left_out)(void *arg, const char *name, const char *kind);
	void *left_arg;
};

/* ERR_FORMAT, ERR_IO, ERR_NOMEM, or what `wait` returns. */
int archive_reader_open(struct archive_reader **reader_out, const struct archive_input *input,
			struct err *err) MUST_CHECK;
/* The next regular file. ERR_FORMAT for a damaged archive. */
int archive_reader_next(struct archive_reader *reader, struct archive_file *file_out, bool *end_out,
			struct err *err) MUST_CHECK;
/* Up to `size` bytes of that file; fewer only at its end. */
int archive_reader_read(struct archive_reader *reader, void *bytes, size_t size, size_t *got_out,
			struct err *err) MUST_CHECK;
void archive_reader_close(struct archive_reader *reader); /* NULL is allowed */

/*
 * The archive's bytes go to sink(arg, bytes, size, err), in order. The ending of `name` chooses format and
 * compression, as bsdtar -a does: .tar.zst, .tgz, .zip, .7z, .cpio …; another ending is plain tar.
 */
int archive_writer_open(struct archive_writer **writer_out,
			int (*sink)(void *arg, const void *bytes, size_t size, struct err *err),
			void *arg, const char *name, struct err *err) MUST_CHECK;
/* A range of a file that is not zero. */
struct archive_range {
	uint64_t offset;
	uint64_t size;
};
struct archive_entry_facts {
	const char *name;
	uint64_t size; /* exactly */
	uint64_t modified_s;
	/*
	 * What is not zero, in ascending order: the rest becomes holes, where the format has them. NULL: all of it.
	 * Its bytes are given to archive_writer_data() all the same.
	 */
	const struct archive_range *ranges;
	size_t range_count;
};
/* Begin a regular file. */
int archive_writer_begin(struct archive_writer *writer, const struct archive_entry_facts *facts,
			 struct err *err) MUST_CHECK;
int archive_writer_data(struct archive_writer *writer, const void *bytes, size_t size,
			struct err *err) MUST_CHECK;
/* Write the archive's end. */
int archive_writer_finish(struct archive_writer *writer, struct err *err) MUST_CHECK;
void archive_writer_close(struct archive_writer *writer); /* NULL is allowed */

/*
 * Names of volumes have no slash, paths in archives do. encode writes "/" as "%2F" and "%" as "%25",
 * decode is its inverse and leaves everything else alone. Return false when `out` is too small.
 */
bool archive_name_encode(char *out, size_t out_size, const char *path);
bool archive_name_decode(char *out, size_t out_size, const char *name);
/* Neither absolute nor with ".." in it: safe to unpack. */
bool archive_path_is_tame(const char *path);

#endif

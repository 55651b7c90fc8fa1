/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/archive.h"

#include "core/base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE (64u << 10) /* of one read of the archive file: what a pipe gives at once */
#define WRITE_SIZE (1 << 20)  /* of one call of the sink */
#define FILE_MODE 0644

struct archive_reader {
	struct archive *archive;
	struct archive_input input;
	struct err failure; /* of a callback */
	uint64_t left;      /* bytes of the entry that are still to come, where it says its size */
	bool ended;         /* asked once more, the library would hand out a last hole after all */
	uint8_t buffer[READ_SIZE];
};

struct archive_writer {
	struct archive *archive;
	struct archive_entry *entry;
	int (*sink)(void *arg, const void *bytes, size_t size, struct err *err);
	void *arg;
	struct err failure; /* of the sink */
};

/* What just failed: in a callback, else in the library's own words. */
static int reader_error(struct archive_reader *reader, struct err *err)
{
	int number = archive_errno(reader->archive);
	const char *text = archive_error_string(reader->archive);

	if (reader->failure.code) {
		*err = reader->failure;
		return err->code;
	}
	return err_set(err, number == ENOMEM ? ERR_NOMEM : ERR_FORMAT, "%s: %s", reader->input.name,
		       text ? text : "unknown error");
}

static la_ssize_t input_read(struct archive *archive, void *data, const void **bytes_out)
{
	struct archive_reader *reader = data;
	const struct archive_input *input = &reader->input;
	ssize_t size;

	do {
		if (input->wait && input->wait(input->wait_arg, &reader->failure)) {
			archive_set_error(archive, EINTR, "stopped");
			return -1;
		}
		size = read(input->fd, reader->buffer, sizeof(reader->buffer));
	} while (size < 0 && errno == EINTR);
	if (size < 0) {
		err_set(&reader->failure, ERR_IO, "%s: cannot be read: %s", input->name,
			strerrordesc_np(errno));
		archive_set_error(archive, EIO, "read");
	}
	*bytes_out = reader->buffer;
	return size;
}

/* Only called where the descriptor can be seeked. */
static la_int64_t input_seek(struct archive *archive, void *data, la_int64_t offset, int whence)
{
	const struct archive_reader *reader = data;
	off_t place = lseek(reader->input.fd, offset, whence);

	if (place >= 0)
		return place;
	archive_set_error(archive, errno, "seek");
	return ARCHIVE_FATAL;
}

static la_int64_t input_skip(struct archive *archive, void *data, la_int64_t count)
{
	const struct archive_reader *reader = data;
	off_t before = lseek(reader->input.fd, 0, SEEK_CUR);

	(void)archive;
	if (before < 0)
		return 0; /* a pipe: the library reads what it wants to skip */
	return lseek(reader->input.fd, count, SEEK_CUR) < 0 ? 0 : count;
}

/*
 * Compressions of the library itself, for others would run programs; and formats that hold their files:
 * mtree, which "all" has, names files of this machine and would read those.
 */
static bool formats_allow(struct archive *archive)
{
	static int (*const allow[])(struct archive *) = {
		archive_read_support_filter_bzip2,  archive_read_support_filter_compress,
		archive_read_support_filter_gzip,   archive_read_support_filter_lz4,
		archive_read_support_filter_lzip,   archive_read_support_filter_lzma,
		archive_read_support_filter_rpm,    archive_read_support_filter_xz,
		archive_read_support_filter_zstd,   archive_read_support_format_7zip,
		archive_read_support_format_ar,     archive_read_support_format_cab,
		archive_read_support_format_cpio,   archive_read_support_format_empty,
		archive_read_support_format_gnutar, archive_read_support_format_iso9660,
		archive_read_support_format_lha,    archive_read_support_format_rar,
		archive_read_support_format_rar5,   archive_read_support_format_tar,
		archive_read_support_format_xar,    archive_read_support_format_zip,
	};

	for (size_t i = 0; i < sizeof(allow) / sizeof(allow[0]); i++) {
		if (allow[i](archive) < ARCHIVE_WARN)
			return false;
	}
	return true;
}

int archive_reader_open(struct archive_reader **reader_out, const struct archive_input *input,
			struct err *err)
{
	struct archive_reader *reader = mem_calloc(1, sizeof(*reader));
	int rc;

	if (!reader)
		return err_set(err, ERR_NOMEM, "%s: no memory", input->name);
	reader->input = *input;
	reader->archive = archive_read_new();
	if (!reader->archive) {
		rc = err_set(err, ERR_NOMEM, "%s: no memory", input->name);
		goto out_free;
	}
	if (lseek(input->fd, 0, SEEK_CUR) >= 0)
		archive_read_set_seek_callback(reader->archive, input_seek);
	if (!formats_allow(reader->archive) ||
	    archive_read_open2(reader->archive, reader, NULL, input_read, input_skip, NULL) !=
		    ARCHIVE_OK) {
		rc = reader_error(reader, err);
		goto out_close;
	}
	*reader_out = reader;
	return 0;

out_close:
	archive_read_free(reader->archive);
out_free:
	mem_free(reader);
	return rc;
}

static const char *entry_name(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	return name ? name : archive_entry_pathname_utf8(entry);
}

/* What kind of entry it is that is no file of its own; NULL for a regular file. */
static const char *entry_kind(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry))
		return "hard link";
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return NULL;
	case AE_IFDIR:
		return "directory";
	case AE_IFLNK:
		return "symbolic link";
	case AE_IFIFO:
		return "FIFO";
	case AE_IFSOCK:
		return "socket";
	case AE_IFCHR:
	case AE_IFBLK:
		return "device";
	default:
		return "unknown";
	}
}

/* Fill `file` from a regular file; false for a name that cannot be had. */
static bool file_fill(struct archive_file *file, struct archive_entry *entry)
{
	const char *name = entry_name(entry);

	if (!name || !*name)
		return false;
	while (name[0] == '.' && name[1] == '/' && name[2])
		name += 2;
	file->name = name;
	file->has_size = archive_entry_size_is_set(entry) && archive_entry_size(entry) >= 0;
	file->size = file->has_size ? (uint64_t)archive_entry_size(entry) : 0;
	return true;
}

static void leave_out(const struct archive_reader *reader, struct archive_entry *entry,
		      const char *kind)
{
	const char *name = entry_name(entry);

	if (reader->input.left_out && archive_entry_filetype(entry) != AE_IFDIR)
		reader->input.left_out(reader->input.left_arg, name ? name : "", kind);
}

int archive_reader_next(struct archive_reader *reader, struct archive_file *file_out, bool *end_out,
			struct err *err)
{
	for (;;) {
		struct archive_file file;
		struct archive_entry *entry;
		const char *kind;
		int status = archive_read_next_header(reader->archive, &entry);

		if (status == ARCHIVE_EOF) {
			*end_out = true;
			return 0;
		}
		if (status < ARCHIVE_WARN && status != ARCHIVE_RETRY)
			return reader_error(reader, err);
		if (status == ARCHIVE_RETRY)
			continue;
		kind = entry_kind(entry);
		if (!kind && file_fill(&file, entry)) {
			reader->left = file.size;
			reader->ended = false;
			*file_out = file;
			*end_out = false;
			return 0;
		}
		leave_out(reader, entry, kind ? kind : "name");
	}
}

/*
 * In tar what ends before its size has a hole at its end, which the library does not hand out; an archive that was
 * cut is an error.
 */
static size_t hole_fill(const struct archive_reader *reader, uint8_t *bytes, size_t size)
{
	int format = archive_format(reader->archive) & ARCHIVE_FORMAT_BASE_MASK;

	if (format != ARCHIVE_FORMAT_TAR)
		return 0;
	if (size > reader->left)
		size = (size_t)reader->left;
	memset(bytes, 0, size);
	return size;
}

int archive_reader_read(struct archive_reader *reader, void *bytes, size_t size, size_t *got_out,
			struct err *err)
{
	size_t got = 0;

	while (got < size && !reader->ended) {
		la_ssize_t part =
			archive_read_data(reader->archive, (char *)bytes + got, size - got);

		/* Also where the library says to try again: ranges out of order stay so. */
		if (part < 0)
			return reader_error(reader, err);
		reader->ended = part == 0;
		got += (size_t)part;
		reader->left -= (uint64_t)part < reader->left ? (uint64_t)part : reader->left;
	}
	if (got < size) {
		size_t hole = hole_fill(reader, (uint8_t *)bytes + got, size - got);

		got += hole;
		reader->left -= hole;
	}
	*got_out = got;
	return 0;
}

void archive_reader_close(struct archive_reader *reader)
{
	if (!reader)
		return;
	archive_read_free(reader->archive);
	mem_free(reader);
}

static int writer_error(struct archive_writer *writer, struct err *err)
{
	const char *text = archive_error_string(writer->archive);

	if (writer->failure.code) {
		*err = writer->failure;
		return err->code;
	}
	return err_set(err, ERR_IO, "the archive cannot be written: %s",
		       text ? text : "unknown error");
}

static la_ssize_t output_write(struct archive *archive, void *data, const void *bytes, size_t size)
{
	struct archive_writer *writer = data;

	if (writer->sink(writer->arg, bytes, size, &writer->failure) == 0)
		return (la_ssize_t)size;
	archive_set_error(archive, EIO, "write");
	return -1;
}

static bool ends_with(const char *name, const char *ending)
{
	size_t size = strlen(name), ending_size = strlen(ending);

	return size >= ending_size && strcmp(name + size - ending_size, ending) == 0;
}

/* By the ending of `name`; the library's own list lacks zstd in the versions that we build with. */
static bool writer_format(struct archive *archive, const char *name)
{
	if (ends_with(name, ".tar.zst") || ends_with(name, ".tzst"))
		return archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
		       archive_write_add_filter_zstd(archive) == ARCHIVE_OK;
	return archive_write_set_format_filter_by_ext_def(archive, name, ".tar") == ARCHIVE_OK;
}

int archive_writer_open(struct archive_writer **writer_out,
			int (*sink)(void *arg, const void *bytes, size_t size, struct err *err),
			void *arg, const char *name, struct err *err)
{
	struct archive_writer *writer = mem_calloc(1, sizeof(*writer));
	int rc;

	if (!writer)
		return err_set(err, ERR_NOMEM, "no memory");
	writer->sink = sink;
	writer->arg = arg;
	writer->archive = archive_write_new();
	writer->entry = archive_entry_new();
	if (!writer->archive || !writer->entry) {
		rc = err_set(err, ERR_NOMEM, "no memory");
		goto out_close;
	}
	archive_write_set_bytes_per_block(writer->archive, WRITE_SIZE);
	archive_write_set_bytes_in_last_block(writer->archive, 1); /* no padding, it is no tape */
	if (!writer_format(writer->archive, name) ||
	    archive_write_open(writer->archive, writer, NULL, output_write, NULL) != ARCHIVE_OK) {
		rc = writer_error(writer, err);
		goto out_close;
	}
	*writer_out = writer;
	return 0;

out_close:
	archive_writer_close(writer);
	return rc;
}

/* The format's own end of a sparse list is an empty range at the file's end. */
static void ranges_add(struct archive_entry *entry, const struct archive_entry_facts *facts)
{
	for (size_t i = 0; facts->ranges && i < facts->range_count; i++)
		archive_entry_sparse_add_entry(entry, (la_int64_t)facts->ranges[i].offset,
					       (la_int64_t)facts->ranges[i].size);
	if (facts->ranges && facts->range_count == 0 && facts->size)
		archive_entry_sparse_add_entry(entry, (la_int64_t)facts->size, 0);
}

int archive_writer_begin(struct archive_writer *writer, const struct archive_entry_facts *facts,
			 struct err *err)
{
	if (facts->size > INT64_MAX || facts->modified_s > INT64_MAX)
		return err_set(err, ERR_SIZE, "%s: too large for an archive", facts->name);
	archive_entry_clear(writer->entry);
	archive_entry_set_pathname(writer->entry, facts->name);
	archive_entry_set_filetype(writer->entry, AE_IFREG);
	archive_entry_set_perm(writer->entry, FILE_MODE);
	archive_entry_set_size(writer->entry, (la_int64_t)facts->size);
	ranges_add(writer->entry, facts);
	archive_entry_set_mtime(writer->entry, (time_t)facts->modified_s, 0);
	if (archive_write_header(writer->archive, writer->entry) < ARCHIVE_WARN)
		return writer_error(writer, err);
	return 0;
}

int archive_writer_data(struct archive_writer *writer, const void *bytes, size_t size,
			struct err *err)
{
	size_t done = 0;

	while (done < size) {
		la_ssize_t part = archive_write_data(writer->archive, (const char *)bytes + done,
						     size - done);

		if (part == ARCHIVE_RETRY)
			continue;
		if (part <= 0)
			return writer_error(writer, err);
		done += (size_t)part;
	}
	return 0;
}

int archive_writer_finish(struct archive_writer *writer, struct err *err)
{
	return archive_write_close(writer->archive) == ARCHIVE_OK ? 0 : writer_error(writer, err);
}

void archive_writer_close(struct archive_writer *writer)
{
	if (!writer)
		return;
	if (writer->archive) {
		archive_write_fail(writer->archive); /* no end mark behind half an archive */
		archive_write_free(writer->archive);
	}
	archive_entry_free(writer->entry);
	mem_free(writer);
}

bool archive_name_encode(char *out, size_t out_size, const char *path)
{
	size_t size = 0;

	assert(out_size > 0);
	for (; *path; path++) {
		const char *escape = *path == '/' ? "%2F" : *path == '%' ? "%25" : NULL;
		size_t part = escape ? 3 : 1;

		if (size + part >= out_size)
			return false;
		memcpy(out + size, escape ? escape : path, part);
		size += part;
	}
	out[size] = '\0';
	return true;
}

bool archive_name_decode(char *out, size_t out_size, const char *name)
{
	size_t size = 0;

	assert(out_size > 0);
	while (*name) {
		bool is_slash = strncmp(name, "%2F", 3) == 0;
		bool is_percent = strncmp(name, "%25", 3) == 0;

		if (size + 1 >= out_size)
			return false;
		out[size++] = is_slash ? '/' : *name;
		name += is_slash || is_percent ? 3 : 1;
	}
	out[size] = '\0';
	return true;
}

bool archive_path_is_tame(const char *path)
{
	if (*path == '/' || !*path)
		return false;
	while (path) {
		if (strncmp(path, "..", 2) == 0 && (path[2] == '/' || !path[2]))
			return false;
		path = strchr(path, '/');
		if (path)
			path++;
	}
	return true;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Overwrite: the bytes of a stream into a range of a volume, in place (array_write()).
 *
 * The range is written piece by piece, each durable before the next is read from the source. So a stop, an
 * error or a crash leaves the first pieces new, the rest old, and of the piece under way each block old or
 * new. The pieces end where rows end, so that a long range writes whole rows and reads nothing.
 *
 * A stream that turns out too long or too short is refused before its first piece when it has only one.
 */
#ifndef PG_JOB_OVERWRITE_H
#define PG_JOB_OVERWRITE_H

#include "core/array/array.h"
#include "core/job/job.h"

#define OVERWRITE_PIECE_MAX (UINT64_C(4) << 20) /* bytes; memory is one piece */

struct overwrite_request {
	const char *volume;
	uint64_t offset;
	/* Exactly so many bytes, what comes behind them is not read; UINT64_MAX: all that come. */
	uint64_t length;
	/* Fill up to `size` bytes; *got_out < size only at the end. As put_request's. */
	int (*source)(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err);
	void *source_arg;
	struct job_watch watch;
};

struct overwrite_report {
	uint64_t
		length; /* bytes of the range that are durable, from its start; also after an error */
	struct array_write_result written;
};

/*
 * Returns 0; ERR_NOT_FOUND; ERR_SIZE: the range or the stream passes the volume's end, or the stream ends
 * before `length`; ERR_STOPPED between two pieces; what the source or array_write() says.
 */
int overwrite_run(struct array *array, const struct overwrite_request *request,
		  struct overwrite_report *report_out, struct err *err) MUST_CHECK;

/* Does the range lie in the volume? Returns 0 or ERR_SIZE; `length` UINT64_MAX: any that fits. */
int overwrite_check(const struct volume *volume, uint64_t offset, uint64_t length,
		    struct err *err) MUST_CHECK;

/* What an overwrite would write in one group. */
struct overwrite_part {
	uint64_t group;
	uint64_t offset; /* in the volume, of the first byte of the range that the group holds */
	uint64_t length;
	uint64_t first_row,
		row_end;      /* rows as scrub and map number them; those between may be left out */
	uint64_t rows;        /* that are written */
	uint64_t data_bytes;  /* whole blocks */
	uint64_t check_bytes; /* parity, pure parity, copies */
};
/*
 * Tell of each group in volume order what would be written, seals and log left out. Pure: reads the map.
 * Returns 0, ERR_NOMEM, or what overwrite_check() says; `length` is a number of bytes.
 */
int overwrite_plan(const struct array *array, const struct volume *volume, uint64_t offset,
		   uint64_t length, void (*part)(void *arg, const struct overwrite_part *part),
		   void *arg, struct err *err) MUST_CHECK;

#endif

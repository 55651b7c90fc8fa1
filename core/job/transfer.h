/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Put and get: whole volumes in and out, streaming, several groups at once.
 *
 * put makes a new volume of exactly the bytes that the source gives, or appends them to one. Groups are
 * encoded whole and written where nobody reads; one commit at the end publishes them, so a crash before
 * it leaves the array as it was. get hands the bytes to the sink in order, verified by checksum.
 *
 * Memory of put, besides the map, for each task: from a device two strips of a group and its checks, which
 * is 12 MiB with six members; from a stream, and for sequential groups, one group, and one more for all
 * tasks of a stream: full extents times data columns, less when the stream is known to be shorter.
 */
#ifndef PG_JOB_TRANSFER_H
#define PG_JOB_TRANSFER_H

#include "core/array/array.h"
#include "core/job/job.h"

struct put_request {
	const char *name;
	struct policy policy; /* usually the map's; layout, checks, columns, unit, class, pure */
	/*
	 * The volume exists, and the bytes go behind its end, wherever that is: its last group is not
	 * filled up, since nothing is ever written to a group that is read. An empty volume is filled so
	 * and takes over `policy`; else layout and checks are the volume's (ERR_USAGE).
	 */
	bool append;
	/*
	 * Fill up to `size` bytes; *got_out < size only at the end. Called by one task at a time, in
	 * order, maybe from another task than the caller's. Returns 0 or an ERR_ code with a text.
	 */
	int (*source)(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err);
	void *source_arg;
	/*
	 * Not NULL: a file, borrowed, that is read through this device, several parts at once and while
	 * members are written. `source` is then asked once at most, for the bytes behind the device's
	 * last whole block. Exactly length_hint bytes are stored.
	 */
	struct dev *source_dev;
	/* Bytes that will come, UINT64_MAX when unknown; for plan and progress, exact for a device. */
	uint64_t length_hint;
	struct job_watch watch;
};

struct put_report {
	uint64_t length; /* bytes that were put */
	uint64_t groups;
	uint64_t bytes_written; /* bodies and seals; not the map */
};

int put_run(struct array *array, const struct put_request *request, struct put_report *report_out,
	    struct err *err) MUST_CHECK;

/*
 * The report that put_run() would give, and whether it fits: ERR_NOSPACE, which counts whole frames.
 * Pure. An array that is nearly full, or lacks members, may get other groups than these.
 */
int put_plan(const struct array *array, const struct put_request *request,
	     struct put_report *report_out, struct err *err) MUST_CHECK;

struct get_request {
	const char *volume;
	uint64_t offset;
	uint64_t length; /* UINT64_MAX: to the end */
	/*
	 * Take `size` bytes of the volume at `offset`. Called in order and one at a time, unless
	 * any_order is set: then by several tasks at once, in any order (a file that takes pwrite).
	 */
	bool any_order;
	int (*sink)(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err);
	void *sink_arg;
	bool past_losses; /* hand out zeros where data is lost and go on, instead of ERR_DATA_LOST */
	/* Told of each range that is lost, in order, before the sink gets its zeros; may be NULL. */
	void (*lost)(void *arg, const struct job_loss *loss);
	void *lost_arg;
	struct job_watch watch;
};

struct get_report {
	uint64_t length;
	uint64_t reconstructed; /* bytes that had to be rebuilt */
	uint64_t lost;
};

int get_run(struct array *array, const struct get_request *request, struct get_report *report_out,
	    struct err *err) MUST_CHECK;

/* An empty volume (volume create): length 0, its policy kept for a later put or write. */
int volume_create_run(struct array *array, const char *name, const struct policy *policy,
		      uint64_t length, struct err *err) MUST_CHECK;

#endif

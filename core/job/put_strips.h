/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Put strips: a group filled from a file, strip by strip: the next strip is read in the batch that writes
 * this one, so source and members are busy at the same time.
 *
 *	put_strips_run()	once a group
 *	put_strips_reset()
 *
 * Holds two strips, or all of a group that is one strip (sequential groups). For one task at a time.
 */
#ifndef PG_JOB_PUT_STRIPS_H
#define PG_JOB_PUT_STRIPS_H

#include "core/array/group_write.h"
#include "core/job/runner.h"
#include "core/job/transfer.h"

/* Zero at first. */
struct put_strips {
	uint8_t *buffers[2];
	size_t capacity[2]; /* bytes of each */
};

/* A group that was begun with `writer`, and which bytes of the source it gets. */
struct put_strips_job {
	const struct put_request *request; /* has source_dev */
	struct runner *runner;             /* told of each strip */
	struct group_writer *writer;
	const struct group *group;
	uint64_t offset, length; /* bytes of the source; zeros fill the rest of the group */
};

/*
 * Read and write all strips. Returns 0, ERR_NOMEM, ERR_CHANGED when the source is shorter than it was,
 * or the error of the source or of a member. The caller ends or abandons the group.
 */
int put_strips_run(struct put_strips *strips, const struct put_strips_job *job,
		   struct err *err) MUST_CHECK;
void put_strips_reset(struct put_strips *strips);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A job in the map: what is there of it after a kill, and how far it is.
 *
 * Commits of a job's item alone; groups change by hold_alone() (core/array/hold.h). Progress is what was committed,
 * so that no kill takes any of it back: a job that goes on shares what was left among the work that is left.
 */
#ifndef PG_JOB_JOB_MAP_H
#define PG_JOB_JOB_MAP_H

#include "core/array/array_internal.h"
#include "core/job/job.h"
#include "core/map/model.h"

/* Put the job into the map, or take it out: one commit. */
int job_map_put(struct array *array, const struct job *job, struct err *err) MUST_CHECK;
int job_map_remove(struct array *array, uint64_t id, struct err *err) MUST_CHECK;

/* A model of the map as it is, while writers may go on. */
int job_map_model(struct model **model_out, struct array *array, const struct places *places,
		  struct err *err) MUST_CHECK;

struct job_meter {
	uint64_t base, total; /* of the job, when this process began */
	uint64_t planned;     /* what was left then */
	uint64_t done;        /* of that */
};

/* Begin with what is left; a job without a total gets it. */
void job_meter_begin(struct job_meter *meter, struct job *job, uint64_t planned);
/* So much of the job's total is done: from base to total, never more. */
uint64_t job_meter_at(const struct job_meter *meter);

/* Blocks of one commit: what is asked for, or about a second of work. So much is lost by a kill, and a writer waits. */
uint64_t job_batch_blocks(uint64_t wanted, const struct job_watch *watch);

#endif

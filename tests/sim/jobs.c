/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/jobs.h"

#include "core/array/array_internal.h"
#include "core/job/relayout.h"

#include <inttypes.h>
#include <stdio.h>

#define BATCH_BLOCKS 1u /* so every reshape is a batch */
#define GROUPS 3u
#define PAUSE 40u /* others go first so often, between two writes */

bool jobs_in_run(const struct run *run)
{
	for (uint32_t i = 0; i < run->step_count; i++) {
		if (run->steps[i] >= STEP_EXPAND)
			return true;
	}
	return false;
}

/* ---- progress */

struct watching {
	const struct array *array;
	enum job_kind kind;
	uint32_t member;
	uint64_t done, total; /* as they were said last */
	uint64_t committed;
	struct wrong *wrong;
};

static const struct job *find_job(const struct map *map, enum job_kind kind, uint32_t member)
{
	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->state != JOB_DONE && job->kind == kind && job->from == member)
			return job;
	}
	return NULL;
}

static void watch_map(struct watching *watching)
{
	const struct job *job =
		find_job(array_map(watching->array), watching->kind, watching->member);

	if (!job)
		return;
	if (job->done < watching->committed || job->done > job->total)
		wrong_set(watching->wrong, "progress",
			  "the map says %" PRIu64 " of %" PRIu64 ", after %" PRIu64, job->done,
			  job->total, watching->committed);
	watching->committed = job->done;
}

static void progress(void *arg, const struct job_progress *now)
{
	struct watching *watching = arg;

	watch_map(watching);
	if (now->total == 0) /* it was refused before anything was known */
		return;
	if (now->done < watching->done || now->done > now->total ||
	    (watching->total && now->total != watching->total))
		wrong_set(watching->wrong, "progress",
			  "%" PRIu64 " of %" PRIu64 ", after %" PRIu64 " of %" PRIu64, now->done,
			  now->total, watching->done, watching->total);
	watching->done = now->done;
	watching->total = now->total;
}

/* It is asked before every piece of work: the time to look. */
static bool stop(void *arg)
{
	watch_map(arg);
	return false;
}

static int run_job(const struct run *run, struct array *array, enum job_kind kind, uint32_t member,
		   struct wrong *wrong, struct err *err)
{
	struct watching watching = {
		.array = array, .kind = kind, .member = member, .wrong = wrong
	};
	const struct job *before = find_job(array_map(array), kind, member);
	const struct relayout_request request = {
		.kind = kind,
		.member = member,
		.columns = kind == JOB_EXPAND ? run->rig->shape->columns + 1u : 0,
		.batch_blocks = BATCH_BLOCKS,
		.watch = { .progress = progress, .stop = stop, .arg = &watching },
	};
	struct relayout_report report = { 0 };

	if (before)
		watching.done = watching.committed = before->done;
	int rc = relayout_run(array, &request, &report, err);
	if (!rc && watching.done != watching.total)
		wrong_set(wrong, "progress", "it ends at %" PRIu64 " of %" PRIu64, watching.done,
			  watching.total);
	return rc;
}

/* ---- steps */

static int job_step(struct stepping *s, enum job_kind kind, uint32_t member)
{
	return run_job(s->run, s->run->array, kind, member, &s->run->broken, &s->err);
}

int step_expand(struct stepping *s)
{
	uint32_t slot;
	int rc = steps_add(s, false, &slot);

	if (rc && rc != ERR_STATE) /* else the blank disk is in use already */
		return rc;
	return job_step(s, JOB_EXPAND, MEMBER_NONE);
}

struct job_task {
	struct stepping s;
	int rc;
};

static void job_task_run(void *arg)
{
	struct job_task *task = arg;

	task->rc = job_step(&task->s, JOB_EXPAND, MEMBER_NONE);
}

int step_expand_writing(struct stepping *s)
{
	struct env *env = s->run->rack.env;
	struct job_task job = { .s = *s };
	uint32_t slot;
	int rc = steps_add(s, false, &slot);

	if (rc && rc != ERR_STATE)
		return rc;
	struct env_task *task = env_spawn(env, job_task_run, &job);
	if (!task)
		job_task_run(&job);
	rc = step_run(STEP_WRITE_LARGE, s);
	for (uint32_t i = 0; i < PAUSE; i++)
		env_yield(env);
	if (!rc)
		rc = step_run(STEP_WRITE_SMALL, s);
	if (task)
		env_join(env, task);
	if (!rc && job.rc) {
		s->err = job.s.err;
		rc = job.rc;
	}
	return rc;
}

int step_rebalance(struct stepping *s)
{
	return job_step(s, JOB_REBALANCE, MEMBER_NONE);
}

int step_recombine(struct stepping *s)
{
	return job_step(s, JOB_RECOMBINE, MEMBER_NONE);
}

/* The last member, or, of every other seed, one that is absent: what it held is solved. */
static uint32_t evacuee(const struct stepping *s)
{
	const struct run *run = s->run;
	const struct map *map = array_map(run->array);

	if (s->pick)
		return map->members[s->pick % map->member_count].slot;
	return run->absent && run->seed % 2 ? 0 : run->rig->shape->members - 1;
}

int step_evacuate(struct stepping *s)
{
	struct run *run = s->run;
	uint32_t slot = evacuee(s), bit = 1u << run->disk_of[slot];
	bool was_empty = !map_member(array_map(run->array), slot) ||
			 array_member_used(run->array, slot) == 0;
	int rc = job_step(s, JOB_EVACUATE, slot);

	if (rc)
		return rc;
	*s->idle |= bit;
	run->emptied |= bit;
	if ((run->absent & bit) && !was_empty && *s->spent && !run->lasting)
		--*s->spent;
	return 0;
}

int step_put_groups(struct stepping *s)
{
	const struct rig_shape *shape = s->run->rig->shape;
	uint64_t blocks = shape->frame_blocks ? shape->frame_blocks : 4;
	uint64_t length = GROUPS * blocks * (shape->columns - shape->checks) * BLOCK_SIZE;
	char name[16];

	if (s->next->count == TRUTH_VOLUMES_MAX)
		return 0;
	snprintf(name, sizeof(name), "g%u", s->number);
	truth_put(s->next, name, length, 40 + s->number);
	return rig_put(s->run, s->next, name, length, false, &s->err);
}

void jobs_note_used(struct stepping *s)
{
	struct run *run = s->run;
	const struct map *map = array_map(run->array);

	for (uint32_t i = 0; run->emptied && i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot, bit = 1u << run->disk_of[slot];

		if ((run->emptied & bit) && array_member_used(run->array, slot) > 0) {
			*s->idle &= ~bit;
			run->emptied &= ~bit;
		}
	}
}

/* ---- going on */

const struct job *jobs_unfinished(const struct map *map)
{
	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->state != JOB_DONE &&
		    (job->kind == JOB_EXPAND || job->kind == JOB_REBALANCE ||
		     job->kind == JOB_RECOMBINE || job->kind == JOB_EVACUATE))
			return job;
	}
	return NULL;
}

int jobs_resume(const struct run *run, struct array *array, struct err *err, struct wrong *wrong)
{
	const struct job job = *jobs_unfinished(array_map(array));
	int rc = run_job(run, array, job.kind, job.from, wrong, err);

	if (!rc && map_job(array_map(array), job.id))
		wrong_set(wrong, "resume", "job %" PRIu64 " is still there", job.id);
	return rc;
}

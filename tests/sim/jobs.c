/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/jobs.h"

#include "core/array/array_internal.h"
#include "core/job/migrate.h"
#include "core/job/relayout.h"

#include <inttypes.h>
#include <stdio.h>

#define BATCH_BLOCKS 1u /* so every reshape is a batch */

bool jobs_in_step(enum step_kind kind)
{
	return kind >= STEP_EXPAND && kind != STEP_FAILOVER && kind != STEP_FAILBACK &&
	       kind != STEP_REBUILD_SPARE;
}

bool jobs_in_run(const struct run *run)
{
	for (uint32_t i = 0; i < run->step_count; i++) {
		if (jobs_in_step(run->steps[i]))
			return true;
	}
	return false;
}

/* ---- progress */

struct watching {
	const struct array *array;
	enum job_kind kind;
	uint32_t member;
	uint64_t volume;      /* 0: no migration */
	uint64_t done, total; /* as they were said last */
	uint64_t committed;
	struct wrong *wrong;
};

static const struct job *find_job(const struct watching *watching)
{
	const struct map *map = array_map(watching->array);

	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->state != JOB_DONE && job->kind == watching->kind &&
		    job->from == watching->member && job->volume == watching->volume)
			return job;
	}
	return NULL;
}

static void watch_map(struct watching *watching)
{
	const struct job *job = find_job(watching);

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

/* What was committed before. */
static void watch_begin(struct watching *watching)
{
	const struct job *before = find_job(watching);

	if (before)
		watching->done = watching->committed = before->done;
}

static int watch_end(const struct watching *watching, int rc)
{
	if (!rc && watching->done != watching->total)
		wrong_set(watching->wrong, "progress", "it ends at %" PRIu64 " of %" PRIu64,
			  watching->done, watching->total);
	return rc;
}

int jobs_relayout(const struct run *run, struct array *array, enum job_kind kind, uint32_t member,
		  struct wrong *wrong, struct err *err)
{
	struct watching watching = {
		.array = array, .kind = kind, .member = member, .wrong = wrong
	};
	const struct relayout_request request = {
		.kind = kind,
		.member = member,
		.columns = kind == JOB_EXPAND ? run->rig->shape->columns + 1u : 0,
		.batch_blocks = BATCH_BLOCKS,
		.watch = { .progress = progress, .stop = stop, .arg = &watching },
	};
	struct relayout_report report = { 0 };

	watch_begin(&watching);
	return watch_end(&watching, relayout_run(array, &request, &report, err));
}

/* Is every group of the volume of this layout, with so many checks? */
static bool has_shape(const struct map *map, const struct volume *volume,
		      const struct policy *policy)
{
	for (uint32_t s = 0; s < volume->span_count; s++) {
		for (uint32_t i = 0; i < volume->spans[s].extent_count; i++) {
			uint32_t column;
			const struct group *group =
				map_extent(map, volume->spans[s].extents[i], &column);

			if (group->shape.layout != policy->layout ||
			    group->shape.checks != policy->checks)
				return false;
		}
	}
	return true;
}

int jobs_migrate(struct array *array, const char *volume, const struct policy *policy, bool whole,
		 struct wrong *wrong, struct err *err)
{
	const struct map *map = array_map(array);
	const struct job *before = migrate_find_job(array, volume); /* until the next commit */
	const struct policy wanted = before ? before->policy : *policy;
	bool resumed = before != NULL;
	struct watching watching = { .array = array,
				     .kind = JOB_MIGRATE,
				     .member = MEMBER_NONE,
				     .volume = map_volume_named(map, volume)->id,
				     .wrong = wrong };
	const struct migrate_request request = {
		.volume = volume,
		.policy = wanted,
		.batch_blocks = BATCH_BLOCKS,
		.watch = { .progress = progress, .stop = stop, .arg = &watching },
	};
	struct migrate_report report = { 0 };

	watch_begin(&watching);
	int rc = watch_end(&watching, migrate_run(array, &request, &report, err));
	if (!rc && (whole || !resumed) && report.spans_left == 0 &&
	    !has_shape(map, map_volume_named(map, volume), &wanted))
		wrong_set(wrong, "shape", "volume %s was migrated, and is not all of that layout",
			  volume);
	return rc;
}

/* ---- going on */

const struct job *jobs_unfinished(const struct map *map)
{
	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->state != JOB_DONE &&
		    (job->kind == JOB_EXPAND || job->kind == JOB_REBALANCE ||
		     job->kind == JOB_RECOMBINE || job->kind == JOB_EVACUATE ||
		     job->kind == JOB_TOPOLOGY || job->kind == JOB_MIGRATE))
			return job;
	}
	return NULL;
}

static int resume_migration(struct array *array, const struct job *job, bool whole,
			    struct wrong *wrong, struct err *err)
{
	char name[NAME_SIZE]; /* the map's own may move with a commit */

	snprintf(name, sizeof(name), "%s", map_volume(array_map(array), job->volume)->name);
	return jobs_migrate(array, name, &job->policy, whole, wrong, err);
}

int jobs_resume(const struct run *run, struct array *array, bool whole, struct err *err,
		struct wrong *wrong)
{
	const struct job job = *jobs_unfinished(array_map(array));
	int rc = job.kind == JOB_MIGRATE
			 ? resume_migration(array, &job, whole, wrong, err)
			 : jobs_relayout(run, array, job.kind, job.from, wrong, err);

	if (!rc && map_job(array_map(array), job.id))
		wrong_set(wrong, "resume", "job %" PRIu64 " is still there", job.id);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/job_steps.h"

#include "core/array/array_internal.h"
#include "core/job/arrange.h"
#include "core/job/failover.h"
#include "tests/sim/jobs.h"

#include <stdio.h>
#include <string.h>

#define GROUPS 3u
#define PAUSE 40u /* others go first so often, between two writes */
#define CHECKS_MAX 3u

static int job_step(struct stepping *s, enum job_kind kind, uint32_t member)
{
	return jobs_relayout(s->run, s->run->array, kind, member, &s->run->broken, &s->err);
}

/* ---- beside writers */

struct job_task {
	struct stepping s;
	int (*job)(struct stepping *s);
	int rc;
};

static void job_task_run(void *arg)
{
	struct job_task *task = arg;

	task->rc = task->job(&task->s);
}

static int beside_writers(struct stepping *s, int (*run)(struct stepping *s))
{
	struct env *env = s->run->rack.env;
	struct job_task job = { .s = *s, .job = run };
	struct env_task *task = env_spawn(env, job_task_run, &job);

	if (!task)
		job_task_run(&job);
	int rc = step_run(STEP_WRITE_LARGE, s);
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

/* ---- growing and levelling */

static int add_blank(struct stepping *s)
{
	uint32_t slot;
	int rc = steps_add(s, false, &slot);

	return rc == ERR_STATE ? 0 : rc; /* it is in use already */
}

static int expand(struct stepping *s)
{
	return job_step(s, JOB_EXPAND, MEMBER_NONE);
}

int step_expand(struct stepping *s)
{
	int rc = add_blank(s);

	return rc ? rc : expand(s);
}

int step_expand_writing(struct stepping *s)
{
	int rc = add_blank(s);

	return rc ? rc : beside_writers(s, expand);
}

int step_rebalance(struct stepping *s)
{
	return job_step(s, JOB_REBALANCE, MEMBER_NONE);
}

int step_recombine(struct stepping *s)
{
	return job_step(s, JOB_RECOMBINE, MEMBER_NONE);
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

/* ---- emptying */

/* The last member, or, of every other seed, one that is absent: what it held is solved. */
static uint32_t evacuee(const struct stepping *s)
{
	const struct run *run = s->run;
	const struct map *map = array_map(run->array);

	if (s->pick)
		return map->members[s->pick % map->member_count].slot;
	return run->absent && run->seed % 2 ? 0 : run->rig->shape->members - 1;
}

static int empty(struct stepping *s, uint32_t slot)
{
	struct run *run = s->run;
	uint32_t bit = 1u << run->disk_of[slot];
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

int step_evacuate(struct stepping *s)
{
	return empty(s, evacuee(s));
}

/* As the command has it: only a member in service can be a spare. */
int step_to_spare(struct stepping *s)
{
	uint32_t slot = s->pick ? evacuee(s) : s->run->rig->shape->members - 1;

	if (!array_member_usable(s->run->array, slot))
		return err_set(&s->err, ERR_STATE, "member %u is not in service", slot);
	int rc = empty(s, slot);
	return rc ? rc : array_set_member_state(s->run->array, slot, MEMBER_SPARE, &s->err);
}

int step_remove_evacuate(struct stepping *s)
{
	uint32_t slot = evacuee(s);
	int rc = empty(s, slot);

	return rc ? rc : array_remove_member(s->run->array, slot, &s->err);
}

void job_steps_note_used(struct stepping *s)
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

/* ---- whole again */

static bool is_whole(const struct array *array, const struct group *group)
{
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (!array_extent_usable(array, &group->extents[c]))
			return false;
	}
	return true;
}

/*
 * New groups lie on members that are there: where all are whole, those that are not there are no loss any more. One
 * that was away and came back may hold a column of them: it may not go for nothing as before.
 */
static void note_whole_groups(struct stepping *s)
{
	struct run *run = s->run;
	const struct map *map = array_map(run->array);

	if (run->lasting)
		return;
	for (uint32_t g = 0; g < map->group_count; g++) {
		if (!is_whole(run->array, map->groups[g]))
			return;
	}
	*s->spent = run->damaged;
	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;

		if (array_member_usable(run->array, slot) &&
		    array_member_used(run->array, slot) > 0)
			*s->idle &= ~(1u << run->disk_of[slot]);
	}
}

/* ---- migrating */

static uint16_t usable_members(const struct array *array)
{
	const struct map *map = array_map(array);
	uint16_t count = 0;

	for (uint32_t i = 0; i < map->member_count; i++)
		if (map->members[i].state == MEMBER_ONLINE &&
		    array_member_usable(array, map->members[i].slot))
			count++;
	return count;
}

/* Of the first volume, or of the one that is picked, to what `change` makes of its policy. */
static int migrate(struct stepping *s,
		   void (*change)(struct policy *policy, uint16_t members, const struct run *run))
{
	struct run *run = s->run;

	if (!s->next->count)
		return 0;
	const char *name = s->next->volumes[s->pick % s->next->count].name;
	const struct volume *volume = map_volume_named(array_map(run->array), name);
	if (!volume)
		return err_set(&s->err, ERR_NOT_FOUND, "no volume %s", name);
	struct policy policy = volume->policy;

	policy.journal = run->journal;
	change(&policy, usable_members(run->array), run);
	int rc = jobs_migrate(run->array, name, &policy, false, &run->broken, &s->err);
	if (!rc)
		note_whole_groups(s);
	return rc;
}

static void change_layout(struct policy *policy, uint16_t members, const struct run *run)
{
	(void)run;
	if (policy->layout == LAYOUT_PARITY) {
		policy->layout = LAYOUT_MIRROR;
		policy->columns = policy->checks + 1;
	} else if (policy->layout == LAYOUT_MIRROR && policy->checks == 1) {
		policy->layout = LAYOUT_SEQUENTIAL;
		policy->columns = members;
	} else {
		policy->checks = policy->layout == LAYOUT_MIRROR ? policy->checks : 1;
		policy->layout = LAYOUT_PARITY;
		policy->columns = members;
	}
}

static void change_checks(struct policy *policy, uint16_t members, const struct run *run)
{
	uint16_t most = policy->layout == LAYOUT_SEQUENTIAL ? 2 : CHECKS_MAX;

	if (policy->checks < most && policy->columns < members) {
		policy->checks++;
		if (policy->layout != LAYOUT_SEQUENTIAL)
			policy->columns++;
	} else {
		policy->checks = run->rig->shape->checks;
		policy->columns =
			policy->layout == LAYOUT_MIRROR ? policy->checks + 1 : policy->columns;
	}
}

static void change_width(struct policy *policy, uint16_t members, const struct run *run)
{
	if (policy->layout == LAYOUT_MIRROR)
		change_checks(policy, members, run);
	else if (policy->columns < members)
		policy->columns++;
	else if (policy->columns > policy->checks + 2)
		policy->columns--;
}

int step_migrate(struct stepping *s)
{
	return migrate(s, change_layout);
}

int step_migrate_checks(struct stepping *s)
{
	return migrate(s, change_checks);
}

int step_migrate_width(struct stepping *s)
{
	return migrate(s, change_width);
}

int step_migrate_writing(struct stepping *s)
{
	return beside_writers(s, step_migrate);
}

/* ---- homes of mirrors */

static enum topology next_topology(const struct run *run)
{
	enum topology now = array_map(run->array)->policy.topology;

	if (run->rig->shape->columns > 2)
		return now == TOPOLOGY_MULTI ? TOPOLOGY_FREE : TOPOLOGY_MULTI;
	return now == TOPOLOGY_RING ? TOPOLOGY_PAIRS : TOPOLOGY_RING;
}

/* The first two members stand on one node. */
static int label_first(struct stepping *s)
{
	static const struct label node = { "node", "one" };
	const struct map *map = array_map(s->run->array);
	int rc = 0;

	for (uint32_t i = 0; !rc && i < 2 && i < map->member_count; i++)
		rc = arrange_label(s->run->array, map->members[i].slot, &node, 1, &s->err);
	return rc;
}

int step_topology(struct stepping *s)
{
	struct run *run = s->run;
	struct array *array = run->array;
	struct arrange_request request = { .topology = array_map(array)->policy.topology };
	int rc = 0;

	if (run->rig->shape->layout == LAYOUT_MIRROR) {
		request.topology = next_topology(run);
	} else {
		request.across = array_map(array)->across[0] ? "" : "node";
		rc = request.across[0] ? label_first(s) : 0;
	}
	if (!rc)
		rc = arrange_set(array, &request, &s->err);
	if (!rc)
		rc = job_step(s, JOB_TOPOLOGY, MEMBER_NONE);
	if (!rc)
		note_whole_groups(s);
	return rc;
}

/* From the first member, or from whoever cannot be used. */
int step_failover(struct stepping *s)
{
	const struct run *run = s->run;
	const struct map *map = array_map(run->array);
	uint32_t slot = run->absent ? MEMBER_NONE : map->members[s->pick % map->member_count].slot;
	struct failover_report report;

	return failover_run(run->array, slot, false, &report, &s->err);
}

int step_failback(struct stepping *s)
{
	struct failover_report report;

	return failback_run(s->run->array, false, &report, &s->err);
}

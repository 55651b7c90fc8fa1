/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps that scripts are made of: each is one call of the engine, and what it makes of the truth. */
#include "core/array/array_internal.h"
#include "core/job/fault_inject.h"
#include "core/job/rebuild.h"
#include "core/job/scrub.h"
#include "core/job/transfer.h"
#include "tests/sim/rig.h"
#include "tests/sim/sim_env.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct script scripts[] = {
	{ "create", { STEP_CREATE, STEP_PUT }, 0 },
	{ "volume-create", { STEP_VOLUME_CREATE }, 3 },
	{ "rename", { STEP_RENAME, STEP_RENAME }, 3 },
	{ "remove", { STEP_REMOVE, STEP_PUT }, 3 },
	{ "put", { STEP_PUT }, 3 },
	{ "append", { STEP_APPEND, STEP_APPEND }, 3 },
	{ "fail", { STEP_FAIL, STEP_PUT, STEP_ONLINE }, 2 },
	{ "offline", { STEP_OFFLINE, STEP_RENAME, STEP_ONLINE }, 2 },
	{ "add", { STEP_ADD, STEP_PUT, STEP_MEMBER_REMOVE }, 3 },
	{ "rebuild-to", { STEP_REBUILD_TO, STEP_PUT }, 3 },
	{ "rebuild-free", { STEP_ADD, STEP_REBUILD_FREE, STEP_MEMBER_REMOVE }, 3 },
	{ "replace", { STEP_REPLACE, STEP_RENAME }, 2 },
	{ "scrub-repair", { STEP_SCRUB_REPAIR, STEP_RENAME }, 2 },
	{ "write", { STEP_WRITE_SMALL, STEP_SETTLE }, 3 },
	{ "write-rows", { STEP_WRITE_ROWS, STEP_WRITE_SMALL }, 3 },
	{ "write-much", { STEP_WRITE_LARGE, STEP_REOPEN, STEP_WRITE_SMALL }, 3 },
	{ "writers", { STEP_WRITERS, STEP_SETTLE, STEP_WRITERS }, 3 },
	{ "write-fail", { STEP_WRITE_SMALL, STEP_FAIL, STEP_WRITE_LARGE }, 2 },
	{ "write-rebuild", { STEP_WRITE_SMALL, STEP_REBUILD_TO, STEP_WRITE_SMALL }, 3 },
};
const uint32_t script_count = sizeof(scripts) / sizeof(scripts[0]);

/* What a step works on; `next` is the truth when it succeeds. */
struct stepping {
	struct run *run;
	struct truth *next;
	uint32_t number;
	uint32_t *idle, *spent;
	struct err err;
};

static int step_none(struct stepping *s)
{
	(void)s;
	return 0;
}

static int step_create(struct stepping *s)
{
	return rig_create_array(s->run, &s->err);
}

static int step_volume_create(struct stepping *s)
{
	char name[16];

	snprintf(name, sizeof(name), "v%u", s->number);
	truth_put(s->next, name, 0, 0);
	return volume_create_run(s->run->array, name, &s->run->rig->policy, 0, &s->err);
}

/* The volume that steps change: the first that there is. */
static struct truth_volume *victim(struct stepping *s)
{
	return s->next->count ? &s->next->volumes[0] : NULL;
}

static int step_rename(struct stepping *s)
{
	struct truth_volume *volume = victim(s);
	char from[16];

	if (!volume)
		return 0;
	memcpy(from, volume->name, sizeof(from));
	snprintf(volume->name, sizeof(volume->name), "n%u", s->number);
	return array_volume_rename(s->run->array, from, volume->name, &s->err);
}

static int step_remove(struct stepping *s)
{
	struct truth_volume *volume = victim(s);
	char name[16];

	if (!volume)
		return 0;
	memcpy(name, volume->name, sizeof(name));
	truth_remove(s->next, name);
	return array_volume_remove(s->run->array, name, &s->err);
}

static int step_put(struct stepping *s)
{
	static const uint64_t lengths[] = { 5 * BLOCK_SIZE + 10, 16 * BLOCK_SIZE, 100 };
	uint64_t length = lengths[s->number % 3];
	char name[16];

	snprintf(name, sizeof(name), "p%u", s->number);
	truth_put(s->next, name, length, 10 + s->number);
	return rig_put(s->run, s->next, name, length, false, &s->err);
}

static int step_append(struct stepping *s)
{
	struct truth_volume *volume = victim(s);
	uint64_t length = 3 * BLOCK_SIZE + 77;

	if (!volume)
		return 0;
	truth_put(s->next, volume->name, length, 20 + s->number);
	return rig_put(s->run, s->next, volume->name, length, true, &s->err);
}

/* The last of the members: those that are absent from the beginning are the first. */
static uint32_t state_victim(const struct stepping *s)
{
	return s->run->rig->shape->members - 1;
}

static int set_state(struct stepping *s, enum member_state state)
{
	uint32_t slot = state_victim(s);
	uint32_t bit = 1u << s->run->disk_of[slot];
	const struct member *member = map_member(array_map(s->run->array), slot);
	bool was_down = member && member->state != MEMBER_ONLINE;

	if (!member || was_down == (state != MEMBER_ONLINE))
		return 0;
	if (state != MEMBER_ONLINE) {
		int rc = array_member_is_needed(s->run->array, slot, &s->err);

		if (rc)
			return rc;
		*s->idle |= bit;
		++*s->spent;
	} else {
		/* what was written meanwhile is not there: it counts as out until it is rebuilt */
		*s->idle &= ~bit;
	}
	return array_set_member_state(s->run->array, slot, state, &s->err);
}

static int step_fail(struct stepping *s)
{
	return set_state(s, MEMBER_FAILED);
}

static int step_offline(struct stepping *s)
{
	return set_state(s, MEMBER_OFFLINE);
}

static int step_online(struct stepping *s)
{
	return set_state(s, MEMBER_ONLINE);
}

/* The blank disk joins. */
static int add(struct stepping *s, bool spare, uint32_t *slot_out)
{
	struct run *run = s->run;
	uint32_t disk = run->rig->disks - 1;

	if (!(*s->idle >> disk & 1) || map_member(array_map(run->array), disk))
		return err_set(&s->err, ERR_STATE, "the blank disk is in use");
	struct dev *dev = rack_dev_open(&run->rack, disk);
	if (!dev)
		return err_set(&s->err, ERR_NOMEM, "no memory for a device");
	int rc = array_add_member(run->array, dev, spare, slot_out, &s->err);
	if (rc) {
		dev_close(dev);
		return rc;
	}
	run->disk_of[*slot_out] = disk;
	*s->idle &= ~(1u << disk);
	return 0;
}

static int step_add(struct stepping *s)
{
	uint32_t slot;

	return add(s, false, &slot);
}

/* The last member that is empty goes. */
static int step_member_remove(struct stepping *s)
{
	const struct map *map = array_map(s->run->array);

	for (uint32_t i = map->member_count; i-- > 0;) {
		uint32_t slot = map->members[i].slot;

		if (array_member_used(s->run->array, slot) == 0) {
			*s->idle |= 1u << s->run->disk_of[slot];
			return array_remove_member(s->run->array, slot, &s->err);
		}
	}
	return err_set(&s->err, ERR_STATE, "no member is empty");
}

static int rebuild(struct stepping *s, uint32_t to, bool replace)
{
	struct run *run = s->run;
	/* Like the command: a member that is in use is read and serves to the end. */
	const struct rebuild_request request = {
		.from = 0,
		.to = to,
		.replace = replace || array_member_usable(run->array, 0),
	};
	struct rebuild_report report = { 0 };
	int rc = rebuild_run(run->array, &request, &report, &s->err);

	if (rc)
		return rc;
	*s->idle |= 1u << run->disk_of[0];
	if (to != MEMBER_NONE)
		run->disk_of[0] = run->disk_of[to];
	if (run->absent && *s->spent)
		--*s->spent;
	return 0;
}

static int step_rebuild_to(struct stepping *s)
{
	uint32_t slot = MEMBER_NONE;
	int rc = add(s, true, &slot);

	return rc ? rc : rebuild(s, slot, false);
}

static int step_rebuild_free(struct stepping *s)
{
	return rebuild(s, MEMBER_NONE, false);
}

static int step_replace(struct stepping *s)
{
	uint32_t slot = MEMBER_NONE;

	if (s->run->absent)
		return err_set(&s->err, ERR_STATE, "what is absent is rebuilt, not replaced");
	int rc = add(s, true, &slot);
	return rc ? rc : rebuild(s, slot, true);
}

static int step_scrub_repair(struct stepping *s)
{
	const struct scrub_request request = { .mode = SCRUB_REPAIR };
	struct scrub_report report = { 0 };
	int rc = scrub_run(s->run->array, &request, &report, &s->err);

	if (rc == 0 && s->run->damaged) {
		--*s->spent;
		s->run->damaged = false;
	}
	return rc;
}

/* ---- in-place writes */

/* What the oracle's writes count in: events, or operations where nothing is recorded. */
static size_t moment_of(const struct run *run)
{
	return run->rack.recording ? run->recording.count : run->rack.ios;
}

/* Members were absent when it began, so that groups with an extent there need content in the record. */
static bool is_degraded(const struct run *run, const struct volume *volume)
{
	return array_volume_health(run->array, volume) != HEALTH_HEALTHY;
}

static int write_range(struct run *run, const struct truth *truth, uint32_t which, uint64_t offset,
		       uint64_t length, struct err *err)
{
	const struct truth_volume *expected = &truth->volumes[which];
	struct volume *volume = map_volume_named(array_map(run->array), expected->name);
	struct truth_write *write = &run->writes.at[run->writes.count];
	struct array_write_result result = { 0 };

	if (!volume || run->writes.count == TRUTH_WRITES_MAX || offset >= volume->length)
		return 0;
	if (length > volume->length - offset)
		length = volume->length - offset;
	volume->policy.journal = run->journal;
	*write = (struct truth_write){
		.volume = expected->id,
		.offset = offset,
		.length = length,
		.bytes = malloc(length),
		.begun = moment_of(run),
		.acked = NOT_YET,
		.content = run->journal == JOURNAL_SMALL || is_degraded(run, volume),
		.unnamed = run->journal == JOURNAL_NONE,
	};
	if (!write->bytes)
		abort();
	truth_fill(write->bytes, length, 1000 + run->writes.count);
	run->writes.count++;
	int rc = array_write(run->array, volume, offset, write->bytes, length, &result, err);
	if (rc == 0)
		write->acked = moment_of(run);
	return rc;
}

static int step_write_small(struct stepping *s)
{
	return write_range(s->run, s->next, 0, 4 * BLOCK_SIZE + 700, 900, &s->err);
}

static int step_write_large(struct stepping *s)
{
	return write_range(s->run, s->next, 0, BLOCK_SIZE + 100, 5 * BLOCK_SIZE + 33, &s->err);
}

static int step_write_rows(struct stepping *s)
{
	return write_range(s->run, s->next, 0, 0, 8 * BLOCK_SIZE, &s->err);
}

/* One of the tasks of step_writers(). */
struct writer {
	struct stepping *s;
	uint32_t volume;
	uint64_t offset, length;
	int rc;
	struct err err;
};

static void writer_run(void *arg)
{
	struct writer *writer = arg;

	writer->rc = write_range(writer->s->run, writer->s->next, writer->volume, writer->offset,
				 writer->length, &writer->err);
}

static int step_writers(struct stepping *s)
{
	struct writer writers[] = {
		{ s, 0, 2 * BLOCK_SIZE + 10, BLOCK_SIZE, 0, { 0 } },
		{ s, 0, 3 * BLOCK_SIZE, 2 * BLOCK_SIZE, 0, { 0 } },
		{ s, s->next->count > 1, BLOCK_SIZE, 512, 0, { 0 } },
	};
	struct env *env = s->run->rack.env;
	struct env_task *tasks[3];
	int rc = 0;

	for (uint32_t i = 0; i < 3; i++) {
		tasks[i] = env_spawn(env, writer_run, &writers[i]);
		if (!tasks[i])
			writer_run(&writers[i]);
	}
	for (uint32_t i = 0; i < 3; i++) {
		if (tasks[i])
			env_join(env, tasks[i]);
		if (writers[i].rc && !rc) {
			rc = writers[i].rc;
			s->err = writers[i].err;
		}
	}
	return rc;
}

static int step_settle(struct stepping *s)
{
	return array_write_settle(s->run->array, &s->err);
}

static int step_reopen(struct stepping *s)
{
	struct run *run = s->run;

	array_close(run->array);
	run->array = NULL;
	return rack_array_open(&run->rack, run->absent, ARRAY_WRITE, 2, &run->array, &s->err);
}

static const struct {
	const char *name;
	int (*run)(struct stepping *s);
} steps[STEP_KINDS] = {
	[STEP_NONE] = { "none", step_none },
	[STEP_CREATE] = { "create", step_create },
	[STEP_VOLUME_CREATE] = { "volume create", step_volume_create },
	[STEP_RENAME] = { "rename", step_rename },
	[STEP_REMOVE] = { "remove", step_remove },
	[STEP_PUT] = { "put", step_put },
	[STEP_APPEND] = { "append", step_append },
	[STEP_FAIL] = { "fail", step_fail },
	[STEP_OFFLINE] = { "offline", step_offline },
	[STEP_ONLINE] = { "online", step_online },
	[STEP_ADD] = { "add", step_add },
	[STEP_MEMBER_REMOVE] = { "member remove", step_member_remove },
	[STEP_REBUILD_TO] = { "rebuild to", step_rebuild_to },
	[STEP_REBUILD_FREE] = { "rebuild into free", step_rebuild_free },
	[STEP_REPLACE] = { "replace", step_replace },
	[STEP_SCRUB_REPAIR] = { "scrub --repair", step_scrub_repair },
	[STEP_WRITE_SMALL] = { "write", step_write_small },
	[STEP_WRITE_LARGE] = { "write much", step_write_large },
	[STEP_WRITE_ROWS] = { "write rows", step_write_rows },
	[STEP_WRITERS] = { "writers", step_writers },
	[STEP_SETTLE] = { "settle", step_settle },
	[STEP_REOPEN] = { "reopen", step_reopen },
};

const char *step_name(enum step_kind kind)
{
	return steps[kind].name;
}

/* ---- running a script */

static void choose_steps(struct run *run, uint32_t script, struct choice *choice)
{
	for (uint32_t i = 0; i < 3; i++) {
		enum step_kind kind = STEP_NONE;

		if (script != SCRIPT_ANY)
			kind = scripts[script].steps[i];
		else /* not create: there is an array already */
			kind = (enum step_kind)(
				STEP_VOLUME_CREATE +
				choice_below(choice, STEP_KINDS - STEP_VOLUME_CREATE));
		if (kind != STEP_NONE)
			run->steps[run->step_count++] = kind;
	}
}

static bool has_step(const struct run *run, enum step_kind kind)
{
	for (uint32_t i = 0; i < run->step_count; i++) {
		if (run->steps[i] == kind)
			return true;
	}
	return false;
}

/* A member is damaged where the code survives one more loss: work for scrub --repair. */
static void damage(struct run *run)
{
	struct inject_request request = {
		.kind = INJECT_FLIP,
		.slot = run->rig->shape->members,
		.end = UINT64_MAX,
		.count = 2,
		.seed = 7,
	};
	struct array *array = NULL;
	struct err err = { 0 };

	if (rack_array_open(&run->rack, 0, ARRAY_WRITE, 1, &array, &err))
		abort();
	while (request.slot > 0 && array_member_used(array, --request.slot) == 0)
		;
	if (inject_run(array, &request, &err))
		abort();
	array_close(array);
	run->damaged = true;
	run->spent[0]++;
}

static uint32_t degraded_max(const struct rig_shape *shape, uint32_t wanted, bool damaged)
{
	uint32_t most = damaged ? shape->tolerance - 1 : shape->tolerance;

	return most < wanted ? most : wanted;
}

uint32_t run_degraded_max(const struct rig_shape *shape, uint32_t script)
{
	bool damaged = false;

	for (uint32_t i = 0; i < 3; i++)
		damaged = damaged || scripts[script].steps[i] == STEP_SCRUB_REPAIR;
	return degraded_max(shape, scripts[script].degraded_max, damaged);
}

void run_begin(struct run *run, const struct rig *rig, uint32_t script, struct choice *choice)
{
	memset(run, 0, sizeof(*run));
	run->rig = rig;
	run->script = script;
	run->mark = media_mark(rig->media);
	choose_steps(run, script, choice);
	run->blank = run->steps[0] == STEP_CREATE;
	uint32_t wanted =
		script == SCRIPT_ANY ? rig->shape->tolerance : scripts[script].degraded_max;
	uint32_t degraded = choice_below(
		choice, degraded_max(rig->shape, wanted, has_step(run, STEP_SCRUB_REPAIR)) + 1);
	uint32_t seed = choice_below(choice, 256);
	run->journal = (enum journal_mode)choice_below(choice, JOURNAL_COUNT);
	run->rack = (struct rack){
		.env = sim_env(seed),
		.media = rig->media,
		.ios_max = UINT64_MAX,
		.may_be_blank = run->blank ? ~0u : 1u << (rig->disks - 1),
	};
	for (uint32_t i = 0; i < rig->disks; i++)
		run->disk_of[i] = i;
	run->absent = (1u << degraded) - 1;
	run->idle[0] = 1u << (rig->disks - 1) | run->absent;
	run->spent[0] = degraded;
	if (has_step(run, STEP_SCRUB_REPAIR))
		damage(run);
	/* What was removed is wiped. */
	if (has_step(run, STEP_MEMBER_REMOVE) || has_step(run, STEP_REBUILD_TO) ||
	    has_step(run, STEP_REPLACE))
		run->rack.may_be_blank = ~0u;
	if (run->blank) {
		for (uint32_t i = 0; i < rig->disks; i++)
			media_write(rig->media, i, 0, NULL, media_size(rig->media));
		run->idle[0] = (1u << rig->disks) - 1;
	} else {
		truth_copy(&run->truths[0], &rig->truth);
	}
	run->ground = media_mark(rig->media);
	run->env_made = env_sim_create(seed);
	if (!run->env_made)
		abort();
}

static int run_step(struct run *run, uint32_t number)
{
	struct truth *next = &run->truths[number + 1];
	struct stepping s = {
		.run = run,
		.next = next,
		.number = number,
		.idle = &run->idle[number + 1],
		.spent = &run->spent[number + 1],
	};

	truth_copy(next, &run->truths[number]);
	*s.idle = run->idle[number];
	*s.spent = run->spent[number];
	if (run->steps[number] == STEP_CREATE)
		*s.idle = 1u << (run->rig->disks - 1);
	/* Jobs and commits begin with nothing late, as commands do. */
	int rc = 0;
	if (run->array && run->writes.count && run->steps[number] < STEP_WRITE_SMALL)
		rc = array_write_settle(run->array, &s.err);
	if (!rc)
		rc = steps[run->steps[number]].run(&s);

	run->step_rc[number] = rc;
	if (rc)
		snprintf(run->text, sizeof(run->text), "%.199s", s.err.text);
	return rc;
}

/* A step that was refused changed nothing; after any other error the rest is not tried. */
static bool goes_on(struct run *run, uint32_t number, int rc)
{
	if (rc == 0)
		return true;
	if (run->rack.struck || !run->array || array_poisoned(run->array))
		return false;
	truth_reset(&run->truths[number + 1]);
	truth_copy(&run->truths[number + 1], &run->truths[number]);
	run->idle[number + 1] = run->idle[number];
	run->spent[number + 1] = run->spent[number];
	return true;
}

static void steps_main(void *arg)
{
	struct run *run = arg;
	struct err err = { 0 };

	if (!run->blank &&
	    rack_array_open(&run->rack, run->absent, ARRAY_WRITE, 2, &run->array, &err)) {
		run->step_rc[0] = err.code;
		snprintf(run->text, sizeof(run->text), "%.199s", err.text);
		return;
	}
	for (uint32_t i = 0; i < run->step_count; i++) {
		if (!goes_on(run, i, run_step(run, i)))
			break;
		run->acked = i + 1;
		if (run->rack.recording)
			recording_mark(run->rack.recording, i + 1);
	}
	array_close(run->array);
	run->array = NULL;
}

void run_steps(struct run *run)
{
	struct env *plain = run->rack.env;

	run->rack.env = run->env_made;
	env_sim_run(run->env_made, steps_main, run);
	run->rack.env = plain;
}

void run_rewind(struct run *run)
{
	media_undo(run->rig->media, run->ground);
	run->ground = media_mark(run->rig->media);
}

void run_reset(struct run *run)
{
	media_undo(run->rig->media, run->ground);
	media_undo(run->rig->media, run->mark);
	recording_reset(&run->recording);
	truth_writes_reset(&run->writes);
	for (uint32_t i = 0; i <= STEPS_MAX; i++)
		truth_reset(&run->truths[i]);
	env_sim_free(run->env_made);
	run->env_made = NULL;
}

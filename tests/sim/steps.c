/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps that scripts are made of: each is one call of the engine, and what
 * it makes of the truth. */
#include "tests/sim/steps.h"
#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/base/size.h"
#include "core/job/fault_inject.h"
#include "core/job/scrub.h"
#include "core/job/transfer.h"
#include "tests/sim/job_steps.h"
#include "tests/sim/rebuild_steps.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_ROLES (1u << IO_ROLE_DATA | 1u << IO_ROLE_PARITY | 1u << IO_ROLE_PURE)
#define LARGE_BLOCKS 110u /* so that their seal entries fill more than one sector */
#define SETTLES 4u
#define SETTLE_PAUSE 6u /* others go first so often, one more time each */

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

	if (s->next->count == TRUTH_VOLUMES_MAX)
		return 0;
	snprintf(name, sizeof(name), "v%u", s->number);
	truth_put(s->next, name, 0, 0);
	return volume_create_run(s->run->array, name, &s->run->rig->policy, 0, &s->err);
}

/* The volume that steps change: the first that there is, unless another is
 * picked. */
static struct truth_volume *victim(struct stepping *s)
{
	return s->next->count ? &s->next->volumes[s->pick % s->next->count] : NULL;
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

	if (s->next->count == TRUTH_VOLUMES_MAX)
		return 0;
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

/* The last of the members: those that are absent from the beginning are the
 * first. */
static uint32_t state_victim(const struct stepping *s)
{
	const struct map *map = array_map(s->run->array);

	return s->pick ? map->members[s->pick % map->member_count].slot
		       : s->run->rig->shape->members - 1;
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
		*s->spent += !(s->run->bad & bit);
	} else {
		/* what was written meanwhile is not there: it counts as out until it is
     * rebuilt */
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

static bool disk_is_member(const struct run *run, uint32_t disk)
{
	const struct map *map = array_map(run->array);

	for (uint32_t i = 0; i < map->member_count; i++) {
		if (run->disk_of[map->members[i].slot] == disk)
			return true;
	}
	return false;
}

int steps_add(struct stepping *s, bool spare, uint32_t *slot_out)
{
	struct run *run = s->run;
	uint32_t disk = run->blank_disk;

	if (!(*s->idle >> disk & 1) || disk_is_member(run, disk))
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

	return steps_add(s, false, &slot);
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

static int step_scrub_repair(struct stepping *s)
{
	const struct scrub_request request = { .mode = SCRUB_REPAIR };
	struct scrub_report report = { 0 };
	int rc = scrub_run(s->run->array, &request, &report, &s->err);

	/* What it could not write is left, and it says so. */
	if (rc == 0 && s->run->damaged && report.left == 0) {
		--*s->spent;
		s->run->damaged = false;
	}
	return rc;
}

/* ---- in-place writes */

/* What the oracle's writes count in: events, or operations where nothing is
 * recorded. */
static size_t moment_of(const struct run *run)
{
	return run->rack.recording ? run->recording.count : run->rack.ios;
}

/* A column was absent when it began, so that the record has the content. */
static bool is_degraded(const struct run *run, const struct span *span)
{
	uint32_t column;
	const struct group *group = map_extent(array_map(run->array), span->extents[0], &column);

	return array_columns_gone(run->array, group) > 0;
}

/* Note the part of a write that lies in a span: of each group it may have
 * another fate. */
static void note_part(struct run *run, const struct truth_write *whole, const struct span *span)
{
	struct truth_write *part = &run->writes.at[run->writes.count];
	uint64_t from = size_max(whole->offset, span->offset);
	uint64_t end = size_min(whole->offset + whole->length, span->offset + span->length);

	if (from >= end)
		return;
	*part = *whole;
	part->offset = from;
	part->length = end - from;
	part->bytes = malloc(part->length);
	if (!part->bytes)
		abort();
	memcpy(part->bytes, whole->bytes + (from - whole->offset), part->length);
	part->content = run->journal == JOURNAL_SMALL || is_degraded(run, span);
	run->writes.count++;
}

/* Events up to the first that changed a cell since the write began, whosever it
 * was. */
static size_t touched_at(const struct run *run, size_t begun)
{
	if (!run->rack.recording)
		return begun;
	for (size_t i = begun; i < run->recording.count; i++) {
		const struct event *event = &run->recording.events[i];

		if (event->kind == EVENT_WRITE && (CELL_ROLES >> event->role & 1))
			return i + 1;
	}
	return NOT_YET;
}

static void note_end(const struct run *run, const struct volume *volume, struct truth_write *write,
		     int rc)
{
	write->ended = moment_of(run);
	write->touched = touched_at(run, write->begun);
	if (!rc)
		write->acked = write->ended;
	/* A job may have put whole groups in the place of degraded ones before it came to be written. */
	for (uint32_t i = 0; i < volume->span_count && run->journal != JOURNAL_SMALL; i++) {
		const struct span *span = &volume->spans[i];

		if (write->offset < span->offset + span->length &&
		    span->offset < write->offset + write->length)
			write->content = write->content && is_degraded(run, span);
	}
}

static int write_range(struct run *run, const struct truth *truth, uint32_t which, uint64_t offset,
		       uint64_t length, struct err *err)
{
	const struct truth_volume *expected = &truth->volumes[which];
	struct volume *volume = map_volume_named(array_map(run->array), expected->name);
	uint32_t first = run->writes.count;
	struct array_write_result result = { 0 };

	if (!volume || offset >= volume->length || first + volume->span_count > TRUTH_WRITES_MAX)
		return 0;
	length = size_min(length, volume->length - offset);
	volume->policy.journal = run->journal;
	struct truth_write whole = {
		.volume = expected->id,
		.offset = offset,
		.length = length,
		.bytes = malloc(length),
		.begun = moment_of(run),
		.acked = NOT_YET,
		.ended = NOT_YET,
		.touched = NOT_YET,
		.settled = NOT_YET,
		.told = NOT_YET,
		.unnamed = run->journal == JOURNAL_NONE,
	};
	if (!whole.bytes)
		abort();
	truth_fill(whole.bytes, length, 1000 + first);
	for (uint32_t i = 0; i < volume->span_count; i++)
		note_part(run, &whole, &volume->spans[i]);
	uint32_t end = run->writes.count;
	int rc = array_write(run->array, volume, offset, whole.bytes, length, &result, err);
	for (uint32_t i = first; i < end; i++)
		note_end(run, volume, &run->writes.at[i], rc);
	free(whole.bytes);
	return rc;
}

/* From then on the log names none of the rows that were acknowledged before. */
int step_settle_now(struct run *run, struct err *err)
{
	size_t begun = moment_of(run);
	int rc = array_write_settle(run->array, err);

	for (uint32_t i = 0; !rc && i < run->writes.count; i++) {
		struct truth_write *write = &run->writes.at[i];

		if (write->acked <= begun && write->settled == NOT_YET)
			write->settled = write->told = moment_of(run);
	}
	return rc;
}

/* Was another write under way when this one was acknowledged? Then a record may have been made before that. */
static bool was_alone(const struct run *run, const struct truth_write *write)
{
	for (uint32_t i = 0; i < run->writes.count; i++) {
		const struct truth_write *other = &run->writes.at[i];

		if (other->begun < write->acked && other->ended > write->acked)
			return false;
	}
	return true;
}

/* Events up to the flush of the first write of a record since `begun`. */
static size_t told_at(const struct recording *recording, size_t begun)
{
	size_t i = begun, written;

	while (i < recording->count && (recording->events[i].kind != EVENT_WRITE ||
					recording->events[i].role != IO_ROLE_LOG))
		i++;
	if (i == recording->count)
		return NOT_YET;
	written = i;
	for (; i < recording->count; i++) {
		const struct event *event = &recording->events[i];

		if (event->kind == EVENT_FLUSH && event->disk == recording->events[written].disk &&
		    event->submitted >= recording->events[written].completed)
			return i + 1;
	}
	return NOT_YET;
}

void steps_note_told(struct run *run)
{
	for (uint32_t i = 0; run->rack.recording && i < run->writes.count; i++) {
		struct truth_write *write = &run->writes.at[i];

		if (write->acked != NOT_YET && was_alone(run, write))
			write->told = size_min(write->told, told_at(&run->recording, write->acked));
	}
}

/* Anywhere in any volume when something is picked. */
static int write_picked(struct stepping *s, uint64_t offset, uint64_t length)
{
	struct truth *truth = s->next;
	uint32_t which = truth->count ? s->pick % truth->count : 0;

	if (!truth->count || !truth->volumes[which].length)
		return 0;
	offset += s->pick / 8 * 3001 % truth->volumes[which].length;
	return write_range(s->run, truth, which, offset % truth->volumes[which].length, length,
			   &s->err);
}

static int step_write_small(struct stepping *s)
{
	return write_picked(s, 4 * BLOCK_SIZE + 700, 900);
}

static int step_write_large(struct stepping *s)
{
	return write_picked(s, BLOCK_SIZE + 100, 5 * BLOCK_SIZE + 33);
}

static int step_write_rows(struct stepping *s)
{
	return write_picked(s, 0, 8 * BLOCK_SIZE);
}

/* One of the tasks of a step. */
struct writer {
	struct stepping *s;
	uint32_t volume;
	uint64_t offset, length; /* length 0: settle */
	int rc;
	struct err err;
};

static void writer_run(void *arg)
{
	struct writer *writer = arg;
	struct run *run = writer->s->run;

	writer->rc = writer->length ? write_range(run, writer->s->next, writer->volume,
						  writer->offset, writer->length, &writer->err)
				    : step_settle_now(run, &writer->err);
}

static int run_writers(struct stepping *s, struct writer *writers, uint32_t count)
{
	struct env *env = s->run->rack.env;
	struct env_task *tasks[4];
	int rc = 0;

	assert(count <= sizeof(tasks) / sizeof(tasks[0]));
	for (uint32_t i = 0; i < count; i++) {
		tasks[i] = env_spawn(env, writer_run, &writers[i]);
		if (!tasks[i])
			writer_run(&writers[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (tasks[i])
			env_join(env, tasks[i]);
		if (writers[i].rc && !rc) {
			rc = writers[i].rc;
			s->err = writers[i].err;
		}
	}
	return rc;
}

static int step_writers(struct stepping *s)
{
	struct writer writers[] = {
		{ s, 0, 2 * BLOCK_SIZE + 10, BLOCK_SIZE, 0, { 0 } },
		{ s, 0, 3 * BLOCK_SIZE, 2 * BLOCK_SIZE, 0, { 0 } },
		{ s, s->next->count > 1, BLOCK_SIZE, 512, 0, { 0 } },
	};

	return run_writers(s, writers, 3);
}

/* A block is written again while its seals are written and records get shorter, each time a bit later. */
static int step_write_settle(struct stepping *s)
{
	struct env *env = s->run->rack.env;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < SETTLES; i++) {
		struct writer settler = { .s = s };

		rc = step_write_small(s);
		struct env_task *task = env_spawn(env, writer_run, &settler);

		for (uint32_t n = 0; n < SETTLE_PAUSE * (i + 1); n++)
			env_yield(env);
		if (!rc)
			rc = step_write_small(s);
		if (task)
			env_join(env, task);
		if (!rc && settler.rc) {
			rc = settler.rc;
			s->err = settler.err;
		}
	}
	return rc;
}

static int step_settle(struct stepping *s)
{
	return step_settle_now(s->run, &s->err);
}

static int step_reopen(struct stepping *s)
{
	struct run *run = s->run;

	array_close(run->array);
	run->array = NULL;
	return rack_array_open(&run->rack, run->away, ARRAY_WRITE, 2, &run->array, &s->err);
}

/* Any commit takes them in. */
static int step_return(struct stepping *s)
{
	int rc;

	s->run->away = 0;
	rc = step_reopen(s);
	return rc ? rc : array_commit(s->run->array, &s->err);
}

/* ---- far away */

static int step_put_large(struct stepping *s)
{
	int rc = step_settle_now(s->run, &s->err);
	char name[16];

	if (rc || s->next->count == TRUTH_VOLUMES_MAX)
		return rc;
	snprintf(name, sizeof(name), "l%u", s->number);
	truth_put(s->next, name, LARGE_BLOCKS * BLOCK_SIZE, 30 + s->number);
	return rig_put(s->run, s->next, name, LARGE_BLOCKS * BLOCK_SIZE, false, &s->err);
}

static int step_write_far(struct stepping *s)
{
	uint32_t last = s->next->count - 1;

	if (s->next->count == 0 || s->next->volumes[last].length < 3 * BLOCK_SIZE)
		return 0;
	return write_range(s->run, s->next, last,
			   s->next->volumes[last].length - 2 * BLOCK_SIZE - 300, 900, &s->err);
}

/* ---- members that are full, or fail, in the middle of a write */

static void add_fault(struct rack *rack, enum disk_fault_kind kind, uint32_t disk)
{
	rack->faults[rack->fault_count++] = (struct disk_fault){
		.kind = kind, .disk = disk, .forever = true, .roles = CELL_ROLES
	};
}

/* No cell finds space: the write fails, or goes on behind it once there is
 * space. */
static int step_write_full(struct stepping *s)
{
	struct rack *rack = &s->run->rack;
	uint32_t before = rack->fault_count;

	for (uint32_t i = 0; i < s->run->rig->disks && rack->fault_count < RACK_FAULTS_MAX; i++)
		add_fault(rack, DISK_NO_SPACE, i);
	int rc = step_write_small(s);
	rack->fault_count = before;
	/* Now there is space again; the first may wait for a try that began before. */
	for (uint32_t i = 0; !rc && i < 2 && s->run->journal == JOURNAL_SMALL; i++) {
		rc = step_settle_now(s->run, &s->err);
		rc = i == 0 && rc == ERR_NOSPACE ? 0 : rc;
	}
	if (rc == ERR_NOSPACE) {
		s->err = (struct err){ 0 };
		rc = 0;
	}
	return rc;
}

/* Every write of a cell to one member fails: it is taken out, and the write
 * goes on without it. */
static int step_write_gone(struct stepping *s)
{
	struct run *run = s->run;
	uint32_t slot = state_victim(s);
	int rc;

	if (!array_member_usable(run->array, slot) || run->rack.fault_count == RACK_FAULTS_MAX)
		return 0;
	rc = array_member_is_needed(run->array, slot, &s->err);
	if (rc)
		return rc;
	add_fault(&run->rack, DISK_WRITE_ERROR, run->disk_of[slot]);
	rc = step_write_rows(s);
	if (!rc && run->journal == JOURNAL_SMALL) /* cells are written behind */
		rc = step_settle_now(run, &s->err);
	run->rack.fault_count--;
	if (!array_member_usable(run->array, slot)) {
		*s->idle |= 1u << run->disk_of[slot];
		++*s->spent;
	}
	return rc;
}

static const struct {
	const char *name;
	step_runner *run;
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
	[STEP_RESTORE] = { "restore", step_restore },
	[STEP_RETURN] = { "return", step_return },
	[STEP_WRITE_FULL] = { "write without space", step_write_full },
	[STEP_WRITE_GONE] = { "write while a member fails", step_write_gone },
	[STEP_WRITE_SETTLE] = { "write and settle", step_write_settle },
	[STEP_PUT_LARGE] = { "put much", step_put_large },
	[STEP_WRITE_FAR] = { "write far", step_write_far },
	[STEP_POWER_CUT] = { "power cut", NULL },
	[STEP_EXPAND] = { "expand", step_expand },
	[STEP_REBALANCE] = { "rebalance", step_rebalance },
	[STEP_RECOMBINE] = { "recombine", step_recombine },
	[STEP_EVACUATE] = { "evacuate", step_evacuate },
	[STEP_PUT_GROUPS] = { "put groups", step_put_groups },
	[STEP_EXPAND_WRITING] = { "expand while writing", step_expand_writing },
	[STEP_MIGRATE] = { "migrate", step_migrate },
	[STEP_MIGRATE_CHECKS] = { "migrate to more checks", step_migrate_checks },
	[STEP_MIGRATE_WIDTH] = { "migrate to another width", step_migrate_width },
	[STEP_MIGRATE_WRITING] = { "migrate while writing", step_migrate_writing },
	[STEP_TOPOLOGY] = { "topology set", step_topology },
	[STEP_FAILOVER] = { "failover", step_failover },
	[STEP_FAILBACK] = { "failback", step_failback },
	[STEP_TO_SPARE] = { "spare make", step_to_spare },
	[STEP_REBUILD_SPARE] = { "rebuild to a spare", step_rebuild_spare },
	[STEP_REMOVE_EVACUATE] = { "remove --evacuate", step_remove_evacuate },
};

const char *step_name(enum step_kind kind)
{
	return steps[kind].name;
}

int step_run(enum step_kind kind, struct stepping *stepping)
{
	return steps[kind].run(stepping);
}

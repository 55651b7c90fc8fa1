/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs that change groups while tasks of the same program read and write the volume (docs/GROW.md section 3). Aim:
 * every read gives the newest acknowledged bytes or those being written, and none older; after a power loss in the
 * middle as well, when the log names rows of groups that are gone. Method: each block tells its number and version;
 * writers own blocks, readers compare with what was acknowledged when they began. Tasks meet in the order of a seed
 * (env_sim), and as threads.
 */
#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/array/hold.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/migrate.h"
#include "core/job/relayout.h"
#include "core/job/transfer.h"
#include "core/map/check.h"
#include "tests/unit/array_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DISKS 7u
#define ALL 127u
#define DISK_SIZE (UINT64_C(8) << 20)
#define BLOCKS 192u
#define LENGTH (BLOCKS * (uint64_t)BLOCK_SIZE)
#define WRITERS 4u
#define READERS 2u
#define RUN_MAX 12u /* blocks of one read or write */

struct word {
	uint32_t block, version;
};

struct field;
struct hand {
	struct field *field;
	uint32_t number;
	struct env_task *task;
	struct rng rng;
	uint8_t *bytes;
	uint64_t acts;
};

struct field {
	struct env *env;
	struct rack rack;
	struct array *array;
	const struct volume *volume;
	struct env_lock lock;
	uint32_t acked[BLOCKS], begun[BLOCKS];
	bool stopping; /* the hands shall end */
	bool crashed;  /* errors are what a power loss gives */
	bool sim;
	uint32_t
		commits_left; /* writes of maps and superblocks, before each of them fails; 0: none does */
	struct hand hands[WRITERS + READERS];
};

static void fill(uint8_t *bytes, uint32_t block, uint32_t version)
{
	const struct word word = { block, version };

	for (size_t at = 0; at < BLOCK_SIZE; at += sizeof(word))
		memcpy(bytes + at, &word, sizeof(word));
}

/* The version that a block tells; the test fails where it is no whole block of that number. */
static uint32_t version_of(const uint8_t *bytes, uint32_t block)
{
	struct word first, word;

	memcpy(&first, bytes, sizeof(first));
	for (size_t at = 0; at < BLOCK_SIZE; at += sizeof(word)) {
		memcpy(&word, bytes + at, sizeof(word));
		if (word.block != block || word.version != first.version)
			fail_msg("block %u: at %zu is block %u version %u, before version %u",
				 block, at, word.block, word.version, first.version);
	}
	return first.version;
}

/* ---- hands */

static bool may_fail(struct field *field)
{
	env_lock(field->env, &field->lock);
	bool may = field->crashed;

	env_unlock(field->env, &field->lock);
	return may;
}

/* A run of blocks, none of another writer: they take turns of RUN_MAX. */
static void write_some(struct hand *hand)
{
	struct field *field = hand->field;
	uint32_t turns = BLOCKS / RUN_MAX / WRITERS;
	uint32_t turn = (uint32_t)rng_below(&hand->rng, turns) * WRITERS + hand->number;
	uint32_t first = (uint32_t)rng_below(&hand->rng, RUN_MAX);
	uint32_t count = 1 + (uint32_t)rng_below(&hand->rng, RUN_MAX - first), versions[RUN_MAX];
	struct array_write_result result;
	struct err err = { 0 };

	first += turn * RUN_MAX;
	env_lock(field->env, &field->lock);
	for (uint32_t i = 0; i < count; i++)
		versions[i] = ++field->begun[first + i];
	env_unlock(field->env, &field->lock);
	for (uint32_t i = 0; i < count; i++)
		fill(hand->bytes + (size_t)i * BLOCK_SIZE, first + i, versions[i]);
	int rc = array_write(field->array, field->volume, first * (uint64_t)BLOCK_SIZE, hand->bytes,
			     count * (uint64_t)BLOCK_SIZE, &result, &err);
	if (rc && !may_fail(field))
		fail_msg("write of %u at %u: %s", count, first, err.text);
	env_lock(field->env, &field->lock);
	for (uint32_t i = 0; !rc && i < count; i++)
		field->acked[first + i] = versions[i];
	if (rc)
		field->stopping = true;
	env_unlock(field->env, &field->lock);
}

static void read_range(struct field *field, uint8_t *bytes, uint32_t first, uint32_t count)
{
	uint32_t acked[BLOCKS];
	struct array_read_result result;
	struct err err = { 0 };

	env_lock(field->env, &field->lock);
	memcpy(acked, field->acked, sizeof(acked));
	env_unlock(field->env, &field->lock);
	int rc = array_read(field->array, field->volume, first * (uint64_t)BLOCK_SIZE, bytes,
			    count * (uint64_t)BLOCK_SIZE, &result, &err);
	if ((rc || result.lost) && may_fail(field))
		return;
	if (rc)
		fail_msg("read of %u at %u: %s", count, first, err.text);
	if (result.lost)
		fail_msg("read of %u at %u: %" PRIu64 " bytes are lost", count, first, result.lost);
	env_lock(field->env, &field->lock);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t version = version_of(bytes + (size_t)i * BLOCK_SIZE, first + i);

		if (version < acked[first + i] || version > field->begun[first + i])
			fail_msg("block %u has version %u, acknowledged is %u, begun %u", first + i,
				 version, acked[first + i], field->begun[first + i]);
	}
	env_unlock(field->env, &field->lock);
}

static void hand_run(void *arg)
{
	struct hand *hand = arg;
	struct field *field = hand->field;
	bool ends = false;

	while (!ends) {
		if (hand->number < WRITERS)
			write_some(hand);
		else {
			uint32_t first = (uint32_t)rng_below(&hand->rng, BLOCKS);

			read_range(field, hand->bytes, first,
				   1 + (uint32_t)rng_below(&hand->rng,
							   size_min(BLOCKS - first, 4 * RUN_MAX)));
		}
		hand->acts++;
		if (field->sim)
			env_sleep_ns(field->env, 1 + rng_below(&hand->rng, 16000000));
		env_lock(field->env, &field->lock);
		ends = field->stopping;
		env_unlock(field->env, &field->lock);
	}
}

static void hands_begin(struct field *field, uint64_t seed)
{
	field->stopping = false;
	for (uint32_t i = 0; i < WRITERS + READERS; i++) {
		struct hand *hand = &field->hands[i];

		*hand = (struct hand){ .field = field,
				       .number = i,
				       .rng = rng_seeded(seed * 100 + i),
				       .bytes = mem_calloc(4 * RUN_MAX, BLOCK_SIZE) };
		assert_non_null(hand->bytes);
		hand->task = env_spawn(field->env, hand_run, hand);
		assert_non_null(hand->task);
	}
}

/* Ends them; how much they did. */
static uint64_t hands_end(struct field *field)
{
	uint64_t acts = 0;

	env_lock(field->env, &field->lock);
	field->stopping = true;
	env_unlock(field->env, &field->lock);
	for (uint32_t i = 0; i < WRITERS + READERS; i++) {
		env_join(field->env, field->hands[i].task);
		mem_free(field->hands[i].bytes);
		acts += field->hands[i].acts;
	}
	return acts;
}

/* ---- the field */

static int open_request(struct field *field, struct dev **devs, uint32_t disks, struct err *err)
{
	struct array_open_request request = {
		.env = field->env, .devs = devs, .access = ARRAY_WRITE, .tasks = 3
	};

	for (uint32_t i = 0; i < DISKS; i++) {
		if (disks >> i & 1)
			devs[request.dev_count++] = rack_dev(&field->rack, i);
	}
	return array_open(&field->array, &request, err);
}

static void field_reopen(struct field *field)
{
	struct dev *devs[DISKS];
	struct err err = { 0 };

	if (open_request(field, devs, ALL, &err))
		fail_msg("open: %s", err.text);
	field->volume = map_volume_named(field->array->map, "v");
	assert_non_null(field->volume);
}

/* Time passes in every operation, so that tasks meet. */
static int watch(void *arg, uint32_t disk, const struct io *io)
{
	struct field *field = arg;

	bool commit = io->op == IO_WRITE && (io->role == IO_ROLE_MAP || io->role == IO_ROLE_SUPER);

	(void)disk;
	if (commit && field->commits_left > 0) {
		if (field->commits_left == 1)
			return ERR_IO;
		field->commits_left--;
	}
	if (field->sim)
		env_sleep_ns(field->env, io->op == IO_FLUSH ? 300000 : 30000);
	return 0;
}

static int zeros(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	uint32_t *next = arg;

	(void)err;
	assert_int_equal(size % BLOCK_SIZE, 0);
	*got_out = 0;
	for (; *got_out < size && *next < BLOCKS; *got_out += BLOCK_SIZE)
		fill((uint8_t *)bytes + *got_out, (*next)++, 0);
	return 0;
}

static void field_begin(struct field *field, const struct policy *policy)
{
	uint64_t sizes[DISKS];
	struct dev *devs[DISKS];
	struct array_create_request request = { .env = field->env,
						.name = "tank",
						.devs = devs,
						.dev_count = DISKS - 1, /* the last one joins */
						.policy = *policy,
						.frame_body_blocks = 8 };
	uint32_t next = 0;
	struct err err = { 0 };

	for (uint32_t i = 0; i < DISKS; i++)
		sizes[i] = DISK_SIZE;
	rack_open(&field->rack, field->env, DISKS, sizes);
	env_lock_init(field->env, &field->lock);
	memset(field->acked, 0, sizeof(field->acked));
	memset(field->begun, 0, sizeof(field->begun));
	for (uint32_t i = 0; i < DISKS - 1; i++)
		devs[i] = rack_dev(&field->rack, i);
	if (array_create(&field->array, &request, &err))
		fail_msg("create: %s", err.text);
	const struct put_request put = { .name = "v",
					 .policy = *policy,
					 .source = zeros,
					 .source_arg = &next,
					 .length_hint = LENGTH };
	struct put_report report;
	uint32_t slot;

	if (put_run(field->array, &put, &report, &err) ||
	    array_add_member(field->array, rack_dev(&field->rack, DISKS - 1), false, &slot, &err))
		fail_msg("put: %s", err.text);
	array_close(field->array);
	field->rack.watch = watch;
	field->rack.watch_arg = field;
	field_reopen(field);
}

static void field_end(struct field *field)
{
	array_close(field->array);
	env_lock_reset(field->env, &field->lock);
	rack_close(&field->rack);
}

/*
 * After a power loss: what was under way is one version or the other, or of both where the record had no content.
 * Such blocks are written again; the others say which version counts from now on.
 */
static void decide(struct field *field, bool may_mix)
{
	uint8_t *bytes = mem_calloc(1, BLOCK_SIZE);
	struct array_read_result read;
	struct array_write_result written;
	struct err err = { 0 };

	assert_non_null(bytes);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		if (field->begun[i] == field->acked[i])
			continue;
		if (may_mix) {
			fill(bytes, i, ++field->begun[i]);
			if (array_write(field->array, field->volume, i * (uint64_t)BLOCK_SIZE,
					bytes, BLOCK_SIZE, &written, &err))
				fail_msg("write again: %s", err.text);
			field->acked[i] = field->begun[i];
			continue;
		}
		if (array_read(field->array, field->volume, i * (uint64_t)BLOCK_SIZE, bytes,
			       BLOCK_SIZE, &read, &err))
			fail_msg("read again: %s", err.text);
		uint32_t version = version_of(bytes, i);

		assert_in_range(version, field->acked[i], field->begun[i]);
		field->acked[i] = version;
	}
	mem_free(bytes);
}

static void look_at_all(struct field *field, const char *what)
{
	uint8_t *bytes = mem_calloc(BLOCKS, BLOCK_SIZE);
	struct err err = { 0 };

	assert_non_null(bytes);
	read_range(field, bytes, 0, BLOCKS);
	mem_free(bytes);
	if (array_write_settle(field->array, &err))
		fail_msg("%s: settle: %s", what, err.text);
	assert_clean(field->array, what);
	if (map_check(field->array->map, &err))
		fail_msg("%s: %s", what, err.text);
}

/* ---- jobs */

struct task {
	const char *name;
	struct policy from;
	enum job_kind kind;
	struct policy to; /* migrate */
};

#define TASKS 9u
static const struct task tasks[TASKS] = {
	{ "expand 3+1", { LAYOUT_PARITY, 1, 4, 2, 0, 0, 0, 0, 0 }, JOB_EXPAND, { 0 } },
	{ "expand 2+2", { LAYOUT_PARITY, 2, 4, 4, 0, 0, 0, 0, 0 }, JOB_EXPAND, { 0 } },
	{ "recombine 2+1", { LAYOUT_PARITY, 1, 3, 2, 0, 0, 0, 0, 0 }, JOB_RECOMBINE, { 0 } },
	{ "rebalance mirrors", { LAYOUT_MIRROR, 1, 2, 4, 0, 0, 0, 0, 0 }, JOB_REBALANCE, { 0 } },
	{ "evacuate sequential",
	  { LAYOUT_SEQUENTIAL, 1, 4, 4, 0, 0, 0, 0, 0 },
	  JOB_EVACUATE,
	  { 0 } },
	{ "evacuate 3+2", { LAYOUT_PARITY, 2, 5, 2, 0, 0, 0, 0, 0 }, JOB_EVACUATE, { 0 } },
	{ "mirror to 3+1",
	  { LAYOUT_MIRROR, 1, 2, 4, 0, 0, 0, 0, 0 },
	  JOB_MIGRATE,
	  { LAYOUT_PARITY, 1, 4, 2, 0, 0, 0, 0, 0 } },
	{ "2+2 to sequential",
	  { LAYOUT_PARITY, 2, 4, 4, 0, 0, 0, 0, 0 },
	  JOB_MIGRATE,
	  { LAYOUT_SEQUENTIAL, 1, 4, 4, 0, 0, 0, 0, 0 } },
	{ "3+1 to plain",
	  { LAYOUT_PARITY, 1, 4, 2, 0, 0, 0, 0, 0 },
	  JOB_MIGRATE,
	  { LAYOUT_PLAIN, 0, 1, 4, 0, 0, 0, 0, 0 } },
};

static void hear(void *arg, const struct job_progress *progress)
{
	uint64_t *done = arg;

	assert_true(progress->done >= *done && progress->done <= progress->total);
	*done = progress->done;
}

static int task_run(struct field *field, const struct task *task, struct err *err)
{
	uint64_t done = 0;
	/* Small batches: a few blocks. */
	const struct job_watch job_watch = { .progress = hear,
					     .arg = &done,
					     .rate_max = UINT64_C(4) * 24 * BLOCK_SIZE * 100 };
	struct relayout_request moves = { .kind = task->kind,
					  .member = task->kind == JOB_EVACUATE ? 1 : MEMBER_NONE,
					  .watch = job_watch };
	struct migrate_request migrate = { .volume = "v", .policy = task->to, .watch = job_watch };
	struct relayout_report moved;
	struct migrate_report migrated;

	if (task->kind == JOB_EXPAND || task->kind == JOB_RECOMBINE)
		moves.columns = 6;
	moves.watch.rate_max = migrate.watch.rate_max =
		field->sim ? UINT64_C(4) * 48 * BLOCK_SIZE : 0;
	migrate.policy.journal = task->from.journal;
	return task->kind == JOB_MIGRATE ? migrate_run(field->array, &migrate, &migrated, err)
					 : relayout_run(field->array, &moves, &moved, err);
}

struct play {
	struct field field;
	const struct task *task;
	struct policy from;
	uint64_t seed;
	uint64_t acts;
};

static void name_play(const struct play *play, char name[static 100])
{
	snprintf(name, 100, "%s, journal %d, seed %" PRIu64, play->task->name,
		 (int)play->from.journal, play->seed);
}

static void play_whole(void *arg)
{
	struct play *play = arg;
	struct err err = { 0 };
	char name[100];

	name_play(play, name);
	field_begin(&play->field, &play->from);
	hands_begin(&play->field, play->seed);
	if (task_run(&play->field, play->task, &err))
		fail_msg("%s: %s", name, err.text);
	play->acts += hands_end(&play->field);
	look_at_all(&play->field, name);
	array_close(play->field.array);
	field_reopen(&play->field);
	look_at_all(&play->field, name);
	field_end(&play->field);
}

/*
 * Commits fail from some moment on, and nothing else does: what was acknowledged after that is not in groups that no
 * disk knows.
 */
static void play_commits(void *arg)
{
	struct play *play = arg;
	struct field *field = &play->field;
	struct rng rng = rng_seeded(play->seed);
	struct err err = { 0 };
	char name[100];

	name_play(play, name);
	field_begin(field, &play->from);
	field->crashed = true;
	field->commits_left = 16 + (uint32_t)rng_below(&rng, 60);
	hands_begin(field, play->seed);
	int rc = task_run(field, play->task, &err);
	env_sleep_ns(field->env,
		     UINT64_C(200000000)); /* who waited for the job tries to write now */
	play->acts += hands_end(field);
	array_close(field->array);
	rack_crash(&field->rack, &rng);
	field->crashed = false;
	field->commits_left = 0;
	field_reopen(field);
	decide(field, play->from.journal != JOURNAL_SMALL);
	look_at_all(field, name);
	if (rc && task_run(field, play->task, &err))
		fail_msg("%s: %s", name, err.text);
	look_at_all(field, name);
	field_end(field);
}

/* The power fails somewhere; then everything goes on from what the disks have. */
static void play_power(void *arg)
{
	struct play *play = arg;
	struct field *field = &play->field;
	struct rng rng = rng_seeded(play->seed);
	char name[100];
	int rc = ERR_IO;

	name_play(play, name);
	field_begin(field, &play->from);
	for (uint32_t tries = 0; rc && tries < 3; tries++) {
		struct err err = { 0 };

		field->crashed = true;
		field->rack.writes_left = 100 + rng_below(&rng, 2500);
		hands_begin(field, play->seed + tries * 1000);
		rc = task_run(field, play->task, &err);
		play->acts += hands_end(field);
		array_close(field->array);
		rack_crash(&field->rack, &rng);
		field->crashed = false;
		field_reopen(field);
		decide(field, play->from.journal != JOURNAL_SMALL);
		look_at_all(field, name);
	}
	struct err err = { 0 };
	if (rc && task_run(field, play->task, &err))
		fail_msg("%s: %s", name, err.text);
	look_at_all(field, name);
	field_end(field);
}

static void run_sim(void (*run)(void *arg), uint64_t seeds)
{
	uint64_t acts = 0, first = test_seed(1);

	for (uint32_t t = 0; t < TASKS; t++) {
		for (uint64_t seed = first; seed < first + seeds; seed++) {
			struct play *play = mem_calloc(1, sizeof(*play));

			assert_non_null(play);
			play->task = &tasks[t];
			play->from = tasks[t].from;
			play->from.journal = (enum journal_mode)((seed + t) % JOURNAL_COUNT);
			play->seed = seed;
			play->field.sim = true;
			play->field.env = env_sim_create(seed);
			assert_non_null(play->field.env);
			env_sim_run(play->field.env, run, play);
			env_sim_free(play->field.env);
			acts += play->acts;
			mem_free(play);
		}
	}
	print_message("%" PRIu64 " reads and writes\n", acts);
	assert_true(acts > TASKS * seeds * 20);
}

/* Every job, in the orders that seeds give: who reads and writes meanwhile sees what was acknowledged. */
static void test_readers_and_writers_go_on(void **state)
{
	(void)state;
	run_sim(play_whole, 1);
}

/* The same with a power loss: acknowledged bytes are there, and the job goes on. */
static void test_a_power_loss_meanwhile(void **state)
{
	(void)state;
	run_sim(play_power, 1);
}

static void test_commits_that_fail_meanwhile(void **state)
{
	(void)state;
	run_sim(play_commits, 1);
}

/* The same as threads. */
static void test_as_threads(void **state)
{
	(void)state;
	for (uint32_t t = 0; t < TASKS; t++) {
		struct play *play = mem_calloc(1, sizeof(*play));

		assert_non_null(play);
		play->task = &tasks[t];
		play->from = tasks[t].from;
		play->from.journal = (enum journal_mode)(t % JOURNAL_COUNT);
		play->seed = t;
		play->field.env = env_threads();
		play_whole(play);
		mem_free(play);
	}
}

/* What the newest record names, as the next open would find it. */
static uint32_t rows_named(const struct array *array)
{
	struct log_member members[MEMBERS_MAX];
	struct log_found *found = mem_calloc(1, sizeof(*found));
	uint32_t count = array_log_members(array, members);
	struct err err = { 0 };

	assert_non_null(found);
	assert_int_equal(intent_log_read(found, members, count, &array->map->uuid,
					 array->map->geometry.log_size / LOG_SLOTS, &err),
			 0);
	uint32_t named = found->record.rows_count + found->record.pages_count;

	log_found_reset(found);
	mem_free(found);
	return named;
}

/*
 * Held groups are named by no record that counts: what it says of them would be held against the groups that follow.
 * A group that is not held is.
 */
static void test_a_held_group_is_not_named(void **state)
{
	struct field *field = mem_calloc(1, sizeof(*field));
	struct array_write_result result;
	struct err err = { 0 };
	uint8_t bytes[BLOCK_SIZE] = { 1 };
	uint64_t ids[64];
	uint32_t count;

	(void)state;
	assert_non_null(field);
	field->env = env_threads();
	field_begin(field, &tasks[0].from);
	count = field->array->map->group_count;
	assert_in_range(count, 2, 64);
	for (uint32_t i = 0; i < count; i++)
		ids[i] = field->array->map->groups[i]->id;
	for (uint32_t block = 0; block < BLOCKS; block += 8)
		assert_int_equal(array_write(field->array, field->volume,
					     block * (uint64_t)BLOCK_SIZE, bytes, BLOCK_SIZE,
					     &result, &err),
				 0);
	assert_true(rows_named(field->array) > 0);
	assert_int_equal(array_hold(field->array, ids, count, &err), 0);
	assert_int_equal(rows_named(field->array), 0);
	array_release(field->array);
	field_end(field);
	mem_free(field);
}

/* Hold and release all groups when the n-th seal is about to be read. */
struct parting {
	struct field *field;
	uint32_t seals_left;
	uint64_t ids[64];
};

static int part(void *arg, uint32_t disk, const struct io *io)
{
	struct parting *parting = arg;
	struct array *array = parting->field->array;
	struct err err = { 0 };

	(void)disk;
	if (io->op != IO_READ || (io->role != IO_ROLE_SEAL && io->role != IO_ROLE_WITNESS) ||
	    parting->seals_left == 0 || --parting->seals_left > 0)
		return 0;
	if (array_hold(array, parting->ids, array->map->group_count, &err))
		fail_msg("hold: %s", err.text);
	array_release(array);
	return 0;
}

/*
 * A reader has read some seals of a group, from before their checkpoint, when it leaves memory: what he read is old then.
 * Method: a block that has to be solved, with the group leaving at each of the reads.
 */
static void test_seals_that_leave_while_they_are_read(void **state)
{
	struct field *field = mem_calloc(1, sizeof(*field));
	struct parting parting = { .field = field };
	uint8_t bytes[4 * BLOCK_SIZE];

	(void)state;
	assert_non_null(field);
	field->env = env_threads();
	field_begin(field, &tasks[0].from);
	field->rack.watch = part;
	field->rack.watch_arg = &parting;
	for (uint32_t i = 0; i < field->array->map->group_count; i++)
		parting.ids[i] = field->array->map->groups[i]->id;
	for (uint32_t n = 1; n <= 12; n++) {
		const struct group *group;
		struct array_write_result written;
		struct array_read_result read;
		struct err err = { 0 };
		uint32_t column;

		for (uint32_t i = 0; i < 4; i++) /* two columns and the check */
			fill(bytes + (size_t)i * BLOCK_SIZE, i, n);
		assert_int_equal(array_write(field->array, field->volume, 0, bytes, sizeof(bytes),
					     &written, &err),
				 0);
		/* Block 2 is the first of the second column: its place on the disk is spoilt. */
		group = map_extent(field->array->map, field->volume->spans[0].extents[1], &column);
		rack_bytes(&field->rack, group->extents[column].slot)[extent_offset(
			field->array->map, &group->extents[column], 0)] ^= 1;
		parting.seals_left = n;
		assert_int_equal(array_read(field->array, field->volume, 2 * BLOCK_SIZE, bytes,
					    BLOCK_SIZE, &read, &err),
				 0);
		parting.seals_left = 0;
		if (read.lost)
			fail_msg("lost when the groups left at read %u", n);
		assert_int_equal(version_of(bytes, 2), n);
	}
	field_end(field);
	mem_free(field);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_held_group_is_not_named),
		cmocka_unit_test(test_seals_that_leave_while_they_are_read),
		cmocka_unit_test(test_readers_and_writers_go_on),
		cmocka_unit_test(test_a_power_loss_meanwhile),
		cmocka_unit_test(test_commits_that_fail_meanwhile),
		cmocka_unit_test(test_as_threads),
	};

	return cmocka_run_group_tests_name("reshape_meanwhile", tests, NULL, NULL);
}

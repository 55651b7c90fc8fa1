/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of in-place writes, on simulated disks: named after what they promise or their row of SPEC. */
#include "tests/unit/write_help.h"

#include "core/array/array_internal.h"
#include "core/array/seal_cache.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/address.h"
#include "core/store/intent_log.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH ((UINT64_C(1) << 20) + 1234) /* the last block is not whole */
#define WRITES 20u
#define KIB UINT64_C(1024)

/* A length: mostly small, now and then long, half of them whole blocks. */
static uint64_t any_length(struct rng *rng)
{
	uint64_t length = 1 + rng_below(rng, rng_below(rng, 6) ? 12 * KIB : 300 * KIB);

	return rng_below(rng, 2) ? length : size_round_up(length, BLOCK_SIZE);
}

static void write_anywhere(struct write_desk *desk, struct rng *rng)
{
	struct array_write_result result;
	uint64_t length = size_min(any_length(rng), desk->length);
	uint64_t offset = rng_below(rng, desk->length - length + 1);

	if (rng_below(rng, 2))
		offset = offset / BLOCK_SIZE * BLOCK_SIZE;
	assert_int_equal(desk_write(desk, rng, offset, length, &result), 0);
	desk_compare(desk, offset, length);
}

/*
 * Aim: any offset and length, every layout and journal mode: what was written is read back at once, in the next
 * session and by its checks, and nothing else changed. Method: random writes against a model; then a scrub.
 */
static void test_random_writes(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WRITE_LAYOUTS * JOURNAL_COUNT; i++) {
		struct write_desk desk;
		struct rng rng = rng_seeded(100 + i);

		desk_open(&desk, seeded_env(i), &write_layouts[i / JOURNAL_COUNT],
			  (enum journal_mode)(i % JOURNAL_COUNT), LENGTH);
		for (uint32_t n = 0; n < WRITES; n++) {
			write_anywhere(&desk, &rng);
			if (n % 20 == 10)
				desk_settle(&desk);
		}
		desk_compare(&desk, 0, desk.length);
		desk_settle(&desk);
		desk_compare(&desk, 0, desk.length);
		desk_scrub(&desk);
		desk_reopen(&desk, UINT32_MAX, ARRAY_WRITE);
		assert_int_equal(array_recovery(desk.array)->rows, 0);
		desk_compare(&desk, 0, desk.length);
		desk_scrub(&desk);
		desk_close(&desk);
	}
}

/* ---- how many operations */

/* Settle, so that the next write has a log and seals in memory but nothing else under way. */
static void warm_up(struct write_desk *desk, struct rng *rng)
{
	struct array_write_result result;

	assert_int_equal(desk_write(desk, rng, 0, BLOCK_SIZE, &result), 0);
	desk_reset_counts(desk);
}

/* The copies of a record: one more than the array survives, at least two, at most all. */
static uint32_t copies_of(const struct write_layout *layout)
{
	uint32_t tolerance = layout->layout == LAYOUT_SEQUENTIAL ? 1 : layout->checks;

	return tolerance + 1 > 2 ? tolerance + 1 : 2;
}

/*
 * Aim: a small write costs what the code needs and the record, nothing else. Method: 4 KiB to a block of a row that
 * no record names; the operations on all disks against the code's minimum, written out by hand; the record
 * is flushed before the first cell is written (R36, R43).
 */
static void test_small_write_counts(void **state)
{
	/* reads and writes of cells, for the layouts of write_help.c */
	static const uint32_t reads[WRITE_LAYOUTS] = { 0, 0, 0, 2, 3, 2, 3, 3 };
	static const uint32_t writes[WRITE_LAYOUTS] = { 1, 2, 3, 2, 3, 4, 3, 3 };

	(void)state;
	for (uint32_t i = 0; i < WRITE_LAYOUTS; i++) {
		const struct write_layout *layout = &write_layouts[i];
		struct array_write_result result;
		struct write_desk desk;
		struct rng rng = rng_seeded(i);

		desk_open(&desk, seeded_env(i), layout, JOURNAL_DEGRADED, LENGTH);
		warm_up(&desk, &rng);
		assert_int_equal(desk_write(&desk, &rng, 5 * BLOCK_SIZE, BLOCK_SIZE, &result), 0);
		if (desk.counts.data_reads != reads[i] || desk.counts.cell_writes != writes[i])
			fail_msg("%s: %u reads and %u writes", layout->name, desk.counts.data_reads,
				 desk.counts.cell_writes);
		assert_int_equal(desk.counts.unnamed, 0);
		assert_int_equal(desk.counts.seal_reads, 0);
		assert_int_equal(desk.counts.seal_writes, 0);
		assert_int_equal(desk.counts.log_writes, copies_of(layout));
		assert_int_equal(desk.counts.flushes,
				 copies_of(layout) +
					 (uint32_t)__builtin_popcount(desk.counts.cell_disks));
		desk_close(&desk);
	}
}

/* Aim: whole rows are written without reading. Method: many whole rows at once; one record, no read at all. */
static void test_full_rows_read_nothing(void **state)
{
	(void)state;
	for (uint32_t i = 3; i < 6; i++) {
		const struct write_layout *layout = &write_layouts[i];
		uint32_t data = (uint32_t)(layout->columns - layout->checks);
		uint64_t row = (uint64_t)data * 4 * BLOCK_SIZE;
		struct array_write_result result;
		struct write_desk desk;
		struct rng rng = rng_seeded(i);

		desk_open(&desk, seeded_env(i), layout, JOURNAL_DEGRADED, LENGTH);
		warm_up(&desk, &rng);
		assert_int_equal(desk_write(&desk, &rng, row, row * 5, &result), 0);
		assert_int_equal(desk.counts.data_reads, 0);
		assert_int_equal(desk.counts.seal_reads, 0);
		assert_int_equal(desk.counts.cell_writes, layout->columns);
		assert_int_equal(desk.counts.log_writes, copies_of(layout));
		assert_int_equal(result.full_rows, 20);
		assert_int_equal(result.bytes_read, 0);
		desk_close(&desk);
	}
}

/*
 * R45. Aim: who finds his rows named in the durable record writes none. Method: the same block again, with each
 * journal mode; only `none` leaves it at that, the others want what is newest in a record.
 */
static void test_r45_named_rows_need_no_record(void **state)
{
	(void)state;
	for (uint32_t mode = 0; mode < JOURNAL_COUNT; mode++) {
		struct array_write_result result;
		struct write_desk desk;
		struct rng rng = rng_seeded(mode);

		desk_open(&desk, seeded_env(1), &write_layouts[3], (enum journal_mode)mode, LENGTH);
		warm_up(&desk, &rng);
		assert_int_equal(desk_write(&desk, &rng, 0, BLOCK_SIZE, &result), 0);
		assert_int_equal(desk_counts_now(&desk).log_writes, mode == JOURNAL_NONE ? 0 : 2);
		desk_close(&desk);
	}
}

/* ---- degraded */

/*
 * Aim: with members gone, up to what the layout survives, writes go on and are read back; nothing is lost. Method:
 * for every layout and every member without which it can be opened, random writes against the model, in a
 * session without it; then the next session.
 */
static void test_degraded_writes(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < WRITE_LAYOUTS; i++) {
		const struct write_layout *layout = &write_layouts[i];

		for (uint32_t gone = 0; gone < layout->disks; gone++) {
			struct write_desk desk;
			struct rng rng = rng_seeded(i * 16 + gone);
			uint32_t left = ~(UINT32_C(1) << gone);

			desk_open(&desk, seeded_env(i), layout, JOURNAL_DEGRADED, LENGTH / 4);
			if (layout->checks > 1 && layout->layout != LAYOUT_SEQUENTIAL)
				left &= ~(UINT32_C(1) << (gone + 1) % layout->disks);
			desk_reopen(&desk, left, ARRAY_WRITE);
			for (uint32_t n = 0; n < WRITES / 4; n++)
				write_anywhere(&desk, &rng);
			desk_compare(&desk, 0, desk.length);
			desk_settle(&desk);
			desk_reopen(&desk, left, ARRAY_WRITE);
			desk_compare(&desk, 0, desk.length);
			desk_reopen(&desk, UINT32_MAX, ARRAY_WRITE); /* stale ones are no source */
			desk_compare(&desk, 0, desk.length);
			desk_close(&desk);
		}
	}
}

/*
 * Aim: a member that fails in the middle is marked, and the write is acknowledged without it. Method: a disk fails
 * at every write of a series of writes, in turn.
 */
static void test_member_fails(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < WRITE_LAYOUTS; i++) {
		for (uint32_t after = 0; after < 40; after += 3) {
			struct write_desk desk;
			struct rng rng = rng_seeded(i * 64 + after);
			uint32_t disk = after % write_layouts[i].disks;

			desk_open(&desk, seeded_env(i), &write_layouts[i], JOURNAL_DEGRADED,
				  LENGTH / 4);
			desk.rack.fail_at[disk] = desk.rack.writes + after;
			for (uint32_t n = 0; n < 8; n++)
				write_anywhere(&desk, &rng);
			desk_settle(&desk);
			desk_compare(&desk, 0, desk.length);
			desk.rack.fail_at[disk] = UINT64_MAX;
			desk_reopen(&desk, UINT32_MAX, ARRAY_WRITE);
			desk_compare(&desk, 0, desk.length);
			desk_close(&desk);
		}
	}
}

/* ---- damage */

/* Overwrite the block of the volume that begins at `offset`, where it lies, behind the array's back. */
static void damage(struct write_desk *desk, uint64_t offset)
{
	struct map *map = array_map(desk->array);
	struct address address;

	assert_true(address_of_volume(&address, NULL, map, desk->volume, offset));
	uint8_t *at = rack_bytes(&desk->rack, address.group->extents[address.column].slot) +
		      address_to_member(map, &address);
	for (uint32_t i = 0; i < BLOCK_SIZE; i++)
		at[i] ^= 0x5a;
}

/*
 * Aim: a write beside a damaged block does not use its bytes, and does not lose it. Method: damage a block, then
 * write its neighbours of the row, so that the plan wants to read it; then itself, in part.
 */
static void test_damage_is_solved(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < WRITE_LAYOUTS; i++) {
		struct array_write_result result;
		struct write_desk desk;
		struct rng rng = rng_seeded(i);
		uint64_t unit = 4 * BLOCK_SIZE;

		desk_open(&desk, seeded_env(i), &write_layouts[i], JOURNAL_DEGRADED, LENGTH);
		for (uint32_t n = 0; n < 3; n++) {
			damage(&desk, unit * n);
			assert_int_equal(desk_write(&desk, &rng, 0, BLOCK_SIZE, &result), 0);
			assert_int_equal(desk_write(&desk, &rng, unit, BLOCK_SIZE, &result), 0);
			assert_int_equal(desk_write(&desk, &rng, unit * n + 100, 1000, &result), 0);
			desk_compare(&desk, 0, desk.length);
		}
		desk_settle(&desk);
		desk_compare(&desk, 0, desk.length);
		desk_scrub(&desk);
		desk_close(&desk);
	}
}

static uint32_t disk_of(const struct write_desk *desk, uint64_t offset)
{
	struct address address;

	assert_true(
		address_of_volume(&address, NULL, array_map(desk->array), desk->volume, offset));
	return address.group->extents[address.column].slot;
}

/* What a member says of one block: its bytes, and the page with its entry. */
struct saved {
	uint8_t block[BLOCK_SIZE], page[BLOCK_SIZE];
	uint8_t *block_at, *page_at;
};

static void save(struct write_desk *desk, uint64_t offset, struct saved *saved)
{
	struct map *map = array_map(desk->array);
	struct address address;

	assert_true(address_of_volume(&address, NULL, map, desk->volume, offset));
	const struct extent *extent = &address.group->extents[address.column];
	const struct seal_shape shape = seal_shape_of(address.group, address.column);
	uint8_t *disk = rack_bytes(&desk->rack, extent->slot);

	saved->block_at = disk + address_to_member(map, &address);
	saved->page_at = disk + extent_seal_offset(map, extent) +
			 (1 + (size_t)seal_page_of(&shape, address.block)) * BLOCK_SIZE;
	memcpy(saved->block, saved->block_at, BLOCK_SIZE);
	memcpy(saved->page, saved->page_at, BLOCK_SIZE);
}

/*
 * Aim: a block that missed a write agrees with its own seal, and still nothing is computed from it. Method: put
 * the old block and its old seal page back after a write; then write its neighbours, and a part of it.
 */
static void test_lost_write_is_not_used(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < 2 * WRITE_LAYOUTS; i++) {
		struct array_write_result result;
		struct write_desk desk;
		struct saved saved;
		struct rng rng = rng_seeded(i);

		if (write_layouts[i / 2].layout == LAYOUT_PLAIN)
			continue;
		desk_open(&desk, seeded_env(i), &write_layouts[i / 2], JOURNAL_DEGRADED, LENGTH);
		save(&desk, 0, &saved);
		assert_int_equal(desk_write(&desk, &rng, 0, BLOCK_SIZE, &result), 0);
		desk_settle(&desk);
		memcpy(saved.block_at, saved.block, BLOCK_SIZE);
		memcpy(saved.page_at, saved.page, BLOCK_SIZE);
		desk_reopen(&desk, UINT32_MAX, ARRAY_WRITE);
		if (i % 2) /* reconstructs from it */
			assert_int_equal(
				desk_write(&desk, &rng, 4 * BLOCK_SIZE, 8 * BLOCK_SIZE, &result),
				0);
		else /* modifies it */
			assert_int_equal(desk_write(&desk, &rng, 100, 300, &result), 0);
		desk_compare(&desk, 4 * BLOCK_SIZE, 8 * BLOCK_SIZE);
		desk_settle(&desk);
		/* The stale block itself shows when its rows are looked at. */
		desk_reopen(&desk, ~(UINT32_C(1) << disk_of(&desk, 0)), ARRAY_READ);
		desk_compare(&desk, 0, desk.length);
		desk_close(&desk);
	}
}

/*
 * Aim: where a check cannot be computed there is no guess. Method: two blocks of a row of parity 3+1 are damaged;
 * the third is written, in part a damaged one: that fails and changes nothing; writing all of it heals.
 */
static void test_lost_blocks_are_not_guessed(void **state)
{
	struct array_write_result result;
	struct write_desk desk;
	struct rng rng = rng_seeded(9);
	uint64_t unit = 4 * BLOCK_SIZE;
	struct array_read_result read;
	struct err err = { 0 };
	uint8_t block[BLOCK_SIZE];

	(void)state;
	desk_open(&desk, seeded_env(9), &write_layouts[3], JOURNAL_DEGRADED, LENGTH);
	damage(&desk, 0);
	damage(&desk, unit);
	assert_int_equal(desk_write(&desk, &rng, 10, 100, &result), ERR_DATA_LOST);
	assert_int_equal(desk_write(&desk, &rng, 2 * unit, BLOCK_SIZE, &result), 0);
	desk_compare(&desk, 2 * unit, BLOCK_SIZE);
	assert_int_equal(desk_write(&desk, &rng, 0, BLOCK_SIZE, &result), 0);
	desk_compare(&desk, 0, BLOCK_SIZE);
	desk_settle(&desk);
	desk_reopen(&desk, UINT32_MAX, ARRAY_WRITE);
	assert_int_equal(array_read(desk.array, desk.volume, unit, block, BLOCK_SIZE, &read, &err),
			 0);
	assert_int_equal(read.lost, BLOCK_SIZE);
	assert_int_equal(desk_write(&desk, &rng, unit, BLOCK_SIZE, &result), 0);
	desk_compare(&desk, 0, desk.length);
	desk_settle(&desk);
	desk_scrub(&desk);
	desk_close(&desk);
}

/*
 * Aim: a check that nobody can compute matches nothing, so that no block is solved from it. Method: of parity 3+1 one
 * member is absent, whose seal nobody knows, and a block beside it is damaged; the third block of the row, then
 * the damaged one are written. The absent block is lost now, and not a guess; written again it is there.
 */
static void test_unknown_check_matches_nothing(void **state)
{
	struct array_write_result result;
	struct array_read_result read;
	struct write_desk desk;
	struct rng rng = rng_seeded(11);
	struct err err = { 0 };
	uint8_t block[BLOCK_SIZE];
	uint64_t unit = 4 * BLOCK_SIZE;

	(void)state;
	desk_open(&desk, seeded_env(11), &write_layouts[3], JOURNAL_DEGRADED, LENGTH);
	desk_reopen(&desk, ~(UINT32_C(1) << disk_of(&desk, unit)), ARRAY_WRITE);
	damage(&desk, 0);
	assert_int_equal(desk_write(&desk, &rng, 2 * unit, BLOCK_SIZE, &result), 0);
	assert_int_equal(desk_write(&desk, &rng, 0, BLOCK_SIZE, &result), 0);
	for (uint32_t session = 0; session < 2; session++) {
		assert_int_equal(
			array_read(desk.array, desk.volume, unit, block, BLOCK_SIZE, &read, &err),
			0);
		assert_int_equal(read.lost, BLOCK_SIZE);
		desk_settle(&desk);
		desk_reopen(&desk, UINT32_MAX, ARRAY_WRITE);
	}
	assert_int_equal(desk_write(&desk, &rng, unit, BLOCK_SIZE, &result), 0);
	desk_compare(&desk, 0, desk.length);
	desk_close(&desk);
}

/*
 * Aim: a member that fails in a write is marked, and so is what it missed, before the write is acknowledged. Method:
 * the disk of a block fails at once; write that block; look at the map.
 */
static void test_failed_member_is_marked(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < WRITE_LAYOUTS; i++) {
		struct array_write_result result;
		struct address address;
		struct write_desk desk;
		struct rng rng = rng_seeded(i);

		desk_open(&desk, seeded_env(i), &write_layouts[i], JOURNAL_DEGRADED, LENGTH / 4);
		warm_up(&desk, &rng);
		uint32_t disk = disk_of(&desk, 0);
		desk.rack.fail_at[disk] = 0;
		assert_int_equal(desk_write(&desk, &rng, 0, BLOCK_SIZE, &result), 0);
		struct map *map = array_map(desk.array);
		assert_int_equal(map_member(map, disk)->state, MEMBER_FAILED);
		assert_true(address_of_volume(&address, NULL, map, desk.volume, 0));
		assert_true(address.group->extents[address.column].stale);
		desk_compare(&desk, 0, desk.length);
		desk_close(&desk);
	}
}

/* ---- sessions that end without settling */

/*
 * Aim: what was acknowledged is there in the next session, whatever of it had reached its place; with `small` also
 * what only the record holds. Method: random writes, close without settling, open again; every layout and
 * journal mode.
 */
static void test_close_without_settling(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WRITE_LAYOUTS * JOURNAL_COUNT; i++) {
		struct write_desk desk;
		struct rng rng = rng_seeded(500 + i);

		desk_open(&desk, seeded_env(i), &write_layouts[i / JOURNAL_COUNT],
			  (enum journal_mode)(i % JOURNAL_COUNT), LENGTH / 4);
		for (uint32_t n = 0; n < 4; n++) {
			for (uint32_t w = 0; w <= n; w++)
				write_anywhere(&desk, &rng);
			desk_reopen(&desk, UINT32_MAX, ARRAY_WRITE);
			assert_true(array_recovery(desk.array)->rows > 0);
			assert_int_equal(array_recovery(desk.array)->lost, 0);
			desk_compare(&desk, 0, desk.length);
		}
		desk_scrub(&desk);
		desk_close(&desk);
	}
}

/*
 * Aim: recovery reads rows that are named, and no other. Method: blocks of rows far from each other, close without
 * settling; the next open reads each column's block of these rows, by itself.
 */
static void test_recovery_reads_named_rows_only(void **state)
{
	struct array_write_result result;
	struct write_desk desk;
	struct rng rng = rng_seeded(12);
	enum { ROWS = 4 };

	(void)state;
	desk_open(&desk, seeded_env(12), &write_layouts[3], JOURNAL_DEGRADED, LENGTH);
	for (uint64_t n = 0; n < ROWS; n++)
		assert_int_equal(
			desk_write(&desk, &rng, n * 4 * 12 * BLOCK_SIZE, BLOCK_SIZE, &result), 0);
	desk_reset_counts(&desk);
	desk_reopen(&desk, UINT32_MAX, ARRAY_WRITE);
	assert_int_equal(array_recovery(desk.array)->rows, ROWS);
	assert_int_equal(desk_counts_now(&desk).data_reads, ROWS * write_layouts[3].columns);
	desk_compare(&desk, 0, desk.length);
	desk_close(&desk);
}

/* ---- many tasks */

#define CREW 16u

struct crew {
	struct write_desk desk;
	struct env *env;
	const struct write_layout *layout;
	enum journal_mode journal;
	uint64_t seed;
	uint64_t share; /* bytes of the volume for each task */
};

struct hand {
	struct crew *crew;
	uint32_t number;
	int failed;
};

/* Write to a share of its own that lies in rows of others; then to a block that all write. */
static void hand_work(void *arg)
{
	struct hand *hand = arg;
	struct crew *crew = hand->crew;
	struct rng rng = rng_seeded(crew->seed * CREW + hand->number);
	uint64_t first = hand->number * crew->share;
	struct err err = { 0 };

	for (uint32_t n = 0; n < 6 && !hand->failed; n++) {
		struct array_write_result result;
		uint64_t length = 1 + rng_below(&rng, crew->share);
		uint64_t offset = first + rng_below(&rng, crew->share - length + 1);

		hand->failed = desk_write(&crew->desk, &rng, offset, length, &result);
		if (!hand->failed)
			desk_compare(&crew->desk, offset, length);
		if (!hand->failed &&
		    hand->number < 2) /* seals are written while others write rows */
			hand->failed = seal_cache_checkpoint(crew->desk.array->seal_cache,
							     crew->desk.array->log, &err);
	}
}

static void crew_run(void *arg)
{
	struct crew *crew = arg;
	struct env_task *tasks[CREW];
	struct hand hands[CREW];

	crew->share = 7 * KIB * 3;
	desk_open(&crew->desk, crew->env, crew->layout, crew->journal, CREW * crew->share);
	for (uint32_t i = 0; i < CREW; i++) {
		hands[i] = (struct hand){ crew, i, 0 };
		tasks[i] = env_spawn(crew->env, hand_work, &hands[i]);
		assert_non_null(tasks[i]);
	}
	for (uint32_t i = 0; i < CREW; i++) {
		env_join(crew->env, tasks[i]);
		assert_int_equal(hands[i].failed, 0);
	}
	desk_compare(&crew->desk, 0, crew->desk.length);
	desk_settle(&crew->desk);
	desk_scrub(&crew->desk);
	desk_reopen(&crew->desk, UINT32_MAX, ARRAY_WRITE);
	desk_compare(&crew->desk, 0, crew->desk.length);
	desk_close(&crew->desk);
}

/*
 * Aim: any number of tasks write and read at once. Method: 16 tasks with interleaved shares of the same rows, under
 * the schedules of many seeds and on threads; model, scrub and the next session at the end.
 */
static void test_many_tasks(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WRITE_LAYOUTS; i++) {
		struct crew crew = { .layout = &write_layouts[i],
				     .journal = (enum journal_mode)(i % JOURNAL_COUNT) };

		for (crew.seed = 1; crew.seed <= 3; crew.seed++) {
			crew.env = env_sim_create(crew.seed);
			assert_non_null(crew.env);
			env_sim_run(crew.env, crew_run, &crew);
			env_sim_free(crew.env);
		}
		crew.env = env_threads();
		crew_run(&crew);
	}
}

/* ---- group commit */

/* A log write takes a second: all others declare meanwhile. */
static int slow_log(void *arg, uint32_t disk, const struct io *io)
{
	const struct write_desk *desk = arg;

	(void)disk;
	if (io->role == IO_ROLE_LOG && io->op == IO_WRITE)
		env_sleep_ns(desk->rack.env, 1000000000);
	return 0;
}

static void one_block(void *arg)
{
	struct hand *hand = arg;
	struct array_write_result result;
	struct rng rng = rng_seeded(hand->number);

	hand->failed = desk_write(&hand->crew->desk, &rng, (uint64_t)hand->number * 12 * BLOCK_SIZE,
				  BLOCK_SIZE, &result);
}

static void group_commit_run(void *arg)
{
	struct crew *crew = arg;
	struct intent_log_state before, after;
	struct env_task *tasks[CREW];
	struct hand hands[CREW];
	struct rng rng = rng_seeded(1);

	desk_open(&crew->desk, crew->env, crew->layout, JOURNAL_DEGRADED, LENGTH);
	warm_up(&crew->desk, &rng);
	intent_log_state(crew->desk.array->log, &before);
	crew->desk.rack.watch = slow_log;
	for (uint32_t i = 0; i < CREW; i++) {
		hands[i] = (struct hand){ crew, i + 1, 0 };
		tasks[i] = env_spawn(crew->env, one_block, &hands[i]);
		assert_non_null(tasks[i]);
	}
	for (uint32_t i = 0; i < CREW; i++) {
		env_join(crew->env, tasks[i]);
		assert_int_equal(hands[i].failed, 0);
	}
	intent_log_state(crew->desk.array->log, &after);
	/* Whoever was first wrote his own; all others meet in the next. */
	assert_in_range(after.records - before.records, 1, 2);
	assert_int_equal(after.asks - before.asks, CREW);
	desk_close(&crew->desk);
}

/*
 * R37, R42. Aim: many writers share a record, and each is told. Method: 16 writers of 16 rows while a record takes
 * a second: two records at most, 16 served.
 */
static void test_r37_r42_one_record_for_all(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct crew crew = { .layout = &write_layouts[3], .env = env_sim_create(seed) };

		assert_non_null(crew.env);
		env_sim_run(crew.env, group_commit_run, &crew);
		env_sim_free(crew.env);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_writes),
		cmocka_unit_test(test_small_write_counts),
		cmocka_unit_test(test_full_rows_read_nothing),
		cmocka_unit_test(test_r45_named_rows_need_no_record),
		cmocka_unit_test(test_degraded_writes),
		cmocka_unit_test(test_member_fails),
		cmocka_unit_test(test_damage_is_solved),
		cmocka_unit_test(test_lost_write_is_not_used),
		cmocka_unit_test(test_lost_blocks_are_not_guessed),
		cmocka_unit_test(test_unknown_check_matches_nothing),
		cmocka_unit_test(test_failed_member_is_marked),
		cmocka_unit_test(test_close_without_settling),
		cmocka_unit_test(test_recovery_reads_named_rows_only),
		cmocka_unit_test(test_many_tasks),
		cmocka_unit_test(test_r37_r42_one_record_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

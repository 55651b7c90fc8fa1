/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes that are acknowledged by their record (--journal small) and get to their place behind it: in batches, and
 * while there is no space not at all, without anybody waiting for ever.
 */
#include "tests/unit/write_help.h"

#include "core/array/array_internal.h"
#include "core/array/write_behind.h"
#include "core/base/mem.h"
#include "core/map/address.h"
#include "core/store/intent_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH (UINT64_C(1) << 20)
#define SEEDS 4u
#define WRITERS 32u
#define ROUNDS 8u
#define ROWS 80u

struct play {
	struct write_desk desk;
	struct env *env;
	const struct write_layout *layout;
	uint64_t seed;
	bool full; /* the disk `full_disk` takes no cells */
	uint32_t full_disk;
	bool poor;               /* once that was met there is no memory either */
	uint32_t cells, flushes; /* of cells, on all disks */
	uint32_t seal_writes;
};

static bool deny(void *arg)
{
	(void)arg;
	return true;
}

/* The log takes its time, so that tasks meet. */
static int watch(void *arg, uint32_t disk, const struct io *io)
{
	struct play *play = arg;
	bool cell = io->role == IO_ROLE_DATA || io->role == IO_ROLE_PARITY;

	env_lock(play->env, &play->desk.lock);
	play->cells += io->op == IO_WRITE && cell;
	play->flushes += io->op == IO_FLUSH && cell;
	play->seal_writes +=
		io->op == IO_WRITE && (io->role == IO_ROLE_SEAL || io->role == IO_ROLE_WITNESS);
	env_unlock(play->env, &play->desk.lock);
	if (io->role == IO_ROLE_LOG)
		env_sleep_ns(play->env, 1000000);
	if (!play->full || disk != play->full_disk || io->op != IO_WRITE || !cell)
		return 0;
	if (play->poor)
		mem_set_hook(deny, NULL);
	return ERR_NOSPACE;
}

static void play_open(struct play *play)
{
	struct array_write_result result;
	struct rng rng = rng_seeded(1);

	desk_open(&play->desk, play->env, play->layout, JOURNAL_SMALL, LENGTH);
	assert_int_equal(desk_write(&play->desk, &rng, 0, BLOCK_SIZE, &result), 0);
	desk_settle(&play->desk);
	play->desk.rack.watch = watch;
	play->desk.rack.watch_arg = play;
}

static void play_all(void (*run)(void *arg), const struct write_layout *layout)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct play play = { .layout = layout, .seed = seed, .env = env_sim_create(seed) };

		assert_non_null(play.env);
		env_sim_run(play.env, run, &play);
		env_sim_free(play.env);
	}
}

/* ---- batches */

struct hand {
	struct play *play;
	uint32_t number;
};

static void write_blocks(void *arg)
{
	const struct hand *hand = arg;
	struct rng rng = rng_seeded(hand->number);

	for (uint32_t n = 0; n < ROUNDS; n++) {
		struct array_write_result result;
		/* Of the first column alone, whose unit is 4 blocks: each in a row of its own. */
		uint32_t row = (n * WRITERS + hand->number) % ROWS;
		uint64_t block = row / 4 * 12 + row % 4;

		assert_int_equal(desk_write(&hand->play->desk, &rng, block * BLOCK_SIZE, BLOCK_SIZE,
					    &result),
				 0);
	}
}

static void run_batches(void *arg)
{
	struct play *play = arg;
	struct intent_log_state before, after;
	struct env_task *tasks[WRITERS];
	struct hand hands[WRITERS];
	uint32_t writes = WRITERS * ROUNDS;

	play_open(play);
	intent_log_state(play->desk.array->log, &before);
	for (uint32_t i = 0; i < WRITERS; i++) {
		hands[i] = (struct hand){ play, i };
		tasks[i] = env_spawn(play->env, write_blocks, &hands[i]);
		assert_non_null(tasks[i]);
	}
	for (uint32_t i = 0; i < WRITERS; i++)
		env_join(play->env, tasks[i]);
	intent_log_state(play->desk.array->log, &after);
	assert_int_equal(play->seal_writes, 0); /* contents in the log are no reason for that */
	assert_int_equal(after.asks - before.asks, writes);
	assert_in_range(after.records - before.records, ROUNDS, writes / 4);
	assert_int_equal(after.flushes - before.flushes, 2 * (after.records - before.records));
	desk_compare(&play->desk, 0, LENGTH);
	assert_int_equal(play->cells, 2 * writes);
	assert_in_range(play->flushes, play->layout->disks, writes);
	desk_settle(&play->desk);
	desk_scrub(&play->desk);
	desk_close(&play->desk);
}

/*
 * R37. Aim: many small writers cost few records of two copies, and few flushes of cells; no checkpoint, however much
 * content is in the log. Method: 32 tasks write 8 blocks each, with a slow log; count all kinds.
 */
static void test_batches(void **state)
{
	(void)state;
	play_all(run_batches, &write_layouts[3]);
}

/* ---- no space */

static int read_at(struct play *play, uint64_t offset)
{
	uint8_t bytes[BLOCK_SIZE];
	struct array_read_result result;
	struct err err = { 0 };

	return array_read(play->desk.array, play->desk.volume, offset, bytes, BLOCK_SIZE, &result,
			  &err);
}

static struct address address_at(const struct play *play, uint64_t offset)
{
	struct address address;

	assert_true(address_of_volume(&address, NULL, array_map(play->desk.array),
				      play->desk.volume, offset));
	return address;
}

/* A block of data, whose disk is to be full, and one of another group. */
static uint64_t choose_blocks(struct play *play, uint64_t *elsewhere_out)
{
	uint64_t found = LENGTH - BLOCK_SIZE;
	struct address address = address_at(play, found);

	play->full_disk = address.group->extents[address.column].slot;
	for (*elsewhere_out = 0; address_at(play, *elsewhere_out).group == address.group;)
		*elsewhere_out += BLOCK_SIZE;
	return found;
}

static void run_no_space(void *arg)
{
	struct play *play = arg;
	struct array_write_result result;
	struct rng rng = rng_seeded(2);
	struct err err = { 0 };
	uint64_t offset, elsewhere;

	play_open(play);
	offset = choose_blocks(play, &elsewhere);
	play->full = true;
	assert_int_equal(desk_write(&play->desk, &rng, offset + 5, 100, &result), 0);
	for (uint32_t n = 0; n < 3; n++) {
		assert_int_equal(array_write_settle(play->desk.array, &err), ERR_NOSPACE);
		assert_int_equal(read_at(play, offset), ERR_NOSPACE);
		assert_int_equal(desk_write(&play->desk, &rng, offset, 10, &result), ERR_NOSPACE);
		assert_int_equal(read_at(play, elsewhere), 0);
	}
	if (play->seed % 2) { /* there is space again */
		play->full = false;
		desk_settle(&play->desk);
		desk_compare(&play->desk, 0, LENGTH);
		assert_int_equal(desk_write(&play->desk, &rng, offset, 10, &result), 0);
		desk_compare(&play->desk, 0, LENGTH);
		desk_settle(&play->desk);
	} else { /* at the next open */
		array_close(play->desk.array);
		play->desk.array = NULL;
		play->full = false;
		desk_reopen(&play->desk, UINT32_MAX, ARRAY_WRITE);
		assert_true(array_recovery(play->desk.array)->replayed > 0);
		desk_compare(&play->desk, 0, LENGTH);
	}
	desk_scrub(&play->desk);
	desk_close(&play->desk);
}

/*
 * Aim: with no space for ever whoever settles, closes, reads or writes those rows is told ERR_NOSPACE instead of
 * waiting for ever; nothing that was acknowledged is lost. Method: the disk of one block takes no cells; then all these, and
 * what was acknowledged is there when there is space again, in this session or the next.
 */
static void test_no_space_for_ever(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < 4; i += 2)
		play_all(run_no_space, &write_layouts[i]);
}

/* ---- half a write */

/* Every block but this one is what it was, the absent ones too. */
static void compare_others(struct play *play, uint64_t block)
{
	desk_compare(&play->desk, 0, block);
	desk_compare(&play->desk, block + BLOCK_SIZE, LENGTH - block - BLOCK_SIZE);
}

static uint32_t disk_of(const struct play *play, uint64_t offset)
{
	struct address address = address_at(play, offset);

	return address.group->extents[address.column].slot;
}

static void run_half(void *arg)
{
	struct play *play = arg;
	struct array_write_result result;
	struct rng rng = rng_seeded(3);
	const uint64_t offset = 0;
	uint64_t beside = 0; /* in the next column */

	play_open(play);
	play->full_disk = disk_of(play, offset);
	while (disk_of(play, beside) == play->full_disk)
		beside += BLOCK_SIZE;
	desk_reopen(&play->desk, ~(UINT32_C(1) << disk_of(play, beside)), ARRAY_WRITE);
	play->full = true;
	map_volume_named(array_map(play->desk.array), "v")->policy.journal = JOURNAL_DEGRADED;
	if (play->layout->layout == LAYOUT_PARITY && play->seed > SEEDS / 2) {
		struct address last = address_at(play, offset);

		/* The last cell that is written: nothing asks for memory behind it but the engine. */
		last.column = last.group->shape.columns - 1;
		play->full_disk = last.group->extents[last.column].slot;
		play->poor = true;
	}
	assert_int_equal(desk_write(&play->desk, &rng, offset, BLOCK_SIZE, &result), ERR_NOSPACE);
	mem_set_hook(NULL, NULL);
	play->full = false;
	if (play->seed % 2)
		compare_others(play, offset);
	for (uint64_t other = 0; other < LENGTH; other += BLOCK_SIZE) {
		if (other != offset)
			assert_int_equal(desk_write(&play->desk, &rng, other, 10, &result), 0);
	}
	compare_others(play, offset);
	desk_settle(&play->desk);
	desk_close(&play->desk);
}

/*
 * Aim: a write that failed between its cells, with a member absent, costs no block of that one, whoever reads or writes
 * beside it when there is space again. Method: the data cell finds no space, its checks do. Or the last check does not, and
 * from then to the end of that write there is no memory either: what it takes to finish it was there before.
 */
static void test_half_a_write_is_finished(void **state)
{
	(void)state;
	for (uint32_t i = 4; i < WRITE_LAYOUTS; i++) /* every group is on all disks */
		play_all(run_half, &write_layouts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_no_space_for_ever),
		cmocka_unit_test(test_half_a_write_is_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: a power loss at any write of array_write(), or of the recovery after it, costs nothing that was
 * acknowledged and nothing beside it, also with members lost together with it where that is promised.
 * Method: simulated disks; the same write cut off at every operation, what was not flushed kept, dropped or torn
 * by seed; then opened with all members, and without some; every block held against old and new.
 */
#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/store/log_record.h"
#include "tests/unit/array_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(2816) * 1024)
#define DISK_BLOCKS (DISK_SIZE / BLOCK_SIZE)
#define VOLUME_SIZE (UINT64_C(190) * BLOCK_SIZE)
#define SEED 5u

struct layout_case {
	const char *name;
	struct policy policy;
	uint32_t disks, tolerance;
};

static const struct layout_case layouts[] = {
	{ "plain", { .layout = LAYOUT_PLAIN }, 2, 0 },
	{ "mirror 2", { .layout = LAYOUT_MIRROR, .checks = 1 }, 2, 1 },
	{ "mirror 3", { .layout = LAYOUT_MIRROR, .checks = 2 }, 3, 2 },
	{ "parity 3+1", { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4 }, 4, 1 },
	{ "parity 3+2", { .layout = LAYOUT_PARITY, .checks = 2, .columns = 5 }, 5, 2 },
	{ "parity 3+3", { .layout = LAYOUT_PARITY, .checks = 3, .columns = 6 }, 6, 3 },
	{ "sequential 4", { .layout = LAYOUT_SEQUENTIAL, .checks = 1, .columns = 4 }, 4, 1 },
	{ "sequential 5", { .layout = LAYOUT_SEQUENTIAL, .checks = 1, .columns = 5 }, 5, 1 },
};
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

struct plot {
	struct rack rack;
	const struct layout_case *layout;
	enum journal_mode journal;
	uint8_t *base[RACK_MAX];
	bool dirty[RACK_MAX][DISK_BLOCKS];
	uint8_t *before, *after, *got; /* the volume */
	uint64_t at, size;             /* what the write under way addresses */
	struct rng rng;
	uint64_t states, lost;
};

static int note_dirty(void *arg, uint32_t disk, const struct io *io)
{
	struct plot *plot = arg;

	for (uint64_t at = 0; io->op != IO_READ && at < io->size; at += BLOCK_SIZE)
		plot->dirty[disk][(io->offset + at) / BLOCK_SIZE] = true;
	return 0;
}

static void restore(struct plot *plot)
{
	for (uint32_t i = 0; i < plot->rack.count; i++) {
		for (uint64_t b = 0; b < DISK_BLOCKS; b++) {
			uint64_t at = b * BLOCK_SIZE;

			if (plot->dirty[i][b])
				assert_int_equal(io_write(plot->rack.disks[i], IO_ROLE_DATA, at,
							  plot->base[i] + at, BLOCK_SIZE),
						 0);
			plot->dirty[i][b] = false;
		}
		assert_int_equal(io_flush(plot->rack.disks[i]), 0);
	}
}

static void plot_open(struct plot *plot, const struct layout_case *layout,
		      enum journal_mode journal)
{
	struct array_read_result result;
	struct err err = { 0 };

	*plot = (struct plot){ .layout = layout, .journal = journal, .rng = rng_seeded(SEED) };
	struct array *array = rack_begin(&plot->rack, seeded_env(SEED), layout->disks, DISK_SIZE,
					 &layout->policy);
	struct policy policy = array_map(array)->policy;
	policy.journal = journal;
	put_bytes(array, "v", &policy, VOLUME_SIZE, SEED);
	plot->before = mem_calloc(VOLUME_SIZE, 1);
	plot->after = mem_calloc(VOLUME_SIZE, 1);
	plot->got = mem_calloc(VOLUME_SIZE, 1);
	assert_int_equal(array_read(array, array->map->volumes[0], 0, plot->before, VOLUME_SIZE,
				    &result, &err),
			 0);
	array_close(array);
	for (uint32_t i = 0; i < layout->disks; i++) {
		assert_int_equal(io_flush(plot->rack.disks[i]), 0);
		plot->base[i] = mem_pages(DISK_SIZE);
		memcpy(plot->base[i], rack_bytes(&plot->rack, i), DISK_SIZE);
	}
	plot->rack.watch = note_dirty;
	plot->rack.watch_arg = plot;
	/* Far behind in its group, so that seal entries are not in the sector of their page's checksum. */
	plot->at = 186 * BLOCK_SIZE + 700;
	plot->size = 2 * BLOCK_SIZE;
	memcpy(plot->after, plot->before, VOLUME_SIZE);
	for (uint64_t b = 0; b < plot->size; b++)
		plot->after[plot->at + b] = (uint8_t)rng_next(&plot->rng);
}

static void plot_close(struct plot *plot)
{
	for (uint32_t i = 0; i < plot->layout->disks; i++)
		mem_pages_free(plot->base[i]);
	mem_free(plot->before);
	mem_free(plot->after);
	mem_free(plot->got);
	rack_close(&plot->rack);
}

static bool block_fits(const struct plot *plot, uint64_t at, const uint8_t *got, bool done,
		       bool mixture)
{
	const uint8_t *old = plot->before + at, *fresh = plot->after + at;

	if (memcmp(got, fresh, BLOCK_SIZE) == 0 || (!done && memcmp(got, old, BLOCK_SIZE) == 0))
		return true;
	for (uint64_t s = 0; mixture && s < BLOCK_SIZE; s += 512) {
		if (memcmp(got + s, old + s, 512) != 0 && memcmp(got + s, fresh + s, 512) != 0)
			return false;
	}
	return mixture;
}

static uint64_t check_blocks(struct plot *plot, struct array *array, bool done, bool content,
			     bool may_lose, const char *what)
{
	struct array_read_result result;
	struct err err = { 0 };
	uint64_t lost = 0;

	assert_int_equal(
		array_read(array, array->map->volumes[0], 0, plot->got, VOLUME_SIZE, &result, &err),
		0);
	bool any = result.lost > 0;
	for (uint64_t at = 0; at < VOLUME_SIZE; at += BLOCK_SIZE) {
		const uint8_t *got = plot->got + at;

		if (any) {
			assert_int_equal(array_read(array, array->map->volumes[0], at, plot->got,
						    BLOCK_SIZE, &result, &err),
					 0);
			got = plot->got;
			lost += result.lost > 0;
			if (result.lost > 0 && !may_lose)
				fail_msg("%s, %s: block at %" PRIu64 " is lost", plot->layout->name,
					 what, at);
			if (result.lost > 0)
				continue;
		}
		if (!block_fits(plot, at, got, done, !content && !done))
			fail_msg("%s, %s: wrong bytes at %" PRIu64, plot->layout->name, what, at);
	}
	return lost;
}

/* Write, with the power cut at write `k`. True when it was acknowledged. */
static bool write_until(struct plot *plot, uint32_t disks, uint64_t k)
{
	struct array *array = rack_array_of(&plot->rack, disks, ARRAY_WRITE);
	struct array_write_result result;
	struct err err = { 0 };

	plot->rack.writes_left = k;
	bool done = array_write(array, array->map->volumes[0], plot->at, plot->after + plot->at,
				plot->size, &result, &err) == 0;
	if (done && array_write_settle(array, &err) == 0)
		plot->rack.writes_left = UINT64_MAX; /* all of it went through */
	array_close(array);
	return done;
}

/* Crash at k, lose members, recover; now and then crash in the recovery as well. */
static bool crash_once(struct plot *plot, uint32_t degraded, uint64_t k, uint32_t gone)
{
	uint32_t all = (UINT32_C(1) << plot->rack.count) - 1, there = all & ~degraded & ~gone;
	bool content = plot->journal == JOURNAL_SMALL || degraded != 0;
	bool may_lose = gone != 0 && !content;
	char what[80];

	snprintf(what, sizeof(what), "journal %d, without 0x%x, crash at %" PRIu64 ", then 0x%x",
		 plot->journal, degraded, k, gone);
	restore(plot);
	plot->rack.writes = 0;
	bool done = write_until(plot, all & ~degraded, k);
	bool all_done = plot->rack.writes_left == UINT64_MAX;
	rack_crash(&plot->rack, &plot->rng);
	if (plot->states % 3 == 0) {
		struct array *array = NULL;
		struct err err = { 0 };

		plot->rack.writes_left = rng_below(&plot->rng, 30);
		if (rack_array(&plot->rack, there, ARRAY_WRITE, &array, &err) == 0)
			array_close(array);
		rack_crash(&plot->rack, &plot->rng);
	}
	struct array *array = rack_array_of(&plot->rack, there, ARRAY_READ);
	uint64_t lost = check_blocks(plot, array, done, content, may_lose && !done, what);
	array_close(array);
	array = rack_array_of(&plot->rack, there, ARRAY_WRITE);
	uint64_t again = check_blocks(plot, array, done, content, may_lose && !done, what);
	if (again != lost)
		fail_msg("%s, %s: %" PRIu64 " lost, then %" PRIu64, plot->layout->name, what, lost,
			 again);
	if (there == all)
		assert_clean(array, what);
	array_close(array);
	plot->lost += lost;
	plot->states++;
	return all_done;
}

/* Every k until the write and its settling are not cut off any more; the losses take turns. */
static void crash_everywhere(struct plot *plot, uint32_t degraded)
{
	uint32_t all = UINT32_C(1) << plot->rack.count;
	uint32_t spare = plot->layout->tolerance - (uint32_t)__builtin_popcount(degraded);
	bool all_done = false;

	for (uint64_t k = 0; !all_done; k++) {
		uint32_t gone = 0;

		assert_true(k < 500);
		if (plot->layout->disks > 4 && k % 2 == 1)
			continue; /* every second moment of the larger ones */
		all_done = crash_once(plot, degraded, k, 0);
		if (spare == 0 || (plot->layout->disks > 4 && k % 3 != 0))
			continue;
		do {
			gone = (uint32_t)rng_below(&plot->rng, all) & ~degraded;
		} while (gone == 0 || (uint32_t)__builtin_popcount(gone) > spare);
		crash_once(plot, degraded, k, gone);
	}
}

static void a_crash_at_any_write_leaves_blocks_old_or_new(void **state)
{
	(void)state;
	print_message("seed %u\n", SEED);
	for (size_t i = 0; i < LAYOUTS; i++) {
		/* With all members there none and degraded are the same; degraded, none has content too. */
		for (int journal = i == 3 ? JOURNAL_NONE : JOURNAL_DEGRADED;
		     journal < JOURNAL_COUNT; journal++) {
			struct plot plot;

			plot_open(&plot, &layouts[i], (enum journal_mode)journal);
			crash_everywhere(&plot, 0);
			if (layouts[i].tolerance > 0)
				crash_everywhere(&plot, 1);
			if (layouts[i].tolerance > 1)
				crash_everywhere(&plot, 1 | 2);
			print_message("%s, journal %d: %" PRIu64 " crashes, %" PRIu64
				      " blocks lost\n",
				      layouts[i].name, journal, plot.states, plot.lost);
			plot_close(&plot);
		}
	}
}

/* ---- a disk that fails while recovery writes */

static void a_member_that_fails_during_recovery_is_taken_out(void **state)
{
	(void)state;
	for (size_t i = 1; i < LAYOUTS; i++) {
		struct plot plot;
		uint32_t all = (UINT32_C(1) << layouts[i].disks) - 1;

		plot_open(&plot, &layouts[i], JOURNAL_SMALL);
		for (uint64_t n = 0; n < (layouts[i].disks < 5 ? 80 : 20); n++) {
			struct array *array = NULL;
			struct err err = { 0 };
			uint32_t disk = (uint32_t)rng_below(&plot.rng, layouts[i].disks);

			restore(&plot);
			bool done = write_until(&plot, all, 2 + n % 8);
			rack_crash(&plot.rack, &plot.rng);
			plot.rack.fail_at[disk] = plot.rack.writes + 1 + n % 20;
			int rc = rack_array(&plot.rack, all, ARRAY_WRITE, &array, &err);
			if (rc)
				fail_msg("%s: disk %u fails: %s", layouts[i].name, disk, err.text);
			check_blocks(&plot, array, done, true, false, "a member failed");
			array_close(array);
			plot.rack.fail_at[disk] = UINT64_MAX;
			array = rack_array_of(&plot.rack, all, ARRAY_WRITE);
			check_blocks(&plot, array, done, true, false, "and is there again");
			array_close(array);
		}
		plot_close(&plot);
	}
}

static uint64_t log_slot_size(const struct array *array)
{
	return array->map->geometry.log_size / LOG_SLOTS / BLOCK_SIZE * BLOCK_SIZE;
}

/* The record that counts where only these disks are there, and what it names. */
static struct array_recovery read_log(struct plot *plot, uint32_t disks)
{
	struct array *array = rack_array_of(&plot->rack, disks, ARRAY_READ);
	struct array_recovery recovery = *array_recovery(array);

	array_close(array);
	return recovery;
}

/* All but disk 0 lose what they have in the slot of the record that counts. */
static void leave_one_copy(struct plot *plot, uint64_t generation)
{
	struct array *array = rack_array_of(&plot->rack, ~0u, ARRAY_READ);
	uint8_t *zeros = mem_pages(BLOCK_SIZE);

	for (uint32_t i = 1; i < plot->layout->disks; i++) {
		uint64_t at = array->members[i].regions.log_offset +
			      generation % LOG_SLOTS * log_slot_size(array);

		assert_int_equal(io_write(plot->rack.disks[i], IO_ROLE_LOG, at, zeros, BLOCK_SIZE),
				 0);
		assert_int_equal(io_flush(plot->rack.disks[i]), 0);
	}
	mem_pages_free(zeros);
	array_close(array);
}

static void an_empty_record_on_too_few_members_is_written_again(void **state)
{
	(void)state;
	for (size_t i = 1; i < LAYOUTS; i++) {
		struct plot plot;
		uint32_t all = (UINT32_C(1) << layouts[i].disks) - 1;

		plot_open(&plot, &layouts[i], JOURNAL_DEGRADED);
		assert_true(write_until(&plot, all, UINT64_MAX));
		uint64_t generation = read_log(&plot, all).generation;
		leave_one_copy(&plot, generation);
		array_close(rack_array_of(&plot.rack, all, ARRAY_WRITE));
		/* Without the one that had it. */
		struct array_recovery recovery = read_log(&plot, all & ~1u);
		assert_true(recovery.generation > generation);
		assert_int_equal(recovery.entries, 0);
		plot_close(&plot);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_at_any_write_leaves_blocks_old_or_new),
		cmocka_unit_test(a_member_that_fails_during_recovery_is_taken_out),
		cmocka_unit_test(an_empty_record_on_too_few_members_is_written_again),
	};

	return cmocka_run_group_tests_name("recover_write", tests, NULL, NULL);
}

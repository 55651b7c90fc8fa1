/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: whatever a crash leaves of rows that the log names, recovery makes one state of it: acknowledged writes
 * and untouched blocks are read back, a block under way is old or new, what nobody can know is an error.
 * Method: rows are written by hand on simulated disks, each cell of a closure left old, new or torn in every
 * combination, the record put beside it, every loss of members that the layout survives tried; then opened.
 * What the new cells must be is computed from the equations byte by byte.
 */
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/scrub.h"
#include "core/map/address.h"
#include "tests/unit/map_help.h"
#include "tests/unit/recover_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the oracle */

/* Where the block of a data cell lies in the volume. */
static uint64_t volume_offset(const struct scene *scene, uint32_t cell)
{
	const struct address address = { scene->group, cell / scene->segments,
					 scene_block(scene, cell) };
	struct volume_part part;

	assert_true(address_to_volume(&part, scene->model->map, &address));
	return part.offset;
}

struct expected {
	bool new_only;  /* the last write must be there */
	bool may_mix;   /* its block may be a mixture of sectors */
	bool may_lose;  /* blocks of its row may be lost */
	bool other_old; /* it must not be there */
};

static bool is_mixture(const uint8_t *got, const uint8_t *a, const uint8_t *b)
{
	for (uint32_t at = 0; at < BLOCK_SIZE; at += 512) {
		if (memcmp(got + at, a + at, 512) != 0 && memcmp(got + at, b + at, 512) != 0)
			return false;
	}
	return true;
}

/* One block against the oracle; true when it is lost. */
static bool check_block(const struct scene *scene, const struct expected *expected, uint64_t at,
			const uint8_t *got, bool lost, const char *what)
{
	const struct under_way *last = &scene->writes[scene->write_count - 1];
	uint64_t target = volume_offset(scene, last->plan.cells[0]);
	const uint8_t *fresh = last->fresh, *old = scene->old_data + at;
	bool fits = false;

	if (scene->write_count > 1 && at == volume_offset(scene, scene->writes[0].plan.cells[0]))
		old = scene->writes[0].fresh;
	if (lost && !expected->may_lose)
		fail_msg("%s: %s: block at %" PRIu64 " is lost", scene->layout->name, what, at);
	if (lost)
		return true;
	if (at != target || !expected->new_only)
		fits = memcmp(got, old, BLOCK_SIZE) == 0;
	if (at == target && !expected->other_old)
		fits |= memcmp(got, fresh, BLOCK_SIZE) == 0;
	if (at == target && expected->may_mix && !expected->other_old && !expected->new_only)
		fits |= is_mixture(got, old, fresh);
	if (!fits)
		fail_msg("%s: %s: wrong bytes at %" PRIu64 " (%s block)", scene->layout->name, what,
			 at, at == target ? "this" : "another");
	return false;
}

static bool read_blocks(struct scene *scene, struct array *array, uint64_t at, uint64_t size)
{
	struct array_read_result result;
	struct err err = { 0 };

	if (array_read(array, array->map->volumes[0], at, scene->got, size, &result, &err))
		fail_msg("%s", err.text);
	return result.lost > 0;
}

/* The data blocks of the slice against the oracle, now and then all; returns how many are lost. */
static uint64_t check_volume(struct scene *scene, struct array *array,
			     const struct expected *expected, const char *what)
{
	uint64_t lost = 0;

	for (uint32_t cell = 0; cell < code_cell_count(scene->code); cell++) {
		const struct address address = { scene->group, cell / scene->segments,
						 scene_block(scene, cell) };
		struct volume_part part;

		if (code_cell_role(scene->code, (uint16_t)cell) != CELL_DATA ||
		    !address_to_volume(&part, scene->model->map, &address))
			continue;
		bool gone = read_blocks(scene, array, part.offset, BLOCK_SIZE);
		lost += check_block(scene, expected, part.offset, scene->got, gone, what);
	}
	if (scene->states % 64 == 0 && lost == 0) {
		assert_false(read_blocks(scene, array, 0, VOLUME_SIZE));
		for (uint64_t at = 0; at < VOLUME_SIZE; at += BLOCK_SIZE)
			check_block(scene, expected, at, scene->got + at, false, what);
	}
	return lost;
}

static uint64_t scrub_left(struct array *array)
{
	const struct scrub_request request = { .mode = SCRUB_CHECK };
	struct scrub_report report = { 0 };
	struct err err = { 0 };

	if (scrub_run(array, &request, &report, &err))
		fail_msg("scrub: %s", err.text);
	return report.mismatches;
}

/* Body and seal of the group as they are on the disks that are there, for comparison. */
static void take_group(const struct scene *scene, uint32_t disks, uint8_t *out)
{
	size_t size = (size_t)group_body_blocks(scene->group) * BLOCK_SIZE;

	for (uint32_t c = 0; c < scene->group->shape.columns; c++) {
		const struct extent *extent = &scene->group->extents[c];
		size_t seal = (size_t)(1 + seal_entry_pages(&scene->seals[c].shape)) * BLOCK_SIZE;
		const uint8_t *disk = dev_sim_bytes(scene->rack.disks[extent->slot]);

		if (!(disks >> extent->slot & 1))
			continue;
		memcpy(out, disk + extent_offset(scene->model->map, extent, 0), size);
		memcpy(out + size, disk + extent_seal_offset(scene->model->map, extent), seal);
		out += size + seal;
	}
}

static size_t group_size(const struct scene *scene)
{
	size_t size = 0;

	for (uint32_t c = 0; c < scene->group->shape.columns; c++)
		size += (size_t)(group_body_blocks(scene->group) + 1 +
				 seal_entry_pages(&scene->seals[c].shape)) *
			BLOCK_SIZE;
	return size;
}

/* Recover what lies on `disks` and hold it against the oracle, first in memory, then for good. */
static void check_recovery(struct scene *scene, uint32_t disks, const struct expected *expected,
			   const char *what)
{
	uint32_t all = (UINT32_C(1) << scene->rack.count) - 1;
	uint64_t writes = scene->rack.writes;
	struct array *array = rack_array_of(&scene->rack, disks, ARRAY_READ);

	uint64_t lost = check_volume(scene, array, expected, what);
	if (scene->rack.writes != writes)
		fail_msg("%s: %s: opening for reading wrote", scene->layout->name, what);
	assert_true(array_recovery(array)->entries > 0);
	assert_int_equal(array_recovery(array)->ignored, 0);
	array_close(array);

	array = rack_array_of(&scene->rack, disks, ARRAY_WRITE);
	assert_int_equal(check_volume(scene, array, expected, what), lost);
	assert_int_equal(array_recovery(array)->lost, lost);
	uint64_t found = scrub_left(array);
	if ((found > 0) != (lost > 0))
		fail_msg("%s: %s: %" PRIu64 " lost, scrub found %" PRIu64, scene->layout->name,
			 what, lost, found);
	array_close(array);
	scene->lost_states += lost > 0;

	/* The log is empty, also on those that come back; what they missed is not read from them. */
	writes = scene->rack.writes;
	array = rack_array_of(&scene->rack, all, ARRAY_READ);
	assert_int_equal(array_recovery(array)->entries, 0);
	assert_int_equal(check_volume(scene, array, expected, what), lost);
	for (uint32_t c = 0; c < scene->group->shape.columns; c++) /* E2: they missed it */
		assert_int_equal(array->map->groups[0]->extents[c].stale,
				 array->map->groups[0]->id == scene->group->id &&
					 !(disks >> scene_disk(scene, c) & 1));
	assert_int_equal(scene->rack.writes, writes);
	array_close(array);
	scene->states++;
}

/* Power fails at write `k` of recovery, and it begins again: the same bytes in the end. */
static void check_interrupted(struct scene *scene, uint32_t disks, struct rng *rng,
			      void (*again)(struct scene *scene, void *arg), void *arg,
			      const struct expected *expected, const char *what)
{
	size_t size = group_size(scene);
	uint8_t *wanted = mem_calloc(size, 1), *got = mem_calloc(size, 1);
	uint64_t before = scene->rack.writes, total;

	array_close(rack_array_of(&scene->rack, disks, ARRAY_WRITE));
	total = scene->rack.writes - before;
	take_group(scene, disks, wanted);
	for (uint64_t k = 0; k < total; k++) {
		struct array *array = NULL;
		struct err err = { 0 };

		scene_restore(scene);
		again(scene, arg);
		scene->rack.writes_left = k;
		if (rack_array(&scene->rack, disks, ARRAY_WRITE, &array, &err) == 0)
			array_close(array);
		rack_crash(&scene->rack, rng);
		array = rack_array_of(&scene->rack, disks, ARRAY_WRITE);
		check_volume(scene, array, expected, what);
		array_close(array);
		take_group(scene, disks, got);
		if (memcmp(wanted, got, size) != 0)
			fail_msg("%s: %s: not the same bytes after a crash at write %" PRIu64,
				 scene->layout->name, what, k);
		scene->states++;
	}
	mem_free(wanted);
	mem_free(got);
}

/* ---- one write under way, everything that can be left of it */

struct leaving {
	enum left cells[CELLS_MAX];
	bool content;
};

static void leave(struct scene *scene, void *arg)
{
	const struct leaving *leaving = arg;
	const struct under_way *last = &scene->writes[scene->write_count - 1];

	for (uint32_t w = 0; w + 1 < scene->write_count; w++) {
		for (uint32_t i = 0; i < scene->writes[w].plan.cell_count; i++)
			scene_put_cell(scene, scene->writes[w].plan.cells[i], w, w + 1, LEFT_NEW);
	}
	for (uint32_t i = 0; i < last->plan.cell_count; i++)
		scene_put_cell(scene, last->plan.cells[i], scene->write_count - 1,
			       scene->write_count, leaving->cells[i]);
	scene_put_rows(scene, leaving->content);
	scene_flush(scene);
}

static struct expected expect(const struct scene *scene, const struct leaving *leaving,
			      uint32_t disks)
{
	const struct write_plan *plan = &scene->writes[scene->write_count - 1].plan;
	bool all_new = true, all_old = true, healthy = true;

	for (uint32_t i = 0; i < plan->cell_count; i++) {
		bool there = disks >> scene_disk(scene, plan->cells[i] / scene->segments) & 1;

		all_new &= !there || leaving->cells[i] == LEFT_NEW;
		all_old &= !there || leaving->cells[i] == LEFT_OLD;
	}
	for (uint32_t c = 0; c < scene->group->shape.columns; c++)
		healthy &= disks >> scene_disk(scene, c) & 1;
	return (struct expected){
		.new_only = leaving->content || all_new,
		.other_old = !leaving->content && all_old && !all_new,
		.may_mix = leaving->cells[0] == LEFT_TORN ||
			   scene->group->shape.layout == LAYOUT_MIRROR,
		.may_lose = !healthy && !leaving->content && !all_new && !all_old,
	};
}

static void leaving_text(char *text, size_t size, const struct scene *scene,
			 const struct leaving *leaving, uint32_t disks)
{
	size_t at = (size_t)snprintf(text, size, "disks 0x%x%s ", disks,
				     leaving->content ? " content" : "");

	for (uint32_t i = 0; i < scene->writes[scene->write_count - 1].plan.cell_count; i++)
		text[at++] = "onT"[leaving->cells[i]];
	text[at] = '\0';
}

static uint32_t tolerance_of(const struct scene *scene)
{
	return code_tolerance(scene->code);
}

typedef void (*leaving_check)(struct scene *scene, struct leaving *leaving, uint32_t disks);

static void each_loss(struct scene *scene, struct leaving *leaving, leaving_check check)
{
	uint32_t all = (UINT32_C(1) << scene->rack.count) - 1;

	for (uint32_t gone = 0; gone <= all; gone++) {
		if ((uint32_t)__builtin_popcount(gone) <= tolerance_of(scene))
			check(scene, leaving, all & ~gone);
	}
}

static void each_state(struct scene *scene, leaving_check check)
{
	uint32_t count = scene->writes[scene->write_count - 1].plan.cell_count, states = 1;

	for (uint32_t i = 0; i < count; i++)
		states *= LEFT_COUNT;
	for (uint32_t n = 0; n < 2 * states; n++) {
		struct leaving leaving = { .content = n % 2 };

		for (uint32_t i = 0, rest = n / 2; i < count; i++, rest /= LEFT_COUNT)
			leaving.cells[i] = (enum left)(rest % LEFT_COUNT);
		each_loss(scene, &leaving, check);
	}
}

static void check_once(struct scene *scene, struct leaving *leaving, uint32_t disks)
{
	struct expected expected = expect(scene, leaving, disks);
	char text[64];

	if (scene->tried++ % scene->every != 0)
		return;
	leaving_text(text, sizeof(text), scene, leaving, disks);
	scene_restore(scene);
	leave(scene, leaving);
	check_recovery(scene, disks, &expected, text);
}

static void every_state_of_a_row_and_every_loss_ends_old_or_new(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECOVER_LAYOUTS; i++) {
		struct scene scene;

		scene_open(&scene, &recover_layouts[i]);
		scene_add_write(&scene, 0, scene_generation_next(&scene));
		scene.every = test_thinned(i == 5   ? 199
					   : i == 4 ? 17
					   : i > 5  ? 5
						    : 2); /* more of the same */
		each_state(&scene, check_once);
		print_message("%s: %" PRIu64 " states, %" PRIu64 " with loss\n",
			      recover_layouts[i].name, scene.states, scene.lost_states);
		scene_close(&scene);
	}
}

/* An acknowledged write whose seals are late, and another one of the same row under way. */
static void the_write_before_is_kept_whatever_becomes_of_the_one_under_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECOVER_LAYOUTS; i++) {
		struct scene scene;
		uint32_t generation;

		if (recover_layouts[i].policy.layout != LAYOUT_PARITY &&
		    recover_layouts[i].policy.layout != LAYOUT_SEQUENTIAL)
			continue;
		scene_open(&scene, &recover_layouts[i]);
		generation = scene_generation_next(&scene);
		scene_add_write(&scene, 0, generation);
		scene_add_write(&scene, 1, generation + 1);
		scene.every = test_thinned(i == 5 ? 307 : i == 4 ? 47 : 11);
		each_state(&scene, check_once);
		print_message("%s: %" PRIu64 " states, %" PRIu64 " with loss\n",
			      recover_layouts[i].name, scene.states, scene.lost_states);
		scene_close(&scene);
	}
}

static void interrupt(struct scene *scene, struct leaving *leaving, uint32_t disks)
{
	struct expected expected = expect(scene, leaving, disks);
	struct rng rng = rng_seeded(SEED + scene->tried);
	char text[64];

	leaving_text(text, sizeof(text), scene, leaving, disks);
	if (scene->tried++ % scene->every != 0) /* each is opened dozens of times */
		return;
	scene_restore(scene);
	leave(scene, leaving);
	check_interrupted(scene, disks, &rng, leave, leaving, &expected, text);
}

static void recovery_that_is_interrupted_ends_with_the_same_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECOVER_LAYOUTS; i++) {
		struct scene scene;

		scene_open(&scene, &recover_layouts[i]);
		scene_add_write(&scene, 0, scene_generation_next(&scene));
		scene.every = test_thinned(i == 5 ? 7919 : i == 4 ? 997 : 199);
		each_state(&scene, interrupt);
		print_message("%s: %" PRIu64 " crashes\n", recover_layouts[i].name, scene.states);
		scene_close(&scene);
	}
}

/* ---- records that do not fit the map */

/* FAULTS E-4: what a record says is believed as far as it fits; nothing else of it is done. */
static void entries_that_do_not_fit_the_map_are_ignored_and_counted(void **state)
{
	struct scene scene;
	struct log_cell cells[CODE_COLUMNS_MAX];
	struct log_rows rows[6];
	uint8_t *page = mem_pages(BLOCK_SIZE);

	(void)state;
	scene_open(&scene, &recover_layouts[4]);
	scene_add_write(&scene, 0, scene_generation_next(&scene));
	for (uint32_t i = 0; i < CODE_COLUMNS_MAX; i++)
		cells[i] = scene.writes[0].cells[0];
	for (uint32_t i = 0; i < 6; i++)
		rows[i] = scene.writes[0].rows;
	rows[0].group += 1000;
	rows[1].segment = 7;
	rows[2].first = scene.group->segment_blocks;
	rows[3].columns = 1u << 30; /* no column of data */
	rows[4].cell_count++;       /* not the closure of these columns */
	rows[4].cells = cells;
	rows[5].group = UINT64_MAX;
	struct log_page pages[] = {
		{ 1u << 20, 0, page }, /* no extent */
		{ scene.group->extents[0].id, 9999, page },
		{ scene.group->extents[0].id, 0, page }, /* not a page of a seal */
	};
	scene_restore(&scene);
	scene_put_record(&scene, rows, 6, pages, 3);
	scene_flush(&scene);
	struct array *array = rack_array_of(&scene.rack, UINT32_MAX, ARRAY_WRITE);
	assert_int_equal(array_recovery(array)->entries, 0);
	assert_int_equal(array_recovery(array)->ignored, 9);
	assert_int_equal(array_recovery(array)->replayed, 0);
	assert_bytes(array, "v", VOLUME_SIZE, SEED);
	array_close(array);
	array = rack_array_of(&scene.rack, UINT32_MAX, ARRAY_WRITE);
	assert_int_equal(array_recovery(array)->ignored, 0); /* the log is empty now */
	array_close(array);
	mem_pages_free(page);
	scene_close(&scene);
}

/* W4: a record that is older than what its cells hold changes nothing of them. */
static void content_older_than_the_block_is_not_replayed(void **state)
{
	struct leaving leaving = { .content = true };

	(void)state;
	for (size_t i = 0; i < RECOVER_LAYOUTS; i++) {
		struct scene scene;

		scene_open(&scene, &recover_layouts[i]);
		assert_true(scene_generation_next(&scene) >= 2);
		scene_add_write(&scene, 0, scene_generation_next(&scene) - 2);
		scene_restore(&scene);
		leave(&scene, &leaving); /* all cells old */
		struct array *array = rack_array_of(&scene.rack, UINT32_MAX, ARRAY_WRITE);
		assert_int_equal(array_recovery(array)->entries, 1);
		assert_int_equal(array_recovery(array)->replayed, 0);
		assert_bytes(array, "v", VOLUME_SIZE, SEED);
		assert_int_equal(scrub_left(array), 0);
		array_close(array);
		scene_close(&scene);
	}
}

/*
 * A check that the record has no generation of was not written, as its column was absent; it may be back since, with a
 * seal of its own, which says nothing else after the recovery.
 */
static void a_check_that_no_entry_computed_keeps_its_seal(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene, &recover_layouts[4]);
	scene_add_write(&scene, 0, scene_generation_next(&scene));
	struct under_way *write = &scene.writes[0];
	uint32_t last = write->plan.cell_count - 1;
	uint32_t column = write->plan.cells[last] / scene.segments;
	uint32_t block = scene_block(&scene, write->plan.cells[last]);

	write->cells[last] = (struct log_cell){ 0, 0 };
	scene_restore(&scene);
	scene_put_rows(&scene, false);
	scene_flush(&scene);
	struct array *array = rack_array_of(&scene.rack, UINT32_MAX, ARRAY_WRITE);
	assert_int_equal(array_recovery(array)->entries, 1);
	assert_bytes(array, "v", VOLUME_SIZE, SEED);
	array_close(array);

	struct seal *seal = &scene.seals[column];
	const struct seal_entry before = seal->entries[block];
	uint32_t page = seal_page_of(&seal->shape, block);
	uint64_t offset = extent_seal_offset(scene.model->map, &scene.group->extents[column]) +
			  (uint64_t)(page + 1) * BLOCK_SIZE;
	seal_decode_page(seal, page, rack_bytes(&scene.rack, scene_disk(&scene, column)) + offset);
	assert_true(seal->page_good[page]);
	assert_int_equal(seal->entries[block].crc, before.crc);
	assert_int_equal(seal->entries[block].generation, before.generation);
	scene_close(&scene);
}

/* A torn block beside an absent column: what that held nobody can know. */
static void leave_lost(struct scene *scene)
{
	scene_open(scene, &recover_layouts[3]);
	scene_add_write(scene, 0, scene_generation_next(scene));
	scene_restore(scene);
	scene_put_rows(scene, false);
	for (uint32_t i = 0; i < scene->writes[0].plan.cell_count; i++)
		scene_put_cell(scene, scene->writes[0].plan.cells[i], 0, 1,
			       i == 0 ? LEFT_TORN : LEFT_OLD);
	scene_flush(scene);
}

/* Whoever opens the array, with the member back or not, gets an error there until it was written. */
static void rows_lost_are_errors_until_they_are_written_again(void **state)
{
	struct array_write_result written;
	struct err err = { 0 };
	struct scene scene;

	(void)state;
	leave_lost(&scene);
	uint64_t at = volume_offset(&scene, scene.segments); /* of column 1 */
	uint32_t others = ~(1u << scene_disk(&scene, 1));
	struct array *array = rack_array_of(&scene.rack, others, ARRAY_WRITE);
	assert_int_equal(array_recovery(array)->lost, 1);
	assert_true(read_blocks(&scene, array, at, BLOCK_SIZE));
	array_close(array);
	for (int back = 0; back < 2; back++) {
		array = rack_array_of(&scene.rack, back ? UINT32_MAX : others, ARRAY_READ);
		assert_true(read_blocks(&scene, array, at, BLOCK_SIZE));
		assert_false(read_blocks(&scene, array, at + BLOCK_SIZE, BLOCK_SIZE));
		array_close(array);
	}
	array = rack_array_of(&scene.rack, UINT32_MAX, ARRAY_WRITE);
	if (array_write(array, array->map->volumes[0], at, scene.old_data, BLOCK_SIZE, &written,
			&err))
		fail_msg("%s", err.text);
	assert_int_equal(array_write_settle(array, &err), 0);
	array_close(array);
	array = rack_array_of(&scene.rack, UINT32_MAX, ARRAY_READ);
	assert_false(read_blocks(&scene, array, at, BLOCK_SIZE));
	assert_memory_equal(scene.got, scene.old_data, BLOCK_SIZE);
	array_close(array);
	scene_close(&scene);
}

/* Copy the log regions of all members but one from, or to, `bytes`. */
static void copy_logs(struct scene *scene, uint8_t *bytes, uint32_t but, bool back)
{
	uint64_t size = scene->model->map->geometry.log_size;

	for (uint32_t i = 0; i < scene->rack.count; i++) {
		uint8_t *log =
			rack_bytes(&scene->rack, i) + scene->model->members[i].regions.log_offset;

		if (back && i != but)
			memcpy(log, bytes + i * size, size);
		else if (!back)
			memcpy(bytes + i * size, log, size);
	}
}

/*
 * The power failed when the empty record that ends a session was on one member only. Whoever opens the array next has
 * it reach all: without that member an older record counts, and what it names may be of another shape by then.
 */
static void a_session_that_ended_on_one_member_ends_on_all(void **state)
{
	struct array_write_result written;
	struct err err = { 0 };

	(void)state;
	for (uint32_t disk = 0; disk < recover_layouts[3].disks; disk++) {
		struct scene scene;

		scene_open(&scene, &recover_layouts[3]);
		uint8_t *logs = mem_pages(scene.rack.count * scene.model->map->geometry.log_size);
		struct array *array = rack_array_of(&scene.rack, UINT32_MAX, ARRAY_WRITE);
		if (array_write(array, array->map->volumes[0], 0, scene.old_data, BLOCK_SIZE,
				&written, &err))
			fail_msg("%s", err.text);
		copy_logs(&scene, logs, disk, false);
		assert_int_equal(array_write_settle(array, &err), 0);
		array_close(array);
		copy_logs(&scene, logs, disk, true);

		for (int again = 0; again < 2; again++) {
			uint64_t writes = scene.rack.writes;

			array = rack_array_of(&scene.rack, UINT32_MAX, ARRAY_WRITE);
			assert_int_equal(array_recovery(array)->entries, 0);
			array_close(array);
			assert_int_equal(writes == scene.rack.writes, again);
		}
		array = rack_array_of(&scene.rack, ~(1u << disk), ARRAY_READ);
		assert_int_equal(array_recovery(array)->entries, 0);
		array_close(array);
		mem_pages_free(logs);
		scene_close(&scene);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_that_do_not_fit_the_map_are_ignored_and_counted),
		cmocka_unit_test(content_older_than_the_block_is_not_replayed),
		cmocka_unit_test(a_check_that_no_entry_computed_keeps_its_seal),
		cmocka_unit_test(rows_lost_are_errors_until_they_are_written_again),
		cmocka_unit_test(a_session_that_ended_on_one_member_ends_on_all),
		cmocka_unit_test(every_state_of_a_row_and_every_loss_ends_old_or_new),
		cmocka_unit_test(the_write_before_is_kept_whatever_becomes_of_the_one_under_way),
		cmocka_unit_test(recovery_that_is_interrupted_ends_with_the_same_bytes),
	};

	return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}

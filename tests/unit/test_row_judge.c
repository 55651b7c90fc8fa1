/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Judging: aim is that a member which lost the writes of a data block and of the parity of that block's own
 * row is found out and healed, although that row's parity went with it; and that nothing else is blamed.
 * Method: every row of small sequential groups, in memory as they were read. Block, checksum, generation
 * and witnesses of the two cells become what they were before a write. The judge must name exactly these
 * two, and what is rebuilt must be the bytes that were put.
 */
#include "core/array/row.h"
#include "core/base/crc.h"
#include "tests/unit/array_help.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(8) << 20)
#define DISKS 5u

/* What the rest of the row saw. */
enum story {
	REST_OLDER, /* only this block of the row was written again, and lost */
	REST_NEWER, /* the whole row was written again */
	STORY_COUNT
};

struct lost_pair {
	uint16_t row;
	uint32_t data, parity, pure; /* cells */
	uint16_t pure_equation;
	uint8_t data_bytes[BLOCK_SIZE], parity_bytes[BLOCK_SIZE]; /* as they were put */
};

static struct array *array_make(struct rack *rack, const struct policy *policy)
{

	struct array *array = rack_begin(rack, seeded_env(5), policy->columns, DISK_SIZE, policy);

	put_bytes(array, "v", policy, 300000, 7);
	return array;
}

static struct seal_entry *entry_of(struct rows *rows, uint32_t cell, uint32_t slice)
{
	return &rows->seals[cell / rows->segments]
			.entries[cell % rows->segments * rows->segment_blocks + slice];
}

static uint16_t *witnesses_of(struct rows *rows, uint32_t cell, uint32_t slice)
{
	return seal_witnesses(&rows->seals[cell / rows->segments],
			      cell % rows->segments * rows->segment_blocks + slice);
}

static uint8_t *bytes_of(struct rows *rows, uint32_t cell, uint32_t slice)
{
	return rows_block(rows, cell / rows->segments, cell % rows->segments, slice);
}

static enum block_fate fate_of(const struct rows *rows, uint32_t cell, uint32_t slice)
{
	return rows_fate(rows, cell / rows->segments, cell % rows->segments, slice);
}

/* Does the page of its seal verify? */
static bool *page_good_of(struct rows *rows, uint32_t cell, uint32_t slice)
{
	struct seal *seal = &rows->seals[cell / rows->segments];
	uint32_t block = cell % rows->segments * rows->segment_blocks + slice;

	return &seal->page_good[seal_page_of(&seal->shape, block)];
}

static uint32_t check_of(const struct code_equation *equation)
{
	return equation->terms[equation->term_count - 1].cell;
}

/* All entries of a slice say that it was last written with `generation`. */
static void set_slice(struct rows *rows, uint32_t slice, uint32_t generation)
{
	for (uint32_t cell = 0; cell < rows->columns * rows->segments; cell++)
		entry_of(rows, cell, slice)->generation = generation;
	for (uint16_t e = 0; e < code_equation_count(rows->code); e++) {
		const struct code_equation *equation = code_equation(rows->code, e);

		for (uint16_t i = 0; i + 1 < equation->term_count; i++)
			witnesses_of(rows, check_of(equation), slice)[i] = (uint16_t)generation;
	}
}

/* Another content with the checksum that belongs to it. */
static void change(struct rows *rows, uint32_t cell, uint32_t slice, uint8_t *before)
{
	uint8_t *bytes = bytes_of(rows, cell, slice);
	uint32_t block = cell % rows->segments * rows->segment_blocks + slice;

	memcpy(before, bytes, BLOCK_SIZE);
	for (uint32_t i = 0; i < BLOCK_SIZE; i += 3)
		bytes[i] ^= (uint8_t)(i + 1);
	entry_of(rows, cell, slice)->crc = crc32_of(
		seal_block_seed(rows->seeds[cell / rows->segments], block), bytes, BLOCK_SIZE);
}

/* The member of the row's parity lost what was written with `generation`; the pure parity did not. */
static void lose(struct rows *rows, struct lost_pair *pair, uint32_t slice, uint32_t generation,
		 enum story story)
{
	const struct code_equation *row = code_equation(rows->code, pair->row);

	pair->parity = check_of(row);
	pair->data = pair->parity / rows->segments * rows->segments + pair->row;
	pair->pure_equation = rows->covered_by[pair->parity];
	const struct code_equation *pure = code_equation(rows->code, pair->pure_equation);
	pair->pure = check_of(pure);
	set_slice(rows, slice, story == REST_NEWER ? generation : generation - 1);
	change(rows, pair->data, slice, pair->data_bytes);
	change(rows, pair->parity, slice, pair->parity_bytes);
	entry_of(rows, pair->data, slice)->generation = generation - 1;
	entry_of(rows, pair->parity, slice)->generation = generation - 1;
	for (uint16_t i = 0; i + 1 < row->term_count; i++)
		witnesses_of(rows, pair->parity, slice)[i] = (uint16_t)(generation - 1);
	entry_of(rows, pair->pure, slice)->generation = generation;
	for (uint16_t i = 0; i + 1 < pure->term_count; i++) {
		if (pure->terms[i].cell == pair->parity)
			witnesses_of(rows, pair->pure, slice)[i] = (uint16_t)generation;
	}
}

/* The entries that a repair would write: with them everything agrees again. */
static void assert_restored(struct rows *rows, const struct lost_pair *pair, uint32_t slice)
{
	uint64_t failed[ROWS_FAILED_WORDS];
	const uint32_t cells[] = { pair->data, pair->parity };

	for (int i = 0; i < 2; i++) {
		uint32_t column = cells[i] / rows->segments;

		rows_restore_entry(rows, column, cells[i] % rows->segments, slice,
				   &rows->seals[column]);
	}
	*page_good_of(rows, pair->parity, slice) = true;
	memset(rows->fates, BLOCK_GOOD, rows->blocks_capacity);
	rows_judge(rows);
	for (uint32_t cell = 0; cell < rows->columns * rows->segments; cell++)
		assert_int_equal(fate_of(rows, cell, slice), BLOCK_GOOD);
	assert_true(rows_slice_holds(rows, slice, failed));
}

static void assert_healed(struct rows *rows, uint16_t row, uint32_t slice, enum story story,
			  enum block_fate parity_fate, enum block_fate data_fate)
{
	struct lost_pair pair = { .row = row };
	uint32_t lost;

	assert_int_equal(rows_load(rows, slice, 1), 0);
	lose(rows, &pair, slice, 0x20001, story);
	rows->fates[rows_at(rows, pair.parity / rows->segments, pair.parity % rows->segments,
			    slice)] = (uint8_t)parity_fate;
	*page_good_of(rows, pair.parity, slice) = parity_fate != BLOCK_UNSEALED;
	if (data_fate == BLOCK_MISMATCH)
		bytes_of(rows, pair.data, slice)[5] ^= 1;
	rows->fates[rows_at(rows, pair.data / rows->segments, pair.data % rows->segments, slice)] =
		(uint8_t)data_fate;
	rows_judge(rows);
	for (uint32_t cell = 0; cell < rows->columns * rows->segments; cell++) {
		enum block_fate wanted =
			cell == pair.data || cell == pair.parity ? BLOCK_STALE : BLOCK_GOOD;

		if (cell == pair.parity && parity_fate == BLOCK_UNSEALED)
			wanted = BLOCK_UNSEALED;
		if (fate_of(rows, cell, slice) != wanted)
			fail_msg("row %u, slice %u, story %d: cell %u is %s, not %s", row, slice,
				 (int)story, cell, block_fate_name(fate_of(rows, cell, slice)),
				 block_fate_name(wanted));
	}
	assert_int_equal(rows_solve(rows, &lost), 0);
	assert_int_equal(lost, 0);
	assert_memory_equal(bytes_of(rows, pair.data, slice), pair.data_bytes, BLOCK_SIZE);
	assert_memory_equal(bytes_of(rows, pair.parity, slice), pair.parity_bytes, BLOCK_SIZE);
	assert_restored(rows, &pair, slice);
}

/* The group, with seals as they are on the disks. */
static void reopen(struct rows *rows, struct array *array, uint32_t except)
{
	struct err err = { 0 };

	if (rows->group)
		rows_close(rows);
	assert_int_equal(
		rows_open(rows, array, array_map(array)->groups[0], except, 1, ROWS_WHOLE, &err),
		0);
}

static void for_all_rows(struct array *array, enum story story, enum block_fate parity_fate,
			 enum block_fate data_fate)
{
	const struct code_shape *shape = &array_map(array)->groups[0]->shape;
	struct rows rows = { 0 };

	for (uint16_t row = 0; row < shape->checks * (shape->columns - 1); row++) {
		for (uint32_t slice = 0; slice < 2; slice++) {
			reopen(&rows, array, 0);
			assert_healed(&rows, row, slice, story, parity_fate, data_fate);
		}
	}
	rows_free(&rows);
}

/* Aim: all rows of all shapes. Method: every row, two slices, every place of the pure parity. */
static void data_and_own_parity_lost_together_are_found(void **state)
{
	(void)state;
	for (uint16_t columns = 2; columns <= DISKS; columns++) {
		for (uint8_t pure = 0; pure < columns; pure++) {
			const struct policy policy = { .layout = LAYOUT_SEQUENTIAL,
						       .checks =
							       (uint16_t)(1 + (columns + pure) % 3),
						       .columns = columns,
						       .unit_blocks = 16,
						       .pure_plus_one = (uint8_t)(pure + 1) };
			struct rack rack;
			struct array *array = array_make(&rack, &policy);

			for_all_rows(array, REST_OLDER, BLOCK_GOOD, BLOCK_GOOD);
			for_all_rows(array, REST_NEWER, BLOCK_GOOD, BLOCK_GOOD);
			for_all_rows(array, REST_OLDER, BLOCK_UNREADABLE, BLOCK_GOOD);
			for_all_rows(array, REST_NEWER, BLOCK_UNSEALED, BLOCK_GOOD);
			for_all_rows(array, REST_NEWER, BLOCK_UNSEALED, BLOCK_MISMATCH);
			array_close(array);
			rack_close(&rack);
		}
	}
}

static const struct policy three = { .layout = LAYOUT_SEQUENTIAL,
				     .checks = 2,
				     .columns = 3,
				     .unit_blocks = 16,
				     .pure_plus_one = 3 };

/* Aim: the limit of FORMAT.md section 6. Method: the only witness, the pure parity, is not there. */
static void without_the_pure_parity_nobody_is_blamed(void **state)
{
	struct lost_pair pair = { .row = 0 };
	struct rows rows = { 0 };
	struct rack rack;
	struct array *array = array_make(&rack, &three);

	(void)state;
	reopen(&rows, array, 1u << 2);
	assert_int_equal(rows_load(&rows, 0, 1), 0);
	lose(&rows, &pair, 0, 9, REST_OLDER);
	rows_judge(&rows);
	assert_int_equal(fate_of(&rows, pair.data, 0), BLOCK_GOOD);
	assert_int_equal(fate_of(&rows, pair.parity, 0), BLOCK_GOOD);
	rows_free(&rows);
	array_close(array);
	rack_close(&rack);
}

/* Aim: a parity that alone missed its write takes no data block with it. */
static void parity_lost_alone_leaves_its_neighbour_good(void **state)
{
	struct lost_pair pair = { .row = 1 };
	struct rows rows = { 0 };
	struct rack rack;
	struct array *array = array_make(&rack, &three);
	uint32_t lost;

	(void)state;
	reopen(&rows, array, 0);
	assert_int_equal(rows_load(&rows, 1, 1), 0);
	lose(&rows, &pair, 1, 9, REST_NEWER);
	uint8_t other[BLOCK_SIZE];
	change(&rows, pair.data, 1, other); /* twice: as it was put */
	entry_of(&rows, pair.data, 1)->generation = 9;
	rows_judge(&rows);
	assert_int_equal(fate_of(&rows, pair.data, 1), BLOCK_GOOD);
	assert_int_equal(fate_of(&rows, pair.parity, 1), BLOCK_STALE);
	assert_int_equal(rows_solve(&rows, &lost), 0);
	assert_memory_equal(bytes_of(&rows, pair.parity, 1), pair.parity_bytes, BLOCK_SIZE);
	rows_free(&rows);
	array_close(array);
	rack_close(&rack);
}

/*
 * Aim: a seal page whose write was lost costs nothing, where others know better. Method: the entry of each
 * cell becomes older than its block; the block is rebuilt, and equals what is there.
 */
static void lost_write_of_a_seal_alone_is_healed(void **state)
{
	static const struct policy policies[] = {
		{ .layout = LAYOUT_MIRROR, .checks = 2, .columns = 3, .unit_blocks = 16 },
		{ .layout = LAYOUT_PARITY, .checks = 2, .columns = 4, .unit_blocks = 16 },
		{ .layout = LAYOUT_SEQUENTIAL, .checks = 2, .columns = 3, .unit_blocks = 16 },
	};

	(void)state;
	for (size_t p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
		struct rows rows = { 0 };
		struct rack rack;
		struct array *array = array_make(&rack, &policies[p]);
		uint32_t lost, cells;
		uint8_t before[BLOCK_SIZE];

		reopen(&rows, array, 0);
		cells = rows.columns * rows.segments;
		for (uint32_t cell = 0; cell < cells; cell++) {
			uint32_t column = cell / rows.segments, segment = cell % rows.segments;

			reopen(&rows, array, 0);
			entry_of(&rows, cell, 0)->crc ^= 1;
			entry_of(&rows, cell, 0)->generation--;
			assert_int_equal(rows_load(&rows, 0, 1), 0);
			assert_int_equal(fate_of(&rows, cell, 0), BLOCK_MISMATCH);
			memcpy(before, bytes_of(&rows, cell, 0), BLOCK_SIZE);
			memset(bytes_of(&rows, cell, 0), 0, BLOCK_SIZE);
			rows_judge(&rows);
			assert_int_equal(fate_of(&rows, cell, 0), BLOCK_STALE);
			assert_int_equal(rows_solve(&rows, &lost), 0);
			assert_int_equal(lost, 0);
			assert_memory_equal(bytes_of(&rows, cell, 0), before, BLOCK_SIZE);
			rows_restore_entry(&rows, column, segment, 0, &rows.seals[column]);
			assert_int_equal(entry_of(&rows, cell, 0)->generation,
					 array_map(array)->groups[0]->generation);
		}
		rows_free(&rows);
		array_close(array);
		rack_close(&rack);
	}
}

/*
 * Aim: an entry that is newer than its witness keeps its word: what is rebuilt from a check that missed the
 * write must not pass. Method: a block newer than its parity, and torn.
 */
static void torn_block_newer_than_its_check_is_lost(void **state)
{
	const struct policy policy = {
		.layout = LAYOUT_PARITY, .checks = 1, .columns = 3, .unit_blocks = 16
	};
	struct rows rows = { 0 };
	struct rack rack;
	struct array *array = array_make(&rack, &policy);
	uint32_t lost;

	(void)state;
	reopen(&rows, array, 0);
	entry_of(&rows, 1, 0)->crc ^= 1;
	entry_of(&rows, 1, 0)->generation++;
	assert_int_equal(rows_load(&rows, 0, 1), 0);
	rows_judge(&rows);
	assert_int_equal(fate_of(&rows, 1, 0), BLOCK_MISMATCH);
	assert_int_equal(rows_solve(&rows, &lost), 0);
	assert_int_equal(lost, 1);
	rows_free(&rows);
	array_close(array);
	rack_close(&rack);
}

/*
 * Aim: a witness is 16 bits of a generation: a block that was not written for long is not stale.
 * Method: checks are 70000 generations younger than what they cover, as after a write to a neighbour.
 */
static void old_block_with_the_right_witness_is_good(void **state)
{
	struct rows rows = { 0 };
	struct rack rack;
	struct array *array = array_make(&rack, &three);
	uint32_t lost;

	(void)state;
	for (int damaged = 0; damaged < 2; damaged++) {
		reopen(&rows, array, 0);
		assert_int_equal(rows_load(&rows, 0, 1), 0);
		set_slice(&rows, 0, 9);
		for (uint16_t e = 0; e < code_equation_count(rows.code); e++) {
			const struct code_equation *equation = code_equation(rows.code, e);
			uint32_t check = check_of(equation);

			entry_of(&rows, check, 0)->generation = 70009;
			for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
				if (rows.defined_by[equation->terms[i].cell] != NO_EQUATION)
					witnesses_of(&rows, check, 0)[i] = (uint16_t)70009;
			}
		}
		if (damaged)
			rows.fates[rows_at(&rows, 0, 0, 0)] = BLOCK_MISMATCH;
		rows_judge(&rows);
		for (uint32_t cell = 0; cell < rows.columns * rows.segments; cell++)
			assert_int_equal(fate_of(&rows, cell, 0),
					 damaged && cell == 0 ? BLOCK_MISMATCH : BLOCK_GOOD);
		assert_int_equal(rows_solve(&rows, &lost), 0);
		assert_int_equal(lost, 0);
	}
	rows_free(&rows);
	array_close(array);
	rack_close(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_and_own_parity_lost_together_are_found),
		cmocka_unit_test(without_the_pure_parity_nobody_is_blamed),
		cmocka_unit_test(parity_lost_alone_leaves_its_neighbour_good),
		cmocka_unit_test(lost_write_of_a_seal_alone_is_healed),
		cmocka_unit_test(torn_block_newer_than_its_check_is_lost),
		cmocka_unit_test(old_block_with_the_right_witness_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

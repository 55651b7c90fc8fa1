/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of heal.h by its promises, on simulated disks: what a session that may write finds damaged it writes back. */
#include "core/array/array_internal.h"
#include "core/array/heal.h"
#include "core/map/address.h"
#include "tests/unit/write_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH (UINT64_C(96) * BLOCK_SIZE)
#define UNIT (4 * BLOCK_SIZE)

enum ill {
	ILL_NOT,
	ILL_FLIPPED,    /* the block has other bytes */
	ILL_SECTOR,     /* its reads fail, until it is written */
	ILL_ONCE,       /* its first read fails */
	ILL_UNWRITABLE, /* its reads and writes fail */
	ILL_SINK,       /* its reads fail; what is written is not what is read then */
	ILL_FULL,       /* all members have no space for it, and for nothing on other disks */
};

/* A desk with one block that is ill, and what was done to the cells of all disks since. */
struct ward {
	struct write_desk desk;
	enum ill ill;
	uint32_t disk;
	uint64_t offset;
	uint8_t right[BLOCK_SIZE]; /* what the block has to be */
	uint32_t cell_writes, log_writes;
};

static bool is_cell(const struct io *io)
{
	return io->role == IO_ROLE_DATA || io->role == IO_ROLE_PARITY || io->role == IO_ROLE_PURE;
}

static uint8_t *ward_bytes(struct ward *ward)
{
	return rack_bytes(&ward->desk.rack, ward->disk) + ward->offset;
}

static int read_ill(struct ward *ward)
{
	if (ward->ill == ILL_ONCE)
		ward->ill = ILL_NOT;
	else if (ward->ill == ILL_SINK && ward->cell_writes > 0)
		ward_bytes(ward)[200] = (uint8_t)~ward->right[200];
	else if (ward->ill != ILL_SECTOR && ward->ill != ILL_UNWRITABLE && ward->ill != ILL_SINK)
		return 0;
	return ward->ill == ILL_SINK && ward->cell_writes > 0 ? 0 : ERR_IO;
}

static int write_ill(struct ward *ward)
{
	if (ward->ill == ILL_UNWRITABLE)
		return ERR_IO;
	if (ward->ill == ILL_SECTOR)
		ward->ill = ILL_NOT;
	return 0;
}

static int ward_watch(void *arg, uint32_t disk, const struct io *io)
{
	struct ward *ward = arg;
	bool meets = disk == ward->disk && io->offset < ward->offset + BLOCK_SIZE &&
		     ward->offset < io->offset + io->size;

	if (io->op == IO_WRITE) {
		ward->cell_writes += is_cell(io);
		ward->log_writes += io->role == IO_ROLE_LOG;
		if (ward->ill == ILL_FULL && is_cell(io) && disk != ward->disk)
			return ERR_NOSPACE;
		return meets ? write_ill(ward) : 0;
	}
	return io->op == IO_READ && meets ? read_ill(ward) : 0;
}

static bool is_right(struct ward *ward)
{
	return memcmp(ward_bytes(ward), ward->right, BLOCK_SIZE) == 0;
}

/* Where the block at `offset` of the volume lies, or another cell of its row: `more` columns further. */
static void ward_choose(struct ward *ward, uint64_t offset, uint32_t more)
{
	struct map *map = array_map(ward->desk.array);
	struct address at;

	assert_true(address_of_volume(&at, NULL, map, ward->desk.volume, offset));
	at.column = (at.column + more) % at.group->shape.columns;
	ward->disk = at.group->extents[at.column].slot;
	ward->offset = address_to_member(map, &at);
	memcpy(ward->right, ward_bytes(ward), BLOCK_SIZE);
	ward->cell_writes = ward->log_writes = 0;
}

static void fall_ill(struct ward *ward, enum ill ill)
{
	ward->ill = ill;
	if (ill == ILL_FLIPPED || ill == ILL_SECTOR)
		ward_bytes(ward)[100] ^= 1;
}

static void ward_open(struct ward *ward, uint32_t layout, enum journal_mode journal)
{
	*ward = (struct ward){ 0 };
	desk_open(&ward->desk, seeded_env(layout), &write_layouts[layout], journal, LENGTH);
	ward->desk.rack.watch = ward_watch;
	ward->desk.rack.watch_arg = ward;
}

static void ward_close(struct ward *ward)
{
	desk_close(&ward->desk);
}

/* The result of reading all of the volume, which must be right. */
static struct array_read_result read_all(struct ward *ward)
{
	static uint8_t bytes[LENGTH];
	struct array_read_result result;
	struct err err = { 0 };

	if (array_read(ward->desk.array, ward->desk.volume, 0, bytes, LENGTH, &result, &err))
		fail_msg("%s: %s", ward->desk.layout->name, err.text);
	assert_int_equal(result.lost, 0);
	assert_memory_equal(bytes, ward->desk.model, LENGTH);
	return result;
}

/* Read it with one block ill, which must be written back. */
static void heal_one(struct ward *ward, enum ill ill)
{
	fall_ill(ward, ill);
	struct array_read_result result = read_all(ward);

	assert_int_equal(result.reconstructed, BLOCK_SIZE);
	assert_int_equal(result.healed, BLOCK_SIZE);
	assert_int_equal(ward->cell_writes, 1);
	assert_int_equal(ward->log_writes, 0);
	assert_true(is_right(ward));
	assert_true(ill == ILL_FLIPPED || ward->ill == ILL_NOT);
	assert_int_equal(read_all(ward).reconstructed, 0);
	ward->ill = ILL_NOT;
}

/*
 * SPEC R77, and "same": a bad sector and a damaged block that a reader meets are rewritten with what was there, with no
 * record of the log, and read clean after that. Method: blocks all over a volume, of every layout with checks.
 */
static void test_same_R77_bad_blocks_are_written_back(void **state)
{
	(void)state;
	for (uint32_t layout = 1; layout < WRITE_LAYOUTS; layout++) {
		struct ward ward;

		ward_open(&ward, layout, JOURNAL_DEGRADED);
		for (uint64_t at = 0; at < LENGTH; at += 7 * BLOCK_SIZE) {
			ward_choose(&ward, at, 0);
			heal_one(&ward, ILL_SECTOR);
			ward.cell_writes = 0;
			heal_one(&ward, ILL_FLIPPED);
		}
		desk_scrub(&ward.desk);
		ward_close(&ward);
	}
}

/* An array that is only read writes nothing, whatever is read. */
static void test_nothing_is_written_by_who_only_reads(void **state)
{
	struct ward ward;

	(void)state;
	ward_open(&ward, 3, JOURNAL_DEGRADED);
	desk_reopen(&ward.desk, UINT32_MAX, ARRAY_READ);
	ward_choose(&ward, 5 * BLOCK_SIZE, 0);
	fall_ill(&ward, ILL_FLIPPED);
	uint64_t writes = ward.desk.rack.writes;
	struct array_read_result result = read_all(&ward);

	assert_int_equal(result.reconstructed, BLOCK_SIZE);
	assert_int_equal(result.healed, 0);
	assert_int_equal(ward.desk.rack.writes, writes);
	ward_close(&ward);
}

/*
 * "good": what verifies by then is not written. Method: a block whose first read alone fails; a seal page that is damaged,
 * so that nobody can say of its blocks that they were solved right.
 */
static void test_good_blocks_are_not_written(void **state)
{
	struct ward ward;
	struct address at;

	(void)state;
	ward_open(&ward, 3, JOURNAL_DEGRADED);
	ward_choose(&ward, 5 * BLOCK_SIZE, 0);
	fall_ill(&ward, ILL_ONCE);
	assert_int_equal(read_all(&ward).healed, 0);
	assert_int_equal(ward.cell_writes, 0);

	struct map *map = array_map(ward.desk.array);
	assert_true(address_of_volume(&at, NULL, map, ward.desk.volume, 5 * BLOCK_SIZE));
	uint64_t page = extent_seal_offset(map, &at.group->extents[at.column]) + BLOCK_SIZE;

	rack_bytes(&ward.desk.rack, ward.disk)[page + 9] ^= 1;
	for (enum ill ill = ILL_FLIPPED; ill <= ILL_SECTOR; ill++) {
		fall_ill(&ward, ill);
		struct array_read_result result = read_all(&ward);

		assert_true(result.reconstructed > 0);
		assert_int_equal(result.healed, 0);
		assert_int_equal(ward.cell_writes, 0);
	}
	ward_close(&ward);
}

/*
 * "good": of a slice only what could be solved is written. Method: in a row of a sequential group two blocks are damaged,
 * too many for it; a third one in another row of that slice is read.
 */
static void test_good_lost_blocks_stay_as_they_are(void **state)
{
	uint8_t before[2][BLOCK_SIZE], block[BLOCK_SIZE], *lost[2];
	struct array_read_result result;
	struct volume_part part;
	struct err err = { 0 };
	struct address at;
	struct ward ward;

	(void)state;
	ward_open(&ward, 6, JOURNAL_DEGRADED);
	struct map *map = array_map(ward.desk.array);

	assert_true(address_of_volume(&at, NULL, map, ward.desk.volume, 0));
	for (uint32_t i = 0; i < 2; i++) {
		at.column = i;
		lost[i] = rack_bytes(&ward.desk.rack, at.group->extents[i].slot) +
			  address_to_member(map, &at);
		lost[i][3] ^= 1;
		memcpy(before[i], lost[i], BLOCK_SIZE);
	}
	at.block += at.group->segment_blocks;
	assert_true(address_to_volume(&part, map, &at));
	ward_choose(&ward, part.offset, 0);
	fall_ill(&ward, ILL_FLIPPED);
	assert_int_equal(array_read(ward.desk.array, ward.desk.volume, part.offset, block,
				    BLOCK_SIZE, &result, &err),
			 0);
	assert_int_equal(result.healed, BLOCK_SIZE);
	assert_true(is_right(&ward));
	for (uint32_t i = 0; i < 2; i++)
		assert_memory_equal(lost[i], before[i], BLOCK_SIZE);
	ward_close(&ward);
}

/* "whole": while a column of the group is absent nothing is written back, though two checks could solve it. */
static void test_whole_groups_alone(void **state)
{
	struct ward ward;

	(void)state;
	ward_open(&ward, 4, JOURNAL_DEGRADED);
	ward_choose(&ward, 0, 1);
	uint32_t gone = ward.disk;

	desk_reopen(&ward.desk, ~(UINT32_C(1) << gone), ARRAY_WRITE);
	ward_choose(&ward, 0, 0);
	fall_ill(&ward, ILL_FLIPPED);
	assert_int_equal(read_all(&ward).healed, 0);
	assert_int_equal(ward.cell_writes, 0);
	ward_close(&ward);
}

/*
 * "whole": rows that a write left half-way are not touched, since their seals do not say what is there. Method: a write
 * of one block finds space on one member alone; then a block beside it is damaged, on a member with space, and read.
 */
static void test_whole_rows_alone(void **state)
{
	(void)state;
	for (uint32_t journal = 0; journal < JOURNAL_SMALL; journal++) {
		struct array_write_result written;
		struct rng rng = rng_seeded(3);
		struct array_read_result result;
		uint8_t block[BLOCK_SIZE];
		struct err err = { 0 };
		struct ward ward;

		ward_open(&ward, 4, (enum journal_mode)journal);
		ward_choose(&ward, 0, 0);
		ward.ill = ILL_FULL;
		int rc = desk_write(&ward.desk, &rng, 0, BLOCK_SIZE, &written);

		assert_int_equal(rc, ERR_NOSPACE);
		ward_choose(&ward, UNIT, 0);
		ward_bytes(&ward)[7] ^= 1;
		assert_int_equal(array_read(ward.desk.array, ward.desk.volume, UNIT, block,
					    BLOCK_SIZE, &result, &err),
				 0);
		assert_int_equal(result.healed, 0);
		assert_false(is_right(&ward));
		ward_close(&ward);
	}
}

/* "once": a member that does not take the block, or gives back another, is not written to again. */
static void test_once_is_enough(void **state)
{
	for (enum ill ill = ILL_UNWRITABLE; ill <= ILL_SINK; ill++) {
		struct ward ward;

		(void)state;
		ward_open(&ward, 3, JOURNAL_DEGRADED);
		ward_choose(&ward, 5 * BLOCK_SIZE, 0);
		fall_ill(&ward, ill);
		for (uint32_t i = 0; i < 3; i++) {
			struct array_read_result result = read_all(&ward);

			assert_int_equal(result.reconstructed, BLOCK_SIZE);
			assert_int_equal(result.healed, 0);
			assert_int_equal(ward.cell_writes, 1);
		}
		ward_close(&ward);
	}
}

/*
 * A writer heals what he had to solve: with each other cell of a row ill in turn, a block of it is written; every ill cell
 * that was needed is right afterwards, and one of them at least is not the writer's own.
 */
static void test_writers_heal_beside_what_they_write(void **state)
{
	(void)state;
	for (uint32_t layout = 3; layout < WRITE_LAYOUTS; layout++) {
		uint64_t healed = 0;
		struct ward ward;
		struct rng rng = rng_seeded(layout);

		ward_open(&ward, layout, JOURNAL_DEGRADED);
		for (uint32_t more = 1; more < write_layouts[layout].columns; more++) {
			struct array_write_result result;

			ward_choose(&ward, 0, more);
			fall_ill(&ward, ILL_FLIPPED);
			assert_int_equal(desk_write(&ward.desk, &rng, 100, 200, &result), 0);
			healed += result.healed;
			if (result.healed > 0)
				assert_true(is_right(&ward));
			read_all(&ward);
			desk_settle(&ward.desk);
		}
		if (write_layouts[layout].layout == LAYOUT_PARITY)
			assert_true(healed > 0);
		ward_close(&ward);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_R77_bad_blocks_are_written_back),
		cmocka_unit_test(test_nothing_is_written_by_who_only_reads),
		cmocka_unit_test(test_good_blocks_are_not_written),
		cmocka_unit_test(test_good_lost_blocks_stay_as_they_are),
		cmocka_unit_test(test_whole_groups_alone),
		cmocka_unit_test(test_whole_rows_alone),
		cmocka_unit_test(test_once_is_enough),
		cmocka_unit_test(test_writers_heal_beside_what_they_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

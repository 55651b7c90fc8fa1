/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lies beside the superblocks of Linux MD, and the shapes they describe. Aim: bitmap, bad-block log,
 * partial parity log and journal are read as they were written, their damage is named, and dirty chunks are
 * counted right; shapes have the names and sizes that the kernel gives them.
 * Method: records there and back; each field set to what it cannot be; counting against a plain loop; a table
 * of sizes from arrays that a kernel made; all sets of missing members of small raid10 arrays against the
 * places of their copies.
 */
#include "core/base/rng.h"
#include "formats/crc32c.h"
#include "formats/facts.h"
#include "formats/md_bad_blocks.h"
#include "formats/md_bitmap.h"
#include "formats/md_journal.h"
#include "formats/md_ppl.h"
#include "tests/unit/map_help.h"
#include "tests/unit/md_help.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t uuid[16] = { 9, 8, 7, 6, 5, 4, 3, 2, 1 };

static struct md_bitmap bitmap_sample(void)
{
	struct md_bitmap bitmap = {
		.version = MD_BITMAP_LITTLE_ENDIAN,
		.events = 10,
		.events_cleared = 10,
		.sync_sectors = 14336,
		.chunk_bytes = 65536,
		.daemon_sleep_s = 5,
	};

	memcpy(bitmap.uuid, uuid, sizeof(uuid));
	return bitmap;
}

static const struct {
	const char *field;
	uint32_t offset;
	uint32_t value;
} bitmap_cases[] = {
	{ "bitmap_version", 4, 2 },
	{ "bitmap_version", 4, 7 },
	{ "bitmap_uuid", 8, 1 },
	{ "bitmap_events", 24, 9 },
	{ "events_cleared", 32, 11 },
	{ "sync_sectors", 40, 0 },
	{ "sync_sectors", 44, 1 },
	{ "sync_sectors", 44, UINT32_MAX },
	{ "bitmap_state", 48, 1 },
	{ "bitmap_state", 48, MD_BITMAP_STALE },
	{ "bitmap_chunk_bytes", 52, 0 },
	{ "bitmap_chunk_bytes", 52, 256 },
	{ "bitmap_chunk_bytes", 52, 65537 },
	{ "daemon_sleep", 56, 0 },
	{ "write_behind", 60, 16384 },
	{ "sectors_reserved", 64, 9 },
	{ "nodes", 68, 1 },
	{ "bitmap_reserved", 136, 1 },
	{ "bitmap_reserved", 252, 1 },
};

static void every_field_of_a_bitmap_is_checked(void **state)
{
	struct md_bitmap_place place = { .events = 10, .room_bytes = 4096 };
	uint8_t bytes[MD_BITMAP_SIZE], again[MD_BITMAP_SIZE];

	(void)state;
	memcpy(place.uuid, uuid, sizeof(uuid));
	for (size_t i = 0; i <= sizeof(bitmap_cases) / sizeof(bitmap_cases[0]); i++) {
		bool whole = i == sizeof(bitmap_cases) / sizeof(bitmap_cases[0]);
		struct md_bitmap bitmap = bitmap_sample();
		struct md_faults faults = { 0 };
		struct err err = { 0 };

		md_bitmap_encode(bytes, &bitmap);
		if (!whole)
			put_le32(bytes + bitmap_cases[i].offset, bitmap_cases[i].value);
		assert_int_equal(md_bitmap_decode(&bitmap, bytes, &err), 0);
		md_bitmap_encode(again, &bitmap);
		assert_memory_equal(bytes, again, sizeof(bytes));
		md_bitmap_validate(&faults, &bitmap, &place);
		if (whole)
			assert_int_equal(faults.count, 0);
		else if (!md_fault_in(&faults, bitmap_cases[i].field))
			fail_msg("%s becomes %u: no fault", bitmap_cases[i].field,
				 bitmap_cases[i].value);
	}
	bytes[0] ^= 1;
	assert_int_equal(md_bitmap_decode(&(struct md_bitmap){ 0 }, bytes, &(struct err){ 0 }),
			 ERR_NOT_MEMBER);
}

/* Bits behind the last chunk do not count, and parts add up to the whole. */
static void dirty_chunks_are_counted(void **state)
{
	struct rng rng = rng_seeded(test_seed(31));
	uint8_t bits[64];

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct md_bitmap bitmap = bitmap_sample();
		uint64_t chunks = 1 + rng_below(&rng, sizeof(bits) * 8), dirty = 0;

		for (size_t i = 0; i < sizeof(bits); i++)
			bits[i] = (uint8_t)rng_next(&rng);
		bitmap.sync_sectors = chunks * 128 - rng_below(&rng, 128);
		assert_int_equal(md_bitmap_chunks(&bitmap), chunks);
		for (uint64_t i = 0; i < chunks; i++)
			dirty += bits[i / 8] >> i % 8 & 1;
		assert_int_equal(md_bitmap_count_dirty(&bitmap, 0, bits, sizeof(bits)), dirty);
		assert_int_equal(md_bitmap_count_dirty(&bitmap, 0, bits, 8) +
					 md_bitmap_count_dirty(&bitmap, 64, bits + 8, 56),
				 dirty);
	}
}

/* A lockless bitmap has a byte for each chunk: unwritten and clean ones need nothing. */
static void lockless_bitmaps_count_bytes(void **state)
{
	const uint8_t states[] = { 0, 1, 2, 3, 4, 1, 0, 2 };
	struct md_bitmap bitmap = bitmap_sample();

	(void)state;
	bitmap.version = MD_BITMAP_LOCKLESS;
	bitmap.sync_sectors = UINT64_C(128) * 7;
	assert_int_equal(md_bitmap_bytes(&bitmap), 7);
	assert_int_equal(md_bitmap_count_dirty(&bitmap, 0, states, sizeof(states)), 3);
}

static void bad_blocks_are_read_as_written(void **state)
{
	struct rng rng = rng_seeded(test_seed(32));
	static struct md_bad_blocks blocks, read;
	static uint8_t bytes[4096];
	struct err err = { 0 };

	(void)state;
	for (uint32_t count = 0; count <= MD_BAD_BLOCKS_MAX; count += 64) {
		struct md_faults faults = { 0 };

		blocks.shift = count % 5;
		blocks.count = count;
		for (uint32_t i = 0; i < count; i++) {
			blocks.at[i].first_sector = rng_below(&rng, 10000) << blocks.shift;
			blocks.at[i].sector_count = (1 + rng_below(&rng, 1023)) << blocks.shift;
		}
		md_bad_blocks_encode(bytes, sizeof(bytes), &blocks);
		assert_int_equal(
			md_bad_blocks_decode(&read, bytes, sizeof(bytes), blocks.shift, &err), 0);
		assert_int_equal(read.count, count);
		assert_memory_equal(read.at, blocks.at, count * sizeof(blocks.at[0]));
		md_bad_blocks_validate(&faults, &read, UINT64_C(1) << 40);
		assert_int_equal(faults.count, 0);
		if (count) {
			md_bad_blocks_validate(&faults, &read, 1);
			assert_true(md_fault_in(&faults, "bad_blocks"));
		}
	}
	put_le64(bytes, UINT64_C(1) << 63);
	assert_int_equal(md_bad_blocks_decode(&read, bytes, sizeof(bytes), 31, &err), ERR_FORMAT);
}

static struct md_ppl ppl_sample(void)
{
	struct md_ppl ppl = { .generation = 7, .entry_count = 2 };

	memset(ppl.reserved, 0xff, sizeof(ppl.reserved));
	ppl.signature = ~crc32c_of(UINT32_MAX, uuid, sizeof(uuid));
	for (uint32_t i = 0; i < ppl.entry_count; i++)
		ppl.entries[i] = (struct md_ppl_entry){ 100 * i, 4096, 8192, i, 5 };
	return ppl;
}

static void every_field_of_a_partial_parity_log_is_checked(void **state)
{
	static const struct {
		const char *field;
		uint32_t offset, value;
		bool keep_sum;
	} cases[] = {
		{ NULL, 520, 8, false },
		{ "ppl_checksum", 520, 8, true },
		{ "ppl_signature", 512, 1, false },
		{ "ppl_reserved", 516, 1, false },
		{ "ppl_entries", 536 + 8, 0x100000, false },
		{ "ppl_entries", 536 + 16, 4, false },
		{ "ppl_entries", 536 + 8, 100, false },
		{ "ppl_entries", 536 + 12, 100, false },
		{ "ppl_reserved", 4092, 1, true },
	};
	static uint8_t bytes[MD_PPL_SIZE];
	static struct md_ppl ppl;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct md_faults faults = { 0 };
		struct err err = { 0 };

		ppl = ppl_sample();
		md_ppl_encode(bytes, &ppl);
		put_le32(bytes + cases[i].offset, cases[i].value);
		assert_int_equal(md_ppl_decode(&ppl, bytes, &err), 0);
		if (!cases[i].keep_sum)
			ppl.checksum = ppl.checksum_expected;
		md_ppl_validate(&faults, &ppl, uuid, 4, 65536);
		if (cases[i].field && !md_fault_in(&faults, cases[i].field))
			fail_msg("%s: no fault", cases[i].field);
		if (!cases[i].field)
			assert_int_equal(faults.count, 0);
	}
	put_le32(bytes + 528, MD_PPL_ENTRIES_MAX + 1);
	assert_int_equal(md_ppl_decode(&ppl, bytes, &(struct err){ 0 }), ERR_FORMAT);
}

static void every_field_of_a_journal_is_checked(void **state)
{
	static const struct {
		const char *field;
		uint32_t offset, value;
	} cases[] = {
		{ "journal_version", 8, 2 },      { "journal_reserved", 8, 0x101 },
		{ "journal_meta_bytes", 12, 31 }, { "journal_meta_bytes", 12, 4097 },
		{ "journal_position", 24, 17 },   { "journal_checksum", 4, 1 },
		{ "journal_checksum", 4000, 1 },
	};
	static uint8_t bytes[MD_JOURNAL_SIZE];
	static struct md_journal journal;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct md_faults faults = { 0 };

		journal = (struct md_journal){ .version = 1,
					       .meta_bytes = 32,
					       .position_sectors = 16 };
		md_journal_encode(bytes, &journal, uuid);
		assert_int_equal(md_journal_decode(&journal, bytes, uuid, &err), 0);
		md_journal_validate(&faults, &journal, 16);
		assert_int_equal(faults.count, 0);
		put_le32(bytes + cases[i].offset, cases[i].value);
		assert_int_equal(md_journal_decode(&journal, bytes, uuid, &err), 0);
		md_journal_validate(&faults, &journal, 16);
		if (!md_fault_in(&faults, cases[i].field))
			fail_msg("%s: no fault", cases[i].field);
	}
	bytes[0] ^= 1;
	assert_int_equal(md_journal_decode(&journal, bytes, uuid, &err), ERR_NOT_MEMBER);
}

/* As the kernel gave them: sectors used on each member, and bytes of the array. */
static void sizes_are_those_of_the_kernel(void **state)
{
	static const struct {
		struct md_shape shape;
		const char *layout;
		uint64_t bytes;
	} cases[] = {
		{ { MD_RAID1, 0, 0, 3, 9856 }, "", 5046272 },
		{ { MD_RAID4, 0, 4096, 3, 7952 }, "", 8142848 },
		{ { MD_RAID5, 2, 65536, 4, 14336 }, "left-symmetric", 22020096 },
		{ { MD_RAID5, 3, 131072, 5, 13824 }, "right-symmetric", 28311552 },
		{ { MD_RAID6, 9, 16384, 6, 9952 }, "ddf-N-restart", 20381696 },
		{ { MD_RAID6, 16, 16384, 5, 9952 }, "left-asymmetric-6", 15286272 },
		{ { MD_RAID10, 258, 32768, 4, 11904 }, "near=2", 12189696 },
		{ { MD_RAID10, 769, 65536, 4, 11904 }, "far=3", 8126464 },
		{ { MD_RAID10, 259, 8192, 5, 7952 }, "near=3", 6782976 },
		{ { MD_RAID10, 66049, 16384, 3, 11968 }, "offset=2", 9191424 },
		{ { MD_RAID10, 0x202, 65536, 4, 256 }, "near=2, far=2", 131072 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[MD_LAYOUT_NAME_SIZE];
		uint64_t bytes = 0;

		assert_true(md_array_bytes(&bytes, &cases[i].shape));
		assert_int_equal(bytes, cases[i].bytes);
		md_layout_name(name, cases[i].shape.level, cases[i].shape.layout);
		assert_string_equal(name, cases[i].layout);
	}
	assert_false(
		md_array_bytes(&(uint64_t){ 0 }, &(struct md_shape){ MD_RAID0, 0, 4096, 3, 8 }));
	assert_false(md_array_bytes(&(uint64_t){ 0 },
				    &(struct md_shape){ MD_RAID5, 2, 65536, 4, UINT64_MAX }));
	assert_int_equal(md_data_sectors(&(struct md_shape){ MD_RAID0, 0, 32768, 4, 0 }, 10352),
			 10304);
	assert_int_equal(md_data_sectors(&(struct md_shape){ MD_RAID5, 2, 32768, 4, 0 }, 10352),
			 10352);
}

/* Is a copy of each chunk left? The places of copies as md(4) describes them, chunk by chunk. */
static bool copies_are_left(const struct md_shape *shape, const bool *present)
{
	struct md_raid10 raid10 = { 0 };

	assert_true(md_raid10_of(&raid10, shape->layout));
	for (uint32_t chunk = 0; chunk < 64; chunk++) {
		bool left = false;

		for (uint32_t near = 0; near < raid10.near_copies; near++) {
			uint32_t slot = (chunk * raid10.near_copies + near) % shape->raid_disks;

			for (uint32_t far = 0; far < raid10.far_copies; far++)
				left = left || present[(slot + far * raid10.near_copies) %
						       shape->raid_disks];
		}
		if (!left)
			return false;
	}
	return true;
}

static void raid10_says_which_members_may_be_missing(void **state)
{
	static const uint32_t layouts[] = { 0x102, 0x103, 0x201, 0x301, 0x10201, 0x10301, 0x202 };

	(void)state;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		for (uint32_t disks = 4; disks <= 7; disks++) {
			const struct md_shape shape = { MD_RAID10, layouts[i], 4096, disks, 64 };

			for (uint32_t set = 0; set < 1u << disks; set++) {
				bool present[7];

				for (uint32_t slot = 0; slot < disks; slot++)
					present[slot] = set >> slot & 1;
				assert_int_equal(md_slots_suffice(&shape, present),
						 copies_are_left(&shape, present));
			}
		}
	}
}

static void other_levels_may_miss_as_many_as_they_have_checks(void **state)
{
	static const struct {
		int32_t level;
		uint32_t missing;
	} cases[] = { { MD_LINEAR, 0 }, { MD_RAID0, 0 }, { MD_RAID1, 4 },
		      { MD_RAID4, 1 },  { MD_RAID5, 1 }, { MD_RAID6, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct md_shape shape = { cases[i].level, 0, 4096, 5, 64 };

		for (uint32_t set = 0; set < 32; set++) {
			bool present[5];

			for (uint32_t slot = 0; slot < 5; slot++)
				present[slot] = set >> slot & 1;
			assert_int_equal(md_slots_suffice(&shape, present),
					 5 - (uint32_t)__builtin_popcount(set) <= cases[i].missing);
		}
	}
}

static void crc32c_is_castagnoli(void **state)
{
	const uint8_t digits[] = "123456789";

	(void)state;
	assert_int_equal(~crc32c_of(UINT32_MAX, digits, 9), 0xe3069283u);
	assert_int_equal(~crc32c_of(crc32c_of(UINT32_MAX, digits, 4), digits + 4, 5), 0xe3069283u);
}

static void facts_name_bits(void **state)
{
	static const char *const names[] = { "one", NULL, "four" };
	static struct facts facts;

	(void)state;
	fact_bits(&facts, "bits", 0xf, names, 3);
	assert_string_equal(facts.at[0].text, "one, bit 1, four, bit 3");
	fact_bits(&facts, "none", 0, names, 3);
	assert_string_equal(facts.at[1].text, "");
	fact_bits(&facts, "all", UINT64_MAX, names, 3);
	assert_int_equal(strlen(facts.at[2].text), FACT_TEXT_MAX - 1);
	fact_number_or(&facts, "position", 5, UINT64_MAX, "none");
	assert_int_equal(facts.at[3].number, 5);
	fact_number_or(&facts, "position", UINT64_MAX, UINT64_MAX, "none");
	assert_string_equal(facts.at[4].text, "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_bitmap_is_checked),
		cmocka_unit_test(dirty_chunks_are_counted),
		cmocka_unit_test(lockless_bitmaps_count_bytes),
		cmocka_unit_test(bad_blocks_are_read_as_written),
		cmocka_unit_test(every_field_of_a_partial_parity_log_is_checked),
		cmocka_unit_test(every_field_of_a_journal_is_checked),
		cmocka_unit_test(sizes_are_those_of_the_kernel),
		cmocka_unit_test(raid10_says_which_members_may_be_missing),
		cmocka_unit_test(other_levels_may_miss_as_many_as_they_have_checks),
		cmocka_unit_test(crc32c_is_castagnoli),
		cmocka_unit_test(facts_name_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

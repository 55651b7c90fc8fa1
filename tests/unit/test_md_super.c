/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Superblocks of Linux MD: aim is that what decodes encodes to the same bytes, and that no damage is taken
 * for a superblock without faults.
 * Method: random ones of both formats and byte orders there and back; every bit of one flipped; every field
 * set to what it cannot be, with the sum put right, must be a fault in that field's name; the sums
 * of superblocks that a kernel wrote.
 */
#include "core/base/rng.h"
#include "tests/unit/map_help.h"
#include "tests/unit/md_help.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void random_fill(struct rng *rng, uint8_t *bytes)
{
	for (size_t i = 0; i < MD_SUPER_SIZE; i++)
		bytes[i] = (uint8_t)rng_next(rng);
}

static void any_1_x_is_encoded_as_it_was(void **state)
{
	struct rng rng = rng_seeded(test_seed(21));
	static uint8_t bytes[MD_SUPER_SIZE], again[MD_SUPER_SIZE];
	static struct md1 super;

	(void)state;
	for (int round = 0; round < 300; round++) {
		uint32_t max_dev = (uint32_t)rng_below(&rng, MD1_ROLES_MAX + 1);
		struct err err = { 0 };

		random_fill(&rng, bytes);
		put_le32(bytes, MD_MAGIC);
		put_le32(bytes + 4, 1);
		put_le32(bytes + 220, max_dev);
		assert_int_equal(md1_decode(&super, bytes, &err), 0);
		put_le32(bytes + 216, super.checksum_expected);
		md1_encode(again, &super);
		assert_memory_equal(bytes, again, 256 + 2 * (size_t)max_dev);
		assert_true(bytes_are_zero(again + 256 + 2 * (size_t)max_dev,
					   MD_SUPER_SIZE - 256 - 2 * (size_t)max_dev));
	}
}

/* Words that are reserved have to be zero. */
static void reserved_clear(uint8_t *bytes)
{
	memset(bytes + 64, 0, 64);
	memset(bytes + 200, 0, 56);
	memset(bytes + 272, 0, 240);
	for (uint32_t i = 0; i <= MD0_DISKS_MAX; i++)
		memset(bytes + 512 + 128 * (size_t)i + 20, 0, 108);
}

static void any_0_90_is_encoded_as_it_was(void **state)
{
	struct rng rng = rng_seeded(test_seed(22));
	static uint8_t bytes[MD_SUPER_SIZE], again[MD_SUPER_SIZE];
	static struct md0 super;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct err err = { 0 };
		bool big = round % 2;

		random_fill(&rng, bytes);
		reserved_clear(bytes);
		(big ? put_be32 : put_le32)(bytes, MD_MAGIC);
		put_le32(bytes + 4, 0);
		assert_int_equal(md0_decode(&super, bytes, &err), 0);
		assert_int_equal(super.big_endian, big);
		assert_false(super.reserved_used);
		(big ? put_be32 : put_le32)(bytes + 152, super.checksum_expected);
		md0_encode(again, &super);
		assert_memory_equal(bytes, again, MD_SUPER_SIZE);
	}
}

/* The same array written by machines of both kinds says the same, but for its byte order. */
static void byte_orders_mean_the_same(void **state)
{
	struct md0 little = md0_sample(1, false), big = md0_sample(1, true);
	static struct md_member a, b;
	uint8_t bytes[MD_SUPER_SIZE];

	(void)state;
	assert_int_equal(little.checksum, big.checksum);
	md_member_from_md0(&a, &little, md0_sector(), MD_HELP_SECTORS);
	md_member_from_md0(&b, &big, md0_sector(), MD_HELP_SECTORS);
	assert_true(uuid_equal(&a.array, &b.array));
	assert_int_equal(a.events, b.events);
	assert_int_equal(a.slot, b.slot);
	assert_memory_not_equal(a.array_raw, b.array_raw, sizeof(a.array_raw));
	little.big_endian = true;
	assert_memory_equal(&little, &big, sizeof(big));
	/* Numbers of 64 bits: the half that stands first is the machine's. */
	big.events = UINT64_C(0x0000000100000002);
	md0_encode(bytes, &big);
	assert_int_equal(get_be32(bytes + 156), 1);
	assert_int_equal(get_be32(bytes + 160), 2);
	big.big_endian = false;
	md0_encode(bytes, &big);
	assert_int_equal(get_le32(bytes + 156), 2);
	assert_int_equal(get_le32(bytes + 160), 1);
}

static void samples_have_no_faults(void **state)
{
	(void)state;
	for (uint32_t slot = 0; slot < MD_HELP_DISKS; slot++) {
		struct md1 super = md1_sample(slot);
		struct md0 old = md0_sample(slot, slot % 2);
		struct md_faults faults = { 0 };

		md1_validate(&faults, &super, 2, MD_HELP_SECTORS);
		md0_validate(&faults, &old, md0_sector(), MD_HELP_SECTORS);
		if (faults.count)
			fail_msg("%s: %s", faults.at[0].field, faults.at[0].text);
	}
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct md1 super = md1_sample(0), read;
	struct md0 old = md0_sample(0, true), read_old;
	static uint8_t bytes[MD_SUPER_SIZE];

	(void)state;
	md1_encode(bytes, &super);
	for (uint32_t bit = 0; bit < (256 + 2 * super.max_dev) * 8; bit++) {
		struct md_faults faults = { 0 };
		struct err err = { 0 };

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (md1_decode(&read, bytes, &err) == 0)
			md1_validate(&faults, &read, 2, MD_HELP_SECTORS);
		assert_true(err.code || md_fault_in(&faults, "checksum"));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	md0_encode(bytes, &old);
	/* Of the longer one a bit of each byte. */
	for (uint32_t bit = 0; bit < MD_SUPER_SIZE * 8; bit += 9) {
		struct md_faults faults = { 0 };
		struct err err = { 0 };

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (md0_decode(&read_old, bytes, &err) == 0)
			md0_validate(&faults, &read_old, md0_sector(), MD_HELP_SECTORS);
		assert_true(err.code || md_fault_in(&faults, "checksum"));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* Features that a case needs before its field means anything. */
#define RESHAPE (MD1_RESHAPE_ACTIVE | MD1_NEW_OFFSET)

/* One field of a 1.2 superblock: at `offset`, `size` bytes wide, becomes `value`. */
static const struct {
	const char *field;
	uint32_t offset, size;
	uint64_t value;
	uint32_t features;
} cases_1[] = {
	{ "feature_map", 8, 4, 1 << 13, 0 },
	{ "feature_map", 8, 4, MD1_BITMAP_OFFSET | MD1_PPL, 0 },
	{ "reserved", 12, 4, 1, 0 },
	{ "created", 64, 8, UINT64_MAX, 0 },
	{ "level", 72, 4, 7, 0 },
	{ "level", 72, 4, UINT32_MAX - 1, 0 },
	{ "layout", 76, 4, 6, 0 },
	{ "layout", 76, 4, MD_DDF_N_RESTART, 0 },
	{ "component_sectors", 80, 8, 30721, 0 },
	{ "component_sectors", 80, 8, UINT64_MAX, 0 },
	{ "component_sectors", 80, 8, 0, 0 },
	{ "chunk_bytes", 88, 4, 0, 0 },
	{ "chunk_bytes", 88, 4, 7, 0 },
	{ "chunk_bytes", 88, 4, 24, 0 },
	{ "chunk_bytes", 88, 4, UINT32_MAX, 0 },
	{ "raid_disks", 92, 4, 0, 0 },
	{ "raid_disks", 92, 4, 1, 0 },
	{ "raid_disks", 92, 4, 1921, 0 },
	{ "roles", 92, 4, 3, 0 },
	{ "bitmap_location", 96, 4, 0, MD1_BITMAP_OFFSET },
	{ "bitmap_location", 96, 4, 4000, MD1_BITMAP_OFFSET },
	{ "bitmap_location", 96, 4, (uint32_t)-9, MD1_BITMAP_OFFSET },
	{ "bitmap_location", 96, 4, INT32_MAX, MD1_BITMAP_OFFSET },
	{ "ppl_sector", 96, 4, 100u << 16 | 0xfff0, MD1_PPL },
	{ "ppl_sector", 96, 4, 2040u << 16 | 8, MD1_MULTIPLE_PPLS },
	{ "ppl_sectors", 96, 4, 7u << 16 | 24, MD1_PPL },
	{ "new_level", 100, 4, 3, RESHAPE },
	{ "reshape_position", 104, 8, UINT64_MAX, RESHAPE },
	{ "delta_disks", 112, 4, 4, RESHAPE },
	{ "delta_disks", 112, 4, (uint32_t)-1917, RESHAPE },
	{ "new_layout", 116, 4, 11, RESHAPE },
	{ "new_chunk_bytes", 120, 4, 9, RESHAPE },
	{ "new_data_offset_sectors", 124, 4, (uint32_t)-2049, RESHAPE },
	{ "new_data_offset_sectors", 124, 4, 1, RESHAPE },
	{ "data_offset_sectors", 128, 8, 15, 0 },
	{ "data_sectors", 128, 8, UINT64_MAX, 0 },
	{ "data_sectors", 136, 8, 30721, 0 },
	{ "component_sectors", 136, 8, 30719, 0 },
	{ "super_offset_sectors", 144, 8, 0, 0 },
	{ "recovery_start", 152, 8, 30721, MD1_RECOVERY_OFFSET },
	{ "device_number", 160, 4, 128, 0 },
	{ "devflags", 184, 1, 4, 0 },
	{ "bad_block_log", 185, 1, 32, 0 },
	{ "bad_block_log", 186, 2, 9, 0 },
	{ "bad_block_log", 186, 2, 0, 0 },
	{ "bad_block_log", 188, 4, (uint32_t)-4, 0 },
	{ "bad_block_log", 188, 4, 2039, 0 },
	{ "bad_block_log", 188, 4, 0, MD1_BAD_BLOCKS },
	{ "updated", 192, 8, UINT64_MAX, 0 },
	{ "resync_start", 208, 8, UINT64_MAX - 1, 0 },
	{ "logical_block_size", 224, 4, 513, 0 },
	{ "reserved", 228, 1, 1, 0 },
	{ "reserved", 255, 1, 1, 0 },
	{ "roles", 256, 2, 4, 0 },
	{ "feature_map", 256, 2, MD1_ROLE_JOURNAL, 0 },
	{ "journal_tail", 256, 2, MD1_ROLE_JOURNAL, MD1_JOURNAL },
};

static void field_set(uint8_t *bytes, uint32_t offset, uint32_t size, uint64_t value)
{
	for (uint32_t i = 0; i < size; i++)
		bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

static void every_field_of_1_x_is_checked(void **state)
{
	static uint8_t bytes[MD_SUPER_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases_1) / sizeof(cases_1[0]); i++) {
		struct md1 super = md1_sample(0);
		struct md_faults faults = { 0 };
		struct err err = { 0 };

		super.features |= cases_1[i].features;
		super.new_level = MD_RAID5;
		super.new_layout = MD_LEFT_SYMMETRIC;
		super.new_chunk_sectors = 128;
		super.recovery_sectors = cases_1[i].features & MD1_JOURNAL ? 30720 : 0;
		md1_encode(bytes, &super);
		field_set(bytes, cases_1[i].offset, cases_1[i].size, cases_1[i].value);
		assert_int_equal(md1_decode(&super, bytes, &err), 0);
		md1_finish(&super);
		md1_validate(&faults, &super, 2, MD_HELP_SECTORS);
		if (!md_fault_in(&faults, cases_1[i].field))
			fail_msg("%s (bytes %u) becomes %" PRIu64 ": no fault of it, %u others",
				 cases_1[i].field, cases_1[i].offset, cases_1[i].value,
				 faults.count);
	}
}

/*
 * Room behind what is used of a member: data move into it while they are reshaped, so that the room, counted from where
 * they begin then, ends behind the device. The kernel writes it so for every reshape that goes backwards.
 */
static void data_move_into_the_room_behind_them(void **state)
{
	(void)state;
	for (int32_t distance = 2048; distance <= 2049; distance++) {
		struct md1 super = md1_sample(0);
		struct md_faults faults = { 0 };

		super.features |= RESHAPE | MD1_RESHAPE_BACKWARDS;
		super.new_level = super.level;
		super.new_layout = super.layout;
		super.new_chunk_sectors = super.chunk_sectors;
		super.size_sectors -= 2048;
		super.new_offset_sectors = distance;
		md1_finish(&super);
		md1_validate(&faults, &super, 2, MD_HELP_SECTORS);
		assert_int_equal(faults.count, distance == 2048 ? 0 : 1);
	}
}

/* One word of a 0.90 superblock. */
static const struct {
	const char *field;
	uint32_t offset;
	uint32_t value;
	uint32_t minor;
} cases_0[] = {
	{ "minor_version", 8, 92, 90 },
	{ "gvalid_words", 16, 1025, 90 },
	{ "level", 28, 7, 90 },
	{ "size", 32, 16321, 90 },
	{ "size", 32, 0, 90 },
	{ "nr_disks", 36, 28, 90 },
	{ "raid_disks", 40, 1, 90 },
	{ "raid_disks", 40, 28, 90 },
	{ "disks", 40, 3, 90 },
	{ "not_persistent", 48, 1, 90 },
	{ "reserved", 64, 1, 90 },
	{ "reserved", 124, 1, 90 },
	{ "state", 132, 1 << 9, 90 },
	{ "active_disks", 136, 28, 90 },
	{ "working_disks", 140, 28, 90 },
	{ "failed_disks", 144, 28, 90 },
	{ "spare_disks", 148, UINT32_MAX, 90 },
	{ "new_level", 184, 3, 91 },
	{ "delta_disks", 188, 4, 91 },
	{ "delta_disks", 188, (uint32_t)-24, 91 },
	{ "new_layout", 192, 6, 91 },
	{ "new_chunk_bytes", 196, 100, 91 },
	{ "reserved", 200, 1, 90 },
	{ "reserved", 252, 1, 90 },
	{ "layout", 256, 6, 90 },
	{ "chunk_bytes", 260, 12288, 90 },
	{ "reserved", 272, 1, 90 },
	{ "reserved", 508, 1, 90 },
	{ "disks", 512 + 128, 2, 90 },
	{ "disks", 512 + 128 + 12, 27, 90 },
	{ "disks", 512 + 128 + 16, 1 << 4, 90 },
	{ "reserved", 512 + 128 + 20, 1, 90 },
	{ "this_disk", 3968, 27, 90 },
	{ "this_disk", 3968 + 4, 99, 90 },
	{ "reserved", 4092, 1, 90 },
};

static void every_field_of_0_90_is_checked(void **state)
{
	static uint8_t bytes[MD_SUPER_SIZE];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases_0) / sizeof(cases_0[0]); i++) {
		bool big = i % 2;
		struct md0 super = md0_sample(0, big);
		struct md_faults faults = { 0 };
		struct err err = { 0 };

		super.minor_version = cases_0[i / 2].minor;
		super.new_level = MD_RAID5;
		super.new_layout = MD_LEFT_SYMMETRIC;
		super.new_chunk_bytes = 65536;
		md0_encode(bytes, &super);
		(big ? put_be32 : put_le32)(bytes + cases_0[i / 2].offset, cases_0[i / 2].value);
		assert_int_equal(md0_decode(&super, bytes, &err), 0);
		super.checksum = super.checksum_expected;
		md0_validate(&faults, &super, md0_sector(), MD_HELP_SECTORS);
		if (!md_fault_in(&faults, cases_0[i / 2].field))
			fail_msg("%s (bytes %u) becomes %u: no fault of it, %u others",
				 cases_0[i / 2].field, cases_0[i / 2].offset, cases_0[i / 2].value,
				 faults.count);
	}
}

static void what_is_none_is_refused(void **state)
{
	struct md1 super = md1_sample(0);
	struct md0 old = md0_sample(0, false);
	uint8_t bytes[MD_SUPER_SIZE] = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(md1_decode(&super, bytes, &err), ERR_NOT_MEMBER);
	assert_int_equal(md0_decode(&old, bytes, &err), ERR_NOT_MEMBER);
	md0_encode(bytes, &old);
	assert_int_equal(md1_decode(&super, bytes, &err), ERR_VERSION);
	md1_encode(bytes, &super);
	assert_int_equal(md0_decode(&old, bytes, &err), ERR_VERSION);
	put_le32(bytes + 220, MD1_ROLES_MAX + 1);
	assert_int_equal(md1_decode(&super, bytes, &err), ERR_FORMAT);
}

static void places_are_those_of_the_kernel(void **state)
{
	uint64_t sector = 0;

	(void)state;
	assert_true(md1_place(&sector, 0, 10002));
	assert_int_equal(sector, 9984);
	assert_true(md1_place(&sector, 0, 12000));
	assert_int_equal(sector, 11984);
	assert_true(md1_place(&sector, 1, 12000));
	assert_int_equal(sector, 0);
	assert_true(md1_place(&sector, 2, 12000));
	assert_int_equal(sector, 8);
	assert_false(md1_place(&sector, 0, 31));
	assert_true(md0_place(&sector, 13000));
	assert_int_equal(sector, 12800);
	assert_true(md0_place(&sector, 256));
	assert_int_equal(sector, 128);
	assert_false(md0_place(&sector, 255));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_1_x_is_encoded_as_it_was),
		cmocka_unit_test(any_0_90_is_encoded_as_it_was),
		cmocka_unit_test(byte_orders_mean_the_same),
		cmocka_unit_test(samples_have_no_faults),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(every_field_of_1_x_is_checked),
		cmocka_unit_test(data_move_into_the_room_behind_them),
		cmocka_unit_test(every_field_of_0_90_is_checked),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(places_are_those_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Superblock: aim is that a superblock says again what was put into it, and that nothing else is taken
 * for one.
 * Method: random superblocks there and back; every bit of one flipped; every field set to the values where
 * arithmetic turns over, with the checksum put right again.
 */
#include "core/base/crc.h"
#include "core/base/size.h"
#include "core/store/super.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct geometry native = { 0 };

#define SUPER_CRC_AT 4092u

static const struct geometry geometry = {
	.frame_body_blocks = 64,
	.frame_blocks = 67,
	.witness_max = 16,
	.map_half_size = 131072,
	.log_size = 262144,
};

static struct super super_of(struct rng *rng)
{
	struct super super = { .geometry = geometry };
	struct err err = { 0 };
	size_t name_size = 1 + (size_t)rng_below(rng, NAME_SIZE - 1);

	for (size_t i = 0; i < 16; i++) {
		super.array.bytes[i] = (uint8_t)rng_next(rng);
		super.member.bytes[i] = (uint8_t)rng_next(rng);
	}
	super.generation = 1 + rng_below(rng, UINT64_C(1) << 50);
	super.slot = (uint32_t)(super.generation % SUPER_SLOTS);
	super.offset = super_offset(&super.member, super.slot, &super.geometry);
	super.member_slot = (uint32_t)rng_below(rng, MEMBERS_MAX);
	super.epoch = 1 + rng_below(rng, 1000);
	super.epoch_id = rng_next(rng);
	super.map_crc_before = (uint32_t)rng_next(rng);
	super.map_crc = (uint32_t)rng_next(rng);
	super.map_half = (uint32_t)rng_below(rng, 2);
	super.map_length = BLOCK_SIZE * (1 + rng_below(rng, 32));
	super.written_s = rng_next(rng);
	super.present.bits = rng_next(rng);
	memset(super.name, 'n', name_size);
	assert_int_equal(super_regions(&super.regions,
				       (UINT64_C(8) << 20) + BLOCK_SIZE * rng_below(rng, 1 << 20),
				       &geometry, &err),
			 0);
	return super;
}

/* Field by field: padding in the struct has no say. */
static void assert_supers_equal(const struct super *a, const struct super *b)
{
	assert_int_equal(a->slot, b->slot);
	assert_int_equal(a->offset, b->offset);
	assert_memory_equal(&a->array, &b->array, sizeof(a->array));
	assert_memory_equal(&a->member, &b->member, sizeof(a->member));
	assert_int_equal(a->member_slot, b->member_slot);
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->epoch_id, b->epoch_id);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->map_crc_before, b->map_crc_before);
	assert_int_equal(a->map_crc, b->map_crc);
	assert_int_equal(a->map_half, b->map_half);
	assert_int_equal(a->map_length, b->map_length);
	assert_memory_equal(&a->regions, &b->regions, sizeof(a->regions));
	assert_int_equal(a->geometry.frame_blocks, b->geometry.frame_blocks);
	assert_int_equal(a->geometry.frame_body_blocks, b->geometry.frame_body_blocks);
	assert_int_equal(a->geometry.witness_max, b->geometry.witness_max);
	assert_int_equal(a->geometry.map_half_size, b->geometry.map_half_size);
	assert_int_equal(a->geometry.log_size, b->geometry.log_size);
	assert_int_equal(a->written_s, b->written_s);
	assert_int_equal(a->present.bits, b->present.bits);
	assert_string_equal(a->name, b->name);
}

static void what_was_written_is_read_again(void **state)
{
	struct rng rng = rng_seeded(test_seed(11));
	uint8_t bytes[BLOCK_SIZE], again[BLOCK_SIZE];

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct super super = super_of(&rng), read;
		struct err err = { 0 };

		super_encode(bytes, &super);
		if (super_decode(&read, bytes, super.offset, &err))
			fail_msg("%s", err.text);
		assert_supers_equal(&super, &read);
		super_encode(again, &read);
		assert_memory_equal(bytes, again, BLOCK_SIZE);
	}
}

static void every_flipped_bit_is_refused(void **state)
{
	struct rng rng = rng_seeded(test_seed(12));
	struct super super = super_of(&rng), read;
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	super_encode(bytes, &super);
	for (uint32_t bit = 0; bit < BLOCK_SIZE * 8; bit++) {
		struct err err = { 0 };

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int rc = super_decode(&read, bytes, super.offset, &err);
		assert_int_equal(rc, bit < 64 ? ERR_NOT_MEMBER : ERR_CHECKSUM);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void fix_crc(uint8_t *bytes)
{
	put_le32(bytes + SUPER_CRC_AT, crc32_of(0, bytes, SUPER_CRC_AT));
}

/* A single bit with the checksum put right: refused, or one of the fields that may have any value. */
static void flips_with_a_good_checksum_change_only_free_fields(void **state)
{
	struct rng rng = rng_seeded(test_seed(13));
	struct super super = super_of(&rng), read;
	uint8_t bytes[BLOCK_SIZE], again[BLOCK_SIZE];
	uint32_t taken = 0;

	(void)state;
	super_encode(bytes, &super);
	for (uint32_t bit = 64; bit < SUPER_CRC_AT * 8; bit++) {
		struct err err = { 0 };

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		fix_crc(bytes);
		if (super_decode(&read, bytes, super.offset, &err) == 0 &&
		    !(bit / 8 >= 24 && bit / 8 < 32)) { /* features that may be ignored */
			super_encode(again, &read);
			assert_memory_equal(bytes, again, BLOCK_SIZE);
			taken++;
		}
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* uuid of the array, epoch, its id, checksums, time, present, bytes of the name: not all else */
	assert_in_range(taken, 500, 3600);
}

struct field {
	const char *name;
	uint32_t at, size;
	int (*expected)(uint64_t value); /* ERR_ code, or 0: decodes */
};

static int exactly_one(uint64_t value)
{
	return value == 1 ? 0 : ERR_VERSION;
}

static int nothing(uint64_t value)
{
	return value == 0 ? 0 : ERR_FORMAT;
}

static int no_feature(uint64_t value)
{
	return value == 0 ? 0 : ERR_VERSION;
}

/* Bit 0 is known: the member is one of an adopted array, whose slot 2 lies elsewhere. */
static int refused_feature(uint64_t value)
{
	return value == 1 ? ERR_FORMAT : no_feature(value);
}

static int anything(uint64_t value)
{
	(void)value;
	return 0;
}

static int member_number(uint64_t value)
{
	return value < MEMBERS_MAX ? 0 : ERR_LIMIT;
}

static int half(uint64_t value)
{
	return value < 2 ? 0 : ERR_FORMAT;
}

static int not_these(uint64_t value)
{
	(void)value; /* the field's true value is none of those that are tried */
	return ERR_FORMAT;
}

static int epoch(uint64_t value)
{
	return value > 0 && value <= UINT64_C(1) << 62 ? 0 : ERR_FORMAT;
}

static int up_to_member(uint64_t value)
{
	return value <= 1 ? 0 : ERR_FORMAT; /* so few frames, or frames so small, still fit */
}

static int any_size_from_here(uint64_t value)
{
	return value >= INT32_MAX ? 0 : ERR_FORMAT; /* the member has 64 MiB */
}

static const struct field fields[] = {
	{ "version", 8, 4, exactly_one },
	{ "slot", 12, 4, not_these },
	{ "offset", 16, 8, not_these },
	{ "features, ignore", 24, 8, anything },
	{ "features, read", 32, 8, no_feature },
	{ "features, refuse", 40, 8, refused_feature },
	{ "member", 80, 4, member_number },
	{ "reserved", 84, 4, nothing },
	{ "epoch", 88, 8, epoch },
	{ "epoch id", 96, 8, anything },
	{ "generation", 104, 8, not_these },
	{ "map CRC before", 112, 4, anything },
	{ "map CRC", 116, 4, anything },
	{ "map half", 120, 4, half },
	{ "reserved", 124, 4, nothing },
	{ "map length", 128, 8, not_these },
	{ "member size", 136, 8, any_size_from_here },
	{ "map_offset", 144, 8, not_these },
	{ "map_half_size", 152, 8, not_these },
	{ "log_offset", 160, 8, not_these },
	{ "log_size", 168, 8, nothing },
	{ "data_offset", 176, 8, not_these },
	{ "frame_count", 184, 8, up_to_member },
	{ "frame_blocks", 192, 4, up_to_member },
	{ "frame_body_blocks", 196, 4, anything }, /* map_check() compares it with frame_blocks */
	{ "witness_max", 200, 4, anything },
	{ "reserved", 204, 4, nothing },
	{ "written", 208, 8, anything },
	{ "present, beyond this program", 224, 8, nothing },
	{ "present, the end", 240, 8, nothing },
	{ "reserved", 248, 8, nothing },
	{ "reserved", 512, 8, nothing },
	{ "reserved, the end", 4084, 8, nothing },
};

static void hostile_values_with_a_good_checksum_are_refused(void **state)
{
	static const uint64_t values[] = { 0,
					   1,
					   INT32_MAX,
					   UINT64_C(1) << 31,
					   (UINT64_C(1) << 31) + 1,
					   UINT32_MAX,
					   UINT64_C(1) << 32,
					   (UINT64_C(1) << 32) + 1,
					   UINT64_C(1) << 53,
					   INT64_MAX,
					   UINT64_C(1) << 63,
					   UINT64_MAX };
	struct rng rng = rng_seeded(test_seed(14));
	struct super super = super_of(&rng), read;
	uint8_t bytes[BLOCK_SIZE];
	struct err none = { 0 };

	(void)state;
	super.generation = 4002; /* slot 2: none of the values leads to the same place */
	super.slot = 2;
	super.offset = super_offset(&super.member, super.slot, &super.geometry);
	assert_int_equal(super_regions(&super.regions, UINT64_C(64) << 20, &geometry, &none), 0);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			uint64_t value = fields[i].size == 4 ? (uint32_t)values[v] : values[v];
			struct err err = { 0 };

			super_encode(bytes, &super);
			if (fields[i].size == 4)
				put_le32(bytes + fields[i].at, (uint32_t)value);
			else
				put_le64(bytes + fields[i].at, value);
			fix_crc(bytes);
			int rc = super_decode(&read, bytes, super.offset, &err);
			if (rc != fields[i].expected(value))
				fail_msg("%s = %" PRIu64 ": %d (%s), expected %d", fields[i].name,
					 value, rc, err.text, fields[i].expected(value));
		}
	}
}

static void names_are_whole_and_padded_with_zeros(void **state)
{
	struct rng rng = rng_seeded(test_seed(15));
	struct super super = super_of(&rng), read;
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	memset(super.name, 0, sizeof(super.name));
	snprintf(super.name, sizeof(super.name), "tank");
	for (int size = 0; size < 256; size++) {
		struct err err = { 0 };

		super_encode(bytes, &super);
		bytes[256] = (uint8_t)size;
		fix_crc(bytes);
		assert_int_equal(super_decode(&read, bytes, super.offset, &err),
				 size == 4 ? 0 : ERR_FORMAT);
	}
	super_encode(bytes, &super);
	bytes[257 + 2] = 0; /* a NUL inside */
	fix_crc(bytes);
	struct err err = { 0 };
	assert_int_equal(super_decode(&read, bytes, super.offset, &err), ERR_FORMAT);
}

/* Found anywhere but where it says, it is a misdirected write or a copy. */
static void place_on_the_member_counts(void **state)
{
	struct rng rng = rng_seeded(test_seed(16));
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct super super = super_of(&rng), read;
		uint32_t found = 0;

		super_encode(bytes, &super);
		for (uint32_t p = 0; p < SUPER_POSITIONS; p++) {
			struct err err = { 0 };
			int rc = super_decode(&read, bytes, super_position(p), &err);

			assert_int_equal(rc, super_position(p) == super.offset ? 0 : ERR_FORMAT);
			found += rc == 0;
		}
		assert_int_equal(found, 1);
	}
}

/* Slots of one member do not share a position, two of them are far from the start, and none is in the
 * first 64 KiB. */
static void slots_lie_apart(void **state)
{
	(void)state;
	for (int key = 0; key < 8; key++) {
		struct uuid member = { { [15] = (uint8_t)(key | 0xa8) } };

		for (uint32_t a = 0; a < SUPER_SLOTS; a++) {
			uint64_t offset = super_offset(&member, a, &native), positions = 0;

			assert_true(offset >= 65536);
			assert_int_equal(offset >= SUPER_FAR, a >= 2);
			for (uint32_t b = 0; b < a; b++)
				assert_true(offset != super_offset(&member, b, &native));
			for (uint32_t p = 0; p < SUPER_POSITIONS; p++)
				positions += super_position(p) == offset;
			assert_int_equal(positions, 1);
		}
	}
}

/* Regions in order, without overlap, inside the member; the least size is named and is enough. */
static void regions_follow_each_other_in_a_member_of_any_size(void **state)
{
	struct rng rng = rng_seeded(test_seed(17));
	struct member_regions regions;
	struct err err = { 0 };
	uint64_t least = 0;

	(void)state;
	assert_int_equal(super_regions(&regions, 4096, &geometry, &err), ERR_SIZE);
	assert_int_equal(sscanf(strstr(err.text, "at least"), "at least %" SCNu64, &least), 1);
	assert_int_equal(super_regions(&regions, least - BLOCK_SIZE, &geometry, &err), ERR_SIZE);
	assert_int_equal(super_regions(&regions, least, &geometry, &err), 0);
	for (int round = 0; round < 1000; round++) {
		uint64_t size = least + BLOCK_SIZE * rng_below(&rng, UINT64_C(1) << 40);
		uint64_t frame = (uint64_t)geometry.frame_blocks * BLOCK_SIZE;

		assert_int_equal(super_regions(&regions, size, &geometry, &err), 0);
		assert_int_equal(regions.member_size, size);
		assert_true(regions.map_offset >= SUPER_FAR + SUPER_AREA_SIZE);
		assert_int_equal(regions.log_offset,
				 regions.map_offset + 2 * geometry.map_half_size);
		assert_true(regions.data_offset >= regions.log_offset + geometry.log_size);
		uint64_t end = regions.data_offset + regions.frame_count * frame;
		assert_true(end <= size);
		assert_true(size - end < frame || regions.frame_count == BARE_FRAME_FIRST);
	}
}

/* The slots of an adopted array lie before 192 KiB, and so does nothing else of it. */
static void adopted_members_leave_1_mib_alone(void **state)
{
	struct rng rng = rng_seeded(test_seed(18));
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	for (uint64_t generation = 1; generation < 40; generation++) {
		struct super super = super_of(&rng), read;
		struct err err = { 0 };

		super.geometry = geometry;
		super.geometry.adopted = true;
		super.generation = generation;
		super.slot = generation % SUPER_SLOTS;
		super.offset = super_offset(&super.member, super.slot, &super.geometry);
		assert_true(super.offset >= SUPER_NEAR && super.offset < 0x30000);
		assert_int_equal(super.offset < SUPER_SECOND, super.slot < 2);
		assert_int_equal(super_regions_from(&super.regions, UINT64_C(64) << 20, 0x31000,
						    &super.geometry, &err),
				 0);
		assert_int_equal(super.regions.data_offset,
				 super.regions.log_offset + geometry.log_size);
		super_encode(bytes, &super);
		assert_int_equal(super_decode(&read, bytes, super.offset, &err), 0);
		assert_true(read.geometry.adopted);
		put_le64(bytes + 144, 0x2f000); /* the map */
		fix_crc(bytes);
		assert_int_equal(super_decode(&read, bytes, super.offset, &err), ERR_FORMAT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_again),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(flips_with_a_good_checksum_change_only_free_fields),
		cmocka_unit_test(hostile_values_with_a_good_checksum_are_refused),
		cmocka_unit_test(names_are_whole_and_padded_with_zeros),
		cmocka_unit_test(place_on_the_member_counts),
		cmocka_unit_test(slots_lie_apart),
		cmocka_unit_test(regions_follow_each_other_in_a_member_of_any_size),
		cmocka_unit_test(adopted_members_leave_1_mib_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

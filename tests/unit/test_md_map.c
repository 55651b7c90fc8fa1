/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * MD arrays as maps. Aim: every block of the array, its checks and copies are where MD has them, whatever the classes
 * and cuts are. Method: for small arrays of every shape the map is asked about each block; what it says is compared
 * with the place of that single chunk, computed from its number alone as the kernel does, without periods.
 */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/map/address.h"
#include "core/map/rule.h"
#include "formats/md_map.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/md_help.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHUNK 8192u
#define CHUNK_SECTORS (CHUNK / 512u)
#define DATA_OFFSET 2051u /* sectors; no multiple of a block */
#define SLOTS 36u

/* An array in the making: superblocks of its members, then the map. */
struct sample {
	struct md_member members[SLOTS];
	struct md_set_input inputs[SLOTS];
	uint32_t count;
	struct md_sets sets;
	struct md_seats seats;
	struct map *map;
};

static struct md_member member_make(const struct md_shape *shape, uint32_t slot)
{
	struct md1 super = md1_sample(0);
	struct md_member member = md1_member(&super);

	member.shape = member.before = member.after = *shape;
	member.device = (struct uuid){ { (uint8_t)(slot + 1) } };
	member.slot = slot;
	member.slot_count = shape->raid_disks;
	member.data_offset = member.new_data_offset = DATA_OFFSET + slot * 8;
	member.data_size = member.data_sectors = shape->component_sectors;
	return member;
}

static struct sample sample_of(const struct md_shape *shape)
{
	struct sample sample = { .count = shape->raid_disks };

	assert_true(shape->raid_disks <= SLOTS);
	for (uint32_t i = 0; i < sample.count; i++)
		sample.members[i] = member_make(shape, i);
	return sample;
}

static bool accept_all(void *arg, const struct md_set_member *stale)
{
	(void)arg;
	(void)stale;
	return true;
}

static int try_map(struct sample *sample, struct err *err)
{
	int rc;

	for (uint32_t i = 0; i < sample->count; i++)
		sample->inputs[i] = (struct md_set_input){ &sample->members[i], i };
	assert_int_equal(md_sets_compare(&sample->sets, sample->inputs, sample->count, err), 0);
	assert_int_equal(sample->sets.count, 1);
	rc = md_seats_choose(&sample->seats, &sample->sets.at[0], accept_all, NULL, err);
	return rc ? rc : md_map_make(&sample->map, &sample->sets.at[0], &sample->seats, err);
}

static void make_map(struct sample *sample)
{
	struct err err = { 0 };

	if (try_map(sample, &err))
		fail_msg("%s", err.text);
}

static void sample_reset(struct sample *sample)
{
	map_free(sample->map);
	md_sets_reset(&sample->sets);
	sample->map = NULL;
}

static struct md_shape shape_of(int32_t level, uint32_t layout, uint32_t disks, uint64_t chunks)
{
	return (struct md_shape){ level, layout, CHUNK, disks, chunks * CHUNK_SECTORS };
}

/* The rule of a shape, said again in the words of md(4). */
static struct rule rule_said(const struct md_shape *shape)
{
	struct rule rule = { .unit_blocks = (uint32_t)(shape->chunk_bytes / BLOCK_SIZE),
			     .members = shape->raid_disks,
			     .checks = shape->level == MD_RAID6 ? 2 : 1,
			     .order = ORDER_PARITY_LAST };
	uint64_t chunks = shape->component_sectors * 512 / shape->chunk_bytes;
	char name[MD_LAYOUT_NAME_SIZE];

	if (shape->level == MD_RAID10) {
		rule.kind = RULE_COPIES;
		rule.near = shape->layout & 0xff;
		rule.far = shape->layout >> 8 & 0xff;
		rule.offset = shape->layout >> 16 & 1;
		rule.far_set = shape->layout >> 17 == 2 ? rule.near * rule.far : rule.members;
		/* as many chunks as the copies fill, each zone as long as the others */
		uint64_t data = chunks / rule.far * rule.members / rule.near;
		uint64_t used = data * rule.near * rule.far;

		rule.far_stride_units =
			rule.offset ? 1 : (used + rule.members - 1) / rule.members / rule.far;
	} else if (shape->level != MD_RAID4) {
		md_layout_name(name, shape->level, shape->layout);
		rule.order = parity_order_named(name);
		assert_true(rule.order != ORDER_COUNT);
	}
	return rule;
}

/* Where the map must have the block of byte `at` of the array, and all blocks of its row. */
struct said {
	const struct md_shape *shape;
	bool later;
};

static void check_block(const struct sample *sample, const struct said *said, uint64_t at)
{
	struct rule rule = rule_said(said->shape);
	uint64_t chunk = said->shape->chunk_bytes, number = at / chunk;
	uint32_t data = rule.kind == RULE_COPIES ? 1 : rule.members - rule.checks;
	uint64_t block = number / data * rule.unit_blocks + at % chunk / BLOCK_SIZE;
	const struct volume *volume = sample->map->volumes[0];
	struct address address = { 0 };

	assert_true(address_of_volume(&address, NULL, sample->map, volume, at));
	assert_int_equal(address.group->shape.columns, rule_columns(&rule));
	if (rule.kind == RULE_TURNED_PARITY)
		assert_int_equal(address.column, number % data);
	for (uint32_t c = 0; c < address.group->shape.columns; c++) {
		struct rule_place place = rule_place(&rule, c, block);
		struct address peer = { address.group, c, address.block };
		const struct extent *extent = &address.group->extents[c];
		const struct md_seat *seat = &sample->seats.at[place.position];
		const struct md_member *member =
			seat->entry ? seat->entry->member : sample->sets.at[0].newest;
		uint64_t origin = said->later ? member->new_data_offset : member->data_offset;
		bool counts = !seat->entry || seat->counts_sectors == MD_MEMBER_NONE ||
			      place.block * BLOCK_SIZE + BLOCK_SIZE <= seat->counts_sectors * 512;

		assert_int_equal(extent->slot, place.position);
		if (address_to_member(sample->map, &peer) !=
		    origin * 512 + place.block * BLOCK_SIZE)
			fail_msg("byte %" PRIu64 ", column %u", at, c);
		/* What a rebuild has half done in a row of chunks is not believed. */
		assert_true(!extent->stale || !counts || place.block % rule.unit_blocks ||
			    seat->counts_sectors % (chunk / 512));
		assert_true(extent->stale || counts);
		if (rule.kind == RULE_TURNED_PARITY && rule.checks == 2 && c < data)
			assert_int_equal(address.group->shape.index[c],
					 rule_exponent(&rule, c, number / data));
	}
}

static void check_range(const struct sample *sample, const struct said *said, uint64_t from,
			uint64_t to)
{
	for (uint64_t at = from; at < to; at += BLOCK_SIZE)
		check_block(sample, said, at);
}

static void check_whole(const struct md_shape *shape)
{
	struct sample sample = sample_of(shape);
	const struct said said = { shape, false };
	uint64_t bytes = 0;

	make_map(&sample);
	assert_true(md_array_bytes(&bytes, shape));
	assert_int_equal(sample.map->volumes[0]->length, bytes);
	check_range(&sample, &said, 0, bytes);
	sample_reset(&sample);
}

static const uint32_t raid5_layouts[] = { 0, 1, 2, 3, 4, 5 };
static const uint32_t raid6_layouts[] = { 0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 18, 19, 20 };

static void parity_lies_as_its_rule_in_every_last_period(void **state)
{
	(void)state;
	for (uint64_t chunks = 1; chunks < 14; chunks += 3) {
		struct md_shape four = shape_of(MD_RAID4, 0, 3, chunks);

		check_whole(&four);
		for (uint32_t i = 0; i < sizeof(raid5_layouts) / sizeof(raid5_layouts[0]); i++) {
			struct md_shape shape =
				shape_of(MD_RAID5, raid5_layouts[i], 2 + i % 4, chunks);

			check_whole(&shape);
		}
		for (uint32_t i = 0; i < sizeof(raid6_layouts) / sizeof(raid6_layouts[0]); i++) {
			struct md_shape shape =
				shape_of(MD_RAID6, raid6_layouts[i], 4 + i % 3, chunks);

			check_whole(&shape);
		}
	}
}

static const uint32_t raid10_layouts[] = { 0x101,   0x102,   0x103,   0x201,   0x301,   0x202,
					   0x10201, 0x10301, 0x10202, 0x40201, 0x40301, 0x40202 };

static void copies_lie_as_their_rule_whatever_the_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(raid10_layouts) / sizeof(raid10_layouts[0]); i++) {
		uint32_t layout = raid10_layouts[i];
		uint32_t copies = (layout & 0xff) * (layout >> 8 & 0xff);

		for (uint32_t disks = copies; disks < 8; disks++) {
			for (uint64_t chunks = 6; chunks < 13; chunks++) {
				struct md_shape shape = shape_of(MD_RAID10, layout, disks, chunks);

				if (layout >> 17 == 0 || disks >= 2 * copies || disks == copies)
					check_whole(&shape);
			}
		}
	}
}

/* The last block of a mirror, and of a linear member, may be less than one. */
static void mirrors_and_rows_of_members(void **state)
{
	struct md_shape shape = { MD_RAID1, 0, 0, 3, 27 };
	struct sample sample = sample_of(&shape);
	struct address address = { 0 };

	(void)state;
	sample.members[0].write_mostly = true; /* read where no other can be */
	make_map(&sample);
	assert_int_equal(sample.map->volumes[0]->length, 27 * 512);
	assert_int_equal(sample.map->groups[0]->shape.layout, LAYOUT_MIRROR);
	assert_int_equal(sample.map->groups[0]->shape.columns, 3);
	assert_int_equal(sample.map->groups[0]->extents[0].slot, 1);
	assert_int_equal(sample.map->groups[0]->extents[2].slot, 0);
	sample_reset(&sample);

	shape = (struct md_shape){ MD_LINEAR, 0, 0, 3, 0 };
	sample = sample_of(&shape);
	sample.members[0].data_sectors = 80;
	sample.members[1].data_sectors = 27;
	sample.members[2].data_sectors = 160;
	make_map(&sample);
	assert_int_equal(sample.map->volumes[0]->length, (80 + 27 + 160) * 512);
	assert_true(address_of_volume(&address, NULL, sample.map, sample.map->volumes[0],
				      (80 + 27 + 16) * 512));
	assert_int_equal(address.group->extents[0].slot, 2);
	assert_int_equal(address_to_member(sample.map, &address),
			 (sample.members[2].data_offset + 16) * 512);
	sample_reset(&sample);
}

/* A mirror of more members than a group has columns: what can be read is in it. */
static void wide_mirrors_take_who_is_there(void **state)
{
	struct md_shape shape = { MD_RAID1, 0, 0, 35, 80 };
	struct sample sample = sample_of(&shape);
	const struct group *group;

	(void)state;
	sample.members[0] = sample.members[33];
	sample.members[2] = sample.members[34];
	sample.count = 33; /* 33 1 34 3 4 ... */
	make_map(&sample);
	group = sample.map->groups[0];
	assert_int_equal(group->shape.columns, CODE_COLUMNS_MAX);
	for (uint32_t c = 0; c < group->shape.columns; c++)
		assert_true(group->extents[c].slot != 0 && group->extents[c].slot != 2);
	sample_reset(&sample);
}

/* Where raid0 has chunk `number`, found by walking through the rows of all members. */
static void raid0_walk(const uint64_t *chunks, uint32_t members, uint32_t layout, uint64_t number,
		       uint32_t *slot_out, uint64_t *row_out)
{
	uint64_t row = 0, passed = 0, zone_passed = 0;
	uint32_t zone_width = members;

	for (;; row++) {
		uint32_t slots[SLOTS], width = 0;

		for (uint32_t slot = 0; slot < members; slot++) {
			if (chunks[slot] > row)
				slots[width++] = slot;
		}
		assert_true(width > 0);
		if (width != zone_width) {
			zone_width = width;
			zone_passed = passed;
		}
		if (number < passed + width) {
			uint64_t turn = layout == MD_RAID0_ORIGINAL ? number : number - zone_passed;

			*slot_out = slots[turn % width];
			*row_out = row;
			return;
		}
		passed += width;
	}
}

static void zones_of_unequal_members_in_both_layouts(void **state)
{
	static const uint64_t chunks[] = { 5, 3, 8, 3, 9 };

	(void)state;
	for (uint32_t layout = MD_RAID0_UNKNOWN; layout <= MD_RAID0_ALTERNATE; layout++) {
		struct md_shape shape = shape_of(MD_RAID0, layout, 5, 0);
		struct sample sample = sample_of(&shape);
		struct err err = { 0 };

		for (uint32_t i = 0; i < 5; i++)
			sample.members[i].data_sectors = chunks[i] * CHUNK_SECTORS;
		if (layout == MD_RAID0_UNKNOWN) {
			assert_int_equal(try_map(&sample, &err), ERR_FORMAT);
			sample_reset(&sample);
			continue;
		}
		make_map(&sample);
		assert_int_equal(sample.map->volumes[0]->length, 28 * CHUNK);
		for (uint64_t at = 0; at < 28 * CHUNK; at += BLOCK_SIZE) {
			struct address address = { 0 };
			uint32_t slot = 0;
			uint64_t row = 0;

			raid0_walk(chunks, 5, layout, at / CHUNK, &slot, &row);
			assert_true(address_of_volume(&address, NULL, sample.map,
						      sample.map->volumes[0], at));
			assert_int_equal(address.group->extents[0].slot, slot);
			assert_int_equal(address_to_member(sample.map, &address),
					 sample.members[slot].data_offset * 512 + row * CHUNK +
						 at % CHUNK);
		}
		sample_reset(&sample);
	}
}

/* Behind its recovery offset a member is an erasure, before it it counts: for every offset. */
static void what_a_rebuild_has_done_counts(void **state)
{
	static const struct md_shape shapes[] = {
		{ MD_RAID5, MD_LEFT_SYMMETRIC, CHUNK, 4, 11 * CHUNK_SECTORS },
		{ MD_RAID6, MD_LEFT_SYMMETRIC_6, CHUNK, 5, 11 * CHUNK_SECTORS },
		{ MD_RAID10, 0x102, CHUNK, 5, 11 * CHUNK_SECTORS },
		{ MD_RAID10, 0x103, CHUNK, 5, 11 * CHUNK_SECTORS },
		{ MD_RAID10, 0x201, CHUNK, 4, 12 * CHUNK_SECTORS },
		{ MD_RAID10, 0x10201, CHUNK, 3, 12 * CHUNK_SECTORS },
		{ MD_RAID10, 0x202, CHUNK, 5, 12 * CHUNK_SECTORS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		for (uint64_t done = 0; done <= 12 * CHUNK_SECTORS; done += 8) {
			struct sample sample = sample_of(&shapes[i]);
			const struct said said = { &shapes[i], false };

			sample.members[2].in_sync = false;
			sample.members[2].recovery_start = done;
			make_map(&sample);
			assert_ptr_equal(sample.seats.at[2].entry->member, &sample.members[2]);
			check_range(&sample, &said, 0, sample.map->volumes[0]->length);
			sample_reset(&sample);
		}
	}
}

/* On either side of the position the shape that lies there, at the data offset that it has. */
static void both_sides_of_a_reshape(void **state)
{
	static const struct md_shape changes[][2] = {
		{ { MD_RAID5, 2, CHUNK, 3, 12 * CHUNK_SECTORS },
		  { MD_RAID5, 2, CHUNK, 4, 12 * CHUNK_SECTORS } },
		{ { MD_RAID5, 2, CHUNK, 4, 12 * CHUNK_SECTORS },
		  { MD_RAID5, 2, CHUNK, 3, 12 * CHUNK_SECTORS } },
		{ { MD_RAID6, 18, CHUNK, 5, 12 * CHUNK_SECTORS },
		  { MD_RAID6, 2, CHUNK, 5, 12 * CHUNK_SECTORS } },
		{ { MD_RAID5, 0, CHUNK, 4, 12 * CHUNK_SECTORS },
		  { MD_RAID5, 3, 4 * CHUNK, 4, 12 * CHUNK_SECTORS } },
		{ { MD_RAID10, 0x102, CHUNK, 4, 12 * CHUNK_SECTORS },
		  { MD_RAID10, 0x102, 2 * CHUNK, 5, 12 * CHUNK_SECTORS } },
		{ { MD_RAID4, 0, CHUNK, 3, 12 * CHUNK_SECTORS },
		  { MD_RAID5, 2, CHUNK, 5, 12 * CHUNK_SECTORS } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct md_shape *before = &changes[i][0], *after = &changes[i][1];
		uint32_t most = before->raid_disks > after->raid_disks ? before->raid_disks
								       : after->raid_disks;
		uint64_t bytes = UINT64_MAX;

		for (uint64_t at = 0; at <= bytes; at += BLOCK_SIZE) {
			struct md_shape widest = *before;
			struct said said[2] = { { before, false }, { after, true } };
			bool back = i % 2;
			struct sample sample;

			widest.raid_disks = most;
			sample = sample_of(&widest);
			for (uint32_t m = 0; m < most; m++) {
				struct md_member *member = &sample.members[m];

				member->shape.raid_disks = after->raid_disks;
				member->before = *before;
				member->after = *after;
				member->reshaping = true;
				member->reshape_backwards = back;
				member->reshape_position = at / 512;
				member->new_data_offset = member->data_offset - 128;
			}
			make_map(&sample);
			bytes = sample.map->volumes[0]->length;
			if (at < bytes + BLOCK_SIZE) {
				uint64_t position = at < bytes ? at : bytes;

				check_range(&sample, &said[back ? 0 : 1], 0, position);
				check_range(&sample, &said[back ? 1 : 0], position, bytes);
			}
			sample_reset(&sample);
		}
	}
}

static void the_best_member_takes_the_seat(void **state)
{
	struct md_shape shape = shape_of(MD_RAID6, 2, 4, 6);
	struct sample sample = sample_of(&shape);

	(void)state;
	sample.members[1].events -= 10; /* stale, and accepted */
	sample.members[4] = sample.members[2];
	sample.members[4].replacement = true; /* of one that is current */
	sample.members[4].in_sync = false;
	sample.members[4].recovery_start = 16;
	sample.members[4].device = (struct uuid){ { 99 } };
	sample.members[3] = sample.members[0]; /* the same again: nobody has slot 3 */
	sample.count = 5;
	make_map(&sample);
	assert_ptr_equal(sample.seats.at[0].entry->member, &sample.members[0]);
	assert_ptr_equal(sample.seats.at[1].entry->member, &sample.members[1]);
	assert_int_equal(sample.seats.stale.bits, 2);
	assert_ptr_equal(sample.seats.at[2].entry->member, &sample.members[2]);
	assert_null(sample.seats.at[3].entry);
	assert_int_equal(sample.map->member_count, 4);
	sample_reset(&sample);
}

static void names_are_without_their_host(void **state)
{
	static const char *const names[][2] = {
		{ "lab:home", "home" }, { "home", "home" }, { "", "data" },
		{ "lab:", "data" },     { "a/b", "data" },  { "lab:0", "0" },
	};
	struct md_shape shape = shape_of(MD_RAID5, 2, 4, 6);
	struct md_member member = member_make(&shape, 0);
	char name[NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(member.name, sizeof(member.name), "%s", names[i][0]);
		md_map_name(name, &member);
		assert_string_equal(name, names[i][1]);
	}
}

static void what_has_no_places_is_refused(void **state)
{
	static const struct {
		struct md_shape shape;
		int rc;
	} cases[] = {
		{ { MD_FAULTY, 0, 0, 1, 800 }, ERR_UNSUPPORTED },
		{ { MD_RAID5, 2, CHUNK, 4, 0 }, ERR_FORMAT },
		{ { MD_RAID5, 2, CHUNK, 4, UINT64_C(1) << 40 }, ERR_FORMAT },
		{ { MD_RAID10, 0x20302, CHUNK, 6, 160 }, ERR_LIMIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sample sample = sample_of(&cases[i].shape);
		struct err err = { 0 };

		assert_int_equal(try_map(&sample, &err), cases[i].rc);
		assert_true(err.text[0]);
		sample_reset(&sample);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parity_lies_as_its_rule_in_every_last_period),
		cmocka_unit_test(copies_lie_as_their_rule_whatever_the_numbers),
		cmocka_unit_test(mirrors_and_rows_of_members),
		cmocka_unit_test(wide_mirrors_take_who_is_there),
		cmocka_unit_test(zones_of_unequal_members_in_both_layouts),
		cmocka_unit_test(what_a_rebuild_has_done_counts),
		cmocka_unit_test(both_sides_of_a_reshape),
		cmocka_unit_test(the_best_member_takes_the_seat),
		cmocka_unit_test(names_are_without_their_host),
		cmocka_unit_test(what_has_no_places_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

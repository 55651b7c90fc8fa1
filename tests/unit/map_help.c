/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/map_help.h"

#include "core/base/mem.h"
#include "core/store/map_record.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

uint64_t test_seed(uint64_t usual)
{
	const char *given = getenv("PGCTL_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : usual;

	print_message("# seed %" PRIu64 "\n", seed);
	return seed;
}

uint64_t test_thinned(uint64_t every)
{
	const char *by = getenv("PGCTL_TEST_THIN");

	return by ? every * strtoul(by, NULL, 10) : every;
}

struct group *group_of(struct map *map, const struct group_recipe *recipe)
{
	struct group *group = map_group_create(recipe->columns);

	assert_non_null(group);
	group->id = map->group_id_next++;
	group->generation = 1;
	group->shape =
		code_shape_make(recipe->layout, recipe->columns, recipe->checks, recipe->pure);
	group->segment_blocks = recipe->body_blocks;
	if (recipe->layout == LAYOUT_SEQUENTIAL)
		group->segment_blocks /= (uint32_t)recipe->columns * recipe->checks;
	for (uint32_t i = 0; i < recipe->columns; i++)
		group->extents[i] = (struct extent){ .id = map->extent_id_next++,
						     .header_generation = 1,
						     .slot = recipe->members[i],
						     .frame = recipe->frames[i],
						     .body_blocks = recipe->body_blocks,
						     .size_class = recipe->size_class };
	return group;
}

struct group *map_add_group(struct map *map, const struct group_recipe *recipe)
{
	struct group *group = group_of(map, recipe);

	assert_int_equal(map_put_group(map, group), 0);
	return group;
}

struct volume *map_add_volume(struct map *map, const char *name, const struct group *group)
{
	struct volume *volume = map_volume_create();
	struct span span = { .extent_count = group_data_columns(group) };

	assert_non_null(volume);
	span.length = (uint64_t)span.extent_count * group_data_blocks(group) * BLOCK_SIZE - 100;
	span.unit_blocks = group->shape.layout == LAYOUT_PARITY ? 16 : 0;
	span.extents = mem_calloc(span.extent_count, sizeof(uint64_t));
	assert_non_null(span.extents);
	for (uint32_t i = 0; i < span.extent_count; i++)
		span.extents[i] = group->extents[i].id;
	assert_int_equal(map_volume_add_span(volume, &span), 0);
	volume->id = map->volume_id_next++;
	volume->length = span.length;
	snprintf(volume->name, sizeof(volume->name), "%s", name);
	volume->policy = (struct policy){ .layout = group->shape.layout,
					  .checks = group->shape.checks,
					  .columns = group->shape.columns,
					  .unit_blocks = 16 };
	assert_int_equal(map_put_volume(map, volume), 0);
	return volume;
}

struct map *map_empty(void)
{
	struct map *map = map_create();

	assert_non_null(map);
	for (uint8_t i = 0; i < sizeof(map->uuid.bytes); i++)
		map->uuid.bytes[i] = (uint8_t)(i + 1);
	snprintf(map->name, sizeof(map->name), "tank");
	map->geometry = (struct geometry){ .frame_body_blocks = SAMPLE_BODY,
					   .witness_max = 16,
					   .map_half_size = 65536,
					   .log_size = 8192 };
	map->geometry.frame_blocks = geometry_frame_blocks(SAMPLE_BODY, 16);
	map->policy = (struct policy){ .layout = LAYOUT_PARITY, .checks = 1, .unit_blocks = 16 };
	map->epoch_count = 1;
	map->epochs[0] = (struct epoch){ 1, 77, 1, { (1u << SAMPLE_MEMBERS) - 1 } };
	for (uint32_t i = 0; i < SAMPLE_MEMBERS; i++) {
		struct member member = { .slot = i,
					 .frame_count = SAMPLE_FRAMES,
					 .data_offset = 2 << 20 };

		member.uuid.bytes[0] = (uint8_t)(i + 1);
		member.size = member.data_offset +
			      SAMPLE_FRAMES * (uint64_t)map->geometry.frame_blocks * BLOCK_SIZE;
		assert_int_equal(map_put_member(map, &member), 0);
	}
	return map;
}

struct map *map_sample(void)
{
	static const struct group_recipe recipes[LAYOUT_COUNT] = {
		[LAYOUT_PLAIN] = { LAYOUT_PLAIN, 1, 0, 0, 64, 0, { 0 }, { 0 } },
		[LAYOUT_MIRROR] = { LAYOUT_MIRROR, 2, 1, 0, 60, 0, { 0, 1 }, { 1, 39 } },
		[LAYOUT_PARITY] = { LAYOUT_PARITY,
				    4,
				    1,
				    0,
				    128,
				    1,
				    { 4, 1, 2, 3 },
				    { 2, 4, 6, 8 } },
		[LAYOUT_SEQUENTIAL] = { LAYOUT_SEQUENTIAL,
					3,
					2,
					1,
					240,
					2,
					{ 0, 1, 2 },
					{ 8, 8, 8 } },
	};
	static const char *const names[] = { "plain", "mirror", "parity", "sequential" };
	struct map *map = map_empty();
	struct member member = *map_member(map, 3);
	const struct job job = { .id = map->job_id_next++,
				 .kind = JOB_REBUILD,
				 .from = 3,
				 .to = MEMBER_NONE,
				 .done = 5,
				 .total = 9,
				 .cursor = 2,
				 .started_s = 1000 };

	for (int i = 0; i < LAYOUT_COUNT; i++)
		map_add_volume(map, names[i], map_add_group(map, &recipes[i]));
	member.state = MEMBER_OFFLINE;
	member.behind = true;
	member.absent_since = 5;
	member.label_count = 2;
	snprintf(member.labels[0].key, LABEL_SIZE, "node");
	snprintf(member.labels[0].value, LABEL_SIZE, "a");
	snprintf(member.labels[1].key, LABEL_SIZE, "power");
	for (uint32_t i = 0; i < ZONE_RATES; i++)
		member.rates[i] = 250000 - 15000 * i;
	assert_int_equal(map_put_member(map, &member), 0);
	assert_int_equal(map_put_job(map, &job), 0);
	snprintf(map->across, sizeof(map->across), "node");
	map->epochs[map->epoch_count++] = (struct epoch){ 2, 78, 6, { 0x17 } };
	map->created_s = 1700000000;
	return map;
}

static void random_group(struct map *map, struct rng *rng)
{
	struct group_recipe recipe = { .layout = LAYOUT_PARITY, .checks = 1, .body_blocks = 64 };
	uint32_t first = (uint32_t)rng_below(rng, SAMPLE_MEMBERS);

	recipe.columns = (uint16_t)(2 + rng_below(rng, SAMPLE_MEMBERS - 1));
	for (uint32_t i = 0; i < recipe.columns; i++) {
		recipe.members[i] = (first + i) % SAMPLE_MEMBERS;
		recipe.frames[i] = (uint32_t)rng_below(rng, SAMPLE_FRAMES);
	}
	map_add_group(map, &recipe);
}

static void random_volume(struct map *map, struct rng *rng)
{
	char name[32];

	random_group(map, rng);
	snprintf(name, sizeof(name), "v%" PRIu64, map->volume_id_next);
	map_add_volume(map, name, map->groups[map->group_count - 1]);
}

/* Replace a group by one with the same id, one column of which moved. */
static void random_move(struct map *map, struct rng *rng)
{
	struct group *group = map->groups[rng_below(rng, map->group_count)];
	uint32_t column = (uint32_t)rng_below(rng, group->shape.columns);

	group->extents[column].frame = (uint32_t)rng_below(rng, SAMPLE_FRAMES);
	group->extents[column].stale = rng_below(rng, 2);
	group->extents[column].header_generation++;
	assert_int_equal(map_touch_group(map, group->id), 0);
}

static void random_job(struct map *map, struct rng *rng)
{
	struct job job = { .id = map->job_id_next, .kind = JOB_SCRUB, .from = MEMBER_NONE };

	if (map->job_count > 0 && rng_below(rng, 2))
		job = map->jobs[rng_below(rng, map->job_count)];
	else
		map->job_id_next++;
	job.to = MEMBER_NONE;
	job.total = 1000;
	job.done = rng_below(rng, 1001);
	job.state = (enum job_state)rng_below(rng, JOB_DONE + 1);
	assert_int_equal(map_put_job(map, &job), 0);
}

static void random_removal(struct map *map, struct rng *rng)
{
	const struct volume *volume = map->volumes[rng_below(rng, map->volume_count)];
	uint32_t column;

	for (uint32_t i = 0; i < volume->span_count; i++) {
		const struct group *group = map_extent(map, volume->spans[i].extents[0], &column);

		assert_int_equal(map_remove_group(map, group->id), 0);
	}
	assert_int_equal(map_remove_volume(map, volume->id), 0);
	if (map->job_count > 0)
		assert_int_equal(map_remove_job(map, map->jobs[0].id), 0);
}

void map_edit_randomly(struct map *map, struct rng *rng)
{
	struct member *member = &map->members[rng_below(rng, map->member_count)];

	switch (rng_below(rng, 6)) {
	case 0:
	case 1:
		random_volume(map, rng);
		break;
	case 2:
		if (map->group_count > 0)
			random_move(map, rng);
		break;
	case 3:
		random_job(map, rng);
		break;
	case 4:
		if (map->volume_count > 0)
			random_removal(map, rng);
		break;
	default:
		member->state = (enum member_state)rng_below(rng, MEMBER_STATE_COUNT);
		member->absent_since = rng_next(rng);
		assert_int_equal(map_touch_member(map, member->slot), 0);
		break;
	}
}

struct buffer map_bytes(const struct map *map)
{
	const struct map_record_place place = { .generation = 1 };
	struct buffer buffer = { 0 };
	uint32_t crc;

	assert_int_equal(map_record_encode_full(&buffer, map, &place, &crc), 0);
	return buffer;
}

void assert_maps_equal(const struct map *a, const struct map *b)
{
	struct buffer left = map_bytes(a), right = map_bytes(b);

	assert_int_equal(left.size, right.size);
	assert_memory_equal(left.bytes, right.bytes, left.size);
	buffer_reset(&left);
	buffer_reset(&right);
}

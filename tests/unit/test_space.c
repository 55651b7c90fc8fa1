/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Space: aim is that the frames handed out are free, aligned and inside the member, that a run is found
 * whenever there is one, and that what is derived from a map is what was taken.
 * Method: long random sequences beside a plain array of flags that is searched from end to end.
 */
#include "core/map/space.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FRAMES_MAX 300u
#define TAKEN_MAX 300u

struct run {
	uint32_t frame;
	uint8_t size_class;
};

struct model {
	uint32_t frames;
	bool used[FRAMES_MAX];
	struct run taken[TAKEN_MAX];
	uint32_t taken_count;
};

static bool model_is_free(const struct model *model, uint32_t frame, uint32_t size)
{
	for (uint32_t i = frame; i < frame + size; i++) {
		if (i >= model->frames || model->used[i])
			return false;
	}
	return true;
}

/* The lowest or highest aligned run that is free; UINT32_MAX when there is none. */
static uint32_t model_find(const struct model *model, uint32_t size, bool from_high)
{
	uint32_t found = UINT32_MAX;

	for (uint32_t frame = 0; frame < model->frames; frame += size) {
		if (model_is_free(model, frame, size)) {
			found = frame;
			if (!from_high)
				break;
		}
	}
	return found;
}

static void model_set(struct model *model, struct run run, bool used)
{
	for (uint32_t i = 0; i < 1u << run.size_class; i++)
		model->used[run.frame + i] = used;
}

static void take(struct space *space, struct model *model, struct rng *rng)
{
	struct run run = { .size_class = (uint8_t)rng_below(rng, 5) };
	bool from_high = rng_below(rng, 2);
	uint32_t expected = model_find(model, 1u << run.size_class, from_high);
	bool found = space_take(space, 3, run.size_class, from_high, &run.frame);

	assert_int_equal(found, expected != UINT32_MAX);
	if (!found)
		return;
	assert_int_equal(run.frame, expected);
	model_set(model, run, true);
	model->taken[model->taken_count++] = run;
}

static void take_at(struct space *space, struct model *model, struct rng *rng)
{
	const struct run run = { (uint32_t)rng_below(rng, model->frames + 20),
				 (uint8_t)rng_below(rng, SIZE_CLASS_MAX + 2) };
	uint32_t size = 1u << run.size_class;
	bool expected = run.size_class <= SIZE_CLASS_MAX && run.frame % size == 0 &&
			model_is_free(model, run.frame, size);

	assert_int_equal(space_take_at(space, 3, run.size_class, run.frame), expected);
	if (!expected)
		return;
	model_set(model, run, true);
	model->taken[model->taken_count++] = run;
}

static void give(struct space *space, struct model *model, struct rng *rng)
{
	if (model->taken_count == 0)
		return;
	uint32_t at = (uint32_t)rng_below(rng, model->taken_count);
	struct run run = model->taken[at];

	space_give(space, 3, run.size_class, run.frame);
	model_set(model, run, false);
	model->taken[at] = model->taken[--model->taken_count];
}

static uint64_t model_free(const struct model *model)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < model->frames; i++)
		count += !model->used[i];
	return count;
}

static struct map *map_of_one(uint64_t frames)
{
	struct map *map = map_empty();
	struct member member = *map_member(map, 3);

	while (map->member_count > 0)
		assert_int_equal(map_remove_member(map, map->members[0].slot), 0);
	member.frame_count = frames;
	assert_int_equal(map_put_member(map, &member), 0);
	return map;
}

static void runs_are_free_aligned_and_the_best_there_is(void **state)
{
	struct rng rng = rng_seeded(test_seed(3));

	(void)state;
	for (uint32_t round = 0; round < 60; round++) {
		struct model model = { .frames = 1 + (uint32_t)rng_below(&rng, FRAMES_MAX) };
		struct map *map = map_of_one(model.frames);
		struct space *space = NULL;
		struct err err = { 0 };
		uint64_t bias = 2 + rng_below(&rng, 8); /* some rounds fill up, some stay empty */

		assert_int_equal(space_create(&space, map, &err), 0);
		assert_int_equal(space_total_frames(space, 3), model.frames);
		for (int step = 0; step < 1500; step++) {
			uint64_t what = rng_below(&rng, bias);

			if (what == 0 || model.taken_count == TAKEN_MAX)
				give(space, &model, &rng);
			else if (what == 1)
				take_at(space, &model, &rng);
			else
				take(space, &model, &rng);
			assert_int_equal(space_free_frames(space, 3), model_free(&model));
		}
		while (model.taken_count > 0)
			give(space, &model, &rng);
		assert_int_equal(space_free_frames(space, 3), model.frames);
		space_free(space);
		map_free(map);
	}
}

/* What space_create() derives is the frames of the map's extents, no more and no less. */
static void space_is_what_the_map_does_not_name(void **state)
{
	struct map *map = map_sample();
	struct space *space = NULL;
	struct err err = { 0 };
	uint64_t used[SAMPLE_MEMBERS] = { 0 };

	(void)state;
	assert_int_equal(space_create(&space, map, &err), 0);
	for (uint32_t i = 0; i < map->group_count; i++) {
		for (uint32_t c = 0; c < map->groups[i]->shape.columns; c++) {
			const struct extent *extent = &map->groups[i]->extents[c];

			used[extent->slot] += UINT64_C(1) << extent->size_class;
			assert_false(space_take_at(space, extent->slot, 0, extent->frame));
		}
	}
	for (uint32_t slot = 0; slot < SAMPLE_MEMBERS; slot++)
		assert_int_equal(space_free_frames(space, slot), SAMPLE_FRAMES - used[slot]);
	assert_int_equal(space_free_frames(space, 60), 0);
	assert_int_equal(space_total_frames(space, UINT32_MAX), 0);
	space_free(space);
	map_free(map);
}

/* Two extents on one frame, in every way two runs can overlap. */
static void overlaps_are_refused_by_name(void **state)
{
	(void)state;
	for (uint8_t a = 0; a < 4; a++) {
		for (uint8_t b = 0; b < 4; b++) {
			for (uint32_t at = 0; at < 16; at += 1u << b) {
				struct group_recipe one = { LAYOUT_PLAIN, 1,    0, 0, 8, a,
							    { 2 },        { 8 } };
				struct group_recipe two = { LAYOUT_PLAIN, 1,     0, 0, 8, b,
							    { 2 },        { at } };
				struct map *map = map_empty();
				struct space *space = NULL;
				struct err err = { 0 };
				bool overlap = at < 8u + (1u << a) && 8u < at + (1u << b);

				map_add_group(map, &one);
				map_add_group(map, &two);
				int rc = space_create(&space, map, &err);
				assert_int_equal(rc, overlap ? ERR_FORMAT : 0);
				if (overlap)
					assert_non_null(strstr(err.text, "extent 2 of group 2"));
				space_free(space);
				map_free(map);
			}
		}
	}
}

static void members_come_go_and_change_their_number(void **state)
{
	struct map *map = map_sample();
	struct space *space = NULL;
	struct err err = { 0 };
	uint32_t frame;

	(void)state;
	assert_int_equal(space_create(&space, map, &err), 0);
	assert_false(space_take(space, 9, 0, false, &frame));
	assert_int_equal(space_add_member(space, 9, 5), 0);
	assert_true(space_take(space, 9, 2, false, &frame));
	assert_int_equal(frame, 0);
	uint64_t before = space_free_frames(space, 2);
	space_remove_member(space, 3);
	assert_int_equal(space_free_frames(space, 3), 0);
	space_rename_member(space, 2, 3);
	assert_int_equal(space_free_frames(space, 3), before);
	assert_int_equal(space_total_frames(space, 2), 0);
	assert_false(space_take(space, 2, 0, false, &frame));
	space_give(space, 9, 2, 0);
	assert_int_equal(space_free_frames(space, 9), 5);
	space_free(space);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_free_aligned_and_the_best_there_is),
		cmocka_unit_test(space_is_what_the_map_does_not_name),
		cmocka_unit_test(overlaps_are_refused_by_name),
		cmocka_unit_test(members_come_go_and_change_their_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

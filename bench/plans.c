/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plans: seconds of the processor that it takes to decide what moves, for jobs over many groups. A job asks its goal again after every
 * commit, so what it asks must cost time in proportion to what it moves; a plan is all of that on a copy of the map,
 * without any I/O. One JSON line for each goal, count of groups and of members; `per_gib` is for each GiB written.
 *
 * usage: plans [GROUPS…]
 */
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/allocate.h"
#include "core/map/goal.h"
#include "core/map/model.h"
#include "core/map/recode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY 64u /* blocks of a frame: extents of 256 KiB */
#define BATCH_BLOCKS ((UINT64_C(256) << 20) / BLOCK_SIZE)
#define WIDTH 4u
#define GIB ((double)(UINT64_C(1) << 30))

static const struct policy narrow = {
	.layout = LAYOUT_PARITY, .checks = 1, .columns = WIDTH, .unit_blocks = 16
};
static const struct policy mirror = {
	.layout = LAYOUT_MIRROR, .checks = 1, .columns = 2, .unit_blocks = 16
};

static void must(int rc)
{
	if (!rc)
		return;
	fprintf(stderr, "plans: failed with %d\n", rc);
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void add_member(struct places *places, uint32_t slot, uint64_t frames)
{
	const struct member member = { .slot = slot, .frame_count = frames };

	must(map_put_member(places->map, &member));
	must(space_add_member(places->space, slot, frames));
	places->usable = member_set_with(places->usable, slot);
}

/* A map with one volume of `groups` groups of 3+1. */
static void make(struct places *places, uint32_t members, uint32_t groups)
{
	struct volume *volume = map_volume_create();
	uint64_t frames = (uint64_t)groups * WIDTH / members * 2 + 16;
	struct err err = { 0 };

	*places = (struct places){ .map = map_create(), .generation = 1 };
	must(!places->map || !volume);
	places->map->geometry = (struct geometry){ .frame_body_blocks = BODY, .witness_max = 32 };
	places->map->geometry.frame_blocks = geometry_frame_blocks(BODY, 32);
	must(space_create(&places->space, places->map, &err));
	for (uint32_t i = 0; i < members; i++)
		add_member(places, i, frames);
	volume->id = 1;
	volume->policy = narrow;
	for (uint32_t g = 0; g < groups; g++) {
		struct group_size size;
		struct group *group;

		must(allocate_group(places, &narrow, (WIDTH - 1) * BODY, &group, &size, &err));
		struct span span = { .offset = volume->length,
				     .length = size.data_blocks * BLOCK_SIZE,
				     .unit_blocks = size.unit_blocks,
				     .extent_count = WIDTH - 1,
				     .extents = mem_calloc(WIDTH - 1, sizeof(uint64_t)) };

		must(!span.extents);
		for (uint32_t i = 0; i < WIDTH - 1; i++)
			span.extents[i] = group->extents[i].id;
		must(map_put_group(places->map, group));
		must(map_volume_add_span(volume, &span));
		volume->length += span.length;
	}
	must(map_put_volume(places->map, volume));
	map_edits_clear(places->map);
}

static int give_back(void *arg, const struct extent *extent)
{
	const struct places *places = arg;

	space_give(places->space, extent->slot, extent->size_class, extent->frame);
	return 0;
}

/* All batches of a goal; returns the blocks that it writes. */
static uint64_t run_goal(struct places *places, const struct goal *goal)
{
	uint64_t written = 0;
	bool more = true;

	while (more) {
		struct batch batch = { .places = places, .blocks_max = BATCH_BLOCKS };
		struct err err = { 0 };

		must(goal_next(&batch, goal, &err));
		more = batch.list.count > 0;
		for (size_t i = 0; i < batch.list.count; i++) {
			written += reshape_cost(places->map, &batch.list.at[i]).blocks_written;
			must(reshape_apply(places->map, &batch.list.at[i], give_back, places));
		}
		map_edits_clear(places->map);
		batch_reset(&batch);
	}
	return written;
}

static uint64_t run_recode(struct places *places)
{
	struct recode_goal goal = { .volume = 1, .policy = &mirror };
	uint64_t written = 0;
	bool more = true;

	while (more) {
		struct recode_batch batch = { .places = places, .blocks_max = BATCH_BLOCKS };
		struct err err = { 0 };

		must(recode_next(&batch, &goal, &err));
		more = batch.runs.count > 0;
		written += batch.blocks * 2;
		if (more) {
			const struct recode_run *last = &batch.runs.at[batch.runs.count - 1];

			goal.cursor = last->offset + last->length;
			must(recode_apply(&batch, &goal, batch.runs.count, give_back, places));
		}
		map_edits_clear(places->map);
		recode_reset(&batch);
	}
	return written;
}

static void measure(const char *name, uint32_t members, uint32_t groups)
{
	struct goal goal = { .kind = GOAL_REBALANCE };
	struct places places;
	uint64_t written;
	double begun;

	make(&places, members, groups);
	if (strcmp(name, "rebalance") == 0 || strcmp(name, "recombine") == 0)
		add_member(&places, members, (uint64_t)groups * WIDTH / members * 2 + 16);
	if (strcmp(name, "recombine") == 0)
		goal = (struct goal){ .kind = GOAL_RECOMBINE, .columns = WIDTH + 1 };
	if (strcmp(name, "evacuate") == 0) {
		goal = (struct goal){ .kind = GOAL_EVACUATE, .member = 1 };
		places.usable.bits &= ~UINT64_C(2);
	}
	begun = now();
	written = strcmp(name, "migrate") == 0 ? run_recode(&places) : run_goal(&places, &goal);
	double took = now() - begun, gib = (double)written * BLOCK_SIZE / GIB;
	printf("{\"bench\":\"plans\",\"goal\":\"%s\",\"members\":%u,\"groups\":%u,\"seconds\":%.4f,"
	       "\"gib\":%.3f,\"per_gib\":%.4f}\n",
	       name, members, groups, took, gib, gib > 0 ? took / gib : 0.0);
	fflush(stdout);
	map_free(places.map);
	space_free(places.space);
}

int main(int argc, char **argv)
{
	static const char *const goals[] = { "rebalance", "recombine", "evacuate", "migrate" };
	static const uint32_t members[] = { 6, 12, 24 };
	uint32_t usual[] = { 1250, 2500, 5000, 10000 }, count = 4;

	if (argc > 1)
		count = 0;
	for (int i = 1; i < argc && count < 4; i++)
		usual[count++] = (uint32_t)strtoul(argv[i], NULL, 10);
	for (size_t g = 0; g < sizeof(goals) / sizeof(goals[0]); g++) {
		for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
			for (uint32_t i = 0; i < count; i++)
				measure(goals[g], members[m], usual[i]);
		}
	}
	return 0;
}

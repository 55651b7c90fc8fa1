/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of maps share: small maps that keep every rule, and maps as comparable bytes. */
#ifndef PG_TESTS_MAP_HELP_H
#define PG_TESTS_MAP_HELP_H

#include "core/base/bytes.h"
#include "core/base/rng.h"
#include "core/map/map.h"

#define SAMPLE_MEMBERS 5u
#define SAMPLE_FRAMES 40u
#define SAMPLE_BODY 64u /* blocks of a frame's body */

/* A group whose column i lies on members[i] at frames[i]; ids are the map's next ones. */
struct group_recipe {
	enum layout layout;
	uint16_t columns, checks, pure;
	uint32_t body_blocks;
	uint8_t size_class;
	uint32_t members[CODE_COLUMNS_MAX];
	uint32_t frames[CODE_COLUMNS_MAX];
};
struct group *group_of(struct map *map, const struct group_recipe *recipe);
struct group *map_add_group(struct map *map, const struct group_recipe *recipe);

/* A volume of one span over all data extents of the group. */
struct volume *map_add_volume(struct map *map, const char *name, const struct group *group);

/* Members and no groups; and one group and volume of each layout, a job, labels, two epochs. */
struct map *map_empty(void);
struct map *map_sample(void);

/* Random edits that keep every rule but those on overlaps of frames. */
void map_edit_randomly(struct map *map, struct rng *rng);

/* The map as one full record of generation 1; equal bytes are equal maps. */
struct buffer map_bytes(const struct map *map);
void assert_maps_equal(const struct map *a, const struct map *b);

/* A seed for this run: PGCTL_TEST_SEED, or `usual`. Printed, so that a failure can be repeated. */
uint64_t test_seed(uint64_t usual);

/* Of very many cases every so manieth is tried: PGCTL_TEST_THIN, as `make asan-unit` sets it, takes that many times fewer. */
uint64_t test_thinned(uint64_t every);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/foreign.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/window.h"
#include "core/map/check.h"
#include "core/map/windows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FRAME_BLOCKS 1024u /* frames only give addresses */
#define GENERATION 1u      /* there is one state only, what the members say */

struct foreign {
	struct map *map;
	struct volume *volume;            /* that is being filled; the map has those before */
	uint32_t volume_group;            /* its first group */
	uint64_t frame_next[MEMBERS_MAX]; /* from BARE_FRAME_FIRST on */
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the map of an array");
}

void foreign_free(struct foreign *foreign)
{
	if (!foreign)
		return;
	map_free(foreign->map);
	map_volume_free(foreign->volume);
	mem_free(foreign);
}

static void volume_name_set(struct foreign *foreign, const char *name)
{
	foreign->volume->id = foreign->map->volume_id_next++;
	snprintf(foreign->volume->name, NAME_SIZE, "%s", name);
}

struct foreign *foreign_create(const char *array_name, const char *volume_name,
			       const struct uuid *uuid)
{
	struct foreign *foreign = mem_calloc(1, sizeof(*foreign));

	if (!foreign)
		return NULL;
	foreign->map = map_create();
	foreign->volume = map_volume_create();
	if (!foreign->map || !foreign->volume) {
		foreign_free(foreign);
		return NULL;
	}
	foreign->map->uuid = *uuid;
	foreign->map->generation = GENERATION;
	foreign->map->bare = true;
	foreign->map->geometry = (struct geometry){ .frame_blocks = FRAME_BLOCKS,
						    .frame_body_blocks = FRAME_BLOCKS,
						    .witness_max = CODE_COLUMNS_MAX };
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++)
		foreign->frame_next[slot] = BARE_FRAME_FIRST;
	foreign->map->epoch_count = 1;
	foreign->map->epochs[0] = (struct epoch){ .number = 1, .first_generation = GENERATION };
	snprintf(foreign->map->name, NAME_SIZE, "%s", array_name);
	volume_name_set(foreign, volume_name);
	return foreign;
}

int foreign_add_member(struct foreign *foreign, uint32_t slot, const struct uuid *uuid,
		       uint64_t size, struct err *err)
{
	const struct member member = {
		.slot = slot, .uuid = *uuid, .state = MEMBER_ONLINE, .size = size
	};

	if (slot >= MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "member %u: an array has at most %u members", slot,
			       MEMBERS_MAX);
	assert(!map_member(foreign->map, slot));
	struct epoch *epoch = &foreign->map->epochs[0];

	epoch->present = member_set_with(epoch->present, slot);
	return map_put_member(foreign->map, &member) ? no_memory(err) : 0;
}

static struct window window_of(const struct foreign_place *place, uint32_t blocks)
{
	uint64_t size = (uint64_t)blocks * BLOCK_SIZE;
	struct window window = {
		.length = place->length ? place->length : size,
		.origin = place->origin,
		.run = place->run,
		.stride = place->stride,
	};

	if (window.run == 0 || window.run >= window.length)
		window.run = window.stride = window.length;
	return window;
}

static int check_place(const struct foreign *foreign, const struct foreign_place *place,
		       uint32_t blocks, struct err *err)
{
	const struct member *member = map_member(foreign->map, place->slot);
	const struct window window = window_of(place, blocks);

	if (!member)
		return err_set(err, ERR_FORMAT, "an extent on member %u, which is none",
			       place->slot);
	if (!window_is_sound(&window) || window_end(&window) != (uint64_t)blocks * BLOCK_SIZE)
		return err_set(err, ERR_FORMAT,
			       "member %u: an extent of %u blocks from byte %" PRIu64
			       " on in runs of %" PRIu64 " bytes, %" PRIu64 " apart",
			       place->slot, blocks, place->origin, place->run, place->stride);
	if (window_place_end(&window) > member->size)
		return err_set(err, ERR_FORMAT,
			       "member %u: an extent reaches byte %" PRIu64 " of %" PRIu64,
			       place->slot, window_place_end(&window), member->size);
	return 0;
}

static int check_group(const struct foreign *foreign, const struct code_shape *shape,
		       uint32_t blocks, const struct foreign_place *places, struct err *err)
{
	int rc = code_shape_check_any(shape, err);

	if (!rc && shape->layout == LAYOUT_SEQUENTIAL)
		rc = err_set(err, ERR_FORMAT, "the layout \"%s\" has seals always",
			     layout_name(shape->layout));
	if (!rc && (blocks == 0 || blocks > FOREIGN_BLOCKS_MAX))
		rc = err_set(err, ERR_LIMIT, "extents of %u blocks, at most %u are possible",
			     blocks, FOREIGN_BLOCKS_MAX);
	for (uint32_t c = 0; !rc && c < shape->columns; c++)
		rc = check_place(foreign, &places[c], blocks, err);
	return rc;
}

/* The next numbers of its member. */
static int place_extent(struct foreign *foreign, struct extent *extent, struct err *err)
{
	uint64_t *next = &foreign->frame_next[extent->slot];
	uint64_t frames = bare_frames(foreign->map, extent->body_blocks);

	if (frames > UINT32_MAX - *next)
		return err_set(err, ERR_LIMIT, "member %u has too many extents", extent->slot);
	extent->frame = (uint32_t)*next;
	*next += frames;
	return 0;
}

int foreign_add_group(struct foreign *foreign, const struct code_shape *shape, uint32_t blocks,
		      const struct foreign_place *places, uint64_t *first_out, struct err *err)
{
	struct map *map = foreign->map;
	uint64_t first = map->extent_id_next;
	int rc = check_group(foreign, shape, blocks, places, err);

	if (rc)
		return rc;
	struct group *group = map_group_create_bare(shape->columns);

	if (!group)
		return no_memory(err);
	group->id = map->group_id_next++;
	group->generation = GENERATION;
	group->shape = *shape;
	group->segment_blocks = blocks;
	for (uint32_t c = 0; !rc && c < shape->columns; c++) {
		group->extents[c] = (struct extent){
			.id = map->extent_id_next++,
			.slot = places[c].slot,
			.body_blocks = blocks,
			.stale = places[c].stale,
		};
		group->windows[c] = window_of(&places[c], blocks);
		rc = place_extent(foreign, &group->extents[c], err);
	}
	if (rc) {
		mem_free(group);
		return rc;
	}
	if (map_put_group(map, group))
		return no_memory(err);
	*first_out = first;
	return 0;
}

int foreign_add_span(struct foreign *foreign, uint64_t length, uint32_t unit_blocks,
		     const uint64_t *extents, uint32_t count, struct err *err)
{
	struct volume *volume = foreign->volume;
	struct span span = { .offset = volume->length,
			     .length = length,
			     .unit_blocks = unit_blocks,
			     .extent_count = count };

	assert(count > 0);
	if (!size_add(volume->length, length, &volume->length))
		return err_set(err, ERR_LIMIT, "the volume is too long");
	span.extents = mem_calloc(count, sizeof(*span.extents));
	if (!span.extents)
		return no_memory(err);
	memcpy(span.extents, extents, count * sizeof(*extents));
	if (map_volume_add_span(volume, &span)) {
		mem_free(span.extents);
		return no_memory(err);
	}
	return 0;
}

/* Of the whole volume what its first group is of; nothing is made by it. */
static void describe(struct foreign *foreign)
{
	const struct group *group = foreign->map->groups[foreign->volume_group];
	uint32_t unit_blocks = foreign->volume->spans[0].unit_blocks;
	const struct policy policy = {
		.layout = group->shape.layout,
		.columns = group->shape.columns,
		.checks = group->shape.checks,
		.unit_blocks = unit_blocks ? unit_blocks : group->segment_blocks,
	};

	foreign->volume->policy = policy;
	if (foreign->map->volume_count == 0)
		foreign->map->policy = policy;
}

/* It becomes the map's. */
static int end_volume(struct foreign *foreign, struct err *err)
{
	struct map *map = foreign->map;
	struct volume *volume = foreign->volume;

	if (map->group_count == foreign->volume_group || volume->span_count == 0)
		return err_set(err, ERR_FORMAT, "an array without data");
	describe(foreign);
	foreign->volume = NULL; /* the map's, also on failure */
	foreign->volume_group = map->group_count;
	return map_put_volume(map, volume) ? no_memory(err) : 0;
}

int foreign_begin_volume(struct foreign *foreign, const char *name, struct err *err)
{
	assert(!foreign_has_volume(foreign, name));
	int rc = end_volume(foreign, err);

	if (rc)
		return rc;
	foreign->volume = map_volume_create();
	if (!foreign->volume)
		return no_memory(err);
	volume_name_set(foreign, name);
	return 0;
}

bool foreign_has_volume(const struct foreign *foreign, const char *name)
{
	return strcmp(foreign->volume->name, name) == 0 || map_volume_named(foreign->map, name);
}

static int finish(struct foreign *foreign, struct err *err)
{
	struct map *map = foreign->map;
	int rc = end_volume(foreign, err);

	if (rc)
		return rc;
	map_edits_clear(map);
	rc = map_check(map, err);
	if (!rc && map_windows_make(map))
		rc = no_memory(err);
	return rc;
}

int foreign_finish(struct foreign *foreign, struct map **map_out, struct err *err)
{
	int rc = finish(foreign, err);

	if (!rc) {
		*map_out = foreign->map;
		foreign->map = NULL;
	}
	foreign_free(foreign);
	return rc;
}

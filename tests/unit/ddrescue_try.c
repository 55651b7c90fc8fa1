/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/ddrescue_try.h"

#include "core/base/size.h"
#include "formats/ddrescue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((uint64_t)1 << 16) /* of the device whose holes are compared byte by byte */

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "ddrescue_try: %s\n", what);
	abort();
}

static void blocks_in_order(const struct ddrescue_map *map)
{
	for (size_t i = 0; i < map->blocks.count; i++) {
		const struct ddrescue_block *block = &map->blocks.at[i];

		need(block->size > 0, "an empty block");
		need(block->offset <= DDRESCUE_POSITION_MAX &&
			     block->size <= DDRESCUE_POSITION_MAX - block->offset,
		     "a block ends too far");
		need(i == 0 || block[-1].offset + block[-1].size == block->offset,
		     "blocks do not adjoin");
	}
}

static void same_when_printed(const struct ddrescue_map *map)
{
	struct ddrescue_map again = { 0 };
	struct text text = { 0 };
	struct err err = { 0 };

	ddrescue_print(map, "a\nb\x1b", &text);
	need(!text.failed, "no memory");
	need(ddrescue_parse(&again, text.chars, text.size, "printed", &err) == 0, err.text);
	need(again.position == map->position && again.phase == map->phase &&
		     again.pass == map->pass && again.blocks.count == map->blocks.count,
	     "printed and read it differs");
	for (size_t i = 0; i < map->blocks.count; i++) {
		const struct ddrescue_block *one = &map->blocks.at[i], *other = &again.blocks.at[i];

		need(one->offset == other->offset && one->size == other->size &&
			     one->status == other->status,
		     "printed and read a block differs");
	}
	ddrescue_reset(&again);
	text_reset(&text);
}

static bool in_hole(const struct hole_vec *holes, uint64_t offset)
{
	for (size_t i = 0; i < holes->count; i++) {
		if (offset >= holes->at[i].offset &&
		    offset - holes->at[i].offset < holes->at[i].size)
			return true;
	}
	return false;
}

static void holes_right(const struct ddrescue_map *map, uint64_t size)
{
	struct hole_vec holes = { 0 };

	need(ddrescue_holes(map, size, &holes) == 0, "no memory");
	for (size_t i = 0; i < holes.count; i++) {
		const struct hole *hole = &holes.at[i];

		need(hole->size > 0 && hole->offset % HOLE_UNIT == 0 &&
			     hole->size % HOLE_UNIT == 0 && hole->offset < size,
		     "no hole");
		need(i == 0 || hole[-1].offset + hole[-1].size < hole->offset,
		     "holes touch or are out of order");
	}
	for (uint64_t sector = 0; sector < size && size <= BYTES_MAX; sector += HOLE_UNIT) {
		bool whole = true;

		for (uint64_t at = sector; at < size && at < sector + HOLE_UNIT; at++)
			whole &= ddrescue_status_at(map, at, NULL) == DDRESCUE_RESCUED;
		need(in_hole(&holes, sector) != whole, "a sector is on the wrong side");
	}
	hole_vec_reset(&holes);
}

static void statuses_set(struct ddrescue_map *map)
{
	uint64_t begin, end = ddrescue_end(map);

	if (map->blocks.count == 0)
		return;
	begin = map->blocks.at[0].offset;
	for (uint64_t part = 1; part < 5; part++) {
		uint64_t size = size_max((end - begin) / (2 * part), 1);
		uint64_t offset = begin + (end - begin - size) / part;

		need(ddrescue_set(map, offset, size, DDRESCUE_BAD) == 0, "no memory");
		blocks_in_order(map);
		need(ddrescue_status_at(map, offset, NULL) == DDRESCUE_BAD &&
			     ddrescue_status_at(map, offset + size - 1, NULL) == DDRESCUE_BAD,
		     "what was set is not so");
		need(map->blocks.at[0].offset == begin && ddrescue_end(map) == end,
		     "a map grew or shrank");
	}
}

bool ddrescue_try(const uint8_t *data, size_t size)
{
	struct ddrescue_map map = { 0 };
	struct err err = { 0 };
	int rc = ddrescue_parse(&map, (const char *)data, size, "file", &err);

	need(rc == 0 || rc == ERR_FORMAT, err.text);
	need(rc == 0 || strstr(err.text, "line "), "the line is not named");
	if (rc)
		return false;
	blocks_in_order(&map);
	same_when_printed(&map);
	holes_right(&map, 0);
	holes_right(&map, 1500);
	holes_right(&map, ddrescue_end(&map));
	statuses_set(&map);
	same_when_printed(&map);
	ddrescue_reset(&map);
	return true;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/map_assemble.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/span_assemble.h"
#include "core/map/check.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOST_MAX 3u /* columns of a group that any code can do without */

VEC_DEFINE(group_vec, struct group *);

/* A member that stands for extents that were not found. */
struct lost_member {
	uint32_t slot; /* MEMBER_NONE: not needed yet */
	uint64_t frames;
};

struct work {
	struct assembly *assembly;
	struct group_vec groups; /* ours until they are in the map */
	struct lost_member lost[LOST_MAX];
};

/* ---- members that do not exist */

/* The number of the n-th lost member, MEMBER_NONE when there is no room for another. */
static uint32_t lost_slot(struct work *work, uint32_t n, int *rc_out)
{
	struct map *map = work->assembly->map;
	struct lost_member *lost = &work->lost[n];
	struct member member = { .slot = map_slot_free(map),
				 .state = MEMBER_FAILED,
				 .behind = true };

	if (lost->slot != MEMBER_NONE || member.slot == MEMBERS_MAX)
		return lost->slot;
	member.uuid = work->assembly->new_uuid(work->assembly->new_uuid_arg);
	member.absent_since = work->assembly->generation;
	*rc_out = map_put_member(map, &member);
	lost->slot = member.slot;
	return lost->slot;
}

/* All frames are given out: say how many there are. */
static int size_lost_members(struct work *work)
{
	struct map *map = work->assembly->map;
	uint64_t frame_size = (uint64_t)map->geometry.frame_blocks * BLOCK_SIZE;

	for (uint32_t i = 0; i < LOST_MAX; i++) {
		if (work->lost[i].slot == MEMBER_NONE)
			continue;
		struct member member = *map_member(map, work->lost[i].slot);
		member.data_offset = work->assembly->scan->members[0].regions.data_offset;
		member.frame_count = work->lost[i].frames;
		member.size = member.data_offset + member.frame_count * frame_size;
		if (map_put_member(map, &member))
			return ERR_NOMEM;
	}
	return 0;
}

/* ---- groups */

static bool is_check(const struct found_extent *found)
{
	return found->shape.layout == LAYOUT_PARITY &&
	       found->column + found->shape.checks >= found->shape.columns;
}

/* Does its header say reliably what its group is made of? */
static bool is_authority(const struct found_extent *found)
{
	return found->shape.layout != LAYOUT_PARITY || is_check(found);
}

/* Those that know first, of these the latest first. */
static int compare_authority(const void *left, const void *right)
{
	const struct found_extent *a = *(const struct found_extent *const *)left;
	const struct found_extent *b = *(const struct found_extent *const *)right;

	if (is_authority(a) != is_authority(b))
		return is_authority(a) ? -1 : 1;
	if (a->group_generation != b->group_generation)
		return a->group_generation > b->group_generation ? -1 : 1;
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return a->extent < b->extent ? -1 : a->extent > b->extent;
}

/* So many columns can be rebuilt. */
static uint32_t missing_allowed(const struct code_shape *shape)
{
	switch (shape->layout) {
	case LAYOUT_MIRROR:
	case LAYOUT_PARITY:
		return shape->checks;
	case LAYOUT_SEQUENTIAL:
		return 1;
	case LAYOUT_PLAIN:
	case LAYOUT_COUNT:
		break;
	}
	return 0;
}

/* May this extent be column `column` of the group? */
static bool suits(const struct group *group, uint32_t column, const struct found_extent *found,
		  const struct scan *scan, const struct seal_header *header)
{
	if (found->overwritten || found->taken || found->body_blocks != header->body_blocks ||
	    found->shape.layout != header->shape.layout)
		return false;
	for (uint32_t i = 0; i < column; i++) {
		if (group->extents[i].slot == scan->members[found->member].slot)
			return false;
	}
	return true;
}

/* Fill in a column that was found. */
static bool take_column(struct group *group, uint32_t column, const struct found_extent *found,
			const struct scan *scan, const struct seal_header *header)
{
	if (!suits(group, column, found, scan, header))
		return false;
	group->extents[column] = (struct extent){
		.id = found->extent,
		.header_generation = found->header_generation,
		.slot = scan->members[found->member].slot,
		.frame = found->frame,
		.body_blocks = found->body_blocks,
		.size_class = found->size_class,
	};
	return true;
}

/*
 * Columns that were found, and how many are missing; false when the group is not to be had. A data
 * extent of a parity group may know an older group only: its word counts while all data are there.
 */
static bool gather(const struct work *work, struct group *group, const struct seal_header *header,
		   bool authority, uint32_t *missing_out)
{
	const struct scan *scan = work->assembly->scan;
	uint32_t data_columns = group_data_columns(group), missing = 0;

	for (uint32_t c = 0; c < header->shape.columns; c++) {
		const struct found_extent *found = seal_scan_find(scan, header->extents[c]);

		group->extents[c].slot = MEMBER_NONE;
		if (found && take_column(group, c, found, scan, header))
			continue;
		if (found || header->extents[c] == 0 || header->extents[c] > SCAN_ID_MAX ||
		    (!authority && c < data_columns))
			return false;
		missing++;
	}
	*missing_out = missing;
	return missing <= missing_allowed(&header->shape);
}

/* Give each missing column a place on a lost member; undone when the group fails later. */
static int invent_columns(struct work *work, struct group *group, const struct seal_header *header,
			  bool *full_out)
{
	uint64_t size = UINT64_C(1) << header->size_class;
	uint32_t n = 0;
	int rc = 0;

	*full_out = false;
	for (uint32_t c = 0; !rc && c < header->shape.columns; c++) {
		if (group->extents[c].slot != MEMBER_NONE)
			continue;
		struct lost_member *lost = &work->lost[n];
		uint32_t slot = lost_slot(work, n++, &rc);
		uint64_t frame = size_round_up(lost->frames, size);

		if (slot == MEMBER_NONE || frame + size > UINT32_MAX) {
			*full_out = true;
			return rc;
		}
		group->extents[c] = (struct extent){
			.id = header->extents[c],
			.header_generation = work->assembly->generation,
			.slot = slot,
			.frame = (uint32_t)frame,
			.body_blocks = header->body_blocks,
			.size_class = header->size_class,
			.stale = true,
		};
		lost->frames = frame + size;
	}
	return rc;
}

static int keep_group(struct work *work, struct group *group)
{
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		struct found_extent *found =
			seal_scan_find(work->assembly->scan, group->extents[c].id);

		if (found)
			found->taken = true;
	}
	return group_vec_push(&work->groups, group);
}

/* A group as its header says, without its extents; NULL without memory. */
static struct group *begin_group(const struct seal_header *header)
{
	struct group *group = map_group_create(header->shape.columns);

	if (!group)
		return NULL;
	group->id = header->group;
	group->generation = header->group_generation;
	group->shape = header->shape;
	group->segment_blocks = header->segment_blocks;
	return group;
}

/* Keep the group that this header describes, if it can be had. */
static int try_group(struct work *work, const struct found_extent *source)
{
	struct lost_member before[LOST_MAX];
	struct seal_header header;
	struct err why = { 0 };
	uint32_t missing = 0;
	bool full = false;
	int rc = seal_scan_header(&header, work->assembly->scan, source);

	if (rc == ERR_NOMEM)
		return rc;
	if (rc || code_shape_check(&header.shape, &why))
		return 0;
	struct group *group = begin_group(&header);
	if (!group)
		return ERR_NOMEM;
	memcpy(before, work->lost, sizeof(before));
	if (gather(work, group, &header, is_authority(source), &missing)) {
		rc = invent_columns(work, group, &header, &full);
		if (!rc && !full) {
			rc = keep_group(work, group);
			if (!rc)
				return 0;
		}
	}
	for (uint32_t i = 0; i < LOST_MAX; i++)
		work->lost[i].frames = before[i].frames;
	mem_free(group);
	return rc;
}

static int find_groups(struct work *work)
{
	struct found_vec *found = &work->assembly->scan->found;
	const struct found_extent **order = mem_calloc(found->count, sizeof(*order));
	int rc = 0;

	if (!order)
		return ERR_NOMEM;
	for (size_t i = 0; i < found->count; i++)
		order[i] = &found->at[i];
	if (found->count > 1)
		qsort(order, found->count, sizeof(*order), compare_authority);
	for (size_t i = 0; !rc && i < found->count; i++) {
		if (!order[i]->taken && !order[i]->overwritten)
			rc = try_group(work, order[i]);
	}
	mem_free(order);
	return rc;
}

/* By id, of two the later first. */
static int compare_groups(const void *left, const void *right)
{
	const struct group *a = *(const struct group *const *)left;
	const struct group *b = *(const struct group *const *)right;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->generation != b->generation)
		return a->generation > b->generation ? -1 : 1;
	return a->extents[0].id < b->extents[0].id ? -1 : 1;
}

/* Into the map in the order of their ids, which costs no moving. */
static int publish_groups(struct work *work)
{
	struct map *map = work->assembly->map;
	uint64_t last = 0;

	if (work->groups.count > 1)
		qsort(work->groups.at, work->groups.count, sizeof(struct group *), compare_groups);
	for (size_t i = 0; i < work->groups.count; i++) {
		struct group *group = work->groups.at[i];

		if (group->id == last)
			continue;
		last = group->id;
		work->groups.at[i] = NULL;
		if (map_put_group(map, group))
			return ERR_NOMEM;
	}
	return 0;
}

/* Take out what breaks a rule; from the end, where it costs least. */
static int drop_wrong_groups(struct map *map)
{
	for (uint32_t i = map->group_count; i > 0; i--) {
		struct err why = { 0 };

		if (map_check_group(map, map->groups[i - 1], &why) &&
		    map_remove_group(map, map->groups[i - 1]->id))
			return ERR_NOMEM;
	}
	return 0;
}

int map_assemble(struct assembly *assembly, struct err *err)
{
	struct work work = { .assembly = assembly };

	for (uint32_t i = 0; i < LOST_MAX; i++)
		work.lost[i].slot = MEMBER_NONE;
	int rc = find_groups(&work);
	if (!rc)
		rc = publish_groups(&work);
	if (!rc)
		rc = size_lost_members(&work);
	if (!rc)
		rc = drop_wrong_groups(assembly->map);
	if (!rc)
		rc = span_assemble(assembly->map, assembly->scan, &assembly->incomplete_volumes);
	for (size_t i = 0; i < work.groups.count; i++)
		mem_free(work.groups.at[i]);
	group_vec_reset(&work.groups);
	if (rc)
		return err_set(err, rc, "no memory to put the map together");
	assembly->extents_taken = 0;
	for (uint32_t i = 0; i < assembly->map->group_count; i++) {
		const struct group *group = assembly->map->groups[i];

		for (uint32_t c = 0; c < group->shape.columns; c++)
			assembly->extents_taken +=
				seal_scan_find(assembly->scan, group->extents[c].id) != NULL;
	}
	return 0;
}

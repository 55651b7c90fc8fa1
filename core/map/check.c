/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/check.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/window.h"
#include "core/map/check_bare.h"
#include "core/map/space.h"
#include "core/map/windows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX (UINT64_C(1) << 62) /* so that no map makes ids run over */

/* What else is a mistake of the user is one of the map here. */
static int wrong(struct err *err, const char *object, uint64_t id)
{
	err->code = ERR_FORMAT;
	return err_prefix(err, "map: %s %" PRIu64, object, id);
}

int map_check_geometry(const struct geometry *geometry, struct err *err)
{
	if (geometry->witness_max == 0 || geometry->witness_max > CODE_COLUMNS_MAX ||
	    geometry->frame_body_blocks == 0 ||
	    geometry->frame_body_blocks > UINT32_MAX / 4 >> SIZE_CLASS_MAX)
		return err_set(err, ERR_FORMAT, "map: frames of %u blocks, %u witnesses",
			       geometry->frame_body_blocks, geometry->witness_max);
	uint32_t frame_blocks =
		geometry_frame_blocks(geometry->frame_body_blocks, geometry->witness_max);
	if (geometry->frame_blocks != frame_blocks)
		return err_set(err, ERR_FORMAT, "map: frames of %u blocks, expected %u",
			       geometry->frame_blocks, frame_blocks);
	return 0;
}

/* Nothing is younger than the map that tells of it. One that was never committed has no generation. */
static bool is_future(const struct map *map, uint64_t generation)
{
	return map->generation != 0 && generation > map->generation;
}

/* What lies before the frames for sure, whatever the store keeps there besides. */
static uint64_t regions_size(const struct geometry *geometry)
{
	uint64_t size;

	if (!size_multiply(geometry->map_half_size, 2, &size) ||
	    !size_add(size, geometry->log_size, &size))
		return UINT64_MAX;
	return size;
}

static int check_member(const struct map *map, const struct member *member, struct err *err)
{
	uint64_t blocks, end;

	if (member->data_offset < regions_size(&map->geometry))
		return err_set(err, ERR_FORMAT,
			       "map: member %u has frames from byte %" PRIu64 ", on its metadata",
			       member->slot, member->data_offset);
	if (is_future(map, member->absent_since))
		return err_set(err, ERR_FORMAT,
			       "map: member %u is absent since generation %" PRIu64 " of %" PRIu64,
			       member->slot, member->absent_since, map->generation);
	if (member->data_offset % BLOCK_SIZE != 0 ||
	    !size_multiply(member->frame_count, map->geometry.frame_blocks, &blocks) ||
	    !size_multiply(blocks, BLOCK_SIZE, &end) || !size_add(end, member->data_offset, &end) ||
	    end > member->size || member->frame_count > BARE_FRAME_FIRST ||
	    (map_is_bare(map) && member->frame_count > 0))
		return err_set(err, ERR_FORMAT,
			       "map: member %u has %" PRIu64 " frames in %" PRIu64 " bytes",
			       member->slot, member->frame_count, member->size);
	/* Else a byte of it had the address of a bare extent (core/map/windows.h). */
	if (map->geometry.adopted &&
	    member->size / BLOCK_SIZE / map->geometry.frame_blocks >= BARE_FRAME_FIRST)
		return err_set(err, ERR_FORMAT, "map: member %u has %" PRIu64 " bytes, too many",
			       member->slot, member->size);
	for (const struct member *other = map->members; other < member; other++) {
		if (uuid_equal(&other->uuid, &member->uuid))
			return err_set(err, ERR_FORMAT, "map: members %u and %u have one uuid",
				       other->slot, member->slot);
	}
	return 0;
}

/* Where a bare extent lies: behind our metadata, on the member; and its number is one. */
static int check_window(const struct map *map, const struct group *group, uint32_t column,
			struct err *err)
{
	const struct extent *extent = &group->extents[column];
	const struct window *window = &group->windows[column];
	const struct member *member = map_member(map, extent->slot);

	if (!window_is_sound(window) ||
	    window_end(window) != (uint64_t)extent->body_blocks * BLOCK_SIZE ||
	    window->origin < member->data_offset || window_place_end(window) > member->size)
		return err_set(err, ERR_FORMAT,
			       "map: extent %" PRIu64 " lies nowhere: %" PRIu64
			       " bytes from byte %" PRIu64 " of member %u on",
			       extent->id, window->length, window->origin, extent->slot);
	if (!extent_is_bare(extent) || extent->size_class != 0 || extent->header_generation != 0 ||
	    bare_frames(map, extent->body_blocks) > UINT32_MAX - extent->frame)
		return err_set(err, ERR_FORMAT, "map: extent %" PRIu64 " is bare at frame %u",
			       extent->id, extent->frame);
	return 0;
}

static int check_extent(const struct map *map, const struct group *group, uint32_t column,
			struct err *err)
{
	const struct extent *extent = &group->extents[column];

	if (extent->id == 0 || extent->id >= map->extent_id_next)
		return err_set(err, ERR_FORMAT,
			       "map: group %" PRIu64 " has an extent %" PRIu64
			       ", ids end at %" PRIu64,
			       group->id, extent->id, map->extent_id_next);
	if (!map_member(map, extent->slot))
		return err_set(err, ERR_FORMAT,
			       "map: extent %" PRIu64 " is on member %u, which is none", extent->id,
			       extent->slot);
	if (extent->size_class > SIZE_CLASS_MAX || extent->body_blocks == 0 ||
	    (!group_is_bare(group) && extent->body_blocks > map->geometry.frame_body_blocks
								    << extent->size_class) ||
	    extent->body_blocks != group_body_blocks(group))
		return err_set(err, ERR_FORMAT, "map: extent %" PRIu64 " has %u blocks in class %u",
			       extent->id, extent->body_blocks, extent->size_class);

	uint32_t found_column;
	if (map_extent(map, extent->id, &found_column) != group || found_column != column)
		return err_set(err, ERR_FORMAT, "map: extent %" PRIu64 " stands in two places",
			       extent->id);
	for (uint32_t i = 0; i < column; i++) {
		if (group->extents[i].slot == extent->slot)
			return err_set(err, ERR_FORMAT,
				       "map: group %" PRIu64 " has two extents on member %u",
				       group->id, extent->slot);
	}
	return group_is_bare(group) ? check_window(map, group, column, err) : 0;
}

/* Columns whose checks cover many blocks: their seals have room for so many witnesses. */
static uint32_t witnesses_of(const struct group *group)
{
	switch (group->shape.layout) {
	case LAYOUT_PARITY:
		return group_data_columns(group);
	case LAYOUT_SEQUENTIAL:
		return group->shape.columns;
	case LAYOUT_PLAIN:
	case LAYOUT_MIRROR:
	case LAYOUT_COUNT:
		break;
	}
	return 0;
}

int map_check_group(const struct map *map, const struct group *group, struct err *err)
{
	uint64_t segments = 1;
	int rc = group_is_bare(group) ? code_shape_check_any(&group->shape, err)
				      : code_shape_check(&group->shape, err);

	if (rc)
		return wrong(err, "group", group->id);
	if (group->id == 0 || group->id >= map->group_id_next)
		return err_set(err, ERR_FORMAT, "map: group %" PRIu64 ", ids end at %" PRIu64,
			       group->id, map->group_id_next);
	if (group_is_bare(group) ? !(map->geometry.adopted || map_is_bare(map)) ||
					   group->shape.layout == LAYOUT_SEQUENTIAL
				 : map_is_bare(map))
		return err_set(err, ERR_FORMAT,
			       "map: group %" PRIu64 " has seals or none, unlike what it is in",
			       group->id);
	if (group->shape.layout == LAYOUT_SEQUENTIAL)
		segments = (uint64_t)group->shape.checks * group->shape.columns;
	if (group_body_blocks(group) != segments * group->segment_blocks)
		return err_set(err, ERR_FORMAT,
			       "map: group %" PRIu64 " has bodies of %u blocks in segments of %u",
			       group->id, group_body_blocks(group), group->segment_blocks);
	if (!group_is_bare(group) && witnesses_of(group) > map->geometry.witness_max)
		return err_set(err, ERR_FORMAT, "map: group %" PRIu64 " is wider than its seals",
			       group->id);
	for (uint32_t i = 0; !rc && i < group->shape.columns; i++)
		rc = check_extent(map, group, i, err);
	return rc;
}

/* The extents of a span: they exist, carry data, and all have room for their share. */
static int check_span(const struct map *map, const struct volume *volume, const struct span *span,
		      struct err *err)
{
	uint64_t room = 0;

	if (span->extent_count > CODE_COLUMNS_MAX && !span_is_bare(map, span))
		return err_set(err, ERR_FORMAT, "map: a span of volume \"%s\" over %u extents",
			       volume->name, span->extent_count);
	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, span->extents[i], &column);

		if (!group || column >= group_data_columns(group) ||
		    group_is_bare(group) != span_is_bare(map, span))
			return err_set(err, ERR_FORMAT,
				       "map: volume \"%s\" uses extent %" PRIu64
				       ", which is no data extent",
				       volume->name, span->extents[i]);
		uint64_t blocks = group_data_blocks(group);
		if (span->unit_blocks && blocks % span->unit_blocks != 0)
			return err_set(err, ERR_FORMAT,
				       "map: volume \"%s\" stripes extent %" PRIu64
				       " in units that do not fit",
				       volume->name, span->extents[i]);
		if (i > 0 && room != i * blocks)
			return err_set(err, ERR_FORMAT,
				       "map: volume \"%s\" stripes extents of different size",
				       volume->name);
		room += blocks;
	}
	if (span->length == 0 || span->length > room * BLOCK_SIZE)
		return err_set(err, ERR_FORMAT,
			       "map: volume \"%s\" has %" PRIu64 " bytes in %" PRIu64 " blocks",
			       volume->name, span->length, room);
	return 0;
}

/* A policy names a code that exists; how wide its groups are may be left open. */
static int check_policy(const struct map *map, const struct policy *policy, struct err *err)
{
	uint32_t columns = policy->columns;

	if (columns == 0 && policy->layout == LAYOUT_SEQUENTIAL)
		columns = CODE_SEQUENTIAL_COLUMNS_MAX;
	else if (columns == 0)
		columns = policy->checks + 1u;
	if (policy->layout == LAYOUT_PARITY && policy->unit_blocks == 0)
		return err_set(err, ERR_FORMAT, "parity in units of no blocks");
	if (policy->checks >= CODE_COLUMNS_MAX || policy->pure_plus_one > columns)
		return err_set(err, ERR_FORMAT, "%u checks, pure column %u", policy->checks,
			       policy->pure_plus_one);
	struct code_shape shape =
		code_shape_make(policy->layout, (uint16_t)columns, policy->checks, 0);
	return map_is_bare(map) || map->geometry.adopted ? code_shape_check_any(&shape, err)
							 : code_shape_check(&shape, err);
}

int map_check_volume(const struct map *map, const struct volume *volume, struct err *err)
{
	uint64_t end = 0;
	int rc = map_name_check(volume->name, err);

	if (!rc)
		rc = check_policy(map, &volume->policy, err);
	if (rc)
		return wrong(err, "volume", volume->id);
	if (volume->id == 0 || volume->id >= map->volume_id_next)
		return err_set(err, ERR_FORMAT, "map: volume %" PRIu64 ", ids end at %" PRIu64,
			       volume->id, map->volume_id_next);
	/* A span may begin within a block: what was appended to a volume does (FORMAT.md section 5). */
	for (uint32_t i = 0; i < volume->span_count; i++) {
		const struct span *span = &volume->spans[i];

		if (span->offset != end || !size_add(end, span->length, &end))
			return err_set(err, ERR_FORMAT,
				       "map: span %u of volume \"%s\" leaves a gap", i,
				       volume->name);
		rc = check_span(map, volume, span, err);
		if (rc)
			return rc;
	}
	if (end != volume->length)
		return err_set(err, ERR_FORMAT,
			       "map: volume \"%s\" has %" PRIu64 " bytes, its spans %" PRIu64,
			       volume->name, volume->length, end);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct volume *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static int check_names(const struct map *map, struct err *err)
{
	const struct volume **sorted = mem_calloc(map->volume_count, sizeof(struct volume *));
	int rc = 0;

	if (!sorted)
		return err_set(err, ERR_NOMEM, "no memory to check the map");
	for (uint32_t i = 0; i < map->volume_count; i++)
		sorted[i] = map->volumes[i];
	qsort(sorted, map->volume_count, sizeof(struct volume *), compare_names);
	for (uint32_t i = 1; !rc && i < map->volume_count; i++) {
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			rc = err_set(err, ERR_FORMAT, "map: two volumes have the name \"%s\"",
				     sorted[i]->name);
	}
	mem_free(sorted);
	return rc;
}

/* Who uses the data columns of a group. */
struct claim {
	const struct volume *volume; /* NULL: nobody yet */
	uint32_t columns;            /* a bit for each that a span has */
};

/* A block has one address: no extent stands in two spans, and no group serves two volumes. */
static int claim_volume(const struct map *map, const struct volume *volume, struct claim *claims,
			struct err *err)
{
	for (uint32_t i = 0; i < volume->span_count; i++) {
		for (uint32_t j = 0; j < volume->spans[i].extent_count; j++) {
			uint32_t column;
			const struct group *group =
				map_extent(map, volume->spans[i].extents[j], &column);

			if (!group)
				return err_set(err, ERR_FORMAT,
					       "map: extent %" PRIu64 " of volume \"%s\" is in no "
					       "group",
					       volume->spans[i].extents[j], volume->name);
			struct claim *claim = &claims[map_group_number(map, group->id)];
			if ((claim->volume && claim->volume != volume) ||
			    (claim->columns >> column & 1))
				return err_set(err, ERR_FORMAT,
					       "map: extent %" PRIu64 " of volume \"%s\" or its "
					       "group is in use elsewhere",
					       volume->spans[i].extents[j], volume->name);
			claim->volume = volume;
			claim->columns |= UINT32_C(1) << column;
		}
	}
	return 0;
}

/* One claim a group, to be released with mem_free(). */
static int collect_claims(struct claim **claims_out, const struct map *map, struct err *err)
{
	struct claim *claims = mem_calloc(map->group_count, sizeof(*claims));
	int rc = 0;

	if (!claims)
		return err_set(err, ERR_NOMEM, "no memory to check the map");
	for (uint32_t i = 0; !rc && i < map->volume_count; i++)
		rc = claim_volume(map, map->volumes[i], claims, err);
	if (rc) {
		mem_free(claims);
		return rc;
	}
	*claims_out = claims;
	return 0;
}

static int check_claims(const struct map *map, struct err *err)
{
	struct claim *claims = NULL;
	int rc = collect_claims(&claims, map, err);

	mem_free(claims);
	return rc;
}

int map_find_unclaimed(const struct map *map, void (*found)(void *arg, const struct group *group),
		       void *arg, struct err *err)
{
	struct claim *claims = NULL;
	int rc = collect_claims(&claims, map, err);

	for (uint32_t i = 0; !rc && i < map->group_count; i++) {
		if (!claims[i].volume)
			found(arg, map->groups[i]);
	}
	mem_free(claims);
	return rc;
}

static int check_ids(const struct map *map, struct err *err)
{
	const uint64_t next[] = { map->extent_id_next, map->group_id_next, map->volume_id_next,
				  map->job_id_next };

	for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		if (next[i] == 0 || next[i] > ID_MAX)
			return err_set(err, ERR_FORMAT, "map: next id %" PRIu64, next[i]);
	}
	return 0;
}

static int check_array(const struct map *map, struct err *err)
{
	int rc = map_name_check(map->name, err);

	if (!rc)
		rc = check_policy(map, &map->policy, err);
	if (rc)
		return wrong(err, "array of epoch", map->epochs[map->epoch_count - 1].number);
	if ((map->adoption.state != ADOPT_NONE) != map->geometry.adopted)
		return err_set(err, ERR_FORMAT,
			       "map: its superblocks and its items differ about who made it");
	if (map->member_count == 0 || map->member_count > MEMBERS_MAX)
		return err_set(err, ERR_FORMAT, "map: %u members", map->member_count);
	return check_ids(map, err);
}

/* Is a job of this kind one of a member? */
static bool job_has_member(enum job_kind kind)
{
	return kind != JOB_SCRUB && kind != JOB_REBALANCE && kind != JOB_RECOMBINE &&
	       kind != JOB_EXPAND && kind != JOB_MIGRATE && kind != JOB_TOPOLOGY;
}

/* A volume and what it is to become; of other jobs no more than columns. */
static int check_job_arguments(const struct map *map, const struct job *job, struct err *err)
{
	if (job->state == JOB_DONE)
		return 0;
	if ((job->kind == JOB_MIGRATE) != (job->volume != 0) ||
	    (job->volume && !map_volume(map, job->volume)))
		return err_set(err, ERR_FORMAT,
			       "map: job %" PRIu64 " (%s) cannot be of volume %" PRIu64, job->id,
			       job_kind_name(job->kind), job->volume);
	if (job->volume && check_policy(map, &job->policy, err))
		return wrong(err, "job", job->id);
	return 0;
}

/* Members may have left since a job ended, so only one that goes on has to name some. */
static int check_job_members(const struct map *map, const struct job *job, struct err *err)
{
	bool has_from = job->from != MEMBER_NONE, has_to = job->to != MEMBER_NONE;

	if (job->state == JOB_DONE)
		return 0;
	if ((has_from && !map_member(map, job->from)) || (has_to && !map_member(map, job->to)))
		return err_set(err, ERR_FORMAT, "map: job %" PRIu64 " names members that are none",
			       job->id);
	if (has_from != job_has_member(job->kind) || (has_from && job->from == job->to))
		return err_set(err, ERR_FORMAT,
			       "map: job %" PRIu64 " (%s) cannot be of these members", job->id,
			       job_kind_name(job->kind));
	return 0;
}

static int check_jobs(const struct map *map, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];

		if (job->id == 0 || job->id >= map->job_id_next)
			return err_set(err, ERR_FORMAT, "map: job %" PRIu64 ", ids end at %" PRIu64,
				       job->id, map->job_id_next);
		if (job->done > job->total)
			return err_set(err, ERR_FORMAT,
				       "map: job %" PRIu64 " has done %" PRIu64 " of %" PRIu64,
				       job->id, job->done, job->total);
		rc = check_job_members(map, job, err);
		if (!rc)
			rc = check_job_arguments(map, job, err);
	}
	return rc;
}

static int check_epochs(const struct map *map, struct err *err)
{
	if (map->epoch_count == 0 || map->epoch_count > EPOCHS_MAX)
		return err_set(err, ERR_FORMAT, "map: %u epochs", map->epoch_count);
	if (map->epochs[0].number == 0)
		return err_set(err, ERR_FORMAT, "map: epochs begin with 0");
	for (uint32_t i = 1; i < map->epoch_count; i++) {
		if (map->epochs[i].number <= map->epochs[i - 1].number ||
		    map->epochs[i].first_generation <= map->epochs[i - 1].first_generation)
			return err_set(err, ERR_FORMAT, "map: epoch %" PRIu64 " is out of order",
				       map->epochs[i].number);
	}
	if (is_future(map, map->epochs[map->epoch_count - 1].first_generation))
		return err_set(err, ERR_FORMAT,
			       "map: epoch %" PRIu64 " begins with generation %" PRIu64
			       " of %" PRIu64,
			       map->epochs[map->epoch_count - 1].number,
			       map->epochs[map->epoch_count - 1].first_generation, map->generation);
	return 0;
}

static int check_group_of_disk(const struct map *map, const struct group *group, struct err *err)
{
	if (is_future(map, group->generation))
		return err_set(err, ERR_FORMAT,
			       "map: group %" PRIu64 " is of generation %" PRIu64 " of %" PRIu64,
			       group->id, group->generation, map->generation);
	return map_check_group(map, group, err);
}

int map_check_edits(const struct map *map, struct err *err)
{
	if (map_edits_lost(map))
		return err_set(err, ERR_NOMEM, "memory ran out while the change was made");
	int rc = check_ids(map, err);
	bool claims_change = false;

	for (uint32_t i = 0; !rc && i < map_edit_count(map); i++) {
		struct map_edit edit = map_edit_at(map, i);
		const struct group *group = map_edit_group(map, edit);
		const struct volume *volume = map_edit_volume(map, edit);

		if (group)
			rc = map_check_group(map, group, err);
		else if (volume)
			rc = map_check_volume(map, volume, err);
		claims_change =
			claims_change || edit.type == EDIT_GROUP || edit.type == EDIT_VOLUME;
	}
	if (!rc && claims_change && map_has_bare(map))
		rc = map_check_bare(map, err);
	return !rc && claims_change ? check_claims(map, err) : rc;
}

int map_check(const struct map *map, struct err *err)
{
	struct space *space = NULL;
	int rc = 0;

	if (!map_is_bare(map)) /* else the frames were made to fit */
		rc = map_check_geometry(&map->geometry, err);
	if (!rc)
		rc = check_epochs(map, err);
	if (!rc)
		rc = check_array(map, err);
	for (uint32_t i = 0; !rc && i < map->member_count; i++)
		rc = check_member(map, &map->members[i], err);
	for (uint32_t i = 0; !rc && i < map->group_count; i++)
		rc = check_group_of_disk(map, map->groups[i], err);
	if (!rc)
		rc = map_check_bare(map, err);
	for (uint32_t i = 0; !rc && i < map->volume_count; i++)
		rc = map_check_volume(map, map->volumes[i], err);
	if (!rc)
		rc = check_names(map, err);
	if (!rc)
		rc = check_claims(map, err);
	if (!rc)
		rc = check_jobs(map, err);
	if (!rc) {
		rc = space_create(&space, map, err); /* finds overlaps */
		space_free(space);
	}
	return rc;
}

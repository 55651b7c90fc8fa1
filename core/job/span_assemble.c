/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/span_assemble.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/check.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_DEFAULT 16u /* blocks: the default of create */

/* One data extent's place in a volume. */
struct piece {
	uint64_t volume;
	uint64_t offset, length; /* of its span */
	uint64_t generation;     /* of its group */
	uint32_t unit_blocks;
	uint16_t position, count;
	uint64_t extent;
	const struct found_extent *source; /* whose header says so */
	bool held;                         /* its group is in the map */
};

VEC_DEFINE(piece_vec, struct piece);

static struct piece piece_of(const struct found_extent *found, bool held)
{
	return (struct piece){
		.volume = found->volume,
		.offset = found->span_offset,
		.length = found->span_length,
		.generation = found->group_generation,
		.unit_blocks = found->unit_blocks,
		.position = found->position,
		.count = found->span_extents,
		.extent = found->extent,
		.source = found,
		.held = held,
	};
}

/*
 * A header of the group that tells of its span, best one of a data extent: it also tells which place in the
 * span it has.
 */
static const struct found_extent *find_witness(const struct group *group, const struct scan *scan)
{
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		const struct found_extent *found = seal_scan_find(scan, group->extents[c].id);

		if (found && found->volume != 0)
			return found;
	}
	return NULL;
}

/*
 * The piece that column `column` is; false when nothing tells. A column that was lost stands in the span
 * where data extents do whose span is their group: in the order of columns.
 */
static bool column_piece(const struct group *group, uint32_t column, const struct scan *scan,
			 const struct found_extent *witness, struct piece *piece_out)
{
	const struct found_extent *found = seal_scan_find(scan, group->extents[column].id);
	uint32_t data_columns = group_data_columns(group);

	if (found) {
		*piece_out = piece_of(found, true);
		return found->volume == witness->volume;
	}
	*piece_out = piece_of(witness, true);
	piece_out->extent = group->extents[column].id;
	piece_out->position = (uint16_t)column;
	return witness->span_extents == data_columns &&
	       (witness->column >= data_columns || witness->position == witness->column);
}

static int collect_group(struct piece_vec *pieces, const struct group *group,
			 const struct scan *scan)
{
	const struct found_extent *witness = find_witness(group, scan);
	uint32_t data_columns = group_data_columns(group);
	struct piece all[CODE_COLUMNS_MAX];
	bool told = witness != NULL;

	for (uint32_t c = 0; told && c < data_columns; c++)
		told = column_piece(group, c, scan, witness, &all[c]);
	for (uint32_t c = 0; told && c < data_columns; c++) {
		if (piece_vec_push(pieces, all[c]))
			return ERR_NOMEM;
	}
	return 0;
}

/* Extents that are in no group: they show what is missing. */
static int collect_homeless(struct piece_vec *pieces, const struct map *map,
			    const struct scan *scan)
{
	for (size_t i = 0; i < scan->found.count; i++) {
		const struct found_extent *found = &scan->found.at[i];
		uint32_t column;

		if (found->volume == 0 || found->overwritten ||
		    map_extent(map, found->extent, &column))
			continue;
		if (piece_vec_push(pieces, piece_of(found, false)))
			return ERR_NOMEM;
	}
	return 0;
}

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

/* By volume and offset, of two the later first; then what makes one span, in its order. */
static int compare_pieces(const void *left, const void *right)
{
	const struct piece *a = left, *b = right;
	const int order[] = {
		COMPARE(a->volume, b->volume),           COMPARE(a->offset, b->offset),
		COMPARE(b->generation, a->generation),   COMPARE(a->length, b->length),
		COMPARE(a->unit_blocks, b->unit_blocks), COMPARE(a->count, b->count),
		COMPARE(a->position, b->position),       COMPARE(a->extent, b->extent),
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i])
			return order[i];
	}
	return 0;
}

static bool same_span(const struct piece *a, const struct piece *b)
{
	return a->volume == b->volume && a->offset == b->offset && a->generation == b->generation &&
	       a->length == b->length && a->unit_blocks == b->unit_blocks && a->count == b->count;
}

/* All extents of a span, each once, in groups that are in the map. */
static bool is_complete(const struct piece *pieces, size_t count)
{
	if (count != pieces[0].count || count > CODE_COLUMNS_MAX || pieces[0].length == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].position != i || !pieces[i].held)
			return false;
	}
	return true;
}

static int add_span(struct volume *volume, const struct piece *pieces, size_t count)
{
	struct span span = {
		.offset = pieces[0].offset,
		.length = pieces[0].length,
		.unit_blocks = pieces[0].unit_blocks,
		.extent_count = (uint32_t)count,
		.extents = mem_calloc(count, sizeof(uint64_t)),
	};

	if (!span.extents)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		span.extents[i] = pieces[i].extent;
	int rc = map_volume_add_span(volume, &span);
	if (rc)
		mem_free(span.extents);
	return rc;
}

/*
 * Spans in a row from the pieces of one volume. *whole_out is false when one is missing, as far as any
 * extent that was found tells of it.
 */
static int chain_spans(struct volume *volume, const struct piece *pieces, size_t count,
		       bool *whole_out)
{
	uint64_t missing_end = 0;
	int rc = 0;

	*whole_out = true;
	for (size_t at = 0, set; !rc && at < count; at += set) {
		uint64_t end;

		for (set = 1; at + set < count && same_span(&pieces[at], &pieces[at + set]);)
			set++;
		if (!size_add(pieces[at].offset, pieces[at].length, &end))
			continue;
		if (pieces[at].offset < volume->length)
			continue; /* a later span is there already */
		if (pieces[at].offset > volume->length || !is_complete(&pieces[at], set)) {
			missing_end = size_max(missing_end, end);
			continue;
		}
		rc = add_span(volume, &pieces[at], set);
		volume->length = end;
	}
	if (volume->length == 0 || missing_end > volume->length)
		*whole_out = false;
	return rc;
}

/* The name that the extent written last tells; unique and possible. */
static int name_volume(struct volume *volume, const struct map *map, const struct scan *scan,
		       const struct piece *pieces, size_t count)
{
	const struct found_extent *latest = pieces[0].source;
	struct seal_header header;
	struct err why = { 0 };

	for (size_t i = 1; i < count; i++) {
		if (pieces[i].source->header_generation > latest->header_generation)
			latest = pieces[i].source;
	}
	int rc = seal_scan_header(&header, scan, latest);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc || map_name_check(header.name, &why))
		snprintf(volume->name, sizeof(volume->name), "volume-%" PRIu64, volume->id);
	else
		memcpy(volume->name, header.name, sizeof(volume->name));
	/* It was renamed after that, and another has the name now. */
	if (map_volume_named(map, volume->name)) {
		char old[NAME_SIZE];

		memcpy(old, volume->name, sizeof(old));
		snprintf(volume->name, sizeof(volume->name), "%.200s.%" PRIu64, old, volume->id);
	}
	return 0;
}

/* A policy that would make such groups. */
static void set_policy(struct volume *volume, const struct map *map)
{
	struct policy *policy = &volume->policy;
	uint32_t unit = 0;

	policy->journal = JOURNAL_DEGRADED;
	for (uint32_t i = 0; i < volume->span_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, volume->spans[i].extents[0], &column);

		if (i == 0) {
			policy->layout = group->shape.layout;
			policy->checks = group->shape.checks;
		}
		if (group->shape.layout != policy->layout)
			continue;
		if (group->shape.columns > policy->columns)
			policy->columns = group->shape.columns;
		if (group->extents[0].size_class > policy->size_class)
			policy->size_class = group->extents[0].size_class;
		if (volume->spans[i].unit_blocks > unit)
			unit = volume->spans[i].unit_blocks;
	}
	uint64_t body = (uint64_t)map->geometry.frame_body_blocks << policy->size_class;
	if (unit == 0 || body % unit != 0)
		unit = body % UNIT_DEFAULT == 0 ? UNIT_DEFAULT : 1;
	policy->unit_blocks = unit;
}

/* One volume from its pieces; *made_out tells whether it came into the map. */
static int make_volume(struct map *map, const struct scan *scan, const struct piece *pieces,
		       size_t count, bool *made_out)
{
	struct volume *volume = map_volume_create();
	struct err why = { 0 };

	*made_out = false;
	if (!volume)
		return ERR_NOMEM;
	volume->id = pieces[0].volume;
	int rc = chain_spans(volume, pieces, count, made_out);
	if (!rc && *made_out)
		rc = name_volume(volume, map, scan, pieces, count);
	if (rc || !*made_out) {
		map_volume_free(volume);
		return rc;
	}
	set_policy(volume, map);
	rc = map_put_volume(map, volume);
	if (!rc && map_check_volume(map, volume, &why)) {
		*made_out = false;
		rc = map_remove_volume(map, volume->id);
	}
	return rc;
}

static int make_volumes(struct map *map, const struct scan *scan, const struct piece_vec *pieces,
			uint64_t *incomplete_out)
{
	int rc = 0;

	*incomplete_out = 0;
	for (size_t at = 0, count; !rc && at < pieces->count; at += count) {
		bool made = false;

		for (count = 1; at + count < pieces->count &&
				pieces->at[at + count].volume == pieces->at[at].volume;)
			count++;
		rc = make_volume(map, scan, &pieces->at[at], count, &made);
		*incomplete_out += !made;
	}
	return rc;
}

static void mark_wanted(const struct map *map, const struct volume *volume, bool *wanted)
{
	for (uint32_t i = 0; i < volume->span_count; i++) {
		for (uint32_t j = 0; j < volume->spans[i].extent_count; j++) {
			uint32_t column;
			const struct group *group =
				map_extent(map, volume->spans[i].extents[j], &column);

			wanted[map_group_number(map, group->id)] = true;
		}
	}
}

static int drop_unwanted(struct map *map)
{
	bool *wanted = mem_calloc(map->group_count, sizeof(*wanted));
	int rc = 0;

	if (!wanted)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < map->volume_count; i++)
		mark_wanted(map, map->volumes[i], wanted);
	for (uint32_t i = map->group_count; !rc && i > 0; i--) {
		if (!wanted[i - 1])
			rc = map_remove_group(map, map->groups[i - 1]->id);
	}
	mem_free(wanted);
	return rc;
}

/* New volumes are to be as the largest one is; without any, as simple as the members allow. */
static void set_default(struct map *map)
{
	const struct volume *largest = NULL;
	uint32_t online = map_online_count(map);

	for (uint32_t i = 0; i < map->volume_count; i++) {
		if (!largest || map->volumes[i]->length > largest->length)
			largest = map->volumes[i];
	}
	if (largest) {
		map->policy = largest->policy;
		if (map->policy.columns > online)
			map->policy.columns = 0;
		return;
	}
	map->policy = (struct policy){ .layout = LAYOUT_PLAIN,
				       .checks = online > 1,
				       .unit_blocks = UNIT_DEFAULT,
				       .journal = JOURNAL_DEGRADED };
	if (online > 1)
		map->policy.layout = online == 2 ? LAYOUT_MIRROR : LAYOUT_PARITY;
}

int span_assemble(struct map *map, const struct scan *scan, uint64_t *incomplete_out)
{
	struct piece_vec pieces = { 0 };
	int rc = 0;

	for (uint32_t i = 0; !rc && i < map->group_count; i++)
		rc = collect_group(&pieces, map->groups[i], scan);
	if (!rc)
		rc = collect_homeless(&pieces, map, scan);
	if (!rc && pieces.count > 1)
		qsort(pieces.at, pieces.count, sizeof(*pieces.at), compare_pieces);
	if (!rc)
		rc = make_volumes(map, scan, &pieces, incomplete_out);
	if (!rc)
		rc = drop_unwanted(map);
	set_default(map);
	piece_vec_reset(&pieces);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/survive.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Groups of one code on the same members, column for column. */
struct kind {
	const struct group *group; /* one of them */
	uint32_t gone;             /* columns that cannot be used already, a bit each */
	struct member_set members; /* of the other columns */
	uint32_t tolerance;
};

struct survive {
	const struct map *map;
	uint32_t kind_count;
	struct kind *kinds;
	uint32_t *kind_of_group; /* as map->groups */
};

const char *survive_verdict_name(enum survive_verdict verdict)
{
	static const char *const names[] = { "redundant", "no-redundancy", "data-loss" };

	assert(verdict <= SURVIVE_DATA_LOSS);
	return names[verdict];
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_shapes(const struct code_shape *a, const struct code_shape *b)
{
	int order = compare_numbers(a->layout, b->layout);

	if (!order)
		order = compare_numbers(a->columns, b->columns);
	if (!order)
		order = compare_numbers(a->checks, b->checks);
	return order ? order : compare_numbers(a->pure, b->pure);
}

/* Which columns survive does not depend on the coefficients of parity: any distinct ones do. */
static int compare_kinds(const struct kind *a, const struct kind *b)
{
	int order = compare_shapes(&a->group->shape, &b->group->shape);

	if (!order)
		order = compare_numbers(a->gone, b->gone);
	for (uint32_t c = 0; !order && c < a->group->shape.columns; c++)
		order = compare_numbers(a->group->extents[c].slot, b->group->extents[c].slot);
	return order;
}

static int compare_kinds_then_ids(const void *left, const void *right)
{
	const struct kind *a = left, *b = right;
	int order = compare_kinds(a, b);

	return order ? order : compare_numbers(a->group->id, b->group->id);
}

static struct kind kind_of(const struct group *group, survive_usable *usable, const void *arg)
{
	struct kind kind = { .group = group };

	kind.tolerance = group_tolerance(group);
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (usable && !usable(arg, &group->extents[c]))
			kind.gone |= UINT32_C(1) << c;
		else
			kind.members = member_set_with(kind.members, group->extents[c].slot);
	}
	return kind;
}

/* The kinds, sorted, one for each group; then each kind once. */
static void merge_kinds(struct survive *survive)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < survive->map->group_count; i++) {
		const struct kind kind = survive->kinds[i];

		if (kept == 0 || compare_kinds(&survive->kinds[kept - 1], &kind) != 0)
			survive->kinds[kept++] = kind;
		survive->kind_of_group[map_group_number(survive->map, kind.group->id)] = kept - 1;
	}
	survive->kind_count = kept;
}

int survive_create(struct survive **survive_out, const struct map *map, survive_usable *usable,
		   const void *arg)
{
	struct survive *survive = mem_calloc(1, sizeof(*survive));

	if (!survive)
		return ERR_NOMEM;
	survive->map = map;
	survive->kinds = mem_calloc(size_max(map->group_count, 1), sizeof(*survive->kinds));
	survive->kind_of_group =
		mem_calloc(size_max(map->group_count, 1), sizeof(*survive->kind_of_group));
	if (!survive->kinds || !survive->kind_of_group) {
		survive_free(survive);
		return ERR_NOMEM;
	}
	for (uint32_t i = 0; i < map->group_count; i++)
		survive->kinds[i] = kind_of(map->groups[i], usable, arg);
	qsort(survive->kinds, map->group_count, sizeof(*survive->kinds), compare_kinds_then_ids);
	merge_kinds(survive);
	*survive_out = survive;
	return 0;
}

void survive_free(struct survive *survive)
{
	if (!survive)
		return;
	mem_free(survive->kinds);
	mem_free(survive->kind_of_group);
	mem_free(survive);
}

static uint32_t columns_lost(const struct kind *kind, struct member_set lost)
{
	struct member_set both = { kind->members.bits & lost.bits };

	return member_set_count(both) + (uint32_t)__builtin_popcount(kind->gone);
}

/* ---- ranges */

/* Which data segments of which columns nobody could compute; of one kind, per set of lost members. */
struct hole {
	bool any;
	uint16_t segments;
	uint64_t cells[CODE_LOST_WORDS];
};

struct search {
	const struct survive *survive;
	struct hole *holes; /* a kind each */
	struct survive_range range;
	void (*found)(void *arg, const struct survive_range *range);
	void *arg;
};

static void set_bit(uint64_t *words, uint32_t bit)
{
	words[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool has_bit(const uint64_t *words, uint32_t bit)
{
	return words[bit / 64] >> bit % 64 & 1;
}

static int fill_hole(struct hole *hole, const struct kind *kind, struct member_set lost)
{
	uint64_t cells[CODE_LOST_WORDS] = { 0 };
	struct code_plan plan = { 0 };
	struct code *code = NULL;
	int rc = code_create(&code, &kind->group->shape, NULL);

	if (rc)
		return rc;
	hole->any = true;
	hole->segments = code_segment_count(code);
	for (uint32_t c = 0; c < kind->group->shape.columns; c++) {
		if (!(kind->gone >> c & 1) && !member_set_has(lost, kind->group->extents[c].slot))
			continue;
		for (uint32_t s = 0; s < hole->segments; s++)
			set_bit(cells, c * hole->segments + s);
	}
	rc = code_solve(&plan, code, cells, NULL);
	for (uint32_t i = 0; !rc && i < plan.unsolved_count; i++)
		set_bit(hole->cells, plan.unsolved[i]);
	code_plan_reset(&plan);
	code_free(code);
	return rc;
}

static int fill_holes(struct search *search, struct member_set lost)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < search->survive->kind_count; i++) {
		const struct kind *kind = &search->survive->kinds[i];

		if (columns_lost(kind, lost) > kind->tolerance)
			rc = fill_hole(&search->holes[i], kind, lost);
	}
	return rc;
}

static void range_end(struct search *search)
{
	if (search->range.length > 0)
		search->found(search->arg, &search->range);
	search->range = (struct survive_range){ 0 };
}

/* Bytes at..at+length-1 of the span are lost. */
static void range_add(struct search *search, const struct volume *volume, const struct span *span,
		      uint64_t at, uint64_t length)
{
	struct survive_range *range = &search->range;
	uint64_t offset = span->offset + at;

	if (at >= span->length)
		return;
	length = size_min(length, span->length - at);
	if (range->volume == volume && range->offset + range->length == offset) {
		range->length += length;
		return;
	}
	range_end(search);
	*range = (struct survive_range){ volume, offset, length };
}

struct extent_hole {
	const struct group *group;
	const struct hole *hole;
	uint32_t column;
};

static struct extent_hole find_hole(const struct search *search, uint64_t extent)
{
	const struct survive *survive = search->survive;
	struct extent_hole found = { 0 };

	found.group = map_extent(survive->map, extent, &found.column);
	assert(found.group);
	uint32_t number = map_group_number(survive->map, found.group->id);
	found.hole = &search->holes[survive->kind_of_group[number]];
	return found;
}

/* Extents one behind the other, each with its data segments. */
static void search_runs(struct search *search, const struct volume *volume, const struct span *span)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < span->extent_count; i++) {
		struct extent_hole extent = find_hole(search, span->extents[i]);
		uint64_t segment = (uint64_t)extent.group->segment_blocks * BLOCK_SIZE;
		uint64_t size = (uint64_t)group_data_blocks(extent.group) * BLOCK_SIZE;

		for (uint64_t s = 0; extent.hole->any && s * segment < size; s++) {
			if (has_bit(extent.hole->cells,
				    extent.column * extent.hole->segments + (uint32_t)s))
				range_add(search, volume, span, at + s * segment, segment);
		}
		at += size;
	}
}

/* Units of all extents in turn; such extents have one segment, which is lost or not. */
static void search_stripes(struct search *search, const struct volume *volume,
			   const struct span *span)
{
	uint64_t unit = (uint64_t)span->unit_blocks * BLOCK_SIZE;
	bool lost[CODE_COLUMNS_MAX] = { 0 }, any = false;

	assert(span->extent_count <= CODE_COLUMNS_MAX);
	for (uint32_t i = 0; i < span->extent_count; i++) {
		struct extent_hole extent = find_hole(search, span->extents[i]);

		lost[i] = extent.hole->any &&
			  has_bit(extent.hole->cells, extent.column * extent.hole->segments);
		any = any || lost[i];
	}
	for (uint64_t at = 0, i = 0; any && at < span->length; at += unit, i++) {
		if (lost[i % span->extent_count])
			range_add(search, volume, span, at, unit);
	}
}

static void search_volume(struct search *search, const struct volume *volume)
{
	for (uint32_t s = 0; s < volume->span_count; s++) {
		if (volume->spans[s].unit_blocks)
			search_stripes(search, volume, &volume->spans[s]);
		else
			search_runs(search, volume, &volume->spans[s]);
	}
}

int survive_find(const struct survive *survive, struct member_set lost,
		 void (*found)(void *arg, const struct survive_range *range), void *arg)
{
	struct search search = { .survive = survive, .found = found, .arg = arg };
	int rc;

	search.holes = mem_calloc(size_max(survive->kind_count, 1), sizeof(*search.holes));
	if (!search.holes)
		return ERR_NOMEM;
	rc = fill_holes(&search, lost);
	for (uint32_t v = 0; !rc && v < survive->map->volume_count; v++)
		search_volume(&search, survive->map->volumes[v]);
	range_end(&search);
	mem_free(search.holes);
	return rc;
}

/* By the columns alone: what is lost may be no more than zeros behind the end of a volume. */
static enum survive_verdict verdict_of_columns(const struct survive *survive,
					       struct member_set lost)
{
	enum survive_verdict verdict = SURVIVE_REDUNDANT;

	for (uint32_t i = 0; i < survive->kind_count; i++) {
		const struct kind *kind = &survive->kinds[i];
		uint32_t count = columns_lost(kind, lost);

		if (count > kind->tolerance)
			return SURVIVE_DATA_LOSS;
		if (count == kind->tolerance && kind->tolerance > 0)
			verdict = SURVIVE_NO_REDUNDANCY;
	}
	return verdict;
}

static void add_bytes(void *arg, const struct survive_range *range)
{
	uint64_t *bytes = arg;

	*bytes += range->length;
}

int survive_ask(struct survive_answer *answer_out, const struct survive *survive,
		struct member_set lost)
{
	struct survive_answer answer = { .verdict = verdict_of_columns(survive, lost) };
	int rc = 0;

	if (answer.verdict == SURVIVE_DATA_LOSS)
		rc = survive_find(survive, lost, add_bytes, &answer.bytes);
	if (answer.verdict == SURVIVE_DATA_LOSS && answer.bytes == 0)
		answer.verdict = SURVIVE_NO_REDUNDANCY;
	*answer_out = answer;
	return rc;
}

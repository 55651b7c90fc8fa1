/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/reshape.h"

#include "core/base/mem.h"
#include "core/code/code.h"

#include <assert.h>
#include <string.h>

#define INDEX_ORDER 255u /* powers of g repeat after so many */

static bool same_place(const struct extent *a, const struct extent *b)
{
	return a->slot == b->slot && a->frame == b->frame && a->size_class == b->size_class;
}

enum reshape_way reshape_way(const struct map *map, const struct group *fresh, uint32_t column,
			     const struct group **old_out, uint32_t *column_out)
{
	const struct extent *extent = &fresh->extents[column];

	*old_out = map_extent(map, extent->id, column_out);
	if (!*old_out)
		return RESHAPE_COMPUTED;
	return same_place(extent, &(*old_out)->extents[*column_out]) ? RESHAPE_STAYS
								     : RESHAPE_MOVES;
}

struct member_set reshape_members(const struct map *map, const struct group *fresh)
{
	struct member_set members = { 0 };

	for (uint32_t c = 0; c < fresh->shape.columns; c++) {
		const struct group *old;
		uint32_t column;

		if (reshape_way(map, fresh, c, &old, &column) != RESHAPE_STAYS)
			members = member_set_with(members, fresh->extents[c].slot);
	}
	return members;
}

/* ---- sums */

/* What a fresh group has of one old group. */
struct share {
	const struct group *old;
	uint32_t stays;   /* data columns that are not read anyway */
	uint32_t columns; /* all of its data columns that the fresh group has, a bit each */
	uint32_t shift;   /* by which their indexes change */
	bool uniform;     /* all by the same */
};

static uint32_t index_shift(const struct group *old, uint32_t from, const struct group *fresh,
			    uint32_t to)
{
	return (INDEX_ORDER + fresh->shape.index[to] - old->shape.index[from]) % INDEX_ORDER;
}

static struct share share_of(const struct map *map, const struct group *old,
			     const struct group *fresh)
{
	struct share share = { .old = old, .uniform = true };

	for (uint32_t i = 0; i < group_data_columns(fresh); i++) {
		const struct group *from;
		uint32_t column;
		enum reshape_way way = reshape_way(map, fresh, i, &from, &column);

		assert(way != RESHAPE_COMPUTED && column < group_data_columns(from));
		if (from != old)
			continue;
		uint32_t shift = index_shift(old, column, fresh, i);
		if (share.columns == 0)
			share.shift = shift;
		share.uniform = share.uniform && shift == share.shift;
		share.columns |= UINT32_C(1) << column;
		share.stays += way == RESHAPE_STAYS;
	}
	return share;
}

static void add_term(struct reshape_sum *sum, const struct share *share, uint32_t column,
		     const uint8_t *coefficients)
{
	struct reshape_term *term = &sum->terms[sum->count++];

	assert(sum->count <= RESHAPE_TERMS_MAX);
	*term = (struct reshape_term){ .group = share->old, .column = column };
	memcpy(term->coefficients, coefficients, sizeof(term->coefficients));
}

/* A data column of the share, with the index that it gets. Subtracting is adding. */
static void add_data(struct reshape_sum *sum, const struct share *share, uint32_t column,
		     uint32_t index)
{
	uint8_t coefficients[CODE_PARITY_MAX] = { 0 };

	for (uint32_t j = 0; j < share->old->shape.checks; j++)
		coefficients[j] = code_power(j * (index % INDEX_ORDER));
	add_term(sum, share, column, coefficients);
}

static void add_by_data(struct reshape_sum *sum, const struct map *map, const struct share *share,
			const struct group *fresh)
{
	for (uint32_t i = 0; i < group_data_columns(fresh); i++) {
		const struct group *from;
		uint32_t column;

		reshape_way(map, fresh, i, &from, &column);
		if (from == share->old)
			add_data(sum, share, column, fresh->shape.index[i]);
	}
}

/* The old group's checks, less what leaves it. */
static void add_by_checks(struct reshape_sum *sum, const struct share *share)
{
	uint32_t data = group_data_columns(share->old);

	for (uint32_t j = 0; j < share->old->shape.checks; j++) {
		uint8_t coefficients[CODE_PARITY_MAX] = { 0 };

		coefficients[j] = code_power(j * share->shift);
		add_term(sum, share, data + j, coefficients);
	}
	for (uint32_t c = 0; c < data; c++) {
		if (!(share->columns >> c & 1))
			add_data(sum, share, c, share->old->shape.index[c] + share->shift);
	}
}

void reshape_sum(struct reshape_sum *sum_out, const struct map *map, const struct reshape *reshape,
		 const struct group *fresh)
{
	sum_out->count = 0;
	for (uint32_t g = 0; g < reshape->old_count; g++) {
		const struct group *old = map_group(map, reshape->old[g]);
		struct share share = share_of(map, old, fresh);
		uint32_t leaving =
			group_data_columns(old) - (uint32_t)__builtin_popcount(share.columns);

		if (share.columns == 0)
			continue;
		assert(old->shape.layout == LAYOUT_PARITY &&
		       old->shape.checks == fresh->shape.checks);
		if (share.uniform && old->shape.checks + leaving <= share.stays)
			add_by_checks(sum_out, &share);
		else
			add_by_data(sum_out, map, &share, fresh);
	}
}

static bool has_term(const struct reshape_sum *sum, const struct group *group, uint32_t column)
{
	for (uint32_t i = 0; i < sum->count; i++) {
		if (sum->terms[i].group == group && sum->terms[i].column == column)
			return true;
	}
	return false;
}

static void add_cost(struct reshape_cost *cost, const struct map *map,
		     const struct reshape *reshape, const struct group *fresh)
{
	struct reshape_sum sum = { 0 };
	bool computed = false;
	uint64_t reads = 0, writes = 0;

	for (uint32_t c = 0; c < fresh->shape.columns; c++) {
		const struct group *old;
		uint32_t column;
		enum reshape_way way = reshape_way(map, fresh, c, &old, &column);

		writes += way != RESHAPE_STAYS;
		if (way == RESHAPE_COMPUTED && !computed) {
			reshape_sum(&sum, map, reshape, fresh);
			computed = true;
		}
	}
	for (uint32_t c = 0; c < fresh->shape.columns; c++) {
		const struct group *old;
		uint32_t column;

		if (reshape_way(map, fresh, c, &old, &column) == RESHAPE_MOVES &&
		    !has_term(&sum, old, column))
			reads++;
	}
	cost->blocks_read += (reads + sum.count) * group_body_blocks(fresh);
	cost->blocks_written += writes * group_body_blocks(fresh);
	cost->extents += writes;
}

struct reshape_cost reshape_cost(const struct map *map, const struct reshape *reshape)
{
	struct reshape_cost cost = { 0 };

	for (uint32_t i = 0; i < reshape->fresh_count; i++)
		add_cost(&cost, map, reshape, reshape->fresh[i]);
	return cost;
}

/* ---- into the map */

static bool is_kept(const struct reshape *reshape, const struct extent *extent)
{
	for (uint32_t g = 0; g < reshape->fresh_count; g++) {
		const struct group *fresh = reshape->fresh[g];

		for (uint32_t c = 0; c < fresh->shape.columns; c++) {
			if (same_place(&fresh->extents[c], extent))
				return true;
		}
	}
	return false;
}

static int free_places(const struct map *map, const struct reshape *reshape,
		       int (*freed)(void *arg, const struct extent *extent), void *arg)
{
	int rc = 0;

	for (uint32_t g = 0; !rc && g < reshape->old_count; g++) {
		const struct group *old = map_group(map, reshape->old[g]);

		for (uint32_t c = 0; !rc && c < old->shape.columns; c++) {
			if (!is_kept(reshape, &old->extents[c]))
				rc = freed(arg, &old->extents[c]);
		}
	}
	return rc;
}

static bool comes_again(const uint64_t *ids, uint32_t count, uint64_t id)
{
	for (uint32_t i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

int reshape_apply(struct map *map, struct reshape *reshape,
		  int (*freed)(void *arg, const struct extent *extent), void *arg)
{
	uint64_t ids[RESHAPE_GROUPS_MAX];
	uint32_t count = reshape->fresh_count;
	int rc = free_places(map, reshape, freed, arg);

	reshape->fresh_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		ids[i] = reshape->fresh[i]->id;
		if (rc)
			mem_free(reshape->fresh[i]);
		else
			rc = map_put_group(map, reshape->fresh[i]);
	}
	for (uint32_t i = 0; !rc && i < reshape->old_count; i++) {
		if (!comes_again(ids, count, reshape->old[i]))
			rc = map_remove_group(map, reshape->old[i]);
	}
	return rc;
}

void reshape_drop(const struct places *places, struct reshape *reshape)
{
	for (uint32_t g = 0; g < reshape->fresh_count; g++) {
		struct group *fresh = reshape->fresh[g];

		for (uint32_t c = 0; c < fresh->shape.columns; c++) {
			const struct group *old;
			const struct extent *extent = &fresh->extents[c];
			uint32_t column;

			if (reshape_way(places->map, fresh, c, &old, &column) != RESHAPE_STAYS)
				space_give(places->space, extent->slot, extent->size_class,
					   extent->frame);
		}
		mem_free(fresh);
	}
	reshape->fresh_count = 0;
}

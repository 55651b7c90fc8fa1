/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/share.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 4000u
#define UNEVEN 10u /* the fullest reads a tenth more than the mean: worth scattering reads */

struct class
{
	uint32_t key;
	uint32_t columns;
	uint8_t slots[CODE_MIRROR_MAX];
	double blocks;
	double parts[CODE_MIRROR_MAX]; /* of blocks, by column */
};

VEC_DEFINE(class_vec, struct class);

struct share {
	struct class_vec classes; /* by key */
};

static uint32_t key_of(const struct group *group)
{
	uint32_t key = 0;

	_Static_assert(MEMBERS_MAX < 255 && CODE_MIRROR_MAX <= 4, "a key holds all slots");
	for (uint32_t c = 0; c < group->shape.columns; c++)
		key |= (group->extents[c].slot + 1) << 8 * c;
	return key;
}

static int compare_classes(const void *left, const void *right)
{
	const struct class *a = left, *b = right;

	return a->key < b->key ? -1 : a->key > b->key;
}

/* One class for each group, then those of one key together. */
static int collect(struct class_vec *classes, const struct map *map)
{
	size_t kept = 0;

	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];
		struct class class = { .columns = group->shape.columns,
				       .blocks = group_body_blocks(group) };

		if (group->shape.layout != LAYOUT_MIRROR)
			continue;
		class.key = key_of(group);
		for (uint32_t c = 0; c < class.columns; c++)
			class.slots[c] = (uint8_t)group->extents[c].slot;
		if (class_vec_push(classes, class))
			return ERR_NOMEM;
	}
	if (classes->count > 1)
		qsort(classes->at, classes->count, sizeof(*classes->at), compare_classes);
	for (size_t i = 0; i < classes->count; i++) {
		if (kept > 0 && classes->at[kept - 1].key == classes->at[i].key)
			classes->at[kept - 1].blocks += classes->at[i].blocks;
		else
			classes->at[kept++] = classes->at[i];
	}
	classes->count = kept;
	return 0;
}

/* The columns of a class that can be used, those on members with least load first. */
static uint32_t order_columns(const struct class *class, struct member_set usable,
			      const double *loads, uint32_t *order)
{
	uint32_t count = 0;

	for (uint32_t c = 0; c < class->columns; c++) {
		uint32_t at = count;

		if (!member_set_has(usable, class->slots[c]))
			continue;
		for (; at > 0 && loads[class->slots[order[at - 1]]] > loads[class->slots[c]]; at--)
			order[at] = order[at - 1];
		order[at] = c;
		count++;
	}
	return count;
}

/* Parts for the columns, by filling the members with least load up to one level. */
static void fill(const struct class *class, struct member_set usable, const double *loads,
		 double *parts)
{
	uint32_t order[CODE_MIRROR_MAX], count = order_columns(class, usable, loads, order);
	double sum = 0;

	for (uint32_t n = 1; n <= count; n++) {
		sum += loads[class->slots[order[n - 1]]];
		double level = (class->blocks + sum) / n;

		if (n < count && loads[class->slots[order[n]]] < level)
			continue;
		for (uint32_t i = 0; i < n; i++)
			parts[order[i]] = level - loads[class->slots[order[i]]];
		return;
	}
}

/* Share out the blocks of a class anew, all others as they are. Returns how many went elsewhere. */
static double pour(struct class *class, struct member_set usable, double *loads)
{
	double parts[CODE_MIRROR_MAX] = { 0 }, changed = 0;

	for (uint32_t c = 0; c < class->columns; c++)
		loads[class->slots[c]] -= class->parts[c];
	fill(class, usable, loads, parts);
	for (uint32_t c = 0; c < class->columns; c++) {
		double difference = parts[c] - class->parts[c];

		changed += difference < 0 ? -difference : difference;
		class->parts[c] = parts[c];
		loads[class->slots[c]] += parts[c];
	}
	return changed;
}

/* Everything is read from the first column that can be; true when that is uneven. */
static bool begin(struct class_vec *classes, struct member_set usable, double *loads)
{
	double most = 0, sum = 0;
	uint32_t members = 0;

	for (size_t i = 0; i < classes->count; i++) {
		struct class *class = &classes->at[i];
		uint32_t c = 0;

		while (c < class->columns && !member_set_has(usable, class->slots[c]))
			c++;
		if (c == class->columns)
			continue;
		class->parts[c] = class->blocks;
		loads[class->slots[c]] += class->blocks;
	}
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		members += loads[slot] > 0;
		sum += loads[slot];
		most = loads[slot] > most ? loads[slot] : most;
	}
	return members > 0 && most > sum / members * (1 + 1.0 / UNEVEN);
}

int share_create(struct share **share_out, const struct map *map, struct member_set usable)
{
	struct share *share = mem_calloc(1, sizeof(*share));
	double loads[MEMBERS_MAX] = { 0 };
	int rc = share ? collect(&share->classes, map) : ERR_NOMEM;

	*share_out = NULL;
	if (rc || !begin(&share->classes, usable, loads)) {
		share_free(share);
		return rc;
	}
	double blocks = 0, changed = 1;
	for (size_t i = 0; i < share->classes.count; i++)
		blocks += share->classes.at[i].blocks;
	for (uint32_t round = 0; round < ROUNDS_MAX && changed * SHARE_WHOLE > blocks / 16;
	     round++) {
		changed = 0;
		for (size_t i = 0; i < share->classes.count; i++)
			changed += pour(&share->classes.at[i], usable, loads);
	}
	*share_out = share;
	return 0;
}

void share_free(struct share *share)
{
	if (share)
		class_vec_reset(&share->classes);
	mem_free(share);
}

bool share_of(const struct share *share, const struct group *group,
	      uint32_t parts_out[static CODE_MIRROR_MAX])
{
	const struct class key = { .key = share ? key_of(group) : 0 };
	const struct class *class = NULL;
	uint32_t left = SHARE_WHOLE, last = CODE_MIRROR_MAX;

	if (share && share->classes.count > 0)
		class = bsearch(&key, share->classes.at, share->classes.count, sizeof(key),
				compare_classes);
	memset(parts_out, 0, CODE_MIRROR_MAX * sizeof(*parts_out));
	for (uint32_t c = 0; class && c < class->columns; c++) {
		uint32_t part = (uint32_t)(class->parts[c] / class->blocks * SHARE_WHOLE + 0.5);

		parts_out[c] = (uint32_t)size_min(part, left);
		left -= parts_out[c];
		last = parts_out[c] ? c : last;
	}
	if (last == CODE_MIRROR_MAX)
		return false;
	parts_out[last] += left; /* rounding */
	return true;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/placing.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* A member's data end once in a row of parity, and in each zone of far copies, once before and once behind a chunk. */
#define CUTS_MAX ((size_t)RULE_MEMBERS_MAX * RULE_MEMBERS_MAX * 4u)
#define PARTS_MAX 3u /* of a chunk whose beginning or end lies in another range */

/* Places of one group, in column order. */
struct columns {
	struct foreign_place at[CODE_COLUMNS_MAX];
	uint32_t count;
};

/* One range of an array that lies by a rule. A unit is a row of parity, or a chunk with its copies. */
struct stripes {
	const struct placing *placing;
	const struct rule *rule;
	uint64_t chunk;    /* bytes */
	uint32_t data;     /* chunks of a unit that are data */
	uint32_t period;   /* units after which places come back, a stride further on */
	uint64_t *extents; /* period * data */
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the map of an array");
}

static bool is_stale(const struct placing *placing, uint32_t slot, uint64_t end)
{
	return end > placing->seats[slot].counts;
}

/*
 * More copies than a group can have: those that can be read come first. Returns 0, or ERR_LIMIT for more columns of
 * parity than can be.
 */
static int columns_add(struct columns *columns, const struct placing *placing,
		       const struct foreign_place *place, bool copies, struct err *err)
{
	uint32_t at = columns->count;

	if (columns->count < CODE_COLUMNS_MAX) {
		columns->at[columns->count++] = *place;
		return 0;
	}
	if (!copies)
		return err_set(err, ERR_LIMIT, "rows of more than %u members cannot be read",
			       CODE_COLUMNS_MAX);
	if (place->stale || !placing->seats[place->slot].present)
		return 0;
	for (uint32_t i = 0; i < columns->count; i++) {
		if (columns->at[i].stale || !placing->seats[columns->at[i].slot].present)
			at = i;
	}
	if (at < columns->count)
		columns->at[at] = *place;
	return 0;
}

/* Places say slots up to here, and from here on members of the map. */
static int group_add(const struct placing *placing, const struct code_shape *shape, uint32_t blocks,
		     const struct foreign_place *places, uint32_t count, uint64_t *first_out,
		     struct err *err)
{
	struct foreign_place at[CODE_COLUMNS_MAX];

	assert(count <= CODE_COLUMNS_MAX && shape->columns == count);
	for (uint32_t c = 0; c < count; c++) {
		at[c] = places[c];
		if (placing->numbers)
			at[c].slot = placing->numbers[places[c].slot];
	}
	return foreign_add_group(placing->foreign, shape, blocks, at, first_out, err);
}

static struct code_shape copies_shape(const struct columns *columns)
{
	uint16_t count = (uint16_t)columns->count;

	return code_shape_make(count > 1 ? LAYOUT_MIRROR : LAYOUT_PLAIN, count,
			       (uint16_t)(count - 1), 0);
}

static struct code_shape parity_shape(const struct rule *rule, uint64_t unit)
{
	struct code_shape shape =
		code_shape_make(LAYOUT_PARITY, (uint16_t)rule->members, (uint16_t)rule->checks, 0);

	for (uint32_t c = 0; rule->checks == 2 && c < rule->members - 2; c++)
		shape.index[c] = (uint8_t)rule_exponent(rule, c, unit);
	return shape;
}

static uint64_t place_byte(const struct rule *rule, uint32_t column, uint64_t unit,
			   uint32_t *slot_out)
{
	struct rule_place place = rule_place(rule, column, unit * rule->unit_blocks);

	*slot_out = place.position;
	return place.block * BLOCK_SIZE;
}

/* `count` units, a period apart, of which bytes `begin` to `end` of each chunk are taken; several units whole. */
struct class
{
	uint64_t unit, count;
	uint64_t begin, end;
};

static int class_columns(struct columns *columns, const struct stripes *stripes,
			 const struct class *class, struct err *err)
{
	const struct rule *rule = stripes->rule;
	int rc = 0;

	for (uint32_t c = 0; rc == 0 && c < rule_columns(rule); c++) {
		struct foreign_place place = { 0 };
		uint64_t at = place_byte(rule, c, class->unit, &place.slot), stride = 0;

		if (class->count > 1) {
			uint32_t slot;

			stride = place_byte(rule, c, class->unit + stripes->period, &slot) - at;
			assert(slot == place.slot);
			assert(stride >= stripes->chunk);
		}
		if (stride > stripes->chunk) {
			place.run = stripes->chunk;
			place.stride = stride;
		}
		place.origin = stripes->placing->seats[place.slot].origin + at + class->begin;
		place.stale = is_stale(stripes->placing, place.slot,
				       at + (class->count - 1) * stride + class->end);
		rc = columns_add(columns, stripes->placing, &place, rule->kind == RULE_COPIES, err);
	}
	return rc;
}

static int class_add(const struct stripes *stripes, const struct class *class, uint64_t *first_out,
		     struct err *err)
{
	struct columns columns = { .count = 0 };
	struct code_shape shape;
	uint64_t blocks = class->count * (class->end - class->begin) / BLOCK_SIZE;
	int rc = class_columns(&columns, stripes, class, err);

	assert(class->count == 1 || (class->begin == 0 && class->end == stripes->chunk));
	assert(blocks <= FOREIGN_BLOCKS_MAX);
	if (rc)
		return rc;
	shape = stripes->rule->kind == RULE_COPIES ? copies_shape(&columns)
						   : parity_shape(stripes->rule, class->unit);
	return group_add(stripes->placing, &shape, (uint32_t)blocks, columns.at, columns.count,
			 first_out, err);
}

/* A span over `classes` classes of `count` units each, from `unit` on. */
static int classes_add(const struct stripes *stripes, uint64_t unit, uint32_t classes,
		       uint64_t count, struct err *err)
{
	uint64_t length = count * classes * stripes->data * stripes->chunk;
	uint32_t extents = 0;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < classes; i++) {
		const struct class class = { unit + i, count, 0, stripes->chunk };
		uint64_t first = 0;

		rc = class_add(stripes, &class, &first, err);
		for (uint32_t c = 0; c < stripes->data; c++)
			stripes->extents[extents++] = first + c;
	}
	if (rc)
		return rc;
	return foreign_add_span(stripes->placing->foreign, length, stripes->rule->unit_blocks,
				stripes->extents, extents, err);
}

/* Units of which nothing changes: whole periods, then a class for each unit that is left. */
static int units_add(const struct stripes *stripes, uint64_t unit, uint64_t end, struct err *err)
{
	assert(stripes->rule->unit_blocks > 0 && stripes->period > 0);
	uint64_t most = FOREIGN_BLOCKS_MAX / stripes->rule->unit_blocks;

	while (unit < end) {
		uint64_t periods = size_min((end - unit) / stripes->period, most);
		uint32_t classes = periods ? stripes->period : (uint32_t)(end - unit);
		int rc = classes_add(stripes, unit, classes, periods ? periods : 1, err);

		if (rc)
			return rc;
		unit += classes * (periods ? periods : 1);
	}
	return 0;
}

/* Bytes `from` to `to` of one unit, whose chunks are taken in parts where these lie within one. */
static int unit_part_add(const struct stripes *stripes, uint64_t unit, uint64_t from, uint64_t to,
			 struct err *err)
{
	uint64_t from_at = from % stripes->chunk, to_at = to % stripes->chunk;
	uint64_t edges[PARTS_MAX + 1] = { 0, size_min(from_at, to_at), size_max(from_at, to_at),
					  stripes->chunk };
	uint64_t firsts[PARTS_MAX] = { 0 };
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < PARTS_MAX; i++) {
		const struct class class = { unit, 1, edges[i], edges[i + 1] };

		if (class.begin < class.end)
			rc = class_add(stripes, &class, &firsts[i], err);
	}
	for (uint64_t at = from; rc == 0 && at < to;) {
		uint32_t part = 0;
		uint64_t column = at / stripes->chunk, extent, length;

		while (part + 1 < PARTS_MAX && edges[part + 1] <= at % stripes->chunk)
			part++;
		extent = firsts[part] + column;
		length = edges[part + 1] - edges[part];
		rc = foreign_add_span(stripes->placing->foreign, length, 0, &extent, 1, err);
		at += length;
	}
	return rc;
}

/* Unit numbers at which what counts of a member ends, and the range's own ends. */
struct cuts {
	uint64_t *at; /* CUTS_MAX */
	uint32_t count;
	uint64_t first, last;
};

static void cut(struct cuts *cuts, uint64_t unit)
{
	if (unit > cuts->first && unit < cuts->last && cuts->count < CUTS_MAX)
		cuts->at[cuts->count++] = unit;
}

/* The chunks with a copy near row `row` of a member, in each place where copies are. */
static void cut_copies(struct cuts *cuts, const struct rule *rule, uint64_t row)
{
	for (uint32_t i = 0; i < rule->far; i++) {
		uint64_t skip = i * rule->far_stride_units;
		uint64_t base = row > skip ? (row - skip) / (rule->offset ? rule->far : 1) : 0;
		uint64_t number;

		if (!size_multiply(base, rule->members, &number))
			continue;
		cut(cuts, number / rule->near);
		cut(cuts, size_divide_up(number, rule->near));
		cut(cuts, (number + rule->members) / rule->near);
		cut(cuts, size_divide_up(number + rule->members, rule->near));
	}
}

static int compare_units(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static void cuts_make(struct cuts *cuts, const struct stripes *stripes)
{
	const struct placing *placing = stripes->placing;

	for (uint32_t slot = 0; slot < stripes->rule->members; slot++) {
		uint64_t row = placing->seats[slot].counts / stripes->chunk;

		if (placing->seats[slot].counts == PLACING_ALL)
			continue;
		if (stripes->rule->kind == RULE_COPIES)
			cut_copies(cuts, stripes->rule, row);
		else
			cut(cuts, row);
	}
	qsort(cuts->at, cuts->count, sizeof(*cuts->at), compare_units);
}

static int whole_units_add(const struct stripes *stripes, uint64_t first, uint64_t last,
			   struct err *err)
{
	struct cuts cuts = { .first = first, .last = last };
	uint64_t unit = first;
	int rc = 0;

	cuts.at = mem_calloc(CUTS_MAX, sizeof(*cuts.at));
	if (!cuts.at)
		return no_memory(err);
	cuts_make(&cuts, stripes);
	for (uint32_t i = 0; rc == 0 && i < cuts.count; i++) {
		rc = units_add(stripes, unit, cuts.at[i], err);
		unit = cuts.at[i];
	}
	if (rc == 0)
		rc = units_add(stripes, unit, last, err);
	mem_free(cuts.at);
	return rc;
}

static int range_add(const struct stripes *stripes, uint64_t from, uint64_t to, struct err *err)
{
	assert(stripes->data > 0 && stripes->chunk > 0);
	uint64_t unit_bytes = stripes->data * stripes->chunk;
	uint64_t first = from / unit_bytes, last = to / unit_bytes;
	uint64_t from_at = from % unit_bytes, to_at = to % unit_bytes;
	int rc = 0;

	if (first == last)
		return unit_part_add(stripes, first, from_at, to_at, err);
	if (from_at)
		rc = unit_part_add(stripes, first++, from_at, unit_bytes, err);
	if (rc == 0)
		rc = whole_units_add(stripes, first, last, err);
	if (rc == 0 && to_at)
		rc = unit_part_add(stripes, last, 0, to_at, err);
	return rc;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* The same columns on the same members with the same exponents: after one unit, all members, or all but Q's. */
static bool comes_back(const struct rule *rule, uint32_t period)
{
	for (uint64_t unit = 0; unit < rule->members; unit++) {
		for (uint32_t c = 0; c < rule->members; c++) {
			uint32_t here, there;

			place_byte(rule, c, unit, &here);
			place_byte(rule, c, unit + period, &there);
			if (here != there ||
			    (rule->checks == 2 && c + 2 < rule->members &&
			     rule_exponent(rule, c, unit) != rule_exponent(rule, c, unit + period)))
				return false;
		}
	}
	return true;
}

static uint32_t period_of(const struct rule *rule)
{
	if (rule->kind == RULE_COPIES)
		return rule->members / common_divisor(rule->members, rule->near);
	if (comes_back(rule, 1))
		return 1;
	return comes_back(rule, rule->members - 1) ? rule->members - 1 : rule->members;
}

int placing_rule(const struct placing *placing, const struct rule *rule, uint64_t from, uint64_t to,
		 struct err *err)
{
	struct stripes stripes = {
		.placing = placing,
		.rule = rule,
		.chunk = (uint64_t)rule->unit_blocks * BLOCK_SIZE,
	};
	int rc = rule_check(rule, err);

	if (rc || from >= to)
		return rc;
	assert(rule->members <= placing->seat_count);
	if (from % BLOCK_SIZE || to % BLOCK_SIZE)
		return err_set(err, ERR_FORMAT,
			       "from byte %" PRIu64 " to %" PRIu64 ": not whole blocks", from, to);
	stripes.data = rule->kind == RULE_COPIES ? 1 : rule->members - rule->checks;
	stripes.period = period_of(rule);
	stripes.extents =
		mem_calloc((size_t)stripes.period * stripes.data, sizeof(*stripes.extents));
	if (!stripes.extents)
		return no_memory(err);
	rc = range_add(&stripes, from, to, err);
	mem_free(stripes.extents);
	return rc;
}

/* The same bytes of some members as one group; `length` may end within a block. */
static int mirror_add(const struct placing *placing, const uint32_t *slots, uint32_t count,
		      uint64_t at, uint64_t length, struct err *err)
{
	struct columns columns = { .count = 0 };
	struct code_shape shape;
	uint64_t first = 0;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		const struct foreign_place place = {
			.slot = slots[i],
			.origin = placing->seats[slots[i]].origin + at,
			.length = length % BLOCK_SIZE ? length : 0,
			.stale = is_stale(placing, slots[i], at + length),
		};

		rc = columns_add(&columns, placing, &place, true, err);
	}
	if (rc)
		return rc;
	shape = copies_shape(&columns);
	rc = group_add(placing, &shape, (uint32_t)size_divide_up(length, BLOCK_SIZE), columns.at,
		       columns.count, &first, err);
	return rc ? rc : foreign_add_span(placing->foreign, length, 0, &first, 1, err);
}

int placing_mirror(const struct placing *placing, const uint32_t *slots, uint32_t count,
		   uint64_t from, uint64_t to, struct err *err)
{
	int rc = 0;

	assert(count > 0 && from % BLOCK_SIZE == 0);
	while (rc == 0 && from < to) {
		uint64_t end = size_min(to, from + (uint64_t)FOREIGN_BLOCKS_MAX * BLOCK_SIZE);

		for (uint32_t i = 0; i < count; i++) {
			uint64_t counts = placing->seats[slots[i]].counts;

			counts -= counts % BLOCK_SIZE;
			if (counts > from && counts < end)
				end = counts;
		}
		rc = mirror_add(placing, slots, count, from, end - from, err);
		from = end;
	}
	return rc;
}

int placing_plain(const struct placing *placing, uint32_t slot, uint64_t at, uint64_t length,
		  struct err *err)
{
	return placing_mirror(placing, &slot, 1, at, at + length, err);
}

int placing_stripes(const struct placing *placing, const uint32_t *slots, uint32_t count,
		    uint64_t at, uint64_t units, uint32_t unit_blocks, struct err *err)
{
	const struct code_shape shape = code_shape_make(LAYOUT_PLAIN, 1, 0, 0);
	uint64_t chunk = (uint64_t)unit_blocks * BLOCK_SIZE, extents[RULE_MEMBERS_MAX];
	uint64_t most = FOREIGN_BLOCKS_MAX / unit_blocks;
	int rc = 0;

	assert(count > 0 && count <= RULE_MEMBERS_MAX);
	while (rc == 0 && units > 0) {
		uint64_t here = size_min(units, most), length = here * chunk;

		for (uint32_t i = 0; rc == 0 && i < count; i++) {
			const struct foreign_place place = {
				.slot = slots[i],
				.origin = placing->seats[slots[i]].origin + at,
				.stale = is_stale(placing, slots[i], at + length),
			};

			rc = group_add(placing, &shape, (uint32_t)(here * unit_blocks), &place, 1,
				       &extents[i], err);
		}
		if (rc == 0)
			rc = foreign_add_span(placing->foreign, length * count, unit_blocks,
					      extents, count, err);
		at += length;
		units -= here;
	}
	return rc;
}

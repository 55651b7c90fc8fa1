/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_layout.h"

#include <assert.h>
#include <math.h>
#include <string.h>

uint32_t detect_layout_data(const struct detect_layout *layout)
{
	switch (layout->level) {
	case 1:
		return 1;
	case 4:
	case 5:
		return layout->members - 1;
	case 6:
		return layout->members - 2;
	default:
		return layout->members;
	}
}

struct rule detect_layout_rule(const struct detect_layout *layout)
{
	if (layout->level == 10)
		return (struct rule){
			.kind = RULE_COPIES,
			.unit_blocks = layout->chunk_blocks,
			.members = layout->members,
			.near = layout->near,
			.far = layout->far,
			.offset = layout->offset,
			.far_set = layout->members,
			.far_stride_units = layout->offset ? 1 : layout->far_stride,
		};
	return (struct rule){
		.kind = RULE_TURNED_PARITY,
		.unit_blocks = layout->chunk_blocks,
		.members = layout->members,
		.order = layout->order,
		.checks = layout->level == 6 ? 2 : 1,
	};
}

static uint8_t image_of(const struct detect_layout *layout, uint32_t slot)
{
	uint8_t image = layout->images[slot];

	return image == DETECT_MISSING ? layout->computed : image;
}

static bool chunk_of_copies(struct detect_chunk *chunk_out, const struct detect_layout *layout,
			    uint64_t number)
{
	struct rule rule = detect_layout_rule(layout);

	for (uint32_t copy = 0; copy < layout->near * layout->far; copy++) {
		struct rule_place place = rule_place(&rule, copy, number * layout->chunk_blocks);

		if (layout->images[place.position] == DETECT_MISSING)
			continue;
		*chunk_out = (struct detect_chunk){ layout->images[place.position],
						    layout->start + place.block };
		return true;
	}
	return false;
}

bool detect_layout_chunk(struct detect_chunk *chunk_out, const struct detect_layout *layout,
			 uint64_t number)
{
	uint32_t data = detect_layout_data(layout), slot = (uint32_t)(number % data);
	uint64_t row = number / data;

	if (layout->level == 10)
		return chunk_of_copies(chunk_out, layout, number);
	if (layout->level >= 4) {
		struct rule rule = detect_layout_rule(layout);

		slot = rule_place(&rule, slot, row * layout->chunk_blocks).position;
	}
	chunk_out->image = image_of(layout, slot);
	chunk_out->block = layout->start + row * layout->chunk_blocks;
	return chunk_out->image != DETECT_MISSING;
}

bool detect_layout_equal(const struct detect_layout *one, const struct detect_layout *other)
{
	uint32_t chunks = 4 * one->members * one->members;

	if (one->chunk_blocks != other->chunk_blocks || one->start != other->start)
		return false;
	for (uint64_t i = 0; i < chunks; i++) {
		struct detect_chunk a = { 0 }, b = { 0 };
		bool has = detect_layout_chunk(&a, one, i);

		if (has != detect_layout_chunk(&b, other, i) ||
		    (has && (a.image != b.image || a.block != b.block)))
			return false;
	}
	return true;
}

/* ---- the score */

struct walk {
	struct detect_score *score;
	const struct detect_layout *layout;
	const struct detect_pile *pile;
	const struct joins *joins;
	const float *parity;
	uint32_t lead;
	bool has_last;
	struct join_end last;
};

static void walk_add(struct walk *walk, uint32_t index, double nats)
{
	walk->score->nats += nats;
	walk->score->parts[(uint64_t)index * DETECT_PARTS / walk->pile->index_count] += nats;
}

/* The joins within one image from `first` to `end`, each added to the part where it is. */
static void walk_within(struct walk *walk, uint32_t image, uint32_t first, uint32_t end,
			double weight)
{
	uint64_t count = walk->pile->index_count;

	if (first < walk->lead)
		first = walk->lead;
	while (first + 1 < end) {
		uint64_t part = (uint64_t)(first + 1) * DETECT_PARTS / count;
		uint64_t next = ((part + 1) * count + DETECT_PARTS - 1) / DETECT_PARTS;
		uint32_t to = next < end ? (uint32_t)next : end;

		walk_add(walk, first + 1, weight * joins_within(walk->joins, image, first, to));
		first = to - 1;
	}
}

static bool turns_parity(const struct detect_layout *layout)
{
	return layout->level == 4 || layout->level == 5;
}

static void walk_chunk(struct walk *walk, uint64_t number)
{
	struct detect_chunk chunk;
	uint32_t size = walk->layout->chunk_blocks, first;

	if (!detect_layout_chunk(&chunk, walk->layout, number)) {
		walk->has_last = false;
		return;
	}
	first = detect_pile_index(walk->pile, chunk.block);
	if (first == DETECT_INDEX_NONE ||
	    detect_pile_index(walk->pile, chunk.block + size - 1) != first + size - 1) {
		walk->has_last = false;
		return;
	}
	if (walk->has_last && (first >= walk->lead || walk->last.index >= walk->lead)) {
		double nats = joins_between_chunks(walk->joins, walk->last,
						   (struct join_end){ chunk.image, first }, size);

		walk_add(walk, first, nats);
		walk->score->crossing += nats;
	}
	if (!turns_parity(walk->layout))
		walk_within(walk, chunk.image, first, first + size, 1);
	walk->last = (struct join_end){ chunk.image, first + size - 1 };
	walk->has_last = true;
}

static void walk_parity(struct walk *walk, uint64_t row)
{
	const struct detect_layout *layout = walk->layout;
	struct rule rule = detect_layout_rule(layout);
	uint32_t size = layout->chunk_blocks, count = walk->pile->index_count, first;
	uint8_t image = image_of(
		layout, rule_place(&rule, detect_layout_data(layout), row * size).position);
	uint32_t present = 0;
	double sum = 0;

	first = detect_pile_index(walk->pile, layout->start + row * size);
	if (first == DETECT_INDEX_NONE || first + size > count)
		return;
	/* Chunks of parity go on within as data do: all count, as if one of them were none. */
	for (uint32_t i = 0; i < layout->members; i++)
		present += layout->images[i] != DETECT_MISSING;
	for (uint32_t i = 0; i < layout->members; i++) {
		if (layout->images[i] != DETECT_MISSING)
			walk_within(walk, layout->images[i], first, first + size,
				    (double)(layout->members - 1) / present);
	}
	if (!walk->parity || image == DETECT_MISSING)
		return;
	for (uint32_t i = first; i < first + size; i++)
		sum += (double)walk->parity[(uint64_t)image * count + i];
	/* Blocks of one chunk are alike: many say little more than a few. */
	walk_add(walk, first, sum / sqrt(size));
}

static void walk_rows(struct walk *walk, const struct detect_window *window)
{
	const struct detect_layout *layout = walk->layout;
	uint64_t end = window->block + window->count, first, last;

	if (end <= layout->start)
		return;
	first = window->block > layout->start
			? (window->block - layout->start + layout->chunk_blocks - 1) /
				  layout->chunk_blocks
			: 0;
	last = (end - layout->start) / layout->chunk_blocks;
	if (layout->level == 10 && layout->far > 1) {
		if (layout->offset) {
			first /= layout->far;
			last /= layout->far;
		} else if (last > layout->far_stride) {
			last = layout->far_stride;
		}
	}
	uint32_t data = detect_layout_data(layout), near = layout->level == 10 ? layout->near : 1;

	walk->has_last = false;
	for (uint64_t i = first * data / near; i < last * data / near; i++) {
		walk_chunk(walk, i);
		if (turns_parity(layout) && i % data == 0)
			walk_parity(walk, i / data);
	}
}

void detect_layout_score(struct detect_score *score_out, const struct detect_layout *layout,
			 const struct detect_pile *pile, const struct joins *joins, uint32_t lead,
			 const float *parity)
{
	struct walk walk = {
		.score = score_out,
		.layout = layout,
		.pile = pile,
		.joins = joins,
		.lead = lead,
		.parity = parity,
	};

	memset(score_out, 0, sizeof(*score_out));
	for (uint32_t w = 0; w < pile->window_count; w++) {
		const struct detect_window *window = &pile->windows[w];

		if (layout->level == 1)
			walk_within(&walk, layout->images[0], window->first,
				    window->first + window->count, 1);
		else
			walk_rows(&walk, window);
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_stripes.h"

#include "core/base/mem.h"
#include "core/base/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define N DETECT_MEMBERS_MAX
#define CHUNK_BLOCKS_TRIED 256u /* up to 1 MiB */
#define ALL_ORDERS_MEMBERS 7u   /* 5040 orders */
#define BEST 3u
#define NATS_NONE (-1e300)
#define STARTS_MAX 16u /* of those, the likeliest only */
#define CLIMBS 10u     /* beginnings, where not all orders are tried */

/*
 * Sums over all rows of one class (row mod members), for one chunk and one phase of the start. Members are numbered
 * as in search->images.
 */
struct tables {
	uint32_t chunk;
	uint64_t start;
	double weight;        /* of what is within chunks: data for each member that is there */
	double within[N];     /* [class]: of joins within the chunks of all members */
	double parity[N][N];  /* if its chunk is P */
	double row[N][N][N];  /* [class][a][b]: b's chunk behind a's, in one row */
	double next[N][N][N]; /* b's chunk in the next row behind a's */
};

/* What a layout's order says of each class: who follows whom. */
struct turns {
	enum parity_order order;
	uint32_t level, data;
	uint8_t data_slot[N][N], parity_slot[N];
};

double detect_layout_prior(const struct detect_layout *layout)
{
	double prior = layout->chunk_blocks == 16 || layout->chunk_blocks == 128 ? -1.5 : -2.3;

	if (layout->level == 5 || layout->level == 6)
		prior -= layout->order == ORDER_LEFT_SYMMETRIC ? 0.5 : 2.5;
	if (layout->level == 4 || layout->level == 10)
		prior -= 2;
	return prior;
}

/* Who may follow member `a`, whose chunk ends before index `end`: in this row, or in the next, which begins there. */
static void tables_joins(struct tables *tables, const struct detect_stripes *search, uint32_t class,
			 uint32_t a, uint32_t end, bool next)
{
	const struct join_end from = { search->images[a], end - 1 };
	uint32_t size = tables->chunk;

	for (uint32_t b = 0; b < search->count; b++) {
		struct join_end to = { search->images[b], end - size };

		if (a != b)
			tables->row[class][a][b] +=
				joins_between_chunks(search->joins, from, to, size);
		to.index = end;
		if (next)
			tables->next[class][a][b] +=
				joins_between_chunks(search->joins, from, to, size);
	}
}

static void tables_row(struct tables *tables, const struct detect_stripes *search, uint32_t class,
		       uint32_t first, bool next)
{
	uint32_t size = tables->chunk, lead = search->starts->lead, end = first + size;
	const float *parity = search->parity_nats;

	if (end <= lead)
		return;
	for (uint32_t a = 0; a < search->count; a++) {
		uint8_t image = search->images[a];
		double sum = 0;

		if (image != search->computed)
			tables->within[class] += joins_within(search->joins, image,
							      first < lead ? lead : first, end);
		for (uint32_t i = first; parity && i < end; i++)
			sum += (double)parity[(uint64_t)image * search->pile->index_count + i];
		tables->parity[class][a] += sum / sqrt(size);
		tables_joins(tables, search, class, a, end, next);
	}
}

static void tables_fill(struct tables *tables, const struct detect_stripes *search)
{
	const struct detect_pile *pile = search->pile;
	uint32_t size = tables->chunk;

	for (uint32_t w = 0; w < pile->window_count; w++) {
		const struct detect_window *window = &pile->windows[w];
		uint64_t row = window->block > tables->start
				       ? (window->block - tables->start + size - 1) / size
				       : 0;

		for (;; row++) {
			uint64_t block = tables->start + row * size;
			uint64_t end = window->block + window->count;

			if (block + size > end)
				break;
			tables_row(tables, search, (uint32_t)(row % search->count),
				   window->first + (uint32_t)(block - window->block),
				   block + 2 * (uint64_t)size <= end);
		}
	}
}

static void turns_make(struct turns *turns, uint32_t level, enum parity_order order,
		       uint32_t members)
{
	const struct detect_layout layout = {
		.level = level,
		.order = order,
		.members = members,
		.chunk_blocks = 1,
	};
	struct rule rule = detect_layout_rule(&layout);

	turns->level = level;
	turns->order = order;
	turns->data = detect_layout_data(&layout);
	for (uint32_t class = 0; class < members; class ++) {
		for (uint32_t c = 0; c < turns->data; c++)
			turns->data_slot[class][c] =
				(uint8_t)(level ? rule_place(&rule, c, class).position : c);
		if (level)
			turns->parity_slot[class] =
				(uint8_t)rule_place(&rule, turns->data, class).position;
	}
}

/* `member` by slot; `shift`: the class of row 0. */
static double order_nats(const struct tables *tables, const struct turns *turns, uint32_t members,
			 uint32_t shift, const uint8_t *member)
{
	double sum = 0;

	for (uint32_t r = 0; r < members; r++) {
		const uint8_t *slots = turns->data_slot[r];
		uint32_t class = (r + shift) % members, last = turns->data - 1;
		uint8_t next = member[turns->data_slot[(r + 1) % members][0]];

		for (uint32_t c = 0; c < last; c++)
			sum += tables->row[class][member[slots[c]]][member[slots[c + 1]]];
		/* Chunks of parity go on within as data do: what is in them must not say who is whose. */
		sum += tables->within[class] * tables->weight +
		       tables->next[class][member[slots[last]]][next];
		if (turns->level)
			sum += tables->parity[class][member[turns->parity_slot[r]]];
	}
	return sum;
}

struct ordering {
	const struct tables *tables;
	const struct turns *turns;
	uint32_t members, shift;
	uint8_t best[BEST][N];
	double nats[BEST]; /* falling */
};

/* What comes close to the best is kept as well: it says how sure the best is. */
static double ordering_try(struct ordering *ordering, const uint8_t *member)
{
	double nats = order_nats(ordering->tables, ordering->turns, ordering->members,
				 ordering->shift, member);
	uint32_t at = BEST;

	while (at > 0 && nats > ordering->nats[at - 1])
		at--;
	for (uint32_t i = 0; i < BEST; i++) {
		if (memcmp(ordering->best[i], member, N) == 0)
			return nats;
	}
	if (at == BEST)
		return nats;
	for (uint32_t i = BEST - 1; i > at; i--) {
		ordering->nats[i] = ordering->nats[i - 1];
		memcpy(ordering->best[i], ordering->best[i - 1], N);
	}
	ordering->nats[at] = nats;
	memcpy(ordering->best[at], member, N);
	return nats;
}

static void swap(uint8_t *member, uint32_t i, uint32_t j)
{
	uint8_t moved = member[i];

	member[i] = member[j];
	member[j] = moved;
}

/* All orders, each by one exchange from the one before (Heap 1963). */
static void ordering_all(struct ordering *ordering)
{
	uint8_t member[N], turn[N] = { 0 };
	uint32_t i = 1;

	for (uint32_t m = 0; m < N; m++)
		member[m] = (uint8_t)m;
	ordering_try(ordering, member);
	while (i < ordering->members) {
		if (turn[i] >= i) {
			turn[i++] = 0;
			continue;
		}
		swap(member, i % 2 ? turn[i] : 0, i);
		ordering_try(ordering, member);
		turn[i]++;
		i = 1;
	}
}

/* Exchange i and j where i < j, else move i before j. */
static void member_move(uint8_t *moved, const uint8_t *member, uint32_t i, uint32_t j)
{
	memcpy(moved, member, N);
	if (i < j) {
		swap(moved, i, j);
		return;
	}
	memmove(&moved[j + 1], &moved[j], i - j);
	moved[j] = member[i];
}

/* The best exchange or move again and again, until none is better. */
static void ordering_climb(struct ordering *ordering, uint8_t *member)
{
	double nats = NATS_NONE;
	bool better = true;

	assert(ordering->members > 0);
	while (better) {
		uint8_t best[N], moved[N];

		better = false;
		for (uint32_t move = 0; move < ordering->members * ordering->members; move++) {
			double to;

			member_move(moved, member, move / ordering->members,
				    move % ordering->members);
			to = ordering_try(ordering, moved);
			if (to > nats) {
				nats = to;
				memcpy(best, moved, N);
				better = true;
			}
		}
		if (better)
			memcpy(member, best, N);
	}
}

static void ordering_some(struct ordering *ordering)
{
	struct rng rng = rng_seeded(7);

	for (uint32_t climb = 0; climb < CLIMBS; climb++) {
		uint8_t member[N];

		for (uint32_t m = 0; m < N; m++)
			member[m] = (uint8_t)m;
		for (uint32_t m = 1; m < ordering->members; m++)
			swap(member, m, (uint32_t)rng_below(&rng, m + 1));
		ordering_climb(ordering, member);
	}
}

static void search_turns(const struct detect_stripes *search, const struct tables *tables,
			 const struct turns *turns, const struct detect_start *start)
{
	struct ordering ordering = {
		.tables = tables,
		.turns = turns,
		.members = search->count,
		.shift = (uint32_t)((start->block - tables->start) / tables->chunk % search->count),
		.nats = { NATS_NONE, NATS_NONE, NATS_NONE },
	};
	struct detect_layout layout = {
		.level = turns->level,
		.order = turns->order,
		.members = search->count,
		.chunk_blocks = tables->chunk,
		.start = start->block,
		.computed = DETECT_MISSING,
	};
	struct detect_chunk first;

	if (search->count <= ALL_ORDERS_MEMBERS)
		ordering_all(&ordering);
	else
		ordering_some(&ordering);
	for (uint32_t b = 0; b < BEST && ordering.nats[b] > NATS_NONE; b++) {
		double nats = ordering.nats[b] + start->prior + detect_layout_prior(&layout);

		for (uint32_t i = 0; i < search->count; i++)
			layout.images[i] = search->images[ordering.best[b][i]];
		if (detect_layout_chunk(&first, &layout, 0))
			nats += detect_start_worth(search->pile, first.image, first.block);
		search->found(search->arg, &layout, nats);
	}
}

/* Where not all orders can be tried, not all starts are either. */
static uint32_t starts_tried(const struct detect_stripes *search)
{
	if (search->count < ALL_ORDERS_MEMBERS || search->starts->count < STARTS_MAX)
		return search->starts->count;
	return STARTS_MAX;
}

static void search_tables(const struct detect_stripes *search, const struct tables *tables)
{
	struct turns turns;

	for (uint32_t i = 0; i < starts_tried(search); i++) {
		const struct detect_start *start = &search->starts->at[i];

		if (start->block < tables->start || (start->block - tables->start) % tables->chunk)
			continue;
		if (!search->parity) {
			turns_make(&turns, 0, ORDER_LEFT_ASYMMETRIC, search->count);
			search_turns(search, tables, &turns, start);
			continue;
		}
		for (uint32_t o = ORDER_LEFT_ASYMMETRIC; o <= ORDER_RIGHT_SYMMETRIC; o++) {
			turns_make(&turns, 5, (enum parity_order)o, search->count);
			search_turns(search, tables, &turns, start);
		}
		turns_make(&turns, 4, ORDER_PARITY_LAST, search->count);
		search_turns(search, tables, &turns, start);
	}
}

/* The lowest start of this phase, when `start` is it: one table serves all that are whole chunks above it. */
static bool is_lowest(const struct detect_stripes *search, uint64_t start, uint32_t chunk)
{
	for (uint32_t i = 0; i < starts_tried(search); i++) {
		uint64_t other = search->starts->at[i].block;

		if (other < start && (start - other) % chunk == 0)
			return false;
	}
	return true;
}

int detect_stripes_search(const struct detect_stripes *search, struct err *err)
{
	struct tables *tables = mem_calloc(1, sizeof(*tables));
	uint32_t present = search->count - (search->computed != DETECT_MISSING);
	double weight = (search->count - (search->parity ? 1.0 : 0.0)) / present;

	assert(search->count >= 2 && search->count <= N);
	if (!tables)
		return err_set(err, ERR_NOMEM, "no memory for tables of joins");
	for (uint32_t chunk = 1; chunk <= CHUNK_BLOCKS_TRIED; chunk *= 2) {
		for (uint32_t i = 0; i < starts_tried(search); i++) {
			uint64_t start = search->starts->at[i].block;

			if (!is_lowest(search, start, chunk))
				continue;
			memset(tables, 0, sizeof(*tables));
			tables->chunk = chunk;
			tables->start = start;
			tables->weight = weight;
			tables_fill(tables, search);
			search_tables(search, tables);
		}
	}
	mem_free(tables);
	return 0;
}

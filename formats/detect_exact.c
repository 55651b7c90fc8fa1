/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_exact.h"

#include "core/base/rng.h"

#include <assert.h>
#include <string.h>

#define N DETECT_MEMBERS_MAX
#define PROBES 40u       /* that tell nearly all layouts off */
#define PROBES_ALL 1600u /* that tell where the data begin to the block */
#define PROBE_TRIES 8192u
#define MISFIT_NATS 2.0 /* for each of all that fails */
#define FAILS_MAX 3u    /* of PROBES: rows that were out of step */
#define FAILS_SHARE 10u /* of all, so many must hold for one that fails */
#define HOLDS_MIN 6u
#define CHUNK_BLOCKS_TRIED 256u
#define CHUNKS_TRIED 9u
#define STARTS_MAX 12u
#define ATTEMPTS_MAX UINT64_C(40000000) /* some seconds */
#define NONE DETECT_MISSING

/* A place that a layout is asked of. */
struct probe {
	uint64_t row;
	uint32_t index; /* of one of its blocks; RAID-10: number of the chunk in `row` */
};

struct probes {
	struct probe at[PROBES_ALL];
	uint32_t count;
};

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_NOTHING };

/* What a layout of RAID-6 means for one row: the slots of P and Q, and data slots from the highest power down. */
struct row6 {
	uint8_t p, q, data[N], power[N];
};

struct attempt {
	const struct detect_exact *search;
	struct probes probes;
	/* Of RAID-6: turns repeat after as many rows as there are members, or one less; rows are told by both. */
	struct row6 rows[N * N];
	enum answer (*ask)(const struct attempt *attempt, const struct detect_layout *layout,
			   const struct probe *probe);
};

static bool agrees(const struct attempt *attempt, const struct detect_layout *layout)
{
	const struct probes *probes = &attempt->probes;
	uint32_t fails = 0, holds = 0;

	for (uint32_t i = 0; i < probes->count && i < PROBES; i++) {
		enum answer answer = attempt->ask(attempt, layout, &probes->at[i]);

		holds += answer == ANSWER_YES;
		fails += answer == ANSWER_NO;
		if (fails > FAILS_MAX || (fails > 1 && holds == 0))
			return false;
	}
	return holds >= HOLDS_MIN && holds > 4 * fails;
}

/* A RAID-6 whose Q stays on the member that is missing is a RAID-4 or 5. */
static bool is_without_q(const struct attempt *attempt, const struct detect_layout *layout)
{
	if (layout->level != 6)
		return false;
	for (uint32_t r = 0; r < layout->members; r++) {
		if (layout->images[attempt->rows[r].q] != NONE)
			return false;
	}
	return true;
}

static void try_layout(const struct attempt *attempt, const struct detect_layout *layout)
{
	const struct probes *probes = &attempt->probes;
	uint32_t fails = 0, holds = 0;

	if (!agrees(attempt, layout) || is_without_q(attempt, layout))
		return;
	for (uint32_t i = 0; i < probes->count; i++) {
		enum answer answer = attempt->ask(attempt, layout, &probes->at[i]);

		fails += answer == ANSWER_NO;
		holds += answer == ANSWER_YES;
	}
	if (fails * FAILS_SHARE <= holds)
		attempt->search->found(attempt->search->arg, layout, MISFIT_NATS * fails);
}

/* All orders of the slots, the missing one among them (Heap 1963). */
static void try_orders(const struct attempt *attempt, struct detect_layout *layout)
{
	const struct detect_exact *search = attempt->search;
	uint8_t turn[N] = { 0 };
	uint32_t i = 1;

	for (uint32_t m = 0; m < layout->members; m++)
		layout->images[m] = m < search->count ? search->images[m] : NONE;
	try_layout(attempt, layout);
	while (i < layout->members) {
		uint32_t other = i % 2 ? turn[i] : 0;
		uint8_t moved = layout->images[i];

		if (turn[i] >= i) {
			turn[i++] = 0;
			continue;
		}
		layout->images[i] = layout->images[other];
		layout->images[other] = moved;
		try_layout(attempt, layout);
		turn[i]++;
		i = 1;
	}
}

/* ---- RAID-6 */

static void row6_make(struct row6 *row, const struct detect_layout *layout, uint64_t number)
{
	struct rule rule = detect_layout_rule(layout);
	uint32_t data = layout->members - 2;
	uint64_t block = number * layout->chunk_blocks;

	row->p = (uint8_t)rule_place(&rule, data, block).position;
	row->q = (uint8_t)rule_place(&rule, data + 1, block).position;
	for (uint32_t c = 0; c < data; c++) {
		uint32_t power = rule_exponent(&rule, c, number), at = c;

		for (; at > 0 && row->power[at - 1] < power; at--) {
			row->power[at] = row->power[at - 1];
			row->data[at] = row->data[at - 1];
		}
		row->power[at] = (uint8_t)power;
		row->data[at] = (uint8_t)rule_place(&rule, c, block).position;
	}
}

static bool row6_holds(const struct detect_exact *search, const struct detect_layout *layout,
		       const struct row6 *row, uint32_t index)
{
	struct signature slots[N] = { 0 }, p = { 0 }, q = { 0 };
	uint32_t missing = N, data = layout->members - 2, power = row->power[0];

	for (uint32_t i = 0; i < layout->members; i++) {
		if (layout->images[i] == NONE)
			missing = i;
		else
			slots[i] = relations_at(search->relations, layout->images[i], index);
		if (i != row->q)
			p = signature_add(p, slots[i]);
	}
	if (missing == row->q)
		return signature_is_zero(p);
	if (missing < N && missing != row->p)
		slots[missing] = p;
	else if (missing == N && !signature_is_zero(p))
		return false;
	for (uint32_t c = 0; c < data; c++) {
		for (; power > row->power[c]; power--)
			q = signature_double(q);
		q = signature_add(q, slots[row->data[c]]);
	}
	for (; power > 0; power--)
		q = signature_double(q);
	return signature_is_zero(signature_add(q, slots[row->q]));
}

static enum answer ask6(const struct attempt *attempt, const struct detect_layout *layout,
			const struct probe *probe)
{
	uint32_t period = layout->members * (layout->members - 1);

	return row6_holds(attempt->search, layout, &attempt->rows[probe->row % period],
			  probe->index)
		       ? ANSWER_YES
		       : ANSWER_NO;
}

/* Blocks behind the start where at least three images have content, all classes of rows alike. */
static void probes6(struct probes *probes, const struct detect_exact *search, uint64_t start,
		    uint32_t chunk)
{
	struct rng rng = rng_seeded((uint64_t)chunk * 7919 + start);
	uint32_t least = search->count;

	probes->count = 0;
	for (uint32_t tries = 0; tries < PROBE_TRIES && probes->count < PROBES_ALL; tries++) {
		uint32_t index = (uint32_t)rng_below(&rng, search->pile->index_count), with = 0;
		uint64_t block = detect_pile_block(search->pile, index);

		if (tries == PROBE_TRIES / 2)
			least = search->count > 3 ? 3 : 2;
		if (block < start || index < search->starts->lead)
			continue;
		for (uint32_t m = 0; m < search->count; m++)
			with += !signature_is_zero(
				relations_at(search->relations, search->images[m], index));
		if (with >= least)
			probes->at[probes->count++] =
				(struct probe){ (block - start) / chunk, index };
	}
}

/* Q is on the one image that is the sum of all; NONE: none is, or several. */
static uint8_t place_of_q(const struct detect_exact *search, uint32_t index)
{
	struct signature all = { 0 };
	uint8_t found = NONE;

	for (uint32_t m = 0; m < search->count; m++)
		all = signature_add(all, relations_at(search->relations, search->images[m], index));
	if (signature_is_zero(all))
		return NONE;
	for (uint32_t m = 0; m < search->count; m++) {
		struct signature s = relations_at(search->relations, search->images[m], index);

		if (s.a != all.a || s.b != all.b)
			continue;
		if (found != NONE)
			return NONE;
		found = (uint8_t)m;
	}
	return found;
}

/* In which order Q goes from member to member, row by row; false: in none that takes all of them in turn. */
static bool follow_q(uint8_t cycle_out[static N], const struct detect_exact *search)
{
	uint32_t after[N][N] = { { 0 } };
	uint8_t last = NONE, at = 0;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < search->pile->index_count; i++) {
		uint8_t q = place_of_q(search, i);

		if (q != NONE && last != NONE && q != last)
			after[last][q]++;
		last = q;
	}
	for (uint32_t i = 0; i < search->count; i++) {
		uint8_t next = 0;

		cycle_out[i] = search->images[at];
		seen |= 1u << at;
		for (uint8_t m = 1; m < search->count; m++)
			next = after[at][m] > after[at][next] ? m : next;
		at = next;
	}
	return seen == (1u << search->count) - 1 && at == 0;
}

/* Many members: orders in which Q goes from slot to slot as it was seen to, either way round. */
static void try_cycle(const struct attempt *attempt, struct detect_layout *layout,
		      const uint8_t *cycle)
{
	uint32_t members = layout->members;

	for (uint32_t i = 0; i < 2 * members; i++) {
		for (uint32_t m = 0; m < members; m++)
			layout->images[m] = cycle[(i / 2 + (i % 2 ? m : members - m)) % members];
		try_layout(attempt, layout);
	}
}

static void search_raid6(struct attempt *attempt, struct detect_layout *layout,
			 const uint8_t *cycle)
{
	uint32_t period = layout->members * (layout->members - 1);

	attempt->ask = ask6;
	probes6(&attempt->probes, attempt->search, layout->start, layout->chunk_blocks);
	for (uint32_t o = 0; o < ORDER_COUNT; o++) {
		layout->order = (enum parity_order)o;
		for (uint32_t r = 0; r < period; r++)
			row6_make(&attempt->rows[r], layout, r);
		if (cycle)
			try_cycle(attempt, layout, cycle);
		else
			try_orders(attempt, layout);
	}
}

/* All orders times all starts take too long with many members: then only the likeliest starts. */
static uint32_t starts_tried(const struct detect_exact *search, uint32_t members, uint32_t shapes)
{
	uint64_t orders = shapes, starts;

	for (uint64_t i = 2; i <= members; i++)
		orders *= i;
	starts = ATTEMPTS_MAX / (orders * CHUNKS_TRIED) + 1;
	if (starts > STARTS_MAX)
		starts = STARTS_MAX;
	return starts < search->starts->count ? (uint32_t)starts : search->starts->count;
}

void detect_exact_raid6(const struct detect_exact *search, bool missing)
{
	struct detect_layout layout = {
		.level = 6,
		.members = search->count + missing,
		.computed = NONE,
	};
	struct attempt attempt = { .search = search };

	uint8_t cycle[N];
	bool many = layout.members > DETECT_EXACT_MEMBERS_MAX;
	uint32_t starts = starts_tried(search, many ? 4 : layout.members, ORDER_COUNT);

	if (layout.members < 4 || layout.members > N ||
	    (many && (missing || !follow_q(cycle, search))))
		return;
	for (uint32_t chunk = 1; chunk <= CHUNK_BLOCKS_TRIED; chunk *= 2) {
		for (uint32_t i = 0; i < starts; i++) {
			layout.chunk_blocks = chunk;
			layout.start = search->starts->at[i].block;
			search_raid6(&attempt, &layout, many ? cycle : NULL);
		}
	}
}

/* target = target * 2 (in each byte) + add, for a whole block. */
static void block_double_add(uint8_t *target, const uint8_t *add)
{
	for (uint32_t i = 0; i < BLOCK_SIZE; i += 8) {
		uint64_t value = bytes_double(get_le64(target + i));

		put_le64(target + i, add ? value ^ get_le64(add + i) : value);
	}
}

static void block_add(uint8_t *target, const uint8_t *add)
{
	for (uint32_t i = 0; i < BLOCK_SIZE; i += 8)
		put_le64(target + i, get_le64(target + i) ^ get_le64(add + i));
}

/* P and data from the others and P; Q from the data. */
static void compute_block(const struct detect_layout *layout, struct detect_pile *pile,
			  const struct row6 *row, uint32_t index, uint32_t missing)
{
	uint8_t *target = pile->images[layout->computed].bytes + (uint64_t)index * BLOCK_SIZE;
	uint32_t power = row->power[0];

	memset(target, 0, BLOCK_SIZE);
	if (missing != row->q) {
		for (uint32_t i = 0; i < layout->members; i++) {
			if (i != missing && i != row->q)
				block_add(target, detect_pile_at(pile, layout->images[i], index));
		}
		return;
	}
	for (uint32_t c = 0; c < layout->members - 2; c++) {
		for (; power > row->power[c]; power--)
			block_double_add(target, NULL);
		block_add(target, detect_pile_at(pile, layout->images[row->data[c]], index));
	}
	for (; power > 0; power--)
		block_double_add(target, NULL);
}

void detect_exact_compute(const struct detect_layout *layout, struct detect_pile *pile)
{
	uint32_t missing = 0;

	assert(layout->level == 6 && layout->computed != NONE);
	while (missing < layout->members && layout->images[missing] != NONE)
		missing++;
	assert(missing < layout->members);
	for (uint32_t index = 0; index < pile->index_count; index++) {
		uint64_t block = detect_pile_block(pile, index);
		struct row6 row = { 0 };

		if (block < layout->start)
			continue;
		row6_make(&row, layout, (block - layout->start) / layout->chunk_blocks);
		compute_block(layout, pile, &row, index, missing);
	}
}

/* ---- RAID-10 */

/* All copies of one chunk that are there are the same in their first block with content. */
static enum answer ask10(const struct attempt *attempt, const struct detect_layout *layout,
			 const struct probe *probe)
{
	const struct detect_exact *search = attempt->search;
	enum answer answer = ANSWER_NOTHING;
	struct rule rule = detect_layout_rule(layout);
	struct signature first = { 0 };
	bool has = false;

	assert(probe->index < layout->chunk_blocks);
	for (uint32_t copy = 0; copy < layout->near * layout->far; copy++) {
		struct rule_place place =
			rule_place(&rule, copy, probe->row * layout->chunk_blocks + probe->index);
		uint8_t image = layout->images[place.position];
		uint32_t index = detect_pile_index(search->pile, layout->start + place.block);
		struct signature s;

		if (image == NONE || index == DETECT_INDEX_NONE)
			continue;
		s = relations_at(search->relations, image, index);
		if (has && (s.a != first.a || s.b != first.b))
			return ANSWER_NO;
		/* Zeros are everywhere. */
		if (has && !signature_is_zero(s))
			answer = ANSWER_YES;
		first = s;
		has = true;
	}
	return answer;
}

/* Chunks of the volume in places where some image has content. */
static void probes10(struct probes *probes, const struct detect_exact *search,
		     const struct detect_layout *layout)
{
	struct rng rng = rng_seeded(layout->chunk_blocks + layout->start);
	uint32_t chunk = layout->chunk_blocks;

	probes->count = 0;
	for (uint32_t tries = 0; tries < PROBE_TRIES && probes->count < PROBES_ALL; tries++) {
		uint32_t index = (uint32_t)rng_below(&rng, search->pile->index_count), with = 0;
		uint64_t block = detect_pile_block(search->pile, index), row;

		if (block < layout->start || index < search->starts->lead)
			continue;
		for (uint32_t m = 0; m < search->count; m++)
			with += !signature_is_zero(
				relations_at(search->relations, search->images[m], index));
		row = (block - layout->start) / chunk;
		if (with < search->count ||
		    (layout->far > 1 && !layout->offset && row >= layout->far_stride))
			continue;
		if (layout->offset)
			row /= layout->far;
		probes->at[probes->count++] = (struct probe){
			row * layout->members / layout->near + tries % layout->members,
			(uint32_t)((block - layout->start) % chunk),
		};
	}
}

static void search_raid10(struct attempt *attempt, struct detect_layout *layout)
{
	struct err ignored = { 0 };
	struct rule rule = detect_layout_rule(layout);

	if (rule_check(&rule, &ignored))
		return;
	attempt->ask = ask10;
	probes10(&attempt->probes, attempt->search, layout);
	try_orders(attempt, layout);
}

/* All copies together fill the members but for a rest: else these are copies that lie near each other. */
static bool is_far(const struct detect_exact *search, uint64_t start, uint32_t copies,
		   uint64_t stride)
{
	uint64_t blocks = search->pile->images[search->images[0]].blocks;

	return start < blocks && copies * stride <= blocks - start &&
	       copies * stride >= (blocks - start) / 4 * 3;
}

/* Two copies or three: far or offset ones, and near ones that do not come in groups. */
static void search_copies(struct attempt *attempt, struct detect_layout *layout, uint64_t stride)
{
	for (uint32_t copies = 2; copies <= 3; copies++) {
		layout->near = 1;
		layout->far = copies;
		layout->offset = stride == 0;
		layout->far_stride = stride / layout->chunk_blocks;
		if (stride % layout->chunk_blocks == 0 &&
		    (stride == 0 || is_far(attempt->search, layout->start, copies, stride)))
			search_raid10(attempt, layout);
		layout->near = copies;
		layout->far = 1;
		layout->offset = false;
		if (stride == 0 && layout->members % copies)
			search_raid10(attempt, layout);
	}
}

void detect_exact_raid10(const struct detect_exact *search, bool missing, uint64_t stride)
{
	struct detect_layout layout = {
		.level = 10,
		.members = search->count + missing,
		.computed = NONE,
	};

	struct attempt attempt = { .search = search };

	if (layout.members < 2 || layout.members > DETECT_EXACT_MEMBERS_MAX)
		return;
	for (layout.chunk_blocks = 1; layout.chunk_blocks <= CHUNK_BLOCKS_TRIED;
	     layout.chunk_blocks *= 2) {
		for (uint32_t i = 0; i < starts_tried(search, layout.members, 4); i++) {
			layout.start = search->starts->at[i].block;
			search_copies(&attempt, &layout, stride);
		}
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Addresses: aim is that volume, group and member addresses are one bijection (address.h).
 * Method: every small shape (plain; mirror 2-4; parity k 1-4, p 1-3; sequential m 2-5, r 1-3, every pure
 * column), striped with units 1-3 and unstriped, spans over one and two groups, lengths that end inside a
 * block. Every block of every member is walked both ways. Rows are compared with the equations of
 * core/code, which know nothing of addresses, and sequential ones with the formulas of SPEC 2.6.
 */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/map/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BLOCKS 3u
#define FRAME_BODY 64u
#define SEAL_ROOM 4u
#define MEMBERS 8u
#define DATA_OFFSET (UINT64_C(2) << 20)

struct shape_case {
	struct code_shape shape;
	uint32_t unit_blocks;
};

static struct map *map_make(void)
{
	struct map *map = map_create();

	assert_non_null(map);
	map->geometry.frame_body_blocks = FRAME_BODY;
	map->geometry.frame_blocks = FRAME_BODY + SEAL_ROOM;
	for (uint32_t slot = 0; slot < MEMBERS; slot++) {
		struct member member = { .slot = slot, .frame_count = 6 };

		member.data_offset = DATA_OFFSET + slot * BLOCK_SIZE;
		assert_int_equal(map_put_member(map, &member), 0);
	}
	return map;
}

static uint32_t body_blocks(const struct code_shape *shape)
{
	if (shape->layout == LAYOUT_SEQUENTIAL)
		return SEGMENT_BLOCKS * shape->checks * shape->columns;
	return 12;
}

/* A group in frame `frame` of members 0.. in a rotated order; ids follow `first_id`. */
static struct group *group_put(struct map *map, const struct code_shape *shape, uint64_t id,
			       uint32_t frame)
{
	struct group *group = map_group_create(shape->columns);

	assert_non_null(group);
	group->id = id;
	group->shape = *shape;
	group->segment_blocks =
		shape->layout == LAYOUT_SEQUENTIAL ? SEGMENT_BLOCKS : body_blocks(shape);
	for (uint32_t c = 0; c < shape->columns; c++) {
		group->extents[c] = (struct extent){
			.id = id * 100 + c,
			.slot = (c + frame) % MEMBERS,
			.frame = frame,
			.body_blocks = body_blocks(shape),
		};
	}
	assert_int_equal(map_put_group(map, group), 0);
	return group;
}

/* A span of the data extents of the given groups, extents interleaved group after group. */
static void span_add(struct volume *volume, struct group *const *groups, uint32_t group_count,
		     uint32_t unit_blocks, uint64_t length)
{
	struct span span = { .length = length, .unit_blocks = unit_blocks };

	if (volume->span_count) {
		const struct span *last = &volume->spans[volume->span_count - 1];

		span.offset = last->offset + last->length;
	}
	span.extents = mem_calloc(CODE_COLUMNS_MAX, sizeof(*span.extents));
	assert_non_null(span.extents);
	for (uint32_t g = 0; g < group_count; g++) {
		for (uint32_t c = 0; c < group_data_columns(groups[g]); c++)
			span.extents[span.extent_count++] = groups[g]->extents[c].id;
	}
	assert_int_equal(map_volume_add_span(volume, &span), 0);
	volume->length += length;
}

/*
 * Two spans, the first over two groups, the second over one. `end` 0: all is full; 1: the second span ends
 * inside a block; 2: the volume ends inside a block, before its last span does.
 */
static struct map *case_map(const struct shape_case *one, int end)
{
	struct map *map = map_make();
	struct volume *volume = map_volume_create();
	struct group *groups[3];
	uint64_t data;

	assert_non_null(volume);
	for (uint32_t g = 0; g < 3; g++)
		groups[g] = group_put(map, &one->shape, g + 1, 2 * g);
	volume->id = 1;
	snprintf(volume->name, sizeof(volume->name), "v");
	data = (uint64_t)group_data_blocks(groups[0]) * group_data_columns(groups[0]) * BLOCK_SIZE;
	span_add(volume, groups, 2, one->unit_blocks, 2 * data);
	span_add(volume, groups + 2, 1, one->unit_blocks, end == 1 ? data - BLOCK_SIZE - 1 : data);
	if (end == 2)
		volume->length -= BLOCK_SIZE + 700;
	assert_int_equal(map_put_volume(map, volume), 0);
	return map;
}

/* Every case with a given volume end; `check` is told the map. */
static void each_case(void (*check)(const struct map *map, const struct shape_case *one))
{
	struct shape_case cases[256];
	uint32_t count = 0;

	for (uint32_t unit = 0; unit <= 3; unit++) {
		cases[count++] =
			(struct shape_case){ code_shape_make(LAYOUT_PLAIN, 1, 0, 0), unit };
		for (uint16_t copies = 2; copies <= 4; copies++)
			cases[count++] =
				(struct shape_case){ code_shape_make(LAYOUT_MIRROR, copies,
								     (uint16_t)(copies - 1), 0),
						     unit };
		for (uint16_t k = 1; k <= 4; k++) {
			for (uint16_t p = 1; p <= 3; p++)
				cases[count++] = (struct shape_case){
					code_shape_make(LAYOUT_PARITY, (uint16_t)(k + p), p, 0),
					unit
				};
		}
	}
	for (uint16_t m = 2; m <= 5; m++) {
		for (uint16_t r = 1; r <= 3; r++) {
			for (uint16_t pure = 0; pure < m; pure++)
				cases[count++] = (struct shape_case){
					code_shape_make(LAYOUT_SEQUENTIAL, m, r, pure), 0
				};
		}
	}
	assert_true(count <= 256);
	print_message("%u shapes\n", count);
	for (uint32_t i = 0; i < count; i++) {
		for (int end = 0; end < 3; end++) {
			struct map *map = case_map(&cases[i], end);

			check(map, &cases[i]);
			map_free(map);
		}
	}
}

static void check_bijection(const struct map *map, const struct shape_case *one)
{
	const struct volume *volume = map->volumes[0];
	struct address address;
	struct volume_part part;
	uint64_t run;

	(void)one;
	for (uint64_t at = 0; at < volume->length; at += 512) {
		assert_true(address_of_volume(&address, &run, map, volume, at));
		assert_true(address_to_volume(&part, map, &address));
		assert_ptr_equal(part.volume, volume);
		assert_true(part.offset <= at && at - part.offset < part.length);
		assert_true(part.offset / BLOCK_SIZE == at / BLOCK_SIZE);
		assert_true(run > 0 && run <= volume->length - at);
		if (run > 512) { /* the run goes on on the same extent */
			struct address next;

			assert_true(address_of_volume(&next, NULL, map, volume, at + 512));
			assert_ptr_equal(next.group, address.group);
			assert_int_equal(next.column, address.column);
			assert_true(next.block == address.block || next.block == address.block + 1);
		}
	}
	assert_false(address_of_volume(&address, &run, map, volume, volume->length));
	assert_false(address_of_volume(&address, &run, map, volume, UINT64_MAX));
}

static void bijection(void **state)
{
	(void)state;
	each_case(check_bijection);
}

/* Mark every block that a volume byte leads to: each once, and no other block leads to a volume. */
static void check_no_overlap(const struct map *map, const struct shape_case *one)
{
	static bool used[3][CODE_COLUMNS_MAX][FRAME_BODY];
	const struct volume *volume = map->volumes[0];
	uint64_t parts = 0;

	(void)one;
	memset(used, 0, sizeof(used));
	for (uint64_t at = 0; at < volume->length; at += BLOCK_SIZE) {
		struct address address;
		bool *mark;

		assert_true(address_of_volume(&address, NULL, map, volume, at));
		mark = &used[address.group->id - 1][address.column][address.block];
		assert_false(*mark);
		*mark = true;
	}
	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];
		struct address address = { .group = group };

		for (address.column = 0; address.column < group->shape.columns; address.column++) {
			for (address.block = 0; address.block < group_body_blocks(group);
			     address.block++) {
				struct volume_part part = { 0 };
				bool leads = address_to_volume(&part, map, &address);

				assert_int_equal(leads, used[g][address.column][address.block]);
				if (!leads)
					continue;
				parts += part.length;
				assert_true(address_role(&address) == BLOCK_DATA ||
					    address_role(&address) == BLOCK_PRIMARY);
			}
		}
	}
	assert_true(parts == volume->length);
}

static void no_overlap(void **state)
{
	(void)state;
	each_case(check_no_overlap);
}

/* Walk every block of every member and count what lies there. */
static void check_member_bytes(const struct map *map, const struct shape_case *one)
{
	uint32_t bodies = 0, pages = 0;
	uint64_t frame_size = (FRAME_BODY + SEAL_ROOM) * (uint64_t)BLOCK_SIZE;

	for (uint32_t slot = 0; slot < MEMBERS; slot++) {
		uint64_t begin = map_member(map, slot)->data_offset, end = begin + 6 * frame_size;

		assert_int_equal(address_of_member(map, slot, 0).area, AREA_METADATA);
		assert_int_equal(address_of_member(map, slot, begin - 1).area, AREA_METADATA);
		assert_int_equal(address_of_member(map, slot, end).area, AREA_OUTSIDE);
		assert_int_equal(address_of_member(map, slot, UINT64_MAX).area, AREA_OUTSIDE);
		for (uint64_t at = begin; at < end; at += BLOCK_SIZE) {
			struct member_place place = address_of_member(map, slot, at + 17);
			const struct extent *extent;

			assert_true(place.frame == (at - begin) / frame_size);
			if (place.area == AREA_FREE)
				continue;
			extent = &place.address.group->extents[place.address.column];
			assert_int_equal(extent->slot, slot);
			if (place.area == AREA_BODY) {
				assert_true(address_to_member(map, &place.address) == at);
				bodies++;
			} else if (place.area == AREA_SEAL) {
				assert_true(extent_seal_offset(map, extent) +
						    place.seal_page * (uint64_t)BLOCK_SIZE ==
					    at);
				pages++;
			} else {
				assert_int_equal(place.area, AREA_PADDING);
			}
		}
	}
	assert_int_equal(bodies, 3u * one->shape.columns * body_blocks(&one->shape));
	assert_int_equal(pages, 3u * one->shape.columns * SEAL_ROOM);
}

static void member_bytes(void **state)
{
	(void)state;
	each_case(check_member_bytes);
}

/* Cell of an address, as core/code numbers it. */
static uint16_t cell_of(const struct code *code, const struct address *address)
{
	uint16_t segments = code_segment_count(code);
	uint32_t segment = address->block / address->group->segment_blocks;

	return (uint16_t)(address->column * segments + segment);
}

static bool equation_has(const struct code_equation *equation, uint16_t cell)
{
	for (uint16_t i = 0; i < equation->term_count; i++) {
		if (equation->terms[i].cell == cell)
			return true;
	}
	return false;
}

/*
 * The cells that belong with `cell` by the equations: those that cover it, and, where one of these defines
 * a check that another equation sums (sequential), that one's own check.
 */
static void related(bool *cells, const struct code *code, uint16_t cell)
{
	for (uint16_t e = 0; e < code_equation_count(code); e++) {
		const struct code_equation *equation = code_equation(code, e);
		uint16_t check = equation->terms[equation->term_count - 1].cell;

		if (!equation_has(equation, cell))
			continue;
		if (code_cell_role(code, check) == CELL_PURE &&
		    code_cell_role(code, cell) != CELL_PURE) {
			cells[check] = true; /* a row parity: of its level only the pure parity */
			continue;
		}
		for (uint16_t i = 0; i < equation->term_count; i++)
			cells[equation->terms[i].cell] = true;
		for (uint16_t other = 0; other < code_equation_count(code); other++) {
			const struct code_equation *above = code_equation(code, other);

			if (code_shape(code)->layout == LAYOUT_SEQUENTIAL && other != e &&
			    code_cell_role(code, check) == CELL_PARITY &&
			    equation_has(above, check))
				cells[above->terms[above->term_count - 1].cell] = true;
		}
	}
	/* a mirror's copies and parity's checks are each other's peers through the data */
	if (code_shape(code)->layout != LAYOUT_SEQUENTIAL)
		memset(cells, true, code_cell_count(code));
}

static void check_rows(const struct map *map, const struct shape_case *one)
{
	const struct group *group = map->groups[1];
	struct address address = { .group = group };
	struct err err = { 0 };
	struct code *code;

	assert_int_equal(code_create(&code, &one->shape, &err), 0);
	for (address.column = 0; address.column < group->shape.columns; address.column++) {
		for (address.block = 0; address.block < group_body_blocks(group); address.block++) {
			bool expected[CODE_CELLS_MAX] = { false };
			struct address peers[ADDRESS_PEERS_MAX];
			uint32_t count = address_peers(peers, &address), wanted = 0;

			related(expected, code, cell_of(code, &address));
			for (uint16_t cell = 0; cell < code_cell_count(code); cell++)
				wanted += expected[cell];
			assert_memory_equal(&peers[0], &address, sizeof(address));
			assert_int_equal(count, wanted ? wanted : 1);
			for (uint32_t i = 0; i < count; i++) {
				uint16_t cell = cell_of(code, &peers[i]);

				assert_int_equal(peers[i].block % group->segment_blocks,
						 address.block % group->segment_blocks);
				assert_true(expected[cell] || i == 0);
				expected[cell] = false; /* each once */
			}
		}
	}
	code_free(code);
}

static void rows(void **state)
{
	(void)state;
	each_case(check_rows);
}

/* SPEC 2.6: parity of byte y of extent i is at tail j div (m-1) of bear[j mod (m-1)], pure on q. */
static void rows_sequential_formula(void **state)
{
	(void)state;
	for (uint16_t m = 2; m <= 5; m++) {
		for (uint16_t r = 1; r <= 3; r++) {
			for (uint16_t q = 0; q < m; q++) {
				struct map *map = map_make();
				struct code_shape shape =
					code_shape_make(LAYOUT_SEQUENTIAL, m, r, q);
				const struct group *group = group_put(map, &shape, 1, 0);
				uint32_t data = (uint32_t)r * (m - 1u), bear[8], n = 0;

				for (uint32_t c = 0; c < m; c++)
					if (c != q)
						bear[n++] = c;
				for (uint32_t j = 0; j < data; j++) {
					struct address at = { group, 0, j * SEGMENT_BLOCKS + 2 };
					struct address peers[ADDRESS_PEERS_MAX];
					uint32_t tail = data + j / (m - 1u), p = 0, found = 0;
					uint64_t row;
					uint32_t count = address_peers(peers, &at);

					assert_true(address_row(&row, &at) && row == j);
					for (; p < count; p++) {
						if (peers[p].block != tail * SEGMENT_BLOCKS + 2)
							continue;
						found++;
						if (address_role(&peers[p]) == BLOCK_PURE)
							assert_int_equal(peers[p].column, q);
						else
							assert_int_equal(peers[p].column,
									 bear[j % (m - 1u)]);
					}
					assert_int_equal(found, 2);
				}
				map_free(map);
			}
		}
	}
}

/* A span whose extents the map does not have leads nowhere instead of somewhere. */
static void bijection_of_a_damaged_map(void **state)
{
	struct map *map = map_make();
	struct volume *volume = map_volume_create();
	struct span span = { .length = BLOCK_SIZE, .extent_count = 1 };
	struct address address;

	(void)state;
	assert_non_null(volume);
	span.extents = mem_calloc(1, sizeof(*span.extents));
	assert_non_null(span.extents);
	span.extents[0] = 4711;
	assert_int_equal(map_volume_add_span(volume, &span), 0);
	volume->id = 1;
	volume->length = BLOCK_SIZE;
	assert_int_equal(map_put_volume(map, volume), 0);
	assert_false(address_of_volume(&address, NULL, map, volume, 0));
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bijection),
		cmocka_unit_test(no_overlap),
		cmocka_unit_test(member_bytes),
		cmocka_unit_test(rows),
		cmocka_unit_test(rows_sequential_formula),
		cmocka_unit_test(bijection_of_a_damaged_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

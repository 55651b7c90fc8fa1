/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/foreign_help.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BEHIND (UINT64_C(64) << 10) /* of a member, behind its data */

static uint64_t unit_size(const struct bare *bare)
{
	return (uint64_t)bare->unit_blocks * BLOCK_SIZE;
}

uint64_t bare_member_size(const struct bare *bare)
{
	return bare->origin + bare->rows * unit_size(bare) + BEHIND;
}

static uint32_t data_columns(const struct bare *bare)
{
	if (bare->layout == LAYOUT_MIRROR)
		return 1;
	return bare->members - (bare->layout == LAYOUT_PARITY ? bare->checks : 0);
}

uint64_t bare_volume_size(const struct bare *bare)
{
	return bare->rows * unit_size(bare) * data_columns(bare) - bare->cut;
}

uint32_t bare_slot(const struct bare *bare, uint32_t row, uint32_t column)
{
	uint32_t n = bare->members, k = data_columns(bare);

	if (bare->layout != LAYOUT_PARITY)
		return column;
	/* The first check of row 0 stands so that the last one is on the last member. */
	uint32_t first = (2 * n - bare->checks - row % n) % n;

	return (first + (column < k ? bare->checks + column : column - k)) % n;
}

struct bare_byte bare_place(const struct bare *bare, uint64_t offset, uint32_t copy)
{
	uint64_t chunk = offset / unit_size(bare);
	uint32_t row = (uint32_t)(chunk / data_columns(bare));
	uint32_t column =
		bare->layout == LAYOUT_MIRROR ? copy : (uint32_t)(chunk % data_columns(bare));

	return (struct bare_byte){ bare_slot(bare, row, column), bare->origin +
									 row * unit_size(bare) +
									 offset % unit_size(bare) };
}

/* One group for each row that is laid out otherwise than those before. */
static uint32_t class_count(const struct bare *bare)
{
	return bare->layout == LAYOUT_MIRROR ? 1 : bare->members;
}

static void add_class(struct foreign *foreign, const struct bare *bare, uint32_t number,
		      uint64_t *data)
{
	bool parity = bare->layout == LAYOUT_PARITY, plain = bare->layout == LAYOUT_PLAIN;
	uint16_t columns = plain ? 1 : (uint16_t)bare->members;
	uint16_t checks = (uint16_t)(parity ? bare->checks : plain ? 0 : bare->members - 1);
	struct code_shape shape = code_shape_make(bare->layout, columns, checks, 0);
	struct foreign_place places[BARE_MEMBERS_MAX] = { 0 };
	uint32_t rows = parity ? bare->rows / bare->members : bare->rows;
	struct err err = { 0 };
	uint64_t first;

	for (uint32_t c = 0; c < columns; c++) {
		struct foreign_place *place = &places[c];

		place->slot = plain ? number : bare_slot(bare, number, c);
		place->origin = bare->origin;
		place->stale = bare->stale >> place->slot & 1;
		if (bare->cut)
			place->length = rows * unit_size(bare) - bare->cut;
		if (!parity)
			continue;
		place->origin += number * unit_size(bare);
		place->run = unit_size(bare);
		place->stride = bare->members * unit_size(bare);
	}
	assert_int_equal(
		foreign_add_group(foreign, &shape, rows * bare->unit_blocks, places, &first, &err),
		0);
	for (uint32_t i = 0; i < (plain ? 1 : data_columns(bare)); i++)
		data[i] = first + i;
}

struct map *bare_map(const struct bare *bare)
{
	const struct uuid uuid = { { 1 } };
	struct foreign *foreign = foreign_create("bare", "data", &uuid);
	uint32_t k = data_columns(bare), classes = class_count(bare), per_class = k;
	uint64_t data[BARE_MEMBERS_MAX * BARE_MEMBERS_MAX];
	struct map *map = NULL;
	struct err err = { 0 };

	assert_non_null(foreign);
	assert_true(bare->members <= BARE_MEMBERS_MAX);
	assert_true(bare->layout != LAYOUT_PARITY || bare->rows % bare->members == 0);
	for (uint32_t slot = 0; slot < bare->members; slot++) {
		const struct uuid id = { { 2, (uint8_t)slot } };

		assert_int_equal(
			foreign_add_member(foreign, slot, &id, bare_member_size(bare), &err), 0);
	}
	if (bare->layout == LAYOUT_PLAIN)
		per_class = 1;
	for (uint32_t i = 0; i < classes; i++)
		add_class(foreign, bare, i, data + (size_t)i * per_class);
	assert_int_equal(foreign_add_span(foreign, bare_volume_size(bare),
					  bare->layout == LAYOUT_MIRROR ? 0 : bare->unit_blocks,
					  data, classes * per_class, &err),
			 0);
	if (foreign_finish(foreign, &map, &err))
		fail_msg("%s", err.text);
	return map;
}

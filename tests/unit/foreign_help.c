/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/foreign_help.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "tests/unit/code_oracle.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECTOR 512u

#define BEHIND (UINT64_C(64) << 10) /* of a member, behind its data */

static uint64_t unit_size(const struct bare *bare)
{
	return (uint64_t)bare->unit_blocks * BLOCK_SIZE;
}

const struct bare bare_cases[BARE_CASES] = {
	{ LAYOUT_PARITY, 4, 1, 2, 8, 8192, 0, 0 },
	{ LAYOUT_PARITY, 3, 1, 16, 3, 3 * SECTOR, 0, 0 }, /* nothing in whole blocks */
	{ LAYOUT_PARITY, 5, 2, 1, 15, 8192, 0, 0 },
	{ LAYOUT_PARITY, 6, 3, 3, 6, 4096, 0, 0 },
	{ LAYOUT_PLAIN, 3, 0, 4, 5, 8192, 0, 0 },
	{ LAYOUT_MIRROR, 2, 0, 1, 21, 8192, 3 * SECTOR, 0 },
	{ LAYOUT_MIRROR, 3, 0, 1, 21, 5 * SECTOR, 0, 0 },
};

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

static uint8_t power_of(uint32_t exponent)
{
	uint8_t power = 1;

	for (uint32_t i = 0; i < exponent; i++)
		power = oracle_product(power, 2);
	return power;
}

/* The checks of one row: the sum over data column i of g^(i * j) * d[i]. */
static void fill_checks(struct bare_rack *rack, uint32_t row)
{
	const struct bare *bare = &rack->bare;
	uint64_t unit = unit_size(bare), at = bare->origin + row * unit;
	uint32_t k = data_columns(bare);

	for (uint32_t j = 0; j < bare->checks; j++) {
		uint8_t *check = rack->images[bare_slot(bare, row, k + j)] + at;

		memset(check, 0, unit);
		for (uint32_t i = 0; i < k; i++) {
			const uint8_t *data = rack->images[bare_slot(bare, row, i)] + at;
			uint8_t times[256], power = power_of(i * j);

			for (uint32_t value = 0; value < 256; value++)
				times[value] = oracle_product(power, (uint8_t)value);
			for (uint64_t b = 0; b < unit; b++)
				check[b] ^= times[data[b]];
		}
	}
}

static void fill_volume(struct bare_rack *rack)
{
	const struct bare *bare = &rack->bare;
	uint32_t copies = bare->layout == LAYOUT_MIRROR ? bare->members : 1;

	for (uint64_t at = 0; at < bare_volume_size(bare); at += 512) {
		for (uint32_t copy = 0; copy < copies; copy++) {
			const struct bare_byte byte = bare_place(bare, at, copy);

			memcpy(rack->images[byte.slot] + byte.place, rack->volume + at, 512);
		}
	}
	for (uint32_t row = 0; bare->layout == LAYOUT_PARITY && row < bare->rows; row++)
		fill_checks(rack, row);
}

void bare_rack_fill(struct bare_rack *rack, const struct bare *bare, uint64_t seed)
{
	struct rng rng = rng_seeded(seed);
	uint64_t length = bare_volume_size(bare);

	*rack = (struct bare_rack){ .bare = *bare, .env = env_threads() };
	rack->size = size_round_up(bare_member_size(bare), BLOCK_SIZE);
	rack->volume = mem_pages(size_round_up(length, BLOCK_SIZE));
	assert_non_null(rack->volume);
	for (uint64_t i = 0; i + 8 <= length; i += 8)
		put_le64(rack->volume + i, rng_next(&rng));
	for (uint32_t slot = 0; slot < bare->members; slot++) {
		rack->images[slot] = mem_pages(rack->size);
		assert_non_null(rack->images[slot]);
		/* what is beside the data is nobody's, and differs */
		memset(rack->images[slot], (int)(0xa0 + slot), rack->size);
	}
	fill_volume(rack);
}

struct array *bare_rack_open(struct bare_rack *rack, uint32_t absent, enum array_access access,
			     const struct foreign_hooks *hooks, void *hooks_arg)
{
	struct dev *devs[MEMBERS_MAX] = { 0 };
	struct array_foreign_request request = { .env = rack->env,
						 .map = bare_map(&rack->bare),
						 .devs = devs,
						 .access = access,
						 .tasks = 2,
						 .hooks = hooks,
						 .hooks_arg = hooks_arg };
	struct err err = { 0 };

	assert_null(rack->array);
	for (uint32_t slot = 0; slot < rack->bare.members; slot++) {
		char name[16];

		if (absent >> slot & 1)
			continue;
		snprintf(name, sizeof(name), "disk %u", slot);
		assert_int_equal(dev_sim_open(&rack->sims[slot], rack->env, name, rack->size), 0);
		memcpy(dev_sim_bytes(rack->sims[slot]), rack->images[slot], rack->size);
		assert_int_equal(dev_fault_open(&rack->faults[slot], rack->sims[slot]), 0);
		devs[slot] = rack->faults[slot];
	}
	if (array_open_foreign(&rack->array, &request, &err))
		fail_msg("%s", err.text);
	return rack->array;
}

void bare_rack_close(struct bare_rack *rack)
{
	for (uint32_t slot = 0; slot < rack->bare.members; slot++) {
		if (rack->sims[slot])
			memcpy(rack->images[slot], dev_sim_bytes(rack->sims[slot]), rack->size);
		rack->sims[slot] = rack->faults[slot] = NULL;
	}
	array_close(rack->array);
	rack->array = NULL;
}

void bare_rack_empty(struct bare_rack *rack)
{
	for (uint32_t slot = 0; slot < rack->bare.members; slot++)
		mem_pages_free(rack->images[slot]);
	mem_pages_free(rack->volume);
}

void bare_rack_break(struct bare_rack *rack, uint32_t slot, uint64_t place)
{
	const struct fault fault = { .kind = FAULT_READ_ERROR,
				     .offset = place - place % BLOCK_SIZE,
				     .size = BLOCK_SIZE };

	assert_int_equal(dev_fault_add(rack->faults[slot], &fault), 0);
}

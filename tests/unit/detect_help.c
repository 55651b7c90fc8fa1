/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/detect_help.h"

#include "core/base/mem.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void pile_make(struct pile_made *pile, uint32_t count, uint32_t blocks)
{
	assert_true(count <= PILE_MAX);
	*pile = (struct pile_made){ .count = count, .blocks = blocks };
	for (uint32_t i = 0; i < count; i++) {
		pile->bytes[i] = mem_calloc(blocks, BLOCK_SIZE);
		assert_non_null(pile->bytes[i]);
		pile->devs[i] = memory_dev_make(pile->bytes[i], (size_t)blocks * BLOCK_SIZE);
		pile->list[i] = &pile->devs[i].dev;
	}
}

void pile_free(struct pile_made *pile)
{
	for (uint32_t i = 0; i < pile->count; i++)
		mem_free(pile->bytes[i]);
}

uint8_t *log_make(uint32_t blocks, uint64_t seed)
{
	static const char *const verbs[] = { "accepted", "closed", "slow", "retry", "denied" };
	struct rng rng = rng_seeded(seed);
	size_t size = (size_t)blocks * BLOCK_SIZE, at = 0;
	uint8_t *bytes = mem_calloc(size + 200, 1);
	unsigned number = (unsigned)rng_below(&rng, 1000000);

	assert_non_null(bytes);
	while (at < size)
		at += (size_t)snprintf((char *)bytes + at, 200, "host%u [%u] %s from port %u\n",
				       (unsigned)rng_below(&rng, 9), number++,
				       verbs[rng_below(&rng, 5)], (unsigned)rng_below(&rng, 60000));
	return bytes;
}

/* Column `c` of a row: a chunk of `size` bytes, added times 2^power (bytewise, by 0x11d). */
static void add_times(uint8_t *target, const uint8_t *from, size_t size, uint32_t power)
{
	for (size_t i = 0; i < size; i++) {
		unsigned value = from[i];

		for (uint32_t p = 0; p < power; p++)
			value = value << 1 ^ (value & 128 ? 0x11d : 0);
		target[i] = (uint8_t)(target[i] ^ value);
	}
}

/* By the position behind Q, as MD counts the powers; P is skipped. */
static uint32_t power_of(const char *slots, uint32_t members, uint32_t slot)
{
	uint32_t power = 0, q = (uint32_t)(strchr(slots, 'Q') - slots);

	for (uint32_t i = (q + 1) % members; i != slot; i = (i + 1) % members)
		power += slots[i] != 'P';
	return power;
}

static void place_row(struct pile_made *pile, const struct rows *rows, const char *slots,
		      uint64_t row, const uint8_t *data)
{
	size_t size = (size_t)rows->chunk * BLOCK_SIZE;
	size_t to = ((size_t)rows->start + row * rows->chunk) * BLOCK_SIZE;

	for (uint32_t m = 0; m < rows->members; m++) {
		uint8_t *target;

		if (rows->images[m] == DETECT_MISSING)
			continue;
		target = pile->bytes[rows->images[m]] + to;
		for (uint32_t s = 0; s < rows->members; s++) {
			const uint8_t *from = data + size * (uint32_t)(slots[s] - '0');

			if (slots[s] == 'P' || slots[s] == 'Q')
				continue;
			if (slots[m] == 'Q')
				add_times(target, from, size, power_of(slots, rows->members, s));
			else if (slots[m] == 'P' || m == s)
				add_times(target, from, size, 0);
		}
	}
}

void pile_place(struct pile_made *pile, const struct rows *rows, const uint8_t *volume,
		uint32_t volume_blocks)
{
	uint32_t data = 0, period = 0;

	for (uint32_t s = 0; s < rows->members; s++) {
		if (rows->slots[0][s] >= '0' && rows->slots[0][s] <= '9' &&
		    (uint32_t)(rows->slots[0][s] - '0') >= data)
			data = (uint32_t)(rows->slots[0][s] - '0') + 1;
	}
	while (rows->slots[period])
		period++;
	for (uint64_t row = 0; (row + 1) * data * rows->chunk <= volume_blocks &&
			       rows->start + (row + 1) * rows->chunk <= pile->blocks;
	     row++)
		place_row(pile, rows, rows->slots[row % period], row,
			  volume + row * data * rows->chunk * BLOCK_SIZE);
}

void pile_detect(struct detect_report *report_out, struct pile_made *pile)
{
	struct err err = { 0 };

	assert_int_equal(detect_run(report_out, pile->list, pile->count, &err), 0);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/dev/block_table.h"

#include "core/base/mem.h"

#include <string.h>

#define PLACES_MIN 64u

int block_table_init(struct block_table *table, uint64_t count_max)
{
	*table = (struct block_table){ .capacity = PLACES_MIN, .count_max = count_max };
	table->at = mem_calloc(PLACES_MIN, sizeof(*table->at));
	return table->at ? 0 : ERR_NOMEM;
}

void block_table_clear(struct block_table *table)
{
	for (uint64_t i = 0; table->at && i < table->capacity; i++) {
		mem_pages_free(table->at[i].bytes);
		table->at[i].bytes = NULL;
	}
	table->count = 0;
}

void block_table_reset(struct block_table *table)
{
	block_table_clear(table);
	mem_free(table->at);
	*table = (struct block_table){ 0 };
}

/* Where block `number` is, or the free place where it would be. */
static struct kept_block *place_of(const struct block_table *table, uint64_t number)
{
	uint64_t at = number * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (;; at++) {
		struct kept_block *place = &table->at[at & (table->capacity - 1)];

		if (!place->bytes || place->number == number)
			return place;
	}
}

const uint8_t *block_table_find(const struct block_table *table, uint64_t number)
{
	return table->count ? place_of(table, number)->bytes : NULL;
}

static bool grow(struct block_table *table)
{
	struct block_table larger = *table;

	if (table->count * 2 < table->capacity)
		return true;
	larger.capacity *= 2;
	larger.at = mem_calloc((size_t)larger.capacity, sizeof(*larger.at));
	if (!larger.at)
		return false;
	for (uint64_t i = 0; i < table->capacity; i++) {
		if (table->at[i].bytes)
			*place_of(&larger, table->at[i].number) = table->at[i];
	}
	mem_free(table->at);
	*table = larger;
	return true;
}

/* The bytes of block `number`, made if it is not kept yet; NULL without room or memory. */
static uint8_t *take(struct block_table *table, uint64_t number)
{
	struct kept_block *place = place_of(table, number);

	if (place->bytes)
		return place->bytes;
	if (table->count == table->count_max || !grow(table))
		return NULL;
	place = place_of(table, number);
	place->bytes = mem_pages(BLOCK_SIZE);
	if (!place->bytes)
		return NULL;
	place->number = number;
	table->count++;
	return place->bytes;
}

int block_table_keep(struct block_table *table, const struct io *io, uint64_t size)
{
	const struct iovec *iov = io->iov;
	size_t in_iov = 0;

	for (uint64_t done = 0; done < size; done += BLOCK_SIZE) {
		uint8_t *block = take(table, (io->offset + done) / BLOCK_SIZE);

		if (!block)
			return ERR_NOMEM;
		if (io->op == IO_ZERO) {
			memset(block, 0, BLOCK_SIZE);
			continue;
		}
		while (in_iov == iov->iov_len) {
			iov++;
			in_iov = 0;
		}
		memcpy(block, (const uint8_t *)iov->iov_base + in_iov, BLOCK_SIZE);
		in_iov += BLOCK_SIZE;
	}
	return 0;
}

void block_table_cover(const struct block_table *table, const struct io *io)
{
	uint64_t offset = io->offset;

	for (uint32_t i = 0; i < io->iov_count; i++) {
		uint8_t *bytes = io->iov[i].iov_base;

		for (size_t at = 0; at < io->iov[i].iov_len; at += BLOCK_SIZE) {
			const uint8_t *kept = block_table_find(table, offset / BLOCK_SIZE);

			if (kept)
				memcpy(bytes + at, kept, BLOCK_SIZE);
			offset += BLOCK_SIZE;
		}
	}
}

uint64_t block_table_count(const struct block_table *table, uint64_t offset, uint64_t size)
{
	uint64_t count = 0;

	for (uint64_t at = offset; table->count && at < offset + size; at += BLOCK_SIZE)
		count += block_table_find(table, at / BLOCK_SIZE) != NULL;
	return count;
}

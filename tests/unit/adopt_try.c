/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/adopt_try.h"

#include "core/base/crc.h"
#include "core/base/mem.h"
#include "formats/adopt_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAX (64u * BLOCK_SIZE) /* larger ones differ in nothing */
#define CRC_AT 508
#define MEMBER_SIZE_AT 96

static void must_at(bool holds, int line)
{
	if (holds)
		return;
	fprintf(stderr, "adopt_try: line %d does not hold\n", line);
	abort();
}
#define must(holds) must_at((holds), __LINE__)

static bool try_header(struct adopt_record *record, const uint8_t *data, size_t size)
{
	static uint8_t bytes[BLOCK_SIZE], again[BLOCK_SIZE];
	struct adopt_record same;
	struct err err = { 0 };
	uint64_t device_size;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	put_le32(bytes + CRC_AT, crc32_of(0, bytes, CRC_AT));
	device_size = get_le64(bytes + MEMBER_SIZE_AT);
	if (adopt_record_decode(record, bytes, device_size, &err)) {
		must(err.code && err.text[0]);
		return false;
	}
	adopt_record_encode(again, record);
	must(memcmp(bytes, again, sizeof(bytes)) == 0);
	must(adopt_record_decode(&same, again, device_size, &err) == 0);
	must(device_size == 0 ||
	     adopt_record_decode(&same, again, device_size - 1, &err) == ERR_TRUNCATED);
	/* What decodes stays within itself, whoever does arithmetic with it. */
	must(adopt_copy_offset(record, record->block_count - 1) + BLOCK_SIZE <=
	     ADOPT_RECORD_BEGIN + record->size);
	must(record->written_end <= record->data_begin);
	again[CRC_AT] ^= 1;
	must(adopt_record_decode(&same, again, device_size, &err) == ERR_CHECKSUM);
	return true;
}

static bool try_table(struct adopt_record *record, const uint8_t *data, size_t size)
{
	size_t table_size = (size_t)adopt_table_size(record->block_count);
	struct adopt_block *blocks = mem_calloc(record->block_count, sizeof(*blocks));
	uint8_t *table = mem_calloc(2, table_size), *again;
	struct err err = { 0 };
	bool decodes;

	must(blocks && table);
	again = table + table_size;
	memcpy(table, data, size < table_size ? size : table_size);
	record->table_crc = crc32_of(0, table, table_size);
	decodes = adopt_table_decode(blocks, table, record, &err) == 0;
	must(decodes || (err.code && err.text[0]));
	if (decodes) {
		for (uint32_t i = 0; i < record->block_count; i++)
			must(adopt_record_covers(record, blocks[i].offset) &&
			     blocks[i].offset < record->data_begin);
		adopt_table_encode(again, record, blocks);
		must(memcmp(table, again, table_size) == 0);
	}
	mem_free(table);
	mem_free(blocks);
	return decodes;
}

bool adopt_try(const uint8_t *data, size_t size)
{
	struct adopt_record record;

	if (!try_header(&record, data, size) || size <= BLOCK_SIZE ||
	    adopt_table_size(record.block_count) > TABLE_MAX)
		return false;
	return try_table(&record, data + BLOCK_SIZE, size - BLOCK_SIZE);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Map records: aim is that a chain of a full record and deltas gives the map again, byte for byte, and that
 * bytes which are no such chain cost nothing but an error.
 * Method: random edits, written as deltas, against the edited map itself; every truncation and every
 * byte of a chain changed, with the checksum as it was and put right again.
 */
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/map/check.h"
#include "core/store/map_record.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/map_help.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Byte offsets in a record header; docs/FORMAT.md section 3. */
enum { KIND = 8, ITEMS = 12, SIZE = 16, PAYLOAD = 24, GENERATION = 32, CRC_BEFORE = 56, CRC = 60 };

/* A half of the map region as it is written commit by commit. */
struct chain {
	struct buffer bytes;
	uint64_t generation;
	uint32_t crc;
};

static void chain_begin(struct chain *chain, struct map *map)
{
	struct map_record_place place = { .generation = ++chain->generation };

	buffer_reset(&chain->bytes);
	assert_int_equal(map_record_encode_full(&chain->bytes, map, &place, &chain->crc), 0);
	map_edits_clear(map);
}

static void chain_add(struct chain *chain, struct map *map)
{
	struct map_record_place place = { ++chain->generation, chain->crc };

	assert_int_equal(map_record_encode_delta(&chain->bytes, map, &place, &chain->crc), 0);
	map_edits_clear(map);
}

static int chain_decode(const struct chain *chain, const struct uuid *array, struct map **map_out,
			struct err *err)
{
	return map_record_decode(map_out, chain->bytes.bytes, chain->bytes.size, array,
				 chain->generation, chain->crc, err);
}

static void chain_gives(const struct chain *chain, const struct map *map)
{
	struct map *read = NULL;
	struct err err = { 0 };

	if (chain_decode(chain, &map->uuid, &read, &err))
		fail_msg("%s", err.text);
	assert_int_equal(read->generation, chain->generation);
	assert_int_equal(map_edit_count(read), 0);
	assert_maps_equal(read, map);
	map_free(read);
}

static void full_and_deltas_give_the_map_again(void **state)
{
	struct rng rng = rng_seeded(test_seed(21));

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct map *map = round % 2 ? map_sample() : map_empty();
		struct chain chain = { 0 };

		chain_begin(&chain, map);
		for (int commit = 0; commit < 40; commit++) {
			for (uint64_t edits = rng_below(&rng, 6); edits > 0; edits--)
				map_edit_randomly(map, &rng);
			if (rng_below(&rng, 12) == 0)
				chain_begin(&chain, map);
			else
				chain_add(&chain, map);
			chain_gives(&chain, map);
		}
		buffer_reset(&chain.bytes);
		map_free(map);
	}
}

/* The same edits twice over, as a commit that is tried again writes them, change nothing more. */
static void deltas_may_be_repeated(void **state)
{
	struct rng rng = rng_seeded(test_seed(22));
	struct map *map = map_sample();
	struct chain chain = { 0 };

	(void)state;
	chain_begin(&chain, map);
	for (int round = 0; round < 30; round++) {
		struct map_record_place place = { ++chain.generation, chain.crc };

		for (int i = 0; i < 5; i++)
			map_edit_randomly(map, &rng);
		assert_int_equal(map_record_encode_delta(&chain.bytes, map, &place, &chain.crc), 0);
		chain_add(&chain, map);
		chain_gives(&chain, map);
	}
	buffer_reset(&chain.bytes);
	map_free(map);
}

static struct chain sample_chain(struct map *map)
{
	struct rng rng = rng_seeded(7);
	struct chain chain = { 0 };

	chain_begin(&chain, map);
	for (int i = 0; i < 3; i++) {
		map_edit_randomly(map, &rng);
		chain_add(&chain, map);
	}
	return chain;
}

static void every_truncation_is_refused(void **state)
{
	struct map *map = map_sample(), *read = NULL;
	struct chain chain = sample_chain(map);

	(void)state;
	for (uint64_t size = 0; size < chain.bytes.size; size += size % BLOCK_SIZE < 200 ? 1 : 61) {
		struct err err = { 0 };
		/* A copy of that size, so that the sanitizer sees a read behind it. */
		uint8_t *bytes = mem_calloc(size, 1);

		memcpy(bytes, chain.bytes.bytes, size);
		assert_int_not_equal(map_record_decode(&read, bytes, size, &map->uuid,
						       chain.generation, chain.crc, &err),
				     0);
		mem_free(bytes);
	}
	assert_null(read);
	buffer_reset(&chain.bytes);
	map_free(map);
}

static void every_changed_byte_is_refused(void **state)
{
	struct map *map = map_sample(), *read = NULL;
	struct chain chain = sample_chain(map);

	(void)state;
	for (size_t at = 0; at < chain.bytes.size; at++) {
		struct err err = { 0 };

		chain.bytes.bytes[at] ^= (uint8_t)(1u << at % 8);
		assert_int_not_equal(chain_decode(&chain, &map->uuid, &read, &err), 0);
		assert_null(read);
		chain.bytes.bytes[at] ^= (uint8_t)(1u << at % 8);
	}
	chain_gives(&chain, map);
	buffer_reset(&chain.bytes);
	map_free(map);
}

/* The checksum of the one record in `bytes` put right. */
static uint32_t fix_crc(struct buffer *bytes)
{
	put_le32(bytes->bytes + CRC, 0);
	uint32_t crc = crc32_of(0, bytes->bytes, bytes->size);
	put_le32(bytes->bytes + CRC, crc);
	return crc;
}

/* Whatever decodes and keeps the rules can be written and read again. */
static void judge_hostile(const struct chain *chain, const struct uuid *array)
{
	struct map *map = NULL;
	struct err err = { 0 };

	if (chain_decode(chain, array, &map, &err)) {
		assert_null(map);
		assert_true(err.text[0]);
		return;
	}
	map->geometry = (struct geometry){ .frame_body_blocks = SAMPLE_BODY, .witness_max = 16 };
	map->geometry.frame_blocks = geometry_frame_blocks(SAMPLE_BODY, 16);
	if (map_check(map, &err) == 0) {
		struct chain again = { 0 };

		chain_begin(&again, map);
		chain_gives(&again, map);
		buffer_reset(&again.bytes);
	}
	map_free(map);
}

static void hostile_bytes_with_good_checksums_do_no_harm(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct map *map = map_sample();
	struct chain chain = { 0 };

	(void)state;
	chain_begin(&chain, map);
	size_t end = MAP_RECORD_HEADER + get_le64(chain.bytes.bytes + PAYLOAD);
	for (size_t at = 0; at < end + 8; at++) {
		uint8_t before = chain.bytes.bytes[at];

		for (size_t v = 0; v < sizeof(values); v++) {
			chain.bytes.bytes[at] = values[v];
			chain.crc = fix_crc(&chain.bytes);
			judge_hostile(&chain, &map->uuid);
		}
		chain.bytes.bytes[at] = before;
	}
	chain.crc = fix_crc(&chain.bytes);
	chain_gives(&chain, map);
	buffer_reset(&chain.bytes);
	map_free(map);
}

static bool count_allocations(void *arg)
{
	uint64_t *count = arg;

	(*count)++;
	return false;
}

/* Every count of 32 bits set to the greatest: what is asked for stays below what the record could hold. */
static void hostile_counts_cost_no_more_than_the_record(void **state)
{
	struct map *map = map_sample();
	struct chain chain = { 0 };

	(void)state;
	chain_begin(&chain, map);
	size_t end = MAP_RECORD_HEADER + get_le64(chain.bytes.bytes + PAYLOAD);
	for (size_t at = KIND; at + 4 <= end; at++) {
		uint8_t before[4];
		uint64_t allocations = 0;

		memcpy(before, chain.bytes.bytes + at, 4);
		put_le32(chain.bytes.bytes + at, UINT32_MAX);
		chain.crc = fix_crc(&chain.bytes);
		mem_set_hook(count_allocations, &allocations);
		judge_hostile(&chain, &map->uuid);
		mem_set_hook(NULL, NULL);
		assert_in_range(allocations, 0, 200);
		memcpy(chain.bytes.bytes + at, before, 4);
	}
	buffer_reset(&chain.bytes);
	map_free(map);
}

/* Records that do not follow each other: the checksums are good, the chain is not. */
static void records_must_follow_each_other(void **state)
{
	struct map *map = map_sample(), *read = NULL;
	struct chain chain = { .generation = 10 };
	struct buffer delta = { 0 };
	uint32_t crc;

	(void)state;
	chain_begin(&chain, map);
	const struct {
		struct map_record_place place;
		int expected;
	} cases[] = {
		{ { chain.generation + 1, chain.crc }, 0 },
		{ { chain.generation + 9, chain.crc }, 0 },
		{ { chain.generation, chain.crc }, ERR_FORMAT },
		{ { chain.generation - 1, chain.crc }, ERR_FORMAT },
		{ { chain.generation + 1, chain.crc + 1 }, ERR_FORMAT },
		{ { chain.generation + 1, 0 }, ERR_FORMAT },
	};
	size_t full_size = chain.bytes.size;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = { 0 };

		chain.bytes.size = full_size;
		assert_int_equal(map_record_encode_delta(&chain.bytes, map, &cases[i].place, &crc),
				 0);
		int rc = map_record_decode(&read, chain.bytes.bytes, chain.bytes.size, &map->uuid,
					   cases[i].place.generation, crc, &err);
		assert_int_equal(rc, cases[i].expected);
		if (rc == 0)
			map_free(read);
		read = NULL;
	}

	/* a delta alone, and two full ones */
	struct err err = { 0 };
	assert_int_equal(map_record_encode_delta(&delta, map, &cases[0].place, &crc), 0);
	assert_int_equal(map_record_decode(&read, delta.bytes, delta.size, &map->uuid,
					   chain.generation + 1, crc, &err),
			 ERR_FORMAT);
	chain.bytes.size = full_size;
	struct map_record_place full = { .generation = chain.generation + 1 };
	assert_int_equal(map_record_encode_full(&chain.bytes, map, &full, &crc), 0);
	assert_int_equal(map_record_decode(&read, chain.bytes.bytes, chain.bytes.size, &map->uuid,
					   chain.generation + 1, crc, &err),
			 ERR_FORMAT);
	buffer_reset(&delta);
	buffer_reset(&chain.bytes);
	map_free(map);
}

/* Of another array, of another generation, or with another checksum than the superblock says. */
static void map_must_be_the_one_that_was_asked_for(void **state)
{
	struct map *map = map_sample(), *read = NULL;
	struct chain chain = sample_chain(map);
	struct uuid other = map->uuid;
	struct err err = { 0 };

	(void)state;
	other.bytes[3] ^= 1;
	assert_int_equal(chain_decode(&chain, &other, &read, &err), ERR_FORMAT);
	assert_int_equal(map_record_decode(&read, chain.bytes.bytes, chain.bytes.size, &map->uuid,
					   chain.generation + 1, chain.crc, &err),
			 ERR_FORMAT);
	assert_int_equal(map_record_decode(&read, chain.bytes.bytes, chain.bytes.size, &map->uuid,
					   chain.generation, chain.crc ^ 1, &err),
			 ERR_FORMAT);
	put_le32(chain.bytes.bytes + 4, 2); /* version, of the first record */
	uint64_t size = get_le64(chain.bytes.bytes + SIZE);
	chain.bytes.size = size;
	chain.crc = fix_crc(&chain.bytes);
	assert_int_equal(
		map_record_decode(&read, chain.bytes.bytes, size, &map->uuid, 1, chain.crc, &err),
		ERR_VERSION);
	assert_null(read);
	buffer_reset(&chain.bytes);
	map_free(map);
}

static void memory_may_run_out_while_reading_and_writing(void **state)
{
	struct map *map = map_sample();
	struct chain chain = sample_chain(map);
	int rc = ERR_NOMEM;

	(void)state;
	for (unsigned n = 0; rc; n++) {
		struct map *read = NULL;
		struct err err = { 0 };
		unsigned left = n;

		mem_set_hook(deny_nth, &left);
		rc = chain_decode(&chain, &map->uuid, &read, &err);
		mem_set_hook(NULL, NULL);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		map_free(read);
	}
	rc = ERR_NOMEM;
	for (unsigned n = 0; rc; n++) {
		const struct map_record_place place = { .generation = 1 };
		struct buffer out = { 0 };
		unsigned left = n;
		uint32_t crc;

		mem_set_hook(deny_nth, &left);
		rc = map_record_encode_full(&out, map, &place, &crc);
		mem_set_hook(NULL, NULL);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		buffer_reset(&out);
	}
	buffer_reset(&chain.bytes);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_and_deltas_give_the_map_again),
		cmocka_unit_test(deltas_may_be_repeated),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_changed_byte_is_refused),
		cmocka_unit_test(hostile_bytes_with_good_checksums_do_no_harm),
		cmocka_unit_test(hostile_counts_cost_no_more_than_the_record),
		cmocka_unit_test(records_must_follow_each_other),
		cmocka_unit_test(map_must_be_the_one_that_was_asked_for),
		cmocka_unit_test(memory_may_run_out_while_reading_and_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

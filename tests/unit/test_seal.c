/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Seals: aim is that every block of a body has one entry, that the entries say again what was put into them,
 * that a page which is not exactly that page of that extent is known as bad, and that headers do the same.
 * Method: all shapes of FORMAT.md section 6; every bit of a page flipped; the checksums against zlib's,
 * written out as the format says.
 */
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/store/seal.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static const struct group_recipe shapes[] = {
	{ LAYOUT_PLAIN, 1, 0, 0, 64, 0, { 0 }, { 0 } },
	{ LAYOUT_PLAIN, 1, 0, 0, 509, 3, { 0 }, { 0 } },
	{ LAYOUT_MIRROR, 3, 2, 0, 508, 3, { 0, 1, 2 }, { 0 } },
	{ LAYOUT_PARITY, 3, 1, 0, 1, 0, { 0, 1, 2 }, { 0 } },
	{ LAYOUT_PARITY, 5, 2, 0, 1024, 4, { 0, 1, 2, 3, 4 }, { 0 } },
	{ LAYOUT_PARITY, 18, 2, 0, 640, 4, { 0 }, { 0 } },
	{ LAYOUT_SEQUENTIAL, 4, 2, 3, 800, 4, { 0, 1, 2, 3 }, { 0 } },
	{ LAYOUT_SEQUENTIAL, 16, 1, 0, 160, 2, { 0 }, { 0 } },
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* n and w of the format's table. */
static struct seal_shape table_says(const struct group_recipe *recipe, uint32_t column)
{
	uint32_t data_columns = recipe->columns - recipe->checks;

	if (recipe->layout == LAYOUT_PARITY && column >= data_columns)
		return (struct seal_shape){ 0, recipe->body_blocks, data_columns };
	if (recipe->layout == LAYOUT_SEQUENTIAL) {
		uint32_t tails = recipe->body_blocks / recipe->columns;

		return (struct seal_shape){ recipe->body_blocks - tails, tails, recipe->columns };
	}
	return (struct seal_shape){ recipe->body_blocks, 0, 0 };
}

static void shapes_are_those_of_the_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		struct map *map = map_empty();
		struct group *group = map_add_group(map, &shapes[i]);

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			struct seal_shape is = seal_shape_of(group, c);
			struct seal_shape wanted = table_says(&shapes[i], c);

			assert_memory_equal(&is, &wanted, sizeof(is));
		}
		map_free(map);
	}
}

static void every_block_stands_in_one_page(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		struct map *map = map_empty();
		struct group *group = map_add_group(map, &shapes[i]);

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			struct seal_shape shape = seal_shape_of(group, c);
			uint32_t next = 0, first, count;

			for (uint32_t page = 0; page < seal_entry_pages(&shape); page++) {
				seal_page_blocks(&shape, page, &first, &count);
				assert_int_equal(first, next);
				assert_true(count > 0);
				for (uint32_t b = first; b < first + count; b++)
					assert_int_equal(seal_page_of(&shape, b), page);
				uint32_t entry = first < shape.plain_blocks
							 ? 8
							 : 8 + 2 * shape.witness_count;
				assert_true(count * entry <= 4064);
				next += count;
			}
			assert_int_equal(next, group_body_blocks(group));
		}
		map_free(map);
	}
}

/* Header and entries of the widest group fit behind the body, for all frames and classes (section 4). */
static void seals_fit_behind_the_body(void **state)
{
	struct rng rng = rng_seeded(test_seed(31));

	(void)state;
	for (int round = 0; round < 4000; round++) {
		uint32_t body = 1 + (uint32_t)rng_below(&rng, 1200);
		uint32_t witnesses = 1 + (uint32_t)rng_below(&rng, CODE_COLUMNS_MAX);
		uint32_t size_class = (uint32_t)rng_below(&rng, 5);
		uint32_t room = (geometry_frame_blocks(body, witnesses) - body) << size_class;
		uint32_t blocks = body << size_class;
		uint32_t tails = (uint32_t)rng_below(&rng, blocks + 1);
		const struct seal_shape shape = { blocks - tails, tails, tails ? witnesses : 0 };

		assert_true(1 + seal_entry_pages(&shape) <= room);
	}
}

static void fill(struct seal *seal, struct rng *rng)
{
	uint32_t blocks = seal->shape.plain_blocks + seal->shape.witness_blocks;

	for (uint32_t b = 0; b < blocks; b++) {
		seal->entries[b].crc = (uint32_t)rng_next(rng);
		seal->entries[b].generation = (uint32_t)rng_next(rng);
		for (uint32_t w = 0; b >= seal->shape.plain_blocks && w < seal->shape.witness_count;
		     w++)
			seal_witnesses(seal, b)[w] = (uint16_t)rng_next(rng);
	}
}

static void assert_seals_equal(const struct seal *a, const struct seal *b)
{
	uint32_t blocks = a->shape.plain_blocks + a->shape.witness_blocks;
	size_t witnesses = (size_t)a->shape.witness_blocks * a->shape.witness_count;

	assert_memory_equal(a->entries, b->entries, blocks * sizeof(*a->entries));
	assert_memory_equal(a->witnesses, b->witnesses, witnesses * sizeof(*a->witnesses));
}

static void entries_say_again_what_was_put_into_them(void **state)
{
	struct rng rng = rng_seeded(test_seed(32));
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		struct map *map = map_empty();
		struct group *group = map_add_group(map, &shapes[i]);

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			struct seal seal, read;

			assert_int_equal(seal_init(&seal, &map->uuid, group, c), 0);
			assert_int_equal(seal_init(&read, &map->uuid, group, c), 0);
			fill(&seal, &rng);
			for (uint32_t page = 0; page < seal_entry_pages(&seal.shape); page++) {
				seal_encode_page(&seal, page, bytes);
				read.page_good[page] = false;
				seal_decode_page(&read, page, bytes);
				assert_true(read.page_good[page]);
			}
			assert_seals_equal(&seal, &read);
			assert_true(seal_knows(&read, group_body_blocks(group) - 1));
			seal_reset(&seal);
			seal_reset(&read);
		}
		map_free(map);
	}
}

/* The witness page of a check extent: all bits, also those of the padding. */
static void every_flipped_bit_makes_the_page_bad(void **state)
{
	struct rng rng = rng_seeded(test_seed(33));
	struct map *map = map_empty();
	struct group *group = map_add_group(map, &shapes[4]);
	struct seal seal, read;
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	assert_int_equal(seal_init(&seal, &map->uuid, group, 3), 0);
	assert_int_equal(seal_init(&read, &map->uuid, group, 3), 0);
	fill(&seal, &rng);
	seal_encode_page(&seal, 1, bytes);
	for (uint32_t bit = 0; bit < BLOCK_SIZE * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		seal_decode_page(&read, 1, bytes);
		assert_false(read.page_good[1]);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	seal_decode_page(&read, 1, bytes);
	assert_true(read.page_good[1]);
	seal_reset(&seal);
	seal_reset(&read);
	map_free(map);
}

/* Checksum over the page with its field zero, beginning with the array's uuid. */
static void fix_crc(uint8_t *bytes, const struct uuid *array)
{
	put_le32(bytes + 4, 0);
	put_le32(bytes + 4, crc32_of(crc32_of(0, array->bytes, 16), bytes, BLOCK_SIZE));
}

/* Fields that say something else than the page's place, with a good checksum. */
static void pages_that_say_another_place_are_bad(void **state)
{
	static const uint32_t fields[] = { 0, 8, 16, 20, 24, 26, 28 };
	struct map *map = map_empty();
	struct group *group = map_add_group(map, &shapes[4]);
	struct seal seal;
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	assert_int_equal(seal_init(&seal, &map->uuid, group, 3), 0);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		seal_encode_page(&seal, 1, bytes);
		fix_crc(bytes, &map->uuid);
		seal_decode_page(&seal, 1, bytes);
		assert_true(seal.page_good[1]);
		bytes[fields[i]]++;
		fix_crc(bytes, &map->uuid);
		seal_decode_page(&seal, 1, bytes);
		assert_false(seal.page_good[1]);
	}
	seal_reset(&seal);
	map_free(map);
}

/* A good page in the wrong place: another page, extent, column or array. */
static void misplaced_pages_are_bad(void **state)
{
	struct map *map = map_empty();
	struct group *group = map_add_group(map, &shapes[4]);
	struct uuid other = map->uuid;
	struct seal seal, read;
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	other.bytes[0] ^= 1;
	assert_int_equal(seal_init(&seal, &map->uuid, group, 0), 0);
	seal_encode_page(&seal, 0, bytes);
	seal_decode_page(&seal, 1, bytes);
	assert_false(seal.page_good[1]);
	assert_true(seal.page_good[0]);

	assert_int_equal(seal_init(&read, &map->uuid, group, 1), 0);
	seal_decode_page(&read, 0, bytes);
	assert_false(read.page_good[0]);
	assert_false(seal_knows(&read, 0));
	seal_reset(&read);

	assert_int_equal(seal_init(&read, &other, group, 0), 0);
	seal_decode_page(&read, 0, bytes);
	assert_false(read.page_good[0]);
	seal_reset(&read);

	group->extents[3].id =
		group->extents[0].id; /* a check extent of that id has other entries */
	assert_int_equal(seal_init(&read, &map->uuid, group, 3), 0);
	seal_decode_page(&read, 0, bytes);
	assert_false(read.page_good[0]);
	seal_reset(&read);
	seal_reset(&seal);
	map_free(map);
}

/* FORMAT.md: crc(crc(0, array uuid | extent id | number of the block), the block), by zlib. */
static void checksums_begin_with_the_identity(void **state)
{
	static const struct uuid array = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
					     16 } };
	struct rng rng = rng_seeded(test_seed(34));
	uint8_t block[BLOCK_SIZE], identity[28];

	(void)state;
	for (int round = 0; round < 100; round++) {
		uint64_t extent = rng_next(&rng);
		uint32_t number = (uint32_t)rng_next(&rng);

		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)rng_next(&rng);
		memcpy(identity, array.bytes, 16);
		put_le64(identity + 16, extent);
		put_le32(identity + 24, number);
		uLong crc = crc32(0, identity, sizeof(identity));
		crc = crc32(crc, block, sizeof(block));
		assert_int_equal(crc32_of(seal_block_seed(seal_extent_seed(&array, extent), number),
					  block, sizeof(block)),
				 crc);
	}
}

/* ---- headers */

static struct seal_header header_of(const struct map *map, uint64_t group_id, uint32_t column)
{
	const struct group *group = map_group(map, group_id);
	const struct volume *volume = map_volume(map, group_id); /* the sample numbers them alike */
	struct seal_header header;

	seal_header_fill(&header, map, group, column, volume, &volume->spans[0],
			 column < volume->spans[0].extent_count ? column : 0);
	return header;
}

static void assert_headers_equal(const struct seal_header *a, const struct seal_header *b)
{
	assert_int_equal(a->extent, b->extent);
	assert_int_equal(a->header_generation, b->header_generation);
	assert_int_equal(a->group, b->group);
	assert_int_equal(a->group_generation, b->group_generation);
	assert_memory_equal(&a->member, &b->member, sizeof(a->member));
	assert_int_equal(a->frame, b->frame);
	assert_int_equal(a->size_class, b->size_class);
	assert_int_equal(a->body_blocks, b->body_blocks);
	assert_int_equal(a->segment_blocks, b->segment_blocks);
	assert_int_equal(a->column, b->column);
	assert_true(code_shape_equal(&a->shape, &b->shape));
	assert_memory_equal(a->extents, b->extents, sizeof(a->extents));
	assert_int_equal(a->volume, b->volume);
	assert_int_equal(a->span_offset, b->span_offset);
	assert_int_equal(a->span_length, b->span_length);
	assert_int_equal(a->unit_blocks, b->unit_blocks);
	assert_int_equal(a->position, b->position);
	assert_int_equal(a->span_extents, b->span_extents);
	assert_string_equal(a->name, b->name);
}

static void headers_say_what_the_map_says(void **state)
{
	struct map *map = map_sample();
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	for (uint64_t id = 1; id <= 4; id++) {
		const struct group *group = map_group(map, id);

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			const struct extent *extent = &group->extents[c];
			struct seal_header header = header_of(map, id, c), read;

			assert_int_equal(header.extent, extent->id);
			assert_int_equal(header.frame, extent->frame);
			assert_memory_equal(&header.member, &map_member(map, extent->slot)->uuid,
					    16);
			assert_int_equal(header.volume, id);
			assert_int_equal(header.span_length, map_volume(map, id)->length);
			seal_header_encode(bytes, &header, &map->uuid);
			assert_int_equal(seal_header_decode(&read, bytes, &map->uuid), 0);
			assert_headers_equal(&header, &read);
			seal_header_fill(&header, map, group, c, NULL, NULL, 0);
			assert_int_equal(header.volume, 0);
			assert_int_equal(header.span_extents, 0);
			assert_int_equal(header.name[0], '\0');
		}
	}
	map_free(map);
}

static void every_flipped_bit_of_a_header_is_refused(void **state)
{
	struct map *map = map_sample();
	struct seal_header header = header_of(map, 3, 1), read;
	struct uuid other = map->uuid;
	uint8_t bytes[BLOCK_SIZE];

	(void)state;
	seal_header_encode(bytes, &header, &map->uuid);
	for (uint32_t bit = 0; bit < BLOCK_SIZE * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(seal_header_decode(&read, bytes, &map->uuid),
				 bit < 32 ? ERR_FORMAT : ERR_CHECKSUM);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	other.bytes[7] ^= 1;
	assert_int_equal(seal_header_decode(&read, bytes, &other), ERR_CHECKSUM);
	map_free(map);
}

/* Any byte at any value with a good checksum: refused, or a header that encodes again within its limits. */
static void hostile_headers_with_good_checksums_stay_in_bounds(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x20, 0x21, 0x7f, 0x80, 0xff };
	struct map *map = map_sample();
	struct seal_header header = header_of(map, 3, 1);
	uint8_t bytes[BLOCK_SIZE], again[BLOCK_SIZE];
	uint32_t taken = 0;

	(void)state;
	seal_header_encode(bytes, &header, &map->uuid);
	for (size_t at = 8; at < 700; at++) {
		uint8_t before = bytes[at];

		for (size_t v = 0; v < sizeof(values); v++) {
			struct seal_header read;

			bytes[at] = values[v];
			fix_crc(bytes, &map->uuid);
			if (seal_header_decode(&read, bytes, &map->uuid))
				continue;
			assert_in_range(read.shape.columns, 1, CODE_COLUMNS_MAX);
			assert_true(read.column < read.shape.columns);
			assert_true(read.size_class <= SIZE_CLASS_MAX);
			assert_true(read.span_extents <= CODE_COLUMNS_MAX);
			assert_true(strlen(read.name) < NAME_SIZE);
			seal_header_encode(again, &read, &map->uuid);
			taken++;
		}
		bytes[at] = before;
	}
	assert_true(taken > 100);
	fix_crc(bytes, &map->uuid);
	seal_header_encode(again, &header, &map->uuid);
	assert_memory_equal(bytes, again, BLOCK_SIZE);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_are_those_of_the_format),
		cmocka_unit_test(every_block_stands_in_one_page),
		cmocka_unit_test(seals_fit_behind_the_body),
		cmocka_unit_test(entries_say_again_what_was_put_into_them),
		cmocka_unit_test(every_flipped_bit_makes_the_page_bad),
		cmocka_unit_test(pages_that_say_another_place_are_bad),
		cmocka_unit_test(misplaced_pages_are_bad),
		cmocka_unit_test(checksums_begin_with_the_identity),
		cmocka_unit_test(headers_say_what_the_map_says),
		cmocka_unit_test(every_flipped_bit_of_a_header_is_refused),
		cmocka_unit_test(hostile_headers_with_good_checksums_stay_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

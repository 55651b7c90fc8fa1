/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Log records: aim is that a record says again what was put into it, that nothing else is taken for one, and
 * that torn, foreign and absent ones can be told apart.
 * Method: random records; every bit of one flipped; fields set to values that cannot be, under right
 * checksums; random changes under right checksums, where what decodes has to encode to the same bytes.
 */
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/store/log_record.h"
#include "tests/unit/dev_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#define ROWS_MAX 6u
#define PAGES_MAX 4u
#define CONTENT_BLOCKS 64u
#define SLOT_SIZE (UINT64_C(4) << 20)

static const struct uuid array = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };

/* A record with the memory that it borrows. */
struct sample {
	struct log_record record;
	struct log_rows rows[ROWS_MAX];
	struct log_cell cells[ROWS_MAX][CONTENT_BLOCKS];
	struct log_page pages[PAGES_MAX];
	uint8_t *content;
};

static void sample_rows(struct sample *sample, uint32_t i, struct rng *rng)
{
	uint32_t columns = (uint32_t)rng_below(rng, 4) + 1;
	struct log_rows *rows = &sample->rows[i];

	*rows = (struct log_rows){
		.volume = rng_below(rng, 5),
		.group = rng_below(rng, 1000) + 1,
		.segment = (uint32_t)rng_below(rng, 128),
		.first = (uint32_t)rng_next(rng) / 2,
		.count = (uint32_t)rng_below(rng, 8) + 1,
		.columns = (UINT32_C(1) << columns) - 1,
		.cell_count = columns + (uint32_t)rng_below(rng, 4),
		.generation_limit = (uint32_t)rng_below(rng, 1000) + 1,
		.cells = sample->cells[i],
		.content = rng_below(rng, 2) ? sample->content + BLOCK_SIZE * i : NULL,
	};
	for (uint32_t c = 0; c < rows->count * rows->cell_count; c++)
		rows->cells[c] = (struct log_cell){
			(uint32_t)rng_next(rng),
			(uint32_t)rng_below(rng, rows->generation_limit),
		};
}

static void sample_make(struct sample *sample, struct rng *rng)
{
	*sample = (struct sample){ .content = mem_pages((CONTENT_BLOCKS + ROWS_MAX) * BLOCK_SIZE) };
	assert_non_null(sample->content);
	for (size_t i = 0; i < (size_t)(CONTENT_BLOCKS + ROWS_MAX) * BLOCK_SIZE; i += 8)
		put_le64(sample->content + i, rng_next(rng));
	sample->record = (struct log_record){
		.array = array,
		.epoch = rng_below(rng, 100),
		.generation = rng_below(rng, LOG_GENERATION_MAX) + 1,
		.in_service = { rng_next(rng) | 7 },
		.copies = 3,
		.copies_usual = 2,
		.first_place = (uint32_t)rng_below(rng, 3),
		.written_s = rng_next(rng),
		.rows_count = (uint32_t)rng_below(rng, ROWS_MAX + 1),
		.pages_count = (uint32_t)rng_below(rng, PAGES_MAX + 1),
		.rows = sample->rows,
		.pages = sample->pages,
	};
	for (uint32_t i = 0; i < sample->record.rows_count; i++)
		sample_rows(sample, i, rng);
	for (uint32_t i = 0; i < sample->record.pages_count; i++)
		sample->pages[i] =
			(struct log_page){ rng_below(rng, 1000) + 1, (uint32_t)rng_next(rng),
					   sample->content + BLOCK_SIZE * i };
}

static void sample_free(struct sample *sample)
{
	mem_pages_free(sample->content);
}

/* Encoded into memory that held something else, so that bytes left out would show. */
static uint8_t *encoded(const struct log_record *record, uint64_t *size_out, uint8_t filler)
{
	uint64_t size = log_record_size(record);
	uint8_t *bytes = mem_pages(size);

	assert_non_null(bytes);
	memset(bytes, filler, size);
	log_record_encode(bytes, record);
	*size_out = size;
	return bytes;
}

static void same_rows(const struct log_rows *a, const struct log_rows *b)
{
	size_t cells = (size_t)a->count * a->cell_count;

	assert_int_equal(a->volume, b->volume);
	assert_int_equal(a->group, b->group);
	assert_int_equal(a->segment, b->segment);
	assert_int_equal(a->first, b->first);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->columns, b->columns);
	assert_int_equal(a->cell_count, b->cell_count);
	assert_int_equal(a->generation_limit, b->generation_limit);
	assert_memory_equal(a->cells, b->cells, cells * sizeof(*a->cells));
	assert_int_equal(a->content == NULL, b->content == NULL);
	if (a->content)
		assert_memory_equal(a->content, b->content, cells * BLOCK_SIZE);
}

static void same_record(const struct log_record *a, const struct log_record *b)
{
	assert_true(uuid_equal(&a->array, &b->array));
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->in_service.bits, b->in_service.bits);
	assert_int_equal(a->copies, b->copies);
	assert_int_equal(a->copies_usual, b->copies_usual);
	assert_int_equal(a->first_place, b->first_place);
	assert_int_equal(a->written_s, b->written_s);
	assert_int_equal(a->rows_count, b->rows_count);
	assert_int_equal(a->pages_count, b->pages_count);
	for (uint32_t i = 0; i < a->rows_count; i++)
		same_rows(&a->rows[i], &b->rows[i]);
	for (uint32_t i = 0; i < a->pages_count; i++) {
		assert_int_equal(a->pages[i].extent, b->pages[i].extent);
		assert_int_equal(a->pages[i].page, b->pages[i].page);
		assert_memory_equal(a->pages[i].content, b->pages[i].content, BLOCK_SIZE);
	}
}

static void a_record_says_again_what_was_put_into_it(void **state)
{
	struct rng rng = rng_seeded(1);

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct log_record back, header;
		struct sample sample;
		uint64_t size, again, bound = LOG_HEADER_SIZE + BLOCK_SIZE;

		sample_make(&sample, &rng);
		uint8_t *bytes = encoded(&sample.record, &size, 0);
		uint8_t *other = encoded(&sample.record, &again, 0xff);

		assert_int_equal(size % BLOCK_SIZE, 0);
		assert_int_equal(size, again);
		assert_memory_equal(bytes, other, size);
		assert_int_equal(log_record_peek(&header, &again, bytes, &array, size), 0);
		assert_int_equal(again, size);
		assert_int_equal(header.generation, sample.record.generation);
		assert_int_equal(log_record_decode(&back, bytes, size + 5 * BLOCK_SIZE, &array), 0);
		same_record(&sample.record, &back);

		for (uint32_t r = 0; r < sample.record.rows_count; r++)
			bound += log_rows_size(&sample.rows[r]);
		assert_true(size < bound + sample.record.pages_count * LOG_PAGE_SIZE);
		log_record_reset(&back);
		mem_pages_free(bytes);
		mem_pages_free(other);
		sample_free(&sample);
	}
}

/* One entry of each kind, with content. */
static uint8_t *small_record(struct sample *sample, uint64_t *size_out)
{
	struct rng rng = rng_seeded(2);

	sample_make(sample, &rng);
	sample->record.generation = 5;
	sample->record.in_service.bits = 0xb;
	sample->record.rows_count = 1;
	sample->record.pages_count = 1;
	sample->rows[0] = (struct log_rows){
		.volume = 1,
		.group = 2,
		.segment = 3,
		.first = 4,
		.count = 1,
		.columns = 2,
		.cell_count = 2,
		.generation_limit = 10,
		.cells = sample->cells[0],
		.content = sample->content,
	};
	sample->cells[0][0] = (struct log_cell){ 0x11223344, 9 };
	sample->cells[0][1] = (struct log_cell){ 0x55667788, 9 };
	sample->pages[0] = (struct log_page){ 7, 8, sample->content + 2 * BLOCK_SIZE };
	return encoded(&sample->record, size_out, 0);
}

/* Aim: no bit can change unseen; and what is wrong behind the header leaves the header known. */
static void every_bit_is_guarded(void **state)
{
	struct sample sample;
	struct log_record record;
	uint64_t size, found;
	uint8_t *bytes = small_record(&sample, &size);

	(void)state;
	for (size_t at = 0; at < size; at++) {
		for (int bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1u << bit);
			assert_true(log_record_decode(&record, bytes, size, &array) < 0);
			int rc = log_record_peek(&record, &found, bytes, &array, size);
			if (at < 4)
				assert_int_equal(rc, ERR_NOT_FOUND);
			else
				assert_int_equal(rc, at < LOG_HEADER_SIZE ? ERR_CHECKSUM : 0);
			bytes[at] ^= (uint8_t)(1u << bit);
			if (at >= BLOCK_SIZE) /* one bit of a byte of content will do */
				break;
		}
	}
	mem_pages_free(bytes);
	sample_free(&sample);
}

/* Both checksums as section 8 of the format says, by zlib. */
static void sign(uint8_t *bytes, uint64_t size)
{
	put_le32(bytes + 8, 0);
	put_le32(bytes + 12, 0);
	put_le32(bytes + 12, (uint32_t)crc32(0, bytes, (uInt)size));
	put_le32(bytes + 8, (uint32_t)crc32(0, bytes, LOG_HEADER_SIZE));
}

/* Aim: the layout never changes. Method: the bytes that the format's table demands, written out. */
static void the_bytes_are_those_of_the_format(void **state)
{
	static const uint8_t wanted_start[] = {
		'P', 'G', 'L', 'R', 1, 0, 0, 0,
	};
	struct sample sample;
	uint64_t size;
	uint8_t *bytes = small_record(&sample, &size);
	uint8_t *wanted = mem_pages(size);
	uint8_t *at = wanted + 128;

	(void)state;
	assert_non_null(wanted);
	assert_int_equal(size, 4 * BLOCK_SIZE);
	memcpy(wanted, wanted_start, sizeof(wanted_start));
	memcpy(wanted + 16, array.bytes, 16);
	put_le64(wanted + 32, sample.record.epoch);
	put_le64(wanted + 40, 5);
	put_le64(wanted + 48, sample.record.written_s);
	put_le64(wanted + 56, 4 * 4096);
	put_le64(wanted + 64, 64 + 2 * 8 + 32);
	put_le32(wanted + 72, 1);
	put_le32(wanted + 76, 1);
	put_le16(wanted + 80, 1);
	put_le16(wanted + 82, 3);
	put_le16(wanted + 84, 2);
	put_le16(wanted + 86, (uint16_t)sample.record.first_place);
	wanted[88] = 0xb;
	put_le64(at, 1);
	put_le64(at + 8, 2);
	put_le32(at + 16, 3);
	put_le32(at + 20, 4);
	put_le32(at + 24, 1);
	put_le32(at + 28, 2);
	put_le32(at + 32, 2);
	put_le32(at + 36, 10);
	put_le32(at + 40, 1);
	put_le32(at + 64, 0x11223344);
	put_le32(at + 68, 9);
	put_le32(at + 72, 0x55667788);
	put_le32(at + 76, 9);
	put_le64(at + 80, 7);
	put_le32(at + 88, 8);
	memcpy(wanted + 4096, sample.content, 2 * BLOCK_SIZE);
	memcpy(wanted + 3 * 4096, sample.content + 2 * BLOCK_SIZE, BLOCK_SIZE);
	sign(wanted, size);
	assert_memory_equal(bytes, wanted, size);
	mem_pages_free(bytes);
	mem_pages_free(wanted);
	sample_free(&sample);
}

/* Lines of 16 bytes in hex and how often they follow each other, as tests/reader/test_log.py --golden writes them. */
static uint64_t golden_read(uint8_t *bytes, uint64_t room)
{
	FILE *file = fopen("tests/reader/log_record.golden", "r");
	char hex[33], line[200];
	uint32_t count;
	uint64_t at = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%32s %u", hex, &count), 2);
		for (; count > 0; count--) {
			assert_true(at + 16 <= room);
			for (uint32_t i = 0; i < 16; i++) {
				const char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

				bytes[at++] = (uint8_t)strtoul(pair, NULL, 16);
			}
		}
	}
	fclose(file);
	return at;
}

/* Aim: this program and the independent reader mean the same. Method: one image, which both write and read. */
static void the_golden_image_is_what_the_reader_has(void **state)
{
	uint8_t *content = mem_pages(5 * BLOCK_SIZE), *golden = mem_pages(16 * BLOCK_SIZE);
	struct log_cell cells[4] = {
		{ 0x11223344, 9 }, { 0x11223345, 8 }, { 0x11223346, 7 }, { 0x11223347, 6 }
	};
	struct log_cell others[3] = { { 0, 2 }, { 1, 2 }, { 2, 2 } };
	struct log_rows rows[2] = {
		{ 1, 2, 3, 4, 2, 2, 2, 10, false, cells, content },
		{ 0, 9, 0, 7, 1, 5, 3, 3, false, others, NULL },
	};
	struct log_page page = { 7, 8, content + 4 * BLOCK_SIZE };
	const struct log_record record = {
		.array = array,
		.epoch = 3,
		.generation = 5,
		.in_service.bits = 0xb,
		.copies = 2,
		.first_place = 1,
		.copies_usual = 2,
		.written_s = 1700000000,
		.rows_count = 2,
		.pages_count = 1,
		.rows = rows,
		.pages = &page,
	};
	struct log_record back;
	uint64_t size;

	(void)state;
	assert_true(content && golden);
	for (int i = 0; i < 5; i++)
		memset(content + (size_t)i * BLOCK_SIZE, 0xa0 + i, BLOCK_SIZE);
	uint8_t *bytes = encoded(&record, &size, 0xff);
	assert_int_equal(golden_read(golden, 16 * BLOCK_SIZE), size);
	assert_memory_equal(bytes, golden, size);
	assert_int_equal(log_record_decode(&back, golden, size, &array), 0);
	same_record(&record, &back);
	log_record_reset(&back);
	mem_pages_free(bytes);
	mem_pages_free(golden);
	mem_pages_free(content);
}

/* What cannot be, by offset in the record of small_record(). */
static const struct {
	uint32_t at, width;
	uint64_t value;
	int code;
} lies[] = {
	{ 4, 4, 0, ERR_VERSION },
	{ 4, 4, 2, ERR_VERSION },
	{ 16, 8, 0, ERR_NOT_FOUND },
	{ 40, 8, 0, ERR_FORMAT },
	{ 40, 8, 6, ERR_FORMAT }, /* of the other slot */
	{ 40, 8, LOG_GENERATION_MAX + 1, ERR_FORMAT },
	{ 56, 8, 0, ERR_FORMAT },
	{ 56, 8, 4 * 4096 - 1, ERR_FORMAT },
	{ 56, 8, 3 * 4096, ERR_FORMAT },
	{ 56, 8, 5 * 4096, ERR_FORMAT },
	{ 56, 8, UINT64_MAX - 4095, ERR_FORMAT },
	{ 64, 8, 111, ERR_FORMAT },
	{ 64, 8, 113, ERR_FORMAT },
	{ 64, 8, 112 + 4096, ERR_FORMAT },
	{ 64, 8, UINT64_MAX, ERR_FORMAT },
	{ 64, 8, UINT64_MAX - 127, ERR_FORMAT },
	{ 72, 4, 0, ERR_FORMAT },
	{ 72, 4, 2, ERR_FORMAT },
	{ 72, 4, UINT32_MAX, ERR_FORMAT },
	{ 76, 4, 0, ERR_FORMAT },
	{ 76, 4, 2, ERR_FORMAT },
	{ 76, 4, UINT32_MAX, ERR_FORMAT },
	{ 80, 2, 0, ERR_FORMAT },
	{ 82, 2, 0, ERR_FORMAT },
	{ 82, 2, 4, ERR_FORMAT },
	{ 84, 2, 0, ERR_FORMAT },
	{ 84, 2, 4, ERR_FORMAT },
	{ 86, 2, 3, ERR_FORMAT },
	{ 88, 8, 0, ERR_FORMAT },
	{ 96, 8, 1, ERR_FORMAT },
	{ 120, 4, 2, ERR_FORMAT }, /* an unknown flag */
	{ 124, 4, 1, ERR_FORMAT },
	{ 128 + 8, 8, 0, ERR_FORMAT },           /* group 0 */
	{ 128 + 20, 4, UINT32_MAX, ERR_FORMAT }, /* first + count */
	{ 128 + 24, 4, 0, ERR_FORMAT },
	{ 128 + 24, 4, 2, ERR_FORMAT },
	{ 128 + 24, 4, LOG_ROWS_BLOCKS_MAX + 1, ERR_FORMAT },
	{ 128 + 24, 4, UINT32_MAX, ERR_FORMAT },
	{ 128 + 28, 4, 0, ERR_FORMAT },
	{ 128 + 28, 4, 7, ERR_FORMAT }, /* three columns, two cells */
	{ 128 + 32, 4, 0, ERR_FORMAT },
	{ 128 + 32, 4, 1, ERR_FORMAT },
	{ 128 + 32, 4, LOG_CELLS_MAX + 1, ERR_FORMAT },
	{ 128 + 32, 4, UINT32_MAX, ERR_FORMAT },
	{ 128 + 36, 4, 9, ERR_FORMAT }, /* a generation reaches the limit */
	{ 128 + 40, 4, 0, ERR_FORMAT }, /* content that is nobody's */
	{ 128 + 40, 4, 5, ERR_FORMAT },
	{ 128 + 44, 4, 1, ERR_FORMAT },
	{ 128 + 60, 4, 1, ERR_FORMAT },
	{ 128 + 80, 8, 0, ERR_FORMAT }, /* extent 0 */
	{ 128 + 92, 4, 1, ERR_FORMAT },
	{ 128 + 108, 4, 1, ERR_FORMAT },
	{ 128 + 112, 4, 1, ERR_FORMAT }, /* padding of the index */
	{ 4092, 4, 1, ERR_FORMAT },
};

/* Aim: what cannot be is refused although its checksums are right. */
static void a_hostile_record_is_refused(void **state)
{
	struct sample sample;
	struct log_record record;
	uint64_t size;
	uint8_t *bytes = small_record(&sample, &size);

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t value[8], before[8];

		put_le64(value, lies[i].value);
		memcpy(before, bytes + lies[i].at, lies[i].width);
		memcpy(bytes + lies[i].at, value, lies[i].width);
		sign(bytes, size);
		int rc = log_record_decode(&record, bytes, size, &array);
		/* a smaller size has another checksum, and that is as good a reason */
		if (rc != lies[i].code && !(lies[i].at == 56 && rc == ERR_CHECKSUM))
			fail_msg("byte %u = %llu: %s", lies[i].at,
				 (unsigned long long)lies[i].value, err_name(rc));
		memcpy(bytes + lies[i].at, before, lies[i].width);
	}
	sign(bytes, size);
	assert_int_equal(log_record_decode(&record, bytes, size, &array), 0);
	log_record_reset(&record);
	assert_int_equal(log_record_decode(&record, bytes, size - BLOCK_SIZE, &array), ERR_FORMAT);
	assert_int_equal(log_record_decode(&record, bytes, BLOCK_SIZE - 1, &array), ERR_FORMAT);
	mem_pages_free(bytes);
	sample_free(&sample);
}

/* Aim: a record has one form. Method: random bytes of header and index changed, checksums made right. */
static void what_decodes_encodes_to_the_same_bytes(void **state)
{
	struct rng rng = rng_seeded(3);
	uint32_t decoded = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct log_record record;
		struct sample sample;
		uint64_t size, again;

		sample_make(&sample, &rng);
		uint8_t *bytes = encoded(&sample.record, &size, 0);
		for (uint64_t changes = rng_below(&rng, 3) + 1; changes > 0; changes--) {
			uint64_t at = 16 + rng_below(&rng, 400);

			bytes[at] = (uint8_t)(rng_below(&rng, 2) ? rng_next(&rng) : bytes[at] + 1u);
		}
		memcpy(bytes + 16, array.bytes, 16);
		sign(bytes, size);
		if (log_record_decode(&record, bytes, size, &array) == 0) {
			uint8_t *back = encoded(&record, &again, 0xff);

			decoded++;
			assert_int_equal(size, again);
			assert_memory_equal(back, bytes, size);
			mem_pages_free(back);
			log_record_reset(&record);
		}
		mem_pages_free(bytes);
		sample_free(&sample);
	}
	assert_in_range(decoded, 100, 2900); /* else the changes prove nothing */
}

static void torn_foreign_and_absent_are_told_apart(void **state)
{
	static const struct uuid other = { { 9 } };
	uint8_t *zeros = mem_pages(BLOCK_SIZE);
	struct log_record record;
	struct sample sample;
	uint64_t size, found;
	uint8_t *bytes = small_record(&sample, &size);

	(void)state;
	assert_non_null(zeros);
	assert_int_equal(log_record_peek(&record, &found, zeros, &array, SLOT_SIZE), ERR_NOT_FOUND);
	assert_int_equal(log_record_peek(&record, &found, bytes, &other, SLOT_SIZE), ERR_NOT_FOUND);
	assert_int_equal(log_record_decode(&record, bytes, size, &other), ERR_NOT_FOUND);
	assert_int_equal(log_record_peek(&record, &found, bytes, &array, size - BLOCK_SIZE),
			 ERR_FORMAT);
	memset(bytes + 512, 0xa5, 512); /* a sector that the power failure kept back */
	assert_int_equal(log_record_peek(&record, &found, bytes, &array, SLOT_SIZE), 0);
	assert_int_equal(record.generation, 5);
	assert_int_equal(log_record_decode(&record, bytes, size, &array), ERR_CHECKSUM);
	mem_pages_free(zeros);
	mem_pages_free(bytes);
	sample_free(&sample);
}

static void without_memory_nothing_is_decoded(void **state)
{
	struct log_record record;
	struct sample sample;
	uint64_t size;
	uint8_t *bytes = small_record(&sample, &size);
	unsigned allocations = 0;

	(void)state;
	for (;; allocations++) {
		unsigned left = allocations;

		mem_set_hook(deny_nth, &left);
		int rc = log_record_decode(&record, bytes, size, &array);
		mem_set_hook(NULL, NULL);
		if (rc == 0)
			break;
		assert_int_equal(rc, ERR_NOMEM);
	}
	assert_int_equal(allocations, 2);
	log_record_reset(&record);
	mem_pages_free(bytes);
	sample_free(&sample);
}

/* Aim: places are {c*g .. c*g+c-1} mod N of the members in service. Method: against that formula. */
static void places_follow_each_other_in_a_ring(void **state)
{
	(void)state;
	for (uint32_t members = 1; members <= 7; members++) {
		for (uint32_t copies = 1; copies <= members; copies++) {
			for (uint64_t g = 1; g < 40; g++) {
				struct log_record record = {
					.generation = g,
					.copies = copies,
					.in_service.bits = 0x5a5 /* members 0 2 5 7 8 10 */,
				};
				uint32_t meant = 0;

				assert_int_equal(log_first_place(g, copies, members),
						 copies * g % members);
				record.first_place = log_first_place(g, copies % 6 + 1, 6);
				record.copies = copies % 6 + 1;
				for (uint32_t m = 0, place = 0; m < MEMBERS_MAX + 3; m++) {
					bool in = m < 11 && (0x5a5u >> m & 1);
					bool is = log_record_meant_for(&record, m);
					bool wanted = false;

					for (uint32_t k = 0; in && k < record.copies; k++)
						wanted |= (record.copies * g + k) % 6 == place;
					assert_int_equal(is, wanted);
					meant += is;
					place += in;
				}
				assert_int_equal(meant, record.copies);
			}
		}
	}
	/* no overflow at the last generation */
	assert_true(log_first_place(LOG_GENERATION_MAX, MEMBERS_MAX, MEMBERS_MAX) < MEMBERS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_says_again_what_was_put_into_it),
		cmocka_unit_test(every_bit_is_guarded),
		cmocka_unit_test(the_bytes_are_those_of_the_format),
		cmocka_unit_test(the_golden_image_is_what_the_reader_has),
		cmocka_unit_test(a_hostile_record_is_refused),
		cmocka_unit_test(what_decodes_encodes_to_the_same_bytes),
		cmocka_unit_test(torn_foreign_and_absent_are_told_apart),
		cmocka_unit_test(without_memory_nothing_is_decoded),
		cmocka_unit_test(places_follow_each_other_in_a_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

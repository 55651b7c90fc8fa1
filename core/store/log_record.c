/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/log_record.h"

#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION_NOW 1u

/* Byte offsets; docs/FORMAT.md section 8 has the same tables. */
enum {
	RECORD_MAGIC = 0,
	RECORD_VERSION = 4,
	RECORD_HEADER_CRC = 8,
	RECORD_CRC = 12,
	RECORD_ARRAY = 16,
	RECORD_EPOCH = 32,
	RECORD_GENERATION = 40,
	RECORD_WRITTEN = 48,
	RECORD_SIZE = 56,
	RECORD_INDEX_SIZE = 64,
	RECORD_ROWS = 72,
	RECORD_PAGES = 76,
	RECORD_SLOT = 80, /* u16, as the three that follow */
	RECORD_COPIES = 82,
	RECORD_COPIES_USUAL = 84,
	RECORD_FIRST_PLACE = 86,
	RECORD_IN_SERVICE = 88, /* 32 bytes, a bit each */
	RECORD_FLAGS = 120,     /* u32 */
	RECORD_RESERVED = 124,

	ROWS_VOLUME = 0,
	ROWS_GROUP = 8,
	ROWS_SEGMENT = 16,
	ROWS_FIRST = 20,
	ROWS_COUNT = 24,
	ROWS_COLUMNS = 28,
	ROWS_CELL_COUNT = 32,
	ROWS_LIMIT = 36,
	ROWS_FLAGS = 40,
	ROWS_RESERVED = 44,
	ROWS_SIZE = 64,

	CELL_CRC = 0,
	CELL_GENERATION = 4,
	CELL_SIZE = 8,

	PAGE_EXTENT = 0,
	PAGE_NUMBER = 8,
	PAGE_RESERVED = 12,
	PAGE_SIZE = 32,
};
_Static_assert(RECORD_RESERVED + 4 == LOG_HEADER_SIZE, "the reserved bytes end the header");
_Static_assert(PAGE_SIZE + BLOCK_SIZE == LOG_PAGE_SIZE, "an entry and its content");
_Static_assert(sizeof(struct log_rows) <= ROWS_SIZE, "decoded rows take no more than their bytes");
_Static_assert(sizeof(struct log_cell) <= CELL_SIZE, "decoded cells take no more than their bytes");
_Static_assert(sizeof(struct log_page) <= PAGE_SIZE, "decoded pages take no more than their bytes");
_Static_assert(MEMBERS_MAX <= 64, "the members in service are one word");

#define RECORD_SUSPECT 1u   /* the only flag of a record */
#define ROWS_HAS_CONTENT 1u /* of an entry */
#define ROWS_DONE 2u
#define ROWS_FLAGS_ALL (ROWS_HAS_CONTENT | ROWS_DONE)

static const uint8_t magic[4] = { 'P', 'G', 'L', 'R' };

static uint64_t rows_cells(const struct log_rows *rows)
{
	return (uint64_t)rows->count * rows->cell_count;
}

static bool rows_shape_valid(const struct log_rows *rows)
{
	uint32_t columns = (uint32_t)__builtin_popcount(rows->columns);

	return rows->group > 0 && rows->count > 0 && rows->count <= LOG_ROWS_BLOCKS_MAX &&
	       rows->first <= UINT32_MAX - rows->count && columns > 0 &&
	       columns <= rows->cell_count && rows->cell_count <= LOG_CELLS_MAX;
}

static bool rows_cells_valid(const struct log_rows *rows)
{
	uint64_t count = rows_cells(rows);

	for (uint64_t i = 0; i < count; i++) {
		if (rows->cells[i].generation >= rows->generation_limit)
			return false;
	}
	return true;
}

bool log_rows_valid(const struct log_rows *rows)
{
	return rows_shape_valid(rows) && rows_cells_valid(rows);
}

static bool places_valid(const struct log_record *record)
{
	uint32_t count = member_set_count(record->in_service);

	return record->copies > 0 && record->copies <= count && record->copies_usual > 0 &&
	       record->copies_usual <= record->copies && record->first_place < count;
}

bool log_record_meant_for(const struct log_record *record, uint32_t member)
{
	struct member_set set = record->in_service;
	uint32_t count = member_set_count(set);
	uint32_t place = 0;

	assert(record->first_place < count);
	if (member >= MEMBERS_MAX || !member_set_has(set, member))
		return false;
	for (uint32_t i = 0; i < member; i++)
		place += member_set_has(set, i);
	return (place + count - record->first_place) % count < record->copies;
}

uint32_t log_first_place(uint64_t generation, uint32_t copies, uint32_t member_count)
{
	assert(copies > 0 && copies <= member_count && member_count <= MEMBERS_MAX);
	return (uint32_t)(generation % member_count * copies % member_count);
}

uint64_t log_rows_size(const struct log_rows *rows)
{
	uint64_t cells = rows_cells(rows);

	return ROWS_SIZE + cells * CELL_SIZE + (rows->content ? cells * BLOCK_SIZE : 0);
}

/* Bytes of the entries, and blocks of what they carry. */
static uint64_t index_size(const struct log_record *record, uint64_t *content_blocks_out)
{
	uint64_t size = (uint64_t)record->pages_count * PAGE_SIZE;
	uint64_t blocks = record->pages_count;

	for (uint32_t i = 0; i < record->rows_count; i++) {
		uint64_t cells = rows_cells(&record->rows[i]);

		size += ROWS_SIZE + cells * CELL_SIZE;
		blocks += record->rows[i].content ? cells : 0;
	}
	*content_blocks_out = blocks;
	return size;
}

static uint64_t content_offset(uint64_t index)
{
	return size_round_up(LOG_HEADER_SIZE + index, BLOCK_SIZE);
}

uint64_t log_record_size(const struct log_record *record)
{
	uint64_t blocks;
	uint64_t index = index_size(record, &blocks);

	return content_offset(index) + blocks * BLOCK_SIZE;
}

/* ---- encode */

static uint8_t *encode_rows(uint8_t *at, const struct log_rows *rows)
{
	uint64_t cells = rows_cells(rows);

	assert(log_rows_valid(rows));
	memset(at, 0, ROWS_SIZE);
	put_le64(at + ROWS_VOLUME, rows->volume);
	put_le64(at + ROWS_GROUP, rows->group);
	put_le32(at + ROWS_SEGMENT, rows->segment);
	put_le32(at + ROWS_FIRST, rows->first);
	put_le32(at + ROWS_COUNT, rows->count);
	put_le32(at + ROWS_COLUMNS, rows->columns);
	put_le32(at + ROWS_CELL_COUNT, rows->cell_count);
	put_le32(at + ROWS_LIMIT, rows->generation_limit);
	put_le32(at + ROWS_FLAGS,
		 (rows->content ? ROWS_HAS_CONTENT : 0) | (rows->done ? ROWS_DONE : 0));
	at += ROWS_SIZE;
	for (uint64_t i = 0; i < cells; i++, at += CELL_SIZE) {
		put_le32(at + CELL_CRC, rows->cells[i].crc);
		put_le32(at + CELL_GENERATION, rows->cells[i].generation);
	}
	return at;
}

static uint8_t *encode_page(uint8_t *at, const struct log_page *page)
{
	assert(page->extent > 0);
	memset(at, 0, PAGE_SIZE);
	put_le64(at + PAGE_EXTENT, page->extent);
	put_le32(at + PAGE_NUMBER, page->page);
	return at + PAGE_SIZE;
}

static void encode_content(uint8_t *at, const struct log_record *record)
{
	for (uint32_t i = 0; i < record->rows_count; i++) {
		uint64_t size = rows_cells(&record->rows[i]) * BLOCK_SIZE;

		if (!record->rows[i].content)
			continue;
		memcpy(at, record->rows[i].content, size);
		at += size;
	}
	for (uint32_t i = 0; i < record->pages_count; i++, at += BLOCK_SIZE)
		memcpy(at, record->pages[i].content, BLOCK_SIZE);
}

/* The header without its two checksums. */
static void encode_header(uint8_t *bytes, const struct log_record *record, uint64_t size,
			  uint64_t index)
{
	assert(record->generation > 0 && record->generation <= LOG_GENERATION_MAX);
	assert(places_valid(record));
	memset(bytes, 0, LOG_HEADER_SIZE);
	memcpy(bytes + RECORD_MAGIC, magic, sizeof(magic));
	put_le32(bytes + RECORD_VERSION, RECORD_VERSION_NOW);
	memcpy(bytes + RECORD_ARRAY, record->array.bytes, sizeof(record->array.bytes));
	put_le64(bytes + RECORD_EPOCH, record->epoch);
	put_le64(bytes + RECORD_GENERATION, record->generation);
	put_le64(bytes + RECORD_WRITTEN, record->written_s);
	put_le64(bytes + RECORD_SIZE, size);
	put_le64(bytes + RECORD_INDEX_SIZE, index);
	put_le32(bytes + RECORD_ROWS, record->rows_count);
	put_le32(bytes + RECORD_PAGES, record->pages_count);
	put_le16(bytes + RECORD_SLOT, (uint16_t)(record->generation % LOG_SLOTS));
	put_le16(bytes + RECORD_COPIES, (uint16_t)record->copies);
	put_le16(bytes + RECORD_COPIES_USUAL, (uint16_t)record->copies_usual);
	put_le16(bytes + RECORD_FIRST_PLACE, (uint16_t)record->first_place);
	put_le64(bytes + RECORD_IN_SERVICE, record->in_service.bits);
	put_le32(bytes + RECORD_FLAGS, record->suspect ? RECORD_SUSPECT : 0);
}

/* Of the header as if its own checksum were zero. */
static uint32_t header_crc(const uint8_t *bytes)
{
	uint8_t header[LOG_HEADER_SIZE];

	memcpy(header, bytes, sizeof(header));
	put_le32(header + RECORD_HEADER_CRC, 0);
	return crc32_of(0, header, sizeof(header));
}

/* Of the whole record as if both checksums were zero. */
static uint32_t record_crc(const uint8_t *bytes, uint64_t size)
{
	uint8_t header[LOG_HEADER_SIZE];

	memcpy(header, bytes, sizeof(header));
	put_le32(header + RECORD_HEADER_CRC, 0);
	put_le32(header + RECORD_CRC, 0);
	return crc32_of(crc32_of(0, header, sizeof(header)), bytes + LOG_HEADER_SIZE,
			size - LOG_HEADER_SIZE);
}

void log_record_encode(uint8_t *bytes, const struct log_record *record)
{
	uint64_t blocks;
	uint64_t index = index_size(record, &blocks);
	uint64_t size = content_offset(index) + blocks * BLOCK_SIZE;
	uint8_t *at = bytes + LOG_HEADER_SIZE;

	encode_header(bytes, record, size, index);
	for (uint32_t i = 0; i < record->rows_count; i++)
		at = encode_rows(at, &record->rows[i]);
	for (uint32_t i = 0; i < record->pages_count; i++)
		at = encode_page(at, &record->pages[i]);
	assert(at == bytes + LOG_HEADER_SIZE + index);
	memset(at, 0, (size_t)(bytes + content_offset(index) - at));
	encode_content(bytes + content_offset(index), record);
	put_le32(bytes + RECORD_CRC, record_crc(bytes, size));
	put_le32(bytes + RECORD_HEADER_CRC, header_crc(bytes));
}

/* ---- decode */

/* What the header says of sizes and counts, before anything is computed from it. */
static bool sizes_valid(const uint8_t *bytes, uint64_t slot_size)
{
	uint64_t size = get_le64(bytes + RECORD_SIZE);
	uint64_t index = get_le64(bytes + RECORD_INDEX_SIZE);
	uint64_t rows = get_le32(bytes + RECORD_ROWS);
	uint64_t pages = get_le32(bytes + RECORD_PAGES);

	return size >= BLOCK_SIZE && size % BLOCK_SIZE == 0 && size <= slot_size &&
	       index <= size - LOG_HEADER_SIZE &&
	       rows * (ROWS_SIZE + CELL_SIZE) + pages * PAGE_SIZE <= index;
}

int log_record_peek(struct log_record *record_out, uint64_t *size_out,
		    const uint8_t bytes[static BLOCK_SIZE], const struct uuid *array,
		    uint64_t slot_size)
{
	struct log_record record = { 0 };

	if (memcmp(bytes + RECORD_MAGIC, magic, sizeof(magic)) != 0)
		return ERR_NOT_FOUND;
	if (get_le32(bytes + RECORD_HEADER_CRC) != header_crc(bytes))
		return ERR_CHECKSUM;
	memcpy(record.array.bytes, bytes + RECORD_ARRAY, sizeof(record.array.bytes));
	if (!uuid_equal(&record.array, array))
		return ERR_NOT_FOUND;
	if (get_le32(bytes + RECORD_VERSION) != RECORD_VERSION_NOW)
		return ERR_VERSION;
	record.epoch = get_le64(bytes + RECORD_EPOCH);
	record.generation = get_le64(bytes + RECORD_GENERATION);
	record.written_s = get_le64(bytes + RECORD_WRITTEN);
	record.copies = get_le16(bytes + RECORD_COPIES);
	record.copies_usual = get_le16(bytes + RECORD_COPIES_USUAL);
	record.first_place = get_le16(bytes + RECORD_FIRST_PLACE);
	record.in_service.bits = get_le64(bytes + RECORD_IN_SERVICE);
	record.suspect = get_le32(bytes + RECORD_FLAGS) & RECORD_SUSPECT;
	if (record.generation == 0 || record.generation > LOG_GENERATION_MAX ||
	    get_le16(bytes + RECORD_SLOT) != record.generation % LOG_SLOTS ||
	    !places_valid(&record) || !sizes_valid(bytes, slot_size) ||
	    !bytes_are_zero(bytes + RECORD_IN_SERVICE + 8, RECORD_FLAGS - RECORD_IN_SERVICE - 8) ||
	    (get_le32(bytes + RECORD_FLAGS) & ~RECORD_SUSPECT) || get_le32(bytes + RECORD_RESERVED))
		return ERR_FORMAT;
	*size_out = get_le64(bytes + RECORD_SIZE);
	*record_out = record;
	return 0;
}

/* The next rows entry but for its cells, whose bytes are returned; NULL when it is not valid. */
static const uint8_t *take_rows(struct cursor *cursor, struct log_rows *rows, bool *content_out)
{
	const uint8_t *at = cursor_take(cursor, ROWS_SIZE);

	if (!at)
		return NULL;
	*rows = (struct log_rows){
		.volume = get_le64(at + ROWS_VOLUME),
		.group = get_le64(at + ROWS_GROUP),
		.segment = get_le32(at + ROWS_SEGMENT),
		.first = get_le32(at + ROWS_FIRST),
		.count = get_le32(at + ROWS_COUNT),
		.columns = get_le32(at + ROWS_COLUMNS),
		.cell_count = get_le32(at + ROWS_CELL_COUNT),
		.generation_limit = get_le32(at + ROWS_LIMIT),
		.done = get_le32(at + ROWS_FLAGS) & ROWS_DONE,
	};
	*content_out = get_le32(at + ROWS_FLAGS) & ROWS_HAS_CONTENT;
	if ((get_le32(at + ROWS_FLAGS) & ~ROWS_FLAGS_ALL) || !rows_shape_valid(rows) ||
	    !bytes_are_zero(at + ROWS_RESERVED, ROWS_SIZE - ROWS_RESERVED))
		return NULL;
	return cursor_take(cursor, rows_cells(rows) * CELL_SIZE);
}

static bool take_page(struct cursor *cursor, struct log_page *page)
{
	const uint8_t *at = cursor_take(cursor, PAGE_SIZE);

	if (!at || !bytes_are_zero(at + PAGE_RESERVED, PAGE_SIZE - PAGE_RESERVED))
		return false;
	*page = (struct log_page){
		.extent = get_le64(at + PAGE_EXTENT),
		.page = get_le32(at + PAGE_NUMBER),
	};
	return page->extent > 0;
}

/* Do the entries fill the index and their contents the record? Then also how many cells there are. */
static bool index_measure(const uint8_t *bytes, uint64_t *cells_out)
{
	uint64_t index = get_le64(bytes + RECORD_INDEX_SIZE);
	struct cursor cursor = { bytes + LOG_HEADER_SIZE, index, false };
	uint64_t blocks = get_le32(bytes + RECORD_PAGES);
	uint64_t cells = 0;
	struct log_rows rows;
	bool content;

	for (uint32_t i = get_le32(bytes + RECORD_ROWS); i > 0; i--) {
		if (!take_rows(&cursor, &rows, &content))
			return false;
		cells += rows_cells(&rows);
		blocks += content ? rows_cells(&rows) : 0;
	}
	*cells_out = cells;
	return cursor.left == get_le32(bytes + RECORD_PAGES) * (uint64_t)PAGE_SIZE &&
	       content_offset(index) + blocks * BLOCK_SIZE == get_le64(bytes + RECORD_SIZE) &&
	       bytes_are_zero(cursor.at + cursor.left,
			      content_offset(index) - LOG_HEADER_SIZE - index);
}

/* Fill `rows` and their `cells` from an index that was measured. */
static bool decode_entries(struct log_record *record, struct log_cell *cells, const uint8_t *bytes)
{
	uint64_t index = get_le64(bytes + RECORD_INDEX_SIZE);
	struct cursor cursor = { bytes + LOG_HEADER_SIZE, index, false };
	const uint8_t *content = bytes + content_offset(index);

	for (uint32_t i = 0; i < record->rows_count; i++) {
		struct log_rows *rows = &record->rows[i];
		bool has_content;
		const uint8_t *at = take_rows(&cursor, rows, &has_content);

		assert(at);
		rows->cells = cells;
		for (uint64_t left = rows_cells(rows); left > 0; left--, at += CELL_SIZE)
			*cells++ = (struct log_cell){ get_le32(at + CELL_CRC),
						      get_le32(at + CELL_GENERATION) };
		if (!rows_cells_valid(rows))
			return false;
		if (!has_content)
			continue;
		rows->content = content;
		content += rows_cells(rows) * BLOCK_SIZE;
	}
	for (uint32_t i = 0; i < record->pages_count; i++, content += BLOCK_SIZE) {
		if (!take_page(&cursor, &record->pages[i]))
			return false;
		record->pages[i].content = content;
	}
	return true;
}

int log_record_decode(struct log_record *record_out, const uint8_t *bytes, uint64_t size,
		      const struct uuid *array)
{
	struct log_record record;
	uint64_t record_size, cells;
	int rc;

	if (size < BLOCK_SIZE)
		return ERR_FORMAT;
	rc = log_record_peek(&record, &record_size, bytes, array, size);
	if (rc)
		return rc;
	if (get_le32(bytes + RECORD_CRC) != record_crc(bytes, record_size))
		return ERR_CHECKSUM;
	if (!index_measure(bytes, &cells))
		return ERR_FORMAT;
	record.rows_count = get_le32(bytes + RECORD_ROWS);
	record.pages_count = get_le32(bytes + RECORD_PAGES);
	/* The cells lie behind the rows, in the same memory. */
	record.rows = mem_calloc(
		record.rows_count * sizeof(*record.rows) + cells * sizeof(struct log_cell), 1);
	record.pages = mem_calloc(record.pages_count, sizeof(*record.pages));
	if (!record.rows || !record.pages)
		rc = ERR_NOMEM;
	else if (!decode_entries(&record, (void *)(record.rows + record.rows_count), bytes))
		rc = ERR_FORMAT;
	if (rc) {
		log_record_reset(&record);
		return rc;
	}
	*record_out = record;
	return 0;
}

void log_record_reset(struct log_record *record)
{
	mem_free(record->rows);
	mem_free(record->pages);
	*record = (struct log_record){ 0 };
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One record of the intent log: which rows may differ on the media, what they become, and page images.
 * FORMAT.md section 8; docs/WRITES.md says how it is used. Pure: struct to bytes and back.
 *
 * A record is the whole truth of its moment: everything not named in the newest one is consistent.
 */
#ifndef PG_STORE_LOG_RECORD_H
#define PG_STORE_LOG_RECORD_H

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/map/map.h"

#define LOG_SLOTS 2u                   /* of a member; generation g lies in slot g mod 2 */
#define LOG_ROWS_BLOCKS_MAX 4096u      /* slices of one entry */
#define LOG_CELLS_MAX CODE_COLUMNS_MAX /* of the closure of a slice */
#define LOG_GENERATION_MAX (UINT64_C(1) << 62)

/* A cell as it will be. */
struct log_cell {
	uint32_t crc;        /* as in a seal entry */
	uint32_t generation; /* as in a seal entry; 0: not written, its column cannot be used */
};

/*
 * Slices first..first+count-1 of one segment of a group, whose data columns `columns` are written. The
 * cells of a slice are, in this order: (column, segment) of the bits of `columns` ascending, then the
 * check cells that depend on them (code_closure of all, united), ascending by cell number.
 */
struct log_rows {
	uint64_t volume;
	uint64_t group;
	uint32_t segment;
	uint32_t first, count; /* slices */
	uint32_t columns;      /* a bit for each data column written */
	uint32_t cell_count;   /* of a slice */
	/* Greater than the generations of `cells`; none of these cells reaches it without a new record. */
	uint32_t generation_limit;
	bool done;              /* the cells were written and flushed: only their seals are late */
	struct log_cell *cells; /* count * cell_count, slice after slice; owned by who made it */
	const uint8_t *content; /* NULL, or a block for every one of `cells`; borrowed */
};

/* An entry page of a seal as it will be. */
struct log_page {
	uint64_t extent;
	uint32_t page;          /* from 0, as in seal.h */
	const uint8_t *content; /* a block; borrowed */
};

struct log_record {
	struct uuid array;
	uint64_t epoch;
	uint64_t generation;          /* 1 to LOG_GENERATION_MAX */
	struct member_set in_service; /* the members then; places count them in ascending order */
	uint32_t copies;              /* how many of them it was meant for */
	uint32_t first_place;         /* the first of those, from 0; the others follow, in a ring */
	uint32_t copies_usual;        /* of a record that does not go to all of them */
	uint64_t written_s;
	bool suspect; /* a record of a session before this may be lost: all is to be checked */
	uint32_t rows_count, pages_count;
	struct log_rows *rows;
	struct log_page *pages;
};

/* Bytes of the encoded record, a multiple of BLOCK_SIZE. */
uint64_t log_record_size(const struct log_record *record);
/* Bytes that these rows or one page add, as an upper bound; with the header's own they give the size. */
uint64_t log_rows_size(const struct log_rows *rows);
#define LOG_PAGE_SIZE (BLOCK_SIZE + 32u)
#define LOG_HEADER_SIZE 128u

/* Encode to `bytes`, log_record_size() of them, zeroed or not. */
void log_record_encode(uint8_t *bytes, const struct log_record *record);

/* Do first, count, columns, cells and limit go together as a record may say it? Asserted on encode. */
bool log_rows_valid(const struct log_rows *rows);

/* Was the record meant for this member? */
bool log_record_meant_for(const struct log_record *record, uint32_t member);

/* Where a record of `generation` begins among `member_count` members when `copies` of them get one. */
uint32_t log_first_place(uint64_t generation, uint32_t copies, uint32_t member_count);

/*
 * The header alone, from the first block of a slot: 0 and *size_out (at most `slot_size`) with all but the
 * entries set; ERR_NOT_FOUND where there is no record of this array, ERR_CHECKSUM, ERR_VERSION,
 * ERR_FORMAT. The header has a checksum of its own, so a torn record can be told from none.
 */
int log_record_peek(struct log_record *record_out, uint64_t *size_out,
		    const uint8_t bytes[static BLOCK_SIZE], const struct uuid *array,
		    uint64_t slot_size) MUST_CHECK;

/*
 * Decode and verify a whole record from `size` bytes, of which it may use less. Contents borrow from `bytes`;
 * release with log_record_reset(), which is for decoded records only. Every count is checked before it is
 * used; a hostile record costs no more memory than its bytes. Returns as log_record_peek(), or ERR_NOMEM.
 */
int log_record_decode(struct log_record *record_out, const uint8_t *bytes, uint64_t size,
		      const struct uuid *array) MUST_CHECK;
void log_record_reset(struct log_record *record);

#endif

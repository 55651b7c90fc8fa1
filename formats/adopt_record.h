/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The adoption record: on each member of an adopted array, what has to be put back to undo the adoption (docs/ADOPT.md,
 * section 3; the bytes are in FORMAT.md, section 11). A block of header, a table of the blocks that adoption writes over
 * and that are not zero, then these blocks. What adoption writes and the table does not name was zero.
 *
 * This is the record as bytes: pure. adopt_keep.h reads and writes it.
 */
#ifndef PG_FORMATS_ADOPT_RECORD_H
#define PG_FORMATS_ADOPT_RECORD_H

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/uuid.h"

#define ADOPT_RECORD_BEGIN UINT64_C(0x30000) /* where it lies on a member */
#define ADOPT_SUPERS_BEGIN UINT64_C(0x10000) /* our superblocks, up to the record */
#define ADOPT_BLOCKS_MAX 65536u              /* that are kept of a member: 256 MiB */
#define ADOPT_NAME_SIZE 256u                 /* of the array, with its NUL */

/* What the record is good for. */
enum adopt_record_state {
	ADOPT_RECORD_KEEPS, /* what is to be put back, whole */
	ADOPT_RECORD_VOID,  /* being written, or all is back: its room is to be zeroed */
};

struct adopt_record {
	enum adopt_record_state state;
	struct uuid array, member; /* ours */
	struct uuid origin;        /* of the array that was adopted */
	struct uuid origin_member;
	uint32_t slot, member_count;
	uint64_t member_size; /* bytes, exactly */
	uint64_t size;        /* of the record, a multiple of BLOCK_SIZE */
	uint64_t
		written_end; /* adoption writes from the record to here, a multiple of BLOCK_SIZE */
	uint64_t super_offset; /* of the other superblock: in the table always, and put back last */
	uint64_t data_begin;   /* bytes; no data lie before */
	uint64_t made_s;
	uint32_t block_count;
	uint32_t table_crc;
	char name[ADOPT_NAME_SIZE];
};

struct adopt_block {
	uint64_t offset; /* on the member, a multiple of BLOCK_SIZE */
	uint32_t crc;
};

/* Bytes of a record that keeps so many blocks: a multiple of BLOCK_SIZE. */
uint64_t adopt_record_size(uint32_t block_count);
/* Bytes of its table, which follows the header: a multiple of BLOCK_SIZE. */
uint64_t adopt_table_size(uint32_t block_count);
/* Where on the member the copy of block `number` of the table lies. */
uint64_t adopt_copy_offset(const struct adopt_record *record, uint32_t number);

void adopt_record_encode(uint8_t bytes[static BLOCK_SIZE], const struct adopt_record *record);
/*
 * The header, read from a member of `device_size` bytes. ERR_NOT_MEMBER without the magic, ERR_CHECKSUM, ERR_VERSION for
 * a newer one, ERR_TRUNCATED for a member that became smaller, else ERR_FORMAT.
 */
int adopt_record_decode(struct adopt_record *record_out, const uint8_t bytes[static BLOCK_SIZE],
			uint64_t device_size, struct err *err) MUST_CHECK;

/* The table: record->block_count of `blocks`; encode sets record->table_crc. `size` is adopt_table_size(). */
void adopt_table_encode(uint8_t *bytes, struct adopt_record *record,
			const struct adopt_block *blocks);
/* Each block is one that adoption writes, in ascending order, and the superblock is among them. */
int adopt_table_decode(struct adopt_block *blocks_out, const uint8_t *bytes,
		       const struct adopt_record *record, struct err *err) MUST_CHECK;

/* Is this block one that adoption writes, record aside? */
bool adopt_record_covers(const struct adopt_record *record, uint64_t offset);

#endif

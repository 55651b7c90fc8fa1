/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "core/code/kernel.h"
#include "formats/crc32c.h"
#include "formats/md_replay.h"
#include "formats/md_sectors.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define BLOCK_SECTORS ((uint64_t)BLOCK_SIZE / MD_SECTOR)
#define ROWS_MAX 65536u /* in the journal and not in place: 256 MiB of each member */
#define INDEX_SIZE ((size_t)2 * ROWS_MAX)
#define NOWHERE UINT64_MAX

/* A row of blocks of which the journal has some: where in the journal, by column. */
struct journal_row {
	uint64_t sector; /* of the members' data */
	bool has_parity;
	uint64_t at[CODE_COLUMNS_MAX]; /* sectors of the journal; NOWHERE */
};
VEC_DEFINE(row_vec, struct journal_row);

struct journal_replay {
	const struct md_replay *replay;
	const struct md_member *member; /* the journal's superblock */
	struct dev *dev;
	struct rule rule;
	uint64_t chunk_sectors, ring_sectors;
	struct row_vec rows; /* in the order in which they were first seen */
	uint32_t *index;     /* INDEX_SIZE: number of a row + 1 at its hash or behind it; 0: none */
	uint8_t *blocks;     /* one a column, and one */
	struct md_replayed *replayed;
};

static uint8_t *block_of(const struct journal_replay *work, uint32_t column)
{
	return work->blocks + (size_t)column * BLOCK_SIZE;
}

static uint64_t ring_add(const struct journal_replay *work, uint64_t position, uint64_t sectors)
{
	return (position + sectors) % work->ring_sectors;
}

static int journal_read(const struct journal_replay *work, uint64_t position, void *bytes)
{
	return md_sectors_read(work->dev, work->member->data_offset + position, bytes, BLOCK_SIZE);
}

static uint32_t data_columns(const struct journal_replay *work)
{
	return work->rule.members - work->rule.checks;
}

/* The device and the sector where a column of a row lies; NULL: absent, or not filled so far. */
static struct dev *column_at(const struct journal_replay *work, const struct journal_row *row,
			     uint32_t column, uint64_t *sector_out)
{
	uint64_t block = row->sector / BLOCK_SECTORS;
	struct rule_place place = rule_place(&work->rule, column, block);
	const struct md_seat *seat = &work->replay->seats->at[place.position];
	uint64_t sector = place.block * BLOCK_SECTORS;

	if (!seat->entry || sector + BLOCK_SECTORS > seat->counts_sectors)
		return NULL;
	*sector_out = sector + seat->entry->member->data_offset;
	return work->replay->devs[place.position];
}

static int column_write(const struct journal_replay *work, const struct journal_row *row,
			uint32_t column, struct err *err)
{
	uint64_t sector;
	struct dev *dev = column_at(work, row, column, &sector);

	if (dev && md_sectors_write(dev, sector, block_of(work, column), BLOCK_SIZE))
		return err_set(err, ERR_IO,
			       "row at sector %" PRIu64 " of the members cannot be replayed from "
			       "the write journal",
			       row->sector);
	return 0;
}

/* What the journal has of a row, into the blocks. */
static bool row_load(const struct journal_replay *work, const struct journal_row *row)
{
	for (uint32_t c = 0; c < work->rule.members; c++) {
		if (row->at[c] != NOWHERE && journal_read(work, row->at[c], block_of(work, c)))
			return false;
	}
	return true;
}

static void multiply_add(uint8_t *sum, const uint8_t *bytes, uint8_t coefficient)
{
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		sum[i] ^= gf_multiply(coefficient, bytes[i]);
}

static uint8_t coefficient_of(const struct journal_replay *work, const struct journal_row *row,
			      uint32_t check, uint32_t column)
{
	uint64_t unit = row->sector / work->chunk_sectors;

	return check == 0 ? 1 : gf_power(rule_exponent(&work->rule, column, unit));
}

/* All data of the row are known or readable: a check from the beginning. */
static bool check_compute(const struct journal_replay *work, const struct journal_row *row,
			  uint32_t check)
{
	uint8_t *sum = block_of(work, data_columns(work) + check);
	uint8_t *spare = block_of(work, work->rule.members);

	memset(sum, 0, BLOCK_SIZE);
	for (uint32_t c = 0; c < data_columns(work); c++) {
		const uint8_t *bytes = block_of(work, c);
		uint64_t sector;

		if (row->at[c] == NOWHERE) {
			struct dev *dev = column_at(work, row, c, &sector);

			if (!dev || md_sectors_read(dev, sector, spare, BLOCK_SIZE))
				return false;
			bytes = spare;
		}
		multiply_add(sum, bytes, coefficient_of(work, row, check, c));
	}
	return true;
}

/* Some other data are absent: the check as it is, with what changes. */
static bool check_change(const struct journal_replay *work, const struct journal_row *row,
			 uint32_t check)
{
	uint8_t *sum = block_of(work, data_columns(work) + check);
	uint8_t *spare = block_of(work, work->rule.members);
	uint64_t sector;
	struct dev *dev = column_at(work, row, data_columns(work) + check, &sector);

	if (!dev || md_sectors_read(dev, sector, sum, BLOCK_SIZE))
		return false;
	for (uint32_t c = 0; c < data_columns(work); c++) {
		if (row->at[c] == NOWHERE)
			continue;
		dev = column_at(work, row, c, &sector);
		if (!dev || md_sectors_read(dev, sector, spare, BLOCK_SIZE))
			return false;
		multiply_add(sum, spare, coefficient_of(work, row, check, c));
		multiply_add(sum, block_of(work, c), coefficient_of(work, row, check, c));
	}
	return true;
}

/* Bring what the journal has of a row to its places, with checks that fit. */
static int row_apply(const struct journal_replay *work, const struct journal_row *row,
		     struct err *err)
{
	bool whole = row_load(work, row);
	int rc = 0;

	for (uint32_t check = 0; whole && !row->has_parity && check < work->rule.checks; check++) {
		uint64_t sector;

		if (column_at(work, row, data_columns(work) + check, &sector))
			whole = check_compute(work, row, check) || check_change(work, row, check);
	}
	if (!whole) {
		work->replayed->skipped++;
		return 0;
	}
	for (uint32_t c = 0; rc == 0 && c < work->rule.members; c++) {
		if (row->at[c] != NOWHERE || (c >= data_columns(work) && !row->has_parity))
			rc = column_write(work, row, c, err);
	}
	work->replayed->ranges++;
	work->replayed->bytes += BLOCK_SIZE;
	return rc;
}

/* Where the index has a row, or has room for it: it is never more than half full. */
static uint32_t *index_at(const struct journal_replay *work, uint64_t sector)
{
	uint64_t at = sector / BLOCK_SECTORS * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	while (work->index[at % INDEX_SIZE] &&
	       work->rows.at[work->index[at % INDEX_SIZE] - 1].sector != sector)
		at++;
	return &work->index[at % INDEX_SIZE];
}

static struct journal_row *row_find(const struct journal_replay *work, uint64_t sector)
{
	uint32_t number = *index_at(work, sector);

	return number ? &work->rows.at[number - 1] : NULL;
}

static void row_clear(struct journal_row *row)
{
	row->has_parity = false;
	for (uint32_t c = 0; c < CODE_COLUMNS_MAX; c++)
		row->at[c] = NOWHERE;
}

static bool row_is_empty(const struct journal_replay *work, const struct journal_row *row)
{
	for (uint32_t c = 0; c < data_columns(work); c++) {
		if (row->at[c] != NOWHERE)
			return false;
	}
	return true;
}

/* The row at a sector, a new one when there is none; NULL without memory or room. */
static struct journal_row *row_take(struct journal_replay *work, uint64_t sector)
{
	struct journal_row *row = row_find(work, sector), empty = { .sector = sector };

	if (row)
		return row;
	row_clear(&empty);
	if (work->rows.count == ROWS_MAX || row_vec_push(&work->rows, empty))
		return NULL;
	*index_at(work, sector) = (uint32_t)work->rows.count;
	return &work->rows.at[work->rows.count - 1];
}

/* Where a block of data of the array lies: its row, and which column. */
static bool data_place(const struct journal_replay *work, uint64_t sector, uint64_t *row_out,
		       uint32_t *column_out)
{
	uint64_t number = sector / work->chunk_sectors;

	if (sector % BLOCK_SECTORS ||
	    number / data_columns(work) >=
		    work->replay->set->newest->shape.component_sectors / work->chunk_sectors)
		return false;
	*column_out = (uint32_t)(number % data_columns(work));
	*row_out = number / data_columns(work) * work->chunk_sectors + sector % work->chunk_sectors;
	return true;
}

/* One block of a payload, at `position` of the journal. Returns 0, ERR_FORMAT for a place that is none, or ERR_NOMEM. */
static int block_take(struct journal_replay *work, const struct md_payload *payload, uint32_t index,
		      uint64_t position, struct err *err)
{
	uint64_t sector = payload->sector;
	uint32_t column = data_columns(work) + index;
	struct journal_row *row;
	int rc = 0;

	if (payload->kind == MD_PAYLOAD_DATA &&
	    !data_place(work, payload->sector + (uint64_t)index * BLOCK_SECTORS, &sector, &column))
		return ERR_FORMAT;
	if (column >= work->rule.members || sector % BLOCK_SECTORS ||
	    sector >= work->replay->set->newest->shape.component_sectors)
		return ERR_FORMAT;
	row = row_take(work, sector);
	if (!row)
		return err_set(err, ERR_NOMEM, "no memory to replay the write journal");
	/* Data after parity: a later write of the row. */
	if (payload->kind == MD_PAYLOAD_DATA && row->has_parity) {
		rc = row_apply(work, row, err);
		row_clear(row);
	}
	row->at[column] = position;
	row->has_parity |= payload->kind == MD_PAYLOAD_PARITY;
	return rc;
}

static void rows_flushed(struct journal_replay *work, const struct md_payload *payload)
{
	for (uint32_t i = 0; i < payload->count; i++) {
		struct journal_row *row =
			row_find(work, get_le64(payload->entries + (size_t)i * 8));

		if (row)
			row_clear(row);
	}
}

/* Do all blocks behind a head have their sums? *blocks_out is how many there are, with the head. */
static bool blocks_are_whole(const struct journal_replay *work, const struct md_journal *head,
			     uint64_t position, uint64_t *blocks_out)
{
	uint8_t *bytes = block_of(work, 0);
	uint32_t seed = crc32c_of(UINT32_MAX, work->member->array_raw, 16), at = 0;
	struct md_payload payload;
	uint64_t blocks = 1;

	while (md_journal_next(head, &at, &payload)) {
		for (uint32_t i = 0; i < payload.blocks; i++, blocks++) {
			if (journal_read(work, ring_add(work, position, blocks * BLOCK_SECTORS),
					 bytes) ||
			    crc32c_of(seed, bytes, BLOCK_SIZE) !=
				    get_le32(payload.entries + (size_t)i * 4))
				return false;
		}
	}
	*blocks_out = blocks;
	return true;
}

static int head_take(struct journal_replay *work, const struct md_journal *head, uint64_t position,
		     struct err *err)
{
	struct md_payload payload;
	uint32_t at = 0;
	uint64_t blocks = 1;
	int rc = 0;

	while (rc == 0 && md_journal_next(head, &at, &payload)) {
		if (payload.kind == MD_PAYLOAD_FLUSH)
			rows_flushed(work, &payload);
		for (uint32_t i = 0; rc == 0 && i < payload.blocks; i++, blocks++) {
			uint64_t where = ring_add(work, position, blocks * BLOCK_SECTORS);

			rc = block_take(work, &payload, i, where, err);
			if (rc == ERR_FORMAT) {
				work->replayed->skipped++;
				rc = 0;
			}
		}
	}
	return rc;
}

/* The head at `position`, if it is the next one: written for there, and `sequence`. */
static bool head_read(const struct journal_replay *work, struct md_journal *head, uint64_t position,
		      uint64_t sequence)
{
	struct md_faults faults = { 0 };
	struct err ignored = { 0 };

	if (journal_read(work, position, block_of(work, 0)) ||
	    md_journal_decode(head, block_of(work, 0), work->member->array_raw, &ignored))
		return false;
	md_journal_validate(&faults, head, position);
	return faults.count == 0 && head->sequence == sequence;
}

static int journal_walk(struct journal_replay *work, uint64_t sequence, struct err *err)
{
	struct md_journal *head = mem_calloc(1, sizeof(*head));
	uint64_t position = work->member->journal_tail, passed = 0, blocks = 0;
	int rc = 0;

	if (!head)
		return err_set(err, ERR_NOMEM, "no memory to replay the write journal");
	while (rc == 0 && passed < work->ring_sectors &&
	       head_read(work, head, position, sequence) &&
	       blocks_are_whole(work, head, position, &blocks)) {
		rc = head_take(work, head, position, err);
		position = ring_add(work, position, blocks * BLOCK_SECTORS);
		passed += blocks * BLOCK_SECTORS;
		sequence++;
	}
	mem_free(head);
	for (size_t i = 0; rc == 0 && i < work->rows.count; i++) {
		if (!row_is_empty(work, &work->rows.at[i]))
			rc = row_apply(work, &work->rows.at[i], err);
	}
	return rc;
}

int md_journal_replay(const struct md_replay *replay, struct dev *journal,
		      const struct md_found *found, struct md_replayed *replayed, struct err *err)
{
	const struct md_shape *shape = &replay->set->newest->shape;
	struct journal_replay work = {
		.replay = replay,
		.member = &found->member,
		.dev = journal,
		.chunk_sectors = shape->chunk_bytes / MD_SECTOR,
		.ring_sectors = found->member.data_size - found->member.data_size % BLOCK_SECTORS,
		.replayed = replayed,
	};
	int rc;

	if (!found->journal_found || found->member.journal_tail >= work.ring_sectors ||
	    shape->level < MD_RAID4 || shape->level > MD_RAID6)
		return 0;
	rc = md_rule_of(&work.rule, shape, err);
	if (rc)
		return rc;
	if (work.rule.members > CODE_COLUMNS_MAX)
		return 0; /* such a map is refused by name */
	work.blocks = mem_calloc((size_t)work.rule.members + 1, BLOCK_SIZE);
	work.index = mem_calloc(INDEX_SIZE, sizeof(*work.index));
	if (work.blocks && work.index)
		rc = journal_walk(&work, found->journal.sequence, err);
	else
		rc = err_set(err, ERR_NOMEM, "no memory to replay the write journal");
	mem_free(work.blocks);
	mem_free(work.index);
	row_vec_reset(&work.rows);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/mem.h"
#include "core/base/size.h"
#include "formats/crc32c.h"
#include "formats/md_replay.h"
#include "formats/md_sectors.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define PIECE_SIZE 65536u

bool md_replay_is_due(const struct md_set *set)
{
	const struct md_member *array = set->newest;

	return array && !array->reshaping &&
	       (array->has_journal || (array->has_ppl && !array->clean));
}

/* One entry: the same part of some chunks of a row was written. */
struct range {
	uint64_t unit;            /* row of chunks */
	uint32_t column, columns; /* data columns that were written */
	uint64_t begin, size;     /* bytes within their chunks */
	uint64_t log_sector;      /* of its partial parity; all of the row was written without */
	bool has_parity;
	uint32_t parity_slot;
};

/* What one entry is replayed with. */
struct entry_replay {
	const struct md_replay *replay;
	struct rule rule;
	uint64_t chunk, units;   /* units: rows of chunks that the array has */
	struct dev *log;         /* the member with this log */
	uint8_t *parity, *bytes; /* PIECE_SIZE each */
};

/* False for an entry that is none of this array: its numbers do not fit a row. */
static bool range_of(struct range *range, const struct entry_replay *work,
		     const struct md_ppl_entry *entry, uint64_t log_sector)
{
	uint64_t offset, number;
	uint32_t data = work->rule.members - 1;

	if (!size_multiply(entry->data_sector, MD_SECTOR, &offset) || entry->data_bytes == 0)
		return false;
	number = offset / work->chunk;
	*range = (struct range){
		.unit = number / data,
		.column = (uint32_t)(number % data),
		.begin = offset % work->chunk,
		.log_sector = log_sector,
		.has_parity = entry->parity_bytes > 0,
		.parity_slot = entry->parity_disk,
	};
	if (range->has_parity) {
		range->columns = (uint32_t)size_divide_up(entry->data_bytes, entry->parity_bytes);
		range->size = entry->parity_bytes;
	} else {
		range->columns = data;
		range->size = entry->data_bytes / data;
	}
	return range->unit < work->units && range->size % MD_SECTOR == 0 && range->size > 0 &&
	       range->columns <= data && range->column <= data - range->columns &&
	       range->size <= work->chunk && range->begin <= work->chunk - range->size;
}

/* The sector of a column's chunk on its member; NULL: that is absent, or not yet filled so far. */
static struct dev *column_at(const struct entry_replay *work, const struct range *range,
			     uint32_t column, uint64_t *sector_out, uint32_t *slot_out)
{
	struct rule_place place =
		rule_place(&work->rule, column, range->unit * work->rule.unit_blocks);
	const struct md_seat *seat = &work->replay->seats->at[place.position];
	uint64_t sector = (place.block * BLOCK_SIZE + range->begin) / MD_SECTOR;

	*slot_out = place.position;
	if (!seat->entry || sector + range->size / MD_SECTOR > seat->counts_sectors ||
	    !size_add(sector, seat->entry->member->data_offset, sector_out))
		return NULL;
	return work->replay->devs[place.position];
}

static void bytes_add(uint8_t *sum, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum[i] ^= bytes[i];
}

/* Partial parity and what was written, as it is now, make parity. False: something cannot be read. */
static bool piece_compute(const struct entry_replay *work, const struct range *range, uint64_t at,
			  size_t size)
{
	memset(work->parity, 0, size);
	if (range->has_parity &&
	    md_sectors_read(work->log, range->log_sector + at / MD_SECTOR, work->parity, size))
		return false;
	for (uint32_t i = 0; i < range->columns; i++) {
		uint64_t sector;
		uint32_t slot;
		struct dev *dev = column_at(work, range, range->column + i, &sector, &slot);

		if (!dev || md_sectors_read(dev, sector + at / MD_SECTOR, work->bytes, size))
			return false;
		bytes_add(work->parity, work->bytes, size);
	}
	return true;
}

/* Where the parity of a range lies. */
struct parity_place {
	struct dev *dev;
	uint32_t slot;
	uint64_t sector;
};

/* Are all members there that the range was written to? */
static bool range_is_there(const struct entry_replay *work, const struct range *range)
{
	for (uint32_t i = 0; i < range->columns; i++) {
		uint64_t sector;
		uint32_t slot;

		if (!column_at(work, range, range->column + i, &sector, &slot))
			return false;
	}
	return true;
}

/*
 * Part of a range, as a whole or, where that cannot be read, by sectors: what is not known is in doubt, as is what shares
 * a block with parity that cannot be read.
 */
static int piece_replay(const struct entry_replay *work, const struct range *range,
			const struct parity_place *place, uint64_t at, size_t size)
{
	uint64_t sector = place->sector + at / MD_SECTOR;
	int rc = ERR_IO;

	if (piece_compute(work, range, at, size))
		rc = md_sectors_write(place->dev, sector, work->parity, size);
	if (rc != ERR_IO)
		return rc;
	if (size == MD_SECTOR)
		return md_doubt_vec_push(work->replay->doubts,
					 (struct md_doubt){ place->slot, sector });
	rc = 0;
	for (size_t i = 0; rc == 0 && i < size; i += MD_SECTOR)
		rc = piece_replay(work, range, place, at + i, MD_SECTOR);
	return rc;
}

static int range_replay(const struct entry_replay *work, const struct range *range,
			struct md_replayed *replayed, struct err *err)
{
	struct parity_place place;
	int rc = 0;

	place.dev = column_at(work, range, work->rule.members - 1, &place.sector, &place.slot);
	if (!place.dev || place.slot != range->parity_slot || !range_is_there(work, range)) {
		replayed->skipped++;
		return 0;
	}
	for (uint64_t at = 0; rc == 0 && at < range->size; at += PIECE_SIZE)
		rc = piece_replay(work, range, &place, at,
				  (size_t)size_min(range->size - at, PIECE_SIZE));
	replayed->ranges++;
	replayed->bytes += range->size;
	return rc ? err_set(err, rc,
			    "slot %" PRIu32 ": parity of row %" PRIu64
			    " cannot be replayed from the partial parity log",
			    place.slot, range->unit)
		  : 0;
}

/*
 * Is the partial parity not what its entry says? Then the log itself was being written, and no data yet. Where it cannot
 * be read nothing says so.
 */
static bool parity_is_torn(const struct entry_replay *work, const struct md_ppl_entry *entry,
			   uint64_t log_sector)
{
	uint32_t crc = UINT32_MAX;

	for (uint64_t at = 0; at < entry->parity_bytes; at += PIECE_SIZE) {
		size_t size = (size_t)size_min(entry->parity_bytes - at, PIECE_SIZE);

		if (md_sectors_read(work->log, log_sector + at / MD_SECTOR, work->bytes, size))
			return false;
		crc = crc32c_of(crc, work->bytes, size);
	}
	return entry->parity_bytes > 0 && ~crc != entry->checksum;
}

static int entries_replay(const struct entry_replay *work, const struct md_found *log,
			  struct md_replayed *replayed, struct err *err)
{
	uint64_t sector = log->member.ppl_sector + (log->ppl_at + MD_PPL_SIZE) / MD_SECTOR;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < log->ppl.entry_count; i++) {
		const struct md_ppl_entry *entry = &log->ppl.entries[i];
		struct range range;

		if (range_of(&range, work, entry, sector) && !parity_is_torn(work, entry, sector))
			rc = range_replay(work, &range, replayed, err);
		else
			replayed->skipped++;
		sector += entry->parity_bytes / MD_SECTOR;
	}
	return rc;
}

int md_ppl_replay(const struct md_replay *replay, const struct md_found *log, uint32_t slot,
		  struct md_replayed *replayed, struct err *err)
{
	const struct md_shape *shape = &replay->set->newest->shape;
	struct entry_replay work = {
		.replay = replay,
		.chunk = shape->chunk_bytes,
		.log = replay->devs[slot],
	};
	int rc;

	if (!work.log || !log->ppl_found || shape->level != MD_RAID5)
		return 0;
	rc = md_rule_of(&work.rule, shape, err);
	if (rc)
		return rc;
	work.units = shape->component_sectors / (work.chunk / MD_SECTOR);
	work.parity = mem_calloc(1, PIECE_SIZE);
	work.bytes = mem_calloc(1, PIECE_SIZE);
	if (work.parity && work.bytes)
		rc = entries_replay(&work, log, replayed, err);
	else
		rc = err_set(err, ERR_NOMEM, "no memory to replay a partial parity log");
	mem_free(work.parity);
	mem_free(work.bytes);
	return rc;
}

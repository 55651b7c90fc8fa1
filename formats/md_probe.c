/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_probe.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/dev/dev.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define BITMAP_READ_SIZE 65536u
#define BITMAP_BYTES_MAX (UINT64_C(64) << 20) /* of one bitmap that is counted: 2^29 chunks */
#define PPL_HEADERS_MAX 65536u                /* a log has fewer sectors */

/* What one probe reads with. */
struct reader {
	struct dev *dev;
	uint8_t *pages; /* BITMAP_READ_SIZE and a block: any offset, read in whole blocks */
};

/* `size` bytes from any sector on, at most BITMAP_READ_SIZE; NULL where they cannot be read. */
static const uint8_t *sectors_read(struct reader *reader, uint64_t sector, size_t size)
{
	uint64_t offset, end, first;

	assert(size > 0 && size <= BITMAP_READ_SIZE);
	if (!size_multiply(sector, MD_SECTOR, &offset) || !size_add(offset, size, &end) ||
	    end > dev_info(reader->dev)->size)
		return NULL;
	first = offset - offset % BLOCK_SIZE;
	end = size_round_up(end, BLOCK_SIZE);
	if (io_read(reader->dev, IO_ROLE_SUPER, first, reader->pages, (size_t)(end - first)))
		return NULL;
	return reader->pages + (offset - first);
}

/* Bytes from `sector` to whatever comes behind it: data, superblock, or the end. */
static uint64_t room_behind(const struct md_member *member, uint64_t sector)
{
	uint64_t end = member->device_sectors, bytes;

	if (member->super_sector > sector)
		end = size_min(end, member->super_sector);
	if (member->data_offset > sector)
		end = size_min(end, member->data_offset);
	if (member->bad_block_sector != MD_MEMBER_NONE && member->bad_block_sector > sector)
		end = size_min(end, member->bad_block_sector);
	if (sector >= end || !size_multiply(end - sector, MD_SECTOR, &bytes))
		return 0;
	return bytes;
}

static void bitmap_count(struct reader *reader, struct md_found *found)
{
	uint64_t size = md_bitmap_bytes(&found->bitmap), dirty = 0;
	bool lockless = found->bitmap.version == MD_BITMAP_LOCKLESS;
	/* The bits begin at a half of a sector: read that sector's head with them. */
	uint64_t skip = lockless ? 0 : MD_BITMAP_SIZE;
	uint64_t sector = found->member.bitmap_sector + (lockless ? 2 : 0);

	if (size > BITMAP_BYTES_MAX)
		return;
	for (uint64_t done = 0; done < size;) {
		uint64_t step = size_min(size - done, BITMAP_READ_SIZE - MD_SECTOR);
		const uint8_t *bytes =
			sectors_read(reader, sector + done / MD_SECTOR, (size_t)(skip + step));

		if (!bytes) {
			md_fault(&found->faults, "bitmap", "its bits cannot be read");
			return;
		}
		dirty += md_bitmap_count_dirty(&found->bitmap, done * (lockless ? 1 : 8),
					       bytes + skip, step);
		done += step;
	}
	found->dirty_known = true;
	found->dirty_chunks = dirty;
}

static void bitmap_read(struct reader *reader, struct md_found *found)
{
	const struct md_member *member = &found->member;
	struct md_bitmap_place place = {
		.events = member->events,
		.room_bytes = room_behind(member, member->bitmap_sector),
	};
	const uint8_t *bytes;
	struct err err = { 0 };
	uint32_t faults = found->faults.count;

	bytes = sectors_read(reader, member->bitmap_sector, MD_SECTOR);
	if (!bytes) {
		md_fault(&found->faults, "bitmap", "sector %" PRIu64 " cannot be read",
			 member->bitmap_sector);
		return;
	}
	if (md_bitmap_decode(&found->bitmap, bytes, &err)) {
		md_fault(&found->faults, "bitmap", "%s", err.text);
		return;
	}
	found->bitmap_found = true;
	memcpy(place.uuid, member->array_raw, sizeof(place.uuid));
	md_bitmap_validate(&found->faults, &found->bitmap, &place);
	/* With its size or version wrong there is no telling what its bits are. */
	if (found->faults.count == faults || (!md_fault_in(&found->faults, "sync_sectors") &&
					      !md_fault_in(&found->faults, "bitmap_chunk_bytes") &&
					      !md_fault_in(&found->faults, "bitmap_version")))
		bitmap_count(reader, found);
}

static void bad_blocks_read(struct reader *reader, struct md_found *found)
{
	const struct md_member *member = &found->member;
	size_t size = (size_t)member->bad_block_sectors * MD_SECTOR;
	const uint8_t *bytes;
	struct err err = { 0 };

	if (size == 0 || size / MD_BAD_BLOCK_SIZE > MD_BAD_BLOCKS_MAX ||
	    member->bad_block_shift > 31)
		return; /* a fault of the superblock */
	bytes = sectors_read(reader, member->bad_block_sector, size);
	if (!bytes) {
		md_fault(&found->faults, "bad_blocks", "sector %" PRIu64 " cannot be read",
			 member->bad_block_sector);
		return;
	}
	if (md_bad_blocks_decode(&found->bad_blocks, bytes, size, member->bad_block_shift, &err)) {
		md_fault(&found->faults, "bad_blocks", "%s", err.text);
		return;
	}
	found->bad_blocks_found = true;
	md_bad_blocks_validate(&found->faults, &found->bad_blocks, member->device_sectors);
}

/* The header at byte `at` of the log; false, with a fault, where there is none that verifies. */
static bool ppl_header_read(struct reader *reader, const struct md_member *member, uint64_t at,
			    struct md_ppl *ppl_out, struct md_faults *faults)
{
	uint64_t sector = member->ppl_sector + at / MD_SECTOR;
	uint64_t room = (uint64_t)member->ppl_sectors * MD_SECTOR - at;
	const uint8_t *bytes = sectors_read(reader, sector, MD_PPL_SIZE);
	struct err err = { 0 };

	if (!bytes) {
		md_fault(faults, "ppl", "sector %" PRIu64 " cannot be read", sector);
		return false;
	}
	if (md_ppl_decode(ppl_out, bytes, &err)) {
		md_fault(faults, "ppl", "%s", err.text);
		return false;
	}
	md_ppl_validate(faults, ppl_out, member->array_raw, member->shape.raid_disks, room);
	return faults->count == 0;
}

/* One header after the other, while they verify and their generations grow: the last is the newest. */
static void ppl_read(struct reader *reader, struct md_found *found)
{
	uint64_t size = (uint64_t)found->member.ppl_sectors * MD_SECTOR, at = 0;

	for (uint32_t i = 0; i < PPL_HEADERS_MAX && size - at >= MD_PPL_SIZE; i++) {
		struct md_faults faults = { 0 };
		struct md_ppl ppl = { 0 };

		if (!ppl_header_read(reader, &found->member, at, &ppl, &faults)) {
			if (i == 0)
				found->faults = faults;
			return;
		}
		if (found->ppl_found && ppl.generation < found->ppl.generation)
			return;
		found->ppl_found = true;
		found->ppl = ppl;
		found->ppl_at = at;
		at += md_ppl_bytes(&ppl);
	}
}

static void journal_read(struct reader *reader, struct md_found *found)
{
	const struct md_member *member = &found->member;
	const uint8_t *bytes;
	struct err err = { 0 };
	uint64_t sector;

	if (!size_add(member->data_offset, member->journal_tail, &sector))
		return; /* a fault of the superblock */
	bytes = sectors_read(reader, sector, MD_JOURNAL_SIZE);
	if (!bytes) {
		md_fault(&found->faults, "journal", "sector %" PRIu64 " cannot be read", sector);
		return;
	}
	if (md_journal_decode(&found->journal, bytes, member->array_raw, &err)) {
		md_fault(&found->faults, "journal", "%s", err.text);
		return;
	}
	found->journal_found = true;
	md_journal_validate(&found->faults, &found->journal, member->journal_tail);
}

static void records_read(struct reader *reader, struct md_found *found)
{
	const struct md_member *member = &found->member;

	if (member->bitmap_sector != MD_MEMBER_NONE)
		bitmap_read(reader, found);
	if (member->ppl_sector != MD_MEMBER_NONE)
		ppl_read(reader, found);
	if (member->bad_block_sector != MD_MEMBER_NONE && member->bad_blocks_valid)
		bad_blocks_read(reader, found);
	if (member->role == MD_ROLE_JOURNAL)
		journal_read(reader, found);
}

/* Which minor version of 1.x belongs to a sector; MD1_PLACES for none. */
static uint32_t minor_at(uint64_t sector, uint64_t device_sectors)
{
	uint64_t place;

	for (uint32_t minor = 0; minor < MD1_PLACES; minor++) {
		if (md1_place(&place, minor, device_sectors) && place == sector)
			return minor;
	}
	return MD1_PLACES;
}

/* False when it is neither format: `damage` says why. */
static bool found_decode(struct md_found *found, const uint8_t *bytes, uint64_t device_sectors)
{
	uint64_t sector = found->offset / MD_SECTOR;
	uint32_t minor = minor_at(sector, device_sectors);
	struct err as_md0 = { 0 }, as_md1 = { 0 };

	if (md0_decode(&found->md0, bytes, &as_md0) == 0) {
		found->is_md0 = true;
		md_member_from_md0(&found->member, &found->md0, sector, device_sectors);
		return true;
	}
	if (md1_decode(&found->md1, bytes, &as_md1)) {
		/* In the other byte order there is format 0.90 only. */
		found->damage = as_md1.code == ERR_NOT_MEMBER ? as_md0 : as_md1;
		return false;
	}
	/* At the place of 0.90: taken for 1.0, which counts from the end too; its offset is the fault. */
	md_member_from_md1(&found->member, &found->md1, minor == MD1_PLACES ? 0 : minor, sector,
			   device_sectors);
	return true;
}

/* Look at one place. Returns 0, also when nothing is there, or ERR_NOMEM. */
static int place_probe(struct md_probe *probe, struct reader *reader, uint64_t sector,
		       struct err *err)
{
	const uint8_t *bytes = sectors_read(reader, sector, MD_SUPER_SIZE);
	struct md_found *found;

	if (!bytes) {
		probe->unreadable++;
		return 0;
	}
	if (get_le32(bytes) != MD_MAGIC && get_be32(bytes) != MD_MAGIC)
		return 0;
	found = mem_calloc(1, sizeof(*found));
	if (!found)
		return err_set(err, ERR_NOMEM, "no memory for an MD superblock");
	found->offset = sector * MD_SECTOR;
	probe->at[probe->count++] = found;
	found->decoded = found_decode(found, bytes, dev_info(reader->dev)->size_exact / MD_SECTOR);
	if (found->decoded)
		records_read(reader, found);
	return 0;
}

/* All places on a device, in the order of their offsets, none twice. */
static uint32_t places_of(uint64_t *sectors, uint64_t device_sectors)
{
	uint64_t at_end, at_end_0;
	uint32_t count = 0;

	for (uint32_t minor = 1; minor < MD1_PLACES; minor++)
		count += md1_place(&sectors[count], minor, device_sectors);
	if (md0_place(&at_end_0, device_sectors) && at_end_0 > sectors[count - 1])
		sectors[count++] = at_end_0;
	if (md1_place(&at_end, 0, device_sectors) && at_end > sectors[count - 1])
		sectors[count++] = at_end;
	return count;
}

int md_probe_device(struct md_probe *probe_out, struct dev *dev, struct err *err)
{
	uint64_t sectors[MD_FOUND_MAX], device_sectors = dev_info(dev)->size_exact / MD_SECTOR;
	struct md_probe probe = { 0 };
	struct reader reader = { .dev = dev };
	uint32_t count;
	int rc = 0;

	*probe_out = probe;
	if (!md1_place(&sectors[0], 0, device_sectors))
		return 0;
	reader.pages = mem_pages(BITMAP_READ_SIZE + BLOCK_SIZE);
	if (!reader.pages)
		return err_set(err, ERR_NOMEM, "no memory to look for MD superblocks");
	count = places_of(sectors, device_sectors);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = place_probe(&probe, &reader, sectors[i], err);
	mem_pages_free(reader.pages);
	if (rc)
		md_probe_reset(&probe);
	else
		*probe_out = probe;
	return rc;
}

void md_probe_reset(struct md_probe *probe)
{
	for (uint32_t i = 0; i < probe->count; i++) {
		mem_free(probe->at[i]->volumes);
		mem_free(probe->at[i]);
	}
	*probe = (struct md_probe){ 0 };
}

void md_found_print(struct facts *facts, const struct md_found *found)
{
	uint32_t checksum = found->is_md0 ? found->md0.checksum : found->md1.checksum;
	uint32_t expected =
		found->is_md0 ? found->md0.checksum_expected : found->md1.checksum_expected;

	assert(found->decoded);
	md_member_print(facts, &found->member);
	fact_number(facts, "bitmap_chunk_bytes",
		    found->bitmap_found ? found->bitmap.chunk_bytes : 0);
	fact_text(facts, "checksum", "0x%08x", checksum);
	fact_text(facts, "checksum_expected", "0x%08x", expected);
	fact_text(facts, "checksum_state", "%s", checksum == expected ? "correct" : "wrong");
	if (found->is_md0)
		md0_print(facts, &found->md0);
	else
		md1_print(facts, &found->md1);
}

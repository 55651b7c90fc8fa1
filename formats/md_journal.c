/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_journal.h"

#include "core/base/bytes.h"
#include "formats/crc32c.h"

#include <inttypes.h>
#include <string.h>

#define JOURNAL_MAGIC_VALUE 0x6433c509u
#define JOURNAL_VERSION_NOW 1u

/* Byte offsets. */
enum {
	JOURNAL_MAGIC = 0,
	JOURNAL_CHECKSUM = 4,
	JOURNAL_VERSION = 8,
	JOURNAL_PADS = 9,
	JOURNAL_META_SIZE = 12,
	JOURNAL_SEQUENCE = 16,
	JOURNAL_POSITION = 24,
	JOURNAL_PAYLOADS = 32,
};
_Static_assert(JOURNAL_PAYLOADS + sizeof(((struct md_journal *)0)->payloads) == MD_JOURNAL_SIZE,
	       "payloads end the block");

static uint32_t sum_of(const uint8_t *bytes, const uint8_t *uuid)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32c_of(UINT32_MAX, uuid, 16);

	crc = crc32c_of(crc, bytes, JOURNAL_CHECKSUM);
	crc = crc32c_of(crc, zero, sizeof(zero));
	return crc32c_of(crc, bytes + JOURNAL_VERSION, MD_JOURNAL_SIZE - JOURNAL_VERSION);
}

int md_journal_decode(struct md_journal *journal_out, const uint8_t bytes[static MD_JOURNAL_SIZE],
		      const uint8_t uuid[16], struct err *err)
{
	struct md_journal journal = { .checksum = get_le32(bytes + JOURNAL_CHECKSUM) };

	if (get_le32(bytes + JOURNAL_MAGIC) != JOURNAL_MAGIC_VALUE)
		return err_set(err, ERR_NOT_MEMBER, "no block of an MD journal");
	journal.version = bytes[JOURNAL_VERSION];
	journal.pads = get_le32(bytes + JOURNAL_VERSION) >> 8;
	journal.meta_bytes = get_le32(bytes + JOURNAL_META_SIZE);
	journal.sequence = get_le64(bytes + JOURNAL_SEQUENCE);
	journal.position_sectors = get_le64(bytes + JOURNAL_POSITION);
	journal.checksum_expected = sum_of(bytes, uuid);
	memcpy(journal.payloads, bytes + JOURNAL_PAYLOADS, sizeof(journal.payloads));
	*journal_out = journal;
	return 0;
}

void md_journal_encode(uint8_t bytes[static MD_JOURNAL_SIZE], const struct md_journal *journal,
		       const uint8_t uuid[16])
{
	put_le32(bytes + JOURNAL_MAGIC, JOURNAL_MAGIC_VALUE);
	put_le32(bytes + JOURNAL_VERSION, journal->pads << 8 | journal->version);
	put_le32(bytes + JOURNAL_META_SIZE, journal->meta_bytes);
	put_le64(bytes + JOURNAL_SEQUENCE, journal->sequence);
	put_le64(bytes + JOURNAL_POSITION, journal->position_sectors);
	memcpy(bytes + JOURNAL_PAYLOADS, journal->payloads, sizeof(journal->payloads));
	put_le32(bytes + JOURNAL_CHECKSUM, sum_of(bytes, uuid));
}

void md_journal_validate(struct md_faults *faults, const struct md_journal *journal,
			 uint64_t tail_sectors)
{
	if (journal->checksum != journal->checksum_expected)
		md_fault(faults, "journal_checksum", "0x%08x, the bytes make 0x%08x",
			 journal->checksum, journal->checksum_expected);
	if (journal->version != JOURNAL_VERSION_NOW)
		md_fault(faults, "journal_version", "version %u, this program reads %u",
			 journal->version, JOURNAL_VERSION_NOW);
	if (journal->pads)
		md_fault(faults, "journal_reserved", "reserved bytes are in use");
	if (journal->meta_bytes < JOURNAL_PAYLOADS || journal->meta_bytes > MD_JOURNAL_SIZE)
		md_fault(faults, "journal_meta_bytes", "%u bytes", journal->meta_bytes);
	if (journal->position_sectors != tail_sectors)
		md_fault(faults, "journal_position",
			 "written for sector %" PRIu64 ", found at %" PRIu64,
			 journal->position_sectors, tail_sectors);
}

void md_journal_print(struct facts *facts, const struct md_journal *journal)
{
	fact_number(facts, "version", journal->version);
	fact_number(facts, "sequence", journal->sequence);
	fact_number(facts, "position_sectors", journal->position_sectors);
	fact_number(facts, "meta_bytes", journal->meta_bytes);
}

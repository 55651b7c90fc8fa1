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

	PAYLOAD_TYPE = 0, /* u16, and 16 bits of flags */
	PAYLOAD_SIZE = 4, /* u32: sectors of the blocks; of a flush bytes of its rows */
	PAYLOAD_HEAD = 8,
	PAYLOAD_LOCATION_SIZE = 8, /* u64, behind the head of data and parity */
	PAYLOAD_SUM_SIZE = 4,
	PAYLOAD_ROW_SIZE = 8,
	PAYLOAD_BLOCK_SECTORS = 8,
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

bool md_journal_next(const struct md_journal *journal, uint32_t *at, struct md_payload *payload_out)
{
	uint32_t end = journal->meta_bytes - JOURNAL_PAYLOADS, size;
	const uint8_t *bytes = journal->payloads + *at;
	struct md_payload payload = { .blocks = 0 };
	uint64_t left;

	if (journal->meta_bytes < JOURNAL_PAYLOADS || end > sizeof(journal->payloads) ||
	    *at >= end || end - *at < PAYLOAD_HEAD)
		return false;
	left = end - *at - PAYLOAD_HEAD;
	size = get_le32(bytes + PAYLOAD_SIZE);
	switch (get_le16(bytes + PAYLOAD_TYPE)) {
	case MD_PAYLOAD_DATA:
	case MD_PAYLOAD_PARITY:
		if (left < PAYLOAD_LOCATION_SIZE || size == 0 || size % PAYLOAD_BLOCK_SECTORS)
			return false;
		left -= PAYLOAD_LOCATION_SIZE;
		payload.kind = get_le16(bytes + PAYLOAD_TYPE) == MD_PAYLOAD_DATA
				       ? MD_PAYLOAD_DATA
				       : MD_PAYLOAD_PARITY;
		payload.sector = get_le64(bytes + PAYLOAD_HEAD);
		payload.blocks = payload.count = size / PAYLOAD_BLOCK_SECTORS;
		payload.entries = bytes + PAYLOAD_HEAD + PAYLOAD_LOCATION_SIZE;
		size = payload.count * PAYLOAD_SUM_SIZE;
		break;
	case MD_PAYLOAD_FLUSH:
		payload.kind = MD_PAYLOAD_FLUSH;
		payload.count = size / PAYLOAD_ROW_SIZE;
		payload.entries = bytes + PAYLOAD_HEAD;
		break;
	default:
		return false;
	}
	if (size > left)
		return false;
	*at = (uint32_t)(payload.entries - journal->payloads) + size;
	*payload_out = payload;
	return true;
}

void md_journal_print(struct facts *facts, const struct md_journal *journal)
{
	fact_number(facts, "version", journal->version);
	fact_number(facts, "sequence", journal->sequence);
	fact_number(facts, "position_sectors", journal->position_sectors);
	fact_number(facts, "meta_bytes", journal->meta_bytes);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Head of a block of the write journal of Linux MD (raid4, 5, 6): the journal is a device of its own, a
 * ring of such blocks with data and parity between them; the superblock's journal tail points at the first
 * that counts. Each is followed by the blocks of its payloads; md_replay.h brings them to their places.
 *
 * Sources: Linux include/uapi/linux/raid/md_p.h (r5l_meta_block) and Documentation/driver-api/md/
 * raid5-cache.rst. The sum begins with that of the array's uuid.
 */
#ifndef PG_FORMATS_MD_JOURNAL_H
#define PG_FORMATS_MD_JOURNAL_H

#include "formats/facts.h"
#include "formats/md_fault.h"

#define MD_JOURNAL_SIZE 4096u

struct md_journal {
	uint32_t checksum;
	uint8_t version;
	uint32_t pads;       /* three bytes that are zero */
	uint32_t meta_bytes; /* of this head and the payloads' heads */
	uint64_t sequence;
	uint64_t position_sectors; /* of this block, from the data offset */
	uint32_t
		checksum_expected; /* computed by decode with the array's uuid; encode writes its own */
	uint8_t payloads[MD_JOURNAL_SIZE - 32]; /* the rest of the block, as it is */
};

/* ERR_NOT_MEMBER without the magic. */
int md_journal_decode(struct md_journal *journal_out, const uint8_t bytes[static MD_JOURNAL_SIZE],
		      const uint8_t uuid[16], struct err *err) MUST_CHECK;
void md_journal_encode(uint8_t bytes[static MD_JOURNAL_SIZE], const struct md_journal *journal,
		       const uint8_t uuid[16]);
/* Found `tail_sectors` behind the data offset. */
void md_journal_validate(struct md_faults *faults, const struct md_journal *journal,
			 uint64_t tail_sectors);
/* One payload: blocks behind the head, or a list of rows that have reached their places. */
enum md_payload_kind { MD_PAYLOAD_DATA, MD_PAYLOAD_PARITY, MD_PAYLOAD_FLUSH };
struct md_payload {
	enum md_payload_kind kind;
	uint32_t blocks; /* of 4 KiB behind the head; 0 of a flush */
	uint64_t sector; /* data: of the array; parity: of the members' data */
	uint32_t count;  /* flush: rows; else blocks */
	const uint8_t *
		entries; /* count of them: sums of 4 bytes, or rows of 8, little-endian; borrowed */
};
/*
 * The payload at byte *at of journal->payloads, which moves behind it. False at the end; then *at is the end of what the
 * head says, or there is something that is none.
 */
bool md_journal_next(const struct md_journal *journal, uint32_t *at,
		     struct md_payload *payload_out);

void md_journal_print(struct facts *facts, const struct md_journal *journal);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Header of a partial parity log of Linux MD (raid5): one block that says which stripes had a write in
 * flight when it was written; their partial parity follows it. Each member has a log of its own; with the
 * feature multiple-ppls one log is followed by the next, and the newest generation counts.
 *
 * Decoding takes any bytes with a table that fits; whether the sum is right md_ppl_validate() says.
 * The first 512 bytes are reserved, all ones as the kernel writes them, and are kept.
 *
 * Sources: Linux include/uapi/linux/raid/md_p.h (ppl_header, ppl_header_entry), Documentation/md/
 * raid5-ppl.rst. The signature of an array without other metadata is the sum of its uuid.
 */
#ifndef PG_FORMATS_MD_PPL_H
#define PG_FORMATS_MD_PPL_H

#include "formats/facts.h"
#include "formats/md_fault.h"

#define MD_PPL_SIZE 4096u
#define MD_PPL_RESERVED 512u
#define MD_PPL_ENTRIES_MAX 148u

struct md_ppl_entry {
	uint64_t data_sector;  /* of the array: the first that was written */
	uint32_t parity_bytes; /* of partial parity in the log */
	uint32_t data_bytes;
	uint32_t parity_disk; /* slot */
	uint32_t checksum;    /* of the partial parity */
};

struct md_ppl {
	uint8_t reserved[MD_PPL_RESERVED];
	uint32_t signature;
	uint32_t padding;
	uint64_t generation;
	uint32_t entry_count;
	uint32_t checksum;
	uint32_t checksum_expected; /* computed by decode; encode writes its own */
	bool tail_used; /* bytes behind the entries are not zero: they are lost in encode, and a fault */
	struct md_ppl_entry entries[MD_PPL_ENTRIES_MAX];
};

/* ERR_FORMAT for more entries than fit. */
int md_ppl_decode(struct md_ppl *ppl_out, const uint8_t bytes[static MD_PPL_SIZE],
		  struct err *err) MUST_CHECK;
void md_ppl_encode(uint8_t bytes[static MD_PPL_SIZE], const struct md_ppl *ppl);
/* `uuid` of the array; the log has `room_bytes` from this header on. */
void md_ppl_validate(struct md_faults *faults, const struct md_ppl *ppl, const uint8_t uuid[16],
		     uint32_t raid_disks, uint64_t room_bytes);
void md_ppl_print(struct facts *facts, const struct md_ppl *ppl);

/* As a kernel writes it when it starts the array: nothing is in flight, and there is no older generation. */
void md_ppl_make_empty(struct md_ppl *ppl_out, const uint8_t uuid[16]);

/* Bytes of this header and its partial parity: where a next one begins. */
uint64_t md_ppl_bytes(const struct md_ppl *ppl);

#endif

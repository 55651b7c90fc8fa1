/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Write-intent bitmap of Linux MD: 256 bytes that describe it, then a bit for each chunk of the array (of
 * raid10) or of each member (all other levels); a set bit names a chunk that may not be in step. Always
 * little-endian, but for the bits of version 3, which are in the order of the machine.
 *
 * Decoding takes any bytes with the magic; whether they make sense md_bitmap_validate() says. There is no
 * sum. Version 6 ("lockless") has a byte for each chunk: its state; 1 is in step.
 *
 * Sources: Linux drivers/md/md-bitmap.h (bitmap_super_t and the notes below it), md-llbitmap.c for what
 * version 6 is, Documentation/admin-guide/md.rst.
 */
#ifndef PG_FORMATS_MD_BITMAP_H
#define PG_FORMATS_MD_BITMAP_H

#include "core/base/uuid.h"
#include "formats/facts.h"
#include "formats/md_fault.h"

#define MD_BITMAP_SIZE 256u
#define MD_BITMAP_NAME_SIZE 64u

enum {
	MD_BITMAP_HOST_ENDIAN = 3,
	MD_BITMAP_LITTLE_ENDIAN = 4,
	MD_BITMAP_CLUSTERED = 5,
	MD_BITMAP_LOCKLESS = 6,
};

/* Bits of its state. */
enum {
	MD_BITMAP_STALE = 1 << 1,
	MD_BITMAP_WRITE_ERROR = 1 << 2,
	MD_BITMAP_FIRST_USE = 1 << 3, /* this and the next three: lockless */
	MD_BITMAP_CLEAN = 1 << 4,
	MD_BITMAP_DAEMON_BUSY = 1 << 5,
	MD_BITMAP_SHUTDOWN = 1 << 6,
	MD_BITMAP_HOST_ENDIAN_BIT = 1 << 15,
	MD_BITMAP_STATE_ALL = 0x7e | 1 << 15,
};

struct md_bitmap {
	uint32_t version;
	uint8_t uuid[16]; /* of the array, as its superblock has it on disk */
	uint64_t events;
	uint64_t events_cleared; /* when the last bit was cleared: not while degraded */
	uint64_t sync_sectors;   /* what the bits stand for */
	uint32_t state;
	uint32_t chunk_bytes;
	uint32_t daemon_sleep_s;
	uint32_t write_behind;     /* writes under way to write-mostly members; 0: none */
	uint32_t sectors_reserved; /* for all of it; 0: not recorded */
	uint32_t nodes;
	char cluster_name[MD_BITMAP_NAME_SIZE + 1];
	uint8_t pad[120];
};

/* What its superblock and its place say of a bitmap, for md_bitmap_validate(). */
struct md_bitmap_place {
	uint8_t uuid[16];
	uint64_t events;
	uint64_t room_bytes; /* from its start to whatever comes behind it */
};

/* ERR_NOT_MEMBER without the magic. */
int md_bitmap_decode(struct md_bitmap *bitmap_out, const uint8_t bytes[static MD_BITMAP_SIZE],
		     struct err *err) MUST_CHECK;
void md_bitmap_encode(uint8_t bytes[static MD_BITMAP_SIZE], const struct md_bitmap *bitmap);
void md_bitmap_validate(struct md_faults *faults, const struct md_bitmap *bitmap,
			const struct md_bitmap_place *place);
void md_bitmap_print(struct facts *facts, const struct md_bitmap *bitmap);

/* Chunks that it has a bit for, 0 when the chunk is none; and the bytes that they take behind the head. */
uint64_t md_bitmap_chunks(const struct md_bitmap *bitmap);
uint64_t md_bitmap_bytes(const struct md_bitmap *bitmap);

/*
 * How many of the chunks are dirty, of which `bytes` hold the state from chunk `first_chunk` on: a multiple
 * of 64. Bits behind the last chunk do not count.
 */
uint64_t md_bitmap_count_dirty(const struct md_bitmap *bitmap, uint64_t first_chunk,
			       const uint8_t *bytes, uint64_t size);

#endif

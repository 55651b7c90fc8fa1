/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Blocks that a wrapper keeps in memory instead of writing them to the device below, by their numbers.
 *
 *	block_table_init()
 *	block_table_keep()	what a write puts there
 *	block_table_cover()	over what was read from below
 *	block_table_clear()	forget all blocks
 *	block_table_reset()	and the memory
 *
 * Not safe for several tasks at once: the wrapper has a lock.
 */
#ifndef PG_DEV_BLOCK_TABLE_H
#define PG_DEV_BLOCK_TABLE_H

#include "core/dev/dev.h"

struct kept_block {
	uint64_t number; /* of the block on the device */
	uint8_t *bytes;  /* owned; NULL: the place is free */
};

struct block_table {
	struct kept_block *at; /* NULL: not initialised */
	uint64_t capacity;     /* places in `at`: a power of two, never more than half in use */
	uint64_t count;
	uint64_t count_max;
};

/* Returns 0 or ERR_NOMEM. Keeps at most `count_max` blocks. */
int block_table_init(struct block_table *table, uint64_t count_max) MUST_CHECK;
void block_table_clear(struct block_table *table);
void block_table_reset(struct block_table *table); /* also of a table that is all zero */

/* The bytes kept for block `number`, NULL when there are none. */
const uint8_t *block_table_find(const struct block_table *table, uint64_t number);

/*
 * Keep the first `size` bytes of a write or IO_ZERO. Returns 0, or ERR_NOMEM without memory or room, when some
 * blocks may have been kept.
 */
int block_table_keep(struct block_table *table, const struct io *io, uint64_t size) MUST_CHECK;

/* Put what is kept over what the read `io` got. */
void block_table_cover(const struct block_table *table, const struct io *io);

/* Blocks of the range that are kept. */
uint64_t block_table_count(const struct block_table *table, uint64_t offset, uint64_t size);

#endif

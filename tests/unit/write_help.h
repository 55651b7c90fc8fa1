/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tests of in-place writes share: an array with one volume beside a model of its bytes, and counts
 * of what reaches the disks.
 */
#ifndef PG_TESTS_WRITE_HELP_H
#define PG_TESTS_WRITE_HELP_H

#include "core/array/array.h"
#include "tests/unit/array_help.h"

struct write_layout {
	const char *name;
	enum layout layout;
	uint16_t checks, columns;
	uint32_t disks;
};

#define WRITE_LAYOUTS 8u
extern const struct write_layout write_layouts[WRITE_LAYOUTS];

/* Operations since the last desk_reset_counts(), by kind. */
struct desk_counts {
	uint32_t data_reads;  /* of data, parity and pure parity */
	uint32_t cell_writes; /* of the same */
	uint32_t cell_disks;  /* that these went to, a bit each */
	uint32_t seal_reads, seal_writes;
	uint32_t log_writes; /* to one member each */
	uint32_t unnamed;    /* writes of cells before a record was flushed to as many members */
	uint32_t flushes;
};

struct write_desk {
	struct rack rack;
	const struct write_layout *layout;
	struct array *array;
	const struct volume *volume;
	uint8_t *model;
	uint64_t length;
	struct desk_counts counts;
	struct env_lock lock; /* guards the counts */
};

/* An array of this layout, in `env`, with a volume "v" of `length` bytes; unit 16 KiB where there is one. */
void desk_open(struct write_desk *desk, struct env *env, const struct write_layout *layout,
	       enum journal_mode journal, uint64_t length);
void desk_close(struct write_desk *desk);
void desk_reset_counts(struct write_desk *desk);
struct desk_counts desk_counts_now(struct write_desk *desk); /* while others may write */
/* Close without settling, or open again. */
void desk_reopen(struct write_desk *desk, uint32_t disks, enum array_access access);

/* Write random bytes to array and model. Returns what array_write() does. */
int desk_write(struct write_desk *desk, struct rng *rng, uint64_t offset, uint64_t length,
	       struct array_write_result *result);
/* Reads of the volume equal the model. */
void desk_compare(struct write_desk *desk, uint64_t offset, uint64_t length);
void desk_settle(struct write_desk *desk);
/* A scrub finds nothing to complain of. */
void desk_scrub(struct write_desk *desk);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an array may hold: the oracle of the simulator. It knows names, lengths and bytes, nothing of
 * members or codes.
 *
 * A run of steps has a truth after each step. At a crash after `acked` steps either the truth of then or,
 * while a step was under way, the next one is right: all of it, nothing in between. In-place writes
 * are told apart by block: each block is what was last acknowledged, or one of the writes since.
 */
#ifndef PG_TESTS_SIM_TRUTH_H
#define PG_TESTS_SIM_TRUTH_H

#include "core/array/array.h"
#include "core/map/address.h"

#define TRUTH_VOLUMES_MAX 6u
#define TRUTH_WRITES_MAX 64u

struct truth_volume {
	char name[16];
	uint32_t id; /* stays when the name changes */
	uint64_t length;
	uint8_t *bytes; /* owned */
};

struct truth {
	uint32_t count, made;
	struct truth_volume volumes[TRUTH_VOLUMES_MAX];
};

/* An in-place write, in units of the recording's events. */
struct truth_write {
	uint32_t volume; /* id */
	uint64_t offset, length;
	uint8_t *bytes;      /* owned */
	size_t begun, acked; /* NOT_YET while it is under way */
	size_t ended;        /* acknowledged, or failed: what begins later replaces it */
	size_t touched;      /* no cell of any row was written between its beginning and then */
	bool content;        /* its record has it: no mixtures of sectors, never lost */
	bool unnamed;        /* --journal none: the record may be older than its rows (claim 10) */
	size_t settled;      /* no record names its rows from then on */
	size_t told; /* a record that began after it was acknowledged is durable: from then on one says so */
};

struct truth_writes {
	uint32_t count;
	struct truth_write at[TRUTH_WRITES_MAX];
};

void truth_copy(struct truth *to, const struct truth *from);
void truth_reset(struct truth *truth);
void truth_writes_reset(struct truth_writes *writes);

struct truth_volume *truth_find(const struct truth *truth, const char *name);
/* Bytes of `seed`, appended to the volume of that name, which is made when there is none. */
void truth_put(struct truth *truth, const char *name, uint64_t length, uint64_t seed);
void truth_remove(struct truth *truth, const char *name);
void truth_fill(uint8_t *bytes, uint64_t length, uint64_t seed);

/* What is wrong with an array, in words; NULL `what` when nothing is. */
struct wrong {
	const char *what; /* a word: "open", "volumes", "lost", "bytes", ... */
	char text[400];
};
bool wrong_set(struct wrong *wrong, const char *what, const char *format, ...) PRINTF_LIKE(3, 4);

/* Same names and lengths? */
bool truth_fits(const struct truth *truth, const struct map *map);

struct truth_check {
	const struct truth *truth;
	const struct truth_writes *writes;
	size_t at;             /* the moment of the crash, for `writes` */
	bool rows_may_be_lost; /* those under way without content: members were lost with the crash */
	bool logs_may_be_lost; /* those with content too: all members that had the record */
	bool lied;             /* a disk forgot writes: rows under way may be as they ever were */
	bool forgetful; /* what was acknowledged may be forgotten: too many disks lied, or are gone */
	bool alone;     /* no redundancy is left, so that nobody knows better than a disk */
	bool kept; /* a disk gave, took, forgot or has wrong bytes: a block under way without content may hold them */
	uint64_t sum; /* out: of all bytes that were read */
	bool lossy;   /* out: some were lost */
};
/* Is the block in a row that a write without content was changing? */
bool truth_row_is_under_way(const struct truth_check *check, const struct map *map,
			    const struct address *at);
/* Read every volume and compare. False with `wrong` set when a byte is not allowed, or lost. */
bool truth_compare(struct truth_check *check, struct array *array, struct wrong *wrong);

#endif

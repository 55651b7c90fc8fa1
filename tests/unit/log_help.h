/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tests of the intent log share: simulated disks with a log region each, that lose power all at once;
 * a front before each disk that counts, watches, fails and delays; and rows to declare.
 */
#ifndef PG_TESTS_LOG_HELP_H
#define PG_TESTS_LOG_HELP_H

#include "core/base/rng.h"
#include "core/dev/devices.h"
#include "core/store/intent_log.h"

#define BENCH_DISKS 12u
#define BENCH_OFFSET (2 * BLOCK_SIZE)     /* of the log region: not where an error would begin */
#define BENCH_SLOT_SIZE (16 * BLOCK_SIZE) /* unless the test says otherwise */

/* What a front does with an operation instead of passing it on. */
struct bench;
typedef bool (*bench_watch)(struct bench *bench, uint32_t disk, struct io *io, int *result_out);

struct bench {
	struct env *env;
	uint32_t count;
	uint64_t slot_size;
	struct dev *disks[BENCH_DISKS];  /* simulated */
	struct dev *fronts[BENCH_DISKS]; /* what the log has */
	struct log_member members[BENCH_DISKS];
	struct intent_log *log;
	struct env_lock lock; /* of what follows */
	uint64_t log_writes;  /* records' copies written */
	uint64_t log_flushes; /* flushes of disks that have a log */
	uint64_t writes;      /* all writes and flushes */
	uint64_t writes_left; /* until the power fails: then every operation does */
	uint64_t delay_ns;    /* of every write of a record */
	int fail_write[BENCH_DISKS], fail_flush[BENCH_DISKS]; /* 0 or the error */
	bench_watch watch;
	void *arg;
	/* member_failed(): what it was called with, and what it does */
	uint32_t failed_calls;
	uint32_t failed_member;
	int failed_code;
	int failed_result; /* 0: take the member out */
	uint64_t epoch;
};

extern const struct uuid bench_uuid;

/* `count` disks with fronts; slot_size 0: BENCH_SLOT_SIZE. No log yet. */
void bench_open(struct bench *bench, struct env *env, uint32_t count, uint64_t slot_size);
void bench_close(struct bench *bench);

/* Create the log over the first `members` disks. */
void bench_log(struct bench *bench, uint32_t members, uint32_t tolerance, uint64_t generation);
struct intent_log_config bench_config(struct bench *bench, uint32_t tolerance, uint64_t generation);
void bench_crash(struct bench *bench, struct rng *rng);
/* What recovery would find on the disks of the bit mask. */
void bench_read(struct bench *bench, uint32_t disks, struct log_found *found);
struct intent_log_state bench_state(struct bench *bench);

/* Rows of one slice and two cells, with cells of their own. */
struct bench_rows {
	struct log_rows rows;
	struct log_cell cells[2];
};
void bench_rows(struct bench_rows *rows, uint64_t group, uint32_t first);

/* Declare rows of one slice, or fail the test. */
struct log_intent *bench_declare(struct bench *bench, uint64_t group, uint32_t first,
				 bool *covered_out);
void bench_ask(struct bench *bench, struct log_intent *intent);

/* How often the record names the slice. */
uint32_t record_names(const struct log_record *record, uint64_t group, uint32_t first);

/* Run `run(bench)` as the first task of an env_sim of this seed, with `count` disks and a log. */
void bench_run(void (*run)(struct bench *bench), uint64_t seed, uint32_t count, uint32_t tolerance);

#endif

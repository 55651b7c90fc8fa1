/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The intent log: writers name what they are going to change, one record on the disks serves all who wait
 * (SPEC 5.1, invariants I1 to I8; docs/WRITES.md). It names; it knows neither codes nor recovery.
 *
 *	intent = intent_log_declare(rows)	into the accumulation record, in memory
 *	intent_log_ask(intent)			wait until a durable record names it
 *	... write, flush the members ...
 *	intent_log_clean(intent)		out of the accumulation record; the next record omits it
 *
 * The first who waits writes the record for all who declared until then; who declares meanwhile is in
 * the next one. No task of its own. Rows that several writers declared are named as often (counted).
 * After an error of intent_log_ask() nothing of that intent may be written.
 *
 * Safe for any number of tasks.
 */
#ifndef PG_STORE_INTENT_LOG_H
#define PG_STORE_INTENT_LOG_H

#include "core/dev/dev.h"
#include "core/store/log_record.h"

struct intent_log; /* opaque */
struct log_intent; /* opaque: one declared rows or page; owned by the log */

/* A member in service, in ascending slot order. */
struct log_member {
	struct dev *dev; /* borrowed */
	uint32_t slot;
	uint64_t offset; /* of the log region */
};

struct intent_log_config {
	struct env *env;
	struct uuid array;
	uint64_t slot_size;  /* bytes: half of the log region */
	uint32_t tolerance;  /* p: a record goes to p+1 members, at least 2 where there are 2 */
	uint64_t generation; /* log_found.generation_seen; the first record takes the next one */
	const bool *suspect; /* borrowed: log_record.suspect of all records; NULL: false */
	uint64_t flush_delay_ns; /* wait so long for more writers before a record; 0 */
	/*
	 * A member failed to take a record. Called without locks; takes it out of service durably (a
	 * commit) and calls intent_log_set_members(). Returns 0, or why the log cannot go on.
	 */
	int (*member_failed)(void *arg, uint32_t slot, int code, struct err *err);
	void *arg;
};

int intent_log_create(struct intent_log **log_out, const struct intent_log_config *config,
		      struct err *err) MUST_CHECK;
void intent_log_free(struct intent_log *log); /* writes nothing */

/*
 * Who is in service from now on, and in which epoch. The next ask or flush of anybody writes a record to
 * the new set first, also when the old ones name all (SPEC 5.2, "after a disk is lost while running").
 */
void intent_log_set_members(struct intent_log *log, const struct log_member *members,
			    uint32_t count, uint64_t epoch);

/*
 * Name rows. Copies `rows` and its cells; `content`, if any, is borrowed until intent_log_clean().
 * *covered_out: a durable record, and the one being written if any, name these rows already and
 * `rows->cells` stay below its generation limit, so the caller need not ask (claim 10, I5).
 * Returns 0, ERR_NOMEM, or ERR_LIMIT when a record would no longer fit its slot: checkpoint first.
 */
int intent_log_declare(struct intent_log *log, const struct log_rows *rows,
		       struct log_intent **intent_out, bool *covered_out) MUST_CHECK;
/* Name a page image; `page->content` is borrowed until intent_log_clean(). */
int intent_log_declare_page(struct intent_log *log, const struct log_page *page,
			    struct log_intent **intent_out) MUST_CHECK;

/* Wait until it is durable; writes the record unless another task does. Returns 0 or why it cannot be. */
int intent_log_ask(struct intent_log *log, struct log_intent *intent, struct err *err) MUST_CHECK;

/*
 * The rows are in place and flushed, only their seals are late. Later records say so and do without the content.
 * The rows stay named; the content is no longer borrowed.
 */
void intent_log_note_done(struct intent_log *log, struct log_intent *intent);

/* Clean: the next record no longer names it. The intent is gone. */
void intent_log_clean(struct intent_log *log, struct log_intent *intent);

/*
 * Write a record now if what the disks say differs from the accumulation record. `everywhere`: to all
 * members in service, not only to the copies (end of a session, change of members).
 */
int intent_log_flush(struct intent_log *log, bool everywhere, struct err *err) MUST_CHECK;

/* What is going on, for status, tests and the checkpoint. */
struct intent_log_state {
	uint64_t generation; /* of the newest durable record; 0: none of this session */
	uint32_t intents;    /* in the accumulation record */
	uint64_t bytes;      /* that the next record would have */
	uint64_t content;    /* of these, contents of rows and page images; the others name */
	uint64_t cells;      /* that are named */
	uint64_t bytes_max;  /* of a record */
	uint64_t records;    /* written in this session */
	uint64_t asks;       /* served in this session */
	uint64_t flushes;    /* of devices, for records */
};
void intent_log_state(struct intent_log *log, struct intent_log_state *state_out);

/*
 * Reading, at open and for `log show`: every slot of every member.
 */
struct log_copy {
	uint32_t member; /* slot number of the member */
	uint32_t slot;   /* 0 or 1 */
	bool header;     /* a whole header of this array is there */
	bool read;       /* the whole record was read: older ones are not, unless asked for */
	bool valid;      /* it verifies */
	int code;        /* what is wrong: ERR_ code, ERR_NOT_FOUND when there is none, else 0 */
	uint64_t generation, epoch, size; /* where header is set */
};
struct log_found {
	struct log_copy copies[MEMBERS_MAX * LOG_SLOTS];
	uint32_t copy_count;
	struct log_record record; /* the newest valid one; generation 0: none */
	uint8_t *bytes;           /* that `record` borrows from; owned */
	/*
	 * No record has a greater one, damaged ones included, and the next generation does not lie in the slot
	 * of `record`. So a log that goes on from here leaves `record` whole until it has one of its own.
	 */
	uint64_t generation_seen;
	/*
	 * A newer record may have been complete, and none of its copies verifies: all that were to get it have
	 * a damaged slot, or are missing. A member whose slot holds an older record, or none, or one that is torn,
	 * proves that nobody was released by a newer one.
	 */
	bool suspect;
	/*
	 * A newer record is torn on a member: its header is whole, the rest is not, as a power loss leaves what was
	 * being written. Were it damage of a complete record, then that of every copy, which is more than the
	 * array survives.
	 */
	bool torn;
	/* A member has records, and not the one that counts: without the copies of this one they would count. */
	bool lagging;
};

/*
 * Find the newest record: the first block of every slot, then whole records from the greatest (epoch, generation)
 * down until one verifies. Members that cannot be read are no error (log_copy.code). Returns 0;
 * ERR_VERSION when a newer program wrote one; ERR_NOMEM. `log_found` is large: not for a small stack.
 */
int intent_log_read(struct log_found *found_out, const struct log_member *members, uint32_t count,
		    const struct uuid *array, uint64_t slot_size, struct err *err) MUST_CHECK;
/* Read every whole record as well, so that `read` is set wherever `header` is. 0 or ERR_NOMEM. */
int intent_log_read_rest(struct log_found *found, const struct log_member *members, uint32_t count,
			 const struct uuid *array, uint64_t slot_size, struct err *err) MUST_CHECK;
void log_found_reset(struct log_found *found);

#endif

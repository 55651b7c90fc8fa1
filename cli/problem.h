/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What can be wrong with an array that opens: stable codes for status, beside those of errors
 * (core/base/err.h). `pgctl explain` knows both.
 */
#ifndef PG_CLI_PROBLEM_H
#define PG_CLI_PROBLEM_H

#include "cli/command.h"
#include "core/array/array.h"

/* X(CODE, "stable-name", "what it means", "what to do") */
#define PROBLEM_LIST(X)                                                                            \
	X(MEMBER_MISSING, "member-missing", "a member was not found",                              \
	  "name it with --member, or rebuild its data with pgctl rebuild ARRAY MEMBER")            \
	X(MEMBER_FAILED, "member-failed", "a member was declared failed and is not used",          \
	  "pgctl rebuild ARRAY MEMBER --to NEW")                                                   \
	X(MEMBER_OFFLINE, "member-offline", "a member was taken offline",                          \
	  "pgctl online ARRAY MEMBER")                                                             \
	X(MEMBER_TRUNCATED, "member-truncated", "a member is smaller than when it joined",         \
	  "restore the image, or pgctl rebuild ARRAY MEMBER --to NEW")                             \
	X(MEMBER_DAMAGED, "member-damaged", "the metadata of a member cannot be used",             \
	  "pgctl inspect FILE; then pgctl rebuild ARRAY MEMBER --to NEW")                          \
	X(MEMBER_STALE, "member-stale", "a member missed changes of the array",                    \
	  "the next command that writes brings it up to date: pgctl online ARRAY MEMBER")          \
	X(MEMBER_OLD, "member-too-old", "a member is older than what the array remembers",         \
	  "pgctl rebuild ARRAY MEMBER --to NEW")                                                   \
	X(EXTENTS_STALE, "extents-stale", "extents on a member missed writes and are not used",    \
	  "pgctl rebuild ARRAY MEMBER")                                                            \
	X(VOLUME_BROKEN, "volume-broken", "data of a volume can neither be read nor rebuilt",      \
	  "bring missing members back; pgctl scrub ARRAY lists what is lost")                      \
	X(UNUSED_MEMBER, "unused-member",                                                          \
	  "sequential groups have one width, and so many members fill no set of it",               \
	  "add members until they fill a set: pgctl add ARRAY MEMBER")                             \
	X(LOG_PENDING, "log-pending",                                                              \
	  "writes were interrupted: the intent log names rows that recovery has to look at",       \
	  "the next command that writes recovers them; pgctl log show ARRAY lists them")           \
	X(LOG_DAMAGED, "log-damaged",                                                              \
	  "a record of the intent log was damaged on every member that was there",                 \
	  "bring missing members back; then pgctl scrub ARRAY --repair")                           \
	X(ROWS_LOST, "rows-lost",                                                                  \
	  "blocks that were being written cannot be known any more, and reading them fails",       \
	  "bring missing members back before anything is written, or write the blocks again")      \
	X(JOB_UNFINISHED, "job-unfinished", "a job was begun and has not ended",                   \
	  "unless it is running now: give the same command again, or pgctl job cancel ARRAY JOB")  \
	X(BAD_BLOCKS, "bad-blocks",                                                                \
	  "the array's own list names areas of a member that could not be written: they are not "  \
	  "read",                                                                                  \
	  "get what is needed while the other members are there; pgctl inspect MEMBER lists them") \
	X(UNCLEAN, "unclean",                                                                      \
	  "the array was not stopped in order: checks may not fit the data where it was written",  \
	  "pgctl scrub --check ARRAY shows where; while a member is missing what it held there "   \
	  "is unproven")                                                                           \
	X(LOG_REPLAYED, "log-replayed",                                                            \
	  "the array's own log named writes that were interrupted; they were completed in memory", \
	  "nothing has to be done to read; assembling the array on its own system does the same")  \
	X(JOURNAL_MISSING, "journal-missing",                                                      \
	  "the array has a write journal, which was not found: the last writes may be in it "      \
	  "alone",                                                                                 \
	  "name the journal's file with --member")                                                 \
	X(NOT_COMMITTED, "not-committed",                                                          \
	  "the array was adopted from other software, and can still be given back",                \
	  "pgctl adopt --commit ARRAY keeps it, pgctl adopt --undo ARRAY gives it back")           \
	X(BEING_UNDONE, "being-undone",                                                            \
	  "the array is being given back to the software that made it: nothing is read from it",   \
	  "pgctl adopt --undo ARRAY goes on with it")                                              \
	X(NO_SEALS, "no-seals",                                                                    \
	  "data still lie as other software put them, without seals: damage that no read error "   \
	  "shows is located by equations alone",                                                   \
	  "pgctl migrate ARRAY VOLUME --layout parity")                                            \
	X(RESHAPE_UNFINISHED, "reshape-unfinished",                                                \
	  "the array was changing its shape: both sides of the position are read as they are",     \
	  "nothing has to be done to read; the system that made the array finishes it")            \
	X(RESHAPE_IN_DOUBT, "reshape-in-doubt",                                                    \
	  "the array was being reshaped in place: behind the position data may be half moved, "    \
	  "and whole only in the backup file of mdadm",                                            \
	  "work on copies of the members: mdadm --assemble --backup-file=FILE puts them back")

#define PROBLEM_ENUM(code, name, sentence, hint) PROBLEM_##code,
enum problem_code { PROBLEM_LIST(PROBLEM_ENUM) PROBLEM_COUNT };
#undef PROBLEM_ENUM

const char *problem_name(enum problem_code code);
const char *problem_sentence(enum problem_code code);
const char *problem_hint(enum problem_code code);
/* The code of a stable name, or PROBLEM_COUNT. */
enum problem_code problem_from_name(const char *name);

/* One thing that is wrong, with the command that helps in terms of this array. */
struct problem {
	enum problem_code code;
	char text[300];
	char try[400];
};
struct problems {
	struct problem *at; /* released by problems_reset() */
	size_t count;
	bool failed; /* one was lost for lack of memory */
};
/*
 * Everything that is wrong with `array`, but for what only those who made it know (md_problem.h); `name` is how the operator names
 * it. ERR_NOMEM at worst.
 */
int problems_find(struct problems *problems_out, const struct invocation *inv,
		  const struct array *array, const char *name, struct err *err) MUST_CHECK;
/* One more, as printf() would say it, and what to do; NULL and `failed` without memory, which problem_try() takes. */
struct problem *problems_add(struct problems *problems, enum problem_code code, const char *format,
			     ...) PRINTF_LIKE(3, 4);
void problem_try(struct problem *problem, const char *format, ...) PRINTF_LIKE(2, 3);
/* `name` as one word of a shell. */
struct text;
void problem_quote(struct text *text, const char *name);
void problems_reset(struct problems *problems);

#endif

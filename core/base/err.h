/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Errors: one list of codes, and the text of the error that happened.
 *
 * Whatever can fail returns 0 or a negative ERR_ code and takes a `struct err` as its last
 * parameter. The text is written once, by err_set(), where the facts are known; callers may put
 * context in front with err_prefix() and add facts, never replace it. err_set() escapes the
 * finished text, so no control character from a disk or a user ever reaches a terminal.
 *
 * `pgctl explain CODE` prints name, sentence and hint of each code.
 */
#ifndef PG_BASE_ERR_H
#define PG_BASE_ERR_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(string, first) __attribute__((format(printf, string, first)))

/* What an error means for the exit status. */
enum err_class {
	ERR_CLASS_OPERATIONAL = 8,
	ERR_CLASS_USAGE = 16,
	ERR_CLASS_ANSWER = 4, /* data lost, or the answer is no */
	ERR_CLASS_SIGNAL = 32,
};

/* X(CODE, "stable-name", class, "what it means", "what to do") */
#define ERR_LIST(X)                                                                                \
	X(NOMEM, "no-memory", ERR_CLASS_OPERATIONAL, "memory could not be allocated",              \
	  "free memory or close other programs, then run the command again")                       \
	X(USAGE, "usage", ERR_CLASS_USAGE, "the command line cannot be understood",                \
	  "pgctl help COMMAND shows operands and options")                                         \
	X(IO, "io", ERR_CLASS_OPERATIONAL, "a read, write or flush failed",                        \
	  "look at the host's log for the device, then pgctl status ARRAY")                        \
	X(NOSPACE, "no-space", ERR_CLASS_OPERATIONAL,                                              \
	  "the file system below a member, or the array itself, is full",                          \
	  "free space or add a member with pgctl add, then repeat the command")                    \
	X(CHECKSUM, "checksum", ERR_CLASS_OPERATIONAL,                                             \
	  "bytes on a member do not match their checksum", "pgctl scrub --check ARRAY")            \
	X(FORMAT, "format", ERR_CLASS_OPERATIONAL,                                                 \
	  "a record on a member is not valid, or overlaps another",                                \
	  "pgctl inspect MEMBER; pgctl check ARRAY")                                               \
	X(VERSION, "version", ERR_CLASS_OPERATIONAL,                                               \
	  "the member was written by a newer format or uses unknown features",                     \
	  "use a newer pgctl; nothing was written")                                                \
	X(NOT_MEMBER, "not-a-member", ERR_CLASS_OPERATIONAL, "the file holds no pgctl superblock", \
	  "pgctl inspect FILE shows what is there")                                                \
	X(NOT_FOUND, "not-found", ERR_CLASS_USAGE, "no such array, member, volume or file",        \
	  "pgctl status ARRAY lists members and volumes")                                          \
	X(EXISTS, "exists", ERR_CLASS_USAGE, "the name is in use", "choose another name")          \
	X(NAME, "name", ERR_CLASS_USAGE, "a name is empty, too long or not allowed",               \
	  "names have 1 to 255 bytes, no control characters and no slash")                         \
	X(SIZE, "size", ERR_CLASS_USAGE, "a size is too small, too large or not a multiple",       \
	  "sizes: 4K 1M 2G are powers of 1024, 4KB powers of 1000")                                \
	X(LIMIT, "limit", ERR_CLASS_USAGE, "a limit of the format or of this program is exceeded", \
	  "pgctl-layouts(7) lists the limits")                                                     \
	X(KIND, "file-kind", ERR_CLASS_USAGE, "a member must be a regular file or a block device", \
	  "name an image file, a block device or an NBD URI")                                      \
	X(ACCESS, "access", ERR_CLASS_OPERATIONAL, "the file cannot be opened as needed",          \
	  "check owner and mode of the file")                                                      \
	X(BUSY, "busy", ERR_CLASS_OPERATIONAL,                                                     \
	  "the array or device is in use by another process, a mount or the kernel",               \
	  "wait for the other process to end, or unmount the device")                              \
	X(IN_USE, "in-use", ERR_CLASS_OPERATIONAL,                                                 \
	  "the file already holds data that would be overwritten",                                 \
	  "check with pgctl inspect FILE, then repeat with --force")                               \
	X(DUPLICATE, "duplicate", ERR_CLASS_OPERATIONAL,                                           \
	  "one member appears twice: the same file, or a clone with the same uuid",                \
	  "move one of the two files out of the way, then repeat")                                 \
	X(MIXED, "mixed-arrays", ERR_CLASS_OPERATIONAL, "members of different arrays were named",  \
	  "name members of one array only; pgctl list DIR shows which belong together")            \
	X(FORK, "split-brain", ERR_CLASS_OPERATIONAL,                                              \
	  "two parts of the array were written separately",                                        \
	  "keep one side: move the members of the other away; nothing was written")                \
	X(TOO_FEW, "too-few-members", ERR_CLASS_ANSWER,                                            \
	  "too many members are missing to open the array",                                        \
	  "bring members back; pgctl status ARRAY shows which are missing")                        \
	X(STALE, "stale-member", ERR_CLASS_OPERATIONAL, "the member missed changes of the array",  \
	  "pgctl online ARRAY MEMBER, then rebuild")                                               \
	X(TRUNCATED, "truncated", ERR_CLASS_OPERATIONAL,                                           \
	  "a member is smaller than it was when the array was made",                               \
	  "restore the image, or rebuild it with pgctl rebuild ARRAY MEMBER --to NEW")             \
	X(STATE, "state", ERR_CLASS_OPERATIONAL,                                                   \
	  "the member, volume or job is not in a state that allows this",                          \
	  "pgctl status ARRAY shows the state and the next command")                               \
	X(DATA_LOST, "data-lost", ERR_CLASS_ANSWER,                                                \
	  "data cannot be read or rebuilt from what is left",                                      \
	  "bring members back; pgctl scrub --check ARRAY lists what is damaged")                   \
	X(UNSAFE, "unsafe", ERR_CLASS_ANSWER, "the request would leave data without protection",   \
	  "the message names what would be lost")                                                  \
	X(CONFIRM, "confirm", ERR_CLASS_USAGE,                                                     \
	  "the command destroys something and was not confirmed",                                  \
	  "repeat with --yes, or ask first with --plan")                                           \
	X(STOPPED, "stopped", ERR_CLASS_SIGNAL, "stopped by a signal; the state is saved",         \
	  "the same command goes on where it stopped")                                             \
	X(UNSUPPORTED, "unsupported", ERR_CLASS_USAGE, "not available for this array or build",    \
	  "pgctl help COMMAND")                                                                    \
	X(CHANGED, "changed", ERR_CLASS_OPERATIONAL, "the array changed while it was being read",  \
	  "run the command again")                                                                 \
	X(FOREIGN, "foreign", ERR_CLASS_USAGE,                                                     \
	  "other software made the array, so this cannot be done with it",                         \
	  "pgctl adopt ARRAY takes Linux MD over in place; or pgctl get ARRAY VOLUME -o FILE, "    \
	  "and "                                                                                   \
	  "pgctl put into an array of its own")                                                    \
	X(ADOPTED, "adopted", ERR_CLASS_USAGE,                                                     \
	  "the array was adopted: its data still lie as other software put them",                  \
	  "pgctl adopt --commit ARRAY, then pgctl migrate; or pgctl adopt --undo MEMBER...")       \
	X(TIMEOUT, "timeout", ERR_CLASS_OPERATIONAL,                                               \
	  "a member gave no answer within --member-timeout",                                       \
	  "look at the host's log for the device; what hangs keeps the member's lock")

#define ERR_ENUM(code, name, class, text, hint) ERR_INDEX_##code,
enum err_index { ERR_INDEX_NONE, ERR_LIST(ERR_ENUM) ERR_INDEX_COUNT };
#undef ERR_ENUM

#define ERR_VALUE(code, name, class, text, hint) ERR_##code = -(int)ERR_INDEX_##code,
enum err_code { ERR_LIST(ERR_VALUE) };
#undef ERR_VALUE

#define ERR_FACTS_MAX 6 /* no message has named more than four */

struct err_fact {
	char name[24];
	char value[200];
};

/* Zero-initialised by whoever owns it. `code` is 0 while nothing failed. */
struct err {
	int code;
	char text[600];
	char hint[300]; /* the command that helps; empty: the code's own hint */
	unsigned fact_count;
	struct err_fact facts[ERR_FACTS_MAX];
};

/* Set code and text; returns `code`. Control characters in the text are escaped. */
int err_set(struct err *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Put "context: " in front of the text; returns err->code. */
int err_prefix(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Name the command that helps, and a fact as name and value; both return err->code. */
int err_hint(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
int err_fact(struct err *err, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* Facts of a code; never NULL, "unknown" for a number that is none. */
const char *err_name(int code);
const char *err_sentence(int code);
const char *err_code_hint(int code);
enum err_class err_class(int code);

/* The code of a stable name, or 0. */
int err_from_name(const char *name);

/*
 * Copy `size` bytes of `text` to `out` with control characters, DEL, C1, bidi controls and
 * invalid UTF-8 as \xNN; cut with "..." to fit `out_size`; always terminated.
 */
void err_escape(char *out, size_t out_size, const char *text, size_t size);

#endif

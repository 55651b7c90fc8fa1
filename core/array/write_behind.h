/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes that are acknowledged when their content is in a durable record (--journal small): here they wait,
 * with their row locks held, until a task of the array's own brings them to their place, many in one batch.
 *
 * Bounded: who would pass BEHIND_MAX writes or BEHIND_BYTES_MAX waits. Where the file system below is full they
 * are tried again until there is space; meanwhile whoever wants those rows, or waits for them here, gets
 * ERR_NOSPACE. Closing the array leaves them where they are: the record names them, and the next open puts them
 * in place.
 */
#ifndef PG_ARRAY_WRITE_BEHIND_H
#define PG_ARRAY_WRITE_BEHIND_H

#include "core/array/row_lock.h"
#include "core/array/write_run.h"

#define BEHIND_MAX 64u
#define BEHIND_BYTES_MAX (UINT64_C(1) << 20)

struct behind; /* opaque: one write, with the memory that it needs to be left behind */

struct behind *behind_create(void); /* NULL without memory */
void behind_free(struct behind *behind);
struct row_lock *behind_lock(struct behind *behind);

int write_behind_create(struct array *array) MUST_CHECK;
void write_behind_free(struct array *array); /* abandons what waits */

/*
 * Take over the writer's run with its buffers and its intent, and the row lock that behind_lock() holds. False
 * when it cannot be: then nothing was taken. May wait for room.
 */
bool write_behind_add(struct array *array, struct behind *behind, struct row_writer *writer);

/*
 * Wait until what is behind now is in its place: a reader who begins after a write was acknowledged finds it.
 * Without memory of who wrote what, so it also waits for other rows. Returns 0, or the error of a try meanwhile:
 * then what is behind may be of the groups that write_behind_holds() says, and of no others.
 */
int write_behind_wait(struct array *array, struct err *err) MUST_CHECK;
bool write_behind_holds(struct array *array, uint64_t group);

/*
 * Wait until what is behind now is in its place. Returns 0, or why it did not get there: ERR_NOSPACE after one
 * more try, or what made the last ones fail for good.
 */
int write_behind_drain(struct array *array, struct err *err) MUST_CHECK;

/* Somebody waits for rows that may be behind: no more gathering of further writes. Does not wait. */
void write_behind_hurry(struct array *array);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What all in-place writers of an array share: the intent log, its room, and when seals must be written.
 *
 *	write_state_create()	with the array; no I/O
 *	write_state_begin()	by every write: there is a log, and it knows the members
 *	write_state_declare()	name rows; waits for room in the log
 *	write_state_done()	the rows are in the seal cache, or stay named for good
 *	write_state_stall()	meanwhile: they cannot get there now
 *	write_state_tidy()	a checkpoint, when one is due
 *	write_state_free()	writes nothing: what is named stays named
 */
#ifndef PG_ARRAY_WRITE_STATE_H
#define PG_ARRAY_WRITE_STATE_H

#include "core/array/array_internal.h"
#include "core/store/intent_log.h"

int write_state_create(struct array *array) MUST_CHECK;
void write_state_free(struct array *array);

/* Returns 0, ERR_NOMEM, or why the array is read-only. */
int write_state_begin(struct array *array, struct err *err) MUST_CHECK;

/*
 * Name rows as intent_log_declare(), and keep room for a checkpoint. Returns 0; ERR_LIMIT when the rows are too
 * many for a record: fewer are to be written at once; ERR_NOSPACE when the log is full of rows that could
 * not be written, or cannot be now; or the error of a checkpoint.
 */
int write_state_declare(struct array *array, const struct log_rows *rows,
			struct log_intent **intent_out, bool *covered_out,
			struct err *err) MUST_CHECK;
void write_state_done(struct array *array);
/* Those who hold room cannot give it up now: nobody waits for it, but gets this error. NULL: they can again. */
void write_state_stall(struct array *array, const struct err *why);

void write_state_tidy(struct array *array);

#endif

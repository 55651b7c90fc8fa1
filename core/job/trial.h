/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Trial: a copy of an array's groups and free space, on which moves are tried before the first is done.
 *
 *	trial_create()
 *	trial_move()	one after the other, in the order in which they would be done
 *	trial_free()
 *
 * It chooses as the moves themselves do (allocate.h), chain moves included, so what fits here fits there as
 * long as nothing else changes. No I/O.
 */
#ifndef PG_JOB_TRIAL_H
#define PG_JOB_TRIAL_H

#include "core/array/array_internal.h"

struct trial; /* opaque */

/* `array` is borrowed and does not change meanwhile. Returns 0, ERR_NOMEM, or ERR_FORMAT. */
int trial_create(struct trial **trial_out, const struct array *array, struct err *err) MUST_CHECK;
void trial_free(struct trial *trial);

/* Give a column of a group another place, on `to` or, with MEMBER_NONE, wherever there is room. */
bool trial_move(struct trial *trial, uint64_t group, uint32_t column, uint32_t to);

#endif

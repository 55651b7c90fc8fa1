/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One slice that a log record names: in which state is it, and how does it become whole?
 *
 * The entries that name it, oldest first, are the states it may be in: all of them done, all but the newest,
 * and so on down to none. A state says of each cell what it must be: the newest entry up to there, else its
 * seal. Cells that are otherwise are erasures; if the code rebuilds all of them, and what it rebuilds fits
 * what is known of it, that is the state, and it is written whole. If none is, data are kept as they
 * are found and checks made anew of them; what cannot be known is lost, and its seal says so.
 *
 * Only cells that the entries name ever change. Afterwards the entries say what the cells are now.
 */
#ifndef PG_ARRAY_RECOVER_SLICE_H
#define PG_ARRAY_RECOVER_SLICE_H

#include "core/array/recover_slice_types.h"

/* Buffers; for zero or more slices of one group. */
int slice_work_create(struct slice_work **work_out, const struct rows *rows) MUST_CHECK;
void slice_work_free(struct slice_work *work);

/*
 * Recover it, in the window and in what the entries say; the members have it when the blocks that changed are
 * written. Returns 0 or ERR_NOMEM.
 */
int slice_recover(struct slice_work *work, const struct slice_request *request) MUST_CHECK;

#endif

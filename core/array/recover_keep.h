/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the cells of a slice become, after a state was tried (recover_slice.c): the one that fits and what the
 * record has the content of on top of it, or, where none fits, data as they are found and checks of them.
 */
#ifndef PG_ARRAY_RECOVER_KEEP_H
#define PG_ARRAY_RECOVER_KEEP_H

#include "core/array/recover_slice_types.h"

/* Fills work->image and work->known, and says which named cells nobody knows any more (poisoned). */
void recover_keep(struct slice_work *work);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was read of a slice and nobody is known to have written is read once more, before recovery believes it. */
#ifndef PG_ARRAY_RECOVER_REREAD_H
#define PG_ARRAY_RECOVER_REREAD_H

#include "core/array/recover_slice_types.h"

/* Cells of the slice as they were found, in `work`; those on usable columns. */
void recover_reread(struct slice_work *work, uint8_t block[static BLOCK_SIZE]);

#endif

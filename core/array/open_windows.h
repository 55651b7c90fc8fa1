/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Members of an array of ours that has bare groups (docs/ADOPT.md): seen through their windows, the whole member first, with
 * its own addresses, then those of its bare extents. Without bare groups devices stay as they are, and as fast.
 */
#ifndef PG_ARRAY_OPEN_WINDOWS_H
#define PG_ARRAY_OPEN_WINDOWS_H

#include "core/array/array.h"

/* All members that are here, or the one that was put in its place just now. Returns 0 or ERR_NOMEM. */
int array_windows_open(struct array *array, struct err *err) MUST_CHECK;
int array_windows_open_member(struct array *array, uint32_t slot, struct err *err) MUST_CHECK;

/* The map's windows have changed, and nobody reads bare groups meanwhile. Returns 0 or ERR_NOMEM. */
int array_windows_renew(struct array *array, struct err *err) MUST_CHECK;

/* Take it off again, for a device that goes back to whoever opened it. */
void array_windows_peel(struct array *array);
void array_windows_peel_member(struct array *array, uint32_t slot);

#endif

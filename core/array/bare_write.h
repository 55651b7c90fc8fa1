/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A session of writes to bare groups: repairs and rebuilds, nothing else ever writes to them. Keeps the order of
 * core/store/foreign.h: dirty mark, data, flush, clean mark; each durable before the next. Groups of an array of ours
 * (docs/ADOPT.md) need no marks.
 *
 *	bare_write()		marks dirty first, once a session; any task
 *	bare_write_in_step()	when every row of the whole array was compared and holds
 *	bare_write_end()	flushes what was written, then marks clean; where a write or flush failed the mark stands
 */
#ifndef PG_ARRAY_BARE_WRITE_H
#define PG_ARRAY_BARE_WRITE_H

#include "core/array/array.h"
#include "core/dev/dev.h"

/* May the array be written? ERR_STATE when it is open for reading, ERR_FOREIGN when nobody can mark what needs it. */
int bare_write_check(const struct array *array, struct err *err) MUST_CHECK;

/* One operation on a member in service; `io` has device, offset, memory. The array passes bare_write_check(). */
int bare_write(struct array *array, uint32_t slot, struct io *io, struct err *err) MUST_CHECK;

/* All rows of this member are there: flush it and let the hook say so. */
int bare_write_member_in(struct array *array, uint32_t slot, struct err *err) MUST_CHECK;

/* The end of the session will say so; one is begun where that is news. The array passes bare_write_check(). */
int bare_write_in_step(struct array *array, struct err *err) MUST_CHECK;

/* Without a write before it does nothing. */
int bare_write_end(struct array *array, struct err *err) MUST_CHECK;

#endif

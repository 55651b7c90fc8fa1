/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes that are durable on every member that is still in service when they are done (docs/WRITES.md
 * section 6): a batch of writes, then a flush of those members.
 */
#ifndef PG_ARRAY_WRITE_THROUGH_H
#define PG_ARRAY_WRITE_THROUGH_H

#include "core/array/array_internal.h"

/*
 * Run the writes, then flush the members they went to. A member that fails is taken out of service, in a
 * commit, before this returns; then its writes are missing and the caller looks at who is left.
 *
 * Returns 0; ERR_NOSPACE, which is no fault of a member: some writes may be there and others not; or the
 * error of the commit.
 */
int array_write_through(struct array *array, struct io *ios, size_t count,
			struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies columns of bare groups to their new places (core/map/room.h). What cannot be read is solved; where a block of one
 * is lost nothing moves.
 */
#ifndef PG_JOB_ROOM_WRITE_H
#define PG_JOB_ROOM_WRITE_H

#include "core/array/array.h"
#include "core/map/room.h"

/*
 * Write and flush. Returns 0, ERR_NOMEM, ERR_DATA_LOST, or the error of the member that cannot be written; *bytes_read_out
 * is what was read.
 */
int room_write(struct array *array, const struct room *room, uint64_t *bytes_read_out,
	       struct err *err) MUST_CHECK;

#endif

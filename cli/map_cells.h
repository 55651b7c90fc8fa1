/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What more than one command shows of a map, as cells of its lists: the same everywhere. */
#ifndef PG_CLI_MAP_CELLS_H
#define PG_CLI_MAP_CELLS_H

#include "cli/output.h"
#include "core/array/array.h"

/* A member's number; nothing for MEMBER_NONE. */
void cells_slot(struct out *out, uint32_t slot);

/* A list of members: [{"slot": 0}, …], in text "0; …". */
void cells_slots(struct out *out, const char *key, struct member_set slots);

/* Eight cells: id, kind, state, from, to, done, total, started. */
void cells_job(struct out *out, const struct job *job);

#endif

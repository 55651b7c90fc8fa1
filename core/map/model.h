/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A model: a copy of a map with its free space, on which changes are tried before the first is done.
 *
 *	model_create()
 *	model_move(), or any edit of model->places	one after the other, as they would be done
 *	model_free()
 *
 * What fits here fits there, as long as nothing else changes: the same functions choose the places. No I/O.
 */
#ifndef PG_MAP_MODEL_H
#define PG_MAP_MODEL_H

#include "core/map/places.h"

struct model {
	struct places places; /* map and space are the model's own */
};

/* Returns 0, ERR_NOMEM, or ERR_FORMAT. */
int model_create(struct model **model_out, const struct places *from, struct err *err) MUST_CHECK;
void model_free(struct model *model);

/*
 * Give a column of a group another place, on `to` or, with MEMBER_NONE, wherever there is room, if need be
 * by a chain move (allocate.h). Its old place stays taken: it is free only after the next commit.
 */
bool model_move(struct model *model, uint64_t group, uint32_t column, uint32_t to);

#endif

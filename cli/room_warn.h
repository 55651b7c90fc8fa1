/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Warnings before everything cannot be protected again after a loss (SPEC 4.3). */
#ifndef PG_CLI_ROOM_WARN_H
#define PG_CLI_ROOM_WARN_H

#include "cli/command.h"
#include "core/array/array.h"

/* Could all be protected again after the loss of any member? Say so on stderr if not, unless `before` said it. */
bool room_is_short(const struct array *array);
void room_warn(const struct invocation *inv, const struct array *array, bool before);

#endif

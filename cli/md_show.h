/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an opened Linux MD array is and who its members are, as status and assemble show it. */
#ifndef PG_CLI_MD_SHOW_H
#define PG_CLI_MD_SHOW_H

#include "cli/md_view.h"
#include "cli/output.h"
#include "core/array/array.h"

/* "format": level, layout, chunk and what else its superblocks say of the array. */
void md_show_format(struct out *out, const struct md_view *view);

/* "members" of status: first those in slots, in their order, then spares, the journal and who does not count. */
void md_show_status_members(const struct invocation *inv, const struct array *array,
			    const struct md_view *view);

/* "members" of assemble: the same order, with what makes each count or not. */
void md_show_members(struct out *out, const struct md_view *view);

#endif

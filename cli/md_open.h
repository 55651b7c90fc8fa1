/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A Linux MD array as an open array: what members.h opens when the members found are MD's. To read, or to repair and
 * rebuild: then its superblocks are kept by formats/md_write.h, whose refusals are these too.
 */
#ifndef PG_CLI_MD_OPEN_H
#define PG_CLI_MD_OPEN_H

#include "cli/md_view.h"
#include "cli/member_stack.h"

/*
 * `view` is borrowed for as long as the array; what was done for it is noted there. Members that cannot be opened are left out, with a warning. ERR_TOO_FEW
 * unless for ACCESS_SALVAGE. For ACCESS_WRITE all members have to open.
 */
int md_open(struct array **array_out, const struct invocation *inv, struct md_view *view,
	    const struct open_how *how, struct err *err) MUST_CHECK;

#endif

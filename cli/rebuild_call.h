/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the words of rebuild and replace ask for, of arrays of any maker. */
#ifndef PG_CLI_REBUILD_CALL_H
#define PG_CLI_REBUILD_CALL_H

#include <stdbool.h>
#include <stdint.h>

struct rebuild_call {
	const char *from; /* MEMBER; NULL: the only one that is lost */
	const char *to;   /* MEMBER or PATH; NULL: a spare, or what an unfinished job says */
	bool into_free;
	bool group_buffer;
	bool resume;   /* go on with what was begun; else begin */
	bool replace;  /* replace: begin only what is named */
	uint64_t size; /* of an image to make; 0: as large as the lost member */
};

#endif

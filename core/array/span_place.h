/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the blocks of a span lie. Pure. */
#ifndef PG_ARRAY_SPAN_PLACE_H
#define PG_ARRAY_SPAN_PLACE_H

#include "core/map/map.h"

/* Where block `block` of the span lies, and how many blocks follow it there in a row. */
struct span_place {
	uint32_t position; /* extent of the span */
	uint32_t block;    /* of its body */
	uint32_t run;
};
struct span_place span_locate(const struct span *span, uint32_t data_blocks, uint64_t block);

#endif

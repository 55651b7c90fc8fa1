/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/span_place.h"

#include <assert.h>

struct span_place span_locate(const struct span *span, uint32_t data_blocks, uint64_t block)
{
	uint64_t unit = span->unit_blocks ? span->unit_blocks : data_blocks;

	assert(unit > 0 && span->extent_count > 0); /* map_check() saw to it */
	uint64_t stripe = block / (unit * span->extent_count);

	return (struct span_place){
		.position = (uint32_t)(block / unit % span->extent_count),
		.block = (uint32_t)(stripe * unit + block % unit),
		.run = (uint32_t)(unit - block % unit),
	};
}

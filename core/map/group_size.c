/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/group_size.h"

#include "core/base/size.h"

#include <assert.h>

static uint64_t body_room(const struct geometry *geometry, uint8_t size_class)
{
	return (uint64_t)geometry->frame_body_blocks << size_class;
}

/* The smallest class whose body holds `blocks`, at most class_max. */
static uint8_t class_for(const struct geometry *geometry, uint64_t blocks, uint8_t class_max)
{
	uint8_t size_class = 0;

	while (size_class < class_max && body_room(geometry, size_class) < blocks)
		size_class++;
	return size_class;
}

/* One data column: plain and mirror. */
static struct group_size size_single(const struct geometry *geometry, uint32_t columns,
				     uint8_t class_max, uint64_t blocks)
{
	struct group_size size = { .columns = columns, .columns_min = columns };

	size.size_class = class_for(geometry, blocks, class_max);
	size.body_blocks = (uint32_t)size_min(blocks, body_room(geometry, size.size_class));
	size.segment_blocks = size.body_blocks;
	size.data_blocks = size.body_blocks;
	return size;
}

static struct group_size size_sequential(const struct policy *policy,
					 const struct geometry *geometry, uint32_t columns,
					 uint8_t class_max, uint64_t blocks)
{
	struct group_size size = { .columns = columns, .columns_min = columns };
	uint64_t segments = (uint64_t)policy->checks * columns;
	uint64_t data_segments = (uint64_t)policy->checks * (columns - 1) * columns;
	uint64_t wanted = size_divide_up(blocks, data_segments);

	size.size_class = class_for(geometry, wanted * segments, class_max);
	size.segment_blocks =
		(uint32_t)size_min(wanted, body_room(geometry, size.size_class) / segments);
	size.body_blocks = (uint32_t)(size.segment_blocks * segments);
	size.data_blocks = size.segment_blocks * data_segments;
	return size;
}

static struct group_size size_parity(const struct policy *policy, const struct geometry *geometry,
				     uint32_t columns, uint8_t class_max, uint64_t blocks)
{
	struct group_size size = { .columns_min = policy->checks + 1u };
	uint32_t unit = policy->unit_blocks;
	uint64_t data = columns - policy->checks;

	/* The largest extents that full columns fill. */
	size.size_class = class_max;
	while (size.size_class > 0 && body_room(geometry, size.size_class) * data > blocks)
		size.size_class--;
	uint64_t room = body_room(geometry, size.size_class);
	if (room < unit) /* small extents hold no whole unit of the policy: one of their own */
		unit = (uint32_t)room;
	room -= room % unit;
	if (room * data > blocks) { /* the rest: as few columns as hold it */
		data = size_divide_up(blocks, room);
		room = size_divide_up(blocks, data);
		if (room > unit)
			room = size_round_up(room, unit);
		else
			unit = (uint32_t)room;
	}
	size.columns = (uint32_t)data + policy->checks;
	size.body_blocks = size.segment_blocks = (uint32_t)room;
	size.unit_blocks = unit;
	size.data_blocks = room * data;
	return size;
}

struct group_size group_size_choose(const struct policy *policy, const struct geometry *geometry,
				    uint32_t columns, uint8_t class_max, uint64_t blocks)
{
	assert(blocks > 0);
	assert(columns > 0);

	switch (policy->layout) {
	case LAYOUT_PARITY:
		assert(columns > policy->checks);
		return size_parity(policy, geometry, columns, class_max, blocks);
	case LAYOUT_SEQUENTIAL:
		assert(columns >= 2);
		return size_sequential(policy, geometry, columns, class_max, blocks);
	case LAYOUT_MIRROR:
	case LAYOUT_PLAIN:
	case LAYOUT_COUNT:
		break;
	}
	return size_single(geometry, columns, class_max, blocks);
}

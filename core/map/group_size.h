/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Group size: how wide and how long a new group is for so many bytes. Pure.
 *
 * A group is full (the policy's columns and size class) while bytes last. What is left at the end goes
 * into smaller ones: full width in smaller extents, and at last as few columns as hold it (SPEC 4.3), so
 * a small file costs a small group, and a volume is a list of groups of different width and length.
 */
#ifndef PG_MAP_GROUP_SIZE_H
#define PG_MAP_GROUP_SIZE_H

#include "core/map/map.h"

struct group_size {
	uint32_t columns;
	uint32_t columns_min; /* fewer would not do: the code needs them */
	uint8_t size_class;
	uint32_t body_blocks;
	uint32_t segment_blocks;
	uint32_t unit_blocks; /* of the span; 0: whole data runs */
	uint64_t data_blocks; /* that it holds, in all data columns */
};

/*
 * The group for the next of `blocks` blocks (> 0), at most `columns` wide and in extents of at most
 * `class_max`. The policy was checked: columns suit the layout.
 */
struct group_size group_size_choose(const struct policy *policy, const struct geometry *geometry,
				    uint32_t columns, uint8_t class_max, uint64_t blocks);

#endif

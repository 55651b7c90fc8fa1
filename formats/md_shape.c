/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_shape.h"

#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 4096u /* the kernel's page: less is refused for what has parity or copies */

const char *md_level_name(int32_t level)
{
	switch (level) {
	case MD_FAULTY:
		return "faulty";
	case MD_MULTIPATH:
		return "multipath";
	case MD_LINEAR:
		return "linear";
	case MD_RAID0:
		return "raid0";
	case MD_RAID1:
		return "raid1";
	case MD_RAID4:
		return "raid4";
	case MD_RAID5:
		return "raid5";
	case MD_RAID6:
		return "raid6";
	case MD_RAID10:
		return "raid10";
	default:
		return NULL;
	}
}

static const char *rotation_name(int32_t level, uint32_t layout)
{
	static const char *const names[] = {
		[MD_LEFT_ASYMMETRIC] = "left-asymmetric",
		[MD_RIGHT_ASYMMETRIC] = "right-asymmetric",
		[MD_LEFT_SYMMETRIC] = "left-symmetric",
		[MD_RIGHT_SYMMETRIC] = "right-symmetric",
		[MD_PARITY_FIRST] = "parity-first",
		[MD_PARITY_LAST] = "parity-last",
		[MD_DDF_ZERO_RESTART] = "ddf-zero-restart",
		[MD_DDF_N_RESTART] = "ddf-N-restart",
		[MD_DDF_N_CONTINUE] = "ddf-N-continue",
		[MD_LEFT_ASYMMETRIC_6] = "left-asymmetric-6",
		[MD_RIGHT_ASYMMETRIC_6] = "right-asymmetric-6",
		[MD_LEFT_SYMMETRIC_6] = "left-symmetric-6",
		[MD_RIGHT_SYMMETRIC_6] = "right-symmetric-6",
		[MD_PARITY_FIRST_6] = "parity-first-6",
	};

	if (layout >= sizeof(names) / sizeof(names[0]))
		return NULL;
	return level == MD_RAID5 && layout > MD_PARITY_LAST ? NULL : names[layout];
}

bool md_raid10_of(struct md_raid10 *raid10_out, uint32_t layout)
{
	struct md_raid10 raid10 = {
		.near_copies = layout & 0xff,
		.far_copies = layout >> 8 & 0xff,
		.offset = layout >> 16 & 1,
		.far_sets = layout >> 17,
	};

	if (raid10.near_copies == 0 || raid10.far_copies == 0 || raid10.far_sets > 2)
		return false;
	*raid10_out = raid10;
	return true;
}

static void raid10_name(char *name, uint32_t layout)
{
	struct md_raid10 raid10;
	const char *far = layout >> 16 & 1 ? "offset" : "far";

	if (!md_raid10_of(&raid10, layout))
		name[0] = '\0';
	else if (raid10.far_copies == 1)
		snprintf(name, MD_LAYOUT_NAME_SIZE, "near=%u", raid10.near_copies);
	else if (raid10.near_copies == 1)
		snprintf(name, MD_LAYOUT_NAME_SIZE, "%s=%u", far, raid10.far_copies);
	else
		snprintf(name, MD_LAYOUT_NAME_SIZE, "near=%u, %s=%u", raid10.near_copies, far,
			 raid10.far_copies);
}

void md_layout_name(char name_out[static MD_LAYOUT_NAME_SIZE], int32_t level, uint32_t layout)
{
	const char *name = NULL;

	if (level == MD_RAID10) {
		raid10_name(name_out, layout);
		return;
	}
	if (level == MD_RAID5 || level == MD_RAID6)
		name = rotation_name(level, layout);
	else if (level == MD_RAID0 && layout == MD_RAID0_ORIGINAL)
		name = "original";
	else if (level == MD_RAID0 && layout == MD_RAID0_ALTERNATE)
		name = "alternate";
	snprintf(name_out, MD_LAYOUT_NAME_SIZE, "%s", name ? name : "");
}

bool md_level_named(int32_t *level_out, const char *name)
{
	static const int32_t levels[] = { MD_LINEAR, MD_RAID0, MD_RAID1, MD_RAID4,
					  MD_RAID5,  MD_RAID6, MD_RAID10 };

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		const char *whole = md_level_name(levels[i]);

		if (strcmp(name, whole) == 0 ||
		    (strncmp(whole, "raid", 4) == 0 && strcmp(name, whole + 4) == 0)) {
			*level_out = levels[i];
			return true;
		}
	}
	return false;
}

/* "near=2", "n2": which of three kinds, and how many copies. What follows, or NULL when it is none. */
static const char *copies_parse(const char *text, char *kind_out, uint32_t *copies_out)
{
	static const char *const kinds[] = { "near", "far", "offset" };
	char *end;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t size = strlen(kinds[i]);
		bool whole = strncmp(text, kinds[i], size) == 0 && text[size] == '=';
		const char *digits = whole ? text + size + 1 : text + 1;

		if ((!whole && text[0] != kinds[i][0]) || digits[0] < '1' || digits[0] > '9')
			continue;
		*kind_out = kinds[i][0];
		*copies_out = (uint32_t)strtoul(digits, &end, 10);
		return *copies_out <= UINT8_MAX && end - digits <= 3 ? end : NULL;
	}
	return NULL;
}

static bool raid10_named(uint32_t *layout_out, const char *name)
{
	uint32_t near = 1, far = 1, offset = 0, copies = 0;
	char kind = '\0';
	const char *rest = copies_parse(name, &kind, &copies);

	if (rest && kind == 'n' && rest[0] == ',') {
		near = copies;
		rest = copies_parse(rest + (rest[1] == ' ' ? 2 : 1), &kind, &copies);
		if (kind == 'n')
			return false;
	}
	if (!rest || rest[0] != '\0')
		return false;
	if (kind == 'n')
		near = copies;
	else
		far = copies;
	offset = kind == 'o';
	*layout_out = near | far << 8 | offset << 16;
	return true;
}

bool md_layout_named(uint32_t *layout_out, int32_t level, const char *name)
{
	static const char *const shorts[] = { "la", "ra", "ls", "rs" };
	char known[MD_LAYOUT_NAME_SIZE];

	if (level == MD_RAID10)
		return raid10_named(layout_out, name);
	for (uint32_t layout = 0; layout <= MD_PARITY_FIRST_6; layout++) {
		bool turns = level == MD_RAID5 || level == MD_RAID6;

		md_layout_name(known, level, layout);
		if ((known[0] && strcmp(known, name) == 0) ||
		    (turns && layout < sizeof(shorts) / sizeof(shorts[0]) &&
		     strcmp(shorts[layout], name) == 0)) {
			*layout_out = layout;
			return true;
		}
	}
	return false;
}

bool md_level_is_redundant(int32_t level)
{
	return level == MD_RAID1 || level == MD_RAID4 || level == MD_RAID5 || level == MD_RAID6 ||
	       level == MD_RAID10 || level == MD_CONTAINER;
}

static bool has_chunks(int32_t level)
{
	return level == MD_RAID0 || (level != MD_RAID1 && md_level_is_redundant(level));
}

static bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

static uint32_t disks_min(const struct md_shape *shape)
{
	struct md_raid10 raid10;

	switch (shape->level) {
	case MD_RAID4:
	case MD_RAID5:
		return 2;
	case MD_RAID6:
		return 4;
	case MD_RAID10:
		return md_raid10_of(&raid10, shape->layout) ? raid10.near_copies * raid10.far_copies
							    : 1;
	default:
		return 1;
	}
}

static bool layout_is_valid(const struct md_shape *shape)
{
	struct md_raid10 raid10;

	switch (shape->level) {
	case MD_RAID0:
		return shape->layout <= MD_RAID0_ALTERNATE;
	case MD_RAID5:
	case MD_RAID6:
		return rotation_name(shape->level, shape->layout) != NULL;
	case MD_RAID10:
		return md_raid10_of(&raid10, shape->layout);
	default:
		return true; /* it means nothing there */
	}
}

void md_shape_validate(struct md_faults *faults, const struct md_shape *shape,
		       const struct md_shape_fields *fields)
{
	if (!md_level_name(shape->level)) {
		md_fault(faults, fields->level, "level %" PRId32 " is none of Linux MD",
			 shape->level);
		return;
	}
	if (!layout_is_valid(shape))
		md_fault(faults, fields->layout, "layout 0x%x is none of %s", shape->layout,
			 md_level_name(shape->level));
	if (has_chunks(shape->level) &&
	    (shape->chunk_bytes < CHUNK_MIN || shape->chunk_bytes > INT32_MAX ||
	     shape->chunk_bytes % MD_SECTOR))
		md_fault(faults, fields->chunk, "chunk of %" PRIu64 " bytes", shape->chunk_bytes);
	else if (has_chunks(shape->level) && shape->level != MD_RAID0 &&
		 !is_power_of_two(shape->chunk_bytes))
		md_fault(faults, fields->chunk, "chunk of %" PRIu64 " bytes is no power of two",
			 shape->chunk_bytes);
	if (shape->raid_disks < disks_min(shape) || shape->raid_disks > MD_SLOTS_MAX)
		md_fault(faults, fields->raid_disks, "%u members, %s takes %u to %u",
			 shape->raid_disks, md_level_name(shape->level), disks_min(shape),
			 MD_SLOTS_MAX);
}

static bool is_valid(const struct md_shape *shape)
{
	static const struct md_shape_fields fields = { "level", "layout", "chunk", "raid_disks" };
	struct md_faults faults = { 0 };

	md_shape_validate(&faults, shape, &fields);
	return faults.count == 0;
}

/* Whole chunks of all copies, as many as the members' rows have in whole. */
static uint64_t raid10_chunks(const struct md_shape *shape, uint64_t member_chunks)
{
	struct md_raid10 raid10 = { .near_copies = 1, .far_copies = 1 };
	uint64_t cells;

	if (!md_raid10_of(&raid10, shape->layout) ||
	    !size_multiply(member_chunks / raid10.far_copies, shape->raid_disks, &cells))
		return 0;
	return cells / raid10.near_copies;
}

bool md_array_bytes(uint64_t *bytes_out, const struct md_shape *shape)
{
	uint64_t bytes, chunks;

	if (!is_valid(shape) || !size_multiply(shape->component_sectors, MD_SECTOR, &bytes))
		return false;
	chunks = shape->chunk_bytes ? bytes / shape->chunk_bytes : 0;
	switch (shape->level) {
	case MD_MULTIPATH:
	case MD_RAID1:
		*bytes_out = bytes;
		return true;
	case MD_RAID4:
	case MD_RAID5:
		return size_multiply(chunks * shape->chunk_bytes, shape->raid_disks - 1, bytes_out);
	case MD_RAID6:
		return size_multiply(chunks * shape->chunk_bytes, shape->raid_disks - 2, bytes_out);
	case MD_RAID10:
		return size_multiply(raid10_chunks(shape, chunks), shape->chunk_bytes, bytes_out);
	default:
		return false;
	}
}

uint64_t md_data_sectors(const struct md_shape *shape, uint64_t sectors)
{
	uint64_t chunk_sectors = shape->chunk_bytes / MD_SECTOR;

	if (chunk_sectors == 0 || (shape->level != MD_LINEAR && shape->level != MD_RAID0))
		return sectors;
	return sectors - sectors % chunk_sectors;
}

static uint32_t missing_count(const struct md_shape *shape, const bool *present)
{
	uint32_t missing = 0;

	for (uint32_t slot = 0; slot < shape->raid_disks; slot++)
		missing += !present[slot];
	return missing;
}

/* The copies of one chunk lie on so many slots in a row, round about; each needs one of them. */
static bool raid10_suffices(const struct md_shape *shape, const bool *present)
{
	struct md_raid10 raid10 = { .near_copies = 1, .far_copies = 1 };
	uint32_t copies, first = 0;

	if (!md_raid10_of(&raid10, shape->layout))
		return false;
	/* Far copies within sets of members lie otherwise: only sure when each set of near copies has one. */
	copies = raid10.near_copies * (raid10.far_sets ? 1 : raid10.far_copies);
	do {
		uint32_t here = 0;

		for (uint32_t i = 0; i < copies; i++)
			here += present[(first + i) % shape->raid_disks];
		if (here == 0)
			return false;
		first = (first + raid10.near_copies) % shape->raid_disks;
	} while (first != 0);
	return true;
}

bool md_slots_suffice(const struct md_shape *shape, const bool *present)
{
	uint32_t missing;

	assert(shape->raid_disks <= MD_SLOTS_MAX);
	missing = missing_count(shape, present);
	switch (shape->level) {
	case MD_CONTAINER: /* some of it: each volume has an answer of its own */
	case MD_MULTIPATH:
	case MD_RAID1:
		return missing < shape->raid_disks;
	case MD_RAID4:
	case MD_RAID5:
		return missing <= 1;
	case MD_RAID6:
		return missing <= 2;
	case MD_RAID10:
		return missing == 0 || raid10_suffices(shape, present);
	default:
		return missing == 0;
	}
}

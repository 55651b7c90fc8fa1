/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_reshape.h"

#include "core/base/size.h"

#define PIECES_AHEAD 2u      /* one that the kernel moves, and one that is in the file already */
#define PIECE_SECTORS 32768u /* where mdadm stops to double it */
#define PIECES_MIN 32u       /* in a member */

/* Sectors, of one reshape. */
struct moving {
	bool back;
	uint64_t position, end; /* of the array */
	uint64_t chunk;         /* the larger one */
	uint64_t before, after; /* data disks */
	int64_t room; /* between what is read and what is written, on the member with the least */
};

static uint64_t data_disks(const struct md_shape *shape)
{
	uint64_t checks = shape->level == MD_RAID6 ? 2 : 1;

	return shape->raid_disks > checks ? shape->raid_disks - checks : 1;
}

static uint64_t product(uint64_t a, uint64_t b)
{
	uint64_t value;

	return size_multiply(a, b, &value) ? value : UINT64_MAX;
}

/* Sectors of data disks that a whole row has; the least that both shapes have in whole rows. */
static uint64_t rows_of_both(const struct md_member *array, const struct moving *moving)
{
	uint64_t a = array->before.chunk_bytes / MD_SECTOR * moving->before;
	uint64_t b = array->after.chunk_bytes / MD_SECTOR * moving->after;
	uint64_t first = a, divisor = b;

	while (divisor) {
		uint64_t rest = first % divisor;

		first = divisor;
		divisor = rest;
	}
	return product(a / first, b);
}

/* As mdadm decides how much it keeps at a time. */
static uint64_t piece_of(const struct md_member *array, const struct moving *moving)
{
	uint64_t piece = rows_of_both(array, moving);

	while (piece < PIECE_SECTORS && piece * PIECES_MIN < array->shape.component_sectors)
		piece *= 2;
	return product(piece, PIECES_AHEAD);
}

static int64_t room_of(const struct md_set *set, bool back)
{
	int64_t least = INT64_MAX;

	for (uint32_t i = 0; i < set->member_count; i++) {
		const struct md_member *member = set->members[i].member;
		int64_t room = (int64_t)(member->data_offset - member->new_data_offset);

		if (set->members[i].verdict != MD_VERDICT_CURRENT &&
		    set->members[i].verdict != MD_VERDICT_RECOVERING)
			continue;
		if (back)
			room = -room;
		least = room < least ? room : least;
	}
	return least;
}

/* Is what is written next the place of what is read next, or behind it? */
static bool overlaps(const struct moving *moving)
{
	uint64_t chunk = moving->chunk;
	int64_t written = (int64_t)(moving->position / (chunk * moving->after) * chunk);
	int64_t read = (int64_t)(moving->position / (chunk * moving->before) * chunk);

	if (moving->before == moving->after)
		return moving->room < (int64_t)chunk;
	return moving->back ? written <= read - moving->room : written - moving->room >= read;
}

/* How far behind the position: in place some pieces, else to where reading is two chunks ahead of writing. */
static uint64_t reach_of(const struct md_member *array, const struct moving *moving)
{
	uint64_t end;

	if (moving->before == moving->after)
		return piece_of(array, moving);
	if (moving->back || moving->after < moving->before || moving->room < 0)
		return UINT64_MAX;
	end = size_divide_up(product(2 * moving->chunk * moving->before, moving->after),
			     moving->after - moving->before);
	return end - size_min(end, moving->position);
}

bool md_reshape_doubt(struct md_reshape_doubt *doubt_out, const struct md_set *set)
{
	const struct md_member *array = set->newest;
	struct moving moving;
	uint64_t bytes, reach;

	if (!array || !array->reshaping || array->shape.level < MD_RAID4 ||
	    array->shape.level > MD_RAID6 || array->before.chunk_bytes < MD_SECTOR ||
	    array->after.chunk_bytes < MD_SECTOR || !md_member_array_bytes(&bytes, array))
		return false;
	moving = (struct moving){
		.back = array->reshape_backwards,
		.end = bytes / MD_SECTOR,
		.position = size_min(array->reshape_position, bytes / MD_SECTOR),
		.chunk = size_max(array->before.chunk_bytes, array->after.chunk_bytes) / MD_SECTOR,
		.before = data_disks(&array->before),
		.after = data_disks(&array->after),
		.room = room_of(set, array->reshape_backwards),
	};
	if (!overlaps(&moving))
		return false;
	reach = reach_of(array, &moving);
	if (moving.back) {
		doubt_out->first = moving.position - size_min(reach, moving.position);
		doubt_out->end = moving.position;
	} else {
		doubt_out->first = moving.position;
		doubt_out->end = moving.position + size_min(reach, moving.end - moving.position);
	}
	doubt_out->first *= MD_SECTOR;
	doubt_out->end *= MD_SECTOR;
	return doubt_out->first < doubt_out->end;
}

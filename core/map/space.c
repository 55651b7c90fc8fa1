/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/space.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/window.h"

#include <assert.h>
#include <inttypes.h>

struct member_space {
	uint64_t *used; /* a bit per frame; NULL: no such member */
	uint64_t *bare; /* those that bare extents lie on; NULL: none */
	uint64_t total;
	uint64_t free;
	uint64_t low;  /* no free frame below this one */
	uint64_t high; /* no free frame at or above this one */
};

struct space {
	struct member_space members[MEMBERS_MAX];
};

static bool is_used(const struct member_space *member, uint64_t frame)
{
	return member->used[frame / 64] >> frame % 64 & 1;
}

int space_add_member(struct space *space, uint32_t slot, uint64_t frame_count)
{
	struct member_space *member = &space->members[slot];

	assert(slot < MEMBERS_MAX);
	assert(!member->used);
	member->used = mem_calloc(size_divide_up(frame_count, 64) + 1, sizeof(uint64_t));
	if (!member->used)
		return ERR_NOMEM;
	member->total = member->free = member->high = frame_count;
	member->low = 0;
	return 0;
}

void space_remove_member(struct space *space, uint32_t slot)
{
	assert(slot < MEMBERS_MAX);
	mem_free(space->members[slot].used);
	mem_free(space->members[slot].bare);
	space->members[slot] = (struct member_space){ 0 };
}

void space_rename_member(struct space *space, uint32_t from, uint32_t to)
{
	assert(from < MEMBERS_MAX && to < MEMBERS_MAX);
	assert(!space->members[to].used);
	space->members[to] = space->members[from];
	space->members[from] = (struct member_space){ 0 };
}

static int set_bare(struct space *space, const struct map *map, bool check, struct err *err);

static int take_group(struct space *space, const struct group *group, struct err *err)
{
	for (uint32_t i = 0; !group_is_bare(group) && i < group->shape.columns; i++) {
		const struct extent *extent = &group->extents[i];

		if (!space_take_at(space, extent->slot, extent->size_class, extent->frame))
			return err_set(err, ERR_FORMAT,
				       "map: extent %" PRIu64 " of group %" PRIu64
				       " overlaps another or leaves member %u",
				       extent->id, group->id, extent->slot);
	}
	return 0;
}

int space_create(struct space **space_out, const struct map *map, struct err *err)
{
	struct space *space = mem_calloc(1, sizeof(*space));
	int rc = 0;

	if (!space)
		return err_set(err, ERR_NOMEM, "no memory for the free space");
	for (uint32_t i = 0; !rc && i < map->member_count; i++) {
		rc = space_add_member(space, map->members[i].slot, map->members[i].frame_count);
		if (rc)
			err_set(err, rc, "no memory for the free space of member %u",
				map->members[i].slot);
	}
	for (uint32_t i = 0; !rc && i < map->group_count; i++)
		rc = take_group(space, map->groups[i], err);
	if (!rc)
		rc = set_bare(space, map, true, err);
	if (rc) {
		space_free(space);
		return rc;
	}
	*space_out = space;
	return 0;
}

void space_free(struct space *space)
{
	if (!space)
		return;
	for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
		mem_free(space->members[i].used);
		mem_free(space->members[i].bare);
	}
	mem_free(space);
}

uint64_t space_free_frames(const struct space *space, uint32_t slot)
{
	return slot < MEMBERS_MAX ? space->members[slot].free : 0;
}

uint64_t space_total_frames(const struct space *space, uint32_t slot)
{
	return slot < MEMBERS_MAX ? space->members[slot].total : 0;
}

static bool words_are_free(const struct member_space *member, uint64_t frame, uint64_t size)
{
	for (uint64_t word = frame / 64; word < (frame + size) / 64; word++) {
		if (member->used[word] != 0)
			return false;
	}
	return true;
}

/* A run begins at a multiple of its size, so a large one consists of whole words. */
static bool run_is_free(const struct member_space *member, uint64_t frame, uint64_t size)
{
	if (size >= 64)
		return words_are_free(member, frame, size);
	for (uint64_t i = 0; i < size; i++) {
		if (is_used(member, frame + i))
			return false;
	}
	return true;
}

static void run_set(struct member_space *member, uint64_t frame, uint64_t size, bool used)
{
	for (; size >= 64 && frame % 64 == 0; frame += 64, size -= 64) {
		assert(member->used[frame / 64] == (used ? 0 : UINT64_MAX));
		member->used[frame / 64] = used ? UINT64_MAX : 0;
	}
	for (uint64_t i = frame; i < frame + size; i++) {
		uint64_t bit = UINT64_C(1) << i % 64;

		assert(is_used(member, i) != used);
		member->used[i / 64] =
			used ? member->used[i / 64] | bit : member->used[i / 64] & ~bit;
	}
}

/* Move the hints over what has filled up, so that a search seldom walks over used frames twice. */
static void tighten(struct member_space *member)
{
	while (member->low < member->high) {
		if (member->low % 64 == 0 && member->used[member->low / 64] == UINT64_MAX)
			member->low += 64;
		else if (is_used(member, member->low))
			member->low++;
		else
			break;
	}
	while (member->high > member->low && is_used(member, member->high - 1))
		member->high--;
}

bool space_take_at(struct space *space, uint32_t slot, uint8_t size_class, uint32_t frame)
{
	uint64_t size = UINT64_C(1) << size_class;

	if (slot >= MEMBERS_MAX || !space->members[slot].used || size_class > SIZE_CLASS_MAX)
		return false;
	struct member_space *member = &space->members[slot];
	if (frame % size != 0 || frame + size > member->total || !run_is_free(member, frame, size))
		return false;
	run_set(member, frame, size, true);
	member->free -= size;
	return true;
}

bool space_take_within(struct space *space, uint32_t slot, uint8_t size_class, bool from_high,
		       uint64_t begin, uint64_t end, uint32_t *frame_out)
{
	struct member_space *member = &space->members[slot];
	uint64_t size = UINT64_C(1) << size_class;

	assert(slot < MEMBERS_MAX && size_class <= SIZE_CLASS_MAX);
	if (!member->used || member->free < size)
		return false;
	tighten(member);
	uint64_t first = size_max(member->low / size, size_divide_up(begin, size));
	uint64_t last =
		size_min(size_divide_up(member->high, size), size_min(end, member->total) / size);

	for (uint64_t i = 0; first + i < last; i++) {
		uint64_t frame = (from_high ? last - 1 - i : first + i) * size;

		if (!run_is_free(member, frame, size))
			continue;
		run_set(member, frame, size, true);
		member->free -= size;
		*frame_out = (uint32_t)frame;
		return true;
	}
	return false;
}

bool space_take(struct space *space, uint32_t slot, uint8_t size_class, bool from_high,
		uint32_t *frame_out)
{
	return space_take_within(space, slot, size_class, from_high, 0, UINT64_MAX, frame_out);
}

uint64_t space_free_within(const struct space *space, uint32_t slot, uint64_t begin, uint64_t end)
{
	const struct member_space *member = &space->members[slot];
	uint64_t frames = 0;

	for (uint64_t frame = begin; member->used && frame < size_min(end, member->total);) {
		if (frame % 64 == 0 && frame + 64 <= end) {
			frames += 64 - (uint64_t)__builtin_popcountll(member->used[frame / 64]);
			frame += 64;
		} else {
			frames += !is_used(member, frame++);
		}
	}
	return frames;
}

void space_give(struct space *space, uint32_t slot, uint8_t size_class, uint32_t frame)
{
	struct member_space *member = &space->members[slot];
	uint64_t size = UINT64_C(1) << size_class;

	assert(slot < MEMBERS_MAX && member->used);
	run_set(member, frame, size, false);
	member->free += size;
	member->low = size_min(member->low, frame);
	member->high = size_max(member->high, frame + size);
}

bool space_take_row(struct space *space, uint32_t slot, uint64_t count, uint64_t *frame_out)
{
	struct member_space *member = &space->members[slot];
	uint64_t found = 0;

	assert(slot < MEMBERS_MAX && count > 0);
	for (uint64_t frame = 0; member->used && frame < member->total; frame++) {
		found = is_used(member, frame) ? 0 : found + 1;
		if (found < count)
			continue;
		*frame_out = frame + 1 - count;
		run_set(member, *frame_out, count, true);
		member->free -= count;
		return true;
	}
	return false;
}

void space_give_row(struct space *space, uint32_t slot, uint64_t frame, uint64_t count)
{
	struct member_space *member = &space->members[slot];

	run_set(member, frame, count, false);
	member->free += count;
	member->low = size_min(member->low, frame);
	member->high = size_max(member->high, frame + count);
}

/* ---- bare extents */

/* Bytes begin..end-1 of a member, of which frame 0 begins at `data_offset`. */
struct coverage {
	uint64_t *bits;
	uint64_t total, data_offset, frame_size;
};

static void cover(const struct coverage *coverage, uint64_t begin, uint64_t end)
{
	assert(coverage->frame_size > 0); /* its extents are on members */
	uint64_t first = (begin - coverage->data_offset) / coverage->frame_size;
	uint64_t last = (end - 1 - coverage->data_offset) / coverage->frame_size;

	assert(begin >= coverage->data_offset && end > begin);
	for (uint64_t frame = first; frame <= last && frame < coverage->total; frame++) {
		if (frame % 64 == 0 && frame + 64 <= size_min(last + 1, coverage->total)) {
			coverage->bits[frame / 64] = UINT64_MAX;
			frame += 63;
		} else {
			coverage->bits[frame / 64] |= UINT64_C(1) << frame % 64;
		}
	}
}

static void cover_window(const struct coverage *coverage, const struct window *window)
{
	uint64_t run;

	/* Gaps that no frame fits into. */
	if (window->stride - window->run < coverage->frame_size) {
		cover(coverage, window->origin, window_place_end(window));
		return;
	}
	for (uint64_t at = 0; at < window->length; at += run) {
		uint64_t place = window_place(window, at, &run);

		cover(coverage, place, place + run);
	}
}

static uint64_t word_count(const struct member_space *member)
{
	return size_divide_up(member->total, 64) + 1;
}

/* `bits` in place of what the bare extents had; what they come to lie on anew is free, or was taken for them. */
static void exchange(struct member_space *member, uint64_t *bits)
{
	member->free = 0;
	for (uint64_t i = 0; i < word_count(member); i++) {
		if (member->bare)
			member->used[i] &= ~member->bare[i];
		member->used[i] |= bits[i];
		member->free += 64 - (uint64_t)__builtin_popcountll(member->used[i]);
	}
	member->free -= word_count(member) * 64 - member->total;
	member->low = 0;
	member->high = member->total;
	mem_free(member->bare);
	member->bare = bits;
}

/* As the windows of the groups say; the map's tables may not be made yet. */
static void cover_group(struct coverage *coverages, const struct group *group)
{
	for (uint32_t c = 0; group_is_bare(group) && c < group->shape.columns; c++)
		cover_window(&coverages[group->extents[c].slot], &group->windows[c]);
}

static bool any_bare(const struct space *space, const struct map *map)
{
	bool any = false;

	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++)
		any = any || space->members[slot].bare;
	for (uint32_t g = 0; !any && g < map->group_count; g++)
		any = group_is_bare(map->groups[g]);
	return any && !map_is_bare(map); /* without frames there is nothing to take */
}

static int cover_all(struct coverage *coverages, const struct space *space, const struct map *map)
{
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		const struct member_space *room = &space->members[member->slot];

		coverages[member->slot] = (struct coverage){
			.bits = mem_calloc(word_count(room), sizeof(uint64_t)),
			.total = room->total,
			.data_offset = member->data_offset,
			.frame_size = (uint64_t)map->geometry.frame_blocks * BLOCK_SIZE,
		};
		if (!coverages[member->slot].bits)
			return ERR_NOMEM;
	}
	for (uint32_t g = 0; g < map->group_count; g++)
		cover_group(coverages, map->groups[g]);
	return 0;
}

/* Of an array that was just read: no frame is both. */
static int check_apart(const struct coverage *coverages, const struct space *space, struct err *err)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		const struct member_space *member = &space->members[slot];

		for (uint64_t i = 0; coverages[slot].bits && i < word_count(member); i++) {
			if (coverages[slot].bits[i] & member->used[i])
				return err_set(err, ERR_FORMAT,
					       "map: bare extents of member %u lie on others, at "
					       "frame %" PRIu64 " or a little behind",
					       slot, i * 64);
		}
	}
	return 0;
}

static int set_bare(struct space *space, const struct map *map, bool check, struct err *err)
{
	struct coverage coverages[MEMBERS_MAX] = { 0 };
	int rc = 0;

	if (!any_bare(space, map))
		return 0;
	if (cover_all(coverages, space, map))
		rc = err_set(err, ERR_NOMEM, "no memory for the free space");
	if (!rc && check)
		rc = check_apart(coverages, space, err);
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (rc)
			mem_free(coverages[slot].bits);
		else if (coverages[slot].bits)
			exchange(&space->members[slot], coverages[slot].bits);
	}
	return rc;
}

int space_set_bare(struct space *space, const struct map *map, struct err *err)
{
	return set_bare(space, map, false, err);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/watch.h"

#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/array/write_plan.h"
#include "core/base/crc.h"
#include "core/map/address.h"
#include "core/store/intent_log.h"
#include "core/store/seal.h"
#include "core/store/super.h"
#include "tests/sim/counts.h"
#include "tests/sim/crash.h"
#include "tests/sim/sim_env.h"

#include <inttypes.h>
#include <string.h>

/* ---- the array as it is durable at a moment */

struct view {
	struct run *run;
	uint32_t missing;
	struct rack rack;
	struct array *array; /* NULL: there is none */
	struct log_found log;
	struct code *code; /* of the group that was looked at last */
};

static void view_close(struct view *view)
{
	if (view->array)
		log_found_reset(&view->log);
	array_close(view->array);
	view->array = NULL;
}

/* Open what the media hold, as it is. No array, or none that opens, is for others to judge. */
static void view_open(struct view *view)
{
	struct log_member members[MEMBERS_MAX];
	struct err err = { 0 };

	view->rack = (struct rack){
		.env = sim_env(5),
		.media = view->run->rig->media,
		.ios_max = UINT64_MAX,
		.may_be_blank = view->run->rack.may_be_blank,
		.leave_log = true,
	};
	if (rack_array_open(&view->rack, view->missing, ARRAY_READ, 1, &view->array, &err))
		view->array = NULL;
	if (!view->array)
		return;
	const struct map *map = array_map(view->array);
	uint64_t slot_size = map->geometry.log_size / LOG_SLOTS / BLOCK_SIZE * BLOCK_SIZE;
	uint32_t count = array_log_members(view->array, members);

	if (intent_log_read(&view->log, members, count, &map->uuid, slot_size, &err)) {
		array_close(view->array);
		view->array = NULL;
	}
}

/* The member that a disk is. */
static uint32_t slot_of(const struct view *view, uint32_t disk)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		const struct dev *dev = array_dev(view->array, slot);

		if (dev && dev_info(dev)->identity[1] == disk)
			return slot;
	}
	return MEMBER_NONE;
}

/* ---- written in place */

static const uint8_t *medium_at(const struct view *view, uint32_t disk, uint64_t offset)
{
	return media_bytes(view->run->rig->media, disk) + offset;
}

static bool row_is_named(struct view *view, const struct address *at)
{
	const struct group *group = at->group;
	uint32_t slice = at->block % group->segment_blocks;
	struct err err = { 0 };

	if (!view->code || !code_shape_equal(code_shape(view->code), &group->shape)) {
		code_free(view->code);
		view->code = NULL;
		if (code_create(&view->code, &group->shape, &err))
			return false;
	}
	uint32_t cell =
		at->column * code_segment_count(view->code) + at->block / group->segment_blocks;
	for (uint32_t i = 0; i < view->log.record.rows_count; i++) {
		const struct log_rows *rows = &view->log.record.rows[i];
		struct write_plan plan;

		if (rows->group != group->id || slice < rows->first ||
		    slice >= rows->first + rows->count ||
		    write_plan_make(&plan, view->code, rows->segment, rows->columns, 0))
			continue;
		for (uint16_t c = 0; c < plan.cell_count; c++) {
			if (plan.cells[c] == cell)
				return true;
		}
	}
	return false;
}

static bool page_is_named(const struct view *view, const struct member_place *place)
{
	uint64_t extent = place->address.group->extents[place->address.column].id;

	for (uint32_t i = 0; i < view->log.record.pages_count; i++) {
		const struct log_page *page = &view->log.record.pages[i];

		if (page->extent == extent && page->page + 1 == place->seal_page)
			return true;
	}
	return false;
}

/* Does the block, or the page of a seal, hold what it should? What does not may be repaired. */
static bool place_verifies(const struct view *view, const struct member_place *place, uint32_t disk)
{
	const struct address *at = &place->address;
	const struct map *map = array_map(view->array);
	const struct extent *extent = &at->group->extents[at->column];
	struct seal seal = { 0 };
	bool good = false;

	if (seal_init(&seal, &map->uuid, at->group, at->column))
		return false;
	bool body = place->area == AREA_BODY;
	uint32_t page = body ? seal_page_of(&seal.shape, at->block) : place->seal_page - 1;
	if (page < seal_entry_pages(&seal.shape)) {
		uint64_t offset =
			extent_seal_offset(map, extent) + (uint64_t)(page + 1) * BLOCK_SIZE;

		seal_decode_page(&seal, page, medium_at(view, disk, offset));
		good = seal.page_good[page];
	}
	if (good && body) {
		uint32_t seed =
			seal_block_seed(seal_extent_seed(&map->uuid, extent->id), at->block);
		const uint8_t *block = medium_at(view, disk, extent_offset(map, extent, at->block));

		good = crc32_of(seed, block, BLOCK_SIZE) == seal.entries[at->block].crc;
	}
	seal_reset(&seal);
	return good;
}

/* A fault of the run keeps the disk from giving what it has: that may be repaired as well. */
static bool reads_badly(const struct run *run, uint32_t disk)
{
	for (uint32_t i = 0; i < run->rack.fault_count; i++) {
		if (run->rack.faults[i].disk == disk &&
		    disk_fault_strikes(run->rack.faults[i].kind, IO_READ))
			return true;
	}
	return false;
}

/* One block of a write, at the moment when it is submitted. */
static bool watch_block(struct view *view, const struct event *event, uint64_t offset,
			struct wrong *wrong)
{
	uint32_t slot = slot_of(view, event->disk);

	if (slot == MEMBER_NONE)
		return true;
	struct member_place place = address_of_member(array_map(view->array), slot, offset);
	bool body = place.area == AREA_BODY;

	if ((!body && place.area != AREA_SEAL) ||
	    place.address.group->extents[place.address.column].stale)
		return true;
	if (body ? row_is_named(view, &place.address)
		 : place.seal_page > 0 && page_is_named(view, &place)) {
		counts.checks[CHECKED_NAMED]++;
		return true;
	}
	if (!body && place.seal_page == 0)
		return true; /* a header is only written over where it is damaged, and says nothing new */
	if (reads_badly(view->run, event->disk) || !place_verifies(view, &place, event->disk)) {
		counts.checks[CHECKED_REPAIRS]++;
		return true;
	}
	return wrong_set(wrong, "in-place",
			 "disk %u, %s at %" PRIu64 ": group %" PRIu64
			 ", column %u, block %u is written over and no durable record names it",
			 event->disk, io_role_name(event->role), offset, place.address.group->id,
			 place.address.column, place.address.block);
}

static bool watch_writes(struct view *view, const struct recording *recording, struct wrong *wrong)
{
	struct crash crash;
	bool good = true, fresh = false;

	crash_open(&crash, view->run, recording);
	for (size_t i = 0; good && i < recording->count; i++) {
		const struct event *event = &recording->events[i];

		fresh = fresh && event->kind != EVENT_FLUSH;
		if (event->kind != EVENT_WRITE || event->role == IO_ROLE_LOG ||
		    event->role == IO_ROLE_MAP || event->role == IO_ROLE_SUPER)
			continue;
		if (!fresh) {
			view_close(view);
			crash_go_to(&crash, i);
			view_open(view);
			fresh = true;
		}
		for (uint64_t at = 0; good && view->array && at < event->size; at += BLOCK_SIZE)
			good = watch_block(view, event, event->offset + at, wrong);
	}
	view_close(view);
	crash_close(&crash);
	code_free(view->code);
	return good;
}

/* ---- superblocks */

static void find_newest(struct super *newest, const struct media *media, uint32_t disk)
{
	*newest = (struct super){ 0 };
	for (uint32_t i = 0; i < SUPER_POSITIONS; i++) {
		struct super super;
		struct err err = { 0 };
		uint64_t offset = super_position(i);

		if (super_decode(&super, media_bytes(media, disk) + offset, offset, &err) == 0 &&
		    super.generation > newest->generation)
			*newest = super;
	}
}

/*
 * The last commit of all others: whoever was in one that never was, as they say, takes theirs before he is in the
 * next one.
 */
static bool is_caught_up(const struct run *run, const struct super *newest, uint32_t disk,
			 const struct super *super)
{
	for (uint32_t i = 0; i < run->rig->disks; i++) {
		if (i != disk && newest[i].generation == super->generation &&
		    newest[i].epoch == super->epoch && uuid_equal(&newest[i].array, &super->array))
			return true;
	}
	return false;
}

static bool watch_super(const struct run *run, struct super *supers, const struct event *event,
			const uint8_t *bytes, struct wrong *wrong)
{
	struct super *newest = &supers[event->disk];
	struct super super;
	struct err err = { 0 };

	if (event->size != BLOCK_SIZE || super_decode(&super, bytes, event->offset, &err))
		return true; /* an area is wiped */
	if (uuid_equal(&super.member, &newest->member)) {
		counts.checks[CHECKED_SUPERS]++;
		if ((super.generation < newest->generation || super.epoch < newest->epoch) &&
		    !is_caught_up(run, supers, event->disk, &super))
			return wrong_set(wrong, "super",
					 "disk %u goes from epoch %" PRIu64 ", generation %" PRIu64
					 " to %" PRIu64 ", %" PRIu64,
					 event->disk, newest->epoch, newest->generation,
					 super.epoch, super.generation);
	}
	*newest = super;
	return true;
}

static bool watch_supers(const struct run *run, const struct recording *recording,
			 struct wrong *wrong)
{
	struct super newest[RACK_DISKS_MAX];
	bool good = true;

	for (uint32_t disk = 0; disk < run->rig->disks; disk++)
		find_newest(&newest[disk], run->rig->media, disk);
	for (size_t i = 0; good && i < recording->count; i++) {
		const struct event *event = &recording->events[i];

		if (event->kind == EVENT_WRITE && event->role == IO_ROLE_SUPER)
			good = watch_super(run, newest, event, recording->bytes + event->bytes,
					   wrong);
	}
	return good;
}

bool watch_recording(struct run *run, const struct recording *recording, uint32_t missing,
		     struct wrong *wrong)
{
	static struct view view; /* the table of copies is large */

	if (run->liars)
		return true; /* what is durable is not what it looks like */
	view = (struct view){ .run = run, .missing = missing };
	return watch_supers(run, recording, wrong) && watch_writes(&view, recording, wrong);
}

/* ---- twice */

uint64_t watch_hash(const struct recording *recording)
{
	uint64_t hash = recording->count;

	for (size_t i = 0; i < recording->count; i++) {
		const struct event *event = &recording->events[i];

		hash = sim_mix(hash, (uint64_t)event->kind << 32 | event->role);
		hash = sim_mix(hash, event->disk);
		hash = sim_mix(hash, event->offset);
		hash = sim_mix(hash, event->size);
		hash = sim_mix(hash, event->completed);
		hash = sim_mix(hash, event->submitted);
	}
	for (size_t at = 0; at + sizeof(hash) <= recording->size; at += sizeof(hash)) {
		uint64_t word;

		memcpy(&word, recording->bytes + at, sizeof(word));
		hash = sim_mix(hash, word);
	}
	return hash;
}

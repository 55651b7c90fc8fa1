/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/md_open.h"

#include "cli/foreign_open.h"
#include "cli/output.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "core/dev/devices.h"
#include "core/dev/holes.h"
#include "formats/container_map.h"
#include "formats/md_reshape.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Devices of one opening, by slot. */
struct opening {
	const struct invocation *inv;
	struct md_view *view;
	const struct open_how *how;
	struct dev *devs[MEMBERS_MAX];
};

static int compare_holes(const void *a, const void *b)
{
	const struct hole *left = a, *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/* Entries of a bad-block log as holes: ascending, none over another. Returns how many. */
static size_t holes_of(struct hole *holes, const struct md_bad_blocks *blocks)
{
	size_t count = 0;

	for (uint32_t i = 0; i < blocks->count; i++)
		holes[i] = (struct hole){ blocks->at[i].first_sector * MD_SECTOR,
					  blocks->at[i].sector_count * MD_SECTOR };
	qsort(holes, blocks->count, sizeof(*holes), compare_holes);
	for (uint32_t i = 0; i < blocks->count; i++) {
		struct hole *last = count ? &holes[count - 1] : NULL;
		uint64_t end = holes[i].offset + holes[i].size;

		if (!last || holes[i].offset > last->offset + last->size)
			holes[count++] = holes[i];
		else if (end > last->offset + last->size)
			last->size = end - last->offset;
	}
	return count;
}

/* What the member's log says is bad cannot be read: it may hold anything. */
static int bad_blocks_wrap(struct dev **dev, const struct md_found *found)
{
	struct hole *holes;
	int rc;

	if (!found->bad_blocks_found || found->bad_blocks.count == 0)
		return 0;
	holes = mem_calloc(found->bad_blocks.count, sizeof(*holes));
	if (!holes)
		return ERR_NOMEM;
	rc = dev_holes_open(dev, *dev, holes, holes_of(holes, &found->bad_blocks));
	mem_free(holes);
	return rc;
}

/* The device that stands in a slot, if there is one and it is not to be left out. */
static int slot_open(struct opening *opening, uint32_t slot, struct err *err)
{
	const struct md_view_device *device = md_view_seated(opening->view, slot);
	enum access access = opening->how->access == ACCESS_WRITE ? ACCESS_WRITE : ACCESS_READ;
	struct dev *dev = NULL;
	int rc;

	if (opening->devs[slot] || !device || member_set_has(opening->how->without, slot))
		return 0;
	rc = cli_stack_open(&dev, opening->inv, device->path, access, 0, slot, err);
	if (rc == 0 && bad_blocks_wrap(&dev, device->found)) {
		dev_close(dev);
		return err_set(err, ERR_NOMEM, "%s: no memory", device->path);
	}
	if (rc == 0) {
		if (device->found->member.slot_guessed)
			out_warn(opening->inv->out,
				 "%s is taken for slot %u by its name: its metadata do not say "
				 "which disk it is",
				 device->path, slot);
		opening->devs[slot] = dev;
		return 0;
	}
	if (access == ACCESS_WRITE || rc == ERR_NOMEM || rc == ERR_FORMAT)
		return rc;
	out_warn(opening->inv->out, "%s is left out: %s", device->path, err->text);
	*err = (struct err){ 0 };
	return 0;
}

/* Patches above the members, so that logs are replayed in memory only. */
static int patches_open(struct opening *opening, struct err *err)
{
	for (uint32_t slot = 0; slot < opening->view->seats.count; slot++) {
		struct dev **dev = &opening->devs[slot];

		if (*dev && dev_patch_open(dev, *dev, MD_REPLAY_BYTES_MAX))
			return err_set(err, ERR_NOMEM, "no memory to replay a log");
	}
	return 0;
}

/* The write journal, if it was found: its device is only read, and closed again. */
static int journal_open_replay(struct opening *opening, const struct md_replay *replay,
			       struct err *err)
{
	struct md_view *view = opening->view;

	for (uint32_t i = 0; i < view->set->member_count; i++) {
		const struct md_set_member *entry = &view->set->members[i];
		const struct md_view_device *device = &view->devices[entry->device];
		struct dev *dev = NULL;
		int rc;

		if (entry->verdict != MD_VERDICT_JOURNAL)
			continue;
		rc = cli_stack_open(&dev, opening->inv, device->path, ACCESS_READ, 0, MEMBER_NONE,
				    err);
		if (rc)
			return rc;
		rc = md_journal_replay(replay, dev, device->found, &view->replayed, err);
		dev_close(dev);
		return rc;
	}
	return 0;
}

/* The doubts about one member as holes: ascending, none twice. Returns how many. */
static size_t holes_of_doubts(struct hole *holes, const struct md_doubt_vec *doubts, uint32_t slot)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < doubts->count; i++) {
		if (doubts->at[i].slot == slot)
			holes[count++] =
				(struct hole){ doubts->at[i].sector * HOLE_UNIT, HOLE_UNIT };
	}
	qsort(holes, count, sizeof(*holes), compare_holes);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || holes[i].offset != holes[kept - 1].offset)
			holes[kept++] = holes[i];
	}
	return kept;
}

/* What the log leaves in doubt is no better than what cannot be read. */
static int doubts_wrap(struct opening *opening, const struct md_doubt_vec *doubts)
{
	struct hole *holes = mem_calloc(doubts->count, sizeof(*holes));
	int rc = holes ? 0 : ERR_NOMEM;

	for (uint32_t slot = 0; rc == 0 && slot < MEMBERS_MAX; slot++) {
		size_t count = holes_of_doubts(holes, doubts, slot);

		if (count > 0)
			rc = dev_holes_open(&opening->devs[slot], opening->devs[slot], holes,
					    count);
	}
	mem_free(holes);
	return rc;
}

static int logs_replay(struct opening *opening, struct err *err)
{
	struct md_view *view = opening->view;
	struct md_doubt_vec doubts = { 0 };
	const struct md_replay replay = { opening->devs, view->set, &view->seats, &doubts };
	int rc;

	if (view->write ||
	    !md_replay_is_due(view->set)) /* what is written has nothing in its logs */
		return 0;
	rc = patches_open(opening, err);
	for (uint32_t slot = 0; rc == 0 && slot < view->seats.count; slot++) {
		const struct md_view_device *device = md_view_seated(view, slot);

		if (device)
			rc = md_ppl_replay(&replay, device->found, slot, &view->replayed, err);
	}
	if (rc == 0)
		rc = journal_open_replay(opening, &replay, err);
	if (rc == 0 && doubts.count > 0 && doubts_wrap(opening, &doubts))
		rc = err_set(err, ERR_NOMEM, "no memory for what the logs leave in doubt");
	md_doubt_vec_reset(&doubts);
	return rc;
}

static void devices_close(struct opening *opening)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (opening->devs[slot])
			dev_close(opening->devs[slot]);
		opening->devs[slot] = NULL;
	}
}

/* Whose metadata the array has, for people. */
static const char *maker_of(const struct md_set *set)
{
	if (!set->newest || set->newest->metadata < MD_METADATA_DDF)
		return "Linux MD";
	return md_metadata_name(set->newest->metadata);
}

/* A volume that can be read is worth opening a container whose other volumes cannot be. */
static bool nothing_is_left(const struct array *array)
{
	const struct map *map = array_map(array);

	for (uint32_t i = 0; i < map->volume_count; i++) {
		if (array_volume_health(array, map->volumes[i]) != HEALTH_BROKEN)
			return false;
	}
	return true;
}

/* Who is missing, for people. */
static int refuse_broken(const struct opening *opening, const struct array *array, struct err *err)
{
	const struct map *map = array_map(array);
	uint32_t missing = 0;

	for (uint32_t i = 0; i < map->member_count; i++)
		missing += !array_member_usable(array, map->members[i].slot);
	err_set(err, ERR_TOO_FEW, "array '%s' (%s): %u of %u members are missing or stale",
		map->name, maker_of(opening->view->set), missing, map->member_count);
	return err_hint(err, "pgctl assemble --why %s", opening->inv->operands[0]);
}

static bool is_container(const struct md_view *view)
{
	return view->set->newest->shape.level == MD_CONTAINER;
}

static void volume_left_out(void *arg, const char *volume, const char *why)
{
	const struct opening *opening = arg;

	out_warn(opening->inv->out, "volume '%s' of the container is left out: %s", volume, why);
}

static int container_map(struct map **map_out, struct opening *opening, struct err *err)
{
	const struct md_view *view = opening->view;
	const struct md_found **founds = mem_calloc(view->device_count, sizeof(*founds));
	const struct container container = {
		.set = view->set,
		.seats = &view->seats,
		.founds = founds,
		.left_out = volume_left_out,
		.arg = opening,
	};
	int rc;

	if (!founds)
		return err_set(err, ERR_NOMEM, "no memory for the map of a container");
	for (uint32_t i = 0; i < view->device_count; i++)
		founds[i] = view->devices[i].found;
	rc = container_map_make(map_out, &container, err);
	mem_free(founds);
	return rc;
}

static int map_open(struct array **array_out, struct opening *opening, struct err *err)
{
	const struct md_view *view = opening->view;
	const struct foreign_write write = { view->write ? &md_write_hooks : NULL, view->write };
	struct map *map;
	int rc = is_container(view) ? container_map(&map, opening, err)
				    : md_map_make(&map, view->set, &view->seats, err);

	return rc ? rc : foreign_open(array_out, opening->inv, map, opening->devs, &write, err);
}

/* The device that is to be rebuilt stands in its slot, and nothing of it counts. */
static void target_seat(struct opening *opening)
{
	struct md_seat *seat;

	if (!opening->how->target)
		return;
	assert(opening->how->target_slot < opening->view->seats.count);
	seat = &opening->view->seats.at[opening->how->target_slot];
	*seat = (struct md_seat){ .blank = true };
	opening->devs[opening->how->target_slot] = opening->how->target;
}

/* Only superblocks of Linux MD can be written. */
static int refuse_writing(const struct md_view *view, struct err *err)
{
	const struct md_member *newest = view->set->newest;

	if (!newest || newest->metadata < MD_METADATA_DDF)
		return 0;
	err_set(err, ERR_FOREIGN, "this is a volume of %s metadata: pgctl only reads it",
		md_metadata_name(newest->metadata));
	return err_hint(err, "mdadm --assemble takes it, and can write it");
}

/* These bytes are given as they are: whether they are the data, nothing on the members says. */
static void reshape_warn(const struct opening *opening)
{
	struct md_reshape_doubt doubt;
	char first[UNITS_TEXT_SIZE], size[UNITS_TEXT_SIZE];

	if (md_reshape_doubt(&doubt, opening->view->set))
		out_warn(
			opening->inv->out,
			"up to %s from %s on may be half moved: they were being reshaped in place, "
			"and are whole only in the backup file of mdadm",
			units_text(size, doubt.end - doubt.first), units_text(first, doubt.first));
}

int md_open(struct array **array_out, const struct invocation *inv, struct md_view *view,
	    const struct open_how *how, struct err *err)
{
	struct opening opening = { .inv = inv, .view = view, .how = how };
	struct array *array = NULL;
	int rc = 0;

	target_seat(&opening);
	if (how->access == ACCESS_WRITE)
		rc = refuse_writing(view, err);
	if (rc == 0 && how->access == ACCESS_WRITE)
		rc = md_write_open(&view->write, view->set, &view->seats,
				   md_view_logs_are_empty(view), err);
	for (uint32_t slot = 0; rc == 0 && slot < view->seats.count; slot++)
		rc = slot_open(&opening, slot, err);
	if (rc == 0)
		rc = logs_replay(&opening, err);
	if (rc == 0)
		rc = map_open(&array, &opening, err);
	if (rc == 0 && how->access != ACCESS_SALVAGE && array_health(array) == HEALTH_BROKEN &&
	    nothing_is_left(array)) {
		rc = refuse_broken(&opening, array, err);
		array_close(array);
	}
	devices_close(&opening);
	if (rc == 0) {
		reshape_warn(&opening);
		*array_out = array;
	}
	return rc;
}

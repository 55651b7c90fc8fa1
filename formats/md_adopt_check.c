/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_adopt.h"

#include <inttypes.h>

#define GET_PUT "pgctl get %s VOLUME -o FILE, and pgctl put into an array made by pgctl create"
#define COPIES_MAX 4u /* of a mirror group */

/* The mark of superblocks at the end of a member leaves no room before the data. */
static int format_check(const struct md_adopt_array *array, struct err *err)
{
	const struct md_member *newest = array->set->newest;

	if (newest->metadata == MD_METADATA_1_1 || newest->metadata == MD_METADATA_1_2)
		return 0;
	if (newest->metadata > MD_METADATA_1_2)
		err_set(err, ERR_UNSUPPORTED, "this is a volume of %s metadata",
			md_metadata_name(newest->metadata));
	else
		err_set(err, ERR_UNSUPPORTED,
			"metadata %s: the data begin where the members begin, and there is no "
			"room for ours",
			md_metadata_name(newest->metadata));
	return err_hint(err, GET_PUT, array->name);
}

static uint32_t copies_of(const struct md_shape *shape)
{
	struct md_raid10 raid10;

	if (shape->level == MD_RAID1)
		return shape->raid_disks;
	if (shape->level == MD_RAID10 && md_raid10_of(&raid10, shape->layout))
		return raid10.near_copies * raid10.far_copies;
	return 1;
}

static int shape_check(const struct md_adopt_array *array, struct err *err)
{
	const struct md_shape *shape = &array->set->newest->shape;

	if (copies_of(shape) <= COPIES_MAX)
		return 0;
	err_set(err, ERR_UNSUPPORTED, "mirrors of %u copies: groups of ours have at most %u",
		copies_of(shape), COPIES_MAX);
	return err_hint(err, GET_PUT, array->name);
}

/* What Linux has begun it has to finish. */
static int work_check(const struct md_adopt_array *array, struct err *err)
{
	const struct md_member *newest = array->set->newest;
	const char *why = newest->reshaping     ? "the array is being reshaped"
			  : newest->has_journal ? "the array has a journal device"
			  : md_level_is_redundant(newest->shape.level) && !newest->clean
				  ? "the array was not stopped in order"
				  : NULL;

	if (!why)
		return 0;
	err_set(err, ERR_STATE, "%s", why);
	if (newest->has_journal)
		return err_hint(err,
				"let Linux assemble it and give the journal up: mdadm --manage "
				"/dev/mdN --readonly, then --fail and --remove the journal");
	return err_hint(err, "let Linux assemble it and finish what is under way, stop it (mdadm "
			     "--stop /dev/mdN), then repeat");
}

/* Who is no current member: a spare that can go, or something that has to be cleared up as MD. */
static int entry_refuse(const struct md_adopt_array *array, const struct md_set_member *entry,
			struct err *err)
{
	const char *path = array->paths[entry->device];

	err_set(err, ERR_STATE, "%s: %s, and only arrays of current members are adopted", path,
		md_verdict_name(entry->verdict));
	if (entry->verdict == MD_VERDICT_SPARE)
		return err_hint(err,
				"move it away, or mdadm --zero-superblock %s; pgctl add takes "
				"it afterwards",
				path);
	if (entry->verdict == MD_VERDICT_STALE || entry->verdict == MD_VERDICT_RECOVERING)
		return err_hint(err, "pgctl rebuild %s %u completes it", array->name,
				entry->member->slot);
	return err_hint(err, "move it away if it is no member any more: pgctl inspect %s", path);
}

static int entry_check(const struct md_adopt_array *array, const struct md_set_member *entry,
		       struct err *err)
{
	const struct md_found *found = array->found[entry->device];
	const char *path = array->paths[entry->device];

	if (entry->verdict != MD_VERDICT_CURRENT || entry->member->replacement)
		return entry_refuse(array, entry, err);
	if (entry->events_behind) {
		err_set(err, ERR_STATE, "%s is %" PRIu64 " event behind the others", path,
			entry->events_behind);
		return err_hint(err, "assemble and stop the array with Linux, then repeat");
	}
	if (found->bad_blocks_found && found->bad_blocks.count) {
		err_set(err, ERR_STATE, "%s lists %u ranges of itself as bad", path,
			found->bad_blocks.count);
		return err_hint(err,
				"pgctl inspect %s lists them; rebuild the member on a good disk "
				"first",
				path);
	}
	if (found->dirty_known && found->dirty_chunks) {
		err_set(err, ERR_STATE, "%s: its bitmap names %" PRIu64 " chunks as dirty", path,
			found->dirty_chunks);
		return err_hint(err,
				"assemble the array with Linux, let it resync and stop it, then "
				"repeat");
	}
	if (found->faults.count) {
		err_set(err, ERR_STATE, "%s: %s: %s", path, found->faults.at[0].field,
			found->faults.at[0].text);
		return err_hint(err, "pgctl inspect %s", path);
	}
	return 0;
}

static int seats_check(const struct md_adopt_array *array, struct err *err)
{
	for (uint32_t slot = 0; slot < array->seats->count; slot++) {
		const struct md_seat *seat = &array->seats->at[slot];

		if (seat->entry && seat->counts_sectors == MD_MEMBER_NONE)
			continue;
		err_set(err, ERR_TOO_FEW, "slot %u has no %s", slot,
			seat->entry ? "member that is complete" : "current member");
		return err_hint(err,
				"name its file with --member, or rebuild it first: pgctl rebuild "
				"%s %u --to FILE",
				array->name, slot);
	}
	return 0;
}

int md_adopt_check(const struct md_adopt_array *array, struct err *err)
{
	int rc = format_check(array, err);

	if (rc == 0)
		rc = shape_check(array, err);
	if (rc == 0)
		rc = work_check(array, err);
	for (uint32_t i = 0; rc == 0 && i < array->set->member_count; i++)
		rc = entry_check(array, &array->set->members[i], err);
	if (rc == 0)
		rc = seats_check(array, err);
	return rc ? err_prefix(err, "array %s", array->name) : 0;
}

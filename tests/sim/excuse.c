/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/excuse.h"

#include "core/array/array_internal.h"
#include "core/store/super.h"
#include "tests/sim/jobs.h"
#include "tests/sim/sim_env.h"

#define IOS_MAX 20000u /* of one opening: a small array needs a few hundred */

/*
 * Members that hold nothing, after many steps or a job, may be absent as well: too many for writing. So may one that
 * came back and was rebuilt into the room of the others: it is in service.
 */
bool excuse_too_few(const struct check *check, int rc)
{
	const struct run *run = check->run;

	return rc == ERR_TOO_FEW &&
	       (run->lasting || jobs_in_run(run) || (check->missing & run->emptied));
}

static bool removes_member(enum step_kind kind)
{
	return kind == STEP_MEMBER_REMOVE || kind == STEP_REMOVE_EVACUATE;
}

static bool has_torn_slot(const struct media *media, uint32_t disk)
{
	for (uint32_t i = 0; i < SUPER_POSITIONS; i++) {
		uint64_t offset = super_position(i);
		const uint8_t *block = media_bytes(media, disk) + offset;
		struct super super;
		struct err err = { 0 };

		if (super_has_magic(block) && super_decode(&super, block, offset, &err))
			return true;
	}
	return false;
}

/*
 * Two commits, of a removal and of the recovery without two members, one of whom heard of it, both in flight: who
 * could say of one that it never was has half a superblock of the other, in another slot. Nothing is lost.
 */
bool excuse_fork(const struct check *check, int rc)
{
	const struct run *run = check->run;

	if (rc != ERR_FORK || __builtin_popcount(check->lost) < 2 || !check->in_step ||
	    check->acked >= run->step_count || !removes_member(run->steps[check->acked]))
		return false;
	for (uint32_t disk = 0; disk < run->rig->disks; disk++) {
		if (has_torn_slot(run->rig->media, disk))
			return true;
	}
	return false;
}

static bool newest_super(const struct media *media, uint32_t disk, struct super *super_out)
{
	bool found = false;

	for (uint32_t i = 0; i < SUPER_POSITIONS; i++) {
		uint64_t offset = super_position(i);
		struct super super;
		struct err err = { 0 };

		if (super_decode(&super, media_bytes(media, disk) + offset, offset, &err) ||
		    (found && (super.epoch < super_out->epoch ||
			       (super.epoch == super_out->epoch &&
				super.generation < super_out->generation))))
			continue;
		*super_out = super;
		found = true;
	}
	return found;
}

/*
 * Who was away and is back with the beginning of an epoch that nobody else here took part in: whether it was ever
 * acknowledged only those know who are lost. Then to refuse is right (FAULTS B2), and without him all must be there.
 */
static uint32_t lone_branches(const struct check *check)
{
	const struct run *run = check->run;
	uint32_t lone = 0;

	for (uint32_t disk = 0; run->lasting && disk < run->rig->disks; disk++) {
		uint32_t others = 0;
		struct super super = { 0 };

		if (!((run->absent & ~check->missing) >> disk & 1) ||
		    !newest_super(run->rig->media, disk, &super))
			continue;
		for (uint32_t slot = 0; slot <= RACK_DISKS_MAX; slot++) {
			if (member_set_has(super.present, slot) && run->disk_of[slot] != disk)
				others |= 1u << run->disk_of[slot];
		}
		if ((others & ~check->missing) == 0)
			lone |= 1u << disk;
	}
	return lone;
}

struct check excuse_lone_branches(const struct check *check)
{
	struct rack rack = {
		.env = sim_env(UINT64_C(8) << 32),
		.media = check->run->rig->media,
		.ios_max = IOS_MAX,
		.may_be_blank = check->run->rack.may_be_blank,
		.leave_log = true,
	};
	struct check without = *check;
	uint32_t lone = lone_branches(check);
	struct array *array = NULL;
	struct err err = { 0 };

	if (lone && rack_array_open(&rack, check->missing, ARRAY_READ, 1, &array, &err) == ERR_FORK)
		without.missing |= lone;
	array_close(array);
	return without;
}

/*
 * Members leave one by one, and the last may be lost as well: none is left then, whatever the layout survives. Those
 * that are lost say themselves that nobody else is a member.
 */
bool excuse_nobody(const struct check *check, int rc)
{
	struct rack rack = {
		.env = sim_env(UINT64_C(7) << 32),
		.media = check->run->rig->media,
		.ios_max = IOS_MAX,
		.may_be_blank = check->run->rack.may_be_blank,
		.leave_log = true,
	};
	struct array *array = NULL;
	struct err err = { 0 };
	uint32_t left = 0;

	if (rc != ERR_NOT_MEMBER || !check->run->lasting ||
	    rack_array_open(&rack, 0, ARRAY_READ, 1, &array, &err))
		return false;
	for (uint32_t i = 0; i < array_map(array)->member_count; i++) {
		struct dev *dev = array_dev(array, array_map(array)->members[i].slot);

		left += !dev || !(check->missing >> rack_disk_of(dev) & 1);
	}
	array_close(array);
	return left == 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/container_map.h"

#include "core/base/bytes.h"
#include "core/base/size.h"
#include "core/map/foreign.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct making {
	const struct container *container;
	struct foreign *foreign;
	uint32_t member_count; /* of the map so far */
	uint32_t volume_count;
};

/* One volume: what the disks say of it. */
struct volume_view {
	struct md_set_input inputs[MEMBERS_MAX];
	uint32_t input_count;
	struct md_sets sets;
	struct md_seats seats;
};

static const struct md_found *found_of(const struct container *container, uint32_t disk)
{
	const struct md_set_member *entry = container->seats->at[disk].entry;

	return entry ? container->founds[entry->device] : NULL;
}

static const struct md_volume *volume_of(const struct md_found *found, const struct uuid *uuid)
{
	for (uint32_t i = 0; i < found->volume_count; i++) {
		if (uuid_equal(&found->volumes[i].member.array, uuid))
			return &found->volumes[i];
	}
	return NULL;
}

/* Disks of DDF know their own volumes only, those of Intel Matrix all. */
static bool is_known_before(const struct container *container, uint32_t disk,
			    const struct md_volume *volume)
{
	for (uint32_t before = 0; before < disk; before++) {
		const struct md_found *found = found_of(container, before);

		if (found && volume_of(found, &volume->member.array))
			return true;
	}
	return volume_of(found_of(container, disk), &volume->member.array) != volume;
}

static void inputs_find(struct volume_view *view, const struct container *container,
			const struct uuid *uuid)
{
	for (uint32_t disk = 0; disk < container->seats->count; disk++) {
		const struct md_set_member *entry = container->seats->at[disk].entry;
		const struct md_volume *volume =
			entry ? volume_of(container->founds[entry->device], uuid) : NULL;

		if (volume)
			view->inputs[view->input_count++] =
				(struct md_set_input){ &volume->member, entry->device };
	}
}

/* The volume whose record counts. */
static const struct md_volume *newest_of(const struct container *container,
					 const struct md_set *set)
{
	for (uint32_t i = 0; i < set->member_count; i++) {
		if (set->members[i].member == set->newest)
			return volume_of(container->founds[set->members[i].device],
					 &set->newest->array);
	}
	return NULL;
}

/* Who stands on a disk that counts was asked of the disk. */
static bool stale_is_taken(void *arg, const struct md_set_member *stale)
{
	(void)arg;
	(void)stale;
	return true;
}

/* One that no volume before has. */
static void name_find(char name_out[static NAME_SIZE], const struct making *making,
		      const struct md_member *member)
{
	char name[NAME_SIZE];

	md_map_name(name, member);
	memcpy(name_out, name, NAME_SIZE);
	for (uint32_t number = 2; making->foreign && foreign_has_volume(making->foreign, name_out);
	     number++)
		snprintf(name_out, NAME_SIZE, "%.40s-%u", name, number);
}

static void leave_out(const struct making *making, const struct md_member *member, const char *why)
{
	char name[NAME_SIZE];

	name_find(name, making, member);
	making->container->left_out(making->container->arg, name, why);
}

/* By the newest record; where a volume has a record for each part, by those of the other parts as well. */
static uint32_t disk_of(const struct container *container, const struct md_set *set, uint32_t slot)
{
	uint32_t disk = newest_of(container, set)->disks[slot];

	for (uint32_t i = 0; i < set->member_count && disk == MD_SLOT_NONE; i++) {
		const struct md_set_member *entry = &set->members[i];

		if (entry->verdict == MD_VERDICT_CURRENT)
			disk = volume_of(container->founds[entry->device], &set->newest->array)
				       ->disks[slot];
	}
	return disk;
}

/* A disk that no record names is a member that is missing. */
static int numbers_find(uint32_t *numbers, struct making *making, const struct md_set *set,
			struct err *err)
{
	uint32_t next = making->container->seats->count;
	uint64_t size;
	int rc = 0;

	if (!size_multiply(set->newest->device_sectors, MD_SECTOR, &size))
		return err_set(err, ERR_FORMAT, "a disk's size is none");
	for (uint32_t slot = 0; slot < set->slot_count; slot++) {
		numbers[slot] = disk_of(making->container, set, slot);
		if (numbers[slot] >= making->container->seats->count)
			numbers[slot] = next++;
	}
	while (rc == 0 && making->member_count < next) {
		struct uuid uuid = making->container->set->newest->array;

		put_le32(uuid.bytes, get_le32(uuid.bytes) ^ (making->member_count + 1));
		rc = foreign_add_member(making->foreign, making->member_count++, &uuid, size, err);
	}
	return rc;
}

/* The first volume begins the map. */
static int volume_begin(struct making *making, const struct md_member *member, struct err *err)
{
	const struct container *container = making->container;
	char array[NAME_SIZE], name[NAME_SIZE];

	name_find(name, making, member);
	if (making->volume_count++ > 0)
		return foreign_begin_volume(making->foreign, name, err);
	md_map_name(array, container->set->newest);
	making->foreign = foreign_create(array, name, &container->set->newest->array);
	if (!making->foreign)
		return err_set(err, ERR_NOMEM, "no memory for the map of a container");
	making->member_count = container->seats->count;
	return md_map_add_members(making->foreign, container->set, container->seats, err);
}

/* Records of different age may number the disks otherwise: whoever is not where the slot's disk is has no part. */
static void strangers_drop(struct md_seats *seats, const uint32_t *numbers,
			   const struct md_seats *disks)
{
	for (uint32_t slot = 0; slot < seats->count; slot++) {
		const struct md_set_member *entry = seats->at[slot].entry;
		const struct md_set_member *disk =
			numbers[slot] < disks->count ? disks->at[numbers[slot]].entry : NULL;

		if (entry && (!disk || disk->device != entry->device))
			seats->at[slot] = (struct md_seat){ .entry = NULL };
	}
}

static int volume_place(struct making *making, struct volume_view *view, struct err *err)
{
	const struct md_set *set = &view->sets.at[0];
	uint32_t numbers[MEMBERS_MAX];
	int rc;

	assert(set->slot_count <= MEMBERS_MAX);
	rc = volume_begin(making, set->newest, err);
	if (rc == 0)
		rc = numbers_find(numbers, making, set, err);
	if (rc == 0) {
		strangers_drop(&view->seats, numbers, making->container->seats);
		rc = md_map_add_volume(making->foreign, set, &view->seats, numbers, err);
	}
	if (rc)
		err_prefix(err, "volume '%s'", set->newest->name);
	return rc;
}

static int volume_add(struct making *making, const struct md_volume *first, struct err *err)
{
	struct volume_view view = { .input_count = 0 };
	const struct md_volume *volume;
	const struct md_set *set;
	int rc;

	inputs_find(&view, making->container, &first->member.array);
	rc = md_sets_compare(&view.sets, view.inputs, view.input_count, err);
	if (rc)
		return rc;
	assert(view.sets.at); /* `first` is one of the inputs */
	set = &view.sets.at[0];
	volume = set->newest ? newest_of(making->container, set) : NULL;
	if (!volume)
		leave_out(making, &first->member, first->member.faults.at[0].text);
	else if (volume->unfit)
		leave_out(making, &volume->member, volume->unfit);
	else
		rc = md_seats_choose(&view.seats, set, stale_is_taken, NULL, err);
	if (rc == 0 && volume && !volume->unfit)
		rc = volume_place(making, &view, err);
	md_sets_reset(&view.sets);
	return rc;
}

static int numbered_add(struct making *making, uint32_t number, struct err *err)
{
	const struct container *container = making->container;
	int rc = 0;

	for (uint32_t disk = 0; rc == 0 && disk < container->seats->count; disk++) {
		const struct md_found *found = found_of(container, disk);

		for (uint32_t i = 0; rc == 0 && found && i < found->volume_count; i++) {
			if (found->volumes[i].number == number &&
			    !is_known_before(container, disk, &found->volumes[i]))
				rc = volume_add(making, &found->volumes[i], err);
		}
	}
	return rc;
}

/* In the order of the container's list. */
static int volumes_add(struct making *making, struct err *err)
{
	int rc = 0;

	for (uint32_t number = 0; rc == 0 && number <= MD_VOLUMES_MAX; number++)
		rc = numbered_add(making, number, err);
	return rc;
}

int container_map_make(struct map **map_out, const struct container *container, struct err *err)
{
	struct making making = { .container = container };
	int rc;

	assert(container->set->newest && container->seats->count <= MEMBERS_MAX);
	rc = volumes_add(&making, err);
	if (rc == 0 && !making.foreign)
		rc = err_set(err, ERR_UNSUPPORTED,
			     "no volume of the container can be read by the disks that are here");
	if (rc) {
		foreign_free(making.foreign);
		return rc;
	}
	return foreign_finish(making.foreign, map_out, err);
}

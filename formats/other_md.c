/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/other_md.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/dev/dev.h"
#include "formats/ddf.h"
#include "formats/imsm.h"
#include "formats/other_probe.h"
#include "formats/sha.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIAL_OF_NO_DISK                                                                          \
	"/dev/" /* what mdadm writes where a disk has no serial number: its name */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static uint32_t digit_of(char c)
{
	return is_digit(c) ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
}

/* The volume's uuid as mdadm shows it: of Intel Matrix it is one, of DDF it is made of the guid. */
static void uuid_make(struct uuid *uuid_out, const struct other_format *format, const char *text)
{
	uint8_t bytes[DDF_GUID_SIZE] = { 0 }, sum[SHA1_SIZE];
	uint32_t used = 0;

	for (; *text && used < 2 * DDF_GUID_SIZE; text++) {
		if (*text == ':')
			continue;
		bytes[used / 2] |= (uint8_t)(digit_of(*text) << (used % 2 ? 0 : 4));
		used++;
	}
	if (format == &ddf_format) {
		sha1_of(sum, bytes, DDF_GUID_SIZE);
		/* Words of the machine, shown as numbers. */
		for (uint32_t i = 0; i < 16; i++)
			bytes[i] = sum[i ^ 3];
	}
	memcpy(uuid_out->bytes, bytes, sizeof(uuid_out->bytes));
}

static bool is_of_no_disk(const char *serial)
{
	return strncmp(serial, SERIAL_OF_NO_DISK, strlen(SERIAL_OF_NO_DISK)) == 0;
}

/* "loop2", "loop2.img" for "/dev/loop2". */
static const char *disk_named(const struct fact_tree *disks, const char *name)
{
	size_t size = strcspn(name, ".");

	for (uint32_t i = 0; i < disks->count; i++) {
		const char *serial = tree_chars(disks, &disks->at[i]);
		const char *device = serial + strlen(SERIAL_OF_NO_DISK);

		if (is_of_no_disk(serial) && strlen(device) == size &&
		    memcmp(device, name, size) == 0)
			return serial;
	}
	return NULL;
}

/* The number at the end of `size` bytes of a name; false: there is none. */
static bool number_at_end(unsigned long *number_out, const char *name, size_t size)
{
	size_t end = size;

	while (end > 0 && is_digit(name[end - 1]))
		end--;
	if (end < size)
		*number_out = strtoul(name + end, NULL, 10);
	return end < size;
}

/* Of a device by its name: "/dev/loop2" and "/dev/sdc" are 2. */
static bool is_device_number(const char *serial, unsigned long number)
{
	size_t size = strlen(serial);
	unsigned long own = (unsigned char)serial[size - 1] - (unsigned long)'a';

	number_at_end(&own, serial, size);
	return own == number;
}

/*
 * By the file's name, which is the device's, or ends with a number: "m1" for "/dev/ubdb". The number is that of the device
 * and of serials that come before; they differ once disks were exchanged. The id of the disk, or NULL.
 */
static const char *disk_guess(const struct fact_tree *disks, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *named = disk_named(disks, slash ? slash + 1 : path);
	unsigned long number = 0;

	path = slash ? slash + 1 : path;
	if (named || !number_at_end(&number, path, strcspn(path, ".")))
		return named;
	for (uint32_t i = 0; i < disks->count; i++) {
		const char *serial = tree_chars(disks, &disks->at[i]);
		unsigned long before = 0;

		if (!is_of_no_disk(serial))
			return NULL;
		for (uint32_t other = 0; other < disks->count; other++)
			before += strcmp(tree_chars(disks, &disks->at[other]), serial) < 0;
		if (before == number && is_device_number(serial, number))
			return serial;
	}
	return NULL;
}

static uint32_t slot_of(const struct other_volume *volume, const char *disk)
{
	for (uint32_t slot = 0; disk[0] && slot < volume->shape.raid_disks; slot++) {
		if (strcmp(volume->slots[slot].member, disk) == 0)
			return slot;
	}
	return MD_SLOT_NONE;
}

/* Which of the container's it is. */
static uint32_t disk_number(const struct fact_tree *disks, const char *disk)
{
	for (uint32_t i = 0; disk[0] && i < disks->count; i++) {
		if (strcmp(tree_chars(disks, &disks->at[i]), disk) == 0)
			return i;
	}
	return MD_SLOT_NONE;
}

/* A device whose records were found, in the making. */
struct making {
	const struct other_found *found;
	const char *disk; /* its id, "" where nothing says it */
	bool disk_guessed;
	uint64_t device_sectors;
};

static void member_begin(struct md_member *member, const struct making *making)
{
	const struct other_found *found = making->found;

	*member = (struct md_member){
		.metadata = found->format == &ddf_format ? MD_METADATA_DDF : MD_METADATA_IMSM,
		.super_sector = found->offset / MD_SECTOR,
		.device_sectors = making->device_sectors,
		.events = found->generation,
		.clean = true,
		.raid0_layout_known = true,
		.resync_start = MD_MEMBER_NONE,
		.reshape_position = MD_MEMBER_NONE,
		.bitmap_sector = MD_MEMBER_NONE,
		.bad_block_sector = MD_MEMBER_NONE,
		.ppl_sector = MD_MEMBER_NONE,
		.role = MD_ROLE_SPARE,
		.slot = MD_SLOT_NONE,
	};
	if (found->faults.count)
		md_fault(&member->faults, found->faults.at[0].field, "%s",
			 found->faults.at[0].text);
}

static void array_fill(struct md_member *member, const struct making *making,
		       const struct other_volume *volume)
{
	static const struct md_shape_fields fields = { "level", "layout", "chunk_bytes",
						       "raid_disks" };

	uuid_make(&member->array, making->found->format, volume->uuid);
	snprintf(member->name, sizeof(member->name), "%s", volume->name);
	member->shape = volume->shape;
	if (member->shape.level == MD_RAID0)
		member->shape.layout = MD_RAID0_ORIGINAL;
	/* mdadm leaves what two copies on an odd number of disks have in their last row beyond whole disks. */
	if (member->shape.level == MD_RAID10 &&
	    volume->array_sectors % (BLOCK_SIZE / MD_SECTOR) == 0)
		member->array_sectors = volume->array_sectors;
	member->before = member->after = member->shape;
	member->clean = !volume->dirty;
	member->resync_start = volume->dirty ? 0 : MD_MEMBER_NONE;
	md_shape_validate(&member->faults, &member->shape, &fields);
	member->slot_count =
		volume->shape.raid_disks <= MD_SLOTS_MAX ? volume->shape.raid_disks : 0;
	for (uint32_t slot = 0; slot < member->slot_count; slot++)
		member->slots[slot] = volume->slots[slot].member[0] && volume->slots[slot].missing
					      ? MD_SLOT_MISSING
					      : MD_SLOT_ACTIVE;
}

static void place_fill(struct md_member *member, const struct other_slot *slot)
{
	uint64_t end;

	member->data_offset = member->new_data_offset = slot->first_sector;
	member->data_size = slot->sectors;
	member->data_sectors = md_data_sectors(&member->shape, slot->sectors);
	if (member->shape.level != MD_RAID0 && member->shape.level != MD_LINEAR)
		member->data_sectors = slot->sectors;
	if (!size_add(slot->first_sector, slot->sectors, &end) || end > member->device_sectors)
		md_fault(&member->faults, "data_offset", "the data leave the device");
	member->in_sync = !slot->missing;
	member->recovery_start = slot->missing ? 0 : MD_MEMBER_NONE;
	if (slot->missing)
		member->role = MD_ROLE_FAULTY;
}

static void volume_fill(struct md_member *member, const struct making *making,
			const struct other_volume *volume)
{
	member_begin(member, making);
	array_fill(member, making, volume);
	member->slot = slot_of(volume, making->disk);
	member->slot_guessed = member->slot != MD_SLOT_NONE && making->disk_guessed;
	if (member->slot == MD_SLOT_NONE)
		return;
	member->role = MD_ROLE_SLOT;
	place_fill(member, &volume->slots[member->slot]);
}

/* Which disk each slot is on; why that cannot be, or NULL. */
static const char *disks_fill(struct md_volume *made, const struct making *making,
			      const struct other_volume *volume)
{
	if (volume->shape.raid_disks > MEMBERS_MAX)
		return "it has more members than an array can have here";
	for (uint32_t slot = 0; slot < volume->shape.raid_disks; slot++) {
		const char *disk = volume->slots[slot].member;

		made->disks[slot] = disk_number(&making->found->expected, disk);
		if (disk[0] && slot_of(volume, disk) != slot)
			return "two of its slots are on one disk";
	}
	return NULL;
}

/* A name that leads to one volume, whichever disks are there. */
static void name_fill(struct md_member *member, const struct other_volume *volume)
{
	const char *name = volume->name[0] ? volume->name : "volume";

	if (volume->name_shared || !volume->name[0])
		snprintf(member->name, sizeof(member->name), "%.20s-%u", name, volume->number);
}

static int container_volumes_fill(struct md_found *made, const struct making *making)
{
	const struct other_found *found = making->found;

	made->volumes = mem_calloc(found->volume_count, sizeof(*made->volumes));
	if (!made->volumes)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < found->volume_count; i++) {
		struct md_volume *volume = &made->volumes[made->volume_count++];
		const char *unfit = disks_fill(volume, making, &found->volumes[i]);

		volume_fill(&volume->member, making, &found->volumes[i]);
		name_fill(&volume->member, &found->volumes[i]);
		volume->number = (uint32_t)size_min(found->volumes[i].number, MD_VOLUMES_MAX);
		volume->unfit = found->volumes[i].unfit ? found->volumes[i].unfit : unfit;
		made->member.clean &=
			volume->member.clean || !md_level_is_redundant(volume->member.shape.level);
	}
	return 0;
}

/* The container as an array whose slots are its disks, each of them whole. */
static int container_fill(struct md_found *made, const struct making *making)
{
	const struct other_found *found = making->found;
	struct md_member *member = &made->member;

	member_begin(member, making);
	uuid_make(&member->array, found->format, found->uuid);
	snprintf(member->name, sizeof(member->name), "%s", found->format->name);
	member->shape =
		(struct md_shape){ .level = MD_CONTAINER, .raid_disks = found->expected.count };
	member->before = member->after = member->shape;
	if (found->expected.count > 0 && found->expected.count <= MD_SLOTS_MAX)
		member->slot_count = found->expected.count;
	else
		md_fault(&member->faults, "disks", "%u", found->expected.count);
	memset(member->slots, MD_SLOT_ACTIVE, member->slot_count);
	member->data_size = member->data_sectors = making->device_sectors;
	member->slot = disk_number(&found->expected, making->disk);
	if (member->slot != MD_SLOT_NONE) {
		member->slot_guessed = making->disk_guessed;
		member->role = MD_ROLE_SLOT;
		member->in_sync = true;
		member->recovery_start = MD_MEMBER_NONE;
	}
	if (found->volumes_expected > MD_VOLUMES_MAX) {
		md_fault(&member->faults, "volumes", "%u, more than can be opened",
			 found->volumes_expected);
		return 0;
	}
	return container_volumes_fill(made, making);
}

/* What stands for the device, if anything of it can be opened. */
static int found_make(struct md_probe *probe_out, const struct making *making)
{
	const struct other_found *found = making->found;
	bool several = found->volumes_expected > 1;
	struct md_found *made;
	int rc = 0;

	if (!several && (found->volume_count != 1 || found->volumes[0].unfit))
		return 0;
	made = mem_calloc(1, sizeof(*made));
	if (!made)
		return ERR_NOMEM;
	made->offset = found->offset;
	made->decoded = true;
	if (several)
		rc = container_fill(made, making);
	else
		volume_fill(&made->member, making, &found->volumes[0]);
	if (rc)
		mem_free(made);
	else
		*probe_out = (struct md_probe){ .count = 1, .at = { made } };
	return rc;
}

int other_md_make(struct md_probe *probe_out, const struct other_found *found, const char *path,
		  uint64_t device_sectors, struct err *err)
{
	struct making making = { .found = found,
				 .disk = found->member,
				 .device_sectors = device_sectors };

	if (!found->member[0]) {
		const char *guess = disk_guess(&found->expected, path);

		making.disk = guess ? guess : "";
		making.disk_guessed = guess != NULL;
	}
	return found_make(probe_out, &making) ? err_set(err, ERR_NOMEM, "%s: no memory", path) : 0;
}

int other_md_probe(struct md_probe *probe_out, struct dev *dev, const char *path, bool search,
		   struct err *err)
{
	static const struct other_format *const formats[] = { &ddf_format, &imsm_format };
	struct other_found *found = NULL;
	struct reader reader;
	int rc = reader_open(&reader, dev, err);

	if (rc)
		return rc;
	reader.search = search;
	for (uint32_t i = 0; rc == 0 && !found && i < 2; i++)
		rc = other_probe_format(&found, formats[i], &reader, path, err);
	reader_close(&reader);
	if (rc || !found)
		return rc;
	rc = other_md_make(probe_out, found, path, dev_info(dev)->size_exact / MD_SECTOR, err);
	other_found_free(found);
	return rc;
}

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

static uint32_t digit_of(char c)
{
	return c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
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

/* "m1" for "/dev/ubdb": the number at the end of the name, and how many serials come before. */
static uint32_t slot_guess(const struct other_volume *volume, const char *path)
{
	size_t size, end;
	const char *slash = strrchr(path, '/');
	unsigned long number;

	path = slash ? slash + 1 : path;
	size = strcspn(path, ".");
	for (end = size; end > 0 && path[end - 1] >= '0' && path[end - 1] <= '9'; end--)
		;
	if (end == size)
		return MD_SLOT_NONE;
	number = strtoul(path + end, NULL, 10);
	for (uint32_t slot = 0; slot < volume->shape.raid_disks; slot++) {
		const char *serial = volume->slots[slot].member;
		unsigned long before = 0;

		if (strncmp(serial, SERIAL_OF_NO_DISK, strlen(SERIAL_OF_NO_DISK)) != 0)
			return MD_SLOT_NONE;
		for (uint32_t other = 0; other < volume->shape.raid_disks; other++)
			before += strcmp(volume->slots[other].member, serial) < 0;
		if (before == number)
			return slot;
	}
	return MD_SLOT_NONE;
}

static uint32_t slot_of(const struct other_volume *volume, const char *member)
{
	for (uint32_t slot = 0; member[0] && slot < volume->shape.raid_disks; slot++) {
		if (strcmp(volume->slots[slot].member, member) == 0)
			return slot;
	}
	return MD_SLOT_NONE;
}

static void array_fill(struct md_member *member, const struct other_found *found)
{
	static const struct md_shape_fields fields = { "level", "layout", "chunk_bytes",
						       "raid_disks" };
	const struct other_volume *volume = &found->volumes[0];

	member->metadata = found->format == &ddf_format ? MD_METADATA_DDF : MD_METADATA_IMSM;
	member->super_sector = found->offset / MD_SECTOR;
	uuid_make(&member->array, found->format, volume->uuid);
	snprintf(member->name, sizeof(member->name), "%s", volume->name);
	member->shape = volume->shape;
	if (member->shape.level == MD_RAID0)
		member->shape.layout = MD_RAID0_ORIGINAL;
	member->raid0_layout_known = true;
	member->events = found->generation;
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

static void member_fill(struct md_member *member, const struct other_found *found, const char *path,
			uint64_t device_sectors)
{
	const struct other_volume *volume = &found->volumes[0];

	*member = (struct md_member){
		.device_sectors = device_sectors,
		.reshape_position = MD_MEMBER_NONE,
		.bitmap_sector = MD_MEMBER_NONE,
		.bad_block_sector = MD_MEMBER_NONE,
		.ppl_sector = MD_MEMBER_NONE,
		.role = MD_ROLE_SPARE,
	};
	array_fill(member, found);
	member->before = member->after = member->shape;
	if (found->faults.count)
		md_fault(&member->faults, found->faults.at[0].field, "%s",
			 found->faults.at[0].text);
	member->slot = slot_of(volume, found->member);
	if (member->slot == MD_SLOT_NONE && !found->member[0]) {
		member->slot = slot_guess(volume, path);
		member->slot_guessed = member->slot != MD_SLOT_NONE;
	}
	if (member->slot == MD_SLOT_NONE)
		return;
	member->role = MD_ROLE_SLOT;
	place_fill(member, &volume->slots[member->slot]);
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
	if (found->volume_count == 1 && !found->volumes[0].unfit) {
		struct md_found *made = mem_calloc(1, sizeof(*made));

		if (made) {
			made->offset = found->offset;
			made->decoded = true;
			member_fill(&made->member, found, path,
				    dev_info(dev)->size_exact / MD_SECTOR);
			*probe_out = (struct md_probe){ .count = 1, .at = { made } };
		} else {
			rc = err_set(err, ERR_NOMEM, "%s: no memory", path);
		}
	}
	other_found_free(found);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/md_help.h"

#include <assert.h>
#include <string.h>

struct md1 md1_sample(uint32_t slot)
{
	struct md1 super = {
		.set_uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
		.set_name = "host:name",
		.ctime = 1700000000,
		.level = MD_RAID5,
		.layout = MD_LEFT_SYMMETRIC,
		.size_sectors = 30720,
		.chunk_sectors = 128,
		.raid_disks = MD_HELP_DISKS,
		.data_offset_sectors = 2048,
		.data_size_sectors = 30720,
		.super_offset_sectors = 8,
		.dev_number = slot,
		.device_uuid = { { (uint8_t)(slot + 1) } },
		.bblog_sectors = 8,
		.bblog_offset_sectors = 16,
		.utime = 1700000001,
		.events = 100,
		.resync_sectors = MD1_NEVER,
		.max_dev = 128,
	};

	for (uint32_t i = 0; i < super.max_dev; i++)
		super.roles[i] = i < MD_HELP_DISKS ? (uint16_t)i : MD1_ROLE_FAULTY;
	md1_finish(&super);
	return super;
}

void md1_finish(struct md1 *super)
{
	uint8_t bytes[MD_SUPER_SIZE];
	struct err err = { 0 };

	md1_encode(bytes, super);
	assert(md1_decode(super, bytes, &err) == 0);
}

uint64_t md0_sector(void)
{
	uint64_t sector = 0;

	assert(md0_place(&sector, MD_HELP_SECTORS));
	return sector;
}

struct md0 md0_sample(uint32_t slot, bool big_endian)
{
	struct md0 super = {
		.big_endian = big_endian,
		.minor_version = 90,
		.set_uuid = { 1, 0x02030405, 3, 4 },
		.ctime_s = 1700000000,
		.utime_s = 1700000001,
		.level = MD_RAID5,
		.size_kib = 16320,
		.nr_disks = MD_HELP_DISKS,
		.raid_disks = MD_HELP_DISKS,
		.state = MD0_CLEAN,
		.active_disks = MD_HELP_DISKS,
		.working_disks = MD_HELP_DISKS,
		.events = 100,
		.layout = MD_LEFT_SYMMETRIC,
		.chunk_bytes = 65536,
	};

	for (uint32_t i = 0; i < MD_HELP_DISKS; i++)
		super.disks[i] = (struct md0_disk){
			.number = i,
			.major = 8,
			.minor = 16 * i,
			.raid_disk = i,
			.state = MD0_DISK_ACTIVE | MD0_DISK_SYNC,
		};
	super.this = super.disks[slot];
	md0_finish(&super);
	return super;
}

void md0_finish(struct md0 *super)
{
	uint8_t bytes[MD_SUPER_SIZE];
	struct err err = { 0 };

	md0_encode(bytes, super);
	assert(md0_decode(super, bytes, &err) == 0);
}

struct md_member md1_member(struct md1 *super)
{
	struct md_member member;

	md1_finish(super);
	md_member_from_md1(&member, super, 2, 8, MD_HELP_SECTORS);
	return member;
}

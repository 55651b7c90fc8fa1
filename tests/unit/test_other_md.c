/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes of containers in MD's words. Aim: DDF's levels lie as mdadm and the kernel place them, which `make check-vm`
 * holds against them; where disks have device names for serials, a file is taken for none rather than for another disk.
 * Method: configurations and containers made by hand.
 */
#include "core/base/mem.h"
#include "formats/ddf.h"
#include "formats/imsm.h"
#include "formats/md_probe.h"
#include "formats/other_md.h"
#include "formats/other_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ELEMENT_SECTORS 4096u
#define OF_MDADM "Linux-MD"

struct shape_case {
	const char *maker;
	uint8_t level, qualifier, second_count, second_level;
	uint16_t element_count;
	/* What comes of it; level 0: it is not read. */
	int32_t md_level;
	uint32_t md_layout, raid_disks, room_sectors;
};

/* Rows of mdadm's layout_md2ddf() but for the makers; the standard has an offset RAID1E's copies in the next row. */
static void ddf_lies_as_mdadm_writes_it(void **state)
{
	static const struct shape_case cases[] = {
		{ OF_MDADM, DDF_RAID1E, 0, 1, 0, 3, MD_RAID10, 0x102, 3, 6144 },
		{ OF_MDADM, DDF_RAID1E, 0, 1, 0, 4, MD_RAID10, 0x102, 4, 8192 },
		{ OF_MDADM, DDF_RAID1E, 1, 1, 0, 3, MD_RAID10, 0x201, 3, 6144 },
		{ OF_MDADM, DDF_RAID1E, 1, 1, 0, 4, MD_RAID10, 0x201, 4, 8192 },
		{ "AnyMaker", DDF_RAID1E, 1, 1, 0, 4, MD_RAID10, 0x10201, 4, 8192 },
		{ OF_MDADM, DDF_RAID1E, 2, 1, 0, 4, 0, 0, 0, 0 },
		{ OF_MDADM, DDF_RAID1, 0, 2, DDF_SPANNED, 2, MD_RAID10, 0x102, 4, 8192 },
		{ OF_MDADM, DDF_RAID1, 0, 3, DDF_STRIPED, 2, MD_RAID10, 0x102, 6, 12288 },
		{ OF_MDADM, DDF_RAID1, 1, 2, DDF_SPANNED, 3, MD_RAID10, 0x103, 6, 8192 },
		{ OF_MDADM, DDF_RAID1, 0, 2, DDF_SPANNED, 3, 0, 0, 0, 0 },
		{ OF_MDADM, DDF_RAID1, 0, 2, DDF_CONCATENATED, 2, 0, 0, 0, 0 },
		{ OF_MDADM, DDF_RAID5, 3, 2, DDF_STRIPED, 3, 0, 0, 0, 0 },
		{ OF_MDADM, DDF_RAID5, 3, 1, 0, 3, MD_RAID5, MD_LEFT_SYMMETRIC, 3, 8192 },
		{ OF_MDADM, DDF_RAID6, 2, 1, 0, 5, MD_RAID6, MD_DDF_N_RESTART, 5, 12288 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct shape_case *expected = &cases[i];
		struct ddf_config config = {
			.level = expected->level,
			.qualifier = expected->qualifier,
			.second_count = expected->second_count,
			.second_level = expected->second_level,
			.element_count = expected->element_count,
			.element_blocks = ELEMENT_SECTORS,
			.chunk_shift = 5,
		};
		const char *why = NULL;
		struct md_shape shape;
		uint64_t room = 0;
		uint32_t data;

		memcpy(config.guid, expected->maker, strlen(expected->maker));
		data = ddf_shape(&shape, &why, &config);
		if (expected->md_level == 0) {
			assert_non_null(why);
			continue;
		}
		assert_null(why);
		assert_int_equal(shape.level, expected->md_level);
		assert_int_equal(shape.layout, expected->md_layout);
		assert_int_equal(shape.raid_disks, expected->raid_disks);
		assert_true(ddf_room(&room, &config, data));
		assert_int_equal(room, expected->room_sectors);
	}
}

/* A container with one volume of these disks, in this order, whose member the file at `path` is. */
static struct md_member member_of(const struct md_shape *shape, uint64_t array_sectors,
				  const char *const *serials, const char *path)
{
	struct other_found *found = mem_calloc(1, sizeof(*found));
	struct md_probe probe = { .count = 0 };
	struct md_member member;
	struct other_volume *volume;
	struct err err = { 0 };

	assert_non_null(found);
	found->format = &imsm_format;
	found->volumes = volume = mem_calloc(1, sizeof(*volume));
	assert_non_null(volume);
	found->volume_count = found->volumes_expected = 1;
	volume->shape = *shape;
	volume->array_sectors = array_sectors;
	volume->slots = mem_calloc(shape->raid_disks, sizeof(*volume->slots));
	assert_non_null(volume->slots);
	for (uint32_t i = 0; i < shape->raid_disks; i++) {
		other_expect(found, "%s", serials[i]);
		volume->slots[i].sectors = shape->component_sectors;
		snprintf(volume->slots[i].member, OTHER_ID_SIZE, "%s", serials[i]);
	}
	assert_int_equal(other_md_make(&probe, found, path, 65536, &err), 0);
	assert_int_equal(probe.count, 1);
	member = probe.at[0]->member;
	md_probe_reset(&probe);
	other_found_free(found);
	return member;
}

static uint32_t slot_of(const char *const *serials, const char *path)
{
	static const struct md_shape shape = { MD_RAID5, MD_LEFT_ASYMMETRIC, 16384, 3,
					       ELEMENT_SECTORS };
	struct md_member member = member_of(&shape, UINT64_C(2) * ELEMENT_SECTORS, serials, path);

	assert_true(member.slot_guessed == (member.slot != MD_SLOT_NONE));
	return member.slot;
}

/* loop1 has failed, and the spare loop3 is in its place: loop2 is the second of the names now, and still number 2. */
static void a_disk_without_a_serial_is_not_taken_for_another(void **state)
{
	static const char *const loops[] = { "/dev/loop0", "/dev/loop3", "/dev/loop2" };
	static const char *const letters[] = { "/dev/sdc", "/dev/sda", "/dev/sdb" };
	static const char *const shifted[] = { "/dev/sdb", "/dev/sdc", "/dev/sde" };
	static const char *const known[] = { "S1", "S2", "S3" };

	(void)state;
	assert_int_equal(slot_of(loops, "there/loop2.img"), 2);
	assert_int_equal(slot_of(loops, "loop3"), 1);
	assert_int_equal(slot_of(loops, "loop0.img"), 0);
	assert_int_equal(slot_of(loops, "m0.img"), 0);
	assert_int_equal(slot_of(loops, "m1.img"), MD_SLOT_NONE);
	assert_int_equal(slot_of(loops, "m2.img"), MD_SLOT_NONE);
	assert_int_equal(slot_of(loops, "loop20.img"), MD_SLOT_NONE);
	assert_int_equal(slot_of(loops, "loop.img"), MD_SLOT_NONE);
	assert_int_equal(slot_of(letters, "m0.img"), 1);
	assert_int_equal(slot_of(letters, "m1.img"), 2);
	assert_int_equal(slot_of(letters, "m2.img"), 0);
	assert_int_equal(slot_of(shifted, "m1.img"), MD_SLOT_NONE);
	assert_int_equal(slot_of(shifted, "sde.img"), 2);
	assert_int_equal(slot_of(known, "m1.img"), MD_SLOT_NONE);
}

/* Two copies on three disks: the rows hold half as much again as one disk, of which mdadm uses a whole disk's. */
static void the_end_that_mdadm_leaves_is_not_content(void **state)
{
	static const char *const disks[] = { "/dev/loop0", "/dev/loop1", "/dev/loop2" };
	static const struct md_shape shape = { MD_RAID10, 0x102, 16384, 3, ELEMENT_SECTORS };
	struct md_member member = member_of(&shape, ELEMENT_SECTORS, disks, "loop1");
	uint64_t bytes = 0;

	(void)state;
	assert_true(md_member_array_bytes(&bytes, &member));
	assert_int_equal(bytes, ELEMENT_SECTORS * MD_SECTOR);
	member.array_sectors = UINT64_MAX;
	assert_true(md_member_array_bytes(&bytes, &member));
	assert_int_equal(bytes, ELEMENT_SECTORS * MD_SECTOR * 3 / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ddf_lies_as_mdadm_writes_it),
		cmocka_unit_test(a_disk_without_a_serial_is_not_taken_for_another),
		cmocka_unit_test(the_end_that_mdadm_leaves_is_not_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

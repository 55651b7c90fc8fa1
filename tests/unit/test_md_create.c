/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New arrays of Linux MD: aim is that members are cut as mdadm cuts them, that no superblock has a fault, and that an
 * array is there only once all of it is true.
 * Method: plans for the sizes of arrays that mdadm 4.2 made, compared with what their superblocks say; superblocks and
 * bitmaps of every format and level decoded and validated; made on simulated disks that stop after every write.
 */
#include "core/base/rng.h"
#include "core/dev/devices.h"
#include "formats/md_create.h"
#include "formats/md_probe.h"

#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
#define MEMBERS 5u

static struct md_create_request request_of(enum md_metadata metadata, int32_t level,
					   const uint64_t *sizes, uint32_t count)
{
	return (struct md_create_request){
		.metadata = metadata,
		.shape = { .level = level,
			   .layout = md_create_layout(level),
			   .chunk_bytes = md_create_chunk(level),
			   .raid_disks = count },
		.name = "box",
		.uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
		.now_s = 1700000000,
		.sizes = sizes,
	};
}

/* What mdadm 4.2 made of members of that size. */
static void members_are_cut_as_mdadm_cuts_them(void **state)
{
	static const struct {
		enum md_metadata metadata;
		int32_t level;
		uint64_t chunk, device_bytes, data_offset, component, data_sectors;
	} made[] = {
		{ MD_METADATA_1_2, MD_RAID5, 65536, 8388608, 2048, 14336, 14336 },
		{ MD_METADATA_1_1, MD_RAID10, 32768, 14000 * 512, 2048, 11904, 11952 },
		{ MD_METADATA_1_1, MD_RAID4, 4096, 10006 * 512, 2048, 7952, 7958 },
		{ MD_METADATA_1_0, MD_RAID1, 0, 14000 * 512, 0, 13952, 13968 },
		{ MD_METADATA_1_0, MD_RAID1, 0, 10002 * 512, 0, 9856, 9968 },
		{ MD_METADATA_1_2, MD_RAID0, 65536, 12288 * 512, 2048, 0, 10240 },
		{ MD_METADATA_0_90, MD_RAID1, 0, 12000 * 512, 0, 11776, 11776 },
		{ MD_METADATA_0_90, MD_RAID5, 32768, 12000 * 512, 0, 11776, 11776 },
		/* as members of 1 TiB have it everywhere */
		{ MD_METADATA_1_2, MD_RAID5, 524288, TIB, 264192, TIB / 512 - 264192,
		  TIB / 512 - 264192 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		uint64_t sizes[MEMBERS];
		struct md_create_request request =
			request_of(made[i].metadata, made[i].level, sizes, 4);
		struct md_create_plan plan;
		struct err err = { 0 };

		for (uint32_t slot = 0; slot < MEMBERS; slot++)
			sizes[slot] = made[i].device_bytes;
		request.shape.chunk_bytes = made[i].chunk;
		assert_int_equal(md_create_plan(&plan, &request, &err), 0);
		assert_int_equal(plan.data_offset, made[i].data_offset);
		assert_int_equal(plan.shape.component_sectors, made[i].component);
		assert_int_equal(md_create_data_sectors(&plan, 0), made[i].data_sectors);
	}
}

/* Of one member: it decodes, has no fault, and says what was asked for. */
static void super_check(const struct md_create_plan *plan, uint32_t number)
{
	const struct md_create_request *request = &plan->request;
	static const struct uuid device = { { 42 } };
	static uint8_t bytes[MD_SUPER_SIZE], head[MD_BITMAP_SIZE];
	static struct md_member member;
	uint64_t sector = md_create_super(bytes, plan, number, &device), device_sectors,
		 array_bytes;
	struct md_faults faults = { 0 };
	struct md_bitmap bitmap;
	struct err err = { 0 };

	device_sectors = request->sizes[number] / MD_SECTOR;
	if (request->metadata == MD_METADATA_0_90) {
		static struct md0 super;

		assert_int_equal(md0_decode(&super, bytes, &err), 0);
		md_member_from_md0(&member, &super, sector, device_sectors);
	} else {
		static struct md1 super;

		assert_int_equal(md1_decode(&super, bytes, &err), 0);
		md_member_from_md1(&member, &super, (uint32_t)request->metadata - 1, sector,
				   device_sectors);
	}
	assert_int_equal(member.faults.count, 0);
	assert_true(uuid_equal(&member.array, &request->uuid));
	assert_true(member.clean);
	assert_int_equal(member.role,
			 number < request->shape.raid_disks ? MD_ROLE_SLOT : MD_ROLE_SPARE);
	if (member.role == MD_ROLE_SLOT)
		assert_int_equal(member.slot, number);
	if (md_member_array_bytes(&array_bytes, &member))
		assert_int_equal(array_bytes, plan->array_bytes);
	assert_int_equal(member.has_bitmap, request->bitmap);
	if (!request->bitmap)
		return;

	struct md_bitmap_place place = { .events = member.events,
					 .room_bytes = plan->bitmap_room * MD_SECTOR };

	memcpy(place.uuid, member.array_raw, sizeof(place.uuid));
	assert_int_equal(md_create_bitmap(head, plan, number), member.bitmap_sector);
	assert_int_equal(md_bitmap_decode(&bitmap, head, &err), 0);
	md_bitmap_validate(&faults, &bitmap, &place);
	assert_int_equal(faults.count, 0);
}

static void no_superblock_has_a_fault(void **state)
{
	static const int32_t levels[] = { MD_LINEAR, MD_RAID0, MD_RAID1, MD_RAID4,
					  MD_RAID5,  MD_RAID6, MD_RAID10 };
	static const uint64_t steps[] = { 4 * MIB, 16 * MIB, 3 * 1024 * MIB, 9 * 1024 * MIB, TIB };
	uint32_t made = 0;

	(void)state;
	for (uint32_t i = 0; i < 4 * 7 * 5 * 2; i++) {
		uint64_t sizes[MEMBERS];
		bool redundant = md_level_is_redundant(levels[i / 4 % 7]);
		struct md_create_request request =
			request_of((enum md_metadata)(i % 4), levels[i / 4 % 7], sizes, 4);
		struct md_create_plan plan;
		struct err err = { 0 };

		for (uint32_t slot = 0; slot < MEMBERS; slot++)
			sizes[slot] =
				steps[i / 28 % 5] + (request.metadata ? slot * 4096 * 100 : 0);
		request.spare_count = redundant;
		request.bitmap = redundant && i / 140;
		assert_int_equal(md_create_plan(&plan, &request, &err), 0);
		for (uint32_t slot = 0; slot < 4 + request.spare_count; slot++)
			super_check(&plan, slot);
		made++;
	}
	assert_int_equal(made, 280);
}

static int refused(struct md_create_request *request)
{
	struct md_create_plan plan;
	struct err err = { 0 };

	return md_create_plan(&plan, request, &err);
}

static void what_cannot_be_is_refused(void **state)
{
	uint64_t sizes[40] = { 0 };
	struct md_create_request request = request_of(MD_METADATA_1_2, MD_RAID5, sizes, 4);

	(void)state;
	assert_int_equal(refused(&request), ERR_UNSAFE); /* all of them missing */
	for (uint32_t i = 0; i < 40; i++)
		sizes[i] = 16 * MIB;
	sizes[1] = 0;
	assert_int_equal(refused(&request), 0);
	sizes[2] = 0;
	assert_int_equal(refused(&request), ERR_UNSAFE);
	sizes[1] = sizes[2] = 16 * MIB;

	request.shape.chunk_bytes = 12288;
	assert_int_equal(refused(&request), ERR_LIMIT);
	request.shape.chunk_bytes = 65536;
	sizes[3] = MIB;
	assert_int_equal(refused(&request), ERR_SIZE);
	sizes[3] = 16 * MIB;
	request.name = "a name of more than thirty-two bytes";
	assert_int_equal(refused(&request), ERR_NAME);

	request = request_of(MD_METADATA_0_90, MD_RAID6, sizes, 28);
	assert_int_equal(refused(&request), ERR_LIMIT);
	request.shape.raid_disks = 27;
	assert_int_equal(refused(&request), 0);
	sizes[5] = 5 * TIB;
	for (uint32_t i = 0; i < 27; i++)
		sizes[i] = 5 * TIB;
	assert_int_equal(refused(&request), ERR_LIMIT);

	request = request_of(MD_METADATA_1_2, MD_RAID0, sizes, 4);
	request.bitmap = true;
	assert_int_equal(refused(&request), ERR_UNSUPPORTED);
	/* Zones: only formats 1.x say how they are numbered. */
	request = request_of(MD_METADATA_0_90, MD_RAID0, sizes, 4);
	sizes[0] = sizes[1] = sizes[2] = 8 * MIB;
	sizes[3] = 16 * MIB;
	assert_int_equal(refused(&request), ERR_UNSUPPORTED);
	request.metadata = MD_METADATA_1_1;
	assert_int_equal(refused(&request), 0);
}

static void orders_have_their_names(void **state)
{
	static const struct {
		int32_t level;
		const char *name;
		uint32_t layout;
	} known[] = {
		{ MD_RAID5, "left-symmetric", 2 },    { MD_RAID5, "ra", 1 },
		{ MD_RAID6, "parity-first-6", 20 },   { MD_RAID10, "n2", 0x102 },
		{ MD_RAID10, "far=3", 0x301 },        { MD_RAID10, "o2", 0x10201 },
		{ MD_RAID10, "near=2,far=2", 0x202 }, { MD_RAID0, "alternate", 2 },
	};
	static const char *const none[] = { "", "x2", "n0", "n", "near=", "n2x", "n256", "f2,n2" };
	uint32_t layout;
	int32_t level;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_true(md_layout_named(&layout, known[i].level, known[i].name));
		assert_int_equal(layout, known[i].layout);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(md_layout_named(&layout, MD_RAID10, none[i]));
	assert_false(md_layout_named(&layout, MD_RAID5, "left-symmetric-6"));
	assert_true(md_level_named(&level, "10") && level == MD_RAID10);
	assert_true(md_level_named(&level, "raid6") && level == MD_RAID6);
	assert_true(md_level_named(&level, "linear") && level == MD_LINEAR);
	assert_false(md_level_named(&level, "") || md_level_named(&level, "7"));
}

/* How many of the disks have a superblock, and whether parity and all else is zero on those. */
static uint32_t supers_found(struct dev *const *devs, const struct md_create_plan *plan)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < plan->shape.raid_disks; i++) {
		const uint8_t *bytes = dev_sim_bytes(devs[i]);
		struct md_probe probe;
		struct err err = { 0 };

		assert_int_equal(md_probe_device(&probe, devs[i], &err), 0);
		found += probe.count;
		if (probe.count)
			assert_true(bytes_are_zero(bytes + plan->data_offset * MD_SECTOR,
						   4 * MIB - plan->data_offset * MD_SECTOR));
		md_probe_reset(&probe);
	}
	return found;
}

/* Wherever power fails: a superblock stands only before zeros, and the last of them ends the work. */
static void an_array_is_there_when_all_of_it_is_true(void **state)
{
	const uint64_t sizes[] = { 4 * MIB, 4 * MIB, 4 * MIB };
	struct md_create_request request = request_of(MD_METADATA_1_2, MD_RAID5, sizes, 3);
	struct md_create_plan plan;
	struct err err = { 0 };
	bool done = false;

	(void)state;
	request.bitmap = true;
	assert_int_equal(md_create_plan(&plan, &request, &err), 0);
	for (uint64_t stop = 0; !done; stop++) {
		struct md_create_target targets[3] = { { 0 } };
		struct dev *devs[3];
		struct rng rng = rng_seeded(stop + 1);

		for (uint32_t i = 0; i < 3; i++) {
			assert_int_equal(dev_sim_open(&devs[i], env_threads(), "disk", sizes[i]),
					 0);
			memset(dev_sim_bytes(devs[i]), 0x5a, sizes[i]);
			targets[i].dev = devs[i];
		}
		dev_sim_stop_after(devs[1], stop);
		done = md_create_write(&plan, targets, NULL, NULL, &err) == 0;
		for (uint32_t i = 0; i < 3; i++)
			dev_sim_crash(devs[i], &rng);
		assert_int_equal(done, supers_found(devs, &plan) == 3);
		for (uint32_t i = 0; i < 3; i++)
			dev_close(devs[i]);
		assert_true(stop < 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_cut_as_mdadm_cuts_them),
		cmocka_unit_test(no_superblock_has_a_fault),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(orders_have_their_names),
		cmocka_unit_test(an_array_is_there_when_all_of_it_is_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

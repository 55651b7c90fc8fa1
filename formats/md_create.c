/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_create.h"

#include "core/base/size.h"
#include "formats/md_bitmap.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define SUPER_SECTORS (MD_SUPER_SIZE / MD_SECTOR)
#define MIB_SECTORS 2048u
#define GIB_SECTORS (UINT64_C(1024) * MIB_SECTORS)
#define BAD_BLOCK_SECTORS 8u
#define HEADROOM_SECTORS (UINT64_C(128) * MIB_SECTORS) /* for a reshape, at most */
#define HEADROOM_PART 1024u                            /* and at most this part of the member */
#define RAID1_ROUND 128u /* sectors of its component: it becomes a 0.90 or a RAID-5 by that */
#define ROLES_ROUND 128u
#define BITMAP_0_90_SECTORS 120u /* behind the superblock, up to the end of its 64 KiB */
#define BITMAP_CHUNK_MIN (UINT32_C(64) << 20)
#define BITMAP_CHUNK_MAX (UINT32_C(1) << 31)
#define BITMAP_SLEEP_S 5u
#define SIZE_0_90_MAX (UINT64_C(4) << 31) /* sectors of a member: 4 TiB in KiB are 32 bits */
#define FIRST_EVENT 1u

static bool is_0_90(const struct md_create_request *request)
{
	return request->metadata == MD_METADATA_0_90;
}

static uint32_t minor_of(const struct md_create_request *request)
{
	assert(!is_0_90(request));
	return (uint32_t)(request->metadata - MD_METADATA_1_0);
}

static uint32_t member_count(const struct md_create_request *request)
{
	return request->shape.raid_disks + request->spare_count;
}

uint64_t md_create_chunk(int32_t level)
{
	return level == MD_RAID1 || level == MD_LINEAR ? 0 : MD_CREATE_CHUNK;
}

uint32_t md_create_layout(int32_t level)
{
	switch (level) {
	case MD_RAID5:
	case MD_RAID6:
		return MD_LEFT_SYMMETRIC;
	case MD_RAID10:
		return 1 << 8 | 2; /* near=2 */
	default:
		return 0;
	}
}

/* Where the superblock of a member lies, which was found large enough. */
static uint64_t super_place(const struct md_create_request *request, uint32_t member)
{
	uint64_t place = 0, sectors = request->sizes[member] / MD_SECTOR;
	bool found = is_0_90(request) ? md0_place(&place, sectors)
				      : md1_place(&place, minor_of(request), sectors);

	assert(found);
	return place;
}

/* Sectors from there to the bitmap: behind the superblock; in 1.0 before it and before the bad blocks. */
static int32_t bitmap_offset(const struct md_create_request *request, uint32_t room)
{
	return request->metadata == MD_METADATA_1_0 ? -(int32_t)(BAD_BLOCK_SECTORS + room)
						    : (int32_t)SUPER_SECTORS;
}

/* Sectors of a member of which data can be made. */
static uint64_t room_of(const struct md_create_plan *plan, uint64_t device_sectors)
{
	uint64_t place, reserved;
	bool found;

	if (is_0_90(&plan->request))
		return md0_place(&place, device_sectors) ? place : 0;
	found = md1_place(&place, minor_of(&plan->request), device_sectors);
	if (plan->request.metadata != MD_METADATA_1_0)
		return found && device_sectors > plan->data_offset
			       ? device_sectors - plan->data_offset
			       : 0;
	reserved = plan->bitmap_room + BAD_BLOCK_SECTORS;
	return found && place > reserved ? place - reserved : 0;
}

uint64_t md_create_data_sectors(const struct md_create_plan *plan, uint32_t member)
{
	assert(member < member_count(&plan->request));
	return room_of(plan, plan->request.sizes[member] / MD_SECTOR);
}

/* More of it for members that hold more; none where there is nothing to bring back into step. */
static uint32_t bitmap_room(const struct md_create_request *request, uint64_t sectors)
{
	if (!md_level_is_redundant(request->shape.level))
		return 0;
	if (is_0_90(request))
		return BITMAP_0_90_SECTORS;
	if (sectors >= 200 * GIB_SECTORS + 128)
		return 256;
	return sectors > 8 * GIB_SECTORS + 8 ? 128 : 8;
}

/* Data of 1.1 and 1.2 leave room before them, by which a reshape can begin. */
static uint64_t data_offset(const struct md_create_plan *plan, uint64_t sectors)
{
	uint64_t headroom = HEADROOM_SECTORS;

	if (is_0_90(&plan->request) || plan->request.metadata == MD_METADATA_1_0)
		return 0;
	while (headroom > sectors / HEADROOM_PART && headroom > plan->shape.chunk_bytes / 1024)
		headroom /= 2;
	return size_round_up(3 * (uint64_t)SUPER_SECTORS + plan->bitmap_room + headroom,
			     MIB_SECTORS);
}

/* Sizes of all members that are there: the smallest counts. */
static uint64_t smallest(const struct md_create_request *request)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < member_count(request); i++)
		if (request->sizes[i])
			least = size_min(least, request->sizes[i] / MD_SECTOR);
	return least;
}

static bool sizes_differ(const struct md_create_plan *plan)
{
	const struct md_shape *shape = &plan->shape;

	for (uint32_t i = 1; i < shape->raid_disks; i++)
		if (md_data_sectors(shape, md_create_data_sectors(plan, i)) !=
		    md_data_sectors(shape, md_create_data_sectors(plan, 0)))
			return true;
	return false;
}

static int shape_check(const struct md_create_request *request, struct err *err)
{
	static const struct md_shape_fields fields = { "level", "order", "chunk", "members" };
	const struct md_shape *shape = &request->shape;
	struct md_faults faults = { 0 };

	md_shape_validate(&faults, shape, &fields);
	if (faults.count)
		return err_set(err, ERR_LIMIT, "%s: %s", faults.at[0].field, faults.at[0].text);
	if (is_0_90(request) && member_count(request) > MD0_DISKS_MAX)
		return err_set(err, ERR_LIMIT, "%u members: format 0.90 has room for %u",
			       member_count(request), MD0_DISKS_MAX);
	if (member_count(request) > MD1_ROLES_MAX)
		return err_set(err, ERR_LIMIT, "%u members: the superblock has room for %u",
			       member_count(request), MD1_ROLES_MAX);
	if (request->bitmap && !md_level_is_redundant(shape->level))
		return err_set(err, ERR_UNSUPPORTED, "%s has no parity and no copies for a bitmap",
			       md_level_name(shape->level));
	if (request->spare_count && !md_level_is_redundant(shape->level))
		return err_set(err, ERR_UNSUPPORTED, "%s has no use for a spare",
			       md_level_name(shape->level));
	if (!is_0_90(request) && strlen(request->name) > MD1_NAME_SIZE)
		return err_set(err, ERR_NAME, "the name has %zu bytes, the superblock %u",
			       strlen(request->name), MD1_NAME_SIZE);
	return 0;
}

static int missing_check(const struct md_create_request *request, struct err *err)
{
	bool present[MD_SLOTS_MAX];
	uint32_t missing = 0;

	for (uint32_t i = 0; i < request->shape.raid_disks; i++) {
		present[i] = request->sizes[i] > 0;
		missing += !present[i];
	}
	if (md_slots_suffice(&request->shape, present) && missing < request->shape.raid_disks)
		return 0;
	return err_set(err, ERR_UNSAFE, "%s of %u members cannot do without these %u",
		       md_level_name(request->shape.level), request->shape.raid_disks, missing);
}

static int sizes_check(const struct md_create_plan *plan, uint64_t least, struct err *err)
{
	uint64_t room, chunk = plan->shape.chunk_bytes / MD_SECTOR;

	for (uint32_t i = 0; i < member_count(&plan->request); i++) {
		if (plan->request.sizes[i] == 0)
			continue;
		room = md_create_data_sectors(plan, i);
		if (room < size_max(chunk, RAID1_ROUND))
			return err_set(err, ERR_SIZE,
				       "member %u has %" PRIu64 " bytes: beside its superblock "
				       "there is no room for a chunk",
				       i, plan->request.sizes[i]);
		if (is_0_90(&plan->request) && room >= SIZE_0_90_MAX)
			return err_set(err, ERR_LIMIT,
				       "member %u has %" PRIu64 " bytes: format 0.90 takes 4 TiB",
				       i, plan->request.sizes[i]);
	}
	assert(least < UINT64_MAX);
	return 0;
}

/* Used on each member; nothing where every member gives what it has. */
static uint64_t component_of(const struct md_create_plan *plan, uint64_t least)
{
	uint64_t room = room_of(plan, least);
	uint64_t unit = size_max(plan->shape.chunk_bytes / MD_SECTOR, 1);

	if (plan->shape.level == MD_RAID1)
		unit = RAID1_ROUND;
	if (!md_level_is_redundant(plan->shape.level) && !is_0_90(&plan->request))
		return 0;
	return room - room % unit;
}

static int array_size(struct md_create_plan *plan, struct err *err)
{
	const struct md_shape *shape = &plan->shape;
	uint64_t sectors = 0, bytes;
	bool fits = true;

	if (md_level_is_redundant(shape->level)) {
		fits = md_array_bytes(&plan->array_bytes, shape);
	} else {
		for (uint32_t i = 0; fits && i < shape->raid_disks; i++)
			fits = size_add(sectors,
					md_data_sectors(shape, md_create_data_sectors(plan, i)),
					&sectors);
		fits = fits && size_multiply(sectors, MD_SECTOR, &bytes);
		if (fits)
			plan->array_bytes = bytes;
	}
	return fits ? 0 : err_set(err, ERR_SIZE, "the array would be larger than 2^64 bytes");
}

/* Of raid10 its bits stand for the array, of all others for each member. */
static uint64_t bitmap_sectors(const struct md_create_plan *plan)
{
	return plan->shape.level == MD_RAID10 ? plan->array_bytes / MD_SECTOR
					      : plan->shape.component_sectors;
}

/* The smallest chunk from 64 MiB on whose bits fit into the room. */
static int bitmap_fit(struct md_create_plan *plan, struct err *err)
{
	uint64_t bits = (uint64_t)(plan->bitmap_room * MD_SECTOR - MD_BITMAP_SIZE) * 8;
	uint32_t chunk = BITMAP_CHUNK_MIN;

	while (chunk < BITMAP_CHUNK_MAX &&
	       size_divide_up(bitmap_sectors(plan), chunk / MD_SECTOR) > bits)
		chunk *= 2;
	if (size_divide_up(bitmap_sectors(plan), chunk / MD_SECTOR) > bits)
		return err_set(err, ERR_LIMIT, "members are too large for a bitmap of %u bytes",
			       plan->bitmap_room * MD_SECTOR);
	plan->bitmap_chunk_bytes = chunk;
	return 0;
}

/* With members of several sizes a raid0 has zones, and must say how those are numbered. */
static int raid0_fit(struct md_create_plan *plan, struct err *err)
{
	bool differ = plan->shape.level == MD_RAID0 && sizes_differ(plan);

	plan->raid0_layout = plan->request.raid0_layout || (differ && !is_0_90(&plan->request));
	if (differ && is_0_90(&plan->request))
		return err_set(err, ERR_UNSUPPORTED,
			       "format 0.90 does not say in which order a raid0 uses members of "
			       "several sizes");
	if (plan->raid0_layout && plan->shape.layout == MD_RAID0_UNKNOWN)
		plan->shape.layout = MD_RAID0_ALTERNATE;
	return 0;
}

int md_create_plan(struct md_create_plan *plan_out, const struct md_create_request *request,
		   struct err *err)
{
	struct md_create_plan plan = { .request = *request, .shape = request->shape };
	uint64_t least = smallest(request);
	int rc = shape_check(request, err);

	if (rc == 0)
		rc = missing_check(request, err);
	if (rc)
		return rc;
	plan.bitmap_room = bitmap_room(request, least);
	plan.data_offset = data_offset(&plan, least);
	rc = sizes_check(&plan, least, err);
	if (rc == 0)
		rc = raid0_fit(&plan, err);
	if (rc)
		return rc;
	plan.shape.component_sectors = component_of(&plan, least);
	rc = array_size(&plan, err);
	if (rc == 0 && request->bitmap)
		rc = bitmap_fit(&plan, err);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < member_count(request); i++)
		if (request->sizes[i])
			plan.super_bytes += MD_SUPER_SIZE +
					    (request->bitmap ? plan.bitmap_room * MD_SECTOR : 0);
	*plan_out = plan;
	return 0;
}

/* The slot's number, also of one that is missing; of a spare one behind the last slot. */
static void md0_disks_set(struct md0 *super, const struct md_create_plan *plan)
{
	uint32_t slots = plan->shape.raid_disks;

	for (uint32_t i = 0; i < member_count(&plan->request); i++) {
		struct md0_disk *disk = &super->disks[i];
		bool spare = i >= slots, missing = plan->request.sizes[i] == 0;

		disk->number = i;
		disk->raid_disk = i;
		disk->state = spare ? 0 : MD0_DISK_ACTIVE | MD0_DISK_SYNC;
		if (missing)
			disk->state = MD0_DISK_REMOVED | MD0_DISK_FAULTY;
		super->nr_disks += !missing;
		super->active_disks += !missing && !spare;
		super->working_disks += !missing;
		super->failed_disks += missing;
		super->spare_disks += spare;
	}
}

static uint64_t md0_make(uint8_t *bytes, const struct md_create_plan *plan, uint32_t member)
{
	const struct md_create_request *request = &plan->request;
	struct md0 super = {
		.minor_version = 90,
		.ctime_s = (uint32_t)request->now_s,
		.utime_s = (uint32_t)request->now_s,
		.level = plan->shape.level,
		.size_kib = (uint32_t)(plan->shape.component_sectors / 2),
		.raid_disks = plan->shape.raid_disks,
		.state = MD0_CLEAN | (plan->bitmap_chunk_bytes ? MD0_BITMAP_PRESENT : 0),
		.events = FIRST_EVENT,
		.checkpoint_events = FIRST_EVENT,
		.layout = plan->shape.layout,
		.chunk_bytes = (uint32_t)plan->shape.chunk_bytes,
	};

	for (uint32_t i = 0; i < 4; i++)
		super.set_uuid[i] = get_be32(request->uuid.bytes + 4 * (size_t)i);
	md0_disks_set(&super, plan);
	super.this = super.disks[member];
	md0_encode(bytes, &super);
	return super_place(request, member);
}

static void md1_roles_set(struct md1 *super, const struct md_create_plan *plan)
{
	uint32_t count = member_count(&plan->request);

	super->max_dev = (uint32_t)size_min(size_round_up(count, ROLES_ROUND), MD1_ROLES_MAX);
	for (uint32_t i = 0; i < super->max_dev; i++) {
		bool holds = i < plan->shape.raid_disks && plan->request.sizes[i];

		super->roles[i] = holds ? (uint16_t)i : MD1_ROLE_SPARE;
	}
}

static void md1_logs_set(struct md1 *super, const struct md_create_plan *plan)
{
	int32_t bitmap = bitmap_offset(&plan->request, plan->bitmap_room);

	/* Bad blocks are listed right behind the bitmap's room. */
	super->bblog_sectors = BAD_BLOCK_SECTORS;
	super->bblog_offset_sectors = bitmap + (int32_t)plan->bitmap_room;
	if (plan->bitmap_chunk_bytes) {
		super->features |= MD1_BITMAP_OFFSET;
		super->bitmap_or_ppl = (uint32_t)bitmap;
	}
}

static uint64_t md1_make(uint8_t *bytes, const struct md_create_plan *plan, uint32_t member,
			 const struct uuid *device)
{
	const struct md_create_request *request = &plan->request;
	uint64_t place = super_place(request, member);
	struct md1 super = {
		.features = plan->raid0_layout ? MD1_RAID0_LAYOUT : 0,
		.set_uuid = request->uuid,
		.ctime = md1_time_s(request->now_s),
		.level = plan->shape.level,
		.layout = plan->shape.layout,
		.size_sectors = plan->shape.component_sectors,
		.chunk_sectors = (uint32_t)(plan->shape.chunk_bytes / MD_SECTOR),
		.raid_disks = plan->shape.raid_disks,
		.data_offset_sectors = plan->data_offset,
		.data_size_sectors = md_create_data_sectors(plan, member),
		.super_offset_sectors = place,
		.dev_number = member,
		.device_uuid = *device,
		.utime = md1_time_s(request->now_s),
		.events = FIRST_EVENT,
		.resync_sectors = MD1_NEVER,
	};

	memcpy(super.set_name, request->name, strlen(request->name));
	md1_roles_set(&super, plan);
	md1_logs_set(&super, plan);
	md1_encode(bytes, &super);
	return place;
}

uint64_t md_create_super(uint8_t bytes[static MD_SUPER_SIZE], const struct md_create_plan *plan,
			 uint32_t member, const struct uuid *device)
{
	assert(member < member_count(&plan->request) && plan->request.sizes[member]);
	return is_0_90(&plan->request) ? md0_make(bytes, plan, member)
				       : md1_make(bytes, plan, member, device);
}

uint64_t md_create_bitmap(uint8_t bytes[static MD_BITMAP_SIZE], const struct md_create_plan *plan,
			  uint32_t member)
{
	struct md_bitmap bitmap = {
		.version = MD_BITMAP_LITTLE_ENDIAN,
		.events = FIRST_EVENT,
		.events_cleared = FIRST_EVENT,
		.sync_sectors = bitmap_sectors(plan),
		.chunk_bytes = plan->bitmap_chunk_bytes,
		.daemon_sleep_s = BITMAP_SLEEP_S,
	};

	assert(plan->bitmap_chunk_bytes);
	memcpy(bitmap.uuid, plan->request.uuid.bytes, sizeof(bitmap.uuid));
	/* 0.90 has its uuid as four numbers, and so has the bitmap. */
	for (uint32_t i = 0; is_0_90(&plan->request) && i < 4; i++)
		put_le32(bitmap.uuid + 4 * (size_t)i,
			 get_be32(plan->request.uuid.bytes + 4 * (size_t)i));
	md_bitmap_encode(bytes, &bitmap);
	return (uint64_t)((int64_t)super_place(&plan->request, member) +
			  bitmap_offset(&plan->request, plan->bitmap_room));
}

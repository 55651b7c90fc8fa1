/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuilding the map: whose devices these are and how frames lie on them come from any superblock that
 * still decodes; all else from the headers of extents. The new map is one commit of a new epoch, so
 * nothing that is still on the members can be taken for newer.
 */
#include "core/job/rebuild_map.h"

#include "core/array/probe.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/map_assemble.h"
#include "core/job/seal_find.h"
#include "core/map/check.h"
#include "core/store/choose.h"
#include "core/store/commit.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define FRAMES_MIN 1u              /* of a member that is worth scanning */
#define NAME_OF_NAMELESS "rebuilt" /* seals do not hold the array's name */

struct rebuilding {
	const struct rebuild_map_request *request;
	struct probe probes[MEMBERS_MAX];
	struct super newest; /* of all devices */
	uint64_t generation_seen, epoch_seen;
	struct scan scan;
	struct map *map;
};

/* Where no superblock is left, the seals say which array this is, and where they lie how large its frames are. */
static int seals_speak(struct rebuilding *rebuilding, struct err *err)
{
	const struct rebuild_map_request *request = rebuilding->request;
	struct seal_found *found = mem_calloc(request->dev_count, sizeof(*found));
	const struct uuid *array = NULL;
	int rc = found ? 0 : err_set(err, ERR_NOMEM, "no memory to look for seals");

	for (uint32_t i = 0; !rc && i < request->dev_count; i++) {
		rc = seal_find_run(&found[i], request->devs[i], UINT64_MAX, err);
		if (rc || found[i].places.count == 0)
			continue;
		if (array && !uuid_equal(array, &found[i].array))
			rc = err_set(err, ERR_MIXED, "%s holds extents of another array",
				     dev_name(request->devs[i]));
		array = &found[i].array;
	}
	if (!rc)
		rc = seal_find_geometry(&rebuilding->newest.geometry, found, request->dev_count,
					err);
	if (!rc && array) {
		rebuilding->newest.array = *array;
		memcpy(rebuilding->newest.name, NAME_OF_NAMELESS, sizeof(NAME_OF_NAMELESS));
	}
	for (uint32_t i = 0; found && i < request->dev_count; i++)
		seal_find_reset(&found[i]);
	mem_free(found);
	return rc;
}

static int probe_all(struct rebuilding *rebuilding, struct err *err)
{
	const struct rebuild_map_request *request = rebuilding->request;
	bool any = false;

	for (uint32_t i = 0; i < request->dev_count; i++) {
		struct probe *probe = &rebuilding->probes[i];
		int rc = probe_device(probe, request->devs[i], err);

		if (rc)
			return rc;
		if (probe->valid_slots == 0)
			continue;
		const struct super pair[] = { rebuilding->newest, probe->newest };
		if (!any || choose_newest(pair, 2) == 1)
			rebuilding->newest = probe->newest;
		any = true;
		rebuilding->epoch_seen = size_max(rebuilding->epoch_seen, probe->newest.epoch);
		rebuilding->generation_seen =
			size_max(rebuilding->generation_seen, probe->generation_seen);
	}
	return any ? 0 : seals_speak(rebuilding, err);
}

/* One array, one geometry, no member twice. */
static int check_probes(const struct rebuilding *rebuilding, struct err *err)
{
	const struct rebuild_map_request *request = rebuilding->request;
	const struct geometry *geometry = &rebuilding->newest.geometry;

	for (uint32_t i = 0; i < request->dev_count; i++) {
		const struct super *super = &rebuilding->probes[i].newest;

		if (rebuilding->probes[i].valid_slots == 0)
			continue;
		if (!uuid_equal(&super->array, &rebuilding->newest.array))
			return err_set(err, ERR_MIXED, "%s belongs to array \"%s\", not to \"%s\"",
				       dev_name(request->devs[i]), super->name,
				       rebuilding->newest.name);
		if (super->geometry.frame_blocks != geometry->frame_blocks ||
		    super->geometry.frame_body_blocks != geometry->frame_body_blocks ||
		    super->geometry.witness_max != geometry->witness_max ||
		    super->geometry.map_half_size != geometry->map_half_size ||
		    super->geometry.log_size != geometry->log_size)
			return err_set(err, ERR_FORMAT, "%s has other frames than the others",
				       dev_name(request->devs[i]));
	}
	if (geometry->adopted) {
		err_set(err, ERR_UNSUPPORTED,
			"array \"%s\" was adopted: no seal says where its bare groups lie",
			rebuilding->newest.name);
		return err_hint(err, "pgctl adopt --undo MEMBER... while that can be done");
	}
	if (rebuilding->generation_seen > SCAN_ID_MAX || rebuilding->epoch_seen > SCAN_ID_MAX)
		return err_set(err, ERR_FORMAT, "generation %" PRIu64 ", epoch %" PRIu64,
			       rebuilding->generation_seen, rebuilding->epoch_seen);
	return map_check_geometry(geometry, err);
}

/* Where things lie on a device: as its superblock says, as far as the device reaches today. */
static int find_regions(const struct rebuilding *rebuilding, uint32_t i,
			struct member_regions *regions_out, struct err *err)
{
	const struct geometry *geometry = &rebuilding->newest.geometry;
	const struct dev *dev = rebuilding->request->devs[i];
	uint64_t size = dev_info(dev)->size;
	uint64_t frame_size = (uint64_t)geometry->frame_blocks * BLOCK_SIZE;

	if (rebuilding->probes[i].valid_slots == 0) {
		int rc = super_regions(regions_out, size, geometry, err);

		return rc ? err_prefix(err, "%s", dev_name(dev)) : 0;
	}
	struct member_regions regions = rebuilding->probes[i].newest.regions;
	if (regions.member_size > size) {
		if (size < regions.data_offset + FRAMES_MIN * frame_size)
			return err_set(err, ERR_TRUNCATED,
				       "%s has %" PRIu64 " bytes, it had %" PRIu64, dev_name(dev),
				       size, regions.member_size);
		regions.member_size = size;
		regions.frame_count =
			size_min(regions.frame_count, (size - regions.data_offset) / frame_size);
	}
	if (regions.frame_count > UINT32_MAX)
		return err_set(err, ERR_FORMAT, "%s has %" PRIu64 " frames", dev_name(dev),
			       regions.frame_count);
	*regions_out = regions;
	return 0;
}

/* Numbers of members: as the superblocks say, others get what is left. */
static int number_members(struct rebuilding *rebuilding, struct err *err)
{
	struct scan *scan = &rebuilding->scan;
	struct member_set used = { 0 };
	uint32_t next = 0;

	for (uint32_t i = 0; i < scan->member_count; i++) {
		uint32_t slot = rebuilding->probes[i].newest.member_slot;

		if (!scan->members[i].named)
			continue;
		if (member_set_has(used, slot))
			return err_set(err, ERR_DUPLICATE,
				       "%s and another device are both member %u",
				       dev_name(scan->members[i].dev), slot);
		used = member_set_with(used, slot);
		scan->members[i].slot = slot;
	}
	for (uint32_t i = 0; i < scan->member_count; i++) {
		if (scan->members[i].named)
			continue;
		while (member_set_has(used, next))
			next++;
		used = member_set_with(used, next);
		scan->members[i].slot = next;
	}
	return 0;
}

/*
 * Headers of a generation that no superblock knows are of a put that was never published. That counts
 * only where no slot of any device is missing.
 */
static uint64_t published_max(const struct rebuilding *rebuilding)
{
	for (uint32_t i = 0; i < rebuilding->request->dev_count; i++) {
		if (rebuilding->probes[i].valid_slots < SUPER_SLOTS)
			return UINT64_MAX;
	}
	return rebuilding->generation_seen;
}

static int scan_devices(struct rebuilding *rebuilding, struct err *err)
{
	const struct rebuild_map_request *request = rebuilding->request;
	struct scan *scan = &rebuilding->scan;
	int rc = 0;

	scan->array = rebuilding->newest.array;
	scan->geometry = rebuilding->newest.geometry;
	scan->member_count = request->dev_count;
	scan->published_max = published_max(rebuilding);
	for (uint32_t i = 0; !rc && i < request->dev_count; i++) {
		scan->members[i].dev = request->devs[i];
		scan->members[i].named = rebuilding->probes[i].valid_slots > 0;
		scan->members[i].uuid = rebuilding->probes[i].newest.member;
		rc = find_regions(rebuilding, i, &scan->members[i].regions, err);
	}
	if (!rc)
		rc = number_members(rebuilding, err);
	if (!rc)
		rc = seal_scan_run(scan, err);
	for (uint32_t i = 0; !rc && i < scan->member_count; i++) {
		for (uint32_t j = 0; !rc && j < i; j++) {
			if (uuid_equal(&scan->members[i].uuid, &scan->members[j].uuid))
				rc = err_set(err, ERR_DUPLICATE, "%s and %s are the same member",
					     dev_name(scan->members[j].dev),
					     dev_name(scan->members[i].dev));
		}
	}
	return rc ? rc : seal_scan_settle(scan, err);
}

static struct uuid new_uuid(void *env)
{
	uint8_t random[16];

	env_random(env, random, sizeof(random));
	return uuid_from_random(random);
}

/*
 * Epochs that the superblocks tell of, so that a device on which the new one does not arrive is known as
 * behind. Two of one number are a split brain.
 */
static int collect_epochs(const struct rebuilding *rebuilding, struct map *map, struct err *err)
{
	for (uint32_t i = 0; i < rebuilding->request->dev_count; i++) {
		const struct super *super = &rebuilding->probes[i].newest;
		uint32_t at = map->epoch_count;

		if (rebuilding->probes[i].valid_slots == 0)
			continue;
		while (at > 0 && map->epochs[at - 1].number >= super->epoch)
			at--;
		if (at < map->epoch_count && map->epochs[at].number == super->epoch) {
			if (map->epochs[at].id != super->epoch_id)
				return err_set(
					err, ERR_FORK,
					"%s was written apart from the others, in epoch %" PRIu64,
					dev_name(rebuilding->request->devs[i]), super->epoch);
			continue;
		}
		if (map->epoch_count == EPOCHS_MAX - 1) /* the oldest may be too old */
			continue;
		memmove(&map->epochs[at + 1], &map->epochs[at],
			(map->epoch_count - at) * sizeof(map->epochs[0]));
		map->epochs[at] =
			(struct epoch){ super->epoch, super->epoch_id, 0, super->present };
		map->epoch_count++;
	}
	/* When they began is not known, only in which order. */
	for (uint32_t i = 0; i < map->epoch_count; i++)
		map->epochs[i].first_generation = i + 1;
	return 0;
}

/* The epoch that begins with this map. */
static void begin_epoch(const struct rebuilding *rebuilding, struct map *map)
{
	struct epoch *epoch = &map->epochs[map->epoch_count++];

	*epoch = (struct epoch){
		.number = rebuilding->epoch_seen + 1,
		.first_generation = size_max(rebuilding->generation_seen + 1, map->epoch_count),
	};
	for (uint32_t i = 0; i < rebuilding->scan.member_count; i++)
		epoch->present = member_set_with(epoch->present, rebuilding->scan.members[i].slot);
	env_random(rebuilding->request->env, &epoch->id, sizeof(epoch->id));
}

/* A map with members and an epoch of their own. */
static int begin_map(struct rebuilding *rebuilding, struct err *err)
{
	struct scan *scan = &rebuilding->scan;
	struct map *map = map_create();
	int rc = map ? 0 : ERR_NOMEM;

	rebuilding->map = map;
	for (uint32_t i = 0; !rc && i < scan->member_count; i++) {
		const struct scan_member *found = &scan->members[i];
		const struct member member = {
			.slot = found->slot,
			.uuid = found->uuid,
			.state = MEMBER_ONLINE,
			.size = found->regions.member_size,
			.frame_count = found->regions.frame_count,
			.data_offset = found->regions.data_offset,
		};

		rc = map_put_member(map, &member);
	}
	if (rc)
		return err_set(err, rc, "no memory for the map");
	map->uuid = scan->array;
	memcpy(map->name, rebuilding->newest.name, sizeof(map->name));
	map->geometry = scan->geometry;
	map->created_s = env_clock_s(rebuilding->request->env);
	map->extent_id_next = scan->extent_max + 1;
	map->group_id_next = scan->group_max + 1;
	map->volume_id_next = scan->volume_max + 1;
	rc = collect_epochs(rebuilding, map, err);
	if (!rc)
		begin_epoch(rebuilding, map);
	return rc;
}

static int assemble(struct rebuilding *rebuilding, struct rebuild_map_report *report,
		    struct err *err)
{
	struct scan *scan = &rebuilding->scan;
	struct assembly assembly = { .scan = scan,
				     .new_uuid = new_uuid,
				     .new_uuid_arg = rebuilding->request->env };

	rebuilding->generation_seen = size_max(rebuilding->generation_seen, scan->generation_max);
	int rc = begin_map(rebuilding, err);
	if (rc)
		return rc;
	assembly.map = rebuilding->map;
	assembly.generation = rebuilding->generation_seen + 1;
	rc = map_assemble(&assembly, err);
	if (!rc)
		rc = map_check(rebuilding->map, err);
	if (rc)
		return err_prefix(err, "the map that the seals make");
	*report = (struct rebuild_map_report){
		.extents_found = scan->found.count,
		.groups = rebuilding->map->group_count,
		.volumes = rebuilding->map->volume_count,
		.extents_orphaned = scan->found.count - assembly.extents_taken,
		.incomplete_volumes = assembly.incomplete_volumes,
	};
	return 0;
}

/* To the half that the newest superblock does not point to, on all devices. */
static int write_map(struct rebuilding *rebuilding, struct err *err)
{
	const struct scan *scan = &rebuilding->scan;
	struct commit_member members[MEMBERS_MAX];
	struct commit_state state = {
		.generation_seen = rebuilding->generation_seen,
		.half = rebuilding->newest.map_half,
		.length = rebuilding->newest.map_length,
		.crc = rebuilding->newest.map_crc,
		.half_acknowledged = rebuilding->newest.map_half,
	};

	for (uint32_t i = 0; i < scan->member_count; i++)
		members[i] = (struct commit_member){ .dev = scan->members[i].dev,
						     .uuid = scan->members[i].uuid,
						     .slot = scan->members[i].slot,
						     .regions = scan->members[i].regions };
	return commit_write(&state, rebuilding->map, members, scan->member_count,
			    env_clock_s(rebuilding->request->env), err);
}

int rebuild_map_run(const struct rebuild_map_request *request,
		    struct rebuild_map_report *report_out, struct err *err)
{
	struct rebuild_map_report report = { 0 };
	struct rebuilding *rebuilding;

	if (request->dev_count == 0 || request->dev_count > MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "%u members, at most %u are possible",
			       request->dev_count, MEMBERS_MAX);
	rebuilding = mem_calloc(1, sizeof(*rebuilding));
	if (!rebuilding)
		return err_set(err, ERR_NOMEM, "no memory to rebuild the map");
	rebuilding->request = request;
	int rc = probe_all(rebuilding, err);
	if (!rc)
		rc = check_probes(rebuilding, err);
	if (!rc)
		rc = scan_devices(rebuilding, err);
	if (!rc)
		rc = assemble(rebuilding, &report, err);
	if (!rc && request->write)
		rc = write_map(rebuilding, err);
	if (!rc)
		*report_out = report;
	seal_scan_reset(&rebuilding->scan);
	map_free(rebuilding->map);
	mem_free(rebuilding);
	return rc;
}

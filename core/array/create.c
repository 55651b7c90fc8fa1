/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Creating: a pure plan, then its execution.
 *
 * Two commits: one that says "being created", which array_open() refuses, then the array itself. So a
 * create that is interrupted never leaves an array that is half there. A member that fails on the way is an
 * error, unlike later in life: an array that begins degraded is nobody's wish.
 */
#include "core/array/array_internal.h"
#include "core/array/probe.h"
#include "core/base/size.h"
#include "core/map/capacity.h"
#include "core/map/place.h"
#include "core/map/zones.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)
#define FRAME_BODY_MIN (256 * KIB)
#define FRAME_BODY_MAX (4 * MIB)
#define FRAMES_MAX (UINT64_C(1) << 20) /* on a member, by what --extent may ask for */
#define WITNESSES_MIN 16u              /* room to grow wider than the array is today */
#define UNIT_DEFAULT (64 * KIB)
#define BODY_MAX (4 * MIB)                   /* of an extent, unless somebody asks */
#define GROUP_BYTES_MAX (UINT64_C(64) * MIB) /* one group is held in memory while it is written */

/* The greatest power of two not above `value`; value > 0. */
static uint64_t power_below(uint64_t value)
{
	return UINT64_C(1) << (63 - __builtin_clzll(value));
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

int policy_size_class(uint64_t size, const struct geometry *geometry, uint8_t *class_out,
		      struct err *err)
{
	uint64_t body = (uint64_t)geometry->frame_body_blocks * BLOCK_SIZE;

	for (uint8_t c = 0; c <= SIZE_CLASS_MAX; c++) {
		if (body << c >= size) {
			*class_out = c;
			return 0;
		}
	}
	return err_set(err, ERR_SIZE,
		       "extents of %" PRIu64 " bytes are too large, at most %" PRIu64, size,
		       body << SIZE_CLASS_MAX);
}

void array_plan_geometry(struct geometry *geometry, uint64_t smallest, uint64_t largest,
			 uint32_t member_count, uint64_t extent_size, uint32_t frame_body_blocks)
{
	uint64_t body = clamp(power_below(smallest / 1024 + 1), FRAME_BODY_MIN, FRAME_BODY_MAX);

	/* Small extents that somebody asks for need small frames, as far as the map stays small. */
	if (extent_size)
		body = clamp(power_below(size_max(extent_size, smallest / FRAMES_MAX)),
			     FRAME_BODY_MIN, body);
	if (frame_body_blocks)
		body = (uint64_t)frame_body_blocks * BLOCK_SIZE;
	uint64_t extents = largest / body * clamp((uint64_t)member_count * 2, 16, MEMBERS_MAX);

	geometry->frame_body_blocks = (uint32_t)(body / BLOCK_SIZE);
	geometry->witness_max = (uint32_t)clamp(member_count, WITNESSES_MIN, CODE_COLUMNS_MAX);
	geometry->frame_blocks =
		geometry_frame_blocks(geometry->frame_body_blocks, geometry->witness_max);
	/* 64 bytes an extent: its item of 40, its id in a span, its share of group and span. */
	geometry->map_half_size = size_round_up(64 * KIB + extents * 64, 64 * KIB);
	geometry->log_size = clamp(size_round_up(smallest / 256, 64 * KIB), 256 * KIB, 128 * MIB);
}

int policy_check(const struct policy *policy, const struct geometry *geometry,
		 uint32_t member_count, struct err *err)
{
	uint32_t columns = capacity_columns(policy, member_count);
	uint64_t body = (uint64_t)geometry->frame_body_blocks << policy->size_class;

	if (columns > member_count)
		return err_set(err, ERR_LIMIT,
			       "%s groups of %u columns need %u members, there are %u",
			       layout_name(policy->layout), columns, columns, member_count);
	if (policy->pure_plus_one > columns)
		return err_set(err, ERR_LIMIT, "no column %u for the pure parity, there are %u",
			       policy->pure_plus_one - 1, columns);
	struct code_shape shape =
		code_shape_make(policy->layout, (uint16_t)columns, policy->checks,
				policy->pure_plus_one ? (uint16_t)(policy->pure_plus_one - 1) : 0);
	int rc = code_shape_check(&shape, err);
	if (rc)
		return rc;
	if (policy->layout == LAYOUT_PARITY && columns - policy->checks > geometry->witness_max)
		return err_set(err, ERR_LIMIT,
			       "%u data columns, the seals of this array have room for %u",
			       columns - policy->checks, geometry->witness_max);
	if (policy->unit_blocks == 0 || body % policy->unit_blocks != 0)
		return err_set(err, ERR_SIZE,
			       "extents of %" PRIu64
			       " bytes are no multiple of the chunk of %" PRIu64,
			       body * BLOCK_SIZE, (uint64_t)policy->unit_blocks * BLOCK_SIZE);
	if (body * BLOCK_SIZE * columns > GROUP_BYTES_MAX)
		return err_set(err, ERR_SIZE,
			       "a group of %u extents of %" PRIu64 " bytes exceeds %" PRIu64
			       ": use smaller extents",
			       columns, body * BLOCK_SIZE, GROUP_BYTES_MAX);
	if (policy->layout == LAYOUT_SEQUENTIAL && body < (uint64_t)columns * policy->checks)
		return err_set(err, ERR_SIZE,
			       "extents of %" PRIu64 " blocks cannot hold %u segments", body,
			       columns * policy->checks);
	return 0;
}

int policy_literal_claim16(const struct policy *policy, uint32_t column, struct err *err)
{
	return code_literal_claim16(policy->columns, policy->checks, (uint16_t)column, err);
}

/* A device can be a member at all. */
static int check_device(const struct dev *dev, struct err *err)
{
	const struct dev_info *info = dev_info(dev);

	if (info->size_exact == 0)
		return err_set(err, ERR_SIZE, "%s is empty", dev_name(dev));
	if (info->size_exact % BLOCK_SIZE != 0)
		return err_set(err, ERR_SIZE, "%s has %" PRIu64 " bytes, no multiple of %u",
			       dev_name(dev), info->size_exact, BLOCK_SIZE);
	return 0;
}

static int check_devices(const struct array_create_request *request, struct err *err)
{
	if (request->dev_count == 0 || request->dev_count - request->spare_count == 0)
		return err_set(err, ERR_USAGE, "an array needs at least one member");
	if (request->dev_count > MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "%u members, at most %u are possible",
			       request->dev_count, MEMBERS_MAX);
	for (uint32_t i = 0; i < request->dev_count; i++) {
		const struct dev_info *info = dev_info(request->devs[i]);
		int rc = check_device(request->devs[i], err);

		if (rc)
			return rc;
		for (uint32_t j = 0; j < i; j++) {
			const struct dev_info *other = dev_info(request->devs[j]);

			if (memcmp(info->identity, other->identity, sizeof(info->identity)) == 0)
				return err_set(err, ERR_DUPLICATE, "%s and %s are the same file",
					       dev_name(request->devs[j]),
					       dev_name(request->devs[i]));
		}
	}
	return 0;
}

void array_plan_size_class(struct policy *policy, const struct geometry *geometry,
			   uint64_t smallest, uint64_t largest_body, uint32_t member_count)
{
	uint64_t body = (uint64_t)geometry->frame_body_blocks * BLOCK_SIZE;
	uint64_t wanted = clamp(power_below(smallest / 256 + 1), body, largest_body);
	uint32_t columns = capacity_columns(policy, member_count);

	while (policy->size_class < SIZE_CLASS_MAX && body << policy->size_class < wanted &&
	       (body << (policy->size_class + 1)) * columns <= GROUP_BYTES_MAX)
		policy->size_class++;
}

static void plan_policy(struct policy *policy, const struct array_create_request *request,
			const struct geometry *geometry, uint64_t smallest)
{
	*policy = request->policy;
	if (policy->unit_blocks == 0)
		policy->unit_blocks = (uint32_t)(UNIT_DEFAULT / BLOCK_SIZE);
	if (!request->extent_size)
		array_plan_size_class(policy, geometry, smallest, BODY_MAX,
				      request->dev_count - request->spare_count);
}

/* The label of a device that no two columns of a group may share. */
static const char *device_domain(const struct array_create_request *request, uint32_t i)
{
	if (!request->labels || !request->label_counts || !request->across)
		return NULL;
	return across_label(request->across, 0, request->labels[i], request->label_counts[i]);
}

/* Every device's regions: what they add up to. */
static int plan_members(struct array_plan *plan, const struct array_create_request *request,
			struct err *err)
{
	uint32_t members = request->dev_count - request->spare_count;
	struct capacity_room room = { 0 };

	for (uint32_t i = 0; i < request->dev_count; i++) {
		struct member_regions regions;
		int rc = super_regions(&regions, dev_info(request->devs[i])->size, &plan->geometry,
				       err);

		if (rc)
			return err_prefix(err, "%s", dev_name(request->devs[i]));
		if (i < members)
			capacity_add(&room,
				     zone_frames(&plan->policy, &plan->policy, regions.frame_count),
				     device_domain(request, i));
		plan->raw += regions.frame_count * plan->geometry.frame_blocks * BLOCK_SIZE;
		plan->metadata_bytes += 3 * SUPER_AREA_SIZE + UINT64_C(4) * BLOCK_SIZE;
	}
	plan->usable = capacity_bytes(&plan->policy, &plan->geometry, &room);
	return 0;
}

int array_plan_create(struct array_plan *plan_out, const struct array_create_request *request,
		      struct err *err)
{
	struct array_plan plan = { 0 };
	uint64_t smallest = UINT64_MAX, largest = 0;
	uint32_t members = request->dev_count - request->spare_count;
	int rc = map_name_check(request->name, err);

	if (!rc)
		rc = check_devices(request, err);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < request->dev_count; i++) {
		smallest = size_min(smallest, dev_info(request->devs[i])->size);
		largest = size_max(largest, dev_info(request->devs[i])->size);
	}
	array_plan_geometry(&plan.geometry, smallest, largest, request->dev_count,
			    request->extent_size, request->frame_body_blocks);
	plan_policy(&plan.policy, request, &plan.geometry, smallest);
	if (request->extent_size)
		rc = policy_size_class(request->extent_size, &plan.geometry,
				       &plan.policy.size_class, err);
	if (!rc)
		rc = policy_check(&plan.policy, &plan.geometry, members, err);
	zones_set(&plan.policy);
	if (!rc)
		rc = plan_members(&plan, request, err);
	if (!rc)
		*plan_out = plan;
	return rc;
}

/* Put one device into the new array's map. */
static int add_device(struct array *array, const struct array_create_request *request, uint32_t i,
		      struct err *err)
{
	struct member member = { .slot = i };
	uint8_t random[16];
	struct array_member *place = &array->members[i];
	int rc = super_regions(&place->regions, dev_info(request->devs[i])->size,
			       &array->map->geometry, err);

	if (rc)
		return rc;
	env_random(array->env, random, sizeof(random));
	member.uuid = uuid_from_random(random);
	member.state = i < request->dev_count - request->spare_count ? MEMBER_ONLINE : MEMBER_SPARE;
	member.size = place->regions.member_size;
	member.frame_count = place->regions.frame_count;
	member.data_offset = place->regions.data_offset;
	if (request->labels && request->label_counts) {
		assert(request->label_counts[i] <= LABELS_MAX);
		member.label_count = request->label_counts[i];
		for (uint32_t l = 0; l < member.label_count; l++)
			member.labels[l] = request->labels[i][l];
	}
	place->dev = request->devs[i];
	place->presence = PRESENT;
	rc = map_put_member(array->map, &member);
	return rc ? err_set(err, rc, "no memory for the map") : probe_wipe(place->dev, false, err);
}

static int fill_map(struct array *array, const struct array_create_request *request,
		    const struct array_plan *plan, struct err *err)
{
	struct map *map = array->map;
	uint8_t random[16];

	env_random(array->env, random, sizeof(random));
	map->uuid = uuid_from_random(random);
	snprintf(map->name, sizeof(map->name), "%s", request->name);
	assert(!request->across || strlen(request->across) < sizeof(map->across));
	if (request->across)
		snprintf(map->across, sizeof(map->across), "%s", request->across);
	map->geometry = plan->geometry;
	map->policy = plan->policy;
	map->created_s = env_clock_s(array->env);
	map->epoch_count = 1;
	map->epochs[0] = (struct epoch){ .number = 1, .first_generation = 1 };
	env_random(array->env, &map->epochs[0].id, sizeof(map->epochs[0].id));
	for (uint32_t i = 0; i < request->dev_count; i++) {
		map->epochs[0].present = member_set_with(map->epochs[0].present, i);
		int rc = add_device(array, request, i, err);

		if (rc)
			return rc;
	}
	return 0;
}

int array_commit_on_all(struct array *array, struct err *err)
{
	struct commit_member members[MEMBERS_MAX];
	uint32_t count = array->map->member_count;

	for (uint32_t i = 0; i < count; i++) {
		const struct member *member = &array->map->members[i];
		const struct array_member *place = &array->members[member->slot];

		members[i] = (struct commit_member){
			.dev = place->dev,
			.uuid = member->uuid,
			.slot = member->slot,
			.regions = place->regions,
			.current = place->current,
		};
	}
	int rc = commit_write(&array->commit, array->map, members, count, env_clock_s(array->env),
			      err);
	for (uint32_t i = 0; i < count; i++)
		array->members[members[i].slot].current = members[i].current;
	return rc;
}

/* The last commit may have reached some devices: none may keep its slot, as far as they can be written. */
static void take_back(const struct array_create_request *request)
{
	for (uint32_t i = 0; i < request->dev_count; i++) {
		struct err ignored = { 0 };

		(void)!probe_wipe(request->devs[i], false, &ignored);
	}
}

static int commit_twice(struct array *array, const struct array_create_request *request,
			struct err *err)
{
	int rc = array_commit_on_all(array, err); /* "being created" */

	if (rc)
		return rc;
	rc = array_commit_on_all(array, err);
	if (rc)
		take_back(request);
	return rc;
}

int array_create(struct array **array_out, const struct array_create_request *request,
		 struct err *err)
{
	struct array_plan plan;
	int rc = array_plan_create(&plan, request, err);

	if (rc)
		return rc;
	struct array *array = array_allocate(request->env, ARRAY_WRITE, 0);
	if (array)
		array->map = map_create();
	if (!array || !array->map)
		rc = err_set(err, ERR_NOMEM, "no memory for the array");
	if (!rc)
		rc = fill_map(array, request, &plan, err);
	if (!rc)
		rc = space_create(&array->space, array->map, err);
	if (!rc)
		rc = commit_twice(array, request, err);
	if (rc) {
		for (uint32_t i = 0; array && i < MEMBERS_MAX; i++)
			array->members[i].dev = NULL; /* still the caller's */
		array_close(array);
		return rc;
	}
	*array_out = array;
	return 0;
}

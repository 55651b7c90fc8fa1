/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/open_forgotten.h"

#include "core/base/size.h"

static bool is_known_epoch(const struct opening *opening, const struct map *map, uint64_t epoch_id)
{
	bool known = false;

	for (uint32_t i = 0; i < opening->dev_count; i++)
		known |= opening->probes[i].newest.epoch_id == epoch_id;
	for (uint32_t i = 0; i < map->epoch_count; i++)
		known |= map->epochs[i].id == epoch_id;
	return known;
}

const struct member *open_member_of(const struct map *map, const struct super *super)
{
	for (uint32_t m = 0; m < map->member_count; m++) {
		if (uuid_equal(&map->members[m].uuid, &super->member))
			return &map->members[m];
	}
	return NULL;
}

bool open_took_part(const struct map *map, struct member_set present, const struct super *witness)
{
	const struct member *member = open_member_of(map, witness);

	return member && member_set_has(present, member->slot);
}

const struct half_super *open_half_of_another(const struct opening *opening, const struct map *map,
					      const struct forgotten *commit,
					      const struct probe *probe)
{
	const struct half_super *half = &probe->halves[commit->generation % SUPER_SLOTS];

	return half->generation > 0 && half->generation <= commit->generation &&
			       half->epoch_id != commit->epoch_id &&
			       is_known_epoch(opening, map, half->epoch_id)
		       ? half
		       : NULL;
}

/*
 * The map of that commit, which says whose numbers those were that took part: it is on the device, as records are
 * durable before the superblock. NULL where it is not: then numbers are as today. Fails only without memory.
 */
static int read_forgotten(struct map **map_out, const struct opening *opening, uint32_t device,
			  const struct forgotten *forgotten, struct err *err)
{
	struct super super = opening->probes[device].newest;
	struct err why = { 0 };

	*map_out = NULL;
	super.generation = forgotten->generation;
	super.map_half = forgotten->map_half;
	super.map_crc = forgotten->map_crc;
	super.map_length = forgotten->map_length;
	if (super.map_half > 1 || super.map_length == 0 ||
	    super.map_length > super.geometry.map_half_size || super.map_length % BLOCK_SIZE != 0)
		return 0;
	int rc = commit_read(map_out, opening->devs[device], &super, &why);
	if (rc == ERR_NOMEM)
		*err = why;
	return rc == ERR_NOMEM ? rc : 0;
}

/*
 * A member that took part in that commit and has all its superblocks would know of it, had it ever been; or it has
 * half of another one instead. `own` is the map of that commit.
 */
static bool is_witnessed(const struct opening *opening, const struct map *map,
			 const struct map *own, const struct forgotten *forgotten)
{
	for (uint32_t i = 0; i < opening->dev_count; i++) {
		const struct probe *probe = &opening->probes[i];

		if (open_took_part(own, forgotten->present, &probe->newest) &&
		    ((probe->forgotten_count == 0 && !probe->unreadable) ||
		     open_half_of_another(opening, map, forgotten, probe)))
			return true;
	}
	return false;
}

static bool is_later(const struct forgotten *forgotten, const struct map *map)
{
	uint64_t epoch = map->epochs[map->epoch_count - 1].number;

	return forgotten->epoch != epoch ? forgotten->epoch > epoch
					 : forgotten->generation > map->generation;
}

static uint32_t columns_of(const struct group *group, struct member_set members)
{
	uint32_t count = 0;

	for (uint32_t c = 0; c < group->shape.columns; c++)
		count += member_set_has(members, group->extents[c].slot);
	return count;
}

/*
 * What these members hold may be older than what was written without them: it is a source for nothing. But a
 * group that cannot be written without them was not.
 */
static int distrust(struct array *array, struct member_set absent, struct err *err)
{
	for (uint32_t i = 0; i < array->map->group_count; i++) {
		struct group *group = array->map->groups[i];
		bool changed = false;

		if (columns_of(group, absent) > group_tolerance(group))
			continue;
		for (uint32_t c = 0; c < group->shape.columns; c++) {
			struct extent *extent = &group->extents[c];

			if (extent->stale || !member_set_has(absent, extent->slot))
				continue;
			extent->stale = true;
			changed = true;
		}
		if (changed && array->access == ARRAY_WRITE &&
		    map_touch_group(array->map, group->id))
			return err_set(err, ERR_NOMEM, "no memory to open the array");
	}
	return 0;
}

/*
 * What a map told of a commit that may be none must be told after a power loss as well: it is not written over. To a
 * member that is not current the next commit goes as a full record, into the other half.
 */
static void keep_half(struct array *array, const struct super *super)
{
	const struct member *member = open_member_of(array->map, super);

	if (member && array->members[member->slot].presence == PRESENT)
		array->members[member->slot].current = false;
}

static int mind_one(struct array *array, const struct opening *opening, uint32_t device,
		    const struct forgotten *forgotten, struct err *err)
{
	const struct probe *probe = &opening->probes[device];
	struct member_set absent = { 0 };
	struct map *own = NULL;
	int rc = read_forgotten(&own, opening, device, forgotten, err);

	if (rc)
		return rc;
	const struct map *numbers = own ? own : array->map;
	bool witnessed = is_witnessed(opening, array->map, numbers, forgotten);

	for (uint32_t i = 0; !witnessed && i < array->map->member_count; i++) {
		const struct member *member = &array->map->members[i];
		const struct super super = { .member = member->uuid };

		if (!uuid_equal(&member->uuid, &probe->newest.member) &&
		    !open_took_part(numbers, forgotten->present, &super))
			absent = member_set_with(absent, member->slot);
	}
	if (own && forgotten->map_half == array->commit.half &&
	    probe->newest.map_half == array->commit.half)
		keep_half(array, &probe->newest);
	map_free(own);
	if (witnessed)
		return 0;
	array->commit.generation_seen =
		size_max(array->commit.generation_seen, forgotten->generation);
	return distrust(array, absent, err);
}

int open_mind_forgotten(struct array *array, const struct opening *opening, uint32_t device,
			struct err *err)
{
	const struct probe *probe = &opening->probes[device];
	int rc = 0;

	for (uint32_t n = 0; !rc && n < probe->forgotten_count; n++) {
		const struct forgotten *forgotten = &probe->forgotten[n];

		/* No commit gets a number below that of a half (was_passed_over()). */
		array->commit.generation_seen =
			size_max(array->commit.generation_seen, forgotten->generation - 1);
		if (is_later(forgotten, array->map))
			rc = mind_one(array, opening, device, forgotten, err);
	}
	return rc;
}

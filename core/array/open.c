/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening: devices -> superblocks -> the newest commit -> map -> members -> space -> recovery. */
#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/array/hold.h"
#include "core/array/open_forgotten.h"
#include "core/array/open_windows.h"
#include "core/array/probe.h"
#include "core/array/recover.h"
#include "core/array/write_behind.h"
#include "core/array/write_half.h"
#include "core/array/write_state.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/store/choose.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define GENERATION_CREATING                                                                        \
	1u /* create's first commit: an array that stops here was never finished */

struct array *array_allocate(struct env *env, enum array_access access, uint32_t tasks)
{
	struct array *array = mem_calloc(1, sizeof(*array));

	if (!array)
		return NULL;
	array->env = env;
	env_lock_init(env, &array->change);
	array->access = access;
	array->tasks = (uint32_t)size_min(tasks ? tasks : env_cpu_count(env), TASKS_MAX);
	array->tasks_given = tasks != 0;
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		array->members[i].presence = ABSENT;
	if (access == ARRAY_WRITE &&
	    (write_state_create(array) || write_behind_create(array) || hold_create(array))) {
		write_state_free(array);
		env_lock_reset(env, &array->change);
		mem_free(array);
		return NULL;
	}
	return array;
}

/* No superblock of this device can be used: why it is no help, or that it never was a member. */
static int refuse_device(struct dev *dev, const struct probe *probe, struct err *err)
{
	if (probe->damaged_slots) {
		*err = probe->damage;
		return err_prefix(err, "%s", dev_name(dev));
	}
	if (probe->unreadable)
		return err_set(err, ERR_IO, "the superblocks of %s cannot be read", dev_name(dev));
	return err_set(err, ERR_NOT_MEMBER, "%s holds no pgctl superblock", dev_name(dev));
}

/*
 * What each device says it is. One that was a member and cannot say so any more is as absent: the others may do
 * without it. One that never was is refused.
 */
static int probe_all(struct opening *opening, struct err *err)
{
	const struct array_open_request *request = opening->request;
	struct err why = { 0 };

	for (uint32_t i = 0; i < request->dev_count; i++) {
		struct probe *probe = &opening->probes[opening->dev_count];
		struct dev *dev = request->devs[i];
		int rc = probe_device(probe, dev, err);

		if (rc)
			return rc;
		if (probe->valid_slots > 0) {
			opening->devs[opening->dev_count++] = dev;
			continue;
		}
		rc = refuse_device(dev, probe, &why);
		if (rc == ERR_NOT_MEMBER) {
			*err = why;
			return rc;
		}
		opening->silent[opening->silent_count++] = dev;
	}
	if (opening->dev_count > 0)
		return 0;
	*err = why;
	return err->code;
}

static int refuse_pair(const struct opening *opening, uint32_t a, uint32_t b, struct err *err)
{
	const struct super *first = &opening->probes[a].newest;
	const struct super *second = &opening->probes[b].newest;
	const char *name_a = dev_name(opening->devs[a]);
	const char *name_b = dev_name(opening->devs[b]);

	if (!uuid_equal(&first->array, &second->array))
		return err_set(err, ERR_MIXED, "%s belongs to array \"%s\", %s to array \"%s\"",
			       name_a, first->name, name_b, second->name);
	if (uuid_equal(&first->member, &second->member))
		return err_set(err, ERR_DUPLICATE,
			       "%s (generation %" PRIu64 ") and %s (generation %" PRIu64
			       ") are the same member %u: one is a copy",
			       name_a, first->generation, name_b, second->generation,
			       first->member_slot);
	return 0;
}

static int refuse_mixture(const struct opening *opening, struct err *err)
{
	for (uint32_t b = 1; b < opening->dev_count; b++) {
		for (uint32_t a = 0; a < b; a++) {
			int rc = refuse_pair(opening, a, b, err);

			if (rc)
				return rc;
		}
	}
	return 0;
}

/*
 * Records are durable on all members before the first superblock is written. So a member that took part has them
 * although it has no superblock of the commit: where those that have one lost the records, these will do.
 */
static int load_from_others(struct opening *opening, const struct super *supers, uint32_t chosen,
			    struct map **map_out)
{
	int rc = ERR_FORMAT;

	for (uint32_t i = 0; rc && i < opening->dev_count; i++) {
		struct super there = supers[chosen];
		struct err ignored = { 0 };

		if (choose_same_commit(&supers[i], &supers[chosen]) ||
		    !member_set_has(supers[chosen].present, supers[i].member_slot))
			continue;
		there.regions = supers[i].regions;
		rc = commit_read(map_out, opening->devs[i], &there, &ignored);
		opening->newest = chosen;
	}
	return rc;
}

/* The map of the commit of `supers[chosen]`, from the first device whose copy of it verifies. */
static int load_commit(struct opening *opening, const struct super *supers, uint32_t chosen,
		       struct map **map_out, struct err *err)
{
	int rc = ERR_FORMAT;

	for (uint32_t i = 0; rc && i < opening->dev_count; i++) {
		if (!choose_same_commit(&supers[i], &supers[chosen]))
			continue;
		*err = (struct err){ 0 };
		rc = commit_read(map_out, opening->devs[i], &supers[i], err);
		opening->broken[i] = rc != 0;
		opening->newest = i;
	}
	return rc;
}

/* A device with a damaged slot may have known a commit and forgotten it, so it proves nothing. */
static bool may_fall_back(const struct opening *opening, uint32_t device)
{
	return device < opening->dev_count && opening->probes[device].damaged_slots == 0;
}

/* A map that is damaged can be made anew; one that is cut off, or too new, must not be. */
static int refuse_map(const struct err *why, struct err *err)
{
	*err = *why;
	if (why->code != ERR_FORMAT && why->code != ERR_CHECKSUM && why->code != ERR_IO)
		return err->code;
	err_prefix(err, "no member holds a map that verifies");
	return err_hint(err, "pgctl check --rebuild-map ARRAY makes a map from the extents' seals");
}

/* The map of `supers[chosen]`; of the commit before when that is broken and was never acknowledged. */
static int load_chosen(struct opening *opening, const struct super *supers, uint32_t chosen,
		       struct map **map_out, struct err *err)
{
	uint32_t count = opening->dev_count;
	struct err why = { 0 }, older = { 0 };
	int rc = load_commit(opening, supers, chosen, map_out, &why);

	if (rc && rc != ERR_NOMEM && load_from_others(opening, supers, chosen, map_out) == 0)
		rc = 0;
	if (rc && rc != ERR_NOMEM) {
		/* One step: the next commit began only after the one before was on all members. */
		chosen = choose_fallback(supers, count, chosen);
		if (may_fall_back(opening, chosen))
			rc = load_commit(opening, supers, chosen, map_out, &older);
	}
	return rc ? refuse_map(&why, err) : 0;
}

static struct forgotten commit_of(const struct super *super)
{
	return (struct forgotten){ .epoch = super->epoch,
				   .epoch_id = super->epoch_id,
				   .generation = super->generation,
				   .present = super->present };
}

/* The device that has the whole of that other superblock of the same number; MEMBER_NONE when there is none. */
static uint32_t rival_of(const struct opening *opening, const struct map *map, uint32_t device)
{
	const struct forgotten commit = commit_of(&opening->probes[device].newest);

	for (uint32_t i = 0; i < opening->dev_count; i++) {
		const struct half_super *half =
			open_took_part(map, commit.present, &opening->probes[i].newest)
				? open_half_of_another(opening, map, &commit, &opening->probes[i])
				: NULL;

		for (uint32_t other = 0; half && other < opening->dev_count; other++) {
			const struct super *there = &opening->probes[other].newest;

			if (there->epoch_id == half->epoch_id &&
			    there->generation == half->generation &&
			    half->generation == commit.generation)
				return other;
		}
	}
	return MEMBER_NONE;
}

static bool same_geometry(const struct geometry *a, const struct geometry *b)
{
	return a->frame_blocks == b->frame_blocks && a->frame_body_blocks == b->frame_body_blocks &&
	       a->witness_max == b->witness_max && a->map_half_size == b->map_half_size &&
	       a->log_size == b->log_size && a->adopted == b->adopted;
}

/*
 * Half of a later superblock, of an epoch of the map that is no earlier than that of `super`. Whoever wrote it here
 * had not seen `super` here, and `super` did not come later: its number would not be below that of the half.
 */
static bool was_passed_over(const struct map *map, const struct super *super,
			    const struct probe *probe)
{
	for (uint32_t slot = 0; slot < SUPER_SLOTS; slot++) {
		const struct half_super *half = &probe->halves[slot];

		for (uint32_t i = 0; half->generation > super->generation && i < map->epoch_count;
		     i++) {
			if (map->epochs[i].id == half->epoch_id &&
			    map->epochs[i].id != super->epoch_id &&
			    map->epochs[i].number >= super->epoch)
				return true;
		}
	}
	return false;
}

/*
 * A member that took part in the epoch of `super` and is in an earlier one still; it forgot nothing, or what it has
 * half of shows that this was not it, or an older one stands where it should have this one.
 */
static bool never_heard(const struct map *map, const struct super *super, const struct probe *probe)
{
	uint64_t held = probe->held[super->generation % SUPER_SLOTS];

	return probe->newest.epoch < super->epoch &&
	       (probe->damaged_slots == 0 || was_passed_over(map, super, probe) ||
		(held > 0 && held < super->generation));
}

/* Would this member, which took part in the epoch of `super`, know of it? */
static bool refutes(const struct opening *opening, const struct map *map, const struct super *super,
		    const struct probe *probe)
{
	const struct forgotten commit = commit_of(super);

	return choose_went_elsewhere(super, &probe->newest) || never_heard(map, super, probe) ||
	       open_half_of_another(opening, map, &commit, probe);
}

/*
 * Its epoch began in a commit that never was: a member that is here would know of it. Who took part says the map of
 * that commit: it is on the device, as records are durable before the superblock. Fails only without memory.
 */
static int find_refuted(const struct opening *opening, const struct map *map, uint32_t device,
			bool *refuted_out, struct err *err)
{
	const struct super *super = &opening->probes[device].newest;
	struct map *own = NULL;
	struct err why = { 0 };
	int rc = commit_read(&own, opening->devs[device], super, &why);

	*refuted_out = false;
	for (uint32_t i = 0; !rc && !*refuted_out && i < opening->dev_count; i++) {
		const struct probe *probe = &opening->probes[i];

		*refuted_out = open_took_part(own, super->present, &probe->newest) &&
			       refutes(opening, map, super, probe);
	}
	map_free(own);
	if (rc == ERR_NOMEM)
		*err = why;
	return rc == ERR_NOMEM ? rc : 0;
}

/* Does a member say of the commit that was chosen that nobody was told of it? `map` is its own. */
static bool is_newest_refuted(const struct opening *opening, const struct map *map)
{
	const struct super *newest = &opening->probes[opening->newest].newest;
	bool refuted = false;

	for (uint32_t i = 0; i < opening->dev_count; i++) {
		const struct probe *probe = &opening->probes[i];

		refuted |= open_took_part(map, newest->present, &probe->newest) &&
			   refutes(opening, map, newest, probe);
	}
	return refuted;
}

/*
 * The device of a branch beside the chosen commit that may have been acknowledged, where the chosen one was not;
 * MEMBER_NONE when there is none. Fails only without memory.
 */
static int find_acknowledged(const struct opening *opening, const struct map *map,
			     uint32_t *device_out, struct err *err)
{
	uint32_t map_crc = opening->probes[opening->newest].newest.map_crc;

	*device_out = MEMBER_NONE;
	if (!is_newest_refuted(opening, map))
		return 0;
	for (uint32_t i = 0; i < opening->dev_count && *device_out == MEMBER_NONE; i++) {
		bool refuted = false;

		if (choose_judge(map, map_crc, &opening->probes[i].newest) != CHOOSE_FORK)
			continue;
		if (find_refuted(opening, map, i, &refuted, err))
			return err->code;
		if (!refuted)
			*device_out = i;
	}
	return 0;
}

/*
 * The newest commit's map. Of two of the same number the one that may have been acknowledged; so of two branches where
 * the later one was not.
 */
static int load_map(struct opening *opening, struct map **map_out, struct err *err)
{
	uint32_t count = opening->dev_count, other = MEMBER_NONE;
	struct super *supers = mem_calloc(count, sizeof(*supers));

	if (!supers)
		return err_set(err, ERR_NOMEM, "no memory to open the array");
	for (uint32_t i = 0; i < count; i++)
		supers[i] = opening->probes[i].newest;
	int rc = load_chosen(opening, supers, choose_newest(supers, count), map_out, err);
	if (!rc)
		other = rival_of(opening, *map_out, opening->newest);
	if (other != MEMBER_NONE && rival_of(opening, *map_out, other) != MEMBER_NONE)
		other = MEMBER_NONE;
	if (!rc && other == MEMBER_NONE)
		rc = find_acknowledged(opening, *map_out, &other, err);
	if (other != MEMBER_NONE) {
		map_free(*map_out);
		*map_out = NULL;
		rc = load_chosen(opening, supers, other, map_out, err);
	}
	assert(rc || *map_out);
	mem_free(supers);
	if (rc) {
		map_free(*map_out);
		*map_out = NULL;
	}
	return rc;
}

/* Can a member that is here be used, and does it know the commit? */
static enum presence presence_of(const struct array *array, const struct member *member,
				 const struct array_member *place, const struct super *super,
				 enum choose_verdict verdict)
{
	if (super->regions.member_size > dev_info(place->dev)->size_exact)
		return ABSENT_TRUNCATED;
	if (super->regions.frame_count != member->frame_count ||
	    super->regions.data_offset != member->data_offset ||
	    !same_geometry(&super->geometry, &array->map->geometry))
		return ABSENT_BROKEN;
	if (verdict == CHOOSE_UNKNOWN)
		return ABSENT_OTHER_BRANCH;
	return place->current ? PRESENT : PRESENT_STALE;
}

/* What a device is beside the map: sets the member's presence, or says why not to open at all. */
static int place_device(struct array *array, const struct opening *opening, uint32_t i,
			uint32_t map_crc, struct err *err)
{
	const struct super *super = &opening->probes[i].newest;
	struct dev *dev = opening->devs[i];
	enum choose_verdict verdict = choose_judge(array->map, map_crc, super);
	const struct member *member = open_member_of(array->map, super);
	bool refuted = false;

	if (!member) { /* it was replaced or removed */
		array->unused[array->unused_count++] = dev;
		return 0;
	}
	if (verdict == CHOOSE_FORK && find_refuted(opening, array->map, i, &refuted, err))
		return err->code;
	if (refuted)
		verdict = CHOOSE_AHEAD;
	if (verdict == CHOOSE_FORK)
		return err_set(err, ERR_FORK,
			       "member %u (%s) was written apart from the others: it is at epoch "
			       "%" PRIu64 ", generation %" PRIu64
			       " of another branch, the array at "
			       "%" PRIu64 ", %" PRIu64,
			       member->slot, dev_name(dev), super->epoch, super->generation,
			       array->map->epochs[array->map->epoch_count - 1].number,
			       array->map->generation);

	struct array_member *place = &array->members[member->slot];
	place->dev = dev;
	place->regions = super->regions;
	place->current = verdict == CHOOSE_CURRENT && !opening->broken[i];
	place->refuted = refuted;
	place->presence = presence_of(array, member, place, super, verdict);
	return 0;
}

uint32_t array_absent_allowed(const struct map *map)
{
	uint32_t allowed = layout_tolerance(map->policy.layout, map->policy.checks);

	for (uint32_t i = 0; i < map->group_count; i++) {
		const struct code_shape *shape = &map->groups[i]->shape;

		allowed =
			(uint32_t)size_max(allowed, layout_tolerance(shape->layout, shape->checks));
	}
	return (uint32_t)size_max(allowed, (map->member_count - 1) / 2);
}

static int check_enough(struct array *array, struct err *err)
{
	uint32_t absent = 0, first = MEMBER_NONE;

	for (uint32_t i = 0; i < array->map->member_count; i++) {
		const struct member *member = &array->map->members[i];

		if (array->members[member->slot].presence > PRESENT_STALE) {
			first = first == MEMBER_NONE ? member->slot : first;
			absent += member->state == MEMBER_ONLINE;
		}
	}
	array->missing_at_open = absent > 0;
	if (array->access == ARRAY_WRITE && absent > array_absent_allowed(array->map))
		return err_set(err, ERR_TOO_FEW,
			       "%u of %u members are absent, the first is member %u; writing needs "
			       "all but %u",
			       absent, array->map->member_count, first,
			       array_absent_allowed(array->map));
	return 0;
}

/* A map of the first commit, which says no more than that the array is being made. */
static int refuse_unfinished(const struct map *map, struct err *err)
{
	if (map->generation != GENERATION_CREATING)
		return 0;
	if (map->geometry.adopted) {
		err_set(err, ERR_STATE, "array \"%s\": its adoption was interrupted", map->name);
		return err_hint(err, "pgctl adopt --undo MEMBER... puts back what was there");
	}
	err_set(err, ERR_STATE, "array \"%s\": its create was interrupted", map->name);
	return err_hint(err, "nothing is stored in it: pgctl create it again with --force");
}

static int assemble(struct array *array, struct opening *opening, struct err *err)
{
	int rc = load_map(opening, &array->map, err);

	if (!rc)
		rc = refuse_unfinished(array->map, err);
	if (rc)
		return rc;
	const struct super *newest = &opening->probes[opening->newest].newest;
	array->commit = (struct commit_state){ .half = newest->map_half,
					       .length = newest->map_length,
					       .crc = newest->map_crc,
					       .half_acknowledged = newest->map_half };
	for (uint32_t i = 0; !rc && i < opening->dev_count; i++) {
		array->commit.generation_seen =
			size_max(array->commit.generation_seen, opening->probes[i].generation_seen);
		rc = place_device(array, opening, i, newest->map_crc, err);
	}
	for (uint32_t i = 0; !rc && i < opening->silent_count; i++)
		array->unused[array->unused_count++] = opening->silent[i];
	for (uint32_t i = 0; !rc && i < opening->dev_count; i++)
		rc = open_mind_forgotten(array, opening, i, err);
	if (!rc)
		rc = check_enough(array, err);
	if (!rc)
		rc = space_create(&array->space, array->map, err);
	if (!rc)
		rc = array_windows_open(array, err);
	if (!rc && !opening->request->leave_log)
		rc = array_recover(array, err);
	if (!rc && share_create(&array->shares, array->map, array_in_service(array)))
		rc = err_set(err, ERR_NOMEM, "no memory to open the array");
	return rc;
}

/* Give up an array that never came to own its devices. */
static void abandon(struct array *array)
{
	if (!array)
		return;
	write_behind_free(array);
	hold_free(array);
	write_half_free(array);
	write_state_free(array);
	share_free(array->shares);
	space_free(array->space);
	map_free(array->map);
	env_lock_reset(array->env, &array->change);
	mem_free(array);
}

int array_open(struct array **array_out, const struct array_open_request *request, struct err *err)
{
	struct opening opening = { .request = request };
	struct array *array = array_allocate(request->env, request->access, request->tasks);
	int rc = 0;

	if (request->dev_count == 0 || request->dev_count > MEMBERS_MAX + 1)
		rc = err_set(err, ERR_LIMIT, "%u members, at most %u are possible",
			     request->dev_count, MEMBERS_MAX);
	opening.probes = mem_calloc(request->dev_count, sizeof(*opening.probes));
	opening.broken = mem_calloc(request->dev_count, sizeof(*opening.broken));
	if (!rc && (!array || !opening.probes || !opening.broken))
		rc = err_set(err, ERR_NOMEM, "no memory to open the array");
	if (!rc) {
		array->member_lost = request->member_lost;
		array->member_lost_arg = request->member_lost_arg;
	}
	if (!rc)
		rc = probe_all(&opening, err);
	if (!rc)
		rc = refuse_mixture(&opening, err);
	if (!rc)
		rc = assemble(array, &opening, err);
	mem_free(opening.probes);
	mem_free(opening.broken);
	if (rc) {
		if (array)
			array_windows_peel(array);
		abandon(array);
		return rc;
	}
	*array_out = array;
	return 0;
}

void array_close(struct array *array)
{
	if (!array)
		return;
	write_behind_free(array); /* its task writes to the members */
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		dev_close(array->members[i].dev);
	for (uint32_t i = 0; i < array->unused_count; i++)
		dev_close(array->unused[i]);
	mem_free(array->freed);
	abandon(array);
}

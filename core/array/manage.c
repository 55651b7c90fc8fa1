/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Members and volumes come, go and change their state: each function is one commit. It settles first: the task that
 * brings late writes to their place commits as well when a member fails, and two commits at once share one state.
 */
#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/array/open_windows.h"
#include "core/array/probe.h"
#include "core/array/seal_cache.h"
#include "core/base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* NULL, with the reason: also where members are not ours to change. */
static struct member *find_member(struct array *array, uint32_t slot, struct err *err)
{
	struct member *member = map_member(array->map, slot);

	if (array_need_committed(array, err))
		return NULL;
	if (!member)
		err_set(err, ERR_NOT_FOUND, "array \"%s\" has no member %u", array->map->name,
			slot);
	return member;
}

/* The commit went on without the new member, which could not be written. Take it out of the map again. */
static int join_failed(struct array *array, uint32_t slot, const struct dev *dev, struct err *err)
{
	if (map_remove_member(array->map, slot))
		return array_edit_failed(array, "note the change", err);
	space_remove_member(array->space, slot);
	array_windows_peel_member(array, slot);
	array->members[slot] = (struct array_member){ .presence = ABSENT };
	int rc = array_commit(array, err);
	return rc ? rc
		  : err_set(err, ERR_IO, "%s cannot be written, it is no member", dev_name(dev));
}

int array_add_member(struct array *array, struct dev *dev, bool spare, uint32_t *slot_out,
		     struct err *err)
{
	struct member member = { .slot = map_slot_free(array->map),
				 .state = spare ? MEMBER_SPARE : MEMBER_ONLINE };
	struct array_member place = { .dev = dev, .presence = PRESENT, .joins = true };
	uint8_t random[16];

	if (array_need_committed(array, err))
		return err->code;
	if (member.slot >= MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "the array has %u members, more are not possible",
			       MEMBERS_MAX);
	if (dev_info(dev)->size_exact % BLOCK_SIZE != 0)
		return err_set(err, ERR_SIZE, "%s has %" PRIu64 " bytes, no multiple of %u",
			       dev_name(dev), dev_info(dev)->size_exact, BLOCK_SIZE);
	int rc = super_regions(&place.regions, dev_info(dev)->size, &array->map->geometry, err);
	if (rc)
		return err_prefix(err, "%s", dev_name(dev));
	rc = array_write_settle(array, err);
	if (!rc)
		rc = probe_wipe(dev, false, err);
	if (rc)
		return rc;
	rc = array_wipe_log(dev, place.regions.log_offset,
			    array->map->geometry.log_size / LOG_SLOTS / BLOCK_SIZE * BLOCK_SIZE);
	if (rc)
		return err_set(err, rc, "%s: its log region cannot be wiped", dev_name(dev));
	env_random(array->env, random, sizeof(random));
	member.uuid = uuid_from_random(random);
	member.size = place.regions.member_size;
	member.frame_count = place.regions.frame_count;
	member.data_offset = place.regions.data_offset;
	rc = map_put_member(array->map, &member);
	if (!rc)
		rc = space_add_member(array->space, member.slot, member.frame_count);
	if (rc)
		return array_edit_failed(array, "note the change", err);
	array->members[member.slot] = place;
	rc = array_windows_open_member(array, member.slot, err);
	if (rc) {
		array->members[member.slot] = (struct array_member){ .presence = ABSENT };
		return array_edit_failed(array, "note the change", err);
	}
	rc = array_commit(array, err);
	if (rc) {
		array_windows_peel_member(array, member.slot);
		array->members[member.slot] = (struct array_member){ .presence = ABSENT };
		return rc;
	}
	if (array->members[member.slot].presence != PRESENT)
		return join_failed(array, member.slot, dev, err);
	*slot_out = member.slot;
	return 0;
}

int array_set_member_state(struct array *array, uint32_t slot, enum member_state state,
			   struct err *err)
{
	struct member *member = find_member(array, slot, err);

	if (!member)
		return err->code;
	/* A member that missed changes gets them by any commit; to go online asks for one. */
	if (member->state == state &&
	    (state != MEMBER_ONLINE || array->members[slot].presence != PRESENT_STALE))
		return 0;
	if (state == MEMBER_SPARE && array_member_used(array, slot) > 0)
		return err_set(err, ERR_STATE, "member %u holds data, so it cannot be a spare",
			       slot);
	if (state == MEMBER_ONLINE && array->members[slot].presence > PRESENT_STALE)
		return err_set(err, ERR_STATE, "member %u is %s, so it cannot go online", slot,
			       presence_name(array->members[slot].presence));
	int rc = array_write_settle(array, err);
	if (rc)
		return rc;
	member->state = state;
	return map_touch_member(array->map, slot) ? array_edit_failed(array, "note the change", err)
						  : array_commit(array, err);
}

int array_remove_member(struct array *array, uint32_t slot, struct err *err)
{
	const struct member *member = find_member(array, slot, err);

	if (!member)
		return err->code;
	if (array->map->member_count == 1)
		return err_set(err, ERR_STATE, "member %u is the last one", slot);
	uint64_t used = array_member_used(array, slot);
	if (used > 0 && map_has_bare(array->map))
		return array_need_sealed(array, err);
	if (used > 0) {
		int rc = err_set(err, ERR_STATE, "member %u still holds %" PRIu64 " bytes of data",
				 slot, used);

		err_hint(err, "pgctl rebuild ARRAY %u --into-free moves them to the others", slot);
		return rc;
	}
	for (uint32_t i = 0; i < array->map->job_count; i++) {
		const struct job *job = &array->map->jobs[i];

		if (job->state != JOB_DONE && (job->from == slot || job->to == slot))
			return err_set(err, ERR_STATE, "job %" PRIu64 " still works on member %u",
				       job->id, slot);
	}
	int rc = array_write_settle(array, err);
	if (rc)
		return rc;
	if (map_remove_member(array->map, slot))
		return array_edit_failed(array, "note the change", err);
	space_remove_member(array->space, slot);
	struct array_member gone = array->members[slot];
	array->members[slot] = (struct array_member){ .presence = ABSENT };
	rc = array_commit(array, err);
	if (!rc && gone.dev && gone.presence <= PRESENT_STALE) {
		struct err ignored = { 0 };

		/* It says itself that it is no member, if it can; the map does not know it any more. */
		(void)!probe_wipe(gone.dev, array->map->geometry.adopted, &ignored);
	}
	dev_close(gone.dev);
	return rc;
}

int array_volume_rename(struct array *array, const char *from, const char *to, struct err *err)
{
	struct volume *volume = map_volume_named(array->map, from);
	int rc = array_need_committed(array, err);

	if (!rc)
		rc = map_name_check(to, err);
	if (rc)
		return rc;
	if (!volume)
		return err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", from);
	if (map_volume_named(array->map, to))
		return err_set(err, ERR_EXISTS, "there is a volume \"%s\" already", to);
	rc = array_write_settle(array, err);
	if (rc)
		return rc;
	snprintf(volume->name, sizeof(volume->name), "%s", to);
	rc = map_touch_volume(array->map, volume->id);
	return rc ? array_edit_failed(array, "note the change", err) : array_commit(array, err);
}

/* Take the groups of a span out of the map; their frames are free after the commit. */
static int drop_span(struct array *array, const struct span *span)
{
	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(array->map, span->extents[i], &column);

		if (!group) /* went with an extent before */
			continue;
		for (uint32_t c = 0; c < group->shape.columns; c++) {
			int rc = array_free_later(array, &group->extents[c]);

			if (rc)
				return rc;
		}
		if (array->seal_cache)
			seal_cache_forget(array->seal_cache, group->id);
		int rc = map_remove_group(array->map, group->id);
		if (rc)
			return rc;
	}
	return 0;
}

/* What was to be done with the volume is not to be done any more. */
static int drop_jobs(struct map *map, uint64_t volume)
{
	int rc = 0;

	for (uint32_t i = map->job_count; !rc && i > 0; i--) {
		if (map->jobs[i - 1].volume == volume)
			rc = map_remove_job(map, map->jobs[i - 1].id);
	}
	return rc;
}

int array_volume_remove(struct array *array, const char *name, struct err *err)
{
	struct volume *volume = map_volume_named(array->map, name);
	int rc = array_need_committed(array, err);

	if (!rc && !volume)
		rc = err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", name);
	if (!rc)
		rc = array_write_settle(array, err);
	if (rc)
		return rc;
	for (uint32_t i = 0; !rc && i < volume->span_count; i++)
		rc = drop_span(array, &volume->spans[i]);
	if (!rc)
		rc = drop_jobs(array->map, volume->id);
	if (!rc)
		rc = map_remove_volume(array->map, volume->id);
	return rc ? array_edit_failed(array, "note the change", err) : array_commit(array, err);
}

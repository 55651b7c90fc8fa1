/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/map.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/map/latest.h"
#include "core/map/map_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 16u

VEC_DEFINE(edit_list, struct map_edit);

struct map_edits {
	struct edit_list list;
	bool lost; /* one could not be noted */
};

struct map_load {
	struct latest groups, volumes, jobs;
};

static const char *const member_state_names[MEMBER_STATE_COUNT] = {
	[MEMBER_ONLINE] = "online",
	[MEMBER_SPARE] = "spare",
	[MEMBER_OFFLINE] = "offline",
	[MEMBER_FAILED] = "failed",
};

const char *member_state_name(enum member_state state)
{
	assert((unsigned)state < MEMBER_STATE_COUNT);
	return member_state_names[state];
}

const char *job_kind_name(enum job_kind kind)
{
	switch (kind) {
	case JOB_REBUILD:
		return "rebuild";
	case JOB_REPLACE:
		return "replace";
	case JOB_SCRUB:
		return "scrub";
	case JOB_REMOVE:
		return "remove";
	case JOB_REBALANCE:
		return "rebalance";
	case JOB_RECOMBINE:
		return "recombine";
	case JOB_EVACUATE:
		return "evacuate";
	case JOB_EXPAND:
		return "expand";
	case JOB_MIGRATE:
		return "migrate";
	case JOB_TOPOLOGY:
		return "topology";
	}
	return "unknown";
}

const char *job_state_name(enum job_state state)
{
	switch (state) {
	case JOB_RUNNING:
		return "running";
	case JOB_PAUSED:
		return "paused";
	case JOB_DONE:
		return "done";
	}
	return "unknown";
}

struct map *map_create(void)
{
	struct map *map = mem_calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->extent_id_next = map->group_id_next = map->volume_id_next = map->job_id_next = 1;
	map->index = map_index_create();
	map->edits = mem_calloc(1, sizeof(*map->edits));
	if (!map->index || !map->edits) {
		map_free(map);
		return NULL;
	}
	return map;
}

static void release_volume(void *volume)
{
	map_volume_free(volume);
}

static void load_free(struct map *map)
{
	if (!map->load)
		return;
	latest_reset_all(&map->load->groups, mem_free);
	latest_reset_all(&map->load->volumes, release_volume);
	latest_reset_all(&map->load->jobs, mem_free);
	mem_free(map->load);
	map->load = NULL;
}

void map_free(struct map *map)
{
	if (!map)
		return;
	load_free(map);
	for (uint32_t i = 0; i < map->group_count; i++)
		mem_free(map->groups[i]);
	for (uint32_t i = 0; i < map->volume_count; i++)
		map_volume_free(map->volumes[i]);
	mem_free(map->groups);
	mem_free(map->volumes);
	mem_free(map->jobs);
	for (uint32_t slot = 0; map->windows && slot < MEMBERS_MAX; slot++)
		mem_free(map->windows[slot].at);
	mem_free(map->windows);
	map_index_free(map->index);
	if (map->edits)
		edit_list_reset(&map->edits->list);
	mem_free(map->edits);
	mem_free(map);
}

bool map_is_bare(const struct map *map)
{
	return map->bare;
}

bool map_has_bare(const struct map *map)
{
	return map->windows != NULL;
}

bool span_is_bare(const struct map *map, const struct span *span)
{
	uint32_t column;
	const struct group *group = map_extent(map, span->extents[0], &column);

	return group && group_is_bare(group);
}

uint32_t span_groups(const struct map *map, const struct span *span,
		     uint64_t ids_out[SPAN_EXTENTS_MAX])
{
	uint32_t count = 0;

	assert(span->extent_count <= SPAN_EXTENTS_MAX);
	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column, g = 0;
		uint64_t id = map_extent(map, span->extents[i], &column)->id;

		while (g < count && ids_out[g] != id)
			g++;
		if (g == count)
			ids_out[count++] = id;
	}
	return count;
}

static int note(struct map *map, uint8_t type, uint64_t id)
{
	struct edit_list *list = &map->edits->list;

	if (list->count > 0 && list->at[list->count - 1].type == type &&
	    list->at[list->count - 1].id == id)
		return 0;
	int rc = edit_list_push(list, (struct map_edit){ type, id });

	map->edits->lost = map->edits->lost || rc;
	return rc;
}

bool map_edits_lost(const struct map *map)
{
	return map->edits->lost;
}

uint32_t map_edit_count(const struct map *map)
{
	return (uint32_t)map->edits->list.count;
}

struct map_edit map_edit_at(const struct map *map, uint32_t index)
{
	assert(index < map->edits->list.count);
	return map->edits->list.at[index];
}

void map_edits_clear(struct map *map)
{
	edit_list_reset(&map->edits->list);
}

const struct group *map_edit_group(const struct map *map, struct map_edit edit)
{
	return edit.type == EDIT_GROUP ? map_group(map, edit.id) : NULL;
}

const struct volume *map_edit_volume(const struct map *map, struct map_edit edit)
{
	return edit.type == EDIT_VOLUME ? map_volume(map, edit.id) : NULL;
}

/* Make room for one more of `size` bytes. */
static int room(void **array, uint32_t count, uint32_t *capacity, size_t size)
{
	if (count < *capacity)
		return 0;
	uint32_t larger = *capacity ? *capacity * 2 : CAPACITY_MIN;
	void *grown = mem_realloc(*array, larger, size);
	if (!grown)
		return ERR_NOMEM;
	*array = grown;
	*capacity = larger;
	return 0;
}

struct member *map_member(const struct map *map, uint32_t slot)
{
	for (uint32_t i = 0; i < map->member_count; i++) {
		if (map->members[i].slot == slot) /* the map hands out what its owner may edit */
			return (struct member *)(uintptr_t)&map->members[i];
	}
	return NULL;
}

/* While loading, members stay where they are and a number that nobody has marks a free place. */
static void load_member(struct map *map, const struct member *member)
{
	struct member *place = map_member(map, member->slot);

	if (!place)
		place = map_member(map, MEMBER_NONE);
	if (!place) {
		assert(map->member_count < MEMBERS_MAX);
		place = &map->members[map->member_count++];
	}
	*place = *member;
}

int map_put_member(struct map *map, const struct member *member)
{
	uint32_t at = 0;

	assert(member->slot < MEMBERS_MAX);
	if (map->load) {
		load_member(map, member);
		return 0;
	}
	while (at < map->member_count && map->members[at].slot < member->slot)
		at++;
	if (at == map->member_count || map->members[at].slot != member->slot) {
		assert(map->member_count < MEMBERS_MAX);
		memmove(&map->members[at + 1], &map->members[at],
			(map->member_count - at) * sizeof(map->members[0]));
		map->member_count++;
	}
	map->members[at] = *member;
	return note(map, EDIT_MEMBER, member->slot);
}

int map_remove_member(struct map *map, uint32_t slot)
{
	struct member *member = map_member(map, slot);

	if (!member)
		return 0;
	if (map->load) {
		member->slot = MEMBER_NONE;
		return 0;
	}
	uint32_t at = (uint32_t)(member - map->members);
	memmove(&map->members[at], &map->members[at + 1],
		(map->member_count - at - 1) * sizeof(map->members[0]));
	map->member_count--;
	return note(map, EDIT_MEMBER, slot);
}

uint32_t map_slot_free(const struct map *map)
{
	uint32_t slot = 0;

	while (slot < MEMBERS_MAX && map_member(map, slot))
		slot++;
	return slot;
}

uint32_t map_online_count(const struct map *map)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < map->member_count; i++)
		count += map->members[i].state == MEMBER_ONLINE;
	return count;
}

bool id_is_among(const uint64_t *ids, size_t count, uint64_t id)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && ids[low] == id;
}

uint32_t map_group_number(const struct map *map, uint64_t id)
{
	uint32_t low = 0, high = map->group_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (map->groups[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct group *map_group(const struct map *map, uint64_t id)
{
	uint32_t at = map_group_number(map, id);

	return at < map->group_count && map->groups[at]->id == id ? map->groups[at] : NULL;
}

uint64_t *map_group_volumes(const struct map *map)
{
	uint64_t *volumes = mem_calloc((uint64_t)map->group_count + 1, sizeof(*volumes));

	for (uint32_t v = 0; volumes && v < map->volume_count; v++) {
		const struct volume *volume = map->volumes[v];

		for (uint32_t s = 0; s < volume->span_count; s++) {
			for (uint32_t i = 0; i < volume->spans[s].extent_count; i++) {
				uint32_t column;
				const struct group *group =
					map_extent(map, volume->spans[s].extents[i], &column);

				if (group)
					volumes[map_group_number(map, group->id)] = volume->id;
			}
		}
	}
	return volumes;
}

struct group *map_extent(const struct map *map, uint64_t id, uint32_t *column_out)
{
	return map_index_find(map->index, id, column_out);
}

static void forget_extents(struct map *map, const struct group *group)
{
	for (uint32_t i = 0; i < group->shape.columns; i++)
		map_index_remove(map->index, group->extents[i].id, group);
}

static int index_extents(struct map *map, struct group *group)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < group->shape.columns; i++)
		rc = map_index_put(map->index, group->extents[i].id, group, i);
	return rc;
}

int map_put_group(struct map *map, struct group *group)
{
	uint32_t at = map_group_number(map, group->id);
	bool replaces = at < map->group_count && map->groups[at]->id == group->id;
	void *groups = map->groups;

	if (map->load)
		return latest_add(&map->load->groups, group->id, group, mem_free);
	if (!replaces && room(&groups, map->group_count, &map->group_capacity, sizeof(group))) {
		mem_free(group);
		return ERR_NOMEM;
	}
	map->groups = groups;
	if (replaces) {
		forget_extents(map, map->groups[at]);
		mem_free(map->groups[at]);
	} else {
		memmove(&map->groups[at + 1], &map->groups[at],
			(map->group_count - at) * sizeof(map->groups[0]));
		map->group_count++;
	}
	map->groups[at] = group;
	int rc = index_extents(map, group);
	return rc ? rc : note(map, EDIT_GROUP, group->id);
}

int map_remove_group(struct map *map, uint64_t id)
{
	uint32_t at = map_group_number(map, id);

	if (map->load)
		return latest_add(&map->load->groups, id, NULL, mem_free);
	if (at == map->group_count || map->groups[at]->id != id)
		return 0;
	forget_extents(map, map->groups[at]);
	mem_free(map->groups[at]);
	memmove(&map->groups[at], &map->groups[at + 1],
		(map->group_count - at - 1) * sizeof(map->groups[0]));
	map->group_count--;
	return note(map, EDIT_GROUP, id);
}

/* The first volume whose id is not below `id`. */
static uint32_t volume_position(const struct map *map, uint64_t id)
{
	uint32_t low = 0, high = map->volume_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (map->volumes[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct volume *map_volume(const struct map *map, uint64_t id)
{
	uint32_t at = volume_position(map, id);

	return at < map->volume_count && map->volumes[at]->id == id ? map->volumes[at] : NULL;
}

struct volume *map_volume_named(const struct map *map, const char *name)
{
	for (uint32_t i = 0; i < map->volume_count; i++) {
		if (strcmp(map->volumes[i]->name, name) == 0)
			return map->volumes[i];
	}
	return NULL;
}

struct volume *map_volume_create(void)
{
	return mem_calloc(1, sizeof(struct volume));
}

void map_volume_free(struct volume *volume)
{
	if (!volume)
		return;
	for (uint32_t i = 0; i < volume->span_count; i++)
		mem_free(volume->spans[i].extents);
	mem_free(volume->spans);
	mem_free(volume);
}

int map_volume_add_span(struct volume *volume, const struct span *span)
{
	/* Capacity is the next power of two, so it need not be kept. */
	if ((volume->span_count & (volume->span_count - 1)) == 0) {
		size_t larger = volume->span_count ? (size_t)volume->span_count * 2 : 1;
		struct span *spans = mem_realloc(volume->spans, larger, sizeof(*spans));

		if (!spans)
			return ERR_NOMEM;
		volume->spans = spans;
	}
	volume->spans[volume->span_count++] = *span;
	return 0;
}

int map_put_volume(struct map *map, struct volume *volume)
{
	void *volumes = map->volumes;
	uint32_t at = volume_position(map, volume->id);

	if (map->load)
		return latest_add(&map->load->volumes, volume->id, volume, release_volume);
	if (at < map->volume_count && map->volumes[at]->id == volume->id) {
		map_volume_free(map->volumes[at]);
	} else {
		if (room(&volumes, map->volume_count, &map->volume_capacity, sizeof(volume))) {
			map_volume_free(volume);
			return ERR_NOMEM;
		}
		map->volumes = volumes;
		memmove(&map->volumes[at + 1], &map->volumes[at],
			(map->volume_count - at) * sizeof(map->volumes[0]));
		map->volume_count++;
	}
	map->volumes[at] = volume;
	return note(map, EDIT_VOLUME, volume->id);
}

int map_remove_volume(struct map *map, uint64_t id)
{
	uint32_t at = volume_position(map, id);

	if (map->load)
		return latest_add(&map->load->volumes, id, NULL, release_volume);
	if (at == map->volume_count || map->volumes[at]->id != id)
		return 0;
	map_volume_free(map->volumes[at]);
	memmove(&map->volumes[at], &map->volumes[at + 1],
		(map->volume_count - at - 1) * sizeof(map->volumes[0]));
	map->volume_count--;
	return note(map, EDIT_VOLUME, id);
}

/* The first job whose id is not below `id`. */
static uint32_t job_position(const struct map *map, uint64_t id)
{
	uint32_t low = 0, high = map->job_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (map->jobs[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct job *map_job(const struct map *map, uint64_t id)
{
	uint32_t at = job_position(map, id);

	return at < map->job_count && map->jobs[at].id == id ? &map->jobs[at] : NULL;
}

static int load_job(struct map *map, const struct job *job)
{
	struct job *copy = mem_calloc(1, sizeof(*copy));

	if (!copy)
		return ERR_NOMEM;
	*copy = *job;
	return latest_add(&map->load->jobs, job->id, copy, mem_free);
}

int map_put_job(struct map *map, const struct job *job)
{
	uint32_t at = job_position(map, job->id);
	void *jobs = map->jobs;

	if (map->load)
		return load_job(map, job);
	if (at == map->job_count || map->jobs[at].id != job->id) {
		if (room(&jobs, map->job_count, &map->job_capacity, sizeof(*job)))
			return ERR_NOMEM;
		map->jobs = jobs;
		memmove(&map->jobs[at + 1], &map->jobs[at],
			(map->job_count - at) * sizeof(map->jobs[0]));
		map->job_count++;
	}
	map->jobs[at] = *job;
	return note(map, EDIT_JOB, job->id);
}

int map_remove_job(struct map *map, uint64_t id)
{
	const struct job *job = map_job(map, id);

	if (map->load)
		return latest_add(&map->load->jobs, id, NULL, mem_free);
	if (!job)
		return 0;
	size_t at = (size_t)(job - map->jobs);
	memmove(&map->jobs[at], &map->jobs[at + 1],
		(map->job_count - at - 1) * sizeof(map->jobs[0]));
	map->job_count--;
	return note(map, EDIT_JOB, id);
}

int map_load_begin(struct map *map)
{
	assert(!map->load && map->group_count == 0 && map->volume_count == 0);
	map->load = mem_calloc(1, sizeof(*map->load));
	return map->load ? 0 : ERR_NOMEM;
}

static int compare_members(const void *a, const void *b)
{
	const struct member *left = a, *right = b;

	return left->slot < right->slot ? -1 : left->slot > right->slot;
}

/* In order, the free places last; those are dropped. */
static void settle_members(struct map *map)
{
	qsort(map->members, map->member_count, sizeof(map->members[0]), compare_members);
	while (map->member_count && map->members[map->member_count - 1].slot == MEMBER_NONE)
		map->member_count--;
}

/* Arrays of what stood in the end; their memory is taken first, so nothing is half moved. */
static int settle_objects(struct map *map)
{
	struct map_load *load = map->load;

	latest_settle(&load->groups, mem_free);
	latest_settle(&load->volumes, release_volume);
	latest_settle(&load->jobs, mem_free);
	if (load->groups.count > UINT32_MAX / 2 || load->volumes.count > UINT32_MAX / 2 ||
	    load->jobs.count > UINT32_MAX / 2)
		return ERR_LIMIT;
	map->group_capacity = (uint32_t)load->groups.count;
	map->volume_capacity = (uint32_t)load->volumes.count;
	map->job_capacity = (uint32_t)load->jobs.count;
	map->groups = mem_calloc(map->group_capacity, sizeof(map->groups[0]));
	map->volumes = mem_calloc(map->volume_capacity, sizeof(map->volumes[0]));
	map->jobs = mem_calloc(map->job_capacity, sizeof(map->jobs[0]));
	if (!map->groups || !map->volumes || !map->jobs)
		return ERR_NOMEM;
	while (map->group_count < map->group_capacity) {
		map->groups[map->group_count] = load->groups.at[map->group_count].object;
		load->groups.at[map->group_count++].object = NULL;
	}
	while (map->volume_count < map->volume_capacity) {
		map->volumes[map->volume_count] = load->volumes.at[map->volume_count].object;
		load->volumes.at[map->volume_count++].object = NULL;
	}
	for (; map->job_count < map->job_capacity; map->job_count++)
		map->jobs[map->job_count] =
			*(const struct job *)load->jobs.at[map->job_count].object;
	return 0;
}

int map_load_end(struct map *map)
{
	assert(map->load);
	settle_members(map);
	int rc = settle_objects(map);
	for (uint32_t i = 0; !rc && i < map->group_count; i++)
		rc = index_extents(map, map->groups[i]);
	if (!rc)
		load_free(map);
	return rc;
}

int map_touch_group(struct map *map, uint64_t id)
{
	return note(map, EDIT_GROUP, id);
}

int map_touch_volume(struct map *map, uint64_t id)
{
	return note(map, EDIT_VOLUME, id);
}

int map_touch_member(struct map *map, uint32_t slot)
{
	return note(map, EDIT_MEMBER, slot);
}

int map_set_adoption(struct map *map, const struct adoption *adoption)
{
	map->adoption = *adoption;
	return note(map, EDIT_ADOPTION, 0);
}

int map_name_check(const char *name, struct err *err)
{
	size_t size = strlen(name);

	if (size == 0)
		return err_set(err, ERR_NAME, "the name is empty");
	if (size >= NAME_SIZE)
		return err_set(err, ERR_NAME, "the name has %zu bytes, at most %u are possible",
			       size, NAME_SIZE - 1);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "-") == 0)
		return err_set(err, ERR_NAME, "\"%s\" is not possible as a name", name);
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x20 || c == 0x7f || c == '/')
			return err_set(err, ERR_NAME, "the name \"%.80s\" has a %s at byte %zu",
				       name, c == '/' ? "slash" : "control character", i);
	}
	return 0;
}

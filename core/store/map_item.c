/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/map_item.h"

#include "core/base/mem.h"
#include "core/base/window.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum item_type {
	ITEM_ARRAY = 1,
	ITEM_MEMBER,
	ITEM_GROUP,
	ITEM_VOLUME,
	ITEM_JOB,
	ITEM_DELETE,
	ITEM_ADOPTED,
};

#define ITEM_HEADER 8u
#define POLICY_RESERVED 6u
#define MEMBER_SET_BYTES 32u
#define EXTENT_ITEM_SIZE 40u

#define WINDOW_ITEM_SIZE 32u

enum { MEMBER_FLAG_BEHIND = 1, EXTENT_FLAG_STALE = 1, GROUP_FLAG_BARE = 1 };

/* Begin an item; item_end() fills in its size. */
static size_t item_begin(struct buffer *out, enum item_type type)
{
	size_t start = out->size;

	buffer_u16(out, (uint16_t)type);
	buffer_u16(out, 0);
	buffer_u32(out, 0);
	return start;
}

static void item_end(struct buffer *out, size_t start)
{
	if (!out->failed)
		put_le32(out->bytes + start + 4, (uint32_t)(out->size - start - ITEM_HEADER));
}

static void add_text(struct buffer *out, const char *text)
{
	size_t size = strlen(text);

	assert(size < NAME_SIZE);
	buffer_u8(out, (uint8_t)size);
	buffer_bytes(out, text, size);
}

static void add_policy(struct buffer *out, const struct policy *policy)
{
	assert(policy->checks <= UINT8_MAX);
	buffer_u8(out, (uint8_t)policy->layout);
	buffer_u8(out, (uint8_t)policy->checks);
	buffer_u16(out, policy->columns);
	buffer_u32(out, policy->unit_blocks);
	buffer_u8(out, policy->size_class);
	buffer_u8(out, (uint8_t)policy->journal);
	buffer_u8(out, (uint8_t)policy->topology);
	buffer_u8(out, (uint8_t)policy->zones);
	buffer_u16(out, policy->pure_plus_one);
	buffer_u16(out, policy->zone_second);
	buffer_u16(out, policy->zone_third);
	buffer_add(out, POLICY_RESERVED);
}

static void add_member_set(struct buffer *out, struct member_set set)
{
	buffer_u64(out, set.bits);
	buffer_add(out, MEMBER_SET_BYTES - 8);
}

void map_item_array(struct buffer *out, const struct map *map)
{
	const struct epoch *now = &map->epochs[map->epoch_count - 1];
	size_t start = item_begin(out, ITEM_ARRAY);

	assert(map->epoch_count > 0);
	buffer_u64(out, now->number);
	buffer_u64(out, now->id);
	buffer_u64(out, map->extent_id_next);
	buffer_u64(out, map->group_id_next);
	buffer_u64(out, map->volume_id_next);
	buffer_u64(out, map->job_id_next);
	buffer_u64(out, map->created_s);
	add_policy(out, &map->policy);
	add_text(out, map->name);
	add_text(out, map->across);
	buffer_u8(out, (uint8_t)map->epoch_count);
	for (uint32_t i = 0; i < map->epoch_count; i++) {
		buffer_u64(out, map->epochs[i].number);
		buffer_u64(out, map->epochs[i].id);
		buffer_u64(out, map->epochs[i].first_generation);
		add_member_set(out, map->epochs[i].present);
	}
	item_end(out, start);
}

void map_item_member(struct buffer *out, const struct member *member)
{
	size_t start = item_begin(out, ITEM_MEMBER);

	buffer_u32(out, member->slot);
	buffer_bytes(out, member->uuid.bytes, sizeof(member->uuid.bytes));
	buffer_u8(out, (uint8_t)member->state);
	buffer_u8(out, member->behind ? MEMBER_FLAG_BEHIND : 0);
	buffer_u16(out, 0);
	buffer_u64(out, member->size);
	buffer_u64(out, member->frame_count);
	buffer_u64(out, member->data_offset);
	buffer_u64(out, member->absent_since);
	buffer_u8(out, (uint8_t)member->label_count);
	for (uint32_t i = 0; i < member->label_count; i++) {
		add_text(out, member->labels[i].key);
		add_text(out, member->labels[i].value);
	}
	if (member->rates[0]) {
		buffer_u8(out, ZONE_RATES);
		for (uint32_t i = 0; i < ZONE_RATES; i++)
			buffer_u32(out, member->rates[i]);
	}
	item_end(out, start);
}

static void add_extent(struct buffer *out, const struct extent *extent)
{
	buffer_u64(out, extent->id);
	buffer_u64(out, extent->header_generation);
	buffer_u32(out, extent->slot);
	buffer_u32(out, extent->frame);
	buffer_u32(out, extent->body_blocks);
	buffer_u8(out, extent->size_class);
	buffer_u8(out, extent->stale ? EXTENT_FLAG_STALE : 0);
	buffer_u16(out, 0);
	buffer_u64(out, 0);
}

static void add_window(struct buffer *out, const struct window *window)
{
	buffer_u64(out, window->length);
	buffer_u64(out, window->origin);
	buffer_u64(out, window->run);
	buffer_u64(out, window->stride);
}

/* Index bytes of a group item: one a column, padded to a multiple of 8. */
static size_t index_room(uint32_t columns)
{
	return (size_t)((columns + 7u) / 8) * 8;
}

void map_item_group(struct buffer *out, const struct group *group)
{
	const struct code_shape *shape = &group->shape;
	size_t start = item_begin(out, ITEM_GROUP);

	buffer_u64(out, group->id);
	buffer_u64(out, group->generation);
	buffer_u8(out, (uint8_t)shape->layout);
	buffer_u8(out, (uint8_t)shape->checks);
	buffer_u8(out, (uint8_t)shape->columns);
	buffer_u8(out, (uint8_t)shape->pure);
	buffer_u32(out, group->segment_blocks);
	buffer_u32(out, group_is_bare(group) ? GROUP_FLAG_BARE : 0);
	buffer_bytes(out, shape->index, shape->columns);
	buffer_add(out, index_room(shape->columns) - shape->columns);
	for (uint32_t i = 0; i < shape->columns; i++) {
		add_extent(out, &group->extents[i]);
		if (group_is_bare(group))
			add_window(out, &group->windows[i]);
	}
	item_end(out, start);
}

void map_item_volume(struct buffer *out, const struct volume *volume)
{
	size_t start = item_begin(out, ITEM_VOLUME);

	buffer_u64(out, volume->id);
	buffer_u64(out, volume->length);
	add_policy(out, &volume->policy);
	add_text(out, volume->name);
	buffer_u32(out, volume->span_count);
	for (uint32_t i = 0; i < volume->span_count; i++) {
		const struct span *span = &volume->spans[i];

		buffer_u64(out, span->offset);
		buffer_u64(out, span->length);
		buffer_u32(out, span->unit_blocks);
		buffer_u32(out, span->extent_count);
		for (uint32_t j = 0; j < span->extent_count; j++)
			buffer_u64(out, span->extents[j]);
	}
	item_end(out, start);
}

void map_item_job(struct buffer *out, const struct job *job)
{
	size_t start = item_begin(out, ITEM_JOB);

	buffer_u64(out, job->id);
	buffer_u8(out, (uint8_t)job->kind);
	buffer_u8(out, (uint8_t)job->state);
	buffer_u16(out, 0);
	buffer_u32(out, job->from);
	buffer_u32(out, job->to);
	buffer_u64(out, job->done);
	buffer_u64(out, job->total);
	buffer_u64(out, job->cursor);
	buffer_u64(out, job->started_s);
	if (job->volume ||
	    job->policy.columns) { /* what it was asked for; else the item ends here */
		buffer_u64(out, job->volume);
		add_policy(out, &job->policy);
	}
	item_end(out, start);
}

void map_item_adopted(struct buffer *out, const struct adoption *adoption)
{
	size_t start = item_begin(out, ITEM_ADOPTED);

	assert(adoption->state != ADOPT_NONE);
	buffer_u8(out, (uint8_t)(adoption->state - ADOPT_REVERSIBLE));
	buffer_add(out, 15);
	buffer_bytes(out, adoption->origin.bytes, sizeof(adoption->origin.bytes));
	item_end(out, start);
}

static void map_item_delete(struct buffer *out, struct map_edit edit)
{
	size_t start = item_begin(out, ITEM_DELETE);

	buffer_u8(out, edit.type);
	buffer_add(out, 7);
	buffer_u64(out, edit.id);
	item_end(out, start);
}

void map_item_edit(struct buffer *out, const struct map *map, struct map_edit edit)
{
	const struct member *member = NULL;
	const struct group *group = NULL;
	const struct volume *volume = NULL;
	const struct job *job = NULL;

	if (edit.type == ITEM_MEMBER && (member = map_member(map, (uint32_t)edit.id)))
		map_item_member(out, member);
	else if (edit.type == ITEM_GROUP && (group = map_group(map, edit.id)))
		map_item_group(out, group);
	else if (edit.type == ITEM_VOLUME && (volume = map_volume(map, edit.id)))
		map_item_volume(out, volume);
	else if (edit.type == ITEM_JOB && (job = map_job(map, edit.id)))
		map_item_job(out, job);
	else if (edit.type == ITEM_ADOPTED)
		map_item_adopted(out, &map->adoption);
	else
		map_item_delete(out, edit);
}

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_FORMAT, "map record: bad %s", what);
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the map");
}

/* A text with its size in front, without NUL inside. */
static bool get_text(struct cursor *cursor, char *out, size_t out_size)
{
	size_t size = cursor_u8(cursor);
	const uint8_t *bytes = cursor_take(cursor, size);

	if (!bytes || size >= out_size || memchr(bytes, 0, size))
		return false;
	memcpy(out, bytes, size);
	out[size] = '\0';
	return true;
}

static bool get_zeros(struct cursor *cursor, size_t size)
{
	const uint8_t *bytes = cursor_take(cursor, size);

	return bytes && bytes_are_zero(bytes, size);
}

static bool get_policy(struct cursor *cursor, struct policy *policy)
{
	uint8_t layout = cursor_u8(cursor);
	uint16_t pure;

	policy->checks = cursor_u8(cursor);
	policy->columns = cursor_u16(cursor);
	policy->unit_blocks = cursor_u32(cursor);
	policy->size_class = cursor_u8(cursor);
	uint8_t journal = cursor_u8(cursor);
	uint8_t topology = cursor_u8(cursor);
	uint8_t zones = cursor_u8(cursor);
	pure = cursor_u16(cursor);
	if (layout >= LAYOUT_COUNT || journal >= JOURNAL_COUNT || topology >= TOPOLOGY_COUNT ||
	    zones >= ZONES_COUNT || policy->columns > CODE_COLUMNS_MAX || pure > CODE_COLUMNS_MAX ||
	    policy->size_class > SIZE_CLASS_MAX)
		return false;
	policy->layout = (enum layout)layout;
	policy->journal = (enum journal_mode)journal;
	policy->topology = (enum topology)topology;
	policy->zones = (enum zones)zones;
	policy->pure_plus_one = (uint8_t)pure;
	policy->zone_second = cursor_u16(cursor);
	policy->zone_third = cursor_u16(cursor);
	if (policy->zone_third > ZONE_PARTS ||
	    (policy->zone_third == 0
		     ? policy->zone_second > 0
		     : policy->zone_second == 0 || policy->zone_second >= policy->zone_third))
		return false;
	return get_zeros(cursor, POLICY_RESERVED);
}

static bool get_epoch(struct cursor *cursor, struct epoch *epoch)
{
	epoch->number = cursor_u64(cursor);
	epoch->id = cursor_u64(cursor);
	epoch->first_generation = cursor_u64(cursor);
	epoch->present.bits = cursor_u64(cursor);
	return get_zeros(cursor, MEMBER_SET_BYTES - 8);
}

static int apply_array(struct map *map, struct cursor *cursor, struct err *err)
{
	uint64_t number = cursor_u64(cursor);
	uint64_t id = cursor_u64(cursor);

	map->extent_id_next = cursor_u64(cursor);
	map->group_id_next = cursor_u64(cursor);
	map->volume_id_next = cursor_u64(cursor);
	map->job_id_next = cursor_u64(cursor);
	map->created_s = cursor_u64(cursor);
	if (!get_policy(cursor, &map->policy) || !get_text(cursor, map->name, sizeof(map->name)) ||
	    !get_text(cursor, map->across, sizeof(map->across)))
		return bad(err, "array item");
	map->epoch_count = cursor_u8(cursor);
	if (map->epoch_count == 0 || map->epoch_count > EPOCHS_MAX)
		return bad(err, "count of epochs");
	for (uint32_t i = 0; i < map->epoch_count; i++) {
		if (!get_epoch(cursor, &map->epochs[i]))
			return bad(err, "epoch");
	}
	const struct epoch *now = &map->epochs[map->epoch_count - 1];
	if (now->number != number || now->id != id)
		return bad(err, "present epoch");
	return 0;
}

/* None, or one of each part. */
static bool get_rates(struct cursor *cursor, uint32_t rates[ZONE_RATES])
{
	bool good = true;

	if (cursor->left == 0)
		return true;
	good = cursor_u8(cursor) == ZONE_RATES;
	for (uint32_t i = 0; good && i < ZONE_RATES; i++) {
		rates[i] = cursor_u32(cursor);
		good = rates[i] > 0;
	}
	return good;
}

static int apply_member(struct map *map, struct cursor *cursor, struct err *err)
{
	struct member member = { .slot = cursor_u32(cursor) };
	const uint8_t *uuid = cursor_take(cursor, sizeof(member.uuid.bytes));
	uint8_t state = cursor_u8(cursor);
	uint8_t flags = cursor_u8(cursor);
	uint16_t reserved = cursor_u16(cursor);

	if (!uuid || member.slot >= MEMBERS_MAX || state >= MEMBER_STATE_COUNT ||
	    (flags & ~MEMBER_FLAG_BEHIND) || reserved)
		return bad(err, "member item");
	memcpy(member.uuid.bytes, uuid, sizeof(member.uuid.bytes));
	member.state = (enum member_state)state;
	member.behind = flags & MEMBER_FLAG_BEHIND;
	member.size = cursor_u64(cursor);
	member.frame_count = cursor_u64(cursor);
	member.data_offset = cursor_u64(cursor);
	member.absent_since = cursor_u64(cursor);
	member.label_count = cursor_u8(cursor);
	if (member.label_count > LABELS_MAX)
		return bad(err, "count of labels");
	for (uint32_t i = 0; i < member.label_count; i++) {
		if (!get_text(cursor, member.labels[i].key, LABEL_SIZE) ||
		    !get_text(cursor, member.labels[i].value, LABEL_SIZE))
			return bad(err, "label");
	}
	if (!get_rates(cursor, member.rates))
		return bad(err, "measured rates");
	return map_put_member(map, &member) ? no_memory(err) : 0;
}

static bool get_extent(struct cursor *cursor, struct extent *extent)
{
	extent->id = cursor_u64(cursor);
	extent->header_generation = cursor_u64(cursor);
	extent->slot = cursor_u32(cursor);
	extent->frame = cursor_u32(cursor);
	extent->body_blocks = cursor_u32(cursor);
	extent->size_class = cursor_u8(cursor);
	uint8_t flags = cursor_u8(cursor);
	uint16_t reserved16 = cursor_u16(cursor);
	uint64_t reserved64 = cursor_u64(cursor);

	extent->stale = flags & EXTENT_FLAG_STALE;
	return extent->id != 0 && extent->slot < MEMBERS_MAX && !(flags & ~EXTENT_FLAG_STALE) &&
	       !reserved16 && !reserved64;
}

/* Sizes and sums are the map's check's business. */
static bool get_window(struct cursor *cursor, struct window *window)
{
	window->length = cursor_u64(cursor);
	window->origin = cursor_u64(cursor);
	window->run = cursor_u64(cursor);
	window->stride = cursor_u64(cursor);
	return !cursor->failed;
}

static int apply_group(struct map *map, struct cursor *cursor, struct err *err)
{
	uint64_t id = cursor_u64(cursor);
	uint64_t generation = cursor_u64(cursor);
	struct code_shape shape = { .layout = (enum layout)cursor_u8(cursor) };

	shape.checks = cursor_u8(cursor);
	shape.columns = cursor_u8(cursor);
	shape.pure = cursor_u8(cursor);
	uint32_t segment_blocks = cursor_u32(cursor);
	uint32_t flags = cursor_u32(cursor);
	bool bare = flags & GROUP_FLAG_BARE;

	if ((unsigned)shape.layout >= LAYOUT_COUNT || shape.columns == 0 ||
	    shape.columns > CODE_COLUMNS_MAX || (flags & ~(uint32_t)GROUP_FLAG_BARE) || id == 0 ||
	    cursor->left <
		    shape.columns * (size_t)(EXTENT_ITEM_SIZE + (bare ? WINDOW_ITEM_SIZE : 0)))
		return bad(err, "group item");
	const uint8_t *index = cursor_take(cursor, shape.columns);
	if (!index || !get_zeros(cursor, index_room(shape.columns) - shape.columns))
		return bad(err, "group item");
	memcpy(shape.index, index, shape.columns);

	struct group *group =
		bare ? map_group_create_bare(shape.columns) : map_group_create(shape.columns);
	if (!group)
		return no_memory(err);
	group->id = id;
	group->generation = generation;
	group->shape = shape;
	group->segment_blocks = segment_blocks;
	for (uint32_t i = 0; i < shape.columns; i++) {
		if (!get_extent(cursor, &group->extents[i]) ||
		    (bare && !get_window(cursor, &group->windows[i]))) {
			mem_free(group);
			return bad(err, "extent");
		}
	}
	return map_put_group(map, group) ? no_memory(err) : 0;
}

static int get_span(struct cursor *cursor, struct volume *volume, struct err *err)
{
	struct span span = { .offset = cursor_u64(cursor), .length = cursor_u64(cursor) };

	span.unit_blocks = cursor_u32(cursor);
	span.extent_count = cursor_u32(cursor);
	if (span.extent_count == 0 || span.extent_count > SPAN_EXTENTS_MAX ||
	    cursor->left < span.extent_count * sizeof(uint64_t))
		return bad(err, "span");
	span.extents = mem_calloc(span.extent_count, sizeof(uint64_t));
	if (!span.extents)
		return no_memory(err);
	for (uint32_t i = 0; i < span.extent_count; i++)
		span.extents[i] = cursor_u64(cursor);
	if (map_volume_add_span(volume, &span)) {
		mem_free(span.extents);
		return no_memory(err);
	}
	return 0;
}

static int apply_volume(struct map *map, struct cursor *cursor, struct err *err)
{
	struct volume *volume = map_volume_create();
	int rc = 0;

	if (!volume)
		return no_memory(err);
	volume->id = cursor_u64(cursor);
	volume->length = cursor_u64(cursor);
	if (!get_policy(cursor, &volume->policy) ||
	    !get_text(cursor, volume->name, sizeof(volume->name)) || volume->id == 0)
		rc = bad(err, "volume item");
	uint32_t spans = cursor_u32(cursor);
	for (uint32_t i = 0; !rc && i < spans; i++)
		rc = get_span(cursor, volume, err);
	if (rc) {
		map_volume_free(volume);
		return rc;
	}
	return map_put_volume(map, volume) ? no_memory(err) : 0;
}

static int apply_job(struct map *map, struct cursor *cursor, struct err *err)
{
	struct job job = { .id = cursor_u64(cursor) };
	uint8_t kind = cursor_u8(cursor);
	uint8_t state = cursor_u8(cursor);
	uint16_t reserved = cursor_u16(cursor);

	job.from = cursor_u32(cursor);
	job.to = cursor_u32(cursor);
	job.done = cursor_u64(cursor);
	job.total = cursor_u64(cursor);
	job.cursor = cursor_u64(cursor);
	job.started_s = cursor_u64(cursor);
	if (cursor->left > 0) {
		job.volume = cursor_u64(cursor);
		if (!get_policy(cursor, &job.policy) || (!job.volume && !job.policy.columns))
			return bad(err, "job item");
	}
	/* An unknown kind of job may have changed what this program does not understand. */
	if (kind < JOB_REBUILD || kind > JOB_TOPOLOGY || state > JOB_DONE || reserved)
		return bad(err, "job item");
	job.kind = (enum job_kind)kind;
	job.state = (enum job_state)state;
	return map_put_job(map, &job) ? no_memory(err) : 0;
}

static int apply_adopted(struct map *map, struct cursor *cursor, struct err *err)
{
	uint8_t state = cursor_u8(cursor);
	bool zeros = get_zeros(cursor, 15);
	const uint8_t *origin = cursor_take(cursor, sizeof(map->adoption.origin.bytes));

	if (!zeros || !origin || state > ADOPT_UNDOING - ADOPT_REVERSIBLE)
		return bad(err, "adopted item");
	map->adoption.state = (enum adopt_state)(state + ADOPT_REVERSIBLE);
	memcpy(map->adoption.origin.bytes, origin, sizeof(map->adoption.origin.bytes));
	return 0;
}

static int apply_delete(struct map *map, struct cursor *cursor, struct err *err)
{
	uint8_t type = cursor_u8(cursor);
	bool zeros = get_zeros(cursor, 7);
	uint64_t id = cursor_u64(cursor);
	int rc;

	if (!zeros)
		return bad(err, "delete item");
	switch (type) {
	case ITEM_MEMBER:
		rc = map_remove_member(map, id < MEMBERS_MAX ? (uint32_t)id : MEMBER_NONE);
		break;
	case ITEM_GROUP:
		rc = map_remove_group(map, id);
		break;
	case ITEM_VOLUME:
		rc = map_remove_volume(map, id);
		break;
	case ITEM_JOB:
		rc = map_remove_job(map, id);
		break;
	default:
		return bad(err, "delete item");
	}
	return rc ? no_memory(err) : 0;
}

static int (*const appliers[])(struct map *map, struct cursor *cursor, struct err *err) = {
	[ITEM_ARRAY] = apply_array,     [ITEM_MEMBER] = apply_member, [ITEM_GROUP] = apply_group,
	[ITEM_VOLUME] = apply_volume,   [ITEM_JOB] = apply_job,       [ITEM_DELETE] = apply_delete,
	[ITEM_ADOPTED] = apply_adopted,
};

int map_item_apply(struct map *map, struct cursor *cursor, struct err *err)
{
	uint16_t type = cursor_u16(cursor);
	uint16_t reserved = cursor_u16(cursor);
	uint32_t size = cursor_u32(cursor);
	const uint8_t *bytes = cursor_take(cursor, size);
	struct cursor item = { bytes, size, false };

	if (!bytes || reserved || type < ITEM_ARRAY || type > ITEM_ADOPTED)
		return bad(err, "item");
	int rc = appliers[type](map, &item, err);
	if (rc)
		return rc;
	if (item.failed || item.left != 0)
		return bad(err, "item size");
	return 0;
}

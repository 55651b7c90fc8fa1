/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/recode.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/allocate.h"
#include "core/map/bands.h"
#include "core/map/windows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What one call knows. */
struct search {
	struct recode_batch *batch;
	const struct recode_goal *goal;
	const struct volume *volume;
	uint32_t columns;     /* of a full group */
	uint64_t full_blocks; /* of data in one */
};

static uint64_t span_blocks(const struct span *span)
{
	return size_divide_up(span->length, BLOCK_SIZE);
}

static struct group_size size_for(const struct search *search, uint64_t blocks)
{
	return group_size_choose(search->goal->policy, &search->batch->places->map->geometry,
				 search->columns, search->goal->policy->size_class, blocks);
}

/* All extents of the span are one group, in the order of its columns. */
static const struct group *only_group(const struct map *map, const struct span *span)
{
	const struct group *first = NULL;

	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, span->extents[i], &column);

		assert(group); /* map_check() saw to it */
		if (column != i || (first && group != first))
			return NULL;
		first = group;
	}
	return first && group_data_columns(first) == span->extent_count ? first : NULL;
}

/* The group of a span in the policy's layout; NULL: it is none, or has no seals. */
static const struct group *group_like(const struct search *search, const struct span *span)
{
	const struct policy *policy = search->goal->policy;
	const struct group *group = only_group(search->batch->places->map, span);

	if (!group || group_is_bare(group) || group->shape.layout != policy->layout ||
	    group->shape.checks != policy->checks ||
	    (policy->pure_plus_one && group->shape.pure + 1u != policy->pure_plus_one))
		return NULL;
	return group;
}

static bool has_size(const struct group *group, const struct span *span,
		     const struct group_size *size)
{
	return group->shape.columns == size->columns &&
	       group->segment_blocks == size->segment_blocks &&
	       group->extents[0].size_class == size->size_class &&
	       span->unit_blocks == size->unit_blocks;
}

/* Is the span what the policy would make first of so many blocks? */
static bool has_shape(const struct search *search, const struct span *span, uint64_t blocks)
{
	const struct group *group = group_like(search, span);
	struct group_size size = size_for(search, blocks);

	return group && has_size(group, span, &size) &&
	       span_blocks(span) == size_min(blocks, size.data_blocks);
}

/* Could the policy have made the span, with the members that there were then? */
static bool was_made(const struct search *search, const struct span *span)
{
	const struct policy *policy = search->goal->policy;
	const struct geometry *geometry = &search->batch->places->map->geometry;
	const struct group *group = group_like(search, span);
	uint32_t columns = policy->columns;

	if (!group)
		return false;
	if (columns == 0)
		columns = group->shape.columns;
	struct group_size full =
		group_size_choose(policy, geometry, columns, policy->size_class, UINT32_MAX);
	struct group_size last =
		group_size_choose(policy, geometry, columns, policy->size_class, span_blocks(span));

	return has_size(group, span, &full) || has_size(group, span, &last);
}

/* Nothing would change: these spans are what the policy makes of their bytes. */
static bool is_done(const struct search *search, uint32_t first, uint32_t count)
{
	uint64_t blocks = 0;

	for (uint32_t i = first; i < first + count; i++)
		blocks += span_blocks(&search->volume->spans[i]);
	for (uint32_t i = first; i < first + count; i++) {
		if (!has_shape(search, &search->volume->spans[i], blocks))
			return false;
		blocks -= span_blocks(&search->volume->spans[i]);
	}
	return true;
}

static bool is_skipped(const struct recode_goal *goal, uint64_t offset)
{
	for (size_t i = 0; i < goal->skip_count; i++) {
		if (goal->skip[i] == offset)
			return true;
	}
	return false;
}

/* Full groups are as they are to be; of others that depends on what follows. */
static bool is_wanted(const struct search *search, uint32_t number)
{
	const struct span *span = &search->volume->spans[number];

	if (span->offset < search->goal->cursor || is_skipped(search->goal, span->offset))
		return false;
	if (span->offset < search->goal->again && was_made(search, span))
		return false;
	return !has_shape(search, span, search->full_blocks);
}

/*
 * So many spans from `first` on make whole new groups, or as many as a run takes. Only the last may end within a
 * block: the bytes behind it would have to move.
 */
static uint32_t choose_run(const struct search *search, uint32_t first)
{
	const struct volume *volume = search->volume;
	uint64_t blocks = 0;
	uint32_t count = 0;

	while (first + count < volume->span_count && is_wanted(search, first + count)) {
		const struct span *span = &volume->spans[first + count];

		blocks += span_blocks(span);
		if (count > 0 && blocks > RECODE_RUN_BLOCKS)
			break;
		count++;
		if (blocks % search->full_blocks == 0 || span->length % BLOCK_SIZE != 0)
			break;
	}
	return count;
}

static int make_span(struct recode_group *made, const struct group_size *size, uint64_t offset,
		     uint64_t length)
{
	made->span = (struct span){ .offset = offset,
				    .length = length,
				    .unit_blocks = size->unit_blocks,
				    .extent_count = group_data_columns(made->group) };
	made->span.extents = mem_calloc(made->span.extent_count, sizeof(uint64_t));
	if (!made->span.extents)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < made->span.extent_count; i++)
		made->span.extents[i] = made->group->extents[i].id;
	return 0;
}

/* Give back the groups from `count` on. */
static void drop_groups(struct recode_batch *batch, size_t count)
{
	while (batch->groups.count > count) {
		struct recode_group *made = &batch->groups.at[--batch->groups.count];

		allocate_undo(batch->places->space, made->group);
		mem_free(made->span.extents);
	}
}

static int add_group(struct search *search, const struct recode_run *run, uint64_t done,
		     uint64_t *length_out, struct err *err)
{
	struct recode_batch *batch = search->batch;
	struct recode_group made = { .run_offset = run->offset };
	struct group_size size;
	int rc = allocate_group(batch->places, search->goal->policy,
				size_divide_up(run->length - done, BLOCK_SIZE), &made.group, &size,
				err);

	if (rc)
		return rc;
	if (batch->whole &&
	    size.columns <
		    size_for(search, size_divide_up(run->length - done, BLOCK_SIZE)).columns) {
		allocate_undo(batch->places->space, made.group);
		return err_set(err, ERR_NOSPACE,
			       "no room on as many members as a group has columns");
	}
	*length_out = size_min(run->length - done, size.data_blocks * BLOCK_SIZE);
	rc = make_span(&made, &size, run->offset + done, *length_out);
	if (!rc)
		rc = recode_group_vec_push(&batch->groups, made);
	if (!rc)
		return 0;
	allocate_undo(batch->places->space, made.group);
	mem_free(made.span.extents);
	return err_set(err, ERR_NOMEM, "no memory to plan a migration");
}

static struct recode_run make_run(const struct search *search, uint32_t first, uint32_t count)
{
	struct recode_run run = { .first = first,
				  .count = count,
				  .offset = search->volume->spans[first].offset,
				  .group_first = search->batch->groups.count };

	for (uint32_t i = first; i < first + count; i++)
		run.length += search->volume->spans[i].length;
	return run;
}

/* Groups for `count` spans; with none taken on failure. */
static int add_run(struct search *search, uint32_t first, uint32_t count, struct err *err)
{
	struct recode_batch *batch = search->batch;
	struct recode_run run = make_run(search, first, count);
	uint64_t done = 0, length = 0;
	int rc = 0;

	for (; !rc && done < run.length; done += length) {
		rc = add_group(search, &run, done, &length, err);
		if (rc)
			break;
	}
	run.group_count = batch->groups.count - run.group_first;
	if (!rc && recode_run_vec_push(&batch->runs, run))
		rc = err_set(err, ERR_NOMEM, "no memory to plan a migration");
	if (rc)
		drop_groups(batch, run.group_first);
	else
		batch->blocks += size_divide_up(run.length, BLOCK_SIZE);
	return rc;
}

/* ---- where there is no room */

/* What the group for the rest of a span would take on each member, were there room. */
static uint64_t frames_needed(const struct search *search, uint64_t blocks, uint32_t *columns_out)
{
	uint64_t frames = 0;

	*columns_out = 0;
	while (blocks > 0) {
		struct group_size size = size_for(search, blocks);

		if (size.columns > *columns_out)
			*columns_out = size.columns;
		frames += (UINT64_C(1) << size.size_class) * size.columns;
		blocks -= size_min(blocks, size.data_blocks);
	}
	return frames;
}

/* Blocks of a bare span on the member that has most of them. */
static uint64_t blocks_on_one(const struct map *map, const struct span *span)
{
	uint64_t blocks[MEMBERS_MAX] = { 0 }, most = 0, groups[SPAN_EXTENTS_MAX];
	uint32_t group_count = span_groups(map, span, groups);

	for (uint32_t g = 0; g < group_count; g++) {
		const struct group *group = map_group(map, groups[g]);

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			const struct extent *extent = &group->extents[c];

			blocks[extent->slot] += extent->body_blocks;
			most = size_max(most, blocks[extent->slot]);
		}
	}
	return most;
}

/*
 * Where other software's data fill the members. One more takes a column of the first new groups, and for each other column
 * what makes room for it: a member's part of a span, about as long as this one, and a span's length is not always the same.
 */
static int hint_bare(const struct search *search, const struct span *span, uint64_t share,
		     uint32_t columns, struct err *err)
{
	const struct map *map = search->batch->places->map;
	uint64_t frame = (uint64_t)map->geometry.frame_blocks * BLOCK_SIZE;
	uint64_t moved = size_divide_up(blocks_on_one(map, span), map->geometry.frame_blocks) + 2;
	uint64_t frames = share + 2 * moved * columns;
	uint64_t before = map->members[0].data_offset;

	return err_hint(err,
			"pgctl add ARRAY MEMBER with a member of %" PRIu64
			" bytes or more, or with %u of them; pgctl volume remove of another volume",
			before + frames * frame, columns);
}

static int no_room(const struct search *search, uint32_t number, struct err *err)
{
	const struct places *places = search->batch->places;
	const struct span *span = &search->volume->spans[number];
	uint64_t frame = (uint64_t)places->map->geometry.frame_blocks * BLOCK_SIZE;
	uint32_t columns, members = 0;
	uint64_t needed = frames_needed(search, span_blocks(span), &columns), room = 0;

	assert(columns > 0); /* a span has bytes */
	uint64_t share = size_divide_up(needed, columns);

	/* A member can give no more than its share: no two columns of a group lie on one. */
	for (uint32_t i = 0; i < places->map->member_count; i++) {
		uint32_t slot = places->map->members[i].slot;

		if (!allocate_suits(places, NULL, 0, slot))
			continue;
		members++;
		room += size_min(space_free_frames(places->space, slot), share);
	}
	if (room >= needed) /* free, but not in a row */
		room = needed - 1;
	*err = (struct err){ 0 };
	err_set(err, ERR_NOSPACE,
		"no room for %" PRIu64 " bytes of volume \"%s\" at %" PRIu64
		" in their new groups: %" PRIu64 " bytes more are needed on the %u members",
		span->length, search->volume->name, span->offset, (needed - room) * frame, members);
	if (span_is_bare(places->map, span))
		return hint_bare(search, span, share, columns, err);
	return err_hint(err, "pgctl expand adds members, pgctl volume remove makes room");
}

/* ---- the batch */

/* The run at `first`, or less of it where there is no room for all. *count_out: spans that were taken. */
static int take_run(struct search *search, uint32_t first, uint32_t *count_out, struct err *err)
{
	uint32_t count = choose_run(search, first);

	*count_out = count;
	if (is_done(search, first, count))
		return 0;
	int rc = add_run(search, first, count, err);

	/* Fewer spans make small groups in frames as large: room is made before that, where it can be. */
	while (rc == ERR_NOSPACE && count > 1 && !search->batch->whole) {
		*err = (struct err){ 0 };
		count = count / 2;
		rc = add_run(search, first, count, err);
	}
	*count_out = rc ? 0 : count;
	return rc;
}

static int search_begin(struct search *search, struct err *err)
{
	const struct places *places = search->batch->places;

	search->volume = map_volume(places->map, search->goal->volume);
	assert(search->volume);
	search->columns = allocate_columns(places, search->goal->policy);
	/* Where that is too few, the first allocation says so. */
	if (search->columns < 2u && search->goal->policy->layout != LAYOUT_PLAIN)
		return err_set(err, ERR_TOO_FEW, "%s groups need more members in service",
			       layout_name(search->goal->policy->layout));
	if (search->goal->policy->layout == LAYOUT_PARITY &&
	    search->columns <= search->goal->policy->checks)
		return err_set(err, ERR_TOO_FEW,
			       "parity groups with %u checks need more members than %u",
			       search->goal->policy->checks, search->columns);
	search->full_blocks = size_for(search, UINT32_MAX).data_blocks;
	if (search->full_blocks == 0)
		return err_set(err, ERR_SIZE, "an extent is too small for a group of %u columns",
			       search->columns);
	return 0;
}

int recode_next(struct recode_batch *batch, const struct recode_goal *goal, struct err *err)
{
	struct search search = { .batch = batch, .goal = goal };
	int rc = search_begin(&search, err);
	uint32_t count;

	assert(batch->runs.count == 0 && batch->groups.count == 0);
	for (uint32_t i = 0;
	     !rc && i < search.volume->span_count && batch->blocks < batch->blocks_max;
	     i += count) {
		count = 1;
		if (!is_wanted(&search, i))
			continue;
		rc = take_run(&search, i, &count, err);
		if (rc == ERR_NOSPACE && batch->runs.count > 0) {
			*err = (struct err){ 0 };
			return 0; /* the frames that these free are for the next batch */
		}
		if (rc == ERR_NOSPACE)
			return no_room(&search, i, err);
	}
	return rc;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

int recode_groups(struct recode_id_vec *ids_out, const struct recode_batch *batch,
		  const struct recode_goal *goal)
{
	const struct map *map = batch->places->map;
	const struct volume *volume = map_volume(map, goal->volume);
	size_t kept = 0;

	for (size_t r = 0; r < batch->runs.count; r++) {
		const struct recode_run *run = &batch->runs.at[r];

		for (uint32_t s = run->first; s < run->first + run->count; s++) {
			for (uint32_t i = 0; i < volume->spans[s].extent_count; i++) {
				uint32_t column;

				if (recode_id_vec_push(
					    ids_out,
					    map_extent(map, volume->spans[s].extents[i], &column)
						    ->id))
					return ERR_NOMEM;
			}
		}
	}
	if (ids_out->count > 1)
		qsort(ids_out->at, ids_out->count, sizeof(*ids_out->at), compare_ids);
	for (size_t i = 0; i < ids_out->count; i++) {
		if (kept == 0 || ids_out->at[i] != ids_out->at[kept - 1])
			ids_out->at[kept++] = ids_out->at[i];
	}
	ids_out->count = kept;
	return 0;
}

/* ---- into the map */

static int copy_span(struct volume *to, const struct span *from)
{
	struct span span = *from;

	span.extents = mem_calloc(span.extent_count, sizeof(uint64_t));
	if (!span.extents)
		return ERR_NOMEM;
	memcpy(span.extents, from->extents, span.extent_count * sizeof(uint64_t));
	int rc = map_volume_add_span(to, &span);
	if (rc)
		mem_free(span.extents);
	return rc;
}

/* The volume's spans as they will be, in a volume that has nothing else. */
static int make_spans(struct volume *fresh, const struct volume *volume,
		      const struct recode_batch *batch, size_t runs)
{
	uint32_t at = 0;
	int rc = 0;

	for (size_t r = 0; !rc && r <= runs; r++) {
		const struct recode_run *run = r < runs ? &batch->runs.at[r] : NULL;

		for (; !rc && at < (run ? run->first : volume->span_count); at++)
			rc = copy_span(fresh, &volume->spans[at]);
		for (size_t g = 0; !rc && run && g < run->group_count; g++)
			rc = copy_span(fresh, &batch->groups.at[run->group_first + g].span);
		at += run ? run->count : 0;
	}
	return rc;
}

/* Which of these groups some span of the volume still names. */
static void mark_used(const struct map *map, const struct volume *volume,
		      const struct recode_id_vec *ids, bool *used)
{
	assert(ids->at);
	for (uint32_t s = 0; s < volume->span_count; s++) {
		for (uint32_t i = 0; i < volume->spans[s].extent_count; i++) {
			uint32_t column;
			const struct group *group =
				map_extent(map, volume->spans[s].extents[i], &column);
			const uint64_t *found = group ? bsearch(&group->id, ids->at, ids->count,
								sizeof(*ids->at), compare_ids)
						      : NULL;

			if (found)
				used[found - ids->at] = true;
		}
	}
}

static int remove_unused(struct map *map, const struct volume *volume,
			 const struct recode_id_vec *ids,
			 int (*freed)(void *arg, const struct extent *extent), void *arg)
{
	bool *used = mem_calloc(ids->count, sizeof(*used));
	int rc = used ? 0 : ERR_NOMEM;

	if (!rc)
		mark_used(map, volume, ids, used);
	for (size_t i = 0; !rc && i < ids->count; i++) {
		const struct group *group = map_group(map, ids->at[i]);

		if (used[i])
			continue;
		for (uint32_t c = 0; !rc && c < group->shape.columns; c++)
			rc = freed(arg, &group->extents[c]);
		if (!rc)
			rc = map_remove_group(map, ids->at[i]);
	}
	mem_free(used);
	return rc;
}

/* The volume keeps its place in memory: readers hold it. */
static void swap_spans(struct volume *a, struct volume *b)
{
	struct span *spans = a->spans;
	uint32_t count = a->span_count;

	a->spans = b->spans;
	a->span_count = b->span_count;
	b->spans = spans;
	b->span_count = count;
}

static int put_groups(struct map *map, struct recode_batch *batch, size_t runs)
{
	size_t count = 0;
	int rc = 0;

	for (size_t r = 0; r < runs; r++)
		count += batch->runs.at[r].group_count;
	for (size_t g = 0; g < count; g++) {
		if (rc)
			mem_free(batch->groups.at[g].group);
		else
			rc = map_put_group(map, batch->groups.at[g].group);
		batch->groups.at[g].group = NULL;
	}
	return rc;
}

int recode_apply(struct recode_batch *batch, const struct recode_goal *goal, size_t runs,
		 int (*freed)(void *arg, const struct extent *extent), void *arg)
{
	struct map *map = batch->places->map;
	struct volume *volume = map_volume(map, goal->volume);
	struct volume *fresh = map_volume_create();
	struct recode_id_vec ids = { 0 };
	int rc = fresh ? recode_groups(&ids, batch, goal) : ERR_NOMEM;

	assert(runs <= batch->runs.count);
	if (!rc)
		rc = make_spans(fresh, volume, batch, runs);
	if (!rc)
		rc = put_groups(map, batch, runs);
	if (!rc) {
		swap_spans(volume, fresh);
		rc = map_touch_volume(map, volume->id);
	}
	if (!rc)
		rc = remove_unused(map, volume, &ids, freed, arg);
	if (!rc && map_has_bare(map))
		rc = map_windows_make(map);
	map_volume_free(fresh);
	recode_id_vec_reset(&ids);
	return rc;
}

void recode_reset(struct recode_batch *batch)
{
	drop_groups(batch, 0);
	recode_group_vec_reset(&batch->groups);
	recode_run_vec_reset(&batch->runs);
	batch->blocks = 0;
}

/* ---- long spans */

/* The bare span that comes first, or last, of those that are to be done; false when there is none. */
static bool find_bare(const struct search *search, bool last, uint32_t *number_out)
{
	uint32_t count = search->volume->span_count;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = last ? count - 1 - i : i;

		if (span_is_bare(search->batch->places->map, &search->volume->spans[number]) &&
		    is_wanted(search, number)) {
			*number_out = number;
			return true;
		}
	}
	return false;
}

/* About a batch, in whole periods and whole groups: small ones take frames as large. */
static uint64_t piece_of(const struct search *search, uint64_t period)
{
	uint64_t most = size_min(search->batch->blocks_max, RECODE_RUN_BLOCKS);
	uint64_t whole = search->full_blocks;

	while (whole % period != 0 && whole <= RECODE_RUN_BLOCKS)
		whole += search->full_blocks;
	if (whole > RECODE_RUN_BLOCKS)
		whole = period;
	return size_max(most / whole, 1) * whole;
}

int recode_cut(const struct recode_batch *batch, const struct recode_goal *goal, bool last,
	       bool *cut_out)
{
	struct recode_batch asked = *batch;
	struct search search = { .batch = &asked, .goal = goal };
	struct map *map = batch->places->map;
	struct err ignored = { 0 };
	uint32_t number;

	*cut_out = false;
	if (search_begin(&search, &ignored) || !find_bare(&search, last, &number))
		return 0;
	const struct span *span = &search.volume->spans[number];
	uint64_t period = bands_period(map, span), blocks = span_blocks(span);
	uint64_t piece = piece_of(&search, period);

	if (blocks <= piece + period)
		return 0;
	*cut_out = true;
	return bands_cut_span(map, map_volume(map, goal->volume), number,
			      last ? (blocks - piece) / period * period : piece);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In-place writes: which slices of which groups a byte range addresses. How some slices are written is
 * write_rows.h's business.
 *
 * In a span the blocks of a range lie on each extent in a row. So a write is, in every segment of a group,
 * a run of slices for each data column; it is cut where the set of columns changes, and where it gets too
 * long. What then is written at once has the same columns in all its slices: whole rows where they are whole.
 */
#include "core/array/write_rows.h"

#include "core/array/degrade.h"
#include "core/array/heal.h"
#include "core/array/hold.h"
#include "core/array/span_place.h"
#include "core/array/span_read.h"
#include "core/array/write_behind.h"
#include "core/array/write_finish.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>

#define RUN_SLICES_MAX 256u            /* 1 MiB of each column at a time */
#define SMALL_MAX (UINT64_C(64) << 10) /* with --journal small the record carries such a write */

_Static_assert(RUN_SLICES_MAX <= LOG_ROWS_BLOCKS_MAX, "a record can name a run");

/* Blocks begin..end-1 of a column's body. */
struct reach {
	uint32_t begin, end;
};

/* The blocks of every extent of the span that the range covers. */
static void find_reaches(const struct write_source *source, struct reach *reaches)
{
	const struct span *span = source->span;
	uint64_t block = source->from / BLOCK_SIZE;
	uint64_t end = size_divide_up(source->stop, BLOCK_SIZE);

	for (uint32_t i = 0; i < span->extent_count; i++)
		reaches[i] = (struct reach){ 0, 0 };
	while (block < end) {
		struct span_place place = span_locate(span, source->data_blocks, block);
		struct reach *reach = &reaches[place.position];
		uint32_t count = (uint32_t)size_min(place.run, end - block);

		if (reach->end == 0)
			reach->begin = place.block;
		assert(reach->end == 0 || reach->end == place.block);
		reach->end = place.block + count;
		block += count;
	}
}

/* The part of a reach that lies in slices of `segment`. */
static struct reach in_segment(const struct reach *reach, uint32_t segment, uint32_t blocks)
{
	uint64_t begin = (uint64_t)segment * blocks;
	uint64_t from = size_max(reach->begin, begin), to = size_min(reach->end, begin + blocks);

	if (from >= to)
		return (struct reach){ 0, 0 };
	return (struct reach){ (uint32_t)(from - begin), (uint32_t)(to - begin) };
}

static int write_columns(struct row_writer *writer, const struct write_run *run, struct err *err);

/* A run that may be too long for one piece, or for one record. */
static int write_run(struct row_writer *writer, struct write_run run, struct err *err)
{
	uint32_t step = RUN_SLICES_MAX, end = run.first + run.count;
	int rc = 0;

	while (!rc && run.first < end) {
		struct err why = { 0 };

		run.count = (uint32_t)size_min(step, end - run.first);
		rc = write_rows(writer, &run, &why);
		if (rc == ERR_LIMIT && run.count > 1) {
			step = run.count / 2;
			rc = 0;
			continue;
		}
		if (rc == ERR_LIMIT && (run.columns & (run.columns - 1)))
			rc = write_columns(writer, &run, err);
		else if (rc)
			*err = why;
		run.first += run.count;
	}
	return rc;
}

static uint32_t count_columns(uint32_t columns)
{
	uint32_t count = 0;

	for (; columns; columns &= columns - 1)
		count++;
	return count;
}

/* One slice that is too much for a record: half of its columns, then the others. Bounded: 5 times. */
static int write_columns(struct row_writer *writer, const struct write_run *run, struct err *err)
{
	struct write_run part = *run;

	while (count_columns(part.columns) > count_columns(run->columns) / 2)
		part.columns &= part.columns - 1;
	uint32_t others = run->columns & ~part.columns;
	int rc = write_run(writer, part, err);
	part.columns = others;
	return rc ? rc : write_run(writer, part, err);
}

/* The run that begins at slice run->first: as long as its columns stay the same. */
static void find_run(struct write_run *run, const struct reach *columns, uint32_t count,
		     uint32_t blocks)
{
	uint32_t at = run->first, end = blocks;

	run->columns = 0;
	for (uint32_t c = 0; c < count; c++) {
		struct reach reach = in_segment(&columns[c], run->segment, blocks);

		if (reach.begin > at)
			end = (uint32_t)size_min(end, reach.begin);
		else if (reach.end > at)
			end = (uint32_t)size_min(end, reach.end);
		if (reach.begin <= at && at < reach.end)
			run->columns |= UINT32_C(1) << c;
	}
	run->count = end - at;
}

/* What is written of a segment: runs of slices with the same columns. */
static int write_segment(struct row_writer *writer, const struct reach *columns, uint32_t count,
			 uint32_t segment, struct err *err)
{
	uint32_t blocks = writer->sealed->group->segment_blocks;
	struct write_run run = { .segment = segment };
	int rc = 0;

	for (; !rc && run.first < blocks; run.first += run.count) {
		find_run(&run, columns, count, blocks);
		if (run.columns)
			rc = write_run(writer, run, err);
	}
	return rc;
}

/* What is written of one group, whose data columns reach so far. */
static int write_group(struct row_writer *writer, const struct group *group,
		       const struct reach *columns, struct err *err)
{
	uint32_t data = group_data_columns(group), first = UINT32_MAX, end = 0;
	int rc = seal_cache_hold(writer->array->seal_cache, group->id, &writer->sealed, err);

	if (rc)
		return rc;
	for (uint32_t c = 0; c < data; c++) {
		if (columns[c].begin == columns[c].end)
			continue;
		first = (uint32_t)size_min(first, columns[c].begin / group->segment_blocks);
		end = (uint32_t)size_max(end,
					 size_divide_up(columns[c].end, group->segment_blocks));
	}
	for (uint32_t segment = first; !rc && segment < end; segment++)
		rc = write_segment(writer, columns, data, segment, err);
	seal_cache_release(writer->array->seal_cache, writer->sealed);
	return rc;
}

/* The range within one span: group after group, though usually there is one. */
static int write_span(struct row_writer *writer, struct write_source *source, struct err *err)
{
	const struct span *span = source->span;
	const struct map *map = writer->array->map;
	struct reach reaches[CODE_COLUMNS_MAX];
	uint32_t column, done = 0;
	int rc = 0;

	assert(span->extent_count <= CODE_COLUMNS_MAX);
	source->data_blocks = group_data_blocks(map_extent(map, span->extents[0], &column));
	find_reaches(source, reaches);
	writer->source = source;
	for (uint32_t i = 0; !rc && i < span->extent_count; i++) {
		const struct group *group = map_extent(map, span->extents[i], &column);
		struct reach columns[CODE_COLUMNS_MAX] = { 0 };
		uint32_t positions = 0;

		if (done >> i & 1)
			continue;
		for (uint32_t p = i; p < span->extent_count; p++) {
			if (map_extent(map, span->extents[p], &column) != group)
				continue;
			columns[column] = reaches[p];
			source->positions[column] = p;
			positions |= reaches[p].end ? UINT32_C(1) << p : 0;
			done |= UINT32_C(1) << p;
		}
		if (positions)
			rc = write_group(writer, group, columns, err);
	}
	return rc;
}

static int check_range(const struct volume *volume, uint64_t offset, uint64_t length,
		       struct err *err)
{
	uint64_t end;

	if (size_add(offset, length, &end) && end <= volume->length)
		return 0;
	return err_set(err, ERR_SIZE,
		       "volume \"%s\" has %" PRIu64 " bytes, asked to write %" PRIu64
		       " at %" PRIu64,
		       volume->name, volume->length, length, offset);
}

/* What array_write() was asked for. */
struct write_range {
	const struct volume *volume;
	uint64_t offset, length;
	const uint8_t *bytes;
};

/* The span that byte `offset` of a volume lies in. */
static const struct span *find_span(const struct volume *volume, uint64_t offset)
{
	uint32_t low = 0, high = volume->span_count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (volume->spans[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	assert(volume->spans[low].offset <= offset);
	assert(offset - volume->spans[low].offset < volume->spans[low].length);
	return &volume->spans[low];
}

static void name_groups(const struct map *map, const struct span *span, struct hold_entry *entry)
{
	entry->count = 0;
	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column;
		uint64_t id = map_extent(map, span->extents[i], &column)->id;

		if (entry->count == 0 || entry->groups[entry->count - 1] != id)
			entry->groups[entry->count++] = id;
	}
}

/* The part of the range behind `done` that lies in one span; nothing where a job holds its groups: look again. */
static int write_some(struct row_writer *writer, const struct write_range *range, uint64_t *done,
		      struct err *err)
{
	struct array *array = writer->array;
	const struct policy *policy = &range->volume->policy;
	uint64_t offset = range->offset + *done;
	struct hold_entry entry;

	hold_share(array);
	const struct span *span = find_span(range->volume, offset);
	struct write_source source = { .volume = range->volume, .span = span };

	name_groups(array->map, span, &entry);
	if (!hold_enter(array, &entry))
		return 0;
	/* Groups of a commit that failed are in no map on disk: what is written to them would be gone. */
	int rc = write_state_begin(array, err);
	source.from = offset - span->offset;
	source.stop = size_min(range->offset + range->length - span->offset, span->length);
	source.bytes = range->bytes + *done;
	writer->generations_ahead = policy->journal == JOURNAL_NONE ? WRITES_UNNAMED_MAX : 1;
	writer->content_wanted = policy->journal == JOURNAL_SMALL && range->length <= SMALL_MAX;
	if (!rc)
		rc = write_span(writer, &source, err);
	*done += source.stop - source.from;
	if (writer->heal->count > 0)
		writer->result->healed += heal_run(array, writer->heal);
	writer->heal->count = 0;
	hold_leave(array, &entry);
	hold_unshare(array);
	return rc;
}

int array_write(struct array *array, const struct volume *volume, uint64_t offset,
		const void *bytes, uint64_t length, struct array_write_result *result,
		struct err *err)
{
	const struct write_range range = { volume, offset, length, bytes };
	struct heal_list heal = { 0 };
	struct row_writer *writer;
	int rc;

	assert(array->access == ARRAY_WRITE);
	*result = (struct array_write_result){ 0 };
	rc = array_need_sealed_volume(array, volume, err);
	if (!rc)
		rc = check_range(volume, offset, length, err);
	if (!rc)
		rc = write_state_begin(array, err);
	if (rc)
		return rc;
	writer = row_writer_create(array, result);
	if (!writer)
		return err_set(err, ERR_NOMEM, "no memory to write to a volume");
	writer->heal = &heal;
	for (uint64_t done = 0; !rc && done < length;)
		rc = write_some(writer, &range, &done, err);
	row_writer_free(writer);
	write_state_tidy(array);
	return rc;
}

int array_trust_log(struct array *array, struct err *err)
{
	if (!array->recovery.suspect)
		return 0;
	array->recovery.suspect = false;
	if (array->access == ARRAY_READ)
		return 0;
	int rc = write_state_begin(array, err);
	if (rc)
		return rc;
	env_lock(array->env, &array->change);
	array_tell_log(array); /* so that there is something to say */
	env_unlock(array->env, &array->change);
	return intent_log_flush(array->log, true, err);
}

int array_write_settle(struct array *array, struct err *err)
{
	struct intent_log_state state;

	if (!array->write)
		return 0;
	env_lock(array->env, &array->change);
	struct intent_log *log = array->log;
	env_unlock(array->env, &array->change);
	if (!log)
		return 0;
	int rc = write_behind_drain(array, err);
	if (!rc)
		rc = write_finish_halves(array, &(struct half_place){ .count = 0 }, err);
	if (!rc)
		rc = seal_cache_checkpoint(array->seal_cache, log, err);
	if (rc)
		return rc;
	intent_log_state(log, &state);
	if (state.generation > 0) /* of this session */
		rc = intent_log_flush(log, true, err);
	if (!rc)
		seal_cache_forget_all(array->seal_cache);
	return rc;
}

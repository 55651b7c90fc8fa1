/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recovery: pages first, since seals judge everything else; then the slices that are named, group by group;
 * then their seals through a log of its own, and an empty record.
 *
 * A record may have come no further than one member before the crash. So it is written again, to as many as any
 * record, before anything it names is changed: else the member could be lost with it now. It stands until
 * all is in place, and whatever was written is written again by a second run.
 */
#include "core/array/recover.h"

#include "core/array/degrade.h"
#include "core/array/io_role.h"
#include "core/array/recover_slice.h"
#include "core/array/recover_window.h"
#include "core/array/seal_cache.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "core/dev/devices.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PATCH_BYTES_MAX (UINT64_C(256) << 20) /* of each member, when nothing may be written */
#define DIRTY_PAGES_MAX 4096u                 /* 16 MiB of late seals, then a checkpoint */
#define AGAIN 1 /* a member failed and was taken out: begin again without it */

VEC_DEFINE(name_vec, struct slice_name);
VEC_DEFINE(group_vec, uint64_t);

struct recovery {
	struct array *array;
	struct log_found *found;
	struct array_recovery report;
	struct name_vec names;            /* every slice that a valid entry names */
	struct group_vec groups;          /* that entries or pages name, ascending */
	bool *valid;                      /* per entry of the record */
	struct log_intent **row_intents;  /* the same; NULL where not declared */
	struct log_intent **page_intents; /* per page of the record */
	bool *page_valid;
	bool wrote[MEMBERS_MAX]; /* since the last flush */
	struct rows rows;
};

static uint64_t slot_size_of(const struct array *array)
{
	return array->map->geometry.log_size / LOG_SLOTS / BLOCK_SIZE * BLOCK_SIZE;
}

/* ---- members that may not be written, and members that fail */

static int patch_members(struct array *array, struct err *err)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		struct array_member *place = &array->members[slot];

		if (!array_member_usable(array, slot))
			continue;
		int rc = dev_patch_open(&place->dev, place->dev, PATCH_BYTES_MAX);
		if (rc)
			return err_set(err, rc, "no memory to recover");
	}
	return 0;
}

/* The caller of array_open() keeps the devices when it fails: give back what they were. */
static void unpatch_members(struct array *array, struct dev *const *devs)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		struct dev *patch = array->members[slot].dev;

		if (patch == devs[slot])
			continue;
		array->members[slot].dev = devs[slot];
		patch->ops->close(patch); /* this layer alone */
	}
}

static int member_failed(void *arg, uint32_t slot, int code, struct err *err)
{
	struct array *array = arg;

	if (array->access == ARRAY_WRITE)
		return array_member_failed(array, slot, code, err);
	return err_set(err, code, "recovery in memory failed on member %u", slot);
}

/* What a write or flush that failed means for the run. */
static int write_failed(struct recovery *work, uint32_t slot, int code, struct err *err)
{
	if (code == ERR_NOSPACE)
		return err_set(err, code, "recovery needs room on member %u (%s)", slot,
			       dev_name(array_dev(work->array, slot)));
	int rc = member_failed(work->array, slot, code, err);
	return rc ? rc : AGAIN;
}

static int flush_written(struct recovery *work, struct err *err)
{
	struct io ios[MEMBERS_MAX];
	uint32_t slots[MEMBERS_MAX], count = 0;

	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (!work->wrote[slot])
			continue;
		ios[count] = (struct io){ .dev = array_dev(work->array, slot), .op = IO_FLUSH };
		slots[count++] = slot;
		work->wrote[slot] = false;
	}
	if (count == 0 || io_run(ios, count) == 0)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		/* A flush that failed is final, whatever it says. */
		if (ios[i].result)
			return write_failed(work, slots[i], ERR_IO, err);
	}
	return 0;
}

/* ---- what the record names */

static int compare_names(const void *a, const void *b)
{
	const struct slice_name *left = a, *right = b;

	if (left->group != right->group)
		return left->group < right->group ? -1 : 1;
	if (left->slice != right->slice)
		return left->slice < right->slice ? -1 : 1;
	if (left->part != right->part)
		return left->part < right->part ? -1 : 1;
	return left->generation < right->generation ? -1 : left->generation > right->generation;
}

static int compare_groups(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static int add_names(struct recovery *work, const struct rows *rows, struct log_rows *entry)
{
	const uint32_t part = slice_part(rows, entry);

	for (uint32_t slice = entry->first; slice < entry->first + entry->count; slice++) {
		const struct slice_name name = { .rows = entry,
						 .group = entry->group,
						 .slice = slice,
						 .part = part,
						 .generation = slice_generation(entry, slice) };

		if (name_vec_push(&work->names, name))
			return ERR_NOMEM;
	}
	return group_vec_push(&work->groups, entry->group);
}

/*
 * An entry is believed as far as it fits the map (FAULTS E-4): group, segment, slices, and the cells that its
 * columns touch. Only the code is needed of `rows`, which is made as if to read the group.
 */
static int check_entry(struct recovery *work, uint32_t index, struct code **code)
{
	struct log_rows *entry = &work->found->record.rows[index];
	const struct group *group = map_group(work->array->map, entry->group);
	struct err ignored = { 0 };
	int rc = 0;

	work->valid[index] = false;
	if (!group || group_is_bare(group)) /* nobody writes those with a log */
		return 0;
	if (!*code || !code_shape_equal(code_shape(*code), &group->shape)) {
		code_free(*code);
		*code = NULL;
		rc = code_create(code, &group->shape, &ignored);
	}
	if (rc)
		return rc;
	const struct rows rows = { .code = *code,
				   .group = group,
				   .columns = group->shape.columns,
				   .segments = code_segment_count(*code),
				   .segment_blocks = group->segment_blocks };
	if (!slice_entry_fits(&rows, entry))
		return 0;
	work->valid[index] = true;
	work->report.entries++;
	return add_names(work, &rows, entry);
}

/* A page image must be one, of that page of that seal. */
static int check_page(struct recovery *work, uint32_t index)
{
	const struct log_page *page = &work->found->record.pages[index];
	const struct map *map = work->array->map;
	struct seal image = { 0 };
	uint32_t column;
	const struct group *group = map_extent(map, page->extent, &column);

	if (!group || group_is_bare(group))
		return 0;
	if (seal_init(&image, &map->uuid, group, column))
		return ERR_NOMEM;
	if (page->page < seal_entry_pages(&image.shape)) {
		seal_decode_page(&image, page->page, page->content);
		work->page_valid[index] = image.page_good[page->page];
	}
	seal_reset(&image);
	return work->page_valid[index] ? group_vec_push(&work->groups, group->id) : 0;
}

static int check_entries(struct recovery *work)
{
	const struct log_record *record = &work->found->record;
	struct code *code = NULL;
	int rc = 0;

	work->valid = mem_calloc(record->rows_count, sizeof(*work->valid));
	work->page_valid = mem_calloc(record->pages_count, sizeof(*work->page_valid));
	work->row_intents = mem_calloc(record->rows_count, sizeof(*work->row_intents));
	work->page_intents = mem_calloc(record->pages_count, sizeof(*work->page_intents));
	if (!work->valid || !work->page_valid || !work->row_intents || !work->page_intents)
		return ERR_NOMEM;
	for (uint32_t i = 0; !rc && i < record->rows_count; i++) {
		rc = check_entry(work, i, &code);
		work->report.ignored += !work->valid[i];
	}
	code_free(code);
	for (uint32_t i = 0; !rc && i < record->pages_count; i++) {
		rc = check_page(work, i);
		work->report.ignored += !work->page_valid[i];
	}
	if (work->names.count > 0)
		qsort(work->names.at, work->names.count, sizeof(*work->names.at), compare_names);
	if (work->groups.count > 0)
		qsort(work->groups.at, work->groups.count, sizeof(*work->groups.at),
		      compare_groups);
	return rc;
}

/* ---- page images */

static bool has_later_entry(const struct seal *there, const struct seal *image, uint32_t page)
{
	uint32_t first, count;

	seal_page_blocks(&there->shape, page, &first, &count);
	for (uint32_t b = first; b < first + count; b++) {
		if ((int32_t)(there->entries[b].generation - image->entries[b].generation) > 0)
			return true;
	}
	return false;
}

/* Write the image unless the page that is there is newer, or is the same. */
static int replay_page(struct recovery *work, const struct log_page *page,
		       const struct extent *extent, struct seal *image, struct seal *there,
		       uint8_t *block, struct err *err)
{
	struct dev *dev = array_dev(work->array, extent->slot);
	enum io_role role = io_role_of_seal(&image->shape);
	uint64_t offset = extent_seal_offset(work->array->map, extent) +
			  (uint64_t)(page->page + 1) * BLOCK_SIZE;

	work->report.bytes_read += BLOCK_SIZE;
	if (io_read(dev, role, offset, block, BLOCK_SIZE) == 0) {
		seal_decode_page(there, page->page, block);
		if (memcmp(block, page->content, BLOCK_SIZE) == 0 ||
		    (there->page_good[page->page] && has_later_entry(there, image, page->page)))
			return 0;
	}
	memcpy(block, page->content, BLOCK_SIZE);
	int rc = io_write(dev, role, offset, block, BLOCK_SIZE);
	if (rc)
		return write_failed(work, extent->slot, rc, err);
	work->wrote[extent->slot] = true;
	work->report.replayed++;
	work->report.bytes_written += BLOCK_SIZE;
	return 0;
}

static int recover_page(struct recovery *work, const struct log_page *page, uint8_t *block,
			struct err *err)
{
	struct array *array = work->array;
	struct seal image = { 0 }, there = { 0 };
	uint32_t column;
	const struct group *group = map_extent(array->map, page->extent, &column);
	int rc = 0;

	assert(group); /* check_page() saw to it */
	if (!array_extent_usable(array, &group->extents[column]))
		return 0;
	if (seal_init(&image, &array->map->uuid, group, column) ||
	    seal_init(&there, &array->map->uuid, group, column))
		rc = err_set(err, ERR_NOMEM, "no memory to recover");
	if (!rc) {
		seal_decode_page(&image, page->page, page->content);
		rc = replay_page(work, page, &group->extents[column], &image, &there, block, err);
	}
	seal_reset(&image);
	seal_reset(&there);
	return rc;
}

static int recover_pages(struct recovery *work, struct err *err)
{
	const struct log_record *record = &work->found->record;
	uint8_t *block = mem_pages(BLOCK_SIZE);
	int rc = block ? 0 : err_set(err, ERR_NOMEM, "no memory to recover");

	for (uint32_t i = 0; !rc && i < record->pages_count; i++) {
		if (work->page_valid[i])
			rc = recover_page(work, &record->pages[i], block, err);
	}
	mem_pages_free(block);
	return rc ? rc : flush_written(work, err);
}

/* ---- rows */

/* How many names from `at` on are of the same slice and part. */
static size_t same_slice(const struct name_vec *names, size_t at)
{
	size_t end = at + 1;

	while (end < names->count && names->at[end].group == names->at[at].group &&
	       names->at[end].slice == names->at[at].slice &&
	       names->at[end].part == names->at[at].part)
		end++;
	return end - at;
}

/* All slices that names first..end-1 name, in the window. */
static int recover_slices(struct recovery *work, struct slice_work *slices, size_t first,
			  size_t end, bool *changed)
{
	int rc = 0;

	for (size_t at = first; !rc && at < end;) {
		const struct slice_request request = {
			.rows = &work->rows,
			.names = &work->names.at[at],
			.name_count = (uint32_t)same_slice(&work->names, at),
			.report = &work->report,
			.changed = changed,
		};

		rc = slice_recover(slices, &request);
		work->report.rows++;
		at += request.name_count;
	}
	return rc;
}

static int recover_window(struct recovery *work, struct slice_work *slices, size_t first,
			  size_t end, struct err *err)
{
	const struct rows *rows = &work->rows;
	const struct group *group = rows->group;
	bool wrote[CODE_COLUMNS_MAX] = { false };
	uint32_t column = MEMBER_NONE;
	size_t blocks = (size_t)rows->columns * rows->segments * rows->slices_max;
	bool *changed = mem_calloc(blocks, sizeof(*changed));
	int rc = changed ? 0 : ERR_NOMEM;

	if (!rc)
		rc = recover_window_read(&work->rows, &work->names.at[first], end - first);
	if (!rc)
		rc = recover_slices(work, slices, first, end, changed);
	if (!rc)
		rc = recover_window_write(rows, changed, wrote, &column);
	mem_free(changed);
	if (rc)
		return column == MEMBER_NONE
			       ? err_set(err, rc, "no memory to recover")
			       : write_failed(work, group->extents[column].slot, rc, err);
	for (uint32_t c = 0; c < rows->columns; c++)
		work->wrote[group->extents[c].slot] |= wrote[c];
	return 0;
}

/*
 * Names first..end-1, all of one group, window by window. Each costs one batch of reads and one of writes, so a
 * window has as many names as lie in its reach, also where they are scattered.
 */
static int recover_group(struct recovery *work, size_t first, size_t end, struct err *err)
{
	struct array *array = work->array;
	const struct group *group = map_group(array->map, work->names.at[first].group);
	const struct slice_name *names = work->names.at;
	struct slice_work *slices = NULL;
	uint32_t window = recover_window_slices(array, group, &names[first], end - first);
	int rc = rows_open(&work->rows, array, group, 0, window, ROWS_TAILS_FIRST, err);

	if (rc)
		return rc;
	rc = slice_work_create(&slices, &work->rows);
	if (rc)
		err_set(err, rc, "no memory to recover");
	while (!rc && first < end) {
		size_t next = first + 1;

		while (next < end && names[next].slice - names[first].slice < work->rows.slices_max)
			next++;
		rc = recover_window(work, slices, first, next, err);
		first = next;
	}
	work->report.bytes_read += work->rows.bytes_read;
	slice_work_free(slices);
	rows_close(&work->rows);
	return rc;
}

static int recover_rows(struct recovery *work, struct err *err)
{
	int rc = 0;

	for (size_t first = 0, end; !rc && first < work->names.count; first = end) {
		end = first + 1;
		while (end < work->names.count &&
		       work->names.at[end].group == work->names.at[first].group)
			end++;
		rc = recover_group(work, first, end, err);
	}
	return rc ? rc : flush_written(work, err);
}

/* ---- seals, and the end of the old record */

static void set_limit(struct log_rows *rows)
{
	uint32_t greatest = 0;

	for (size_t i = 0; i < (size_t)rows->count * rows->cell_count; i++)
		greatest = (uint32_t)size_max(greatest, rows->cells[i].generation);
	rows->generation_limit = greatest + 1;
	rows->content = NULL; /* it is in place and flushed */
	rows->done = true;
}

static int compare_entries(const void *a, const void *b)
{
	const struct log_rows *left = *(const struct log_rows *const *)a;
	const struct log_rows *right = *(const struct log_rows *const *)b;

	if (left->group != right->group)
		return left->group < right->group ? -1 : 1;
	return left->generation_limit < right->generation_limit
		       ? -1
		       : left->generation_limit > right->generation_limit;
}

static int seal_rows(struct recovery *work, struct seal_cache *cache, const struct log_rows *rows,
		     struct log_intent *intent, struct err *err)
{
	struct sealed_group *sealed = NULL;
	struct late *late = seal_late_create(rows->cell_count, rows->count);
	int rc = late ? seal_cache_hold(cache, rows->group, &sealed, err)
		      : err_set(err, ERR_NOMEM, "no memory to recover");

	if (rc) {
		seal_late_free(late);
		return rc;
	}
	seal_cache_set(cache, sealed, rows, late, intent);
	seal_cache_release(cache, sealed);
	if (seal_cache_dirty(cache) > DIRTY_PAGES_MAX)
		rc = seal_cache_checkpoint(cache, work->array->log, err);
	return rc;
}

/* Seals of all entries, group by group, older before newer; then what is late goes to its place. */
static int seal_all(struct recovery *work, struct seal_cache *cache, struct err *err)
{
	struct log_record *record = &work->found->record;
	struct log_rows **order = mem_calloc(record->rows_count, sizeof(struct log_rows *));
	uint32_t count = 0;
	int rc = order ? 0 : err_set(err, ERR_NOMEM, "no memory to recover");

	for (uint32_t i = 0; !rc && i < record->rows_count; i++) {
		if (work->valid[i])
			order[count++] = &record->rows[i];
	}
	if (count > 0)
		qsort(order, count, sizeof(struct log_rows *), compare_entries);
	for (uint32_t i = 0; !rc && i < count; i++)
		rc = seal_rows(work, cache, order[i], work->row_intents[order[i] - record->rows],
			       err);
	if (!rc)
		rc = seal_cache_checkpoint(cache, work->array->log, err);
	mem_free(order);
	return rc;
}

/* Name in the new log what the record names, as far as it is believed. */
static int declare_all(struct recovery *work, struct err *err)
{
	const struct log_record *record = &work->found->record;
	bool covered;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < record->rows_count; i++) {
		if (work->valid[i])
			rc = intent_log_declare(work->array->log, &record->rows[i],
						&work->row_intents[i], &covered);
	}
	for (uint32_t i = 0; !rc && i < record->pages_count; i++) {
		if (work->page_valid[i])
			rc = intent_log_declare_page(work->array->log, &record->pages[i],
						     &work->page_intents[i]);
	}
	return rc ? err_set(err, rc, "the rows of the intent log cannot be named again") : 0;
}

/* Without a record in between: what was to be done is done, now the rows are as they say themselves. */
static int declare_anew(struct recovery *work, struct err *err)
{
	struct log_record *record = &work->found->record;

	for (uint32_t i = 0; i < record->rows_count; i++) {
		if (!work->valid[i])
			continue;
		intent_log_clean(work->array->log, work->row_intents[i]);
		set_limit(&record->rows[i]);
	}
	for (uint32_t i = 0; i < record->pages_count; i++) {
		if (work->page_valid[i])
			intent_log_clean(work->array->log, work->page_intents[i]);
		work->page_valid[i] = false;
	}
	return declare_all(work, err);
}

static int open_log(struct recovery *work, struct err *err)
{
	struct array *array = work->array;
	struct intent_log_config config = {
		.env = array->env,
		.array = array->map->uuid,
		.slot_size = slot_size_of(array),
		.generation = work->found->generation_seen,
		.suspect = &work->report.suspect,
		.member_failed = member_failed,
		.arg = array,
	};

	for (uint32_t i = 0; i < array->map->group_count; i++)
		config.tolerance = (uint32_t)size_max(config.tolerance,
						      group_tolerance(array->map->groups[i]));
	int rc = intent_log_create(&array->log, &config, err);
	if (!rc)
		array_tell_log(array);
	return rc;
}

static void close_log(struct array *array)
{
	struct intent_log_state state;

	if (!array->log)
		return;
	intent_log_state(array->log, &state);
	array->log_generation_seen = size_max(array->log_generation_seen, state.generation);
	intent_log_free(array->log);
	array->log = NULL;
}

static int finish(struct recovery *work, struct err *err)
{
	struct seal_cache *cache = NULL;
	int rc = declare_anew(work, err);

	if (!rc && seal_cache_create(&cache, work->array))
		rc = err_set(err, ERR_NOMEM, "no memory to recover");
	if (!rc)
		rc = seal_all(work, cache, err);
	if (!rc)
		rc = intent_log_flush(work->array->log, true, err);
	seal_cache_free(cache);
	return rc;
}

/* ---- all of it */

static int recover_record(struct recovery *work, struct err *err)
{
	struct array *array = work->array;
	int rc = check_entries(work);

	if (rc)
		return err_set(err, rc, "no memory to recover");
	rc = array_check_named(array, work->groups.at, work->groups.count, err);
	if (rc)
		return rc;
	rc = open_log(work, err);
	if (!rc)
		rc = declare_all(work, err);
	if (!rc && array->access == ARRAY_WRITE)
		rc = intent_log_flush(array->log, false, err);
	if (!rc && array->access == ARRAY_WRITE)
		rc = array_mark_missed_all(array, work->groups.at, work->groups.count, err);
	if (!rc)
		rc = recover_pages(work, err);
	if (!rc)
		rc = recover_rows(work, err);
	return rc ? rc : finish(work, err);
}

static int recover_once(struct array *array, struct err *err)
{
	struct log_member members[MEMBERS_MAX];
	struct recovery work = { .array = array, .found = mem_calloc(1, sizeof(struct log_found)) };
	int rc;

	if (!work.found)
		return err_set(err, ERR_NOMEM, "no memory to recover");
	rc = intent_log_read(work.found, members, array_log_members(array, members),
			     &array->map->uuid, slot_size_of(array), err);
	if (!rc) {
		const struct log_record *record = &work.found->record;

		array->log_generation_seen = work.found->generation_seen;
		work.report.generation = record->generation;
		work.report.suspect = work.found->suspect || record->suspect;
		if (record->rows_count > 0 || record->pages_count > 0)
			rc = recover_record(&work, err);
		/* What older ones name may have another shape by the time that they count again. */
		else if (work.found->lagging && array->access == ARRAY_WRITE &&
			 !(rc = open_log(&work, err)))
			rc = intent_log_flush(array->log, true, err);
		close_log(array);
		log_found_reset(work.found);
	}
	if (!rc)
		array->recovery = work.report;
	mem_free(work.found);
	name_vec_reset(&work.names);
	group_vec_reset(&work.groups);
	mem_free(work.valid);
	mem_free(work.page_valid);
	mem_free(work.row_intents);
	mem_free(work.page_intents);
	rows_free(&work.rows);
	return rc;
}

/*
 * The others began an epoch without these members, after they had recovered what their own logs say. A record that
 * such a member still has is of a past that was decided otherwise: it is not read, and must not come back when
 * the member does. One that cannot be wiped stays away.
 */
static void wipe_logs_of_absentees(struct array *array)
{
	struct member_set present = array->map->epochs[array->map->epoch_count - 1].present;

	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		struct array_member *place = &array->members[slot];

		if (!place->dev || place->presence > PRESENT_STALE || member_set_has(present, slot))
			continue;
		if (array_wipe_log(place->dev, place->regions.log_offset, slot_size_of(array)))
			place->presence = ABSENT_BROKEN;
	}
}

int array_recover(struct array *array, struct err *err)
{
	struct dev *devs[MEMBERS_MAX];
	int rc = 0;

	if (slot_size_of(array) == 0)
		return 0;
	if (array->access == ARRAY_WRITE)
		wipe_logs_of_absentees(array);
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++)
		devs[slot] = array->members[slot].dev;
	if (array->access == ARRAY_READ)
		rc = patch_members(array, err);
	if (!rc)
		rc = AGAIN;
	/* Each time a member was taken out, so it ends. */
	for (uint32_t tries = 0; rc == AGAIN && tries <= MEMBERS_MAX; tries++)
		rc = recover_once(array, err);
	assert(rc != AGAIN);
	bool untouched = array->recovery.entries == 0 && array->recovery.replayed == 0;
	if (rc || (array->access == ARRAY_READ && untouched))
		unpatch_members(array, devs);
	return rc;
}

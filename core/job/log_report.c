/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/log_report.h"

#include "core/array/array_internal.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/address.h"
#include "core/store/intent_log.h"
#include "core/store/seal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Read every copy on all members that are there. Release with log_found_reset(). */
static int found_read(struct log_found *found_out, struct array *array, struct err *err)
{
	struct log_member members[MEMBERS_MAX];
	uint32_t count = 0;

	if (array_need_native(array, err))
		return err->code;
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		const struct array_member *member = &array->members[slot];

		if (!member->dev || member->presence > PRESENT_STALE)
			continue;
		members[count++] = (struct log_member){
			.dev = member->dev,
			.slot = slot,
			.offset = member->regions.log_offset,
		};
	}
	uint64_t slot_size = array->map->geometry.log_size / LOG_SLOTS;
	const struct uuid *uuid = &array->map->uuid;
	int rc = intent_log_read(found_out, members, count, uuid, slot_size, err);

	if (rc)
		return rc;
	rc = intent_log_read_rest(found_out, members, count, uuid, slot_size, err);
	if (rc)
		log_found_reset(found_out);
	return rc;
}

/* ---- show */

static struct log_report_entry entry_of(const struct map *map, const struct log_rows *rows)
{
	const struct volume *volume = map_volume(map, rows->volume);
	const struct group *group = map_group(map, rows->group);
	bool by_segment = group && group->shape.layout == LAYOUT_SEQUENTIAL;

	return (struct log_report_entry){
		.volume = rows->volume,
		.name = volume ? volume->name : NULL,
		.group = rows->group,
		.row = by_segment ? rows->segment : rows->first,
		.rows = by_segment ? 1 : rows->count,
		.first = rows->first,
		.count = rows->count,
		.segment = rows->segment,
		.columns = rows->columns,
		.payload =
			rows->content ? (uint64_t)rows->count * rows->cell_count * BLOCK_SIZE : 0,
	};
}

static void copies_fill(struct log_report *report, const struct log_found *found)
{
	for (uint32_t i = 0; i < found->copy_count; i++) {
		const struct log_copy *copy = &found->copies[i];

		report->copies[i] = (struct log_report_copy){
			.member = copy->member,
			.slot = copy->slot,
			.generation = copy->header ? copy->generation : 0,
			.epoch = copy->header ? copy->epoch : 0,
			.valid = copy->valid,
			.torn = !copy->valid && copy->code != ERR_NOT_FOUND,
			.code = copy->code,
		};
		report->copies_valid += copy->valid && found->record.generation &&
					copy->generation == found->record.generation;
	}
	report->copy_count = found->copy_count;
}

static void record_fill(struct log_report *report, const struct map *map,
			const struct log_record *record)
{
	for (uint32_t i = 0; i < record->rows_count; i++)
		report->entries[i] = entry_of(map, &record->rows[i]);
	for (uint32_t i = 0; i < record->pages_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, record->pages[i].extent, &column);

		report->pages[i] = (struct log_report_page){
			.extent = record->pages[i].extent,
			.group = group ? group->id : 0,
			.page = record->pages[i].page,
		};
	}
	report->entry_count = record->rows_count;
	report->page_count = record->pages_count;
}

int log_report_read(struct log_report *report_out, struct array *array, struct err *err)
{
	struct log_found *found = mem_calloc(1, sizeof(*found));
	struct log_report report = { 0 };
	int rc = found ? found_read(found, array, err)
		       : err_set(err, ERR_NOMEM, "no memory to read the log");

	if (rc)
		goto out_free;
	report = (struct log_report){
		.generation = found->record.generation,
		.epoch = found->record.epoch,
		.written_s = found->record.written_s,
		.generation_seen = found->generation_seen,
		.suspect = found->suspect || found->record.suspect,
		.torn = found->torn,
		.copies_expected = found->record.copies,
		.copies = mem_calloc((size_t)found->copy_count + 1, sizeof(*report.copies)),
		.entries =
			mem_calloc((size_t)found->record.rows_count + 1, sizeof(*report.entries)),
		.pages = mem_calloc((size_t)found->record.pages_count + 1, sizeof(*report.pages)),
	};
	if (report.copies && report.entries && report.pages) {
		copies_fill(&report, found);
		record_fill(&report, array->map, &found->record);
		*report_out = report;
	} else {
		rc = err_set(err, ERR_NOMEM, "no memory to read the log");
		log_report_reset(&report);
	}
	log_found_reset(found);

out_free:
	mem_free(found);
	return rc;
}

void log_report_reset(struct log_report *report)
{
	mem_free(report->copies);
	mem_free(report->entries);
	mem_free(report->pages);
	*report = (struct log_report){ 0 };
}

/* ---- check */

struct check {
	const struct array *array;
	const struct map *map;
	void (*found)(void *arg, const char *text);
	void *arg;
	uint64_t count;
};

PRINTF_LIKE(2, 3)
static void complain(struct check *check, const char *format, ...)
{
	va_list args;
	char line[300];

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	check->count++;
	if (check->found)
		check->found(check->arg, line);
}

static void check_copies(struct check *check, const struct log_found *found)
{
	if (found->suspect)
		complain(check,
			 "a record newer than generation %" PRIu64
			 " is damaged on every member that is there",
			 found->record.generation);
	else if (found->record.suspect)
		complain(check,
			 "a record before generation %" PRIu64
			 " was damaged on every member, and nothing was checked since",
			 found->record.generation);
	for (uint32_t i = 0; i < found->copy_count; i++) {
		const struct log_copy *copy = &found->copies[i];

		if (copy->code == ERR_FORMAT)
			complain(check,
				 "member %u: slot %u holds a record that verifies and breaks the "
				 "format, or belongs into the other slot",
				 copy->member, copy->slot);
	}
}

/* Copies lie where the generation says, so that those of the next one lie elsewhere. */
static void check_places(struct check *check, const struct log_found *found)
{
	const struct log_record *record = &found->record;
	uint32_t members = member_set_count(record->in_service);

	if (record->generation == 0)
		return;
	if (record->copies < members &&
	    record->first_place !=
		    log_first_place(record->generation, record->copies_usual, members))
		complain(check,
			 "generation %" PRIu64 " begins at place %u of %u, which is not its own",
			 record->generation, record->first_place, members);
	for (uint32_t i = 0; i < found->copy_count; i++) {
		const struct log_copy *copy = &found->copies[i];

		if (copy->valid && copy->generation == record->generation &&
		    !log_record_meant_for(record, copy->member))
			complain(check, "member %u holds generation %" PRIu64 ", not meant for it",
				 copy->member, copy->generation);
	}
}

/* The cells of a slice in the order of the record: columns written, then their checks; false: too many. */
static bool cells_of(uint16_t cells_out[static LOG_CELLS_MAX], uint32_t *count_out,
		     const struct code *code, const struct log_rows *rows)
{
	uint16_t segments = code_segment_count(code), checks[CODE_COLUMNS_MAX];
	bool wanted[CODE_CELLS_MAX] = { false };
	uint32_t count = 0;

	for (uint32_t column = 0; column < code_data_columns(code); column++) {
		uint16_t cell = (uint16_t)(column * segments + rows->segment);

		if (!(rows->columns >> column & 1))
			continue;
		cells_out[count++] = cell;
		for (uint16_t i = code_closure(code, cell, checks, CODE_COLUMNS_MAX); i > 0; i--)
			wanted[checks[i - 1]] = true;
	}
	for (uint16_t cell = 0; cell < code_cell_count(code); cell++) {
		if (!wanted[cell])
			continue;
		if (count == LOG_CELLS_MAX)
			return false;
		cells_out[count++] = cell;
	}
	*count_out = count;
	return true;
}

/* A cell that cannot be written need not be known: what stands for it is not used. */
static void check_content(struct check *check, const struct log_rows *rows,
			  const struct group *group, const uint16_t *cells, uint32_t number,
			  uint16_t segments)
{
	const uint8_t *content = rows->content;

	for (uint32_t i = 0; content && i < rows->count * rows->cell_count; i++) {
		uint16_t cell = cells[i % rows->cell_count];
		uint32_t block = cell % segments * group->segment_blocks + rows->first +
				 i / rows->cell_count;
		uint32_t seed =
			seal_extent_seed(&check->map->uuid, group->extents[cell / segments].id);

		if (array_extent_usable(check->array, &group->extents[cell / segments]) &&
		    crc32_of(seal_block_seed(seed, block), content, BLOCK_SIZE) !=
			    rows->cells[i].crc)
			complain(check,
				 "entry %u: the content of block %u of column %u does not match "
				 "its checksum",
				 number, block, cell / segments);
		content += BLOCK_SIZE;
	}
}

static void check_closure(struct check *check, const struct log_rows *rows,
			  const struct group *group, const struct code *code, uint32_t number)
{
	uint16_t cells[LOG_CELLS_MAX];
	uint32_t count = 0;

	if (!cells_of(cells, &count, code, rows) || count != rows->cell_count) {
		complain(check, "entry %u has %u cells a slice, its columns need %u", number,
			 rows->cell_count, count);
		return;
	}
	check_content(check, rows, group, cells, number, code_segment_count(code));
}

static int check_rows(struct check *check, const struct log_rows *rows, uint32_t number,
		      struct err *err)
{
	const struct group *group = map_group(check->map, rows->group);
	struct code *code = NULL;
	int rc;

	if (!map_volume(check->map, rows->volume))
		complain(check, "entry %u names volume %" PRIu64 ", which is not in the map",
			 number, rows->volume);
	if (!group || group_is_bare(group)) {
		complain(check, "entry %u names group %" PRIu64 ", which is not in the map", number,
			 rows->group);
		return 0;
	}
	rc = code_create(&code, &group->shape, err);
	if (rc)
		return rc;
	if (rows->segment >= code_data_segments(code) || rows->first >= group->segment_blocks ||
	    rows->count > group->segment_blocks - rows->first)
		complain(check, "entry %u names rows behind the end of group %" PRIu64, number,
			 rows->group);
	else if (rows->columns == 0 || rows->columns >> (code_data_columns(code) - 1) >> 1)
		complain(check, "entry %u names columns that carry no data", number);
	else
		check_closure(check, rows, group, code, number);
	code_free(code);
	return 0;
}

static void check_page(struct check *check, const struct log_page *page, uint32_t number)
{
	uint32_t column;
	const struct group *group = map_extent(check->map, page->extent, &column);

	if (!group) {
		complain(check, "page %u is of extent %" PRIu64 ", which is not in the map", number,
			 page->extent);
		return;
	}
	const struct seal_shape shape = seal_shape_of(group, column);

	if (page->page >= seal_entry_pages(&shape))
		complain(check, "page %u is behind the end of the seal of extent %" PRIu64, number,
			 page->extent);
}

int log_report_check(struct array *array, void (*found)(void *arg, const char *text), void *arg,
		     uint64_t *found_out, struct err *err)
{
	struct check check = { .array = array, .map = array->map, .found = found, .arg = arg };
	struct log_found *log = mem_calloc(1, sizeof(*log));
	int rc = log ? found_read(log, array, err)
		     : err_set(err, ERR_NOMEM, "no memory to read the log");

	if (rc == 0) {
		check_copies(&check, log);
		check_places(&check, log);
		for (uint32_t i = 0; rc == 0 && i < log->record.rows_count; i++)
			rc = check_rows(&check, &log->record.rows[i], i, err);
		for (uint32_t i = 0; i < log->record.pages_count; i++)
			check_page(&check, &log->record.pages[i], i);
		log_found_reset(log);
	}
	mem_free(log);
	*found_out = check.count;
	return rc;
}

/* ---- the named rows */

int log_report_rows(struct scrub_rows **rows_out, uint32_t *count_out,
		    const struct log_report *report, struct err *err)
{
	struct scrub_rows *rows = mem_calloc((size_t)report->entry_count + 1, sizeof(*rows));

	if (!rows)
		return err_set(err, ERR_NOMEM, "no memory to list rows");
	for (uint32_t i = 0; i < report->entry_count; i++)
		rows[i] = (struct scrub_rows){
			.group = report->entries[i].group,
			.first = report->entries[i].first,
			.count = report->entries[i].count,
		};
	*rows_out = rows;
	*count_out = report->entry_count;
	return 0;
}

/* Read the block at `address`, if it belongs to a volume. */
static int try_block(struct array *array, const struct address *address, struct log_trial *trial,
		     uint8_t *block, struct err *err)
{
	struct array_read_result result = { 0 };
	struct volume_part part;
	int rc;

	if (!address_to_volume(&part, array->map, address))
		return 0;
	rc = array_read(array, part.volume, part.offset, block, part.length, &result, err);
	trial->blocks++;
	trial->lost += result.lost > 0;
	return rc;
}

/* All data blocks of the named slices, also those that were not being written. */
static int try_entry(struct array *array, const struct log_report_entry *entry,
		     struct log_trial *trial, uint8_t *block, struct err *err)
{
	const struct group *group = map_group(array->map, entry->group);
	int rc = 0;

	if (!group || group_is_bare(group))
		return 0;
	for (uint32_t i = 0; rc == 0 && i < entry->count; i++) {
		uint32_t at = entry->segment * group->segment_blocks + entry->first + i;

		for (uint32_t c = 0; rc == 0 && c < group_data_columns(group); c++) {
			const struct address address = { group, c, at };

			if (at < group_data_blocks(group))
				rc = try_block(array, &address, trial, block, err);
		}
	}
	return rc;
}

static int try_scrub(struct array *array, const struct log_report *report, struct log_trial *trial,
		     struct err *err)
{
	struct scrub_report scrubbed = { 0 };
	struct scrub_request request = { .mode = SCRUB_CHECK, .only_rows = true };
	struct scrub_rows *rows = NULL;
	int rc = log_report_rows(&rows, &request.row_count, report, err);

	if (rc)
		return rc;
	request.rows = rows;
	rc = scrub_run(array, &request, &scrubbed, err);
	trial->mismatches = scrubbed.mismatches;
	mem_free(rows);
	return rc;
}

int log_report_try(struct array *array, const struct log_report *report,
		   struct log_trial *trial_out, struct err *err)
{
	struct log_trial trial = { 0 };
	uint8_t *block = mem_pages(BLOCK_SIZE);
	int rc = block ? 0 : err_set(err, ERR_NOMEM, "no memory to read rows");

	for (uint32_t i = 0; rc == 0 && i < report->entry_count; i++)
		rc = try_entry(array, &report->entries[i], &trial, block, err);
	if (rc == 0)
		rc = try_scrub(array, report, &trial, err);
	mem_pages_free(block);
	*trial_out = trial;
	return rc;
}

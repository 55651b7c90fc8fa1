/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/adopt_show.h"

#include "cli/md_show.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/base/units.h"

#include <assert.h>
#include <inttypes.h>

#define RANGES_OF_MEMBER 5u

static const struct field member_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },        { "path", FIELD_TEXT, "PATH" },
	{ "room", FIELD_BYTES, "ROOM" },        { "record", FIELD_BYTES, "RECORD" },
	{ "kept_blocks", FIELD_COUNT, "KEPT" }, { 0 },
};
static const struct field back_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "put_back", FIELD_BYTES, "PUT BACK" },
	{ "used_since", FIELD_FLAG, "USED SINCE" },
	{ 0 },
};
static const struct field range_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },
	{ "role", FIELD_TEXT, "ROLE" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_BYTES, "LENGTH" },
	{ 0 },
};

const char *adopt_state_name(enum adopt_state state)
{
	static const char *const names[] = {
		[ADOPT_NONE] = "none",
		[ADOPT_REVERSIBLE] = "reversible",
		[ADOPT_COMMITTED] = "committed",
		[ADOPT_UNDOING] = "undoing",
	};

	assert((unsigned)state < sizeof(names) / sizeof(names[0]));
	return names[state];
}

static void members_show(struct out *out, const struct md_view *view, const struct adopt_kept *kept)
{
	out_list_begin(out, "members", member_fields);
	for (uint32_t slot = 0; slot < view->seats.count; slot++) {
		const struct adopt_record *record = &kept[slot].record;

		out_number(out, slot);
		out_text(out, md_view_seated(view, slot)->path);
		out_number(out, record->data_begin);
		out_number(out, record->size);
		out_number(out, record->block_count);
	}
	out_list_end(out);
}

/* One range that would be written; `bytes` adds up all of its role. */
static void range_show(struct out *out, uint32_t slot, const char *role, struct adopt_range range,
		       uint64_t *bytes)
{
	out_number(out, slot);
	out_text(out, role);
	out_number(out, range.offset);
	out_number(out, range.size);
	*bytes += range.size;
}

void adopt_show_plan(const struct invocation *inv, const struct array_adopt_request *request,
		     const struct array_adopt_plan *plan, const struct md_view *view,
		     const struct adopt_kept *kept)
{
	struct plan_row rows[RANGES_OF_MEMBER] = {
		{ "record", 0 }, { "super", 0 }, { "map", 0 }, { "log", 0 }, { "md super", 0 },
	};
	struct out *out = inv->out;

	out_object_begin(out, "array");
	out_value_text(out, "name", request->name);
	out_value_text(out, "state", "planned");
	out_object_end(out);
	md_show_format(out, view);
	members_show(out, view, kept);
	out_list_begin(out, "ranges", range_fields);
	for (uint32_t slot = 0; slot < view->seats.count; slot++) {
		const struct member_regions *regions = &plan->regions[slot];
		const struct adopt_range ranges[RANGES_OF_MEMBER] = {
			{ ADOPT_RECORD_BEGIN, request->record_size },
			{ ADOPT_SUPERS_BEGIN, ADOPT_RECORD_BEGIN - ADOPT_SUPERS_BEGIN },
			{ regions->map_offset, 2 * plan->geometry.map_half_size },
			{ regions->log_offset, plan->geometry.log_size },
			{ kept[slot].record.super_offset, BLOCK_SIZE },
		};

		for (uint32_t i = 0; i < RANGES_OF_MEMBER; i++)
			range_show(out, slot, rows[i].role, ranges[i], &rows[i].bytes);
	}
	out_list_end(out);
	if (plan->map_missing || out_is_json(out))
		out_value_bytes(out, "map_missing", plan->map_missing);
	plan_show(inv, rows, RANGES_OF_MEMBER);
}

void adopt_warn_map(const struct invocation *inv, const struct array_adopt_plan *plan)
{
	char size[UNITS_TEXT_SIZE];

	if (plan->map_missing)
		out_warn(inv->out,
			 "the room before the data holds a map that is %s smaller than one of "
			 "groups "
			 "of ours alone: a migration of all data will not come to its end",
			 units_text(size, plan->map_missing));
}

static void array_show(struct out *out, const struct array *array)
{
	const struct map *map = array_map(array);

	out_object_begin(out, "array");
	out_value_text(out, "name", map->name);
	out_value_uuid(out, "uuid", &map->uuid);
	out_value_text(out, "state", adopt_state_name(map->adoption.state));
	out_object_end(out);
}

void adopt_show_done(const struct invocation *inv, const struct array *array,
		     const struct md_view *view, const struct adopt_kept *kept)
{
	struct out *out = inv->out;
	const char *name = inv->operands[0];

	array_show(out, array);
	md_show_format(out, view);
	members_show(out, view, kept);
	out_line(out, "the array is one of ours, and every byte of its data is where it was; Linux "
		      "leaves it alone");
	out_line(out,
		 "next: pgctl scrub %s checks it; then pgctl adopt --commit %s keeps it, "
		 "pgctl adopt --undo %s gives it back",
		 name, name, name);
}

/* Members that are still to be given back; false when there are any. */
static bool absent_show(struct out *out, const struct adopt_record *record, struct member_set done)
{
	uint32_t count = record->member_count < MEMBERS_MAX ? record->member_count : MEMBERS_MAX;
	bool whole = true;

	for (uint32_t slot = 0; slot < count; slot++)
		whole &= member_set_has(done, slot);
	if (whole && !out_is_json(out))
		return true;
	out_texts_begin(out, "absent");
	for (uint32_t slot = 0; slot < count; slot++)
		if (!member_set_has(done, slot))
			out_texts_add_number(out, slot);
	out_texts_end(out);
	return whole;
}

void adopt_show_undone(const struct invocation *inv, const struct md_adopt_back *backs,
		       const char *const *paths, uint32_t count, struct member_set done)
{
	const struct adopt_record *record = &backs[0].kept.record;
	struct out *out = inv->out;
	bool whole;

	assert(count > 0);
	out_object_begin(out, "array");
	out_value_text(out, "name", record->name);
	out_value_uuid(out, "uuid", &record->array);
	out_value_text(out, "state", plan_only(inv) ? "reversible" : "undone");
	out_object_end(out);
	out_list_begin(out, "members", back_fields);
	for (uint32_t i = 0; i < count; i++) {
		out_number(out, backs[i].kept.record.slot);
		out_text(out, paths[i]);
		out_number(out, backs[i].kept.record.written_end - ADOPT_SUPERS_BEGIN);
		out_flag(out, backs[i].used);
	}
	out_list_end(out);
	whole = absent_show(out, record, done);
	if (plan_only(inv))
		out_line(out, "a plan: nothing was written");
	else if (whole)
		out_line(out, "every byte is as it was: the array is Linux MD's again");
	else
		out_line(out,
			 "these members are as they were; the absent ones are given back by the "
			 "same command once they are there");
}

void adopt_show_committed(const struct invocation *inv, const struct array *array)
{
	const struct map *map = array_map(array);
	struct out *out = inv->out;

	array_show(out, array);
	if (plan_only(inv)) {
		out_line(out, "a plan: nothing was written");
		return;
	}
	out_line(out, "the array is ours for good; its data have no seals yet");
	for (uint32_t i = 0; i < map->volume_count; i++)
		out_line(out,
			 "next: pgctl add %s MEMBER… for room, then pgctl migrate %s %s --layout "
			 "parity",
			 inv->operands[0], inv->operands[0], map->volumes[i]->name);
}

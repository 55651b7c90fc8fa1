/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/md_show.h"

#include "cli/members.h"
#include "core/base/mem.h"

#include <stdio.h>

#define MISSING "missing"

static const struct field status_fields[] = {
	{ "slot", FIELD_EITHER, "SLOT" },     { "uuid", FIELD_TEXT, NULL },
	{ "state", FIELD_TEXT, "STATE" },     { "size", FIELD_BYTES, "SIZE" },
	{ "used", FIELD_BYTES, "USED" },      { "path", FIELD_TEXT, "PATH" },
	{ "labels", FIELD_OBJECT, "LABELS" }, { 0 },
};
static const struct field assemble_fields[] = {
	{ "slot", FIELD_EITHER, "SLOT" },
	{ "state", FIELD_TEXT, "STATE" },
	{ "events", FIELD_COUNT, "EVENTS" },
	{ "behind", FIELD_COUNT, "BEHIND" },
	{ "data_offset", FIELD_BYTES, "DATA AT" },
	{ "counts", FIELD_BYTES, "COUNTS" },
	{ "flags", FIELD_TEXT, "FLAGS" },
	{ "path", FIELD_TEXT, "PATH" },
	{ 0 },
};

void md_show_format(struct out *out, const struct md_view *view)
{
	const struct md_member *array = view->set->newest;
	char layout[MD_LAYOUT_NAME_SIZE], level[24];

	md_layout_name(layout, array->shape.level, array->shape.layout);
	out_object_begin(out, "format");
	out_value_text(out, "maker", "linux-md");
	out_value_text(out, "metadata", md_metadata_name(array->metadata));
	out_value_text(out, "level", md_member_level(level, array));
	out_value_text(out, "layout", layout[0] ? layout : NULL);
	if (array->shape.chunk_bytes)
		out_value_bytes(out, "chunk", array->shape.chunk_bytes);
	else
		out_value_none(out, "chunk");
	out_value(out, "slots", view->set->slot_count);
	out_value(out, "events", array->events);
	out_value_flag(out, "clean", array->clean);
	out_value_flag(out, "reshaping", array->reshaping);
	if (array->reshaping) {
		out_value_bytes(out, "reshape_position", array->reshape_position * MD_SECTOR);
		out_value_text(out, "reshape_direction",
			       array->reshape_backwards ? "backwards" : "forwards");
	}
	out_object_end(out);
}

/* Who is shown in which row. */
struct rows {
	const struct md_view *view;
	void (*show)(void *arg, uint32_t slot, const struct md_set_member *entry);
	void *arg;
};

static bool is_seated(const struct md_view *view, const struct md_set_member *entry)
{
	for (uint32_t slot = 0; slot < view->seats.count; slot++) {
		if (view->seats.at[slot].entry == entry)
			return true;
	}
	return false;
}

static void rows_show(const struct rows *rows)
{
	const struct md_view *view = rows->view;

	for (uint32_t slot = 0; slot < view->seats.count; slot++)
		rows->show(rows->arg, slot, view->seats.at[slot].entry);
	for (uint32_t i = 0; i < view->set->member_count; i++) {
		const struct md_set_member *entry = &view->set->members[i];

		if (!is_seated(view, entry))
			rows->show(rows->arg, entry->member->slot, entry);
	}
}

static void slot_show(struct out *out, uint32_t slot)
{
	if (slot == MD_SLOT_NONE)
		out_none(out);
	else
		out_number(out, slot);
}

/* What a row of status is made from. */
struct status_rows {
	const struct invocation *inv;
	const struct array *array;
	const struct md_view *view;
};

static void status_row(void *arg, uint32_t slot, const struct md_set_member *entry)
{
	const struct status_rows *rows = arg;
	const struct member *member = map_member(array_map(rows->array), slot);
	struct out *out = rows->inv->out;

	slot_show(out, slot);
	if (entry)
		out_uuid(out, &entry->member->device);
	else
		out_none(out);
	out_text(out, entry ? md_view_state(rows->view, entry) : MISSING);
	if (entry)
		out_number(out, entry->member->device_sectors * MD_SECTOR);
	else
		out_none(out);
	if (member && entry && is_seated(rows->view, entry))
		out_number(out, array_member_used(rows->array, slot));
	else
		out_number(out, 0);
	out_text(out, entry ? rows->view->paths[entry->device] : NULL);
	out_object_begin(out, "labels");
	out_object_end(out);
}

void md_show_status_members(const struct invocation *inv, const struct array *array,
			    const struct md_view *view)
{
	struct status_rows arg = { inv, array, view };
	const struct rows rows = { view, status_row, &arg };

	out_list_begin(inv->out, "members", status_fields);
	rows_show(&rows);
	out_list_end(inv->out);
}

struct assemble_rows {
	struct out *out;
	const struct md_view *view;
};

/* So much of its data counts. */
static uint64_t counts_of(const struct assemble_rows *rows, uint32_t slot,
			  const struct md_set_member *entry)
{
	const struct md_member *member = entry->member;
	uint64_t sectors = member->data_sectors;

	if (!is_seated(rows->view, entry))
		return 0;
	if (rows->view->seats.at[slot].counts_sectors < sectors)
		sectors = rows->view->seats.at[slot].counts_sectors;
	return sectors * MD_SECTOR;
}

static void flags_show(struct out *out, const struct md_member *member)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s%s", member->replacement ? "replacement " : "",
		 member->write_mostly ? "write-mostly " : "", member->failfast ? "failfast " : "");
	for (size_t i = 0; text[i]; i++) {
		if (text[i] == ' ' && !text[i + 1])
			text[i] = '\0';
	}
	out_text(out, text[0] ? text : NULL);
}

static void assemble_row(void *arg, uint32_t slot, const struct md_set_member *entry)
{
	const struct assemble_rows *rows = arg;
	struct out *out = rows->out;

	slot_show(out, slot);
	if (!entry) {
		out_text(out, MISSING);
		for (uint32_t i = 0; i < 6; i++)
			out_none(out);
		return;
	}
	out_text(out, md_view_state(rows->view, entry));
	out_number(out, entry->member->events);
	out_number(out, entry->events_behind);
	out_number(out, entry->member->data_offset * MD_SECTOR);
	out_number(out, counts_of(rows, slot, entry));
	flags_show(out, entry->member);
	out_text(out, rows->view->paths[entry->device]);
}

void md_show_members(struct out *out, const struct md_view *view)
{
	struct assemble_rows arg = { out, view };
	const struct rows rows = { view, assemble_row, &arg };

	out_list_begin(out, "members", assemble_fields);
	rows_show(&rows);
	out_list_end(out);
}

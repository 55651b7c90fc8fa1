/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl map: where everything lies. The whole map, one group, or one address in terms of the others:
 * with `start`, `length` and the layout anyone can check the equations with dd.
 */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "core/map/address.h"
#include "core/map/windows.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct field member_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },
	{ "path", FIELD_TEXT, "PATH" },
	{ 0 },
};
static const struct field tail_fields[] = {
	{ "kind", FIELD_TEXT, "" },
	{ "row", FIELD_COUNT, "" },
	{ "level", FIELD_COUNT, NULL },
	{ 0 },
};
static const struct field extent_fields[] = {
	{ "id", FIELD_COUNT, NULL },         { "column", FIELD_COUNT, NULL },
	{ "role", FIELD_TEXT, "" },          { "member", FIELD_COUNT, "on" },
	{ "start", FIELD_COUNT, "at" },      { "length", FIELD_COUNT, NULL },
	{ "seal_start", FIELD_COUNT, NULL }, { "seal_length", FIELD_COUNT, NULL },
	{ "index", FIELD_COUNT, NULL }, /* parity: exponent of the coefficient; null in check columns */
	{ "stale", FIELD_FLAG, NULL },       { "tail", FIELD_LIST, NULL },
	{ "run", FIELD_COUNT, NULL }, /* null: all bytes from `start` on in a row */
	{ "stride", FIELD_COUNT, NULL },     { 0 },
};
static const struct field group_fields[] = {
	{ "id", FIELD_COUNT, "GROUP" },       { "layout", FIELD_TEXT, "LAYOUT" },
	{ "parity", FIELD_COUNT, "PARITY" },  { "segment", FIELD_BYTES, "SEGMENT" },
	{ "rows", FIELD_COUNT, "ROWS" },      { "pure", FIELD_COUNT, NULL },
	{ "extents", FIELD_LIST, "EXTENTS" }, { 0 },
};
static const struct field span_fields[] = {
	{ "offset", FIELD_COUNT, "at" },
	{ "length", FIELD_COUNT, "length" },
	{ "unit", FIELD_COUNT, NULL },
	{ "extents", FIELD_LIST, "extents" },
	{ 0 },
};
static const struct field volume_fields[] = {
	{ "name", FIELD_TEXT, "VOLUME" },
	{ "length", FIELD_BYTES, "LENGTH" },
	{ "spans", FIELD_LIST, "SPANS" },
	{ 0 },
};
static const struct field block_fields[] = {
	{ "role", FIELD_TEXT, "ROLE" },
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "lba", FIELD_COUNT, "LBA" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "volume", FIELD_TEXT, "VOLUME" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ 0 },
};

static void show_members(const struct invocation *inv, const struct map *map)
{
	out_list_begin(inv->out, "members", member_fields);
	for (uint32_t i = 0; i < map->member_count; i++) {
		out_number(inv->out, map->members[i].slot);
		out_text(inv->out, cli_member_path(inv, map->members[i].slot));
	}
	out_list_end(inv->out);
}

/* Of a column: what most of its blocks are. */
static const char *extent_role(const struct group *group, uint32_t column)
{
	const struct address first = { .group = group, .column = column };

	return block_role_name(address_role(&first));
}

static void show_tails(struct out *out, const struct group *group, uint32_t column)
{
	uint32_t count = group->shape.layout == LAYOUT_SEQUENTIAL ? group->shape.checks : 0;

	out_list_begin(out, "tail", tail_fields);
	for (uint32_t i = 0; i < count; i++) {
		struct tail tail = group_tail(group, column, i);

		out_text(out, tail.is_pure ? "pure" : "row");
		if (tail.is_pure)
			out_none(out);
		else
			out_number(out, tail.row);
		out_number(out, tail.level);
	}
	out_list_end(out);
}

/* What other software put there has no seal. */
static void show_seal(struct out *out, const struct map *map, const struct extent *extent)
{
	if (extent_is_bare(extent)) {
		out_none(out);
		out_none(out);
		return;
	}
	out_number(out, extent_seal_offset(map, extent));
	out_number(out, (uint64_t)extent_seal_blocks(map, extent->size_class) * BLOCK_SIZE);
}

static void show_runs(struct out *out, const struct map *map, const struct extent *extent)
{
	const struct window *window = extent_window(map, extent);

	if (!window || window_in_a_row(window)) {
		out_none(out);
		out_none(out);
		return;
	}
	out_number(out, window->run);
	out_number(out, window->stride);
}

static void show_extent(struct out *out, const struct map *map, const struct group *group,
			uint32_t column)
{
	const struct extent *extent = &group->extents[column];

	out_number(out, extent->id);
	out_number(out, column);
	out_text(out, extent_role(group, column));
	out_number(out, extent->slot);
	out_number(out, member_address(map, extent->slot, extent_offset(map, extent, 0)));
	out_number(out, (uint64_t)extent->body_blocks * BLOCK_SIZE);
	show_seal(out, map, extent);
	if (group->shape.layout == LAYOUT_PARITY && column < group_data_columns(group))
		out_number(out, group->shape.index[column]);
	else
		out_none(out);
	out_flag(out, extent->stale);
	show_tails(out, group, column);
	show_runs(out, map, extent);
}

static uint64_t group_parity(const struct group *group)
{
	if (group->shape.layout == LAYOUT_PARITY)
		return group->shape.checks;
	return group->shape.layout == LAYOUT_SEQUENTIAL;
}

static void show_group(struct out *out, const struct map *map, const struct group *group)
{
	out_number(out, group->id);
	out_text(out, layout_name(group->shape.layout));
	out_number(out, group_parity(group));
	out_number(out, (uint64_t)group_row_blocks(group) * BLOCK_SIZE);
	out_number(out, group_row_count(group));
	if (group->shape.layout == LAYOUT_SEQUENTIAL)
		out_number(out, group->shape.pure);
	else
		out_none(out);
	out_list_begin(out, "extents", extent_fields);
	for (uint32_t column = 0; column < group->shape.columns; column++)
		show_extent(out, map, group, column);
	out_list_end(out);
}

static void show_span(struct out *out, const struct span *span)
{
	out_number(out, span->offset);
	out_number(out, span->length);
	out_number(out, (uint64_t)span->unit_blocks * BLOCK_SIZE);
	out_texts_begin(out, "extents");
	for (uint32_t i = 0; i < span->extent_count; i++)
		out_texts_add_number(out, span->extents[i]);
	out_texts_end(out);
}

static void show_volumes(struct out *out, const struct map *map)
{
	out_list_begin(out, "volumes", volume_fields);
	for (uint32_t i = 0; i < map->volume_count; i++) {
		const struct volume *volume = map->volumes[i];

		out_text(out, volume->name);
		out_number(out, volume->length);
		out_list_begin(out, "spans", span_fields);
		for (uint32_t s = 0; s < volume->span_count; s++)
			show_span(out, &volume->spans[s]);
		out_list_end(out);
	}
	out_list_end(out);
}

static void show_whole(const struct invocation *inv, const struct map *map)
{
	show_members(inv, map);
	out_list_begin(inv->out, "groups", group_fields);
	for (uint32_t i = 0; i < map->group_count; i++)
		show_group(inv->out, map, map->groups[i]);
	out_list_end(inv->out);
	show_volumes(inv->out, map);
}

/* The block and those that protect it, each with the volume bytes that it holds. */
static void show_blocks(const struct invocation *inv, const struct map *map,
			const struct address *address)
{
	struct address peers[ADDRESS_PEERS_MAX];
	uint32_t count = address_peers(peers, address);
	struct out *out = inv->out;

	out_list_begin(out, "blocks", block_fields);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = peers[i].group->extents[peers[i].column].slot;
		struct volume_part part;

		out_text(out, block_role_name(address_role(&peers[i])));
		out_number(out, slot);
		out_number(out, address_to_member(map, &peers[i]));
		out_text(out, cli_member_path(inv, slot));
		if (address_to_volume(&part, map, &peers[i])) {
			out_text(out, part.volume->name);
			out_number(out, part.offset);
		} else {
			out_none(out);
			out_none(out);
		}
	}
	out_list_end(out);
}

static void show_group_and_row(struct out *out, const struct address *address)
{
	uint64_t row;

	out_value(out, "group", address->group->id);
	if (address_row(&row, address))
		out_value(out, "row", row);
	else
		out_value_none(out, "row");
}

static int show_volume_byte(const struct invocation *inv, const struct map *map,
			    const struct volume *volume, uint64_t offset, struct err *err)
{
	struct address address;

	if (!address_of_volume(&address, NULL, map, volume, offset))
		return err_set(err, ERR_SIZE,
			       "volume '%s' has %" PRIu64 " bytes, none at offset %" PRIu64,
			       volume->name, volume->length, offset);
	out_value_text(inv->out, "volume", volume->name);
	out_value(inv->out, "offset", offset);
	show_group_and_row(inv->out, &address);
	show_blocks(inv, map, &address);
	return 0;
}

static void show_part(struct out *out, const struct map *map, const struct address *address,
		      uint64_t within)
{
	struct volume_part part;

	if (address_to_volume(&part, map, address)) {
		out_value_text(out, "volume", part.volume->name);
		out_value(out, "offset", part.offset + within);
	} else {
		out_value_none(out, "volume");
		out_value_none(out, "offset");
	}
}

static int show_member_byte(const struct invocation *inv, const struct map *map, uint32_t slot,
			    uint64_t lba, struct err *err)
{
	struct member_place place = address_of_member(map, slot, lba);
	struct out *out = inv->out;

	if (lba >= map_member(map, slot)->size)
		return err_set(err, ERR_SIZE,
			       "member %u has %" PRIu64 " bytes, none at offset %" PRIu64, slot,
			       map_member(map, slot)->size, lba);
	out_value(out, "member", slot);
	out_value(out, "lba", lba);
	out_value_text(out, "area", member_area_name(place.area));
	if (place.area == AREA_METADATA || place.area == AREA_OUTSIDE)
		return 0;
	if (place.frame < BARE_FRAME_FIRST)
		out_value(out, "frame", place.frame);
	if (place.area == AREA_FREE)
		return 0;
	out_value(out, "extent", place.address.group->extents[place.address.column].id);
	if (place.area == AREA_SEAL)
		out_value(out, "seal_page", place.seal_page);
	if (place.area != AREA_BODY) {
		out_value(out, "group", place.address.group->id);
		return 0;
	}
	show_group_and_row(out, &place.address);
	show_part(out, map, &place.address, lba % BLOCK_SIZE);
	show_blocks(inv, map, &place.address);
	return 0;
}

static int show_one_group(const struct invocation *inv, const struct map *map, const char *text,
			  struct err *err)
{
	const struct group *group;
	unsigned long long id;

	errno = 0;
	id = strtoull(text, NULL, 10);
	group = errno || !*text || text[strspn(text, "0123456789")] ? NULL : map_group(map, id);
	if (!group) {
		err_set(err, ERR_NOT_FOUND,
			"'%s' is neither VOLUME:OFFSET, MEMBER:LBA nor the number of a group",
			text);
		return err_hint(err, "pgctl map %s", inv->operands[0]);
	}
	show_members(inv, map);
	out_list_begin(inv->out, "groups", group_fields);
	show_group(inv->out, map, group);
	out_list_end(inv->out);
	return 0;
}

static int offset_parse(uint64_t *offset_out, const char *text, struct err *err)
{
	char *end;

	if (strncmp(text, "0x", 2) != 0)
		return units_parse(offset_out, text, err);
	errno = 0;
	*offset_out = strtoull(text, &end, 16);
	if (errno || *end || end == text + 2)
		return err_set(err, ERR_USAGE, "'%s' is not an offset", text);
	return 0;
}

/* VOLUME:OFFSET or MEMBER:LBA; what stands before the last colon is a volume first. */
static int show_address(const struct invocation *inv, const struct array *array, const char *text,
			struct err *err)
{
	const struct map *map = array_map(array);
	const char *colon = strrchr(text, ':');
	const struct volume *volume;
	uint64_t offset;
	uint32_t slot;
	char *name;
	int rc;

	if (!colon)
		return show_one_group(inv, map, text, err);
	rc = offset_parse(&offset, colon + 1, err);
	if (rc)
		return rc;
	name = mem_strndup(text, (size_t)(colon - text));
	if (!name)
		return err_set(err, ERR_NOMEM, "no memory");
	volume = cli_volume_named(map, name);
	if (volume) {
		rc = show_volume_byte(inv, map, volume, offset, err);
	} else {
		rc = cli_member_find(&slot, inv, array, name, err);
		if (rc == ERR_NOT_FOUND)
			err_set(err, rc, "array '%s' has neither a volume nor a member '%s'",
				map->name, name);
		if (rc == 0)
			rc = show_member_byte(inv, map, slot, offset, err);
	}
	mem_free(name);
	return rc;
}

static int cmd_map_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	(void)verdict_out;
	if (rc)
		return rc;
	if (inv->operand_count == 1)
		show_whole(inv, array_map(array));
	else
		rc = show_address(inv, array, inv->operands[1], err);
	array_close(array);
	return rc;
}

static const char *const details[] = {
	"Without an address: members, groups with the place of every extent, volumes with their "
	"spans. 'start' is the byte of the member file where the body of an extent begins.",
	"VOLUME:OFFSET and MEMBER:LBA are bytes; the answer names the block, its group and row, "
	"and every block that protects it. A number alone is a group.",
	NULL,
};
static const char *const examples[] = {
	"pgctl map --json a0.img",
	"pgctl map a0.img movie:1M",
	"pgctl map a0.img 2:0x300000",
	NULL,
};

const struct command cmd_map = {
	.name = "map",
	.summary = "where everything lies; any address in terms of the others",
	.group = GROUP_QUESTIONS,
	.operands = "ARRAY [ADDRESS]",
	.operands_min = 1,
	.operands_max = 2,
	.details = details,
	.examples = examples,
	.run = cmd_map_run,
};

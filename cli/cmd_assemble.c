/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl assemble: open an array that other software made, and say what it is and what is taken for what.
 *
 * Nothing is written and nothing stays open: every other command opens such arrays in the same way. What this one adds
 * is why: who is left out, and what the other choices would cost.
 */
#include "cli/command.h"
#include "cli/layout_open.h"
#include "cli/md_show.h"
#include "cli/members.h"
#include "cli/operand_members.h"
#include "cli/output.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "formats/md_explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct assemble_args {
	bool why;
};

static const struct option_spec assemble_options[] = {
	{ "why", OPTION_FLAG, offsetof(struct assemble_args, why), NULL,
	  "explain who counts and who does not, and what each stale member would cost" },
	{ 0 },
};

static const struct field volume_fields[] = {
	{ "name", FIELD_TEXT, "VOLUME" },
	{ "length", FIELD_BYTES, "LENGTH" },
	{ "health", FIELD_TEXT, "HEALTH" },
	{ 0 },
};
/* What taking stale members would make of the array. */
static const struct field choice_fields[] = {
	{ "accept", FIELD_TEXT, "ACCEPT" },          { "health", FIELD_TEXT, "HEALTH" },
	{ "missing", FIELD_COUNT, "MISSING" },       { "events_behind", FIELD_COUNT, "BEHIND" },
	{ "may_be_old", FIELD_BYTES, "MAY BE OLD" }, { 0 },
};

/*
 * Bytes of a stale member that may have been written since it left: what the newest bitmap marks, as no bit is
 * cleared while a member is missing; UINT64_MAX: nothing says so, and all of them may.
 */
static uint64_t old_bytes_of(const struct md_view *view, const struct md_set_member *stale)
{
	const struct md_member *newest = view->set->newest;
	uint64_t most = UINT64_MAX;

	for (uint32_t i = 0; i < view->device_count; i++) {
		const struct md_found *found = view->devices[i].found;

		/* Bits that were cleared after the member left say nothing of it. */
		if (found->member.events != newest->events || !found->bitmap_found ||
		    !found->dirty_known || found->bitmap.events_cleared > stale->member->events)
			continue;
		if (most == UINT64_MAX || found->dirty_chunks * found->bitmap.chunk_bytes > most)
			most = found->dirty_chunks * found->bitmap.chunk_bytes;
	}
	return most;
}

/* The array with these slots besides those that are present. */
static void choice_show(struct out *out, const struct md_view *view,
			const struct md_set_member *stale)
{
	const struct md_set *set = view->set;
	uint32_t raid_disks = set->newest->shape.raid_disks, missing = 0;
	bool present[MEMBERS_MAX] = { false }, suffices;
	uint64_t old = 0;

	for (uint32_t slot = 0; slot < set->slot_count && slot < MEMBERS_MAX; slot++) {
		present[slot] = set->present[slot] || (stale && stale->member->slot == slot);
		missing += !present[slot];
	}
	suffices = raid_disks <= MEMBERS_MAX && md_slots_suffice(&set->newest->shape, present);
	out_text(out, stale ? view->paths[stale->device] : "none");
	out_text(out, md_health_name(missing == 0 ? MD_HEALTHY
				     : suffices   ? MD_DEGRADED
						  : MD_BROKEN));
	out_number(out, missing);
	out_number(out, stale ? stale->events_behind : 0);
	if (stale)
		old = old_bytes_of(view, stale);
	if (old == UINT64_MAX)
		out_none(out);
	else
		out_number(out, old);
}

static void choices_show(struct out *out, const struct md_view *view)
{
	out_list_begin(out, "choices", choice_fields);
	choice_show(out, view, NULL);
	for (uint32_t i = 0; i < view->set->member_count; i++) {
		const struct md_set_member *entry = &view->set->members[i];

		if (entry->verdict == MD_VERDICT_STALE && entry->member->role == MD_ROLE_SLOT &&
		    entry->member->slot < view->seats.count)
			choice_show(out, view, entry);
	}
	out_list_end(out);
}

/* For people, what a stale member would cost. */
static void cost_say(struct out *out, const struct md_view *view, const struct md_set_member *stale)
{
	char size[UNITS_TEXT_SIZE];
	const char *path = view->paths[stale->device];
	uint64_t old = old_bytes_of(view, stale);

	if (old == UINT64_MAX)
		out_line(out,
			 "with --accept-stale %s whatever was written to slot %" PRIu32
			 " in the last %" PRIu64
			 " events would be read as it was before; no bitmap says where",
			 path, stale->member->slot, stale->events_behind);
	else
		out_line(out,
			 "with --accept-stale %s up to %s of slot %" PRIu32
			 ", in the chunks that the bitmap marks, would be read as they were "
			 "%" PRIu64 " events ago",
			 path, units_text(size, old), stale->member->slot, stale->events_behind);
}

static int why_show(const struct invocation *inv, const struct md_view *view, struct err *err)
{
	struct md_sentences *sentences = mem_calloc(1, sizeof(*sentences));
	struct out *out = inv->out;

	if (!sentences)
		return err_set(err, ERR_NOMEM, "no memory to explain an array");
	choices_show(out, view);
	md_explain_set(sentences, view->set, view->paths);
	if (out_is_json(out)) {
		out_texts_begin(out, "statements");
		for (uint32_t i = 0; i < sentences->count; i++)
			out_texts_add(out, sentences->at[i]);
		out_texts_end(out);
	}
	for (uint32_t i = 0; i < sentences->count; i++)
		out_line(out, "%s", sentences->at[i]);
	for (uint32_t i = 0; i < view->set->member_count; i++) {
		const struct md_set_member *entry = &view->set->members[i];

		if (entry->verdict == MD_VERDICT_STALE && entry->member->role == MD_ROLE_SLOT)
			cost_say(out, view, entry);
	}
	mem_free(sentences);
	return 0;
}

static void array_show(struct out *out, const struct array *array, const struct md_view *view)
{
	const struct map *map = array_map(array);

	out_object_begin(out, "array");
	out_value_text(out, "name", map->name);
	out_value_uuid(out, "uuid", &map->uuid);
	out_value_text(out, "health", health_name(array_health(array)));
	out_object_end(out);
	if (view) {
		md_show_format(out, view);
		md_show_members(out, view);
	}
	out_texts_begin(out, "missing");
	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;

		if (view ? !view->seats.at[slot].entry : !array_member_usable(array, slot))
			out_texts_add_number(out, slot);
	}
	out_texts_end(out);
	out_list_begin(out, "volumes", volume_fields);
	for (uint32_t i = 0; i < map->volume_count; i++) {
		out_text(out, map->volumes[i]->name);
		out_number(out, map->volumes[i]->length);
		out_text(out, health_name(array_volume_health(array, map->volumes[i])));
	}
	out_list_end(out);
}

static int show(const struct invocation *inv, const struct array *array, unsigned *verdict_out,
		struct err *err)
{
	const struct assemble_args *args = inv->args;
	const struct md_view *view = cli_md_view(inv);

	if (!view && !layout_path_is(inv->operands[0])) {
		err_set(err, ERR_STATE, "%s: pgctl %s this array; it needs no assembling",
			inv->operands[0],
			array_map(array)->adoption.state == ADOPT_NONE ? "made" : "has adopted");
		return err_hint(err, "pgctl status %s", inv->operands[0]);
	}
	array_show(inv->out, array, view);
	if (array_health(array) == HEALTH_BROKEN)
		*verdict_out |= VERDICT_LEFT;
	else if (view && view->seats.stale.bits)
		*verdict_out |= VERDICT_CORRECTED;
	return args->why && view ? why_show(inv, view, err) : 0;
}

static int cmd_assemble_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct operand_members all;
	struct array *array = NULL;
	int rc = operand_members_init(&all, inv, err);

	if (rc)
		return rc;
	rc = cli_array_open(&array, &all.inv, inv->operands[0], ACCESS_SALVAGE, err);
	if (rc == 0)
		rc = show(&all.inv, array, verdict_out, err);
	array_close(array);
	operand_members_reset(&all);
	return rc;
}

static const char *const details[] = {
	"IMAGE is a layout file, or any member of a Linux MD array or a directory of members. "
	"Metadata 0.90, 1.0, "
	"1.1 and 1.2 and the levels linear, 0, 1, 4, 5, 6 and 10 are read, also while the array "
	"was being rebuilt or reshaped. status, map, read, get, scrub and survive open "
	"such arrays by themselves; their volume has the array's name, and 'data' means it too.",
	"So is the volume of a container of DDF or Intel Matrix that has one. Disks of Intel "
	"Matrix are told by their serial numbers, which the names of their files have to have.",
	"A member that missed changes is left out. --accept-stale MEMBER takes it all the same: "
	"what was written since it left is then read as it was before.",
	"The exit status is 0 when all data can be read, 1 when that takes a stale member, and 4 "
	"when some cannot.",
	NULL,
};
static const char *const examples[] = {
	"pgctl assemble disks/",
	"pgctl assemble --why sda.img sdb.img sdc.img",
	"pgctl assemble --json disks/ | jq .members",
	NULL,
};

const struct command cmd_assemble = {
	.name = "assemble",
	.summary = "what an array of other software is, who its members are, and why",
	.group = GROUP_QUESTIONS,
	.operands = "IMAGE…",
	.operands_min = 1,
	.operands_max = OPERANDS_ANY,
	.options = assemble_options,
	.args_size = sizeof(struct assemble_args),
	.details = details,
	.examples = examples,
	.run = cmd_assemble_run,
};

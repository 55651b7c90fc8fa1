/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/inspect_other.h"

#include "core/base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define COLUMNS_MAX 12u /* of a table; wider rows are shown as objects */

static void nodes_show(struct out *out, const struct fact_tree *tree, uint32_t first, uint32_t end,
		       bool cells);

static void texts_show(struct out *out, const struct fact_tree *tree, uint32_t which)
{
	out_texts_begin(out, tree->at[which].name);
	for (uint32_t i = which + 1; i < tree->at[which].end; i++)
		out_texts_add(out, tree_chars(tree, &tree->at[i]));
	out_texts_end(out);
}

/* The columns of a list are the names in its first row. Returns how many. */
static uint32_t fields_of(struct field *fields, const struct fact_tree *tree, uint32_t which)
{
	uint32_t end = tree->at[which].end, count = 0;

	for (uint32_t i = which + 2; which + 1 < end && i < tree->at[which + 1].end;
	     i = tree_next(tree, i)) {
		const struct fact_node *node = &tree->at[i];

		assert(count < TREE_FIELDS_MAX);
		fields[count++] = (struct field){
			.key = node->name,
			.kind = node->kind == NODE_FLAG    ? FIELD_FLAG
				: node->kind >= NODE_TEXTS ? FIELD_LIST
							   : FIELD_EITHER,
			.title = node->name,
		};
	}
	return count;
}

/* For people, rows that are too wide for a table: one below the other. */
static void rows_show(struct out *out, const struct fact_tree *tree, uint32_t which)
{
	uint32_t number = 0;

	for (uint32_t row = which + 1; row < tree->at[which].end; row = tree_next(tree, row)) {
		char head[64];

		snprintf(head, sizeof(head), "%s %u", tree->at[which].name, number++);
		out_object_begin(out, head);
		nodes_show(out, tree, row + 1, tree->at[row].end, false);
		out_object_end(out);
	}
}

static void list_show(struct out *out, const struct fact_tree *tree, uint32_t which, bool cells)
{
	/* A list without rows has a column nevertheless. */
	struct field fields[TREE_FIELDS_MAX + 1] = { { "none", FIELD_TEXT, "" } };
	uint32_t count = fields_of(fields, tree, which);

	if (!cells && !out_is_json(out)) {
		if (count > COLUMNS_MAX)
			rows_show(out, tree, which);
		if (count == 0 || count > COLUMNS_MAX)
			return;
		out_line(out, "%s:", tree->at[which].name);
	}
	out_list_begin(out, tree->at[which].name, fields);
	for (uint32_t row = which + 1; row < tree->at[which].end; row = tree_next(tree, row))
		nodes_show(out, tree, row + 1, tree->at[row].end, true);
	out_list_end(out);
}

static void value_show(struct out *out, const struct fact_tree *tree, const struct fact_node *node)
{
	switch (node->kind) {
	case NODE_NUMBER:
		out_value(out, node->name, node->number);
		break;
	case NODE_FLAG:
		out_value_flag(out, node->name, node->number);
		break;
	case NODE_TEXT:
		out_value_text(out, node->name, tree_chars(tree, node));
		break;
	case NODE_NONE:
	case NODE_TEXTS:
	case NODE_LIST:
	case NODE_ROW:
		out_value_none(out, node->name);
		break;
	}
}

static void cell_show(struct out *out, const struct fact_tree *tree, const struct fact_node *node)
{
	switch (node->kind) {
	case NODE_NUMBER:
		out_number(out, node->number);
		break;
	case NODE_FLAG:
		out_flag(out, node->number);
		break;
	case NODE_TEXT:
		out_text(out, tree_chars(tree, node));
		break;
	case NODE_NONE:
	case NODE_TEXTS:
	case NODE_LIST:
	case NODE_ROW:
		out_none(out);
		break;
	}
}

static void nodes_show(struct out *out, const struct fact_tree *tree, uint32_t first, uint32_t end,
		       bool cells)
{
	for (uint32_t i = first; i < end; i = tree_next(tree, i)) {
		if (tree->at[i].kind == NODE_TEXTS)
			texts_show(out, tree, i);
		else if (tree->at[i].kind == NODE_LIST)
			list_show(out, tree, i, cells);
		else if (cells)
			cell_show(out, tree, &tree->at[i]);
		else
			value_show(out, tree, &tree->at[i]);
	}
}

static void facts_show(struct out *out, const struct fact_tree *tree)
{
	nodes_show(out, tree, 0, tree->count, false);
}

static void faults_show(struct out *out, const struct md_faults *faults)
{
	char text[200];

	out_texts_begin(out, "faults");
	for (uint32_t i = 0; i < faults->count && i < MD_FAULTS_MAX; i++) {
		snprintf(text, sizeof(text), "%s: %s", faults->at[i].field, faults->at[i].text);
		out_texts_add(out, text);
	}
	out_texts_end(out);
}

static void said_show(struct out *out, const struct other_found *found)
{
	out_texts_begin(out, "statements");
	for (uint32_t i = 0; i < found->said.count; i++)
		out_texts_add(out, tree_chars(&found->said, &found->said.at[i]));
	out_texts_end(out);
}

static void details_show(struct out *out, const struct other_found *found)
{
	out_value_text(out, "summary", found->summary);
	if (!out_is_json(out)) {
		if (found->faults.count)
			out_value(out, "faults", found->faults.count);
		return;
	}
	out_value_text(out, "tool", found->format->tool);
	out_value_text(out, "try", found->hint);
	facts_show(out, &found->facts);
	faults_show(out, &found->faults);
	said_show(out, found);
}

void inspect_other_rows(struct out *out, const struct other_probe *probe)
{
	for (uint32_t i = 0; i < probe->count; i++) {
		const struct other_found *found = probe->at[i];

		out_text(out, found->format->name);
		out_number(out, found->offset);
		out_text(out, found->uuid[0] ? found->uuid : NULL);
		out_text(out, found->name[0] ? found->name : NULL);
		out_object_begin(out, "details");
		details_show(out, found);
		out_object_end(out);
	}
}

static void explain(struct out *out, const struct other_found *found)
{
	uint32_t shown = found->faults.count < MD_FAULTS_MAX ? found->faults.count : MD_FAULTS_MAX;
	char head[64];

	snprintf(head, sizeof(head), "%s at offset %" PRIu64, found->format->name, found->offset);
	out_object_begin(out, head);
	facts_show(out, &found->facts);
	out_object_end(out);
	for (uint32_t i = 0; i < shown; i++)
		out_line(out, "%s: fault: %s: %s", head, found->faults.at[i].field,
			 found->faults.at[i].text);
	if (found->faults.count > shown)
		out_line(out, "%s: fault: %u more", head, found->faults.count - shown);
	for (uint32_t i = 0; i < found->said.count; i++)
		out_line(out, "%s: %s", head, tree_chars(&found->said, &found->said.at[i]));
	out_line(out, "%s: this is %s, and %s is its tool", head, found->format->title,
		 found->format->tool);
	out_line(out, "try: %s", found->hint);
}

void inspect_other_explain(struct out *out, const struct other_probe *probe)
{
	for (uint32_t i = 0; !out_is_json(out) && i < probe->count; i++)
		explain(out, probe->at[i]);
}

static const struct field set_fields[] = {
	{ "type", FIELD_TEXT, "TYPE" },  { "uuid", FIELD_TEXT, "SET" },
	{ "name", FIELD_TEXT, "NAME" },  { "generation", FIELD_COUNT, "GENERATION" },
	{ "tool", FIELD_TEXT, "TOOL" },  { "members", FIELD_LIST, NULL },
	{ "missing", FIELD_LIST, NULL }, { 0 },
};
static const struct field set_member_fields[] = {
	{ "path", FIELD_TEXT, "PATH" },
	{ "member", FIELD_TEXT, "MEMBER" },
	{ "generation", FIELD_COUNT, "GENERATION" },
	{ "behind", FIELD_COUNT, "BEHIND" },
	{ "faults", FIELD_COUNT, "FAULTS" },
	{ 0 },
};

static void set_members_show(struct out *out, const struct other_set *set,
			     const struct other_inspected *devices)
{
	out_list_begin(out, "members", set_member_fields);
	for (uint32_t i = 0; i < set->member_count; i++) {
		const struct other_found *found = set->members[i].found;

		out_text(out, devices[set->members[i].device].path);
		out_text(out, found->member[0] ? found->member : NULL);
		out_number(out, found->generation);
		out_number(out, set->newest->generation - found->generation);
		out_number(out, found->faults.count);
	}
	out_list_end(out);
}

static void set_show(struct out *out, const struct other_set *set,
		     const struct other_inspected *devices)
{
	out_text(out, set->newest->format->name);
	out_text(out, set->newest->uuid);
	out_text(out, set->newest->name[0] ? set->newest->name : NULL);
	out_number(out, set->newest->generation);
	out_text(out, set->newest->format->tool);
	set_members_show(out, set, devices);
	out_texts_begin(out, "missing");
	for (uint32_t i = 0; i < set->missing.count; i++)
		out_texts_add(out, tree_chars(&set->missing, &set->missing.at[i]));
	out_texts_end(out);
}

/* For people, below the table. */
static void set_explain(struct out *out, const struct other_set *set,
			const struct other_inspected *devices)
{
	set_members_show(out, set, devices);
	for (uint32_t i = 0; i < set->missing.count; i++)
		out_line(out, "%s is missing", tree_chars(&set->missing, &set->missing.at[i]));
	for (uint32_t i = 0; i < set->member_count; i++) {
		uint64_t behind = set->newest->generation - set->members[i].found->generation;

		if (behind)
			out_line(out, "%s is %" PRIu64 " behind the newest: it missed changes",
				 devices[set->members[i].device].path, behind);
	}
	out_line(out, "try: %s", set->newest->hint);
}

static uint32_t inputs_of(struct other_input *inputs, const struct other_inspected *devices,
			  size_t count)
{
	uint32_t used = 0;

	for (size_t i = 0; i < count; i++) {
		for (uint32_t at = 0; at < devices[i].probe.count; at++)
			inputs[used++] =
				(struct other_input){ devices[i].probe.at[at], (uint32_t)i };
	}
	return used;
}

int inspect_other_compare(struct out *out, const struct other_inspected *devices, size_t count,
			  struct err *err)
{
	struct other_input *inputs = mem_calloc(count * OTHER_FORMATS, sizeof(*inputs));
	struct other_sets sets = { 0 };
	int rc;

	if (!inputs)
		return err_set(err, ERR_NOMEM, "no memory to compare %zu devices", count);
	rc = other_sets_compare(&sets, inputs, inputs_of(inputs, devices, count), err);
	if (rc == 0 && sets.count) {
		out_list_begin(out, "sets", set_fields);
		for (uint32_t i = 0; i < sets.count; i++)
			set_show(out, &sets.at[i], devices);
		out_list_end(out);
	}
	for (uint32_t i = 0; rc == 0 && !out_is_json(out) && i < sets.count; i++)
		set_explain(out, &sets.at[i], devices);
	other_sets_reset(&sets);
	mem_free(inputs);
	return rc;
}

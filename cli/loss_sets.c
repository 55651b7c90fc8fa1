/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/loss_sets.h"

#include <string.h>

static const struct field range_fields[] = {
	{ "volume", FIELD_TEXT, NULL },
	{ "offset", FIELD_COUNT, NULL },
	{ "length", FIELD_BYTES, NULL },
	{ 0 },
};
static const struct field loss_fields[] = {
	{ "members", FIELD_LIST, "MEMBERS" }, { "labels", FIELD_LIST, "LABELS" },
	{ "verdict", FIELD_TEXT, "VERDICT" }, { "lost_bytes", FIELD_BYTES, "LOST" },
	{ "lost", FIELD_LIST, NULL },         { 0 },
};

static struct loss_unit *unit_of(struct loss_units *units, const char *label)
{
	for (uint32_t i = 0; label && i < units->count; i++) {
		if (units->at[i].label && strcmp(units->at[i].label, label) == 0)
			return &units->at[i];
	}
	units->at[units->count] = (struct loss_unit){ .label = label };
	return &units->at[units->count++];
}

int loss_units_collect(struct loss_units *units_out, const struct array *array, const char *key,
		       struct err *err)
{
	const struct map *map = array_map(array);
	bool found = false;

	*units_out = (struct loss_units){ 0 };
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];
		const char *label =
			key ? label_value(member->labels, member->label_count, key) : NULL;

		found = found || label;
		if (!array_member_usable(array, member->slot))
			continue;
		struct loss_unit *unit = unit_of(units_out, label);
		unit->members = member_set_with(unit->members, member->slot);
	}
	if (!key || found)
		return 0;
	err_set(err, ERR_NOT_FOUND, "no member has a label '%s'", key);
	return err_hint(err, "pgctl status %s shows the labels", map->name);
}

bool loss_extent_usable(const void *arg, const struct extent *extent)
{
	return array_extent_usable(arg, extent);
}

void loss_rows_begin(struct out *out)
{
	out_list_begin(out, "losses", loss_fields);
}

void loss_rows_end(struct out *out)
{
	out_list_end(out);
}

static void show_range(void *arg, const struct survive_range *range)
{
	struct out *out = arg;

	out_text(out, range->volume->name);
	out_number(out, range->offset);
	out_number(out, range->length);
}

int loss_row(enum survive_verdict *verdict_out, struct out *out, const struct survive *survive,
	     const struct loss_set *set, struct err *err)
{
	struct survive_answer answer;
	int rc = survive_ask(&answer, survive, set->members);

	out_texts_begin(out, "members");
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (member_set_has(set->members, slot))
			out_texts_add_number(out, slot);
	}
	out_texts_end(out);
	out_texts_begin(out, "labels");
	for (uint32_t i = 0; i < set->label_count; i++)
		out_texts_add(out, set->labels[i]);
	out_texts_end(out);
	out_text(out, survive_verdict_name(answer.verdict));
	out_number(out, answer.bytes);
	out_list_begin(out, "lost", range_fields);
	if (!rc && answer.bytes > 0 && out_is_json(out))
		rc = survive_find(survive, set->members, show_range, out);
	out_list_end(out);
	*verdict_out = answer.verdict;
	return rc ? err_set(err, rc, "no memory to look for what would be lost") : 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl list: what arrays are in some directories, from the superblocks alone. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"

static const struct field array_fields[] = {
	{ "name", FIELD_TEXT, "ARRAY" },
	{ "uuid", FIELD_TEXT, "UUID" },
	{ "members", FIELD_COUNT, "MEMBERS" }, /* found, not how many there should be */
	{ "epoch", FIELD_COUNT, NULL },
	{ "generation", FIELD_COUNT, "GENERATION" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "adoption", FIELD_TEXT, NULL },
	{ 0 },
};

/* How far an array is adopted, as far as superblocks say it; NULL: it has to do with none. */
static const char *adoption_of(const struct found_array *found)
{
	if (found->half)
		return "half";
	return found->adopted && !found->md ? "reversible" : NULL;
}

/* For people: what it waits for. */
static void adoption_say(struct out *out, const struct found_array *found)
{
	if (found->half)
		out_line(
			out,
			"array '%s' is adopted, or given back, in part: pgctl adopt --undo %s puts "
			"everything back, pgctl adopt begins anew",
			found->name, found->path);
	else if (adoption_of(found))
		out_line(out,
			 "array '%s' was adopted: pgctl adopt --commit %s keeps it, pgctl adopt "
			 "--undo "
			 "%s gives it back",
			 found->name, found->path, found->path);
}

static int cmd_list_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct found_arrays arrays = { 0 };
	int rc = 0;

	(void)verdict_out;
	if (inv->operand_count == 0)
		rc = cli_arrays_find(&arrays, inv, ".", err);
	for (size_t i = 0; rc == 0 && i < inv->operand_count; i++)
		rc = cli_arrays_find(&arrays, inv, inv->operands[i], err);
	if (rc)
		goto out_reset;

	out_list_begin(inv->out, "arrays", array_fields);
	for (size_t i = 0; i < arrays.count; i++) {
		const struct found_array *found = &arrays.at[i];

		out_text(inv->out, found->name);
		out_uuid(inv->out, &found->uuid);
		out_number(inv->out, found->members_found);
		out_number(inv->out, found->epoch);
		out_number(inv->out, found->generation);
		out_text(inv->out, found->path);
		out_text(inv->out, adoption_of(found));
	}
	out_list_end(inv->out);
	for (size_t i = 0; i < arrays.count; i++)
		adoption_say(inv->out, &arrays.at[i]);

out_reset:
	cli_arrays_reset(&arrays);
	return rc;
}

static const char *const examples[] = {
	"pgctl list",
	"pgctl list disks backup",
	NULL,
};

const struct command cmd_list = {
	.name = "list",
	.summary = "what arrays are in these directories, or in the current one",
	.group = GROUP_LIFE,
	.operands = "[DIR…]",
	.operands_max = OPERANDS_ANY,
	.examples = examples,
	.run = cmd_list_run,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl volume: make, rename, remove and list the volumes of an array. */
#include "cli/command.h"
#include "cli/confirm.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/policy_args.h"
#include "core/array/array.h"
#include "core/base/units.h"
#include "core/job/transfer.h"

#include <inttypes.h>

/* ---- create */

struct volume_create_args {
	uint64_t size;
	struct policy_args policy;
};

static const struct volume_create_args volume_create_defaults = { .policy = POLICY_ARGS_NONE };

static const struct option_spec volume_create_options[] = {
	{ "size", OPTION_SIZE, offsetof(struct volume_create_args, size), "SIZE",
	  "length of the volume; without it the volume is empty" },
	POLICY_OPTIONS(volume_create_args, policy),
	{ 0 },
};

static void created_show(const struct invocation *inv, const struct array *array,
			 const struct policy *policy, uint64_t length)
{
	out_object_begin(inv->out, "volume");
	out_value_text(inv->out, "name", inv->operands[1]);
	out_value_bytes(inv->out, "length", length);
	policy_show(inv->out, policy, &array_map(array)->geometry);
	out_object_end(inv->out);
}

static int volume_create(const struct invocation *inv, struct array *array, struct err *err)
{
	const struct volume_create_args *args = inv->args;
	struct map *map = array_map(array);
	struct policy policy = map->policy;
	int rc = map_name_check(inv->operands[1], err);

	if (rc == 0)
		rc = policy_args_apply(&policy, &args->policy, &map->geometry, err);
	if (rc == 0)
		rc = policy_args_literal(&policy, &args->policy, map->member_count, err);
	if (rc)
		return rc;
	if (map_volume_named(map, inv->operands[1]))
		return err_set(err, ERR_EXISTS, "volume %s exists already", inv->operands[1]);

	if (plan_only(inv))
		plan_show_map(inv, "one volume more");
	else
		rc = volume_create_run(array, inv->operands[1], &policy, args->size, err);
	if (rc == 0)
		created_show(inv, array, &policy, args->size);
	return rc;
}

static int volume_create_cmd(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = volume_create(inv, array, err);
	array_close(array);
	return rc;
}

static const struct command verb_create = {
	.name = "create",
	.summary = "make an empty volume with its own layout",
	.group = GROUP_LIFE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY NAME",
	.operands_min = 2,
	.operands_max = 2,
	.options = volume_create_options,
	.args_size = sizeof(struct volume_create_args),
	.defaults = &volume_create_defaults,
	.run = volume_create_cmd,
};

/* ---- resize */

struct volume_resize_args {
	uint64_t size;
};

static const struct volume_resize_args volume_resize_defaults = { .size = UINT64_MAX };

static const struct option_spec volume_resize_options[] = {
	{ "size", OPTION_SIZE, offsetof(struct volume_resize_args, size), "SIZE",
	  "the new length" },
	{ 0 },
};

static int volume_resize_cmd(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct volume_resize_args *args = inv->args;
	const struct volume *volume = NULL;
	struct array *array = NULL;
	int rc;

	(void)verdict_out;
	if (args->size == UINT64_MAX)
		return err_set(err, ERR_USAGE, "--size is missing");
	rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_READ, err);
	if (rc)
		return rc;
	rc = cli_volume_find(&volume, array, inv->operands[1], err);
	if (rc)
		goto out_close;

	if (volume->length != args->size) {
		rc = err_set(err, ERR_UNSUPPORTED,
			     "volume %s has %" PRIu64 " bytes and keeps them: this version writes "
			     "a volume once, as a whole",
			     volume->name, volume->length);
		err_hint(err, "pgctl put %s FILE --as NEWNAME, then pgctl volume remove",
			 inv->operands[0]);
		goto out_close;
	}
	out_value_text(inv->out, "name", volume->name);
	out_value_bytes(inv->out, "length", volume->length);

out_close:
	array_close(array);
	return rc;
}

static const struct command verb_resize = {
	.name = "resize",
	.summary = "change the length of a volume",
	.group = GROUP_LIFE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY VOLUME",
	.operands_min = 2,
	.operands_max = 2,
	.options = volume_resize_options,
	.args_size = sizeof(struct volume_resize_args),
	.defaults = &volume_resize_defaults,
	.run = volume_resize_cmd,
};

/* ---- rename */

static int volume_rename(const struct invocation *inv, struct array *array, struct err *err)
{
	const char *to = inv->operands[2];
	const struct volume *volume = NULL;
	int rc = cli_volume_find(&volume, array, inv->operands[1], err);

	if (rc == 0)
		rc = map_name_check(to, err);
	if (rc)
		return rc;
	if (map_volume_named(array_map(array), to))
		return err_set(err, ERR_EXISTS, "volume %s exists already", to);

	if (plan_only(inv))
		plan_show_map(inv, "another name of a volume");
	else
		rc = array_volume_rename(array, inv->operands[1], to, err);
	if (rc)
		return rc;
	out_value_text(inv->out, "from", inv->operands[1]);
	out_value_text(inv->out, "to", to);
	return 0;
}

static int volume_rename_cmd(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = volume_rename(inv, array, err);
	array_close(array);
	return rc;
}

static const struct command verb_rename = {
	.name = "rename",
	.summary = "give a volume another name",
	.group = GROUP_LIFE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY VOLUME NAME",
	.operands_min = 3,
	.operands_max = 3,
	.run = volume_rename_cmd,
};

/* ---- remove */

static int volume_remove(const struct invocation *inv, struct array *array, struct err *err)
{
	char size[UNITS_TEXT_SIZE];
	const struct volume *volume = NULL;
	uint64_t length;
	int rc = cli_volume_find(&volume, array, inv->operands[1], err);

	if (rc)
		return rc;
	length = volume->length;
	if (plan_only(inv)) {
		plan_show_map(inv, "one volume less");
	} else {
		rc = cli_confirm(inv, err, "remove volume %s with %s of data?", volume->name,
				 units_text(size, length));
		if (rc == 0)
			rc = array_volume_remove(array, inv->operands[1], err);
	}
	if (rc)
		return rc;
	out_value_text(inv->out, "name", inv->operands[1]);
	out_value_bytes(inv->out, "length", length);
	return 0;
}

static int volume_remove_cmd(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = volume_remove(inv, array, err);
	array_close(array);
	return rc;
}

static const struct command verb_remove = {
	.name = "remove",
	.summary = "remove a volume and free its extents",
	.group = GROUP_LIFE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY VOLUME",
	.operands_min = 2,
	.operands_max = 2,
	.run = volume_remove_cmd,
};

/* ---- list */

static const struct field volume_fields[] = {
	{ "name", FIELD_TEXT, "VOLUME" },    { "length", FIELD_BYTES, "LENGTH" },
	{ "layout", FIELD_TEXT, "LAYOUT" },  { "parity", FIELD_COUNT, "PARITY" },
	{ "copies", FIELD_COUNT, "COPIES" }, { "levels", FIELD_COUNT, "LEVELS" },
	{ "health", FIELD_TEXT, "HEALTH" },  { 0 },
};

/* As in `status`: what a group survives by equations, and how many copies it keeps. */
static void volume_show(struct out *out, const struct array *array, const struct volume *volume)
{
	const struct policy *policy = &volume->policy;
	bool is_sequential = policy->layout == LAYOUT_SEQUENTIAL;

	out_text(out, volume->name);
	out_number(out, volume->length);
	out_text(out, layout_name(policy->layout));
	out_number(out, policy->layout == LAYOUT_PARITY ? policy->checks : is_sequential);
	out_number(out, policy->layout == LAYOUT_MIRROR ? policy->checks + UINT64_C(1) : 1);
	if (is_sequential)
		out_number(out, policy->checks);
	else
		out_none(out);
	out_text(out, health_name(array_volume_health(array, volume)));
}

static int volume_list_cmd(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	(void)verdict_out;
	if (rc)
		return rc;
	out_list_begin(inv->out, "volumes", volume_fields);
	for (uint32_t i = 0; i < array_map(array)->volume_count; i++)
		volume_show(inv->out, array, array_map(array)->volumes[i]);
	out_list_end(inv->out);
	array_close(array);
	return 0;
}

static const struct command verb_list = {
	.name = "list",
	.summary = "list the volumes of an array",
	.group = GROUP_LIFE,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.run = volume_list_cmd,
};

static const struct command *const volume_verbs[] = {
	&verb_create, &verb_resize, &verb_rename, &verb_remove, &verb_list, NULL,
};
static const char *const volume_examples[] = {
	"pgctl volume list tank/",
	"pgctl volume create tank/ scratch --layout plain",
	"pgctl volume remove tank/ old --yes",
	NULL,
};

const struct command cmd_volume = {
	.name = "volume",
	.summary = "make, rename, remove and list volumes",
	.group = GROUP_LIFE,
	.examples = volume_examples,
	.verbs = volume_verbs,
};

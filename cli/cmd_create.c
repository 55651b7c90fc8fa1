/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl create: make an array from image files and devices, making the files where asked.
 *
 * This file turns words into the core's request; what becomes a member is new_member.h's business,
 * defaults and limits are the core's.
 */
#include "cli/command.h"
#include "cli/create_md.h"
#include "cli/labels.h"
#include "cli/new_member.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/policy_args.h"
#include "core/array/array.h"
#include "core/base/mem.h"

#include <string.h>

struct create_args {
	uint64_t size;
	struct policy_args policy;
	struct text_list spares;
	struct text_list labels;
	const char *across;
	int topology; /* enum topology */
	int zones;    /* enum zones */
	int journal;  /* enum journal_mode */
	struct create_md_args md;
};

static const struct create_args create_defaults = {
	.policy = POLICY_ARGS_NONE,
	.journal = JOURNAL_DEGRADED,
	.md = { .format = CREATE_NATIVE },
};

static const char *const topology_words[] = { "free", "pairs", "ring", "multi", "cross", NULL };
static const char *const zones_words[] = { "off", "dynamic", "static", NULL };
static const char *const journal_words[] = { "none", "degraded", "small", NULL };

_Static_assert(TOPOLOGY_FREE == 0 && TOPOLOGY_PAIRS == 1 && TOPOLOGY_RING == 2 &&
		       TOPOLOGY_MULTI == 3 && TOPOLOGY_CROSS == 4 && TOPOLOGY_COUNT == 5,
	       "the words follow enum topology");
_Static_assert(ZONES_OFF == 0 && ZONES_DYNAMIC == 1 && ZONES_STATIC == 2 && ZONES_COUNT == 3,
	       "the words follow enum zones");
_Static_assert(JOURNAL_NONE == 0 && JOURNAL_DEGRADED == 1 && JOURNAL_SMALL == 2 &&
		       JOURNAL_COUNT == 3,
	       "the words follow enum journal_mode");

static const struct option_spec create_options[] = {
	{ "size", OPTION_SIZE, offsetof(struct create_args, size), "SIZE",
	  "make image files of this size, sparse, where no file exists" },
	POLICY_OPTIONS(create_args, policy),
	{ "spare", OPTION_LIST, offsetof(struct create_args, spares), "MEMBER",
	  "one more member, as a spare that holds nothing until it is needed", 'x' },
	{ "label", OPTION_LIST, offsetof(struct create_args, labels), "MEMBER:KEY=VALUE,…",
	  "labels of a member (its path or number), as node=a,power=2" },
	{ "across", OPTION_TEXT, offsetof(struct create_args, across), "KEY,…",
	  "no two extents of a group on members with the same value of this label" },
	{ "topology", OPTION_CHOICE, offsetof(struct create_args, topology), "WORD",
	  "where mirror copies go: free, pairs, ring, multi or cross", .choices = topology_words },
	{ "zones", OPTION_CHOICE, offsetof(struct create_args, zones), "WORD",
	  "first copies from the fast end of members: dynamic, static or off",
	  .choices = zones_words },
	{ "journal", OPTION_CHOICE, offsetof(struct create_args, journal), "WORD",
	  "writes that carry their content in the log: none, degraded or small",
	  .choices = journal_words },
	CREATE_MD_OPTIONS(create_args, md),
	{ 0 },
};

/* What one run needs, on the heap for its size. */
struct create_work {
	struct new_members members;
	struct dev *devs[MEMBERS_MAX];
	struct label_table labels;
	struct array_create_request request;
	struct array_plan plan;
};

static int members_open(struct create_work *work, const struct invocation *inv, struct err *err)
{
	const struct create_args *args = inv->args;
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < inv->operand_count; i++)
		rc = new_members_open(&work->members, inv, inv->operands[i], args->size, err);
	for (size_t i = 0; rc == 0 && i < args->spares.count; i++)
		rc = new_members_open(&work->members, inv, args->spares.at[i], args->size, err);
	for (uint32_t i = 0; i < work->members.count; i++)
		work->devs[i] = work->members.at[i].dev;
	return rc;
}

static int labels_fill(struct create_work *work, const struct create_args *args, struct err *err)
{
	const char *paths[MEMBERS_MAX];
	int rc = 0;

	for (uint32_t i = 0; i < work->members.count; i++)
		paths[i] = work->members.at[i].path;
	for (size_t i = 0; rc == 0 && i < args->labels.count; i++)
		rc = label_table_add(&work->labels, paths, work->members.count, args->labels.at[i],
				     err);
	return rc;
}

/* Name and policy are words alone: they are settled before any file is touched. */
static int policy_fill(struct policy *policy, const struct invocation *inv, struct err *err)
{
	const struct create_args *args = inv->args;
	uint32_t member_count = (uint32_t)inv->operand_count - 1;
	int rc;

	*policy = policy_for_members(member_count);
	rc = map_name_check(inv->operands[0], err);
	if (rc == 0)
		rc = policy_args_apply(policy, &args->policy, NULL, err);
	if (rc == 0)
		rc = policy_args_literal(policy, &args->policy, member_count, err);
	if (rc == 0 && args->across)
		rc = label_across_check(args->across, err);
	policy->journal = (enum journal_mode)args->journal;
	policy->topology = (enum topology)args->topology;
	policy->zones = (enum zones)args->zones;
	return rc;
}

static void request_fill(struct create_work *work, const struct invocation *inv)
{
	const struct create_args *args = inv->args;
	struct array_create_request *request = &work->request;

	request->env = inv->env;
	request->name = inv->operands[0];
	request->devs = work->devs;
	request->dev_count = work->members.count;
	request->spare_count = (uint32_t)args->spares.count;
	request->labels = label_table_rows(&work->labels);
	request->label_counts = work->labels.counts;
	request->across = args->across;
	if (args->policy.extent != POLICY_ARG_NONE)
		request->extent_size = args->policy.extent;
}

/* SPEC 4.3: a width that leaves no member to protect a lost one's extents on again. */
static void width_warn(const struct invocation *inv, const struct create_work *work)
{
	uint32_t members = work->members.count;
	uint32_t columns = work->plan.policy.columns;

	if (columns > 1 && columns >= members)
		out_warn(inv->out,
			 "groups of %u columns need all members: after a loss nothing is protected "
			 "again before another member joins",
			 columns);
}

/* What zones are good for is a property of the disks, which nobody has measured. */
static void zones_warn(const struct invocation *inv)
{
	const struct create_args *args = inv->args;

	if (args->zones != ZONES_OFF)
		out_warn(inv->out,
			 "--zones %s takes low addresses as the fast ones, as on spinning disks; "
			 "elsewhere there is no difference: pgctl measure --zones finds out",
			 zones_words[args->zones]);
}

static const struct field member_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },  { "path", FIELD_TEXT, "PATH" },
	{ "size", FIELD_BYTES, "SIZE" },  { "spare", FIELD_FLAG, "SPARE" },
	{ "created", FIELD_FLAG, "NEW" }, { 0 },
};

/* Members get their numbers in the order in which they were named. */
static void members_show(struct out *out, const struct create_work *work)
{
	uint32_t count = work->members.count;

	out_list_begin(out, "members", member_fields);
	for (uint32_t i = 0; i < count; i++) {
		const struct new_member *member = &work->members.at[i];

		out_number(out, i);
		out_text(out, member->path);
		out_number(out, dev_info(work->devs[i])->size);
		out_flag(out, i >= count - work->request.spare_count);
		out_flag(out, !member->existed);
	}
	out_list_end(out);
}

static void array_show(struct out *out, const struct create_work *work, const struct uuid *uuid)
{
	const struct array_plan *plan = &work->plan;

	out_object_begin(out, "array");
	out_value_text(out, "name", work->request.name);
	if (uuid)
		out_value_uuid(out, "uuid", uuid);
	policy_show(out, &plan->policy, &plan->geometry);
	out_object_end(out);
	out_object_begin(out, "capacity");
	out_value_bytes(out, "raw", plan->raw);
	out_value_bytes(out, "usable", plan->usable);
	out_object_end(out);
	members_show(out, work);
}

static int create_and_show(struct create_work *work, const struct invocation *inv, struct err *err)
{
	struct array *array = NULL;
	int rc;

	for (uint32_t i = 0; i < work->members.count; i++)
		new_member_number(&work->members.at[i], inv, i);
	rc = array_create(&array, &work->request, err);
	if (rc)
		return rc;
	array_show(inv->out, work, &array_map(array)->uuid);
	for (uint32_t i = 0; i < work->members.count; i++)
		new_member_taken(&work->members.at[i]);
	new_members_keep(&work->members);
	array_close(array);
	return 0;
}

static int create_native(const struct invocation *inv, struct err *err)
{
	const struct create_args *args = inv->args;
	struct create_work *work;
	int rc;

	work = mem_calloc(1, sizeof(*work));
	if (!work)
		return err_set(err, ERR_NOMEM, "no memory");

	rc = policy_fill(&work->request.policy, inv, err);
	if (rc == 0)
		rc = members_open(work, inv, err);
	if (rc == 0)
		rc = labels_fill(work, args, err);
	if (rc)
		goto out_close;
	request_fill(work, inv);
	rc = array_plan_create(&work->plan, &work->request, err);
	if (rc)
		goto out_close;

	zones_warn(inv);
	width_warn(inv, work);
	new_members_show(&work->members, inv);
	if (plan_only(inv)) {
		const struct plan_row row = { "super, map and log", work->plan.metadata_bytes };

		array_show(inv->out, work, NULL);
		plan_show(inv, &row, 1);
	} else {
		rc = create_and_show(work, inv, err);
	}

out_close:
	new_members_close(&work->members);
	mem_free(work);
	return rc;
}

static int create_foreign(const struct invocation *inv, struct err *err)
{
	const struct create_args *args = inv->args;
	const struct create_md create = {
		.args = &args->md,
		.size = args->size,
		.chunk = args->policy.chunk == POLICY_ARG_NONE ? 0 : args->policy.chunk,
		.spares = &args->spares,
	};

	return create_md_run(inv, &create, err);
}

static int cmd_create_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct create_args *args = inv->args;
	int rc = map_name_check(inv->operands[0], err);

	(void)verdict_out;
	if (rc == 0)
		rc = create_md_check(inv, &args->md, err);
	if (rc)
		return rc;
	return args->md.format == CREATE_NATIVE ? create_native(inv, err)
						: create_foreign(inv, err);
}

static const char *const create_details[] = {
	"Members are image files or block devices of any size, the same or not. With --size, image "
	"files that do not exist are made; files that exist keep their size and must hold nothing: "
	"what libblkid or pgctl finds on one is named, and overwritten only with --force.",
	"The layout options become the default of new volumes; `put` and `volume create` take the "
	"same options for one volume. Without --layout, one member is plain, two are a mirror, "
	"three and more are parity 1.",
	"With --format it is an array of Linux MD, of the --level and in the --order that are "
	"named, or left-symmetric for "
	"levels 5 and 6 and near=2 for 10; the word missing stands for a member that is not there. "
	"It is clean: new "
	"images are zeros, and of other members the whole content is replaced by zeros first (of "
	"levels linear and 0 the "
	"2 MiB at either end), so that parity and copies are true.",
	"If anything fails, the image files that this command made are removed again.",
	NULL,
};
static const char *const create_examples[] = {
	"pgctl create tank --size 1G d0.img d1.img d2.img d3.img",
	"pgctl create safe --size 1G --layout parity --parity 2 d0.img d1.img d2.img d3.img d4.img",
	"pgctl create box --format md-1.2 --level 5 --size 1G d0.img d1.img d2.img",
	"pgctl create films --layout sequential --levels 2 /dev/sdb /dev/sdc /dev/sdd --plan",
	NULL,
};

const struct command cmd_create = {
	.name = "create",
	.summary = "make an array from image files and devices",
	.group = GROUP_LIFE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "NAME MEMBER…",
	.operands_min = 2,
	.operands_max = OPERANDS_ANY,
	.options = create_options,
	.args_size = sizeof(struct create_args),
	.defaults = &create_defaults,
	.details = create_details,
	.examples = create_examples,
	.run = cmd_create_run,
};

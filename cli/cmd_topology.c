/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl topology: on which members the copies of mirrors lie; show it, set it, check it. */
#include "cli/command.h"
#include "cli/labels.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/relayouting.h"
#include "core/job/arrange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- show */

struct show_args {
	const char *risk;
};

static const struct option_spec show_options[] = {
	{ "risk", OPTION_TEXT, offsetof(struct show_args, risk), "P,Q",
	  "chance of a double failure, where a member fails alone with P, a whole set with Q" },
	{ 0 },
};

static const struct field ring_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "set", FIELD_TEXT, "SET" },
	{ "copies_on", FIELD_LIST, "COPIES ON" },
	{ 0 },
};
static const struct field volume_fields[] = {
	{ "name", FIELD_TEXT, "VOLUME" },
	{ "topology", FIELD_TEXT, "TOPOLOGY" },
	{ "copies", FIELD_COUNT, "COPIES" },
	{ 0 },
};

static void ring_show(const struct invocation *inv, const struct topology_ring *ring,
		      enum topology topology, uint32_t copies)
{
	struct out *out = inv->out;

	out_list_begin(out, "members", ring_fields);
	for (uint32_t i = 0; i < ring->count; i++) {
		uint32_t homes[CODE_MIRROR_MAX], count = 0;

		if (topology != TOPOLOGY_FREE)
			count = topology_homes(ring, topology, ring->slots[i], copies, homes);
		out_number(out, ring->slots[i]);
		out_text(out, cli_member_path(inv, ring->slots[i]));
		out_text(out, ring->sets[i]);
		out_texts_begin(out, "copies_on");
		for (uint32_t h = 1; h < count; h++)
			out_texts_add_number(out, homes[h]);
		out_texts_end(out);
	}
	out_list_end(out);
}

static void volumes_show(struct out *out, const struct map *map)
{
	out_list_begin(out, "volumes", volume_fields);
	for (uint32_t i = 0; i < map->volume_count; i++) {
		const struct volume *volume = map->volumes[i];

		if (volume->policy.layout != LAYOUT_MIRROR)
			continue;
		out_text(out, volume->name);
		out_text(out, topology_name(volume->policy.topology));
		out_number(out, volume->policy.checks + UINT64_C(1));
	}
	out_list_end(out);
}

static int chance_read(double *chance_out, const char *text, char end, const char **rest_out,
		       struct err *err)
{
	char *rest;

	*chance_out = strtod(text, &rest);
	if (rest == text || *rest != end || !(*chance_out >= 0 && *chance_out <= 1))
		return err_set(err, ERR_USAGE,
			       "--risk takes two chances between 0 and 1, as 0.001,0.0001");
	*rest_out = rest + 1;
	return 0;
}

static void chance_show(struct out *out, const char *key, double chance)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3e", chance);
	out_value_text(out, key, text);
}

/* SPEC: that sets help is no property of the layout; it takes failures that members of a set share. */
static void risk_show(struct out *out, double p, double q)
{
	const struct topology_risk risk = topology_risk(p, q);

	out_object_begin(out, "risk");
	chance_show(out, "member_fails", p);
	chance_show(out, "set_fails", q);
	chance_show(out, "two_of_one_set", risk.same_set);
	chance_show(out, "one_of_each_set", risk.other_set);
	out_value_flag(out, "sets_help", risk.other_set < risk.same_set);
	out_object_end(out);
	if (!(risk.other_set < risk.same_set))
		out_line(out,
			 "Both are equal: sets help only where members of a set fail together.");
}

static int array_show(const struct invocation *inv, const struct array *array)
{
	const struct map *map = array_map(array);
	struct topology_ring ring;
	uint32_t copies = map->policy.layout == LAYOUT_MIRROR ? map->policy.checks + 1u : 2;

	arrange_ring(array, &ring);
	out_value_text(inv->out, "topology", topology_name(map->policy.topology));
	out_value_text(inv->out, "across", map->across[0] ? map->across : NULL);
	if (map->policy.topology != TOPOLOGY_FREE) {
		const struct topology_losses losses =
			topology_losses(&ring, map->policy.topology, copies);

		out_value(inv->out, "pairs_of_members", losses.pairs);
		out_value(inv->out, "fatal_pairs", losses.fatal);
		out_value(inv->out, "fatal_pairs_in_a_set", losses.fatal_in_set);
	}
	ring_show(inv, &ring, map->policy.topology, copies);
	volumes_show(inv->out, map);
	return 0;
}

static int show_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct show_args *args = inv->args;
	struct array *array = NULL;
	double p = 0, q = 0;
	const char *rest = args->risk;
	int rc = 0;

	(void)verdict_out;
	if (args->risk)
		rc = chance_read(&p, args->risk, ',', &rest, err);
	if (!rc && args->risk)
		rc = chance_read(&q, rest, '\0', &rest, err);
	if (!rc)
		rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);
	if (rc)
		return rc;
	rc = array_show(inv, array);
	if (args->risk)
		risk_show(inv->out, p, q);
	array_close(array);
	return rc;
}

/* ---- check */

static const struct field fault_fields[] = {
	{ "group", FIELD_COUNT, "GROUP" },
	{ "extent", FIELD_COUNT, "EXTENT" },
	{ "column", FIELD_COUNT, "COLUMN" },
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "kind", FIELD_TEXT, "KIND" },
	{ "domain", FIELD_TEXT, "DOMAIN" },
	{ 0 },
};

static void fault_show(void *arg, const struct arrange_fault *fault)
{
	struct out *out = arg;
	const struct extent *extent = &fault->group->extents[fault->column];

	out_number(out, fault->group->id);
	out_number(out, extent->id);
	out_number(out, fault->column);
	out_number(out, extent->slot);
	out_text(out, fault->kind == ARRANGE_DOMAIN ? "domain" : "home");
	out_text(out, fault->domain);
}

static int check_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	uint64_t count;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	if (rc)
		return rc;
	out_list_begin(inv->out, "extents", fault_fields);
	count = arrange_check(array, fault_show, inv->out);
	out_list_end(inv->out);
	out_value(inv->out, "found", count);
	if (count > 0)
		*verdict_out |= VERDICT_LEFT;
	array_close(array);
	return 0;
}

/* ---- set */

struct set_args {
	const char *across;
	const char *volume;
};

static const struct option_spec set_options[] = {
	{ "across", OPTION_TEXT, offsetof(struct set_args, across), "KEY,…",
	  "no two extents of a group share this label; cross: its two values are the sets" },
	{ "volume", OPTION_TEXT, offsetof(struct set_args, volume), "VOLUME",
	  "of this mirror alone, not of all and of new ones" },
	{ 0 },
};

static int topology_read(enum topology *topology_out, const char *word, struct err *err)
{
	for (int i = 0; i < TOPOLOGY_COUNT; i++) {
		if (strcmp(word, topology_name((enum topology)i)) == 0) {
			*topology_out = (enum topology)i;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "'%s' is no topology: free, pairs, ring, multi or cross",
		       word);
}

static int set_and_move(const struct invocation *inv, struct array *array,
			const struct arrange_request *request, struct err *err)
{
	const struct relayout_request relayout = { .kind = JOB_TOPOLOGY, .member = MEMBER_NONE };
	struct relayout_report report;
	int rc;

	if (plan_only(inv)) {
		rc = arrange_plan(array, request, &report, err);
		if (!rc)
			relayouting_plan_show(inv, &report);
		return rc;
	}
	rc = arrange_set(array, request, err);
	return rc ? rc : relayouting_run(inv, array, &relayout, err);
}

static int set_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct set_args *args = inv->args;
	struct arrange_request request = { .volume = args->volume, .across = args->across };
	struct array *array = NULL;
	int rc = topology_read(&request.topology, inv->operands[1], err);

	(void)verdict_out;
	if (!rc && args->across && args->across[0]) /* "" takes it away */
		rc = label_across_check(args->across, err);
	if (!rc)
		rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);
	if (rc)
		return rc;
	rc = set_and_move(inv, array, &request, err);
	array_close(array);
	return rc;
}

static const char *const show_details[] = {
	"The members in the order of the ring, the set of each, and where the copies of what it is "
	"the primary of lie; of how many pairs of members the loss of both costs data.",
	"--risk says how probable it is that two given members fail in a period, of one set and of "
	"two, when a member fails by itself with chance P and a whole set at once with chance Q.",
	NULL,
};
static const char *const show_examples[] = { "pgctl topology show tank/ --risk 0.001,0.0001",
					     NULL };
static const struct command verb_show = {
	.name = "show",
	.summary = "where the copies of mirrors lie",
	.group = GROUP_MEMBERS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = show_options,
	.args_size = sizeof(struct show_args),
	.details = show_details,
	.examples = show_examples,
	.run = show_run,
};

static const char *const set_details[] = {
	"The topology of new mirrors and of those that are there: free, pairs, ring, multi or "
	"cross. What does not obey is moved, as a job: copies go to their homes, what lay on a "
	"failed member is made anew there, and no instant has fewer copies than before.",
	"The same command goes on with a job that was stopped, and mends what came out of place "
	"when members joined, failed or left: members that are failed are no part of the ring.",
	NULL,
};
static const char *const set_examples[] = {
	"pgctl topology set tank/ ring --plan",
	"pgctl topology set tank/ cross --across node",
	NULL,
};
static const struct command verb_set = {
	.name = "set",
	.summary = "choose a topology and move what does not obey it",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY TOPOLOGY",
	.operands_min = 2,
	.operands_max = 2,
	.options = set_options,
	.args_size = sizeof(struct set_args),
	.details = set_details,
	.examples = set_examples,
	.run = set_run,
};

static const char *const check_details[] = {
	"Names every extent that shares the first label of --across with another of its group "
	"(domain), and every copy that lies elsewhere than its topology says (home). Exit status 4 "
	"when there is one.",
	NULL,
};
static const struct command verb_check = {
	.name = "check",
	.summary = "name every extent that does not obey",
	.group = GROUP_MEMBERS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.details = check_details,
	.run = check_run,
};

static const struct command *const topology_verbs[] = { &verb_show, &verb_set, &verb_check, NULL };
static const char *const topology_details[] = {
	"pairs: members 0 and 1, 2 and 3 hold each other's copies. ring: each holds the copies of "
	"the one before. multi: the next ones, as many as there are copies. cross: the member at "
	"the same place of the other set; the sets are the two values of the label of --across. "
	"free: wherever there is room.",
	NULL,
};
static const char *const topology_examples[] = { "pgctl topology check tank/", NULL };

const struct command cmd_topology = {
	.name = "topology",
	.summary = "on which members the copies of mirrors lie",
	.group = GROUP_MEMBERS,
	.details = topology_details,
	.examples = topology_examples,
	.verbs = topology_verbs,
};

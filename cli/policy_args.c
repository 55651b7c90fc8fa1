/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/policy_args.h"

#include "cli/output.h"
#include "core/base/bytes.h"

#include <inttypes.h>

/* In the order of enum layout: the parser stores the index. */
const char *const policy_layout_words[] = { "plain", "mirror", "parity", "sequential", NULL };

_Static_assert(LAYOUT_PLAIN == 0 && LAYOUT_MIRROR == 1 && LAYOUT_PARITY == 2 &&
		       LAYOUT_SEQUENTIAL == 3 && LAYOUT_COUNT == 4,
	       "the words follow enum layout");

struct policy policy_for_members(uint32_t member_count)
{
	struct policy policy = { .layout = LAYOUT_PARITY,
				 .checks = 1,
				 .journal = JOURNAL_DEGRADED };

	if (member_count == 1) {
		policy.layout = LAYOUT_PLAIN;
		policy.checks = 0;
	} else if (member_count == 2) {
		policy.layout = LAYOUT_MIRROR;
	}
	return policy;
}

/* An option that only one layout has. */
static int layout_demand(const struct policy *policy, enum layout layout, uint64_t given,
			 const char *option, struct err *err)
{
	if (given == POLICY_ARG_NONE || policy->layout == layout)
		return 0;
	err_set(err, ERR_USAGE, "--%s is an option of --layout %s, and the layout is %s", option,
		policy_layout_words[layout], policy_layout_words[policy->layout]);
	return err_hint(err, "add --layout %s, or leave --%s out", policy_layout_words[layout],
			option);
}

/* A number of an option within bounds, or the old value where it was not given. */
static int number_take(uint16_t *field, uint64_t given, uint64_t least, uint64_t most,
		       const char *option, struct err *err)
{
	if (given == POLICY_ARG_NONE)
		return 0;
	if (given < least || given > most)
		return err_set(err, ERR_LIMIT,
			       "--%s %" PRIu64 ": must be from %" PRIu64 " to %" PRIu64, option,
			       given, least, most);
	*field = (uint16_t)given;
	return 0;
}

static int layout_take(struct policy *policy, const struct policy_args *args, struct err *err)
{
	enum layout layout = policy->layout;

	if (args->layout >= 0)
		layout = (enum layout)args->layout;
	if (args->unmirrored) {
		if (args->layout >= 0 && layout != LAYOUT_PLAIN)
			return err_set(err, ERR_USAGE, "--unmirrored and --layout %s contradict",
				       policy_layout_words[layout]);
		layout = LAYOUT_PLAIN;
	}
	if (layout == policy->layout)
		return 0;
	policy->layout = layout;
	policy->checks = layout == LAYOUT_PLAIN ? 0 : 1;
	policy->columns = 0;
	policy->pure_plus_one = 0;
	return 0;
}

static int checks_take(struct policy *policy, const struct policy_args *args, struct err *err)
{
	uint16_t copies = (uint16_t)(policy->checks + 1);
	int rc = layout_demand(policy, LAYOUT_PARITY, args->parity, "parity", err);

	if (rc == 0)
		rc = layout_demand(policy, LAYOUT_MIRROR, args->copies, "copies", err);
	if (rc == 0)
		rc = layout_demand(policy, LAYOUT_SEQUENTIAL, args->levels, "levels", err);
	if (rc == 0)
		rc = number_take(&policy->checks, args->parity, 1, CODE_PARITY_MAX, "parity", err);
	if (rc == 0)
		rc = number_take(&copies, args->copies, 2, CODE_MIRROR_MAX, "copies", err);
	if (rc == 0)
		rc = number_take(&policy->checks, args->levels, 1, CODE_SEQUENTIAL_LEVELS_MAX,
				 "levels", err);
	if (rc == 0 && args->copies != POLICY_ARG_NONE) {
		policy->checks = (uint16_t)(copies - 1);
		policy->columns = 0;
	}
	return rc;
}

static int width_take(struct policy *policy, const struct policy_args *args, struct err *err)
{
	uint64_t fixed = policy->layout == LAYOUT_PLAIN    ? 1
			 : policy->layout == LAYOUT_MIRROR ? policy->checks + UINT64_C(1)
							   : 0;
	uint64_t least = policy->layout == LAYOUT_PARITY ? policy->checks + UINT64_C(1) : 2;
	uint64_t most = policy->layout == LAYOUT_SEQUENTIAL ? CODE_SEQUENTIAL_COLUMNS_MAX
							    : CODE_COLUMNS_MAX;

	if (args->width == POLICY_ARG_NONE || args->width == fixed)
		return 0;
	if (fixed)
		return err_set(err, ERR_USAGE,
			       "--width %" PRIu64 ": a %s group has %" PRIu64 " extents here",
			       args->width, policy_layout_words[policy->layout], fixed);
	return number_take(&policy->columns, args->width, least, most, "width", err);
}

static int chunk_take(struct policy *policy, const struct policy_args *args, struct err *err)
{
	int rc = layout_demand(policy, LAYOUT_PARITY, args->chunk, "chunk", err);

	if (rc || args->chunk == POLICY_ARG_NONE)
		return rc;
	if (args->chunk == 0 || args->chunk % BLOCK_SIZE != 0 ||
	    args->chunk / BLOCK_SIZE > UINT32_MAX)
		return err_set(err, ERR_SIZE,
			       "--chunk %" PRIu64 ": must be a multiple of %u bytes, and not 0",
			       args->chunk, BLOCK_SIZE);
	policy->unit_blocks = (uint32_t)(args->chunk / BLOCK_SIZE);
	return 0;
}

static int pure_take(struct policy *policy, const struct policy_args *args, struct err *err)
{
	uint64_t columns = policy->columns ? policy->columns : CODE_SEQUENTIAL_COLUMNS_MAX;
	int rc = layout_demand(policy, LAYOUT_SEQUENTIAL, args->pure_on, "pure-on", err);

	if (rc || args->pure_on == POLICY_ARG_NONE)
		return rc;
	if (args->pure_on >= columns)
		return err_set(err, ERR_LIMIT,
			       "--pure-on %" PRIu64 ": columns are numbered from 0 to %" PRIu64,
			       args->pure_on, columns - 1);
	policy->pure_plus_one = (uint8_t)(args->pure_on + 1);
	return 0;
}

int policy_args_apply(struct policy *policy, const struct policy_args *args,
		      const struct geometry *geometry, struct err *err)
{
	int rc = layout_take(policy, args, err);

	if (rc == 0)
		rc = checks_take(policy, args, err);
	if (rc == 0)
		rc = width_take(policy, args, err);
	if (rc == 0)
		rc = chunk_take(policy, args, err);
	if (rc == 0)
		rc = pure_take(policy, args, err);
	if (rc == 0 && geometry && args->extent != POLICY_ARG_NONE)
		rc = policy_size_class(args->extent, geometry, &policy->size_class, err);
	return rc;
}

int policy_args_literal(const struct policy *policy, const struct policy_args *args,
			uint32_t member_count, struct err *err)
{
	struct policy asked = *policy;
	uint64_t column = args->pure_on == POLICY_ARG_NONE ? 0 : args->pure_on;
	int rc;

	if (!args->literal_claim16)
		return 0;
	rc = layout_demand(policy, LAYOUT_SEQUENTIAL, 1, "literal-claim-16", err);
	if (rc)
		return rc;
	if (asked.columns == 0)
		asked.columns = (uint16_t)(member_count < CODE_SEQUENTIAL_COLUMNS_MAX
						   ? member_count
						   : CODE_SEQUENTIAL_COLUMNS_MAX);
	return policy_literal_claim16(&asked, (uint32_t)column, err);
}

void policy_show(struct out *out, const struct policy *policy, const struct geometry *geometry)
{
	uint64_t body = (uint64_t)geometry->frame_body_blocks * BLOCK_SIZE;

	out_value_text(out, "layout", layout_name(policy->layout));
	if (policy->layout == LAYOUT_PARITY)
		out_value(out, "parity", policy->checks);
	if (policy->layout == LAYOUT_MIRROR)
		out_value(out, "copies", policy->checks + UINT64_C(1));
	if (policy->layout == LAYOUT_SEQUENTIAL)
		out_value(out, "levels", policy->checks);
	if (policy->columns)
		out_value(out, "width", policy->columns);
	if (policy->layout == LAYOUT_PARITY && policy->unit_blocks)
		out_value_bytes(out, "chunk", (uint64_t)policy->unit_blocks * BLOCK_SIZE);
	out_value_bytes(out, "extent", body << policy->size_class);
	if (policy->pure_plus_one)
		out_value(out, "pure_on", policy->pure_plus_one - UINT64_C(1));
}

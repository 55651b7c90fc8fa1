/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl migrate: give a volume another layout, while it is in use. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/migrating.h"
#include "cli/plan.h"
#include "cli/policy_args.h"
#include "core/job/migrate.h"

#include <inttypes.h>

struct migrate_args {
	bool resume;
	struct policy_args policy;
};

static const struct migrate_args migrate_defaults = { .policy = POLICY_ARGS_NONE };

static const struct option_spec migrate_options[] = {
	POLICY_OPTIONS(migrate_args, policy),
	{ "resume", OPTION_FLAG, offsetof(struct migrate_args, resume), NULL,
	  "go on with the migration of the volume that was stopped" },
	{ 0 },
};

static bool same_policy(const struct policy *a, const struct policy *b)
{
	return a->layout == b->layout && a->checks == b->checks && a->columns == b->columns &&
	       a->unit_blocks == b->unit_blocks && a->size_class == b->size_class &&
	       a->pure_plus_one == b->pure_plus_one;
}

static bool is_asked_for(const struct policy_args *args)
{
	static const struct policy_args none = POLICY_ARGS_NONE;

	return args->layout != none.layout || args->literal_claim16 ||
	       args->parity != none.parity || args->copies != none.copies ||
	       args->levels != none.levels || args->width != none.width ||
	       args->chunk != none.chunk || args->extent != none.extent ||
	       args->pure_on != none.pure_on;
}

/* What the volume is to become: its own policy, changed by the options; or what an unfinished job says. */
static int choose_policy(struct policy *policy_out, const struct invocation *inv,
			 const struct array *array, struct err *err)
{
	const struct migrate_args *args = inv->args;
	const struct map *map = array_map(array);
	const struct volume *volume = map_volume_named(map, inv->operands[1]);
	const struct job *job = migrate_find_job(array, inv->operands[1]);
	int rc;

	if (!volume)
		return err_set(err, ERR_NOT_FOUND, "there is no volume %s", inv->operands[1]);
	if (args->resume && !job && !is_asked_for(&args->policy)) {
		err_set(err, ERR_NOT_FOUND, "there is no unfinished migration of volume %s",
			volume->name);
		return err_hint(err, "pgctl job list %s", inv->operands[0]);
	}
	*policy_out = volume->policy;
	rc = policy_args_apply(policy_out, &args->policy, &map->geometry, err);
	if (rc == 0)
		rc = policy_args_literal(policy_out, &args->policy, map->member_count, err);
	if (rc || !job)
		return rc;
	if (is_asked_for(&args->policy) && !same_policy(policy_out, &job->policy)) {
		err_set(err, ERR_STATE,
			"volume %s is being migrated to something else by job %" PRIu64,
			volume->name, job->id);
		return err_hint(err,
				"--resume alone goes on with it; pgctl job cancel %s %" PRIu64
				" drops it",
				inv->operands[0], job->id);
	}
	*policy_out = job->policy;
	return 0;
}

static int cmd_migrate_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	struct policy policy;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	if (rc)
		return rc;
	rc = choose_policy(&policy, inv, array, err);
	if (rc == 0)
		rc = migrating_run(inv, array, inv->operands[1], &policy, verdict_out, err);
	array_close(array);
	return rc;
}

static const char *const migrate_details[] = {
	"VOLUME gets groups of another layout, parity count, width, chunk or length of extents; "
	"what "
	"is not given stays as it is. Its bytes are read, verified, written into new groups and "
	"only then do those take the place of the old ones, span by span. All of it can be read at "
	"any time, and is at no instant protected less than by its old groups or the new ones.",
	"Old groups are freed as soon as none of their data are in use, so the room that is needed "
	"is that of a part of the volume; where even that is missing it is said beforehand. "
	"Damaged blocks are rebuilt on the way. Where bytes are lost their span stays as it is, "
	"and `lost` names them.",
	"A migration that was stopped or killed goes on from its last commit: with the same "
	"command, or with --resume; what it left for lost bytes it tries again, and tells. Exit "
	"status: 4 bytes are lost.",
	NULL,
};
static const char *const migrate_examples[] = {
	"pgctl migrate tank/ photos --layout parity --parity 2",
	"pgctl migrate tank/ db --layout mirror --copies 3 --plan",
	"pgctl migrate tank/ photos --resume",
	NULL,
};

const struct command cmd_migrate = {
	.name = "migrate",
	.summary = "give a volume another layout, while it is in use",
	.group = GROUP_MEMBERS,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY VOLUME",
	.operands_min = 2,
	.operands_max = 2,
	.options = migrate_options,
	.args_size = sizeof(struct migrate_args),
	.defaults = &migrate_defaults,
	.details = migrate_details,
	.examples = migrate_examples,
	.run = cmd_migrate_run,
};

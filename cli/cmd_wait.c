/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl wait: until a job is done, or nobody works on the array any more.
 *
 * No process owns jobs: whoever runs one holds the members' locks. So a job that the map calls running
 * while nobody holds the lock was killed, and waiting for it would never end.
 */
#include "cli/command.h"
#include "cli/job_number.h"
#include "cli/members.h"
#include "cli/output.h"
#include "core/array/array.h"
#include "core/env/env.h"

#include <inttypes.h>

#define POLL_NS UINT64_C(300000000)
#define NS_PER_S UINT64_C(1000000000)
#define CHANGED_MAX 20u /* a snapshot that changes so often in a row is a broken one */

struct wait_args {
	uint64_t timeout; /* seconds */
};

static const struct wait_args wait_defaults = { .timeout = UINT64_MAX };

static const struct option_spec wait_options[] = {
	{ "timeout", OPTION_NUMBER, offsetof(struct wait_args, timeout), "SECONDS",
	  "give up after so long; the exit status is then 4" },
	{ 0 },
};

/* What one look at the array says. */
struct sight {
	bool busy;  /* a process holds the array's lock */
	bool known; /* `job` is in the map */
	struct job job;
};

/* Does another process hold the lock? Found out by taking it, for a moment. */
static int lock_look(bool *busy_out, const struct invocation *inv, const struct array *array,
		     struct err *err)
{
	const struct map *map = array_map(array);

	*busy_out = false;
	if (inv->overlay) /* its lock is ours */
		return 0;
	for (uint32_t i = 0; i < map->member_count; i++) {
		const char *path = cli_member_path(inv, map->members[i].slot);
		struct err why = { 0 };
		struct dev *dev = NULL;
		int rc;

		if (!path)
			continue;
		rc = cli_device_open(&dev, inv, path, ACCESS_WRITE, 0, &why);
		dev_close(dev);
		if (rc == ERR_BUSY) {
			*busy_out = true;
			return 0;
		}
		if (rc) {
			*err = why;
			return rc;
		}
		return 0;
	}
	return 0;
}

static int look(struct sight *sight, const struct invocation *inv, uint64_t id, struct err *err)
{
	struct array *array = NULL;
	const struct job *job;
	int rc;

	for (unsigned i = 0;; i++) {
		rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);
		if (rc != ERR_CHANGED || i == CHANGED_MAX)
			break;
		*err = (struct err){ 0 };
	}
	if (rc)
		return rc;
	rc = lock_look(&sight->busy, inv, array, err);
	job = map_job(array_map(array), id);
	sight->known = job != NULL;
	if (job)
		sight->job = *job;
	if (rc == 0 && id >= array_map(array)->job_id_next)
		rc = err_set(err, ERR_NOT_FOUND, "there was never a job %" PRIu64, id);
	array_close(array);
	return rc;
}

/* Look until there is nothing to wait for; false in *done_out when the time was over before. */
static int wait_for(struct sight *sight, const struct invocation *inv, uint64_t id, bool *done_out,
		    struct err *err)
{
	const struct wait_args *args = inv->args;
	uint64_t limit =
		args->timeout < UINT64_MAX / NS_PER_S ? args->timeout * NS_PER_S : UINT64_MAX;
	uint64_t begin = env_now_ns(inv->env);

	for (;;) {
		int rc = look(sight, inv, id, err);
		bool running = sight->busy &&
			       (id == 0 || (sight->known && sight->job.state == JOB_RUNNING));

		if (rc)
			return rc;
		*done_out = !running;
		if (!running || env_now_ns(inv->env) - begin >= limit)
			return 0;
		if (inv->watch.stop && inv->watch.stop(inv->watch.arg))
			return err_set(err, ERR_STOPPED, "stopped by a signal");
		env_sleep_ns(inv->env, POLL_NS);
	}
}

/* A job that is gone from the map was finished; one that nobody runs was interrupted. */
static const char *job_text(const struct sight *sight, bool done)
{
	if (!sight->known)
		return job_state_name(JOB_DONE);
	if (sight->job.state == JOB_RUNNING && done)
		return "interrupted";
	return job_state_name(sight->job.state);
}

static int cmd_wait_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct sight sight = { 0 };
	bool done = false, finished;
	uint64_t id = 0;
	int rc = 0;

	if (inv->operand_count > 1)
		rc = job_number_parse(&id, inv->operands[1], err);
	if (rc == 0)
		rc = wait_for(&sight, inv, id, &done, err);
	if (rc)
		return rc;

	finished = done && (id == 0 || !sight.known || sight.job.state == JOB_DONE);
	if (id) {
		out_value(inv->out, "job", id);
		out_value_text(inv->out, "state", job_text(&sight, done));
	}
	out_value_flag(inv->out, "busy", sight.busy);
	*verdict_out = finished ? 0 : VERDICT_LEFT;
	return 0;
}

static const char *const wait_details[] = {
	"Without JOB: until no process writes to the array. With JOB: until it is done, paused, or "
	"nobody runs it. Exit status: 0 done, 4 the job is not finished or the time was over.",
	NULL,
};
static const char *const wait_examples[] = { "pgctl wait tank/ 3 --timeout 600", NULL };

const struct command cmd_wait = {
	.name = "wait",
	.summary = "wait for a job, or until the array is not in use",
	.group = GROUP_CARE,
	.operands = "ARRAY [JOB]",
	.operands_min = 1,
	.operands_max = 2,
	.options = wait_options,
	.args_size = sizeof(struct wait_args),
	.defaults = &wait_defaults,
	.details = wait_details,
	.examples = wait_examples,
	.run = cmd_wait_run,
};

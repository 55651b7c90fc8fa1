/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/runner.h"

#include "core/array/array_internal.h"
#include "core/array/degrade.h"
#include "core/base/size.h"

#include <assert.h>

#define REPORT_NS UINT64_C(100000000) /* ten reports a second are enough for any eye */
#define NS_PER_S UINT64_C(1000000000)

void runner_init(struct runner *runner, struct array *array, const struct job_watch *watch,
		 const char *kind, uint64_t total)
{
	*runner = (struct runner){ .env = array_env(array), .watch = watch };
	env_lock_init(runner->env, &runner->lock);
	runner->tasks = array_tasks(array);
	runner->progress.kind = kind;
	runner->progress.total = total;
	runner->started_ns = env_now_ns(runner->env);
}

void runner_reset(struct runner *runner)
{
	env_lock_reset(runner->env, &runner->lock);
}

void runner_report(struct runner *runner)
{
	struct job_progress progress;

	if (!runner->watch->progress)
		return;
	env_lock(runner->env, &runner->lock);
	progress = runner->progress;
	env_unlock(runner->env, &runner->lock);
	runner->watch->progress(runner->watch->arg, &progress);
}

bool runner_stops(struct runner *runner)
{
	if (!runner->stop && runner->watch->stop && runner->watch->stop(runner->watch->arg))
		runner->stop = runner->asked_to_stop = true;
	return runner->stop;
}

/* How long to wait so that all bytes so far keep within the rate. */
static uint64_t pace_ns(const struct runner *runner)
{
	uint64_t rate = runner->watch->rate_max;
	uint64_t passed = env_now_ns(runner->env) - runner->started_ns;

	if (rate == 0)
		return 0;
	uint64_t due = runner->paced_bytes / rate * NS_PER_S +
		       runner->paced_bytes % rate * NS_PER_S / rate;
	return due > passed ? size_min(due - passed, NS_PER_S) : 0;
}

void runner_note(struct runner *runner, uint64_t done, uint64_t bytes_read, uint64_t bytes_written)
{
	env_lock(runner->env, &runner->lock);
	struct job_progress *progress = &runner->progress;

	progress->done = progress->total ? size_min(progress->done + done, progress->total)
					 : progress->done + done;
	progress->bytes_read += bytes_read;
	progress->bytes_written += bytes_written;
	runner->paced_bytes += bytes_read + bytes_written;
	uint64_t wait = pace_ns(runner);
	env_unlock(runner->env, &runner->lock);
	if (wait)
		env_sleep_ns(runner->env, wait);
}

/* Report from the caller's task when it is time. */
static void report_in_time(struct runner *runner)
{
	uint64_t now = env_now_ns(runner->env);

	if (now - runner->reported_ns < REPORT_NS)
		return;
	runner->reported_ns = now;
	runner_report(runner);
}

void runner_done(struct runner *runner, uint64_t done)
{
	env_lock(runner->env, &runner->lock);
	runner->progress.done = size_max(runner->progress.done, done);
	env_unlock(runner->env, &runner->lock);
	report_in_time(runner);
}

/* Take the next piece; false when there is none. */
static bool take(struct runner *runner, uint64_t *piece_out)
{
	env_lock(runner->env, &runner->lock);
	bool taken = !runner_stops(runner) && runner->next < runner->end;

	if (taken)
		*piece_out = runner->next++;
	env_unlock(runner->env, &runner->lock);
	return taken;
}

static void task_run(void *arg, uint32_t task)
{
	struct runner *runner = arg;
	uint64_t piece;

	while (take(runner, &piece)) {
		struct err err = { 0 };
		int rc = runner->work(runner->arg, task, piece, &err);

		env_lock(runner->env, &runner->lock);
		if (rc == RUNNER_END) {
			runner->end = 0;
		} else if (rc) {
			if (runner->err.code == 0)
				runner->err = err;
			runner->stop = true;
		}
		env_unlock(runner->env, &runner->lock);
		if (task == 0)
			report_in_time(runner);
	}
}

int runner_run(struct runner *runner, uint64_t first, uint64_t end,
	       int (*work)(void *arg, uint32_t task, uint64_t piece, struct err *err), void *arg,
	       struct err *err)
{
	runner->next = first;
	runner->end = end;
	runner->work = work;
	runner->arg = arg;
	env_parallel(runner->env, runner->tasks, task_run, runner);
	if (runner->err.code) {
		*err = runner->err;
		return err->code;
	}
	if (runner->asked_to_stop)
		return err_set(err, ERR_STOPPED, "stopped");
	return 0;
}

int runner_flush(struct array *array, struct member_set written, struct err *err)
{
	struct io ios[MEMBERS_MAX];
	uint32_t slots[MEMBERS_MAX];
	size_t count = 0;

	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (!member_set_has(written, slot))
			continue;
		ios[count] = (struct io){ .dev = array_dev(array, slot), .op = IO_FLUSH };
		slots[count++] = slot;
	}
	if (count == 0 || io_run(ios, count) == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct err why = { 0 };

		if (!ios[i].result)
			continue;
		if (!err->code)
			err_set(err, ERR_IO, "flush of %s failed", dev_name(ios[i].dev));
		/* It is final, also for whoever else wrote there: the next one would say nothing. */
		if (array_member_failed(array, slots[i], ERR_IO, &why))
			*err = why;
	}
	return err->code;
}

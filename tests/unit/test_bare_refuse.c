/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a bare array refuses: aim is that nothing of ours is ever written to an array that somebody else made. Method: every
 * public function that makes, changes or reads records of ours is called on one that is open for writing; each must say
 * ERR_FOREIGN, and no write or flush may have reached any member.
 */
#include "tests/unit/foreign_help.h"

#include "core/job/arrange.h"
#include "core/job/failover.h"
#include "core/job/fault_inject.h"
#include "core/job/forecast.h"
#include "core/job/log_report.h"
#include "core/job/measure.h"
#include "core/job/migrate.h"
#include "core/job/overwrite.h"
#include "core/job/rebuild.h"
#include "core/job/relayout.h"
#include "core/job/transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int try_write(struct array *array, struct err *err)
{
	const struct volume *volume = map_volume_named(array_map(array), "data");
	struct array_write_result result;

	return array_write(array, volume, 0, "x", 1, &result, err);
}

static int try_add(struct array *array, struct err *err)
{
	struct dev *dev = NULL;
	uint32_t slot;

	assert_int_equal(dev_sim_open(&dev, env_threads(), "new", UINT64_C(16) << 20), 0);
	uint64_t before = dev_sim_writes(dev);
	int rc = array_add_member(array, dev, false, &slot, err);

	assert_int_equal(dev_sim_writes(dev), before);
	dev_close(dev);
	return rc;
}

static int try_state(struct array *array, struct err *err)
{
	return array_set_member_state(array, 1, MEMBER_FAILED, err);
}

static int try_state_again(struct array *array, struct err *err)
{
	return array_set_member_state(array, 1, MEMBER_ONLINE, err);
}

static int try_remove(struct array *array, struct err *err)
{
	return array_remove_member(array, 1, err);
}

static int try_rename(struct array *array, struct err *err)
{
	return array_volume_rename(array, "data", "other", err);
}

static int try_volume_remove(struct array *array, struct err *err)
{
	return array_volume_remove(array, "data", err);
}

static int try_check(struct array *array, struct err *err)
{
	uint64_t findings;

	return array_check(array, NULL, NULL, &findings, err);
}

static int try_put(struct array *array, struct err *err)
{
	const struct put_request request = { .name = "new", .policy = array_map(array)->policy };
	struct put_report report;

	return put_run(array, &request, &report, err);
}

static int try_put_plan(struct array *array, struct err *err)
{
	const struct put_request request = { .name = "new",
					     .policy = array_map(array)->policy,
					     .length_hint = 100 };
	struct put_report report;

	return put_plan(array, &request, &report, err);
}

static int try_volume_create(struct array *array, struct err *err)
{
	return volume_create_run(array, "new", &array_map(array)->policy, 4096, err);
}

static int try_overwrite(struct array *array, struct err *err)
{
	const struct overwrite_request request = { .volume = "data", .length = 4096 };
	struct overwrite_report report;

	return overwrite_run(array, &request, &report, err);
}

static int try_overwrite_plan(struct array *array, struct err *err)
{
	const struct volume *volume = map_volume_named(array_map(array), "data");

	return overwrite_plan(array, volume, 0, 4096, NULL, NULL, err);
}

static const struct rebuild_request onto_2 = { .from = 1, .to = 2 };

static int try_rebuild(struct array *array, struct err *err)
{
	struct rebuild_report report;

	return rebuild_run(array, &onto_2, &report, err);
}

static int try_rebuild_plan(struct array *array, struct err *err)
{
	struct rebuild_report report;

	return rebuild_plan(array, &onto_2, &report, err);
}

static int try_job_cancel(struct array *array, struct err *err)
{
	return job_cancel(array, 1, err);
}

static const struct migrate_request to_mirrors = {
	.volume = "data", .policy = { .layout = LAYOUT_MIRROR, .columns = 2, .checks = 1 }
};

static int try_migrate(struct array *array, struct err *err)
{
	struct migrate_report report;

	return migrate_run(array, &to_mirrors, &report, err);
}

static int try_migrate_plan(struct array *array, struct err *err)
{
	struct migrate_report report;

	return migrate_plan(array, &to_mirrors, &report, err);
}

static const struct relayout_request rebalance = { .kind = JOB_REBALANCE, .member = MEMBER_NONE };

static int try_relayout(struct array *array, struct err *err)
{
	struct relayout_report report;

	return relayout_run(array, &rebalance, &report, err);
}

static int try_relayout_plan(struct array *array, struct err *err)
{
	struct relayout_report report;

	return relayout_plan(array, &rebalance, &report, err);
}

static int try_arrange(struct array *array, struct err *err)
{
	const struct arrange_request request = { 0 };

	return arrange_set(array, &request, err);
}

static int try_label(struct array *array, struct err *err)
{
	const struct label label = { "node", "a" };

	return arrange_label(array, 1, &label, 1, err);
}

static int try_failover(struct array *array, struct err *err)
{
	struct failover_report report;

	return failover_run(array, 1, false, &report, err);
}

static int try_failback(struct array *array, struct err *err)
{
	struct failover_report report;

	return failback_run(array, false, &report, err);
}

static int try_inject(struct array *array, struct err *err)
{
	const struct inject_request request = { .slot = 1, .count = 1 };

	return inject_run(array, &request, err);
}

static int try_forecast(struct array *array, struct err *err)
{
	const struct forecast_request request = { 0 };
	struct forecast forecast;

	return forecast_expand(&forecast, array, &request, err);
}

static int try_measure(struct array *array, struct err *err)
{
	const struct job_watch watch = { 0 };
	struct measure_report report;

	return measure_run(array, &watch, false, &report, err);
}

static int try_log(struct array *array, struct err *err)
{
	struct log_report report;

	return log_report_read(&report, array, err);
}

static int try_log_check(struct array *array, struct err *err)
{
	uint64_t found;

	return log_report_check(array, NULL, NULL, &found, err);
}

static int try_commit(struct array *array, struct err *err)
{
	return array_commit(array, err);
}

static const struct {
	const char *what;
	int (*try)(struct array *array, struct err *err);
} tries[] = {
	{ "write", try_write },
	{ "add", try_add },
	{ "state", try_state },
	{ "the same state", try_state_again },
	{ "remove", try_remove },
	{ "rename", try_rename },
	{ "volume remove", try_volume_remove },
	{ "check", try_check },
	{ "put", try_put },
	{ "put plan", try_put_plan },
	{ "volume create", try_volume_create },
	{ "overwrite", try_overwrite },
	{ "overwrite plan", try_overwrite_plan },
	{ "rebuild", try_rebuild },
	{ "rebuild plan", try_rebuild_plan },
	{ "cancel", try_job_cancel },
	{ "migrate", try_migrate },
	{ "migrate plan", try_migrate_plan },
	{ "relayout", try_relayout },
	{ "relayout plan", try_relayout_plan },
	{ "arrange", try_arrange },
	{ "label", try_label },
	{ "failover", try_failover },
	{ "failback", try_failback },
	{ "fault", try_inject },
	{ "forecast", try_forecast },
	{ "measure", try_measure },
	{ "log", try_log },
	{ "log check", try_log_check },
	{ "commit", try_commit },
};

static void test_everything_of_ours_is_refused(void **state)
{
	const struct bare bare = { LAYOUT_PARITY, 4, 1, 2, 8, 8192, 0, 0 };
	struct bare_rack rack;

	(void)state;
	bare_rack_fill(&rack, &bare, 1);
	bare_rack_open(&rack, 0, ARRAY_WRITE, NULL, NULL);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct err err = { 0 };

		if (tries[i].try(rack.array, &err) != ERR_FOREIGN)
			fail_msg("%s: %d %s", tries[i].what, err.code, err.text);
		assert_int_equal(err.code, ERR_FOREIGN);
		assert_non_null(strstr(err.text, "\"bare\""));
	}
	for (uint32_t slot = 0; slot < 4; slot++)
		assert_int_equal(dev_sim_writes(rack.sims[slot]), 0);
	/* what ends a session has nothing to do, and no reason to fail */
	struct err err = { 0 };

	assert_int_equal(array_write_settle(rack.array, &err), 0);
	assert_int_equal(array_trust_log(rack.array, &err), 0);
	assert_int_equal(array_poisoned(rack.array), 0);
	bare_rack_close(&rack);
	bare_rack_empty(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_of_ours_is_refused),
	};

	return cmocka_run_group_tests_name("bare_refuse", tests, NULL, NULL);
}

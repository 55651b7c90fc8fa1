/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/log_help.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const struct uuid bench_uuid = { { 7, 7, 7, 7, 1 } };

/* ---- fronts */

struct front {
	struct dev dev;
	struct bench *bench;
	uint32_t disk;
};

/* Count, and say what the operation meets before it reaches the disk. */
static int front_judge(struct front *front, const struct io *io, uint64_t *delay_ns_out)
{
	struct bench *bench = front->bench;
	bool is_log = io->role == IO_ROLE_LOG;
	int rc = 0;

	env_lock(bench->env, &bench->lock);
	if (bench->writes_left == 0) {
		rc = ERR_IO;
	} else if (io->op != IO_READ) {
		bench->writes++;
		if (bench->writes_left != UINT64_MAX)
			bench->writes_left--;
		bench->log_writes += io->op == IO_WRITE && is_log;
		bench->log_flushes += io->op == IO_FLUSH && is_log;
		rc = io->op == IO_FLUSH ? bench->fail_flush[front->disk]
					: bench->fail_write[front->disk];
		*delay_ns_out = io->op == IO_WRITE && is_log ? bench->delay_ns : 0;
	}
	env_unlock(bench->env, &bench->lock);
	return rc;
}

static int front_run(struct dev *dev, struct io *io)
{
	struct front *front = (struct front *)(void *)dev;
	struct io below = *io;
	uint64_t delay_ns = 0;
	int rc = front_judge(front, io, &delay_ns);

	if (delay_ns)
		env_sleep_ns(front->bench->env, delay_ns);
	if (!rc && front->bench->watch && front->bench->watch(front->bench, front->disk, io, &rc))
		return rc;
	if (rc)
		return rc;
	below.dev = front->bench->disks[front->disk];
	return io_run(&below, 1);
}

static void front_close(struct dev *dev)
{
	dev_reset(dev);
	mem_free(dev);
}

static const struct dev_ops front_ops = { .name = "front", .run = front_run, .close = front_close };

static struct dev *front_make(struct bench *bench, uint32_t disk)
{
	struct front *front = mem_calloc(1, sizeof(*front));

	assert_non_null(front);
	assert_int_equal(dev_init(&front->dev, &front_ops, bench->env, "front"), 0);
	front->dev.info = *dev_info(bench->disks[disk]);
	front->bench = bench;
	front->disk = disk;
	return &front->dev;
}

/* ---- the bench */

void bench_open(struct bench *bench, struct env *env, uint32_t count, uint64_t slot_size)
{
	*bench = (struct bench){
		.env = env,
		.count = count,
		.slot_size = slot_size ? slot_size : BENCH_SLOT_SIZE,
		.writes_left = UINT64_MAX,
		.epoch = 1,
	};
	env_lock_init(env, &bench->lock);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(dev_sim_open(&bench->disks[i], env, "disk",
					      BENCH_OFFSET + LOG_SLOTS * bench->slot_size),
				 0);
		bench->fronts[i] = front_make(bench, i);
		bench->members[i] = (struct log_member){ bench->fronts[i], i, BENCH_OFFSET };
	}
}

void bench_close(struct bench *bench)
{
	intent_log_free(bench->log);
	for (uint32_t i = 0; i < bench->count; i++) {
		dev_close(bench->fronts[i]);
		dev_close(bench->disks[i]);
	}
	env_lock_reset(bench->env, &bench->lock);
}

static int member_failed(void *arg, uint32_t slot, int code, struct err *err)
{
	struct bench *bench = arg;
	struct log_member left[BENCH_DISKS];
	uint32_t count = 0;

	bench->failed_calls++;
	bench->failed_member = slot;
	bench->failed_code = code;
	if (bench->failed_result)
		return err_set(err, bench->failed_result, "no commit");
	for (uint32_t i = 0; i < bench->count; i++) {
		if (bench->members[i].dev && bench->members[i].slot == slot)
			bench->members[i].dev = NULL;
		if (bench->members[i].dev)
			left[count++] = bench->members[i];
	}
	intent_log_set_members(bench->log, left, count, ++bench->epoch);
	return 0;
}

struct intent_log_config bench_config(struct bench *bench, uint32_t tolerance, uint64_t generation)
{
	return (struct intent_log_config){
		.env = bench->env,
		.array = bench_uuid,
		.slot_size = bench->slot_size,
		.tolerance = tolerance,
		.generation = generation,
		.member_failed = member_failed,
		.arg = bench,
	};
}

void bench_log(struct bench *bench, uint32_t members, uint32_t tolerance, uint64_t generation)
{
	struct intent_log_config config = bench_config(bench, tolerance, generation);
	struct err err = { 0 };

	for (uint32_t i = 0; i < bench->count; i++)
		bench->members[i].dev = i < members ? bench->fronts[i] : NULL;
	assert_int_equal(intent_log_create(&bench->log, &config, &err), 0);
	intent_log_set_members(bench->log, bench->members, members, bench->epoch);
}

void bench_crash(struct bench *bench, struct rng *rng)
{
	for (uint32_t i = 0; i < bench->count; i++)
		dev_sim_crash(bench->disks[i], rng);
	bench->writes_left = UINT64_MAX;
}

void bench_read(struct bench *bench, uint32_t disks, struct log_found *found)
{
	struct log_member members[BENCH_DISKS];
	struct err err = { 0 };
	uint32_t count = 0;

	for (uint32_t i = 0; i < bench->count; i++) {
		if (disks >> i & 1)
			members[count++] = (struct log_member){ bench->disks[i], i, BENCH_OFFSET };
	}
	if (intent_log_read(found, members, count, &bench_uuid, bench->slot_size, &err))
		fail_msg("%s", err.text);
}

struct intent_log_state bench_state(struct bench *bench)
{
	struct intent_log_state now;

	intent_log_state(bench->log, &now);
	return now;
}

void bench_rows(struct bench_rows *rows, uint64_t group, uint32_t first)
{
	*rows = (struct bench_rows){
		.rows = {
			.volume = 1,
			.group = group,
			.first = first,
			.count = 1,
			.columns = 1,
			.cell_count = 2,
			.generation_limit = 100,
			.cells = rows->cells,
		},
		.cells = { { 0xaaaa, 5 }, { 0xbbbb, 5 } },
	};
}

struct log_intent *bench_declare(struct bench *bench, uint64_t group, uint32_t first,
				 bool *covered_out)
{
	struct bench_rows rows;
	struct log_intent *intent = NULL;
	bool covered;

	bench_rows(&rows, group, first);
	assert_int_equal(intent_log_declare(bench->log, &rows.rows, &intent,
					    covered_out ? covered_out : &covered),
			 0);
	return intent;
}

void bench_ask(struct bench *bench, struct log_intent *intent)
{
	struct err err = { 0 };

	if (intent_log_ask(bench->log, intent, &err))
		fail_msg("ask: %s", err.text);
}

uint32_t record_names(const struct log_record *record, uint64_t group, uint32_t first)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < record->rows_count; i++)
		count += record->rows[i].group == group && record->rows[i].first <= first &&
			 first - record->rows[i].first < record->rows[i].count;
	return count;
}

/* ---- a run */

struct run {
	struct env *env;
	void (*run)(struct bench *bench);
	uint32_t count, tolerance;
};

static void run_task(void *arg)
{
	struct run *run = arg;
	struct bench bench;

	bench_open(&bench, run->env, run->count, 0);
	bench_log(&bench, run->count, run->tolerance, 0);
	run->run(&bench);
	bench_close(&bench);
}

void bench_run(void (*run)(struct bench *bench), uint64_t seed, uint32_t count, uint32_t tolerance)
{
	struct run all = { env_sim_create(seed), run, count, tolerance };

	assert_non_null(all.env);
	print_message("seed %llu\n", (unsigned long long)seed);
	env_sim_run(all.env, run_task, &all);
	env_sim_free(all.env);
}

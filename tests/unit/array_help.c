/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/array_help.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/scrub.h"
#include "core/job/transfer.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the environment */

static struct env_ops seeded_ops;
static struct env seeded = { &seeded_ops };
static struct rng seeded_rng;

static void seeded_random(struct env *env, void *bytes, size_t size)
{
	unsigned char *at = bytes;

	(void)env;
	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)rng_next(&seeded_rng);
}

static uint64_t seeded_clock(struct env *env)
{
	(void)env;
	return 1700000000;
}

/* One task: the order of all operations is the same each time. */
static uint32_t seeded_cpus(struct env *env)
{
	(void)env;
	return 1;
}

/* What is slept is only added to the clock: a job with a rate takes as long as its work. */
static uint64_t seeded_slept;

static uint64_t seeded_now(struct env *env)
{
	return env_threads()->ops->now_ns(env) + __atomic_load_n(&seeded_slept, __ATOMIC_RELAXED);
}

static void seeded_sleep(struct env *env, uint64_t ns)
{
	__atomic_add_fetch(&seeded_slept, ns, __ATOMIC_RELAXED);
	env_yield(env);
}

struct env *seeded_env(uint64_t seed)
{
	seeded_ops = *env_threads()->ops;
	seeded_ops.random = seeded_random;
	seeded_ops.clock_s = seeded_clock;
	seeded_ops.now_ns = seeded_now;
	seeded_ops.sleep_ns = seeded_sleep;
	seeded_ops.cpu_count = seeded_cpus;
	seeded_rng = rng_seeded(seed);
	return &seeded;
}

/* ---- the rack */

struct slot_dev {
	struct dev dev;
	struct rack *rack;
	uint32_t disk;
};

static int slot_run(struct dev *dev, struct io *io)
{
	struct slot_dev *slot = (struct slot_dev *)(void *)dev;
	struct rack *rack = slot->rack;
	struct io below = *io;

	if (__atomic_load_n(&rack->writes_left, __ATOMIC_RELAXED) == 0 ||
	    __atomic_load_n(&rack->writes, __ATOMIC_RELAXED) >= rack->fail_at[slot->disk])
		return ERR_IO;
	if (rack->watch) {
		int rc = rack->watch(rack->watch_arg, slot->disk, io);

		if (rc)
			return rc;
		/* The power may have failed meanwhile. */
		if (__atomic_load_n(&rack->writes_left, __ATOMIC_RELAXED) == 0)
			return ERR_IO;
	}
	if (io->op != IO_READ) {
		__atomic_fetch_add(&rack->writes, 1, __ATOMIC_RELAXED);
		if (__atomic_load_n(&rack->writes_left, __ATOMIC_RELAXED) != UINT64_MAX)
			__atomic_fetch_sub(&rack->writes_left, 1, __ATOMIC_RELAXED);
	}
	below.dev = rack->disks[slot->disk];
	return io_run(&below, 1);
}

static void slot_close(struct dev *dev)
{
	dev_reset(dev);
	mem_free(dev);
}

static const struct dev_ops slot_ops = { .name = "slot", .run = slot_run, .close = slot_close };

struct dev *rack_dev(struct rack *rack, uint32_t i)
{
	struct slot_dev *slot = mem_calloc(1, sizeof(*slot));

	assert_non_null(slot);
	assert_int_equal(dev_init(&slot->dev, &slot_ops, rack->env, dev_name(rack->disks[i])), 0);
	slot->dev.info = *dev_info(rack->disks[i]);
	slot->rack = rack;
	slot->disk = i;
	return &slot->dev;
}

void rack_open(struct rack *rack, struct env *env, uint32_t count, const uint64_t *sizes)
{
	*rack = (struct rack){ .env = env, .count = count, .writes_left = UINT64_MAX };
	assert_in_range(count, 1, RACK_MAX);
	for (uint32_t i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "disk%u", i);
		assert_int_equal(dev_sim_open(&rack->disks[i], env, name, sizes[i]), 0);
		rack->fail_at[i] = UINT64_MAX;
	}
}

void rack_close(struct rack *rack)
{
	for (uint32_t i = 0; i < rack->count; i++)
		dev_close(rack->disks[i]);
}

void rack_crash(struct rack *rack, struct rng *rng)
{
	for (uint32_t i = 0; i < rack->count; i++) {
		dev_sim_crash(rack->disks[i], rng);
		rack->fail_at[i] = UINT64_MAX;
	}
	rack->writes_left = UINT64_MAX;
}

uint8_t *rack_bytes(struct rack *rack, uint32_t i)
{
	return dev_sim_bytes(rack->disks[i]);
}

struct array *rack_create(struct rack *rack, const struct policy *policy, uint32_t spares,
			  struct err *err)
{
	struct dev *devs[RACK_MAX];
	const struct array_create_request request = { .env = rack->env,
						      .name = "tank",
						      .devs = devs,
						      .dev_count = rack->count,
						      .spare_count = spares,
						      .policy = *policy };
	struct array *array = NULL;

	for (uint32_t i = 0; i < rack->count; i++)
		devs[i] = rack_dev(rack, i);
	if (array_create(&array, &request, err) == 0)
		return array;
	for (uint32_t i = 0; i < rack->count; i++)
		dev_close(devs[i]);
	return NULL;
}

struct array *rack_begin(struct rack *rack, struct env *env, uint32_t disks, uint64_t disk_size,
			 const struct policy *policy)
{
	uint64_t sizes[RACK_MAX];
	struct err err = { 0 };

	for (uint32_t i = 0; i < RACK_MAX; i++)
		sizes[i] = disk_size;
	rack_open(rack, env, disks, sizes);
	struct array *array = rack_create(rack, policy, 0, &err);
	if (!array)
		fail_msg("%s of %u disks: %s", layout_name(policy->layout), disks, err.text);
	return array;
}

int rack_array(struct rack *rack, uint32_t disks, enum array_access access,
	       struct array **array_out, struct err *err)
{
	struct dev *devs[RACK_MAX];
	struct array_open_request request = {
		.env = rack->env, .devs = devs, .access = access, .tasks = 1
	};

	for (uint32_t i = 0; i < rack->count; i++) {
		if (disks >> i & 1)
			devs[request.dev_count++] = rack_dev(rack, i);
	}
	int rc = array_open(array_out, &request, err);
	for (uint32_t i = 0; rc && i < request.dev_count; i++)
		dev_close(devs[i]);
	return rc;
}

struct array *rack_array_of(struct rack *rack, uint32_t disks, enum array_access access)
{
	struct array *array = NULL;
	struct err err = { 0 };

	if (rack_array(rack, disks, access, &array, &err))
		fail_msg("disks 0x%x: %s", disks, err.text);
	return array;
}

/* ---- scrub */

static void fail_on_mismatch(void *arg, const struct mismatch *mismatch)
{
	fail_msg("%s: the scrub found %s by %s in group %" PRIu64 " row %" PRIu64
		 ", suspect %u, which is %s",
		 (const char *)arg, mismatch->kind, mismatch->basis, mismatch->group, mismatch->row,
		 mismatch->suspect, block_fate_name(mismatch->blocks[0].state));
}

void assert_clean(struct array *array, const char *what)
{
	char said[100];
	const struct scrub_request request = { .mode = SCRUB_CHECK,
					       .found = fail_on_mismatch,
					       .found_arg = said };
	struct scrub_report report = { 0 };
	struct err err = { 0 };

	snprintf(said, sizeof(said), "%s", what);
	if (scrub_run(array, &request, &report, &err))
		fail_msg("%s: scrub: %s", what, err.text);
	assert_int_equal(report.mismatches, 0);
	assert_true(report.rows_checked > 0);
}

/* ---- volumes */

struct seeded_source {
	struct rng rng;
	uint64_t left;
};

static int seeded_bytes(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	struct seeded_source *source = arg;
	uint8_t *at = bytes;

	(void)err;
	*got_out = size_min(size, source->left);
	for (size_t i = 0; i < *got_out; i++)
		at[i] = (uint8_t)rng_next(&source->rng);
	source->left -= *got_out;
	return 0;
}

void put_bytes(struct array *array, const char *name, const struct policy *policy, uint64_t length,
	       uint64_t seed)
{
	struct seeded_source source = { rng_seeded(seed), length };
	const struct put_request request = { .name = name,
					     .policy = *policy,
					     .source = seeded_bytes,
					     .source_arg = &source,
					     .length_hint = length };
	struct put_report report;
	struct err err = { 0 };

	if (put_run(array, &request, &report, &err))
		fail_msg("put %s: %s", name, err.text);
	assert_int_equal(report.length, length);
}

void assert_bytes(struct array *array, const char *name, uint64_t length, uint64_t seed)
{
	struct seeded_source source = { rng_seeded(seed), length };
	const struct volume *volume = map_volume_named(array_map(array), name);
	uint8_t *wanted = mem_calloc(length + 1, 1), *got = mem_calloc(length + 1, 1);
	struct array_read_result result;
	struct err err = { 0 };
	size_t size;

	if (!volume)
		fail_msg("no volume %s", name);
	assert_int_equal(volume->length, length);
	assert_int_equal(seeded_bytes(&source, wanted, length, &size, &err), 0);
	if (array_read(array, volume, 0, got, length, &result, &err))
		fail_msg("%s: %s", name, err.text);
	assert_int_equal(result.lost, 0);
	assert_memory_equal(wanted, got, length);
	mem_free(wanted);
	mem_free(got);
}

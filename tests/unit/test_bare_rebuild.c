/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rebuild of bare arrays: aim is that a member that is taken in has every byte it should have, that nothing beside its
 * extents is written, and that it is never taken in otherwise. Method: small arrays of all codes; each member in turn is
 * replaced by a device full of rubbish and compared afterwards with what it was. Hooks note the order of things.
 */
#include "tests/unit/foreign_help.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/job/rebuild.h"
#include "core/job/scrub.h"
#include "core/store/foreign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct bare cases[] = {
	{ LAYOUT_PARITY, 4, 1, 2, 8, 8192, 0, 0 },  { LAYOUT_PARITY, 5, 2, 1, 10, 8192, 0, 0 },
	{ LAYOUT_PARITY, 6, 3, 3, 6, 4096, 0, 0 },  { LAYOUT_PARITY, 5, 2, 3, 5, 1536, 0, 0 },
	{ LAYOUT_MIRROR, 2, 0, 1, 21, 8192, 0, 0 }, { LAYOUT_MIRROR, 3, 0, 1, 600, 2560, 0, 0 },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

struct marks {
	struct bare_rack *rack;
	uint32_t dirty, clean, in, slot;
};

static int mark_dirty(void *arg, struct dev *const *members, struct err *err)
{
	struct marks *marks = arg;

	(void)members;
	(void)err;
	for (uint32_t slot = 0; slot < marks->rack->bare.members; slot++) {
		if (marks->rack->sims[slot])
			assert_int_equal(dev_sim_writes(marks->rack->sims[slot]), 0);
	}
	marks->dirty++;
	return 0;
}

/* All of it is durable now. */
static int member_in(void *arg, struct dev *const *members, uint32_t slot, struct err *err)
{
	struct marks *marks = arg;
	struct rng rng = rng_seeded(1);
	uint8_t *before = mem_pages(marks->rack->size);

	(void)err;
	assert_ptr_equal(members[slot], marks->rack->faults[slot]);
	assert_int_equal(marks->dirty, 1);
	assert_int_equal(marks->clean, 0);
	memcpy(before, dev_sim_bytes(marks->rack->sims[slot]), marks->rack->size);
	dev_sim_crash(marks->rack->sims[slot], &rng);
	assert_int_equal(memcmp(before, dev_sim_bytes(marks->rack->sims[slot]), marks->rack->size),
			 0);
	mem_pages_free(before);
	marks->in++;
	marks->slot = slot;
	return 0;
}

static int mark_clean(void *arg, struct dev *const *members, struct err *err)
{
	struct marks *marks = arg;

	(void)members;
	(void)err;
	marks->clean++;
	return 0;
}

static const struct foreign_hooks hooks = { mark_dirty, mark_clean, member_in };

/* Rubbish in place of a member; *was_out is what it held. */
static void replace(struct bare_rack *rack, uint32_t slot, uint8_t **was_out)
{
	*was_out = mem_pages(rack->size);
	memcpy(*was_out, rack->images[slot], rack->size);
	memset(rack->images[slot], 0x99, rack->size);
	rack->bare.stale = 1u << slot;
}

/* The extents are what they were, and what is beside them still rubbish. */
static void assert_rebuilt(const struct bare_rack *rack, uint32_t slot, const uint8_t *was)
{
	const struct bare *bare = &rack->bare;
	uint64_t end = bare->origin + (uint64_t)bare->rows * bare->unit_blocks * BLOCK_SIZE;

	for (uint64_t i = 0; i < rack->size; i++) {
		uint8_t wanted = i >= bare->origin && i < end ? was[i] : 0x99;

		if (rack->images[slot][i] != wanted)
			fail_msg("member %u, byte %llu", slot, (unsigned long long)i);
	}
}

static void rebuild_one(const struct bare *bare, uint32_t slot, uint32_t absent)
{
	struct bare_rack rack;
	struct marks marks = { .rack = &rack };
	const struct rebuild_request request = { .from = slot, .to = slot };
	struct rebuild_report report = { 0 }, planned = { 0 };
	struct err err = { 0 };
	uint8_t *was;

	bare_rack_fill(&rack, bare, slot);
	replace(&rack, slot, &was);
	struct array *array = bare_rack_open(&rack, absent, ARRAY_WRITE, &hooks, &marks);

	assert_int_equal(array_health(array), HEALTH_DEGRADED);
	assert_int_equal(rebuild_plan(array, &request, &planned, &err), 0);
	if (rebuild_run(array, &request, &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(marks.dirty + marks.in + marks.clean, 3);
	assert_int_equal(marks.slot, slot);
	assert_int_equal(planned.bytes_written, report.bytes_written);
	assert_int_equal(planned.extents_moved, report.extents_moved);
	assert_int_equal(array_presence(array, slot), PRESENT);
	assert_int_equal(array_health(array), absent ? HEALTH_DEGRADED : HEALTH_HEALTHY);
	assert_int_equal(report.degraded, absent != 0);
	assert_int_equal(rebuild_run(array, &request, &report, &err),
			 ERR_STATE); /* it is current */
	bare_rack_close(&rack);
	assert_rebuilt(&rack, slot, was);
	mem_pages_free(was);
	bare_rack_empty(&rack);
}

static void test_every_member(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		for (uint32_t slot = 0; slot < cases[i].members; slot++) {
			rebuild_one(&cases[i], slot, 0);
			if (cases[i].checks > 1 || cases[i].members == 3)
				rebuild_one(&cases[i], slot, 1u << (slot + 1) % cases[i].members);
		}
	}
}

struct losses {
	uint64_t bytes;
};

static void note_lost(void *arg, const struct job_loss *loss)
{
	struct losses *losses = arg;

	assert_string_equal(loss->volume, "data");
	losses->bytes += loss->length;
}

/* A row that cannot be solved: told, and the member stays out. */
static void test_lost_rows_keep_it_out(void **state)
{
	const struct bare bare = cases[0];
	struct bare_rack rack;
	struct marks marks = { .rack = &rack };
	struct losses losses = { 0 };
	const struct rebuild_request request = {
		.from = 1, .to = 1, .lost = note_lost, .lost_arg = &losses
	};
	struct rebuild_report report = { 0 };
	struct err err = { 0 };
	uint8_t *was;

	(void)state;
	bare_rack_fill(&rack, &bare, 1);
	replace(&rack, 1, &was);
	bare_rack_open(&rack, 0, ARRAY_WRITE, &hooks, &marks);
	bare_rack_break(&rack, 0, bare.origin + 3 * BLOCK_SIZE);
	assert_int_equal(rebuild_run(rack.array, &request, &report, &err), ERR_DATA_LOST);
	assert_non_null(strstr(err.text, "4096 bytes"));
	assert_int_equal(marks.in, 0);
	assert_int_equal(marks.clean, 1); /* the others are as they were */
	assert_int_equal(losses.bytes, BLOCK_SIZE);
	assert_int_equal(array_health(rack.array), HEALTH_DEGRADED);
	assert_int_equal(report.extents_moved, 0);
	bare_rack_close(&rack);
	mem_pages_free(was);
	bare_rack_empty(&rack);
}

/* Writes or flushes that fail: an error, the mark of dirty stands, the member stays out. */
static void test_failing_device_keeps_it_out(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_WRITE_ERROR, FAULT_FLUSH_ERROR };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct bare bare = cases[0];
		const struct fault fault = { .kind = kinds[i],
					     .offset = bare.origin + 8 * BLOCK_SIZE,
					     .size = BLOCK_SIZE };
		struct bare_rack rack;
		struct marks marks = { .rack = &rack };
		const struct rebuild_request request = { .from = 2, .to = 2 };
		struct rebuild_report report = { 0 };
		struct err err = { 0 };
		uint8_t *was;

		bare_rack_fill(&rack, &bare, 1);
		replace(&rack, 2, &was);
		bare_rack_open(&rack, 0, ARRAY_WRITE, &hooks, &marks);
		assert_int_equal(dev_fault_add(rack.faults[2], &fault), 0);
		assert_int_equal(rebuild_run(rack.array, &request, &report, &err), ERR_IO);
		assert_int_equal(marks.dirty, 1);
		assert_int_equal(marks.in + marks.clean, 0);
		bare_rack_close(&rack);
		mem_pages_free(was);
		bare_rack_empty(&rack);
	}
}

static bool stop_now(void *arg)
{
	(void)arg;
	return true;
}

static void test_stop_and_refusals(void **state)
{
	const struct bare bare = cases[0];
	struct bare_rack rack;
	struct marks marks = { .rack = &rack };
	struct rebuild_request request = { .from = 2, .to = 2 };
	struct rebuild_report report = { 0 };
	struct err err = { 0 };
	uint8_t *was;

	(void)state;
	bare_rack_fill(&rack, &bare, 1);
	replace(&rack, 2, &was);
	bare_rack_open(&rack, 0, ARRAY_WRITE, &hooks, &marks);
	request.watch.stop = stop_now;
	assert_int_equal(rebuild_run(rack.array, &request, &report, &err), ERR_STOPPED);
	assert_int_equal(marks.in, 0);
	request.watch.stop = NULL;
	request.to = MEMBER_NONE;
	assert_int_equal(rebuild_run(rack.array, &request, &report, &err), ERR_FOREIGN);
	request.to = 1;
	assert_int_equal(rebuild_run(rack.array, &request, &report, &err), ERR_FOREIGN);
	request.from = 9;
	assert_int_equal(rebuild_run(rack.array, &request, &report, &err), ERR_NOT_FOUND);
	request.from = request.to = 1;
	assert_int_equal(rebuild_run(rack.array, &request, &report, &err), ERR_STATE);
	bare_rack_close(&rack);
	bare_rack_open(&rack, 1u << 2, ARRAY_WRITE, &hooks, &marks);
	request.from = request.to = 2; /* nothing is there to write to */
	assert_int_equal(rebuild_run(rack.array, &request, &report, &err), ERR_STATE);
	bare_rack_close(&rack);
	mem_pages_free(was);
	bare_rack_empty(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_member),
		cmocka_unit_test(test_lost_rows_keep_it_out),
		cmocka_unit_test(test_failing_device_keeps_it_out),
		cmocka_unit_test(test_stop_and_refusals),
	};

	return cmocka_run_group_tests_name("bare_rebuild", tests, NULL, NULL);
}

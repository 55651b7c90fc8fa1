/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The intent log when members fail: aim is that the record that counts is never the target of a write (I3), that
 * nobody is released by a record that is not durable on enough members, and that errors reach all whom they
 * concern and nobody else.
 * Method: fronts that fail writes or flushes; every write to a slot is compared with what counts then.
 */
#include "tests/unit/dev_help.h"
#include "tests/unit/log_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL_DISKS 0xffu
#define SEEDS 40u
#define MS UINT64_C(1000000)

/* I3: the slot of the record that counts is not written to while it counts; `arg` is what counted before. */
static bool slot_guard(struct bench *bench, uint32_t disk, struct io *io, int *result_out)
{
	uint64_t counts;

	(void)result_out;
	if (io->op != IO_WRITE || io->role != IO_ROLE_LOG)
		return false;
	counts = bench_state(bench).generation;
	if (counts == 0 && bench->arg)
		counts = *(const uint64_t *)bench->arg;
	if (counts && io->offset == BENCH_OFFSET + counts % LOG_SLOTS * bench->slot_size)
		fail_msg("disk %u: generation %llu counts and is written over", disk,
			 (unsigned long long)counts);
	return false;
}

/* The generation of the copy on a disk, in the slot; 0: none. */
static uint64_t generation_at(struct bench *bench, uint32_t disk, uint32_t slot)
{
	struct log_found found;
	uint64_t generation;

	bench_read(bench, 1u << disk, &found);
	generation = found.copies[slot].header ? found.copies[slot].generation : 0;
	log_found_reset(&found);
	return generation;
}

static void write_fails(struct bench *bench)
{
	struct log_intent *intent = bench_declare(bench, 1, 1, NULL);
	bool covered = true;

	bench->watch = slot_guard;
	bench_ask(bench, intent); /* generation 1 on members 2 and 3 */
	bench->fail_write[1] = ERR_IO;
	bench_ask(bench, bench_declare(bench, 1, 2, NULL)); /* 2 fails on member 1 */
	assert_int_equal(bench->failed_calls, 1);
	assert_int_equal(bench->failed_member, 1);
	assert_int_equal(bench->failed_code, ERR_IO);
	assert_int_equal(bench_state(bench).generation, 4);
	assert_int_equal(bench_state(bench).records, 2);
	/* 4 on three members: places 8 and 9 mod 3 of 0, 2, 3 */
	assert_int_equal(generation_at(bench, 3, 0), 4);
	assert_int_equal(generation_at(bench, 0, 0), 4);
	assert_int_equal(generation_at(bench, 2, 1), 1);
	assert_int_equal(generation_at(bench, 3, 1), 1);
	bench_declare(bench, 1, 1, &covered);
	assert_true(covered); /* in the new record as well */
	for (uint32_t i = 0; i < 10; i++)
		bench_ask(bench, bench_declare(bench, 2, i, NULL));
	assert_int_equal(bench_state(bench).generation, 14);
}

static void i3_a_failed_write_takes_the_member_out_and_leaves_the_other_slot(void **state)
{
	(void)state;
	bench_run(write_fails, 1, 4, 1);
}

static void flush_fails(struct bench *bench)
{
	struct log_found found;

	bench->watch = slot_guard;
	bench->fail_flush[3] = ERR_NOSPACE; /* of a flush it is final as well */
	bench_ask(bench, bench_declare(bench, 1, 1, NULL));
	assert_int_equal(bench->failed_calls, 1);
	assert_int_equal(bench->failed_member, 3);
	assert_int_equal(bench_state(bench).generation, 3);
	bench_read(bench, 0x7, &found);
	assert_int_equal(found.record.generation, 3);
	assert_int_equal(found.record.epoch, 2);
	assert_int_equal(found.record.in_service.bits, 0x7);
	assert_int_equal(record_names(&found.record, 1, 1), 1);
	log_found_reset(&found);
}

static void a_failed_flush_is_final(void **state)
{
	(void)state;
	bench_run(flush_fails, 1, 4, 1);
}

/* One after the other until one is left. */
static void all_fail(struct bench *bench)
{
	struct err err = { 0 };

	bench->watch = slot_guard;
	for (uint32_t i = 0; i < 3; i++) {
		bench->fail_write[i] = ERR_IO;
		for (uint32_t k = 0; k < 3; k++) /* until the ring comes by */
			bench_ask(bench, bench_declare(bench, i + 1, k, NULL));
		assert_int_equal(bench->failed_calls, i + 1);
	}
	bench->fail_write[3] = ERR_IO;
	bench->failed_result = ERR_TOO_FEW;
	assert_int_equal(intent_log_ask(bench->log, bench_declare(bench, 9, 9, NULL), &err),
			 ERR_TOO_FEW);
	assert_string_equal(err.text, "no commit");
	bench->fail_write[3] = 0; /* it does not come back */
	assert_int_equal(intent_log_ask(bench->log, bench_declare(bench, 9, 10, NULL), &err),
			 ERR_TOO_FEW);
	assert_int_equal(intent_log_flush(bench->log, true, &err), ERR_TOO_FEW);
}

static void the_log_ends_with_the_error_of_the_commit(void **state)
{
	(void)state;
	bench_run(all_fail, 1, 4, 1);
}

struct asker {
	struct bench *bench;
	uint32_t first;
	struct env_task *task;
	int result;
};

static void asker_task(void *arg)
{
	struct asker *asker = arg;
	struct log_intent *intent = bench_declare(asker->bench, 1, asker->first, NULL);
	struct err err = { 0 };

	asker->result = intent_log_ask(asker->bench->log, intent, &err);
	assert_int_equal(asker->result, err.code);
	if (asker->result) {
		assert_non_null(strstr(err.text, "front"));
		intent_log_clean(asker->bench->log, intent);
	}
}

static void no_space(struct bench *bench)
{
	struct asker askers[8];
	struct log_found found;
	bool covered = true;

	bench->watch = slot_guard;
	bench_ask(bench, bench_declare(bench, 1, 100, NULL));
	bench->fail_write[0] = ERR_NOSPACE;
	bench->delay_ns = 5 * MS;
	for (uint32_t i = 0; i < 8; i++) {
		askers[i] = (struct asker){ bench, i, NULL, 1 };
		askers[i].task = env_spawn(bench->env, asker_task, &askers[i]);
	}
	for (uint32_t i = 0; i < 8; i++) {
		env_join(bench->env, askers[i].task);
		assert_int_equal(askers[i].result, ERR_NOSPACE);
	}
	assert_int_equal(bench->failed_calls, 0); /* no fault of the member */
	assert_int_equal(bench_state(bench).generation, 1);
	bench->fail_write[0] = 0;
	bench_ask(bench, bench_declare(bench, 1, 101, NULL));
	bench_declare(bench, 1, 100, &covered);
	assert_true(covered);
	bench_read(bench, 0x1, &found);
	assert_int_equal(found.record.rows_count, 2); /* 100 and 101: the others gave up */
	log_found_reset(&found);
}

static void no_space_is_told_to_all_who_wait_and_the_member_stays(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		bench_run(no_space, seed, 4, 1);
}

/* While a failed record may be the newest on some disk, nothing is covered. */
static void unsure(struct bench *bench)
{
	struct log_intent *intent;
	struct err err = { 0 };
	bool covered;

	bench_ask(bench, bench_declare(bench, 1, 1, NULL));
	bench_declare(bench, 1, 1, &covered);
	assert_true(covered);
	bench->fail_write[0] = ERR_NOSPACE;
	intent = bench_declare(bench, 1, 2, NULL);
	assert_int_equal(intent_log_ask(bench->log, intent, &err), ERR_NOSPACE);
	bench_declare(bench, 1, 1, &covered);
	assert_false(covered);
	bench->fail_write[0] = 0;
	bench_ask(bench, intent); /* asked again, as the caller may */
	bench_declare(bench, 1, 1, &covered);
	assert_true(covered);
	assert_int_equal(bench_state(bench).generation, 4);
}

static void i5_after_a_failed_record_nothing_is_covered(void **state)
{
	(void)state;
	bench_run(unsure, 1, 4, 1);
}

static void other_members(struct bench *bench)
{
	struct log_member left[3] = { bench->members[0], bench->members[1], bench->members[3] };
	struct log_intent *intent = bench_declare(bench, 1, 1, NULL);
	struct log_found found;
	bool covered;

	bench->watch = slot_guard;
	bench_ask(bench, intent); /* on 2 and 3 */
	intent_log_set_members(bench->log, left, 3, 2);
	bench_declare(bench, 1, 1, &covered);
	assert_false(covered);
	assert_int_equal(bench_state(bench).records, 1);
	bench_ask(bench, intent); /* it was durable, and has to be so among those who are left */
	assert_int_equal(bench_state(bench).records, 2);
	bench_read(bench, 0xb, &found);
	assert_int_equal(found.record.generation, 2);
	assert_int_equal(found.record.epoch, 2);
	assert_int_equal(found.record.in_service.bits, 0xb);
	log_found_reset(&found);
	bench_ask(bench, intent);
	assert_int_equal(bench_state(bench).records, 2);
}

static void other_members_get_a_record_before_anybody_is_released(void **state)
{
	(void)state;
	bench_run(other_members, 1, 4, 1);
}

/* Members fail at random under many writers: what is asked for is on p+1 disks that did not fail. */
static void random_task(void *arg)
{
	struct asker *asker = arg;
	struct bench *bench = asker->bench;

	for (uint32_t i = 0; i < 6; i++) {
		struct log_intent *intent = bench_declare(bench, asker->first + 1, i, NULL);
		uint32_t copies = 0, disks = 0;

		bench_ask(bench, intent);
		for (uint32_t d = 0; d < bench->count; d++) {
			struct log_found found;

			if (!bench->members[d].dev)
				continue;
			disks++;
			bench_read(bench, 1u << d, &found);
			copies += record_names(&found.record, asker->first + 1, i) > 0;
			log_found_reset(&found);
		}
		assert_true(copies >= (disks < 3 ? disks : 3));
		intent_log_clean(bench->log, intent);
	}
}

static void random_failures(struct bench *bench)
{
	struct asker askers[6];

	bench->watch = slot_guard;
	bench->delay_ns = MS;
	for (uint32_t i = 0; i < 6; i++) {
		askers[i] = (struct asker){ bench, i, NULL, 0 };
		askers[i].task = env_spawn(bench->env, random_task, &askers[i]);
	}
	env_sleep_ns(bench->env, 3 * MS);
	bench->fail_write[2] = ERR_IO;
	env_sleep_ns(bench->env, 2 * MS);
	bench->fail_flush[4] = ERR_IO;
	for (uint32_t i = 0; i < 6; i++)
		env_join(bench->env, askers[i].task);
}

static void released_means_on_p_plus_1_members_also_while_members_fail(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		bench_run(random_failures, seed, 6, 2);
}

/* ---- the next session */

/* Aim: the first record of a session leaves the one that recovery used. Method: all ways the last one ended. */
static void next_session(struct bench *bench)
{
	uint64_t counted = 0;

	bench->arg = &counted;
	bench->watch = slot_guard;
	for (int ending = 0; ending < 3; ending++) {
		struct log_intent *intent;
		struct log_found found;
		struct err err = { 0 };

		bench_ask(bench, bench_declare(bench, 1, 1, NULL));
		bench_ask(bench, bench_declare(bench, 1, 2, NULL));
		uint64_t durable = bench_state(bench).generation;
		intent = bench_declare(bench, 1, 3, NULL);
		for (uint32_t tries = 0; tries < (uint32_t)ending; tries++) {
			for (uint32_t i = 0; i < bench->count; i++)
				bench->fail_flush[i] = i > 0 || bench->count == 1 ? ERR_IO : 0;
			bench->failed_result = ERR_STATE;
			assert_true(intent_log_ask(bench->log, intent, &err) < 0);
		}
		memset(bench->fail_flush, 0, sizeof(bench->fail_flush));
		bench->failed_result = 0;
		if (ending == 2) { /* the record that failed is damaged besides */
			bench_read(bench, ALL_DISKS, &found);
			for (uint32_t i = 0; i < found.copy_count; i++) {
				if (found.copies[i].generation > durable)
					dev_sim_bytes(
						bench->disks[i / 2])[BENCH_OFFSET + 300 +
								     i % 2 * bench->slot_size] ^= 1;
			}
			log_found_reset(&found);
		}
		bench_read(bench, ALL_DISKS, &found);
		assert_int_equal(found.record.generation, durable + (ending == 1));
		assert_int_not_equal((found.generation_seen + 1) % LOG_SLOTS,
				     found.record.generation % LOG_SLOTS);
		assert_true(found.generation_seen >= durable + (ending > 0));
		intent_log_free(bench->log);
		counted = found.record.generation;
		bench_log(bench, bench->count, 1, found.generation_seen);
		bench_ask(bench, bench_declare(bench, 1, 4, NULL));
		assert_true(bench_state(bench).generation > found.generation_seen);
		log_found_reset(&found);
	}
}

static void i3_the_next_session_leaves_the_record_that_counted(void **state)
{
	(void)state;
	for (uint32_t disks = 1; disks <= 5; disks++)
		bench_run(next_session, disks, disks, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i3_a_failed_write_takes_the_member_out_and_leaves_the_other_slot),
		cmocka_unit_test(a_failed_flush_is_final),
		cmocka_unit_test(the_log_ends_with_the_error_of_the_commit),
		cmocka_unit_test(no_space_is_told_to_all_who_wait_and_the_member_stays),
		cmocka_unit_test(i5_after_a_failed_record_nothing_is_covered),
		cmocka_unit_test(other_members_get_a_record_before_anybody_is_released),
		cmocka_unit_test(released_means_on_p_plus_1_members_also_while_members_fail),
		cmocka_unit_test(i3_the_next_session_leaves_the_record_that_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

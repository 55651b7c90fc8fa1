/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The intent log: aim is its protocol, one test a rule, named after the row that claims it. What a crash makes of
 * it is test_intent_log_model's; what it does when members fail is test_intent_log_fail's; where records
 * lie and how they are found again, test_intent_log_read's.
 * Method: tasks of the simulated environment, over many seeds where the order could matter; the records are
 * read back from the disks.
 */
#include "core/base/mem.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/log_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 40u
#define WRITERS 16u
#define ALL_DISKS 0xffu
#define MS UINT64_C(1000000)

/* A task that declares, asks and waits for `go`; then it cleans. */
struct writer {
	struct bench *bench;
	uint64_t group;
	uint32_t first;
	uint64_t begin_ns;
	struct env_task *task;
	bool released;
	uint64_t released_at; /* log flushes so far */
	uint64_t generation;  /* durable when it was released */
};

static void writer_task(void *arg)
{
	struct writer *writer = arg;
	struct bench *bench = writer->bench;

	env_sleep_ns(bench->env, writer->begin_ns);
	struct log_intent *intent = bench_declare(bench, writer->group, writer->first, NULL);
	bench_ask(bench, intent);
	writer->released = true;
	writer->released_at = bench->log_flushes;
	writer->generation = bench_state(bench).generation;
}

static void writers_start(struct writer *writers, uint32_t count, struct bench *bench)
{
	for (uint32_t i = 0; i < count; i++) {
		writers[i].bench = bench;
		writers[i].group = 1;
		writers[i].first = i;
		writers[i].task = env_spawn(bench->env, writer_task, &writers[i]);
		assert_non_null(writers[i].task);
	}
}

static void writers_join(struct writer *writers, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		env_join(writers[i].bench->env, writers[i].task);
		assert_true(writers[i].released);
	}
}

static void over_seeds(void (*run)(struct bench *bench), uint32_t disks, uint32_t tolerance)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		bench_run(run, seed, disks, tolerance);
}

/* ---- R37, R39 */

static void sixteen_in_one(struct bench *bench)
{
	struct log_intent *intents[WRITERS];
	struct log_found found;

	for (uint32_t i = 0; i < WRITERS; i++)
		intents[i] = bench_declare(bench, 1, i, NULL);
	bench_ask(bench, intents[7]);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.generation, 1);
	assert_int_equal(found.record.rows_count, WRITERS);
	for (uint32_t i = 0; i < WRITERS; i++)
		assert_int_equal(record_names(&found.record, 1, i), 1);
	for (uint32_t i = 0; i < WRITERS; i++)
		bench_ask(bench, intents[i]);
	assert_int_equal(bench_state(bench).records, 1);
	log_found_reset(&found);
}

static void r37_one_record_holds_the_rows_of_sixteen_writers(void **state)
{
	(void)state;
	bench_run(sixteen_in_one, 1, 4, 1);
}

static void two_volumes(struct bench *bench)
{
	struct bench_rows rows;
	struct log_intent *intent;
	struct log_found found;
	bool covered;

	for (uint64_t volume = 1; volume <= 2; volume++) {
		bench_rows(&rows, 10 * volume, 3);
		rows.rows.volume = volume;
		assert_int_equal(intent_log_declare(bench->log, &rows.rows, &intent, &covered), 0);
	}
	bench_ask(bench, intent);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.rows_count, 2);
	assert_int_equal(found.record.rows[0].volume, 1);
	assert_int_equal(found.record.rows[0].group, 10);
	assert_int_equal(found.record.rows[1].volume, 2);
	assert_int_equal(found.record.rows[1].group, 20);
	assert_int_equal(found.record.rows[1].first, 3);
	assert_int_equal(found.record.rows[1].cells[0].crc, 0xaaaa);
	log_found_reset(&found);
}

static void r39_an_entry_names_volume_and_rows(void **state)
{
	(void)state;
	bench_run(two_volumes, 1, 4, 1);
}

/* ---- R40, R41, R42, R46 */

static void gather(struct bench *bench)
{
	struct intent_log_config config = bench_config(bench, 1, 0);
	struct writer writers[WRITERS] = { 0 };
	struct log_found found;
	struct err err = { 0 };

	intent_log_free(bench->log);
	config.flush_delay_ns = 10 * MS;
	assert_int_equal(intent_log_create(&bench->log, &config, &err), 0);
	intent_log_set_members(bench->log, bench->members, bench->count, 1);
	for (uint32_t i = 0; i < WRITERS; i++)
		writers[i].begin_ns = i * MS / 4;
	writers_start(writers, WRITERS, bench);
	writers_join(writers, WRITERS);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.rows_count, WRITERS);
	assert_int_equal(bench_state(bench).records, 1);
	log_found_reset(&found);
}

static void r40_who_comes_during_the_delay_is_in_the_same_record(void **state)
{
	(void)state;
	over_seeds(gather, 4, 1);
}

static void nobody_waits(struct bench *bench)
{
	struct log_intent *intents[WRITERS];

	for (uint32_t i = 0; i < WRITERS; i++)
		intents[i] = bench_declare(bench, 1, i, NULL);
	for (uint32_t i = 1; i < WRITERS; i++)
		intent_log_clean(bench->log, intents[i]);
	env_sleep_ns(bench->env, 1000 * MS);
	assert_int_equal(bench->writes, 0);
	bench_ask(bench, intents[0]);
	assert_int_equal(bench->log_writes, 2);
	assert_int_equal(bench->log_flushes, 2);
	assert_int_equal(bench_state(bench).records, 1);
}

static void r41_a_record_is_written_when_a_writer_waits_and_not_before(void **state)
{
	(void)state;
	bench_run(nobody_waits, 1, 4, 1);
}

/* Aim: one record releases all, none before it is flushed. The first to ask would be alone in its record. */
static void released_together(struct bench *bench)
{
	struct writer writers[WRITERS] = { 0 };

	bench->delay_ns = MS;
	writers_start(writers, WRITERS, bench);
	writers_join(writers, WRITERS);
	assert_in_range(bench_state(bench).records, 1, 2);
	assert_int_equal(bench->log_flushes, 2 * bench_state(bench).records);
	for (uint32_t i = 0; i < WRITERS; i++)
		assert_true(writers[i].released_at >= 2 * writers[i].generation);
	assert_int_equal(bench_state(bench).asks, WRITERS);
}

static void r42_completion_reaches_every_writer_of_the_record(void **state)
{
	(void)state;
	over_seeds(released_together, 4, 1);
}

/* 32 writers in rounds: a round costs at most two records. */
struct looper {
	struct bench *bench;
	uint32_t first, rounds;
	struct env_task *task;
};

static void looper_task(void *arg)
{
	struct looper *looper = arg;

	for (uint32_t i = 0; i < looper->rounds; i++) {
		bool covered = false;
		struct log_intent *intent =
			bench_declare(looper->bench, i + 1, looper->first, &covered);

		assert_false(covered);
		bench_ask(looper->bench, intent);
		intent_log_clean(looper->bench->log, intent);
	}
}

static void group_commit(struct bench *bench)
{
	enum { LOOPERS = 32, ROUNDS = 20 };
	struct looper loopers[LOOPERS];

	bench->delay_ns = MS;
	for (uint32_t i = 0; i < LOOPERS; i++) {
		loopers[i] = (struct looper){ bench, i, ROUNDS, NULL };
		loopers[i].task = env_spawn(bench->env, looper_task, &loopers[i]);
	}
	for (uint32_t i = 0; i < LOOPERS; i++)
		env_join(bench->env, loopers[i].task);
	assert_int_equal(bench_state(bench).asks, LOOPERS * ROUNDS);
	assert_in_range(bench_state(bench).records, ROUNDS, 2 * ROUNDS + 1);
	assert_int_equal(bench_state(bench).intents, 0);
}

static void r42_a_round_of_32_writers_costs_two_records_at_most(void **state)
{
	(void)state;
	over_seeds(group_commit, 4, 1);
}

/* One writer's record is slow; the others come meanwhile. */
static void late_comers(struct bench *bench)
{
	struct writer writers[4] = { 0 };
	struct log_found found;

	bench->delay_ns = 10 * MS;
	for (uint32_t i = 1; i < 4; i++)
		writers[i].begin_ns = i * MS;
	writers_start(writers, 4, bench);
	writers_join(writers, 4);
	assert_int_equal(writers[0].generation, 1);
	for (uint32_t i = 1; i < 4; i++)
		assert_int_equal(writers[i].generation, 2);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.generation, 2);
	for (uint32_t i = 0; i < 4; i++) /* the first is still dirty */
		assert_int_equal(record_names(&found.record, 1, i), 1);
	log_found_reset(&found);
}

static void r46_who_comes_during_a_flush_is_in_the_next_record(void **state)
{
	(void)state;
	over_seeds(late_comers, 4, 1);
}

/* ---- R44, R45, R47 */

static void clean(struct bench *bench)
{
	struct log_intent *a = bench_declare(bench, 1, 1, NULL);
	struct log_intent *b = bench_declare(bench, 1, 2, NULL);
	struct intent_log_state before, after;
	struct log_found found;

	bench_ask(bench, b);
	before = bench_state(bench);
	intent_log_clean(bench->log, a);
	after = bench_state(bench);
	assert_int_equal(before.intents, 2);
	assert_int_equal(after.intents, 1);
	assert_int_equal(after.generation, before.generation);
	assert_int_equal(bench->log_writes, 2);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.rows_count, 2);
	log_found_reset(&found);
}

static void r44_clean_takes_the_rows_out_of_the_record_in_memory_only(void **state)
{
	(void)state;
	bench_run(clean, 1, 4, 1);
}

static void short_cut(struct bench *bench)
{
	bool covered = true;
	struct log_intent *a = bench_declare(bench, 1, 1, &covered), *b;
	struct log_found found;

	assert_false(covered);
	bench_ask(bench, a);
	b = bench_declare(bench, 1, 1, &covered);
	assert_true(covered);
	intent_log_clean(bench->log, a); /* counted: b's stands */
	assert_int_equal(bench_state(bench).records, 1);
	bench_ask(bench, bench_declare(bench, 1, 9, NULL));
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(record_names(&found.record, 1, 1), 1);
	log_found_reset(&found);

	intent_log_clean(bench->log, b);
	b = bench_declare(bench, 1, 1, &covered);
	assert_true(covered); /* cleaned in memory, and still named on the disks */
	intent_log_clean(bench->log, b);
	bench_ask(bench, bench_declare(bench, 1, 10, NULL));
	b = bench_declare(bench, 1, 1, &covered);
	assert_false(covered);
	assert_int_equal(bench_state(bench).records, 3);
}

static void r45_rows_that_are_on_the_disks_need_no_other_record(void **state)
{
	(void)state;
	bench_run(short_cut, 1, 4, 1);
}

/* What the durable record says of a slice covers no more than it says. */
static void short_cut_limits(struct bench *bench)
{
	struct bench_rows rows;
	struct log_intent *intent;
	bool covered;

	bench_rows(&rows, 1, 8);
	rows.rows.columns = 2;
	assert_int_equal(intent_log_declare(bench->log, &rows.rows, &intent, &covered), 0);
	bench_ask(bench, intent);
	for (int what = 0; what < 7; what++) {
		static uint8_t content[2 * BLOCK_SIZE];

		bench_rows(&rows, 1, 8);
		rows.rows.columns = 2;
		switch (what) {
		case 1: /* the other rows */
			rows.rows.first = 9;
			break;
		case 2:
			rows.rows.segment = 1;
			break;
		case 3:
			rows.rows.group = 2;
			break;
		case 4: /* another column */
			rows.rows.columns = 3;
			break;
		case 5: /* the limit of the record on the disks */
			rows.cells[1].generation = 100;
			rows.rows.generation_limit = 200;
			break;
		case 6:
			rows.rows.content = content;
			break;
		default:
			break;
		}
		assert_int_equal(intent_log_declare(bench->log, &rows.rows, &intent, &covered), 0);
		assert_int_equal(covered, what == 0);
		intent_log_clean(bench->log, intent);
	}
	bench_rows(&rows, 1, 8); /* more slices than are named */
	struct log_cell cells[4] = { { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } };
	rows.rows.count = 2;
	rows.rows.columns = 2;
	rows.rows.cells = cells;
	assert_int_equal(intent_log_declare(bench->log, &rows.rows, &intent, &covered), 0);
	assert_false(covered);
	for (uint32_t segment = 1; segment < 500; segment++) { /* some share a bucket */
		bench_rows(&rows, 1, 8);
		rows.rows.columns = 2;
		rows.rows.segment = segment;
		assert_int_equal(intent_log_declare(bench->log, &rows.rows, &intent, &covered), 0);
		assert_false(covered);
	}
}

static void r45_the_short_cut_covers_only_what_is_named(void **state)
{
	(void)state;
	bench_run(short_cut_limits, 1, 4, 1);
}

/* A name with content covers nobody: the content would be put back over what is written. */
static void content_covers_nobody(struct bench *bench)
{
	static uint8_t content[2 * BLOCK_SIZE];
	struct bench_rows rows;
	struct log_intent *intent, *other;
	struct log_found found;
	struct err err = { 0 };
	uint64_t with, without;
	bool covered;

	memset(content, 0x5a, sizeof(content));
	bench_rows(&rows, 1, 8);
	rows.rows.content = content;
	assert_int_equal(intent_log_declare(bench->log, &rows.rows, &intent, &covered), 0);
	with = bench_state(bench).bytes;
	bench_ask(bench, intent);
	bench_read(bench, ALL_DISKS, &found);
	assert_memory_equal(found.record.rows[0].content, content, sizeof(content));
	log_found_reset(&found);
	other = bench_declare(bench, 1, 8, &covered);
	assert_false(covered);

	bench_ask(bench, other);
	assert_int_equal(bench_state(bench).records, 2);
	intent_log_note_done(bench->log, intent);
	memset(content, 0, sizeof(content)); /* no longer borrowed */
	without = bench_state(bench).bytes;
	assert_int_equal(with - without, 2 * BLOCK_SIZE);
	assert_int_equal(intent_log_flush(bench->log, false, &err), 0);
	assert_int_equal(bench_state(bench).records, 3); /* the disks said something else */
	bench_declare(bench, 1, 8, &covered);
	assert_true(covered);
	bench_read(bench, ALL_DISKS, &found);
	assert_null(found.record.rows[0].content);
	log_found_reset(&found);
}

static void r45_a_name_with_content_covers_nobody(void **state)
{
	(void)state;
	bench_run(content_covers_nobody, 1, 4, 1);
}

static void cleared_by_the_next(struct bench *bench)
{
	struct log_intent *a = bench_declare(bench, 1, 1, NULL), *b;
	struct log_found found;
	struct err err = { 0 };

	bench_ask(bench, a);
	intent_log_clean(bench->log, a);
	b = bench_declare(bench, 2, 1, NULL);
	bench_ask(bench, b);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(record_names(&found.record, 1, 1), 0);
	assert_int_equal(record_names(&found.record, 2, 1), 1);
	log_found_reset(&found);

	intent_log_clean(bench->log, b);
	assert_int_equal(intent_log_flush(bench->log, true, &err), 0);
	assert_int_equal(bench_state(bench).records, 3);
	for (uint32_t i = 0; i < bench->count; i++) {
		bench_read(bench, 1u << i, &found); /* each member alone knows it */
		assert_int_equal(found.record.generation, 3);
		assert_int_equal(found.record.rows_count, 0);
		/* generation 4 would be on members 0 and 1: without both it is not excluded */
		assert_int_equal(found.suspect, i >= 2);
		log_found_reset(&found);
	}
	/* nothing has changed since, so nothing is written */
	assert_int_equal(intent_log_flush(bench->log, true, &err), 0);
	assert_int_equal(intent_log_flush(bench->log, false, &err), 0);
	assert_int_equal(bench_state(bench).records, 3);
}

static void r47_the_next_record_leaves_out_what_was_cleaned(void **state)
{
	(void)state;
	bench_run(cleared_by_the_next, 1, 4, 1);
}

/* ---- bounds */

static void fill(struct bench *bench)
{
	static uint8_t page[BLOCK_SIZE];
	struct log_page image = { 1, 2, page };
	struct log_intent *pages[32], *intent;
	uint32_t count = 0;
	struct log_found found;
	int rc;

	while ((rc = intent_log_declare_page(bench->log, &image, &pages[count])) == 0)
		count++;
	assert_int_equal(rc, ERR_LIMIT);
	assert_int_equal(count, 15); /* of 16 blocks */
	assert_int_equal(bench_state(bench).bytes, bench_state(bench).bytes_max);
	intent = bench_declare(bench, 1, 1, NULL); /* there is room in the index */
	bench_ask(bench, intent);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.pages_count, 15);
	assert_int_equal(found.record.rows_count, 1);
	log_found_reset(&found);
	for (uint32_t i = 0; i < count; i++)
		intent_log_clean(bench->log, pages[i]);
	assert_int_equal(bench_state(bench).bytes, BLOCK_SIZE);
	for (uint32_t i = 2;; i++) { /* entries of 80 bytes behind a header of 128 */
		struct bench_rows rows;
		bool covered;

		bench_rows(&rows, 1, i);
		rc = intent_log_declare(bench->log, &rows.rows, &intent, &covered);
		if (rc)
			break;
	}
	assert_int_equal(rc, ERR_LIMIT);
	assert_int_equal(bench_state(bench).intents, (16 * BLOCK_SIZE - 128) / 80);
	bench_ask(bench, intent);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.rows_count, (16 * BLOCK_SIZE - 128) / 80);
	log_found_reset(&found);
}

static void a_record_never_outgrows_its_slot(void **state)
{
	(void)state;
	bench_run(fill, 1, 4, 1);
}

/* From the first write on there is memory again: the simulated disks need some, too. */
static bool memory_returns(struct bench *bench, uint32_t disk, struct io *io, int *result_out)
{
	(void)bench, (void)disk, (void)io, (void)result_out;
	mem_set_hook(NULL, NULL);
	return false;
}

static void no_memory(struct bench *bench)
{
	struct log_intent *intent = bench_declare(bench, 1, 1, NULL);
	unsigned denied = 0;
	struct bench_rows rows;
	struct log_intent *other;
	struct log_found found;
	bool covered;

	bench->watch = memory_returns;
	for (;; denied++) {
		struct err err = { 0 };
		unsigned left = denied;

		mem_set_hook(deny_nth, &left);
		int rc = intent_log_flush(bench->log, false, &err);
		mem_set_hook(NULL, NULL);
		if (!rc)
			break;
		assert_int_equal(rc, ERR_NOMEM);
		assert_int_equal(bench->log_writes, 0); /* never halfway */
	}
	assert_true(denied >= 3);
	bench_ask(bench, intent);
	bench_rows(&rows, 1, 2);
	unsigned left = 0;
	mem_set_hook(deny_nth, &left);
	assert_int_equal(intent_log_declare(bench->log, &rows.rows, &other, &covered), ERR_NOMEM);
	mem_set_hook(NULL, NULL);
	assert_int_equal(bench_state(bench).intents, 1);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.generation, 1);
	log_found_reset(&found);
}

static void without_memory_nothing_is_written_halfway(void **state)
{
	(void)state;
	bench_run(no_memory, 1, 4, 1);
}

/* ---- real threads, for the sanitizer of threads */

static void real_threads(void **state)
{
	enum { LOOPERS = 8, ROUNDS = 50 };
	static struct bench bench;
	struct looper loopers[LOOPERS];
	struct log_found found;
	struct err err = { 0 };

	(void)state;
	bench_open(&bench, env_threads(), 4, 0);
	bench_log(&bench, 4, 1, 0);
	for (uint32_t i = 0; i < LOOPERS; i++) {
		loopers[i] = (struct looper){ &bench, i, ROUNDS, NULL };
		loopers[i].task = env_spawn(bench.env, looper_task, &loopers[i]);
		assert_non_null(loopers[i].task);
	}
	for (uint32_t i = 0; i < LOOPERS; i++)
		env_join(bench.env, loopers[i].task);
	assert_int_equal(bench_state(&bench).asks, LOOPERS * ROUNDS);
	assert_int_equal(intent_log_flush(bench.log, true, &err), 0);
	bench_read(&bench, ALL_DISKS, &found);
	assert_int_equal(found.record.rows_count, 0);
	assert_int_equal(found.record.generation, bench_state(&bench).generation);
	log_found_reset(&found);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r37_one_record_holds_the_rows_of_sixteen_writers),
		cmocka_unit_test(r39_an_entry_names_volume_and_rows),
		cmocka_unit_test(r40_who_comes_during_the_delay_is_in_the_same_record),
		cmocka_unit_test(r41_a_record_is_written_when_a_writer_waits_and_not_before),
		cmocka_unit_test(r42_completion_reaches_every_writer_of_the_record),
		cmocka_unit_test(r42_a_round_of_32_writers_costs_two_records_at_most),
		cmocka_unit_test(r44_clean_takes_the_rows_out_of_the_record_in_memory_only),
		cmocka_unit_test(r45_rows_that_are_on_the_disks_need_no_other_record),
		cmocka_unit_test(r45_the_short_cut_covers_only_what_is_named),
		cmocka_unit_test(r45_a_name_with_content_covers_nobody),
		cmocka_unit_test(r46_who_comes_during_a_flush_is_in_the_next_record),
		cmocka_unit_test(r47_the_next_record_leaves_out_what_was_cleaned),
		cmocka_unit_test(a_record_never_outgrows_its_slot),
		cmocka_unit_test(without_memory_nothing_is_written_halfway),
		cmocka_unit_test(real_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

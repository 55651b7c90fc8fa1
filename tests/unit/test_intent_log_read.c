/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where records of the intent log lie, and how they are found again: aim is that the newest one is found while a
 * copy of it verifies, and that it is known when a newer one may be lost.
 * Method: records written by the log, damaged byte by byte.
 */
#include "tests/unit/log_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ALL_DISKS 0xffu

static void places(struct bench *bench)
{
	uint32_t before = 0;

	for (uint64_t g = 1; g <= 40; g++) {
		struct log_found found;
		uint32_t now = 0;

		bench_ask(bench, bench_declare(bench, 1, (uint32_t)g, NULL));
		bench_read(bench, ALL_DISKS, &found);
		for (uint32_t i = 0; i < found.copy_count; i++) {
			const struct log_copy *copy = &found.copies[i];

			if (copy->header && copy->generation == g) {
				now |= 1u << copy->member;
				assert_int_equal(copy->slot, g % 2);
			}
		}
		assert_int_equal(now, 1u << (2 * g % 4) | 1u << ((2 * g + 1) % 4));
		assert_int_equal(now & before, 0);
		before = now;
		log_found_reset(&found);
	}
}

static void r48_successive_records_lie_on_other_disks(void **state)
{
	(void)state;
	bench_run(places, 1, 4, 1);
	bench_run(places, 1, 4, 0); /* two copies also where no loss is survived (I7) */
}

/* What a damaged copy makes of the newest record, and two. */
static void newest_damaged(struct bench *bench)
{
	static const uint64_t where[] = { 0, 20, 60, 4095, 512 };
	struct log_found found;

	bench_ask(bench, bench_declare(bench, 1, 1, NULL));
	bench_ask(bench, bench_declare(bench, 1, 2, NULL)); /* generation 2, on members 0 and 1 */
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		uint8_t *first = dev_sim_bytes(bench->disks[0]) + BENCH_OFFSET + where[i];
		uint8_t *second = dev_sim_bytes(bench->disks[1]) + BENCH_OFFSET + where[i];

		*first ^= 0x10;
		bench_read(bench, ALL_DISKS, &found);
		assert_int_equal(found.record.generation, 2); /* the next copy */
		assert_false(found.suspect);
		assert_true(found.few);
		log_found_reset(&found);

		*second ^= 0x10;
		bench_read(bench, ALL_DISKS, &found);
		assert_int_equal(found.record.generation, 1);
		assert_false(found.few);
		/*
		 * Without its magic it could be anybody's; with a whole header it is what a power loss
		 * leaves; else generation 2 is not excluded.
		 */
		bool header = where[i] != 0 && where[i] < LOG_HEADER_SIZE;
		assert_int_equal(found.suspect, header);
		assert_int_equal(found.torn, where[i] >= LOG_HEADER_SIZE);
		log_found_reset(&found);
		bench_read(bench, ALL_DISKS & ~1u, &found); /* one damaged, one missing */
		assert_int_equal(found.suspect, header);
		log_found_reset(&found);
		*first ^= 0x10;
		*second ^= 0x10;
	}
}

/* A record that came after one that failed: not where the next one would be looked for. */
static void later_try_damaged(struct bench *bench)
{
	struct log_found found;
	struct err err = { 0 };

	bench_ask(bench, bench_declare(bench, 1, 2, NULL)); /* 1 on members 2, 3 */
	for (int tries = 0; tries < 2; tries++) {           /* 2 and 4 on members 0, 1 */
		bench->fail_write[0] = ERR_NOSPACE;
		bench_declare(bench, 2, 1, NULL);
		assert_int_equal(intent_log_flush(bench->log, false, &err), ERR_NOSPACE);
	}
	bench->fail_write[0] = 0;
	bench_ask(bench, bench_declare(bench, 1, 3, NULL)); /* 6 */
	dev_sim_bytes(bench->disks[0])[BENCH_OFFSET + 600] ^= 1;
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.generation, 6);
	log_found_reset(&found);
	dev_sim_bytes(bench->disks[1])[BENCH_OFFSET + 600] ^= 1;
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.generation, 1);
	assert_int_equal(found.generation_seen, 7);
	assert_true(found.torn); /* on both: nobody was released by it */
	assert_false(found.suspect);
	log_found_reset(&found);
	dev_sim_bytes(bench->disks[0])[BENCH_OFFSET + 20] ^= 1;
	dev_sim_bytes(bench->disks[1])[BENCH_OFFSET + 20] ^= 1; /* now without headers */
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.generation, 1);
	assert_true(found.suspect);
	log_found_reset(&found);
}

/* A member that was away holds a record of a greater number, of an epoch that the others have left. */
static void epoch_before_generation(struct bench *bench)
{
	struct log_found found;
	struct bench_rows rows;

	bench_ask(bench, bench_declare(bench, 1, 1, NULL));
	bench_rows(&rows, 1, 1);
	struct log_record old = { .array = bench_uuid,
				  .epoch = bench->epoch - 1,
				  .generation = 900,
				  .copies = 2,
				  .copies_usual = 2,
				  .in_service = { 15 },
				  .first_place = 0,
				  .rows_count = 1,
				  .rows = &rows.rows };
	log_record_encode(dev_sim_bytes(bench->disks[0]) + BENCH_OFFSET, &old);
	bench_read(bench, ALL_DISKS, &found);
	assert_true(found.copies[0].header);
	assert_int_equal(found.record.generation, 1);
	assert_false(found.suspect);
	assert_in_range(found.generation_seen, 900, 901); /* the next one is greater than both */
	log_found_reset(&found);
}

/*
 * Aim: a power loss in the session's first record leaves the newest one that was surely complete. Method: the newest
 * record is on one member alone, or on both; where does the next one go?
 */
static void first_record_spares_what_counts(struct bench *bench)
{
	struct log_found found;
	uint8_t saved[BLOCK_SIZE];
	uint8_t *log = dev_sim_bytes(bench->disks[1]) + BENCH_OFFSET;

	memcpy(saved, log, BLOCK_SIZE);
	bench_ask(bench, bench_declare(bench, 1, 1, NULL)); /* 1 on members 2 and 3 */
	bench_ask(bench, bench_declare(bench, 1, 2, NULL)); /* 2 on members 0 and 1 */
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.generation_seen, 2); /* 3 goes to the slot of 1 */
	log_found_reset(&found);
	memcpy(log, saved, BLOCK_SIZE);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.record.generation, 2);
	assert_int_equal(found.generation_seen, 3); /* 4: nobody was released by 2 */
	log_found_reset(&found);
	bench_read(bench, ALL_DISKS & ~2u, &found);
	assert_int_equal(found.generation_seen, 2); /* the other may have had it */
	log_found_reset(&found);
}

/* A copy that lies in the other slot is no record of this place. */
static void misplaced(struct bench *bench)
{
	struct log_found found;
	uint8_t *log = dev_sim_bytes(bench->disks[0]) + BENCH_OFFSET;

	bench_ask(bench, bench_declare(bench, 1, 1, NULL));
	bench_ask(bench, bench_declare(bench, 1, 2, NULL)); /* 2 on members 0 and 1, slot 0 */
	memcpy(log + bench->slot_size, log, bench->slot_size);
	bench_read(bench, ALL_DISKS, &found);
	assert_int_equal(found.copies[0].code, 0);
	assert_true(found.copies[0].valid);
	assert_int_equal(found.copies[1].code, ERR_FORMAT);
	assert_false(found.copies[1].header);
	assert_true(found.copies[2].read);  /* the other copy of 2 */
	assert_false(found.copies[4].read); /* older: not needed */
	struct err err = { 0 };
	assert_int_equal(intent_log_read_rest(&found, bench->members, bench->count, &bench_uuid,
					      bench->slot_size, &err),
			 0);
	assert_true(found.copies[2].read && found.copies[2].valid);
	assert_int_equal(found.record.generation, 2);
	log_found_reset(&found);
}

static void r48_what_is_no_good_copy_is_known(void **state)
{
	(void)state;
	bench_run(later_try_damaged, 1, 4, 1);
	bench_run(epoch_before_generation, 1, 4, 1);
	bench_run(first_record_spares_what_counts, 1, 4, 1);
	bench_run(misplaced, 1, 4, 1);
}

static void r48_a_damaged_newest_record_is_replaced_or_suspected(void **state)
{
	(void)state;
	bench_run(newest_damaged, 1, 4, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r48_successive_records_lie_on_other_disks),
		cmocka_unit_test(r48_a_damaged_newest_record_is_replaced_or_suspected),
		cmocka_unit_test(r48_what_is_no_good_copy_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

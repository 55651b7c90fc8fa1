/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scrub of bare arrays: aim is that what is wrong is found, that whoever is named is the one, that what is repaired is right,
 * and that nothing else is written. Method: small arrays of all codes, each block of a row made wrong in turn, two at once,
 * with members absent and blocks unreadable beside; the images are compared with those before, byte by byte. Hooks note
 * the order of marks, writes and flushes.
 */
#include "tests/unit/foreign_help.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/job/scrub.h"
#include "core/store/foreign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOBODY UINT32_MAX

/* What a scrub told. */
struct told {
	uint32_t count, undecidable, repaired, read_errors;
	uint32_t suspect; /* of the last one */
	uint64_t lba;     /* of its first block */
	const char *basis;
	char volume[16];
	uint64_t offset;
};

static void note(void *arg, const struct mismatch *mismatch)
{
	struct told *told = arg;

	told->count++;
	told->undecidable += mismatch->suspect == SUSPECT_UNDECIDABLE;
	told->repaired += mismatch->repaired;
	told->read_errors += strcmp(mismatch->kind, "read-error") == 0;
	told->suspect = mismatch->suspect;
	told->lba = mismatch->blocks[0].lba;
	told->basis = mismatch->basis;
	told->offset = mismatch->offset;
	snprintf(told->volume, sizeof(told->volume), "%s",
		 mismatch->volume ? mismatch->volume : "");
	if (mismatch->suspect != SUSPECT_UNDECIDABLE)
		assert_int_equal(mismatch->blocks[0].slot, mismatch->suspect);
}

/* Marks as hooks make them: counted, and each must come at its time. */
struct marks {
	struct bare_rack *rack;
	uint32_t dirty, clean, in_step;
	bool fail_dirty, out_of_step;
};

static uint64_t writes_of(const struct bare_rack *rack)
{
	uint64_t writes = 0;

	for (uint32_t slot = 0; slot < rack->bare.members; slot++)
		writes += rack->sims[slot] ? dev_sim_writes(rack->sims[slot]) : 0;
	return writes;
}

static int mark_dirty(void *arg, struct dev *const *members, struct err *err)
{
	struct marks *marks = arg;

	assert_int_equal(writes_of(marks->rack), 0); /* nothing is written before */
	assert_ptr_equal(members[0], marks->rack->faults[0]);
	marks->dirty++;
	return marks->fail_dirty ? err_set(err, ERR_IO, "the mark cannot be written") : 0;
}

static int mark_clean(void *arg, struct dev *const *members, struct err *err)
{
	struct marks *marks = arg;
	struct rng rng = rng_seeded(1);

	(void)err;
	assert_int_equal(marks->dirty, 1);
	marks->clean++;
	/* All of it is durable: a power loss here takes nothing away. */
	for (uint32_t slot = 0; slot < marks->rack->bare.members; slot++) {
		uint8_t *before;

		if (!members[slot])
			continue;
		before = mem_pages(marks->rack->size);
		memcpy(before, dev_sim_bytes(marks->rack->sims[slot]), marks->rack->size);
		dev_sim_crash(marks->rack->sims[slot], &rng);
		assert_int_equal(
			memcmp(before, dev_sim_bytes(marks->rack->sims[slot]), marks->rack->size),
			0);
		mem_pages_free(before);
	}
	return 0;
}

static bool in_step(void *arg)
{
	struct marks *marks = arg;

	assert_int_equal(marks->clean, 0);
	marks->in_step++;
	return marks->out_of_step;
}

static const struct foreign_hooks hooks = { .mark_dirty = mark_dirty,
					    .mark_clean = mark_clean,
					    .in_step = in_step };

struct
try {
	enum scrub_mode mode;
	bool accept_data;
	uint32_t absent;
	uint32_t unreadable; /* member + 1, of the same row */
	uint64_t bad;        /* place on it */
};

static struct scrub_report scrub(struct bare_rack *rack, const struct try *try, struct told *told)
{
	struct marks marks = { .rack = rack };
	const struct scrub_request request = {
		.mode = try->mode, .accept_data = try->accept_data, .found = note, .found_arg = told
	};
	struct scrub_report report;
	struct err err = { 0 };
	bool writes = try->mode == SCRUB_REPAIR;

	*told = (struct told){ .suspect = NOBODY };
	bare_rack_open(rack, try->absent, writes ? ARRAY_WRITE : ARRAY_READ, writes ? &hooks : NULL,
		       &marks);
	if (try->unreadable)
		bare_rack_break(rack, try->unreadable - 1, try->bad);
	if (scrub_run(rack->array, &request, &report, &err))
		fail_msg("%s", err.text);
	if (!writes)
		assert_int_equal(writes_of(rack), 0);
	assert_int_equal(marks.dirty, told->repaired > 0);
	assert_int_equal(marks.clean, marks.dirty);
	assert_int_equal(report.mismatches, told->count);
	assert_int_equal(report.repaired, told->repaired);
	assert_int_equal(report.left, told->count - told->repaired);
	bare_rack_close(rack);
	return report;
}

/* The images as they are, to compare with. */
struct copies {
	uint8_t *images[BARE_MEMBERS_MAX];
};

static void keep(struct copies *copies, const struct bare_rack *rack)
{
	for (uint32_t slot = 0; slot < rack->bare.members; slot++) {
		copies->images[slot] = mem_pages(rack->size);
		memcpy(copies->images[slot], rack->images[slot], rack->size);
	}
}

static bool same(const struct copies *copies, const struct bare_rack *rack)
{
	for (uint32_t slot = 0; slot < rack->bare.members; slot++) {
		if (memcmp(copies->images[slot], rack->images[slot], rack->size) != 0)
			return false;
	}
	return true;
}

static void put_back(const struct copies *copies, struct bare_rack *rack)
{
	for (uint32_t slot = 0; slot < rack->bare.members; slot++)
		memcpy(rack->images[slot], copies->images[slot], rack->size);
}

static void drop(struct copies *copies)
{
	for (uint32_t slot = 0; slot < BARE_MEMBERS_MAX; slot++)
		mem_pages_free(copies->images[slot]);
}

static const struct bare cases[] = {
	{ LAYOUT_PARITY, 4, 1, 2, 8, 8192, 0, 0 },
	{ LAYOUT_PARITY, 5, 2, 1, 10, 8192, 0, 0 },
	{ LAYOUT_PARITY, 6, 3, 3, 6, 4096, 0, 0 },
	{ LAYOUT_PARITY, 5, 2, 3, 5, 1536, 0, 0 }, /* nothing in whole blocks */
	{ LAYOUT_PLAIN, 3, 0, 4, 5, 8192, 0, 0 },
	{ LAYOUT_MIRROR, 2, 0, 1, 21, 8192, 1536, 0 },
	{ LAYOUT_MIRROR, 3, 0, 1, 21, 8192, 512, 0 },
	{ LAYOUT_MIRROR, 5, 0, 1, 21, 8192, 0, 0 },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static uint32_t tolerance(const struct bare *bare)
{
	if (bare->layout == LAYOUT_MIRROR)
		return bare->members - 1;
	return bare->layout == LAYOUT_PARITY ? bare->checks : 0;
}

static void test_clean_arrays_are_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		struct bare_rack rack;
		struct told told;

		bare_rack_fill(&rack, &cases[i], i);
		for (uint32_t absent = 0; absent < 1u << cases[i].members; absent++) {
			const struct try try = { .mode = SCRUB_CHECK, .absent = absent };
			struct scrub_report report = scrub(&rack, &try, &told);

			assert_int_equal(told.count, 0);
			assert_true(report.rows_checked > 0);
			if (absent == 0)
				assert_int_equal(report.bytes_read, UINT64_C(4096) * cases[i].rows *
									    cases[i].unit_blocks *
									    cases[i].members);
		}
		bare_rack_empty(&rack);
	}
}

/* A byte of every member in a few rows is flipped; with so many absent beside that the code can spare. */
static void one_wrong(struct bare_rack *rack, const struct copies *copies, uint32_t slot,
		      uint32_t block, uint32_t absent)
{
	const struct bare *bare = &rack->bare;
	uint64_t place = bare->origin + (uint64_t)block * BLOCK_SIZE + 100;
	uint32_t spare = tolerance(bare) - (uint32_t)__builtin_popcount(absent);
	struct try try = { .mode = SCRUB_CHECK, .absent = absent };
	struct told told;

	rack->images[slot][place] ^= 0x41;
	scrub(rack, &try, &told);
	assert_int_equal(told.count, spare > 0);
	assert_int_equal(told.undecidable, spare == 1);
	if (spare >= 2) {
		assert_int_equal(told.suspect, slot);
		assert_int_equal(told.lba, place - 100);
		assert_string_equal(told.basis, bare->layout == LAYOUT_MIRROR ? "mirror-majority"
									      : "second-parity");
	}
	try.mode = SCRUB_REPAIR;
	scrub(rack, &try, &told);
	assert_int_equal(told.repaired, spare >= 2);
	assert_int_equal(same(copies, rack), spare >= 2);
	put_back(copies, rack);
}

static void test_one_wrong_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		const struct bare *bare = &cases[i];
		struct bare_rack rack;
		struct copies copies = { 0 };

		if (bare->layout == LAYOUT_PLAIN || bare->origin % BLOCK_SIZE)
			continue;
		bare_rack_fill(&rack, bare, i);
		keep(&copies, &rack);
		for (uint32_t slot = 0; slot < bare->members; slot++) {
			uint32_t block = (slot * 3 + 1) % (bare->rows * bare->unit_blocks);

			one_wrong(&rack, &copies, slot, block, 0);
			one_wrong(&rack, &copies, slot, block, 1u << (slot + 1) % bare->members);
		}
		drop(&copies);
		bare_rack_empty(&rack);
	}
}

/* Where blocks below hold two of ours a flipped byte is found all the same, and mended alone. */
static void test_unaligned_repair(void **state)
{
	const struct bare bare = cases[3];
	struct bare_rack rack;
	struct copies copies = { 0 };

	(void)state;
	bare_rack_fill(&rack, &bare, 3);
	keep(&copies, &rack);
	for (uint32_t slot = 0; slot < bare.members; slot++) {
		const struct try try = { .mode = SCRUB_REPAIR };
		struct told told;

		rack.images[slot][bare.origin + 5000] ^= 1;
		scrub(&rack, &try, &told);
		assert_int_equal(told.repaired, 1);
		assert_int_equal(told.suspect, slot);
		assert_true(same(&copies, &rack));
	}
	drop(&copies);
	bare_rack_empty(&rack);
}

/* Two wrong blocks in a row of two checks, also in different bytes: nobody is named, nothing is written. */
static void test_two_wrong_are_never_blamed_on_one(void **state)
{
	const struct bare bare = cases[1];
	struct bare_rack rack;
	struct copies copies = { 0 };
	uint32_t named = 0;

	(void)state;
	bare_rack_fill(&rack, &bare, 4);
	for (uint32_t a = 0; a < 5; a++) {
		for (uint32_t b = 0; b < 5; b++) {
			const struct try try = { .mode = SCRUB_REPAIR };
			struct told told;

			if (a == b)
				continue;
			rack.images[a][bare.origin + 7] ^= 0x11;
			rack.images[b][bare.origin + 900] ^= 0x11;
			keep(&copies, &rack);
			scrub(&rack, &try, &told);
			assert_int_equal(told.count, 1);
			named += told.suspect != SUSPECT_UNDECIDABLE;
			assert_true(same(&copies, &rack));
			drop(&copies);
			rack.images[a][bare.origin + 7] ^= 0x11;
			rack.images[b][bare.origin + 900] ^= 0x11;
		}
	}
	assert_int_equal(named, 0);
	bare_rack_empty(&rack);
}

/* What cannot be read is written anew from the others, as far as they suffice. */
static void test_unreadable_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		const struct bare *bare = &cases[i];
		struct bare_rack rack;
		struct copies copies = { 0 };

		if (bare->origin % BLOCK_SIZE)
			continue;
		bare_rack_fill(&rack, bare, i);
		keep(&copies, &rack);
		for (uint32_t lost = 0; lost <= tolerance(bare) && lost < bare->members; lost++) {
			struct try try = { .mode = SCRUB_CHECK,
					   .absent = (1u << lost) - 1,
					   .unreadable = bare->members,
					   .bad = bare->origin + BLOCK_SIZE };
			struct told told;

			scrub(&rack, &try, &told);
			assert_int_equal(told.count, 1);
			assert_int_equal(told.read_errors, 1);
			assert_int_equal(told.suspect, bare->members - 1);
			assert_int_equal(told.lba, try.bad);
			assert_true(same(&copies, &rack));
			/* the bytes below are wrong as well, so that a repair shows */
			memset(rack.images[bare->members - 1] + try.bad, 0x55, BLOCK_SIZE);
			try.mode = SCRUB_REPAIR;
			scrub(&rack, &try, &told);
			assert_int_equal(told.repaired, lost < tolerance(bare));
			assert_int_equal(same(&copies, &rack), lost < tolerance(bare));
			put_back(&copies, &rack);
			try.mode = SCRUB_MEDIA;
			scrub(&rack, &try, &told);
			assert_int_equal(told.read_errors, 1);
		}
		drop(&copies);
		bare_rack_empty(&rack);
	}
}

/* A block that cannot be read, in a row that does not agree without it: it is not made of what is wrong. */
static void test_no_repair_from_a_row_that_lies(void **state)
{
	const struct bare bare = cases[1];
	struct bare_rack rack;
	struct copies copies = { 0 };
	const struct try try = { .mode = SCRUB_REPAIR, .unreadable = 1, .bad = bare.origin };
	struct told told;

	(void)state;
	bare_rack_fill(&rack, &bare, 5);
	rack.images[2][bare.origin + 77] ^= 2;
	keep(&copies, &rack);
	scrub(&rack, &try, &told);
	assert_int_equal(told.count, 2);
	assert_int_equal(told.undecidable, 1);
	assert_int_equal(told.repaired, 0);
	assert_true(same(&copies, &rack));
	drop(&copies);
	bare_rack_empty(&rack);
}

/* With --accept data checks are what data say, and only those that differ are written. */
static void test_accept_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct bare *bare = &cases[i];
		uint32_t k = bare->members - bare->checks;
		struct bare_rack rack;
		struct told told;

		bare_rack_fill(&rack, bare, i);
		/* a write of data in row 0 whose checks never came; and one more, so that nobody can be named */
		for (uint32_t c = 0; c < k; c++)
			rack.images[bare_slot(bare, 0, c)][bare->origin + 10 + c] ^= 0x80;
		struct try try = { .mode = SCRUB_REPAIR };

		scrub(&rack, &try, &told);
		assert_int_equal(told.undecidable, 1);
		assert_int_equal(told.repaired, 0);
		try.absent = 1u << bare_slot(bare, 0, 0); /* not all data can be read */
		try.accept_data = true;
		scrub(&rack, &try, &told);
		assert_int_equal(told.repaired, 0);
		try.absent = 0;
		scrub(&rack, &try, &told);
		assert_int_equal(told.undecidable, 1);
		assert_int_equal(told.repaired, 1);
		assert_string_equal(told.volume, "data");
		try.mode = SCRUB_CHECK;
		scrub(&rack, &try, &told);
		assert_int_equal(told.count, 0);
		bare_rack_empty(&rack);
	}
}

/* A mark that cannot be made: nothing is written. One that nobody can make: the repair is refused. */
static void test_marks(void **state)
{
	const struct bare bare = cases[1];
	struct bare_rack rack;
	struct marks marks = { .rack = &rack, .fail_dirty = true };
	const struct scrub_request request = { .mode = SCRUB_REPAIR };
	struct scrub_report report;
	struct err err = { 0 };

	(void)state;
	bare_rack_fill(&rack, &bare, 1);
	rack.images[1][bare.origin] ^= 1;
	bare_rack_open(&rack, 0, ARRAY_WRITE, &hooks, &marks);
	assert_int_equal(scrub_run(rack.array, &request, &report, &err), ERR_IO);
	assert_string_equal(err.text, "the mark cannot be written");
	assert_int_equal(writes_of(&rack), 0);
	assert_int_equal(marks.clean, 0);
	bare_rack_close(&rack);

	bare_rack_open(&rack, 0, ARRAY_WRITE, NULL, NULL);
	assert_int_equal(scrub_run(rack.array, &request, &report, &err), ERR_FOREIGN);
	bare_rack_close(&rack);
	bare_rack_open(&rack, 0, ARRAY_READ, &hooks, &marks);
	assert_int_equal(scrub_run(rack.array, &request, &report, &err), ERR_STATE);
	const struct scrub_request quick = { .mode = SCRUB_QUICK };

	assert_int_equal(scrub_run(rack.array, &quick, &report, &err), ERR_FOREIGN);
	bare_rack_close(&rack);

	/* a write that fails: the mark of dirty stands */
	marks = (struct marks){ .rack = &rack };
	bare_rack_open(&rack, 0, ARRAY_WRITE, &hooks, &marks);
	const struct fault fault = { .kind = FAULT_WRITE_ERROR,
				     .offset = bare.origin,
				     .size = BLOCK_SIZE };

	assert_int_equal(dev_fault_add(rack.faults[1], &fault), 0);
	assert_int_equal(scrub_run(rack.array, &request, &report, &err), 0);
	assert_int_equal(report.left, 1);
	assert_int_equal(marks.dirty, 1);
	assert_int_equal(marks.clean, 0);
	bare_rack_close(&rack);
	bare_rack_empty(&rack);
}

/* One scrub of an array that was not in step: was it told that it is now? */
static bool told_in_step(struct bare_rack *rack, uint32_t absent,
			 const struct scrub_request *request, uint32_t dirty)
{
	struct marks marks = { .rack = rack, .out_of_step = true };
	struct scrub_report report;
	struct err err = { 0 };

	bare_rack_open(rack, absent, ARRAY_WRITE, &hooks, &marks);
	assert_int_equal(scrub_run(rack->array, request, &report, &err), 0);
	bare_rack_close(rack);
	assert_int_equal(marks.dirty, dirty);
	assert_int_equal(marks.clean, dirty);
	return marks.in_step == 1;
}

/* Only a repair of all rows with all members, which leaves nothing, ends with the array in step. */
static void test_in_step(void **state)
{
	const struct bare bare = bare_cases[0];
	const struct scrub_request check = { .mode = SCRUB_CHECK },
				   repair = { .mode = SCRUB_REPAIR },
				   half = { .mode = SCRUB_REPAIR, .percent = 50 },
				   accept = { .mode = SCRUB_REPAIR, .accept_data = true };
	struct bare_rack rack;

	(void)state;
	bare_rack_fill(&rack, &bare, 1);
	assert_false(told_in_step(&rack, 0, &check, 0));
	assert_false(told_in_step(&rack, 0, &half, 0));
	assert_false(told_in_step(&rack, 1u << 2, &repair, 0));
	assert_true(told_in_step(&rack, 0, &repair, 1));
	/* A row that does not hold, of whose blocks nobody knows which is wrong. */
	rack.images[1][bare.origin] ^= 1;
	assert_false(told_in_step(&rack, 0, &repair, 0));
	assert_true(told_in_step(&rack, 0, &accept, 1));
	bare_rack_empty(&rack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_arrays_are_clean),
		cmocka_unit_test(test_one_wrong_block),
		cmocka_unit_test(test_unaligned_repair),
		cmocka_unit_test(test_two_wrong_are_never_blamed_on_one),
		cmocka_unit_test(test_unreadable_blocks),
		cmocka_unit_test(test_no_repair_from_a_row_that_lies),
		cmocka_unit_test(test_accept_data),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_in_step),
	};

	return cmocka_run_group_tests_name("bare_scrub", tests, NULL, NULL);
}

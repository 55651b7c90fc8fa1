/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Overlays. Aim: the promises of core/dev/overlay.h. Method: random operations on an overlay of simulated disks and
 * on plain arrays of bytes; the power goes between two operations and at every write of a flush, and every sector
 * afterwards must have one of the values that a disk could have; headers and records with every byte changed.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/dev/devices.h"
#include "core/dev/overlay_record.h"
#include "tests/unit/array_help.h"
#include "tests/unit/corpus_help.h"
#include "tests/unit/dev_help.h"
#include "tests/unit/overlay_try.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 300u /* also what lies behind 1 MiB */
#define SIZE ((uint64_t)BLOCKS * BLOCK_SIZE)
#define SECTOR 512u
#define VALUES_MAX 64u

struct rig {
	struct dev *member, *side, *overlay;
	struct rng rng;
	uint8_t *bytes; /* SIZE */
	/* What a sector of each block may be after a power loss: the flushed value, and all since. */
	uint8_t values[BLOCKS][VALUES_MAX];
	uint32_t value_count[BLOCKS];
	uint32_t role[BLOCKS]; /* 1 + role of the last write */
	bool since[BLOCKS];    /* written since the last flush */
};

static struct overlay_header header_of(const struct rig *rig)
{
	struct overlay_header header = { .size = SIZE, .path = "/tank/a" };

	memcpy(header.identity, dev_info(rig->member)->identity, sizeof(header.identity));
	return header;
}

static int reopen(struct rig *rig, bool committing)
{
	struct err err = { 0 };

	return dev_overlay_open(&rig->overlay, rig->member, rig->side, committing, &err);
}

static struct rig *rig_make(uint64_t seed)
{
	struct rig *rig = mem_calloc(1, sizeof(*rig));
	struct err err = { 0 };

	assert_non_null(rig);
	rig->rng = rng_seeded(seed);
	rig->bytes = mem_pages(SIZE);
	assert_int_equal(dev_sim_open(&rig->member, env_threads(), "member", SIZE), 0);
	assert_int_equal(dev_sim_open(&rig->side, env_threads(), "side", overlay_side_size(SIZE)),
			 0);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		rig->values[i][0] = (uint8_t)(1 + rng_below(&rig->rng, 70));
		rig->value_count[i] = 1;
		memset(dev_sim_bytes(rig->member) + (size_t)i * BLOCK_SIZE, rig->values[i][0],
		       BLOCK_SIZE);
	}
	struct overlay_header header = header_of(rig);

	assert_int_equal(overlay_format(rig->side, rig->member, &header, &err), 0);
	assert_int_equal(reopen(rig, false), 0);
	return rig;
}

/* Take the overlay off, as a process that was killed: nothing is flushed by closing. */
static void drop(struct rig *rig, bool crash)
{
	dev_sim_stop_after(rig->side, 0);
	rig->overlay->below = NULL; /* keep the member */
	if (crash) {
		struct dev *side = NULL;

		/* Closing closes the side too: its bytes go to a new one. */
		assert_int_equal(
			dev_sim_open(&side, env_threads(), "side", overlay_side_size(SIZE)), 0);
		dev_sim_crash(rig->side, &rig->rng);
		dev_sim_stop_after(rig->side, 0);
		memcpy(dev_sim_bytes(side), dev_sim_bytes(rig->side), overlay_side_size(SIZE));
		dev_close(rig->overlay);
		rig->side = side;
	} else {
		dev_close(rig->overlay);
		rig->side = NULL;
	}
	rig->overlay = NULL;
}

static void rig_free(struct rig *rig)
{
	if (rig->overlay) {
		dev_close(rig->overlay);
	} else {
		dev_close(rig->side);
		dev_close(rig->member);
	}
	mem_pages_free(rig->bytes);
	mem_free(rig);
}

static uint8_t value_now(const struct rig *rig, uint32_t block)
{
	return rig->values[block][rig->value_count[block] - 1];
}

static void note(struct rig *rig, uint32_t first, uint32_t count, uint8_t value, enum io_role role)
{
	for (uint32_t i = first; i < first + count; i++) {
		if (rig->value_count[i] == VALUES_MAX)
			rig->value_count[i]--; /* enough: the last one counts */
		rig->values[i][rig->value_count[i]++] = value;
		rig->role[i] = 1u + (uint32_t)role;
		rig->since[i] = true;
	}
}

static void note_flush(struct rig *rig)
{
	for (uint32_t i = 0; i < BLOCKS; i++) {
		if (!rig->since[i])
			continue;
		rig->values[i][0] = value_now(rig, i);
		rig->value_count[i] = 1;
		rig->since[i] = false;
	}
}

/* One random write or zero; its result. */
static int random_write(struct rig *rig)
{
	uint32_t first = (uint32_t)rng_below(&rig->rng, BLOCKS);
	uint32_t most = BLOCKS - first < 20 ? BLOCKS - first : 20;
	uint32_t count = 1 + (uint32_t)rng_below(&rig->rng, most);
	uint32_t cut = 1 + (uint32_t)rng_below(&rig->rng, count);
	uint8_t value = (uint8_t)rng_below(&rig->rng, 256);
	struct iovec iov[2] = {
		{ rig->bytes, (size_t)cut * BLOCK_SIZE },
		{ rig->bytes + (size_t)cut * BLOCK_SIZE, (size_t)(count - cut) * BLOCK_SIZE },
	};
	struct io io = {
		.dev = rig->overlay,
		.op = value ? IO_WRITE : IO_ZERO,
		.role = (enum io_role)rng_below(&rig->rng, IO_ROLE_COUNT),
		.offset = (uint64_t)first * BLOCK_SIZE,
		.size = (uint64_t)count * BLOCK_SIZE,
		.iov = value ? iov : NULL,
		.iov_count = !value        ? 0
			     : cut < count ? 2
					   : 1,
	};

	memset(rig->bytes, value, io.size);
	note(rig, first, count, value, io.role); /* also when it fails: then it may have landed */
	return io_run(&io, 1);
}

static void check_all(struct rig *rig)
{
	uint32_t cut = 1 + (uint32_t)rng_below(&rig->rng, BLOCKS - 1);
	struct iovec iov[2] = {
		{ rig->bytes, (size_t)cut * BLOCK_SIZE },
		{ rig->bytes + (size_t)cut * BLOCK_SIZE, (size_t)(BLOCKS - cut) * BLOCK_SIZE },
	};
	struct io io = { .dev = rig->overlay, .size = SIZE, .iov = iov, .iov_count = 2 };

	assert_int_equal(io_run(&io, 1), 0);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		for (uint32_t b = 0; b < BLOCK_SIZE; b++)
			assert_int_equal(rig->bytes[(size_t)i * BLOCK_SIZE + b], value_now(rig, i));
	}
}

/* After a power loss: each sector is what it was at the last flush, or what was written there since. */
static void check_crashed(struct rig *rig)
{
	assert_int_equal(io_read(rig->overlay, IO_ROLE_DATA, 0, rig->bytes, SIZE), 0);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		for (uint32_t s = 0; s < BLOCK_SIZE; s += SECTOR) {
			const uint8_t *at = rig->bytes + (size_t)i * BLOCK_SIZE + s;
			bool fits = false;

			for (uint32_t v = 0; v < rig->value_count[i]; v++)
				fits = fits || at[0] == rig->values[i][v];
			assert_true(fits);
			for (uint32_t b = 1; b < SECTOR; b++)
				assert_int_equal(at[b], at[0]);
		}
	}
}

static void merged_and_below_untouched(void **state)
{
	struct rig *rig = rig_make(11);
	uint8_t *before = mem_pages(SIZE);

	(void)state;
	assert_true(overlay_is_empty(rig->side));
	print_message("seed 11\n");
	memcpy(before, dev_sim_bytes(rig->member), SIZE);
	for (uint32_t round = 0; round < 60; round++) {
		for (uint32_t i = 0; i < 5; i++)
			assert_int_equal(random_write(rig), 0);
		if (round % 3 == 0)
			assert_int_equal(io_flush(rig->overlay), 0);
		check_all(rig);
	}
	assert_false(overlay_is_empty(rig->side));
	assert_int_equal(dev_sim_writes(rig->member), 0);
	assert_memory_equal(dev_sim_bytes(rig->member), before, SIZE);
	assert_string_equal(dev_name(rig->overlay), "member");
	mem_pages_free(before);
	rig_free(rig);
}

static void ranges_are_what_was_written_with_its_role(void **state)
{
	struct rig *rig = rig_make(12);
	struct overlay_range range;
	uint64_t at = 0;

	(void)state;
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(random_write(rig), 0);
	while (overlay_next_range(&range, rig->overlay, at, 7 * BLOCK_SIZE)) {
		assert_true(range.size > 0 && range.size <= 7 * BLOCK_SIZE);
		for (; at < range.offset; at += BLOCK_SIZE)
			assert_int_equal(rig->role[at / BLOCK_SIZE], 0);
		for (; at < range.offset + range.size; at += BLOCK_SIZE)
			assert_int_equal(rig->role[at / BLOCK_SIZE], 1u + (uint32_t)range.role);
	}
	for (; at < SIZE; at += BLOCK_SIZE)
		assert_int_equal(rig->role[at / BLOCK_SIZE], 0);
	rig_free(rig);
}

static void flushed_survives_a_power_loss(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 115; seed++) {
		struct rig *rig = rig_make(seed);

		for (uint32_t life = 0; life < 4; life++) {
			for (uint32_t i = 0; i < 6; i++) {
				assert_int_equal(random_write(rig), 0);
				if (rng_below(&rig->rng, 3) == 0) {
					assert_int_equal(io_flush(rig->overlay), 0);
					note_flush(rig);
				}
			}
			drop(rig, true);
			assert_int_equal(reopen(rig, false), 0);
			check_crashed(rig);
			/* From here on what is there is what may be there: learn it. */
			for (uint32_t i = 0; i < BLOCKS; i++) {
				const uint8_t *at = rig->bytes + (size_t)i * BLOCK_SIZE;

				for (uint32_t s = 0; s < BLOCK_SIZE / SECTOR; s++)
					rig->values[i][s] = at[(size_t)s * SECTOR];
				rig->value_count[i] = BLOCK_SIZE / SECTOR;
				rig->since[i] = false;
			}
		}
		rig_free(rig);
	}
}

/* The power goes at every single write of two flushes. */
static void named_after_its_bytes_are_durable(void **state)
{
	unsigned cut = 0;

	(void)state;
	for (uint64_t stop = 0; stop < 14; stop++) {
		for (uint64_t seed = 0; seed < 8; seed++) {
			struct rig *rig = rig_make(200 + seed);
			int rc = 0;

			dev_sim_stop_after(rig->side, stop);
			for (uint32_t round = 0; rc == 0 && round < 2; round++) {
				for (uint32_t i = 0; rc == 0 && i < 3; i++)
					rc = random_write(rig);
				if (rc == 0)
					rc = io_flush(rig->overlay);
				if (rc == 0)
					note_flush(rig);
			}
			cut += rc != 0;
			drop(rig, true);
			assert_int_equal(reopen(rig, false), 0);
			check_crashed(rig);
			rig_free(rig);
		}
	}
	assert_in_range(cut, 60, 14 * 8 - 8);
}

static void what_was_not_flushed_is_there_after_closing(void **state)
{
	struct rig *rig = rig_make(13);
	struct dev *again = NULL;
	uint8_t *side = mem_pages(overlay_side_size(SIZE));

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(random_write(rig), 0);
	/* The side is closed with the overlay: one more overlay stands in for the end of the process. */
	assert_int_equal(io_flush(rig->overlay), 0);
	memcpy(side, dev_sim_bytes(rig->side), overlay_side_size(SIZE));
	drop(rig, false);
	assert_int_equal(dev_sim_open(&again, env_threads(), "side", overlay_side_size(SIZE)), 0);
	memcpy(dev_sim_bytes(again), side, overlay_side_size(SIZE));
	rig->side = again;
	assert_int_equal(reopen(rig, false), 0);
	check_all(rig);
	mem_pages_free(side);
	rig_free(rig);
}

/* Every telling block, changed below: refused, except where a commit may have put the overlay's bytes. */
static void same_member_or_refused(void **state)
{
	struct rig *rig = rig_make(14);
	uint32_t refused = 0, written = 0;

	(void)state;
	memset(rig->bytes, 77, BLOCK_SIZE);
	assert_int_equal(
		io_write(rig->overlay, IO_ROLE_SUPER, 16 * BLOCK_SIZE, rig->bytes, BLOCK_SIZE), 0);
	assert_int_equal(io_flush(rig->overlay), 0);
	drop(rig, true);
	for (uint32_t i = 0; i < OVERLAY_SUMS_MAX; i++) {
		uint64_t block = overlay_telling_block(i, SIZE);
		uint8_t *at = dev_sim_bytes(rig->member) + block * BLOCK_SIZE;
		uint8_t before[BLOCK_SIZE];

		assert_true(block < BLOCKS);
		memcpy(before, at, BLOCK_SIZE);
		at[BLOCK_SIZE - 1] ^= 1;
		assert_int_equal(reopen(rig, false), ERR_CHANGED);
		assert_int_equal(reopen(rig, true), ERR_CHANGED);
		refused++;
		memset(at, 77, BLOCK_SIZE);
		assert_int_equal(reopen(rig, false), ERR_CHANGED);
		if (block == 16) {
			assert_int_equal(reopen(rig, true), 0);
			drop(rig, true);
			written++;
		} else {
			assert_int_equal(reopen(rig, true), ERR_CHANGED);
		}
		memcpy(at, before, BLOCK_SIZE);
	}
	assert_int_equal(refused, OVERLAY_SUMS_MAX);
	assert_int_equal(written, 1);
	assert_int_equal(reopen(rig, false), 0);
	rig_free(rig);
}

/* Every byte of the header, of the sums and of a record page, changed: refused, or of no meaning. */
static void damaged_is_refused(void **state)
{
	struct rig *rig = rig_make(15);

	(void)state;
	memset(rig->bytes, 1, BLOCK_SIZE);
	for (uint64_t i = 0; i < BLOCKS; i += 2)
		assert_int_equal(io_write(rig->overlay, IO_ROLE_DATA, i * BLOCK_SIZE, rig->bytes,
					  BLOCK_SIZE),
				 0);
	assert_int_equal(io_flush(rig->overlay), 0);
	drop(rig, true);
	for (uint64_t at = 0; at < OVERLAY_RECORD_OFFSET + SECTOR; at += at % 61 + 1) {
		uint8_t *byte = dev_sim_bytes(rig->side) + at;

		*byte ^= 0x10;
		assert_int_not_equal(reopen(rig, false), 0);
		*byte ^= 0x10;
	}
	assert_int_equal(reopen(rig, false), 0);
	rig_free(rig);
}

static void unfinished_and_short_sides_are_refused(void **state)
{
	struct rig *rig = rig_make(16);
	struct dev *side = NULL;
	struct overlay_header header;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(overlay_side_size(0), 0);
	assert_int_equal(overlay_side_size(BLOCK_SIZE + 1), 0);
	assert_int_equal(overlay_side_size(UINT64_MAX - BLOCK_SIZE + 1), 0);
	assert_int_equal(dev_sim_open(&side, env_threads(), "short", MIB), 0);
	assert_int_equal(overlay_header_read(&header, side, &err), ERR_NOT_MEMBER);
	memcpy(dev_sim_bytes(side), dev_sim_bytes(rig->side), MIB);
	assert_int_equal(overlay_header_read(&header, side, &err), 0);
	assert_string_equal(header.path, "/tank/a");
	struct dev *overlay = NULL;
	struct dev *member = rig->member;

	assert_int_equal(dev_overlay_open(&overlay, member, side, false, &err), ERR_TRUNCATED);
	dev_close(side);
	rig_free(rig);
}

static void a_block_that_cannot_be_read_below_reads_after_it_was_written(void **state)
{
	const struct fault fault = { .kind = FAULT_READ_ERROR,
				     .offset = 8 * BLOCK_SIZE,
				     .size = BLOCK_SIZE };
	struct rig *rig = rig_make(17);
	struct dev *faulty = NULL;

	(void)state;
	drop(rig, true);
	assert_int_equal(dev_fault_open(&faulty, rig->member), 0);
	assert_int_equal(dev_fault_add(faulty, &fault), 0);
	rig->member = faulty;
	assert_int_equal(reopen(rig, false), 0); /* what cannot be read tells nothing */
	assert_int_equal(io_read(rig->overlay, IO_ROLE_DATA, 0, rig->bytes, MIB), ERR_IO);
	memset(rig->bytes, 5, BLOCK_SIZE);
	assert_int_equal(
		io_write(rig->overlay, IO_ROLE_DATA, 8 * BLOCK_SIZE, rig->bytes, BLOCK_SIZE), 0);
	assert_int_equal(io_read(rig->overlay, IO_ROLE_DATA, 0, rig->bytes, MIB), 0);
	assert_int_equal(rig->bytes[8 * BLOCK_SIZE], 5);
	rig_free(rig);
}

static void without_memory_nothing_is_opened(void **state)
{
	struct rig *rig = rig_make(18);
	unsigned nth = 0;
	int rc = ERR_NOMEM;

	(void)state;
	drop(rig, true);
	for (; rc; nth++) {
		unsigned left = nth;

		mem_set_hook(deny_nth, &left);
		rc = reopen(rig, false);
		mem_set_hook(NULL, NULL);
		assert_true(rc == 0 || rc == ERR_NOMEM);
	}
	assert_true(nth > 4);
	rig_free(rig);
}

/* The seeds of the fuzz program, whole and with each of their first bytes changed. */
static void any_bytes_are_refused_or_encode_to_themselves(void **state)
{
	uint8_t bytes[1 + 2 * BLOCK_SIZE] = { 0 };
	struct overlay_header header = { .size = 5 * MIB,
					 .is_new = true,
					 .identity = { 1, 2 },
					 .modified_ns = 3,
					 .path = "/a/member" };
	unsigned decoded = 0;

	(void)state;
	overlay_header_encode(bytes + 1, &header);
	assert_true(overlay_try(bytes, 1 + BLOCK_SIZE));
	for (size_t at = 1; at < 200; at++) {
		bytes[at] ^= 0x55;
		decoded += overlay_try(bytes, 1 + BLOCK_SIZE);
		bytes[at] ^= 0x55;
	}
	assert_in_range(decoded, 1, 60); /* identity, time, sums: any value has a meaning */
	bytes[0] = 1;
	memset(bytes + 1, 0, BLOCK_SIZE);
	overlay_page_set(bytes + 1, 17, 3);
	assert_true(overlay_try(bytes, 1 + BLOCK_SIZE));
	overlay_page_set(bytes + 1, 17, 3);
	bytes[1 + 30] = 0xff;
	assert_false(overlay_try(bytes, 1 + BLOCK_SIZE));
}

static bool replay(uint8_t *bytes, size_t size)
{
	return overlay_try(bytes, size);
}

/* Seeds of fuzz-overlay, and what it found worth keeping. */
static void corpus_is_read(void **state)
{
	struct corpus_count count = corpus_replay("overlay", replay, NULL);

	(void)state;
	assert_true(count.files >= 2 && count.true_count >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merged_and_below_untouched),
		cmocka_unit_test(ranges_are_what_was_written_with_its_role),
		cmocka_unit_test(flushed_survives_a_power_loss),
		cmocka_unit_test(named_after_its_bytes_are_durable),
		cmocka_unit_test(what_was_not_flushed_is_there_after_closing),
		cmocka_unit_test(same_member_or_refused),
		cmocka_unit_test(damaged_is_refused),
		cmocka_unit_test(unfinished_and_short_sides_are_refused),
		cmocka_unit_test(a_block_that_cannot_be_read_below_reads_after_it_was_written),
		cmocka_unit_test(without_memory_nothing_is_opened),
		cmocka_unit_test(any_bytes_are_refused_or_encode_to_themselves),
		cmocka_unit_test(corpus_is_read),
	};

	return cmocka_run_group_tests_name("dev_overlay", tests, NULL, NULL);
}

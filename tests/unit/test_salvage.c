/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: the promises of core/job/salvage.h. Method: bare arrays of each kind with random bad sectors on all members, with
 * random hopes; the bytes in bad sectors are wrong, so that nobody may take them. What is known and what is wanted is
 * counted here, sector by sector, from where the pictures of such arrays put it: of n sectors of a row any n - p are
 * enough.
 */
#include "core/job/salvage.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/dev/holes.h"
#include "tests/unit/foreign_help.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECTOR SALVAGE_SECTOR
#define SECTORS_MAX 4096u /* of an image */
#define VOLUME_SECTORS_MAX 8192u

struct bench {
	struct bare_rack rack;
	uint32_t absent;                              /* members, a bit each */
	uint8_t hopes[BARE_MEMBERS_MAX][SECTORS_MAX]; /* of bad sectors; 0: bad without hope */
	bool bad[BARE_MEMBERS_MAX][SECTORS_MAX];
	bool wanted[BARE_MEMBERS_MAX][SECTORS_MAX];   /* as salvage says */
	bool expected[BARE_MEMBERS_MAX][SECTORS_MAX]; /* as counted here */
	bool known[VOLUME_SECTORS_MAX];               /* as counted here */
	bool got[VOLUME_SECTORS_MAX];
};

/* Cells of one row-sector: those of the same equations. */
struct cells {
	uint32_t count, checks;
	uint32_t slot[BARE_MEMBERS_MAX];
	uint64_t sector[BARE_MEMBERS_MAX];        /* of the member */
	uint64_t volume_sector[BARE_MEMBERS_MAX]; /* UINT64_MAX: a check */
};

static bool cell_lost(const struct bench *bench, const struct cells *cells, uint32_t i)
{
	return bench->absent >> cells->slot[i] & 1 || bench->bad[cells->slot[i]][cells->sector[i]];
}

static uint32_t cell_hope(const struct bench *bench, const struct cells *cells, uint32_t i)
{
	return bench->absent >> cells->slot[i] & 1 ? 0
						   : bench->hopes[cells->slot[i]][cells->sector[i]];
}

/* What is wanted of one row-sector with `lost` unknown cells, more than there are checks. */
static void expect_wanted(struct bench *bench, const struct cells *cells, uint32_t lost)
{
	uint32_t need = lost - cells->checks, hopeful = 0;

	for (uint32_t i = 0; i < cells->count; i++)
		hopeful += cell_lost(bench, cells, i) && cell_hope(bench, cells, i);
	for (uint32_t worst = 1; worst <= SALVAGE_HOPES; worst++) {
		uint32_t choices = 0, goal = 0, goal_in = 0;

		for (uint32_t i = 0; i < cells->count; i++) {
			uint32_t hope = cell_hope(bench, cells, i);
			bool data = cells->volume_sector[i] != UINT64_MAX;

			if (!cell_lost(bench, cells, i))
				continue;
			choices += hope && hope <= worst;
			goal += data && (hope || hopeful >= need);
			goal_in += data && hope && hope <= worst;
		}
		bool by_count = choices >= need, by_data = goal > 0 && goal_in == goal;

		if (goal == 0)
			return;
		if (!by_count && !by_data)
			continue;
		bool any = by_count && (!by_data || need <= goal);
		bool data_only = by_data && (!by_count || goal <= need);

		for (uint32_t i = 0; i < cells->count; i++) {
			uint32_t hope = cell_hope(bench, cells, i);
			bool data = cells->volume_sector[i] != UINT64_MAX;

			if (cell_lost(bench, cells, i) && hope && hope <= worst &&
			    (any || (data_only && data)))
				bench->expected[cells->slot[i]][cells->sector[i]] = true;
		}
		return;
	}
}

static void expect_cells(struct bench *bench, const struct cells *cells)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < cells->count; i++)
		lost += cell_lost(bench, cells, i);
	for (uint32_t i = 0; i < cells->count; i++) {
		if (cells->volume_sector[i] != UINT64_MAX)
			bench->known[cells->volume_sector[i]] |=
				lost <= cells->checks || !cell_lost(bench, cells, i);
	}
	if (lost > cells->checks)
		expect_wanted(bench, cells, lost);
}

static void expect_parity(struct bench *bench)
{
	const struct bare *bare = &bench->rack.bare;
	uint64_t chunk = (uint64_t)bare->unit_blocks * BLOCK_SIZE / SECTOR;
	uint32_t data = bare->members - bare->checks;

	for (uint64_t at = 0; at < bare->rows * chunk; at++) {
		struct cells cells = { .count = bare->members, .checks = bare->checks };

		for (uint32_t c = 0; c < bare->members; c++) {
			cells.slot[c] = bare_slot(bare, (uint32_t)(at / chunk), c);
			cells.sector[c] = bare->origin / SECTOR + at;
			cells.volume_sector[c] =
				c < data ? (at / chunk * data + c) * chunk + at % chunk
					 : UINT64_MAX;
		}
		expect_cells(bench, &cells);
	}
}

/* Copies are checks of each other; without any, each byte stands alone. */
static void expect_copies(struct bench *bench)
{
	const struct bare *bare = &bench->rack.bare;
	uint32_t copies = bare->layout == LAYOUT_MIRROR ? bare->members : 1;

	for (uint64_t at = 0; at < bare_volume_size(bare) / SECTOR; at++) {
		struct cells cells = { .count = copies, .checks = copies - 1 };

		for (uint32_t c = 0; c < copies; c++) {
			struct bare_byte byte = bare_place(bare, at * SECTOR, c);

			cells.slot[c] = byte.slot;
			cells.sector[c] = byte.place / SECTOR;
			cells.volume_sector[c] = at;
		}
		expect_cells(bench, &cells);
	}
}

static void expect_all(struct bench *bench)
{
	memset(bench->expected, 0, sizeof(bench->expected));
	memset(bench->known, 0, sizeof(bench->known));
	if (bench->rack.bare.layout == LAYOUT_PARITY)
		expect_parity(bench);
	else
		expect_copies(bench);
}

static int bench_got(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	struct bench *bench = arg;

	(void)err;
	assert_int_equal(offset % SECTOR, 0);
	assert_true(size <= BLOCK_SIZE);
	assert_memory_equal(bytes, bench->rack.volume + offset, size);
	for (size_t at = 0; at < size; at += SECTOR)
		bench->got[(offset + at) / SECTOR] = true;
	return 0;
}

static uint32_t bench_hope(void *arg, uint32_t slot, uint64_t place)
{
	const struct bench *bench = arg;

	assert_int_equal(place % SECTOR, 0);
	assert_false(bench->absent >> slot & 1);
	return bench->bad[slot][place / SECTOR] ? bench->hopes[slot][place / SECTOR] : 0;
}

static int bench_want(void *arg, uint32_t slot, uint64_t place, struct err *err)
{
	struct bench *bench = arg;

	(void)err;
	assert_true(bench_hope(arg, slot, place) > 0);
	bench->wanted[slot][place / SECTOR] = true;
	return 0;
}

/* Bad sectors of other density from member to member, and wrong bytes in them. */
static void bench_damage(struct bench *bench, struct rng *rng)
{
	struct bare_rack *rack = &bench->rack;

	bench->absent = rng_below(rng, 4) == 0 ? 1u << rng_below(rng, rack->bare.members) : 0;
	assert_true(rack->size / SECTOR <= SECTORS_MAX);
	for (uint32_t slot = 0; slot < rack->bare.members; slot++) {
		uint64_t one_in = 1 + rng_below(rng, 6);

		for (uint64_t s = 0; s < rack->size / SECTOR; s++) {
			bench->bad[slot][s] = rng_below(rng, one_in + 1) == 0;
			bench->hopes[slot][s] = (uint8_t)rng_below(rng, SALVAGE_HOPES + 1);
		}
	}
}

static void bench_open(struct bench *bench)
{
	struct bare_rack *rack = &bench->rack;
	struct dev *devs[MEMBERS_MAX] = { 0 };
	const struct array_foreign_request request = { .env = rack->env,
						       .map = bare_map(&rack->bare),
						       .devs = devs,
						       .access = ARRAY_READ,
						       .tasks = 1 };
	struct hole *holes = mem_calloc(SECTORS_MAX, sizeof(*holes));
	struct err err = { 0 };

	assert_non_null(holes);
	for (uint32_t slot = 0; slot < rack->bare.members; slot++) {
		struct dev *disk = NULL;
		size_t count = 0;

		if (bench->absent >> slot & 1)
			continue;
		assert_int_equal(dev_sim_open(&disk, rack->env, "disk", rack->size), 0);
		memcpy(dev_sim_bytes(disk), rack->images[slot], rack->size);
		for (uint64_t s = 0; s < rack->size / SECTOR; s++) {
			if (!bench->bad[slot][s])
				continue;
			holes[count++] = (struct hole){ s * SECTOR, SECTOR };
			memset(dev_sim_bytes(disk) + s * SECTOR, 0x99, SECTOR);
		}
		assert_int_equal(dev_holes_open(&devs[slot], disk, holes, count), 0);
	}
	mem_free(holes);
	if (array_open_foreign(&rack->array, &request, &err))
		fail_msg("%s", err.text);
}

/* The whole volume, in ranges of which some begin and end within blocks. */
static void bench_run(struct bench *bench, struct rng *rng)
{
	struct salvage_range ranges[64];
	uint64_t size = bare_volume_size(&bench->rack.bare), at = 0;
	struct salvage_report report = { 0 };
	struct salvage_request request = { .volume = "data",
					   .ranges = ranges,
					   .got = bench_got,
					   .hope = bench_hope,
					   .want = bench_want,
					   .arg = bench };
	struct err err = { 0 };

	memset(bench->wanted, 0, sizeof(bench->wanted));
	memset(bench->got, 0, sizeof(bench->got));
	while (at < size) {
		uint64_t length = size_min(size - at, (1 + rng_below(rng, 300)) * SECTOR);

		if (request.range_count == 63)
			length = size - at;
		ranges[request.range_count++] = (struct salvage_range){ at, length };
		at += length;
	}
	if (salvage_run(bench->rack.array, &request, &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(report.got + report.lost, size);
}

static void bench_compare(const struct bench *bench)
{
	const struct bare_rack *rack = &bench->rack;

	for (uint64_t s = 0; s < bare_volume_size(&rack->bare) / SECTOR; s++)
		assert_int_equal(bench->got[s], bench->known[s]);
	for (uint32_t slot = 0; slot < rack->bare.members; slot++) {
		for (uint64_t s = 0; s < rack->size / SECTOR; s++) {
			if (bench->wanted[slot][s] != bench->expected[slot][s])
				fail_msg("member %u sector %u: wanted %d, expected %d", slot,
					 (unsigned)s, bench->wanted[slot][s],
					 bench->expected[slot][s]);
		}
	}
}

static void sectors_enough_needed(void **state)
{
	struct bench *bench = mem_calloc(1, sizeof(*bench));
	struct rng rng = rng_seeded(77);

	(void)state;
	assert_non_null(bench);
	print_message("seed 77\n");
	for (size_t i = 0; i < BARE_CASES; i++) {
		bare_rack_fill(&bench->rack, &bare_cases[i], i);
		for (uint32_t round = 0; round < 12; round++) {
			bench_damage(bench, &rng);
			expect_all(bench);
			bench_open(bench);
			bench_run(bench, &rng);
			bench_compare(bench);
			array_close(bench->rack.array);
			bench->rack.array = NULL;
		}
		bare_rack_empty(&bench->rack);
	}
	mem_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sectors_enough_needed),
	};

	return cmocka_run_group_tests_name("salvage", tests, NULL, NULL);
}

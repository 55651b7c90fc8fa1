/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Kernels: bytes a second that one thread copies, sums and encodes, in the cache and from memory, by the
 * functions that pgctl uses and by the library below them. One JSON line each, bytes of all sources.
 */
#include "core/base/crc.h"
#include "core/code/kernel.h"

#include <isa-l/raid.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS 5u /* data columns of six members with one check */
#define CHECKS 3u
#define TILE ((size_t)32768)      /* of each column, in the cache */
#define MEMORY ((size_t)32 << 20) /* of each column, from memory */
#define SECONDS_MIN 0.2           /* of one measurement */
#define RUNS 5u
#define BLOCK ((size_t)4096)

static uint8_t *columns[COLUMNS + CHECKS];
static volatile uint32_t sink;

static void run_memcpy(size_t at)
{
	for (uint32_t i = 0; i < COLUMNS; i++)
		memcpy(columns[COLUMNS] + at, columns[i] + at, TILE);
}

static void run_crc(size_t at)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < COLUMNS; i++) {
		for (size_t block = 0; block < TILE; block += BLOCK)
			sum ^= crc32_of((uint32_t)block, columns[i] + at + block, BLOCK);
	}
	sink = sum;
}

static void run_isal(size_t at, uint32_t checks)
{
	void *vectors[COLUMNS + CHECKS];

	for (uint32_t i = 0; i < COLUMNS + checks; i++)
		vectors[i] = columns[i] + at;
	sink = (uint32_t)(checks == 1 ? xor_gen((int)COLUMNS + 1, (int)TILE, vectors)
				      : pq_gen((int)COLUMNS + 2, (int)TILE, vectors));
}

static void run_xor_gen(size_t at)
{
	run_isal(at, 1);
}

static void run_pq_gen(size_t at)
{
	run_isal(at, 2);
}

static void run_encode(size_t at, uint32_t checks)
{
	static const uint8_t index[COLUMNS] = { 0, 1, 2, 3, 4 };
	const uint8_t *data[COLUMNS];
	uint8_t *targets[CHECKS];

	for (uint32_t i = 0; i < COLUMNS; i++)
		data[i] = columns[i] + at;
	for (uint32_t j = 0; j < checks; j++)
		targets[j] = columns[COLUMNS + j] + at;
	kernel_encode(targets, checks, data, index, COLUMNS, TILE);
}

static void run_encode_1(size_t at)
{
	run_encode(at, 1);
}

static void run_encode_2(size_t at)
{
	run_encode(at, 2);
}

static void run_encode_3(size_t at)
{
	run_encode(at, 3);
}

static const struct kernel {
	const char *name;
	void (*run)(size_t at);
} kernels[] = {
	{ "memcpy", run_memcpy },     { "crc32_of", run_crc },      { "xor_gen", run_xor_gen },
	{ "pq_gen", run_pq_gen },     { "encode-1", run_encode_1 }, { "encode-2", run_encode_2 },
	{ "encode-3", run_encode_3 },
};

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The best of some runs over the first `size` bytes of each column. */
static double gigabytes_per_second(const struct kernel *kernel, size_t size)
{
	double best = 0;

	for (uint32_t run = 0; run < RUNS; run++) {
		double begin = now_seconds(), passed = 0;
		uint64_t bytes = 0;

		while (passed < SECONDS_MIN / RUNS) {
			for (size_t at = 0; at < size; at += TILE)
				kernel->run(at);
			bytes += COLUMNS * size;
			passed = now_seconds() - begin;
		}
		double rate = (double)bytes / passed / 1e9;
		best = rate > best ? rate : best;
	}
	return best;
}

int main(void)
{
	for (uint32_t i = 0; i < COLUMNS + CHECKS; i++) {
		columns[i] = aligned_alloc(BLOCK, MEMORY);
		if (!columns[i]) {
			fputs("kernels: no memory\n", stderr);
			return 1;
		}
		memset(columns[i], (int)i + 1, MEMORY);
	}
	for (size_t i = 0; i < sizeof(kernels) / sizeof(*kernels); i++)
		printf("{\"kernel\":\"%s\",\"cache_gb_s\":%.1f,\"memory_gb_s\":%.1f}\n",
		       kernels[i].name, gigabytes_per_second(&kernels[i], TILE),
		       gigabytes_per_second(&kernels[i], MEMORY));
	return 0;
}

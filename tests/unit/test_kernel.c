/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernels and GF(2^8): fast against plain, plain against the definition of the field. */
#include "core/base/rng.h"
#include "core/code/kernel.h"
#include "tests/unit/code_oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOURCES 33u
#define SIZE 8192u
#define GUARD 64u
#define SEED 20240601u

/* `count` buffers of SIZE random bytes each. */
static uint8_t *random_bytes(uint32_t count, struct rng *rng)
{
	uint8_t *bytes = aligned_alloc(64, (size_t)count * SIZE);

	assert_non_null(bytes);
	for (size_t i = 0; i < (size_t)count * SIZE; i += 8) {
		uint64_t value = rng_next(rng);

		memcpy(bytes + i, &value, 8);
	}
	return bytes;
}

static uint8_t random_coefficient(struct rng *rng)
{
	return (uint8_t)(1 + rng_below(rng, 255));
}

/* sum += coefficient * source, by the definition. */
static void expect_add(uint8_t *sum, const uint8_t *source, uint8_t coefficient)
{
	uint8_t products[256];

	for (int value = 0; value < 256; value++)
		products[value] = oracle_product(coefficient, (uint8_t)value);
	for (size_t i = 0; i < SIZE; i++)
		sum[i] ^= products[source[i]];
}

/* The field: all 65536 products against carry-less multiplication modulo 0x11d. */
static void gf_multiply_is_the_product_modulo_0x11d(void **state)
{
	(void)state;
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++)
			assert_int_equal(gf_multiply((uint8_t)a, (uint8_t)b),
					 oracle_product((uint8_t)a, (uint8_t)b));
	}
}

/* Inverses: every a but 0 times its inverse is 1; the inverse of 0 is 0. */
static void gf_inverse_undoes_multiplication(void **state)
{
	(void)state;
	assert_int_equal(gf_inverse(0), 0);
	for (int a = 1; a < 256; a++)
		assert_int_equal(oracle_product((uint8_t)a, gf_inverse((uint8_t)a)), 1);
}

/* Powers: 2 runs through all 255 values before it repeats; exponents are taken modulo 255. */
static void gf_power_runs_through_the_field(void **state)
{
	bool seen[256] = { false };
	uint8_t expected = 1;

	(void)state;
	for (uint32_t n = 0; n < 255; n++) {
		assert_int_equal(gf_power(n), expected);
		assert_int_equal(gf_power(n + 255), expected);
		assert_false(seen[expected]);
		seen[expected] = true;
		expected = oracle_product(expected, 2);
	}
	assert_int_equal(expected, 1);
	assert_false(seen[0]);
}

/* Run the fast kernel for all sizes into a guarded target and compare with the prefix. */
static void check_all_sizes(const struct kernel_source *sources, uint32_t count,
			    const uint8_t *expected)
{
	uint8_t *target = aligned_alloc(64, SIZE + GUARD);

	assert_non_null(target);
	for (size_t size = 64; size <= SIZE; size += 64) {
		memset(target, 0xa5, size + GUARD);
		kernel_combine(target, sources, count, size);
		assert_memory_equal(target, expected, size);
		for (size_t i = 0; i < GUARD; i++)
			assert_int_equal(target[size + i], 0xa5);
	}
	free(target);
}

/* Combine: 0 to 33 sources, all sizes, once all coefficients 1, once at random, against the sum. */
static void combine_is_the_sum_for_all_counts_and_sizes(void **state)
{
	struct rng rng = rng_seeded(SEED);
	uint8_t *bytes = random_bytes(SOURCES, &rng);
	uint8_t *plain = aligned_alloc(64, SIZE);
	struct kernel_source sources[SOURCES];

	(void)state;
	printf("# seed %u\n", SEED);
	assert_non_null(plain);
	for (int random = 0; random < 2; random++) {
		uint8_t expected[SIZE] = { 0 };

		check_all_sizes(sources, 0, expected);
		for (uint32_t i = 0; i < SOURCES; i++) {
			uint8_t coefficient = random ? random_coefficient(&rng) : 1;

			sources[i] = (struct kernel_source){ bytes + i * SIZE, coefficient };
			expect_add(expected, sources[i].bytes, coefficient);
			check_all_sizes(sources, i + 1, expected);
			kernel_combine_reference(plain, sources, i + 1, SIZE);
			assert_memory_equal(plain, expected, SIZE);
		}
	}
	free(plain);
	free(bytes);
}

/* Combine: one source with each coefficient, and as many sources as allowed, one bytes repeated. */
static void combine_takes_every_coefficient_and_the_most_sources(void **state)
{
	struct rng rng = rng_seeded(SEED);
	uint8_t *bytes = random_bytes(2, &rng);
	struct kernel_source sources[KERNEL_SOURCES_MAX];
	uint8_t expected[SIZE];

	(void)state;
	for (unsigned coefficient = 1; coefficient < 256; coefficient++) {
		sources[0] = (struct kernel_source){ bytes, (uint8_t)coefficient };
		memset(expected, 0, SIZE);
		expect_add(expected, bytes, (uint8_t)coefficient);
		kernel_combine(bytes + SIZE, sources, 1, SIZE);
		assert_memory_equal(bytes + SIZE, expected, SIZE);
	}
	for (int random = 0; random < 2; random++) {
		uint8_t sum = 0;

		for (uint32_t i = 0; i < KERNEL_SOURCES_MAX; i++) {
			uint8_t coefficient = random ? random_coefficient(&rng) : 1;

			sources[i] = (struct kernel_source){ bytes, coefficient };
			sum ^= coefficient;
		}
		memset(expected, 0, SIZE);
		expect_add(expected, bytes, sum);
		kernel_combine(bytes + SIZE, sources, KERNEL_SOURCES_MAX, SIZE);
		assert_memory_equal(bytes + SIZE, expected, SIZE);
	}
	free(bytes);
}

/* Encode all sizes into guarded targets and compare with the prefixes. */
static void check_encode(const uint8_t *bytes, const uint8_t *index, uint32_t data_count,
			 uint32_t check_count, uint8_t expected[][SIZE])
{
	uint8_t *targets = aligned_alloc(64, 3 * (SIZE + GUARD));
	const uint8_t *data[SOURCES];
	uint8_t *checks[3];

	assert_non_null(targets);
	for (uint32_t i = 0; i < data_count; i++)
		data[i] = bytes + i * SIZE;
	for (uint32_t j = 0; j < check_count; j++)
		checks[j] = targets + j * (SIZE + GUARD);
	for (size_t size = 64; size <= SIZE; size += size < 1024 ? 64 : 1024) {
		memset(targets, 0xa5, 3 * (SIZE + GUARD));
		kernel_encode(checks, check_count, data, index, data_count, size);
		for (uint32_t j = 0; j < check_count; j++) {
			assert_memory_equal(checks[j], expected[j], size);
			for (size_t i = 0; i < GUARD; i++)
				assert_int_equal(checks[j][size + i], 0xa5);
		}
	}
	free(targets);
}

/* One index order: in order, in order but shifted by one, or far apart. */
static uint8_t index_of(unsigned kind, uint32_t i)
{
	static const uint8_t first[] = { 0, 1, 254 };

	return (uint8_t)(kind < 2 ? first[kind] + i : first[kind] - 7 * i);
}

/* Encode: 1 to 33 data buffers, 1 to 3 checks, three kinds of index, against the sums. */
static void encode_is_the_sums_for_all_counts_and_sizes(void **state)
{
	static uint8_t expected[3][SIZE];
	struct rng rng = rng_seeded(SEED + 1);
	uint8_t *bytes = random_bytes(SOURCES, &rng);
	uint8_t index[SOURCES];

	(void)state;
	printf("# seed %u\n", SEED + 1);
	for (unsigned kind = 0; kind < 3; kind++) {
		memset(expected, 0, sizeof(expected));
		for (uint32_t i = 0; i < SOURCES; i++) {
			uint8_t weight = 1;
			uint8_t base = 1;

			index[i] = index_of(kind, i);
			for (uint32_t n = 0; n < index[i]; n++)
				base = oracle_product(base, 2);
			for (uint32_t j = 0; j < 3; j++) {
				expect_add(expected[j], bytes + i * SIZE, weight);
				weight = oracle_product(weight, base);
			}
			for (uint32_t checks = 1; checks <= 3; checks++)
				check_encode(bytes, index, i + 1, checks, expected);
		}
	}
	free(bytes);
}

/* Encode: buffers longer than one piece and no multiple of it, against the plain kernel. */
static void encode_of_long_buffers(void **state)
{
	struct rng rng = rng_seeded(SEED + 2);
	uint8_t *bytes = random_bytes(SOURCES, &rng);
	const size_t size = 5 * SIZE + 64;
	const uint8_t *data[] = { bytes, bytes + 6 * SIZE, bytes + 12 * SIZE };
	uint8_t *checks[] = { bytes + 18 * SIZE, bytes + 24 * SIZE };
	uint8_t *third = aligned_alloc(64, 6 * SIZE);
	uint8_t *expected = aligned_alloc(64, 6 * SIZE);
	uint8_t *targets[] = { checks[0], checks[1], third };

	(void)state;
	assert_non_null(third);
	assert_non_null(expected);
	for (unsigned kind = 0; kind < 3; kind++) {
		uint8_t index[3];

		for (uint32_t i = 0; i < 3; i++)
			index[i] = index_of(kind, i);
		kernel_encode(targets, 3, data, index, 3, size);
		for (uint32_t j = 0; j < 3; j++) {
			struct kernel_source sources[3];

			for (uint32_t i = 0; i < 3; i++)
				sources[i] =
					(struct kernel_source){ data[i], gf_power(j * index[i]) };
			kernel_combine_reference(expected, sources, 3, size);
			assert_memory_equal(targets[j], expected, size);
		}
	}
	free(expected);
	free(third);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gf_multiply_is_the_product_modulo_0x11d),
		cmocka_unit_test(gf_inverse_undoes_multiplication),
		cmocka_unit_test(gf_power_runs_through_the_field),
		cmocka_unit_test(combine_is_the_sum_for_all_counts_and_sizes),
		cmocka_unit_test(combine_takes_every_coefficient_and_the_most_sources),
		cmocka_unit_test(encode_is_the_sums_for_all_counts_and_sizes),
		cmocka_unit_test(encode_of_long_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

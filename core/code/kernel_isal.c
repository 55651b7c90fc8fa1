/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Kernels on ISA-L. Its functions refuse some shapes and take pointers without const:
 *	xor_gen		at least two sources
 *	pq_gen		at least two sources, multiples of 32 bytes, source i has coefficient 2^i
 *	lengths		int
 */
#include "core/code/kernel.h"

#include <assert.h>
#include <isa-l/erasure_code.h>
#include <isa-l/raid.h>
#include <string.h>

#define KERNEL_SIZE_MAX (1u << 30)
#define KERNEL_ALIGNMENT 64u
#define ISAL_TABLE_SIZE 32u /* bytes that ec_init_tables() makes of one coefficient */
#define CHECKS_MAX 3u
#define ENCODE_PIECE_SIZE 16384u /* times 32 columns: 512 KiB, within an L2 cache */

static bool is_aligned(const void *pointer)
{
	return (uintptr_t)pointer % KERNEL_ALIGNMENT == 0;
}

/* ISA-L only reads sources, but declares them writable. */
static void *without_const(const uint8_t *bytes)
{
	assert(is_aligned(bytes));
	return (void *)(uintptr_t)bytes;
}

/* The shapes and lengths are checked before the call, so a refusal is a mistake in here. */
static void isal_done(int rc)
{
	assert(rc == 0);
	(void)rc;
}

static bool all_ones(const struct kernel_source *sources, size_t source_count)
{
	for (size_t i = 0; i < source_count; i++) {
		if (sources[i].coefficient != 1)
			return false;
	}
	return true;
}

static void combine_xor(uint8_t *target, const struct kernel_source *sources, size_t source_count,
			size_t size)
{
	void *vectors[KERNEL_SOURCES_MAX + 1];

	for (size_t i = 0; i < source_count; i++)
		vectors[i] = without_const(sources[i].bytes);
	vectors[source_count] = target;
	isal_done(xor_gen((int)source_count + 1, (int)size, vectors));
}

static void combine_product(uint8_t *target, const struct kernel_source *sources,
			    size_t source_count, size_t size)
{
	unsigned char tables[KERNEL_SOURCES_MAX * ISAL_TABLE_SIZE];
	unsigned char coefficients[KERNEL_SOURCES_MAX];
	unsigned char *vectors[KERNEL_SOURCES_MAX];

	for (size_t i = 0; i < source_count; i++) {
		assert(sources[i].coefficient != 0);
		coefficients[i] = sources[i].coefficient;
		vectors[i] = without_const(sources[i].bytes);
	}
	ec_init_tables((int)source_count, 1, coefficients, tables);
	ec_encode_data((int)size, (int)source_count, 1, tables, vectors, &target);
}

void kernel_combine(uint8_t *target, const struct kernel_source *sources, size_t source_count,
		    size_t size)
{
	assert(source_count <= KERNEL_SOURCES_MAX);
	assert(size <= KERNEL_SIZE_MAX && size % KERNEL_ALIGNMENT == 0);
	assert(is_aligned(target));
	for (size_t i = 0; i < source_count; i++)
		assert(sources[i].bytes != target);

	if (size == 0)
		return;
	if (source_count == 0)
		memset(target, 0, size);
	else if (!all_ones(sources, source_count))
		combine_product(target, sources, source_count, size);
	else if (source_count == 1)
		memcpy(target, sources[0].bytes, size);
	else
		combine_xor(target, sources, source_count, size);
}

/* What kernel_encode() was asked for. */
struct encode {
	uint8_t *const *checks;
	uint32_t check_count;
	const uint8_t *const *data;
	const uint8_t *index;
	uint32_t data_count;
};

/* Any coefficients: one pass over the data for all checks from `first_check`. */
static void encode_product(const struct encode *encode, uint32_t first_check, size_t at,
			   size_t size)
{
	unsigned char tables[CHECKS_MAX * KERNEL_DATA_MAX * ISAL_TABLE_SIZE];
	unsigned char coefficients[CHECKS_MAX * KERNEL_DATA_MAX];
	unsigned char *vectors[KERNEL_DATA_MAX];
	unsigned char *targets[CHECKS_MAX];
	uint32_t data_count = encode->data_count;
	uint32_t rows = encode->check_count - first_check;

	for (uint32_t i = 0; i < data_count; i++)
		vectors[i] = without_const(encode->data[i] + at);
	for (uint32_t row = 0; row < rows; row++) {
		uint32_t j = first_check + row;

		targets[row] = encode->checks[j] + at;
		for (uint32_t i = 0; i < data_count; i++)
			coefficients[row * data_count + i] = gf_power(j * encode->index[i]);
	}
	ec_init_tables((int)data_count, (int)rows, coefficients, tables);
	ec_encode_data((int)size, (int)data_count, (int)rows, tables, vectors, targets);
}

/* P alone, or P and Q with indexes 0..k-1: functions of their own. */
static void encode_xor_or_pq(const struct encode *encode, uint32_t check_count, size_t at,
			     size_t size)
{
	void *vectors[KERNEL_DATA_MAX + 2];
	uint32_t data_count = encode->data_count;
	int vector_count = (int)(data_count + check_count);

	assert(data_count >= 2 && check_count >= 1 && check_count <= 2);
	for (uint32_t i = 0; i < data_count; i++)
		vectors[i] = without_const(encode->data[i] + at);
	for (uint32_t j = 0; j < check_count; j++)
		vectors[data_count + j] = encode->checks[j] + at;

	if (check_count == 1)
		isal_done(xor_gen(vector_count, (int)size, vectors));
	else
		isal_done(pq_gen(vector_count, (int)size, vectors));
}

static bool index_in_order(const struct encode *encode)
{
	for (uint32_t i = 0; i < encode->data_count; i++) {
		if (encode->index[i] != i)
			return false;
	}
	return true;
}

/* How many checks encode_xor_or_pq() can make. */
static uint32_t quick_checks(const struct encode *encode)
{
	if (encode->data_count < 2)
		return 0;
	return encode->check_count >= 2 && index_in_order(encode) ? 2 : 1;
}

/*
 * P and Q by their own functions and only the rest by products takes two thirds of the time of
 * products for all (8 + 3 columns, 4 KiB). So that the second pass finds the data in the cache,
 * both go over a piece at a time.
 */
void kernel_encode(uint8_t *const *checks, uint32_t check_count, const uint8_t *const *data,
		   const uint8_t *index, uint32_t data_count, size_t size)
{
	const struct encode encode = { checks, check_count, data, index, data_count };

	assert(check_count >= 1 && check_count <= CHECKS_MAX);
	assert(data_count >= 1 && data_count <= KERNEL_DATA_MAX);
	assert(size <= KERNEL_SIZE_MAX && size % KERNEL_ALIGNMENT == 0);
	for (uint32_t j = 0; j < check_count; j++)
		assert(is_aligned(checks[j]));

	if (check_count == 1 && data_count == 1) {
		memcpy(checks[0], data[0], size);
		return;
	}

	uint32_t quick = quick_checks(&encode);
	size_t piece_max = quick == check_count ? size : ENCODE_PIECE_SIZE;

	for (size_t at = 0; at < size; at += piece_max) {
		size_t piece = size - at < piece_max ? size - at : piece_max;

		if (quick > 0)
			encode_xor_or_pq(&encode, quick, at, piece);
		if (quick < check_count)
			encode_product(&encode, quick, at, piece);
	}
}

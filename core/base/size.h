/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checked arithmetic on sizes: each returns false, and leaves *out untouched, on overflow. */
#ifndef PG_BASE_SIZE_H
#define PG_BASE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

static inline bool size_add(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*out = sum;
	return true;
}

static inline bool size_multiply(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*out = product;
	return true;
}

/* a / b rounded up; b > 0. */
static inline uint64_t size_divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* `a` rounded up to a multiple of `b`; the caller knows that it fits. */
static inline uint64_t size_round_up(uint64_t a, uint64_t b)
{
	return size_divide_up(a, b) * b;
}

static inline uint64_t size_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t size_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif

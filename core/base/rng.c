/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/rng.h"

#include <assert.h>

struct rng rng_seeded(uint64_t seed)
{
	return (struct rng){ .state = seed };
}

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
uint64_t rng_next(struct rng *rng)
{
	uint64_t mixed = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
	uint64_t limit, number;

	assert(bound > 0);
	/* The largest multiple of bound that fits; numbers above it would favour small results. */
	limit = UINT64_MAX - UINT64_MAX % bound;
	do {
		number = rng_next(rng);
	} while (number >= limit);
	return number % bound;
}

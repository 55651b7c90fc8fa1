/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Seeded generator (splitmix64) for tests, faults and schedules; same seed, same numbers. */
#ifndef PG_BASE_RNG_H
#define PG_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

struct rng rng_seeded(uint64_t seed);
uint64_t rng_next(struct rng *rng);
/* Uniform in 0..bound-1; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

#endif

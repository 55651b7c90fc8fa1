/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A set of 64-bit hashes, to tell what was seen before. It grows; without memory the program ends. */
#ifndef PG_TESTS_SIM_SET_H
#define PG_TESTS_SIM_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_set {
	uint64_t *keys; /* 0: free */
	size_t count, capacity;
};

/* Put it in. False when it was in already. */
bool sim_set_add(struct sim_set *set, uint64_t key);
void sim_set_reset(struct sim_set *set);

/* One hash of two. */
static inline uint64_t sim_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

#endif

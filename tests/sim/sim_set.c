/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/sim_set.h"

#include <stdlib.h>

/* Where the key is, or where it would go. */
static size_t place_of(const struct sim_set *set, uint64_t key)
{
	size_t at = (size_t)sim_mix(0, key) & (set->capacity - 1);

	while (set->keys[at] != 0 && set->keys[at] != key)
		at = (at + 1) & (set->capacity - 1);
	return at;
}

static void grow(struct sim_set *set)
{
	struct sim_set larger = { .capacity = set->capacity ? set->capacity * 2 : 1024 };

	larger.keys = calloc(larger.capacity, sizeof(*larger.keys));
	if (!larger.keys)
		abort();
	for (size_t i = 0; i < set->capacity; i++) {
		if (set->keys[i])
			larger.keys[place_of(&larger, set->keys[i])] = set->keys[i];
	}
	larger.count = set->count;
	free(set->keys);
	*set = larger;
}

bool sim_set_add(struct sim_set *set, uint64_t key)
{
	if (key == 0)
		key = 1;
	if (set->count * 2 >= set->capacity)
		grow(set);
	size_t at = place_of(set, key);
	if (set->keys[at])
		return false;
	set->keys[at] = key;
	set->count++;
	return true;
}

void sim_set_reset(struct sim_set *set)
{
	free(set->keys);
	*set = (struct sim_set){ 0 };
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Topologies: aim is that their losses are those of proofs/mirror.py. Method: rings of 8 and of odd numbers;
 * fatal pairs are counted over all pairs of members.
 */
#include "core/map/topology.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct topology_ring ring_of(uint32_t count, bool sets)
{
	struct topology_ring ring = { .count = count };

	for (uint32_t i = 0; i < count; i++) {
		ring.slots[i] = 3 * i + 1; /* numbers are no places */
		ring.sets[i] = !sets ? NULL : i < count / 2 ? "a" : "b";
	}
	return ring;
}

static uint32_t fatal_pairs(const struct topology_ring *ring, enum topology topology,
			    uint32_t columns, bool within_set_only)
{
	const struct topology_losses losses = topology_losses(ring, topology, columns);

	assert_int_equal(losses.pairs, ring->count * (ring->count - 1) / 2);
	return within_set_only ? losses.fatal_in_set : losses.fatal;
}

static void r66_r67_r68_fatal_double_failures(void **state)
{
	const struct topology_ring ring = ring_of(8, false), sets = ring_of(8, true);

	(void)state;
	assert_int_equal(fatal_pairs(&ring, TOPOLOGY_PAIRS, 2, false), 4);
	assert_int_equal(fatal_pairs(&ring, TOPOLOGY_RING, 2, false), 8);
	assert_int_equal(fatal_pairs(&ring, TOPOLOGY_MULTI, 3, false), 0);
	assert_int_equal(fatal_pairs(&sets, TOPOLOGY_CROSS, 2, false), 4);
}

/* R73: every fatal pair takes one of each set, and a whole set may be lost. */
static void r73_cross_survives_a_whole_set(void **state)
{
	const struct topology_ring ring = ring_of(8, true);
	uint32_t slots[CODE_MIRROR_MAX];

	(void)state;
	assert_int_equal(fatal_pairs(&ring, TOPOLOGY_CROSS, 2, true), 0);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(topology_homes(&ring, TOPOLOGY_CROSS, ring.slots[i], 2, slots), 2);
		assert_int_equal(slots[1], ring.slots[(i + 4) % 8]);
	}
}

static void test_copies_lie_apart_in_every_ring(void **state)
{
	(void)state;
	for (uint32_t n = 2; n <= 9; n++) {
		const struct topology_ring ring = ring_of(n, false);

		for (uint32_t i = 0; i < n; i++) {
			for (uint32_t columns = 2; columns <= 4; columns++) {
				uint32_t slots[CODE_MIRROR_MAX];
				uint32_t count = topology_homes(&ring, TOPOLOGY_MULTI,
								ring.slots[i], columns, slots);

				assert_int_equal(count, columns <= n ? columns : 0);
				for (uint32_t a = 0; a < count; a++) {
					for (uint32_t b = 0; b < a; b++)
						assert_int_not_equal(slots[a], slots[b]);
				}
			}
		}
	}
}

static void test_refusals(void **state)
{
	const struct topology_ring ring = ring_of(3, false), two = ring_of(4, true);
	struct err err = { 0 };
	uint32_t slots[CODE_MIRROR_MAX];

	(void)state;
	assert_int_equal(topology_check(&ring, TOPOLOGY_MULTI, 4, &err), ERR_LIMIT);
	assert_int_equal(topology_check(&ring, TOPOLOGY_PAIRS, 3, &err), ERR_LIMIT);
	assert_int_equal(topology_check(&ring, TOPOLOGY_CROSS, 2, &err), ERR_LIMIT);
	assert_int_equal(topology_check(&two, TOPOLOGY_CROSS, 2, &err), 0);
	assert_int_equal(topology_check(&ring, TOPOLOGY_RING, 2, &err), 0);
	assert_int_equal(topology_homes(&ring, TOPOLOGY_PAIRS, ring.slots[2], 2, slots), 0);
	assert_int_equal(topology_homes(&ring, TOPOLOGY_RING, 2, 2, slots), 0);
}

/* R74: the numbers of the proof; equal when no set fails as a whole. */
static void r74_risk(void **state)
{
	const struct topology_risk none = topology_risk(1e-3, 0), some = topology_risk(1e-3, 1e-2);

	(void)state;
	assert_true(fabs(none.same_set - 1e-6) < 1e-15 && fabs(none.other_set - 1e-6) < 1e-15);
	assert_true(fabs(some.same_set - 1.000099e-2) < 1e-8);
	assert_true(fabs(some.other_set - 1.2078e-4) < 1e-8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r66_r67_r68_fatal_double_failures),
		cmocka_unit_test(r73_cross_survives_a_whole_set),
		cmocka_unit_test(test_copies_lie_apart_in_every_ring),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(r74_risk),
	};

	return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Single blocks damaged at random places: tests/damage/damage.py, a few places of every layout.

load helper

# Ten places of each of four kinds of damage, in eight layouts. PGCTL_TEST_SEED=N repeats what failed.
# bats test_tags=slow
@test "damage: scrub names each damaged block exactly and puts back every byte" {
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../damage/damage.py" --places 10 \
		--seed "${PGCTL_TEST_SEED:-$RANDOM}" --dir "$BATS_TEST_TMPDIR" "$PGCTL"
	[ "${lines[-1]}" = "320 passed, 0 failed" ] || fail_with "not every place was damaged"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Death at a chosen write or flush of the program itself, and power cuts: tests/crash/sweep.py and
# tests/crash/powercut.py, a little of each. PGCTL_TEST_SEED=N repeats the sweep; cuts fall as time has it.

load helper

# Every command that writes, one case in 24 on two layouts.
# bats test_tags=slow
@test "crash: killed at any write or flush, nothing stored is lost and the command can be begun anew" {
	local killed

	need cc cp
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../crash/sweep.py" --every 24 \
		--layouts parity-2,sequential --seed "${PGCTL_TEST_SEED:-$RANDOM}" "$PGCTL"
	# Nothing is shown by calls that the library did not see.
	killed=$(sed -n "s/ killed in the middle.*//p" <<<"$output")
	[ "$killed" -ge 150 ] || fail_with "only $killed commands were killed"
}

# Members on a file system of their own that loses what was not flushed.
# bats test_tags=slow
@test "crash: after a power cut all that was reported as stored is there" {
	local hit

	[ "$(id -u)" = 0 ] || skip "mounts file systems, needs root"
	need mkfs.xfs mount
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../crash/powercut.py" --cuts 30 "$PGCTL"
	hit=$(sed -n "s/ in the middle$//p" <<<"$output")
	[ "$hit" -ge 10 ] || fail_with "only $hit cuts hit a command"
}

# Only as many members as the layout can lose are cut; commands go on without them.
# bats test_tags=slow
@test "crash: members whose power is cut are done without and come back" {
	[ "$(id -u)" = 0 ] || skip "mounts file systems, needs root"
	need mkfs.xfs mount
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../crash/powercut.py" --half --cuts 15 \
		"$PGCTL"
}

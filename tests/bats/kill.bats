#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# kill -9 at random moments of put, rebuild, replace and repair: tests/kill/kill.py, a few rounds of it.

load helper

# One round of each command and layout. PGCTL_TEST_SEED=N repeats what failed.
# bats test_tags=slow
@test "kill: whenever a command is killed, what was stored is whole and the command can be repeated" {
	local killed rounds

	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../kill/kill.py" --rounds 4 \
		--seed "${PGCTL_TEST_SEED:-$RANDOM}" --dir "$BATS_TEST_TMPDIR" "$PGCTL"
	rounds=$(sed -n 's/ passed, 0 failed$//p' <<<"${lines[-1]}")
	[ "${rounds:-0}" -ge 32 ] || fail_with "not every round was run"
	# Nothing is shown by commands that had ended before they were killed.
	killed=$(sed -n "s/ of $rounds runs that passed were killed .*//p" <<<"$output")
	[ "$killed" -ge "$((rounds / 4))" ] || fail_with "hardly any command was killed"
}

# bats test_tags=slow
@test "kill: whenever a job is stopped by SIGINT, it ends with 32 and can be resumed" {
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../kill/kill.py" --rounds 8 --signal int \
		--command expand --seed "${PGCTL_TEST_SEED:-$RANDOM}" --dir "$BATS_TEST_TMPDIR" "$PGCTL"
	[ "${lines[-1]}" = "8 passed, 0 failed" ] || fail_with "not every round was run"
}

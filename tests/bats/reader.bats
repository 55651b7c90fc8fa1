#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The independent reader of the format: its own tests, and what it says of arrays that pgctl wrote in place.

bats_require_minimum_version 1.5.0
load helper

READER=$BATS_TEST_DIRNAME/../reader

setup()
{
	pgctl_setup
	export PYTHONDONTWRITEBYTECODE=1
}

@test "reader: its tests of log records pass" {
	expect_exit 0 python3 "$READER/test_log.py"
}

# bats test_tags=slow
@test "reader: its tests of everything else pass" {
	expect_exit 0 python3 "$READER/test_reader.py"
}

@test "R36 reader: after a kill every block that is not whole is named by the log" {
	local pid named

	random_file v 3000000
	expect_exit 0 pgctl create tank m0.img m1.img m2.img m3.img --size 64M
	expect_exit 0 pgctl put m0.img v
	mkfifo pipe
	pgctl write m0.img v --offset 4096 <pipe >out 2>&1 &
	pid=$!
	exec 9>pipe
	head -c 1500000 /dev/urandom >&9
	for _ in {1..100}; do
		"$READER/pgread.py" m?.img --json >report
		named=$(jq '[.log // {rows: []} | .rows[].slices] | add // 0' report)
		[ "$named" = 0 ] || break
		sleep 0.1
	done
	sleep 0.2
	kill -9 "$pid"
	exec 9>&-
	wait "$pid" || true
	[ "$named" -gt 0 ] || fail_with "no record was written"
	expect_exit 0 "$READER/pgread.py" m?.img --verify --json
	jq -e '.interrupted > 0 and .violations == []' <<<"$output"
	expect_exit 0 pgctl scrub m0.img --repair --yes
	expect_exit 0 "$READER/pgread.py" m?.img --verify --json
	jq -e '.interrupted == 0 and .log.rows == []' <<<"$output"
}

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

# bats test_tags=slow
@test "reader: an adopted array is read, verified and solved, before its migration, within it and after it" {
	expect_exit 0 pgctl create box --format md-1.2 --level 5 --chunk 16K --size 6M m0.img m1.img m2.img m3.img
	for i in 0 1 2; do
		dd if=/dev/urandom of=m$i.img bs=64K seek=17 count=40 conv=notrunc status=none
	done
	pgctl scrub --repair --accept data m0.img >/dev/null || true
	expect_exit 0 pgctl get m0.img data -o v
	expect_exit 0 pgctl adopt m0.img m1.img m2.img m3.img
	reader_agrees
	expect_exit 0 pgctl adopt --commit m0.img --yes
	expect_exit 0 pgctl add m0.img m4.img --size 16M
	timeout -s KILL 3 pgctl migrate m0.img box --rate-max 3M >/dev/null 2>&1 || true
	[ "$(pgctl status m0.img --json | jq '.jobs | length')" = 1 ]
	reader_agrees
	expect_exit 0 pgctl migrate m0.img box --resume
	reader_agrees
}

# The bytes of volume box, which are in v: of all members, and with one missing; and nothing violates the format.
reader_agrees()
{
	"$READER/pgread.py" --verify --extract box out m?.img | tail -1 | grep -q "^0 violations"
	cmp v out
	mkdir left
	cp m?.img left
	rm left/m1.img
	"$READER/pgread.py" --extract box out left/m?.img >/dev/null || true
	cmp v out
	rm -r left
}

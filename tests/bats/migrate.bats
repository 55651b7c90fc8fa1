#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# migrate: a volume gets another layout, stops, goes on, and says what it cannot do.

load helper

@test "R30 migrate: parity to mirror and back; the plan is what is written, and all old groups are free" {
	make_members 5 8M
	random_file data 3000001
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 4
	expect_exit 0 pgctl put m0.img data
	run_json status m0.img
	used=$(json .capacity.used)
	run_json migrate m0.img data -l mirror --copies 2 --plan
	planned=$(json .bytes_written)
	run_json migrate m0.img data -l mirror --copies 2
	assert_json .bytes_written "$planned" \
		'.lost | length' 0
	[ "$(json .extents_moved)" -gt 0 ] && [ "$(json .job)" -gt 0 ]
	run_json volume list m0.img
	assert_json '.volumes[0].layout' mirror
	pgctl get m0.img data -o - | cmp - data
	expect_exit 0 pgctl migrate m0.img data -l parity -p 1 --width 4
	run_json status m0.img
	assert_json .capacity.used "$used"
	pgctl get m0.img data -o - | cmp - data
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
	expect_exit 16 pgctl migrate m0.img nothing -l plain
	assert_has "no volume nothing" "$stderr"
	expect_exit 16 pgctl migrate m0.img data -l parity -p 3 --width 9
}

# bats test_tags=slow
@test "migrate: SIGINT stops it with exit 32, status names the job, --resume goes on, job resume as well" {
	make_members 4 8M
	random_file data 2000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 3
	expect_exit 0 pgctl put m0.img data
	pgctl migrate m0.img data -l mirror --copies 2 --rate-max 4M >/dev/null 2>err &
	sleep 0.3
	kill -INT $!
	status=0
	wait $! || status=$?
	[ "$status" = 32 ] || fail_with "exit $status" "$(cat err)"
	assert_has "migrate m0.img data --resume" "$(cat err)"
	pgctl get m0.img data -o - | cmp - data
	run_json job list m0.img
	assert_json '.jobs[0] | [.kind, .state] | @text' '["migrate","paused"]'
	expect_exit 8 pgctl migrate m0.img data -l plain
	assert_has "something else by job 1" "$stderr"
	expect_exit 0 pgctl migrate m0.img data --resume
	pgctl get m0.img data -o - | cmp - data
	expect_exit 16 pgctl migrate m0.img data --resume
	assert_has "no unfinished migration" "$stderr"
}

# bats test_tags=slow
@test "migrate: a damaged volume becomes whole, what is lost is named and stays" {
	make_members 5 8M
	random_file data 2000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 4
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl put m0.img data --as bare -l plain
	rm m3.img
	run_json migrate m0.img data -l parity -p 2 --width 4
	assert_json '.lost | length' 0
	pgctl get m0.img data -o - | cmp - data
	run_json migrate m0.img bare -l mirror --copies 2 || true
	[ "$status" = 4 ]
	[ "$(json '.lost | length')" -gt 0 ]
	# What is not lost is two copies now, the rest as it was.
	expect_exit 0 pgctl check m0.img
	lost=$(json '[.lost[].length] | add')
	expect_exit 0 pgctl volume list m0.img
	[ "$lost" -lt 2000000 ]
}

# bats test_tags=slow
@test "migrate: no room is said beforehand with the bytes, and nothing is written" {
	make_members 4 6M
	random_file data 9000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l plain
	expect_exit 0 pgctl put m0.img data
	run_json status m0.img
	random_file rest $(($(json .capacity.usable) - 100000))
	expect_exit 0 pgctl put m0.img rest
	cksum m?.img >before
	expect_exit 8 pgctl migrate m0.img data -l mirror --copies 4
	assert_has "bytes more are needed" "$stderr"
	assert_sums before
}

# bats test_tags=slow
@test "migrate: a volume that is removed takes its unfinished job with it" {
	make_members 4 8M
	random_file data 2000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 3
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl put m0.img data --as other
	pgctl migrate m0.img data -l plain --rate-max 4M >/dev/null 2>&1 &
	sleep 0.3
	kill -INT $!
	wait $! || true
	run_json job list m0.img
	assert_json '.jobs | length' 1
	expect_exit 0 pgctl volume rename m0.img data new
	expect_exit 0 pgctl volume remove m0.img new --yes
	run_json job list m0.img
	assert_json '.jobs | length' 0
	expect_exit 0 pgctl check m0.img
	pgctl get m0.img other -o - | cmp - data
}

# bats test_tags=slow
@test "expand: the width that was asked for is the job's, and holds when it goes on" {
	make_members 5 8M
	random_file data 4000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 3
	expect_exit 0 pgctl put m0.img data
	pgctl expand m0.img m5.img --size 8M --width 6 --rate-max 8M >/dev/null 2>&1 &
	sleep 0.4
	kill -INT $!
	wait $! || true
	run_json job list m0.img
	assert_json '.jobs[0].kind' expand
	expect_exit 0 pgctl job resume m0.img 1
	run_json map m0.img
	[ "$(json '[.groups[].extents | length] | max')" = 6 ]
	pgctl get m0.img data -o - | cmp - data
}

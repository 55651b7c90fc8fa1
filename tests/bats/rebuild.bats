#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl rebuild and replace: every way to a new home, stopped, killed and resumed.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

# Five members and a volume of each layout; $1 is the length of each.
make_array()
{
	mkdir -p a away
	expect_exit 0 pgctl create tank --size 32M a/m0.img a/m1.img a/m2.img a/m3.img a/m4.img
	random_file data "${1:-2M}"
	expect_exit 0 pgctl put a data --as par
	expect_exit 0 pgctl put a data --as mir -l mirror
	expect_exit 0 pgctl put a data --as seq -l sequential --width 4
}

assert_data()
{
	for name in par mir seq; do
		pgctl get a "$name" -o - | cmp - data
	done
	expect_exit 0 pgctl scrub a
	expect_exit 0 pgctl check a
}

@test "R06 a lost member is rebuilt onto a new image, as large as the old one" {
	make_array
	for slot in 0 1 2 3 4; do
		rm "a/m$slot.img"
		run_json rebuild a --to "a/m$slot.img"
		assert_json .exit 0 \
			.from "$slot" \
			'.extents_moved > 0' true \
			.lost '[]' \
			.health healthy
		[ "$(stat -c %s "a/m$slot.img")" = 33554432 ]
	done
	assert_data
	run_json status a
	assert_json '[.members[].slot] == [0, 1, 2, 3, 4]'
}

@test "R06 the bodies of the rebuilt member are those of the lost one" {
	make_array
	run_json map a
	json '.groups[].extents[] | select(.member == 2) | "\(.start) \(.length)"' >extents
	mv a/m2.img away
	expect_exit 0 pgctl rebuild a 2 --to a/new.img
	while read -r start length; do
		cmp <(tail -c "+$((start + 1))" away/m2.img | head -c "$length") \
			<(tail -c "+$((start + 1))" a/new.img | head -c "$length")
	done <extents
	[ -s extents ]
}

@test "R07 --group-buffer says the peak: the surviving extents of one group" {
	mkdir a
	expect_exit 0 pgctl create tank --size 32M -l sequential --width 4 \
		a/m0.img a/m1.img a/m2.img a/m3.img
	random_file data 4M
	expect_exit 0 pgctl put a data
	run_json map a
	extent=$(json '[.groups[].extents[].length] | max')
	rm a/m1.img
	run_json rebuild a --to a/m1.img --group-buffer --trace trace.jsonl
	assert_json .exit 0 \
		.buffer_peak "$((3 * extent))"
	# One contiguous read per surviving extent of every group, and one write for the new one.
	groups=$(pgctl map a --json | jq '.groups | length')
	reads=$(jq -s --argjson e "$extent" '[.[] | select(.op == "read" and .role == "data" and
		.length <= $e and .member != null and .member != 1)] | length' trace.jsonl)
	[ "$reads" = "$((3 * groups))" ]
}

@test "R35 a failed member is rebuilt into the free space of the others and removed" {
	make_array
	expect_exit 0 pgctl fail a 3
	run_json rebuild a 3 --into-free
	assert_json .exit 0 \
		.to null \
		.health healthy
	expect_exit 0 pgctl remove a 3
	rm a/m3.img
	assert_data
	mv a/m1.img away
	for name in par mir seq; do
		pgctl get a "$name" -o - 2>/dev/null | cmp - data
	done
}

@test "a member in use is emptied with --into-free and removed" {
	make_array
	expect_exit 0 pgctl rebuild a 4 --into-free
	expect_exit 0 pgctl remove a 4
	rm a/m4.img
	assert_data
}

@test "R69 rebuild takes the spare when no target is named, which is no spare then" {
	make_array
	expect_exit 0 pgctl add a a/small.img --size 24M --spare
	expect_exit 0 pgctl add a a/fits.img --size 32M --spare
	rm a/m0.img
	run_json rebuild a
	assert_json .exit 0 \
		.target a/fits.img
	run_json status a
	assert_json '[.members[] | .state] | sort == ["online", "online", "online", "online", "online", "spare"]' true \
		.array.health healthy
	assert_data
}

@test "rebuild without a spare names both other targets" {
	make_array
	rm a/m0.img
	expect_exit 16 pgctl rebuild a
	assert_has "--to" "$stderr"
	assert_has "--into-free" "$stderr"
	expect_exit 16 pgctl rebuild a --to x.img --into-free
	expect_exit 8 pgctl rebuild a 0 --to 0
	[ ! -e x.img ]
}

@test "rebuild without a lost member says so; with two it wants a name" {
	make_array
	expect_exit 8 pgctl rebuild a
	expect_exit 0 pgctl fail a 1
	expect_exit 0 pgctl fail a 2 --force
	expect_exit 16 pgctl rebuild a --to a/new.img
	assert_has "members 1 and 2" "$stderr"
	[ ! -e a/new.img ]
}

@test "rebuild onto a device with data is refused, and --force does it" {
	need mkswap
	make_array
	rm a/m0.img
	truncate -s 32M new.img
	mkswap -q new.img
	before=$(cksum new.img)
	expect_exit 8 pgctl rebuild a --to new.img
	[ "$(cksum new.img)" = "$before" ]
	run_json status a
	assert_json '.members | length' 5
	expect_exit 0 pgctl rebuild a --to new.img --force
}

@test "rebuild that cannot begin leaves the array and the directory as they were" {
	make_array
	rm a/m0.img
	expect_exit 16 pgctl rebuild a --to a/tiny.img --size 64K
	[ ! -e a/tiny.img ]
	run_json status a
	assert_json '.members | length' 5 \
		'.jobs | length' 0
}

@test "rebuild into free space that is not there ends with 8 and leaves no job" {
	mkdir a
	expect_exit 0 pgctl create tank --size 32M -l sequential --width 4 \
		a/m0.img a/m1.img a/m2.img a/m3.img
	random_file data 2M
	expect_exit 0 pgctl put a data
	expect_exit 0 pgctl fail a 3
	expect_exit 8 pgctl rebuild a 3 --into-free
	run_json job list a
	assert_json '.jobs | length' 0
	expect_exit 0 pgctl online a 3
	pgctl get a data -o - | cmp - data
}

@test "rebuild --plan says the bytes and writes nothing" {
	make_array
	rm a/m0.img
	before=$(cksum a/*)
	run_json rebuild a --to a/new.img --plan
	assert_json .plan true \
		'.bytes > 0' true
	run_json rebuild a --into-free --plan
	assert_json .plan true \
		'.bytes > 0' true
	[ ! -e a/new.img ]
	[ "$(cksum a/*)" = "$before" ]
}

@test "replace reads the old member, moves everything and frees it" {
	make_array
	run_json replace a 1 a/new.img
	assert_json .exit 0 \
		.health healthy
	rm a/m1.img
	run_json status a
	assert_json '.members | length' 5 \
		'.members[1].path' a/new.img
	assert_data
	expect_exit 16 pgctl replace a 1
}

@test "replace onto a member that failed: refused with the way back, and then it goes on" {
	make_array
	expect_exit 0 pgctl add a a/new.img --size 32M
	expect_exit 8 pgctl replace a 1 5 --fault "flush-error,member=5,at=3,count=0"
	assert_has "member 5 (a/new.img) failed (io) and is out of service" "$stderr"
	run_json status a
	assert_json '[.problems[] | select(.code == "job-unfinished").try][0]' "pgctl job cancel a 1"
	expect_exit 8 pgctl replace a 1 5
	assert_has "try: pgctl online a 5 if it is good again, then the same command" "$stderr"
	expect_exit 0 pgctl online a 5
	expect_exit 0 pgctl replace a 1 5
	run_json status a
	assert_json '.problems | length' 0
}

@test "replace reads what the old member cannot give from the others" {
	make_array
	expect_exit 0 pgctl fault add a/m1.img --kind bad --count 20 --seed 3
	run_json replace a 1 a/new.img
	assert_json .exit 0 \
		.lost '[]'
	rm a/m1.img a/m1.img.faults
	assert_data
}

@test "rebuild goes on past what is lost, lists it and ends with 4" {
	make_array
	mv a/m1.img away
	# A block of the same group as extents of member 1: nothing can give both back.
	run_json map a
	offset=$(json '[.groups[] | select(.layout == "parity") | select([.extents[].member] |
		index(1) and index(2))][0].extents[] | select(.member == 2) | .start')
	flip_byte a/m2.img "$offset"
	run_json rebuild a 1 --to a/new.img
	assert_json '.exit | . % 8 >= 4' true \
		'.extents_lost > 0' true
	run_json scrub a
	assert_json '.left > 0'
	for name in mir seq; do
		pgctl get a "$name" -o - | cmp - data
	done
}

# Start `pgctl REBUILD…` slowly in the background and wait until its job is in the map.
start_slowly()
{
	pgctl "$@" --rate-max 1M >log 2>&1 &
	worker=$!
	for _ in $(seq 100); do
		run_json job list a
		if [ "$(json '.jobs | length')" = 1 ]; then
			return 0
		fi
		sleep 0.05
	done
	fail_with "no job begins" "$(cat log)"
}

@test "rebuild that is stopped by a signal ends with 32 and goes on where it was" {
	make_array 8M
	expect_exit 0 pgctl fail a 1
	start_slowly rebuild a 1 --to a/new.img
	sleep 1
	kill -INT "$worker"
	status=0
	wait "$worker" || status=$?
	[ "$status" = 32 ]
	assert_has "--resume" "$(cat log)"
	run_json job list a
	assert_json '.jobs[0] | [.kind, .state] == ["rebuild", "paused"]' true \
		'.jobs[0].done > 0' true
	done_before=$(json '.jobs[0].done')
	total=$(json '.jobs[0].total')
	run_json rebuild a --resume
	assert_json .exit 0 \
		.health healthy
	# What was done is not done again.
	assert_json ".bytes_written < $total - $done_before / 2"
	run_json job list a
	assert_json '.jobs | length' 0
	rm a/m1.img
	assert_data
}

@test "rebuild that is killed goes on with the same command" {
	make_array 8M
	rm a/m1.img
	start_slowly rebuild a 1 --to a/new.img
	sleep 0.5
	kill -KILL "$worker"
	wait "$worker" || true
	for name in par mir seq; do
		pgctl get a "$name" -o - 2>/dev/null | cmp - data
	done
	run_json rebuild a
	assert_json .exit 0 \
		.health healthy
	assert_data
}

@test "job resume goes on with a killed rebuild, job cancel drops it" {
	make_array 8M
	expect_exit 0 pgctl fail a 1
	start_slowly rebuild a 1 --to a/new.img
	kill -KILL "$worker"
	wait "$worker" || true
	id=$(pgctl job list a --json | jq '.jobs[0].id')
	run_json wait a "$id"
	assert_json .exit 4 \
		.state interrupted
	expect_exit 0 pgctl job pause a "$id"
	run_json job list a
	assert_json '.jobs[0].state' paused
	expect_exit 0 pgctl job resume a "$id"
	expect_exit 0 pgctl wait a "$id"
	expect_exit 16 pgctl job cancel a "$id"
	expect_exit 0 pgctl fail a 2
	start_slowly rebuild a 2 --into-free
	kill -KILL "$worker"
	wait "$worker" || true
	id=$(pgctl job list a --json | jq '.jobs[0].id')
	expect_exit 0 pgctl job cancel a "$id"
	run_json job list a
	assert_json '.jobs | length' 0
	expect_exit 16 pgctl rebuild a --resume
	expect_exit 0 pgctl online a 2
	assert_data
}

@test "rebuild --resume goes on with what is unfinished, and begins where nothing is" {
	make_array 8M
	expect_exit 16 pgctl rebuild a --resume
	assert_has "no unfinished rebuild or replace, and no member is failed" "$stderr"
	expect_exit 16 pgctl replace a --resume
	expect_exit 0 pgctl fail a 1
	run_json rebuild a 1 --to a/new.img --resume
	assert_json .exit 0 \
		.health healthy
	expect_exit 16 pgctl rebuild a 1 --to a/new.img --resume
	assert_has "in its place already" "$stderr"
	expect_exit 0 pgctl fail a 2
	start_slowly rebuild a 2 --to a/new2.img --resume
	sleep 0.5
	kill -KILL "$worker"
	wait "$worker" || true
	expect_exit 8 pgctl rebuild a 2 --into-free --resume
	assert_has "member 2 goes to member" "$stderr"
	expect_exit 8 pgctl rebuild a 2 --to a/new3.img --resume
	[ ! -e a/new3.img ]
	run_json rebuild a 2 --to a/new2.img --resume
	assert_json .exit 0 \
		.health healthy
	rm a/m1.img a/m2.img
	assert_data
}

@test "a job that another process runs is not paused, and its pid is named" {
	make_array 8M
	expect_exit 0 pgctl fail a 1
	start_slowly rebuild a 1 --to a/new.img
	expect_exit 8 pgctl job pause a 1
	assert_has "kill -INT $worker" "$stderr"
	expect_exit 4 pgctl wait a 1 --timeout 0
	expect_exit 4 pgctl wait a --timeout 0
	kill -TERM "$worker"
	status=0
	wait "$worker" || status=$?
	[ "$status" = 32 ]
	expect_exit 0 pgctl wait a
	expect_exit 16 pgctl wait a 99
	expect_exit 16 pgctl wait a x
}

@test "status names the command that goes on with each kind of unfinished job" {
	make_array 8M
	start_slowly rebuild a 4 --into-free
	kill -KILL "$worker"
	wait "$worker" || true
	run_json status a
	assert_json '[.problems[].try] | map(select(contains("pgctl rebuild a 4"))) | length' 1
	expect_exit 0 pgctl rebuild a 4
	start_slowly replace a 1 a/new.img
	kill -KILL "$worker"
	wait "$worker" || true
	run_json status a
	try=$(json '[.problems[].try | select(contains("pgctl replace"))][0] | sub("^.*pgctl "; "")')
	# shellcheck disable=SC2086  # the words of the command
	run_json $try
	assert_json .exit 0
	run_json job list a
	assert_json '.jobs | length' 0
	expect_exit 0 pgctl remove a 4
	rm a/m4.img a/m1.img
	assert_data
}

# A slot that another member has since is no witness: m3 in slot 0 was never in the branch of m0 and m2.
@test "a branch written by members that a rebuild did without is told as split brain" {
	mkdir -p a b
	random_file data 300K
	expect_exit 0 pgctl create tank --size 32M -l mirror --copies 3 a/m0.img a/m1.img a/m2.img
	mv a/m0.img a/m2.img b
	pgctl rebuild a 0 --to a/m3.img -q >/dev/null || true # degraded still: member 2 is away
	expect_exit 0 pgctl put a data --as left --copies 2
	expect_exit 0 pgctl put b data --as right --copies 2
	mv b/m2.img a
	expect_exit 8 pgctl status a
	assert_has "written apart" "$stderr"
	mv b/m0.img a
	expect_exit 8 pgctl status a
	mv a/m0.img a/m2.img b
	pgctl get a left -o - -q 2>/dev/null | cmp - data
	pgctl get b right -o - -q 2>/dev/null | cmp - data
}

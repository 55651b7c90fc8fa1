#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Groups that move and grow: expand, recombine, rebalance, evacuate, forecast.

# shellcheck disable=SC2154  # helper.bash sets document and stderr
load helper

# What a trace counts: bytes of one operation and role.
traced()
{
	jq -s --arg op "$1" --arg role "$2" '[.[] | select(.op == $op and .role == $role) | .length] | add // 0' t.log
}

used()
{
	"$PGCTL" status m0.img --json | jq -c "[.members[]|.used]"
}

# Every volume, whichever one member is missing.
survives_any_loss()
{
	local member other

	for member in m?.img; do
		rm -rf left && mkdir left
		for other in m?.img; do
			[ "$other" = "$member" ] || ln "$other" left/
		done
		"$PGCTL" get left data -o - 2>/dev/null | cmp - data || fail_with "without $member"
	done
}

@test "R32 expand: 4 groups of 3+1 and a member more are 3 of 4+1; 6 reads and 6 writes for 4" {
	make_members 4 24M
	random_file data $((12 * 3 * 256 * 1024))
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l parity -p 1 --width 4
	expect_exit 0 pgctl put m0.img data
	truncate -s 24M m4.img
	run_json expand m0.img m4.img --width 5 --plan
	planned=$(json .bytes_written)
	run_json expand m0.img m4.img --width 5 --trace t.log
	assert_json .groups_before 12 \
		.groups_after 9 \
		.bytes_written "$planned"
	[ "$(traced read data)" = $((9 * 262144)) ]
	[ "$(traced read parity)" = $((9 * 262144)) ]
	[ "$(traced write data)" = $((9 * 262144)) ]
	[ "$(traced write parity)" = $((9 * 262144)) ]
	[ "$(used | jq 'unique | length')" = 1 ] || fail_with "$(used)"
	survives_any_loss
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
}

@test "expand: the same command goes on with one that was killed; another member of the array is refused" {
	make_members 4 24M
	random_file data 9000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l parity -p 1 --width 4
	expect_exit 0 pgctl put m0.img data
	run pgctl expand m0.img m4.img --size 24M --width 5 --fault crash,at=60
	[ "$(pgctl status m0.img --json | jq -r '.jobs[].kind')" = expand ]
	run_json expand m0.img m4.img --size 24M --width 5
	[ "$(pgctl status m0.img --json | jq '.members | length')" = 5 ]
	[ "$(pgctl status m0.img --json | jq '.jobs | length')" = 0 ]
	"$PGCTL" get m0.img data -o - | cmp - data
	expect_exit 8 pgctl expand m0.img m4.img
}

@test "R25 rebalance: a member more is used like the others, by the fewest moves" {
	make_members 4 12M
	random_file data 5000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 2 --width 4
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl add m0.img m4.img --size 12M
	run_json rebalance m0.img
	moved=$(json .extents_moved)
	jq -e '(max - min) <= 65536 * 1.2' <<<"$(used)" || fail_with "$(used)"
	frame=$(($(used | jq '.[4]') / moved))
	[ $((frame * moved)) = "$(used | jq '.[4]')" ] || fail_with "moved $moved, $(used)"
	expect_exit 0 pgctl rebalance m0.img
	survives_any_loss
	expect_exit 0 pgctl scrub m0.img
}

# bats test_tags=slow
@test "expand: two and three checks, merged without reading data, every layout evacuated" {
	make_members 8 12M
	random_file data 1500000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 3 --width 5
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl put m0.img data --as two -l mirror --copies 3
	expect_exit 0 pgctl put m0.img data --as three -l sequential --width 5
	expect_exit 0 pgctl put m0.img data --as four -l plain
	run_json recombine m0.img --width 7
	[ "$(json .groups_after)" -lt "$(json .groups_before)" ]
	survives_any_loss
	run_json evacuate m0.img 3
	[ "$(used | jq '.[3]')" = 0 ]
	expect_exit 0 pgctl remove m0.img 3
	rm m3.img
	for volume in data two three four; do
		pgctl get m0.img "$volume" -o - | cmp - data
	done
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 pgctl check m0.img
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
}

# bats test_tags=slow
@test "evacuate: refused before anything is written where there is no room" {
	make_members 3 6M
	random_file data 8000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 3
	expect_exit 0 pgctl put m0.img data
	cksum m?.img >before
	expect_exit 8 pgctl evacuate m0.img 1
	assert_has "has room for its extent on member 1" "$stderr"
	assert_sums before
}

# bats test_tags=slow
@test "evacuate: what has no room any more names the command that drops the job" {
	make_members 5 8M
	random_file data 3000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l mirror --copies 4
	expect_exit 0 pgctl put m0.img data
	pgctl evacuate m0.img 1 --rate-max 4M >/dev/null 2>&1 &
	sleep 0.3
	kill -INT $!
	wait $! || true
	run_json job list m0.img
	assert_json '.jobs[0].kind' evacuate
	mkdir away
	mv m0.img m3.img m4.img away
	expect_exit 8 pgctl evacuate m1.img 1
	assert_has "pgctl job cancel m1.img 1" "$stderr"
	expect_exit 8 pgctl job resume m1.img 1
	assert_has "pgctl job cancel m1.img 1" "$stderr"
	expect_exit 0 pgctl job cancel m1.img 1
	pgctl get m1.img data -o - | cmp - data
	mv away/* .
	expect_exit 0 pgctl evacuate m0.img 1
	pgctl get m0.img data -o - | cmp - data
	expect_exit 0 pgctl check m0.img
}

@test "R35 evacuate: groups on all members get narrower" {
	make_members 5 12M
	random_file data 2000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 5
	expect_exit 0 pgctl put m0.img data
	run_json evacuate m0.img 2
	[ "$(json .groups_after)" -gt "$(json .groups_before)" ]
	[ "$(used | jq '.[2]')" = 0 ]
	expect_exit 0 pgctl remove m0.img 2
	rm m2.img
	survives_any_loss
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
}

# bats test_tags=slow
@test "R32 recombine: a damaged block is solved on the way, and what is lost stays as it is" {
	make_members 4 12M
	random_file data $((8 * 3 * 256 * 1024))
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 4
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl fault add m0.img --kind flip --count 6 --seed 3
	expect_exit 0 pgctl expand m0.img m4.img --size 12M --width 5
	pgctl get m0.img data -o - | cmp - data
	expect_exit 1 pgctl scrub m0.img --repair
	pgctl get m0.img data -o - | cmp - data
	survives_any_loss
}

@test "forecast: what expand then does, to the byte" {
	make_members 5 8M
	random_file data 6000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1
	expect_exit 0 pgctl put m0.img data
	run_json forecast m0.img --add 8M,6M
	spread=$(json '.spread | [.used, .usable] | @text') written=$(json .bytes_written)
	truncate -s 8M m5.img
	truncate -s 6M m6.img
	run_json expand m0.img m5.img m6.img
	assert_json .bytes_written "$written"
	run_json status m0.img
	assert_json '.capacity | [.used, .usable] | @text' "$spread"
	expect_exit 16 pgctl forecast m0.img --add 5Q
}

@test "recombine: volumes do not come to share a group, and the array opens after it" {
	make_members 8 8M
	random_file data 130000
	random_file other 130000 2
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 3
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl put m0.img other
	expect_exit 0 pgctl recombine m0.img --width 8
	expect_exit 0 pgctl check m0.img
	expect_exit 0 pgctl volume remove m0.img other --yes
	pgctl get m0.img data -o - | cmp - data
}

# bats test_tags=slow
@test "forecast: equals expand on any array" {
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../survive/forecast.py" --arrays 30 \
		--seed "${PGCTL_TEST_SEED:-$RANDOM}" --dir "$BATS_TEST_TMPDIR" "$PGCTL"
	[ "${lines[-1]}" = "30 passed, 0 failed" ] || fail_with "not every array was tried"
}

@test "groups lists narrow ones; put warns before a loss could not be protected again" {
	make_members 4 12M
	random_file data 300000
	random_file large 26000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l mirror
	expect_exit 0 pgctl put m0.img data -l parity -p 1 --width 3
	run_json groups m0.img --narrow --width 4
	assert_json '[.count, .narrow, .width] | tojson' '[1,1,4]' \
		'[.groups[] | [.volume, .layout]] | unique | tojson' '[["data","parity"]]' \
		'.groups[0].members | length == 3 or length == 2' true
	run_json groups m0.img --narrow
	[ "$stderr" = "" ]
	head -c 12000000 large >first
	expect_exit 0 pgctl put m0.img first
	[ "$stderr" = "" ] || fail_with "$stderr"
	head -c 6000000 large >last
	expect_exit 0 pgctl put m0.img last
	assert_has "not everything can be protected again" "$stderr"
	expect_exit 8 pgctl evacuate m0.img 2
}

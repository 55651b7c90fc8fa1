#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Topologies of mirrors on arrays that change: set, check, show; members that come, fail and leave.

# shellcheck disable=SC2016,SC2154  # $x in single quotes is jq's; helper.bash sets document and stderr

bats_require_minimum_version 1.5.0
load helper

# make_ring COUNT TOPOLOGY OPTION…: an array with a volume of 2 groups for each member, copies for the oracle
make_ring()
{
	local count=$1 topology=$2

	shift 2
	make_members "$count" 12M
	random_file data $((count * 2 * 262144))
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l mirror --topology "$topology" "$@"
	expect_exit 0 pgctl put m0.img data
}

# group_members: which members the groups lie on, primary first, each once
group_members()
{
	"$PGCTL" map m0.img --json | jq -c '[.groups[] | [.extents[].member]] | unique'
}

# whole_without MEMBER…: the volume is whole at once without these images
whole_without()
{
	local member

	mkdir away
	for member; do
		mv "$member" away
	done
	pgctl get . data -o - -q 2>/dev/null | cmp - data || fail_with "without $*"
	mv away/* . && rmdir away
}

@test "R74 topology show: risk by the common-cause model, equal at q=0; fatal pairs of the proof" {
	make_ring 8 ring
	run_json topology show m0.img --risk 0.001,0
	assert_json '[.topology, .pairs_of_members, .fatal_pairs] | tojson' '["ring",28,8]'
	assert_json '.risk | [.two_of_one_set, .one_of_each_set, .sets_help] | tojson' \
		'["1.000e-06","1.000e-06",false]'
	run_json topology show m0.img --risk 0.001,0.0001
	assert_json '.risk | [.two_of_one_set, .one_of_each_set, .sets_help] | tojson' \
		'["1.010e-04","1.210e-06",true]'
	expect_exit 16 pgctl topology show m0.img --risk 2,0
}

# bats test_tags=slow
@test "R82 a live ring becomes two sets: planned moves, either set may be lost, and back to pairs" {
	local slot planned

	make_ring 8 pairs
	run_json topology set m0.img ring --plan
	assert_json .extents_moved 8
	run_json topology set m0.img ring
	assert_json .extents_moved 8
	[ "$(group_members)" = '[[0,1],[1,2],[2,3],[3,4],[4,5],[5,6],[6,7],[7,0]]' ] || fail_with "$(group_members)"
	for slot in 0 1 2 3; do
		expect_exit 0 pgctl label m0.img $slot node=a
		expect_exit 0 pgctl label m0.img $((slot + 4)) node=b
	done
	expect_exit 16 pgctl topology set m0.img cross
	assert_has "cross needs members of two sets" "$stderr"
	run_json topology set m0.img cross --across node --plan
	planned=$(json .bytes_written)
	run_json topology set m0.img cross --across node
	assert_json '[.extents_moved, .bytes_written] | tojson' "[16,$planned]"
	expect_exit 0 pgctl topology check m0.img
	whole_without m4.img m5.img m6.img m7.img
	whole_without m1.img m2.img m3.img m0.img
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
}

# bats test_tags=slow
@test "R79 a ring of four loses a member: plan and run to a ring of three, two copies of all again" {
	local member

	make_ring 4 ring
	expect_exit 0 pgctl fail m0.img 1
	mv m1.img gone
	run_json topology set m0.img ring --plan
	assert_json .extents_moved 4
	run_json topology set m0.img ring
	assert_json .extents_moved 4
	expect_exit 0 pgctl topology check m0.img
	expect_exit 0 pgctl remove m0.img 1
	run_json status m0.img
	assert_json .array.health healthy
	expect_exit 0 pgctl rebalance m0.img
	expect_exit 0 pgctl topology check m0.img
	for member in m0.img m2.img m3.img; do
		whole_without "$member"
	done
	expect_exit 0 pgctl scrub m0.img
}

# bats test_tags=slow
@test "rebuild --into-free: copies go to the homes of the ring that is left; where they cannot it is said" {
	make_ring 4 ring
	expect_exit 0 pgctl fail m0.img 1
	mv m1.img gone
	run_json rebuild m0.img 1 --into-free
	assert_json '[.exit, .astray, .extents_moved] | tojson' '[0,0,4]'
	expect_exit 0 pgctl topology check m0.img
	whole_without m2.img
	# A pair whose partner is gone: the ring of three has one pair, and one member without.
	rm -f m?.img gone
	make_ring 4 pairs
	expect_exit 0 pgctl fail m0.img 1
	mv m1.img gone
	run_json rebuild m0.img 1 --into-free
	assert_json '.exit == 0 and .astray > 0'
	expect_exit 4 pgctl topology check m0.img
	whole_without m2.img
}

# bats test_tags=slow
@test "R80 a member joins a ring of eight: the last one's copies move to it, then data by rebalance" {
	make_ring 8 ring
	expect_exit 0 pgctl add m0.img m8.img --size 12M
	expect_exit 4 pgctl topology check m0.img
	run_json topology check m0.img
	assert_json '[.found, ([.extents[].kind] | unique)] | tojson' '[2,["home"]]'
	run_json topology set m0.img ring --plan
	assert_json .extents_moved 2
	run_json topology set m0.img ring
	assert_json .extents_moved 2
	[ "$(group_members)" = '[[0,1],[1,2],[2,3],[3,4],[4,5],[5,6],[6,7],[7,8]]' ] || fail_with "$(group_members)"
	expect_exit 0 pgctl rebalance m0.img
	expect_exit 0 pgctl topology check m0.img
	run_json status m0.img
	assert_json '[.members[].used] | max - min <= 2 * 274432'
	expect_exit 0 pgctl scrub m0.img
}

# bats test_tags=slow
@test "R75 R76 copies never share a power supply, nor where it can be a switch; either may be cut" {
	local slot

	make_members 4 12M
	random_file data 2000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l mirror --across power,switch \
		--label m0.img:power=1,switch=1 --label m1.img:power=1,switch=2 \
		--label m2.img:power=2,switch=1 --label m3.img:power=2,switch=2
	expect_exit 0 pgctl put m0.img data
	[ "$(group_members | jq -c '[.[] | sort] | unique')" = '[[0,3],[1,2]]' ] || fail_with "$(group_members)"
	whole_without m0.img m1.img
	whole_without m2.img m3.img
	whole_without m0.img m2.img
	whole_without m1.img m3.img
	# A member is moved to the other supply: what now shares one is named, and moved.
	expect_exit 0 pgctl label m0.img 0 power=2
	expect_exit 4 pgctl topology check m0.img
	expect_exit 0 pgctl topology set m0.img free
	expect_exit 0 pgctl topology check m0.img
	whole_without m0.img m2.img m3.img
}

# reads: bytes of data that `get` reads from each member
reads()
{
	"$PGCTL" get m0.img data -o - -q --trace t.log 2>/dev/null | cmp - data
	jq -sc '[.[] | select(.op == "read" and .role == "data")] | group_by(.member) |
		map([.[0].member, (map(.length) | add)])' t.log
}

# bats test_tags=slow
@test "R64 failover: one map generation; no survivor of a ring reads over n/(n-1); failback" {
	local before at

	make_ring 8 ring
	[ "$(reads | jq -c 'map(.[1]) | unique')" = '[524288]' ] || fail_with "$(reads)"
	expect_exit 0 pgctl fail m0.img 2
	run_json status m0.img
	before=$(json .array.generation)
	run_json failover m0.img 2 --plan
	assert_json '[.swapped, .generation] | tojson' "[2,$before]"
	run_json failover m0.img 2
	assert_json '[.swapped, .left, .generation] | tojson' "[2,0,$((before + 1))]"
	[ "$(group_members)" = '[[0,1],[1,2],[3,2],[3,4],[4,5],[5,6],[6,7],[7,0]]' ] || fail_with "$(group_members)"
	# 8/7 of what each reads otherwise, within a block of each of its 4 groups
	jq -e 'length == 7 and all(.[]; .[1] <= 524288 * 8 / 7 + 4 * 4096)' <<<"$(reads)" || fail_with "$(reads)"
	expect_exit 0 pgctl topology check m0.img
	# What is written meanwhile is on the survivors alone: failback waits for the rebuild.
	run_json map m0.img
	at=$(json '[.groups[] | select([.extents[].member] == [3,2]) | .extents[0].id][0] as $id |
		.volumes[0].spans[] | select(.extents == [$id]) | .offset')
	head -c 5000 /dev/zero | "$PGCTL" write m0.img data --offset "$at" -q >/dev/null
	head -c 5000 /dev/zero | dd of=data conv=notrunc bs=4096 seek=$((at / 4096)) status=none
	expect_exit 0 pgctl online m0.img 2
	run_json failback m0.img
	assert_json '[.exit, .swapped, .left] | tojson' '[4,1,1]'
	expect_exit 0 pgctl rebuild m0.img 2
	run_json failback m0.img
	assert_json '[.exit, .swapped, .left] | tojson' '[0,1,0]'
	[ "$(group_members)" = '[[0,1],[1,2],[2,3],[3,4],[4,5],[5,6],[6,7],[7,0]]' ] || fail_with "$(group_members)"
	reads >/dev/null
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
}

# bats test_tags=slow
@test "R64 the map can be put together from header pages after a failover, also when copies moved since" {
	make_ring 4 ring
	expect_exit 0 pgctl fail m0.img 1
	expect_exit 0 pgctl failover m0.img 1
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
	expect_exit 0 pgctl rebuild m0.img 1 --into-free
	for member in m0.img m2.img m3.img; do
		dd if=/dev/zero of=$member bs=1M count=1 conv=notrunc status=none
	done
	rm m1.img
	expect_exit 0 pgctl check . --rebuild-map --yes --force
	pgctl get . data -o - -q | cmp - data
}

# zone_places: of each member "role start" of its extents, in the order of the member
zone_places()
{
	run_json map m0.img
	json '.groups[] | .layout as $layout | .extents[] | "\(.member) \(.start) \(if $layout == "plain"
		then "third" else .role end)"' | sort -n -k 1,1 -k 2,2
}

# bats test_tags=slow
@test "R60 dynamic zones: first copies from the fast end, others from the slow end, until they meet" {
	make_members 3 12M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l mirror --zones dynamic
	assert_has "no difference" "$stderr"
	random_file data 4000000
	expect_exit 0 pgctl put m0.img data
	# On each member, from the low end: primaries, then the free middle, then secondaries.
	[ "$(zone_places | awk '{print $1, $3}' | uniq | tr '\n' ',')" = \
		"0 primary,0 secondary,1 primary,1 secondary,2 primary,2 secondary," ] || fail_with "$(zone_places)"
	run_json status m0.img
	random_file more "$(json .capacity.usable)"
	expect_exit 0 pgctl put m0.img more
	expect_exit 8 pgctl put m0.img data --as third
	[ "$(zone_places | awk '{print $1, $3}' | uniq | wc -l)" = 6 ]
	expect_exit 0 pgctl scrub m0.img
}

# bats test_tags=slow
@test "R59 static zones: bounds of the map, kept by every command that moves extents" {
	local end second third

	make_members 4 24M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l mirror --zones static
	random_file data 6000000
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl put m0.img data --as third --unmirrored --extent 256K
	run_json status m0.img
	end=$(json '.members[0].size')
	second=$((end * 43 / 100)) third=$((end * 88 / 100))
	in_zones()
	{
		zone_places | awk -v second=$second -v third=$third -v end="$end" '
			$3 == "primary" && $2 > second * 1.1 { bad = 1 }
			$3 == "secondary" && ($2 < second || $2 > third * 1.05) { bad = 1 }
			$3 == "third" && $2 < third { bad = 1 }
			END { exit bad }' || fail_with "$(zone_places)"
	}
	in_zones
	expect_exit 0 pgctl spare make m0.img 3
	in_zones
	expect_exit 0 pgctl online m0.img 3
	expect_exit 0 pgctl rebalance m0.img
	in_zones
	# Unmirrored data fill their zone and no more.
	random_file more 12000000
	expect_exit 8 pgctl put m0.img more --unmirrored
	run_json status m0.img
	random_file more "$(json .capacity.usable)"
	expect_exit 0 pgctl put m0.img more
	in_zones
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
}

# bats test_tags=slow
@test "R58 measured zones: first copies on the fast part of each member, copies on the slow one" {
	local slow=()

	make_members 3 12M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l mirror --zones dynamic
	expect_exit 0 pgctl measure m0.img --zones --plan
	assert_has "no difference" "$output"
	run_json measure m0.img --zones --show
	assert_json '[.members[].rates[]] == []'
	# Disks whose low half is the slow one: every read of it takes 2 ms longer.
	for member in 0 1 2; do
		slow+=(--fault "latency,member=$member,range=1M-6M,delay=2,count=0")
	done
	run_json measure m0.img --zones "${slow[@]}"
	assert_json .difference true \
		'[.members[].fast] | unique == ["high"]' true \
		'[.members[].rates | .[7] > 2 * .[0]] | all' true
	expect_exit 0 pgctl measure m0.img --zones --show
	assert_has high "$output"
	random_file data 1500000
	expect_exit 0 pgctl put m0.img data
	[ "$(zone_places | awk '{ print $3, ($2 >= 6291456) }' | sort -u | tr '\n' ,)" = \
		"primary 1,secondary 0," ] || fail_with "$(zone_places)"
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
	# Measured again on disks that are the same everywhere the order is that of the addresses.
	run_json measure m0.img --zones
	assert_json '.difference | not'
}

@test "measure asks what, and keeps what it knew where a part cannot be read" {
	make_members 2 12M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l mirror
	expect_exit 16 pgctl measure m0.img
	expect_exit 8 pgctl measure m0.img --zones --fault read-error,member=1,range=2M-12M,at=1,count=0
	assert_has "member 1" "$stderr"
	run_json measure m0.img --zones --show
	assert_json '[.members[].rates[]] == []'
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl fail, offline, online, add, remove: what members may do, come and go.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

setup()
{
	pgctl_setup
	pgctl create tank --size 32M m0.img m1.img m2.img m3.img -q >/dev/null
	random_file data 2M
	pgctl put m0.img data -q >/dev/null
}

@test "fail takes a member out of service, online takes that back" {
	run_json fail m0.img 2
	assert_json .state failed \
		.health degraded
	pgctl get m0.img data -o - -q 2>/dev/null | cmp - data
	run_json status m0.img
	assert_json '.members[2].state' failed
	run_json online m0.img 2
	assert_json .health healthy
	expect_exit 0 pgctl scrub m0.img
}

@test "a member is told by slot, path, label and the beginning of its uuid" {
	run_json status m0.img
	uuid=$(json '.members[1].uuid')
	for name in 1 m1.img ./m1.img "${uuid:0:8}"; do
		run_json offline m0.img "$name"
		assert_json .exit 0 \
			.member 1
		run_json online m0.img "$name"
		assert_json .member 1
	done
	expect_exit 16 pgctl fail m0.img 9
	expect_exit 16 pgctl fail m0.img nosuch.img
}

@test "fail and offline refuse a member that data depends on, and --force does it" {
	expect_exit 0 pgctl fail m0.img 1
	expect_exit 4 pgctl fail m0.img 2
	assert_has 'volume "data"' "$stderr"
	assert_has "--force" "$stderr"
	expect_exit 4 pgctl offline m0.img 2
	run_json status m0.img
	assert_json '.members[2].state' online
	expect_exit 0 pgctl fail m0.img 2 --force
	run_json status m0.img
	assert_json .array.health broken
	expect_exit 0 pgctl online m0.img 1
	expect_exit 0 pgctl online m0.img 2
	pgctl get m0.img data -o - | cmp - data
}

@test "a failed member is not written to" {
	expect_exit 0 pgctl fail m0.img 3
	before=$(cksum m3.img)
	expect_exit 0 pgctl put m0.img data --as more
	[ "$(cksum m3.img)" = "$before" ]
	pgctl get m0.img more -o - | cmp - data
}

@test "a member that was offline comes back without what it missed" {
	expect_exit 0 pgctl offline m0.img 3
	expect_exit 0 pgctl put m0.img data --as more
	expect_exit 0 pgctl volume remove m0.img data --yes
	expect_exit 0 pgctl online m0.img 3
	run_json status m0.img
	assert_json .array.health healthy
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 pgctl check m0.img
	pgctl get m3.img more -o - | cmp - data
}

@test "R26 after add a new volume has extents on the new member" {
	run_json add m0.img m4.img --size 32M
	assert_json '.members[0].slot' 4 \
		'.members[0].state' online
	expect_exit 0 pgctl put m0.img data --as more
	run_json map m0.img
	assert_json '[.groups[].extents[] | select(.member == 4)] | length > 0'
	pgctl get m0.img data -o - | cmp - data
}

@test "R69 a spare holds nothing until it is needed" {
	expect_exit 0 pgctl add m0.img s.img --size 32M --spare
	expect_exit 0 pgctl put m0.img data --as more
	run_json status m0.img
	assert_json '.members[4] | [.state, .used] == ["spare", 0]'
}

@test "add refuses members it has, members of others, and what holds data" {
	need mkswap
	expect_exit 8 pgctl add m0.img m2.img
	assert_has "member 2" "$stderr"
	mkdir other
	pgctl create second --size 32M other/a.img other/b.img -q
	expect_exit 8 pgctl add m0.img other/a.img
	assert_has "second" "$stderr"
	truncate -s 32M swap.img
	mkswap -q swap.img
	expect_exit 8 pgctl add m0.img swap.img
	expect_exit 0 pgctl add m0.img swap.img --force
	expect_exit 16 pgctl add m0.img nosuch.img
	run_json status m0.img
	assert_json '.members | length' 5
}

@test "add and remove with --plan write nothing" {
	before=$(cksum m?.img)
	run_json add m0.img m4.img --size 32M --plan
	assert_json .plan
	[ ! -e m4.img ]
	[ "$(cksum m?.img)" = "$before" ]
}

@test "remove takes an empty member away, which is no member then" {
	expect_exit 0 pgctl add m0.img m4.img --size 32M
	expect_exit 0 pgctl remove m0.img 4
	run_json status m0.img
	assert_json '.members | length' 4 \
		.array.health healthy
	expect_exit 8 pgctl status m4.img
	expect_exit 0 pgctl check m0.img
}

@test "remove refuses a member with extents and names the command that moves them" {
	expect_exit 8 pgctl remove m0.img 1
	assert_has "pgctl remove m0.img 1 --evacuate" "$stderr"
	pgctl get m0.img data -o - | cmp - data
}

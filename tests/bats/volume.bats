#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl volume: make, rename, remove, list; what is refused and what --plan leaves alone.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

setup()
{
	pgctl_setup
	pgctl create tank --size 32M m0.img m1.img m2.img m3.img -q >/dev/null
	random_file data 1000000
	pgctl put m0.img data -q >/dev/null
}

@test "volume list says name, length, layout and health" {
	expect_exit 0 pgctl put m0.img data --as mir -l mirror --copies 3
	expect_exit 0 pgctl put m0.img data --as seq -l sequential --levels 2 --width 4
	run_json volume list m0.img
	assert_json '.schema' pgctl.volume-list/1
	assert_json '[.volumes[] | [.name, .length, .layout, .parity, .copies, .levels, .health]] == [
		["data", 1000000, "parity", 1, 1, null, "healthy"],
		["mir", 1000000, "mirror", 0, 3, null, "healthy"],
		["seq", 1000000, "sequential", 1, 1, 2, "healthy"]]'
	mkdir away
	mv m1.img away
	run_json volume list m0.img
	assert_json '[.volumes[] | select(.name != "mir") | .health] | unique == ["degraded"]'
}

@test "volume create makes a volume of zeros with its own layout" {
	run_json volume create m0.img zero --size 300000 -l mirror
	assert_json .volume.layout mirror \
		.volume.length 300000
	pgctl get m0.img zero -o - | cmp - <(head -c 300000 /dev/zero)
	expect_exit 16 pgctl volume create m0.img zero
	expect_exit 16 pgctl volume create m0.img a/b
	expect_exit 16 pgctl volume create m0.img other -l mirror --copies 5
}

@test "volume create refuses claim 16 taken literally" {
	expect_exit 4 pgctl volume create m0.img v -l sequential --width 4 --literal-claim-16
	assert_has "D[0][0]" "$stderr"
}

@test "volume rename keeps the bytes and refuses names in use" {
	expect_exit 0 pgctl put m0.img data --as other
	expect_exit 16 pgctl volume rename m0.img data other
	expect_exit 16 pgctl volume rename m0.img nosuch x
	expect_exit 16 pgctl volume rename m0.img data a/b
	expect_exit 0 pgctl volume rename m0.img data renamed
	pgctl get m0.img renamed -o - | cmp - data
	expect_exit 16 pgctl get m0.img data
}

@test "volume remove needs --yes without a terminal, and frees the space" {
	run_json status m0.img
	used=$(json .capacity.used)
	[ "$used" -gt 0 ]
	expect_exit 16 pgctl volume remove m0.img data
	assert_has "--yes" "$stderr"
	expect_exit 0 pgctl get m0.img data -o out
	expect_exit 0 pgctl volume remove m0.img data --yes
	run_json status m0.img
	assert_json .capacity.used 0 \
		'.volumes | length' 0
	expect_exit 16 pgctl volume remove m0.img data --yes
}

@test "volume resize says why it cannot, and that nothing was to do" {
	expect_exit 0 pgctl volume resize m0.img data --size 1000000
	run_json volume resize m0.img data --size 2M
	assert_json .exit 16 \
		.error.code unsupported
	expect_exit 16 pgctl volume resize m0.img data
	pgctl get m0.img data -o - | cmp - data
}

@test "volume verbs with --plan write nothing" {
	before=$(cksum m?.img)
	for words in "create m0.img x" "rename m0.img data y" "remove m0.img data"; do
		# shellcheck disable=SC2086  # several words
		run_json volume $words --plan
		assert_json .exit 0 \
			.plan true
	done
	[ "$(cksum m?.img)" = "$before" ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# What losing members would cost: survive, ok-to-fail.

load helper

@test "survive: verdicts of all pairs, and ok-to-fail answers by its exit status" {
	make_members 4 6M
	random_file data 700000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l parity -p 1 --width 3 --label m0.img:node=a --label m1.img:node=a
	expect_exit 0 pgctl put m0.img data
	run_json survive m0.img --lose 2
	assert_json '.losses | length' 10 \
		'[.losses[] | select(.members | length == 1) | .verdict] | unique | join(" ")' no-redundancy \
		'.losses[] | select(.members == [0,1]) | .verdict == "data-loss" and (.lost | length) > 0 and ([.lost[].length] | add) == .lost_bytes' true
	run_json survive m0.img --by node
	assert_json '[.losses[].labels[]] | join(" ")' a \
		'.losses | length' 3
	expect_exit 0 pgctl ok-to-fail m0.img 2
	expect_exit 4 pgctl ok-to-fail m0.img 0 1
	mkdir left && mv m2.img m3.img left/
	expect_exit 4 pgctl get left data -o got
}

@test "survive: bad questions are refused" {
	make_members 3 6M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}"
	expect_exit 16 pgctl survive m0.img --lose 0
	assert_has "--lose takes 1 to 8" "$stderr"
	expect_exit 16 pgctl survive m0.img --lose 9
	expect_exit 16 pgctl survive m0.img --by node
	assert_has "no member has a label 'node'" "$stderr"
	expect_exit 16 pgctl ok-to-fail m0.img 7
}

# bats test_tags=slow
@test "survive: agrees with taking members away, all sets of up to three, ten arrays" {
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../survive/brute.py" --dir "$BATS_TEST_TMPDIR" \
		--seed "${PGCTL_TEST_SEED:-$RANDOM}" "$PGCTL"
}

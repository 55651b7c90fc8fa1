#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl create --format md-…: what inspect says of the arrays that it makes, and what it refuses. That a kernel takes
# them is tests/vm's business.

load helper

@test "create --format makes clean arrays of every format that inspect finds healthy" {
	for format in 0.90 1.0 1.1 1.2; do
		mkdir "v$format"
		run_json create box --format "md-$format" --level 5 --order rs -c 16K --size 4M \
			"v$format"/m{0,1,2}.img --spare "v$format/s.img" --bitmap
		assert_json .array.metadata "$format"
		usable=$(jq .capacity.usable <<<"$document")
		run_json inspect "v$format"/*.img
		assert_json '.arrays[0].health' healthy
		assert_json '.arrays[0].layout_name' right-symmetric
		assert_json '.arrays[0].array_bytes' "$usable"
		assert_json '[.paths[].found[0].details.array_state == "clean"] | all'
		assert_json '.paths[0].found[0].details.bitmap.dirty_chunks' 0
	done
}

@test "create --format fills members that exist with zeros, and takes what is there only by force" {
	head -c 4M /dev/urandom >m0.img
	run_json create old --size 32M o.img
	expect_exit 8 pgctl create box --format md-1.2 --level 1 m0.img o.img
	assert_has "member 0 of array old" "$stderr"
	run_json create box --format md-1.2 --level 1 --force m0.img o.img missing
	assert_json '.members[2].path' null
	cmp -n 3145728 -i 1048576 m0.img /dev/zero
	run_json inspect m0.img o.img
	assert_json '.arrays[0].degraded' 1
	assert_json '[.paths[].found | length] == [1, 1]'
}

@test "create --format refuses what MD arrays have not, and leaves nothing behind" {
	expect_exit 16 pgctl create box --format md-1.2 --size 4M m0.img m1.img
	assert_has "--level" "$stderr"
	expect_exit 16 pgctl create box --format md-1.2 --level 5 --parity 2 --size 4M m0.img m1.img
	assert_has "--parity is an option of native arrays" "$stderr"
	expect_exit 16 pgctl create box --bitmap --size 4M m0.img m1.img
	assert_has "--bitmap is an option of MD arrays" "$stderr"
	expect_exit 16 pgctl create box --format md-1.2 --level 1 --order n2 --size 4M m0.img m1.img
	expect_exit 4 pgctl create box --format md-1.2 --level 5 --size 4M m0.img missing missing
	expect_exit 16 pgctl create box --format md-1.2 --level 5 --size 1M m0.img m1.img m2.img
	assert_has "member 0" "$stderr"
	[ -z "$(ls)" ]
	run_json create box --format md-1.2 --level 5 --size 4M m0.img m1.img m2.img --plan
	assert_json .plan true
	[ -z "$(ls)" ]
}

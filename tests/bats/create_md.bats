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
		assert_json '.arrays[0].health' healthy \
			'.arrays[0].layout_name' right-symmetric \
			'.arrays[0].array_bytes' "$usable" \
			'[.paths[].found[0].details.array_state == "clean"] | all' true \
			'.paths[0].found[0].details.bitmap.dirty_chunks' 0
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
	assert_json '.arrays[0].degraded' 1 \
		'[.paths[].found | length] == [1, 1]' true
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

@test "scrub --repair of an MD array mends what a second parity locates, and leaves it clean" {
	run_json create box --format md-1.2 --level 6 -c 16K --size 4M m{0,1,2,3,4}.img --bitmap
	head -c 12288 /dev/urandom | dd of=m3.img bs=4096 seek=300 conv=notrunc status=none
	before=$(cksum m0.img)
	run_json scrub m0.img
	assert_json .exit 4
	[ "$(cksum m0.img)" = "$before" ]
	run_json scrub m0.img --repair
	assert_json .exit 1 \
		'.left' 0
	run_json scrub m0.img
	run_json inspect m*.img
	assert_json '[.paths[].found[0].details | .array_state, .events, .bitmap.dirty_chunks] | unique | map(tostring) | join(" ")' \
		"0 3 clean"
	cmp -n 3145728 -i 1048576 m3.img /dev/zero
}

@test "rebuild of an MD array: a new file, the member that missed changes; others only by force" {
	run_json create box --format md-1.0 --level 5 -c 16K --size 4M m{0,1,2}.img
	mkdir lost && mv m1.img lost
	run_json rebuild m0.img --to new.img --plan
	assert_json .bytes 4177920
	[ ! -e new.img ]
	run_json rebuild m0.img --to new.img
	assert_json .health healthy
	run_json inspect m0.img new.img m2.img
	assert_json '.arrays[0].health' healthy
	# It is stale now, for slot 1 as for any other.
	mv lost/m1.img m1.img
	run_json status m0.img
	assert_json '[.problems[].code] | join(" ")' member-stale
	expect_exit 8 pgctl rebuild m0.img 1 --to m1.img
	mv new.img lost
	expect_exit 8 pgctl rebuild m0.img --to m2.img
	assert_has "m2.img is a member of the array: current" "$stderr"
	truncate -s 1M small.raw
	expect_exit 16 pgctl rebuild m0.img --to small.raw
	assert_has "small.raw: 1048576 bytes: the array needs" "$stderr"
	run_json rebuild m0.img 1
	assert_json .target m1.img \
		.health healthy
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Layouts from content, and layout files.

bats_require_minimum_version 1.5.0
load helper

DETECT=$BATS_TEST_DIRNAME/../detect

setup()
{
	pgctl_setup
	export PYTHONDONTWRITEBYTECODE=1
}

# array FOLDER NUMBER BYTES CONTENT: one of tests/detect/arrays.py, small
array()
{
	"$DETECT/arrays.py" "$1" "$2" --bytes "$3" --content "$4"
}

@test "detect: a RAID-5 with a member missing is found, and its layout file gives the volume" {
	array a 16 2097152 log
	run_json detect a/*.img -o a/found.json
	assert_json '.exit' 0
	assert_json '.candidates[0] | .rank == 1 and .level == "raid5" and .order == "left-asymmetric"'
	assert_json '.candidates[0] | .chunk == 16384 and .offset == 2097152 and .missing == 1'
	assert_json '[.candidates[0].members[].path // "-" | sub("^a/"; "")] | join(" ")' \
		"$(jq -r '[.members[] // "-"] | join(" ")' a/truth.json)"
	assert_json '.candidates[0].confidence <= 1 and .candidates[0].confidence > 0.5'
	expect_exit 0 "$PGCTL" get a/found.json data -o volume
	truncate -s "$(jq .bytes a/truth.json)" volume
	[ "$(sha volume)" = "$(jq -r .sha256 a/truth.json)" ]
	run_json assemble a/found.json
	assert_json '.array.health' degraded
	expect_exit 16 "$PGCTL" write a/found.json data --offset 0 --length 4096
}

@test "detect: two arrays in one pile come apart" {
	array a 9 1048576 log
	array b 6 1048576 log
	for i in b/*.img; do mv "$i" "a/other-${i#b/}"; done
	run_json detect a/*.img
	assert_json '.arrays | length' 2
	assert_json '[.candidates[] | select(.rank == 1) | .level] | sort | join(" ")' 'raid1 raid4'
	expect_exit 16 "$PGCTL" detect a/*.img -o found.json
	assert_has "the images are of 2 arrays" "$stderr"
	[ ! -e found.json ]
}

@test "detect: random content in a RAID-0 is undecidable, and no layout file is written unasked" {
	array a 41 1048576 random
	run_json detect a/*.img -o found.json
	assert_json '.exit' 4
	assert_json '.undecidable'
	assert_json '[.candidates[].confidence] | max < 0.5'
	[ ! -e found.json ]
	expect_exit 4 "$PGCTL" detect a/*.img -o found.json --rank 2
	[ -e found.json ]
}

@test "detect: images that say themselves what they are are known" {
	make_members 2 8M
	expect_exit 0 "$PGCTL" create tank "${MEMBERS[@]}"
	run_json detect "${MEMBERS[@]}"
	assert_json '[.known[] | .type] | join(" ")' 'pgctl pgctl'
	assert_json '.arrays | length' 0
}

@test "layout files: written by hand, members by other folders, offsets of their own" {
	mkdir d
	head -c 65536 /dev/urandom >content
	{ head -c 512 /dev/zero; head -c 32768 content; } >d/a.img
	tail -c 32768 content >b.img
	echo '{"schema":"pgctl.layout/1","level":"linear","name":"two",
		"members":[{"path":"d/a.img","offset":512},"b.img"]}' >two.json
	expect_exit 0 "$PGCTL" get two.json two -o out
	cmp out content
	echo '{"schema":"pgctl.layout/1","level":"raid1","members":["b.img","./b.img"]}' >same.json
	expect_exit 8 "$PGCTL" status same.json
	assert_has "members 0 and 1 are the same file" "$stderr"
	echo '{"schema":"pgctl.layout/1","level":"raid1","membres":["b.img"]}' >wrong.json
	expect_exit 8 "$PGCTL" status wrong.json
	assert_has "wrong.json: membres: no such key" "$stderr"
}

# bats test_tags=slow
@test "detect: arrays of all levels are found, every fourth of the forty of run.py, and random content is undecidable" {
	expect_exit 0 "$DETECT/run.py" 0 4 8 12 16 20 24 28 32 36 40
	assert_has "0 wrong, 0 too sure" "$output"
}

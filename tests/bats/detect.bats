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

@test "detect: members of ours without superblocks are known by their seals, beside others, and the command shown opens them" {
	local member

	make_members 3 12M
	random_file data 3000000
	expect_exit 0 "$PGCTL" create tank "${MEMBERS[@]}"
	expect_exit 0 "$PGCTL" put m0.img data
	array a 6 1048576 log
	dd if=/dev/zero of=m1.img bs=64K count=17 conv=notrunc status=none
	run_json detect m?.img a/*.img
	assert_json '[.known[] | "\(.member) \(.superblocks)"] | join(" ")' '0 whole 1 none 2 whole'
	assert_json '[.native[] | .name, .members, .without_superblock] | join(" ")' 'tank 3 1'
	assert_json '[.candidates[] | select(.rank == 1) | .level] | join(" ")' raid1
	for member in 0 2; do
		dd if=/dev/zero of=m$member.img bs=64K count=17 conv=notrunc status=none
	done
	run_json detect m?.img
	assert_json '[.known[] | .superblocks] | unique | join(" ")' none
	assert_json '.native[0].volumes[0].volume' data
	expect_exit 0 sh -c "$(json '.native[0].try' | sed "s|^pgctl|$PGCTL|")"
	expect_exit 0 sh -c "$(json '.native[0].try' | sed "s|^pgctl|$PGCTL|; s|--plan|--yes|")"
	pgctl get m0.img data -o - | cmp - data
	expect_exit 0 "$PGCTL" scrub m0.img
}

@test "layout files: custom ones: a RAID-5 of odd chunks with a member missing, each member at an offset of its own" {
	python3 - <<-'END'
		import random
		rng = random.Random(7)
		n, chunk, rows = 4, 12288, 20
		volume = rng.randbytes(chunk * (n - 1) * rows)
		members = [bytearray(rng.randbytes(512 * (17 * i + 3))) for i in range(n)]
		for row in range(rows):
		    data = [volume[(row * 3 + i) * chunk:(row * 3 + i + 1) * chunk] for i in range(3)]
		    parity = bytes(a ^ b ^ c for a, b, c in zip(*data))
		    at = row % n
		    for place in range(n):
		        members[place] += parity if place == at else data[(place - at - 1) % n]
		for i, member in enumerate(members):
		    open(f"{i}.img", "wb").write(member)
		open("volume", "wb").write(volume)
	END
	echo '{"schema":"pgctl.layout/1","level":"raid5","order":"right-symmetric","chunk":12288,"name":"odd",
		"members":[{"path":"0.img","offset":1536},{"missing":true},{"path":"2.img","offset":18944},
		{"path":"3.img","offset":27648}]}' >odd.json
	expect_exit 0 "$PGCTL" get odd.json odd -o out
	truncate -s "$(stat -c %s volume)" out
	cmp out volume
	echo '{"schema":"pgctl.layout/1","level":"raid10","near":1,"far":2,"chunk":4096,"name":"turned",
		"members":[{"path":"a.img","offset":512},{"missing":true},{"path":"c.img","offset":1024}]}' >turned.json
	python3 - <<-'END'
		import random
		rng = random.Random(8)
		chunks = [rng.randbytes(4096) for _ in range(24)]
		first = [b"".join(chunks[i::3]) for i in range(3)]
		for name, i, offset in ("a", 0, 512), ("c", 2, 1024):
		    open(name + ".img", "wb").write(bytes(offset) + first[i] + first[i - 1])
		open("volume", "wb").write(b"".join(chunks))
	END
	expect_exit 0 "$PGCTL" get turned.json turned -o other
	cmp other volume
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

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Groups that grow and shrink, row by row of docs/CLAIMS.tsv, R26 to R35. A piece of the small arrays here is
# one frame of 256 KiB of data, so frames can be counted in the map and held against the bounds of SPEC 4.2.
# shellcheck disable=SC2016,SC2154  # $x in single quotes is jq's; helper.bash sets document and stderr

bats_require_minimum_version 1.5.0
load helper

BODY=262144       # bytes of data in a frame
FRAME=274432      # with the seal
METADATA=1769472  # before the first frame

setup()
{
	pgctl_setup
	export PYTHONPATH=$BATS_TEST_DIRNAME PYTHONDONTWRITEBYTECODE=1
}

teardown()
{
	if [ -e loop ]; then losetup -d "$(cat loop)"; fi
}

# make_array OPTION… -- FRAMES…: members of exactly so many frames
make_array()
{
	local options=() count i=0

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	MEMBERS=()
	for count; do
		truncate -s "$((METADATA + count * FRAME))" "m$i.img"
		MEMBERS+=("m$i.img")
		i=$((i + 1))
	done
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" "${options[@]}"
}

# put_pieces COUNT FRAMES PREFIX: volumes PREFIX10, PREFIX11, … of so many frames of data each
put_pieces()
{
	local i

	[ -e "piece$2" ] || random_file "piece$2" "$(($2 * BODY))"
	PIECES=()
	for ((i = 10; i < 10 + $1; i++)); do
		ln -f "piece$2" "$3$i"
		PIECES+=("$3$i")
	done
	run --separate-stderr "$PGCTL" put m0.img "${PIECES[@]}" --json
}

# fill FRAMES PREFIX: pieces of so many frames until there is no room, then smaller ones
fill()
{
	local frames

	for ((frames = $1; frames > 0; frames--)); do
		put_pieces 60 "$frames" "$2$frames-"
		[ "$status" = 8 ]
		[ "$(jq -r .error.code <<<"$output")" = no-space ]
	done
}

read_map()
{
	run_json map m0.img
	printf '%s\n' "$document" >map.json
}

# frames of data: all columns but the checks; and of the members, from the map alone
data_frames()
{
	jq '[.groups[] | (.extents | length) - .parity] | add' map.json
}

member_frames()
{
	jq --argjson frame "$FRAME" '[.groups[].extents[] | select(.member == '"$1"') |
		(.seal_start + .seal_length - .start) / $frame] | add // 0' map.json
}

# bound WIDEST NARROWEST FRAMES…: SPEC 4.2 by trying every number of groups B
bound()
{
	python3 - "$@" <<-'END'
		import sys
		widest, narrowest, *frames = map(int, sys.argv[1:])
		room = [sum(min(c, b) for c in frames) for b in range(sum(frames) + 1)]
		if widest == narrowest:
		    print((widest - 1) * max(b for b, r in enumerate(room) if r >= widest * b))
		else:
		    print(max(min(widest * b, r) - b for b, r in enumerate(room)))
	END
}

# Every volume still has its bytes after the loss of any one member.
lose_each()
{
	local member volume

	run_json volume list m0.img
	json '.volumes[].name' >volumes
	mkdir -p away
	for member in m*.img; do
		mv "$member" away
		while read -r volume; do
			pgctl get . "$volume" -o - -q | cmp - "$volume"
		done <volumes
		mv "away/$member" .
	done
}

@test "R26 new groups take space on a member that was added, without any rebalance" {
	make_array -- 12 12 12
	put_pieces 6 2 a
	[ "$status" = 0 ]
	expect_exit 0 pgctl add m0.img m3.img --size "$((METADATA + 12 * FRAME))"
	read_map
	before=$(jq '.groups | length' map.json)
	[ "$(member_frames 3)" = 0 ]
	put_pieces 3 2 b
	[ "$status" = 0 ]
	read_map
	# None of the old groups has moved, each new one uses it: it is the emptiest.
	assert_json "[.groups[:$before][].extents[].member] | any(. == 3) | not" true \
		"[.groups[$before:][] | any(.extents[]; .member == 3)] | all" true \
		".groups | length > $before" true
}

@test "R27 any free place of the new member serves: fragmented, it fills to the bound" {
	local i free

	make_array --width 3 -- 6 6 6 6
	put_pieces 4 2 a
	[ "$status" = 0 ]
	expect_exit 0 pgctl add m0.img m4.img --size "$((METADATA + 12 * FRAME))"
	# Pieces of one frame, of which every second goes away again: holes all over the new member.
	put_pieces 10 1 b
	[ "$status" = 0 ]
	for i in 10 12 14 16 18; do
		expect_exit 0 pgctl volume remove m0.img "b$i" --yes
	done
	read_map
	assert_json '[.groups[].extents[] | select(.member == 4) | .start] | sort |
		[.[1:], .[:-1]] | transpose | any(.[0] - .[1] > '"$FRAME)"

	run_json check m0.img --rebuild-free
	free=$(json '.free[].frames_free')
	before=$(data_frames)
	fill 2 c
	read_map
	# shellcheck disable=SC2086  # words
	[ "$(($(data_frames) - before))" = "$(bound 3 2 $free)" ]
	expect_exit 0 pgctl scrub m0.img
}

@test "R28 members of 4, 4, 4 and 10 units: all but the largest is usable, and reached by filling" {
	make_array --width 4 -- 4 4 4 10
	[ "$(bound 4 2 4 4 4 10)" = 12 ]
	run_json status m0.img
	assert_json .capacity.usable "$((12 * BODY))"
	fill 3 a
	read_map
	[ "$(data_frames)" = 12 ]
	for member in 0 1 2; do
		[ "$(member_frames "$member")" = 4 ]
	done
	assert_json '[.groups[] | [.extents[].member] | length == (unique | length)] | all'
	lose_each
}

@test "R28 small pieces make narrow groups, which use what the large member has beyond the others" {
	make_array -- 4 4 4 10
	[ "$(bound 2 2 4 4 4 10)" = 11 ]
	fill 1 a
	read_map
	[ "$(data_frames)" = 11 ]
	# At most one extent a group: beyond 4 frames too.
	[ "$(member_frames 3)" = 10 ]
	assert_json '[.groups[] | [.extents[] | select(.member == 3)] | length] | max' 1
}

# bats test_tags=slow
@test "R28 members of any sizes: a volume of as many frames as the bound says fits, and one more does not" {
	local seed frames width room i

	for seed in 1 2 3 4 5 6 7 8 9 10; do
		rm -rf m?.img data
		RANDOM=$seed
		frames=()
		for ((i = 0; i < 3 + seed % 5; i++)); do
			frames+=("$((4 + RANDOM % 9))")
		done
		width=$((3 + RANDOM % (${#frames[@]} - 2)))
		echo "seed $seed: width $width, frames ${frames[*]}"
		make_array --width "$width" -- "${frames[@]}"
		room=$(bound "$width" 2 "${frames[@]}")
		run_json status m0.img
		assert_json .capacity.usable "$((room * BODY))"
		random_file data "$(((room + 1) * BODY))" "$seed"
		expect_exit 8 pgctl put m0.img data
		truncate -s "$((room * BODY))" data
		expect_exit 0 pgctl put m0.img data
		pgctl get m0.img data -o - | cmp - data
	done
}

@test "R29 pieces of 5 KB, 900 KB and 40 MB of one volume lie in groups of three widths" {
	expect_exit 0 pgctl create tank --size 32M m0.img m1.img m2.img m3.img m4.img m5.img m6.img \
		--width 6
	random_file a 5000 1
	random_file b 900K 2
	random_file c 40000000 3
	expect_exit 0 pgctl put m0.img a --as data
	expect_exit 0 pgctl put m0.img b --as data --append
	run_json put m0.img c --as data --append
	assert_json '.volumes[0].length' 40000000
	cat a b c >data
	run_json map m0.img
	assert_json '.volumes | length' 1 \
		'.volumes[0].length' "$((5000 + 921600 + 40000000))" \
		'[.groups[].extents | length] | unique | length >= 3' true \
		'[.groups[].extents | length] | .[:3] | tojson' '[2,5,6]'
	pgctl get m0.img data -o - | cmp - data
	expect_exit 0 pgctl scrub m0.img
}

@test "R29 appended bytes begin where the volume ended, in the middle of a block too" {
	local size

	make_array -- 12 12 12 12
	: >data
	expect_exit 0 pgctl volume create m0.img data
	for size in 1 4095 4096 4097 1 300001; do
		random_file part "$size" "$size"
		cat part >>data
		expect_exit 0 pgctl put m0.img part --as data --append
	done
	pgctl get m0.img data -o - | cmp - data
	expect_exit 0 pgctl get m0.img data -o out
	cmp data out
	pgctl read m0.img data --offset 8100 --length 9000 | cmp - <(tail -c +8101 data | head -c 9000)
	run_json map m0.img
	assert_json '[.volumes[0].spans[] | .offset] | .[:6] | tojson' '[0,1,4096,8192,12289,12290]'
	rm part out
	lose_each
	"$BATS_TEST_DIRNAME/../reader/pgread.py" m?.img --extract data out >/dev/null
	cmp data out
}

@test "R29 --append needs a volume, keeps its protection, and is one commit" {
	local generation

	make_array -- 12 12 12
	put_pieces 1 1 a
	expect_exit 16 pgctl put m0.img a10 --as other --append
	assert_has "no volume other" "$stderr"
	expect_exit 16 pgctl put m0.img a10 --append --layout plain
	assert_has "parity" "$stderr"
	expect_exit 16 pgctl put m0.img --tar a10 --append
	run_json status m0.img
	generation=$(json .array.generation)
	random_file more 300001
	expect_exit 0 pgctl put m0.img more --as a10 --append
	run_json status m0.img
	assert_json .array.generation "$((generation + 1))"
	# What does not fit leaves the volume as it was.
	random_file big 9M
	expect_exit 8 pgctl put m0.img big --as a10 --append
	cat more >>a10
	pgctl get m0.img a10 -o - | cmp - a10
	run_json check m0.img --rebuild-free
	assert_json .left 0
}

@test "R30 groups of one volume have extents of different length, and any member may be lost" {
	make_array --extent 1M -- 40 40 40 40 40
	random_file a 5000 1
	random_file b 900K 2
	random_file c 5M 3
	expect_exit 0 pgctl put m0.img a --as data
	expect_exit 0 pgctl put m0.img b --as data --append
	expect_exit 0 pgctl put m0.img c --as data --append
	cat a b c >data
	read_map
	assert_json '[.groups[].extents[0].length] | unique | length >= 3'
	# Within a group they are equal.
	assert_json '[.groups[] | [.extents[].length] | unique | length] | unique == [1]'
	expect_exit 0 "$BATS_TEST_DIRNAME/rows.py" map.json
	lose_each
}

@test "R33 the map names the place of every byte that is written outside of the metadata" {
	make_array -- 16 16 16 16 16
	random_file data 900001
	expect_exit 0 pgctl put m0.img data --trace trace.jsonl
	expect_exit 0 pgctl put m0.img data --as mir -l mirror --trace trace2.jsonl
	expect_exit 0 pgctl put m0.img data --as seq -l sequential --width 4 --trace trace3.jsonl
	read_map
	cat trace2.jsonl trace3.jsonl >>trace.jsonl
	python3 - <<-'END'
		import json
		from rows import Map
		array, count = Map(), 0
		extents = sorted((e["member"], e["start"], e["seal_start"] + e["seal_length"])
		                 for group in array.groups for e in group.extents)
		for one, next in zip(extents, extents[1:]):
		    assert one[0] != next[0] or one[2] <= next[1]
		with open("trace.jsonl", encoding="utf-8") as file:
		    for io in map(json.loads, file):
		        if io["op"] != "write" or io["role"] in ("super", "map"):
		            continue
		        first = array.find(io["member"], io["offset"])
		        last = array.find(io["member"], io["offset"] + io["length"] - 1)
		        assert first and last and first[:2] == last[:2], io
		        count += 1
		assert count >= 2 * len(extents)
	END
	# And back: status counts as used what the extents take.
	run_json status m0.img
	assert_json '[.members[].used] | add' "$(jq '[.groups[].extents[] |
		.seal_start + .seal_length - .start] | add' map.json)"
}

@test "R33 check --rebuild-free derives the free space from the map, and it is the same" {
	local member used before

	make_array --width 3 -- 6 6 6 9
	put_pieces 5 2 a
	expect_exit 0 pgctl volume remove m0.img a11 --yes
	read_map
	before=$(cksum m?.img)
	run_json check m0.img --rebuild-free
	assert_json '[.exit, .left] | tojson' '[0,0]'
	for member in 0 1 2 3; do
		used=$(member_frames "$member")
		assert_json ".free[$member].frames_used" "$used" \
			".free[$member] | .frames_used + .frames_free" "$((member == 3 ? 9 : 6))"
	done
	[ "$(cksum m?.img)" = "$before" ]
	# No other free map is there to be wrong: what came after the removal takes its frames again.
	put_pieces 1 2 b
	[ "$status" = 0 ]
}

@test "R34 the new member is an image file, and devices are named in the same way" {
	make_array -- 8 8 8
	truncate -s "$((METADATA + 20 * FRAME))" disk.img
	expect_exit 0 pgctl add m0.img disk.img
	run_json status m0.img
	assert_json '.members | length' 4 \
		'.members[3] | [.path, .size] | tojson' "[\"disk.img\",$((METADATA + 20 * FRAME))]"
	put_pieces 4 2 a
	mv disk.img m3.img
	read_map
	[ "$(member_frames 3)" -ge 4 ]
	lose_each
	expect_exit 0 pgctl help add
	assert_has "/dev/" "$output"
}

@test "add takes a block device" {
	local device

	make_array -- 8 8 8
	mkdir elsewhere
	truncate -s "$((METADATA + 20 * FRAME))" elsewhere/disk.img
	device=$(losetup --find --show elsewhere/disk.img 2>/dev/null) || skip "no loop device"
	echo "$device" >loop
	random_file data "$((4 * BODY))"
	expect_exit 0 pgctl add m0.img "$device"
	expect_exit 0 pgctl put m0.img --member "$device" data
	run_json check m0.img --member "$device" --rebuild-free
	losetup -d "$device"
	rm loop
	assert_json '.free[3].frames_used >= 2'
	mv elsewhere/disk.img m3.img
	lose_each
}

@test "R35 an offline member is rebuilt into the space of the others; then another one may be lost" {
	make_array --width 4 -- 16 16 16 16 16 16
	put_pieces 8 3 a
	expect_exit 0 pgctl offline m0.img 2
	run_json status m0.img
	assert_json .array.health degraded
	mv m2.img gone
	run_json rebuild m0.img 2 --into-free
	assert_json '[.exit, .health, .extents_lost] | tojson' '[0,"healthy",0]'
	run_json map m0.img
	assert_json '[.groups[].extents[].member] | any(. == 2) | not' true \
		'[.groups[] | [.extents[].member] | unique | length] | unique == [4]' true
	expect_exit 0 pgctl scrub m0.img
	lose_each
	expect_exit 0 pgctl remove m0.img 2
}

@test "R35 as many groups as the survivors have room for: an extent of another group makes way" {
	# Width 2 on four members of 8: 12 groups are what any three have room for (B_surv).
	[ "$(bound 2 2 8 8 8)" = 12 ]
	make_array --width 2 -- 8 8 8 8
	put_pieces 12 1 a
	[ "$status" = 0 ]
	expect_exit 0 pgctl offline m0.img 1
	run_json rebuild m0.img 1 --into-free
	assert_json '[.exit, .health] | tojson' '[0,"healthy"]'
	read_map
	assert_json '[.groups[] | [.extents[].member] | unique | length] | unique == [2]'
	for member in 0 2 3; do
		[ "$(member_frames "$member")" = 8 ]
	done
	rm m1.img
	lose_each
}

@test "R35 one group more is refused beforehand, and nothing is written" {
	local before

	make_array --width 2 -- 8 8 8 8
	put_pieces 13 1 a
	[ "$status" = 0 ]
	expect_exit 0 pgctl offline m0.img 1
	before=$(cksum m?.img)
	run_json rebuild m0.img 1 --into-free
	assert_json .exit 8 \
		.error.code no-space
	[ "$(cksum m?.img)" = "$before" ]
	run_json rebuild m0.img 1 --into-free --plan
	assert_json .error.code no-space
	run_json job list m0.img
	assert_json '.jobs | length' 0
	# Groups as wide as the array have nobody outside either.
	rm m?.img
	make_array --width 4 -- 8 8 8 8
	put_pieces 1 3 b
	expect_exit 0 pgctl offline m0.img 1
	expect_exit 8 pgctl rebuild m0.img 1 --into-free
	assert_has "outside their groups" "$stderr"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl scrub and map of arrays that other software made: what equations alone can say, with true addresses.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

# Members may be read only: nothing is ever written to them here.
make_md()
{
	local level=$1 count=$2
	local members=() chunk=(-c 16K)

	for ((i = 0; i < count; i++)); do
		members+=("m$i.img")
	done
	[ "$level" != 1 ] || chunk=()
	expect_exit 0 pgctl create box --format md-1.2 --level "$level" "${chunk[@]}" --size 4M "${members[@]}"
	chmod 0444 m?.img
}

# A byte of the data of a member; its block is $block from then on.
damage()
{
	local member=$1 offset=$2

	chmod 0644 "m$member.img"
	flip_byte "m$member.img" "$offset"
	chmod 0444 "m$member.img"
	block=$((offset / 4096 * 4096))
}

@test "scrub of a RAID-6 names the member that is wrong and the byte where, and writes nothing" {
	make_md 6 5
	run_json scrub m0.img
	assert_json '[.exit, (.mismatches | length), .left] == [0, 0, 0]'
	damage 2 1100100
	before=$(cksum m?.img)
	run_json scrub m0.img
	assert_json .exit 4
	assert_json ".mismatches | length == 1 and (.[0] | [.suspect, .kind, .basis, .blocks[0].lba, .blocks[0].member]
		== [2, \"parity\", \"second-parity\", $block, 2])"
	[ "$(cksum m?.img)" = "$before" ]
	# what the report says of the volume, map says of the member's byte
	want=$(json '.mismatches[0] | [.volume, .offset]')
	run_json map m0.img "2:$block"
	[ "$(json '[.volume, .offset]')" = "$want" ]
	assert_json '.blocks | length' 5
}

@test "scrub of a RAID-5, and of two copies, says undecidable; three copies vote" {
	make_md 5 4
	damage 1 1100100
	run_json scrub m0.img
	assert_json '[.exit, .mismatches[0].suspect, .mismatches[0].basis] == [4, "undecidable", null]'
	mkdir two three
	(cd two && make_md 1 2 && damage 1 1100100)
	run_json scrub two/m0.img
	assert_json '[.exit, .mismatches[0].suspect] == [4, "undecidable"]'
	(cd three && make_md 1 3 && damage 1 1100100)
	run_json scrub three/m0.img
	assert_json '[.mismatches[0] | .suspect, .basis] == [1, "mirror-majority"]'
}

@test "scrub --repair of an MD array that was not stopped in order: when all rows hold it is clean" {
	"$BATS_TEST_DIRNAME/../md/craft.py" m0.img resync=0 -- m1.img resync=0 dev_number=1 -- \
		m2.img resync=0 dev_number=2 -- m3.img resync=0 dev_number=3
	damage 1 1100100
	chmod u+w m?.img
	expect_exit 4 pgctl scrub --repair m0.img
	run_json inspect m?.img
	assert_json '[.paths[].found[0].details.array_state] | unique | join(" ")' active
	expect_exit 1 pgctl scrub --repair --accept data m0.img
	run_json inspect m?.img
	assert_json '[.paths[].found[0].details.array_state] | unique | join(" ")' clean
}

@test "map of an MD array gives runs and true bytes; what has no seals has none" {
	make_md 5 4
	run_json map m0.img
	assert_json '.groups | length' 4 \
		'[.groups[].extents[] | .run == 16384 and .stride == 65536 and .seal_start == null] | all' true \
		'[.groups[0].extents[].start] | unique | length' 1
	run_json map m0.img "1:0"
	assert_json .area outside
}

@test "what needs records of our own is refused as foreign, with the commands that copy the data" {
	make_md 5 3
	expect_exit 16 pgctl scrub --quick m0.img
	assert_has "other software" "$stderr"
	assert_has "pgctl get" "$stderr"
	expect_exit 16 pgctl check m0.img
	expect_exit 16 pgctl scrub --accept parity m0.img
	assert_has "--accept" "$stderr"
}

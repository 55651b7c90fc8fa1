#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl scrub, fault, check: damage of every kind is found, named and repaired.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

make_array()
{
	expect_exit 0 pgctl create tank --size 32M m0.img m1.img m2.img m3.img "$@"
	random_file data 2M
	expect_exit 0 pgctl put m0.img data
}

@test "scrub of a healthy array finds nothing, reads everything and writes nothing" {
	make_array
	before=$(cksum m?.img)
	run_json scrub m0.img --trace trace.jsonl
	assert_json .exit 0 \
		'.mismatches | length' 0 \
		'.bytes_read > 3145728' true \
		'.rows_checked > 0' true
	[ "$(jq -s '[.[] | select(.op != "read")] | length' trace.jsonl)" = 0 ]
	[ "$(cksum m?.img)" = "$before" ]
}

# "COLUMN START MEMBER" of each extent of the first group, by $segment and $rows of it.
group_read()
{
	run_json map m0.img
	segment=$(json '.groups[0].segment')
	rows=$(json '.groups[0].rows')
	json '.groups[0].extents[] | "\(.column) \(.start) \(.member)"' >extents
	[ "$(wc -l <extents)" = 4 ]
}

@test "R04 a flipped byte is reported with row, volume range and member, and in no other row" {
	make_array -l sequential --width 4
	group_read
	while read -r column start member; do
		for ((row = 0; row < rows; row++)); do
			flip_byte "m$member.img" "$((start + row * segment + 5))"
			run_json scrub m0.img
			assert_json .exit 4 \
				'.mismatches | length' 1 \
				".mismatches[0] | [.suspect, .kind, .basis, .blocks[0].lba, .blocks[0].member] ==
				[$member, \"checksum\", \"checksum\", $((start + row * segment)), $member]" true \
				'.mismatches[0].volume' data \
				'.mismatches[0].offset' "$(((column * rows + row) * segment))"
			flip_byte "m$member.img" "$((start + row * segment + 5))"
		done
	done <extents
	expect_exit 0 pgctl scrub m0.img
}

@test "scrub --full is scrub --check" {
	make_array
	expect_exit 0 pgctl scrub m0.img --full
	expect_exit 16 pgctl scrub m0.img --full --repair
	expect_exit 16 pgctl scrub m0.img --percent 0
	expect_exit 16 pgctl scrub m0.img --percent 101
	expect_exit 16 pgctl scrub m0.img --volume nosuch
}

@test "R05 --quick reads tails and no data, and names what is wrong in them" {
	make_array -l sequential --width 4
	run_json scrub m0.img --quick
	assert_json .exit 0
	quick=$(json .bytes_read)
	run_json scrub m0.img
	[ "$((quick * 2))" -lt "$(json .bytes_read)" ]
	group_read
	while read -r _ start member; do
		flip_byte "m$member.img" "$((start + rows * segment))"
		run_json scrub m0.img --quick
		assert_json .exit 4 \
			'.mismatches[0].suspect' "$member"
		flip_byte "m$member.img" "$((start + rows * segment))"
	done <extents
}

@test "--media finds blocks that do not match their checksum" {
	make_array
	expect_exit 0 pgctl scrub m0.img --media
	expect_exit 0 pgctl fault add m1.img --kind flip --seed 1
	run_json scrub m0.img --media
	assert_json .exit 4 \
		'.mismatches[0].suspect' 1
}

@test "--volume looks at the groups of that volume only" {
	make_array
	expect_exit 0 pgctl put m0.img data --as other
	run_json map m0.img
	start=$(json '.groups[0].extents[0].start')
	member=$(json '.groups[0].extents[0].member')
	flip_byte "m$member.img" "$start"
	expect_exit 0 pgctl scrub m0.img --volume other
	expect_exit 4 pgctl scrub m0.img --volume data
}

@test "--repair writes back what can be proven, byte for byte, and ends with 1" {
	for layout in "parity --parity 2" "sequential --width 4" mirror; do
		rm -f m?.img
		# shellcheck disable=SC2086  # several words
		make_array -l $layout
		before=$(cksum m?.img)
		for kind in flip misdirect; do
			expect_exit 0 pgctl fault add m2.img --kind "$kind" --count 4 --seed 11
			expect_exit 4 pgctl scrub m0.img
			run_json scrub m0.img --repair
			assert_json .exit 1 \
				'.repaired > 0' true \
				.left 0 \
				'[.mismatches[].repaired] | all' true
			[ "$(cksum m?.img)" = "$before" ]
			expect_exit 0 pgctl scrub m0.img
		done
	done
}

@test "a lost write is located although block and seal agree" {
	make_array
	expect_exit 0 pgctl fault add m2.img --kind lost --count 3 --seed 2
	run_json scrub m0.img
	assert_json .exit 4 \
		'[.mismatches[] | [.suspect, .kind]] | unique == [[2, "stale"]]' true \
		'[.mismatches[].basis] | all(. == "witness" or . == "generation")' true
	expect_exit 1 pgctl scrub m0.img --repair
	pgctl get m0.img data -o - | cmp - data
	expect_exit 0 pgctl scrub m0.img
}

@test "R77 bad sectors are read around, reported, rewritten and gone" {
	make_array -l mirror
	expect_exit 0 pgctl fault add m1.img --kind bad --count 5 --seed 4
	pgctl get m0.img data -o - 2>/dev/null | cmp - data
	run_json scrub m0.img
	assert_json .exit 4 \
		'[.mismatches[] | [.suspect, .kind, .basis]] | unique == [[1, "read-error", "read-error"]]' true
	expect_exit 1 pgctl scrub m0.img --repair
	[ ! -e m1.img.faults ]
	expect_exit 0 pgctl scrub m0.img
}

@test "what cannot be repaired is left as it is, and the exit status says so" {
	make_array -l plain
	expect_exit 0 pgctl fault add m0.img --kind flip --seed 5
	before=$(cksum m?.img)
	run_json scrub m0.img --repair
	assert_json '.exit | . % 8' 4 \
		'.left > 0' true \
		.repaired 0
	[ "$(cksum m?.img)" = "$before" ]
}

@test "--repair of a degraded array repairs what it can and adds 64" {
	make_array -l parity --parity 2 --width 4
	mkdir away
	mv m3.img away
	expect_exit 0 pgctl fault add m1.img --kind flip --count 3 --seed 6
	run_json scrub m0.img --repair
	assert_json .exit 65
	mv away/m3.img .
	expect_exit 0 pgctl scrub m0.img
}

@test "scrub --repair --plan writes nothing and counts what it would write" {
	make_array
	expect_exit 0 pgctl fault add m1.img --kind flip --count 2 --seed 3
	before=$(cksum m?.img)
	run_json scrub m0.img --repair --plan
	assert_json .plan true \
		.bytes 8192
	[ "$(cksum m?.img)" = "$before" ]
}

@test "fault add: the same seed damages the same blocks" {
	make_array
	run_json fault add m1.img --kind flip --count 3 --seed 9
	first=$(json '[.faults[].offset] | tostring')
	run_json fault add m1.img --kind flip --count 3 --seed 9
	[ "$(json '[.faults[].offset] | tostring')" = "$first" ]
	expect_exit 0 pgctl scrub m0.img # the same bits twice: as they were
}

@test "fault add --range stays inside it, and --kind bad without --count takes all of it" {
	make_array
	run_json map m0.img
	start=$(json '[.groups[].extents[] | select(.member == 1)][0].start')
	run_json fault add m1.img --kind flip --count 3 --seed 1 --range "$start-$((start + 16384))"
	assert_json "[.faults[].offset] | all(. >= $start and . < $((start + 16384)))"
	expect_exit 0 pgctl fault add m1.img --kind bad --range "$start-$((start + 8192))"
	run_json fault list m1.img
	assert_json ".faults | [length, .[0].offset, .[0].length] == [1, $start, 8192]"
	expect_exit 16 pgctl fault add m1.img --kind bad --range 5
	expect_exit 16 pgctl fault add m1.img --kind bad --range 8K-4K
	expect_exit 16 pgctl fault add m1.img --kind bad --range 1G-2G
	expect_exit 16 pgctl fault add m1.img --kind nonsense
}

@test "fault list and clear know one image or all of an array" {
	mkdir a
	expect_exit 0 pgctl create tank --size 32M a/m0.img a/m1.img a/m2.img
	random_file data 1M
	expect_exit 0 pgctl put a data
	before=$(cksum a/m?.img)
	expect_exit 0 pgctl fault add a --member 0 --kind bad --count 2
	expect_exit 0 pgctl fault add a/m1.img --kind bad
	expect_exit 16 pgctl fault add a --kind bad
	run_json fault list a
	assert_json '.faults | length' 3
	run_json fault list a --member 0
	assert_json '.faults | length' 2
	run_json fault list a/m1.img
	assert_json '.faults | length' 1
	expect_exit 0 pgctl fault clear a/m1.img
	expect_exit 0 pgctl fault clear a
	run_json fault list a
	assert_json '.faults | length' 0
	[ "$(cksum a/m?.img)" = "$before" ]
}

@test "check finds nothing wrong with a healthy array, and what is wrong with a superblock" {
	make_array
	run_json check m0.img
	assert_json .exit 0 \
		'.findings | length' 0
	# What a commit that was killed may leave: the slot that the next one writes (FORMAT.md section 1).
	run_json inspect m1.img
	key=$((16#$(json '.found[0].uuid[-2:]') & 7))
	next=$((($(json '.found[0].details.generation') + 1) % 4))
	dd if=/dev/urandom of=m1.img bs=512 count=1 oflag=seek_bytes conv=notrunc status=none \
		seek=$(((next < 2 ? 65536 : 1048576) + 4096 * (2 * key + next % 2)))
	run_json check m0.img
	assert_json .exit 0 \
		.left 0 \
		'[.findings[].harmless] | tojson' '[true]'
	expect_exit 0 pgctl volume rename m0.img data again
	expect_exit 0 pgctl volume rename m0.img again data
	run_json check m0.img
	assert_json '.findings | length' 0
	# Every superblock position of the near area of one member.
	dd if=/dev/urandom of=m1.img bs=4096 seek=16 count=16 conv=notrunc status=none
	run_json check m0.img
	assert_json .exit 4 \
		'[.findings[].member] | unique == [1]' true
	pgctl get m0.img data -o - | cmp - data
}

@test "R33 check --rebuild-free: free space comes from the map" {
	make_array
	run_json status m0.img
	status_used=$(json '[.members[].used] | add')
	run_json check m0.img --rebuild-free
	assert_json .exit 0 \
		.left 0 \
		'[.free[].extents] | add > 0' true
	[ "$status_used" -gt 0 ]
	expect_exit 16 pgctl check m0.img --rebuild-free --rebuild-map
}

@test "check --rebuild-map makes the map again from the seals" {
	make_array
	expect_exit 0 pgctl put m0.img data --as mir -l mirror
	expect_exit 0 pgctl put m0.img data --as seq -l sequential --width 4
	run_json check m0.img --rebuild-map --plan
	assert_json .exit 0 \
		.volumes 3
	expect_exit 16 pgctl check m0.img --rebuild-map
	# Both halves of the map on every member.
	for image in m?.img; do
		dd if=/dev/zero of="$image" bs=64K seek=17 count=2 conv=notrunc status=none
	done
	expect_exit 8 pgctl get m0.img data -o out
	expect_exit 0 pgctl check m0.img --rebuild-map --yes
	for name in data mir seq; do
		pgctl get m0.img "$name" -o - | cmp - data
	done
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 pgctl check m0.img
}

# bats test_tags=slow
@test "R78 a bad sector in a second copy is found by scrub and rewritten from the first, and the other way round" {
	local column member start

	make_members 3 12M
	random_file data 1500000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l mirror
	expect_exit 0 pgctl put m0.img data
	run_json map m0.img
	printf '%s\n' "$document" >map.json
	for column in 0 1; do
		member=$(jq ".groups[2].extents[$column].member" map.json)
		start=$(jq ".groups[2].extents[$column].start + 8192" map.json)
		expect_exit 0 pgctl fault add "m$member.img" --kind bad --range "$start-$((start + 4096))"
		pgctl get m0.img data -o - -q | cmp - data
		run_json scrub m0.img
		assert_json '[.exit, (.mismatches | length), .mismatches[0].kind, .mismatches[0].suspect] | tojson' \
			"[4,1,\"read-error\",$member]"
		run_json scrub m0.img --repair
		assert_json '[.exit, .repaired, .left] | tojson' '[1,1,0]'
		run_json scrub m0.img
		assert_json '[.exit, (.mismatches | length)] | tojson' '[0,0]'
		pgctl get m0.img data -o - -q | cmp - data
	done
}

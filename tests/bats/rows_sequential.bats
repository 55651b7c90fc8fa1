#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The sequential layout row by row of docs/CLAIMS.tsv, R01 to R17: what pgctl says is held against the raw
# members (rows.py: XOR of what `map --json` names) and against the trace of its own I/O.
# shellcheck disable=SC2016,SC2154  # $x in single quotes is jq's; helper.bash sets document and stderr

bats_require_minimum_version 1.5.0
load helper

setup()
{
	pgctl_setup
	export PYTHONPATH=$BATS_TEST_DIRNAME:$BATS_TEST_DIRNAME/../reader PYTHONDONTWRITEBYTECODE=1
}

# make_array WIDTH SIZE [OPTION…]: WIDTH members, a volume `data` of SIZE, and its map in map.json.
make_array()
{
	local width=$1 size=$2

	shift 2
	rm -f m*.img data
	make_members "$width" 32M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l sequential --width "$width" "$@"
	random_file data "$size" "$width"
	expect_exit 0 pgctl put m0.img data
	read_map
}

read_map()
{
	run_json map m0.img
	printf '%s\n' "$document" >map.json
}

equations()
{
	"$BATS_TEST_DIRNAME/rows.py" map.json
}

# One sum of all bodies: what may change beside them is metadata.
bodies()
{
	python3 - <<-'END' | sha -
		from rows import Map
		for group in Map().groups:
		    for column in range(group.columns):
		        for segment in range(group.segments):
		            print(group.read(column, segment))
	END
}

@test "R01 raw members: the XOR of every row with its parity, and of every level of parities, is zero" {
	local start segment

	make_array 5 3000001
	expect_exit 0 equations
	assert_has "16 row 4 level" "$stderr"

	# One wrong bit breaks the row it is in, and no other equation.
	start=$(json '.groups[1].extents[3].start')
	segment=$(json '.groups[1].segment')
	flip_byte m3.img "$((start + 2 * segment + 7))"
	expect_exit 1 equations
	[ "$output" = "group 2 row 2" ]
	# A row parity stands in its row and in its level.
	flip_byte m3.img "$((start + 2 * segment + 7))"
	start=$(json '.groups[1].extents[0].start')
	flip_byte m0.img "$((start + 4 * segment))"
	expect_exit 1 equations
	[ "$output" = $'group 2 row 0\ngroup 2 level 0' ]
}

@test "R01 equations hold for every width and number of levels, and those of each other layout" {
	local shape

	for shape in "2 3" "3 2" "6 1"; do
		# shellcheck disable=SC2086  # two words
		set -- $shape
		make_array "$1" 600001 --levels "$2"
		expect_exit 0 equations
		[ "$(json '.groups[0].rows')" = "$(($2 * ($1 - 1)))" ]
	done
	expect_exit 0 pgctl put m0.img data --as mir -l mirror --copies 3
	expect_exit 0 pgctl put m0.img data --as par -l parity --parity 2
	read_map
	expect_exit 0 equations
	assert_has " copy" "$stderr"
	assert_has " parity" "$stderr"
}

@test "R02 each of m-1 extents ends in the row parity of its turn, right behind its data" {
	make_array 5 3000001 --levels 2
	# Exactly m-1 extents bear row parity: the k-th of them row t(m-1)+k at level t.
	assert_json '[.groups[] | [.extents[] | select(.tail[0].kind == "row")] | to_entries[] |
		.key as $k | .value.tail == [
			{kind: "row", row: $k, level: 0}, {kind: "row", row: (4 + $k), level: 1}]] | all'
	assert_json '[.groups[] | [.extents[] | select(.tail[].kind == "row")] | length] | unique == [8]'
	# The tails begin where the data end, and end where the body ends.
	assert_json '[.groups[] | .segment as $s | .rows as $r | .extents[] |
		.length == ($r + (.tail | length)) * $s] | all'
	json '.groups[1] | .segment as $s | .rows as $r | .extents[2] |
		"\(.member):\(.start + $r * $s)"' >tail.txt
	run_json map m0.img "$(cat tail.txt)"
	assert_json '[.group, .row, .blocks[0].role] | tojson' '[2,2,"parity"]'
	run_json map m0.img "$(IFS=: read -r member at <tail.txt && echo "$member:$((at - 4096))")"
	assert_json '[.group, .row, .blocks[0].role] | tojson' '[2,7,"data"]'
}

@test "R02 a stream is written extent by extent in one run: data, then the parity behind them" {
	make_array 4 2M
	rm m?.img
	expect_exit 0 pgctl create tank --size 32M "${MEMBERS[@]}" -l sequential --width 4
	expect_exit 0 pgctl put m0.img data --trace trace.jsonl
	python3 - <<-'END'
		from rows import Map
		array = Map()
		written = [io for io in array.trace("trace.jsonl") if io.at < io.group.length]
		for group in array.groups:
		    for column in range(group.columns):
		        end = 0
		        for io in written:
		            if (io.group, io.column) == (group, column):
		                assert io.op == "write" and io.at == end
		                end += io.length
		        assert end == group.length
	END
}

@test "R03 one extent a group has the pure parity and no row parity; it rotates, q = -g mod m" {
	make_array 4 3000001 --levels 2
	[ "$(json '.groups | length')" -ge 4 ]
	assert_json '[.groups[] | [.extents[] | select(.tail | all(.kind == "pure"))] | length] |
		unique == [1]'
	assert_json '[.groups[] | .extents[] | [.tail[].kind] | unique | length] | unique == [1]' true \
		'[.groups[] | .extents[.pure].tail[0].kind == "pure"] | all' true \
		'[.groups[] | .pure == (4 - .id % 4) % 4] | all' true
}

@test "R03 --pure-on moves the pure parity, also to the last extent, and the equations hold there" {
	local column

	for column in 0 2 4; do
		make_array 5 500K --pure-on "$column"
		assert_json '[.groups[] | .pure] | unique == ['"$column"']' true \
			"[.groups[] | .extents[$column].tail[0].kind] | unique == [\"pure\"]" true
		expect_exit 0 equations
	done
	# For one volume too.
	expect_exit 0 pgctl put m0.img data --as other --pure-on 1
	read_map
	assert_json '[.groups[] | .pure] | unique == [1, 4]'
	expect_exit 16 pgctl put m0.img data --as third --pure-on 5
}

@test "R03 claim 16 taken literally is refused with the segment that would be lost, for every extent" {
	local column

	make_members 5 32M
	for column in 0 1 2 3; do
		expect_exit 4 pgctl create tank "${MEMBERS[@]}" -l sequential --width 5 \
			--pure-on "$column" --literal-claim-16
		assert_has "D[$column][$column]" "$stderr"
	done
	# The last extent is the one that bears no row parity: not what claim 16 says.
	expect_exit 16 pgctl create tank "${MEMBERS[@]}" -l sequential --width 5 --pure-on 4 \
		--literal-claim-16
	[ "$(du -c "${MEMBERS[@]}" | tail -n 1 | cut -f 1)" = 0 ]
	make_array 5 100K
	expect_exit 4 pgctl put m0.img data --as again --pure-on 3 --literal-claim-16
	assert_has "D[3][3]" "$stderr"
	run_json volume list m0.img
	assert_json '.volumes | length' 1
}

@test "R04 a byte of a data segment counts in its row and in no other, for every i and j" {
	local column row member start segment at

	make_array 3 300001
	segment=$(json '.groups[0].segment')
	json '.groups[0].extents[] | "\(.column) \(.member) \(.start)"' >extents
	while read -r column member start; do
		for row in 0 1; do
			at=$((start + row * segment + 4096 * column + 1000 + row))
			flip_byte "m$member.img" "$at"
			expect_exit 1 equations
			[ "$output" = "group 1 row $row" ]
			run_json scrub m0.img --check
			assert_json .exit 4
			assert_json '[.mismatches[] | [.group, .row, .suspect]] | tojson' \
				"[[1,$row,$member]]"
			flip_byte "m$member.img" "$at"
		done
	done <extents
	# The other segments of the row and its parity are enough to have it back.
	before=$(cksum m2.img)
	flip_byte m2.img "$at"
	expect_exit 1 pgctl scrub m0.img --repair
	[ "$(cksum m2.img)" = "$before" ]
}

@test "R05 --quick reads the m tails of each group and no data" {
	make_array 5 3000001 --levels 2
	run_json scrub m0.img --quick --trace trace.jsonl
	assert_json '[.exit, (.mismatches | length)] | tojson' "[0,0]"
	python3 - <<-'END'
		from rows import Map
		array = Map()
		reads = array.trace("trace.jsonl")
		assert all(io.op == "read" for io in reads)
		for group in array.groups:
		    body = [io for io in reads if io.group is group and io.at < group.length]
		    assert all(io.at >= group.rows * group.segment for io in body)
		    assert all(io.role == ("pure" if io.column == group.pure else "parity") for io in body)
		    size = [sum(io.length for io in body if io.column == c) for c in range(5)]
		    assert size == [2 * group.segment] * 5, size
	END
}

@test "R05 --quick names a row parity or the pure parity in which a byte is wrong" {
	local member tail row

	make_array 4 2M
	json '.groups[1] | .segment as $s | .rows as $r | .extents[] |
		"\(.member) \(.start + $r * $s) \(.tail[0].row)"' >tails
	while read -r member tail row; do
		flip_byte "m$member.img" "$((tail + 5000))"
		run_json scrub m0.img --quick
		assert_json .exit 4
		# The pure parity has a number behind the rows.
		[ "$row" != null ] || row=3
		assert_json '[.mismatches[] | [.group, .row, .suspect, .blocks[0].lba]] | tojson' \
			"[[2,$row,$member,$((tail + 4096))]]"
		flip_byte "m$member.img" "$((tail + 5000))"
	done <tails
	[ "$row" = 3 ] || grep -q null tails
	expect_exit 0 pgctl scrub m0.img --quick
}

# craft COMMAND EXTENT BLOCK: change what that extent of group 1 holds so that no checksum tells.
craft()
{
	"$BATS_TEST_DIRNAME/../reader/craft.py" forge m?.img --member "$1" --extent "$2" --block "$3" \
		--seed 7 >/dev/null
}

@test "R05 where checksums agree, the two equations locate: only Q fails: Q; both: the row parity" {
	local tail

	make_array 4 1M
	tail=$(json '.groups[0] | .segment / 4096 * .rows')
	mkdir clean
	cp --sparse=always m?.img clean
	# Extent 1 to 4 on member 0 to 3; the pure parity of group 1 is on column 3.
	assert_json '.groups[0].pure' 3
	craft 1 2 "$tail"
	run_json scrub m0.img --check
	assert_json '[.mismatches[] | [.row, .suspect, .basis]] | tojson' '[[1,1,"pure-parity"]]'
	cp --sparse=always clean/m?.img .
	craft 3 4 "$((tail + 1))"
	run_json scrub m0.img --quick
	assert_json '[.mismatches[] | [.row, .suspect, .basis]] | tojson' '[[3,3,"pure-parity"]]'
}

@test "R05 where checksums agree and only the row fails, it is some data: undecidable, nothing written" {
	local before

	make_array 4 1M
	craft 2 3 2
	before=$(bodies)
	run_json scrub m0.img --check
	assert_json '[.mismatches[] | [.row, .suspect]] | tojson' '[[0,"undecidable"]]'
	run_json scrub m0.img --repair
	assert_json '.exit >= 4' true \
		'[.repaired, .left] | tojson' '[0,1]'
	[ "$(bodies)" = "$before" ]
	expect_exit 1 equations
	[ "$output" = "group 1 row 0" ]
}

# rebuild_member SLOT OPTION…: fail it, rebuild it to a new file, map and trace before and after.
rebuild_member()
{
	local slot=$1

	shift
	expect_exit 0 pgctl fail . "$slot"
	run_json rebuild . "$slot" --to "new$slot.img" --trace trace.jsonl "$@"
	assert_json .exit 0 \
		'[.health, .extents_lost] | tojson' '["healthy",0]'
}

@test "R06 rebuild: tails are read, then data; the lost parity is written, then the lost data" {
	make_array 5 3000001 --levels 2
	rebuild_member 2
	python3 - <<-'END'
		from rows import Map
		array = Map()
		array_trace = array.trace("trace.jsonl")
		for group in array.groups:
		    tails_at = group.rows * group.segment
		    reads = [io for io in array_trace if io.group is group and io.at < group.length]
		    assert all(io.op == "read" and io.column != 2 for io in reads)
		    tails = [io for io in reads if io.at >= tails_at]
		    data = [io for io in reads if io.at < tails_at]
		    assert sum(io.length for io in tails) == 4 * 2 * group.segment
		    assert sum(io.length for io in data) == 4 * tails_at
		    assert max(io.end for io in tails) <= min(io.t for io in data)
		    # The new member is no part of that map yet: its slot is 5, its frames are the same.
		    start = group.extents[2]["start"]
		    with open("trace.jsonl", encoding="utf-8") as file:
		        import json
		        writes = [io for io in map(json.loads, file) if io["op"] == "write" and
		                  io["member"] == 5 and 0 <= io["offset"] - start < group.length]
		    parity = [io for io in writes if io["offset"] - start >= tails_at]
		    rest = [io for io in writes if io["offset"] - start < tails_at]
		    kind = "pure" if group.pure == 2 else "parity"
		    assert {io["role"] for io in parity} == {kind} and {io["role"] for io in rest} == {"data"}
		    assert max(io.end for io in data) <= min(io["t"] for io in parity)
		    assert max(io["t"] for io in parity) <= min(io["t"] for io in rest)
		    assert sum(io["length"] for io in writes) == group.length
	END
}

@test "R06 the rebuilt image is the lost one, byte for byte, for every member" {
	local slot

	make_array 4 2M
	for slot in 0 1 2 3; do
		mkdir -p lost
		cp --sparse=always "m$slot.img" lost
		rebuild_member "$slot"
		# Superblocks and the header pages of extents tell their member; all else is the same.
		python3 - "lost/m$slot.img" "new$slot.img" "$slot" <<-'END'
			import sys
			from rows import Map
			with open(sys.argv[1], "rb") as lost, open(sys.argv[2], "rb") as new:
			    old, new = lost.read(), new.read()
			extents = [e for group in Map().groups for e in group.extents
			           if e["member"] == int(sys.argv[3])]
			assert len(extents) == 3
			for extent in extents:
			    start, end = extent["start"], extent["start"] + extent["length"]
			    assert old[start:end] == new[start:end] and any(old[start:end])
			    pages = extent["seal_start"] + 4096
			    end = extent["seal_start"] + extent["seal_length"]
			    assert old[pages:end] == new[pages:end] and any(old[pages:end])
		END
	done
	pgctl get . data -o - | cmp - data
	expect_exit 0 pgctl scrub .
}

@test "R07 --group-buffer holds all of the operative extents, (m-1)(E+s), each read in one run" {
	make_array 5 3000001
	rebuild_member 1 --group-buffer
	# 4 extents of p + 1 = 5 segments of the largest group
	segment=$(jq '[.groups[].segment] | max' map.json)
	assert_json .buffer_peak "$((4 * (4 + 1) * segment))"
	python3 - <<-'END'
		from rows import Map
		array = Map()
		trace = array.trace("trace.jsonl")
		for group in array.groups:
		    for column in (0, 2, 3, 4):
		        end = 0
		        for io in trace:
		            if (io.group, io.column) == (group, column) and io.at < group.length:
		                assert io.op == "read" and io.at == end
		                end += io.length
		        assert end == group.length
	END
}

@test "R08 m extents, p = r(m-1) data segments each, r(m-1) parities over m segments, r pure ones" {
	local shape m r

	for shape in "2 1" "3 4" "5 2" "6 1"; do
		# shellcheck disable=SC2086  # two words
		set -- $shape
		m=$1 r=$2
		make_array "$m" 200K --levels "$r"
		run_json map m0.img 1
		assert_json '.groups[0].extents | length' "$m" \
			.groups[0].rows "$((r * (m - 1)))"
		assert_json '[.groups[0].extents[].tail[] | select(.kind == "row")] | length' \
			"$((r * (m - 1)))"
		assert_json '[.groups[0].extents[].tail[] | select(.kind == "pure")] | length' "$r"
		# m*p data segments: that many bytes have an address, and the next byte has none.
		room=$(json '.groups[0] | .segment * .rows * (.extents | length)')
		[ "$room" -ge 204800 ]
		truncate -s "$room" whole
		expect_exit 0 pgctl put m0.img whole
		run_json map m0.img
		assert_json '[.volumes[1].spans[] | .length] | tojson' "[$room]"
		rm -f whole
	done
}

@test "R08 another p than r(m-1) is refused, and so is a parity of its own" {
	expect_exit 16 pgctl create tank --size 32M m0.img m1.img m2.img -l sequential --parity 2
	assert_has "--parity" "$stderr"
	expect_exit 16 pgctl create tank --size 32M m0.img m1.img m2.img -l sequential --levels 0
	[ ! -e m0.img ]
}

# Every single loss of the array of make_array: `data` still hashes.
lose_each()
{
	local member

	mkdir -p away
	for member in m*.img; do
		mv "$member" away
		pgctl get . data -o - -q | cmp - data
		mv "away/$member" .
	done
}

@test "R09 no extent has row parity and pure parity, and every member may be lost" {
	local shape

	for shape in "2 2" "4 1" "5 3"; do
		# shellcheck disable=SC2086  # two words
		make_array ${shape% *} 1200001 --levels "${shape#* }"
		assert_json '[.groups[].extents[] | [.tail[].kind] | unique | length] | unique == [1]'
		assert_json '[.groups[] | .segment as $s | .rows as $r | .extents[] |
			.length - $r * $s == (.tail | length) * $s] | all'
		lose_each
	done
}

# bats test_tags=slow
@test "R09 the same for every width up to 12 with 1 to 4 levels" {
	local m r

	for m in 2 3 4 5 6 7 8 9 10 11 12; do
		for r in 1 2 3 4; do
			make_array "$m" "$((m * 100003 + r))" --levels "$r"
			assert_json '[.groups[].extents[] | [.tail[].kind] | unique | length] | unique == [1]'
			expect_exit 0 equations
			lose_each
		done
	done
}

@test "R10 members are cut into sets of --width, and groups stay in their set" {
	make_members 10 32M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l sequential --width 5
	random_file data 6M
	expect_exit 0 pgctl put m0.img data
	run_json status m0.img
	assert_json '.problems | length' 0
	# Sets fill evenly.
	assert_json '[.members[].used] | max - min <= 274432'
	# Also where other volumes have filled the members unevenly.
	expect_exit 0 pgctl put m0.img data --as other -l parity --width 3
	expect_exit 0 pgctl put m0.img data --as again
	run_json map m0.img
	assert_json '[.groups[] | select(.layout == "sequential") | [.extents[].member] | sort] | unique ==
		[[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]'
}

@test "R10 a member that fills no set is reported as unused" {
	make_members 11 32M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l sequential --width 5
	random_file data 6M
	expect_exit 0 pgctl put m0.img data
	run_json status m0.img
	assert_json '[.problems[].code] | tojson' '["unused-member"]' \
		'.problems[0].text | test("use 1 of the members")' true \
		'.array.health' healthy \
		'[.members[] | select(.used == 0) | .slot] | tojson' '[10]'
	expect_exit 0 pgctl explain unused-member
	# Four more fill a set, and it is used.
	expect_exit 0 pgctl add m0.img m11.img m12.img m13.img m14.img --size 32M
	expect_exit 0 pgctl put m0.img data --as more
	run_json status m0.img
	assert_json '.problems | length' 0 \
		'[.members[] | select(.used == 0)] | length' 0
}

@test "R11 the extents of a group are on distinct members" {
	make_members 8 32M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l sequential --width 4
	random_file data 3M
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl put m0.img data --as par -l parity --parity 2
	expect_exit 0 pgctl put m0.img data --as mir -l mirror --copies 3
	run_json map m0.img
	assert_json '[.groups[] | [.extents[].member] | length == (unique | length)] | all'
}

@test "R11 a map with two extents of a group on one member is rejected, though all its CRCs are right" {
	make_array 4 1M
	"$BATS_TEST_DIRNAME/../reader/craft.py" twin m?.img --group 2 --column 0 --to-column 3 >/dev/null
	expect_exit 8 pgctl check m0.img
	assert_has "group 2 has two extents on member 0" "$stderr"
	expect_exit 8 pgctl get m0.img data -o out
	[ ! -e out ]
}

@test "R12 all extents of a group have the same p and the same s; the short last group smaller ones" {
	make_array 5 3000001 --levels 2
	assert_json '[.groups[] | [.extents[] | [.length, (.tail | length)]] | unique | length] |
		unique == [1]'
	assert_json '[.groups[] | .extents[0].length == (.rows + 2) * .segment] | all' true \
		'[.groups[].rows] | unique == [8]' true \
		'[.groups[].segment] | .[-1] < .[0] and (.[:-1] | unique | length) == 1' true
	# Padding stays below one block a data segment.
	assert_json '(.volumes[0].spans[-1].length as $l | .groups[-1] |
		.segment * .rows * 5 - $l) < 8 * 5 * 4096'
	assert_json '[.volumes[0].spans[] | .unit] | unique == [0]'
	# Shared equally: each data extent holds p*s of the group's bytes, one after the other.
	python3 - <<-'END'
		from rows import Map
		array = Map()
		with open("data", "rb") as file:
		    data = file.read()
		at = 0
		for group in array.groups_of("data"):
		    size = group.rows * group.segment
		    for column in range(group.columns):
		        with open(group.paths[group.members[column]], "rb") as member:
		            member.seek(group.extents[column]["start"])
		            assert member.read(size) == data[at:at + size].ljust(size, b"\0")
		        at += size
	END
}

@test "R14 what a parity segment covers lies in its own group" {
	local at

	make_array 4 2M
	assert_json '.groups | length >= 2'
	# The tail of each extent of group 2, and where the extents of group 2 are.
	json '.groups[1] as $g | $g.extents[] | "\(.member):\(.start + $g.rows * $g.segment)"' >tails
	json '.groups[1].extents | tojson' >extents
	while read -r at; do
		run_json map m0.img "$at"
		assert_json .group 2 \
			'.blocks | length >= 4' true
		assert_json "$(cat extents)"' as $e | [.blocks[] | . as $b | any($e[];
			.member == $b.member and .start <= $b.lba and $b.lba < .start + .length)] | all'
	done <tails
	[ "$(wc -l <tails)" = 4 ]
}

@test "R14 a group that is destroyed as a whole leaves the others checkable and readable" {
	make_array 4 1M
	expect_exit 0 pgctl put m0.img data --as second
	run_json map m0.img
	json '.groups[] | select(.id == 1) | .extents[] | "\(.member) \(.start) \(.seal_start + .seal_length)"' >a
	while read -r member start end; do
		random_file noise "$((end - start))" "$member"
		dd if=noise of="m$member.img" bs=4096 seek="$((start / 4096))" conv=notrunc status=none
	done <a
	run_json scrub m0.img --check
	assert_json .exit 4 \
		'[.mismatches[].group] | unique == [1]' true
	expect_exit 0 pgctl scrub m0.img --volume second
	pgctl get m0.img second -o - | cmp - data
	expect_exit 4 pgctl get m0.img data -o out
}

@test "R16 normal mode reads every data segment once, and nothing else of the bodies" {
	make_array 5 3000001 --levels 2
	pgctl get m0.img data -o - --trace trace.jsonl | cmp - data
	python3 - <<-'END'
		from rows import Map
		array = Map()
		body = [io for io in array.trace("trace.jsonl") if io.at < io.group.length]
		assert body and all(io.op == "read" and io.role == "data" for io in body)
		assert all(io.at + io.length <= io.group.rows * io.group.segment for io in body)
		# Whole blocks of what the volume has, each once.
		assert sum(io.length for io in body) == -(-3000001 // 4096) * 4096
		places = sorted((io.group.id, io.column, io.at, io.length) for io in body)
		for one, next in zip(places, places[1:]):
		    assert one[:2] != next[:2] or one[2] + one[3] <= next[2], (one, next)
	END
}

@test "R17 correction mode reads the m-1 tails of each group that lost a member, and no others" {
	make_members 10 32M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l sequential --width 5
	random_file data 6M
	expect_exit 0 pgctl put m0.img data
	read_map
	expect_exit 0 pgctl fail m0.img 7
	pgctl get m0.img data -o - --trace trace.jsonl -q | cmp - data
	python3 - <<-'END'
		from rows import Map
		array = Map()
		trace = array.trace("trace.jsonl")
		assert all(io.op == "read" and io.member != 7 for io in trace)
		failed = 0
		for group in array.groups:
		    body = [io for io in trace if io.group is group and io.at < group.length]
		    tails = [io for io in body if io.at + io.length > group.rows * group.segment]
		    if 7 not in group.members:
		        assert body and not tails
		        continue
		    failed += 1
		    # In each visit of the group: all of the m-1 that are left, once.
		    read = [sum(io.length for io in body if io.column == c) for c in range(5)]
		    lost = group.members.index(7)
		    assert read[lost] == 0
		    assert {size for c, size in enumerate(read) if c != lost} == {group.length}, read
		assert failed > 1
	END
}

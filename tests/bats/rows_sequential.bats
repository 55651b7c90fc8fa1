#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The sequential layout row by row of docs/CLAIMS.tsv, R01 to R17: what pgctl says is held against the raw
# members (rows.py: XOR of what `map --json` names) and against the trace of its own I/O.

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

# extents of all groups: "GROUP COLUMN MEMBER START SEGMENT ROWS PURE LENGTH" a line
list_extents()
{
	json '.groups[] | . as $g | .extents[] |
		"\($g.id) \(.column) \(.member) \(.start) \($g.segment) \($g.rows) \($g.pure) \(.length)"'
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
		"\(.member):\(.start + $r * $s)"' >tail
	run_json map m0.img "$(cat tail)"
	assert_json '[.group, .row, .blocks[0].role] | tojson' '[2,2,"parity"]'
	run_json map m0.img "$(IFS=: read -r member at <tail && echo "$member:$((at - 4096))")"
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
	assert_json '[.groups[] | .extents[] | [.tail[].kind] | unique | length] | unique == [1]'
	assert_json '[.groups[] | .extents[.pure].tail[0].kind == "pure"] | all'
	assert_json '[.groups[] | .pure == (4 - .id % 4) % 4] | all'
}

@test "R03 --pure-on moves the pure parity, also to the last extent, and the equations hold there" {
	local column

	for column in 0 2 4; do
		make_array 5 500K --pure-on "$column"
		assert_json '[.groups[] | .pure] | unique == ['"$column"']'
		assert_json "[.groups[] | .extents[$column].tail[0].kind] | unique == [\"pure\"]"
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
	before=$(sha m2.img)
	flip_byte m2.img "$at"
	expect_exit 1 pgctl scrub m0.img --repair
	[ "$(sha m2.img)" = "$before" ]
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
	before=$(cat m?.img | sha -)
	run_json scrub m0.img --check
	assert_json '[.mismatches[] | [.row, .suspect]] | tojson' '[[0,"undecidable"]]'
	run_json scrub m0.img --repair
	assert_json '.exit >= 4'
	assert_json '[.repaired, .left] | tojson' '[0,1]'
	read_map
	expect_exit 1 equations
	[ "$output" = "group 1 row 0" ]
	# The journal of the job may be written, the members' bodies and seals not.
	python3 - <<-'END'
		from rows import Map
		import hashlib
	END
}

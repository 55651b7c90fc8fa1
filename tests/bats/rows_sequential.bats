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

@test "R01 equations hold for every width and number of levels, and on each other layout" {
	for shape in "2 1" "2 3" "3 2" "7 1" "4 4"; do
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
	assert_has "copy" "$stderr"
	assert_has "parity" "$stderr"
}

@test "R02 each of m-1 extents ends in the row parity of its turn, right behind its data" {
	make_array 5 3000001 --levels 2
	# Exactly m-1 extents bear row parity: the k-th of them row t(m-1)+k at level t.
	assert_json '[.groups[] | [.extents[] | select(.tail[0].kind == "row")] | length] | unique == [4]'
	assert_json '[.groups[] | [.extents[] | .tail[] | select(.kind == "row") | .row] | sort] |
		unique == [[0, 1, 2, 3, 4, 5, 6, 7]]'
	assert_json '[.groups[] | [.extents[] | select(.tail[0].kind == "row")] | to_entries[] |
		 .key as $k | .value.tail == [
			{kind: "row", row: $k, level: 0}, {kind: "row", row: (4 + $k), level: 1}]] | all'
	# The tails begin where the data end and end where the body ends.
	assert_json '[.groups[] | .segment as $s | .rows as $r | .extents[] |
		.length == ($r + (.tail | length)) * $s] | all'
	list_extents >extents
	while read -r group column member start segment rows pure length; do
		[ "$column" != "$pure" ] || continue
		run_json map m0.img "$member:$((start + rows * segment - 4096))"
		assert_json '[.group, .blocks[0].role] | @csv' "$group,\"data\""
		run_json map m0.img "$member:$((start + rows * segment))"
		assert_json '[.group, .blocks[0].role] | @csv' "$group,\"parity\""
		[ "$length" = "$(((rows + 2) * segment))" ]
	done < <(head -n 10 extents)
}

@test "R02 data are written before the parity behind them, in one run" {
	make_array 4 2M
	rm m?.img
	expect_exit 0 pgctl create tank --size 32M "${MEMBERS[@]}" -l sequential --width 4
	expect_exit 0 pgctl put m0.img data --trace trace.jsonl
	python3 - <<-'END'
		from rows import Map
		array = Map()
		for group in array.groups:
		    for column in range(group.columns):
		        end = 0
		        for io in array.trace("trace.jsonl"):
		            if io.group is group and io.column == column and io.at < group.length:
		                assert io.op == "write" and io.at == end
		                end += io.length
		        assert end == group.length
	END
}

@test "R03 one extent a group has the pure parity and no row parity; it rotates, q = -g mod m" {
	make_array 4 3000001 --levels 2
	[ "$(json '.groups | length')" -ge 4 ]
	assert_json '[.groups[] | [.extents[] | select(.tail[].kind == "pure")] | unique | length] |
		unique == [1]'
	assert_json '[.groups[] | .extents[] | [.tail[].kind] | unique | length] | unique == [1]'
	assert_json '[.groups[] | .extents[.pure].tail[0].kind == "pure"] | all'
	assert_json '[.groups[] | .pure == (4 - .id % 4) % 4] | all'
}

@test "R03 --pure-on moves the pure parity, also to the last extent, and its equations hold there" {
	for column in 0 1 2 3 4; do
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
	make_members 5 32M
	for column in 0 1 2 3 4; do
		expect_exit 4 pgctl create tank "${MEMBERS[@]}" -l sequential --width 5 \
			--pure-on "$column" --literal-claim-16
		assert_has "D[$column][$column]" "$stderr"
	done
	[ "$(du -c "${MEMBERS[@]}" | tail -n 1 | cut -f 1)" = 0 ]
	make_array 5 100K
	expect_exit 4 pgctl put m0.img data --as again --pure-on 3 --literal-claim-16
	assert_has "D[3][3]" "$stderr"
	run_json volume list m0.img
	assert_json '.volumes | length' 1
}

@test "R04 each byte of a data segment counts in its row and in no other, for every i and j" {
	make_array 3 300001 --levels 2
	list_extents >extents
	[ "$(json '.groups | length')" = 1 ]
	for ((row = 0; row < 4; row++)); do
		while read -r group column member start segment rows pure length; do
			at=$((start + row * segment + 4096 * row + 1000 * column))
			flip_byte "m$member.img" "$at"
			expect_exit 1 equations
			[ "$output" = "group $group row $row" ]
			run_json scrub m0.img --check
			assert_json .exit 4
			assert_json '[.mismatches[] | [.group, .row, .suspect]] | tojson' \
				"[[$group,$row,$member]]"
			# Repaired from the other segments of the row.
			run_json scrub m0.img --repair
			assert_json .exit 1
			expect_exit 0 equations
		done <extents
	done
	pgctl get m0.img data -o - | cmp - data
}

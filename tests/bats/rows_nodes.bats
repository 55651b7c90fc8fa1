#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Mirrors over assemblies, row by row of docs/CLAIMS.tsv; a label node= on members says which assembly they are in.
# shellcheck disable=SC2016  # $x in single quotes is jq's

bats_require_minimum_version 1.5.0
load helper

setup()
{
	pgctl_setup
	export PYTHONPATH=$BATS_TEST_DIRNAME PYTHONDONTWRITEBYTECODE=1
}

# nodes COUNT NODES: so many members of 8 MiB, the first ones in node 0; LABELS are their options.
nodes()
{
	local slot

	make_members "$1" 8M
	LABELS=()
	for ((slot = 0; slot < $1; slot++)); do
		LABELS+=(--label "m$slot.img:node=$((slot * $2 / $1))")
	done
	random_file data 1500001
}

read_map()
{
	run_json map m0.img
	printf '%s\n' "$document" >map.json
}

@test "R49 ring over three assemblies: the first segment of each is the secondary segment of the next" {
	nodes 3 3
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" "${LABELS[@]}" --across node --extent 64K -l mirror \
		--topology ring
	expect_exit 0 pgctl put m0.img data
	read_map
	# Every group that is first on i has its only copy on i + 1; all three are used as both.
	assert_json '[.groups[].extents | [.[] | .member]] | unique | tojson' '[[0,1],[1,2],[2,0]]' \
		'[.groups[].extents | [.[] | .role]] | unique | tojson' '[["primary","secondary"]]'
	# The member files themselves, byte by byte.
	expect_exit 0 "$BATS_TEST_DIRNAME/rows.py" map.json
	python3 - <<-'END'
		from rows import Map
		array, at = Map(), 0
		with open("data", "rb") as file:
		    data = file.read()
		for group in array.groups_of("data"):
		    part = int.from_bytes(data[at:at + group.length].ljust(group.length, b"\0"), "little")
		    assert group.read(0) == part and group.read(1) == part
		    at += group.length
		assert at >= len(data)
	END
}

@test "R50 several disks in each of two assemblies: no two copies share an assembly, either may be lost" {
	local slot

	nodes 6 2
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" "${LABELS[@]}" --across node --extent 64K -l mirror
	expect_exit 0 pgctl put m0.img data
	read_map
	assert_json '[.groups[].extents | [.[] | .member / 3 | floor] | sort] | unique | tojson' '[[0,1]]' \
		'[.groups[].extents[].member] | unique | tojson' '[0,1,2,3,4,5]'
	mkdir 0 1
	for slot in 0 1 2 3 4 5; do
		ln "m$slot.img" "$((slot / 3))/"
	done
	pgctl get 0 data -o - 2>/dev/null | cmp - data
	pgctl get 1 data -o - 2>/dev/null | cmp - data
	# Without the label copies do share an assembly: the test would see it.
	mkdir free && cd free
	nodes 6 2
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l mirror
	expect_exit 0 pgctl put m0.img data
	read_map
	assert_json '[.groups[].extents | [.[] | .member / 3 | floor] | unique | length] | any(. == 1)'
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Mirrors, row by row of docs/CLAIMS.tsv: R51 unmirrored items, R61 logical copies, R62 even use, R68 several
# copies.
# shellcheck disable=SC2016,SC2154  # $x in single quotes is jq's; helper.bash sets document and stderr

bats_require_minimum_version 1.5.0
load helper

setup()
{
	pgctl_setup
	export PYTHONPATH=$BATS_TEST_DIRNAME PYTHONDONTWRITEBYTECODE=1
}

make_array()
{
	local count=$1

	shift
	make_members "$count" 32M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l mirror "$@"
	random_file data 1500001
}

read_map()
{
	run_json map m0.img
	printf '%s\n' "$document" >map.json
}

@test "R51 an item may be put unmirrored: one copy, the mirrored ones beside it have two" {
	make_array 4
	expect_exit 0 pgctl put m0.img data --as safe
	expect_exit 0 pgctl put m0.img data --as third --unmirrored
	read_map
	python3 - <<-'END'
		from rows import Map
		array = Map()
		safe, third = array.groups_of("safe"), array.groups_of("third")
		assert {group.layout for group in safe} == {"mirror"}
		assert {group.columns for group in safe} == {2}
		assert {group.layout for group in third} == {"plain"}
		assert {group.columns for group in third} == {1}
		assert not set(safe) & set(third)
	END
	run_json status m0.img
	assert_json '[.volumes[] | [.name, .layout, .copies]] | tojson' \
		'[["safe","mirror",2],["third","plain",1]]'
	pgctl get m0.img third -o - | cmp - data
	expect_exit 16 pgctl put m0.img data --as other --unmirrored -l mirror
}

@test "R51 with its member the unmirrored item is lost, with a clear error; mirrored ones are not" {
	local slot volume

	make_array 4
	expect_exit 0 pgctl put m0.img data --as safe
	for volume in a b c d; do
		head -c 200000 data >part
		expect_exit 0 pgctl put m0.img part --as "$volume" --unmirrored
	done
	read_map
	mkdir away
	for slot in 0 1 2 3; do
		mv "m$slot.img" away
		pgctl get . safe -o - -q | cmp - data
		for volume in a b c d; do
			if jq -e --argjson slot "$slot" --arg name "$volume" '[.volumes[] |
				select(.name == $name) | .spans[].extents[]] as $ids | any(.groups[].extents[];
				.member == $slot and (.id | IN($ids[])))' map.json >/dev/null; then
				run_json get . "$volume" -o out
				assert_json '[.exit, .error.code] | tojson' '[4,"data-lost"]'
				assert_json '.lost[0] | [.volume, .offset, .length] | tojson' \
					"[\"$volume\",0,200000]"
				[ ! -e out ]
				echo "$slot $volume" >>lost
			else
				pgctl get . "$volume" -o - -q | cmp - part
			fi
		done
		mv "away/m$slot.img" .
	done
	# Each of the four was lost with just one member.
	[ "$(wc -l <lost)" = 4 ]
}

@test "R61 copies lie at different places of their members and have equal content" {
	make_array 3 --copies 2
	for name in a b c; do
		expect_exit 0 pgctl put m0.img data --as "$name"
	done
	read_map
	assert_json '.groups | length >= 9' true \
		'[.groups[] | [.extents[].start] | length == (unique | length)] | all' true
	expect_exit 0 "$BATS_TEST_DIRNAME/rows.py" map.json
	# The bytes of the volume are there, as they are, in both.
	python3 - <<-'END'
		from rows import Map
		array, at = Map(), 0
		with open("data", "rb") as file:
		    data = file.read()
		for group in array.groups_of("b"):
		    part = data[at:at + group.length].ljust(group.length, b"\0")
		    for column in (0, 1):
		        assert group.read(column) == int.from_bytes(part, "little")
		    at += group.length
		assert at >= len(data)
	END
	# And a copy that differs is told by the same script.
	flip_byte "m$(json '.groups[0].extents[1].member').img" "$(json '.groups[0].extents[1].start + 99')"
	expect_exit 1 "$BATS_TEST_DIRNAME/rows.py" map.json
	[ "$output" = "group 1 copy 1" ]
}

@test "R61 a mirror needs no member as large as the other" {
	truncate -s 16M m0.img
	truncate -s 24M m1.img
	truncate -s 40M m2.img
	expect_exit 0 pgctl create tank m0.img m1.img m2.img -l mirror
	run_json status m0.img
	# A place for two copies of everything: half of all, as the largest is no larger than the others.
	assert_json '.capacity | .usable * 2 > .raw * 9 / 10'
	random_file data "$(json .capacity.usable)"
	expect_exit 0 pgctl put m0.img data
	read_map
	expect_exit 0 "$BATS_TEST_DIRNAME/rows.py" map.json
	assert_json '[.groups[] | [.extents[].member] | unique | length] | unique == [2]'
}

# items COUNT: an archive of so many small files of different content
items()
{
	python3 - "$1" <<-'END'
		import io, sys, tarfile
		with tarfile.open("items.tar", "w") as tar:
		    for i in range(int(sys.argv[1])):
		        data = b"item %d\n" % i * (1 + i % 50)
		        entry = tarfile.TarInfo(f"item-{i:04}")
		        entry.size = len(data)
		        tar.addfile(entry, io.BytesIO(data))
	END
}

@test "R62 items are spread evenly: the use of the members differs by one frame at most" {
	make_array 6
	items 40
	expect_exit 0 pgctl put m0.img --tar items.tar
	run_json status m0.img
	assert_json '.volumes | length' 40 \
		'[.members[].used] | max - min <= 274432' true \
		'[.members[].used] | add' "$((2 * 40 * 274432))"
}

# bats test_tags=slow
@test "R62 the same for 1000 items on 6 members" {
	make_members 6 128M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l mirror
	items 1000
	expect_exit 0 pgctl put m0.img --tar items.tar -q
	run_json status m0.img
	assert_json '.volumes | length' 1000 \
		'[.members[].used] | max - min <= 274432' true \
		'[.members[].used] | add' "$((2 * 1000 * 274432))"
	pgctl get m0.img item-0999 -o - | cmp - <(tar -xOf items.tar item-0999)
}

@test "R68 of three copies any two members may be lost, every pair tried" {
	local first second

	make_array 5 --copies 3 --topology multi
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl put m0.img data --as again
	read_map
	assert_json '[.groups[] | [.extents[].member] | unique | length] | unique == [3]'
	expect_exit 0 "$BATS_TEST_DIRNAME/rows.py" map.json
	mkdir away
	for first in 0 1 2 3 4; do
		for ((second = first + 1; second < 5; second++)); do
			mv "m$first.img" "m$second.img" away
			pgctl get . data -o - -q | cmp - data
			mv away/*.img .
		done
	done
	# Not so with two copies: the test would see it.
	expect_exit 0 pgctl put m0.img data --as two -l mirror --copies 2
	run_json map m0.img
	json '.volumes[] | select(.name == "two") | .spans[0].extents[0] as $id | $id' >id
	json ".groups[] | select(any(.extents[]; .id == $(cat id))) | .extents[].member" >pair
	while read -r first; do
		mv "m$first.img" away
	done <pair
	expect_exit 4 pgctl get . two -o -
	pgctl get . data -o - -q | cmp - data
}

# Which members the groups of $1 lie on, primary first.
group_members()
{
	"$PGCTL" map "$1" --json | jq -c '[.groups[] | [.extents[].member]] | unique'
}

@test "R67 ring: first segments of each member are mirrored on the next one" {
	make_members 4 8M
	random_file data 2000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l mirror --topology ring
	expect_exit 0 pgctl put m0.img data
	[ "$(group_members m0.img)" = '[[0,1],[1,2],[2,3],[3,0]]' ] || fail_with "$(group_members m0.img)"
}

@test "R66 pairs: partners hold each other's copies; three copies are refused" {
	make_members 4 8M
	random_file data 2000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l mirror --topology pairs
	expect_exit 0 pgctl put m0.img data
	[ "$(group_members m0.img)" = '[[0,1],[1,0],[2,3],[3,2]]' ] || fail_with "$(group_members m0.img)"
	expect_exit 16 pgctl put m0.img data --as three -l mirror --copies 3
	assert_has "topology pairs is for 2 copies" "$stderr"
}

@test "R73 cross: every copy lies in the other set, either of which may be lost" {
	make_members 4 8M
	random_file data 2000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 64K -l mirror --topology cross --across node \
		--label m0.img:node=a --label m1.img:node=a --label m2.img:node=b --label m3.img:node=b
	expect_exit 0 pgctl put m0.img data
	mkdir a b
	ln m0.img m1.img a/
	ln m2.img m3.img b/
	pgctl get a data -o - 2>/dev/null | cmp - data
	pgctl get b data -o - 2>/dev/null | cmp - data
	run_json survive m0.img --by node
	assert_json '[.losses[].verdict] | unique | join(" ")' no-redundancy
}

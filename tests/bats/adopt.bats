#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl adopt: an array of Linux MD becomes ours where it lies, is given back byte by byte, or is ours for good.
#
# Arrays are made by `create --format`; those of a real kernel, the crashes and the migration are in tests/md/adopt.py.
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

bats_require_minimum_version 1.5.0
load helper

# A mirror whose members hold the same random bytes: $content is their sum, $before that of the members.
make_mirror()
{
	local format=${1:-md-1.2}

	expect_exit 0 pgctl create box --format "$format" --level 1 --size 3M m0.img m1.img
	random_file noise 1M
	dd if=noise of=m0.img bs=64K seek=18 conv=notrunc status=none
	dd if=noise of=m1.img bs=64K seek=18 conv=notrunc status=none
	expect_exit 0 pgctl get m0.img data -o content
	content=$(sha content)
	before=$(sums)
}

sums()
{
	cat m?.img | sha -
}

get_is_content()
{
	[ "$(pgctl get m0.img box -o - "$@" 2>/dev/null | sha -)" = "$content" ]
}

@test "an adopted array is one of ours, with the same bytes; undo gives back every byte of its members" {
	make_mirror
	run_json adopt m0.img m1.img
	assert_json '[.schema, .array.state, .array.name] | join(" ")' "pgctl.adopt/1 reversible box"
	get_is_content
	run_json status .
	assert_json '[.array.adoption, .problems[0].code, .problems[0].try] | join(" ")' \
		"reversible not-committed pgctl adopt --commit . keeps it; pgctl adopt --undo . gives it back"
	run_json list .
	assert_json '[.arrays[] | .name, .members, .adoption] == ["box", 2, "reversible"]'
	run_json inspect m0.img
	assert_json '[.found[] | .type, .details.faults[0]] == ["pgctl", null, "pgctl-adoption", null,
		"md", "feature_map: marked as adopted by pgctl"]'
	expect_exit 8 pgctl adopt m0.img
	assert_has "adopted already" "$stderr"
	run_json adopt --undo m1.img
	assert_json '[.array.state, (.absent | length), (.members | length)] == ["undone", 0, 2]'
	[ "$(sums)" = "$before" ]
	expect_exit 8 pgctl adopt --undo m0.img
	assert_has "nothing to undo" "$stderr"
}

@test "until it is committed whatever undo would lose is refused; commit asks, and is for good" {
	make_mirror md-1.1
	expect_exit 0 pgctl adopt . --name mine
	adopted=$(sums)
	truncate -s 4M new.img
	expect_exit 16 pgctl add m0.img new.img
	assert_has "pgctl adopt --commit" "$stderr"
	expect_exit 16 pgctl migrate m0.img box --layout mirror
	expect_exit 16 pgctl adopt --commit m0.img
	assert_has "--yes" "$stderr"
	[ "$(sums)" = "$adopted" ]
	run_json adopt --commit m0.img --yes
	assert_json '[.array.state, .array.name] | join(" ")' "committed mine"
	get_is_content
	run_json status .
	assert_json '[.array.adoption, .problems[0].code] | join(" ")' "committed no-seals"
	expect_exit 8 pgctl adopt --undo m0.img
	assert_has "committed" "$stderr"
}

# bats test_tags=slow
@test "a plan and an overlay leave the members as they are" {
	make_mirror
	run_json adopt m0.img --plan
	assert_json '[.plan, ([.ranges[].role] | unique | join(","))] | map(tostring) | join(" ")' \
		"true log,map,md super,record,super"
	assert_json '[.ranges[] | .offset + .length <= 1048576] | all'
	expect_exit 0 pgctl adopt m0.img --overlay side
	get_is_content --overlay side
	expect_exit 0 pgctl adopt --undo m0.img --overlay side --plan
	[ "$(sums)" = "$before" ]
	expect_exit 0 pgctl adopt m0.img
	expect_exit 0 pgctl adopt --undo m0.img --plan
	get_is_content
	expect_exit 16 pgctl put m0.img noise
	expect_exit 0 pgctl scrub m1.img
	chmod 0444 m1.img
	expect_exit 8 pgctl adopt --undo m0.img
	assert_has "write-protected" "$stderr"
	get_is_content
	chmod 0644 m1.img
	expect_exit 0 pgctl adopt --commit m0.img --yes
	run_json inspect m0.img
	assert_json '[.found[].type] | join(" ")' "pgctl md"
}

@test "what cannot be adopted is named with the way out, and nothing is written" {
	mkdir old spare few other
	(cd old && make_mirror md-1.0)
	before=$(cat old/m?.img | sha -)
	expect_exit 16 pgctl adopt old/m0.img
	assert_has "metadata 1.0" "$stderr"
	assert_has "pgctl get" "$stderr"
	expect_exit 0 pgctl create box --format md-1.2 --level 1 --size 3M --spare spare/s.img spare/m0.img spare/m1.img
	expect_exit 8 pgctl adopt spare/m0.img
	assert_has "spare/s.img: spare" "$stderr"
	expect_exit 0 pgctl create box --format md-1.2 --level 5 -c 16K --size 3M few/m0.img missing few/m2.img
	expect_exit 4 pgctl adopt few/
	assert_has "slot 1" "$stderr"
	expect_exit 0 pgctl create tank --size 4M other/a.img other/b.img
	expect_exit 8 pgctl adopt other/a.img
	assert_has "one of ours" "$stderr"
	expect_exit 8 pgctl adopt --undo other/a.img
	expect_exit 8 pgctl adopt --commit spare/m0.img
	expect_exit 16 pgctl adopt --undo --commit other/a.img
	[ "$(cat old/m?.img | sha -)" = "$before" ]
}

# bats test_tags=slow
@test "what lies in the place of the record is given up by --force only" {
	make_mirror
	printf 'left by somebody' | dd of=m1.img bs=1 seek=196700 conv=notrunc status=none
	before=$(sums)
	expect_exit 8 pgctl adopt m0.img
	assert_has "bytes 196608 to 200704" "$stderr"
	assert_has "--force" "$stderr"
	[ "$(sums)" = "$before" ]
	# What is in the way of superblocks, map and log is kept.
	printf 'and this' | dd of=m0.img bs=1 seek=70000 conv=notrunc status=none
	printf 'and that' | dd of=m1.img bs=1 seek=500000 conv=notrunc status=none
	mkdir away
	cp m0.img away
	expect_exit 0 pgctl adopt m0.img --force
	get_is_content
	expect_exit 0 pgctl adopt --undo m0.img
	cmp m0.img away/m0.img
	printf '%16s' '' | tr ' ' '\0' >zeros
	cmp -i 196700:0 -n 16 m1.img zeros
	cmp -i 500000:0 -n 8 m1.img <(printf 'and that')
}

# bats test_tags=slow
@test "a half adopted array is refused with both ways on; undo works from any members, one after the other" {
	make_mirror
	# Dead at writes in the middle: records are there, and ours in part.
	for at in 12 20 24; do
		pgctl adopt m0.img --fault "crash,at=$at" 2>/dev/null && fail_with "it did not die"
		capture pgctl get m0.img data -o -
		if [ "$status" != 0 ]; then assert_has "pgctl adopt --undo" "$stderr"; fi
		capture pgctl adopt --undo m0.img
		[ "$(sums)" = "$before" ]
	done
	expect_exit 0 pgctl adopt m0.img
	mkdir away
	mv m1.img away
	get_is_content
	run_json adopt --undo m0.img
	assert_json '[.absent[] | tostring] | join(" ")' 1
	mv away/m1.img .
	# To the one that was away nobody has said so: it is the adopted array still.
	[ "$(pgctl get m1.img box -o - 2>/dev/null | sha -)" = "$content" ]
	run_json adopt --undo .
	assert_json '[(.absent | length), .members[0].slot] == [0, 1]'
	[ "$(sums)" = "$before" ]
	get_is_content
}

# bats test_tags=slow
@test "adopted and given back: every clean array of a real kernel" {
	need_fixtures
	expect_exit 0 python3 "$MD/adopt.py" cycle "$FIXTURES"
	assert_has ", 0 failed" "$output"
}

# bats test_tags=slow
@test "adopt: every other array of a real kernel is refused and not touched" {
	need_fixtures
	expect_exit 0 python3 "$MD/adopt.py" refuse "$FIXTURES"
	assert_has ", 0 failed" "$output"
}

# bats test_tags=slow
@test "adopt: dead at any of its writes, and in any of undo's, everything can be given back" {
	need_fixtures
	expect_exit 0 python3 "$MD/adopt.py" crash "$FIXTURES" raid1-1.2-n2 raid4-1.1-n3-c4
	assert_has "2 passed, 0 failed" "$output"
}

# bats test_tags=slow
@test "adopt: committed and migrated, killed on the way, it has all data and a seal for every block" {
	need_fixtures
	expect_exit 0 python3 "$MD/adopt.py" migrate "$FIXTURES" raid5-ls-1.2-n4-c64 raid6-ls-1.2-n5-c64 \
		raid1-1.2-n2 raid10-n2-1.2-n4-c64
	assert_has "4 passed, 0 failed" "$output"
}

# bats test_tags=slow
@test "migrate of an adopted array: a row that nobody can read makes no room, is told, and is done when it can be read" {
	local volume=raid5-ls-1.2-n4-c64 row=$((0x100000 + 111 * 0x10000)) bad=()

	need_fixtures
	tar -xJf "$FIXTURES/$volume.tar.xz"
	expect_exit 0 pgctl get . "$volume" -o content
	expect_exit 0 pgctl adopt .
	expect_exit 0 pgctl adopt --commit . --yes
	expect_exit 0 pgctl add . m4.img --size 12M
	for member in 0 1; do
		bad+=(--fault "read-error,member=$member,count=0,range=$row-$((row + 4096))")
	done
	run_json migrate . "$volume" --layout parity "${bad[@]}"
	assert_json '[.exit, (.lost | length), .lost[0].length] == [4, 1, 4096]'
	run_json migrate . "$volume" --layout parity --resume
	assert_json '[.exit, (.lost | length)] == [0, 0]'
	expect_exit 0 pgctl get . "$volume" -o after
	cmp content after
	expect_exit 0 pgctl scrub .
}

# bats test_tags=slow
@test "migrate of an adopted array: spans over forty groups are cut for a batch" {
	local members=(m{10..49}.img)

	expect_exit 0 pgctl create box --format md-1.2 --level 0 --chunk 64K --size 1G "${members[@]}"
	expect_exit 0 pgctl adopt .
	expect_exit 0 pgctl adopt --commit . --yes
	expect_exit 0 pgctl add . a.img b.img c.img d.img --size 8G
	run_json migrate . box --layout parity --width 4 --plan
	assert_json '[.exit, .groups_after > 40] == [0, true]'
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl --overlay, overlay diff, commit and discard: members are only read until a commit.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

# Four members with a volume of each layout, write-protected.
make_array()
{
	mkdir -p a
	expect_exit 0 pgctl create tank --size 16M a/m0.img a/m1.img a/m2.img a/m3.img
	random_file data 1M
	expect_exit 0 pgctl put a data --as par
	expect_exit 0 pgctl put a data --as mir -l mirror
	chmod 0444 a/*
	cksum a/* >sums
}

assert_unchanged()
{
	assert_sums sums
	[ "$(find a -type f | wc -l)" = "$(wc -l <sums)" ]
}

assert_data() # ARRAY [OPTION…]
{
	for name in par mir; do
		pgctl get "$1" "$name" -o - "${@:2}" | cmp - data
	done
	expect_exit 0 pgctl scrub "$@"
	expect_exit 0 pgctl check "$@"
}

# The writes of a trace as merged ranges, and those of the last document: PATH or SLOT, offset, length.
ranges()
{
	python3 - "$@" <<-'EOF2'
		import json, sys
		blocks = set()
		if sys.argv[1] == "trace":
		    for line in open(sys.argv[2]):
		        op = json.loads(line)
		        if op["op"] in ("write", "zero") and op["result"] == 0:
		            blocks |= {(op["member"], at) for at in
		                       range(op["offset"], op["offset"] + op["length"], 4096)}
		else:
		    for row in json.load(open(sys.argv[2]))["ranges"]:
		        blocks |= {(row["member"], at) for at in
		                   range(row["offset"], row["offset"] + row["length"], 4096)}
		# What becomes member 1 has no number when it is emptied, and is 4 until the job ends.
		number = {None: 1, 4: 1}
		for member, at in sorted({(number.get(member, member), at) for member, at in blocks}):
		    print(member, at)
	EOF2
}

@test "overlay: a rebuild of write-protected members leaves them as they are, and the next command sees it" {
	make_array
	rm a/m1.img
	cksum a/* >sums
	run_json rebuild a 1 --to a/new.img --overlay o
	assert_json .health healthy
	assert_unchanged
	assert_data a --overlay o
	run_json status a --overlay o
	assert_json .array.health healthy \
		'.members[] | select(.slot == 1) | .path' a/new.img
	run_json status a
	assert_json .array.health degraded
	assert_unchanged
	run_json status a/new.img --overlay o
	assert_json .array.health healthy
	run_json inspect a/new.img --overlay o
	assert_json '.found[0].type' pgctl
}

@test "overlay: diff is the write list of the trace, with the role of each range" {
	make_array
	mv a/m1.img away.img
	expect_exit 0 pgctl rebuild a 1 --to a/new.img --overlay o --trace t1
	expect_exit 0 pgctl put a data --as more --overlay o --trace t2
	cat t1 t2 >trace
	run_json overlay diff o
	printf '%s\n' "$document" >listed
	ranges trace trace >want
	ranges list listed >got
	[ -s want ]
	cmp want got
	assert_json '[.ranges[].role] | unique | contains(["data", "map", "parity", "super"])' true \
		'([.ranges[].length] | add) == .bytes' true
	run_json overlay commit o --plan
	assert_json ".bytes == $(wc -l <want) * 4096"
	[ ! -e a/new.img ]
}

# bats test_tags=slow
@test "overlay: create, put and scrub of members that do not exist write to the overlay alone, until a commit" {
	mkdir a
	expect_exit 0 pgctl create tank --size 8M a/m0.img a/m1.img a/m2.img --overlay o
	random_file data 1M
	expect_exit 0 pgctl put a data --as par --overlay o
	expect_exit 0 pgctl put a/m0.img data --as mir -l mirror --overlay o
	[ -z "$(ls a)" ]
	assert_data a --overlay o
	run_json list a --overlay o
	assert_json '.arrays[0].members' 3
	expect_exit 0 pgctl overlay commit o
	[ ! -e o ]
	[ "$(stat -c '%s %a' a/m0.img)" = '8388608 600' ]
	assert_data a
}

@test "overlay: a create that fails leaves nothing in it" {
	mkdir a
	head -c 4K /dev/zero >a/small
	expect_exit 16 pgctl create tank a/m0.img a/m1.img a/small --size 8M --overlay o
	[ -z "$(ls o)" ]
	expect_exit 0 pgctl create tank a/m0.img a/m1.img a/m2.img --size 8M --overlay o
}

@test "overlay: commit gives what the rebuild itself would have given" {
	make_array
	rm a/m1.img
	cp -a a b
	chmod u+w a/* b/*
	expect_exit 0 pgctl rebuild a 1 --to a/new.img --overlay o
	expect_exit 0 pgctl rebuild b 1 --to b/new.img
	run_json overlay commit o
	assert_json '[.members[] | select(.new)] | length' 1
	[ ! -e o ]
	assert_data a
	assert_data b
	# Superblocks, map and log have their own epoch, uuid and time; every extent is the same, byte for byte.
	run_json map b
	# shellcheck disable=SC2016  # jq's variables
	json '(.members | map({(.slot | tostring): .path}) | add) as $path | .groups[].extents[] |
		"\($path[.member | tostring] | ltrimstr("b/")) \(.start) \(.length)"' >extents
	[ -s extents ]
	while read -r name start length; do
		cmp -n "$length" -i "$start" "a/$name" "b/$name"
	done <extents
}

# The overlay of a rebuild is committed with a crash at write N, for every N, then again.
commit_killed_at() # N [OPTION]
{
	rm -rf a o
	cp -a start/a a
	cp -a start/o o
	expect_exit 137 pgctl overlay commit o --fault "crash,at=$1${2-}"
	expect_exit 8 pgctl status a --overlay o
	assert_has "pgctl overlay commit o" "$stderr"
	expect_exit 8 pgctl overlay discard o --yes
	expect_exit 0 pgctl overlay commit o
	[ ! -e o ]
	(cd a && cksum -- *) | cmp - committed
}

@test "overlay: a commit killed at its writes is done again, with the same result" {
	make_array
	rm a/m1.img
	chmod u+w a/*
	expect_exit 0 pgctl rebuild a 1 --to a/new.img --overlay o
	mkdir start
	cp -a a o start
	expect_exit 0 pgctl overlay commit o --trace trace
	(cd a && cksum -- *) >committed
	writes=$(jq -s 'map(select(.op != "read")) | length' trace)
	[ "$writes" -gt 10 ]
	commit_killed_at $((writes / 2)) ,torn
	assert_data a
}

# bats test_tags=slow
@test "overlay: a commit killed at each of its writes is done again, with the same result" {
	make_array
	rm a/m1.img
	chmod u+w a/*
	expect_exit 0 pgctl rebuild a 1 --to a/new.img --overlay o
	mkdir start
	cp -a a o start
	expect_exit 0 pgctl overlay commit o --trace trace
	(cd a && cksum -- *) >committed
	writes=$(jq -s 'map(select(.op != "read")) | length' trace)
	for ((at = 1; at <= writes; at++)); do
		commit_killed_at "$at" ,torn
	done
}

@test "overlay: a member that was written to since is refused, and so is a half-committed one that was used" {
	make_array
	chmod u+w a/*
	expect_exit 0 pgctl put a data --as more --overlay o
	cp -a a o "$BATS_FILE_TMPDIR"
	expect_exit 0 pgctl volume remove a mir --yes
	cksum a/* >sums
	expect_exit 8 pgctl status a --overlay o
	assert_has "was written to since its overlay" "$stderr"
	expect_exit 8 pgctl overlay commit o
	assert_unchanged
	touch -r "$BATS_FILE_TMPDIR/a/m0.img" a/m?.img # told by its bytes as well
	for i in 0 1 2 3; do touch -r "$BATS_FILE_TMPDIR/a/m$i.img" "a/m$i.img"; done
	expect_exit 8 pgctl overlay commit o
	assert_has "changed since its overlay" "$stderr"
	assert_unchanged
	# The same in the middle of a commit.
	rm -rf a o
	cp -a "$BATS_FILE_TMPDIR"/{a,o} .
	expect_exit 137 pgctl overlay commit o --fault crash,at=4
	expect_exit 0 pgctl volume remove a mir --yes
	expect_exit 8 pgctl overlay commit o
	assert_has "changed since its overlay" "$stderr"
	expect_exit 8 pgctl overlay discard o --yes
	assert_has "--force" "$stderr"
	expect_exit 0 pgctl overlay discard o --yes --force
	[ ! -e o ]
}

@test "overlay: discard leaves the members, also with a damaged overlay, and asks before" {
	make_array
	expect_exit 0 pgctl put a data --as more --overlay o
	expect_exit 16 pgctl overlay discard o
	flip_byte o/m0.img.overlay 20
	expect_exit 8 pgctl status a --overlay o
	assert_has "m0.img.overlay" "$stderr"
	expect_exit 0 pgctl overlay discard o --yes
	[ ! -e o ]
	assert_unchanged
	assert_data a
	expect_exit 16 pgctl overlay diff o
}

@test "overlay: one process at a time uses a directory, and the second is told which one does" {
	make_array
	mkdir o
	flock o sleep 60 3>&- &
	holder=$!
	while ! grep -q "FLOCK.*WRITE $holder " /proc/locks; do sleep 0.05; done
	expect_exit 8 pgctl status a --overlay o
	assert_has "process $holder" "$stderr"
	kill "$holder"
}

@test "overlay: what cannot be kept in it is refused, and a commit of protected members" {
	make_array
	expect_exit 16 pgctl fault add a --member 0 --kind bad --overlay o
	expect_exit 16 pgctl fault add a --member 0 --kind resize --size 1M --overlay o
	expect_exit 0 pgctl fault add a --member 0 --kind flip --count 3 --seed 4 --overlay o
	expect_exit 4 pgctl scrub a --overlay o
	expect_exit 1 pgctl scrub a --repair --overlay o
	assert_unchanged
	expect_exit 8 pgctl overlay commit o
	assert_has "chmod u+w" "$stderr"
	assert_unchanged
	expect_exit 16 pgctl overlay diff o --overlay p
}

# bats test_tags=slow
@test "overlay: whatever kills a commit of a rebuild and a put, the array is the old one or the new one" {
	make_array
	chmod u+w a/*
	rm a/m1.img
	expect_exit 0 pgctl rebuild a 1 --to a/new.img --overlay o
	expect_exit 0 pgctl put a data --as new --overlay o
	mkdir start
	cp -a a o start
	expect_exit 0 pgctl overlay commit o --trace trace
	writes=$(jq -s 'map(select(.op != "read")) | length' trace)
	seen=0
	for ((at = 1; at <= writes; at++)); do
		rm -rf a o
		cp -a start/a start/o .
		expect_exit 137 pgctl overlay commit o --fault "crash,at=$at,torn"
		pgctl get a par -o - -q | cmp - data
		pgctl get a mir -o - -q | cmp - data
		run_json volume list a
		if [ "$(json '.volumes | length')" = 3 ]; then
			pgctl get a new -o - -q | cmp - data
			seen=$((seen + 1))
		fi
	done
	[ "$seen" -gt 0 ] && [ "$seen" -lt "$writes" ]
}

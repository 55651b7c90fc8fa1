#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Faults from the command line: --fault for one command, and what `fault add` does to images as wholes. What the
# devices do is tests/unit/test_dev_wrap.c's and test_dev_power.c's; here, that the words reach them, and that
# the array bears one of each kind.
# shellcheck disable=SC2154  # helper.bash sets stderr and document

bats_require_minimum_version 1.5.0
load helper

make_array()
{
	make_members 5 8M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l parity -p 1 --width 5 --extent 256K "$@"
	random_file volume 1000000 1
	expect_exit 0 pgctl put m0.img volume
	run_json map m0.img
	EXTENTS=$(json '[.groups[].extents[].start] | min')-8M # behind superblocks, map and log
	random_file bytes 100000 2
	cp volume model
	dd if=bytes of=model bs=1M seek=5000 oflag=seek_bytes conv=notrunc status=none
}

# bears SPEC: a write under this fault ends well, the volume is as it should be, also after a repair
bears()
{
	expect_exit 0 pgctl write m0.img volume --offset 5000 --fault "$1" <bytes
	expect_exit 0 pgctl get m0.img volume -o got
	cmp got model
	run --separate-stderr "$PGCTL" scrub m0.img --repair
	case $status in 0 | 1 | 64 | 65) ;; *) fail_with "scrub after $1" ;; esac
	expect_exit 0 pgctl get m0.img volume -o got --force
	cmp got model
}

# What was damaged is found and mended; the volume is FILE then.
found_and_repaired()
{
	expect_exit 4 pgctl scrub m0.img
	expect_exit 1 pgctl scrub m0.img --repair
	expect_exit 0 pgctl get m0.img volume -o got --force
	cmp got "$1"
}

@test "fault read-error while writing: the block is rebuilt" {
	make_array
	bears "read-error,member=1,at=4,count=1,range=$EXTENTS"
}

@test "fault write-error while writing: the member is failed, the data stand" {
	make_array
	bears "write-error,member=1,at=4"
	run_json status m0.img
	assert_json '.members[1].state' failed
}

@test "fault flush-error while writing: final, the member is failed" {
	make_array
	bears "flush-error,member=1,at=2"
	run_json status m0.img
	assert_json '.members[1].state' failed
}

@test "fault short while writing: as a write error" {
	make_array
	bears "short,member=1,at=1,range=$EXTENTS"
}

@test "fault disconnect while writing: the array goes on without it" {
	make_array
	bears "disconnect,member=1,at=1,range=$EXTENTS"
}

@test "fault hang: an error in the end, the array goes on without it" {
	make_array
	bears "hang,member=1,at=1,delay=50,range=$EXTENTS"
}

# bats test_tags=slow
@test "fault hang: a member that gives no answer in time is failed and not asked again" {
	make_array
	SECONDS=0
	expect_exit 0 pgctl write m0.img volume --offset 5000 --member-timeout 1 <bytes \
		--fault "hang,member=1,at=1,count=0,delay=60000,range=$EXTENTS"
	[ "$SECONDS" -lt 30 ]
	[[ $stderr == *"member 1 (m1.img) failed (timeout)"* ]]
	run_json status m0.img
	assert_json '.members[1].state' failed
	expect_exit 0 pgctl get m0.img volume -o got
	cmp got model
	expect_exit 16 pgctl get m0.img volume -o got --force --member-timeout 86401
}

@test "fault latency: slower, nothing else" {
	make_array
	bears "latency,member=1,at=1,count=3,delay=50,range=$EXTENTS"
	run_json status m0.img
	assert_json .array.health healthy
}

@test "fault flip-write: found and repaired" {
	make_array
	expect_exit 0 pgctl write m0.img volume --offset 5000 --fault "flip-write,member=1,at=1,range=$EXTENTS,seed=5" <bytes
	found_and_repaired model
}

@test "fault lost-write: found by generation, and repaired" {
	make_array
	run_json map m0.img volume:8192
	lba=$(json '.blocks[0].lba')
	member=$(json '.blocks[0].member')
	expect_exit 0 pgctl write m0.img volume --offset 5000 <bytes \
		--fault "lost-write,member=$member,count=0,range=$lba-$((lba + 4096))"
	found_and_repaired model
}

@test "fault torn-write and misdirected-write: found and repaired" {
	for kind in torn-write misdirected-write; do
		rm -f m*.img
		make_array
		expect_exit 0 pgctl write m0.img volume --offset 5000 <bytes \
			--fault "$kind,member=1,range=$EXTENTS,shift=4K"
		found_and_repaired model
	done
}

@test "fault flip-read, stale-read and misdirected-read: reads are corrected" {
	make_array
	for kind in flip-read misdirected-read; do
		expect_exit 0 pgctl get m0.img volume -o got --force --fault "$kind,member=1,count=0,range=$EXTENTS"
		cmp got volume
		assert_has reconstructed "$stderr"
	done
	expect_exit 0 pgctl write m0.img volume --offset 5000 --fault "stale-read,member=1,count=0,range=$EXTENTS" <bytes
	expect_exit 0 pgctl get m0.img volume -o got --force
	cmp got model
}

@test "fault no-space: the write fails, the member stays, and it goes on when there is room" {
	make_array
	expect_exit 8 pgctl write m0.img volume --offset 5000 --fault "no-space,member=1,at=1,count=0,range=$EXTENTS" <bytes
	assert_has "space" "$stderr"
	run_json status m0.img
	assert_json '.members[1].state' online
	expect_exit 0 pgctl write m0.img volume --offset 5000 <bytes
	expect_exit 0 pgctl get m0.img volume -o got --force
	cmp got model
	expect_exit 0 pgctl scrub m0.img
}

@test "fault lying-flush: what one member lost is found and repaired" {
	make_array
	expect_exit 0 pgctl write m0.img volume --offset 5000 --fault lying-flush,member=1 <bytes
	found_and_repaired model
	expect_exit 0 pgctl scrub m0.img
}

@test "fault: more than the layout bears is an error, and no wrong bytes" {
	make_array
	expect_exit 8 pgctl write m0.img volume --offset 5000 <bytes \
		--fault "write-error,member=1,count=0,range=$EXTENTS" --fault "write-error,member=2,count=0,range=$EXTENTS"
	run --separate-stderr "$PGCTL" get m0.img volume -o got --force
	case $status in 0 | 4) ;; *) fail_with "get" ;; esac
}

@test "fault crash: the process dies as by kill -9, at exactly that write" {
	make_array
	expect_exit 137 pgctl write m0.img volume --fault crash,at=1 <bytes
	expect_exit 137 pgctl write m0.img volume --fault crash,at=2,torn <bytes
	expect_exit 137 pgctl write m0.img volume --fault power-cut,at=9,seed=4 <bytes
	# one more than there are: it ends by itself
	expect_exit 0 pgctl write m0.img volume --fault crash,at=100000 <bytes
}

@test "fault: the same seed makes the same bytes" {
	make_array
	mkdir first
	cp m*.img first/
	for name in a b; do
		cp first/m*.img .
		expect_exit 137 pgctl write m0.img volume --io sync --tasks 1 --fault power-cut,at=14,seed=8 <bytes
		# superblocks and log records hold the time
		for image in m*.img; do tail -c +2M "$image" | cksum; done >"$name"
	done
	cmp a b
}

@test "fault: what cannot be understood is refused by name" {
	make_array
	for bad in wrte-error write-error,at=0 write-error,at=x write-error,member=99 write-error,range=5-4 \
		misdirected-write,shift=100 hang,delay=99999999 write-error,torn crash,member=1 'read-error,,'; do
		expect_exit 16 pgctl write m0.img volume --fault "$bad" <bytes
		assert_has --fault "$stderr"
	done
	assert_has "did you mean write-error" "$(pgctl status m0.img --fault wrte-error 2>&1 || true)"
	expect_exit 16 pgctl write m0.img volume --fault crash,at=1 --fault crash,at=2 <bytes
}

@test "fault add torn: found and repaired" {
	make_array
	expect_exit 0 pgctl fault add m0.img --member 2 --kind torn --count 3 --seed 9
	found_and_repaired volume
}

@test "fault add resize: a shorter image is a truncated member, a longer one is as before" {
	make_array
	expect_exit 0 pgctl fault add m0.img --member 2 --kind resize --size 12M
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 pgctl fault add m0.img --member 2 --kind resize --size 4M
	run_json status m0.img
	assert_json '[.problems[].code] | index("member-truncated") != null'
	expect_exit 0 pgctl get m0.img volume -o got --force
	cmp got volume
	expect_exit 16 pgctl fault add m0.img --member 1 --kind resize
}

@test "fault add clone and rollback: a duplicate is refused, an old state is repaired" {
	make_array
	mkdir away
	expect_exit 0 pgctl fault add m0.img --member 2 --kind clone --file away/old
	cmp m2.img away/old
	expect_exit 16 pgctl fault add m0.img --member 2 --kind clone --file away/old
	expect_exit 0 pgctl fault add m0.img --member 2 --kind clone --file twin.img
	expect_exit 8 pgctl scrub m0.img
	assert_has "same member" "$stderr"
	rm twin.img
	expect_exit 0 pgctl write m0.img volume --offset 5000 <bytes
	expect_exit 0 pgctl fault add m0.img --member 2 --kind rollback --file away/old
	cmp m2.img away/old
	found_and_repaired model
	expect_exit 16 pgctl fault add m0.img --member 2 --kind rollback
}

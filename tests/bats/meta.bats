#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl meta: metadata listed, dumped into an archive, compared and restored.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

make_array()
{
	mkdir -p a
	expect_exit 0 pgctl create tank --size 16M a/m0.img a/m1.img a/m2.img a/m3.img
	random_file data 1M
	expect_exit 0 pgctl put a data --as par
	expect_exit 0 pgctl put a data --as mir -l mirror
}

# Both superblock areas of these files.
wipe()
{
	for file in "$@"; do
		dd if=/dev/zero of="$file" bs=64K seek=1 count=1 conv=notrunc status=none
		dd if=/dev/zero of="$file" bs=64K seek=16 count=1 conv=notrunc status=none
	done
}

@test "meta: superblocks of all members wiped, then restored: the array opens and verifies" {
	make_array
	expect_exit 0 pgctl meta dump a tank.meta
	[ "$(stat -c %s tank.meta)" -lt 10000 ]
	expect_exit 0 pgctl meta diff a tank.meta
	cksum a/* >sums
	wipe a/*
	expect_exit 16 pgctl status a
	cksum a/* >wiped
	expect_exit 4 pgctl meta diff a tank.meta
	run_json meta restore a tank.meta --plan
	assert_json '[.ranges[] | select(.state == "empty") | .role] | unique' '[
  "super"
]'
	assert_json ".bytes == 4 * 131072"
	expect_exit 16 pgctl meta restore a tank.meta
	assert_has "not confirmed" "$stderr"
	assert_sums wiped
	expect_exit 0 pgctl meta restore a tank.meta --yes
	assert_sums sums
	for name in par mir; do
		pgctl get a "$name" -o - | cmp - data
	done
	expect_exit 0 pgctl scrub a
	expect_exit 0 pgctl check a
	expect_exit 0 pgctl meta diff a tank.meta
}

# bats test_tags=slow
@test "meta: a map that is gone as well is restored with the superblocks, and absent members are said" {
	make_array
	expect_exit 0 pgctl meta dump a tank.meta --log
	run_json meta list a
	wipe a/*
	for i in 0 1 2 3; do
		for role in map log; do
			json ".ranges[] | select(.member == $i and .role == \"$role\") | \"\(.offset) \(.length)\"" >place
			read -r offset length <place
			dd if=/dev/zero of="a/m$i.img" bs=4K seek=$((offset / 4096)) count=$((length / 4096)) \
				conv=notrunc status=none
		done
	done
	mv a/m3.img away
	expect_exit 4 pgctl meta restore a tank.meta --yes
	mkdir b
	mv away b/m3.img
	expect_exit 0 pgctl meta restore a tank.meta --yes --member b
	pgctl get a par -o - --member b/m3.img | cmp - data
	expect_exit 0 pgctl scrub a --member b
}

@test "meta: restore refuses what does not fit and writes nothing" {
	make_array
	expect_exit 0 pgctl meta dump a tank.meta
	mkdir b
	expect_exit 0 pgctl create other --size 16M b/m0.img b/m1.img b/m2.img b/m3.img
	cksum b/* >sums
	expect_exit 8 pgctl meta restore b tank.meta --yes
	assert_has "another member" "$stderr"
	wipe b/*
	cksum b/* >sums
	expect_exit 8 pgctl meta restore b tank.meta --yes
	assert_has "its map is not that of the archive" "$stderr"
	truncate -s 0 b/*
	truncate -s 16M b/*
	cksum b/* >sums
	expect_exit 8 pgctl meta restore b tank.meta --yes
	assert_has "none of the extents" "$stderr"
	truncate -s 8M b/m2.img
	expect_exit 8 pgctl meta restore b tank.meta --yes --force
	assert_has "had 16777216" "$stderr"
	truncate -s 16M b/m2.img
	assert_sums sums
	# Newer than the archive.
	expect_exit 0 pgctl volume rename a par other
	cksum a/* >sums
	expect_exit 8 pgctl meta restore a tank.meta --yes
	assert_has "newer" "$stderr"
	for cut in 100 700 1400; do
		head -c "$cut" tank.meta >cut.meta
		expect_exit 8 pgctl meta restore a cut.meta --yes --force
	done
	expect_exit 8 pgctl meta restore a data --yes
	# A member's name that leaves the directory, with the sum put right; a file lies where it leads.
	need zstd
	cp a/m1.img v1.img
	wipe v1.img
	cp v1.img v1.before
	zstd -qdc tank.meta >tank.tar
	python3 - <<-'PY'
		import io, struct, tarfile, zlib
		with tarfile.open("tank.tar") as old, tarfile.open("up.meta", "w") as new:
		    for number, entry in enumerate(old):
		        data = old.extractfile(entry).read()
		        if number == 0:
		            data = data.replace(b"m1.img\0\0\0", b"../v1.img")[:-4]
		            data += struct.pack("<I", zlib.crc32(data))
		        entry = tarfile.TarInfo(entry.name)
		        entry.size = len(data)
		        new.addfile(entry, io.BytesIO(data))
	PY
	expect_exit 8 pgctl meta restore a up.meta --yes --force
	assert_has "no file name of member 1" "$stderr"
	cmp v1.before v1.img
	assert_sums sums
	expect_exit 16 pgctl meta dump a tank.meta
	expect_exit 8 pgctl meta dump a a/m0.img
}

# bats test_tags=slow
@test "meta: a restore in an overlay leaves the members, and rebuild is check --rebuild-map" {
	make_array
	expect_exit 0 pgctl meta dump a tank.meta
	wipe a/*
	cksum a/* >sums
	expect_exit 0 pgctl meta restore a tank.meta --yes --overlay o
	pgctl get a par -o - --overlay o | cmp - data
	assert_sums sums
	run_json overlay diff o
	assert_json '[.ranges[].role] | unique' '[
  "map",
  "super"
]'
	run_json meta rebuild a --plan --overlay o
	assert_json .volumes 2
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl create: what it makes, what it refuses, and that a refusal leaves nothing behind.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

@test "create makes sparse private images of --size and an array of them" {
	run_json create tank --size 32M m0.img m1.img m2.img m3.img
	assert_json .exit 0 \
		.array.name tank \
		'.members | length' 4 \
		'[.members[] | .created] | all' true
	for image in m0.img m1.img m2.img m3.img; do
		[ "$(stat -c %s "$image")" = 33554432 ]
		[ "$(stat -c %a "$image")" = 600 ]
		[ "$(du -k "$image" | cut -f 1)" -lt 4096 ]
	done
	run_json volume list m2.img
	assert_json '.volumes | length' 0
}

@test "create keeps the size of a file that exists" {
	truncate -s 48M m0.img
	run_json create tank --size 32M m0.img m1.img m2.img
	assert_json '[.members[].size] == [50331648, 33554432, 33554432]' true \
		'[.members[].created] == [false, true, true]' true
}

@test "create chooses plain for one member, mirror for two, parity 1 for more" {
	mkdir one two three
	run_json create a --size 32M one/m0.img
	assert_json .array.layout plain
	run_json create b --size 32M two/m0.img two/m1.img
	assert_json .array.layout mirror \
		.array.copies 2
	run_json create c --size 32M three/m0.img three/m1.img three/m2.img
	assert_json .array.layout parity \
		.array.parity 1
}

@test "create keeps spares and labels apart from the others" {
	run_json create tank --size 32M m0.img m1.img m2.img -x s.img --label m0.img:node=a,power=1 \
		--label 1:node=b --across node
	assert_json '[.members[].spare] == [false, false, false, true]'
	run_json status m0.img
	assert_json '.members[0].labels.node' a \
		'.members[0].labels.power' 1 \
		'.members[1].labels.node' b \
		'.members[3].state' spare
}

@test "create refuses what libblkid finds, by name, and --force overwrites it" {
	need mkswap
	truncate -s 32M m0.img m1.img m2.img
	mkswap -q m1.img
	before=$(cksum m1.img)
	expect_exit 8 pgctl create tank m0.img m1.img m2.img
	assert_has "m1.img holds swap" "$stderr"
	assert_has "--force" "$stderr"
	[ "$(cksum m1.img)" = "$before" ]
	run_json create tank m0.img m1.img m2.img --force
	assert_json '.found[0].type' swap \
		'.found[0].member' m1.img
}

@test "create refuses a member of another array, also a newer one, and --force takes it" {
	mkdir a b
	expect_exit 0 pgctl create first --size 32M a/m0.img a/m1.img
	expect_exit 8 pgctl create second --size 32M b/m0.img a/m1.img
	assert_has "a/m1.img is member 1 of array first" "$stderr"
	[ ! -e b/m0.img ]
	expect_exit 0 pgctl create second --size 32M b/m0.img a/m1.img --force
}

@test "create refuses one file under two names" {
	truncate -s 32M m0.img m1.img
	ln m0.img hard.img
	ln -s m0.img soft.img
	for twin in m0.img ./m0.img hard.img soft.img; do
		expect_exit 8 pgctl create tank m0.img m1.img "$twin"
		assert_has "the same file" "$stderr"
	done
	expect_exit 8 pgctl create tank --size 32M n0.img n1.img n0.img
	[ ! -e n0.img ]
}

@test "create refuses what is no image: FIFO, directory, odd size, write-protected" {
	mkfifo fifo
	mkdir directory
	: >empty
	chmod 444 empty
	truncate -s 33554433 odd
	truncate -s 32M locked
	chmod 444 locked
	expect_exit 16 pgctl create tank --size 32M m0.img fifo
	expect_exit 16 pgctl create tank --size 32M m0.img directory
	expect_exit 8 pgctl create tank --size 32M m0.img empty
	expect_exit 16 pgctl create tank --size 32M m0.img odd
	expect_exit 8 pgctl create tank --size 32M m0.img locked
	expect_exit 16 pgctl create tank m0.img m1.img
	assert_has "--size" "$stderr"
	[ ! -e m0.img ]
}

@test "an empty file, as a killed create leaves behind, counts as none where an image is made" {
	: >m1.img
	: >m5.img
	run_json create tank m0.img m1.img m2.img --size 8M -l parity -p 1
	assert_json '[.members[].created] | tojson' '[true,true,true]'
	[ "$(stat -c %s m1.img)" = 8388608 ]
	expect_exit 16 pgctl add m0.img m5.img
	assert_has "is empty" "$stderr"
	expect_exit 0 pgctl add m0.img m5.img --size 8M
	: >m6.img
	expect_exit 0 pgctl replace m0.img 1 m6.img
	exec 9>m7.img
	flock 9
	expect_exit 8 pgctl add m0.img m7.img --size 8M
	[ -f m7.img ]
}

@test "create refuses a file that another process has locked, with its pid" {
	need flock
	truncate -s 32M m1.img
	exec 9<m1.img
	flock 9
	expect_exit 8 pgctl create tank --size 32M m0.img m1.img
	exec 9<&-
	assert_has "m1.img is in use" "$stderr"
	[ ! -e m0.img ]
}

@test "create that fails removes the images it made, and no others" {
	truncate -s 32M old.img
	truncate -s 5000 odd.img
	expect_exit 16 pgctl create tank --size 32M new0.img old.img new1.img odd.img
	[ "$(echo *.img)" = "odd.img old.img" ]
}

@test "create of members that are too small is refused and leaves nothing" {
	expect_exit 16 pgctl create tank --size 1M m0.img m1.img m2.img
	[ "$(echo *.img)" = "*.img" ]
}

@test "create --plan says what would be written, creates and writes nothing" {
	truncate -s 32M m0.img
	before=$(cksum m0.img)
	run_json create tank --size 32M m0.img m1.img m2.img --plan
	assert_json .exit 0 \
		.plan true \
		'.bytes > 0' true \
		'.capacity.usable > 0' true \
		'[.members[].created] == [false, true, true]' true
	[ "$(echo *.img)" = m0.img ]
	[ "$(cksum m0.img)" = "$before" ]
	run_json create tank --size 32M m0.img m1.img m2.img
	assert_json .exit 0
}

@test "create --plan refuses what create would refuse" {
	mkdir a
	expect_exit 0 pgctl create first --size 32M a/m0.img a/m1.img
	expect_exit 8 pgctl create second --size 32M m0.img a/m1.img --plan
	expect_exit 16 pgctl create second --size 32M m0.img m1.img --width 3 -l parity --plan
}

@test "R03 claim 16 taken literally is refused with the segment that would be lost" {
	expect_exit 4 pgctl create tank --size 32M m0.img m1.img m2.img m3.img m4.img -l sequential \
		--literal-claim-16
	assert_has "D[0][0]" "$stderr"
	[ ! -e m0.img ]
	expect_exit 4 pgctl create tank --size 32M m0.img m1.img m2.img m3.img m4.img -l sequential \
		--width 5 --pure-on 2 --literal-claim-16
	assert_has "D[2][2]" "$stderr"
}

@test "R03 --pure-on keeps the pure parity on one column" {
	expect_exit 0 pgctl create tank --size 32M m0.img m1.img m2.img m3.img -l sequential \
		--width 4 --pure-on 2
	random_file data 3M
	expect_exit 0 pgctl put m0.img data
	run_json map m0.img
	assert_json '[.groups[].pure] | unique == [2]'
}

@test "create says of zones that they are a matter of the disks" {
	expect_exit 0 pgctl create tank --size 32M m0.img m1.img m2.img -l mirror --zones static
	assert_has "--zones static takes low addresses as the fast ones" "$stderr"
}

@test "R08 a parity that sequential does not have is refused" {
	expect_exit 16 pgctl create tank --size 32M m0.img m1.img m2.img m3.img -l sequential --parity 2
	assert_has "--parity" "$stderr"
	[ ! -e m0.img ]
}

@test "create refuses options of another layout and values out of bounds" {
	local members=(m0.img m1.img m2.img m3.img)

	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l mirror --chunk 64K
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l parity --copies 2
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l plain --levels 2
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l parity --parity 0
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l parity --parity 4
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l mirror --copies 1
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l parity --width 5
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l parity --chunk 5000
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" -l sequential --width 4 --pure-on 4
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" --label 9:a=b
	expect_exit 16 pgctl create tank --size 32M "${members[@]}" --label m0.img
	expect_exit 16 pgctl create a/b --size 32M "${members[@]}"
	[ ! -e m0.img ]
}

@test "create --extent: small ones on large members too, a power of two, at least 256K" {
	run_json create tank --size 6G m0.img m1.img m2.img --extent 256K --plan
	assert_json .array.extent 262144
	run_json create tank --size 6G m0.img m1.img m2.img --extent 5M --plan
	assert_json .array.extent 8388608
	run_json create tank --size 6G m0.img m1.img m2.img --extent 64K --plan
	assert_json .array.extent 262144
}

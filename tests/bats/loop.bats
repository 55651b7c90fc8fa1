#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Arrays on block devices: the life of an array on loop devices, and the devices that pgctl must not take.
# Only root can make loop devices; each case detaches exactly those that it made, also when it fails.

load helper

READER=$BATS_TEST_DIRNAME/../reader/pgread.py
SIZE=32M # of each device

setup()
{
	pgctl_setup
	[ "$(id -u)" = 0 ] || skip "only root may make loop devices"
	need losetup
	loop_make probe.img
	loop_detach "$DEVICE"
}

teardown()
{
	local device file

	if mountpoint -q "$BATS_TEST_TMPDIR/mnt"; then umount "$BATS_TEST_TMPDIR/mnt"; fi
	[ -e "$BATS_TEST_TMPDIR/loops" ] || return 0
	while read -r device file; do
		if loop_is_mine "$device" "$file"; then losetup --detach "$device"; fi
	done <"$BATS_TEST_TMPDIR/loops"
}

# Does the device still stand on that file? Its number may be another one's by now.
loop_is_mine()
{
	[ "$(losetup --noheadings --output BACK-FILE --list "$1" 2>/dev/null)" = "$2" ]
}

# loop_make FILE [OPTION…]: a device on the file, which is made when it is not there: $DEVICE
loop_make()
{
	local file=$PWD/$1

	[ -e "$file" ] || truncate -s "$SIZE" "$file"
	DEVICE=$(losetup --find --show "${@:2}" "$file") || skip "no loop device can be made"
	echo "$DEVICE $file" >>loops
}

loop_detach()
{
	loop_is_mine "$1" "$(sed -n "s|^$1 ||p" loops | tail -n 1)"
	losetup --detach "$1"
}

# Six devices d0.img … d5.img: the array DEVICES
make_devices()
{
	local i

	DEVICES=()
	for i in 0 1 2 3 4 5; do
		loop_make "d$i.img"
		DEVICES+=("$DEVICE")
	done
}

assert_data()
{
	pgctl get "${DEVICES[0]}" data -o - -q | cmp - data
}

assert_healthy()
{
	run_json status "${DEVICES[0]}"
	assert_json .exit 0 \
		.array.health healthy \
		'[.members[].path] | length' 6
	expect_exit 0 pgctl scrub "${DEVICES[0]}"
}

# Change a byte of the member with slot $1, in the first extent of the data, through its device.
damage_slot()
{
	local start

	run_json map "${DEVICES[0]}"
	start=$(json "[.groups[].extents[] | select(.member == $1)][0].start")
	[ "$start" -gt 0 ]
	flip_byte "${DEVICES[$1]}" "$((start + 4096 + 17))"
}

# One life: create, store, damage, repair, fail, detach, rebuild onto a new device.
live()
{
	make_devices
	expect_exit 0 pgctl create tank "${DEVICES[@]}" "$@"
	random_file data 3M
	expect_exit 0 pgctl put "${DEVICES[0]}" data
	assert_data
	assert_healthy

	damage_slot 2
	run_json scrub "${DEVICES[0]}" --check
	assert_json .exit 4 \
		'[.mismatches[].suspect] | tojson' '[2]'
	assert_data
	run_json scrub "${DEVICES[0]}" --repair
	assert_json '[.exit, .repaired, .left] | tojson' '[1,1,0]'
	assert_healthy

	expect_exit 0 pgctl fail "${DEVICES[0]}" "${DEVICES[3]}"
	assert_data
	expect_exit 0 pgctl online "${DEVICES[0]}" 3
	assert_healthy

	loop_detach "${DEVICES[1]}"
	mkdir old
	mv d1.img old
	run_json status "${DEVICES[0]}"
	assert_json .array.health degraded \
		'.members[1].state' missing
	assert_data

	loop_make new.img
	run_json rebuild "${DEVICES[0]}" --to "$DEVICE"
	assert_json '[.exit, .extents_lost, .health] | tojson' '[0,0,"healthy"]'
	DEVICES[1]=$DEVICE
	assert_data
	assert_healthy

	# Detached, the files hold the same; a reader that shares no code says that all of it is right.
	for DEVICE in "${DEVICES[@]}"; do
		loop_detach "$DEVICE"
	done
	pgctl get new.img data -o - | cmp - data
	python3 -B "$READER" d[0-5].img new.img --verify
}

# bats test_tags=slow
@test "loop: parity on devices is repaired, loses a device and is rebuilt onto a new one" {
	live --layout parity --parity 1 --width 5
}

# bats test_tags=slow
@test "loop: sequential on devices is repaired, loses a device and is rebuilt onto a new one" {
	live --layout sequential --width 5 --levels 2
}

# bats test_tags=slow
@test "loop: a mirror on devices is repaired, loses a device and is rebuilt onto a new one" {
	live --layout mirror --copies 2
}

# bats test_tags=slow
@test "loop: a mounted device is refused, also with --force, and nothing is written" {
	local before used

	need mkfs.ext4 mount
	mkdir mnt a
	loop_make used.img
	used=$DEVICE
	mkfs.ext4 -q "$used"
	mount -o ro "$used" mnt || skip "nothing can be mounted here"
	expect_exit 0 pgctl create tank --size "$SIZE" a/m0.img a/m1.img a/m2.img
	sync used.img
	before=$(cksum used.img a/*.img)

	for words in "create x $used n.img --size $SIZE" "add a $used" "replace a 1 $used"; do
		for force in "" --force; do
			# shellcheck disable=SC2086  # several words
			expect_exit 8 pgctl $words $force
			assert_has "$used is mounted on $BATS_TEST_TMPDIR/mnt" "$stderr"
			assert_has "try: " "$stderr"
		done
	done
	[ ! -e n.img ]
	sync used.img
	[ "$(cksum used.img a/*.img)" = "$before" ]

	# Not mounted any more it is refused for what it holds, until --force.
	umount mnt
	expect_exit 8 pgctl add a "$used"
	assert_has ext4 "$stderr"
	expect_exit 0 pgctl add a "$used" --force
}

# bats test_tags=slow
@test "loop: an image that backs a device is refused, also by another name, until it is detached" {
	local name

	loop_make d0.img
	ln d0.img hard.img
	ln -s d0.img soft.img
	for name in d0.img hard.img soft.img; do
		expect_exit 8 pgctl create tank --size "$SIZE" n.img "$name" --force
		assert_has "$name is in use by loop device $DEVICE" "$stderr"
		assert_has "losetup --detach $DEVICE" "$stderr"
	done
	[ ! -e n.img ]
	cmp -n 33554432 d0.img /dev/zero

	# As a member of an array on devices it may be read, but not written to.
	DEVICES=("$DEVICE")
	loop_make d1.img
	DEVICES+=("$DEVICE")
	expect_exit 0 pgctl create tank "${DEVICES[@]}"
	expect_exit 0 pgctl status d0.img
	random_file data 100K
	expect_exit 8 pgctl put d0.img data
	assert_has "is in use by loop device" "$stderr"
	for DEVICE in "${DEVICES[@]}"; do
		loop_detach "$DEVICE"
	done
	expect_exit 0 pgctl put d0.img data
}

# bats test_tags=slow
@test "loop: a device that is write-protected, and one named twice or standing on one file, are refused" {
	loop_make d0.img
	ln -s "$DEVICE" again
	expect_exit 8 pgctl create tank "$DEVICE" again
	assert_has "the same file" "$stderr"

	first=$DEVICE
	loop_make d0.img
	[ "$DEVICE" != "$first" ]
	expect_exit 8 pgctl create tank "$first" "$DEVICE"
	assert_has "the same file" "$stderr"

	truncate -s "$SIZE" locked.img
	loop_make locked.img --read-only
	expect_exit 8 pgctl create tank --size "$SIZE" n.img "$DEVICE" --force
	assert_has "$DEVICE: the device is read-only" "$stderr"
	[ ! -e n.img ]
	cmp -n 33554432 locked.img /dev/zero
}

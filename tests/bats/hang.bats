#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Members that do not answer (docs/WRITES.md section 6), for real: on a file system that is frozen, which holds
# whoever writes to it until it is thawed. An image lies on it, or what is below a loop device. Only root can do this.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	pgctl_setup
	[ "$(id -u)" = 0 ] || skip "only root may freeze a file system"
	need losetup
	need fsfreeze
	need flock
	need mkfs.ext4
	truncate -s 192M back.img
	mkfs.ext4 -q back.img
	mkdir mnt
	mount -o loop back.img mnt || skip "no loop device can be made"
	random_file data 3000000 1
	random_file bytes 100000 2
	cp data model
	dd if=bytes of=model bs=1M seek=5000 oflag=seek_bytes conv=notrunc status=none
}

teardown()
{
	fsfreeze --unfreeze mnt 2>/dev/null
	if [ -n "${DEVICE-}" ]; then losetup --detach "$DEVICE"; fi
	if mountpoint -q mnt; then umount mnt; fi
}

# make_array MEMBER: parity of four members, the second one is MEMBER
make_array()
{
	HANGING=$1
	expect_exit 0 pgctl create tank m0.img "$1" m2.img m3.img --size 48M --layout parity --parity 1
	expect_exit 0 pgctl put m0.img data --member "$1"
}

# The command goes on in the background; its output is in `said`, at its end its status in `ended`.
begin()
{
	(
		local rc=0

		"$PGCTL" "$@" >said 2>&1 <bytes || rc=$?
		echo "$rc" >ended
	) 3>&- &
}

# wait_for SECONDS COMMAND…
wait_for()
{
	local i

	for ((i = 0; i < $1 * 20; i++)); do
		if "${@:2}"; then return 0; fi
		sleep 0.05
	done
	fail_with "waited $1 s for: ${*:2}"
}

# ends STATUS: the command ended, or does so soon, with this status
ends()
{
	wait_for 20 test -s ended
	[ "$(cat ended)" = "$1" ]
}

# The member was failed, what was written is read without it, and with it again once it took in what it missed.
assert_survived()
{
	run_json status m0.img --member "$HANGING"
	assert_json '.members[1].state' failed
	expect_exit 0 pgctl get m0.img data -o got
	cmp got model
	wait_for 20 pgctl online m0.img 1 --member "$HANGING" -q
	expect_exit 0 pgctl rebuild m0.img 1 --member "$HANGING"
	expect_exit 0 pgctl scrub m0.img --member "$HANGING"
	expect_exit 0 pgctl get m0.img data -o got --member "$HANGING" --force
	cmp got model
}

# bats test_tags=slow
@test "hang: without a device that does not answer the command goes on and ends, and nobody may write there" {
	truncate -s 48M mnt/d1.img
	DEVICE=$(losetup --find --show mnt/d1.img) || skip "no loop device can be made"
	make_array "$DEVICE"
	sync
	fsfreeze --freeze mnt
	begin write m0.img data --offset 5000 --member "$DEVICE" --member-timeout 1
	ends 0
	grep -q "failed (timeout)" said
	expect_exit 1 timeout 10 flock --nonblock "$DEVICE" true # by what is in flight: no process has it
	expect_exit 8 pgctl write m0.img data --member "$DEVICE" --member-timeout 1 <bytes
	[[ $stderr == *"gives no answer"* || $stderr == *"in use"* || $stderr == *"held by"* ]]
	fsfreeze --unfreeze mnt
	assert_survived
}

# bats test_tags=slow
@test "hang: without an image whose file system does not answer the work is done, and the process ends with the thaw" {
	make_array mnt/m1.img
	sync
	fsfreeze --freeze mnt
	begin write m0.img data --offset 5000 --member mnt/m1.img --member-timeout 1
	wait_for 20 grep -q "failed (timeout)" said
	wait_for 1 grep -q bytes_written said
	[ ! -e ended ]
	fsfreeze --unfreeze mnt
	ends 0
	assert_survived
}

# bats test_tags=slow
@test "hang: what is large and on its way to a device is waited for" {
	make_array mnt/m1.img
	random_file more 20000000 3
	sync
	fsfreeze --freeze mnt
	begin put m0.img more --member mnt/m1.img --member-timeout 1
	sleep 3
	[ ! -s said ]
	fsfreeze --unfreeze mnt
	ends 0
	run_json status m0.img --member mnt/m1.img
	assert_json .array.health healthy
	expect_exit 0 pgctl get m0.img more -o got --member mnt/m1.img
	cmp got more
}

# bats test_tags=slow
@test "hang: what is large and in the hands of a device is left to it" {
	truncate -s 48M mnt/d1.img
	DEVICE=$(losetup --find --show mnt/d1.img) || skip "no loop device can be made"
	make_array "$DEVICE"
	random_file more 20000000 3
	sync
	fsfreeze --freeze mnt
	begin put m0.img more --member "$DEVICE" --member-timeout 1
	ends 8 # what nobody can read yet need not be saved: nothing of it is published
	grep -q "$DEVICE at [0-9]* failed" said
	expect_exit 0 pgctl put m0.img more # beside the device, whoever it is that still writes there
	fsfreeze --unfreeze mnt
	sync
	expect_exit 0 pgctl get m0.img more -o got
	cmp got more
	wait_for 20 pgctl online m0.img 1 --member "$DEVICE" -q
	expect_exit 0 pgctl scrub m0.img --member "$DEVICE"
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=dash
# For scripts that run in the VM (busybox sh).
export MDADM_NO_UDEV=1 MDADM_NO_SYSTEMCTL=1
sys=/sys/block/md0/md

# 0.90 does not say which of two layouts a RAID-0 with members of several sizes has; pgctl's is this.
echo 1 >/sys/module/raid0/parameters/default_layout

# attach FILE…: a loop device for each; $disks names them
attach() {
	disks=
	for file; do
		loop=$(losetup -f)
		losetup "$loop" "$file"
		disks="$disks $loop"
	done
}

detach() {
	sync
	for loop in $disks; do
		losetup -d "$loop"
	done
}

# Of $files: all of it is in the kernel, and nobody has told the array yet that nothing more is to come.
cut_power() {
	sync
	for name in $files; do
		cp "$name" "$name.cut"
	done
}

restore_cut() {
	for name in $files; do
		mv "$name.cut" "$name"
	done
}

# Until no resync, recovery or check is under way.
wait_idle() {
	quiet=0
	for _ in $(seq 1 3000); do
		case $(cat $sys/sync_action 2>/dev/null || echo idle) in
		idle | frozen) quiet=$((quiet + 1)) ;;
		*) quiet=0 ;;
		esac
		[ $quiet -lt 3 ] || return 0
		usleep 20000
	done
	return 1
}

# wait_degraded COUNT: until so many slots are without a member that is whole.
wait_degraded() {
	for _ in $(seq 1 3000); do
		[ "$(cat $sys/degraded)" = "$1" ] && return 0
		usleep 20000
	done
	return 1
}

# stop [DEVICE]
stop() {
	sync
	for _ in $(seq 1 50); do
		mdadm --stop "${1:-/dev/md0}" >/tmp/stop 2>&1 && return 0
		usleep 100000
	done
	cat /tmp/stop
	return 1
}

# Compare parity with data, or copies with each other: how many sectors differ; none where nothing can.
check() {
	if echo check >$sys/sync_action 2>/dev/null; then
		usleep 100000
		wait_idle
		cat $sys/mismatch_cnt
	else
		echo none
	fi
}

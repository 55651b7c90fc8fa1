# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=dash
# Runs in the VM. Each folder here is an array: its members are what the file "members" names, in that order. The
# kernel assembles it; where there is a file "create", it makes it first, with these options of mdadm; where there is
# a file "content", that is written to it, and both are taken away. Where there is a file "recovers", it takes spares by
# itself until so few slots are empty; where there is "cut", the members are left as they were when the content was
# written and the array still in use, as if power had been lost then. One line for each:
#
#	RESULT FOLDER state=… degraded=… bytes=… policy=… did=… sha256=… mismatch=… after=…
#
# state and degraded are those right after it was assembled, policy its consistency policy, did what it did then by
# itself (idle, resync, recovery), sha256 what it holds, mismatch what its own check found, after the last degraded.

fact() {
	cat "$sys/$1" 2>/dev/null || echo none
}

# What the kernel has done with the array by itself, one job a line.
jobs_begun() {
	dmesg | sed -n 's/.*md: \([a-z-]*\) of RAID array md0$/\1/p'
}

create_or_assemble() {
	# shellcheck disable=SC2046,SC2086  # words on purpose
	if [ -e create ]; then
		mdadm --create /dev/md0 --run $(cat create) $disks && rm create
	else
		mdadm --assemble /dev/md0 $disks
	fi
}

assemble() {
	files=$(cat members)
	# shellcheck disable=SC2086  # words on purpose
	attach $files
	known=$(jobs_begun | wc -l)
	if ! create_or_assemble >log 2>&1; then
		state=refused
		return
	fi
	state=$(fact array_state)
	degraded=$(fact degraded)
	bytes=$(blockdev --getsize64 /dev/md0)
	policy=$(fact consistency_policy)
	[ -e recovers ] && wait_degraded "$(cat recovers)"
	wait_idle
	did=$(jobs_begun | tail -n "+$((known + 1))" | head -n 1)
	[ -e cut ] && echo 100 >"$sys/safe_mode_delay"
	if [ -e content ]; then
		dd if=content of=/dev/md0 bs=64k conv=fsync 2>>log && rm content
	fi
	[ -e cut ] && cut_power
	sha256=$(sha256sum /dev/md0 | cut -d ' ' -f 1)
	mismatch=$(check)
	after=$(fact degraded)
	stop >>log
}

for folder in */; do
	cd "/host/$folder" || exit 1
	state=none degraded=none bytes=0 policy=none did=none sha256=none mismatch=none after=none
	[ -e members ] && assemble && detach
	[ -e cut ] && restore_cut && rm cut
	echo "RESULT ${folder%/} state=$state degraded=$degraded bytes=$bytes policy=$policy did=${did:-idle}" \
		"sha256=$sha256 mismatch=$mismatch after=$after"
done

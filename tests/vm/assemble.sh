# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=dash
# Runs in the VM. Each folder here is an array: its members are what the file "members" names, in that order. The
# kernel assembles it; where there is a file "content", that is written to it, and taken away. Where there is
# a file "recovers", it takes spares by itself until so few slots are empty. One line for each:
#
#	RESULT FOLDER state=… degraded=… bytes=… sync=… sha256=… mismatch=… after=…
#
# state and degraded are those right after it was assembled, sync what it did then by itself (idle, recover),
# sha256 what it holds, mismatch what its own check found, after the degraded of the end.

fact() {
	cat "$sys/$1" 2>/dev/null || echo none
}

assemble() {
	# shellcheck disable=SC2046,SC2086  # words on purpose
	attach $(cat members)
	# shellcheck disable=SC2086
	if ! mdadm --assemble /dev/md0 $disks >log 2>&1; then
		state=refused
		return
	fi
	state=$(fact array_state)
	degraded=$(fact degraded)
	bytes=$(blockdev --getsize64 /dev/md0)
	sync=$(fact sync_action)
	[ -e recovers ] && wait_degraded "$(cat recovers)"
	wait_idle
	if [ -e content ]; then
		dd if=content of=/dev/md0 bs=64k conv=fsync 2>>log && rm content
	fi
	sha256=$(sha256sum /dev/md0 | cut -d ' ' -f 1)
	mismatch=$(check)
	after=$(fact degraded)
	stop >>log
}

for folder in */; do
	cd "/host/$folder" || exit 1
	state=none degraded=none bytes=0 sync=none sha256=none mismatch=none after=none
	[ -e members ] && assemble && detach
	echo "RESULT ${folder%/} state=$state degraded=$degraded bytes=$bytes sync=$sync" \
		"sha256=$sha256 mismatch=$mismatch after=$after"
done

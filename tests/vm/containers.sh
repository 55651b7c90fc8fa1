# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=dash
# Runs in the VM. Each folder here is a container: mdadm makes it, in the format that the file "format" names, of the
# disks that "disks" names, in that order, as loop0, loop1 and so on, which is their serial number (Intel Matrix). Each
# line of "volumes" is a volume: its name, and options of mdadm. All of them are written to at random. Where there is a
# file "fails", the disk that it names fails in all volumes then, and they are written to once more. Where there is "cut",
# the disks are left as they were then, in use, as if power had been lost: a rebuild that began is under way, and half of
# each volume has been written since. One line for each:
#
#	RESULT FOLDER/NAME state=… degraded=… bytes=… sha256=…
#
# or state=refused, with mdadm's words in "log".
export IMSM_NO_PLATFORM=1 IMSM_DEVNAME_AS_SERIAL=1

# What mdmon and mdadm tell each other; sockets are none of hostfs.
mkdir -p /run/mdadm
mount -t tmpfs none /run/mdadm

fact() {
	cat "$sys/$1" 2>/dev/null || echo none
}

# use_volume NAME: $device and $sys are its
use_volume() {
	device=$(readlink -f "/dev/md/$1")
	sys=/sys/block/${device#/dev/}/md
}

# make_volume NAME OPTION…
make_volume() {
	name=$1
	shift
	# Its disks, where it is not on all of them.
	case " $* " in
	*" loop"*) ;;
	*) set -- "$@" /dev/md127 ;;
	esac
	words=
	for word; do
		case $word in
		loop*) words="$words /dev/$word" ;;
		*) words="$words $word" ;;
		esac
	done
	# shellcheck disable=SC2086  # words on purpose
	if echo y | mdadm --create "/dev/md/$name" --run $words >>log 2>&1; then
		use_volume "$name"
		wait_idle
		made="$made $name"
	else
		echo "RESULT $folder$name state=refused"
	fi
}

# rebuild_at_most KB: each second, of a disk
rebuild_at_most() {
	echo 1 >/proc/sys/dev/raid/speed_limit_min
	echo "$1" >/proc/sys/dev/raid/speed_limit_max
}

# Rebuilds begin one after the other, when mdmon says so: idle for a second.
all_idle() {
	idle=0
	while [ $idle -lt 10 ]; do
		usleep 100000
		idle=$((idle + 1))
		for name in $made; do
			use_volume "$name"
			case $(cat "$sys/sync_action" 2>/dev/null || echo idle) in
			idle | frozen) ;;
			*) idle=0 ;;
			esac
		done
	done
}

fail_disk() {
	for name in $made; do
		use_volume "$name"
		mdadm "$device" --fail "/dev/$1" >>log 2>&1 || true
	done
}

# fill_all PART: that part of each, from its beginning on
fill_all() {
	for name in $made; do
		fill_volume "$name" "$1"
	done
}

# It can be read-only for a moment after its first resync.
fill_volume() {
	use_volume "$1"
	bytes=$(($(blockdev --getsize64 "$device") / $2))
	for _ in $(seq 1 50); do
		head -c "$bytes" /dev/urandom | dd of="$device" bs=64k iflag=fullblock conv=fsync 2>>log && return 0
		usleep 100000
	done
	cat log
	return 1
}

say_volume() {
	use_volume "$1"
	echo "RESULT $folder$1 state=$(fact array_state) degraded=$(fact degraded)" \
		"bytes=$(blockdev --getsize64 "$device")" "sha256=$(sha256sum "$device" | cut -d ' ' -f 1)"
}

# What mdadm refused may stand there half made.
stop_all() {
	for path in /sys/block/md*; do
		device=/dev/${path##*/}
		[ "$device" = /dev/md127 ] || [ "$(cat "$path/md/array_state")" = clear ] || stop "$device" >>log
	done
	stop /dev/md127 >>log
}

for folder in */; do
	cd "/host/$folder" || exit 1
	[ -e format ] || continue
	made=
	files=$(cat disks)
	# shellcheck disable=SC2086  # words on purpose
	attach $files
	# shellcheck disable=SC2086  # words on purpose
	echo y | mdadm --create /dev/md127 --run --metadata="$(cat format)" \
		--raid-devices="$(wc -w <disks)" $disks >log 2>&1
	while read -r line; do
		# shellcheck disable=SC2086  # words on purpose
		make_volume $line </dev/null
	done <volumes
	fill_all 1
	if [ -e cut ]; then
		rebuild_at_most 1
		[ -e fails ] && fail_disk "$(cat fails)"
		fill_all 2
	elif [ -e fails ]; then
		fail_disk "$(cat fails)"
		all_idle
		fill_all 1
	fi
	sync
	echo 3 >/proc/sys/vm/drop_caches
	for name in $made; do
		say_volume "$name"
	done
	[ -e cut ] && cut_power
	rebuild_at_most 200000
	stop_all
	detach
	[ -e cut ] && restore_cut
done
exit 0

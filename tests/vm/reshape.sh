# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=dash
# Runs in the VM. Each folder here is an array: "members" are its files, of which mdadm makes it with the options in
# "create"; "content" is written to it, and "steps" are commands, functions of this file among them, that reshape it and
# hold it. What the members are then is left in a folder of its own, or, when it was stopped, in their place. One line
# for each:
#
#	RESULT ARRAY/STATE position=…
#
# position is where the kernel says that superblocks have the reshape.
set +e # a step that fails is seen in what it leaves

said() {
	cat "$sys/$1" 2>/dev/null || echo none
}

# Until the reshape does not come further.
wait_held() {
	last='' quiet=0
	for _ in $(seq 1 1000); do
		now="$(said sync_completed) $(said reshape_position)"
		[ "$now" = "$last" ] && quiet=$((quiet + 1)) || quiet=0
		[ $quiet -lt 8 ] || return 0
		last=$now
		usleep 20000
	done
	return 1
}

# save STATE: the members as they are, as if power had been lost
save() {
	sync
	mkdir "$1"
	# shellcheck disable=SC2046  # words on purpose
	cp $(cat members) "$1/"
	echo "RESULT $name/$1 position=$(said reshape_position)"
}

# disk NUMBER: the device of a member, counted from 1
disk() {
	echo "$disks" | awk "{ print \$$1 }"
}

# add NUMBER…: spares, until the reshape makes use of them
add() {
	for number; do
		mdadm /dev/md0 --add "$(disk "$number")" >>log 2>&1
	done
}

lose() {
	mdadm /dev/md0 --fail "$(disk "$1")" >>log 2>&1
	usleep 300000
	mdadm /dev/md0 --remove "$(disk "$1")" >>log 2>&1
}

grow() {
	mdadm --grow /dev/md0 "$@" >>log 2>&1
}

# begin ATTRIBUTE=VALUE…: a reshape in place, as mdadm begins it. That it would keep what is moved in its backup file,
# piece after piece, changes nothing on the members.
begin() {
	for word; do
		echo "${word#*=}" >"$sys/${word%%=*}"
	done
	echo 0 >"$sys/sync_max"
	echo reshape >"$sys/sync_action"
}

# hold SECTOR…: let it come so far on each member
hold() {
	for sector; do
		echo "$sector" >"$sys/sync_max"
		wait_held
		save "at-$sector"
	done
}

# freeze SECTOR: on its way there, held at once, wherever it is: further than superblocks say. So slow it sleeps now and
# then.
freeze() {
	echo 10 >"$sys/sync_speed_max"
	echo 10 >"$sys/sync_speed_min"
	echo "$1" >"$sys/sync_max"
	usleep 300000
	echo frozen >"$sys/sync_action"
	wait_held
	save frozen
}

# Ended in the middle, as a shutdown does.
halt() {
	stop >>log && echo "RESULT $name/stopped position=none"
}

reshape() {
	# shellcheck disable=SC2046  # words on purpose
	attach $(cat members)
	# shellcheck disable=SC2086
	set -- $disks
	eval "mdadm --create /dev/md0 --run --assume-clean --homehost=any --name=box $(cat create)" >>log 2>&1
	dd if=content of=/dev/md0 bs=64k conv=fsync 2>>log
	# shellcheck source=/dev/null
	. ./steps
}

for folder in */; do
	cd "/host/$folder" || exit 1
	name=${folder%/}
	reshape
	detach
done

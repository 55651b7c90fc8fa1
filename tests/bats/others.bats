#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# DDF, Intel Matrix, LVM2, btrfs, ZFS: what inspect says of devices that their own tools made, and of crafted ones;
# volumes of DDF and Intel Matrix as arrays, one or several in a container.

bats_require_minimum_version 1.5.0
load helper

# Labels of ZFS: zfs_label IMAGE KEY=VALUE… [-- IMAGE …]
zfs_label()
{
	"$MD/zfs_label.py" "$@"
}

# The members of an array that the folder has.
unpack()
{
	need_fixtures
	tar -xJf "$FIXTURES/$1.tar.xz"
}

sha_of()
{
	jq -r '.volumes[0].content.sha256' "$FIXTURES/$1.json"
}

# Disks of a container with several volumes in the folder c: container imsm|ddf WORD…
container()
{
	rm -rf c
	"$MD/container.py" "$1" c "${@:2}"
}

# These volumes of c have their content: volumes_hold NAME…
volumes_hold()
{
	local name

	for name; do
		expect_exit 0 pgctl get -q c "$name" -o got
		cmp got "c/want/$name" || fail_with "$name differs"
		rm got
	done
}

@test "Intel Matrix: the volumes of a container are those of one array, each by its name" {
	container imsm
	run_json status c
	assert_json '.array.name' imsm '.format.level' container '.array.health' healthy \
		'.volumes | map("\(.name) \(.layout) \(.health)") | join(", ")' "mirror mirror healthy, five parity healthy" \
		'.members | map("\(.slot) \(.used)") | join(", ")' "0 2097152, 1 2097152, 2 1048576"
	volumes_hold mirror five
	expect_exit 16 pgctl write c mirror </dev/null
	assert_has "imsm metadata: pgctl only reads it" "$stderr"
	rm c/DISKC.img
	run_json status c/DISKA.img
	assert_json '.volumes | map(.health) | join(" ")' "healthy degraded"
	volumes_hold mirror five
}

# bats test_tags=slow
@test "DDF: volumes of a container, each on disks of its own, also with each disk missing" {
	container ddf
	run_json status c
	assert_json '.volumes | map("\(.name) \(.layout)") | join(", ")' "mirror mirror, stripes plain, five parity, parts mirror"
	volumes_hold mirror stripes five parts
	expect_exit 0 pgctl scrub c
	run_json map c five:70000
	assert_json '.blocks | map("\(.member) \(.lba)") | join(", ")' "0 1085440, 3 1150976, 1 1085440"
	expect_exit 16 pgctl extract c -o out
	assert_has "several volumes: 'mirror', 'stripes', 'five', 'parts'" "$stderr"
	expect_exit 0 pgctl extract c five -o out
	cmp out c/want/five
	for disk in 0 1 2 3 4; do
		mv c/disk-$disk.img away
		volumes_hold mirror five parts
		case $disk in
		0 | 4) # a volume that is lost keeps no other from being read
			expect_exit 4 pgctl get c stripes -o got
			expect_exit 2 pgctl status --test c
			;;
		*) volumes_hold stripes ;;
		esac
		mv away c/disk-$disk.img
	done
	rm c/disk-[0134].img
	expect_exit 0 pgctl status c/disk-2.img
	assert_has "parts" "$output"
}

# bats test_tags=slow
@test "a container: what cannot be read of it, or does not count, is left out by name, and the rest is read" {
	container imsm migrating
	expect_exit 0 pgctl status c
	assert_has "volume 'mirror' of the container is left out: it is being migrated" "$stderr"
	volumes_hold five
	container ddf twice
	expect_exit 0 pgctl status c
	assert_has "volume 'mirror' of the container is left out: two of its slots are on one disk" "$stderr"
	volumes_hold stripes five parts
	container imsm rebuilding
	run_json status c
	assert_json '.volumes | map(.health) | join(" ")' "healthy degraded" \
		'.problems[0].text | test("DISKA.img.: by the container.s records its part of a volume does not count")' true
	volumes_hold mirror five
	container ddf same-name
	rm c/disk-0.img
	run_json status c
	assert_json '.volumes | map(.name) | join(" ")' "data-0 data-1 data-2 data-3"
	container imsm overlap
	expect_exit 4 pgctl scrub c
	expect_exit 0 pgctl map c 1:0
}

# bats test_tags=slow
@test "a container: a disk that missed changes does not count, and never stands where another does" {
	container imsm old
	run_json status c
	assert_json '.members | map("\(.slot) \(.state)") | join(", ")' "0 missing, 1 current, 2 current, 2 stale"
	volumes_hold mirror five
	rm c/DISKC.img
	run_json status c --accept-stale c/DISKA.img
	assert_json '.volumes | map(.health) | join(" ")' "degraded broken"
	expect_exit 4 pgctl get c five --accept-stale c/DISKA.img -o got
	expect_exit 0 pgctl get c mirror --accept-stale c/DISKA.img -o got
	cmp got c/want/mirror
	expect_exit 4 pgctl assemble --why c
	assert_has "2 of 3 disks are missing or do not count" "$output"
	# By their own records each of the two is where the other one is by the newest: no byte of either is taken for the other's.
	container imsm swapped
	rm got
	expect_exit 4 pgctl get c five --accept-stale c/DISKA.img --accept-stale c/DISKC.img -o got
	expect_exit 0 pgctl get c mirror --accept-stale c/DISKA.img --accept-stale c/DISKC.img -o got
	cmp got c/want/mirror
}

@test "inspect agrees with the manifests: one container, volume group and file system" {
	need_fixtures
	expect_exit 0 python3 "$MD/others.py" "$FIXTURES" ddf-raid5-n4-c64 imsm-raid10-n4-c16 lvm-raid6-raid10 \
		btrfs-raid1-n2
	assert_has "4 sets agree, 0 do not" "$output"
}

# bats test_tags=slow
@test "inspect agrees with the manifests: DDF, Intel Matrix, LVM2, btrfs, with each member missing" {
	need_fixtures
	expect_exit 0 python3 "$MD/others.py" "$FIXTURES"
	assert_has " 0 do not" "$output"
}

@test "inspect: labels of ZFS, of machines of either byte order" {
	zfs_label a.img type=raidz nparity=2 disks=5 this=3 pool=tank -- b.img host=big ashift=9 state=1 txg=300 pool=deep
	run_json inspect a.img
	assert_json '.found | map(.type) | join(" ")' zfs \
		'.found[0] | [.uuid, .name, .details.tool] | join(" ")' "9000000000000000001 tank zpool"
	assert_json '.found[0].details | [.state, .txg, .uberblock_txg, .byte_order, .guid, .vdev_children] | join(" ")' \
		"active 77 77 little-endian 9000000000000000104 1"
	assert_json '.found[0].details.vdev_tree | map("\(.depth) \(.type) \(.nparity) \(.ashift)") | unique | join(", ")' \
		"0 raidz 2 12, 1 disk null null"
	assert_json '.found[0].details.vdev_tree | map(select(.this) | .path) | join(" ")' /dev/disk/by-id/d3-part1 \
		'.found[0].details.labels | map(.state) | unique | join(" ")' valid \
		'.found[0].details.faults | length' 0 \
		'.sets[0].missing | length' 4
	run_json inspect b.img
	assert_json '.found[0].details | [.summary, .byte_order, .uberblock_txg, .labels[0].uberblocks] | join(", ")' \
		"pool deep, mirror of 2, exported, big-endian, 300, 6"
	expect_exit 0 pgctl inspect a.img
	assert_has "try: zdb -l DEVICE" "$output"
	assert_has "in a raidz2 of 5, the only top-level vdev of the pool" "$output"
}

# bats test_tags=slow
@test "inspect: ZFS with labels missing and damaged, a spare, and members compared" {
	zfs_label a.img type=draid nparity=2 disks=11 labels=1,3 broken=3 -- b.img state=3 \
		-- c.img this=0 txg=90 -- d.img this=1 txg=80
	run_json inspect a.img
	assert_json '.found[0].offset' 262144 \
		'.found[0].details.labels | map(.state) | join(", ")' "none, valid, none, wrong sum" \
		'.found[0].details.vdev_tree[0] | [.draid_data, .draid_spares, .draid_groups] | join(" ")' "4 1 2"
	run_json inspect b.img
	assert_json '.found[0].details | [.state, (.faults | length)] | join(" ")' "spare 0"
	run_json inspect c.img d.img
	assert_json '.sets[0] | [.type, .generation, (.missing | length)] | join(" ")' "zfs 90 0" \
		'.sets[0].members | map(.behind) | join(" ")' "0 10"
	expect_exit 0 pgctl inspect c.img d.img
	assert_has "d.img is 10 behind the newest: it missed changes" "$output"
	for at in 20000 150000; do flip_byte c.img $at; done
	flip_byte c.img 282144
	run_json inspect c.img
	assert_json '.found[0].details.labels | map(.state) | join(", ")' "wrong sum, wrong sum, valid, valid" \
		'.found[0].details.uberblock_txg' 90
}

# bats test_tags=slow
@test "DDF whose anchor is not at the end, or not there, opens when its members are named" {
	unpack ddf-raid5-n4-c64
	truncate -s +3M m0.img
	truncate -s -512 m1.img
	truncate -s -8192 m2.img
	run_json inspect m0.img
	assert_json '.found[0].details | [.anchor_displaced, .header_in_use, (.faults | length)] | join(" ")' "true primary 0"
	run_json inspect m2.img
	assert_json '.found[0].details.statements | map(select(test("there is no anchor"))) | length' 1
	expect_exit 0 pgctl get m0.img 0 --member m1.img --member m2.img -o out
	[ "$(sha256sum <out)" = "$(sha_of ddf-raid5-n4-c64)  -" ]
}

# bats test_tags=slow
@test "DDF with a damaged primary header is read by the secondary one; with both damaged it is said" {
	unpack ddf-raid1-n2
	flip_byte m0.img $((98304 * 512 + 200))
	run_json inspect m0.img
	assert_json '.found[0].details | [.header_in_use, .primary_valid, .secondary_valid] | join(" ")' "secondary false true" \
		'.found[0].details.volumes[0].level' raid1
	flip_byte m0.img $((65536 * 512 + 200))
	run_json inspect m0.img
	assert_json '.found[0].details.faults[0]' "headers: neither the primary nor the secondary header can be read"
	expect_exit 0 pgctl get m1.img 0 -o out
	[ "$(sha256sum <out)" = "$(sha_of ddf-raid1-n2)  -" ]
}

# bats test_tags=slow
@test "Intel Matrix: what a disk is stands nowhere on it, and a wrong sum is said" {
	unpack imsm-raid5-n3-c64
	run_json inspect m0.img
	assert_json '.found[0].details.serial' null \
		'.found[0].details.statements[0] | test("name the file after its serial number")' true
	expect_exit 0 pgctl get m0.img 0 -o out
	assert_has "m0.img is taken for slot 1 by its name" "$stderr"
	[ "$(sha256sum <out)" = "$(sha_of imsm-raid5-n3-c64)  -" ]
	expect_exit 16 pgctl write m0.img 0 <out
	mkdir renamed && cp m0.img renamed/a.img && cp m1.img renamed/b.img
	expect_exit 4 pgctl get renamed 0 -o none
	assert_has "array '0' (imsm): 3 of 3 members are missing" "$stderr"
	expect_exit 4 pgctl assemble --why renamed
	assert_has "which slot it holds stands nowhere on it" "$output"
	expect_exit 16 pgctl write m0.img 0 <out
	assert_has "a volume of imsm metadata: pgctl only reads it" "$stderr"
	flip_byte m0.img $((25165824 - 1024 + 80))
	run_json inspect m0.img
	assert_json '.found[0].details | [.checksum_state, (.faults | length)] | join(" ")' "wrong 1"
}

# bats test_tags=slow
@test "LVM2: damage of label, area and text is said; btrfs falls back on a mirror" {
	unpack lvm-raid1-raid5
	cp m0.img a.img && flip_byte a.img $((512 + 40))
	run_json inspect a.img
	assert_json '.found[0].details | [.label_checksum_state, .faults[0]] | join(" ")' "wrong label: its sum is wrong"
	cp m0.img b.img && flip_byte b.img $((4096 + 30))
	run_json inspect b.img
	assert_json '.found[0].details.faults | map(select(test("the sum of its header is wrong"))) | length' 1
	rm ./*.img
	unpack btrfs-raid1-n2
	flip_byte m0.img 65700
	run_json inspect m0.img
	assert_json '.found[0].details | [.bytenr, .csum_state, (.faults | length)] | join(" ")' "67108864 correct 0" \
		'.found[0].details.superblocks | map(.state) | join(", ")' "wrong sum, valid" \
		'.found[0].details.statements | map(select(test("super-recover"))) | length' 1
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Linux MD: what inspect says of members that a real kernel made, and of crafted ones.

bats_require_minimum_version 1.5.0
load helper

# Members: craft IMAGE KEY=VALUE… [-- IMAGE …]
craft()
{
	"$MD/craft.py" "$@"
}

@test "inspect agrees with the manifests: one array of each metadata and record" {
	need_fixtures
	expect_exit 0 python3 "$MD/manifest.py" "$FIXTURES" raid6-dirty-0.90-n5 raid1-bitmap-1.0-n2 \
		raid5-ppl-dirty-1.1-n5
	assert_has "3 arrays agree, 0 do not" "$output"
}

# bats test_tags=slow
@test "inspect agrees with the manifests: all arrays" {
	need_fixtures
	expect_exit 0 python3 "$MD/manifest.py" "$FIXTURES"
	assert_has " 0 do not" "$output"
}

@test "inspect: a member of Linux MD, alone, in text and in JSON" {
	craft a.img events=20 features=0xb bitmap_offset=8 bitmap=65536:3 bad=3000:16,5000:1 recovery=1000 resync=0
	run_json inspect a.img
	assert_json '.found | length' 1
	assert_json '.found[0] | [.type, .offset, .uuid, .name] | join(" ")' \
		"md 4096 00010203:04050607:08090a0b:0c0d0e0f host:crafted"
	assert_json '.found[0].details | [.metadata, .level, .layout_name, .slot, .state, .events] | join(" ")' \
		"1.2 raid5 left-symmetric 0 spare 20"
	assert_json '.found[0].details.features | join(" ")' "bitmap-offset recovery-offset bad-blocks" \
		'.found[0].details.recovery_start' 1000 \
		'.found[0].details.bitmap | [.chunks, .dirty_chunks] | join(" ")' "224 3" \
		'.found[0].details.bad_blocks | map("\(.first_sector)+\(.sector_count)") | join(" ")' "3000+16 5000+1" \
		'.found[0].details.faults | length' 0
	expect_exit 0 pgctl inspect a.img
	assert_has "in the 3 dirty chunks of the bitmap" "$output"
	assert_has "only its first 1000 of 28672 sectors of data count" "$output"
	assert_has "2 ranges of this member are listed as bad" "$output"
	assert_has "bad-blocks" "$output"
}

@test "inspect: a wrong sum and impossible fields are said, not hidden" {
	craft a.img checksum=wrong -- b.img chunk=7 features=0x2000 raid_disks=9999 data_size=99999999 -- c.img
	run_json inspect a.img
	assert_json '.found[0].details.checksum_state' wrong \
		'.found[0].details.faults | length' 1 \
		'.found[0].details.slot' 0
	expect_exit 0 pgctl inspect a.img
	assert_has "fault: checksum" "$output"
	run_json inspect b.img
	assert_json '[.found[0].details.faults[] | split(":")[0]] | sort | join(" ")' \
		"chunk_bytes data_sectors feature_map raid_disks"
	printf '\xff\xff' | dd of=c.img bs=1 seek=$((4096 + 220)) conv=notrunc status=none
	run_json inspect c.img
	assert_json '.found[0].type' md \
		'.found[0].details.faults[0] | test("65535 roles")' true
}

@test "inspect: superblocks of several versions on one device are all shown" {
	craft a.img version=0.90 -- a.img minor=0 uuid=ffffffffffffffffffffffffffffffff -- a.img minor=2
	run_json inspect a.img
	assert_json '[.found[] | select(.type == "md") | .details.metadata] | join(" ")' "1.2 0.90 1.0" \
		'.found | map(select(.type == "linux_raid_member")) | length' 0 \
		'[.found[].details.statements[] | select(test("another MD superblock"))] | length' 6
}

# bats test_tags=slow
@test "inspect: 0.90 of machines of either byte order" {
	craft a.img version=0.90 dev_number=1 -- b.img version=0.90 dev_number=2 endian=big events=4294967298
	run_json inspect a.img
	assert_json '.found[0] | [.uuid, .details.slot, .details.byte_order] | join(" ")' \
		"11111111:22222222:33333333:44444444 1 little-endian"
	run_json inspect b.img
	assert_json '.found[0] | [.uuid, .details.slot, .details.byte_order, .details.events] | join(" ")' \
		"11111111:22222222:33333333:44444444 2 big-endian 4294967298"
	assert_json '.found[0].details.faults | length' 0
}

@test "inspect: members named together are compared" {
	craft m0.img -- m1.img dev_number=1 -- m2.img dev_number=2 events=17 -- m3.img dev_number=3
	run_json inspect m0.img m1.img m2.img m3.img
	assert_json '.arrays | length' 1 \
		'.arrays[0] | [.health, .degraded, .events, .array_bytes] | join(" ")' "degraded 1 20 44040192" \
		'[.arrays[0].members[].verdict] | join(" ")' "current current stale current" \
		'.arrays[0].missing | tojson' '[2]'
	assert_json '.arrays[0].statements[] | select(test("m2.img is stale by 3 events: it has 17"))' \
		"m2.img is stale by 3 events: it has 17, the newest has 20; what was written since is not on it"
	run_json inspect m2.img m0.img
	assert_json '.arrays[0].health' broken
	expect_exit 0 pgctl inspect m0.img m1.img m2.img
	assert_has "m2.img is stale by 3 events" "$output"
	assert_has "slot 3 is missing" "$output"
	assert_has "too few members are here" "$output"
}

# bats test_tags=slow
@test "inspect: an array that is being reshaped" {
	craft a.img features=0x44 reshape=9216 delta_disks=1 raid_disks=5 roles=0,1,2,3,4 new_level=5 new_layout=2 \
		new_chunk=256 new_offset=-1024 \
		-- b.img features=0x4 reshape=9216 delta_disks=-1 raid_disks=3 new_level=5 new_layout=2 new_chunk=128
	run_json inspect a.img
	assert_json '.found[0].details.faults | length' 0
	assert_json '.found[0].details | [.reshape_position, .reshape_direction, .delta_disks, .raid_disks_before,
		.new_chunk_bytes, .new_data_offset_sectors] | join(" ")' "9216 forwards 1 4 131072 1024"
	expect_exit 0 pgctl inspect a.img
	assert_has "4 members, chunk 65536 to level 5 left-symmetric, 5 members, chunk 131072" "$output"
	assert_has "sectors of the array before 9216 have the new shape" "$output"
	run_json inspect b.img
	assert_json '.found[0].details | [.reshape_direction, .delta_disks, .slots] | join(" ")' "backwards -1 AAAA"
}

# bats test_tags=slow
@test "inspect: sectors that cannot be read are said, and the rest is shown" {
	craft a.img features=0x1 bitmap_offset=8 bitmap=65536:3
	run_json inspect a.img --fault read-error,range=8192-12288,count=0
	assert_json '.found[0].details.faults[0] | test("bitmap: sector 16 cannot be read")' true \
		'.found[0].details.slot' 0
	run_json inspect a.img --fault read-error,range=4096-8192,count=0
	assert_json '.found | map(select(.type == "md")) | length' 0
	expect_exit 0 pgctl inspect a.img --fault read-error,range=4096-8192,count=0
	assert_has "1 places where an MD superblock may lie cannot be read" "$stderr"
}

# bats test_tags=slow
@test "inspect: the dirty chunks of a bitmap that takes several reads" {
	craft a.img image=$((1 << 30)) level=1 size=2095104 data_size=2095104 features=0x1 bitmap_offset=8 \
		bblog_offset=2032 bitmap=512:1100000
	run_json inspect a.img
	assert_json '.found[0].details.faults | length' 0 \
		'.found[0].details.bitmap | [.chunks, .dirty_chunks] | join(" ")' "2095104 1100000"
}

# bats test_tags=slow
@test "inspect: of the headers of a partial parity log the newest counts" {
	craft a.img features=0x800 bitmap_offset=$((512 << 16 | 24)) ppl=5,6,7,3 \
		-- b.img features=0x800 bitmap_offset=$((32 << 16 | 24)) ppl=5,6,7
	run_json inspect a.img
	assert_json '.found[0].details.faults | length' 0
	assert_json '.found[0].details | [.ppl_sector, .ppl_sectors, .ppl.generation, .ppl.entries, .consistency_policy] |
		join(" ")' "32 512 7 1 ppl"
	run_json inspect b.img
	assert_json '.found[0].details.ppl.generation' 6
	flip_byte a.img $((32 * 512 + 2 * 8192 + 100))
	run_json inspect a.img
	assert_json '.found[0].details.ppl.generation' 6
	flip_byte a.img $((32 * 512 + 100))
	run_json inspect a.img
	assert_json '.found[0].details.ppl' null \
		'.found[0].details.faults[0] | test("ppl_checksum")' true
}

@test "get: arrays that a real kernel made, all members and without one" {
	need_fixtures
	expect_exit 0 python3 "$MD/extract.py" "$FIXTURES" --quick raid5-sb-zeroed-1.2-n4 raid10-n3-1.1-n5-c8
	assert_has "2 passed, 0 failed" "$output"
}

# bats test_tags=slow
@test "get: arrays that a real kernel made: all, and without any members that redundancy can spare" {
	need_fixtures
	expect_exit 0 python3 "$MD/extract.py" "$FIXTURES"
	assert_has " 0 failed" "$output"
}

@test "an array of Linux MD is opened from a member, a directory and among others" {
	mkdir d
	craft d/m0.img -- d/m1.img dev_number=1 -- d/m2.img dev_number=2 events=17 -- d/m3.img dev_number=3
	run_json status d
	assert_json '.array | [.name, .health] | join(" ")' "crafted degraded" \
		'.format | [.metadata, .level, .layout, .chunk] | join(" ")' "1.2 raid5 left-symmetric 65536"
	assert_json '[.members[] | "\(.slot) \(.state)"] | join(", ")' \
		"0 current, 1 current, 2 missing, 3 current, 2 stale"
	craft d/other.img uuid=ffffffffffffffffffffffffffffffff name=lab:other
	expect_exit 16 pgctl status d
	assert_has "d holds several arrays: 'crafted' (Linux MD, d/m0.img), 'other' (Linux MD, d/other.img)" "$stderr"
	run_json list d
	assert_json '[.arrays[] | "\(.name) \(.members)"] | join(", ")' "crafted 4, other 1"
	expect_exit 0 pgctl status d/m3.img
	assert_has "stale" "$output"
	for command in "read d/m0.img data --length 4K" "scrub d/m0.img --volume data" "map d/m0.img data:0"; do
		# shellcheck disable=SC2086  # words on purpose
		expect_exit 0 pgctl $command
	done
	expect_exit 8 pgctl status d/m3.img --member d/other.img
	assert_has "d/other.img belongs to another array, 'other'" "$stderr"
}

@test "assemble: what it is, who counts, and what a stale member would cost" {
	craft m0.img -- m1.img dev_number=1 -- m2.img dev_number=2 events=17
	run_json assemble --why m0.img m1.img m2.img
	assert_json '.array.health' broken
	assert_json '[.members[] | "\(.slot) \(.state) \(.behind)"] | join(", ")' \
		"0 current 0, 1 current 0, 2 missing null, 3 missing null, 2 stale 3"
	assert_json '.missing | tojson' '[2,3]' \
		'[.choices[] | "\(.accept) \(.health) \(.missing)"] | join(", ")' "none broken 2, m2.img degraded 1"
	expect_exit 4 pgctl assemble --why .
	assert_has "with --accept-stale m2.img whatever was written to slot 2 in the last 3 events" "$output"
	expect_exit 4 pgctl get . data -o out
	assert_has "2 of 4 members are missing or stale" "$stderr"
	run_json assemble . --accept-stale m2.img
	assert_json '[.members[] | "\(.slot) \(.state)"] | join(", ")' \
		"0 current, 1 current, 2 stale-accepted, 3 missing"
	expect_exit 0 pgctl get . data -o out --accept-stale 2
	expect_exit 8 pgctl get . data -o out2 --accept-stale m0.img
	assert_has "--accept-stale m0.img: the member is current" "$stderr"
	expect_exit 16 pgctl get . data -o out2 --accept-stale m7.img
	assert_has "no member of the array" "$stderr"
}

@test "commands that write refuse an array of Linux MD, having written nothing" {
	craft m0.img -- m1.img dev_number=1 -- m2.img dev_number=2 -- m3.img dev_number=3
	cksum m?.img >before
	echo hello > file
	truncate -s 16M new.raw
	for command in "put . file" "volume remove . crafted --yes" "volume create . v --size 1M" \
		"add . new.raw" "fail . 0" "offline . 1" "write . crafted" "evacuate . 1" \
		"remove . 1 --evacuate" "label . 0 a=b" "rebuild . 1 --into-free" "rebuild . --resume"; do
		# shellcheck disable=SC2086  # words on purpose
		expect_exit 16 pgctl $command <file
		assert_has "made by other software" "$stderr"
	done
	# What refuses them first may be something else.
	for command in "expand . new.raw" "migrate . crafted --layout mirror" "replace . 1 new.raw" \
		"rebalance ." "recombine ." "topology set . ring" "spare make . 1" "failover . 1" \
		"check . --rebuild-map" "remove . 1 --yes" "rebuild . 1"; do
		# shellcheck disable=SC2086  # words on purpose
		if pgctl $command >>said 2>&1; then
			echo "pgctl $command did something"
			return 1
		fi
	done
	assert_sums before
}

@test "get: half reshaped, half rebuilt and with bad blocks: one of each" {
	expect_exit 0 python3 "$MD/states.py" grow-3-to-4-at-192K recovering-raid1 bad-blocks-raid10 stale
	assert_has "4 passed, 0 failed" "$output"
}

# bats test_tags=slow
@test "get: half reshaped, half rebuilt and with bad blocks: all levels and positions" {
	expect_exit 0 python3 "$MD/states.py"
	assert_has " 0 failed" "$output"
}

@test "status of an array of Linux MD says what is wrong with it" {
	craft m0.img features=0x9 bitmap_offset=8 bitmap=65536:3 bad=5000:16 resync=0 \
		-- m1.img dev_number=1 features=0x2 recovery=1024 resync=0 -- m2.img dev_number=2 events=10 -- m3.img dev_number=3 resync=0
	run_json status .
	assert_json '[.problems[].code] | join(" ")' \
		"volume-broken member-missing bad-blocks job-unfinished member-stale unclean"
	assert_json '.problems[] | select(.code == "unclean").text' \
		"not stopped in order: checks may not fit the data in 192 KiB of each member"
	assert_json '.problems[] | select(.code == "member-stale").try' \
		"pgctl assemble --why . says what taking it would cost"
}

# bats test_tags=slow
@test "extract: random bad areas on all members of a real array; what is not reported as lost is right" {
	need_fixtures
	expect_exit 0 python3 "$MD/bad_areas.py" "$FIXTURES" 6 raid5-ppl-dirty-1.1-n5 raid6-ddfnr-1.2-n6-c16
	assert_has "12 passed, 0 failed" "$output"
}

# bats test_tags=slow
@test "a repair cut off at any write leaves a RAID-5 its partial parity logs, which name nothing while it is dirty" {
	need_fixtures
	tar -xJf "$FIXTURES/raid5-ppl-1.2-n4-c64.tar.xz"
	chmod u+w m?.img
	flip_byte m1.img 5000000
	for at in 2 5 9 11 12 15 18 21; do
		expect_exit 137 pgctl scrub --repair --accept data m0.img --fault "crash,at=$at"
		run_json inspect m?.img
		assert_json '[.paths[].found[0].details | .features[0] == "multiple-ppls" and .faults == [] and
			(.array_state == "clean" or .ppl.entries == 0)] | all' true \
			'[.arrays[0].members[].verdict] | unique | tojson' '["current"]'
	done
	expect_exit 0 pgctl scrub --repair --accept data m0.img
	run_json inspect m?.img
	assert_json '[.paths[].found[0].details | .features[0], .array_state] | unique | join(" ")' "clean multiple-ppls"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl extract: what is left of a volume, with the maps of ddrescue in and out.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

setup_file()
{
	pgctl_setup
	cd "$BATS_FILE_TMPDIR" || return
	random_file data 3000000
	pgctl create tank --size 16M m0.img m1.img m2.img m3.img m4.img m5.img -l parity --parity 2
	pgctl put m0.img data
	random_file mddata 6M 2
	pgctl create box --format md-1.2 --level 6 --chunk 64K --size 4M d0.img d1.img d2.img d3.img d4.img
	"$BATS_TEST_DIRNAME/md_raid6.py" mddata 1048576 65536 d?.img
}


# The array of setup_file, or that of Linux MD, beside `data`.
copy_array()
{
	cp --sparse=always "$BATS_FILE_TMPDIR"/m?.img .
	cp "$BATS_FILE_TMPDIR/data" .
}

copy_md()
{
	cp --sparse=always "$BATS_FILE_TMPDIR"/d?.img .
	cp "$BATS_FILE_TMPDIR/mddata" data
}

# map_of FILE SIZE [OFFSET LENGTH STATUS]…: a map of ddrescue of so many bytes, rescued but for these ranges, in order
map_of()
{
	local file=$1 size=$2 at=0

	shift 2
	{
		echo "# by hand"
		echo "0x0 + 1"
		while [ $# -gt 0 ]; do
			[ "$1" -eq $at ] || echo "$at $(($1 - at)) +"
			echo "$1 $2 $3"
			at=$(($1 + $2))
			shift 3
		done
		[ $at -eq "$size" ] || echo "$at $((size - at)) +"
	} >"$file"
}

# zeros FILE OFFSET LENGTH: what ddrescue leaves where it read nothing
zeros()
{
	dd if=/dev/zero of="$1" bs=512 seek=$(($2 / 512)) count=$(($3 / 512)) conv=notrunc status=none
}

# row_of OFFSET [VOLUME MEMBER]: the blocks of the row of this byte of `data`, the addressed one first: member[], lba[], and for those
# with data at[], where it is in the volume, else null
row_of()
{
	run_json map "${3:-m0.img}" "${2:-data}:$1"
	mapfile -t member < <(json '.blocks[].member')
	mapfile -t lba < <(json '.blocks[].lba')
	mapfile -t at < <(json '.blocks[].offset')
}

# same_but FILE OFFSET LENGTH [OFFSET LENGTH]…: FILE is `data`, with zeros at these ranges
same_but()
{
	local file=$1

	shift
	cp data expected
	while [ $# -gt 0 ]; do
		zeros expected "$1" "$2"
		shift 2
	done
	cmp "$file" expected
}

@test "extract of a whole array is what get gives, sparse, and its map says so" {
	copy_array
	expect_exit 0 pgctl extract m0.img -o out --out-map out.map
	cmp out data
	grep -q '^0x00000000  0x002DC6C0  +$' out.map
	truncate -s 8M zeros
	expect_exit 0 pgctl put m0.img zeros
	run_json extract m0.img zeros -o sparse
	assert_json .bytes 8388608 \
		'.lost == []' true
	cmp sparse zeros
	[ "$(stat -c %b sparse)" -lt 100 ]
}

@test "bad areas on three members: only the row beyond repair is lost, and only it is wanted" {
	copy_array
	local i m
	local -a maps=()

	row_of 1048576
	# The same block of three members, two of data and one parity; and elsewhere what the checks can bear.
	for i in 0 1 3; do
		m=${member[i]}
		zeros "m$m.img" "${lba[i]}" 4096
		maps+=(--map "$m=$m.map")
	done
	zeros "m${member[0]}.img" $((lba[0] + 8192)) 32768
	zeros "m${member[1]}.img" $((lba[1] + 12288)) 32768
	map_of "${member[0]}.map" 16777216 "${lba[0]}" 4096 - $((lba[0] + 8192)) 32768 /
	map_of "${member[1]}.map" 16777216 "${lba[1]}" 4096 - $((lba[1] + 12288)) 32768 '?'
	map_of "${member[3]}.map" 16777216 "${lba[3]}" 4096 -

	run_json extract m0.img -o out "${maps[@]}" --out-map out.map --next-domain next
	[ "$status" = 4 ]
	same_but out "${at[0]}" 4096 "${at[1]}" 4096
	assert_json '[.lost[] | [.volume, .offset, .length]] | sort' \
		"$(jq -n --argjson a "${at[0]}" --argjson b "${at[1]}" '[["data",$a,4096],["data",$b,4096]] | sort')"
	[ "$(grep -c -- ' -$' out.map)" = 2 ]
	for i in 0 1 3; do
		m=${member[i]}
		[ "$(grep -c '^0x.*+$' "next.$m")" = 1 ]
		grep -qx "$(printf '0x%08X  0x00001000  +' "${lba[i]}")" "next.$m"
	done
	assert_json '[.next_domain[].bytes]' "$(jq -n '[4096,4096,4096]')"
}

@test "MD RAID-6: bad areas on three members lose only the sectors that all three lack" {
	copy_md
	local i m
	local -a maps=()

	expect_exit 0 pgctl extract d0.img -o whole
	head -c 6M whole | cmp - data
	row_of 1048576 box d0.img
	# A chunk of two members; of a third one block and, elsewhere in the chunk, one sector.
	for i in 0 1 2; do
		m=${member[i]}
		maps+=(--map "d$m.img=$m.map")
	done
	zeros "d${member[0]}.img" "${lba[0]}" 65536
	zeros "d${member[1]}.img" "${lba[1]}" 65536
	zeros "d${member[2]}.img" $((lba[2] + 8192)) 4096
	zeros "d${member[2]}.img" $((lba[2] + 16384 + 1536)) 512
	map_of "${member[0]}.map" 4194304 "${lba[0]}" 65536 '?'
	map_of "${member[1]}.map" 4194304 "${lba[1]}" 65536 -
	map_of "${member[2]}.map" 4194304 $((lba[2] + 8192)) 4096 - $((lba[2] + 17920)) 512 -
	run_json extract d0.img -o out "${maps[@]}" --out-map out.map --next-domain next
	[ "$status" = 4 ]
	head -c 6M out >first
	same_but first $((at[0] + 8192)) 4096 $((at[0] + 17920)) 512 $((at[1] + 8192)) 4096 \
		$((at[1] + 17920)) 512 $((at[2] + 8192)) 4096 $((at[2] + 17920)) 512
	assert_json '[.lost[].length] == [4096, 512, 4096, 512, 4096, 512]'
	assert_json .by_sector $((3 * 3584))
	# The first was never tried, and any one of the three will do: the others need not be tried again.
	grep -qx "$(printf '0x%08X  0x00001000  +' $((lba[0] + 8192)))" "next.${member[0]}"
	grep -qx "$(printf '0x%08X  0x00000200  +' $((lba[0] + 17920)))" "next.${member[0]}"
	[ "$(grep -c '^0x.*+$' "next.${member[0]}")" = 2 ]
	expect_exit 1 grep '^0x.*+$' "next.${member[1]}" "next.${member[2]}"
}

@test "MD RAID-6: members that are bad in different sectors of one block help each other" {
	copy_md
	local i

	row_of 2097152 box d0.img
	# Three blocks of a row, each with two bad sectors of its own: no block could be solved as a whole.
	for i in 0 1 2; do
		zeros "d${member[i]}.img" $((lba[i] + i * 1024)) 1024
		map_of "${member[i]}.map" 4194304 $((lba[i] + i * 1024)) 1024 -
	done
	run_json extract d0.img -o out --map "${member[0]}=${member[0]}.map" \
		--map "${member[1]}=${member[1]}.map" --map "${member[2]}=${member[2]}.map"
	[ "$status" = 0 ]
	head -c 6M out | cmp - data
	assert_json .by_sector 12288
}

@test "native: sectors of one block are solved as well, and the block is held against its checksum" {
	copy_array
	local i

	row_of 1048576
	for i in 0 1 2; do
		zeros "m${member[i]}.img" $((lba[i] + i * 1024)) 1024
		map_of "${member[i]}.map" 16777216 $((lba[i] + i * 1024)) 1024 -
	done
	expect_exit 0 pgctl extract m0.img -o out --map "${member[0]}=${member[0]}.map" \
		--map "${member[1]}=${member[1]}.map" --map "${member[2]}=${member[2]}.map"
	cmp out data
	# One sector that is not what it was: the block is lost, whatever its other sectors say.
	flip_byte "m${member[2]}.img" $((lba[2] + 100))
	run_json extract m0.img -o again --map "${member[0]}=${member[0]}.map" \
		--map "${member[1]}=${member[1]}.map" --map "${member[2]}=${member[2]}.map"
	[ "$status" = 4 ]
	assert_json '[.lost[].length % 4096] | unique == [0]'
}

@test "two images of one disk, bad in different sectors, make one member" {
	local i
	local -a bad_a=() bad_b=()

	# Of a row with two members gone everything is needed. The images have every other sector each, and lack one both.
	for ((i = 0; i < 64; i++)); do
		[ $((i % 2)) = 1 ] || bad_a+=($((1114112 + i * 512)) 512 -)
		[ $((i % 2)) = 0 ] || bad_b+=($((1114112 + i * 512)) 512 '?')
	done
	copy_md
	rm d3.img d4.img
	mkdir other
	cp d0.img other/copy.img
	python3 - <<-'EOF'
		for name, first in ("d0.img", 0), ("other/copy.img", 512):
		    with open(name, "r+b") as image:
		        for at in range(1114112 + first, 1114112 + 32768, 1024):
		            image.seek(at)
		            image.write(bytes(512))
	EOF
	map_of a.map 4194304 "${bad_a[@]}"
	map_of b.map 4194304 "${bad_b[@]}"
	expect_exit 4 pgctl extract d1.img -o out --map d0.img=a.map
	expect_exit 0 pgctl extract d1.img -o out --map d0.img=a.map --map other/copy.img=b.map --force
	head -c 6M out | cmp - data
	# One sector that neither has is wanted of the disk, once.
	map_of b.map 4194304 1114112 512 - "${bad_b[@]}"
	run_json extract d1.img -o out --map other/copy.img=b.map --map d0.img=a.map --next-domain next --force
	[ "$status" = 4 ]
	assert_json '[.next_domain[] | [.member, .bytes]] == [[0, 512]]'
	# Without maps two images of one member are as they were: refused.
	copy_array
	cp m0.img again.img
	expect_exit 8 pgctl extract m0.img -o out --force
	assert_has duplicate "$(pgctl extract m0.img -o out --force --json || true)"
}

@test "--resume on a finished image tries again only what was lost, with the maps of the next round" {
	copy_md
	local i
	local -a maps=()

	row_of 1048576 box d0.img
	for i in 0 1 2; do
		cp "d${member[i]}.img" "whole$i"
		zeros "d${member[i]}.img" "${lba[i]}" 8192
		map_of "${member[i]}.map" 4194304 "${lba[i]}" 8192 -
		maps+=(--map "${member[i]}=${member[i]}.map")
	done
	expect_exit 4 pgctl extract d0.img -o out "${maps[@]}" --out-map out.map --next-domain next
	grep -q '^0x.*-$' out.map
	expect_exit 16 pgctl extract d0.img -o out "${maps[@]}" --out-map out.map
	expect_exit 16 pgctl extract d0.img -o out "${maps[@]}" --resume
	# ddrescue got the first of two blocks of one member. What is right already is not read again: it may be gone.
	dd if=whole1 of="d${member[1]}.img" bs=4096 skip=$((lba[1] / 4096)) seek=$((lba[1] / 4096)) count=1 \
		conv=notrunc status=none
	map_of "${member[1]}.map" 4194304 $((lba[1] - 65536)) 8192 - $((lba[1] + 4096)) 4096 -
	map_of "${member[0]}.map" 4194304 $((lba[0] - 65536)) 8192 - "${lba[0]}" 8192 -
	map_of "${member[2]}.map" 4194304 $((lba[2] - 65536)) 8192 - "${lba[2]}" 8192 -
	run_json extract d0.img -o out "${maps[@]}" --out-map out.map --next-domain next --resume
	[ "$status" = 4 ]
	assert_json '[.lost[] | [.offset % 65536, .length]] == [[4096, 4096], [4096, 4096], [4096, 4096]]'
	head -c 6M out >first
	same_but first $((at[0] + 4096)) 4096 $((at[1] + 4096)) 4096 $((at[2] + 4096)) 4096
}

@test "extract stopped by a signal leaves FILE.part and a map, and --resume makes the rest" {
	copy_array
	# As slow as it needs to be for the signal to come first.
	pgctl extract m0.img -o out --out-map out.map --rate-max 1M &
	local pid=$!
	for _ in {1..100}; do
		[ -e out.part ] && break
		sleep 0.05
	done
	kill -INT $pid
	local status=0
	wait $pid || status=$?
	[ $status = 32 ]
	[ ! -e out ]
	# On a fast machine all of it may have come before the signal.
	grep -q '?$' out.map || cmp out.part data
	expect_exit 16 pgctl extract m0.img -o out --out-map other.map
	assert_has --resume "$stderr"
	expect_exit 0 pgctl extract m0.img -o out --out-map out.map --resume
	cmp out data
	[ ! -e out.part ]
	expect_exit 1 grep '?$' out.map
}

@test "extract refuses to write to what it reads, and bad maps, before anything is made" {
	copy_array
	map_of 0.map 16777216 1048576 4096 -
	expect_exit 8 pgctl extract m0.img -o m1.img --force
	expect_exit 8 pgctl extract m0.img -o out --out-map m1.img --force
	expect_exit 8 pgctl extract m0.img -o out --out-map 0.map --map 0=0.map --force
	expect_exit 16 pgctl extract m0.img -o out --out-map out
	mv m5.img next.0
	expect_exit 8 pgctl extract m0.img -o out --map 0=0.map --next-domain next --force
	mv next.0 m5.img
	printf '0 + 1\n0 512 +\n0 512 -\n' >bad.map
	expect_exit 8 pgctl extract m0.img -o out --map 0=bad.map
	assert_has 'bad.map: line 3: the block begins before' "$stderr"
	expect_exit 16 pgctl extract m0.img -o out --map 9=0.map
	expect_exit 16 pgctl extract m0.img -o out --map 0=nosuch.map
	expect_exit 16 pgctl extract m0.img -o out --map 0=0.map --map m0.img=0.map
	expect_exit 16 pgctl extract m0.img -o out nosuch
	cp data out
	expect_exit 16 pgctl extract m0.img -o out
	cmp out data
	[ "$(echo out* next*)" = "out next*" ]
}

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
}

# The array of setup_file, or that of Linux MD, beside `data`.
copy_array()
{
	cp --sparse=always "$BATS_FILE_TMPDIR"/m?.img .
	cp "$BATS_FILE_TMPDIR/data" .
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

# row_of OFFSET: the blocks of the row of this byte of `data`, the addressed one first: member[], lba[], and for those
# with data at[], where it is in the volume, else null
row_of()
{
	run_json map m0.img "data:$1"
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
	assert_json .bytes 8388608
	assert_json '.lost == []'
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

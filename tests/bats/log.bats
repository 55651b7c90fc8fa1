#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# The intent log as the operator sees it: log show, check and prove; what status and the next command say; and
# rows of docs/CLAIMS.tsv that can be seen from outside. Crashes are made with --fault.
# shellcheck disable=SC2016,SC2154  # $x in single quotes is jq's; helper.bash sets stderr and document

bats_require_minimum_version 1.5.0
load helper

# make_array OPTION…: five members, volumes one and two
make_array()
{
	make_members 5 8M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K "$@"
	random_file one 1000000 1
	random_file two 1000000 2
	expect_exit 0 pgctl put m0.img one two
	random_file bytes 20000 3
}

# crash_in VOLUME OFFSET: die after the record, before all cells are written
crash_in()
{
	local point

	for point in $(seq 5 60); do
		run --separate-stderr "$PGCTL" write m0.img "$1" --offset "$2" --fault crash,at="$point" <bytes
		[ "$status" = 137 ] || fail_with "the write ended before it had named rows"
		run_json log show m0.img
		[ "$(json '[.entries[].volume] | index("'"$1"'") != null')" = false ] || return 0
	done
	fail_with "no record names rows"
}

@test "log: of an array that was never written in place there is none" {
	make_array -l parity -p 2 --width 5
	run_json log show m0.img
	assert_json '[.generation, (.copies | length), (.entries | length)] | @csv' 0,0,0
	expect_exit 0 pgctl log check m0.img
	expect_exit 0 pgctl log prove m0.img
}

@test "log show: rows as map numbers them, and the copies" {
	make_array -l parity -p 2 --width 5
	crash_in one 4096
	assert_json '.entries[0].volume' one
	run_json log show m0.img
	cksum m0.img >before
	group=$(json '.entries[0].group')
	row=$(json '.entries[0].row')
	assert_json '.entries[0].rows >= 1' true \
		'.entries[0].payload' 0 \
		'.copies | map(select(.valid)) | length >= 3' true
	run_json map m0.img one:4096
	assert_json .group "$group" \
		.row "$row"
	cksum m0.img | cmp - before
}

@test "log show: with --journal small the record carries the content" {
	make_array -l parity -p 2 --width 5 --journal small
	crash_in one 4096
	assert_json '[.entries[].payload] | add > 20000'
}

# Volume and stripe in every entry: after two crashes in two volumes each record names its own.
@test "R39: an entry is a volume's id and its stripe; two volumes are told apart" {
	make_array -l parity -p 1 --width 5
	run_json status m0.img
	crash_in one 0
	assert_json '[.entries[].volume] | unique | @csv' '"one"'
	first=$(json '.entries[0].volume_id')
	cells=$(json '[.entries[] | "\(.group)/\(.row)"] | join(" ")')
	crash_in two 0
	assert_json '[.entries[].volume] | unique | @csv' '"two"'
	[ "$(json '.entries[0].volume_id')" != "$first" ]
	[ "$(json '[.entries[] | "\(.group)/\(.row)"] | join(" ")')" != "$cells" ]
}

# Clearing is the next record's business: while a write is under way its rows are named; the record that ends the
# session, and any later one, names them no more.
@test "R47: the record after the write is cleaned names it no more" {
	make_array -l parity -p 1 --width 5
	crash_in one 0
	named=$(json .generation)
	expect_exit 0 pgctl write m0.img two --offset 4096 <bytes
	assert_has "recovered" "$stderr"
	run_json log show m0.img
	assert_json '.entries | length' 0
	[ "$(json .generation)" -gt "$named" ]
	# on every member in service: no loss brings the old one back
	assert_json '[.copies[] | select(.generation == '"$(json .generation)"' and .valid) | .member] | length' 5
}

# Generation g lies in slot g mod 2: two in succession share no slot. A damaged newest copy costs nothing.
@test "R48: successive generations share no slot, and the newest survives the loss of a copy" {
	make_array -l parity -p 2 --width 5
	crash_in one 0
	assert_json '[.copies[] | select(.valid and .generation % 2 != .slot)] | length' 0
	assert_json '[.copies[] | select(.valid)] | group_by(.generation) | map(map([.member, .slot])) as $all |
		[range(1; $all | length) | $all[.] - ($all[.] - $all[. - 1])] | flatten | length' 0
	generation=$(json .generation)
	entries=$(json '.entries | tojson')
	member=$(json '[.copies[] | select(.valid and .generation == '"$generation"')][0].member')
	slot=$(json '[.copies[] | select(.valid and .generation == '"$generation"')][0].slot')
	run_json inspect "m$member.img"
	offset=$(python3 -B - "m$member.img" "$BATS_TEST_DIRNAME/../reader" "$slot" <<-'PY'
		import sys
		data = open(sys.argv[1], "rb").read(64 << 20)
		# the super's log_offset and log_size, at 160 and 168 of any valid slot (FORMAT.md section 2)
		for at in list(range(64 << 10, 128 << 10, 4096)) + list(range(1 << 20, (1 << 20) + (64 << 10), 4096)):
		    if data[at:at + 8] == b"\x89PGCTL\r\n":
		        log, size = (int.from_bytes(data[at + i:at + i + 8], "little") for i in (160, 168))
		        print(log + int(sys.argv[3]) * size // 2 + 70)
		        break
	PY
	)
	flip_byte "m$member.img" "$offset"
	run_json log show m0.img
	assert_json .generation "$generation" \
		'.entries | tojson' "$entries" \
		'[.copies[] | select(.member == '"$member"' and .slot == '"$slot"')][0].valid' false
	expect_exit 0 pgctl write m0.img one </dev/null
	assert_has "recovered" "$stderr"
	expect_exit 0 pgctl scrub m0.img
}

@test "log check: damage of every copy of the newest record is found" {
	make_array -l parity -p 1 --width 5
	crash_in one 0
	expect_exit 0 pgctl log check m0.img
	assert_has "keeps its rules" "$output"
}

@test "log prove: in memory only, with every loss that the layout bears" {
	make_array -l parity -p 2 --width 5 --journal small
	crash_in one 0
	cksum m*.img >before
	run_json log prove m0.img
	[ "$status" = 0 ]
	# none, each of five, each pair of five
	assert_json '[.tolerance, .trials, .broken, .complete] | tojson' '[2,16,0,true]' \
		'[.losses[].verdict] | unique | tojson' '["recovered"]' \
		'.recovery.rows > 0' true
	cksum m*.img | cmp - before
}

@test "log prove: without content, rows that a loss takes are named" {
	make_array -l parity -p 1 --width 5
	crash_in one 0
	run_json log prove m0.img
	[ "$status" = 0 ]
	assert_json .broken 0 \
		'[.losses[].verdict] | inside(["recovered", "lost"])' true
}

@test "recovery: status names it, the next writing command does it and says so" {
	make_array -l parity -p 1 --width 5
	crash_in one 8192
	run_json status m0.img
	assert_json '[.problems[].code] | index("log-pending") != null' true \
		.array.health healthy
	expect_exit 0 pgctl explain log-pending
	cksum m*.img >before
	expect_exit 0 pgctl get m0.img one -o got
	cksum m*.img | cmp - before
	expect_exit 0 pgctl write m0.img two </dev/null
	assert_has "recovered" "$stderr"
	assert_has "rows of the log" "$stderr"
	run_json status m0.img
	assert_json '[.problems[].code] | tojson' '[]'
	expect_exit 0 pgctl write m0.img two </dev/null
	[ -z "$stderr" ] || fail_with "recovered twice"
	expect_exit 0 pgctl get m0.img one -o again --force
	cmp got again
}

@test "scrub --dirty: the rows of the log and no others" {
	make_array -l parity -p 1 --width 5
	crash_in one 8192
	rows=$(json '[.entries[].rows] | add')
	run_json scrub m0.img --dirty
	[ "$status" = 0 ]
	assert_json .rows_checked "$rows" \
		.left 0
	run_json scrub m0.img --dirty --repair
	assert_json .rows_checked "$rows"
	run_json scrub m0.img --dirty
	assert_json .rows_checked 0
	expect_exit 16 pgctl scrub m0.img --dirty --quick
	expect_exit 16 pgctl scrub m0.img --dirty --percent 5
}

@test "scrub --dirty: finds damage in the named rows, not elsewhere" {
	make_array -l parity -p 1 --width 5
	crash_in one 8192
	run_json map m0.img one:700000
	far=$(json '.blocks[0] | "m\(.member).img \(.lba)"')
	# shellcheck disable=SC2086  # two words: the file and the offset
	flip_byte $far
	expect_exit 0 pgctl scrub m0.img --dirty
	expect_exit 4 pgctl scrub m0.img
}

@test "history: epochs with who left and joined, absences, jobs" {
	make_array -l parity -p 1 --width 5
	run_json history m0.img
	assert_json '[.epochs[].epoch] | tojson' '[1]' \
		'[.epochs[0].present[].slot] | tojson' '[0,1,2,3,4]'
	mkdir away
	mv m1.img away/
	expect_exit 0 pgctl write m0.img one <bytes
	run_json history m0.img
	assert_json '[.epochs[-1].left[].slot] | tojson' '[1]' \
		'.members[] | select(.member == 1).absent_since > 0' true \
		'.log.generation > 0' true
	expect_exit 0 pgctl history m0.img
}

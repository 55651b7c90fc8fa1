#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl write: bytes into a volume that exists, in place. The oracle is a plain file that dd wrote at the same
# place. Crashes at every write and flush are tests/crash/crash.py's.
# shellcheck disable=SC2154  # helper.bash sets status, stderr and document

bats_require_minimum_version 1.5.0
load helper

LENGTH=3000001

# make_array OPTION…: five members, one volume of an odd length, and the model of it
make_array()
{
	make_members 5 8M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K "$@"
	random_file model "$LENGTH" 1
	expect_exit 0 pgctl put m0.img model --as volume
}

# put_at OFFSET LENGTH SEED: the same random bytes into the volume and into the model
put_at()
{
	random_file bytes "$2" "$3"
	run_json write m0.img volume --offset "$1" <bytes
	[ "$status" = 0 ] || fail_with "write of $2 bytes at $1"
	assert_has "\"length\": $2," "$document"
	dd if=bytes of=model bs=1M seek="$1" oflag=seek_bytes conv=notrunc status=none
}

# What --plan says is what is written, where every member is there. Sequential groups are written segment by
# segment, so a check block may be written several times.
plan_is_kept()
{
	run_json write m0.img volume --offset "$1" --length "$2" --plan </dev/null
	planned=$(json .bytes)
	assert_json '[.ranges[].length] | add' "$2"
	put_at "$1" "$2" 21
	written=$(json .bytes_written)
	case $LAYOUT in
	sequential) [ "$written" -ge "$planned" ] ;;
	*) [ "$written" = "$planned" ] ;;
	esac || fail_with "planned $planned bytes, written $written"
}

same_as_model()
{
	expect_exit 0 pgctl get "${1:-m0.img}" volume -o got --force
	cmp got model
}

# awkward: ranges that begin and end in the middle of blocks, units, rows, extents and groups
awkward()
{
	put_at 0 1 11
	put_at 4095 2 12
	put_at 65536 4096 13
	put_at 65535 65538 14
	put_at 262143 3 15
	put_at 500000 1000000 16
	put_at $((LENGTH - 1)) 1 17
	put_at $((LENGTH - 5000)) 5000 18
	put_at 0 "$LENGTH" 19
}

layout_case()
{
	LAYOUT=$2
	make_array "$@"
	awkward
	same_as_model
	plan_is_kept 70000 4096
	plan_is_kept 300001 1000000
	same_as_model
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 pgctl check m0.img
}

degraded_case()
{
	local absent=$1

	shift
	make_array "$@"
	mkdir away
	mv "$absent" away/
	awkward
	same_as_model m0.img
	# what came back missed the writes: it is no source, and a rebuild brings it up to date
	mv away/* .
	same_as_model m0.img
	expect_exit 0 pgctl rebuild m0.img "${absent//[a-z.]/}"
	same_as_model m0.img
	expect_exit 0 pgctl scrub m0.img
}

@test "write: parity, any offset and length equals a plain file" {
	layout_case -l parity -p 1 --width 4
}

@test "write: double parity, any offset and length equals a plain file" {
	layout_case -l parity -p 2 --width 5
}

@test "write: mirror of three, any offset and length equals a plain file" {
	layout_case -l mirror --copies 3
}

@test "write: sequential, any offset and length equals a plain file" {
	layout_case -l sequential --width 5
}

@test "write: sequential with two levels, any offset and length equals a plain file" {
	layout_case -l sequential --width 4 --levels 2
}

@test "write: one copy only, any offset and length equals a plain file" {
	layout_case -l plain
}

@test "write: around an absent member of parity, which comes back stale" {
	degraded_case m1.img -l parity -p 1 --width 5
}

@test "write: around an absent member of a mirror, which comes back stale" {
	degraded_case m1.img -l mirror --copies 2
}

@test "write: around an absent member of sequential, which comes back stale" {
	degraded_case m2.img -l sequential --width 5
}

@test "write: a member that fails on the way is marked before anything is acknowledged" {
	make_array -l parity -p 1 --width 5
	random_file bytes 300000 2
	dd if=bytes of=model bs=1M seek=1000 oflag=seek_bytes conv=notrunc status=none
	expect_exit 0 pgctl write m0.img volume --offset 1000 --fault write-error,member=2,at=3,count=0 <bytes
	[ "$stderr" = "pgctl: write: member 2 (m2.img) failed (io) and is out of service; try: pgctl status m0.img" ]
	run_json status m0.img
	assert_json '.members[] | select(.slot == 2).state' failed
	rm m2.img
	same_as_model
}

@test "write: --json says what was read and written, and how the rows were" {
	make_array -l parity -p 1 --width 5 -c 4K
	random_file bytes 16K 3
	run_json write m0.img volume --offset 16K --length 16K <bytes
	assert_json .schema pgctl.write/1 \
		'[.volume, .offset, .length] | @csv' '"volume",16384,16384' \
		'[.full_rows, .reconstructs, .modifies] | @csv' 1,0,0 \
		.bytes_written 20480
	random_file bytes 4K 4
	run_json write m0.img volume --offset 0 <bytes
	assert_json '.full_rows == 0 and .reconstructs + .modifies == 1' true \
		'.bytes_read >= 8192 and .bytes_written == 8192' true
}

@test "R77 write: a bad sector that is read for the row is rewritten, get leaves it" {
	make_array -l parity -p 1 --width 5 -c 4K
	run_json map m0.img
	read -r member start < <(jq -r '.groups[0].extents[2] | "\(.member) \(.start)"' <<<"$document")
	expect_exit 0 pgctl fault add "m$member.img" --kind bad --range "$start-$((start + 4096))"
	run_json get m0.img volume -o out
	assert_json '.volumes[0].reconstructed' 4096
	random_file bytes 8K 3
	run_json write m0.img volume --offset 0 <bytes
	assert_json '[.reconstructs, .healed] | @csv' 1,4096
	expect_exit 0 pgctl scrub m0.img
}

# traced FILTER: how many operations of the trace pass; `is_cell`: of data or checks, not of seals, log or map
traced()
{
	jq -s "def is_cell: .role == \"data\" or .role == \"parity\" or .role == \"pure\";
		[.[] | $1] | length" trace
}

# cost_case READS WRITES COPIES OPTION…: 4 KiB in the middle of a volume. The record, in COPIES copies, and a flush
# of each of them come before the first cell; then the cells that are written.
cost_case()
{
	local reads=$1 writes=$2 copies=$3

	shift 3
	rm -f m*.img
	make_members 6 8M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K "$@"
	expect_exit 0 pgctl put m0.img model --as volume
	expect_exit 0 pgctl write m0.img volume --offset 131072 --trace trace <bytes
	run jq -sc '
		def is_cell: .op != "flush" and (.role == "data" or .role == "parity" or .role == "pure");
		def count(f): map(select(f)) | length;
		.[:map(is_cell and .op == "write") | index(true)] as $before | [
			count(is_cell and .op == "read"), count(is_cell and .op == "write"),
			($before | count(.op == "write" and .role == "log")), ($before | count(.op == "flush")),
			($before | count(.op == "write" and .role != "log")), count(is_cell and .length != 4096)]' trace
	[ "$output" = "[$reads,$writes,$copies,$copies,0,0]" ] || fail_with "$*: $output"
}

@test "R36: write: 4 KiB cost the fewest cells that the code allows, and one record in p+1 copies" {
	random_file model 1M 1
	random_file bytes 4K 2
	cost_case 2 2 2 -l parity -p 1 --width 4
	cost_case 3 3 3 -l parity -p 2 --width 6
	cost_case 0 2 2 -l mirror --copies 2
	cost_case 3 3 2 -l sequential --width 5
}

@test "write: whole rows read no data: their seals and nothing else" {
	make_array -l parity -p 1 --width 5 -c 4K
	random_file bytes 160K 3
	run_json write m0.img volume <bytes --trace trace
	assert_json .full_rows 10
	run jq -s '[.[] | select(.op == "read" and (.role == "data" or .role == "parity")) | .length] | add // 0' trace
	[ "$output" = 0 ] || fail_with "$output bytes of data were read"
}

@test "write: --trace shows the record before the cells, and a flush between" {
	make_array -l parity -p 1 --width 5
	random_file bytes 4K 3
	expect_exit 0 pgctl write m0.img volume --trace trace <bytes
	# the first write is the log's; a flush of each member that took it comes before the first cell
	run jq -s '[.[] | select(.op != "read")] | .[0].role' trace
	[ "$output" = '"log"' ] || fail_with "the first write is of $output"
	run jq -s '[.[] | select(.op != "read")] as $all |
		($all | map(.role == "data" or .role == "parity") | index(true)) as $cell |
		[$all[:$cell][] | select(.op == "flush")] | length' trace
	[ "$output" -ge 2 ] || fail_with "$output flushes before the first cell"
}

@test "write: --plan names groups and rows, and writes nothing" {
	make_array -l parity -p 1 --width 5 -c 4K
	cksum m*.img >before
	run_json write m0.img volume --offset 4000 --length 200 --plan </dev/null
	assert_json .plan true \
		'.ranges | length' 1 \
		'.ranges[0] | [.group, .offset, .length, .first_row, .row_end, .rows] | @csv' 1,4000,200,0,1,1 \
		'.writes[] | select(.role == "data").bytes' 8192 \
		'.writes[] | select(.role != "data").bytes' 4096
	# a stream cannot say how long it is
	expect_exit 16 bash -c 'cat model | pgctl write m0.img volume --plan'
	cksum m*.img | cmp - before
}

@test "write: --plan of sequential counts row parity and pure parity" {
	make_array -l sequential --width 5
	run_json write m0.img volume --offset 0 --length 1 --plan </dev/null
	assert_json '.writes[] | select(.role == "data").bytes' 4096 \
		'.writes[] | select(.role != "data").bytes' 8192
}

@test "write: what does not fit is refused, and nothing is written" {
	make_array -l parity -p 1 --width 5
	cksum m*.img >before
	random_file bytes 100 3
	expect_exit 16 pgctl write m0.img volume --offset "$((LENGTH + 1))" <bytes
	assert_has "behind the end" "$stderr"
	expect_exit 16 pgctl write m0.img volume --offset "$((LENGTH - 99))" <bytes
	assert_has "has 99 bytes from offset" "$stderr"
	expect_exit 16 bash -c "cat bytes | pgctl write m0.img volume --offset $((LENGTH - 99))"
	assert_has "more bytes came" "$stderr"
	expect_exit 16 pgctl write m0.img volume --length 101 <bytes
	assert_has "has 100 bytes, not 101" "$stderr"
	expect_exit 16 bash -c 'cat bytes | pgctl write m0.img volume --length 101'
	assert_has "only 100 of 101 bytes came: 0 were written" "$stderr"
	expect_exit 16 pgctl write m0.img nothing <bytes
	assert_has "no volume" "$stderr"
	expect_exit 16 pgctl write m0.img volume --offset -1 <bytes
	expect_exit 16 pgctl write m0.img volume --length 4G <bytes
	cksum m*.img | cmp - before
}

@test "write: nothing comes in, nothing is written" {
	make_array -l parity -p 1 --width 5
	cksum m*.img >before
	run_json write m0.img volume </dev/null
	assert_json .length 0
	run_json write m0.img volume --offset "$LENGTH" </dev/null
	assert_json .length 0
	cksum m*.img | cmp - before
}

@test "write: --length takes so many bytes and leaves the rest" {
	make_array -l parity -p 1 --width 5
	random_file bytes 10000 3
	head -c 5000 bytes | dd of=model bs=1M seek=70 oflag=seek_bytes conv=notrunc status=none
	expect_exit 0 bash -c 'cat bytes | { pgctl write m0.img volume --offset 70 --length 5000; wc -c >rest; }'
	same_as_model
}

@test "write: a long stream arrives whole, piece by piece" {
	make_members 5 32M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l parity -p 1 --width 5
	random_file old 20M 1
	random_file model 20M 2
	expect_exit 0 pgctl put m0.img old --as volume
	expect_exit 0 bash -c 'cat model | pgctl write m0.img volume --trace trace'
	# all rows are whole: nothing is read of them but the entry pages of their seals, each once
	[ "$(traced 'select(.op == "read" and is_cell)')" = 0 ]
	[ "$(traced 'select(.op == "write" and is_cell)')" -gt 0 ]
	run jq -s '[.[] | select(.op == "read" and (.role == "seal" or .role == "witness")) |
		[.member, .offset]] | length == (unique | length) and length > 0' trace
	[ "$output" = true ] || fail_with "seals are read twice"
	same_as_model
	expect_exit 0 pgctl scrub m0.img
}

@test "write: SIGINT between two pieces: exit 32, and how far it came" {
	make_members 5 32M
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l parity -p 1 --width 5
	random_file old 20M 1
	random_file new 20M 2
	expect_exit 0 pgctl put m0.img old --as volume
	# the stream stands still in the third piece; the signal comes then
	mkfifo stream
	pgctl write m0.img volume --json <stream >report 2>/dev/null &
	writer=$!
	exec 9>stream
	head -c 10M new >&9
	for _ in $(seq 100); do
		sleep 0.1
		if pgctl read m1.img volume --length 8M 2>/dev/null | cmp -s - <(head -c 8M new); then break; fi
	done
	kill -INT "$writer"
	wait "$writer" && code=0 || code=$?
	exec 9>&-
	[ "$code" = 32 ] || fail_with "write ended with $code"
	written=$(jq .length report)
	[ "$written" -ge 8388608 ]
	[ "$written" -le 10485760 ]
	assert_has "up to offset $written" "$(jq -r .error.message report)"
	{ head -c "$written" new; tail -c +"$((written + 1))" old; } >model
	same_as_model
	expect_exit 0 pgctl scrub m0.img
	run_json log show m0.img
	assert_json '.entries | length' 0
}

@test "write: a second writer is refused with the first one's pid" {
	make_array -l parity -p 1 --width 5
	mkfifo pipe
	pgctl write m0.img volume <pipe >/dev/null 2>&1 &
	exec 9>pipe
	for _ in $(seq 50); do
		sleep 0.1
		run --separate-stderr pgctl write m0.img volume </dev/null
		[ "$status" = 0 ] || break
	done
	[ "$status" = 8 ]
	assert_has "$!" "$stderr"
	exec 9>&-
	wait
}

# Kill -9, a torn write, a power cut at every point: docs/WRITES.md section 5.
# bats test_tags=slow
@test "write: killed at any point, blocks are old or new and the log tells" {
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../crash/crash.py" --seed "${PGCTL_TEST_SEED:-1}" --step 9 \
		--layouts parity-2,sequential --states healthy,absent --journals degraded \
		--dir "$BATS_TEST_TMPDIR" "$PGCTL"
}

# bats test_tags=slow
@test "write: killed at one in 25 of all points, all layouts, states and journals" {
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../crash/crash.py" --step 25 \
		--seed "${PGCTL_TEST_SEED:-$RANDOM}" --dir "$BATS_TEST_TMPDIR" "$PGCTL"
}

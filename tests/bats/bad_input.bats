#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# What comes in is wrong: files that are no members, members that lie, names that bite. Each is refused with
# the fact and the next step, and not a byte is written.

bats_require_minimum_version 1.5.0
load helper

READER=$BATS_TEST_DIRNAME/../reader

# In a folder of its own, since bats keeps things beside it.
setup()
{
	pgctl_setup
	mkdir w
	cd w || return
}

teardown()
{
	if mountpoint -q "$BATS_TEST_TMPDIR/w/small"; then
		umount "$BATS_TEST_TMPDIR/w/small"
	fi
}

# A small array "tank" of three members with the volume v.
make_array()
{
	expect_exit 0 pgctl create tank m0.img m1.img m2.img --size 4M "$@"
	random_file v 300K
	expect_exit 0 pgctl put m0.img v
}

# Every name, and of every file size, time and bytes.
state()
{
	find . -type d -print -o -printf '%p %y %s %T@ %i\n' | sort
	find . -type f -size -100M -exec cksum {} + | sort
}

# refused STATUS WORD COMMAND…: with that exit status, naming WORD and what to try, on two lines without
# control characters; and everything is as it was.
refused()
{
	local expected=$1 word=$2 before line

	shift 2
	line=$*
	before=$(state)
	expect_exit "$expected" timeout 20 "$@" </dev/null
	assert_has "$word" "$stderr"
	assert_has "
try: " "$stderr"
	[ "$(wc -l <<<"$stderr")" = 2 ]
	if LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' <<<"$stderr$output"; then
		fail_with "a control character is printed"
	fi
	[ "$(state)" = "$before" ] || fail_with "${line:0:200}: something was written"
}

# ---- files

@test "bad: a truncated image is refused when nothing else is there, with both sizes" {
	make_array
	mkdir one
	cp m0.img one
	truncate -s 3M one/m0.img
	refused 8 "3145728 bytes, it had 4194304" pgctl status one/m0.img
	refused 8 "3145728 bytes, it had 4194304" pgctl get one/m0.img v -o out
	refused 8 "3145728 bytes, it had 4194304" pgctl scrub one/m0.img --repair
	refused 8 "3145728 bytes, it had 4194304" pgctl put one/m0.img v --as w
	refused 8 "3145728 bytes, it had 4194304" pgctl fail one/m0.img 1 --yes
	truncate -s 40K one/m0.img
	refused 8 "no pgctl superblock" pgctl put one/m0.img v --as w
}

@test "bad: a truncated image beside others is a missing member, and is left alone" {
	make_array
	truncate -s 3M m1.img
	before=$(cksum m1.img)
	run_json status m0.img
	assert_json .array.health degraded \
		'.members[1].state' truncated \
		'.problems[0].text | test("smaller")' true
	expect_exit 0 pgctl get m0.img v -o out
	cmp v out
	expect_exit 0 pgctl put m0.img v --as w
	[ "$(cksum m1.img)" = "$before" ]
}

@test "bad: a grown image, also by one byte, is as good as before" {
	make_array
	for size in 4194305 5M 80M; do
		truncate -s "$size" m1.img
		run_json status m0.img
		assert_json .array.health healthy
		expect_exit 0 pgctl put m0.img v --as "after-$size"
	done
	expect_exit 0 pgctl scrub m0.img
	pgctl get m0.img after-80M -o - -q | cmp - v
}

@test "bad: a member of another array is refused wherever a member is named" {
	make_array
	mkdir other
	expect_exit 0 pgctl create pond other/a.img other/b.img --size 8M
	refused 8 "another array, 'pond'" pgctl status m0.img --member other/a.img
	refused 8 "another array, 'pond'" pgctl put m0.img v --as w --member other/a.img
	refused 8 "member 0 of array pond" pgctl create x n.img other/a.img --size 8M
	refused 8 "member 0 of array pond" pgctl add m0.img other/a.img
	refused 8 "member 0 of array pond" pgctl replace m0.img 1 other/a.img
	refused 8 "member 0 of array pond" pgctl rebuild m0.img 1 --to other/a.img
	cp other/a.img .
	refused 16 "several arrays" pgctl put . v --as w
}

@test "bad: a cloned member is refused with both names" {
	make_array
	cp m1.img clone.img
	for name in . m0.img m1.img clone.img; do
		refused 8 "are the same member 1: one is a copy" pgctl put "$name" v --as w
		assert_has "clone.img (generation" "$stderr"
		assert_has "m1.img (generation" "$stderr"
	done
	refused 8 "one is a copy" pgctl status m0.img --member clone.img
}

@test "bad: one file under two names is refused, by hard link and by symbolic link" {
	make_array
	ln m0.img hard.img
	ln -s m0.img soft.img
	truncate -s 8M fresh.img
	for twin in hard.img soft.img; do
		refused 8 "same file" pgctl status m1.img --member m0.img --member "$twin"
		refused 8 "same file" pgctl create x fresh.img m0.img "$twin" --force
		refused 8 "member 0 of this array" pgctl add m1.img "$twin" --force
		refused 8 "both hold extents" pgctl replace m1.img 1 "$twin" --force
		refused 8 "both hold extents" pgctl rebuild m1.img 1 --to "$twin" --force
		refused 8 "member 0 of this array" pgctl get m1.img v -o "$twin" --force
		refused 8 "member 0 of this array" pgctl put m1.img "$twin" --as w
	done
}

@test "bad: a member beside the lost one in a group cannot take its place" {
	make_array
	refused 8 "members 0 and 1 both hold extents of group 1" pgctl replace m1.img 0 1
	refused 8 "members 0 and 1 both hold extents of group 1" pgctl rebuild m1.img 0 --to m1.img
	rm m0.img
	refused 8 "members 0 and 1 both hold extents of group 1" pgctl rebuild m1.img 0 --to 1
	expect_exit 0 pgctl rebuild m1.img 0 --to new.img --size 8M
	expect_exit 0 pgctl check m1.img
	pgctl get m1.img v -o - -q | cmp - v
}

@test "bad: empty file, directory, FIFO, socket and character device are no members" {
	make_array
	: >empty.img
	mkdir folder
	mkfifo fifo
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
	for pair in "fifo:FIFO" "socket:socket" "/dev/zero:character device"; do
		name=${pair%%:*} kind=${pair#*:}
		refused 16 "is a $kind" pgctl status "$name"
		refused 16 "is a $kind" pgctl inspect "$name"
		refused 16 "is a $kind" pgctl put "$name" v --as w
		refused 16 "is a $kind" pgctl status m0.img --member "$name"
		refused 16 "is a $kind" pgctl create x n.img "$name" --size 8M
		refused 16 "is a $kind" pgctl add m0.img "$name" --size 8M
		refused 16 "is a $kind" pgctl rebuild m0.img 1 --to "$name"
	done
	refused 16 "no pgctl array in this directory" pgctl put folder v --as w
	refused 16 "is a directory" pgctl inspect folder
	refused 16 "is a directory" pgctl create x n.img folder --size 8M
	refused 16 "is a directory" pgctl add m0.img folder
	refused 8 "no pgctl superblock" pgctl put empty.img v --as w
	refused 8 "no pgctl superblock" pgctl status m0.img --member empty.img
	refused 16 "is empty" pgctl create x empty.img
	refused 16 "is empty" pgctl add m0.img empty.img
}

@test "bad: a size that is no multiple of 4 KiB is refused before anything is made" {
	truncate -s 8388609 odd.img
	refused 16 "8388609 bytes, not a multiple of 4096" pgctl create x n.img odd.img --size 8M
	refused 16 "4096" pgctl create x n.img p.img --size 8388609
	make_array
	refused 16 "not a multiple of 4096" pgctl add m0.img odd.img
	refused 16 "not a multiple of 4096" pgctl rebuild m0.img 1 --to odd.img
}

@test "bad: a write-protected file is refused to an ordinary user, with mode and owner" {
	[ "$(id -u)" != 0 ] || skip "root may write everything"
	make_array
	chmod 444 m1.img
	refused 8 "m1.img: mode 0444" pgctl put m0.img v --as w
	refused 8 "m1.img: mode 0444" pgctl scrub m0.img --repair
	expect_exit 0 pgctl get m0.img v -o out
	cmp v out
	chmod 0 m1.img
	expect_exit 8 pgctl inspect m1.img
	assert_has "mode 0000" "$stderr"
	chmod 644 m1.img
	mkdir closed
	chmod 555 closed
	refused 8 "closed" pgctl create x closed/n.img p.img --size 8M
	refused 8 "closed" pgctl get m0.img v -o closed/out
}

@test "bad: more members than can be, at create and among the files of one array" {
	mapfile -t names < <(seq -f 'n%g.img' 65)
	refused 16 "more than 64 members" pgctl create x "${names[@]}" --size 8M
	unset 'names[64]'
	expect_exit 0 pgctl create x "${names[@]}" --size 4M
	random_file v 300K
	expect_exit 0 pgctl put n1.img v
	pgctl get n1.img v -o - -q | cmp - v
	refused 16 "64 members, more are not possible" pgctl add n1.img extra.img --size 4M
	mkdir many
	for i in $(seq 70); do
		cp n1.img "many/$i.img"
	done
	refused 16 "70 members found" pgctl status many
}

# ---- names

@test "bad: names with control characters are refused, and never printed as they are" {
	make_array
	local evil=$'a\e[2J\nb\x7f'

	refused 16 'a\x1b[2J\x0ab\x7f' pgctl create "$evil" n.img --size 8M
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl put m0.img v --as "$evil"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl volume create m0.img "$evil" --size 1M
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl volume rename m0.img v "$evil"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl volume remove m0.img "$evil" --yes
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl get m0.img "$evil"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl map m0.img "$evil:0"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl fail m0.img "$evil" --yes
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl status "$evil"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl status m0.img --member "$evil"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl explain "$evil"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl "$evil"
	refused 16 "control character" pgctl create x n.img --size 8M --across "$evil"
	refused 16 "control character" pgctl create x n.img --size 8M --label "n.img:$evil=b"
	refused 16 "control character" pgctl create x n.img --size 8M --label "n.img:a=$evil"
	cp v "$evil"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl put m0.img "$evil"
	refused 16 'a\x1b[2J\x0ab\x7f' pgctl create x "$evil"
}

@test "bad: a member whose file has such a name works, and its name is escaped" {
	make_array
	local evil=$'a\e[2J\nb'

	mv m1.img "$evil"
	for command in status map check scrub list; do
		pgctl "$command" . >out 2>&1
		if grep -q $'\e' out; then fail_with "$command prints the escape"; fi
	done
	run_json status .
	assert_json '.members[1].path' "$evil"
	printf 'read-error 1 2 3\n' >"$evil.faults"
	expect_exit 8 pgctl status .
	if grep -q $'\e' <<<"$stderr"; then false; fi
}

@test "bad: names of 10,000 characters are refused" {
	local long

	make_array
	long=$(printf '%010000d' 0 | tr 0 x)
	refused 16 "10000 bytes" pgctl create "$long" n.img --size 8M
	refused 16 "10000 bytes" pgctl put m0.img v --as "$long"
	refused 16 "10000 bytes" pgctl volume create m0.img "$long" --size 1M
	refused 16 "10000 bytes" pgctl volume rename m0.img v "$long"
	refused 16 "no volume 'xxxx" pgctl get m0.img "$long"
	refused 16 "no member 'xxxx" pgctl fail m0.img "$long" --yes
	refused 16 "10000" pgctl create x n.img --size 8M --across "$long"
	refused 16 "10000" pgctl create x n.img --size 8M --label "n.img:a=$long"
	refused 16 "unknown command 'xxxx" pgctl "$long"
	refused 16 "unknown option '--xxxx" pgctl status "--$long"
	refused 8 "File name too long" pgctl status "$long"
	refused 8 "xxxx" pgctl get m0.img v -o "$long"
	# 255 bytes are what a name may have, and no more.
	expect_exit 0 pgctl put m0.img v --as "${long:0:255}"
	refused 16 "256 bytes" pgctl put m0.img v --as "${long:0:256}"
}

# ---- no room

@test "bad: create of files larger than may be leaves none" {
	ulimit -f 4096
	refused 8 "cannot be made" pgctl create x n.img p.img --size 64M
}

@test "bad: no space in the middle of put: what was there is whole, and put works once there is room" {
	mkdir away
	make_array
	random_file big 3M
	# Writes behind 2 MiB of a member fail: metadata and the first frames lie before it.
	status=0
	(ulimit -f 2048 && exec pgctl put m0.img big) >out 2>err || status=$?
	[ "$status" = 8 ] || fail_with "put ended with $status" "$(cat err)"
	grep -q "^pgctl: put: .*" err
	grep -q "^try: " err
	run_json status m0.img
	assert_json .array.health healthy \
		'[.volumes[].name] == ["v"]' true
	pgctl get m0.img v -o - -q | cmp - v
	expect_exit 0 pgctl scrub m0.img
	expect_exit 0 pgctl put m0.img big
	pgctl get m0.img big -o - -q | cmp - big
	expect_exit 0 pgctl scrub m0.img
}

@test "bad: a file system that is full in the middle of put" {
	[ "$(id -u)" = 0 ] || skip "only root may mount"
	mkdir small
	mount -t tmpfs -o size=12M none small || skip "no tmpfs can be mounted here"
	expect_exit 0 pgctl create tank small/m0.img small/m1.img small/m2.img --size 16M
	random_file v 1M
	random_file big 12M
	expect_exit 0 pgctl put small/m0.img v
	expect_exit 8 pgctl put small/m0.img big
	assert_has "space" "$stderr"
	assert_has "try: " "$stderr"
	run_json status small/m0.img
	assert_json .array.health healthy \
		'[.volumes[].name] == ["v"]' true
	pgctl get small/m0.img v -o - -q | cmp - v
	expect_exit 0 pgctl scrub small/m0.img
	mount -o remount,size=64M small
	expect_exit 0 pgctl put small/m0.img big
	pgctl get small/m0.img big -o - -q | cmp - big
}

# ---- members that lie

# As far as a sanitizer allows: its own memory needs more than any limit.
choose_limits()
{
	limits="ulimit -v 786432; timeout 2"
	(ulimit -v 786432 && pgctl version) >/dev/null 2>&1 || limits="timeout 20"
}

@test "bad: newer versions and unknown features are named, and nothing is changed" {
	make_array
	for field in version:2 features_refuse:0x10 features_read:1; do
		mkdir copy
		cp m?.img copy
		for image in copy/m?.img; do
			python3 -B "$READER/craft.py" hostile "$image" --field "${field%:*}" \
				--value "${field#*:}" >/dev/null
		done
		case $field in
		version:*) word="version 2" ;;
		*) word="unknown features" ;;
		esac
		for command in "status" "scrub --repair" "get" "put" "fail"; do
			# shellcheck disable=SC2046,SC2086  # words, or none
			refused 8 "$word" pgctl $command copy/m0.img $([ "$command" = "get" ] && echo v) \
				$([ "$command" = "put" ] && echo v) $([ "$command" = "fail" ] && echo 1)
			assert_has "newer pgctl" "$stderr"
		done
		rm -r copy
	done
	# What may be ignored is ignored.
	for image in m?.img; do
		python3 -B "$READER/craft.py" hostile "$image" --field features_ignore --value 255 >/dev/null
	done
	expect_exit 0 pgctl get m0.img v -o out
	cmp v out
}

# bats test_tags=slow
@test "bad: superblocks and maps that lie with right checksums are refused, soon and in little memory" {
	local number name word before

	choose_limits
	mkdir h
	python3 -B "$READER/hostile.py" h
	expect_exit 0 pgctl scrub h/honest/member0.img
	random_file v 20K
	before=$(state)
	[ "$(wc -l <h/list)" -ge 200 ]
	while IFS=$'\t' read -r number name word; do
		for command in "status $PWD/h/$number/member0.img" "put $PWD/h/$number/member0.img v"; do
			# opening is the same for all of them: the second command takes every third
			case $command in put*) ((10#$number % 3 == 0)) || continue ;; esac
			status=0
			(eval "$limits pgctl $command") >/dev/null 2>"$BATS_RUN_TMPDIR/err.$$" </dev/null ||
				status=$?
			stderr=$(<"$BATS_RUN_TMPDIR/err.$$")
			case $status in
			8 | 16) ;;
			*) fail_with "$name: $command" ;;
			esac
			[[ $stderr =~ $word ]] || fail_with "$name: it is not said: $word"
			assert_has "
try: " "$stderr"
		done
	done <h/list
	rm -f "$BATS_RUN_TMPDIR/err.$$"
	[ "$(state)" = "$before" ] || fail_with "something was written"
}

# bats test_tags=slow
@test "bad: what is odd but possible makes no command fall over" {
	local number name command

	choose_limits
	mkdir h
	python3 -B "$READER/hostile.py" h
	random_file v 20K
	while IFS=$'\t' read -r number name; do
		mkdir work
		cp "h/$number"/* v work
		cd work
		for command in status "status --json" map check "check --rebuild-map --plan" scrub \
			"scrub --quick" "volume list" list "job list" "scrub --repair" \
			"rebuild --resume" put "get --tar out.tar" "fail 1" "check --rebuild-map"; do
			status=0
			# shellcheck disable=SC2086  # several words
			set -- $command
			[ "$1" = put ] && set -- put . v
			[ "$#" = 1 ] && set -- "$1" .
			case $1:$2 in
			volume:list | job:list) set -- "$1" "$2" . ;;
			*:--*) set -- "$1" . "${@:2}" ;;
			fail:1) set -- fail . 1 ;;
			esac
			(eval "$limits pgctl" '"$@"' --yes) >out 2>err </dev/null || status=$?
			[ "$status" -le 68 ] || fail_with "$name: $*: $status" "$(cat err)"
			if grep -q $'\e' out err; then fail_with "$name: $*: an escape is printed"; fi
		done
		# shellcheck disable=SC2103  # the loop reads its list from there
		cd ..
		rm -r work
	done <h/odd
}

# bats test_tags=slow
@test "bad: one member that lies among honest ones is no crash, and no data is wrong" {
	local number name status

	choose_limits
	mkdir h
	python3 -B "$READER/hostile.py" h
	expect_exit 0 pgctl get h/honest/member0.img alpha -o alpha
	while IFS=$'\t' read -r number name _; do
		rm -rf work
		mkdir work
		cp "h/$number/member0.img" work
		cp h/honest/member[12].img work
		status=0
		(eval "$limits pgctl get work/member1.img alpha -o work/got --force") >/dev/null 2>err ||
			status=$?
		[ "$status" -le 16 ] || fail_with "$name: $status" "$(cat err)"
		[ "$status" != 0 ] || cmp alpha work/got
	done < <(grep -v many h/list | grep -v sparse)
}

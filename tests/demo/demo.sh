#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# make demo: arrays are broken and healed before your eyes, one of each layout.
#
# For each layout an array of six image files stores an ext4 file system made from a real directory
# tree, and two large files. Bytes are flipped on one member; scrub has to name exactly the blocks that
# were hit. A member is deleted; everything has to come back. Every line that begins with "$" is the
# command that was run. The first thing that is not as it must be ends the demo with a message and 1.
#
#	PGCTL=FILE	the program, else ./pgctl of the source tree
#	DEMO_TREE=DIR	the directory tree, else /usr/share/doc
#	TMPDIR=DIR	where the images go for a minute: 1 GiB at most
#
# Needs no root. Everything happens in a new directory below TMPDIR, which is removed at the end.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
PGCTL=${PGCTL:-$here/pgctl}
TREE=${DEMO_TREE:-/usr/share/doc}
TREE_KIB_MAX=65536 # of the tree: more is left out, to stay below two minutes on a slow disk
MEMBERS=6
BLOCK=4096
PATH=$PATH:/usr/sbin:/sbin # mke2fs and e2fsck, which have no business with root here
export LC_ALL=C.UTF-8

# ---- how it is shown

bold='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
	bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
fi
step=0

heading()
{
	step=$((step + 1))
	printf '\n%s%d. %s%s\n' "$bold" "$step" "$*" "$plain"
}

note()
{
	printf '   %s\n' "$@"
}

fail()
{
	printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2
	exit 1
}

pgctl()
{
	"$PGCTL" "$@"
}

# What a command said: long lines cut, and of a long table the beginning.
show()
{
	awk -v lines=20 -v columns=100 '
		length > columns { $0 = substr($0, 1, columns - 1) "…" }
		NR <= lines { print "   | " $0 }
		END { if (NR > lines) print "   | … and " NR - lines " more lines" }' "$@"
}

# run STATUS COMMAND…: show the command, run it, show what it says; any other exit status is a failure.
run()
{
	local expected=$1 status=0

	shift
	printf '   $ %s\n' "$*"
	"$@" >"$work/said" 2>&1 </dev/null || status=$?
	show "$work/said"
	[ "$status" = "$expected" ] || fail "'$*' ended with $status, expected $expected"
	[ "$status" = 0 ] || note "(exit status $status: $(meaning "$status"))"
}

# The same for a command whose output is a JSON document, which goes to $work/NAME.json.
run_json()
{
	local name=$1 expected=$2 status=0

	shift 2
	printf '   $ %s > %s.json\n' "$*" "$name"
	"$@" >"$work/$name.json" 2>"$work/said" </dev/null || status=$?
	show "$work/said"
	[ "$status" = "$expected" ] || fail "'$*' ended with $status, expected $expected"
	jq -e . "$work/$name.json" >/dev/null || fail "'$*' printed no JSON document"
	[ "$status" = 0 ] || note "(exit status $status: $(meaning "$status"))"
}

meaning()
{
	case $1 in
	1) echo "errors were found and corrected" ;;
	4) echo "errors are left" ;;
	*) echo "see pgctl(8)" ;;
	esac
}

cleanup()
{
	local status=$?

	trap - EXIT
	cd /
	rm -rf -- "$work"
	exit "$status"
}

# ---- what is stored

# A copy of the tree, as much of it as fits the bound; then a file system image of exactly that.
make_tree()
{
	local kib name sum=0

	mkdir tree
	while read -r kib name; do
		sum=$((sum + kib))
		[ "$sum" -le "$TREE_KIB_MAX" ] || break
		cp -R -- "$name" tree/ 2>/dev/null || true # what this user may not read is left out
	done < <(find "$TREE" -mindepth 1 -maxdepth 1 -print0 | sort -z |
		xargs -0 -r du -sk -- 2>/dev/null)
	[ -n "$(find tree -type f -print -quit)" ] || cp -R -- "$here/docs" "$here/core" tree/
	chmod -R u+rwX tree
	note "$(find tree -type f | wc -l) files, $(du -sh tree | cut -f 1), from $TREE"
}

make_volumes()
{
	local size

	size=$(($(du -sk tree | cut -f 1) * 5 / 4 + 8192))
	run 0 mke2fs -q -t ext4 -d tree doc.ext4 "${size}k"
	rm -rf tree
	printf '   $ %s\n' 'head -c 40000001 /dev/urandom > random.bin' 'seq 5000000 > numbers.txt'
	head -c 40000001 /dev/urandom >random.bin
	seq 5000000 >numbers.txt
	printf '   $ %s\n' 'sha256sum doc.ext4 random.bin numbers.txt > SHA256SUMS'
	sha256sum doc.ext4 random.bin numbers.txt >SHA256SUMS
	show SHA256SUMS
}

# Six members of this size hold two copies of everything and leave room.
member_mib()
{
	local bytes

	bytes=$(cat doc.ext4 random.bin numbers.txt | wc -c)
	echo $((bytes * 3 / MEMBERS / 1048576 + 32))
}

# ---- what is done to an array

# damage MEMBER: change one byte in blocks of its extents, spread over all of them: first, middle and
# last blocks. Writes the list of places as "MEMBER LBA" lines to $work/hit.
damage()
{
	local member=$1 path start where at=0

	path=$(jq -er ".members[] | select(.slot == $member).path" map.json)
	jq -er "[.groups[].extents[] | select(.member == $member)] |
		[.[0], .[length / 4 | floor], .[length / 2 | floor], .[-1]] | unique_by(.id)[] |
		(.start, .start + (.length / 2 / $BLOCK | floor) * $BLOCK, .start + .length - $BLOCK)" \
		map.json | sort -nu >hit.starts
	while read -r start; do
		where=$((start + (at * 977 + 13) % BLOCK))
		flip "$path" "$where"
		echo "$member $start"
		at=$((at + 1))
	done <hit.starts >hit
	note "one byte changed in each of $(wc -l <hit) blocks of $path, at bytes"
	paste -sd ' ' hit.starts | fold -sw 90 | show
}

flip()
{
	local byte

	byte=$(od -An -tu1 -j "$2" -N 1 -- "$1")
	[ -n "$byte" ] || fail "$1 has no byte $2"
	# shellcheck disable=SC2059  # the format is the byte
	printf "\\x$(printf %02x $((byte ^ 255)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# The blocks that scrub says are not good must be those that were hit, no more and no less.
compare_blocks()
{
	jq -r '.mismatches[].blocks[] | select(.state != "good") | "\(.member) \(.lba)"' scrub.json |
		sort -u >named
	sort -u hit >hit.sorted
	if ! diff hit.sorted named >difference; then
		show difference
		fail "scrub does not name exactly the blocks that were hit (< hit, > named)"
	fi
	[ "$(jq .left scrub.json)" -gt 0 ] || fail "scrub says that nothing is left"
	note "scrub names exactly these $(wc -l <named) blocks, and no other:"
	jq -r '.mismatches[0] | "group \(.group), row \(.row), \(.blocks[0].role) block on member " +
		"\(.suspect) at byte \(.blocks[0].lba), volume \(.volume // "-"), known by \(.basis), …"' \
		scrub.json | show
}

# Every volume comes back as it was stored, and the file system is whole.
get_all()
{
	local name

	rm -rf back
	mkdir back
	for name in doc.ext4 random.bin numbers.txt; do
		run 0 pgctl get "$1" "$name" -o "back/$name"
	done
	same
}

same()
{
	printf '   $ %s\n' '(cd back && sha256sum -c ../SHA256SUMS)'
	(cd back && sha256sum -c ../SHA256SUMS) >said 2>&1 || {
		cat said
		fail "a volume did not come back as it was stored"
	}
	show said
	run 0 e2fsck -fn back/doc.ext4
	rm -rf back
}

# The same down a pipe.
sums()
{
	local sum name

	while read -r sum name; do
		printf '   $ %s\n' "pgctl get $1 $name -o - | sha256sum"
		pgctl get "$1" "$name" -o - 2>said | sha256sum >sum || fail "$(cat said)"
		show sum
		[ "$(cut -d ' ' -f 1 sum)" = "$sum" ] || fail "$name is not what was stored, $sum"
	done <SHA256SUMS
}

health_is()
{
	run_json status 0 pgctl status "$1" --json
	[ "$(jq -r .array.health status.json)" = "$2" ] ||
		fail "$1 is $(jq -r .array.health status.json), expected $2"
	note "health: $2"
}

create_and_put()
{
	local name=$1

	shift
	mkdir "$name"
	run 0 pgctl create "$name" --size "${mib}M" "$@" "$name"/d{0..5}.img
	run 0 pgctl put "$name" doc.ext4 random.bin numbers.txt
}

# The whole story of a layout that survives the loss of a member.
redundant()
{
	local name=$1 about=$2

	shift 2
	heading "$name: $about"
	create_and_put "$name" "$@"

	heading "$name: bytes rot on member 2"
	run_json map 0 pgctl map "$name" --json
	damage 2
	run_json scrub 4 pgctl scrub "$name" --check --json
	compare_blocks
	run 1 pgctl scrub "$name" --repair
	run 0 pgctl scrub "$name" --check

	heading "$name: member 3 is deleted"
	run 0 rm "$name/d3.img"
	health_is "$name" degraded
	get_all "$name"

	heading "$name: rebuild onto a new image"
	run 0 pgctl rebuild "$name" 3 --to "$name/new.img"
	health_is "$name" healthy
	run 0 pgctl scrub "$name" --check
	sums "$name"
	rm -rf -- "$name"
}

# plain keeps one copy: damage is found and named, and that is all anybody can do.
unprotected()
{
	heading "plain: one copy of everything, no protection"
	create_and_put plain --layout plain
	get_all plain

	heading "plain: bytes rot on member 2"
	run_json map 0 pgctl map plain --json
	damage 2
	run_json scrub 4 pgctl scrub plain --check --json
	compare_blocks
	run_json scrub 4 pgctl scrub plain --repair --json
	compare_blocks
	[ "$(jq .repaired scrub.json)" = 0 ] || fail "there is nothing to repair from"
	note "Nothing can be repaired: there is no second copy and no parity. But nobody is given" \
		"wrong bytes: what is damaged is refused, by name."
	run 4 pgctl get plain "$(damaged_volume)" -o wrong
	[ ! -e wrong ] || fail "a file was left although data is lost"
	rm -rf plain
}

damaged_volume()
{
	jq -er 'first(.mismatches[].volume | strings)' scrub.json
}

# ---- the play

for tool in "$PGCTL" jq mke2fs e2fsck sha256sum; do
	command -v "$tool" >/dev/null || fail "$tool is not there; make demo installs what is missing"
done
work=$(mktemp -d "${TMPDIR:-/tmp}/pgctl-demo.XXXXXX")
trap cleanup EXIT
trap 'exit 130' INT TERM
cd "$work"
SECONDS=0

note "$(pgctl --version), as user $(id -un), in $work"
heading "What will be stored: a file system of a real directory tree, and two large files"
make_tree
make_volumes
mib=$(member_mib)

redundant mirror "two copies of everything" --layout mirror
redundant parity "XOR parity, any one member may go" --layout parity --parity 1
redundant sequential "for streams: whole runs on one member, parity behind them" \
	--layout sequential --width 6 --levels 2
unprotected

heading "Done"
note "All of it was as it must be: $SECONDS seconds, as $(id -un). $work is removed."

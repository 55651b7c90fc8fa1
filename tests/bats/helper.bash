# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# What the bats files share. Each begins with `load helper` and then works in its own empty folder,
# $BATS_TEST_TMPDIR; nothing needs root. A case of its own setup() calls pgctl_setup first.
#
#	expect_exit N COMMAND…	run; fail unless it ends with N. Sets $output and $stderr
#	run_json COMMAND…	pgctl COMMAND --json: one document, which says the exit status
#	json FILTER		what jq makes of the last document
#	assert_json FILTER [V]	FILTER is true, or gives V
#	assert_json F V F V…	each F gives its V, seen in one run of jq
#	assert_has WORD TEXT	TEXT contains WORD
#	make_members N SIZE	sparse files m0.img m1.img …; their names also in the array MEMBERS
#	sha FILE|-		the SHA-256 of a file or of standard input, alone
#	assert_sums LIST	the files in LIST are what they were at `cksum FILE… >LIST`, which is far cheaper
#	random_file FILE SIZE [SEED]	bytes that are the same for the same seed
#	flip_byte FILE OFFSET	change one byte in place, so that it surely differs
#	need COMMAND…		skip the case where one of the commands is not installed
#	need_fixtures		skip it where the arrays that real tools made are not there. They are in $FIXTURES: PGCTL_FIXTURES
#				names its parent, without it ../shared/fixtures beside the sources. $MD has what crafts others
#
# A case fails at its first command that fails, so assertions stand as plain lines. Beware of `!`,
# which bash lets pass: write `if x; then false; fi`, or expect_exit.

bats_require_minimum_version 1.5.0

# shellcheck disable=SC2034  # for the cases
MD=$BATS_TEST_DIRNAME/../md
FIXTURES=${PGCTL_FIXTURES:-$BATS_TEST_DIRNAME/../../../shared/fixtures}/md

setup()
{
	pgctl_setup
}

pgctl_setup()
{
	PGCTL=${PGCTL:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/pgctl}
	PATH=$(dirname "$PGCTL"):$PATH
	export PGCTL PATH LC_ALL=C.UTF-8 TZ=UTC PYTHONDONTWRITEBYTECODE=1
	unset PGCTL_CONFIG DISPLAY
	HOME=$BATS_TEST_TMPDIR
	export HOME
	cd "$BATS_TEST_TMPDIR" || return
}

# Say why and fail, with what the last command printed.
fail_with()
{
	printf '%s\n' "$@" "-- status ${status-}, output:" "${output-}" "-- stderr:" "${stderr-}" >&2
	return 1
}

# What `run --separate-stderr` does, without its temporary files and processes.
capture()
{
	local errors=$BATS_FILE_TMPDIR/stderr

	status=0
	output=$("$@" 2>"$errors") || status=$?
	stderr=$(<"$errors")
	# shellcheck disable=SC2034  # for the cases
	mapfile -t lines <<<"$output"
}

expect_exit()
{
	local expected=$1

	shift
	capture "$@"
	[ "$status" = "$expected" ] || fail_with "$* ended with $status, expected $expected"
}

run_json()
{
	local pattern

	capture "$PGCTL" "$@" --json
	document=$output
	# Without jq, whose start costs more than most commands: json, next, looks at the rest.
	pattern='^\{"schema": "pgctl\.[a-z-]+/[0-9]+", "exit": '${status}'[,}]'
	[[ $document =~ $pattern && ${#lines[@]} = 1 ]] ||
		fail_with "$*: not one document with a schema and the exit status"
}

json()
{
	jq -r "$1" <<<"$document"
}

# Several at once are one run of jq, which costs more than most commands; each alone only where they do not all hold.
assert_json()
{
	local expected found filters='' i

	if [ $# -gt 2 ]; then
		for ((i = 1; i <= $#; i += 2)); do
			filters+="${filters:+, }[${!i}]"
		done
		found=$(jq --argjson count "$(($# / 2))" "[$filters] |"'
			[.[] | map(if type == "string" then . else tojson end) | join("\n")] ==
			[range($count) | $ARGS.positional[2 * . + 1]]' --args "$@" \
			<<<"$document" 2>/dev/null) && [ "$found" = true ] && return
		while [ $# -gt 2 ]; do
			assert_json "$1" "$2"
			shift 2
		done
	fi
	expected=${2-true}
	found=$(json "$1") || fail_with "jq cannot do: $1"
	[ "$found" = "$expected" ] || fail_with "$1 gives '$found', expected '$expected'"
}

assert_has()
{
	case $2 in
	*"$1"*) ;;
	*) fail_with "missing: $1" "in: $2" ;;
	esac
}

make_members()
{
	local count=$1 size=$2 i

	MEMBERS=()
	for ((i = 0; i < count; i++)); do
		truncate -s "$size" "m$i.img"
		MEMBERS+=("m$i.img")
	done
}

sha()
{
	sha256sum -- "$1" | cut -d ' ' -f 1
}

assert_sums()
{
	cut -d ' ' -f 3- -- "$1" | tr '\n' '\0' | xargs -0 cksum -- | cmp - "$1"
}

# From a seed, so that a failure can be repeated. Made once, then copied.
random_file()
{
	local file=$1 size=$2 seed=${3:-1}
	local made=${RANDOM_FILES:-$BATS_FILE_TMPDIR}/random.$size.$seed

	if [ ! -e "$made" ]; then
		random_bytes "$made.$$" "$size" "$seed"
		mv -- "$made.$$" "$made"
	fi
	cp -- "$made" "$file"
}

random_bytes()
{
	local file=$1 size=$2 seed=$3

	python3 - "$file" "$(numfmt --from=iec "$size")" "$seed" <<-'EOF'
		import random, sys
		file, size, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		generator = random.Random(seed)
		with open(file, "wb") as out:
		    while size:
		        step = min(size, 1 << 20)
		        out.write(generator.randbytes(step))
		        size -= step
	EOF
}

flip_byte()
{
	local file=$1 offset=$2 byte

	byte=$(od -An -tu1 -j "$offset" -N 1 -- "$file")
	[ -n "$byte" ] || fail_with "$file has no byte $offset"
	# shellcheck disable=SC2059  # the format is the byte
	printf "\\x$(printf %02x $((byte ^ 255)))" |
		dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

need()
{
	local command

	for command; do
		command -v "$command" >/dev/null || skip "$command is not installed"
	done
}

need_fixtures()
{
	[ -d "$FIXTURES" ] || skip "no arrays in $FIXTURES"
}

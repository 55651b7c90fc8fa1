#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The command line itself: usage errors, help, output, exit status, how members are found, the shell.
# What commands do is tested in their own files.

load helper

# A small array "tank" of three members in disks/, with the volume v.
make_array()
{
	mkdir -p disks
	pgctl create tank disks/m0.img disks/m1.img disks/m2.img --size 16M --extent 64K -l parity \
		--width 3 > /dev/null
	random_file v 700K
	pgctl put disks/m0.img v > /dev/null
}

# ---- help

@test "version: one line, on standard output" {
	expect_exit 0 pgctl --version
	assert_has "pgctl " "$output"
	[ -z "$stderr" ]
	run_json version
	assert_json '.version | test("^[0-9]+[.][0-9]+[.][0-9]+$")'
}

@test "help: every command is listed" {
	expect_exit 0 pgctl help
	[ -z "$stderr" ]
	for name in create volume put get read status list inspect map check scrub fail offline online \
		add remove rebuild replace wait job fault explain help version shell; do
		assert_has "
  $name " "$output"
	done
}

@test "help: --help of every command is its help page, on standard output, exit 0" {
	for name in $(pgctl --list-commands); do
		expect_exit 0 pgctl "$name" --help
		assert_has "usage: pgctl $name" "$output"
		[ -z "$stderr" ]
		[ "$output" = "$(pgctl help "$name")" ]
	done
}

@test "help: verbs have pages of their own" {
	expect_exit 0 pgctl help volume
	assert_has "create" "$output"
	expect_exit 0 pgctl volume create --help
	assert_has "usage: pgctl volume create" "$output"
	[ "$output" = "$(pgctl help volume create)" ]
}

@test "help: an unknown command is a usage error" {
	expect_exit 16 pgctl help scrbu
	assert_has "did you mean 'scrub'" "$stderr"
}

@test "explain: every code has a meaning and a next step" {
	run_json explain
	[ "$(json '.codes | length')" -gt 25 ]
	for code in $(json '.codes[].code'); do
		run_json explain "$code"
		printf '%s\n' "$document"
	done >documents
	jq -se 'map((.meaning | length > 10) and (.try | length > 0)) | all' documents
}

@test "explain: an unknown code is answered with the near one" {
	expect_exit 16 pgctl explain to-few-members
	assert_has "did you mean 'too-few-members'" "$stderr"
}

# ---- usage errors

@test "usage: no command: exit 16, two lines on stderr, nothing on stdout" {
	expect_exit 16 pgctl
	[ -z "$output" ]
	assert_has "try: pgctl help" "$stderr"
	[ "$(wc -l <<<"$stderr")" = 2 ]
}

@test "usage: an unknown command is answered with the near one" {
	expect_exit 16 pgctl stauts
	assert_has "pgctl: usage: unknown command 'stauts': did you mean 'status'?" "$stderr"
}

@test "usage: an unknown option is answered with the near one and where to look" {
	expect_exit 16 pgctl scrub --repiar x
	assert_has "pgctl: scrub: unknown option '--repiar': did you mean '--repair'?" "$stderr"
	assert_has "try: pgctl help scrub" "$stderr"
}

@test "usage: an abbreviated option is refused" {
	expect_exit 16 pgctl status --js x
	assert_has "did you mean '--json'" "$stderr"
}

@test "usage: operands are counted" {
	expect_exit 16 pgctl scrub
	assert_has "needed: ARRAY" "$stderr"
	expect_exit 16 pgctl scrub a b
	assert_has "too many operands, beginning with 'b'" "$stderr"
}

@test "usage: a verb is missing, or unknown" {
	expect_exit 16 pgctl volume
	assert_has "a verb is missing" "$stderr"
	expect_exit 16 pgctl volume crate
	assert_has "did you mean 'create'" "$stderr"
}

@test "usage: options stand anywhere, also before the command, -- ends them" {
	make_array
	expect_exit 0 pgctl --json status disks
	one=$output
	expect_exit 0 pgctl status disks --json
	[ "$output" = "$one" ]
	expect_exit 0 env POSIXLY_CORRECT=1 pgctl status disks --json
	[ "$output" = "$one" ]
	expect_exit 16 pgctl status -- --json
	assert_has "--json: No such file" "$stderr"
}

@test "usage: with --json an error is one document, also when the line cannot be read" {
	run_json status --frob
	[ "$status" = 16 ]
	assert_json .error.code usage \
		'.error.message | test("--frob")' true \
		'.error.try' 'pgctl help status'
	[ -z "$stderr" ]
	run_json scrub
	assert_json .schema pgctl.scrub/1
	run_json volume list /nowhere
	assert_json .schema pgctl.volume-list/1 \
		.error.code not-found
}

@test "usage: what this version cannot do is refused before anything is opened" {
	make_array
	expect_exit 16 pgctl fault clear disks --overlay o
	assert_has "--overlay is not available" "$stderr"
	expect_exit 16 pgctl put disks v --plan=file
	assert_has "a plan cannot be kept" "$stderr"
	expect_exit 16 pgctl status nbd://localhost/disk
	assert_has "NBD" "$stderr"
	[ ! -e o ] && [ ! -e file ]
}

# ---- output

@test "output: a standard output that cannot be written is exit 8" {
	make_array
	for line in "status disks" "status disks --json" help "map disks"; do
		# shellcheck disable=SC2086  # several words
		run --separate-stderr bash -c "pgctl $line > /dev/full"
		[ "$status" = 8 ]
		assert_has "standard output could not be written" "$stderr"
		run --separate-stderr bash -c "pgctl $line >&-"
		[ "$status" = 8 ]
	done
}

@test "output: closed descriptors never become members" {
	make_array
	before=$(cksum disks/*)
	pgctl status disks <&- >&- 2>&- || true
	pgctl scrub disks <&- >&- 2>&- || true
	[ "$(cksum disks/*)" = "$before" ]
}

@test "output: a reader that goes away is exit 8, not a signal" {
	make_array
	# shellcheck disable=SC2016  # the inner bash expands
	run --separate-stderr bash -c 'pgctl map disks --json | true; echo "${PIPESTATUS[0]}"'
	[ "$output" = 8 ] || [ "$output" = 0 ] # all of it may fit the pipe
}

@test "output: no escape sequence reaches the terminal, from names or in pipes" {
	name=$'x\e[2J\u202eq'
	expect_exit 16 pgctl status "$name"
	if grep -q $'\e' <<<"$stderr"; then false; fi
	assert_has 'x\x1b[2J\xe2\x80\xaeq' "$stderr"
	run_json status "$name"
	# shellcheck disable=SC2154  # run_json sets document
	if grep -q $'[\e\x7f]' <<<"$document"; then false; fi
}

@test "output: colour only where asked" {
	unset NO_COLOR
	expect_exit 16 pgctl frob
	if grep -q $'\e' <<<"$stderr"; then false; fi
	expect_exit 16 pgctl status /nowhere --color always
	grep -q $'\e\\[' <<<"$stderr"
	expect_exit 16 pgctl status /nowhere --color never
	if grep -q $'\e' <<<"$stderr"; then false; fi
}

@test "output: progress as lines of JSON, the last one says all is done" {
	make_array
	random_file big 4M
	pgctl put disks big --progress json --progress-fd 9 -q 9> lines
	jq -se 'length > 0 and .[-1].done == .[-1].total and (map(.done) | . == sort)' lines
	pgctl put disks big --as again --progress never 2> errors
	[ ! -s errors ]
}

# ---- finding members

@test "members: an array is named by any member, a link, or its directory" {
	make_array
	ln -s disks/m1.img link.img
	for name in disks disks/ disks/m0.img disks/m2.img ./disks/../disks/m1.img; do
		run_json status "$name"
		assert_json .array.name tank \
			.array.health healthy \
			'.members | length' 3
	done
	(cd disks && pgctl status | grep -q 'name: tank')
}

@test "members: those that lie elsewhere are named with --member" {
	make_array
	mkdir far && mv disks/m2.img far/
	run_json status disks
	assert_json .array.health degraded \
		'.members[2].state' missing \
		'.members[2].path' null
	for place in far far/m2.img; do
		run_json status disks --member "$place"
		assert_json .array.health healthy \
			'.members[2].path' far/m2.img
	done
}

@test "members: found twice counts once, named twice is refused" {
	make_array
	ln disks/m1.img disks/again.img
	ln -s m2.img disks/link.img
	run_json status disks
	assert_json .array.health healthy
	expect_exit 8 pgctl status disks/m0.img --member disks/m1.img --member disks/again.img
	assert_has "are the same file" "$stderr"
}

@test "members: a directory with several arrays is refused, naming them" {
	make_array
	pgctl create pond disks/p0.img disks/p1.img --size 16M --extent 64K > /dev/null
	expect_exit 16 pgctl scrub disks
	assert_has "'tank'" "$stderr"
	assert_has "'pond'" "$stderr"
	run_json status disks/p0.img
	assert_json .array.name pond
	expect_exit 8 pgctl status disks/m0.img --member disks/p0.img
	assert_has "belongs to another array" "$stderr"
	run_json list disks
	assert_json '[.arrays[] | [.name, .members]] | sort | tostring' '[["pond",2],["tank",3]]'
	(cd disks && pgctl status --json | jq -e '.arrays | length == 2')
}

@test "members: what is no member, no file, no array" {
	make_array
	truncate -s 16M plain.img
	expect_exit 8 pgctl status plain.img
	assert_has "no pgctl superblock" "$stderr"
	assert_has "try: pgctl inspect plain.img" "$stderr"
	expect_exit 16 pgctl status nowhere.img
	mkdir empty
	expect_exit 16 pgctl status empty
	assert_has "no pgctl array in this directory" "$stderr"
	run_json list empty
	assert_json '.arrays | length' 0
	mkfifo disks/pipe
	run_json status disks
	assert_json .array.health healthy
}

@test "members: by number, path, label and uuid prefix" {
	pgctl create t a.img b.img c.img --size 16M --extent 64K --label a.img:node=n0,rack=r \
		--label b.img:node=n1,rack=r > /dev/null
	uuid=$(pgctl status . --json | jq -r '.members[1].uuid')
	for name in 1 b.img "$PWD/b.img" n1 node=n1 "${uuid:0:8}" "$uuid"; do
		run_json map . "$name:0"
		assert_json .member 1
	done
	expect_exit 16 pgctl map . r:0
	assert_has "may be member 0 or member 1" "$stderr"
	expect_exit 16 pgctl map . 9:0
}

# ---- questions

@test "status: --test and --nagios make the health the exit status" {
	make_array
	expect_exit 0 pgctl status disks --test
	[ "$output" = healthy ]
	expect_exit 0 pgctl status disks --nagios
	assert_has "PGCTL OK - array 'tank' is healthy" "$output"
	rm disks/m1.img
	expect_exit 0 pgctl status disks
	expect_exit 1 pgctl status disks --test
	expect_exit 1 pgctl status disks --nagios
	rm disks/m2.img
	expect_exit 2 pgctl status disks --test
	expect_exit 2 pgctl status disks --nagios
	expect_exit 4 pgctl status nowhere --test
	expect_exit 3 pgctl status nowhere --nagios
}

@test "status: whatever is wrong comes with a code that explain knows and a command" {
	make_array
	rm disks/m1.img
	pgctl offline disks 2 -y -q || true
	run_json status disks
	[ "$(json '.problems | length')" -ge 1 ]
	assert_json 'all(.problems[]; (.text | length > 0) and (.try | length > 0))'
	for code in $(json '.problems[].code'); do
		expect_exit 0 pgctl explain "$code"
	done
	expect_exit 0 pgctl status disks
	assert_has "problem: member 1 was not found" "$output"
	assert_has "try: " "$output"
}

@test "status, list, inspect, map: write nothing and change nothing" {
	make_array
	before=$(cksum disks/*; stat -c '%n %Y %s' disks/*)
	for line in "status disks" "inspect disks/m0.img" "map disks" "map disks v:5000"; do
		# shellcheck disable=SC2086  # several words
		pgctl $line --trace trace --json > /dev/null
		[ "$(jq -r 'select(.op != "read") | .op' trace | sort -u)" = "" ]
	done
	pgctl list disks > /dev/null
	[ "$(cksum disks/*; stat -c '%n %Y %s' disks/*)" = "$before" ]
}

@test "inspect: a member, foreign formats, nothing" {
	need mkfs.ext4
	make_array
	run_json inspect disks/m1.img
	assert_json '.found[0].type' pgctl \
		'.found[0].details.member' 1 \
		'.found[0].name' tank
	assert_json .size $((16 << 20))
	truncate -s 4M fs.img
	mkfs.ext4 -q -L films fs.img
	run_json inspect fs.img
	assert_json '.found[] | select(.type == "ext4") | .name' films
	truncate -s 1M none.img
	run_json inspect none.img
	assert_json '.found | length' 0
	run_json inspect none.img disks/m0.img
	assert_json '.paths[1].found[0].type' pgctl
	expect_exit 16 pgctl inspect disks
}

@test "map: with dd and XOR anyone can check the equations and read the volume" {
	make_array
	pgctl map disks --json > map.json
	python3 - <<-'PY'
		import json
		m = json.load(open("map.json"))
		path = {x["slot"]: x["path"] for x in m["members"]}
		def body(e):
		    with open(path[e["member"]], "rb") as f:
		        f.seek(e["start"])
		        return f.read(e["length"])
		extents = {e["id"]: body(e) for g in m["groups"] for e in g["extents"]}
		assert m["groups"]
		for g in m["groups"]:
		    x = 0
		    for e in g["extents"]:
		        x ^= int.from_bytes(extents[e["id"]], "little")
		    assert x == 0, g["id"]
		(v,) = m["volumes"]
		out = b""
		for s in v["spans"]:
		    n, u = len(s["extents"]), s["unit"]
		    for y in range(0, s["length"], 512):
		        i, at = (y // u) % n, y // (u * n) * u + y % u
		        out += extents[s["extents"][i]][at:at + min(512, s["length"] - y)]
		assert out[:v["length"]] == open("v", "rb").read()
	PY
}

@test "map: an address leads to a block and the block back to the address" {
	make_array
	for offset in 0 4095 65536 123456 716799; do
		run_json map disks "v:$offset"
		read -r role member lba path <<<"$(json '.blocks[0] | "\(.role) \(.member) \(.lba) \(.path)"')"
		[ "$role" = data ]
		[ "$(dd if="$path" bs=1 skip=$((lba + offset % 4096)) count=1 status=none | xxd -p)" = \
			"$(dd if=v bs=1 skip="$offset" count=1 status=none | xxd -p)" ]
		run_json map disks "$member:$((lba + offset % 4096))"
		assert_json .area body \
			.volume v \
			.offset "$offset"
	done
	expect_exit 16 pgctl map disks v:716800
	expect_exit 16 pgctl map disks 0:16M
	run_json map disks 0:64K
	assert_json .area metadata
}

@test "trace: one line of JSON for each I/O, with member, role and result" {
	make_array
	pgctl scrub disks --trace trace -q
	jq -se 'all(.[]; (.member | type == "number") and (.role | length > 0) and .result == 0)' trace
	[ "$(jq -r .member trace | sort -u | tr '\n' ' ')" = "0 1 2 " ]
	expect_exit 8 pgctl status disks --trace v
	assert_has "not a trace" "$stderr"
}

# ---- fault files

@test "faults: bad places beside an image are met, and gone once written" {
	make_array
	run_json map disks v:0
	lba=$(json '.blocks[0].lba') path=$(json '.blocks[0].path')
	echo "read-error $lba 4096" > "$path.faults"
	expect_exit 0 pgctl get disks v -o back
	assert_has "1 bad place is simulated" "$stderr"
	cmp v back
	expect_exit 4 pgctl scrub disks
	expect_exit 1 pgctl scrub disks --repair
	[ ! -e "$path.faults" ]
	expect_exit 0 pgctl scrub disks
}

@test "faults: a list that is not understood is refused" {
	make_array
	echo "read-eror 1 2" > disks/m0.img.faults
	expect_exit 8 pgctl status disks
	assert_has "disks/m0.img.faults: line 1" "$stderr"
}

# ---- shell

@test "shell: a script stops at the first line that fails" {
	printf 'version\nfrob\nversion\n' > script
	expect_exit 16 pgctl shell < script
	[ "$(grep -c '^pgctl ' <<<"$output")" = 1 ]
	assert_has "standard input:2: stopped after: frob" "$stderr"
	expect_exit 16 pgctl -f script
	assert_has "script:2: stopped after: frob" "$stderr"
}

@test "shell: a line that begins with - may fail" {
	printf -- '-frob\n- frob\nversion\n' > script
	expect_exit 0 pgctl -f script
	assert_has "pgctl " "$output"
}

@test "shell: comments, quotes, focus, source, quit" {
	make_array
	mv disks "two words"
	cat > inner <<-'END'
		# with an array in focus
		volume list   # its volumes
		pgctl map v:0
	END
	cat > script <<-'END'

		use "two words"
		source inner
		use
		status 'two words' --test
		quit
		frob
	END
	expect_exit 0 pgctl -f script
	assert_has "VOLUME" "$output"
	assert_has "volume: v" "$output"
	assert_has healthy "$output"
}

@test "shell: a focus that leads nowhere, an open quote, a file that sources itself" {
	expect_exit 4 pgctl shell <<<'use nowhere'
	expect_exit 16 pgctl shell <<<"status 'x"
	echo 'source self' > self
	expect_exit 16 pgctl -f self
	assert_has "more than 8 files" "$stderr"
	expect_exit 16 pgctl -f nowhere
	expect_exit 16 pgctl shell <<<'shell'
}

# ---- what is made from the tables

@test "describe: the committed completion scripts are fresh" {
	root=$BATS_TEST_DIRNAME/../..
	pgctl --list-completions bash | cmp - "$root/completions/pgctl.bash"
	pgctl --list-completions zsh | cmp - "$root/completions/_pgctl"
	pgctl --list-completions fish | cmp - "$root/completions/pgctl.fish"
}

@test "describe: completion in bash offers commands, verbs, options, words, names and files" {
	make_array
	cat > try.bash <<-'END'
		compopt() { :; }
		source <(pgctl --list-completions bash)
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_pgctl
		echo "${COMPREPLY[*]}"
	END
	[ "$(bash try.bash pgctl scr)" = scrub ]
	[ "$(bash try.bash pgctl volume rena)" = rename ]
	[ "$(bash try.bash pgctl scrub --repa)" = --repair ]
	[ "$(bash try.bash pgctl status --prog)" = "--progress --progress-fd" ]
	[ "$(bash try.bash pgctl create --layout se)" = sequential ]
	[ "$(bash try.bash pgctl get disks '')" = v ]
	[ "$(bash try.bash pgctl fail disks '')" = "0 1 2" ]
	[ "$(bash try.bash pgctl status dis)" = disks ]
	[ "$(bash try.bash pgctl explain too-f)" = too-few-members ]
	[ "$(bash try.bash pgctl --tasks 2 ver)" = version ]
}

@test "describe: every option of the help is in the lists for the manual" {
	pgctl describe --man | sed -n 's/^[.]It .*Fl .-\([a-z0-9-]*\).*/\1/p' | sort -u > listed
	for name in $(pgctl --list-commands); do
		pgctl help "$name"
	done | sed -n 's/^  \(-., \|    \)--\([a-z0-9-]*\).*/\2/p' | sort -u > helped
	[ "$(wc -l <helped)" -gt 50 ]
	[ "$(comm -23 helped listed)" = "" ]
}

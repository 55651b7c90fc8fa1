#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# pgctl put, get, read: bytes in and out, whole, verified, reconstructed or named as lost.
#
# shellcheck disable=SC2154  # expect_exit sets stderr, run_json document

load helper

make_array()
{
	expect_exit 0 pgctl create tank --size 32M m0.img m1.img m2.img m3.img "$@"
	random_file data 3000001
}

@test "put and get give the same bytes, for every layout and awkward lengths" {
	make_array
	for size in 0 1 4095 4096 4097 262144 262145; do
		head -c "$size" data >part
		expect_exit 0 pgctl put m0.img part --as "parity-$size"
		expect_exit 0 pgctl put m0.img part --as "two-$size" -l parity --parity 2 --width 4
		expect_exit 0 pgctl put m0.img part --as "mirror-$size" -l mirror --copies 3
		expect_exit 0 pgctl put m0.img part --as "plain-$size" --unmirrored
		expect_exit 0 pgctl put m0.img part --as "seq-$size" -l sequential --levels 2 --width 4
		for name in parity two mirror plain seq; do
			pgctl get m0.img "$name-$size" -o - >out
			cmp part out
			rm out
		done
	done
}

@test "put names a volume by the last part of its path, of exactly its length" {
	make_array
	mkdir -p deep/er
	cp data deep/er/film.mkv
	run_json put m0.img deep/er/film.mkv
	assert_json '.volumes[0].name' film.mkv \
		'.volumes[0].length' 3000001
}

@test "put refuses a name that is in use before it stores any of the files" {
	make_array
	cp data first
	cp data second
	expect_exit 0 pgctl put m0.img second
	expect_exit 16 pgctl put m0.img first second
	run_json volume list m0.img
	assert_json '[.volumes[].name] == ["second"]'
}

@test "put refuses two files that would be one volume, and files it cannot name" {
	make_array
	mkdir a b
	cp data a/x
	cp data b/x
	expect_exit 16 pgctl put m0.img a/x b/x
	expect_exit 16 pgctl put m0.img -
	expect_exit 16 pgctl put m0.img a
	expect_exit 16 pgctl put m0.img nosuch
	expect_exit 16 pgctl put m0.img a/x b/x --as y
	expect_exit 16 pgctl put m0.img
	expect_exit 16 pgctl put m0.img a/x --as 'with/slash'
	run_json volume list m0.img
	assert_json '.volumes | length' 0
}

@test "put and get refuse the array's own members as files" {
	make_array
	expect_exit 0 pgctl put m0.img data
	expect_exit 8 pgctl put m0.img m2.img
	expect_exit 8 pgctl get m0.img data -o m2.img --force
	assert_has "member 2" "$stderr"
	expect_exit 0 pgctl scrub m0.img
}

@test "put --plan writes nothing, and says the bytes that put then writes" {
	make_array
	before=$(cksum m?.img)
	run_json put m0.img data --plan
	assert_json .plan
	[ "$(cksum m?.img)" = "$before" ]
	expect_exit 16 pgctl put m0.img - --as x --plan </dev/null
	for layout in 'parity --parity 2' 'mirror --copies 3' plain sequential; do
		# shellcheck disable=SC2086  # options are words
		run_json put m0.img data --as "${layout%% *}" --plan -l $layout
		planned=$(json .bytes)
		[ "$planned" -ge 3000001 ]
		# shellcheck disable=SC2086
		run_json put m0.img data --as "${layout%% *}" -l $layout
		assert_json '.volumes[0].bytes_written' "$planned"
		expect_exit 0 pgctl volume remove m0.img "${layout%% *}" --yes
	done
}

@test "put from a pipe tells no end that nobody knows" {
	make_array
	pgctl put m0.img - --as x --progress json --progress-fd 5 <data 5>lines
	jq -se 'all(.[:-1][]; .total == null and .eta_s == null) and .[-1].total == 3000001' lines
}

@test "put fills an empty volume in its own layout, without --append" {
	make_array
	expect_exit 0 pgctl volume create m0.img v -l mirror --copies 2
	expect_exit 0 pgctl put m0.img data --as v
	expect_exit 16 pgctl put m0.img data --as v
	run_json status m0.img
	assert_json '.volumes[0].layout' mirror
	pgctl get m0.img v -o - >out
	cmp data out
}

@test "put of a file that is longer or shorter than whole blocks, as file and as stream" {
	make_array
	for size in 4097 8191 8192 2999999; do
		head -c "$size" data >part
		expect_exit 0 pgctl put m0.img part --as "file-$size"
		pgctl put m0.img - --as "pipe-$size" -q <part
		expect_exit 0 pgctl put m0.img part --as "file-$size" --append
		cat part part >twice
		pgctl get m0.img "file-$size" -o - | cmp - twice
		pgctl get m0.img "pipe-$size" -o - | cmp - part
	done
	expect_exit 0 pgctl scrub m0.img
}

@test "get with a member missing reads no block twice" {
	expect_exit 0 pgctl create tank --size 32M m{0..5}.img --width 6
	random_file data 40M
	expect_exit 0 pgctl put m0.img data
	mkdir away
	mv m2.img away
	expect_exit 0 pgctl get m0.img data -o out --trace trace
	cmp data out
	# Five of six columns, of which five hold the data; the tail of the volume may be smaller groups.
	read=$(jq -s '[.[] | select(.op == "read" and (.role == "data" or .role == "parity")) | .length] |
		add' trace)
	[ "$read" -ge 40000000 ]
	[ "$read" -le 44000000 ]
}

@test "get says that its reader has gone, and blames no device" {
	make_array
	expect_exit 0 pgctl put m0.img data
	# shellcheck disable=SC2016  # the inner bash expands
	run --separate-stderr bash -c 'pgctl get m0.img data | head -c 1 | wc -c; exit "${PIPESTATUS[0]}"'
	[ "$status" = 8 ]
	assert_has "gone away" "$stderr"
	assert_has "pgctl read" "$stderr"
}

@test "put says when there is no room, and leaves the array as it was" {
	make_array
	random_file big 100M
	expect_exit 8 pgctl put m0.img big
	assert_has "no" "$stderr"
	run_json volume list m0.img
	assert_json '.volumes | length' 0
	run_json status m0.img
	assert_json '.capacity.used' 0
}

@test "put --tar makes a volume of each regular file, get --tar turns the names back" {
	make_array
	mkdir -p tree/sub
	cp data tree/sub/big
	echo percent >'tree/50%2F'
	: >tree/empty
	ln -s big tree/sub/link
	tar -cf in.tar -C tree .
	expect_exit 4 pgctl put m0.img --tar in.tar
	assert_has "left out" "$stderr"
	assert_has "./sub/link symbolic link" "$output"
	run_json volume list m0.img
	assert_json '[.volumes[].name] | sort == ["50%252F", "empty", "sub%2Fbig"]'
	for format in tar tar.gz zip; do
		expect_exit 0 pgctl get m0.img --tar "out.$format"
		mkdir out
		bsdtar -xf "out.$format" -C out 2>/dev/null || tar -xf "out.$format" -C out ||
			python3 -m zipfile -e "out.$format" out
		rm tree/sub/link
		diff -r tree out
		ln -s big tree/sub/link
		rm -r out
	done
}

@test "get --tar does not write names that leave the directory" {
	make_array
	printf 'x' | pgctl put m0.img - --as '..%2Fevil' -q
	printf 'x' | pgctl put m0.img - --as '%2Fetc%2Fevil' -q
	expect_exit 0 pgctl get m0.img --tar out.tar
	[ "$(tar -tf out.tar | sort)" = "$(printf '%s\n' '%2Fetc%2Fevil' '..%2Fevil')" ]
}

@test "R16 normal mode reads no parity" {
	for layout in "parity --parity 2" "sequential --width 4" "mirror"; do
		rm -f m?.img data
		# shellcheck disable=SC2086  # two words
		make_array -l $layout
		expect_exit 0 pgctl put m0.img data
		pgctl get m0.img data -o - --trace trace.jsonl | cmp - data
		[ "$(jq -s '[.[] | select(.op == "read" and .role == "data")] | length > 0' trace.jsonl)" = true ]
		[ "$(jq -s '[.[] | select(.role == "parity" or .role == "pure")] | length' trace.jsonl)" = 0 ]
		[ "$(jq -s '[.[] | select(.op != "read")] | length' trace.jsonl)" = 0 ]
	done
}

@test "R17 parity is read in correction mode only, and get says so with exit 0" {
	make_array
	expect_exit 0 pgctl put m0.img data
	mkdir away
	mv m1.img away
	expect_exit 0 pgctl get m0.img data -o out --trace trace.jsonl
	assert_has "had to be reconstructed" "$stderr"
	cmp data out
	[ "$(jq -s '[.[] | select(.op == "read" and .role == "parity")] | length > 0' trace.jsonl)" = true ]
}

@test "get reads every volume after the loss of any one member" {
	make_array
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl put m0.img data --as seq -l sequential --width 4
	expect_exit 0 pgctl put m0.img data --as mir -l mirror
	mkdir away
	for slot in 0 1 2 3; do
		mv "m$slot.img" away
		for name in data seq mir; do
			pgctl get . "$name" -o - -q | cmp - data
		done
		mv "away/m$slot.img" .
	done
}

@test "get names lost ranges, ends with 4 and leaves no file; --force gives zeros for them" {
	make_array
	expect_exit 0 pgctl put m0.img data
	mkdir away
	mv m1.img m2.img away
	run_json get m0.img data -o out
	assert_json .exit 4 \
		.error.code data-lost \
		'[.lost[].length] | add > 0' true \
		'[.lost[] | .volume] | unique == ["data"]' true
	[ ! -e out ]
	[ "$(echo .pgctl-*)" = '.pgctl-*' ]
	run_json get m0.img data -o out --force
	assert_json .exit 4
	[ "$(stat -c %s out)" = 3000001 ]
	# What is not named as lost is right, what is lost is zeros.
	json '.lost[] | "\(.offset) \(.length)"' >ranges
	python3 - <<-'END'
		data, out = bytearray(open("data", "rb").read()), open("out", "rb").read()
		for line in open("ranges"):
		    offset, length = map(int, line.split())
		    data[offset:offset + length] = bytes(min(length, len(data) - offset))
		assert data == out
	END
}

@test "R51 an unmirrored volume is lost with its member, the mirrored one is not" {
	make_array -l mirror
	expect_exit 0 pgctl put m0.img data --as safe
	expect_exit 0 pgctl put m0.img data --as third --unmirrored
	run_json map m0.img
	slot=$(json '[.groups[] | select(.layout == "plain")][0].extents[0].member')
	mkdir away
	mv "m$slot.img" away
	expect_exit 4 pgctl get . third -o out
	assert_has "third bytes" "$stderr"
	[ ! -e out ]
	pgctl get . safe -o - -q | cmp - data
}

@test "get -o does not touch a file that exists, and --force replaces it as a whole" {
	make_array
	expect_exit 0 pgctl put m0.img data
	echo mine >out
	ln out second-name
	expect_exit 16 pgctl get m0.img data -o out
	assert_has "--force" "$stderr"
	[ "$(cat out)" = mine ]
	expect_exit 0 pgctl get m0.img data -o out --force
	cmp data out
	[ "$(cat second-name)" = mine ]
}

@test "get -o follows no symbolic link and writes over nothing but files" {
	make_array
	expect_exit 0 pgctl put m0.img data
	echo mine >target
	ln -s target link
	mkfifo fifo
	mkdir directory
	expect_exit 16 pgctl get m0.img data -o link --force
	expect_exit 16 pgctl get m0.img data -o fifo --force
	expect_exit 16 pgctl get m0.img data -o directory --force
	expect_exit 16 pgctl get m0.img data -o directory/ --force
	[ "$(cat target)" = mine ]
	mkdir -m 777 open
	expect_exit 8 pgctl get m0.img data -o open/out
	assert_has "sticky" "$stderr"
}

@test "get -o obeys the umask" {
	make_array
	expect_exit 0 pgctl put m0.img data
	umask 027
	expect_exit 0 pgctl get m0.img data -o out
	[ "$(stat -c %a out)" = 640 ]
}

@test "get --json on standard output keeps the bytes there and the document on stderr" {
	make_array
	expect_exit 0 pgctl put m0.img data
	pgctl get m0.img data --json >out 2>document
	cmp data out
	[ "$(jq -r '.volumes[0].length' document)" = 3000001 ]
}

@test "get refuses volumes that are not there and outputs that contradict" {
	make_array
	expect_exit 0 pgctl put m0.img data
	expect_exit 16 pgctl get m0.img nosuch
	expect_exit 16 pgctl get m0.img
	expect_exit 16 pgctl get m0.img data data -o out
	expect_exit 16 pgctl get m0.img data -o out --tar out.tar
}

@test "read gives exactly the range that was asked for" {
	make_array
	expect_exit 0 pgctl put m0.img data
	for range in "0 1" "1 4096" "65535 2" "1000000 700000" "2999999 2" "3000001 0"; do
		read -r offset length <<<"$range"
		tail -c "+$((offset + 1))" data | head -c "$length" >want
		pgctl read m0.img data --offset "$offset" --length "$length" | cmp - want
	done
	pgctl read m0.img data --offset 2999990 | cmp - <(tail -c 11 data)
	expect_exit 16 pgctl read m0.img data --offset 3000002
	expect_exit 16 pgctl read m0.img data --offset 1 --length 3000001
}

@test "a second writer is refused with the first one's pid, readers are not" {
	make_array
	expect_exit 0 pgctl put m0.img data
	mkfifo slow
	pgctl put m0.img - --as other <slow &
	writer=$!
	exec 9>slow
	wait_until_locked "$writer"
	expect_exit 8 pgctl put m0.img data --as third
	assert_has "process $writer" "$stderr"
	expect_exit 0 pgctl get m0.img data -o out
	exec 9>&-
	wait "$writer"
	run_json volume list m0.img
	assert_json '[.volumes[].name] == ["data", "other"]'
}

@test "put that is stopped by a signal ends with 32 and stores nothing" {
	case $PGCTL in
	*/tsan*) skip "the thread sanitizer holds a signal back while its thread waits for a lock" ;;
	esac
	make_array
	mkfifo slow
	pgctl put m0.img - --as other -q <slow &
	writer=$!
	exec 9>slow
	wait_until_locked "$writer"
	kill -INT "$writer"
	status=0
	wait "$writer" || status=$?
	exec 9>&-
	[ "$status" = 32 ]
	run_json volume list m0.img
	assert_json '.volumes | length' 0
	expect_exit 0 pgctl put m0.img data
}

@test "put that is killed leaves the array as it was" {
	make_array
	mkfifo slow
	pgctl put m0.img - --as other -q <slow &
	writer=$!
	exec 9>slow
	cat data >&9
	wait_until_locked "$writer"
	kill -KILL "$writer"
	wait "$writer" || true
	exec 9>&-
	run_json volume list m0.img
	assert_json '.volumes | length' 0
	run_json status m0.img
	assert_json .capacity.used 0
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl scrub m0.img
}

# Until process $1 holds the locks of all four members.
wait_until_locked()
{
	local writer=$1

	for _ in $(seq 100); do
		if [ "$(grep -c "FLOCK .* $writer " /proc/locks)" = 4 ]; then
			return 0
		fi
		sleep 0.05
	done
	fail_with "the writer does not start"
}

# A tar of odd and hostile entries, each made by hand.
hostile_tar()
{
	python3 - <<-'EOF2'
		import io, tarfile
		with tarfile.open("hostile.tar", "w") as tar:
		    def add(name, kind=tarfile.REGTYPE, data=b"x", link=""):
		        entry = tarfile.TarInfo(name)
		        entry.type, entry.linkname = kind, link
		        entry.size = len(data) if kind == tarfile.REGTYPE else 0
		        tar.addfile(entry, io.BytesIO(data))
		    add("good", data=b"first")
		    add("../../up")
		    add("/etc/passwd")
		    add("dir", tarfile.DIRTYPE)
		    add("link", tarfile.SYMTYPE, link="/etc/passwd")
		    add("link/through")
		    add("hard", tarfile.LNKTYPE, link="../../up")
		    add("null", tarfile.CHRTYPE)
		    add("disk", tarfile.BLKTYPE)
		    add("pipe", tarfile.FIFOTYPE)
		    add("bell\a")
		    add("n" * 300)
		    add("..")
		    add("link", data=b"a file in the place of the link")
		    add("./good2")
		    add("last", data=b"last")
	EOF2
}

@test "put --tar of a hostile archive stores plain files under harmless names and lists what it left out" {
	need zstd
	make_array
	hostile_tar
	: >before
	find . -type f ! -name 'm?.img' | sort >before
	run_json put m0.img --tar hostile.tar
	[ "$status" = 4 ]
	assert_json '[.left_out[] | "\(.kind) \(.name[0:5])"] | sort == ["FIFO pipe", "device disk",
		"device null", "hard link hard", "name ..", "name bell\u0007", "name nnnnn",
		"symbolic link link"]'
	assert_json '[.volumes[].name] | sort == ["%2Fetc%2Fpasswd", "..%2F..%2Fup", "good", "good2", "last",
		"link", "link%2Fthrough"]'
	find . -type f ! -name 'm?.img' | sort | diff before -
	[ "$(pgctl get m0.img last -o -)" = last ]
	expect_exit 0 pgctl get m0.img --tar out.tar.zst
	[ "$(zstd -dc out.tar.zst | tar -t | sort | tr '\n' ' ')" = '%2Fetc%2Fpasswd ..%2F..%2Fup good good2 last link link/through ' ]
}

@test "put --tar of a cut archive, and a put that is killed, leave whole volumes only" {
	make_array
	random_file one 300K 1
	random_file two 300K 2
	tar -cf in.tar one two
	head -c 450K in.tar >cut.tar
	# Sizes that no array has: a sparse one, and one that the archive does not hold; ranges out of order.
	python3 - <<-'EOF2'
		import io, tarfile
		with tarfile.open("sparse.tar", "w", format=tarfile.PAX_FORMAT) as tar:
		    entry = tarfile.TarInfo("x")
		    entry.size = 512
		    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
		                         "GNU.sparse.name": "huge", "GNU.sparse.realsize": str(9 * 10**18)}
		    tar.addfile(entry, io.BytesIO(b"0\n" + bytes(510)))
		with tarfile.open("order.tar", "w", format=tarfile.PAX_FORMAT) as tar:
		    data = b"2\n4096\n512\n0\n512\n".ljust(512, b"\0") + bytes(1024)
		    entry = tarfile.TarInfo("x")
		    entry.size = len(data)
		    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
		                         "GNU.sparse.name": "x", "GNU.sparse.realsize": "8192"}
		    tar.addfile(entry, io.BytesIO(data))
		entry = tarfile.TarInfo("big")
		entry.size = 1 << 62
		open("big.tar", "wb").write(entry.tobuf(tarfile.GNU_FORMAT) + b"abc")
	EOF2
	expect_exit 8 pgctl put m0.img --tar sparse.tar
	expect_exit 8 pgctl put m0.img --tar big.tar
	expect_exit 8 timeout --signal=KILL 20 "$PGCTL" put m0.img --tar order.tar
	expect_exit 8 pgctl put m0.img --tar cut.tar
	run_json volume list m0.img
	assert_json '[.volumes[].name] == ["one"]'
	pgctl get m0.img one -o - | cmp - one
	expect_exit 16 pgctl put m0.img --tar in.tar
	assert_has "one exists" "$stderr"
	tar -cf twice.tar two
	tar -rf twice.tar two
	expect_exit 16 pgctl put m0.img --tar twice.tar
	assert_has "two exists" "$stderr"
	pgctl get m0.img two -o - | cmp - two
	expect_exit 0 pgctl volume remove m0.img one --yes
	expect_exit 0 pgctl volume remove m0.img two --yes
	expect_exit 0 pgctl put m0.img --tar in.tar --trace trace --plan
	cp m?.img "$BATS_FILE_TMPDIR"
	for at in 9 19 29; do
		cp "$BATS_FILE_TMPDIR"/m?.img .
		expect_exit 137 pgctl put m0.img --tar in.tar --fault "crash,at=$at"
		run_json volume list m0.img
		for name in $(json '.volumes[].name'); do
			pgctl get m0.img "$name" -o - | cmp - "$name"
		done
		expect_exit 0 pgctl check m0.img
	done
}

@test "get --tar --sparse leaves holes out, and put --tar takes them in" {
	make_array
	truncate -s 3M holes
	printf x | dd of=holes bs=1 seek=1500000 conv=notrunc status=none
	truncate -s 2M nothing
	tar -cSf in.tar holes nothing
	expect_exit 0 pgctl put m0.img --tar in.tar
	pgctl get m0.img holes -o - | cmp - holes
	pgctl get m0.img nothing -o - | cmp - nothing
	expect_exit 0 pgctl get m0.img --tar out.tar --sparse
	[ "$(stat -c %s out.tar)" -lt 30000 ]
	mkdir out
	tar -xf out.tar -C out
	cmp out/holes holes
	cmp out/nothing nothing
	[ "$(du -k out/holes | cut -f 1)" -lt 200 ]
	expect_exit 16 pgctl get m0.img holes --sparse -o x
}

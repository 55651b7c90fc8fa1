#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Spares: made, taken, fed by two members at once in a ring; members that are emptied and leave.
# shellcheck disable=SC2016,SC2154  # $x in single quotes is jq's; helper.bash sets document and stderr

bats_require_minimum_version 1.5.0
load helper

setup()
{
	pgctl_setup
	export PYTHONPATH=$BATS_TEST_DIRNAME PYTHONDONTWRITEBYTECODE=1
}

# make_ring COUNT [GROUPS]: a volume of 2 groups for each member
make_ring()
{
	make_members "$1" 12M
	random_file data $(($1 * ${2-2} * 262144))
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l mirror --topology ring
	expect_exit 0 pgctl put m0.img data
}

# The volume is whole, whichever one member is missing.
whole_without_each()
{
	local member

	for member in m?.img; do
		mv "$member" away.now
		pgctl get . data -o - -q 2>/dev/null | cmp - data || fail_with "without $member"
		mv away.now "$member"
	done
}

# copies_equal: both copies of every mirror byte by byte, and an independent reader of all seals
copies_equal()
{
	run_json map "$1"
	printf '%s\n' "$document" >map.json
	expect_exit 0 "$BATS_TEST_DIRNAME/rows.py" map.json
	expect_exit 0 python3 -B "$BATS_TEST_DIRNAME/../reader/pgread.py" --verify m?.img
}

@test "spare list, add and make; what is no spare says why" {
	make_members 3 8M
	random_file data 300000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" -l mirror
	expect_exit 0 pgctl put m0.img data
	run_json spare list m0.img
	assert_json '.spares | length' 0
	run_json spare make m0.img 1 --plan
	assert_json '[.plan, .state] | tojson' '[true,"spare"]'
	run_json spare make m0.img 1
	assert_json .state spare
	run_json spare list m0.img
	assert_json '[.spares[] | [.slot, .usable, .large_enough]] | tojson' '[[1,true,true]]'
	run_json status m0.img
	assert_json '.members[1] | [.state, .used] | tojson' '["spare",0]'
	# No third member is left to take what 0 holds.
	expect_exit 8 pgctl spare make m0.img 0
	pgctl get m0.img data -o - -q | cmp - data
}

# bats test_tags=slow
@test "R72 R69 a spare is made by spreading a member's data, and takes the next that fails" {
	make_ring 5
	run_json spare make m0.img 4
	assert_json '[.extents_moved, .state] | tojson' '[4,"spare"]'
	expect_exit 0 pgctl topology check m0.img
	run_json status m0.img
	assert_json '.members[4] | [.state, .used] | tojson' '["spare",0]'
	whole_without_each
	copies_equal m0.img
	expect_exit 0 pgctl fail m0.img 2
	rm m2.img
	run_json rebuild m0.img
	assert_json '.to' 4
	run_json status m0.img
	assert_json '[.array.health, ([.members[].slot] | tojson)] | tojson' '["healthy","[0,1,2,3]"]'
	expect_exit 0 pgctl topology check m0.img
	whole_without_each
	copies_equal m0.img
}

# bats test_tags=slow
@test "R70 R71 R86 in a ring a spare gets first copies from the next member, second ones from the one before" {
	make_ring 5 10
	expect_exit 0 pgctl spare add m0.img m5.img --size 12M
	run_json map m0.img
	printf '%s\n' "$document" >before.json
	expect_exit 0 pgctl fail m0.img 1
	rm m1.img
	run_json rebuild m0.img --trace t.log
	assert_json .to 5
	python3 - <<-'END'
		import json
		groups = json.load(open("before.json"))["groups"]
		trace = [json.loads(line) for line in open("t.log")]
		reads = [t for t in trace if t["op"] == "read" and t["role"] in ("data", "parity")]
		holders = {2: 0, 0: 0}
		for group in groups:
		    first, second = group["extents"]
		    if first["member"] == 1:
		        holders[second["member"]] += second["length"]
		    elif second["member"] == 1:
		        holders[first["member"]] += first["length"]
		found = {}
		for t in reads:
		    found[t["member"]] = found.get(t["member"], 0) + t["length"]
		assert found == holders and len(found) == 2, (found, holders)
		# Both ran side by side: reads of the one between reads of the other.
		order = [t["member"] for t in reads]
		assert sum(a != b for a, b in zip(order, order[1:])) > 1, order
	END
	run_json map m0.img
	# The old map with the spare in its place: same members, and each copy where it lay, so in its zone.
	python3 - "$document" <<-'END'
		import json, sys
		old, new = json.load(open("before.json"))["groups"], json.loads(sys.argv[1])["groups"]
		def places(groups):
		    return [[(e["role"], e["member"], e["start"]) for e in g["extents"]] for g in groups]
		assert places(old) == places(new)
	END
	expect_exit 0 pgctl topology check m0.img
	copies_equal m0.img
	whole_without_each
}

# bats test_tags=slow
@test "R81 a member leaves by remove --evacuate: two copies of everything at every commit" {
	local generation

	make_ring 5
	mkdir copies
	# Stop after each commit that it makes, and look at what is on the disks then.
	"$PGCTL" remove m0.img 3 --evacuate --rate-max 1M -q >/dev/null 2>&1 &
	while kill -0 $! 2>/dev/null; do
		"$PGCTL" status m0.img --json >now.json || continue
		generation=$(jq .array.generation now.json)
		jq -e '.array.health == "healthy"' now.json >/dev/null || fail_with "$(cat now.json)"
		echo "$generation" >>seen
	done
	wait $!
	[ "$(sort -u seen | wc -l)" -ge 1 ]
	run_json status m0.img
	assert_json '[.array.health, ([.members[].slot] | tojson)] | tojson' '["healthy","[0,1,2,4]"]'
	expect_exit 0 pgctl topology check m0.img
	rm m3.img
	whole_without_each
	copies_equal m0.img
}

# bats test_tags=slow
@test "R63 rebalance: a generation for each batch; whoever reads meanwhile gets the bytes, or is told" {
	local before rounds=0

	make_members 4 24M
	random_file data 20000000
	expect_exit 0 pgctl create tank "${MEMBERS[@]}" --extent 256K -l mirror
	expect_exit 0 pgctl put m0.img data
	expect_exit 0 pgctl add m0.img m4.img --size 24M
	run_json status m0.img
	before=$(json .array.generation)
	"$PGCTL" rebalance m0.img --rate-max 8M -q >/dev/null &
	while kill -0 $! 2>/dev/null; do
		rm -f out
		run_json get m0.img data -o out
		[ "$(json .exit)" = 0 ] || [ "$(json .error.code)" = changed ] || fail_with "$document"
		[ "$(json .exit)" != 0 ] || cmp out data
		rounds=$((rounds + 1))
	done
	wait $!
	[ $rounds -gt 2 ]
	run_json status m0.img
	# The job begins, one batch, the job ends.
	assert_json .array.generation $((before + 3))
	pgctl get m0.img data -o - -q | cmp - data
	expect_exit 0 pgctl scrub m0.img
}

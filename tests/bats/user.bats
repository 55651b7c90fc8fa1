#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# Nothing here needs root: where root runs the slow cases, all fast ones run once more as nobody.
# The inner run takes no slow case, so not this one either.

load helper

NOBODY=65534
ROOM_NEEDED=4194304 # KiB in /dev/shm, as in the script that runs the bats files

setup()
{
	pgctl_setup
	[ "$(id -u)" = 0 ] || skip "the whole suite runs as an ordinary user already"
	need setpriv
}

teardown()
{
	if [ -n "${place-}" ]; then rm -rf -- "$place"; fi
}

# In a clean environment: bats would take the variables and the inner programs of the bats outside.
as_nobody()
{
	local path

	path=$(tr : '\n' <<<"$PATH" | grep -v /bats-core | paste -sd :)
	setpriv --reuid="$NOBODY" --regid="$NOBODY" --clear-groups --no-new-privs \
		env -i PATH="$path" HOME="$place/own" TMPDIR="$place/own" PGCTL="$place/bin/pgctl" "$@" 3>&-
}

# The program and the tests where nobody may read them, and one folder to write to: $place
make_place()
{
	local root=$BATS_TEST_DIRNAME/../.. parent=/tmp

	if [ -w /dev/shm ] && [ "$(df --output=avail /dev/shm | tail -n 1)" -ge "$ROOM_NEEDED" ]; then
		parent=/dev/shm
	fi
	place=$(mktemp -d "$parent/pgctl-user.XXXXXX")
	mkdir "$place/bin" "$place/own"
	cp "$PGCTL" "$place/bin/pgctl"
	cp -r "$root/tests" "$root/completions" "$place"
	chmod -R u=rwX,go=rX "$place"
	chown "$NOBODY:$NOBODY" "$place/own"
}

# bats test_tags=slow
@test "user: every fast case passes as nobody too" {
	make_place
	cd "$place/own"
	[ "$(as_nobody id -u)" = "$NOBODY" ] || skip "root may not become nobody here"
	[ "$(as_nobody "$place/bin/pgctl" --version)" = "$("$PGCTL" --version)" ]

	expect_exit 0 as_nobody "$place/tests/bats/run" --jobs "$(nproc)" "$place/tests/bats"
	[[ ${lines[-1]} =~ ^([0-9]+)\ passed,\ 0\ failed$ ]] || fail_with "not said: 0 failed"
	[ "${BASH_REMATCH[1]}" -gt 150 ] || fail_with "hardly any case was run"
}

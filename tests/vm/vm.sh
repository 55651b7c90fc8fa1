#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Boot a real Linux kernel with md as a program (Debian's user-mode-linux: no root, no KVM, two seconds)
# and run a shell script in it.
#
#	vm.sh [-t SECONDS] SCRIPT FOLDER
#
# SCRIPT runs as root with lib.sh before it and FOLDER as its working directory, where it may write. What it
# prints comes out here. Exit status: the script's own; 124 when the time was up; 125 when the VM failed.
#
# VM_DIR is the cache: kernel, modules, mdadm and busybox, which apt-get downloads the first time and which
# nothing installs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VM_DIR:-$here/../../build/vm}
packages=(user-mode-linux mdadm busybox-static)
programs=(/sbin/mdadm /sbin/mdmon)

fail() {
	echo "vm.sh: $*" >&2
	exit 125
}

# unpack FOLDER: the packages, downloaded into FOLDER, and what is in them
unpack() {
	local package
	mkdir -p "$1/root"
	for tool in apt-get dpkg-deb cc; do
		command -v "$tool" >/dev/null || fail "no $tool: it fetches and builds what the VM needs"
	done
	(cd "$1" && apt-get -q download "${packages[@]}") >"$1/log" 2>&1 || {
		tail -n 5 "$1/log" >&2
		fail "apt-get download ${packages[*]} failed; does apt-get update help?"
	}
	for package in "$1"/*.deb; do
		dpkg-deb -x "$package" "$1/root"
		dpkg-deb -W "$package" >>"$1/versions"
	done
}

# The tree that the guest sees as its own: programs, their libraries from this system, modules.
setup() {
	local new=$cache.new tree=$cache.new/tree program library name
	[ -e "$cache/ready" ] && return 0
	rm -rf "$new"
	mkdir -p "$tree"/{bin,lib,lib64,proc,sys,dev,tmp,run,host,etc,lib/modules}
	unpack "$new/packages"
	cp "$new/packages/root/bin/busybox" "$tree/bin/"
	for name in $("$tree/bin/busybox" --list); do
		[ "$name" = busybox ] || ln -s busybox "$tree/bin/$name"
	done
	ln -s bin "$tree/sbin"
	for program in "${programs[@]}"; do
		cp "$new/packages/root$program" "$tree/bin/"
		for library in $(ldd "$new/packages/root$program" | grep -o '/[^ ]*'); do
			cp -L "$library" "$tree$(dirname "${library#/usr}" | sed 's,^\(/lib[^/]*\).*,\1,')/"
		done
	done
	mv "$new/packages/root/usr/lib/uml/modules"/* "$tree/lib/modules/"
	cp "$new/packages/root/usr/bin/linux.uml" "$new/linux"
	cp "$new/packages/versions" "$new/versions"
	cc -O2 -Wall -shared -fPIC -D_GNU_SOURCE -o "$new/regset.so" "$here/regset.c"
	rm -rf "$new/packages"
	touch "$new/ready"
	rm -rf "$cache"
	mv "$new" "$cache"
}

limit=300
while getopts t: option; do
	case $option in
	t) limit=$OPTARG ;;
	*) fail "usage: vm.sh [-t SECONDS] SCRIPT FOLDER" ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 2 ] || fail "usage: vm.sh [-t SECONDS] SCRIPT FOLDER"
setup
cache=$(cd "$cache" && pwd)
folder=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat "$here/lib.sh" "$1" >"$work/script"
cp "$here/init" "$cache/tree/init.new" && mv "$cache/tree/init.new" "$cache/tree/init"

# Its processes are one group, and the time limit ends all of them.
status=0
LD_PRELOAD=$cache/regset.so timeout -k 5 "$limit" \
	"$cache/linux" mem=512M root=/dev/root rootfstype=hostfs "rootflags=$cache/tree" ro init=/init \
	con=null con0=null,fd:1 quiet panic=-1 raid=noautodetect "vm_work=$work" "vm_folder=$folder" \
	</dev/null >"$work/console" 2>&1 || status=$?
if [ -e "$work/status" ]; then
	cat "$work/output"
	exit "$(cat "$work/status")"
fi
cat "$work/output" 2>/dev/null || true
tail -n 40 "$work/console" >&2
[ "$status" = 124 ] && exit 124
fail "the VM ended without a result"

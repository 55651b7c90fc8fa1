#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Format: every C file stands as .clang-format writes it; --write makes it so.

Pinned to clang-format 14, because each version formats a little differently. With files as arguments
only those are looked at.
"""
import shutil
import subprocess
import sys

import tree

VERSION = "14"


def tool():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        if path := shutil.which(name):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
            if f"version {VERSION}." in said.stdout:
                return path
    return None


def main():
    write = "--write" in sys.argv
    paths = [arg for arg in sys.argv[1:] if not arg.startswith("-")]
    paths = paths or tree.files((".c", ".h"), tree.PRODUCT + ("tests/", "bench/"))
    program = tool()
    if program is None:
        tree.finish([f"clang-format {VERSION} is not installed (make deps)"])
    if not paths:
        return
    if write:
        subprocess.run([program, "-i", *paths], cwd=tree.ROOT, check=True)
        return
    said = subprocess.run([program, "--dry-run", "-Werror", *paths], cwd=tree.ROOT,
                          capture_output=True, text=True, check=False)
    bad = sorted({line.split(":")[0] for line in said.stderr.splitlines()
                  if "-Wclang-format-violations" in line})
    if said.returncode and not bad:
        bad = said.stderr.splitlines()
    tree.finish([f"{path}: not formatted (make format)" for path in bad])


if __name__ == "__main__":
    main()

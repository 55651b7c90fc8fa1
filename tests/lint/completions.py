#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Completions: the committed files are what the program prints; --write makes them so.

`pgctl --list-completions SHELL` prints them from the table of commands and options. A build
whose program does not know the option yet is not complained about.
"""
import os
import subprocess
import sys

import tree

FILES = {"bash": "completions/pgctl.bash", "zsh": "completions/_pgctl",
         "fish": "completions/pgctl.fish"}


def printed(shell):
    """What the program prints, or None."""
    program = os.environ.get("PGCTL", "./pgctl")
    if not os.access(program, os.X_OK):
        return None
    said = subprocess.run([program, "--list-completions", shell], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    return said.stdout if said.returncode == 0 and said.stdout else None


def main():
    write = "--write" in sys.argv
    found = []
    for shell, path in FILES.items():
        fresh = printed(shell)
        old = tree.text(path) if os.path.exists(path) else ""
        if fresh is None:
            if write:
                found.append(f"pgctl --list-completions {shell} prints nothing")
        elif write:
            with open(path, "w", encoding="utf-8") as out:
                out.write(fresh)
        elif fresh != old:
            found.append(f"{path} is not what the program prints (make completions)")
    tree.finish(found)


if __name__ == "__main__":
    os.chdir(tree.ROOT)
    main()

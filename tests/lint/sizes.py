#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes: a function has at most 70 lines, a file at most 700.

tests/lint/sizes.allow is a ratchet: it may name what is older and longer, with its length, one
"PATH LINES" or "PATH FUNCTION LINES" a line. Nothing listed may grow, and what has shrunk is lowered
or taken out, so the list only gets shorter.
"""
import re

import tree

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 700
SUFFIXES = (".c", ".h", ".py", ".sh", ".bash", ".bats")
ALLOW = "tests/lint/sizes.allow"


def functions(path):
    """(name, first line, line count) of each function, from its signature to its closing brace."""
    lines = tree.code(path).splitlines()
    start = None  # where the declaration that is being read began
    body = None
    for number, line in enumerate(lines, 1):
        if body is None:
            if line.startswith("{"):
                body = start or number
            elif re.match(r"[A-Za-z_]", line) and start is None:
                start = number
            if line.rstrip().endswith((";", "}")) or line.startswith("#") or not line.strip():
                start = None
        elif line.startswith("}"):
            signature = " ".join(lines[body - 1:number]).split("{")[0]
            name = re.search(r"(\w+)\s*\(", signature)
            if name:
                yield name[1], body, number - body + 1
            start, body = None, None


def measured():
    """(name as in the allow list, place, lines, limit) of everything that has a size."""
    for path in tree.files(SUFFIXES):
        yield path, path, tree.text(path).count("\n"), FILE_LINES_MAX
        if path.endswith((".c", ".h")):
            for name, first, count in functions(path):
                yield f"{path} {name}", f"{path}:{first}: {name}()", count, FUNCTION_LINES_MAX


def allowances():
    allowed = {}
    for line in tree.text(ALLOW).splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, number = line.rpartition(" ")
            allowed[name] = int(number)
    return allowed


def complaints():
    allowed = allowances()
    for name, place, lines, limit in measured():
        old = allowed.pop(name, None)
        if lines > (old or limit):
            yield f"{place}: {lines} lines, at most {old or limit}"
        elif old and lines < old:
            what = "take it out" if lines <= limit else f"write {lines}"
            yield f"{ALLOW}: {name} has shrunk from {old} to {lines} lines: {what}"
    for name in allowed:
        yield f"{ALLOW}: {name} does not exist: take it out"


if __name__ == "__main__":
    tree.finish(list(complaints()))

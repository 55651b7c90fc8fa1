#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Licence: the first line of every source file, or the second after #!, is the SPDX line."""
import os
import re

import tree

LINE = re.compile(r'^(/\* .* \*/|(#|%|//|\.\\"|--) .*)$')
TAG = "SPDX-License-Identifier: GPL-3.0-or-later"
SUFFIXES = (".c", ".h", ".py", ".sh", ".bash", ".bats", ".fish", ".allow", ".suppress", ".yml")
NAMES = {"Makefile", ".gitignore", ".clang-format", ".clang-tidy"}


def needs_line(path):
    if path.endswith(SUFFIXES) or os.path.basename(path) in NAMES:
        return True
    return re.search(r"\.[1-9]$", path) or tree.text(path).startswith("#!")


def complaints():
    for path in tree.files():
        if tree.is_binary(path) or not needs_line(path):
            continue
        head = tree.text(path).split("\n", 2)[:2]
        line = head[1] if head[0].startswith("#!") and len(head) > 1 else head[0]
        if TAG not in line or not LINE.match(line):
            yield f"{path}: the first line is not the SPDX line ({TAG})"


if __name__ == "__main__":
    tree.finish(list(complaints()))

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lint rules share: the files of the tree, their include lines, their text without comments."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED_FOLDERS = {".git", "build", "__pycache__"}
PRODUCT = ("core/", "formats/", "cli/")

# A comment, or a string or character literal: whichever begins first.
COMMENT_OR_LITERAL = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def files(suffixes=None, under=None):
    """Paths from the root, sorted; of files that end with one of `suffixes` and lie in `under`."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            if suffixes and not path.endswith(suffixes):
                continue
            if under and not path.startswith(under):
                continue
            if os.path.isfile(os.path.join(ROOT, path)):
                found.append(path)
    return sorted(found)


def text(path):
    """The file's text; bytes that are no UTF-8 become U+FFFD."""
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_binary(path):
    with open(os.path.join(ROOT, path), "rb") as file:
        return b"\0" in file.read(8192)


def code(path):
    """C text with comments and the insides of literals blanked; lines keep their numbers."""
    def blank(match):
        found = match[0]
        if found[0] == "/":
            return re.sub(r"[^\n]", " ", found)
        return found[0] + " " * (len(found) - 2) + found[0]
    return COMMENT_OR_LITERAL.sub(blank, text(path))


def includes(path):
    """(line number, included path) for every #include "…"."""
    source = text(path)
    return [(source.count("\n", 0, match.start()) + 1, match[1])
            for match in INCLUDE.finditer(source)]


def finish(complaints):
    """Print the complaints and end the script: 0 when there are none, else 1."""
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)

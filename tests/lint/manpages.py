#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manual pages: mandoc has no warning, and they say what the program and docs/FORMAT.md say.

man/pgctl.8 has an item for every command, with its operands, and behind comments the lists of its
options and of the codes, as the program prints them; --write puts the lists in. The tables of
man/pgctl-format.5 are those of docs/FORMAT.md. A build without a program is not complained about.
"""
import json
import os
import re
import subprocess
import sys

import tree

PAGE = "man/pgctl.8"
PROGRAM = os.environ.get("PGCTL", "./pgctl")
MARKER = re.compile(r'^\.\\" (?:options|codes) of ')


def said(*words):
    return subprocess.run([PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=True).stdout


def mdoc(text):
    return text.replace("\\", "\\e").replace("-", "\\-")


def code_list(rows):
    lines = [".Bl -tag -width Ds -compact"]
    for row in rows:
        number = f" Pq {row['exit']}" if row["exit"] else ""
        lines += [f".It Cm {mdoc(row['code'])}{number}", mdoc(row["meaning"]) + "."]
    return lines + [".El"]


def generated():
    """{marker line: lines of the list behind it}, as the program prints them."""
    blocks, name = {}, None
    for line in said("describe", "--man").splitlines():
        if MARKER.match(line):
            name = line
            blocks[name] = []
        else:
            blocks[name].append(line)
    codes = json.loads(said("explain", "--json"))["codes"]
    blocks['.\\" codes of errors'] = code_list([c for c in codes if c["exit"]])
    blocks['.\\" codes of problems'] = code_list([c for c in codes if not c["exit"]])
    return blocks


def split(lines):
    """(marker or None, lines): the page, cut before its markers and behind their lists."""
    parts, at = [(None, [])], 0
    while at < len(lines):
        if not MARKER.match(lines[at]):
            parts[-1][1].append(lines[at])
            at += 1
            continue
        end = at + 1
        if lines[end:end + 1] and lines[end].startswith(".Bl "):
            end = lines.index(".El", end) + 1
        parts += [(lines[at], lines[at + 1:end]), (None, [])]
        at = end
    return parts


def operands_of(item):
    """`Cm get Ar ARRAY Op Ar VOLUME ...` as the program writes it: get ARRAY [VOLUME…]."""
    text, brackets = "", 0
    for word in item.split():
        if word == "Op":
            text, brackets = text + " [", brackets + 1
        elif word == "Oo":
            text += " ["
        elif word == "Oc":
            text += "]"
        elif word == "...":
            text += "…"
        elif word not in ("Cm", "Ar"):
            text += ("" if text.endswith("[") else " ") + word
    return text.strip() + "]" * brackets


def commands():
    """Usage of every command that runs: "volume create ARRAY NAME"."""
    for name in said("--list-commands").split():
        usage = said("help", name)
        verbs = re.search(r"^Verbs\n((?:  .*\n)+)", usage, re.MULTILINE)
        names = [f"{name} {verb.split()[0]}" for verb in verbs[1].splitlines()
                 if verb[2] != " "] if verbs else [name]
        for full in names:
            first = said("help", *full.split()).splitlines()[0]
            yield first.removeprefix("usage: pgctl ").replace(" [OPTION]…", "")


def compare_program(write):
    lines = tree.text(PAGE).splitlines()
    blocks, parts = generated(), split(lines)
    found = [marker for marker, _ in parts if marker]
    for marker in sorted(set(blocks) ^ set(found)):
        yield f"{PAGE}: {'missing' if marker in blocks else 'of no command'}: {marker}"
    for marker, body in parts:
        if marker in blocks and body != blocks[marker] and not write:
            yield f"{PAGE}: not as the program says (tests/lint/manpages.py --write): {marker}"
    if write:
        parts = [(marker, blocks.get(marker, body)) for marker, body in parts]
        lines = [line for marker, body in parts for line in ([marker] if marker else []) + body]
        with open(PAGE, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
    items = {operands_of(line[4:]) for line in lines if line.startswith(".It Cm ")}
    for usage in commands():
        if usage not in items:
            yield f"{PAGE}: no item says: {usage}"


def markdown_tables(path):
    """Rows of cells; the lines of dashes are left out."""
    for line in tree.text(path).splitlines():
        if line.startswith("|") and not re.fullmatch(r"[| -]*", line):
            yield [" ".join(cell.replace("`", "").split()) for cell in line.split("|")[1:-1]]


def mdoc_tables(path):
    for line in tree.text(path).splitlines():
        if line.startswith(".It ") and " Ta " in line:
            line = line[4:].replace("\\(dq", '"').replace("\\&", "").replace("Sy ", "")
            yield [" ".join(cell.split()) for cell in line.split(" Ta")]


def compare_format():
    page, document = list(mdoc_tables("man/pgctl-format.5")), list(markdown_tables("docs/FORMAT.md"))
    for one, other in zip(page, document):
        if one != other:
            yield f"man/pgctl-format.5 says {one}, docs/FORMAT.md {other}"
            return
    if len(page) != len(document):
        yield f"man/pgctl-format.5 has {len(page)} rows in its tables, docs/FORMAT.md {len(document)}"


def complaints(write):
    pages = [path for path in tree.files(under="man/") if path[-2:-1] == "."]
    if os.access(PROGRAM, os.X_OK):
        yield from compare_program(write)
    yield from compare_format()
    if pages:
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages],
                              capture_output=True, text=True, check=False)
        yield from (lint.stdout + lint.stderr).splitlines()


if __name__ == "__main__":
    os.chdir(tree.ROOT)
    tree.finish(list(complaints("--write" in sys.argv)))

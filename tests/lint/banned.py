#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Banned: calls that have a better one, calls in the wrong place, and leftovers.

Comments and literals do not count, except for leftovers and for paths of somebody's machine.
"""
import fnmatch
import re

import tree

# Nowhere: the call, and what to write instead.
NEVER = {
    "gets": "fgets", "strcpy": "text.h, or memcpy with a checked size", "strcat": "text.h",
    "sprintf": "snprintf, or text.h", "vsprintf": "vsnprintf", "strtok": "a loop over strchr",
    "strncpy": "memcpy with a checked size", "strncat": "text.h",
    "atoi": "units.h", "atol": "units.h", "atoll": "units.h", "atof": "strtod",
    "system": "posix_spawn with a list of arguments", "popen": "posix_spawn and a pipe",
    "rand": "rng.h", "srand": "rng.h", "random": "rng.h or env.h", "srandom": "rng.h",
    "alloca": "mem.h, or an array of a named size",
    "longjmp": "an error code", "siglongjmp": "an error code",
    "strerror": "strerrordesc_np: never translated, no shared buffer",
    "tmpnam": "mkstemp", "mktemp": "mkstemp",
}

# Only in the files that match, among the product's sources.
ONLY_IN = [
    (["printf", "fprintf", "vprintf", "vfprintf", "dprintf", "puts", "fputs", "putchar", "putc",
      "fputc", "perror", "exit", "_exit", "quick_exit", "abort", "error", "warn", "warnx"],
     ["cli/*"], "only cli/ prints and exits; return an ERR_ code with err_set()"),
    (["malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc", "posix_memalign",
      "memalign", "strdup", "strndup", "asprintf", "vasprintf"],
     ["core/base/mem.c"], "memory comes from core/base/mem.h"),
]

# Bytes that tests read, not text that somebody wrote.
DATA = ("tests/golden/", "tests/fuzz/corpus")

# Libraries that hand over or take memory of the C library: the file, the calls.
LIBRARY_MEMORY = {
    "cli/shell.c": {"free"},
    "cli/complete.c": {"free", "malloc", "strdup"},
}

# Put together here, so that this file does not complain about itself.
LEFTOVER = re.compile(r"\b(%s)\b" % "|".join(["TO" "DO", "FIX" "ME", "XX" "X"]))
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:wo" r"rk|ho" r"me/[a-z]+)/\w")

CALL = re.compile(r"(?<![\w.])(?<!->)(\w+)\s*\(")


def call_complaints(path):
    product = path.startswith(tree.PRODUCT)
    for number, line in enumerate(tree.code(path).splitlines(), 1):
        for match in CALL.finditer(line):
            name = match[1]
            if name in NEVER:
                yield f"{path}:{number}: {name}(): use {NEVER[name]}"
            if not product or name in LIBRARY_MEMORY.get(path, ()):
                continue
            for names, places, why in ONLY_IN:
                if name in names and not any(fnmatch.fnmatch(path, place) for place in places):
                    yield f"{path}:{number}: {name}(): {why}"


def text_complaints(path):
    for number, line in enumerate(tree.text(path).splitlines(), 1):
        if match := LEFTOVER.search(line):
            yield f"{path}:{number}: {match[1]}: finish it, or write an issue"
        if match := MACHINE_PATH.search(line):
            yield f"{path}:{number}: {match[0]}…: a path of one machine"


def complaints():
    for path in tree.files():
        if path == "LICENSE" or path.startswith(DATA) or tree.is_binary(path):
            continue
        yield from text_complaints(path)
        if path.endswith((".c", ".h")):
            yield from call_complaints(path)


if __name__ == "__main__":
    tree.finish(list(complaints()))

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Purity: what the objects of core/ call, read from `nm -u`.

Only the files that implement the tables of env and dev call the operating system; code, map and base
are pure; and a symbol of another folder is called downwards only, as the includes are.

CORE_OBJECTS names the folder of the objects, build/release/core unless told.
"""
import fnmatch
import os
import subprocess

import layers
import tree

# The rooms with a window: env's and dev's implementations may call anything.
OPERATING_SYSTEM = ["core/env/env_*", "core/dev/dev_file", "core/dev/dev_block", "core/dev/dev_lock",
                    "core/dev/dev_nbd", "core/dev/uring", "core/dev/dev_trace"]

# What everybody may call: functions of their arguments, and what the compiler puts in.
COMPUTING = """
    memchr memcmp memcpy memmove memset memrchr
    strchr strchrnul strcmp strcspn strlen strncmp strnlen strrchr strspn strstr
    strtol strtoll strtoul strtoull strtod __isoc23_strto* __ctype_b_loc __errno_location
    snprintf vsnprintf bsearch qsort
    exp expm1 log log1p log2 pow sqrt ceil floor fabs erf erfc lgamma round lround
    __assert_fail __stack_chk_fail __*_chk _GLOBAL_OFFSET_TABLE_ __tls_get_addr
    __popcountdi2
""".split()

# Libraries and the allocator: the objects that may call them, and what.
SPECIAL = {
    "core/base/mem": ["malloc", "calloc", "realloc", "free", "aligned_alloc", "posix_memalign"],
    "core/base/crc": ["crc32_*"],
    "core/code/kernel*": ["xor_gen", "pq_gen", "xor_check", "pq_check", "ec_*", "gf_vect_*"],
}


def symbols(objects, option):
    """{object: set of symbols} as `nm` lists them."""
    out = subprocess.run(["nm", "-A", option, *objects], capture_output=True, text=True, check=True)
    found = {path: set() for path in objects}
    for line in out.stdout.splitlines():
        path, rest = line.rsplit(":", 1)
        found[path].add(rest.split()[-1])
    return found


def permitted(module, name):
    patterns = list(COMPUTING)
    for objects, calls in SPECIAL.items():
        if fnmatch.fnmatch(module, objects):
            patterns += calls
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def complaints(folder):
    # Only objects whose source is still there: a build folder may hold older ones.
    modules = {os.path.splitext(path)[0] for path in tree.files((".c",), "core/")}
    objects = {os.path.join(os.path.dirname(folder), module + ".o"): module for module in modules}
    for path in sorted(objects):
        if not os.path.exists(path):
            yield f"{path} is not built: run make"
            del objects[path]
    if not objects:
        return
    home = {}
    for path, names in symbols(sorted(objects), "--defined-only").items():
        home.update((name, os.path.dirname(objects[path])) for name in names)

    for path, names in sorted(symbols(sorted(objects), "--undefined-only").items()):
        module = objects[path]
        place = os.path.dirname(module)
        open_window = any(fnmatch.fnmatch(module, room) for room in OPERATING_SYSTEM)
        for name in sorted(names):
            if name in home:
                if home[name] != place and home[name] not in layers.MAY_INCLUDE.get(place, []):
                    yield f"{module}.c needs {name} of {home[name]}, which is not below it"
            elif not open_window and not permitted(module, name):
                yield f"{module}.c needs {name}, which is neither pure nor of core/"


if __name__ == "__main__":
    os.chdir(tree.ROOT)
    tree.finish(list(complaints(os.environ.get("CORE_OBJECTS", "build/release/core"))))

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers: an #include points down only, and the command line sees the public surface only.

The drawing that these tables stand for is in docs/ARCHITECTURE.md.
"""
import fnmatch
import os

import tree

# A folder may include its own headers and those of the folders listed here.
MAY_INCLUDE = {
    "core/base": [],
    "core/env": ["core/base"],
    "core/dev": ["core/env", "core/base"],
    "core/code": ["core/base"],
    "core/map": ["core/code", "core/base"],
    "core/store": ["core/map", "core/dev", "core/env", "core/base"],
    "core/array": ["core/store", "core/map", "core/code", "core/dev", "core/env", "core/base"],
}
MAY_INCLUDE["core/job"] = ["core/array"] + MAY_INCLUDE["core/array"]
MAY_INCLUDE["core/stream"] = ["core/array"] + MAY_INCLUDE["core/array"]
MAY_INCLUDE["core/sim"] = ["core/job"] + MAY_INCLUDE["core/job"]

# These two are held to single headers, by pattern, besides their own.
MAY_INCLUDE_HEADERS = {
    "formats": ["core/map/*.h", "core/code/*.h", "core/dev/*.h", "core/base/*.h",
                "core/store/foreign.h"],
    "cli": ["core/array/array.h", "core/array/adopt.h", "core/job/*.h", "core/stream/*.h", "core/sim/*.h",
            "core/map/survive.h", "core/map/forecast.h", "core/map/address.h",
            "core/map/topology.h", "core/map/windows.h", "core/base/*.h", "core/env/env.h",
            "core/dev/devices.h", "core/dev/holes.h", "core/dev/copies.h", "core/dev/overlay.h",
            "core/dev/dev_lock.h", "formats/*.h"],
}

# Layouts are named in shapes only: what the map may know of codes.
NARROWED = {("core/map", "core/code"): ["core/code/code.h", "core/code/code_shape.h"]}


def allowed(folder, header):
    target = os.path.dirname(header)
    if target == folder:
        return True
    patterns = NARROWED.get((folder, target), MAY_INCLUDE_HEADERS.get(folder))
    if patterns is not None:
        return any(fnmatch.fnmatch(header, pattern) for pattern in patterns)
    return target in MAY_INCLUDE[folder]


def complaints():
    for path in tree.files((".c", ".h"), tree.PRODUCT):
        folder = os.path.dirname(path)
        if folder not in MAY_INCLUDE and folder not in MAY_INCLUDE_HEADERS:
            yield f"{path}: the folder {folder} has no place in the layers"
            continue
        for line, header in tree.includes(path):
            if not header.startswith(tree.PRODUCT):
                yield f"{path}:{line}: \"{header}\": name the path from the root"
            elif not os.path.exists(os.path.join(tree.ROOT, header)):
                yield f"{path}:{line}: {header} does not exist"
            elif not allowed(folder, header):
                yield f"{path}:{line}: {folder} may not include {header}"


if __name__ == "__main__":
    tree.finish(list(complaints()))

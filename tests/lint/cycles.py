#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles: no module includes itself through others.

A module is x.c and x.h of one folder, with x_internal.h where its parts share one; it depends on every
module whose header either includes. The largest strongly connected component of that graph has one
module. The number is easy to keep and hard to win back.
"""
import os

import tree


def module_of(path):
    return os.path.splitext(path)[0].removesuffix("_internal")


def module_graph():
    graph = {}
    for path in tree.files((".c", ".h"), tree.PRODUCT):
        module = module_of(path)
        used = {module_of(header) for _, header in tree.includes(path)}
        graph.setdefault(module, set()).update(used - {module})
    return graph


def reachable(graph, start):
    seen, todo = set(), [start]
    while todo:
        for module in graph.get(todo.pop(), ()):
            if module not in seen:
                seen.add(module)
                todo.append(module)
    return seen


def complaints():
    graph = module_graph()
    reach = {module: reachable(graph, module) for module in graph}
    reported = set()
    for module in sorted(graph):
        ring = sorted(other for other in reach[module] if module in reach.get(other, ()))
        if ring and module not in reported:
            reported.update(ring)
            yield f"cycle of {len(ring)} modules: {', '.join(ring)}"


if __name__ == "__main__":
    tree.finish(list(complaints()))

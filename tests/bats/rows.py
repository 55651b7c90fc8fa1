#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Equations and places of an array, by its raw member files and `pgctl map --json` alone.

rows.py MAP.json	count the equations of all groups; print those that do not hold, exit status 1 if any

Knows nothing of pgctl but that document: a body begins at `start` of the member's file, a sequential body is
`rows` data segments of `segment` bytes and then its tails. Tests import it for what is more than a count.
"""
import json
import sys
from types import SimpleNamespace


class Map:
    """`pgctl map --json` with the member files it names, read where they lie."""

    def __init__(self, path="map.json"):
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        self.volumes = {volume["name"]: volume for volume in document["volumes"]}
        self.groups = [Group(group, {m["slot"]: m["path"] for m in document["members"]})
                       for group in document["groups"]]
        self.extents = {extent["id"]: (group, extent["column"])
                        for group in self.groups for extent in group.extents}

    def groups_of(self, volume):
        """Groups of a volume in the order of its bytes."""
        found = [self.extents[span["extents"][0]][0] for span in self.volumes[volume]["spans"]]
        return list(dict.fromkeys(found))

    def find(self, member, offset):
        """(group, column, byte of the extent), or None outside of all extents and their seals."""
        for group in self.groups:
            for extent in group.extents:
                end = extent["seal_start"] + extent["seal_length"]
                if extent["member"] == member and extent["start"] <= offset < end:
                    return group, extent["column"], offset - extent["start"]
        return None

    def trace(self, path):
        """I/O of bodies and seals in the order of its beginning, with group, column, and byte there."""
        found = []
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        for line in sorted(lines, key=lambda line: line["t"]):
            place = line["op"] != "flush" and self.find(line["member"], line["offset"])
            if place:
                found.append(SimpleNamespace(**line, group=place[0], column=place[1], at=place[2],
                                             end=line["t"] + line["took"]))
        return found


class Group:
    """A group; `segments` of a column are its data segments, then its tails."""

    def __init__(self, group, paths):
        self.id, self.layout, self.pure = group["id"], group["layout"], group["pure"]
        self.segment, self.rows = group["segment"], group["rows"]
        self.extents, self.parity = group["extents"], group["parity"]
        self.columns, self.paths = len(self.extents), paths
        self.members = [extent["member"] for extent in self.extents]
        self.length = self.extents[0]["length"]
        self.segments, self.levels = 1, 0
        if self.layout == "sequential":
            self.segments = self.length // self.segment
            self.levels = self.segments - self.rows
        self.bear = [c for c in range(self.columns) if c != self.pure]

    def read(self, column, segment=0):
        """A segment of a column as a number, so that + is ^."""
        extent = self.extents[column]
        size = self.segment if self.layout == "sequential" else self.length
        with open(self.paths[extent["member"]], "rb") as file:
            file.seek(extent["start"] + segment * size)
            data = file.read(size)
        assert len(data) == size, (self.id, column, segment)
        return int.from_bytes(data, "little")

    def tail(self, column, level):
        return self.read(column, self.rows + level)

    def equations(self):
        """(name, list of cells) of each XOR that has to be zero; a cell is (column, segment)."""
        if self.layout == "mirror":
            for column in range(1, self.columns):
                yield f"copy {column}", [(0, 0), (column, 0)]
        elif self.layout == "parity":  # of several checks the first is the XOR of the data
            first = self.columns - self.parity
            yield "parity", [(column, 0) for column in range(first + 1)]
        elif self.layout == "sequential":
            yield from self._sequential()

    def _sequential(self):
        """SPEC 2.1: P_j covers segment j of every column, Q the P of its level."""
        for row in range(self.rows):
            level, bearer = divmod(row, self.columns - 1)
            yield f"row {row}", [(c, row) for c in range(self.columns)] + \
                [(self.bear[bearer], self.rows + level)]
        for level in range(self.levels):
            yield f"level {level}", [(c, self.rows + level) for c in range(self.columns)]

    def wrong(self):
        """Names of the equations that do not hold."""
        for name, cells in self.equations():
            total = 0
            for column, segment in cells:
                total ^= self.read(column, segment)
            if total:
                yield name


def main():
    array, wrong = Map(sys.argv[1]), []
    for group in array.groups:
        wrong += [f"group {group.id} {name}" for name in group.wrong()]
    for line in wrong:
        print(line)
    kinds = [name.split()[0] for group in array.groups for name, _ in group.equations()]
    print(" ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

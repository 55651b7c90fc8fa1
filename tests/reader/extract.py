# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a volume byte for byte, solving the equations for what is missing, damaged or stale."""

import gf
from groupio import GroupReader
from image import Problem
from records import BLOCK, Bad, block_crc
from verify import chunks, nonzero_blocks


class Solver:
    """Contents of the cells of one group as they should be.

    Nothing is taken that its entry does not confirm, and a solution that an entry or a spare
    equation contradicts counts as not found.
    """

    def __init__(self, array, group):
        self.reader = GroupReader(array, group)
        self.group = group
        self.missing = self.reader.missing_cells()
        self.plans = {}
        self.loaded = None

    def read(self, cell, first, count):
        """(bytes, [numbers of blocks from 0 that could not be had])."""
        column, block = self.reader.place(cell, first)
        if column.usable and not any((cell, first + i) in self.reader.stale for i in range(count)):
            data = column.read(block, count)
            if not column.bad_blocks(block, data):
                return data, []
        self._load(first, count)
        lost = [block for block in range(count) if (cell, block) in self.lost]
        return bytes(self.content[cell]), lost

    def _load(self, first, count):
        """Load and solve all cells; kept, as the other segments of a column ask for the same."""
        if self.loaded == (first, count):
            return
        self.loaded, self.lost = (first, count), set()
        content = self.reader.load(first, count)
        unknown = [set(self.missing) for _ in range(count)]
        for cell, blocks in self.reader.bad_blocks(content, first).items():
            for block in blocks:
                unknown[block].add(cell)
        for cell, block in self.reader.stale:
            if first <= block < first + count:
                unknown[block - first].add(cell)
        cells = range(self.group.segments * self.group.columns)
        self.content = {cell: bytearray(content.get(cell, bytes(count * BLOCK))) for cell in cells}
        at = 0
        while at < count:
            end = at + 1
            while end < count and unknown[end] == unknown[at]:
                end += 1
            self._solve(frozenset(unknown[at]), first, at, end)
            at = end

    def _solve(self, unknown, first, at, end):
        if not unknown:
            return
        if unknown not in self.plans:
            equations = [equation.terms for equation in self.group.equations]
            self.plans[unknown] = gf.Elimination(equations, unknown)
        plan = self.plans[unknown]
        size = (end - at) * BLOCK
        part = {cell: bytes(data[at * BLOCK:end * BLOCK]) for cell, data in self.content.items()
                if cell not in unknown}
        contradicted = [terms for terms in plan.checks if gf.combine(terms, part)]
        for cell in unknown:
            if cell not in plan.solutions:
                self.content[cell][at * BLOCK:end * BLOCK] = bytes(size)
                self.lost |= {(cell, block) for block in range(at, end)}
                continue
            data = gf.combine(plan.solutions[cell], part).to_bytes(size, "little")
            self.content[cell][at * BLOCK:end * BLOCK] = data
            self._confirm(cell, first, at, end)
        for terms in contradicted:
            # Among the cells of this equation one is wrong although its entry confirms it.
            blocks = nonzero_blocks(gf.combine(terms, part), end - at)
            for cell, solution in plan.solutions.items():
                if solution.keys() & terms.keys():
                    self.lost |= {(cell, at + block) for block in blocks}

    def _confirm(self, cell, first, at, end):
        """Where the entry of a solved block is at hand and current, its CRC must agree."""
        for block in range(at, end):
            column, number = self.reader.place(cell, first + block)
            entry = column.crcs[number] if column.usable and column.crcs else None
            if entry is None or (cell, first + block) in self.reader.stale:
                continue
            data = self.content[cell][block * BLOCK:(block + 1) * BLOCK]
            if block_crc(column.seed, number, data) != entry:
                self.lost.add((cell, block))


def _extract_extent(array, solver, span, number, position, out):
    """Write what one extent holds of a span; yields a Problem per block that cannot be had."""
    place = array.model.extents[number]
    group, column = place.group, place.column
    for first, count in chunks(group):
        for segment in range(group.data_segments):
            cell = segment * group.columns + column
            data, lost = solver.read(cell, first, count)
            start = segment * group.cell_blocks + first
            for block, _, begin, end in span.pieces(position, start, start + count):
                at = (block - start) * BLOCK
                out.seek(begin)
                out.write(memoryview(data)[at:at + end - begin])
            for block in lost:
                found = span.volume_range(position, start + block, 1)
                if found:
                    extent = group.extents[column]
                    yield Problem(extent.member, None,
                                  f"block {start + block} of extent {number} of group {group.id}: "
                                  f"bytes {found[0]} to {found[1]} of the volume cannot be had")


def extract(array, name, out_path):
    """Write volume `name` to a file; returns the problems, or None if there is no such volume."""
    volume = next((v for v in array.model.volumes.values() if v.name == name), None)
    if volume is None:
        return None
    problems = []
    with open(out_path, "wb") as out:
        out.truncate(volume.length)
        for span in volume.spans:
            solvers = {}
            for position, number in enumerate(span.extents):
                group = array.model.extents[number].group
                if not group.sound:
                    raise Bad(f"group {group.id} does not fit its members")
                if group.id not in solvers:
                    solvers = {group.id: Solver(array, group)}
                problems += _extract_extent(array, solvers[group.id], span, number, position, out)
    return problems

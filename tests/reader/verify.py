# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks every block, entry, witness and equation of an array that image.Array has opened."""

import gf
from groupio import GroupReader
from image import Problem
from records import BLOCK

CHUNK = 32 << 20  # bytes of all cells of a group that are in memory at a time


def chunks(group):
    """(first, count) over the blocks of a cell."""
    cells = group.segments * group.columns
    step = max(1, CHUNK // BLOCK // cells)
    for first in range(0, group.cell_blocks, step):
        yield first, min(step, group.cell_blocks - first)


def nonzero_blocks(total, count):
    """Numbers of the blocks in which the large integer `total` is not zero."""
    if not total:
        return []
    data = total.to_bytes(count * BLOCK, "little")
    return [i for i in range(count) if any(data[i * BLOCK:(i + 1) * BLOCK])]


class Verifier:
    """What one run found: problems, and how much was looked at.

    Blocks that the intent log names may be old, new or a mixture, and the equations over them do not hold:
    they are counted, in `interrupted`, and no problems.
    """

    def __init__(self, array, log):
        self.array, self.log = array, log
        self.problems = list(array.problems)
        self.blocks = self.equations = self.interrupted = 0

    def run(self):
        for group in self.array.model.groups.values():
            if not group.sound:
                continue
            reader = GroupReader(self.array, group)
            self.named = self.log.named(group)
            self.problems += reader.problems
            self._generations(reader)
            plan = gf.Elimination([e.terms for e in group.equations], reader.missing_cells())
            for first, count in chunks(group):
                content = reader.load(first, count)
                self._crcs(reader, content, first)
                self._equations(reader, plan, content, first, count)

    def _report(self, reader, cell, block, text, over=()):
        """What is wrong at a block; `over` are the cells of the equation that does not hold."""
        if any(block in self.named.get(other, ()) for other in {cell, *over}):
            self.interrupted += 1
            return
        column, number = reader.place(cell, block)
        self.problems.append(Problem(
            column.extent.member, reader.address(cell, block),
            f"block {number} of extent {column.extent.id} of group {reader.group.id}: {text}"))

    def _generations(self, reader):
        for (cell, block), why in sorted(reader.stale.items()):
            self._report(reader, cell, block, why)
        for cell, block, text in reader.conflicts:
            self._report(reader, cell, block, text)

    def _crcs(self, reader, content, first):
        for cell, blocks in reader.bad_blocks(content, first).items():
            self.blocks += len(content[cell]) // BLOCK
            for block in blocks:
                column, number = reader.place(cell, first + block)
                entry = column.crcs[number]
                if entry is not None:  # the page that should hold the entry is reported already
                    self._report(reader, cell, first + block,
                                 f"CRC is not {entry:#010x} of its entry")

    def _equations(self, reader, plan, content, first, count):
        """With all members there these are the equations of the layout, else what follows from
        them for the cells at hand."""
        for number, terms in enumerate(plan.checks):
            self.equations += count
            for block in nonzero_blocks(gf.combine(terms, content), count):
                self._report(reader, max(terms), first + block,
                             f"equation {number} of {len(plan.checks)} does not hold over columns "
                             f"{sorted({cell % reader.group.columns for cell in terms})}", terms)

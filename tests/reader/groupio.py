# SPDX-License-Identifier: GPL-3.0-or-later
"""The extents of one group in their files: headers, entries, blocks, and who missed a write."""

import itertools

from image import Problem
from model import window_runs
from records import (
    BLOCK, COLUMNS_MAX, MIRROR, PARITY, Bad, block_crc, block_crc_seed, decode_entries,
    decode_header,
)


def body_offset(array, extent):
    member = array.model.members[extent.member]
    return member.data_offset + extent.frame * array.super.frame_blocks * BLOCK


def seal_offset(array, extent):
    room = array.super.frame_body_blocks << extent.size_class
    return body_offset(array, extent) + room * BLOCK


def header_expected(array, group, column):
    """The fields that a header page must have according to the map."""
    extent = group.extents[column]
    return {
        "array_uuid": array.uuid,
        "extent": extent.id,
        "member_uuid": array.model.members[extent.member].uuid,
        "frame": extent.frame,
        "generation": extent.generation,
        "size_class": extent.size_class,
        "body_blocks": extent.body_blocks,
    }


def header_group_expected(group, column):
    known = group.index[:group.data_columns] if group.layout == PARITY else []
    numbers = [extent.id for extent in group.extents]
    return {
        "group": group.id,
        "group_generation": group.generation,
        "layout": group.layout,
        "columns": group.columns,
        "checks": group.checks,
        "segment_blocks": group.segment_blocks,
        "column": column,
        "pure": group.pure,
        "index": known + [0] * (COLUMNS_MAX - len(known)),
        "extents": numbers + [0] * (COLUMNS_MAX - len(numbers)),
    }


NO_DATA = {"volume": 0, "span_offset": 0, "span_length": 0, "unit_blocks": 0, "position": 0,
           "span_extents": 0}


def header_span_expected(array, group, column):
    """The acceptable sets of fields: an extent that no span names tells of its group's, or of none."""
    own = array.model.extents[group.extents[column].id].span
    named = [number for number in range(group.columns)
             if array.model.extents[group.extents[number].id].span]
    if not named:
        return [NO_DATA]
    place = array.model.extents[group.extents[column if own else named[0]].id]
    fields = {"volume": place.span.volume.id, "span_offset": place.span.offset,
              "span_length": place.span.length, "unit_blocks": place.span.unit // BLOCK,
              "position": place.position if own else 0, "span_extents": len(place.span.extents)}
    return [fields] if own else [fields, NO_DATA]


def differences(header, expected):
    return [f"{name} {getattr(header, name)}, expected {value}"
            for name, value in expected.items() if getattr(header, name) != value]


class Column:
    """One extent: where it lies, its entries, whether its contents may be used at all."""

    def __init__(self, array, group, column, problems):
        self.group, self.column = group, column
        self.extent = group.extents[column]
        self.member = array.members.get(self.extent.member)
        self.body = self.seal = None
        self.crcs, self.generations, self.witnesses = [], [], []
        self.usable = self.member is not None and not self.extent.stale
        if self.usable and not group.bare:
            self._place(array, problems)
        if self.usable and not group.bare:
            blocks = group.body_blocks
            self.crcs, self.generations = [None] * blocks, [None] * blocks
            self.witnesses = [None] * blocks
            self.seed = block_crc_seed(array.uuid, self.extent.id)
            self._read_header(array, problems)
        if self.usable and not group.bare:
            self._read_entries(array, problems)

    def _problem(self, problems, offset, text):
        problems.append(Problem(self.extent.member, offset, f"extent {self.extent.id} of group "
                                f"{self.group.id}: {text}"))

    def _place(self, array, problems):
        self.body = body_offset(array, self.extent)
        self.seal = seal_offset(array, self.extent)
        end = self.seal + (1 + len(self.group.seal_pages(self.column))) * BLOCK
        if end > self.member.size:
            self._problem(problems, self.member.size, f"ends at byte {end}, the file before that")
            self.usable = False

    def _read_page(self, number):
        return self.member.read(self.seal + number * BLOCK, BLOCK)

    def _read_header(self, array, problems):
        try:
            header = decode_header(self._read_page(0), array.uuid)
        except Bad as bad:
            self._problem(problems, self.seal, str(bad))
            return
        wrong = differences(header, header_expected(array, self.group, self.column))
        if wrong:
            self.usable = False
        wrong += self._group_differences(header)
        choices = [differences(header, fields) for fields
                   in header_span_expected(array, self.group, self.column)]
        wrong += min(choices, key=len)
        for text in wrong:
            self._problem(problems, self.seal, f"header page: {text}")

    def _group_differences(self, header):
        """A data column of a parity group need not follow when the group's composition changes,
        nor a copy of a mirror when the copies change their order."""
        follows = self.group.layout != PARITY or self.column >= self.group.data_columns
        if not follows and header.group_generation < self.group.generation:
            return []
        if self.group.layout == MIRROR and header.group_generation < self.group.generation:
            wanted = sorted(extent.id for extent in self.group.extents)
            found = sorted(number for number in header.extents if number)
            return [] if (header.group, found) == (self.group.id, wanted) else ["copies differ"]
        return differences(header, header_group_expected(self.group, self.column))

    def _read_entries(self, array, problems):
        pages = self.group.seal_pages(self.column)
        for number, (first, count, width) in enumerate(pages, start=1):
            expected = {"extent": self.extent.id, "page": number, "first_block": first,
                        "entry_count": count, "entry_size": 8 + 2 * width}
            try:
                entries = decode_entries(self._read_page(number), array.uuid, expected)
            except Bad as bad:
                self._problem(problems, self.seal + number * BLOCK, str(bad))
                continue
            end = first + count
            crcs, generations, *witnesses = zip(*entries)
            self.crcs[first:end], self.generations[first:end] = crcs, generations
            if width:
                self.witnesses[first:end] = list(zip(*witnesses))

    def read(self, block, count):
        """Bytes of the blocks."""
        if self.group.bare:
            parts = [self.member.read(at, size) for at, size
                     in window_runs(self.extent.window, block * BLOCK, (block + count) * BLOCK)]
            return b"".join(parts).ljust(count * BLOCK, b"\0")
        return self.member.read(self.body + block * BLOCK, count * BLOCK)

    def bad_blocks(self, block, data):
        """Numbers (from 0 in `data`) of blocks that do not match their entry or have none."""
        if self.group.bare:  # nothing but the equations would tell
            return []
        view, bad = memoryview(data), []
        for i in range(len(data) // BLOCK):
            computed = block_crc(self.seed, block + i, view[i * BLOCK:(i + 1) * BLOCK])
            if computed != self.crcs[block + i]:
                bad.append(i)
        return bad


class GroupReader:
    """A group opened for reading; `problems` collects what its seals have wrong."""

    def __init__(self, array, group):
        self.group = group
        self.problems = []
        self.columns = [Column(array, group, column, self.problems)
                        for column in range(group.columns)]
        self.stale = {}  # {(cell, block of the cell): why}
        self.conflicts = []  # [(cell, block of the cell, text)]: wrong, and it is unclear who
        self._judge()

    def missing_cells(self):
        return frozenset(cell for cell in range(self.group.segments * self.group.columns)
                         if not self.columns[cell % self.group.columns].usable)

    def address(self, cell, block):
        """Where the first byte of a block of a cell lies on its member."""
        column, number = self.place(cell, block)
        if not self.group.bare:
            return column.body + number * BLOCK
        return next(window_runs(column.extent.window, number * BLOCK, (number + 1) * BLOCK))[0]

    def place(self, cell, block):
        """(column, block of the body) of a block of a cell."""
        segment, column = divmod(cell, self.group.columns)
        return self.columns[column], segment * self.group.cell_blocks + block

    def _of_cell(self, cell, name):
        """The slice of a column's list that is the cell's, None if the column is not usable."""
        column, start = self.place(cell, 0)
        if not column.usable:
            return None
        return getattr(column, name)[start:start + self.group.cell_blocks]

    def _judge(self):
        if self.group.layout == MIRROR:
            self._judge_equals(range(self.group.columns), "copy")
        elif self.group.layout == PARITY:
            self._judge_equals(range(self.group.data_columns, self.group.columns), "check")
        for equation in self.group.equations:
            if equation.covered is not None:
                self._judge_equation(equation)

    def _judge_equals(self, cells, what):
        """Cells that are always written together: a smaller generation missed a write."""
        known = {cell: self._of_cell(cell, "generations") for cell in cells}
        known = {cell: values for cell, values in known.items() if values}
        for block, values in enumerate(zip(*known.values())):
            there = [value for value in values if value is not None]
            if not there or min(there) == max(there):
                continue
            for cell, value in zip(known, values):
                if value is not None and value < max(there):
                    self.stale[cell, block] = (f"missed a write: generation {value}, "
                                               f"another {what} has {max(there)}")

    def _judge_equation(self, equation):
        generations = self._of_cell(equation.check, "generations")
        if generations is None:
            return
        witnesses = self._of_cell(equation.check, "witnesses")
        covered = [self._of_cell(cell, "generations") or itertools.repeat(None)
                   for cell in equation.covered]
        for block, (own, witness, *values) in enumerate(zip(generations, witnesses, *covered)):
            if own is None:
                continue
            if None not in values and own == max(values):
                expected = tuple(value & 0xFFFF for value in values)
                if witness[:len(expected)] == expected and not any(witness[len(expected):]):
                    continue
            self._judge_block(equation, block, own, witness, values)

    def _judge_block(self, equation, block, own, witness, values):
        newest = max((value for value in values if value is not None), default=0)
        if newest > own:
            self.stale[equation.check, block] = (f"missed a write: generation {own}, "
                                                 f"a covered block has {newest}")
            return
        found = False
        for cell, value, seen in zip(equation.covered, values, witness):
            if value is not None and value & 0xFFFF != seen:
                found = True
                self.stale[cell, block] = f"missed a write: generation {value}, witness {seen}"
        if any(witness[len(values):]):
            self.conflicts.append((equation.check, block, f"unused witness in {witness}"))
        if not found and None not in values and own != newest:
            self.conflicts.append((equation.check, block,
                                   f"generation {own}, the greatest it covers is {newest}"))

    def load(self, first, count):
        """{cell: bytes} of all usable cells, blocks first..first+count-1 of each."""
        content = {}
        for cell in range(self.group.segments * self.group.columns):
            column, block = self.place(cell, first)
            if column.usable:
                content[cell] = column.read(block, count)
        return content

    def bad_blocks(self, content, first):
        """{cell: [block numbers from 0]} that do not match their entries."""
        bad = {}
        for cell, data in content.items():
            column, block = self.place(cell, first)
            bad[cell] = column.bad_blocks(block, data)
        return bad

# SPDX-License-Identifier: GPL-3.0-or-later
"""The intent log as docs/FORMAT.md section 8 has it: a record checked, and the one that counts found."""

import zlib
from collections import namedtuple
from types import SimpleNamespace

from image import Problem
from records import BLOCK, VERSION, Bad, Refused, check_reserved, fields, zero_field

SLOTS = 2
GENERATION_MAX = 1 << 62
SLICES_MAX = 4096
CELLS_MAX = 32
HEADER_SIZE = 128
MAGIC = b"PGLR"
SUSPECT = 1
HEADER = {
    "magic": (0, 4),
    "version": (4, "I"),
    "header_crc": (8, "I"),
    "crc": (12, "I"),
    "array_uuid": (16, 16),
    "epoch": (32, "Q"),
    "generation": (40, "Q"),
    "written": (48, "Q"),
    "record_size": (56, "Q"),
    "index_size": (64, "Q"),
    "rows_count": (72, "I"),
    "pages_count": (76, "I"),
    "slot": (80, "H"),
    "copies": (82, "H"),
    "usual_copies": (84, "H"),
    "first_place": (86, "H"),
    "in_service": (88, 32),
    "flags": (120, "I"),
}
ROWS_SIZE, CELL_SIZE, PAGE_SIZE = 64, 8, 32
ROWS = {
    "volume": (0, "Q"),
    "group": (8, "Q"),
    "segment": (16, "I"),
    "first": (20, "I"),
    "slices": (24, "I"),
    "columns": (28, "I"),
    "cell_count": (32, "I"),
    "generation_limit": (36, "I"),
    "flags": (40, "I"),
}
PAGE = {"extent": (0, "Q"), "page": (8, "I")}

# One slot of one member: `record` is what verifies, `header` what at least says what was to be there,
# `problem` why one of the two is missing; all three None: nothing is there. `torn`: the header is whole and the
# rest does not go with it, as a power loss leaves what was being written.
Copy = namedtuple("Copy", "member slot header record problem torn", defaults=[False])


class Torn(Bad):
    """A record that does not go with its header."""


def members_of(record):
    """Members in service when it was written, in the order of their places."""
    return [number for number in range(256) if record.in_service[number // 8] >> number % 8 & 1]


def meant_for(header, copies, first_place):
    """Numbers of the members that a record with these places goes to."""
    members = members_of(header)
    return {members[(first_place + i) % len(members)] for i in range(copies)}


def decode_header(data, uuid, slot_size):
    """The header at the start of a slot, None where there is none of this array, or Bad."""
    header = fields(HEADER, data)
    if header.magic != MAGIC:
        return None
    if header.header_crc != zlib.crc32(zero_field(data[:HEADER_SIZE], HEADER, "header_crc")):
        raise Bad("log record: bad header CRC")
    if header.array_uuid != uuid:
        return None
    if header.version != VERSION:
        raise Refused(f"log record: version {header.version}, can read {VERSION}")
    check_reserved(HEADER, data[:HEADER_SIZE], "log record")
    if header.flags > SUSPECT:
        raise Bad(f"log record: flags {header.flags:#x}")
    if not 1 <= header.generation <= GENERATION_MAX or header.slot != header.generation % SLOTS:
        raise Bad(f"log record: generation {header.generation} in slot {header.slot}")
    if (header.record_size % BLOCK or not BLOCK <= header.record_size <= slot_size
            or header.index_size > header.record_size - HEADER_SIZE):
        raise Bad(f"log record: {header.record_size} bytes with an index of {header.index_size}")
    count = len(members_of(header))
    if not (1 <= header.usual_copies <= header.copies <= count and header.first_place < count):
        raise Bad(f"log record: {header.copies} copies from place {header.first_place} of {count}")
    return header


class _Index:
    """The index, entry by entry."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise Bad("log record: an entry leaves the index", HEADER_SIZE + self.at)
        self.at += size
        return self.data[self.at - size:self.at]

    def rows(self):
        data = self.take(ROWS_SIZE)
        entry = fields(ROWS, data)
        check_reserved(ROWS, data, "log record: rows entry")
        columns = bin(entry.columns).count("1")
        if (not entry.group or entry.flags > 3 or not 1 <= entry.slices <= SLICES_MAX
                or entry.first + entry.slices > 0xFFFFFFFF
                or not 1 <= columns <= entry.cell_count <= CELLS_MAX):
            raise Bad(f"log record: rows entry of group {entry.group} cannot be", self.at)
        cells = self.take(entry.slices * entry.cell_count * CELL_SIZE)
        table = {"crc": (0, "I"), "generation": (4, "I")}
        entry.cells = [fields(table, cells[at:at + CELL_SIZE])
                       for at in range(0, len(cells), CELL_SIZE)]
        if any(cell.generation >= entry.generation_limit for cell in entry.cells):
            raise Bad("log record: a generation reaches the limit", self.at)
        return entry

    def page(self):
        data = self.take(PAGE_SIZE)
        entry = fields(PAGE, data)
        check_reserved(PAGE, data, "log record: page entry")
        if not entry.extent:
            raise Bad("log record: page of no extent", self.at)
        return entry


def decode_record(data, header):
    """The whole record of a header that was decoded from the same bytes; or Bad."""
    data = data[:header.record_size]
    if len(data) < header.record_size:
        raise Bad("log record: the member ends within it")
    plain = zero_field(zero_field(data, HEADER, "header_crc"), HEADER, "crc")
    if header.crc != zlib.crc32(plain):
        raise Torn(f"log record of generation {header.generation}: bad CRC")
    record = SimpleNamespace(**vars(header))
    index = _Index(data[HEADER_SIZE:HEADER_SIZE + header.index_size])
    record.rows = [index.rows() for _ in range(header.rows_count)]
    record.pages = [index.page() for _ in range(header.pages_count)]
    at = -(-(HEADER_SIZE + header.index_size) // BLOCK) * BLOCK
    if index.at != header.index_size or any(data[HEADER_SIZE + header.index_size:at]):
        raise Bad("log record: bytes behind the entries")
    for entry in record.rows:
        size = len(entry.cells) * BLOCK if entry.flags & 1 else 0
        entry.content, at = data[at:at + size], at + size
    for entry in record.pages:
        entry.content, at = data[at:at + BLOCK], at + BLOCK
    if at != header.record_size:
        raise Bad(f"log record: {header.record_size} bytes, its entries need {at}")
    return record


def read_copy(member, slot):
    own = member.newest
    slot_size = own.log_size // SLOTS
    at = own.log_offset + slot * slot_size
    header = None
    try:
        data = member.read(at, BLOCK)
        if len(data) < BLOCK:
            raise Bad("log record: the member ends before it")
        header = decode_header(data, own.array_uuid, slot_size)
        if header is None:
            return Copy(member.number, slot, None, None, None)
        if header.slot != slot:
            header = None
            raise Bad("log record: in the other slot")
        record = decode_record(member.read(at, header.record_size), header)
        return Copy(member.number, slot, header, record, None)
    except Refused as bad:
        raise Bad(f"{member.path}: byte {at}: {bad}") from None
    except Bad as bad:
        return Copy(member.number, slot, header, None,
                    Problem(member.number, at + bad.offset, str(bad)), isinstance(bad, Torn))


class Log:
    """All copies on the current members.

    record    the one that counts, or None
    suspect   a newer one may have been complete and cannot be read, or so it says of an older one
    """

    def __init__(self, array):
        members = [m for _, m in sorted(array.members.items()) if not array.is_stale(m)]
        self.copies = [read_copy(m, slot) for m in members if m.newest.log_size
                       for slot in range(SLOTS)]
        valid = [copy.record for copy in self.copies if copy.record]
        self.record = max(valid, key=lambda record: (record.epoch, record.generation), default=None)
        self.suspect = self._is_suspect()

    def _refuted(self, generation, members):
        """A member that was to get this generation has something older, nothing, or a torn one there."""
        return any(copy.member in members and copy.slot == generation % SLOTS
                   and (copy.torn or copy.header.generation != generation if copy.header
                        else not copy.problem)
                   for copy in self.copies)

    def _is_suspect(self):
        if self.record and self.record.flags & SUSPECT:
            return True
        counts = self.record.generation if self.record else 0
        for copy in self.copies:
            if copy.header and copy.header.generation > counts:
                header = copy.header
                members = meant_for(header, header.copies, header.first_place)
                if not self._refuted(header.generation, members):
                    return True
        if not self.record:
            return any(copy.problem and not copy.header for copy in self.copies)
        copies, count = self.record.usual_copies, len(members_of(self.record))
        after = counts + 1
        members = meant_for(self.record, copies, copies * after % count)
        return not self._refuted(after, members)

    def named(self, group):
        """{cell: blocks of it} of the group that the record names: what is written, and its checks."""
        found = {}
        for rows in self.record.rows if self.record else []:
            if rows.group != group.id or rows.segment >= group.segments:
                continue
            cells = {rows.segment * group.columns + column for column in range(group.columns)
                     if rows.columns >> column & 1}
            grown = True
            while grown:
                checks = {e.check for e in group.equations if not cells.isdisjoint(e.terms)}
                grown = not checks <= cells
                cells |= checks
            for cell in cells:
                found.setdefault(cell, set()).update(range(rows.first, rows.first + rows.slices))
        return found

    def problems(self):
        """Only what may cost something: damaged copies of what was not complete are the usual end."""
        if self.suspect:
            yield Problem(None, None, "log: a newer record than the one that counts may be lost")
            yield from (copy.problem for copy in self.copies if copy.problem)

    def notes(self):
        """The others: torn by a crash that came before anybody was told."""
        return [] if self.suspect else [
            f"member {copy.member}: byte {copy.problem.offset}: {copy.problem.text}"
            for copy in self.copies if copy.problem]

    def report(self):
        if not self.record:
            return None
        return {
            "generation": self.record.generation,
            "epoch": self.record.epoch,
            "members": [copy.member for copy in self.copies
                        if copy.record and copy.record.generation == self.record.generation],
            "rows": [{"volume": rows.volume, "group": rows.group, "segment": rows.segment,
                      "first": rows.first, "slices": rows.slices, "columns": rows.columns,
                      "content": bool(rows.flags & 1)} for rows in self.record.rows],
            "pages": [{"extent": page.extent, "page": page.page} for page in self.record.pages],
        }

# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs that lie, for hostile.py: the checksums are right, and what they name cannot be, or is odd.

A record that breaks section 8 of docs/FORMAT.md counts as damaged; one that keeps to it and names what is
not in the map has to do no harm. On an array of three members with groups 1 to 4 and their extents.
"""

import struct

from synth_log import Page, record, rows, sign

BLOCK = 4096
U32 = 0xFFFFFFFF
U64 = (1 << 64) - 1
MEMBERS = {0, 1, 2}
CELLS = [(0x1234, 9), (0x5678, 9)]
ZEROS = [bytes(BLOCK)] * 2

# name, entries of a record that keeps to the format
ENTRIES = [
    ("group-none", [rows(99, 0, 1, CELLS)]),
    ("group-huge", [rows(U64, 0, 1, CELLS)]),
    ("segment", [rows(1, 0, 1, CELLS, segment=1)]),
    ("segment-huge", [rows(4, 0, 1, CELLS, segment=U32)]),
    ("first-beyond", [rows(1, 16, 1, CELLS)]),
    ("first-huge", [rows(1, U32 - 1, 1, CELLS)]),
    ("slices-beyond", [rows(1, 1, 1, CELLS * 60, slices=60, cell_count=2)]),
    ("slices-4096", [rows(1, 0, 1, [(1, 1)] * 3000, slices=3000, cell_count=1)]),
    ("columns-beyond", [rows(1, 0, 1 << 31, CELLS)]),
    ("columns-check", [rows(1, 0, 4, CELLS)]),
    ("columns-all", [rows(1, 0, U32, [(1, 1)] * 32)]),
    ("cells-fewer", [rows(1, 0, 1, CELLS[:1])]),
    ("cells-more", [rows(1, 0, 1, CELLS * 16)]),
    ("limit-huge", [rows(1, 0, 1, [(1, U32 - 1), (2, U32 - 1)], limit=U32)]),
    ("generation-0", [rows(1, 0, 1, [(1, 0), (2, 0)], limit=1)]),
    ("volume-none", [rows(1, 0, 1, CELLS, volume=U64)]),
    ("content-wrong", [rows(1, 0, 1, CELLS, content=ZEROS)]),
    ("content-beyond", [rows(1, 99, 1, CELLS, content=ZEROS)]),
    ("content-of-no-group", [rows(77, 0, 1, CELLS, content=ZEROS)]),
    ("twice", [rows(1, 0, 1, CELLS), rows(1, 0, 1, CELLS), rows(1, 0, 3, CELLS)]),
    ("twice-content", [rows(1, 0, 1, CELLS, content=ZEROS),
                       rows(1, 0, 1, [(9, 9), (8, 8)], content=[b"\1" * BLOCK] * 2)]),
    ("many", [rows(1, first % 16, 1, CELLS) for first in range(300)]),
    ("sequential-tail", [rows(4, 0, 1, CELLS, segment=2)]),
    ("mirror-copy", [rows(3, 0, 2, CELLS)]),
    ("page-none", [Page(99, 0, bytes(BLOCK))]),
    ("page-extent-huge", [Page(U64, 0, bytes(BLOCK))]),
    ("page-beyond", [Page(1, 9, bytes(BLOCK))]),
    ("page-huge", [Page(1, U32, bytes(BLOCK))]),
    ("page-zero", [Page(1, 0, bytes(BLOCK))]),
    ("page-garbage", [Page(1, 0, b"\xff" * BLOCK)]),
    ("page-twice", [Page(1, 0, b"\xff" * BLOCK), Page(1, 0, bytes(BLOCK))]),
]

# name, offset, kind, value in the header or the first entry of a record, which breaks the format
FIELDS = [
    ("generation-max", 40, "Q", 1 << 62),
    ("generation-more", 40, "Q", (1 << 62) + 2),
    ("epoch", 32, "Q", U64),
    ("written", 48, "Q", U64),
    ("size-0", 56, "Q", 0),
    ("size-huge", 56, "Q", U64 - 4095),
    ("index-huge", 64, "Q", U64),
    ("rows-huge", 72, "I", U32),
    ("pages-huge", 76, "I", U32),
    ("copies-0", 82, "H", 0),
    ("copies-huge", 82, "H", 0xFFFF),
    ("place-huge", 86, "H", 0xFFFF),
    ("nobody-in-service", 88, "Q", 0),
    ("others-in-service", 88, "Q", 0xF0),
    ("slices-huge", 152, "I", U32),
    ("columns-0", 156, "I", 0),
    ("cells-huge", 160, "I", U32),
    ("flags-all", 168, "I", U32),
    ("reserved", 172, "I", 1),
]


def with_log(array, data, generation):
    """All members have the record, in the slot of its generation."""
    for number in MEMBERS:
        array.logs[number, generation % 2] = data
    return array


def of_entries(array, entries):
    return with_log(array, record(array.uuid, 6, entries, MEMBERS, copies=3), 6)


def of_field(array, offset, kind, value):
    data = record(array.uuid, 6, [rows(1, 0, 1, CELLS)], MEMBERS, copies=3)
    size = struct.calcsize(kind)
    return with_log(array, sign(data[:offset] + struct.pack("<" + kind, value)
                                + data[offset + size:]), 6)


def torn(array):
    """A newer record whose end never came, on all members."""
    data = record(array.uuid, 5, [], MEMBERS, copies=3)
    with_log(array, data, 5)
    data = record(array.uuid, 6, [rows(1, i, 1, CELLS) for i in range(16)], MEMBERS, copies=3)
    return with_log(array, data[:512] + bytes(len(data) - 512), 6)


def differ(array):
    """One generation with another text on each member."""
    for number in MEMBERS:
        array.logs[number, 0] = record(array.uuid, 6, [rows(1 + number, 0, 1, CELLS)], MEMBERS,
                                       copies=3)
    return array


def odd(honest):
    """(name, function that makes the array); `honest` makes one without a log."""
    for name, entries in ENTRIES:
        yield "log-" + name, lambda e=entries: of_entries(honest(), e)
    for name, offset, kind, value in FIELDS:
        yield "log-" + name, lambda o=offset, k=kind, v=value: of_field(honest(), o, k, v)
    yield "log-torn", lambda: torn(honest())
    yield "log-differ", lambda: differ(honest())
    yield "log-garbage", lambda: with_log(honest(), b"PGLR" + b"\xff" * 9000, 6)

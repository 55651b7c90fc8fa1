# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes records of the intent log for the tests: docs/FORMAT.md section 8 a second time, as in synth.py."""

import struct
from collections import namedtuple

from synth import BLOCK, crc

Rows = namedtuple("Rows", "volume group segment first slices columns cell_count limit flags cells "
                          "content")
Page = namedtuple("Page", "extent page content")


def rows(group, first, columns, cells, segment=0, content=None, **other):
    """Rows of one slice; `cells` are (CRC, generation), `content` a block for each or None."""
    entry = Rows(1, group, segment, first, 1, columns, len(cells), 100,
                 1 if content else 0, cells, content or [])
    return entry._replace(**other)


def _entry(entry):
    if isinstance(entry, Page):
        return struct.pack("<QI20x", entry.extent, entry.page)
    return struct.pack("<QQ7I20x", *entry[:9]) + b"".join(
        struct.pack("<II", *cell) for cell in entry.cells)


def _content(entry):
    return entry.content if isinstance(entry, Page) else b"".join(entry.content)


def sign(data):
    """Both checksums made right."""
    data = data[:8] + bytes(8) + data[16:]
    data = data[:12] + struct.pack("<I", crc(0, data)) + data[16:]
    return data[:8] + struct.pack("<I", crc(0, data[:128])) + data[12:]


def record(uuid, generation, entries, in_service, copies=2, usual=2, first=None, epoch=1):
    """A record with these entries, rows before pages; `in_service` is a set of member numbers."""
    count = len(in_service)
    index = b"".join(_entry(entry) for entry in entries)
    content = b"".join(_content(entry) for entry in entries)
    start = -(-(128 + len(index)) // BLOCK) * BLOCK
    first = copies * generation % count if first is None else first
    bits = sum(1 << number for number in in_service)
    pages = sum(isinstance(entry, Page) for entry in entries)
    header = struct.pack("<4sIII16sQQQQQIIHHHH32s8x", b"PGLR", 1, 0, 0, uuid, epoch, generation,
                         1700000000, start + len(content), len(index), len(entries) - pages, pages,
                         generation % 2, copies, usual, first, bits.to_bytes(32, "little"))
    return sign((header + index).ljust(start, b"\0") + content)

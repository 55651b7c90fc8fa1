# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes small arrays in the native format for the tests of the reader.

It shares no code with the reader: what docs/FORMAT.md says is written down here a second time, the
other way around, and as plainly as possible.
"""

import os
import random
import struct
import zlib

BLOCK = 4096
PLAIN, MIRROR, PARITY, SEQUENTIAL = range(4)
MAP_OFFSET = (1 << 20) + (64 << 10)
MAP_HALF = 64 << 10
LOG_SIZE = 64 << 10
SUPER_MAGIC = b"\x89PGCTL\r\n"


def crc(seed, data):
    return zlib.crc32(data, seed)


def gf_mul(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return product


def gf_power(exponent):
    value = 1
    for _ in range(exponent):
        value = gf_mul(value, 2)
    return value


def xor(*parts):
    total = 0
    for part in parts:
        total ^= int.from_bytes(part, "big")
    return total.to_bytes(len(parts[0]), "big")


def scaled(data, factor):
    return bytes(data).translate(bytes(gf_mul(x, factor) for x in range(256)))


def policy(layout, checks, unit=0, pure_plus_1=0):
    return struct.pack("<BBHIBBBBH10x", layout, checks, 0, unit, 0, 0, 0, 0, pure_plus_1)


def text(value):
    data = value.encode()
    return bytes([len(data)]) + data


class SynthGroup:
    """A group of an array to be written: bodies as bytearrays, entries as (generation, witness)."""

    def __init__(self, array, layout, checks, members, body, pure, size_class, index):
        self.array, self.layout, self.checks, self.pure = array, layout, checks, pure
        self.columns, self.body_blocks, self.size_class = len(members), body, size_class
        self.id, self.generation = array.new_id("group"), array.generation
        self.index = (index or list(range(self.columns - checks))) if layout == PARITY else []
        self.segment_blocks = body // (checks * self.columns) if layout == SEQUENTIAL else body
        self.members = members
        self.frames = [array.new_frame(member, size_class) for member in members]
        self.ids = [array.new_id("extent") for _ in members]
        self.header_generations = [array.random.randrange(1, 99) for _ in members]
        self.bodies = [bytearray(body * BLOCK) for _ in members]
        self.generations = [[0] * body for _ in members]
        self.witnesses = [[()] * body for _ in members]
        self.spans = {}  # column: (volume id, name, offset, length, unit, position, count)
        self.stale_columns = set()
        self.old_headers = {}  # column: changes to the header fields
        self.page_end = b""  # what the padding of entry pages ends in

    def data_columns(self):
        if self.layout == SEQUENTIAL:
            return list(range(self.columns))
        return list(range(self.columns - self.checks))

    def run_blocks(self):
        if self.layout == SEQUENTIAL:
            return self.checks * (self.columns - 1) * self.segment_blocks
        return self.body_blocks

    def finish(self):
        """Draw generations of data blocks, then derive checks, their generations and witnesses."""
        draw = self.array.random.randrange
        for column in self.data_columns():
            for block in range(self.run_blocks()):
                self.generations[column][block] = draw(1, 200000)
        (self._plain, self._mirror, self._parity, self._sequential)[self.layout]()

    def _plain(self):
        pass

    def _mirror(self):
        for copy in range(1, self.columns):
            self.bodies[copy][:] = self.bodies[0]
            self.generations[copy] = list(self.generations[0])

    def _parity(self):
        data = self.data_columns()
        for j in range(self.checks):
            check = len(data) + j
            self.bodies[check][:] = xor(*(scaled(self.bodies[i], gf_power(j * self.index[i]))
                                          for i in data))
            for block in range(self.body_blocks):
                self._cover(check, block, [(i, block) for i in data])

    def _cover(self, column, block, covered, width=0):
        seen = [self.generations[c][b] for c, b in covered]
        self.generations[column][block] = max(seen)
        witness = tuple(g % 65536 for g in seen)
        self.witnesses[column][block] = witness + (0,) * (width - len(witness))

    def _sequential(self):
        m, r, size = self.columns, self.checks, self.segment_blocks
        bear = [column for column in range(m) if column != self.pure]

        def part(column, number):
            return bytes(self.bodies[column][number * size * BLOCK:(number + 1) * size * BLOCK])

        def store(column, number, data):
            self.bodies[column][number * size * BLOCK:(number + 1) * size * BLOCK] = data

        for t in range(r):
            tail = r * (m - 1) + t
            for h in range(m - 1):
                j = t * (m - 1) + h
                store(bear[h], tail, xor(*(part(column, j) for column in range(m))))
                for b in range(size):
                    self._cover(bear[h], tail * size + b,
                                [(column, j * size + b) for column in range(m)])
            store(self.pure, tail, xor(*(part(column, tail) for column in bear)))
            for b in range(size):
                self._cover(self.pure, tail * size + b,
                            [(column, tail * size + b) for column in bear], width=m)

    def item(self):
        data = struct.pack("<QQBBBBI4x", self.id, self.generation, self.layout, self.checks,
                           self.columns, self.pure, self.segment_blocks)
        data += bytes(self.index).ljust(-(-self.columns // 8) * 8, b"\0")
        for column in range(self.columns):
            data += struct.pack("<QQIIIBB2x8x", self.ids[column], self.header_generations[column],
                                self.members[column], self.frames[column], self.body_blocks,
                                self.size_class, column in self.stale_columns)
        return 3, data

    def header(self, column):
        array = self.array
        page = bytearray(BLOCK)
        struct.pack_into("<4sIIBBBB", page, 0, b"PGSH", 0, 1, self.size_class, self.layout,
                         self.columns, self.checks)
        page[16:32] = array.uuid
        struct.pack_into("<QQQ", page, 32, self.ids[column], self.header_generations[column],
                         self.id)
        page[56:72] = array.member_uuids[self.members[column]]
        struct.pack_into("<IIIHH", page, 72, self.frames[column], self.body_blocks,
                         self.segment_blocks, column, self.pure)
        if column in self.spans:
            volume, name, offset, length, unit, position, count = self.spans[column]
            struct.pack_into("<QQQIHH", page, 88, volume, offset, length, unit, position, count)
            page[128:129 + len(name.encode())] = text(name)
        struct.pack_into("<Q", page, 120, self.generation)
        page[384:384 + len(self.index)] = bytes(self.index)
        struct.pack_into(f"<{self.columns}Q", page, 416, *self.ids)
        for at, value in self.old_headers.get(column, {}).items():
            page[at:at + len(value)] = value
        struct.pack_into("<I", page, 4, crc(crc(0, array.uuid), bytes(page)))
        return bytes(page)

    def entry_pages(self, column):
        plain, width = self.body_blocks, 0
        if self.layout == PARITY and column >= self.columns - self.checks:
            plain, width = 0, self.columns - self.checks
        if self.layout == SEQUENTIAL:
            plain, width = self.run_blocks(), self.columns
        pages, block = [], 0
        while block < self.body_blocks:
            last, size = (plain, 8) if block < plain else (self.body_blocks, 8 + 2 * width)
            count = min(4064 // size, last - block)
            pages.append(self._entry_page(column, len(pages) + 1, block, count, size))
            block += count
        return pages

    def _entry_page(self, column, number, first, count, size):
        page = struct.pack("<4sIQIIHHI", b"PGSE", 0, self.ids[column], number, first, count, size,
                           0)
        for block in range(first, first + count):
            content = bytes(self.bodies[column][block * BLOCK:(block + 1) * BLOCK])
            key = self.array.uuid + struct.pack("<QI", self.ids[column], block)
            page += struct.pack("<II", crc(crc(0, key), content), self.generations[column][block])
            if size > 8:
                page += struct.pack(f"<{(size - 8) // 2}H", *self.witnesses[column][block])
        page = page.ljust(BLOCK - len(self.page_end), b"\0") + self.page_end
        return page[:4] + struct.pack("<I", crc(crc(0, self.array.uuid), page)) + page[8:]


class SynthArray:
    """An array to be written; commits are records of items, each with its superblocks."""

    def __init__(self, members, frame_body=24, witness_max=8, frames=4, seed=1):
        self.random = random.Random(seed)
        self.uuid = self.random.randbytes(16)
        self.member_uuids = [self.random.randbytes(16) for _ in range(members)]
        self.frame_body, self.witness_max, self.frame_count = frame_body, witness_max, frames
        per_page = 4064 // (8 + 2 * witness_max)
        self.frame_blocks = frame_body + 2 + (frame_body + per_page - 1) // per_page
        self.data_offset = MAP_OFFSET + 2 * MAP_HALF + LOG_SIZE
        self.member_size = self.data_offset + frames * self.frame_blocks * BLOCK
        self.name = "tank"
        self.next_ids = {"extent": 1, "group": 1, "volume": 1, "job": 1}
        self.free_frame = [0] * members
        self.groups, self.volumes = [], []
        self.generation = 1
        self.epochs = [(1, self.random.getrandbits(64), 1)]
        self.records, self.supers = b"", [[] for _ in range(members)]
        self.logs = {}  # (member, slot): bytes of a record
        self.last_crc = 0

    def new_id(self, kind):
        self.next_ids[kind] += 1
        return self.next_ids[kind] - 1

    def new_frame(self, member, size_class):
        step = 1 << size_class
        frame = -(-self.free_frame[member] // step) * step
        self.free_frame[member] = frame + step
        return frame

    def add_group(self, layout, checks, members, body=None, pure=0, size_class=0, index=None):
        if body is None:
            body = self.frame_body << size_class
            if layout == SEQUENTIAL:
                body -= body % (checks * len(members))
        group = SynthGroup(self, layout, checks, members, body, pure, size_class, index)
        self.groups.append(group)
        return group

    def add_volume(self, name, spans, length=None):
        """Spans are ([(group, column)...], unit in blocks, bytes); returns the volume's content."""
        total = sum(size for _, _, size in spans)
        length = total if length is None else length
        content = self.random.randbytes(length)
        padded = content.ljust(total, b"\0")
        number, offset = self.new_id("volume"), 0
        described = []
        for extents, unit, size in spans:
            held = min(size, length - offset)
            for position, (group, column) in enumerate(extents):
                group.spans[column] = (number, name, offset, held, unit, position, len(extents))
            self._place(padded[offset:offset + size], extents, unit * BLOCK)
            described.append((offset, held, unit, [g.ids[c] for g, c in extents]))
            offset += size
        self.volumes.append((number, length, name, described))
        return content

    def _place(self, content, extents, unit):
        if not unit:
            for group, column in extents:
                size = group.run_blocks() * BLOCK
                part, content = content[:size], content[size:]
                group.bodies[column][:len(part)] = part
            return
        n = len(extents)
        for y in range(0, len(content), BLOCK):
            group, column = extents[y // unit % n]
            at = y // (unit * n) * unit + y % unit
            part = content[y:y + BLOCK]
            group.bodies[column][at:at + len(part)] = part

    def present(self, members=None):
        members = range(len(self.member_uuids)) if members is None else members
        return sum(1 << n for n in members).to_bytes(32, "little")

    def array_item(self):
        epoch, epoch_id, _ = self.epochs[-1]
        data = struct.pack("<7Q", epoch, epoch_id, self.next_ids["extent"], self.next_ids["group"],
                           self.next_ids["volume"], self.next_ids["job"], 1700000000)
        data += policy(MIRROR, 1) + text(self.name) + text("host") + bytes([len(self.epochs)])
        for epoch in self.epochs:
            data += struct.pack("<QQQ", *epoch) + self.present()
        return 1, data

    def member_item(self, number):
        data = struct.pack("<I16sBBHQQQQ", number, self.member_uuids[number], 0, 0, 0,
                           self.member_size, self.frame_count, self.data_offset, 0)
        return 2, data + bytes([1]) + text("host") + text(f"rack{number}")

    def volume_item(self, volume):
        number, length, name, spans = volume
        data = struct.pack("<QQ", number, length) + policy(PLAIN, 0) + text(name)
        data += struct.pack("<I", len(spans))
        for offset, size, unit, extents in spans:
            data += struct.pack("<QQII", offset, size, unit, len(extents))
            data += struct.pack(f"<{len(extents)}Q", *extents)
        return 4, data

    def job_item(self, number):
        return 5, struct.pack("<QBBHIIQQQQ", number, 3, 0, 0, 0, 0xFFFFFFFF, 5, 10, 0, 1700000000)

    def commit(self, items, members=None):
        """One generation: a record with `items`, superblocks on `members` (all)."""
        payload = b"".join(struct.pack("<HHI", kind, 0, len(data)) + data for kind, data in items)
        size = -(-(64 + len(payload)) // BLOCK) * BLOCK
        full = not self.records
        record = struct.pack("<4sIIIQQQ16sII", b"PGMR", 1, 1 if full else 2, len(items), size,
                             len(payload), self.generation, self.uuid,
                             0 if full else self.last_crc, 0) + payload
        record = record.ljust(size, b"\0")
        own = crc(0, record)
        self.records += record[:60] + struct.pack("<I", own) + record[64:]
        for number in range(len(self.member_uuids)) if members is None else members:
            self.supers[number].append(self.superblock(number, own))
        self.last_crc, self.generation = own, self.generation + 1

    def superblock(self, number, map_crc):
        slot, uuid = self.generation % 4, self.member_uuids[number]
        where = (65536 if slot < 2 else 1048576) + 4096 * (2 * (uuid[15] & 7) + slot % 2)
        epoch, epoch_id, _ = self.epochs[-1]
        block = struct.pack("<8sIIQQQQ16s16sII", SUPER_MAGIC, 1, slot, where, 0, 0, 0, self.uuid,
                            uuid, number, 0)
        block += struct.pack("<QQQIIIIQQ", epoch, epoch_id, self.generation,
                             self.last_crc, map_crc, 0, 0, len(self.records), self.member_size)
        block += struct.pack("<QQQQQQIIII", MAP_OFFSET, MAP_HALF, MAP_OFFSET + 2 * MAP_HALF,
                             LOG_SIZE, self.data_offset, self.frame_count, self.frame_blocks,
                             self.frame_body, self.witness_max, 0)
        block += struct.pack("<Q32s8x", 1700000000 + self.generation, self.present())
        block += text(self.name)
        block = block.ljust(4092, b"\0")
        return where, block + struct.pack("<I", crc(0, block))

    def commit_all(self):
        """The usual history: members, then groups and volumes, then a job that came and went."""
        for group in self.groups:
            group.finish()
        members = [self.member_item(number) for number in range(len(self.member_uuids))]
        self.commit([self.array_item()] + members)
        self.commit([group.item() for group in self.groups]
                    + [self.volume_item(volume) for volume in self.volumes])
        self.next_ids["job"] += 1
        self.commit([self.job_item(1), self.array_item()])
        self.commit([(6, struct.pack("<B7xQ", 5, 1))])
        self.commit([self.array_item()])

    def write(self, folder):
        """Files of all members; returns their paths."""
        paths = []
        for number in range(len(self.member_uuids)):
            paths.append(os.path.join(folder, f"member{number}.img"))
            with open(paths[-1], "wb") as out:
                out.truncate(self.member_size)
                for where, block in self.supers[number]:
                    out.seek(where)
                    out.write(block)
                out.seek(MAP_OFFSET)
                out.write(self.records)
                for slot in range(2):
                    out.seek(MAP_OFFSET + 2 * MAP_HALF + slot * LOG_SIZE // 2)
                    out.write(self.logs.get((number, slot), b""))
                self._write_extents(out, number)
        return paths

    def _write_extents(self, out, number):
        for group in self.groups:
            for column in range(group.columns):
                if group.members[column] != number:
                    continue
                out.seek(self.body_offset(group, column))
                out.write(group.bodies[column])
                out.seek(self.seal_offset(group, column))
                out.write(group.header(column) + b"".join(group.entry_pages(column)))

    def body_offset(self, group, column):
        return self.data_offset + group.frames[column] * self.frame_blocks * BLOCK

    def seal_offset(self, group, column):
        return self.body_offset(group, column) + (self.frame_body << group.size_class) * BLOCK

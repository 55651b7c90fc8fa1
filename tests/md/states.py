#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux MD arrays in states that are hard to catch: half reshaped, half rebuilt, with stale members and bad blocks.

Aim: what pgctl reads is what was stored, with all members and without any one that redundancy can spare.
Method: members are written here, chunk by chunk, from the formulas of md(4) and without the program under test;
whatever does not count on them holds other bytes. Then pgctl get is compared with the content.

    states.py [NAME...]      PGCTL names the program; prints a line for each, "N passed, N failed" last
"""
import itertools
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import craft  # noqa: E402

PGCTL = os.environ.get("PGCTL", "pgctl")
SECTOR, KIB = 512, 1024
DATA_OFFSET = 2051  # sectors; not at a block's beginning
IMAGE = 3 << 20


def exponent_table():
    """Powers of 2 in GF(2^8) over 0x11d, as tables that multiply by them."""
    power, tables = 1, []
    for _ in range(16):
        table = bytearray(256)
        for value in range(256):
            product, factor, left = 0, value, power
            while left:
                product ^= factor if left & 1 else 0
                factor = factor << 1 ^ (0x11d if factor & 0x80 else 0)
                left >>= 1
            table[value] = product
        tables.append(bytes(table))
        power = power << 1 ^ (0x11d if power & 0x80 else 0)
    return tables


TIMES = exponent_table()


def xor(blocks):
    total = 0
    for block in blocks:
        total ^= int.from_bytes(block, "little")
    return total


class Shape:
    """Level, layout, members and chunk (KiB) of an array whose members give `size` bytes."""

    def __init__(self, level, layout, members, chunk, size=1536 * KIB):
        self.level, self.layout, self.members, self.chunk, self.size = level, layout, members, chunk * KIB, size
        self.data = {1: 1, 4: members - 1, 5: members - 1, 6: members - 2, 10: 1}[level]

    def length(self):
        if self.level == 1:
            return self.size
        rows = self.size // self.chunk
        return (rows * self.members // (self.layout & 0xff) if self.level == 10 else rows * self.data) * self.chunk

    def row(self, number):
        """Members of a row of parity: data in order, P, Q or None, and the exponent of each datum in Q."""
        n = self.members
        left = n - 1 - number % n
        if self.level == 4 or self.layout == 5:
            return list(range(n - 1)), n - 1, None, []
        if self.level == 5:
            parity = {0: left, 1: number % n, 2: left, 3: number % n, 4: 0}[self.layout]
            if self.layout in (2, 3):
                return [(parity + 1 + i) % n for i in range(n - 1)], parity, None, []
            return [m for m in range(n) if m != parity], parity, None, []
        if self.layout == 2:
            return [(left + 2 + i) % n for i in range(n - 2)], left, (left + 1) % n, list(range(n - 2))
        assert self.layout == 18
        parity = n - 2 - number % (n - 1)
        data = [(parity + 1 + i) % (n - 1) for i in range(n - 2)]
        return data, parity, n - 1, [sorted(data).index(m) for m in data]

    def write(self, members, offsets, content, first, last):
        """Bytes `first` to `last` of the array, whole rows of them, onto the members' data from `offsets` (sectors)."""
        if self.level == 1:
            for member, offset in zip(members, offsets):
                member[offset * SECTOR:offset * SECTOR + len(content)] = content
            return
        for at in range(first, last, self.chunk):
            if self.level == 10:
                for copy in range(self.layout & 0xff):
                    number = at // self.chunk * (self.layout & 0xff) + copy
                    place = offsets[number % self.members] * SECTOR + number // self.members * self.chunk
                    members[number % self.members][place:place + self.chunk] = content[at:at + self.chunk]
            elif at % (self.chunk * self.data) == 0:
                self.write_row(members, offsets, content, at)

    def write_row(self, members, offsets, content, at):
        number = at // (self.chunk * self.data)
        data, p, q, exponents = self.row(number)
        blocks = [content[at + i * self.chunk:at + (i + 1) * self.chunk] for i in range(self.data)]
        written = list(zip(data, blocks)) + [(p, xor(blocks).to_bytes(self.chunk, "little"))]
        if q is not None:
            weighted = [block.translate(TIMES[e]) for block, e in zip(blocks, exponents)]
            written.append((q, xor(weighted).to_bytes(self.chunk, "little")))
        for member, block in written:
            place = offsets[member] * SECTOR + number * self.chunk
            members[member][place:place + self.chunk] = block


def content_of(length, seed):
    return b"".join((seed << 40 | sector).to_bytes(8, "little") * 64 for sector in range(length // SECTOR))


class Array:
    """Members as bytearrays full of what is not theirs, and what their superblocks say besides the shape."""

    def __init__(self, shape, seed=1):
        self.shape, self.count = shape, shape.members
        self.offsets = [DATA_OFFSET + 8 * i for i in range(self.count)]
        self.members = [bytearray(b"\xa5" * IMAGE) for _ in range(self.count)]
        self.content = content_of(shape.length(), seed)
        self.words = [{} for _ in range(self.count)]
        self.journal = None
        self.spare = 1 if shape.level != 6 else 2

    def fill(self):
        self.shape.write(self.members, self.offsets, self.content, 0, self.shape.length())
        return self

    def removable(self):
        return [slot for slot in range(self.count) if slot != self.journal]

    def supers(self, shape):
        for slot in range(self.count):
            words = {"level": shape.level, "layout": shape.layout, "chunk": shape.chunk // SECTOR, "raid_disks": shape.members,
                     "size": shape.size // SECTOR, "data_size": shape.size // SECTOR, "data_offset": self.offsets[slot],
                     "dev_number": slot, "image": IMAGE, "roles": ",".join(str(i) for i in range(self.count))}
            self.words[slot] = {**words, **self.words[slot]}

    def save(self, folder):
        self.supers(self.shape)
        for slot in range(self.count):
            path = os.path.join(folder, f"m{slot}.img")
            with open(path, "wb") as file:
                file.write(self.members[slot])
            craft.craft(path, [f"{key}={value}" for key, value in self.words[slot].items()])
            os.chmod(path, 0o444)


def garble(array, slot, first, count):
    """Other bytes in sectors of a member."""
    array.members[slot][first * SECTOR:(first + count) * SECTOR] = b"\x5a" * (count * SECTOR)


def reshaped(before, after, position, back=False, new_offset=0, level=None):
    """Half way: `position` bytes; behind it, or before it when backwards, the new shape is not yet there."""
    wide = max(before.members, after.members)
    array = Array(before)
    array.count = wide
    array.offsets = [DATA_OFFSET + 128 + 8 * i for i in range(wide)]
    array.members = [bytearray(b"\xa5" * IMAGE) for _ in range(wide)]
    length = min(before.length(), after.length())
    array.content = content_of(length, 1)
    later = [offset + new_offset for offset in array.offsets]
    # The last rows may be longer than the array: what is behind it is nothing.
    padded = array.content + bytes(max(before.length(), after.length()))
    parts = [(before, array.offsets, 0, before.length() if back else length)]
    parts = [(before, array.offsets, 0, before.length()), (after, later, 0, position)]
    if back:
        parts = [(before, array.offsets, 0, before.length()), (after, later, position, after.length())]
    for shape, offsets, first, last in parts:
        step = shape.chunk * shape.data
        shape.write(array.members, offsets, padded, first // step * step, last)
    delta = after.members - before.members
    features = 0x4 | (0x40 if new_offset else 0) | (0x20 if back else 0)
    for words in array.words + [{} for _ in range(wide - len(array.words))]:
        words.update(features=features, reshape=position // SECTOR, delta_disks=delta, raid_disks=after.members,
                     level=level or before.level, layout=before.layout, chunk=before.chunk // SECTOR, new_level=after.level,
                     new_layout=after.layout, new_chunk=after.chunk // SECTOR, new_offset=new_offset)
    array.words = [dict(array.words[0]) for _ in range(wide)]
    array.spare = min({4: 1, 5: 1, 6: 2, 10: 1}[shape.level] for shape in (before, after))
    return array


def reshape_cases():
    """Name, shapes, positions in bytes."""
    five, four = Shape(5, 2, 4, 16), Shape(5, 2, 3, 16)
    grow = [0, 48 * KIB, 192 * KIB, 576 * KIB, four.length()]
    for at in grow:
        yield f"grow-3-to-4-at-{at // KIB}K", lambda at=at: reshaped(four, five, at, new_offset=-64)
    for at in (0, 96 * KIB, 960 * KIB, four.length()):
        yield f"shrink-4-to-3-at-{at // KIB}K", lambda at=at: reshaped(five, four, at, back=True, new_offset=64)
    for at in (0, 192 * KIB, 768 * KIB):
        yield (f"layout-and-chunk-at-{at // KIB}K",
               lambda at=at: reshaped(Shape(5, 0, 4, 16), Shape(5, 3, 4, 64), at, new_offset=-128))
    for at in (0, 48 * KIB, 480 * KIB):
        yield f"raid5-to-6-at-{at // KIB}K", lambda at=at: reshaped(Shape(6, 18, 5, 16), Shape(6, 2, 5, 16), at, new_offset=-64)
        yield (f"raid5-to-6-backwards-at-{at // KIB}K",
               lambda at=at: reshaped(Shape(6, 18, 5, 16), Shape(6, 2, 5, 16), at, back=True, new_offset=64))
    for at in (64 * KIB, 320 * KIB):
        yield f"raid10-4-to-5-at-{at // KIB}K", lambda at=at: reshaped(Shape(10, 0x102, 4, 16), Shape(10, 0x102, 5, 16), at,
                                                                       new_offset=-64)
    yield "raid4-to-5", lambda: reshaped(Shape(4, 0, 3, 16), Shape(5, 2, 4, 16), 192 * KIB, new_offset=-64)
    for at in (192 * KIB, 768 * KIB):
        yield f"in-place-at-{at // KIB}K", lambda at=at: reshaped(Shape(5, 0, 4, 16), Shape(5, 3, 4, 64), at)
        yield f"in-place-5-to-6-at-{at // KIB}K", lambda at=at: reshaped(Shape(6, 18, 5, 16), Shape(6, 2, 5, 16), at)
    # Positions that are no row of one of the two shapes.
    yield "odd-position", lambda: reshaped(four, five, 144 * KIB, new_offset=-64)


def stale():
    array = Array(Shape(5, 2, 4, 16)).fill()
    garble(array, 2, array.offsets[2] + 64, 32)
    array.words[2]["events"] = 12
    array.spare = 0
    return array


def bad_blocks(shape):
    array = Array(shape).fill()
    for slot, first in ((0, 0), (1, 96)):
        garble(array, slot, array.offsets[slot] + first, 24)
        at = array.offsets[slot] + first
        array.words[slot].update(features=8, bad=f"{at + 8}:16,{at}:8")
    array.spare = 0
    return array


def recovering(shape, sectors, replacement=False):
    array = Array(shape).fill()
    garble(array, 2, array.offsets[2] + sectors, shape.size // SECTOR - sectors)
    array.words[2].update(features=2, recovery=sectors)
    array.spare -= 1
    if replacement:
        array.count += 1
        array.members.append(bytearray(array.members[2]))
        array.offsets.append(array.offsets[2])
        array.words.append({"features": 0x12, "recovery": sectors, "dev_number": shape.members})
        array.members[2] = Array(shape).fill().members[2]
        array.words[2] = {}
        roles = ",".join(str(i) for i in [*range(shape.members), 2])
        for words in array.words:
            words["roles"] = roles
        array.spare += 1
    return array


def state_cases():
    yield "stale", stale
    for name, shape in (("raid5", Shape(5, 2, 4, 16)), ("raid6", Shape(6, 2, 5, 64)), ("raid1", Shape(1, 0, 2, 0)),
                        ("raid10", Shape(10, 0x102, 5, 16))):
        yield f"bad-blocks-{name}", lambda shape=shape: bad_blocks(shape)
    for sectors in (0, 8, 100, 1000, 1536 * 2):
        yield f"recovering-raid5-{sectors}", lambda sectors=sectors: recovering(Shape(5, 2, 4, 16), sectors)
    yield "recovering-raid6", lambda: recovering(Shape(6, 18, 5, 16), 1000)
    yield "recovering-raid10", lambda: recovering(Shape(10, 0x102, 5, 16), 1000)
    yield "recovering-raid1", lambda: recovering(Shape(1, 0, 3, 0), 1001)
    yield "replacing", lambda: recovering(Shape(6, 2, 4, 16), 1000, replacement=True)


class Journal:
    """A write journal: blocks one behind the other in a ring, from its tail on."""

    RING, TAIL, SEQUENCE = 512, 480, 77  # sectors; it goes round

    def __init__(self, shape):
        self.uuid = bytes(range(16))
        self.ring, self.at, self.sequence, self.shape = bytearray(self.RING * SECTOR), self.TAIL, self.SEQUENCE, shape

    def put(self, block):
        self.ring[self.at * SECTOR:self.at * SECTOR + 4096] = block
        self.at = (self.at + 8) % self.RING

    def record(self, payloads, damaged=False):
        """One head and its blocks; payloads are (type, sector, blocks) or ("flush", rows)."""
        seed, body, blocks = craft.crc32c(self.uuid), b"", []
        for kind, sector, *rest in payloads:
            if kind == "flush":
                body += struct.pack("<HHI", 2, 0, 8 * len(sector)) + struct.pack(f"<{len(sector)}Q", *sector)
                continue
            body += struct.pack("<HHIQ", {"data": 0, "parity": 1}[kind], 0, 8 * len(rest[0]), sector)
            body += b"".join(struct.pack("<I", craft.crc32c(block, seed)) for block in rest[0])
            blocks += rest[0]
        head = bytearray(struct.pack("<IIIIQQ", 0x6433c509, 0, 1, 32 + len(body), self.sequence, self.at) + body)
        head = head.ljust(4096, b"\0")
        struct.pack_into("<I", head, 4, craft.crc32c(bytes(head), seed))
        self.put(bytes(head))
        for block in blocks:
            self.put(b"\x33" * 4096 if damaged else block)
        self.sequence += 1

    def save(self, array):
        """As one more member."""
        slot = array.journal = array.count
        array.count += 1
        array.offsets.append(2048)
        array.members.append(bytearray(b"\xa5" * IMAGE))
        array.members[slot][2048 * SECTOR:2048 * SECTOR + len(self.ring)] = self.ring
        array.words.append({"recovery": self.TAIL, "dev_number": slot, "data_size": self.RING})
        roles = ",".join([*(str(i) for i in range(slot)), "0xfffd"])
        for words in array.words:
            words.update(features=0x200, roles=roles)


def journal(shape, through):
    """
    Rows 1 and 3 (of chunks) were written anew, of the first only one block of two chunks: with parity in the journal and
    half in place (through), or in the journal only. Row 5 was written, and flushed, and again since.
    """
    array, log = Array(shape).fill(), Journal(shape)
    old = [bytearray(member) for member in array.members]
    fresh = content_of(shape.length(), 2)
    chunk, row = shape.chunk, shape.chunk * shape.data
    content = bytearray(array.content)
    for at in (row, row + chunk, *range(3 * row, 3 * row + row, 4096)):
        content[at:at + 4096] = fresh[at:at + 4096]
    content[5 * row:6 * row] = fresh[5 * row:6 * row]
    array.content = bytes(content)
    array.fill()
    log.record([("data", 5 * row // SECTOR, [b"\x77" * 4096])])
    log.record([("flush", [5 * chunk // SECTOR])])
    for number, at in enumerate(range(0, chunk, 4096)):
        for first in (row, 3 * row):
            if first == row and number:
                continue
            sector = first // row * chunk // SECTOR + at // SECTOR
            columns = range(2 if first == row else shape.data)
            payloads = [("data", (first + c * chunk + at) // SECTOR, [array.content[first + c * chunk + at:][:4096]])
                        for c in columns]
            if through:
                _, p, q, _ = shape.row(first // row)
                parities = [bytes(array.members[m][(array.offsets[m] + sector) * SECTOR:][:4096])
                            for m in (p, q) if m is not None]
                payloads.append(("parity", sector, parities))
            log.record(payloads)
    log.record([("data", 7 * row // SECTOR, [b"\x66" * 4096])], damaged=True)
    log.record([("data", 7 * row // SECTOR, [b"\x66" * 4096])])
    for number in (1, 3):
        for member in range(1 if through else 0, shape.members):
            place = array.offsets[member] * SECTOR + number * chunk
            array.members[member][place:place + chunk] = old[member][place:place + chunk]
    log.save(array)
    return array


def journal_cases():
    for name, shape in (("raid5", Shape(5, 2, 4, 16)), ("raid6", Shape(6, 2, 5, 16)), ("raid6-la6", Shape(6, 18, 5, 16))):
        yield f"journal-through-{name}", lambda shape=shape: journal(shape, True)
        yield f"journal-back-{name}", lambda shape=shape: journal(shape, False)


def get(folder, content, what):
    out = os.path.join(folder, "volume")
    done = subprocess.run([PGCTL, "get", folder, "data", "-o", out, "--force"], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise ValueError(f"{what}: exit {done.returncode}: {done.stderr.strip().splitlines()[:1]}")
    with open(out, "rb") as file:
        read = file.read()
    os.unlink(out)
    if read != content:
        wrong = [at // SECTOR for at in range(0, len(content), SECTOR) if read[at:at + SECTOR] != content[at:at + SECTOR]]
        raise ValueError(f"{what}: {len(wrong)} sectors differ, {wrong[:1]} first; {len(read)} of {len(content)} bytes")


def check(make):
    array, variants = make(), 0
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as aside:
        array.save(folder)
        get(folder, array.content, "whole")
        for gone in itertools.combinations(array.removable(), 1) if array.spare > 0 else ():
            for slot in gone:
                os.rename(f"{folder}/m{slot}.img", f"{aside}/m{slot}.img")
            get(folder, array.content, f"without {gone}")
            variants += 1
            for slot in gone:
                os.rename(f"{aside}/m{slot}.img", f"{folder}/m{slot}.img")
    return variants


def main():
    passed = failed = 0
    for name, make in [*state_cases(), *journal_cases(), *reshape_cases()]:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        try:
            print(f"ok      {name}, and {check(make)} times without a member", flush=True)
            passed += 1
        except ValueError as wrong:
            print(f"WRONG   {name}: {wrong}", flush=True)
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

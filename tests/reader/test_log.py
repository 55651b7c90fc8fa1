#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of the intent log reads what synth_log.py writes and what pgctl's own code writes.

log_record.golden is one record as both have it: the unit test of pgctl's code compares its bytes with the
same file. --golden prints what synth_log.py makes of it. Then every byte of a record is damaged, every field
set to what cannot be, and whole logs are read with copies damaged or members missing.
"""

import itertools
import json
import os
import struct
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import logs  # noqa: E402
import synth  # noqa: E402
import synth_log  # noqa: E402
from records import BLOCK, Bad, Refused  # noqa: E402
from synth import PARITY, SynthArray  # noqa: E402
from test_reader import call  # noqa: E402
import pgread  # noqa: E402

GOLDEN = os.path.join(HERE, "log_record.golden")
UUID = bytes(range(1, 17))
SLOT = synth.LOG_SIZE // 2
LOG_OFFSET = synth.MAP_OFFSET + 2 * synth.MAP_HALF


def golden():
    content = [bytes([0xA0 + i]) * BLOCK for i in range(5)]
    rows = synth_log.rows(2, 4, 2, [(0x11223344 + i, 9 - i) for i in range(4)], segment=3, slices=2,
                          cell_count=2, limit=10, content=content[:4])
    others = synth_log.rows(9, 7, 5, [(i, 2) for i in range(3)], volume=0, limit=3)
    page = synth_log.Page(7, 8, content[4])
    return synth_log.record(UUID, 5, [rows, others, page], {0, 1, 3}, epoch=3)


def dump(data):
    """Lines of 16 bytes in hex, and how often they follow each other."""
    lines = ["# SPDX-License-Identifier: GPL-3.0-or-later",
             "# A record of the intent log: 16 bytes in hex, and how often. test_log.py --golden"]
    for line, run in itertools.groupby(data[at:at + 16] for at in range(0, len(data), 16)):
        lines.append(f"{line.hex()} {len(list(run))}")
    return "\n".join(lines) + "\n"


def load(path):
    with open(path, encoding="ascii") as file:
        pairs = [line.split() for line in file if not line.startswith("#")]
    return b"".join(bytes.fromhex(line) * int(count) for line, count in pairs)


def decode(data):
    header = logs.decode_header(data[:BLOCK], UUID, SLOT)
    return header and logs.decode_record(data, header)


class Record(unittest.TestCase):
    def test_golden(self):
        data = load(GOLDEN)
        self.assertEqual(data, golden())
        record = decode(data)
        self.assertEqual((record.generation, record.epoch, record.copies), (5, 3, 2))
        self.assertEqual(logs.members_of(record), [0, 1, 3])
        first, second = record.rows
        self.assertEqual((first.volume, first.group, first.segment, first.first, first.slices,
                          first.columns, first.generation_limit), (1, 2, 3, 4, 2, 2, 10))
        self.assertEqual([(c.crc, c.generation) for c in first.cells],
                         [(0x11223344 + i, 9 - i) for i in range(4)])
        self.assertEqual(first.content, b"".join(bytes([0xA0 + i]) * BLOCK for i in range(4)))
        self.assertEqual((second.group, second.columns, second.content), (9, 5, b""))
        page, = record.pages
        self.assertEqual((page.extent, page.page, page.content), (7, 8, b"\xa4" * BLOCK))

    def test_every_byte_is_guarded(self):
        data = golden()
        for at in list(range(600)) + list(range(600, len(data), 97)):
            broken = data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1:]
            if at < 4:
                self.assertIsNone(decode(broken))
            else:
                self.assertRaises(Bad, decode, broken)

    def test_lies_with_right_checksums(self):
        lies = [(40, "Q", 0), (40, "Q", 6), (40, "Q", (1 << 62) + 1), (56, "Q", 0),
                (56, "Q", 3 * BLOCK), (56, "Q", (1 << 64) - BLOCK), (64, "Q", 0),
                (64, "Q", (1 << 64) - 1), (72, "I", 0), (72, "I", 0xFFFFFFFF), (76, "I", 2),
                (80, "H", 0), (82, "H", 0), (82, "H", 4), (84, "H", 3), (86, "H", 3), (88, "Q", 0),
                (120, "I", 2), (124, "I", 1), (136, "Q", 0), (148, "I", 0xFFFFFFFF), (152, "I", 0), (152, "I", 1),
                (152, "I", 4097), (156, "I", 0), (156, "I", 7), (160, "I", 33), (160, "I", 0),
                (164, "I", 9), (168, "I", 0), (168, "I", 2), (172, "I", 1)]
        for at, kind, value in lies:
            data = golden()
            size = struct.calcsize(kind)
            data = data[:at] + struct.pack("<" + kind, value) + data[at + size:]
            with self.assertRaises(Bad, msg=(at, value)):
                decode(synth_log.sign(data))

    def test_version_and_array(self):
        data = golden()
        with self.assertRaises(Refused):
            decode(synth_log.sign(data[:4] + b"\2" + data[5:]))
        self.assertIsNone(decode(synth_log.sign(data[:16] + b"x" + data[17:])))
        self.assertIsNone(decode(bytes(BLOCK)))


class Logs(unittest.TestCase):
    """Four members; generation 5 lies on 2 and 3, 6 on 0 and 1."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.array = SynthArray(4)
        group = self.array.add_group(PARITY, 1, [0, 1, 2, 3])
        self.array.add_volume("v", [([(group, i) for i in range(3)], 0, 60 * BLOCK)])
        self.array.commit_all()
        self.put(5, [])
        self.put(6, [synth_log.rows(1, 2, 1, [(1, 2), (3, 2)])])

    def put(self, generation, entries, copies=2):
        data = synth_log.record(self.array.uuid, generation, entries, {0, 1, 2, 3}, copies=copies)
        for i in range(copies):
            member = (copies * generation + i) % 4
            self.array.logs[member, generation % 2] = data

    def damage(self, member, slot, at):
        data = self.array.logs[member, slot]
        self.array.logs[member, slot] = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]

    def read(self, members=range(4)):
        paths = self.array.write(self.folder)
        status, out, err = call(pgread.main, *[paths[n] for n in members], "--verify", "--json")
        self.assertEqual(err, "")
        report = json.loads(out)
        suspect = any(v["text"].startswith("log: a newer") for v in report["violations"])
        return status, report["log"], suspect

    def test_the_newest_counts(self):
        status, log, suspect = self.read()
        self.assertEqual((status, suspect), (0, False))
        self.assertEqual((log["generation"], log["members"]), (6, [0, 1]))
        self.assertEqual(log["rows"], [{"volume": 1, "group": 1, "segment": 0, "first": 2,
                                        "slices": 1, "columns": 1, "content": False}])

    def test_one_copy_is_enough(self):
        for at in (9, 300):
            self.damage(0, 0, at)
            _, log, suspect = self.read()
            self.assertEqual((log["generation"], log["members"], suspect), (6, [1], False))

    def test_torn_on_one_member_and_absent_on_the_other(self):
        self.damage(0, 0, 300)
        del self.array.logs[1, 0]
        _, log, suspect = self.read()
        self.assertEqual((log["generation"], suspect), (5, False))

    def test_damaged_everywhere_is_suspect(self):
        """Not where it is torn on one, as a power loss leaves it: then nobody was released."""
        for first, second, expected in ((9, 9, True), (300, 300, False), (9, 300, False)):
            self.setUp()
            self.damage(0, 0, first)
            self.damage(1, 0, second)
            status, log, suspect = self.read()
            self.assertEqual((status, log["generation"], suspect), (int(expected), 5, expected))

    def test_members_missing(self):
        _, log, suspect = self.read([1, 2, 3])
        self.assertEqual((log["generation"], suspect), (6, False))
        _, log, suspect = self.read([2, 3])
        self.assertEqual((log["generation"], suspect), (5, True))

    def test_no_log(self):
        self.array.logs = {}
        self.assertEqual(self.read(), (0, None, False))

    def test_everywhere(self):
        self.put(7, [], copies=4)
        _, log, suspect = self.read()
        self.assertEqual((log["generation"], log["members"], suspect), (7, [0, 1, 2, 3], False))

    def test_named_blocks_are_no_violations(self):
        """Equations over block 2, which the log names, and over block 3 do not hold."""
        group = self.array.groups[0]
        for block in (2, 3):
            group.bodies[0][block * BLOCK] ^= 1
        paths = self.array.write(self.folder)
        _, out, _ = call(pgread.main, *paths, "--verify", "--json")
        report = json.loads(out)
        self.assertEqual(report["interrupted"], 1)
        self.assertEqual({(v["member"], v["text"].split(" of ")[0]) for v in report["violations"]},
                         {(3, "block 3")})

    def test_other_slot(self):
        self.array.logs[2, 0] = self.array.logs[2, 1]
        _, log, suspect = self.read()
        self.assertEqual((log["generation"], suspect), (6, False))


if __name__ == "__main__":
    if sys.argv[1:] == ["--golden"]:
        sys.stdout.write(dump(golden()))
    else:
        unittest.main()

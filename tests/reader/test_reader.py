#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of the native format reads what synth.py wrote, and finds what craft.py damaged.

synth.py encodes small arrays from docs/FORMAT.md on its own. Every layout is read back whole and
with every set of members missing that it must survive; then one byte of every kind of record is
damaged at a time and the reader has to name the member and the byte.
"""

import contextlib
import io
import itertools
import json
import os
import random
import struct
import sys
import tempfile
import unittest
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import craft  # noqa: E402
import gf  # noqa: E402
import pgread  # noqa: E402
from synth import (  # noqa: E402
    BLOCK, MAP_HALF, MAP_OFFSET, MIRROR, PARITY, PLAIN, SEQUENTIAL, SynthArray, gf_mul, gf_power,
)

SEED = int(os.environ.get("PGREAD_SEED", "1"))


def read_all(paths):
    contents = []
    for path in paths:
        with open(path, "rb") as file:
            contents.append(file.read())
    return contents


def call(main, *arguments):
    """(status, standard output, standard error) of a command's main()."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return status, out.getvalue(), err.getvalue()


def tank(seed=SEED):
    """Six members; a group of every layout and a volume on each; contents by volume name."""
    array = SynthArray(6, seed=seed)
    plain = array.add_group(PLAIN, 0, [3])
    mirror = array.add_group(MIRROR, 2, [1, 4, 5], body=10)
    parity = array.add_group(PARITY, 3, [5, 0, 2, 4, 1, 3], index=[7, 0, 254])
    sequential = array.add_group(SEQUENTIAL, 2, [0, 3, 2, 1], pure=1)
    contents = {
        "plain": array.add_volume("plain", [([(plain, 0)], 0, 24 * BLOCK)], 24 * BLOCK - 4000),
        "mirror": array.add_volume("mirror", [([(mirror, 0)], 0, 10 * BLOCK)]),
        "parity": array.add_volume("parity", [([(parity, i) for i in range(3)], 2, 63 * BLOCK)],
                                   62 * BLOCK + 1),
        "sequential": array.add_volume(
            "sequential", [([(sequential, i) for i in range(4)], 0, 72 * BLOCK)]),
    }
    array.commit_all()
    return array, contents


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def verify(self, paths):
        """(status, violations) of --verify."""
        status, out, err = call(pgread.main, *paths, "--verify", "--json")
        self.assertEqual(err, "")
        return status, json.loads(out)["violations"]

    def assert_clean(self, paths):
        status, violations = self.verify(paths)
        self.assertEqual((status, violations), (0, []))

    def assert_found(self, paths, member, offset, words):
        """A violation at this place and with these words is reported."""
        status, violations = self.verify(paths)
        self.assertEqual(status, 1)
        found = [v for v in violations if (v["member"], v["offset"]) == (member, offset)]
        self.assertTrue(any(words in v["text"] for v in found), (member, offset, words, violations))

    def extract(self, paths, volume):
        out = os.path.join(self.folder, "out")
        status, _, err = call(pgread.main, *paths, "--extract", volume, out)
        with open(out, "rb") as file:
            return status, file.read(), err

    def assert_extracts(self, paths, contents):
        for name, content in contents.items():
            status, found, err = self.extract(paths, name)
            self.assertEqual((status, err), (0, ""), name)
            self.assertTrue(found == content, name)

    def assert_refused(self, paths, words):
        status, _, err = call(pgread.main, *paths, "--verify")
        self.assertEqual(status, 1)
        self.assertIn(words, err)

    def craft(self, *arguments):
        status, out, err = call(craft.main, *arguments)
        self.assertEqual((status, err), (0, ""))
        return [json.loads(line) for line in out.splitlines()]


class TestGf(unittest.TestCase):
    def test_field_is_that_of_the_document(self):
        for a in range(256):
            self.assertEqual(gf.power(a), gf_power(a))
            for b in range(256):
                self.assertEqual(gf.mul(a, b), gf_mul(a, b))
            if a:
                self.assertEqual(gf.mul(a, gf.inv(a)), 1)

    def test_parity_solves_every_loss_of_three(self):
        """All sets of three columns out of 5+3: the solved rows, put back in, hold."""
        equations = [{**{i: gf.power(j * i) for i in range(5)}, 5 + j: 1} for j in range(3)]
        rng = random.Random(SEED)
        cells = {i: rng.randbytes(16) for i in range(5)}
        for j in range(3):
            terms = {i: gf.power(j * i) for i in range(5)}
            cells[5 + j] = gf.combine(terms, cells).to_bytes(16, "little")
        for lost in itertools.combinations(range(8), 3):
            plan = gf.Elimination(equations, frozenset(lost))
            self.assertEqual(set(plan.solutions), set(lost))
            for cell, terms in plan.solutions.items():
                self.assertEqual(gf.combine(terms, cells).to_bytes(16, "little"), cells[cell])

    def test_too_many_losses_are_not_solved(self):
        plan = gf.Elimination([{0: 1, 1: 1, 2: 1}], frozenset((0, 1)))
        self.assertEqual((plan.solutions, plan.checks), ({}, []))


class TestWhole(Case):
    def test_every_layout_reads_back(self):
        array, contents = tank()
        paths = array.write(self.folder)
        self.assert_clean(paths)
        self.assert_extracts(paths, contents)
        self.assert_extracts(paths[::-1], contents)

    def test_summary(self):
        paths = tank()[0].write(self.folder)
        status, out, _ = call(pgread.main, *paths, "--json")
        report = json.loads(out)
        self.assertEqual((status, report["array"], report["generation"]), (0, "tank", 5))
        self.assertEqual([v["name"] for v in report["volumes"]],
                         ["plain", "mirror", "parity", "sequential"])
        self.assertEqual([g["layout"] for g in report["groups"]],
                         ["plain", "mirror", "parity", "sequential"])
        self.assertEqual(report["jobs"], [])
        self.assertEqual(report["members"][2]["labels"], {"host": "rack2"})
        status, out, _ = call(pgread.main, *paths[1:])
        self.assertEqual(status, 0)
        self.assertIn("frames: missing", out)

    def test_many_pages_classes_and_spans(self):
        """Entries over several pages, size classes, unequal runs, two spans with a cut unit."""
        array = SynthArray(5, frame_body=520, witness_max=3, frames=5, seed=SEED)
        parity = array.add_group(PARITY, 2, [4, 3, 2, 1, 0])
        wide = array.add_group(PLAIN, 0, [1], size_class=1)
        small = array.add_group(PLAIN, 0, [1], body=3)
        content = array.add_volume("v", [
            ([(wide, 0), (small, 0)], 0, 1042 * BLOCK),
            ([(parity, i) for i in range(3)], 5, (15 * 100 + 7) * BLOCK + 100),
        ])
        array.commit_all()
        paths = array.write(self.folder)
        self.assert_clean(paths)
        self.assert_extracts(paths, {"v": content})
        ranges = sorted((row["from"], row["to"]) for row in self.craft("blocks", *paths)
                        if row.get("volume"))
        self.assertEqual([begin for begin, _ in ranges], [0] + [end for _, end in ranges[:-1]])
        self.assertEqual(ranges[-1][1], len(content))
        status, found, _ = self.extract(paths[:2] + paths[3:4], "v")
        self.assertEqual((status, found == content), (0, True))

    def test_a_parity_of_columns_that_kept_old_headers(self):
        """Data columns may describe the group as it was; check columns may not."""
        array, contents = tank()
        parity = array.groups[2]
        parity.generation = 2
        old = {14: b"\x04", 48: struct.pack("<Q", 77), 120: struct.pack("<Q", 1)}
        parity.old_headers = {0: old, 2: old}
        array.records, array.supers, array.last_crc = b"", [[] for _ in range(6)], 0
        array.generation = 1
        array.commit_all()
        paths = array.write(self.folder)
        self.assert_clean(paths)
        self.assert_extracts(paths[1:], {name: contents[name] for name in ("parity", "mirror")})
        parity.old_headers[4] = old
        paths = array.write(self.folder)
        self.assert_found(paths, 1, array.seal_offset(parity, 4), "group 77")


class TestDegraded(Case):
    def test_every_set_of_losses_that_a_layout_survives(self):
        """All sets of up to three members; a volume must come back as far as its code goes."""
        array, contents = tank()
        paths = array.write(self.folder)
        tolerance = {"plain": 0, "mirror": 2, "parity": 3, "sequential": 1}
        for size in (1, 2, 3):
            for lost in itertools.combinations(range(6), size):
                left = [path for n, path in enumerate(paths) if n not in lost]
                self.assert_clean(left)
                for group, (name, content) in zip(array.groups, contents.items()):
                    hit = len(set(lost) & set(group.members))
                    if hit <= tolerance[name]:
                        self.assert_extracts(left, {name: content})

    def test_too_many_losses_are_reported_and_the_rest_is_written(self):
        array, contents = tank()
        paths = array.write(self.folder)
        status, found, _ = self.extract(paths[:3] + paths[4:], "plain")
        self.assertEqual((status, found), (1, bytes(len(contents["plain"]))))
        status, found, _ = self.extract(paths[2:], "sequential")  # columns 0 and 3 are gone
        run = 18 * BLOCK
        self.assertEqual(status, 1)
        self.assertTrue(found[run:3 * run] == contents["sequential"][run:3 * run])

    def test_stale_extents_are_not_used(self):
        array, contents = tank()
        array.groups[2].stale_columns = {1}
        array.groups[1].stale_columns = {0}
        array.commit([group.item() for group in array.groups])
        array.groups[2].bodies[1][:] = bytes(24 * BLOCK)
        array.groups[1].bodies[0][:] = bytes(10 * BLOCK)
        paths = array.write(self.folder)
        self.assert_clean(paths)
        self.assert_extracts(paths, contents)

    def test_equations_that_remain_with_a_member_missing_are_checked(self):
        """A block and its entry are forged alike: only the checks that are left can tell."""
        array, _ = tank()
        parity = array.groups[2]
        parity.bodies[2][5 * BLOCK] ^= 1
        paths = array.write(self.folder)
        status, violations = self.verify(paths[:5])  # column 0 is gone
        self.assertEqual((status, len(violations)), (1, 2))
        for violation in violations:
            self.assertIn("block 5 of extent", violation["text"])
            self.assertIn("does not hold", violation["text"])
        status, found, _ = self.extract(paths[:5], "parity")
        self.assertEqual(status, 1, "a solution that a spare equation contradicts is not one")


class TestDamage(Case):
    """One thing is wrong at a time; the reader must say where."""

    def setUp(self):
        super().setUp()
        self.array, self.contents = tank()
        self.paths = self.array.write(self.folder)

    def flip(self, member, offset, mask=0x40):
        return self.craft("flip", self.paths[member], offset, mask)

    def test_superblock_bytes(self):
        where, block = self.array.supers[2][-2]
        for byte in (0, 8, 4000, 4092):
            self.flip(2, where + byte)
            words = "magic" if byte == 0 else "CRC"
            self.assert_found(self.paths, 2, where, words)
            self.flip(2, where + byte)
        self.assertEqual(len(block), BLOCK)
        self.assert_clean(self.paths)

    def test_newest_superblock_lost_makes_a_stale_member(self):
        where, _ = self.array.supers[2][-1]
        self.flip(2, where + 100)
        self.assert_found(self.paths, 2, where, "CRC")
        self.assert_extracts(self.paths, self.contents)

    def test_map_bytes(self):
        for offset, record in ((10, 0), (60, 0), (4096 + 70, 4096), (3 * 4096 + 3000, 3 * 4096)):
            self.flip(4, MAP_OFFSET + offset)
            self.assert_found(self.paths, 4, MAP_OFFSET + record, "map record")
            self.assert_extracts(self.paths, {"mirror": self.contents["mirror"]})
            self.flip(4, MAP_OFFSET + offset)
        self.flip(4, MAP_OFFSET + MAP_HALF)  # the other half is not in use
        self.assert_clean(self.paths)

    def test_no_map_left(self):
        for member in range(6):
            self.flip(member, MAP_OFFSET + 80)
        self.assert_refused(self.paths, "no member has a map of generation 5 that verifies")

    def test_an_older_map_does_not_stand_in(self):
        """Only members that missed the last commit have a map: its frames may be used again."""
        self.array.commit([self.array.array_item()], members=[0])
        self.paths = self.array.write(self.folder)
        self.assert_clean(self.paths)
        self.flip(0, MAP_OFFSET + 80)
        self.assert_refused(self.paths, "no member has a map of generation 6 that verifies")

    def test_every_byte_field_of_header_and_entry_pages(self):
        """A flip anywhere in a page shows as its CRC; the volume still comes back."""
        for group in self.array.groups[1:]:
            for column in range(group.columns):
                member, seal = group.members[column], self.array.seal_offset(group, column)
                for page, words in ((0, "header page"), (1, "entry page")):
                    at = seal + page * BLOCK
                    self.flip(member, at + 9 + 40 * column)
                    self.assert_found(self.paths, member, at, f"{words}: CRC")
                    self.flip(member, at + 9 + 40 * column)
        self.flip(5, self.array.seal_offset(self.array.groups[2], 0) + BLOCK + 50)
        self.assert_extracts(self.paths, self.contents)

    def test_block_bytes_of_every_role(self):
        """A flipped block is named, breaks its equations, and is solved when the volume is read."""
        rows = self.craft("blocks", *self.paths)
        rng = random.Random(SEED)
        for role in ("data", "copy", "parity", "pure"):
            row = rng.choice([r for r in rows if r["role"] == role and r["group"] > 1])
            self.flip(row["member"], row["offset"] + rng.randrange(BLOCK))
            self.assert_found(self.paths, row["member"], row["offset"], "CRC is not")
            _, violations = self.verify(self.paths)
            self.assertTrue(any("does not hold" in v["text"] for v in violations))
        self.assert_extracts(self.paths, self.contents)

    def test_damage_beyond_redundancy_is_reported(self):
        plain = self.array.groups[0]
        self.flip(3, self.array.body_offset(plain, 0) + 5 * BLOCK)
        status, found, _ = self.extract(self.paths, "plain")
        expected = bytearray(self.contents["plain"])
        expected[5 * BLOCK:6 * BLOCK] = bytes(BLOCK)
        self.assertEqual((status, found == expected), (1, True))

    def test_solutions_that_an_entry_contradicts_are_not_taken(self):
        """One block of a row is damaged, another forged with its entry: no equation is to spare."""
        sequential = self.array.groups[3]
        sequential.bodies[2][4 * BLOCK] ^= 1
        self.paths = self.array.write(self.folder)
        self.flip(0, self.array.body_offset(sequential, 0) + 4 * BLOCK)
        status, _, _ = self.extract(self.paths, "sequential")
        self.assertEqual(status, 1)

    def test_truncated_member(self):
        size = os.path.getsize(self.paths[0])
        with open(self.paths[0], "r+b") as file:
            file.truncate(size - BLOCK)
        self.assert_found(self.paths, 0, size - BLOCK, "smaller than its member size")

    def test_files_without_superblock_and_doubles(self):
        empty = os.path.join(self.folder, "empty")
        with open(empty, "wb") as file:
            file.truncate(4 << 20)
        self.assert_clean(self.paths + [empty])
        self.assert_refused([empty], "no superblock")
        self.assert_refused(self.paths + self.paths[:1], "as is")
        other = os.path.join(self.folder, "other")
        os.mkdir(other)
        stranger = tank(seed=SEED + 1)[0].write(other)[0]
        self.assert_refused(self.paths + [stranger], "different arrays")


class TestCraft(Case):
    def setUp(self):
        super().setUp()
        self.array, self.contents = tank()
        self.paths = self.array.write(self.folder)
        self.rows = self.craft("blocks", *self.paths)

    def test_blocks_lists_every_block_where_it_is(self):
        """Data read through the list gives the volumes back; roles are counted by hand."""
        found = {name: bytearray(len(content)) for name, content in self.contents.items()}
        for row in self.rows:
            if row.get("volume"):
                with open(self.paths[row["member"]], "rb") as file:
                    file.seek(row["offset"])
                    found[row["volume"]][row["from"]:row["to"]] = file.read(row["to"] - row["from"])
        self.assertTrue(found == self.contents)
        roles = [row["role"] for row in self.rows]
        # plain 24; mirror 10 and 2 copies; parity 3 * 24 and 3 * 24; sequential 8 segments of 3:
        # 6 of data on 4 columns, 2 tails on 3 bearers, 2 on the pure column
        self.assertEqual({role: roles.count(role) for role in set(roles)},
                         {"data": 24 + 10 + 72 + 72, "copy": 20, "parity": 72 + 18, "pure": 6,
                          "header": 14, "entries": 14 + 4})

    def test_lost_writes_are_found_and_undone(self):
        """Every CRC is good, so only witnesses and generations tell; roles by seed."""
        rng = random.Random(SEED)
        words = {"data": "witness", "copy": "another copy", "parity": "missed a write",
                 "pure": "missed a write"}
        for role in words:
            rows = [r for r in self.rows if r["role"] == role and r["group"] > 1]
            for row in rng.sample(rows, 4):
                paths = self.array.write(self.folder)
                done = self.craft("lost", *paths, "--member", row["member"], "--extent",
                                  row["extent"], "--block", row["block"], "--seed",
                                  rng.randrange(99))[0]
                self.assertEqual((done["offset"], done["role"]), (row["offset"], role))
                expected = "another copy" if row["group"] == 2 else words[role]
                self.assert_found(paths, row["member"], row["offset"], expected)
                _, violations = self.verify(paths)
                self.assertFalse(any("CRC" in v["text"] for v in violations))
                missed = [v for v in violations if "missed a write" in v["text"]]
                self.assertEqual({v["offset"] for v in missed}, {row["offset"]})
                self.assert_extracts(paths, self.contents)

    def lose(self, array, paths, group, column, block):
        self.craft("lost", *paths, "--member", group.members[column], "--extent",
                   group.ids[column], "--block", block, "--seed", column)

    def test_data_and_one_check_lost_alike(self):
        """They confirm each other; the generations of the other checks expose both."""
        parity = self.array.groups[2]
        newest = max(range(3), key=lambda i: parity.generations[i][9])
        for column in (newest, 3):
            self.lose(self.array, self.paths, parity, column, 9)
        for column in (newest, 3):
            offset = self.array.body_offset(parity, column) + 9 * BLOCK
            self.assert_found(self.paths, parity.members[column], offset, "missed a write")
        self.assert_extracts(self.paths, self.contents)

    def test_data_and_only_check_lost_alike(self):
        """As if a whole write had never been: seals agree, only the made up content does not."""
        array = SynthArray(3, seed=SEED)
        parity = array.add_group(PARITY, 1, [0, 1, 2])
        array.commit_all()
        paths = array.write(self.folder)
        newest = max(range(2), key=lambda i: parity.generations[i][9])
        for column in (newest, 2):
            self.lose(array, paths, parity, column, 9)
        _, violations = self.verify(paths)
        self.assertEqual(len(violations), 1)
        self.assertIn("does not hold", violations[0]["text"])

    def test_misdirected_write(self):
        """The victim's CRC fails, the source is as it was; the volume comes back."""
        data = [r for r in self.rows if r["role"] == "data" and r["group"] == 3]
        source, victim = data[0], data[7]
        done = self.craft("misdirect", *self.paths, "--member", source["member"], "--extent",
                          source["extent"], "--block", source["block"],
                          "--to-block", victim["block"])
        self.assertEqual(done[0]["offset"], victim["offset"])
        self.assert_found(self.paths, victim["member"], victim["offset"], "CRC is not")
        self.assert_extracts(self.paths, self.contents)
        other = next(r for r in self.rows if r["member"] == source["member"]
                     and r["group"] == 2 and r["block"] == 3)
        self.craft("misdirect", *self.paths, "--member", source["member"], "--extent",
                   source["extent"], "--block", 1, "--to-block", 3, "--to-extent", other["extent"])
        self.assert_found(self.paths, other["member"], other["offset"], "CRC is not")

    def test_hostile_fields(self):
        for field, value, words in (
                ("version", 2, "version 2"),
                ("features_refuse", "0x10", "unknown features 0x10"),
                ("map_length", 4096 * 4, "map: last record"),
                ("map-half-size", 2 ** 63, "out of order"),
                ("witness_max", 0, "witness_max"),
                ("array_uuid", "hex:" + "11" * 16, "of another array"),
                ("@204:4", 1, "reserved")):
            paths = self.array.write(self.folder)
            self.assertEqual(len(self.craft("hostile", paths[0], "--field", field, "--value", value)
                                 [0]["offsets"]), 4)
            self.assert_refused(paths[:1], words)

    def test_nothing_is_written_when_it_cannot_be_done(self):
        before = read_all(self.paths)
        extent = self.rows[0]["extent"]
        for arguments in (
                ("lost", *self.paths, "--member", 0, "--extent", 99, "--block", 0, "--seed", 1),
                ("lost", *self.paths, "--member", 0, "--extent", extent, "--block", 0, "--seed", 1),
                ("lost", *self.paths, "--member", 3, "--extent", extent, "--block", 24,
                 "--seed", 1),
                ("flip", self.paths[0], 1 << 40),
                ("hostile", self.paths[0], "--field", "colour", "--value", 1)):
            status, out, err = call(craft.main, *arguments)
            self.assertEqual((status, out), (1, ""))
            self.assertTrue(err.startswith("craft: "))
        self.assertTrue(before == read_all(self.paths))


class TestMap(Case):
    """Maps whose records are whole and whose statements are wrong."""

    def check(self, array, words):
        array.commit_all()
        status, violations = self.verify(array.write(self.folder))
        self.assertEqual(status, 1)
        self.assertTrue(any(words in v["text"] for v in violations), (words, violations))

    def test_overlapping_extents(self):
        array = SynthArray(2)
        array.add_group(PLAIN, 0, [0])
        array.add_group(PLAIN, 0, [0]).frames[0] = 0
        self.check(array, "overlaps extent")

    def test_two_extents_of_a_group_on_one_member(self):
        array = SynthArray(2)
        array.add_group(MIRROR, 1, [1, 1])
        self.check(array, "2 extents on member 1")

    def test_frames_out_of_range_and_not_aligned(self):
        for frame, size_class in ((4, 0), (1, 1)):
            array = SynthArray(1)
            array.add_group(PLAIN, 0, [0], body=4, size_class=size_class).frames[0] = frame
            self.check(array, f"frame {frame} of size class")

    def test_spans_with_gaps_or_too_long_or_too_short(self):
        for change, words in (
                (lambda o, s, u, e: (o + BLOCK, s, u, e), "the one before ends at"),
                (lambda o, s, u, e: (o, s + 10 * BLOCK, u, e), "exceeds its extents"),
                (lambda o, s, u, e: (o, s - BLOCK, u, e), "spans cover"),
                (lambda o, s, u, e: (o, s, u, e * 2), "used twice")):
            array = SynthArray(1)
            group = array.add_group(PLAIN, 0, [0])
            array.add_volume("v", [([(group, 0)], 0, 20 * BLOCK)])
            number, length, name, (span,) = array.volumes[0]
            array.volumes[0] = (number, length, name, [change(*span)])
            self.check(array, words)

    def test_size_of_group_items(self):
        """Index bytes are padded by themselves: sizes worked out by hand from the document."""
        for columns, size in ((1, 76), (5, 236), (8, 356), (9, 404), (17, 732), (32, 1340)):
            array = SynthArray(columns)
            group = (array.add_group(PARITY, 1, list(range(columns))) if columns > 1
                     else array.add_group(PLAIN, 0, [0]))
            self.assertEqual(len(group.item()[1]), size)
            array.commit_all()
            self.assert_clean(array.write(self.folder))

    def test_shapes_of_groups(self):
        """Segments that are not the body, and a pure column where there is no pure parity."""
        for change in ({"segment_blocks": 0}, {"segment_blocks": 12}, {"pure": 1}):
            array = SynthArray(2)
            vars(array.add_group(MIRROR, 1, [0, 1])).update(change)
            array.commit_all()
            self.assert_refused(array.write(self.folder), "group 1: ")

    def test_volume_without_bytes(self):
        array = SynthArray(1)
        array.add_volume("empty", [])
        array.commit_all()
        paths = array.write(self.folder)
        self.assert_clean(paths)
        self.assertEqual(self.extract(paths, "empty"), (0, b"", ""))

    def test_ids_beyond_the_next(self):
        array = SynthArray(1)
        array.add_group(PLAIN, 0, [0])
        array.next_ids["extent"] = 1
        self.check(array, "with next extent id 1")

    def test_header_pages_that_are_whole_but_of_another_extent(self):
        for at, words in ((32, "extent"), (40, "generation"), (72, "frame"), (84, "column"),
                          (88, "volume"), (96, "span_offset"), (416, "extents"), (384, "index")):
            array = SynthArray(3)
            group = array.add_group(PARITY, 1, [0, 1, 2])
            array.add_volume("v", [([(group, 0), (group, 1)], 1, 48 * BLOCK)])
            group.old_headers = {1: {at: b"\x09"}}
            self.check(array, f"header page: {words}")

    def test_padding_of_an_entry_page_in_use(self):
        array = SynthArray(1)
        array.add_group(PLAIN, 0, [0]).page_end = b"x"
        self.check(array, "entry page: padding is in use")

    def test_wrong_generations_and_witnesses(self):
        """Entries that no history of writes can have made."""
        def check_too_new(group):
            group.generations[2][5] += 1

        def unused_witness(group):
            group.witnesses[0][23] = group.witnesses[0][23][:-1] + (1,)

        def witness_off(group):
            group.witnesses[2][5] = (group.witnesses[2][5][0] ^ 1,) + group.witnesses[2][5][1:]

        for layout, spoil, words in (
                (PARITY, check_too_new, "the greatest it covers"),
                (PARITY, witness_off, "missed a write"),
                (SEQUENTIAL, unused_witness, "unused witness")):
            array = SynthArray(3)
            group = array.add_group(layout, 1, [0, 1, 2], pure=0)
            array.commit_all()
            spoil(group)
            status, violations = self.verify(array.write(self.folder))
            self.assertEqual((status, len(violations)), (1, 1))
            self.assertIn(words, violations[0]["text"])


class TestEpochs(Case):
    def test_stale_member_is_read_with_the_newer_map(self):
        """Member 2 misses the last commit and with it a new epoch."""
        array, contents = tank()
        array.epochs.append((2, 4711, array.generation))
        array.commit([array.array_item()], members=[0, 1, 3, 4, 5])
        paths = array.write(self.folder)
        self.assert_clean(paths)
        _, out, _ = call(pgread.main, *paths)
        self.assertIn("member 2 is at epoch 1, generation 5", out)
        self.assert_extracts(paths, contents)
        status, out, _ = call(pgread.main, paths[2], "--json")
        self.assertEqual((status, json.loads(out)["generation"]), (0, 5))

    def test_split_brain_is_refused(self):
        """Two halves went on on their own, each with an epoch 2 of its own."""
        array, _ = tank()
        halves = ([0, 1, 2], [3, 4, 5])
        supers = []
        for half, epoch_id in zip(halves, (1, 2)):
            array, _ = tank()
            array.epochs.append((2, epoch_id, array.generation))
            array.commit([array.array_item()], members=half)
            folder = os.path.join(self.folder, str(epoch_id))
            os.mkdir(folder)
            paths = array.write(folder)
            supers.append([paths[n] for n in half])
        self.assert_clean(supers[0])
        self.assert_clean(supers[1])
        self.assert_refused(supers[0] + supers[1], "split brain")

    def test_maps_that_differ(self):
        """The same generation with another map: both whole, and one of them is wrong."""
        array, _ = tank()
        paths = array.write(self.folder)
        other = os.path.join(self.folder, "other")
        os.mkdir(other)
        again, _ = tank()
        again.records, again.supers = again.records[:-BLOCK], [s[:-1] for s in again.supers]
        again.last_crc = struct.unpack_from("<I", again.records, -BLOCK + 60)[0]
        again.generation = 5
        again.commit([again.member_item(0), again.array_item()])
        paths[0] = again.write(other)[0]
        self.assert_refused(paths, "split brain: another map of generation 5")

    def test_superblocks_of_one_generation_that_differ(self):
        """An older slot, long out of use, names another map than on the other members."""
        array, _ = tank()
        number = len(array.supers[3]) - 2
        where, block = array.supers[3][number]
        block = block[:116] + b"\0\0\0\0" + block[120:4092]
        array.supers[3][number] = where, block + struct.pack("<I", zlib.crc32(block))
        self.assert_found(array.write(self.folder), 3, where, "another of generation 4 says")

    def test_member_of_a_forgotten_epoch_is_not_used(self):
        array, contents = tank()
        array.epochs = [(9, 4711, array.generation)]
        array.commit([array.array_item()], members=[0, 1, 2, 3, 4])
        paths = array.write(self.folder)
        self.assert_clean(paths)
        _, out, _ = call(pgread.main, *paths)
        self.assertIn("the map knows none before 9: not used", out)
        self.assert_extracts(paths, {name: contents[name] for name in ("mirror", "parity")})

    def test_unfinished_create_is_refused(self):
        array = SynthArray(2)
        array.commit([array.array_item()] + [array.member_item(n) for n in range(2)])
        self.assert_refused(array.write(self.folder), "never finished")
        array.commit([array.array_item()])
        self.assert_clean(array.write(self.folder))


if __name__ == "__main__":
    print(f"seed {SEED} (PGREAD_SEED)", file=sys.stderr)
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damages single blocks at random places; scrub must name each exactly and put back every byte.

Aim: wherever one block goes wrong, `scrub --check` names the member, the block and the reason and writes
nothing; `scrub --repair` restores the very bytes that were there; after that nothing is left to say.
Method: a small array of each layout is damaged with craft.py, which knows the format and shares no code
with pgctl: a flipped byte in any body block or seal page, a lost write (block and entry both old), a
misdirected write (the content of another block). Then the same with several damages at once, as many in
each row as its code bears. Members are compared byte by byte with a copy from before.

usage: damage.py [--places N] [--seed S] [--layout NAME] [--jobs N] [--dir DIR] PGCTL
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "reader"))

import craft  # noqa: E402  (found through the line above)
from records import BLOCK, Bad  # noqa: E402

# name: options of create, how many columns of a row may be damaged at once
LAYOUTS = {
    "parity-1": (["-l", "parity", "-p", "1", "--width", "5"], 1),
    "parity-2": (["-l", "parity", "-p", "2", "--width", "5"], 2),
    "parity-3": (["-l", "parity", "-p", "3", "--width", "6"], 3),
    "mirror-2": (["-l", "mirror", "--copies", "2"], 1),
    "mirror-3": (["-l", "mirror", "--copies", "3"], 2),
    "sequential-5-1": (["-l", "sequential", "--width", "5", "--levels", "1"], 1),
    "sequential-4-2": (["-l", "sequential", "--width", "4", "--levels", "2"], 1),
    "plain": (["-l", "plain"], 0),
}
MEMBERS = [f"m{i}.img" for i in range(6)]
SIZE = "5M"
VOLUMES = {"big": 2_400_001, "small": 5_000}
SEVERAL_MAX = 12  # damages of one round
DRAWS_MAX = 100  # attempts to find a place where the damage makes a difference


class Failure(Exception):
    """What pgctl did is not what it should have done."""


class Layout:
    """One array, the places on it, and the rounds of damage."""

    def __init__(self, args, name):
        self.name, self.pgctl = name, args.pgctl
        self.options, self.tolerance = LAYOUTS[name]
        self.random = random.Random(f"{args.seed} {name}")
        self.dir = os.path.join(args.dir, name)
        os.mkdir(self.dir)
        self.paths = [os.path.join(self.dir, member) for member in MEMBERS]
        self._make()
        self.before = [self._bytes(path) for path in self.paths]
        with contextlib.ExitStack() as files:
            rows = list(craft.blocks(SimpleNamespace(members=self.paths), files))
            array = craft.Array(self.paths, files)
            self.segment_blocks = {number: group.segment_blocks
                                   for number, group in array.model.groups.items()}
        self.blocks = [row for row in rows if "block" in row]
        self.seals = [row for row in rows if "page" in row]

    def _make(self):
        for name, size in VOLUMES.items():
            with open(os.path.join(self.dir, name), "wb") as file:
                file.write(random.Random(name).randbytes(size))
        for words in (["create", "tank", *MEMBERS, "--size", SIZE, "--extent", "256K",
                       *self.options], ["put", MEMBERS[0], *VOLUMES]):
            done = self._run(*words)
            if done.returncode:
                raise Failure(f"{' '.join(words)}: exit {done.returncode}: {done.stderr}")

    def _run(self, *words):
        return subprocess.run([self.pgctl, *words], cwd=self.dir, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)

    @staticmethod
    def _bytes(path, offset=0, size=-1):
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size)

    def _times(self):
        return [os.stat(path).st_mtime_ns for path in self.paths]

    def restore(self):
        for path, content in zip(self.paths, self.before):
            if self._bytes(path) != content:
                with open(path, "r+b") as file:
                    file.write(content)

    # ---- damages: each returns what scrub has to say of it, or raises Bad if it makes no difference

    def flip(self, row=None):
        row = row or self.random.choice(self.blocks + self.seals)
        place = SimpleNamespace(file=self.paths[row["member"]], mask=self.random.randrange(1, 256),
                                offset=row["offset"] + self.random.randrange(BLOCK))
        list(craft.flip(place, None))
        return self._expected(row, "checksum", ["checksum"])

    def lost(self, row=None):
        row = row or self.random.choice(self.blocks)
        place = SimpleNamespace(members=self.paths, member=row["member"], extent=row["extent"],
                                block=row["block"], seed=self.random.randrange(1 << 32))
        with contextlib.ExitStack() as files:
            list(craft.lost(place, files))
        witnessed = self.name.startswith(("parity", "sequential"))
        return self._expected(row, "stale", ["witness", "generation"] if witnessed
                              else ["generation"])

    def misdirected(self, row=None):
        row = row or self.random.choice(self.blocks)
        source = self.random.choice([block for block in self.blocks
                                     if block["member"] == row["member"] and block != row])
        place = SimpleNamespace(members=self.paths, member=row["member"],
                                extent=source["extent"], block=source["block"],
                                to_extent=row["extent"], to_block=row["block"])
        content = self._bytes(self.paths[row["member"]], source["offset"], BLOCK)
        with contextlib.ExitStack() as files:
            list(craft.misdirect(place, files))
        # Zeros are everywhere, and of other groups the seals are not at hand.
        known = any(content) and source["group"] == row["group"]
        return self._expected(row, "identity" if known else "checksum", ["checksum"])

    def _expected(self, row, kind, bases):
        return {"member": row["member"], "lba": row["offset"], "group": row["group"], "kind": kind,
                "bases": bases, "volume": row.get("volume") if row["role"] == "data" else None,
                "offset": row.get("from"), "is_seal": "page" in row,
                # A header page says what the map says too.
                "can": self.tolerance > 0 or row.get("page") == 0}

    # ---- rounds

    def one(self, kind):
        """One damage at a random place."""
        for _ in range(DRAWS_MAX):
            with contextlib.suppress(Bad):
                return [getattr(self, kind)()]
        raise Failure(f"no place for {kind}")

    def several(self):
        """Damages of all kinds at once, in each row in as many columns as its code bears.

        A page of a seal speaks for many rows, so nothing else of its group is damaged.
        """
        expected, columns, groups = [], {}, {}
        for _ in range(self.random.randint(2, SEVERAL_MAX)):
            is_seal = self.tolerance > 0 and self.random.random() < 0.2
            row = self.random.choice(self.seals if is_seal else self.blocks)
            rows = row["group"], row.get("block", 0) % self.segment_blocks[row["group"]]
            hit = columns.setdefault(rows, set())
            if (groups.get(row["group"], is_seal) != is_seal or is_seal and row["group"] in groups
                    or row["member"] in hit or len(hit) >= max(self.tolerance, 1)):
                continue
            with contextlib.suppress(Bad):
                kind = self.flip if is_seal else self.random.choice(
                    [self.flip, self.lost, self.misdirected])
                found = kind(row)
                if kind == self.misdirected:  # its source may have been damaged before
                    found["kind"] = None
                expected.append(found)
                hit.add(row["member"])
                groups[row["group"]] = is_seal
        return expected

    def _scrub(self, option, status):
        done = self._run("scrub", MEMBERS[0], option, "--json")
        try:
            document = json.loads(done.stdout)
        except ValueError:
            raise Failure(f"{option}: no document: {done.stdout[:200]}{done.stderr}") from None
        if done.returncode != status or document["exit"] != status:
            raise Failure(f"{option}: exit {done.returncode}, expected {status}: "
                          f"{json.dumps(document)[:800]}")
        return document

    @staticmethod
    def _agree(mismatch, wanted):
        first = mismatch["blocks"][0]
        return (mismatch["suspect"] == wanted["member"] == first["member"]
                and first["lba"] == wanted["lba"] and mismatch["group"] == wanted["group"]
                and wanted["kind"] in (None, mismatch["kind"])
                and mismatch["basis"] in wanted["bases"]
                and (first["role"] == "seal") == wanted["is_seal"]
                and (wanted["volume"] is None or (mismatch["volume"] == wanted["volume"]
                                                  and mismatch["offset"] == wanted["offset"])))

    def _compare(self, document, expected):
        """Each damage is reported once, and nothing else."""
        left = list(document["mismatches"])
        for wanted in expected:
            found = [mismatch for mismatch in left if self._agree(mismatch, wanted)]
            if len(found) != 1:
                raise Failure(f"expected once {wanted}, reported: {json.dumps(left)[:1200]}")
            left.remove(found[0])
        if left:
            raise Failure(f"too much is reported: {json.dumps(left)[:1200]}")

    def check(self, expected):
        damaged, times = [self._bytes(path) for path in self.paths], self._times()
        if damaged == self.before:
            raise Failure("the damage changed nothing")
        document = self._scrub("--check", 4)
        self._compare(document, expected)
        if document["repaired"] != 0 or document["left"] != len(expected):
            raise Failure(f"--check: repaired {document['repaired']}, left {document['left']}")
        if self._times() != times or [self._bytes(path) for path in self.paths] != damaged:
            raise Failure("--check has written")
        return damaged

    def repair(self, expected, damaged):
        can = all(wanted["can"] for wanted in expected)
        document = self._scrub("--repair", 1 if can else 4)
        self._compare(document, expected)
        number = len(expected) if can else 0
        if document["repaired"] != number or document["left"] != len(expected) - number:
            raise Failure(f"--repair: repaired {document['repaired']}, left {document['left']}")
        wanted = self.before if can else damaged
        for member, path in enumerate(self.paths):
            if self._bytes(path) != wanted[member]:
                raise Failure(f"--repair: member {member} is not as before {'the damage' if can else 'it'}")
        if can and self._scrub("--check", 0)["mismatches"]:
            raise Failure("mismatches although the status is 0")

    def round(self, kind):
        expected = self.several() if kind == "several" else self.one(kind)
        if expected:
            damaged = self.check(expected)
            self.repair(expected, damaged)
        if not self.tolerance:
            self.restore()

    def run(self, places):
        """Returns the lines to print, and how many rounds passed and failed."""
        lines, passed, failed = [], 0, 0
        for kind in ("flip", "lost", "misdirected", "several"):
            good = 0
            for number in range(places):
                try:
                    self.round(kind)
                    good += 1
                except Failure as why:
                    failed += 1
                    lines.append(f"{self.name} {kind} {number}: {why}")
                    self.restore()
            passed += good
            lines.append(f"{self.name}: {kind} {good} of {places}")
        shutil.rmtree(self.dir)
        return lines, passed, failed


def run_layout(args, name):
    return Layout(args, name).run(args.places)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pgctl")
    parser.add_argument("--places", type=int, default=200, help="of each kind of damage")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--layout", choices=LAYOUTS, default=None)
    parser.add_argument("--jobs", type=int, default=2, help="layouts side by side")
    parser.add_argument("--dir", default=None, help="for the members")
    args = parser.parse_args()
    args.pgctl = os.path.abspath(args.pgctl)
    args.seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    print(f"seed {args.seed}", flush=True)
    work = args.dir = tempfile.mkdtemp(prefix="pgctl-damage.", dir=args.dir)
    passed = failed = 0
    try:
        names = [args.layout] if args.layout else list(LAYOUTS)
        with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
            for lines, good, bad in pool.map(run_layout, [args] * len(names), names):
                print("\n".join(lines), flush=True)
                passed, failed = passed + good, failed + bad
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

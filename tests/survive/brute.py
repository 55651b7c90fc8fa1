#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes members away for real and compares what is left with what `survive` said.

Aim: `survive --lose 3` names exactly the ranges that are gone, and its verdict is true.
Method: arrays of mixed width and layout by seed, one of them degraded already. For every set of one, two and
three members the others are put alone into a folder, every volume is read with `get --force`, which gives
zeros for what is lost; what was stored has no block of zeros. A set is `redundant` when no set with one
member more loses a byte of a volume that has redundancy.

usage: brute.py [--arrays N] [--seed S] [--dir DIR] PGCTL
"""
import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

BLOCK = 4096
LAYOUTS = (["-l", "parity", "-p", "1"], ["-l", "parity", "-p", "2"], ["-l", "mirror", "--copies", "2"],
           ["-l", "mirror", "--copies", "3"], ["-l", "plain"],
           ["-l", "sequential", "--levels", "1"], ["-l", "sequential", "--levels", "2"])


class Failure(Exception):
    """What survive said is not what happened."""


class Case:
    def __init__(self, args, number):
        self.pgctl, self.number = args.pgctl, number
        self.random = random.Random(f"{args.seed} {number}")
        self.dir = os.path.join(args.dir, f"array{number}")
        os.mkdir(self.dir)
        self.count = self.random.randint(4, 6)
        self.members = [os.path.join(self.dir, f"m{slot}.img") for slot in range(self.count)]
        self.volumes, self.plain = {}, set()
        self.gone = set()
        self._make()

    def run(self, *words, allow=(0,)):
        done = subprocess.run([self.pgctl, *words], cwd=self.dir, capture_output=True,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode not in allow:
            raise Failure(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def _make(self):
        sizes = [f"{self.random.choice((6, 8, 12))}M" for _ in self.members]
        for path, size in zip(self.members, sizes):
            with open(path, "wb") as file:
                file.truncate(int(size[:-1]) << 20)
        self.run("create", "tank", *self.members, "--extent", "64K", "-l", "parity")
        for place, layout in enumerate(self.random.sample(LAYOUTS, 4)):
            checks = 1 + (layout[1] in ("mirror", "parity") and layout[-1] in ("2", "3"))
            size = self.random.randint(1, 900_000)
            name = f"v{place}"
            with open(os.path.join(self.dir, name), "wb") as file:
                content = self.random.randbytes(size)
                file.write(content)
            extra = []
            if layout[1] == "parity":
                extra = ["--width", str(self.random.randint(checks + 1, self.count))]
            elif layout[1] == "sequential":
                extra = ["--width", str(self.random.randint(2, self.count))]
            self.run("put", self.members[0], name, *layout, *extra)
            self.volumes[name] = content
            if layout[1] == "plain":
                self.plain.add(name)
        if self.number == 0:  # degraded already
            slot = self.random.randrange(self.count)
            os.unlink(self.members[slot])
            self.gone.add(slot)

    def lost_blocks(self, absent):
        """(volume, block) of everything that cannot be read without these members."""
        left = [path for slot, path in enumerate(self.members) if slot not in absent | self.gone]
        lost = set()
        if not left:
            return None
        with tempfile.TemporaryDirectory(dir=self.dir) as folder:
            for path in left:
                os.link(path, os.path.join(folder, os.path.basename(path)))
            for name, content in self.volumes.items():
                out = os.path.join(folder, "out")
                self.run("get", folder, name, "-o", out, "--force", allow=(0, 4))
                with open(out, "rb") as file:
                    found = file.read()
                os.unlink(out)
                if len(found) != len(content):
                    raise Failure(f"{name} has {len(found)} bytes, not {len(content)}")
                for at in range(0, len(content), BLOCK):
                    if found[at:at + BLOCK] == content[at:at + BLOCK]:
                        continue
                    if found[at:at + BLOCK].strip(b"\0"):
                        raise Failure(f"{name} at {at}: bytes that nobody wrote, without {absent}")
                    lost.add((name, at // BLOCK))
        return lost

    def check(self):
        left = sorted(set(range(self.count)) - self.gone)
        home = self.members[left[0]]
        said = json.loads(self.run("survive", home, "--lose", "3", "--json"))
        rows = {frozenset(row["members"]): row for row in said["losses"]}
        sets = [frozenset(s) for k in (1, 2, 3) for s in itertools.combinations(left, k)]
        if set(rows) != set(sets):
            raise Failure(f"array {self.number}: {len(rows)} sets, expected {len(sets)}")
        lost = {s: self.lost_blocks(s) for s in sets if len(s) < len(left)}
        lost[frozenset()] = self.lost_blocks(frozenset())
        for members in sets:
            if lost.get(members) is not None:
                self.compare(members, rows[members], lost)
        return len(sets)

    def compare(self, members, row, lost):
        blocks = {(part["volume"], at // BLOCK) for part in row["lost"]
                  for at in range(part["offset"], part["offset"] + part["length"], BLOCK)}
        # A range may begin within a block only at the start of a span; these volumes have none such.
        if blocks != lost[members]:
            raise Failure(f"array {self.number} without {sorted(members)}: said {len(blocks)} "
                          f"blocks, {len(lost[members])} are lost")
        ranks = ("redundant", "no-redundancy", "data-loss")
        verdict = ranks.index(row["verdict"])
        if (verdict == 2) != bool(blocks):
            raise Failure(f"array {self.number} without {sorted(members)}: {row['verdict']}")
        larger = [s for s in lost if len(s) == len(members) + 1 and s > members and lost[s] is not None]
        worse = any(name not in self.plain for s in larger for name, _ in lost[s] - lost[members])
        if not blocks and larger and len(members) < 3 and worse != (verdict == 1):
            raise Failure(f"array {self.number} without {sorted(members)}: {row['verdict']}, but "
                          f"one more {'loses' if worse else 'loses no'} data")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--arrays", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir")
    parser.add_argument("pgctl")
    args = parser.parse_args()
    args.pgctl = os.path.abspath(args.pgctl)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="survive.", dir=args.dir) as folder:
        args.dir = folder
        for number in range(args.arrays):
            try:
                passed += Case(args, number).check()
            except Failure as failure:
                failed += 1
                print(f"not ok array {number}, seed {args.seed}: {failure}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

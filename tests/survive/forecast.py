#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what `forecast` said with what `expand` then did.

Aim: usable bytes are those of the forecast exactly, moved bytes within one per cent, now, after members joined,
and in the end; and the volumes are what they were.
Method: arrays by seed: members of any sizes, every layout and volumes of several, some removed again so that free
space has holes; then one to three members of any sizes, `forecast`, and `expand` with the same.

usage: forecast.py [--arrays N] [--seed S] [--dir DIR] PGCTL
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

DEFAULTS = (["-l", "parity", "-p", "1"], ["-l", "parity", "-p", "2"], ["-l", "parity", "-p", "3"],
            ["-l", "mirror", "--copies", "2"], ["-l", "mirror", "--copies", "3"],
            ["-l", "sequential", "--levels", "1"])
MEMBER_MIN, MEMBER_MAX = 3 << 20, 16 << 20


class Failure(Exception):
    """What forecast said is not what happened."""


class Case:
    def __init__(self, args, number):
        self.pgctl = args.pgctl
        self.random = random.Random(f"{args.seed} {number}")
        self.dir = os.path.join(args.dir, f"array{number}")
        os.mkdir(self.dir)
        self.volumes = {}
        self.layout = self.random.choice(DEFAULTS)

    def run(self, *words, allow=(0,)):
        done = subprocess.run([self.pgctl, *words], cwd=self.dir, capture_output=True,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode not in allow:
            raise Failure(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def ask(self, *words):
        return json.loads(self.run(*words, "--json"))

    def member(self, slot, size):
        name = f"m{slot}.img"
        with open(os.path.join(self.dir, name), "wb") as file:
            file.truncate(size)
        return name

    def size(self):
        return self.random.randrange(MEMBER_MIN, MEMBER_MAX, 4096)

    def fill(self):
        """Volumes up to a random part of what fits; some are removed again."""
        left = self.ask("status", "m0.img")["capacity"]["usable"] * self.random.random() * 0.95
        while left > 4096 and len(self.volumes) < 8:
            size = int(min(left, self.random.choice((5000, 300_000, 2_000_000, 8_000_000))))
            name, content = f"v{len(self.volumes)}", self.random.randbytes(size)
            with open(os.path.join(self.dir, "data"), "wb") as file:
                file.write(content)
            layout = self.random.choice(([], [], ["--unmirrored"]))
            try:
                self.run("put", "m0.img", "data", "--as", name, *layout)
            except Failure:
                break  # does not fit: enough is there
            self.volumes[name] = content
            left -= size
        for name in list(self.volumes):
            if self.random.random() < 0.25:
                self.run("volume", "remove", "m0.img", name, "--yes")
                del self.volumes[name]

    def make(self):
        count = self.random.randint(4, 7)
        names = [self.member(slot, self.size()) for slot in range(count)]
        self.run("create", "tank", *names, "--extent", "64K", *self.layout)
        self.fill()
        return count

    def play(self):
        count = self.make()
        sizes = [self.size() for _ in range(self.random.randint(1, 3))]
        said = self.ask("forecast", "m0.img", "--add", ",".join(map(str, sizes)))
        before = self.ask("status", "m0.img")["capacity"]["usable"]
        names = [self.member(count + i, size) for i, size in enumerate(sizes)]
        done = self.ask("expand", "m0.img", *names)
        after = self.ask("status", "m0.img")["capacity"]
        same("usable now", said["now"]["usable"], before)
        same("usable in the end", said["spread"]["usable"], after["usable"])
        same("used in the end", said["spread"]["used"], after["used"])
        for key in ("bytes_read", "bytes_written"):
            if abs(said[key] - done[key]) * 100 > done[key]:
                raise Failure(f"{key}: said {said[key]}, was {done[key]}")
        for name, content in self.volumes.items():
            if self.run("get", "m0.img", name, "-o", "-") != content:
                raise Failure(f"volume {name} differs")
        return done["bytes_written"]


def same(what, said, found):
    if said != found:
        raise Failure(f"{what}: said {said}, was {found}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pgctl")
    parser.add_argument("--arrays", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--dir", default=None)
    args = parser.parse_args()
    args.pgctl = os.path.abspath(args.pgctl)
    args.seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    print(f"seed {args.seed}", flush=True)
    passed = failed = moved = 0
    with tempfile.TemporaryDirectory(prefix="pgctl-forecast.", dir=args.dir) as folder:
        args.dir = folder
        for number in range(args.arrays):
            case = Case(args, number)
            try:
                moved += case.play() > 0
                passed += 1
            except Failure as why:
                failed += 1
                print(f"array {number} of seed {args.seed}: {' '.join(case.layout)}: {why}", flush=True)
            shutil.rmtree(case.dir)
    print(f"{moved} of {passed} arrays that passed had something to move")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

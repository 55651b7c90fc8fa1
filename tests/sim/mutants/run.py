#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the engine on purpose, one edit at a time; the simulator must find every one.

Works on a copy of the tree, compiles only what an edit changes, and runs the mutant's sweeps until
one finds a violation. Prints how long each took to find; ends with "N passed, N failed".

    tests/sim/mutants/run.py [--dir DIR] [--only WORD] [--seconds N]
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, HERE)
from list import MUTANTS  # noqa: E402

PROGRAMS = ("crash_small", "crash_large", "nested", "faults")
SKIP = shutil.ignore_patterns("build", ".git", "*.orig", "__pycache__")


class Tree:
    def __init__(self, folder):
        self.root = os.path.join(folder, "tree")
        self.build = os.path.join(folder, "build")
        self.failures = os.path.join(folder, "failures")
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(ROOT, self.root, ignore=SKIP)
        os.makedirs(self.failures, exist_ok=True)

    def make(self):
        # A mutant may leave something unused: that is no error here.
        bins = [f"{self.build}/release/tests/sim/test_{p}" for p in PROGRAMS]
        done = subprocess.run(["make", "-s", f"BUILD={self.build}", "CFLAGS=-Wno-error", *bins],
                              cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode == 0, done.stdout.decode("utf-8", "replace")

    def sweep(self, line, seconds):
        """True when the sweep finds something: a violation, or the program dies."""
        words = line.split()
        env = {**os.environ, "SIM_STOP": "1", "SIM_FAILURES": self.failures}
        for name, value in zip(("SIM_SHAPE", "SIM_SCRIPT"), words[1:]):
            env[name] = value
        try:
            done = subprocess.run([f"{self.build}/release/tests/sim/test_{words[0]}"], env=env,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        text = done.stdout.decode("utf-8", "replace")
        found = re.search(r"VIOLATION.*?: ([\w-]+: .{0,60})|the program died", text)
        if done.returncode < 0 or (found and not found[1]):
            return "the program died"
        return found[1] if found and done.returncode else None


def mutate(tree, mutant, seconds):
    name, path, old, new, sweeps = mutant
    full = os.path.join(tree.root, path)
    with open(full, encoding="utf-8") as source:
        before = source.read()
    if before.count(old) != 1:
        return False, f"the edit fits {before.count(old)} times"
    with open(full, "w", encoding="utf-8") as out:
        out.write(before.replace(old, new))
    try:
        good, text = tree.make()
        if not good:
            return False, "does not compile: " + text[-300:]
        begun = time.monotonic()
        for line in sweeps:
            found = tree.sweep(line, seconds)
            if found:
                return True, f"{time.monotonic() - begun:.1f} s, {line}: {found}"
        return False, f"not found in {time.monotonic() - begun:.1f} s"
    finally:
        with open(full, "w", encoding="utf-8") as out:
            out.write(before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", default="/tmp/pgctl-mutants")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=int, default=60, help="for one sweep")
    args = parser.parse_args()

    tree = Tree(args.dir)
    good, text = tree.make()
    if not good:
        sys.exit(text)
    chosen = [m for m in MUTANTS if args.only in m[0]]
    bad = [line for line in sorted({line for m in chosen for line in m[4]})
           if tree.sweep(line, args.seconds)]
    for line in bad:
        print(f"without any edit: {line} finds something")
    passed = 0
    for mutant in chosen:
        found, how = mutate(tree, (*mutant[:4], [s for s in mutant[4] if s not in bad]),
                            args.seconds)
        passed += found
        print(f"{'found' if found else 'NOT FOUND'}: {mutant[0]}: {how}", flush=True)
    print(f"{passed} passed, {len(chosen) - passed + len(bad)} failed")
    return 0 if passed == len(chosen) and not bad else 1


if __name__ == "__main__":
    sys.exit(main())

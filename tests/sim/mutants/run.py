#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the engine on purpose, one edit at a time; the simulator must find every one.

Works on a copy of the tree, compiles only what an edit changes, and runs the mutant's sweeps until
one finds a violation. The case that was found must be clean without the edit. Prints how long each
took to find; ends with "N passed, N failed".

    tests/sim/mutants/run.py [--dir DIR] [--only WORD] [--seconds N]
    tests/sim/mutants/run.py --clean    the same sweeps without any edit: none may find anything
"""
import argparse
import filecmp
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

SKIP = {"build", ".git", "__pycache__"}


def programs_of(mutants):
    return sorted({line.split()[0] for mutant in mutants for line in mutant[4]})


def settings(line):
    """A sweep as the environment of its program: "program [shape [script]] [name=value...]"."""
    words = [word for word in line.split()[1:] if "=" not in word]
    pairs = [word.split("=") for word in line.split()[1:] if "=" in word]
    env = dict(zip(("SIM_SHAPE", "SIM_SCRIPT"), words))
    env.update({"SIM_" + name.upper(): value for name, value in pairs})
    return env


def files_of(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIP]
        yield from (os.path.relpath(os.path.join(folder, name), root) for name in names)


def copy_tree(root):
    """Copy what differs and nothing else: whatever is copied is compiled again, and only that."""
    there = set(files_of(ROOT))
    for path in set(files_of(root)) - there:
        os.remove(os.path.join(root, path))
    for path in there:
        source, target = os.path.join(ROOT, path), os.path.join(root, path)
        if os.path.exists(target) and filecmp.cmp(source, target, shallow=False):
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


class Tree:
    def __init__(self, folder, programs):
        self.root = os.path.join(folder, "tree")
        self.build = os.path.join(folder, "build")
        self.clean = os.path.join(folder, "clean")
        self.failures = os.path.join(folder, "failures")
        copy_tree(self.root)
        os.makedirs(self.clean, exist_ok=True)
        os.makedirs(self.failures, exist_ok=True)
        good, text = self.make(programs)
        if not good:
            sys.exit(text)
        for program in programs:
            shutil.copy2(self.binary(program), self.clean)

    def binary(self, program):
        return f"{self.build}/release/tests/sim/test_{program}"

    def make(self, programs):
        # A mutant may leave something unused: that is no error here.
        done = subprocess.run(["make", "-s", f"BUILD={self.build}", "CFLAGS=-Wno-error",
                               *map(self.binary, programs)], cwd=self.root,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode == 0, done.stdout.decode("utf-8", "replace")

    def sweep(self, line, seconds, binary=None):
        """What the sweep finds, a violation or that the program dies, and its stream; or None."""
        env = {**os.environ, "SIM_STOP": "1", "SIM_FAILURES": self.failures, **settings(line)}
        try:
            done = subprocess.run([binary or self.binary(line.split()[0])], env=env,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        text = done.stdout.decode("utf-8", "replace")
        stream = re.search(r"replay: (\S+)", text)
        if not done.returncode or not stream:
            return None
        found = re.search(r"VIOLATION.*?: ([\w-]+: .{0,60})", text)
        return (found[1] if found else "the program died"), stream[1]

    def is_clean(self, program, stream):
        done = subprocess.run([os.path.join(self.clean, f"test_{program}"), stream],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == 0


def find(tree, mutant, seconds):
    """Run the sweeps of a mutant that is built."""
    begun = time.monotonic()
    for line in mutant[4]:
        found = tree.sweep(line, seconds)
        if found and not tree.is_clean(line.split()[0], found[1]):
            return False, f"{line} finds it without the edit too: {found[0]}"
        if found:
            return True, f"{time.monotonic() - begun:5.1f} s  {line}: {found[0]}"
    return False, f"not found in {time.monotonic() - begun:.1f} s"


def edited(text, olds, news):
    """The text with the edit, or with several when both are lists; and what is wrong with it."""
    pairs = zip(olds, news) if isinstance(olds, list) else [(olds, news)]
    for old, new in pairs:
        if text.count(old) != 1:
            return text, f"the edit fits {text.count(old)} times"
        text = text.replace(old, new)
    return text, None


def mutate(tree, mutant, seconds):
    path, old, new = mutant[1:4]
    full = os.path.join(tree.root, path)
    with open(full, encoding="utf-8") as source:
        before = source.read()
    after, wrong = edited(before, old, new)
    if wrong:
        return False, wrong
    with open(full, "w", encoding="utf-8") as out:
        out.write(after)
    try:
        good, text = tree.make(programs_of([mutant]))
        return find(tree, mutant, seconds) if good else (False, "does not compile: " + text[-300:])
    finally:
        with open(full, "w", encoding="utf-8") as out:
            out.write(before)


def run_clean(tree, chosen, seconds):
    """Every sweep once, without edits; (passed, failed)."""
    lines = sorted({line for mutant in chosen for line in mutant[4]})
    bad = 0
    for line in lines:
        begun = time.monotonic()
        found = tree.sweep(line, seconds, os.path.join(tree.clean, f"test_{line.split()[0]}"))
        bad += found is not None
        print(f"{time.monotonic() - begun:5.1f} s  {line}: {found[0] if found else 'clean'}",
              flush=True)
    return len(lines) - bad, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", default="/tmp/pgctl-mutants")
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    parser.add_argument("--seconds", type=int, default=120, help="for one sweep")
    parser.add_argument("--clean", action="store_true", help="the sweeps without any edit")
    args = parser.parse_args()

    # Those of one file one after another: each then costs one compilation.
    chosen = sorted((m for m in MUTANTS if args.only in m[0]), key=lambda m: m[1])
    tree = Tree(args.dir, programs_of(chosen))
    begun = time.monotonic()
    passed = failed = 0
    if args.clean:
        passed, failed = run_clean(tree, chosen, args.seconds)
        chosen = []
    for mutant in chosen:
        found, how = mutate(tree, mutant, args.seconds)
        passed += found
        failed += not found
        print(f"{'found' if found else 'NOT FOUND'}: {mutant[0]}: {how}", flush=True)
    print(f"{passed} passed, {failed} failed in {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

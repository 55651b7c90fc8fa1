#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills `pgctl write` at its N-th write or flush, for every N, and looks at what the next commands find.

Aim: whenever the process dies or the power goes, each block of the range is old or new, all others are as
they were, the log names what was under way, and after recovery nothing is left to repair.
Method: `--fault crash` (kill -9), `crash,torn` (half of that write lands) and `power-cut` (of all that was not
flushed any sector lands) at 1, 2, 3 … until the write ends by itself. Each time: `log check`; a read that recovers
in memory only and changes no byte; then a writing command, which says that it recovered; the same bytes
again; `scrub` is clean. The oracle is a plain file that was written at the same place.

With the journal `degraded` a healthy array promises old or new for each sector of a block under way, with
`small`, and wherever a member is absent, for each block. Members that are lost together with the crash may
cost rows under way only where the promise is for sectors; then `get` says so, and other blocks still stand.

usage: crash.py [--layouts LIST] [--states LIST] [--modes LIST] [--journals LIST] [--step N] [--prove] [--dir DIR] PGCTL
"""
import concurrent.futures
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile

from arrays import BLOCK, CONTENT_MAX, SECTOR, Failure, Folder, judge, parser_of, spliced

# Options of create, and how many members a group can lose.
LAYOUTS = {
    "parity-1": (["-l", "parity", "-p", "1", "--width", "4"], 1),
    "parity-2": (["-l", "parity", "-p", "2", "--width", "5"], 2),
    "mirror-2": (["-l", "mirror", "--copies", "2"], 1),
    "mirror-3": (["-l", "mirror", "--copies", "3"], 2),
    "sequential": (["-l", "sequential", "--width", "5"], 1),
    "sequential-2": (["-l", "sequential", "--width", "4", "--levels", "2"], 1),
    "plain": (["-l", "plain"], 0),
}
# absent: a member that is away before the write; lost: one that is lost with the crash.
STATES = ("healthy", "absent", "lost", "absent-lost")
MODES = ("crash", "torn", "power-cut")
MEMBERS = [f"m{i}.img" for i in range(5)]
LENGTH = 900_001
KILLED = -9
POINTS_MAX = 1000  # a write that never ends by itself is a failure


class Case(Folder):
    """One array in one state, and the write that is killed."""

    def __init__(self, args, layout, state, mode, journal):
        self.args, self.mode = args, mode
        self.name = f"{layout} {state} {mode} {journal}"
        self.options, self.tolerance = LAYOUTS[layout]
        self.absent, self.lost = "absent" in state, "lost" in state
        self.random = random.Random(f"{args.seed} {self.name}")
        super().__init__(args.pgctl, tempfile.mkdtemp(prefix="crash-", dir=args.dir))
        self.old = self.random.randbytes(LENGTH)
        first = self.random.randrange(LENGTH // 2)
        fresh = self.random.randbytes(self.random.choice((700, 4096, 33_000, 90_000)))
        self.offset, self.fresh = first, fresh
        self.by_block = journal == "small" and len(fresh) <= CONTENT_MAX
        self.new = spliced(self.old, first, fresh)
        self._make(journal)

    def _make(self, journal):
        self.run("create", "tank", *MEMBERS, "--size", "5M", "--extent", "256K", "--journal",
                 journal, *self.options)
        self.run("put", MEMBERS[0], "-", "--as", "volume", data=self.old)
        if self.absent:
            groups = self.json("map", MEMBERS[0])["groups"]
            self.by_block |= all(any(extent["member"] == 1 for extent in group["extents"])
                                 for group in groups)  # the others are healthy
            os.unlink(self.at(MEMBERS[1]))
        os.mkdir(self.at("before"))
        self._copy(self.path, self.at("before"))

    def _copy(self, source, target):
        for name in MEMBERS:
            if os.path.exists(os.path.join(target, name)):
                os.unlink(os.path.join(target, name))
            if os.path.exists(os.path.join(source, name)):
                subprocess.run(["cp", "--sparse=always", os.path.join(source, name), target],
                               check=True)

    def _images(self):
        images = {}
        for name in MEMBERS:
            if os.path.exists(self.at(name)):
                with open(self.at(name), "rb") as file:
                    images[name] = file.read()
        return images

    def _judge(self, found, lost):
        judge(found, self.old, self.new, BLOCK if self.by_block else SECTOR, lost)
        if lost and self.by_block and self.mode != "power-cut":
            raise Failure(f"{lost} are lost, which was promised")

    def _read(self):
        return self.read("volume")

    def point(self, number):
        """Kill at this point; False when the write ended by itself."""
        self._copy(self.at("before"), self.path)
        fault = {"crash": f"crash,at={number}", "torn": f"crash,at={number},torn",
                 "power-cut": f"power-cut,at={number},seed={self.args.seed + number}"}[self.mode]
        done = self.run("write", MEMBERS[0], "volume", "--offset", str(self.offset), "--fault",
                        fault, data=self.fresh, good=(0, KILLED))
        if self.lost:
            os.unlink(self.at(MEMBERS[2]))
        log = self.json("log", "check", MEMBERS[0], good=(0, 4))
        # A record torn on every member that is there may have been whole: the log has to say so.
        if len(log["findings"]) != log["suspect"] or log["suspect"] and self.mode == "crash":
            raise Failure(f"log check: {log['findings']}")
        if self.args.prove:
            proof = self.json("log", "prove", MEMBERS[0], good=(0, 4))
            if proof["broken"] or not proof["complete"]:
                raise Failure(f"log prove: {proof['losses']}")
        before = self._images()
        found, lost = self._read()
        if self._images() != before:
            raise Failure("a command that reads has written")
        self._judge(found, lost)
        if done.returncode == 0 and (found != self.new or log["entries"] or lost):
            raise Failure("the write ended, and is not there")
        self._recover(log["entries"], found, lost)
        return done.returncode == KILLED

    def _recover(self, entries, found, lost):
        done = self.run("write", MEMBERS[0], "volume")
        if (b"recovered" in done.stderr) != (entries > 0):
            raise Failure(f"{entries} entries, and the note: {done.stderr.decode()}")
        if self._read() != (found, lost):
            raise Failure("recovered on disk it is not what it was in memory")
        if self.json("log", "show", MEMBERS[0])["entries"]:
            raise Failure("the log is not empty after recovery")
        if not lost:
            self.run("scrub", MEMBERS[0])

    def sweep(self):
        """All points; how many there were, and how many had rows in the log."""
        number = 1 + self.random.randrange(self.args.step)
        try:
            while self.point(number):
                number += self.args.step
                if number > POINTS_MAX:
                    raise Failure("the write does not end")
        except (Failure, OSError, ValueError) as failure:
            return self.name, number, f"at point {number}: {failure}"
        finally:
            shutil.rmtree(self.path)
        return self.name, number, None


def cases_of(args):
    for layout, state, mode, journal in itertools.product(args.layouts, args.states, args.modes,
                                                          args.journals):
        if LAYOUTS[layout][1] >= state.count("absent") + state.count("lost"):
            yield layout, state, mode, journal


def arguments():
    parser = parser_of(__doc__)
    for name, known in (("layouts", list(LAYOUTS)), ("states", STATES), ("modes", MODES),
                        ("journals", ("degraded", "small", "none"))):
        parser.add_argument("--" + name, default=list(known), type=lambda text: text.split(","))
    parser.add_argument("--step", type=int, default=1, help="only every so many points")
    parser.add_argument("--prove", action="store_true", help="log prove at every point")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def main():
    args = arguments()
    print(f"seed {args.seed}")
    failed = passed = points = 0
    with tempfile.TemporaryDirectory(prefix="crash-", dir=args.dir) as args.dir, \
            concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, count, failure in pool.map(lambda case: Case(args, *case).sweep(),
                                             list(cases_of(args))):
            points += count
            passed, failed = passed + (failure is None), failed + (failure is not None)
            if failure:
                print(f"fail: {name}: {failure}", flush=True)
    print(f"{points} points")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

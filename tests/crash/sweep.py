#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills every command that writes at its k-th write or flush, for every k.

Aim: whenever a command dies, the array opens, what was stored before is byte-equal, also with a member
lost together with the crash where the layout can do without it; the same command begun anew ends right,
takes no more space than without the crash, and scrub finds nothing.
Method: preload.c counts the calls of one run, then each is a case: a fresh copy of the prepared members,
the command killed before the k-th call, in the middle of its bytes (torn), or after it. Commands run with
`--io sync`, for io_uring passes the library by. With --how eio or enospc the call fails instead. For write
each block (or sector, docs/WRITES.md "What is promised") is old or new; `recover` kills the recovery.

A kill loses nothing that was written and not flushed; that is powercut.py's and `--fault power-cut`'s.

usage: sweep.py [--layouts LIST] [--only LIST] [--how LIST] [--every M] [--seed S] [--dir DIR] PGCTL
"""
import argparse
import collections
import concurrent.futures
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile

from arrays import (BLOCK, CONTENT_MAX, LAYOUTS, SECTOR, Failure, Folder, judge, parser_of,
                    spliced)

HERE = os.path.dirname(os.path.abspath(__file__))
MEMBERS = [f"m{i}.img" for i in range(5)]
SIZES = ["--size", "5M", "--extent", "256K"]
LENGTH = 600_001  # of volume a: two groups
HOWS = ("before", "torn", "after")
ERRORS = ("eio", "enospc")
LOST = "m3.img"  # what is lost together with the crash


class Command:
    """A command that is killed: what stands before, and when it has done its work."""

    words = ()
    again = None  # how it is begun anew, if not by the same words
    good = (0,)
    data = b""
    spare_loss = 0  # members that are away already while it runs
    reads_while = True  # volumes can be read after the kill

    def __init__(self, name, volumes):
        self.name, self.volumes = name, volumes

    def prepare(self, folder):
        """From the common array to what the command meets."""

    def is_done(self, folder):
        """Its effect is there: it need not be begun anew."""
        return False

    def seen(self, folder, ended):
        """What must hold right after the kill, beyond the old volumes."""

    def seen_lost(self, folder):
        """The same with a member lost."""

    def finish(self, folder):
        """Once it has ended right: its result."""

    def restart(self, folder):
        folder.run(*(self.again or self.words), data=self.data, good=self.good)


class Put(Command):
    words = ("put", "m0.img", "-", "--as", "new")

    def __init__(self, name, volumes):
        super().__init__(name, volumes)
        self.data = random.Random(name).randbytes(500_000)

    def is_done(self, folder):
        return "new" in folder.volumes()

    def seen(self, folder, ended):
        if self.is_done(folder):
            self.finish(folder)

    def seen_lost(self, folder):
        self.seen(folder, False)

    def finish(self, folder):
        folder.expect("new", self.data)


class Append(Put):
    words = ("put", "m0.img", "-", "--as", "b", "--append")

    def __init__(self, name, volumes):
        super().__init__(name, volumes)
        self.old = self.volumes.pop("b")

    def is_done(self, folder):
        return folder.volumes()["b"] != len(self.old)

    def seen(self, folder, ended):
        folder.expect("b", self.old + self.data if self.is_done(folder) else self.old)

    def finish(self, folder):
        folder.expect("b", self.old + self.data)


class VolumeCreate(Command):
    words = ("volume", "create", "m0.img", "new", "--size", "300K")

    def is_done(self, folder):
        return "new" in folder.volumes()

    def finish(self, folder):
        folder.expect("new", bytes(300 << 10))


class VolumeRemove(Command):
    words = ("volume", "remove", "m0.img", "b", "--yes")

    def __init__(self, name, volumes):
        super().__init__(name, volumes)
        self.old = self.volumes.pop("b")

    def is_done(self, folder):
        return "b" not in folder.volumes()

    def seen(self, folder, ended):
        if not self.is_done(folder):
            folder.expect("b", self.old)


class VolumeRename(VolumeRemove):
    words = ("volume", "rename", "m0.img", "b", "c")

    def seen(self, folder, ended):
        folder.expect("c" if self.is_done(folder) else "b", self.old)

    def finish(self, folder):
        folder.expect("c", self.old)


class Repair(Command):
    """Damage in one member; so no other can be lost."""

    words = ("scrub", "m0.img", "--repair")
    good = (0, 1)
    spare_loss = 1

    def prepare(self, folder):
        folder.run("fault", "add", "m0.img", "--kind", "flip", "--member", "1", "--count", "6",
                   "--seed", "7", "--yes")


class Rebuild(Command):
    words = ("rebuild", "m0.img", "2", "--to", "n.img", "--force")
    spare_loss = 1

    def prepare(self, folder):
        os.unlink(folder.at("m2.img"))

    def is_done(self, folder):
        return any(member["slot"] == 2 and member["path"] and "n.img" in member["path"]
                   for member in folder.status()["members"])

    def restart(self, folder):
        folder.run(*self.words, "--resume")


class RebuildFree(Rebuild):
    words = ("rebuild", "m0.img", "2", "--into-free")

    def is_done(self, folder):
        return not [member for member in folder.status()["members"]
                    if member["slot"] == 2 and member["used"]]


class Replace(Rebuild):
    words = ("replace", "m0.img", "2", "n.img", "--force")
    spare_loss = 0

    def prepare(self, folder):
        pass


class State(Command):
    """fail, offline and online: the member's state is the old or the new one."""

    def __init__(self, name, volumes):
        super().__init__(name, volumes)
        self.words = (name, "m0.img", "1")
        self.wanted = {"fail": "failed"}.get(name, name)
        self.spare_loss = 1

    def prepare(self, folder):
        if self.name == "online":
            folder.run("offline", "m0.img", "1")

    def is_done(self, folder):
        return folder.status()["members"][1]["state"] == self.wanted

    def finish(self, folder):
        if not self.is_done(folder):
            raise Failure(f"member 1 is {folder.status()['members'][1]['state']}")
        if self.name != "online":
            folder.run("online", "m0.img", "1")


class Add(Command):
    words = ("add", "m0.img", "n.img", "--size", "5M", "--force")

    def is_done(self, folder):
        members = folder.status()["members"]
        return len(members) == 6 and members[5]["state"] != "missing"

    def finish(self, folder):
        if not self.is_done(folder):
            raise Failure("the member was not added")


class AddSpare(Add):
    words = (*Add.words, "--spare")


class Remove(Command):
    words = ("remove", "m0.img", "5")

    def prepare(self, folder):
        folder.run("add", "m0.img", "n.img", "--size", "5M")

    def is_done(self, folder):
        return len(folder.status()["members"]) == 5


class Write(Command):
    """write-STATE-JOURNAL-BYTES: in place, healthy or with a member absent."""

    def __init__(self, name, volumes):
        super().__init__(name, volumes)
        state, self.journal, size = name.split("-")[1:]
        rng = random.Random(name)
        self.old = self.volumes.pop("a")
        self.data = rng.randbytes(int(size))
        offset = rng.randrange(LENGTH - len(self.data))
        self.words = ("write", "m0.img", "a", "--offset", str(offset))
        self.new = spliced(self.old, offset, self.data)
        self.spare_loss = int(state == "degraded")
        self.by_block = self.spare_loss or self.journal == "small" and int(size) <= CONTENT_MAX
        self.piece = BLOCK if self.by_block else SECTOR

    def prepare(self, folder):
        if self.spare_loss:
            os.mkdir(folder.at("away"))
            os.rename(folder.at("m1.img"), folder.at("away/m1.img"))

    def seen(self, folder, ended):
        found, lost = folder.read("a")
        if lost:
            raise Failure(f"lost without a loss: {lost}")
        judge(found, self.old, self.new, self.piece)
        if ended and found != self.new:
            raise Failure("the write ended, and is not there")
        folder.found = found

    def seen_lost(self, folder):
        found, lost = folder.read("a")
        judge(found, self.old, self.new, self.piece, lost)
        if lost and self.by_block:
            raise Failure(f"lost with a member, which was promised: {lost}")

    def restart(self, folder):
        folder.run("write", "m0.img", "a")  # nothing: recovery alone, this time on the medium
        folder.expect("a", folder.found, "recovered on disk it is not what it was in memory: ")
        super().restart(folder)

    def finish(self, folder):
        folder.expect("a", self.new)
        if folder.json("log", "show", "m0.img")["entries"]:
            raise Failure("rows are left in the log")
        if self.spare_loss and not folder.exists("m1.img"):
            os.rename(folder.at("away/m1.img"), folder.at("m1.img"))
            folder.heal()
            folder.expect("a", self.new, "after the absent member came back: ")


class Recover(Write):
    """recover-…: a write was killed half way; now its recovery is."""

    def __init__(self, name, volumes):
        super().__init__(name, volumes)
        self.write, self.words = self.words, ("write", "m0.img", "a")
        self.input, self.data = self.data, b""
        self.found = None

    def prepare(self, folder):
        super().prepare(folder)
        calls = folder.preload(self.write, self.input, None, None)[1]
        folder.restore()
        super().prepare(folder)
        if folder.preload(self.write, self.input, len(calls) * 2 // 3, "before")[0] != -9:
            raise Failure("the write was not killed")
        self.found, lost = folder.read("a")
        if lost:
            raise Failure("the killed write lost something")
        judge(self.found, self.old, self.new, self.piece)
        self.new = self.old = self.found

    def seen_lost(self, folder):
        """What the first recovery decided without the member need not be what it is now."""


CREATE = ("create", "tank", *MEMBERS, *SIZES)


class Create(Command):
    """Nothing, or an array that works; and create --force always begins anew."""

    reads_while = False

    def __init__(self, name, volumes):
        super().__init__(name, {})

    def prepare(self, folder):
        for name in os.listdir(folder.path):
            os.unlink(folder.at(name))

    def seen(self, folder, ended):
        if folder.exists("m0.img") and folder.try_run("status", "m0.img").returncode == 0:
            folder.run("put", "m0.img", "-", "--as", "a", data=b"a" * 70_000)
            folder.expect("a", b"a" * 70_000)
            if folder.try_run(*self.words).returncode == 0:
                raise Failure("an array was overwritten without --force")
        elif ended:
            raise Failure("the array does not open")

    def restart(self, folder):
        folder.run(*self.words, "--force")

    def finish(self, folder):
        folder.run("put", "m0.img", "-", "--as", "b", data=b"b" * 70_000)
        folder.expect("b", b"b" * 70_000)


KINDS = {
    "create": Create, "put": Put, "append": Append, "volume-create": VolumeCreate,
    "volume-remove": VolumeRemove, "volume-rename": VolumeRename, "repair": Repair,
    "rebuild": Rebuild, "into-free": RebuildFree, "replace": Replace, "fail": State,
    "offline": State, "online": State, "add": Add, "add-spare": AddSpare, "remove": Remove,
}
for kind, cls in (("write", Write), ("recover", Recover)):
    for where in ("healthy", "degraded"):
        for mode in ("none", "degraded", "small"):
            KINDS[f"{kind}-{where}-{mode}-9000"] = cls
    KINDS[f"{kind}-healthy-degraded-200000"] = cls
    KINDS[f"{kind}-degraded-small-70000"] = cls


class Place(Folder):
    """A scratch folder that can be filled from the original again and again."""

    def __init__(self, args, path, origin):
        super().__init__(args.pgctl, path)
        self.library, self.origin, self.found = args.library, origin, None

    def restore(self):
        shutil.rmtree(self.path, ignore_errors=True)
        subprocess.run(["cp", "-r", "--sparse=always", self.origin, self.path], check=True)

    def preload(self, words, data, at, how):
        """Run under preload.c; (exit status, letters of the calls that were counted)."""
        log = self.path + ".log"
        if os.path.exists(log):
            os.unlink(log)
        env = dict(os.environ, LD_PRELOAD=self.library, CRASH_LOG=log)
        if at:
            env.update(CRASH_AT=str(at), CRASH_HOW=how)
        done = self.try_run(*words, "--io", "sync", data=data, env=env)
        self.said = done.stderr.decode()
        with open(log, encoding="ascii") as file:
            return done.returncode, file.read()


class Sweep:
    """One command on one layout."""

    def __init__(self, args, layout, name):
        self.args, self.layout, self.name = args, layout, name
        options, self.tolerance = LAYOUTS[layout]
        rng = random.Random(layout)
        self.volumes = {"a": rng.randbytes(LENGTH), "b": rng.randbytes(100_000)}
        self.dir = tempfile.mkdtemp(prefix=f"sweep-{layout}-{name}-", dir=args.dir)
        self.origin = os.path.join(self.dir, "origin")
        self.command = KINDS[name](name, dict(self.volumes))
        self.create = (*CREATE, *options)
        self.useless = 0  # advice of status that had to be taken twice
        if name == "create":
            self.command.words = self.create
        if name.startswith(("write", "recover")):
            self.create += ("--journal", self.command.journal)

    def place(self, label):
        return Place(self.args, os.path.join(self.dir, label), self.origin)

    def make(self):
        """The prepared members in `origin`; the calls of a run, and the space used after it."""
        os.mkdir(self.origin)
        base = self.place("base")
        origin = Place(self.args, self.origin, base.path)
        origin.run(*self.create)
        for name, content in self.volumes.items():
            origin.run("put", "m0.img", "-", "--as", name, data=content)
        base.restore()
        self.command.prepare(origin)
        counted = self.place("counted")
        counted.restore()
        rc, calls = counted.preload(self.command.words, self.command.data, None, None)
        if rc not in self.command.good or not calls:
            raise Failure(f"the undisturbed run ended with {rc}: {counted.said}")
        return calls, self.end(counted)

    def end(self, folder):
        """All that must hold once the command has ended; returns the space used."""
        self.command.finish(folder)
        for name, content in self.command.volumes.items():
            folder.expect(name, content, "at the end ")
        folder.run("check", folder.member())
        self.useless += folder.heal()
        folder.run("scrub", folder.member(), "--check")
        return sum(member["used"] for member in folder.status()["members"])

    def lose_one(self, folder):
        """Read with one more member away, if the layout can do without."""
        if self.tolerance <= self.command.spare_loss or not folder.exists(LOST):
            return
        os.rename(folder.at(LOST), folder.at("lost"))
        for name, content in self.command.volumes.items():
            folder.expect(name, content, "with a member lost ")
        self.command.seen_lost(folder)
        os.rename(folder.at("lost"), folder.at(LOST))

    def case(self, at, how, used):
        """None, or what was wrong; and whether it was killed."""
        folder = self.place(f"{how}-{at}")
        folder.restore()
        killed = False
        try:
            rc, _ = folder.preload(self.command.words, self.command.data, at, how)
            killed = rc == -signal.SIGKILL
            if rc < 0 and not killed:
                raise Failure(f"ended by signal {-rc}: {folder.said}")
            if not killed and how in HOWS and rc not in self.command.good:
                raise Failure(f"ended with {rc}: {folder.said}")
            ended = rc in self.command.good
            if self.command.reads_while:
                for name, content in self.command.volumes.items():
                    folder.expect(name, content, "after the kill ")
            self.command.seen(folder, ended)
            if how in HOWS and self.command.reads_while:
                self.lose_one(folder)
            if how in ERRORS and self.command.reads_while:
                folder.heal()
            if not self.command.is_done(folder):
                self.command.restart(folder)
            left = self.end(folder)
            if how in HOWS and left != used:
                raise Failure(f"{left} bytes are in use at the end, {used} without the kill")
        except (Failure, OSError, ValueError, KeyError) as why:
            return f"{type(why).__name__}: {why}", killed
        finally:
            shutil.rmtree(folder.path)
            if os.path.exists(folder.path + ".log"):
                os.unlink(folder.path + ".log")
        return None, killed


def points(sweep, calls, every, rng):
    """Every call with every way, or one in `every` of them; torn only where bytes are moved."""
    for how in sweep.args.how:
        if how in ERRORS and sweep.command.spare_loss >= sweep.tolerance:
            continue  # the failing call takes a member too many
        for at in range(1, len(calls) + 1):
            if how == "torn" and calls[at - 1] not in "wz":
                continue
            if every == 1 or rng.randrange(every) == 0:
                yield at, how


def sweep_run(sweep, pool, rng, totals):
    """All cases of one command; counts go to `totals`."""
    label = f"{sweep.layout} {sweep.name}"
    try:
        calls, used = sweep.make()
    except (Failure, OSError, ValueError) as why:
        totals["failed"] += 1
        print(f"fail: {label}: {why}", flush=True)
        return
    cases = list(points(sweep, calls, sweep.args.every, rng))
    failures = killed = 0
    done = pool.map(lambda case: sweep.case(*case, used), cases)
    for (at, how), (why, was_killed) in zip(cases, done):
        killed += was_killed
        failures += why is not None
        if why:
            print(f"fail: {label} {how} {at} of {len(calls)}: {why}", flush=True)
    totals["failed"] += failures
    totals["passed"] += len(cases) - failures
    totals["killed"] += killed
    totals["useless"] += sweep.useless
    print(f"{label}: {len(calls)} calls, {len(cases)} cases, {killed} killed, {failures} failed",
          flush=True)


def arguments():
    parser = parser_of(__doc__)

    def words(known):
        def parse(text):
            chosen = [name for name in known if any(name.startswith(w) for w in text.split(","))]
            if not chosen:
                raise argparse.ArgumentTypeError("one of " + ", ".join(known))
            return chosen
        return parse

    parser.add_argument("--layouts", type=words(LAYOUTS), default=list(LAYOUTS))
    parser.add_argument("--only", type=words(KINDS), default=list(KINDS),
                        help="commands; the beginning of a name is enough")
    parser.add_argument("--how", type=words(HOWS + ERRORS), default=list(HOWS))
    parser.add_argument("--every", type=int, default=1, help="one case in so many, by the seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="leave the prepared members")
    return parser.parse_args()


def main():
    args = arguments()
    print(f"seed {args.seed}", flush=True)
    args.dir = tempfile.mkdtemp(prefix="pgctl-sweep.", dir=args.dir)
    args.library = os.path.join(args.dir, "preload.so")
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-o",
                    args.library, os.path.join(HERE, "preload.c")], check=True)
    totals, rng = collections.Counter(), random.Random(args.seed)
    try:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for layout in args.layouts:
                for name in args.only:
                    sweep = Sweep(args, layout, name)
                    sweep_run(sweep, pool, rng, totals)
                    if not args.keep:
                        shutil.rmtree(sweep.dir)
    finally:
        if not args.keep:
            shutil.rmtree(args.dir, ignore_errors=True)
    print(f"{totals['killed']} killed in the middle, {totals['useless']} times advice of no use")
    print(f"{totals['passed']} passed, {totals['failed']} failed")
    return 1 if totals["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())

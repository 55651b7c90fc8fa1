#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts the power of the file system that holds the members, again and again, while pgctl works.

Aim: what a command had reported (exit 0) is there after any power cut; what was under way is as before or
as after; the array opens, recovers, and scrub finds nothing. kill -9 cannot show this: the kernel
keeps what was written and not flushed, a power cut does not.
Method: members are image files on an XFS or ext4 in a loop-mounted file. One thread runs commands, at a
random moment the file system is shut down without flushing its journal (what `xfs_io -x -c shutdown`
does), pgctl is killed, the file system mounted anew and everything compared with a model. With --half
only as many members as the layout can lose lie there, the others on a file system that stays: pgctl is
not killed then and has to go on without them. Some commands use the page cache (--io sync), some do not.
The array is made anew every now and then, with the next layout and journal mode.

Needs root. Prints cuts, how many hit a command, and how many bytes reported as stored were compared.

usage: powercut.py [--cuts N] [--minutes M] [--half] [--fs xfs|ext4] [--layouts LIST] [--seed S] [--dir DIR] PGCTL
"""
import collections
import fcntl
import itertools
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

from arrays import (BLOCK, CONTENT_MAX, LAYOUTS, SECTOR, Failure, Folder, judge, parser_of,
                    spliced)

GOING_DOWN = 0x8004587D  # XFS_IOC_GOINGDOWN and EXT4_IOC_SHUTDOWN
NO_LOG_FLUSH = 2
MKFS = {"xfs": ["mkfs.xfs", "-q", "-f"], "ext4": ["mkfs.ext4", "-q", "-F"]}
FS_BYTES = 320 << 20  # mkfs.xfs refuses less than 300 MiB
CUTS_A_ARRAY = 50  # then a new one, of the next kind
VOLUMES_MAX = 6
VOLUME_BYTES = 400_000
DELAY_MAX = 0.15  # seconds from the first command to the cut
COMMAND_MAX = 60  # seconds; one that takes longer hangs


class Disk:
    """A file system of its own, which can lose its power."""

    def __init__(self, directory, name, kind):
        self.image = os.path.join(directory, name + ".fs")
        self.path = os.path.join(directory, name)
        os.mkdir(self.path)
        with open(self.image, "wb") as file:
            file.truncate(FS_BYTES)
        subprocess.run([*MKFS[kind], self.image], check=True, capture_output=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True)

    def cut(self):
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, GOING_DOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.path], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.02)
        raise Failure(f"{self.path} cannot be unmounted")

    def free(self):
        self.unmount()
        os.rmdir(self.path)
        os.unlink(self.image)


class Pending:
    """A command that has begun and not ended: what each volume may be if it did not end with 0."""

    def __init__(self, words, data=b"", good=(0,)):
        self.words, self.data, self.good = words, data, good
        self.name = None  # the volume it changes
        self.old = self.new = None  # None: there is no such volume
        self.piece = None  # old or new for each so many bytes; None: as a whole
        self.before = self.after = lambda: None


class Run:
    """One array on one disk: commands, cuts, and the model of what has to be there."""

    def __init__(self, args, rng, totals, disks, layout, journal):
        self.args, self.rng, self.totals = args, rng, totals
        self.cut_disk = disks[-1]
        self.folder = Folder(args.pgctl, disks[0].path)
        self.tolerance = LAYOUTS[layout][1]
        self.journal = journal
        self.label = f"{layout} {journal}" + (" half" if args.half else "")
        self.model, self.numbers = {}, itertools.count()
        self.starts = {}  # where the blocks of a volume are counted from
        self.pending = self.process = self.failure = None
        self.cutting = threading.Event()
        self.members = [os.path.join(self.home(i), f"m{i}.img") for i in range(5)]
        self.folder.run("create", "tank", *self.members, "--size", "12M", "--extent", "256K",
                        "--journal", journal, *LAYOUTS[layout][0])
        if args.half:
            self.folder.extra = ("--member", self.cut_disk.path)

    def home(self, slot):
        """Where a member lies; with --half only the first ones of those that can be lost are cut."""
        if self.args.half and slot not in range(1, 1 + self.tolerance):
            return self.folder.path
        return self.cut_disk.path

    def command(self, *words):
        return (*words, *self.folder.extra, *(("--io", "sync") if self.rng.random() < 0.5 else ()))

    # ---- what is done

    def put(self):
        pending = Pending(None, self.rng.randbytes(self.rng.randrange(1, VOLUME_BYTES)))
        pending.name, pending.new = f"v{next(self.numbers)}", pending.data
        pending.words = self.command("put", "m0.img", "-", "--as", pending.name)
        return pending

    def append(self):
        pending = Pending(None, self.rng.randbytes(self.rng.randrange(1, 60_000)))
        pending.name = self.rng.choice(list(self.model))
        pending.old = self.model[pending.name]
        pending.new = pending.old + pending.data
        pending.words = self.command("put", "m0.img", "-", "--as", pending.name, "--append")
        return pending

    def remove(self):
        pending = Pending(None)
        pending.name = self.rng.choice(list(self.model))
        pending.old = self.model[pending.name]
        pending.words = self.command("volume", "remove", "m0.img", pending.name, "--yes")
        return pending

    def write(self):
        name = self.rng.choice(list(self.model))
        old = self.model[name]
        offset = self.rng.randrange(len(old))
        size = self.rng.choice((1, 700, 4096, 20_000, 100_000))
        pending = Pending(None, self.rng.randbytes(min(size, len(old) - offset)))
        pending.name, pending.old = name, old
        pending.new = spliced(old, offset, pending.data)
        content = self.journal == "small" and len(pending.data) <= CONTENT_MAX
        pending.piece = BLOCK if content else SECTOR
        pending.words = self.command("write", "m0.img", name, "--offset", str(offset))
        return pending

    def repair(self):
        """Damage on one member, then its repair; not where a cut may take the last redundancy."""
        slot = str(self.rng.randrange(5))
        damage = Pending(self.command("fault", "add", "m0.img", "--kind", "flip", "--member", slot,
                                      "--count", "5", "--seed", str(self.rng.randrange(1000)),
                                      "--yes"), good=(0, 4, 8, 16))
        repair = Pending(self.command("scrub", "m0.img", "--repair"), good=(0, 1))
        damage.after = lambda: self.perform(repair)
        return damage

    def replace(self):
        """A member moves to a new file; m0.img stays, for by it the array is named."""
        slot = self.rng.randrange(1, 5)
        target = os.path.join(self.home(slot), f"n{next(self.numbers)}.img")
        old = self.members[slot]
        pending = Pending(self.command("replace", "m0.img", str(slot), target, "--force"))

        def after():
            self.members[slot] = target
            os.unlink(old)

        pending.after = after
        return pending

    def rebuild(self):
        """A member is gone; its unlinking may be undone by the cut, and then it comes back old."""
        slot = self.rng.randrange(1, 5)
        target = os.path.join(self.home(slot), f"n{next(self.numbers)}.img")
        pending = Pending(self.command("rebuild", "m0.img", str(slot), "--to", target, "--force"))
        pending.before = lambda: os.unlink(self.members[slot])
        pending.after = lambda: self.members.__setitem__(slot, target)
        return pending

    def choose(self):
        if len(self.model) < 2:
            return self.put()
        kinds = [self.put, self.append, *[self.write] * 6, self.replace]
        if len(self.model) >= VOLUMES_MAX:
            kinds += [self.remove] * 6
        if not self.args.half:  # else the member and the cut are more than the layout can lose
            kinds += [self.repair, self.rebuild]
        return self.rng.choice(kinds)()

    # ---- the thread of commands

    def perform(self, pending):
        self.pending = pending
        pending.before()
        self.totals["commands"] += 1
        self.process = subprocess.Popen([self.args.pgctl, *pending.words], cwd=self.folder.path,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        if self.cutting.is_set() and not self.args.half:
            self.process.kill()
        out, said = self.process.communicate(pending.data, timeout=COMMAND_MAX)
        if self.process.returncode not in pending.good:
            if self.cutting.is_set():
                return
            raise Failure(f"{pending.words} ended with {self.process.returncode}: "
                          + out.decode()[-300:] + said.decode()[-300:])
        if pending.name:
            self.keep(pending.name, pending.new)
        self.pending = None
        pending.after()

    def work(self):
        try:
            while not self.cutting.is_set():
                self.perform(self.choose())
        except (Failure, OSError, ValueError, subprocess.TimeoutExpired) as why:
            if not self.cutting.is_set() or isinstance(why, subprocess.TimeoutExpired):
                self.failure = why

    # ---- the cut, and what is there afterwards

    def cut(self):
        self.cutting.clear()
        self.pending = self.failure = None
        thread = threading.Thread(target=self.work)
        thread.start()
        time.sleep(self.rng.random() * DELAY_MAX)
        self.cutting.set()
        self.cut_disk.cut()
        if not self.args.half and self.process:
            self.process.kill()
        thread.join()
        if self.failure:
            raise Failure(f"before the cut: {self.failure}")
        self.totals["cuts"] += 1
        self.totals["in the middle"] += self.pending is not None
        self.cut_disk.unmount()
        self.cut_disk.mount()
        try:
            self.verify()
        except Failure as why:
            words = " ".join(self.pending.words) if self.pending else "no command"
            raise Failure(f"{words} was under way: {why}") from why

    def verify(self):
        self.settle()
        self.compare("at once, ")
        self.ghosts()
        self.resume()
        self.totals["useless advice"] += self.folder.heal()
        self.tidy()
        done = self.folder.try_run("scrub", "m0.img", "--check")
        if done.returncode:
            self.totals["scrubs that repaired"] += 1
            self.folder.run("scrub", "m0.img", "--repair", good=(0, 1))
            if not (self.pending and "scrub" in self.pending.words or
                    self.pending and "fault" in self.pending.words):
                raise Failure(f"scrub ended with {done.returncode}: {done.stdout.decode()[-400:]}"
                              + done.stderr.decode())
        self.compare("at the end, ")
        if self.folder.json("log", "show", "m0.img")["entries"] and self.pending is None:
            self.folder.commit()

    def settle(self):
        """The volume under way is old or new; the model takes what is there."""
        pending = self.pending
        if not pending or not pending.name:
            return
        there = pending.name in self.folder.volumes()
        if not there and None not in (pending.old, pending.new):
            raise Failure(f"volume {pending.name} is gone")
        if not there:
            self.keep(pending.name, None)
            return
        found, lost = self.folder.read(pending.name)
        if lost:
            raise Failure(f"{pending.name}: lost {lost}")
        if pending.piece:
            judge(found, pending.old, pending.new, pending.piece,
                  starts=self.starts[pending.name])
        elif found not in (pending.old, pending.new):
            raise Failure(f"{pending.name} is neither as before nor as after")
        self.keep(pending.name, found)

    def keep(self, name, content):
        """Into the model: what a volume holds now, None when there is none."""
        before = self.model.pop(name, b"")
        if content is None:
            self.starts.pop(name, None)
            return
        if len(content) != len(before):
            self.starts.setdefault(name, []).append(len(before))
        self.model[name] = content

    def compare(self, when):
        found = set(self.folder.volumes()) - {"tick"}
        if found != set(self.model):
            raise Failure(f"{when}volumes {sorted(found)}, expected {sorted(self.model)}")
        for name, content in self.model.items():
            self.folder.expect(name, content, when)
            self.totals["bytes"] += len(content)

    def ghosts(self):
        """
        A new member whose disk failed before it got its superblock is missing, and its file is none: remove
        it. A power cut of all members leaves none.
        """
        for member in self.folder.status()["members"]:
            if member["state"] == "missing" and not member["used"] and member["slot"] >= 5:
                if not self.args.half:
                    raise Failure(f"member {member['slot']} has no superblock")
                self.totals["ghosts"] += 1
                self.folder.run("remove", "m0.img", str(member["slot"]))

    def resume(self):
        """Finish the rebuild or replace that the cut stopped."""
        pending = self.pending
        if not pending or pending.words[0] not in ("rebuild", "replace"):
            return
        slot = int(pending.words[2])
        status = self.folder.json("status", "m0.img")
        member = next(member for member in status["members"] if member["slot"] == slot)
        if status["jobs"] or pending.words[0] == "rebuild" and member["state"] == "missing":
            self.totals["resumed"] += 1
            self.take_back_target(status)
            self.folder.run(*(word for word in pending.words if word not in self.folder.extra))

    def take_back_target(self, status):
        """
        The new member's disk failed in the cut and is good again: replace refuses it until online takes it
        back, and says so.
        """
        for member in status["members"]:
            if member["state"] == "failed" and member["slot"] >= len(self.members):
                self.totals["targets taken back"] += 1
                words = [word for word in self.pending.words if word not in self.folder.extra]
                refused = self.folder.try_run(*words)
                advice = re.search(r"pgctl (online \S+ \d+)", refused.stderr.decode())
                if refused.returncode and advice:
                    self.folder.run(*advice[1].split())

    def tidy(self):
        """Where every member is now; what is left over goes: empty members, files of no member."""
        for member in self.folder.json("status", "m0.img")["members"]:
            if member["slot"] >= len(self.members):
                self.folder.run("remove", "m0.img", str(member["slot"]))
            else:
                self.members[member["slot"]] = os.path.join(self.folder.path, member["path"])
        for directory in {self.folder.path, self.cut_disk.path}:
            for name in os.listdir(directory):
                path = os.path.join(directory, name)
                if name.endswith(".img") and path not in self.members:
                    os.unlink(path)


def array_run(args, rng, totals, kind, deadline):
    """One array until it has had its cuts; a failure leaves it for a look with --keep."""
    work = tempfile.mkdtemp(prefix="pgctl-power.", dir=args.dir)
    disks, failure = [], None
    try:
        for name in ("stays", "cut") if args.half else ("cut",):
            disks.append(Disk(work, name, args.fs))
        run = Run(args, rng, totals, disks, *kind)
        for _ in range(CUTS_A_ARRAY):
            if totals["cuts"] >= args.cuts or time.monotonic() > deadline:
                break
            run.cut()
    except (Failure, OSError, ValueError, KeyError) as why:
        failure = f"{' '.join(kind)} cut {totals['cuts']}: {type(why).__name__}: {why}"
    if failure and args.keep:
        print(f"left mounted: {work}")
        return failure
    for disk in disks:
        disk.free()
    shutil.rmtree(work)
    return failure


def arguments():
    parser = parser_of(__doc__)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after so long")
    parser.add_argument("--half", action="store_true", help="cut only what the layout can lose")
    parser.add_argument("--fs", choices=MKFS, default="xfs")
    parser.add_argument("--layouts", default=",".join(LAYOUTS))
    parser.add_argument("--failures", type=int, default=5, help="give up after so many")
    parser.add_argument("--keep", action="store_true", help="leave what failed as it is")
    return parser.parse_args()


def main():
    args = arguments()
    if os.geteuid():
        sys.exit("powercut.py mounts file systems and needs root")
    print(f"seed {args.seed}", flush=True)
    rng, totals, begun = random.Random(args.seed), collections.Counter(), time.monotonic()
    kinds = itertools.cycle(itertools.product(args.layouts.split(","),
                                              ("degraded", "small", "none")))
    failures = 0
    while (totals["cuts"] < args.cuts and failures < args.failures
           and time.monotonic() < begun + 60 * args.minutes):
        failure = array_run(args, rng, totals, next(kinds), begun + 60 * args.minutes)
        if failure:
            failures += 1
            print(f"fail: {failure}", flush=True)
            if args.keep:
                break
    minutes = (time.monotonic() - begun) / 60
    for name in ("commands", "in the middle", "resumed", "targets taken back", "ghosts", "scrubs that repaired", "useless advice"):
        print(f"{totals[name]} {name}")
    print(f"{totals['bytes']} flushed bytes compared, {totals['cuts'] / minutes:.0f} cuts a minute")
    print(f"{totals['cuts'] - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

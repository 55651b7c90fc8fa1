# SPDX-License-Identifier: GPL-3.0-or-later
"""What crash.py, sweep.py and powercut.py share: running pgctl in a folder, and judging what a volume holds."""
import argparse
import json
import os
import random
import re
import shlex
import subprocess

BLOCK, SECTOR = 4096, 512
CONTENT_MAX = 64 << 10  # bytes of a write whose content the log holds with --journal small

# Options of create for five members, and how many members a group can lose.
LAYOUTS = {
    "parity-1": (["-l", "parity", "-p", "1", "--width", "4"], 1),
    "parity-2": (["-l", "parity", "-p", "2", "--width", "4"], 2),
    "mirror-2": (["-l", "mirror", "--copies", "2"], 1),
    "sequential": (["-l", "sequential", "--width", "4"], 1),
}


# Members lie here unless --dir says otherwise: flushes to a disk take a hundred times as long.
QUICK = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def parser_of(doc):
    """A parser with the options that all have."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--dir", default=QUICK, help="scratch folder; /dev/shm unless given")
    parser.add_argument("pgctl", type=os.path.abspath)
    return parser


class Failure(Exception):
    """pgctl did not do what it promises."""


class Folder:
    """pgctl in one folder of members."""

    def __init__(self, pgctl, path):
        self.pgctl, self.path = pgctl, path
        self.extra = ()  # options of every command

    def at(self, name):
        return os.path.join(self.path, name)

    def exists(self, name):
        return os.path.exists(self.at(name))

    def try_run(self, *words, data=b"", env=None):
        return subprocess.run([self.pgctl, *words, *self.extra], cwd=self.path, input=data, check=False,
                              capture_output=True, env=env)

    def run(self, *words, data=b"", good=(0,)):
        done = self.try_run(*words, data=data)
        if done.returncode not in good:
            raise Failure(f"pgctl {' '.join(words)} ended with {done.returncode}: "
                          + done.stdout.decode()[-600:] + done.stderr.decode()[-600:])
        return done

    def json(self, *words, good=(0,)):
        return json.loads(self.run(*words, "--json", good=good).stdout)

    def member(self):
        """Any member by which the array can be named."""
        return min(name for name in os.listdir(self.path) if name.endswith(".img"))

    def status(self):
        return self.json("status", self.member())

    def volumes(self):
        return {volume["name"]: volume["length"] for volume in self.status()["volumes"]}

    def read(self, name):
        """(bytes of a volume, ranges that are lost)."""
        target = self.at("got")
        if os.path.exists(target):
            os.unlink(target)
        report = self.json("get", self.member(), name, "-o", target, "--force", good=(0, 4))
        with open(target, "rb") as file:
            return file.read(), [(loss["offset"], loss["offset"] + loss["length"])
                                 for loss in report.get("lost", [])]

    def expect(self, name, wanted, when=""):
        found, lost = self.read(name)
        if lost or found != wanted:
            raise Failure(f"{when}volume {name}: " + difference(found, wanted, lost))

    def commit(self):
        """Any command that writes: it recovers first, and reaches every member."""
        self.run("volume", "create", self.member(), "tick")
        self.run("volume", "remove", self.member(), "tick", "--yes")

    def heal(self):
        """
        Do what status says until nothing is wrong. A failed member is good again here: its fault is
        over. Returns how often the same advice had been of no use and another commit was.
        """
        useless, tried = 0, []
        for _ in range(12):
            problems = [problem for problem in self.status()["problems"]
                        if problem["code"] != "unused-member"]  # so it was made
            if not problems:
                return useless
            # A job first: until it has ended its members cannot go.
            first = min(problems, key=lambda problem: problem["code"] != "job-unfinished")
            advice = re.search(r"pgctl (job cancel|online|rebuild|replace|remove|scrub) .*", first["try"])
            number = re.search(r"member (\d+)", first["text"])
            if first["code"] == "member-failed" and self.path_of(int(number[1])):
                self.run("online", self.member(), number[1])
            elif not advice or first["text"] in tried:
                useless += advice is not None
                self.commit()
            else:
                self.run(*shlex.split(advice[0])[1:], "--yes", good=(0, 1, 64))
            tried.append(first["text"])
        raise Failure(f"what status says does not help: {problems}")

    def path_of(self, slot):
        """Where the member of this number is, None when it is missing."""
        paths = [member["path"] for member in self.status()["members"] if member["slot"] == slot]
        return paths[0] if paths else None


def difference(found, wanted, lost):
    """Where two volumes part, in words."""
    if len(found) != len(wanted):
        return f"{len(found)} bytes, not {len(wanted)}"
    first = next((at for at in range(0, len(found), SECTOR)
                  if found[at:at + SECTOR] != wanted[at:at + SECTOR]), None)
    count = sum(found[at:at + SECTOR] != wanted[at:at + SECTOR]
                for at in range(0, len(found), SECTOR))
    return f"{count} sectors differ, the first at {first}; lost {lost}"


def judge(found, old, new, size, lost=(), starts=(0,)):
    """
    Every piece of `size` bytes is old or new; inside `lost` it may be anything. Blocks are counted from
    `starts`: what was appended begins a block of its own.
    """
    if len(found) != len(old):
        raise Failure(f"the volume has {len(found)} bytes, not {len(old)}")
    for first, end in zip(starts, (*starts[1:], len(old))):
        for at in range(first, end, size):
            to = min(at + size, end)
            if found[at:to] in (old[at:to], new[at:to]):
                continue
            if not any(gone < to and at < gone_end for gone, gone_end in lost):
                raise Failure(f"offset {at} is neither old nor new"
                              + ("" if any(found[at:to]) else ", it is zero"))


def spliced(old, offset, fresh):
    return old[:offset] + fresh + old[offset + len(fresh):]

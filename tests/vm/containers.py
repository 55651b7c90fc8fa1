#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of Intel Matrix and DDF that mdadm makes, held against what pgctl reads of them.

Aim: every volume of a container has the bytes that the kernel reads of it, also while disks are missing or have failed,
and no disk is changed.
Method: mdadm and a kernel in a VM (vm.sh) make containers on small images, several volumes in each, and write to them at
random; pgctl then inspects, maps, gets and extracts each volume by its name, with all disks and without each of them.

    containers.py [WORD…]   only containers whose name contains one of the words; PGCTL names the program
"""
import hashlib
import itertools
import os
import subprocess
import sys
import tempfile

from md import PGCTL, boot, pgctl, write

BATCH = 8  # containers a boot
BLOCK = 4096  # of pgctl
SIZES = {"imsm": 16 << 20, "ddf": 40 << 20}  # of disks: mdadm keeps 5 MB of them, and 32
LOSSES = {"0": 0, "1": 1, "4": 1, "5": 1, "6": 2, "10": 1}  # that a level bears, whichever they are
LOGS = {None: [], "ppl": ["--consistency-policy=ppl"], "bitmap": ["--bitmap=internal"]}


class Volume:
    """One volume: what mdadm is asked for, and what the kernel said of it."""

    def __init__(self, level, layout, count, chunk=16, size=2048, on=(), log=None):
        """`chunk` and `size` in KB; no size: all that is left of each disk. `on`: numbers of disks, by slot."""
        self.options = [f"--level={level}", f"--raid-devices={count}", *LOGS[log]]
        self.options += [f"--layout={layout}"] if layout else []
        self.options += [f"--chunk={chunk}"] if level != "1" else []
        self.options += [f"--size={size}"] if size else []
        self.options += [f"loop{disk}" for disk in on]
        self.word = "-".join(word for word in ("raid" + level, layout, log) if word)
        self.losses = 2 if layout == "n3" else LOSSES[level]
        self.name, self.bytes, self.sha256, self.degraded = None, 0, None, 0


class Container:
    """One container: what mdadm is asked for, and what was found."""

    def __init__(self, metadata, count, *volumes, fails=None, cut=False):
        self.metadata, self.volumes, self.fails, self.cut = metadata, volumes, fails, cut
        self.disks = [f"loop{disk}.img" for disk in range(count)]
        self.failed = None if fails is None else self.disks[fails]
        for number, volume in enumerate(volumes):
            volume.name = f"v{number}"
        words = ["box", metadata, f"n{count}", *(volume.word for volume in volumes), "" if fails is None else f"fails{fails}", "cut" if cut else ""]
        self.name = "_".join(word for word in words if word)
        self.members = []  # disks that know of volumes
        self.wrong, self.read = [], 0

    def make(self, folder):
        self.folder = os.path.join(folder, self.name)
        os.mkdir(self.folder)
        for disk in self.disks:
            with open(self.path(disk), "wb") as file:
                file.truncate(SIZES[self.metadata])
        self.say("format", self.metadata)
        self.say("disks", " ".join(self.disks))
        self.say("volumes", "".join(" ".join([volume.name, *volume.options]) + "\n" for volume in self.volumes))
        if self.fails is not None:
            self.say("fails", f"loop{self.fails}")
        if self.cut:
            self.say("cut", "")

    def path(self, name):
        return os.path.join(self.folder, name)

    def say(self, name, text):
        write(self.path(name), text.encode())

    def hold(self, what, found, expected):
        if found != expected:
            self.wrong.append(f"{what} {found}, not {expected}")

    def sums(self):
        return [digest(self.path(disk)) for disk in self.disks]

    def judge(self, results):
        for volume in self.volumes:
            said = results[f"{self.name}/{volume.name}"]
            if said["state"] == "refused":
                self.wrong.append(f"mdadm refused {volume.name}")
                return
            volume.bytes, volume.sha256 = int(said["bytes"]), said["sha256"]
            volume.degraded = int(said["degraded"].replace("none", "0"))
        before = self.sums()
        os.mkdir(self.path("lost"))  # where nobody looks for members
        for disk in self.disks:
            os.chmod(self.path(disk), 0o444)
        self.judge_whole()
        for count in range(1, 1 + max(1, *(volume.losses for volume in self.volumes))):
            for lost in itertools.combinations(self.disks, count):
                self.move(lost, "", "lost/")
                self.judge_reading(lost)
                self.move(lost, "lost/", "")
        self.hold("sums of the disks", self.sums(), before)

    def move(self, names, old, new):
        for name in names:
            os.rename(self.path(old + name), self.path(new + name))

    def ask(self, key, *words):
        """What a command says of the array's `key`; none where it failed."""
        try:
            return pgctl(*words, folder=self.folder)[key]
        except RuntimeError as error:
            self.wrong.append(str(error))
            return []

    def judge_whole(self):
        for path in self.ask("paths", "inspect", *self.disks):
            if path["found"][0]["details"]["volumes"]:
                self.members.append(path["path"])
            self.hold("faults of " + path["path"], path["found"][0]["details"]["faults"], [])
        volumes = self.ask("volumes", "status", self.members[0])
        self.hold("volumes", [(volume["name"], volume["length"], volume["health"]) for volume in volumes],
                  [(volume.name, volume.bytes, "degraded" if volume.degraded else "healthy") for volume in self.volumes])
        self.judge_reading(())
        for volume in self.volumes:
            if self.judge_extract(volume):
                if not (self.cut and self.failed):  # a place in a disk that is being rebuilt has no content yet
                    self.judge_map(volume)
                os.remove(self.path("out"))

    def judge_reading(self, lost):
        """What is lost beyond what a level bears may be refused, and never be other bytes."""
        for volume in self.volumes:
            at = next(disk for disk in self.members if disk not in lost)
            with subprocess.Popen([PGCTL, "get", "-q", at, volume.name, "-o", "-"], cwd=self.folder,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                sha256 = hashlib.sha256(process.stdout.read()).hexdigest()
            if process.returncode == 0 or len(lost) + volume.degraded <= volume.losses:
                self.hold(f"{volume.name} without {', '.join(lost) or 'loss'}", (process.returncode, sha256),
                          (0, volume.sha256))
                self.read += 1

    def judge_extract(self, volume):
        """Its content is left in "out"."""
        done = subprocess.run([PGCTL, "extract", "-q", self.members[0], volume.name, "-o", "out"], cwd=self.folder,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self.hold(f"extract {volume.name}", (done.returncode, done.returncode == 0 and digest(self.path("out"))),
                  (0, volume.sha256))
        return done.returncode == 0

    def judge_map(self, volume):
        """Blocks are where it says, of each row that is asked for; copies are copies."""
        with open(self.path("out"), "rb") as out:
            for at in (0, volume.bytes // 3, volume.bytes // 2, volume.bytes - 1):
                blocks = self.ask("blocks", "map", self.members[0], f"{volume.name}:{at}")
                data = [block for block in blocks if block["volume"]]
                self.hold(f"{volume.name} at {at} on a disk", any(0 <= at - block["offset"] < BLOCK for block in data), True)
                for block in blocks:
                    if block["path"] and block["path"] != self.failed and block["role"] != "parity":
                        out.seek((block if block["volume"] else data[0])["offset"])
                        self.hold(f"{volume.name}, {block}", self.block(block) == out.read(BLOCK), True)

    def block(self, block):
        with open(self.path(block["path"]), "rb") as file:
            file.seek(block["lba"])
            return file.read(BLOCK)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def containers():
    yield Container("imsm", 3, Volume("5", "", 3))
    yield Container("imsm", 3, Volume("5", "", 3, 64), Volume("5", "", 3, size=None))
    yield Container("imsm", 2, Volume("1", "", 2), Volume("0", "", 2, 32, None))
    yield Container("imsm", 4, Volume("10", "", 4), Volume("5", "", 4, 128, None))
    yield Container("imsm", 3, Volume("1", "", 2), Volume("5", "", 3, size=None))
    yield Container("imsm", 4, Volume("1", "", 2, on=(3, 1)), Volume("0", "", 2, on=(3, 1)))
    yield Container("imsm", 3, Volume("5", "", 3, log="ppl"),
                    Volume("5", "", 3, log="bitmap"))
    yield Container("imsm", 3, Volume("5", "", 3), Volume("5", "", 3, 64), fails=1)
    yield Container("imsm", 4, Volume("5", "", 3), Volume("5", "", 3, 64), fails=1)
    yield Container("imsm", 4, Volume("5", "", 3), Volume("5", "", 3, 64), fails=2, cut=True)
    yield Container("imsm", 3, Volume("5", "", 3), Volume("5", "", 3, 64), cut=True)
    yield Container("ddf", 4, Volume("10", "", 4))
    yield Container("ddf", 5, Volume("6", "", 5, 32), Volume("0", "", 5, 64), Volume("10", "", 4, 64))
    yield Container("ddf", 4, Volume("5", "la", 4), Volume("1", "", 3), Volume("1", "", 2, on=(2, 0)))
    yield Container("ddf", 3, Volume("10", "n2", 3), Volume("4", "", 3, 32))
    yield Container("ddf", 3, Volume("10", "f2", 3), Volume("5", "ra", 3, 64))
    yield Container("ddf", 4, Volume("10", "f2", 4), Volume("5", "ls", 4, 64, None))
    yield Container("ddf", 6, Volume("10", "n3", 6), Volume("6", "ddf-zero-restart", 6),
                    Volume("6", "ddf-N-restart", 5))
    yield Container("ddf", 4, Volume("5", "", 4), Volume("1", "", 2, on=(1, 2)), fails=1)
    yield Container("ddf", 5, Volume("5", "", 4), Volume("1", "", 2), fails=1)
    yield Container("ddf", 5, Volume("5", "", 4), Volume("1", "", 2), fails=2, cut=True)
    yield Container("ddf", 4, Volume("6", "", 4), Volume("1", "", 3), cut=True)


def main():
    chosen = [container for container in containers()
              if not sys.argv[1:] or any(word in container.name for word in sys.argv[1:])]
    print(f"{'container':60} {'read':>4}")
    for first in range(0, len(chosen), BATCH):
        with tempfile.TemporaryDirectory(prefix="pgctl-box-") as folder:
            batch = chosen[first:first + BATCH]
            for container in batch:
                container.make(folder)
            results = boot(folder, "containers.sh")
            for container in batch:
                container.judge(results)
                print(f"{container.name:60} {container.read:4} {'; '.join(container.wrong) or 'ok'}", flush=True)
    failed = sum(1 for container in chosen if container.wrong)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

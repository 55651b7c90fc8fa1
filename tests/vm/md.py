#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays of Linux MD that pgctl makes, changes and reads, held against a real kernel.

Aim: what pgctl makes and repairs is an array that the kernel takes as clean, whose parity and copies agree, and both
read the same content from it. What pgctl has adopted the kernel leaves alone, and what it gives back it takes as clean.
What a session of pgctl leaves that was killed the kernel resynchronises; what was dirty and is repaired it does not.
Method: create arrays of all levels, superblock formats and orders on small images; a kernel in a VM (vm.sh) assembles
them, writes random content, and compares parity by its own check; then pgctl reads that content back.

    md.py [WORD…]       only arrays whose name contains one of the words; PGCTL names the program
"""
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PGCTL = os.path.abspath(os.environ.get("PGCTL", "pgctl"))
FORMATS = ("0.90", "1.0", "1.1", "1.2")
ROTATIONS = ("left-symmetric", "left-asymmetric", "right-symmetric", "right-asymmetric")
BATCH = 12  # arrays a boot
BAD_ROWS = 9
SEED = int(os.environ.get("SEED", "1"))


class Array:
    """One array: what is asked of create, and what was found."""

    def __init__(self, level, metadata, count=4, order=None, chunk="16K", sizes=None, missing=(),
                 spares=0, bitmap=False, ppl=False, dirty=False, change=None, at=0):
        self.level, self.metadata, self.order, self.chunk = level, metadata, order, chunk
        self.count, self.missing, self.spares, self.bitmap = count, missing, spares, bitmap
        self.sizes, self.change = sizes or ["8M" if ppl else "3M"] * count, change
        self.ppl = ppl  # made by the kernel: pgctl keeps such a log, and makes none
        self.dirty = dirty  # power is cut while the kernel has it in use
        self.at = at  # the write or flush at which a session of pgctl is killed
        words = ["raid" + level if level != "linear" else level, metadata, f"n{count}", order or "",
                 "zones" if sizes else "", "".join(f"-{slot}" for slot in missing),
                 f"x{spares}" if spares else "", "bitmap" if bitmap else "", "ppl" if ppl else "",
                 "dirty" if dirty else "", change or "", str(at) if at else ""]
        self.name = "_".join(word for word in words if word)
        self.wrong, self.kernel, self.content = [], {}, None
        self.state = "active" if dirty else "clean"  # that superblocks are to have now
        self.did = "idle"  # what the kernel is to do by itself when it has assembled it
        self.mismatch = 0  # sectors that its check is to find then
        self.refused = False  # the kernel is to leave it alone

    def make(self, folder):
        self.folder = os.path.join(folder, self.name)
        os.mkdir(self.folder)
        members = [f"m{slot}.img" for slot in range(self.count)]
        spares = [f"s{number}.img" for number in range(self.spares)]
        for slot, size in enumerate(self.sizes):
            if slot not in self.missing:
                run("truncate", "-s", size, members[slot], folder=self.folder)
        words = ["missing" if slot in self.missing else name for slot, name in enumerate(members)]
        self.files = [name for name in words if name != "missing"] + spares
        if self.ppl:
            self.let_kernel_create()
        else:
            self.create(words, spares)
        self.content = random.Random(f"{SEED} {self.name}").randbytes(self.bytes)
        write(os.path.join(self.folder, "content"), self.content)
        if self.dirty:
            write(os.path.join(self.folder, "cut"), b"")
        self.name_members()
        if self.spares and self.missing:
            write(os.path.join(self.folder, "recovers"), str(self.left()).encode())

    def create(self, words, spares):
        options = ["--level", self.level, "--size", "3M"]
        options += ["--order", self.order] if self.order else []
        options += ["--chunk", self.chunk] if self.level not in ("1", "linear") else []
        options += ["--bitmap"] if self.bitmap else []
        options += [word for spare in spares for word in ("--spare", spare)]
        document = pgctl("create", "box", "--format", "md-" + self.metadata, *options, *words,
                         folder=self.folder)
        self.bytes = document["capacity"]["usable"]

    def let_kernel_create(self):
        size = 3 << 20
        self.bytes = size * (self.count - 1)
        options = [f"--level={self.level}", f"--metadata={self.metadata}", f"--chunk={self.chunk}",
                   f"--raid-devices={self.count}", f"--size={size >> 10}", "--consistency-policy=ppl",
                   "--name=box", "--homehost=any", "--assume-clean"]
        write(os.path.join(self.folder, "create"), " ".join(options).encode())

    def name_members(self):
        write(os.path.join(self.folder, "members"), " ".join(self.files).encode())

    def damage(self, name, blocks):
        """Other bytes in some blocks of a member's data."""
        draw = random.Random(f"{SEED} {self.name} {name}")
        with open(os.path.join(self.folder, name), "r+b") as file:
            for number in draw.sample(range(260, 700), blocks):
                file.seek(number * 4096)
                file.write(draw.randbytes(4096))

    def members_details(self):
        document = pgctl("inspect", *self.files, folder=self.folder)
        return [path["found"][0]["details"] for path in document["paths"]]

    def check_slots(self, row):
        """Where a row of chunks has its parities, or its second copies; of orders that turn left."""
        first = self.count - 1 - row % self.count
        return {"1": [1], "10": [1], "4": [self.count - 1], "5": [first],
                "6": [first, (first + 1) % self.count]}[self.level]

    def damage_checks(self):
        """Parities and second copies that do not fit the data, as a power cut leaves them."""
        draw = random.Random(f"{SEED} {self.name} checks")
        members = self.members_details()
        blocks = members[0]["component_sectors"] // 8
        for number in draw.sample(range(blocks), BAD_ROWS):
            for slot in self.check_slots(number * 4 // int(self.chunk.removesuffix("K"))):
                with open(os.path.join(self.folder, self.files[slot]), "r+b") as file:
                    file.seek(members[slot]["data_offset_sectors"] * 512 + number * 4096)
                    file.write(draw.randbytes(4096))

    def pgctl(self, expected, *words):
        done = subprocess.run([PGCTL, *words], cwd=self.folder, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != expected:
            self.wrong.append(f"{words[0]} ended with {done.returncode}: {done.stdout.strip()[-200:]}")

    def lose(self, name):
        """Where nobody looks for members."""
        os.mkdir(os.path.join(self.folder, "lost"))
        path = os.path.join(self.folder, "lost", name)
        os.rename(os.path.join(self.folder, name), path)
        return path

    def repair(self):
        """Bad blocks on two members, which the second parity or a majority of copies locates."""
        self.damage(self.files[1], 9)
        self.pgctl(1, "scrub", self.files[0], "--repair")

    def rebuild(self):
        """A member is lost, and made anew in a file, or on the spare."""
        self.lose(self.files[1])
        if self.spares:
            self.files[1] = self.files.pop()
            self.pgctl(0, "rebuild", self.files[0])
        else:
            self.files[1] = "new.img"
            self.pgctl(0, "rebuild", self.files[0], "--to", "new.img")

    def rejoin(self):
        """Blocks are repaired while a member is away: it is stale from then on, and rebuilt where it is."""
        away = self.lose(self.files[3])
        self.damage(self.files[1], 3)
        self.pgctl(65, "scrub", self.files[0], "--repair")
        os.rename(away, os.path.join(self.folder, self.files[3]))
        self.pgctl(0, "rebuild", self.files[0], "3")

    def settle(self):
        """Nothing tells which checks are wrong: the operator says that data are right. Clean in the end."""
        self.damage_checks()
        self.state = "clean"
        self.pgctl(1, "scrub", self.files[0], "--repair", "--accept", "data")

    def confirm(self):
        """Nothing is wrong: that was looked at, and is clean from then on."""
        self.pgctl(0, "scrub", self.files[0], "--repair")
        self.state = "clean"

    def leave(self):
        """Of two copies none is data: they stay different, and the array dirty."""
        self.damage_checks()
        self.pgctl(4, "scrub", self.files[0], "--repair", "--accept", "data")
        self.state, self.did = "clean", "resync"

    def cut_off(self):
        """
        That is killed, in place of a write or flush. In order: write logs, flush members; write and flush each
        superblock; write bad rows, flush members; write and flush each superblock.
        """
        self.damage_checks()
        self.pgctl(-signal.SIGKILL, "scrub", self.files[0], "--repair", "--accept", "data",
                   "--fault", f"crash,at={self.at}")
        if self.at <= 2 * self.count + 1:
            self.mismatch = BAD_ROWS * 8
        elif self.at <= 4 * self.count + BAD_ROWS:
            self.did = "resync"

    def cut_rebuild(self):
        """A rebuild that is killed: the others are the array, and nothing of the new member counts."""
        self.lose(self.files[1])
        self.pgctl(-signal.SIGKILL, "rebuild", self.files[0], "--to", "new.img",
                   "--fault", f"crash,at={self.at}")
        self.missing = (1,)
        del self.files[1]
        self.did = "resync"

    def adopt(self):
        """One of ours from now on: Linux leaves it alone."""
        self.pgctl(0, "adopt", self.files[0])
        self.refused = True

    def give_back(self):
        """Adopted, used, and given back."""
        self.pgctl(0, "adopt", self.files[0])
        self.pgctl(0, "scrub", self.files[0])
        self.pgctl(0, "adopt", "--undo", self.files[1])

    def left(self):
        """Slots that are empty when the kernel has made use of all spares."""
        return max(len(self.missing) - self.spares, 0)

    def hold(self, what, found, expected):
        if found != expected:
            self.wrong.append(f"{what} {found}, not {expected}")

    def policy(self):
        return "ppl" if self.ppl else "bitmap" if self.bitmap else "resync"

    def judge_kernel(self, result):
        redundant = self.level not in ("linear", "0")
        self.kernel = result
        self.hold("array_state", result["state"], "clean")
        self.hold("bytes", result["bytes"], str(self.bytes))
        self.hold("content", result["sha256"], hashlib.sha256(self.content).hexdigest())
        if redundant:
            if not (self.missing and self.spares):
                self.hold("degraded", result["degraded"], str(len(self.missing)))
                self.hold("it did", result["did"], self.did)
            self.hold("consistency_policy", result["policy"], self.policy())
            self.hold("mismatch_cnt", result["mismatch"], str(self.mismatch))
            self.hold("degraded in the end", result["after"], str(self.left()))

    def judge_inspect(self):
        document = pgctl("inspect", *self.files, folder=self.folder)
        array, = document["arrays"]
        self.hold("health", array["health"], "degraded" if self.kernel["after"] not in ("0", "none") else "healthy")
        for path in document["paths"]:
            details = path["found"][0]["details"]
            self.hold("faults of " + path["path"], details["faults"], [])
            self.hold("state of " + path["path"], details["array_state"], self.state)
            if "ppl" in (details["consistency_policy"], self.policy()):
                self.hold("policy of " + path["path"], details["consistency_policy"], self.policy())

    def judge_content(self):
        volume = "data" if self.metadata == "0.90" else "box"
        done = subprocess.run([PGCTL, "get", self.files[0], volume, "-o", "-"], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        self.hold("pgctl get", (done.returncode, hashlib.sha256(done.stdout).hexdigest()),
                  (0, hashlib.sha256(self.content).hexdigest()))


def run(*command, folder):
    subprocess.run(command, cwd=folder, check=True)


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def pgctl(*words, folder):
    done = subprocess.run([PGCTL, *words, "--json"], cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    document = json.loads(done.stdout)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {document['error']['message']}")
    return document


def arrays():
    for metadata in FORMATS:
        for level in ("linear", "0", "1", "4", "6", "10"):
            yield Array(level, metadata)
        for order in ROTATIONS:
            yield Array("5", metadata, order=order)
    for order in ROTATIONS[1:] + ("parity-first", "parity-last", "ddf-zero-restart", "ddf-N-restart",
                                  "ddf-N-continue", *(order + "-6" for order in ROTATIONS),
                                  "parity-first-6"):
        yield Array("6", "1.2", count=5, order=order, chunk="4K")
    for order in ("parity-first", "parity-last"):
        yield Array("5", "1.0", count=3, order=order)
    for order, count in (("n2", 5), ("n3", 4), ("f2", 4), ("f2", 5), ("o2", 4), ("o2", 5), ("f3", 4),
                         ("near=2,far=2", 4)):
        yield Array("10", "1.2", count=count, order=order, chunk="8K")
    yield Array("5", "1.2", count=2)
    yield Array("1", "1.2", count=2)
    for order in ("original", "alternate"):
        yield Array("0", "1.2", order=order, sizes=["3M", "4M", "4M", "6M"])
    yield Array("linear", "1.0", sizes=["3M", "5M", "4M", "6M"])
    for level, missing in (("1", (0,)), ("4", (3,)), ("5", (1,)), ("6", (0, 2)), ("10", (1, 2))):
        for metadata in ("0.90", "1.2"):
            yield Array(level, metadata, missing=missing)
    yield Array("5", "0.90", missing=(2,), spares=1)
    yield Array("6", "1.2", missing=(0, 3), spares=1)
    yield Array("1", "1.0", spares=2)
    for metadata in FORMATS:
        yield Array("6", metadata, count=5, change="repair", bitmap=metadata != "1.1")
        for level in ("1", "4", "5", "6", "10"):
            yield Array(level, metadata, change="rebuild", bitmap=metadata in ("1.1", "1.2"))
        yield Array("5", metadata, change="rebuild", spares=1)
        yield Array("1", metadata, change="rejoin", bitmap=metadata != "1.1")
    for order in ROTATIONS[1:] + ("ddf-N-continue", "left-symmetric-6"):
        yield Array("6", "1.2", count=5, order=order, change="repair")
    for order in ("f2", "o2"):
        yield Array("10", "1.2", count=5, order=order, change="rebuild")
    yield Array("1", "1.2", count=3, change="repair")
    for metadata in FORMATS:
        for level in ("1", "5", "6", "10"):
            yield Array(level, metadata, bitmap=True)
    for metadata in ("1.1", "1.2"):
        for level in ("linear", "0", "1", "4", "5", "6", "10"):
            yield Array(level, metadata, change="give_back", bitmap=level in ("1", "6"))
    for level, metadata in (("0", "1.2"), ("1", "1.1"), ("5", "1.2"), ("6", "1.1"), ("10", "1.2")):
        yield Array(level, metadata, change="adopt")
    for metadata in FORMATS[1:]:
        yield Array("5", metadata, ppl=True, change="settle")
        yield Array("5", metadata, ppl=True, change="cut_off", at=21)
    # Half of the logs empty, half of the superblocks dirty, all of them, half of them clean again.
    for at in (3, 13, 17, 33):
        yield Array("5", "1.2", ppl=True, change="cut_off", at=at)
    yield Array("5", "1.2", ppl=True, change="cut_rebuild", at=20)
    yield Array("5", "1.2", ppl=True, change="rebuild")
    for metadata in FORMATS:
        bitmap = metadata in ("1.1", "1.2")
        for level in ("1", "4", "5", "6"):
            yield Array(level, metadata, change="settle", dirty=True, bitmap=bitmap)
        yield Array("10", metadata, change="confirm", dirty=True, bitmap=bitmap)
        yield Array("10", metadata, change="leave", dirty=True, bitmap=bitmap)


def boot(folder, script="assemble.sh"):
    """Let the kernel assemble, or make, all that is in a folder; what it said of each."""
    done = subprocess.run([os.path.join(HERE, "vm.sh"), "-t", "900",
                           os.path.join(HERE, script), folder],
                          stdout=subprocess.PIPE, text=True, check=False)
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            _, name, *facts = line.split()
            results[name] = dict(fact.split("=", 1) for fact in facts)
    if done.returncode:
        sys.exit(f"the VM ended with {done.returncode}\n{done.stdout}")
    return results


def judge(array, result):
    if array.refused:
        array.kernel = result
        array.hold("array_state", result["state"], "refused")
        array.judge_content()
        return
    array.judge_kernel(result)
    array.judge_inspect()
    array.judge_content()


def batch(chosen):
    """One boot for some arrays, and their rows of the table."""
    with tempfile.TemporaryDirectory(prefix="pgctl-md-") as folder:
        for array in chosen:
            array.make(folder)
        results = boot(folder)
        for array in chosen:
            judge(array, results[array.name])
        changed = [array for array in chosen if array.change and not array.wrong]
        for array in chosen:
            if array in changed:
                getattr(array, array.change)()
                array.name_members()
            else:
                os.remove(os.path.join(array.folder, "members"))
        results = boot(folder) if changed else {}
        for array in changed:
            judge(array, results[array.name])
        for array in chosen:
            said = array.kernel
            print(f"{array.name:40} {said['state']:8} {said['degraded']:>4} {said['mismatch']:>4}"
                  f" {said['sha256'][:12]} {'; '.join(array.wrong) or 'ok'}", flush=True)


def main():
    chosen = [array for array in arrays()
              if not sys.argv[1:] or any(word in array.name for word in sys.argv[1:])]
    print(f"{'array':40} {'kernel':8} {'lost':>4} {'diff':>4} sha256")
    for first in range(0, len(chosen), BATCH):
        batch(chosen[first:first + BATCH])
    failed = sum(1 for array in chosen if array.wrong)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

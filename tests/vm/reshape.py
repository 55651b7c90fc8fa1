#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays of Linux MD that a real kernel left in the middle of a reshape, read by pgctl.

Aim: what an array held before a reshape began is read from it wherever the reshape was held, from members as a power cut
and as a shutdown leave them, also with members missing; and what only a backup file holds is not given for data.
Method: a kernel in a VM (vm.sh, reshape.sh) makes small arrays, writes random content that is known beforehand, begins a
reshape, and holds it at several places; what the members are there is saved, and pgctl reads each of these sets.

    reshape.py [WORD…]       only arrays whose name contains one of the words; PGCTL names the program
"""
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile

from md import PGCTL, SEED, boot, write

MIB = 1 << 20
SIZE = 2 * MIB  # that each member gives; of raid0, which takes all that there is, 3 MiB
IMAGE = 4 * MIB
BATCH = 14  # arrays a boot
PLACE = {"1.2": "--data-offset=1M", "1.1": "--data-offset=1M", "1.0": "", "0.90": ""}
ALL = ("at-0", "at-256", "at-1024", "frozen", "stopped")


class Case:
    """An array, how it is reshaped, and what was found in each state of its members."""

    def __init__(self, name, create, count, steps, data, after, added=0, later=None, back=False, lose=True, doubt=(),
                 ahead=0):
        level, metadata, chunk, *layout = create.split()
        self.name = f"{name}-{metadata}"
        size = "" if level == "0" else f"--size={SIZE >> 10}"
        self.create = " ".join([f"--level={level}", f"--metadata={metadata}", "" if level == "1" else f"--chunk={chunk}", size,
                                PLACE[metadata], *(f"--layout={word}" for word in layout)])
        self.count, self.added, self.steps = count, added, steps
        self.bytes = int(data * SIZE)
        self.smaller = min(int((later or data) * SIZE), self.bytes)
        self.after = after  # level, name of the layout, chunk, members
        self.back = back  # from the end of the array on
        self.lose = lose  # one more member may be missing
        self.doubt = doubt  # states in which it is said that what lies behind the position may be half moved
        self.ahead = ahead  # so many bytes behind the position may differ where it was not held
        self.states, self.wrong, self.torn, self.position = [], [], 0, 0

    def make(self, folder):
        self.folder = os.path.join(folder, self.name)
        os.mkdir(self.folder)
        draw = random.Random(f"{SEED} {self.name}")
        files = [f"m{number}.img" for number in range(self.count + self.added)]
        for number, name in enumerate(files):
            # What comes in later holds anything; the others agree from the start.
            write(self.path(name), draw.randbytes(IMAGE) if number >= self.count else bytes(IMAGE))
        self.content = draw.randbytes(self.bytes)
        write(self.path("content"), self.content)
        disks = " ".join(f"${number + 1}" for number in range(self.count))
        write(self.path("members"), " ".join(files).encode())
        write(self.path("steps"), "\n".join(self.steps).encode() + b"\n")
        write(self.path("create"), f"{self.create} --raid-devices={self.count} {disks}".encode())

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def hold(self, state, what, found, expected):
        if found != expected:
            self.wrong.append(f"{state}: {what} {found}, not {expected}")

    def judge(self, state, facts):
        self.states.append(state)
        folder = self.path("." if state == "stopped" else state)
        files = sorted(name for name in os.listdir(folder) if name.startswith("m") and name.endswith(".img"))
        before = sums(folder, files)
        self.judge_inspect(folder, files, state, facts)
        self.judge_content(folder, files, state)
        if self.lose:
            for gone in files[1], files[-1]:
                os.rename(os.path.join(folder, gone), self.path("lost"))
                self.judge_content(folder, files, f"{state} without {gone}")
                os.rename(self.path("lost"), os.path.join(folder, gone))
        self.hold(state, "members are changed", sums(folder, files) != before, False)

    def judge_inspect(self, folder, files, state, facts):
        _, said, _ = pgctl(folder, "inspect", "--json", *files)
        for path in json.loads(said)["paths"]:
            if not path["found"]:
                continue
            details = path["found"][0]["details"]
            self.hold(state, "faults of " + path["path"], details["faults"], [])
            if details["role"] != "active" or details["events"] < json.loads(said)["arrays"][0]["events"] - 1:
                continue
            self.position = details["reshape_position"] * 512
            if facts["position"] != "none":
                self.hold(state, "position", str(details["reshape_position"]), facts["position"])
            self.hold(state, "direction", details["reshape_direction"], "backwards" if self.back else "forwards")
            found = (details["new_level"], details["new_layout_name"], details["new_chunk_bytes"] >> 10,
                     details["raid_disks"])
            self.hold(state, "new shape", found, self.after)
        status, said, _ = pgctl(folder, "status", "--json", files[0])
        self.hold(state, "status", status, 0)
        self.hold(state, "problem of doubt", b"reshape-in-doubt" in said, state in self.doubt)

    def judge_content(self, folder, files, state):
        present = [name for name in files if os.path.exists(os.path.join(folder, name))]
        volume = "data" if "0.90" in self.name else "box"
        status, found, said = pgctl(folder, "get", present[0], volume, "-o", "-")
        expected = self.content[:self.smaller]
        self.hold(state, "get", (status, len(found)), (0, len(expected)))
        self.hold(state, "warning", "half moved" in said, state.split()[0] in self.doubt)
        differ = [at for at in range(0, len(expected), 512) if found[at:at + 512] != expected[at:at + 512]]
        if state.split()[0] in ("frozen", "stopped") and self.ahead:
            self.torn += len(differ)
            differ = [at for at in differ if not self.position <= at < self.position + self.ahead]
        self.hold(state, "sectors that differ, and the first", (len(differ), differ[:1]), (0, []))


def sums(folder, files):
    found = []
    for name in files:
        with open(os.path.join(folder, name), "rb") as file:
            found.append(hashlib.sha256(file.read()).hexdigest())
    return found


def pgctl(folder, *words):
    done = subprocess.run([PGCTL, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def held(begin, at, end):
    return [begin, "hold " + " ".join(map(str, at)), *(["freeze max"] if "frozen" in end else []), "halt"]


def grow(*options, at, end=("stopped",)):
    """Begun by mdadm with a new data offset, and held at sectors of each member."""
    return ["echo 0 >$sys/sync_max", *held("grow " + " ".join(options), at, end)]


def in_place(*words, at, end=("stopped",)):
    """Begun as mdadm does it beside a backup file."""
    return held("begin " + " ".join(words), at, end)


def growing():
    ls = "left-symmetric"
    frozen = ("frozen", "stopped")
    for metadata in ("1.2", "1.1"):
        yield Case("raid5-3-to-4", f"5 {metadata} 16", 3,
                   ["add 4", *grow("--raid-devices=4", at=(0, 32, 512, 2048), end=frozen)], 2,
                   ("raid5", ls, 16, 4), added=1, later=3)
        yield Case("raid5-4-to-5", f"5 {metadata} 16", 4, ["add 5", *grow("--raid-devices=5", at=(96, 1024, 4000))],
                   3, ("raid5", ls, 16, 5), added=1, later=4)
    for metadata in ("1.0", "0.90"):
        yield Case("raid5-3-to-4", f"5 {metadata} 16", 3, ["add 4", *in_place("raid_disks=4", at=(0, 32, 512, 3008))],
                   2, ("raid5", ls, 16, 4), added=1, later=3, doubt=("at-0", "at-32"))
        yield Case("raid5-5-to-4", f"5 {metadata} 16", 5,
                   ["grow --array-size=6144", *in_place("raid_disks=4", at=(0, 128, 1024, 3968))], 4,
                   ("raid5", ls, 16, 4), later=3, back=True)
    yield Case("raid6-5-to-6", "6 1.2 16", 5, ["add 6", *grow("--raid-devices=6", at=(64, 2048), end=frozen)], 3,
               ("raid6", ls, 16, 6), added=1, later=4)
    yield Case("raid10-4-to-5", "10 1.2 16", 4, ["add 5", *grow("--raid-devices=5", at=(128, 1024, 3008))], 2,
               ("raid10", "near=2", 16, 5), added=1, later=2.5)


def changing():
    ls = "left-symmetric"
    frozen = ("frozen", "stopped")
    yield Case("raid5-chunk", "5 1.2 16", 4, grow("--chunk=64", at=(128, 1024, 2048), end=frozen), 3,
               ("raid5", ls, 64, 4), back=True)
    yield Case("raid5-layout", "5 1.2 16 la", 4, grow("--layout=ls", at=(128, 1024, 3968)), 3, ("raid5", ls, 16, 4),
               back=True)
    yield Case("raid6-layout", "6 1.2 16 ls", 5, grow("--layout=rs", at=(128, 1024, 3968)), 3,
               ("raid6", "right-symmetric", 16, 5), back=True)
    yield Case("raid5-to-6", "5 1.2 16", 4, ["add 5", *grow("--level=6", "--raid-devices=5", at=(128, 1024, 3968))],
               3, ("raid6", ls, 16, 5), added=1, back=True)
    yield Case("raid4-to-5", "4 1.2 16", 3, ["add 4", *grow("--level=5", "--layout=ls", "--raid-devices=4", at=(96, 1024, 3008))],
               2, ("raid5", ls, 16, 4), added=1, later=3)
    yield Case("raid0-to-5", "0 1.2 16", 2,
               ["echo raid5 >$sys/level", "add 3", "wait_degraded 0", "wait_idle", "add 4", *grow("--layout=ls", "--raid-devices=4", at=(96, 1024, 3008))],
               3, ("raid5", ls, 16, 4), added=2, later=4.5, lose=False)
    yield Case("raid0-3-to-4", "0 1.2 16", 3,
               ["echo raid4 >$sys/level", "echo frozen >$sys/sync_action", "add 4", *in_place("raid_disks=5", at=(0, 96, 1024, 3008))],
               4.5, ("raid4", None, 16, 5), added=1, later=6, lose=False, doubt=("at-0",))
    yield Case("raid1-to-5", "1 1.2 64", 2,
               ["add 3", "grow --level=5", *grow("--raid-devices=3", at=(128, 1024, 3072))], 1,
               ("raid5", ls, 64, 3), added=1, later=2)
    yield Case("raid10-chunk", "10 1.2 16", 4, grow("--chunk=64", at=(256, 1024, 3072), end=frozen), 2,
               ("raid10", "near=2", 64, 4), back=True)
    yield Case("raid5-degraded-chunk", "5 1.2 16", 4, ["lose 2", *grow("--chunk=64", at=(128, 1024, 3072))], 3,
               ("raid5", ls, 64, 4), back=True, lose=False)


def changing_in_place():
    ls = "left-symmetric"
    frozen = ("frozen", "stopped")
    torn = 2 * 768 * 512  # two of the pieces that mdadm moves, which are 256 sectors of each member
    yield Case("raid5-chunk-in-place", "5 1.0 64", 4, in_place("chunk_size=131072", at=(0, 256, 1024), end=frozen), 3,
               ("raid5", ls, 128, 4), doubt=ALL, ahead=torn)
    yield Case("raid5-layout-in-place", "5 0.90 128 la", 4, in_place("layout=2", at=(0, 256, 1024), end=frozen), 3,
               ("raid5", ls, 128, 4), doubt=ALL, ahead=torn)
    yield Case("raid5-to-6-in-place", "5 1.2 128", 4,
               ["add 5", "echo frozen >$sys/sync_action", "echo raid6 >$sys/level",
                *in_place("raid_disks=5", "layout=2", at=(0, 256, 1024), end=frozen)], 3,
               ("raid6", ls, 128, 5), added=1, doubt=ALL, ahead=torn)
    yield Case("raid6-to-5-in-place", "6 1.2 128", 5, in_place("layout=18", at=(0, 256, 1024), end=frozen), 3,
               ("raid6", "left-symmetric-6", 128, 5), doubt=ALL, ahead=torn)


def cases():
    yield from growing()
    yield from changing()
    yield from changing_in_place()


def batch(chosen):
    with tempfile.TemporaryDirectory(prefix="pgctl-md-") as folder:
        named = {case.name: case for case in chosen}
        for case in chosen:
            case.make(folder)
        for result, facts in boot(folder, "reshape.sh").items():
            name, state = result.split("/")
            named[name].judge(state, facts)
        for case in chosen:
            expected = sum(max(1, len(step.split()) - 1) for step in case.steps if step.split()[0] in STATES)
            case.hold("all", "states", len(case.states), expected)
            print(f"{case.name:30} {len(case.states):>6} {case.torn:>5} {'; '.join(case.wrong) or 'ok'}", flush=True)


STATES = ("hold", "freeze", "halt")  # steps that leave one, or one for each of their words


def main():
    chosen = [case for case in cases()
              if not sys.argv[1:] or any(word in case.name for word in sys.argv[1:])]
    print(f"{'array':30} {'states':>6} {'torn':>5}")
    for first in range(0, len(chosen), BATCH):
        batch(chosen[first:first + BATCH])
    failed = sum(1 for case in chosen if case.wrong)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgctl adopt against arrays that a real kernel made.

Aim: an adopted array reads as before, is repaired, is given back byte by byte whatever happened on the way, and becomes
an array of ours with seals; what cannot be adopted is refused and not touched.
Method: unpack NAME.tar.xz of the folder, adopt it, and compare with the checksums of NAME.json: of the content and of
every member. The program is killed at each of its writes, its power cut, or it is killed at a random time.

    adopt.py WHAT FOLDER [NAME…]      WHAT: cycle, refuse, crash, migrate; PGCTL names the program, SEED the draws
"""
import glob
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PGCTL = os.path.abspath(os.environ.get("PGCTL", "pgctl"))
SEED = int(os.environ.get("SEED", "1"))
CRASHES_MAX = 1000  # more writes than an adoption has


class Wrong(Exception):
    pass


def same(what, found, expected):
    if found != expected:
        raise Wrong(f"{what}: {found!r}, expected {expected!r}")


def sha(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Array:
    """Members of one fixture in a folder of their own."""

    def __init__(self, folder, fixtures, manifest):
        self.manifest, self.folder = manifest, os.path.join(folder, "a")
        self.pristine = os.path.join(folder, "pristine")
        os.makedirs(self.pristine)
        subprocess.run(["tar", "-xJf", os.path.join(fixtures, manifest["name"] + ".tar.xz"), "-C", self.pristine],
                       check=True)
        for top, _, names in os.walk(self.pristine):
            for name in names:
                path = os.path.join(top, name)
                os.chmod(path, 0o644)
                if top != self.pristine:
                    os.rename(path, os.path.join(self.pristine, name))
        self.files = [member["file"] for member in manifest["members"]]
        self.sums = {name: sha(os.path.join(self.pristine, name)) for name in self.files}
        self.reset()

    def reset(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        for name in self.files:
            subprocess.run(["cp", "--sparse=always", os.path.join(self.pristine, name), self.folder], check=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *words, **more):
        return subprocess.run([PGCTL, *words], cwd=self.folder, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **more)

    def json(self, expected, *words):
        done = self.run(*words, "--json")
        if done.returncode != expected:
            raise Wrong(f"{' '.join(words)}: ended with {done.returncode}, not {expected}: "
                        f"{done.stdout.decode()[-400:]}")
        return json.loads(done.stdout)

    def volume(self, name):
        return self.json(0, "status", name)["volumes"][0]["name"]

    def get_is_content(self, name=None):
        name = name or self.files[0]
        done = self.run("get", name, self.volume(name), "-o", "-")
        same("get", (done.returncode, hashlib.sha256(done.stdout).hexdigest()),
             (0, self.manifest["content"]["sha256"]))

    def is_as_before(self):
        for name in self.files:
            same(f"sha256 of {name}", sha(self.path(name)), self.sums[name])

    def lose(self, name):
        os.makedirs(self.path("lost"), exist_ok=True)
        os.rename(self.path(name), self.path(os.path.join("lost", name)))

    def find(self, name):
        os.rename(self.path(os.path.join("lost", name)), self.path(name))


def parity_block(array):
    """Member and byte of a block of parity, by the map of the adopted array; None where there is none."""
    for group in array.json(0, "map", array.files[0])["groups"]:
        for extent in group["extents"]:
            if extent["role"] == "parity":
                return extent["member"], extent["start"] // 4096 * 4096
    return None


def repair(array):
    """A byte of parity is wrong: it is found, and what repair writes is what was there."""
    place = parity_block(array)
    if not place:
        return
    paths = {member["slot"]: member["path"] for member in array.json(0, "status", array.files[0])["members"]}
    with open(array.path(paths[place[0]]), "r+b") as file:
        file.seek(place[1] + 7)
        byte = file.read(1)[0]
        file.seek(place[1] + 7)
        file.write(bytes([byte ^ 0x5a]))
    found = array.json(4, "scrub", array.files[0])
    same("mismatches", len(found["mismatches"]), 1)
    array.json(1, "scrub", array.files[0], "--repair", "--accept", "data")
    same("mismatches after the repair", array.json(0, "scrub", array.files[0])["mismatches"], [])


def forced(array):
    """A partial parity log lies where the record goes: --force gives it up, which costs a clean array nothing."""
    same("code", array.json(8, "adopt", array.files[0])["error"]["code"], "in-use")
    array.is_as_before()
    array.json(0, "adopt", array.files[0], "--force")
    array.get_is_content()
    array.json(0, "adopt", "--undo", array.files[1])
    array.get_is_content()
    same("mismatches", array.json(0, "scrub", array.files[0])["mismatches"], [])


def cycle(array):
    if "ppl" in array.manifest["name"]:
        forced(array)
        return
    same("state", array.json(0, "adopt", array.files[0])["array"]["state"], "reversible")
    array.get_is_content()
    same("mismatches", array.json(0, "scrub", array.files[0])["mismatches"], [])
    repair(array)
    degraded = array.manifest["array"]["level"] not in ("linear", "raid0")
    if degraded:
        array.lose(array.files[0])
        array.get_is_content(array.files[1])
        array.find(array.files[0])
    same("absent", array.json(0, "adopt", "--undo", array.files[-1])["absent"], [])
    array.is_as_before()
    # Members one after the other, each alone: from its record.
    array.json(0, "adopt", ".", "--name", "other name")
    for name in array.files[1:]:
        array.lose(name)
    absent = array.json(0, "adopt", "--undo", array.files[0])["absent"]
    same("absent", len(absent), len(array.files) - 1)
    for name in array.files[1:]:
        array.find(name)
    same("absent", array.json(0, "adopt", "--undo", array.files[1])["absent"], [])
    array.is_as_before()
    array.get_is_content()


def refuse(array):
    for words in (("adopt", array.files[0]), ("adopt", array.files[0], "--force"), ("adopt", ".", "--plan")):
        done = array.run(*words)
        if done.returncode == 0:
            raise Wrong(f"{' '.join(words)} was not refused")
        if b"try: " not in done.stderr or done.returncode >= 64:
            raise Wrong(f"{' '.join(words)}: {done.returncode}, {done.stderr.decode()}")
    array.is_as_before()


def other_commands(array):
    """After a crash every other command opens the array as it was, or as adopted, or names the way on."""
    for name in (array.files[0], "."):
        done = array.run("status", name)
        if done.returncode and b"adopt" not in done.stderr:
            raise Wrong(f"status: {done.returncode}, {done.stderr.decode()}")
        # What is being given back has a status, and is not read.
        if done.returncode == 0 and b"being given back" not in done.stdout:
            array.get_is_content(name)


def undo(array, at):
    """Whatever there is, afterwards it is as it was."""
    before = all(sha(array.path(name)) == array.sums[name] for name in array.files)
    done = array.run("adopt", "--undo", array.files[at % len(array.files)])
    if done.returncode and not before:
        raise Wrong(f"crash {at}: undo: {done.returncode}, {done.stderr.decode()}")
    array.is_as_before()


def crash_adopt(array, kind):
    """Dead at the N-th write of adopt: undone, or adopted anew and then undone."""
    for at in range(1, CRASHES_MAX):
        array.reset()
        done = array.run("adopt", array.files[at % len(array.files)], "--fault", f"{kind},at={at},seed={SEED + at}")
        if done.returncode == 0:
            return at - 1
        other_commands(array)
        if at % 2:
            done = array.run("adopt", ".")
            if done.returncode and b"adopted already" not in done.stderr:
                raise Wrong(f"crash {at}: adopt again: {done.returncode}, {done.stderr.decode()}")
            array.get_is_content()
        undo(array, at)
    raise Wrong("it never ended")


def adopted_anew(array):
    """The same adopted array again and again, with the number of the write to die at."""
    array.reset()
    array.json(0, "adopt", ".")
    adopted = array.folder + ".adopted"
    shutil.rmtree(adopted, ignore_errors=True)
    shutil.copytree(array.folder, adopted)
    for at in range(1, CRASHES_MAX):
        shutil.rmtree(array.folder)
        shutil.copytree(adopted, array.folder)
        yield at
    raise Wrong("it never ended")


def crash_undo(array, kind):
    """Dead twice: the second time somewhere before the first is made good."""
    for at in adopted_anew(array):
        done = array.run("adopt", "--undo", array.files[0], "--fault", f"{kind},at={at},seed={SEED + at}")
        if done.returncode == 0:
            return at - 1
        other_commands(array)
        array.run("adopt", "--undo", ".", "--fault", f"crash,at={(SEED + 5 * at) % 24 + 1}")
        other_commands(array)
        undo(array, at)


def crash_commit(array, kind):
    """It is ours for good, or can still be given back; the same command makes it so."""
    for at in adopted_anew(array):
        done = array.run("adopt", "--commit", ".", "--yes", "--fault", f"{kind},at={at},seed={SEED + at}")
        array.get_is_content()
        state = array.json(0, "status", ".")["array"]["adoption"]
        if at % 2 and state == "reversible":
            undo(array, at)
            continue
        array.json(0, "adopt", "--commit", array.files[-1], "--yes")
        same("undo of what is committed", array.run("adopt", "--undo", ".").returncode, 8)
        found = array.json(0, "inspect", array.files[0])["found"]
        same("inspect", [row["type"] for row in found], ["pgctl", "md"])
        if done.returncode == 0:
            return at - 1


def crash(array):
    for kind in ("crash", "power-cut"):
        print(f"  {array.manifest['name']}: {kind} at {crash_adopt(array, kind)} writes of adopt,"
              f" {crash_undo(array, kind)} of undo, {crash_commit(array, kind)} of commit")
    for kind in ("write-error", "flush-error"):
        print(f"  {array.manifest['name']}: {kind} at {crash_adopt(array, kind)} operations of adopt,"
              f" {crash_undo(array, kind)} of undo")


def killed(array, draw, *words):
    """Run to the end, killed after a while again and again. Returns how often it was."""
    kills, patience = 0, 0.03
    while True:
        work = subprocess.Popen([PGCTL, *words], cwd=array.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            output = work.communicate(timeout=draw.uniform(0.01, patience))[0]
            if b"is in use by" in output:
                continue  # the kernel has not let go of what the one before held
            if work.returncode not in (0, 1):
                raise Wrong(f"{' '.join(words)}: ended with {work.returncode}: {output.decode()[-400:]}")
            return kills
        except subprocess.TimeoutExpired:
            work.send_signal(signal.SIGKILL)
            work.wait()
            kills += 1
            patience *= 1.3
            if "--resume" not in words and kills % 2:
                document = array.json(0, "status", array.files[0])
                if any(job["kind"] == "migrate" and job["state"] != "done" for job in document["jobs"]):
                    words = (*words, "--resume")


def migrate(array):
    draw = random.Random(f"{SEED} {array.manifest['name']}")
    array.json(0, "adopt", array.files[0])
    array.json(0, "adopt", "--commit", array.files[0], "--yes")
    layout = draw.choice((["parity"], ["parity", "--parity", "2"], ["mirror"]))
    size = max(member["bytes"] for member in array.manifest["members"])
    fresh = ["fresh0.img", "fresh1.img", "fresh2.img"]  # two checks need three members with room
    array.json(0, "add", array.files[0], *fresh, "--size", str(4 * size))
    volume = array.volume(array.files[0])
    began = time.monotonic()
    kills = killed(array, draw, "migrate", array.files[0], volume, "--layout", *layout)
    print(f"  {array.manifest['name']}: to {' '.join(layout)}, killed {kills} times in"
          f" {time.monotonic() - began:.1f} s")
    array.get_is_content()
    same("mismatches", array.json(0, "scrub", array.files[0])["mismatches"], [])
    groups = array.json(0, "map", array.files[0])["groups"]
    same("every extent has a seal", all(extent["seal_start"] is not None for group in groups for extent in
                                        group["extents"]), True)
    array.lose(array.files[1])
    array.get_is_content()


def is_complete(manifest):
    array, members = manifest["array"], manifest["members"]
    return (array["metadata"] in ("1.1", "1.2") and not array["degraded"] and
            len(members) == array["raid_disks"] and array["reshape_position"] == "none" and
            all(member.get("examine_state") == "clean" for member in members))


def chosen(what, folder, names):
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            manifest = json.load(file)
        if manifest["kind"] != "md" or (names and manifest["name"] not in names):
            continue
        if names or is_complete(manifest) != (what == "refuse"):
            yield manifest


def main():
    works = {"cycle": cycle, "refuse": refuse, "crash": crash, "migrate": migrate}
    what, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    passed = failed = 0
    for manifest in chosen(what, folder, names):
        with tempfile.TemporaryDirectory() as place:
            try:
                works[what](Array(place, folder, manifest))
                passed += 1
            except Wrong as wrong:
                failed += 1
                print(f"{manifest['name']}: {wrong}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

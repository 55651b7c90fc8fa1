#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9, or SIGINT, at random moments of every command that writes for long.

Aim: whatever the moment, the array opens, volumes stored before are whole, and the same command run
again ends right. Method: a small array in a scratch folder is copied for each round; the command is
started, killed after a random part of the time that it takes undisturbed, then resumed; after both the
volumes are compared by hash, and an independent reader checks every checksum and equation. Commands that
move groups are held to a rate, so that they commit several times; in half of their rounds as many members as
the layout survives are lost at once.

usage: kill.py [--rounds N] [--signal kill|int] [--seed S] [--layout NAME] [--command NAME] [--dir DIR] PGCTL
"""
import argparse
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

READER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reader", "pgread.py")
LAYOUTS = {
    "parity": ["-l", "parity", "-p", "1", "--width", "5"],
    "parity2": ["-l", "parity", "-p", "2", "--width", "5"],
    "mirror": ["-l", "mirror", "--copies", "2"],
    "sequential": ["-l", "sequential", "--width", "5"],
}
MIGRATE = {  # to something that survives as many losses
    "parity": ["-l", "sequential", "--width", "5"],
    "parity2": ["-l", "mirror", "--copies", "3"],
    "mirror": ["-l", "parity", "-p", "2", "--width", "6", "--chunk", "8K"],
    "sequential": ["-l", "parity", "-p", "1", "--width", "4"],
}
RATE = ["--rate-max", "96M"]  # so that a job commits several times
TOLERANCE = {"parity": 1, "parity2": 2, "mirror": 1, "sequential": 1}
MEMBERS = 6
SIGNALS = {"kill": signal.SIGKILL, "int": signal.SIGINT}
WORDS = {"kill": "killed", "int": "stopped"}
STOPPED = 32  # exit status of a command that a signal stopped: state saved, resumable
SIZE = "48M"
VOLUME_BYTES = 40_000_000


def sha(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Round:
    """One array, from the copied original to the verdict."""

    def __init__(self, args, layout, work):
        self.args, self.layout, self.work = args, layout, work

    def run(self, *words, ok=(0,)):
        done = subprocess.run([self.args.pgctl, *words], cwd=self.work, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode not in ok:
            raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def begin(self, words, lines):
        """Start a command whose progress goes to the file `lines`."""
        with open(lines, "wb") as file:
            return subprocess.Popen(
                [self.args.pgctl, *words, "--progress", "json", "--progress-fd", str(file.fileno())],
                cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True, pass_fds=[file.fileno()])

    def members(self):
        return sorted(name for name in os.listdir(self.work) if name.endswith(".img"))

    def volume_is_whole(self, name, wanted):
        out = os.path.join(self.work, "out")
        self.run("get", self.members()[0], name, "-o", "out", "--force")
        got = sha(out)
        os.unlink(out)
        if got != wanted:
            raise AssertionError(f"volume {name} differs")

    def survives(self, rnd, count, wanted):
        """Lose `count` members now, in a folder of links to the others: the volume is whole at once."""
        lost = rnd.sample(self.members(), count)
        left = os.path.join(self.work, "left")
        os.mkdir(left)
        for name in self.members():
            if name not in lost:
                os.link(os.path.join(self.work, name), os.path.join(left, name))
        done = subprocess.run([self.args.pgctl, "get", left, "a.bin", "-o", "out", "--force"],
                              cwd=self.work, capture_output=True, text=True, check=False)
        shutil.rmtree(left)
        if done.returncode != 0 or sha(os.path.join(self.work, "out")) != wanted:
            raise AssertionError(f"without {lost}: exit {done.returncode} {done.stderr}")
        os.unlink(os.path.join(self.work, "out"))

    def verify(self):
        paths = [os.path.join(self.work, name) for name in self.members()]
        done = subprocess.run([sys.executable, READER, *paths, "--verify"], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise AssertionError("reader: " + done.stdout[-2000:] + done.stderr)


def damage(work, pgctl):
    """Flip bits all over one member, so that repair has work for a while."""
    subprocess.run([pgctl, "fault", "add", "m0.img", "--kind", "flip", "--member", "1", "--count",
                    "400", "--seed", "7", "--yes"], cwd=work, check=True, capture_output=True)


def lose(work, _pgctl):
    os.unlink(os.path.join(work, "m2.img"))


def nothing(_work, _pgctl):
    pass


def make(work, _pgctl):
    with open(os.path.join(work, "m6.img"), "wb") as file:
        file.truncate(int(SIZE[:-1]) << 20)


def join(work, pgctl):
    make(work, pgctl)
    subprocess.run([pgctl, "add", "m0.img", "m6.img"], cwd=work, check=True, capture_output=True)


# name: preparation, command, resumed command, exit statuses that are right
COMMANDS = {
    "put": (nothing, ["put", "m0.img", "../b.bin"], ["put", "m0.img", "../b.bin"], (0,)),
    "rebuild": (lose, ["rebuild", "m0.img", "2", "--to", "n2.img", "--force"],
                ["rebuild", "m0.img", "2", "--to", "n2.img", "--force"], (0,)),
    "repair": (damage, ["scrub", "m0.img", "--repair"], ["scrub", "m0.img", "--repair"], (0, 1)),
    "replace": (nothing, ["replace", "m0.img", "1", "n1.img", "--force"],
                ["replace", "m0.img", "1", "n1.img", "--force"], (0,)),
    "into-free": (lose, ["rebuild", "m0.img", "2", "--into-free"],
                  ["rebuild", "m0.img", "2", "--into-free"], (0,)),
    "expand": (make, ["expand", "m0.img", "m6.img", "--width", "6"],
               ["expand", "m0.img", "--width", "6"], (0,)),
    "rebalance": (join, ["rebalance", "m0.img"], ["rebalance", "m0.img"], (0,)),
    "recombine": (join, ["recombine", "m0.img", "--width", "6"],
                  ["recombine", "m0.img", "--width", "6"], (0,)),
    "evacuate": (nothing, ["evacuate", "m0.img", "3"], ["evacuate", "m0.img", "3"], (0,)),
    "migrate": (nothing, ["migrate", "m0.img", "a.bin"], ["migrate", "m0.img", "a.bin"], (0,)),
}
MOVES = ("expand", "rebalance", "recombine", "evacuate", "migrate")  # nothing is lost before: any p members may go at once


def begins_again(round_, command):
    """The very first commit, by which the member joins, had not come."""
    if command != "expand":
        return command == "put"
    done = round_.run("status", "m0.img", "--json")
    return len(json.loads(done.stdout)["members"]) == MEMBERS


def finished_before(round_, command):
    """A command that had ended when the kill came need not be run again."""
    done = round_.run("status", "m0.img" if "m0.img" in round_.members() else round_.members()[0],
                      "--json")
    status = json.loads(done.stdout)
    if command == "put":
        return any(v["name"] == "b.bin" for v in status["volumes"])
    if command == "rebuild":
        return any("n2.img" in (m["path"] or "") and m["slot"] == 2 for m in status["members"])
    if command == "replace":
        return any("n1.img" in (m["path"] or "") and m["slot"] == 1 for m in status["members"])
    return False


def progress_is_sound(path, ended, part=0.0):
    """
    Lines of --progress json: never above the total, never back, nor behind the part that a process before this one
    had reached; at the total when the job ended. Returns the part that is done.
    """
    with open(path, encoding="utf-8") as file:
        text = file.read()
    # The last line may be cut off by the kill.
    lines = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
    lines = [line for line in lines if line["total"] is not None]  # nothing to do: no total
    for line in lines:
        if line["done"] > line["total"]:
            raise AssertionError(f"progress passes the total: {line}")
    for before, after in zip(lines, lines[1:]):
        if after["done"] < before["done"]:
            raise AssertionError(f"progress goes back: {before} {after}")
    if ended and lines and lines[-1]["done"] != lines[-1]["total"]:
        raise AssertionError(f"progress ends before the total: {lines[-1]}")
    if lines and lines[0]["total"] and lines[0]["done"] / lines[0]["total"] < part:
        raise AssertionError(f"progress was at {part:.4f} before: {lines[0]}")
    return lines[-1]["done"] / lines[-1]["total"] if lines and lines[-1]["total"] else part


def stop(args, process, after):
    """Send the signal; was the command still at work?"""
    time.sleep(after)
    stopped = process.poll() is None
    if stopped:
        process.send_signal(SIGNALS[args.signal])
    return stopped


def one(args, layout, command, origin, hashes, rnd, took):
    prepare, words, again, right = COMMANDS[command]
    if command == "migrate":
        words, again = words + MIGRATE[layout], again + MIGRATE[layout]
    if command in MOVES:
        words, again = words + RATE, again + RATE
    part = 0.0
    work = os.path.join(args.dir, "work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(origin, work)
    prepare(work, args.pgctl)
    round_ = Round(args, layout, work)
    begun = time.monotonic()
    lines = os.path.join(args.dir, "progress")
    process = round_.begin(words, lines)
    signalled = took is not None and stop(args, process, rnd.random() * took * 1.1)
    said = process.communicate()[1]
    status = process.returncode
    took = time.monotonic() - begun if took is None else took
    stopped = status == -SIGNALS[args.signal] or (args.signal == "int" and status == STOPPED)
    if not stopped and status not in right:
        raise AssertionError(f"exit {status} {said}")
    if stopped and not signalled:
        raise AssertionError("stopped without a signal")
    if command in MOVES:
        part = progress_is_sound(lines, not stopped)
    round_.volume_is_whole("a.bin", hashes["a"])
    if command in MOVES and rnd.random() < 0.5:
        round_.survives(rnd, TOLERANCE[layout], hashes["a"])
    if took is not None and not finished_before(round_, command):
        process = round_.begin(words if begins_again(round_, command) else again, lines)
        said = process.communicate()[1]
        if process.returncode not in right:
            raise AssertionError(f"again: exit {process.returncode} {said}")
        if command in MOVES and stopped:
            progress_is_sound(lines, True, part)
    round_.volume_is_whole("a.bin", hashes["a"])
    if command == "put":
        round_.volume_is_whole("b.bin", hashes["b"])
    round_.run("scrub", round_.members()[0])
    round_.verify()
    return took, stopped


def make_origin(args, layout):
    origin = os.path.join(args.dir, "origin")
    shutil.rmtree(origin, ignore_errors=True)
    os.mkdir(origin)
    round_ = Round(args, layout, origin)
    names = [f"m{i}.img" for i in range(MEMBERS)]
    round_.run("create", "array", *names, "--size", SIZE, *LAYOUTS[layout])
    round_.run("put", "m0.img", "../a.bin")
    return origin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pgctl")
    parser.add_argument("--rounds", type=int, default=60, help="of each command")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--signal", choices=SIGNALS, default="kill")
    parser.add_argument("--layout", choices=LAYOUTS, default=None)
    parser.add_argument("--command", choices=COMMANDS, default=None)
    parser.add_argument("--dir", default=None)
    args = parser.parse_args()
    args.pgctl = os.path.abspath(args.pgctl)
    seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    rnd = random.Random(seed)
    layouts = [args.layout] if args.layout else list(LAYOUTS)
    made = args.dir is None
    args.dir = args.dir or tempfile.mkdtemp(prefix="pgctl-kill.")
    print(f"seed {seed}", flush=True)
    for name, start in (("a", 1), ("b", 2)):
        with open(os.path.join(args.dir, name + ".bin"), "wb") as file:
            file.write(random.Random(start).randbytes(VOLUME_BYTES))
    hashes = {name: sha(os.path.join(args.dir, name + ".bin")) for name in "ab"}
    passed = failed = kills = 0
    try:
        for layout in layouts:
            origin = make_origin(args, layout)
            for command in [args.command] if args.command else COMMANDS:
                took = None  # round 0 is left undisturbed, to learn how long the command takes
                for number in range(1 + max(1, args.rounds // len(layouts))):
                    try:
                        took, killed = one(args, layout, command, origin, hashes, rnd, took)
                    except AssertionError as why:
                        failed += 1
                        print(f"{layout} {command} round {number} of seed {seed}: {why}", flush=True)
                        if took is None:
                            break
                        continue
                    kills += killed
                    passed += number > 0
    finally:
        if made:
            shutil.rmtree(args.dir, ignore_errors=True)
    print(f"{kills} of {passed} runs that passed were {WORDS[args.signal]} before their end")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

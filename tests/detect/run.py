#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgctl detect on arrays whose layout is known: rank and confidence of the truth, and the seconds.

Aim: the true layout is first in nearly all, no wrong one has a confidence of 0.99, random content is undecidable.
Method: arrays.py makes each array; a candidate is true when level, order, chunk, offset and members are, or those of one
of the layouts that it says give the same bytes; a RAID-10 in pairs may have each pair either way round.

    run.py [NUMBER…] [--bytes N] [--keep FOLDER] [--wrong-max N]      PGCTL names the program
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

import arrays

PGCTL = os.environ.get("PGCTL", "pgctl")
SECONDS_MAX = 60


def names(members):
    return [os.path.basename(member["path"]) if member["path"] else None for member in members]


def is_same_array(spec, level, order, members):
    truth = spec["members"]
    if level != f"raid{spec['level']}":
        # Without its parity a RAID-4 is a RAID-0.
        return spec["level"] == 4 and truth[-1] is None and level == "raid0" and members == truth[:-1]
    if spec["level"] in (5, 6) and order != spec["order"]:
        return False
    if spec["level"] == 10 and order != {"n": "near=2", "f": "far=2", "o": "offset=2"}[spec["order"][0]]:
        return False
    if spec["level"] == 1:
        return {name for name in members if name} == {name for name in truth if name}
    if spec["level"] == 10 and spec["near"] == 2 and spec["n"] % 2 == 0:
        pairs = range(0, spec["n"], 2)
        return len(members) == spec["n"] and all(set(members[i:i + 2]) == set(truth[i:i + 2]) for i in pairs)
    return members == truth


def is_true(spec, candidate):
    if candidate["offset"] != spec["offset"] or (spec["level"] != 1 and candidate["chunk"] != spec["chunk"]):
        return False
    return any(is_same_array(spec, each["level"], each["order"], names(each["members"]))
               for each in [candidate] + candidate["same"])


def detect(folder):
    begin = time.monotonic()
    images = sorted(glob.glob(folder + "/*.img"))
    done = subprocess.run([PGCTL, "detect", "--json", *images], stdout=subprocess.PIPE, check=False)
    return done.returncode, json.loads(done.stdout), time.monotonic() - begin


def try_one(spec, folder, size):
    if not os.path.exists(folder + "/truth.json"):
        os.makedirs(folder, exist_ok=True)
        arrays.make(folder, spec, size)
    with open(folder + "/truth.json", encoding="utf-8") as file:
        spec = json.load(file)
    status, report, seconds = detect(folder)
    found = report["candidates"]
    rank = next((c["rank"] for c in found if c["array"] == 0 and is_true(spec, c)), None)
    wrong = [c["confidence"] for c in found if not is_true(spec, c)]
    print(f"{spec['number']:3} raid{spec['level']:<2} {spec['order']:18} n {spec['n']} chunk {spec['chunk'] >> 10:4} KiB "
          f"offset {spec['offset'] >> 10:4} KiB {spec['content']:6} {spec['wipe']:6} "
          f"{'one missing' if spec['missing'] is not None else '':11} | rank {rank} confidence "
          f"{found[0]['confidence'] if found else None:<7} {seconds:5.1f} s{' undecidable' if report['undecidable'] else ''}",
          flush=True)
    if spec["content"] == "random":
        right = status == 4 and report["undecidable"]
    else:
        right = rank == 1
    return right, max(wrong, default=0) >= 0.99, seconds > SECONDS_MAX


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--bytes", type=int, default=64 << 20)
    parser.add_argument("--keep", help="make the arrays here, and leave them")
    parser.add_argument("--wrong-max", type=int, default=2)
    args = parser.parse_args()
    all_specs = list(arrays.specs())
    right = wrong = sure = late = 0
    for number in args.numbers or range(len(all_specs)):
        with tempfile.TemporaryDirectory() as scratch:
            folder = os.path.join(args.keep, str(number)) if args.keep else scratch
            good, too_sure, too_late = try_one(all_specs[number], folder, args.bytes)
        right += good
        wrong += not good
        sure += too_sure
        late += too_late
    print(f"{right} right, {wrong} wrong, {sure} too sure of something wrong, {late} took longer than {SECONDS_MAX} s")
    return 1 if wrong > args.wrong_max or sure or late else 0


if __name__ == "__main__":
    sys.exit(main())

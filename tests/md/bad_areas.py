#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgctl extract of arrays that a real kernel made, with random bad areas on all members.

Aim: whatever cannot be read, every byte that is not reported as lost is the one that the undamaged array has. Method:
unpack NAME.tar.xz of the folder, extract it whole; then overwrite random sectors of all members, name them in a
map of ddrescue each, extract again, and compare outside of what `lost` says.

    bad_areas.py FOLDER SEEDS NAME...      PGCTL names the program

Prints a line for each draw, "N passed, N failed" last.
"""
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

PGCTL = os.environ.get("PGCTL", "pgctl")
SECTOR = 512
AREAS = 60  # on each member
LARGE = 3 << 20
FIRST, FIRST_SMALL = 1 << 20, 65536  # behind superblocks and logs, which have sums of their own


def extract(image, out, more):
    run = subprocess.run([PGCTL, "extract", image, "-o", out, "--json", *more],
                         capture_output=True, text=True, check=False)
    return json.loads(run.stdout)


def damage(image, draw):
    """Zeros in random sectors; the lines of a map that names them."""
    size = os.path.getsize(image)
    first = FIRST if size > LARGE else FIRST_SMALL
    lines, at = ["0 + 1"], 0
    with open(image, "r+b") as file:
        for sector in sorted(draw.sample(range(first // SECTOR, size // SECTOR - 300), AREAS)):
            begin, length = sector * SECTOR, draw.choice([1, 1, 3, 8, 40]) * SECTOR
            if begin < at:
                continue
            if begin > at:
                lines.append(f"{at} {begin - at} +")
            lines.append(f"{begin} {length} {draw.choice('?*/-')}")
            at = begin + length
            file.seek(begin)
            file.write(bytes(length))
    lines.append(f"{at} {size - at} +")
    return lines


def try_draw(folder, name, seed):
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["tar", "xf", os.path.join(folder, name + ".tar.xz"), "-C", scratch], check=True)
        images = sorted(glob.glob(os.path.join(scratch, "*.img")))
        whole, out = os.path.join(scratch, "whole"), os.path.join(scratch, "out")
        extract(images[0], whole, [])
        more = []
        for image in images:
            lines = damage(image, draw)
            with open(image + ".map", "w", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")
            more += ["--map", f"{image}={image}.map"]
        said = extract(images[0], out, more)
        if "error" in said:
            return said["error"]["message"]
        with open(whole, "rb") as file:
            expected = bytearray(file.read())
        with open(out, "rb") as file:
            got = file.read()
        for lost in said["lost"]:
            expected[lost["offset"]:lost["offset"] + lost["length"]] = bytes(lost["length"])
        wrong = [at for at in range(0, len(expected), SECTOR)
                 if expected[at:at + SECTOR] != got[at:at + SECTOR]]
        if wrong:
            return f"{len(wrong)} sectors are wrong and not reported, the first at {wrong[0]}"
        return None if said["by_sector"] > 0 else "nothing had to be solved"


def main():
    folder, seeds = sys.argv[1], int(sys.argv[2])
    passed = failed = 0
    for name in sys.argv[3:]:
        for seed in range(1, seeds + 1):
            problem = try_draw(folder, name, seed)
            print(f"{'ok     ' if not problem else 'FAILED '} {name}, seed {seed}{': ' + problem if problem else ''}")
            passed += not problem
            failed += bool(problem)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgctl get of arrays that a real kernel made.

Aim: the bytes of every array are those that the kernel read, with all members and with any that redundancy can spare;
members, mode 0444, are the same afterwards.
What was being written when the power failed, and by the partial parity logs' own account nothing else, may differ
where its member is missing.
Method: unpack NAME.tar.xz of the folder, get the volume, compare its SHA-256 with NAME.json; then again without some
members (every one of levels 1, 4, 5 and 10 in turn, pairs of level 6), moved out of the way.

    extract.py FOLDER [NAME...] [--quick]      PGCTL names the program; without names all arrays of kind "md"

--quick takes one set of members away, not all. Prints a line for each array, "N passed, N failed" last.
"""
import argparse
import glob
import hashlib
import itertools
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

PGCTL = os.environ.get("PGCTL", "pgctl")
PAIRS_MAX = 6
SEED = 20
SECTOR = 512


class Wrong(Exception):
    pass


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def newest_log(image, start):
    """(first sector, partial parity bytes, data bytes) of the entries of the newest header of a log."""
    entries, at, last = [], start, -1
    while True:
        _, _, generation, count, _ = struct.unpack_from("<IIQII", image, at + 512)
        if count > 148 or generation <= last:
            return entries
        last = generation
        entries = [struct.unpack_from("<QII", image, at + 536 + 24 * i) for i in range(count)]
        at += 4096 + sum(entry[1] for entry in entries)


def being_written(folder, manifest):
    """Sectors of the array that the partial parity logs name."""
    chunk, data = manifest["array"]["chunk_bytes"] // SECTOR, manifest["array"]["raid_disks"] - 1
    sectors = set()
    for member in manifest["members"]:
        with open(os.path.join(folder, member["file"]), "rb") as file:
            entries = newest_log(file.read(), member["ppl_sector"] * SECTOR)
        for first, parity, size in entries:
            columns = -(-size // parity) if parity else data
            for column in range(columns):
                at = first + column * chunk
                sectors.update(range(at, at + (parity or size // columns) // SECTOR))
    return sectors


def differing(path, whole):
    with open(path, "rb") as file:
        image = file.read()
    return {at // SECTOR for at in range(0, len(image), SECTOR) if image[at:at + SECTOR] != whole[at:at + SECTOR]}


def get(folder, expected, what, whole=None, loose=()):
    """The volume of the array in `folder`, as ARRAY: what was said on standard error, and the bytes if wanted."""
    with tempfile.TemporaryDirectory() as place:
        out = os.path.join(place, "volume")
        done = subprocess.run([PGCTL, "get", folder, "data", "-o", out], capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise Wrong(f"{what}: exit {done.returncode}: {done.stderr.strip().splitlines()[0]}")
        if sha256(out) != expected and not (loose and whole and differing(out, whole) <= loose):
            raise Wrong(f"{what}: another SHA-256")
        with open(out, "rb") as file:
            return done.stderr, file.read() if loose else None


def spare_sets(manifest, quick):
    """Which members to take away: lists of files."""
    level, array = manifest["array"]["level"], manifest["array"]
    slots = {m["slot"]: m["file"] for m in manifest["members"]
             if isinstance(m.get("slot"), int) and "spare" not in m["state"]}
    files = [slots[slot] for slot in sorted(slots)]
    left = {"raid1": len(files) - 1, "raid4": 1, "raid5": 1, "raid6": 2, "raid10": 1}.get(level, 0)
    left -= 0 if level == "raid1" else array["degraded"] or 0
    if array["resync_start"] not in ("none", None) or left <= 0:
        return []
    sets = [list(some) for some in itertools.combinations(files, left)]
    if len(sets) > PAIRS_MAX and left > 1:
        sets = random.Random(SEED).sample(sets, PAIRS_MAX)
    return sets[:1] if quick else sets


def check(manifest, archive, quick):
    expected = manifest["content"]["sha256"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-C", folder, "-xJf", archive], check=True)
        members = {m["file"]: m["sha256"] for m in manifest["members"]}
        for name in members:
            os.chmod(os.path.join(folder, name), 0o444)
        loose = being_written(folder, manifest) if manifest["inconsistent_sectors"] else set()
        _, whole = get(folder, expected, "whole", loose=loose)
        sets = spare_sets(manifest, quick)
        said = ""
        with tempfile.TemporaryDirectory() as aside:
            for gone in sets:
                for name in gone:
                    os.rename(os.path.join(folder, name), os.path.join(aside, name))
                said += get(folder, expected, "without " + " ".join(gone), whole, loose)[0]
                for name in gone:
                    os.rename(os.path.join(aside, name), os.path.join(folder, name))
        for name, before in members.items():
            if sha256(os.path.join(folder, name)) != before:
                raise Wrong(f"{name} was changed")
    if len(sets) > 1 and manifest["array"]["level"] in ("raid4", "raid5", "raid6") and "reconstructed" not in said:
        raise Wrong("without members nothing was reconstructed")
    return len(sets)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_intermixed_args()
    passed = failed = 0
    names = args.names or sorted(os.path.basename(path)[:-5] for path in glob.glob(os.path.join(args.folder, "*.json")))
    for name in names:
        path = os.path.join(args.folder, name)
        with open(path + ".json", encoding="utf-8") as file:
            manifest = json.load(file)
        if manifest["kind"] != "md":
            continue
        try:
            sets = check(manifest, path + ".tar.xz", args.quick)
            print(f"ok      {name}: all members, and {sets} times without some", flush=True)
            passed += 1
        except Wrong as wrong:
            print(f"WRONG   {name}: {wrong}", flush=True)
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgctl inspect against the manifests of arrays that a real kernel made.

Aim: every parameter that the kernel and mdadm said of an array is what inspect says, alone and compared.
Method: unpack NAME.tar.xz of the folder, inspect all members at once, compare with NAME.json; the text of
mdadm --examine inside the manifest is read too, so that check sums, uuids and bitmaps are compared as well.

    manifest.py FOLDER [NAME…]      PGCTL names the program; without names all arrays of kind "md"
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

PGCTL = os.environ.get("PGCTL", "pgctl")
SAME = ("level", "layout", "layout_name", "chunk_bytes", "metadata", "raid_disks", "component_sectors",
        "consistency_policy", "bitmap_location", "bitmap_chunk_bytes", "resync_start",
        "reshape_position", "reshape_direction", "uuid")
COMPARED = ("level", "metadata", "raid_disks", "array_bytes", "degraded", "uuid")
MEMBER = ("slot", "state", "data_offset_sectors", "data_sectors", "ppl_sector", "ppl_sectors", "feature_map")


class Wrong(Exception):
    pass


def same(what, found, expected):
    if found != expected:
        raise Wrong(f"{what}: inspect says {found!r}, the manifest {expected!r}")


def inspect(paths):
    done = subprocess.run([PGCTL, "inspect", "--json", *paths], stdout=subprocess.PIPE, check=False)
    document = json.loads(done.stdout)
    same("exit", (done.returncode, document["exit"]), (0, 0))
    return document


def examined(text):
    """mdadm --examine as a dict; the last of equal keys counts."""
    return {key.strip(): value.strip() for key, _, value in
            (line.partition(" : ") for line in text.splitlines()) if value}


def check_examine(name, details, text):
    said = examined(text)
    for key, field in (("Array UUID", "uuid"), ("UUID", "uuid"), ("Device UUID", "device_uuid"),
                       ("Raid Level", "level"), ("Feature Map", "feature_map"), ("State", "array_state")):
        if key in said:
            same(f"{name} {key}", details[field], said[key].split()[0])
    for key, field in (("Events", "events"), ("Raid Devices", "raid_disks"), ("Super Offset", "super_offset_sectors"),
                       ("Data Offset", "data_offset_sectors"), ("Avail Dev Size", "data_size_sectors"),
                       ("Preferred Minor", "preferred_minor"), ("Active Devices", "active_disks"),
                       ("Working Devices", "working_disks"), ("Failed Devices", "failed_disks"),
                       ("Spare Devices", "spare_disks"), ("Total Devices", "nr_disks"),
                       ("Recovery Offset", "recovery_start"), ("Journal Offset", "journal_tail")):
        if key in said:
            same(f"{name} {key}", details[field], int(said[key].split()[0]))
    checksum, _, verdict = said["Checksum"].partition(" - ")
    same(f"{name} Checksum", (int(details["checksum"], 16), details["checksum_state"]), (int(checksum, 16), verdict))
    if "Array State" in said:
        same(f"{name} Array State", details["slots"], said["Array State"].split()[0])
    if "Bad Block Log" in said:
        entries, offset = re.match(r"(\d+) entries available at offset (-?\d+)", said["Bad Block Log"]).groups()
        same(f"{name} Bad Block Log",
             (details["bad_block_log_sectors"] * 64, details["bad_block_log_offset_sectors"]), (int(entries), int(offset)))


def check_bitmap(name, bitmap, text):
    said = examined(text)
    for key, field in (("Version", "version"), ("Events", "events"), ("Events Cleared", "events_cleared"),
                       ("Daemon", "daemon_sleep_seconds")):
        same(f"{name} bitmap {key}", bitmap[field], int(re.match(r"\d+", said[key])[0]))
    same(f"{name} bitmap Sync Size", bitmap["sync_sectors"], 2 * int(said["Sync Size"].split()[0]))
    chunks, dirty = re.match(r"(\d+) bits \(chunks\), (\d+) dirty", said["Bitmap"]).groups()
    same(f"{name} bitmap", (bitmap["chunks"], bitmap["dirty_chunks"]), (int(chunks), int(dirty)))


def check_member(manifest, member, found):
    name, array = member["file"], manifest["array"]
    rows = [row for row in found if row["type"] == "md"]
    if "examine_events" not in member:
        same(f"{name} superblocks", rows, [])
        return
    same(f"{name} superblocks", len(rows), 1)
    details = rows[0]["details"]
    same(f"{name} faults", details["faults"], [])
    same(f"{name} uuid", rows[0]["uuid"], array["uuid"])
    for key in SAME:
        same(f"{name} {key}", details[key], array[key])
    for key in MEMBER:
        if key in member:
            same(f"{name} {key}", details[key], member[key])
    # Of a journal the kernel says where its tail was after it had taken in what the journal held.
    if "recovery_start" in member and member["slot"] != "journal":
        same(f"{name} recovery_start", details["recovery_start"], member["recovery_start"])
    same(f"{name} events", str(details["events"]), member["examine_events"])
    if member["used_by_kernel"]:
        same(f"{name} events of the array", str(details["events"]), re.sub(r"^0\.", "", array["events"]))
    same(f"{name} state", details["array_state"], member["examine_state"])
    if array["level"] not in ("raid0", "linear"):
        same(f"{name} array_bytes", details["array_bytes"], array["array_bytes"])
    check_examine(name, details, manifest["examine"][name])
    if name + " bitmap" in manifest["examine"]:
        check_bitmap(name, details["bitmap"], manifest["examine"][name + " bitmap"])


def check(folder, manifest):
    files = [member["file"] for member in manifest["members"]]
    document = inspect([os.path.join(folder, name) for name in files])
    for member, row in zip(manifest["members"], document.get("paths", [document])):
        same(f"{member['file']} size", row["size"], member["bytes"])
        check_member(manifest, member, row["found"])
    if len(files) == 1:
        return
    same("arrays", len(document["arrays"]), 1)
    for key in COMPARED:
        same(f"compared: {key}", document["arrays"][0][key], manifest["array"][key])
    used = [os.path.join(folder, m["file"]) for m in manifest["members"] if m["used_by_kernel"]]
    bad = [m for m in document["arrays"][0]["members"] if m["path"] in used and
           m["verdict"] not in ("current", "recovering", "spare", "journal")]
    same("members that the kernel took", bad, [])
    good = [m for m in document["arrays"][0]["members"] if m["path"] not in used and
            m["verdict"] in ("current", "recovering")]
    same("members that the kernel left out", good, [])
    same("readable", document["arrays"][0]["health"] in ("healthy", "degraded"), True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    names = args.names or sorted(os.path.basename(path)[:-5] for path in glob.glob(args.folder + "/*.json"))
    failed = count = 0
    for name in names:
        with open(os.path.join(args.folder, name + ".json"), encoding="utf-8") as file:
            manifest = json.load(file)
        if manifest["kind"] != "md":
            continue
        count += 1
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["tar", "-xJf", os.path.join(args.folder, name + ".tar.xz"), "-C", folder], check=True)
            try:
                check(folder, manifest)
            except (Wrong, KeyError) as wrong:
                print(f"{name}: {wrong!r}")
                failed += 1
    print(f"{count - failed} arrays agree, {failed} do not")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())

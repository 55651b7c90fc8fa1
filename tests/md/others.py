#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgctl inspect against the manifests of arrays that are not of Linux MD: DDF, Intel Matrix, LVM2, btrfs.

Aim: every parameter that mdadm, lvm and btrfs said of them is what inspect says, and volumes of DDF and Intel Matrix
have the content that the kernel read from them, whole and with each member missing.
Method: unpack NAME.tar.xz of the folder, inspect every member, compare with NAME.json and with the text of the
tools inside it.

    others.py FOLDER [NAME…]        PGCTL names the program; without names all that are of these formats
"""
import argparse
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

PGCTL = os.environ.get("PGCTL", "pgctl")
ARRAY = ("level", "layout", "chunk_bytes", "raid_disks", "array_bytes", "component_sectors", "degraded")


class Wrong(Exception):
    pass


def same(what, found, expected):
    if found != expected:
        raise Wrong(f"{what}: inspect says {found!r}, the manifest {expected!r}")


def inspect(path, kind):
    """The details of the one record of this kind; without faults."""
    done = subprocess.run([PGCTL, "inspect", "--json", path], stdout=subprocess.PIPE, check=False)
    document = json.loads(done.stdout)
    same("exit", (done.returncode, document["exit"]), (0, 0))
    rows = [row for row in document["found"] if row["type"] == kind]
    same(f"{path}: records of {kind}", len(rows), 1)
    same(f"{path}: faults", rows[0]["details"]["faults"], [])
    return rows[0]["details"]


def said_of(text):
    """Lines "key : value" as a dict; the last of equal keys counts."""
    return {key.strip(): value.strip() for key, _, value in
            (line.partition(" : ") for line in text.splitlines()) if value}


def numbers(said, details, fields, base=10):
    for key, field in fields:
        same(key, details[field], int(said[key].split()[0], base))


def texts(said, details, fields):
    for key, field in fields:
        same(key, details[field], said[key])


def check_volume(manifest, volume, details):
    array = manifest["array"]
    for key in ARRAY:
        same(f"volume: {key}", volume[key], array[key])
    # MD has a name for no layout of raid1, and mdadm none either.
    same("volume: layout_name", volume["layout_name"] or None, array["layout_name"])
    same("members", len(volume["slots"]), len(manifest["members"]))
    same("tool", details["tool"], "mdadm")


def check_ddf(folder, manifest):
    for volume in manifest["volumes"]:
        for member in volume["members"]:
            details = inspect(os.path.join(folder, member["file"]), "ddf")
            mine = details["volumes"][0]
            check_volume(volume, mine, details)
            for key in ("slot", "data_offset_sectors", "data_sectors"):
                same(f"{member['file']}: {key}", mine[key], member[key])
            check_ddf_examine(details, mine, manifest["examine"][member["file"]])


def check_ddf_examine(details, volume, text):
    said = said_of(text)
    texts(said, details, (("Version", "version"), ("Controller GUID", "controller_guid"), ("Container GUID", "container_guid")))
    texts(said, volume, (("VD GUID[0]", "uuid"), ("Name[0]", "name"), ("Raid Level[0]", "ddf_level")))
    numbers(said, details, (("Seq", "sequence"),), 16)
    numbers(said, details, (("Physical Disks", "disks_max"),))
    same("Redundant hdr", details["secondary_valid"], said["Redundant hdr"] == "yes")
    same("Virtual Disks", len(details["virtual_disks"]), int(said["Virtual Disks"]))
    numbers(said, volume, (("unit[0]", "unit"),))
    same("state", f"{volume['state']}, {volume['consistency']}".lower(), said["state[0]"].lower())
    same("init state", volume["initialisation"], said["init state[0]"].lower())
    same("access", volume["access"], said["access[0]"].lower().replace("/", "-"))
    disks = {disk["reference"]: disk for disk in details["disks"]}
    order = [details["disks"][int(number)]["reference"] for number in re.findall(r"(\d+)@", said["Raid Devices[0]"])]
    starts = [2 * int(start) for start in re.findall(r"@(\d+)K", said["Raid Devices[0]"])]
    same("Raid Devices", volume["slots"], [f"{name}@{start}" for name, start in zip(order, starts)])
    if "Chunk Size[0]" in said:
        same("Chunk Size", volume["chunk_bytes"], 512 * int(said["Chunk Size[0]"].split()[0]))
    same("Device Size", volume["component_sectors"], 2 * int(said["Device Size[0]"]))
    same("Array Size", volume["array_bytes"], 1024 * int(said["Array Size[0]"]))
    for number, name, size, state in re.findall(r"^ +(\d+) +([0-9a-f]{8}) +(\d+)K .*?(\S+/\S+)$", text, re.M):
        disk = disks.pop(name)
        same(f"disk {name}", (disk["number"], disk["sectors"]), (int(number), 2 * int(size)))
        same(f"disk {name}", (disk["type"][-1], disk["state"]), (state.split("/")[0], [state.split("/")[1].lower()]))
    same("disks", disks, {})


def name_of(file):
    """The devices that mdadm knew the files by: m0.img was /dev/ubda."""
    return "/dev/ubd" + chr(ord("a") + int(re.search(r"\d+", file)[0]))


def check_imsm(folder, manifest):
    for volume in manifest["volumes"]:
        for member in volume["members"]:
            details = inspect(os.path.join(folder, member["file"]), "imsm")
            mine = details["volumes"][0]
            check_volume(volume, mine, details)
            same("uuid", mine["uuid"], volume["array"]["uuid"])
            place = f"{name_of(member['file'])}@{member['data_offset_sectors']}"
            same(f"{member['file']}: slot", mine["slots"].index(place), member["slot"])
            same(f"{member['file']}: data_sectors", mine["component_sectors"], member["data_sectors"])
            check_imsm_examine(details, mine, manifest["examine"][member["file"]])


def check_imsm_examine(details, volume, text):
    head, rest = text.split("\n[0]:\n")
    said = said_of(head)
    texts(said, details, (("Version", "version"), ("Orig Family", "original_family"), ("Family", "family"), ("UUID", "uuid")))
    numbers(said, details, (("Generation", "generation"),), 16)
    numbers(said, details, (("MPB Sectors", "mpb_sectors"),))
    same("Disks", (len(details["disks"]), len(details["volumes"])), (int(said["Disks"]), int(said["RAID Devices"])))
    checksum, verdict = said["Checksum"].split()
    same("Checksum", (int(details["checksum"], 16), details["checksum_state"]), (int(checksum, 16), verdict))
    same("creation", details["creation_time"] > 1700000000, True)
    part, _, others = rest.partition("\n\n")
    said = said_of(part)
    texts(said, volume, (("UUID", "uuid"), ("Migrate State", "migration"), ("Map State", "map_state"),
                         ("Dirty State", "dirty_state"), ("RWH Policy", "write_hole_policy")))
    numbers(said, volume, (("Subarray", "subarray"), ("Members", "raid_disks"), ("Per Dev Size", "per_member_sectors"),
                           ("Sector Offset", "first_sector"), ("Num Stripes", "stripes"), ("Reserved", "reserved_blocks"),
                           ("Volume ID", "volume_id")))
    same("RAID Level", volume["level"], "raid" + said["RAID Level"])
    same("Array Size", volume["array_bytes"], 512 * int(said["Array Size"].split()[0]))
    same("Chunk Size", volume["chunk_bytes"], 1024 * int(said["Chunk Size"].split()[0]))
    same("Sector Size", details["sector_size"], int(said["Sector Size"]))
    same("Failed disk", volume["failed_disk"], None if said["Failed disk"] == "none" else int(said["Failed disk"]))
    same("Slots", "U" * volume["raid_disks"], said["Slots"].strip("[]"))
    disks = {disk["disk"]: disk for disk in details["disks"]}
    for number, serial, block in re.findall(r"Disk(\d+) Serial : (\S+)\n((?: .*\n){3})", head + "\n" + others + "\n"):
        disk, said = disks.pop(int(number)), said_of(block)
        same("serial", disk["serial"], name_of(serial))
        texts(said, disk, (("State", "state"), ("Id", "id")))
        numbers(said, disk, (("Usable Size", "usable_sectors"),))
    same("disks", disks, {})


def check_lvm(folder, manifest):
    lvm = manifest["kernel"]["lvm"]
    physical = [line.split() for line in lvm["pvs"].splitlines()[1:]]
    for member in manifest["members"]:
        details = inspect(os.path.join(folder, member["file"]), "lvm2")
        extent = details["extent_sectors"]
        rows = {row["uuid"]: row for row in details["physical_volumes"]}
        same("physical volumes", len(rows), len(physical))
        for file, group, form, _, size, free, uuid, first in physical:
            row = rows[uuid]
            same(file, (row["extents"] * extent, row["free_extents"] * extent, row["first_extent_sector"]),
                 tuple(int(number.strip("S")) for number in (size, free, first)))
            same(file, (group, form, row["missing"]), ("labvg", "lvm2", False))
            same(file, row["this"], file == member["file"])
            if file == member["file"]:
                same(file, (details["pv_uuid"], details["device_bytes"]), (uuid, member["bytes"]))
        check_lvm_volumes(details, lvm["lvs"], {row["name"]: row["device"] for row in details["physical_volumes"]})
        for volume in manifest["volumes"]:
            same(volume["lv"], {row["name"]: row["sectors"] * 512 for row in details["logical_volumes"]}[volume["lv"]],
                 volume["bytes"])


def check_lvm_volumes(details, text, devices):
    volumes = {row["name"]: row for row in details["logical_volumes"]}
    segments = {row["volume"]: row for row in details["segments"]}
    for line in text.splitlines()[1:]:
        words = line.split()
        name, size, uuid, region, stripe, stripes, kind, areas = words[0], words[3], *words[:-7:-1]
        volume, segment = volumes.pop(name.strip("[]")), segments.pop(name.strip("[]"))
        same(name, (volume["visible"], volume["sectors"], volume["uuid"]), ("[" not in name, int(size.strip("S")), uuid))
        same(name, (segment["region_sectors"], segment["stripe_sectors"], segment["stripes"], segment["type"]),
             (int(region.strip("S")), int(stripe.strip("S")), int(stripes), kind))
        same(name, segment["degraded"], 0)
        if kind == "linear":
            pv, extent = re.fullmatch(r"(\w+)\((\d+)\)", segment["areas"][0]).groups()
            file, start = re.fullmatch(r"(\S+)\((\d+)\)", areas).groups()
            same(name, (devices[pv], extent), (name_of(file), start))
        else:
            images = [area for area in segment["areas"] if "_rimage_" in area]
            same(name, ",".join(f"{image}(0)" for image in images), areas)
    same("volumes", (volumes, segments), ({}, {}))


def btrfs_said(text):
    return dict(line.split(None, 1) for line in text.split("backup_roots")[0].splitlines() if len(line.split(None, 1)) == 2)


BTRFS = ("bytenr", "generation", "root", "root_level", "sys_array_size", "chunk_root_generation", "chunk_root",
         "chunk_root_level", "log_root", "log_root_level", "total_bytes", "bytes_used", "sectorsize", "nodesize",
         "stripesize", "root_dir", "num_devices", "cache_generation", "uuid_tree_generation")
DEVICE = ("total_bytes", "bytes_used", "io_align", "io_width", "sector_size", "type", "dev_group", "seek_speed",
          "bandwidth", "generation", "devid")


def check_btrfs(folder, manifest):
    tree = manifest["kernel"]["btrfs"]["chunk_tree"]
    trees = 0
    for member in manifest["members"]:
        details = inspect(os.path.join(folder, member["file"]), "btrfs")
        said = btrfs_said(manifest["examine"][member["file"]])
        for key in BTRFS:
            same(f"{member['file']}: {key}", details[key], int(said[key]))
        for key in ("fsid", "metadata_uuid", "label"):
            same(f"{member['file']}: {key}", details[key], said[key].split()[0])
        same("csum", (details["csum"], details["csum_state"]), (said["csum"].split()[0], "correct"))
        for key in DEVICE:
            same(f"{member['file']}: {key}", details["device"][0][key], int(said["dev_item." + key]))
        same("uuid", details["device"][0]["uuid"], said["dev_item.uuid"])
        flags = re.search(r"incompat_flags.*?\n((?:\t\t\t.*\n)+)", manifest["examine"][member["file"]])[1]
        same("incompat", [flag.upper().replace("-", "_") for flag in details["incompat_flags"]], re.findall(r"\w+", flags))
        same("superblocks", [row["state"] for row in details["superblocks"]], ["valid"] * len(details["superblocks"]))
        check_backups(details, manifest["examine"][member["file"]])
        trees += check_chunks(details, tree)
    same("has the chunk tree", trees > 0, True)


def check_backups(details, text):
    pairs = re.findall(r"backup_(\w+):\t(\d+)(?:\tgen: (\d+))?", text)
    for name, number, generation in [pair for pair in pairs if pair[0] != "csum_root"]:
        rows = [row for row in details["backup_roots"] if row[name] == int(number)]
        same(f"backup {name}", bool(rows), True)
        if generation:
            same(f"backup {name}", int(generation) in [row[name + "_generation"] for row in rows], True)


def check_chunks(details, tree):
    """All chunks and devices, where this device has the tree: 1 then."""
    devices = re.findall(r"devid (\d+) total_bytes (\d+) bytes_used (\d+)", tree)
    if not details["devices"]:
        same("says so", any("chunk tree is not on this device" in text for text in details["statements"]), True)
        return 0
    same("devices", [(row["devid"], row["total_bytes"], row["bytes_used"]) for row in details["devices"]],
         [tuple(int(number) for number in device) for device in devices])
    chunks = re.findall(r"CHUNK_ITEM (\d+)\).*\n\t\tlength (\d+) owner (\d+) stripe_len (\d+) type (\w+)\|?(\w*)\n"
                        r"\t\tio_align (\d+) io_width (\d+) sector_size (\d+)\n\t\tnum_stripes \d+ sub_stripes (\d+)\n"
                        r"((?:\t\t\t.*\n?)+)", tree)
    same("chunks", len(details["chunks"]), len(chunks))
    for row, chunk in zip(details["chunks"], chunks):
        same("chunk", [row[key] for key in ("logical", "length", "owner", "stripe_len", "io_align", "io_width",
                                            "sector_size", "sub_stripes")], [int(chunk[i]) for i in (0, 1, 2, 3, 6, 7, 8, 9)])
        same("profile", (row["type"], row["profile"]), ([chunk[4].lower()], chunk[5].lower() or "single"))
        same("stripes", row["stripes"], [f"{device}@{offset}" for device, offset in
                                         re.findall(r"devid (\d+) offset (\d+)", chunk[10])])
    return 1


def content(folder, name):
    done = subprocess.run([PGCTL, "get", "--quiet", folder, name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False)
    return hashlib.sha256(done.stdout).hexdigest() if done.returncode in (0, 1) else f"exit {done.returncode}"


def check_content(folder, manifest, degraded):
    """The volume as the kernel read it; then with each member missing."""
    volume = manifest["volumes"][0]
    same("content", content(folder, "0"), volume["content"]["sha256"])
    for member in volume["members"] if degraded else []:
        path = os.path.join(folder, member["file"])
        with tempfile.TemporaryDirectory() as aside:
            shutil.move(path, aside)
            same(f"content without {member['file']}", content(folder, "0"), volume["content"]["sha256"])
            shutil.move(os.path.join(aside, member["file"]), path)
    for member in volume["members"]:
        with open(os.path.join(folder, member["file"]), "rb") as file:
            same("members unchanged", hashlib.sha256(file.read()).hexdigest(), member["sha256"])


CHECKS = {"ddf": check_ddf, "imsm": check_imsm, "lvm": check_lvm, "btrfs": check_btrfs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    names = args.names or sorted(os.path.basename(path)[:-5] for kind in CHECKS
                                 for path in glob.glob(f"{args.folder}/{kind}-*.json"))
    failed = 0
    for name in names:
        kind = name.split("-")[0]
        with open(os.path.join(args.folder, name + ".json"), encoding="utf-8") as file:
            manifest = json.load(file)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["tar", "-xJf", os.path.join(args.folder, name + ".tar.xz"), "-C", folder], check=True)
            try:
                CHECKS[kind](folder, manifest)
                if kind in ("ddf", "imsm"):
                    check_content(folder, manifest, not args.names)
            except (Wrong, KeyError, IndexError, ValueError) as wrong:
                print(f"{name}: {wrong!r}")
                failed += 1
    print(f"{len(names) - failed} sets agree, {failed} do not")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())

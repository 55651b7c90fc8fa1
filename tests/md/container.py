#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of DDF and Intel Matrix with several volumes, written here without the program under test.

    container.py imsm|ddf FOLDER [WORD…]
                        disks in FOLDER, the content of each volume in FOLDER/want/NAME

imsm: DISKA, DISKB, DISKC with a mirror and a raid5; ddf: disk-0 to disk-4 with a mirror, a raid0, a raid5 and a mirror of
two parts. Slots are on disks in no order. overlap: the last volume begins where the first one does; twice: a slot of the
first is on the disk of another; same-name: all volumes are called "data". Of imsm alone: old: DISKA has missed two
changes, and numbers the disks otherwise; swapped: so have DISKA and DISKC; rebuilding: DISKA's part of the raid5 does not count, and is noise; migrating:
the mirror is being made something else.
Offsets and placing are those of mdadm's super-intel.c and super-ddf.c, and of md(4).
"""
import os
import random
import struct
import sys
import zlib

SECTOR = 512
SIZE = 8 << 20
PART = 1 << 20  # of each volume on each disk
CHUNK = 16384


def rows(slots, level):
    """For each chunk of the members, in rows: which piece of the volume each slot has; "P": parity."""
    for row in range(PART // CHUNK):
        if level == "raid1":
            yield [row] * slots
        elif level == "raid0":
            yield [row * slots + slot for slot in range(slots)]
        elif level == "raid10":
            yield [row * (slots // 2) + slot // 2 for slot in range(slots)]
        else:
            parity = slots - 1 - row % slots
            line = ["P"] * slots
            for piece in range(slots - 1):
                slot = (parity + 1 + piece) % slots if level == "left-symmetric" else piece + (piece >= parity)
                line[slot] = row * (slots - 1) + piece
            yield line


def volume_write(folder, name, level, places, seed):
    """places: (file, byte) by slot."""
    lines = list(rows(len(places), level))
    count = 1 + max(piece for line in lines for piece in line if piece != "P")
    content = random.Random(seed).randbytes(count * CHUNK)
    with open(os.path.join(folder, "want", name), "wb") as file:
        file.write(content)
    for row, line in enumerate(lines):
        pieces = [None if piece == "P" else content[piece * CHUNK:(piece + 1) * CHUNK] for piece in line]
        parity = 0
        for piece in pieces:
            parity ^= int.from_bytes(piece, "little") if piece else 0
        for (path, start), piece in zip(places, pieces):
            with open(path, "r+b") as file:
                file.seek(start + row * CHUNK)
                file.write(piece if piece is not None else parity.to_bytes(CHUNK, "little"))


def imsm_volume(name, level, order, first, migrating):
    data = {1: 1, 5: len(order) - 1}[level]
    head = bytearray(112)
    head[:len(name)] = name.encode()
    struct.pack_into("<Q", head, 16, data * PART // SECTOR)
    head[88:90] = bytes([migrating, 3])
    disks = bytearray(48 + 4 * len(order))
    struct.pack_into("<IIIHBBBBBB", disks, 0, first, PART // SECTOR, PART // CHUNK, CHUNK // SECTOR, 0, level, len(order), 1,
                     255, 1)
    struct.pack_into(f"<{len(order)}I", disks, 48, *order)
    return bytes(head + disks * (1 + migrating))


def imsm_record(names, volumes, generation):
    """volumes: (name, level, disks by slot, first sector, migrating)"""
    mpb = bytearray(216)
    mpb[:32] = b"Intel Raid ISM Cfg Sig. 1.3.00".ljust(32, b"\0")
    mpb[56:58] = bytes([len(names), len(volumes)])
    for name in names:
        disk = bytearray(48)
        disk[:len(name)] = name.encode()
        struct.pack_into("<III", disk, 16, SIZE // SECTOR, 0, 2)
        mpb += disk
    for volume in volumes:
        mpb += imsm_volume(*volume)
    struct.pack_into("<IIII", mpb, 36, len(mpb), 77, generation, 0)
    struct.pack_into("<I", mpb, 32, sum(struct.unpack(f"<{len(mpb) // 4}I", mpb)) & 0xffffffff)
    mpb += bytes(-len(mpb) % SECTOR)
    return mpb[SECTOR:] + mpb[:SECTOR]


def imsm(folder, words):
    names = ["DISKA", "DISKB", "DISKC"]
    paths = [os.path.join(folder, name + ".img") for name in names]
    second = 0 if "overlap" in words else 4096
    rebuilding = 1 << 24 if "rebuilding" in words else 0
    volumes = [("mirror", 1, [1, 1] if "twice" in words else [1, 0], 0, "migrating" in words),
               ("five", 5, [2, rebuilding, 1], second, False)]
    for path in paths:
        with open(path, "wb") as file:
            file.truncate(SIZE)
    for seed, (name, level, order, first, _) in enumerate(volumes):
        volume_write(folder, name, {1: "raid1", 5: "left-asymmetric"}[level],
                     [(paths[disk & 0xffffff], first * SECTOR) for disk in order], seed)
    if rebuilding:
        with open(paths[0], "r+b") as file:
            file.seek(second * SECTOR)
            file.write(random.Random(9).randbytes(PART))
    if "same-name" in words:
        volumes = [("data", *rest) for _, *rest in volumes]
    records = [imsm_record(names, volumes, 5)] * 3
    if "old" in words or "swapped" in words:
        other = [(name, level, [2 - disk for disk in order], *rest) for name, level, order, *rest in volumes]
        records[0] = imsm_record(names[::-1], other, 3)
        records[2] = records["swapped" not in words and 2]
    for path, record in zip(paths, records):
        with open(path, "r+b") as file:
            file.seek(SIZE - SECTOR - len(record))
            file.write(record)


def summed(record):
    record[4:8] = b"\xff" * 4
    struct.pack_into(">I", record, 4, zlib.crc32(record, 0xffffffff) ^ 0xffffffff)  # zeros at first, not inverted
    return bytes(record)


def guid(word):
    return word.encode().ljust(24, b"-")


ELEMENTS = 5
CONFIG_BLOCKS = 2
RECORDS = 5
PRIMARY, SECONDARY = 8192, 12288  # blocks


def ddf_header(kind, place):
    head = bytearray(SECTOR)
    struct.pack_into(">II24s8sII", head, 0, 0xde11de11, 0, guid("container"), b"01.02.00", 9, 1)
    head[48] = 0
    struct.pack_into(">QQB", head, 96, PRIMARY, SECONDARY, kind)
    struct.pack_into(">IQHHHHH", head, 116, 0, 0, ELEMENTS, 8, 1, CONFIG_BLOCKS, ELEMENTS)
    for number, section in enumerate(place):
        struct.pack_into(">II", head, 192 + 8 * number, *section)
    return summed(head)


def ddf_entries(magic, entries):
    section = bytearray(2 * SECTOR)
    struct.pack_into(">IIHH", section, 0, magic, 0, len(entries), len(entries))
    for number, entry in enumerate(entries):
        section[64 + 64 * number:128 + 64 * number] = entry
    return summed(section)


def ddf_config(name, level, qualifier, shift, parts, which, blocks):
    record = bytearray(b"\xff" * (CONFIG_BLOCKS * SECTOR))
    part = parts[which]
    struct.pack_into(">II24sII", record, 0, 0xeeeeeeee, 0, guid(name), 1, 1)
    struct.pack_into(">HBBBBBB", record, 64, len(part), shift, level, qualifier, len(parts), which, 3)
    struct.pack_into(">QQ", record, 72, PART // SECTOR, blocks)
    struct.pack_into(f">{len(part)}I", record, 512, *[0x1000 + disk for disk, _ in part])
    struct.pack_into(f">{len(part)}Q", record, 512 + 4 * ELEMENTS, *[start // SECTOR for _, start in part])
    return summed(record)


def ddf(folder, words):
    paths = [os.path.join(folder, f"disk-{disk}.img") for disk in range(5)]
    mega = 1 << 20
    last = 0 if "overlap" in words else 65536
    # name, how it lies, level, qualifier, chunk, parts of (disk, byte)
    volumes = [
        ("mirror", "raid1", 1, 0, 0, [[(3, 0), (3 if "twice" in words else 1, 0)]]),
        ("stripes", "raid0", 0, 0, 5, [[(4, 0), (0, 0)]]),
        ("five", "left-symmetric", 5, 3, 5, [[(1, mega), (0, mega), (3, mega + 65536)]]),
        ("parts", "raid10", 1, 0, 5, [[(2, last), (4, 2 * mega)], [(0, 2 * mega + 4096), (1, 2 * mega)]]),
    ]
    disks = [struct.pack(">24sIHHQ", guid(f"disk{disk}"), 0x1000 + disk, 2, 1, PRIMARY - 8).ljust(64, b"\0")
             for disk in range(5)]
    virtual = [struct.pack(">24sHHHHBB", guid(volume[0]), unit, 0, 0, 0, 0, 2).ljust(48, b"\0") +
               ("data" if "same-name" in words else volume[0]).encode().ljust(16, b"\0")
               for unit, volume in enumerate(volumes)]
    for path in paths:
        with open(path, "wb") as file:
            file.truncate(SIZE)
    for seed, (name, lies, _, _, _, parts) in enumerate(volumes):
        volume_write(folder, name, lies, [(paths[disk], start) for part in parts for disk, start in part], seed)
    for disk, path in enumerate(paths):
        records = b"".join(
            ddf_config(name, level, qualifier, shift, parts, which, os.path.getsize(f"{folder}/want/{name}") // SECTOR)
            for name, _, level, qualifier, shift, parts in volumes
            for which, part in enumerate(parts) if disk in [at for at, _ in part])
        controller = bytearray(SECTOR)
        struct.pack_into(">II24s", controller, 0, 0xad111111, 0, guid("controller"))
        data = bytearray(SECTOR)
        struct.pack_into(">II24sI", data, 0, 0x33333333, 0, guid(f"disk{disk}"), 0x1000 + disk)
        configs = records.ljust(RECORDS * CONFIG_BLOCKS * SECTOR, b"\0")
        sections = [summed(controller), ddf_entries(0x22222222, disks), ddf_entries(0xdddddddd, virtual), configs,
                    summed(data)]
        place, at = [], 1
        for section in sections:
            place.append((at, len(section) // SECTOR))
            at += place[-1][1]
        place += [(0xffffffff, 0)] * 3
        with open(path, "r+b") as file:
            for kind, block in ((1, PRIMARY), (2, SECONDARY)):
                file.seek(block * SECTOR)
                file.write(ddf_header(kind, place) + b"".join(sections))
            file.seek(SIZE - SECTOR)
            file.write(ddf_header(0, place))


def main():
    folder = sys.argv[2]
    os.makedirs(os.path.join(folder, "want"), exist_ok=True)
    {"imsm": imsm, "ddf": ddf}[sys.argv[1]](folder, sys.argv[3:])


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of ZFS on images, written here without the program under test.

    zfs_label.py IMAGE [KEY=VALUE…] [-- IMAGE …]
                        each a sparse file of `image` bytes (64 MiB without it) with its four labels

KEYs: image, pool (name), type (mirror, raidz, draid, disk), nparity, disks (children), this (which child), ashift,
txg, state (0 active, 1 exported, 2 destroyed, 3 spare), tops (top-level vdevs), guid (of the pool; the vdevs' are
made of it), host=little|big (the order of the words outside the lists), labels (numbers with commas: which of the
four are written), broken (numbers: those whose sum is wrong).

As the ZFS On-Disk Specification (2006) says, chapters 1.2 and 1.3: a label has 8 KiB of nothing, 8 KiB for a boot
loader, 112 KiB of name-value list in XDR, and 128 KiB of uberblocks; the last 40 bytes of the list and of each
uberblock are a magic and SHA-256 over all of it with the place where it lies in the place of the sum.
"""
import hashlib
import os
import struct
import sys

LABEL = 256 << 10
UINT64, STRING, NVLIST, NVLISTS = 8, 9, 19, 20


def xdr_string(text):
    data = text.encode()
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def xdr_list(pairs):
    """Version 0, names are unique, the pairs, and an empty one."""
    out = struct.pack(">II", 0, 1)
    for name, value in pairs:
        if isinstance(value, int):
            kind, count, data = UINT64, 1, struct.pack(">Q", value)
        elif isinstance(value, str):
            kind, count, data = STRING, 1, xdr_string(value)
        elif value and isinstance(value[0], list):
            kind, count, data = NVLISTS, len(value), b"".join(xdr_list(one) for one in value)
        else:
            kind, count, data = NVLIST, 1, xdr_list(value)
        body = xdr_string(name) + struct.pack(">II", kind, count) + data
        out += struct.pack(">II", 8 + len(body), 8 + len(body)) + body
    return out + bytes(8)


def label_list(keys):
    pool, disks, this = keys["guid"], keys["disks"], keys["this"]
    leaves = [[("type", "disk"), ("id", child), ("guid", pool + 100 + child), ("path", f"/dev/disk/by-id/d{child}-part1"),
               ("whole_disk", 1), ("create_txg", 4)] for child in range(disks)]
    vdev = [("type", keys["type"]), ("id", 0), ("guid", pool + 1)]
    if keys["type"] == "disk":
        vdev = leaves[0]
    elif keys["type"] != "mirror":
        vdev.append(("nparity", keys["nparity"]))
    if keys["type"] == "draid":
        vdev += [("draid_ndata", 4), ("draid_nspares", 1), ("draid_ngroups", 2)]
    vdev = vdev + [("metaslab_array", 256), ("metaslab_shift", 29), ("ashift", keys["ashift"]),
                   ("asize", keys["image"] - (4 << 20) - 2 * LABEL), ("is_log", 0)]
    if keys["type"] != "disk":
        vdev.append(("children", leaves))
    pairs = [("version", 5000)]
    if keys["state"] != 3:
        pairs += [("name", keys["pool"]), ("state", keys["state"]), ("txg", keys["txg"]), ("pool_guid", pool),
                  ("errata", 0), ("hostid", 0x12345678), ("hostname", "testhost"), ("top_guid", vdev[2][1]),
                  ("guid", pool + 100 + this), ("vdev_children", keys["tops"]), ("vdev_tree", vdev),
                  ("features_for_read", [("com.delphix:hole_birth", 1), ("com.delphix:embedded_data", 1)])]
    else:
        pairs += [("state", 3), ("guid", pool + 100 + this)]
    return bytes([1, keys["host"] == "little", 0, 0]) + xdr_list(pairs)


def summed(data, offset, order):
    """The bytes with their last 40 as they must be."""
    body = data[:-40] + struct.pack(order + "Q", 0x0210da7ab10c7a11)
    digest = hashlib.sha256(body + struct.pack(order + "4Q", offset, 0, 0, 0)).digest()
    return body + struct.pack(order + "4Q", *struct.unpack(">4Q", digest))


def uberblock(keys, txg):
    order = "<" if keys["host"] == "little" else ">"
    head = struct.pack(order + "5Q", 0x00bab10c, 5000, txg, 12345678901234567890, 1700000000 + txg)
    size = 1 << min(max(keys["ashift"], 10), 13)
    return (head + bytes(128) + struct.pack(order + "Q", 5000)).ljust(size, b"\0")


def label(keys, offset, broken):
    order = "<" if keys["host"] == "little" else ">"
    out = bytearray(LABEL)
    out[16384:131072] = summed(label_list(keys).ljust(114688, b"\0"), offset + 16384, order)
    size = 1 << min(max(keys["ashift"], 10), 13)
    for txg in range(max(keys["txg"] - 5, 1), keys["txg"] + 1):
        at = 131072 + txg % (131072 // size) * size
        out[at:at + size] = summed(uberblock(keys, txg), offset + at, order)
    if broken:
        out[131071] ^= 1
    return out


def write(image, words):
    keys = {"image": 64 << 20, "pool": "tank", "type": "mirror", "nparity": 1, "disks": 2, "this": 0, "ashift": 12,
            "txg": 77, "state": 0, "tops": 1, "guid": 9000000000000000001, "host": "little", "labels": "0,1,2,3",
            "broken": ""}
    for word in words:
        key, value = word.split("=", 1)
        keys[key] = int(value, 0) if isinstance(keys[key], int) else value
    size = keys["image"] // LABEL * LABEL
    places = [0, LABEL, size - 2 * LABEL, size - LABEL]
    with open(image, "r+b" if os.path.exists(image) else "w+b") as file:
        file.truncate(keys["image"])
        for number in keys["labels"].split(","):
            file.seek(places[int(number)])
            file.write(label(keys, places[int(number)], number in keys["broken"].split(",")))


def main():
    words = []
    for word in sys.argv[1:] + ["--"]:
        if word == "--":
            write(words[0], words[1:])
            words = []
        else:
            words.append(word)


if __name__ == "__main__":
    main()

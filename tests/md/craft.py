#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of Linux MD arrays with chosen fields, written here without the program under test.

    craft.py IMAGE [KEY=VALUE…] [-- IMAGE …]
                        each a sparse file of 16 MiB with one superblock more; VALUE 0x… or decimal

KEY is a field of SUPER_1, or one of: minor (0, 1, 2), version=0.90, endian=big, checksum=wrong,
uuid (16 bytes in hexadecimal digits), name, roles (numbers with commas), bad=FIRST:COUNT,… for the
bad-block log, bitmap=CHUNK:DIRTY for a bitmap with so many bits set.
The offsets are those of Linux include/uapi/linux/raid/md_p.h.
"""
import os
import struct
import sys

SIZE = 16 << 20
SECTOR = 512
MAGIC = 0xa92b4efc
# name: (offset, format, default)
SUPER_1 = {
    "magic": (0, "I", MAGIC), "major": (4, "I", 1), "features": (8, "I", 0), "pad0": (12, "I", 0),
    "ctime": (64, "Q", 1700000000), "level": (72, "i", 5), "layout": (76, "I", 2),
    "size": (80, "Q", 28672), "chunk": (88, "I", 128), "raid_disks": (92, "I", 4), "bitmap_offset": (96, "i", 0),
    "new_level": (100, "i", 0), "reshape": (104, "Q", 0), "delta_disks": (112, "i", 0),
    "new_layout": (116, "I", 0), "new_chunk": (120, "I", 0), "new_offset": (124, "i", 0),
    "data_offset": (128, "Q", 2048), "data_size": (136, "Q", 28672), "super_offset": (144, "Q", 8),
    "recovery": (152, "Q", 0), "dev_number": (160, "I", 0), "corrected": (164, "I", 0),
    "devflags": (184, "B", 0), "bblog_shift": (185, "B", 0), "bblog_size": (186, "H", 8),
    "bblog_offset": (188, "i", 16), "utime": (192, "Q", 1700000001), "events": (200, "Q", 20),
    "resync": (208, "Q", 2**64 - 1), "max_dev": (220, "I", 128), "logical_block": (224, "I", 0),
}


def summed(values):
    total = sum(values)
    return (total & 0xffffffff) + (total >> 32)


def super_1(keys):
    minor = int(keys.get("minor", 2))
    place = {0: SIZE // SECTOR - 16, 1: 0, 2: 8}[minor]
    block = bytearray(4096)
    fields = {name: default for name, (_, _, default) in SUPER_1.items()}
    fields["super_offset"] = place
    if minor == 0:
        fields.update(data_offset=0, bblog_offset=-8)
    fields.update({name: int(value, 0) for name, value in keys.items() if name in SUPER_1})
    for name, (offset, form, _) in SUPER_1.items():
        struct.pack_into("<" + form, block, offset, fields[name])
    block[16:32] = bytes.fromhex(keys.get("uuid", "000102030405060708090a0b0c0d0e0f"))
    name = keys.get("name", "host:crafted").encode()
    block[32:32 + len(name)] = name
    block[168:184] = bytes([fields["dev_number"] + 1] * 16)
    roles = [int(role, 0) for role in keys.get("roles", "0,1,2,3").split(",")]
    for number in range(fields["max_dev"]):
        struct.pack_into("<H", block, 256 + 2 * number, roles[number] if number < len(roles) else 0xfffe)
    total = summed(struct.unpack_from(f"<{(256 + 2 * fields['max_dev']) // 4}I", block))
    struct.pack_into("<I", block, 216, total ^ (keys.get("checksum") == "wrong"))
    parts = [(place, block)]
    if "bad" in keys:
        entries = [entry.split(":") for entry in keys["bad"].split(",")]
        log = b"".join(struct.pack("<Q", int(first) << 10 | int(count)) for first, count in entries)
        parts.append((place + fields["bblog_offset"], log.ljust(4096, b"\xff")))
    if "bitmap" in keys:
        chunk, dirty = (int(word) for word in keys["bitmap"].split(":"))
        head = struct.pack("<II16sQQQIIIIII", 0x6d746962, 4, bytes(block[16:32]), fields["events"], fields["events"],
                           fields["size"], 0, chunk, 5, 0, 0, 0)
        bits = (2**dirty - 1).to_bytes((dirty + 7) // 8, "little")
        parts.append((place + fields["bitmap_offset"], head.ljust(256, b"\0") + bits))
    return parts


def super_0(keys):
    """A raid5 of four in the words of either byte order."""
    number = int(keys.get("dev_number", 0))
    words = [0] * 1024
    words[0:16] = [MAGIC, 0, 90, 0, 0, 0x11111111, 1700000000, 5, 14336, 4, 4, 0, 0, 0x22222222, 0x33333333, 0x44444444]
    words[32:39] = [1700000001, int(keys.get("state", "1"), 0), 4, 4, 0, 0, 0]
    events = int(keys.get("events", 20))
    big = keys.get("endian") == "big"
    words[39:41] = [events >> 32, events & 0xffffffff] if big else [events & 0xffffffff, events >> 32]
    words[64:66] = [2, 65536]
    for disk in range(4):
        words[128 + 32 * disk:133 + 32 * disk] = [disk, 8, 16 * disk, disk, 6]
    words[992:997] = words[128 + 32 * number:133 + 32 * number]
    words[38] = summed(words)
    return [(SIZE // SECTOR - 128, struct.pack((">" if big else "<") + "1024I", *words))]


def craft(image, words):
    keys = dict(word.split("=", 1) for word in words)
    with open(image, "r+b" if os.path.exists(image) else "w+b") as file:
        file.truncate(SIZE)
        for sector, data in super_0(keys) if keys.get("version") == "0.90" else super_1(keys):
            file.seek(sector * SECTOR)
            file.write(data)


def main():
    words = []
    for word in sys.argv[1:] + ["--"]:
        if word == "--":
            craft(words[0], words[1:])
            words = []
        else:
            words.append(word)


if __name__ == "__main__":
    main()

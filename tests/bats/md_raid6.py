#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put bytes into the images of a RAID-6 of Linux MD in the left-symmetric order, with their P and Q.

usage: md_raid6.py DATA DATA_OFFSET CHUNK IMAGE...

Written from the description of the order in the kernel's documentation, apart from the program under test.
"""
import sys

TWICE = bytes((b << 1) ^ (0x11d if b & 0x80 else 0) for b in range(256))


def xor(one, other):
    return (int.from_bytes(one, "little") ^ int.from_bytes(other, "little")).to_bytes(
        len(one), "little")


def main():
    data_path, offset, chunk = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    images = [open(path, "r+b") for path in sys.argv[4:]]
    count = len(images)
    with open(data_path, "rb") as data:
        stripe = 0
        while True:
            row = data.read(chunk * (count - 2))
            if not row:
                break
            row = row.ljust(chunk * (count - 2), b"\0")
            chunks = [row[i:i + chunk] for i in range(0, len(row), chunk)]
            parity = count - 1 - stripe % count
            p, q = bytes(chunk), bytes(chunk)
            for part in reversed(chunks):
                p = xor(p, part)
                q = xor(q.translate(TWICE), part)
            places = {parity: p, (parity + 1) % count: q}
            for i, part in enumerate(chunks):
                places[(parity + 2 + i) % count] = part
            for member, part in places.items():
                images[member].seek(offset + stripe * chunk)
                images[member].write(part)
            stripe += 1
    for image in images:
        image.close()


main()

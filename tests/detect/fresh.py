#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgctl detect on arrays drawn by a seed: other content and other parameters than the list of arrays.py has.

Aim: figures by level and by kind of content on arrays that nobody tuned anything for; no wrong layout with a confidence
of 0.99.
Method: each seed draws level, order, members, chunk, offset, the missing member and a kind of content: a disk with
partitions, a tar file, what a program prints, documents, samples, a database, a disk that is half zeros, records.

    fresh.py FIRST END [--kind KIND] [--level N] [--bytes N] [--keep FOLDER]     PGCTL names the program
"""
import argparse
import base64
import collections
import functools
import io
import itertools
import json
import math
import os
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import uuid
import zipfile
import zlib

import arrays
import run

MIB = 1 << 20


# ---- files

def words(rng, count):
    """Words of a made-up language, the frequent ones short."""
    ends = ["", "", "s", "ed", "ing", "er", "ly", "tion"]
    return [rng.choice("bcdfghklmnprstvw") + rng.choice("aeiou") + rng.choice(["", "n", "r", "st", "ll", "t", "m"]) +
            (rng.choice("bcdfgklmnprst") + rng.choice("aeiou") if i > count // 4 else "") + rng.choice(ends)
            for i in range(count)]


def prose(rng, size):
    own, out, total = words(rng, 400), [], 0
    while total < size:
        line = " ".join(own[int(len(own) * rng.random() ** 2)] for _ in range(rng.randrange(6, 22))).capitalize() + ".\n"
        out.append(line)
        total += len(line)
    return "".join(out).encode()[:size]


def json_lines(rng, size):
    out, number, own = [], rng.randrange(10**7), words(rng, 60)
    while len(out) * 110 < size:
        number += rng.randrange(1, 4)
        out.append(json.dumps({"id": number, "user": rng.choice(own), "ok": rng.random() < 0.8, "score": round(rng.gauss(50, 20), 3),
                               "tags": rng.sample(own, 2), "at": 1700000000 + number}) + "\n")
    return "".join(out).encode()[:size]


def csv_text(rng, size):
    out, value, own = ["time,sensor,value,state\n"], 20.0, words(rng, 8)
    for i in range(size // 30):
        value += rng.gauss(0, 0.3)
        out.append(f"{1690000000 + i * 15},{rng.choice(own)},{value:.2f},{rng.randrange(3)}\n")
    return "".join(out).encode()[:size]


def mail(rng, size):
    out = bytearray()
    while len(out) < size:
        out += f"From {rng.choice(words(rng, 9))}@example.org\nMessage-ID: <{rng.getrandbits(64):x}@mail>\nSubject: ".encode()
        out += prose(rng, rng.randrange(300, 4000)) + b"\n"
        if rng.random() < 0.5:
            out += base64.encodebytes(rng.randbytes(rng.randrange(2000, 60000))) + b"\n"
    return bytes(out[:size])


def samples(rng, size):
    """Sound: 16 bits, a few tones and some noise."""
    tones = [(rng.uniform(0.005, 0.2), rng.uniform(500, 6000)) for _ in range(3)]
    body = struct.pack(f"<{size // 2}h", *(int(sum(a * math.sin(f * i) for f, a in tones) + rng.gauss(0, 40))
                                           for i in range(size // 2)))
    return (b"RIFF" + size.to_bytes(4, "little") + b"WAVEfmt " + body)[:size]


def picture(rng, size):
    """Pixels of 24 bits without compression."""
    width, out, a, b = rng.choice([320, 640, 1000]), bytearray(b"BM" + bytes(52)), rng.uniform(1, 9), rng.uniform(1, 9)
    row = 0
    while len(out) < size:
        out += bytes(int(128 + 100 * math.sin((x // 3 + row * a) / 99 + x % 3 * b)) & 255 for x in range(width * 3))
        row += 1
    return bytes(out[:size])


def jpeg(rng, size):
    """Tables and then bytes of full entropy, with 00 behind each FF."""
    head = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xdb\0\x43\0" + bytes(range(8, 72))
    return head + rng.randbytes(size).replace(b"\xff", b"\xff\0")[:size] + b"\xff\xd9"


def archive(rng, size):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        while out.tell() < size:
            file.writestr(zipfile.ZipInfo(f"part/{rng.getrandbits(32):08x}.txt"), prose(rng, 60000) + rng.randbytes(3000))
    return out.getvalue()


def records(rng, size):
    """Of a ledger: a key that grows, times, amounts, a checksum."""
    out, key, when = [], rng.getrandbits(24), 1.7e9
    for _ in range(size // 40):
        key += 1
        when += rng.expovariate(1)
        body = struct.pack("<QdIIq", key, when, rng.randrange(300), rng.choice([0, 1, 1, 7]), int(rng.gauss(0, 10**6)))
        out.append(body + struct.pack("<II", zlib.crc32(body), 0))
    return b"".join(out)[:size]


def floats(rng, size):
    out, value = [], rng.gauss(0, 10)
    for _ in range(size // 8):
        value += rng.gauss(0, 0.01)
        out.append(value)
    return struct.pack(f"<{len(out)}d", *out)


def hex_dump(rng, size):
    data, out = rng.randbytes(size // 4), []
    for i in range(0, len(data), 16):
        out.append(f"{i:08x}  {data[i:i + 16].hex(' ')}\n")
    return "".join(out).encode()[:size]


@functools.cache
def machine_names(folder):
    return tuple(itertools.islice((os.path.join(at, name) for at, _, names in os.walk(folder) for name in names), 8000))


def machine(rng, _size):
    found = machine_names(rng.choice(["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/share", "/usr/include", "/usr/lib/python3",
                                      "/etc"])) or [__file__]
    for name in rng.sample(found, min(len(found), 60)):
        if os.path.isfile(name) and os.access(name, os.R_OK) and 1000 < os.path.getsize(name) < 3 * MIB:
            with open(name, "rb") as file:
                return file.read()
    return prose(rng, 20000)


def database(rng, size):
    import sqlite3
    with tempfile.TemporaryDirectory() as folder:
        base = sqlite3.connect(folder + "/a.db")
        base.execute(f"pragma page_size={rng.choice([1024, 4096, 8192])}")
        base.execute("create table person(id integer primary key, name text, mail text, born integer)")
        base.execute("create table visit(person integer, at real, place text, note blob)")
        own = words(rng, 300)
        while os.path.getsize(folder + "/a.db") < size:
            first = base.execute("select count(*) from person").fetchone()[0]
            for i in range(first, first + 2000):
                base.execute("insert into person values(?,?,?,?)",
                             (i, rng.choice(own), rng.choice(own) + "@example.net", rng.randrange(1930, 2010)))
                base.execute("insert into visit values(?,?,?,?)", (rng.randrange(i + 1), 1.6e9 + i * 7.5, rng.choice(own),
                                                                   rng.randbytes(rng.randrange(60))))
            base.commit()
        base.execute("create index by_name on person(name, born)")
        base.commit()
        base.close()
        with open(folder + "/a.db", "rb") as file:
            return file.read()


MAKERS = {"prose": prose, "json": json_lines, "csv": csv_text, "mail": mail, "samples": samples, "picture": picture,
          "jpeg": jpeg, "zip": archive, "records": records, "floats": floats, "hex": hex_dump, "sqlite": database,
          "machine": machine, "random": lambda rng, size: rng.randbytes(size), "zeros": lambda rng, size: bytes(size)}


def file_of(rng, weights, least=12, most=20):
    kind = rng.choices(list(weights), list(weights.values()))[0]
    return MAKERS[kind](rng, int(2 ** rng.uniform(least, most)))


def row_of_files(rng, size, weights, aligned, most=20):
    out = bytearray()
    while len(out) < size:
        out += file_of(rng, weights, most=most)
        if aligned:
            out += bytes(-len(out) % aligned)
    return bytes(out[:size])


# ---- volumes

OFFICE = {"prose": 4, "machine": 8, "mail": 3, "jpeg": 6, "zip": 4, "sqlite": 2, "csv": 2, "json": 2, "picture": 1, "samples": 1}
SERVER = {"json": 4, "machine": 6, "sqlite": 4, "csv": 3, "records": 3, "random": 4, "zip": 3, "hex": 1, "zeros": 1}


def file_system(rng, size, weights, fill, block):
    with tempfile.TemporaryDirectory() as folder:
        total, number = 0, 0
        while True:
            piece = file_of(rng, weights, 10)
            total += len(piece) + 4096
            if total > size * fill:
                break
            under = os.path.join(folder, "tree", f"{number % 7}", f"{number % 31}")
            os.makedirs(under, exist_ok=True)
            with open(os.path.join(under, f"{rng.getrandbits(40):010x}"), "wb") as file:
                file.write(piece)
            number += 1
        name = os.path.join(folder, "image")
        subprocess.run(["mke2fs", "-q", "-t", rng.choice(["ext4", "ext4", "ext3"]), "-F", "-b", str(block), "-d", folder + "/tree",
                        name, f"{size >> 10}k"], check=True, stdout=subprocess.DEVNULL)
        with open(name, "rb") as file:
            return file.read()


def partitioned(rng, size, gpt):
    begin = MIB
    part = file_system(rng, size - 2 * MIB, OFFICE if rng.random() < 0.5 else SERVER, 0.75, rng.choice([1024, 4096, 4096]))
    out = bytearray(begin) + part + bytes(size - begin - len(part))
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xee if gpt else 0x83, b"\xff" * 3, 1 if gpt else begin // 512,
                        size // 512 - 1)
    out[446:462] = entry
    out[510:512] = b"\x55\xaa"
    if not gpt:
        out[:440] = rng.randbytes(440)
        return bytes(out)
    table = bytearray(128 * 128)
    table[:128] = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le + rng.randbytes(16) + struct.pack(
        "<QQQ", begin // 512, size // 512 - 100, 0) + "data".encode("utf-16-le").ljust(72, b"\0")
    out[1024:1024 + len(table)] = table
    head = bytearray(struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, 1, size // 512 - 1, 34, size // 512 - 34,
                                 rng.randbytes(16), 2, 128, 128, zlib.crc32(table)))
    head[16:20] = zlib.crc32(head).to_bytes(4, "little")
    out[512:512 + len(head)] = head
    return bytes(out)


def tar_file(rng, size):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        while out.tell() < size:
            piece = file_of(rng, OFFICE, 10)
            info = tarfile.TarInfo(f"home/{rng.getrandbits(40):010x}")
            info.size = len(piece)
            tar.addfile(info, io.BytesIO(piece))
    return out.getvalue()[:size]


def half_zeros(rng, size):
    """Islands of files among zeros, as a thin disk has them: 30 to 60 % are zeros."""
    share, out = rng.uniform(0.3, 0.6), bytearray(rng.randbytes(4096))
    while len(out) < size:
        island = row_of_files(rng, int(2 ** rng.uniform(14, 21)), OFFICE, 4096, 18)
        out += island + bytes(int(len(island) * share / (1 - share)) // 4096 * 4096)
    return bytes(out[:size])


def simple(rng, size):
    """What is quickly written as mixed content: stretches of one kind and one size."""
    step = rng.randrange(9, 1100) * 1024
    kinds = [lambda i: rng.randbytes(step), lambda i: bytes(step), lambda i: prose(rng, step),
             lambda i: "".join(f"line {n:012d} of block {i}\n" for n in range(step // 28)).encode()[:step].ljust(step, b"."),
             lambda i: struct.pack(f"<{step // 4}I", *range(i * step, i * step + step // 4)) if i * step + step < 1 << 32 else
             bytes(step), lambda i: machine(rng, 0).ljust(step, b"\0")[:step]]
    out, i = bytearray(), 0
    while len(out) < size:
        out += kinds[i % len(kinds) if rng.random() < 0.5 else rng.randrange(len(kinds))](i)
        i += 1
    return bytes(out[:size])


VOLUMES = collections.OrderedDict([
    ("ext", lambda rng, size: file_system(rng, size, OFFICE, rng.uniform(0.5, 0.85), rng.choice([1024, 4096, 4096]))),
    ("mbr", lambda rng, size: partitioned(rng, size, False)),
    ("gpt", lambda rng, size: partitioned(rng, size, True)),
    ("tar", tar_file),
    ("office", lambda rng, size: row_of_files(rng, size, OFFICE, 4096)),
    ("server", lambda rng, size: row_of_files(rng, size, SERVER, rng.choice([0, 512, 4096]))),
    ("islands", half_zeros),
    ("simple", simple),
    ("database", lambda rng, size: database(rng, size)[:size].ljust(size, b"\0")),
    ("logs", lambda rng, size: row_of_files(rng, size, {"json": 3, "csv": 3, "mail": 1}, 0, 22)),
    ("dense", lambda rng, size: row_of_files(rng, size, {"jpeg": 6, "zip": 4, "random": 4, "prose": 2, "machine": 2}, 4096)),
])


# ---- arrays

def draw(seed, kind, level, parameters=None):
    rng = random.Random(seed * 104729 + 17)
    level = level if level is not None else rng.choice([0, 0, 1, 4, 5, 5, 5, 5, 6, 6, 6, 10, 10, 10])
    least = {0: 2, 1: 2, 4: 3, 5: 3, 6: 4, 10: 2}[level]
    most = {0: 6, 1: 3, 4: 6, 5: 8, 6: 8, 10: 6}[level]
    spec = {"number": seed, "seed": seed, "level": level, "n": rng.randrange(least, most + 1), "order": "",
            "chunk": 4096 << rng.randrange(9) if level != 1 else 0,
            "offset": rng.choice([0, 0, 65536, MIB, MIB, 2 * MIB, 131072, 4096]),
            "content": kind or rng.choice(list(VOLUMES)), "wipe": rng.choice(["zero", "zero", "random"]), "missing": None,
            "tail": rng.choice([0, 0, 0, 4096, 65536])}
    if level == 5:
        spec["order"] = rng.choice(["left-symmetric", "left-asymmetric", "right-symmetric", "right-asymmetric"])
    if level == 6:
        spec["order"] = rng.choice(["left-symmetric", "left-symmetric", "left-asymmetric", "right-symmetric", "right-asymmetric",
                                    "ddf-N-continue", "ddf-zero-restart", "ddf-N-restart"])
    if level == 10:
        spec["order"] = rng.choice("nfo") + "2"
        if spec["n"] == 2:
            spec["n"] = 4 if spec["order"] == "n2" else 3
        spec.update(near=2 if spec["order"] == "n2" else 1, far=1 if spec["order"] == "n2" else 2,
                    offset_copies=spec["order"] == "o2")
    if level and rng.random() < 0.7:
        spec["missing"] = rng.randrange(spec["n"])
    if level == 1 and spec["n"] == 2:
        spec["missing"] = None
    spec.update(parameters or {})
    return spec


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    parser.add_argument("--kind", choices=list(VOLUMES))
    parser.add_argument("--level", type=int, choices=[0, 1, 4, 5, 6, 10])
    parser.add_argument("--bytes", type=int, default=64 * MIB)
    parser.add_argument("--keep", help="leave those that go wrong here")
    args = parser.parse_args()
    by, sure, late = collections.Counter(), 0, 0
    arrays.content = lambda rng, kind, size: VOLUMES[kind](rng, size)
    for seed in range(args.first, args.end):
        spec = draw(seed, args.kind, args.level)
        with tempfile.TemporaryDirectory() as scratch:
            good, too_sure, too_late = run.try_one(spec, scratch, args.bytes)
            if args.keep and not good:
                os.makedirs(args.keep, exist_ok=True)
                subprocess.run(["cp", "-r", "--sparse=always", scratch, f"{args.keep}/{seed}"], check=True)
        for what in (f"raid{spec['level']}", spec["content"], "all"):
            by[what, "all"] += 1
            by[what, "first"] += good
        sure += too_sure
        late += too_late
    for what, count in sorted((what, n) for (what, k), n in by.items() if k == "all"):
        print(f"{what:10} {by[what, 'first']:3} of {count:3} first")
    print(f"{sure} too sure of something wrong, {late} took longer than {run.SECONDS_MAX} s")
    return 1 if sure or late else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays whose layout is to be found from their content alone, and the truth about them.

    arrays.py FOLDER NUMBER [--bytes N] [--content KIND]     array NUMBER of the list into FOLDER: images with shuffled names, truth.json
    arrays.py --list                        what the numbers are

Each is made here sector by sector by the pictures of md(4), without the program under test: 64 MiB of mixed content
(an ext4 file system with files, or text, programs, compressed and random bytes, tables and zeros behind each other),
placed by level, order, chunk, offset and members; before the offset nothing is left but zeros or random bytes; one
member is taken away where the level allows it. The same number gives the same array on one machine.
"""
import argparse
import glob
import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile

MIB = 1 << 20


# ---- content

def machine_files(rng, pattern, count, most):
    """Bytes of some files of this machine."""
    names = [name for name in sorted(glob.glob(pattern, recursive=True)) if os.path.isfile(name) and
             2000 < os.path.getsize(name) < most and not os.path.islink(name)]
    rng.shuffle(names)
    for name in names[:count]:
        with open(name, "rb") as file:
            yield file.read()


def log_text(rng, size):
    """Lines with a counter, as logs have them."""
    lines, total, number, second = [], 0, rng.randrange(10**6), rng.randrange(86400)
    words = ["accepted", "closed", "read", "written", "slow", "retry", "member", "volume", "lease", "denied", "user"]
    while total < size:
        number += 1
        second += rng.randrange(3)
        line = (f"2026-03-{1 + second // 86400 % 28:02} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02} "
                f"host{rng.randrange(9)} [{number}] {rng.choice(words)} {rng.choice(words)} {rng.randrange(10**5)}\n")
        lines.append(line)
        total += len(line)
    return "".join(lines).encode()[:size]


def table(rng, size):
    """Records of a fixed size with a few fields."""
    width, out, key = rng.choice([16, 24, 32, 48, 64]), bytearray(), rng.randrange(2**20)
    base = rng.randbytes(width)
    while len(out) < size:
        key += rng.randrange(1, 5)
        record = bytearray(base)
        record[0:4] = key.to_bytes(4, "little")
        record[6:8] = rng.randbytes(2)
        out += record
    return bytes(out[:size])


def sqlite_file(rng, size):
    import sqlite3
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "a.db")
        base = sqlite3.connect(name)
        base.execute("create table events(id integer primary key, who text, what text, amount real)")
        rows = size // 90
        base.executemany("insert into events(who, what, amount) values(?, ?, ?)",
                         ((f"user{rng.randrange(500)}", "transfer to " + "".join(rng.choices("abcdefgh ", k=30)),
                           rng.random() * 1000) for _ in range(rows)))
        base.commit()
        base.close()
        with open(name, "rb") as file:
            return file.read()


def pieces(rng):
    """Endless: one piece of content after the other, each a file."""
    text = list(machine_files(rng, "/usr/share/**/*.p[lmy]", 60, MIB)) + \
        list(machine_files(rng, "/usr/include/**/*.h", 60, MIB)) + \
        list(machine_files(rng, "/usr/lib/python3*/**/*.py", 80, MIB)) + \
        list(machine_files(rng, "/usr/share/doc/**/copyright", 40, MIB))
    binary = list(machine_files(rng, "/usr/bin/*", 12, 4 * MIB)) + \
        list(machine_files(rng, "/usr/lib/x86_64-linux-gnu/*.so*", 8, 4 * MIB))
    while True:
        kind = rng.choices(["text", "many", "log", "elf", "gz", "random", "zeros", "table", "sqlite"],
                           [16, 10, 10, 14, 14, 10, 10, 6, 5])[0]
        size = int(4096 * 2 ** (rng.random() * 9))
        if kind == "text":
            yield rng.choice(text)
        elif kind == "many":
            yield b"".join(rng.sample(text, min(len(text), 12)))
        elif kind == "log":
            yield log_text(rng, size)
        elif kind == "elf":
            yield rng.choice(binary)
        elif kind == "gz":
            yield gzip.compress(b"".join(rng.sample(text, min(len(text), 20))) + rng.randbytes(1000), mtime=0)
        elif kind == "random":
            yield rng.randbytes(size)
        elif kind == "zeros":
            yield bytes(size)
        elif kind == "table":
            yield table(rng, size)
        else:
            yield sqlite_file(rng, max(size, 65536))


def ext4(rng, size):
    block = rng.choice([1024, 4096, 4096])
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "tree")
        os.makedirs(tree)
        total, number = 0, 0
        for piece in pieces(rng):
            total += len(piece) + 8192
            if total > size * 0.8:
                break
            under = os.path.join(tree, f"dir{number % 23}")
            os.makedirs(under, exist_ok=True)
            with open(os.path.join(under, f"file-{number:05}"), "wb") as file:
                file.write(piece)
            os.utime(os.path.join(under, f"file-{number:05}"), (1700000000 + number, 1700000000 + number))
            number += 1
        image = os.path.join(folder, "image")
        env = {**os.environ, "E2FSPROGS_FAKE_TIME": "1700000000"}
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", "-b", str(block), "-U", "4d5e6f70-0102-0304-0506-0708090a0b0c",
                        "-E", "hash_seed=4d5e6f70-0102-0304-0506-0708090a0b0c", "-d", tree, image, f"{size >> 10}k"],
                       check=True, env=env, stdout=subprocess.DEVNULL)
        with open(image, "rb") as file:
            return file.read()


def stream(rng, size, aligned):
    out = bytearray()
    for piece in pieces(rng):
        if not out and not piece[:4096].strip(b"\0"):
            continue
        out += piece
        if aligned:
            out += bytes(-len(out) % 4096)
        if len(out) >= size:
            return bytes(out[:size])
    return b""


def content(rng, kind, size):
    if kind == "ext4":
        return ext4(rng, size)
    if kind == "random":
        return rng.randbytes(size)
    if kind == "log":
        return log_text(rng, size)
    return stream(rng, size, kind == "files")


# ---- placing

def parity_row(order, n, checks, s):
    """One row of a RAID-4, 5 or 6: what each position holds, "P", "Q" or the number of the data chunk."""
    row = [None] * n
    if checks == 2 and order.endswith("-6"):
        return parity_row(order[:-2], n - 1, 1, s) + ["Q"]
    if order in ("left-asymmetric", "left-symmetric", "ddf-N-continue"):
        p = n - 1 - s % n
    elif order in ("right-asymmetric", "right-symmetric", "ddf-zero-restart"):
        p = s % n
    elif order == "ddf-N-restart":
        p = n - 1 - (s + 1) % n
    else:
        p = 0 if order == "parity-first" else n - checks
    row[p] = "P"
    if checks == 2:
        row[(p - 1) % n if order == "ddf-N-continue" else (p + 1) % n] = "Q"
    if order.endswith("-symmetric") or order == "ddf-N-continue":
        places = [(p + 1 + i) % n for i in range(n)]
    else:
        places = range(n)
    number = 0
    for place in places:
        if row[place] is None:
            row[place] = number
            number += 1
    return row


def gf_table(power):
    out = bytearray()
    for value in range(256):
        for _ in range(power):
            value = value << 1 ^ (0x11d if value & 128 else 0)
        out.append(value)
    return bytes(out)


GF = [gf_table(power) for power in range(32)]


def as_int(data):
    return int.from_bytes(data, "little")


def checks_of(row, data, ddf):
    """P, and Q whose powers count from the member behind Q, in DDF's orders from the first."""
    p = q = 0
    for chunk in data:
        p ^= as_int(chunk)
    if "Q" in row:
        n, power = len(row), 0
        start = 0 if ddf else row.index("Q") + 1
        for place in range(start, start + n):
            what = row[place % n]
            if isinstance(what, int):
                q ^= as_int(data[what].translate(GF[power]))
            power += 1 if ddf else isinstance(what, int)
    size = len(data[0])
    return p.to_bytes(size, "little"), q.to_bytes(size, "little")


def place_parity(spec, volume):
    n, chunk, checks = spec["n"], spec["chunk"], 2 if spec["level"] == 6 else 1
    members, k = [bytearray() for _ in range(n)], n - checks
    for s in range(len(volume) // (k * chunk)):
        row = parity_row(spec["order"], n, checks, s)
        data = [volume[(s * k + i) * chunk:(s * k + i + 1) * chunk] for i in range(k)]
        p, q = checks_of(row, data, spec["order"].startswith("ddf"))
        for place, what in enumerate(row):
            members[place] += p if what == "P" else q if what == "Q" else data[what]
    return members


def place_copies(spec, volume):
    n, chunk, near, far = spec["n"], spec["chunk"], spec["near"], spec["far"]
    slots, row = [], []
    for number in range(len(volume) // chunk):
        row += [volume[number * chunk:(number + 1) * chunk]] * near
        while len(row) >= n:
            slots.append(row[:n])
            row = row[n:]
    if spec["offset_copies"]:
        turned = []
        for row in slots:
            for copy in range(far):
                turned.append([row[(i - copy * near) % n] for i in range(n)])
        slots = turned
    members = [bytearray(b"".join(row[i] for row in slots)) for i in range(n)]
    if far > 1 and not spec["offset_copies"]:
        first = [bytes(member) for member in members]
        for copy in range(1, far):
            for i in range(n):
                members[i] += first[(i - copy * near) % n]
    return members


def place(spec, volume):
    if spec["level"] == 0:
        n, chunk = spec["n"], spec["chunk"]
        rows = len(volume) // (n * chunk)
        return [bytearray(b"".join(volume[(s * n + i) * chunk:(s * n + i + 1) * chunk] for s in range(rows)))
                for i in range(n)]
    if spec["level"] == 1:
        return [bytearray(volume) for _ in range(spec["n"])]
    if spec["level"] == 10:
        return place_copies(spec, volume)
    return place_parity(spec, volume)


# ---- the list

OFFSETS = [0, MIB, 2 * MIB, 8192, 65536, MIB, 4096, 262144]
KINDS = ["ext4", "files", "stream", "ext4", "stream"]
SHAPES = [
    (0, "", 2), (0, "", 3), (0, "", 4), (0, "", 5), (0, "", 6),
    (1, "", 2), (1, "", 3),
    (4, "", 3), (4, "", 4), (4, "", 5),
    (5, "left-symmetric", 3), (5, "left-symmetric", 4), (5, "left-symmetric", 5), (5, "left-symmetric", 6),
    (5, "left-asymmetric", 3), (5, "left-asymmetric", 4), (5, "left-asymmetric", 5),
    (5, "right-symmetric", 4), (5, "right-symmetric", 5), (5, "right-asymmetric", 4), (5, "right-asymmetric", 6),
    (5, "parity-first", 4), (5, "left-symmetric", 7), (5, "left-symmetric", 8),
    (6, "left-symmetric", 4), (6, "left-symmetric", 5), (6, "left-symmetric", 6), (6, "left-asymmetric", 5),
    (6, "right-symmetric", 5), (6, "right-asymmetric", 6), (6, "ddf-N-continue", 5), (6, "ddf-zero-restart", 5),
    (6, "left-symmetric-6", 5),
    (10, "n2", 4), (10, "n2", 5), (10, "n2", 6), (10, "f2", 4), (10, "f2", 3), (10, "o2", 4), (10, "o2", 5),
]


def specs():
    for number, (level, order, n) in enumerate(SHAPES):
        rng = random.Random(number * 7919 + 5)
        spec = {"number": number, "level": level, "order": order, "n": n, "seed": number + 1,
                "chunk": 4096 << (number * 4 + number // 9) % 9, "offset": OFFSETS[(number * 3 + number // 8) % 8],
                "content": KINDS[number % 5], "wipe": "random" if number % 4 == 3 else "zero", "missing": None,
                "tail": rng.choice([0, 0, 4096, 65536])}
        if level == 10:
            spec.update(near=2 if order[0] == "n" else 1, far=1 if order[0] == "n" else 2, offset_copies=order[0] == "o")
        if level == 1:
            spec["chunk"] = 0
        if level and number % 5 != 4:
            spec["missing"] = rng.randrange(n)
        yield spec
    base = {"order": "", "n": 4, "chunk": 65536, "offset": MIB, "wipe": "zero", "missing": None, "tail": 0}
    yield {**base, "number": 40, "level": 0, "seed": 900, "content": "random"}
    yield {**base, "number": 41, "level": 0, "seed": 901, "content": "random", "n": 3, "chunk": 16384, "offset": 0}


def make(folder, spec, size):
    rng = random.Random(spec["seed"])
    volume = content(rng, spec["content"], size)
    members = place(spec, volume)
    names = [f"disk-{letter}.img" for letter in "abcdefghijklmnop"[:spec["n"]]]
    rng.shuffle(names)
    truth = dict(spec, members=[], bytes=0)
    for position, (name, member) in enumerate(zip(names, members)):
        gone = position == spec["missing"]
        truth["members"].append(None if gone else name)
        if gone:
            continue
        before = bytes(spec["offset"]) if spec["wipe"] == "zero" else rng.randbytes(spec["offset"])
        with open(os.path.join(folder, name), "wb") as file:
            file.write(before + member + bytes(spec["tail"]))
    columns = {0: spec["n"], 1: 1, 4: spec["n"] - 1, 5: spec["n"] - 1, 6: spec["n"] - 2}
    if spec["level"] == 10:
        truth["bytes"] = len(members[0]) * spec["n"] // spec["near"] // spec["far"]
    else:
        truth["bytes"] = len(members[0]) * columns[spec["level"]]
    truth["sha256"] = hashlib.sha256(volume[:truth["bytes"]]).hexdigest()
    with open(os.path.join(folder, "truth.json"), "w", encoding="utf-8") as file:
        json.dump(truth, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("number", nargs="?", type=int)
    parser.add_argument("--bytes", type=int, default=64 * MIB)
    parser.add_argument("--content", help="log: lines of text, which is fast")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    all_specs = list(specs())
    if args.list:
        for spec in all_specs:
            print(json.dumps(spec))
        return 0
    if args.number is None:
        parser.error("FOLDER and NUMBER are wanted")
    os.makedirs(args.folder, exist_ok=True)
    spec = all_specs[args.number]
    if args.content:
        spec["content"] = args.content
    make(args.folder, spec, args.bytes)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure pgctl's commands against what this machine does with the same bytes in the same run.

Every run makes an array of six members, puts a file into it that fills nine tenths, scrubs it, gets
the file back, loses a member, gets the file again and rebuilds the member. Beside each command, in
turn before and after it, runs its ceiling: bench/ceiling does the same bytes and nothing else, or cp
copies the file. What counts is the ratio of the two within one run, and of those the median: rates
alone say more about the machine and its other guests. Where no disk is in the way the CPU seconds of
a gigabyte are the steadier figure.

Prints one JSON line for each comparison and a table at the end. GB/s are bytes of all members, of put
and get bytes of the file. A file that is written is flushed in both. Times of pgctl are of the whole
process, those of the ceiling without its start. Ends with 0 unless something did not run.

With --small: tasks that write single blocks, each durable before the next, against as many tasks that do
pwrite and fdatasync on one file, in each journal mode; with the records of the intent log, flushes and
operations of all members for each write. A round is one record. Beside it, as `cells`, what the cells alone
cost: tasks that read and write the two cells of a row of single parity directly, with no log, no flush and
nothing durable. Ratios of tmpfs, where a flush does nothing, tell only what the processor costs.

With --recovery: arrays of several sizes are left with a log that is full of contents, or of late seals, and
opened again; seconds, and bytes by what they were read and written for. A scrub follows.

Environment: PGCTL the program, BENCH_BIN the folder of bench/ceiling, BENCH_DIR the folder on a disk.
"""
import argparse
import collections
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MEMBERS = 6
MIB = 1 << 20
FILL = 0.9  # of what the members hold
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PGCTL = os.path.abspath(os.environ.get("PGCTL", os.path.join(ROOT, "pgctl")))
CEILING = os.path.join(os.environ.get("BENCH_BIN", os.path.join(ROOT, "build/release/bench")),
                       "ceiling")

# Options of create; columns of a group and how many of them are checks, for the ceiling.
Layout = collections.namedtuple("Layout", "options width checks")
LAYOUTS = {
    "parity-1": Layout(["--layout", "parity", "--parity", "1", "--width", "6"], 6, 1),
    "parity-2": Layout(["--layout", "parity", "--parity", "2", "--width", "6"], 6, 2),
    "parity-3": Layout(["--layout", "parity", "--parity", "3", "--width", "6"], 6, 3),
    "sequential": Layout(["--layout", "sequential", "--width", "6"], 6, 1),
    "mirror": Layout(["--layout", "mirror", "--copies", "2"], 2, 1),
}

# (place, command, reference): what this version shall reach, what all of it is for.
GOALS = {
    ("tmpfs", "scrub", "ceiling"): (0.7, 0.9),
    ("disk", "scrub", "read"): (0.9, 0.97),
    ("tmpfs", "rebuild", "ceiling"): (0.7, 0.9),
    ("disk", "rebuild", "ceiling"): (0.9, 0.95),
    ("tmpfs", "put", "ceiling"): (None, 0.85),
    ("disk", "put", "ceiling"): (None, 0.85),
    ("tmpfs", "get", "cp"): (None, 1.0),
    ("disk", "get", "cp"): (None, 1.0),
    ("tmpfs", "get degraded", "cp"): (None, 0.8),
    ("disk", "get degraded", "cp"): (None, 0.8),
}
# Scrub of more checks against one check, from the medians of both.
CHECKS_GOALS = {"parity-2": 0.85, "parity-3": 0.75}

# What one process did.
Sample = collections.namedtuple("Sample", "bytes seconds cpu_seconds")


class Failed(Exception):
    """A command did not end as it should."""


def run(command, good=(0,)):
    """Run a command; (standard output, seconds, CPU seconds)."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        text = output.read().decode()
        if process.returncode not in good:
            raise Failed(f"{' '.join(command)}\nended with {process.returncode}\n"
                         f"{text}{errors.read().decode()}")
    return text, seconds, usage.ru_utime + usage.ru_stime


def pgctl(*words, good=(0,)):
    """Run pgctl; (its JSON document, seconds, CPU seconds)."""
    text, seconds, cpu = run([PGCTL, *words, "--json", "--yes"], good)
    return json.loads(text), seconds, cpu


def spread(path, size, block):
    """Write `size` bytes that do not compress."""
    with open(path, "wb") as file:
        for at in range(0, size, len(block)):
            file.write(block[:size - at])
        file.flush()
        os.fsync(file.fileno())


class Bench:
    """One layout in one place: its files, and the samples of all commands."""

    def __init__(self, place, folder, layout, args):
        self.place, self.folder, self.layout, self.args = place, folder, layout, args
        self.shape = LAYOUTS[layout]
        self.array = os.path.join(folder, "array")
        self.source = os.path.join(folder, "source")
        data = (self.shape.width - self.shape.checks) / self.shape.width
        stripe = MIB * (self.shape.width - self.shape.checks)
        size = int(MEMBERS * args.size * data * FILL)
        self.size = size - size % stripe
        self.pairs = collections.defaultdict(list)

    def path(self, name):
        return os.path.join(self.folder, name)

    def members(self):
        return [os.path.join(self.array, f"m{i}.img") for i in range(MEMBERS)]

    def forget(self):
        """Nothing of these files stays in the page cache."""
        if self.place == "tmpfs":
            return
        for folder, _, names in os.walk(self.folder):
            for name in names:
                fd = os.open(os.path.join(folder, name), os.O_RDONLY)
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(fd)

    def ceiling(self, verb, *files, scale=None):
        """Run bench/ceiling; `scale`: count so many bytes instead of what it moved."""
        words = [CEILING, "--threads", str(self.args.threads), "--checks", str(self.shape.checks)]
        if verb in ("scrub", "put"):
            words += ["--width", str(self.shape.width)]
        if self.place == "disk":
            words += ["--direct", "--piece", str(MIB), "--sets", "2"]
        text, _, _ = run([*words, verb, *files])
        report = json.loads(text)
        return Sample(scale or report["bytes"], report["seconds"], report["cpu_seconds"])

    # ---- the commands and what they are compared with

    def create(self):
        os.mkdir(self.array)
        pgctl("create", "bench", *self.members(), "--size", str(self.args.size),
              *self.shape.options)

    def put(self):
        _, seconds, cpu = pgctl("put", self.array, self.source, "--as", "file")
        return Sample(self.size, seconds, cpu)

    def put_ceiling(self):
        files = [self.path(f"put{i}") for i in range(MEMBERS)]
        sample = self.ceiling("put", self.source, *files, scale=self.size)
        for file in files:
            os.unlink(file)
        return sample

    def scrub(self):
        report, seconds, cpu = pgctl("scrub", self.array, "--check")
        used = sum(os.stat(path).st_blocks * 512 for path in self.members())
        if not 0.8 * used < report["bytes_read"] <= used * 1.05:
            raise Failed(f"scrub read {report['bytes_read']} bytes, the members hold {used}")
        return Sample(report["bytes_read"], seconds, cpu)

    def get(self, healthy=True):
        report, seconds, cpu = pgctl("get", self.array, "file", "-o", self.path("got"))
        rebuilt = sum(volume["reconstructed"] for volume in report["volumes"])
        same = not self.args.compare or subprocess.call(
            ["cmp", "--silent", self.path("got"), self.source]) == 0
        os.unlink(self.path("got"))
        if not same or (rebuilt == 0) != healthy:
            raise Failed(f"get: same bytes: {same}, reconstructed: {rebuilt}")
        return Sample(self.size, seconds, cpu)

    def copy(self):
        target = self.path("copy")
        _, seconds, cpu = run(["cp", "--sparse=never", "--reflink=never", self.source, target])
        _, more_seconds, more_cpu = run(["sync", "--data", target])
        os.unlink(target)
        return Sample(self.size, seconds + more_seconds, cpu + more_cpu)

    def rebuild(self):
        report, seconds, cpu = pgctl("rebuild", self.array, "--to",
                                     os.path.join(self.array, "new.img"))
        return Sample(report["bytes_read"] + report["bytes_written"], seconds, cpu)

    def rebuild_ceiling(self):
        """A mirror reads one other copy, everything else all other columns."""
        target = self.path("rebuilt")
        sample = self.ceiling("rebuild", target, *self.members()[1:self.shape.width])
        os.unlink(target)
        return sample

    # ---- one run

    def pair(self, name, command, references):
        """Take a sample of the command and of each reference, in turn in either order."""
        turn = len(self.pairs[name, next(iter(references))]) % 2
        samples = {}
        for key in (sorted if turn else lambda keys: sorted(keys, reverse=True))(
                ["", *references]):
            self.forget()
            samples[key] = references[key]() if key else command()
        for key in references:
            self.pairs[name, key].append((samples[""], samples[key]))

    def run_once(self):
        self.create()
        self.pair("put", self.put, {"ceiling": self.put_ceiling})
        members = self.members()
        for _ in range(2 if self.place == "tmpfs" else 0):
            self.ceiling("read", *members)  # the kernel sorts pages when they are first read
        self.pair("scrub", self.scrub,
                  {"ceiling": lambda: self.ceiling("scrub", *members),
                   "read": lambda: self.ceiling("read", *members)})
        self.pair("get", self.get, {"cp": self.copy})
        os.rename(members[0], self.path("lost.img"))
        self.pair("get degraded", lambda: self.get(healthy=False), {"cp": self.copy})
        self.pair("rebuild", self.rebuild, {"ceiling": self.rebuild_ceiling})
        pgctl("status", self.array, "--test")
        os.unlink(self.path("lost.img"))
        shutil.rmtree(self.array)

    def run(self):
        block = os.urandom(16 * MIB)
        spread(self.source, self.size, block)
        # Memory that a virtual machine touches for the first time is slow: a run that does not count.
        for number in range(0 if self.place == "tmpfs" else 1, self.args.runs + 1):
            print(f"{self.place} {self.layout}: run {number} of {self.args.runs}",
                  file=sys.stderr, flush=True)
            self.run_once()
            if number == 0:
                self.pairs.clear()
        os.unlink(self.source)

    def rows(self):
        for (name, reference), pairs in self.pairs.items():
            goal, aim = GOALS.get((self.place, name, reference), (None, None))
            yield row_of(self.place, self.layout, name, reference, pairs, goal, aim)


def rate(sample):
    return sample.bytes / sample.seconds / 1e9


def cpu_per_gb(sample):
    return sample.cpu_seconds / sample.bytes * 1e9


def median_of(function, samples, digits):
    return round(statistics.median(function(sample) for sample in samples), digits)


def row_of(place, layout, name, reference, pairs, goal, aim):
    ours, theirs = zip(*pairs)
    return {
        "schema": "pgctl.bench/1", "place": place, "layout": layout, "command": name,
        "against": reference, "runs": len(pairs), "bytes": ours[0].bytes,
        "gb_s": median_of(rate, ours, 3), "against_gb_s": median_of(rate, theirs, 3),
        "ratio": median_of(lambda pair: rate(pair[0]) / rate(pair[1]), pairs, 3),
        "goal": goal, "aim": aim,
        "cpu_s_per_gb": median_of(cpu_per_gb, ours, 4),
        "against_cpu_s_per_gb": median_of(cpu_per_gb, theirs, 4),
    }


def rows_of_checks(rows):
    """Scrub with more checks against scrub with one, of the same place."""
    scrubs = {(row["place"], row["layout"]): row for row in rows
              if row["command"] == "scrub" and row["against"] == "ceiling"}
    for (place, layout), row in scrubs.items():
        one = scrubs.get((place, "parity-1"))
        if one and layout in CHECKS_GOALS:
            yield {**row, "against": "parity-1", "against_gb_s": one["gb_s"],
                   "ratio": round(row["gb_s"] / one["gb_s"], 3), "goal": None,
                   "aim": CHECKS_GOALS[layout], "against_cpu_s_per_gb": one["cpu_s_per_gb"]}


def print_table(lines):
    """Columns as wide as their widest text."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def table(rows):
    shown = ["place", "layout", "command", "gb_s", "against", "against_gb_s", "ratio", "goal",
             "aim", "cpu_s_per_gb", "against_cpu_s_per_gb"]
    titles = ["PLACE", "LAYOUT", "COMMAND", "GB/S", "AGAINST", "GB/S", "RATIO", "GOAL", "AIM",
              "CPU S/GB", "CPU S/GB"]
    print_table([titles] + [["-" if row[key] is None else str(row[key]) for key in shown]
                            for row in rows])


def file_system(folder):
    return subprocess.run(["stat", "--file-system", "--format=%T", folder], check=True,
                          capture_output=True, text=True).stdout.strip()


def place_folder(place):
    return "/dev/shm" if place == "tmpfs" else os.environ.get("BENCH_DIR", tempfile.gettempdir())


def large_rows(place, folder, layout, args):
    """The rows of one layout in one place."""
    need = 3 * MEMBERS * args.size
    if shutil.disk_usage(folder).free < need:
        raise Failed(f"{folder} has no room for {need} bytes")
    bench = Bench(place, folder, layout, args)
    bench.run()
    return bench.rows()


# ---- small synchronous writes: --small

WRITERS = (1, 8, 32)
JOURNALS = ("none", "degraded", "small")
SMALL_VOLUME = 256 * MIB  # and the file that fdatasync writes
SMALL_RATIO = 0.5  # of --journal small against fdatasync, on disk
FLUSHES_A_ROUND = 2  # of the log, for each record of a layout that survives one loss


def small_program():
    return os.path.join(os.path.dirname(CEILING), "small_writes")


class SmallWrites:
    """Writers of single blocks, in turn on an array and with fdatasync on one file beside it."""

    def __init__(self, place, folder, layout, args):
        self.place, self.folder, self.layout, self.args = place, folder, layout, args

    def run_program(self, writers, *words):
        text, _, cpu = run([small_program(), "--writers", str(writers), "--seconds",
                            str(self.args.seconds), *words])
        return {**json.loads(text), "cpu": cpu}

    def rows(self):
        block = os.urandom(MIB)
        reference = os.path.join(self.folder, "reference")
        spread(reference, SMALL_VOLUME, block)
        files = [os.path.join(self.folder, f"cells{i}") for i in range(MEMBERS)]
        for file in files:
            spread(file, SMALL_VOLUME // MEMBERS // MIB * MIB, block)
        arrays = {}
        for journal in JOURNALS:
            members = [os.path.join(self.folder, f"{journal}{i}.img") for i in range(MEMBERS)]
            pgctl("create", "small-" + journal, *members, "--size", str(self.args.size),
                  "--journal", journal, *LAYOUTS[self.layout].options)
            pgctl("put", members[0], reference)
            arrays[journal] = members
        for writers in WRITERS:
            samples = collections.defaultdict(list)
            for turn in range(self.args.runs):
                calls = {"": ["fdatasync", reference], "cells": ["cells", *files],
                         **{journal: ["array", *arrays[journal]] for journal in JOURNALS}}
                for key in (sorted if turn % 2 else lambda keys: sorted(keys, reverse=True))(calls):
                    samples[key].append(self.run_program(writers, *calls[key]))
            for journal in JOURNALS:
                yield self.row(journal, writers, list(zip(samples[journal], samples[""],
                                                          samples["cells"])))

    def row(self, journal, writers, runs):
        def median(function):
            return statistics.median(function(*run) for run in runs)

        def each(key, of="writes"):
            return round(median(lambda ours, *_: ours[key] / max(ours[of], 1)), 3)

        return {
            "schema": "pgctl.bench-small/1", "place": self.place, "layout": self.layout,
            "journal": journal, "writers": writers, "runs": len(runs),
            "writes_s": round(median(lambda ours, *_: ours["writes_s"])),
            "fdatasync_s": round(median(lambda _, theirs, cells: theirs["writes_s"])),
            "ratio": round(median(lambda ours, theirs, _: ours["writes_s"] / theirs["writes_s"]), 3),
            "cells_s": round(median(lambda _, theirs, cells: cells["writes_s"])),
            "of_cells": round(median(lambda ours, _, cells: ours["writes_s"] / cells["writes_s"]), 3),
            "cpu_us_each": round(median(lambda ours, *_: ours["cpu"] * 1e6 / ours["all_writes"])),
            "records_each": each("records"), "writes_a_round": each("writes", "records"),
            "flushes_a_round": each("log_flushes", "records"), "flushes_each": each("flushes"),
            "log_kib_each": round(median(
                lambda ours, *_: ours["log_bytes"] / ours["writes"]) / 1024, 1),
            "cell_reads_each": each("cell_reads"), "cell_writes_each": each("cell_writes_io"),
            "seal_reads_each": each("seal_reads"), "seal_writes_each": each("seal_writes_io"),
        }


def print_rows(rows, keys):
    titles = [key.upper().replace("_EACH", "/WRITE").replace("_A_ROUND", "/ROUND") for key in keys]
    print_table([titles] + [[str(row[key]) for key in keys] for row in rows])


def verdict(met, text):
    print(f"goal {'met' if met else 'not met'}: {text}")


def small_report(rows):
    print_rows(rows, ["place", "layout", "journal", "writers", "writes_s", "fdatasync_s", "ratio",
                       "cells_s", "of_cells", "cpu_us_each", "records_each", "writes_a_round", "flushes_a_round", "flushes_each",
                       "log_kib_each", "cell_reads_each", "cell_writes_each", "seal_reads_each",
                       "seal_writes_each"])
    for row in rows:
        name = f"{row['place']} {row['layout']}, {row['journal']}, {row['writers']} writers"
        if row["writers"] == max(WRITERS):
            verdict(row["flushes_a_round"] <= FLUSHES_A_ROUND,
                    f"{name}: {row['flushes_a_round']} flushes of the log a round, at most "
                    f"{FLUSHES_A_ROUND}")
        if row["place"] == "disk" and row["journal"] == "small":
            verdict(row["ratio"] >= SMALL_RATIO,
                    f"{name}: {row['ratio']} of what fdatasync reaches, at least {SMALL_RATIO}")


# ---- recovery: --recovery

RECOVERY_SECONDS = 1.0
GIB = 1 << 30
# Size of a member; what each write has; how the array is left: `fill` the log with contents, or `crash`.
RECOVERIES = ((GIB, 4096, "crash", "degraded"), (34 * GIB, 4096, "crash", "degraded"),
              (256 * GIB, 4096, "crash", "degraded"), (34 * GIB, 65536, "crash", "none"),
              (GIB, 4096, "fill", "small"), (34 * GIB, 65536, "fill", "small"),
              (256 * GIB, 65536, "fill", "small"), (34 * GIB, 4096, "fill", "small"))


class Recovery:
    """What opening costs after a crash: seconds, and bytes by what they were read for."""

    def __init__(self, place, folder, layout, args):
        self.place, self.folder, self.layout, self.args = place, folder, layout, args

    def rows(self):
        source = os.path.join(self.folder, "source")
        spread(source, SMALL_VOLUME, os.urandom(MIB))
        for size, write, way, journal in RECOVERIES:
            samples = [self.sample(source, size, write, way, journal)
                       for _ in range(self.args.runs)]
            left, found = samples[0]
            width = LAYOUTS[self.layout].width
            row = {
                "schema": "pgctl.bench-recovery/1", "place": self.place, "layout": self.layout,
                "member_gib": size // GIB, "write": write, "left": way, "journal": journal,
                "runs": len(samples), "record_mib": round(left["record_bytes"] / MIB, 2),
                "slot_mib": left["record_max"] // MIB, "entries": found["entries"],
                "rows": found["rows"],
                "seconds": statistics.median(sample[1]["seconds"] for sample in samples),
                "cpu_s": statistics.median(sample[1]["cpu_seconds"] for sample in samples),
                "rows_mib": round(found["rows"] * width * 4096 / MIB, 2),
            }
            for kind in ("cell", "seal", "log", "other"):
                row[kind + "_read_mib"] = round(found[kind + "_bytes_read"] / MIB, 2)
                row[kind + "_written_mib"] = round(found[kind + "_bytes_written"] / MIB, 2)
            yield row

    def sample(self, source, size, write, way, journal):
        members = [os.path.join(self.folder, f"m{i}.img") for i in range(MEMBERS)]
        pgctl("create", "bench", *members, "--size", str(size), "--journal", journal,
              *LAYOUTS[self.layout].options)
        pgctl("put", members[0], source)
        left, _, _ = run([small_program(), "--writers", "64", "--seconds", "1", "--size",
                          str(write), way, *members])
        run(["sync", "--file-system", self.folder])
        found, _, _ = run([small_program(), "recover", *members])
        pgctl("scrub", members[0], "--check")
        for member in members:
            os.unlink(member)
        return json.loads(left), json.loads(found)


def recovery_report(rows):
    print_rows(rows, ["place", "member_gib", "left", "journal", "write", "record_mib", "slot_mib",
                       "entries", "rows", "seconds", "cpu_s", "rows_mib", "cell_read_mib",
                       "seal_read_mib", "log_read_mib", "other_read_mib", "cell_written_mib",
                       "log_written_mib"])
    for row in rows:
        name = (f"{row['place']}, members of {row['member_gib']} GiB, {row['record_mib']} MiB of "
                f"log, {row['rows']} rows")
        verdict(row["seconds"] < RECOVERY_SECONDS, f"{name}: {row['seconds']} s, under "
                f"{RECOVERY_SECONDS}")
        verdict(row["cell_read_mib"] <= row["rows_mib"] * 1.01,
                f"{name}: {row['cell_read_mib']} MiB of cells read, at most the rows that are named, "
                f"{row['rows_mib']}")


def measure(place, layout, args, rows):
    """Add the rows of one layout in one place; what went wrong, or None."""
    folder = tempfile.mkdtemp(prefix="pgctl-bench-", dir=place_folder(place))
    what = place, folder, layout, args
    try:
        if (file_system(folder) == "tmpfs") != (place == "tmpfs"):
            raise Failed(f"{folder} is {file_system(folder)}; set BENCH_DIR to a folder on a disk")
        if args.small:
            new = SmallWrites(*what).rows()
        elif args.recovery:
            new = Recovery(*what).rows()
        else:
            new = large_rows(*what)
        for row in new:
            print(json.dumps(row), flush=True)
            rows.append(row)
    except Failed as failed:
        return f"{place} {layout}: {failed}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="members of 256 MiB, 3 runs")
    parser.add_argument("--size", type=int, help="MiB of a member, 1024 unless given")
    parser.add_argument("--runs", type=int, help="runs of each layout, 5 unless given")
    parser.add_argument("--layouts", default="parity-1", metavar="LIST",
                        help="of: all, " + ", ".join(LAYOUTS))
    parser.add_argument("--places", default="tmpfs,disk", metavar="LIST", help="tmpfs, disk")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="of the ceilings; as pgctl, one for each processor")
    parser.add_argument("--compare", action="store_true", help="compare what get wrote")
    parser.add_argument("--small", action="store_true",
                        help="instead: small synchronous writes against fdatasync")
    parser.add_argument("--recovery", action="store_true",
                        help="instead: opening after a crash, with a full log")
    parser.add_argument("--seconds", type=int, default=2, help="of each run of --small")
    args = parser.parse_args()
    if args.small or args.recovery:
        args.runs = args.runs or 3
    args.size = (args.size or (256 if args.quick else 1024)) * MIB
    args.runs = args.runs or (3 if args.quick else 5)
    args.layouts = list(LAYOUTS) if args.layouts == "all" else args.layouts.split(",")
    args.places = args.places.split(",")
    if not set(args.layouts) <= set(LAYOUTS) or not set(args.places) <= {"tmpfs", "disk"}:
        parser.error("unknown layout or place")
    return args


def main():
    args = arguments()
    rows, failures = [], []
    for place in args.places:
        for layout in args.layouts:
            failure = measure(place, layout, args, rows)
            if failure:
                failures.append(failure)
                print(failure, file=sys.stderr, flush=True)
    if args.small or args.recovery:
        (small_report if args.small else recovery_report)(rows)
        return 1 if failures else 0
    for row in list(rows_of_checks(rows)):
        print(json.dumps(row))
        rows.append(row)
    table(rows)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure jobs that move groups: seconds for each GiB that they write, as volumes and arrays grow.

A job costs time in proportion to the bytes that it moves, whatever the number of groups. Method: arrays of sparse
images with 6, 12 and 24 members of 3+1 groups in extents of 256 KiB, and a volume of 1, 2, 4 and 8 parts of --part
(1 GiB; less where there is little room): expand by a member, evacuate one, migrate to mirrors. The CPU seconds of a
GiB are the steadier figure, steadiest those outside of the kernel, whose copies cost what memory costs just then.
One JSON line each; at the end, for each job and number of members, the greatest against the smallest of the latter.

Environment: PGCTL the program, BENCH_DIR the folder; best one in memory. It takes 1.5 times the largest volume, for
migrate 2.7 times.
"""
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

GIB = 1 << 30
JOBS = ("expand", "evacuate", "migrate")


def put(work, size):
    """A volume of that many bytes through a pipe: its data take no room beside the array."""
    some = os.urandom(1 << 24)
    with subprocess.Popen([os.path.abspath(os.environ.get("PGCTL", "./pgctl")), "put", "m0.img", "-", "--as", "data"],
                          cwd=work, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as running:
        for done in range(0, size, len(some)):
            running.stdin.write(some[:size - done])
    if running.returncode != 0:
        sys.exit(f"put: exit {running.returncode}")


def run(work, *words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    done = subprocess.run([os.path.abspath(os.environ.get("PGCTL", "./pgctl")), *words, "--json"], cwd=work,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit {done.returncode} {done.stdout}{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user = after.ru_utime - before.ru_utime
    return json.loads(done.stdout), time.monotonic() - begun, user, user + after.ru_stime - before.ru_stime


def job_words(job):
    if job == "expand":
        return ["expand", "m0.img", "new.img", "--width", "5"]
    if job == "evacuate":
        return ["evacuate", "m0.img", "1"]
    return ["migrate", "m0.img", "data", "--layout", "mirror", "--copies", "2"]


def measure(folder, part, parts, members, job):
    """One array, made for it."""
    work = os.path.join(folder, "work")
    shutil.rmtree(work, ignore_errors=True)
    os.mkdir(work)
    size = (part * parts * 4 // members >> 20) + 64 << 20
    run(work, "create", "tank", *[f"m{i}.img" for i in range(members)], "--size", str(size), "--extent",
        "256K", "--layout", "parity", "--parity", "1", "--width", "4")
    put(work, part * parts)
    if job == "expand":
        with open(os.path.join(work, "new.img"), "wb") as file:
            file.truncate(size)
    report, seconds, user, cpu = run(work, *job_words(job))
    written = report["bytes_written"] / GIB
    line = {"bench": "moves", "job": job, "members": members, "data_gib": part * parts / GIB,
            "groups": report["groups_before"], "written_gib": round(written, 4), "seconds": round(seconds, 3),
            "seconds_per_gib": round(seconds / written, 3), "user_per_gib": round(user / written, 3),
            "cpu_per_gib": round(cpu / written, 3)}
    print(json.dumps(line), flush=True)
    shutil.rmtree(work)
    return user / written


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", type=int, default=1024, help="MiB; volumes are 1, 2, 4 and 8 of it")
    parser.add_argument("--members", default="6,12,24")
    parser.add_argument("--jobs", default=",".join(JOBS))
    args = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"), prefix="pgctl-moves.") as folder:
        for job in args.jobs.split(","):
            for members in map(int, args.members.split(",")):
                costs = [measure(folder, args.part << 20, parts, members, job) for parts in (1, 2, 4, 8)]
                ratios.append((job, members, max(costs) / min(costs)))
    for job, members, ratio in ratios:
        print(f"{job:9} {members:3} members: user CPU of a GiB differs by {ratio:.2f}")


if __name__ == "__main__":
    main()

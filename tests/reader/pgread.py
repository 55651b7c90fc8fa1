#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent reader of pgctl's native format, written from docs/FORMAT.md alone.

pgread.py MEMBER_FILE... [--verify] [--extract VOLUME OUT] [--json]

Exit status: 0; 1 if the array is refused, a violation was found or bytes could not be had;
2 for wrong arguments. Members may be given in any order and some may be missing. The intent log is
read and checked, and not applied: after a crash, blocks that it names are counted as interrupted and
are no violations, and they are extracted as they are.
"""

import argparse
import contextlib
import json
import sys

from extract import extract
from image import Array
from logs import Log
from records import JOB_KINDS, JOB_STATES, LAYOUTS, STATES, Bad
from verify import Verifier


def _members(array):
    for number, item in sorted(array.model.members.items()):
        member = array.members.get(number)
        yield {
            "member": number,
            "uuid": item.uuid.hex(),
            "state": STATES[item.state],
            "size": item.size,
            "frames": item.frame_count,
            "absent_since": item.absent_since,
            "labels": item.labels,
            "file": member.path if member else None,
            "generation": member.newest.generation if member else None,
        }


def _groups(array):
    for group in array.model.groups.values():
        yield {
            "group": group.id,
            "generation": group.generation,
            "layout": LAYOUTS[group.layout],
            "columns": group.columns,
            "checks": group.checks,
            "body_blocks": group.body_blocks,
            "extents": [extent.id for extent in group.extents],
            "members": [extent.member for extent in group.extents],
            "stale": [extent.id for extent in group.extents if extent.stale],
        }


def summary(array, log):
    model = array.model
    return {
        "array": model.array.name,
        "uuid": array.uuid.hex(),
        "epoch": array.super.epoch,
        "generation": array.super.generation,
        "frame_blocks": array.super.frame_blocks,
        "frame_body_blocks": array.super.frame_body_blocks,
        "members": list(_members(array)),
        "groups": list(_groups(array)),
        "volumes": [{"volume": volume.id, "name": volume.name, "length": volume.length,
                     "layout": LAYOUTS[volume.policy.layout], "spans": len(volume.spans)}
                    for _, volume in sorted(model.volumes.items())],
        "jobs": [{"job": job.id, "kind": JOB_KINDS[job.kind], "state": JOB_STATES[job.state],
                  "done": job.done, "total": job.total}
                 for _, job in sorted(model.jobs.items())],
        "log": log.report(),
        "notes": array.notes + log.notes(),
    }


def print_summary(report):
    print(f"array {report['array']} {report['uuid']} epoch {report['epoch']} "
          f"generation {report['generation']}")
    for row in report["members"]:
        print(f"member {row['member']} {row['uuid']} {row['state']} {row['size']} bytes "
              f"{row['frames']} frames: {row['file'] or 'missing'}")
    for row in report["groups"]:
        print(f"group {row['group']} {row['layout']} {row['columns']} columns "
              f"{row['checks']} checks {row['body_blocks']} blocks on members "
              + " ".join(map(str, row["members"]))
              + (f", stale extents {row['stale']}" if row["stale"] else ""))
    for row in report["volumes"]:
        print(f"volume {row['volume']} {row['name']} {row['length']} bytes {row['layout']}")
    for row in report["jobs"]:
        print(f"job {row['job']} {row['kind']} {row['state']} {row['done']} of {row['total']}")
    if report["log"]:
        log = report["log"]
        print(f"log generation {log['generation']} epoch {log['epoch']} on members "
              + " ".join(map(str, log["members"]))
              + f": {len(log['rows'])} rows, {len(log['pages'])} pages")
    for note in report["notes"]:
        print(f"note: {note}")


def problem_text(problem):
    where = "" if problem.member is None else f"member {problem.member} "
    where += "" if problem.offset is None else f"byte {problem.offset} "
    return where.rstrip() + (": " if where else "") + problem.text


def run(args, files):
    """(report, problems) of an invocation."""
    array = Array(args.members, files)
    log = Log(array)
    report, problems = summary(array, log), []
    if args.verify:
        verifier = Verifier(array, log)
        verifier.run()
        problems += verifier.problems + list(log.problems())
        report["blocks_checked"] = verifier.blocks
        report["equations_checked"] = verifier.equations
        report["interrupted"] = verifier.interrupted
    if args.extract:
        lost = extract(array, *args.extract)
        if lost is None:
            raise Bad(f"no volume {args.extract[0]}")
        problems += lost
    if args.verify or args.extract:
        report["violations"] = [problem._asdict() for problem in problems]
    return report, problems


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Read a pgctl array from its members.")
    parser.add_argument("members", nargs="+", metavar="MEMBER_FILE")
    parser.add_argument("--verify", action="store_true", help="check everything there is to check")
    parser.add_argument("--extract", nargs=2, metavar=("VOLUME", "OUT"),
                        help="write a volume to OUT")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(arguments)
    try:
        with contextlib.ExitStack() as files:
            report, problems = run(args, files)
    except (Bad, OSError) as bad:
        if args.json:
            print(json.dumps({"error": str(bad)}))
        print(f"pgread: {bad}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(report, indent=1))
    else:
        print_summary(report)
        for problem in problems:
            print(problem_text(problem))
        if args.verify:
            print(f"{len(problems)} violations, {report['blocks_checked']} blocks and "
                  f"{report['equations_checked']} equations checked"
                  + (f", {report['interrupted']} interrupted" if report["interrupted"] else ""))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

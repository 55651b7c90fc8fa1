#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes arrays that lie: every checksum is right, and one thing in superblock or map cannot be so.

usage: hostile.py FOLDER

Each variant is a folder of its own, FOLDER/NUMBER/member0.img and so on; FOLDER/list has a line for each:
number, tab, its name, tab, an expression that the error has to match. A checksum proves no good will:
whoever sends an image can compute it. So each of these has to be refused, soon, and without a byte being
written. The variants of FOLDER/odd are strange too, but possible: a program may do with them what it
says it does, and must not fall over them. FOLDER/honest is what they all began as.
"""

import contextlib
import os
import struct
import sys

import hostile_log
import synth
from hostile_fields import SUPERS, TABLES, U32, U64
from records import BLOCK, RECORD, SUPER, SUPER_MAGIC, field_size, pack_field, super_crc
from synth import MIRROR, PARITY, SEQUENTIAL, SynthArray, crc

GENERATION = 5  # the history before is gone: the map is one full record
MANY = 150_000  # items of the large maps
LARGE_HALF = 24 << 20

# name, word of the error, field of the record's header, value
RECORDS = [
    ("record-magic", "magic", "magic", b"PGMX"),
    ("record-version", "version 2", "version", 2),
    ("record-kind-delta", "follow", "kind", 2),
    ("record-kind-none", "follow", "kind", 7),
    ("record-items-huge", "bad item", "item_count", U32),
    ("record-items-fewer", "behind its items", "item_count", 3),
    ("record-size-0", "0 bytes with a payload", "record_size", 0),
    ("record-size-odd", "4097 bytes with", "record_size", 4097),
    ("record-size-huge", "18446744073709547520 bytes with", "record_size", U64 - 4095),
    ("record-payload-huge", "payload of 18446744073709551615", "payload_size", U64),
    ("record-payload-less", "reserved", "payload_size", 64),
    ("record-generation", "map ends with generation 6", "generation", GENERATION + 1),
    ("record-generation-0", "follow", "generation", 0),
    ("record-array", "another array", "array_uuid", b"x" * 16),
    ("record-crc-before", "follow", "crc_before", 1),
]

# name, word of the error, item, {field: value}
ITEMS = [
    ("epochs-0", "epoch", "array", {"epochs": 0}),
    ("epochs-33", "epoch", "array", {"epochs": 33}),
    ("epochs-255", "epoch", "array", {"epochs": 255}),
    ("epoch-other", "epoch", "array", {"epoch_0": 9}),
    ("epoch-0", "epochs begin with 0", "array", {"epoch_0": 0, "epoch": 0}),
    ("epoch-future", "begins with generation 6", "array", {"first_generation": GENERATION + 1}),
    ("epoch-present-high", "epoch", "array", {"present_high": 1}),
    ("next-extent-0", "next", "array", {"next_extent": 0}),
    ("next-group-huge", "next", "array", {"next_group": U64}),
    ("next-volume-0", "next", "array", {"next_volume": 0}),
    ("next-job-huge", "next", "array", {"next_job": 1 << 63}),
    ("next-extent-low", "extent", "array", {"next_extent": 3}),
    ("next-group-low", "group", "array", {"next_group": 2}),
    ("next-volume-low", "volume", "array", {"next_volume": 2}),
    ("next-job-low", "job", "array", {"next_job": 1}),
    ("array-layout", "array", "array", {"layout": 4}),
    ("array-checks", "checks", "array", {"layout": PARITY, "checks": 255}),
    ("array-columns", "array", "array", {"columns": 65535}),
    ("array-class", "array", "array", {"size_class": 200}),
    ("array-journal", "array", "array", {"journal": 9}),
    ("array-pure", "array", "array", {"pure": 65535}),
    ("array-reserved", "array", "array", {"reserved": 1}),
    ("array-name-size", "array", "array", {"name_size": 255}),
    ("array-name-empty", "array", "array", {"name_size": 0}),
    ("array-name-escape", r"control|\\x1b", "array", {"name": b"\x1b[2J"}),
    ("array-name-slash", "slash", "array", {"name": b"a/.."}),
    ("array-across", "array", "array", {"across_size": 64}),
    ("member-number-64", "member", "member", {"number": 64}),
    ("member-number-huge", "member", "member", {"number": U32}),
    ("member-state", "member", "member", {"state": 4}),
    ("member-flags", "member", "member", {"flags": 2}),
    ("member-reserved", "member", "member", {"reserved": 1}),
    ("member-size-0", "member 0", "member", {"size": 0}),
    ("member-frames-huge", "member 0", "member", {"frame_count": U64}),
    ("member-frames-overflow", "member 0", "member", {"frame_count": 1 << 51}),
    ("member-frames-2-32", "member 0", "member", {"frame_count": 1 << 32, "size": 1 << 62}),
    ("member-data-odd", "member 0", "member", {"data_offset": 1}),
    ("member-data-huge", "member 0", "member", {"data_offset": U64 - 4095}),
    ("member-data-0", "member 0", "member", {"data_offset": 0}),
    ("member-absent-future", "member 0", "member", {"flags": 1, "absent_since": 1 << 40}),
    ("member-labels-255", "label", "member", {"labels": 255}),
    ("member-label-size", "label", "member", {"key_size": 200}),
    ("group-id-0", "group", "parity", {"id": 0}),
    ("group-id-next", "group 99", "parity", {"id": 99}),
    ("group-future", "group 1", "parity", {"generation": U64}),
    ("group-layout", "group", "parity", {"layout": 4}),
    ("group-checks-0", "group 1", "parity", {"checks": 0}),
    ("group-checks-all", "group 1", "parity", {"checks": 3}),
    ("group-checks-255", "group 1", "parity", {"checks": 255}),
    ("group-columns-0", "group", "parity", {"columns": 0}),
    ("group-columns-more", "group", "parity", {"columns": 32}),
    ("group-columns-255", "group", "parity", {"columns": 255}),
    ("group-columns-fewer", "item|group|extent", "parity", {"columns": 2}),
    ("group-pure", "group 1", "parity", {"pure": 1}),
    ("group-pure-beyond", "group 4", "sequential", {"pure": 3}),
    ("group-levels-0", "group 4", "sequential", {"checks": 0}),
    ("group-levels-huge", "group 4", "sequential", {"checks": 255}),
    ("group-segment-0", "group 1", "parity", {"segment": 0}),
    ("group-segment-huge", "group 1", "parity", {"segment": U32}),
    ("group-segment-sequential", "group 4", "sequential", {"segment": 3}),
    ("group-reserved", "group", "parity", {"reserved": 1}),
    ("group-index-same", "group 1", "parity", {"index_1": 0}),
    ("group-index-255", "group 1", "parity", {"index_1": 255}),
    ("group-index-check", "group 1", "parity", {"index_2": 9}),
    ("group-same-member", "member", "parity", {"member_1": 0}),
    ("group-mirror-checks", "group 3", "mirror", {"checks": 2}),
    ("extent-id-0", "extent", "parity", {"id_0": 0}),
    ("extent-id-next", "extent 99", "parity", {"id_2": 99}),
    ("extent-twice-in-group", "extent", "parity", {"id_2": 1}),
    ("extent-in-two-groups", "extent", "second", {"id_2": 3}),
    ("extent-member-none", "member 9", "parity", {"member_2": 9}),
    ("extent-member-64", "extent", "parity", {"member_2": 64}),
    ("extent-frame-overlap", "overlap", "second", {"frame_0": 0}),
    ("extent-frame-beyond", "overlap|leaves", "parity", {"frame_0": 9}),
    ("extent-frame-huge", "overlap|leaves", "parity", {"frame_0": U32}),
    ("extent-class-misaligned", "overlap|leaves", "second", {"class_0": 1}),
    ("extent-class-13", "extent", "parity", {"class_0": 13}),
    ("extent-class-255", "extent", "parity", {"class_0": 255}),
    ("extent-body-0", "blocks", "parity", {"body_0": 0, "body_1": 0, "body_2": 0, "segment": 0}),
    ("extent-body-more", "blocks", "parity", {"body_0": 9, "body_1": 9, "body_2": 9, "segment": 9}),
    ("extent-body-huge", "blocks", "parity", {"body_0": U32, "body_1": U32, "body_2": U32,
                                               "segment": U32}),
    ("extent-bodies-differ", "blocks", "parity", {"body_1": 7}),
    ("extent-flags", "extent", "parity", {"flags_0": 2}),
    ("extent-reserved", "extent", "parity", {"reserved_0": 1}),
    ("volume-id-0", "volume", "alpha", {"id": 0}),
    ("volume-id-next", "volume 9", "alpha", {"id": 9}),
    ("volume-length-huge", "volume", "alpha", {"length": U64}),
    ("volume-length-less", "alpha", "alpha", {"length": 5}),
    ("volume-length-0", "alpha", "alpha", {"length": 0}),
    ("volume-layout", "volume", "alpha", {"layout": 77}),
    ("volume-checks", "volume", "alpha", {"layout": PARITY, "checks": 200}),
    ("volume-name-escape", r"control|\\x1b", "alpha", {"name": b"\x1b[2Jx"}),
    ("volume-name-dots", "name|slash", "alpha", {"name": b"../.."}),
    ("volume-name-nul", "volume", "alpha", {"name": b"a\0bcd"}),
    ("volume-name-twice", "gamma", "alpha", {"name": b"gamma"}),
    ("volume-name-size", "volume|span|item", "alpha", {"name_size": 255}),
    ("volume-spans-huge", "span", "alpha", {"spans": U32}),
    ("volume-spans-fewer", "item", "alpha", {"spans": 1}),
    ("span-extents-0", "span", "alpha", {"extents": 0}),
    ("span-extents-33", "span", "alpha", {"extents": 33}),
    ("span-extents-huge", "span", "alpha", {"extents": U32}),
    ("span-gap", "gap", "alpha", {"offset_1": 16 * BLOCK + 1}),
    ("span-overlap", "gap", "alpha", {"offset_1": BLOCK}),
    ("span-wraps", "alpha", "alpha", {"span": U64}),
    ("span-length-0", "alpha", "alpha", {"span": 0, "offset_1": 0, "length": 16 * BLOCK}),
    ("span-too-long", "alpha", "alpha", {"span": 17 * BLOCK, "offset_1": 17 * BLOCK,
                                         "length": 33 * BLOCK}),
    ("span-unit-3", "alpha", "alpha", {"unit": 3}),
    ("span-unit-huge", "alpha", "alpha", {"unit": U32}),
    ("span-unit-body", "alpha", "alpha", {"unit": 16}),
    ("span-extent-none", "alpha", "alpha", {"extent_0": 77}),
    ("span-extent-0", "alpha", "alpha", {"extent_0": 0}),
    ("span-extent-check", "alpha", "alpha", {"extent_0": 3}),
    ("span-extent-twice", "alpha", "alpha", {"extent_1": 1}),
    ("span-extent-again", "alpha", "alpha", {"extent_2": 1}),
    ("span-sizes-differ", "alpha", "alpha", {"extent_1": 9}),
    ("span-mirror-copy", "gamma", "gamma", {"unit": 0, "extent_0": 8}),
    ("span-other-volume", "gamma|alpha", "gamma", {"extent_0": 1}),
    ("job-id-0", "job 0, ids end", "job", {"id": 0}),
    ("job-id-next", "job 99, ids end", "job", {"id": 99}),
    ("job-kind-0", "job", "job", {"kind": 0}),
    ("job-kind-10", "job", "job", {"kind": 10}),
    ("job-kind-9", "cannot be of volume 0", "job", {"kind": 9, "from": U32}),
    ("job-state", "job", "job", {"state": 3}),
    ("job-reserved", "job", "job", {"reserved": 1}),
    ("job-done-more", "11 of 10", "job", {"done": 11}),
    ("job-from-none", "members that are none", "job", {"from": 44}),
    ("job-from-nobody", "cannot be of these", "job", {"from": U32}),
    ("job-to-none", "members that are none", "job", {"to": 44}),
    ("job-to-itself", "cannot be of these", "job", {"to": 0}),
]

KINDS = {"array": 1, "member": 2, "member1": 2, "member2": 2, "parity": 3, "second": 3, "mirror": 3,
         "sequential": 3, "alpha": 4, "gamma": 4, "omega": 4, "job": 5}


class Hostile(SynthArray):
    """Three members with groups of three layouts, three volumes and a job; items can be bent."""

    def __init__(self):
        super().__init__(3, frame_body=8, witness_max=4, frames=8, seed=7)
        parity = self.add_group(PARITY, 1, [0, 1, 2])
        second = self.add_group(PARITY, 1, [1, 2, 0])
        mirror = self.add_group(MIRROR, 1, [0, 1])
        sequential = self.add_group(SEQUENTIAL, 1, [0, 1, 2])
        span = 16 * BLOCK
        self.add_volume("alpha", [([(parity, 0), (parity, 1)], 2, span),
                                  ([(second, 0), (second, 1)], 2, span)])
        self.add_volume("gamma", [([(mirror, 0)], 0, 5000)])
        self.add_volume("omega", [([(sequential, c) for c in range(3)], 0, 20000)])
        self.next_ids["job"] = 2
        self.files = 3  # how many members there are
        self.generation = GENERATION
        for group in self.groups:
            group.finish()
        self.items = {"array": self.array_item(), "member": self.member_item(0),
                      "member1": self.member_item(1), "member2": self.member_item(2)}
        for name, group in zip(("parity", "second", "mirror", "sequential"), self.groups):
            self.items[name] = group.item()
        for name, volume in zip(("alpha", "gamma", "omega"), self.volumes):
            self.items[name] = self.volume_item(volume)
        job = struct.pack("<QBBHIIQQQQ", 1, 1, 0, 0, 0, U32, 5, 10, 0, 1700000000)
        self.items["job"] = (5, job)
        self.bend("array", {"policy_unit": 1})

    def bend(self, name, values):
        kind, data = self.items[name]
        for field, value in values.items():
            offset, size = TABLES[name][field]
            part = value if isinstance(value, bytes) else pack_field(size, value)
            data = data[:offset] + part + data[offset + len(part):]
        self.items[name] = (kind, data)

    def bend_record(self, field, value):
        """Change the record that was committed, and make its checksum and the superblocks fit."""
        offset, kind = RECORD[field]
        data = pack_field(kind, value)
        data = self.records[:offset] + data + self.records[offset + len(data):]
        data = data[:60] + bytes(4) + data[64:]
        self._replace_records(data)

    def _replace_records(self, data):
        own = crc(0, data)
        self.records = data[:60] + struct.pack("<I", own) + data[64:]
        self.supers = [[self.superblock(number, own)] for number in range(3)]

    def superblock(self, number, map_crc):
        if self.generation != GENERATION:  # bend_record() comes after the commit
            self.generation, self.last_crc = GENERATION, 0
        return super().superblock(number, map_crc)

    def bend_supers(self, field, value):
        offset, kind = SUPER[field]
        data = pack_field(kind, value) if isinstance(value, int) else value
        assert len(data) <= field_size(kind)
        for blocks in self.supers:
            for i, (where, block) in enumerate(blocks):
                block = block[:offset] + data + block[offset + len(data):4092]
                blocks[i] = where, block + struct.pack("<I", super_crc(block))

    def finish(self):
        self.commit(list(self.items.values()))


def honest():
    array = Hostile()
    array.finish()
    return array


@contextlib.contextmanager
def large_map():
    """Maps of many items need larger halves than synth.py gives."""
    before, synth.MAP_HALF = synth.MAP_HALF, LARGE_HALF
    try:
        yield
    finally:
        synth.MAP_HALF = before


# ---- variants that are more than one value


def no_array_item():
    array = Hostile()
    del array.items["array"]
    array.finish()
    return array


def no_members():
    array = Hostile()
    for name in ("member", "member1", "member2"):
        del array.items[name]
    array.finish()
    return array


def same_uuid():
    array = Hostile()
    array.bend("member", {"uuid": array.member_uuids[1]})
    array.finish()
    return array


def item_header(kind, reserved, size):
    """The first item's header says something else."""
    array = honest()
    data = array.records[:64] + struct.pack("<HHI", kind, reserved, size) + array.records[72:]
    array._replace_records(data[:60] + bytes(4) + data[64:])
    return array


def item_too_long():
    array = Hostile()
    kind, data = array.items["gamma"]
    array.items["gamma"] = kind, data + b"\0"
    array.finish()
    return array


def delete_of(kind, padding=0):
    array = Hostile()
    array.items["delete"] = 6, struct.pack("<BB6xQ", kind, padding, 1)
    array.finish()
    return array


def second_record(kind, generation):
    """A second record that does not belong behind the first."""
    array = honest()
    first, before = array.records, array.last_crc
    array.records, array.generation = b"", generation
    array.commit([array.array_item()])
    record = array.records
    record = record[:8] + struct.pack("<I", kind) + record[12:56] + struct.pack("<II", before, 0)
    record = record.ljust(BLOCK, b"\0")
    own = crc(0, record)
    array.records = first + record[:60] + struct.pack("<I", own) + record[64:]
    array.generation = GENERATION
    array.supers = [[array.superblock(number, own)] for number in range(3)]
    return array


def reserved_behind():
    array = honest()
    data = bytearray(array.records)
    data[-1] = 1
    array._replace_records(bytes(data[:60]) + bytes(4) + bytes(data[64:]))
    return array


def moved_super():
    """A superblock that says it lies elsewhere, at that very place, but in another slot."""
    array = honest()
    for blocks in array.supers:
        blocks[:] = [(where ^ BLOCK, block) for where, block in blocks]
    return array


def super_reserved(offset):
    array = honest()
    for blocks in array.supers:
        for i, (where, block) in enumerate(blocks):
            block = block[:offset] + b"\1" + block[offset + 1:4092]
            blocks[i] = where, block + struct.pack("<I", super_crc(block))
    return array


def creating():
    """The first commit of an array that was never finished."""
    array = Hostile()
    array.generation = 1
    payload = [item for item in array.items.values() if item[0] <= 2]
    for number in range(3):
        array.supers[number] = []
    record_commit(array, payload, 1)
    return array


def record_commit(array, items, generation):
    payload = b"".join(struct.pack("<HHI", kind, 0, len(data)) + data for kind, data in items)
    size = -(-(64 + len(payload)) // BLOCK) * BLOCK
    record = struct.pack("<4sIIIQQQ16sII", b"PGMR", 1, 1, len(items), size, len(payload),
                         generation, array.uuid, 0, 0) + payload
    record = record.ljust(size, b"\0")
    own = crc(0, record)
    array.records = record[:60] + struct.pack("<I", own) + record[64:]
    array.generation, array.last_crc = generation, 0
    array.supers = [[SynthArray.superblock(array, number, own)] for number in range(3)]


def many(make):
    """A map with MANY items of make(number), in the worst order or with the worst ids."""
    with large_map():
        array = Hostile()
        array.next_ids.update({name: (1 << 62) - 1 for name in array.next_ids})
        array.items["array"] = array.array_item()
        record_commit(array, list(array.items.values()) + [make(number) for number in range(MANY)],
                      GENERATION)
    array.files = 1  # of many megabytes
    return array


def sparse_map(half):
    """A map of `half` bytes that costs nothing to send: the file has holes."""
    array = honest()
    array.member_size = synth.MAP_OFFSET + 2 * half + (1 << 20)
    for field, value in (("map_half_size", half), ("map_length", half),
                         ("log_offset", synth.MAP_OFFSET + 2 * half),
                         ("data_offset", synth.MAP_OFFSET + 2 * half + synth.LOG_SIZE),
                         ("member_size", array.member_size)):
        array.bend_supers(field, value)
    return array


def migrating(values):
    """A job that was asked to make something else of volume 1."""
    array = Hostile()
    del array.items["job"]
    data = struct.pack("<QBBHIIQQQQQ", 1, 9, 0, 0, U32, U32, 5, 10, 0, 1700000000, 1)
    array.items["migrate"] = 5, data + synth.policy(MIRROR, 1)
    array.bend("migrate", values)
    array.finish()
    return array


def volume_descending(number):
    data = struct.pack("<QQ", (1 << 40) - number, 0) + synth.policy(synth.PLAIN, 0)
    return 4, data + synth.text("same") + struct.pack("<I", 0)


def job_descending(number):
    wrong = number == MANY - 1
    return 5, struct.pack("<QBBHIIQQQQ", (1 << 40) - number, 3, 2, 0, U32, U32, wrong, 0, 0, 0)


def group_of(group, extent):
    data = struct.pack("<QQBBBBI4x", group, 1, synth.PLAIN, 0, 1, 0, 8) + bytes(8)
    return 3, data + struct.pack("<QQIIIBB2x8x", extent, 1, 0, 0, 8, 0, 0)


def group_descending(number):
    return group_of((1 << 40) - number, (1 << 20) + number)


# What the index multiplies ids with is public, so ids that all land on one entry are easy to find.
GOLDEN_INVERSE = pow(0x9E3779B97F4A7C15, -1, 1 << 64)


def extent_colliding(number):
    return group_of((1 << 20) + number, (number + 1) * GOLDEN_INVERSE % (1 << 64) or 1)


def volume_deleted(number):
    """Items of the first half make volumes, those of the second take them away from the front."""
    half = MANY // 2
    if number < half:
        data = struct.pack("<QQ", 1000 + number, 0) + synth.policy(synth.PLAIN, 0)
        return 4, data + synth.text(f"v{number % 2}") + struct.pack("<I", 0)
    return 6, struct.pack("<B7xQ", 4, 1000 + number - half if number + 9 < MANY else 1)


MADE = [
    ("no-array-item", "epoch", no_array_item),
    ("no-members", "members", no_members),
    ("same-uuid", "uuid", same_uuid),
    ("item-type-0", "item", lambda: item_header(0, 0, 8)),
    ("item-type-7", "item", lambda: item_header(7, 0, 8)),
    ("item-reserved", "item", lambda: item_header(1, 1, 8)),
    ("item-size-huge", "item", lambda: item_header(1, 0, U32)),
    ("item-size-0", "item", lambda: item_header(1, 0, 0)),
    ("item-too-long", "item", item_too_long),
    ("delete-array", "delete", lambda: delete_of(1)),
    ("delete-unknown", "delete", lambda: delete_of(9)),
    ("delete-reserved", "delete", lambda: delete_of(4, 1)),
    ("delete-member", "member", lambda: delete_of(2)),
    ("delete-group-in-use", "alpha", lambda: delete_of(3)),
    ("records-two-full", "follow", lambda: second_record(1, GENERATION)),
    ("records-same-generation", "follow", lambda: second_record(2, GENERATION)),
    ("records-falling", "follow", lambda: second_record(2, 1)),
    ("record-reserved", "reserved", reserved_behind),
    ("super-moved", "offset", moved_super),
    ("super-reserved-84", "reserved", lambda: super_reserved(84)),
    ("super-reserved-124", "reserved", lambda: super_reserved(124)),
    ("super-reserved-204", "reserved", lambda: super_reserved(204)),
    ("super-reserved-248", "reserved", lambda: super_reserved(248)),
    ("super-reserved-512", "reserved", lambda: super_reserved(512)),
    ("super-reserved-4091", "reserved", lambda: super_reserved(4091)),
    ("creating", "interrupted", creating),
    ("migrate-volume-none", "cannot be of volume 44", lambda: migrating({"volume": 44})),
    ("migrate-volume-0", "job item", lambda: migrating({"volume": 0})),
    ("migrate-kind-8", "cannot be of volume 1", lambda: migrating({"kind": 8})),
    ("migrate-from", "cannot be of these", lambda: migrating({"from": 0})),
    ("migrate-layout", "job item", lambda: migrating({"policy_layout": 4})),
    ("migrate-checks", "job 1", lambda: migrating({"policy_checks": 200})),
    ("migrate-columns", "job item", lambda: migrating({"policy_columns": 33})),
    ("migrate-reserved", "job item", lambda: migrating({"policy_reserved": 1})),
    ("many-volumes", "two volumes", lambda: many(volume_descending)),
    ("many-jobs", "1 of 0", lambda: many(job_descending)),
    ("many-groups", "overlaps", lambda: many(group_descending)),
    ("many-extents", "extents", lambda: many(extent_colliding)),
    ("many-deletes", "two volumes", lambda: many(volume_deleted)),
    ("sparse-map", "8589934592", lambda: sparse_map(8 << 30)),
    ("sparse-map-possible", "zeros", lambda: sparse_map(1 << 30)),
]


# ---- what is odd but possible


def bent(item, values):
    array = Hostile()
    array.bend(item, values)
    array.finish()
    return array


def without(*names):
    array = Hostile()
    for name in names:
        del array.items[name]
    array.finish()
    return array


def all_stale():
    array = Hostile()
    for name in ("parity", "second", "mirror"):
        array.bend(name, {"flags_0": 1, "flags_1": 1})
    array.finish()
    return array


def bent_name(data):
    """The superblocks have another name than the map, and no pretty one."""
    array = honest()
    array.bend_supers("name", data)
    return array


def last_generation():
    """After this commit the numbers are used up."""
    array = Hostile()
    array.generation = 1 << 62
    record_commit(array, list(array.items.values()), 1 << 62)
    return array


def bent_header(offset, data):
    array = honest()
    for group in array.groups:
        for column in range(group.columns):
            group.old_headers[column] = {offset: data}
    return array


def bent_entries(offset, data):
    """All entry pages say something else of themselves."""
    array = honest()
    pages = SynthArray._write_extents

    def write_extents(out, number):
        pages(array, out, number)
        for group in array.groups:
            for column in range(group.columns):
                if group.members[column] == number:
                    _bend_pages(array, out, array.seal_offset(group, column) + BLOCK, offset, data,
                                group.entry_pages(column))
    array._write_extents = write_extents
    return array


def _bend_pages(array, out, at, offset, data, pages):
    for page in pages:
        page = page[:4] + bytes(4) + page[8:offset] + data + page[offset + len(data):]
        page = page[:4] + struct.pack("<I", crc(crc(0, array.uuid), page)) + page[8:]
        out.seek(at)
        out.write(page)
        at += BLOCK


ODD = [
    ("no-spans", lambda: without("omega")),
    ("no-volumes", lambda: without("alpha", "gamma", "omega")),
    ("no-groups", lambda: without("alpha", "gamma", "omega", "parity", "second", "mirror",
                                  "sequential")),
    ("all-stale", all_stale),
    ("all-failed", lambda: bent("member", {"state": 3})),
    ("spare-with-extents", lambda: bent("member", {"state": 1})),
    ("policy-unit", lambda: bent("array", {"layout": PARITY, "policy_unit": U32})),
    ("policy-unit-3", lambda: bent("array", {"layout": PARITY, "policy_unit": 3})),
    ("policy-wide", lambda: bent("array", {"layout": PARITY, "columns": 32, "policy_unit": 1})),
    ("policy-levels", lambda: bent("array", {"layout": SEQUENTIAL, "checks": 8, "columns": 16})),
    ("policy-levels-3", lambda: bent("array", {"layout": SEQUENTIAL, "checks": 8, "columns": 3})),
    ("policy-class", lambda: bent("array", {"size_class": 12})),
    ("policy-copies", lambda: bent("array", {"layout": MIRROR, "checks": 31, "columns": 32})),
    ("ids-end", lambda: bent("array", {"next_extent": 1 << 62, "next_group": 1 << 62,
                                       "next_volume": 1 << 62, "next_job": 1 << 62})),
    ("across-escape", lambda: bent("array", {"across": b"\x1b[1m"})),
    ("label-escape", lambda: bent("member", {"key": b"\x1b[1m"})),
    ("span-half-block", lambda: bent("alpha", {"span": 15 * BLOCK + 1, "offset_1": 15 * BLOCK + 1,
                                               "length": 31 * BLOCK + 1})),
    ("volume-bidi", lambda: bent("alpha", {"name": "\u202eab".encode()})),
    ("volume-no-utf8", lambda: bent("alpha", {"name": b"\xff\xfe\xc0\x80x"})),
    ("name-escape", lambda: bent_name(b"\x1b]0;")),
    ("last-generation", last_generation),
    ("time-end", lambda: bent("array", {"created": U64})),
    ("job-cursor", lambda: bent("job", {"cursor": U64, "started": U64, "total": U64})),
    ("job-scrub", lambda: bent("job", {"kind": 3, "from": U32, "cursor": U64, "total": U64})),
    ("migrate", lambda: migrating({})),
    ("migrate-cursor", lambda: migrating({"cursor": U64})),
    ("migrate-one-column", lambda: migrating({"policy_columns": 1})),
    ("job-replace-nowhere", lambda: bent("job", {"kind": 2})),
    ("job-replace", lambda: bent("job", {"kind": 2, "to": 1, "state": 1})),
    ("header-column", lambda: bent_header(84, b"\xff\xff")),
    ("header-columns", lambda: bent_header(14, b"\xff")),
    ("header-checks", lambda: bent_header(15, b"\xff")),
    ("header-layout", lambda: bent_header(13, b"\2")),
    ("header-class", lambda: bent_header(12, b"\x0c")),
    ("header-frame", lambda: bent_header(72, b"\xff\xff\xff\xff")),
    ("header-body", lambda: bent_header(76, b"\xff\xff\xff\xff")),
    ("header-segment", lambda: bent_header(80, b"\0\0\0\0")),
    ("header-pure", lambda: bent_header(86, b"\x20\0")),
    ("header-volume", lambda: bent_header(88, bytes(7) + b"\x40")),
    ("header-offset", lambda: bent_header(96, b"\xff" * 8)),
    ("header-length", lambda: bent_header(104, b"\xff" * 8)),
    ("header-unit", lambda: bent_header(112, b"\xff" * 4)),
    ("header-position", lambda: bent_header(116, b"\x1f\0\x20\0")),
    ("header-position-over", lambda: bent_header(116, b"\xff\xff")),
    ("header-span-0", lambda: bent_header(116, b"\0\0\0\0")),
    ("header-name", lambda: bent_header(128, b"\xff" + b"\x1b[2J" * 63)),
    ("header-extent", lambda: bent_header(32, b"\xff" * 8)),
    ("header-extents", lambda: bent_header(416, struct.pack("<3Q", 1, 1, 1))),
    ("header-extents-max", lambda: bent_header(416, b"\xff" * 24)),
    ("header-generation", lambda: bent_header(40, b"\xff" * 8)),
    ("header-group", lambda: bent_header(48, b"\xff" * 8)),
    ("header-group-0", lambda: bent_header(48, bytes(8))),
    ("header-group-generation", lambda: bent_header(120, b"\xff" * 8)),
    ("header-index", lambda: bent_header(384, b"\xff" * 32)),
    ("entries-extent", lambda: bent_entries(8, b"\xff" * 8)),
    ("entries-page", lambda: bent_entries(16, b"\xff" * 4)),
    ("entries-first", lambda: bent_entries(20, b"\xff" * 4)),
    ("entries-count", lambda: bent_entries(24, b"\xff\xff")),
    ("entries-count-0", lambda: bent_entries(24, b"\0\0")),
    ("entries-size", lambda: bent_entries(26, b"\xff\xff")),
    ("entries-size-0", lambda: bent_entries(26, b"\0\0")),
    ("entries-generation", lambda: bent_entries(36, b"\xff" * 4)),
    *hostile_log.odd(honest),
]


def variants():
    """(name, expression, function that makes the array) of all that have to be refused."""
    def bent_super(field, value):
        array = honest()
        array.bend_supers(field, value)
        return array

    def bent_record(field, value):
        array = honest()
        array.bend_record(field, value)
        return array

    for name, word, field, value in SUPERS:
        yield name, word, lambda f=field, v=value: bent_super(f, v)
    for name, word, field, value in RECORDS:
        yield name, word, lambda f=field, v=value: bent_record(f, v)
    for name, word, item, values in ITEMS:
        yield name, word, lambda i=item, v=values: bent(i, v)
    yield from MADE


def write(folder, name, array):
    path = os.path.join(folder, name)
    os.mkdir(path)
    for member in array.write(path)[array.files:]:
        os.unlink(member)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    write(folder, "honest", honest())
    with open(os.path.join(folder, "list"), "w", encoding="utf-8") as out:
        for number, (name, word, make) in enumerate(variants()):
            write(folder, f"{number:03}", make())
            out.write(f"{number:03}\t{name}\t{word}\n")
    with open(os.path.join(folder, "odd"), "w", encoding="utf-8") as out:
        for number, (name, make) in enumerate(ODD, start=500):
            write(folder, str(number), make())
            out.write(f"{number}\t{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the fields of map items lie that hostile.py bends, and the superblocks that it makes."""

import synth
from records import BLOCK

U32, U64 = (1 << 32) - 1, (1 << 64) - 1

# Offsets in the items of docs/FORMAT.md section 3, of the array that honest() makes.
ARRAY = {"policy_unit": (60, "I"), "across": (86, 4), "created": (48, "Q"),
         "epoch": (0, "Q"), "epoch_id": (8, "Q"), "next_extent": (16, "Q"), "next_group": (24, "Q"),
         "next_volume": (32, "Q"), "next_job": (40, "Q"), "layout": (56, "B"), "checks": (57, "B"),
         "columns": (58, "H"), "size_class": (64, "B"), "journal": (65, "B"), "pure": (68, "H"),
         "reserved": (70, "B"), "name_size": (80, "B"), "name": (81, 4), "across_size": (85, "B"),
         "epochs": (90, "B"), "epoch_0": (91, "Q"), "first_generation": (107, "Q"),
         "present_high": (123, "Q")}
MEMBER = {"number": (0, "I"), "uuid": (4, 16), "state": (20, "B"), "flags": (21, "B"),
          "reserved": (22, "H"), "size": (24, "Q"), "frame_count": (32, "Q"),
          "data_offset": (40, "Q"), "absent_since": (48, "Q"), "labels": (56, "B"),
          "key_size": (57, "B"), "key": (58, 4)}
GROUP = {"id": (0, "Q"), "generation": (8, "Q"), "layout": (16, "B"), "checks": (17, "B"),
         "columns": (18, "B"), "pure": (19, "B"), "segment": (20, "I"), "reserved": (24, "I"),
         "index_0": (28, "B"), "index_1": (29, "B"), "index_2": (30, "B")}
for _column in range(3):
    for _name, _at, _kind in (("id", 0, "Q"), ("generation", 8, "Q"), ("member", 16, "I"),
                              ("frame", 20, "I"), ("body", 24, "I"), ("class", 28, "B"),
                              ("flags", 29, "B"), ("reserved", 32, "Q")):
        GROUP[f"{_name}_{_column}"] = (36 + 40 * _column + _at, _kind)
VOLUME = {"id": (0, "Q"), "length": (8, "Q"), "layout": (16, "B"), "checks": (17, "B"),
          "policy_unit": (20, "I"), "policy_class": (24, "B"), "name_size": (40, "B"), "name": (41, 5), "spans": (46, "I"),
          "offset": (50, "Q"), "span": (58, "Q"), "unit": (66, "I"), "extents": (70, "I"),
          "extent_0": (74, "Q"), "extent_1": (82, "Q"), "offset_1": (90, "Q"), "span_1": (98, "Q"),
          "unit_1": (106, "I"), "extent_2": (114, "Q"), "extent_3": (122, "Q")}
JOB = {"id": (0, "Q"), "kind": (8, "B"), "state": (9, "B"), "reserved": (10, "H"),
       "from": (12, "I"), "to": (16, "I"), "done": (20, "Q"), "total": (28, "Q"),
       "cursor": (36, "Q"), "started": (44, "Q")}
MIGRATE = {**JOB, "volume": (52, "Q"), "policy_layout": (60, "B"), "policy_checks": (61, "B"),
           "policy_columns": (62, "H"), "policy_reserved": (74, "H")}
TABLES = {"array": ARRAY, "member": MEMBER, "parity": GROUP, "second": GROUP, "mirror": GROUP,
          "sequential": GROUP, "alpha": VOLUME, "gamma": VOLUME, "omega": VOLUME, "job": JOB, "migrate": MIGRATE}

# name, word of the error, field of the superblock, value
SUPERS = [
    ("super-version", "version 2", "version", 2),
    ("super-version-huge", "version 4294967295", "version", U32),
    ("super-feature-refuse", "unknown features", "features_refuse", 2),
    ("super-feature-adopted", "differ about who made it|written for offset|no pgctl", "features_refuse", 1),
    ("super-feature-refuse-last", "unknown features", "features_refuse", 1 << 63),
    ("super-feature-read", "unknown features", "features_read", 4),
    ("super-slot", "slot 2 of generation 5", "slot", 2),
    ("super-slot-none", "slot 4294967295", "slot", U32),
    ("super-generation-0", "generation 0", "generation", 0),
    ("super-generation-huge", "generation 18446744073709551613", "generation", U64 - 2),
    ("super-epoch-0", "epoch 0", "epoch", 0),
    ("super-epoch-huge", "epoch 18446744073709551615", "epoch", U64),
    ("super-offset", "written for offset", "offset", 65536 + 15 * BLOCK),
    ("super-member-64", "member 64", "member", 64),
    ("super-member-huge", "member 4294967295", "member", U32),
    ("super-map-half", "in half 2", "map_half", 2),
    ("super-map-length-0", "map of 0 bytes", "map_length", 0),
    ("super-map-length-odd", "map of 4097 bytes", "map_length", 4097),
    ("super-map-length-huge", "map of 4611686018427387904 bytes", "map_length", 1 << 62),
    ("super-map-length-longer", "bad magic", "map_length", 8192),
    ("super-half-0", "map of 4096 bytes", "map_half_size", 0),
    ("super-half-huge", "regions", "map_half_size", 1 << 63),
    ("super-half-odd", "regions", "map_half_size", (64 << 10) + 1),
    ("super-map-offset-0", "regions", "map_offset", 0),
    ("super-map-offset-odd", "regions", "map_offset", synth.MAP_OFFSET + 1),
    ("super-map-offset-huge", "regions", "map_offset", U64 - 4095),
    ("super-map-offset-super", "regions", "map_offset", 1 << 20),
    ("super-log-offset", "regions", "log_offset", synth.MAP_OFFSET),
    ("super-log-size-odd", "regions", "log_size", 4096),
    ("super-log-size-huge", "regions", "log_size", U64 - 8191),
    ("super-data-offset-0", "regions", "data_offset", 0),
    ("super-data-offset-huge", "regions", "data_offset", U64 - 4095),
    ("super-data-offset-odd", "regions", "data_offset", synth.MAP_OFFSET + (256 << 10) + 1),
    ("super-frames-more", "regions", "frame_count", 10),
    ("super-frames-huge", "regions", "frame_count", U64),
    ("super-frames-overflow", "regions", "frame_count", 1 << 52),
    ("super-frame-blocks-0", "frames", "frame_blocks", 0),
    ("super-frame-blocks-1", "frames", "frame_blocks", 1),
    ("super-frame-blocks-huge", "regions", "frame_blocks", U32),
    ("super-body-0", "frames", "frame_body_blocks", 0),
    ("super-body-huge", "frames", "frame_body_blocks", U32),
    ("super-witness-0", "0 witnesses", "witness_max", 0),
    ("super-witness-33", "33 witnesses", "witness_max", 33),
    ("super-witness-page", "2029 witnesses", "witness_max", 2029),
    ("super-witness-wraps", "2147483644 witnesses", "witness_max", (1 << 31) - 4),
    ("super-witness-huge", "4294967295 witnesses", "witness_max", U32),
    ("super-size-huge", "it had 4611686018427387904", "member_size", 1 << 62),
    ("super-size-small", "regions", "member_size", BLOCK),
    ("super-name-0", "name", "name_size", 0),
    ("super-name-long", "name", "name_size", 200),
    ("super-name-nul", "name", "name", b"ta\0k"),
    ("super-present-high", "reserved", "present", bytes(31) + b"\1"),
    ("super-map-crc", "superblock says", "map_crc", 1),
]

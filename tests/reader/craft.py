#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damages the members of an array on purpose and knows the format while doing so.

craft.py lost MEMBER_FILE... --member N --extent ID --block B --seed S
        as if the last write of the block and of its entry had not reached the member: other
        content with a valid CRC, a generation one smaller, witnesses to match
craft.py forge MEMBER_FILE... --member N --extent ID --block B --seed S
        other content and its CRC in the entry, all else as it was: only the equations can tell
craft.py twin MEMBER_FILE... --group G --column C --to-column D
        the map puts column D on the member of column C, on a free frame; all CRCs are right
craft.py flip FILE OFFSET [XORMASK]
craft.py misdirect MEMBER_FILE... --member N --extent ID --block B --to-block C [--to-extent ID2]
        the bytes of block B also land on block C; the victim's seal is as it was
craft.py hostile FILE --field NAME --value V
        change a field of every superblock that has a valid CRC, and make its CRC valid again;
        NAME is one of FORMAT.md's (map_length), or @OFFSET:SIZE; V a number, text, or hex:BYTES
craft.py blocks MEMBER_FILE...
        one JSON line per block of every extent and per page of its seal

Prints what was done as a JSON line. Exit status 1 if it cannot be done, nothing is written then.
"""

import argparse
import contextlib
import json
import random
import struct
import sys
import zlib

from groupio import body_offset, seal_offset
from image import Array
from records import (
    BLOCK, ENTRY_PAGE, ENTRY_PAGE_START, ITEM_GROUP, RECORD, RECORD_SIZE, SUPER, Bad, block_crc,
    block_crc_seed, decode_entries, field_size, fields, pack_field, seal_page_crc, super_crc,
    super_positions,
)


def find_extent(array, number, member_number=None):
    """The place of an extent in the map and the member it lies on."""
    place = array.model.extents.get(number)
    if place is None:
        raise Bad(f"no extent {number}")
    member = array.members.get(place.item.member)
    if not place.group.sound:
        raise Bad(f"extent {number} does not fit its member")
    if member is None:
        raise Bad(f"member {place.item.member} of extent {number} is not among the files")
    if member_number is not None and member.number != member_number:
        raise Bad(f"extent {number} is on member {member.number}, not {member_number}")
    return place, member


def check_block(place, block):
    if not 0 <= block < place.item.body_blocks:
        raise Bad(f"extent {place.item.id} has no block {block}")


def entry_of(place, block):
    """(page number, first block, entry count, witnesses) of the page with a block's entry."""
    for number, (first, count, width) in enumerate(place.group.seal_pages(place.column), start=1):
        if first <= block < first + count:
            return number, first, count, width
    raise Bad(f"block {block} has no entry")


def older(entry):
    """The entry that an entry followed: one generation less, also where it saw that generation."""
    _, generation, *witnesses = entry
    if not generation:
        raise Bad("the block's generation is 0, there is none before it")
    before = generation - 1
    return before, [before & 0xFFFF if w == generation & 0xFFFF else w for w in witnesses]


def replace(args, files, change):
    """Other content for a block; `change` gives generation and witnesses of its entry from the old."""
    array = Array(args.members, files, writable=True)
    place, member = find_extent(array, args.extent, args.member)
    check_block(place, args.block)
    number, first, count, width = entry_of(place, args.block)
    page_offset = seal_offset(array, place.item) + number * BLOCK
    block_offset = body_offset(array, place.item) + args.block * BLOCK
    page = bytearray(member.read(page_offset, BLOCK))
    entries = decode_entries(bytes(page), array.uuid, {
        "extent": place.item.id, "page": number, "first_block": first, "entry_count": count,
        "entry_size": 8 + 2 * width})
    generation, witnesses = change(entries[args.block - first])
    content = random.Random(args.seed).randbytes(BLOCK)
    if content == member.read(block_offset, BLOCK):
        raise Bad("the block has that content already, take another seed")
    crc = block_crc(block_crc_seed(array.uuid, place.item.id), args.block, content)
    struct.pack_into(f"<II{width}H", page,
                     ENTRY_PAGE_START + (args.block - first) * (8 + 2 * width),
                     crc, generation, *witnesses)
    struct.pack_into("<I", page, ENTRY_PAGE["crc"][0],
                     seal_page_crc(bytes(page), ENTRY_PAGE, array.uuid))
    member.write(block_offset, content)
    member.write(page_offset, bytes(page))
    yield {"member": member.number, "offset": block_offset, "page_offset": page_offset,
           "generation": generation, "role": place.group.role(place.column, args.block)}


def lost(args, files):
    yield from replace(args, files, older)


def forge(args, files):
    yield from replace(args, files, lambda entry: (entry[1], entry[2:]))


def _group_items(data, group):
    """Offsets of the records of a map, and of each item of this group, in its bytes."""
    records, items, at = [], [], 0
    while at < len(data):
        record = fields(RECORD, data[at:])
        records.append(at)
        item = at + RECORD_SIZE
        for _ in range(record.item_count):
            kind, _, size = struct.unpack_from("<HHI", data, item)
            if kind == ITEM_GROUP and struct.unpack_from("<Q", data, item + 8)[0] == group:
                items.append(item + 8)
            item += 8 + size
        at += record.record_size
    return records, items


def _free_frame(array, number):
    used = set()
    for place in array.model.extents.values():
        if place.item.member == number:
            used.update(range(place.item.frame, place.item.frame + (1 << place.item.size_class)))
    for frame in range(array.model.members[number].frame_count):
        if frame not in used:
            return frame
    raise Bad(f"member {number} has no free frame")


def _seal_map(data, records):
    """The CRCs of all records again, each with that of the one before."""
    before = 0
    for at in records:
        size = fields(RECORD, data[at:]).record_size
        struct.pack_into("<II", data, at + RECORD["crc_before"][0], before, 0)
        before = zlib.crc32(data[at:at + size])
        struct.pack_into("<I", data, at + RECORD["crc"][0], before)
    return before


def twin(args, files):
    array = Array(args.members, files, writable=True)
    group = array.model.groups.get(args.group)
    if not group or not args.column < group.columns or not args.to_column < group.columns:
        raise Bad(f"no group {args.group} with columns {args.column} and {args.to_column}")
    number = group.extents[args.column].member
    frame = _free_frame(array, number)
    for member in array.members.values():
        own, data = member.newest, bytearray(member.map_bytes)
        records, items = _group_items(data, args.group)
        # The extents stand behind 28 bytes and the coefficient indexes, padded to 8.
        extents = items[-1] + 28 + -(-group.columns // 8) * 8
        struct.pack_into("<II", data, extents + 40 * args.to_column + 16, number, frame)
        block = bytearray(member.read(own.where, BLOCK))
        struct.pack_into("<I", block, SUPER["map_crc"][0], _seal_map(data, records))
        struct.pack_into("<I", block, SUPER["crc"][0], super_crc(block))
        member.write(own.map_offset + own.map_half * own.map_half_size, bytes(data))
        member.write(own.where, bytes(block))
    yield {"group": args.group, "column": args.to_column, "member": number, "frame": frame}


def flip(args, _files):
    with open(args.file, "r+b") as file:
        file.seek(args.offset)
        before = file.read(1)
        if not before:
            raise Bad(f"{args.file} ends before byte {args.offset}")
        file.seek(args.offset)
        file.write(bytes([before[0] ^ args.mask]))
    yield {"file": args.file, "offset": args.offset, "before": before[0],
           "after": before[0] ^ args.mask}


def misdirect(args, files):
    array = Array(args.members, files, writable=True)
    place, member = find_extent(array, args.extent, args.member)
    victim, _ = find_extent(array, args.to_extent or args.extent, args.member)
    check_block(place, args.block)
    check_block(victim, args.to_block)
    source = body_offset(array, place.item) + args.block * BLOCK
    target = body_offset(array, victim.item) + args.to_block * BLOCK
    content = member.read(source, BLOCK)
    if content == member.read(target, BLOCK):
        raise Bad("both blocks have the same content")
    member.write(target, content)
    yield {"member": member.number, "from_offset": source, "offset": target}


def _value(text, kind):
    """The bytes of a field from what the user wrote."""
    if text.startswith("hex:"):
        data = bytes.fromhex(text[4:])
    elif isinstance(kind, str):
        return pack_field(kind, int(text, 0))
    else:
        data = text.encode()
    if len(data) > field_size(kind):
        raise Bad(f"value of {len(data)} bytes for a field of {field_size(kind)}")
    return data.ljust(field_size(kind), b"\0")


def _field(name):
    """(offset, kind) of a field by name or as @OFFSET:SIZE."""
    if name.startswith("@"):
        offset, size = (int(part, 0) for part in name[1:].split(":"))
        kind = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(size, size)
        if not 0 <= offset <= offset + size <= SUPER["crc"][0]:
            raise Bad(f"no room for {name}")
        return offset, kind
    name = name.replace("-", "_").replace(" ", "_")
    if name not in SUPER or name == "crc":
        raise Bad(f"no field {name}; there are: {' '.join(n for n in SUPER if n != 'crc')}")
    return SUPER[name]


def hostile(args, _files):
    offset, kind = _field(args.field)
    value = _value(args.value, kind)
    done = []
    with open(args.file, "r+b") as file:
        for position in super_positions():
            file.seek(position)
            block = file.read(BLOCK)
            if len(block) < BLOCK or fields(SUPER, block).crc != super_crc(block):
                continue
            block = block[:offset] + value + block[offset + len(value):SUPER["crc"][0]]
            file.seek(position)
            file.write(block + struct.pack("<I", super_crc(block)))
            done.append(position)
    if not done:
        raise Bad(f"{args.file}: no superblock")
    yield {"file": args.file, "field": args.field, "offsets": done}


def _extent_blocks(array, number, place):
    group, extent = place.group, place.item
    body = body_offset(array, extent)
    found = array.model.span_of(group, place.column)
    for block in range(extent.body_blocks):
        row = {"member": extent.member, "extent": number, "block": block,
               "offset": body + block * BLOCK, "role": group.role(place.column, block),
               "group": group.id, "volume": None, "from": None, "to": None}
        volume_range = found and found[0].volume_range(found[1], block, 1)
        if volume_range and row["role"] in ("data", "copy"):
            row["volume"] = found[0].volume.name
            row["from"], row["to"] = volume_range
        yield row


def _seal_rows(array, number, place):
    seal = seal_offset(array, place.item)
    row = {"member": place.item.member, "extent": number, "group": place.group.id}
    yield {**row, "role": "header", "page": 0, "offset": seal}
    pages = place.group.seal_pages(place.column)
    for page, (first, count, _) in enumerate(pages, start=1):
        yield {**row, "role": "entries", "page": page, "offset": seal + page * BLOCK,
               "first_block": first, "entry_count": count}


def blocks(args, files):
    array = Array(args.members, files)
    for number, place in sorted(array.model.extents.items()):
        if place.group.sound:
            yield from _extent_blocks(array, number, place)
            yield from _seal_rows(array, number, place)


def number_argument(text):
    return int(text, 0)


def mask_argument(text):
    mask = int(text, 0)
    if not 1 <= mask <= 255:
        raise argparse.ArgumentTypeError("a mask is 1 to 255")
    return mask


def _place_arguments(parser):
    parser.add_argument("members", nargs="+", metavar="MEMBER_FILE")
    parser.add_argument("--member", type=number_argument, required=True, metavar="N")
    parser.add_argument("--extent", type=number_argument, required=True, metavar="ID")
    parser.add_argument("--block", type=number_argument, required=True, metavar="B")


def parse(arguments):
    parser = argparse.ArgumentParser(description="Damage a pgctl array on purpose.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("lost", help="lose the last write of a block and of its entry")
    _place_arguments(command)
    command.add_argument("--seed", type=number_argument, required=True, metavar="S")
    command.set_defaults(run=lost)
    command = commands.add_parser("forge", help="change a block and the CRC in its entry")
    _place_arguments(command)
    command.add_argument("--seed", type=number_argument, required=True, metavar="S")
    command.set_defaults(run=forge)
    command = commands.add_parser("twin", help="put two columns of a group on one member")
    command.add_argument("members", nargs="+", metavar="MEMBER_FILE")
    for name in ("group", "column", "to-column"):
        command.add_argument("--" + name, type=number_argument, required=True, metavar="N")
    command.set_defaults(run=twin)
    command = commands.add_parser("flip", help="change bits of a byte")
    command.add_argument("file", metavar="FILE")
    command.add_argument("offset", type=number_argument, metavar="OFFSET")
    command.add_argument("mask", type=mask_argument, nargs="?", default=1, metavar="XORMASK")
    command.set_defaults(run=flip)
    command = commands.add_parser("misdirect", help="write a block over another one too")
    _place_arguments(command)
    command.add_argument("--to-block", type=number_argument, required=True, metavar="C")
    command.add_argument("--to-extent", type=number_argument, metavar="ID2")
    command.set_defaults(run=misdirect)
    command = commands.add_parser("hostile", help="change a field of all superblocks of a member")
    command.add_argument("file", metavar="FILE")
    command.add_argument("--field", required=True, metavar="NAME")
    command.add_argument("--value", required=True, metavar="V")
    command.set_defaults(run=hostile)
    command = commands.add_parser("blocks", help="list every block of every extent")
    command.add_argument("members", nargs="+", metavar="MEMBER_FILE")
    command.set_defaults(run=blocks)
    return parser.parse_args(arguments)


def main(arguments=None):
    args = parse(arguments)
    try:
        with contextlib.ExitStack() as files:
            for row in args.run(args, files):
                print(json.dumps(row))
    except (Bad, OSError, ValueError, struct.error) as bad:
        print(f"craft: {bad}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

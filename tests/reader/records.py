# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of the native format as docs/FORMAT.md lists them: bytes in, fields out, or Bad.

A table maps a field to (offset, kind): kind is B, H, I, Q for a little-endian integer, or the size
of a field of plain bytes. What no field of a table covers is reserved and has to be zero.
"""

import struct
import zlib
from types import SimpleNamespace

BLOCK = 4096
KIB, MIB = 1 << 10, 1 << 20
VERSION = 1
SIZES = {"B": 1, "H": 2, "I": 4, "Q": 8}

PLAIN, MIRROR, PARITY, SEQUENTIAL = range(4)
LAYOUTS = ("plain", "mirror", "parity", "sequential")
STATES = ("online", "spare", "offline", "failed")
JOB_KINDS = {1: "rebuild", 2: "replace", 3: "scrub", 4: "remove", 5: "rebalance",
             6: "recombine", 7: "evacuate", 8: "expand", 9: "migrate", 10: "topology"}
JOB_STATES = ("running", "paused", "done")
NO_MEMBER = 0xFFFFFFFF
COLUMNS_MAX = 32
FEATURE_ADOPTED = 1
ADOPTION_STATES = ("reversible", "committed", "being undone")
BARE_FRAME_FIRST = 1 << 31
EPOCHS_MAX = 32

SUPER_MAGIC = bytes.fromhex("89504743544C0D0A")
SUPER = {
    "magic": (0, 8),
    "version": (8, "I"),
    "slot": (12, "I"),
    "offset": (16, "Q"),
    "features_ignore": (24, "Q"),
    "features_read": (32, "Q"),
    "features_refuse": (40, "Q"),
    "array_uuid": (48, 16),
    "member_uuid": (64, 16),
    "member": (80, "I"),
    "epoch": (88, "Q"),
    "epoch_id": (96, "Q"),
    "generation": (104, "Q"),
    "map_crc_before": (112, "I"),
    "map_crc": (116, "I"),
    "map_half": (120, "I"),
    "map_length": (128, "Q"),
    "member_size": (136, "Q"),
    "map_offset": (144, "Q"),
    "map_half_size": (152, "Q"),
    "log_offset": (160, "Q"),
    "log_size": (168, "Q"),
    "data_offset": (176, "Q"),
    "frame_count": (184, "Q"),
    "frame_blocks": (192, "I"),
    "frame_body_blocks": (196, "I"),
    "witness_max": (200, "I"),
    "written": (208, "Q"),
    "present": (216, 32),
    "name_size": (256, "B"),
    "name": (257, 255),
    "crc": (4092, "I"),
}
RECORD_SIZE = 64
RECORD = {
    "magic": (0, 4),
    "version": (4, "I"),
    "kind": (8, "I"),
    "item_count": (12, "I"),
    "record_size": (16, "Q"),
    "payload_size": (24, "Q"),
    "generation": (32, "Q"),
    "array_uuid": (40, 16),
    "crc_before": (56, "I"),
    "crc": (60, "I"),
}
HEADER = {
    "magic": (0, 4),
    "crc": (4, "I"),
    "version": (8, "I"),
    "size_class": (12, "B"),
    "layout": (13, "B"),
    "columns": (14, "B"),
    "checks": (15, "B"),
    "array_uuid": (16, 16),
    "extent": (32, "Q"),
    "generation": (40, "Q"),
    "group": (48, "Q"),
    "member_uuid": (56, 16),
    "frame": (72, "I"),
    "body_blocks": (76, "I"),
    "segment_blocks": (80, "I"),
    "column": (84, "H"),
    "pure": (86, "H"),
    "volume": (88, "Q"),
    "span_offset": (96, "Q"),
    "span_length": (104, "Q"),
    "unit_blocks": (112, "I"),
    "position": (116, "H"),
    "span_extents": (118, "H"),
    "group_generation": (120, "Q"),
    "name_size": (128, "B"),
    "name": (129, 255),
    "index": (384, 32),
    "extents": (416, 256),
}
ENTRY_PAGE_START = 32
ENTRY_PAGE_ROOM = BLOCK - ENTRY_PAGE_START
ENTRY_PAGE = {
    "magic": (0, 4),
    "crc": (4, "I"),
    "extent": (8, "Q"),
    "page": (16, "I"),
    "first_block": (20, "I"),
    "entry_count": (24, "H"),
    "entry_size": (26, "H"),
}


class Bad(Exception):
    """Bytes that are not what the format says; `offset` counts from the start of what was read."""

    def __init__(self, text, offset=0):
        super().__init__(text)
        self.offset = offset


class Refused(Bad):
    """A record that is whole but of a kind this reader must not interpret."""


def field_size(kind):
    return SIZES.get(kind, kind)


def pack_field(kind, value):
    if kind in SIZES:
        return struct.pack("<" + kind, value)
    return bytes(value).ljust(kind, b"\0")


def fields(table, data):
    found = SimpleNamespace()
    for name, (offset, kind) in table.items():
        if kind in SIZES:
            value = struct.unpack_from("<" + kind, data, offset)[0]
        else:
            value = bytes(data[offset:offset + kind])
        setattr(found, name, value)
    return found


def check_reserved(table, data, what):
    """All bytes that no field covers are zero."""
    at = 0
    for name, (offset, kind) in sorted(table.items(), key=lambda item: item[1][0]):
        if any(data[at:offset]):
            raise Bad(f"{what}: reserved bytes before {name} are in use", at)
        at = offset + field_size(kind)
    if any(data[at:]):
        raise Bad(f"{what}: reserved bytes at its end are in use", at)


def check_name(record, what):
    if any(record.name[record.name_size:]):
        raise Bad(f"{what}: padding of the name is in use")
    record.name = record.name[:record.name_size].decode("utf-8", "backslashreplace")


def zero_field(data, table, name):
    offset, kind = table[name]
    return data[:offset] + bytes(field_size(kind)) + data[offset + field_size(kind):]


# Superblocks


NEAR, SECOND, FAR = 64 * KIB, 128 * KIB, MIB


def super_positions(areas=(NEAR, FAR, SECOND)):
    return [base + BLOCK * i for base in areas for i in range(16)]


def super_position(member_uuid, slot, adopted):
    key = member_uuid[-1] & 7
    second = SECOND if adopted else FAR
    return (NEAR if slot < 2 else second) + BLOCK * (2 * key + slot % 2)


def super_crc(block):
    return zlib.crc32(block[:SUPER["crc"][0]])


def decode_super(block, position):
    """The superblock at byte `position`, or Bad; Refused if it is whole but too new."""
    record = fields(SUPER, block)
    if record.magic != SUPER_MAGIC:
        raise Bad("superblock: bad magic")
    if record.crc != super_crc(block):
        raise Bad(f"superblock: CRC {record.crc:#010x}, computed {super_crc(block):#010x}")
    if record.version != VERSION:
        raise Refused(f"superblock: version {record.version}, can read {VERSION}")
    if record.features_refuse & ~FEATURE_ADOPTED:
        raise Refused(f"superblock: unknown features {record.features_refuse & ~FEATURE_ADOPTED:#x}")
    record.adopted = bool(record.features_refuse & FEATURE_ADOPTED)
    check_reserved(SUPER, block, "superblock")
    check_name(record, "superblock")
    _check_super_place(record, position)
    _check_super_map(record)
    _check_super_regions(record)
    record.where = position
    return record


def _check_super_place(record, position):
    if record.offset != position:
        raise Bad(f"superblock: says it lies at {record.offset}")
    if record.generation < 1 or record.epoch < 1:
        raise Bad(f"superblock: epoch {record.epoch}, generation {record.generation}")
    if record.slot > 3 or record.slot != record.generation % 4:
        raise Bad(f"superblock: slot {record.slot} of generation {record.generation}")
    if position != super_position(record.member_uuid, record.slot, record.adopted):
        raise Bad(f"superblock: not where slot {record.slot} of its member uuid lies")
    if record.member > 255:
        raise Bad(f"superblock: member {record.member}")
    if not record.name_size:
        raise Bad("superblock: no array name")


def _check_super_map(record):
    if record.generation == 1 and record.map_crc_before:
        raise Bad("superblock: generation 1 has a map CRC before")
    if record.map_half > 1:
        raise Bad(f"superblock: map half {record.map_half}")
    if record.map_length % BLOCK or not 0 < record.map_length <= record.map_half_size:
        raise Bad(f"superblock: map length {record.map_length}, half {record.map_half_size}")


def _check_super_regions(record):
    for name in ("map_offset", "map_half_size", "log_offset", "data_offset"):
        if getattr(record, name) % BLOCK:
            raise Bad(f"superblock: {name} {getattr(record, name)} is not a multiple of {BLOCK}")
    if record.log_size % (2 * BLOCK):
        raise Bad(f"superblock: log_size {record.log_size} is not a multiple of {2 * BLOCK}")
    if not 1 <= record.witness_max <= (ENTRY_PAGE_ROOM - 8) // 2:
        raise Bad(f"superblock: witness_max {record.witness_max}")
    pages = -(-record.frame_body_blocks // (ENTRY_PAGE_ROOM // (8 + 2 * record.witness_max)))
    if not record.frame_body_blocks or record.frame_blocks != record.frame_body_blocks + 2 + pages:
        raise Bad(f"superblock: frames of {record.frame_blocks} blocks with bodies of "
                  f"{record.frame_body_blocks}, witness_max {record.witness_max}")
    if record.frame_count > BARE_FRAME_FIRST:
        raise Bad(f"superblock: {record.frame_count} frames")
    edges = (
        ("superblock areas", (SECOND if record.adopted else FAR) + 64 * KIB),
        ("map", record.map_offset),
        ("map", record.map_offset + 2 * record.map_half_size),
        ("log", record.log_offset),
        ("log", record.log_offset + record.log_size),
        ("frames", record.data_offset),
        ("frames", record.data_offset + record.frame_count * record.frame_blocks * BLOCK),
        ("member", record.member_size),
    )
    for (name, edge), (after, after_edge) in zip(edges, edges[1:]):
        if edge > after_edge:
            raise Bad(f"superblock: {name} ({edge}) and {after} ({after_edge}) are out of order")


# The map


class Cursor:
    """Reads an item field by field and refuses to run over its end."""

    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def take(self, size):
        if size > len(self.data) - self.at:
            raise Bad(f"{self.what}: ends at {len(self.data)}, needs {self.at + size}")
        self.at += size
        return self.data[self.at - size:self.at]

    def get(self, kinds):
        values = struct.unpack("<" + kinds, self.take(struct.calcsize("<" + kinds)))
        return values if len(values) > 1 else values[0]

    def text(self):
        return self.take(self.get("B")).decode("utf-8", "backslashreplace")

    def zeros(self, size):
        if any(self.take(size)):
            raise Bad(f"{self.what}: reserved bytes are in use")

    def end(self):
        if self.at != len(self.data):
            raise Bad(f"{self.what}: {len(self.data) - self.at} bytes too many")

    def within(self, name, value, limit):
        if value >= limit:
            raise Bad(f"{self.what}: unknown {name} {value}")


def _policy(cursor):
    policy = SimpleNamespace()
    (policy.layout, policy.checks, policy.columns, policy.unit_blocks, policy.size_class,
     policy.journal, policy.topology, policy.zones, policy.pure,
     policy.zone_second, policy.zone_third) = cursor.get("BBHIBBBBHHH")
    cursor.zeros(6)
    if not (policy.zone_second == policy.zone_third == 0 or
            0 < policy.zone_second < policy.zone_third <= 1000):
        raise Bad(f"{cursor.what}: zones at {policy.zone_second} and {policy.zone_third}")
    cursor.within("layout", policy.layout, 4)
    cursor.within("journal", policy.journal, 3)
    cursor.within("topology", policy.topology, 5)
    cursor.within("zones", policy.zones, 3)
    return policy


def _item_array(cursor):
    item = SimpleNamespace()
    (item.epoch, item.epoch_id, item.next_extent, item.next_group, item.next_volume,
     item.next_job, item.created) = cursor.get("7Q")
    item.policy = _policy(cursor)
    item.name, item.across = cursor.text(), cursor.text()
    count = cursor.get("B")
    cursor.within("epoch count", count, EPOCHS_MAX + 1)
    item.epochs = []
    for _ in range(count):
        epoch = SimpleNamespace()
        epoch.epoch, epoch.epoch_id, epoch.first_generation = cursor.get("3Q")
        epoch.present = cursor.take(32)
        item.epochs.append(epoch)
    return 0, item


def _item_member(cursor):
    item = SimpleNamespace()
    item.number, item.uuid = cursor.get("I"), cursor.take(16)
    item.state, item.flags = cursor.get("BB")
    cursor.zeros(2)
    item.size, item.frame_count, item.data_offset, item.absent_since = cursor.get("4Q")
    item.labels = {}
    for _ in range(cursor.get("B")):
        key = cursor.text()
        item.labels[key] = cursor.text()
    item.rates = []
    if cursor.at < len(cursor.data):
        parts, *item.rates = cursor.get("B8I")
        if parts != 8 or 0 in item.rates:
            raise Bad(f"{cursor.what}: rates of {parts} parts: {item.rates}")
    cursor.within("state", item.state, len(STATES))
    cursor.within("flags", item.flags, 2)
    cursor.within("member number", item.number, 256)
    return item.number, item


def _window(cursor):
    """Where the bytes of a bare extent lie."""
    window = SimpleNamespace()
    window.length, window.origin, window.run, window.stride = cursor.get("4Q")
    if not window.length or not window.run or window.stride < window.run:
        raise Bad(f"{cursor.what}: window of {window.length} bytes, runs of {window.run} at a "
                  f"stride of {window.stride}")
    return window


def _item_group(cursor):
    item = SimpleNamespace()
    item.id, item.generation = cursor.get("QQ")
    item.layout, item.checks, item.columns, item.pure = cursor.get("4B")
    item.segment_blocks, flags = cursor.get("II")
    cursor.within("group flags", flags, 2)
    item.bare = bool(flags & 1)
    item.index = list(cursor.take(item.columns))
    cursor.zeros(-item.columns % 8)
    item.extents = []
    for _ in range(item.columns):
        extent = SimpleNamespace()
        (extent.id, extent.generation, extent.member, extent.frame, extent.body_blocks,
         extent.size_class, extent.flags) = cursor.get("QQIIIBB")
        cursor.zeros(10)
        cursor.within("extent flags", extent.flags, 2)
        extent.stale = bool(extent.flags & 1)
        extent.window = _window(cursor) if item.bare else None
        item.extents.append(extent)
    cursor.within("layout", item.layout, 4)
    return item.id, item


def _item_volume(cursor):
    item = SimpleNamespace()
    item.id, item.length = cursor.get("QQ")
    item.policy = _policy(cursor)
    item.name = cursor.text()
    item.spans = []
    for _ in range(cursor.get("I")):
        span = SimpleNamespace()
        span.offset, span.length, span.unit_blocks, count = cursor.get("QQII")
        span.extents = list(struct.unpack(f"<{count}Q", cursor.take(8 * count)))
        item.spans.append(span)
    return item.id, item


def _item_job(cursor):
    item = SimpleNamespace()
    item.id, item.kind, item.state = cursor.get("QBB")
    cursor.zeros(2)
    item.from_member, item.to_member = cursor.get("II")
    item.done, item.total, item.cursor, item.started = cursor.get("4Q")
    if item.kind not in JOB_KINDS:
        raise Bad(f"{cursor.what}: unknown kind {item.kind}")
    cursor.within("state", item.state, len(JOB_STATES))
    item.volume, item.policy = 0, None
    if cursor.at < len(cursor.data):
        item.volume, item.policy = cursor.get("Q"), _policy(cursor)
        if not item.volume and not item.policy.columns:
            raise Bad(f"{cursor.what}: asked for nothing")
    return item.id, item


def _item_adopted(cursor):
    item = SimpleNamespace()
    item.state = cursor.get("B")
    cursor.zeros(15)
    item.origin = cursor.take(16)
    cursor.within("state", item.state, len(ADOPTION_STATES))
    return 0, item


(ITEM_ARRAY, ITEM_MEMBER, ITEM_GROUP, ITEM_VOLUME, ITEM_JOB, ITEM_DELETE,
 ITEM_ADOPTED) = range(1, 8)
ITEM_NAMES = {1: "array", 2: "member", 3: "group", 4: "volume", 5: "job", 6: "delete", 7: "adopted"}
DECODERS = {
    ITEM_ARRAY: _item_array,
    ITEM_MEMBER: _item_member,
    ITEM_GROUP: _item_group,
    ITEM_VOLUME: _item_volume,
    ITEM_JOB: _item_job,
    ITEM_ADOPTED: _item_adopted,
}


def _apply_item(items, kind, data):
    cursor = Cursor(data, f"map item {ITEM_NAMES.get(kind, kind)}")
    if kind == ITEM_DELETE:
        kind = cursor.get("B")
        cursor.zeros(7)
        gone = cursor.get("Q")
        if kind not in DECODERS or kind in (ITEM_ARRAY, ITEM_ADOPTED):
            raise Bad(f"{cursor.what}: of type {kind}")
        items[kind].pop(gone, None)
    elif kind in DECODERS:
        number, item = DECODERS[kind](cursor)
        items[kind][number] = item
    else:
        raise Bad(f"{cursor.what}: unknown type")
    cursor.end()


def _apply_record(items, record, data):
    at = RECORD_SIZE
    end = RECORD_SIZE + record.payload_size
    for _ in range(record.item_count):
        if at + 8 > end:
            raise Bad(f"map record: payload ends within item at {at}", at)
        kind, reserved, size = struct.unpack_from("<HHI", data, at)
        if reserved or size > end - at - 8:
            raise Bad(f"map record: item of type {kind} and size {size}", at)
        try:
            _apply_item(items, kind, data[at + 8:at + 8 + size])
        except Bad as bad:
            raise Bad(str(bad), at) from None
        at += 8 + size
    if at != end:
        raise Bad(f"map record: items take {at - RECORD_SIZE} of {record.payload_size} bytes", at)
    if any(data[end:]):
        raise Bad("map record: padding is in use", end)


def _check_record(record, data, before, array_uuid):
    if record.magic != b"PGMR":
        raise Bad("map record: bad magic")
    computed = zlib.crc32(zero_field(data, RECORD, "crc"))
    if record.crc != computed:
        raise Bad(f"map record: CRC {record.crc:#010x}, computed {computed:#010x}")
    if record.version != VERSION:
        raise Refused(f"map record: version {record.version}, can read {VERSION}")
    if record.array_uuid != array_uuid:
        raise Bad("map record: of another array")
    if record.kind != (2 if before else 1):
        raise Bad(f"map record: kind {record.kind} as {'later' if before else 'first'} record")
    if record.payload_size > len(data) - RECORD_SIZE:
        raise Bad(f"map record: payload of {record.payload_size} bytes")
    if record.crc_before != (before.crc if before else 0):
        raise Bad("map record: CRC before is not that of the record before")
    if before and record.generation <= before.generation:
        raise Bad(f"map record: generation {record.generation} after {before.generation}")


def decode_map(data, superblock):
    """{type: {id: item}} from the `map length` valid bytes of the half that `superblock` names."""
    items = {kind: {} for kind in DECODERS}
    at, before = 0, None
    while at < len(data):
        record = fields(RECORD, data[at:at + RECORD_SIZE])
        size = record.record_size
        try:
            if size % BLOCK or not RECORD_SIZE < size <= len(data) - at:
                raise Bad(f"map record: size {size} with {len(data) - at} bytes left")
            _check_record(record, data[at:at + size], before, superblock.array_uuid)
            _apply_record(items, record, data[at:at + size])
        except Bad as bad:
            raise type(bad)(str(bad), at + bad.offset) from None
        at, before = at + size, record
    if (before.generation, before.crc) != (superblock.generation, superblock.map_crc):
        raise Bad(f"map: last record is of generation {before.generation}, CRC {before.crc:#010x}; "
                  f"superblock says {superblock.generation}, {superblock.map_crc:#010x}")
    if not items[ITEM_ARRAY]:
        raise Bad("map: no array item")
    if bool(items[ITEM_ADOPTED]) != superblock.adopted:
        raise Bad("map: its superblocks and its items differ about who made it")
    return items


# Seals


def seal_page_crc(page, table, array_uuid):
    return zlib.crc32(zero_field(page, table, "crc"), zlib.crc32(array_uuid))


def _check_seal_page(page, table, magic, array_uuid, what):
    record = fields(table, page)
    if record.magic != magic:
        raise Bad(f"{what}: bad magic")
    computed = seal_page_crc(page, table, array_uuid)
    if record.crc != computed:
        raise Bad(f"{what}: CRC {record.crc:#010x}, computed {computed:#010x}")
    return record


def decode_header(page, array_uuid):
    record = _check_seal_page(page, HEADER, b"PGSH", array_uuid, "header page")
    if record.version != VERSION:
        raise Bad(f"header page: version {record.version}")
    check_reserved(HEADER, page, "header page")
    check_name(record, "header page")
    record.index = list(record.index)
    record.extents = list(struct.unpack(f"<{COLUMNS_MAX}Q", record.extents))
    return record


def decode_entries(page, array_uuid, expected):
    """[(crc, generation, witness...)] of an entry page; `expected` names its fields' values."""
    record = _check_seal_page(page, ENTRY_PAGE, b"PGSE", array_uuid, "entry page")
    for name, value in expected.items():
        if getattr(record, name) != value:
            raise Bad(f"entry page: {name} {getattr(record, name)}, expected {value}")
    check_reserved(ENTRY_PAGE, page[:ENTRY_PAGE_START], "entry page")
    end = ENTRY_PAGE_START + record.entry_count * record.entry_size
    if any(page[end:]):
        raise Bad("entry page: padding is in use", end)
    entry = struct.Struct(f"<II{(record.entry_size - 8) // 2}H")
    return list(entry.iter_unpack(page[ENTRY_PAGE_START:end]))


def block_crc_seed(array_uuid, extent_id):
    """What crc() of a block's number goes on from."""
    return zlib.crc32(struct.pack("<Q", extent_id), zlib.crc32(array_uuid))


def block_crc(seed, number, block):
    return zlib.crc32(block, zlib.crc32(struct.pack("<I", number), seed))

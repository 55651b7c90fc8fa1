# SPDX-License-Identifier: GPL-3.0-or-later
"""Members and the array on them: its superblocks, which is newest, its map."""

import os
from collections import namedtuple

import model
from records import (
    BLOCK, FAR, NEAR, SECOND, SUPER, SUPER_MAGIC, Bad, Refused, decode_map, decode_super, fields,
    super_position, super_positions,
)

GENERATION_CREATING = 1  # an array that stops here was never finished
Problem = namedtuple("Problem", "member offset text")


class Member:
    """One file or block device, the superblocks on it, and the map its newest one names."""

    def __init__(self, path, files, writable=False):
        self.path = path
        self.file = files.enter_context(open(path, "r+b" if writable else "rb", buffering=0))
        self.size = self.file.seek(0, os.SEEK_END)
        self.slots, self.broken, self.notes = [], [], []
        self._look_at(NEAR)
        newest = max(self.slots, key=lambda slot: (slot.epoch, slot.generation), default=None)
        if not newest or newest.adopted:
            self._look_at(SECOND)
        if not any(slot.adopted for slot in self.slots):
            self._look_at(FAR)
        self._choose_identity()
        self.map, self.map_problem = None, None
        if self.newest:
            self._read_map()

    def read(self, offset, size):
        """Bytes, fewer at the end of the file."""
        parts = []
        while size > 0:
            part = os.pread(self.file.fileno(), size, offset)
            if not part:
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, offset, data):
        assert os.pwrite(self.file.fileno(), data, offset) == len(data)

    def _look_at(self, area):
        for position in super_positions((area,)):
            self._look(position)

    def _look(self, position):
        block = self.read(position, BLOCK)
        if len(block) < BLOCK or not any(block):
            return
        try:
            self.slots.append(decode_super(block, position))
        except Refused as bad:
            raise Bad(f"{self.path}: byte {position}: {bad}") from None
        except Bad as bad:
            self.broken.append((position, bad, fields(SUPER, block).magic == SUPER_MAGIC))

    def _choose_identity(self):
        """A member made anew may keep superblocks of its former life: the last written counts."""
        self.newest = None
        if not self.slots:
            return
        last = max(self.slots, key=lambda slot: (slot.written, slot.generation))
        identity = (last.array_uuid, last.member_uuid)
        mine = [s for s in self.slots if (s.array_uuid, s.member_uuid) == identity]
        if len(mine) < len(self.slots):
            self.notes.append(f"{len(self.slots) - len(mine)} superblocks of another member")
        self.slots = sorted(mine, key=lambda slot: slot.generation)
        self.newest = self.slots[-1]
        self.number = self.newest.member

    def _read_map(self):
        at = self.newest.map_offset + self.newest.map_half * self.newest.map_half_size
        try:
            self.map_bytes = self.read(at, self.newest.map_length)
            if len(self.map_bytes) < self.newest.map_length:
                raise Bad("map: the file ends within it")
            self.map = decode_map(self.map_bytes, self.newest)
        except Refused as bad:
            raise Bad(f"{self.path}: byte {at + bad.offset}: {bad}") from None
        except Bad as bad:
            self.map_problem = Problem(self.number, at + bad.offset, str(bad))

    def slot_problems(self):
        """Broken superblocks: anything in a slot of this member, and whole strays elsewhere."""
        slots = [super_position(self.newest.member_uuid, slot, self.newest.adopted)
                 for slot in range(4)]
        for position, bad, has_magic in self.broken:
            if position in slots or has_magic:
                yield Problem(self.number, position, str(bad))


class Array:
    """The array that the given files belong to; Bad if it has to be refused.

    super       the superblock that counts
    members     {number: Member} of those that belong to it; the map may name more
    problems    what is wrong with superblocks, maps and their agreement
    notes       what is odd but allowed
    """

    def __init__(self, paths, files, writable=False):
        """`files` is an ExitStack, which closes the members when the caller is done."""
        self.problems, self.notes = [], []
        found = self._load(paths, files, writable)
        newest = self._choose(found)
        if newest.newest.generation == GENERATION_CREATING:
            raise Bad(f"{newest.path}: the array was never finished: its create was interrupted")
        self.super, self.map_bytes = newest.newest, newest.map_bytes
        self.uuid = self.super.array_uuid
        try:
            self.model = model.Model(newest.map)
        except Bad as bad:
            raise Bad(f"{newest.path}: {bad}") from None
        self.members = {}
        for member in found:
            self._admit(member)
        self._check_agreement()

    def _choose(self, found):
        """A member with the newest commit whose map verifies; an older map would be no help."""
        def commit(member):
            return member.newest.epoch, member.newest.generation

        newest = max(commit(member) for member in found)
        holders = [member for member in found if commit(member) == newest]
        for member in holders:
            if member.map:
                return member
        raise Bad("; ".join([f"no member has a map of generation {newest[1]} that verifies"] + [
            f"{member.path}: byte {member.map_problem.offset}: {member.map_problem.text}"
            for member in holders]))

    def _load(self, paths, files, writable):
        found = []
        for path in paths:
            member = Member(path, files, writable)
            self.notes += [f"{path}: {note}" for note in member.notes]
            if member.newest:
                found.append(member)
            else:
                self.notes.append(f"{path}: no superblock")
                self.problems += [Problem(None, position, f"{path}: {bad}")
                                  for position, bad, _ in member.broken]
        if not found:
            raise Bad("; ".join(["no superblock"] + [
                f"byte {problem.offset}: {problem.text}" for problem in self.problems]))
        if len({member.newest.array_uuid for member in found}) > 1:
            raise Bad("members of different arrays: " + ", ".join(
                f"{member.path} of {member.newest.array_uuid.hex()}" for member in found))
        return found

    def _admit(self, member):
        own = member.newest
        item = self.model.members.get(member.number)
        if item is None or item.uuid != own.member_uuid:
            self.notes.append(f"{member.path}: was member {member.number}, "
                              "the map knows it no more")
            return
        epochs = [(epoch.epoch, epoch.epoch_id) for epoch in self.model.array.epochs]
        if epochs and own.epoch < epochs[0][0]:
            self.notes.append(f"{member.path}: member {member.number} is of epoch {own.epoch}, "
                              f"the map knows none before {epochs[0][0]}: not used")
            return
        if (own.epoch, own.epoch_id) not in epochs:
            raise Bad(f"{member.path}: split brain: epoch {own.epoch} (id {own.epoch_id:#x}) "
                      "is not one of this array's")
        if not self.is_stale(member) and own.map_crc != self.super.map_crc:
            raise Bad(f"{member.path}: split brain: another map of generation {own.generation}")
        if member.number in self.members:
            raise Bad(f"{member.path}: is member {member.number}, as is "
                      f"{self.members[member.number].path}")
        self.members[member.number] = member
        if self.is_stale(member):
            self.notes.append(f"{member.path}: member {member.number} is at epoch {own.epoch}, "
                              f"generation {own.generation}")
        if own.features_read:
            self.notes.append(f"{member.path}: features {own.features_read:#x}: read only")

    def is_stale(self, member):
        return ((member.newest.epoch, member.newest.generation)
                != (self.super.epoch, self.super.generation))

    def _check_agreement(self):
        self.crcs = {}
        for member in self.members.values():
            self.problems += member.slot_problems()
            if member.map_problem:
                self.problems.append(member.map_problem)
            if member.size < member.newest.member_size:
                self._problem(member, member.size, f"file of {member.size} bytes is smaller than "
                              f"its member size {member.newest.member_size}")
            self._check_slots(member)
            self._check_member(member)
            if not self.is_stale(member):
                self._check_current(member)
        geometry, generation = self.super, self.super.generation
        for text in model.check(self.model, geometry, generation):
            self.problems.append(Problem(None, None, text))

    def _problem(self, member, offset, text):
        self.problems.append(Problem(member.number, offset, text))

    def _check_slots(self, member):
        """Superblocks of one generation agree on its map, and each names the map before it."""
        for slot in member.slots:
            known = self.crcs.setdefault((slot.epoch_id, slot.generation), slot.map_crc)
            if slot.map_crc != known:
                self._problem(member, slot.where,
                              f"superblock: map CRC {slot.map_crc:#010x}, another of generation "
                              f"{slot.generation} says {known:#010x}")
        for before, after in zip(member.slots, member.slots[1:]):
            if (after.generation == before.generation + 1
                    and after.map_crc_before != before.map_crc):
                self._problem(member, after.where, "superblock: map CRC before is not that of "
                              f"generation {before.generation}")

    def _check_member(self, member):
        """What never changes while a member belongs to an array."""
        own, item = member.newest, self.model.members[member.number]
        for name in ("map_half_size", "frame_blocks", "frame_body_blocks", "witness_max"):
            if getattr(own, name) != getattr(self.super, name):
                self._problem(member, own.where, f"superblock: {name} {getattr(own, name)}, "
                              f"on other members {getattr(self.super, name)}")
        for name, value in (("size", own.member_size), ("frame_count", own.frame_count),
                            ("data_offset", own.data_offset)):
            if getattr(item, name) != value:
                self._problem(member, own.where, f"superblock: {name} {value}, the map says "
                              f"{getattr(item, name)}")

    def _check_current(self, member):
        own, array = member.newest, self.model.array
        if member.map and member.map_bytes != self.map_bytes:
            self._problem(member, own.map_offset + own.map_half * own.map_half_size,
                          "map: differs from that of other members")
        for name, value in (("epoch", array.epoch), ("epoch_id", array.epoch_id),
                            ("name", array.name)):
            if getattr(own, name) != value:
                self._problem(member, own.where,
                              f"superblock: {name} {getattr(own, name)}, the map says {value}")
        present = array.epochs[-1].present if array.epochs else own.present
        if own.present != present:
            self._problem(member, own.where, "superblock: members present differ from the map's")
        if not own.present[own.member // 8] >> own.member % 8 & 1:
            self._problem(member, own.where, "superblock: member is not present in its epoch")

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a map means: equations of groups, addresses of bytes, places in seals, and its invariants.

A group is a grid of cells: cell s * columns + c is segment s of column c, `segment_blocks` blocks.
Every equation holds for the blocks of the same number within its cells.
"""

from types import SimpleNamespace

import gf
from records import (
    BARE_FRAME_FIRST, BLOCK, COLUMNS_MAX, ENTRY_PAGE_ROOM, ITEM_ADOPTED, ITEM_ARRAY, ITEM_GROUP, ITEM_JOB, ITEM_MEMBER, ITEM_VOLUME,
    LAYOUTS, MIRROR, PARITY, PLAIN, SEQUENTIAL, Bad,
)


class Equation:
    """check + sum of terms = 0; `covered` are the cells of the check's witnesses, in order."""

    def __init__(self, check, terms, covered):
        self.check = check
        self.terms = {check: 1, **terms}
        self.covered = covered


class Group:
    """A group of the map with the equations of its layout."""

    def __init__(self, item):
        self.__dict__.update(vars(item))
        self.body_blocks = self.extents[0].body_blocks if self.extents else 0
        self.segments, self.sound = 1, True
        self.data_columns = self.columns
        self._check_shape()
        if self.layout == SEQUENTIAL:
            self.segments = self.checks * self.columns
        elif self.layout == PARITY:
            self.data_columns = self.columns - self.checks
        elif self.layout == MIRROR:
            self.data_columns = 1
        self.cell_blocks = self.body_blocks // self.segments
        self.data_segments = self.segments - (self.checks if self.layout == SEQUENTIAL else 0)
        make = (lambda: [], self._mirror, self._parity, self._sequential)[self.layout]
        self.equations = make()

    def _check_shape(self):
        columns, checks = self.columns, self.checks
        good = {
            PLAIN: columns == 1 and checks == 0,
            MIRROR: columns >= 2 and checks == columns - 1,
            PARITY: 1 <= checks <= 3 and columns > checks,
            SEQUENTIAL: columns >= 2 and checks >= 1 and self.pure < columns,
        }[self.layout] and (self.pure == 0 or self.layout == SEQUENTIAL)
        if not good or columns > COLUMNS_MAX:
            raise Bad(f"group {self.id}: {LAYOUTS[self.layout]} of {columns} columns, "
                      f"{checks} checks, pure {self.pure}")
        if any(extent.body_blocks != self.body_blocks for extent in self.extents):
            raise Bad(f"group {self.id}: bodies of different sizes")
        segments = checks * columns if self.layout == SEQUENTIAL else 1
        if not self.body_blocks or self.segment_blocks * segments != self.body_blocks:
            raise Bad(f"group {self.id}: segments of {self.segment_blocks} blocks in bodies "
                      f"of {self.body_blocks}")
        known = self.index[:columns - checks] if self.layout == PARITY else []
        if len(set(known)) != len(known) or 255 in known or any(self.index[len(known):]):
            raise Bad(f"group {self.id}: coefficient indexes {self.index}")

    def _mirror(self):
        return [Equation(copy, {0: 1}, None) for copy in range(1, self.columns)]

    def _parity(self):
        data = range(self.data_columns)
        return [
            Equation(self.data_columns + j, {i: gf.power(j * self.index[i]) for i in data},
                     list(data))
            for j in range(self.checks)
        ]

    def _sequential(self):
        columns, pure = self.columns, self.pure
        bear = [column for column in range(columns) if column != pure]
        equations = []
        for t in range(self.checks):
            tail = (self.data_segments + t) * columns
            for h, bearer in enumerate(bear):
                segment = (t * (columns - 1) + h) * columns
                row = [segment + column for column in range(columns)]
                equations.append(Equation(tail + bearer, dict.fromkeys(row, 1), row))
            tails = [tail + column for column in bear]
            equations.append(Equation(tail + pure, dict.fromkeys(tails, 1), tails))
        return equations

    def is_check(self, column, segment):
        if self.layout == PARITY:
            return column >= self.data_columns
        return self.layout == SEQUENTIAL and segment >= self.data_segments

    def role(self, column, block):
        segment = block // self.cell_blocks
        if self.layout == MIRROR and column > 0:
            return "copy"
        if not self.is_check(column, segment):
            return "data"
        return "pure" if self.layout == SEQUENTIAL and column == self.pure else "parity"

    def data_run(self, column):
        """Blocks at the start of the body that carry data of a volume."""
        if self.layout == PARITY and column >= self.data_columns:
            return 0
        return self.data_segments * self.cell_blocks

    def seal_pages(self, column):
        """[(first block, entry count, witnesses)] of the entry pages, page number 1 first."""
        plain, witnesses = self.body_blocks, 0
        if self.layout == PARITY and column >= self.data_columns:
            plain, witnesses = 0, self.data_columns
        elif self.layout == SEQUENTIAL:
            plain, witnesses = self.data_segments * self.cell_blocks, self.columns
        pages = []
        for first, end, width in ((0, plain, 0), (plain, self.body_blocks, witnesses)):
            room = ENTRY_PAGE_ROOM // (8 + 2 * width)
            pages += [(at, min(room, end - at), width) for at in range(first, end, room)]
        return pages


class Span:
    """A span of a volume and where the blocks of its extents lie in the volume."""

    def __init__(self, volume, item, runs):
        self.volume, self.runs = volume, runs
        self.offset, self.length, self.extents = item.offset, item.length, item.extents
        self.unit = item.unit_blocks * BLOCK
        self.starts = [BLOCK * sum(runs[:i]) for i in range(len(runs))]

    def fits(self):
        if not self.unit:
            return self.length <= BLOCK * sum(self.runs)
        stripes, rest = divmod(self.length, self.unit * len(self.extents))
        used = (stripes * self.unit + min(max(rest - i * self.unit, 0), self.unit)
                for i in range(len(self.extents)))
        return all(size <= BLOCK * run for size, run in zip(used, self.runs))

    def volume_range(self, position, block, count):
        """Byte range (from, to) of the volume that `count` adjoining blocks hold, or None.

        The blocks must not cross the end of a unit.
        """
        if block >= self.runs[position]:
            return None
        start = self.starts[position] + block * BLOCK
        if self.unit:
            stripe, within = divmod(block * BLOCK, self.unit)
            start = (stripe * len(self.extents) + position) * self.unit + within
        end = min(start + count * BLOCK, self.length)
        end = min(self.offset + end, self.volume.length)
        return (self.offset + start, end) if self.offset + start < end else None

    def pieces(self, position, block, end):
        """(block, count, from, to) for blocks block..end-1 of the extent, unit by unit."""
        step = self.unit // BLOCK if self.unit else end - block
        while block < end:
            count = min(end, block - block % step + step) - block if self.unit else end - block
            found = self.volume_range(position, block, count)
            if found:
                yield (block, count, *found)
            block += count


class Model:
    """The items of a map, tied together."""

    def __init__(self, items):
        self.array = items[ITEM_ARRAY][0]
        self.members, self.jobs = items[ITEM_MEMBER], items[ITEM_JOB]
        self.volumes = items[ITEM_VOLUME]
        self.adoption = items[ITEM_ADOPTED].get(0)
        self.groups = {number: Group(item) for number, item in sorted(items[ITEM_GROUP].items())}
        self.extents = {}
        self.doubles = []
        for group in self.groups.values():
            for column, extent in enumerate(group.extents):
                if extent.id in self.extents:
                    self.doubles.append(extent.id)
                self.extents[extent.id] = SimpleNamespace(
                    group=group, column=column, item=extent, span=None, position=0)
        for volume in self.volumes.values():
            self._tie(volume)

    def _tie(self, volume):
        spans = []
        for item in volume.spans:
            for number in item.extents:
                if number not in self.extents:
                    raise Bad(f"volume {volume.id}: extent {number} is not in the map")
            places = [self.extents[number] for number in item.extents]
            span = Span(volume, item, [p.group.data_run(p.column) for p in places])
            for position, (number, place) in enumerate(zip(item.extents, places)):
                if place.span:
                    self.doubles.append(number)
                place.span, place.position = span, position
            spans.append(span)
        volume.spans = spans

    def span_of(self, group, column):
        """(span, position) of an extent, for a copy those of the extent it copies, or None."""
        columns = range(group.columns) if group.layout == MIRROR else (column,)
        for other in columns:
            place = self.extents[group.extents[other].id]
            if place.span:
                return place.span, place.position
        return None


def window_runs(window, begin, end):
    """(place on the member, bytes) of bytes begin..end-1 of a bare extent, run by run."""
    at = begin
    while at < min(end, window.length):
        run, within = divmod(at, window.run)
        size = min(window.run - within, end - at, window.length - at)
        yield window.origin + run * window.stride + within, size
        at += size


def _misfit_bare(extent, member, geometry):
    window, size = extent.window, extent.body_blocks * BLOCK
    last = extent.frame + -(-extent.body_blocks // geometry.frame_blocks)
    end = sum(list(window_runs(window, window.length - 1, window.length))[0])
    if not size - BLOCK < window.length <= size or window.length % 512 or window.origin % 512:
        return f"window of {window.length} bytes at byte {window.origin}"
    if window.run != window.length and window.run % BLOCK:
        return f"window in runs of {window.run} bytes"
    if window.origin < member.data_offset or end > member.size:
        return f"window from byte {window.origin} to {end} of member {extent.member}"
    if extent.frame < BARE_FRAME_FIRST or last >= 1 << 32 or extent.size_class or extent.generation:
        return f"bare at frame {extent.frame}"
    return None


def _misfit(place, member, geometry):
    """Why an extent cannot lie where the map says, or None."""
    extent, frames = place.item, 1 << place.item.size_class
    room = (geometry.frame_blocks - geometry.frame_body_blocks) << extent.size_class
    if member is None:
        return f"on member {extent.member}, which the map does not have"
    if place.group.bare:
        return _misfit_bare(extent, member, geometry)
    if extent.frame % frames or extent.frame + frames > member.frame_count:
        return (f"frame {extent.frame} of size class {extent.size_class} on member "
                f"{extent.member} of {member.frame_count} frames")
    if extent.body_blocks > geometry.frame_body_blocks << extent.size_class:
        return f"body of {extent.body_blocks} blocks is too large for its size class"
    if 1 + len(place.group.seal_pages(place.column)) > room:
        return f"its seal does not fit {room} blocks"
    return None


def _check_frames(model, geometry):
    """Extents fit their members and do not overlap. A group with a misfit is not `sound`."""
    taken = []
    for number, place in model.extents.items():
        why = _misfit(place, model.members.get(place.item.member), geometry)
        if why:
            place.group.sound = False
            yield f"map: extent {number} of group {place.group.id}: {why}"
        elif not place.group.bare:
            taken.append((place.item.member, place.item.frame, place.item.size_class, number))
    taken.sort()
    end = (None, 0, 0)  # member, first free frame and whose extent lies before it
    for member, frame, size_class, number in taken:
        if member == end[0] and frame < end[1]:
            yield (f"map: extent {number} overlaps extent {end[2]} at frame {frame} of "
                   f"member {member}")
        own = (member, frame + (1 << size_class), number)
        end = max(end, own) if member == end[0] else own


def _check_bytes(model, geometry):
    """No byte belongs to two bare extents, nor to one and to a frame of another extent."""
    ranges = []
    for number, place in model.extents.items():
        item, member = place.item, model.members.get(place.item.member)
        if not place.group.sound:
            continue
        if place.group.bare:
            ranges += [(item.member, at, at + size, number)
                       for at, size in window_runs(item.window, 0, item.window.length)]
        else:
            size = geometry.frame_blocks * BLOCK
            begin = member.data_offset + item.frame * size
            ranges.append((item.member, begin, begin + (size << item.size_class), number))
    ranges.sort()
    for (member, _, end, number), (other, begin, _, later) in zip(ranges, ranges[1:]):
        if member == other and begin < end:
            yield f"map: extents {number} and {later} have byte {begin} of member {member}"
            return


def _check_bare(model, geometry):
    if not any(group.bare for group in model.groups.values()):
        return
    for group in model.groups.values():
        if group.bare and (not model.adoption or group.layout == SEQUENTIAL):
            yield f"map: group {group.id} has no seals"
    numbers = sorted((item.member, item.frame,
                      item.frame + -(-item.body_blocks // geometry.frame_blocks), item.id)
                     for group in model.groups.values() if group.bare for item in group.extents)
    for (member, _, end, number), (other, begin, _, later) in zip(numbers, numbers[1:]):
        if member == other and begin < end:
            yield f"map: extents {number} and {later} have one number on member {member}"
    for volume in model.volumes.values():
        for span in volume.spans:
            if len({model.extents[number].group.bare for number in span.extents}) > 1:
                yield f"map: volume {volume.id}: span at {span.offset} is bare in part"
    yield from _check_bytes(model, geometry)


def _check_groups(model):
    for group in model.groups.values():
        members = [extent.member for extent in group.extents]
        for member in sorted(set(members)):
            if members.count(member) > 1:
                yield (f"map: group {group.id} has {members.count(member)} extents on member "
                       f"{member}")
    for number in model.doubles:
        yield f"map: extent {number} is used twice"


def _check_volumes(model):
    for volume in model.volumes.values():
        what, at = f"map: volume {volume.id}", 0
        for span in volume.spans:
            if span.offset != at:
                yield f"{what}: span at {span.offset}, the one before ends at {at}"
            if not span.length or not span.extents:
                yield f"{what}: span at {span.offset} is empty"
            if not span.fits():
                yield f"{what}: span at {span.offset} of {span.length} bytes exceeds its extents"
            at = span.offset + span.length
        if at != volume.length:
            yield f"{what}: spans cover {at} of {volume.length} bytes"


def _check_ids(model):
    counters = (
        ("extent", model.extents, model.array.next_extent),
        ("group", model.groups, model.array.next_group),
        ("volume", model.volumes, model.array.next_volume),
        ("job", model.jobs, model.array.next_job),
    )
    for name, items, limit in counters:
        for number in items:
            if not 0 < number < limit:
                yield f"map: {name} {number} with next {name} id {limit}"


def _check_epochs(model, generation):
    array = model.array
    for before, after in zip(array.epochs, array.epochs[1:]):
        if (after.epoch <= before.epoch) or (after.first_generation <= before.first_generation):
            yield f"map: epoch {after.epoch} after epoch {before.epoch}"
    last = array.epochs[-1] if array.epochs else None
    if not last or (last.epoch, last.epoch_id) != (array.epoch, array.epoch_id):
        yield f"map: epoch {array.epoch} is not the last of its list"
    elif last.first_generation > generation:
        yield f"map: epoch {array.epoch} begins at generation {last.first_generation}"


def check(model, geometry, generation):
    """Every violated invariant of the map alone, as text."""
    yield from _check_frames(model, geometry)
    yield from _check_bare(model, geometry)
    yield from _check_groups(model)
    yield from _check_volumes(model)
    yield from _check_ids(model)
    yield from _check_epochs(model, generation)
    for member in model.members.values():
        if (member.flags & 1) != (member.absent_since > 0):
            yield (f"map: member {member.number}: flags {member.flags}, absent since "
                   f"{member.absent_since}")

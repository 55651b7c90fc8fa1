/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/address.h"

#include "core/base/bytes.h"
#include "core/base/size.h"
#include "core/map/windows.h"

#include <assert.h>

/* Where one byte of a span lies. */
struct place {
	uint32_t position; /* which extent of the span */
	uint64_t offset;   /* byte in its body */
	uint64_t run;      /* bytes from there on in a row */
};

static uint64_t data_size(const struct group *group)
{
	return (uint64_t)group_data_blocks(group) * BLOCK_SIZE;
}

/* With a unit extents are striped. */
static bool place_striped(struct place *place_out, const struct span *span, uint64_t at)
{
	uint64_t unit = (uint64_t)span->unit_blocks * BLOCK_SIZE;
	uint64_t stripe = unit * span->extent_count;

	place_out->position = (uint32_t)(at / unit % span->extent_count);
	place_out->offset = at / stripe * unit + at % unit;
	place_out->run = unit - at % unit;
	return true;
}

/* Without a unit extents follow each other, each with its whole data run. */
static bool place_run(struct place *place_out, const struct map *map, const struct span *span,
		      uint64_t at)
{
	for (uint32_t i = 0; i < span->extent_count; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, span->extents[i], &column);

		if (!group)
			return false;
		if (at < data_size(group)) {
			*place_out = (struct place){ i, at, data_size(group) - at };
			return true;
		}
		at -= data_size(group);
	}
	return false;
}

static const struct span *span_of(const struct volume *volume, uint64_t offset)
{
	for (uint32_t i = 0; i < volume->span_count; i++) {
		const struct span *span = &volume->spans[i];

		if (offset >= span->offset && offset - span->offset < span->length)
			return span;
	}
	return NULL;
}

bool address_of_volume(struct address *address_out, uint64_t *run_out, const struct map *map,
		       const struct volume *volume, uint64_t offset)
{
	const struct span *span = offset < volume->length ? span_of(volume, offset) : NULL;
	struct place place;
	struct address address;
	uint64_t at;

	if (!span || span->extent_count == 0)
		return false;
	at = offset - span->offset;
	if (span->unit_blocks ? !place_striped(&place, span, at)
			      : !place_run(&place, map, span, at))
		return false;
	address.group = map_extent(map, span->extents[place.position], &address.column);
	if (!address.group || place.offset >= data_size(address.group))
		return false;
	address.block = (uint32_t)(place.offset / BLOCK_SIZE);
	*address_out = address;
	if (run_out)
		*run_out =
			size_min(place.run, size_min(span->length - at, volume->length - offset));
	return true;
}

/* The byte of the span that lies at `offset` in the body of its extent `position`; inverse of the above. */
static bool span_byte(uint64_t *at_out, const struct map *map, const struct span *span,
		      uint32_t position, uint64_t offset)
{
	uint64_t unit = (uint64_t)span->unit_blocks * BLOCK_SIZE, before = 0;

	if (unit) {
		*at_out = (offset / unit * span->extent_count + position) * unit + offset % unit;
		return true;
	}
	for (uint32_t i = 0; i < position; i++) {
		uint32_t column;
		const struct group *group = map_extent(map, span->extents[i], &column);

		if (!group)
			return false;
		before += data_size(group);
	}
	*at_out = before + offset;
	return true;
}

static bool part_of_span(struct volume_part *part_out, const struct map *map,
			 const struct volume *volume, const struct span *span, uint32_t position,
			 const struct address *address)
{
	uint64_t at;

	if (!span_byte(&at, map, span, position, (uint64_t)address->block * BLOCK_SIZE) ||
	    at >= span->length || span->offset + at >= volume->length)
		return false;
	part_out->volume = volume;
	part_out->offset = span->offset + at;
	part_out->length = size_min(BLOCK_SIZE,
				    size_min(span->length - at, volume->length - part_out->offset));
	return true;
}

bool address_to_volume(struct volume_part *part_out, const struct map *map,
		       const struct address *address)
{
	uint64_t id = address->group->extents[address->column].id;

	if (address->block >= group_data_blocks(address->group))
		return false;
	for (uint32_t v = 0; v < map->volume_count; v++) {
		const struct volume *volume = map->volumes[v];

		for (uint32_t s = 0; s < volume->span_count; s++) {
			const struct span *span = &volume->spans[s];

			for (uint32_t i = 0; i < span->extent_count; i++) {
				if (span->extents[i] == id)
					return part_of_span(part_out, map, volume, span, i,
							    address);
			}
		}
	}
	return false;
}

uint64_t address_to_member(const struct map *map, const struct address *address)
{
	assert(address->column < address->group->shape.columns);
	const struct extent *extent = &address->group->extents[address->column];

	return member_address(map, extent->slot, extent_offset(map, extent, address->block));
}

const char *member_area_name(enum member_area area)
{
	static const char *const names[] = {
		"metadata", "free", "body", "padding", "seal", "outside",
	};

	assert(area <= AREA_OUTSIDE);
	return names[area];
}

/* Where in its extent a byte lies that is `offset` bytes behind the start of the extent's frames. */
static void place_in_extent(struct member_place *place, const struct map *map,
			    const struct extent *extent, uint64_t offset)
{
	uint32_t block = (uint32_t)(offset / BLOCK_SIZE);
	uint32_t room = map->geometry.frame_body_blocks << extent->size_class;

	if (extent_is_bare(extent)) /* no seal follows */
		room = UINT32_MAX;
	if (block < extent->body_blocks) {
		place->area = AREA_BODY;
		place->address.block = block;
	} else if (block < room) {
		place->area = AREA_PADDING;
	} else {
		place->area = AREA_SEAL;
		place->seal_page = block - room;
	}
}

struct member_place address_of_member(const struct map *map, uint32_t slot, uint64_t lba)
{
	const struct member *member = map_member(map, slot);
	uint64_t frame_size = (uint64_t)map->geometry.frame_blocks * BLOCK_SIZE;
	struct member_place place = { .area = AREA_METADATA };
	uint64_t offset;

	assert(member);
	if (!member_offset(&offset, map, slot, lba))
		return (struct member_place){ .area = AREA_OUTSIDE };
	if (offset < member->data_offset)
		return place;
	place.frame = (offset - member->data_offset) / frame_size;
	for (uint32_t g = 0; g < map->group_count; g++) {
		const struct group *group = map->groups[g];

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			const struct extent *extent = &group->extents[c];
			uint64_t begin = extent->frame;
			uint64_t frames = extent_is_bare(extent)
						  ? bare_frames(map, extent->body_blocks)
						  : UINT64_C(1) << extent->size_class;

			if (extent->slot != slot || place.frame < begin ||
			    place.frame - begin >= frames)
				continue;
			place.address = (struct address){ .group = group, .column = c };
			place_in_extent(&place, map, extent,
					offset - member->data_offset - begin * frame_size);
			return place;
		}
	}
	if (place.frame >= member->frame_count)
		return (struct member_place){ .area = AREA_OUTSIDE };
	place.area = AREA_FREE;
	return place;
}

const char *block_role_name(enum block_role role)
{
	static const char *const names[] = { "data", "parity", "pure", "primary", "secondary" };

	assert(role <= BLOCK_SECONDARY);
	return names[role];
}

static bool is_sequential(const struct group *group)
{
	return group->shape.layout == LAYOUT_SEQUENTIAL;
}

/* The segment of a block, in a sequential group. */
static uint32_t segment_of(const struct address *address)
{
	assert(address->group->segment_blocks > 0);
	return address->block / address->group->segment_blocks;
}

/* Data segments of a column: r * (m - 1). */
static uint32_t data_segments(const struct group *group)
{
	return (uint32_t)group->shape.checks * (group->shape.columns - 1u);
}

struct tail group_tail(const struct group *group, uint32_t column, uint32_t tail)
{
	uint32_t pure = group->shape.pure, bearers = group->shape.columns - 1u;
	uint32_t bearer = column < pure ? column : column - 1;

	assert(is_sequential(group) && column < group->shape.columns && tail < group->shape.checks);
	if (column == pure)
		return (struct tail){ .is_pure = true, .level = tail };
	return (struct tail){ .level = tail, .row = (uint64_t)tail * bearers + bearer };
}

static enum block_role role_sequential(const struct address *address)
{
	uint32_t segment = segment_of(address), data = data_segments(address->group);

	if (segment < data)
		return BLOCK_DATA;
	return group_tail(address->group, address->column, segment - data).is_pure ? BLOCK_PURE
										   : BLOCK_PARITY;
}

enum block_role address_role(const struct address *address)
{
	switch (address->group->shape.layout) {
	case LAYOUT_MIRROR:
		return address->column ? BLOCK_SECONDARY : BLOCK_PRIMARY;
	case LAYOUT_PARITY:
		return address->column < group_data_columns(address->group) ? BLOCK_DATA
									    : BLOCK_PARITY;
	case LAYOUT_SEQUENTIAL:
		return role_sequential(address);
	case LAYOUT_PLAIN:
	case LAYOUT_COUNT:
		break;
	}
	return BLOCK_DATA;
}

uint64_t group_row_count(const struct group *group)
{
	return is_sequential(group) ? data_segments(group) : group_body_blocks(group);
}

uint32_t group_row_blocks(const struct group *group)
{
	return is_sequential(group) ? group->segment_blocks : 1;
}

bool address_row(uint64_t *row_out, const struct address *address)
{
	uint32_t segment, data;
	struct tail tail;

	if (!is_sequential(address->group)) {
		*row_out = address->block;
		return true;
	}
	segment = segment_of(address);
	data = data_segments(address->group);
	if (segment < data) {
		*row_out = segment;
		return true;
	}
	tail = group_tail(address->group, address->column, segment - data);
	if (!tail.is_pure)
		*row_out = tail.row;
	return !tail.is_pure;
}

static uint32_t peers_add(struct address *peers, uint32_t count, struct address peer)
{
	/* the block itself stands first already */
	if (peer.column == peers[0].column && peer.block == peers[0].block)
		return count;
	assert(count < ADDRESS_PEERS_MAX);
	peers[count] = peer;
	return count + 1;
}

/* The same place in tail `level` of a column. */
static struct address tail_of(const struct address *address, uint32_t column, uint32_t level)
{
	uint32_t segment_blocks = address->group->segment_blocks;
	uint32_t segment = data_segments(address->group) + level;

	return (struct address){
		.group = address->group,
		.column = column,
		.block = segment * segment_blocks + address->block % segment_blocks,
	};
}

static uint32_t peers_of_level(struct address *peers, uint32_t level)
{
	uint32_t count = 1;

	for (uint32_t column = 0; column < peers[0].group->shape.columns; column++)
		count = peers_add(peers, count, tail_of(&peers[0], column, level));
	return count;
}

static uint32_t peers_of_row(struct address *peers, uint32_t row)
{
	const struct group *group = peers[0].group;
	uint32_t bearers = group->shape.columns - 1u;
	uint32_t bearer = row % bearers, level = row / bearers;
	uint32_t within = peers[0].block % group->segment_blocks, count = 1;
	struct address peer = { .group = group };

	peer.block = row * group->segment_blocks + within;
	for (peer.column = 0; peer.column < group->shape.columns; peer.column++)
		count = peers_add(peers, count, peer);
	if (bearer >= group->shape.pure)
		bearer++;
	count = peers_add(peers, count, tail_of(&peers[0], bearer, level));
	return peers_add(peers, count, tail_of(&peers[0], group->shape.pure, level));
}

uint32_t address_peers(struct address peers_out[static ADDRESS_PEERS_MAX],
		       const struct address *address)
{
	uint32_t count = 1;
	uint64_t row;

	peers_out[0] = *address;
	if (is_sequential(address->group)) {
		if (address_row(&row, address))
			return peers_of_row(peers_out, (uint32_t)row);
		return peers_of_level(peers_out,
				      segment_of(address) - data_segments(address->group));
	}
	for (uint32_t column = 0; column < address->group->shape.columns; column++) {
		struct address peer = *address;

		peer.column = column;
		count = peers_add(peers_out, count, peer);
	}
	return count;
}

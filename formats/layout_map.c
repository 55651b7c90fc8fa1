/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The map of a layout file: docs/FOREIGN.md, sections 1 and 7. */
#include "formats/layout_file.h"
#include "formats/placing.h"

#include "core/base/bytes.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct making {
	const struct layout_file *layout;
	const uint64_t *sizes; /* of the devices */
	struct foreign *foreign;
	struct placing_seat seats[MEMBERS_MAX];
	uint32_t slots[MEMBERS_MAX]; /* 0, 1, ... */
	uint64_t data;               /* bytes on each member */
};

static uint64_t room_of(const struct making *making, uint32_t slot)
{
	uint64_t offset = making->layout->members[slot].offset, size = making->sizes[slot];

	return size > offset ? size - offset : 0;
}

/* What the shortest member has, or what the file says; a member that has less is no member of this array. */
static int find_data(struct making *making, struct err *err)
{
	const struct layout_file *layout = making->layout;
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < layout->member_count; i++) {
		if (!layout->members[i].path)
			continue;
		if (room_of(making, i) < least)
			least = room_of(making, i);
		if (room_of(making, i) < (layout->size ? layout->size : BLOCK_SIZE))
			return err_set(err, ERR_SIZE,
				       "%s has %" PRIu64 " bytes behind byte %" PRIu64
				       ", the layout wants %" PRIu64,
				       layout->members[i].path, room_of(making, i),
				       layout->members[i].offset,
				       layout->size ? layout->size : BLOCK_SIZE);
	}
	if (least == UINT64_MAX)
		return err_set(err, ERR_TOO_FEW, "all members of the layout are missing");
	making->data = layout->size ? layout->size : least;
	return 0;
}

static int add_members(struct making *making, struct err *err)
{
	const struct layout_file *layout = making->layout;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < layout->member_count; i++) {
		const struct layout_member *member = &layout->members[i];
		struct uuid uuid = layout->uuid;
		uint64_t size = member->path ? making->sizes[i] : member->offset + making->data;

		put_le32(uuid.bytes, get_le32(uuid.bytes) ^ (i + 1));
		making->slots[i] = i;
		making->seats[i] =
			(struct placing_seat){ member->path != NULL, member->offset, PLACING_ALL };
		rc = foreign_add_member(making->foreign, i, &uuid, size, err);
	}
	return rc;
}

static int too_large(struct err *err)
{
	return err_set(err, ERR_LIMIT, "the layout has more bytes than can be counted");
}

static int place_parity(struct making *making, const struct placing *placing, struct err *err)
{
	const struct layout_file *layout = making->layout;
	const struct rule rule = {
		.kind = RULE_TURNED_PARITY,
		.unit_blocks = (uint32_t)(layout->chunk / BLOCK_SIZE),
		.members = layout->member_count,
		.order = layout->order,
		.checks = layout->level == LAYOUT_RAID6 ? 2 : 1,
	};
	uint64_t bytes;

	assert(layout->chunk > 0); /* layout_file_parse() saw to it, here and below */
	if (!size_multiply(making->data / layout->chunk * layout->chunk,
			   layout->member_count - rule.checks, &bytes))
		return too_large(err);
	return placing_rule(placing, &rule, 0, bytes, err);
}

/* As the kernel counts (drivers/md/raid10.c, calc_sectors): whole chunks, far copies in equal parts of the members. */
static int place_copies(struct making *making, const struct placing *placing, struct err *err)
{
	const struct layout_file *layout = making->layout;
	struct rule rule = {
		.kind = RULE_COPIES,
		.unit_blocks = (uint32_t)(layout->chunk / BLOCK_SIZE),
		.members = layout->member_count,
		.near = layout->near,
		.far = layout->far,
		.offset = layout->offset_copies,
		.far_set = layout->member_count,
		.far_stride_units = 1,
	};
	uint64_t units, bytes;

	assert(layout->chunk > 0 && layout->near > 0 && layout->far > 0);
	units = making->data / layout->chunk / layout->far;
	if (layout->far > 1 && !layout->offset_copies)
		rule.far_stride_units = units;
	if (!size_multiply(units, layout->member_count, &units) ||
	    !size_multiply(units / layout->near, layout->chunk, &bytes))
		return too_large(err);
	if (bytes == 0)
		return err_set(err, ERR_SIZE, "the members hold not one chunk of the layout");
	return placing_rule(placing, &rule, 0, bytes, err);
}

static int place_linear(struct making *making, const struct placing *placing, struct err *err)
{
	const struct layout_file *layout = making->layout;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < layout->member_count; i++) {
		uint64_t room = layout->size ? layout->size : room_of(making, i);

		if (!layout->members[i].path && !layout->size)
			return err_set(err, ERR_TOO_FEW,
				       "linear: how large the missing member %u was, only `size` "
				       "can say",
				       i);
		rc = placing_plain(placing, i, 0, room / BLOCK_SIZE * BLOCK_SIZE, err);
	}
	return rc;
}

static int place_all(struct making *making, const struct placing *placing, struct err *err)
{
	const struct layout_file *layout = making->layout;

	if (layout->chunk && making->data < layout->chunk)
		return err_set(err, ERR_SIZE, "the members hold not one chunk of the layout");
	switch (layout->level) {
	case LAYOUT_LINEAR:
		return place_linear(making, placing, err);
	case LAYOUT_RAID0:
		assert(layout->chunk > 0);
		return placing_stripes(placing, making->slots, layout->member_count, 0,
				       making->data / layout->chunk,
				       (uint32_t)(layout->chunk / BLOCK_SIZE), err);
	case LAYOUT_RAID1:
		return placing_mirror(placing, making->slots, layout->member_count, 0,
				      making->data / BLOCK_SIZE * BLOCK_SIZE, err);
	case LAYOUT_RAID10:
		return place_copies(making, placing, err);
	case LAYOUT_RAID4:
	case LAYOUT_RAID5:
	case LAYOUT_RAID6:
	case LAYOUT_LEVELS:
		break;
	}
	return place_parity(making, placing, err);
}

int layout_map_make(struct map **map_out, const struct layout_file *layout, const uint64_t *sizes,
		    struct err *err)
{
	struct making making = { .layout = layout, .sizes = sizes };
	struct placing placing = { .seats = making.seats, .seat_count = layout->member_count };
	int rc = find_data(&making, err);

	if (rc)
		return rc;
	making.foreign = foreign_create(layout->name, layout->name, &layout->uuid);
	if (!making.foreign)
		return err_set(err, ERR_NOMEM, "no memory for a map");
	placing.foreign = making.foreign;
	rc = add_members(&making, err);
	if (rc == 0)
		rc = place_all(&making, &placing, err);
	if (rc) {
		foreign_free(making.foreign);
		return rc;
	}
	return foreign_finish(making.foreign, map_out, err);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/scrub_tell.h"

#include "core/array/array_internal.h"

/* Row number for reports: the block's row, or for pure parity one behind all rows, by level. */
static uint64_t row_number(const struct rows *rows, const struct address *address)
{
	uint64_t row;

	if (address_row(&row, address))
		return row;
	return group_row_count(rows->group) + address->block / rows->group->segment_blocks -
	       code_data_segments(rows->code);
}

static enum block_fate peer_fate(const struct rows *rows, const struct address *peer)
{
	uint32_t segment = peer->block / rows->group->segment_blocks;
	uint32_t slice = peer->block % rows->group->segment_blocks;

	if (slice < rows->first || slice >= rows->first + rows->count)
		return BLOCK_MISSING;
	return rows_fate(rows, peer->column, segment, slice);
}

void scrub_tell(const struct scrub_teller *teller, const struct mismatch *mismatch)
{
	teller->counts->mismatches++;
	if (mismatch->repaired)
		teller->counts->repaired++;
	else
		teller->counts->left++;
	if (teller->found)
		teller->found(teller->found_arg, mismatch);
}

void scrub_tell_block(const struct scrub_teller *teller, const struct mismatch *mismatch,
		      const struct address *at)
{
	const struct rows *rows = teller->rows;
	const struct map *map = rows->array->map;
	struct address peers[ADDRESS_PEERS_MAX];
	struct mismatch_block blocks[ADDRESS_PEERS_MAX];
	struct volume_part part;
	uint32_t count = address_peers(peers, at);

	for (uint32_t i = 0; i < count; i++)
		blocks[i] = (struct mismatch_block){
			.slot = rows->group->extents[peers[i].column].slot,
			.lba = address_to_member(map, &peers[i]),
			.role = block_role_name(address_role(&peers[i])),
			.state = peer_fate(rows, &peers[i]),
		};
	struct mismatch told = *mismatch;
	told.group = rows->group->id;
	told.row = row_number(rows, at);
	told.blocks = blocks;
	told.block_count = count;
	if (address_to_volume(&part, map, at)) {
		told.volume = part.volume->name;
		told.offset = part.offset;
		told.length = part.length;
	}
	scrub_tell(teller, &told);
}

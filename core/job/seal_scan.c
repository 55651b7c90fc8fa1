/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/seal_scan.h"

#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <stdlib.h>

#define BATCH 64u /* header pages that are read at once */

/* One place where a header may lie. */
struct place {
	uint32_t frame;
	uint8_t size_class;
};

struct batch {
	struct place places[BATCH];
	struct iovec iovs[BATCH];
	struct io ios[BATCH];
	uint32_t count;
	uint8_t *bytes; /* BATCH blocks */
};

static uint64_t frame_offset(const struct scan *scan, const struct scan_member *member,
			     uint32_t frame)
{
	return member->regions.data_offset +
	       (uint64_t)frame * scan->geometry.frame_blocks * BLOCK_SIZE;
}

static uint64_t header_offset(const struct scan *scan, const struct scan_member *member,
			      struct place place)
{
	uint64_t body = (uint64_t)scan->geometry.frame_body_blocks << place.size_class;

	return frame_offset(scan, member, place.frame) + body * BLOCK_SIZE;
}

/* Does the header say what a header at this place may say? */
static bool is_plausible(const struct scan *scan, const struct scan_member *member,
			 struct place place, const struct seal_header *header)
{
	uint64_t room = (uint64_t)scan->geometry.frame_body_blocks << place.size_class;

	return header->frame == place.frame && header->size_class == place.size_class &&
	       (!member->named || uuid_equal(&header->member, &member->uuid)) &&
	       header->body_blocks > 0 && header->body_blocks <= room &&
	       header->header_generation <= SCAN_ID_MAX &&
	       header->group_generation <= SCAN_ID_MAX && header->extent <= SCAN_ID_MAX &&
	       header->group > 0 && header->group <= SCAN_ID_MAX && header->volume <= SCAN_ID_MAX;
}

static int add_found(struct scan *scan, uint32_t member, const struct seal_header *header)
{
	const struct found_extent found = {
		.extent = header->extent,
		.header_generation = header->header_generation,
		.group = header->group,
		.group_generation = header->group_generation,
		.volume = header->volume,
		.span_offset = header->span_offset,
		.span_length = header->span_length,
		.uuid = header->member,
		.member = member,
		.frame = header->frame,
		.body_blocks = header->body_blocks,
		.segment_blocks = header->segment_blocks,
		.unit_blocks = header->unit_blocks,
		.position = header->position,
		.span_extents = header->span_extents,
		.column = (uint8_t)header->column,
		.size_class = header->size_class,
		.shape = header->shape,
	};

	scan->generation_max = size_max(scan->generation_max, header->header_generation);
	scan->generation_max = size_max(scan->generation_max, header->group_generation);
	scan->extent_max = size_max(scan->extent_max, header->extent);
	for (uint32_t i = 0; i < header->shape.columns; i++) {
		if (header->extents[i] <= SCAN_ID_MAX)
			scan->extent_max = size_max(scan->extent_max, header->extents[i]);
	}
	scan->group_max = size_max(scan->group_max, header->group);
	scan->volume_max = size_max(scan->volume_max, header->volume);
	return header->header_generation > scan->published_max
		       ? 0
		       : found_vec_push(&scan->found, found);
}

/* Read what was gathered and take the headers among it. Blocks that cannot be read hold none. */
static int batch_read(struct scan *scan, uint32_t member, struct batch *batch)
{
	struct seal_header header;
	int rc = io_run(batch->ios, batch->count);

	(void)rc; /* each result is looked at */
	for (uint32_t i = 0; i < batch->count; i++) {
		if (batch->ios[i].result ||
		    seal_header_decode(&header, batch->iovs[i].iov_base, &scan->array) ||
		    !is_plausible(scan, &scan->members[member], batch->places[i], &header))
			continue;
		if (add_found(scan, member, &header))
			return ERR_NOMEM;
	}
	batch->count = 0;
	return 0;
}

static void batch_add(const struct scan *scan, const struct scan_member *member,
		      struct batch *batch, struct place place)
{
	uint32_t i = batch->count++;

	batch->places[i] = place;
	batch->iovs[i] = (struct iovec){ batch->bytes + (size_t)i * BLOCK_SIZE, BLOCK_SIZE };
	batch->ios[i] = (struct io){
		.dev = member->dev,
		.op = IO_READ,
		.role = IO_ROLE_SEAL,
		.offset = header_offset(scan, member, place),
		.size = BLOCK_SIZE,
		.iov = &batch->iovs[i],
		.iov_count = 1,
	};
}

/* Every frame and every class that may begin there. */
static int scan_member(struct scan *scan, uint32_t number, struct batch *batch)
{
	const struct scan_member *member = &scan->members[number];
	uint64_t frames = member->regions.frame_count;

	assert(frames <= UINT32_MAX);
	for (uint64_t frame = 0; frame < frames; frame++) {
		for (uint8_t c = 0; c <= SIZE_CLASS_MAX; c++) {
			uint64_t size = UINT64_C(1) << c;

			if (frame % size != 0 || frame + size > frames)
				break;
			batch_add(scan, member, batch, (struct place){ (uint32_t)frame, c });
			if (batch->count == BATCH && batch_read(scan, number, batch))
				return ERR_NOMEM;
		}
	}
	return batch_read(scan, number, batch);
}

/*
 * The member's uuid is what most of its headers say. Keeps those from `first` on that say so. More
 * than half are needed: a user's data may look like headers, but not like most of them.
 */
static bool name_member(struct scan *scan, uint32_t number, size_t first)
{
	struct scan_member *member = &scan->members[number];
	struct found_vec *found = &scan->found;
	size_t votes = 0, agree = 0;

	for (size_t i = first; i < found->count; i++) {
		if (votes == 0)
			member->uuid = found->at[i].uuid;
		votes += uuid_equal(&found->at[i].uuid, &member->uuid) ? 1 : (size_t)-1;
	}
	for (size_t i = first; i < found->count; i++) {
		if (uuid_equal(&found->at[i].uuid, &member->uuid))
			found->at[first + agree++] = found->at[i];
	}
	member->named = agree > 0 && agree * 2 > found->count - first;
	found->count = first + agree;
	return member->named;
}

int seal_scan_run(struct scan *scan, struct err *err)
{
	struct batch *batch = mem_calloc(1, sizeof(*batch));
	int rc = ERR_NOMEM;

	if (batch && (batch->bytes = mem_pages((size_t)BATCH * BLOCK_SIZE)))
		rc = 0;
	for (uint32_t i = 0; !rc && i < scan->member_count; i++) {
		size_t first = scan->found.count;

		rc = scan_member(scan, i, batch);
		if (!rc && !scan->members[i].named && !name_member(scan, i, first))
			rc = err_set(err, ERR_NOT_MEMBER,
				     "%s holds neither a superblock nor an extent of the array",
				     dev_name(scan->members[i].dev));
	}
	if (batch)
		mem_pages_free(batch->bytes);
	mem_free(batch);
	return rc == ERR_NOMEM ? err_set(err, rc, "no memory to scan the members") : rc;
}

void seal_scan_reset(struct scan *scan)
{
	found_vec_reset(&scan->found);
}

/* By member and place, the larger of two that begin together first. */
static int compare_places(const void *left, const void *right)
{
	const struct found_extent *a = left, *b = right;

	if (a->member != b->member)
		return a->member < b->member ? -1 : 1;
	if (a->frame != b->frame)
		return a->frame < b->frame ? -1 : 1;
	return (int)b->size_class - (int)a->size_class;
}

/* Of two extents at odds, the one that came later; ids only rise. */
static bool is_later(const struct found_extent *a, const struct found_extent *b)
{
	if (a->header_generation != b->header_generation)
		return a->header_generation > b->header_generation;
	return a->extent > b->extent;
}

static int compare_ids(const void *left, const void *right)
{
	const struct found_extent *a = left, *b = right;

	if (a->extent != b->extent)
		return a->extent < b->extent ? -1 : 1;
	if (a->overwritten != b->overwritten)
		return a->overwritten ? 1 : -1;
	if (a->header_generation != b->header_generation)
		return a->header_generation > b->header_generation ? -1 : 1;
	return compare_places(left, right);
}

/* A group of which only the shape and one extent matter: what a seal needs to be decoded. */
static struct group *shape_group(const struct found_extent *found)
{
	struct group *group = map_group_create(found->shape.columns);

	if (!group)
		return NULL;
	group->shape = found->shape;
	group->segment_blocks = found->segment_blocks;
	for (uint32_t i = 0; i < found->shape.columns; i++)
		group->extents[i].body_blocks = found->body_blocks;
	group->extents[found->column].id = found->extent;
	return group;
}

/* The shape is one of a code, and its seal has room behind the body. */
static bool seal_is_sound(const struct scan *scan, const struct found_extent *found,
			  const struct group *group)
{
	uint64_t segments = found->shape.layout == LAYOUT_SEQUENTIAL
				    ? (uint64_t)found->shape.checks * found->shape.columns
				    : 1;
	struct err why = { 0 };

	if (code_shape_check(&found->shape, &why) ||
	    segments * found->segment_blocks != found->body_blocks)
		return false;
	struct seal_shape shape = seal_shape_of(group, found->column);
	uint32_t room = (scan->geometry.frame_blocks - scan->geometry.frame_body_blocks)
			<< found->size_class;
	return 1 + seal_entry_pages(&shape) <= room;
}

enum evidence { EVIDENCE_NONE, EVIDENCE_DATA, EVIDENCE_OVERWRITTEN };

/* Block `block` of an extent's body against its entry in the seal. */
static enum evidence compare_block(const struct scan *scan, const struct found_extent *found,
				   struct seal *seal, uint32_t block, uint8_t *bytes)
{
	const struct scan_member *member = &scan->members[found->member];
	uint32_t page = seal_page_of(&seal->shape, block);
	uint64_t seal_offset =
		header_offset(scan, member, (struct place){ found->frame, found->size_class });
	uint64_t offset = frame_offset(scan, member, found->frame) + (uint64_t)block * BLOCK_SIZE;
	uint32_t seed = seal_block_seed(seal_extent_seed(&scan->array, found->extent), block);

	if (io_read(member->dev, IO_ROLE_SEAL, seal_offset + (uint64_t)(page + 1) * BLOCK_SIZE,
		    bytes, BLOCK_SIZE))
		return EVIDENCE_NONE;
	seal_decode_page(seal, page, bytes);
	if (!seal_knows(seal, block) ||
	    io_read(member->dev, IO_ROLE_DATA, offset, bytes, BLOCK_SIZE))
		return EVIDENCE_NONE;
	return crc32_of(seed, bytes, BLOCK_SIZE) == seal->entries[block].crc ? EVIDENCE_DATA
									     : EVIDENCE_OVERWRITTEN;
}

/* What the seal of `owner` says of the block in which `other` has its header. */
static int weigh(const struct scan *scan, const struct found_extent *owner,
		 const struct found_extent *other, uint8_t *bytes, enum evidence *evidence_out)
{
	const struct scan_member *member = &scan->members[owner->member];
	const struct place place = { other->frame, other->size_class };
	uint64_t header = header_offset(scan, member, place);
	uint64_t start = frame_offset(scan, member, owner->frame);
	uint64_t block = header < start ? UINT64_MAX : (header - start) / BLOCK_SIZE;
	struct seal seal;

	*evidence_out = EVIDENCE_NONE;
	if (block >= owner->body_blocks)
		return 0;
	struct group *group = shape_group(owner);
	if (!group)
		return ERR_NOMEM;
	if (seal_is_sound(scan, owner, group)) {
		if (seal_init(&seal, &scan->array, group, owner->column)) {
			mem_free(group);
			return ERR_NOMEM;
		}
		*evidence_out = compare_block(scan, owner, &seal, (uint32_t)block, bytes);
		seal_reset(&seal);
	}
	mem_free(group);
	return 0;
}

/* Two extents, one of which lies within the frames of the other. */
struct pair {
	struct found_extent *outer, *inner;
};

/* Is one of them data of the other? */
static int mark_forged(const struct scan *scan, struct pair pair, uint8_t *bytes)
{
	enum evidence evidence;
	int rc = weigh(scan, pair.outer, pair.inner, bytes, &evidence);

	if (rc)
		return rc;
	if (evidence == EVIDENCE_DATA) {
		pair.inner->forged = true;
		return 0;
	}
	rc = weigh(scan, pair.inner, pair.outer, bytes, &evidence);
	if (!rc && evidence == EVIDENCE_DATA)
		pair.outer->forged = true;
	return rc;
}

/* Both are headers: one of them was put there after the other was given up. */
static int mark_overwritten(const struct scan *scan, struct pair pair, uint8_t *bytes)
{
	enum evidence of_inner, of_outer;
	int rc = weigh(scan, pair.outer, pair.inner, bytes, &of_inner);

	if (!rc)
		rc = weigh(scan, pair.inner, pair.outer, bytes, &of_outer);
	if (rc)
		return rc;
	bool inner_lives = of_inner == of_outer ? is_later(pair.inner, pair.outer)
						: of_inner == EVIDENCE_OVERWRITTEN;
	if (inner_lives)
		pair.outer->overwritten = true;
	else
		pair.inner->overwritten = true;
	return 0;
}

static uint64_t end_frame(const struct found_extent *found)
{
	return found->frame + (UINT64_C(1) << found->size_class);
}

/*
 * Judge every two extents that overlap. Runs of frames are aligned to their size, so one of the two lies
 * in the other, and a stack of those that are open is all the memory that is needed.
 */
static int each_pair(struct scan *scan, uint8_t *bytes,
		     int (*judge)(const struct scan *scan, struct pair pair, uint8_t *bytes))
{
	struct found_extent *open[SIZE_CLASS_MAX + 1] = { NULL };
	uint32_t depth = 0;

	for (size_t i = 0; i < scan->found.count; i++) {
		struct found_extent *inner = &scan->found.at[i];

		while (depth > 0 && (open[depth - 1]->member != inner->member ||
				     end_frame(open[depth - 1]) <= inner->frame))
			depth--;
		for (uint32_t d = 0; d < depth; d++) {
			if (judge(scan, (struct pair){ open[d], inner }, bytes))
				return ERR_NOMEM;
		}
		assert(depth <= SIZE_CLASS_MAX);
		open[depth++] = inner;
	}
	return 0;
}

static void drop_forged(struct found_vec *found)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->count; i++) {
		if (!found->at[i].forged)
			found->at[kept++] = found->at[i];
	}
	found->count = kept;
}

/* The first of several headers of an extent, in the order of compare_ids(). */
static void drop_older(struct found_vec *found)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->count; i++) {
		if (kept == 0 || found->at[kept - 1].extent != found->at[i].extent)
			found->at[kept++] = found->at[i];
	}
	found->count = kept;
}

int seal_scan_settle(struct scan *scan, struct err *err)
{
	struct found_vec *found = &scan->found;
	uint8_t *bytes = mem_pages(BLOCK_SIZE);
	int rc = bytes ? 0 : ERR_NOMEM;

	if (!rc && found->count > 1) {
		qsort(found->at, found->count, sizeof(*found->at), compare_places);
		rc = each_pair(scan, bytes, mark_forged);
	}
	if (!rc) {
		drop_forged(found);
		rc = each_pair(scan, bytes, mark_overwritten);
	}
	mem_pages_free(bytes);
	if (rc)
		return err_set(err, rc, "no memory to sort what was found");
	if (found->count > 1)
		qsort(found->at, found->count, sizeof(*found->at), compare_ids);
	drop_older(found);
	return 0;
}

struct found_extent *seal_scan_find(const struct scan *scan, uint64_t extent)
{
	size_t low = 0, high = scan->found.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (scan->found.at[middle].extent < extent)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == scan->found.count || scan->found.at[low].extent != extent)
		return NULL;
	return &scan->found.at[low];
}

int seal_scan_header(struct seal_header *header_out, const struct scan *scan,
		     const struct found_extent *found)
{
	const struct scan_member *member = &scan->members[found->member];
	const struct place place = { found->frame, found->size_class };
	uint8_t *bytes = mem_pages(BLOCK_SIZE);

	if (!bytes)
		return ERR_NOMEM;
	int rc = io_read(member->dev, IO_ROLE_SEAL, header_offset(scan, member, place), bytes,
			 BLOCK_SIZE);
	if (!rc)
		rc = seal_header_decode(header_out, bytes, &scan->array);
	if (!rc && header_out->extent != found->extent)
		rc = ERR_CHANGED;
	mem_pages_free(bytes);
	return rc;
}

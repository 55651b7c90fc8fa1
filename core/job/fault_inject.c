/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All blocks of a member that extents use are numbered, extent after extent: bodies, then headers and
 * entry pages of seals. A seed draws numbers without repetition, so each kind of block is hit as often
 * as it occurs, and the same seed hits the same blocks of the same array.
 */
#include "core/job/fault_inject.h"

#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "core/store/seal.h"

#include <assert.h>
#include <inttypes.h>

#define COUNT_MAX 10000u /* of one request: each place is compared with those before */
#define SECTOR_SIZE 512u
#define TRIES_MAX 1000u /* to find another place when one does not suit */

/* A run of blocks that may be hit: of one extent's body, or of its seal. */
struct run {
	const struct group *group;
	uint32_t column;
	bool seal;
	uint32_t first; /* block of the body, or of the seal */
	uint64_t count;
	uint64_t number; /* of its first block among all blocks */
};

/* A slice of a group: the blocks that equations tie together. */
struct slice {
	uint64_t group;
	uint32_t number;
};

VEC_DEFINE(run_vec, struct run);
VEC_DEFINE(number_vec, uint64_t);
VEC_DEFINE(slice_vec, struct slice);

struct injection {
	struct array *array;
	const struct inject_request *request;
	struct dev *dev;
	struct run_vec targets; /* in the range that was asked for */
	struct run_vec sources; /* all bodies on the member, for INJECT_MISDIRECT */
	struct number_vec taken;
	struct slice_vec lost; /* that hold a lost write */
	struct rng rng;
	uint8_t *block; /* two blocks */
};

static uint64_t run_end(const struct run_vec *runs)
{
	return runs->count ? runs->at[runs->count - 1].number + runs->at[runs->count - 1].count : 0;
}

static uint64_t extent_start(const struct injection *injection, const struct run *run)
{
	const struct map *map = array_map(injection->array);
	const struct extent *extent = &run->group->extents[run->column];

	return run->seal ? extent_seal_offset(map, extent) : extent_offset(map, extent, 0);
}

/* Add the blocks of `run` whose first byte lies in [first, end). */
static int add_run(struct injection *injection, struct run_vec *runs, struct run run,
		   uint64_t first, uint64_t end)
{
	uint64_t start = extent_start(injection, &run);
	uint64_t skip = first > start ? size_divide_up(first - start, BLOCK_SIZE) : 0;
	uint64_t stop = end > start ? size_divide_up(end - start, BLOCK_SIZE) : 0;

	stop = size_min(stop, run.count);
	if (skip >= stop)
		return 0;
	run.first = (uint32_t)skip;
	run.count = stop - skip;
	run.number = run_end(runs);
	return run_vec_push(runs, run);
}

/* Can this kind of fault hit body blocks of the group so that it can be seen at all? */
static bool suits(const struct injection *injection, const struct group *group)
{
	/* A lost write agrees with itself: only another column can tell. */
	return injection->request->kind != INJECT_LOST || group->shape.layout != LAYOUT_PLAIN;
}

static int add_extent(struct injection *injection, const struct group *group, uint32_t column)
{
	const struct inject_request *request = injection->request;
	const struct seal_shape shape = seal_shape_of(group, column);
	const struct run body = { .group = group,
				  .column = column,
				  .count = group->extents[column].body_blocks };
	const struct run seal = { .group = group,
				  .column = column,
				  .seal = true,
				  .count = 1 + seal_entry_pages(&shape) };
	int rc = 0;

	if (suits(injection, group))
		rc = add_run(injection, &injection->targets, body, request->first, request->end);
	if (!rc && request->kind == INJECT_FLIP)
		rc = add_run(injection, &injection->targets, seal, request->first, request->end);
	if (!rc && request->kind == INJECT_MISDIRECT)
		rc = add_run(injection, &injection->sources, body, 0, UINT64_MAX);
	return rc;
}

/* Stale extents are not looked at by anybody, so nothing would be seen there. */
static int collect(struct injection *injection, struct err *err)
{
	const struct map *map = array_map(injection->array);

	for (uint32_t i = 0; i < map->group_count; i++) {
		const struct group *group = map->groups[i];

		for (uint32_t c = 0; c < group->shape.columns; c++) {
			if (group->extents[c].slot == injection->request->slot &&
			    !group->extents[c].stale && add_extent(injection, group, c))
				return err_set(err, ERR_NOMEM, "no memory to list blocks");
		}
	}
	return 0;
}

/* Block `number` of all. */
static struct run find_block(const struct run_vec *runs, uint64_t number, uint32_t *block_out)
{
	size_t low = 0, high = runs->count;

	assert(number < run_end(runs));
	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (runs->at[middle].number <= number)
			low = middle;
		else
			high = middle;
	}
	*block_out = runs->at[low].first + (uint32_t)(number - runs->at[low].number);
	return runs->at[low];
}

static const char *role_of(const struct run *run, uint32_t block)
{
	const struct group *group = run->group;

	if (run->seal)
		return "seal";
	switch (group->shape.layout) {
	case LAYOUT_MIRROR:
		return run->column == 0 ? "primary" : "secondary";
	case LAYOUT_PARITY:
		return run->column < group_data_columns(group) ? "data" : "parity";
	case LAYOUT_SEQUENTIAL:
		if (block < group_data_blocks(group))
			return "data";
		return run->column == group->shape.pure ? "pure" : "parity";
	case LAYOUT_PLAIN:
	case LAYOUT_COUNT:
		break;
	}
	return "data";
}

static bool is_taken(const struct injection *injection, uint64_t number)
{
	for (size_t i = 0; i < injection->taken.count; i++) {
		if (injection->taken.at[i] == number)
			return true;
	}
	return false;
}

static int read_block(struct injection *injection, uint64_t offset, uint8_t *block)
{
	return io_read(injection->dev, IO_ROLE_DATA, offset, block, BLOCK_SIZE);
}

static int write_block(struct injection *injection, uint64_t offset, const uint8_t *block)
{
	return io_write(injection->dev, IO_ROLE_DATA, offset, block, BLOCK_SIZE);
}

static int flip(struct injection *injection, uint64_t offset)
{
	int rc = read_block(injection, offset, injection->block);

	if (rc)
		return rc;
	injection->block[rng_below(&injection->rng, BLOCK_SIZE)] ^=
		(uint8_t)(1u << rng_below(&injection->rng, 8));
	return write_block(injection, offset, injection->block);
}

/* What stood there before the last write, and an entry that says so: it is one generation older. */
static int rewind_block(struct injection *injection, const struct run *run, struct seal *seal,
			uint32_t block)
{
	uint64_t body = extent_start(injection, run) + (uint64_t)block * BLOCK_SIZE;
	uint32_t page = seal_page_of(&seal->shape, block);
	uint64_t seal_offset =
		extent_seal_offset(array_map(injection->array), &run->group->extents[run->column]) +
		(uint64_t)(1 + page) * BLOCK_SIZE;
	uint32_t seed = seal_extent_seed(&array_map(injection->array)->uuid, seal->extent);
	int rc = read_block(injection, seal_offset, injection->block);

	if (rc)
		return rc;
	seal_decode_page(seal, page, injection->block);
	if (!seal_knows(seal, block))
		return ERR_CHECKSUM;
	for (uint32_t i = 0; i < BLOCK_SIZE; i++)
		injection->block[i] = (uint8_t)rng_next(&injection->rng);
	seal->entries[block].crc =
		crc32_of(seal_block_seed(seed, block), injection->block, BLOCK_SIZE);
	seal->entries[block].generation--;
	rc = write_block(injection, body, injection->block);
	if (rc)
		return rc;
	seal_encode_page(seal, page, injection->block);
	return write_block(injection, seal_offset, injection->block);
}

/* As if a write had stopped between two sectors of the block. */
static int tear(struct injection *injection, uint64_t offset)
{
	int rc = read_block(injection, offset, injection->block);
	uint64_t first = 1 + rng_below(&injection->rng, BLOCK_SIZE / SECTOR_SIZE - 1);

	if (rc)
		return rc;
	for (uint64_t i = first * SECTOR_SIZE; i < BLOCK_SIZE; i++)
		injection->block[i] = (uint8_t)rng_next(&injection->rng);
	return write_block(injection, offset, injection->block);
}

/*
 * A block and the row parity that watches it may lie on one member (sequential): if both lost a write,
 * nobody could tell of the block. So a slice loses one.
 */
static bool lost_before(const struct injection *injection, struct slice slice)
{
	for (size_t i = 0; i < injection->lost.count; i++) {
		if (injection->lost.at[i].group == slice.group &&
		    injection->lost.at[i].number == slice.number)
			return true;
	}
	return false;
}

static int lose(struct injection *injection, const struct run *run, uint32_t block)
{
	const struct slice slice = { run->group->id, block % run->group->segment_blocks };
	struct seal seal;

	if (lost_before(injection, slice))
		return ERR_CHECKSUM;
	int rc = slice_vec_push(&injection->lost, slice);
	if (!rc)
		rc = seal_init(&seal, &array_map(injection->array)->uuid, run->group, run->column);
	if (rc)
		return rc;
	rc = rewind_block(injection, run, &seal, block);
	seal_reset(&seal);
	return rc;
}

/* Another block lands on this one; ERR_CHECKSUM when none is found whose bytes differ. */
static int misdirect(struct injection *injection, uint64_t offset)
{
	uint8_t *other = injection->block + BLOCK_SIZE;
	int rc = read_block(injection, offset, injection->block);

	for (uint32_t i = 0; !rc && i < TRIES_MAX; i++) {
		uint64_t number = rng_below(&injection->rng, run_end(&injection->sources));
		uint32_t block;
		struct run run = find_block(&injection->sources, number, &block);

		rc = read_block(injection,
				extent_start(injection, &run) + (uint64_t)block * BLOCK_SIZE,
				other);
		if (!rc && memcmp(injection->block, other, BLOCK_SIZE) != 0)
			return write_block(injection, offset, other);
	}
	return rc ? rc : ERR_CHECKSUM;
}

/* Damage block `number`. ERR_CHECKSUM: this one does not suit, nothing was written. */
static int strike(struct injection *injection, uint64_t number)
{
	const struct inject_request *request = injection->request;
	uint32_t block;
	struct run run = find_block(&injection->targets, number, &block);
	uint64_t offset = extent_start(injection, &run) + (uint64_t)block * BLOCK_SIZE;
	int rc = ERR_CHECKSUM;

	switch (request->kind) {
	case INJECT_FLIP:
		rc = flip(injection, offset);
		break;
	case INJECT_LOST:
		rc = lose(injection, &run, block);
		break;
	case INJECT_MISDIRECT:
		rc = misdirect(injection, offset);
		break;
	case INJECT_TORN:
		rc = tear(injection, offset);
		break;
	}
	if (!rc && request->done)
		request->done(request->done_arg, offset, run.group->id, role_of(&run, block));
	return rc;
}

/* Draw a block that was not drawn before and damage it. */
static int strike_one(struct injection *injection, struct err *err)
{
	uint64_t all = run_end(&injection->targets);
	int rc = ERR_CHECKSUM;

	for (uint32_t i = 0; rc == ERR_CHECKSUM && i < TRIES_MAX; i++) {
		if (injection->taken.count == all)
			break;
		uint64_t number = rng_below(&injection->rng, all);

		/* Nearly all are taken: go on from here to the next that is free. */
		while (is_taken(injection, number))
			number = (number + 1) % all;
		rc = number_vec_push(&injection->taken, number);
		if (!rc)
			rc = strike(injection, number);
	}
	if (rc == ERR_CHECKSUM)
		return err_set(err, ERR_STATE, "no further block of member %u suits this fault",
			       injection->request->slot);
	return rc ? err_set(err, rc, "member %u could not be damaged", injection->request->slot)
		  : 0;
}

static int check_request(const struct array *array, const struct inject_request *request,
			 struct err *err)
{
	if (array_need_sealed(array, err))
		return err->code;
	if (!array_member_usable(array, request->slot))
		return err_set(err, ERR_STATE, "member %u is not in service", request->slot);
	if (request->count > COUNT_MAX)
		return err_set(err, ERR_LIMIT, "%u faults, at most %u at a time", request->count,
			       COUNT_MAX);
	return 0;
}

static int strike_all(struct injection *injection, struct err *err)
{
	const struct inject_request *request = injection->request;
	int rc = collect(injection, err);

	if (!rc && run_end(&injection->targets) < request->count)
		rc = err_set(err, ERR_STATE,
			     "%u faults for %" PRIu64 " blocks of member %u that are in use there",
			     request->count, run_end(&injection->targets), request->slot);
	for (uint32_t i = 0; !rc && i < request->count; i++)
		rc = strike_one(injection, err);
	if (!rc && io_flush(injection->dev))
		rc = err_set(err, ERR_IO, "flush of member %u failed", request->slot);
	return rc;
}

int inject_run(struct array *array, const struct inject_request *request, struct err *err)
{
	struct injection injection = {
		.array = array,
		.request = request,
		.rng = rng_seeded(request->seed),
	};
	int rc = check_request(array, request, err);

	if (rc)
		return rc;
	injection.dev = array_dev(array, request->slot);
	injection.block = mem_pages(2 * (size_t)BLOCK_SIZE);
	if (!injection.block)
		return err_set(err, ERR_NOMEM, "no memory to damage blocks");
	rc = strike_all(&injection, err);
	run_vec_reset(&injection.targets);
	run_vec_reset(&injection.sources);
	number_vec_reset(&injection.taken);
	slice_vec_reset(&injection.lost);
	mem_pages_free(injection.block);
	return rc;
}

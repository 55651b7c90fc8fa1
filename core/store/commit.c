/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/commit.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/map/check.h"
#include "core/map/windows.h"
#include "core/store/choose.h"
#include "core/store/map_record.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define READ_PIECE (UINT64_C(1) << 20) /* of one read of the map; keeps a batch small */

/* What one try of a commit writes. */
struct attempt {
	uint8_t *bytes; /* page-aligned copy of the record */
	uint64_t size;
	uint64_t generation;
	uint64_t offset; /* in the half */
	uint32_t half;
	uint32_t crc;
};

static bool all_current(const struct commit_member *members, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!members[i].current)
			return false;
	}
	return true;
}

/* They come first. */
static uint32_t count_joining(const struct commit_member *members, uint32_t count)
{
	uint32_t joining = 0;

	while (joining < count && members[joining].joins)
		joining++;
	for (uint32_t i = joining; i < count; i++)
		assert(!members[i].joins);
	return joining;
}

/* Bytes of records that a half may hold. */
static uint64_t half_room(const struct map *map)
{
	return size_min(map->geometry.map_half_size, MAP_LENGTH_MAX);
}

/* The record as it goes to disk: a delta if that may be, else the whole map. */
static int encode(struct attempt *attempt, const struct commit_state *state, const struct map *map,
		  bool may_be_delta, struct err *err)
{
	struct map_record_place place = { .generation = attempt->generation };
	struct buffer buffer = { 0 };
	int rc;

	if (may_be_delta) {
		place.crc_before = state->crc;
		rc = map_record_encode_delta(&buffer, map, &place, &attempt->crc);
		attempt->half = state->half;
		attempt->offset = state->length;
		if (!rc && state->length + buffer.size > half_room(map)) {
			buffer_reset(&buffer);
			return encode(attempt, state, map, false, err);
		}
	} else {
		rc = map_record_encode_full(&buffer, map, &place, &attempt->crc);
		attempt->half = state->length ? 1 - state->half : 0;
		attempt->offset = 0;
	}
	bool fits = buffer.size <= half_room(map);
	if (state->length && attempt->half != state->half &&
	    state->half != state->half_acknowledged)
		fits = false; /* one half holds the last commit, the other a try that left slots */
	if (!rc && !fits)
		rc = err_set(err, ERR_LIMIT,
			     "the map needs %zu bytes, its region has %" PRIu64
			     ": use larger extents, or a new array",
			     buffer.size, half_room(map));
	else if (rc || !(attempt->bytes = mem_pages(buffer.size)))
		rc = err_set(err, ERR_NOMEM, "no memory to write the map");
	if (!rc) {
		memcpy(attempt->bytes, buffer.bytes, buffer.size);
		attempt->size = buffer.size;
	}
	buffer_reset(&buffer);
	return rc;
}

/* Run one operation on every member; members that fail are noted. Returns the first error. */
static int run_on_all(struct io *ios, struct commit_member *members, uint32_t count,
		      const char *what, struct err *err)
{
	int rc = io_run(ios, count);

	if (rc == 0)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		if (ios[i].result == 0)
			continue;
		members[i].result = ios[i].result;
		if (err->code == 0)
			err_set(err, ios[i].result, "%s of member %u (%s) failed", what,
				members[i].slot, dev_name(members[i].dev));
	}
	return err->code ? err->code : rc;
}

static int flush_all(struct commit_member *members, uint32_t count, struct err *err)
{
	struct io ios[MEMBERS_MAX];

	for (uint32_t i = 0; i < count; i++)
		ios[i] =
			(struct io){ .dev = members[i].dev, .op = IO_FLUSH, .role = IO_ROLE_SUPER };
	return run_on_all(ios, members, count, "flush", err);
}

static int write_records(const struct attempt *attempt, const struct map *map,
			 struct commit_member *members, uint32_t count, struct err *err)
{
	struct iovec iov = { attempt->bytes, attempt->size };
	struct io ios[MEMBERS_MAX];

	for (uint32_t i = 0; i < count; i++)
		ios[i] = (struct io){
			.dev = members[i].dev,
			.op = IO_WRITE,
			.role = IO_ROLE_MAP,
			.offset = members[i].regions.map_offset +
				  attempt->half * map->geometry.map_half_size + attempt->offset,
			.size = attempt->size,
			.iov = &iov,
			.iov_count = 1,
		};
	int rc = run_on_all(ios, members, count, "write to the map", err);
	return rc ? rc : flush_all(members, count, err);
}

static void fill_super(struct super *super, const struct attempt *attempt, uint32_t crc_before,
		       const struct map *map, const struct commit_member *member, uint64_t now_s)
{
	const struct epoch *epoch = &map->epochs[map->epoch_count - 1];

	*super = (struct super){
		.slot = (uint32_t)(attempt->generation % SUPER_SLOTS),
		.array = map->uuid,
		.member = member->uuid,
		.member_slot = member->slot,
		.epoch = epoch->number,
		.epoch_id = epoch->id,
		.generation = attempt->generation,
		.map_crc_before = crc_before,
		.map_crc = attempt->crc,
		.map_half = attempt->half,
		.map_length = attempt->offset + attempt->size,
		.regions = member->regions,
		.geometry = map->geometry,
		.written_s = now_s,
		.present = epoch->present,
	};
	super->offset = super_offset(&super->member, super->slot, &map->geometry);
	memcpy(super->name, map->name, sizeof(super->name));
}

static int write_supers(const struct attempt *attempt, uint32_t crc_before, const struct map *map,
			struct commit_member *members, uint32_t count, uint64_t now_s,
			struct err *err)
{
	uint8_t *blocks = mem_pages((size_t)count * BLOCK_SIZE);
	struct iovec iovs[MEMBERS_MAX];
	struct io ios[MEMBERS_MAX];
	struct super super;

	if (!blocks)
		return err_set(err, ERR_NOMEM, "no memory to write superblocks");
	for (uint32_t i = 0; i < count; i++) {
		fill_super(&super, attempt, crc_before, map, &members[i], now_s);
		super_encode(blocks + (size_t)i * BLOCK_SIZE, &super);
		iovs[i] = (struct iovec){ blocks + (size_t)i * BLOCK_SIZE, BLOCK_SIZE };
		ios[i] = (struct io){
			.dev = members[i].dev,
			.op = IO_WRITE,
			.role = IO_ROLE_SUPER,
			.offset = super.offset,
			.size = BLOCK_SIZE,
			.iov = &iovs[i],
			.iov_count = 1,
		};
	}
	int rc = run_on_all(ios, members, count, "write to the superblock", err);
	if (!rc)
		rc = flush_all(members, count, err);
	mem_pages_free(blocks);
	return rc;
}

/* Never the slot of the last commit, however many tries failed since. */
static uint64_t next_generation(const struct commit_state *state, const struct map *map)
{
	uint64_t next = state->generation_seen + 1;

	return next % SUPER_SLOTS == map->generation % SUPER_SLOTS ? next + 1 : next;
}

int commit_write(struct commit_state *state, struct map *map, struct commit_member *members,
		 uint32_t member_count, uint64_t now_s, struct err *err)
{
	struct attempt attempt = { .generation = next_generation(state, map) };
	bool may_be_delta = state->length > 0 && all_current(members, member_count);
	uint32_t joining = count_joining(members, member_count);

	assert(member_count > 0 && member_count <= MEMBERS_MAX);
	assert(state->generation_seen >= map->generation);
	for (uint32_t i = 0; i < member_count; i++)
		members[i].result = 0;
	if (attempt.generation > SUPER_GENERATION_MAX)
		return err_set(err, ERR_LIMIT,
			       "generation %" PRIu64 " was the last: no further change is possible",
			       state->generation_seen);

	int rc = map_check_edits(map, err);
	if (rc)
		return err_prefix(err, "the change is not written");
	rc = encode(&attempt, state, map, may_be_delta, err);
	if (rc)
		return rc;
	/* From here on a slot may carry this number, so it is used up whatever happens. */
	uint32_t crc_before = state->crc;
	state->generation_seen = attempt.generation;
	rc = write_records(&attempt, map, members, member_count, err);
	if (!rc) {
		state->half = attempt.half;
		state->length = attempt.offset + attempt.size;
		state->crc = attempt.crc;
		for (uint32_t i = 0; i < member_count; i++)
			members[i].current = true;
	}
	if (!rc && joining > 0)
		rc = write_supers(&attempt, crc_before, map, members, joining, now_s, err);
	if (!rc && joining < member_count)
		rc = write_supers(&attempt, crc_before, map, members + joining,
				  member_count - joining, now_s, err);
	mem_pages_free(attempt.bytes);
	if (rc)
		return rc;
	state->half_acknowledged = attempt.half;
	map->generation = attempt.generation;
	map_edits_clear(map);
	return 0;
}

/*
 * Where two blocks of zeros in a row begin, else `size`. No map has them: zeros behind the items of a record
 * are less than a block, and no item has so many. `*zero_before`: was the block before these one?
 */
static uint64_t find_hole(const uint8_t *bytes, uint64_t size, bool *zero_before)
{
	for (uint64_t at = 0; at < size; at += BLOCK_SIZE) {
		bool zero = bytes_are_zero(bytes + at, BLOCK_SIZE);

		if (zero && *zero_before)
			return at;
		*zero_before = zero;
	}
	return size;
}

/* Room for twice as much, at most `size`. */
static int grow_pages(uint8_t **bytes, uint64_t *capacity, uint64_t size)
{
	uint64_t larger = size_min(*capacity * 2, size);
	uint8_t *grown = mem_pages(larger);

	if (!grown)
		return ERR_NOMEM;
	memcpy(grown, *bytes, *capacity);
	mem_pages_free(*bytes);
	*bytes = grown;
	*capacity = larger;
	return 0;
}

/*
 * `size` bytes at `offset`. What the superblock says costs nothing, so memory is taken only as bytes come
 * that are no hole: a file of a few blocks cannot make it a gigabyte.
 */
static int read_bytes(uint8_t **bytes_out, struct dev *dev, uint64_t offset, uint64_t size,
		      struct err *err)
{
	uint64_t capacity = size_min(size, READ_PIECE);
	uint8_t *bytes = mem_pages(capacity);
	bool zero_before = false;
	int rc = bytes ? 0 : ERR_NOMEM;

	for (uint64_t at = 0, piece; !rc && at < size; at += piece) {
		piece = size_min(READ_PIECE, size - at);
		if (at + piece > capacity)
			rc = grow_pages(&bytes, &capacity, size);
		if (!rc && (rc = io_read(dev, IO_ROLE_MAP, offset + at, bytes + at, piece)))
			err_set(err, rc, "the map cannot be read");
		uint64_t hole = rc ? piece : find_hole(bytes + at, piece, &zero_before);
		if (hole < piece)
			rc = err_set(err, ERR_FORMAT, "map: zeros at byte %" PRIu64 " of %" PRIu64,
				     at + hole, size);
	}
	if (!rc) {
		*bytes_out = bytes;
		return 0;
	}
	mem_pages_free(bytes);
	if (rc == ERR_NOMEM)
		err_set(err, rc, "no memory for a map of %" PRIu64 " bytes", size);
	return rc;
}

/* The superblock of the last commit as it is on `member`. */
static int read_super(struct super *super_out, const struct commit_state *state,
		      const struct map *map, const struct commit_member *member, struct err *err)
{
	uint64_t offset = super_offset(&member->uuid, (uint32_t)(map->generation % SUPER_SLOTS),
				       &map->geometry);
	uint8_t *block = mem_pages(BLOCK_SIZE);
	struct super super;

	if (!block)
		return err_set(err, ERR_NOMEM, "no memory to read a superblock");
	int rc = io_read(member->dev, IO_ROLE_SUPER, offset, block, BLOCK_SIZE);
	if (rc)
		err_set(err, rc, "the superblock on %s cannot be read", dev_name(member->dev));
	else
		rc = super_decode(&super, block, offset, err);
	mem_pages_free(block);
	if (rc)
		return rc;
	if (super.generation != map->generation || super.map_crc != state->crc ||
	    super.map_length != state->length || !uuid_equal(&super.array, &map->uuid))
		return err_set(err, ERR_FORMAT, "%s does not hold the last commit",
			       dev_name(member->dev));
	*super_out = super;
	return 0;
}

/* The records that `super` points to, as bytes that verify. */
static int read_records(uint8_t **bytes_out, struct dev *dev, const struct super *super,
			struct map **map_out, struct err *err)
{
	uint64_t offset =
		super->regions.map_offset + super->map_half * super->geometry.map_half_size;
	uint8_t *bytes = NULL;

	if (super->map_length > MAP_LENGTH_MAX)
		return err_set(err, ERR_LIMIT,
			       "%s: a map of %" PRIu64 " bytes, at most %" PRIu64 " are read",
			       dev_name(dev), super->map_length, MAP_LENGTH_MAX);
	int rc = read_bytes(&bytes, dev, offset, super->map_length, err);
	if (!rc)
		rc = map_record_decode(map_out, bytes, super->map_length, &super->array,
				       super->generation, super->map_crc, err);
	if (rc) {
		mem_pages_free(bytes);
		return err_prefix(err, "%s", dev_name(dev));
	}
	*bytes_out = bytes;
	return 0;
}

static int write_super_copy(struct super super, const struct commit_member *to)
{
	uint8_t *block = mem_pages(BLOCK_SIZE);

	if (!block)
		return ERR_NOMEM;
	super.member = to->uuid;
	super.member_slot = to->slot;
	super.regions = to->regions;
	super.offset = super_offset(&to->uuid, super.slot, &super.geometry);
	super_encode(block, &super);
	int rc = io_write(to->dev, IO_ROLE_SUPER, super.offset, block, BLOCK_SIZE);
	mem_pages_free(block);
	return rc ? rc : io_flush(to->dev);
}

int commit_catch_up(const struct commit_state *state, const struct map *map,
		    const struct commit_member *from, struct commit_member *to, struct err *err)
{
	struct map *copy = NULL;
	uint8_t *bytes = NULL;
	struct super super;
	int rc = read_super(&super, state, map, from, err);

	if (!rc)
		rc = read_records(&bytes, from->dev, &super, &copy, err);
	if (rc)
		return rc;
	map_free(copy); /* it was read to see that the bytes verify */
	rc = io_write(to->dev, IO_ROLE_MAP,
		      to->regions.map_offset + super.map_half * super.geometry.map_half_size, bytes,
		      super.map_length);
	mem_pages_free(bytes);
	if (!rc)
		rc = io_flush(to->dev);
	if (!rc)
		rc = write_super_copy(super, to);
	if (rc)
		return err_set(err, rc, "member %u (%s) cannot be brought up to date", to->slot,
			       dev_name(to->dev));
	to->current = true;
	return 0;
}

/* Is it one of the member's own, and beside the chosen commit of a branch? */
static bool is_none(const struct map *map, uint32_t map_crc, const struct commit_member *member,
		    const struct super *super)
{
	return uuid_equal(&super->member, &member->uuid) && uuid_equal(&super->array, &map->uuid) &&
	       choose_judge(map, map_crc, super) == CHOOSE_FORK;
}

int commit_withdraw(const struct map *map, uint32_t map_crc, const struct commit_member *from,
		    struct err *err)
{
	uint8_t *block = mem_pages(BLOCK_SIZE);
	bool none[SUPER_SLOTS] = { false };
	uint32_t left = 0;
	int rc = 0;

	if (!block)
		return err_set(err, ERR_NOMEM, "no memory to read superblocks");
	for (uint32_t slot = 0; slot < SUPER_SLOTS; slot++) {
		uint64_t offset = super_offset(&from->uuid, slot, &map->geometry);
		struct err ignored = { 0 };
		struct super super;

		if (io_read(from->dev, IO_ROLE_SUPER, offset, block, BLOCK_SIZE) ||
		    super_decode(&super, block, offset, &ignored))
			continue;
		none[slot] = is_none(map, map_crc, from, &super);
		left += !none[slot];
	}
	memset(block, 0, BLOCK_SIZE);
	for (uint32_t slot = 0; !rc && left > 0 && slot < SUPER_SLOTS; slot++) {
		if (none[slot])
			rc = io_write(from->dev, IO_ROLE_SUPER,
				      super_offset(&from->uuid, slot, &map->geometry), block,
				      BLOCK_SIZE);
	}
	if (!rc && left > 0)
		rc = io_flush(from->dev);
	mem_pages_free(block);
	return rc ? err_set(err, rc, "the superblocks of member %u (%s) cannot be taken back",
			    from->slot, dev_name(from->dev))
		  : 0;
}

int commit_read(struct map **map_out, struct dev *dev, const struct super *super, struct err *err)
{
	struct map *map = NULL;
	uint8_t *bytes = NULL;

	/* The decoder of the superblock bounds the length by the member's size. */
	if (super->regions.member_size > dev_info(dev)->size_exact)
		return err_set(err, ERR_TRUNCATED,
			       "%s has %" PRIu64 " bytes, it had %" PRIu64 " when it joined",
			       dev_name(dev), dev_info(dev)->size_exact,
			       super->regions.member_size);
	int rc = read_records(&bytes, dev, super, &map, err);
	if (rc)
		return rc;
	mem_pages_free(bytes);
	map->geometry = super->geometry;
	rc = map_check(map, err);
	if (!rc && map_windows_make(map))
		rc = err_set(err, ERR_NOMEM, "no memory for the map");
	if (rc) {
		map_free(map);
		return err_prefix(err, "%s", dev_name(dev));
	}
	*map_out = map;
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/truth.h"

#include "core/base/crc.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/map/address.h"
#include "tests/sim/sim_rack.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX (UINT64_C(1) << 20) /* of a volume of a small array */
#define SECTOR 512u
#define OPEN_MAX 10u /* writes under way of which every set is tried */

static uint8_t *copy_of(const uint8_t *bytes, uint64_t size)
{
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

void truth_copy(struct truth *to, const struct truth *from)
{
	*to = *from;
	for (uint32_t i = 0; i < to->count; i++)
		to->volumes[i].bytes = copy_of(from->volumes[i].bytes, from->volumes[i].length);
}

void truth_reset(struct truth *truth)
{
	for (uint32_t i = 0; i < truth->count; i++)
		free(truth->volumes[i].bytes);
	truth->count = 0;
}

void truth_writes_reset(struct truth_writes *writes)
{
	for (uint32_t i = 0; i < writes->count; i++)
		free(writes->at[i].bytes);
	writes->count = 0;
}

struct truth_volume *truth_find(const struct truth *truth, const char *name)
{
	for (uint32_t i = 0; i < truth->count; i++) {
		if (strcmp(truth->volumes[i].name, name) == 0)
			return (struct truth_volume *)(uintptr_t)&truth->volumes[i];
	}
	return NULL;
}

void truth_fill(uint8_t *bytes, uint64_t length, uint64_t seed)
{
	struct rng rng = rng_seeded(seed);

	for (uint64_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(rng_next(&rng) >> 32);
}

void truth_put(struct truth *truth, const char *name, uint64_t length, uint64_t seed)
{
	struct truth_volume *volume = truth_find(truth, name);

	if (!volume) {
		assert(truth->count < TRUTH_VOLUMES_MAX);
		volume = &truth->volumes[truth->count++];
		*volume = (struct truth_volume){ .id = truth->made++ };
		snprintf(volume->name, sizeof(volume->name), "%s", name);
	}
	volume->bytes = realloc(volume->bytes, volume->length + length + 1);
	if (!volume->bytes)
		abort();
	truth_fill(volume->bytes + volume->length, length, seed);
	volume->length += length;
}

void truth_remove(struct truth *truth, const char *name)
{
	struct truth_volume *volume = truth_find(truth, name);

	assert(volume);
	free(volume->bytes);
	*volume = truth->volumes[--truth->count];
}

bool wrong_set(struct wrong *wrong, const char *what, const char *format, ...)
{
	va_list args;

	wrong->what = what;
	va_start(args, format);
	vsnprintf(wrong->text, sizeof(wrong->text), format, args);
	va_end(args);
	return false;
}

bool truth_fits(const struct truth *truth, const struct map *map)
{
	if (truth->count != map->volume_count)
		return false;
	for (uint32_t i = 0; i < truth->count; i++) {
		const struct volume *volume = map_volume_named(map, truth->volumes[i].name);

		if (!volume || volume->length != truth->volumes[i].length)
			return false;
	}
	return true;
}

/* ---- in-place writes */

static bool touches(const struct truth_write *write, uint32_t volume, uint64_t offset,
		    uint64_t size)
{
	return write->volume == volume && write->offset < offset + size &&
	       offset < write->offset + write->length;
}

/* What a piece of a volume may be: writes over what there was before all of them. */
struct piece {
	const struct truth_volume *volume;
	uint64_t offset, size;
	uint32_t count, done; /* the first `done` are acknowledged, the others under way */
	const struct truth_write *writes[TRUTH_WRITES_MAX];
};

/* One that ended before another one began that was acknowledged says nothing any more. */
static bool is_replaced(const struct truth_check *check, const struct truth_write *write,
			uint64_t offset, uint64_t size)
{
	for (uint32_t i = 0; i < check->writes->count; i++) {
		const struct truth_write *other = &check->writes->at[i];

		if (!check->forgetful && other != write && other->acked <= check->at &&
		    write->ended <= other->begun && touches(other, write->volume, offset, size) &&
		    other->offset <= size_max(write->offset, offset) &&
		    other->offset + other->length >=
			    size_min(write->offset + write->length, offset + size))
			return true;
	}
	return false;
}

static void find_writes(struct piece *piece, const struct truth_check *check)
{
	piece->count = piece->done = 0;
	for (int under_way = 0; under_way < 2; under_way++) {
		for (uint32_t i = 0; i < check->writes->count; i++) {
			const struct truth_write *write = &check->writes->at[i];

			if (write->begun < check->at &&
			    (check->forgetful || write->acked > check->at) == under_way &&
			    touches(write, piece->volume->id, piece->offset, piece->size) &&
			    !is_replaced(check, write, piece->offset, piece->size))
				piece->writes[piece->count++] = write;
		}
		if (!under_way)
			piece->done = piece->count;
	}
}

static void lay_over(uint8_t *value, const struct piece *piece, const struct truth_write *write)
{
	uint64_t from = size_max(write->offset, piece->offset);
	uint64_t end = size_min(write->offset + write->length, piece->offset + piece->size);

	memcpy(value + (from - piece->offset), write->bytes + (from - write->offset), end - from);
}

static bool counts_in(const struct piece *piece, uint32_t set, uint32_t i)
{
	return i < piece->done || (set >> (i - piece->done) & 1);
}

/* What there is when they are written in order, but `last` behind all that began before it ended. */
static void lay_all(uint8_t *value, const struct piece *piece, uint32_t set, uint32_t last)
{
	memcpy(value, piece->volume->bytes + piece->offset, piece->size);
	for (uint32_t i = 0; i < piece->count; i++) {
		if (i != last && counts_in(piece, set, i))
			lay_over(value, piece, piece->writes[i]);
	}
	if (last == piece->count)
		return;
	lay_over(value, piece, piece->writes[last]);
	for (uint32_t i = 0; i < piece->count; i++) {
		if (i != last && counts_in(piece, set, i) &&
		    piece->writes[i]->begun >= piece->writes[last]->ended)
			lay_over(value, piece, piece->writes[i]);
	}
}

static bool byte_allowed(const struct piece *piece, uint64_t offset, uint8_t got)
{
	bool allowed = piece->volume->bytes[offset] == got;

	for (uint32_t i = 0; !allowed && i < piece->count; i++) {
		const struct truth_write *write = piece->writes[i];

		allowed = offset >= write->offset && offset - write->offset < write->length &&
			  write->bytes[offset - write->offset] == got;
	}
	return allowed;
}

/* Byte by byte: where all that was acknowledged may be forgotten, and that is too much for every set of it. */
static bool bytes_allowed(const struct piece *piece, const uint8_t *got)
{
	uint64_t i = 0;

	while (i < piece->size && byte_allowed(piece, piece->offset + i, got[i]))
		i++;
	return i == piece->size;
}

/* Every set of those under way, each of those that count in turn as the last one of its time. */
static bool piece_allowed(const struct piece *piece, const uint8_t *got)
{
	uint32_t open = piece->count - piece->done;
	uint8_t value[BLOCK_SIZE];

	assert(piece->size <= BLOCK_SIZE);
	if (open >= OPEN_MAX)
		return bytes_allowed(piece, got);
	for (uint32_t set = 0; set < 1u << open; set++) {
		for (uint32_t last = 0; last <= piece->count; last++) {
			if (last < piece->count && !counts_in(piece, set, last))
				continue;
			lay_all(value, piece, set, last);
			if (memcmp(value, got, piece->size) == 0)
				return true;
		}
	}
	return false;
}

/* Not acknowledged; with --journal none one record may serve many writes, until their seals are written. */
static bool is_under_way(const struct truth_check *check, const struct truth_write *write)
{
	return write->acked > check->at || (write->unnamed && write->settled > check->at);
}

/*
 * Old, new, a mixture, or what a disk made of it: a block that a write without content was changing is kept as it is
 * found (WRITES.md section 5). That it was acknowledged no record says until the next one: where the disk is the only
 * one left, a block that it stored wrongly cannot be told from a torn one (FAULTS A4, A6 beyond the budget).
 */
static bool is_kept(const struct truth_check *check, const struct piece *piece)
{
	bool kept = false;

	for (uint32_t i = 0; check->kept && i < check->writes->count; i++) {
		const struct truth_write *write = &check->writes->at[i];

		kept |= !write->content && write->begun < check->at &&
			(is_under_way(check, write) || (check->alone && write->told > check->at)) &&
			touches(write, piece->volume->id, piece->offset, piece->size);
	}
	return kept;
}

static bool block_allowed(const struct truth_check *check, const struct truth_volume *volume,
			  uint64_t offset, uint64_t size, const uint8_t *got)
{
	struct piece piece = { .volume = volume, .offset = offset, .size = size };
	bool content = !(check->lied && check->forgetful); /* a record may be forgotten as well */

	if (!check->writes)
		return memcmp(volume->bytes + offset, got, size) == 0;
	find_writes(&piece, check);
	if (piece_allowed(&piece, got) || is_kept(check, &piece))
		return true;
	for (uint32_t i = piece.done; i < piece.count; i++)
		content = content && piece.writes[i]->content;
	for (uint64_t s = 0; !content && s < size; s += SECTOR) {
		struct piece sector = { .volume = volume,
					.offset = offset + s,
					.size = size_min(SECTOR, size - s) };

		find_writes(&sector, check);
		if (!piece_allowed(&sector, got + s))
			return false;
	}
	return !content;
}

/* ---- what may be lost */

/* Does the write change cells of the row of `at`? */
static bool changes_row(const struct truth_write *write, const struct map *map,
			const struct volume *volume, const struct address *at)
{
	uint64_t my_row = 0, row = 0;
	bool in_row = address_row(&my_row, at);

	/* Every sector, and the last byte: it may be the only one of its block. */
	for (uint64_t done = 0; done < write->length + SECTOR - 1; done += SECTOR) {
		struct address other;
		uint64_t offset = write->offset + size_min(done, write->length - 1);

		if (!address_of_volume(&other, NULL, map, volume, offset) ||
		    other.group != at->group)
			continue;
		/* Rows of a level hang together by its pure parity. */
		if (at->group->shape.layout == LAYOUT_SEQUENTIAL &&
		    at->block % at->group->segment_blocks ==
			    other.block % at->group->segment_blocks)
			return true;
		if (in_row && address_row(&row, &other) && row == my_row)
			return true;
	}
	return false;
}

bool truth_row_is_under_way(const struct truth_check *check, const struct map *map,
			    const struct address *at)
{
	if (!check->writes || !check->rows_may_be_lost)
		return false;
	for (uint32_t i = 0; i < check->writes->count; i++) {
		const struct truth_write *write = &check->writes->at[i];

		if ((write->content && !check->logs_may_be_lost) || write->touched > check->at ||
		    !is_under_way(check, write))
			continue;
		for (uint32_t v = 0; v < check->truth->count; v++) {
			const struct truth_volume *expected = &check->truth->volumes[v];
			const struct volume *volume = map_volume_named(map, expected->name);

			if (expected->id == write->volume && volume &&
			    changes_row(write, map, volume, at))
				return true;
		}
	}
	return false;
}

static bool may_be_lost(const struct truth_check *check, const struct map *map,
			const struct volume *volume, uint64_t offset)
{
	struct address at;

	return address_of_volume(&at, NULL, map, volume, offset) &&
	       truth_row_is_under_way(check, map, &at);
}

/* ---- comparing */

/*
 * Bytes of a volume from `at` on that lie in one block of a member. A span may begin anywhere in the
 * volume, so its blocks, and the sectors that a power loss tears, need not be those of the volume.
 */
static uint64_t piece_size(const struct volume *volume, uint64_t at, uint64_t length)
{
	for (uint32_t i = 0; i < volume->span_count; i++) {
		const struct span *span = &volume->spans[i];

		if (at >= span->offset && at - span->offset < span->length) {
			uint64_t inside = at - span->offset;

			return size_min(BLOCK_SIZE - inside % BLOCK_SIZE,
					size_min(span->length - inside, length - at));
		}
	}
	return size_min(BLOCK_SIZE, length - at);
}

/* A row that was under way, when a disk had forgotten what was written to it before. */
static bool forgotten_allowed(const struct truth_check *check, const struct truth_volume *expected,
			      const struct map *map, uint64_t at, uint64_t size, const uint8_t *got)
{
	const struct volume *volume = map_volume_named(map, expected->name);
	struct truth_check lax = *check;

	lax.forgetful = lax.rows_may_be_lost = true;
	return check->lied && may_be_lost(&lax, map, volume, at) &&
	       block_allowed(&lax, expected, at, size, got);
}

static bool compare_piece(const struct truth_check *check, const struct truth_volume *expected,
			  const struct map *map, uint64_t at, uint64_t size, const uint8_t *got,
			  struct wrong *wrong)
{
	return block_allowed(check, expected, at, size, got) ||
	       forgotten_allowed(check, expected, map, at, size, got) ||
	       wrong_set(wrong, "bytes",
			 "volume %s, %" PRIu64 " bytes at %" PRIu64 ", were never written so",
			 expected->name, size, at);
}

static bool compare_bytes(const struct truth_check *check, const struct truth_volume *expected,
			  const struct map *map, const uint8_t *got, struct wrong *wrong)
{
	const struct volume *volume = map_volume_named(map, expected->name);
	uint64_t size;

	if (!check->writes && memcmp(expected->bytes, got, expected->length) == 0)
		return true;
	for (uint64_t at = 0; at < expected->length; at += size) {
		size = piece_size(volume, at, expected->length);
		if (!compare_piece(check, expected, map, at, size, got + at, wrong))
			return false;
	}
	return true;
}

/* Something is lost: block by block, so that only what may be lost is. */
static bool compare_lossy(struct truth_check *check, const struct truth_volume *expected,
			  struct array *array, uint8_t *got, struct wrong *wrong)
{
	const struct map *map = array_map(array);
	const struct volume *volume = map_volume_named(map, expected->name);
	uint64_t size;

	for (uint64_t at = 0; at < expected->length; at += size) {
		struct array_read_result result = { 0 };
		struct err err = { 0 };

		size = piece_size(volume, at, expected->length);
		if (array_read(array, volume, at, got, size, &result, &err))
			return wrong_set(wrong, "read", "volume %s: %s", expected->name, err.text);
		if (result.lost && !may_be_lost(check, map, volume, at))
			return wrong_set(wrong, "lost", "volume %s, %" PRIu64 " bytes at %" PRIu64,
					 expected->name, size, at);
		if (!result.lost && !compare_piece(check, expected, map, at, size, got, wrong))
			return false;
	}
	return true;
}

bool truth_compare(struct truth_check *check, struct array *array, struct wrong *wrong)
{
	static uint8_t *got;

	if (!got && !(got = malloc(READ_MAX)))
		abort();
	check->sum = 1;
	if (check->writes && check->writes->count == 0)
		check->writes = NULL;
	for (uint32_t i = 0; i < check->truth->count; i++) {
		const struct truth_volume *expected = &check->truth->volumes[i];
		const struct volume *volume = map_volume_named(array_map(array), expected->name);
		struct array_read_result result = { 0 };
		struct err err = { 0 };

		assert(volume && expected->length <= READ_MAX);
		if (array_read(array, volume, 0, got, volume->length, &result, &err))
			return wrong_set(wrong, "read", "volume %s: %s", expected->name, err.text);
		if (check->writes && !result.lost)
			check->sum = check->sum * 31 + crc32_of(0, got, volume->length);
		if (result.lost && !compare_lossy(check, expected, array, got, wrong))
			return false;
		if (!result.lost && !compare_bytes(check, expected, array_map(array), got, wrong))
			return false;
		check->lossy = check->lossy || result.lost;
	}
	return true;
}

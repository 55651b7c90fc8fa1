/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_bitmap.h"

#include "core/base/bytes.h"
#include "core/base/size.h"
#include "formats/md_fields.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define BITMAP_MAGIC_VALUE 0x6d746962u
#define SECTOR 512u
#define WRITE_BEHIND_MAX 16383u /* the kernel counts them in 14 bits */
#define LOCKLESS_CLEAN 1u
#define LOCKLESS_UNWRITTEN 0u

enum { BITMAP_MAGIC = 0, BITMAP_PAD = 136 };
_Static_assert(BITMAP_PAD + sizeof(((struct md_bitmap *)0)->pad) == MD_BITMAP_SIZE, "256 bytes");

static const struct md_field bitmap_fields[] = {
	MD_FIELD(struct md_bitmap, version, 4),
	MD_FIELD(struct md_bitmap, uuid, 8),
	MD_FIELD(struct md_bitmap, events, 24),
	MD_FIELD(struct md_bitmap, events_cleared, 32),
	MD_FIELD(struct md_bitmap, sync_sectors, 40),
	MD_FIELD(struct md_bitmap, state, 48),
	MD_FIELD(struct md_bitmap, chunk_bytes, 52),
	MD_FIELD(struct md_bitmap, daemon_sleep_s, 56),
	MD_FIELD(struct md_bitmap, write_behind, 60),
	MD_FIELD(struct md_bitmap, sectors_reserved, 64),
	MD_FIELD(struct md_bitmap, nodes, 68),
	MD_FIELD_TEXT(struct md_bitmap, cluster_name, 72),
	MD_FIELD(struct md_bitmap, pad, 136),
	{ 0 },
};

int md_bitmap_decode(struct md_bitmap *bitmap_out, const uint8_t bytes[static MD_BITMAP_SIZE],
		     struct err *err)
{
	struct md_bitmap bitmap = { 0 };

	if (get_le32(bytes + BITMAP_MAGIC) != BITMAP_MAGIC_VALUE)
		return err_set(err, ERR_NOT_MEMBER, "no MD bitmap");
	md_fields_get(&bitmap, bitmap_fields, bytes, false);
	*bitmap_out = bitmap;
	return 0;
}

void md_bitmap_encode(uint8_t bytes[static MD_BITMAP_SIZE], const struct md_bitmap *bitmap)
{
	put_le32(bytes + BITMAP_MAGIC, BITMAP_MAGIC_VALUE);
	md_fields_put(bytes, bitmap_fields, bitmap, false);
}

static bool is_lockless(const struct md_bitmap *bitmap)
{
	return bitmap->version == MD_BITMAP_LOCKLESS;
}

static bool chunk_is_valid(const struct md_bitmap *bitmap)
{
	return bitmap->chunk_bytes >= SECTOR && !(bitmap->chunk_bytes & (bitmap->chunk_bytes - 1));
}

uint64_t md_bitmap_chunks(const struct md_bitmap *bitmap)
{
	if (!chunk_is_valid(bitmap))
		return 0;
	return size_divide_up(bitmap->sync_sectors, bitmap->chunk_bytes / SECTOR);
}

uint64_t md_bitmap_bytes(const struct md_bitmap *bitmap)
{
	uint64_t chunks = md_bitmap_chunks(bitmap);

	return is_lockless(bitmap) ? chunks : size_divide_up(chunks, 8);
}

static void size_validate(struct md_faults *faults, const struct md_bitmap *bitmap,
			  const struct md_bitmap_place *place)
{
	/* A lockless bitmap keeps 1024 bytes for its head. */
	uint64_t head = is_lockless(bitmap) ? 1024 : MD_BITMAP_SIZE, end;

	if (!chunk_is_valid(bitmap))
		md_fault(faults, "bitmap_chunk_bytes", "chunk of %u bytes", bitmap->chunk_bytes);
	if (bitmap->sync_sectors == 0 || bitmap->sync_sectors > UINT64_MAX / SECTOR)
		md_fault(faults, "sync_sectors", "it stands for %" PRIu64 " sectors",
			 bitmap->sync_sectors);
	else if (!size_add(head, md_bitmap_bytes(bitmap), &end) || end > place->room_bytes)
		md_fault(faults, "sync_sectors",
			 "%" PRIu64 " chunks, there is room for %" PRIu64 " bytes",
			 md_bitmap_chunks(bitmap), place->room_bytes);
	if ((uint64_t)bitmap->sectors_reserved * SECTOR > place->room_bytes)
		md_fault(faults, "sectors_reserved",
			 "%u sectors, there is room for %" PRIu64 " bytes",
			 bitmap->sectors_reserved, place->room_bytes);
}

void md_bitmap_validate(struct md_faults *faults, const struct md_bitmap *bitmap,
			const struct md_bitmap_place *place)
{
	if (bitmap->version < MD_BITMAP_HOST_ENDIAN || bitmap->version > MD_BITMAP_LOCKLESS)
		md_fault(faults, "bitmap_version", "version %u, this program reads %u to %u",
			 bitmap->version, MD_BITMAP_HOST_ENDIAN, MD_BITMAP_LOCKLESS);
	if (memcmp(bitmap->uuid, place->uuid, sizeof(bitmap->uuid)) != 0)
		md_fault(faults, "bitmap_uuid", "not that of the array");
	if (bitmap->events < place->events)
		md_fault(faults, "bitmap_events",
			 "%" PRIu64 ", the superblock has %" PRIu64 ": all counts as dirty",
			 bitmap->events, place->events);
	if (bitmap->events_cleared > bitmap->events)
		md_fault(faults, "events_cleared", "%" PRIu64 " of %" PRIu64,
			 bitmap->events_cleared, bitmap->events);
	if (bitmap->state & ~(uint32_t)MD_BITMAP_STATE_ALL)
		md_fault(faults, "bitmap_state", "state 0x%x has unknown bits", bitmap->state);
	if (bitmap->state & MD_BITMAP_STALE)
		md_fault(faults, "bitmap_state", "marked stale: all counts as dirty");
	if (bitmap->daemon_sleep_s == 0)
		md_fault(faults, "daemon_sleep", "%u seconds", bitmap->daemon_sleep_s);
	if (bitmap->write_behind > WRITE_BEHIND_MAX)
		md_fault(faults, "write_behind", "%u writes of at most %u", bitmap->write_behind,
			 WRITE_BEHIND_MAX);
	if (bitmap->nodes && bitmap->version != MD_BITMAP_CLUSTERED)
		md_fault(faults, "nodes", "%u nodes of no cluster", bitmap->nodes);
	if (!bytes_are_zero(bitmap->pad, sizeof(bitmap->pad)))
		md_fault(faults, "bitmap_reserved", "reserved bytes are in use");
	size_validate(faults, bitmap, place);
}

void md_bitmap_print(struct facts *facts, const struct md_bitmap *bitmap)
{
	static const char *const bits[] = { NULL,    "stale", "write-error", "first-use",
					    "clean", "busy",  "shutdown",    NULL,
					    NULL,    NULL,    NULL,          NULL,
					    NULL,    NULL,    NULL,          "host-endian" };

	fact_number(facts, "version", bitmap->version);
	fact_number(facts, "events", bitmap->events);
	fact_number(facts, "events_cleared", bitmap->events_cleared);
	fact_bits(facts, "state", bitmap->state, bits, sizeof(bits) / sizeof(bits[0]));
	fact_number(facts, "chunk_bytes", bitmap->chunk_bytes);
	fact_number(facts, "daemon_sleep_seconds", bitmap->daemon_sleep_s);
	fact_number(facts, "write_behind", bitmap->write_behind);
	fact_number(facts, "sync_sectors", bitmap->sync_sectors);
	fact_number(facts, "sectors_reserved", bitmap->sectors_reserved);
	fact_number(facts, "nodes", bitmap->nodes);
	if (bitmap->cluster_name[0])
		fact_text(facts, "cluster_name", "%s", bitmap->cluster_name);
	fact_number(facts, "chunks", md_bitmap_chunks(bitmap));
}

static uint64_t lockless_dirty(const uint8_t *bytes, uint64_t count)
{
	uint64_t dirty = 0;

	for (uint64_t i = 0; i < count; i++)
		dirty += bytes[i] != LOCKLESS_CLEAN && bytes[i] != LOCKLESS_UNWRITTEN;
	return dirty;
}

uint64_t md_bitmap_count_dirty(const struct md_bitmap *bitmap, uint64_t first_chunk,
			       const uint8_t *bytes, uint64_t size)
{
	uint64_t chunks = md_bitmap_chunks(bitmap), left, dirty = 0;

	assert(first_chunk % 64 == 0);
	left = chunks > first_chunk ? chunks - first_chunk : 0;
	if (is_lockless(bitmap))
		return lockless_dirty(bytes, size_min(left, size));
	for (uint64_t i = 0; i < size && left; i++) {
		unsigned bits = bytes[i];

		if (left < 8)
			bits &= (1u << left) - 1;
		dirty += (uint64_t)__builtin_popcount(bits);
		left -= size_min(left, 8);
	}
	return dirty;
}

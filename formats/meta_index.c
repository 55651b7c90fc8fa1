/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/meta_index.h"

#include "core/base/crc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VERSION_NOW 1u
#define CRC_SIZE 4u

static const uint8_t magic[8] = { 0x89, 'P', 'G', 'M', 'E', 'T', 0x0d, 0x0a };

void meta_index_reset(struct meta_index *index)
{
	meta_member_vec_reset(&index->members);
	meta_range_vec_reset(&index->ranges);
	meta_tell_vec_reset(&index->tells);
	*index = (struct meta_index){ 0 };
}

const struct meta_index_member *meta_index_member(const struct meta_index *index, uint32_t slot)
{
	for (size_t i = 0; i < index->members.count; i++) {
		if (index->members.at[i].slot == slot)
			return &index->members.at[i];
	}
	return NULL;
}

void meta_entry_name(char name_out[static META_NAME_SIZE], const struct meta_index_range *range)
{
	snprintf(name_out, META_NAME_SIZE, "%" PRIu32 "/%s-%" PRIu64, range->slot,
		 io_role_name(range->role), range->offset);
}

/* ---- encode */

static void name_put(struct buffer *buffer, const char name[static NAME_SIZE])
{
	char padded[NAME_SIZE] = { 0 };

	memcpy(padded, name, strnlen(name, NAME_SIZE - 1));
	buffer_bytes(buffer, padded, sizeof(padded));
}

void meta_index_encode(struct buffer *buffer, const struct meta_index *index)
{
	assert(buffer->size == 0);
	assert(index->members.count <= MEMBERS_MAX);

	buffer_bytes(buffer, magic, sizeof(magic));
	buffer_u32(buffer, VERSION_NOW);
	buffer_u32(buffer, (uint32_t)index->members.count);
	buffer_u32(buffer, (uint32_t)index->ranges.count);
	buffer_u32(buffer, (uint32_t)index->tells.count);
	buffer_bytes(buffer, index->array.bytes, sizeof(index->array.bytes));
	buffer_u64(buffer, index->epoch);
	buffer_u64(buffer, index->generation);
	name_put(buffer, index->name);
	for (size_t i = 0; i < index->members.count; i++) {
		const struct meta_index_member *member = &index->members.at[i];

		buffer_bytes(buffer, member->uuid.bytes, sizeof(member->uuid.bytes));
		buffer_u32(buffer, member->slot);
		buffer_u64(buffer, member->size);
		name_put(buffer, member->file);
	}
	for (size_t i = 0; i < index->ranges.count; i++) {
		const struct meta_index_range *range = &index->ranges.at[i];

		buffer_u32(buffer, range->slot);
		buffer_u32(buffer, range->role);
		buffer_u64(buffer, range->offset);
		buffer_u64(buffer, range->size);
		buffer_u32(buffer, range->crc);
	}
	for (size_t i = 0; i < index->tells.count; i++) {
		buffer_u32(buffer, index->tells.at[i].slot);
		buffer_u32(buffer, index->tells.at[i].crc);
		buffer_u64(buffer, index->tells.at[i].offset);
	}
	if (!buffer->failed)
		buffer_u32(buffer, crc32_of(0, buffer->bytes, buffer->size));
}

/* ---- decode */

static int bad(struct err *err, const char *what, uint64_t number)
{
	return err_set(err, ERR_FORMAT, "metadata archive: %s %" PRIu64, what, number);
}

/* A name of 1 to NAME_SIZE - 1 bytes, padded with zeros. */
static bool name_take(char name_out[static NAME_SIZE], struct cursor *cursor)
{
	const uint8_t *bytes = cursor_take(cursor, NAME_SIZE);
	size_t size;

	if (!bytes)
		return false;
	size = strnlen((const char *)bytes, NAME_SIZE);
	if (size == 0 || size == NAME_SIZE || !bytes_are_zero(bytes + size, NAME_SIZE - size))
		return false;
	memcpy(name_out, bytes, NAME_SIZE);
	return true;
}

static int members_decode(struct meta_index *index, struct cursor *cursor, uint32_t count,
			  struct err *err)
{
	for (uint32_t i = 0; i < count; i++) {
		struct meta_index_member member = { 0 };
		const uint8_t *uuid = cursor_take(cursor, sizeof(member.uuid.bytes));

		if (uuid)
			memcpy(member.uuid.bytes, uuid, sizeof(member.uuid.bytes));
		member.slot = cursor_u32(cursor);
		member.size = cursor_u64(cursor);
		if (!name_take(member.file, cursor) || strchr(member.file, '/'))
			return bad(err, "no file name of member", i);
		if (member.slot >= MEMBERS_MAX || member.size % BLOCK_SIZE != 0 ||
		    (i > 0 && member.slot <= index->members.at[i - 1].slot))
			return bad(err, "bad member", member.slot);
		if (meta_member_vec_push(&index->members, member))
			return err_set(err, ERR_NOMEM, "metadata archive: no memory");
	}
	return 0;
}

/* On a member that is named, and within it. */
static bool place_is_valid(const struct meta_index *index, uint32_t slot, uint64_t offset,
			   uint64_t size)
{
	const struct meta_index_member *member = meta_index_member(index, slot);

	return member && size > 0 && offset % BLOCK_SIZE == 0 && size % BLOCK_SIZE == 0 &&
	       offset <= member->size && size <= member->size - offset;
}

static int ranges_decode(struct meta_index *index, struct cursor *cursor, uint32_t count,
			 struct err *err)
{
	bool supers = false;

	for (uint32_t i = 0; i < count; i++) {
		struct meta_index_range range = { .slot = cursor_u32(cursor) };
		uint32_t role = cursor_u32(cursor);

		range.role = (enum io_role)role;
		range.offset = cursor_u64(cursor);
		range.size = cursor_u64(cursor);
		range.crc = cursor_u32(cursor);
		if (cursor->failed || !place_is_valid(index, range.slot, range.offset, range.size))
			return bad(err, "bad range", i);
		if (role != IO_ROLE_MAP && role != IO_ROLE_LOG && role != IO_ROLE_SUPER)
			return bad(err, "bad role of range", i);
		if (supers && role != IO_ROLE_SUPER)
			return bad(err, "a superblock before range", i);
		supers = role == IO_ROLE_SUPER;
		if (meta_range_vec_push(&index->ranges, range))
			return err_set(err, ERR_NOMEM, "metadata archive: no memory");
	}
	return 0;
}

static int tells_decode(struct meta_index *index, struct cursor *cursor, uint32_t count,
			struct err *err)
{
	for (uint32_t i = 0; i < count; i++) {
		struct meta_index_tell tell = { .slot = cursor_u32(cursor) };

		tell.crc = cursor_u32(cursor);
		tell.offset = cursor_u64(cursor);
		if (cursor->failed || !place_is_valid(index, tell.slot, tell.offset, BLOCK_SIZE))
			return bad(err, "bad tell", i);
		if (meta_tell_vec_push(&index->tells, tell))
			return err_set(err, ERR_NOMEM, "metadata archive: no memory");
	}
	return 0;
}

static int body_decode(struct meta_index *index, struct cursor *cursor, struct err *err)
{
	uint32_t members = cursor_u32(cursor), ranges = cursor_u32(cursor);
	uint32_t tells = cursor_u32(cursor);
	const uint8_t *uuid = cursor_take(cursor, sizeof(index->array.bytes));
	int rc;

	if (!uuid || members == 0 || members > MEMBERS_MAX || ranges > META_RECORDS_MAX ||
	    tells > META_RECORDS_MAX)
		return bad(err, "bad number of members, ranges or tells:", members);
	memcpy(index->array.bytes, uuid, sizeof(index->array.bytes));
	index->epoch = cursor_u64(cursor);
	index->generation = cursor_u64(cursor);
	if (!name_take(index->name, cursor))
		return bad(err, "no name of the array, generation", index->generation);
	rc = members_decode(index, cursor, members, err);
	if (rc == 0)
		rc = ranges_decode(index, cursor, ranges, err);
	if (rc == 0)
		rc = tells_decode(index, cursor, tells, err);
	if (rc == 0 && cursor->left)
		rc = bad(err, "bytes behind its end:", cursor->left);
	return rc;
}

int meta_index_decode(struct meta_index *index_out, const uint8_t *bytes, size_t size,
		      struct err *err)
{
	struct meta_index index = { 0 };
	struct cursor cursor = { .at = bytes };
	uint32_t version;
	int rc;

	if (size < sizeof(magic) + 2 * (size_t)CRC_SIZE || memcmp(bytes, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_FORMAT, "metadata archive: no index");
	if (get_le32(bytes + size - CRC_SIZE) != crc32_of(0, bytes, size - CRC_SIZE))
		return err_set(err, ERR_CHECKSUM, "metadata archive: bad checksum of the index");
	cursor.left = size - CRC_SIZE;
	(void)cursor_take(&cursor, sizeof(magic));
	version = cursor_u32(&cursor);
	if (version != VERSION_NOW)
		return err_set(err, ERR_VERSION, "metadata archive: version %" PRIu32, version);
	rc = body_decode(&index, &cursor, err);
	if (rc)
		meta_index_reset(&index);
	else
		*index_out = index;
	return rc;
}

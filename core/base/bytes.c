/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/bytes.h"

#include "core/base/mem.h"

#include <assert.h>

#define BUFFER_CAPACITY_MIN 256u /* most records fit; below this, growing would be all the work */

bool bytes_are_zero(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	/* The first one is zero, and each one is as the one before: twice as fast as a loop over words. */
	return size == 0 || (at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
}

const uint8_t *cursor_take(struct cursor *cursor, size_t size)
{
	const uint8_t *at = cursor->at;

	if (cursor->failed || size > cursor->left) {
		cursor->failed = true;
		return NULL;
	}
	cursor->at += size;
	cursor->left -= size;
	return at;
}

uint8_t cursor_u8(struct cursor *cursor)
{
	const uint8_t *at = cursor_take(cursor, 1);

	return at ? *at : 0;
}

uint16_t cursor_u16(struct cursor *cursor)
{
	const uint8_t *at = cursor_take(cursor, 2);

	return at ? get_le16(at) : 0;
}

uint32_t cursor_u32(struct cursor *cursor)
{
	const uint8_t *at = cursor_take(cursor, 4);

	return at ? get_le32(at) : 0;
}

uint64_t cursor_u64(struct cursor *cursor)
{
	const uint8_t *at = cursor_take(cursor, 8);

	return at ? get_le64(at) : 0;
}

static bool buffer_grow(struct buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_CAPACITY_MIN;
	uint8_t *bytes;

	while (capacity < needed) {
		if (capacity > SIZE_MAX / 2)
			return false;
		capacity *= 2;
	}
	bytes = mem_realloc(buffer->bytes, capacity, 1);
	if (!bytes)
		return false;
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return true;
}

uint8_t *buffer_add(struct buffer *buffer, size_t size)
{
	uint8_t *at;

	if (buffer->failed)
		return NULL;
	assert(buffer->size <= buffer->capacity);
	if (!buffer->bytes || size > buffer->capacity - buffer->size) {
		if (size > SIZE_MAX - buffer->size || !buffer_grow(buffer, buffer->size + size)) {
			buffer->failed = true;
			return NULL;
		}
	}
	at = buffer->bytes + buffer->size;
	memset(at, 0, size);
	buffer->size += size;
	return at;
}

void buffer_u8(struct buffer *buffer, uint8_t value)
{
	uint8_t *at = buffer_add(buffer, 1);

	if (at)
		*at = value;
}

void buffer_u16(struct buffer *buffer, uint16_t value)
{
	uint8_t *at = buffer_add(buffer, 2);

	if (at)
		put_le16(at, value);
}

void buffer_u32(struct buffer *buffer, uint32_t value)
{
	uint8_t *at = buffer_add(buffer, 4);

	if (at)
		put_le32(at, value);
}

void buffer_u64(struct buffer *buffer, uint64_t value)
{
	uint8_t *at = buffer_add(buffer, 8);

	if (at)
		put_le64(at, value);
}

void buffer_bytes(struct buffer *buffer, const void *bytes, size_t size)
{
	uint8_t *at = buffer_add(buffer, size);

	if (at && size)
		memcpy(at, bytes, size);
}

void buffer_reset(struct buffer *buffer)
{
	mem_free(buffer->bytes);
	*buffer = (struct buffer){ 0 };
}

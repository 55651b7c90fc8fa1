/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bytes on disk: little-endian get and put, a bounded cursor, and "is it all zero".
 */
#ifndef PG_BASE_BYTES_H
#define PG_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE 4096u /* the unit of every device I/O, checksum and address in an extent */

static inline uint16_t get_le16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *at)
{
	return (uint64_t)get_le32(at) | (uint64_t)get_le32(at + 4) << 32;
}

static inline void put_le16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static inline void put_le32(uint8_t *at, uint32_t value)
{
	put_le16(at, (uint16_t)value);
	put_le16(at + 2, (uint16_t)(value >> 16));
}

static inline void put_le64(uint8_t *at, uint64_t value)
{
	put_le32(at, (uint32_t)value);
	put_le32(at + 4, (uint32_t)(value >> 32));
}

/* True when all `size` bytes are zero. */
bool bytes_are_zero(const void *bytes, size_t size);

/*
 * A cursor over bytes that must not be trusted: every get checks the bound; the first one that
 * would pass the end sets `failed`, and from then on gets return zeros.
 */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool failed;
};

const uint8_t *cursor_take(struct cursor *cursor, size_t size); /* NULL past the end */
uint8_t cursor_u8(struct cursor *cursor);
uint16_t cursor_u16(struct cursor *cursor);
uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);

/* A buffer that grows while a record is encoded; `failed` is set when memory ran out. */
struct buffer {
	uint8_t *bytes; /* released by buffer_reset() */
	size_t size;
	size_t capacity;
	bool failed;
};

uint8_t *buffer_add(struct buffer *buffer, size_t size); /* zeroed bytes, NULL without memory */
void buffer_u8(struct buffer *buffer, uint8_t value);
void buffer_u16(struct buffer *buffer, uint16_t value);
void buffer_u32(struct buffer *buffer, uint32_t value);
void buffer_u64(struct buffer *buffer, uint64_t value);
void buffer_bytes(struct buffer *buffer, const void *bytes, size_t size);
void buffer_reset(struct buffer *buffer);

#endif

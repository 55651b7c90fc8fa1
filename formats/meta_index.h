/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first entry of a metadata archive (`meta dump`): of which array it is, and what the other entries are.
 *
 * Those follow in the order of the ranges, named by meta_entry_name(), each with the range's bytes: maps and logs
 * first, superblocks last, as they are restored.
 *
 * Decode takes any bytes. docs/FORMAT.md has them.
 */
#ifndef PG_FORMATS_META_INDEX_H
#define PG_FORMATS_META_INDEX_H

#include "core/base/bytes.h"
#include "core/base/vec.h"
#include "core/dev/dev.h"
#include "core/map/map.h"

#define META_INDEX_NAME "pgctl-meta"
#define META_INDEX_SIZE_MAX (16u << 20)
#define META_RECORDS_MAX 65536u /* ranges, and tells: 256 members with 256 each */
#define META_NAME_SIZE 64u

struct meta_index_member {
	struct uuid uuid;
	uint32_t slot;
	uint64_t size; /* when it joined */
	char file[NAME_SIZE];
};
struct meta_index_range {
	uint32_t slot;
	enum io_role role;
	uint64_t offset, size;
	uint32_t crc;
};
/* A block that tells the member from others. */
struct meta_index_tell {
	uint32_t slot;
	uint32_t crc;
	uint64_t offset;
};
VEC_DEFINE(meta_member_vec, struct meta_index_member);
VEC_DEFINE(meta_range_vec, struct meta_index_range);
VEC_DEFINE(meta_tell_vec, struct meta_index_tell);

struct meta_index {
	struct uuid array;
	uint64_t epoch, generation;
	char name[NAME_SIZE];
	struct meta_member_vec members; /* ascending slot */
	struct meta_range_vec ranges;   /* no superblock before anything else */
	struct meta_tell_vec tells;
};

void meta_index_reset(struct meta_index *index);
const struct meta_index_member *meta_index_member(const struct meta_index *index, uint32_t slot);
void meta_index_encode(struct buffer *buffer, const struct meta_index *index);
/* ERR_FORMAT, ERR_CHECKSUM, ERR_VERSION or ERR_NOMEM; *index_out is then untouched. */
int meta_index_decode(struct meta_index *index_out, const uint8_t *bytes, size_t size,
		      struct err *err) MUST_CHECK;
void meta_entry_name(char name_out[static META_NAME_SIZE], const struct meta_index_range *range);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/zfs.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "formats/big_endian.h"
#include "formats/sha.h"

#include <assert.h>
#include <string.h>

enum {
	UBERBLOCK_MAGIC = 0,
	UBERBLOCK_VERSION = 8,
	UBERBLOCK_TXG = 16,
	UBERBLOCK_GUID_SUM = 24,
	UBERBLOCK_TIME = 32,
	UBERBLOCK_SOFTWARE = 168, /* behind the root's block pointer */
};
#define SLOT_SHIFT_MIN 10u
#define SLOT_SHIFT_MAX 13u

bool zfs_label_place(uint64_t *offset_out, uint32_t which, uint64_t device_size)
{
	uint64_t size = device_size - device_size % ZFS_LABEL_SIZE;

	assert(which < ZFS_LABELS);
	if (size < ZFS_LABELS * (uint64_t)ZFS_LABEL_SIZE)
		return false;
	*offset_out = which < 2 ? which * (uint64_t)ZFS_LABEL_SIZE
				: size - (ZFS_LABELS - which) * (uint64_t)ZFS_LABEL_SIZE;
	return true;
}

static uint64_t word(const uint8_t *at, bool big_endian)
{
	return big_endian ? get_be64(at) : get_le64(at);
}

/* The sum is made over the bytes with the place in the place of the sum. */
void zfs_sum_of(uint64_t words_out[static 4], const uint8_t *bytes, size_t size, uint64_t offset,
		bool big_endian)
{
	uint8_t *copy = mem_calloc(size, 1), sum[SHA256_SIZE];

	assert(size > ZFS_SUM_SIZE);
	memset(words_out, 0, 4 * sizeof(*words_out));
	if (!copy)
		return;
	memcpy(copy, bytes, size);
	memset(copy + size - 32, 0, 32);
	if (big_endian)
		put_be64(copy + size - 32, offset);
	else
		put_le64(copy + size - 32, offset);
	sha256_of(sum, copy, size);
	mem_free(copy);
	for (uint32_t i = 0; i < 4; i++)
		words_out[i] = get_be64(sum + (size_t)8 * i);
}

bool zfs_sum_is_right(const uint8_t *bytes, size_t size, uint64_t offset)
{
	const uint8_t *at = bytes + size - ZFS_SUM_SIZE;
	bool big_endian = get_be64(at) == ZFS_SUM_MAGIC;
	uint64_t words[4];

	if (!big_endian && get_le64(at) != ZFS_SUM_MAGIC)
		return false;
	zfs_sum_of(words, bytes, size, offset, big_endian);
	for (uint32_t i = 0; i < 4; i++) {
		if (word(at + 8 + (size_t)8 * i, big_endian) != words[i])
			return false;
	}
	return true;
}

int zfs_uberblock_decode(struct zfs_uberblock *uberblock_out, const uint8_t *bytes, struct err *err)
{
	bool big_endian = get_be64(bytes + UBERBLOCK_MAGIC) == ZFS_UBERBLOCK_MAGIC;

	if (!big_endian && get_le64(bytes + UBERBLOCK_MAGIC) != ZFS_UBERBLOCK_MAGIC)
		return err_set(err, ERR_NOT_MEMBER, "no uberblock of ZFS");
	*uberblock_out = (struct zfs_uberblock){
		.version = word(bytes + UBERBLOCK_VERSION, big_endian),
		.txg = word(bytes + UBERBLOCK_TXG, big_endian),
		.guid_sum = word(bytes + UBERBLOCK_GUID_SUM, big_endian),
		.time = word(bytes + UBERBLOCK_TIME, big_endian),
		.software_version = word(bytes + UBERBLOCK_SOFTWARE, big_endian),
		.big_endian = big_endian,
	};
	return 0;
}

uint32_t zfs_slot_size(uint64_t ashift)
{
	return UINT32_C(1) << size_min(size_max(ashift, SLOT_SHIFT_MIN), SLOT_SHIFT_MAX);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ZFS: four labels of 256 KiB on a device, two in front and two at the end. Each has a name-value list with the
 * pool and the part of its vdev tree that the device is in, and a ring of uberblocks, the newest of which is
 * where the pool stands. Words are in the order of the machine that wrote them; sums are SHA-256.
 *
 * Source: ZFS On-Disk Specification (2006), chapters 1 and 2; OpenZFS include/sys/vdev_impl.h, uberblock_impl.h
 * and fs/zfs.h for the names.
 */
#ifndef PG_FORMATS_ZFS_H
#define PG_FORMATS_ZFS_H

#include "formats/nvlist.h"
#include "formats/other.h"

#define ZFS_LABEL_SIZE (256u << 10)
#define ZFS_LABELS 4u
#define ZFS_LIST_OFFSET (16u << 10) /* in a label */
#define ZFS_LIST_SIZE (112u << 10)
#define ZFS_RING_OFFSET (128u << 10)
#define ZFS_RING_SIZE (128u << 10)
#define ZFS_SUM_SIZE 40u /* at the end of the list and of every uberblock: magic, four words */
#define ZFS_UBERBLOCK_MAGIC UINT64_C(0x00bab10c)
#define ZFS_SUM_MAGIC UINT64_C(0x0210da7ab10c7a11)

struct zfs_uberblock {
	uint64_t version, txg, guid_sum, time, software_version;
	bool big_endian;
};

/* Where label `which` begins; false on a device that is too small. */
bool zfs_label_place(uint64_t *offset_out, uint32_t which, uint64_t device_size);

/* Is the sum at the end of `size` bytes right, which lie at `offset` of the device? */
bool zfs_sum_is_right(const uint8_t *bytes, size_t size, uint64_t offset);
/* The four words of it, as numbers; `big_endian` as the writer was. */
void zfs_sum_of(uint64_t words_out[static 4], const uint8_t *bytes, size_t size, uint64_t offset,
		bool big_endian);

/* Returns 0 or ERR_NOT_MEMBER. `bytes` are at least 256. */
int zfs_uberblock_decode(struct zfs_uberblock *uberblock_out, const uint8_t *bytes,
			 struct err *err) MUST_CHECK;

/* Bytes of a slot of the ring, for sectors of 2^ashift. */
uint32_t zfs_slot_size(uint64_t ashift);

extern const struct other_format zfs_format;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What else is on this file or device: file systems, partition tables, RAID and LVM members, by libblkid.
 * Read-only. Everything found is listed, not only the likeliest.
 */
#ifndef PG_FORMATS_BLKID_H
#define PG_FORMATS_BLKID_H

#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FOUND_DETAILS_MAX 16u
#define FOUND_MAX 32u /* signatures on one device; libblkid knows about 70 formats in all */

struct found_detail {
	char name[32];
	char value[256];
};

/* One signature. Texts come from the disk: escape before showing (out_* does). "" when not there. */
struct found {
	char type[64];   /* ext4, linux_raid_member, dos, … */
	uint64_t offset; /* bytes, of the magic */
	char uuid[64];
	char name[256]; /* label */
	uint32_t detail_count;
	struct found_detail details[FOUND_DETAILS_MAX];
};

struct found_list {
	struct found *at; /* released by found_list_reset() */
	size_t count;
};

/* Probe `path`. Returns 0, also with nothing found; ERR_NOT_FOUND, ERR_ACCESS, ERR_KIND, ERR_IO, ERR_NOMEM. */
int blkid_find(struct found_list *list_out, const char *path, struct err *err) MUST_CHECK;
void found_list_reset(struct found_list *list);

#endif

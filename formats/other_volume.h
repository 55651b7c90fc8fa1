/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume inside a container of disks (DDF, Intel Matrix), in the words of Linux MD: shape, and for each slot
 * which disk of the container holds it and from where on. What a volume has besides is its format's.
 */
#ifndef PG_FORMATS_OTHER_VOLUME_H
#define PG_FORMATS_OTHER_VOLUME_H

#include "formats/fact_tree.h"
#include "formats/md_shape.h"
#include "formats/other.h"

#define VOLUME_SLOTS_MAX 4096u

struct other_slot {
	char member[OTHER_ID_SIZE]; /* id of the disk; "": none */
	uint64_t first_sector;      /* of its data, in units of 512 bytes */
	uint64_t sectors;           /* of its data */
	bool missing;               /* by the record, what is there does not count */
};

struct other_volume {
	char name[32];
	uint32_t number;  /* in the container's list, which all its disks have */
	bool name_shared; /* with another one in that list */
	char uuid[OTHER_ID_SIZE];
	struct md_shape shape; /* component_sectors: as MD would use them */
	const char *unfit;     /* why it cannot be read by its shape; NULL: it can */
	uint64_t array_sectors;
	bool dirty;               /* not stopped in order: parity or copies may be out of step */
	struct other_slot *slots; /* shape.raid_disks of them; owned */
};

/* Facts of a row: those that all volumes have. `member` is the id of this disk; "": not known. */
void other_volume_print(struct fact_tree *facts, const struct other_volume *volume,
			const char *member);

/* Slots whose data count, by the record. */
uint32_t other_volume_working(const struct other_volume *volume);

/* "raid5 of 4, 24.0 MiB" for sentences; degraded: "raid5 of 4 (1 missing), …". */
void other_volume_text(char *out, size_t out_size, const struct other_volume *volume);

void other_volumes_free(struct other_volume *volumes, uint32_t count);

#endif

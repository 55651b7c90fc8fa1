/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening, the part that deals with commits that nobody can read any more: halves of superblocks. */
#ifndef PG_ARRAY_OPEN_FORGOTTEN_H
#define PG_ARRAY_OPEN_FORGOTTEN_H

#include "core/array/array_internal.h"
#include "core/array/probe.h"

/* What is known while opening. */
struct opening {
	const struct array_open_request *request;
	struct probe *probes; /* per device */
	bool *broken;         /* per device: its copy of the map was read and does not verify */
	struct dev *devs[MEMBERS_MAX + 1]; /* those that say whose member they are */
	uint32_t dev_count;
	struct dev *silent[MEMBERS_MAX + 1]; /* the others */
	uint32_t silent_count;
	uint32_t newest; /* device that holds the commit that was chosen */
};

/* The member whose superblock this is; NULL when the map has none. */
const struct member *open_member_of(const struct map *map, const struct super *super);

/* Was it among those? `map` is that of the commit, as a slot may be another member's since. */
bool open_took_part(const struct map *map, struct member_set present, const struct super *witness);

/*
 * A member that took part in the commit, but where it should have that superblock has half of another one's, of the
 * same number, or an older one under a half. No number is given twice once it was seen: so nobody was told of it.
 */
const struct half_super *open_half_of_another(const struct opening *opening, const struct map *map,
					      const struct forgotten *commit,
					      const struct probe *probe);

/*
 * The newest superblock of a member is damaged, and nobody is here to say that it was never acknowledged. So it
 * may have begun an epoch without members that are here now and look as if they knew all: whatever was written
 * then they missed, and their old blocks verify. They are rebuilt like any that was away.
 */
int open_mind_forgotten(struct array *array, const struct opening *opening, uint32_t device,
			struct err *err) MUST_CHECK;

#endif

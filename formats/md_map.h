/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A Linux MD array as a map of the core: who stands in which slot, and the same groups and spans that native
 * arrays have, over the places where MD keeps their bytes (docs/FOREIGN.md).
 *
 *	md_seats_choose()	of the members that were compared, one for each slot, and how much of it counts
 *	md_map_make()		the map; slots without a member are members of it that are absent
 *
 * Slots are the map's member numbers. All levels; while an array is being reshaped both shapes, each on its side of
 * the position. Pure.
 *
 * Sources: Linux drivers/md (raid0.c create_strip_zones and map_sector, raid10.c calc_sectors, raid5.c on reshape),
 * md(4); parity and copies are core/map/rule.h's.
 */
#ifndef PG_FORMATS_MD_MAP_H
#define PG_FORMATS_MD_MAP_H

#include "core/map/map.h"
#include "formats/md_set.h"

#define MD_VOLUME_NAME "data" /* of an array that has no name */

struct md_seat {
	const struct md_set_member *entry; /* NULL: nobody; borrowed */
	uint64_t counts_sectors;           /* of its data; MD_MEMBER_NONE: all */
	bool blank; /* there is a device, nothing of which counts: it is to be rebuilt */
};
struct md_seats {
	struct md_seat at[MEMBERS_MAX];
	uint32_t count; /* slots */
	/* Stale members that were asked for: their slot. */
	struct member_set stale;
};

/*
 * The current member of each slot; else one that is being filled, as far as it is; else a stale one, where `accept`,
 * may be NULL, says so. Returns 0 or ERR_LIMIT, ERR_FORMAT when no superblock is sound.
 */
int md_seats_choose(struct md_seats *seats_out, const struct md_set *set,
		    bool (*accept)(void *arg, const struct md_set_member *stale), void *arg,
		    struct err *err) MUST_CHECK;

/*
 * Returns 0, ERR_LIMIT for more members than can be, ERR_TOO_FEW where the size of an absent member is needed,
 * ERR_UNSUPPORTED for a level that has no places, ERR_FORMAT for places that are none, ERR_NOMEM.
 */
int md_map_make(struct map **map_out, const struct md_set *set, const struct md_seats *seats,
		struct err *err) MUST_CHECK;

/*
 * The two parts of it, for a map of several volumes: a member for each slot; and the groups and spans of one array as
 * the volume that `foreign` is at, whose slot i is the map's member `numbers[i]`, NULL: i. In a map with numbers a
 * slot where nobody stands holds nothing that counts, whether the member is there or not.
 */
struct foreign;
int md_map_add_members(struct foreign *foreign, const struct md_set *set,
		       const struct md_seats *seats, struct err *err) MUST_CHECK;
int md_map_add_volume(struct foreign *foreign, const struct md_set *set,
		      const struct md_seats *seats, const uint32_t *numbers,
		      struct err *err) MUST_CHECK;

/* The rule of raid4, 5, 6 and 10. Returns 0, ERR_UNSUPPORTED or what rule_check() says. */
struct rule;
int md_rule_of(struct rule *rule_out, const struct md_shape *shape, struct err *err) MUST_CHECK;

/* The name of the array without that of the host; MD_VOLUME_NAME where it has none that can be one. */
void md_map_name(char name_out[static NAME_SIZE], const struct md_member *member);

#endif

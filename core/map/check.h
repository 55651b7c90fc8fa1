/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Check: every rule that a map must keep (FAULTS 4.4, I7; SPEC R11, R33). Run on each map that comes from
 * a disk, whatever its checksums say: a CRC is no proof of good will.
 *
 * Linear in the size of the map, but for sorting the names of volumes.
 */
#ifndef PG_MAP_CHECK_H
#define PG_MAP_CHECK_H

#include "core/map/map.h"

/* Returns 0, or ERR_FORMAT with a text that names the object and the rule, or ERR_NOMEM. */
int map_check(const struct map *map, struct err *err) MUST_CHECK;

/*
 * The rules of every group and volume that changed since the last commit, of the ids and of who uses what: run before a
 * commit is written, so that no mistake of this program makes a map that it then refuses to open.
 */
int map_check_edits(const struct map *map, struct err *err) MUST_CHECK;

/*
 * Groups that no volume uses. They break no rule, but hold space for nothing. The map has passed
 * map_check(). Returns 0 or ERR_NOMEM.
 */
int map_find_unclaimed(const struct map *map, void (*found)(void *arg, const struct group *group),
		       void *arg, struct err *err) MUST_CHECK;

/* Frames that add up, of a size that arithmetic can bear. For whoever has a geometry but no map. */
int map_check_geometry(const struct geometry *geometry, struct err *err) MUST_CHECK;

/* The rules of one group, and of one volume, that is in the map; what they share with others is left out. */
int map_check_group(const struct map *map, const struct group *group, struct err *err) MUST_CHECK;
int map_check_volume(const struct map *map, const struct volume *volume,
		     struct err *err) MUST_CHECK;

#endif

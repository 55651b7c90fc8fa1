/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The map of a container of DDF or Intel Matrix: one member for each disk, one volume for each of the container's. Each
 * volume lies as an array of Linux MD of its shape does (md_map.h), with slots, disks that count and health of its own.
 * Pure.
 */
#ifndef PG_FORMATS_CONTAINER_MAP_H
#define PG_FORMATS_CONTAINER_MAP_H

#include "formats/md_map.h"
#include "formats/md_probe.h"

/* What the map is made of: borrowed. */
struct container {
	const struct md_set *set;             /* of disks (MD_CONTAINER) */
	const struct md_seats *seats;         /* those whose records count */
	const struct md_found *const *founds; /* by the devices of the set */
	/* Told of each volume that is left out; `arg` is its first argument. */
	void (*left_out)(void *arg, const char *volume, const char *why);
	void *arg;
};

/*
 * Members are the disks by their numbers; behind them stand those that a volume lacks and that no record names. Returns as
 * md_map_make(), or ERR_UNSUPPORTED where no volume can be read.
 */
int container_map_make(struct map **map_out, const struct container *container,
		       struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Zones of a member: first copies at its fast end, further copies at its slow end (docs/GROW.md section 4). Low
 * frames are taken as the fast ones, as on a spinning disk; elsewhere there is no difference. Of a member that was
 * measured (core/job/measure.h) and has one the fastest part comes first, or the slowest where high frames would;
 * static zones are bounds and stay.
 *
 *	off		first copies and all else from low frames on, further copies from high ones
 *	dynamic		the same, and what is unmirrored from high frames too: they grow until they meet
 *	static		bounds that the map keeps for good: first copies below zone_second, further copies below
 *			zone_third, unmirrored data from there on; parity and sequential below zone_third
 */
#ifndef PG_MAP_ZONES_H
#define PG_MAP_ZONES_H

#include "core/map/places.h"

enum zone {
	ZONE_FIRST,
	ZONE_SECOND, /* copies of mirrors */
	ZONE_THIRD,  /* unmirrored */
	ZONE_ANY,    /* parity and sequential: the first two */
};

/* Where a column of such a group belongs; `first`: it is a mirror's first copy. */
enum zone zone_of(enum layout layout, bool first);

/* Take a free run on a member, in that zone; false when there is none. */
bool zone_take(const struct places *places, enum zone zone, uint32_t slot, uint8_t size_class,
	       uint32_t *frame_out);
/* The same for this very run. */
bool zone_take_at(const struct places *places, enum zone zone, uint32_t slot, uint8_t size_class,
		  uint32_t frame);

/*
 * Is there a difference worth a choice between the parts of a measured member? A quarter of the slowest, which is no
 * faster than spinning disks are: beyond that it is caches and holes in files that differ, not places.
 */
#define ZONE_RATE_MAX (UINT32_C(1) << 20) /* KiB a second */
bool zone_rates_differ(const uint32_t rates[static ZONE_RATES]);
/* The frames of part `part` of so many: begin..end-1. */
struct zone_part {
	uint64_t begin, end;
};
struct zone_part zone_part(uint64_t frames, uint32_t part);

/* Free frames of a member in a zone. */
uint64_t zone_room(const struct places *places, enum zone zone, uint32_t slot);

/* Frames of a member that groups of the policy can have, of all and of those that are free. */
uint64_t zone_total(const struct places *places, const struct policy *policy, uint32_t slot);
uint64_t zone_free(const struct places *places, const struct policy *policy, uint32_t slot);
/* The same of a member that is to come. `zones` is the policy of the array. */
uint64_t zone_frames(const struct policy *zones, const struct policy *policy, uint64_t frames);

/* Bounds for an array of that policy, where it has static zones. */
void zones_set(struct policy *policy);

#endif

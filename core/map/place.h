/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Placement: on which members a new group goes. Pure.
 *
 * The bounds are those of SPEC 4.2 (tests/unit/test_place.c holds them against exhaustive search, also
 * for more than one check): with c_i free frames a member, groups of width w: the most B with sum of min(c_i, B) >= w*B; widths up to W and p checks:
 * the most data frames is max over B of min(W*B, sum of min(c_i, B)) - p*B.
 *
 * With failure domains the c_i are those of whole domains: each counts as one member.
 *
 * Members are chosen for equal *use* (least used fraction first) as long as that costs no capacity by
 * these bounds, else by most free frames, which always attains them.
 */
#ifndef PG_MAP_PLACE_H
#define PG_MAP_PLACE_H

#include "core/map/map.h"

struct place_member {
	uint32_t slot;
	uint64_t free;      /* frames */
	uint64_t total;     /* frames */
	const char *domain; /* no two columns share it; NULL: a domain of its own */
	const char *wider[ACROSS_KEYS_MAX - 1]; /* labels that are not shared where that can be */
};

struct place_request {
	const struct place_member *members;
	uint32_t member_count;
	uint32_t width;     /* wanted columns */
	uint32_t width_min; /* narrower is of no use: checks + 1, or the same as width */
	uint32_t checks;
	uint64_t frames; /* that each column takes */
	uint32_t wider;  /* so many of the wider labels shall not be shared either */
};

/* Most groups of exactly `width` columns. */
uint64_t place_groups_bound(const uint64_t *free, uint32_t count, uint32_t width);

/* Most data frames with groups of at most `width` columns, `checks` of them no data. */
uint64_t place_data_bound(const uint64_t *free, uint32_t count, uint32_t width, uint32_t checks);

/*
 * Choose members. slots_out gets them in ascending slot order; returns how many: `width`, or fewer
 * but at least width_min when no more have room, or 0 when not even that.
 */
uint32_t place_choose(const struct place_request *request, uint32_t *slots_out);

/* Columns of a group when the policy leaves it open: the widest that leaves room to re-protect. */
uint32_t place_default_width(enum layout layout, uint32_t checks, uint32_t member_count);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Placing: groups and spans of an array of another maker, from its rule and where its members' data begin
 * (docs/FOREIGN.md, section 1). Whoever reads such a format says which bytes of the array lie how, in the order
 * of addresses; this makes the classes, and cuts where something changes:
 *
 *	placing_rule()		what turns from chunk to chunk: parity of RAID-4, 5 and 6, copies of RAID-10
 *	placing_mirror()	the same bytes on all
 *	placing_stripes()	chunk after chunk over members, each in a row: a zone of RAID-0
 *	placing_plain()		one member, in a row
 *
 * A member whose data count only up to an offset (a rebuild that has not ended) is an erasure behind it: groups
 * are cut there. Pure.
 */
#ifndef PG_FORMATS_PLACING_H
#define PG_FORMATS_PLACING_H

#include "core/map/foreign.h"
#include "core/map/rule.h"

#define PLACING_ALL UINT64_MAX

struct placing_seat {
	bool present;    /* of more copies than a group can have those are taken */
	uint64_t origin; /* byte of the member where its data begin, a multiple of 512 */
	uint64_t counts; /* bytes of its data, from `origin` on, that count; PLACING_ALL */
};

struct placing {
	struct foreign *foreign;
	const struct placing_seat *seats; /* by slot; positions of a rule are slots */
	uint32_t seat_count;
	const uint32_t *numbers; /* by slot: which member of the map it is; NULL: the same */
};

/*
 * Bytes `from` to `to` of an array that lies by `rule` from its byte 0 on; both are multiples of BLOCK_SIZE. Of the
 * units at the ends, what is within. Returns 0, ERR_LIMIT, ERR_FORMAT or ERR_NOMEM, as all below.
 */
int placing_rule(const struct placing *placing, const struct rule *rule, uint64_t from, uint64_t to,
		 struct err *err) MUST_CHECK;

/* Bytes `from` to `to` of what every member of `slots` has from its origin on; `from` is a multiple of BLOCK_SIZE. */
int placing_mirror(const struct placing *placing, const uint32_t *slots, uint32_t count,
		   uint64_t from, uint64_t to, struct err *err) MUST_CHECK;

/* `units` chunks on each member of `slots`, from byte `at` of its data on, one after the other. */
int placing_stripes(const struct placing *placing, const uint32_t *slots, uint32_t count,
		    uint64_t at, uint64_t units, uint32_t unit_blocks, struct err *err) MUST_CHECK;

/* `length` bytes of one member, from byte `at` of its data on. */
int placing_plain(const struct placing *placing, uint32_t slot, uint64_t at, uint64_t length,
		  struct err *err) MUST_CHECK;

#endif

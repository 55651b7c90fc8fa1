/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules: where the columns of a group lie whose place turns from chunk to chunk, as in arrays of other makers
 * (docs/FOREIGN.md). A column is what the code means: data 0..k-1, then the checks, or the copies of a mirror.
 * A position is one of the members of the group, in the order of the array.
 *
 * Chunk s of a column is its blocks s * unit .. s * unit + unit - 1.
 *
 *	turned parity	RAID-4, 5 and 6: the same blocks of all members are a row, and who has the checks depends on s
 *	copies		RAID-10: copies of one chunk after the other in the order of all places, row by row; the same
 *			again, turned, in other parts of the members (far) or in the rows below (offset)
 *
 * Sources: the orders of drivers/md/raid5.c (raid5_compute_sector), the syndrome's order there
 * (set_syndrome_sources), and drivers/md/raid10.c (__raid10_find_phys), as md(4) describes them.
 *
 * Pure: no I/O, no memory.
 */
#ifndef PG_MAP_RULE_H
#define PG_MAP_RULE_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define RULE_MEMBERS_MAX 64u

enum parity_order {
	ORDER_LEFT_ASYMMETRIC,
	ORDER_RIGHT_ASYMMETRIC,
	ORDER_LEFT_SYMMETRIC,
	ORDER_RIGHT_SYMMETRIC,
	ORDER_PARITY_FIRST,
	ORDER_PARITY_LAST, /* also RAID-4 */
	/* RAID-6 only, from here on */
	ORDER_DDF_ZERO_RESTART,
	ORDER_DDF_N_RESTART,
	ORDER_DDF_N_CONTINUE,
	ORDER_LEFT_ASYMMETRIC_6, /* a RAID-5 with Q on the last member */
	ORDER_RIGHT_ASYMMETRIC_6,
	ORDER_LEFT_SYMMETRIC_6,
	ORDER_RIGHT_SYMMETRIC_6,
	ORDER_PARITY_FIRST_6,
	ORDER_COUNT
};
/* As mdadm calls them. */
const char *parity_order_name(enum parity_order order);
/* The order of that name; ORDER_COUNT: there is none. */
enum parity_order parity_order_named(const char *name);

enum rule_kind { RULE_TURNED_PARITY, RULE_COPIES };

struct rule {
	enum rule_kind kind;
	uint32_t unit_blocks; /* of a chunk */
	uint32_t members;
	/* turned parity */
	enum parity_order order;
	uint32_t checks; /* 1 or 2 */
	/* copies */
	uint32_t near, far;        /* near * far copies of each chunk */
	bool offset;               /* the far ones in the rows below */
	uint32_t far_set;          /* members within which far copies turn */
	uint64_t far_stride_units; /* chunks between far copies; offset: 1 */
};

/* Returns 0; ERR_LIMIT, where the numbers do not fit each other or are out of bounds. */
int rule_check(const struct rule *rule, struct err *err) MUST_CHECK;

/* Columns of the group: all members, or the copies. */
uint32_t rule_columns(const struct rule *rule);

struct rule_place {
	uint32_t position; /* which member */
	uint64_t block;    /* of its data */
	uint32_t run;      /* so many blocks from there on lie behind each other */
};
/* Where block `block` of a column lies; the rule passes rule_check(). */
struct rule_place rule_place(const struct rule *rule, uint32_t column, uint64_t block);

/*
 * RAID-6: the exponent of the generator with which data column `column` stands in Q, in chunk `unit`: members are
 * counted from the one behind Q on; in DDF's orders from the first one, those with P and Q as well.
 */
uint32_t rule_exponent(const struct rule *rule, uint32_t column, uint64_t unit);

#endif

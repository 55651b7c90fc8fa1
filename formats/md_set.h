/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Members of Linux MD that were found on several devices, compared: which belong to one array, which of
 * them are current, what is missing, and whether it can be read. Pure.
 *
 * The count of events tells who missed changes: a superblock that is more than one behind the newest of its
 * array is stale (a stop may be written to some members only, which makes one). So is one that is a single
 * event behind, where the newest superblock says that its slot is empty: it failed just then. A spare has
 * nothing to miss. Of equally new superblocks that describe different arrays those count that most members have.
 *
 * Source: Linux Documentation/admin-guide/md.rst; md(4) and mdadm(8), "--assemble".
 */
#ifndef PG_FORMATS_MD_SET_H
#define PG_FORMATS_MD_SET_H

#include "formats/md_member.h"

#define MD_SET_EVENTS_BEHIND 1u /* so far behind is still current */

enum md_verdict {
	MD_VERDICT_CURRENT,    /* its slot's data, as new as the array */
	MD_VERDICT_RECOVERING, /* current, but only up to its recovery offset */
	MD_VERDICT_SPARE,
	MD_VERDICT_JOURNAL,
	MD_VERDICT_STALE,
	MD_VERDICT_FAULTY,  /* says of itself that it failed */
	MD_VERDICT_DAMAGED, /* its superblock has faults */
	MD_VERDICT_DUPLICATE, /* another current member has its slot, or it is the same device again */
	MD_VERDICT_DIFFERENT, /* as new, but of another shape */
};

/* One superblock on one device, as the caller has it. */
struct md_set_input {
	const struct md_member *member; /* borrowed for as long as the set */
	uint32_t device;                /* which of the caller's devices */
};

struct md_set_member {
	const struct md_member *member; /* borrowed */
	uint32_t device;
	enum md_verdict verdict;
	uint64_t events_behind; /* of the newest */
};

enum md_health { MD_HEALTHY, MD_DEGRADED, MD_BROKEN };

/* One array. */
struct md_set {
	struct md_set_member *members; /* in the order given; owned */
	uint32_t member_count;
	const struct md_member *newest; /* whose superblock counts; NULL when all are damaged */
	uint32_t slot_count;
	bool *present;     /* slot_count: a current member holds it; owned */
	uint32_t degraded; /* slots without a current member */
	enum md_health health;
	bool array_bytes_known; /* needs all members for linear and raid0 */
	uint64_t array_bytes;
};

struct md_sets {
	struct md_set *at; /* owned */
	uint32_t count;
};

/* Returns 0 or ERR_NOMEM. */
int md_sets_compare(struct md_sets *sets_out, const struct md_set_input *inputs, uint32_t count,
		    struct err *err) MUST_CHECK;
void md_sets_reset(struct md_sets *sets);

const char *md_verdict_name(enum md_verdict verdict);
const char *md_health_name(enum md_health health);

#endif

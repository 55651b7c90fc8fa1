/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Salvage: the blocks of a volume that a read gave up, once more and sector by sector; and, for those that remain lost, which
 * sectors of which members would have to be read to have them.
 *
 * A row is solved for each of its sectors by itself (core/array/row_sectors.h), so that members whose blocks are bad in
 * different sectors help each other. Where a sector stays lost, those sectors are wanted that
 *
 *	- cannot be read now, and of which the caller has hope;
 *	- with the best hope that suffices: no sector of a worse one is asked for where the better ones are enough;
 *	- are in one of the smallest sets that, read, would give every sector that any reading can give.
 *
 * So of p + 1 unreadable members of a row with p checks each one is named, as any of them will do; what the checks already
 * cover is not. Seals count as well: a block whose entry page cannot be read needs that page.
 *
 * Promises, each tested under its name in tests/unit/test_salvage.c:
 *	sectors	what is got is right, and all that the equations give, sector by sector
 *	enough	reading what is wanted makes everything got that any reading could
 *	needed	each wanted sector is of a smallest set; without one of them in such a set something stays lost
 */
#ifndef PG_JOB_SALVAGE_H
#define PG_JOB_SALVAGE_H

#include "core/array/array.h"
#include "core/job/job.h"
#include "core/job/salvage_want.h"

#define SALVAGE_SECTOR 512u

struct salvage_range {
	uint64_t offset; /* bytes of the volume */
	uint64_t length; /* above 0 */
};

struct salvage_request {
	const char *volume;
	const struct salvage_range *ranges; /* ascending */
	size_t range_count;
	/* Bytes of a range that are known after all; at most a block, in order. Returns 0 or an ERR_ code. */
	int (*got)(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err);
	/*
	 * What hope there is to read the sector at byte `place` of a member: 0 none, it was read or the member is not there;
	 * else 1 to SALVAGE_HOPES. May be NULL, with `want`.
	 */
	uint32_t (*hope)(void *arg, uint32_t slot, uint64_t place);
	/* A sector that is wanted; maybe more than once. Returns 0 or an ERR_ code. */
	int (*want)(void *arg, uint32_t slot, uint64_t place, struct err *err);
	void *arg;
	struct job_watch watch;
};

struct salvage_report {
	uint64_t got;  /* bytes */
	uint64_t lost; /* bytes of the ranges that stay so */
};

/* Returns 0, ERR_STOPPED, ERR_NOMEM, ERR_NOT_FOUND, or what a callback says. */
int salvage_run(struct array *array, const struct salvage_request *request,
		struct salvage_report *report_out, struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What must hold of the disks as they are after a crash: the invariants of the simulator.
 *
 *	always		the array opens (recovering), every volume is one that may be there, every
 *			byte is allowed (I1, I2, I3), in a bounded number of operations (I12)
 *	with liars	the same after a scrub, which is what finds writes that a disk lost; what is there is
 *			right, but it may be reported lost, or the array not be opened (FAULTS A13)
 *	now and then	recovery again changes no byte (I6); an opening for reading writes nothing (I15);
 *			metadata and scrub find nothing (I7, I11); the array takes a commit, and the members
 *			that were away then come back (M4, I5); a job that was cut off is finished (I9)
 */
#ifndef PG_TESTS_SIM_CHECK_H
#define PG_TESTS_SIM_CHECK_H

#include "tests/sim/rig.h"

/* Which of the checks that are made now and then. */
enum check_more {
	MORE_AGAIN = 1,
	MORE_READ_ONLY = 2,
	MORE_SCRUB = 4,
	MORE_COMMIT = 8,
	MORE_RESUME = 16, /* a job that was cut off is gone on with */
};

struct check {
	struct run *run;
	uint32_t acked;   /* steps */
	bool in_step;     /* the next one may be done as well */
	size_t moment;    /* for in-place writes: events before the crash */
	uint32_t missing; /* disks, a bit each */
	uint32_t lost;    /* those that were lost with the crash, back or not */
	uint32_t liars;   /* those whose flushes did nothing */
	bool beyond; /* more is missing than the code survives: nothing may be wrong, all may be lost */
	unsigned more;
};

extern bool check_verbose; /* say what is checked, for replays */

/* Leaves the media as they were. */
bool check_media(const struct check *check, struct wrong *wrong);

/*
 * The same of the media as the run left them, without a power loss. `also_spent`: so many losses more than the
 * steps know of; `faulty`: disks that failed in the run, a bit each.
 */
bool check_end(struct run *run, uint32_t also_spent, uint32_t faulty, struct choice *choice,
	       struct wrong *wrong);

/* Were members lost with the crash while a write without content was under way, whose rows go with them? */
bool check_may_lose_rows(const struct check *check);

/* Which disks may be missing: all sets within what is left of the code's tolerance. */
uint32_t check_losses(const struct run *run, uint32_t acked, bool in_step,
		      uint32_t losses_out[static 256]);

#endif

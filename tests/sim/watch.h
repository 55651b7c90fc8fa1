/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What must hold of a recording by itself, without any crash:
 *
 *	in place	a block or seal page that somebody may read is only written over when a durable record of
 *			the log names it, or when it does not verify (a repair): I4, I8
 *	superblocks	generation and epoch of a member never fall (I5)
 *	twice		the same seed gives the same recording, byte for byte (I13)
 *
 * "Somebody may read" is what an array would say that is opened from what is durable at that moment.
 */
#ifndef PG_TESTS_SIM_WATCH_H
#define PG_TESTS_SIM_WATCH_H

#include "tests/sim/rig.h"

/*
 * The media are as they were when the recording began, and are left so. `missing`: disks that were not
 * there. False with `wrong` set when something does not hold.
 */
bool watch_recording(struct run *run, const struct recording *recording, uint32_t missing,
		     struct wrong *wrong);

/* Equal for equal recordings. */
uint64_t watch_hash(const struct recording *recording);

#endif

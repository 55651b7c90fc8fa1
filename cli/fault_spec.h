/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * --fault SPEC: what fails while one command runs. Nothing of it is kept; what it does to the members
 * stays, as with a disk that failed.
 *
 *	KIND[,member=SLOT][,at=N][,count=N][,range=FIRST-END][,shift=SIZE][,delay=MS][,seed=N][,torn]
 *
 * The N-th operation that the kind fits fails, and count - 1 after it; both are 1 unless given, count 0 is
 * for ever. Operations count for each member by itself, but for crash and power-cut, whose N is of all
 * writes and flushes of all members together.
 */
#ifndef PG_CLI_FAULT_SPEC_H
#define PG_CLI_FAULT_SPEC_H

#include "cli/command.h"
#include "core/dev/devices.h"

struct fault_set; /* opaque: the faults of one command line */

/* The words of SPEC's KIND, for help and man page; NULL at the end. */
extern const char *const fault_spec_words[];

/* Parse all SPECs: ERR_USAGE says what is wrong with which. NULL in *set_out when there are none. */
int fault_set_create(struct fault_set **set_out, const struct text_list *specs, struct env *env,
		     struct err *err) MUST_CHECK;
void fault_set_free(struct fault_set *set); /* after all devices; NULL is allowed */

/*
 * Put the faults of member `slot` (MEMBER_NONE: it has no number yet) on top of `below`; *dev_out is
 * `below` itself when there are none. On failure `below` is still the caller's. `set` may be NULL.
 */
int fault_set_wrap(struct dev **dev_out, struct dev *below, struct fault_set *set, uint32_t slot,
		   struct err *err) MUST_CHECK;

#endif

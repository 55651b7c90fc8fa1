/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Excuses: where an array that is refused is rightly refused, although no more was lost than the code survives. Each
 * names what else must hold then; nothing else is forgiven.
 */
#ifndef PG_TESTS_SIM_EXCUSE_H
#define PG_TESTS_SIM_EXCUSE_H

#include "tests/sim/check.h"

/* `rc`: what opening for writing returned. */
bool excuse_too_few(const struct check *check, int rc);
bool excuse_fork(const struct check *check, int rc);
bool excuse_nobody(const struct check *check, int rc);

/* The same check, without the disks that are rightly taken for branches. */
struct check excuse_lone_branches(const struct check *check);

#endif

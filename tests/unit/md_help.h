/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of Linux MD share: superblocks without faults, for a device of MD_HELP_SECTORS. */
#ifndef PG_TESTS_MD_HELP_H
#define PG_TESTS_MD_HELP_H

#include "formats/md_member.h"

#define MD_HELP_SECTORS UINT64_C(32768) /* 16 MiB */
#define MD_HELP_DISKS 4u

/* A raid5 of four, this one in slot `slot`; as 1.2 with data from 1 MiB on, and as 0.90. */
struct md1 md1_sample(uint32_t slot);
struct md0 md0_sample(uint32_t slot, bool big_endian);

/* Encoded and decoded again, so that the sum is right; and as a member. */
void md1_finish(struct md1 *super);
void md0_finish(struct md0 *super);
struct md_member md1_member(struct md1 *super);
uint64_t md0_sector(void);

#endif

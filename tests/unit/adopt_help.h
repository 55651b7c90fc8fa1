/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of adopted arrays share: an array as other software lays it out, on a rack of disks, some of them empty. */
#ifndef PG_TESTS_ADOPT_HELP_H
#define PG_TESTS_ADOPT_HELP_H

#include "core/array/adopt.h"
#include "tests/unit/array_help.h"
#include "tests/unit/foreign_help.h"

#define ADOPT_ORIGIN (UINT64_C(1) << 20)
#define ADOPT_RECORD 8192u

struct yard {
	struct rack rack;
	struct bare_rack bare; /* what the array was filled with */
	uint32_t marks;        /* times that the mark was asked for */
	int mark_fails;
};

/* Disks with such an array, and `added` empty ones with 4 MiB more behind. */
void yard_open(struct yard *yard, struct env *env, const struct bare *bare, uint32_t added);
void yard_close(struct yard *yard);
/* Request for all members, with devices of the rack. */
void yard_request(struct yard *yard, struct array_adopt_request *request);
/* Adopt it; devices that stay the caller's are closed. */
int yard_adopt(struct yard *yard, struct array **array_out, struct err *err) MUST_CHECK;
/* The same, committed, with the added disks as members; the test fails where it does. */
struct array *yard_array(struct yard *yard);
/* The volume reads as what it was filled with. */
void yard_compare(const struct yard *yard, struct array *array, const char *what);

#endif

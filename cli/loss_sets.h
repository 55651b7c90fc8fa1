/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be lost together, members or whole failure domains, and what that would cost; for survive and ok-to-fail. */
#ifndef PG_CLI_LOSS_SETS_H
#define PG_CLI_LOSS_SETS_H

#include "cli/output.h"
#include "core/array/array.h"
#include "core/map/survive.h"

/* One thing that fails as a whole. */
struct loss_unit {
	struct member_set members;
	const char *label; /* value of the label; NULL: a single member */
};
struct loss_units {
	uint32_t count;
	struct loss_unit at[MEMBERS_MAX];
};

/*
 * Members that can be read now, each for itself; with `key` one for each value of that label, and each member
 * without it for itself. Returns 0, or ERR_NOT_FOUND when no member has the label.
 */
int loss_units_collect(struct loss_units *units_out, const struct array *array, const char *key,
		       struct err *err) MUST_CHECK;

/* For survive_create(), with the array as `arg`. */
bool loss_extent_usable(const void *arg, const struct extent *extent);

/* The list "losses": begin, one row for each set, end. */
void loss_rows_begin(struct out *out);
struct loss_set {
	struct member_set members;
	uint32_t label_count;
	const char *labels[MEMBERS_MAX]; /* of the domains that are in it */
};
int loss_row(enum survive_verdict *verdict_out, struct out *out, const struct survive *survive,
	     const struct loss_set *set, struct err *err) MUST_CHECK;
void loss_rows_end(struct out *out);

#endif

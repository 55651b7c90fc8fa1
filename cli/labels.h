/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The values of --label: which member gets which labels. Pure. */
#ifndef PG_CLI_LABELS_H
#define PG_CLI_LABELS_H

#include "core/array/array.h"

struct label_table {
	uint32_t counts[MEMBERS_MAX];
	struct label labels[MEMBERS_MAX][LABELS_MAX];
	const struct label *rows[MEMBERS_MAX]; /* filled by label_table_rows() */
};

/* The labels of one member. */
struct label_set {
	uint32_t count;
	struct label at[LABELS_MAX];
};

/* KEY=VALUE sets, KEY= takes away. Returns 0, ERR_USAGE, ERR_NAME or ERR_LIMIT. */
int label_set_change(struct label_set *labels, const char *text, struct err *err) MUST_CHECK;

/*
 * Add what "MEMBER:KEY=VALUE,KEY=VALUE" says. MEMBER is the path or the number of one of `paths`. A key
 * given again gets the new value. Returns 0, ERR_USAGE, ERR_NOT_FOUND, ERR_NAME or ERR_LIMIT.
 */
int label_table_add(struct label_table *table, const char *const *paths, uint32_t path_count,
		    const char *text, struct err *err) MUST_CHECK;

/* One key of a label, or a tree of up to ACROSS_KEYS_MAX, as "node,power"? Returns 0, ERR_NAME, ERR_LIMIT. */
int label_across_check(const char *key, struct err *err) MUST_CHECK;

/* Per member its labels, as array_create() takes them; borrowed from the table. */
const struct label *const *label_table_rows(struct label_table *table);

#endif

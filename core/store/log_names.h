/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The names in one log record, to answer quickly whether it covers some rows: then their writer need not
 * wait for another record. Only names without content are kept: a record with content would put that
 * content back over what the writer writes.
 *
 * An entry is found by its first slice; so rows that lie in the middle of an entry count as not covered,
 * which costs a record and never safety. Pure memory, no locks.
 */
#ifndef PG_STORE_LOG_NAMES_H
#define PG_STORE_LOG_NAMES_H

#include "core/store/log_record.h"

/* Zeroed is empty. */
struct log_names {
	struct log_name *at;
	uint32_t *buckets; /* bucket_count of them: index + 1 of the first name, 0: none */
	uint32_t count, capacity, bucket_count;
};

/* Room for `count` names; forgets the names. Returns 0 or ERR_NOMEM, then nothing changed. */
int log_names_reserve(struct log_names *names, uint32_t count) MUST_CHECK;
void log_names_reset(struct log_names *names); /* frees */

/* Take the names of these rows instead; there is room. */
void log_names_fill(struct log_names *names, const struct log_rows *rows, uint32_t count);

/* Does one entry name all slices and columns of `rows`, with a limit above all their generations? */
bool log_names_cover(const struct log_names *names, const struct log_rows *rows);

#endif

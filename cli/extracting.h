/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The work of pgctl extract, once it is known what is asked for.
 *
 *	(fill in the request)
 *	extracting_check()	nothing that is read would be written to, and no domain be overwritten
 *	extracting_run()
 *	extracting_reset()
 */
#ifndef PG_CLI_EXTRACTING_H
#define PG_CLI_EXTRACTING_H

#include "cli/losses.h"
#include "core/array/array.h"

struct invocation;
struct volume_image;

struct extracting {
	/* The request, borrowed. */
	const struct invocation *inv; /* with the maps */
	struct array *array;
	const struct volume *volume;
	const char *output;
	const char *out_map;     /* or NULL */
	const char *next_domain; /* or NULL */
	bool resume;

	/* The run; zeroed to begin with. */
	struct volume_image *image;
	struct losses losses;
	uint64_t reconstructed;
	uint64_t by_sector; /* bytes that only single sectors gave */
	/* Progress of all ranges together, and when the map was saved. */
	uint64_t ranges_done, ranges_total;
	uint64_t saved_ns;
	struct err save_failure;
};

/* Returns 0, ERR_IN_USE, ERR_EXISTS, or ERR_USAGE when two outputs are one file. */
int extracting_check(const struct extracting *extracting, struct err *err) MUST_CHECK;
/* Shows the report, also of what is lost. */
int extracting_run(struct extracting *extracting, unsigned *verdict_out,
		   struct err *err) MUST_CHECK;
void extracting_reset(struct extracting *extracting);

#endif

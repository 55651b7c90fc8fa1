/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Forecast: what an array would be with more members, now, right after they joined, and when data and redundancy
 * are spread over all (expand). The same goals run on a copy of the map, so the answer is what will happen.
 */
#ifndef PG_JOB_FORECAST_H
#define PG_JOB_FORECAST_H

#include "core/job/relayout.h"

struct forecast_request {
	const uint64_t *sizes; /* bytes of the members to come */
	uint32_t size_count;
	uint32_t columns; /* as relayout_request */
};

struct forecast_state {
	uint64_t raw, used, usable; /* bytes of frames, in use, and of data that still fits */
	uint64_t groups;
};

struct forecast {
	struct forecast_state now, joined, spread;
	struct relayout_report moves;
};

/* Returns 0, ERR_SIZE for a member too small, ERR_LIMIT, ERR_NOMEM. */
int forecast_expand(struct forecast *forecast_out, const struct array *array,
		    const struct forecast_request *request, struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scrub: compare every block with its checksum, every seal with its group, every group with its
 * equations; repair if asked. Check writes nothing. Repair rewrites only blocks and seal pages that do
 * not verify, only with bytes that are proven, and reads them back; what cannot be written is left.
 * In a session in which a write failed half-way, or while another task writes, repair is refused (ERR_NOSPACE).
 */
#ifndef PG_JOB_SCRUB_H
#define PG_JOB_SCRUB_H

#include "core/array/array.h"
#include "core/job/scrub_types.h"

int scrub_run(struct array *array, const struct scrub_request *request,
	      struct scrub_report *report_out, struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What arrays a pile of images without metadata is made of: level, order of the members, chunk, turn of the parity,
 * where the data begin and which member is missing, from content alone (docs/DETECT.md).
 *
 *	detect_run()	reads parts of the devices; a report
 *	detect_report_reset()
 *
 * Each array has its candidates, the likeliest first, with the confidence that it is right. An array is undecidable
 * where no candidate is likelier than all others together by content that was seen.
 */
#ifndef PG_FORMATS_DETECT_H
#define PG_FORMATS_DETECT_H

#include "formats/detect_rank.h"

#define DETECT_CANDIDATES_MAX 8u

struct detect_array {
	uint8_t images[DETECT_IMAGES_MAX]; /* all that belong to it */
	uint32_t image_count;
	struct detect_candidate *candidates; /* owned */
	uint32_t candidate_count;
	bool undecidable;
};

struct detect_report {
	struct detect_pile pile; /* computed images at its end */
	uint32_t given;          /* images of the pile that are devices */
	struct detect_array arrays[DETECT_IMAGES_MAX];
	uint32_t array_count;
	double information; /* nats of a join; near 0: random content */
};

/* Devices are borrowed as long as the report. Returns 0; ERR_NOMEM, ERR_LIMIT, ERR_SIZE. */
int detect_run(struct detect_report *report_out, struct dev *const *devs, uint32_t count,
	       struct err *err) MUST_CHECK;
void detect_report_reset(struct detect_report *report);

#endif

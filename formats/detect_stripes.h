/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The search among striped layouts, RAID-0, 4 and 5: which chunk, start, order of the members and turn of the parity
 * go best with the content. A sum over tables of joins, so that all orders of up to seven members are tried; of more,
 * those that exchanging two members leads to, from many beginnings.
 */
#ifndef PG_FORMATS_DETECT_STRIPES_H
#define PG_FORMATS_DETECT_STRIPES_H

#include "formats/detect_layout.h"
#include "formats/detect_start.h"

struct detect_stripes {
	const struct detect_pile *pile;
	const struct joins *joins;
	const struct detect_starts *starts;
	uint8_t images[DETECT_MEMBERS_MAX]; /* computed ones too */
	uint32_t count;
	uint8_t computed;         /* of them; DETECT_MISSING: none */
	bool parity;              /* RAID-4 and 5; else RAID-0 */
	const float *parity_nats; /* as for detect_layout_score() */
	/* The best of each table is reported, with its nats and prior. */
	void (*found)(void *arg, const struct detect_layout *layout, double nats);
	void *arg;
};

/* Returns 0 or ERR_NOMEM. */
int detect_stripes_search(const struct detect_stripes *search, struct err *err) MUST_CHECK;

/* Nats of prior belief in a layout, but for its start. */
double detect_layout_prior(const struct detect_layout *layout);

#endif

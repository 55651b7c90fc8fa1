/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What arrays of other makers (other.h) a device belongs to: the table of the formats, and the look at one
 * device.
 *
 *	other_probe_device()	everything that is on it
 *	other_probe_reset()
 */
#ifndef PG_FORMATS_OTHER_PROBE_H
#define PG_FORMATS_OTHER_PROBE_H

#include "formats/other.h"

#define OTHER_FORMATS 5u
extern const struct other_format *const other_formats[OTHER_FORMATS];

struct other_probe {
	uint32_t count;
	struct other_found *at[OTHER_FORMATS]; /* owned */
};

/* Probe an open device. Returns 0, also with nothing found, or ERR_NOMEM. */
int other_probe_device(struct other_probe *probe_out, struct dev *dev, const char *path,
		       struct err *err) MUST_CHECK;
void other_probe_reset(struct other_probe *probe);

/* One format alone; *found_out is NULL when there is nothing of it. Returns 0 or ERR_NOMEM. */
int other_probe_format(struct other_found **found_out, const struct other_format *format,
		       struct reader *reader, const char *path, struct err *err) MUST_CHECK;
void other_found_free(struct other_found *found);

#endif

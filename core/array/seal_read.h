/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads the seals of a group's columns: one batch for all that are usable, one turn of the members. What
 * cannot be read, page by page where a batch fails, is zeros, which is no good page.
 */
#ifndef PG_ARRAY_SEAL_READ_H
#define PG_ARRAY_SEAL_READ_H

#include "core/array/array.h"
#include "core/store/seal.h"

/* All borrowed. */
struct seal_read {
	const struct array *array;
	const struct group *group;
	struct seal *
		seals; /* one a column, initialised; of columns that are not usable no page is good */
	const bool *usable; /* one a column */
	bool headers;   /* read the header pages as well; seal_header_decode() is the caller's */
	uint8_t *pages; /* of all columns one after the other, seal_read_pages() each */
};

/* Room that a column takes in `pages`, in blocks; also where it is not usable. */
uint32_t seal_read_pages(const struct seal_read *read, uint32_t column);

/* Returns how many bytes were asked for. */
uint64_t seal_read(const struct seal_read *read);

#endif

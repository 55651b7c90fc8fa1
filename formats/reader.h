/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads records of others from a device: any offset, any size up to a bound, without the caller's knowing of
 * blocks. What lies outside the device or cannot be read is NULL; who reads metadata says so and goes on.
 */
#ifndef PG_FORMATS_READER_H
#define PG_FORMATS_READER_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READER_MAX                                                                                 \
	(512u << 10) /* bytes at once: the greatest section of any format that is read whole */

struct dev;

struct reader {
	struct dev *dev; /* borrowed */
	uint64_t size;   /* bytes of the device, as the system says */
	uint8_t *pages;
	bool search; /* also where a record only may have gone to: reads much */
};

/* Returns 0 or ERR_NOMEM. */
int reader_open(struct reader *reader_out, struct dev *dev, struct err *err) MUST_CHECK;
void reader_close(struct reader *reader);

/* `size` bytes, 1 to READER_MAX, from `offset` on: valid until the next call. */
const uint8_t *reader_read(struct reader *reader, uint64_t offset, size_t size);

/* The same as a copy that the caller frees with mem_free(); of any size that the caller has bounded. */
uint8_t *reader_copy(struct reader *reader, uint64_t offset, size_t size);

#endif

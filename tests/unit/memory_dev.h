/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device of memory that is only read, for the tries of decoders (md_try.h, other_try.h). It is never asked for the
 * time, so it needs no environment of its own.
 */
#ifndef PG_TESTS_MEMORY_DEV_H
#define PG_TESTS_MEMORY_DEV_H

#include "core/dev/dev.h"

#include <stdint.h>

struct memory_dev {
	struct dev dev;
	const uint8_t *bytes;
	size_t readable; /* bytes; reads of what is behind them fail */
};

/* `bytes` are borrowed, all readable; nothing has to be closed. */
struct memory_dev memory_dev_make(const uint8_t *bytes, size_t size);

#endif

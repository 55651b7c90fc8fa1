/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and writing whole sectors of a device, whose own unit is the block. */
#ifndef PG_FORMATS_MD_SECTORS_H
#define PG_FORMATS_MD_SECTORS_H

#include "core/base/err.h"

#include <stdint.h>

struct dev;

/* `size` bytes, a multiple of 512, from a sector on. Return 0, ERR_NOMEM, or what the device said; ERR_IO past its end. */
int md_sectors_read(struct dev *dev, uint64_t sector, void *bytes, size_t size) MUST_CHECK;
/* A block of which a part is written is read before. */
int md_sectors_write(struct dev *dev, uint64_t sector, const void *bytes, size_t size) MUST_CHECK;

#endif

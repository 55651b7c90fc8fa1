/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A metadata archive as a file: pax and zstd, the index first, then each range of it in order. */
#ifndef PG_CLI_META_ARCHIVE_H
#define PG_CLI_META_ARCHIVE_H

#include "cli/command.h"
#include "core/array/array.h"
#include "formats/meta_index.h"

/* CRC-32 of a range of a device; ERR_IO names the device. */
int meta_range_crc(uint32_t *crc_out, struct dev *dev, uint64_t offset, uint64_t size,
		   struct err *err) MUST_CHECK;

/*
 * Write the metadata of all members that are there to a new file. `log`: also the log. ERR_CHANGED when the array
 * changed meanwhile. On success *index_out is the index, to be reset.
 */
int meta_archive_write(struct meta_index *index_out, const struct invocation *inv,
		       struct array *array, const char *path, bool log, struct err *err) MUST_CHECK;

/*
 * Read all of it, and hold every range against its checksum. `sink`, which may be NULL, is given the bytes of
 * each range in order, in whole blocks and aligned memory, before the last of them is checked. On success
 * *index_out is the index, to be reset.
 */
int meta_archive_read(struct meta_index *index_out, const char *path,
		      int (*sink)(void *arg, const struct meta_index_range *range,
				  const void *bytes, size_t size, uint64_t done, struct err *err),
		      void *arg, struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tests of devices share: a directory of their own, devices in it, a round of batches that
 * compares every byte, and memory that runs out.
 */
#ifndef PG_TESTS_DEV_HELP_H
#define PG_TESTS_DEV_HELP_H

#include "core/base/rng.h"
#include "core/dev/devices.h"

#define MIB ((uint64_t)1 << 20)

extern const struct dev_file_options for_reading;
extern const struct dev_file_options for_writing;

/* Group setup and teardown: the working directory is new and empty, and must be empty again. */
int directory_make(void **state);
int directory_remove(void **state);

/* An open file device, or the test fails; create_size 0: the file exists. */
struct dev *dev_of(const char *path, enum dev_engine engine, enum dev_access access,
		   uint64_t create_size);
void file_make(const char *path, uint64_t size);

/* Opening must fail with `code` and a text that contains `fact`; and leave no descriptor open. */
void refused(const char *path, const struct dev_file_options *options, int code, const char *fact);

/*
 * A batch of writes with scattered pieces to `dev` and a flush of `other`, all compared by pread of
 * `path`, then read back by the device. Both have at least 2 MiB and 4 KiB.
 */
void batch_round(struct dev *dev, struct dev *other, const char *path, struct rng *rng);

/* For mem_set_hook(): deny the allocation that is *(unsigned *)left ahead. */
bool deny_nth(void *left);

#endif

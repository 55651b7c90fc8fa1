/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Image files as wholes: shorter or longer, cloned, brought back to an earlier state. What happens to images
 * under an array's feet, for `pgctl fault add`.
 *
 * Only regular files; holes stay holes. A copy that fails leaves a part, which the message says.
 */
#ifndef PG_CLI_IMAGE_H
#define PG_CLI_IMAGE_H

#include "core/base/err.h"

#include <stdint.h>

int image_resize(const char *path, uint64_t size, struct err *err) MUST_CHECK;
/* A new file `to` with the bytes of `path`. Refuses ERR_EXISTS. */
int image_clone(const char *path, const char *to, struct err *err) MUST_CHECK;
/* Put the bytes and the size of `from` in place of those of `path`. */
int image_roll_back(const char *path, const char *from, struct err *err) MUST_CHECK;

#endif

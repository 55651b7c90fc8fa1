/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Members of our own arrays in a pile of images, also those whose superblocks are gone: their seals say whose they are
 * (core/job/seal_find.h). What is known of each, and for each array the command that opens it.
 */
#ifndef PG_CLI_DETECT_NATIVE_H
#define PG_CLI_DETECT_NATIVE_H

#include "cli/command.h"
#include "core/array/array.h"
#include "core/job/seal_find.h"

struct native {
	const char *path; /* borrowed */
	struct dev *dev;  /* owned */
	struct array_probe probe;
	struct seal_found seals; /* where no superblock is left */
	uint32_t slot;           /* NATIVE_SLOT_NONE: nobody here knows it */
};
VEC_DEFINE(native_vec, struct native);
#define NATIVE_SLOT_NONE UINT32_MAX

/* Is the device a member of ours? Then it is kept, and the device with it. Returns 0, ERR_NOMEM or ERR_VERSION. */
int native_look(bool *is_out, struct native_vec *natives, const char *path, struct dev *dev,
		struct err *err) MUST_CHECK;
/* Ask the maps of those that have a superblock which numbers the others have. Closes the devices. */
void natives_number(struct native_vec *natives, const struct invocation *inv);
/* Rows of the list "known": path, type, array, member, superblocks, extents. */
void natives_show_known(const struct native_vec *natives, const struct invocation *inv);
/* The list "native": each array, and what opens it. */
void natives_show_arrays(const struct native_vec *natives, const struct invocation *inv);
void natives_reset(struct native_vec *natives);

#endif

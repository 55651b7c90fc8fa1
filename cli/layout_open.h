/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An array by its layout file (formats/layout_file.h): what members.h opens when ARRAY is such a file. Read-only.
 */
#ifndef PG_CLI_LAYOUT_OPEN_H
#define PG_CLI_LAYOUT_OPEN_H

#include "cli/member_stack.h"
#include "core/array/array.h"
#include "formats/layout_file.h"

/* Is it a layout file, by its first bytes? What cannot be read is none. */
bool layout_path_is(const char *path);

/* ERR_NOT_FOUND, ERR_ACCESS, ERR_IO, or as layout_file_parse(). */
int layout_path_read(struct layout_file *layout_out, const char *path, struct err *err) MUST_CHECK;

/*
 * Members that cannot be opened are left out, with a warning. paths_out, MEMBERS_MAX of them, says under which path each was
 * found, to be freed by the caller. ERR_TOO_FEW unless for ACCESS_SALVAGE; ERR_FOREIGN for ACCESS_WRITE.
 */
int layout_open(struct array **array_out, char **paths_out, const struct invocation *inv,
		const char *path, const struct open_how *how, struct err *err) MUST_CHECK;

#endif

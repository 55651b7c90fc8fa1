/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bad places of a member that is an image, kept beside it in PATH.faults, so that `pgctl fault add
 * --kind bad` outlives the process: every command opens the member with these faults on top.
 *
 * One fault a line: `read-error OFFSET SIZE`, bytes in decimal; `#` begins a comment. As on a disk, a
 * bad place is gone once it was written: then its line is taken out, an empty file is removed.
 *
 * The image itself stays pristine: removing the file removes the faults.
 */
#ifndef PG_CLI_FAULT_FILE_H
#define PG_CLI_FAULT_FILE_H

#include "core/base/err.h"
#include "core/dev/devices.h"

#include <stddef.h>

#define FAULT_FILE_MAX 4096u /* lines; a member with more bad places is a broken one */

struct fault_list {
	struct fault *at;
	size_t count;
};

/* Read PATH.faults; an absent file is an empty list. ERR_FORMAT names the line that is wrong. */
int fault_file_read(struct fault_list *list_out, const char *path, struct err *err) MUST_CHECK;
void fault_list_reset(struct fault_list *list);
/*
 * The lines of a fault file as a string, which is cut up; added to `list`, which is to be reset also after an error. ERR_FORMAT
 * and ERR_LIMIT name PATH.faults.
 */
int fault_list_parse(struct fault_list *list, char *chars, const char *path,
		     struct err *err) MUST_CHECK;
/* Append one (only FAULT_READ_ERROR is kept in files), or remove the file. */
int fault_file_add(const char *path, const struct fault *fault, struct err *err) MUST_CHECK;
int fault_file_clear(const char *path, struct err *err) MUST_CHECK;

/*
 * Put the faults of PATH.faults on top of `below`; *dev_out is `below` itself when there are none.
 * On failure `below` is still the caller's. *count_out is how many.
 */
int fault_file_wrap(struct dev **dev_out, struct dev *below, const char *path, size_t *count_out,
		    struct err *err) MUST_CHECK;

#endif

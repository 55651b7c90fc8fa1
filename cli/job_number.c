/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/job_number.h"

#include <errno.h>
#include <stdlib.h>

int job_number_parse(uint64_t *id_out, const char *text, struct err *err)
{
	unsigned long long id;
	char *end;

	errno = 0;
	id = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || *end || id == 0)
		return err_set(err, ERR_USAGE, "'%s' is not the number of a job", text);
	*id_out = id;
	return 0;
}

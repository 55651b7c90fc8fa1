/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/log_open.h"

int cli_log_open(struct array **array_out, struct log_report *report_out,
		 const struct invocation *inv, enum access access, struct err *err)
{
	const struct open_how how = { .access = access, .leave_log = true };
	struct array *array = NULL;
	int rc = cli_array_open_as(&array, inv, inv->operands[0], &how, err);

	if (rc)
		return rc;
	rc = log_report_read(report_out, array, err);
	if (rc)
		array_close(array);
	else
		*array_out = array;
	return rc;
}

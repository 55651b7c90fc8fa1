/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl version: what this is. */
#include "cli/command.h"
#include "cli/output.h"

#define FORMAT_VERSION 1u /* of the native format that is written (FORMAT.md) */

static int cmd_version_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	(void)verdict_out;
	(void)err;
	if (!out_is_json(inv->out)) {
		out_plain(inv->out, "pgctl " PGCTL_VERSION "\n");
		return 0;
	}
	out_value_text(inv->out, "version", PGCTL_VERSION);
	out_value(inv->out, "format", FORMAT_VERSION);
	return 0;
}

static const char *const examples[] = { "pgctl --version", NULL };

const struct command cmd_version = {
	.name = "version",
	.summary = "print the version",
	.group = GROUP_SERVICE,
	.examples = examples,
	.run = cmd_version_run,
};

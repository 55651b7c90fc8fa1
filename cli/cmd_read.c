/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl read: a range of a volume to standard output. */
#include "cli/command.h"
#include "cli/losses.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/raw_output.h"
#include "core/array/array.h"
#include "core/base/units.h"
#include "core/job/transfer.h"

#include <inttypes.h>

struct read_args {
	uint64_t offset;
	uint64_t length;
};

static const struct read_args read_defaults = { .length = UINT64_MAX };

static const struct option_spec read_options[] = {
	{ "offset", OPTION_SIZE, offsetof(struct read_args, offset), "SIZE",
	  "where to begin in the volume; 0 unless given" },
	{ "length", OPTION_SIZE, offsetof(struct read_args, length), "SIZE",
	  "how many bytes; to the end of the volume unless given" },
	{ 0 },
};

static int range_check(const struct read_args *args, const struct volume *volume, struct err *err)
{
	if (args->offset > volume->length)
		return err_set(err, ERR_SIZE,
			       "offset %" PRIu64 " is behind the end of volume %s, %" PRIu64,
			       args->offset, volume->name, volume->length);
	if (args->length != UINT64_MAX && args->length > volume->length - args->offset)
		return err_set(
			err, ERR_SIZE,
			"volume %s has %" PRIu64 " bytes from offset %" PRIu64 " on, not %" PRIu64,
			volume->name, volume->length - args->offset, args->offset, args->length);
	return 0;
}

static void result_show(const struct invocation *inv, const struct get_report *report,
			const struct losses *losses)
{
	char size[UNITS_TEXT_SIZE];

	if (raw_output_reports(inv)) {
		out_value_bytes(inv->out, "length", report->length);
		out_value_bytes(inv->out, "reconstructed", report->reconstructed);
	}
	if (report->reconstructed)
		out_warn(inv->out, "%s had to be reconstructed; pgctl status %s says why",
			 units_text(size, report->reconstructed), inv->operands[0]);
	if (report->lost)
		out_warn(inv->out, "%s are lost, with zeros in their place",
			 units_text(size, report->lost));
	losses_show(losses, inv->out);
}

static int volume_read(const struct invocation *inv, struct array *array, unsigned *verdict_out,
		       struct err *err)
{
	const struct read_args *args = inv->args;
	const struct volume *volume = NULL;
	struct losses losses = { 0 };
	struct raw_output raw = { 0 };
	struct get_request request = {
		.offset = args->offset,
		.length = args->length,
		.sink = raw_output_write,
		.sink_arg = &raw,
		.past_losses = inv->common->force,
		.lost = losses_add,
		.lost_arg = &losses,
		.watch = inv->watch,
	};
	struct get_report report = { 0 };
	int rc = cli_volume_find(&volume, array, inv->operands[1], err);

	if (rc == 0)
		rc = range_check(args, volume, err);
	if (rc == 0)
		rc = raw_output_open(&raw, inv, false, err);
	if (rc == 0) {
		request.volume = volume->name;
		rc = get_run(array, &request, &report, err);
	}
	if (rc == 0) {
		*verdict_out = report.lost ? VERDICT_LEFT : 0;
		losses_sort(&losses);
		result_show(inv, &report, &losses);
	}
	raw_output_close(&raw);
	losses_reset(&losses);
	return rc;
}

static int cmd_read_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0],
				inv->common->force ? ACCESS_SALVAGE : ACCESS_READ, err);

	if (rc)
		return rc;
	rc = volume_read(inv, array, verdict_out, err);
	array_close(array);
	return rc;
}

static const char *const read_details[] = {
	"The bytes are verified and reconstructed as `get` does it. Where data is lost the command "
	"stops with 4; with --force zeros stand in for it.",
	NULL,
};
static const char *const read_examples[] = {
	"pgctl read tank/ disk.img --offset 1M --length 512 | xxd",
	NULL,
};

const struct command cmd_read = {
	.name = "read",
	.summary = "write a range of a volume to standard output",
	.group = GROUP_LIFE,
	.operands = "ARRAY VOLUME",
	.operands_min = 2,
	.operands_max = 2,
	.options = read_options,
	.args_size = sizeof(struct read_args),
	.defaults = &read_defaults,
	.details = read_details,
	.examples = read_examples,
	.run = cmd_read_run,
};

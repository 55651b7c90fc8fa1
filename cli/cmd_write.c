/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl write: standard input into a range of a volume, in place. */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/pipe_wait.h"
#include "cli/plan.h"
#include "core/array/array.h"
#include "core/base/units.h"
#include "core/job/overwrite.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct write_args {
	uint64_t offset;
	uint64_t length;
};

static const struct write_args write_defaults = { .length = UINT64_MAX };

static const struct option_spec write_options[] = {
	{ "offset", OPTION_SIZE, offsetof(struct write_args, offset), "SIZE",
	  "where to begin in the volume; 0 unless given" },
	{ "length", OPTION_SIZE, offsetof(struct write_args, length), "SIZE",
	  "exactly so many bytes; all of standard input unless given" },
	{ 0 },
};

/* How many bytes standard input has left, UINT64_MAX when it cannot tell. */
static uint64_t input_left(void)
{
	struct stat facts;
	off_t at;

	if (fstat(STDIN_FILENO, &facts) || !S_ISREG(facts.st_mode))
		return UINT64_MAX;
	at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	if (at < 0)
		return UINT64_MAX;
	return at < facts.st_size ? (uint64_t)(facts.st_size - at) : 0;
}

static int input_read(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	const struct invocation *inv = arg;
	size_t got = 0;

	while (got < size) {
		int rc = pipe_wait(STDIN_FILENO, POLLIN, &inv->watch, err);
		ssize_t part = rc ? 0 : read(STDIN_FILENO, (char *)bytes + got, size - got);

		if (rc)
			return rc;
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return err_set(err, ERR_IO, "standard input cannot be read: %s",
				       strerrordesc_np(errno));
		if (part == 0)
			break;
		got += (size_t)part;
	}
	*got_out = got;
	return 0;
}

/* What can be refused before anything is written: the range, and a file of another length. */
static int request_check(const struct write_args *args, const struct volume *volume,
			 struct err *err)
{
	uint64_t left = input_left();
	int rc = overwrite_check(volume, args->offset, args->length, err);

	if (rc)
		return rc;
	if (isatty(STDIN_FILENO)) {
		err_set(err, ERR_USAGE, "standard input is a terminal, and a volume is bytes");
		return err_hint(err, "write them with a pipe or from a file: < FILE");
	}
	if (args->length == UINT64_MAX)
		return left == UINT64_MAX ? 0 : overwrite_check(volume, args->offset, left, err);
	if (left < args->length)
		return err_set(err, ERR_SIZE, "standard input has %" PRIu64 " bytes, not %" PRIu64,
			       left, args->length);
	return 0;
}

/* ---- --plan */

static const struct field part_fields[] = {
	{ "group", FIELD_COUNT, "GROUP" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_COUNT, "LENGTH" },
	{ "first_row", FIELD_COUNT, "FIRST ROW" },
	{ "row_end", FIELD_COUNT, "ROW END" },
	{ "rows", FIELD_COUNT, "ROWS" },
	{ 0 },
};

struct planning {
	struct out *out;
	uint64_t data_bytes, check_bytes;
};

static void part_show(void *arg, const struct overwrite_part *part)
{
	struct planning *planning = arg;

	planning->data_bytes += part->data_bytes;
	planning->check_bytes += part->check_bytes;
	out_number(planning->out, part->group);
	out_number(planning->out, part->offset);
	out_number(planning->out, part->length);
	out_number(planning->out, part->first_row);
	out_number(planning->out, part->row_end);
	out_number(planning->out, part->rows);
}

static int plan(const struct invocation *inv, struct array *array, const struct volume *volume,
		struct err *err)
{
	const struct write_args *args = inv->args;
	uint64_t length = args->length == UINT64_MAX ? input_left() : args->length;
	struct planning planning = { .out = inv->out };
	int rc;

	if (length == UINT64_MAX)
		return err_set(err, ERR_USAGE,
			       "how many bytes will come is not known before they were read: add "
			       "--length");
	out_list_begin(inv->out, "ranges", part_fields);
	rc = overwrite_plan(array, volume, args->offset, length, part_show, &planning, err);
	out_list_end(inv->out);
	if (rc == 0) {
		const struct plan_row rows[] = {
			{ "data", planning.data_bytes },
			{ "parity and copies", planning.check_bytes },
		};

		plan_show(inv, rows, sizeof(rows) / sizeof(rows[0]));
	}
	return rc;
}

/* ---- the write itself */

static void report_show(const struct invocation *inv, const struct overwrite_report *report)
{
	const struct write_args *args = inv->args;
	struct out *out = inv->out;
	char size[UNITS_TEXT_SIZE];

	out_value_text(out, "volume", inv->operands[1]);
	out_value(out, "offset", args->offset);
	out_value_bytes(out, "length", report->length);
	out_value_bytes(out, "bytes_read", report->written.bytes_read);
	out_value_bytes(out, "bytes_written", report->written.bytes_written);
	out_value(out, "full_rows", report->written.full_rows);
	out_value(out, "reconstructs", report->written.reconstructs);
	out_value(out, "modifies", report->written.modifies);
	out_value_bytes(out, "healed", report->written.healed);
	if (report->written.healed)
		out_warn(out,
			 "%s beside them were damaged and have been rewritten; pgctl scrub %s "
			 "looks for "
			 "more",
			 units_text(size, report->written.healed), inv->operands[0]);
}

static int write_all(const struct invocation *inv, struct array *array, struct err *err)
{
	const struct write_args *args = inv->args;
	const struct overwrite_request request = {
		.volume = inv->operands[1],
		.offset = args->offset,
		.length = args->length,
		.source = input_read,
		.source_arg = (void *)(uintptr_t)inv,
		.watch = inv->watch,
	};
	struct overwrite_report report = { 0 };
	int rc = overwrite_run(array, &request, &report, err);

	if (rc == 0 || report.length > 0)
		report_show(inv, &report);
	if (rc == ERR_STOPPED)
		err_hint(err, "go on with the rest: --offset %" PRIu64,
			 args->offset + report.length);
	return rc;
}

static int cmd_write_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct volume *volume = NULL;
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = cli_volume_find(&volume, array, inv->operands[1], err);
	if (rc == 0 && plan_only(inv))
		rc = plan(inv, array, volume, err);
	else if (rc == 0)
		rc = request_check(inv->args, volume, err);
	if (rc == 0 && !plan_only(inv))
		rc = write_all(inv, array, err);
	array_close(array);
	return rc;
}

static const char *const write_details[] = {
	"The bytes of standard input replace those of the volume, whose length does not change. "
	"They are durable, with their parity or copies, when the command ends; a crash leaves each "
	"block of 4096 bytes old or new.",
	"After SIGINT or SIGTERM the command stops between two pieces and says how far it came: "
	"all before that is new, all behind it old.",
	"Full rows are written without reading anything: `full_rows` counts them, `reconstructs` "
	"and `modifies` those that had to read. Damaged blocks that were met there are rewritten "
	"with what they had to be: `healed` bytes.",
	NULL,
};
static const char *const write_examples[] = {
	"pgctl write tank/ disk.img --offset 1M < block.bin",
	"dd if=/dev/urandom bs=4K count=1 | pgctl write tank/ disk.img --offset 64K --length 4K",
	NULL,
};

const struct command cmd_write = {
	.name = "write",
	.summary = "write standard input to a range of a volume, in place",
	.group = GROUP_LIFE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY VOLUME",
	.operands_min = 2,
	.operands_max = 2,
	.options = write_options,
	.args_size = sizeof(struct write_args),
	.defaults = &write_defaults,
	.details = write_details,
	.examples = write_examples,
	.run = cmd_write_run,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl scrub: compare every block with its checksum and its equations; repair if asked.
 *
 * The work is the core's job; this file turns arguments into its request and its report into rows.
 */
#include "cli/command.h"
#include "cli/log_open.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/array/array.h"
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/job/scrub.h"

#include <inttypes.h>
#include <string.h>

struct scrub_args {
	bool check, repair, quick, media;
	bool dirty;
	bool resume;
	const char *accept;
	const char *volume;
	uint64_t percent;
};

static const struct scrub_args scrub_defaults = { .percent = 100 };

static const struct option_spec scrub_options[] = {
	{ "check", OPTION_FLAG, offsetof(struct scrub_args, check), NULL,
	  "compare and report, write nothing; this is the default", .alias = "full" },
	{ "repair", OPTION_FLAG, offsetof(struct scrub_args, repair), NULL,
	  "write back what can be located and rebuilt" },
	{ "accept", OPTION_TEXT, offsetof(struct scrub_args, accept), "WHAT",
	  "with --repair, of an array of other software: 'data' makes parity anew where nothing "
	  "tells what is wrong" },
	{ "quick", OPTION_FLAG, offsetof(struct scrub_args, quick), NULL,
	  "parity only; data is read where parity is wrong" },
	{ "media", OPTION_FLAG, offsetof(struct scrub_args, media), NULL,
	  "read every block in use and compare its checksum, no equations" },
	{ "dirty", OPTION_FLAG, offsetof(struct scrub_args, dirty), NULL,
	  "only the rows that the intent log names" },
	{ "volume", OPTION_TEXT, offsetof(struct scrub_args, volume), "NAME",
	  "only the groups of this volume" },
	{ "percent", OPTION_NUMBER, offsetof(struct scrub_args, percent), "N",
	  "stop after N percent of the groups" },
	{ "resume", OPTION_FLAG, offsetof(struct scrub_args, resume), NULL,
	  "go on where a repair was stopped" },
	{ 0 },
};

/* The rows that the log named before this command recovered them. */
struct dirty_rows {
	struct scrub_rows *at;
	uint32_t count;
	bool all; /* the log may have named others, too */
};

/* What the rows of mismatches are shown to. */
struct scrub_view {
	struct out *out;
	uint64_t blocks_wrong; /* of all mismatches: what --repair would write at most */
};

static const struct field mismatch_fields[] = {
	{ "group", FIELD_COUNT, "GROUP" },
	{ "row", FIELD_COUNT, "ROW" },
	{ "volume", FIELD_TEXT, "VOLUME" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_COUNT, "LENGTH" },
	{ "kind", FIELD_TEXT, "KIND" },
	{ "blocks", FIELD_LIST, "BLOCKS" },
	{ "suspect", FIELD_EITHER, "SUSPECT" },
	{ "basis", FIELD_TEXT, "BASIS" },
	{ "repaired", FIELD_FLAG, "REPAIRED" },
	{ 0 },
};

static const struct field block_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "lba", FIELD_COUNT, "LBA" },
	{ "role", FIELD_TEXT, "ROLE" },
	{ "state", FIELD_TEXT, "STATE" },
	{ 0 },
};

static void blocks_show(struct scrub_view *view, const struct mismatch *mismatch)
{
	struct out *out = view->out;

	out_list_begin(out, "blocks", block_fields);
	for (uint32_t i = 0; i < mismatch->block_count; i++) {
		const struct mismatch_block *block = &mismatch->blocks[i];

		out_number(out, block->slot);
		out_number(out, block->lba);
		out_text(out, block->role);
		out_text(out, block_fate_name(block->state));
		view->blocks_wrong += block->state != BLOCK_GOOD && block->state != BLOCK_MISSING;
	}
	out_list_end(out);
}

static void mismatch_show(void *arg, const struct mismatch *mismatch)
{
	struct scrub_view *view = arg;
	struct out *out = view->out;

	out_number(out, mismatch->group);
	out_number(out, mismatch->row);
	out_text(out, mismatch->volume);
	if (mismatch->volume) {
		out_number(out, mismatch->offset);
		out_number(out, mismatch->length);
	} else {
		out_none(out);
		out_none(out);
	}
	out_text(out, mismatch->kind);
	blocks_show(view, mismatch);
	if (mismatch->suspect == SUSPECT_UNDECIDABLE)
		out_text(out, "undecidable");
	else
		out_number(out, mismatch->suspect);
	out_text(out, mismatch->basis);
	out_flag(out, mismatch->repaired);
}

static int mode_choose(enum scrub_mode *mode_out, const struct scrub_args *args, struct err *err)
{
	if (args->check + args->repair + args->quick + args->media > 1)
		return err_set(err, ERR_USAGE,
			       "--check, --repair, --quick and --media are four different scrubs");
	if (args->percent == 0 || args->percent > 100)
		return err_set(err, ERR_USAGE, "--percent %" PRIu64 ": must be from 1 to 100",
			       args->percent);
	if (args->dirty && (args->quick || args->resume || args->percent != 100))
		return err_set(err, ERR_USAGE,
			       "--dirty is a scrub of few rows: not with --quick, --resume or "
			       "--percent");
	if (args->accept && (strcmp(args->accept, "data") != 0 || !args->repair))
		return err_set(err, ERR_USAGE, "--accept %s: can be 'data' only, with --repair",
			       args->accept);
	*mode_out = args->repair  ? SCRUB_REPAIR
		    : args->quick ? SCRUB_QUICK
		    : args->media ? SCRUB_MEDIA
				  : SCRUB_CHECK;
	return 0;
}

static void report_show(const struct invocation *inv, const struct scrub_report *report,
			uint64_t blocks_wrong)
{
	const struct scrub_args *args = inv->args;
	const struct plan_row row = { "blocks that do not verify", blocks_wrong * BLOCK_SIZE };

	out_value_bytes(inv->out, "bytes_read", report->bytes_read);
	out_value(inv->out, "rows_checked", report->rows_checked);
	out_value(inv->out, "repaired", report->repaired);
	out_value(inv->out, "left", report->left);
	if (report->job)
		out_value(inv->out, "job", report->job);
	if (plan_only(inv) && args->repair)
		plan_show(inv, &row, 1);
}

static int scrub(const struct invocation *inv, struct array *array, enum scrub_mode mode,
		 const struct volume *volume, const struct dirty_rows *dirty, unsigned *verdict_out,
		 struct err *err)
{
	const struct scrub_args *args = inv->args;
	struct scrub_view view = { .out = inv->out };
	const struct scrub_request request = {
		.mode = plan_only(inv) && mode == SCRUB_REPAIR ? SCRUB_CHECK : mode,
		.accept_data = args->accept != NULL,
		.only_rows = args->dirty && !dirty->all,
		.rows = dirty->at,
		.row_count = dirty->count,
		.volume = volume ? volume->name : NULL,
		.percent = args->percent,
		.resume = args->resume,
		.found = mismatch_show,
		.found_arg = &view,
		.watch = inv->watch,
	};
	struct scrub_report report = { 0 };
	int rc;

	out_list_begin(inv->out, "mismatches", mismatch_fields);
	rc = scrub_run(array, &request, &report, err);
	out_list_end(inv->out);
	if (rc && rc != ERR_STOPPED)
		return rc;

	report_show(inv, &report, view.blocks_wrong);
	*verdict_out |= report.repaired ? VERDICT_CORRECTED : 0;
	*verdict_out |= report.left ? VERDICT_LEFT : 0;
	if (mode == SCRUB_REPAIR && array_health(array) != HEALTH_HEALTHY)
		*verdict_out |= VERDICT_DEGRADED;
	if (rc == ERR_STOPPED)
		err_hint(err, report.job ? "the same command with --resume goes on"
					 : "a check writes nothing, so it begins again; a repair "
					   "keeps its place");
	return rc;
}

/* The log as it was left: opening the array for the scrub itself recovers its rows. */
static int dirty_find(struct dirty_rows *dirty_out, const struct invocation *inv, struct err *err)
{
	struct log_report report = { 0 };
	struct array *array = NULL;
	int rc = cli_log_open(&array, &report, inv, ACCESS_READ, err);

	if (rc)
		return rc;
	rc = log_report_rows(&dirty_out->at, &dirty_out->count, &report, err);
	dirty_out->all = report.suspect;
	out_value(inv->out, "log_entries", report.entry_count);
	log_report_reset(&report);
	array_close(array);
	return rc;
}

static int cmd_scrub_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct scrub_args *args = inv->args;
	const struct volume *volume = NULL;
	struct dirty_rows dirty = { 0 };
	struct array *array = NULL;
	enum scrub_mode mode = SCRUB_CHECK;
	enum access access;
	int rc = mode_choose(&mode, args, err);

	if (rc == 0 && args->dirty)
		rc = dirty_find(&dirty, inv, err);
	if (rc)
		return rc;
	access = mode == SCRUB_REPAIR && !plan_only(inv) ? ACCESS_WRITE : ACCESS_READ;
	rc = cli_array_open(&array, inv, inv->operands[0], access, err);
	if (rc == 0 && args->volume)
		rc = cli_volume_find(&volume, array, args->volume, err);
	if (rc == 0)
		rc = scrub(inv, array, mode, volume, &dirty, verdict_out, err);
	array_close(array);
	mem_free(dirty.at);
	return rc;
}

static const char *const scrub_details[] = {
	"Every mismatch is shown with group, row, member and byte offset of each block, the range "
	"of the volume, the member that is wrong and how that is known, or \"undecidable\".",
	"--repair writes only blocks that do not verify, with bytes that are proven, and reads "
	"them back. Exit status: 1 errors were corrected, 4 errors are left, 64 the array is "
	"degraded.",
	"An array of other software has no checksums: its equations alone are compared. Where more "
	"than one block could be wrong the suspect is \"undecidable\"; --repair --accept data then "
	"believes the data and makes their parity anew, if all of them can be read.",
	"--dirty looks at the rows that the intent log named when the command began, after their "
	"recovery: what an interrupted write left behind. Where a record of the log may be lost "
	"(log-damaged), that is every row, and --repair ends the suspicion.",
	NULL,
};
static const char *const scrub_examples[] = {
	"pgctl scrub tank/",
	"pgctl scrub tank/ --repair",
	"pgctl scrub films/ --quick --json",
	NULL,
};

const struct command cmd_scrub = {
	.name = "scrub",
	.summary = "compare every block with its checksum and its equations",
	.group = GROUP_CARE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = scrub_options,
	.args_size = sizeof(struct scrub_args),
	.defaults = &scrub_defaults,
	.details = scrub_details,
	.examples = scrub_examples,
	.run = cmd_scrub_run,
};

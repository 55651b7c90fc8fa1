/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl log: what the intent log says, whether it keeps its rules, and what recovery would make of it.
 *
 * Nothing here writes. show and check look at the log as it was left; prove opens the array as any
 * reading command does, with what recovery writes kept in memory, once with all members that are there and
 * once without each set of them whose loss the groups survive.
 */
#include "cli/command.h"
#include "cli/log_open.h"
#include "cli/map_cells.h"

#include <inttypes.h>

#define TRIALS_MAX 2000u /* openings of one prove: some seconds */

/* ---- show */

static const struct field copy_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },         { "slot", FIELD_COUNT, "SLOT" },
	{ "generation", FIELD_COUNT, "GENERATION" }, { "valid", FIELD_FLAG, "VALID" },
	{ "problem", FIELD_TEXT, "PROBLEM" },        { 0 },
};
static const struct field entry_fields[] = {
	{ "volume", FIELD_TEXT, "VOLUME" },      { "volume_id", FIELD_COUNT, "ID" },
	{ "group", FIELD_COUNT, "GROUP" },       { "row", FIELD_COUNT, "ROW" },
	{ "rows", FIELD_COUNT, "ROWS" },         { "columns", FIELD_COUNT, "COLUMNS" },
	{ "first_block", FIELD_COUNT, "FIRST" }, { "blocks", FIELD_COUNT, "BLOCKS" },
	{ "payload", FIELD_BYTES, "PAYLOAD" },   { 0 },
};
static const struct field page_fields[] = {
	{ "group", FIELD_COUNT, "GROUP" },
	{ "extent", FIELD_COUNT, "EXTENT" },
	{ "page", FIELD_COUNT, "SEAL PAGE" },
	{ 0 },
};

static void copies_show(struct out *out, const struct log_report *report)
{
	out_list_begin(out, "copies", copy_fields);
	for (uint32_t i = 0; i < report->copy_count; i++) {
		const struct log_report_copy *copy = &report->copies[i];

		if (!copy->valid && !copy->torn) /* never written */
			continue;
		out_number(out, copy->member);
		out_number(out, copy->slot);
		out_number(out, copy->generation);
		out_flag(out, copy->valid);
		out_text(out, copy->valid ? NULL : err_name(copy->code));
	}
	out_list_end(out);
}

static void entries_show(struct out *out, const struct log_report *report)
{
	out_list_begin(out, "entries", entry_fields);
	for (uint32_t i = 0; i < report->entry_count; i++) {
		const struct log_report_entry *entry = &report->entries[i];

		out_text(out, entry->name);
		out_number(out, entry->volume);
		out_number(out, entry->group);
		out_number(out, entry->row);
		out_number(out, entry->rows);
		out_number(out, (uint64_t)__builtin_popcount(entry->columns));
		out_number(out, entry->first);
		out_number(out, entry->count);
		out_number(out, entry->payload);
	}
	out_list_end(out);
}

static void pages_show(struct out *out, const struct log_report *report)
{
	out_list_begin(out, "pages", page_fields);
	for (uint32_t i = 0; i < report->page_count; i++) {
		out_number(out, report->pages[i].group);
		out_number(out, report->pages[i].extent);
		out_number(out, report->pages[i].page);
	}
	out_list_end(out);
}

static void record_show(struct out *out, const struct log_report *report)
{
	out_value(out, "generation", report->generation);
	out_value(out, "epoch", report->epoch);
	out_value(out, "copies_expected", report->copies_expected);
	out_value(out, "copies_valid", report->copies_valid);
	out_value_flag(out, "suspect", report->suspect);
}

static int log_show_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct log_report report = { 0 };
	struct array *array = NULL;
	int rc = cli_log_open(&array, &report, inv, ACCESS_SALVAGE, err);

	(void)verdict_out;
	if (rc)
		return rc;
	record_show(inv->out, &report);
	copies_show(inv->out, &report);
	entries_show(inv->out, &report);
	pages_show(inv->out, &report);
	log_report_reset(&report);
	array_close(array);
	return 0;
}

/* ---- check */

static const struct field finding_fields[] = {
	{ "text", FIELD_TEXT, "FINDING" },
	{ 0 },
};

static void finding_show(void *arg, const char *text)
{
	out_text(arg, text);
}

static int log_check_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct log_report report = { 0 };
	struct array *array = NULL;
	uint64_t findings = 0;
	int rc = cli_log_open(&array, &report, inv, ACCESS_SALVAGE, err);

	if (rc)
		return rc;
	record_show(inv->out, &report);
	copies_show(inv->out, &report);
	out_value(inv->out, "entries", report.entry_count);
	out_list_begin(inv->out, "findings", finding_fields);
	rc = log_report_check(array, finding_show, inv->out, &findings, err);
	out_list_end(inv->out);
	if (rc == 0) {
		*verdict_out = findings ? VERDICT_LEFT : 0;
		out_line(inv->out,
			 findings ? "the log breaks its rules" : "the log keeps its rules");
		if (report.torn)
			out_line(inv->out,
				 "a newer record is torn, as a power loss leaves one: it was not "
				 "complete, and nothing relies on it");
	}
	log_report_reset(&report);
	array_close(array);
	return rc;
}

/* ---- prove */

static const struct field loss_fields[] = {
	{ "members", FIELD_LIST, "WITHOUT" }, { "verdict", FIELD_TEXT, "VERDICT" },
	{ "blocks", FIELD_COUNT, "BLOCKS" },  { "lost", FIELD_COUNT, "LOST" },
	{ "problem", FIELD_TEXT, "PROBLEM" }, { 0 },
};

struct proving {
	const struct invocation *inv;
	const struct log_report *report;
	uint32_t slots
		[MEMBERS_MAX]; /* members that are there and hold rows of the log, or the log */
	uint32_t slot_count;
	uint32_t trials;
	uint64_t broken; /* trials in which a row neither stands nor is named */
	bool complete;
};

/* What became of the named rows. */
enum outcome { OUTCOME_RECOVERED, OUTCOME_LOST, OUTCOME_UNNAMED, OUTCOME_MISMATCH, OUTCOME_FAILED };
static const char *const outcome_words[] = { "recovered", "lost", "unnamed", "mismatch", "failed" };

static enum outcome outcome_of(const struct array_recovery *recovery, const struct log_trial *trial)
{
	if (trial->lost)
		return recovery->lost ? OUTCOME_LOST : OUTCOME_UNNAMED;
	return trial->mismatches && recovery->lost == 0 ? OUTCOME_MISMATCH : OUTCOME_RECOVERED;
}

/* Open without these members, and look. Only memory and the like ends the proof. */
static int try_without(struct proving *proving, struct member_set without, struct err *err)
{
	const struct open_how how = { .access = ACCESS_READ, .without = without };
	const struct invocation *inv = proving->inv;
	struct log_trial trial = { 0 };
	struct array *array = NULL;
	enum outcome outcome = OUTCOME_FAILED;
	struct err why = { 0 };
	int rc = cli_array_open_as(&array, inv, inv->operands[0], &how, &why);

	if (rc == 0)
		rc = log_report_try(array, proving->report, &trial, &why);
	if (rc == 0)
		outcome = outcome_of(array_recovery(array), &trial);
	array_close(array);
	if (rc == ERR_NOMEM || rc == ERR_STOPPED) {
		*err = why;
		return rc;
	}
	proving->trials++;
	proving->broken += outcome >= OUTCOME_UNNAMED;
	cells_slots(inv->out, "members", without);
	out_text(inv->out, outcome_words[outcome]);
	out_number(inv->out, trial.blocks);
	out_number(inv->out, trial.lost);
	out_text(inv->out, rc ? why.text : NULL);
	return 0;
}

/* All sets of `left` more members from slots[from] on. */
static int try_sets(struct proving *proving, struct member_set without, uint32_t from,
		    uint32_t left, struct err *err)
{
	const struct job_watch *watch = &proving->inv->watch;
	int rc = 0;

	if (watch->stop && watch->stop(watch->arg))
		return err_set(err, ERR_STOPPED, "stopped by a signal");
	if (proving->trials == TRIALS_MAX) {
		proving->complete = false;
		return 0;
	}
	if (left == 0)
		return try_without(proving, without, err);
	for (uint32_t i = from; rc == 0 && i < proving->slot_count; i++)
		rc = try_sets(proving, member_set_with(without, proving->slots[i]), i + 1, left - 1,
			      err);
	return rc;
}

/* How many more members the group can lose; its members that are there are added to the set. */
static uint32_t more_losses(const struct array *array, const struct group *group,
			    struct member_set *set)
{
	uint32_t missing = 0;
	uint32_t bears = group_tolerance(group);

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		if (array_extent_usable(array, &group->extents[c]))
			*set = member_set_with(*set, group->extents[c].slot);
		else
			missing++;
	}
	return bears > missing ? bears - missing : 0;
}

/*
 * Which members are to be left out in turn, and how many at once. Losing one that holds neither rows nor log
 * changes nothing.
 */
static uint32_t members_collect(struct proving *proving, const struct array *array)
{
	const struct log_report *report = proving->report;
	struct member_set set = { 0 };
	uint32_t tolerance = MEMBERS_MAX;

	for (uint32_t i = 0; i < report->copy_count; i++) {
		if (report->copies[i].generation)
			set = member_set_with(set, report->copies[i].member);
	}
	for (uint32_t i = 0; i < report->entry_count; i++) {
		const struct group *group = map_group(array_map(array), report->entries[i].group);
		uint32_t bears = group ? more_losses(array, group, &set) : tolerance;

		tolerance = bears < tolerance ? bears : tolerance;
	}
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (member_set_has(set, slot))
			proving->slots[proving->slot_count++] = slot;
	}
	return report->entry_count ? tolerance : 0;
}

static void recovery_show(struct out *out, const struct array_recovery *recovery)
{
	out_object_begin(out, "recovery");
	out_value(out, "entries", recovery->entries);
	out_value(out, "rows", recovery->rows);
	out_value(out, "replayed", recovery->replayed);
	out_value(out, "rolled_forward", recovery->rolled_forward);
	out_value(out, "rolled_back", recovery->rolled_back);
	out_value(out, "kept", recovery->kept);
	out_value(out, "torn", recovery->torn);
	out_value(out, "lost", recovery->lost);
	out_value_bytes(out, "bytes_read", recovery->bytes_read);
	out_value_bytes(out, "bytes_written", recovery->bytes_written);
	out_object_end(out);
}

/* What recovery makes of the log now; *lost_out says that it loses rows. */
static int recovery_try(const struct invocation *inv, bool *lost_out, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_READ, err);

	if (rc)
		return rc;
	recovery_show(inv->out, array_recovery(array));
	*lost_out = array_recovery(array)->lost > 0;
	array_close(array);
	return 0;
}

static int prove(struct proving *proving, uint32_t tolerance, unsigned *verdict_out,
		 struct err *err)
{
	struct out *out = proving->inv->out;
	bool lost = false;
	int rc = recovery_try(proving->inv, &lost, err);

	if (rc)
		return rc;
	out_list_begin(out, "losses", loss_fields);
	for (uint32_t size = 0; rc == 0 && size <= tolerance; size++)
		rc = try_sets(proving, (struct member_set){ 0 }, 0, size, err);
	out_list_end(out);
	if (rc)
		return rc;
	out_value(out, "trials", proving->trials);
	out_value(out, "broken", proving->broken);
	out_value_flag(out, "complete", proving->complete);
	*verdict_out = proving->broken || lost ? VERDICT_LEFT : 0;
	if (proving->broken)
		out_line(out,
			 "NOT proven: in %" PRIu64 " of %u cases rows neither stand nor are named",
			 proving->broken, proving->trials);
	else
		out_line(out, "%s in %u cases every named row stands or is named as lost",
			 proving->complete ? "proven:" : "not all cases tried, but",
			 proving->trials);
	return 0;
}

static int log_prove_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct log_report report = { 0 };
	struct proving proving = { .inv = inv, .report = &report, .complete = true };
	struct array *array = NULL;
	uint32_t tolerance;
	int rc = cli_log_open(&array, &report, inv, ACCESS_SALVAGE, err);

	if (rc)
		return rc;
	tolerance = members_collect(&proving, array);
	array_close(array);
	record_show(inv->out, &report);
	out_value(inv->out, "tolerance", tolerance);
	rc = prove(&proving, tolerance, verdict_out, err);
	log_report_reset(&report);
	return rc;
}

static const char *const show_details[] = {
	"Shows the newest whole record of the intent log: the copies on the members, the rows that "
	"may differ on them, and the seal pages that it carries. PAYLOAD is how much content it "
	"carries for the rows. The log is shown as it was left; the next opening for writing "
	"recovers it and empties it.",
	NULL,
};
static const char *const check_details[] = {
	"Every copy is verified; each lies in the slot of its generation, so that two generations "
	"in succession never share one; volumes, groups, rows and columns that the record names "
	"exist, and content matches its checksums. Exit status 4: a rule is broken.",
	NULL,
};
static const char *const prove_details[] = {
	"Recovery is done in memory, with all members that are there and again without every set "
	"of members that the named groups can lose; each time all data of the named rows is read "
	"and held against checksums and equations. Nothing is written. Exit status 4: a row "
	"neither stands nor is named as lost, or recovery would lose rows now.",
	NULL,
};
static const char *const show_examples[] = {
	"pgctl log show tank/",
	"pgctl log show --json tank/ | jq '.entries[]'",
	NULL,
};

static const struct command verb_show = {
	.name = "show",
	.summary = "the newest record of the intent log",
	.group = GROUP_CARE,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.details = show_details,
	.examples = show_examples,
	.run = log_show_run,
};
static const struct command verb_check = {
	.name = "check",
	.summary = "do all copies and entries of the log keep the rules",
	.group = GROUP_CARE,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.details = check_details,
	.run = log_check_run,
};
static const struct command verb_prove = {
	.name = "prove",
	.summary = "try in memory what recovery does, also with members lost",
	.group = GROUP_CARE,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.details = prove_details,
	.run = log_prove_run,
};

static const struct command *const log_verbs[] = { &verb_show, &verb_check, &verb_prove, NULL };
static const char *const log_details[] = {
	"The intent log names the rows that in-place writes have under way (pgctl write), so that "
	"a crash cannot leave data and parity apart.",
	NULL,
};

const struct command cmd_log = {
	.name = "log",
	.summary = "show, check and try out the intent log",
	.group = GROUP_CARE,
	.details = log_details,
	.verbs = log_verbs,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl explain: what a code of an error or of status means, and what to do. Without a code: all of them. */
#include "cli/command.h"
#include "cli/nearest.h"
#include "cli/output.h"
#include "cli/problem.h"

#define CODE_COUNT ((int)ERR_INDEX_COUNT)

static const struct field
	code_fields
		[] = {
			{ "code", FIELD_TEXT, "CODE" },
			{ "exit", FIELD_COUNT, "EXIT" }, /* null for what status reports */
			{ "meaning", FIELD_TEXT, "MEANING" },
			{ "try", FIELD_TEXT, NULL },
			{ 0 },
		};

static void explain_all(struct out *out)
{
	out_list_begin(out, "codes", code_fields);
	for (int code = -1; code > -CODE_COUNT; code--) {
		out_text(out, err_name(code));
		out_number(out, (uint64_t)err_class(code));
		out_text(out, err_sentence(code));
		out_text(out, err_code_hint(code));
	}
	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		enum problem_code problem = (enum problem_code)i;

		out_text(out, problem_name(problem));
		out_none(out);
		out_text(out, problem_sentence(problem));
		out_text(out, problem_hint(problem));
	}
	out_list_end(out);
}

static int refuse(const char *name, struct err *err)
{
	struct nearest nearest = { .typed = name };

	for (int code = -1; code > -CODE_COUNT; code--)
		nearest_offer(&nearest, err_name(code));
	for (unsigned i = 0; i < PROBLEM_COUNT; i++)
		nearest_offer(&nearest, problem_name((enum problem_code)i));
	if (nearest.word)
		err_set(err, ERR_USAGE, "unknown code '%s': did you mean '%s'?", name,
			nearest.word);
	else
		err_set(err, ERR_USAGE, "unknown code '%s'", name);
	return err_hint(err, "pgctl explain");
}

static int cmd_explain_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const char *name = inv->operand_count ? inv->operands[0] : NULL;
	int code = name ? err_from_name(name) : 0;
	enum problem_code problem;

	(void)verdict_out;
	if (!name) {
		explain_all(inv->out);
		return 0;
	}
	if (code) {
		out_value_text(inv->out, "code", err_name(code));
		out_value_text(inv->out, "meaning", err_sentence(code));
		out_value(inv->out, "exit", (uint64_t)err_class(code));
		out_value_text(inv->out, "try", err_code_hint(code));
		return 0;
	}
	problem = problem_from_name(name);
	if (problem == PROBLEM_COUNT)
		return refuse(name, err);
	out_value_text(inv->out, "code", problem_name(problem));
	out_value_text(inv->out, "meaning", problem_sentence(problem));
	out_value_text(inv->out, "try", problem_hint(problem));
	return 0;
}

static const char *const examples[] = {
	"pgctl explain too-few-members",
	"pgctl explain",
	NULL,
};

const struct command cmd_explain = {
	.name = "explain",
	.summary = "say what an error code means and what to do",
	.group = GROUP_SERVICE,
	.operands = "[CODE]",
	.operands_max = 1,
	.examples = examples,
	.run = cmd_explain_run,
};

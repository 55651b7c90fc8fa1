/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/dispatch.h"

#include "cli/fault_spec.h"
#include "cli/members.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/overlay_dir.h"
#include "cli/progress.h"
#include "cli/stop.h"
#include "cli/usage.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/dev/devices.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FULL_NAME_SIZE 48u

/* Everything of one line; zeroed at first, released by line_reset(). */
struct line {
	const struct dispatch_context *context;
	const struct command *command;
	char name[FULL_NAME_SIZE];
	char **words; /* argv without the names of the command */
	int word_count;
	struct common_options common;
	void *args;
	struct option_set sets[OPTION_SETS_MAX];
	struct operands operands;
	bool parsed;
	struct out *out;
	struct progress *progress;
	struct trace_sink *trace;
	struct array_paths *paths;
	struct fault_set *faults;
	struct overlay_dir *overlay;
};

static void line_reset(struct line *line)
{
	if (line->parsed)
		options_reset(&line->operands, line->sets, OPTION_SETS_MAX);
	progress_close(line->progress);
	array_paths_free(line->paths);
	fault_set_free(line->faults);
	overlay_dir_close(line->overlay);
	out_free(line->out);
	mem_free(line->args);
	mem_free(line->words);
}

/* How many words the option at `word` takes, when only common options can stand there. */
static int option_words(const char *word)
{
	char name[FULL_NAME_SIZE];
	const struct option_spec *spec;
	size_t size = strlen(word);

	if (word[1] != '-' || strchr(word, '=') || size - 2 >= sizeof(name))
		return 1; /* no letter of a common option takes a value */
	memcpy(name, word + 2, size - 1);
	spec = option_find(common_option_table, name);
	return spec && spec->kind != OPTION_FLAG && !spec->value_optional ? 2 : 1;
}

/* Take the first word that is no option out of line->words; NULL when there is none. */
static const char *name_take(struct line *line)
{
	for (int i = 0; i < line->word_count;) {
		char *word = line->words[i];

		if (word[0] == '-' && word[1]) {
			i += option_words(word);
			continue;
		}
		line->word_count--;
		memmove(line->words + i, line->words + i + 1,
			(size_t)(line->word_count - i) * sizeof(*line->words));
		return word;
	}
	return NULL;
}

static bool help_wanted(const struct line *line)
{
	for (int i = 0; i < line->word_count; i++) {
		if (strcmp(line->words[i], "--help") == 0 || strcmp(line->words[i], "-h") == 0)
			return true;
	}
	return false;
}

static int verb_take(struct line *line, struct err *err)
{
	const struct command *family = line->command;
	const char *word = name_take(line);

	if (!word && help_wanted(line))
		return 0;
	if (!word)
		return err_set(err, ERR_USAGE, "a verb is missing");
	line->command = command_find(family->verbs, word);
	if (!line->command)
		return command_refuse("verb", family->verbs, word, err);
	snprintf(line->name, sizeof(line->name), "%s %s", family->name, line->command->name);
	return 0;
}

static int command_take(struct line *line, struct err *err)
{
	const char *word = name_take(line);

	if (!word)
		return err_set(err, ERR_USAGE, "no command given");
	line->command = command_find(command_table, word);
	if (!line->command)
		return command_refuse("command", command_table, word, err);
	snprintf(line->name, sizeof(line->name), "%s", line->command->name);
	return line->command->verbs ? verb_take(line, err) : 0;
}

/* The shell's array in focus goes before what was typed. */
static int focus_apply(struct line *line, struct err *err)
{
	const char *focus = line->context->focus;
	const char **at;

	if (!focus || !command_takes_array(line->command))
		return 0;
	at = mem_realloc(line->operands.at, line->operands.count + 1, sizeof(*at));
	if (!at)
		return err_set(err, ERR_NOMEM, "no memory for the command line");
	memmove(at + 1, at, line->operands.count * sizeof(*at));
	at[0] = focus;
	line->operands = (struct operands){ at, line->operands.count + 1 };
	return 0;
}

static int operands_check(const struct line *line, struct err *err)
{
	const struct command *command = line->command;
	size_t count = line->operands.count;
	const char *text = command->operands && command->operands[0] ? command->operands : "none";

	if (count < command->operands_min)
		return err_set(err, ERR_USAGE, "too few operands: %zu given, needed: %s", count,
			       text);
	if (count > command->operands_max)
		return err_set(err, ERR_USAGE, "too many operands, beginning with '%s'; needed: %s",
			       line->operands.at[command->operands_max], text);
	return 0;
}

/* What this version cannot do, said before anything is opened. */
static int common_check(const struct line *line, struct err *err)
{
	const struct common_options *common = &line->common;
	unsigned flags = line->command->flags;

	if (common->overlay && !common->overlay[0])
		return err_set(err, ERR_USAGE, "--overlay: the directory has no name");
	if (common->overlay && flags & COMMAND_NO_OVERLAY)
		return err_set(err, ERR_UNSUPPORTED, "--overlay is not available for this command");
	if (common->plan && common->plan[0])
		return err_set(err, ERR_UNSUPPORTED,
			       "--plan=FILE: a plan cannot be kept in a file in this version");
	if (common->plan && flags & COMMAND_WRITES && !(flags & COMMAND_PLANS))
		return err_set(err, ERR_UNSUPPORTED, "--plan is not available for this command");
	if (common->progress_fd > INT_MAX)
		return err_set(err, ERR_USAGE, "--progress-fd: no such file descriptor");
	if (common->member_timeout > MEMBER_TIMEOUT_MAX_S)
		return err_set(err, ERR_USAGE, "--member-timeout: at most %u seconds",
			       MEMBER_TIMEOUT_MAX_S);
	return 0;
}

static int line_parse(struct line *line, struct err *err)
{
	const struct command *command = line->command;
	int rc;

	line->args = mem_calloc(1, command->args_size ? command->args_size : 1);
	if (!line->args)
		return err_set(err, ERR_NOMEM, "no memory for the command line");
	if (command->defaults)
		memcpy(line->args, command->defaults, command->args_size);
	line->sets[0] = (struct option_set){ command->options, line->args };
	line->sets[1] = (struct option_set){ common_option_table, &line->common };
	rc = options_parse(&line->operands, line->sets, OPTION_SETS_MAX, line->word_count,
			   line->words, err);
	if (rc)
		return rc;
	line->parsed = true;
	if (line->common.help)
		return 0;
	rc = focus_apply(line, err);
	if (rc == 0)
		rc = operands_check(line, err);
	return rc ? rc : common_check(line, err);
}

/* Is the document wanted, also when the line could not be parsed? */
static bool json_wanted(const struct line *line)
{
	if (line->common.help)
		return false;
	if (line->parsed)
		return line->common.json;
	for (int i = 0; i < line->word_count && strcmp(line->words[i], "--") != 0; i++) {
		if (strcmp(line->words[i], "--json") == 0 || strcmp(line->words[i], "-j") == 0)
			return true;
	}
	return false;
}

static bool color_wanted(const struct line *line)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (line->common.color != COLOR_AUTO)
		return line->common.color == COLOR_ALWAYS;
	return isatty(STDERR_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

static int line_out_open(struct line *line, struct err *err)
{
	const struct out_config config = {
		.json = json_wanted(line),
		.color = color_wanted(line),
		.quiet = line->common.quiet,
		.file = stdout,
		.error_file = stderr,
		.command = line->name[0] ? line->name : "usage",
	};

	return out_open(&line->out, &config, err);
}

static void bar_hide(void *progress)
{
	progress_hide(progress);
}

static int overlay_open(struct line *line, struct err *err)
{
	int rc;

	if (!line->common.overlay)
		return 0;
	rc = overlay_dir_open(&line->overlay, line->context->env, line->common.overlay,
			      line->common.io == IO_MODE_SYNC ? DEV_ENGINE_SYNC : DEV_ENGINE_AUTO,
			      false, err);
	return rc ? rc : overlay_dir_check_open(line->overlay, err);
}

static int line_open(struct line *line, struct err *err)
{
	const struct progress_config config = {
		.env = line->context->env,
		.mode = (enum progress_mode)line->common.progress,
		.fd = (int)line->common.progress_fd,
		.silent = line->common.quiet || line->common.json,
		.rate_max = line->common.rate_max,
		.stop = stop_requested,
	};
	int rc = progress_open(&line->progress, &config, err);

	if (rc)
		return rc;
	out_before(line->out, bar_hide, line->progress);
	line->paths = array_paths_create();
	if (!line->paths)
		return err_set(err, ERR_NOMEM, "no memory");
	rc = fault_set_create(&line->faults, &line->common.faults, line->context->env, err);
	if (rc)
		return rc;
	if (line->common.trace)
		rc = trace_sink_open(&line->trace, line->context->env, line->common.trace, err);
	return rc ? rc : overlay_open(line, err);
}

/* The hint of the code with the operator's own ARRAY and COMMAND in place of these words. */
static void hint_complete(const struct line *line, struct err *err)
{
	struct text hint = { 0 };
	bool has_array = line->command && command_takes_array(line->command) && line->parsed &&
			 line->operands.count;

	if (err->hint[0])
		return;
	if (err->code == ERR_USAGE) {
		err_hint(err, line->name[0] ? "pgctl help %s" : "pgctl help", line->name);
		return;
	}
	for (const char *at = err_code_hint(err->code); *at;) {
		if (has_array && strncmp(at, "ARRAY", 5) == 0) {
			text_add(&hint, "%s", line->operands.at[0]);
			at += 5;
		} else if (line->name[0] && strncmp(at, "COMMAND", 7) == 0) {
			text_add(&hint, "%s", line->name);
			at += 7;
		} else {
			text_add(&hint, "%c", *at++);
		}
	}
	if (!hint.failed && hint.chars)
		err_hint(err, "%s", hint.chars);
	text_reset(&hint);
}

static int help_print(const struct line *line, struct err *err)
{
	struct text text = { 0 };
	int rc = 0;

	usage_command(&text, line->command, line->name);
	if (text.failed)
		rc = err_set(err, ERR_NOMEM, "no memory for the help");
	else
		fputs(text.chars, stdout);
	text_reset(&text);
	return rc;
}

static unsigned line_run(struct line *line, struct err *err)
{
	struct invocation inv = {
		.command = line->command,
		.name = line->name,
		.args = line->args,
		.operands = line->operands.at,
		.operand_count = line->operands.count,
		.common = &line->common,
		.out = line->out,
		.env = line->context->env,
		.watch = progress_watch(line->progress),
		.trace = line->trace,
		.faults = line->faults,
		.overlay = line->overlay,
		.paths = line->paths,
	};
	unsigned verdict = 0, status;
	int rc = line->command->run(&inv, &verdict, err);

	cli_members_warn(&inv);
	assert((rc == 0) == (err->code == 0));
	if (line->command->exit_status)
		status = line->command->exit_status(&inv, verdict, err);
	else
		status = verdict | (rc ? (unsigned)err_class(rc) : 0);
	out_before(line->out, NULL, NULL);
	progress_close(line->progress);
	line->progress = NULL;
	return status;
}

/* Close the trace, print the error and the rest of the output; returns the exit status. */
static unsigned line_finish(struct line *line, unsigned status, struct err *err)
{
	struct err late = { 0 };

	if (trace_sink_close(line->trace, &late)) {
		status |= (unsigned)err_class(late.code);
		if (!err->code)
			*err = late;
	}
	line->trace = NULL;
	if (err->code) {
		hint_complete(line, err);
		out_error(line->out, err);
	}
	if (out_finish(line->out, status, &late)) {
		status |= ERR_CLASS_OPERATIONAL;
		fprintf(stderr, "pgctl: %s: %s\n", line->name, late.text);
	}
	assert(status <= EXIT_STATUS_MAX);
	return status;
}

static int words_copy(struct line *line, int argc, char *const *argv, struct err *err)
{
	line->words = mem_calloc((size_t)argc + 1, sizeof(*line->words));
	if (!line->words)
		return err_set(err, ERR_NOMEM, "no memory for the command line");
	memcpy(line->words, argv, (size_t)argc * sizeof(*line->words));
	line->word_count = argc;
	return 0;
}

/* From words to a command with its arguments. */
static int line_read(struct line *line, int argc, char *const *argv, struct err *err)
{
	int rc = words_copy(line, argc, argv, err);

	if (rc == 0)
		rc = command_take(line, err);
	if (rc)
		return rc;
	assert(line->command);
	if (!line->command->verbs)
		return line_parse(line, err);
	line->common.help = true; /* "volume --help" */
	return 0;
}

/* The exit status of a line that was read without error. */
static unsigned line_do(struct line *line, struct err *err)
{
	int rc = line->common.help ? help_print(line, err) : line_open(line, err);

	if (rc)
		return (unsigned)err_class(rc);
	return line->common.help ? 0 : line_run(line, err);
}

unsigned dispatch(const struct dispatch_context *context, int argc, char *const *argv)
{
	struct line line = {
		.context = context,
		.common.progress_fd = STDERR_FILENO,
		.common.member_timeout = MEMBER_TIMEOUT_S,
	};
	struct err err = { 0 }, no_output = { 0 };
	unsigned status;
	int rc = line_read(&line, argc, argv, &err);

	if (line_out_open(&line, &no_output)) {
		fprintf(stderr, "pgctl: %s\n", no_output.text);
		status = (unsigned)err_class(no_output.code);
	} else {
		status = rc ? (unsigned)err_class(rc) : line_do(&line, &err);
		status = line_finish(&line, status, &err);
	}
	line_reset(&line);
	return status;
}

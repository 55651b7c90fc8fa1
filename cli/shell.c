/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/shell.h"

#include "cli/complete.h"
#include "cli/dispatch.h"
#include "cli/shell_words.h"
#include "cli/stop.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#define LINE_SIZE_MAX (64u << 10)
#define SOURCE_DEPTH_MAX 8u /* a file that sources itself ends here */
#define HISTORY_LINES_MAX 1000

struct shell {
	struct env *env;
	char *focus; /* owned; NULL: none */
	unsigned depth;
	bool quit;
};

static int script_run(struct shell *shell, const char *path, unsigned *status_out, struct err *err);

static void error_print(const char *what, const struct err *err)
{
	const char *hint = err->hint[0] ? err->hint : "pgctl help shell";

	fprintf(stderr, "pgctl: %s: %s\ntry: %s\n", what, err->text, hint);
}

static unsigned dispatch_words(const struct shell *shell, const char *focus, int count,
			       char *const *words)
{
	const struct dispatch_context context = { .env = shell->env, .focus = focus };

	return dispatch(&context, count, words);
}

/* Open the array once, quietly: a name that leads nowhere is refused now, not at the next line. */
static unsigned focus_set(struct shell *shell, const struct shell_words *words)
{
	char status[] = "status", test[] = "--test", quiet[] = "--quiet", end[] = "--";
	char *line[] = { status, test, quiet, end, NULL, NULL };
	char *focus = NULL;
	unsigned exit_status;

	if (words->count > 2) {
		error_print("use", &(struct err){ .code = ERR_USAGE,
						  .text = "one ARRAY, or none",
						  .hint = "use ARRAY" });
		return ERR_CLASS_USAGE;
	}
	if (words->count == 2) {
		line[4] = words->at[1];
		exit_status = dispatch_words(shell, NULL, 5, line);
		if (exit_status > 2) /* 4: could not find out */
			return exit_status;
		focus = mem_strdup(words->at[1]);
		if (!focus)
			return ERR_CLASS_OPERATIONAL;
	}
	mem_free(shell->focus);
	shell->focus = focus;
	return 0;
}

static unsigned source(struct shell *shell, const struct shell_words *words)
{
	struct err err = { 0 };
	unsigned status = 0;

	if (words->count != 2)
		err_set(&err, ERR_USAGE, "needs one FILE");
	else if (script_run(shell, words->at[1], &status, &err) == 0)
		return status;
	if (!err.hint[0])
		err_hint(&err, "source FILE");
	error_print("source", &err);
	return status | (unsigned)err_class(err.code);
}

static unsigned words_run(struct shell *shell, const struct shell_words *words)
{
	const char *first = words->at[0];
	int skip = strcmp(first, "pgctl") == 0 && words->count > 1;

	if (strcmp(first, "quit") == 0 || strcmp(first, "exit") == 0) {
		shell->quit = true;
		return 0;
	}
	if (strcmp(first, "use") == 0)
		return focus_set(shell, words);
	if (strcmp(first, "source") == 0)
		return source(shell, words);
	if (strcmp(words->at[skip], "shell") == 0) {
		error_print("shell", &(struct err){ .code = ERR_USAGE,
						    .text = "this is the shell already",
						    .hint = "use ARRAY" });
		return ERR_CLASS_USAGE;
	}
	return dispatch_words(shell, shell->focus, (int)words->count - skip, words->at + skip);
}

/* One line; *goes_on_out is false when a script ends with its status. */
static unsigned line_run(struct shell *shell, const char *line, bool *goes_on_out)
{
	struct shell_words words = { 0 };
	struct err err = { 0 };
	bool forgiven;
	unsigned status = 0;

	line += strspn(line, " \t");
	forgiven = *line == '-';
	line += forgiven;
	*goes_on_out = true;
	stop_clear();
	if (shell_words_split(&words, line, &err)) {
		error_print("shell", &err);
		status = (unsigned)err_class(err.code);
	} else if (words.count) {
		status = words_run(shell, &words);
	}
	shell_words_reset(&words);
	(void)fflush(stdout); /* a failure stays on the stream, the next command says it */
	if (!forgiven && status & ~(unsigned)VERDICT_CORRECTED)
		*goes_on_out = false;
	return status;
}

/* The next line without its newline; 1 for a line, 0 at the end. */
static int line_read(char *line, FILE *file, const char *name, unsigned number, struct err *err)
{
	size_t size;

	if (!fgets(line, (int)LINE_SIZE_MAX, file)) {
		if (ferror(file))
			return err_set(err, ERR_IO, "%s: %s", name, strerrordesc_np(errno));
		return 0;
	}
	size = strlen(line);
	if (size && line[size - 1] == '\n')
		line[size - 1] = '\0';
	else if (size == LINE_SIZE_MAX - 1)
		return err_set(err, ERR_USAGE, "%s: line %u is too long", name, number);
	return 1;
}

static int lines_run(struct shell *shell, FILE *file, const char *name, unsigned *status_out,
		     struct err *err)
{
	char *line = mem_calloc(LINE_SIZE_MAX, 1);
	bool goes_on = true;
	int rc = 1;

	if (!line)
		return err_set(err, ERR_NOMEM, "%s: no memory", name);
	for (unsigned number = 1; goes_on && !shell->quit; number++) {
		rc = line_read(line, file, name, number, err);
		if (rc <= 0)
			break;
		*status_out = line_run(shell, line, &goes_on);
		if (!goes_on) {
			char shown[200];

			err_escape(shown, sizeof(shown), line, strlen(line));
			fprintf(stderr, "pgctl: %s:%u: stopped after: %s\n", name, number, shown);
		} else {
			*status_out = 0;
		}
	}
	mem_free(line);
	return rc < 0 ? rc : 0;
}

static int script_run(struct shell *shell, const char *path, unsigned *status_out, struct err *err)
{
	struct stat facts;
	FILE *file;
	int rc;

	if (shell->depth == SOURCE_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "%s: more than %u files source each other", path,
			       SOURCE_DEPTH_MAX);
	file = fopen(path, "re");
	if (!file) {
		err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_ACCESS, "%s: %s", path,
			strerrordesc_np(errno));
		return err_hint(err, "name a file of commands, one a line");
	}
	if (fstat(fileno(file), &facts) == 0 && S_ISDIR(facts.st_mode)) {
		(void)fclose(file); /* only read */
		return err_set(err, ERR_KIND, "%s is a directory", path);
	}
	shell->depth++;
	rc = lines_run(shell, file, path, status_out, err);
	shell->depth--;
	(void)fclose(file); /* only read */
	return rc;
}

/* ---- on a terminal */

/* Create the folders on the way to `path`; what fails shows when the file is written. */
static void folders_make(char *path)
{
	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
}

/* $XDG_STATE_HOME/pgctl/history, by default below ~/.local/state; NULL without a home. */
static char *history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	struct text text = { 0 };

	if (state && state[0] == '/')
		text_add(&text, "%s/pgctl/history", state);
	else if (home && home[0] == '/')
		text_add(&text, "%s/.local/state/pgctl/history", home);
	if (text.failed)
		text_reset(&text);
	return text.chars;
}

/* ^C at the prompt throws the line away; SIGTERM ends the shell. */
static int signal_seen(void)
{
	if (!stop_requested())
		return 0;
	if (stop_signal() == SIGINT) {
		stop_clear();
		fputc('\n', rl_outstream);
		rl_replace_line("", 0);
		rl_on_new_line();
		rl_redisplay();
	} else {
		rl_done = 1;
	}
	return 0;
}

static char *prompt_line(const struct shell *shell)
{
	char prompt[80];

	if (shell->focus) {
		char shown[60];

		err_escape(shown, sizeof(shown), shell->focus, strlen(shell->focus));
		snprintf(prompt, sizeof(prompt), "pgctl %s> ", shown);
	} else {
		snprintf(prompt, sizeof(prompt), "pgctl> ");
	}
	return readline(prompt);
}

static void terminal_run(struct shell *shell)
{
	char *path = history_path(), *line;
	const char *const *focus = (const char *const *)(const void *)&shell->focus;

	rl_signal_event_hook = signal_seen;
	complete_install(shell->env, focus);
	using_history();
	stifle_history(HISTORY_LINES_MAX);
	if (path)
		read_history(path);
	while (!shell->quit && stop_signal() != SIGTERM && (line = prompt_line(shell))) {
		bool goes_on;

		if (line[strspn(line, " \t")]) {
			add_history(line);
			line_run(shell, line, &goes_on);
		}
		free(line);
	}
	if (!shell->quit)
		fputc('\n', stdout);
	if (path) {
		folders_make(path);
		write_history(path);
	}
	mem_free(path);
}

int shell_run(const struct shell_config *config, unsigned *status_out, struct err *err)
{
	struct shell shell = { .env = config->env };
	int rc = 0;

	if (config->focus) {
		shell.focus = mem_strdup(config->focus);
		if (!shell.focus)
			return err_set(err, ERR_NOMEM, "no memory for the shell");
	}
	if (config->script)
		rc = script_run(&shell, config->script, status_out, err);
	else if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		terminal_run(&shell);
	else
		rc = lines_run(&shell, stdin, "standard input", status_out, err);
	mem_free(shell.focus);
	return rc;
}

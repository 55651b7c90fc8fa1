/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl: from the process to one command line. */
#include "cli/dispatch.h"
#include "cli/stop.h"
#include "core/base/mem.h"
#include "core/env/env.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 2

/* What stands for a command where no command is named. */
static const struct shorthand {
	const char *option;
	const char *words[WORDS_MAX];
} shorthands[] = {
	{ "--version", { "version" } },
	{ "-V", { "version" } },
	{ "--help", { "help" } },
	{ "-h", { "help" } },
	{ "-f", { "shell", "--script" } },
	{ "--list-commands", { "describe", "--commands" } },
	{ "--list-completions", { "describe", "--completions" } },
};

/*
 * A standard descriptor that is closed would be given to the next file that is opened, and messages would
 * go into a member. Fill the gaps with something that refuses the use.
 */
static void descriptors_fill(void)
{
	static const int modes[3] = { O_WRONLY, O_RDONLY, O_RDWR };

	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			_exit(8);
	}
}

static unsigned run_shorthand(const struct dispatch_context *context,
			      const struct shorthand *shorthand, int argc, char **argv)
{
	char **words = mem_calloc((size_t)argc + WORDS_MAX, sizeof(*words));
	unsigned status = ERR_CLASS_OPERATIONAL;
	int count = 0;

	if (!words)
		return status;
	for (; count < WORDS_MAX && shorthand->words[count]; count++)
		words[count] = (char *)(uintptr_t)shorthand->words[count];
	for (int i = 2; i < argc; i++)
		words[count++] = argv[i];
	status = dispatch(context, count, words);
	mem_free(words);
	return status;
}

int main(int argc, char **argv)
{
	struct dispatch_context context = { .env = env_threads() };

	descriptors_fill();
	setlocale(LC_CTYPE, "");
	stop_install();
	if (argc == 1 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return (int)dispatch(&context, 1, (char *[]){ (char[]){ "shell" }, NULL });
	for (size_t i = 0; argc > 1 && i < sizeof(shorthands) / sizeof(shorthands[0]); i++) {
		if (strcmp(argv[1], shorthands[i].option) == 0)
			return (int)run_shorthand(&context, &shorthands[i], argc, argv);
	}
	return (int)dispatch(&context, argc - 1, argv + 1);
}

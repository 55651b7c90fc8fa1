/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The command table: aim is that everything made from it (parser, help, completions, pages) can be.
 * Method: walk all commands and all their options and hold each to the rules of command.h.
 */
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/options.h"
#include "cli/usage.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check_option(const struct option_spec *spec, size_t args_size)
{
	assert_true(strlen(spec->name) >= 2);
	assert_true(strspn(spec->name, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
		    strlen(spec->name));
	assert_true(spec->offset + option_value_size(spec->kind) <= args_size);
	assert_true((spec->kind == OPTION_FLAG) == (spec->metavar == NULL));
	assert_true((spec->kind == OPTION_CHOICE) == (spec->choices != NULL));
	assert_true(!spec->letter || isalpha((unsigned char)spec->letter));
	assert_true(!spec->value_optional || spec->kind == OPTION_TEXT);
	assert_true(spec->help && spec->help[0] && !strchr(spec->help, '\n'));
	assert_true(spec->help[strlen(spec->help) - 1] != '.');
}

static void check_table(const struct option_spec *specs, size_t args_size)
{
	for (const struct option_spec *spec = specs; spec && spec->name; spec++) {
		check_option(spec, args_size);
		for (const struct option_spec *other = specs; other < spec; other++) {
			assert_string_not_equal(other->name, spec->name);
			assert_true(!spec->letter || other->letter != spec->letter);
		}
	}
}

static unsigned command_count;

static void check_command(void *arg, const struct command *command, const char *name)
{
	(void)arg;
	command_count++;
	print_message("%s\n", name);
	assert_non_null(command->run);
	assert_null(command->verbs);
	assert_true(command->summary && command->summary[0]);
	assert_false(isupper((unsigned char)command->summary[0]));
	assert_true(command->summary[strlen(command->summary) - 1] != '.');
	assert_true((unsigned)command->group < GROUP_COUNT);
	assert_true(command->operands_min <= command->operands_max);
	assert_true((command->operands_max > 0) == (command->operands && command->operands[0]));
	assert_true((command->operands_max == OPERANDS_ANY) ==
		    (command->operands && strstr(command->operands, "…")));
	assert_true(!command->options == (command->args_size == 0));
	assert_true(!command->defaults || command->args_size);
	assert_true(!(command->flags & COMMAND_PLANS) || command->flags & COMMAND_WRITES);
	check_table(command->options, command->args_size);
	for (const char *const *example = command->examples; example && *example; example++)
		assert_true(strncmp(*example, "pgctl ", 6) == 0 ||
			    strstr(*example, " pgctl ") != NULL);
}

static void every_command_is_whole(void **state)
{
	(void)state;
	check_table(common_option_table, sizeof(struct common_options));
	describe_each(check_command, NULL);
	assert_true(command_count > 20);
}

/* A letter of a common option keeps its meaning in every command, and takes no value. */
static void check_letters(void *arg, const struct command *command, const char *name)
{
	(void)arg;
	(void)name;
	for (const struct option_spec *own = command->options; own && own->name; own++) {
		for (const struct option_spec *common = common_option_table; common->name; common++)
			assert_true(!own->letter || own->letter != common->letter);
	}
}

static void letters_mean_one_thing(void **state)
{
	(void)state;
	for (const struct option_spec *common = common_option_table; common->name; common++)
		assert_true(!common->letter || common->kind == OPTION_FLAG ||
			    common->value_optional);
	describe_each(check_letters, NULL);
}

static void names_are_unique(void **state)
{
	(void)state;
	for (const struct command *const *a = command_table; *a; a++) {
		assert_ptr_equal(command_find(command_table, (*a)->name), *a);
		if ((*a)->alias)
			assert_ptr_equal(command_find(command_table, (*a)->alias), *a);
		for (const struct command *const *verb = (*a)->verbs; verb && *verb; verb++)
			assert_ptr_equal(command_find((*a)->verbs, (*verb)->name), *verb);
	}
	assert_null(command_find(command_table, "no-such-command"));
}

/* The commands that the contract names are there, also under their other names. */
static void contract(void **state)
{
	static const char *const names[] = {
		"create",  "volume", "put",     "get",     "read",     "status",  "list",
		"inspect", "map",    "check",   "scrub",   "fail",     "offline", "online",
		"add",     "remove", "rebuild", "replace", "wait",     "job",     "fault",
		"explain", "help",   "version", "shell",   "resilver",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!command_find(command_table, names[i]))
			fail_msg("no command %s", names[i]);
	}
}

static void completes(void **state)
{
	static const struct command one = { .name = "x", .operands = "ARRAY [MEMBER…]" };
	static const struct command two = { .name = "x", .operands = "NAME MEMBER…" };
	static const struct command three = { .name = "x", .operands = "ARRAY VOLUME NAME" };
	static const struct command none = { .name = "x" };

	(void)state;
	assert_int_equal(command_completes(&one, 0), COMPLETES_PATH);
	assert_int_equal(command_completes(&one, 1), COMPLETES_MEMBER);
	assert_int_equal(command_completes(&one, 9), COMPLETES_MEMBER);
	assert_int_equal(command_completes(&two, 0), COMPLETES_NOTHING);
	assert_int_equal(command_completes(&two, 3), COMPLETES_PATH);
	assert_int_equal(command_completes(&three, 1), COMPLETES_VOLUME);
	assert_int_equal(command_completes(&three, 3), COMPLETES_NOTHING);
	assert_int_equal(command_completes(&none, 0), COMPLETES_NOTHING);
	assert_true(command_takes_array(&one));
	assert_false(command_takes_array(&two));
	assert_false(command_takes_array(&none));
}

/* No line of help passes 100 columns, and every option of a command is in its help. */
static void check_help(void *arg, const struct command *command, const char *name)
{
	struct text text = { 0 };

	(void)arg;
	usage_command(&text, command, name);
	assert_false(text.failed);
	for (const char *line = text.chars; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 110); /* bytes; "…" has three */
	for (const struct option_spec *spec = command->options; spec && spec->name; spec++) {
		char option[80];

		snprintf(option, sizeof(option), "--%s", spec->name);
		assert_non_null(strstr(text.chars, option));
	}
	text_reset(&text);
}

static void help(void **state)
{
	(void)state;
	describe_each(check_help, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_whole),
		cmocka_unit_test(letters_mean_one_thing),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(contract),
		cmocka_unit_test(completes),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

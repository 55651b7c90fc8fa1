/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Completion scripts. What a word may be comes from the tables, here and now; names of members and volumes
 * are asked of `pgctl describe --names` when the key is pressed.
 */
#include "cli/describe.h"

#include "cli/problem.h"

#include <string.h>

static const char header[] = "# SPDX-License-Identifier: GPL-3.0-or-later\n"
			     "# Made by pgctl describe --completions from the tables of commands "
			     "and options: do not edit.\n";

static bool takes_value(const struct option_spec *spec)
{
	return spec->kind != OPTION_FLAG && !spec->value_optional;
}

/* ---- bash */

static const char *kind_word(enum completes kind)
{
	switch (kind) {
	case COMPLETES_PATH:
		return "path";
	case COMPLETES_MEMBER:
		return "members";
	case COMPLETES_VOLUME:
		return "volumes";
	case COMPLETES_COMMAND:
		return "command";
	case COMPLETES_CODE:
		return "code";
	case COMPLETES_NOTHING:
		break;
	}
	return "nothing";
}

static void bash_names(struct text *text, const struct option_spec *specs)
{
	for (; specs && specs->name; specs++)
		text_add(text, " --%s", specs->name);
}

static void bash_options(void *arg, const struct command *command, const char *name)
{
	struct text *text = arg;

	if (!command->options || !command->options->name)
		return;
	text_add(text, "\t'%s') printf '%%s'", name);
	text_add(text, " '");
	bash_names(text, command->options);
	text_add(text, "' ;;\n");
}

static void bash_values_of(struct text *text, const char *name, const struct option_spec *specs)
{
	for (; specs && specs->name; specs++) {
		if (!takes_value(specs))
			continue;
		text_add(text, "\t'%s --%s'", name, specs->name);
		if (specs->letter)
			text_add(text, " | '%s -%c'", name, specs->letter);
		text_add(text, ") printf '%%s' '");
		if (specs->choices) {
			text_add(text, "words");
			for (const char *const *word = specs->choices; *word; word++)
				text_add(text, " %s", *word);
		} else {
			text_add(text, "%s",
				 kind_word(completes_word(specs->metavar, strlen(specs->metavar))));
		}
		text_add(text, "' ;;\n");
	}
}

static void bash_values(void *arg, const struct command *command, const char *name)
{
	bash_values_of(arg, name, command->options);
}

/* Kinds of the operands in order; "*" when the last one repeats. */
static void bash_operands(void *arg, const struct command *command, const char *name)
{
	struct text *text = arg;
	size_t count = 0;

	for (const char *at = command->operands ? command->operands : ""; *at; at++)
		count += (*at >= 'A' && *at <= 'Z') && !(at[1] >= 'A' && at[1] <= 'Z');
	if (count == 0)
		return;
	text_add(text, "\t'%s') printf '%%s' '", name);
	for (size_t i = 0; i < count; i++)
		text_add(text, "%s%s", i ? " " : "", kind_word(command_completes(command, i)));
	if (strstr(command->operands, "…"))
		text_add(text, " *");
	text_add(text, "' ;;\n");
}

static void bash_function(struct text *text, const char *name,
			  void (*visit)(void *arg, const struct command *command, const char *name))
{
	text_add(text, "\n_pgctl_%s() {\n\tcase $1 in\n", name);
	describe_each(visit, text);
	if (visit == bash_values)
		bash_values_of(text, "*", common_option_table);
	text_add(text, "\tesac\n}\n");
}

static const char bash_logic[] =
	"\n"
	"# What kind of word stands at operand $2 of command $1.\n"
	"_pgctl_operand_kind() {\n"
	"\tlocal kinds\n"
	"\tread -ra kinds <<<\"$(_pgctl_operands \"$1\")\"\n"
	"\tlocal count=${#kinds[@]}\n"
	"\tif ((count && $2 >= count - 1)) && [[ ${kinds[count - 1]} == '*' ]]; then\n"
	"\t\tprintf '%s' \"${kinds[count - 2]}\"\n"
	"\telif (($2 < count)); then\n"
	"\t\tprintf '%s' \"${kinds[$2]}\"\n"
	"\tfi\n"
	"}\n"
	"\n"
	"# Replies for a kind of word: $1 kind, $2 what was typed, $3 the array on the line.\n"
	"_pgctl_reply() {\n"
	"\tlocal IFS=$' \\t\\n'\n"
	"\tcase $1 in\n"
	"\twords\\ *) mapfile -t COMPREPLY < <(compgen -W \"${1#words }\" -- \"$2\") ;;\n"
	"\tpath) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$2\") ;;\n"
	"\tcommand) mapfile -t COMPREPLY < <(compgen -W \"$_pgctl_commands\" -- \"$2\") ;;\n"
	"\tcode) mapfile -t COMPREPLY < <(compgen -W \"$_pgctl_codes\" -- \"$2\") ;;\n"
	"\tmembers | volumes)\n"
	"\t\tlocal names\n"
	"\t\tnames=$(pgctl describe --names \"$1\" -- \"$3\" 2>/dev/null)\n"
	"\t\tIFS=$'\\n'\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$2\")\n"
	"\t\tif [[ $1 == members && ${#COMPREPLY[@]} == 0 ]]; then\n"
	"\t\t\tcompopt -o filenames\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$2\")\n"
	"\t\tfi\n"
	"\t\t;;\n"
	"\tesac\n"
	"}\n"
	"\n"
	"_pgctl() {\n"
	"\tlocal typed=${COMP_WORDS[COMP_CWORD]} name='' array='' kind='' operand=0 i word\n"
	"\tCOMPREPLY=()\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tkind=''\n"
	"\t\tif [[ $word == -?* ]]; then\n"
	"\t\t\tkind=$(_pgctl_values \"$name $word\")\n"
	"\t\t\t[[ $kind ]] || kind=$(_pgctl_values \"* $word\")\n"
	"\t\t\t[[ $kind && $((i + 1)) -lt $COMP_CWORD ]] && ((i++)) && kind=''\n"
	"\t\telif [[ ! $name ]]; then\n"
	"\t\t\tname=$word\n"
	"\t\telif [[ $name != *' '* && \" $_pgctl_families \" == *\" $name \"* ]]; then\n"
	"\t\t\tname=\"$name $word\"\n"
	"\t\telse\n"
	"\t\t\t((operand++ == 0)) && array=$word\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif [[ $kind ]]; then\n"
	"\t\t_pgctl_reply \"$kind\" \"$typed\" \"$array\"\n"
	"\telif [[ $typed == -* ]]; then\n"
	"\t\t_pgctl_reply \"words $(_pgctl_options \"$name\") $_pgctl_common\" \"$typed\" ''\n"
	"\telif [[ ! $name ]]; then\n"
	"\t\t_pgctl_reply command \"$typed\" ''\n"
	"\telif [[ $name != *' '* && \" $_pgctl_families \" == *\" $name \"* ]]; then\n"
	"\t\t_pgctl_reply \"words $(_pgctl_verbs \"$name\")\" \"$typed\" ''\n"
	"\telse\n"
	"\t\t_pgctl_reply \"$(_pgctl_operand_kind \"$name\" \"$operand\")\" \"$typed\" \"$array\"\n"
	"\tfi\n"
	"}\n"
	"complete -F _pgctl pgctl\n";

static void bash_verbs(struct text *text)
{
	text_add(text, "\n_pgctl_verbs() {\n\tcase $1 in\n");
	for (const struct command *const *at = command_table; *at; at++) {
		if (!(*at)->verbs)
			continue;
		text_add(text, "\t%s) printf '%%s' '", (*at)->name);
		for (const struct command *const *verb = (*at)->verbs; *verb; verb++)
			text_add(text, "%s%s", verb == (*at)->verbs ? "" : " ", (*verb)->name);
		text_add(text, "' ;;\n");
	}
	text_add(text, "\tesac\n}\n");
}

void describe_bash(struct text *text)
{
	text_add(text, "%s# shellcheck shell=bash\n\n_pgctl_commands='", header);
	for (const struct command *const *at = command_table; *at; at++)
		text_add(text, "%s%s", at == command_table ? "" : " ", (*at)->name);
	text_add(text, "'\n_pgctl_families='");
	for (const struct command *const *at = command_table; *at; at++) {
		if ((*at)->verbs)
			text_add(text, " %s", (*at)->name);
	}
	text_add(text, "'\n_pgctl_common='");
	bash_names(text, common_option_table);
	text_add(text, "'\n_pgctl_codes='");
	for (int code = -1; code > -(int)ERR_INDEX_COUNT; code--)
		text_add(text, "%s%s", code == -1 ? "" : " ", err_name(code));
	for (unsigned i = 0; i < PROBLEM_COUNT; i++)
		text_add(text, " %s", problem_name((enum problem_code)i));
	text_add(text, "'\n");
	bash_verbs(text);
	bash_function(text, "options", bash_options);
	bash_function(text, "values", bash_values);
	bash_function(text, "operands", bash_operands);
	text_add(text, "%s", bash_logic);
}

/* ---- zsh */

/* Help as a zsh word in single quotes, where `brackets` part a specification. */
static void zsh_text(struct text *text, const char *help)
{
	for (; *help; help++) {
		if (*help == '\'')
			text_add(text, "'\\''");
		else
			text_add(text, strchr("[]:\\", *help) ? "\\%c" : "%c", *help);
	}
}

static void zsh_option(struct text *text, const char *dashes, const char *name,
		       const struct option_spec *spec)
{
	text_add(text, " \\\n\t\t'%s%s%s[", spec->kind == OPTION_LIST ? "*" : "", dashes, name);
	zsh_text(text, spec->help);
	text_add(text, "]");
	if (takes_value(spec)) {
		text_add(text, ":");
		zsh_text(text, spec->metavar);
		text_add(text, ":");
		if (spec->choices)
			text_add(text, "(");
		for (const char *const *word = spec->choices; word && *word; word++)
			text_add(text, "%s%s", word == spec->choices ? "" : " ", *word);
		if (spec->choices)
			text_add(text, ")");
		else if (completes_word(spec->metavar, strlen(spec->metavar)) != COMPLETES_NOTHING)
			text_add(text, "_files");
	}
	text_add(text, "'");
}

static void zsh_options(struct text *text, const struct option_spec *specs)
{
	for (; specs && specs->name; specs++) {
		char letter[2] = { specs->letter, '\0' };

		zsh_option(text, "--", specs->name, specs);
		if (specs->letter)
			zsh_option(text, "-", letter, specs);
	}
}

static void zsh_function(void *arg, const struct command *command, const char *name)
{
	struct text *text = arg;

	text_add(text, "\n_pgctl-");
	for (; *name; name++)
		text_add(text, "%c", *name == ' ' ? '-' : *name);
	text_add(text, "() {\n\t_arguments -s \"${_pgctl_common[@]}\"");
	zsh_options(text, command->options);
	if (command->operands && command->operands[0])
		text_add(text, " \\\n\t\t'*:operand:_files'");
	text_add(text, "\n}\n");
}

static void zsh_described(struct text *text, const struct command *const *list, const char *indent)
{
	for (; *list; list++) {
		text_add(text, "%s'%s:", indent, (*list)->name);
		zsh_text(text, (*list)->summary);
		text_add(text, "'\n");
	}
}

static void zsh_family(struct text *text, const struct command *family)
{
	text_add(text, "\n_pgctl-%s() {\n\tlocal -a verbs=(\n", family->name);
	zsh_described(text, family->verbs, "\t\t");
	text_add(text,
		 "\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe verb verbs\n\telse\n"
		 "\t\tlocal verb=$words[2]\n\t\tshift words\n\t\t((CURRENT--))\n"
		 "\t\t(($+functions[_pgctl-%s-$verb])) && _pgctl-%s-$verb\n\tfi\n}\n",
		 family->name, family->name);
}

void describe_zsh(struct text *text)
{
	text_add(text, "#compdef pgctl\n%s\ntypeset -ga _pgctl_common=(", header);
	zsh_options(text, common_option_table);
	text_add(text, "\n)\n");
	describe_each(zsh_function, text);
	for (const struct command *const *at = command_table; *at; at++) {
		if ((*at)->verbs)
			zsh_family(text, *at);
	}
	text_add(text, "\n_pgctl() {\n\tlocal -a commands=(\n");
	zsh_described(text, command_table, "\t\t");
	text_add(text, "\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\telse\n"
		       "\t\tlocal command=$words[2]\n\t\tshift words\n\t\t((CURRENT--))\n"
		       "\t\t(($+functions[_pgctl-$command])) && _pgctl-$command\n\tfi\n}\n\n"
		       "_pgctl \"$@\"\n");
}

/* ---- fish */

/* In single quotes fish knows \' and \\ only. */
static void fish_text(struct text *text, const char *help)
{
	text_add(text, "'");
	for (; *help; help++)
		text_add(text, strchr("'\\", *help) ? "\\%c" : "%c", *help);
	text_add(text, "'");
}

static void fish_options(struct text *text, const char *condition, const struct option_spec *specs)
{
	for (; specs && specs->name; specs++) {
		text_add(text, "complete -c pgctl%s -l %s", condition, specs->name);
		if (specs->letter)
			text_add(text, " -s %c", specs->letter);
		if (specs->choices) {
			text_add(text, " -x -a '");
			for (const char *const *word = specs->choices; *word; word++)
				text_add(text, "%s%s", word == specs->choices ? "" : " ", *word);
			text_add(text, "'");
		} else if (takes_value(specs)) {
			text_add(text, " -r");
		}
		text_add(text, " -d ");
		fish_text(text, specs->help);
		text_add(text, "\n");
	}
}

static void fish_command(void *arg, const struct command *command, const char *name)
{
	struct text condition = { 0 };

	text_add(&condition, " -n '__pgctl_is %s'", name);
	if (!condition.failed)
		fish_options(arg, condition.chars, command->options);
	text_reset(&condition);
}

static void fish_words(struct text *text, const char *condition, const struct command *const *list)
{
	for (; *list; list++) {
		text_add(text, "complete -c pgctl -n '%s' -f -a %s -d ", condition, (*list)->name);
		fish_text(text, (*list)->summary);
		text_add(text, "\n");
	}
}

void describe_fish(struct text *text)
{
	text_add(text, "%s\n", header);
	text_add(text, "# Are these the first words that are no options?\n"
		       "function __pgctl_is\n"
		       "\tset -l words (string match -v -- '-*' (commandline -opc))[2..-1]\n"
		       "\ttest \"$words[1..(count $argv)]\" = \"$argv\"\n"
		       "end\n\n"
		       "# Are these all of them?\n"
		       "function __pgctl_after\n"
		       "\tset -l words (string match -v -- '-*' (commandline -opc))[2..-1]\n"
		       "\ttest \"$words\" = \"$argv\"\n"
		       "end\n\n");
	fish_words(text, "__pgctl_after", command_table);
	for (const struct command *const *at = command_table; *at; at++) {
		struct text condition = { 0 };

		if (!(*at)->verbs)
			continue;
		text_add(&condition, "__pgctl_after %s", (*at)->name);
		if (!condition.failed)
			fish_words(text, condition.chars, (*at)->verbs);
		text_reset(&condition);
	}
	fish_options(text, "", common_option_table);
	describe_each(fish_command, text);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/command.h"

#include "cli/nearest.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

extern const struct command cmd_create, cmd_volume, cmd_put, cmd_get, cmd_extract, cmd_read,
	cmd_write;
extern const struct command cmd_status, cmd_list, cmd_inspect;
extern const struct command cmd_scrub, cmd_rebuild, cmd_replace, cmd_log, cmd_check, cmd_job,
	cmd_wait;
extern const struct command cmd_history;
extern const struct command cmd_fail, cmd_offline, cmd_online, cmd_add, cmd_remove;
extern const struct command cmd_spare, cmd_label, cmd_topology, cmd_failover, cmd_failback;
extern const struct command cmd_expand, cmd_rebalance, cmd_recombine, cmd_evacuate, cmd_migrate;
extern const struct command cmd_groups, cmd_measure;
extern const struct command cmd_map, cmd_survive, cmd_ok_to_fail, cmd_forecast, cmd_fault;
extern const struct command cmd_assemble, cmd_detect, cmd_overlay, cmd_meta, cmd_adopt;
extern const struct command cmd_explain, cmd_help, cmd_shell, cmd_describe, cmd_version;

const struct command *const command_table[] = {
	&cmd_create,   &cmd_volume,  &cmd_put,       &cmd_get,        &cmd_extract,  &cmd_read,
	&cmd_write,    &cmd_status,  &cmd_list,      &cmd_inspect,    &cmd_adopt,    &cmd_scrub,
	&cmd_rebuild,  &cmd_replace, &cmd_log,       &cmd_check,      &cmd_meta,     &cmd_job,
	&cmd_wait,     &cmd_history, &cmd_fail,      &cmd_offline,    &cmd_online,   &cmd_add,
	&cmd_remove,   &cmd_expand,  &cmd_rebalance, &cmd_recombine,  &cmd_evacuate, &cmd_migrate,
	&cmd_spare,    &cmd_label,   &cmd_topology,  &cmd_failover,   &cmd_failback, &cmd_measure,
	&cmd_map,      &cmd_groups,  &cmd_survive,   &cmd_ok_to_fail, &cmd_forecast, &cmd_fault,
	&cmd_assemble, &cmd_detect,  &cmd_overlay,   &cmd_explain,    &cmd_help,     &cmd_shell,
	&cmd_describe, &cmd_version, NULL,
};

const char *command_group_title(enum command_group group)
{
	static const char *const titles[GROUP_COUNT] = {
		"Life", "Care", "Members", "Questions", "Service",
	};

	assert((unsigned)group < GROUP_COUNT);
	return titles[group];
}

const struct command *command_find(const struct command *const *list, const char *name)
{
	for (; *list; list++) {
		if (strcmp((*list)->name, name) == 0 ||
		    ((*list)->alias && strcmp((*list)->alias, name) == 0))
			return *list;
	}
	return NULL;
}

bool command_takes_array(const struct command *command)
{
	const char *at = command->operands;

	if (!at)
		return false;
	if (*at == '[')
		at++;
	return strncmp(at, "ARRAY", 5) == 0 && !isalpha((unsigned char)at[5]);
}

int command_refuse(const char *what, const struct command *const *list, const char *word,
		   struct err *err)
{
	struct nearest nearest = { .typed = word };

	for (; *list; list++)
		nearest_offer(&nearest, (*list)->name);
	if (nearest.word)
		err_set(err, ERR_USAGE, "unknown %s '%s': did you mean '%s'?", what, word,
			nearest.word);
	else
		err_set(err, ERR_USAGE, "unknown %s '%s'", what, word);
	return err_hint(err, "pgctl help");
}

enum completes completes_word(const char *word, size_t size)
{
	static const struct {
		const char *word;
		enum completes completes;
	} words[] = {
		{ "ARRAY", COMPLETES_PATH },      { "PATH", COMPLETES_PATH },
		{ "FILE", COMPLETES_PATH },       { "DIR", COMPLETES_PATH },
		{ "SCRIPT", COMPLETES_PATH },     { "MEMBER", COMPLETES_MEMBER },
		{ "OLD", COMPLETES_MEMBER },      { "NEW", COMPLETES_MEMBER },
		{ "VOLUME", COMPLETES_VOLUME },   { "ADDRESS", COMPLETES_VOLUME },
		{ "COMMAND", COMPLETES_COMMAND }, { "CODE", COMPLETES_CODE },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].word) == size && strncmp(words[i].word, word, size) == 0)
			return words[i].completes;
	}
	return COMPLETES_NOTHING;
}

enum completes command_completes(const struct command *command, size_t index)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *at = command->operands ? command->operands : "";
	enum completes last = COMPLETES_NOTHING;
	bool repeats = false;

	for (size_t i = 0; *(at += strcspn(at, letters)); i++) {
		size_t size = strspn(at, letters);

		last = completes_word(at, size);
		/* before there is an array its members are files */
		if (last == COMPLETES_MEMBER && !command_takes_array(command))
			last = COMPLETES_PATH;
		if (i == index)
			return last;
		at += size;
		repeats = strncmp(at, "…", sizeof("…") - 1) == 0;
	}
	return repeats ? last : COMPLETES_NOTHING;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/options.h"

#include "cli/nearest.h"
#include "core/base/mem.h"
#include "core/base/units.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LONG_FIRST 256 /* what getopt returns for entry n: LONG_FIRST + n, behind all letters */

/* One table of all sets, as getopt wants it, and where each entry came from. */
struct parser {
	struct option longs[OPTIONS_MAX + 1];
	const struct option_spec *specs[OPTIONS_MAX];
	void *args[OPTIONS_MAX];
	int count;
	char letters[2 + 2 * OPTIONS_MAX + 1];
	size_t letter_size;
};

static bool takes_value(const struct option_spec *spec)
{
	return spec->kind != OPTION_FLAG;
}

static void parser_add_name(struct parser *parser, const struct option_spec *spec, const char *name,
			    void *args)
{
	int has_value = !takes_value(spec)     ? no_argument
			: spec->value_optional ? optional_argument
					       : required_argument;

	assert(parser->count < (int)OPTIONS_MAX);
	parser->longs[parser->count] =
		(struct option){ name, has_value, NULL, LONG_FIRST + parser->count };
	parser->specs[parser->count] = spec;
	parser->args[parser->count] = args;
	parser->count++;
}

static void parser_add(struct parser *parser, const struct option_spec *spec, void *args)
{
	assert(!spec->value_optional || spec->kind == OPTION_TEXT);
	assert((spec->kind == OPTION_CHOICE) == (spec->choices != NULL));

	parser_add_name(parser, spec, spec->name, args);
	if (spec->alias)
		parser_add_name(parser, spec, spec->alias, args);
	if (!spec->letter)
		return;
	parser->letters[parser->letter_size++] = spec->letter;
	/* -n takes no value although --plan may: else -ny would be the file "y", not -n -y */
	if (takes_value(spec) && !spec->value_optional)
		parser->letters[parser->letter_size++] = ':';
}

static void parser_init(struct parser *parser, const struct option_set *sets, size_t set_count)
{
	*parser = (struct parser){ 0 };
	/* '-': operands come in their place, argv is not reordered; ':': a missing value is ':' */
	parser->letters[parser->letter_size++] = '-';
	parser->letters[parser->letter_size++] = ':';
	for (size_t i = 0; i < set_count; i++) {
		const struct option_spec *spec = sets[i].specs;

		for (; spec && spec->name; spec++)
			parser_add(parser, spec, sets[i].args);
	}
}

/* The entry of what getopt returned: a letter, or LONG_FIRST and more. */
static int parser_index(const struct parser *parser, int found)
{
	if (found >= LONG_FIRST)
		return found - LONG_FIRST;
	for (int i = 0; i < parser->count; i++) {
		if (parser->specs[i]->letter == found)
			return i;
	}
	return -1;
}

static int number_parse(uint64_t *number_out, const struct option_spec *spec, const char *text,
			struct err *err)
{
	unsigned long long number;
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = is_hex ? text + 2 : text;
	size_t valid = strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789");

	errno = 0;
	number = strtoull(digits, NULL, is_hex ? 16 : 10);
	if (valid == 0 || digits[valid] || errno)
		return err_set(err, ERR_USAGE, "--%s: '%s' is not a number", spec->name, text);
	*number_out = number;
	return 0;
}

static int choice_parse(int *choice_out, const struct option_spec *spec, const char *text,
			struct err *err)
{
	struct nearest nearest = { .typed = text };
	char words[200] = "";

	for (int i = 0; spec->choices[i]; i++) {
		size_t used = strlen(words), size = strlen(spec->choices[i]);

		if (strcmp(spec->choices[i], text) == 0) {
			*choice_out = i;
			return 0;
		}
		nearest_offer(&nearest, spec->choices[i]);
		assert(used + size + 2 < sizeof(words));
		if (used)
			words[used++] = '|';
		memcpy(words + used, spec->choices[i], size + 1);
	}
	err_set(err, ERR_USAGE, "--%s: '%s' is none of %s", spec->name, text, words);
	if (nearest.word)
		err_hint(err, "--%s %s", spec->name, nearest.word);
	return ERR_USAGE;
}

static int list_add(struct text_list *list, const struct option_spec *spec, const char *text,
		    struct err *err)
{
	const char **grown;

	if (list->count == LIST_VALUES_MAX)
		return err_set(err, ERR_USAGE, "--%s: more than %u times", spec->name,
			       LIST_VALUES_MAX);
	grown = mem_realloc(list->at, list->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for the command line");
	grown[list->count] = text;
	*list = (struct text_list){ grown, list->count + 1 };
	return 0;
}

/* Give the option's field its value; `text` is NULL where none was given. */
static int value_store(const struct option_spec *spec, void *args, const char *text,
		       struct err *err)
{
	void *field = (char *)args + spec->offset;
	int rc;

	switch (spec->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_NUMBER:
		return number_parse(field, spec, text, err);
	case OPTION_SIZE:
		rc = units_parse(field, text, err);
		return rc ? err_prefix(err, "--%s", spec->name) : 0;
	case OPTION_TEXT:
		*(const char **)field = text ? text : "";
		return 0;
	case OPTION_LIST:
		return list_add(field, spec, text, err);
	case OPTION_CHOICE:
		return choice_parse(field, spec, text, err);
	}
	return err_set(err, ERR_USAGE, "--%s cannot be read", spec->name);
}

static int refuse_unknown(const struct parser *parser, const char *text, struct err *err)
{
	char name[64];
	struct nearest nearest = { .typed = name };
	size_t size = strcspn(text, "=");

	if (size >= sizeof(name))
		size = sizeof(name) - 1;
	memcpy(name, text, size);
	name[size] = '\0';
	for (int i = 0; i < parser->count; i++)
		nearest_offer(&nearest, parser->longs[i].name);
	err_set(err, ERR_USAGE, "unknown option '--%s'", name);
	if (nearest.word)
		err_set(err, ERR_USAGE, "unknown option '--%s': did you mean '--%s'?", name,
			nearest.word);
	return ERR_USAGE;
}

/* What getopt refused: optopt is 0 for a long name it does not know, `word` is then that word. */
static int refuse(const struct parser *parser, int found, const char *word, struct err *err)
{
	int index;

	if (optopt == 0)
		return refuse_unknown(parser, word + 2, err);
	index = parser_index(parser, optopt);
	if (index < 0)
		return err_set(err, ERR_USAGE, "unknown option '-%c'", optopt);
	if (found == ':')
		return err_set(err, ERR_USAGE, "--%s needs a value: %s", parser->specs[index]->name,
			       parser->specs[index]->metavar);
	return err_set(err, ERR_USAGE, "--%s takes no value", parser->specs[index]->name);
}

/* getopt takes any unambiguous beginning for the name: was it written out? */
static bool is_written_out(const struct parser *parser, int index, const char *word)
{
	const char *name = parser->longs[index].name;

	assert(name);
	return strncmp(word + 2, name, strcspn(word + 2, "=")) == 0 &&
	       strlen(name) == strcspn(word + 2, "=");
}

/* One option or operand of argv; *done is set at the end of the options. */
static int parse_next(struct operands *operands, struct parser *parser, int argc, char *const *argv,
		      bool *done, struct err *err)
{
	int found = getopt_long(argc, argv, parser->letters, parser->longs, NULL);
	const char *word;
	int index;

	if (found == -1) {
		*done = true;
		return 0;
	}
	if (found == 1) {
		operands->at[operands->count++] = optarg;
		return 0;
	}
	word = argv[optind - 1];
	if (found == '?' || found == ':')
		return refuse(parser, found, word, err);
	index = parser_index(parser, found);
	assert(index >= 0);
	if (found >= LONG_FIRST) {
		if (optarg == argv[optind - 1]) /* --name VALUE as two words */
			word = argv[optind - 2];
		if (!is_written_out(parser, index, word))
			return refuse_unknown(parser, word + 2, err);
	}
	return value_store(parser->specs[index], parser->args[index], optarg, err);
}

int options_parse(struct operands *operands_out, const struct option_set *sets, size_t set_count,
		  int argc, char *const *argv, struct err *err)
{
	struct operands operands = { 0 };
	struct parser parser;
	char **words = NULL;
	bool done = false;
	int rc = 0;

	assert(argc >= 0 && set_count <= OPTION_SETS_MAX);
	parser_init(&parser, sets, set_count);
	operands.at = mem_calloc((size_t)argc + 1, sizeof(*operands.at));
	words = mem_calloc((size_t)argc + 2, sizeof(*words));
	if (!operands.at || !words) {
		rc = err_set(err, ERR_NOMEM, "no memory for the command line");
		goto out_free;
	}
	/* getopt begins behind the program's name */
	for (int i = 0; i < argc; i++)
		words[i + 1] = argv[i];
	optind = 0;
	opterr = 0;
	while (rc == 0 && !done)
		rc = parse_next(&operands, &parser, argc + 1, words, &done, err);
	for (int i = optind; rc == 0 && i <= argc; i++)
		operands.at[operands.count++] = words[i];

out_free:
	mem_free(words);
	if (rc)
		options_reset(&operands, sets, set_count);
	else
		*operands_out = operands;
	return rc;
}

void options_reset(struct operands *operands, const struct option_set *sets, size_t set_count)
{
	mem_free(operands->at);
	*operands = (struct operands){ 0 };
	for (size_t i = 0; i < set_count; i++) {
		const struct option_spec *spec = sets[i].specs;

		for (; spec && spec->name; spec++) {
			struct text_list *list = (void *)((char *)sets[i].args + spec->offset);

			if (spec->kind != OPTION_LIST)
				continue;
			mem_free(list->at);
			*list = (struct text_list){ 0 };
		}
	}
}

size_t option_value_size(enum option_kind kind)
{
	switch (kind) {
	case OPTION_FLAG:
		return sizeof(bool);
	case OPTION_NUMBER:
	case OPTION_SIZE:
		return sizeof(uint64_t);
	case OPTION_TEXT:
		return sizeof(const char *);
	case OPTION_LIST:
		return sizeof(struct text_list);
	case OPTION_CHOICE:
		break;
	}
	return sizeof(int);
}

const struct option_spec *option_find(const struct option_spec *specs, const char *name)
{
	for (; specs && specs->name; specs++) {
		if (strcmp(specs->name, name) == 0 ||
		    (specs->alias && strcmp(specs->alias, name) == 0))
			return specs;
	}
	return NULL;
}

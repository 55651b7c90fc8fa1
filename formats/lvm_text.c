/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/lvm_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct parser {
	const char *at, *end;
	struct lvm_node_vec *nodes;
	uint32_t open[LVM_DEPTH_MAX];
	uint32_t depth;
	struct err *err;
};

static int refuse(struct parser *parser, const char *what)
{
	char near[24];
	size_t left = (size_t)(parser->end - parser->at);

	snprintf(near, sizeof(near), "%.*s", (int)(left < 20 ? left : 20), parser->at);
	return err_set(parser->err, ERR_FORMAT, "metadata text: %s near \"%s\"", what, near);
}

static void blanks_skip(struct parser *parser)
{
	while (parser->at < parser->end) {
		if (*parser->at == '#')
			while (parser->at < parser->end && *parser->at != '\n')
				parser->at++;
		else if (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\n' ||
			 *parser->at == '\r' || *parser->at == '\0')
			parser->at++;
		else
			return;
	}
}

static bool taken(struct parser *parser, char which)
{
	blanks_skip(parser);
	if (parser->at == parser->end || *parser->at != which)
		return false;
	parser->at++;
	return true;
}

static bool is_of_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '+' || c == '.' || c == '/';
}

static int node_push(struct parser *parser, const struct lvm_node *node)
{
	struct lvm_node copy = *node;

	copy.end = (uint32_t)parser->nodes->count + 1;
	if (parser->nodes->count >= UINT32_MAX / 2 || lvm_node_vec_push(parser->nodes, copy))
		return err_set(parser->err, ERR_NOMEM, "no memory for metadata text");
	return 0;
}

static int string_parse(struct parser *parser, struct lvm_node *node)
{
	node->kind = LVM_STRING;
	node->text = parser->at;
	while (parser->at < parser->end && *parser->at != '"') {
		if (*parser->at == '\\' && parser->end - parser->at > 1)
			parser->at++;
		parser->at++;
	}
	if (parser->at >= parser->end)
		return refuse(parser, "a string without an end");
	node->text_size = (uint32_t)(parser->at - node->text);
	parser->at++;
	return 0;
}

static int number_parse(struct parser *parser, struct lvm_node *node)
{
	bool negative = taken(parser, '-');
	const char *first = parser->at;

	node->kind = LVM_NUMBER;
	while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9') {
		uint64_t digit = (uint64_t)(*parser->at - '0');

		if (node->number > (UINT64_MAX - digit) / 10)
			return refuse(parser, "a number too large");
		node->number = node->number * 10 + digit;
		parser->at++;
	}
	if (parser->at == first)
		return refuse(parser, "no value");
	/* A fraction says nothing that matters here. */
	while (parser->at < parser->end &&
	       (*parser->at == '.' || (*parser->at >= '0' && *parser->at <= '9')))
		parser->at++;
	if (negative)
		node->number = 0 - node->number;
	return 0;
}

static int scalar_parse(struct parser *parser, struct lvm_node *node)
{
	int rc = taken(parser, '"') ? string_parse(parser, node) : number_parse(parser, node);

	return rc ? rc : node_push(parser, node);
}

static int list_parse(struct parser *parser, struct lvm_node *node)
{
	uint32_t which = (uint32_t)parser->nodes->count;
	int rc;

	node->kind = LVM_LIST;
	rc = node_push(parser, node);
	if (taken(parser, ']'))
		return rc;
	while (rc == 0) {
		struct lvm_node item = { 0 };

		rc = scalar_parse(parser, &item);
		if (rc || taken(parser, ']'))
			break;
		if (!taken(parser, ','))
			rc = refuse(parser, "no comma in a list");
	}
	if (rc == 0)
		parser->nodes->at[which].end = (uint32_t)parser->nodes->count;
	return rc;
}

/* A key with its value, or the beginning of a section. */
static int entry_parse(struct parser *parser)
{
	struct lvm_node node = { .name = parser->at };

	while (parser->at < parser->end && is_of_name(*parser->at))
		parser->at++;
	node.name_size = (uint32_t)(parser->at - node.name);
	if (node.name_size == 0)
		return refuse(parser, "no name");
	if (taken(parser, '{')) {
		if (parser->depth == LVM_DEPTH_MAX)
			return refuse(parser, "too many sections in sections");
		parser->open[parser->depth++] = (uint32_t)parser->nodes->count;
		node.kind = LVM_SECTION;
		return node_push(parser, &node);
	}
	if (!taken(parser, '='))
		return refuse(parser, "neither a section nor a value");
	return taken(parser, '[') ? list_parse(parser, &node) : scalar_parse(parser, &node);
}

int lvm_text_parse(struct lvm_node_vec *nodes, const char *text, size_t size, struct err *err)
{
	struct parser parser = { .at = text, .end = text + size, .nodes = nodes, .err = err };
	int rc = 0;

	if (size > UINT32_MAX / 2)
		return err_set(err, ERR_FORMAT, "metadata text of %zu bytes", size);
	while (rc == 0) {
		blanks_skip(&parser);
		if (parser.at == parser.end)
			break;
		if (!taken(&parser, '}')) {
			rc = entry_parse(&parser);
			continue;
		}
		if (parser.depth == 0)
			return refuse(&parser, "a section ends that never began");
		nodes->at[parser.open[--parser.depth]].end = (uint32_t)nodes->count;
	}
	if (rc == 0 && parser.depth)
		rc = refuse(&parser, "a section without an end");
	return rc;
}

bool lvm_node_is_named(const struct lvm_node *node, const char *name)
{
	return node->name && node->name_size == strlen(name) &&
	       memcmp(node->name, name, node->name_size) == 0;
}

uint32_t lvm_find(const struct lvm_node_vec *nodes, uint32_t section, const char *name,
		  enum lvm_kind kind)
{
	uint32_t first = section == LVM_NO_NODE ? 0 : section + 1;
	uint32_t end = section == LVM_NO_NODE ? (uint32_t)nodes->count : nodes->at[section].end;

	for (uint32_t i = first; i < end; i = nodes->at[i].end) {
		if (nodes->at[i].kind == kind && lvm_node_is_named(&nodes->at[i], name))
			return i;
	}
	return LVM_NO_NODE;
}

uint64_t lvm_number(const struct lvm_node_vec *nodes, uint32_t section, const char *name)
{
	uint32_t which = lvm_find(nodes, section, name, LVM_NUMBER);

	return which == LVM_NO_NODE ? 0 : nodes->at[which].number;
}

void lvm_string(char *out, size_t out_size, const struct lvm_node_vec *nodes, uint32_t section,
		const char *name)
{
	uint32_t which = lvm_find(nodes, section, name, LVM_STRING);

	out[0] = '\0';
	if (which != LVM_NO_NODE)
		lvm_node_text(out, out_size, &nodes->at[which]);
}

void lvm_node_text(char *out, size_t out_size, const struct lvm_node *node)
{
	size_t used = 0;

	if (node->kind == LVM_NUMBER) {
		snprintf(out, out_size, "%" PRId64, (int64_t)node->number);
		return;
	}
	for (uint32_t i = 0; node->text && i < node->text_size && used + 1 < out_size; i++) {
		if (node->text[i] == '\\' && i + 1 < node->text_size)
			i++;
		out[used++] = node->text[i];
	}
	out[used] = '\0';
}

void lvm_node_name(char *out, size_t out_size, const struct lvm_node *node)
{
	snprintf(out, out_size, "%.*s", (int)node->name_size, node->name ? node->name : "");
}

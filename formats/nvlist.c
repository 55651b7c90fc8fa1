/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/nvlist.h"

#include "core/base/bytes.h"
#include "formats/big_endian.h"

#include <stdio.h>
#include <string.h>

enum {
	TYPE_BOOLEAN = 1,
	TYPE_BYTE = 2,
	TYPE_UINT32 = 6, /* 2 to 6 take a word */
	TYPE_INT64 = 7,
	TYPE_UINT64 = 8,
	TYPE_STRING = 9,
	TYPE_HRTIME = 18,
	TYPE_LIST = 19,
	TYPE_LISTS = 20,
	TYPE_BOOLEAN_VALUE = 21,
	TYPE_INT8 = 22,
	TYPE_UINT8 = 23,
};
#define ENCODING_XDR 1u

struct parser {
	struct nvlist_vec *nodes;
	struct err *err;
	uint32_t pairs;
};

static uint32_t word_take(struct cursor *cursor)
{
	const uint8_t *at = cursor_take(cursor, 4);

	return at ? get_be32(at) : 0;
}

/* A counted string, and zeros up to whole words. */
static const char *string_take(struct cursor *cursor, uint32_t *size_out)
{
	uint32_t size = word_take(cursor);
	const uint8_t *at = cursor_take(cursor, size);

	if (size % 4)
		cursor_take(cursor, 4 - size % 4);
	*size_out = size;
	return cursor->failed ? NULL : (const char *)at;
}

static int node_push(struct parser *parser, const struct nvlist_node *node)
{
	struct nvlist_node copy = *node;

	copy.end = (uint32_t)parser->nodes->count + 1;
	if (nvlist_vec_push(parser->nodes, copy))
		return err_set(parser->err, ERR_NOMEM, "no memory for a name-value list");
	return 0;
}

static int list_parse(struct parser *parser, struct cursor *cursor, uint32_t depth);

/* A list, or one of an array: its node and those in it. */
static int list_node_parse(struct parser *parser, struct cursor *cursor, struct nvlist_node *node,
			   uint32_t depth)
{
	uint32_t which = (uint32_t)parser->nodes->count;
	int rc;

	node->kind = NVLIST_LIST;
	rc = node_push(parser, node);
	if (rc == 0)
		rc = list_parse(parser, cursor, depth + 1);
	if (rc == 0)
		parser->nodes->at[which].end = (uint32_t)parser->nodes->count;
	return rc;
}

static int lists_parse(struct parser *parser, struct cursor *cursor, struct nvlist_node *node,
		       uint32_t count, uint32_t depth)
{
	uint32_t which = (uint32_t)parser->nodes->count;
	int rc;

	node->kind = NVLIST_LISTS;
	rc = node_push(parser, node);
	for (uint32_t i = 0; rc == 0 && i < count && !cursor->failed; i++) {
		struct nvlist_node item = { 0 };

		rc = list_node_parse(parser, cursor, &item, depth);
	}
	if (rc == 0)
		parser->nodes->at[which].end = (uint32_t)parser->nodes->count;
	return rc;
}

static int value_parse(struct parser *parser, struct cursor *cursor, struct nvlist_node *node,
		       uint32_t depth)
{
	uint32_t type = word_take(cursor), count = word_take(cursor);
	const uint8_t *at;

	switch (type) {
	case TYPE_BOOLEAN:
		node->kind = NVLIST_FLAG;
		break;
	case TYPE_INT64:
	case TYPE_UINT64:
	case TYPE_HRTIME:
		at = cursor_take(cursor, 8);
		node->kind = NVLIST_NUMBER;
		node->number = at ? get_be64(at) : 0;
		break;
	case TYPE_STRING:
		node->kind = NVLIST_STRING;
		node->text = string_take(cursor, &node->text_size);
		break;
	case TYPE_LIST:
		return list_node_parse(parser, cursor, node, depth);
	case TYPE_LISTS:
		return lists_parse(parser, cursor, node, count, depth);
	default:
		node->kind = NVLIST_OTHER;
		if ((type >= TYPE_BYTE && type <= TYPE_UINT32) ||
		    (type >= TYPE_BOOLEAN_VALUE && type <= TYPE_UINT8)) {
			node->kind = NVLIST_NUMBER;
			node->number = word_take(cursor);
		}
		break;
	}
	return cursor->failed ? 0 : node_push(parser, node);
}

/* Version, flags, and pairs up to the empty one. */
static int list_parse(struct parser *parser, struct cursor *cursor, uint32_t depth)
{
	uint32_t version = word_take(cursor);
	int rc = 0;

	word_take(cursor);
	if (version != 0 || depth > NVLIST_DEPTH_MAX)
		return err_set(parser->err, ERR_FORMAT, "name-value list: version %u, depth %u",
			       version, depth);
	while (rc == 0) {
		uint32_t size = word_take(cursor), decoded = word_take(cursor);
		struct nvlist_node node = { 0 };
		struct cursor pair;

		if (size == 0 && decoded == 0 && !cursor->failed)
			return 0;
		if (cursor->failed || size < 8 || size - 8 > cursor->left ||
		    parser->pairs++ >= NVLIST_PAIRS_MAX)
			return err_set(parser->err, ERR_FORMAT,
				       "name-value list: a pair leaves the list");
		pair = (struct cursor){ .at = cursor_take(cursor, size - 8), .left = size - 8 };
		node.name = string_take(&pair, &node.name_size);
		rc = value_parse(parser, &pair, &node, depth);
		if (rc == 0 && pair.failed)
			rc = err_set(parser->err, ERR_FORMAT,
				     "name-value list: a value leaves its pair");
	}
	return rc;
}

int nvlist_parse(struct nvlist_vec *nodes, const uint8_t *bytes, size_t size, struct err *err)
{
	struct parser parser = { .nodes = nodes, .err = err };
	struct cursor cursor = { .at = bytes, .left = size };
	const uint8_t *head = cursor_take(&cursor, 4);

	if (!head || head[0] != ENCODING_XDR || head[1] > 1)
		return err_set(err, ERR_FORMAT, "name-value list: encoding %u is not XDR",
			       head ? head[0] : 0);
	return list_parse(&parser, &cursor, 0);
}

uint32_t nvlist_find(const struct nvlist_vec *nodes, uint32_t list, const char *name,
		     enum nvlist_kind kind)
{
	uint32_t first = list == NVLIST_NONE ? 0 : list + 1;
	uint32_t end = list == NVLIST_NONE ? (uint32_t)nodes->count : nodes->at[list].end;

	for (uint32_t i = first; i < end; i = nodes->at[i].end) {
		const struct nvlist_node *node = &nodes->at[i];

		if (node->kind == kind && node->name && node->name_size == strlen(name) &&
		    memcmp(node->name, name, node->name_size) == 0)
			return i;
	}
	return NVLIST_NONE;
}

bool nvlist_number(uint64_t *number_out, const struct nvlist_vec *nodes, uint32_t list,
		   const char *name)
{
	uint32_t which = nvlist_find(nodes, list, name, NVLIST_NUMBER);

	*number_out = which == NVLIST_NONE ? 0 : nodes->at[which].number;
	return which != NVLIST_NONE;
}

void nvlist_string(char *out, size_t out_size, const struct nvlist_vec *nodes, uint32_t list,
		   const char *name)
{
	uint32_t which = nvlist_find(nodes, list, name, NVLIST_STRING);
	const struct nvlist_node *node = which == NVLIST_NONE ? NULL : &nodes->at[which];

	out[0] = '\0';
	if (node && node->text)
		snprintf(out, out_size, "%.*s",
			 (int)(node->text_size < out_size ? node->text_size : out_size - 1),
			 node->text);
}

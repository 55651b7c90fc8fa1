/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/fact_tree.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024u /* longer texts are cut */
#define CAPACITY_MIN 64u

/* A new node at the end; NULL when it is left out. */
static struct fact_node *node_add(struct fact_tree *tree, const char *name, enum node_kind kind)
{
	struct fact_node *node;

	if (tree->skipped || tree->failed)
		return NULL;
	if (tree->count == tree->capacity) {
		uint32_t capacity = tree->capacity ? 2 * tree->capacity : CAPACITY_MIN;

		node = mem_realloc(tree->at, capacity, sizeof(*node));
		if (!node) {
			tree->failed = true;
			return NULL;
		}
		tree->at = node;
		tree->capacity = capacity;
	}
	node = &tree->at[tree->count++];
	*node = (struct fact_node){ .name = name, .kind = kind, .end = tree->count };
	return node;
}

void tree_number(struct fact_tree *tree, const char *name, uint64_t number)
{
	struct fact_node *node = node_add(tree, name, NODE_NUMBER);

	if (node)
		node->number = number;
}

void tree_flag(struct fact_tree *tree, const char *name, bool flag)
{
	struct fact_node *node = node_add(tree, name, NODE_FLAG);

	if (node)
		node->number = flag;
}

void tree_text(struct fact_tree *tree, const char *name, const char *format, ...)
{
	struct fact_node *node;
	char chars[TEXT_MAX];
	va_list values;
	int size;

	if (!name && tree->count >= TREE_NODES_MAX) {
		tree->cut = true;
		return;
	}
	node = node_add(tree, name, NODE_TEXT);
	if (!node)
		return;
	node->number = tree->chars.size;
	va_start(values, format);
	size = vsnprintf(chars, sizeof(chars), format, values);
	va_end(values);
	if (size < 0)
		size = 0;
	chars[sizeof(chars) - 1] = '\0';
	buffer_bytes(&tree->chars, chars,
		     (size_t)size < sizeof(chars) ? (size_t)size + 1 : sizeof(chars));
	tree->failed |= tree->chars.failed;
}

void tree_none(struct fact_tree *tree, const char *name)
{
	node_add(tree, name, NODE_NONE);
}

void tree_text_or_none(struct fact_tree *tree, const char *name, const char *text)
{
	if (text && text[0])
		tree_text(tree, name, "%s", text);
	else
		tree_none(tree, name);
}

void tree_bits(struct fact_tree *tree, const char *name, uint64_t bits, const char *const *names,
	       uint32_t count)
{
	assert(count <= 64);
	tree_texts_begin(tree, name);
	for (uint32_t bit = 0; bit < 64; bit++) {
		if (!(bits >> bit & 1))
			continue;
		if (bit < count && names[bit])
			tree_text(tree, NULL, "%s", names[bit]);
		else
			tree_text(tree, NULL, "bit %u", bit);
	}
	tree_end(tree);
}

static void container_begin(struct fact_tree *tree, const char *name, enum node_kind kind)
{
	uint32_t at = tree->count;

	if (tree->skipped || (kind == NODE_ROW && tree->count >= TREE_NODES_MAX)) {
		tree->skipped++;
		tree->cut = true;
		return;
	}
	assert(tree->depth < TREE_DEPTH_MAX);
	if (!node_add(tree, name, kind))
		at = UINT32_MAX;
	tree->open[tree->depth++] = at;
}

void tree_texts_begin(struct fact_tree *tree, const char *name)
{
	container_begin(tree, name, NODE_TEXTS);
}

void tree_list_begin(struct fact_tree *tree, const char *name)
{
	container_begin(tree, name, NODE_LIST);
}

void tree_row_begin(struct fact_tree *tree)
{
	container_begin(tree, NULL, NODE_ROW);
}

void tree_end(struct fact_tree *tree)
{
	uint32_t at;

	if (tree->skipped) {
		tree->skipped--;
		return;
	}
	assert(tree->depth > 0);
	at = tree->open[--tree->depth];
	if (at != UINT32_MAX)
		tree->at[at].end = tree->count;
}

const char *tree_chars(const struct fact_tree *tree, const struct fact_node *node)
{
	assert(node->kind == NODE_TEXT && node->number < tree->chars.size);
	return (const char *)tree->chars.bytes + node->number;
}

uint32_t tree_next(const struct fact_tree *tree, uint32_t which)
{
	assert(which < tree->count);
	return tree->at[which].end;
}

/* Have two rows the same names, and lists at the same places? */
static bool rows_are_alike(const struct fact_tree *tree, uint32_t first, uint32_t second)
{
	uint32_t end = tree->at[first].end, other_end = tree->at[second].end, fields = 0;

	for (first++, second++; first < end && second < other_end; fields++) {
		const struct fact_node *a = &tree->at[first], *b = &tree->at[second];

		if (strcmp(a->name, b->name) != 0 ||
		    (a->kind >= NODE_TEXTS) != (b->kind >= NODE_TEXTS))
			return false;
		first = a->end;
		second = b->end;
	}
	return first == end && second == other_end && fields < TREE_FIELDS_MAX;
}

bool tree_is_regular(const struct fact_tree *tree)
{
	for (uint32_t i = 0; i < tree->count; i++) {
		const struct fact_node *node = &tree->at[i];

		for (uint32_t row = i + 1; node->kind == NODE_LIST && row < node->end;
		     row = tree->at[row].end) {
			if (tree->at[row].kind != NODE_ROW || !rows_are_alike(tree, i + 1, row))
				return false;
		}
	}
	return tree->depth == 0 && tree->skipped == 0;
}

void tree_reset(struct fact_tree *tree)
{
	mem_free(tree->at);
	buffer_reset(&tree->chars);
	*tree = (struct fact_tree){ 0 };
}

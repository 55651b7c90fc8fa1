/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Facts with lists in them: what the metadata of another maker says where it has tables (disks, volumes,
 * chunks), in the order in which it is to be shown. The print function of a record fills the tree; whoever
 * shows it walks the nodes and decides how (text or JSON).
 *
 *	tree_number(tree, "generation", 9);
 *	tree_list_begin(tree, "volumes");
 *	for each:
 *		tree_row_begin(tree);
 *		tree_text(tree, "name", "%s", name);
 *		tree_end(tree);
 *	tree_end(tree);
 *
 * All rows of one list have the same names in the same order (tree_is_regular()). Names are constants; texts
 * may come from a disk: whoever shows them escapes them. Without memory a tree takes nothing more and says
 * `failed`. Behind TREE_NODES_MAX nodes further rows are left out, and `cut` says so.
 */
#ifndef PG_FORMATS_FACT_TREE_H
#define PG_FORMATS_FACT_TREE_H

#include "core/base/bytes.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define TREE_DEPTH_MAX 8u
#define TREE_NODES_MAX 1000000u /* a volume group of the greatest size that is read has fewer */
#define TREE_FIELDS_MAX 48u     /* of one row */

enum node_kind {
	NODE_NUMBER,
	NODE_FLAG,
	NODE_TEXT,
	NODE_NONE,  /* it has no value here */
	NODE_TEXTS, /* a list of NODE_TEXT without names, up to `end` */
	NODE_LIST,  /* of NODE_ROW, up to `end` */
	NODE_ROW,   /* of anything but NODE_ROW, up to `end` */
};

struct fact_node {
	const char *name; /* a constant: the key in JSON; NULL in a row or a list of texts */
	enum node_kind kind;
	uint32_t end;    /* of TEXTS, LIST, ROW: the node behind the last one in it */
	uint64_t number; /* of NUMBER; of FLAG 0 or 1; of TEXT where it begins in `chars` */
};

/* Zero-initialised; released by tree_reset(). */
struct fact_tree {
	struct fact_node *at;
	uint32_t count, capacity;
	struct buffer chars; /* all texts, each with a NUL behind it */
	uint32_t open[TREE_DEPTH_MAX];
	uint32_t depth;
	uint32_t skipped; /* rows and what is in them that were begun after the tree was cut */
	bool failed, cut;
};

void tree_number(struct fact_tree *tree, const char *name, uint64_t number);
void tree_flag(struct fact_tree *tree, const char *name, bool flag);
void tree_text(struct fact_tree *tree, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
void tree_none(struct fact_tree *tree, const char *name);
/* `text`, or no value for NULL and "". */
void tree_text_or_none(struct fact_tree *tree, const char *name, const char *text);
/* The names of the bits that are set, as a list; bits without a name as "bit N". At most 64 names. */
void tree_bits(struct fact_tree *tree, const char *name, uint64_t bits, const char *const *names,
	       uint32_t count);

void tree_texts_begin(struct fact_tree *tree, const char *name);
void tree_list_begin(struct fact_tree *tree, const char *name);
void tree_row_begin(struct fact_tree *tree);
void tree_end(struct fact_tree *tree); /* of whatever began last */

const char *tree_chars(const struct fact_tree *tree, const struct fact_node *node); /* of a TEXT */

/* The node behind `which` and all that is in it. */
uint32_t tree_next(const struct fact_tree *tree, uint32_t which);

/* Is everything ended, and has each list rows of one kind? */
bool tree_is_regular(const struct fact_tree *tree);

void tree_reset(struct fact_tree *tree);

#endif

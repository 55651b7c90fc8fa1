/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text in which LVM2 keeps a volume group: sections in braces, and keys with numbers, strings, or lists
 * of them. Parsed into nodes in the order of the text, which they borrow; what a key means is lvm.h's.
 *
 *	section { key = 1  name = "text"  list = ["pv0", 0]  section { … } }	# comment
 */
#ifndef PG_FORMATS_LVM_TEXT_H
#define PG_FORMATS_LVM_TEXT_H

#include "core/base/err.h"
#include "core/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define LVM_DEPTH_MAX 16u /* of sections in sections; LVM itself has four */

enum lvm_kind { LVM_SECTION, LVM_LIST, LVM_NUMBER, LVM_STRING };

struct lvm_node {
	const char *name; /* borrowed, not ended; NULL in a list */
	uint32_t name_size;
	enum lvm_kind kind;
	uint32_t end;     /* the node behind it and all that is in it */
	uint64_t number;  /* also of a negative one, as two's complement */
	const char *text; /* of a STRING, between its quotes; borrowed */
	uint32_t text_size;
};
VEC_DEFINE(lvm_node_vec, struct lvm_node);

/* `nodes` is zeroed, and released by its reset. Returns 0, ERR_FORMAT or ERR_NOMEM. */
int lvm_text_parse(struct lvm_node_vec *nodes, const char *text, size_t size,
		   struct err *err) MUST_CHECK;

#define LVM_NO_NODE UINT32_MAX

/* The node of that name in a section; `section` LVM_NO_NODE: at the top. LVM_NO_NODE: there is none. */
uint32_t lvm_find(const struct lvm_node_vec *nodes, uint32_t section, const char *name,
		  enum lvm_kind kind);

/* 0 and "" where there is none. */
uint64_t lvm_number(const struct lvm_node_vec *nodes, uint32_t section, const char *name);
void lvm_string(char *out, size_t out_size, const struct lvm_node_vec *nodes, uint32_t section,
		const char *name);

/* Text of a STRING, without its backslashes; digits of a NUMBER. Cut to fit. */
void lvm_node_text(char *out, size_t out_size, const struct lvm_node *node);
void lvm_node_name(char *out, size_t out_size, const struct lvm_node *node);
bool lvm_node_is_named(const struct lvm_node *node, const char *name);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Name-value lists of ZFS, in the XDR form in which labels have them: four bytes that say how they are encoded
 * (XDR is big-endian whatever they say of the host), then version, flags, and pairs up to an empty one.
 * Parsed into nodes in the order of the bytes, which they borrow.
 *
 * Source: ZFS On-Disk Specification (2006), chapter 1.3; OpenZFS module/nvpair/nvpair.c.
 */
#ifndef PG_FORMATS_NVLIST_H
#define PG_FORMATS_NVLIST_H

#include "core/base/err.h"
#include "core/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define NVLIST_DEPTH_MAX 16u    /* of lists in lists: a vdev tree has at most about six */
#define NVLIST_PAIRS_MAX 65536u /* more than fit into a label */
#define NVLIST_NONE UINT32_MAX

enum nvlist_kind {
	NVLIST_FLAG, /* it is there, and has no value */
	NVLIST_NUMBER,
	NVLIST_STRING,
	NVLIST_LIST,
	NVLIST_LISTS, /* an array of LIST, which have no names */
	NVLIST_OTHER, /* of a type that no label needs */
};

struct nvlist_node {
	const char *name; /* borrowed, not ended; NULL in an array */
	uint32_t name_size;
	enum nvlist_kind kind;
	uint32_t end; /* the node behind it and all that is in it */
	uint64_t number;
	const char *text; /* of a STRING; borrowed, not ended */
	uint32_t text_size;
};
VEC_DEFINE(nvlist_vec, struct nvlist_node);

/* `nodes` is zeroed, and released by its reset. Returns 0, ERR_FORMAT or ERR_NOMEM. */
int nvlist_parse(struct nvlist_vec *nodes, const uint8_t *bytes, size_t size,
		 struct err *err) MUST_CHECK;

/* The node of that name and kind in a list; `list` NVLIST_NONE: at the top. */
uint32_t nvlist_find(const struct nvlist_vec *nodes, uint32_t list, const char *name,
		     enum nvlist_kind kind);
/* False, with 0, where there is none. */
bool nvlist_number(uint64_t *number_out, const struct nvlist_vec *nodes, uint32_t list,
		   const char *name);
/* "" where there is none. */
void nvlist_string(char *out, size_t out_size, const struct nvlist_vec *nodes, uint32_t list,
		   const char *name);

#endif

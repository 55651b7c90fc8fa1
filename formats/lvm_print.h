/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a physical volume of LVM2 has, all of it together, as facts. Pure. */
#ifndef PG_FORMATS_LVM_PRINT_H
#define PG_FORMATS_LVM_PRINT_H

#include "formats/lvm.h"

struct lvm_area_found {
	bool decoded, text_right;
	struct lvm_header header;
	uint64_t seqno; /* of its current text; 0: none that can be read */
};

struct lvm {
	struct lvm_label label;
	struct lvm_area_found areas[LVM_AREAS_MAX]; /* label.metadata_count of them */
	uint8_t *text; /* the newest; owned, the nodes borrow from it */
	struct lvm_node_vec nodes;
	uint32_t group; /* the section of the volume group */
	uint64_t seqno;
	uint64_t effort; /* comparisons of names so far: a hostile text must not take forever */
};

void lvm_print(struct other_found *found);

#endif

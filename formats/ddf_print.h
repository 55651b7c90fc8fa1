/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a disk of DDF has, all of it together, as facts and as volumes in MD's words. Pure. */
#ifndef PG_FORMATS_DDF_PRINT_H
#define PG_FORMATS_DDF_PRINT_H

#include "core/base/vec.h"
#include "formats/ddf.h"

VEC_DEFINE(ddf_record_vec, uint8_t *);
VEC_DEFINE(ddf_config_vec, struct ddf_config);
VEC_DEFINE(ddf_disk_vec, struct ddf_disk);
VEC_DEFINE(ddf_virtual_vec, struct ddf_virtual);

struct ddf {
	struct ddf_header anchor, header; /* the one that counts; the anchor where there is none */
	uint64_t header_block;            /* where it lies: sections count from there */
	bool anchor_found, primary_found, secondary_found, displaced;
	bool complete; /* one of the two headers was found */
	struct ddf_controller controller;
	bool controller_found;
	uint32_t reference; /* of this disk; DDF_NONE: not known */
	uint8_t disk_guid[DDF_GUID_SIZE];
	struct ddf_disk_vec disks;
	struct ddf_virtual_vec virtuals;
	struct ddf_record_vec records; /* owned: configurations borrow from them */
	struct ddf_config_vec configs;
	uint32_t spare_records;
	uint8_t spare_type;
};

/* found->volumes: one for each configuration. */
void ddf_volumes_make(struct other_found *found);
void ddf_print(struct other_found *found);

#endif

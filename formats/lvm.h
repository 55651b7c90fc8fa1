/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * LVM2: the label of a physical volume in one of its first four sectors, the headers of its metadata areas, and
 * the volume group that their text describes (lvm_text.h). Little-endian; the sums are CRC-32's plain register,
 * begun with a constant.
 *
 * Sources: lvm2's lib/format_text/layout.h and lib/label/label.h, lvmraid(7), lvmthin(7), lvmcache(7).
 */
#ifndef PG_FORMATS_LVM_H
#define PG_FORMATS_LVM_H

#include "formats/lvm_text.h"
#include "formats/other.h"

#define LVM_SECTOR 512u
#define LVM_LABEL_SECTORS 4u /* one of which has the label */
#define LVM_ID_SIZE 32u
#define LVM_ID_TEXT_SIZE 39u
#define LVM_AREAS_MAX 16u
#define LVM_HEADER_SIZE 512u
#define LVM_COPIES_MAX 4u        /* of the text in one area: current, and being written */
#define LVM_TEXT_MAX (16u << 20) /* bytes of a text that is read */

struct lvm_area {
	uint64_t offset, size; /* bytes; size 0: up to the end */
};

struct lvm_label {
	uint32_t sector;
	uint8_t id[LVM_ID_SIZE];
	uint64_t device_size;
	struct lvm_area data[LVM_AREAS_MAX], metadata[LVM_AREAS_MAX], boot[LVM_AREAS_MAX];
	uint32_t data_count, metadata_count, boot_count;
	uint32_t extension_version, extension_flags; /* version 0: no extension */
	bool sum_right, sector_right;
};

struct lvm_copy {
	uint64_t offset, size; /* in the area */
	uint32_t checksum, flags;
};
#define LVM_COPY_IGNORED 1u

struct lvm_header {
	uint32_t version;
	uint64_t start, size; /* as the area is by itself */
	struct lvm_copy copies[LVM_COPIES_MAX];
	uint32_t copy_count;
	bool sum_right;
};

uint32_t lvm_sum(const uint8_t *bytes, size_t size);

/* From sector number `sector`. Returns 0, ERR_NOT_MEMBER or ERR_FORMAT. */
int lvm_label_decode(struct lvm_label *label_out, const uint8_t bytes[static LVM_SECTOR],
		     uint32_t sector, struct err *err) MUST_CHECK;
int lvm_header_decode(struct lvm_header *header_out, const uint8_t bytes[static LVM_HEADER_SIZE],
		      struct err *err) MUST_CHECK;

/* "6f5qU9-Wqdj-4l8F-pY9L-WPxR-32BJ-nU7gQC" */
void lvm_id_text(char out[static LVM_ID_TEXT_SIZE], const uint8_t id[static LVM_ID_SIZE]);

extern const struct other_format lvm_format;

#endif

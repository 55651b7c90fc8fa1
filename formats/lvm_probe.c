/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "formats/lvm.h"
#include "formats/lvm_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void lvm_free(void *record)
{
	struct lvm *lvm = record;

	lvm_node_vec_reset(&lvm->nodes);
	mem_free(lvm->text);
	mem_free(lvm);
}

static bool label_find(struct other_found *found, struct reader *reader)
{
	struct lvm *lvm = found->record;

	for (uint32_t sector = 0; sector < LVM_LABEL_SECTORS; sector++) {
		const uint8_t *bytes =
			reader_read(reader, (uint64_t)sector * LVM_SECTOR, LVM_SECTOR);
		struct err err = { 0 };
		int rc = bytes ? lvm_label_decode(&lvm->label, bytes, sector, &err) : ERR_IO;

		found->offset = (uint64_t)sector * LVM_SECTOR;
		if (rc == ERR_FORMAT)
			md_fault(&found->faults, "label", "%s", err.text);
		if (rc == 0 || rc == ERR_FORMAT)
			return true;
	}
	return false;
}

static void label_validate(struct md_faults *faults, const struct lvm_label *label, uint64_t size)
{
	if (!label->sum_right)
		md_fault(faults, "label", "its sum is wrong");
	if (!label->sector_right)
		md_fault(faults, "label", "it says that it belongs into another sector");
	if (label->device_size > size)
		md_fault(faults, "device_size", "%" PRIu64 " bytes, the device has %" PRIu64,
			 label->device_size, size);
}

/* The bytes of a copy; its area is a ring behind the header. NULL with a fault. */
static uint8_t *copy_read(struct other_found *found, struct reader *reader,
			  const struct lvm_area *area, const struct lvm_copy *copy)
{
	uint64_t first = 0, head = 0;
	uint8_t *bytes = NULL, *more;

	if (copy->offset < LVM_HEADER_SIZE || copy->offset >= area->size || copy->size == 0 ||
	    copy->size > LVM_TEXT_MAX || copy->size > area->size - LVM_HEADER_SIZE ||
	    !size_add(area->offset, copy->offset, &first)) {
		md_fault(&found->faults, "metadata_area", "a text that does not fit into it");
		return NULL;
	}
	head = size_min(copy->size, area->size - copy->offset);
	if (first < reader->size && head <= reader->size - first)
		bytes = reader_copy(reader, first, (size_t)head);
	if (bytes && head < copy->size) {
		uint8_t *grown = mem_realloc(bytes, (size_t)copy->size, 1);

		more = grown ? reader_copy(reader, area->offset + LVM_HEADER_SIZE,
					   (size_t)(copy->size - head))
			     : NULL;
		bytes = grown ? grown : bytes;
		if (more) {
			memcpy(bytes + head, more, (size_t)(copy->size - head));
		} else {
			mem_free(bytes);
			bytes = NULL;
		}
		mem_free(more);
	}
	if (!bytes)
		md_fault(&found->faults, "metadata_area", "its text cannot be read");
	return bytes;
}

/* Keep the text of the highest seqno; returns its seqno, 0 for none. */
static uint64_t text_take(struct other_found *found, uint8_t *bytes, size_t size)
{
	struct lvm *lvm = found->record;
	struct lvm_node_vec nodes = { 0 };
	struct err err = { 0 };
	uint32_t group = LVM_NO_NODE;
	uint64_t number = 0;

	if (lvm_text_parse(&nodes, (const char *)bytes, size, &err)) {
		md_fault(&found->faults, "metadata_text", "%s", err.text);
	} else {
		/* The one section at the top is the volume group. */
		for (uint32_t i = 0; i < nodes.count && group == LVM_NO_NODE; i = nodes.at[i].end) {
			if (nodes.at[i].kind == LVM_SECTION)
				group = i;
		}
		if (group == LVM_NO_NODE)
			md_fault(&found->faults, "metadata_text", "no volume group in it");
		else
			number = lvm_number(&nodes, group, "seqno");
	}
	if (group != LVM_NO_NODE && (!lvm->text || number > lvm->seqno)) {
		lvm_node_vec_reset(&lvm->nodes);
		mem_free(lvm->text);
		lvm->nodes = nodes;
		lvm->text = bytes;
		lvm->group = group;
		lvm->seqno = number;
		return number;
	}
	lvm_node_vec_reset(&nodes);
	mem_free(bytes);
	return number;
}

static void area_read(struct other_found *found, struct reader *reader, uint32_t which)
{
	struct lvm *lvm = found->record;
	struct lvm_area area = lvm->label.metadata[which];
	struct lvm_area_found *out = &lvm->areas[which];
	const uint8_t *bytes = reader_read(reader, area.offset, LVM_HEADER_SIZE);
	struct err err = { 0 };
	uint8_t *text;

	if (!bytes || lvm_header_decode(&out->header, bytes, &err)) {
		md_fault(&found->faults, "metadata_area", "area %u at %" PRIu64 ": %s", which,
			 area.offset, bytes ? err.text : "it cannot be read");
		return;
	}
	out->decoded = true;
	if (!out->header.sum_right)
		md_fault(&found->faults, "metadata_area", "area %u: the sum of its header is wrong",
			 which);
	if (out->header.start != area.offset)
		md_fault(&found->faults, "metadata_area",
			 "area %u at %" PRIu64 " says that it begins at %" PRIu64, which,
			 area.offset, out->header.start);
	area.size = out->header.size;
	if (out->header.copy_count == 0 || out->header.copies[0].flags & LVM_COPY_IGNORED)
		return;
	text = copy_read(found, reader, &area, &out->header.copies[0]);
	if (!text)
		return;
	out->text_right =
		out->header.copies[0].checksum == lvm_sum(text, (size_t)out->header.copies[0].size);
	if (!out->text_right)
		md_fault(&found->faults, "metadata_text", "area %u: its sum is wrong", which);
	out->seqno = text_take(found, text, (size_t)out->header.copies[0].size);
}

static bool lvm_probe(struct other_found *found, struct reader *reader, const char *path)
{
	struct lvm *lvm = mem_calloc(1, sizeof(*lvm));

	(void)path;
	found->record = lvm;
	if (!lvm) {
		found->facts.failed = true;
		return false;
	}
	if (!label_find(found, reader))
		return false;
	snprintf(found->hint, sizeof(found->hint),
		 "lvm pvs --readonly; lvm vgchange --activate y --activationmode degraded VG");
	if (found->faults.count)
		return true; /* the label is none */
	label_validate(&found->faults, &lvm->label, reader->size);
	for (uint32_t i = 0; i < lvm->label.metadata_count; i++)
		area_read(found, reader, i);
	lvm_print(found);
	return true;
}

const struct other_format lvm_format = {
	.name = "lvm2",
	.blkid_type = "LVM2_member",
	.title = "LVM2",
	.tool = "lvm",
	.probe = lvm_probe,
	.record_free = lvm_free,
};

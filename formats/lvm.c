/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/lvm.h"

#include "core/base/bytes.h"
#include "core/base/crc.h"

#include <inttypes.h>
#include <string.h>

#define SUM_SEED 0xf597a6cfu
#define LABEL_ID "LABELONE"
#define LABEL_TYPE "LVM2 001"
#define HEADER_MAGIC " LVM2 x[5A%r0N*>"

enum {
	LABEL_SECTOR = 8, /* u64 */
	LABEL_SUM = 16,
	LABEL_OFFSET = 20, /* u32, of what follows; the sum begins here */
	LABEL_KIND = 24,

	HEADER_MAGIC_AT = 4,
	HEADER_VERSION = 20,
	HEADER_START = 24,
	HEADER_AREA_SIZE = 32,
	HEADER_COPIES = 40,
	COPY_SIZE = 24,
};

uint32_t lvm_sum(const uint8_t *bytes, size_t size)
{
	return ~crc32_of(~SUM_SEED, bytes, size);
}

/* A list that an entry of zeros ends. */
static bool areas_decode(struct lvm_area *areas, uint32_t *count_out, struct cursor *cursor)
{
	for (*count_out = 0;; ++*count_out) {
		struct lvm_area area = { cursor_u64(cursor), 0 };

		area.size = cursor_u64(cursor);
		if (cursor->failed)
			return false;
		if (area.offset == 0 && area.size == 0)
			return true;
		if (*count_out == LVM_AREAS_MAX)
			return false;
		areas[*count_out] = area;
	}
}

int lvm_label_decode(struct lvm_label *label_out, const uint8_t bytes[static LVM_SECTOR],
		     uint32_t sector, struct err *err)
{
	struct lvm_label label = { .sector = sector };
	uint32_t offset = get_le32(bytes + LABEL_OFFSET);
	struct cursor cursor;
	const uint8_t *id;

	if (memcmp(bytes, LABEL_ID, 8) != 0 || memcmp(bytes + LABEL_KIND, LABEL_TYPE, 8) != 0)
		return err_set(err, ERR_NOT_MEMBER, "no label of LVM2");
	if (offset < LABEL_KIND + 8 || offset >= LVM_SECTOR)
		return err_set(err, ERR_FORMAT, "label: its contents begin at byte %" PRIu32,
			       offset);
	label.sum_right = get_le32(bytes + LABEL_SUM) ==
			  lvm_sum(bytes + LABEL_OFFSET, LVM_SECTOR - LABEL_OFFSET);
	label.sector_right = get_le64(bytes + LABEL_SECTOR) == sector;
	cursor = (struct cursor){ .at = bytes + offset, .left = LVM_SECTOR - offset };
	id = cursor_take(&cursor, LVM_ID_SIZE);
	label.device_size = cursor_u64(&cursor);
	if (!id || !areas_decode(label.data, &label.data_count, &cursor) ||
	    !areas_decode(label.metadata, &label.metadata_count, &cursor))
		return err_set(err, ERR_FORMAT, "label: its areas do not fit");
	memcpy(label.id, id, LVM_ID_SIZE);
	label.extension_version = cursor_u32(&cursor);
	label.extension_flags = cursor_u32(&cursor);
	if (label.extension_version && !areas_decode(label.boot, &label.boot_count, &cursor))
		return err_set(err, ERR_FORMAT, "label: its boot loader areas do not fit");
	*label_out = label;
	return 0;
}

int lvm_header_decode(struct lvm_header *header_out, const uint8_t bytes[static LVM_HEADER_SIZE],
		      struct err *err)
{
	struct lvm_header header = {
		.version = get_le32(bytes + HEADER_VERSION),
		.start = get_le64(bytes + HEADER_START),
		.size = get_le64(bytes + HEADER_AREA_SIZE),
		.sum_right = get_le32(bytes) == lvm_sum(bytes + 4, LVM_HEADER_SIZE - 4),
	};

	if (memcmp(bytes + HEADER_MAGIC_AT, HEADER_MAGIC, 16) != 0)
		return err_set(err, ERR_NOT_MEMBER, "no metadata area of LVM2");
	for (uint32_t i = 0; i < LVM_COPIES_MAX; i++) {
		const uint8_t *at = bytes + HEADER_COPIES + (size_t)i * COPY_SIZE;
		struct lvm_copy copy = { get_le64(at), get_le64(at + 8), get_le32(at + 16),
					 get_le32(at + 20) };

		if (copy.offset == 0 && copy.size == 0)
			break;
		header.copies[header.copy_count++] = copy;
	}
	*header_out = header;
	return 0;
}

void lvm_id_text(char out[static LVM_ID_TEXT_SIZE], const uint8_t id[static LVM_ID_SIZE])
{
	for (uint32_t i = 0; i < LVM_ID_SIZE; i++) {
		if (i == 6 || (i > 6 && i < 27 && (i - 6) % 4 == 0))
			*out++ = '-';
		/* Letters and digits; anything else is damage. */
		*out++ = id[i] > ' ' && id[i] < 0x7f ? (char)id[i] : '?';
	}
	*out = '\0';
}

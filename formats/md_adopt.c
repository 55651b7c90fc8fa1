/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_adopt.h"

#include "core/base/crc.h"
#include "core/base/size.h"
#include "core/dev/dev.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define OWN_MAX 3u /* areas beside its superblock: bitmap, bad blocks, partial parity log */

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to adopt an array");
}

static uint64_t sectors_of(const struct dev *dev)
{
	return dev_info(dev)->size_exact / MD_SECTOR;
}

static uint32_t minor_at(uint64_t super_offset)
{
	return super_offset == 0 ? 1 : 2;
}

static int super_read(uint8_t *page, struct dev *dev, uint64_t offset, struct err *err)
{
	int rc = io_read(dev, IO_ROLE_SUPER, offset, page, MD_SUPER_SIZE);

	return rc ? err_set(err, rc, "%s: its MD superblock cannot be read", dev_name(dev)) : 0;
}

/* A superblock block of 1.1 or 1.2, as the member that it makes. */
static int member_of(struct md_member *member, struct md1 *super, const uint8_t *page,
		     const struct dev *dev, uint64_t offset, struct err *err)
{
	int rc = md1_decode(super, page, err);

	if (rc == 0)
		md_member_from_md1(member, super, minor_at(offset), offset / MD_SECTOR,
				   sectors_of(dev));
	return rc;
}

/* What one look at a superblock takes; on the heap for its size. */
struct look {
	struct md1 super;
	struct md_member member;
};

static int changed(const struct dev *dev, struct err *err)
{
	err_set(err, ERR_CHANGED, "%s: its MD superblock has changed since it was looked at",
		dev_name(dev));
	return err_hint(err, "stop whatever uses the array, then run the command again");
}

static int super_keep(struct adopt_kept *kept, struct dev *dev, const struct md_member *expected,
		      struct err *err)
{
	uint64_t offset = expected->super_sector * MD_SECTOR;
	struct look *look = mem_calloc(1, sizeof(*look));
	uint8_t *page = mem_pages(BLOCK_SIZE);
	struct adopt_block block = { .offset = offset };
	int rc = look && page ? super_read(page, dev, offset, err) : no_memory(err);

	if (rc == 0)
		rc = member_of(&look->member, &look->super, page, dev, offset, err);
	if (rc == 0 &&
	    (!md_member_is_sound(&look->member) ||
	     !uuid_equal(&look->member.array, &expected->array) ||
	     !uuid_equal(&look->member.device, &expected->device) ||
	     look->member.events != expected->events || look->member.clean != expected->clean))
		rc = changed(dev, err);
	if (rc == 0) {
		block.crc = crc32_of(0, page, BLOCK_SIZE);
		if (adopt_block_vec_push(&kept->blocks, block))
			rc = no_memory(err);
	}
	mem_pages_free(page);
	mem_free(look);
	return rc;
}

int md_adopt_keep(struct adopt_kept *kept, struct dev *dev, const struct md_member *member,
		  const struct adopt_area *areas, uint32_t area_count, struct err *err)
{
	struct adopt_record *record = &kept->record;
	int rc;

	kept->blocks.count = 0;
	rc = super_keep(kept, dev, member, err);
	for (uint32_t i = 0; rc == 0 && i < area_count; i++)
		rc = adopt_keep_look(&kept->blocks, dev, areas[i], err);
	if (rc)
		return rc;
	record->block_count = (uint32_t)kept->blocks.count;
	record->super_offset = member->super_sector * MD_SECTOR;
	record->origin = member->array;
	record->origin_member = member->device;
	record->data_begin = member->data_offset * MD_SECTOR;
	return 0;
}

/* What lies where the superblock was. */
enum found {
	FOUND_KEPT,   /* it, as it was */
	FOUND_MARKED, /* it, with the mark */
	FOUND_USED,   /* of the same member, and MD has written it since */
	FOUND_OTHER,  /* of another array or member */
	FOUND_NONE,   /* nothing that makes sense */
};

static enum found judge(const struct adopt_kept *kept, const uint8_t *page, const struct dev *dev,
			struct look *look)
{
	const struct adopt_record *record = &kept->record;
	uint32_t crc = kept->blocks.at[adopt_kept_super_number(kept)].crc;
	struct err ignored = { 0 };

	if (crc32_of(0, page, BLOCK_SIZE) == crc)
		return FOUND_KEPT;
	if (member_of(&look->member, &look->super, page, dev, record->super_offset, &ignored) ||
	    look->super.checksum != look->super.checksum_expected)
		return FOUND_NONE;
	if (!uuid_equal(&look->member.array, &record->origin) ||
	    !uuid_equal(&look->member.device, &record->origin_member))
		return FOUND_OTHER;
	return look->super.features & MD1_ADOPTED ? FOUND_MARKED : FOUND_USED;
}

int md_adopt_mark(const struct adopt_kept *kept, struct dev *dev, struct err *err)
{
	uint64_t offset = kept->record.super_offset;
	struct look *look = mem_calloc(1, sizeof(*look));
	uint8_t *page = mem_pages(BLOCK_SIZE);
	int rc = look && page ? super_read(page, dev, offset, err) : no_memory(err);
	enum found found = rc == 0 ? judge(kept, page, dev, look) : FOUND_NONE;

	if (rc == 0 && found == FOUND_KEPT) {
		rc = md1_decode(&look->super, page, err);
		if (rc == 0) {
			look->super.features |= MD1_ADOPTED;
			md1_encode(page, &look->super);
			rc = io_write(dev, IO_ROLE_SUPER, offset, page, BLOCK_SIZE);
			if (rc == 0)
				rc = io_flush(dev);
			if (rc)
				err_set(err, rc, "%s: its MD superblock cannot be marked",
					dev_name(dev));
		}
	} else if (rc == 0 && found != FOUND_MARKED) {
		rc = changed(dev, err);
	}
	mem_pages_free(page);
	mem_free(look);
	return rc;
}

static struct adopt_area blocks_of(uint64_t sector, uint64_t sectors)
{
	uint64_t begin = sector * MD_SECTOR, end = (sector + sectors) * MD_SECTOR;

	return (struct adopt_area){ begin - begin % BLOCK_SIZE, size_round_up(end, BLOCK_SIZE) };
}

/* What MD has beside its superblock, before the data: it has written there too. */
static uint32_t own_areas(struct adopt_area *areas, const struct md_member *member)
{
	uint64_t data = member->data_offset;
	uint32_t count = 0;

	if (member->bitmap_sector < data) {
		uint64_t end = member->bad_block_sector > member->bitmap_sector
				       ? size_min(data, member->bad_block_sector)
				       : data;

		areas[count++] = blocks_of(member->bitmap_sector, end - member->bitmap_sector);
	}
	if (member->bad_block_sector < data)
		areas[count++] = blocks_of(member->bad_block_sector, member->bad_block_sectors);
	if (member->ppl_sector < data)
		areas[count++] = blocks_of(member->ppl_sector, member->ppl_sectors);
	assert(count <= OWN_MAX);
	return count;
}

/* Whose is it now? Read only. */
static int back_look(struct md_adopt_back *back, struct look *look, struct err *err)
{
	const struct adopt_kept *kept = &back->kept;
	uint8_t *page = mem_pages(BLOCK_SIZE);
	enum found found = FOUND_NONE;
	int rc =
		page ? super_read(page, back->dev, kept->record.super_offset, err) : no_memory(err);

	if (rc == 0)
		found = judge(kept, page, back->dev, look);
	mem_pages_free(page);
	if (rc)
		return rc;
	back->used = found == FOUND_USED;
	if (found == FOUND_OTHER || (found == FOUND_NONE && !back->has_ours)) {
		err_set(err, ERR_CHANGED,
			"%s: nothing on it but the adoption record says that it belongs to array "
			"'%s'",
			dev_name(back->dev), kept->record.name);
		return err_hint(err, "leave it out if somebody else uses it now: pgctl inspect %s",
				dev_name(back->dev));
	}
	if (back->used && !md_member_is_sound(&look->member))
		return err_set(err, ERR_FORMAT, "%s: its MD superblock has faults",
			       dev_name(back->dev));
	return 0;
}

static int back_check(struct md_adopt_back *back, struct look *look, struct err *err)
{
	int rc;

	if (back->kept.record.state == ADOPT_RECORD_VOID)
		return 0;
	rc = back_look(back, look, err);
	return rc ? rc : adopt_kept_verify(&back->kept, back->dev, err);
}

static int back_restore(struct md_adopt_back *back, struct look *look, struct err *err)
{
	struct adopt_area own[OWN_MAX];
	uint32_t own_count = 0;
	int rc = 0;

	if (back->kept.record.state == ADOPT_RECORD_VOID)
		return 0;
	if (back->used) {
		rc = back_look(back, look, err);
		own_count = own_areas(own, &look->member);
	}
	return rc ? rc
		  : adopt_kept_restore(&back->kept, back->dev, back->newest, own, own_count, err);
}

int md_adopt_undo(struct md_adopt_back *members, uint32_t count, struct err *err)
{
	struct look *look = mem_calloc(1, sizeof(*look));
	int rc = look ? 0 : no_memory(err);

	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = back_check(&members[i], look, err);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = back_restore(&members[i], look, err);
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		if (members[i].kept.record.state == ADOPT_RECORD_KEEPS && !members[i].used)
			rc = adopt_kept_super(&members[i].kept, members[i].dev, err);
	}
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = adopt_kept_finish(&members[i].kept, members[i].dev, err);
	mem_free(look);
	return rc;
}

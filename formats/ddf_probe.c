/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "formats/big_endian.h"
#include "formats/ddf.h"
#include "formats/ddf_print.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SEARCH_SIZE (UINT64_C(32) << 20) /* how far from the end an anchor is looked for */
#define SECTION_MAX (DDF_BLOCK + 64u * DDF_ENTRIES_MAX)
#define CONFIG_BLOCKS_MAX 128u /* of a record: 4096 elements need 97 */
#define DATA_REFERENCE 32u     /* byte offsets in a disk's identity */
#define DATA_GUID 8u
_Static_assert(SECTION_MAX <= READER_MAX, "a section is read whole");

static void ddf_free(void *record)
{
	struct ddf *ddf = record;

	for (size_t i = 0; i < ddf->records.count; i++)
		mem_free(ddf->records.at[i]);
	ddf_record_vec_reset(&ddf->records);
	ddf_config_vec_reset(&ddf->configs);
	ddf_disk_vec_reset(&ddf->disks);
	ddf_virtual_vec_reset(&ddf->virtuals);
	mem_free(ddf);
}

/* A header at byte `offset`, if there is one that is whole. */
static bool header_read(struct ddf_header *header_out, struct reader *reader, uint64_t offset)
{
	const uint8_t *bytes = reader_read(reader, offset, DDF_BLOCK);
	struct err err = { 0 };

	return bytes && ddf_header_decode(header_out, bytes, &err) == 0;
}

static bool header_at_block(struct ddf_header *header_out, struct reader *reader, uint64_t block,
			    enum ddf_header_type type)
{
	uint64_t offset;

	return size_multiply(block, DDF_BLOCK, &offset) &&
	       header_read(header_out, reader, offset) && header_out->type == type;
}

/* What the search has come upon: the last header of each kind. */
struct places {
	uint64_t offset[3]; /* by enum ddf_header_type; UINT64_MAX: none */
};

static void search_piece(struct places *places, const uint8_t *bytes, uint64_t offset, size_t size)
{
	struct ddf_header header;
	struct err err = { 0 };

	for (size_t at = 0; at + DDF_BLOCK <= size; at += DDF_BLOCK) {
		if (get_be32(bytes + at) == DDF_HEADER_MAGIC &&
		    ddf_header_decode(&header, bytes + at, &err) == 0 &&
		    header.type <= DDF_SECONDARY)
			places->offset[header.type] = offset + at;
	}
}

static void search(struct places *places, struct reader *reader)
{
	uint64_t end = reader->size - reader->size % DDF_BLOCK;
	uint64_t at = end > SEARCH_SIZE ? end - SEARCH_SIZE : 0;

	while (at < end) {
		size_t size = (size_t)size_min(end - at, READER_MAX);
		const uint8_t *bytes = reader_read(reader, at, size);

		/* One that cannot be read hides no more than it must. */
		if (!bytes && size > BLOCK_SIZE) {
			size = BLOCK_SIZE;
			bytes = reader_read(reader, at, size);
		}
		if (bytes)
			search_piece(places, bytes, at, size);
		at += size;
	}
}

/* Which of the two copies counts: as mdadm does, the one that was closed, then the later one. */
static bool second_counts(const struct ddf_header *first, const struct ddf_header *second)
{
	if (first->open != second->open)
		return first->open != 0;
	return second->sequence > first->sequence;
}

static bool headers_take(struct other_found *found, struct reader *reader,
			 const struct places *places)
{
	struct ddf *ddf = found->record;
	struct ddf_header second;
	bool have_first, have_second;

	have_first = header_at_block(&ddf->header, reader, ddf->anchor.primary_block, DDF_PRIMARY);
	ddf->header_block = ddf->anchor.primary_block;
	if (!have_first && places->offset[DDF_PRIMARY] != UINT64_MAX) {
		have_first = header_read(&ddf->header, reader, places->offset[DDF_PRIMARY]);
		ddf->header_block = places->offset[DDF_PRIMARY] / DDF_BLOCK;
	}
	have_second = header_at_block(&second, reader, ddf->anchor.secondary_block, DDF_SECONDARY);
	ddf->primary_found = have_first;
	ddf->secondary_found = have_second;
	if (have_second && (!have_first || second_counts(&ddf->header, &second))) {
		ddf->header = second;
		ddf->header_block = ddf->anchor.secondary_block;
	}
	return have_first || have_second;
}

/* Anchor and headers. False: nothing of DDF; where only an anchor is there, a fault says so. */
static bool headers_find(struct other_found *found, struct reader *reader)
{
	struct ddf *ddf = found->record;
	struct places places = { { UINT64_MAX, UINT64_MAX, UINT64_MAX } };

	if (reader->size < 2 * (uint64_t)DDF_BLOCK)
		return false;
	found->offset = reader->size - reader->size % DDF_BLOCK - DDF_BLOCK;
	if (!header_read(&ddf->anchor, reader, found->offset)) {
		if (!reader->search)
			return false;
		search(&places, reader);
		for (uint32_t i = 0; i < 3; i++) {
			if (places.offset[i] != UINT64_MAX) {
				found->offset = places.offset[i];
				break;
			}
		}
		if (!header_read(&ddf->anchor, reader, found->offset))
			return false;
		ddf->displaced = true;
	}
	ddf->anchor_found = ddf->anchor.type == DDF_ANCHOR;
	if (!headers_take(found, reader, &places)) {
		md_fault(&found->faults, "headers",
			 "neither the primary nor the secondary header "
			 "can be read");
		ddf->header = ddf->anchor;
		return true;
	}
	ddf->complete = true;
	return true;
}

/* The first byte of a section, when all its blocks lie on the device. */
static bool section_place(uint64_t *offset_out, const struct ddf *ddf, struct reader *reader,
			  const struct ddf_section *section)
{
	uint64_t first, offset, end;

	if (section->offset == DDF_NONE || section->length == 0 || section->length == DDF_NONE ||
	    !size_add(ddf->header_block, section->offset, &first) ||
	    !size_multiply(first, DDF_BLOCK, &offset) ||
	    !size_add(offset, (uint64_t)section->length * DDF_BLOCK, &end) || end > reader->size)
		return false;
	*offset_out = offset;
	return true;
}

/* A section that is read whole; NULL with a fault. */
static const uint8_t *section_read(struct other_found *found, struct reader *reader,
				   const struct ddf_section *section, size_t *size_out,
				   const char *what)
{
	const uint8_t *bytes;
	uint64_t offset;

	if (!section_place(&offset, found->record, reader, section) ||
	    section->length > SECTION_MAX / DDF_BLOCK) {
		md_fault(&found->faults, what, "its section lies where it cannot");
		return NULL;
	}
	*size_out = (size_t)section->length * DDF_BLOCK;
	bytes = reader_read(reader, offset, *size_out);
	if (!bytes)
		md_fault(&found->faults, what, "its section cannot be read");
	return bytes;
}

static void disks_read(struct other_found *found, struct reader *reader)
{
	struct ddf *ddf = found->record;
	struct err err = { 0 };
	uint32_t count;
	size_t size;
	const uint8_t *bytes =
		section_read(found, reader, &ddf->header.disks, &size, "physical_disks");

	if (!bytes)
		return;
	if (ddf_section_check(&count, bytes, size, DDF_DISKS_MAGIC, &err)) {
		md_fault(&found->faults, "physical_disks", "%s", err.text);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct ddf_disk disk;

		if (ddf_disk_decode(&disk, bytes, i) && ddf_disk_vec_push(&ddf->disks, disk))
			found->facts.failed = true;
	}
}

static void virtuals_read(struct other_found *found, struct reader *reader)
{
	struct ddf *ddf = found->record;
	struct err err = { 0 };
	uint32_t count;
	size_t size;
	const uint8_t *bytes =
		section_read(found, reader, &ddf->header.volumes, &size, "virtual_disks");

	if (!bytes)
		return;
	if (ddf_section_check(&count, bytes, size, DDF_VOLUMES_MAGIC, &err)) {
		md_fault(&found->faults, "virtual_disks", "%s", err.text);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct ddf_virtual entry;

		if (ddf_virtual_decode(&entry, bytes, i) &&
		    ddf_virtual_vec_push(&ddf->virtuals, entry))
			found->facts.failed = true;
	}
}

static void record_take(struct other_found *found, uint8_t *bytes, size_t size, uint32_t which)
{
	struct ddf *ddf = found->record;
	struct ddf_config config;
	struct err err = { 0 };

	if (get_be32(bytes) == DDF_SPARE_MAGIC) {
		ddf->spare_records++;
		ddf->spare_type = bytes[19];
		if (!ddf_sum_is_right(bytes, size))
			md_fault(&found->faults, "spare_assignment", "its sum is wrong");
		return;
	}
	if (get_be32(bytes) != DDF_CONFIG_MAGIC)
		return;
	if (ddf_config_decode(&config, &ddf->header, bytes, size, &err))
		md_fault(&found->faults, "configuration", "record %u: %s", which, err.text);
	else if (ddf_config_vec_push(&ddf->configs, config))
		found->facts.failed = true;
}

/* Records of volumes and of spares; the other ones are a vendor's own. */
static void configs_read(struct other_found *found, struct reader *reader)
{
	struct ddf *ddf = found->record;
	const struct ddf_section *section = &ddf->header.configs;
	size_t size = (size_t)ddf->header.config_blocks * DDF_BLOCK;
	uint64_t offset;
	uint32_t count;

	if (ddf->header.config_blocks == 0 || ddf->header.config_blocks > CONFIG_BLOCKS_MAX ||
	    !section_place(&offset, ddf, reader, section)) {
		md_fault(&found->faults, "configurations", "their section lies where it cannot");
		return;
	}
	count = section->length / ddf->header.config_blocks;
	for (uint32_t i = 0; i < count && i < DDF_RECORDS_MAX; i++) {
		const uint8_t *head = reader_read(reader, offset + (uint64_t)i * size, DDF_BLOCK);
		uint8_t *bytes;

		if (!head) {
			md_fault(&found->faults, "configuration", "record %u cannot be read", i);
			continue;
		}
		if (get_be32(head) != DDF_CONFIG_MAGIC && get_be32(head) != DDF_SPARE_MAGIC)
			continue;
		bytes = reader_copy(reader, offset + (uint64_t)i * size, size);
		if (!bytes || ddf_record_vec_push(&ddf->records, bytes)) {
			mem_free(bytes);
			md_fault(&found->faults, "configuration", "record %u cannot be read", i);
			continue;
		}
		record_take(found, bytes, size, i);
	}
}

static void identity_read(struct other_found *found, struct reader *reader)
{
	struct ddf *ddf = found->record;
	size_t size;
	const uint8_t *bytes = section_read(found, reader, &ddf->header.data, &size, "disk_data");

	ddf->reference = DDF_NONE;
	if (!bytes)
		return;
	if (get_be32(bytes) != DDF_DATA_MAGIC || !ddf_sum_is_right(bytes, DDF_BLOCK)) {
		md_fault(&found->faults, "disk_data", "its magic or its sum is wrong");
		return;
	}
	ddf->reference = get_be32(bytes + DATA_REFERENCE);
	memcpy(ddf->disk_guid, bytes + DATA_GUID, DDF_GUID_SIZE);
}

static void controller_read(struct other_found *found, struct reader *reader)
{
	struct ddf *ddf = found->record;
	struct err err = { 0 };
	size_t size;
	const uint8_t *bytes =
		section_read(found, reader, &ddf->header.controller, &size, "controller");

	if (!bytes)
		return;
	if (ddf_controller_decode(&ddf->controller, bytes, &err))
		md_fault(&found->faults, "controller", "%s", err.text);
	else
		ddf->controller_found = true;
}

static bool ddf_probe(struct other_found *found, struct reader *reader, const char *path)
{
	struct ddf *ddf = mem_calloc(1, sizeof(*ddf));

	(void)path;
	found->record = ddf;
	if (!ddf) {
		found->facts.failed = true;
		return false;
	}
	if (!headers_find(found, reader))
		return false;
	snprintf(found->hint, sizeof(found->hint),
		 "mdadm --examine DEVICE; mdadm --assemble --readonly /dev/md/ddf DEVICE…");
	ddf_header_validate(&found->faults, &ddf->header);
	if (ddf->complete && !found->faults.count) {
		controller_read(found, reader);
		disks_read(found, reader);
		virtuals_read(found, reader);
		configs_read(found, reader);
		identity_read(found, reader);
	}
	ddf_volumes_make(found);
	ddf_print(found);
	return true;
}

const struct other_format ddf_format = {
	.name = "ddf",
	.blkid_type = "ddf_raid_member",
	.title = "DDF of SNIA",
	.tool = "mdadm",
	.probe = ddf_probe,
	.record_free = ddf_free,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/ddf.h"

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/base/size.h"
#include "formats/big_endian.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Byte offsets. */
enum {
	RECORD_SUM = 4,
	RECORD_GUID = 8, /* of headers, controllers, configurations */

	HEADER_REVISION = 32,
	HEADER_SEQUENCE = 40,
	HEADER_TIME = 44,
	HEADER_OPEN = 48,
	HEADER_FOREIGN = 49,
	HEADER_ENFORCE_GROUPS = 50,
	HEADER_PRIMARY = 96,
	HEADER_SECONDARY = 104,
	HEADER_TYPE = 112,
	HEADER_WORKSPACE_BLOCKS = 116,
	HEADER_WORKSPACE = 120,
	HEADER_DISKS_MAX = 128,
	HEADER_VOLUMES_MAX = 130,
	HEADER_PARTITIONS_MAX = 132,
	HEADER_CONFIG_BLOCKS = 134,
	HEADER_ELEMENTS_MAX = 136,
	HEADER_SECTIONS = 192,

	CONTROLLER_VENDOR = 32,
	CONTROLLER_PRODUCT = 40,

	SECTION_ENTRIES_MAX = 10,
	SECTION_FIRST = 64,
	ENTRY_SIZE = 64,

	DISK_REFERENCE = 24,
	DISK_TYPE = 28,
	DISK_STATE = 30,
	DISK_CONFIG_BLOCKS = 32,
	DISK_PATH = 40,
	DISK_PATH_SIZE = 18,

	VIRTUAL_UNIT = 24,
	VIRTUAL_TYPE = 30,
	VIRTUAL_STATE = 32,
	VIRTUAL_INIT_STATE = 33,
	VIRTUAL_NAME = 48,

	CONFIG_TIME = 32,
	CONFIG_SEQUENCE = 36,
	CONFIG_ELEMENTS = 64,
	CONFIG_CHUNK_SHIFT = 66,
	CONFIG_LEVEL = 67,
	CONFIG_QUALIFIER = 68,
	CONFIG_SECOND_COUNT = 69,
	CONFIG_SECOND_WHICH = 70,
	CONFIG_SECOND_LEVEL = 71,
	CONFIG_BLOCKS = 72,
	CONFIG_ARRAY_BLOCKS = 80,
	CONFIG_SPARES = 96,
	CONFIG_CACHE_POLICY = 135,
	CONFIG_BACKGROUND_RATE = 136,
	CONFIG_REFERENCES = 512,
};

#define MDADM_VENDOR "Linux-MD" /* in front of the guids that it makes */

uint32_t ddf_sum(const uint8_t *bytes, size_t size)
{
	static const uint8_t ones[4] = { 0xff, 0xff, 0xff, 0xff };
	/* The plain register: zeros at first, and not inverted at the end, as zlib's is. */
	uint32_t sum = crc32_of(UINT32_MAX, bytes, RECORD_SUM);

	assert(size > 8);
	sum = crc32_of(sum, ones, 4);
	return ~crc32_of(sum, bytes + 8, size - 8);
}

bool ddf_sum_is_right(const uint8_t *bytes, size_t size)
{
	return get_be32(bytes + RECORD_SUM) == ddf_sum(bytes, size);
}

/* What all records have in front. */
static int record_check(const uint8_t *bytes, size_t size, uint32_t magic, const char *what,
			struct err *err)
{
	if (get_be32(bytes) != magic)
		return err_set(err, ERR_NOT_MEMBER, "no %s of DDF", what);
	if (!ddf_sum_is_right(bytes, size))
		return err_set(err, ERR_CHECKSUM, "%s: its sum is wrong", what);
	return 0;
}

static struct ddf_section section_get(const uint8_t *bytes, uint32_t which)
{
	const uint8_t *at = bytes + HEADER_SECTIONS + (size_t)8 * which;

	return (struct ddf_section){ get_be32(at), get_be32(at + 4) };
}

int ddf_header_decode(struct ddf_header *header_out, const uint8_t bytes[static DDF_BLOCK],
		      struct err *err)
{
	struct ddf_header header = {
		.sequence = get_be32(bytes + HEADER_SEQUENCE),
		.time = get_be32(bytes + HEADER_TIME),
		.open = bytes[HEADER_OPEN],
		.foreign = bytes[HEADER_FOREIGN],
		.enforce_groups = bytes[HEADER_ENFORCE_GROUPS],
		.type = bytes[HEADER_TYPE],
		.primary_block = get_be64(bytes + HEADER_PRIMARY),
		.secondary_block = get_be64(bytes + HEADER_SECONDARY),
		.workspace_block = get_be64(bytes + HEADER_WORKSPACE),
		.workspace_blocks = get_be32(bytes + HEADER_WORKSPACE_BLOCKS),
		.disks_max = get_be16(bytes + HEADER_DISKS_MAX),
		.volumes_max = get_be16(bytes + HEADER_VOLUMES_MAX),
		.partitions_max = get_be16(bytes + HEADER_PARTITIONS_MAX),
		.config_blocks = get_be16(bytes + HEADER_CONFIG_BLOCKS),
		.elements_max = get_be16(bytes + HEADER_ELEMENTS_MAX),
		.controller = section_get(bytes, 0),
		.disks = section_get(bytes, 1),
		.volumes = section_get(bytes, 2),
		.configs = section_get(bytes, 3),
		.data = section_get(bytes, 4),
		.bad_blocks = section_get(bytes, 5),
		.diagnostics = section_get(bytes, 6),
		.vendor = section_get(bytes, 7),
	};
	int rc = record_check(bytes, DDF_BLOCK, DDF_HEADER_MAGIC, "header", err);

	if (rc)
		return rc;
	memcpy(header.guid, bytes + RECORD_GUID, DDF_GUID_SIZE);
	other_text(header.revision, sizeof(header.revision), bytes + HEADER_REVISION, 8);
	*header_out = header;
	return 0;
}

void ddf_header_validate(struct md_faults *faults, const struct ddf_header *header)
{
	if (strncmp(header->revision, "01.", 3) != 0 && strncmp(header->revision, "02.", 3) != 0)
		md_fault(faults, "revision", "%s is not known", header->revision);
	if (header->type > DDF_SECONDARY)
		md_fault(faults, "type", "%u is no header", header->type);
	if (header->config_blocks == 0 ||
	    (size_t)header->config_blocks * DDF_BLOCK <
		    CONFIG_REFERENCES + (size_t)12 * header->elements_max)
		md_fault(faults, "config_record_blocks", "%u, too few for %u elements",
			 header->config_blocks, header->elements_max);
	if (header->disks_max > DDF_ENTRIES_MAX || header->volumes_max > DDF_ENTRIES_MAX)
		md_fault(faults, "disks_max", "%u disks and %u volumes, the format has %u",
			 header->disks_max, header->volumes_max, DDF_ENTRIES_MAX);
}

int ddf_controller_decode(struct ddf_controller *controller_out,
			  const uint8_t bytes[static DDF_BLOCK], struct err *err)
{
	struct ddf_controller controller = {
		.vendor = get_be16(bytes + CONTROLLER_VENDOR),
		.device = get_be16(bytes + CONTROLLER_VENDOR + 2),
		.sub_vendor = get_be16(bytes + CONTROLLER_VENDOR + 4),
		.sub_device = get_be16(bytes + CONTROLLER_VENDOR + 6),
	};
	int rc = record_check(bytes, DDF_BLOCK, DDF_CONTROLLER_MAGIC, "controller", err);

	if (rc)
		return rc;
	memcpy(controller.guid, bytes + RECORD_GUID, DDF_GUID_SIZE);
	other_text(controller.product, sizeof(controller.product), bytes + CONTROLLER_PRODUCT, 16);
	*controller_out = controller;
	return 0;
}

int ddf_section_check(uint32_t *count_out, const uint8_t *bytes, size_t size, uint32_t magic,
		      struct err *err)
{
	const char *what = magic == DDF_DISKS_MAGIC ? "physical disks" : "virtual disks";
	uint32_t count;
	int rc;

	assert(size >= SECTION_FIRST);
	rc = record_check(bytes, size, magic, what, err);
	if (rc)
		return rc;
	count = get_be16(bytes + SECTION_ENTRIES_MAX);
	if (count > DDF_ENTRIES_MAX || count > (size - SECTION_FIRST) / ENTRY_SIZE)
		return err_set(err, ERR_FORMAT, "%s: %u entries do not fit", what, count);
	*count_out = count;
	return 0;
}

/* An entry that was never used, or given back, has no guid. */
static const uint8_t *entry_at(const uint8_t *section, uint32_t which)
{
	const uint8_t *at = section + SECTION_FIRST + (size_t)which * ENTRY_SIZE;

	for (uint32_t i = 0; i < DDF_GUID_SIZE; i++) {
		if (at[i] != 0xff && at[i] != 0)
			return at;
	}
	return NULL;
}

bool ddf_disk_decode(struct ddf_disk *disk_out, const uint8_t *section, uint32_t which)
{
	const uint8_t *at = entry_at(section, which);

	if (!at)
		return false;
	*disk_out = (struct ddf_disk){
		.reference = get_be32(at + DISK_REFERENCE),
		.type = get_be16(at + DISK_TYPE),
		.state = get_be16(at + DISK_STATE),
		.config_blocks = get_be64(at + DISK_CONFIG_BLOCKS),
	};
	memcpy(disk_out->guid, at, DDF_GUID_SIZE);
	other_text(disk_out->path, sizeof(disk_out->path), at + DISK_PATH, DISK_PATH_SIZE);
	return true;
}

bool ddf_virtual_decode(struct ddf_virtual *virtual_out, const uint8_t *section, uint32_t which)
{
	const uint8_t *at = entry_at(section, which);

	if (!at)
		return false;
	*virtual_out = (struct ddf_virtual){
		.unit = get_be16(at + VIRTUAL_UNIT),
		.type = get_be16(at + VIRTUAL_TYPE),
		.state = at[VIRTUAL_STATE],
		.init_state = at[VIRTUAL_INIT_STATE],
	};
	memcpy(virtual_out->guid, at, DDF_GUID_SIZE);
	other_text(virtual_out->name, sizeof(virtual_out->name), at + VIRTUAL_NAME, 16);
	return true;
}

int ddf_config_decode(struct ddf_config *config_out, const struct ddf_header *header,
		      const uint8_t *bytes, size_t size, struct err *err)
{
	struct ddf_config config;
	int rc;

	if (size < CONFIG_REFERENCES)
		return err_set(err, ERR_FORMAT, "configuration of %zu bytes", size);
	rc = record_check(bytes, size, DDF_CONFIG_MAGIC, "configuration", err);
	if (rc)
		return rc;
	config = (struct ddf_config){
		.time = get_be32(bytes + CONFIG_TIME),
		.sequence = get_be32(bytes + CONFIG_SEQUENCE),
		.element_count = get_be16(bytes + CONFIG_ELEMENTS),
		.chunk_shift = bytes[CONFIG_CHUNK_SHIFT],
		.level = bytes[CONFIG_LEVEL],
		.qualifier = bytes[CONFIG_QUALIFIER],
		.second_count = bytes[CONFIG_SECOND_COUNT],
		.second_which = bytes[CONFIG_SECOND_WHICH],
		.second_level = bytes[CONFIG_SECOND_LEVEL],
		.element_blocks = get_be64(bytes + CONFIG_BLOCKS),
		.array_blocks = get_be64(bytes + CONFIG_ARRAY_BLOCKS),
		.cache_policy = bytes[CONFIG_CACHE_POLICY],
		.background_rate = bytes[CONFIG_BACKGROUND_RATE],
		.references = bytes + CONFIG_REFERENCES,
		.starts = bytes + CONFIG_REFERENCES + (size_t)4 * header->elements_max,
	};
	memcpy(config.guid, bytes + RECORD_GUID, DDF_GUID_SIZE);
	for (uint32_t i = 0; i < 8; i++)
		config.spares[i] = get_be32(bytes + CONFIG_SPARES + (size_t)4 * i);
	if (config.element_count == 0 || config.element_count > header->elements_max ||
	    CONFIG_REFERENCES + (size_t)12 * header->elements_max > size)
		return err_set(err, ERR_FORMAT, "configuration: %u elements, there is room for %u",
			       config.element_count, header->elements_max);
	*config_out = config;
	return 0;
}

uint32_t ddf_config_reference(const struct ddf_config *config, uint32_t which)
{
	assert(which < config->element_count);
	return get_be32(config->references + (size_t)4 * which);
}

uint64_t ddf_config_start(const struct ddf_config *config, uint32_t which)
{
	assert(which < config->element_count);
	return get_be64(config->starts + (size_t)8 * which);
}

void ddf_guid_text(char out[static DDF_GUID_TEXT_SIZE], const uint8_t *guid)
{
	size_t used = 0;

	for (uint32_t i = 0; i < DDF_GUID_SIZE; i++)
		used += (size_t)snprintf(out + used, DDF_GUID_TEXT_SIZE - used, "%s%02X",
					 i && i % 4 == 0 ? ":" : "", guid[i]);
}

const char *ddf_level_name(uint8_t level)
{
	switch (level) {
	case DDF_RAID0:
		return "RAID0";
	case DDF_RAID1:
		return "RAID1";
	case DDF_RAID3:
		return "RAID3";
	case DDF_RAID4:
		return "RAID4";
	case DDF_RAID5:
		return "RAID5";
	case DDF_RAID6:
		return "RAID6";
	case DDF_JBOD:
		return "JBOD";
	case DDF_RAID1E:
		return "RAID1E";
	case DDF_RAID5E:
		return "RAID5E";
	case DDF_CONCAT:
		return "concatenation";
	case DDF_RAID5EE:
		return "RAID5EE";
	default:
		return NULL;
	}
}

/* Rotations: 0 restart, N restart, N continue (RAID-6 numbers the first differently). */
static bool rotation_of(struct md_shape *shape, const struct ddf_config *config)
{
	static const uint32_t raid5[] = { MD_RIGHT_ASYMMETRIC, UINT32_MAX, MD_LEFT_ASYMMETRIC,
					  MD_LEFT_SYMMETRIC };
	static const uint32_t raid6[] = { UINT32_MAX, MD_DDF_ZERO_RESTART, MD_DDF_N_RESTART,
					  MD_DDF_N_CONTINUE };
	uint32_t layout = UINT32_MAX;

	if (config->qualifier < 4)
		layout = (shape->level == MD_RAID6 ? raid6 : raid5)[config->qualifier];
	shape->layout = layout == UINT32_MAX ? 0 : layout;
	return layout != UINT32_MAX;
}

/* RAID-4, 5 and 6: how many of its members hold data. */
static uint32_t parity_level(struct md_shape *shape, const char **why_out,
			     const struct ddf_config *config)
{
	uint32_t checks = config->level == DDF_RAID6 ? 2 : 1;

	shape->level = config->level; /* the same numbers */
	if (config->level == DDF_RAID4 && config->qualifier != 1)
		*why_out = "its parity is on the first disk";
	if (config->level != DDF_RAID4 && !rotation_of(shape, config))
		*why_out = "its rotation is not known";
	return config->element_count > checks ? config->element_count - checks : 0;
}

/* The second copies lie in the next row by the standard; what mdadm writes so has them behind all first ones. */
static uint32_t raid1e_layout(const struct ddf_config *config)
{
	if (config->qualifier == 0)
		return 0x102;
	return memcmp(config->guid, MDADM_VENDOR, strlen(MDADM_VENDOR)) == 0 ? 0x201 : 0x10201;
}

/* One element of the secondary level. */
static uint32_t first_level(struct md_shape *shape, const char **why_out,
			    const struct ddf_config *config)
{
	uint32_t count = config->element_count;

	switch (config->level) {
	case DDF_RAID0:
		shape->level = MD_RAID0;
		return count;
	case DDF_JBOD:
	case DDF_CONCAT:
		shape->level = MD_LINEAR;
		return count;
	case DDF_RAID1:
		shape->level = MD_RAID1;
		return 1;
	case DDF_RAID1E:
		shape->level = MD_RAID10;
		shape->layout = raid1e_layout(config);
		if (config->qualifier > 1)
			*why_out = "its RAID1E has an unknown order";
		return count;
	case DDF_RAID4:
	case DDF_RAID5:
	case DDF_RAID6:
		return parity_level(shape, why_out, config);
	default:
		shape->level = -1000;
		*why_out = "its level is not read here";
		return 0;
	}
}

/* Stripes over mirrors, which are of two disks or, by the qualifier, of three. */
static bool is_mirrors(const struct ddf_config *config)
{
	return config->level == DDF_RAID1 &&
	       config->element_count == (config->qualifier == 0 ? 2 : 3) &&
	       (config->second_level == DDF_STRIPED || config->second_level == DDF_SPANNED);
}

bool ddf_room(uint64_t *sectors_out, const struct ddf_config *config, uint32_t data)
{
	if (!size_multiply(config->element_blocks, data, sectors_out))
		return false;
	if (config->level == DDF_RAID1E)
		*sectors_out /= 2;
	return true;
}

uint32_t ddf_shape(struct md_shape *shape, const char **why_out, const struct ddf_config *config)
{
	uint32_t data;

	*why_out = NULL;
	*shape = (struct md_shape){ .raid_disks = config->element_count,
				    .component_sectors = config->element_blocks };
	data = first_level(shape, why_out, config);
	/* mdadm makes a mirror of one chunk; nothing turns in it. */
	if (config->level != DDF_RAID1 && config->chunk_shift < 32)
		shape->chunk_bytes = UINT64_C(512) << config->chunk_shift;
	if (config->second_count <= 1)
		return data;
	if (is_mirrors(config)) {
		shape->level = MD_RAID10;
		shape->layout = 0x100 | config->element_count;
		shape->raid_disks = (uint32_t)config->second_count * config->element_count;
		if (config->chunk_shift < 32)
			shape->chunk_bytes = UINT64_C(512) << config->chunk_shift;
		return config->second_count;
	}
	*why_out = "its elements are put together in a way that is not read here";
	return 0;
}

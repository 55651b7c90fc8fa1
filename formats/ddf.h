/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DDF, the Common RAID Disk Data Format of SNIA: an anchor in the last block of a disk leads to a primary and
 * a secondary copy of a header with sections behind it: controller, physical disks, virtual disks, the
 * configuration records of the virtual disks that this disk is in, and its own identity. Big-endian, blocks of
 * 512 bytes, CRC-32 over every record with the sum itself all ones.
 *
 * Sources: SNIA Common RAID DDF Specification 1.2; the structures of mdadm's super-ddf.c.
 */
#ifndef PG_FORMATS_DDF_H
#define PG_FORMATS_DDF_H

#include "formats/other.h"
#include "formats/other_volume.h"

#define DDF_BLOCK 512u
#define DDF_GUID_SIZE 24u
#define DDF_GUID_TEXT_SIZE 54u
#define DDF_ENTRIES_MAX 4096u /* physical or virtual disks: what the format allows */
#define DDF_RECORDS_MAX 4096u /* of the configuration section that are looked at */
#define DDF_EPOCH 315532800u  /* times count from 1980 */
#define DDF_NONE UINT32_MAX
#define DDF_HEADER_MAGIC 0xde11de11u
#define DDF_DISKS_MAGIC 0x22222222u
#define DDF_VOLUMES_MAGIC 0xddddddddu
#define DDF_CONTROLLER_MAGIC 0xad111111u
#define DDF_DATA_MAGIC 0x33333333u
#define DDF_CONFIG_MAGIC 0xeeeeeeeeu
#define DDF_SPARE_MAGIC 0x55555555u

enum ddf_header_type { DDF_ANCHOR, DDF_PRIMARY, DDF_SECONDARY };

/* Levels of a configuration, and how its parts are put together. */
enum {
	DDF_RAID0 = 0,
	DDF_RAID1 = 1,
	DDF_RAID3 = 3,
	DDF_RAID4 = 4,
	DDF_RAID5 = 5,
	DDF_RAID6 = 6,
	DDF_JBOD = 0x0f,
	DDF_RAID1E = 0x11,
	DDF_RAID5E = 0x15,
	DDF_CONCAT = 0x1f,
	DDF_RAID5EE = 0x25,
};
enum { DDF_STRIPED, DDF_MIRRORED, DDF_CONCATENATED, DDF_SPANNED };

struct ddf_section {
	uint32_t offset, length; /* blocks, from the header on; DDF_NONE: there is none */
};

struct ddf_header {
	uint8_t guid[DDF_GUID_SIZE];
	char revision[9];
	uint32_t sequence, time;
	uint8_t open, foreign, enforce_groups, type;
	uint64_t primary_block, secondary_block, workspace_block;
	uint32_t workspace_blocks;
	uint16_t disks_max, volumes_max, partitions_max, config_blocks, elements_max;
	struct ddf_section controller, disks, volumes, configs, data, bad_blocks, diagnostics,
		vendor;
};

struct ddf_controller {
	uint8_t guid[DDF_GUID_SIZE];
	uint16_t vendor, device, sub_vendor, sub_device;
	char product[17];
};

struct ddf_disk {
	uint8_t guid[DDF_GUID_SIZE];
	uint32_t reference;
	uint16_t type, state;
	uint64_t config_blocks; /* what volumes may use */
	char path[19];
};

struct ddf_virtual {
	uint8_t guid[DDF_GUID_SIZE];
	uint16_t unit, type;
	uint8_t state, init_state;
	char name[17];
};

/* A configuration record: the volume, or one of its mirrors or stripes (the secondary level). */
struct ddf_config {
	uint8_t guid[DDF_GUID_SIZE];
	uint32_t time, sequence;
	uint16_t element_count;
	uint8_t chunk_shift, level, qualifier, second_count, second_which, second_level;
	uint64_t element_blocks, array_blocks;
	uint32_t spares[8];
	uint8_t cache_policy, background_rate;
	const uint8_t *references, *starts; /* of element_count disks; borrowed from the record */
};

/* The CRC of a record of `size` bytes, as it must be. */
uint32_t ddf_sum(const uint8_t *bytes, size_t size);
bool ddf_sum_is_right(const uint8_t *bytes, size_t size);

/* Each returns 0, ERR_NOT_MEMBER (no magic), ERR_CHECKSUM or ERR_FORMAT. */
int ddf_header_decode(struct ddf_header *header_out, const uint8_t bytes[static DDF_BLOCK],
		      struct err *err) MUST_CHECK;
int ddf_controller_decode(struct ddf_controller *controller_out,
			  const uint8_t bytes[static DDF_BLOCK], struct err *err) MUST_CHECK;
/* `size` is that of a record: header->config_blocks. The record borrows from `bytes`. */
int ddf_config_decode(struct ddf_config *config_out, const struct ddf_header *header,
		      const uint8_t *bytes, size_t size, struct err *err) MUST_CHECK;
uint32_t ddf_config_reference(const struct ddf_config *config, uint32_t which);
uint64_t ddf_config_start(const struct ddf_config *config, uint32_t which);

/* Entry `which` of the sections of disks and volumes; false: it is not used. */
bool ddf_disk_decode(struct ddf_disk *disk_out, const uint8_t *section, uint32_t which);
bool ddf_virtual_decode(struct ddf_virtual *virtual_out, const uint8_t *section, uint32_t which);
/* Entries that a section of `size` bytes has, after its magic and sum. Returns as the decoders do. */
int ddf_section_check(uint32_t *count_out, const uint8_t *bytes, size_t size, uint32_t magic,
		      struct err *err) MUST_CHECK;

void ddf_header_validate(struct md_faults *faults, const struct ddf_header *header);

/* "4C696E75:782D4D44:…", as mdadm shows it. */
void ddf_guid_text(char out[static DDF_GUID_TEXT_SIZE], const uint8_t *guid);

/*
 * Level and layout in MD's words, and how many elements' worth of data it has, of RAID1E with all copies (0: not known).
 * `why_out`: why it is not readable by that shape, or NULL.
 */
uint32_t ddf_shape(struct md_shape *shape, const char **why_out, const struct ddf_config *config);
/* Sectors of the volume there is room for, by what ddf_shape() returned; false: too many. */
bool ddf_room(uint64_t *sectors_out, const struct ddf_config *config, uint32_t data);

/* "RAID5", "RAID1E", "concatenation"; NULL for a level that is none. */
const char *ddf_level_name(uint8_t level);

extern const struct other_format ddf_format;

#endif

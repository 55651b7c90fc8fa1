/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Layout files: what an array is that no metadata describe, or false ones, as JSON that can be written by hand
 * (docs/FOREIGN.md, section 7). `detect` writes them; every command takes one as ARRAY.
 *
 *	layout_file_parse()	any bytes; unknown keys and values out of bounds are refused by name
 *	layout_file_print()	the same as text
 *	layout_map_make()	the map of the array, by the sizes of its members
 *
 * Promises
 *	same		what is printed parses to the same layout
 *	bounded		no number of a file reaches arithmetic before it was checked
 *
 * Pure.
 */
#ifndef PG_FORMATS_LAYOUT_FILE_H
#define PG_FORMATS_LAYOUT_FILE_H

#include "core/base/text.h"
#include "core/map/map.h"
#include "core/map/rule.h"

#define LAYOUT_SCHEMA "pgctl.layout/1"
#define LAYOUT_FILE_SIZE_MAX (1u << 20)
#define LAYOUT_CHUNK_MAX (UINT32_C(1) << 30)
#define LAYOUT_BYTES_MAX (UINT64_C(1) << 56) /* of an offset or size */

enum layout_level {
	LAYOUT_LINEAR,
	LAYOUT_RAID0,
	LAYOUT_RAID1,
	LAYOUT_RAID4,
	LAYOUT_RAID5,
	LAYOUT_RAID6,
	LAYOUT_RAID10,
	LAYOUT_LEVELS
};
const char *layout_level_name(enum layout_level level);

struct layout_member {
	char *path;      /* as in the file; NULL: missing. Owned */
	uint64_t offset; /* bytes, where its data begin; a multiple of 512 */
};

struct layout_file {
	char name[NAME_SIZE]; /* of array and volume */
	struct uuid uuid;
	bool uuid_given; /* else it was made of the text */
	enum layout_level level;
	enum parity_order order; /* RAID-4, 5, 6 */
	uint32_t near, far;      /* RAID-10 */
	bool offset_copies;
	uint64_t chunk; /* bytes; 0 for linear and RAID-1 */
	uint64_t size;  /* bytes of data on each member; 0: as many as the shortest has */
	uint32_t member_count;
	struct layout_member members[MEMBERS_MAX];
};

/* Do these bytes look like a layout file? */
bool layout_file_is(const void *bytes, size_t size);

/* Returns 0; ERR_FORMAT, ERR_LIMIT, ERR_VERSION (another schema) or ERR_NOMEM. `name` is for messages. */
int layout_file_parse(struct layout_file *layout_out, const char *text, size_t size,
		      const char *name, struct err *err) MUST_CHECK;
void layout_file_reset(struct layout_file *layout);

/* text->failed without memory. */
void layout_file_print(const struct layout_file *layout, struct text *text);

/*
 * `sizes`: bytes of each member's device, by slot; of missing ones they are not looked at. Returns 0; ERR_SIZE when a
 * member is shorter than the layout says, ERR_TOO_FEW when all are missing, ERR_LIMIT, ERR_FORMAT, ERR_NOMEM.
 */
int layout_map_make(struct map **map_out, const struct layout_file *layout, const uint64_t *sizes,
		    struct err *err) MUST_CHECK;

#endif

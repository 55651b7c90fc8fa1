/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Arrays of other makers that are recognised with all their parameters, and left to their own tools: DDF,
 * Intel Matrix (IMSM), LVM2, btrfs, ZFS. One struct other_format each (other_probe.h has the table): it finds
 * its records on a device, decodes and checks them, and says what they mean as facts, faults and sentences.
 *
 * What cannot be read or makes no sense is a fault, not an error: the rest is still shown. Nothing is written.
 */
#ifndef PG_FORMATS_OTHER_H
#define PG_FORMATS_OTHER_H

#include "formats/fact_tree.h"
#include "formats/md_fault.h"
#include "formats/reader.h"

#define OTHER_ID_SIZE 80u
#define OTHER_NAME_SIZE 256u

struct other_format;
struct other_volume;

/* What one format has on a device. Texts may come from the disk. */
struct other_found {
	const struct other_format *format;
	uint64_t offset; /* bytes, of the record that leads to the others */
	char uuid
		[OTHER_ID_SIZE]; /* of the set that the device belongs to; "": none, or not known */
	char name[OTHER_NAME_SIZE]; /* of the set */
	char member[OTHER_ID_SIZE]; /* which of the set's members this is; "": not known */
	uint64_t generation;        /* the greater the newer */
	char summary[320];          /* for a cell of a table */
	char hint[300];             /* the command that goes on from here */
	struct md_faults faults;
	struct fact_tree facts;
	struct fact_tree said;        /* sentences: texts without names */
	struct fact_tree expected;    /* ids of the members that the set has: texts without names */
	struct other_volume *volumes; /* of a container, in MD's words; owned */
	uint32_t volume_count;
	uint32_t volumes_expected; /* of the container, also where this device has no record */
	void *record;              /* the format's own, NULL or freed by its row */
};

struct other_format {
	const char *name;       /* its type in inspect */
	const char *blkid_type; /* what libblkid calls it */
	const char *title;      /* for sentences */
	const char *tool;       /* whose it is */
	/*
	 * Look at the device; `path` is its name, for formats whose members are known by that. Returns true
	 * when there is something of this format. Without memory, facts.failed is set.
	 */
	bool (*probe)(struct other_found *found, struct reader *reader, const char *path);
	void (*record_free)(void *record);
};

/* A sentence about what was found. */
void other_say(struct other_found *found, const char *format, ...) PRINTF_LIKE(2, 3);
void other_expect(struct other_found *found, const char *format, ...) PRINTF_LIKE(2, 3);

/* A text that ends with the first NUL, or with `size`; blanks and 0xff at its end are no part of it. */
void other_text(char *out, size_t out_size, const uint8_t *bytes, size_t size);
/* "5d7c1fb5-8289-31b7-95ba-72b351170f75" of 16 bytes. */
void other_uuid(char out[static 37], const uint8_t bytes[static 16]);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A member of a Linux MD array, as its superblock describes it, whichever format that has: what the array
 * is, where this member's data lie, which slot they are, and how far they can be trusted. This is what
 * opening an array needs; the records (md0.h, md1.h) keep what only a format knows.
 *
 * Positions and lengths are sectors of 512 bytes, as on disk. Nothing is computed from them here that could
 * overflow, so a member may be made of a superblock with faults and shown; whoever does arithmetic or
 * reads data with it asks md_member_is_sound() first.
 *
 * Names of facts are those of the kernel's sysfs and of mdadm where there is one.
 */
#ifndef PG_FORMATS_MD_MEMBER_H
#define PG_FORMATS_MD_MEMBER_H

#include "formats/md0.h"
#include "formats/md1.h"

#define MD_MEMBER_NONE UINT64_MAX /* of a position: there is none */

#define MD_SLOT_NONE UINT32_MAX

enum md_metadata {
	MD_METADATA_0_90,
	MD_METADATA_1_0,
	MD_METADATA_1_1,
	MD_METADATA_1_2,
	MD_METADATA_DDF,
	MD_METADATA_IMSM
}; /* the last two: volumes of others (other_md.h) */

enum md_role {
	MD_ROLE_SLOT,    /* of an array's slot, alone or, with `replacement`, beside its holder */
	MD_ROLE_SPARE,   /* waiting */
	MD_ROLE_FAULTY,  /* failed; its data count for nothing */
	MD_ROLE_JOURNAL, /* the write journal */
};

/* What the superblock says of one slot of the array. */
enum md_slot_state { MD_SLOT_MISSING, MD_SLOT_ACTIVE, MD_SLOT_REPLACING };

struct md_member {
	enum md_metadata metadata;
	uint64_t super_sector; /* where it was found */
	uint64_t device_sectors;
	struct md_faults faults; /* of the superblock */

	/* The array. */
	struct uuid array;
	uint8_t array_raw[16];        /* the same as on disk: what bitmap and logs carry */
	char name[MD1_NAME_SIZE + 1]; /* "" in 0.90 */
	/* Where its maker leaves some of the last row unused; 0: all of it. */
	uint64_t array_sectors;
	struct md_shape shape; /* now; while reshaping what it is before the position, or behind */
	bool raid0_layout_known;
	uint64_t created_s, updated_s;
	uint64_t events;
	bool clean;            /* stopped in order; else parity and copies may be out of step */
	uint64_t resync_start; /* in step before it; MD_MEMBER_NONE: all */
	bool has_journal, has_ppl, has_bitmap;

	/* Being reshaped: of the old shape is `before`, of the new one `after`, up to the position. */
	bool reshaping;
	bool reshape_backwards;
	uint64_t reshape_position; /* of the array */
	struct md_shape before, after;
	int32_t delta_disks;

	/* This member. */
	struct uuid device; /* zero in 0.90 */
	uint32_t device_number;
	enum md_role role;
	uint32_t slot;           /* of MD_ROLE_SLOT; else SLOT_NONE */
	bool slot_guessed;       /* from the name of the file: the metadata do not say */
	bool in_sync;            /* all of its data count */
	uint64_t recovery_start; /* only data before it do; MD_MEMBER_NONE when in_sync */
	bool replacement, write_mostly, failfast;
	uint64_t data_offset, data_sectors; /* data_sectors: what the level uses of data_size */
	uint64_t data_size;
	uint64_t
		new_data_offset; /* while reshaping; else data_offset. MD_MEMBER_NONE: none that can be */
	uint64_t journal_tail; /* of MD_ROLE_JOURNAL, from the data offset */

	/* Records beside the superblock; absolute sectors, MD_MEMBER_NONE when there is none. */
	int64_t bitmap_offset; /* from the superblock, for showing */
	uint64_t bitmap_sector;
	uint64_t bad_block_sector;
	uint32_t bad_block_sectors, bad_block_shift;
	bool bad_blocks_valid; /* the log has entries that count */
	uint64_t ppl_sector;
	uint32_t ppl_sectors;

	/* The array's slots, also those that a reshape gives up; 0 when there are too many. */
	uint32_t slot_count;
	uint8_t slots[MD_SLOTS_MAX]; /* enum md_slot_state */
};

/* From a superblock found at the place of its format; faults are its validate function's. */
void md_member_from_md0(struct md_member *member_out, const struct md0 *super, uint64_t sector,
			uint64_t device_sectors);
void md_member_from_md1(struct md_member *member_out, const struct md1 *super, uint32_t minor,
			uint64_t sector, uint64_t device_sectors);

static inline bool md_member_is_sound(const struct md_member *member)
{
	return member->faults.count == 0;
}

const char *md_metadata_name(enum md_metadata metadata);

/* "raid5"; "level N" for one that is none. Valid until the next call with the same buffer. */
const char *md_member_level(char buffer[static 24], const struct md_member *member);

/* As mdadm shows it: four groups of eight digits. */
#define MD_UUID_TEXT_SIZE 36u
void md_uuid_text(char out[static MD_UUID_TEXT_SIZE], const struct uuid *uuid);

/* All of the above; sectors say so in their names. */
void md_member_print(struct facts *facts, const struct md_member *member);

/* Bytes of the array; of one that is being reshaped what both shapes have. As md_array_bytes() else. */
bool md_member_array_bytes(uint64_t *bytes_out, const struct md_member *member);

/* Slots without an active member, by this superblock. */
uint32_t md_member_degraded(const struct md_member *member);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A superblock of Linux MD of either format, and the changes to it that a program makes which writes to the array: the
 * state and the count of events, a slot that nobody holds any more, a slot that somebody holds again. Everything else
 * stays as it was read. Pure.
 *
 * Source: what Linux writes itself (drivers/md/md.c, super_90_sync and super_1_sync), seen in the test arrays.
 */
#ifndef PG_FORMATS_MD_SUPER_H
#define PG_FORMATS_MD_SUPER_H

#include "formats/md_member.h"

struct md_super {
	enum md_metadata metadata;
	struct md0 md0; /* of MD_METADATA_0_90 */
	struct md1 md1; /* of all others */
};

/* What md0_decode() and md1_decode() return. */
int md_super_decode(struct md_super *super_out, enum md_metadata metadata,
		    const uint8_t bytes[static MD_SUPER_SIZE], struct err *err) MUST_CHECK;
void md_super_encode(uint8_t bytes[static MD_SUPER_SIZE], const struct md_super *super);

/* Where it lies on a device; false when the device is too small. */
bool md_super_place(uint64_t *sector_out, enum md_metadata metadata, uint64_t device_sectors);
/* As a member, found at `sector`; its faults are those of the record. */
void md_super_member(struct md_member *member_out, const struct md_super *super, uint64_t sector,
		     uint64_t device_sectors);

uint64_t md_super_events(const struct md_super *super);
/* In step before the sector resync_start; MD_MEMBER_NONE: all of it, the array is clean. */
void md_super_set_state(struct md_super *super, uint64_t events, uint64_t resync_start,
			uint64_t now_s);

/* As `newest` has it: which device holds which slot. */
void md_super_set_slots(struct md_super *super, const struct md_super *newest);
/* Nobody holds the slot: who did has failed. False when nobody did. */
bool md_super_drop(struct md_super *super, uint32_t slot);

/*
 * The number that a device gets which has none: above all that are in use or that `reserved` says; MD_SLOT_NONE when
 * there is no room for one. In 0.90 whoever holds a slot has its number.
 */
uint32_t md_super_free_number(const struct md_super *super, uint32_t slot, uint32_t reserved);
/* Does device `number` hold no slot, so that it can take one? */
bool md_super_number_is_free(const struct md_super *super, uint32_t number);
/* Device `number` holds the slot, all of it; it was number `before`, MD_SLOT_NONE: it had none. */
void md_super_seat(struct md_super *super, uint32_t slot, uint32_t number, uint32_t before);

/* All of the device's data count: nothing is left to be recovered, and no block of it is bad. */
void md_super_set_whole(struct md_super *super);

/* What is a device's own, for md_super_make(). */
struct md_super_own {
	uint32_t number;
	struct uuid device; /* 1.x */
	uint64_t device_sectors;
	uint64_t data_offset; /* sectors */
};
/*
 * The superblock of another device of the array, which has all that its level uses, by one that is there.
 * Returns ERR_SIZE when the device is too small.
 */
int md_super_make(struct md_super *super_out, const struct md_super *pattern,
		  const struct md_super_own *own, struct err *err) MUST_CHECK;

#endif

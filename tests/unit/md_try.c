/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/md_try.h"

#include "formats/md_explain.h"
#include "formats/md_map.h"
#include "tests/unit/memory_dev.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_SIZE (48u * BLOCK_SIZE)
#define SEATS_MAX 8u /* members of an array that is made of one */
#define MEMORY_SECTORS (MEMORY_SIZE / MD_SECTOR)

/* Are facts and whole arrays to be made of what decodes? */
static bool shows;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool accept_it(void *arg, const struct md_set_member *stale)
{
	(void)arg;
	return stale->events_behind % 2;
}

/* Whatever a superblock says, there is a map that passes its check, or a reason why not. */
static void map_use(const struct md_set *set)
{
	struct md_seats seats = { .count = 0 };
	struct map *map = NULL;
	struct err err = { 0 };

	if (md_seats_choose(&seats, set, accept_it, NULL, &err) == 0 &&
	    md_map_make(&map, set, &seats, &err) == 0) {
		must(map->volume_count == 1 && map->volumes[0]->length > 0);
		map_free(map);
	} else {
		must(err.code && err.text[0]);
	}
}

/* The array as it is when this member's superblock is in all of its first slots. */
static void array_use(const struct md_member *member)
{
	static struct md_member members[SEATS_MAX];
	struct md_set_input inputs[SEATS_MAX];
	struct md_sets sets = { 0 };
	struct err err = { 0 };

	for (uint32_t i = 0; i < SEATS_MAX; i++) {
		members[i] = *member;
		members[i].role = MD_ROLE_SLOT;
		members[i].slot = i;
		members[i].device.bytes[0] ^= (uint8_t)i;
		inputs[i] = (struct md_set_input){ &members[i], i };
	}
	must(md_sets_compare(&sets, inputs, SEATS_MAX, &err) == 0);
	must(sets.count == 1 && sets.at[0].member_count == SEATS_MAX);
	map_use(&sets.at[0]);
	md_sets_reset(&sets);
}

static void member_use(const struct md_member *member)
{
	static struct facts facts;
	const struct md_set_input inputs[] = { { member, 0 }, { member, 1 } };
	struct md_sets sets = { 0 };
	struct err err = { 0 };

	facts.count = 0;
	if (shows) {
		md_member_print(&facts, member);
		array_use(member);
	}
	must(md_sets_compare(&sets, inputs, 2, &err) == 0);
	must(sets.count == 1 && sets.at[0].member_count == 2);
	must(md_member_is_sound(member) == (sets.at[0].newest != NULL));
	map_use(&sets.at[0]);
	md_sets_reset(&sets);
}

static bool try_md0(const uint8_t *bytes)
{
	static struct md0 super, again;
	static struct md_member member;
	static struct facts facts;
	uint8_t first[MD_SUPER_SIZE], second[MD_SUPER_SIZE];
	struct err err = { 0 };

	if (md0_decode(&super, bytes, &err))
		return false;
	md0_encode(first, &super);
	must(md0_decode(&again, first, &err) == 0 && again.checksum == again.checksum_expected);
	if (shows) {
		md0_encode(second, &again);
		must(memcmp(first, second, sizeof(first)) == 0);
	}
	if (!super.reserved_used && super.checksum == super.checksum_expected)
		must(memcmp(first, bytes, sizeof(first)) == 0);
	md_member_from_md0(&member, &again, MEMORY_SECTORS - MD0_RESERVED_SECTORS, MEMORY_SECTORS);
	facts.count = 0;
	if (shows)
		md0_print(&facts, &again);
	member_use(&member);
	return true;
}

static bool try_md1(const uint8_t *bytes, uint32_t minor)
{
	static struct md1 super, again;
	static struct md_member member;
	static struct facts facts;
	uint8_t first[MD_SUPER_SIZE], second[MD_SUPER_SIZE];
	struct err err = { 0 };
	size_t used;
	uint64_t sector;

	if (md1_decode(&super, bytes, &err))
		return false;
	used = 256 + 2 * (size_t)super.max_dev;
	md1_encode(first, &super);
	must(md1_decode(&again, first, &err) == 0 && again.checksum == again.checksum_expected);
	md1_encode(second, &again);
	must(memcmp(first, second, sizeof(first)) == 0);
	if (super.checksum == super.checksum_expected)
		must(memcmp(first, bytes, used) == 0);
	must(md1_place(&sector, minor % MD1_PLACES, MEMORY_SECTORS));
	md_member_from_md1(&member, &again, minor % MD1_PLACES, sector, MEMORY_SECTORS);
	facts.count = 0;
	if (shows)
		md1_print(&facts, &again);
	member_use(&member);
	return true;
}

static bool try_bitmap(const uint8_t *bytes)
{
	struct md_bitmap bitmap;
	struct md_bitmap_place place = { .events = 1, .room_bytes = MD_SUPER_SIZE };
	struct md_faults faults = { 0 };
	static struct facts facts;
	uint8_t again[MD_BITMAP_SIZE];
	struct err err = { 0 };

	if (md_bitmap_decode(&bitmap, bytes, &err))
		return false;
	md_bitmap_encode(again, &bitmap);
	must(memcmp(again, bytes, sizeof(again)) == 0);
	memcpy(place.uuid, bitmap.uuid, sizeof(place.uuid));
	md_bitmap_validate(&faults, &bitmap, &place);
	must(md_bitmap_count_dirty(&bitmap, 0, bytes + MD_BITMAP_SIZE,
				   MD_SUPER_SIZE - MD_BITMAP_SIZE) <= md_bitmap_chunks(&bitmap));
	facts.count = 0;
	if (shows)
		md_bitmap_print(&facts, &bitmap);
	return true;
}

static bool try_bad_blocks(const uint8_t *bytes, uint32_t shift)
{
	static struct md_bad_blocks blocks, again;
	static struct md_faults faults;
	uint8_t first[MD_SUPER_SIZE];
	struct err err = { 0 };

	if (md_bad_blocks_decode(&blocks, bytes, MD_SUPER_SIZE, shift % 32, &err))
		return false;
	md_bad_blocks_encode(first, sizeof(first), &blocks);
	must(memcmp(first, bytes, (size_t)blocks.count * MD_BAD_BLOCK_SIZE) == 0);
	must(md_bad_blocks_decode(&again, first, sizeof(first), shift % 32, &err) == 0);
	must(again.count == blocks.count);
	md_bad_blocks_validate(&faults, &blocks, MEMORY_SECTORS);
	faults.count = 0;
	return true;
}

static bool try_ppl(const uint8_t *bytes)
{
	static struct md_ppl ppl;
	static struct facts facts;
	struct md_faults faults = { 0 };
	uint8_t again[MD_PPL_SIZE];
	struct err err = { 0 };

	if (md_ppl_decode(&ppl, bytes, &err))
		return false;
	md_ppl_encode(again, &ppl);
	if (ppl.checksum == ppl.checksum_expected && !ppl.tail_used)
		must(memcmp(again, bytes, sizeof(again)) == 0);
	must(md_ppl_decode(&ppl, again, &err) == 0 && ppl.checksum == ppl.checksum_expected);
	md_ppl_validate(&faults, &ppl, bytes, 4, MEMORY_SIZE);
	facts.count = 0;
	if (shows)
		md_ppl_print(&facts, &ppl);
	return true;
}

/* Payloads lie one behind the other within the block. */
static void payloads_use(const struct md_journal *journal)
{
	struct md_payload payload;
	uint32_t at = 0, before = 0;

	while (md_journal_next(journal, &at, &payload)) {
		must(at > before && at <= sizeof(journal->payloads));
		must(payload.entries >= journal->payloads + before);
		must(payload.entries +
			     (size_t)payload.count * (payload.kind == MD_PAYLOAD_FLUSH ? 8 : 4) <=
		     journal->payloads + at);
		before = at;
	}
}

static bool try_journal(const uint8_t *bytes)
{
	static struct md_journal journal;
	static struct facts facts;
	static const uint8_t uuid[16] = { 1, 2, 3 };
	struct md_faults faults = { 0 };
	uint8_t again[MD_JOURNAL_SIZE];
	struct err err = { 0 };

	if (md_journal_decode(&journal, bytes, uuid, &err))
		return false;
	md_journal_encode(again, &journal, uuid);
	must(memcmp(again, bytes, 4) == 0 && memcmp(again + 8, bytes + 8, sizeof(again) - 8) == 0);
	must(md_journal_decode(&journal, again, uuid, &err) == 0);
	must(journal.checksum == journal.checksum_expected);
	md_journal_validate(&faults, &journal, 0);
	facts.count = 0;
	if (shows)
		md_journal_print(&facts, &journal);
	payloads_use(&journal);
	return true;
}

/* A superblock with its sum put right, where it decodes. */
static void super_place(uint8_t *at, const uint8_t *bytes)
{
	static struct md0 md0;
	static struct md1 md1;
	struct err err = { 0 };

	memcpy(at, bytes, MD_SUPER_SIZE);
	if (md0_decode(&md0, bytes, &err) == 0)
		md0_encode(at, &md0);
	else if (md1_decode(&md1, bytes, &err) == 0)
		md1_encode(at, &md1);
}

/* What is wrong with each superblock that was found, and what it says. */
static bool found_use(const struct md_probe *probe, uint32_t which)
{
	static struct facts facts;
	static struct md_sentences sentences;
	const struct md_found *found = probe->at[which];

	sentences.count = facts.count = 0;
	if (shows) {
		md_explain_found(&sentences, probe, which);
		must(sentences.count > 0);
	}
	if (!found->decoded)
		return false;
	if (shows)
		md_found_print(&facts, found);
	member_use(&found->member);
	return true;
}

/* `size` bytes, of which those behind the superblock follow it, from the device's start again at its end. */
static bool try_device(const uint8_t *data, size_t size, uint32_t which)
{
	static uint8_t bytes[MEMORY_SIZE], super[MD_SUPER_SIZE];
	static const uint64_t sectors[] = { 0, 8, MEMORY_SECTORS - MD0_RESERVED_SECTORS,
					    MEMORY_SECTORS - 16 };
	static size_t used_at, used; /* of the one before: all else is zero */
	struct memory_dev memory = memory_dev_make(bytes, MEMORY_SIZE);
	struct md_probe probe;
	struct err err = { 0 };
	bool any = false;

	for (size_t i = 0; i < used; i += BLOCK_SIZE / 8)
		memset(bytes + (used_at + i) % MEMORY_SIZE, 0, BLOCK_SIZE / 8);
	used_at = (size_t)sectors[which % 4] * MD_SECTOR;
	used = size < sizeof(super) ? sizeof(super) : size < MEMORY_SIZE ? size : MEMORY_SIZE;
	memset(super, 0, sizeof(super));
	memcpy(super, data, size < sizeof(super) ? size : sizeof(super));
	super_place(bytes + used_at, super);
	for (size_t i = sizeof(super); i < used; i++)
		bytes[(used_at + i) % MEMORY_SIZE] = data[i];
	must(md_probe_device(&probe, &memory.dev, &err) == 0);
	for (uint32_t i = 0; i < probe.count; i++)
		any |= found_use(&probe, i);
	md_probe_reset(&probe);
	return any;
}

bool md_try_kind(uint32_t kind, const uint8_t *data, size_t size, bool shown)
{
	uint8_t bytes[MD_SUPER_SIZE] = { 0 };

	shows = shown;
	if (size < 1)
		return false;
	memcpy(bytes, data + 1, size - 1 < sizeof(bytes) ? size - 1 : sizeof(bytes));
	switch (kind) {
	case 0:
		return try_md0(bytes);
	case 1:
		return try_md1(bytes, data[0]);
	case 2:
		return try_bitmap(bytes);
	case 3:
		return try_bad_blocks(bytes, data[0]);
	case 4:
		return try_ppl(bytes);
	case 5:
		return try_journal(bytes);
	default:
		return try_device(data + 1, size - 1, data[0]);
	}
}

bool md_try(const uint8_t *data, size_t size)
{
	return size > 0 && md_try_kind(data[0] % MD_TRY_KINDS, data + 1, size - 1, true);
}

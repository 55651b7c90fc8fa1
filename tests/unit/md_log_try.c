/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/md_log_try.h"

#include "core/base/bytes.h"
#include "core/dev/dev.h"
#include "formats/crc32c.h"
#include "formats/md_replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBER_SIZE (16u * BLOCK_SIZE)
#define MEMBER_SECTORS (MEMBER_SIZE / MD_SECTOR)
#define DATA_SECTOR 8u
#define LOG_BLOCKS 16u
#define LOG_SECTORS (LOG_BLOCKS * BLOCK_SIZE / MD_SECTOR)
#define SLICE 256u /* of the input for a block of the log */
#define SEATS_MAX 6u
#define HEADS_MAX 8u

/* A device of memory that is written to as well. */
struct scratch {
	struct dev dev;
	uint8_t *bytes;
	size_t size;
	bool written;
};

static void must_at(bool holds, int line)
{
	if (holds)
		return;
	fprintf(stderr, "md_log_try: line %d does not hold\n", line);
	abort();
}
#define must(holds) must_at((holds), __LINE__)

static int scratch_run(struct dev *dev, struct io *io)
{
	struct scratch *scratch = (struct scratch *)dev;
	uint8_t *at = scratch->bytes + io->offset;

	for (uint32_t i = 0; i < io->iov_count; i++) {
		const struct iovec *iov = &io->iov[i];

		must((size_t)(at - scratch->bytes) + iov->iov_len <= scratch->size);
		if (io->op == IO_WRITE)
			memcpy(at, iov->iov_base, iov->iov_len);
		else
			memcpy(iov->iov_base, at, iov->iov_len);
		at += iov->iov_len;
	}
	scratch->written |= io->op == IO_WRITE;
	return 0;
}

static void scratch_close(struct dev *dev)
{
	(void)dev;
}

static struct scratch scratch_make(uint8_t *bytes, size_t size)
{
	static const struct dev_ops ops = {
		.name = "scratch",
		.run = scratch_run,
		.close = scratch_close,
	};
	const struct dev_info info = { .size = size, .size_exact = size };

	return (struct scratch){ { .ops = &ops, .info = info }, bytes, size, false };
}

/* The sums of what the first heads of a ring say is behind them, and their own. */
static void journal_mend(uint8_t *ring, const uint8_t uuid[static 16])
{
	static struct md_journal head;
	uint32_t seed = crc32c_of(UINT32_MAX, uuid, 16);
	struct md_payload payload;
	struct err err = { 0 };

	for (uint32_t at = 0, heads = 0; heads < HEADS_MAX && at < LOG_BLOCKS; heads++) {
		uint32_t place = 0, blocks = 1;
		uint8_t *bytes = ring + (size_t)at * BLOCK_SIZE;

		if (md_journal_decode(&head, bytes, uuid, &err))
			return;
		head.sequence = heads + 1;
		head.position_sectors = at * (BLOCK_SIZE / MD_SECTOR);
		while (md_journal_next(&head, &place, &payload)) {
			uint8_t *sums = head.payloads + (payload.entries - head.payloads);

			for (uint32_t i = 0; i < payload.blocks; i++, blocks++)
				put_le32(sums + (size_t)i * 4,
					 crc32c_of(seed,
						   ring + (size_t)((at + blocks) % LOG_BLOCKS) *
								   BLOCK_SIZE,
						   BLOCK_SIZE));
		}
		md_journal_encode(bytes, &head, uuid);
		at += blocks;
	}
}

/* A sound member of the array that the input asks for. */
static struct md_member member_of(const uint8_t *data)
{
	static const int32_t levels[] = { MD_RAID5, MD_RAID4, MD_RAID6, MD_RAID5 };
	struct md_member member = {
		.metadata = MD_METADATA_1_2,
		.super_sector = 8,
		.device_sectors = MEMBER_SECTORS,
		.array = { { 1 } },
		.array_raw = { 1 },
		.shape = { levels[data[0] % 4], data[1], (uint64_t)BLOCK_SIZE << data[3] % 3,
			   2 + data[2] % (SEATS_MAX - 1), MEMBER_SECTORS - DATA_SECTOR },
		.events = 7,
		.device_number = 0,
		.role = MD_ROLE_SLOT,
		.in_sync = true,
		.recovery_start = MD_MEMBER_NONE,
		.resync_start = MD_MEMBER_NONE,
		.data_offset = DATA_SECTOR,
		.data_sectors = MEMBER_SECTORS - DATA_SECTOR,
		.data_size = MEMBER_SECTORS - DATA_SECTOR,
		.new_data_offset = DATA_SECTOR,
	};

	member.slot_count = member.shape.raid_disks;
	memset(member.slots, MD_SLOT_ACTIVE, member.slot_count);
	return member;
}

struct array {
	struct md_member members[SEATS_MAX];
	struct md_sets sets;
	struct md_seats seats;
	struct dev *devs[MEMBERS_MAX];
};

/* One member is absent where the input says so; all share one memory. */
static bool array_make(struct array *array, const uint8_t *data, struct dev *dev)
{
	struct md_set_input inputs[SEATS_MAX];
	uint32_t count = 0, absent = data[3] / 4 % 16;
	struct err err = { 0 };
	struct md_member member = member_of(data);

	memset(array->devs, 0, sizeof(array->devs));
	for (uint32_t i = 0; i < member.slot_count; i++) {
		if (i == absent)
			continue;
		array->members[i] = member;
		array->members[i].slot = i;
		array->members[i].device.bytes[0] = (uint8_t)(i + 1);
		array->devs[i] = dev;
		inputs[count++] = (struct md_set_input){ &array->members[i], i };
	}
	must(md_sets_compare(&array->sets, inputs, count, &err) == 0 && array->sets.count == 1);
	return md_seats_choose(&array->seats, &array->sets.at[0], NULL, NULL, &err) == 0;
}

static int ppl_replay(struct array *array, const struct md_replay *replay, uint8_t *log,
		      struct md_replayed *replayed, struct err *err)
{
	static struct md_found found;
	struct md_member *member = &array->members[0];
	uint64_t at = MD_PPL_SIZE;

	if (md_ppl_decode(&found.ppl, log, err))
		return 0;
	for (uint32_t i = 0; i < found.ppl.entry_count; i++) {
		struct md_ppl_entry *entry = &found.ppl.entries[i];

		if (at % MD_SECTOR || at > MEMBER_SIZE || entry->parity_bytes > MEMBER_SIZE - at)
			break;
		if (entry->data_bytes % 2 == 0) /* else it stays torn */
			entry->checksum = ~crc32c_of(UINT32_MAX, log + at, entry->parity_bytes);
		at += entry->parity_bytes;
	}
	member->ppl_sector = 0;
	found.member = *member;
	found.ppl_found = true;
	return md_ppl_replay(replay, &found, 0, replayed, err);
}

static int journal_replay(const struct md_replay *replay, uint8_t *log,
			  struct md_replayed *replayed, struct err *err)
{
	static struct md_found found;
	struct scratch ring = scratch_make(log, (size_t)LOG_BLOCKS * BLOCK_SIZE);
	int rc;

	found.member = *replay->set->newest;
	found.member.role = MD_ROLE_JOURNAL;
	found.member.data_offset = 0;
	found.member.data_size = LOG_SECTORS;
	found.member.journal_tail = 0;
	journal_mend(log, found.member.array_raw);
	if (md_journal_decode(&found.journal, log, found.member.array_raw, err))
		return 0;
	found.journal_found = true;
	rc = md_journal_replay(replay, &ring.dev, &found, replayed, err);
	must(!ring.written);
	return rc;
}

bool md_log_try_kind(uint32_t kind, const uint8_t *data, size_t size)
{
	static uint8_t log[LOG_BLOCKS * BLOCK_SIZE];
	static struct array array;
	struct scratch scratch = scratch_make(log, MEMBER_SIZE);
	static uint8_t member[MEMBER_SIZE];
	struct md_doubt_vec doubts = { 0 };
	struct md_replayed replayed = { 0 };
	struct err err = { 0 };
	int rc = 0;

	if (size < 4 || size > 4 + LOG_BLOCKS * SLICE)
		return false;
	memset(log, 0, sizeof(log));
	for (size_t i = 4, block = 0; i < size; i += SLICE, block++)
		memcpy(log + block * BLOCK_SIZE + (kind == 0 && block == 0 ? MD_PPL_RESERVED : 0),
		       data + i, size - i < SLICE ? size - i : SLICE);
	if (kind == 1)
		scratch.bytes = member;
	array.sets = (struct md_sets){ 0 };
	if (array_make(&array, data, &scratch.dev)) {
		const struct md_replay replay = { array.devs, &array.sets.at[0], &array.seats,
						  &doubts };

		rc = kind == 0 ? ppl_replay(&array, &replay, log, &replayed, &err)
			       : journal_replay(&replay, log, &replayed, &err);
	}
	must((rc == 0) || err.code == rc);
	must(!scratch.written || replayed.ranges > 0);
	for (size_t i = 0; i < doubts.count; i++)
		must(doubts.at[i].slot < SEATS_MAX && doubts.at[i].sector < MEMBER_SECTORS);
	if (scratch.written && kind == 1)
		memset(member, 0, sizeof(member));
	md_doubt_vec_reset(&doubts);
	md_sets_reset(&array.sets);
	return scratch.written;
}

bool md_log_try(const uint8_t *data, size_t size)
{
	return size > 0 && md_log_try_kind(data[0] % MD_LOG_TRY_KINDS, data + 1, size - 1);
}

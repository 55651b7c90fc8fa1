/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Marks of a session in the superblocks of Linux MD: aim is that others see the array as dirty exactly while it may be,
 * that who missed the session is never believed, and that no crash costs a member.
 * Method: arrays of every superblock format on simulated disks; sessions with all members, without one, and with one
 * that comes back, judged by what a fresh look at all disks says; the same with the power gone at every write and flush.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/dev/devices.h"
#include "formats/md_create.h"
#include "formats/md_ppl.h"
#include "formats/md_probe.h"
#include "formats/md_super.h"
#include "formats/md_write.h"
#include "tests/unit/map_help.h"

#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define SIZE (4 * MIB)
#define SLOTS 4u
#define DISKS 6u /* and a spare, and one that holds nothing */
#define SPARE 4u
#define BLANK 5u

/* Disks, and what a look at them says. */
struct rig {
	enum md_metadata metadata;
	bool bitmap, big_endian;
	struct dev *disks[DISKS];
	bool away[DISKS];
	struct md_probe probes[DISKS];
	struct md_sets sets;
	struct md_seats seats;
	struct md_write *write;
	struct dev *members[MEMBERS_MAX];
};

/* As a machine of the other byte order would have written it. */
static void turn_around(struct dev *dev)
{
	uint64_t sector = 0;
	struct md0 super;
	struct err err = { 0 };
	uint8_t *bytes;

	assert_true(md0_place(&sector, SIZE / MD_SECTOR));
	bytes = dev_sim_bytes(dev) + sector * MD_SECTOR;
	assert_int_equal(md0_decode(&super, bytes, &err), 0);
	super.big_endian = true;
	md0_encode(bytes, &super);
	for (uint32_t i = 0; i < 4; i++) /* as its bitmap has it */
		put_be32(bytes + MD_SUPER_SIZE + 8 + 4 * (size_t)i, super.set_uuid[i]);
}

static void rig_make(struct rig *rig, enum md_metadata metadata, bool bitmap, bool big_endian)
{
	uint64_t sizes[SLOTS + 1];
	struct md_create_request request = {
		.metadata = metadata,
		.shape = { MD_RAID5, MD_LEFT_SYMMETRIC, 65536, SLOTS, 0 },
		.name = "box",
		.uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
		.now_s = 1700000000,
		.sizes = sizes,
		.spare_count = 1,
		.bitmap = bitmap,
	};
	struct md_create_target targets[SLOTS + 1] = { { 0 } };
	struct md_create_plan plan;
	struct err err = { 0 };

	*rig = (struct rig){ .metadata = metadata, .bitmap = bitmap, .big_endian = big_endian };
	for (uint32_t i = 0; i < DISKS; i++) {
		assert_int_equal(dev_sim_open(&rig->disks[i], env_threads(), "disk", SIZE), 0);
		if (i > SLOTS)
			continue;
		sizes[i] = SIZE;
		targets[i] = (struct md_create_target){ .dev = rig->disks[i],
							.device = { { (uint8_t)(i + 1) } },
							.is_zero = true };
	}
	assert_int_equal(md_create_plan(&plan, &request, &err), 0);
	assert_int_equal(md_create_write(&plan, targets, NULL, NULL, &err), 0);
	for (uint32_t i = 0; big_endian && i <= SLOTS; i++)
		turn_around(rig->disks[i]);
}

static void rig_forget(struct rig *rig)
{
	md_write_free(rig->write);
	md_sets_reset(&rig->sets);
	for (uint32_t i = 0; i < DISKS; i++)
		md_probe_reset(&rig->probes[i]);
	rig->write = NULL;
}

static void rig_free(struct rig *rig)
{
	rig_forget(rig);
	for (uint32_t i = 0; i < DISKS; i++)
		dev_close(rig->disks[i]);
}

/* Look at all disks that are there, as at the first time. */
static struct md_set *rig_look(struct rig *rig)
{
	struct md_set_input inputs[DISKS];
	struct err err = { 0 };
	uint32_t count = 0;

	rig_forget(rig);
	memset(rig->members, 0, sizeof(rig->members));
	for (uint32_t i = 0; i < DISKS; i++) {
		if (rig->away[i])
			continue;
		assert_int_equal(md_probe_device(&rig->probes[i], rig->disks[i], &err), 0);
		if (rig->probes[i].count == 0)
			continue;
		assert_int_equal(rig->probes[i].count, 1);
		assert_true(rig->probes[i].at[0]->decoded);
		inputs[count++] = (struct md_set_input){ &rig->probes[i].at[0]->member, i };
	}
	assert_int_equal(md_sets_compare(&rig->sets, inputs, count, &err), 0);
	assert_int_equal(rig->sets.count, 1);
	return &rig->sets.at[0];
}

static enum md_verdict verdict_of(const struct rig *rig, uint32_t disk)
{
	const struct md_set *set = &rig->sets.at[0];

	for (uint32_t i = 0; i < set->member_count; i++)
		if (set->members[i].device == disk)
			return set->members[i].verdict;
	fail();
	return MD_VERDICT_DAMAGED;
}

/* Begin a session with the members that count. */
static int rig_open(struct rig *rig, struct err *err)
{
	struct md_set *set = rig_look(rig);

	assert_int_equal(md_seats_choose(&rig->seats, set, NULL, NULL, err), 0);
	for (uint32_t i = 0; i < rig->seats.count; i++)
		if (rig->seats.at[i].entry)
			rig->members[i] = rig->disks[rig->seats.at[i].entry->device];
	return md_write_open(&rig->write, set, &rig->seats, true, err);
}

static int rig_dirty(struct rig *rig, struct err *err)
{
	return md_write_hooks.mark_dirty(rig->write, rig->members, err);
}

static int rig_clean(struct rig *rig, struct err *err)
{
	return md_write_hooks.mark_clean(rig->write, rig->members, err);
}

static uint64_t dirty_chunks(const struct rig *rig, uint32_t disk)
{
	const struct md_found *found = rig->probes[disk].at[0];

	assert_true(found->bitmap_found && found->dirty_known);
	assert_int_equal(found->faults.count, 0);
	return found->dirty_chunks;
}

/* Every format with and without a bitmap, 0.90 in both byte orders. */
static void for_each_rig(void (*test)(struct rig *rig))
{
	for (uint32_t i = 0; i < 10; i++) {
		static struct rig rig;

		rig_make(&rig, i < 8 ? (enum md_metadata)(i / 2) : MD_METADATA_0_90, i % 2, i >= 8);
		test(&rig);
		rig_free(&rig);
	}
}

static void marks(struct rig *rig)
{
	struct err err = { 0 };
	uint64_t events;
	struct md_set *set;

	assert_int_equal(rig_open(rig, &err), 0);
	events = rig->sets.at[0].newest->events;
	assert_int_equal(rig_dirty(rig, &err), 0);
	assert_int_equal(rig_clean(rig, &err), 0);
	set = rig_look(rig);
	assert_true(set->newest->clean);
	assert_int_equal(set->newest->events, events + 2);
	assert_int_equal(set->newest->resync_start, MD_MEMBER_NONE);
	assert_int_equal(set->health, MD_HEALTHY);
	if (rig->bitmap)
		assert_int_equal(dirty_chunks(rig, 1), 0);
	assert_int_equal(verdict_of(rig, SPARE), MD_VERDICT_SPARE);

	assert_int_equal(rig_open(rig, &err), 0);
	assert_int_equal(rig_dirty(rig, &err), 0);
	set = rig_look(rig);
	assert_int_equal(set->newest->events, events + 3);
	assert_int_equal(set->newest->resync_start, 0);
	assert_false(set->newest->clean);
	for (uint32_t i = 0; i < SLOTS; i++) {
		assert_int_equal(verdict_of(rig, i), MD_VERDICT_CURRENT);
		if (rig->bitmap)
			assert_int_equal(dirty_chunks(rig, i),
					 md_bitmap_chunks(&rig->probes[i].at[0]->bitmap));
	}
	/* What is dirty stays so: nobody made it true. */
	assert_int_equal(rig_open(rig, &err), 0);
	assert_int_equal(rig_dirty(rig, &err), 0);
	assert_int_equal(rig_clean(rig, &err), 0);
	set = rig_look(rig);
	assert_false(set->newest->clean);
	assert_int_equal(set->newest->events, events + 5);
	if (rig->bitmap)
		assert_true(dirty_chunks(rig, 1) > 0);
	/* But where every row was compared and holds. */
	assert_int_equal(rig_open(rig, &err), 0);
	assert_true(md_write_hooks.in_step(rig->write));
	assert_int_equal(rig_dirty(rig, &err), 0);
	assert_int_equal(rig_clean(rig, &err), 0);
	set = rig_look(rig);
	assert_true(set->newest->clean);
	assert_int_equal(set->newest->resync_start, MD_MEMBER_NONE);
	if (rig->bitmap)
		assert_int_equal(dirty_chunks(rig, 1), 0);
	assert_int_equal(rig_open(rig, &err), 0);
	assert_false(md_write_hooks.in_step(rig->write));
}

static void a_session_is_seen_as_dirty_and_then_clean(void **state)
{
	(void)state;
	for_each_rig(marks);
}

/* Bytes of a superblock that a session of a whole array may change: events, times, state, sum. */
static void only_the_marks_change(void **state)
{
	static const struct {
		uint32_t from, to;
	} md0[] = { { 128, 136 }, { 152, 180 } }, md1[] = { { 192, 220 } };

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		static struct rig rig;
		static uint8_t before[MD_SUPER_SIZE];
		uint64_t sector = 0;
		struct err err = { 0 };
		uint8_t *bytes;

		rig_make(&rig, i ? MD_METADATA_1_1 : MD_METADATA_0_90, true, false);
		assert_true(md_super_place(&sector, rig.metadata, SIZE / MD_SECTOR));
		bytes = dev_sim_bytes(rig.disks[2]) + sector * MD_SECTOR;
		memcpy(before, bytes, MD_SUPER_SIZE);
		assert_int_equal(rig_open(&rig, &err), 0);
		assert_int_equal(rig_dirty(&rig, &err), 0);
		assert_memory_not_equal(before, bytes, MD_SUPER_SIZE);
		assert_int_equal(rig_clean(&rig, &err), 0);
		for (uint32_t at = 0; at < MD_SUPER_SIZE; at++) {
			bool mark = i ? at >= md1[0].from && at < md1[0].to
				      : (at >= md0[0].from && at < md0[0].to) ||
						    (at >= md0[1].from && at < md0[1].to);

			if (!mark)
				assert_int_equal(bytes[at], before[at]);
		}
		rig_free(&rig);
	}
}

/* A member that was away in a session is behind by more than a kernel forgives, and named as failed. */
static void leave(struct rig *rig)
{
	struct err err = { 0 };
	struct md_set *set;

	rig->away[2] = true;
	assert_int_equal(rig_open(rig, &err), 0);
	assert_int_equal(rig_dirty(rig, &err), 0);
	rig->away[2] = false;
	set = rig_look(rig);
	assert_int_equal(verdict_of(rig, 2), MD_VERDICT_STALE);
	/* Kernels before 6.8 ask its own superblock alone. */
	assert_true(set->newest->events >= rig->probes[2].at[0]->member.events + 2);
	assert_int_equal(set->newest->slots[2], MD_SLOT_MISSING);
	assert_int_equal(set->health, MD_DEGRADED);
}

static void leave_and_end(struct rig *rig)
{
	struct err err = { 0 };
	struct md_set *set;

	rig->away[2] = true;
	assert_int_equal(rig_open(rig, &err), 0);
	assert_int_equal(rig_dirty(rig, &err), 0);
	assert_int_equal(rig_clean(rig, &err), 0);
	rig->away[2] = false;
	set = rig_look(rig);
	assert_true(set->newest->clean);
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(verdict_of(rig, i),
				 i == 2 ? MD_VERDICT_STALE : MD_VERDICT_CURRENT);
	/* What it missed is kept in the bitmap. */
	if (rig->bitmap)
		assert_true(dirty_chunks(rig, 0) > 0);
}

static void who_was_away_is_stale(void **state)
{
	(void)state;
	for_each_rig(leave);
	for_each_rig(leave_and_end);
}

/* Rebuild slot 2 onto a disk: the member that was away itself, a spare, or one that holds nothing. */
static void rebuild(struct rig *rig, uint32_t disk)
{
	struct err err = { 0 };
	struct md_set *set;

	rig->away[2] = true;
	assert_int_equal(rig_open(rig, &err), 0);
	rig->members[2] = rig->disks[disk];
	assert_int_equal(rig_dirty(rig, &err), 0);
	assert_int_equal(md_write_hooks.member_in(rig->write, rig->members, 2, &err), 0);
	assert_int_equal(rig_clean(rig, &err), 0);
	rig->away[2] = disk != 2;
	set = rig_look(rig);
	assert_true(set->newest->clean);
	assert_int_equal(set->health, MD_HEALTHY);
	assert_int_equal(set->degraded, 0);
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(verdict_of(rig, i == 2 ? disk : i), MD_VERDICT_CURRENT);
	for (uint32_t i = 0; i < set->member_count; i++)
		assert_int_equal(set->members[i].member->faults.count, 0);
	if (rig->bitmap)
		assert_int_equal(dirty_chunks(rig, disk), 0);
	if (disk != 2 && rig->big_endian == false) {
		/* Who was replaced comes back: it is not believed. */
		rig->away[2] = false;
		rig_look(rig);
		assert_int_equal(verdict_of(rig, 2), MD_VERDICT_STALE);
	}
}

static void rebuild_itself(struct rig *rig)
{
	rebuild(rig, 2);
}

static void rebuild_spare(struct rig *rig)
{
	rebuild(rig, SPARE);
}

static void rebuild_blank(struct rig *rig)
{
	rebuild(rig, BLANK);
}

static void who_was_rebuilt_is_a_member_again(void **state)
{
	(void)state;
	for_each_rig(rebuild_itself);
	for_each_rig(rebuild_spare);
	for_each_rig(rebuild_blank);
}

/*
 * One session with the power gone when a disk is asked for its n-th write or flush, both in `at`: without slot 2, which
 * is rebuilt on disk 5 where `rebuilt`. Returns false when the session was over before.
 */
static bool session_cut(struct rig *rig, uint64_t at, bool absent, bool rebuilt)
{
	struct rng rng = rng_seeded(at + 1);
	struct err err = { 0 };
	bool begun = false, in = false, ended = false;
	uint32_t torn = 0;
	struct md_set *set;

	rig->away[2] = absent;
	assert_int_equal(rig_open(rig, &err), 0);
	if (rebuilt)
		rig->members[2] = rig->disks[BLANK];
	dev_sim_stop_after(rig->disks[at % DISKS], at / DISKS);
	begun = rig_dirty(rig, &err) == 0;
	if (begun && rebuilt)
		in = md_write_hooks.member_in(rig->write, rig->members, 2, &err) == 0;
	if (begun && (!rebuilt || in))
		ended = rig_clean(rig, &err) == 0;
	for (uint32_t i = 0; i < DISKS; i++)
		dev_sim_crash(rig->disks[i], &rng);

	rig->away[2] = absent && !begun;
	set = rig_look(rig);
	for (uint32_t i = 0; i < SLOTS; i++) {
		/* Where slots change, a superblock of 0.90 is larger than a sector, and can be torn. */
		bool tears = absent && rig->metadata == MD_METADATA_0_90 && !ended && torn == 0;
		enum md_verdict verdict;

		if (i == 2 && absent)
			continue;
		verdict = verdict_of(rig, i);
		/* A bitmap that is behind would not be believed. */
		if (verdict == MD_VERDICT_CURRENT && rig->bitmap)
			assert_true(rig->probes[i].at[0]->bitmap.events >=
				    rig->probes[i].at[0]->member.events);
		torn += verdict == MD_VERDICT_DAMAGED;
		assert_true(verdict == MD_VERDICT_CURRENT ||
			    (verdict == MD_VERDICT_DAMAGED && tears));
	}
	if (begun && absent)
		assert_int_not_equal(verdict_of(rig, 2), MD_VERDICT_CURRENT);
	assert_true(set->health != MD_BROKEN || torn);
	if (ended)
		assert_true(set->newest->clean);
	if (in)
		assert_int_equal(verdict_of(rig, BLANK), MD_VERDICT_CURRENT);
	return !ended;
}

#define PPL_OFFSET 40u /* sectors behind the superblock, before the data */
#define PPL_SECTORS 64u

/* Every member gets a log of two headers, the second newer; both name what is not true any more. */
static void logs_make(struct rig *rig, uint32_t shift)
{
	struct md_ppl *ppl = mem_calloc(1, sizeof(*ppl));
	struct err err = { 0 };

	assert_non_null(ppl);
	for (uint32_t i = 0; i < SLOTS; i++) {
		uint8_t *disk = dev_sim_bytes(rig->disks[i]), *at;
		uint64_t sector = 0;
		struct md_super super;

		assert_true(md_super_place(&sector, rig->metadata, SIZE / MD_SECTOR));
		at = disk + sector * MD_SECTOR;
		assert_int_equal(md_super_decode(&super, rig->metadata, at, &err), 0);
		super.md1.features |= MD1_PPL;
		super.md1.bitmap_or_ppl = PPL_SECTORS << 16 | (PPL_OFFSET + shift);
		md_super_encode(at, &super);
		at += (PPL_OFFSET + shift) * MD_SECTOR;
		for (uint32_t k = 0; k < 2; k++, at += MD_PPL_SIZE) {
			md_ppl_make_empty(ppl, super.md1.set_uuid.bytes);
			ppl->generation = 5 + k;
			ppl->entry_count = k;
			ppl->entries[0] = (struct md_ppl_entry){ 0, 0, 4096, i, 0 };
			md_ppl_encode(at, ppl);
		}
	}
	mem_free(ppl);
}

/* All that hold a slot have a log; does one of them name anything? */
static bool logs_name_something(struct rig *rig)
{
	bool named = false;

	for (uint32_t i = 0; i < DISKS; i++) {
		const struct md_found *found = rig->probes[i].at[0];

		if (rig->probes[i].count == 0 || verdict_of(rig, i) != MD_VERDICT_CURRENT)
			continue;
		assert_true(found->member.has_ppl && found->ppl_found);
		named |= found->ppl.entry_count > 0;
	}
	return named;
}

/*
 * With the power gone at every write: an array is never dirty while a log names what was, and never without its logs. A
 * kernel would take what is named for all that is to be done.
 */
static void logs_are_empty_while_dirty(void **state)
{
	static const enum md_metadata formats[] = { MD_METADATA_1_1, MD_METADATA_1_2 };

	(void)state;
	for (uint32_t kind = 0; kind < 4; kind++) {
		uint32_t ended = 0, dirty = 0;

		for (uint64_t at = 0; ended < DISKS; at += test_thinned(1)) {
			static struct rig rig;
			struct err err = { 0 };

			rig_make(&rig, formats[kind % 2], false, false);
			logs_make(&rig, kind % 2 * 3);
			(void)rig_look(&rig);
			assert_true(logs_name_something(&rig));
			ended = session_cut(&rig, at, kind > 1, kind > 1) ? 0 : ended + 1;
			if (rig.sets.at[0].newest->clean) {
				(void)logs_name_something(&rig);
			} else {
				assert_false(logs_name_something(&rig));
				assert_int_equal(rig.sets.at[0].newest->resync_start, 0);
				dirty++;
				/* And pgctl itself can go on. */
				rig.away[2] = false;
				assert_int_equal(rig_open(&rig, &err), 0);
			}
			rig_free(&rig);
			assert_true(at < 40 * DISKS);
		}
		assert_true(dirty > 0);
	}
}

static void no_crash_costs_a_member(void **state)
{
	(void)state;
	for (uint32_t kind = 0; kind < 3; kind++) {
		for (uint32_t metadata = 0; metadata < 4; metadata++) {
			uint32_t ended = 0;

			for (uint64_t at = 0; ended < DISKS; at += test_thinned(1)) {
				static struct rig rig;

				rig_make(&rig, (enum md_metadata)metadata, true, false);
				ended = session_cut(&rig, at, kind > 0, kind > 1) ? 0 : ended + 1;
				rig_free(&rig);
				assert_true(at < 40 * DISKS);
			}
		}
	}
}

/* The same session, cut off at the same place again and again: a member that is behind does not fall further behind. */
static void nor_does_one_crash_after_another(void **state)
{
	(void)state;
	for (uint32_t metadata = 0; metadata < 4; metadata += 3) {
		uint32_t ended = 0;

		for (uint64_t at = 0; ended < DISKS; at += test_thinned(1)) {
			static struct rig rig;

			rig_make(&rig, (enum md_metadata)metadata, metadata > 0, false);
			ended++;
			for (uint32_t again = 0; again < 3; again++)
				ended = session_cut(&rig, at, false, false) ? 0 : ended;
			rig_free(&rig);
			assert_true(at < 40 * DISKS);
		}
	}
}

static void what_changed_meanwhile_ends_the_session(void **state)
{
	static struct rig rig, other;
	struct err err = { 0 };

	(void)state;
	rig_make(&rig, MD_METADATA_1_2, false, false);
	assert_int_equal(rig_open(&rig, &err), 0);
	other = rig;
	other.write = NULL;
	memset(&other.sets, 0, sizeof(other.sets));
	memset(other.probes, 0, sizeof(other.probes));
	assert_int_equal(rig_open(&other, &err), 0);
	assert_int_equal(rig_dirty(&other, &err), 0);
	assert_int_equal(rig_dirty(&rig, &err), ERR_CHANGED);
	rig_forget(&other);
	rig_free(&rig);
}

static void what_only_a_kernel_can_finish_is_refused(void **state)
{
	static struct rig rig;
	struct err err = { 0 };
	struct md_member *newest;

	(void)state;
	rig_make(&rig, MD_METADATA_1_2, false, false);
	for (uint32_t i = 0; i < 5; i++) {
		struct md_set *set = rig_look(&rig);

		newest = mem_calloc(1, sizeof(*newest));
		assert_non_null(newest);
		*newest = *set->newest;
		newest->reshaping = i == 0;
		newest->has_journal = i == 1;
		newest->has_ppl = i >= 2;
		newest->resync_start = i == 2 || i == 4 ? 0 : MD_MEMBER_NONE;
		set->newest = newest;
		assert_int_equal(md_seats_choose(&rig.seats, set, NULL, NULL, &err), 0);
		assert_int_equal(md_write_open(&rig.write, set, &rig.seats, i == 4, &err),
				 i >= 3 ? 0 : ERR_UNSUPPORTED);
		md_write_free(rig.write);
		rig.write = NULL;
		mem_free(newest);
	}
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_seen_as_dirty_and_then_clean),
		cmocka_unit_test(only_the_marks_change),
		cmocka_unit_test(who_was_away_is_stale),
		cmocka_unit_test(who_was_rebuilt_is_a_member_again),
		cmocka_unit_test(no_crash_costs_a_member),
		cmocka_unit_test(nor_does_one_crash_after_another),
		cmocka_unit_test(logs_are_empty_while_dirty),
		cmocka_unit_test(what_changed_meanwhile_ends_the_session),
		cmocka_unit_test(what_only_a_kernel_can_finish_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

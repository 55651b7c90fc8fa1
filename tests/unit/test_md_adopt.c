/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The way back from an adoption: aim is that undo gives every byte as it was, whatever was written where adoption writes and
 * wherever power failed, and never puts back what MD has written since.
 * Method: members with a superblock, a bitmap and noise in the room before the data, on simulated disks; records kept, the
 * areas overwritten, marked, undone; the same with the power gone at every write of undo, then undone again. And the fuzz
 * program's corpus, whole, cut short, and with each byte of the header changed.
 */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/dev/devices.h"
#include "formats/md_adopt.h"
#include "formats/md_create.h"
#include "tests/unit/adopt_try.h"
#include "tests/unit/map_help.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus/adopt"
#define MIB (UINT64_C(1) << 20)
#define SIZE (3 * MIB)
#define DISKS 2u
#define WRITTEN_END (MIB - 64 * 1024)

/* A mirror of two disks that can be adopted, and what is kept of it. */
struct rig {
	struct dev *disks[DISKS];
	uint8_t *before[DISKS];
	struct md_probe probes[DISKS];
	struct adopt_kept kept[DISKS];
};

static struct uuid uuid_of(uint8_t n)
{
	return (struct uuid){ { n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
}

/* Blocks that are somebody's, in both areas that adoption writes. */
static void noise_write(struct dev *dev, uint8_t seed)
{
	static const uint64_t at[] = { 0x10000, 0x1f000, 0x2f000, 0x80000, WRITTEN_END - 4096 };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		memset(dev_sim_bytes(dev) + at[i], seed + (int)i, BLOCK_SIZE);
}

static void rig_make(struct rig *rig)
{
	const uint64_t sizes[DISKS] = { SIZE, SIZE };
	const struct md_create_request request = {
		.metadata = MD_METADATA_1_2,
		.shape = { .level = MD_RAID1, .raid_disks = DISKS },
		.name = "box",
		.uuid = uuid_of(1),
		.now_s = 1700000000,
		.sizes = sizes,
		.bitmap = true,
	};
	struct md_create_target targets[DISKS] = { { 0 } };
	struct md_create_plan plan;
	struct err err = { 0 };

	*rig = (struct rig){ .disks = { NULL } };
	for (uint32_t i = 0; i < DISKS; i++) {
		assert_int_equal(dev_sim_open(&rig->disks[i], env_threads(), "disk", SIZE), 0);
		targets[i] = (struct md_create_target){ rig->disks[i], uuid_of((uint8_t)(10 + i)),
							true };
	}
	assert_int_equal(md_create_plan(&plan, &request, &err), 0);
	assert_int_equal(md_create_write(&plan, targets, NULL, NULL, &err), 0);
	for (uint32_t i = 0; i < DISKS; i++) {
		noise_write(rig->disks[i], (uint8_t)(50 * (i + 1)));
		assert_int_equal(io_flush(rig->disks[i]), 0);
		assert_int_equal(md_probe_device(&rig->probes[i], rig->disks[i], &err), 0);
		assert_int_equal(rig->probes[i].count, 1);
		rig->before[i] = mem_calloc(1, SIZE);
		assert_non_null(rig->before[i]);
		memcpy(rig->before[i], dev_sim_bytes(rig->disks[i]), SIZE);
	}
}

static void rig_free(struct rig *rig)
{
	for (uint32_t i = 0; i < DISKS; i++) {
		adopt_kept_reset(&rig->kept[i]);
		md_probe_reset(&rig->probes[i]);
		mem_free(rig->before[i]);
		dev_close(rig->disks[i]);
	}
}

static void rig_keep(struct rig *rig)
{
	struct err err = { 0 };

	for (uint32_t i = 0; i < DISKS; i++) {
		struct adopt_kept *kept = &rig->kept[i];
		uint64_t size = adopt_record_size(8);
		const struct adopt_area areas[] = {
			{ ADOPT_SUPERS_BEGIN, ADOPT_RECORD_BEGIN },
			{ ADOPT_RECORD_BEGIN + size, WRITTEN_END },
		};

		assert_int_equal(md_adopt_keep(kept, rig->disks[i], &rig->probes[i].at[0]->member,
					       areas, 2, &err),
				 0);
		assert_int_equal(kept->record.block_count, 6); /* noise and the superblock */
		kept->record.array = uuid_of(100);
		kept->record.member = uuid_of((uint8_t)(101 + i));
		kept->record.slot = i;
		kept->record.member_count = DISKS;
		kept->record.member_size = SIZE;
		kept->record.size = size;
		kept->record.written_end = WRITTEN_END;
		memcpy(kept->record.name, "box", 4);
		assert_int_equal(adopt_keep_room(rig->disks[i], size, &err), 0);
		assert_int_equal(adopt_keep_write(kept, rig->disks[i], &err), 0);
	}
}

/* What the core does in its ranges, as far as undo is concerned: anything. */
static void rig_adopt(struct rig *rig)
{
	struct err err = { 0 };

	for (uint32_t i = 0; i < DISKS; i++) {
		uint8_t *bytes = dev_sim_bytes(rig->disks[i]);
		uint64_t end = ADOPT_RECORD_BEGIN + rig->kept[i].record.size;

		memset(bytes + ADOPT_SUPERS_BEGIN, 0xa5,
		       (size_t)(ADOPT_RECORD_BEGIN - ADOPT_SUPERS_BEGIN));
		memset(bytes + end, 0x5a, (size_t)(WRITTEN_END - end));
		assert_int_equal(md_adopt_mark(&rig->kept[i], rig->disks[i], &err), 0);
		assert_int_equal(md_adopt_mark(&rig->kept[i], rig->disks[i], &err), 0);
	}
}

/* From what is on the disks, as a new process does it; disks without a record are left out. */
static int rig_undo(struct rig *rig, struct err *err)
{
	struct md_adopt_back backs[DISKS] = { { 0 } };
	uint32_t count = 0;
	int rc = 0;

	for (uint32_t i = 0; i < DISKS; i++) {
		rc = adopt_kept_read(&backs[count].kept, rig->disks[i], err);
		if (rc == ERR_NOT_MEMBER)
			continue;
		if (rc)
			goto out_reset;
		backs[count++].dev = rig->disks[i];
	}
	*err = (struct err){ 0 };
	rc = md_adopt_undo(backs, count, err);
out_reset:
	for (uint32_t i = 0; i < count; i++)
		adopt_kept_reset(&backs[i].kept);
	return rc;
}

static bool rig_is_as_before(const struct rig *rig)
{
	for (uint32_t i = 0; i < DISKS; i++)
		if (memcmp(rig->before[i], dev_sim_bytes(rig->disks[i]), SIZE) != 0)
			return false;
	return true;
}

static void same_bytes(void **state)
{
	struct rig rig;
	struct err err = { 0 };
	struct md_probe probe;

	(void)state;
	rig_make(&rig);
	rig_keep(&rig);
	rig_adopt(&rig);
	assert_int_equal(md_probe_device(&probe, rig.disks[0], &err), 0);
	assert_int_equal(probe.count, 1);
	/* The one fault is the mark: the sum is right. */
	assert_int_equal(probe.at[0]->member.faults.count, 1);
	assert_string_equal(probe.at[0]->member.faults.at[0].field, "feature_map");
	md_probe_reset(&probe);
	assert_int_equal(rig_undo(&rig, &err), 0);
	assert_true(rig_is_as_before(&rig));
	assert_int_equal(rig_undo(&rig, &err), 0); /* nothing is left to be undone */
	rig_free(&rig);
}

/* Power gone at the n-th write of either disk, in every way that leaves writes in the cache. */
static void crash(void **state)
{
	bool done = false;

	(void)state;
	for (uint64_t stop = 0; !done; stop++) {
		for (uint32_t victim = 0; victim < DISKS; victim++) {
			struct rng rng = rng_seeded(stop * DISKS + victim + 1);
			struct err err = { 0 };
			struct rig rig;

			rig_make(&rig);
			rig_keep(&rig);
			rig_adopt(&rig);
			for (uint32_t i = 0; i < DISKS; i++)
				assert_int_equal(io_flush(rig.disks[i]), 0);
			dev_sim_stop_after(rig.disks[victim], stop);
			done = rig_undo(&rig, &err) == 0;
			for (uint32_t i = 0; i < DISKS; i++)
				dev_sim_crash(rig.disks[i], &rng);
			assert_int_equal(rig_undo(&rig, &err), 0);
			assert_true(rig_is_as_before(&rig));
			rig_free(&rig);
		}
		assert_true(stop < 60);
	}
}

/* After a crash that left records the array was used as MD: its superblock and bitmap are the newer ones. */
static void used_since(void **state)
{
	struct md1 super;
	struct err err = { 0 };
	struct rig rig;

	(void)state;
	rig_make(&rig);
	rig_keep(&rig);
	for (uint32_t i = 0; i < DISKS; i++) {
		uint8_t *bytes = dev_sim_bytes(rig.disks[i]) + 4096;
		uint64_t bitmap = rig.probes[i].at[0]->member.bitmap_sector * MD_SECTOR;

		assert_int_equal(md1_decode(&super, bytes, &err), 0);
		super.events += 4;
		md1_encode(bytes, &super);
		memset(dev_sim_bytes(rig.disks[i]) + bitmap + 512, 1, 16);
		memcpy(rig.before[i] + 4096, bytes, 4096);
		memset(rig.before[i] + bitmap + 512, 1, 16);
		assert_int_equal(md_adopt_mark(&rig.kept[i], rig.disks[i], &err), ERR_CHANGED);
	}
	assert_int_equal(rig_undo(&rig, &err), 0);
	assert_true(rig_is_as_before(&rig));
	rig_free(&rig);
}

/* Another array's superblock, one that is none, and a copy that is damaged: nothing is written. */
static void changed_or_damaged(void **state)
{
	struct md1 super;
	struct err err = { 0 };
	struct rig rig;

	(void)state;
	for (int what = 0; what < 3; what++) {
		uint8_t *bytes;
		uint64_t writes;

		rig_make(&rig);
		rig_keep(&rig);
		rig_adopt(&rig);
		bytes = dev_sim_bytes(rig.disks[1]);
		assert_int_equal(md1_decode(&super, bytes + 4096, &err), 0);
		super.set_uuid = uuid_of(77);
		if (what == 0)
			md1_encode(bytes + 4096, &super);
		else if (what == 1)
			memset(bytes + 4096, 0, 4096);
		else
			bytes[adopt_copy_offset(&rig.kept[1].record, 3) + 5] ^= 1;
		writes = dev_sim_writes(rig.disks[0]);
		assert_int_equal(rig_undo(&rig, &err), what == 2 ? ERR_CHECKSUM : ERR_CHANGED);
		assert_int_equal(dev_sim_writes(rig.disks[0]), writes);
		rig_free(&rig);
	}
}

/* The check of the rig's array, after `change` made what its superblocks say another thing. */
static int check_after(void (*change)(struct md_found *founds[DISKS]), struct err *err)
{
	const struct md_found *found[DISKS];
	const char *const paths[DISKS] = { "a.img", "b.img" };
	struct md_found *founds[DISKS];
	struct md_set_input inputs[DISKS];
	struct md_sets sets;
	struct md_seats seats;
	struct rig rig;
	int rc;

	rig_make(&rig);
	for (uint32_t i = 0; i < DISKS; i++) {
		found[i] = founds[i] = rig.probes[i].at[0];
		inputs[i] = (struct md_set_input){ &founds[i]->member, i };
	}
	change(founds);
	*err = (struct err){ 0 };
	assert_int_equal(md_sets_compare(&sets, inputs, DISKS, err), 0);
	assert_int_equal(md_seats_choose(&seats, &sets.at[0], NULL, NULL, err), 0);
	rc = md_adopt_check(&(struct md_adopt_array){ &sets.at[0], &seats, found, paths, "box" },
			    err);
	md_sets_reset(&sets);
	rig_free(&rig);
	return rc;
}

static void nothing(struct md_found *founds[DISKS])
{
	(void)founds;
}

static void dirty(struct md_found *founds[DISKS])
{
	founds[0]->member.clean = founds[1]->member.clean = false;
}

static void reshaping(struct md_found *founds[DISKS])
{
	founds[0]->member.reshaping = founds[1]->member.reshaping = true;
}

static void journal(struct md_found *founds[DISKS])
{
	founds[0]->member.has_journal = founds[1]->member.has_journal = true;
}

static void old_metadata(struct md_found *founds[DISKS])
{
	founds[0]->member.metadata = founds[1]->member.metadata = MD_METADATA_1_0;
}

static void five_copies(struct md_found *founds[DISKS])
{
	founds[0]->member.shape.raid_disks = founds[1]->member.shape.raid_disks = 5;
}

static void one_behind(struct md_found *founds[DISKS])
{
	founds[1]->member.events++;
}

static void stale(struct md_found *founds[DISKS])
{
	founds[1]->member.events += 5;
}

static void spare(struct md_found *founds[DISKS])
{
	founds[1]->member.role = MD_ROLE_SPARE;
}

static void recovering(struct md_found *founds[DISKS])
{
	founds[1]->member.in_sync = false;
	founds[1]->member.recovery_start = 100;
}

static void bad_blocks(struct md_found *founds[DISKS])
{
	founds[1]->bad_blocks_found = true;
	founds[1]->bad_blocks.count = 2;
}

static void dirty_bitmap(struct md_found *founds[DISKS])
{
	founds[0]->dirty_chunks = 3;
}

static void record_fault(struct md_found *founds[DISKS])
{
	md_fault(&founds[1]->faults, "bitmap", "is none");
}

static void super_fault(struct md_found *founds[DISKS])
{
	md_fault(&founds[1]->member.faults, "checksum", "is wrong");
}

static void refused(void **state)
{
	static const struct {
		void (*change)(struct md_found *founds[DISKS]);
		int code;
		const char *text;
	} cases[] = {
		{ dirty, ERR_STATE, "not stopped in order" },
		{ reshaping, ERR_STATE, "being reshaped" },
		{ journal, ERR_STATE, "journal device" },
		{ old_metadata, ERR_UNSUPPORTED, "metadata 1.0" },
		{ five_copies, ERR_UNSUPPORTED, "5 copies" },
		{ one_behind, ERR_STATE, "a.img is 1 event behind" },
		{ stale, ERR_STATE, "a.img: stale" },
		{ spare, ERR_STATE, "b.img: spare" },
		{ recovering, ERR_STATE, "b.img: recovering" },
		{ bad_blocks, ERR_STATE, "b.img lists 2 ranges" },
		{ dirty_bitmap, ERR_STATE, "a.img: its bitmap names 3 chunks" },
		{ record_fault, ERR_STATE, "b.img: bitmap: is none" },
		{ super_fault, ERR_STATE, "b.img: damaged" },
	};
	struct err err;

	(void)state;
	assert_int_equal(check_after(nothing, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(check_after(cases[i].change, &err), cases[i].code);
		if (!strstr(err.text, cases[i].text) || !err.hint[0])
			fail_msg("case %zu: %s; %s", i, err.text, err.hint);
	}
}

static void something_in_the_place_of_the_record(void **state)
{
	struct err err = { 0 };
	struct rig rig;

	(void)state;
	rig_make(&rig);
	assert_int_equal(adopt_keep_room(rig.disks[0], 3 * BLOCK_SIZE, &err), 0);
	dev_sim_bytes(rig.disks[0])[ADOPT_RECORD_BEGIN + 3 * BLOCK_SIZE - 1] = 1;
	assert_int_equal(adopt_keep_room(rig.disks[0], 3 * BLOCK_SIZE, &err), ERR_IN_USE);
	assert_non_null(strstr(err.text, "bytes 204800 to 208896"));
	assert_int_equal(adopt_keep_room(rig.disks[0], 2 * BLOCK_SIZE, &err), 0);
	rig_free(&rig);
}

static void corpus(void **state)
{
	static uint8_t bytes[65536];
	DIR *folder = opendir(CORPUS);
	const struct dirent *entry;
	unsigned decoded = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		char path[512];
		FILE *file;
		size_t size;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", entry->d_name);
		file = fopen(path, "rb");
		assert_non_null(file);
		size = fread(bytes, 1, sizeof(bytes), file);
		fclose(file);
		decoded += adopt_try(bytes, size);
		for (size_t cut = 0; cut < size; cut += 509)
			adopt_try(bytes, cut);
		for (size_t at = 0; at < size; at += at < 200 ? 1 : at < 4096 ? 61 : 3) {
			bytes[at] ^= 0xff;
			adopt_try(bytes, size);
			bytes[at] ^= 0xff;
		}
	}
	closedir(folder);
	assert_true(decoded >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bytes),
		cmocka_unit_test(crash),
		cmocka_unit_test(used_since),
		cmocka_unit_test(changed_or_damaged),
		cmocka_unit_test(refused),
		cmocka_unit_test(something_in_the_place_of_the_record),
		cmocka_unit_test(corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

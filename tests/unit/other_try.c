/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/other_try.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "formats/big_endian.h"
#include "formats/btrfs.h"
#include "formats/container_map.h"
#include "formats/crc32c.h"
#include "formats/ddf.h"
#include "formats/imsm.h"
#include "formats/lvm.h"
#include "formats/other_md.h"
#include "formats/other_set.h"
#include "formats/zfs.h"
#include "tests/unit/memory_dev.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (1u << 20)
#define RANGES_MAX 16u
#define MPB_MAX 2048u /* more than the records of a few volumes */

/* What a device is made of. */
struct memory {
	uint8_t bytes[MEMORY_MAX];
	size_t size;
	/* What was written: all other bytes are zero. */
	struct {
		size_t at, size;
	} ranges[RANGES_MAX];
	uint32_t range_count;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Where the next bytes go: it is made zero again before the next device. */
static uint8_t *range_of(struct memory *memory, size_t at, size_t size)
{
	must(memory->range_count < RANGES_MAX && at <= memory->size && size <= memory->size - at);
	memory->ranges[memory->range_count].at = at;
	memory->ranges[memory->range_count++].size = size;
	return memory->bytes + at;
}

static void memory_clear(struct memory *memory)
{
	for (uint32_t i = 0; i < memory->range_count; i++)
		memset(memory->bytes + memory->ranges[i].at, 0, memory->ranges[i].size);
	memory->range_count = 0;
}

/* Up to `room` bytes at `at`; what was left over. */
static const uint8_t *place(struct memory *memory, size_t at, size_t room, const uint8_t *data,
			    size_t *size)
{
	size_t some = least(room, *size);

	if (some)
		memcpy(range_of(memory, at, some), data, some);
	*size -= some;
	return data + some;
}

static void imsm_fill(struct memory *memory, const uint8_t *data, size_t size, bool mend)
{
	static uint8_t mpb[MPB_MAX];
	static size_t last;
	size_t anchor = memory->size - 1024, rest;
	uint32_t stated = 0;
	struct err err = { 0 };

	size = least(size, sizeof(mpb));
	memset(mpb, 0, last);
	memcpy(mpb, data, size);
	last = size;
	if (imsm_size(&stated, mpb, &err) || stated > sizeof(mpb) - 4)
		stated = 512;
	if (mend)
		put_le32(mpb + 32, imsm_sum(mpb, stated));
	memcpy(range_of(memory, anchor, 512), mpb, 512);
	rest = stated > 512 ? (stated - 512 + 511) / 512 * 512 : 0;
	rest = least(rest, anchor);
	memcpy(range_of(memory, anchor - rest, rest), mpb + 512, rest);
}

static void lvm_fill(struct memory *memory, const uint8_t *data, size_t size, bool mend)
{
	uint8_t *label = range_of(memory, LVM_SECTOR, LVM_SECTOR);
	uint8_t *header = range_of(memory, 4096, LVM_HEADER_SIZE);
	uint64_t offset, length;
	uint32_t start;

	data = place(memory, LVM_SECTOR, LVM_SECTOR, data, &size);
	data = place(memory, 4096, LVM_HEADER_SIZE, data, &size);
	place(memory, 4096 + LVM_HEADER_SIZE, memory->size - 8192, data, &size);
	if (!mend)
		return;
	offset = get_le64(header + 40);
	length = get_le64(header + 48);
	if (offset < memory->size - 4096 && length <= memory->size - 4096 - offset)
		put_le32(header + 56, lvm_sum(header + offset, (size_t)length));
	put_le32(header, lvm_sum(header + 4, LVM_HEADER_SIZE - 4));
	start = 20;
	put_le32(label + 16, lvm_sum(label + start, LVM_SECTOR - start));
}

static void btrfs_fill(struct memory *memory, const uint8_t *data, size_t size, bool mend)
{
	uint8_t *super = range_of(memory, 65536, BTRFS_SUPER_SIZE);
	uint8_t *node = range_of(memory, 131072, 65536);
	uint32_t node_size;

	data = place(memory, 65536, BTRFS_SUPER_SIZE, data, &size);
	place(memory, 131072, memory->size - 131072, data, &size);
	if (!mend)
		return;
	put_le32(super, ~crc32c_of(UINT32_MAX, super + 32, BTRFS_SUPER_SIZE - 32));
	node_size = get_le32(super + 148);
	for (uint32_t i = 0; i < 4 && node_size >= 4096 && node_size <= 16384;
	     i++, node += node_size)
		put_le32(node, ~crc32c_of(UINT32_MAX, node + 32, node_size - 32));
}

#define DDF_PRIMARY_BLOCK 8u
#define DDF_SECONDARY_BLOCK 4u

static void ddf_header_place(struct memory *memory, size_t block, uint8_t type,
			     const uint8_t *header, bool mend)
{
	uint8_t *at = range_of(memory, block * DDF_BLOCK, DDF_BLOCK);

	memcpy(at, header, DDF_BLOCK);
	if (!mend)
		return;
	put_be64(at + 96, DDF_PRIMARY_BLOCK);
	put_be64(at + 104, DDF_SECONDARY_BLOCK);
	at[112] = type;
	put_be32(at + 4, ddf_sum(at, DDF_BLOCK));
}

/* The sums of what the header at `base` says that there is; `step` 0: of a section as a whole. */
static void ddf_section_mend(struct memory *memory, size_t base, uint32_t which, size_t step)
{
	const uint8_t *header = memory->bytes + base;
	uint64_t offset = (uint64_t)get_be32(header + 192 + (size_t)8 * which) * DDF_BLOCK;
	uint64_t length = (uint64_t)get_be32(header + 196 + (size_t)8 * which) * DDF_BLOCK;
	uint8_t *at = memory->bytes + base + offset;

	if (offset == 0 || offset > memory->size - base || length > memory->size - base - offset ||
	    length == 0)
		return;
	if (step == 0)
		step = (size_t)length;
	for (uint64_t done = 0; length - done >= step && done < 16 * (uint64_t)step; done += step)
		put_be32(at + done + 4, ddf_sum(at + done, step));
}

static void ddf_fill(struct memory *memory, const uint8_t *data, size_t size, bool mend)
{
	uint8_t header[DDF_BLOCK] = { 0 };
	size_t some = least(size, sizeof(header)), base = DDF_PRIMARY_BLOCK * DDF_BLOCK, step;

	range_of(memory, 0, memory->size); /* sums are put right anywhere */
	memcpy(header, data, some);
	data += some;
	size -= some;
	place(memory, base + DDF_BLOCK, memory->size - base - 2 * (size_t)DDF_BLOCK, data, &size);
	ddf_header_place(memory, DDF_PRIMARY_BLOCK, DDF_PRIMARY, header, mend);
	if (mend) {
		step = (size_t)get_be16(header + 134) * DDF_BLOCK;
		ddf_section_mend(memory, base, 0, DDF_BLOCK);
		ddf_section_mend(memory, base, 1, 0);
		ddf_section_mend(memory, base, 2, 0);
		if (step)
			ddf_section_mend(memory, base, 3, step);
		ddf_section_mend(memory, base, 4, DDF_BLOCK);
	}
	ddf_header_place(memory, DDF_PRIMARY_BLOCK, DDF_PRIMARY, header, mend);
	ddf_header_place(memory, DDF_SECONDARY_BLOCK, DDF_SECONDARY, header, mend);
	ddf_header_place(memory, memory->size / DDF_BLOCK - 1, DDF_ANCHOR, header, mend);
}

static void zfs_fill(struct memory *memory, const uint8_t *data, size_t size, bool mend)
{
	uint8_t *slot = range_of(memory, ZFS_RING_OFFSET, 1024), *sum = slot + 1024 - ZFS_SUM_SIZE;
	uint64_t words[4];

	data = place(memory, ZFS_RING_OFFSET, 256, data, &size);
	place(memory, ZFS_LIST_OFFSET, ZFS_LIST_SIZE, data, &size);
	if (!mend)
		return;
	put_le64(sum, ZFS_SUM_MAGIC);
	zfs_sum_of(words, slot, 1024, ZFS_RING_OFFSET, false);
	for (uint32_t i = 0; i < 4; i++)
		put_le64(sum + 8 + (size_t)8 * i, words[i]);
}

static const struct {
	const struct other_format *format;
	size_t size;
	void (*fill)(struct memory *memory, const uint8_t *data, size_t size, bool mend);
} kinds[] = {
	{ &ddf_format, 131072, ddf_fill },     { &imsm_format, 131072, imsm_fill },
	{ &lvm_format, 65536, lvm_fill },      { &btrfs_format, 262144, btrfs_fill },
	{ &zfs_format, MEMORY_MAX, zfs_fill },
};

static void found_check(const struct other_found *found)
{
	const struct other_input inputs[] = { { found, 0 }, { found, 1 } };
	struct other_sets sets = { 0 };
	struct err err = { 0 };

	must(tree_is_regular(&found->facts) && tree_is_regular(&found->said));
	must(tree_is_regular(&found->expected) && found->hint[0]);
	must(found->faults.count || found->facts.count);
	for (uint32_t i = 0; i < found->volume_count; i++)
		must(other_volume_working(&found->volumes[i]) <=
		     found->volumes[i].shape.raid_disks);
	must(other_sets_compare(&sets, inputs, 2, &err) == 0);
	must(sets.count == (found->uuid[0] ? 1 : 0));
	other_sets_reset(&sets);
}

#define DEVICE_SECTORS (UINT64_C(1) << 31) /* so that volumes of real disks lie on it */

static void volume_left_out(void *arg, const char *volume, const char *why)
{
	(void)arg;
	must(volume[0] && why[0]);
}

/* What stands for the device, as the one member of its array that is here: a map, or why there is none. */
static void array_try(const struct md_found *found)
{
	const struct md_set_input input = { &found->member, 0 };
	const struct md_found *const founds[] = { found };
	struct md_sets sets = { 0 };
	struct md_seats seats;
	struct map *map = NULL;
	struct err err = { 0 };
	int rc;

	must(md_sets_compare(&sets, &input, 1, &err) == 0);
	rc = md_seats_choose(&seats, &sets.at[0], NULL, NULL, &err);
	if (rc == 0 && found->member.shape.level == MD_CONTAINER) {
		const struct container container = { &sets.at[0], &seats, founds, volume_left_out,
						     NULL };

		rc = container_map_make(&map, &container, &err);
	} else if (rc == 0) {
		rc = md_map_make(&map, &sets.at[0], &seats, &err);
	}
	must((rc == 0) == (map != NULL));
	map_free(map);
	md_sets_reset(&sets);
}

static void open_try(const struct other_found *found)
{
	struct md_probe probe = { 0 };
	struct err err = { 0 };

	must(other_md_make(&probe, found, "disk-0", DEVICE_SECTORS, &err) == 0);
	if (probe.count)
		array_try(probe.at[0]);
	md_probe_reset(&probe);
}

/* As other_probe_format() when no memory is left for what is to be shown: all decoders run, nothing is printed. */
static bool probe_only(const struct other_format *format, struct reader *reader)
{
	struct other_found *found = mem_calloc(1, sizeof(*found));
	bool any;

	must(found != NULL);
	found->format = format;
	found->facts.failed = found->said.failed = found->expected.failed = true;
	any = format->probe(found, reader, "disk-0");
	other_found_free(found);
	return any;
}

bool other_try_some(const char *format, const uint8_t *data, size_t size, bool shown)
{
	static struct memory memory;
	static struct memory_dev device;
	static struct reader reader;
	struct other_found *found;
	struct err err = { 0 };
	uint32_t which = 0;
	bool sound, mend;

	while (strcmp(kinds[which].format->name, format) != 0)
		must(++which < sizeof(kinds) / sizeof(kinds[0]));
	if (size < 2)
		return false;
	memory_clear(&memory);
	memory.size = kinds[which].size;
	device = memory_dev_make(memory.bytes, memory.size);
	/* A megabyte of nothing takes most of the time: one input in four has all labels. */
	if (kinds[which].format == &zfs_format && data[0] % 8 < 6)
		device.readable = ZFS_LABEL_SIZE;
	/* A sum of ZFS takes as long as all else. */
	mend = !(data[0] & 1) && (shown || kinds[which].format != &zfs_format);
	kinds[which].fill(&memory, data + 1, size - 1, mend);
	if (!reader.pages)
		must(reader_open(&reader, &device.dev, &err) == 0);
	reader.size = memory.size;
	if (!shown)
		return probe_only(kinds[which].format, &reader);
	must(other_probe_format(&found, kinds[which].format, &reader, "disk-0", &err) == 0);
	if (!found)
		return false;
	found_check(found);
	if (found->format == &ddf_format || found->format == &imsm_format)
		open_try(found);
	sound = found->faults.count == 0;
	other_found_free(found);
	return sound;
}

bool other_try(const char *format, const uint8_t *data, size_t size)
{
	return other_try_some(format, data, size, true);
}

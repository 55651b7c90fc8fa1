/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/rebuild_help.h"

#include "core/base/mem.h"
#include "core/store/super.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

const struct sample samples[SAMPLES] = {
	{ "plain", { .layout = LAYOUT_PLAIN, .unit_blocks = 16 }, 700001 },
	{ "mirror",
	  { .layout = LAYOUT_MIRROR, .checks = 1, .columns = 2, .unit_blocks = 16 },
	  500000 },
	{ "parity",
	  { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4, .unit_blocks = 16 },
	  2500000 },
	{ "double",
	  { .layout = LAYOUT_PARITY, .checks = 2, .columns = 5, .unit_blocks = 4 },
	  900000 },
	{ "wide",
	  { .layout = LAYOUT_PARITY,
	    .checks = 1,
	    .columns = 4,
	    .unit_blocks = 16,
	    .size_class = 1 },
	  1700000 },
	{ "sequential",
	  { .layout = LAYOUT_SEQUENTIAL, .checks = 2, .columns = 3, .unit_blocks = 16 },
	  1100000 },
};

uint64_t seed_of(const struct sample *sample)
{
	return (uint64_t)(sample - samples) + 100;
}

void rack_make(struct rack *rack, uint32_t which, struct array **array_out)
{

	struct array *array =
		rack_begin(rack, seeded_env(which), DISKS, DISK_SIZE, &samples[2].policy);

	for (size_t i = 0; i < SAMPLES; i++) {
		if (which >> i & 1)
			put_bytes(array, samples[i].name, &samples[i].policy, samples[i].length,
				  seed_of(&samples[i]));
	}
	if (array_out)
		*array_out = array;
	else
		array_close(array);
}

void wipe(struct rack *rack, uint32_t disk, uint64_t offset, uint64_t size, int value)
{
	uint8_t *bytes = mem_pages(size);

	memset(bytes, value, size);
	assert_int_equal(io_write(rack->disks[disk], IO_ROLE_DATA, offset, bytes, size), 0);
	assert_int_equal(io_flush(rack->disks[disk]), 0);
	mem_pages_free(bytes);
}

void wipe_maps(struct rack *rack)
{
	for (uint32_t i = 0; i < rack->count; i++)
		wipe(rack, i, SUPER_FAR + SUPER_AREA_SIZE, 2 * 131072, 0xee);
}

void wipe_supers(struct rack *rack, uint32_t disk)
{
	wipe(rack, disk, SUPER_NEAR, SUPER_AREA_SIZE, 0);
	wipe(rack, disk, SUPER_FAR, SUPER_AREA_SIZE, 0);
}

int rebuild(struct rack *rack, uint32_t disks, bool write, struct rebuild_map_report *report,
	    struct err *err)
{
	struct dev *devs[RACK_MAX];
	struct rebuild_map_request request = { .env = rack->env, .devs = devs, .write = write };

	for (uint32_t i = 0; i < rack->count; i++) {
		if (disks >> i & 1)
			devs[request.dev_count++] = rack_dev(rack, i);
	}
	int rc = rebuild_map_run(&request, report, err);
	for (uint32_t i = 0; i < request.dev_count; i++)
		dev_close(devs[i]);
	return rc;
}

struct rebuild_map_report rebuilt(struct rack *rack, uint32_t disks)
{
	struct rebuild_map_report report = { 0 };
	struct err err = { 0 };

	if (rebuild(rack, disks, true, &report, &err))
		fail_msg("disks 0x%x: %s", disks, err.text);
	return report;
}

void assert_only_volumes(struct array *array, uint32_t which)
{
	assert_int_equal(array_map(array)->volume_count, __builtin_popcount(which));
	for (size_t i = 0; i < SAMPLES; i++) {
		if (which >> i & 1)
			assert_bytes(array, samples[i].name, samples[i].length,
				     seed_of(&samples[i]));
	}
}

void assert_volumes(struct rack *rack, uint32_t disks, uint32_t which)
{
	struct array *array = rack_array_of(rack, disks, ARRAY_READ);
	uint64_t findings = 99;
	struct err err = { 0 };

	assert_only_volumes(array, which);
	assert_int_equal(array_check(array, NULL, NULL, &findings, &err), 0);
	assert_int_equal(findings, 0);
	array_close(array);
}

struct seal_header header_at(struct rack *rack, const struct map *map, uint32_t slot,
			     uint64_t offset)
{
	struct seal_header header;

	assert_int_equal(seal_header_decode(&header, rack_bytes(rack, slot) + offset, &map->uuid),
			 0);
	return header;
}

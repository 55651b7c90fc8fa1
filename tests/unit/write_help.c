/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/write_help.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DISK_SIZE (UINT64_C(8) << 20)
#define UNIT_BLOCKS 4u

const struct write_layout write_layouts[WRITE_LAYOUTS] = {
	{ "plain", LAYOUT_PLAIN, 0, 1, 2 },
	{ "mirror 2", LAYOUT_MIRROR, 1, 2, 3 },
	{ "mirror 3", LAYOUT_MIRROR, 2, 3, 4 },
	{ "parity 3+1", LAYOUT_PARITY, 1, 4, 5 },
	{ "parity 4+2", LAYOUT_PARITY, 2, 6, 6 },
	{ "parity 3+3", LAYOUT_PARITY, 3, 6, 6 },
	{ "sequential 4, 1 level", LAYOUT_SEQUENTIAL, 1, 4, 4 },
	{ "sequential 5, 2 levels", LAYOUT_SEQUENTIAL, 2, 5, 5 },
};

static int count_io(void *arg, uint32_t disk, const struct io *io)
{
	struct write_desk *desk = arg;
	struct desk_counts *counts = &desk->counts;
	bool seal = io->role == IO_ROLE_SEAL || io->role == IO_ROLE_WITNESS;
	bool cell =
		io->role == IO_ROLE_DATA || io->role == IO_ROLE_PARITY || io->role == IO_ROLE_PURE;

	env_lock(desk->rack.env, &desk->lock);
	counts->unnamed += io->op == IO_WRITE && cell &&
			   (counts->log_writes == 0 || counts->flushes < counts->log_writes);
	counts->flushes += io->op == IO_FLUSH;
	counts->data_reads += io->op == IO_READ && cell;
	counts->cell_writes += io->op == IO_WRITE && cell;
	if (io->op == IO_WRITE && cell)
		counts->cell_disks |= UINT32_C(1) << disk;
	counts->seal_reads += io->op == IO_READ && seal;
	counts->seal_writes += io->op == IO_WRITE && seal;
	counts->log_writes += io->op == IO_WRITE && io->role == IO_ROLE_LOG;
	env_unlock(desk->rack.env, &desk->lock);
	return 0;
}

void desk_open(struct write_desk *desk, struct env *env, const struct write_layout *layout,
	       enum journal_mode journal, uint64_t length)
{
	const struct policy policy = {
		.layout = layout->layout,
		.checks = layout->checks,
		.columns = layout->columns,
		.unit_blocks = layout->layout == LAYOUT_PARITY ? UNIT_BLOCKS : 0,
		.journal = journal,
	};
	struct err err = { 0 };

	*desk = (struct write_desk){ .layout = layout, .length = length };
	desk->array = rack_begin(&desk->rack, env, layout->disks, DISK_SIZE, &policy);
	env_lock_init(env, &desk->lock);
	const struct policy made = array_map(desk->array)->policy;
	put_bytes(desk->array, "v", &made, length, 7);
	desk->volume = map_volume_named(array_map(desk->array), "v");
	desk->model = mem_calloc(length, 1);
	assert_non_null(desk->model);
	struct array_read_result result;
	assert_int_equal(
		array_read(desk->array, desk->volume, 0, desk->model, length, &result, &err), 0);
	desk->rack.watch = count_io;
	desk->rack.watch_arg = desk;
}

void desk_close(struct write_desk *desk)
{
	array_close(desk->array);
	mem_free(desk->model);
	env_lock_reset(desk->rack.env, &desk->lock);
	rack_close(&desk->rack);
}

void desk_reset_counts(struct write_desk *desk)
{
	env_lock(desk->rack.env, &desk->lock);
	desk->counts = (struct desk_counts){ 0 };
	env_unlock(desk->rack.env, &desk->lock);
}

struct desk_counts desk_counts_now(struct write_desk *desk)
{
	env_lock(desk->rack.env, &desk->lock);
	struct desk_counts counts = desk->counts;

	env_unlock(desk->rack.env, &desk->lock);
	return counts;
}

void desk_reopen(struct write_desk *desk, uint32_t disks, enum array_access access)
{
	array_close(desk->array);
	desk->array = rack_array_of(&desk->rack, disks, access);
	desk->volume = map_volume_named(array_map(desk->array), "v");
	assert_non_null(desk->volume);
}

int desk_write(struct write_desk *desk, struct rng *rng, uint64_t offset, uint64_t length,
	       struct array_write_result *result)
{
	uint8_t *bytes = mem_calloc(length + 1, 1);
	struct err err = { 0 };

	assert_non_null(bytes);
	for (uint64_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)rng_next(rng);
	int rc = array_write(desk->array, desk->volume, offset, bytes, length, result, &err);
	if (rc)
		print_message("%s: write of %llu at %llu: %s\n", desk->layout->name,
			      (unsigned long long)length, (unsigned long long)offset, err.text);
	else
		memcpy(desk->model + offset, bytes, length);
	mem_free(bytes);
	return rc;
}

void desk_compare(struct write_desk *desk, uint64_t offset, uint64_t length)
{
	uint8_t *bytes = mem_calloc(length + 1, 1);
	struct array_read_result result;
	struct err err = { 0 };

	assert_non_null(bytes);
	if (array_read(desk->array, desk->volume, offset, bytes, length, &result, &err))
		fail_msg("%s: %s", desk->layout->name, err.text);
	if (result.lost)
		fail_msg("%s: %llu bytes are lost", desk->layout->name,
			 (unsigned long long)result.lost);
	for (uint64_t i = 0; i < length; i++) {
		if (bytes[i] != desk->model[offset + i])
			fail_msg("%s: byte %llu differs", desk->layout->name,
				 (unsigned long long)(offset + i));
	}
	mem_free(bytes);
}

void desk_settle(struct write_desk *desk)
{
	struct err err = { 0 };

	if (array_write_settle(desk->array, &err))
		fail_msg("%s: settle: %s", desk->layout->name, err.text);
}

void desk_scrub(struct write_desk *desk)
{
	assert_clean(desk->array, desk->layout->name);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/rig.h"

#include "core/array/array_internal.h"
#include "core/job/transfer.h"
#include "core/store/super.h"
#include "tests/sim/sim_env.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_SIZE (UINT64_C(3) << 20) /* metadata and a handful of the smallest frames */
#define EXTENT_SIZE (UINT64_C(256) << 10)
#define BLANK_DISKS 1u

/* Streams name these by number. With whole frames so little data makes parity groups of one data column. */
const struct rig_shape rig_shapes[] = {
	{ "mirror-2", LAYOUT_MIRROR, 2, 1, 2, 1, 0 },
	{ "mirror-3", LAYOUT_MIRROR, 3, 2, 3, 2, 0 },
	{ "parity-1+1-of-3", LAYOUT_PARITY, 3, 1, 3, 1, 0 },
	{ "parity-1+1-of-4", LAYOUT_PARITY, 4, 1, 4, 1, 0 },
	{ "parity-1+2-of-6", LAYOUT_PARITY, 6, 2, 6, 2, 0 },
	{ "parity-1+3-of-8", LAYOUT_PARITY, 8, 3, 8, 3, 0 },
	{ "sequential-3", LAYOUT_SEQUENTIAL, 3, 1, 3, 1, 0 },
	{ "sequential-5", LAYOUT_SEQUENTIAL, 5, 1, 5, 1, 0 },
	{ "parity-1+1-of-5", LAYOUT_PARITY, 3, 1, 5, 1, 0 },
	{ "mirror-2-wide", LAYOUT_MIRROR, 2, 1, 4, 1, 0 },
	{ "parity-2+1", LAYOUT_PARITY, 3, 1, 3, 1, 4 },
	{ "parity-3+1", LAYOUT_PARITY, 4, 1, 4, 1, 4 },
	{ "parity-4+2", LAYOUT_PARITY, 6, 2, 6, 2, 4 },
	{ "parity-5+3", LAYOUT_PARITY, 8, 3, 8, 3, 4 },
	{ "parity-2+1-wide", LAYOUT_PARITY, 3, 1, 5, 1, 4 },
};
const uint32_t rig_shape_count = sizeof(rig_shapes) / sizeof(rig_shapes[0]);

/* ---- opening */

/* Has it a superblock that verifies? Like array_probe(), without reading all of the areas. */
static bool is_blank(const struct media *media, uint32_t disk)
{
	for (uint32_t i = 0; i < SUPER_POSITIONS; i++) {
		uint64_t offset = super_position(i);
		const uint8_t *block = media_bytes(media, disk) + offset;
		struct super super;
		struct err err = { 0 };

		if (super_has_magic(block) && super_decode(&super, block, offset, &err) == 0)
			return false;
	}
	return true;
}

int rack_array_open(struct rack *rack, uint32_t missing, enum array_access access, uint32_t tasks,
		    struct array **array_out, struct err *err)
{
	struct dev *devs[RACK_DISKS_MAX];
	struct array_open_request request = {
		.env = rack->env,
		.devs = devs,
		.access = access,
		.leave_log = rack->leave_log,
		.tasks = tasks,
	};
	int rc = 0;

	for (uint32_t i = 0; !rc && i < media_disks(rack->media); i++) {
		if ((missing >> i & 1) ||
		    ((rack->may_be_blank >> i & 1) && is_blank(rack->media, i)))
			continue;
		devs[request.dev_count] = rack_dev_open(rack, i);
		if (devs[request.dev_count])
			request.dev_count++;
		else
			rc = err_set(err, ERR_NOMEM, "no memory for a device");
	}
	if (!rc && request.dev_count == 0)
		rc = err_set(err, ERR_NOT_MEMBER, "all disks are blank");
	if (!rc)
		rc = array_open(array_out, &request, err);
	for (uint32_t i = 0; rc && i < request.dev_count; i++)
		dev_close(devs[i]);
	return rc;
}

/* ---- the ground */

struct bytes_source {
	const uint8_t *at;
	uint64_t left;
};

static int source(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	struct bytes_source *from = arg;

	(void)err;
	*got_out = size < from->left ? size : from->left;
	if (*got_out)
		memcpy(bytes, from->at, *got_out);
	from->at += *got_out;
	from->left -= *got_out;
	return 0;
}

/* Put the bytes that `truth` has at the end of its volume `name`. */
static int put(struct array *array, const struct policy *policy, const struct truth *truth,
	       const char *name, uint64_t length, bool append, struct err *err)
{
	const struct truth_volume *volume = truth_find(truth, name);
	struct bytes_source from = { volume->bytes + volume->length - length, length };
	const struct put_request request = {
		.name = name,
		.policy = *policy,
		.append = append,
		.source = source,
		.source_arg = &from,
		.length_hint = length,
	};
	struct put_report report;

	return put_run(array, &request, &report, err);
}

static void must(int rc, const struct err *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "the ground of a rig: %s\n", err->text);
	abort();
}

static int create(struct rack *rack, const struct rig *rig, struct array **array_out,
		  struct err *err)
{
	struct dev *devs[RACK_DISKS_MAX];
	const struct array_create_request request = {
		.env = rack->env,
		.name = "tank",
		.devs = devs,
		.dev_count = rig->shape->members,
		.policy = rig->policy,
		.extent_size = rig->shape->frame_blocks ? 0 : EXTENT_SIZE,
		.frame_body_blocks = rig->shape->frame_blocks,
	};

	for (uint32_t i = 0; i < request.dev_count; i++) {
		devs[i] = rack_dev_open(rack, i);
		if (!devs[i]) {
			while (i-- > 0)
				dev_close(devs[i]);
			return err_set(err, ERR_NOMEM, "no memory for a device");
		}
	}
	int rc = array_create(array_out, &request, err);
	for (uint32_t i = 0; rc && i < request.dev_count; i++)
		dev_close(devs[i]);
	return rc;
}

void rig_open(struct rig *rig, uint32_t shape)
{
	struct array *array = NULL;
	struct err err = { 0 };

	*rig = (struct rig){ .shape = &rig_shapes[shape] };
	assert(shape < rig_shape_count);
	rig->policy = (struct policy){
		.layout = rig->shape->layout,
		.checks = rig->shape->checks,
		.columns = rig->shape->columns,
		.unit_blocks = 2,
	};
	rig->disks = rig->shape->members + BLANK_DISKS;
	rig->media = media_create(rig->disks, DISK_SIZE);

	struct rack rack = { .env = sim_env((UINT64_C(1) << 32) + shape),
			     .media = rig->media,
			     .ios_max = UINT64_MAX };
	/* Two groups where frames are small: a full one, and a narrower one for the rest. */
	uint64_t length = 9 * BLOCK_SIZE + 100;
	uint32_t data = rig->shape->columns - rig->shape->checks;
	if (rig->shape->frame_blocks * data > 9)
		length = rig->shape->frame_blocks * data * BLOCK_SIZE + 100;

	must(create(&rack, rig, &array, &err), &err);
	truth_put(&rig->truth, "a", length, 1);
	must(put(array, &rig->policy, &rig->truth, "a", length, false, &err), &err);
	truth_put(&rig->truth, "b", 3 * BLOCK_SIZE, 2);
	must(put(array, &rig->policy, &rig->truth, "b", 3 * BLOCK_SIZE, false, &err), &err);
	array_close(array);
	(void)media_hash(rig->media);
}

void rig_close(struct rig *rig)
{
	media_free(rig->media);
	truth_reset(&rig->truth);
}

/* ---- creating, as a step */

int rig_create_array(struct run *run, struct err *err)
{
	return create(&run->rack, run->rig, &run->array, err);
}

int rig_put(struct run *run, const struct truth *truth, const char *name, uint64_t length,
	    bool append, struct err *err)
{
	return put(run->array, &run->rig->policy, truth, name, length, append, err);
}

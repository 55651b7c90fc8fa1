/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tests of recovery share: an array on simulated disks whose rows are written by hand, each cell
 * of a closure left old, new or torn, and a log record beside it.
 */
#ifndef PG_TESTS_RECOVER_HELP_H
#define PG_TESTS_RECOVER_HELP_H

#include "core/array/array_internal.h"
#include "core/array/write_plan.h"
#include "core/store/log_record.h"
#include "core/store/seal.h"
#include "tests/unit/array_help.h"

#define DISK_SIZE (UINT64_C(2816) * 1024)
#define DISK_BLOCKS (DISK_SIZE / BLOCK_SIZE)
#define VOLUME_BLOCKS 190u /* so many that all columns have some */
#define VOLUME_SIZE ((uint64_t)VOLUME_BLOCKS * BLOCK_SIZE)
#define SEED 11u
#define SLICE 1u
#define CELLS_MAX 4u /* of a closure in these scenes: each is old, new or torn */

enum left { LEFT_OLD, LEFT_NEW, LEFT_TORN, LEFT_COUNT };

struct layout_case {
	const char *name;
	struct policy policy;
	uint32_t disks;
};

extern const struct layout_case recover_layouts[];
#define RECOVER_LAYOUTS 8u

/* One write that was under way, as its record names it. */
struct under_way {
	struct log_rows rows; /* one slice */
	struct log_cell cells[CODE_COLUMNS_MAX];
	struct write_plan plan;
	uint8_t *fresh; /* a block for each cell of the closure */
};

struct scene {
	struct rack rack;
	const struct layout_case *layout;
	struct array *model; /* open for reading: its map says where things lie */
	const struct group *group;
	struct code *code;
	uint32_t segments;
	uint8_t *base[RACK_MAX]; /* disks before anything was written in place */
	bool dirty[RACK_MAX][DISK_BLOCKS];
	uint8_t *old_data, *got; /* the volume */
	struct under_way writes[2];
	uint32_t write_count;
	struct seal seals[CODE_COLUMNS_MAX]; /* before */
	uint64_t states, lost_states;
	uint64_t tried, every; /* of the states only every so many-th is looked at */
};

void scene_open(struct scene *scene, const struct layout_case *layout);
void scene_close(struct scene *scene);

/* The disks as they were before anything was written in place. */
void scene_restore(struct scene *scene);
void scene_flush(struct scene *scene);
void scene_poke(struct scene *scene, uint32_t disk, uint64_t offset, const uint8_t *bytes);

uint32_t scene_disk(const struct scene *scene, uint32_t column);
uint32_t scene_block(const struct scene *scene, uint32_t cell); /* in the body of its extent */

/* Data column `column`, first segment, of slice SLICE gets new bytes. */
void scene_add_write(struct scene *scene, uint32_t column, uint32_t generation);
uint32_t scene_generation_next(const struct scene *scene);

/* Put a record on all members; or that of all writes, the last one with content or not. */
void scene_put_record(struct scene *scene, struct log_rows *rows, uint32_t rows_count,
		      struct log_page *pages, uint32_t pages_count);
void scene_put_rows(struct scene *scene, bool content);

/* Leave a cell as the crash did: of the state before, of write `after` - 1, or every other sector. */
void scene_put_cell(struct scene *scene, uint32_t cell, uint32_t before, uint32_t after,
		    enum left left);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/recover_help.h"

#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/code/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const struct layout_case recover_layouts[RECOVER_LAYOUTS] = {
	{ "plain", { .layout = LAYOUT_PLAIN }, 2 },
	{ "mirror 2", { .layout = LAYOUT_MIRROR, .checks = 1 }, 2 },
	{ "mirror 3", { .layout = LAYOUT_MIRROR, .checks = 2 }, 3 },
	{ "parity 3+1", { .layout = LAYOUT_PARITY, .checks = 1, .columns = 4 }, 4 },
	{ "parity 3+2", { .layout = LAYOUT_PARITY, .checks = 2, .columns = 5 }, 5 },
	{ "parity 3+3", { .layout = LAYOUT_PARITY, .checks = 3, .columns = 6 }, 6 },
	{ "sequential 4", { .layout = LAYOUT_SEQUENTIAL, .checks = 1, .columns = 4 }, 4 },
	{ "sequential 5", { .layout = LAYOUT_SEQUENTIAL, .checks = 1, .columns = 5 }, 5 },
};

/* ---- the disks */

static int note_dirty(void *arg, uint32_t disk, const struct io *io)
{
	struct scene *scene = arg;

	for (uint64_t at = 0; io->op != IO_READ && at < io->size; at += BLOCK_SIZE)
		scene->dirty[disk][(io->offset + at) / BLOCK_SIZE] = true;
	return 0;
}

void scene_poke(struct scene *scene, uint32_t disk, uint64_t offset, const uint8_t *bytes)
{
	uint8_t *page = mem_pages(BLOCK_SIZE);

	memcpy(page, bytes, BLOCK_SIZE);
	assert_int_equal(io_write(scene->rack.disks[disk], IO_ROLE_DATA, offset, page, BLOCK_SIZE),
			 0);
	scene->dirty[disk][offset / BLOCK_SIZE] = true;
	mem_pages_free(page);
}

void scene_flush(struct scene *scene)
{
	for (uint32_t i = 0; i < scene->rack.count; i++)
		assert_int_equal(io_flush(scene->rack.disks[i]), 0);
}

void scene_restore(struct scene *scene)
{
	for (uint32_t i = 0; i < scene->rack.count; i++) {
		for (uint32_t b = 0; b < DISK_BLOCKS; b++) {
			if (!scene->dirty[i][b])
				continue;
			scene_poke(scene, i, (uint64_t)b * BLOCK_SIZE,
				   scene->base[i] + (uint64_t)b * BLOCK_SIZE);
			scene->dirty[i][b] = false;
		}
	}
	scene_flush(scene);
}

uint32_t scene_disk(const struct scene *scene, uint32_t column)
{
	return scene->group->extents[column].slot;
}

static uint64_t cell_offset(const struct scene *scene, uint32_t cell)
{
	return extent_offset(scene->model->map, &scene->group->extents[cell / scene->segments],
			     cell % scene->segments * scene->group->segment_blocks + SLICE);
}

uint32_t scene_block(const struct scene *scene, uint32_t cell)
{
	return cell % scene->segments * scene->group->segment_blocks + SLICE;
}

static const uint8_t *base_cell(const struct scene *scene, uint32_t cell)
{
	return scene->base[scene_disk(scene, cell / scene->segments)] + cell_offset(scene, cell);
}

/* ---- a scene */

static void read_seals(struct scene *scene)
{
	for (uint32_t c = 0; c < scene->group->shape.columns; c++) {
		const struct extent *extent = &scene->group->extents[c];
		struct seal *seal = &scene->seals[c];
		const uint8_t *at = scene->base[extent->slot] +
				    extent_seal_offset(scene->model->map, extent) + BLOCK_SIZE;

		assert_int_equal(seal_init(seal, &scene->model->map->uuid, scene->group, c), 0);
		for (uint32_t p = 0; p < seal_entry_pages(&seal->shape); p++, at += BLOCK_SIZE) {
			seal_decode_page(seal, p, at);
			assert_true(seal->page_good[p]);
		}
	}
}

void scene_open(struct scene *scene, const struct layout_case *layout)
{
	struct err err = { 0 };
	uint32_t column;

	*scene = (struct scene){ .layout = layout };
	struct array *array = rack_begin(&scene->rack, seeded_env(SEED), layout->disks, DISK_SIZE,
					 &layout->policy);
	put_bytes(array, "v", &array_map(array)->policy, VOLUME_SIZE, SEED);
	array_close(array);
	scene_flush(scene);
	scene->model = rack_array_of(&scene->rack, UINT32_MAX, ARRAY_READ);
	scene->group = map_extent(scene->model->map,
				  scene->model->map->volumes[0]->spans[0].extents[0], &column);
	assert_true(scene->group->segment_blocks > SLICE);
	if (layout->policy.columns)
		assert_int_equal(scene->group->shape.columns, layout->policy.columns);
	assert_int_equal(code_create(&scene->code, &scene->group->shape, &err), 0);
	scene->segments = code_segment_count(scene->code);
	for (uint32_t i = 0; i < layout->disks; i++) {
		scene->base[i] = mem_pages(DISK_SIZE);
		memcpy(scene->base[i], rack_bytes(&scene->rack, i), DISK_SIZE);
	}
	struct array_read_result result;
	scene->old_data = mem_calloc(VOLUME_SIZE, 1);
	scene->got = mem_calloc(VOLUME_SIZE, 1);
	assert_int_equal(array_read(scene->model, scene->model->map->volumes[0], 0, scene->old_data,
				    VOLUME_SIZE, &result, &err),
			 0);
	read_seals(scene);
	scene->rack.watch = note_dirty;
	scene->rack.watch_arg = scene;
}

void scene_close(struct scene *scene)
{
	for (uint32_t c = 0; c < scene->group->shape.columns; c++)
		seal_reset(&scene->seals[c]);
	for (uint32_t i = 0; i < scene->write_count; i++)
		mem_pages_free(scene->writes[i].fresh);
	code_free(scene->code);
	array_close(scene->model);
	for (uint32_t i = 0; i < scene->layout->disks; i++)
		mem_pages_free(scene->base[i]);
	mem_free(scene->old_data);
	mem_free(scene->got);
	rack_close(&scene->rack);
}

/* The bytes of a cell after writes 0..count-1. */
static const uint8_t *cell_after(const struct scene *scene, uint32_t count, uint32_t cell)
{
	for (uint32_t w = count; w > 0; w--) {
		const struct under_way *write = &scene->writes[w - 1];

		for (uint32_t i = 0; i < write->plan.cell_count; i++) {
			if (write->plan.cells[i] == cell)
				return write->fresh + (size_t)i * BLOCK_SIZE;
		}
	}
	return base_cell(scene, cell);
}

/* A check cell of the write by its equation, plainly. */
static void compute_check(const struct scene *scene, uint32_t count, uint32_t equation,
			  uint8_t *out)
{
	const struct code_equation *own = code_equation(scene->code, (uint16_t)equation);

	memset(out, 0, BLOCK_SIZE);
	for (uint16_t t = 0; t + 1 < own->term_count; t++) {
		const uint8_t *bytes = cell_after(scene, count, own->terms[t].cell);

		for (uint32_t b = 0; b < BLOCK_SIZE; b++)
			out[b] ^= gf_multiply(own->terms[t].coefficient, bytes[b]);
	}
}

void scene_add_write(struct scene *scene, uint32_t column, uint32_t generation)
{
	struct under_way *write = &scene->writes[scene->write_count++];
	struct rng rng = rng_seeded(SEED + 1000 + scene->write_count);

	assert_int_equal(write_plan_make(&write->plan, scene->code, 0, UINT32_C(1) << column, 0),
			 0);
	write->fresh = mem_pages((size_t)write->plan.cell_count * BLOCK_SIZE);
	assert_in_range(write->plan.cell_count, 1, CELLS_MAX);
	for (uint32_t b = 0; b < BLOCK_SIZE; b++)
		write->fresh[b] = (uint8_t)rng_next(&rng);
	for (uint32_t i = 0; i < write->plan.cell_count; i++) {
		uint32_t cell = write->plan.cells[i];
		uint32_t seed = seal_block_seed(
			seal_extent_seed(&scene->model->map->uuid,
					 scene->group->extents[cell / scene->segments].id),
			scene_block(scene, cell));
		uint8_t *fresh = write->fresh + (size_t)i * BLOCK_SIZE;

		if (i >= write->plan.data_count)
			compute_check(scene, scene->write_count,
				      write->plan.equations[i - write->plan.data_count], fresh);
		write->cells[i] =
			(struct log_cell){ crc32_of(seed, fresh, BLOCK_SIZE), generation };
	}
	write->rows = (struct log_rows){
		.volume = scene->model->map->volumes[0]->id,
		.group = scene->group->id,
		.first = SLICE,
		.count = 1,
		.columns = UINT32_C(1) << column,
		.cell_count = write->plan.cell_count,
		.generation_limit = generation + 1,
		.cells = write->cells,
	};
}

uint32_t scene_generation_next(const struct scene *scene)
{
	uint32_t greatest = 0;

	for (uint32_t c = 0; c < scene->group->shape.columns; c++) {
		for (uint32_t b = 0; b < group_body_blocks(scene->group); b++)
			greatest =
				(uint32_t)size_max(greatest, scene->seals[c].entries[b].generation);
	}
	return greatest + 1;
}

void scene_put_record(struct scene *scene, struct log_rows *rows, uint32_t rows_count,
		      struct log_page *pages, uint32_t pages_count)
{
	struct log_record record = {
		.array = scene->model->map->uuid,
		.epoch = scene->model->map->epochs[scene->model->map->epoch_count - 1].number,
		.generation = 1,
		.in_service = array_in_service(scene->model),
		.copies = scene->rack.count,
		.copies_usual = scene->rack.count,
		.written_s = 1,
		.rows_count = rows_count,
		.pages_count = pages_count,
		.rows = rows,
		.pages = pages,
	};
	uint64_t size = log_record_size(&record);
	uint64_t slot = scene->model->map->geometry.log_size / LOG_SLOTS;
	uint8_t *bytes = mem_pages(size);

	log_record_encode(bytes, &record);
	for (uint32_t i = 0; i < scene->rack.count; i++) {
		for (uint64_t at = 0; at < size; at += BLOCK_SIZE)
			scene_poke(scene, i,
				   scene->model->members[i].regions.log_offset + slot + at,
				   bytes + at);
	}
	mem_pages_free(bytes);
}

void scene_put_rows(struct scene *scene, bool content)
{
	struct log_rows rows[2];

	for (uint32_t w = 0; w < scene->write_count; w++) {
		rows[w] = scene->writes[w].rows;
		/* Of the last one only: those before are done, and their content dropped. */
		if (content && w + 1 == scene->write_count)
			rows[w].content = scene->writes[w].fresh;
	}
	scene_put_record(scene, rows, scene->write_count, NULL, 0);
}

void scene_put_cell(struct scene *scene, uint32_t cell, uint32_t before, uint32_t after,
		    enum left left)
{
	uint8_t *bytes = mem_pages(BLOCK_SIZE);
	const uint8_t *fresh = cell_after(scene, after, cell);

	memcpy(bytes, cell_after(scene, before, cell), BLOCK_SIZE);
	for (uint32_t at = 0; left != LEFT_OLD && at < BLOCK_SIZE;
	     at += left == LEFT_TORN ? 1024 : 512)
		memcpy(bytes + at, fresh + at, 512);
	scene_poke(scene, scene_disk(scene, cell / scene->segments), cell_offset(scene, cell),
		   bytes);
	mem_pages_free(bytes);
}

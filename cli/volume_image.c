/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/volume_image.h"

#include "cli/member_maps.h"
#include "cli/whole_file.h"
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/env/env.h"
#include "formats/ddrescue.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct volume_image {
	const struct invocation *inv;
	const char *path, *map_path;
	uint64_t length;
	struct whole_file *file;
	struct env_lock lock; /* of the map */
	struct ddrescue_map map;
	bool map_begun; /* its file is ours, and may be replaced */
	bool no_memory; /* a loss could not be noted */
};

int ddrescue_file_write(const struct invocation *inv, const struct ddrescue_map *map,
			const char *path, bool replace, struct err *err)
{
	struct whole_file *file = NULL;
	struct text text = { 0 };
	int rc;

	ddrescue_print(map, NULL, &text);
	if (text.failed)
		rc = err_set(err, ERR_NOMEM, "%s: no memory", path);
	else
		rc = whole_file_create(&file, inv->env, path, replace, err);
	if (rc == 0)
		rc = whole_file_write(file, text.chars, text.size, 0, err);
	if (rc == 0)
		rc = whole_file_commit(file, err);
	whole_file_close(file);
	text_reset(&text);
	return rc;
}

static int no_memory(const struct volume_image *image, struct err *err)
{
	return err_set(err, ERR_NOMEM, "%s: no memory for the map", image->path);
}

/* The map of an earlier run; what it has not recovered is to be looked at again, and is zeros till then. */
static int map_take_up(struct volume_image *image, struct err *err)
{
	int rc = ddrescue_file_read(&image->map, image->map_path, err);

	if (rc)
		return rc;
	if (ddrescue_end(&image->map) != image->length ||
	    (image->length && image->map.blocks.at[0].offset != 0)) {
		err_set(err, ERR_SIZE, "%s is of %" PRIu64 " bytes, the volume has %" PRIu64,
			image->map_path, ddrescue_end(&image->map), image->length);
		return err_hint(err, "name the map that was written with %s", image->path);
	}
	image->map.phase = DDRESCUE_UNTRIED;
	for (uint64_t at = 0, run; rc == 0 && at < image->length; at += run) {
		enum ddrescue_status status = ddrescue_status_at(&image->map, at, &run);

		if (status == DDRESCUE_RESCUED)
			continue;
		rc = whole_file_clear(image->file, at, run, err);
		if (rc == 0 && status != DDRESCUE_UNTRIED &&
		    ddrescue_set(&image->map, at, run, DDRESCUE_UNTRIED))
			rc = no_memory(image, err);
	}
	return rc;
}

static int map_begin(struct volume_image *image, struct err *err)
{
	if (ddrescue_begin(&image->map, image->length, DDRESCUE_UNTRIED))
		return no_memory(image, err);
	return 0;
}

/* Is a map in the way? Asked before anything is made. */
static int map_check(const struct volume_image_request *request, struct err *err)
{
	if (!request->map_path && request->resume) {
		err_set(err, ERR_USAGE, "--resume needs --out-map, which says what is done");
		return err_hint(err, "without a map begin anew, with --force");
	}
	if (!request->map_path || request->resume || request->inv->common->force ||
	    access(request->map_path, F_OK))
		return 0;
	err_set(err, ERR_EXISTS, "%s exists already", request->map_path);
	return err_hint(err, "go on with --resume, or begin anew with --force");
}

int volume_image_open(struct volume_image **image_out, const struct volume_image_request *request,
		      struct err *err)
{
	struct volume_image *image;
	int rc = map_check(request, err);

	if (rc)
		return rc;
	image = mem_calloc(1, sizeof(*image));
	if (!image)
		return err_set(err, ERR_NOMEM, "%s: no memory", request->path);
	image->inv = request->inv;
	image->path = request->path;
	image->map_path = request->map_path;
	image->length = request->length;
	env_lock_init(image->inv->env, &image->lock);
	rc = whole_file_create_part(&image->file, image->path, image->length, request->resume,
				    image->inv->common->force, err);
	if (rc == 0)
		rc = request->resume ? map_take_up(image, err) : map_begin(image, err);
	if (rc == 0 && request->resume)
		image->map_begun = true;
	if (rc)
		volume_image_close(image);
	else
		*image_out = image;
	return rc;
}

void volume_image_close(struct volume_image *image)
{
	if (!image)
		return;
	whole_file_close(image->file);
	ddrescue_reset(&image->map);
	env_lock_reset(image->inv->env, &image->lock);
	mem_free(image);
}

/* Blocks of zeros are left out: nothing was there before. */
static int write_sparse(struct volume_image *image, const uint8_t *bytes, size_t size,
			uint64_t offset, struct err *err)
{
	int rc = 0;

	for (size_t at = 0, run; rc == 0 && at < size; at += run) {
		size_t block = size_min(BLOCK_SIZE, size - at);
		bool zero = bytes_are_zero(bytes + at, block);

		for (run = block; at + run < size; run += block) {
			block = size_min(BLOCK_SIZE, size - at - run);
			if (bytes_are_zero(bytes + at + run, block) != zero)
				break;
		}
		if (!zero)
			rc = whole_file_write(image->file, bytes + at, run, offset + at, err);
	}
	return rc;
}

/* All of the range but what is lost is right now. */
static int note_written(struct volume_image *image, uint64_t offset, uint64_t size, struct err *err)
{
	uint64_t end = offset + size, run;
	int rc = image->no_memory ? ERR_NOMEM : 0;

	env_lock(image->inv->env, &image->lock);
	for (uint64_t at = offset; rc == 0 && at < end; at += run) {
		enum ddrescue_status status = ddrescue_status_at(&image->map, at, &run);

		run = size_min(run, end - at);
		if (status == DDRESCUE_UNTRIED)
			rc = ddrescue_set(&image->map, at, run, DDRESCUE_RESCUED);
	}
	env_unlock(image->inv->env, &image->lock);
	return rc ? no_memory(image, err) : 0;
}

int volume_image_write(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	struct volume_image *image = arg;
	int rc = write_sparse(image, bytes, size, offset, err);

	return rc ? rc : note_written(image, offset, size, err);
}

void volume_image_lose(void *arg, const struct job_loss *loss)
{
	struct volume_image *image = arg;

	env_lock(image->inv->env, &image->lock);
	if (ddrescue_set(&image->map, loss->offset, loss->length, DDRESCUE_BAD))
		image->no_memory = true;
	env_unlock(image->inv->env, &image->lock);
}

int volume_image_regain(struct volume_image *image, const void *bytes, size_t size, uint64_t offset,
			struct err *err)
{
	int rc = whole_file_write(image->file, bytes, size, offset, err);

	if (rc == 0 && ddrescue_set(&image->map, offset, size, DDRESCUE_RESCUED))
		rc = no_memory(image, err);
	return rc;
}

const struct ddrescue_map *volume_image_map(const struct volume_image *image)
{
	return &image->map;
}

/* A copy of the map as it is now, so that tasks need not wait for the disk. */
static int map_copy(struct ddrescue_map *copy_out, struct volume_image *image, struct err *err)
{
	struct ddrescue_map copy;
	int rc;

	env_lock(image->inv->env, &image->lock);
	copy = image->map;
	copy.blocks = (struct ddrescue_block_vec){ 0 };
	rc = ddrescue_block_vec_reserve(&copy.blocks, image->map.blocks.count);
	if (rc == 0 && image->map.blocks.count) {
		memcpy(copy.blocks.at, image->map.blocks.at,
		       image->map.blocks.count * sizeof(*copy.blocks.at));
		copy.blocks.count = image->map.blocks.count;
	}
	env_unlock(image->inv->env, &image->lock);
	if (rc)
		return no_memory(image, err);
	*copy_out = copy;
	return 0;
}

int volume_image_save(struct volume_image *image, struct err *err)
{
	struct ddrescue_map copy;
	int rc;

	if (!image->map_path)
		return 0;
	rc = map_copy(&copy, image, err);
	if (rc)
		return rc;
	rc = whole_file_flush(image->file, err);
	if (rc == 0)
		rc = ddrescue_file_write(image->inv, &copy, image->map_path,
					 image->map_begun || image->inv->common->force, err);
	if (rc == 0) {
		image->map_begun = true;
		whole_file_keep(image->file);
	}
	ddrescue_reset(&copy);
	return rc;
}

/* The file first: a map beside a file that is not there would be of nothing. */
int volume_image_finish(struct volume_image *image, struct err *err)
{
	int rc = whole_file_commit(image->file, err);

	image->map.phase = DDRESCUE_RESCUED;
	return rc ? rc : volume_image_save(image, err);
}

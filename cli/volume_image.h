/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The image of a volume in a file, with a map that says which bytes of it are right (formats/ddrescue.h): '+' they are,
 * '-' they are lost, '?' nobody has looked yet. What is lost, and blocks of zeros, are holes of the file.
 *
 *	volume_image_open()
 *	volume_image_write(), volume_image_lose()	while the volume is read
 *	volume_image_save()	now and then, if there is a file for the map
 *	volume_image_finish()	the file gets its name
 *	volume_image_close()	before finish: with a file for the map all stays, to be gone on with; else nothing
 *
 * The saved map never says '+' of bytes that are not durable. Writing and losing is for any number of tasks.
 */
#ifndef PG_CLI_VOLUME_IMAGE_H
#define PG_CLI_VOLUME_IMAGE_H

#include "cli/command.h"

struct ddrescue_map;
struct volume_image; /* opaque */

struct volume_image_request {
	const struct invocation *inv; /* --force: what exists is replaced */
	const char *path;             /* borrowed until close, as map_path */
	const char *map_path;         /* NULL: the map is not kept */
	uint64_t length;              /* of the volume */
	bool resume;                  /* go on with both; what is not '+' counts as '?' */
};
/* Returns 0 or why a file cannot be made or gone on with: ERR_EXISTS, ERR_NOT_FOUND, ERR_SIZE, … */
int volume_image_open(struct volume_image **image_out, const struct volume_image_request *request,
		      struct err *err) MUST_CHECK;
void volume_image_close(struct volume_image *image); /* NULL is allowed */

/* A get_request's sink and lost; `arg` is the image. A range is lost before its zeros are written. */
int volume_image_write(void *arg, const void *bytes, size_t size, uint64_t offset,
		       struct err *err) MUST_CHECK;
void volume_image_lose(void *arg, const struct job_loss *loss);
/* Bytes that were lost and are not any more. One task. */
int volume_image_regain(struct volume_image *image, const void *bytes, size_t size, uint64_t offset,
			struct err *err) MUST_CHECK;

/* What is known so far. While tasks write, only for their own ranges. */
const struct ddrescue_map *volume_image_map(const struct volume_image *image);

/* Make the bytes durable, then the map. Nothing without a file for the map. */
int volume_image_save(struct volume_image *image, struct err *err) MUST_CHECK;
int volume_image_finish(struct volume_image *image, struct err *err) MUST_CHECK;

/* Replace a file by a map. */
int ddrescue_file_write(const struct invocation *inv, const struct ddrescue_map *map,
			const char *path, bool replace, struct err *err) MUST_CHECK;

#endif

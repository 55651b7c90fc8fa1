/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/seal_find.h"

#include "core/base/size.h"
#include "core/map/check.h"

#include <string.h>

#define READ_BYTES (UINT64_C(1) << 20)
#define ALIGNMENT UINT64_C(65536) /* of regions */
#define LOG_SIZE_MIN (UINT64_C(256) << 10)
#define MAP_HALF_MIN (UINT64_C(128) << 10)
#define BODY_BLOCKS_MAX (UINT32_C(1) << 16)

/* ---- pages */

static int page_look(struct seal_found *found, const uint8_t *page, uint64_t offset)
{
	struct seal_header header;
	struct uuid array;

	if (!seal_header_guess(&array, page) || seal_header_decode(&header, page, &array))
		return 0;
	struct seal_place place = {
		.offset = offset,
		.array = array,
		.member = header.member,
		.frame = header.frame,
		.body_blocks = header.body_blocks,
		.columns = header.shape.columns,
		.size_class = header.size_class,
	};

	memcpy(place.name, header.name, sizeof(place.name));
	return seal_place_vec_push(&found->places, place);
}

static bool is_same(const struct seal_place *a, const struct seal_place *b)
{
	return uuid_equal(&a->array, &b->array) && uuid_equal(&a->member, &b->member);
}

/* Keep those of the member that most are of; where no member has more than half, user data look like headers. */
static void places_agree(struct seal_found *found)
{
	struct seal_place_vec *places = &found->places;
	struct seal_place most = { 0 };
	size_t votes = 0, kept = 0;

	for (size_t i = 0; i < places->count; i++) {
		if (votes == 0)
			most = places->at[i];
		votes += is_same(&places->at[i], &most) ? 1 : (size_t)-1;
	}
	for (size_t i = 0; i < places->count; i++) {
		if (is_same(&places->at[i], &most))
			places->at[kept++] = places->at[i];
	}
	places->count = kept * 2 > places->count ? kept : 0;
	found->array = most.array;
	found->member = most.member;
}

int seal_find_run(struct seal_found *found_out, struct dev *dev, uint64_t bytes_max,
		  struct err *err)
{
	struct seal_found found = { .size = dev_info(dev)->size };
	uint64_t end = size_min(size_min(found.size, bytes_max), SEAL_FIND_BYTES);
	uint8_t *bytes = mem_pages(READ_BYTES);
	int rc = bytes ? 0 : ERR_NOMEM;

	for (uint64_t at = 0; !rc && at < end && found.places.count < SEAL_FIND_HEADERS;
	     at += READ_BYTES) {
		uint64_t size = size_min(READ_BYTES, end - at) / BLOCK_SIZE * BLOCK_SIZE;

		if (size == 0 || io_read(dev, IO_ROLE_SEAL, at, bytes, size))
			continue;
		for (uint64_t i = 0; !rc && i < size; i += BLOCK_SIZE)
			rc = page_look(&found, bytes + i, at + i);
	}
	mem_pages_free(bytes);
	if (rc) {
		seal_find_reset(&found);
		return err_set(err, rc, "no memory to look for seals");
	}
	places_agree(&found);
	*found_out = found;
	return 0;
}

void seal_find_reset(struct seal_found *found)
{
	seal_place_vec_reset(&found->places);
}

/* ---- geometry */

/* Where the first frame would begin by this header; false: before any could. */
static bool first_frame(uint64_t *data_out, const struct geometry *geometry,
			const struct seal_place *place)
{
	uint64_t before = ((uint64_t)place->frame * geometry->frame_blocks +
			   ((uint64_t)geometry->frame_body_blocks << place->size_class)) *
			  BLOCK_SIZE;

	*data_out = place->offset - before;
	return place->offset >=
		       before + SUPER_FAR + SUPER_AREA_SIZE + 2 * MAP_HALF_MIN + LOG_SIZE_MIN &&
	       place->body_blocks <= (uint64_t)geometry->frame_body_blocks << place->size_class &&
	       place->columns <= geometry->witness_max && *data_out % ALIGNMENT == 0;
}

/* Do all headers agree on where the first frame begins? */
static bool places_fit(uint64_t *data_out, const struct geometry *geometry,
		       const struct seal_found *found, uint32_t count)
{
	bool any = false;

	for (uint32_t m = 0; m < count; m++) {
		for (size_t i = 0; i < found[m].places.count; i++) {
			uint64_t data;

			if (!first_frame(&data, geometry, &found[m].places.at[i]) ||
			    (any && data != *data_out))
				return false;
			*data_out = data;
			any = true;
		}
	}
	return any;
}

static bool several_frames(const struct seal_found *found, uint32_t count)
{
	const struct seal_place *first = NULL;

	for (uint32_t m = 0; m < count; m++) {
		for (size_t i = 0; i < found[m].places.count; i++) {
			const struct seal_place *place = &found[m].places.at[i];

			if (first && (place->frame != first->frame ||
				      place->size_class != first->size_class))
				return true;
			first = place;
		}
	}
	return false;
}

/* What lies before the frames: the log takes what two halves of a map leave. */
static void split_regions(struct geometry *geometry, uint64_t data_offset)
{
	uint64_t room = data_offset - (SUPER_FAR + SUPER_AREA_SIZE);

	geometry->map_half_size = (room - LOG_SIZE_MIN) / 2 / ALIGNMENT * ALIGNMENT;
	geometry->log_size = room - 2 * geometry->map_half_size;
}

int seal_find_geometry(struct geometry *geometry_out, const struct seal_found *found,
		       uint32_t count, struct err *err)
{
	uint64_t data_offset = 0;
	bool several = several_frames(found, count);

	for (uint32_t body = 1; several && body <= BODY_BLOCKS_MAX; body *= 2) {
		for (uint32_t wide = 16; wide <= CODE_COLUMNS_MAX; wide++) {
			struct geometry geometry = {
				.frame_blocks = geometry_frame_blocks(body, wide),
				.frame_body_blocks = body,
				.witness_max = wide,
			};

			if (!places_fit(&data_offset, &geometry, found, count))
				continue;
			split_regions(&geometry, data_offset);
			*geometry_out = geometry;
			return map_check_geometry(geometry_out, err);
		}
	}
	err_set(err, ERR_NOT_MEMBER,
		"no superblock of any member decodes, and the seals that are left do not tell how "
		"extents lie");
	return err_hint(err, "name all members, or one at least whose first 2 MiB are whole");
}

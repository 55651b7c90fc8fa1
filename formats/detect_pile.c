/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect_pile.h"

#include "core/base/mem.h"
#include "core/dev/dev.h"

#include <assert.h>
#include <string.h>

#define WINDOW_BLOCKS_MIN (UINT64_C(4096)) /* 16 MiB: several rows of chunks of a MiB */
#define READ_BLOCKS 256u                   /* at once: a MiB */

/* Where windows begin in a large image, besides the parts of its length below; the usual offset of MD's data. */
static const uint64_t usual_bytes[] = { 0, UINT64_C(128) << 20 };
static const uint32_t sixteenths[] = { 8, 3, 5, 11, 13 };

static void window_add(struct detect_pile *pile, uint64_t block, uint64_t count, uint64_t end)
{
	if (block >= end || pile->window_count == DETECT_WINDOWS_MAX)
		return;
	if (count > end - block)
		count = end - block;
	pile->windows[pile->window_count++] = (struct detect_window){
		.block = block,
		.count = (uint32_t)count,
	};
}

/* In the order of blocks, none over another. */
static void windows_settle(struct detect_pile *pile)
{
	struct detect_window *at = pile->windows;

	for (uint32_t i = 1; i < pile->window_count; i++) {
		for (uint32_t j = i; j > 0 && at[j].block < at[j - 1].block; j--) {
			struct detect_window moved = at[j];

			at[j] = at[j - 1];
			at[j - 1] = moved;
		}
	}
	for (uint32_t i = 0; i < pile->window_count; i++) {
		if (i + 1 < pile->window_count && at[i].block + at[i].count > at[i + 1].block)
			at[i].count = (uint32_t)(at[i + 1].block - at[i].block);
		at[i].first = pile->index_count;
		pile->index_count += at[i].count;
	}
}

static void windows_choose(struct detect_pile *pile)
{
	uint64_t end = 0, room = DETECT_BYTES_MAX / BLOCK_SIZE / pile->image_count, count;

	for (uint32_t i = 0; i < pile->image_count; i++) {
		if (pile->images[i].blocks > end)
			end = pile->images[i].blocks;
	}
	if (end <= room) {
		window_add(pile, 0, end, end);
		windows_settle(pile);
		return;
	}
	count = room / DETECT_WINDOWS_MAX;
	if (count < WINDOW_BLOCKS_MIN)
		count = WINDOW_BLOCKS_MIN;
	for (uint32_t i = 0; i < sizeof(usual_bytes) / sizeof(usual_bytes[0]); i++)
		window_add(pile, usual_bytes[i] / BLOCK_SIZE, count, end);
	for (uint32_t i = 0; i < sizeof(sixteenths) / sizeof(sixteenths[0]); i++)
		window_add(pile, end / 16 * sixteenths[i] / 256 * 256, count, end);
	windows_settle(pile);
}

/* One by one: what cannot be read stays zero, to the search a block without content. */
static void blocks_read(struct detect_image *image, struct dev *dev, uint64_t block, uint8_t *bytes,
			uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *at = bytes + (size_t)i * BLOCK_SIZE;

		if (io_read(dev, IO_ROLE_DATA, (block + i) * BLOCK_SIZE, at, BLOCK_SIZE)) {
			memset(at, 0, BLOCK_SIZE);
			image->unreadable++;
		}
	}
}

static void window_read(struct detect_image *image, struct dev *dev,
			const struct detect_window *window)
{
	uint64_t end = window->block + window->count;

	if (end > image->blocks)
		end = image->blocks;
	for (uint64_t block = window->block; block < end; block += READ_BLOCKS) {
		uint32_t count = (uint32_t)(end - block < READ_BLOCKS ? end - block : READ_BLOCKS);
		uint8_t *bytes =
			image->bytes + (window->first + (block - window->block)) * BLOCK_SIZE;

		if (io_read(dev, IO_ROLE_DATA, block * BLOCK_SIZE, bytes,
			    (size_t)count * BLOCK_SIZE))
			blocks_read(image, dev, block, bytes, count);
	}
}

static int image_room(struct detect_pile *pile, uint32_t image, struct err *err)
{
	pile->images[image].bytes = mem_pages((size_t)pile->index_count * BLOCK_SIZE);
	return pile->images[image].bytes ? 0 : err_set(err, ERR_NOMEM, "no memory for an image");
}

int detect_pile_read(struct detect_pile *pile_out, struct dev *const *devs, uint32_t count,
		     struct err *err)
{
	struct detect_pile pile = { .image_count = count };
	int rc = 0;

	assert(count > 0);
	if (count > DETECT_IMAGES_MAX - 1)
		return err_set(err, ERR_LIMIT, "%u images, at most %u can be told apart", count,
			       DETECT_IMAGES_MAX - 1);
	for (uint32_t i = 0; i < count; i++) {
		pile.images[i].name = dev_name(devs[i]);
		pile.images[i].size = dev_info(devs[i])->size_exact;
		pile.images[i].blocks = dev_info(devs[i])->size / BLOCK_SIZE;
		if (pile.images[i].blocks == 0)
			return err_set(err, ERR_SIZE, "%s has not one block", dev_name(devs[i]));
	}
	windows_choose(&pile);
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		rc = image_room(&pile, i, err);
		for (uint32_t w = 0; rc == 0 && w < pile.window_count; w++)
			window_read(&pile.images[i], devs[i], &pile.windows[w]);
	}
	if (rc)
		detect_pile_reset(&pile);
	else
		*pile_out = pile;
	return rc;
}

int detect_pile_add(struct detect_pile *pile, uint32_t *image_out, struct err *err)
{
	uint32_t image = pile->image_count;
	int rc;

	if (image == DETECT_IMAGES_MAX)
		return err_set(err, ERR_LIMIT, "no room for one image more");
	rc = image_room(pile, image, err);
	if (rc)
		return rc;
	pile->images[image].size = pile->images[0].size;
	pile->images[image].blocks = pile->images[0].blocks;
	pile->image_count++;
	*image_out = image;
	return 0;
}

void detect_pile_reset(struct detect_pile *pile)
{
	for (uint32_t i = 0; i < DETECT_IMAGES_MAX; i++)
		mem_pages_free(pile->images[i].bytes);
	memset(pile, 0, sizeof(*pile));
}

uint32_t detect_pile_index(const struct detect_pile *pile, uint64_t block)
{
	for (uint32_t i = 0; i < pile->window_count; i++) {
		const struct detect_window *window = &pile->windows[i];

		if (block >= window->block && block - window->block < window->count)
			return window->first + (uint32_t)(block - window->block);
	}
	return DETECT_INDEX_NONE;
}

uint64_t detect_pile_block(const struct detect_pile *pile, uint32_t index)
{
	uint32_t i = 0;

	assert(index < pile->index_count);
	while (index - pile->windows[i].first >= pile->windows[i].count)
		i++;
	return pile->windows[i].block + (index - pile->windows[i].first);
}

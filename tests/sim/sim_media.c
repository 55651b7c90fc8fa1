/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/sim_media.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define LEVELS_MAX 8u /* a recovery in a recovery takes four */

/* A page as it was before its first change above a mark. */
struct kept {
	uint32_t page;
	uint32_t level_before;
};

struct media {
	uint32_t disks;
	uint64_t size;
	uint32_t pages; /* of one disk */
	uint8_t *bytes;
	uint32_t *levels; /* per page: the mark above which it was kept last */
	struct kept *kept;
	uint8_t *kept_bytes;
	size_t kept_count, kept_capacity;
	uint32_t level;
	size_t begins[LEVELS_MAX + 1]; /* per mark: how many pages were kept before it */
};

/* NULL ends the program: a test has no use for half a disk. */
static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

struct media *media_create(uint32_t disks, uint64_t size)
{
	struct media *media = must(calloc(1, sizeof(*media)));

	assert(size % PAGE == 0);
	media->disks = disks;
	media->size = size;
	media->pages = (uint32_t)(size / PAGE);
	media->bytes = must(aligned_alloc(PAGE, disks * size));
	memset(media->bytes, 0, disks * size);
	media->levels = must(calloc((size_t)disks * media->pages, sizeof(*media->levels)));
	return media;
}

void media_free(struct media *media)
{
	if (!media)
		return;
	free(media->bytes);
	free(media->levels);
	free(media->kept);
	free(media->kept_bytes);
	free(media);
}

uint32_t media_disks(const struct media *media)
{
	return media->disks;
}

uint64_t media_size(const struct media *media)
{
	return media->size;
}

const uint8_t *media_bytes(const struct media *media, uint32_t disk)
{
	assert(disk < media->disks);
	return media->bytes + disk * media->size;
}

static void keep(struct media *media, uint32_t page)
{
	if (media->levels[page] == media->level)
		return;
	if (media->kept_count == media->kept_capacity) {
		media->kept_capacity = media->kept_capacity ? media->kept_capacity * 2 : 256;
		media->kept =
			must(realloc(media->kept, media->kept_capacity * sizeof(*media->kept)));
		media->kept_bytes = must(realloc(media->kept_bytes, media->kept_capacity * PAGE));
	}
	media->kept[media->kept_count] = (struct kept){ page, media->levels[page] };
	memcpy(media->kept_bytes + media->kept_count * PAGE, media->bytes + (size_t)page * PAGE,
	       PAGE);
	media->kept_count++;
	media->levels[page] = media->level;
}

void media_write(struct media *media, uint32_t disk, uint64_t offset, const uint8_t *bytes,
		 uint64_t size)
{
	uint64_t from = disk * media->size + offset;

	assert(disk < media->disks && size > 0);
	assert(offset <= media->size && size <= media->size - offset);
	for (uint64_t page = from / PAGE; media->level > 0 && page <= (from + size - 1) / PAGE;
	     page++)
		keep(media, (uint32_t)page);
	if (bytes)
		memcpy(media->bytes + from, bytes, size);
	else
		memset(media->bytes + from, 0, size);
}

uint32_t media_mark(struct media *media)
{
	assert(media->level < LEVELS_MAX);
	media->level++;
	media->begins[media->level] = media->kept_count;
	return media->level;
}

void media_undo(struct media *media, uint32_t mark)
{
	assert(mark == media->level && mark > 0);
	while (media->kept_count > media->begins[mark]) {
		const struct kept *kept = &media->kept[--media->kept_count];

		memcpy(media->bytes + (size_t)kept->page * PAGE,
		       media->kept_bytes + media->kept_count * PAGE, PAGE);
		media->levels[kept->page] = kept->level_before;
	}
	media->level--;
}

uint32_t media_changed(const struct media *media, uint32_t mark)
{
	uint32_t changed = 0;

	assert(mark == media->level && mark > 0);
	for (size_t i = media->begins[mark]; i < media->kept_count; i++)
		changed += memcmp(media->bytes + (size_t)media->kept[i].page * PAGE,
				  media->kept_bytes + i * PAGE, PAGE) != 0;
	return changed;
}

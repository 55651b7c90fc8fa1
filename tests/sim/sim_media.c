/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/sim_media.h"

#include <assert.h>
#include <isa-l/crc64.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define LEVELS_MAX 400u /* a long run takes a dozen for each power loss */

/* A page as it was before its first change above a mark. */
struct kept {
	uint32_t page;
	uint32_t level_before;
	uint64_t hash;
};

struct media {
	uint32_t disks;
	uint64_t size;
	uint32_t pages; /* of one disk */
	uint8_t *bytes;
	uint32_t *levels; /* per page: the mark above which it was kept last */
	uint64_t *hashes; /* per page; 0: not known, then it is not in the sum */
	uint64_t hash_sum;
	bool hashed; /* all pages below the first mark are */
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
	media->hashes = must(calloc((size_t)disks * media->pages, sizeof(*media->hashes)));
	return media;
}

void media_free(struct media *media)
{
	if (!media)
		return;
	free(media->bytes);
	free(media->levels);
	free(media->hashes);
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

static void set_hash(struct media *media, uint32_t page, uint64_t hash)
{
	media->hash_sum += hash - media->hashes[page];
	media->hashes[page] = hash;
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
	media->kept[media->kept_count] =
		(struct kept){ page, media->levels[page], media->hashes[page] };
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
	for (uint64_t page = from / PAGE; page <= (from + size - 1) / PAGE; page++) {
		if (media->level > 0)
			keep(media, (uint32_t)page);
		set_hash(media, (uint32_t)page, 0);
	}
	media->hashed = media->hashed && media->level > 0;
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
		set_hash(media, kept->page, kept->hash);
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

/* Of one page at its place, never 0. */
static uint64_t hash_page(const struct media *media, uint32_t page)
{
	uint64_t hash = crc64_ecma_refl(page, media->bytes + (size_t)page * PAGE, PAGE);

	/* Sums of checksums would say nothing. */
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	hash ^= hash >> 32;
	return hash ? hash : 1;
}

uint64_t media_hash(struct media *media)
{
	assert(media->hashed ||
	       media->level == 0); /* else pages would be unknown after going back */
	for (uint32_t page = 0; !media->hashed && page < media->disks * media->pages; page++)
		set_hash(media, page, hash_page(media, page));
	media->hashed = true;
	for (size_t i = 0; i < media->kept_count; i++) {
		uint32_t page = media->kept[i].page;

		if (media->hashes[page] == 0)
			set_hash(media, page, hash_page(media, page));
	}
	return media->hash_sum;
}

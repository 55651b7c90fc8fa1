/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/map_index.h"

#include "core/base/mem.h"

#include <assert.h>

#define INDEX_SIZE_MIN 64u /* entries; doubled whenever two thirds are in use */
#define PROBES_MAX 1024u   /* ids in steps of 1 to 64, as counters give them, need up to 64 */

struct entry {
	uint64_t id; /* 0: free */
	struct group *group;
	uint32_t column;
};

struct map_index {
	struct entry *entries;
	uint64_t size; /* a power of 2 */
	uint64_t used;
};

struct map_index *map_index_create(void)
{
	struct map_index *index = mem_calloc(1, sizeof(*index));

	if (!index)
		return NULL;
	index->entries = mem_calloc(INDEX_SIZE_MIN, sizeof(*index->entries));
	if (!index->entries) {
		mem_free(index);
		return NULL;
	}
	index->size = INDEX_SIZE_MIN;
	return index;
}

void map_index_free(struct map_index *index)
{
	if (!index)
		return;
	mem_free(index->entries);
	mem_free(index);
}

static uint64_t home(const struct map_index *index, uint64_t id)
{
	return (id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (index->size - 1);
}

/* The entry of `id`, or the free one where it would go; NULL when there is none near enough. */
static struct entry *probe(const struct map_index *index, uint64_t id)
{
	uint64_t first = home(index, id);

	for (uint64_t i = 0; i < PROBES_MAX; i++) {
		struct entry *entry = &index->entries[(first + i) & (index->size - 1)];

		if (entry->id == 0 || entry->id == id)
			return entry;
	}
	return NULL;
}

static int grow(struct map_index *index)
{
	struct map_index larger = { .size = index->size * 2, .used = index->used };

	larger.entries = mem_calloc(larger.size, sizeof(*larger.entries));
	if (!larger.entries)
		return ERR_NOMEM;
	for (uint64_t i = 0; i < index->size; i++) {
		struct entry *entry;

		if (index->entries[i].id == 0)
			continue;
		entry = probe(&larger, index->entries[i].id);
		if (!entry) {
			mem_free(larger.entries);
			return ERR_LIMIT;
		}
		*entry = index->entries[i];
	}
	mem_free(index->entries);
	*index = larger;
	return 0;
}

int map_index_put(struct map_index *index, uint64_t id, struct group *group, uint32_t column)
{
	assert(id != 0);

	if ((index->used + 1) * 3 > index->size * 2) {
		int rc = grow(index);

		if (rc)
			return rc;
	}
	struct entry *entry = probe(index, id);
	if (!entry)
		return ERR_LIMIT;
	if (entry->id == 0)
		index->used++;
	*entry = (struct entry){ id, group, column };
	return 0;
}

/* Close the gap at `hole`: move back every entry that would no longer be found behind it. */
static void close_gap(struct map_index *index, uint64_t hole)
{
	uint64_t mask = index->size - 1;

	for (uint64_t at = (hole + 1) & mask; index->entries[at].id != 0; at = (at + 1) & mask) {
		uint64_t wish = home(index, index->entries[at].id);

		if (((at - wish) & mask) < ((at - hole) & mask))
			continue;
		index->entries[hole] = index->entries[at];
		hole = at;
	}
	index->entries[hole] = (struct entry){ 0 };
}

void map_index_remove(struct map_index *index, uint64_t id, const struct group *group)
{
	struct entry *entry = probe(index, id);

	if (!entry || entry->id == 0 || entry->group != group)
		return;
	close_gap(index, (uint64_t)(entry - index->entries));
	index->used--;
}

struct group *map_index_find(const struct map_index *index, uint64_t id, uint32_t *column_out)
{
	if (id == 0)
		return NULL;
	const struct entry *entry = probe(index, id);
	if (!entry || entry->id == 0)
		return NULL;
	*column_out = entry->column;
	return entry->group;
}

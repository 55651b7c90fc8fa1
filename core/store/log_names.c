/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/log_names.h"

#include "core/base/mem.h"

#include <assert.h>

#define NAMES_MIN 64u /* a power of two; most records have fewer */

struct log_name {
	uint64_t group;
	uint32_t segment, first, count, columns, limit;
	uint32_t next; /* in the bucket: index + 1 */
};

static uint32_t bucket_of(const struct log_names *names, const struct log_rows *rows)
{
	uint64_t hash = rows->group * UINT64_C(0x9e3779b97f4a7c15);

	hash = (hash ^ rows->segment) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 31 ^ rows->first) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(hash >> 32) & (names->bucket_count - 1);
}

int log_names_reserve(struct log_names *names, uint32_t count)
{
	struct log_names larger = { .capacity = NAMES_MIN, .bucket_count = NAMES_MIN };

	if (count <= names->capacity)
		return 0;
	assert(count <= UINT32_MAX / 2);
	while (larger.capacity < count)
		larger.capacity *= 2;
	larger.bucket_count = larger.capacity;
	larger.at = mem_calloc(larger.capacity, sizeof(*larger.at));
	larger.buckets = mem_calloc(larger.bucket_count, sizeof(*larger.buckets));
	if (!larger.at || !larger.buckets) {
		log_names_reset(&larger);
		return ERR_NOMEM;
	}
	log_names_reset(names);
	*names = larger;
	return 0;
}

void log_names_reset(struct log_names *names)
{
	mem_free(names->at);
	mem_free(names->buckets);
	*names = (struct log_names){ 0 };
}

void log_names_fill(struct log_names *names, const struct log_rows *rows, uint32_t count)
{
	assert(count <= names->capacity);
	names->count = 0;
	if (names->bucket_count)
		memset(names->buckets, 0, names->bucket_count * sizeof(*names->buckets));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t *bucket;

		if (rows[i].content || rows[i].done) /* who relies on these may not find them new */
			continue;
		bucket = &names->buckets[bucket_of(names, &rows[i])];
		names->at[names->count++] = (struct log_name){
			.group = rows[i].group,
			.segment = rows[i].segment,
			.first = rows[i].first,
			.count = rows[i].count,
			.columns = rows[i].columns,
			.limit = rows[i].generation_limit,
			.next = *bucket,
		};
		*bucket = names->count;
	}
}

static uint32_t generation_greatest(const struct log_rows *rows)
{
	uint64_t count = (uint64_t)rows->count * rows->cell_count;
	uint32_t greatest = 0;

	for (uint64_t i = 0; i < count; i++) {
		if (rows->cells[i].generation > greatest)
			greatest = rows->cells[i].generation;
	}
	return greatest;
}

bool log_names_cover(const struct log_names *names, const struct log_rows *rows)
{
	uint32_t generation = generation_greatest(rows);

	if (names->count == 0)
		return false;
	for (uint32_t i = names->buckets[bucket_of(names, rows)]; i > 0;
	     i = names->at[i - 1].next) {
		const struct log_name *name = &names->at[i - 1];

		if (name->group == rows->group && name->segment == rows->segment &&
		    name->first == rows->first && name->count >= rows->count &&
		    (rows->columns & ~name->columns) == 0 && generation < name->limit)
			return true;
	}
	return false;
}

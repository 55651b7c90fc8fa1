/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fields of the seal cache, for seal_cache.c and seal_checkpoint.c. */
#ifndef PG_ARRAY_SEAL_CACHE_INTERNAL_H
#define PG_ARRAY_SEAL_CACHE_INTERNAL_H

#include "core/array/seal_cache.h"

/* Changes of an entry page: it is dirty while `version` is ahead of `durable`. */
struct page_state {
	uint64_t version;
	uint64_t durable;
};

/* A page as it must be durable before an intent is cleaned. */
struct page_need {
	uint32_t column, page;
	uint64_t version;
};

/* An intent whose seals are late. */
struct late {
	struct late *next;
	struct log_intent *intent;
	uint32_t segment, first, count, columns; /* of its rows */
	uint32_t need_count;
	struct page_need needs[];
};

struct cached {
	struct sealed_group sealed; /* first: callers hold this one */
	uint64_t id;
	uint32_t users;
	bool loading;
	uint64_t used; /* when it was held last, as a count of holds */
	uint64_t bytes;
	uint32_t dirty; /* pages */
	struct page_state *pages[CODE_COLUMNS_MAX];
	struct late *late;
	struct cached *next;
};

#define CHECKPOINT_PAGES 256u /* 1 MiB of images in one record */

/* Page images that a record names; those whose pages could not be written stay in the log for good. */
struct images {
	struct images *next;
	uint8_t *bytes;
	uint32_t count;
	struct log_intent *intents[CHECKPOINT_PAGES];
};

struct seal_cache {
	struct array *array;
	struct env_lock lock;
	struct env_event changed;
	struct cached *groups;
	uint64_t bytes, holds, dirty, changes, departures;
	bool checkpointing;
	bool awaited;         /* somebody waits for groups that nobody holds */
	struct images *stuck; /* until a checkpoint succeeds after all */
};

/* The pages of a column that seal_cache_set() dirtied are durable, or nobody needs them: clean what waited. */
void seal_cache_clean_late(struct seal_cache *cache, struct cached *cached);

#endif

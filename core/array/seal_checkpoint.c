/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The checkpoint of the seal cache: images of dirty pages into a record, then the pages, then the intents
 * that waited for them are clean (docs/WRITES.md section 3).
 */
#include "core/array/degrade.h"
#include "core/array/io_role.h"
#include "core/array/seal_cache.h"
#include "core/array/seal_cache_internal.h"
#include "core/array/write_through.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>

/* A page that was dirty when the checkpoint began, and what was written of it. */
struct dirty_page {
	struct cached *cached;
	uint32_t column, page;
	uint64_t version;
};

struct checkpoint {
	struct seal_cache *cache;
	struct array *array;
	struct intent_log *log;
	struct dirty_page *pages;
	size_t page_count;
	/* One batch: pages first..first+count-1. */
	size_t first;
	struct images *batch;
	struct iovec iovs[CHECKPOINT_PAGES];
	struct io ios[CHECKPOINT_PAGES];
};

void seal_cache_clean_late(struct seal_cache *cache, struct cached *cached)
{
	for (struct late **at = &cached->late; *at;) {
		struct late *late = *at;
		bool durable = true;

		for (uint32_t i = 0; durable && i < late->need_count; i++) {
			const struct page_need *need = &late->needs[i];

			durable = cached->pages[need->column][need->page].durable >= need->version;
		}
		if (!durable) {
			at = &late->next;
			continue;
		}
		*at = late->next;
		intent_log_clean(cache->array->log, late->intent);
		mem_free(late);
	}
}

/* What is dirty now, groups held; in the order of groups, columns and pages. */
static int collect(struct checkpoint *work)
{
	struct seal_cache *cache = work->cache;

	work->pages = mem_calloc((size_t)cache->dirty, sizeof(*work->pages));
	if (!work->pages)
		return ERR_NOMEM;
	for (struct cached *cached = cache->groups; cached; cached = cached->next) {
		if (cached->dirty == 0 && !cached->late)
			continue;
		for (uint32_t c = 0; c < cached->sealed.columns; c++) {
			uint32_t pages = seal_entry_pages(&cached->sealed.seals[c].shape);

			for (uint32_t page = 0; page < pages; page++) {
				const struct page_state *state = &cached->pages[c][page];

				if (state->version == state->durable)
					continue;
				cached->users++;
				work->pages[work->page_count++] =
					(struct dirty_page){ cached, c, page, 0 };
			}
		}
		seal_cache_clean_late(cache, cached); /* of columns that need no page */
	}
	assert(work->page_count == cache->dirty);
	return 0;
}

/* The version of a page that was encoded is durable, or nobody will read it any more. */
static void note_durable(struct checkpoint *work, const struct dirty_page *page)
{
	struct page_state *state = &page->cached->pages[page->column][page->page];

	assert(page->version > state->durable && page->version <= state->version);
	state->durable = page->version;
	if (state->durable == state->version) {
		page->cached->dirty--;
		work->cache->dirty--;
	}
}

/* Encode the batch: one moment of every page. */
static void encode(struct checkpoint *work)
{
	env_lock(work->array->env, &work->cache->lock);
	for (size_t i = 0; i < work->batch->count; i++) {
		struct dirty_page *page = &work->pages[work->first + i];
		const struct cached *cached = page->cached;

		page->version = cached->pages[page->column][page->page].version;
		seal_encode_page(&cached->sealed.seals[page->column], page->page,
				 work->batch->bytes + (size_t)i * BLOCK_SIZE);
	}
	env_unlock(work->array->env, &work->cache->lock);
}

static void clean_images(struct checkpoint *work)
{
	for (size_t i = 0; i < work->batch->count; i++)
		intent_log_clean(work->log, work->batch->intents[i]);
}

/* Name the images, as many as fit a record: the batch is cut to them. All durable, or none is named. */
static int name_images(struct checkpoint *work, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < work->batch->count; i++) {
		const struct dirty_page *page = &work->pages[work->first + i];
		const struct log_page image = {
			page->cached->sealed.group->extents[page->column].id,
			page->page,
			work->batch->bytes + (size_t)i * BLOCK_SIZE,
		};

		rc = intent_log_declare_page(work->log, &image, &work->batch->intents[i]);
		if (rc) {
			work->batch->count = i;
			break;
		}
	}
	if (rc && (rc != ERR_LIMIT || work->batch->count == 0)) {
		clean_images(work);
		return err_set(err, rc, "the intent log has no room for a seal page");
	}
	rc = 0;
	for (uint32_t i = 0; !rc && i < work->batch->count; i++)
		rc = intent_log_ask(work->log, work->batch->intents[i], err);
	if (rc)
		clean_images(work);
	return rc;
}

/* One write for pages that adjoin on the member. */
static size_t make_writes(struct checkpoint *work)
{
	size_t count = 0;

	for (size_t i = 0; i < work->batch->count; i++) {
		const struct dirty_page *page = &work->pages[work->first + i];
		const struct group *group = page->cached->sealed.group;
		const struct extent *extent = &group->extents[page->column];
		const struct seal *seal = &page->cached->sealed.seals[page->column];
		uint64_t offset = extent_seal_offset(work->array->map, extent) +
				  (uint64_t)(page->page + 1) * BLOCK_SIZE;
		struct io *last = count ? &work->ios[count - 1] : NULL;

		if (!(array_usable_columns(work->array, group) >> page->column & 1))
			continue;
		if (last && last->dev == array_dev(work->array, extent->slot) &&
		    last->offset + last->size == offset &&
		    (uint8_t *)last->iov->iov_base + last->size ==
			    work->batch->bytes + (size_t)i * BLOCK_SIZE) {
			work->iovs[count - 1].iov_len += BLOCK_SIZE;
			last->size += BLOCK_SIZE;
			continue;
		}
		work->iovs[count] =
			(struct iovec){ work->batch->bytes + (size_t)i * BLOCK_SIZE, BLOCK_SIZE };
		work->ios[count] = (struct io){
			.dev = array_dev(work->array, extent->slot),
			.op = IO_WRITE,
			.role = io_role_of_seal(&seal->shape),
			.offset = offset,
			.size = BLOCK_SIZE,
			.iov = &work->iovs[count],
			.iov_count = 1,
		};
		count++;
	}
	return count;
}

/* A batch of its own for every record: it stays behind where writing the pages fails. */
static int batch_create(struct checkpoint *work, struct err *err)
{
	uint32_t count = (uint32_t)size_min(work->page_count - work->first, CHECKPOINT_PAGES);

	work->batch = mem_calloc(1, sizeof(*work->batch));
	if (work->batch)
		work->batch->bytes = mem_pages((size_t)count * BLOCK_SIZE);
	if (!work->batch || !work->batch->bytes) {
		mem_free(work->batch);
		work->batch = NULL;
		return err_set(err, ERR_NOMEM, "no memory for a checkpoint of seals");
	}
	work->batch->count = count;
	return 0;
}

static void batch_free(struct images *batch)
{
	mem_pages_free(batch->bytes);
	mem_free(batch);
}

/* Pages are in place: whoever waited for them is clean, and their images are not needed. */
static void settle_batch(struct checkpoint *work)
{
	env_lock(work->array->env, &work->cache->lock);
	for (uint32_t i = 0; i < work->batch->count; i++)
		note_durable(work, &work->pages[work->first + i]);
	for (uint32_t i = 0; i < work->batch->count; i++) {
		struct cached *cached = work->pages[work->first + i].cached;

		if (i == 0 || cached != work->pages[work->first + i - 1].cached)
			seal_cache_clean_late(work->cache, cached);
	}
	env_unlock(work->array->env, &work->cache->lock);
	clean_images(work);
}

/* Members that failed, now or before, miss these pages: note it for every group with a column gone. */
static int mark_missed(struct checkpoint *work, struct err *err)
{
	uint64_t groups[CHECKPOINT_PAGES];
	size_t count = 0;

	for (uint32_t i = 0; i < work->batch->count; i++) {
		const struct cached *cached = work->pages[work->first + i].cached;
		uint64_t all = (UINT64_C(1) << cached->sealed.columns) - 1;

		if (i > 0 && cached == work->pages[work->first + i - 1].cached)
			continue;
		if (array_usable_columns(work->array, cached->sealed.group) != all)
			groups[count++] = cached->id;
	}
	return count ? array_mark_missed_all(work->array, groups, count, err) : 0;
}

static int run_batch(struct checkpoint *work, struct err *err)
{
	int rc = batch_create(work, err);

	if (rc)
		return rc;
	encode(work);
	rc = name_images(work, err);
	if (rc) {
		batch_free(work->batch);
		return rc;
	}
	rc = array_write_through(work->array, work->ios, make_writes(work), err);
	if (!rc)
		rc = mark_missed(work, err);
	if (rc) { /* the pages may be torn: their images stay in the log */
		work->batch->next = work->cache->stuck;
		work->cache->stuck = work->batch;
		return rc;
	}
	settle_batch(work);
	work->first += work->batch->count;
	batch_free(work->batch);
	return 0;
}

/* Everything that was dirty is in place, so what could not be written before is too. */
static void clean_stuck(struct checkpoint *work, struct images *stuck)
{
	while (stuck) {
		struct images *next = stuck->next;

		work->batch = stuck;
		clean_images(work);
		batch_free(stuck);
		stuck = next;
	}
}

static int run(struct checkpoint *work, struct err *err)
{
	struct env *env = work->array->env;
	struct images *stuck = work->cache->stuck;
	int rc;

	env_lock(env, &work->cache->lock);
	rc = collect(work);
	env_unlock(env, &work->cache->lock);
	if (rc)
		return err_set(err, rc, "no memory for a checkpoint of seals");
	while (!rc && work->first < work->page_count)
		rc = run_batch(work, err);
	if (!rc) {
		work->cache->stuck = NULL;
		clean_stuck(work, stuck);
	}
	env_lock(env, &work->cache->lock);
	for (size_t i = 0; i < work->page_count; i++)
		work->pages[i].cached->users--;
	env_unlock(env, &work->cache->lock);
	return rc;
}

int seal_cache_checkpoint(struct seal_cache *cache, struct intent_log *log, struct err *err)
{
	struct env *env = cache->array->env;
	struct checkpoint *work = mem_calloc(1, sizeof(*work));

	if (!work)
		return err_set(err, ERR_NOMEM, "no memory for a checkpoint of seals");
	work->cache = cache;
	work->array = cache->array;
	work->log = log;
	env_lock(env, &cache->lock);
	while (cache->checkpointing)
		env_wait(env, &cache->changed, &cache->lock);
	cache->checkpointing = true;
	env_unlock(env, &cache->lock);

	int rc = run(work, err);

	env_lock(env, &cache->lock);
	cache->checkpointing = false;
	env_wake_all(env, &cache->changed);
	env_unlock(env, &cache->lock);
	mem_free(work->pages);
	mem_free(work);
	return rc;
}

bool seal_cache_is_checkpointing(struct seal_cache *cache)
{
	env_lock(cache->array->env, &cache->lock);
	bool is = cache->checkpointing;

	env_unlock(cache->array->env, &cache->lock);
	return is;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/seal_cache.h"

#include "core/array/seal_cache_internal.h"
#include "core/array/seal_read.h"
#include "core/array/write_plan.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

int seal_cache_create(struct seal_cache **cache_out, struct array *array)
{
	struct seal_cache *cache = mem_calloc(1, sizeof(*cache));

	if (!cache)
		return ERR_NOMEM;
	cache->array = array;
	env_lock_init(array->env, &cache->lock);
	env_event_init(array->env, &cache->changed);
	*cache_out = cache;
	return 0;
}

static void cached_free(struct seal_cache *cache, struct cached *cached)
{
	cache->departures++;
	cache->bytes -= cached->bytes;
	cache->dirty -= cached->dirty;
	while (cached->late) {
		struct late *late = cached->late;

		cached->late = late->next;
		mem_free(late);
	}
	for (uint32_t c = 0; c < CODE_COLUMNS_MAX; c++) {
		seal_reset(&cached->sealed.seals[c]);
		mem_free(cached->pages[c]);
	}
	code_free(cached->sealed.code);
	mem_free(cached);
}

#define PAGE_ENTRIES_MIN 56u /* of the widest witness entries: 4064 / (8 + 2 * 32) */

void seal_cache_free(struct seal_cache *cache)
{
	if (!cache)
		return;
	while (cache->groups) {
		struct cached *cached = cache->groups;

		assert(cached->users == 0);
		cache->groups = cached->next;
		cached_free(cache, cached);
	}
	while (cache->stuck) {
		struct images *stuck = cache->stuck;

		cache->stuck = stuck->next;
		mem_pages_free(stuck->bytes);
		mem_free(stuck);
	}
	env_event_reset(cache->array->env, &cache->changed);
	env_lock_reset(cache->array->env, &cache->lock);
	mem_free(cache);
}

/* ---- reading the seals of a group */

static uint32_t column_pages(const struct cached *cached, uint32_t column)
{
	return seal_entry_pages(&cached->sealed.seals[column].shape);
}

static int load(struct seal_cache *cache, struct cached *cached, struct err *err)
{
	struct sealed_group *sealed = &cached->sealed;
	const struct group *group = sealed->group;
	const struct uuid *array = &cache->array->map->uuid;
	uint32_t usable = array_usable_columns(cache->array, group);
	uint64_t pages = 0, blocks = 0;
	int rc = code_create(&sealed->code, &group->shape, err);

	if (rc)
		return rc;
	sealed->columns = group->shape.columns;
	sealed->segments = code_segment_count(sealed->code);
	for (uint32_t c = 0; !rc && c < sealed->columns; c++) {
		rc = seal_init(&sealed->seals[c], array, group, c);
		if (rc)
			break;
		sealed->seeds[c] = seal_extent_seed(array, group->extents[c].id);
		sealed->usable[c] = usable >> c & 1;
		cached->pages[c] = mem_calloc(column_pages(cached, c), sizeof(*cached->pages[c]));
		rc = cached->pages[c] ? 0 : ERR_NOMEM;
		pages += column_pages(cached, c);
		blocks += group_body_blocks(group);
	}
	uint8_t *bytes = rc ? NULL : mem_pages((size_t)pages * BLOCK_SIZE);
	if (!bytes)
		return err_set(err, ERR_NOMEM, "no memory for the seals of group %" PRIu64,
			       group->id);
	const struct seal_read read = {
		.array = cache->array,
		.group = group,
		.seals = sealed->seals,
		.usable = sealed->usable,
		.pages = bytes,
	};
	seal_read(&read);
	mem_pages_free(bytes);
	cached->bytes = sizeof(*cached) + pages * BLOCK_SIZE + blocks * sizeof(struct seal_entry);
	return 0;
}

/* ---- holding */

static struct cached *find(const struct seal_cache *cache, uint64_t group)
{
	struct cached *cached = cache->groups;

	while (cached && cached->id != group)
		cached = cached->next;
	return cached;
}

static void unlink_cached(struct seal_cache *cache, const struct cached *cached)
{
	struct cached **at = &cache->groups;

	while (*at != cached)
		at = &(*at)->next;
	*at = cached->next;
}

static bool may_go(const struct cached *cached)
{
	return cached->users == 0 && cached->dirty == 0 && !cached->late &&
	       cached->sealed.generation_floor == 0;
}

/* Give up groups that nobody needs, least recently used first, down to the bound. */
static void shrink(struct seal_cache *cache)
{
	while (cache->bytes > SEAL_CACHE_BYTES_MAX) {
		struct cached *oldest = NULL;

		for (struct cached *at = cache->groups; at; at = at->next) {
			if (may_go(at) && (!oldest || at->used < oldest->used))
				oldest = at;
		}
		if (!oldest)
			return; /* dirty groups: the next checkpoint makes room */
		unlink_cached(cache, oldest);
		cached_free(cache, oldest);
	}
}

/* Read the seals without the lock; whoever wants the group meanwhile waits. */
static int load_new(struct seal_cache *cache, struct cached *cached, struct err *err)
{
	struct env *env = cache->array->env;

	cached->loading = true;
	cached->users = 1;
	cached->next = cache->groups;
	cache->groups = cached;
	env_unlock(env, &cache->lock);
	int rc = load(cache, cached, err);
	env_lock(env, &cache->lock);
	cached->loading = false;
	cached->users--;
	cache->bytes += cached->bytes;
	if (rc) {
		unlink_cached(cache, cached);
		cached_free(cache, cached);
	}
	env_wake_all(env, &cache->changed);
	return rc;
}

int seal_cache_hold(struct seal_cache *cache, uint64_t group, struct sealed_group **sealed_out,
		    struct err *err)
{
	struct env *env = cache->array->env;
	struct cached *cached;
	int rc = 0;

	env_lock(env, &cache->lock);
	while (!rc) {
		cached = find(cache, group);
		if (cached && !cached->loading)
			break;
		if (cached) {
			env_wait(env, &cache->changed, &cache->lock);
			continue;
		}
		shrink(cache);
		cached = mem_calloc(1, sizeof(*cached));
		if (!cached) {
			rc = err_set(err, ERR_NOMEM, "no memory for the seals of group %" PRIu64,
				     group);
			break;
		}
		cached->id = group;
		cached->sealed.group = map_group(cache->array->map, group);
		assert(cached->sealed.group); /* the caller found it in the map */
		rc = load_new(cache, cached, err);
	}
	if (!rc) {
		if (cached->users == 0) /* a job may have put another group of this number there */
			cached->sealed.group = map_group(cache->array->map, group);
		cached->users++;
		cached->used = ++cache->holds;
		*sealed_out = &cached->sealed;
	}
	env_unlock(env, &cache->lock);
	return rc;
}

static struct cached *cached_of(struct sealed_group *sealed)
{
	return (struct cached *)(void *)sealed;
}

void seal_cache_release(struct seal_cache *cache, struct sealed_group *sealed)
{
	struct cached *cached = cached_of(sealed);

	env_lock(cache->array->env, &cache->lock);
	assert(cached->users > 0);
	if (--cached->users == 0 && cache->awaited)
		env_wake_all(cache->array->env, &cache->changed);
	env_unlock(cache->array->env, &cache->lock);
}

void seal_cache_forget(struct seal_cache *cache, uint64_t group)
{
	env_lock(cache->array->env, &cache->lock);
	struct cached *cached = find(cache, group);

	if (cached) {
		assert(cached->users == 0 && cached->dirty == 0);
		unlink_cached(cache, cached);
		cached_free(cache, cached);
	}
	env_unlock(cache->array->env, &cache->lock);
}

void seal_cache_forget_all(struct seal_cache *cache)
{
	struct cached **at = &cache->groups;

	env_lock(cache->array->env, &cache->lock);
	while (*at) {
		struct cached *cached = *at;

		if (!may_go(cached)) {
			at = &cached->next;
			continue;
		}
		*at = cached->next;
		cached_free(cache, cached);
	}
	env_unlock(cache->array->env, &cache->lock);
}

bool seal_cache_is_empty(struct seal_cache *cache)
{
	env_lock(cache->array->env, &cache->lock);
	bool empty = cache->groups == NULL;

	env_unlock(cache->array->env, &cache->lock);
	return empty;
}

bool seal_cache_is_late(struct seal_cache *cache, const uint64_t *groups, size_t count)
{
	bool late = false;

	env_lock(cache->array->env, &cache->lock);
	for (const struct cached *at = cache->groups; at && !late; at = at->next)
		late = (at->dirty > 0 || at->late) && id_is_among(groups, count, at->id);
	env_unlock(cache->array->env, &cache->lock);
	return late;
}

/* Holds the lock. */
static bool is_any_held(const struct seal_cache *cache, const uint64_t *groups, size_t count)
{
	for (const struct cached *at = cache->groups; at; at = at->next) {
		if ((at->users > 0 || at->loading) && id_is_among(groups, count, at->id))
			return true;
	}
	return false;
}

int seal_cache_leave(struct seal_cache *cache, const uint64_t *groups, size_t count)
{
	struct cached **at = &cache->groups;
	int rc = 0;

	env_lock(cache->array->env, &cache->lock);
	cache->awaited = true;
	while (is_any_held(cache, groups, count))
		env_wait(cache->array->env, &cache->changed, &cache->lock);
	cache->awaited = false;
	while (*at) {
		struct cached *cached = *at;

		if (!id_is_among(groups, count, cached->id) || !may_go(cached)) {
			if (id_is_among(groups, count, cached->id))
				rc = ERR_NOSPACE;
			at = &cached->next;
			continue;
		}
		*at = cached->next;
		cached_free(cache, cached);
	}
	env_unlock(cache->array->env, &cache->lock);
	return rc;
}

/* ---- entries */

/* One write as its seals see it. */
struct change {
	struct cached *cached;
	const struct log_rows *rows;
	struct write_plan plan; /* the closure, in the order of the rows' cells */
};

static void set_entry(struct seal_cache *cache, struct cached *cached, uint32_t column,
		      uint32_t block, const struct log_cell *cell)
{
	struct seal *seal = &cached->sealed.seals[column];
	uint32_t page = seal_page_of(&seal->shape, block);
	struct page_state *state = &cached->pages[column][page];

	if (!seal->page_good[page])
		return; /* of a column that cannot be written */
	seal->entries[block] = (struct seal_entry){ cell->crc, cell->generation };
	if (state->version == state->durable) {
		cached->dirty++;
		cache->dirty++;
	}
	state->version++;
}

/*
 * A writer gives all cells of a slice one generation, and a cell that is not known has none in the record: that of
 * the others is its own. Recovery may have them differ.
 */
static uint16_t generation_of(const struct change *change, const struct log_cell *values,
			      uint32_t cell)
{
	uint32_t generation = values[cell].generation;

	for (uint32_t i = 0; i < change->plan.cell_count && generation == 0; i++)
		generation = values[i].generation;
	return (uint16_t)generation;
}

/* The witnesses of a check, of the cells that were written with it. */
static void set_witnesses(const struct change *change, uint32_t check, uint32_t slice,
			  const struct log_cell *values)
{
	struct sealed_group *sealed = &change->cached->sealed;
	const struct write_plan *plan = &change->plan;
	const struct code_equation *equation = code_equation(sealed->code, plan->equations[check]);
	uint32_t cell = plan->cells[plan->data_count + check];
	struct seal *seal = &sealed->seals[cell / sealed->segments];
	uint32_t block = cell % sealed->segments * sealed->group->segment_blocks + slice;

	if (seal->shape.witness_count == 0 || !seal_knows(seal, block))
		return;
	for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
		for (uint32_t n = 0; n < plan->cell_count; n++) {
			if (plan->cells[n] == equation->terms[i].cell)
				seal_witnesses(seal, block)[i] = generation_of(change, values, n);
		}
	}
}

static const struct seal_entry *known_entry(const struct sealed_group *sealed, uint32_t cell,
					    uint32_t slice)
{
	const struct seal *seal = &sealed->seals[cell / sealed->segments];
	uint32_t block = cell % sealed->segments * sealed->group->segment_blocks + slice;

	return seal_knows(seal, block) ? &seal->entries[block] : NULL;
}

/*
 * A check that missed writes, and is written now: what it remembers of the cells that it covers is as old as it was.
 * They say it themselves; else it would show later that they missed those writes.
 */
static void renew_witnesses(const struct change *change, uint32_t check, uint32_t slice)
{
	struct sealed_group *sealed = &change->cached->sealed;
	const struct code_equation *equation =
		code_equation(sealed->code, change->plan.equations[check]);
	uint32_t cell = change->plan.cells[change->plan.data_count + check];
	const struct seal_entry *own = known_entry(sealed, cell, slice);
	struct seal *seal = &sealed->seals[cell / sealed->segments];
	bool missed = false;

	if (!own || seal->shape.witness_count == 0)
		return;
	for (uint16_t i = 0; i + 1 < equation->term_count; i++) {
		const struct seal_entry *entry =
			known_entry(sealed, equation->terms[i].cell, slice);

		missed |= entry && (int32_t)(entry->generation - own->generation) > 0;
	}
	for (uint16_t i = 0; missed && i + 1 < equation->term_count; i++) {
		const struct seal_entry *entry =
			known_entry(sealed, equation->terms[i].cell, slice);

		if (entry)
			seal_witnesses(seal, (uint32_t)(own - seal->entries))[i] =
				(uint16_t)entry->generation;
	}
}

static void set_slice(struct seal_cache *cache, const struct change *change, uint32_t t)
{
	const struct sealed_group *sealed = &change->cached->sealed;
	const struct write_plan *plan = &change->plan;
	const struct log_cell *values = change->rows->cells + (size_t)t * plan->cell_count;
	uint32_t slice = change->rows->first + t;

	/* What has no generation was not written: its column was absent, though it may be back. */
	for (uint32_t i = plan->data_count; i < plan->cell_count; i++) {
		if (values[i].generation)
			renew_witnesses(change, i - plan->data_count, slice);
	}
	for (uint32_t i = 0; i < plan->cell_count; i++) {
		uint32_t segment = plan->cells[i] % sealed->segments;

		if (values[i].generation)
			set_entry(cache, change->cached, plan->cells[i] / sealed->segments,
				  segment * sealed->group->segment_blocks + slice, &values[i]);
	}
	for (uint32_t i = plan->data_count; i < plan->cell_count; i++) {
		if (values[i].generation)
			set_witnesses(change, i - plan->data_count, slice, values);
	}
}

/* The pages of one cell in the slices of the rows: usually one. */
static void add_needs(const struct cached *cached, struct late *late, uint32_t cell)
{
	const struct sealed_group *sealed = &cached->sealed;
	uint32_t column = cell / sealed->segments;
	const struct seal *seal = &sealed->seals[column];
	uint32_t block = cell % sealed->segments * sealed->group->segment_blocks + late->first;
	uint32_t page = seal_page_of(&seal->shape, block);
	uint32_t last = seal_page_of(&seal->shape, block + late->count - 1);

	for (; page <= last; page++) {
		if (seal->page_good[page])
			late->needs[late->need_count++] =
				(struct page_need){ column, page,
						    cached->pages[column][page].version };
	}
}

/* The same rows were written again: the newer intent names them, the older is not needed any more. */
static void clean_same(const struct seal_cache *cache, struct cached *cached,
		       const struct late *newer)
{
	for (struct late **at = &cached->late; *at;) {
		struct late *late = *at;

		if (late->segment != newer->segment || late->first != newer->first ||
		    late->count != newer->count || late->columns != newer->columns) {
			at = &late->next;
			continue;
		}
		*at = late->next;
		intent_log_clean(cache->array->log, late->intent);
		mem_free(late);
	}
}

struct late *seal_late_create(uint32_t cells, uint32_t slices)
{
	size_t pages = (size_t)cells * (2 + slices / PAGE_ENTRIES_MIN);

	return mem_calloc(1, sizeof(struct late) + pages * sizeof(struct page_need));
}

void seal_late_free(struct late *late)
{
	mem_free(late);
}

void seal_cache_set(struct seal_cache *cache, struct sealed_group *sealed,
		    const struct log_rows *rows, struct late *late, struct log_intent *intent)
{
	struct change change = { .cached = cached_of(sealed), .rows = rows };
	int rc = write_plan_make(&change.plan, sealed->code, rows->segment, rows->columns, 0);

	assert(rc == 0 && change.plan.cell_count == rows->cell_count);
	assert(late->need_count == 0);
	late->intent = intent;
	late->segment = rows->segment;
	late->first = rows->first;
	late->count = rows->count;
	late->columns = rows->columns;
	env_lock(cache->array->env, &cache->lock);
	cache->changes++;
	for (uint32_t t = 0; t < rows->count; t++)
		set_slice(cache, &change, t);
	for (uint32_t i = 0; i < change.plan.cell_count; i++)
		add_needs(change.cached, late, change.plan.cells[i]);
	clean_same(cache, change.cached, late);
	late->next = change.cached->late;
	change.cached->late = late;
	env_unlock(cache->array->env, &cache->lock);
}

void seal_cache_note_failed(struct seal_cache *cache, struct sealed_group *sealed,
			    uint32_t generation)
{
	env_lock(cache->array->env, &cache->lock);
	if (generation > sealed->generation_floor) /* writers of other rows look without the lock */
		__atomic_store_n(&sealed->generation_floor, generation, __ATOMIC_RELAXED);
	env_unlock(cache->array->env, &cache->lock);
}

void seal_cache_note_half(struct seal_cache *cache, struct sealed_group *sealed,
			  const struct log_rows *rows)
{
	const struct half_rows half = { rows->segment, rows->first, rows->count, rows->columns };

	env_lock(cache->array->env, &cache->lock);
	if (sealed->half_count < SEAL_HALF_MAX)
		sealed->half[sealed->half_count] = half;
	if (sealed->half_count <= SEAL_HALF_MAX)
		sealed->half_count++;
	env_unlock(cache->array->env, &cache->lock);
}

bool seal_cache_is_half(struct seal_cache *cache, const struct sealed_group *sealed,
			const struct half_rows *rows)
{
	bool is_half;

	env_lock(cache->array->env, &cache->lock);
	is_half = sealed->half_count > SEAL_HALF_MAX; /* too many to know which */
	for (uint32_t i = 0; !is_half && i < sealed->half_count; i++) {
		const struct half_rows *half = &sealed->half[i];
		bool meets = half->first < rows->first + rows->count &&
			     rows->first < half->first + half->count;

		is_half = meets &&
			  (half->segment != rows->segment || (half->columns & ~rows->columns) != 0);
	}
	env_unlock(cache->array->env, &cache->lock);
	return is_half;
}

bool seal_cache_has_half(struct seal_cache *cache, uint64_t group, uint32_t slice)
{
	bool has_half = false;

	env_lock(cache->array->env, &cache->lock);
	const struct cached *cached = find(cache, group);
	if (cached) {
		const struct sealed_group *sealed = &cached->sealed;

		has_half = sealed->half_count > SEAL_HALF_MAX; /* too many to know which */
		for (uint32_t i = 0; !has_half && i < sealed->half_count; i++)
			has_half = sealed->half[i].first <= slice &&
				   slice - sealed->half[i].first < sealed->half[i].count;
	}
	env_unlock(cache->array->env, &cache->lock);
	return has_half;
}

static void copy_entry(struct seal *to, const struct seal *from, uint32_t block)
{
	to->entries[block] = from->entries[block];
	if (block >= to->shape.plain_blocks)
		memcpy(seal_witnesses(to, block), seal_witnesses(from, block),
		       to->shape.witness_count * sizeof(uint16_t));
}

static void copy_page(struct seal *to, const struct seal *from, uint32_t page)
{
	uint32_t first, count;

	seal_page_blocks(&to->shape, page, &first, &count);
	for (uint32_t block = first; block < first + count; block++)
		copy_entry(to, from, block);
	to->page_good[page] = true;
}

void seal_cache_restore_page(struct seal_cache *cache, struct sealed_group *sealed, uint32_t column,
			     uint32_t page, const struct seal *from)
{
	env_lock(cache->array->env, &cache->lock);
	cache->changes++;
	copy_page(&sealed->seals[column], from, page);
	env_unlock(cache->array->env, &cache->lock);
}

void seal_cache_restore_entry(struct seal_cache *cache, struct sealed_group *sealed,
			      uint32_t column, uint32_t block, const struct seal *from)
{
	env_lock(cache->array->env, &cache->lock);
	cache->changes++;
	copy_entry(&sealed->seals[column], from, block);
	env_unlock(cache->array->env, &cache->lock);
}

/* ---- for readers */

void seal_cache_overlay(struct seal_cache *cache, uint64_t group, uint32_t column,
			struct seal *seal)
{
	env_lock(cache->array->env, &cache->lock);
	const struct cached *cached = find(cache, group);

	for (uint32_t page = 0; cached && !cached->loading && page < column_pages(cached, column);
	     page++) {
		if (cached->sealed.seals[column].page_good[page])
			copy_page(seal, &cached->sealed.seals[column], page);
	}
	env_unlock(cache->array->env, &cache->lock);
}

bool seal_cache_entry(struct seal_cache *cache, uint64_t group, uint32_t column, uint32_t block,
		      struct seal_entry *entry_out)
{
	env_lock(cache->array->env, &cache->lock);
	const struct cached *cached = find(cache, group);
	bool known = cached && !cached->loading && seal_knows(&cached->sealed.seals[column], block);

	if (known)
		*entry_out = cached->sealed.seals[column].entries[block];
	env_unlock(cache->array->env, &cache->lock);
	return known;
}

uint64_t seal_cache_changes(struct seal_cache *cache)
{
	env_lock(cache->array->env, &cache->lock);
	uint64_t changes = cache->changes;

	env_unlock(cache->array->env, &cache->lock);
	return changes;
}

uint64_t seal_cache_departures(struct seal_cache *cache)
{
	env_lock(cache->array->env, &cache->lock);
	uint64_t departures = cache->departures;

	env_unlock(cache->array->env, &cache->lock);
	return departures;
}

uint64_t seal_cache_dirty(struct seal_cache *cache)
{
	env_lock(cache->array->env, &cache->lock);
	uint64_t dirty = cache->dirty;

	env_unlock(cache->array->env, &cache->lock);
	return dirty;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_state.h"

#include "core/array/degrade.h"
#include "core/array/row_lock.h"
#include "core/array/seal_cache.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>

#define INTENTS_MAX 512u /* a record names them all: beyond this writing it costs more than seals */
#define DIRTY_MAX 4096u  /* pages: 16 MiB to write at the end of a session */
#define CELLS_MAX (UINT64_C(128) << 10) /* 512 MiB that recovery may have to read */

struct write_state {
	struct env_lock lock; /* held from the look at the log's room to the declaration */
	struct env_event changed;
	uint32_t in_flight;     /* declared and not done */
	struct err stalled;     /* why some of these cannot be done now; code 0: they can */
	struct member_set told; /* the members in service that the log knows, and their epoch */
	uint64_t told_epoch;
};

int write_state_create(struct array *array)
{
	assert(!array->write && array->access == ARRAY_WRITE);
	array->write = mem_calloc(1, sizeof(*array->write));
	array->row_locks = row_locks_create(array->env);
	if (!array->write || !array->row_locks || seal_cache_create(&array->seal_cache, array)) {
		mem_free(array->write);
		row_locks_free(array->row_locks);
		array->write = NULL;
		array->row_locks = NULL;
		return ERR_NOMEM;
	}
	env_lock_init(array->env, &array->write->lock);
	env_event_init(array->env, &array->write->changed);
	return 0;
}

void write_state_free(struct array *array)
{
	struct write_state *write = array->write;

	if (!write)
		return;
	intent_log_free(array->log);
	seal_cache_free(array->seal_cache);
	row_locks_free(array->row_locks);
	env_event_reset(array->env, &write->changed);
	env_lock_reset(array->env, &write->lock);
	mem_free(write);
	array->write = NULL;
	array->seal_cache = NULL;
	array->row_locks = NULL;
	array->log = NULL;
}

/* ---- the log */

static int member_failed(void *arg, uint32_t slot, int code, struct err *err)
{
	return array_member_failed(arg, slot, code, err);
}

static int open_log(struct array *array, struct err *err)
{
	struct intent_log_config config = {
		.env = array->env,
		.array = array->map->uuid,
		.slot_size = array->map->geometry.log_size / LOG_SLOTS,
		.generation = array->log_generation_seen,
		.suspect = &array->recovery.suspect,
		.member_failed = member_failed,
		.arg = array,
	};

	for (uint32_t i = 0; i < array->map->group_count; i++)
		config.tolerance = (uint32_t)size_max(config.tolerance,
						      group_tolerance(array->map->groups[i]));
	return intent_log_create(&array->log, &config, err);
}

/* The log hears of members that came or went in commits of others. Holds `change`. */
static void tell_log(struct array *array)
{
	struct write_state *write = array->write;
	struct member_set now = array_in_service(array);
	uint64_t epoch = array->map->epochs[array->map->epoch_count - 1].number;

	if (now.bits == write->told.bits && epoch == write->told_epoch)
		return;
	array_tell_log(array);
	write->told = now;
	write->told_epoch = epoch;
}

int write_state_begin(struct array *array, struct err *err)
{
	int rc = 0;

	assert(array->write);
	env_lock(array->env, &array->change);
	if (array->poison.code) {
		*err = array->poison;
		rc = err->code;
	} else if (!array->log) {
		rc = open_log(array, err);
	}
	if (!rc)
		tell_log(array);
	env_unlock(array->env, &array->change);
	return rc;
}

/* ---- room */

/*
 * A quarter of the record is left for the checkpoint's page images, without which no room would ever come
 * back; and no write takes more than a quarter, so that one always fits an empty log. Holds the lock.
 */
static int try_declare(struct array *array, const struct log_rows *rows,
		       struct log_intent **intent_out, bool *covered_out)
{
	struct intent_log_state state;
	uint64_t size = log_rows_size(rows);

	intent_log_state(array->log, &state);
	if (state.bytes + size > state.bytes_max / 4 * 3)
		return ERR_LIMIT;
	int rc = intent_log_declare(array->log, rows, intent_out, covered_out);
	if (!rc)
		array->write->in_flight++;
	return rc;
}

/*
 * Names stay until their seals are written, and each record has all of them. Contents leave by themselves when
 * their cells are in place: a checkpoint does not help against them.
 */
static bool names_are_many(struct array *array)
{
	struct intent_log_state state;

	intent_log_state(array->log, &state);
	return state.bytes - state.content > state.bytes_max / 4 || state.intents > INTENTS_MAX ||
	       state.cells > CELLS_MAX || seal_cache_dirty(array->seal_cache) > DIRTY_MAX;
}

/* Write seals, so that rows are clean. Holds the lock on entry and exit. */
static int clean_names(struct array *array, bool *gained_out, struct err *err)
{
	struct write_state *write = array->write;
	struct intent_log_state before, after;
	uint32_t in_flight = write->in_flight;

	intent_log_state(array->log, &before);
	env_unlock(array->env, &write->lock);
	int rc = seal_cache_checkpoint(array->seal_cache, array->log, err);
	env_lock(array->env, &write->lock);
	intent_log_state(array->log, &after);
	*gained_out = after.bytes < before.bytes || write->in_flight != in_flight;
	return rc;
}

/* No room: clean names where that helps; else wait for those who are on the way. Holds the lock. */
static int make_room(struct array *array, struct err *err)
{
	struct write_state *write = array->write;
	bool gained = false;
	int rc = 0;

	if (write->in_flight == 0 || names_are_many(array))
		rc = clean_names(array, &gained, err);
	if (rc || gained)
		return rc;
	if (write->in_flight == 0)
		return err_set(err, ERR_NOSPACE,
			       "the intent log is full of rows that could not be written");
	if (write->stalled.code) {
		*err = write->stalled;
		return err->code;
	}
	env_wait(array->env, &write->changed, &write->lock);
	return 0;
}

int write_state_declare(struct array *array, const struct log_rows *rows,
			struct log_intent **intent_out, bool *covered_out, struct err *err)
{
	struct intent_log_state state;
	int rc;

	intent_log_state(array->log, &state);
	if (log_rows_size(rows) > state.bytes_max / 4)
		return err_set(err, ERR_LIMIT, "too many rows for a record of the intent log");
	env_lock(array->env, &array->write->lock);
	while ((rc = try_declare(array, rows, intent_out, covered_out)) == ERR_LIMIT) {
		rc = make_room(array, err);
		if (rc)
			break;
	}
	env_unlock(array->env, &array->write->lock);
	return rc == ERR_NOMEM ? err_set(err, rc, "no memory to declare rows") : rc;
}

void write_state_done(struct array *array)
{
	env_lock(array->env, &array->write->lock);
	assert(array->write->in_flight > 0);
	array->write->in_flight--;
	env_wake_all(array->env, &array->write->changed);
	env_unlock(array->env, &array->write->lock);
}

void write_state_stall(struct array *array, const struct err *why)
{
	env_lock(array->env, &array->write->lock);
	array->write->stalled = why ? *why : (struct err){ 0 };
	env_wake_all(array->env, &array->write->changed);
	env_unlock(array->env, &array->write->lock);
}

/* ---- seals */

/* An error is left to whoever needs the room or settles: what was acknowledged is durable. */
void write_state_tidy(struct array *array)
{
	struct err err = { 0 };

	if (!names_are_many(array) || seal_cache_is_checkpointing(array->seal_cache))
		return;
	int rc = seal_cache_checkpoint(array->seal_cache, array->log, &err);
	(void)rc;
}

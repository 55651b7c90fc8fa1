/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/store/intent_log.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "core/store/log_names.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define COPIES_MIN 2u                /* I7: also where the array survives no loss */
#define RECORD_BYTES_MIN (64u << 10) /* of the buffer; it doubles up to the slot */

VEC_DEFINE(rows_vec, struct log_rows);
VEC_DEFINE(page_vec, struct log_page);

/* One declaration; all of them together are the accumulation record. */
struct log_intent {
	struct log_intent *previous, *next;
	uint64_t number; /* of the first record that can name it */
	bool is_page;
	struct log_rows rows; /* its cells follow this struct in memory */
	struct log_page page;
};

/* The flush record: frozen, encoded, and on its way. */
struct attempt {
	struct log_record record; /* rows and pages lie in the log's vecs */
	struct log_member targets[MEMBERS_MAX];
	int results[MEMBERS_MAX];
	uint32_t target_count;
	uint64_t number;
	uint64_t members_version;
	uint64_t size;
	bool everywhere;
};

/*
 * Records are counted by `number` as they are frozen; generations may skip, numbers do not. Under the
 * lock: everything but `attempt`, `bytes`, `rows` and `pages`, which are the task's that set `writing`.
 */
struct intent_log {
	struct intent_log_config config;
	struct env_lock lock;
	struct env_event changed; /* a record is durable or has failed */
	struct env_event encoded; /* the intents are no longer read without the lock */

	struct log_member members[MEMBERS_MAX];
	uint32_t member_count;
	uint64_t epoch;
	uint64_t members_version; /* how often they were set */

	struct log_intent *first, *last; /* in the order of their declaration */
	uint32_t rows_count, pages_count;
	uint64_t index_bytes, content_bytes, cells;
	uint64_t change_number; /* of the first record that tells what changed last */

	bool writing;        /* a task gathers, writes or deals with a failure */
	bool encoding;       /* it reads cells and contents of intents without the lock */
	bool frozen_stands;  /* the attempt may become the newest record on the disks */
	uint64_t frozen;     /* number of the last record frozen */
	uint64_t generation; /* of the last record frozen */
	uint64_t durable;    /* number of the newest durable record; 0: none of this session */
	uint64_t durable_generation;
	uint64_t durable_version; /* of the members that it went to */
	uint64_t durable_everywhere;
	bool unsure; /* a record that failed may be the newest on some disk */
	bool everywhere_wanted;

	uint64_t failures; /* records that were given up */
	uint64_t
		failed; /* number of the last of them: who waited for it or before gets `failure` */
	struct err failure;
	bool dead; /* nothing can be made durable any more; why is in `failure` */

	struct log_names durable_names, frozen_names;
	struct attempt attempt;
	struct rows_vec rows;
	struct page_vec pages;
	uint8_t *bytes;
	uint64_t bytes_capacity;
	uint64_t records, asks, flushes;
};

/* ---- life */

int intent_log_create(struct intent_log **log_out, const struct intent_log_config *config,
		      struct err *err)
{
	struct intent_log *log = mem_calloc(1, sizeof(*log));

	assert(config->slot_size >= BLOCK_SIZE && config->slot_size % BLOCK_SIZE == 0);
	assert(config->member_failed);
	if (!log)
		return err_set(err, ERR_NOMEM, "no memory for the intent log");
	log->config = *config;
	log->generation = config->generation;
	env_lock_init(config->env, &log->lock);
	env_event_init(config->env, &log->changed);
	env_event_init(config->env, &log->encoded);
	*log_out = log;
	return 0;
}

void intent_log_free(struct intent_log *log)
{
	if (!log)
		return;
	assert(!log->writing);
	while (log->first) {
		struct log_intent *intent = log->first;

		log->first = intent->next;
		mem_free(intent);
	}
	env_event_reset(log->config.env, &log->encoded);
	env_event_reset(log->config.env, &log->changed);
	env_lock_reset(log->config.env, &log->lock);
	log_names_reset(&log->durable_names);
	log_names_reset(&log->frozen_names);
	rows_vec_reset(&log->rows);
	page_vec_reset(&log->pages);
	mem_pages_free(log->bytes);
	mem_free(log);
}

void intent_log_set_members(struct intent_log *log, const struct log_member *members,
			    uint32_t count, uint64_t epoch)
{
	assert(count <= MEMBERS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		assert(members[i].slot < MEMBERS_MAX);
		assert(i == 0 || members[i].slot > members[i - 1].slot);
	}
	env_lock(log->config.env, &log->lock);
	memcpy(log->members, members, count * sizeof(*members));
	log->member_count = count;
	log->epoch = epoch;
	log->members_version++;
	env_unlock(log->config.env, &log->lock);
}

/* ---- the accumulation record */

/* The next record as it would be now, with so much more. */
static uint64_t record_bytes(const struct intent_log *log, uint64_t index, uint64_t content)
{
	return size_round_up(LOG_HEADER_SIZE + log->index_bytes + index, BLOCK_SIZE) +
	       log->content_bytes + content;
}

static uint64_t content_size(const struct log_rows *rows)
{
	return rows->content ? (uint64_t)rows->count * rows->cell_count * BLOCK_SIZE : 0;
}

/* What the record is from now on is on no disk yet. */
static void note_change(struct intent_log *log)
{
	log->change_number = log->frozen + 1;
}

static void intent_link(struct intent_log *log, struct log_intent *intent)
{
	intent->number = log->frozen + 1;
	intent->previous = log->last;
	if (log->last)
		log->last->next = intent;
	else
		log->first = intent;
	log->last = intent;
	note_change(log);
}

static void intent_unlink(struct intent_log *log, struct log_intent *intent)
{
	if (intent->next)
		intent->next->previous = intent->previous;
	else
		log->last = intent->previous;
	if (intent->previous)
		intent->previous->next = intent->next;
	else
		log->first = intent->next;
	note_change(log);
}

static struct log_intent *intent_of_rows(const struct log_rows *rows)
{
	size_t cells = (size_t)rows->count * rows->cell_count;
	struct log_intent *intent = mem_calloc(1, sizeof(*intent) + cells * sizeof(*rows->cells));

	if (!intent)
		return NULL;
	intent->rows = *rows;
	intent->rows.cells = (struct log_cell *)(void *)(intent + 1);
	memcpy(intent->rows.cells, rows->cells, cells * sizeof(*rows->cells));
	return intent;
}

/*
 * I5: whatever record a crash leaves as the newest one has to name the rows: the durable one and the one
 * being written. After a failed record that may be a third one: then nothing is covered.
 */
static bool is_covered(const struct intent_log *log, const struct log_rows *rows)
{
	if (rows->content || log->dead || log->unsure ||
	    log->durable_version != log->members_version)
		return false;
	return log_names_cover(&log->durable_names, rows) &&
	       (!log->frozen_stands || log_names_cover(&log->frozen_names, rows));
}

int intent_log_declare(struct intent_log *log, const struct log_rows *rows,
		       struct log_intent **intent_out, bool *covered_out)
{
	uint64_t content = content_size(rows);
	uint64_t index = log_rows_size(rows) - content;
	struct log_intent *intent;
	bool fits, covered;

	assert(log_rows_valid(rows));
	intent = intent_of_rows(rows);
	if (!intent)
		return ERR_NOMEM;
	env_lock(log->config.env, &log->lock);
	fits = record_bytes(log, index, content) <= log->config.slot_size;
	covered = fits && is_covered(log, rows);
	if (fits) {
		intent_link(log, intent);
		log->rows_count++;
		log->cells += (uint64_t)rows->count * rows->cell_count;
		log->index_bytes += index;
		log->content_bytes += content;
	}
	env_unlock(log->config.env, &log->lock);
	if (!fits) {
		mem_free(intent);
		return ERR_LIMIT;
	}
	*covered_out = covered;
	*intent_out = intent;
	return 0;
}

int intent_log_declare_page(struct intent_log *log, const struct log_page *page,
			    struct log_intent **intent_out)
{
	struct log_intent *intent = mem_calloc(1, sizeof(*intent));
	bool fits;

	assert(page->extent > 0 && page->content);
	if (!intent)
		return ERR_NOMEM;
	intent->is_page = true;
	intent->page = *page;
	env_lock(log->config.env, &log->lock);
	fits = record_bytes(log, LOG_PAGE_SIZE - BLOCK_SIZE, BLOCK_SIZE) <= log->config.slot_size;
	if (fits) {
		intent_link(log, intent);
		log->pages_count++;
		log->index_bytes += LOG_PAGE_SIZE - BLOCK_SIZE;
		log->content_bytes += BLOCK_SIZE;
	}
	env_unlock(log->config.env, &log->lock);
	if (!fits) {
		mem_free(intent);
		return ERR_LIMIT;
	}
	*intent_out = intent;
	return 0;
}

/* Nobody reads the intents without the lock once this returns; holds it. */
static void wait_encoded(struct intent_log *log)
{
	while (log->encoding)
		env_wait(log->config.env, &log->encoded, &log->lock);
}

void intent_log_note_done(struct intent_log *log, struct log_intent *intent)
{
	assert(!intent->is_page);
	env_lock(log->config.env, &log->lock);
	wait_encoded(log);
	log->content_bytes -= content_size(&intent->rows);
	intent->rows.content = NULL;
	intent->rows.done = true;
	note_change(log);
	env_unlock(log->config.env, &log->lock);
}

void intent_log_clean(struct intent_log *log, struct log_intent *intent)
{
	env_lock(log->config.env, &log->lock);
	wait_encoded(log);
	if (intent->is_page) {
		log->pages_count--;
		log->index_bytes -= LOG_PAGE_SIZE - BLOCK_SIZE;
		log->content_bytes -= BLOCK_SIZE;
	} else {
		log->rows_count--;
		log->cells -= (uint64_t)intent->rows.count * intent->rows.cell_count;
		log->index_bytes -= log_rows_size(&intent->rows) - content_size(&intent->rows);
		log->content_bytes -= content_size(&intent->rows);
	}
	intent_unlink(log, intent);
	env_unlock(log->config.env, &log->lock);
	mem_free(intent);
}

/* ---- the flush record */

static uint32_t copies_usual(const struct intent_log *log)
{
	uint64_t copies = size_max(COPIES_MIN, (uint64_t)log->config.tolerance + 1);

	return (uint32_t)size_min(copies, log->member_count);
}

/*
 * I3: the record that counts stays whole while this one is written. It is the durable one, and its
 * generation lies one below a first try, three below a second: always in the other slot.
 */
static uint64_t generation_next(const struct intent_log *log)
{
	return log->generation + (log->unsure ? LOG_SLOTS : 1);
}

static bool room_fits(const struct intent_log *log)
{
	return log->bytes_capacity >= record_bytes(log, 0, 0) &&
	       log->frozen_names.capacity >= log->rows_count &&
	       log->rows.capacity >= log->rows_count && log->pages.capacity >= log->pages_count;
}

/* Memory for a record of the size that `log` has now; without the lock. */
static int room_grow(struct intent_log *log, uint64_t bytes, uint32_t rows, uint32_t pages)
{
	uint64_t capacity = RECORD_BYTES_MIN;

	while (capacity < bytes)
		capacity *= 2;
	capacity = size_min(capacity, log->config.slot_size);
	if (capacity > log->bytes_capacity) {
		mem_pages_free(log->bytes);
		log->bytes = mem_pages(capacity);
		log->bytes_capacity = log->bytes ? capacity : 0;
	}
	if (!log->bytes || rows_vec_reserve(&log->rows, rows) ||
	    page_vec_reserve(&log->pages, pages) || log_names_reserve(&log->frozen_names, rows))
		return ERR_NOMEM;
	return 0;
}

/* Everything that freezing could lack; may give the lock up for a while. */
static int freeze_prepare(struct intent_log *log, struct err *err)
{
	int rc = 0;

	while (!rc && !room_fits(log)) {
		uint64_t bytes = record_bytes(log, 0, 0);
		uint32_t rows = log->rows_count * 2, pages = log->pages_count * 2;

		env_unlock(log->config.env, &log->lock);
		rc = room_grow(log, bytes, rows, pages);
		env_lock(log->config.env, &log->lock);
	}
	if (rc)
		return err_set(err, rc, "no memory for a record of the intent log");
	if (log->member_count == 0)
		return err_set(err, ERR_TOO_FEW, "no member is left for the intent log");
	if (generation_next(log) > LOG_GENERATION_MAX)
		return err_set(err, ERR_LIMIT,
			       "generation %" PRIu64 " of the intent log was the last",
			       log->generation);
	return 0;
}

/* Which members get the record. */
static void attempt_place(struct intent_log *log, struct attempt *attempt)
{
	struct log_record *record = &attempt->record;
	uint32_t count = log->member_count;

	assert(count > 0);
	record->copies_usual = copies_usual(log);
	record->copies = log->everywhere_wanted ? count : record->copies_usual;
	record->first_place = log->everywhere_wanted
				      ? 0
				      : log_first_place(record->generation, record->copies, count);
	for (uint32_t i = 0; i < count; i++)
		record->in_service = member_set_with(record->in_service, log->members[i].slot);
	for (uint32_t i = 0; i < record->copies; i++)
		attempt->targets[i] = log->members[(record->first_place + i) % count];
	attempt->target_count = record->copies;
	attempt->everywhere = record->copies == count;
	attempt->members_version = log->members_version;
	log->everywhere_wanted = false;
}

/* Copy what stands now, as the next record. Holds the lock; there is room. */
static void freeze(struct intent_log *log)
{
	struct attempt *attempt = &log->attempt;

	*attempt = (struct attempt){
		.number = log->frozen + 1,
		.size = record_bytes(log, 0, 0),
		.record = {
			.array = log->config.array,
			.epoch = log->epoch,
			.generation = generation_next(log),
			.written_s = env_clock_s(log->config.env),
			.suspect = log->config.suspect && *log->config.suspect,
			.rows = log->rows.at,
			.pages = log->pages.at,
		},
	};
	attempt_place(log, attempt);
	for (const struct log_intent *intent = log->first; intent; intent = intent->next) {
		if (intent->is_page)
			log->pages.at[attempt->record.pages_count++] = intent->page;
		else
			log->rows.at[attempt->record.rows_count++] = intent->rows;
	}
	assert(attempt->record.rows_count == log->rows_count);
	assert(attempt->record.pages_count == log->pages_count);
	log_names_fill(&log->frozen_names, log->rows.at, attempt->record.rows_count);
	log->frozen = attempt->number;
	log->generation = attempt->record.generation;
	log->frozen_stands = true;
	log->encoding = true;
}

/*
 * Which targets failed, and what: ERR_IO if a member has, else ERR_NOSPACE. A flush that finds no space is a
 * failure as any other: what it was to keep is gone, and it will not say so again.
 */
static int judge_targets(struct attempt *attempt, const struct io *ios, struct err *err)
{
	int worst = ERR_NOSPACE;

	for (uint32_t i = 0; i < attempt->target_count; i++) {
		int rc = ios[i].result;

		if (rc == 0)
			continue;
		if (!err->code)
			err_set(err, rc, "%s of the intent log on member %u (%s) failed",
				io_op_name(ios[i].op), attempt->targets[i].slot,
				dev_name(attempt->targets[i].dev));
		if (rc == ERR_NOSPACE && ios[i].op == IO_WRITE)
			continue;
		attempt->results[i] = rc == ERR_NOSPACE ? ERR_IO : rc; /* a flush is final */
		worst = ERR_IO;
	}
	assert(err->code);
	return worst;
}

static int write_targets(struct intent_log *log, struct err *err)
{
	struct attempt *attempt = &log->attempt;
	struct iovec iov = { log->bytes, attempt->size };
	uint64_t slot = attempt->record.generation % LOG_SLOTS * log->config.slot_size;
	struct io ios[MEMBERS_MAX];

	for (uint32_t i = 0; i < attempt->target_count; i++)
		ios[i] = (struct io){
			.dev = attempt->targets[i].dev,
			.op = IO_WRITE,
			.role = IO_ROLE_LOG,
			.offset = attempt->targets[i].offset + slot,
			.size = attempt->size,
			.iov = &iov,
			.iov_count = 1,
		};
	return io_run(ios, attempt->target_count) ? judge_targets(attempt, ios, err) : 0;
}

static int flush_targets(struct intent_log *log, struct err *err)
{
	struct attempt *attempt = &log->attempt;
	struct io ios[MEMBERS_MAX];

	for (uint32_t i = 0; i < attempt->target_count; i++)
		ios[i] = (struct io){
			.dev = attempt->targets[i].dev,
			.op = IO_FLUSH,
			.role = IO_ROLE_LOG,
		};
	return io_run(ios, attempt->target_count) ? judge_targets(attempt, ios, err) : 0;
}

/* Encode the frozen record and bring it to its members. Without the lock. */
static int attempt_write(struct intent_log *log, struct err *err)
{
	struct env *env = log->config.env;
	int rc;

	assert(log_record_size(&log->attempt.record) == log->attempt.size);
	log_record_encode(log->bytes, &log->attempt.record);
	env_lock(env, &log->lock);
	log->encoding = false;
	env_wake_all(env, &log->encoded);
	env_unlock(env, &log->lock);

	rc = write_targets(log, err);
	return rc ? rc : flush_targets(log, err);
}

/* It is durable: now it is the one that counts. Holds the lock. */
static void attempt_done(struct intent_log *log)
{
	const struct attempt *attempt = &log->attempt;
	struct log_names names = log->durable_names;

	assert(attempt->number > log->durable);
	assert(attempt->record.generation > log->durable_generation);
	log->durable = attempt->number;
	log->durable_generation = attempt->record.generation;
	log->durable_version = attempt->members_version;
	if (attempt->everywhere)
		log->durable_everywhere = attempt->number;
	log->durable_names = log->frozen_names;
	log->frozen_names = names;
	log->unsure = false;
	log->records++;
	log->flushes += attempt->target_count;
}

/*
 * Take the members that failed out of service. Without the lock: it is a commit. Afterwards the set has
 * changed, so a loop of tries ends with the members.
 */
static int members_out(struct intent_log *log, struct err *err)
{
	const struct attempt *attempt = &log->attempt;

	for (uint32_t i = 0; i < attempt->target_count; i++) {
		struct err why = { 0 };
		int rc;

		if (attempt->results[i] == 0)
			continue;
		rc = log->config.member_failed(log->config.arg, attempt->targets[i].slot,
					       attempt->results[i], &why);
		if (rc) {
			*err = why;
			assert(why.code);
			return rc;
		}
	}
	return 0;
}

/* Give up: all who wait for a record up to this number get the error. Holds the lock. */
static void attempt_fail(struct intent_log *log, uint64_t number, const struct err *why)
{
	log->failures++;
	log->failed = number;
	log->failure = *why;
}

/*
 * One try. Holds the lock on entry and exit. Returns 0, ERR_IO when members failed and were taken out, so that
 * another try makes sense, or what ends it; then the waiting were told.
 */
static int record_try(struct intent_log *log)
{
	struct env *env = log->config.env;
	struct err err = { 0 };
	bool again = false;
	int rc = freeze_prepare(log, &err);

	if (rc) {
		attempt_fail(log, log->frozen + 1, &err);
		return rc;
	}
	freeze(log);
	env_unlock(env, &log->lock);
	rc = attempt_write(log, &err);
	if (rc == ERR_IO) {
		err = (struct err){ 0 };
		again = members_out(log, &err) == 0;
	}
	env_lock(env, &log->lock);
	log->frozen_stands = false;
	if (rc == 0) {
		attempt_done(log);
		return 0;
	}
	log->unsure = true;
	if (again) {
		assert(log->members_version != log->attempt.members_version);
		return ERR_IO;
	}
	log->dead = rc == ERR_IO;
	attempt_fail(log, log->frozen, &err);
	return err.code;
}

/* Write what stands as the next record, for all who wait. Holds the lock on entry and exit. */
static void record_write(struct intent_log *log, bool everywhere)
{
	struct env *env = log->config.env;
	int rc;

	assert(!log->writing);
	log->writing = true;
	if (log->config.flush_delay_ns) {
		env_unlock(env, &log->lock);
		env_sleep_ns(env, log->config.flush_delay_ns);
		env_lock(env, &log->lock);
	}
	do {
		log->everywhere_wanted |= everywhere;
		rc = record_try(log);
	} while (rc == ERR_IO && !log->dead);
	log->writing = false;
	env_wake_all(env, &log->changed);
}

/* ---- waiting */

/*
 * Wait until record `number` or a later one is durable on the members that are in service, and write it unless
 * another task does. `everywhere`: on all of them. Holds the lock on entry and exit.
 */
static int record_wait(struct intent_log *log, uint64_t number, bool everywhere, struct err *err)
{
	uint64_t failures = log->failures;

	for (;;) {
		uint64_t reached = everywhere ? log->durable_everywhere : log->durable;

		if (log->dead || (log->failures != failures && log->failed >= number)) {
			*err = log->failure;
			return log->failure.code;
		}
		if (reached >= number && log->durable_version == log->members_version)
			return 0;
		if (log->writing)
			env_wait(log->config.env, &log->changed, &log->lock);
		else
			record_write(log, everywhere);
	}
}

int intent_log_ask(struct intent_log *log, struct log_intent *intent, struct err *err)
{
	int rc;

	env_lock(log->config.env, &log->lock);
	rc = record_wait(log, intent->number, false, err);
	if (!rc)
		log->asks++;
	env_unlock(log->config.env, &log->lock);
	return rc;
}

int intent_log_flush(struct intent_log *log, bool everywhere, struct err *err)
{
	uint64_t number;
	bool current;
	int rc;

	env_lock(log->config.env, &log->lock);
	number = log->change_number;
	current = log->durable >= number && log->durable_version == log->members_version;
	if (everywhere && !(current && log->durable_everywhere == log->durable))
		number = log->frozen + 1;
	rc = record_wait(log, number, everywhere, err);
	env_unlock(log->config.env, &log->lock);
	return rc;
}

void intent_log_state(struct intent_log *log, struct intent_log_state *state_out)
{
	env_lock(log->config.env, &log->lock);
	*state_out = (struct intent_log_state){
		.generation = log->durable_generation,
		.intents = log->rows_count + log->pages_count,
		.bytes = record_bytes(log, 0, 0),
		.content = log->content_bytes,
		.cells = log->cells,
		.bytes_max = log->config.slot_size,
		.records = log->records,
		.asks = log->asks,
		.flushes = log->flushes,
	};
	env_unlock(log->config.env, &log->lock);
}

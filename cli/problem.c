/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/problem.h"

#include "cli/members.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct problem_row {
	const char *name, *sentence, *hint;
} rows[] = {
#define PROBLEM_ROW(code, name, sentence, hint) { name, sentence, hint },
	PROBLEM_LIST(PROBLEM_ROW)
#undef PROBLEM_ROW
};

const char *problem_name(enum problem_code code)
{
	assert(code < PROBLEM_COUNT);
	return rows[code].name;
}

const char *problem_sentence(enum problem_code code)
{
	assert(code < PROBLEM_COUNT);
	return rows[code].sentence;
}

const char *problem_hint(enum problem_code code)
{
	assert(code < PROBLEM_COUNT);
	return rows[code].hint;
}

enum problem_code problem_from_name(const char *name)
{
	unsigned code = 0;

	while (code < PROBLEM_COUNT && strcmp(rows[code].name, name) != 0)
		code++;
	return (enum problem_code)code;
}

/* What is being looked at, and what was found so far. */
struct search {
	const struct invocation *inv;
	const struct array *array;
	const char *name; /* of the array, as a shell takes it */
	struct problems problems;
};

struct problem *problems_add(struct problems *problems, enum problem_code code, const char *format,
			     ...)
{
	struct problem *grown = mem_realloc(problems->at, problems->count + 1, sizeof(*grown));
	va_list args;

	if (!grown) {
		problems->failed = true;
		return NULL;
	}
	problems->at = grown;
	grown += problems->count++;
	*grown = (struct problem){ .code = code };
	va_start(args, format);
	vsnprintf(grown->text, sizeof(grown->text), format, args);
	va_end(args);
	return grown;
}

void problem_try(struct problem *problem, const char *format, ...)
{
	va_list args;

	if (!problem)
		return;
	va_start(args, format);
	vsnprintf(problem->try, sizeof(problem->try), format, args);
	va_end(args);
}

/* A missing member without extents needs no rebuild. */
static void try_rebuild(const struct search *search, struct problem *problem, uint32_t slot,
			const char *first)
{
	if (array_member_used(search->array, slot) == 0)
		problem_try(problem, "%spgctl remove %s %u", first, search->name, slot);
	else
		problem_try(problem, "%spgctl rebuild %s %u --to NEW", first, search->name, slot);
}

static void look_at_absent(struct search *search, uint32_t slot)
{
	const char *path = cli_member_path(search->inv, slot);
	struct problem *problem;

	switch (array_presence(search->array, slot)) {
	case PRESENT:
	case PRESENT_STALE:
		return;
	case ABSENT:
		problem = problems_add(&search->problems, PROBLEM_MEMBER_MISSING,
				       "member %u was not found", slot);
		try_rebuild(search, problem, slot, "name its file with --member; or ");
		return;
	case ABSENT_TRUNCATED:
		problem = problems_add(&search->problems, PROBLEM_MEMBER_TRUNCATED,
				       "member %u (%s) is smaller than when it joined", slot,
				       path ? path : "?");
		try_rebuild(search, problem, slot, "restore the image; or ");
		return;
	case ABSENT_BROKEN:
		problem = problems_add(&search->problems, PROBLEM_MEMBER_DAMAGED,
				       "member %u (%s): its metadata cannot be used", slot,
				       path ? path : "?");
		try_rebuild(search, problem, slot, "");
		return;
	case ABSENT_OTHER_BRANCH:
		problem = problems_add(&search->problems, PROBLEM_MEMBER_OLD,
				       "member %u (%s) is older than what the array remembers",
				       slot, path ? path : "?");
		try_rebuild(search, problem, slot, "");
		return;
	}
}

static void look_at_member(struct search *search, const struct member *member)
{
	uint32_t slot = member->slot;
	struct problem *problem;

	if (member->state == MEMBER_FAILED) {
		problem = problems_add(&search->problems, PROBLEM_MEMBER_FAILED,
				       "member %u is failed", slot);
		try_rebuild(search, problem, slot, "");
		return;
	}
	if (member->state == MEMBER_OFFLINE) {
		problem = problems_add(&search->problems, PROBLEM_MEMBER_OFFLINE,
				       "member %u is offline", slot);
		problem_try(problem, "pgctl online %s %u", search->name, slot);
		return;
	}
	look_at_absent(search, slot);
	if (array_presence(search->array, slot) == PRESENT_STALE) {
		problem = problems_add(&search->problems, PROBLEM_MEMBER_STALE,
				       "member %u missed changes of the array", slot);
		problem_try(problem, "pgctl online %s %u", search->name, slot);
	}
}

/* Extents that missed writes although their member is in service. */
static void look_at_stale_extents(struct search *search)
{
	const struct map *map = array_map(search->array);
	uint64_t stale[MEMBERS_MAX] = { 0 };

	for (uint32_t g = 0; g < map->group_count; g++) {
		for (uint32_t c = 0; c < map->groups[g]->shape.columns; c++) {
			const struct extent *extent = &map->groups[g]->extents[c];

			if (extent->stale && array_member_usable(search->array, extent->slot))
				stale[extent->slot]++;
		}
	}
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		struct problem *problem;

		if (!stale[slot])
			continue;
		problem = problems_add(&search->problems, PROBLEM_EXTENTS_STALE,
				       "%" PRIu64 " extents on member %u missed writes",
				       stale[slot], slot);
		problem_try(problem, "pgctl rebuild %s %u", search->name, slot);
	}
}

static void look_at_volumes(struct search *search)
{
	const struct map *map = array_map(search->array);

	for (uint32_t i = 0; i < map->volume_count; i++) {
		const struct volume *volume = map->volumes[i];
		struct problem *problem;

		if (array_volume_health(search->array, volume) != HEALTH_BROKEN)
			continue;
		problem = problems_add(&search->problems, PROBLEM_VOLUME_BROKEN,
				       "data of volume '%s' can neither be read nor rebuilt",
				       volume->name);
		problem_try(problem,
			    "bring missing members back; pgctl scrub %s lists what is lost",
			    search->name);
	}
}

/* Nothing is in danger, but whoever bought them shall know. */
static void look_at_left_out(struct search *search)
{
	uint32_t columns = array_map(search->array)->policy.columns;
	uint32_t left = array_left_out(search->array);
	struct problem *problem;

	if (left == 0)
		return;
	problem = problems_add(&search->problems, PROBLEM_UNUSED_MEMBER,
			       "new groups are %u wide and do not use %u of the members", columns,
			       left);
	problem_try(problem, "pgctl add %s MEMBER; %u more fill another set", search->name,
		    columns - left);
}

/* What recovery found; status opens for reading, so it is done in memory only. */
static void look_at_log(struct search *search)
{
	const struct array_recovery *recovery = array_recovery(search->array);
	struct problem *problem;

	if (recovery->entries) {
		problem = problems_add(&search->problems, PROBLEM_LOG_PENDING,
				       "the intent log names %" PRIu64
				       " rows whose writing was interrupted",
				       recovery->rows);
		problem_try(problem,
			    "the next command that writes recovers them; pgctl log show %s lists "
			    "them",
			    search->name);
	}
	if (recovery->suspect) {
		problem = problems_add(&search->problems, PROBLEM_LOG_DAMAGED,
				       "a record of the intent log was damaged on every member "
				       "that was there");
		problem_try(problem, "bring missing members back; then pgctl scrub %s --repair",
			    search->name);
	}
	if (recovery->lost) {
		problem = problems_add(&search->problems, PROBLEM_ROWS_LOST,
				       "%" PRIu64 " blocks that were being written are lost",
				       recovery->lost);
		problem_try(problem,
			    "bring missing members back first; pgctl scrub %s names the blocks, "
			    "and writing them again makes them good",
			    search->name);
	}
}

/* The member that the job fills failed: while the job stands that can neither go nor be filled. */
static bool has_no_target(const struct search *search, const struct job *job)
{
	return (job->kind == JOB_REPLACE || job->kind == JOB_REBUILD) && job->to != MEMBER_NONE &&
	       !array_member_usable(search->array, job->to);
}

static void look_at_jobs(struct search *search)
{
	const struct map *map = array_map(search->array);

	for (uint32_t i = 0; i < map->job_count; i++) {
		const struct job *job = &map->jobs[i];
		struct problem *problem;

		if (job->state == JOB_DONE)
			continue;
		problem = problems_add(
			&search->problems, PROBLEM_JOB_UNFINISHED,
			"job %" PRIu64 " (%s) has done %" PRIu64 " of %" PRIu64 " bytes%s", job->id,
			job_kind_name(job->kind), job->done, job->total,
			has_no_target(search, job) ? ", and its target is out of service" : "");
		if (has_no_target(search, job))
			problem_try(problem, "pgctl job cancel %s %" PRIu64, search->name, job->id);
		else if (job->kind == JOB_SCRUB)
			problem_try(problem, "pgctl scrub %s --resume", search->name);
		else if (job->kind == JOB_EVACUATE && job->from != MEMBER_NONE)
			problem_try(problem, "unless it is running now: pgctl evacuate %s %u",
				    search->name, job->from);
		else if (job->from == MEMBER_NONE)
			problem_try(problem, "unless it is running now: pgctl %s %s",
				    job_kind_name(job->kind), search->name);
		else if (job->kind == JOB_REPLACE && job->to != MEMBER_NONE)
			problem_try(problem, "unless it is running now: pgctl replace %s %u %u",
				    search->name, job->from, job->to);
		else
			problem_try(problem, "unless it is running now: pgctl rebuild %s %u",
				    search->name, job->from);
	}
}

/* Data of the volume lie in groups without seals. */
static bool volume_is_bare(const struct map *map, const struct volume *volume)
{
	uint32_t column;

	for (uint32_t i = 0; i < volume->span_count; i++) {
		const struct group *group = map_extent(map, volume->spans[i].extents[0], &column);

		if (group && group_is_bare(group))
			return true;
	}
	return false;
}

/* How far it is ours. */
static void look_at_adoption(struct search *search)
{
	const struct map *map = array_map(search->array);
	struct problem *problem;

	if (map->adoption.state == ADOPT_REVERSIBLE) {
		problem = problems_add(&search->problems, PROBLEM_NOT_COMMITTED,
				       "adopted, and not committed: it is read, scrubbed and "
				       "repaired, and nothing else");
		problem_try(problem,
			    "pgctl adopt --commit %s keeps it; pgctl adopt --undo %s gives it back",
			    search->name, search->name);
	} else if (map->adoption.state == ADOPT_UNDOING) {
		problem = problems_add(&search->problems, PROBLEM_BEING_UNDONE,
				       "it is being given back, in part");
		problem_try(problem, "pgctl adopt --undo %s goes on with it", search->name);
	}
	for (uint32_t i = 0; map->adoption.state == ADOPT_COMMITTED && i < map->volume_count; i++) {
		if (!volume_is_bare(map, map->volumes[i]))
			continue;
		problem = problems_add(&search->problems, PROBLEM_NO_SEALS,
				       "data of volume %s lie as other software put them, without "
				       "seals",
				       map->volumes[i]->name);
		problem_try(problem, "pgctl migrate %s %s --layout parity", search->name,
			    map->volumes[i]->name);
	}
}

/* What only an array of ours keeps. */
static void look_at_state(struct search *search)
{
	const struct map *map = array_map(search->array);

	for (uint32_t i = 0; i < map->member_count; i++)
		look_at_member(search, &map->members[i]);
	look_at_stale_extents(search);
	look_at_left_out(search);
	look_at_log(search);
	look_at_jobs(search);
	look_at_adoption(search);
}

void problem_quote(struct text *text, const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_./:=@%+,-";

	if (*name && name[strspn(name, plain)] == '\0') {
		text_add(text, "%s", name);
		return;
	}
	text_add(text, "'");
	for (; *name; name++)
		text_add(text, *name == '\'' ? "'\\%c'" : "%c", *name);
	text_add(text, "'");
}

int problems_find(struct problems *problems_out, const struct invocation *inv,
		  const struct array *array, const char *name, struct err *err)
{
	const struct map *map = array_map(array);
	struct search search = { .inv = inv, .array = array };
	struct text quoted = { 0 };

	problem_quote(&quoted, name);
	search.problems.failed = quoted.failed;
	search.name = quoted.failed ? name : quoted.chars;
	look_at_volumes(&search);
	if (!map_is_bare(map))
		look_at_state(&search);
	text_reset(&quoted);
	if (search.problems.failed) {
		problems_reset(&search.problems);
		return err_set(err, ERR_NOMEM, "no memory");
	}
	*problems_out = search.problems;
	return 0;
}

void problems_reset(struct problems *problems)
{
	mem_free(problems->at);
	*problems = (struct problems){ 0 };
}

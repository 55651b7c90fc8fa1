/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/adopt_back.h"

#include "cli/adopt_show.h"
#include "cli/confirm.h"
#include "cli/member_guard.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/array/adopt.h"
#include "core/base/mem.h"
#include "formats/md_adopt.h"

#include <assert.h>

/* The members of a search that have a record, open. */
struct backs {
	struct md_adopt_back at[MEMBERS_MAX];
	const char *paths[MEMBERS_MAX]; /* borrowed from the search */
	uint32_t count;
};

static void backs_free(struct backs *backs)
{
	if (!backs)
		return;
	for (uint32_t i = 0; i < backs->count; i++) {
		adopt_kept_reset(&backs->at[i].kept);
		dev_close(backs->at[i].dev);
	}
	mem_free(backs);
}

static int back_open(struct backs *backs, const struct search *search, const struct candidate *one,
		     struct err *err)
{
	struct md_adopt_back *back;
	int rc;

	if (backs->count == MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %u members", MEMBERS_MAX);
	back = &backs->at[backs->count];
	rc = cli_stack_open(&back->dev, search->inv, one->path, plan_access(search->inv), 0,
			    one->record->slot, err);
	if (rc)
		return rc;
	backs->paths[backs->count++] = one->path;
	back->has_ours = one->probe.valid_slots > 0;
	back->newest = one->probe.newest_offset;
	return adopt_kept_read(&back->kept, back->dev, err);
}

/* Before anything is written: whoever took write bits away did not want it, of none of them. */
static int protection_check(const struct search *search, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && !plan_only(search->inv) && i < search->candidates.count; i++)
		if (search->candidates.at[i].record)
			rc = member_protection_check(search->candidates.at[i].path, err);
	return rc;
}

/* Every candidate with a record. */
static int backs_open(struct backs **backs_out, const struct search *search, struct err *err)
{
	struct backs *backs = mem_calloc(1, sizeof(*backs));
	int rc = backs ? 0 : err_set(err, ERR_NOMEM, "no memory to undo an adoption");

	for (size_t i = 0; rc == 0 && i < search->candidates.count; i++)
		if (search->candidates.at[i].record)
			rc = back_open(backs, search, &search->candidates.at[i], err);
	if (rc)
		backs_free(backs);
	else
		*backs_out = backs;
	return rc;
}

int adopt_back_leftovers(const struct search *search, struct err *err)
{
	struct backs *backs = NULL;
	int rc = protection_check(search, err);

	if (rc == 0)
		rc = backs_open(&backs, search, err);
	if (rc)
		return rc;
	rc = md_adopt_undo(backs->at, backs->count, err);
	backs_free(backs);
	return rc;
}

/* What the array says of itself, however little is left of it. ADOPT_REVERSIBLE where it cannot be asked. */
static enum adopt_state state_of(const struct invocation *inv)
{
	struct array *array = NULL;
	struct err ignored = { 0 };
	enum adopt_state state = ADOPT_REVERSIBLE;

	if (cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, &ignored))
		return state;
	state = array_map(array)->adoption.state;
	array_close(array);
	return state;
}

static int refuse_state(const struct invocation *inv, enum adopt_state state, struct err *err)
{
	const char *name = inv->operands[0];

	if (state == ADOPT_COMMITTED) {
		err_set(err, ERR_STATE, "%s: the adoption is committed, and cannot be undone",
			name);
		return err_hint(err, "pgctl status %s", name);
	}
	if (state == ADOPT_NONE) {
		err_set(err, ERR_STATE, "%s: no array that was adopted", name);
		return err_hint(err, "pgctl status %s", name);
	}
	return 0;
}

/*
 * From now on nobody writes to it. Without enough members to open it the records alone say what to do; then nobody else
 * can open it either.
 */
static int undoing_set(const struct invocation *inv, struct err *err)
{
	struct array *array = NULL;
	struct err failure = { 0 };
	int rc;

	if (cli_array_open(&array, inv, inv->operands[0], ACCESS_WRITE, &failure)) {
		if (failure.code != ERR_BUSY && failure.code != ERR_ACCESS)
			return 0;
		*err = failure;
		return err->code;
	}
	rc = array_adopt_set_state(array, ADOPT_UNDOING, err);
	array_close(array);
	return rc;
}

static int undo_members(const struct search *search, struct err *err)
{
	const struct invocation *inv = search->inv;
	struct member_set done = { 0 };
	struct backs *backs = NULL;
	int rc = backs_open(&backs, search, err);

	if (rc)
		return rc;
	if (!plan_only(inv))
		rc = md_adopt_undo(backs->at, backs->count, err);
	if (rc && !err->hint[0])
		err_hint(err, "pgctl adopt --undo %s goes on with it, when the cause is removed",
			 inv->operands[0]);
	for (uint32_t i = 0; i < backs->count; i++)
		done = member_set_with(done, backs->at[i].kept.record.slot % MEMBERS_MAX);
	/* Those that were given back before are MD's again. */
	for (size_t i = 0; i < search->candidates.count; i++) {
		const struct candidate *one = &search->candidates.at[i];
		const struct md_found *md = candidate_md(one);

		if (!one->record && md && md->member.slot < MEMBERS_MAX)
			done = member_set_with(done, md->member.slot);
	}
	if (rc == 0)
		adopt_show_undone(inv, backs->at, backs->paths, backs->count, done);
	backs_free(backs);
	return rc;
}

static bool has_records(const struct search *search)
{
	for (size_t i = 0; i < search->candidates.count; i++)
		if (search->candidates.at[i].record)
			return true;
	return false;
}

int adopt_back_undo(const struct invocation *inv, struct err *err)
{
	struct search search = { .inv = inv };
	int rc = search_run(&search, inv->operands[0], err);

	if (rc == 0 && search.array.maker == MAKER_US)
		rc = refuse_state(inv, state_of(inv), err);
	if (rc == 0 && !has_records(&search)) {
		rc = search_refuse_half(&search, err);
		if (rc == 0)
			rc = err_set(err, ERR_STATE,
				     "%s: no member has an adoption record: there is "
				     "nothing to undo",
				     inv->operands[0]);
	}
	if (rc == 0)
		rc = protection_check(&search, err);
	if (rc == 0 && search.array.maker == MAKER_US && !plan_only(inv))
		rc = undoing_set(inv, err);
	if (rc == 0)
		rc = undo_members(&search, err);
	candidates_free(&search.candidates);
	return rc;
}

static int absent_check(const struct invocation *inv, const struct array *array, struct err *err)
{
	const struct map *map = array_map(array);

	for (uint32_t i = 0; !inv->common->force && i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;

		if (array_member_usable(array, slot))
			continue;
		err_set(err, ERR_TOO_FEW, "member %u is not there", slot);
		return err_hint(err,
				"name its file, or pgctl adopt --undo %s and rebuild it as MD; "
				"--force commits without it",
				inv->operands[0]);
	}
	return 0;
}

static int commit_state(const struct invocation *inv, struct err *err)
{
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], plan_access(inv), err);
	enum adopt_state state;

	if (rc)
		return rc;
	state = array_map(array)->adoption.state;
	if (state == ADOPT_NONE)
		rc = refuse_state(inv, state, err);
	if (rc == 0 && state == ADOPT_REVERSIBLE) {
		rc = absent_check(inv, array, err);
		if (rc == 0 && !plan_only(inv))
			rc = cli_confirm(inv, err,
					 "give up the way back: what MD's metadata were is thrown "
					 "away, and array '%s' is ours for good?",
					 array_map(array)->name);
		if (rc == 0 && !plan_only(inv))
			rc = array_adopt_set_state(array, ADOPT_COMMITTED, err);
	}
	if (rc == 0)
		adopt_show_committed(inv, array);
	array_close(array);
	return rc;
}

/* The records, which nothing needs any more. */
static int records_drop(const struct search *search, struct err *err)
{
	struct backs *backs = NULL;
	int rc = backs_open(&backs, search, err);

	if (rc)
		return rc;
	for (uint32_t i = 0; rc == 0 && i < backs->count; i++)
		rc = adopt_kept_finish(&backs->at[i].kept, backs->at[i].dev, err);
	backs_free(backs);
	return rc;
}

int adopt_back_commit(const struct invocation *inv, struct err *err)
{
	struct search search = { .inv = inv };
	int rc = search_run(&search, inv->operands[0], err);

	if (rc == 0 && search.array.maker == MAKER_MD) {
		rc = search_refuse_half(&search, err);
		if (rc == 0) {
			err_set(err, ERR_STATE,
				"%s: an array of other software, which was not "
				"adopted",
				inv->operands[0]);
			rc = err_hint(err, "pgctl adopt %s", inv->operands[0]);
		}
	}
	if (rc == 0)
		rc = protection_check(&search, err);
	if (rc == 0)
		rc = commit_state(inv, err);
	if (rc == 0 && !plan_only(inv))
		rc = records_drop(&search, err);
	candidates_free(&search.candidates);
	return rc;
}

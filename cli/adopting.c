/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/adopting.h"

#include "cli/adopt_back.h"
#include "cli/adopt_show.h"
#include "cli/layout_open.h"
#include "cli/md_view.h"
#include "cli/member_guard.h"
#include "cli/member_stack.h"
#include "cli/members.h"
#include "cli/plan.h"
#include "cli/search.h"
#include "core/array/adopt.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "formats/md_adopt.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(ADOPT_RECORD_OFFSET == ADOPT_RECORD_BEGIN,
	       "the record lies where the core leaves room");
#define RECORD_STEP (UINT64_C(1) << 20)

_Static_assert(ADOPT_NAME_SIZE == NAME_SIZE, "a record names arrays of any name");

/* One run; on the heap for its size. */
struct adopting {
	const struct invocation *inv;
	const struct adopt_args *args;
	struct md_view *view;
	const struct md_found *found[MEMBERS_MAX];
	struct dev *devs[MEMBERS_MAX]; /* ours until array_adopt() takes them */
	struct adopt_kept kept[MEMBERS_MAX];
	uint32_t count;
	struct array_adopt_request request;
	struct array_adopt_plan plan;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to adopt an array");
}

static const char *path_of(const struct adopting *adopting, uint32_t slot)
{
	return md_view_seated(adopting->view, slot)->path;
}

/* It is one of ours already: made so, or adopted before. */
static int refuse_ours(const struct invocation *inv, struct err *err)
{
	struct array *array = NULL;
	const char *name = inv->operands[0];
	int rc = cli_array_open(&array, inv, name, ACCESS_SALVAGE, err);

	if (rc)
		return rc;
	switch (array_map(array)->adoption.state) {
	case ADOPT_REVERSIBLE:
		err_set(err, ERR_STATE, "array '%s' is adopted already", array_map(array)->name);
		err_hint(err,
			 "pgctl adopt --commit %s makes it final, pgctl adopt --undo %s takes it "
			 "back",
			 name, name);
		break;
	case ADOPT_UNDOING:
		err_set(err, ERR_STATE, "array '%s' is being given back", array_map(array)->name);
		err_hint(err, "pgctl adopt --undo %s goes on with it", name);
		break;
	case ADOPT_NONE:
	case ADOPT_COMMITTED:
		err_set(err, ERR_STATE, "array '%s' is one of ours", array_map(array)->name);
		err_hint(err, "pgctl status %s", name);
		break;
	}
	array_close(array);
	return err->code;
}

/* Candidates become a view of an MD array, when it is one. */
static int view_make(struct adopting *adopting, struct search *search, struct err *err)
{
	static const struct text_list none = { 0 };
	struct md_adopt_array array;
	struct md_view *view = NULL;
	int rc = md_view_make(&view, &search->candidates, &none, err);

	if (rc)
		return rc;
	adopting->view = view;
	if (view->device_count > MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "%u devices, at most %u are possible",
			       view->device_count, MEMBERS_MAX);
	for (uint32_t i = 0; i < view->device_count; i++)
		adopting->found[i] = view->devices[i].found;
	array = (struct md_adopt_array){ .set = view->set,
					 .seats = &view->seats,
					 .found = adopting->found,
					 .paths = view->paths,
					 .name = adopting->inv->operands[0] };
	adopting->count = view->seats.count;
	return md_adopt_check(&array, err);
}

/* What an adoption that was not finished left is put back, and everything is looked at again. */
static int leftovers_back(struct search *search, bool *again_out, struct err *err)
{
	size_t records = 0;

	*again_out = false;
	for (size_t i = 0; i < search->candidates.count; i++)
		records += search->candidates.at[i].record != NULL;
	if (records == 0)
		return search_refuse_half(search, err);
	if (plan_only(search->inv)) {
		err_set(err, ERR_STATE, "an adoption was begun and not finished");
		return err_hint(err, "pgctl adopt --undo %s puts back what was",
				search->inv->operands[0]);
	}
	*again_out = true;
	return adopt_back_leftovers(search, err);
}

static int view_find(struct adopting *adopting, struct err *err)
{
	const struct invocation *inv = adopting->inv;
	bool again = false;
	int rc = 0;

	do {
		struct search search = { .inv = inv };

		rc = search_run(&search, inv->operands[0], err);
		if (rc == 0 && search.array.maker == MAKER_US)
			rc = refuse_ours(inv, err);
		if (rc == 0)
			rc = leftovers_back(&search, &again, err);
		if (rc == 0 && !again)
			rc = view_make(adopting, &search, err);
		candidates_free(&search.candidates);
	} while (rc == 0 && again);
	return rc;
}

static int devices_open(struct adopting *adopting, struct err *err)
{
	enum access access = plan_access(adopting->inv);
	int rc = 0;

	for (uint32_t slot = 0; rc == 0 && slot < adopting->count; slot++) {
		const char *path = path_of(adopting, slot);

		if (access == ACCESS_WRITE)
			rc = member_protection_check(path, err);
		if (rc == 0)
			rc = cli_stack_open(&adopting->devs[slot], adopting->inv, path, access, 0,
					    slot, err);
	}
	return rc;
}

/* The map of MD's array, with names of ours. */
static int request_fill(struct adopting *adopting, struct err *err)
{
	struct array_adopt_request *request = &adopting->request;
	struct env *env = adopting->inv->env;
	uint8_t random[16];
	int rc = md_map_make(&request->map, adopting->view->set, &adopting->view->seats, err);

	if (rc)
		return rc;
	env_random(env, random, sizeof(random));
	request->map->uuid = uuid_from_random(random);
	for (uint32_t i = 0; i < request->map->member_count; i++) {
		env_random(env, random, sizeof(random));
		request->map->members[i].uuid = uuid_from_random(random);
	}
	request->env = env;
	request->name = adopting->args->name ? adopting->args->name : request->map->name;
	request->origin = adopting->view->set->newest->array;
	for (uint32_t slot = 0; slot < adopting->count; slot++) {
		request->devs[slot] = adopting->devs[slot];
		request->data_begin[slot] =
			md_view_seated(adopting->view, slot)->found->member.data_offset * MD_SECTOR;
	}
	return 0;
}

/* What has to be kept of every member, by a plan that leaves a record some room. */
static int members_keep(struct adopting *adopting, uint64_t *needed_out, struct err *err)
{
	uint64_t needed = 0;
	int rc = 0;

	for (uint32_t slot = 0; rc == 0 && slot < adopting->count; slot++) {
		const struct md_member *member =
			&md_view_seated(adopting->view, slot)->found->member;
		struct adopt_kept *kept = &adopting->kept[slot];
		struct adopt_range ranges[ADOPT_RANGES];
		struct adopt_area areas[ADOPT_RANGES];

		array_adopt_ranges(ranges, &adopting->plan, slot);
		for (uint32_t i = 0; i < ADOPT_RANGES; i++)
			areas[i] = (struct adopt_area){ ranges[i].offset,
							ranges[i].offset + ranges[i].size };
		rc = md_adopt_keep(kept, adopting->devs[slot], member, areas, ADOPT_RANGES, err);
		kept->record.written_end = areas[ADOPT_RANGES - 1].end;
		needed = size_max(needed, adopt_record_size(kept->record.block_count));
	}
	*needed_out = needed;
	return rc;
}

/*
 * A record keeps what the map is written over, and the map lies behind the record: both move until they fit, outwards
 * only, or until there is no room. Where much has to be kept, what the record itself will lie on needs no keeping, if the
 * operator gives it up: so it grows by halves.
 */
static int plan_make(struct adopting *adopting, struct err *err)
{
	uint64_t needed = adopt_record_size(1), size = 0;
	int rc;

	do {
		uint64_t more = needed - size;

		size += more > RECORD_STEP ? size_round_up(more / 2, BLOCK_SIZE) : more;
		adopting->request.record_size = size;
		rc = array_adopt_plan(&adopting->plan, &adopting->request, err);
		if (rc == 0)
			rc = members_keep(adopting, &needed, err);
	} while (rc == 0 && needed > size);
	return rc;
}

static void records_fill(struct adopting *adopting)
{
	const struct array_adopt_request *request = &adopting->request;

	for (uint32_t slot = 0; slot < adopting->count; slot++) {
		struct adopt_record *record = &adopting->kept[slot].record;

		record->array = request->map->uuid;
		record->member = map_member(request->map, slot)->uuid;
		record->slot = slot;
		record->member_count = adopting->count;
		record->member_size = dev_info(adopting->devs[slot])->size_exact;
		record->size = request->record_size;
		record->made_s = env_clock_s(request->env);
		snprintf(record->name, sizeof(record->name), "%s", request->name);
	}
}

static int room_check(struct adopting *adopting, struct err *err)
{
	int rc = 0;

	if (adopting->inv->common->force)
		return 0;
	for (uint32_t slot = 0; rc == 0 && slot < adopting->count; slot++)
		rc = adopt_keep_room(adopting->devs[slot], adopting->request.record_size, err);
	return rc;
}

static int mark_all(void *arg, struct err *err)
{
	struct adopting *adopting = arg;
	int rc = 0;

	for (uint32_t slot = 0; rc == 0 && slot < adopting->count; slot++)
		rc = md_adopt_mark(&adopting->kept[slot], adopting->devs[slot], err);
	return rc;
}

/* Best effort after an error, of the first members that a record was begun on: the rest is for `adopt --undo`. */
static void take_back(struct adopting *adopting, uint32_t count, struct err *err)
{
	struct md_adopt_back backs[MEMBERS_MAX];
	struct err failure = { 0 };

	for (uint32_t slot = 0; slot < count; slot++)
		backs[slot] = (struct md_adopt_back){ .dev = adopting->devs[slot],
						      .kept = adopting->kept[slot],
						      .has_ours = true };
	if (md_adopt_undo(backs, count, &failure))
		err_hint(err, "pgctl adopt --undo %s, when the cause is removed",
			 adopting->inv->operands[0]);
}

static int execute(struct adopting *adopting, struct err *err)
{
	struct array *array = NULL;
	uint32_t begun = 0;
	int rc = 0;

	for (; rc == 0 && begun < adopting->count; begun++)
		rc = adopt_keep_write(&adopting->kept[begun], adopting->devs[begun], err);
	if (rc) {
		take_back(adopting, begun, err);
		return rc;
	}
	adopting->request.mark = mark_all;
	adopting->request.arg = adopting;
	rc = array_adopt(&array, &adopting->request, err);
	adopting->request.map = NULL;
	if (rc) {
		take_back(adopting, adopting->count, err);
		return rc;
	}
	memset(adopting->devs, 0, sizeof(adopting->devs)); /* the array's now */
	adopt_show_done(adopting->inv, array, adopting->view, adopting->kept);
	array_close(array);
	return 0;
}

static void adopting_free(struct adopting *adopting)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		adopt_kept_reset(&adopting->kept[slot]);
		dev_close(adopting->devs[slot]);
	}
	map_free(adopting->request.map);
	md_view_free(adopting->view);
	mem_free(adopting);
}

int adopting_run(const struct invocation *inv, const struct adopt_args *args, struct err *err)
{
	struct adopting *adopting;
	int rc = args->name ? map_name_check(args->name, err) : 0;

	if (rc == 0 && layout_path_is(inv->operands[0])) {
		err_set(err, ERR_UNSUPPORTED, "%s: an array by a layout file is only read",
			inv->operands[0]);
		rc = err_hint(err, "pgctl get and pgctl put bring its data into an array of ours");
	}
	if (rc)
		return rc;
	adopting = mem_calloc(1, sizeof(*adopting));
	if (!adopting)
		return no_memory(err);
	adopting->inv = inv;
	adopting->args = args;
	rc = view_find(adopting, err);
	if (rc == 0)
		rc = devices_open(adopting, err);
	if (rc == 0)
		rc = request_fill(adopting, err);
	if (rc == 0)
		rc = plan_make(adopting, err);
	if (rc == 0)
		rc = room_check(adopting, err);
	if (rc == 0) {
		records_fill(adopting);
		adopt_warn_map(inv, &adopting->plan);
		if (plan_only(inv))
			adopt_show_plan(inv, &adopting->request, &adopting->plan, adopting->view,
					adopting->kept);
		else
			rc = execute(adopting, err);
	}
	adopting_free(adopting);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/members.h"

#include "cli/layout_open.h"
#include "cli/md_open.h"
#include "cli/output.h"
#include "cli/search.h"
#include "core/array/adopt.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/text.h"
#include "core/base/units.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct array_paths {
	char *at[MEMBERS_MAX];
	struct md_view *md;    /* of the array opened last; NULL: it is none of MD's */
	int lost[MEMBERS_MAX]; /* code of why the member was taken out of service; 0: it was not */
};

struct array_paths *array_paths_create(void)
{
	return mem_calloc(1, sizeof(struct array_paths));
}

static void array_paths_clear(struct array_paths *paths)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		mem_free(paths->at[slot]);
		paths->at[slot] = NULL;
	}
	md_view_free(paths->md);
	paths->md = NULL;
}

void array_paths_free(struct array_paths *paths)
{
	if (!paths)
		return;
	array_paths_clear(paths);
	mem_free(paths);
}

const char *cli_member_path(const struct invocation *inv, uint32_t slot)
{
	return slot < MEMBERS_MAX ? inv->paths->at[slot] : NULL;
}

const struct md_view *cli_md_view(const struct invocation *inv)
{
	return inv->paths->md;
}

uint64_t cli_unproven(const struct invocation *inv, uint64_t reconstructed)
{
	const struct md_view *view = cli_md_view(inv);
	uint64_t bytes = 0;

	return view && md_view_unproven(view, &bytes) ? size_min(bytes, reconstructed) : 0;
}

void cli_reconstructed_warn(const struct invocation *inv, uint64_t reconstructed)
{
	uint64_t unproven = cli_unproven(inv, reconstructed);
	char size[UNITS_TEXT_SIZE];

	if (reconstructed)
		out_warn(inv->out, "%s had to be reconstructed; pgctl status %s says why",
			 units_text(size, reconstructed), inv->operands[0]);
	if (unproven)
		out_warn(inv->out,
			 "up to %s of that is unproven: the array was not stopped in order, and "
			 "checks may be older than the data",
			 units_text(size, unproven));
}

static void member_lost(void *arg, uint32_t slot, int code)
{
	struct array_paths *paths = arg;

	assert(slot < MEMBERS_MAX && code);
	paths->lost[slot] = code;
}

void cli_members_warn(const struct invocation *inv)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		const char *path = cli_member_path(inv, slot);

		if (inv->paths->lost[slot])
			out_warn(inv->out,
				 "member %" PRIu32 " (%s) failed (%s) and is out of service; try: "
				 "pgctl status %s",
				 slot, path ? path : "new", err_name(inv->paths->lost[slot]),
				 inv->operands[0]);
	}
}

int cli_device_open(struct dev **dev_out, const struct invocation *inv, const char *path,
		    enum access access, uint64_t create_size, struct err *err)
{
	int rc = refuse_uri(path, err);

	return rc ? rc : cli_stack_open(dev_out, inv, path, access, create_size, MEMBER_NONE, err);
}

void cli_members_close(struct member_devices *members)
{
	for (uint32_t i = 0; i < members->count; i++)
		dev_close(members->devs[i]);
	mem_free(members->devs);
	*members = (struct member_devices){ 0 };
}

/* One more member; *left_out says why it was left out, where only reading is wanted. */
static int search_open_one(struct member_devices *members, const struct search *search,
			   const struct candidate *one, enum access access, struct err *left_out,
			   struct err *err)
{
	uint32_t slot = one->probe.valid_slots ? one->probe.slot : MEMBER_NONE;
	int rc = cli_stack_open(&members->devs[members->count], search->inv, one->path, access, 0,
				slot, err);

	if (rc == 0) {
		members->count++;
		if (search->inv->common->verbose)
			out_warn(search->inv->out, "found %s: member %u, generation %" PRIu64,
				 one->path, slot, one->probe.generation);
		return 0;
	}
	if (access == ACCESS_WRITE || rc == ERR_NOMEM || rc == ERR_FORMAT)
		return rc;
	out_warn(search->inv->out, "%s is left out: %s", one->path, err->text);
	*left_out = *err;
	*err = (struct err){ 0 };
	return 0;
}

/* Open what the search found. To read, a member that cannot be opened is left out, with a warning. */
static int search_open(struct member_devices *members_out, const struct search *search,
		       enum access access, struct err *err)
{
	struct member_devices members = { 0 };
	struct err left_out = { 0 };
	int rc = 0;

	members.devs = mem_calloc(search->candidates.count, sizeof(struct dev *));
	if (!members.devs)
		return err_set(err, ERR_NOMEM, "no memory for the members");
	for (size_t i = 0; rc == 0 && i < search->candidates.count; i++) {
		const struct candidate *one = &search->candidates.at[i];

		/* Given back already: nothing of ours is on it. */
		if (one->adoption && !one->probe.valid_slots)
			continue;
		rc = search_open_one(&members, search, one, access, &left_out, err);
	}
	if (rc == 0 && members.count == 0 && left_out.code) {
		*err = left_out;
		rc = left_out.code;
	}
	if (rc)
		cli_members_close(&members);
	else
		*members_out = members;
	return rc;
}

int cli_members_open(struct member_devices *members_out, const struct invocation *inv,
		     const char *name, enum access access, struct err *err)
{
	struct search search = { .inv = inv, .headless = true };
	int rc = search_run(&search, name, err);

	if (rc == 0)
		rc = search_open(members_out, &search, access, err);
	candidates_free(&search.candidates);
	return rc;
}

/* Which path each member of the map was found under. */
static void paths_note(const struct search *search, const struct array *array)
{
	const struct map *map = array_map(array);
	struct array_paths *paths = search->inv->paths;

	array_paths_clear(paths);
	for (size_t i = 0; i < search->candidates.count; i++) {
		const struct candidate *one = &search->candidates.at[i];

		for (uint32_t m = 0; m < map->member_count; m++) {
			const struct member *member = &map->members[m];

			if (uuid_equal(&member->uuid, &one->probe.member) &&
			    !paths->at[member->slot])
				paths->at[member->slot] = mem_strdup(one->path);
		}
	}
}

/* Recovery that wrote is told once; what it lost, every time. */
static void recovery_note(const struct invocation *inv, const struct array *array,
			  enum access access)
{
	const struct array_recovery *recovery = array_recovery(array);

	if (access == ACCESS_WRITE && recovery->entries)
		out_warn(inv->out,
			 "recovered %" PRIu64 " rows of the log: %" PRIu64
			 " blocks replayed, %" PRIu64 " rows brought forward, %" PRIu64
			 " back, %" PRIu64 " kept as found",
			 recovery->rows, recovery->replayed, recovery->rolled_forward,
			 recovery->rolled_back, recovery->kept);
	if (access != ACCESS_SALVAGE && recovery->lost)
		out_warn(inv->out,
			 "%" PRIu64 " blocks that were being written when the array was "
			 "interrupted are lost; pgctl scrub %s names them",
			 recovery->lost, inv->operands[0]);
}

/* Forget the members that are to be left out. */
static void search_leave_out(struct search *search, struct member_set without)
{
	struct candidate_vec *candidates = &search->candidates;
	size_t kept = 0;

	for (size_t i = 0; i < candidates->count; i++) {
		const struct array_probe *probe = &candidates->at[i].probe;

		if (probe->valid_slots && member_set_has(without, probe->slot))
			candidate_reset(&candidates->at[i]);
		else
			candidates->at[kept++] = candidates->at[i];
	}
	candidates->count = kept;
}

int cli_array_open(struct array **array_out, const struct invocation *inv, const char *name,
		   enum access access, struct err *err)
{
	const struct open_how how = { .access = access };
	int rc = cli_array_open_as(array_out, inv, name, &how, err);

	if (rc == 0)
		recovery_note(inv, *array_out, access);
	return rc;
}

/* An array of Linux MD. What was found of it is kept while its members' paths are. */
static int md_search_open(struct array **array_out, struct search *search,
			  const struct open_how *how, struct err *err)
{
	const struct invocation *inv = search->inv;
	struct array_paths *paths = inv->paths;
	struct md_view *view = NULL;
	int rc = search_refuse_half(search, err);

	if (rc == 0)
		rc = md_view_make(&view, &search->candidates, &inv->common->accept_stale, err);
	if (rc) {
		dev_close(how->target);
		return rc;
	}
	array_paths_clear(paths);
	paths->md = view;
	for (uint32_t slot = 0; slot < view->seats.count; slot++) {
		const struct md_view_device *device = md_view_seated(view, slot);

		paths->at[slot] = device ? mem_strdup(device->path) : NULL;
	}
	return md_open(array_out, inv, view, how, err);
}

/*
 * A member has its record still and none of our superblocks: an undo took them. The others may not know of it, where the power
 * failed when they were told.
 */
static bool undo_began(const struct search *search, const struct map *map)
{
	for (size_t i = 0; i < search->candidates.count; i++) {
		const struct candidate *one = &search->candidates.at[i];

		if (one->record && one->record->state == ADOPT_RECORD_KEEPS &&
		    one->probe.valid_slots == 0 && uuid_equal(&one->record->array, &map->uuid))
			return true;
	}
	return false;
}

/* What is being given back is not used any more: its metadata go. */
static int refuse_undoing(const struct search *search, struct array *array, enum access access,
			  struct err *err)
{
	const struct map *map = array_map(array);

	if (map->adoption.state == ADOPT_REVERSIBLE && undo_began(search, map))
		array_adopt_note_undoing(array);
	if (map->adoption.state != ADOPT_UNDOING || access == ACCESS_SALVAGE)
		return 0;
	err_set(err, ERR_STATE, "array '%s' is being given back: its adoption is undone in part",
		map->name);
	return err_hint(err, "pgctl adopt --undo %s goes on with it",
			search->candidates.at[0].path);
}

/* What an adoption keeps is good for more than a map that is damaged. */
static void hint_undo(const struct search *search, struct err *err)
{
	for (size_t i = 0; i < search->candidates.count; i++)
		if (search->candidates.at[i].record)
			err_hint(err,
				 "pgctl adopt --undo %s puts back what was before the array was "
				 "adopted",
				 search->candidates.at[i].path);
}

static int native_search_open(struct array **array_out, struct search *search,
			      const struct open_how *how, struct err *err)
{
	const struct invocation *inv = search->inv;
	struct member_devices members = { 0 };
	int rc;

	search_leave_out(search, how->without);
	rc = search_open(&members, search, how->access, err);
	if (rc == 0) {
		const struct array_open_request request = {
			.env = inv->env,
			.devs = members.devs,
			.dev_count = members.count,
			.access = how->access == ACCESS_WRITE ? ARRAY_WRITE : ARRAY_READ,
			.salvage = how->access == ACCESS_SALVAGE,
			.leave_log = how->leave_log,
			.tasks = (uint32_t)(inv->common->tasks < UINT32_MAX ? inv->common->tasks
									    : UINT32_MAX),
			.member_lost = member_lost,
			.member_lost_arg = inv->paths,
		};

		rc = array_open(array_out, &request, err);
		if (rc == ERR_FORMAT || rc == ERR_CHECKSUM)
			hint_undo(search, err);
		if (rc == 0) {
			members.count = 0; /* the devices are the array's now */
			paths_note(search, *array_out);
			rc = refuse_undoing(search, *array_out, how->access, err);
			if (rc)
				array_close(*array_out);
		}
	}
	cli_members_close(&members);
	return rc;
}

int cli_array_open_as(struct array **array_out, const struct invocation *inv, const char *name,
		      const struct open_how *how, struct err *err)
{
	struct search search = { .inv = inv };
	int rc;

	if (layout_path_is(name)) {
		array_paths_clear(inv->paths);
		return layout_open(array_out, inv->paths->at, inv, name, how, err);
	}
	rc = search_run(&search, name, err);
	if (rc)
		dev_close(how->target);
	else if (search.array.maker == MAKER_MD)
		rc = md_search_open(array_out, &search, how, err);
	else
		rc = native_search_open(array_out, &search, how, err);
	candidates_free(&search.candidates);
	return rc;
}

static struct found_array *found_array_of(struct found_arrays *arrays, const struct candidate *one)
{
	struct found_array *grown;
	struct identity array = { 0 };

	(void)candidate_identity(&array, one); /* what a directory gives has one */
	for (size_t i = 0; i < arrays->count; i++) {
		if (arrays->at[i].md == (array.maker == MAKER_MD) &&
		    uuid_equal(&arrays->at[i].uuid, &array.uuid))
			return &arrays->at[i];
	}
	grown = mem_realloc(arrays->at, arrays->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	arrays->at = grown;
	grown += arrays->count;
	*grown = (struct found_array){
		.uuid = array.uuid,
		.path = mem_strdup(one->path),
		.md = array.maker == MAKER_MD,
	};
	if (!grown->path)
		return NULL;
	arrays->count++;
	return grown;
}

int cli_arrays_find(struct found_arrays *arrays, const struct invocation *inv,
		    const char *directory, struct err *err)
{
	struct candidate_vec candidates = { 0 };
	const struct scan_how how = search_how(inv);
	int rc = scan_directory(&candidates, &how, directory, err);

	candidates_settle(&candidates);
	for (size_t i = 0; rc == 0 && i < candidates.count; i++) {
		const struct candidate *one = &candidates.at[i];
		const struct array_probe *probe = &one->probe;
		struct found_array *found = found_array_of(arrays, one);
		uint64_t generation;

		if (!found) {
			rc = err_set(err, ERR_NOMEM, "%s: no memory", directory);
			break;
		}
		found->members_found++;
		found->adopted |= one->record != NULL;
		found->half |= candidate_is_half(one);
		generation = probe->generation;
		if (found->md && candidate_md(one))
			generation = candidate_md(one)->member.events;
		if (probe->epoch > found->epoch || found->members_found == 1 ||
		    (probe->epoch == found->epoch && generation > found->generation)) {
			found->epoch = probe->epoch;
			found->generation = generation;
			candidate_name(found->name, one);
		}
	}
	candidates_free(&candidates);
	return rc;
}

void cli_arrays_reset(struct found_arrays *arrays)
{
	for (size_t i = 0; i < arrays->count; i++)
		mem_free(arrays->at[i].path);
	mem_free(arrays->at);
	*arrays = (struct found_arrays){ 0 };
}

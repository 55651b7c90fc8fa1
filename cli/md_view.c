/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/md_view.h"

#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the members of an array");
}

void md_view_free(struct md_view *view)
{
	if (!view)
		return;
	md_write_free(view->write);
	md_sets_reset(&view->sets);
	for (uint32_t i = 0; i < view->device_count; i++) {
		md_probe_reset(&view->devices[i].probe);
		mem_free(view->devices[i].path);
	}
	mem_free(view->devices);
	mem_free(view->paths);
	mem_free(view);
}

const struct md_view_device *md_view_seated(const struct md_view *view, uint32_t slot)
{
	const struct md_set_member *entry;

	assert(slot < view->seats.count);
	entry = view->seats.at[slot].entry;
	return entry ? &view->devices[entry->device] : NULL;
}

bool md_view_logs_are_empty(const struct md_view *view)
{
	for (uint32_t slot = 0; slot < view->seats.count; slot++) {
		const struct md_view_device *device = md_view_seated(view, slot);

		if (device && (!device->found->ppl_found || device->found->ppl.entry_count > 0))
			return false;
	}
	return view->seats.count > 0;
}

bool md_view_unproven(const struct md_view *view, uint64_t *bytes_out)
{
	const struct md_member *newest = view->set->newest;
	uint64_t most = 0;
	bool known = false;

	if (newest->clean || (newest->has_ppl && !md_view_logs_are_empty(view)) ||
	    newest->has_journal || !md_level_is_redundant(newest->shape.level))
		return false;
	for (uint32_t i = 0; i < view->set->member_count; i++) {
		const struct md_set_member *entry = &view->set->members[i];
		const struct md_found *found = view->devices[entry->device].found;

		if (entry->verdict != MD_VERDICT_CURRENT || !found->dirty_known)
			continue;
		known = true;
		most = size_max(most, found->dirty_chunks * found->bitmap.chunk_bytes);
	}
	*bytes_out = known ? most : UINT64_MAX;
	return true;
}

const char *md_view_state(const struct md_view *view, const struct md_set_member *entry)
{
	const struct md_member *member = entry->member;

	if (entry->verdict == MD_VERDICT_STALE && member->slot < view->seats.count &&
	    view->seats.at[member->slot].entry == entry)
		return "stale-accepted";
	if (entry->verdict == MD_VERDICT_RECOVERING && member->replacement)
		return "replacing";
	return md_verdict_name(entry->verdict);
}

/* The candidates become devices, in their order. */
static int devices_take(struct md_view *view, struct candidate_vec *candidates, struct err *err)
{
	view->devices = mem_calloc(candidates->count, sizeof(*view->devices));
	view->paths = mem_calloc(candidates->count, sizeof(*view->paths));
	if (!view->devices || !view->paths)
		return no_memory(err);
	for (size_t i = 0; i < candidates->count; i++) {
		struct candidate *one = &candidates->at[i];
		struct md_view_device *device = &view->devices[view->device_count++];

		device->found = candidate_md(one);
		device->path = one->path;
		device->probe = one->md;
		view->paths[i] = device->path;
		one->path = NULL;
		one->md = (struct md_probe){ 0 };
	}
	return 0;
}

static int devices_compare(struct md_view *view, struct err *err)
{
	struct md_set_input *inputs = mem_calloc(view->device_count, sizeof(*inputs));
	int rc;

	if (!inputs)
		return no_memory(err);
	for (uint32_t i = 0; i < view->device_count; i++)
		inputs[i] = (struct md_set_input){ &view->devices[i].found->member, i };
	rc = md_sets_compare(&view->sets, inputs, view->device_count, err);
	mem_free(inputs);
	if (rc)
		return rc;
	/* Formats 0.90 and 1.x with one uuid are two arrays: the one that has more members. */
	view->set = &view->sets.at[0];
	for (uint32_t i = 1; i < view->sets.count; i++) {
		if (view->sets.at[i].member_count > view->set->member_count)
			view->set = &view->sets.at[i];
	}
	return 0;
}

static bool is_named(const struct md_view *view, const struct md_set_member *entry,
		     const char *text)
{
	char slot[16];

	snprintf(slot, sizeof(slot), "%u", entry->member->slot);
	return strcmp(text, view->paths[entry->device]) == 0 ||
	       (entry->member->role == MD_ROLE_SLOT && strcmp(text, slot) == 0);
}

/* What md_seats_choose() asks about. */
struct accepting {
	const struct md_view *view;
	const struct text_list *named;
};

static bool is_accepted(void *arg, const struct md_set_member *stale)
{
	const struct accepting *accepting = arg;

	for (size_t i = 0; i < accepting->named->count; i++) {
		if (is_named(accepting->view, stale, accepting->named->at[i]))
			return true;
	}
	return false;
}

/* Each that is to be accepted is a stale member. */
static int accepted_check(const struct md_view *view, const struct text_list *named,
			  struct err *err)
{
	for (size_t i = 0; i < named->count; i++) {
		const struct md_set_member *other = NULL;
		bool stale = false;

		for (uint32_t m = 0; m < view->set->member_count; m++) {
			const struct md_set_member *entry = &view->set->members[m];

			if (!is_named(view, entry, named->at[i]))
				continue;
			stale |= entry->verdict == MD_VERDICT_STALE;
			other = entry;
		}
		if (stale)
			continue;
		if (!other)
			return err_set(err, ERR_NOT_FOUND,
				       "--accept-stale %s: no member of the array", named->at[i]);
		return err_set(err, ERR_STATE, "--accept-stale %s: the member is %s", named->at[i],
			       md_verdict_name(other->verdict));
	}
	return 0;
}

int md_view_make(struct md_view **view_out, struct candidate_vec *candidates,
		 const struct text_list *accept_stale, struct err *err)
{
	struct md_view *view = mem_calloc(1, sizeof(*view));
	struct accepting accepting = { view, accept_stale };
	int rc;

	assert(candidates->count > 0);
	if (!view)
		return no_memory(err);
	rc = devices_take(view, candidates, err);
	if (rc == 0)
		rc = devices_compare(view, err);
	if (rc == 0)
		rc = md_seats_choose(&view->seats, view->set, is_accepted, &accepting, err);
	if (rc == 0)
		rc = accepted_check(view, accept_stale, err);
	if (rc)
		md_view_free(view);
	else
		*view_out = view;
	return rc;
}

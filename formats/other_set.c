/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/other_set.h"

#include "core/base/mem.h"

#include <string.h>

static bool is_same_set(const struct other_found *one, const struct other_found *other)
{
	return one->format == other->format && strcmp(one->uuid, other->uuid) == 0;
}

static struct other_set *set_find(struct other_sets *sets, const struct other_found *found)
{
	for (uint32_t i = 0; i < sets->count; i++) {
		if (is_same_set(sets->at[i].newest, found))
			return &sets->at[i];
	}
	return NULL;
}

static bool member_add(struct other_sets *sets, const struct other_input *input)
{
	struct other_set *set = set_find(sets, input->found);
	struct other_input *grown;

	if (!set) {
		set = &sets->at[sets->count++];
		set->newest = input->found;
	}
	grown = mem_realloc(set->members, set->member_count + 1, sizeof(*grown));
	if (!grown)
		return false;
	set->members = grown;
	set->members[set->member_count++] = *input;
	if (input->found->generation > set->newest->generation)
		set->newest = input->found;
	return true;
}

static bool is_here(const struct other_set *set, const char *id)
{
	for (uint32_t i = 0; i < set->member_count; i++) {
		if (strcmp(set->members[i].found->member, id) == 0)
			return true;
	}
	return false;
}

static bool is_listed(const struct fact_tree *tree, const char *id)
{
	for (uint32_t i = 0; i < tree->count; i++) {
		if (strcmp(tree_chars(tree, &tree->at[i]), id) == 0)
			return true;
	}
	return false;
}

/*
 * What the newest expects, and in ZFS, where a label knows its own top-level vdev only, what those as new do.
 * Where a device cannot be told from others nobody is known to be missing.
 */
static void missing_find(struct other_set *set)
{
	for (uint32_t i = 0; i < set->member_count; i++) {
		if (!set->members[i].found->member[0])
			return;
	}
	for (uint32_t i = 0; i < set->member_count; i++) {
		const struct other_found *found = set->members[i].found;

		for (uint32_t at = 0;
		     found->generation == set->newest->generation && at < found->expected.count;
		     at++) {
			const char *id = tree_chars(&found->expected, &found->expected.at[at]);

			if (id[0] && !is_here(set, id) && !is_listed(&set->missing, id))
				tree_text(&set->missing, NULL, "%s", id);
		}
	}
}

int other_sets_compare(struct other_sets *sets_out, const struct other_input *inputs,
		       uint32_t count, struct err *err)
{
	struct other_sets sets = { .at = mem_calloc(count, sizeof(*sets.at)) };
	bool failed = !sets.at;

	for (uint32_t i = 0; !failed && i < count; i++) {
		if (inputs[i].found->uuid[0])
			failed = !member_add(&sets, &inputs[i]);
	}
	for (uint32_t i = 0; !failed && i < sets.count; i++) {
		missing_find(&sets.at[i]);
		failed = sets.at[i].missing.failed;
	}
	if (failed) {
		other_sets_reset(&sets);
		return err_set(err, ERR_NOMEM, "no memory to compare %u devices", count);
	}
	*sets_out = sets;
	return 0;
}

void other_sets_reset(struct other_sets *sets)
{
	for (uint32_t i = 0; i < sets->count; i++) {
		mem_free(sets->at[i].members);
		tree_reset(&sets->at[i].missing);
	}
	mem_free(sets->at);
	*sets = (struct other_sets){ 0 };
}

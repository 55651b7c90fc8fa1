/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_set.h"

#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <string.h>

const char *md_verdict_name(enum md_verdict verdict)
{
	static const char *const names[] = {
		"current", "recovering", "spare",     "journal",   "stale",
		"faulty",  "damaged",    "duplicate", "different",
	};

	return names[verdict];
}

const char *md_health_name(enum md_health health)
{
	static const char *const names[] = { "healthy", "degraded", "broken" };

	return names[health];
}

/* Formats 0.90 and 1.x do not mix in one array. */
static bool same_array(const struct md_member *a, const struct md_member *b)
{
	return uuid_equal(&a->array, &b->array) &&
	       (a->metadata == MD_METADATA_0_90) == (b->metadata == MD_METADATA_0_90);
}

static bool same_shape(const struct md_member *a, const struct md_member *b)
{
	return a->shape.level == b->shape.level && a->shape.layout == b->shape.layout &&
	       a->shape.chunk_bytes == b->shape.chunk_bytes &&
	       a->shape.raid_disks == b->shape.raid_disks &&
	       a->shape.component_sectors == b->shape.component_sectors &&
	       a->reshaping == b->reshaping && a->metadata == b->metadata;
}

/* Whose count of events is the array's: not that of a spare or of a device that failed. */
static bool has_say(const struct md_member *member)
{
	return md_member_is_sound(member) && member->role == MD_ROLE_SLOT;
}

/* How many sound members describe the array as this one does. */
static uint32_t support_of(const struct md_set *set, const struct md_member *member)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < set->member_count; i++)
		count += md_member_is_sound(set->members[i].member) &&
			 same_shape(set->members[i].member, member);
	return count;
}

/* Members in slots before spares, then the newer one, then what most say. */
static bool is_better(const struct md_set *set, const struct md_member *member,
		      const struct md_member *best)
{
	if (has_say(member) != has_say(best))
		return has_say(member);
	if (member->events != best->events)
		return member->events > best->events;
	return support_of(set, member) > support_of(set, best);
}

static void newest_find(struct md_set *set)
{
	for (uint32_t i = 0; i < set->member_count; i++) {
		const struct md_member *member = set->members[i].member;

		if (md_member_is_sound(member) &&
		    (!set->newest || is_better(set, member, set->newest)))
			set->newest = member;
	}
}

static enum md_verdict verdict_of(const struct md_set *set, const struct md_set_member *entry)
{
	const struct md_member *member = entry->member;

	if (!md_member_is_sound(member))
		return MD_VERDICT_DAMAGED;
	if (member->role == MD_ROLE_FAULTY)
		return MD_VERDICT_FAULTY;
	if (member->role == MD_ROLE_SPARE)
		return MD_VERDICT_SPARE;
	if (entry->events_behind > MD_SET_EVENTS_BEHIND)
		return MD_VERDICT_STALE;
	if (!same_shape(member, set->newest))
		return MD_VERDICT_DIFFERENT;
	if (member->role == MD_ROLE_JOURNAL)
		return MD_VERDICT_JOURNAL;
	if (member->slot >= set->slot_count)
		return MD_VERDICT_DIFFERENT;
	if (entry->events_behind && set->newest->slots[member->slot] == MD_SLOT_MISSING)
		return MD_VERDICT_STALE;
	if (!member->in_sync)
		return MD_VERDICT_RECOVERING;
	return set->present[member->slot] ? MD_VERDICT_DUPLICATE : MD_VERDICT_CURRENT;
}

/* Members that say the same slot: of two that are current the newer one holds it, the first of equals. */
static void verdicts_set(struct md_set *set)
{
	for (uint32_t behind = 0; behind <= MD_SET_EVENTS_BEHIND; behind++) {
		for (uint32_t i = 0; i < set->member_count; i++) {
			struct md_set_member *entry = &set->members[i];

			if (size_min(entry->events_behind, MD_SET_EVENTS_BEHIND) != behind)
				continue;
			entry->verdict = verdict_of(set, entry);
			if (entry->verdict == MD_VERDICT_CURRENT)
				set->present[entry->member->slot] = true;
		}
	}
}

/* What is behind the events of the newest; a spare's own count says nothing. */
static void events_compare(struct md_set *set)
{
	for (uint32_t i = 0; i < set->member_count; i++) {
		struct md_set_member *entry = &set->members[i];

		if (set->newest && entry->member->events < set->newest->events)
			entry->events_behind = set->newest->events - entry->member->events;
	}
}

/* Those levels add up what their members give: all of them must be here. */
static bool members_sum(uint64_t *bytes_out, const struct md_set *set)
{
	uint64_t sectors = 0, bytes;

	if (set->degraded)
		return false;
	for (uint32_t i = 0; i < set->member_count; i++) {
		if (set->members[i].verdict == MD_VERDICT_CURRENT &&
		    !size_add(sectors, set->members[i].member->data_sectors, &sectors))
			return false;
	}
	if (!size_multiply(sectors, MD_SECTOR, &bytes))
		return false;
	*bytes_out = bytes;
	return true;
}

static void set_judge(struct md_set *set)
{
	const struct md_shape *shape = &set->newest->shape;

	for (uint32_t slot = 0; slot < set->slot_count; slot++)
		set->degraded += !set->present[slot];
	if (set->degraded == 0)
		set->health = MD_HEALTHY;
	else
		set->health = md_slots_suffice(shape, set->present) ? MD_DEGRADED : MD_BROKEN;
	if (shape->level == MD_LINEAR || shape->level == MD_RAID0)
		set->array_bytes_known = members_sum(&set->array_bytes, set);
	else
		set->array_bytes_known = md_member_array_bytes(&set->array_bytes, set->newest);
}

static int set_finish(struct md_set *set)
{
	set->health = MD_BROKEN;
	newest_find(set);
	if (!set->newest)
		return 0; /* every verdict is "damaged" by the caller's loop below */
	set->slot_count = set->newest->slot_count;
	set->present = mem_calloc(set->slot_count, sizeof(*set->present));
	if (!set->present)
		return ERR_NOMEM;
	events_compare(set);
	verdicts_set(set);
	set_judge(set);
	return 0;
}

static int member_add(struct md_set *set, const struct md_set_input *input)
{
	struct md_set_member *grown =
		mem_realloc(set->members, set->member_count + 1, sizeof(*grown));

	if (!grown)
		return ERR_NOMEM;
	set->members = grown;
	set->members[set->member_count++] = (struct md_set_member){
		.member = input->member,
		.device = input->device,
		.verdict = MD_VERDICT_DAMAGED,
	};
	return 0;
}

static struct md_set *set_for(struct md_sets *sets, const struct md_member *member)
{
	struct md_set *grown;

	for (uint32_t i = 0; i < sets->count; i++) {
		if (same_array(sets->at[i].members[0].member, member))
			return &sets->at[i];
	}
	grown = mem_realloc(sets->at, sets->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	sets->at = grown;
	sets->at[sets->count] = (struct md_set){ 0 };
	return &sets->at[sets->count];
}

int md_sets_compare(struct md_sets *sets_out, const struct md_set_input *inputs, uint32_t count,
		    struct err *err)
{
	struct md_sets sets = { 0 };
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		struct md_set *set = set_for(&sets, inputs[i].member);

		rc = set ? member_add(set, &inputs[i]) : ERR_NOMEM;
		if (rc == 0 && set == &sets.at[sets.count])
			sets.count++;
	}
	for (uint32_t i = 0; rc == 0 && i < sets.count; i++)
		rc = set_finish(&sets.at[i]);
	if (rc) {
		md_sets_reset(&sets);
		return err_set(err, rc, "no memory to compare MD members");
	}
	*sets_out = sets;
	return 0;
}

void md_sets_reset(struct md_sets *sets)
{
	for (uint32_t i = 0; i < sets->count; i++) {
		mem_free(sets->at[i].members);
		mem_free(sets->at[i].present);
	}
	mem_free(sets->at);
	*sets = (struct md_sets){ 0 };
}

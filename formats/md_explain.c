/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_explain.h"

#include "core/base/size.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define PATH_SHOWN 200 /* characters */

static void say(struct md_sentences *sentences, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct md_sentences *sentences, const char *format, ...)
{
	va_list values;

	if (sentences->count == MD_SENTENCES_MAX) {
		snprintf(sentences->at[MD_SENTENCES_MAX - 1], MD_SENTENCE_SIZE,
			 "there is more to say than fits here");
		return;
	}
	va_start(values, format);
	vsnprintf(sentences->at[sentences->count++], MD_SENTENCE_SIZE, format, values);
	va_end(values);
}

static void faults_explain(struct md_sentences *sentences, const struct md_faults *faults)
{
	uint64_t shown = size_min(faults->count, MD_FAULTS_MAX);

	for (uint64_t i = 0; i < shown; i++)
		say(sentences, "fault: %s: %s", faults->at[i].field, faults->at[i].text);
	if (faults->count > shown)
		say(sentences, "fault: %u more", faults->count - (uint32_t)shown);
}

static void clean_explain(struct md_sentences *sentences, const struct md_found *found)
{
	const struct md_member *member = &found->member;

	if (member->clean || !md_level_is_redundant(member->shape.level))
		return;
	if (found->ppl_found)
		say(sentences,
		    "not stopped in order: the partial parity log names the %u ranges that were "
		    "being written",
		    found->ppl.entry_count);
	else if (found->dirty_known)
		say(sentences,
		    "not stopped in order: parity or copies may be out of step in the %" PRIu64
		    " dirty chunks of the bitmap",
		    found->dirty_chunks);
	else if (member->has_journal)
		say(sentences, "not stopped in order: the journal has what was being written");
	else if (member->resync_start)
		say(sentences,
		    "not stopped in order: parity or copies may be out of step from sector %" PRIu64
		    " of the members on",
		    member->resync_start);
	else
		say(sentences,
		    "not stopped in order: parity or copies may be out of step anywhere");
}

static void reshape_explain(struct md_sentences *sentences, const struct md_member *member)
{
	char before[MD_LAYOUT_NAME_SIZE], after[MD_LAYOUT_NAME_SIZE];

	if (!member->reshaping)
		return;
	md_layout_name(before, member->before.level, member->before.layout);
	md_layout_name(after, member->after.level, member->after.layout);
	say(sentences,
	    "being reshaped from level %" PRId32 " %s, %u members, chunk %" PRIu64
	    " to level %" PRId32 " %s, %u members, chunk %" PRIu64,
	    member->before.level, before, member->before.raid_disks, member->before.chunk_bytes,
	    member->after.level, after, member->after.raid_disks, member->after.chunk_bytes);
	say(sentences, "sectors of the array %s %" PRIu64 " have the new shape",
	    member->reshape_backwards ? "from" : "before", member->reshape_position);
}

static void role_explain(struct md_sentences *sentences, const struct md_member *member)
{
	char level[24];

	if (member->role == MD_ROLE_SPARE)
		say(sentences, "a spare: it holds no data of the array");
	else if (member->role == MD_ROLE_FAULTY)
		say(sentences, "it failed: its data count for nothing");
	else if (member->role == MD_ROLE_JOURNAL)
		say(sentences, "the write journal: no data of the array but what was just written");
	else if (!member->in_sync)
		say(sentences,
		    "%s: only its first %" PRIu64 " of %" PRIu64 " sectors of data count",
		    member->replacement ? "being filled to replace the member of its slot"
					: "being rebuilt",
		    member->recovery_start, member->data_sectors);
	if (member->role == MD_ROLE_SLOT)
		say(sentences, "one of %u members of a %s%s", member->shape.raid_disks,
		    md_member_level(level, member),
		    member->shape.level == MD_RAID1 ? "" : ": it needs others");
}

static void records_explain(struct md_sentences *sentences, const struct md_found *found)
{
	const struct md_member *member = &found->member;

	if (found->bad_blocks_found && found->bad_blocks.count)
		say(sentences, "%u ranges of this member are listed as bad",
		    found->bad_blocks.count);
	if (member->shape.level == MD_RAID0 && !member->raid0_layout_known)
		say(sentences, "the layout of this raid0 is not recorded: it matters where members "
			       "differ in size");
	if (member->has_journal && member->role != MD_ROLE_JOURNAL)
		say(sentences, "the array has a write journal on a device of its own");
}

static void others_explain(struct md_sentences *sentences, const struct md_probe *probe,
			   uint32_t which)
{
	for (uint32_t i = 0; i < probe->count; i++) {
		if (i != which)
			say(sentences,
			    "another MD superblock lies at offset %" PRIu64
			    ": which of them is in use cannot be seen here",
			    probe->at[i]->offset);
	}
}

void md_explain_found(struct md_sentences *sentences, const struct md_probe *probe, uint32_t which)
{
	const struct md_found *found = probe->at[which];

	if (found->decoded) {
		if (!found->is_md0 && found->md1.features & MD1_ADOPTED)
			say(sentences,
			    "pgctl has adopted this array, so Linux leaves it alone: pgctl status "
			    "opens it, pgctl adopt --undo gives it back until that is committed");
		faults_explain(sentences, &found->member.faults);
		faults_explain(sentences, &found->faults);
		clean_explain(sentences, found);
		reshape_explain(sentences, &found->member);
		role_explain(sentences, &found->member);
		records_explain(sentences, found);
	} else {
		say(sentences, "fault: %s", found->damage.text);
	}
	others_explain(sentences, probe, which);
}

static void member_explain(struct md_sentences *sentences, const struct md_set *set,
			   const struct md_set_member *entry, const char *path)
{
	const struct md_member *member = entry->member;

	switch (entry->verdict) {
	case MD_VERDICT_STALE:
		say(sentences,
		    "%.*s is stale by %" PRIu64 " events: it has %" PRIu64
		    ", the newest has %" PRIu64 "; what was written since is not on it",
		    PATH_SHOWN, path, entry->events_behind, member->events, set->newest->events);
		break;
	case MD_VERDICT_FAULTY:
		say(sentences, "%.*s says of itself that it failed", PATH_SHOWN, path);
		break;
	case MD_VERDICT_DAMAGED:
		say(sentences, "%.*s: its superblock has faults, it is left out", PATH_SHOWN, path);
		break;
	case MD_VERDICT_DUPLICATE:
		say(sentences, "%.*s: slot %u is held by another member that is as new", PATH_SHOWN,
		    path, member->slot);
		break;
	case MD_VERDICT_DIFFERENT:
		say(sentences, "%.*s is as new, but describes another array: it is left out",
		    PATH_SHOWN, path);
		break;
	case MD_VERDICT_RECOVERING:
		say(sentences, "%.*s holds the first %" PRIu64 " sectors of slot %u", PATH_SHOWN,
		    path, member->recovery_start, member->slot);
		break;
	case MD_VERDICT_CURRENT:
		if (entry->events_behind)
			say(sentences, "%.*s is %" PRIu64 " event behind, which counts as current",
			    PATH_SHOWN, path, entry->events_behind);
		break;
	case MD_VERDICT_SPARE:
		if (member->metadata == MD_METADATA_IMSM)
			say(sentences,
			    "%.*s: which slot it holds stands nowhere on it; name the file after "
			    "the serial number of the disk",
			    PATH_SHOWN, path);
		break;
	case MD_VERDICT_JOURNAL:
		break;
	}
}

static bool journal_is_here(const struct md_set *set)
{
	for (uint32_t i = 0; i < set->member_count; i++) {
		if (set->members[i].verdict == MD_VERDICT_JOURNAL)
			return true;
	}
	return false;
}

static void missing_explain(struct md_sentences *sentences, const struct md_set *set)
{
	for (uint32_t slot = 0; slot < set->slot_count; slot++) {
		bool active = set->newest->slots[slot] != MD_SLOT_MISSING;

		if (!set->present[slot])
			say(sentences, "slot %u is missing%s", slot,
			    active ? "" : ", as the newest superblock says");
	}
	if (set->newest->has_journal && !journal_is_here(set))
		say(sentences, "the write journal is missing: the last writes may be in it alone");
}

void md_explain_set(struct md_sentences *sentences, const struct md_set *set,
		    const char *const *paths)
{
	for (uint32_t i = 0; i < set->member_count; i++)
		member_explain(sentences, set, &set->members[i], paths[set->members[i].device]);
	if (!set->newest) {
		say(sentences, "no superblock of this array is without faults");
		return;
	}
	missing_explain(sentences, set);
	if (!set->newest->clean && md_level_is_redundant(set->newest->shape.level))
		say(sentences, "not stopped in order: inspect one member to see where it matters");
	reshape_explain(sentences, set->newest);
	if (set->health == MD_BROKEN)
		say(sentences, "too few members are here to read the array");
	else if (set->health == MD_DEGRADED && set->newest->shape.level == MD_CONTAINER)
		say(sentences,
		    "%u of %u disks are missing or do not count: what that costs, each volume's "
		    "health says",
		    set->degraded, set->slot_count);
	else if (set->health == MD_DEGRADED)
		say(sentences,
		    "%u of %u slots are without a current member: all data can still be read",
		    set->degraded, set->slot_count);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/inspect_md.h"

#include "core/base/mem.h"
#include "formats/md_explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct field bad_block_fields[] = {
	{ "first_sector", FIELD_COUNT, "FIRST SECTOR" },
	{ "sector_count", FIELD_COUNT, "SECTORS" },
	{ 0 },
};
static const struct field array_fields[] = {
	{ "uuid", FIELD_TEXT, "ARRAY" },         { "name", FIELD_TEXT, "NAME" },
	{ "metadata", FIELD_TEXT, "METADATA" },  { "level", FIELD_TEXT, "LEVEL" },
	{ "layout_name", FIELD_TEXT, "LAYOUT" }, { "raid_disks", FIELD_COUNT, "MEMBERS" },
	{ "array_bytes", FIELD_BYTES, "SIZE" },  { "events", FIELD_COUNT, "EVENTS" },
	{ "degraded", FIELD_COUNT, "DEGRADED" }, { "health", FIELD_TEXT, "HEALTH" },
	{ "members", FIELD_LIST, NULL },         { "missing", FIELD_LIST, NULL },
	{ "statements", FIELD_LIST, NULL },      { 0 },
};
static const struct field member_fields[] = {
	{ "path", FIELD_TEXT, "PATH" },
	{ "offset", FIELD_COUNT, NULL },
	{ "slot", FIELD_EITHER, "SLOT" },
	{ "events", FIELD_COUNT, "EVENTS" },
	{ "behind", FIELD_COUNT, "BEHIND" },
	{ "verdict", FIELD_TEXT, "VERDICT" },
	{ 0 },
};

static void words_show(struct out *out, const char *key, const char *words)
{
	char word[FACT_TEXT_MAX];

	out_texts_begin(out, key);
	while (*words) {
		size_t size = strcspn(words, ",");

		snprintf(word, sizeof(word), "%.*s", (int)size, words);
		out_texts_add(out, word);
		words += size;
		words += strspn(words, ", ");
	}
	out_texts_end(out);
}

static void fact_show(struct out *out, const struct fact *fact)
{
	switch (fact->kind) {
	case FACT_NUMBER:
		out_value(out, fact->name, fact->number);
		break;
	case FACT_SIGNED:
		out_value_signed(out, fact->name, fact->signed_number);
		break;
	case FACT_FLAG:
		out_value_flag(out, fact->name, fact->number);
		break;
	case FACT_TEXT:
		out_value_text(out, fact->name, fact->text);
		break;
	case FACT_WORDS:
		words_show(out, fact->name, fact->text);
		break;
	case FACT_NONE:
		out_value_none(out, fact->name);
		break;
	}
}

static void facts_show(struct out *out, const struct facts *facts)
{
	for (uint32_t i = 0; i < facts->count; i++)
		fact_show(out, &facts->at[i]);
}

static void bad_blocks_show(struct out *out, const struct md_bad_blocks *blocks)
{
	out_list_begin(out, "bad_blocks", bad_block_fields);
	for (uint32_t i = 0; i < blocks->count; i++) {
		out_number(out, blocks->at[i].first_sector);
		out_number(out, blocks->at[i].sector_count);
	}
	out_list_end(out);
}

/* The records beside the superblock, each as an object; `facts` is room to print them in. */
static void records_show(struct out *out, const struct md_found *found, struct facts *facts)
{
	if (found->bitmap_found) {
		facts->count = 0;
		md_bitmap_print(facts, &found->bitmap);
		out_object_begin(out, "bitmap");
		facts_show(out, facts);
		if (found->dirty_known)
			out_value(out, "dirty_chunks", found->dirty_chunks);
		else
			out_value_none(out, "dirty_chunks");
		out_object_end(out);
	}
	if (found->ppl_found) {
		facts->count = 0;
		md_ppl_print(facts, &found->ppl);
		out_object_begin(out, "ppl");
		facts_show(out, facts);
		out_object_end(out);
	}
	if (found->journal_found) {
		facts->count = 0;
		md_journal_print(facts, &found->journal);
		out_object_begin(out, "journal");
		facts_show(out, facts);
		out_object_end(out);
	}
	if (found->bad_blocks_found)
		bad_blocks_show(out, &found->bad_blocks);
}

static void faults_show(struct out *out, const struct md_found *found)
{
	const struct md_faults *lists[] = { &found->member.faults, &found->faults };
	char text[200];

	out_texts_begin(out, "faults");
	for (size_t list = 0; list < 2; list++) {
		for (uint32_t i = 0; i < lists[list]->count && i < MD_FAULTS_MAX; i++) {
			snprintf(text, sizeof(text), "%s: %s", lists[list]->at[i].field,
				 lists[list]->at[i].text);
			out_texts_add(out, text);
		}
	}
	if (!found->decoded)
		out_texts_add(out, found->damage.text);
	out_texts_end(out);
}

static void statements_show(struct out *out, const struct md_sentences *sentences)
{
	out_texts_begin(out, "statements");
	for (uint32_t i = 0; i < sentences->count; i++)
		out_texts_add(out, sentences->at[i]);
	out_texts_end(out);
}

/* What fits into a cell of text. */
static void brief_show(struct out *out, const struct md_found *found)
{
	const struct md_member *member = &found->member;
	char level[24];

	out_value_text(out, "metadata", md_metadata_name(member->metadata));
	out_value_text(out, "level", md_member_level(level, member));
	if (member->role == MD_ROLE_SLOT)
		out_value(out, "slot", member->slot);
	out_value(out, "events", member->events);
	out_value(out, "faults", found->member.faults.count + found->faults.count);
}

static int full_show(struct out *out, const struct md_found *found, struct err *err)
{
	struct facts *facts = mem_calloc(1, sizeof(*facts));

	if (!facts)
		return err_set(err, ERR_NOMEM, "no memory to show an MD superblock");
	md_found_print(facts, found);
	facts_show(out, facts);
	records_show(out, found, facts);
	mem_free(facts);
	return 0;
}

/* In JSON all of it, statements too. */
static int details_show(struct out *out, const struct md_probe *probe, uint32_t which,
			struct err *err)
{
	const struct md_found *found = probe->at[which];
	struct md_sentences *sentences;
	int rc = 0;

	if (!out_is_json(out)) {
		if (found->decoded)
			brief_show(out, found);
		else
			out_value_text(out, "damage", found->damage.text);
		return 0;
	}
	sentences = mem_calloc(1, sizeof(*sentences));
	if (!sentences)
		return err_set(err, ERR_NOMEM, "no memory to explain an MD superblock");
	if (found->decoded)
		rc = full_show(out, found, err);
	md_explain_found(sentences, probe, which);
	faults_show(out, found);
	statements_show(out, sentences);
	mem_free(sentences);
	return rc;
}

int inspect_md_rows(struct out *out, const struct md_probe *probe, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < probe->count; i++) {
		const struct md_found *found = probe->at[i];
		char uuid[MD_UUID_TEXT_SIZE];

		out_text(out, MD_TYPE);
		out_number(out, found->offset);
		md_uuid_text(uuid, &found->member.array);
		out_text(out, found->decoded ? uuid : NULL);
		out_text(out, found->member.name[0] ? found->member.name : NULL);
		out_object_begin(out, "details");
		rc = details_show(out, probe, i, err);
		out_object_end(out);
	}
	return rc;
}

int inspect_md_explain(struct out *out, const struct md_probe *probe, struct err *err)
{
	struct md_sentences *sentences;
	int rc = 0;

	if (out_is_json(out) || probe->count == 0)
		return 0;
	sentences = mem_calloc(1, sizeof(*sentences));
	if (!sentences)
		return err_set(err, ERR_NOMEM, "no memory to explain an MD superblock");
	for (uint32_t i = 0; rc == 0 && i < probe->count; i++) {
		char head[64];

		snprintf(head, sizeof(head), MD_TYPE " at offset %" PRIu64, probe->at[i]->offset);
		if (probe->at[i]->decoded) {
			out_object_begin(out, head);
			rc = full_show(out, probe->at[i], err);
			out_object_end(out);
		}
		sentences->count = 0;
		md_explain_found(sentences, probe, i);
		for (uint32_t at = 0; at < sentences->count; at++)
			out_line(out, "%s: %s", head, sentences->at[at]);
	}
	mem_free(sentences);
	return rc;
}

static void slot_show(struct out *out, const struct md_member *member)
{
	if (member->role == MD_ROLE_SLOT)
		out_number(out, member->slot);
	else
		out_text(out, member->role == MD_ROLE_JOURNAL ? "journal" : "none");
}

static void members_show(struct out *out, const struct md_set *set, const char *const *paths)
{
	out_list_begin(out, "members", member_fields);
	for (uint32_t i = 0; i < set->member_count; i++) {
		const struct md_set_member *entry = &set->members[i];

		out_text(out, paths[entry->device]);
		out_number(out, entry->member->super_sector * MD_SECTOR);
		slot_show(out, entry->member);
		out_number(out, entry->member->events);
		out_number(out, entry->events_behind);
		out_text(out, md_verdict_name(entry->verdict));
	}
	out_list_end(out);
}

static void number_or_none(struct out *out, bool known, uint64_t number)
{
	if (known)
		out_number(out, number);
	else
		out_none(out);
}

static void array_show(struct out *out, const struct md_set *set, const char *const *paths,
		       const struct md_sentences *sentences)
{
	/* All damaged: what the first one seems to say. */
	const struct md_member *member = set->newest ? set->newest : set->members[0].member;
	char uuid[MD_UUID_TEXT_SIZE], layout[MD_LAYOUT_NAME_SIZE], level[24];
	bool redundant = md_level_is_redundant(member->shape.level);

	md_uuid_text(uuid, &member->array);
	md_layout_name(layout, member->shape.level, member->shape.layout);
	out_text(out, uuid);
	out_text(out, member->name[0] ? member->name : NULL);
	out_text(out, md_metadata_name(member->metadata));
	out_text(out, md_member_level(level, member));
	out_text(out, layout[0] ? layout : NULL);
	out_number(out, member->shape.raid_disks);
	number_or_none(out, set->array_bytes_known, set->array_bytes);
	out_number(out, member->events);
	number_or_none(out, set->newest && redundant, set->degraded);
	out_text(out, md_health_name(set->health));
	members_show(out, set, paths);
	out_texts_begin(out, "missing");
	for (uint32_t slot = 0; slot < set->slot_count; slot++) {
		if (!set->present[slot])
			out_texts_add_number(out, slot);
	}
	out_texts_end(out);
	statements_show(out, sentences);
}

static int sets_show(struct out *out, const struct md_sets *sets, const char *const *paths,
		     struct err *err)
{
	struct md_sentences *sentences = mem_calloc(sets->count, sizeof(*sentences));

	if (!sentences)
		return err_set(err, ERR_NOMEM, "no memory to explain MD arrays");
	for (uint32_t i = 0; i < sets->count; i++)
		md_explain_set(&sentences[i], &sets->at[i], paths);
	out_list_begin(out, "arrays", array_fields);
	for (uint32_t i = 0; i < sets->count; i++)
		array_show(out, &sets->at[i], paths, &sentences[i]);
	out_list_end(out);
	for (uint32_t i = 0; !out_is_json(out) && i < sets->count; i++) {
		members_show(out, &sets->at[i], paths);
		for (uint32_t at = 0; at < sentences[i].count; at++)
			out_line(out, "%s", sentences[i].at[at]);
	}
	mem_free(sentences);
	return 0;
}

static uint32_t found_count(const struct md_inspected *devices, size_t count)
{
	uint32_t found = 0;

	for (size_t i = 0; i < count; i++) {
		for (uint32_t at = 0; at < devices[i].probe.count; at++)
			found += devices[i].probe.at[at]->decoded;
	}
	return found;
}

int inspect_md_compare(struct out *out, const struct md_inspected *devices, size_t count,
		       struct err *err)
{
	uint32_t input_count = found_count(devices, count), at = 0;
	struct md_set_input *inputs = mem_calloc(input_count, sizeof(*inputs));
	const char **paths = mem_calloc(count, sizeof(*paths));
	struct md_sets sets = { 0 };
	int rc = 0;

	if (!inputs || !paths)
		rc = err_set(err, ERR_NOMEM, "no memory to compare MD members");
	for (size_t i = 0; rc == 0 && i < count; i++) {
		paths[i] = devices[i].path;
		for (uint32_t which = 0; which < devices[i].probe.count; which++) {
			const struct md_found *found = devices[i].probe.at[which];

			if (found->decoded)
				inputs[at++] = (struct md_set_input){ &found->member, (uint32_t)i };
		}
	}
	if (rc == 0)
		rc = md_sets_compare(&sets, inputs, input_count, err);
	if (rc == 0 && sets.count)
		rc = sets_show(out, &sets, paths, err);
	md_sets_reset(&sets);
	mem_free(paths);
	mem_free(inputs);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/lvm_print.h"

#include "core/base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_SIZE 136u            /* names of LVM have at most 127 characters */
#define EFFORT_MAX UINT64_C(50000000) /* a group of 1,000 disks and 10,000 volumes takes a fifth */
#define AREA_DEPTH_MAX 6u             /* a volume on volumes on … on physical volumes */

static void list_print(struct fact_tree *facts, const char *key, const struct lvm_node_vec *nodes,
		       uint32_t section, const char *name)
{
	uint32_t list = lvm_find(nodes, section, name, LVM_LIST);
	char text[256];

	tree_texts_begin(facts, key);
	for (uint32_t i = list + 1; list != LVM_NO_NODE && i < nodes->at[list].end; i++) {
		lvm_node_text(text, sizeof(text), &nodes->at[i]);
		tree_text(facts, NULL, "%s", text);
	}
	tree_end(facts);
}

static void string_print(struct fact_tree *facts, const char *key, const struct lvm_node_vec *nodes,
			 uint32_t section, const char *name)
{
	char text[256];

	lvm_string(text, sizeof(text), nodes, section, name);
	tree_text_or_none(facts, key, text);
}

static bool list_has(const struct lvm_node_vec *nodes, uint32_t section, const char *name,
		     const char *word)
{
	uint32_t list = lvm_find(nodes, section, name, LVM_LIST);
	char text[64];

	for (uint32_t i = list + 1; list != LVM_NO_NODE && i < nodes->at[list].end; i++) {
		lvm_node_text(text, sizeof(text), &nodes->at[i]);
		if (strcmp(text, word) == 0)
			return true;
	}
	return false;
}

/* MISSING was a flag of the status once. */
static bool is_missing(const struct lvm_node_vec *nodes, uint32_t volume)
{
	return list_has(nodes, volume, "flags", "MISSING") ||
	       list_has(nodes, volume, "status", "MISSING");
}

static void areas_print(struct fact_tree *facts, const char *key, const struct lvm_area *areas,
			uint32_t count)
{
	tree_list_begin(facts, key);
	for (uint32_t i = 0; i < count; i++) {
		tree_row_begin(facts);
		tree_number(facts, "offset", areas[i].offset);
		tree_number(facts, "size", areas[i].size);
		tree_end(facts);
	}
	tree_end(facts);
}

static const char *text_state(const struct lvm_area_found *area)
{
	if (area->header.copy_count == 0)
		return "none";
	if (area->header.copies[0].flags & LVM_COPY_IGNORED)
		return "ignored";
	return area->text_right ? "correct" : "wrong sum";
}

static void metadata_area_row(struct fact_tree *facts, const struct lvm_area *place,
			      const struct lvm_area_found *area)
{
	const char *header = area->header.sum_right ? "correct" : "wrong sum";

	tree_row_begin(facts);
	tree_number(facts, "offset", place->offset);
	tree_number(facts, "size", area->decoded ? area->header.size : place->size);
	tree_text(facts, "header", "%s", area->decoded ? header : "none");
	tree_text(facts, "text", "%s", text_state(area));
	tree_number(facts, "text_offset", area->header.copies[0].offset);
	tree_number(facts, "text_bytes", area->header.copies[0].size);
	tree_number(facts, "seqno", area->seqno);
	tree_flag(facts, "being_written", area->header.copy_count > 1);
	tree_end(facts);
}

static void label_print(struct fact_tree *facts, const struct lvm *lvm)
{
	const struct lvm_label *label = &lvm->label;
	char id[LVM_ID_TEXT_SIZE];

	lvm_id_text(id, label->id);
	tree_number(facts, "label_sector", label->sector);
	tree_text(facts, "label_checksum_state", "%s", label->sum_right ? "correct" : "wrong");
	tree_text(facts, "pv_uuid", "%s", id);
	tree_number(facts, "device_bytes", label->device_size);
	tree_number(facts, "extension_version", label->extension_version);
	tree_number(facts, "extension_flags", label->extension_flags);
	areas_print(facts, "data_areas", label->data, label->data_count);
	areas_print(facts, "boot_loader_areas", label->boot, label->boot_count);
	tree_list_begin(facts, "metadata_areas");
	for (uint32_t i = 0; i < label->metadata_count; i++)
		metadata_area_row(facts, &label->metadata[i], &lvm->areas[i]);
	tree_end(facts);
}

static void group_print(struct fact_tree *facts, const struct lvm *lvm)
{
	const struct lvm_node_vec *nodes = &lvm->nodes;
	uint32_t group = lvm->group;
	uint64_t sectors = lvm_number(nodes, group, "extent_size");

	string_print(facts, "vg_uuid", nodes, group, "id");
	tree_number(facts, "seqno", lvm->seqno);
	string_print(facts, "format", nodes, group, "format");
	list_print(facts, "status", nodes, group, "status");
	list_print(facts, "flags", nodes, group, "flags");
	string_print(facts, "system_id", nodes, group, "system_id");
	string_print(facts, "lock_type", nodes, group, "lock_type");
	tree_number(facts, "extent_sectors", sectors);
	tree_number(facts, "max_lv", lvm_number(nodes, group, "max_lv"));
	tree_number(facts, "max_pv", lvm_number(nodes, group, "max_pv"));
	tree_number(facts, "metadata_copies", lvm_number(nodes, group, "metadata_copies"));
	string_print(facts, "description", nodes, LVM_NO_NODE, "description");
	string_print(facts, "creation_host", nodes, LVM_NO_NODE, "creation_host");
	tree_number(facts, "creation_time", lvm_number(nodes, LVM_NO_NODE, "creation_time"));
}

/* The next section inside `parent` from `at` on; LVM_NO_NODE at the end. */
static uint32_t section_next(const struct lvm_node_vec *nodes, uint32_t parent, uint32_t at)
{
	if (parent == LVM_NO_NODE)
		return LVM_NO_NODE;
	for (at = at ? nodes->at[at].end : parent + 1; at < nodes->at[parent].end;
	     at = nodes->at[at].end) {
		if (nodes->at[at].kind == LVM_SECTION)
			return at;
	}
	return LVM_NO_NODE;
}

/* What the segments of a volume lie on: pairs of name and extent, pairs of metadata and data, or names alone. */
static uint32_t segment_areas(const struct lvm_node_vec *nodes, uint32_t segment)
{
	static const char *const names[] = { "stripes", "raids", "raid0_lvs", "mirrors" };
	uint32_t list = LVM_NO_NODE;

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]) && list == LVM_NO_NODE; i++)
		list = lvm_find(nodes, segment, names[i], LVM_LIST);
	return list;
}

/* How often `name` is among the areas of a segment. */
static uint64_t times_named(struct lvm *lvm, uint32_t segment, const char *name)
{
	const struct lvm_node_vec *nodes = &lvm->nodes;
	uint32_t list = lvm_find(nodes, segment, "stripes", LVM_LIST);
	uint64_t times = 0;
	char text[NAME_MAX_SIZE];

	for (uint32_t i = list + 1; list != LVM_NO_NODE && i < nodes->at[list].end; i++) {
		lvm->effort++;
		lvm_node_text(text, sizeof(text), &nodes->at[i]);
		times += nodes->at[i].kind == LVM_STRING && strcmp(text, name) == 0;
	}
	return times;
}

/* Extents that striped segments take from one physical volume; false when there is too much to look at. */
static bool extents_used(uint64_t *used_out, struct lvm *lvm, uint32_t volumes,
			 const char *physical)
{
	const struct lvm_node_vec *nodes = &lvm->nodes;

	*used_out = 0;
	for (uint32_t lv = section_next(nodes, volumes, 0); lv != LVM_NO_NODE;
	     lv = section_next(nodes, volumes, lv)) {
		for (uint32_t segment = section_next(nodes, lv, 0); segment != LVM_NO_NODE;
		     segment = section_next(nodes, lv, segment)) {
			uint64_t stripes = lvm_number(nodes, segment, "stripe_count"), some;
			uint64_t each = lvm_number(nodes, segment, "extent_count") /
					(stripes ? stripes : 1);

			lvm->effort++;
			if (lvm->effort > EFFORT_MAX ||
			    !size_multiply(each, times_named(lvm, segment, physical), &some) ||
			    !size_add(*used_out, some, used_out))
				return false;
		}
	}
	return true;
}

static void physicals_print(struct other_found *found)
{
	struct lvm *lvm = found->record;
	const struct lvm_node_vec *nodes = &lvm->nodes;
	uint32_t physicals = lvm_find(nodes, lvm->group, "physical_volumes", LVM_SECTION);
	uint32_t volumes = lvm_find(nodes, lvm->group, "logical_volumes", LVM_SECTION);
	struct fact_tree *facts = &found->facts;

	tree_list_begin(facts, "physical_volumes");
	for (uint32_t at = section_next(nodes, physicals, 0); at != LVM_NO_NODE;
	     at = section_next(nodes, physicals, at)) {
		uint64_t count = lvm_number(nodes, at, "pe_count"), used;
		bool known;
		char name[NAME_MAX_SIZE], id[OTHER_ID_SIZE];

		lvm_node_name(name, sizeof(name), &nodes->at[at]);
		lvm_string(id, sizeof(id), nodes, at, "id");
		known = extents_used(&used, lvm, volumes, name);
		other_expect(found, "%s", id);
		tree_row_begin(facts);
		tree_text(facts, "name", "%s", name);
		tree_text_or_none(facts, "uuid", id);
		string_print(facts, "device", nodes, at, "device");
		list_print(facts, "status", nodes, at, "status");
		list_print(facts, "flags", nodes, at, "flags");
		tree_number(facts, "device_sectors", lvm_number(nodes, at, "dev_size"));
		tree_number(facts, "first_extent_sector", lvm_number(nodes, at, "pe_start"));
		tree_number(facts, "extents", count);
		if (known)
			tree_number(facts, "free_extents", used < count ? count - used : 0);
		else
			tree_none(facts, "free_extents");
		tree_flag(facts, "missing", is_missing(nodes, at));
		tree_flag(facts, "this", strcmp(id, found->member) == 0);
		tree_end(facts);
	}
	tree_end(facts);
}

/* Does anything that `name` lies on belong to a physical volume that is missing? */
static bool lies_on_missing(struct lvm *lvm, const char *name, uint32_t depth)
{
	const struct lvm_node_vec *nodes = &lvm->nodes;
	uint32_t physicals = lvm_find(nodes, lvm->group, "physical_volumes", LVM_SECTION);
	uint32_t volumes = lvm_find(nodes, lvm->group, "logical_volumes", LVM_SECTION);
	uint32_t at;
	char text[NAME_MAX_SIZE];

	lvm->effort += nodes->count;
	if (lvm->effort > EFFORT_MAX)
		return false;
	if (physicals != LVM_NO_NODE) {
		at = lvm_find(nodes, physicals, name, LVM_SECTION);
		if (at != LVM_NO_NODE)
			return is_missing(nodes, at);
	}
	at = volumes == LVM_NO_NODE ? LVM_NO_NODE : lvm_find(nodes, volumes, name, LVM_SECTION);
	for (uint32_t segment = section_next(nodes, at, 0);
	     depth < AREA_DEPTH_MAX && segment != LVM_NO_NODE;
	     segment = section_next(nodes, at, segment)) {
		uint32_t list = segment_areas(nodes, segment);

		for (uint32_t i = list + 1; list != LVM_NO_NODE && i < nodes->at[list].end; i++) {
			lvm_node_text(text, sizeof(text), &nodes->at[i]);
			if (nodes->at[i].kind == LVM_STRING &&
			    lies_on_missing(lvm, text, depth + 1))
				return true;
		}
	}
	return false;
}

static bool any_missing(const struct lvm *lvm)
{
	const struct lvm_node_vec *nodes = &lvm->nodes;
	uint32_t physicals = lvm_find(nodes, lvm->group, "physical_volumes", LVM_SECTION);

	for (uint32_t at = section_next(nodes, physicals, 0); at != LVM_NO_NODE;
	     at = section_next(nodes, physicals, at)) {
		if (is_missing(nodes, at))
			return true;
	}
	return false;
}

/* Images of a RAID segment that lie on what is missing. */
static uint64_t degraded_of(struct lvm *lvm, uint32_t segment)
{
	const struct lvm_node_vec *nodes = &lvm->nodes;
	uint32_t list = lvm_find(nodes, segment, "raids", LVM_LIST);
	uint64_t degraded = 0;
	char text[NAME_MAX_SIZE];

	for (uint32_t i = list + 2; list != LVM_NO_NODE && i < nodes->at[list].end; i += 2) {
		lvm_node_text(text, sizeof(text), &nodes->at[i]);
		degraded += lies_on_missing(lvm, text, 0);
	}
	return degraded;
}

/* Keys that have a column of their own. */
static bool is_common(const struct lvm_node *node)
{
	static const char *const names[] = { "start_extent", "extent_count", "type",
					     "stripe_count", "stripe_size",  "device_count",
					     "mirror_count", "region_size",  "data_copies",
					     "stripes",      "raids",        "raid0_lvs",
					     "mirrors" };

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (lvm_node_is_named(node, names[i]))
			return true;
	}
	return false;
}

/* What a type has besides: of thin pools, caches, snapshots, … */
static void rest_print(struct fact_tree *facts, const struct lvm_node_vec *nodes, uint32_t segment)
{
	char name[NAME_MAX_SIZE], text[256];

	tree_texts_begin(facts, "other");
	for (uint32_t i = segment + 1; i < nodes->at[segment].end; i = nodes->at[i].end) {
		const struct lvm_node *node = &nodes->at[i];

		if (is_common(node) || node->kind == LVM_SECTION || node->kind == LVM_LIST)
			continue;
		lvm_node_name(name, sizeof(name), node);
		lvm_node_text(text, sizeof(text), node);
		tree_text(facts, NULL, "%s=%s", name, text);
	}
	tree_end(facts);
}

static void areas_of_segment(struct fact_tree *facts, const struct lvm_node_vec *nodes,
			     uint32_t segment)
{
	uint32_t list = segment_areas(nodes, segment), i = list + 1;
	char text[NAME_MAX_SIZE], extent[24];

	tree_texts_begin(facts, "areas");
	while (list != LVM_NO_NODE && i < nodes->at[list].end) {
		lvm_node_text(text, sizeof(text), &nodes->at[i++]);
		if (i < nodes->at[list].end && nodes->at[i].kind == LVM_NUMBER) {
			lvm_node_text(extent, sizeof(extent), &nodes->at[i++]);
			tree_text(facts, NULL, "%s(%s)", text, extent);
		} else {
			tree_text(facts, NULL, "%s", text);
		}
	}
	tree_end(facts);
}

static void segment_print(struct other_found *found, uint32_t volume, uint32_t segment,
			  bool missing)
{
	struct lvm *lvm = found->record;
	const struct lvm_node_vec *nodes = &lvm->nodes;
	struct fact_tree *facts = &found->facts;
	char name[NAME_MAX_SIZE], type[64];
	uint64_t devices = lvm_number(nodes, segment, "device_count"), degraded;
	uint64_t stripes = lvm_number(nodes, segment, "stripe_count");
	bool linear;

	lvm_node_name(name, sizeof(name), &nodes->at[volume]);
	lvm_string(type, sizeof(type), nodes, segment, "type");
	linear = strcmp(type, "striped") == 0 && stripes == 1;
	degraded = missing ? degraded_of(lvm, segment) : 0;
	if (!devices)
		devices = stripes ? stripes : lvm_number(nodes, segment, "mirror_count");
	tree_row_begin(facts);
	tree_text(facts, "volume", "%s", name);
	tree_number(facts, "start_extent", lvm_number(nodes, segment, "start_extent"));
	tree_number(facts, "extents", lvm_number(nodes, segment, "extent_count"));
	tree_text(facts, "type", "%s", linear ? "linear" : type);
	tree_number(facts, "stripes", devices ? devices : 1);
	tree_number(facts, "stripe_sectors", lvm_number(nodes, segment, "stripe_size"));
	tree_number(facts, "region_sectors", lvm_number(nodes, segment, "region_size"));
	tree_number(facts, "data_copies", lvm_number(nodes, segment, "data_copies"));
	tree_number(facts, "degraded", degraded);
	areas_of_segment(facts, nodes, segment);
	rest_print(facts, nodes, segment);
	tree_end(facts);
	if (degraded)
		other_say(found,
			  "%s volume %s: %" PRIu64 " of %" PRIu64
			  " images lie on physical volumes that are missing",
			  type, name, degraded, devices);
}

static void segments_print(struct other_found *found, uint32_t volumes)
{
	const struct lvm *lvm = found->record;
	const struct lvm_node_vec *nodes = &lvm->nodes;
	bool missing = any_missing(lvm);

	tree_list_begin(&found->facts, "segments");
	for (uint32_t at = section_next(nodes, volumes, 0); at != LVM_NO_NODE;
	     at = section_next(nodes, volumes, at)) {
		for (uint32_t segment = section_next(nodes, at, 0); segment != LVM_NO_NODE;
		     segment = section_next(nodes, at, segment))
			segment_print(found, at, segment, missing);
	}
	tree_end(&found->facts);
}

static uint64_t extents_of(const struct lvm_node_vec *nodes, uint32_t volume)
{
	uint64_t extents = 0;

	for (uint32_t segment = section_next(nodes, volume, 0); segment != LVM_NO_NODE;
	     segment = section_next(nodes, volume, segment)) {
		if (!size_add(extents, lvm_number(nodes, segment, "extent_count"), &extents))
			return UINT64_MAX;
	}
	return extents;
}

/* Returns how many are there for users. */
static uint32_t volumes_print(struct other_found *found, uint32_t volumes)
{
	const struct lvm *lvm = found->record;
	const struct lvm_node_vec *nodes = &lvm->nodes;
	struct fact_tree *facts = &found->facts;
	uint64_t extent = lvm_number(nodes, lvm->group, "extent_size"), sectors;
	uint32_t visible_count = 0;

	tree_list_begin(facts, "logical_volumes");
	for (uint32_t at = section_next(nodes, volumes, 0); at != LVM_NO_NODE;
	     at = section_next(nodes, volumes, at)) {
		bool visible = list_has(nodes, at, "status", "VISIBLE");
		char name[NAME_MAX_SIZE];

		lvm_node_name(name, sizeof(name), &nodes->at[at]);
		visible_count += visible;
		tree_row_begin(facts);
		tree_text(facts, "name", "%s", name);
		string_print(facts, "uuid", nodes, at, "id");
		list_print(facts, "status", nodes, at, "status");
		list_print(facts, "flags", nodes, at, "flags");
		tree_flag(facts, "visible", visible);
		if (size_multiply(extents_of(nodes, at), extent, &sectors))
			tree_number(facts, "sectors", sectors);
		else
			tree_none(facts, "sectors");
		tree_number(facts, "segment_count", lvm_number(nodes, at, "segment_count"));
		tree_number(facts, "creation_time", lvm_number(nodes, at, "creation_time"));
		string_print(facts, "creation_host", nodes, at, "creation_host");
		list_print(facts, "tags", nodes, at, "tags");
		tree_end(facts);
	}
	tree_end(facts);
	return visible_count;
}

void lvm_print(struct other_found *found)
{
	const struct lvm *lvm = found->record;
	char id[LVM_ID_TEXT_SIZE];
	uint32_t volumes, visible;

	lvm_id_text(id, lvm->label.id);
	snprintf(found->member, sizeof(found->member), "%s", id);
	label_print(&found->facts, lvm);
	if (!lvm->text) {
		snprintf(found->summary, sizeof(found->summary), "physical volume %s", id);
		other_say(found, "no volume group is described here: the metadata of another "
				 "physical volume may name this one");
		return;
	}
	volumes = lvm_find(&lvm->nodes, lvm->group, "logical_volumes", LVM_SECTION);
	lvm_string(found->uuid, sizeof(found->uuid), &lvm->nodes, lvm->group, "id");
	lvm_node_name(found->name, sizeof(found->name), &lvm->nodes.at[lvm->group]);
	found->generation = lvm->seqno;
	group_print(&found->facts, lvm);
	physicals_print(found);
	visible = volumes_print(found, volumes);
	segments_print(found, volumes);
	if (lvm->effort > EFFORT_MAX)
		md_fault(&found->faults, "metadata_text",
			 "too long for its free extents and missing images to be counted");
	snprintf(found->summary, sizeof(found->summary), "volume group %s, %u logical volumes",
		 found->name, visible);
	snprintf(found->hint, sizeof(found->hint),
		 "lvm vgs --readonly; lvm vgchange --activate y --activationmode degraded %.120s",
		 found->name);
}

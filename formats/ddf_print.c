/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/ddf_print.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DISK_ONLINE = 1, DISK_FAILED = 2, DISK_REBUILDING = 4, DISK_MISSING = 64 };
enum { DISK_GLOBAL_SPARE = 4, DISK_SPARE = 8 };
#define VIRTUAL_INCONSISTENT 16u

static const struct ddf_disk *disk_of(const struct ddf *ddf, uint32_t reference)
{
	for (size_t i = 0; i < ddf->disks.count; i++) {
		if (ddf->disks.at[i].reference == reference)
			return &ddf->disks.at[i];
	}
	return NULL;
}

static const struct ddf_virtual *virtual_of(const struct ddf *ddf, const uint8_t *guid)
{
	for (size_t i = 0; i < ddf->virtuals.count; i++) {
		if (memcmp(ddf->virtuals.at[i].guid, guid, DDF_GUID_SIZE) == 0)
			return &ddf->virtuals.at[i];
	}
	return NULL;
}

static void slot_fill(struct other_slot *slot, const struct ddf *ddf,
		      const struct ddf_config *config, uint32_t which)
{
	uint32_t reference = ddf_config_reference(config, which);
	const struct ddf_disk *disk = disk_of(ddf, reference);

	slot->first_sector = ddf_config_start(config, which);
	slot->sectors = config->element_blocks;
	slot->missing = !disk || (disk->state & (DISK_FAILED | DISK_MISSING | DISK_REBUILDING)) ||
			!(disk->state & DISK_ONLINE);
	if (reference != DDF_NONE)
		snprintf(slot->member, sizeof(slot->member), "%08" PRIx32, reference);
}

/* A mirror of mirrors: each part is a record of its own, on its own disks; others' slots stay empty. */
static void slots_fill(struct other_volume *volume, const struct ddf *ddf,
		       const struct ddf_config *config)
{
	uint32_t first = 0;

	if (volume->shape.raid_disks > config->element_count)
		first = (uint32_t)config->second_which * config->element_count;
	for (uint32_t i = 0; i < volume->shape.raid_disks; i++)
		volume->slots[i].missing = true;
	for (uint32_t i = 0; i < config->element_count; i++) {
		if (first + i < volume->shape.raid_disks)
			slot_fill(&volume->slots[first + i], ddf, config, i);
	}
}

static bool name_is_shared(const struct ddf *ddf, const struct ddf_virtual *entry)
{
	for (size_t i = 0; entry && i < ddf->virtuals.count; i++) {
		if (&ddf->virtuals.at[i] != entry &&
		    strcmp(ddf->virtuals.at[i].name, entry->name) == 0)
			return true;
	}
	return false;
}

static bool volume_make(struct other_volume *volume, const struct ddf *ddf,
			const struct ddf_config *config)
{
	const struct ddf_virtual *entry = virtual_of(ddf, config->guid);
	uint32_t data = ddf_shape(&volume->shape, &volume->unfit, config);

	volume->array_sectors = config->array_blocks;
	if (data && volume->shape.level != MD_LINEAR &&
	    (!ddf_room(&volume->array_sectors, config, data) ||
	     volume->array_sectors < config->array_blocks))
		volume->unfit = "its sizes make no sense";
	volume->array_sectors = config->array_blocks ? config->array_blocks : volume->array_sectors;
	volume->dirty = ddf->header.open || (entry && entry->state & VIRTUAL_INCONSISTENT);
	ddf_guid_text(volume->uuid, config->guid);
	snprintf(volume->name, sizeof(volume->name), "%s", entry ? entry->name : "");
	volume->number = entry ? (uint32_t)(entry - ddf->virtuals.at) : UINT32_MAX;
	volume->name_shared = name_is_shared(ddf, entry);
	volume->slots = mem_calloc(volume->shape.raid_disks, sizeof(*volume->slots));
	if (!volume->slots)
		return false;
	slots_fill(volume, ddf, config);
	return true;
}

void ddf_volumes_make(struct other_found *found)
{
	const struct ddf *ddf = found->record;
	uint32_t count = (uint32_t)ddf->configs.count;

	found->volumes = mem_calloc(count, sizeof(*found->volumes));
	if (!found->volumes) {
		found->facts.failed = true;
		return;
	}
	for (; found->volume_count < count; found->volume_count++) {
		if (!volume_make(&found->volumes[found->volume_count], ddf,
				 &ddf->configs.at[found->volume_count])) {
			found->facts.failed = true;
			return;
		}
	}
}

static void guid_print(struct fact_tree *facts, const char *key, const uint8_t *guid)
{
	char text[DDF_GUID_TEXT_SIZE];

	ddf_guid_text(text, guid);
	tree_text(facts, key, "%s", text);
}

static void block_print(struct fact_tree *facts, const char *key, uint64_t block)
{
	if (block == UINT64_MAX)
		tree_none(facts, key);
	else
		tree_number(facts, key, block);
}

static void header_print(struct fact_tree *facts, const struct ddf *ddf)
{
	const struct ddf_header *header = &ddf->header;

	tree_text(facts, "version", "%s", header->revision);
	guid_print(facts, "container_guid", header->guid);
	tree_number(facts, "sequence", header->sequence);
	tree_number(facts, "time", (uint64_t)header->time + DDF_EPOCH);
	tree_text(facts, "open", "%s",
		  header->open == 0      ? "closed"
		  : header->open == 0xff ? "open"
					 : "being changed");
	tree_flag(facts, "foreign", header->foreign != 0);
	tree_flag(facts, "enforce_groups", header->enforce_groups != 0);
	tree_flag(facts, "anchor_displaced", ddf->displaced);
	tree_text(facts, "header_in_use", "%s",
		  !ddf->complete                  ? "anchor"
		  : header->type == DDF_SECONDARY ? "secondary"
						  : "primary");
	block_print(facts, "primary_sector", ddf->anchor.primary_block);
	tree_flag(facts, "primary_valid", ddf->primary_found);
	block_print(facts, "secondary_sector", ddf->anchor.secondary_block);
	tree_flag(facts, "secondary_valid", ddf->secondary_found);
	block_print(facts, "workspace_sector", header->workspace_block);
	tree_number(facts, "workspace_sectors", header->workspace_blocks);
	tree_number(facts, "disks_max", header->disks_max);
	tree_number(facts, "volumes_max", header->volumes_max);
	tree_number(facts, "partitions_max", header->partitions_max);
	tree_number(facts, "elements_max", header->elements_max);
	tree_number(facts, "config_record_sectors", header->config_blocks);
}

static void controller_print(struct fact_tree *facts, const struct ddf *ddf)
{
	const struct ddf_controller *controller = &ddf->controller;

	if (!ddf->controller_found) {
		tree_none(facts, "controller_guid");
		return;
	}
	guid_print(facts, "controller_guid", controller->guid);
	tree_text_or_none(facts, "controller_product", controller->product);
	tree_text(facts, "controller_id", "%04x:%04x %04x:%04x", controller->vendor,
		  controller->device, controller->sub_vendor, controller->sub_device);
}

static void disks_print(struct fact_tree *facts, const struct ddf *ddf)
{
	static const char *const types[] = { "forced-guid", "active",  "global-spare",
					     "spare",       "foreign", "legacy" };
	static const char *const states[] = { "online",     "failed",       "rebuilding",
					      "transition", "smart-errors", "read-errors",
					      "missing" };
	static const char *const interfaces[16] = { "unknown", "SCSI", "SAS", "SATA", "FC" };

	tree_list_begin(facts, "disks");
	for (size_t i = 0; i < ddf->disks.count; i++) {
		const struct ddf_disk *disk = &ddf->disks.at[i];
		const char *interface = interfaces[disk->type >> 8 & 15];

		tree_row_begin(facts);
		tree_number(facts, "number", i);
		tree_text(facts, "reference", "%08" PRIx32, disk->reference);
		guid_print(facts, "guid", disk->guid);
		tree_number(facts, "sectors", disk->config_blocks);
		tree_bits(facts, "type", disk->type & 0xff, types, 6);
		tree_text(facts, "interface", "%s", interface ? interface : "unknown");
		tree_bits(facts, "state", disk->state, states, 7);
		tree_text_or_none(facts, "path", disk->path);
		tree_flag(facts, "this", disk->reference == ddf->reference);
		tree_end(facts);
	}
	tree_end(facts);
}

static void virtual_print(struct fact_tree *facts, const struct ddf_virtual *entry)
{
	static const char *const states[8] = { "optimal", "degraded", "deleted",
					       "missing", "failed",   "partially optimal" };
	static const char *const inits[4] = { "not initialised", "quick initialisation under way",
					      "fully initialised" };
	static const char *const accesses[4] = { "read-write", "unknown", "read-only", "blocked" };
	static const struct ddf_virtual none = { .state = 3 };
	bool there = entry != NULL;

	if (!there)
		entry = &none;
	tree_flag(facts, "in_virtual_disks", there);
	tree_number(facts, "unit", entry->unit);
	tree_text(facts, "state", "%s%s",
		  states[entry->state & 7] ? states[entry->state & 7] : "unknown",
		  entry->state & 8 ? ", morphing" : "");
	tree_text(facts, "consistency", "%s", entry->state & 16 ? "not consistent" : "consistent");
	tree_text_or_none(facts, "initialisation", inits[entry->init_state & 3]);
	tree_text(facts, "access", "%s", accesses[entry->init_state >> 6]);
	tree_number(facts, "type", entry->type);
}

static void config_print(struct fact_tree *facts, const struct ddf_config *config)
{
	const char *level = ddf_level_name(config->level);
	static const char *const seconds[] = { "striped", "mirrored", "concatenated", "spanned" };

	tree_text(facts, "ddf_level", "%s", level ? level : "unknown");
	tree_number(facts, "ddf_qualifier", config->qualifier);
	tree_number(facts, "ddf_chunk_shift", config->chunk_shift);
	tree_number(facts, "second_level_count", config->second_count);
	tree_number(facts, "second_level_part", config->second_which);
	if (config->second_count > 1 && config->second_level <= DDF_SPANNED)
		tree_text(facts, "second_level", "%s", seconds[config->second_level]);
	else
		tree_none(facts, "second_level");
	tree_number(facts, "sequence", config->sequence);
	tree_number(facts, "time", (uint64_t)config->time + DDF_EPOCH);
	tree_texts_begin(facts, "spares");
	for (uint32_t i = 0; i < 8; i++) {
		if (config->spares[i] != DDF_NONE && config->spares[i])
			tree_text(facts, NULL, "%08" PRIx32, config->spares[i]);
	}
	tree_end(facts);
	tree_number(facts, "cache_policy", config->cache_policy);
	tree_number(facts, "background_rate", config->background_rate);
}

static void volumes_print(struct other_found *found)
{
	const struct ddf *ddf = found->record;
	struct fact_tree *facts = &found->facts;

	tree_list_begin(facts, "volumes");
	for (uint32_t i = 0; i < found->volume_count; i++) {
		const struct ddf_config *config = &ddf->configs.at[i];
		char text[120];

		tree_row_begin(facts);
		other_volume_print(facts, &found->volumes[i], found->member);
		virtual_print(facts, virtual_of(ddf, config->guid));
		config_print(facts, config);
		tree_end(facts);
		other_volume_text(text, sizeof(text), &found->volumes[i]);
		other_say(found, "volume \"%s\": %s%s%s", found->volumes[i].name, text,
			  found->volumes[i].unfit ? ": " : "",
			  found->volumes[i].unfit ? found->volumes[i].unfit : "");
	}
	tree_end(facts);
	tree_list_begin(facts, "virtual_disks");
	for (size_t i = 0; i < ddf->virtuals.count; i++) {
		tree_row_begin(facts);
		guid_print(facts, "guid", ddf->virtuals.at[i].guid);
		tree_text_or_none(facts, "name", ddf->virtuals.at[i].name);
		virtual_print(facts, &ddf->virtuals.at[i]);
		tree_end(facts);
	}
	tree_end(facts);
}

static void explain(struct other_found *found)
{
	const struct ddf *ddf = found->record;
	const struct ddf_disk *self = disk_of(ddf, ddf->reference);

	if (ddf->displaced)
		other_say(found, "the anchor is not in the last block: the disk was larger or "
				 "smaller once, or a controller keeps something behind it");
	if (!ddf->anchor_found)
		other_say(found, "there is no anchor: the %s header was found by searching",
			  ddf->anchor.type == DDF_PRIMARY ? "primary" : "secondary");
	if (ddf->complete && !ddf->primary_found)
		other_say(found, "the primary header is damaged: the secondary one is used");
	if (ddf->complete && !ddf->secondary_found && ddf->anchor.secondary_block != UINT64_MAX)
		other_say(found, "the secondary header is damaged or missing");
	if (ddf->header.open)
		other_say(found, "not closed in order: parity or copies may be out of step");
	if (self && self->type & (DISK_SPARE | DISK_GLOBAL_SPARE))
		other_say(found, "a spare: it holds no data of a volume");
	if (self && self->state & DISK_FAILED)
		other_say(found, "it failed, by what is written on it");
	if (ddf->complete && ddf->reference != DDF_NONE && !self)
		other_say(found, "this disk is not in the list of disks");
}

void ddf_print(struct other_found *found)
{
	const struct ddf *ddf = found->record;
	struct fact_tree *facts = &found->facts;

	ddf_guid_text(found->uuid, ddf->header.guid);
	found->generation = ddf->header.sequence;
	found->volumes_expected = (uint32_t)size_max(ddf->virtuals.count, found->volume_count);
	if (ddf->complete && ddf->reference != DDF_NONE)
		snprintf(found->member, sizeof(found->member), "%08" PRIx32, ddf->reference);
	snprintf(found->summary, sizeof(found->summary), "%zu disks, %u volumes%s%s",
		 ddf->disks.count, found->volume_count, found->member[0] ? ", disk " : "",
		 found->member);
	for (size_t i = 0; i < ddf->disks.count; i++)
		other_expect(found, "%08" PRIx32, ddf->disks.at[i].reference);
	header_print(facts, ddf);
	controller_print(facts, ddf);
	if (found->member[0]) {
		tree_text(facts, "disk_reference", "%s", found->member);
		guid_print(facts, "disk_guid", ddf->disk_guid);
	} else {
		tree_none(facts, "disk_reference");
		tree_none(facts, "disk_guid");
	}
	tree_number(facts, "spare_records", ddf->spare_records);
	disks_print(facts, ddf);
	volumes_print(found);
	explain(found);
}

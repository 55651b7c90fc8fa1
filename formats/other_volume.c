/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/other_volume.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t other_volume_working(const struct other_volume *volume)
{
	uint32_t working = 0;

	for (uint32_t i = 0; i < volume->shape.raid_disks; i++)
		working += !volume->slots[i].missing;
	return working;
}

static void slots_print(struct fact_tree *facts, const struct other_volume *volume)
{
	tree_texts_begin(facts, "slots");
	for (uint32_t i = 0; i < volume->shape.raid_disks; i++) {
		const struct other_slot *slot = &volume->slots[i];

		if (slot->member[0])
			tree_text(facts, NULL, "%s@%" PRIu64 "%s", slot->member, slot->first_sector,
				  slot->missing ? " missing" : "");
		else
			tree_text(facts, NULL, "none");
	}
	tree_end(facts);
}

/* The slot of this disk, and where its data are. */
static void place_print(struct fact_tree *facts, const struct other_volume *volume,
			const char *member)
{
	for (uint32_t i = 0; member[0] && i < volume->shape.raid_disks; i++) {
		if (strcmp(volume->slots[i].member, member) == 0) {
			tree_number(facts, "slot", i);
			tree_number(facts, "data_offset_sectors", volume->slots[i].first_sector);
			tree_number(facts, "data_sectors", volume->slots[i].sectors);
			return;
		}
	}
	tree_none(facts, "slot");
	tree_none(facts, "data_offset_sectors");
	tree_none(facts, "data_sectors");
}

void other_volume_print(struct fact_tree *facts, const struct other_volume *volume,
			const char *member)
{
	const struct md_shape *shape = &volume->shape;
	const char *level = md_level_name(shape->level);
	char layout[MD_LAYOUT_NAME_SIZE] = "";
	uint64_t bytes;

	md_layout_name(layout, shape->level, shape->layout);
	tree_text_or_none(facts, "name", volume->name);
	tree_text_or_none(facts, "uuid", volume->uuid);
	tree_text(facts, "level", "%s", level ? level : "unknown");
	tree_number(facts, "layout", shape->layout);
	tree_text_or_none(facts, "layout_name", layout);
	tree_number(facts, "chunk_bytes", shape->chunk_bytes);
	tree_number(facts, "raid_disks", shape->raid_disks);
	tree_number(facts, "degraded", shape->raid_disks - other_volume_working(volume));
	if (size_multiply(volume->array_sectors, MD_SECTOR, &bytes))
		tree_number(facts, "array_bytes", bytes);
	else
		tree_none(facts, "array_bytes");
	tree_number(facts, "component_sectors", shape->component_sectors);
	place_print(facts, volume, member);
	slots_print(facts, volume);
	tree_text_or_none(facts, "not_readable_here", volume->unfit);
}

void other_volume_text(char *out, size_t out_size, const struct other_volume *volume)
{
	const char *level = md_level_name(volume->shape.level);
	uint32_t missing = volume->shape.raid_disks - other_volume_working(volume);
	char size[UNITS_TEXT_SIZE], lost[32] = "";
	uint64_t bytes;

	if (!size_multiply(volume->array_sectors, MD_SECTOR, &bytes))
		bytes = UINT64_MAX;
	units_text(size, bytes);
	if (missing)
		snprintf(lost, sizeof(lost), " (%u missing)", missing);
	snprintf(out, out_size, "%s of %u%s, %s", level ? level : "unknown level",
		 volume->shape.raid_disks, lost, size);
}

void other_volumes_free(struct other_volume *volumes, uint32_t count)
{
	for (uint32_t i = 0; volumes && i < count; i++)
		mem_free(volumes[i].slots);
	mem_free(volumes);
}

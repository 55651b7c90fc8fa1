/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/seal_write.h"

uint32_t seal_write_blocks(const struct seal *seal)
{
	return 1 + seal_entry_pages(&seal->shape);
}

static uint32_t position_in(const struct span *span, uint64_t extent)
{
	for (uint32_t i = 0; span && i < span->extent_count; i++) {
		if (span->extents[i] == extent)
			return i;
	}
	return 0;
}

void seal_write_header(uint8_t *bytes, const struct array *array, const struct group *group,
		       uint32_t column, const struct volume *volume, const struct span *span)
{
	struct seal_header header;

	seal_header_fill(&header, array->map, group, column, volume, span,
			 position_in(span, group->extents[column].id));
	seal_header_encode(bytes, &header, &array->map->uuid);
}

void seal_write_encode(uint8_t *bytes, const struct array *array, const struct group *group,
		       uint32_t column, const struct volume *volume, const struct span *span,
		       const struct seal *seal)
{
	seal_write_header(bytes, array, group, column, volume, span);
	for (uint32_t page = 0; page < seal_entry_pages(&seal->shape); page++)
		seal_encode_page(seal, page, bytes + (size_t)(page + 1) * BLOCK_SIZE);
}

uint64_t seal_write_named(const struct group *group, uint32_t column)
{
	return group->extents[column < group_data_columns(group) ? column : 0].id;
}

bool seal_write_find(const struct map *map, uint64_t extent, const struct volume **volume_out,
		     const struct span **span_out)
{
	for (uint32_t v = 0; v < map->volume_count; v++) {
		const struct volume *volume = map->volumes[v];

		for (uint32_t s = 0; s < volume->span_count; s++) {
			for (uint32_t i = 0; i < volume->spans[s].extent_count; i++) {
				if (volume->spans[s].extents[i] != extent)
					continue;
				*volume_out = volume;
				*span_out = &volume->spans[s];
				return true;
			}
		}
	}
	return false;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels of members, and the tree of labels that --across names. */
#include "core/map/map.h"

#include <string.h>

const char *label_value(const struct label *labels, uint32_t count, const char *key)
{
	for (uint32_t i = 0; key[0] && i < count; i++) {
		if (strcmp(labels[i].key, key) == 0)
			return labels[i].value;
	}
	return NULL;
}

const char *map_domain(const struct map *map, const struct member *member)
{
	return across_label(map->across, 0, member->labels, member->label_count);
}

uint32_t across_keys(const char *across)
{
	uint32_t count = across[0] != '\0';

	for (; *across; across++)
		count += *across == ',';
	return count;
}

const char *across_label(const char *across, uint32_t n, const struct label *labels, uint32_t count)
{
	char key[LABEL_SIZE];
	size_t size;

	for (; n > 0 && across; n--) {
		across = strchr(across, ',');
		across += across != NULL;
	}
	size = across ? strcspn(across, ",") : 0;
	if (size == 0 || size >= sizeof(key))
		return NULL;
	memcpy(key, across, size);
	key[size] = '\0';
	return label_value(labels, count, key);
}

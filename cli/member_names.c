/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MEMBER and VOLUME of an open array, as members.h says. */
#include "cli/members.h"
#include "cli/nearest.h"
#include "cli/same_file.h"
#include "formats/md_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool slot_parse(uint32_t *slot_out, const char *text)
{
	unsigned long number;

	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	number = strtoul(text, NULL, 10);
	if (errno || number >= MEMBERS_MAX)
		return false;
	*slot_out = (uint32_t)number;
	return true;
}

static bool has_label(const struct member *member, const char *text)
{
	for (uint32_t i = 0; i < member->label_count; i++) {
		const struct label *label = &member->labels[i];
		size_t key = strlen(label->key);

		if (strcmp(label->value, text) == 0)
			return true;
		if (strncmp(text, label->key, key) == 0 && text[key] == '=' &&
		    strcmp(text + key + 1, label->value) == 0)
			return true;
	}
	return false;
}

static bool is_meant(const struct invocation *inv, const struct member *member, const char *text)
{
	const char *path = cli_member_path(inv, member->slot);

	return (path && same_file(path, text)) || has_label(member, text) ||
	       uuid_has_prefix(&member->uuid, text);
}

int cli_member_find(uint32_t *slot_out, const struct invocation *inv, const struct array *array,
		    const char *text, struct err *err)
{
	const struct map *map = array_map(array);
	uint32_t slot, found = MEMBER_NONE;

	if (slot_parse(&slot, text) && map_member(map, slot)) {
		*slot_out = slot;
		return 0;
	}
	for (uint32_t i = 0; i < map->member_count; i++) {
		const struct member *member = &map->members[i];

		if (!is_meant(inv, member, text))
			continue;
		if (found != MEMBER_NONE) {
			err_set(err, ERR_USAGE, "'%s' may be member %u or member %u", text, found,
				member->slot);
			return err_hint(err, "use the number of the one that is meant");
		}
		found = member->slot;
	}
	if (found == MEMBER_NONE)
		return err_set(err, ERR_NOT_FOUND,
			       "array '%s' has no member '%s': give its number, path, label or "
			       "the first letters of its uuid",
			       map->name, text);
	*slot_out = found;
	return 0;
}

const struct volume *cli_volume_named(const struct map *map, const char *name)
{
	const struct volume *volume = map_volume_named(map, name);

	/* An array of other software has one volume, which answers to this name as well. */
	if (!volume && map_is_bare(map) && map->volume_count == 1 &&
	    strcmp(name, MD_VOLUME_NAME) == 0)
		return map->volumes[0];
	return volume;
}

int cli_volume_find(const struct volume **volume_out, const struct array *array, const char *name,
		    struct err *err)
{
	const struct map *map = array_map(array);
	const struct volume *volume = cli_volume_named(map, name);
	struct nearest nearest = { .typed = name };

	if (volume) {
		*volume_out = volume;
		return 0;
	}
	for (uint32_t i = 0; i < map->volume_count; i++)
		nearest_offer(&nearest, map->volumes[i]->name);
	if (nearest.word)
		return err_set(err, ERR_NOT_FOUND,
			       "array '%s' has no volume '%s': did you mean '%s'?", map->name, name,
			       nearest.word);
	return err_set(err, ERR_NOT_FOUND, "array '%s' has no volume '%s'", map->name, name);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/member_maps.h"

#include "cli/same_file.h"
#include "core/base/mem.h"
#include "core/dev/devices.h"
#include "core/dev/holes.h"
#include "formats/ddrescue.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_SLOT UINT32_MAX
#define SECTOR 512u

struct member_map {
	char *member; /* as the operator says; owned */
	char *file;   /* of the map; owned */
	char *path;   /* of the image; owned; NULL: not found yet */
	struct ddrescue_map map;
	uint32_t slot;              /* NO_SLOT: not known, or none */
	struct ddrescue_map domain; /* of the first map of its slot */
	size_t copy_of;             /* the image that this one stands behind; itself: none */
};

struct member_maps {
	struct member_map *at; /* owned */
	size_t count;
};

static bool exists(const char *path)
{
	struct stat facts;

	return stat(path, &facts) == 0 && !S_ISDIR(facts.st_mode);
}

/* All of an open file; `size_out` bytes, no terminator. */
static int bytes_read(char **bytes_out, size_t *size_out, int fd, const char *path, struct err *err)
{
	struct stat facts;
	size_t got = 0;
	char *bytes;

	if (fstat(fd, &facts))
		return err_set(err, ERR_ACCESS, "%s: %s", path, strerrordesc_np(errno));
	if (!S_ISREG(facts.st_mode) || (uint64_t)facts.st_size > DDRESCUE_FILE_MAX)
		return err_set(err, ERR_FORMAT, "%s is not a map file of ddrescue", path);
	bytes = mem_calloc((size_t)facts.st_size + 1, 1);
	if (!bytes)
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	while (got < (size_t)facts.st_size) {
		ssize_t part = read(fd, bytes + got, (size_t)facts.st_size - got);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0) {
			err_set(err, ERR_IO, "%s: %s", path, strerrordesc_np(errno));
			mem_free(bytes);
			return ERR_IO;
		}
		if (part == 0)
			break;
		got += (size_t)part;
	}
	*bytes_out = bytes;
	*size_out = got;
	return 0;
}

int ddrescue_file_read(struct ddrescue_map *map_out, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char *bytes = NULL;
	size_t size = 0;
	int rc;

	if (fd < 0)
		return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_ACCESS, "%s: %s", path,
			       strerrordesc_np(errno));
	rc = bytes_read(&bytes, &size, fd, path, err);
	if (rc == 0)
		rc = ddrescue_parse(map_out, bytes, size, path, err);
	mem_free(bytes);
	close(fd);
	return rc;
}

/* A label may have a '=', and a path too: the last one counts. */
static int word_split(struct member_map *one, const char *word, struct err *err)
{
	const char *equals = strrchr(word, '=');

	if (!equals || equals == word || !equals[1]) {
		err_set(err, ERR_USAGE, "--map %s is not MEMBER=MAPFILE", word);
		return err_hint(err, "--map 2=disk2.map, or --map disk2.img=disk2.map");
	}
	one->member = mem_strndup(word, (size_t)(equals - word));
	one->file = mem_strdup(equals + 1);
	return one->member && one->file ? 0 : err_set(err, ERR_NOMEM, "no memory for the maps");
}

int member_maps_read(struct member_maps **maps_out, const struct text_list *list, struct err *err)
{
	struct member_maps *maps = mem_calloc(1, sizeof(*maps));
	int rc = 0;

	if (maps)
		maps->at = mem_calloc(list->count, sizeof(*maps->at));
	if (!maps || !maps->at) {
		mem_free(maps);
		return err_set(err, ERR_NOMEM, "no memory for the maps");
	}
	for (size_t i = 0; rc == 0 && i < list->count; i++) {
		struct member_map *one = &maps->at[maps->count++];

		one->slot = NO_SLOT;
		one->copy_of = i;
		rc = word_split(one, list->at[i], err);
		if (rc == 0)
			rc = ddrescue_file_read(&one->map, one->file, err);
	}
	if (rc)
		member_maps_free(maps);
	else
		*maps_out = maps;
	return rc;
}

void member_maps_free(struct member_maps *maps)
{
	if (!maps)
		return;
	for (size_t i = 0; i < maps->count; i++) {
		mem_free(maps->at[i].member);
		mem_free(maps->at[i].file);
		mem_free(maps->at[i].path);
		ddrescue_reset(&maps->at[i].map);
		ddrescue_reset(&maps->at[i].domain);
	}
	mem_free(maps->at);
	mem_free(maps);
}

size_t member_maps_count(const struct member_maps *maps)
{
	return maps->count;
}

bool member_maps_name_file(const struct member_maps *maps, size_t index)
{
	assert(index < maps->count);
	return exists(maps->at[index].member);
}

const char *member_maps_member(const struct member_maps *maps, size_t index)
{
	assert(index < maps->count);
	return maps->at[index].member;
}

int member_maps_set_path(struct member_maps *maps, size_t index, const char *path, struct err *err)
{
	struct member_map *one = &maps->at[index];

	assert(index < maps->count && !one->path);
	for (size_t i = 0; i < maps->count; i++) {
		if (!maps->at[i].path || !same_file(maps->at[i].path, path))
			continue;
		err_set(err, ERR_USAGE, "%s has two maps: %s and %s", path, maps->at[i].file,
			one->file);
		return err_hint(err, "several images of one member are named by their paths");
	}
	one->path = mem_strdup(path);
	return one->path ? 0 : err_set(err, ERR_NOMEM, "no memory for the maps");
}

static bool is_named(const char *path, const struct text_list *named, const char *operand)
{
	for (size_t i = 0; i < named->count; i++) {
		if (same_file(named->at[i], path))
			return true;
	}
	return same_file(operand, path);
}

int member_maps_paths(const struct member_maps *maps, const struct text_list *named,
		      const char *operand, struct text_list *paths_out, struct err *err)
{
	struct text_list paths = { 0 };

	paths.at = mem_calloc(named->count + maps->count, sizeof(*paths.at));
	if (!paths.at)
		return err_set(err, ERR_NOMEM, "no memory for the maps");
	for (size_t i = 0; i < named->count; i++)
		paths.at[paths.count++] = named->at[i];
	for (size_t i = 0; i < maps->count; i++) {
		if (!is_named(maps->at[i].path, named, operand))
			paths.at[paths.count++] = maps->at[i].path;
	}
	*paths_out = paths;
	return 0;
}

static struct member_map *map_find(const struct member_maps *maps, const char *path)
{
	for (size_t i = 0; i < maps->count; i++) {
		if (maps->at[i].path && same_file(maps->at[i].path, path))
			return &maps->at[i];
	}
	return NULL;
}

int member_maps_wrap(struct dev **dev, const struct member_maps *maps, const char *path,
		     struct err *err)
{
	const struct member_map *one = map_find(maps, path);
	struct hole_vec holes = { 0 };
	int rc;

	if (!one)
		return 0;
	rc = ddrescue_holes(&one->map, dev_info(*dev)->size_exact, &holes);
	if (rc == 0)
		rc = dev_holes_open(dev, *dev, holes.at, holes.count);
	hole_vec_reset(&holes);
	return rc ? err_set(err, rc, "%s: no memory", path) : 0;
}

bool member_maps_join(struct member_maps *maps, const char *path, const char *copy)
{
	struct member_map *first = map_find(maps, path), *second = map_find(maps, copy);

	if (!first || !second)
		return false;
	assert(first != second && second->copy_of == (size_t)(second - maps->at));
	second->copy_of = first->copy_of;
	return true;
}

const char *member_maps_copy(const struct member_maps *maps, const char *path, size_t index)
{
	const struct member_map *first = map_find(maps, path);

	for (size_t i = 0; first && i < maps->count; i++) {
		const struct member_map *one = &maps->at[i];

		if (one != first && &maps->at[one->copy_of] == first && index-- == 0)
			return one->path;
	}
	return NULL;
}

void member_maps_set_slot(struct member_maps *maps, const char *path, uint32_t slot)
{
	const struct member_map *first = map_find(maps, path);

	for (size_t i = 0; first && i < maps->count; i++) {
		if (&maps->at[maps->at[i].copy_of] == first)
			maps->at[i].slot = slot;
	}
}

/* How likely it is that such a byte can be read at the next try. */
static uint32_t hope_of_status(enum ddrescue_status status)
{
	switch (status) {
	case DDRESCUE_RESCUED:
		return 0;
	case DDRESCUE_UNTRIED:
		return 1;
	case DDRESCUE_UNTRIMMED:
		return 2;
	case DDRESCUE_UNSCRAPED:
		return 3;
	case DDRESCUE_BAD:
		break;
	}
	return 4;
}

/* Of a sector: that of its worst byte. */
static uint32_t hope_of_sector(const struct ddrescue_map *map, uint64_t place)
{
	uint64_t run, end = place + SECTOR;
	uint32_t worst = 0;

	for (uint64_t at = place; at < end; at = run < end - at ? at + run : end) {
		uint32_t hope = hope_of_status(ddrescue_status_at(map, at, &run));

		worst = hope > worst ? hope : worst;
	}
	return worst;
}

uint32_t member_maps_hope(const struct member_maps *maps, uint32_t slot, uint64_t place)
{
	uint32_t best = UINT32_MAX;

	for (size_t i = 0; i < maps->count; i++) {
		uint32_t hope;

		if (maps->at[i].slot != slot)
			continue;
		hope = hope_of_sector(&maps->at[i].map, place);
		best = hope < best ? hope : best;
	}
	return best == UINT32_MAX ? 0 : best;
}

int member_maps_want(struct member_maps *maps, uint32_t slot, uint64_t place, struct err *err)
{
	size_t i = 0;
	struct ddrescue_map *domain;

	while (i < maps->count && maps->at[i].slot != slot)
		i++;
	assert(i < maps->count); /* there was hope */
	domain = &maps->at[i].domain;
	if ((domain->blocks.count == 0 &&
	     ddrescue_begin(domain, DDRESCUE_POSITION_MAX, DDRESCUE_UNTRIED)) ||
	    ddrescue_set(domain, place, SECTOR, DDRESCUE_RESCUED))
		return err_set(err, ERR_NOMEM, "no memory for the maps");
	return 0;
}

const struct ddrescue_map *member_maps_domain(const struct member_maps *maps, size_t index,
					      uint32_t *slot_out)
{
	const struct member_map *one = &maps->at[index];

	assert(index < maps->count);
	if (one->slot == NO_SLOT)
		return NULL;
	for (size_t i = 0; i < index; i++) {
		if (maps->at[i].slot == one->slot)
			return NULL;
	}
	*slot_out = one->slot;
	return &one->domain;
}

int member_maps_guard(const struct member_maps *maps, const char *path, struct err *err)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct member_map *one = &maps->at[i];

		if ((one->path && same_file(one->path, path)) || same_file(one->file, path)) {
			err_set(err, ERR_IN_USE, "%s is an image or a map that is read", path);
			return err_hint(err, "name another file");
		}
	}
	return 0;
}

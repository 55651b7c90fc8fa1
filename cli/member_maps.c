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

struct member_map {
	char *member; /* as the operator says; owned */
	char *file;   /* of the map; owned */
	char *path;   /* of the image; owned; NULL: not found yet */
	struct ddrescue_map map;
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

static const struct member_map *map_of(const struct member_maps *maps, const char *path)
{
	for (size_t i = 0; i < maps->count; i++) {
		if (maps->at[i].path && same_file(maps->at[i].path, path))
			return &maps->at[i];
	}
	return NULL;
}

bool member_maps_has(const struct member_maps *maps, const char *path)
{
	return map_of(maps, path);
}

int member_maps_wrap(struct dev **dev, const struct member_maps *maps, const char *path,
		     struct err *err)
{
	const struct member_map *one = map_of(maps, path);
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

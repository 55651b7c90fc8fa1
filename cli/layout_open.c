/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/layout_open.h"

#include "cli/foreign_open.h"
#include "cli/output.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_SIZE 4096u /* of a file, to see whether it is one */

/* Devices of one opening, by slot. */
struct opening {
	const struct invocation *inv;
	const struct open_how *how;
	const char *path;
	struct layout_file layout;
	struct dev *devs[MEMBERS_MAX];
	char *paths[MEMBERS_MAX];
};

static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count = read(fd, text + done, size - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -1;
		if (count == 0)
			break;
		done += (size_t)count;
	}
	return (ssize_t)done;
}

/* A regular file only: of another kind the first byte may never come. */
static int regular_open(const char *path)
{
	struct stat facts;

	if (stat(path, &facts) || !S_ISREG(facts.st_mode))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

bool layout_path_is(const char *path)
{
	char text[LOOK_SIZE];
	int fd = regular_open(path);
	ssize_t size;

	if (fd < 0)
		return false;
	size = read_all(fd, text, sizeof(text));
	close(fd);
	return size > 0 && layout_file_is(text, (size_t)size);
}

int layout_path_read(struct layout_file *layout_out, const char *path, struct err *err)
{
	char *text = mem_calloc(1, LAYOUT_FILE_SIZE_MAX + 1);
	ssize_t size;
	int fd, rc;

	if (!text)
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	fd = regular_open(path);
	if (fd < 0) {
		rc = err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_ACCESS, "%s: %s", path,
			     strerrordesc_np(errno));
		goto out_free;
	}
	size = read_all(fd, text, LAYOUT_FILE_SIZE_MAX + 1);
	if (size < 0)
		rc = err_set(err, ERR_IO, "%s: %s", path, strerrordesc_np(errno));
	else
		rc = layout_file_parse(layout_out, text, (size_t)size, path, err);
	if (rc)
		err_hint(err, "pgctl help detect; pgctl-layouts(7) has the keys of a layout file");
	close(fd);

out_free:
	mem_free(text);
	return rc;
}

/* Paths count from the folder of the layout file. */
static char *path_from(const char *layout, const char *member)
{
	const char *slash = strrchr(layout, '/');
	struct text text = { 0 };

	if (!slash || member[0] == '/')
		return mem_strdup(member);
	text_add(&text, "%.*s/%s", (int)(slash - layout), layout, member);
	if (!text.failed)
		return text.chars;
	text_reset(&text);
	return NULL;
}

static int slot_open(struct opening *opening, uint32_t slot, struct err *err)
{
	const struct layout_member *member = &opening->layout.members[slot];
	int rc;

	if (!member->path)
		return 0;
	opening->paths[slot] = path_from(opening->path, member->path);
	if (!opening->paths[slot])
		return err_set(err, ERR_NOMEM, "%s: no memory", opening->path);
	rc = cli_stack_open(&opening->devs[slot], opening->inv, opening->paths[slot], ACCESS_READ,
			    0, slot, err);
	if (rc == 0 || rc == ERR_NOMEM || rc == ERR_FORMAT)
		return rc;
	out_warn(opening->inv->out, "%s is left out: %s", opening->paths[slot], err->text);
	*err = (struct err){ 0 };
	/* From here on it is as if the file said so. */
	mem_free(opening->layout.members[slot].path);
	opening->layout.members[slot].path = NULL;
	return 0;
}

/* The same file twice would be two members that fail together. */
static int refuse_twice(const struct opening *opening, struct err *err)
{
	for (uint32_t i = 0; i < opening->layout.member_count; i++) {
		for (uint32_t j = 0; opening->devs[i] && j < i; j++) {
			if (opening->devs[j] &&
			    memcmp(dev_info(opening->devs[i])->identity,
				   dev_info(opening->devs[j])->identity,
				   sizeof(dev_info(opening->devs[i])->identity)) == 0)
				return err_set(err, ERR_DUPLICATE,
					       "%s: members %" PRIu32 " and %" PRIu32
					       " are the same file",
					       opening->path, j, i);
		}
	}
	return 0;
}

static int map_open(struct array **array_out, struct opening *opening, struct err *err)
{
	const struct foreign_write reading = { 0 };
	uint64_t sizes[MEMBERS_MAX] = { 0 };
	struct map *map;
	int rc;

	for (uint32_t slot = 0; slot < opening->layout.member_count; slot++) {
		if (opening->devs[slot])
			sizes[slot] = dev_info(opening->devs[slot])->size_exact;
	}
	rc = layout_map_make(&map, &opening->layout, sizes, err);
	if (rc)
		return err_prefix(err, "%s", opening->path);
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (member_set_has(opening->how->without, slot)) {
			dev_close(opening->devs[slot]);
			opening->devs[slot] = NULL;
		}
	}
	return foreign_open(array_out, opening->inv, map, opening->devs, &reading, err);
}

static int refuse_broken(const struct opening *opening, struct err *err)
{
	uint32_t missing = 0;

	for (uint32_t slot = 0; slot < opening->layout.member_count; slot++)
		missing += !opening->layout.members[slot].path;
	err_set(err, ERR_TOO_FEW, "array '%s' (%s): %" PRIu32 " of %" PRIu32 " members are missing",
		opening->layout.name, opening->path, missing, opening->layout.member_count);
	return err_hint(err, "pgctl status %s", opening->path);
}

int layout_open(struct array **array_out, char **paths_out, const struct invocation *inv,
		const char *path, const struct open_how *how, struct err *err)
{
	struct opening *opening = mem_calloc(1, sizeof(*opening));
	struct array *array = NULL;
	int rc;

	if (!opening)
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	opening->inv = inv;
	opening->how = how;
	opening->path = path;
	if (how->access == ACCESS_WRITE)
		rc = err_set(err, ERR_FOREIGN, "%s: an array by a layout file is only read", path);
	else
		rc = layout_path_read(&opening->layout, path, err);
	for (uint32_t slot = 0; rc == 0 && slot < opening->layout.member_count; slot++)
		rc = slot_open(opening, slot, err);
	if (rc == 0)
		rc = refuse_twice(opening, err);
	if (rc == 0)
		rc = map_open(&array, opening, err);
	if (rc == 0 && how->access != ACCESS_SALVAGE && array_health(array) == HEALTH_BROKEN) {
		rc = refuse_broken(opening, err);
		array_close(array);
	}
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		dev_close(opening->devs[slot]);
		if (rc == 0)
			paths_out[slot] = opening->paths[slot];
		else
			mem_free(opening->paths[slot]);
	}
	layout_file_reset(&opening->layout);
	mem_free(opening);
	if (rc == 0)
		*array_out = array;
	return rc;
}

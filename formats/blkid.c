/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/blkid.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"

#include <blkid.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUPERBLOCK_FLAGS                                                                           \
	(BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |         \
	 BLKID_SUBLKS_VERSION | BLKID_SUBLKS_MAGIC)

/* A text from the disk, cut to fit. */
static void text_copy(char *out, size_t out_size, const char *data, size_t size)
{
	size = strnlen(data, size);
	if (size >= out_size)
		size = out_size - 1;
	memcpy(out, data, size);
	out[size] = '\0';
}

/* Names that are fields of struct found, or say nothing to people. */
static bool is_detail(const char *name)
{
	static const char *const others[] = { "TYPE",           "UUID",      "LABEL",   "SBMAGIC",
					      "SBMAGIC_OFFSET", "PTTYPE",    "PTUUID",  "PTMAGIC",
					      "PTMAGIC_OFFSET", "LABEL_RAW", "UUID_RAW" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(name, others[i]) == 0)
			return false;
	}
	return true;
}

static void value_note(struct found *found, const char *name, const char *data, size_t size)
{
	struct found_detail *detail;

	if (strcmp(name, "TYPE") == 0 || strcmp(name, "PTTYPE") == 0)
		text_copy(found->type, sizeof(found->type), data, size);
	else if (strcmp(name, "UUID") == 0 || strcmp(name, "PTUUID") == 0)
		text_copy(found->uuid, sizeof(found->uuid), data, size);
	else if (strcmp(name, "LABEL") == 0)
		text_copy(found->name, sizeof(found->name), data, size);
	else if (strcmp(name, "SBMAGIC_OFFSET") == 0 || strcmp(name, "PTMAGIC_OFFSET") == 0)
		found->offset = strtoull(data, NULL, 10);
	if (!is_detail(name) || found->detail_count == FOUND_DETAILS_MAX)
		return;
	detail = &found->details[found->detail_count++];
	text_copy(detail->name, sizeof(detail->name), name, strlen(name));
	text_copy(detail->value, sizeof(detail->value), data, size);
}

/* What the prober has found just now; false when that is no signature. */
static bool found_read(struct found *found, blkid_probe probe)
{
	int count = blkid_probe_numof_values(probe);

	for (int i = 0; i < count; i++) {
		const char *name, *data;
		size_t size;

		if (blkid_probe_get_value(probe, i, &name, &data, &size) == 0)
			value_note(found, name, data, size);
	}
	return found->type[0] != '\0';
}

static bool is_listed(const struct found_list *list, const struct found *found)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->at[i].offset == found->offset &&
		    strcmp(list->at[i].type, found->type) == 0)
			return true;
	}
	return false;
}

static int list_add(struct found_list *list, const struct found *found)
{
	struct found *grown = mem_realloc(list->at, list->count + 1, sizeof(*grown));

	if (!grown)
		return ERR_NOMEM;
	list->at = grown;
	list->at[list->count++] = *found;
	return 0;
}

/*
 * Every step of blkid_do_probe() is one more signature, and none is hidden from the next as the "safe"
 * probing does. The list ends by its bound if a library should not end.
 */
static int probe_all(struct found_list *list, blkid_probe probe, const char *path, struct err *err)
{
	errno = 0;
	for (unsigned i = 0; i < FOUND_MAX; i++) {
		struct found found = { 0 };
		int rc = blkid_do_probe(probe);

		if (rc == 1)
			return 0;
		if (rc < 0)
			return err_set(err, ERR_IO, "%s: cannot be probed: %s", path,
				       strerrordesc_np(errno ? errno : EIO));
		if (found_read(&found, probe) && !is_listed(list, &found) && list_add(list, &found))
			return err_set(err, ERR_NOMEM, "%s: no memory", path);
	}
	return 0;
}

static int path_open(int *fd_out, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat facts;
	int code;

	if (fd < 0) {
		code = errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_ACCESS;
		return err_set(err, code, "%s: %s", path, strerrordesc_np(errno));
	}
	if (fstat(fd, &facts) || (!S_ISREG(facts.st_mode) && !S_ISBLK(facts.st_mode))) {
		close(fd);
		return err_set(err, ERR_KIND, "%s is neither a file nor a block device", path);
	}
	*fd_out = fd;
	return 0;
}

int blkid_find(struct found_list *list_out, const char *path, struct err *err)
{
	struct found_list list = { 0 };
	blkid_probe probe;
	struct stat facts;
	int fd = -1, rc = path_open(&fd, path, err);

	if (rc)
		return rc;
	if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size == 0) {
		close(fd);
		*list_out = list;
		return 0;
	}
	probe = blkid_new_probe();
	if (!probe || blkid_probe_set_device(probe, fd, 0, 0)) {
		rc = err_set(err, probe ? ERR_IO : ERR_NOMEM, "%s: cannot be probed", path);
		goto out_close;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, SUPERBLOCK_FLAGS);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	rc = probe_all(&list, probe, path, err);

out_close:
	blkid_free_probe(probe);
	close(fd);
	if (rc)
		found_list_reset(&list);
	else
		*list_out = list;
	return rc;
}

void found_list_reset(struct found_list *list)
{
	mem_free(list->at);
	*list = (struct found_list){ 0 };
}

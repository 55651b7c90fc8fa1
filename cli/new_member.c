/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/new_member.h"

#include "cli/member_guard.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/overlay_dir.h"
#include "cli/plan.h"
#include "core/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_MODE 0600 /* an image holds what somebody else must not read */

/* Make the name of a new file durable. */
static int directory_flush(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
	int fd, rc = 0;

	if (!folder)
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (fsync(fd) && errno != EINVAL))
		rc = err_set(err, ERR_IO, "%s: the directory cannot be flushed: %s", path,
			     strerrordesc_np(errno));
	if (fd >= 0)
		close(fd);
	mem_free(folder);
	return rc;
}

/* Remove an image that was made here, unless the name leads to another file by now. */
static void image_remove(const struct new_member *member)
{
	struct stat now;

	if (member->created && member->overlay)
		overlay_dir_new_remove(member->overlay, member->path);
	else if (member->created && lstat(member->path, &now) == 0 && S_ISREG(now.st_mode) &&
		 now.st_dev == member->device && now.st_ino == member->inode)
		unlink(member->path);
}

static int create_error(const char *path, struct err *err)
{
	int number = errno;
	int code = number == EEXIST ? ERR_EXISTS : number == ENOENT ? ERR_NOT_FOUND : ERR_ACCESS;

	err_set(err, code, "%s: cannot be created: %s", path, strerrordesc_np(number));
	if (number == ENOENT)
		err_hint(err, "make its directory first");
	return code;
}

/* A sparse file that nobody had before; `member` remembers which one. */
static int image_create(struct new_member *member, uint64_t size, struct err *err)
{
	struct stat facts;
	int rc, fd;

	if (size % BLOCK_SIZE != 0 || size > (uint64_t)INT64_MAX)
		return err_set(err, ERR_SIZE, "%s: %" PRIu64 " bytes are not a multiple of %u",
			       member->path, size, BLOCK_SIZE);
	fd = open(member->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, IMAGE_MODE);
	if (fd < 0 || fstat(fd, &facts)) {
		rc = create_error(member->path, err);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	member->created = true;
	member->has_inode = true;
	member->device = facts.st_dev;
	member->inode = facts.st_ino;

	rc = 0;
	if (ftruncate(fd, (off_t)size) || fsync(fd))
		rc = err_set(err, errno == ENOSPC || errno == EFBIG ? ERR_NOSPACE : ERR_IO,
			     "%s: cannot be made %" PRIu64 " bytes large: %s", member->path, size,
			     strerrordesc_np(errno));
	close(fd);
	return rc ? rc : directory_flush(member->path, err);
}

static int image_make(struct new_member *member, uint64_t size, struct err *err)
{
	if (!member->overlay)
		return image_create(member, size, err);
	int rc = overlay_dir_new_make(member->overlay, member->path, size, err);

	member->created = rc == 0;
	return rc;
}

/* Nothing is in it, and nobody protects it: what a create that was killed leaves behind. */
static bool is_empty_file(const char *path)
{
	struct stat facts;

	return lstat(path, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size == 0 &&
	       facts.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH);
}

/* Remove an empty file. Whoever makes an image of it at this moment has its lock, or finds it gone. */
static int empty_remove(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat facts;
	int rc = 0;

	if (fd < 0)
		return err_set(err, ERR_ACCESS, "%s: %s", path, strerrordesc_np(errno));
	if (flock(fd, LOCK_EX | LOCK_NB))
		rc = err_set(err, ERR_BUSY, "%s is in use by another process", path);
	else if (fstat(fd, &facts) || facts.st_size > 0)
		rc = err_set(err, ERR_CHANGED, "%s was empty and is not any more", path);
	else if (unlink(path))
		rc = err_set(err, ERR_ACCESS, "%s: cannot be removed: %s", path,
			     strerrordesc_np(errno));
	close(fd);
	return rc;
}

/* Is `path` something else than a name in the file system? */
static bool is_uri(const char *path)
{
	return strstr(path, "://") != NULL;
}

/* Two names of one file or of one disk. */
static int duplicate_check(const struct new_members *members, const struct new_member *member,
			   struct err *err)
{
	for (uint32_t i = 0; i < members->count; i++) {
		const struct new_member *other = &members->at[i];
		bool same = member->has_inode
				    ? other->has_inode && other->device == member->device &&
					      other->inode == member->inode
				    : strcmp(other->path, member->path) == 0;

		if (same) {
			err_set(err, ERR_DUPLICATE, "%s and %s are the same file", other->path,
				member->path);
			return err_hint(err, "name every member once");
		}
	}
	return 0;
}

/* A file that --plan would make: it has its size and nothing else. */
static int planned_open(struct new_member *member, const struct invocation *inv, uint64_t size,
			uint32_t number, struct err *err)
{
	if (dev_missing_open(&member->dev, inv->env, member->path))
		return err_set(err, ERR_NOMEM, "%s: no memory", member->path);
	member->dev->info.size = size - size % BLOCK_SIZE;
	member->dev->info.size_exact = size;
	member->dev->info.identity[0] = UINT64_MAX; /* no file has this one */
	member->dev->info.identity[1] = number;
	return 0;
}

static int size_check(const struct new_member *member, struct err *err)
{
	uint64_t size = dev_info(member->dev)->size_exact;

	if (size == 0) {
		err_set(err, ERR_SIZE, "%s is empty", member->path);
		return err_hint(err, "remove it and repeat with --size, or: truncate -s 1G %s",
				member->path);
	}
	if (size % BLOCK_SIZE != 0) {
		err_set(err, ERR_SIZE, "%s has %" PRIu64 " bytes, not a multiple of %u",
			member->path, size, BLOCK_SIZE);
		return err_hint(err, "truncate -s %%%u %s", BLOCK_SIZE, member->path);
	}
	return 0;
}

/* What was opened must be what was looked at by name. */
static int same_check(const struct new_member *member, struct err *err)
{
	struct stat now;

	if (stat(member->path, &now) || now.st_ino != member->inode ||
	    (S_ISBLK(now.st_mode) ? now.st_rdev : now.st_dev) != member->device)
		return err_set(err, ERR_CHANGED, "%s was replaced while it was being opened",
			       member->path);
	return 0;
}

static int in_use(const struct new_member *member, struct err *err)
{
	err_fact(err, "member", "%s", member->path);
	return err_hint(err, "look with: pgctl inspect %s; to overwrite it, repeat with --force",
			member->path);
}

/* Does it belong to an array, of ours or a newer version's? */
static int superblock_check(const struct new_member *member, bool force, struct err *err)
{
	struct array_probe probe;
	struct err why = { 0 };
	int rc = array_probe(&probe, member->dev, &why);

	if (rc == ERR_VERSION && !force) {
		err_set(err, ERR_IN_USE, "%s: %s", member->path, why.text);
		return in_use(member, err);
	}
	if (rc && rc != ERR_VERSION) {
		*err = why;
		return rc;
	}
	if (rc || probe.valid_slots == 0 || force)
		return 0;
	err_set(err, ERR_IN_USE, "%s is member %u of array %s", member->path, probe.slot,
		probe.name);
	err_fact(err, "type", "pgctl");
	return in_use(member, err);
}

static int signature_check(struct new_member *member, bool force, struct err *err)
{
	const struct found *first;
	int rc = blkid_find(&member->found, member->path, err);

	if (rc || member->found.count == 0 || force)
		return rc;
	first = &member->found.at[0];
	err_set(err, ERR_IN_USE, "%s holds %s at offset %" PRIu64 "%s%s%s%s", member->path,
		first->type, first->offset, first->uuid[0] ? ", uuid " : "", first->uuid,
		first->name[0] ? ", label " : "", first->name);
	err_fact(err, "type", "%s", first->type);
	return in_use(member, err);
}

/* Note which file the name leads to. False when there is none. */
static bool facts_take(struct new_member *member)
{
	struct stat facts;

	if (is_uri(member->path) || stat(member->path, &facts))
		return false;
	member->has_inode = true;
	member->device = S_ISBLK(facts.st_mode) ? facts.st_rdev : facts.st_dev;
	member->inode = facts.st_ino;
	return true;
}

static int existing_open(struct new_member *member, const struct invocation *inv, struct err *err)
{
	enum access access = plan_only(inv) ? ACCESS_READ : ACCESS_WRITE;
	bool force = inv->common->force;
	int rc = inv->overlay ? 0 : member_protection_check(member->path, err);

	if (rc == 0)
		rc = cli_device_open(&member->dev, inv, member->path, access, 0, err);
	if (rc == ERR_NOT_FOUND)
		err_hint(err, "add --size SIZE to make an image file there");
	if (rc)
		return rc;
	rc = size_check(member, err);
	if (rc == 0 && !member->created)
		rc = superblock_check(member, force, err);
	if (rc == 0 && !member->created && member->has_inode)
		rc = signature_check(member, force, err);
	if (rc == 0 && member->has_inode)
		rc = same_check(member, err);
	return rc;
}

static void member_close(struct new_member *member)
{
	dev_close(member->dev);
	image_remove(member);
	found_list_reset(&member->found);
}

int new_members_open(struct new_members *members, const struct invocation *inv, const char *path,
		     uint64_t size, struct err *err)
{
	struct new_member member = { .path = path, .overlay = inv->overlay };
	bool exists = facts_take(&member) || overlay_dir_has_new(inv->overlay, path);
	bool empty = exists && size > 0 && !inv->overlay && is_empty_file(path);
	bool make = (empty || !exists) && size > 0 && !is_uri(path);
	int rc = duplicate_check(members, &member, err);

	member.existed = exists && !empty;
	if (rc)
		return rc;
	if (members->count == MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %u members", MEMBERS_MAX);

	if (make && plan_only(inv)) {
		rc = planned_open(&member, inv, size, members->count, err);
	} else {
		if (empty)
			rc = empty_remove(path, err);
		if (rc == 0 && make)
			rc = image_make(&member, size, err);
		if (rc == 0)
			rc = existing_open(&member, inv, err);
	}
	if (rc) {
		member_close(&member);
		return rc;
	}
	members->at[members->count++] = member;
	return 0;
}

static const struct field found_fields[] = {
	{ "member", FIELD_TEXT, "FOUND ON" }, { "type", FIELD_TEXT, "TYPE" },
	{ "offset", FIELD_COUNT, "OFFSET" },  { "uuid", FIELD_TEXT, "UUID" },
	{ "name", FIELD_TEXT, "NAME" },       { 0 },
};

void new_members_show(const struct new_members *members, const struct invocation *inv)
{
	size_t total = 0;

	for (uint32_t i = 0; i < members->count; i++)
		total += members->at[i].found.count;
	if (total == 0 && !out_is_json(inv->out))
		return;

	out_list_begin(inv->out, "found", found_fields);
	for (uint32_t i = 0; i < members->count; i++) {
		const struct new_member *member = &members->at[i];

		for (size_t j = 0; j < member->found.count; j++) {
			const struct found *found = &member->found.at[j];

			out_text(inv->out, member->path);
			out_text(inv->out, found->type);
			out_number(inv->out, found->offset);
			out_text(inv->out, found->uuid[0] ? found->uuid : NULL);
			out_text(inv->out, found->name[0] ? found->name : NULL);
		}
	}
	out_list_end(inv->out);
}

void new_member_number(const struct new_member *member, const struct invocation *inv, uint32_t slot)
{
	if (inv->trace && !plan_only(inv))
		trace_sink_set_member(member->dev, slot);
}

void new_member_taken(struct new_member *member)
{
	assert(member->dev);
	member->dev = NULL;
}

void new_members_keep(struct new_members *members)
{
	for (uint32_t i = 0; i < members->count; i++)
		members->at[i].created = false;
}

void new_members_close(struct new_members *members)
{
	for (uint32_t i = 0; i < members->count; i++)
		member_close(&members->at[i]);
	*members = (struct new_members){ 0 };
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/overlay_commit.h"

#include "cli/member_guard.h"
#include "cli/members.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_SIZE (1u << 20)
#define IMAGE_MODE 0600 /* an image holds what somebody else must not read */

/* What is written before what: roles of one phase are durable before the next begins. */
#define ROLE(name) (1u << IO_ROLE_##name)
static const unsigned phases[] = {
	ROLE(DATA) | ROLE(PARITY) | ROLE(PURE) | ROLE(SEAL) | ROLE(WITNESS),
	ROLE(LOG),
	ROLE(MAP),
	ROLE(SUPER),
};
#define PHASES (sizeof(phases) / sizeof(phases[0]))

struct committing {
	struct overlay_members *members;
	const struct invocation *inv;
	struct overlay_dir *dir;
	uint8_t *buffer; /* COPY_SIZE */
	struct job_progress progress;
};

/* ---- members */

/* What lies below an overlay, to read. */
static int below_open(struct dev **dev_out, const struct invocation *inv,
		      const struct overlay_header *header, struct err *err)
{
	if (!header->is_new)
		return cli_device_open(dev_out, inv, header->path, ACCESS_READ, 0, err);
	if (dev_blank_open(dev_out, inv->env, header->path, header->size, header->identity))
		return err_set(err, ERR_NOMEM, "%s: no memory", header->path);
	return 0;
}

static int member_open(struct overlay_member *member, const struct invocation *inv,
		       struct overlay_dir *dir, size_t index, struct err *err)
{
	struct dev *below = NULL;
	int rc;

	member->header = overlay_dir_header(dir, index);
	rc = below_open(&below, inv, member->header, err);
	if (rc == 0)
		rc = overlay_dir_side_open(&member->overlay, below, dir, index, err);
	if (rc)
		dev_close(below);
	return rc;
}

int overlay_members_open(struct overlay_members *members_out, const struct invocation *inv,
			 struct overlay_dir *dir, struct err *err)
{
	struct overlay_members members = { .count = overlay_dir_count(dir) };
	int rc = 0;

	members.at = mem_calloc(members.count, sizeof(*members.at));
	if (!members.at)
		return err_set(err, ERR_NOMEM, "no memory for the members");
	for (size_t i = 0; rc == 0 && i < members.count; i++)
		rc = member_open(&members.at[i], inv, dir, i, err);
	if (rc)
		overlay_members_close(&members);
	else
		*members_out = members;
	return rc;
}

void overlay_members_close(struct overlay_members *members)
{
	for (size_t i = 0; i < members->count; i++) {
		dev_close(members->at[i].overlay);
		dev_close(members->at[i].target);
	}
	mem_free(members->at);
	*members = (struct overlay_members){ 0 };
}

uint64_t overlay_member_bytes(struct overlay_member *member, enum io_role role)
{
	struct overlay_range range;
	uint64_t bytes = 0;

	for (uint64_t at = 0; overlay_next_range(&range, member->overlay, at, UINT64_MAX);
	     at = range.offset + range.size) {
		if (role == IO_ROLE_COUNT || range.role == role)
			bytes += range.size;
	}
	return bytes;
}

/* ---- targets */

static bool exists(const char *path)
{
	struct stat facts;

	return lstat(path, &facts) == 0;
}

/* Before anything is written: a member that is there is opened, one that is to be is not there. */
static int target_take(struct committing *commit, struct overlay_member *member, struct err *err)
{
	const char *path = member->header->path;
	int rc;

	if (member->header->is_new && overlay_dir_state(commit->dir) == OVERLAY_OPEN) {
		if (!exists(path))
			return 0;
		err_set(err, ERR_EXISTS, "%s exists, and is a new member in the overlay", path);
		return err_hint(err, "move the file away, then the same command");
	}
	if (member->header->is_new)
		return 0;
	rc = member_protection_check(path, err);
	return rc ? rc : cli_device_open(&member->target, commit->inv, path, ACCESS_WRITE, 0, err);
}

/* What a commit that was killed left of a new image before it had its size. */
static void stump_remove(const char *path)
{
	struct stat facts;

	if (lstat(path, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size == 0)
		unlink(path);
}

static int target_make(struct committing *commit, struct overlay_member *member, struct err *err)
{
	const char *path = member->header->path;
	bool made;
	int rc;

	if (!member->header->is_new)
		return 0;
	stump_remove(path);
	made = !exists(path);
	rc = cli_device_open(&member->target, commit->inv, path, ACCESS_WRITE, member->header->size,
			     err);
	if (rc == 0 && made && chmod(path, IMAGE_MODE))
		rc = err_set(err, ERR_ACCESS, "%s: its mode cannot be set", path);
	if (rc == 0 && dev_info(member->target)->size != member->header->size)
		rc = err_set(err, ERR_CHANGED, "%s is not as large as its overlay", path);
	return rc;
}

static int each_member(struct committing *commit,
		       int (*act)(struct committing *commit, struct overlay_member *member,
				  struct err *err),
		       struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < commit->members->count; i++)
		rc = act(commit, &commit->members->at[i], err);
	return rc;
}

/* ---- copying */

/* Is it time to stop? The progress is told on the way. */
static int watch(struct committing *commit, struct err *err)
{
	const struct job_watch *watcher = &commit->inv->watch;

	if (watcher->progress)
		watcher->progress(watcher->arg, &commit->progress);
	if (watcher->stop && watcher->stop(watcher->arg)) {
		err_set(err, ERR_STOPPED, "the commit was stopped");
		return err_hint(err, "the members have a part of it; the same command goes on");
	}
	return 0;
}

/* Zeros stay holes. */
static int range_write(struct committing *commit, struct overlay_member *member,
		       const struct overlay_range *range)
{
	struct io zero = {
		.dev = member->target,
		.op = IO_ZERO,
		.role = range->role,
		.offset = range->offset,
		.size = range->size,
	};

	if (bytes_are_zero(commit->buffer, range->size))
		return io_run(&zero, 1);
	return io_write(member->target, range->role, range->offset, commit->buffer, range->size);
}

static int range_copy(struct committing *commit, struct overlay_member *member,
		      const struct overlay_range *range, struct err *err)
{
	int rc = io_read(member->overlay, range->role, range->offset, commit->buffer, range->size);

	if (rc)
		return err_set(err, rc, "%s: its overlay cannot be read", member->header->path);
	rc = range_write(commit, member, range);
	if (rc)
		return err_set(err, rc, "%s: cannot be written", member->header->path);
	commit->progress.bytes_read += range->size;
	commit->progress.bytes_written += range->size;
	commit->progress.done += range->size;
	return watch(commit, err);
}

static int member_copy(struct committing *commit, struct overlay_member *member, unsigned roles,
		       struct err *err)
{
	struct overlay_range range;
	bool written = false;
	int rc = 0;

	for (uint64_t at = 0; rc == 0 && overlay_next_range(&range, member->overlay, at, COPY_SIZE);
	     at = range.offset + range.size) {
		if (!(roles >> range.role & 1))
			continue;
		written = true;
		rc = range_copy(commit, member, &range, err);
	}
	if (rc || !written)
		return rc;
	rc = io_flush(member->target);
	return rc ? err_set(err, rc, "%s: cannot be flushed", member->header->path) : 0;
}

static int phases_run(struct committing *commit, struct err *err)
{
	int rc = 0;

	for (size_t phase = 0; phase < PHASES; phase++) {
		for (size_t i = 0; rc == 0 && i < commit->members->count; i++)
			rc = member_copy(commit, &commit->members->at[i], phases[phase], err);
	}
	return rc;
}

int overlay_commit_run(struct overlay_members *members, const struct invocation *inv,
		       struct overlay_dir *dir, struct err *err)
{
	struct committing commit = {
		.members = members,
		.inv = inv,
		.dir = dir,
		.buffer = mem_pages_raw(COPY_SIZE),
		.progress.kind = "commit",
	};
	int rc;

	if (!commit.buffer)
		return err_set(err, ERR_NOMEM, "no memory for a commit");
	for (size_t i = 0; i < members->count; i++)
		commit.progress.total += overlay_member_bytes(&members->at[i], IO_ROLE_COUNT);
	rc = each_member(&commit, target_take, err);
	if (rc == 0 && overlay_dir_state(dir) == OVERLAY_OPEN)
		rc = overlay_dir_set_state(dir, OVERLAY_COMMITTING, err);
	if (rc == 0)
		rc = each_member(&commit, target_make, err);
	if (rc == 0)
		rc = phases_run(&commit, err);
	if (rc == 0)
		rc = overlay_dir_set_state(dir, OVERLAY_COMMITTED, err);
	mem_pages_free(commit.buffer);
	return rc;
}

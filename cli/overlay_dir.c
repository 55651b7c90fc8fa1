/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/overlay_dir.h"

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/vec.h"
#include "core/dev/dev_lock.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".overlay"
#define SUFFIX_NEW SUFFIX ".new"
#define DIRECTORY_MODE 0700 /* what is in it is what members hold */
#define NS_PER_S UINT64_C(1000000000)
#define MEMBER_NAME_MAX 180u /* of a member's name in that of its side file */

static const char *const marks[] = {
	[OVERLAY_COMMITTING] = "committing",
	[OVERLAY_COMMITTED] = "committed",
	[OVERLAY_DISCARDED] = "discarded",
};

struct side {
	char *path; /* owned: of the side file */
	bool made;  /* by this command */
	struct overlay_header header;
};

VEC_DEFINE(side_vec, struct side *);

struct overlay_dir {
	struct env *env;
	const char *path; /* borrowed */
	enum dev_engine engine;
	int fd; /* of the directory, which is locked; -1: it does not exist yet */
	bool damaged_too;
	enum overlay_state state;
	struct side_vec sides;
};

static int no_memory(const struct overlay_dir *dir, struct err *err)
{
	return err_set(err, ERR_NOMEM, "%s: no memory", dir->path);
}

static int fail(const struct overlay_dir *dir, const char *what, struct err *err)
{
	int number = errno;
	int code = number == ENOSPC || number == EDQUOT ? ERR_NOSPACE
		   : number == ENOENT                   ? ERR_NOT_FOUND
		   : number == EIO                      ? ERR_IO
							: ERR_ACCESS;

	return err_set(err, code, "%s: %s: %s", dir->path, what, strerrordesc_np(number));
}

/* ---- names */

static char *path_in(const struct overlay_dir *dir, const char *name, const char *suffix)
{
	struct text text = { 0 };

	text_add(&text, "%s/%s%s", dir->path, name, suffix);
	if (!text.failed)
		return text.chars;
	text_reset(&text);
	return NULL;
}

/* `path` from the root, without links in its directories; also of a file that is not there. */
static bool path_real(char out[static OVERLAY_PATH_SIZE], const char *path)
{
	char real[PATH_MAX], folder[PATH_MAX];
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t folder_size = slash ? (size_t)(slash - path) + 1 : 0;
	size_t size;

	if (realpath(path, real)) {
		size = strlen(real);
		if (size < OVERLAY_PATH_SIZE)
			memcpy(out, real, size + 1);
		return size < OVERLAY_PATH_SIZE;
	}
	if (errno != ENOENT || folder_size >= sizeof(folder))
		return false;
	memcpy(folder, slash ? path : ".", slash ? folder_size : 1);
	folder[slash ? folder_size : 1] = '\0';
	if (!realpath(folder, real))
		return false;
	size = (size_t)snprintf(out, OVERLAY_PATH_SIZE, "%s/%s", strcmp(real, "/") ? real : "",
				name);
	return size < OVERLAY_PATH_SIZE;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- side files */

static void side_free(struct side *side)
{
	if (!side)
		return;
	mem_free(side->path);
	mem_free(side);
}

static int side_file_open(struct dev **dev_out, const struct overlay_dir *dir, const char *path,
			  bool write, uint64_t create_size, struct err *err)
{
	const struct dev_file_options options = {
		.access = write ? DEV_WRITE : DEV_READ,
		.engine = dir->engine,
		.create_size = create_size,
	};

	return dev_file_open(dev_out, dir->env, path, &options, err);
}

/* Takes `path`, whatever comes of it. */
static int side_read(struct overlay_dir *dir, char *path, struct err *err)
{
	struct side *side = mem_calloc(1, sizeof(*side));
	struct dev *dev = NULL;
	int rc;

	if (!side || !path) {
		mem_free(side);
		mem_free(path);
		return no_memory(dir, err);
	}
	side->path = path;
	rc = side_file_open(&dev, dir, path, false, 0, err);
	if (rc == 0)
		rc = overlay_header_read(&side->header, dev, err);
	dev_close(dev);
	if (rc && dir->damaged_too) {
		*err = (struct err){ 0 };
		rc = 0;
	}
	if (rc == 0 && dir->sides.count == OVERLAY_SIDES_MAX)
		rc = err_set(err, ERR_LIMIT, "%s holds more than %u overlays", dir->path,
			     OVERLAY_SIDES_MAX);
	if (rc == 0 && side_vec_push(&dir->sides, side))
		rc = no_memory(dir, err);
	if (rc)
		side_free(side);
	return rc;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t size = strlen(name), suffix_size = strlen(suffix);

	return size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0;
}

static int side_compare(const void *a, const void *b)
{
	const struct side *const *one = a, *const *other = b;

	return strcmp((*one)->header.path, (*other)->header.path);
}

/* Of several marks the last one counts. */
static void mark_read(struct overlay_dir *dir, const char *name)
{
	for (int state = OVERLAY_COMMITTING; state <= OVERLAY_DISCARDED; state++) {
		if (strcmp(name, marks[state]) == 0 && state > (int)dir->state)
			dir->state = (enum overlay_state)state;
	}
}

static int sides_read(struct overlay_dir *dir, struct err *err)
{
	DIR *entries = opendir(dir->path);
	const struct dirent *entry;
	int rc = 0;

	if (!entries)
		return fail(dir, "cannot be read", err);
	while (rc == 0 && (entry = readdir(entries))) {
		if (has_suffix(entry->d_name, SUFFIX))
			rc = side_read(dir, path_in(dir, entry->d_name, ""), err);
		else
			mark_read(dir, entry->d_name);
	}
	closedir(entries);
	if (rc == 0 && dir->sides.count)
		qsort(dir->sides.at, dir->sides.count, sizeof(*dir->sides.at), side_compare);
	return rc;
}

/* ---- the directory */

/* Open and lock it, if it is there. */
static int directory_take(struct overlay_dir *dir, struct err *err)
{
	struct stat facts;

	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0 && errno == ENOENT)
		return 0;
	if (dir->fd < 0 || fstat(dir->fd, &facts)) {
		int rc = fail(dir, "cannot be opened", err);

		err_hint(err, "--overlay takes a directory");
		return rc;
	}
	return dev_lock_take(dir->fd, &facts, dir->env, dir->path, err);
}

static int directory_need(struct overlay_dir *dir, struct err *err)
{
	int rc = 0;

	if (dir->fd >= 0)
		return 0;
	if (mkdir(dir->path, DIRECTORY_MODE) && errno != EEXIST)
		return fail(dir, "cannot be made", err);
	rc = directory_take(dir, err);
	if (rc == 0 && dir->fd < 0)
		rc = fail(dir, "cannot be opened", err);
	return rc;
}

/* Make the names in it durable. */
static int directory_flush(const struct overlay_dir *dir, struct err *err)
{
	if (fsync(dir->fd) && errno != EINVAL)
		return fail(dir, "cannot be flushed", err);
	return 0;
}

int overlay_dir_open(struct overlay_dir **dir_out, struct env *env, const char *path,
		     enum dev_engine engine, bool damaged_too, struct err *err)
{
	struct overlay_dir *dir = mem_calloc(1, sizeof(*dir));
	int rc;

	if (!dir)
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	*dir = (struct overlay_dir){
		.env = env, .path = path, .engine = engine, .fd = -1, .damaged_too = damaged_too
	};
	rc = directory_take(dir, err);
	if (rc == 0 && dir->fd >= 0)
		rc = sides_read(dir, err);
	if (rc)
		overlay_dir_close(dir);
	else
		*dir_out = dir;
	return rc;
}

/* A side file that was made for a command that then refused is of no use. */
static void side_prune(const struct overlay_dir *dir, const struct side *side)
{
	struct err ignored = { 0 };
	struct dev *dev = NULL;

	if (!side->made || side->header.is_new ||
	    side_file_open(&dev, dir, side->path, false, 0, &ignored))
		return;
	if (overlay_is_empty(dev))
		unlink(side->path);
	dev_close(dev);
}

void overlay_dir_close(struct overlay_dir *dir)
{
	if (!dir)
		return;
	for (size_t i = 0; i < dir->sides.count; i++) {
		side_prune(dir, dir->sides.at[i]);
		side_free(dir->sides.at[i]);
	}
	side_vec_reset(&dir->sides);
	if (dir->fd >= 0)
		close(dir->fd);
	mem_free(dir);
}

enum overlay_state overlay_dir_state(const struct overlay_dir *dir)
{
	return dir->state;
}

int overlay_dir_check_open(const struct overlay_dir *dir, struct err *err)
{
	if (dir->state == OVERLAY_OPEN)
		return 0;
	err_set(err, ERR_STATE, "%s: its %s was interrupted", dir->path,
		dir->state == OVERLAY_DISCARDED ? "discard" : "commit");
	return err_hint(err, "pgctl overlay %s %s",
			dir->state == OVERLAY_DISCARDED ? "discard" : "commit", dir->path);
}

/* ---- members over their side files */

static size_t side_find(const struct overlay_dir *dir, const char *path, const struct dev *member)
{
	char real[OVERLAY_PATH_SIZE];
	size_t count = dir->sides.count;

	for (size_t i = 0; count && path_real(real, path) && i < count; i++) {
		if (strcmp(dir->sides.at[i]->header.path, real) == 0)
			return i;
	}
	for (size_t i = 0; member && i < count; i++) {
		const struct overlay_header *header = &dir->sides.at[i]->header;

		if (!header->is_new && memcmp(header->identity, dev_info(member)->identity,
					      sizeof(header->identity)) == 0)
			return i;
	}
	return count;
}

static uint64_t modified_ns(const char *path)
{
	struct stat facts;

	if (stat(path, &facts) || !S_ISREG(facts.st_mode) || facts.st_mtim.tv_sec < 0)
		return 0;
	return (uint64_t)facts.st_mtim.tv_sec * NS_PER_S + (uint64_t)facts.st_mtim.tv_nsec;
}

/* A name for the side file of `path` that none has yet; *final_out and *new_out are owned then. */
static int side_name(char **final_out, char **new_out, const struct overlay_dir *dir,
		     const char *path, struct err *err)
{
	for (uint32_t i = 1; i <= OVERLAY_SIDES_MAX + 1; i++) {
		struct text name = { 0 };
		struct stat facts;

		text_add(&name, "%.*s", (int)MEMBER_NAME_MAX, name_of(path));
		if (i > 1)
			text_add(&name, ".%u", i);
		*final_out = name.failed ? NULL : path_in(dir, name.chars, SUFFIX);
		*new_out = name.failed ? NULL : path_in(dir, name.chars, SUFFIX_NEW);
		text_reset(&name);
		if (!*final_out || !*new_out)
			break;
		if (lstat(*final_out, &facts) && errno == ENOENT)
			return 0;
		mem_free(*final_out);
		mem_free(*new_out);
		*final_out = *new_out = NULL;
	}
	mem_free(*final_out);
	mem_free(*new_out);
	*final_out = *new_out = NULL;
	return no_memory(dir, err);
}

/* An empty side file under the name `from`, then under its own: it appears whole or not at all. */
static int side_create(struct overlay_dir *dir, const char *from, const char *to,
		       struct dev *member, const struct overlay_header *header, struct err *err)
{
	struct dev *side = NULL;
	int rc;

	if (unlink(from) && errno != ENOENT)
		return fail(dir, "an unfinished overlay cannot be removed", err);
	rc = side_file_open(&side, dir, from, true, overlay_side_size(header->size), err);
	if (rc)
		return rc;
	rc = overlay_format(side, member, header, err);
	dev_close(side);
	if (rc == 0 && rename(from, to))
		rc = fail(dir, "an overlay cannot be named", err);
	if (rc == 0)
		rc = directory_flush(dir, err);
	if (rc)
		unlink(from);
	return rc;
}

/* Make the side file of `member`. */
static int side_make(struct overlay_dir *dir, struct dev *member, const char *path, bool is_new,
		     struct err *err)
{
	struct overlay_header header = {
		.size = dev_info(member)->size,
		.is_new = is_new,
		.modified_ns = is_new ? 0 : modified_ns(path),
	};
	char *to = NULL, *from = NULL;
	int rc = directory_need(dir, err);

	if (rc)
		return rc;
	memcpy(header.identity, dev_info(member)->identity, sizeof(header.identity));
	if (overlay_side_size(header.size) == 0)
		return err_set(err, ERR_SIZE, "%s: no overlay for a file of %" PRIu64 " bytes",
			       path, dev_info(member)->size_exact);
	if (!path_real(header.path, path))
		return err_set(err, ERR_NAME, "%s: its path is too long for an overlay", path);
	rc = side_name(&to, &from, dir, path, err);
	if (rc)
		return rc;
	rc = side_create(dir, from, to, member, &header, err);
	mem_free(from);
	if (rc) {
		mem_free(to);
		return rc;
	}
	rc = side_read(dir, to, err);
	if (rc == 0)
		dir->sides.at[dir->sides.count - 1]->made = true;
	return rc;
}

static int side_stack(struct dev **dev_out, struct dev *member, const struct overlay_dir *dir,
		      size_t index, bool write, struct err *err)
{
	bool committing = dir->state == OVERLAY_COMMITTING;
	struct dev *side = NULL;
	int rc = side_file_open(&side, dir, dir->sides.at[index]->path, write, 0, err);

	if (rc == 0)
		rc = dev_overlay_open(dev_out, member, side, committing, err);
	if (rc)
		dev_close(side);
	if (rc == ERR_CHANGED)
		err_hint(err, "the overlay fits the member as it was: pgctl overlay discard %s",
			 dir->path);
	return rc;
}

/* Was the file written to since? Told only where it is the same file. */
static int modified_check(const struct overlay_dir *dir, size_t index, const struct dev *member,
			  const char *path, struct err *err)
{
	const struct overlay_header *header = &dir->sides.at[index]->header;
	uint64_t now = modified_ns(path);

	if (header->is_new) {
		err_set(err, ERR_EXISTS, "%s exists, and is a new member in the overlay %s", path,
			dir->path);
		return err_hint(err, "move the file away, or: pgctl overlay discard %s", dir->path);
	}
	if (now == header->modified_ns || now == 0 || header->modified_ns == 0 ||
	    memcmp(header->identity, dev_info(member)->identity, sizeof(header->identity)) != 0)
		return 0;
	err_set(err, ERR_CHANGED, "%s was written to since its overlay %s was made", path,
		dir->sides.at[index]->path);
	return err_hint(err, "the overlay fits the member as it was: pgctl overlay discard %s",
			dir->path);
}

int overlay_dir_wrap(struct dev **dev_out, struct dev *member, struct overlay_dir *dir,
		     const char *path, bool write, struct err *err)
{
	size_t index = side_find(dir, path, member);
	int rc = 0;

	assert(dev_info(member)->read_only);
	if (index == dir->sides.count && !write) {
		*dev_out = member;
		return 0;
	}
	if (index == dir->sides.count)
		rc = side_make(dir, member, path, false, err);
	else
		rc = modified_check(dir, index, member, path, err);
	return rc ? rc : side_stack(dev_out, member, dir, index, write, err);
}

/* ---- members that exist here alone */

static size_t new_find(const struct overlay_dir *dir, const char *path)
{
	struct stat facts;
	size_t index;

	if (!dir || lstat(path, &facts) == 0)
		return SIZE_MAX;
	index = side_find(dir, path, NULL);
	return index < dir->sides.count && dir->sides.at[index]->header.is_new ? index : SIZE_MAX;
}

bool overlay_dir_has_new(struct overlay_dir *dir, const char *path)
{
	return new_find(dir, path) != SIZE_MAX;
}

/* What tells it from other members: no file has device number UINT64_MAX. */
static int blank_open(struct dev **dev_out, const struct overlay_dir *dir, const char *path,
		      uint64_t size, uint64_t number, struct err *err)
{
	const uint64_t identity[2] = { UINT64_MAX, number };

	if (dev_blank_open(dev_out, dir->env, path, size, identity))
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	return 0;
}

int overlay_dir_new_make(struct overlay_dir *dir, const char *path, uint64_t size, struct err *err)
{
	char real[OVERLAY_PATH_SIZE];
	struct dev *blank = NULL;
	uint64_t number;
	int rc;

	if (size % BLOCK_SIZE != 0 || overlay_side_size(size) == 0)
		return err_set(err, ERR_SIZE, "%s: %" PRIu64 " bytes are not a multiple of %u",
			       path, size, BLOCK_SIZE);
	if (!path_real(real, path)) {
		err_set(err, ERR_NOT_FOUND, "%s: its directory cannot be found", path);
		return err_hint(err, "make its directory first");
	}
	env_random(dir->env, &number, sizeof(number));
	rc = blank_open(&blank, dir, path, size, number, err);
	if (rc == 0)
		rc = side_make(dir, blank, path, true, err);
	dev_close(blank);
	return rc;
}

int overlay_dir_new_open(struct dev **dev_out, struct overlay_dir *dir, const char *path,
			 bool write, struct err *err)
{
	size_t index = new_find(dir, path);
	const struct overlay_header *header;
	struct dev *blank = NULL;
	int rc;

	assert(index != SIZE_MAX);
	header = &dir->sides.at[index]->header;
	rc = blank_open(&blank, dir, path, header->size, header->identity[1], err);
	if (rc)
		return rc;
	rc = side_stack(dev_out, blank, dir, index, write, err);
	if (rc)
		dev_close(blank);
	return rc;
}

void overlay_dir_new_remove(struct overlay_dir *dir, const char *path)
{
	size_t index = new_find(dir, path);

	if (index == SIZE_MAX)
		return;
	unlink(dir->sides.at[index]->path);
	side_free(dir->sides.at[index]);
	dir->sides.count--;
	memmove(dir->sides.at + index, dir->sides.at + index + 1,
		(dir->sides.count - index) * sizeof(*dir->sides.at));
}

const char *overlay_dir_new_in(struct overlay_dir *dir, const char *directory, size_t *next)
{
	char real[PATH_MAX];

	if (!dir || !realpath(directory, real))
		return NULL;
	while (*next < dir->sides.count) {
		const struct overlay_header *header = &dir->sides.at[(*next)++]->header;
		const char *name = name_of(header->path);
		size_t size = (size_t)(name - header->path);

		if (header->is_new &&
		    (strcmp(real, "/") == 0 ? size == 1
					    : size == strlen(real) + 1 &&
						      memcmp(real, header->path, size - 1) == 0))
			return name;
	}
	return NULL;
}

/* ---- the directory as a whole */

size_t overlay_dir_count(const struct overlay_dir *dir)
{
	return dir->sides.count;
}

const struct overlay_header *overlay_dir_header(const struct overlay_dir *dir, size_t index)
{
	assert(index < dir->sides.count);
	return &dir->sides.at[index]->header;
}

int overlay_dir_side_open(struct dev **dev_out, struct dev *member, struct overlay_dir *dir,
			  size_t index, struct err *err)
{
	const struct overlay_header *header = overlay_dir_header(dir, index);
	int rc = 0;

	if (dir->state == OVERLAY_OPEN && !header->is_new)
		rc = modified_check(dir, index, member, header->path, err);
	return rc ? rc : side_stack(dev_out, member, dir, index, false, err);
}

int overlay_dir_set_state(struct overlay_dir *dir, enum overlay_state state, struct err *err)
{
	int fd, rc;

	assert(state > dir->state && dir->fd >= 0);
	assert(state != OVERLAY_COMMITTED || dir->state == OVERLAY_COMMITTING);
	fd = openat(dir->fd, marks[state], O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(dir, "its mark cannot be made", err);
	close(fd);
	rc = directory_flush(dir, err);
	if (rc == 0)
		dir->state = state;
	return rc;
}

int overlay_dir_remove_all(struct overlay_dir *dir, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < dir->sides.count; i++) {
		if (unlink(dir->sides.at[i]->path) && errno != ENOENT)
			rc = fail(dir, "an overlay cannot be removed", err);
	}
	/* The marks outlive what they are about, the last one also the others. */
	if (rc == 0 && dir->fd >= 0)
		rc = directory_flush(dir, err);
	for (int state = OVERLAY_COMMITTING; dir->fd >= 0 && rc == 0 && state <= OVERLAY_DISCARDED;
	     state++) {
		if (unlinkat(dir->fd, marks[state], 0) && errno != ENOENT)
			rc = fail(dir, "its mark cannot be removed", err);
		else
			rc = directory_flush(dir, err);
	}
	if (rc == 0 && dir->fd >= 0)
		(void)!rmdir(dir->path); /* unless something else is in it */
	return rc;
}

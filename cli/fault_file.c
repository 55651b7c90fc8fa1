/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/fault_file.h"

#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".faults"
#define LINE_SIZE_MAX 80u
#define FILE_SIZE_MAX ((size_t)FAULT_FILE_MAX * LINE_SIZE_MAX)

static const char kind_read_error[] = "read-error";

static char *faults_path(const char *path, const char *behind)
{
	struct text text = { 0 };

	text_add(&text, "%s" SUFFIX "%s", path, behind);
	if (!text.failed)
		return text.chars;
	text_reset(&text);
	return NULL;
}

void fault_list_reset(struct fault_list *list)
{
	mem_free(list->at);
	*list = (struct fault_list){ 0 };
}

static int list_add(struct fault_list *list, uint64_t offset, uint64_t size)
{
	struct fault *grown = mem_realloc(list->at, list->count + 1, sizeof(*grown));

	if (!grown)
		return ERR_NOMEM;
	list->at = grown;
	list->at[list->count++] =
		(struct fault){ .kind = FAULT_READ_ERROR, .offset = offset, .size = size };
	return 0;
}

/* A decimal number at *at, blanks before it skipped; *at moves behind it. */
static bool number_take(uint64_t *number_out, char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
	if (!isdigit((unsigned char)**at))
		return false;
	errno = 0;
	*number_out = strtoull(*at, at, 10);
	return errno == 0;
}

/* One line without its newline: 0 also for an empty one and a comment. */
static int line_parse(struct fault_list *list, char *line)
{
	size_t word = sizeof(kind_read_error) - 1;
	uint64_t offset, size, end;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, " \t\r");
	if (!*line)
		return 0;
	if (strncmp(line, kind_read_error, word) != 0)
		return ERR_FORMAT;
	line += word;
	if (!number_take(&offset, &line) || !number_take(&size, &line) || size == 0 ||
	    !size_add(offset, size, &end) || line[strspn(line, " \t\r")])
		return ERR_FORMAT;
	return list->count < FAULT_FILE_MAX ? list_add(list, offset, size) : ERR_LIMIT;
}

int fault_list_parse(struct fault_list *list, char *chars, const char *path, struct err *err)
{
	unsigned number = 0;

	for (char *line = chars, *next; line; line = next) {
		int rc;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		rc = line_parse(list, line);
		if (rc == ERR_FORMAT)
			err_set(err, rc, "%s" SUFFIX ": line %u is not '%s OFFSET SIZE'", path,
				number, kind_read_error);
		else if (rc == ERR_LIMIT)
			err_set(err, rc, "%s" SUFFIX ": more than %u faults", path, FAULT_FILE_MAX);
		else if (rc)
			err_set(err, rc, "%s" SUFFIX ": no memory", path);
		if (rc)
			return rc;
	}
	return 0;
}

/* The whole file as a string, "" when there is none. Only regular files are read. */
static int file_read(char **chars_out, const char *path, struct err *err)
{
	char *name = faults_path(path, ""), *chars = mem_calloc(FILE_SIZE_MAX + 1, 1);
	struct stat facts;
	ssize_t size = 0;
	int fd = -1, rc = 0;

	if (!name || !chars) {
		rc = err_set(err, ERR_NOMEM, "%s: no memory", path);
		goto out_close;
	}
	fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		goto out_close;
	if (fd < 0 || fstat(fd, &facts)) {
		rc = err_set(err, ERR_ACCESS, "%s: %s", name, strerrordesc_np(errno));
		goto out_close;
	}
	if (!S_ISREG(facts.st_mode) || facts.st_size > (off_t)FILE_SIZE_MAX) {
		rc = err_set(err, ERR_FORMAT, "%s is not a list of faults", name);
		goto out_close;
	}
	size = pread(fd, chars, FILE_SIZE_MAX, 0);
	if (size < 0)
		rc = err_set(err, ERR_IO, "%s: %s", name, strerrordesc_np(errno));

out_close:
	if (fd >= 0)
		close(fd);
	mem_free(name);
	if (rc) {
		mem_free(chars);
		return rc;
	}
	*chars_out = chars;
	return 0;
}

int fault_file_read(struct fault_list *list_out, const char *path, struct err *err)
{
	struct fault_list list = { 0 };
	char *chars;
	int rc = file_read(&chars, path, err);

	if (rc)
		return rc;
	rc = fault_list_parse(&list, chars, path, err);
	mem_free(chars);
	if (rc)
		fault_list_reset(&list);
	else
		*list_out = list;
	return rc;
}

static int remove_file(const char *name, struct err *err)
{
	if (unlink(name) && errno != ENOENT)
		return err_set(err, ERR_ACCESS, "%s: %s", name, strerrordesc_np(errno));
	return 0;
}

/* Replace the file in one step, or remove it when the list is empty. */
static int file_write(const char *path, const struct fault_list *list, struct err *err)
{
	char *name = faults_path(path, ""), *next = faults_path(path, ".new");
	FILE *file = NULL;
	int rc = 0;

	if (!name || !next) {
		rc = err_set(err, ERR_NOMEM, "%s: no memory", path);
		goto out_free;
	}
	if (list->count == 0) {
		rc = remove_file(name, err);
		goto out_free;
	}
	unlink(next); /* of a command that was killed here */
	file = fopen(next, "wxe");
	for (size_t i = 0; file && i < list->count; i++)
		fprintf(file, "%s %" PRIu64 " %" PRIu64 "\n", kind_read_error, list->at[i].offset,
			list->at[i].size);
	if (!file || fclose(file) || rename(next, name))
		rc = err_set(err, ERR_ACCESS, "%s: %s", name, strerrordesc_np(errno));

out_free:
	mem_free(name);
	mem_free(next);
	return rc;
}

int fault_file_add(const char *path, const struct fault *fault, struct err *err)
{
	struct fault_list list;
	int rc = fault_file_read(&list, path, err);

	assert(fault->kind == FAULT_READ_ERROR && fault->size > 0);
	if (rc)
		return rc;
	if (list.count == FAULT_FILE_MAX)
		rc = err_set(err, ERR_LIMIT, "%s" SUFFIX ": holds %u faults already", path,
			     FAULT_FILE_MAX);
	else if (list_add(&list, fault->offset, fault->size))
		rc = err_set(err, ERR_NOMEM, "%s: no memory", path);
	else
		rc = file_write(path, &list, err);
	fault_list_reset(&list);
	return rc;
}

int fault_file_clear(const char *path, struct err *err)
{
	return file_write(path, &(struct fault_list){ 0 }, err);
}

/*
 * The device on top of the faults: passes everything down, and takes out of the file what a write has
 * made good, as the fault device below did in memory.
 */
struct healing_dev {
	struct dev dev;
	struct env_lock lock;
	struct fault_list list;
};

static struct healing_dev *healing_of(struct dev *base)
{
	return (struct healing_dev *)(void *)base;
}

/* What is left of the faults behind a write of begin..end. */
static int list_cut(struct fault_list *left, const struct fault_list *list, uint64_t begin,
		    uint64_t end)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < list->count; i++) {
		const struct fault *fault = &list->at[i];
		uint64_t fault_end = fault->offset + fault->size;
		uint64_t head_end = size_min(fault_end, begin);
		uint64_t tail = size_max(fault->offset, end);

		if (fault->offset < head_end)
			rc = list_add(left, fault->offset, head_end - fault->offset);
		if (rc == 0 && tail < fault_end)
			rc = list_add(left, tail, fault_end - tail);
	}
	return rc;
}

/* Without memory, or when the file cannot be written, the place stays in the list: it is only a test. */
static void heal(struct healing_dev *dev, const struct io *io)
{
	struct fault_list left = { 0 };
	struct err ignored = { 0 };
	bool touched = false;

	env_lock(dev->dev.env, &dev->lock);
	for (size_t i = 0; i < dev->list.count && !touched; i++)
		touched = dev->list.at[i].offset < io->offset + io->size &&
			  io->offset < dev->list.at[i].offset + dev->list.at[i].size;
	if (touched && list_cut(&left, &dev->list, io->offset, io->offset + io->size) == 0 &&
	    file_write(dev->dev.name, &left, &ignored) == 0) {
		fault_list_reset(&dev->list);
		dev->list = left;
	} else {
		fault_list_reset(&left);
	}
	env_unlock(dev->dev.env, &dev->lock);
}

/* A write that meets a fault always comes this way: the fault device below has no direct_fd for it. */
static int healing_run(struct dev *base, struct io *io)
{
	int rc = dev_run_below(base, io);

	if (rc == 0 && (io->op == IO_WRITE || io->op == IO_ZERO))
		heal(healing_of(base), io);
	return rc;
}

static int healing_direct_fd(struct dev *base, const struct io *io)
{
	return dev_direct_fd(base->below, io);
}

static void healing_close(struct dev *base)
{
	struct healing_dev *dev = healing_of(base);

	env_lock_reset(base->env, &dev->lock);
	fault_list_reset(&dev->list);
	dev_reset(base);
	mem_free(dev);
}

static const struct dev_ops healing_ops = {
	.name = "fault-file",
	.run = healing_run,
	.close = healing_close,
	.direct_fd = healing_direct_fd,
};

/* Take `below` and the list; on failure both are still the caller's. */
static int healing_open(struct dev **dev_out, struct dev *below, const struct fault_list *list)
{
	struct healing_dev *dev = mem_calloc(1, sizeof(*dev));

	if (!dev)
		return ERR_NOMEM;
	if (dev_init_above(&dev->dev, &healing_ops, below)) {
		mem_free(dev);
		return ERR_NOMEM;
	}
	env_lock_init(below->env, &dev->lock);
	dev->list = *list;
	*dev_out = &dev->dev;
	return 0;
}

/* The fault device alone, without `below` when it cannot be completed. */
static int faults_open(struct dev **dev_out, struct dev *below, const struct fault_list *list)
{
	struct dev *faults;
	int rc = dev_fault_open(&faults, below);

	for (size_t i = 0; rc == 0 && i < list->count; i++) {
		rc = dev_fault_add(faults, &list->at[i]);
		if (rc) {
			faults->below = NULL;
			dev_close(faults);
		}
	}
	if (rc == 0)
		*dev_out = faults;
	return rc;
}

int fault_file_wrap(struct dev **dev_out, struct dev *below, const char *path, size_t *count_out,
		    struct err *err)
{
	struct fault_list list;
	struct dev *faults = NULL;
	int rc = fault_file_read(&list, path, err);

	if (rc)
		return rc;
	*count_out = list.count;
	if (list.count == 0) {
		*dev_out = below;
		return 0;
	}
	rc = faults_open(&faults, below, &list);
	if (rc == 0) {
		rc = healing_open(dev_out, faults, &list);
		if (rc) {
			faults->below = NULL;
			dev_close(faults);
		}
	}
	if (rc) {
		fault_list_reset(&list);
		return err_set(err, rc, "%s: no memory for its faults", path);
	}
	return 0;
}

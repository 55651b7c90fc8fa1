/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/scan.h"

#include "cli/overlay_dir.h"
#include "core/base/text.h"
#include "core/dev/devices.h"
#include "formats/adopt_keep.h"
#include "formats/other_md.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SYS_CLASS_BLOCK "/sys/class/block"
#define MEMBER_SIZE_MIN                                                                            \
	(68u << 10) /* the first superblock ends here: what is smaller is no member */

static char *path_join(const char *directory, const char *name)
{
	struct text text = { 0 };
	size_t size = strlen(directory);

	if (strcmp(directory, ".") == 0)
		text_add(&text, "%s", name);
	else
		text_add(&text, "%s%s%s", directory, size && directory[size - 1] == '/' ? "" : "/",
			 name);
	if (!text.failed)
		return text.chars;
	text_reset(&text);
	return NULL;
}

static int no_memory(const char *path, struct err *err)
{
	return err_set(err, ERR_NOMEM, "%s: no memory", path);
}

/* Open to read; *own_out: it is there, and its overlay is what failed. */
static int path_open(struct dev **dev_out, const struct scan_how *how, const char *path,
		     bool *own_out, struct err *err)
{
	const struct dev_file_options options = {
		.access = DEV_READ,
		.engine = how->engine,
		.limit_ns = how->limit_ns,
	};
	int rc;

	*own_out = overlay_dir_has_new(how->overlay, path);
	if (*own_out)
		return overlay_dir_new_open(dev_out, how->overlay, path, false, err);
	rc = dev_file_open(dev_out, how->env, path, &options, err);
	if (rc || !how->overlay)
		return rc;
	rc = overlay_dir_wrap(dev_out, *dev_out, how->overlay, path, false, err);
	*own_out = rc != 0;
	if (rc)
		dev_close(*dev_out);
	return rc;
}

static void probe_reset(struct candidate *candidate)
{
	md_probe_reset(&candidate->md);
	mem_free(candidate->record);
	candidate->record = NULL;
}

/*
 * The adoption record, if there is one that has to do with what else is there. A member of an array that was made or
 * taken over since may still have an old one.
 */
static int record_probe(struct candidate *candidate, struct dev *dev, struct err *err)
{
	const struct md_found *md = candidate_md(candidate);
	struct adopt_record *record = mem_calloc(1, sizeof(*record));
	struct err ignored = { 0 };

	if (!record)
		return err_set(err, ERR_NOMEM, "no memory for an adoption record");
	if (adopt_record_read(record, dev, &ignored) ||
	    (candidate->probe.valid_slots &&
	     !uuid_equal(&candidate->probe.array, &record->array)) ||
	    (!candidate->probe.valid_slots && md &&
	     !uuid_equal(&md->member.array, &record->origin)))
		mem_free(record);
	else
		candidate->record = record;
	return 0;
}

/* Open, probe, close. */
static int probe_path(struct candidate *candidate, const struct scan_how *how, const char *path,
		      struct err *err)
{
	bool own = false;
	struct dev *dev = NULL;
	int rc = path_open(&dev, how, path, &own, err);

	candidate->overlay_failed = rc && own;
	if (rc)
		return rc;
	memcpy(candidate->identity, dev_info(dev)->identity, sizeof(candidate->identity));
	rc = array_probe(&candidate->probe, dev, err);
	if (rc == 0 && candidate->probe.valid_slots == 0)
		rc = md_probe_device(&candidate->md, dev, err);
	if (rc == 0)
		rc = record_probe(candidate, dev, err);
	if (rc == 0 && candidate->probe.valid_slots == 0 && candidate->md.count == 0)
		rc = other_md_probe(&candidate->md, dev, path, candidate->named, err);
	if (dev_has_hung(dev))
		rc = err_set(err, ERR_TIMEOUT, "%s gives no answer", path);
	dev_close(dev);
	if (rc)
		probe_reset(candidate);
	return rc;
}

const struct md_found *candidate_md(const struct candidate *candidate)
{
	const struct md_found *best = NULL;

	for (uint32_t i = 0; i < candidate->md.count; i++) {
		const struct md_found *found = candidate->md.at[i];

		if (!found->decoded)
			continue;
		if (!best ||
		    md_member_is_sound(&found->member) > md_member_is_sound(&best->member) ||
		    (md_member_is_sound(&found->member) == md_member_is_sound(&best->member) &&
		     found->member.updated_s > best->member.updated_s))
			best = found;
	}
	return best;
}

static struct candidate *candidate_same(const struct candidate_vec *candidates,
					const struct candidate *one)
{
	for (size_t i = 0; i < candidates->count; i++) {
		if (memcmp(candidates->at[i].identity, one->identity, sizeof(one->identity)) == 0)
			return &candidates->at[i];
	}
	return NULL;
}

static int candidate_add(struct candidate_vec *candidates, struct candidate *candidate,
			 const char *path, struct err *err)
{
	candidate->path = mem_strdup(path);
	if (candidate->path && candidate_vec_push(candidates, *candidate) == 0)
		return 0;
	candidate_reset(candidate);
	return no_memory(path, err);
}

int scan_named(struct candidate_vec *candidates, const struct scan_how *how, const char *path,
	       struct err *err)
{
	struct candidate candidate = { .named = true };
	struct candidate *same;
	char *copy;
	int rc = probe_path(&candidate, how, path, err);

	if (rc)
		return rc;
	same = candidate_same(candidates, &candidate);
	if (!same)
		return candidate_add(candidates, &candidate, path, err);
	probe_reset(&candidate);
	if (same->named)
		return err_set(err, ERR_DUPLICATE, "%s and %s are the same file", same->path, path);
	copy = mem_strdup(path);
	if (!copy)
		return no_memory(path, err);
	mem_free(same->path);
	same->path = copy;
	same->named = true;
	return 0;
}

/* A file that nobody named: whatever is wrong with it, it is just no member. */
static int scan_found(struct candidate_vec *candidates, const struct scan_how *how,
		      const char *path, struct err *err)
{
	struct candidate candidate = { 0 };
	struct err ignored = { 0 };

	if (probe_path(&candidate, how, path, &ignored)) {
		if (!candidate.overlay_failed && ignored.code != ERR_NOMEM)
			return 0;
		*err = ignored;
		return ignored.code;
	}
	if ((candidate.probe.valid_slots || candidate.record || candidate_md(&candidate)) &&
	    !candidate_same(candidates, &candidate))
		return candidate_add(candidates, &candidate, path, err);
	probe_reset(&candidate);
	return 0;
}

static int is_no_dot(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

VEC_DEFINE(name_vec, char *);

static void names_free(struct name_vec *names)
{
	for (size_t i = 0; i < names->count; i++)
		mem_free(names->at[i]);
	name_vec_reset(names);
}

static int name_compare(const void *a, const void *b)
{
	const char *const *one = a, *const *other = b;

	return strcmp(*one, *other);
}

/* The entries of a directory, sorted. */
static int names_read(struct name_vec *names, const char *path, struct err *err)
{
	const struct dirent *entry;
	DIR *directory = opendir(path);
	int rc = 0;

	if (!directory)
		return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_ACCESS, "%s: %s", path,
			       strerrordesc_np(errno));
	while (rc == 0 && (entry = readdir(directory))) {
		char *name;

		if (!is_no_dot(entry))
			continue;
		if (names->count == DIRECTORY_FILES_MAX) {
			rc = err_set(err, ERR_LIMIT, "%s holds more than %u files", path,
				     DIRECTORY_FILES_MAX);
			err_hint(err, "name the members with --member, or move them to a "
				      "directory of their own");
			break;
		}
		name = mem_strdup(entry->d_name);
		if (!name || name_vec_push(names, name)) {
			mem_free(name);
			rc = no_memory(path, err);
		}
	}
	closedir(directory);
	if (names->count)
		qsort(names->at, names->count, sizeof(*names->at), name_compare);
	return rc;
}

/* Worth opening? `mode` is the kind of file that is looked for. */
static bool is_wanted(const char *path, mode_t mode)
{
	struct stat facts;

	if (stat(path, &facts) || (facts.st_mode & S_IFMT) != mode)
		return false;
	return mode != S_IFREG || facts.st_size >= (off_t)MEMBER_SIZE_MIN;
}

static int scan_names(struct candidate_vec *candidates, const struct scan_how *how,
		      const char *names_in, const char *files_in, mode_t mode, struct err *err)
{
	struct name_vec names = { 0 };
	int rc = names_read(&names, names_in, err);

	for (size_t i = 0; rc == 0 && i < names.count; i++) {
		char *path = path_join(files_in, names.at[i]);

		if (!path)
			rc = no_memory(files_in, err);
		else if (is_wanted(path, mode))
			rc = scan_found(candidates, how, path, err);
		mem_free(path);
	}
	names_free(&names);
	return rc;
}

/* Members of the directory that exist in the overlay alone. */
static int scan_new(struct candidate_vec *candidates, const struct scan_how *how,
		    const char *directory, struct err *err)
{
	const char *name;
	size_t next = 0;
	int rc = 0;

	while (rc == 0 && (name = overlay_dir_new_in(how->overlay, directory, &next))) {
		char *path = path_join(directory, name);

		if (!path)
			rc = no_memory(directory, err);
		else if (overlay_dir_has_new(how->overlay, path))
			rc = scan_found(candidates, how, path, err);
		mem_free(path);
	}
	return rc;
}

int scan_directory(struct candidate_vec *candidates, const struct scan_how *how, const char *path,
		   struct err *err)
{
	int rc = scan_names(candidates, how, path, path, S_IFREG, err);

	return rc ? rc : scan_new(candidates, how, path, err);
}

int scan_devices(struct candidate_vec *candidates, const struct scan_how *how, const char *path,
		 struct err *err)
{
	return scan_names(candidates, how, path, path, S_IFBLK, err);
}

int scan_block_devices(struct candidate_vec *candidates, const struct scan_how *how,
		       struct err *err)
{
	return scan_names(candidates, how, SYS_CLASS_BLOCK, "/dev", S_IFBLK, err);
}

void candidate_reset(struct candidate *candidate)
{
	mem_free(candidate->path);
	probe_reset(candidate);
	*candidate = (struct candidate){ 0 };
}

/* The record that speaks of this candidate: its own, or one that names the array of its MD superblock. */
static const struct adopt_record *record_of(const struct candidate_vec *candidates,
					    const struct candidate *one)
{
	const struct md_found *md = candidate_md(one);

	if (one->record || one->probe.valid_slots || !md)
		return one->record;
	for (size_t i = 0; i < candidates->count; i++) {
		const struct adopt_record *record = candidates->at[i].record;

		if (record && uuid_equal(&record->origin, &md->member.array))
			return record;
	}
	return NULL;
}

/* Was the adoption finished? Then one member at least has more than the superblock of an array that is being made. */
static bool array_stands(const struct candidate_vec *candidates, const struct uuid *array)
{
	for (size_t i = 0; i < candidates->count; i++) {
		const struct array_probe *probe = &candidates->at[i].probe;

		if (probe->valid_slots && probe->generation > 1 && uuid_equal(&probe->array, array))
			return true;
	}
	return false;
}

void candidates_settle(struct candidate_vec *candidates)
{
	for (size_t i = 0; i < candidates->count; i++) {
		struct candidate *one = &candidates->at[i];

		one->adoption = record_of(candidates, one);
		one->adoption_stands =
			one->adoption && array_stands(candidates, &one->adoption->array);
	}
}

bool candidate_is_half(const struct candidate *candidate)
{
	const struct md_found *md = candidate_md(candidate);
	bool marked = md && !md->is_md0 && md->md1.features & MD1_ADOPTED;

	if (candidate->adoption && candidate->adoption_stands)
		return false;
	return candidate->probe.valid_slots ? candidate->record != NULL : marked;
}

void candidates_free(struct candidate_vec *candidates)
{
	for (size_t i = 0; i < candidates->count; i++)
		candidate_reset(&candidates->at[i]);
	candidate_vec_reset(candidates);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/meta_restore.h"

#include "cli/confirm.h"
#include "cli/members.h"
#include "cli/meta_archive.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/array/array.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

struct target {
	char *path; /* owned */
	struct dev *dev;
};

struct restoring {
	const struct invocation *inv;
	const char *array; /* as the operator named it */
	enum access access;
	struct meta_index index;
	struct target targets[MEMBERS_MAX]; /* by slot; dev NULL: not found */
	uint32_t found;
	uint64_t differs; /* bytes */
	bool flushed;     /* maps and logs are durable */
};

static const struct field range_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "path", FIELD_TEXT, "PATH" },
	{ "role", FIELD_TEXT, "ROLE" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_COUNT, "LENGTH" },
	{ "state", FIELD_TEXT, "STATE" },
	{ 0 },
};

/* ---- members */

static bool is_directory(const char *path)
{
	struct stat facts;

	return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* `file` in the directory `place`, or beside the file `place`; NULL without memory. */
static char *path_beside(const char *place, const char *file)
{
	const char *slash = strrchr(place, '/');
	struct text text = { 0 };

	if (is_directory(place))
		text_add(&text, "%s%s%s", place, slash && !slash[1] ? "" : "/", file);
	else
		text_add(&text, "%.*s%s", slash ? (int)(slash - place) + 1 : 0, place, file);
	if (!text.failed)
		return text.chars;
	text_reset(&text);
	return NULL;
}

/* Open the member there, if there is one. */
static int target_try(struct restoring *restoring, const struct meta_index_member *member,
		      const char *place, struct err *err)
{
	struct target *target = &restoring->targets[member->slot];
	char *path = path_beside(place, member->file);
	struct err why = { 0 };
	int rc;

	if (!path)
		return err_set(err, ERR_NOMEM, "no memory for the members");
	rc = cli_device_open(&target->dev, restoring->inv, path, restoring->access, 0, &why);
	if (rc == 0) {
		target->path = path;
		restoring->found++;
		return 0;
	}
	mem_free(path);
	if (rc == ERR_NOT_FOUND)
		return 0;
	*err = why;
	return rc;
}

static int targets_open(struct restoring *restoring, struct err *err)
{
	const struct text_list *members = &restoring->inv->common->members;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < restoring->index.members.count; i++) {
		const struct meta_index_member *member = &restoring->index.members.at[i];
		const struct target *target = &restoring->targets[member->slot];

		rc = target_try(restoring, member, restoring->array, err);
		for (size_t j = 0; rc == 0 && !target->dev && j < members->count; j++)
			rc = target_try(restoring, member, members->at[j], err);
	}
	if (rc == 0 && restoring->found == 0) {
		err_set(err, ERR_NOT_FOUND, "%s: no file has the name that a member had, as %s",
			restoring->array, restoring->index.members.at[0].file);
		err_hint(err, "name their directory, or with --member");
		rc = err->code;
	}
	return rc;
}

static void restoring_close(struct restoring *restoring)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		dev_close(restoring->targets[slot].dev);
		mem_free(restoring->targets[slot].path);
	}
	meta_index_reset(&restoring->index);
}

/* ---- what is there */

enum range_state { RANGE_SAME, RANGE_DIFFERS, RANGE_EMPTY, RANGE_ABSENT };

static bool is_empty(struct dev *dev, const struct meta_index_range *range)
{
	uint8_t *bytes = mem_pages(BLOCK_SIZE);
	bool empty = bytes != NULL;

	for (uint64_t at = 0; empty && at < range->size; at += BLOCK_SIZE)
		empty = io_read(dev, range->role, range->offset + at, bytes, BLOCK_SIZE) == 0 &&
			bytes_are_zero(bytes, BLOCK_SIZE);
	mem_pages_free(bytes);
	return empty;
}

static int range_compare(enum range_state *state_out, const struct restoring *restoring,
			 const struct meta_index_range *range, struct err *err)
{
	struct dev *dev = restoring->targets[range->slot].dev;
	uint32_t crc = 0;
	int rc;

	*state_out = RANGE_ABSENT;
	if (!dev)
		return 0;
	rc = meta_range_crc(&crc, dev, range->offset, range->size, err);
	if (rc == 0)
		*state_out = crc == range->crc      ? RANGE_SAME
			     : is_empty(dev, range) ? RANGE_EMPTY
						    : RANGE_DIFFERS;
	return rc;
}

static int ranges_show(struct restoring *restoring, struct err *err)
{
	static const char *const names[] = { "same", "differs", "empty", "absent" };
	struct out *out = restoring->inv->out;
	int rc = 0;

	out_list_begin(out, "ranges", range_fields);
	for (size_t i = 0; rc == 0 && i < restoring->index.ranges.count; i++) {
		const struct meta_index_range *range = &restoring->index.ranges.at[i];
		enum range_state state;

		rc = range_compare(&state, restoring, range, err);
		if (rc)
			break;
		if (state == RANGE_DIFFERS || state == RANGE_EMPTY)
			restoring->differs += range->size;
		out_number(out, range->slot);
		out_text(out, restoring->targets[range->slot].path);
		out_text(out, io_role_name(range->role));
		out_number(out, range->offset);
		out_number(out, range->size);
		out_text(out, names[state]);
	}
	out_list_end(out);
	return rc;
}

/* ---- does it fit? */

static int misfit(const struct restoring *restoring, uint32_t slot, int code, const char *what,
		  struct err *err)
{
	err_set(err, code, "%s: %s", restoring->targets[slot].path, what);
	err_fact(err, "member", "%" PRIu32, slot);
	return err_hint(err,
			"look with: pgctl inspect %s; to write all the same, repeat with --force",
			restoring->targets[slot].path);
}

static int super_check(const struct restoring *restoring, const struct meta_index_member *member,
		       struct err *err)
{
	struct array_probe probe;
	int rc = array_probe(&probe, restoring->targets[member->slot].dev, err);

	if (rc || probe.valid_slots == 0)
		return rc;
	if (!uuid_equal(&probe.array, &restoring->index.array) ||
	    !uuid_equal(&probe.member, &member->uuid))
		return misfit(restoring, member->slot, ERR_IN_USE,
			      "its superblock is that of another member", err);
	if (probe.generation > restoring->index.generation)
		return misfit(restoring, member->slot, ERR_IN_USE,
			      "its superblock is newer than the archive", err);
	return 0;
}

/* A map that is neither there nor empty has changed since, or is damaged. */
static int map_check_same(const struct restoring *restoring, const struct meta_index_member *member,
			  struct err *err)
{
	for (size_t i = 0; i < restoring->index.ranges.count; i++) {
		const struct meta_index_range *range = &restoring->index.ranges.at[i];
		enum range_state state;
		int rc;

		if (range->slot != member->slot || range->role != IO_ROLE_MAP)
			continue;
		rc = range_compare(&state, restoring, range, err);
		if (rc)
			return rc;
		if (state == RANGE_DIFFERS)
			return misfit(
				restoring, member->slot, ERR_IN_USE,
				"its map is not that of the archive: the array changed since, "
				"or the map is damaged",
				err);
	}
	return 0;
}

static int tells_check(const struct restoring *restoring, const struct meta_index_member *member,
		       struct err *err)
{
	uint32_t asked = 0, right = 0;

	for (size_t i = 0; i < restoring->index.tells.count; i++) {
		const struct meta_index_tell *tell = &restoring->index.tells.at[i];
		uint32_t crc = 0;
		struct err ignored = { 0 };

		if (tell->slot != member->slot)
			continue;
		asked++;
		right += meta_range_crc(&crc, restoring->targets[tell->slot].dev, tell->offset,
					BLOCK_SIZE, &ignored) == 0 &&
			 crc == tell->crc;
	}
	if (asked == 0 || right > 0)
		return 0;
	return misfit(restoring, member->slot, ERR_IN_USE,
		      "it has none of the extents that the archive knows of this member", err);
}

static int fit_check(const struct restoring *restoring, struct err *err)
{
	bool force = restoring->inv->common->force;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < restoring->index.members.count; i++) {
		const struct meta_index_member *member = &restoring->index.members.at[i];
		const struct target *target = &restoring->targets[member->slot];

		if (!target->dev)
			continue;
		if (dev_info(target->dev)->size < member->size)
			return err_set(err, ERR_TRUNCATED,
				       "%s has %" PRIu64 " bytes, member %" PRIu32 " had %" PRIu64,
				       target->path, dev_info(target->dev)->size, member->slot,
				       member->size);
		if (force)
			continue;
		rc = super_check(restoring, member, err);
		if (rc == 0)
			rc = map_check_same(restoring, member, err);
		if (rc == 0)
			rc = tells_check(restoring, member, err);
	}
	return rc;
}

/* ---- writing */

static int flush_all(const struct restoring *restoring, struct err *err)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		const struct target *target = &restoring->targets[slot];
		int rc = target->dev ? io_flush(target->dev) : 0;

		if (rc)
			return err_set(err, rc, "%s: cannot be flushed", target->path);
	}
	return 0;
}

/* Superblocks are written when what they point to is durable on all members. */
static int range_write(void *arg, const struct meta_index_range *range, const void *bytes,
		       size_t size, uint64_t done, struct err *err)
{
	struct restoring *restoring = arg;
	const struct target *target = &restoring->targets[range->slot];
	int rc = 0;

	if (range->role == IO_ROLE_SUPER && !restoring->flushed) {
		rc = flush_all(restoring, err);
		restoring->flushed = rc == 0;
	}
	if (rc || !target->dev)
		return rc;
	rc = io_write(target->dev, range->role, range->offset + done, bytes, size);
	return rc ? err_set(err, rc, "%s: cannot be written", target->path) : 0;
}

static int restore_write(struct restoring *restoring, const char *archive, struct err *err)
{
	struct meta_index again = { 0 };
	int rc = meta_archive_read(&again, archive, range_write, restoring, err);

	meta_index_reset(&again);
	return rc ? rc : flush_all(restoring, err);
}

static int restoring_open(struct restoring *restoring, const char *archive, struct err *err)
{
	int rc = meta_archive_read(&restoring->index, archive, NULL, NULL, err);

	if (rc == 0)
		rc = targets_open(restoring, err);
	return rc;
}

int meta_diff(const struct invocation *inv, const char *array, const char *archive,
	      bool *differs_out, struct err *err)
{
	struct restoring restoring = { .inv = inv, .array = array, .access = ACCESS_READ };
	int rc = restoring_open(&restoring, archive, err);

	if (rc == 0)
		rc = ranges_show(&restoring, err);
	*differs_out = restoring.differs || restoring.found < restoring.index.members.count;
	restoring_close(&restoring);
	return rc;
}

int meta_restore(const struct invocation *inv, const char *array, const char *archive,
		 bool *differs_out, struct err *err)
{
	struct restoring restoring = { .inv = inv, .array = array, .access = plan_access(inv) };
	int rc = restoring_open(&restoring, archive, err);

	if (rc == 0)
		rc = fit_check(&restoring, err);
	if (rc == 0)
		rc = ranges_show(&restoring, err);
	*differs_out = restoring.found < restoring.index.members.count;
	if (rc == 0)
		out_value_bytes(inv->out, "bytes", restoring.differs);
	if (rc == 0 && plan_only(inv))
		out_value_flag(inv->out, "plan", true);
	if (rc == 0 && restoring.differs && !plan_only(inv)) {
		rc = cli_confirm(inv, err,
				 "write the metadata of array '%s' over that of %u members",
				 restoring.index.name, restoring.found);
		if (rc == 0)
			rc = restore_write(&restoring, archive, err);
	}
	restoring_close(&restoring);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl overlay: what --overlay DIR kept: shown, brought to the members, or thrown away.
 */
#include "cli/confirm.h"
#include "cli/output.h"
#include "cli/overlay_commit.h"
#include "cli/plan.h"
#include "core/array/array.h"

static const struct field range_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" }, { "path", FIELD_TEXT, "PATH" },
	{ "offset", FIELD_COUNT, "OFFSET" }, { "length", FIELD_COUNT, "LENGTH" },
	{ "role", FIELD_TEXT, "ROLE" },      { 0 },
};
static const struct field member_fields[] = {
	{ "path", FIELD_TEXT, "PATH" },
	{ "new", FIELD_FLAG, "NEW" },
	{ "bytes", FIELD_BYTES, "WRITTEN" },
	{ 0 },
};

/* The overlay of inv->operands[0]; ERR_NOT_FOUND when there is nothing in it. */
static int dir_open(struct overlay_dir **dir_out, const struct invocation *inv, bool damaged_too,
		    struct err *err)
{
	const char *path = inv->operands[0];
	struct overlay_dir *dir = NULL;
	int rc = overlay_dir_open(&dir, inv->env, path,
				  inv->common->io == IO_MODE_SYNC ? DEV_ENGINE_SYNC
								  : DEV_ENGINE_AUTO,
				  damaged_too, err);

	if (rc)
		return rc;
	if (overlay_dir_count(dir) == 0 && overlay_dir_state(dir) == OVERLAY_OPEN) {
		overlay_dir_close(dir);
		err_set(err, ERR_NOT_FOUND, "%s: no overlay in it", path);
		return err_hint(err, "pgctl COMMAND --overlay %s makes one when it writes", path);
	}
	*dir_out = dir;
	return 0;
}

/* The member's number, as what is in the overlay says. */
static bool slot_of(uint32_t *slot_out, struct dev *overlay)
{
	struct array_probe probe;
	struct err ignored = { 0 };

	if (array_probe(&probe, overlay, &ignored) || probe.valid_slots == 0)
		return false;
	*slot_out = probe.slot;
	return true;
}

static uint64_t ranges_show(const struct invocation *inv, struct overlay_member *member)
{
	struct overlay_range range;
	uint32_t slot = 0;
	uint64_t bytes = 0;
	bool known = slot_of(&slot, member->overlay);

	for (uint64_t at = 0; overlay_next_range(&range, member->overlay, at, UINT64_MAX);
	     at = range.offset + range.size) {
		if (known)
			out_number(inv->out, slot);
		else
			out_none(inv->out);
		out_text(inv->out, member->header->path);
		out_number(inv->out, range.offset);
		out_number(inv->out, range.size);
		out_text(inv->out, io_role_name(range.role));
		bytes += range.size;
	}
	return bytes;
}

static int diff_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct overlay_dir *dir = NULL;
	struct overlay_members members = { 0 };
	uint64_t bytes = 0;
	int rc = dir_open(&dir, inv, false, err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = overlay_members_open(&members, inv, dir, err);
	if (rc == 0) {
		out_list_begin(inv->out, "ranges", range_fields);
		for (size_t i = 0; i < members.count; i++)
			bytes += ranges_show(inv, &members.at[i]);
		out_list_end(inv->out);
		out_value_bytes(inv->out, "bytes", bytes);
	}
	overlay_members_close(&members);
	overlay_dir_close(dir);
	return rc;
}

static void plan_by_role(const struct invocation *inv, struct overlay_members *members)
{
	struct plan_row rows[IO_ROLE_COUNT];

	for (int role = 0; role < IO_ROLE_COUNT; role++) {
		rows[role] = (struct plan_row){ .role = io_role_name((enum io_role)role) };
		for (size_t i = 0; i < members->count; i++)
			rows[role].bytes +=
				overlay_member_bytes(&members->at[i], (enum io_role)role);
	}
	plan_show(inv, rows, IO_ROLE_COUNT);
}

static void members_show(const struct invocation *inv, struct overlay_members *members)
{
	out_list_begin(inv->out, "members", member_fields);
	for (size_t i = 0; i < members->count; i++) {
		struct overlay_member *member = &members->at[i];

		out_text(inv->out, member->header->path);
		out_flag(inv->out, member->header->is_new);
		out_number(inv->out, overlay_member_bytes(member, IO_ROLE_COUNT));
	}
	out_list_end(inv->out);
}

static int commit_members(const struct invocation *inv, struct overlay_dir *dir, struct err *err)
{
	struct overlay_members members = { 0 };
	int rc = overlay_members_open(&members, inv, dir, err);

	if (rc)
		return rc;
	if (plan_only(inv))
		plan_by_role(inv, &members);
	else
		rc = overlay_commit_run(&members, inv, dir, err);
	if (rc == 0)
		members_show(inv, &members);
	overlay_members_close(&members);
	return rc;
}

static int commit_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct overlay_dir *dir = NULL;
	int rc = dir_open(&dir, inv, false, err);

	(void)verdict_out;
	if (rc)
		return rc;
	if (overlay_dir_state(dir) == OVERLAY_DISCARDED)
		rc = overlay_dir_check_open(dir, err);
	else if (overlay_dir_state(dir) != OVERLAY_COMMITTED)
		rc = commit_members(inv, dir, err);
	if (rc == 0 && !plan_only(inv))
		rc = overlay_dir_remove_all(dir, err);
	overlay_dir_close(dir);
	return rc;
}

/* A commit that was begun has to end: only what is half-way over would be left. */
static int discard_check(const struct invocation *inv, const struct overlay_dir *dir,
			 struct err *err)
{
	if (overlay_dir_state(dir) == OVERLAY_COMMITTING && !inv->common->force) {
		err_set(err, ERR_STATE,
			"%s: its commit was interrupted, and members have a part of it",
			inv->operands[0]);
		return err_hint(err, "pgctl overlay commit %s; or leave them so with --force",
				inv->operands[0]);
	}
	if (overlay_dir_state(dir) >= OVERLAY_COMMITTED)
		return 0;
	return cli_confirm(inv, err, "throw away what %zu members have in %s",
			   overlay_dir_count(dir), inv->operands[0]);
}

static int discard_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	struct overlay_dir *dir = NULL;
	int rc = dir_open(&dir, inv, true, err);

	(void)verdict_out;
	if (rc)
		return rc;
	rc = discard_check(inv, dir, err);
	if (rc == 0 && overlay_dir_state(dir) < OVERLAY_COMMITTED)
		rc = overlay_dir_set_state(dir, OVERLAY_DISCARDED, err);
	if (rc == 0)
		rc = overlay_dir_remove_all(dir, err);
	if (rc == 0)
		out_value(inv->out, "members", overlay_dir_count(dir));
	overlay_dir_close(dir);
	return rc;
}

static const struct command verb_diff = {
	.name = "diff",
	.summary = "list the ranges that were written, by member",
	.group = GROUP_SERVICE,
	.flags = COMMAND_NO_OVERLAY,
	.operands = "DIR",
	.operands_min = 1,
	.operands_max = 1,
	.run = diff_run,
};
static const char *const commit_details[] = {
	"The overlay stays whole until every member has all of it, durable: after a kill or a "
	"power "
	"loss the same command goes on. Until then use neither the members nor the overlay "
	"otherwise.",
	"Refused, with nothing written, when a member was written to since its overlay was made, "
	"or when a file exists where the overlay has a new member.",
	NULL,
};
static const struct command verb_commit = {
	.name = "commit",
	.summary = "write to the members what the overlay has, and remove it",
	.group = GROUP_SERVICE,
	.flags = COMMAND_WRITES | COMMAND_PLANS | COMMAND_NO_OVERLAY,
	.operands = "DIR",
	.operands_min = 1,
	.operands_max = 1,
	.details = commit_details,
	.run = commit_run,
};
static const struct command verb_discard = {
	.name = "discard",
	.summary = "throw the overlay away; the members stay as they are",
	.group = GROUP_SERVICE,
	.flags = COMMAND_WRITES | COMMAND_NO_OVERLAY,
	.operands = "DIR",
	.operands_min = 1,
	.operands_max = 1,
	.run = discard_run,
};

static const struct command *const overlay_verbs[] = { &verb_diff, &verb_commit, &verb_discard,
						       NULL };
static const char *const overlay_details[] = {
	"--overlay DIR lets any command work on members that are only read: all it writes goes to "
	"DIR, and the next command with the same DIR sees it.",
	NULL,
};
static const char *const overlay_examples[] = {
	"pgctl rebuild tank/ 1 --to tank/new.img --overlay try",
	"pgctl scrub tank/ --overlay try",
	"pgctl overlay diff try",
	"pgctl overlay commit try",
	NULL,
};

const struct command cmd_overlay = {
	.name = "overlay",
	.summary = "show, commit or discard what --overlay kept",
	.group = GROUP_SERVICE,
	.details = overlay_details,
	.examples = overlay_examples,
	.verbs = overlay_verbs,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl inspect: what is on one file or device, whoever wrote it. Our superblocks by the core, those of
 * Linux MD with every parameter, all other formats by libblkid. Nothing is written, and the array is not
 * looked for; members of one MD array that are named together are compared.
 */
#include "cli/command.h"
#include "cli/inspect_md.h"
#include "cli/inspect_other.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/overlay_dir.h"
#include "core/base/mem.h"
#include "formats/adopt_keep.h"
#include "formats/blkid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NATIVE_TYPE "pgctl"
#define RECORD_TYPE "pgctl-adoption"
#define NATIVE_OFFSET UINT64_C(65536) /* the near superblock area (FORMAT.md section 1) */

static const struct field found_fields[] = {
	{ "type", FIELD_TEXT, "TYPE" },         { "offset", FIELD_COUNT, "OFFSET" },
	{ "uuid", FIELD_TEXT, "UUID" },         { "name", FIELD_TEXT, "NAME" },
	{ "details", FIELD_OBJECT, "DETAILS" }, { 0 },
};
/* With several operands each is a row around its own list. */
static const struct field path_fields[] = {
	{ "path", FIELD_TEXT, "PATH" },
	{ "size", FIELD_BYTES, "SIZE" },
	{ "found", FIELD_LIST, "FOUND" },
	{ 0 },
};
static const struct field found_nested_fields[] = {
	{ "type", FIELD_TEXT, "" }, { "offset", FIELD_COUNT, "at" },   { "uuid", FIELD_TEXT, "" },
	{ "name", FIELD_TEXT, "" }, { "details", FIELD_OBJECT, NULL }, { 0 },
};

struct inspected {
	uint64_t size;
	struct array_probe probe;
	bool has_record;
	struct adopt_record record;
	struct md_inspected md;
	struct other_inspected others;
	struct found_list found;
};

static void show_native(struct out *out, const struct array_probe *probe)
{
	out_text(out, NATIVE_TYPE);
	out_number(out, NATIVE_OFFSET);
	out_uuid(out, &probe->member);
	out_text(out, probe->name);
	out_object_begin(out, "details");
	out_value_uuid(out, "array", &probe->array);
	out_value(out, "member", probe->slot);
	out_value(out, "epoch", probe->epoch);
	out_value(out, "generation", probe->generation);
	out_value(out, "valid_slots", probe->valid_slots);
	out_value_bytes(out, "member_size", probe->member_size);
	out_value(out, "frames", probe->frame_count);
	out_value_bytes(out, "frame_body", (uint64_t)probe->frame_body_blocks * BLOCK_SIZE);
	out_value(out, "written", probe->written_s);
	out_object_end(out);
}

/* What undo would put back. */
static void show_record(struct out *out, const struct adopt_record *record)
{
	out_text(out, RECORD_TYPE);
	out_number(out, ADOPT_RECORD_BEGIN);
	out_uuid(out, &record->member);
	out_text(out, record->name);
	out_object_begin(out, "details");
	out_value_uuid(out, "array", &record->array);
	out_value_uuid(out, "origin", &record->origin);
	out_value(out, "member", record->slot);
	out_value(out, "members", record->member_count);
	out_value_text(out, "state", record->state == ADOPT_RECORD_KEEPS ? "keeps" : "void");
	out_value_bytes(out, "size", record->size);
	out_value(out, "kept_blocks", record->block_count);
	out_value(out, "made", record->made_s);
	out_value_text(out, "try", "pgctl adopt --undo");
	out_object_end(out);
}

static const char *text_or_none(const char *text)
{
	return *text ? text : NULL;
}

static void show_foreign(struct out *out, const struct found *found)
{
	out_text(out, found->type);
	out_number(out, found->offset);
	out_text(out, text_or_none(found->uuid));
	out_text(out, text_or_none(found->name));
	out_object_begin(out, "details");
	for (uint32_t i = 0; i < found->detail_count; i++)
		out_value_text(out, found->details[i].name, found->details[i].value);
	out_object_end(out);
}

/* Superblocks that are there, but none that is valid. */
static void show_damaged(struct out *out, const struct array_probe *probe)
{
	out_text(out, NATIVE_TYPE);
	out_number(out, NATIVE_OFFSET);
	out_none(out);
	out_none(out);
	out_object_begin(out, "details");
	out_value(out, "valid_slots", 0);
	out_value_text(out, "damage", probe->damage.text);
	out_object_end(out);
}

/* libblkid knows the same superblock by less. */
static bool is_shown(const struct inspected *inspected, const struct found *found)
{
	const struct md_probe *md = &inspected->md.probe;
	const struct other_probe *others = &inspected->others.probe;

	for (uint32_t i = 0; i < others->count; i++) {
		if (strcmp(found->type, others->at[i]->format->blkid_type) == 0)
			return true;
	}
	if (strcmp(found->type, "linux_raid_member") != 0)
		return false;
	for (uint32_t i = 0; i < md->count; i++) {
		if (md->at[i]->offset == found->offset)
			return true;
	}
	return false;
}

static int show_found(struct out *out, const struct inspected *inspected,
		      const struct field *fields, struct err *err)
{
	int rc;

	out_list_begin(out, "found", fields);
	if (inspected->probe.valid_slots)
		show_native(out, &inspected->probe);
	else if (inspected->probe.damage.code)
		show_damaged(out, &inspected->probe);
	if (inspected->has_record)
		show_record(out, &inspected->record);
	rc = inspect_md_rows(out, &inspected->md.probe, err);
	inspect_other_rows(out, &inspected->others.probe);
	for (size_t i = 0; i < inspected->found.count; i++) {
		if (!is_shown(inspected, &inspected->found.at[i]))
			show_foreign(out, &inspected->found.at[i]);
	}
	out_list_end(out);
	return rc;
}

static int inspect(struct inspected *inspected, const struct invocation *inv, const char *path,
		   struct err *err)
{
	struct dev *dev = NULL;
	struct err ignored = { 0 };
	int rc = cli_device_open(&dev, inv, path, ACCESS_READ, 0, err);

	if (rc)
		return rc;
	inspected->has_record = adopt_record_read(&inspected->record, dev, &ignored) == 0;
	inspected->md.path = path;
	inspected->others.path = path;
	inspected->size = dev_info(dev)->size_exact;
	rc = array_probe(&inspected->probe, dev, err);
	if (rc == 0)
		rc = md_probe_device(&inspected->md.probe, dev, err);
	if (rc == 0)
		rc = other_probe_device(&inspected->others.probe, dev, path, err);
	dev_close(dev);
	if (rc == 0 && inspected->md.probe.unreadable)
		out_warn(inv->out, "%s: %u places where an MD superblock may lie cannot be read",
			 path, inspected->md.probe.unreadable);
	if (rc || overlay_dir_has_new(inv->overlay, path)) /* there is no file to ask blkid about */
		return rc;
	return blkid_find(&inspected->found, path, err);
}

static bool knows_nothing(const struct inspected *inspected)
{
	return !inspected->probe.valid_slots && !inspected->probe.damage.code &&
	       !inspected->has_record && !inspected->md.probe.count &&
	       !inspected->others.probe.count && !inspected->found.count;
}

static int inspect_one(const struct invocation *inv, const char *path, struct err *err)
{
	struct inspected inspected = { 0 };
	int rc = inspect(&inspected, inv, path, err);

	if (rc)
		goto out_reset;
	out_value_text(inv->out, "path", path);
	out_value_bytes(inv->out, "size", inspected.size);
	rc = show_found(inv->out, &inspected, found_fields, err);
	if (rc == 0)
		rc = inspect_md_explain(inv->out, &inspected.md.probe, err);
	if (rc == 0)
		inspect_other_explain(inv->out, &inspected.others.probe);
	/* Programs find the array in the same place, however many members were named. */
	if (rc == 0 && out_is_json(inv->out))
		rc = inspect_md_compare(inv->out, &inspected.md, 1, err);
	if (rc == 0 && out_is_json(inv->out))
		rc = inspect_other_compare(inv->out, &inspected.others, 1, err);
	if (knows_nothing(&inspected))
		out_line(inv->out, "nothing that is known");

out_reset:
	found_list_reset(&inspected.found);
	other_probe_reset(&inspected.others.probe);
	md_probe_reset(&inspected.md.probe);
	return rc;
}

/* One row for each path; what was found stays for the comparison. */
static int inspect_rows(const struct invocation *inv, struct md_inspected *devices,
			struct other_inspected *others, struct err *err)
{
	int rc = 0;

	out_list_begin(inv->out, "paths", path_fields);
	for (size_t i = 0; rc == 0 && i < inv->operand_count; i++) {
		struct inspected inspected = { 0 };

		rc = inspect(&inspected, inv, inv->operands[i], err);
		if (rc == 0) {
			out_text(inv->out, inv->operands[i]);
			out_number(inv->out, inspected.size);
			rc = show_found(inv->out, &inspected, found_nested_fields, err);
		}
		found_list_reset(&inspected.found);
		devices[i] = inspected.md;
		others[i] = inspected.others;
	}
	if (rc == 0)
		out_list_end(inv->out);
	return rc;
}

static int inspect_each(const struct invocation *inv, struct err *err)
{
	struct md_inspected *devices = mem_calloc(inv->operand_count, sizeof(*devices));
	struct other_inspected *others = mem_calloc(inv->operand_count, sizeof(*others));
	int rc = 0;

	if (!devices || !others)
		rc = err_set(err, ERR_NOMEM, "no memory to inspect %zu files", inv->operand_count);
	if (rc == 0)
		rc = inspect_rows(inv, devices, others, err);
	if (rc == 0)
		rc = inspect_md_compare(inv->out, devices, inv->operand_count, err);
	if (rc == 0)
		rc = inspect_other_compare(inv->out, others, inv->operand_count, err);
	for (size_t i = 0; devices && others && i < inv->operand_count; i++) {
		md_probe_reset(&devices[i].probe);
		other_probe_reset(&others[i].probe);
	}
	mem_free(devices);
	mem_free(others);
	return rc;
}

static int cmd_inspect_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	(void)verdict_out;
	if (inv->operand_count == 1)
		return inspect_one(inv, inv->operands[0], err);
	return inspect_each(inv, err);
}

static const char *const details[] = {
	"Lists every signature that is found: pgctl members, RAID members of other makers, file "
	"systems, partition tables. Nothing is written.",
	"Of a member of a Linux MD array everything is said that its superblock, bitmap, bad-block "
	"log, partial parity log and journal say, and what is wrong with them. Of several members "
	"the events are compared: which are stale, which slots are missing, and whether the data "
	"can be read.",
	"Of DDF, Intel Matrix, LVM2, btrfs and ZFS everything is said, too, that their metadata "
	"say, and which tool goes on from there.",
	NULL,
};
static const char *const examples[] = {
	"pgctl inspect a0.img",
	"pgctl inspect --json /dev/sdb",
	"pgctl inspect /dev/sdb /dev/sdc /dev/sdd",
	NULL,
};

const struct command cmd_inspect = {
	.name = "inspect",
	.summary = "what is on a file or device, whoever wrote it",
	.group = GROUP_LIFE,
	.operands = "PATH…",
	.operands_min = 1,
	.operands_max = OPERANDS_ANY,
	.details = details,
	.examples = examples,
	.run = cmd_inspect_run,
};

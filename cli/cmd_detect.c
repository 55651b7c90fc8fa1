/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl detect: what arrays images without metadata were members of, from their content; writes a layout file.
 *
 * The search is formats/detect.h's; here images that say themselves what they are are set aside, and candidates become
 * rows and layout files.
 */
#include "cli/command.h"
#include "cli/detect_native.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/whole_file.h"
#include "core/base/mem.h"
#include "formats/detect.h"
#include "formats/layout_file.h"
#include "formats/md_probe.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct detect_args {
	const char *output;
	uint64_t array, rank;
	bool content;
};
static const struct detect_args detect_defaults = { .array = UINT64_MAX };

static const struct option_spec detect_options[] = {
	{ "output", OPTION_TEXT, offsetof(struct detect_args, output), "FILE",
	  "write the best candidate as a layout file, which every command takes as ARRAY", 'o' },
	{ "rank", OPTION_NUMBER, offsetof(struct detect_args, rank), "N",
	  "with --output: this candidate, also of an array that is undecidable" },
	{ "array", OPTION_NUMBER, offsetof(struct detect_args, array), "N",
	  "with --output: of this array, where the images are of several" },
	{ "content", OPTION_FLAG, offsetof(struct detect_args, content), NULL,
	  "do not believe superblocks: search also among images that have one" },
	{ 0 },
};

static const struct field array_fields[] = {
	{ "array", FIELD_COUNT, "ARRAY" },
	{ "undecidable", FIELD_FLAG, "UNDECIDABLE" },
	{ "images", FIELD_LIST, "IMAGES" },
	{ 0 },
};
static const struct field image_fields[] = { { "path", FIELD_TEXT, "" }, { 0 } };
static const struct field known_fields[] = {
	{ "path", FIELD_TEXT, "PATH" },
	{ "type", FIELD_TEXT, "TYPE" },
	{ "array", FIELD_TEXT, "ARRAY" },
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "superblocks", FIELD_TEXT, "SUPERBLOCKS" },
	{ "extents", FIELD_COUNT, "EXTENTS" },
	{ 0 },
};
static const struct field candidate_fields[] = {
	{ "array", FIELD_COUNT, "ARRAY" },
	{ "rank", FIELD_COUNT, "RANK" },
	{ "confidence", FIELD_SHARE, "CONFIDENCE" },
	{ "level", FIELD_TEXT, "LEVEL" },
	{ "order", FIELD_TEXT, "ORDER" },
	{ "chunk", FIELD_BYTES, "CHUNK" },
	{ "offset", FIELD_BYTES, "OFFSET" },
	{ "members", FIELD_LIST, "MEMBERS" },
	{ "missing", FIELD_COUNT, NULL },
	{ "near", FIELD_COUNT, NULL },
	{ "far", FIELD_COUNT, NULL },
	{ "offset_copies", FIELD_FLAG, NULL },
	{ "bytes", FIELD_BYTES, "VOLUME" },
	{ "reasons", FIELD_LIST, "REASONS" },
	{ "same", FIELD_LIST, NULL },
	{ 0 },
};
static const struct field member_fields[] = {
	{ "slot", FIELD_COUNT, NULL },
	{ "path", FIELD_TEXT, "" },
	{ 0 },
};
static const struct field reason_fields[] = { { "reason", FIELD_TEXT, "" }, { 0 } };
/* Layouts that give the same bytes; only in JSON. */
static const struct field same_fields[] = {
	{ "level", FIELD_TEXT, "" },
	{ "order", FIELD_TEXT, "" },
	{ "members", FIELD_LIST, "" },
	{ 0 },
};

static const struct {
	enum detect_basis basis;
	const char *text;
} reasons[] = {
	{ DETECT_BY_SUM, "the sum of the members is zero" },
	{ DETECT_BY_SYNDROMES, "P and Q agree" },
	{ DETECT_BY_COPIES, "chunks are there twice" },
	{ DETECT_BY_CONTENT, "content goes on from chunk to chunk" },
	{ DETECT_BY_HEADER, "a file system or partition table begins at byte 0" },
};

/* ---- images that say themselves what they are */

struct pile_of {
	struct dev *devs[DETECT_IMAGES_MAX];
	uint32_t count;
	struct native_vec natives;
};

static void show_known_md(struct out *out, const char *path, const struct md_found *found)
{
	char uuid[MD_UUID_TEXT_SIZE];

	md_uuid_text(uuid, &found->member.array);
	out_text(out, path);
	out_text(out, "md");
	out_text(out, uuid);
	if (found->member.role == MD_ROLE_SLOT)
		out_number(out, found->member.slot);
	else
		out_none(out);
	out_text(out, "whole");
	out_none(out);
}

/* True in *known_out: it has a superblock of Linux MD, and was shown. */
static int probe_md(bool *known_out, struct out *out, struct dev *dev, const char *path,
		    struct err *err)
{
	struct md_probe md = { 0 };
	int rc = md_probe_device(&md, dev, err);

	for (uint32_t i = 0; rc == 0 && i < md.count && !*known_out; i++) {
		if (!md_member_is_sound(&md.at[i]->member))
			continue;
		show_known_md(out, path, md.at[i]);
		*known_out = true;
	}
	md_probe_reset(&md);
	return rc;
}

static int refuse_same(const struct pile_of *pile, const struct dev *dev, struct err *err)
{
	for (uint32_t i = 0; i < pile->count; i++) {
		if (memcmp(dev_info(pile->devs[i])->identity, dev_info(dev)->identity,
			   sizeof(dev_info(dev)->identity)) == 0)
			return err_set(err, ERR_DUPLICATE, "%s and %s are the same file",
				       dev_name(pile->devs[i]), dev_name(dev));
	}
	return 0;
}

/* One operand: onto the pile, unless it says itself what it is. */
static int gather_one(struct pile_of *pile, const struct invocation *inv, const char *path,
		      struct err *err)
{
	const struct detect_args *args = inv->args;
	struct dev *dev = NULL;
	bool native = false, known = false;
	int rc = cli_device_open(&dev, inv, path, ACCESS_READ, 0, err);

	if (rc)
		return rc;
	rc = refuse_same(pile, dev, err);
	if (rc == 0 && !args->content)
		rc = native_look(&native, &pile->natives, path, dev, err);
	if (rc == 0 && !args->content && !native)
		rc = probe_md(&known, inv->out, dev, path, err);
	if (rc == 0 && !native && !known && pile->count == DETECT_IMAGES_MAX - 1)
		rc = err_set(err, ERR_LIMIT, "more than %u images at once", DETECT_IMAGES_MAX - 1);
	if (rc || known)
		dev_close(dev);
	else if (!native)
		pile->devs[pile->count++] = dev;
	return rc;
}

static int gather(struct pile_of *pile, const struct invocation *inv, struct err *err)
{
	int rc = 0;

	out_list_begin(inv->out, "known", known_fields);
	for (size_t i = 0; rc == 0 && i < inv->operand_count; i++)
		rc = gather_one(pile, inv, inv->operands[i], err);
	if (rc)
		return rc;
	natives_number(&pile->natives, inv);
	natives_show_known(&pile->natives, inv);
	out_list_end(inv->out);
	natives_show_arrays(&pile->natives, inv);
	return 0;
}

/* ---- candidates as rows and as layout files */

static const char *path_of(const struct detect_report *report, uint8_t image)
{
	return image == DETECT_MISSING ? NULL : report->pile.images[image].name;
}

static enum layout_level level_of(const struct detect_layout *layout)
{
	switch (layout->level) {
	case 0:
		return LAYOUT_RAID0;
	case 1:
		return LAYOUT_RAID1;
	case 4:
		return LAYOUT_RAID4;
	case 5:
		return LAYOUT_RAID5;
	case 6:
		return LAYOUT_RAID6;
	default:
		return LAYOUT_RAID10;
	}
}

static void order_text(char out[static MD_LAYOUT_NAME_SIZE], const struct detect_layout *layout)
{
	out[0] = '\0';
	if (layout->level == 5 || layout->level == 6)
		snprintf(out, MD_LAYOUT_NAME_SIZE, "%s", parity_order_name(layout->order));
	if (layout->level == 10)
		md_layout_name(out, MD_RAID10,
			       layout->near | layout->far << 8 | (layout->offset ? 1u << 16 : 0));
}

static void show_members(struct out *out, const struct detect_report *report,
			 const struct detect_layout *layout, uint32_t first)
{
	out_list_begin(out, "members", member_fields);
	for (uint32_t i = 0; i < layout->members; i++) {
		const char *path = path_of(report, layout->images[(i + first) % layout->members]);

		out_number(out, i);
		if (path || out_is_json(out))
			out_text(out, path);
		else
			out_text(out, "missing");
	}
	out_list_end(out);
}

/* RAID-4 is RAID-5 with parity that stays: last as it is, first with the last member in front. */
static void show_same(struct out *out, const struct detect_report *report,
		      const struct detect_layout *layout)
{
	out_list_begin(out, "same", same_fields);
	if (layout->level == 4) {
		out_text(out, "raid5");
		out_text(out, "parity-last");
		show_members(out, report, layout, 0);
		out_text(out, "raid5");
		out_text(out, "parity-first");
		show_members(out, report, layout, layout->members - 1);
	}
	out_list_end(out);
}

static uint32_t missing_of(const struct detect_layout *layout)
{
	uint32_t missing = 0;

	for (uint32_t i = 0; i < layout->members; i++)
		missing += layout->images[i] == DETECT_MISSING;
	return missing;
}

static void show_candidate(struct out *out, const struct detect_report *report, uint32_t array,
			   uint32_t rank)
{
	const struct detect_candidate *candidate = &report->arrays[array].candidates[rank];
	const struct detect_layout *layout = &candidate->layout;
	char order[MD_LAYOUT_NAME_SIZE];

	order_text(order, layout);
	out_number(out, array);
	out_number(out, rank + 1);
	out_share(out, candidate->confidence);
	out_text(out, layout_level_name(level_of(layout)));
	out_text(out, order[0] ? order : NULL);
	if (layout->chunk_blocks)
		out_number(out, (uint64_t)layout->chunk_blocks * BLOCK_SIZE);
	else
		out_none(out);
	out_number(out, layout->start * BLOCK_SIZE);
	show_members(out, report, layout, 0);
	out_number(out, missing_of(layout));
	out_number(out, layout->level == 10 ? layout->near : 1);
	out_number(out, layout->level == 10 ? layout->far : 1);
	out_flag(out, layout->offset);
	out_number(out, candidate->bytes);
	out_list_begin(out, "reasons", reason_fields);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (candidate->basis & reasons[i].basis)
			out_text(out, reasons[i].text);
	}
	out_list_end(out);
	show_same(out, report, layout);
}

static void show_report(struct out *out, const struct detect_report *report)
{
	bool undecidable = report->array_count == 0;

	out_list_begin(out, "arrays", array_fields);
	for (uint32_t a = 0; a < report->array_count; a++) {
		const struct detect_array *array = &report->arrays[a];

		undecidable |= array->undecidable;
		out_number(out, a);
		out_flag(out, array->undecidable);
		out_list_begin(out, "images", image_fields);
		for (uint32_t i = 0; i < array->image_count; i++)
			out_text(out, path_of(report, array->images[i]));
		out_list_end(out);
	}
	out_list_end(out);
	out_list_begin(out, "candidates", candidate_fields);
	for (uint32_t a = 0; a < report->array_count; a++) {
		for (uint32_t i = 0; i < report->arrays[a].candidate_count; i++)
			show_candidate(out, report, a, i);
	}
	out_list_end(out);
	out_value_flag(out, "undecidable", undecidable && report->given > 0);
}

/* Paths in a layout file count from its folder: the name alone within it, else the whole path. */
static char *path_for(const char *output, const char *image)
{
	const char *slash = strrchr(output, '/'), *other = strrchr(image, '/');
	size_t size = slash ? (size_t)(slash - output) : 0;
	char whole[PATH_MAX];

	if (slash ? other && (size_t)(other - image) == size && memcmp(output, image, size) == 0
		  : !other)
		return mem_strdup(other ? other + 1 : image);
	return mem_strdup(realpath(image, whole) ? whole : image);
}

static int fill_layout(struct layout_file *file, const struct invocation *inv,
		       const struct detect_report *report, const struct detect_layout *layout,
		       struct err *err)
{
	const struct detect_args *args = inv->args;
	uint8_t random[16];

	env_random(inv->env, random, sizeof(random));
	file->uuid = uuid_from_random(random);
	file->uuid_given = true;
	snprintf(file->name, sizeof(file->name), "data");
	file->level = level_of(layout);
	file->order = layout->level == 4 ? ORDER_PARITY_LAST : layout->order;
	file->near = layout->level == 10 ? layout->near : 1;
	file->far = layout->level == 10 ? layout->far : 1;
	file->offset_copies = layout->offset;
	file->chunk = (uint64_t)layout->chunk_blocks * BLOCK_SIZE;
	/* Far copies say where the data end. */
	if (layout->level == 10 && layout->far > 1 && !layout->offset)
		file->size = layout->far_stride * layout->far * file->chunk;
	for (uint32_t i = 0; i < layout->members; i++) {
		const char *path = path_of(report, layout->images[i]);
		struct layout_member *member = &file->members[file->member_count++];

		member->offset = layout->start * BLOCK_SIZE;
		if (!path)
			continue;
		member->path = path_for(args->output, path);
		if (!member->path)
			return err_set(err, ERR_NOMEM, "no memory for a path");
	}
	return 0;
}

static int write_layout(const struct invocation *inv, const struct layout_file *layout,
			struct err *err)
{
	const struct detect_args *args = inv->args;
	struct whole_file *file = NULL;
	struct text text = { 0 };
	int rc;

	layout_file_print(layout, &text);
	if (text.failed) {
		rc = err_set(err, ERR_NOMEM, "no memory for a layout file");
		goto out_reset;
	}
	rc = whole_file_create(&file, inv->env, args->output, inv->common->force, err);
	if (rc == 0)
		rc = whole_file_write(file, text.chars, text.size, 0, err);
	if (rc == 0)
		rc = whole_file_commit(file, err);
	whole_file_close(file);
	if (rc == 0) {
		out_value_text(inv->out, "layout_file", args->output);
		out_line(inv->out, "pgctl status %s shows it, pgctl get %s data -o FILE reads it",
			 args->output, args->output);
	}

out_reset:
	text_reset(&text);
	return rc;
}

/* Which candidate --output means. */
static int choose(const struct detect_candidate **candidate_out, const struct invocation *inv,
		  const struct detect_report *report, struct err *err)
{
	const struct detect_args *args = inv->args;
	uint64_t at = args->array == UINT64_MAX ? 0 : args->array;
	uint64_t rank = args->rank ? args->rank : 1;

	if (args->array == UINT64_MAX && report->array_count > 1) {
		err_set(err, ERR_USAGE, "the images are of %u arrays", report->array_count);
		return err_hint(err, "choose one with --array N");
	}
	if (at >= report->array_count || rank > report->arrays[at].candidate_count)
		return err_set(err, ERR_NOT_FOUND,
			       "there is no candidate %" PRIu64 " of array %" PRIu64, rank, at);
	if (report->arrays[at].undecidable && !args->rank) {
		out_warn(inv->out,
			 "%s is not written: the content does not decide; --rank 1 writes the "
			 "first candidate all the same",
			 args->output);
		return 0;
	}
	*candidate_out = &report->arrays[at].candidates[rank - 1];
	return 0;
}

static int write_chosen(const struct invocation *inv, const struct detect_report *report,
			struct err *err)
{
	const struct detect_candidate *candidate = NULL;
	struct layout_file *file = mem_calloc(1, sizeof(*file));
	int rc;

	if (!file)
		return err_set(err, ERR_NOMEM, "no memory for a layout file");
	rc = choose(&candidate, inv, report, err);
	if (rc == 0 && candidate)
		rc = fill_layout(file, inv, report, &candidate->layout, err);
	if (rc == 0 && candidate)
		rc = write_layout(inv, file, err);
	layout_file_reset(file);
	mem_free(file);
	return rc;
}

static int cmd_detect_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct detect_args *args = inv->args;
	struct detect_report *report = mem_calloc(1, sizeof(*report));
	struct pile_of pile = { 0 };
	int rc;

	if (!report)
		return err_set(err, ERR_NOMEM, "no memory");
	rc = gather(&pile, inv, err);
	if (rc == 0 && pile.count)
		rc = detect_run(report, pile.devs, pile.count, err);
	if (rc == 0)
		show_report(inv->out, report);
	for (uint32_t a = 0; rc == 0 && a < report->array_count; a++)
		*verdict_out |= report->arrays[a].undecidable ? VERDICT_LEFT : 0;
	if (rc == 0 && args->output)
		rc = write_chosen(inv, report, err);
	detect_report_reset(report);
	mem_free(report);
	for (uint32_t i = 0; i < pile.count; i++)
		dev_close(pile.devs[i]);
	natives_reset(&pile.natives);
	return rc;
}

static const char *const details[] = {
	"For images whose superblocks are gone: which of them were members of one array, of which "
	"level, with which chunk, in which order, from which byte on, and which member is missing. "
	"RAID-0, 1, 4, 5, 6 and 10 of up to 16 members (RAID-6 with a member missing, and RAID-10 "
	"other than in pairs, up to 8) with chunks of 4 KiB to 1 MiB are tried; chunks are powers "
	"of two.",
	"Parity, syndromes and copies are exact. What they leave open is decided by the content: a "
	"text, "
	"a table or a program goes on behind the end of a chunk, and what that looks like is "
	"learned "
	"from within the blocks of the images themselves. The confidence says how likely the "
	"candidate "
	"is the right one; where none is likelier than all others together, the array is "
	"undecidable and "
	"the exit status is 4. Random content in a RAID-0 always is.",
	"Images with a superblock of pgctl or Linux MD are listed as known and left out, unless "
	"--content is given; assemble opens those. A member of pgctl whose superblocks are gone is "
	"known by its seals; the command that reads them is shown for its array.",
	"--output writes a layout file. It can be changed by hand; pgctl-layouts(7) has its keys.",
	NULL,
};
static const char *const examples[] = {
	"pgctl detect sda.img sdb.img sdc.img -o found.json",
	"pgctl detect --json *.img | jq '.candidates[0]'",
	"pgctl get found.json data -o volume.img",
	NULL,
};

const struct command cmd_detect = {
	.name = "detect",
	.summary = "what arrays images without metadata were members of, from their content",
	.group = GROUP_QUESTIONS,
	.operands = "IMAGE…",
	.operands_min = 1,
	.operands_max = OPERANDS_ANY,
	.options = detect_options,
	.args_size = sizeof(struct detect_args),
	.defaults = &detect_defaults,
	.details = details,
	.examples = examples,
	.run = cmd_detect_run,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl get: read whole volumes back, to a file, to standard output or into an archive.
 *
 * A file appears only when all of it is there and right. What is lost is zeros, and handed out with
 * --force only.
 */
#include "cli/command.h"
#include "cli/losses.h"
#include "cli/md_view.h"
#include "cli/member_guard.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/raw_output.h"
#include "cli/whole_file.h"
#include "core/array/array.h"
#include "core/base/bytes.h"
#include "core/base/size.h"
#include "core/base/units.h"
#include "core/base/vec.h"
#include "core/job/transfer.h"
#include "formats/archive.h"

#include <string.h>
#include <unistd.h>

/* In an archive: shorter runs of zeros are no holes, and so many ranges between holes are enough. */
#define HOLE_MIN (64u << 10)
#define RANGES_MAX 100000u

VEC_DEFINE(range_vec, struct archive_range);

struct get_args {
	const char *output;
	const char *tar;
	bool sparse;
};

static const struct option_spec get_options[] = {
	{ "output", OPTION_TEXT, offsetof(struct get_args, output), "FILE",
	  "write to this file; - is standard output", 'o' },
	{ "tar", OPTION_TEXT, offsetof(struct get_args, tar), "FILE",
	  "write the volumes, all unless some are named, into an archive; its ending is its "
	  "format" },
	{ "sparse", OPTION_FLAG, offsetof(struct get_args, sparse), NULL,
	  "with --tar: runs of zeros become holes; each volume is read twice" },
	{ 0 },
};

/* One run. Either raw output, or a file; and maybe an archive in either. */
struct getting {
	const struct invocation *inv;
	struct array *array;
	struct whole_file *file; /* NULL: standard output */
	struct raw_output raw;
	struct archive_writer *writer;
	uint64_t archive_size; /* bytes of the archive so far */
	struct losses losses;
	uint64_t reconstructed;
	bool report; /* show a row for each volume */
};

static const struct field got_fields[] = {
	{ "name", FIELD_TEXT, "VOLUME" },
	{ "length", FIELD_BYTES, "LENGTH" },
	{ "reconstructed", FIELD_BYTES, "RECONSTRUCTED" },
	{ "lost", FIELD_BYTES, "LOST" },
	{ "unproven", FIELD_BYTES, NULL }, /* of what was reconstructed, at most so much */
	{ 0 },
};

static int sink_file(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	struct getting *getting = arg;

	return whole_file_write(getting->file, bytes, size, offset, err);
}

static int sink_archive(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	struct getting *getting = arg;

	(void)offset; /* they come in order */
	return archive_writer_data(getting->writer, bytes, size, err);
}

static int sink_stdout(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	struct getting *getting = arg;

	return raw_output_write(&getting->raw, bytes, size, offset, err);
}

/*
 * Hand out one volume. Into a file, reading goes on past losses so that all of them are known; bytes
 * that went down a pipe cannot be taken back, so there it ends at the first.
 */
static int get_one(struct getting *getting, const struct volume *volume, struct err *err)
{
	struct get_request request = {
		.volume = volume->name,
		.length = UINT64_MAX,
		.any_order = getting->file && !getting->writer,
		.sink = getting->writer ? sink_archive
			: getting->file ? sink_file
					: sink_stdout,
		.sink_arg = getting,
		.past_losses = getting->inv->common->force || getting->file,
		.lost = losses_add,
		.lost_arg = &getting->losses,
		.watch = getting->inv->watch,
	};
	struct get_report report = { 0 };
	int rc = get_run(getting->array, &request, &report, err);

	if (rc == ERR_STOPPED)
		err_hint(err, "get it again; no file was left behind");
	if (rc)
		return rc;
	getting->reconstructed += report.reconstructed;
	if (!getting->report)
		return 0;
	out_text(getting->inv->out, volume->name);
	out_number(getting->inv->out, report.length);
	out_number(getting->inv->out, report.reconstructed);
	out_number(getting->inv->out, report.lost);
	out_number(getting->inv->out, cli_unproven(getting->inv, report.reconstructed));
	return 0;
}

/* Bytes of the archive itself, in order. */
static int archive_bytes(void *arg, const void *bytes, size_t size, struct err *err)
{
	struct getting *getting = arg;
	uint64_t offset = getting->archive_size;

	getting->archive_size += size;
	if (getting->file)
		return whole_file_write(getting->file, bytes, size, offset, err);
	return raw_output_write(&getting->raw, bytes, size, offset, err);
}

/* A block that is not zero: into the last range, if that ends near it. */
static int range_note(struct range_vec *ranges, uint64_t offset, uint64_t size)
{
	struct archive_range *last = ranges->count ? &ranges->at[ranges->count - 1] : NULL;

	if (last &&
	    (offset - (last->offset + last->size) < HOLE_MIN || ranges->count == RANGES_MAX)) {
		last->size = offset + size - last->offset;
		return 0;
	}
	return range_vec_push(ranges, (struct archive_range){ offset, size });
}

static int sink_ranges(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	const uint8_t *at = bytes;

	for (size_t done = 0; done < size; done += BLOCK_SIZE) {
		size_t part = size - done < BLOCK_SIZE ? size - done : BLOCK_SIZE;

		if (!bytes_are_zero(at + done, part) && range_note(arg, offset + done, part))
			return err_set(err, ERR_NOMEM, "no memory for the holes of a volume");
	}
	return 0;
}

/* Read the volume once to learn where it is zero; never without a range, which would mean no holes at all. */
static int ranges_find(struct range_vec *ranges, const struct getting *getting,
		       const struct volume *volume, struct err *err)
{
	const struct get_request request = {
		.volume = volume->name,
		.length = UINT64_MAX,
		.sink = sink_ranges,
		.sink_arg = ranges,
		.past_losses = true, /* the reading that counts tells of them */
		.watch = getting->inv->watch,
	};
	struct get_report report = { 0 };
	int rc = range_vec_reserve(ranges, 1);

	if (rc)
		return err_set(err, rc, "no memory for the holes of a volume");
	return get_run(getting->array, &request, &report, err);
}

static int entry_add(struct getting *getting, const struct volume *volume, struct err *err)
{
	char path[NAME_SIZE];
	struct archive_entry_facts facts = {
		.name = path,
		.size = volume->length,
		.modified_s = array_map(getting->array)->created_s,
	};
	const struct get_args *args = getting->inv->args;
	struct range_vec ranges = { 0 };
	int rc = 0;

	/* What would unpack outside of its directory keeps its volume's name. */
	if (!archive_name_decode(path, sizeof(path), volume->name) || !archive_path_is_tame(path))
		memcpy(path, volume->name, sizeof(path));
	if (args->sparse) {
		rc = ranges_find(&ranges, getting, volume, err);
		facts.ranges = ranges.at;
		facts.range_count = ranges.count;
	}
	if (rc == 0)
		rc = archive_writer_begin(getting->writer, &facts, err);
	range_vec_reset(&ranges);
	return rc ? rc : get_one(getting, volume, err);
}

static int get_archive(struct getting *getting, struct err *err)
{
	const struct get_args *args = getting->inv->args;
	const struct invocation *inv = getting->inv;
	const struct map *map = array_map(getting->array);
	int rc = archive_writer_open(&getting->writer, archive_bytes, getting, args->tar, err);

	for (uint32_t i = 0; rc == 0 && inv->operand_count == 1 && i < map->volume_count; i++)
		rc = entry_add(getting, map->volumes[i], err);
	for (size_t i = 1; rc == 0 && i < inv->operand_count; i++) {
		const struct volume *volume = NULL;

		rc = cli_volume_find(&volume, getting->array, inv->operands[i], err);
		if (rc == 0)
			rc = entry_add(getting, volume, err);
	}
	if (rc == 0)
		rc = archive_writer_finish(getting->writer, err);
	return rc;
}

static int get_volume(struct getting *getting, struct err *err)
{
	const struct volume *volume = NULL;
	int rc = cli_volume_find(&volume, getting->array, getting->inv->operands[1], err);

	return rc ? rc : get_one(getting, volume, err);
}

/* Where the bytes go: `path`, or standard output when that is NULL or "-". */
static int target_open(struct getting *getting, const char *path, struct err *err)
{
	const struct invocation *inv = getting->inv;
	bool is_stdout = !path || strcmp(path, "-") == 0;
	int rc;

	if (is_stdout)
		return raw_output_open(&getting->raw, inv, path != NULL, err);
	rc = member_guard(inv, getting->array, path, err);
	if (rc == 0)
		rc = whole_file_create(&getting->file, inv->env, path, inv->common->force, err);
	return rc;
}

/* The file gets its name, unless something is missing in it that nobody agreed to miss. */
static int target_finish(struct getting *getting, unsigned *verdict_out, struct err *err)
{
	if (getting->losses.bytes > 0) {
		*verdict_out |= VERDICT_LEFT;
		if (!getting->inv->common->force) {
			losses_error(&getting->losses, err);
			return err_hint(err, "bring members back, or take zeros for what is lost "
					     "with --force");
		}
	}
	return getting->file ? whole_file_commit(getting->file, err) : 0;
}

static void result_show(const struct getting *getting)
{
	char size[UNITS_TEXT_SIZE];

	losses_show(&getting->losses, getting->inv->out);
	cli_reconstructed_warn(getting->inv, getting->reconstructed);
	if (getting->losses.bytes && getting->inv->common->force)
		out_warn(getting->inv->out, "%s are lost, with zeros in their place",
			 units_text(size, getting->losses.bytes));
}

static int operands_check(const struct invocation *inv, struct err *err)
{
	const struct get_args *args = inv->args;

	if (args->sparse && !args->tar)
		return err_set(err, ERR_USAGE, "--sparse is for --tar");
	if (args->tar && args->output)
		return err_set(err, ERR_USAGE, "--tar and -o both say where to write");
	if (!args->tar && inv->operand_count == 1)
		return err_set(err, ERR_USAGE, "VOLUME is missing");
	if (!args->tar && inv->operand_count > 2) {
		err_set(err, ERR_USAGE, "several volumes do not fit into one file");
		return err_hint(err, "write them into an archive with --tar FILE");
	}
	return 0;
}

static int cmd_get_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct get_args *args = inv->args;
	struct getting getting = { .inv = inv };
	int rc = operands_check(inv, err);

	if (rc == 0)
		rc = cli_array_open(&getting.array, inv, inv->operands[0],
				    inv->common->force ? ACCESS_SALVAGE : ACCESS_READ, err);
	if (rc)
		return rc;
	rc = target_open(&getting, args->tar ? args->tar : args->output, err);
	if (rc)
		goto out_close;

	getting.report = getting.file || raw_output_reports(inv);
	if (getting.report)
		out_list_begin(inv->out, "volumes", got_fields);
	rc = args->tar ? get_archive(&getting, err) : get_volume(&getting, err);
	if (getting.report)
		out_list_end(inv->out);
	losses_sort(&getting.losses);
	if (rc == 0)
		rc = target_finish(&getting, verdict_out, err);
	if (rc == 0 || getting.losses.bytes)
		result_show(&getting);

out_close:
	archive_writer_close(getting.writer);
	raw_output_close(&getting.raw);
	whole_file_close(getting.file);
	losses_reset(&getting.losses);
	array_close(getting.array);
	return rc;
}

static const char *const get_details[] = {
	"Every block is compared with its checksum; what is damaged or absent is reconstructed "
	"from the rest of its group, which is said on stderr. The array is not written to.",
	"If data is lost, the command ends with 4 and names the ranges, and -o FILE leaves no "
	"file. With --force zeros stand in for them. --force also replaces a FILE that exists.",
	"Without -o the volume goes to standard output, unless that is a terminal.",
	NULL,
};
static const char *const get_examples[] = {
	"pgctl get tank/ film.mkv -o film.mkv",
	"pgctl get tank/ photos.tar | tar -x",
	"pgctl get tank/ --tar everything.tar.zst",
	NULL,
};

const struct command cmd_get = {
	.name = "get",
	.summary = "read volumes back",
	.group = GROUP_LIFE,
	.operands = "ARRAY [VOLUME…]",
	.operands_min = 1,
	.operands_max = OPERANDS_ANY,
	.options = get_options,
	.args_size = sizeof(struct get_args),
	.details = get_details,
	.examples = get_examples,
	.run = cmd_get_run,
};

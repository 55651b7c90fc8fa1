/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl extract: all of a volume that can still be known, as one flat image, from members of which parts cannot be read.
 *
 * The volume is read as get reads it, past what is lost. The maps of ddrescue come in as holes in front of the members
 * (member_maps.h), what is known of the image goes out as one (volume_image.h).
 */
#include "cli/command.h"
#include "cli/losses.h"
#include "cli/member_guard.h"
#include "cli/member_maps.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/volume_image.h"
#include "core/array/array.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/units.h"
#include "core/env/env.h"
#include "core/job/transfer.h"
#include "formats/ddrescue.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define SAVE_EVERY_NS UINT64_C(30000000000) /* what a kill may cost, as with ddrescue itself */

struct extract_args {
	const char *output;
	const char *volume;
	struct text_list maps;
	const char *out_map;
	bool resume;
};

static const struct option_spec extract_options[] = {
	{ "output", OPTION_TEXT, offsetof(struct extract_args, output), "FILE",
	  "write the image to this file", 'o' },
	{ "volume", OPTION_TEXT, offsetof(struct extract_args, volume), "VOLUME",
	  "the volume, where its name could be taken for a file" },
	{ "map", OPTION_LIST, offsetof(struct extract_args, maps), "MEMBER=MAPFILE",
	  "the map of ddrescue that belongs to the image of this member" },
	{ "out-map", OPTION_TEXT, offsetof(struct extract_args, out_map), "FILE",
	  "write a map of the image: + is right, - is lost" },
	{ "resume", OPTION_FLAG, offsetof(struct extract_args, resume), NULL,
	  "go on with an image and its --out-map; what was lost is tried again" },
	{ 0 },
};

/* One run. */
struct extracting {
	const struct invocation *inv; /* ours: with the maps and all places where members may be */
	const struct extract_args *args;
	struct array *array;
	const struct volume *volume;
	struct volume_image *image;
	struct losses losses;
	uint64_t reconstructed;
	/* Progress of all ranges together, and when the map was saved. */
	uint64_t ranges_done, ranges_total;
	uint64_t saved_ns;
	struct err save_failure;
};

static void watch_progress(void *arg, const struct job_progress *part)
{
	struct extracting *extracting = arg;
	const struct job_watch *watch = &extracting->inv->watch;
	uint64_t now = env_now_ns(extracting->inv->env);
	struct job_progress all = *part;

	all.kind = "extract";
	all.done += extracting->ranges_done;
	all.total = extracting->ranges_total;
	if (watch->progress)
		watch->progress(watch->arg, &all);
	if (now - extracting->saved_ns < SAVE_EVERY_NS || extracting->save_failure.code)
		return;
	(void)!volume_image_save(extracting->image, &extracting->save_failure);
	extracting->saved_ns = now;
}

static bool watch_stop(void *arg)
{
	const struct extracting *extracting = arg;
	const struct job_watch *watch = &extracting->inv->watch;

	return extracting->save_failure.code || (watch->stop && watch->stop(watch->arg));
}

static int read_range(struct extracting *extracting, const struct ddrescue_block *range,
		      struct err *err)
{
	const struct get_request request = {
		.volume = extracting->volume->name,
		.offset = range->offset,
		.length = range->size,
		.any_order = true,
		.sink = volume_image_write,
		.sink_arg = extracting->image,
		.past_losses = true,
		.lost = volume_image_lose,
		.lost_arg = extracting->image,
		.watch = { .progress = watch_progress,
			   .stop = watch_stop,
			   .arg = extracting,
			   .rate_max = extracting->inv->watch.rate_max },
	};
	struct get_report report = { 0 };
	int rc = get_run(extracting->array, &request, &report, err);

	extracting->reconstructed += report.reconstructed;
	extracting->ranges_done += range->size;
	if (extracting->save_failure.code) {
		*err = extracting->save_failure;
		rc = err->code;
	}
	return rc;
}

/* The parts of the volume that nobody has looked at. */
static int ranges_find(struct ddrescue_block_vec *ranges, struct extracting *extracting,
		       struct err *err)
{
	const struct ddrescue_block_vec *blocks = &volume_image_map(extracting->image)->blocks;

	for (size_t i = 0; i < blocks->count; i++) {
		if (blocks->at[i].status != DDRESCUE_UNTRIED)
			continue;
		if (ddrescue_block_vec_push(ranges, blocks->at[i]))
			return err_set(err, ERR_NOMEM, "no memory for the map");
		extracting->ranges_total += blocks->at[i].size;
	}
	return 0;
}

static int volume_read(struct extracting *extracting, struct err *err)
{
	struct ddrescue_block_vec ranges = { 0 };
	int rc = ranges_find(&ranges, extracting, err);

	extracting->saved_ns = env_now_ns(extracting->inv->env);
	for (size_t i = 0; rc == 0 && i < ranges.count; i++)
		rc = read_range(extracting, &ranges.at[i], err);
	ddrescue_block_vec_reset(&ranges);
	return rc;
}

static void losses_gather(struct extracting *extracting)
{
	const struct ddrescue_block_vec *blocks = &volume_image_map(extracting->image)->blocks;

	for (size_t i = 0; i < blocks->count; i++) {
		const struct job_loss loss = { extracting->volume->name, blocks->at[i].offset,
					       blocks->at[i].size };

		if (blocks->at[i].status == DDRESCUE_BAD)
			losses_add(&extracting->losses, &loss);
	}
}

static void report_show(const struct extracting *extracting)
{
	struct out *out = extracting->inv->out;
	const struct losses *losses = &extracting->losses;
	char size[UNITS_TEXT_SIZE];

	out_value_text(out, "path", extracting->args->output);
	out_value_text(out, "volume", extracting->volume->name);
	out_value_bytes(out, "bytes", extracting->volume->length);
	out_value_bytes(out, "reconstructed", extracting->reconstructed);
	out_value_bytes(out, "lost_bytes", losses->bytes);
	losses_show(losses, out);
	if (losses->bytes)
		out_warn(out, "%s are lost, with holes in their place",
			 units_text(size, losses->bytes));
}

/* Stopped: with a map it is left as it is, to be gone on with. */
static int stopped(struct extracting *extracting, struct err *err)
{
	struct err save = { 0 };

	if (!extracting->args->out_map)
		return err_hint(err, "do it again; with --out-map it can be gone on with");
	if (volume_image_save(extracting->image, &save)) {
		*err = save;
		return err->code;
	}
	return err_hint(err, "the same command with --resume goes on");
}

static int image_make(struct extracting *extracting, unsigned *verdict_out, struct err *err)
{
	const struct volume_image_request request = {
		.inv = extracting->inv,
		.path = extracting->args->output,
		.map_path = extracting->args->out_map,
		.length = extracting->volume->length,
		.resume = extracting->args->resume,
	};
	int rc = volume_image_open(&extracting->image, &request, err);

	if (rc)
		return rc;
	rc = volume_read(extracting, err);
	if (rc == ERR_STOPPED)
		return stopped(extracting, err);
	if (rc == 0)
		rc = volume_image_finish(extracting->image, err);
	if (rc)
		return rc;
	losses_gather(extracting);
	report_show(extracting);
	if (extracting->losses.bytes)
		*verdict_out |= VERDICT_LEFT;
	return 0;
}

static int refuse_several(const struct map *map, struct err *err)
{
	struct text text = { 0 };

	for (uint32_t i = 0; i < map->volume_count && text.size < 200; i++)
		text_add(&text, "%s'%s'", i ? ", " : "", map->volumes[i]->name);
	err_set(err, map->volume_count ? ERR_USAGE : ERR_NOT_FOUND, "array '%s' has %s%s",
		map->name, map->volume_count ? "several volumes: " : "no volume",
		text.chars ? text.chars : "");
	text_reset(&text);
	return map->volume_count ? err_hint(err, "name one of them: --volume VOLUME") : err->code;
}

/* What --volume says, or the operand that leads to no file, or the only one that there is. */
static int volume_choose(struct extracting *extracting, const char *name, struct err *err)
{
	const struct map *map = array_map(extracting->array);

	if (name)
		return cli_volume_find(&extracting->volume, extracting->array, name, err);
	if (map->volume_count != 1)
		return refuse_several(map, err);
	extracting->volume = map->volumes[0];
	if (extracting->volume->length > DDRESCUE_POSITION_MAX)
		return err_set(err, ERR_SIZE, "volume '%s' is too large for a map",
			       extracting->volume->name);
	return 0;
}

/* Nothing that is read may be written to. */
static int outputs_check(const struct extracting *extracting, struct err *err)
{
	const struct extract_args *args = extracting->args;
	const char *const paths[] = { args->output, args->out_map };
	int rc = 0;

	if (args->out_map && strcmp(args->out_map, args->output) == 0)
		return err_set(err, ERR_USAGE, "-o and --out-map are one file");
	for (size_t i = 0; rc == 0 && i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!paths[i])
			continue;
		rc = member_guard(extracting->inv, extracting->array, paths[i], err);
		if (rc == 0 && extracting->inv->maps)
			rc = member_maps_guard(extracting->inv->maps, paths[i], err);
	}
	return rc;
}

/* The image that a map is of, by what the operator calls its member. */
static int map_find(struct member_maps *maps, size_t index, const struct invocation *inv,
		    const struct array *array, struct err *err)
{
	const char *member = member_maps_member(maps, index), *path = member;
	uint32_t slot;
	int rc = 0;

	if (!member_maps_name_file(maps, index)) {
		rc = cli_member_find(&slot, inv, array, member, err);
		path = rc ? NULL : cli_member_path(inv, slot);
	}
	if (rc == 0 && !path) {
		rc = err_set(err, ERR_NOT_FOUND, "no image of member '%s' was found", member);
		err_hint(err, "name it by its path: --map IMAGE=MAPFILE");
	}
	return rc ? rc : member_maps_set_path(maps, index, path, err);
}

/* Which images the maps are of. Numbers, labels and uuids of members are looked up in the array, without the maps. */
static int maps_find(struct member_maps *maps, const struct invocation *inv, struct err *err)
{
	const struct open_how how = { .access = ACCESS_SALVAGE, .leave_log = true };
	struct array *array = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < member_maps_count(maps); i++) {
		if (!array && !member_maps_name_file(maps, i))
			rc = cli_array_open_as(&array, inv, inv->operands[0], &how, err);
		if (rc == 0)
			rc = map_find(maps, i, inv, array, err);
	}
	array_close(array);
	return rc;
}

/* Operands behind the first lead to more members, but for one that leads nowhere: VOLUME. */
static int operands_sort(const struct invocation *inv, struct text_list *members,
			 const char **volume_out, struct err *err)
{
	const struct extract_args *args = inv->args;

	*volume_out = args->volume;
	if (!args->output)
		return err_set(err, ERR_USAGE, "-o FILE is missing");
	for (size_t i = 1; i < inv->operand_count; i++) {
		if (access(inv->operands[i], F_OK) == 0) {
			members->at[members->count++] = inv->operands[i];
		} else if (*volume_out) {
			err_set(err, ERR_USAGE, "'%s' is no file, and '%s' is the volume",
				inv->operands[i], *volume_out);
			return err->code;
		} else {
			*volume_out = inv->operands[i];
		}
	}
	return 0;
}

static int extract(struct extracting *extracting, const char *volume, unsigned *verdict_out,
		   struct err *err)
{
	const struct invocation *inv = extracting->inv;
	int rc = cli_array_open(&extracting->array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	if (rc)
		return rc;
	rc = volume_choose(extracting, volume, err);
	if (rc == 0)
		rc = outputs_check(extracting, err);
	if (rc == 0)
		rc = image_make(extracting, verdict_out, err);
	volume_image_close(extracting->image);
	losses_reset(&extracting->losses);
	array_close(extracting->array);
	return rc;
}

static int cmd_extract_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct extract_args *args = inv->args;
	const struct text_list *given = &inv->common->members;
	struct common_options common = *inv->common;
	struct invocation ours = *inv;
	struct extracting extracting = { .inv = &ours, .args = args };
	struct member_maps *maps = NULL;
	struct text_list all = { 0 };
	const char *volume = NULL;
	int rc;

	common.members = (struct text_list){
		mem_calloc(given->count + inv->operand_count, sizeof(*given->at)), given->count
	};
	ours.common = &common;
	if (!common.members.at)
		return err_set(err, ERR_NOMEM, "no memory");
	for (size_t i = 0; i < given->count; i++)
		common.members.at[i] = given->at[i];
	all = common.members;
	rc = operands_sort(inv, &common.members, &volume, err);
	all = common.members;
	if (rc == 0 && args->maps.count) {
		rc = member_maps_read(&maps, &args->maps, err);
		if (rc == 0)
			rc = maps_find(maps, &ours, err);
		if (rc == 0)
			rc = member_maps_paths(maps, &all, inv->operands[0], &common.members, err);
		ours.maps = maps;
	}
	if (rc == 0)
		rc = extract(&extracting, volume, verdict_out, err);
	if (common.members.at != all.at)
		mem_free(common.members.at);
	mem_free(all.at);
	member_maps_free(maps);
	return rc;
}

static const char *const extract_details[] = {
	"Where an image was copied from a failing disk, --map names the map file that ddrescue has "
	"written with it. What the map does not call rescued was never read: it is computed from "
	"the rest of its row, and never taken for zeros.",
	"MEMBER is the path of the image, or the member's number, label or uuid. Operands that "
	"lead "
	"to files or directories are places of more members; another one is VOLUME, which is "
	"needed where there are several.",
	"What cannot be known is a hole in the image and listed, and the exit status is 4. Blocks "
	"of zeros are holes as well. The file has its name when all was tried; until then it is "
	"FILE.part.",
	"With --out-map the map of the image is saved every 30 seconds and when a signal stops the "
	"command; --resume then goes on. On an image that is finished, --resume tries again what "
	"was lost, with the maps as they are by then.",
	NULL,
};
static const char *const extract_examples[] = {
	"pgctl extract tank/ photos.tar -o photos.tar --map 2=disk2.map --out-map photos.map",
	"pgctl extract disk0.img disk1.img disk2.img -o data.img --map disk1.img=disk1.map",
	NULL,
};

const struct command cmd_extract = {
	.name = "extract",
	.summary = "what is left of a volume as one image, with maps of ddrescue in and out",
	.group = GROUP_LIFE,
	.operands = "ARRAY [PATH…] [VOLUME]",
	.operands_min = 1,
	.operands_max = OPERANDS_ANY,
	.options = extract_options,
	.args_size = sizeof(struct extract_args),
	.details = extract_details,
	.examples = extract_examples,
	.run = cmd_extract_run,
};

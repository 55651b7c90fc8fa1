/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The work of pgctl extract: read the volume, salvage what was lost, keep the image and its map, say what ddrescue should
 * try next.
 */
#include "cli/extracting.h"

#include "cli/command.h"
#include "cli/member_guard.h"
#include "cli/member_maps.h"
#include "cli/output.h"
#include "cli/volume_image.h"
#include "core/array/array.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/units.h"
#include "core/env/env.h"
#include "core/job/salvage.h"
#include "core/job/transfer.h"
#include "formats/ddrescue.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define SAVE_EVERY_NS UINT64_C(30000000000) /* what a kill may cost, as with ddrescue itself */

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

static struct job_watch watch_of(struct extracting *extracting)
{
	return (struct job_watch){ .progress = watch_progress,
				   .stop = watch_stop,
				   .arg = extracting,
				   .rate_max = extracting->inv->watch.rate_max };
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
		.watch = watch_of(extracting),
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

/* The parts of the volume with this status. */
static int ranges_find(struct ddrescue_block_vec *ranges, struct extracting *extracting,
		       enum ddrescue_status status, struct err *err)
{
	const struct ddrescue_block_vec *blocks = &volume_image_map(extracting->image)->blocks;

	extracting->ranges_done = extracting->ranges_total = 0;
	for (size_t i = 0; i < blocks->count; i++) {
		if (blocks->at[i].status != status)
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
	int rc = ranges_find(&ranges, extracting, DDRESCUE_UNTRIED, err);

	extracting->saved_ns = env_now_ns(extracting->inv->env);
	for (size_t i = 0; rc == 0 && i < ranges.count; i++)
		rc = read_range(extracting, &ranges.at[i], err);
	ddrescue_block_vec_reset(&ranges);
	return rc;
}

static int salvage_got(void *arg, const void *bytes, size_t size, uint64_t offset, struct err *err)
{
	const struct extracting *extracting = arg;

	return volume_image_regain(extracting->image, bytes, size, offset, err);
}

static uint32_t salvage_hope(void *arg, uint32_t slot, uint64_t place)
{
	const struct extracting *extracting = arg;

	return member_maps_hope(extracting->inv->maps, slot, place);
}

static int salvage_want(void *arg, uint32_t slot, uint64_t place, struct err *err)
{
	const struct extracting *extracting = arg;

	return member_maps_want(extracting->inv->maps, slot, place, err);
}

/* What was lost in whole blocks, by sectors; and what would help. */
static int volume_salvage(struct extracting *extracting, struct err *err)
{
	struct ddrescue_block_vec lost = { 0 };
	struct salvage_report report = { 0 };
	struct salvage_range *ranges = NULL;
	int rc = ranges_find(&lost, extracting, DDRESCUE_BAD, err);

	if (rc == 0 && lost.count) {
		ranges = mem_calloc(lost.count, sizeof(*ranges));
		rc = ranges ? 0 : err_set(err, ERR_NOMEM, "no memory for the map");
	}
	for (size_t i = 0; rc == 0 && i < lost.count; i++)
		ranges[i] = (struct salvage_range){ lost.at[i].offset, lost.at[i].size };
	const struct salvage_request request = {
		.volume = extracting->volume->name,
		.ranges = ranges,
		.range_count = lost.count,
		.got = salvage_got,
		.hope = extracting->inv->maps ? salvage_hope : NULL,
		.want = extracting->inv->maps ? salvage_want : NULL,
		.arg = extracting,
		.watch = watch_of(extracting),
	};
	if (rc == 0 && lost.count)
		rc = salvage_run(extracting->array, &request, &report, err);
	extracting->by_sector = report.got;
	mem_free(ranges);
	ddrescue_block_vec_reset(&lost);
	return rc;
}

/* FILE.SLOT */
static char *domain_path(const struct extracting *extracting, uint32_t slot)
{
	struct text text = { 0 };

	text_add(&text, "%s.%" PRIu32, extracting->next_domain, slot);
	if (!text.failed)
		return text.chars;
	text_reset(&text);
	return NULL;
}

static int domain_write(const struct extracting *extracting, const struct ddrescue_map *domain,
			uint32_t slot, struct err *err)
{
	struct ddrescue_map map = *domain;
	char *path = domain_path(extracting, slot);
	int rc;

	if (!path)
		return err_set(err, ERR_NOMEM, "no memory for the maps");
	/* What is behind the last sector that is wanted need not be said. */
	while (map.blocks.count && map.blocks.at[map.blocks.count - 1].status != DDRESCUE_RESCUED)
		map.blocks.count--;
	map.phase = DDRESCUE_RESCUED;
	map.pass = 1;
	rc = ddrescue_file_write(extracting->inv, &map, path,
				 extracting->inv->common->force || extracting->resume, err);
	mem_free(path);
	return rc;
}

static const struct field domain_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "path", FIELD_TEXT, "NEXT DOMAIN" },
	{ "bytes", FIELD_BYTES, "WANTED" },
	{ 0 },
};

/* One file a member that has a map, also where nothing of it is wanted: one of the last round must not be taken for it. */
static int domains_write(struct extracting *extracting, struct err *err)
{
	const struct member_maps *maps = extracting->inv->maps;
	struct out *out = extracting->inv->out;
	int rc = 0;

	if (!extracting->next_domain)
		return 0;
	out_list_begin(out, "next_domain", domain_fields);
	for (size_t i = 0; rc == 0 && maps && i < member_maps_count(maps); i++) {
		uint32_t slot;
		const struct ddrescue_map *domain = member_maps_domain(maps, i, &slot);
		char *path;

		if (!domain)
			continue;
		rc = domain_write(extracting, domain, slot, err);
		path = domain_path(extracting, slot);
		out_number(out, slot);
		out_text(out, path);
		out_number(out, ddrescue_total(domain, DDRESCUE_RESCUED));
		mem_free(path);
	}
	out_list_end(out);
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

	out_value_text(out, "path", extracting->output);
	out_value_text(out, "volume", extracting->volume->name);
	out_value_bytes(out, "bytes", extracting->volume->length);
	out_value_bytes(out, "reconstructed", extracting->reconstructed);
	out_value_bytes(out, "by_sector", extracting->by_sector);
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

	if (!extracting->out_map)
		return err_hint(err, "do it again; with --out-map it can be gone on with");
	if (volume_image_save(extracting->image, &save)) {
		*err = save;
		return err->code;
	}
	return err_hint(err, "the same command with --resume goes on");
}

int extracting_run(struct extracting *extracting, unsigned *verdict_out, struct err *err)
{
	const struct volume_image_request request = {
		.inv = extracting->inv,
		.path = extracting->output,
		.map_path = extracting->out_map,
		.length = extracting->volume->length,
		.resume = extracting->resume,
	};
	int rc = volume_image_open(&extracting->image, &request, err);

	if (rc)
		return rc;
	rc = volume_read(extracting, err);
	if (rc == 0)
		rc = volume_salvage(extracting, err);
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
	return domains_write(extracting, err);
}

/* Nothing that is read may be written to. */
static int output_guard(const struct extracting *extracting, const char *path, struct err *err)
{
	const struct invocation *inv = extracting->inv;
	int rc = member_guard(inv, extracting->array, path, err);

	return rc || !inv->maps ? rc : member_maps_guard(inv->maps, path, err);
}

/* May the domain of a member be written to this file? Those of an earlier round are not in the way of --resume. */
static int domain_check(const struct extracting *extracting, const char *path, struct err *err)
{
	bool replace = extracting->resume || extracting->inv->common->force;
	int rc = output_guard(extracting, path, err);

	if (rc || replace || access(path, F_OK))
		return rc;
	err_set(err, ERR_EXISTS, "%s exists already", path);
	return err_hint(err, "choose another name, or replace it with --force");
}

static int domains_check(const struct extracting *extracting, struct err *err)
{
	const struct member_maps *maps = extracting->inv->maps;
	int rc = 0;

	if (!extracting->next_domain || !maps)
		return 0;
	for (size_t i = 0; rc == 0 && i < member_maps_count(maps); i++) {
		uint32_t slot;
		char *path;

		if (!member_maps_domain(maps, i, &slot))
			continue;
		path = domain_path(extracting, slot);
		rc = path ? domain_check(extracting, path, err)
			  : err_set(err, ERR_NOMEM, "no memory for the maps");
		mem_free(path);
	}
	return rc;
}

int extracting_check(const struct extracting *extracting, struct err *err)
{
	int rc;

	if (extracting->out_map && strcmp(extracting->out_map, extracting->output) == 0)
		return err_set(err, ERR_USAGE, "-o and --out-map are one file");
	rc = output_guard(extracting, extracting->output, err);
	if (rc == 0 && extracting->out_map)
		rc = output_guard(extracting, extracting->out_map, err);
	return rc ? rc : domains_check(extracting, err);
}

void extracting_reset(struct extracting *extracting)
{
	volume_image_close(extracting->image);
	losses_reset(&extracting->losses);
	*extracting = (struct extracting){ 0 };
}

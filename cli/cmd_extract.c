/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl extract: all of a volume that can still be known, as one flat image, from members of which parts cannot be read.
 *
 * The volume is read as get reads it, past what is lost. The maps of ddrescue come in as holes in front of the members
 * (member_maps.h), what is known of the image goes out as one (volume_image.h).
 */
#include "cli/command.h"
#include "cli/extracting.h"
#include "cli/member_maps.h"
#include "cli/members.h"
#include "cli/scan.h"
#include "cli/search.h"
#include "core/array/array.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "formats/ddrescue.h"

#include <sys/stat.h>

struct extract_args {
	const char *output;
	const char *volume;
	struct text_list maps;
	const char *out_map;
	const char *next_domain;
	bool resume;
};

static const struct option_spec extract_options[] = {
	{ "output", OPTION_TEXT, offsetof(struct extract_args, output), "FILE",
	  "write the image to this file", 'o' },
	{ "volume", OPTION_TEXT, offsetof(struct extract_args, volume), "VOLUME",
	  "the volume, where its name could be taken for a member's" },
	{ "map", OPTION_LIST, offsetof(struct extract_args, maps), "MEMBER=MAPFILE",
	  "the map of ddrescue that belongs to the image of this member" },
	{ "out-map", OPTION_TEXT, offsetof(struct extract_args, out_map), "FILE",
	  "write a map of the image: + is right, - is lost" },
	{ "next-domain", OPTION_TEXT, offsetof(struct extract_args, next_domain), "FILE",
	  "write to FILE.SLOT which sectors of each mapped member would bring back what is lost" },
	{ "resume", OPTION_FLAG, offsetof(struct extract_args, resume), NULL,
	  "go on with an image and its --out-map; what was lost is tried again" },
	{ 0 },
};

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

/* A directory, or a file or device with a superblock. */
static int leads_to_members(bool *yes_out, const struct invocation *inv, const char *path,
			    struct err *err)
{
	const struct scan_how how = search_how(inv);
	struct candidate_vec found = { 0 };
	struct stat facts;
	int rc = 0;

	*yes_out = false;
	if (stat(path, &facts))
		return 0;
	if (S_ISREG(facts.st_mode) || S_ISBLK(facts.st_mode))
		rc = scan_named(&found, &how, path, err);
	if (rc == 0)
		*yes_out = S_ISDIR(facts.st_mode) ||
			   (found.count &&
			    (found.at[0].probe.valid_slots || candidate_md(&found.at[0])));
	candidates_free(&found);
	return rc;
}

/* Operands behind the first lead to more members, but for one that does not: VOLUME. */
static int operands_sort(const struct invocation *inv, struct text_list *members,
			 const char **volume_out, struct err *err)
{
	const struct extract_args *args = inv->args;

	*volume_out = args->volume;
	if (!args->output)
		return err_set(err, ERR_USAGE, "-o FILE is missing");
	for (size_t i = 1; i < inv->operand_count; i++) {
		const char *operand = inv->operands[i];
		bool members_there = false;
		int rc = leads_to_members(&members_there, inv, operand, err);

		if (rc)
			return rc;
		if (members_there)
			members->at[members->count++] = operand;
		else if (*volume_out)
			return err_set(err, ERR_USAGE, "'%s' is no member, and '%s' is the volume",
				       operand, *volume_out);
		else
			*volume_out = operand;
	}
	return 0;
}

static int extract(struct extracting *extracting, const char *volume, unsigned *verdict_out,
		   struct err *err)
{
	const struct invocation *inv = extracting->inv;
	struct array *array = NULL;
	int rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);

	if (rc)
		return rc;
	extracting->array = array;
	for (uint32_t slot = 0; inv->maps && slot < MEMBERS_MAX; slot++) {
		const char *path = cli_member_path(inv, slot);

		if (path)
			member_maps_set_slot(inv->maps, path, slot);
	}
	rc = volume_choose(extracting, volume, err);
	if (rc == 0)
		rc = extracting_check(extracting, err);
	if (rc == 0)
		rc = extracting_run(extracting, verdict_out, err);
	extracting_reset(extracting);
	array_close(array);
	return rc;
}

static int cmd_extract_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct extract_args *args = inv->args;
	const struct text_list *given = &inv->common->members;
	struct common_options common = *inv->common;
	struct invocation ours = *inv;
	struct extracting extracting = { .inv = &ours,
					 .output = args->output,
					 .out_map = args->out_map,
					 .next_domain = args->next_domain,
					 .resume = args->resume };
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
	"MEMBER is the path of the image, or the member's number, label or uuid. PATHs are images "
	"and directories with more members; an operand that is neither is VOLUME, which is needed "
	"where there are several.",
	"What cannot be known is a hole in the image and listed, and the exit status is 4. Blocks "
	"of zeros are holes as well. The file has its name when all was tried; until then it is "
	"FILE.part.",
	"--next-domain names what ddrescue should try next, as its --domain-mapfile: only sectors "
	"that would bring something back, of each row as few as can be. Images of one disk, each "
	"with its map, make one member.",
	"With --out-map the map of the image is saved every 30 seconds and when a signal stops the "
	"command; --resume then goes on. On an image that is finished, --resume tries again what "
	"was lost, with the maps as they are by then.",
	NULL,
};
static const char *const extract_examples[] = {
	"pgctl extract tank/ photos.tar -o photos.tar --map 2=disk2.map --out-map photos.map",
	"pgctl extract disk0.img disk1.img disk2.img -o data.img --map disk1.img=disk1.map",
	"pgctl extract disk0.img -o data.img --map 1=disk1.map --out-map data.map --next-domain "
	"next --resume",
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

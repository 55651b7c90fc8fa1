/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl fault: damage members on purpose, to see what the array and its operator make of it.
 *
 * flip, lost, misdirect and torn change the medium (core/job/fault_inject.h). bad only writes the list of bad
 * places beside an image (fault_file.h): the image stays as it is. resize, clone and rollback are about image
 * files as wholes (image.h). What fails only while a command runs is --fault (fault_spec.h).
 */
#include "cli/command.h"
#include "cli/fault_file.h"
#include "cli/image.h"
#include "cli/members.h"
#include "cli/output.h"
#include "core/array/array.h"
#include "core/base/bytes.h"
#include "core/base/rng.h"
#include "core/base/size.h"
#include "core/base/units.h"
#include "core/job/fault_inject.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define NOT_GIVEN UINT64_MAX
#define COUNT_MAX 4096u /* as many bad places as a list may have */

enum fault_word {
	WORD_FLIP,
	WORD_LOST,
	WORD_MISDIRECT,
	WORD_TORN,
	WORD_BAD,
	WORD_RESIZE,
	WORD_CLONE,
	WORD_ROLLBACK,
};
static const char *const fault_words[] = { "flip",   "lost",  "misdirect", "torn", "bad",
					   "resize", "clone", "rollback",  NULL };

_Static_assert((int)WORD_FLIP == (int)INJECT_FLIP && (int)WORD_LOST == (int)INJECT_LOST &&
		       (int)WORD_MISDIRECT == (int)INJECT_MISDIRECT &&
		       (int)WORD_TORN == (int)INJECT_TORN,
	       "the words follow enum inject_kind");

struct fault_args {
	int kind; /* enum fault_word */
	const char *member;
	uint64_t count;
	uint64_t seed;
	const char *range;
	uint64_t size;
	const char *file;
	bool list;
};

static const struct fault_args fault_defaults = { .count = NOT_GIVEN,
						  .seed = NOT_GIVEN,
						  .size = NOT_GIVEN };

static const struct option_spec fault_add_options[] = {
	{ "kind", OPTION_CHOICE, offsetof(struct fault_args, kind), "KIND",
	  "flip a bit, lost, misdirected or torn write, bad place that gives a read error; or "
	  "resize, clone or roll back the image",
	  .choices = fault_words },
	{ "member", OPTION_TEXT, offsetof(struct fault_args, member), "MEMBER",
	  "which member; the one that the operand names unless given" },
	{ "count", OPTION_NUMBER, offsetof(struct fault_args, count), "N",
	  "how many blocks; one unless given" },
	{ "seed", OPTION_NUMBER, offsetof(struct fault_args, seed), "N",
	  "the same seed damages the same blocks; drawn and shown unless given" },
	{ "range", OPTION_TEXT, offsetof(struct fault_args, range), "FIRST-END",
	  "only in this range of the member's bytes; alone with bad: all of it" },
	{ "size", OPTION_SIZE, offsetof(struct fault_args, size), "SIZE",
	  "resize: how large the image becomes" },
	{ "file", OPTION_TEXT, offsetof(struct fault_args, file), "FILE",
	  "clone: the new file; rollback: the earlier clone" },
	{ "list", OPTION_FLAG, offsetof(struct fault_args, list), NULL,
	  "show every place that was damaged" },
	{ 0 },
};

static const struct option_spec fault_member_options[] = {
	{ "member", OPTION_TEXT, offsetof(struct fault_args, member), "MEMBER",
	  "only this member; all unless given, or the file that the operand names" },
	{ 0 },
};

/* What one `fault add` is about. */
struct faulting {
	const struct invocation *inv;
	struct array *array;
	uint32_t slot;
	uint64_t first, end; /* bytes of the member */
	uint64_t seed;
	bool show; /* every place */
	uint64_t done;
};

static const struct field fault_fields[] = {
	{ "member", FIELD_COUNT, "MEMBER" },
	{ "kind", FIELD_TEXT, "KIND" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_COUNT, "LENGTH" },
	{ "group", FIELD_COUNT, "GROUP" },
	{ "role", FIELD_TEXT, "ROLE" },
	{ 0 },
};

static bool is_directory(const char *path)
{
	struct stat facts;

	return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* ---- add */

static int range_parse(struct faulting *faulting, const char *text, struct err *err)
{
	const char *dash = text ? strchr(text, '-') : NULL;
	char first[UNITS_TEXT_SIZE];
	int rc;

	faulting->first = 0;
	faulting->end = UINT64_MAX;
	if (!text)
		return 0;
	if (!dash || (size_t)(dash - text) >= sizeof(first))
		return err_set(err, ERR_USAGE, "--range %s is not FIRST-END, as 1M-2M", text);
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	rc = units_parse(&faulting->first, first, err);
	if (rc == 0)
		rc = units_parse(&faulting->end, dash + 1, err);
	if (rc == 0 && faulting->first >= faulting->end)
		rc = err_set(err, ERR_USAGE, "--range %s is empty: END is not in it", text);
	return rc;
}

static int slot_find(struct faulting *faulting, struct err *err)
{
	const struct invocation *inv = faulting->inv;
	const struct fault_args *args = inv->args;
	const char *member = args->member;

	if (!member && !is_directory(inv->operands[0]))
		member = inv->operands[0];
	if (!member)
		return err_set(err, ERR_USAGE, "--member is missing: %s is a directory",
			       inv->operands[0]);
	return cli_member_find(&faulting->slot, inv, faulting->array, member, err);
}

static void place_show(struct faulting *faulting, uint64_t offset, uint64_t length,
		       const uint64_t *group, const char *role)
{
	const struct fault_args *args = faulting->inv->args;
	struct out *out = faulting->inv->out;

	faulting->done++;
	if (!faulting->show)
		return;
	out_number(out, faulting->slot);
	out_text(out, fault_words[args->kind]);
	out_number(out, offset);
	out_number(out, length);
	if (group)
		out_number(out, *group);
	else
		out_none(out);
	out_text(out, role);
}

static void injected_show(void *arg, uint64_t offset, uint64_t group, const char *role)
{
	place_show(arg, offset, BLOCK_SIZE, &group, role);
}

static int inject(struct faulting *faulting, struct err *err)
{
	const struct fault_args *args = faulting->inv->args;
	const struct inject_request request = {
		.kind = (enum inject_kind)args->kind,
		.slot = faulting->slot,
		.first = faulting->first,
		.end = faulting->end,
		.count = args->count == NOT_GIVEN ? 1 : (uint32_t)args->count,
		.seed = faulting->seed,
		.done = injected_show,
		.done_arg = faulting,
	};

	return inject_run(faulting->array, &request, err);
}

static int bad_add(struct faulting *faulting, uint64_t offset, uint64_t size, const uint64_t *group,
		   struct err *err)
{
	const struct fault fault = { .kind = FAULT_READ_ERROR, .offset = offset, .size = size };
	const char *path = cli_member_path(faulting->inv, faulting->slot);
	int rc = fault_file_add(path, &fault, err);

	if (rc == 0)
		place_show(faulting, offset, size, group, NULL);
	return rc;
}

/* The whole blocks of an extent's body that lie in the range. */
static uint64_t blocks_of_extent(const struct faulting *faulting, const struct extent *extent,
				 uint64_t *begin_out)
{
	uint64_t begin = extent_offset(array_map(faulting->array), extent, 0);
	uint64_t end = begin + (uint64_t)extent->body_blocks * BLOCK_SIZE;

	begin = size_max(begin, size_round_up(faulting->first, BLOCK_SIZE));
	end = size_min(end, faulting->end);
	end -= end % BLOCK_SIZE;
	*begin_out = begin;
	return begin < end ? (end - begin) / BLOCK_SIZE : 0;
}

/* Blocks of the member's extents that lie in the range; with `pick`, the one of that number. */
static uint64_t blocks_count(const struct faulting *faulting, uint64_t pick, uint64_t *offset_out,
			     uint64_t *group_out)
{
	const struct map *map = array_map(faulting->array);
	uint64_t count = 0;

	for (uint32_t i = 0; i < map->group_count; i++) {
		const struct group *group = map->groups[i];

		for (uint32_t column = 0; column < group->shape.columns; column++) {
			uint64_t begin, blocks;

			if (group->extents[column].slot != faulting->slot)
				continue;
			blocks = blocks_of_extent(faulting, &group->extents[column], &begin);
			if (pick >= count && pick - count < blocks) {
				*offset_out = begin + (pick - count) * BLOCK_SIZE;
				*group_out = group->id;
			}
			count += blocks;
		}
	}
	return count;
}

/* Random blocks that are in use; the same one may come twice. */
static int bad_scatter(struct faulting *faulting, uint64_t wanted, struct err *err)
{
	struct rng rng = rng_seeded(faulting->seed);
	uint64_t offset = 0, group = 0;
	uint64_t count = blocks_count(faulting, UINT64_MAX, &offset, &group);
	int rc = 0;

	if (count == 0)
		return err_set(err, ERR_STATE, "member %u holds no extents there", faulting->slot);
	for (uint64_t i = 0; rc == 0 && i < wanted; i++) {
		(void)blocks_count(faulting, rng_below(&rng, count), &offset, &group);
		rc = bad_add(faulting, offset, BLOCK_SIZE, &group, err);
	}
	return rc;
}

static int bad_run(struct faulting *faulting, struct err *err)
{
	const struct fault_args *args = faulting->inv->args;
	const struct dev *dev = array_dev(faulting->array, faulting->slot);
	uint64_t first = faulting->first - faulting->first % BLOCK_SIZE, end = faulting->end;

	if (!dev || !cli_member_path(faulting->inv, faulting->slot))
		return err_set(err, ERR_STATE, "member %u is not there", faulting->slot);
	if (!args->range || args->count != NOT_GIVEN)
		return bad_scatter(faulting, args->count == NOT_GIVEN ? 1 : args->count, err);
	if (end > dev_info(dev)->size)
		return err_set(err, ERR_SIZE,
			       "--range %s ends behind the member's %" PRIu64 " bytes", args->range,
			       dev_info(dev)->size);
	end += (BLOCK_SIZE - end % BLOCK_SIZE) % BLOCK_SIZE;
	return bad_add(faulting, first, end - first, NULL, err);
}

/* The image file as a whole. */
static int image_change(struct faulting *faulting, struct err *err)
{
	const struct fault_args *args = faulting->inv->args;
	const char *path = cli_member_path(faulting->inv, faulting->slot);

	if (!path)
		return err_set(err, ERR_STATE, "member %u is not there", faulting->slot);
	faulting->done = 1;
	if (args->kind == WORD_RESIZE)
		return image_resize(path, args->size, err);
	if (args->kind == WORD_CLONE)
		return image_clone(path, args->file, err);
	return image_roll_back(path, args->file, err);
}

static int fault_do(struct faulting *faulting, struct err *err)
{
	const struct fault_args *args = faulting->inv->args;

	if (args->kind > WORD_BAD)
		return image_change(faulting, err);
	return args->kind == WORD_BAD ? bad_run(faulting, err) : inject(faulting, err);
}

static int fault_add(struct faulting *faulting, struct err *err)
{
	const struct invocation *inv = faulting->inv;
	const struct fault_args *args = inv->args;
	int rc = slot_find(faulting, err);

	if (rc)
		return rc;
	if (faulting->show)
		out_list_begin(inv->out, "faults", fault_fields);
	rc = fault_do(faulting, err);
	if (faulting->show)
		out_list_end(inv->out);
	if (rc)
		return rc;
	out_value(inv->out, "member", faulting->slot);
	out_value_text(inv->out, "kind", fault_words[args->kind]);
	out_value(inv->out, "count", faulting->done);
	out_value(inv->out, "seed", faulting->seed);
	return 0;
}

/* An image as a whole is changed behind the array's back, whatever its state: without the lock. */
static enum access access_for(int kind)
{
	if (kind == WORD_BAD)
		return ACCESS_READ;
	return kind > WORD_BAD ? ACCESS_SALVAGE : ACCESS_WRITE;
}

static int fault_add_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct fault_args *args = inv->args;
	struct faulting faulting = { .inv = inv, .show = args->list || out_is_json(inv->out) };
	int rc;

	(void)verdict_out;
	if (args->kind >= WORD_BAD && inv->overlay)
		return err_set(err, ERR_UNSUPPORTED,
			       "--kind %s changes the image or what lies beside it, which an "
			       "overlay cannot keep",
			       fault_words[args->kind]);
	if (args->kind == WORD_RESIZE && args->size == NOT_GIVEN)
		return err_set(err, ERR_USAGE, "--kind resize needs --size SIZE");
	if (args->kind >= WORD_CLONE && !args->file)
		return err_set(err, ERR_USAGE, "--kind %s needs --file FILE",
			       fault_words[args->kind]);
	if (args->count == 0 || (args->count > COUNT_MAX && args->count != NOT_GIVEN))
		return err_set(err, ERR_LIMIT, "--count %" PRIu64 ": must be from 1 to %u",
			       args->count, COUNT_MAX);
	faulting.seed = args->seed;
	if (args->seed == NOT_GIVEN) {
		env_random(inv->env, &faulting.seed, sizeof(faulting.seed));
		faulting.seed >>= 32; /* short enough to type again */
	}
	rc = range_parse(&faulting, args->range, err);
	if (rc == 0)
		rc = cli_array_open(&faulting.array, inv, inv->operands[0], access_for(args->kind),
				    err);
	if (rc)
		return rc;
	rc = fault_add(&faulting, err);
	array_close(faulting.array);
	return rc;
}

/* ---- list and clear: lists of bad places beside images */

/* Call for every image that is meant: the file named, the member named, or all members. */
static int each_path(const struct invocation *inv,
		     int (*visit)(const struct invocation *inv, const char *path, struct err *err),
		     struct err *err)
{
	const struct fault_args *args = inv->args;
	struct array *array = NULL;
	uint32_t only = MEMBER_NONE;
	int rc;

	/* A file is its own answer: its array may be in no state to be opened. */
	if (!args->member && !is_directory(inv->operands[0]))
		return visit(inv, inv->operands[0], err);
	rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);
	if (rc)
		return rc;
	if (args->member)
		rc = cli_member_find(&only, inv, array, args->member, err);
	for (uint32_t i = 0; rc == 0 && i < array_map(array)->member_count; i++) {
		uint32_t slot = array_map(array)->members[i].slot;
		const char *path = cli_member_path(inv, slot);

		if (path && (only == MEMBER_NONE || only == slot))
			rc = visit(inv, path, err);
	}
	array_close(array);
	return rc;
}

static const struct field bad_fields[] = {
	{ "path", FIELD_TEXT, "IMAGE" },
	{ "kind", FIELD_TEXT, "KIND" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_COUNT, "LENGTH" },
	{ 0 },
};

static int list_path(const struct invocation *inv, const char *path, struct err *err)
{
	struct fault_list list = { 0 };
	int rc = fault_file_read(&list, path, err);

	for (size_t i = 0; rc == 0 && i < list.count; i++) {
		out_text(inv->out, path);
		out_text(inv->out, fault_words[WORD_BAD]);
		out_number(inv->out, list.at[i].offset);
		out_number(inv->out, list.at[i].size);
	}
	fault_list_reset(&list);
	return rc;
}

static int fault_list_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	int rc;

	(void)verdict_out;
	out_list_begin(inv->out, "faults", bad_fields);
	rc = each_path(inv, list_path, err);
	out_list_end(inv->out);
	return rc;
}

static int clear_path(const struct invocation *inv, const char *path, struct err *err)
{
	struct fault_list list = { 0 };
	struct err unreadable = { 0 };
	size_t count;
	int rc;

	/* A list that cannot be read is cleared all the same. */
	(void)!fault_file_read(&list, path, &unreadable);
	count = list.count;
	fault_list_reset(&list);
	rc = fault_file_clear(path, err);
	if (rc == 0 && count)
		out_line(inv->out, "%s: %zu bad places cleared", path, count);
	return rc;
}

static int fault_clear_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	(void)verdict_out;
	return each_path(inv, clear_path, err);
}

static const char *const add_details[] = {
	"flip, lost, misdirect and torn change blocks of extents in use on the medium, and so "
	"destroy what was there. bad leaves an image as it is and lists bad places in IMAGE.faults "
	"beside it: every pgctl command then meets read errors there, until the place is written.",
	"resize makes the image shorter or longer, clone copies it to --file (beside the others it "
	"is a duplicate), rollback brings the image back to such a clone.",
	NULL,
};
static const char *const add_examples[] = {
	"pgctl fault add tank/ --member 2 --kind flip --count 5 --seed 7 --list",
	"pgctl fault add d1.img --kind bad --range 4M-5M",
	"pgctl fault add tank/ --member 1 --kind clone --file /var/tmp/d1.before",
	NULL,
};

static const struct command verb_add = {
	.name = "add",
	.summary = "damage a member",
	.group = GROUP_QUESTIONS,
	.flags = COMMAND_WRITES,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = fault_add_options,
	.args_size = sizeof(struct fault_args),
	.defaults = &fault_defaults,
	.details = add_details,
	.examples = add_examples,
	.run = fault_add_run,
};
static const struct command verb_list = {
	.name = "list",
	.summary = "list the bad places of images",
	.group = GROUP_QUESTIONS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = fault_member_options,
	.args_size = sizeof(struct fault_args),
	.defaults = &fault_defaults,
	.run = fault_list_run,
};
static const struct command verb_clear = {
	.name = "clear",
	.summary = "take the bad places of images away",
	.group = GROUP_QUESTIONS,
	.flags = COMMAND_WRITES | COMMAND_NO_OVERLAY,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = fault_member_options,
	.args_size = sizeof(struct fault_args),
	.defaults = &fault_defaults,
	.run = fault_clear_run,
};

static const struct command *const fault_verbs[] = { &verb_add, &verb_list, &verb_clear, NULL };
static const char *const fault_examples[] = {
	"pgctl write tank/ disk.img --fault crash,at=17,torn < new.bin",
	"pgctl scrub tank/ --repair --fault write-error,member=2,at=3",
	NULL,
};
static const char *const fault_details[] = {
	"ARRAY may be one image: then that member is meant.",
	"What fails only while one command runs is said with its option --fault "
	"KIND[,member=SLOT][,at=N][,count=N][,range=FIRST-END][,shift=SIZE][,delay=MS][,seed=N][,"
	"torn]; "
	"it may be repeated. The N-th operation that KIND fits fails, and count - 1 after it; both "
	"are 1 unless given, count=0 is for ever. Operations of each member count by themselves.",
	"KIND: read-error, write-error, flush-error, no-space, short (half of it is done, then an "
	"error), latency and hang (delay; hang then fails, or at --member-timeout), disconnect "
	"(everything fails from "
	"there on), flip-read and flip-write (one bit, by seed), stale-read (what was there "
	"before), lost-write, misdirected-read and misdirected-write (by shift), torn-write, "
	"lying-flush (from the N-th on nothing becomes durable, and is gone when the command "
	"ends).",
	"crash: the process dies, as by kill -9, in place of the N-th write or flush of all "
	"members together; with torn the first half of that write lands. power-cut: the same, and "
	"of all that was not flushed each 512-byte sector lands or is lost, by seed.",
	NULL,
};

const struct command cmd_fault = {
	.name = "fault",
	.summary = "damage members on purpose, list and clear it",
	.group = GROUP_QUESTIONS,
	.details = fault_details,
	.examples = fault_examples,
	.verbs = fault_verbs,
};

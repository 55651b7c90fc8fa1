/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/create_md.h"

#include "cli/new_member.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "core/base/mem.h"
#include "core/env/env.h"
#include "formats/md_create.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define MISSING "missing" /* in place of a member, as with mdadm */
#define NS_PER_S UINT64_C(1000000000)

const char *const create_md_formats[] = { "md-0.90", "md-1.0", "md-1.1", "md-1.2", NULL };

_Static_assert(MD_METADATA_0_90 == 0 && MD_METADATA_1_0 == 1 && MD_METADATA_1_1 == 2 &&
		       MD_METADATA_1_2 == 3,
	       "the words follow enum md_metadata");

static bool is_one_of(const char *const *names, const char *name)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static bool is_given(const struct invocation *inv, const struct option_spec *option)
{
	const uint8_t *args = inv->args, *defaults = inv->command->defaults;

	return memcmp(args + option->offset, defaults + option->offset,
		      option_value_size(option->kind)) != 0;
}

int create_md_check(const struct invocation *inv, const struct create_md_args *args,
		    struct err *err)
{
	static const char *const of_both[] = { "size", "chunk", "spare", NULL };
	static const char *const of_md[] = { "format", "level", "order", "bitmap", NULL };
	bool native = args->format == CREATE_NATIVE;

	for (const struct option_spec *option = inv->command->options; option->name; option++) {
		bool fits = is_one_of(of_both, option->name) ||
			    is_one_of(of_md, option->name) != native;

		if (fits || !is_given(inv, option))
			continue;
		if (native) {
			err_set(err, ERR_USAGE, "--%s is an option of MD arrays", option->name);
			return err_hint(err, "add --format md-1.2, or leave --%s out",
					option->name);
		}
		err_set(err, ERR_USAGE, "--%s is an option of native arrays, not of --format %s",
			option->name, create_md_formats[args->format]);
		return err_hint(err, "leave --%s out: MD arrays have --level, --order, --chunk",
				option->name);
	}
	return 0;
}

/* What one run needs, on the heap for its size. */
struct md_work {
	const struct invocation *inv;
	const struct create_md *create;
	struct new_members members;
	uint32_t slots; /* operands behind the name */
	uint32_t count; /* and spares */
	uint64_t sizes[2 * MEMBERS_MAX];
	struct md_create_target targets[2 * MEMBERS_MAX];
	const struct new_member *of[2 * MEMBERS_MAX]; /* NULL: missing */
	struct md_create_request request;
	struct md_create_plan plan;
	uint64_t begin_ns;
};

static int level_fill(struct md_work *work, struct err *err)
{
	const struct create_md_args *args = work->create->args;
	struct md_shape *shape = &work->request.shape;

	if (!args->level) {
		err_set(err, ERR_USAGE, "--format %s needs a --level",
			create_md_formats[args->format]);
		return err_hint(err, "add --level linear, 0, 1, 4, 5, 6 or 10");
	}
	if (!md_level_named(&shape->level, args->level)) {
		err_set(err, ERR_USAGE, "--level %s: no level of MD arrays", args->level);
		return err_hint(err, "levels: linear, 0, 1, 4, 5, 6, 10");
	}
	shape->layout = md_create_layout(shape->level);
	if (args->order && !md_layout_named(&shape->layout, shape->level, args->order)) {
		err_set(err, ERR_USAGE, "--order %s: no order of %s", args->order,
			md_level_name(shape->level));
		return err_hint(err, "orders: left-symmetric and others of levels 5 and 6, near=2, "
				     "far=2, offset=2 of 10, original, alternate of 0");
	}
	work->request.raid0_layout = args->order && shape->level == MD_RAID0;
	return 0;
}

static int shape_fill(struct md_work *work, struct err *err)
{
	struct md_shape *shape = &work->request.shape;
	uint64_t chunk = work->create->chunk;
	int rc = level_fill(work, err);

	if (rc)
		return rc;
	shape->chunk_bytes = md_create_chunk(shape->level);
	if (chunk && shape->chunk_bytes == 0)
		return err_set(err, ERR_USAGE, "--chunk: %s has no chunks",
			       md_level_name(shape->level));
	if (chunk)
		shape->chunk_bytes = chunk;
	if (work->inv->operand_count - 1 > MEMBERS_MAX || work->create->spares->count > MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %u members", MEMBERS_MAX);
	work->slots = (uint32_t)work->inv->operand_count - 1;
	work->count = work->slots + (uint32_t)work->create->spares->count;
	shape->raid_disks = work->slots;
	return 0;
}

static void request_fill(struct md_work *work)
{
	struct env *env = work->inv->env;
	struct md_create_request *request = &work->request;
	uint8_t random[16];

	request->metadata = (enum md_metadata)work->create->args->format;
	request->bitmap = work->create->args->bitmap;
	request->name = work->inv->operands[0];
	request->now_s = env_clock_s(env);
	request->sizes = work->sizes;
	request->spare_count = work->count - work->slots;
	env_random(env, random, sizeof(random));
	request->uuid = uuid_from_random(random);
	for (uint32_t i = 0; i < work->count; i++) {
		env_random(env, random, sizeof(random));
		work->targets[i].device = uuid_from_random(random);
	}
}

static int members_open(struct md_work *work, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < work->count; i++) {
		bool spare = i >= work->slots;
		const char *path = spare ? work->create->spares->at[i - work->slots]
					 : work->inv->operands[1 + i];

		if (!spare && strcmp(path, MISSING) == 0)
			continue;
		rc = new_members_open(&work->members, work->inv, path, work->create->size, err);
		if (rc)
			break;
		const struct new_member *member = &work->members.at[work->members.count - 1];

		work->of[i] = member;
		work->targets[i].dev = member->dev;
		work->targets[i].is_zero = !member->existed;
		work->sizes[i] = dev_info(member->dev)->size;
		new_member_number(member, work->inv, i);
	}
	return rc;
}

static const struct field member_fields[] = {
	{ "slot", FIELD_COUNT, "SLOT" },  { "path", FIELD_TEXT, "PATH" },
	{ "size", FIELD_BYTES, "SIZE" },  { "spare", FIELD_FLAG, "SPARE" },
	{ "created", FIELD_FLAG, "NEW" }, { 0 },
};

/* A slot that is missing has no path. */
static void members_show(struct out *out, const struct md_work *work)
{
	out_list_begin(out, "members", member_fields);
	for (uint32_t i = 0; i < work->count; i++) {
		const struct new_member *member = work->of[i];

		out_number(out, i);
		out_text(out, member ? member->path : NULL);
		if (member)
			out_number(out, work->sizes[i]);
		else
			out_none(out);
		out_flag(out, i >= work->slots);
		out_flag(out, member && !member->existed);
	}
	out_list_end(out);
}

static void array_show(const struct md_work *work)
{
	const struct md_create_plan *plan = &work->plan;
	struct out *out = work->inv->out;
	char uuid[MD_UUID_TEXT_SIZE], layout[MD_LAYOUT_NAME_SIZE];
	uint64_t raw = 0;

	md_uuid_text(uuid, &work->request.uuid);
	md_layout_name(layout, plan->shape.level, plan->shape.layout);
	out_object_begin(out, "array");
	out_value_text(out, "name", work->request.name);
	out_value_text(out, "uuid", plan_only(work->inv) ? NULL : uuid);
	out_value_text(out, "metadata", md_metadata_name(work->request.metadata));
	out_value_text(out, "level", md_level_name(plan->shape.level));
	out_value_text(out, "layout_name", layout[0] ? layout : NULL);
	if (plan->shape.chunk_bytes)
		out_value_bytes(out, "chunk", plan->shape.chunk_bytes);
	out_value(out, "raid_disks", plan->shape.raid_disks);
	out_value_bytes(out, "data_offset", plan->data_offset * MD_SECTOR);
	if (plan->bitmap_chunk_bytes)
		out_value_bytes(out, "bitmap_chunk", plan->bitmap_chunk_bytes);
	out_object_end(out);
	for (uint32_t i = 0; i < work->count; i++)
		raw += work->sizes[i];
	out_object_begin(out, "capacity");
	out_value_bytes(out, "raw", raw);
	out_value_bytes(out, "usable", plan->array_bytes);
	out_object_end(out);
	members_show(out, work);
}

/* Report, keep to the rate, and ask whether to go on. */
static bool zero_watch(void *arg, uint64_t done, uint64_t total)
{
	const struct md_work *work = arg;
	const struct job_watch *watch = &work->inv->watch;
	struct job_progress progress = {
		.kind = "create", .done = done, .total = total, .bytes_written = done
	};

	if (watch->progress)
		watch->progress(watch->arg, &progress);
	if (watch->rate_max) {
		uint64_t due =
			(uint64_t)((double)done / (double)watch->rate_max * (double)NS_PER_S);
		uint64_t now = env_now_ns(work->inv->env) - work->begin_ns;

		if (due > now)
			env_sleep_ns(work->inv->env, due - now);
	}
	return !watch->stop || !watch->stop(watch->arg);
}

static void words_warn(const struct md_work *work)
{
	if (work->request.metadata == MD_METADATA_0_90)
		out_warn(work->inv->out, "format 0.90 has no room for the name \"%s\"",
			 work->request.name);
}

static int plan_or_make(struct md_work *work, struct err *err)
{
	int rc;

	new_members_show(&work->members, work->inv);
	words_warn(work);
	if (plan_only(work->inv)) {
		const struct plan_row rows[] = {
			{ "zeros", md_create_zero_bytes(&work->plan, work->targets) },
			{ "super and bitmap", work->plan.super_bytes },
		};

		array_show(work);
		plan_show(work->inv, rows, sizeof(rows) / sizeof(rows[0]));
		return 0;
	}
	work->begin_ns = env_now_ns(work->inv->env);
	rc = md_create_write(&work->plan, work->targets, zero_watch, work, err);
	if (rc)
		return rc;
	array_show(work);
	new_members_keep(&work->members);
	return 0;
}

int create_md_run(const struct invocation *inv, const struct create_md *create, struct err *err)
{
	struct md_work *work = mem_calloc(1, sizeof(*work));
	int rc;

	if (!work)
		return err_set(err, ERR_NOMEM, "no memory");
	work->inv = inv;
	work->create = create;
	rc = shape_fill(work, err);
	if (rc == 0) {
		request_fill(work);
		rc = members_open(work, err);
	}
	if (rc == 0)
		rc = md_create_plan(&work->plan, &work->request, err);
	if (rc == 0)
		rc = plan_or_make(work, err);
	new_members_close(&work->members);
	mem_free(work);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/detect_native.h"

#include "cli/output.h"
#include "cli/problem.h"
#include "core/base/text.h"

#include <string.h>

#define LOOK_BYTES (UINT64_C(256) << 20) /* of an image without superblocks */

static const struct field native_fields[] = {
	{ "array", FIELD_TEXT, "NATIVE ARRAY" },
	{ "name", FIELD_TEXT, "NAME" },
	{ "members", FIELD_COUNT, "MEMBERS" },
	{ "without_superblock", FIELD_COUNT, "WITHOUT SUPERBLOCK" },
	{ "volumes", FIELD_LIST, "VOLUMES" },
	{ "try", FIELD_TEXT, "TRY" },
	{ 0 },
};
static const struct field volume_fields[] = { { "volume", FIELD_TEXT, "" }, { 0 } };

static const struct uuid *array_of(const struct native *native)
{
	return native->probe.valid_slots ? &native->probe.array : &native->seals.array;
}

static const struct uuid *member_of(const struct native *native)
{
	return native->probe.valid_slots ? &native->probe.member : &native->seals.member;
}

int native_look(bool *is_out, struct native_vec *natives, const char *path, struct dev *dev,
		struct err *err)
{
	struct native native = { .path = path, .dev = dev, .slot = NATIVE_SLOT_NONE };
	int rc = array_probe(&native.probe, dev, err);

	*is_out = false;
	if (rc)
		return rc;
	if (native.probe.valid_slots)
		native.slot = native.probe.slot;
	else
		rc = seal_find_run(&native.seals, dev, LOOK_BYTES, err);
	if (rc)
		return rc;
	if (native.probe.valid_slots == 0 && native.seals.places.count == 0)
		return 0;
	if (native_vec_push(natives, native)) {
		seal_find_reset(&native.seals);
		return err_set(err, ERR_NOMEM, "no memory for what is known");
	}
	*is_out = true;
	return 0;
}

/* ---- numbers */

static void number_by(struct native_vec *natives, const struct map *map)
{
	for (size_t i = 0; i < natives->count; i++) {
		struct native *native = &natives->at[i];

		for (uint32_t m = 0; m < map->member_count; m++) {
			if (native->slot == NATIVE_SLOT_NONE &&
			    uuid_equal(&map->members[m].uuid, member_of(native)))
				native->slot = map->members[m].slot;
		}
	}
}

/* The devices of one array that say whose they are; taken from those that have them. */
static uint32_t devs_take(struct dev **devs, struct native_vec *natives, size_t first)
{
	uint32_t count = 0;

	for (size_t i = first; i < natives->count && count < MEMBERS_MAX; i++) {
		struct native *native = &natives->at[i];

		if (!native->dev || !native->probe.valid_slots ||
		    !uuid_equal(array_of(native), array_of(&natives->at[first])))
			continue;
		devs[count++] = native->dev;
		native->dev = NULL;
	}
	return count;
}

void natives_number(struct native_vec *natives, const struct invocation *inv)
{
	for (size_t i = 0; i < natives->count; i++) {
		struct dev *devs[MEMBERS_MAX];
		struct array_open_request request = {
			.env = inv->env,
			.devs = devs,
			.access = ARRAY_READ,
			.salvage = true,
			.leave_log = true,
		};
		struct array *array = NULL;
		struct err why = { 0 };

		if (!natives->at[i].dev || !natives->at[i].probe.valid_slots)
			continue;
		request.dev_count = devs_take(devs, natives, i);
		if (array_open(&array, &request, &why) == 0) {
			number_by(natives, array_map(array));
			array_close(array);
			continue;
		}
		/* Where it does not open, nobody knows the others' numbers. */
		for (uint32_t d = 0; d < request.dev_count; d++)
			dev_close(devs[d]);
	}
}

/* ---- what is shown */

void natives_show_known(const struct native_vec *natives, const struct invocation *inv)
{
	struct out *out = inv->out;

	for (size_t i = 0; i < natives->count; i++) {
		const struct native *native = &natives->at[i];
		const char *state = native->probe.damage.code ? "damaged" : "whole";

		out_text(out, native->path);
		out_text(out, "pgctl");
		out_uuid(out, array_of(native));
		if (native->slot == NATIVE_SLOT_NONE)
			out_none(out);
		else
			out_number(out, native->slot);
		out_text(out, native->probe.valid_slots ? state : "none");
		if (native->probe.valid_slots)
			out_none(out);
		else
			out_number(out, native->seals.places.count);
	}
}

/* The command: what has a superblock opens, and the seals of the others are read by a rebuild of the map. */
static void print_try(struct text *text, const struct native_vec *natives, size_t first,
		      uint32_t silent)
{
	const struct native *head = &natives->at[first];

	for (size_t i = first; i < natives->count; i++) {
		if (natives->at[i].probe.valid_slots && !head->probe.valid_slots &&
		    uuid_equal(array_of(&natives->at[i]), array_of(head)))
			head = &natives->at[i];
	}
	text_add(text, "pgctl %s ", silent ? "check" : "status");
	problem_quote(text, head->path);
	if (!silent)
		return;
	text_add(text, " --rebuild-map --plan");
	for (size_t i = first; i < natives->count; i++) {
		const struct native *other = &natives->at[i];

		if (other == head || !uuid_equal(array_of(other), array_of(head)))
			continue;
		text_add(text, " --member ");
		problem_quote(text, other->path);
	}
}

/* Names of volumes that the seals of silent members give, each once. */
static void show_volumes(struct out *out, const struct native_vec *natives,
			 const struct uuid *array)
{
	const char *names[SEAL_FIND_VOLUMES];
	uint32_t count = 0;

	out_list_begin(out, "volumes", volume_fields);
	for (size_t i = 0; i < natives->count; i++) {
		const struct seal_place_vec *places = &natives->at[i].seals.places;

		if (!uuid_equal(array_of(&natives->at[i]), array))
			continue;
		for (size_t p = 0; p < places->count && count < SEAL_FIND_VOLUMES; p++) {
			const char *name = places->at[p].name;
			uint32_t k = 0;

			while (k < count && strcmp(names[k], name) != 0)
				k++;
			if (k < count || !name[0])
				continue;
			names[count++] = name;
			out_text(out, name);
		}
	}
	out_list_end(out);
}

static void show_array(struct out *out, const struct native_vec *natives, size_t first)
{
	const struct uuid *array = array_of(&natives->at[first]);
	uint32_t members = 0, silent = 0;
	const char *name = NULL;
	struct text text = { 0 };

	for (size_t i = first; i < natives->count; i++) {
		const struct native *native = &natives->at[i];

		if (!uuid_equal(array_of(native), array))
			continue;
		members++;
		silent += !native->probe.valid_slots;
		if (native->probe.valid_slots)
			name = native->probe.name;
	}
	print_try(&text, natives, first, silent);
	out_uuid(out, array);
	out_text(out, name);
	out_number(out, members);
	out_number(out, silent);
	show_volumes(out, natives, array);
	out_text(out, text.failed ? NULL : text.chars);
	text_reset(&text);
}

void natives_show_arrays(const struct native_vec *natives, const struct invocation *inv)
{
	out_list_begin(inv->out, "native", native_fields);
	for (size_t i = 0; i < natives->count; i++) {
		bool seen = false;

		for (size_t j = 0; j < i && !seen; j++)
			seen = uuid_equal(array_of(&natives->at[j]), array_of(&natives->at[i]));
		if (!seen)
			show_array(inv->out, natives, i);
	}
	out_list_end(inv->out);
}

void natives_reset(struct native_vec *natives)
{
	for (size_t i = 0; i < natives->count; i++) {
		dev_close(natives->at[i].dev);
		seal_find_reset(&natives->at[i].seals);
	}
	native_vec_reset(natives);
}

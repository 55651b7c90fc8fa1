/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/layout_file.h"

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/rng.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define SECTOR 512u

static const char *const level_names[LAYOUT_LEVELS] = {
	[LAYOUT_LINEAR] = "linear", [LAYOUT_RAID0] = "raid0", [LAYOUT_RAID1] = "raid1",
	[LAYOUT_RAID4] = "raid4",   [LAYOUT_RAID5] = "raid5", [LAYOUT_RAID6] = "raid6",
	[LAYOUT_RAID10] = "raid10",
};

const char *layout_level_name(enum layout_level level)
{
	return level_names[level];
}

bool layout_file_is(const void *bytes, size_t size)
{
	const char *at = bytes;
	size_t blank = 0;

	while (blank < size &&
	       (at[blank] == ' ' || at[blank] == '\n' || at[blank] == '\t' || at[blank] == '\r'))
		blank++;
	return blank < size && at[blank] == '{' &&
	       memmem(bytes, size, "pgctl.layout/", sizeof("pgctl.layout/") - 1) != NULL;
}

/* ---- reading */

struct reading {
	struct layout_file *layout;
	const char *name; /* of the file */
	struct err *err;
};

static int refuse(const struct reading *reading, const char *key, const char *why)
{
	return err_set(reading->err, ERR_FORMAT, "%s: %s: %s", reading->name, key, why);
}

/* A whole number from `least` to `most`; `number_out` stays when the key is not there. */
static int read_number(const struct reading *reading, const json_t *object, const char *key,
		       uint64_t least, uint64_t most, uint64_t *number_out)
{
	const json_t *value = json_object_get(object, key);
	json_int_t number;

	if (!value)
		return 0;
	if (!json_is_integer(value))
		return refuse(reading, key, "is no whole number");
	number = json_integer_value(value);
	if (number < 0 || (uint64_t)number < least || (uint64_t)number > most)
		return err_set(reading->err, ERR_LIMIT,
			       "%s: %s: %" PRId64 " is not within %" PRIu64 " to %" PRIu64,
			       reading->name, key, (int64_t)number, least, most);
	*number_out = (uint64_t)number;
	return 0;
}

static int read_offset(const struct reading *reading, const json_t *object, uint64_t *offset)
{
	int rc = read_number(reading, object, "offset", 0, LAYOUT_BYTES_MAX, offset);

	if (rc == 0 && *offset % SECTOR)
		rc = refuse(reading, "offset", "is no multiple of 512");
	return rc;
}

/* Every key must be one of these: a wrong word in a file written by hand would else be passed over. */
static int check_keys(const struct reading *reading, json_t *object, const char *const *known)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		const char *const *one = known;

		while (*one && strcmp(*one, key) != 0)
			one++;
		if (!*one)
			return refuse(reading, key, "no such key");
	}
	return 0;
}

static int read_name(const struct reading *reading, const json_t *root)
{
	const json_t *name = json_object_get(root, "name");
	const char *text = name ? json_string_value(name) : "data";
	int rc;

	if (!text || strlen(text) != (name ? json_string_length(name) : strlen(text)))
		return refuse(reading, "name", "is no text");
	rc = map_name_check(text, reading->err);
	if (rc)
		return err_prefix(reading->err, "%s: name", reading->name);
	memcpy(reading->layout->name, text, strlen(text) + 1);
	return 0;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Five groups of hexadecimal digits; none: one made of the text, the same for the same text. */
static int read_uuid(const struct reading *reading, const json_t *root, uint32_t seed)
{
	const json_t *value = json_object_get(root, "uuid");
	const char *text = value ? json_string_value(value) : NULL;
	struct uuid *uuid = &reading->layout->uuid;
	struct rng rng = rng_seeded(seed);
	uint32_t digits = 0;

	for (uint32_t i = 0; i < 16; i++)
		uuid->bytes[i] = (uint8_t)rng_next(&rng);
	*uuid = uuid_from_random(uuid->bytes);
	reading->layout->uuid_given = value != NULL;
	if (!value)
		return 0;
	if (!text || strlen(text) != UUID_TEXT_SIZE - 1)
		return refuse(reading, "uuid", "is no uuid");
	for (; *text; text++) {
		int digit = digit_of(*text);

		if (*text == '-')
			continue;
		if (digit < 0 || digits == 32)
			return refuse(reading, "uuid", "is no uuid");
		uuid->bytes[digits / 2] =
			(uint8_t)(digits % 2 ? uuid->bytes[digits / 2] | digit : digit << 4);
		digits++;
	}
	return digits == 32 ? 0 : refuse(reading, "uuid", "is no uuid");
}

static int read_level(const struct reading *reading, const json_t *root)
{
	const char *text = json_string_value(json_object_get(root, "level"));

	for (uint32_t i = 0; text && i < LAYOUT_LEVELS; i++) {
		if (strcmp(level_names[i], text) == 0) {
			reading->layout->level = (enum layout_level)i;
			return 0;
		}
	}
	return refuse(reading, "level",
		      "is none of linear, raid0, raid1, raid4, raid5, raid6, raid10");
}

/* The order of parity: MD's default where nothing is said. */
static int read_order(const struct reading *reading, const json_t *root)
{
	const json_t *value = json_object_get(root, "order");
	struct layout_file *layout = reading->layout;

	layout->order = layout->level == LAYOUT_RAID4 ? ORDER_PARITY_LAST : ORDER_LEFT_SYMMETRIC;
	if (!value)
		return 0;
	if (layout->level < LAYOUT_RAID4 || layout->level > LAYOUT_RAID6)
		return refuse(reading, "order", "only raid4, raid5 and raid6 have one");
	if (!json_is_string(value))
		return refuse(reading, "order", "is no text");
	layout->order = parity_order_named(json_string_value(value));
	if (layout->order == ORDER_COUNT)
		return refuse(reading, "order", "is none that is known");
	return 0;
}

static int read_copies(const struct reading *reading, const json_t *root)
{
	static const char *const keys[] = { "near", "far", "offset_copies" };
	struct layout_file *layout = reading->layout;
	const json_t *offset = json_object_get(root, "offset_copies");
	uint64_t near = 1, far = 1;
	int rc;

	for (uint32_t i = 0; layout->level != LAYOUT_RAID10 && i < 3; i++) {
		if (json_object_get(root, keys[i]))
			return refuse(reading, keys[i], "only raid10 has it");
	}
	if (layout->level == LAYOUT_RAID10 && !json_object_get(root, "near") &&
	    !json_object_get(root, "far"))
		near = 2;
	rc = read_number(reading, root, "near", 1, RULE_MEMBERS_MAX, &near);
	if (rc == 0)
		rc = read_number(reading, root, "far", 1, RULE_MEMBERS_MAX, &far);
	if (rc)
		return rc;
	if (offset && !json_is_boolean(offset))
		return refuse(reading, "offset_copies", "is neither true nor false");
	layout->near = (uint32_t)near;
	layout->far = (uint32_t)far;
	layout->offset_copies = json_is_true(offset);
	return 0;
}

static int read_chunk(const struct reading *reading, const json_t *root)
{
	struct layout_file *layout = reading->layout;
	int rc = read_number(reading, root, "chunk", BLOCK_SIZE, LAYOUT_CHUNK_MAX, &layout->chunk);

	if (rc)
		return rc;
	if (layout->chunk % BLOCK_SIZE)
		return refuse(reading, "chunk", "is no multiple of 4096");
	if (layout->level == LAYOUT_LINEAR || layout->level == LAYOUT_RAID1)
		return layout->chunk ? refuse(reading, "chunk", "linear and raid1 have none") : 0;
	return layout->chunk ? 0 : refuse(reading, "chunk", "is missing");
}

/* null, a path, or an object with a path or "missing", and an offset of its own. */
static int read_member(const struct reading *reading, json_t *value, uint64_t offset)
{
	static const char *const known[] = { "path", "missing", "offset", NULL };
	struct layout_file *layout = reading->layout;
	struct layout_member *member = &layout->members[layout->member_count];
	const json_t *path = json_is_object(value) ? json_object_get(value, "path") : value;
	const json_t *missing = json_is_object(value) ? json_object_get(value, "missing") : NULL;
	int rc;

	member->offset = offset;
	if (json_is_object(value)) {
		rc = check_keys(reading, value, known);
		if (rc == 0)
			rc = read_offset(reading, value, &member->offset);
		if (rc)
			return rc;
	}
	if (missing && !json_is_boolean(missing))
		return refuse(reading, "missing", "is neither true nor false");
	if (json_is_null(value) || json_is_true(missing)) {
		if (json_is_string(path))
			return refuse(reading, "missing", "a missing member has no path");
		layout->member_count++;
		return 0;
	}
	if (!json_is_string(path) || json_string_length(path) == 0 ||
	    strlen(json_string_value(path)) != json_string_length(path))
		return refuse(reading, "members", "one has neither a path nor is it missing");
	member->path = mem_strdup(json_string_value(path));
	if (!member->path)
		return err_set(reading->err, ERR_NOMEM, "%s: no memory", reading->name);
	layout->member_count++;
	return 0;
}

static int read_members(const struct reading *reading, const json_t *root)
{
	const json_t *members = json_object_get(root, "members");
	uint64_t offset = 0;
	int rc = read_offset(reading, root, &offset);

	if (rc)
		return rc;
	if (!json_is_array(members) || json_array_size(members) == 0 ||
	    json_array_size(members) > MEMBERS_MAX)
		return err_set(reading->err, ERR_FORMAT,
			       "%s: members: is no list of 1 to %u members", reading->name,
			       MEMBERS_MAX);
	for (size_t i = 0; rc == 0 && i < json_array_size(members); i++)
		rc = read_member(reading, json_array_get(members, i), offset);
	return rc;
}

static int check_rule(const struct reading *reading)
{
	const struct layout_file *layout = reading->layout;
	struct rule rule = {
		.unit_blocks = (uint32_t)(layout->chunk / BLOCK_SIZE),
		.members = layout->member_count,
		.kind = layout->level == LAYOUT_RAID10 ? RULE_COPIES : RULE_TURNED_PARITY,
		.order = layout->order,
		.checks = layout->level == LAYOUT_RAID6 ? 2 : 1,
		.near = layout->near,
		.far = layout->far,
		.offset = layout->offset_copies,
		.far_set = layout->member_count,
		.far_stride_units = 1,
	};

	if (layout->level < LAYOUT_RAID4)
		return 0;
	return rule_check(&rule, reading->err) ? err_prefix(reading->err, "%s", reading->name) : 0;
}

static int read_root(const struct reading *reading, json_t *root, uint32_t seed)
{
	static const char *const known[] = { "schema",  "name",          "uuid",  "level", "order",
					     "near",    "far",           "chunk", "size",  "offset",
					     "members", "offset_copies", NULL };
	const char *schema = json_string_value(json_object_get(root, "schema"));
	int rc;

	if (!json_is_object(root) || !schema)
		return refuse(reading, "schema", "is missing");
	if (strcmp(schema, LAYOUT_SCHEMA) != 0)
		return err_set(reading->err, ERR_VERSION, "%s: schema %s, can read %s",
			       reading->name, schema, LAYOUT_SCHEMA);
	rc = check_keys(reading, root, known);
	if (rc == 0)
		rc = read_name(reading, root);
	if (rc == 0)
		rc = read_uuid(reading, root, seed);
	if (rc == 0)
		rc = read_level(reading, root);
	if (rc == 0)
		rc = read_order(reading, root);
	if (rc == 0)
		rc = read_copies(reading, root);
	if (rc == 0)
		rc = read_chunk(reading, root);
	if (rc == 0)
		rc = read_number(reading, root, "size", BLOCK_SIZE, LAYOUT_BYTES_MAX,
				 &reading->layout->size);
	if (rc == 0)
		rc = read_members(reading, root);
	return rc ? rc : check_rule(reading);
}

int layout_file_parse(struct layout_file *layout_out, const char *text, size_t size,
		      const char *name, struct err *err)
{
	struct layout_file layout = { 0 };
	const struct reading reading = { &layout, name, err };
	json_error_t where;
	json_t *root;
	int rc;

	if (size > LAYOUT_FILE_SIZE_MAX)
		return err_set(err, ERR_LIMIT, "%s: more than %u bytes", name,
			       LAYOUT_FILE_SIZE_MAX);
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return err_set(err, ERR_FORMAT, "%s: line %d: %s", name, where.line, where.text);
	rc = read_root(&reading, root, crc32_of(0, text, size));
	json_decref(root);
	if (rc)
		layout_file_reset(&layout);
	else
		*layout_out = layout;
	return rc;
}

void layout_file_reset(struct layout_file *layout)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		mem_free(layout->members[i].path);
	memset(layout, 0, sizeof(*layout));
}

/* ---- writing */

/* A JSON string; bytes that are no UTF-8 cannot be told in JSON, and are refused when read again. */
static void print_text(struct text *text, const char *value)
{
	text_add(text, "\"");
	for (const char *at = value; *at; at++) {
		if (*at == '"' || *at == '\\')
			text_add(text, "\\%c", *at);
		else if ((unsigned char)*at < 32)
			text_add(text, "\\u%04x", (unsigned char)*at);
		else
			text_add(text, "%c", *at);
	}
	text_add(text, "\"");
}

static void print_members(const struct layout_file *layout, struct text *text)
{
	text_add(text, "  \"members\": [\n");
	for (uint32_t i = 0; i < layout->member_count; i++) {
		const struct layout_member *member = &layout->members[i];

		text_add(text, "    { ");
		if (member->path) {
			text_add(text, "\"path\": ");
			print_text(text, member->path);
		} else {
			text_add(text, "\"missing\": true");
		}
		text_add(text, ", \"offset\": %" PRIu64 " }%s\n", member->offset,
			 i + 1 < layout->member_count ? "," : "");
	}
	text_add(text, "  ]\n}\n");
}

void layout_file_print(const struct layout_file *layout, struct text *text)
{
	char uuid[UUID_TEXT_SIZE];

	text_add(text, "{\n  \"schema\": \"%s\",\n  \"name\": ", LAYOUT_SCHEMA);
	print_text(text, layout->name);
	uuid_text(uuid, &layout->uuid);
	text_add(text, ",\n  \"uuid\": \"%s\",\n  \"level\": \"%s\",\n", uuid,
		 level_names[layout->level]);
	if (layout->level >= LAYOUT_RAID4 && layout->level <= LAYOUT_RAID6)
		text_add(text, "  \"order\": \"%s\",\n", parity_order_name(layout->order));
	if (layout->level == LAYOUT_RAID10)
		text_add(text,
			 "  \"near\": %" PRIu32 ",\n  \"far\": %" PRIu32
			 ",\n  \"offset_copies\": %s,\n",
			 layout->near, layout->far, layout->offset_copies ? "true" : "false");
	if (layout->chunk)
		text_add(text, "  \"chunk\": %" PRIu64 ",\n", layout->chunk);
	if (layout->size)
		text_add(text, "  \"size\": %" PRIu64 ",\n", layout->size);
	print_members(layout, text);
}

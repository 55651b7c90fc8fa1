/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/output_sink.h"
#include "core/base/mem.h"

#include <jansson.h>

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct json_frame {
	json_t *node; /* borrowed from the document: object or array */
	json_t *row;  /* the open row of a list, borrowed */
};

struct sink_json {
	struct sink sink;
	json_t *document;
	struct json_frame frames[FRAMES_MAX + 1]; /* 0 is the document */
	size_t depth;
	bool failed;
};

/* A string of any bytes: what is no UTF-8 is escaped first. NULL without memory. */
static json_t *json_text(const char *text)
{
	size_t size = strlen(text), room = 4 * size + 4;
	json_t *string = json_string(text);
	char *escaped;

	if (string)
		return string;
	escaped = mem_calloc(room, 1);
	if (!escaped)
		return NULL;
	err_escape(escaped, room, text, size);
	string = json_string(escaped);
	mem_free(escaped);
	return string;
}

static json_t *json_number(uint64_t number)
{
	char digits[24];

	if (number <= INT64_MAX)
		return json_integer((json_int_t)number);
	snprintf(digits, sizeof(digits), "%" PRIu64, number);
	return json_string(digits);
}

static json_t *json_of(const struct value *value)
{
	switch (value->kind) {
	case VALUE_NONE:
		return json_null();
	case VALUE_NUMBER:
	case VALUE_BYTES:
		return json_number(value->number);
	case VALUE_SIGNED:
		return json_integer((json_int_t)value->signed_number);
	case VALUE_TEXT:
		return json_text(value->text);
	case VALUE_FLAG:
		return json_boolean(value->number);
	case VALUE_SHARE:
		return json_real(value->share);
	}
	return NULL;
}

static struct sink_json *of(struct sink *sink)
{
	return (struct sink_json *)sink;
}

static bool is_ascii(const char *text)
{
	while (*text && (unsigned char)*text < 0x80)
		text++;
	return !*text;
}

/* Labels are keys too: a key that is no UTF-8 is escaped as a string is. Takes `node`. */
static int object_set(json_t *object, const char *key, json_t *node)
{
	json_t *text;
	int rc;

	if (is_ascii(key))
		return json_object_set_new(object, key, node);
	text = json_text(key);
	if (!text) {
		json_decref(node);
		return -1;
	}
	rc = json_object_set_new(object, json_string_value(text), node);
	json_decref(text);
	return rc;
}

/* Put `node` where the open frame wants it; takes the reference, also on failure. */
static void attach(struct sink_json *json, const char *key, json_t *node)
{
	struct json_frame *top = &json->frames[json->depth];
	int rc;

	if (json->failed) {
		json_decref(node);
		return;
	}
	if (top->row)
		rc = object_set(top->row, key, node);
	else if (json_is_object(top->node))
		rc = object_set(top->node, key, node);
	else
		rc = json_array_append_new(top->node, node);
	if (rc)
		json->failed = true;
}

static void json_value(struct sink *sink, const char *key, const struct field *field,
		       const struct value *value)
{
	if (field && !field->key)
		return;
	attach(of(sink), key, json_of(value));
}

static void json_begin(struct sink *sink, enum frame_kind kind, const char *key,
		       const struct field *field, const struct field *fields)
{
	struct sink_json *json = of(sink);
	json_t *node = kind == FRAME_OBJECT ? json_object() : json_array();

	(void)field;
	(void)fields;
	/* After a failure nothing touches the frames any more; attach() has released the node. */
	attach(json, key, node);
	json->depth++;
	json->frames[json->depth] = (struct json_frame){ .node = json->failed ? NULL : node };
}

static void json_end(struct sink *sink)
{
	assert(of(sink)->depth > 0);
	of(sink)->depth--;
}

static void json_row_begin(struct sink *sink)
{
	struct sink_json *json = of(sink);
	json_t *row;

	if (json->failed)
		return;
	row = json_object();
	if (!row || json_array_append_new(json->frames[json->depth].node, row)) {
		json->failed = true;
		return;
	}
	json->frames[json->depth].row = row;
}

static void json_row_end(struct sink *sink)
{
	of(sink)->frames[of(sink)->depth].row = NULL;
}

/* jansson leaves DEL as it is; it can only stand in a string. */
static int bytes_write(const char *bytes, size_t size, void *arg)
{
	FILE *file = arg;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == 0x7f)
			fputs("\\u007f", file);
		else
			fputc(bytes[i], file);
	}
	return ferror(file) ? -1 : 0;
}

/* On one line in a pipe, indented on a terminal; all beyond ASCII as \u, so no terminal obeys it. */
static bool json_finish(struct sink *sink, FILE *file, unsigned exit_status)
{
	struct sink_json *json = of(sink);
	size_t flags = JSON_ENSURE_ASCII | JSON_REAL_PRECISION(5) |
		       (isatty(fileno(file)) ? JSON_INDENT(2) : 0);

	if (json_object_set_new(json->document, "exit", json_integer((json_int_t)exit_status)))
		json->failed = true;
	if (json_dump_callback(json->document, bytes_write, file, flags) && !ferror(file))
		json->failed = true;
	fputc('\n', file);
	return !json->failed;
}

static void json_free(struct sink *sink)
{
	json_decref(of(sink)->document);
	mem_free(sink);
}

static const struct sink_ops json_ops = {
	.value = json_value,
	.begin = json_begin,
	.end = json_end,
	.row_begin = json_row_begin,
	.row_end = json_row_end,
	.finish = json_finish,
	.free = json_free,
};

struct sink *sink_json_create(const char *schema)
{
	struct sink_json *json = mem_calloc(1, sizeof(*json));

	if (!json)
		return NULL;
	json->sink.ops = &json_ops;
	json->document = json_object();
	json->frames[0].node = json->document;
	/* "exit" keeps its place at the head; its value comes last */
	if (!json->document || json_object_set_new(json->document, "schema", json_string(schema)) ||
	    json_object_set_new(json->document, "exit", json_integer(0))) {
		json_decref(json->document);
		mem_free(json);
		return NULL;
	}
	return &json->sink;
}

void sink_json_error(struct sink *sink, const struct err *failure, const char *hint)
{
	struct sink_json *json = of(sink);
	json_t *error = json_object(), *facts = json_object();

	assert(json->depth == 0);
	for (unsigned i = 0; i < failure->fact_count; i++) {
		if (json_object_set_new(facts, failure->facts[i].name,
					json_text(failure->facts[i].value)))
			json->failed = true;
	}
	if (json_object_set_new(error, "code", json_string(err_name(failure->code))) ||
	    json_object_set_new(error, "message", json_text(failure->text)) ||
	    json_object_set_new(error, "facts", facts) ||
	    json_object_set_new(error, "try", json_text(hint)))
		json->failed = true;
	attach(json, "error", error);
}

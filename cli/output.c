/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/output.h"

#include "cli/output_sink.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_SIZE 64u /* of a command's full name */

struct frame {
	enum frame_kind kind;
	const struct field *fields; /* FRAME_LIST */
	size_t next;                /* FRAME_LIST: the field that the next cell is for */
};

struct out {
	struct out_config config;
	char name[NAME_MAX_SIZE];
	FILE *file;
	struct sink *sink;
	struct frame frames[FRAMES_MAX];
	size_t depth;
	void (*before)(void *arg); /* may be NULL */
	void *before_arg;
};

void out_before(struct out *out, void (*before)(void *arg), void *arg)
{
	out->before = before;
	out->before_arg = arg;
}

static void before_print(const struct out *out)
{
	if (out->before)
		out->before(out->before_arg);
}

int out_open(struct out **out_out, const struct out_config *config, struct err *err)
{
	char schema[NAME_MAX_SIZE + sizeof("pgctl./1")];
	struct out *out = mem_calloc(1, sizeof(*out));

	if (!out)
		return err_set(err, ERR_NOMEM, "no memory for output");
	assert(strlen(config->command) < NAME_MAX_SIZE);
	out->config = *config;
	memcpy(out->name, config->command, strlen(config->command) + 1);
	out->config.command = out->name;
	out->file = config->file;
	snprintf(schema, sizeof(schema), "pgctl.%s/1", out->name);
	for (char *at = schema; *at; at++)
		*at = *at == ' ' ? '-' : *at;
	out->sink = config->json ? sink_json_create(schema) : sink_text_create(&out->file);
	if (!out->sink) {
		mem_free(out);
		return err_set(err, ERR_NOMEM, "no memory for output");
	}
	*out_out = out;
	return 0;
}

void out_free(struct out *out)
{
	if (!out)
		return;
	out->sink->ops->free(out->sink);
	mem_free(out);
}

bool out_is_json(const struct out *out)
{
	return out->config.json;
}

void out_use_stderr(struct out *out)
{
	out->file = out->config.error_file;
}

static struct frame *frame_top(struct out *out)
{
	return out->depth ? &out->frames[out->depth - 1] : NULL;
}

static bool field_is_end(const struct field *field)
{
	return !field->key && !field->title;
}

/* The field that the next cell is for; opens the row at its first cell. NULL outside of lists. */
static const struct field *cell_begin(struct out *out)
{
	struct frame *top = frame_top(out);

	if (!top || top->kind != FRAME_LIST)
		return NULL;
	if (top->next == 0)
		out->sink->ops->row_begin(out->sink);
	return &top->fields[top->next++];
}

/* After a cell: close the row behind its last one. */
static void cell_end(struct out *out)
{
	struct frame *top = frame_top(out);

	if (!top || top->kind != FRAME_LIST || !field_is_end(&top->fields[top->next]))
		return;
	out->sink->ops->row_end(out->sink);
	top->next = 0;
}

static void cell_value(struct out *out, const struct value *value)
{
	const struct field *field = cell_begin(out);

	assert(field);
	out->sink->ops->value(out->sink, field->key, field, value);
	cell_end(out);
}

static enum field_kind cell_kind(struct out *out)
{
	const struct frame *top = frame_top(out);

	assert(top && top->kind == FRAME_LIST);
	return top->fields[top->next].kind;
}

static void named_value(struct out *out, const char *key, const struct value *value)
{
	const struct frame *top = frame_top(out);

	assert(!top || top->kind == FRAME_OBJECT);
	before_print(out);
	out->sink->ops->value(out->sink, key, NULL, value);
}

void out_value(struct out *out, const char *key, uint64_t number)
{
	named_value(out, key, &(struct value){ .kind = VALUE_NUMBER, .number = number });
}

void out_value_signed(struct out *out, const char *key, int64_t number)
{
	named_value(out, key, &(struct value){ .kind = VALUE_SIGNED, .signed_number = number });
}

void out_value_bytes(struct out *out, const char *key, uint64_t bytes)
{
	named_value(out, key, &(struct value){ .kind = VALUE_BYTES, .number = bytes });
}

void out_value_text(struct out *out, const char *key, const char *text)
{
	enum value_kind kind = text ? VALUE_TEXT : VALUE_NONE;

	named_value(out, key, &(struct value){ .kind = kind, .text = text });
}

void out_value_flag(struct out *out, const char *key, bool flag)
{
	named_value(out, key, &(struct value){ .kind = VALUE_FLAG, .number = flag });
}

void out_value_uuid(struct out *out, const char *key, const struct uuid *uuid)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(text, uuid);
	out_value_text(out, key, text);
}

void out_value_none(struct out *out, const char *key)
{
	named_value(out, key, &(struct value){ .kind = VALUE_NONE });
}

void out_number(struct out *out, uint64_t number)
{
	enum field_kind kind = cell_kind(out);

	assert(kind == FIELD_COUNT || kind == FIELD_BYTES || kind == FIELD_EITHER);
	cell_value(out, &(struct value){
				.kind = kind == FIELD_BYTES ? VALUE_BYTES : VALUE_NUMBER,
				.number = number,
			});
}

void out_text(struct out *out, const char *text)
{
	assert(cell_kind(out) == FIELD_TEXT || cell_kind(out) == FIELD_EITHER);
	cell_value(out, &(struct value){ .kind = text ? VALUE_TEXT : VALUE_NONE, .text = text });
}

void out_flag(struct out *out, bool flag)
{
	assert(cell_kind(out) == FIELD_FLAG);
	cell_value(out, &(struct value){ .kind = VALUE_FLAG, .number = flag });
}

void out_share(struct out *out, double share)
{
	assert(cell_kind(out) == FIELD_SHARE);
	assert(share >= 0 && share <= 1);
	cell_value(out, &(struct value){ .kind = VALUE_SHARE, .share = share });
}

void out_uuid(struct out *out, const struct uuid *uuid)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(text, uuid);
	out_text(out, text);
}

void out_none(struct out *out)
{
	cell_value(out, &(struct value){ .kind = VALUE_NONE });
}

static void frame_begin(struct out *out, enum frame_kind kind, const char *key,
			const struct field *fields)
{
	const struct field *field = cell_begin(out);

	assert(out->depth < FRAMES_MAX);
	assert(!field || field->kind == (kind == FRAME_OBJECT ? FIELD_OBJECT : FIELD_LIST));
	assert(!field || strcmp(field->key, key) == 0);
	assert(kind != FRAME_LIST || !field_is_end(fields));

	before_print(out);
	out->sink->ops->begin(out->sink, kind, key, field, fields);
	out->frames[out->depth++] = (struct frame){ .kind = kind, .fields = fields };
}

static void frame_end(struct out *out)
{
	before_print(out);
	out->sink->ops->end(out->sink);
	out->depth--;
	cell_end(out);
}

void out_object_begin(struct out *out, const char *key)
{
	frame_begin(out, FRAME_OBJECT, key, NULL);
}

void out_object_end(struct out *out)
{
	assert(out->depth && frame_top(out)->kind == FRAME_OBJECT);
	frame_end(out);
}

void out_list_begin(struct out *out, const char *key, const struct field *fields)
{
	frame_begin(out, FRAME_LIST, key, fields);
}

void out_list_end(struct out *out)
{
	assert(out->depth && frame_top(out)->kind == FRAME_LIST);
	assert(frame_top(out)->next == 0); /* the last row is whole */
	frame_end(out);
}

void out_texts_begin(struct out *out, const char *key)
{
	frame_begin(out, FRAME_TEXTS, key, NULL);
}

void out_texts_add(struct out *out, const char *text)
{
	assert(out->depth && frame_top(out)->kind == FRAME_TEXTS);
	out->sink->ops->value(out->sink, NULL, NULL,
			      &(struct value){ .kind = VALUE_TEXT, .text = text });
}

void out_texts_add_number(struct out *out, uint64_t number)
{
	assert(out->depth && frame_top(out)->kind == FRAME_TEXTS);
	out->sink->ops->value(out->sink, NULL, NULL,
			      &(struct value){ .kind = VALUE_NUMBER, .number = number });
}

void out_texts_end(struct out *out)
{
	assert(out->depth && frame_top(out)->kind == FRAME_TEXTS);
	frame_end(out);
}

#define LINE_SIZE_MAX 2000u /* longer sentences are cut with "..." */

PRINTF_LIKE(3, 0)
static void line_print(FILE *file, const char *head, const char *format, va_list args)
{
	char raw[LINE_SIZE_MAX], shown[LINE_SIZE_MAX];

	if (vsnprintf(raw, sizeof(raw), format, args) < 0)
		return;
	err_escape(shown, sizeof(shown), raw, strlen(raw));
	fprintf(file, "%s%s\n", head, shown);
}

void out_line(struct out *out, const char *format, ...)
{
	va_list args;

	if (out->config.json || out->config.quiet)
		return;
	before_print(out);
	va_start(args, format);
	line_print(out->file, "", format, args);
	va_end(args);
}

void out_warn(struct out *out, const char *format, ...)
{
	char head[NAME_MAX_SIZE + 16];
	va_list args;

	if (out->config.quiet)
		return;
	before_print(out);
	snprintf(head, sizeof(head), "pgctl: %s: ", out->name);
	va_start(args, format);
	line_print(out->config.error_file, head, format, args);
	va_end(args);
}

void out_plain(struct out *out, const char *text)
{
	if (!out->config.json)
		fputs(text, out->file);
}

void out_error(struct out *out, const struct err *failure)
{
	const char *hint = failure->hint[0] ? failure->hint : err_code_hint(failure->code);
	const char *begin = out->config.color ? "\033[1;31m" : "";
	const char *end = out->config.color ? "\033[0m" : "";

	assert(failure->code);
	for (; out->depth; out->depth--) /* a row that was begun ends where it is */
		out->sink->ops->end(out->sink);
	if (out->config.json) {
		sink_json_error(out->sink, failure, hint);
		return;
	}
	(void)fflush(out->file); /* what fails is seen by out_finish() */
	fprintf(out->config.error_file, "%spgctl:%s %s: %s\n", begin, end, out->name,
		failure->text);
	if (*hint)
		fprintf(out->config.error_file, "try: %s\n", hint);
}

int out_finish(struct out *out, unsigned exit_status, struct err *err)
{
	bool whole;

	assert(out->depth == 0);
	whole = out->sink->ops->finish(out->sink, out->file, exit_status);
	errno = 0;
	if (fflush(out->file) || ferror(out->file))
		return err_set(err, ERR_IO, "standard output could not be written%s%s",
			       errno ? ": " : "", errno ? strerrordesc_np(errno) : "");
	if (!whole)
		return err_set(err, ERR_NOMEM, "no memory for output: it is not complete");
	return 0;
}

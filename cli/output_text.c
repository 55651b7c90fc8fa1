/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text: named values as lines, lists as tables, and whatever nests in a row as one cell of it. */
#include "cli/output_sink.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/units.h"

#include <libsmartcols.h>

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct text_frame {
	enum frame_kind kind;
	const struct field *fields;
	struct libscols_table *table; /* a list that is not inside a row */
	struct libscols_line *line;   /* its open row */
	bool in_cell;                 /* all of this frame becomes `cell` */
	bool hidden;                  /* the field has no title: only in JSON */
	size_t column;                /* of the row around it, where `cell` goes */
	struct text cell;
	bool row_empty; /* nothing in the row of an in_cell list yet */
};

struct sink_text {
	struct sink sink;
	FILE **file;
	struct text_frame frames[FRAMES_MAX + 1]; /* 0 is the top */
	size_t depth;
	bool printed; /* something stands above: a table or object begins with a blank line */
	bool failed;
};

static struct sink_text *of(struct sink *sink)
{
	return (struct sink_text *)sink;
}

static struct text_frame *top_of(struct sink_text *text)
{
	return &text->frames[text->depth];
}

/* Append with everything escaped that a terminal might obey. */
static void escaped_add(struct text *text, const char *raw)
{
	size_t size = strlen(raw), room = 4 * size + 4;
	char *shown = mem_calloc(room, 1);

	if (!shown) {
		text->failed = true;
		return;
	}
	err_escape(shown, room, raw, size);
	text_add(text, "%s", shown);
	mem_free(shown);
}

static void value_add(struct text *text, const struct value *value)
{
	char units[UNITS_TEXT_SIZE];

	switch (value->kind) {
	case VALUE_NONE:
		text_add(text, "-");
		break;
	case VALUE_NUMBER:
		text_add(text, "%" PRIu64, value->number);
		break;
	case VALUE_SIGNED:
		text_add(text, "%" PRId64, value->signed_number);
		break;
	case VALUE_BYTES:
		text_add(text, "%s", units_text(units, value->number));
		break;
	case VALUE_TEXT:
		escaped_add(text, value->text);
		break;
	case VALUE_FLAG:
		text_add(text, "%s", value->number ? "yes" : "no");
		break;
	case VALUE_SHARE:
		text_add(text, "%.1f%%", value->share * 100);
		break;
	}
}

/* Which column of the table `field` is: those without a title have none. */
static size_t column_of(const struct text_frame *frame, const struct field *field)
{
	size_t column = 0;

	for (const struct field *at = frame->fields; at < field; at++)
		column += at->title != NULL;
	return column;
}

static void cell_set(struct sink_text *text, struct text_frame *frame, size_t column,
		     const struct text *cell)
{
	if (cell->failed || !frame->line ||
	    scols_line_set_data(frame->line, column, cell->chars ? cell->chars : ""))
		text->failed = true;
}

/* What comes before a value in a frame that becomes one cell. */
static void cell_separate(struct text_frame *frame, const char *key, const struct field *field)
{
	switch (frame->kind) {
	case FRAME_OBJECT:
		if (frame->cell.size)
			text_add(&frame->cell, " ");
		escaped_add(&frame->cell, key);
		text_add(&frame->cell, "=");
		break;
	case FRAME_TEXTS:
		if (frame->cell.size)
			text_add(&frame->cell, ", ");
		break;
	case FRAME_LIST:
		if (frame->row_empty && frame->cell.size)
			text_add(&frame->cell, "; ");
		else if (frame->cell.size)
			text_add(&frame->cell, " ");
		if (field && field->title[0])
			text_add(&frame->cell, "%s ", field->title);
		frame->row_empty = false;
		break;
	}
}

static void line_indent(struct sink_text *text, const char *key)
{
	struct text name = { 0 };

	escaped_add(&name, key);
	fprintf(*text->file, "%*s%s:", (int)(2 * text->depth), "", name.chars ? name.chars : "?");
	text_reset(&name);
	text->printed = true;
}

static void text_value(struct sink *sink, const char *key, const struct field *field,
		       const struct value *value)
{
	struct sink_text *text = of(sink);
	struct text_frame *top = top_of(text);
	struct text shown = { 0 };

	if (top->hidden || (field && !field->title))
		return;
	if (top->in_cell) {
		cell_separate(top, key, field);
		value_add(&top->cell, value);
		return;
	}
	if (!field && value->kind == VALUE_NONE)
		return;
	if (!field || value->kind != VALUE_FLAG ||
	    value->number) /* a flag in a table: yes or empty */
		value_add(&shown, value);
	if (field) {
		cell_set(text, top, column_of(top, field), &shown);
	} else {
		line_indent(text, key);
		fprintf(*text->file, " %s\n", shown.chars ? shown.chars : "");
	}
	text->failed = text->failed || shown.failed;
	text_reset(&shown);
}

static struct libscols_table *table_create(const struct field *fields)
{
	struct libscols_table *table = scols_new_table();

	for (; table && (fields->key || fields->title); fields++) {
		bool is_number = fields->kind == FIELD_COUNT || fields->kind == FIELD_BYTES;

		if (fields->title && !scols_table_new_column(table, fields->title, 0,
							     is_number ? SCOLS_FL_RIGHT : 0)) {
			scols_unref_table(table);
			return NULL;
		}
	}
	return table;
}

static bool has_columns(const struct field *fields)
{
	for (; fields->key || fields->title; fields++) {
		if (fields->title)
			return true;
	}
	return false;
}

/* A blank line between what stands above and a heading or table at the left edge. */
static void part_begin(struct sink_text *text)
{
	if (text->printed && text->depth == 0)
		fputc('\n', *text->file);
}

static void text_begin(struct sink *sink, enum frame_kind kind, const char *key,
		       const struct field *field, const struct field *fields)
{
	struct sink_text *text = of(sink);
	struct text_frame *around = top_of(text);
	struct text_frame frame = { .kind = kind, .fields = fields, .row_empty = true };

	frame.hidden = around->hidden || (field && !field->title) ||
		       (kind == FRAME_LIST && !has_columns(fields));
	frame.in_cell = around->in_cell || field || kind == FRAME_TEXTS;
	if (field && !frame.hidden && !around->in_cell)
		frame.column = column_of(around, field);
	if (!frame.in_cell && !frame.hidden && kind == FRAME_LIST) {
		frame.table = table_create(fields);
		text->failed = text->failed || !frame.table;
	}
	if (!frame.in_cell && !frame.hidden && kind == FRAME_OBJECT) {
		part_begin(text);
		line_indent(text, key);
		fputc('\n', *text->file);
	}
	if (around->in_cell && !frame.hidden)
		cell_separate(around, key, field);
	else if (kind == FRAME_TEXTS && !field)
		line_indent(text, key);
	text->depth++;
	*top_of(text) = frame;
}

static void table_print(struct sink_text *text, struct libscols_table *table)
{
	if (!table || scols_table_is_empty(table))
		return;
	part_begin(text);
	scols_table_set_stream(table, *text->file);
	if (scols_print_table(table))
		text->failed = true;
	text->printed = true;
}

static void text_end(struct sink *sink)
{
	struct sink_text *text = of(sink);
	struct text_frame *frame = top_of(text), *around;

	assert(text->depth > 0);
	text->depth--;
	around = top_of(text);
	text->failed = text->failed || frame->cell.failed;
	if (frame->table) {
		table_print(text, frame->table);
		scols_unref_table(frame->table);
	} else if (frame->in_cell && !frame->hidden) {
		const char *cell = frame->cell.chars ? frame->cell.chars : "";

		if (around->in_cell) {
			text_add(&around->cell, "%s", cell);
		} else if (around->kind == FRAME_LIST) {
			cell_set(text, around, frame->column, &frame->cell);
		} else {
			fprintf(*text->file, " %s\n", cell);
		}
	}
	text_reset(&frame->cell);
	*frame = (struct text_frame){ 0 };
}

static void text_row_begin(struct sink *sink)
{
	struct text_frame *top = top_of(of(sink));

	top->row_empty = true;
	if (top->table)
		top->line = scols_table_new_line(top->table, NULL);
}

static void text_row_end(struct sink *sink)
{
	top_of(of(sink))->line = NULL;
}

static bool text_finish(struct sink *sink, FILE *file, unsigned exit_status)
{
	(void)file;
	(void)exit_status;
	return !of(sink)->failed;
}

static void text_free(struct sink *sink)
{
	mem_free(sink);
}

static const struct sink_ops text_ops = {
	.value = text_value,
	.begin = text_begin,
	.end = text_end,
	.row_begin = text_row_begin,
	.row_end = text_row_end,
	.finish = text_finish,
	.free = text_free,
};

struct sink *sink_text_create(FILE **file)
{
	struct sink_text *text = mem_calloc(1, sizeof(*text));

	if (!text)
		return NULL;
	text->sink.ops = &text_ops;
	text->file = file;
	text->frames[0].kind = FRAME_OBJECT;
	return &text->sink;
}

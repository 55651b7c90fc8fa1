/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/plan.h"

#include "cli/output.h"
#include "core/base/size.h"

static const struct field write_fields[] = {
	{ "role", FIELD_TEXT, "WOULD WRITE" },
	{ "bytes", FIELD_BYTES, "SIZE" },
	{ 0 },
};

bool plan_only(const struct invocation *inv)
{
	return inv->common->plan != NULL;
}

enum access plan_access(const struct invocation *inv)
{
	return plan_only(inv) ? ACCESS_READ : ACCESS_WRITE;
}

void plan_show_map(const struct invocation *inv, const char *change)
{
	out_value_flag(inv->out, "plan", true);
	out_list_begin(inv->out, "writes", write_fields);
	out_text(inv->out, "map and super");
	out_none(inv->out);
	out_list_end(inv->out);
	out_value_text(inv->out, "change", change);
	out_line(inv->out, "a plan: nothing was written");
}

void plan_show(const struct invocation *inv, const struct plan_row *rows, size_t row_count)
{
	uint64_t total = 0;

	out_value_flag(inv->out, "plan", true);
	out_list_begin(inv->out, "writes", write_fields);
	for (size_t i = 0; i < row_count; i++) {
		out_text(inv->out, rows[i].role);
		out_number(inv->out, rows[i].bytes);
		total += rows[i].bytes;
	}
	out_list_end(inv->out);
	out_value_bytes(inv->out, "bytes", total);
	if (inv->common->rate_max)
		out_value(inv->out, "seconds", size_divide_up(total, inv->common->rate_max));
	else
		out_value_none(inv->out, "seconds");
	out_line(inv->out, "a plan: nothing was written");
}

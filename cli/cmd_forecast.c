/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pgctl forecast: what would the array be with more members? */
#include "cli/command.h"
#include "cli/members.h"
#include "cli/output.h"
#include "core/base/units.h"
#include "core/job/forecast.h"

#include <stdio.h>
#include <string.h>

#define SIZES_TEXT_MAX 64u /* of one size */

struct forecast_args {
	struct text_list add;
	uint64_t width;
};

static const struct option_spec forecast_options[] = {
	{ "add", OPTION_LIST, offsetof(struct forecast_args, add), "SIZE,…",
	  "sizes of the members to come" },
	{ "width", OPTION_NUMBER, offsetof(struct forecast_args, width), "N",
	  "columns of a group; unless given as new volumes get them" },
	{ 0 },
};

struct sizes {
	uint64_t at[MEMBERS_MAX];
	uint32_t count;
};

/* One word of the list, up to a comma or its end. */
static int add_size(struct sizes *sizes, const char *text, size_t length, struct err *err)
{
	char word[SIZES_TEXT_MAX];

	if (length >= sizeof(word))
		return err_set(err, ERR_SIZE, "--add: %.*s is no size", (int)sizeof(word), text);
	if (sizes->count == MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "an array has at most %u members", MEMBERS_MAX);
	memcpy(word, text, length);
	word[length] = '\0';
	int rc = units_parse(&sizes->at[sizes->count], word, err);
	sizes->count += rc == 0;
	return rc;
}

static int read_sizes(struct sizes *sizes, const struct text_list *list, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < list->count; i++) {
		const char *at = list->at[i];

		while (!rc && *at) {
			size_t length = strcspn(at, ",");

			rc = add_size(sizes, at, length, err);
			at += length + (at[length] == ',');
		}
	}
	return rc;
}

static void show_state(struct out *out, const char *key, const struct forecast_state *state)
{
	out_object_begin(out, key);
	out_value_bytes(out, "raw", state->raw);
	out_value_bytes(out, "used", state->used);
	out_value_bytes(out, "free", state->raw - state->used);
	out_value_bytes(out, "usable", state->usable);
	out_value(out, "groups", state->groups);
	out_object_end(out);
}

static void show(const struct invocation *inv, const struct forecast *forecast)
{
	uint64_t bytes = forecast->moves.bytes_read + forecast->moves.bytes_written;
	uint64_t rate = inv->common->rate_max;
	struct out *out = inv->out;

	show_state(out, "now", &forecast->now);
	show_state(out, "joined", &forecast->joined);
	show_state(out, "spread", &forecast->spread);
	out_value_bytes(out, "bytes_read", forecast->moves.bytes_read);
	out_value_bytes(out, "bytes_written", forecast->moves.bytes_written);
	out_value(out, "extents_moved", forecast->moves.extents_moved);
	if (rate)
		out_value(out, "seconds", bytes / rate);
	else
		out_value_none(out, "seconds");
}

static int cmd_forecast_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct forecast_args *args = inv->args;
	struct sizes sizes = { .count = 0 };
	struct forecast forecast;
	struct array *array = NULL;
	int rc = read_sizes(&sizes, &args->add, err);

	(void)verdict_out;
	if (!rc && args->width > CODE_COLUMNS_MAX)
		rc = err_set(err, ERR_USAGE, "--width takes up to %u", CODE_COLUMNS_MAX);
	if (!rc)
		rc = cli_array_open(&array, inv, inv->operands[0], ACCESS_SALVAGE, err);
	if (rc)
		return rc;
	const struct forecast_request request = { sizes.at, sizes.count, (uint32_t)args->width };
	rc = forecast_expand(&forecast, array, &request, err);
	if (!rc)
		show(inv, &forecast);
	array_close(array);
	return rc;
}

static const char *const forecast_details[] = {
	"Three states: now; with the new members, before anything moves; and after `expand` has "
	"made "
	"groups wider and spread what is used. It is computed by doing it on a copy of the map, so "
	"the "
	"numbers are those of the command. Without --add: what expand would do for the members "
	"there "
	"are. A time is given for --rate-max.",
	NULL,
};
static const char *const forecast_examples[] = {
	"pgctl forecast tank/ --add 8T",
	"pgctl forecast tank/ --add 4T,4T --rate-max 200M",
	NULL,
};

const struct command cmd_forecast = {
	.name = "forecast",
	.summary = "what the array would be with more members",
	.group = GROUP_QUESTIONS,
	.operands = "ARRAY",
	.operands_min = 1,
	.operands_max = 1,
	.options = forecast_options,
	.args_size = sizeof(struct forecast_args),
	.details = forecast_details,
	.examples = forecast_examples,
	.run = cmd_forecast_run,
};

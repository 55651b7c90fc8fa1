/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/losses.h"

#include "core/base/mem.h"
#include "core/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOSSES_NAMED 4u /* in the text of an error; the document lists all */

void losses_add(void *arg, const struct job_loss *job_loss)
{
	struct losses *losses = arg;
	struct loss_vec *vec = &losses->vec;
	struct loss *last = vec->count ? &vec->at[vec->count - 1] : NULL;
	struct loss loss = { NULL, job_loss->offset, job_loss->length };

	losses->bytes += job_loss->length;
	if (last && last->offset + last->length == loss.offset &&
	    strcmp(last->volume, job_loss->volume) == 0) {
		last->length += loss.length;
		return;
	}
	if (vec->count < LOSSES_MAX)
		loss.volume = mem_strdup(job_loss->volume);
	if (!loss.volume || loss_vec_push(vec, loss)) {
		mem_free(loss.volume);
		losses->cut = true;
	}
}

static int loss_compare(const void *left, const void *right)
{
	const struct loss *a = left, *b = right;
	int order = strcmp(a->volume, b->volume);

	return order ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

void losses_sort(struct losses *losses)
{
	struct loss_vec *vec = &losses->vec;
	size_t kept = 0;

	if (vec->count == 0)
		return;
	qsort(vec->at, vec->count, sizeof(*vec->at), loss_compare);
	for (size_t i = 1; i < vec->count; i++) {
		struct loss *last = &vec->at[kept], *next = &vec->at[i];

		if (strcmp(last->volume, next->volume) == 0 &&
		    last->offset + last->length == next->offset) {
			last->length += next->length;
			mem_free(next->volume);
		} else {
			vec->at[++kept] = *next;
		}
	}
	vec->count = kept + 1;
}

static const struct field lost_fields[] = {
	{ "volume", FIELD_TEXT, "LOST IN" },
	{ "offset", FIELD_COUNT, "OFFSET" },
	{ "length", FIELD_COUNT, "LENGTH" },
	{ 0 },
};

void losses_show(const struct losses *losses, struct out *out)
{
	if (losses->vec.count == 0 && !out_is_json(out))
		return;
	out_list_begin(out, "lost", lost_fields);
	for (size_t i = 0; i < losses->vec.count; i++) {
		out_text(out, losses->vec.at[i].volume);
		out_number(out, losses->vec.at[i].offset);
		out_number(out, losses->vec.at[i].length);
	}
	out_list_end(out);
	if (losses->cut)
		out_warn(out, "more ranges were lost than can be listed");
}

int losses_error(const struct losses *losses, struct err *err)
{
	struct text text = { 0 };

	assert(losses->bytes > 0);
	for (size_t i = 0; i < losses->vec.count && i < LOSSES_NAMED; i++) {
		const struct loss *loss = &losses->vec.at[i];

		text_add(&text, "%s%s bytes %" PRIu64 " to %" PRIu64, i ? ", " : "", loss->volume,
			 loss->offset, loss->offset + loss->length - 1);
	}
	if (losses->vec.count > LOSSES_NAMED)
		text_add(&text, " and %zu more ranges", losses->vec.count - LOSSES_NAMED);
	err_set(err, ERR_DATA_LOST, "%" PRIu64 " bytes are lost: %s", losses->bytes,
		text.chars ? text.chars : "");
	text_reset(&text);
	return ERR_DATA_LOST;
}

void losses_reset(struct losses *losses)
{
	for (size_t i = 0; i < losses->vec.count; i++)
		mem_free(losses->vec.at[i].volume);
	loss_vec_reset(&losses->vec);
	*losses = (struct losses){ 0 };
}

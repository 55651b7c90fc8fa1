/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/latest.h"

#include <stdbool.h>
#include <stdlib.h>

int latest_add(struct latest *latest, uint64_t id, void *object, void (*release)(void *object))
{
	int rc = latest_push(latest, (struct latest_word){ id, latest->count, object });

	if (rc)
		release(object);
	return rc;
}

static int compare_words(const void *a, const void *b)
{
	const struct latest_word *left = a, *right = b;

	if (left->id != right->id)
		return left->id < right->id ? -1 : 1;
	return left->turn < right->turn ? -1 : left->turn > right->turn;
}

static bool is_settled(const struct latest *latest)
{
	for (size_t i = 0; i < latest->count; i++) {
		if (!latest->at[i].object || (i > 0 && latest->at[i - 1].id >= latest->at[i].id))
			return false;
	}
	return true;
}

void latest_settle(struct latest *latest, void (*release)(void *object))
{
	size_t kept = 0;

	if (is_settled(latest)) /* as every whole map is */
		return;
	qsort(latest->at, latest->count, sizeof(*latest->at), compare_words);
	for (size_t i = 0; i < latest->count; i++) {
		const struct latest_word word = latest->at[i];
		bool is_last = i + 1 == latest->count || latest->at[i + 1].id != word.id;

		if (is_last && word.object)
			latest->at[kept++] = word;
		else
			release(word.object);
	}
	latest->count = kept;
}

void latest_reset_all(struct latest *latest, void (*release)(void *object))
{
	for (size_t i = 0; i < latest->count; i++)
		release(latest->at[i].object);
	latest_reset(latest);
}

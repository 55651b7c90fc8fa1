/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/nearest.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX 32u /* longer words are not compared; no option is longer */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Edits that turn one word into the other: insert, delete, replace, swap of neighbours (optimal string
 * alignment). Both at most WORD_MAX long.
 */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
	size_t a_size = strlen(a), b_size = strlen(b);

	for (size_t j = 0; j <= b_size; j++)
		before[j] = last[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t *spare = before;

		now[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			size_t replaced = last[j - 1] + (a[i - 1] != b[j - 1]);

			now[j] = least(replaced, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[b_size];
}

void nearest_offer(struct nearest *nearest, const char *word)
{
	size_t size = strlen(nearest->typed), distance;
	bool begins;

	if (size == 0 || size > WORD_MAX || strlen(word) > WORD_MAX)
		return;
	distance = edit_distance(nearest->typed, word);
	begins = size >= 2 && strncmp(word, nearest->typed, size) == 0;
	if (!begins && distance > (size + 1) / 3)
		return;
	if (begins)
		distance = 0;
	if (nearest->word && distance >= nearest->distance)
		return;
	nearest->word = word;
	nearest->distance = distance;
}

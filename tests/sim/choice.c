/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/choice.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHRINK_TRIES_MAX 4000u /* a stream is a few dozen numbers; this is seconds */

void choice_random(struct choice *choice, uint64_t seed)
{
	choice->mode = CHOICE_RANDOM;
	choice->rng = rng_seeded(seed);
	choice->at = choice->count = choice->fixed = 0;
}

static void take(struct choice *choice, const uint32_t *values, size_t count)
{
	assert(count <= CHOICES_MAX);
	if (count > 0) /* then there may be no values */
		memmove(choice->value, values, count * sizeof(*values));
	choice->count = count;
	choice->at = 0;
}

void choice_odometer(struct choice *choice, const uint32_t *values, size_t count)
{
	take(choice, values, count);
	choice->mode = CHOICE_ODOMETER;
	choice->fixed = count;
}

void choice_replay(struct choice *choice, const uint32_t *values, size_t count)
{
	take(choice, values, count);
	choice->mode = CHOICE_REPLAY;
	choice->fixed = 0;
}

uint32_t choice_below(struct choice *choice, uint32_t bound)
{
	uint32_t value = 0;

	assert(bound > 0);
	if (choice->at == CHOICES_MAX)
		return 0;
	if (choice->at < choice->count)
		value = choice->value[choice->at] % bound;
	else if (choice->mode == CHOICE_RANDOM)
		value = (uint32_t)rng_below(&choice->rng, bound);
	choice->value[choice->at] = value;
	choice->bound[choice->at] = bound;
	choice->at++;
	if (choice->count < choice->at)
		choice->count = choice->at;
	return value;
}

bool choice_next(struct choice *choice)
{
	assert(choice->mode == CHOICE_ODOMETER);
	choice->count = choice->at; /* what the run did not ask for is no choice */
	while (choice->count > choice->fixed &&
	       choice->value[choice->count - 1] + 1 >= choice->bound[choice->count - 1])
		choice->count--;
	choice->at = 0;
	if (choice->count <= choice->fixed)
		return false;
	choice->value[choice->count - 1]++;
	return true;
}

void choice_rewind(struct choice *choice)
{
	choice->at = 0;
}

/* ---- shrinking */

struct shrinking {
	struct choice *best;
	struct choice trial;
	bool (*fails)(void *arg, struct choice *choice);
	void *arg;
	unsigned tries;
};

/* Take the trial if it fails as well. */
static bool try_it(struct shrinking *s, const uint32_t *values, size_t count)
{
	if (s->tries >= SHRINK_TRIES_MAX)
		return false;
	s->tries++;
	choice_replay(&s->trial, values, count);
	if (!s->fails(s->arg, &s->trial))
		return false;
	s->trial.count = s->trial.at < count ? s->trial.at : count;
	choice_replay(s->best, s->trial.value, s->trial.count);
	return true;
}

static bool leave_out(struct shrinking *s, size_t from, size_t size)
{
	uint32_t values[CHOICES_MAX];
	size_t count = s->best->count;

	memcpy(values, s->best->value, from * sizeof(*values));
	memcpy(values + from, s->best->value + from + size,
	       (count - from - size) * sizeof(*values));
	return try_it(s, values, count - size);
}

static bool lower(struct shrinking *s, size_t at, uint32_t value)
{
	uint32_t values[CHOICES_MAX];

	memcpy(values, s->best->value, s->best->count * sizeof(*values));
	values[at] = value;
	return try_it(s, values, s->best->count);
}

/* One round over the stream; true when it became smaller. */
static bool shrink_round(struct shrinking *s)
{
	bool smaller = false;

	for (size_t size = s->best->count; size > 0; size /= 2) {
		for (size_t from = 0; from + size <= s->best->count;) {
			if (leave_out(s, from, size))
				smaller = true;
			else
				from += size;
		}
	}
	for (size_t at = 0; at < s->best->count; at++) {
		uint32_t value = s->best->value[at];

		if (value == 0)
			continue;
		if (lower(s, at, 0) || (value > 2 && lower(s, at, value / 2)) ||
		    lower(s, at, value - 1))
			smaller = true;
	}
	return smaller;
}

void choice_shrink(struct choice *choice, bool (*fails)(void *arg, struct choice *choice),
		   void *arg)
{
	static struct shrinking s; /* too large for a stack */

	s.best = choice;
	s.fails = fails;
	s.arg = arg;
	s.tries = 0;
	choice_replay(choice, choice->value, choice->count);
	while (shrink_round(&s))
		;
	choice_rewind(choice);
}

/* ---- files */

bool choice_save(const struct choice *choice, const char *path, const char *note)
{
	FILE *file = fopen(path, "w");
	bool good = file != NULL;

	if (!file)
		return false;
	fprintf(file, "# %s\n", note);
	for (size_t i = 0; i < choice->count; i++)
		fprintf(file, "%s%" PRIu32, i == 0 ? "" : " ", choice->value[i]);
	fprintf(file, "\n");
	good = !ferror(file);
	return fclose(file) == 0 && good;
}

bool choice_load(struct choice *choice, const char *path)
{
	uint32_t values[CHOICES_MAX];
	FILE *file = fopen(path, "r");
	size_t count = 0;
	int first;

	if (!file)
		return false;
	while ((first = fgetc(file)) == '#') {
		while (first != '\n' && first != EOF)
			first = fgetc(file);
	}
	ungetc(first, file);
	while (count < CHOICES_MAX && fscanf(file, "%" SCNu32, &values[count]) == 1)
		count++;
	bool good = feof(file) != 0;
	fclose(file);
	choice_replay(choice, values, count);
	return good;
}

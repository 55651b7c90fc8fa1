/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stream of choices: everything that a simulated run could do otherwise comes from one.
 *
 *	random		a seed fills it
 *	exhaustive	an odometer: choice_next() moves the last choice that has a next value, so all
 *			streams come up in order, whatever each choice makes of those behind it
 *	replay		from a file of numbers; where they end, zeros; a number too great is reduced
 *
 * A run notes what it chose, so that whatever it did can be replayed and made smaller.
 */
#ifndef PG_TESTS_SIM_CHOICE_H
#define PG_TESTS_SIM_CHOICE_H

#include "core/base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHOICES_MAX 4096u /* of one run; a choice past it is 0 */

enum choice_mode { CHOICE_RANDOM, CHOICE_ODOMETER, CHOICE_REPLAY };

struct choice {
	enum choice_mode mode;
	struct rng rng;
	size_t at;    /* of the next choice */
	size_t count; /* that are known: made in this run, or to be replayed */
	size_t fixed; /* the first so many are never moved by choice_next() */
	uint32_t value[CHOICES_MAX];
	uint32_t bound[CHOICES_MAX];
};

void choice_random(struct choice *choice, uint64_t seed);
/* An odometer whose first `count` choices are `values`. */
void choice_odometer(struct choice *choice, const uint32_t *values, size_t count);
void choice_replay(struct choice *choice, const uint32_t *values, size_t count);

/* 0..bound-1; bound > 0. */
uint32_t choice_below(struct choice *choice, uint32_t bound);

/* The next stream, from its beginning; false when all were. */
bool choice_next(struct choice *choice);
/* The same stream again, from its beginning. */
void choice_rewind(struct choice *choice);

/*
 * Make the stream of a failure smaller while `fails(arg, choice)` says that it still fails in the same
 * way: parts are left out, set to zero, lowered. `choice` is a replay of the result afterwards.
 */
void choice_shrink(struct choice *choice, bool (*fails)(void *arg, struct choice *choice),
		   void *arg);

/* Text: a line of "# note", then the numbers. False when the file cannot be written or read. */
bool choice_save(const struct choice *choice, const char *path, const char *note);
bool choice_load(struct choice *choice, const char *path);

#endif

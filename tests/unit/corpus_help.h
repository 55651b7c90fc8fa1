/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replays the corpus of a fuzz program, tests/fuzz/corpus/NAME: what the fuzzer found worth keeping, and every input that
 * once did harm. An input that takes longer than a few seconds ends the program.
 */
#ifndef PG_TESTS_CORPUS_HELP_H
#define PG_TESTS_CORPUS_HELP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct corpus_count {
	unsigned files;
	unsigned true_count; /* for how many `try_it` is true */
};

/*
 * Every file, whole: `try_it`. Then `vary`, which may be NULL, of those that have a name: what the fuzzer named, by 40
 * digits, are variations already. `bytes` are the callee's own to change.
 */
struct corpus_count corpus_replay(const char *name, bool (*try_it)(uint8_t *bytes, size_t size),
				  void (*vary)(uint8_t *bytes, size_t size));

#endif

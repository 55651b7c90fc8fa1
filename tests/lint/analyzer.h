/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Told to clang-tidy and gcc -fanalyzer in front of every file but err.c: the functions that make an
 * error's text return its code, which is never 0. The analyzers cannot see into them, and would
 * follow failures as if they were successes.
 */
#include "core/base/err.h"

static inline int analyzer_failed(int rc)
{
	if (rc == 0)
		__builtin_unreachable();
	return rc;
}

#define err_set(...) analyzer_failed((err_set)(__VA_ARGS__))
#define err_prefix(...) analyzer_failed((err_prefix)(__VA_ARGS__))
#define err_hint(...) analyzer_failed((err_hint)(__VA_ARGS__))
#define err_fact(...) analyzer_failed((err_fact)(__VA_ARGS__))

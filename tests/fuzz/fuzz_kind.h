/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A try that has several decoders takes the first byte of its input for which one. KIND=n in the environment, one
 * digit, chooses it for all inputs, so that each of them can be given its ten million.
 */
#ifndef PG_TESTS_FUZZ_KIND_H
#define PG_TESTS_FUZZ_KIND_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The kind of this input, of `kinds`; `size` is greater than 0. */
static inline uint32_t fuzz_kind(const uint8_t *data, uint32_t kinds)
{
	static const char *chosen;

	if (!chosen)
		chosen = getenv("KIND");
	if (!chosen)
		chosen = "";
	return chosen[0] ? (uint32_t)(chosen[0] - '0') % kinds : data[0] % kinds;
}

/* One input in eight, by its bytes: for what takes long and is not what is searched for. */
static inline int fuzz_one_in_eight(const uint8_t *data, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 7)
		sum = sum * 31 + data[i];
	return (sum ^ sum >> 7) % 8 == 0;
}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/code/kernel.h"

void kernel_combine_reference(uint8_t *target, const struct kernel_source *sources,
			      size_t source_count, size_t size)
{
	for (size_t at = 0; at < size; at++) {
		uint8_t sum = 0;

		for (size_t i = 0; i < source_count; i++)
			sum ^= gf_multiply(sources[i].bytes[at], sources[i].coefficient);
		target[at] = sum;
	}
}

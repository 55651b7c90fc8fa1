/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Kernels: sums of coefficient * block over GF(2^8) with polynomial 0x11d, fast (ISA-L) and plain.
 *
 * Lengths are multiples of 64 bytes, at most 1 GiB; buffers are aligned to 64 bytes; `target` may not
 * be one of the sources. A term with coefficient 1 is a plain XOR. Threads share nothing.
 */
#ifndef PG_CODE_KERNEL_H
#define PG_CODE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_SOURCES_MAX 256u /* one level of the widest sequential group: 16 * 16 cells */
#define KERNEL_DATA_MAX 64u     /* of kernel_encode(); a group has at most 32 columns */

struct kernel_source {
	const uint8_t *bytes;
	uint8_t coefficient; /* never 0 */
};

/* target = sum of coefficient * source; source_count 0 gives zeros. */
void kernel_combine(uint8_t *target, const struct kernel_source *sources, size_t source_count,
		    size_t size);

/* The same in plain C, byte by byte from the definition: the reference for tests. */
void kernel_combine_reference(uint8_t *target, const struct kernel_source *sources,
			      size_t source_count, size_t size);

/*
 * All p checks of `data_count` data buffers in one visit: checks[j] = sum of 2^(j*index[i]) * data[i].
 * check_count is 1 to 3, data_count 1 to KERNEL_DATA_MAX.
 */
void kernel_encode(uint8_t *const *checks, uint32_t check_count, const uint8_t *const *data,
		   const uint8_t *index, uint32_t data_count, size_t size);

/* GF(2^8) arithmetic for the engine; gf_power(n) is 2^n. gf_inverse(0) is 0. */
uint8_t gf_multiply(uint8_t a, uint8_t b);
uint8_t gf_inverse(uint8_t a);
uint8_t gf_power(uint32_t exponent);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows: ranges of one space of addresses whose bytes lie somewhere else, in runs at a stride. The map makes them,
 * the device layer follows them (docs/FOREIGN.md, section 2).
 *
 * Byte i of a window, below `length`, has the address begin + i and lies at
 *
 *	origin + i / run * stride + i % run
 *
 * A window takes whole blocks of addresses; behind `length` its last block has nothing.
 *
 * Pure: no memory, no I/O.
 */
#ifndef PG_BASE_WINDOW_H
#define PG_BASE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
	uint64_t begin;  /* address, a multiple of BLOCK_SIZE */
	uint64_t length; /* bytes, a multiple of 512, above 0 */
	uint64_t origin; /* where its first byte lies, a multiple of 512 */
	uint64_t run;    /* bytes in a row: a multiple of BLOCK_SIZE, or `length` when all are */
	uint64_t stride; /* from the beginning of a run to that of the next, not below `run` */
};

/* It is what is said above, and nothing in it overflows. */
bool window_is_sound(const struct window *window);
bool window_in_a_row(const struct window *window);

/* The end of its addresses, a multiple of BLOCK_SIZE, and of its bytes where they lie. */
uint64_t window_end(const struct window *window);
uint64_t window_place_end(const struct window *window);

/* The window with this address; NULL when none has it. They ascend and do not overlap. O(log count). */
const struct window *window_find(const struct window *windows, size_t count, uint64_t address);

/* Where byte `at` of a window lies, at < length; *run_out, if not NULL: so many bytes from there on are in a row. */
uint64_t window_place(const struct window *window, uint64_t at, uint64_t *run_out);

/* The inverse: which byte of the window lies at `place`; false when none does. */
bool window_byte(const struct window *window, uint64_t place, uint64_t *at_out);

#endif

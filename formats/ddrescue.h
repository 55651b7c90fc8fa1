/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Map files of GNU ddrescue: which bytes of a failing disk were rescued. Text; a status line, then blocks in order:
 *
 *	# comment
 *	0x00120000     ?               1	current position, phase, pass (none before version 1.18)
 *	0x00000000  0x00117000  +		position, size, status
 *	0x00117000  0x00000200  -
 *
 * Numbers are decimal, hexadecimal or octal as in C, the pass is decimal. Blocks do not overlap and leave no gap.
 *
 *	ddrescue_begin(), or ddrescue_parse()
 *	ddrescue_set()		a range has this status from now on
 *	ddrescue_print()
 *	ddrescue_reset()
 *
 * Promises, each tested under its name in tests/unit/test_ddrescue.c:
 *	wrong		a line that is none, blocks that overlap, leave a gap, are empty or end past 2^63-1 are refused
 *			with the number of the line
 *	order		the blocks of a map are ascending and adjoin; neighbours differ in status once they were set
 *	same		what is printed parses to the same map
 *	untried		what no block covers was never tried
 *	holes		every byte that was not rescued is in a hole, and no sector that was rescued whole
 *
 * As a domain ("ddrescue --domain-mapfile") a map means: look only at what is '+' in it.
 *
 * Source: GNU ddrescue Manual, "Mapfile structure". Pure.
 */
#ifndef PG_FORMATS_DDRESCUE_H
#define PG_FORMATS_DDRESCUE_H

#include "core/base/text.h"
#include "core/base/vec.h"
#include "core/dev/holes.h"

#define DDRESCUE_FILE_MAX ((size_t)256 << 20) /* bytes: about eight million blocks */
#define DDRESCUE_POSITION_MAX ((uint64_t)INT64_MAX)

enum ddrescue_status {
	DDRESCUE_UNTRIED = '?',
	DDRESCUE_UNTRIMMED = '*',
	DDRESCUE_UNSCRAPED = '/',
	DDRESCUE_BAD = '-',
	DDRESCUE_RESCUED = '+',
};

struct ddrescue_block {
	uint64_t offset;
	uint64_t size; /* above 0; the end is not above DDRESCUE_POSITION_MAX */
	enum ddrescue_status status;
};
VEC_DEFINE(ddrescue_block_vec, struct ddrescue_block);

/* Zeroed to begin with. */
struct ddrescue_map {
	uint64_t position; /* where its program was */
	char phase;        /* a status, or F or G */
	uint32_t pass;
	struct ddrescue_block_vec blocks;
};

/* One block from 0 on. `size` may be 0: none. Returns 0 or ERR_NOMEM. */
int ddrescue_begin(struct ddrescue_map *map_out, uint64_t size,
		   enum ddrescue_status status) MUST_CHECK;

/* `name` stands in the messages. Returns 0, ERR_FORMAT or ERR_NOMEM; then nothing is kept. */
int ddrescue_parse(struct ddrescue_map *map_out, const char *text, size_t size, const char *name,
		   struct err *err) MUST_CHECK;

void ddrescue_reset(struct ddrescue_map *map);

/* The range lies within the blocks (asserted). Returns 0 or ERR_NOMEM, then nothing changed. */
int ddrescue_set(struct ddrescue_map *map, uint64_t offset, uint64_t size,
		 enum ddrescue_status status) MUST_CHECK;

/* The end of the last block. */
uint64_t ddrescue_end(const struct ddrescue_map *map);

/*
 * The status at `offset`; *run_out is how many bytes from there on have it, UINT64_MAX - offset behind the end. May be
 * NULL.
 */
enum ddrescue_status ddrescue_status_at(const struct ddrescue_map *map, uint64_t offset,
					uint64_t *run_out);

/* Bytes with this status, in blocks. */
uint64_t ddrescue_total(const struct ddrescue_map *map, enum ddrescue_status status);

/* Adds the whole file to `text`; `command` goes into a comment, or NULL. */
void ddrescue_print(const struct ddrescue_map *map, const char *command, struct text *text);

VEC_DEFINE(hole_vec, struct hole);

/*
 * Whole sectors of a device of `size` bytes that were not rescued, for dev_holes_open(): `holes_out` (zeroed) is to be
 * freed by hole_vec_reset(). Returns 0 or ERR_NOMEM.
 */
int ddrescue_holes(const struct ddrescue_map *map, uint64_t size,
		   struct hole_vec *holes_out) MUST_CHECK;

#endif

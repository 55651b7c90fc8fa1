/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tests of bare arrays share: arrays as other software lays them out, said twice. bare_map() makes the map with
 * core/map/foreign.h; bare_place() says for one byte of the volume, from the pictures of such arrays, where it lies.
 *
 * In an array of parity the chunks of a row stand on all members: the checks on members that move down by one with each
 * row, data from behind them on (left-symmetric). Mirrors and plain members hold everything in a row.
 */
#ifndef PG_TESTS_FOREIGN_HELP_H
#define PG_TESTS_FOREIGN_HELP_H

#include "core/array/array.h"
#include "core/dev/devices.h"
#include "core/map/foreign.h"

#define BARE_MEMBERS_MAX 32u /* more than 8 for mirrors only */

struct bare {
	enum layout layout;   /* plain is striped, mirrors are one group */
	uint32_t members;     /* all of them */
	uint32_t checks;      /* parity */
	uint32_t unit_blocks; /* of a chunk */
	uint32_t rows;        /* chunks of a member; parity: a multiple of `members` */
	uint64_t origin;      /* of the first chunk on each member */
	uint32_t cut;         /* bytes that the last block lacks; mirrors only, a multiple of 512 */
	uint32_t stale;       /* members whose extents do not count, a bit each */
};

/* One of each kind, with what is odd about places: origins, cuts, small units. */
#define BARE_CASES 7u
extern const struct bare bare_cases[BARE_CASES];

uint64_t bare_member_size(const struct bare *bare); /* behind the data is a bit more */
uint64_t bare_volume_size(const struct bare *bare);
struct map *bare_map(const struct bare *bare);

/* Which member has column `column` of row `row`: data columns, then checks. */
uint32_t bare_slot(const struct bare *bare, uint32_t row, uint32_t column);
/* Where byte `offset` of the volume lies; of mirrors on copy `copy`. */
struct bare_byte {
	uint32_t slot;
	uint64_t place;
};
struct bare_byte bare_place(const struct bare *bare, uint64_t offset, uint32_t copy);

/*
 * Such an array with bytes in it. The images outlive the arrays that are opened on them; checks come from long
 * multiplication, not from the engine.
 */
struct bare_rack {
	struct bare bare;
	struct env *env;
	uint64_t size;   /* of an image */
	uint8_t *volume; /* what it holds, and zeros up to a block */
	uint8_t *images[BARE_MEMBERS_MAX];
	struct dev *sims[BARE_MEMBERS_MAX]; /* of the open array; NULL where absent */
	struct dev *faults[BARE_MEMBERS_MAX];
	struct array *array;
};

void bare_rack_fill(struct bare_rack *rack, const struct bare *bare, uint64_t seed);
/* Open with members absent, a bit each. `hooks` may be NULL. */
struct array *bare_rack_open(struct bare_rack *rack, uint32_t absent, enum array_access access,
			     const struct foreign_hooks *hooks, void *hooks_arg);
/* Close, and keep what was written in the images. */
void bare_rack_close(struct bare_rack *rack);
void bare_rack_empty(struct bare_rack *rack);
/* A block of the open array's member cannot be read until it is written. */
void bare_rack_break(struct bare_rack *rack, uint32_t slot, uint64_t place);

#endif

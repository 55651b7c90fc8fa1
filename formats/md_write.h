/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a session that writes to a Linux MD array changes in its superblocks and bitmaps: the hooks of
 * core/store/foreign.h.
 *
 *	md_write_open()		of the members that were chosen; nothing is written
 *	md_write_hooks		for the engine, with the struct as their argument
 *	md_write_free()
 *
 * Dirty: the kernel's own mark, under which it resynchronises all of the array, and with a bitmap all of its bits, as
 * nobody says which rows a session will write. What the array was before comes back at the end: clean, or the part
 * that was out of step; clean as well where in_step() said meanwhile that all rows hold. A slot that nobody holds is given up when the first write comes, by two events and by name,
 * so that what its member missed is never believed; while one is empty, bits of the bitmap stay set for its return.
 * The partial parity logs are made empty before the dirty mark, as they do not know of the session's rows: a kernel that
 * finds the array dirty and nothing in them takes all of it, and goes on with the logs.
 *
 * Promises, by which a crash between any two writes leaves an array that opens with all of its data. So does one within
 * a write, as all that changes lies in the first 512 bytes; but where slots change, in 0.90 and with more than 128 roles,
 * it can cost the one member whose superblock is being written, by a sum that is wrong.
 *	close		counts of events of members that are in differ by no more than one
 *	order		bitmaps before superblocks, and of those one after the other, each durable before the next
 *	changed		a superblock that is not as it was when the array was opened ends the session: ERR_CHANGED
 *
 * Refused: arrays that are being reshaped, those with a journal, and dirty ones whose partial parity logs name
 * something: the kernel has to finish them.
 */
#ifndef PG_FORMATS_MD_WRITE_H
#define PG_FORMATS_MD_WRITE_H

#include "core/store/foreign.h"
#include "formats/md_map.h"

struct md_write; /* opaque */

/*
 * `set` and `seats` are borrowed for the call; logs_empty: the partial parity logs of all members that were chosen are
 * whole and name nothing. Returns 0, ERR_UNSUPPORTED or ERR_NOMEM.
 */
int md_write_open(struct md_write **write_out, const struct md_set *set,
		  const struct md_seats *seats, bool logs_empty, struct err *err) MUST_CHECK;
void md_write_free(struct md_write *write);

extern const struct foreign_hooks md_write_hooks;

/* Has a device room for what the array keeps in this slot? ERR_SIZE. */
int md_write_fits(const struct md_write *write, uint32_t slot, uint64_t device_sectors,
		  struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device as a bare array sees its member: its addresses are those of the map, each range of them a window of the
 * device below (docs/FOREIGN.md, section 2). Above it is at most what recovery patches (dev_patch_open()).
 *
 * An operation is split where a run ends; all parts of all operations of a batch go down as one batch, where reads of
 * what lies behind each other, or nearly, are one: a volume read in order reads its members in order. Below everything is in whole
 * blocks: where a part begins or ends within one, it goes through memory of its own, and a write reads what
 * it shares its blocks with first, one at a time.
 *
 * Promises, each tested under its name in tests/unit/test_windows.c:
 *	oracle		reads and writes are those of a byte array with the same windows, whatever origins and runs;
 *			no byte outside the windows changes
 *	behind_the_end	behind a window's last byte there are zeros, and what is written there is dropped, also where
 *			the device ends there, within a block
 *	outside		an operation on an address of no window is ERR_TRUNCATED, and nothing of it is done
 *	joined		reads that lie behind each other below go down as one, up to 1 MiB, with gaps of up to 64 KiB
 *			that come to a third of it at most; what lies in a gap harms nobody
 *	errors		of operations in one batch exactly those fail of which a part failed
 */
#ifndef PG_DEV_WINDOWS_H
#define PG_DEV_WINDOWS_H

#include "core/base/window.h"
#include "core/dev/dev.h"

/*
 * `windows` ascend and are sound; copied. Owns `below` from success on, whose last block is shown from now on
 * (dev_show_tail()). Returns 0 or ERR_NOMEM.
 */
int dev_windows_open(struct dev **dev_out, struct dev *below, const struct window *windows,
		     uint32_t count) MUST_CHECK;

/*
 * Other windows from now on, while no operation is on an address that they have not alike. Returns 0, or ERR_NOMEM: then they are
 * as they were.
 */
int dev_windows_set(struct dev *dev, const struct window *windows, uint32_t count) MUST_CHECK;

#endif

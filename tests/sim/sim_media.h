/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lies on a few small simulated disks, with marks to go back to.
 *
 *	mark = media_mark()	from here on every page that changes is kept
 *	media_write() ...
 *	media_undo(mark)	the bytes are those of the mark again; the mark is gone
 *
 * Marks nest. Going back costs the pages that changed, so a crash state costs what it changes and
 * not what the disks hold. It runs out of memory by ending the program: it is a test's tool.
 */
#ifndef PG_TESTS_SIM_MEDIA_H
#define PG_TESTS_SIM_MEDIA_H

#include <stddef.h>
#include <stdint.h>

struct media; /* opaque */

struct media *media_create(uint32_t disks, uint64_t size);
void media_free(struct media *media);
uint32_t media_disks(const struct media *media);
uint64_t media_size(const struct media *media);
const uint8_t *media_bytes(const struct media *media, uint32_t disk);

/* `bytes` NULL: zeros. Any offset and size within the disk. */
void media_write(struct media *media, uint32_t disk, uint64_t offset, const uint8_t *bytes,
		 uint64_t size);

uint32_t media_mark(struct media *media);
void media_undo(struct media *media, uint32_t mark);
/* Pages whose bytes differ from what they were at the mark, which stays. */
uint32_t media_changed(const struct media *media, uint32_t mark);
/* Equal for equal bytes, for little more than the pages that changed since it was asked last. */
uint64_t media_hash(struct media *media);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What was found of one Linux MD array: files, superblocks, what they are worth beside each other, and who stands in
 * which slot. Made once for an opening; status, assemble and reports read it.
 */
#ifndef PG_CLI_MD_VIEW_H
#define PG_CLI_MD_VIEW_H

#include "cli/command.h"
#include "cli/scan.h"
#include "formats/md_map.h"
#include "formats/md_replay.h"
#include "formats/md_write.h"

struct md_view_device {
	char *path;
	struct md_probe probe;
	const struct md_found *found; /* the superblock that counts */
};

struct md_view {
	struct md_view_device *devices; /* by the device numbers of the set; owned */
	const char **paths;             /* of the same; owned, for md_explain_set() */
	uint32_t device_count;
	struct md_sets sets;
	const struct md_set *set; /* of the array that is opened */
	struct md_seats seats;
	struct md_replayed replayed; /* in memory, by md_open() */
	struct md_write *write;      /* of an array open for writing, by md_open(); owned */
};

/*
 * From the candidates of one array, whose probes are moved. `accept_stale`: members, by path or slot, that are to be
 * taken although they missed changes; one that is not stale is ERR_STATE, one that is not there ERR_NOT_FOUND.
 */
int md_view_make(struct md_view **view_out, struct candidate_vec *candidates,
		 const struct text_list *accept_stale, struct err *err) MUST_CHECK;
void md_view_free(struct md_view *view);

/* The device that stands in a slot; NULL: nobody. */
const struct md_view_device *md_view_seated(const struct md_view *view, uint32_t slot);

/* Have all that stand in a slot a partial parity log that is whole and names nothing? */
bool md_view_logs_are_empty(const struct md_view *view);

/*
 * Was the array not stopped in order, with no log that makes up for it? Then checks may not fit the data in at most so
 * many bytes of each member, as bitmaps say; UINT64_MAX: anywhere. What such checks rebuild is unproven.
 */
bool md_view_unproven(const struct md_view *view, uint64_t *bytes_out);

/* "current", "stale", ... of an entry, as status and assemble show it. */
const char *md_view_state(const struct md_view *view, const struct md_set_member *entry);

#endif

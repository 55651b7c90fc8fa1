/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The open array's fields, for core/array and core/job only. */
#ifndef PG_ARRAY_ARRAY_INTERNAL_H
#define PG_ARRAY_ARRAY_INTERNAL_H

#include "core/array/array.h"
#include "core/map/places.h"
#include "core/map/share.h"
#include "core/store/commit.h"

struct row_locks;
struct seal_cache;
struct intent_log;
struct write_state;
struct write_behind;
struct hold;

#define TASKS_MAX 16u /* that jobs run side by side */

/* One member as it was found. */
struct array_member {
	struct dev *dev; /* NULL: absent. Owned. */
	enum presence presence;
	struct member_regions regions;
	bool current;   /* holds the records of the last commit */
	bool joins;     /* by the next commit: it has no superblock yet */
	bool refuted;   /* its last commit is none: to be taken back */
	bool heals_not; /* a block that was written back is not there; guarded by `change` */
	bool wrapped;   /* `dev` is one of windows, above the member (open_windows.h) */
};

/* Writes to a bare array; guarded by `change`. */
struct bare_session {
	bool begun; /* it is marked dirty */
	bool failed;
	struct member_set written; /* since then */
};

/* Frames that the next commit frees. */
struct array_freed {
	uint32_t slot;
	uint32_t frame;
	uint8_t size_class;
};

struct array {
	struct env *env; /* borrowed */
	struct map *map;
	struct space *space;
	struct commit_state commit;
	struct array_member members[MEMBERS_MAX]; /* by slot */
	struct dev *unused[MEMBERS_MAX + 1];      /* devices that are no part of it; owned */
	uint32_t unused_count;
	enum array_access access;
	uint32_t tasks;
	bool tasks_given;     /* the operator said how many */
	bool missing_at_open; /* opened for writing without all members */
	struct err poison;    /* code 0: none */
	void (*member_lost)(void *arg, uint32_t slot, int code); /* as in array_open_request */
	void *member_lost_arg;
	struct env_lock
		change; /* held while map and commit state are edited by concurrent writers */
	struct row_locks *row_locks; /* these five: NULL in an array that is only read */
	struct seal_cache *seal_cache;
	struct write_state *write; /* what core/array/write_state.c keeps */
	struct write_behind *behind;
	struct hold *hold;
	struct write_half *halves;    /* guarded by `change`; core/array/write_half.c */
	struct intent_log *log;       /* NULL until the first in-place write; guarded by `change` */
	uint64_t log_generation_seen; /* on any member at open */
	struct array_recovery recovery;
	struct share
		*shares; /* how mirrors are read, as they were when it was opened; may be NULL */
	struct array_freed *freed;
	uint32_t freed_count, freed_capacity;
	const struct foreign_hooks *hooks; /* of a bare array that may be written, else NULL */
	void *hooks_arg;
	struct bare_session session;
};

/* Frames of an extent that the map no longer names: free once the next commit is acknowledged. */
int array_free_later(struct array *array, const struct extent *extent) MUST_CHECK;

/* Where new extents can be put now. */
struct places array_places(const struct array *array);

/* Members in service: present and neither failed nor offline. */
struct member_set array_in_service(const struct array *array);

/* Columns of a group that can be read and written now, a bit each. Any task, while others mark members. */
uint32_t array_usable_columns(struct array *array, const struct group *group);

/* So many members may be absent for writing: what the groups survive, or less than half. */
uint32_t array_absent_allowed(const struct map *map);

/*
 * The group that would be lost if this member were taken out of service; NULL: none would. A group without
 * any checks cannot be helped, so it counts only where no other group of the member can be either.
 */
const struct group *array_group_needing(const struct array *array, uint32_t slot);

/*
 * The map in memory was changed in part, or says what the disks do not: nothing is written any more. Returns
 * why->code, with *why in *err.
 */
int array_stop_writing(struct array *array, const struct err *why, struct err *err);
/* The same after an edit that memory ran out in: "no memory to WHAT". Returns ERR_NOMEM. */
int array_edit_failed(struct array *array, const char *what, struct err *err);

/* One commit on all members, or an error that names the one that failed: before an array is one. */
int array_commit_on_all(struct array *array, struct err *err) MUST_CHECK;

/* Sizes that follow from the smallest and the largest member, see FORMAT.md section 4; `extent_size`, `frame_body_blocks`: 0. */
void array_plan_geometry(struct geometry *geometry, uint64_t smallest, uint64_t largest,
			 uint32_t member_count, uint64_t extent_size, uint32_t frame_body_blocks);
/* Full extents for members of that size, with bodies of at most `largest_body` bytes. */
void array_plan_size_class(struct policy *policy, const struct geometry *geometry,
			   uint64_t smallest, uint64_t largest_body, uint32_t member_count);

/* Set up the table of members from the map; used by create and open. */
struct array *array_allocate(struct env *env, enum array_access access, uint32_t tasks);

#endif

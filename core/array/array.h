/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The open array: members, map and space, and the operations on them.
 *
 *	array_probe()	what does this member say it is?
 *	array_create()	make one from open devices
 *	array_open()	open one from the devices that were found
 *	(array_map, array_read, the jobs of core/job)
 *	array_close()
 *
 * The caller finds and opens devices; the array owns them from a successful create or open on. It
 * never opens a path. A read-only array issues no write whatever happens.
 *
 * Safe for many tasks reading and writing volumes, also while one task runs a job that changes groups (relayout.h,
 * migrate.h); a volume keeps its place in memory meanwhile. Other edits and commits come from one task alone, with
 * nothing late (array_write_settle): a member that fails under a late write is marked in a commit.
 */
#ifndef PG_ARRAY_ARRAY_H
#define PG_ARRAY_ARRAY_H

#include "core/base/err.h"
#include "core/dev/dev.h"
#include "core/env/env.h"
#include "core/map/map.h"

struct array; /* opaque */

/* What one member's superblocks say; `valid_slots` is 0 when it is no member. */
struct array_probe {
	uint32_t valid_slots;
	struct uuid array;
	struct uuid member;
	uint32_t slot;
	uint64_t epoch, generation;
	uint64_t member_size; /* when it joined */
	uint64_t size;        /* now */
	uint64_t frame_count;
	uint32_t frame_body_blocks;
	uint64_t written_s;
	uint64_t newest_offset; /* where the superblock lies that says all this */
	char name[NAME_SIZE];   /* of the array */
	struct err damage; /* why a slot that has the magic is not valid; code 0: there is none */
};
/* Reads 32 blocks. Returns 0 also for a file that is no member; ERR_VERSION for a newer one. */
int array_probe(struct array_probe *probe_out, struct dev *dev, struct err *err) MUST_CHECK;

struct array_create_request {
	struct env *env;
	const char *name;
	struct dev **devs; /* writable; spares behind the others */
	uint32_t dev_count;
	uint32_t spare_count;              /* the last so many are spares */
	const struct label *const *labels; /* per device: label_counts[i] of them */
	const uint32_t *label_counts;      /* per device; both may be NULL */
	struct policy policy;              /* columns 0, unit_blocks 0: defaults */
	uint64_t extent_size;              /* bytes of a full extent's body; 0: default */
	uint32_t frame_body_blocks; /* 0: default; few make wide groups of little data, for tests */
	const char *across;         /* may be NULL */
};
/* What create would do, before anything is written. */
struct array_plan {
	struct policy policy; /* with all defaults filled in */
	struct geometry geometry;
	uint64_t usable; /* bytes that fit with the default policy */
	uint64_t raw;
	uint64_t metadata_bytes; /* written by create, on all members */
};
/* Pure: fill in the defaults and check every limit. Returns 0 or ERR_SIZE, ERR_LIMIT, ERR_NAME. */
int array_plan_create(struct array_plan *plan_out, const struct array_create_request *request,
		      struct err *err) MUST_CHECK;
/* Make it. On success the array owns the devices; on failure the caller still does. */
int array_create(struct array **array_out, const struct array_create_request *request,
		 struct err *err) MUST_CHECK;

enum array_access { ARRAY_READ, ARRAY_WRITE };

struct array_open_request {
	struct env *env;
	struct dev **devs; /* members of one array, any order; at most MEMBERS_MAX + 1 */
	uint32_t dev_count;
	enum array_access access;
	bool salvage; /* read-only, with fewer members than needed */
	bool leave_log; /* read-only, without recovery: what the log names may differ on the members */
	uint32_t tasks; /* that jobs run side by side; 0: one for each processor */
	/*
	 * A member failed and a commit without it is durable: to be noted, and no more. By any task, one at a
	 * time, from array_open() to array_close(). May be NULL.
	 */
	void (*member_lost)(void *arg, uint32_t slot, int code);
	void *member_lost_arg;
};
/*
 * Open. Refuses, having written nothing: two devices with one member uuid (ERR_DUPLICATE), members of
 * two arrays (ERR_MIXED), split brain (ERR_FORK), unknown features (ERR_VERSION), a map that fails its
 * check (ERR_FORMAT), and for writing too few members (ERR_TOO_FEW).
 * On success the array owns all devices, also those it does not use; else the caller still does.
 */
int array_open(struct array **array_out, const struct array_open_request *request,
	       struct err *err) MUST_CHECK;
void array_close(struct array *array);

/*
 * An array that somebody else made (docs/FOREIGN.md): a map of core/map/foreign.h and its devices. It is read like any
 * other; whatever would write a map, a seal or a log refuses it with ERR_FOREIGN, having written nothing.
 */
struct foreign_hooks;
struct array_foreign_request {
	struct env *env;
	struct map *map; /* bare */
	struct dev *const *
		devs; /* MEMBERS_MAX of them, by slot; NULL: absent. One that is short is used as far as it goes */
	enum array_access access; /* ARRAY_WRITE: for scrub's repair and rebuild */
	uint32_t tasks;           /* as in array_open_request */
	const struct foreign_hooks *
		hooks; /* NULL: it is not written. Borrowed until array_close(), as is its argument */
	void *hooks_arg;
};
/* Returns 0 or ERR_NOMEM. On success map and devices are the array's; else they are the caller's still, as they were. */
int array_open_foreign(struct array **array_out, const struct array_foreign_request *request,
		       struct err *err) MUST_CHECK;
/* ERR_FOREIGN when it is such an array: what makes, writes or reads records of ours asks this first. */
int array_need_native(const struct array *array, struct err *err) MUST_CHECK;
/*
 * The same, and ERR_ADOPTED, with both ways out, while an undo would lose what is about to be done (docs/ADOPT.md): what
 * changes data, groups or members asks this.
 */
int array_need_committed(const struct array *array, struct err *err) MUST_CHECK;
/* The same, and ERR_ADOPTED as long as any group is bare: what changes groups as they are, but for `migrate`. */
int array_need_sealed(const struct array *array, struct err *err) MUST_CHECK;
/* The same for what writes into this volume in place: none of its spans is bare. */
int array_need_sealed_volume(const struct array *array, const struct volume *volume,
			     struct err *err) MUST_CHECK;

/* The model; valid until the next commit. Names, members, groups, volumes, jobs. */
struct map *array_map(const struct array *array);
struct env *array_env(const struct array *array);
uint32_t array_tasks(const struct array *array);
/*
 * The same for jobs that mostly wait for members: twice as many where those are read past the page cache,
 * so that they are kept busy while others compute, unless the request said how many.
 */
uint32_t array_tasks_waiting(const struct array *array);

/* How a member was found. */
enum presence {
	PRESENT,       /* open and current */
	PRESENT_STALE, /* open; missed commits; extents usable, metadata written by the next commit */
	ABSENT,        /* not found */
	ABSENT_TRUNCATED, /* found, but smaller than it was: not used */
	ABSENT_BROKEN,    /* found, but its superblock or geometry is not usable */
	ABSENT_OTHER_BRANCH,
};
const char *presence_name(enum presence presence);
enum presence array_presence(const struct array *array, uint32_t slot);
/* The device of a member, NULL when absent. Borrowed. */
struct dev *array_dev(const struct array *array, uint32_t slot);
/* Extents of this member can be read: present, and neither failed nor offline. */
bool array_member_usable(const struct array *array, uint32_t slot);
/* Extent's bytes may be used: member usable and extent not stale. */
bool array_extent_usable(const struct array *array, const struct extent *extent);

/* Read `length` bytes of a volume at `offset`; whole blocks are verified; damage is reconstructed. */
struct array_read_result {
	uint64_t reconstructed; /* bytes that had to be rebuilt */
	uint64_t lost;          /* bytes that could not be; the buffer holds zeros there */
	uint64_t
		healed; /* bytes of damaged blocks that were written back; only in an array open for writing */
};
int array_read(struct array *array, const struct volume *volume, uint64_t offset, void *bytes,
	       uint64_t length, struct array_read_result *result, struct err *err) MUST_CHECK;

/*
 * In-place writes, by any number of tasks at once (docs/WRITES.md).
 *
 *	array_write()		any offset and length; durable when it returns
 *	array_write_settle()	seals in place, an empty log: at the end of a session and before any job
 *				changes groups; without anything late it does no I/O
 */
struct array_write_result {
	uint64_t bytes_read;                        /* from members: data, checks, seals */
	uint64_t bytes_written;                     /* to members, without the log */
	uint64_t full_rows, reconstructs, modifies; /* slices by the way they were written */
	uint64_t healed; /* bytes of damaged blocks beside them that were written back */
};
/*
 * Write `length` bytes at `offset`, which lie within the volume. Returns 0 when they are durable;
 * ERR_NOSPACE; ERR_IO when more members failed than the layout survives; ERR_LOST when a block that is written
 * only in part cannot be read (nothing was changed). After an error every block is old or new.
 */
int array_write(struct array *array, const struct volume *volume, uint64_t offset,
		const void *bytes, uint64_t length, struct array_write_result *result,
		struct err *err) MUST_CHECK;
int array_write_settle(struct array *array, struct err *err) MUST_CHECK;

/* What recovery did when the array was opened; all zero when the log was empty. */
struct array_recovery {
	uint64_t generation; /* of the record; 0: there was none */
	uint32_t entries;
	uint64_t rows;     /* slices named */
	uint64_t replayed; /* blocks written from content, pages included */
	uint64_t rolled_forward, rolled_back, kept; /* slices by outcome; kept: data as found */
	uint64_t torn;    /* blocks kept that are a mixture of old and new sectors */
	uint64_t lost;    /* blocks that nobody can know any more */
	uint32_t ignored; /* entries and pages that do not fit the map: not believed */
	uint64_t bytes_read, bytes_written;
	bool suspect; /* a newer record was damaged on every copy: a full check is due */
};
const struct array_recovery *array_recovery(const struct array *array);
/*
 * Everything was checked and stands: what recovery suspected is not said any more, by this open array and, where it
 * may write, by the log on the members either.
 */
int array_trust_log(struct array *array, struct err *err) MUST_CHECK;

/*
 * Write the map's edits as one commit: durable on all members in service when it returns 0. A member
 * that fails is marked and the commit is repeated without it. After an error the array is read-only.
 */
int array_commit(struct array *array, struct err *err) MUST_CHECK;
/* Has another process committed since this array was opened? Reads superblocks. */
bool array_has_moved(const struct array *array);

/* The first error that made the array read-only, or 0. */
int array_poisoned(const struct array *array);

/* Sums for status. */
struct array_capacity {
	uint64_t raw;    /* bytes of all frames of members in service */
	uint64_t used;   /* bytes of frames in use */
	uint64_t free;   /* bytes of free frames */
	uint64_t usable; /* bytes of data that still fit with the default policy */
};
void array_capacity(const struct array *array, struct array_capacity *capacity_out);
/*
 * Is there a member after whose loss not everything could be protected again in the room of the others (spares
 * counted)? The worst one.
 */
struct array_shortage {
	uint32_t member;
	uint64_t bytes; /* of frames that are missing */
	bool too_few;   /* a group stands on all members, whatever room there is */
};
bool array_shortage(const struct array *array, struct array_shortage *shortage_out);
/* Frames of a member that are in use. */
uint64_t array_member_used(const struct array *array, uint32_t slot);
/*
 * Members that no sequential group of the default policy uses, because they fill no set of the width
 * that was asked for (SPEC R10). A width that was left open leaves one free on purpose: none.
 */
uint32_t array_left_out(const struct array *array);

enum health { HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_BROKEN };
const char *health_name(enum health health);
enum health array_health(const struct array *array);
enum health array_volume_health(const struct array *array, const struct volume *volume);

/* Members: each is one commit. `dev` becomes the array's on success. */
int array_add_member(struct array *array, struct dev *dev, bool spare, uint32_t *slot_out,
		     struct err *err) MUST_CHECK;
int array_set_member_state(struct array *array, uint32_t slot, enum member_state state,
			   struct err *err) MUST_CHECK;
int array_remove_member(struct array *array, uint32_t slot, struct err *err) MUST_CHECK;
int array_volume_rename(struct array *array, const char *from, const char *to,
			struct err *err) MUST_CHECK;
int array_volume_remove(struct array *array, const char *name, struct err *err) MUST_CHECK;

/*
 * Would the array lose data, or be unable to write, without this member? Returns 0 or ERR_UNSAFE with a
 * text that names a volume. For `offline` and `fail` to ask first.
 */
int array_member_is_needed(const struct array *array, uint32_t slot, struct err *err) MUST_CHECK;

/* SPEC 2.2: the literal reading of claim 16 is refused; the text names the segment it would lose. */
int policy_literal_claim16(const struct policy *policy, uint32_t column,
			   struct err *err) MUST_CHECK;

/* Is this policy possible with `member_count` members? Returns 0, ERR_LIMIT or ERR_SIZE. */
int policy_check(const struct policy *policy, const struct geometry *geometry,
		 uint32_t member_count, struct err *err) MUST_CHECK;

/* The size class of an extent whose body has at least `size` bytes. */
int policy_size_class(uint64_t size, const struct geometry *geometry, uint8_t *class_out,
		      struct err *err) MUST_CHECK;

/*
 * Metadata consistency: every superblock slot, map half, map rule; findings through `found`. *findings_out
 * counts those that are not harmless.
 */
struct array_finding {
	uint32_t slot;   /* member, or MEMBER_NONE */
	uint64_t offset; /* on the member */
	uint64_t length;
	const char *kind; /* "superblock", "map", "rule" */
	const char *text;
	bool harmless; /* a superblock of no commit that counts: half written when a command was killed */
};
int array_check(struct array *array, void (*found)(void *arg, const struct array_finding *finding),
		void *arg, uint64_t *findings_out, struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The map: what the array consists of. Members hold extents, groups protect extents, spans of volumes
 * address them (DESIGN 2). This is the model in memory and its edits; core/store turns it into bytes.
 *
 * An edit (map_put_*, map_remove_*, map_touch_*) changes the model at once and notes what changed; the
 * next commit writes exactly the noted things and calls map_edits_clear(). A map whose commit failed
 * is thrown away and read again, so an edit needs no undo.
 *
 * Pure: no I/O, no locks. One task edits; others may read while nobody edits.
 */
#ifndef PG_MAP_MAP_H
#define PG_MAP_MAP_H

#include "core/base/err.h"
#include "core/base/uuid.h"
#include "core/code/code.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMBERS_MAX 64u    /* of an array; the format has room for 256 */
#define NAME_SIZE 256u     /* of a name with its NUL */
#define LABELS_MAX 16u     /* of a member */
#define LABEL_SIZE 64u     /* of a key or a value with its NUL */
#define EPOCHS_MAX 32u     /* that the map remembers */
#define SIZE_CLASS_MAX 12u /* 2^12 frames */
#define ZONE_PARTS 1000u   /* of a member, for static zones */
#define ZONE_RATES 8u      /* parts of a member that are timed, of equal size */
#define MEMBER_NONE UINT32_MAX
/* In a span: of one of ours the data columns of a group, of a bare one those of all classes, which are no more. */
#define SPAN_EXTENTS_MAX (CODE_COLUMNS_MAX * CODE_COLUMNS_MAX)
#define BARE_FRAME_FIRST                                                                           \
	(UINT32_C(1) << 31) /* where bare extents are numbered from; no member has so many */

enum member_state {
	MEMBER_ONLINE,
	MEMBER_SPARE,
	MEMBER_OFFLINE,
	MEMBER_FAILED,
	MEMBER_STATE_COUNT
};
const char *member_state_name(enum member_state state);

/* A set of member numbers. */
struct member_set {
	uint64_t bits;
};

static inline bool member_set_has(struct member_set set, uint32_t slot)
{
	return slot < MEMBERS_MAX && (set.bits >> slot & 1);
}

static inline struct member_set member_set_with(struct member_set set, uint32_t slot)
{
	return (struct member_set){ set.bits | UINT64_C(1) << slot };
}

static inline uint32_t member_set_count(struct member_set set)
{
	return (uint32_t)__builtin_popcountll(set.bits);
}

struct label {
	char key[LABEL_SIZE];
	char value[LABEL_SIZE];
};

struct member {
	uint32_t slot; /* its number in the array */
	struct uuid uuid;
	enum member_state state;
	bool behind;   /* missed commits since `absent_since` */
	uint64_t size; /* bytes when it joined */
	uint64_t frame_count;
	uint64_t data_offset;  /* bytes, of frame 0 */
	uint64_t absent_since; /* generation */
	uint32_t rates
		[ZONE_RATES]; /* KiB a second that each part of its frames is read with; 0: not measured */
	uint32_t label_count;
	struct label labels[LABELS_MAX];
};

enum journal_mode { JOURNAL_NONE, JOURNAL_DEGRADED, JOURNAL_SMALL, JOURNAL_COUNT };
enum topology {
	TOPOLOGY_FREE,
	TOPOLOGY_PAIRS,
	TOPOLOGY_RING,
	TOPOLOGY_MULTI,
	TOPOLOGY_CROSS,
	TOPOLOGY_COUNT
};
enum zones { ZONES_OFF, ZONES_DYNAMIC, ZONES_STATIC, ZONES_COUNT };

/* How new groups of a volume are made. */
struct policy {
	enum layout layout;
	uint16_t checks;       /* mirror copies - 1, parity p, sequential r */
	uint16_t columns;      /* 0: the widest that leaves room to re-protect */
	uint32_t unit_blocks;  /* parity: striping unit */
	uint8_t size_class;    /* of full extents: 2^n frames */
	uint8_t pure_plus_one; /* sequential: fixed pure column + 1, or 0: it rotates */
	enum journal_mode journal;
	enum topology topology;
	enum zones zones;
	uint16_t zone_second,
		zone_third; /* static: where they begin, thousandths of a member; else 0 */
};

struct extent {
	uint64_t id;
	uint64_t header_generation; /* when it was put at this place; 0 where it has no seal */
	uint32_t slot;              /* member */
	uint32_t
		frame; /* of a bare one a number from BARE_FRAME_FIRST on, which only gives its window an address */
	uint32_t body_blocks;
	uint8_t size_class;
	bool stale; /* contents not valid: treat as an erasure */
};

struct group {
	uint64_t id;
	uint64_t generation;
	struct code_shape shape;
	uint32_t segment_blocks;
	struct window *
		windows; /* bare: where each column lies, from address 0 on; part of this memory. Else NULL. */
	struct extent extents[]; /* shape.columns of them, in column order */
};

struct span {
	uint64_t offset; /* bytes in the volume */
	uint64_t length;
	uint32_t unit_blocks; /* 0: whole data run of an extent */
	uint32_t extent_count;
	uint64_t *extents; /* ids in address order; owned */
};

struct volume {
	uint64_t id;
	uint64_t length;
	struct policy policy;
	char name[NAME_SIZE];
	uint32_t span_count;
	struct span *spans; /* owned */
};

enum job_kind {
	JOB_REBUILD = 1,
	JOB_REPLACE,
	JOB_SCRUB,
	JOB_REMOVE,
	JOB_REBALANCE,
	JOB_RECOMBINE,
	JOB_EVACUATE,
	JOB_EXPAND,
	JOB_MIGRATE,
	JOB_TOPOLOGY,
};
enum job_state { JOB_RUNNING, JOB_PAUSED, JOB_DONE };
const char *job_kind_name(enum job_kind kind);
const char *job_state_name(enum job_state state);

struct job {
	uint64_t id;
	enum job_kind kind;
	enum job_state state;
	uint32_t from; /* member or MEMBER_NONE */
	uint32_t to;   /* member, or MEMBER_NONE for free space */
	uint64_t done; /* bytes */
	uint64_t total;
	uint64_t cursor; /* group id; migrate: bytes of the volume that are done */
	uint64_t started_s;
	/* What it was asked for, where there is such: the volume, and the policy of new groups or its columns. */
	uint64_t volume;
	struct policy policy;
};

struct epoch {
	uint64_t number;
	uint64_t id;
	uint64_t first_generation;
	struct member_set present;
};

/* Of an array that other software made (docs/ADOPT.md); one of ours has no such thing. */
enum adopt_state {
	ADOPT_NONE,
	ADOPT_REVERSIBLE, /* every byte can still be put back */
	ADOPT_COMMITTED,
	ADOPT_UNDOING, /* is being put back: nothing is written to it any more */
};

struct adoption {
	enum adopt_state state;
	struct uuid origin; /* of the array as it was */
};

/* Constants of an array, fixed at create. */
struct geometry {
	uint32_t frame_blocks;
	uint32_t frame_body_blocks;
	uint32_t witness_max;
	uint64_t map_half_size;
	uint64_t log_size;
	bool adopted; /* its superblocks leave 1 MiB alone, and it may have bare groups (docs/ADOPT.md) */
};

/* Where the bytes of a member's bare extents lie (core/map/windows.h). */
struct window;
struct map_windows {
	struct window *at; /* ascending; owned */
	uint32_t count;
};

struct map_index; /* id -> group and column */
struct map_edits; /* what changed since the last commit */
struct map_load;  /* what was read so far */

struct map {
	struct uuid uuid;
	char name[NAME_SIZE];
	struct geometry geometry;
	uint64_t generation; /* of the last commit */
	struct adoption adoption;
	uint64_t created_s;
	struct policy policy; /* default of new volumes */
	char across[LABEL_SIZE];
	uint64_t extent_id_next, group_id_next, volume_id_next, job_id_next;
	uint32_t epoch_count;
	struct epoch epochs[EPOCHS_MAX]; /* oldest first; the last one is the present epoch */
	uint32_t member_count;
	struct member members[MEMBERS_MAX]; /* ascending slot */
	uint32_t group_count, group_capacity;
	struct group **groups; /* ascending id */
	uint32_t volume_count, volume_capacity;
	struct volume **volumes; /* ascending id */
	uint32_t job_count, job_capacity;
	struct job *jobs; /* ascending id */
	bool bare;        /* other software's, with no superblocks of ours: never committed */
	struct map_windows *windows; /* MEMBERS_MAX, by slot; NULL: no group is bare. Owned. */
	struct map_index *index;
	struct map_edits *edits;
	struct map_load *load; /* between map_load_begin() and map_load_end(), else NULL */
};

/* An empty map; NULL without memory. */
struct map *map_create(void);
void map_free(struct map *map);

/* Look-ups: NULL when there is none. */
struct member *map_member(const struct map *map, uint32_t slot);
struct group *map_group(const struct map *map, uint64_t id);
/* The place in map->groups of the first group whose id is not below `id`: its own, when there is one. */
uint32_t map_group_number(const struct map *map, uint64_t id);
/* Of each group, as map->groups, the id of the volume that it holds data of, 0 for none; NULL without memory. */
uint64_t *map_group_volumes(const struct map *map);
struct volume *map_volume(const struct map *map, uint64_t id);
struct volume *map_volume_named(const struct map *map, const char *name);
struct job *map_job(const struct map *map, uint64_t id);
/* The group and column that extent `id` belongs to; NULL when there is none. */
struct group *map_extent(const struct map *map, uint64_t id, uint32_t *column_out);

/* The lowest number that no member has; MEMBERS_MAX when all are taken. */
uint32_t map_slot_free(const struct map *map);
/* Somebody else made it and it has no superblocks of ours: all its groups are bare (docs/FOREIGN.md). */
bool map_is_bare(const struct map *map);
/* It has bare groups, whoever made it: extents without seals, in windows. */
bool map_has_bare(const struct map *map);
static inline bool group_is_bare(const struct group *group)
{
	return group->windows != NULL;
}
static inline bool extent_is_bare(const struct extent *extent)
{
	return extent->frame >= BARE_FRAME_FIRST;
}
/* All groups of a span are of one kind (map_check_volume()). */
bool span_is_bare(const struct map *map, const struct span *span);
/* The ids of its groups, each once, in the order in which the span comes to them; returns how many. */
uint32_t span_groups(const struct map *map, const struct span *span,
		     uint64_t ids_out[SPAN_EXTENTS_MAX]);
/* Members in state MEMBER_ONLINE. */
uint32_t map_online_count(const struct map *map);
/* Is `id` one of these ids, which ascend? */
bool id_is_among(const uint64_t *ids, size_t count, uint64_t id);
/* The value of the label `key`; NULL when there is none. */
const char *label_value(const struct label *labels, uint32_t count, const char *key);
/*
 * What no two columns of a group may share (--across): the member's label of that key; NULL: nothing. --across may
 * name a tree of keys, "node,power": columns never share the first, and of the others as few as possible.
 */
const char *map_domain(const struct map *map, const struct member *member);
#define ACROSS_KEYS_MAX 4u
/* How many keys `across` names, and the label of the n-th of them. */
uint32_t across_keys(const char *across);
const char *across_label(const char *across, uint32_t n, const struct label *labels,
			 uint32_t count);

/* A group with room for `columns` extents, zeroed, not yet in a map; NULL without memory. */
struct group *map_group_create(uint32_t columns);
struct group *map_group_create_bare(uint32_t columns); /* with `windows` */
struct group *map_group_copy(const struct group *group);
/* A volume or span list, zeroed; map_volume_free() releases what is not in a map. */
struct volume *map_volume_create(void);
void map_volume_free(struct volume *volume);
/* Append a span and take over `extents`. Returns 0 or ERR_NOMEM. */
int map_volume_add_span(struct volume *volume, const struct span *span) MUST_CHECK;

/*
 * Edits. put replaces what has the same id (the map owns group and volume from then on, also on
 * failure); each returns 0 or ERR_NOMEM (a group also ERR_LIMIT, map_index.h). touch notes that the caller changed the object in place.
 */
int map_put_member(struct map *map, const struct member *member) MUST_CHECK;
int map_put_group(struct map *map, struct group *group) MUST_CHECK;
int map_put_volume(struct map *map, struct volume *volume) MUST_CHECK;
int map_put_job(struct map *map, const struct job *job) MUST_CHECK;
int map_remove_member(struct map *map, uint32_t slot) MUST_CHECK;
int map_remove_group(struct map *map, uint64_t id) MUST_CHECK;
int map_remove_volume(struct map *map, uint64_t id) MUST_CHECK;
int map_remove_job(struct map *map, uint64_t id) MUST_CHECK;
int map_touch_group(struct map *map, uint64_t id) MUST_CHECK;
int map_touch_volume(struct map *map, uint64_t id) MUST_CHECK;
int map_touch_member(struct map *map, uint32_t slot) MUST_CHECK;
int map_set_adoption(struct map *map, const struct adoption *adoption) MUST_CHECK;

/*
 * Reading a map from a disk, which may hold many objects in the worst order: between begin and end only
 * put and remove are allowed, they are gathered, and end makes the map of them in n log n.
 *
 * Return 0 or ERR_NOMEM; map_load_end() also ERR_LIMIT for extent ids that no counter gave. On failure
 * the map can only be freed.
 */
int map_load_begin(struct map *map) MUST_CHECK;
int map_load_end(struct map *map) MUST_CHECK;

/* What changed; the types are those of items in FORMAT.md section 3. */
enum { EDIT_MEMBER = 2, EDIT_GROUP = 3, EDIT_VOLUME = 4, EDIT_JOB = 5, EDIT_ADOPTION = 7 };
struct map_edit {
	uint8_t type;
	uint64_t id;
};
uint32_t map_edit_count(const struct map *map);
struct map_edit map_edit_at(const struct map *map, uint32_t index);
void map_edits_clear(struct map *map);
/* Memory ran out while an edit was noted: the model has changed and its commit would not say so. */
bool map_edits_lost(const struct map *map);
/* The group or volume that the edit is of; NULL when it is of something else, or removed. */
const struct group *map_edit_group(const struct map *map, struct map_edit edit);
const struct volume *map_edit_volume(const struct map *map, struct map_edit edit);

/* Blocks of a column that carry data, and of the whole body. */
uint32_t group_data_blocks(const struct group *group);
uint32_t group_body_blocks(const struct group *group);
/* Columns that carry data: parity k, sequential m, mirror and plain 1. */
uint32_t group_data_columns(const struct group *group);
/* Any so many columns may be lost. */
uint32_t group_tolerance(const struct group *group);
/* Member address in bytes of block `block` of the extent's body, and of its seal. */
uint64_t extent_offset(const struct map *map, const struct extent *extent, uint32_t block);
uint64_t extent_seal_offset(const struct map *map, const struct extent *extent);
uint32_t extent_seal_blocks(const struct map *map, uint32_t size_class); /* room for the seal */
/* Blocks of a frame for a given body and widest group (FORMAT.md section 4). */
uint32_t geometry_frame_blocks(uint32_t frame_body_blocks, uint32_t witness_max);

/* A name may be used: 1..255 bytes, no control characters, no slash, not "." or "..", not "-". */
int map_name_check(const char *name, struct err *err) MUST_CHECK;

#endif

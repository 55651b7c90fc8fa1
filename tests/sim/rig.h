/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small arrays and what is done to them: a rig is an array of one code on simulated disks with two
 * volumes; a run is a recorded script of steps on it.
 *
 *	rig_open()	make the array; its bytes stay as the ground that all runs begin from
 *	run_record()	choose a script and a schedule, run it once, note everything
 *	(crash.h: what a power loss at any moment of it may leave)
 *	run_reset(), rig_close()
 */
#ifndef PG_TESTS_SIM_RIG_H
#define PG_TESTS_SIM_RIG_H

#include "tests/sim/choice.h"
#include "tests/sim/sim_rack.h"
#include "tests/sim/truth.h"

#define STEPS_MAX 4u

struct rig_shape {
	const char *name;
	enum layout layout;
	uint16_t columns, checks;
	uint32_t members;
	uint32_t tolerance;    /* any so many members may be lost */
	uint32_t frame_blocks; /* of a frame's body; 0: as large as they are */
};
extern const struct rig_shape rig_shapes[];
extern const uint32_t rig_shape_count;

struct rig {
	const struct rig_shape *shape;
	struct policy policy;
	struct media *media; /* members, then blank disks */
	uint32_t disks;
	struct truth truth; /* of the ground */
};

/* `shape` is an index of rig_shapes. */
void rig_open(struct rig *rig, uint32_t shape);
void rig_close(struct rig *rig);

enum step_kind {
	STEP_NONE,
	STEP_CREATE, /* on blank disks */
	STEP_VOLUME_CREATE,
	STEP_RENAME,
	STEP_REMOVE,
	STEP_PUT,
	STEP_APPEND,
	STEP_FAIL,
	STEP_OFFLINE,
	STEP_ONLINE,
	STEP_ADD,
	STEP_MEMBER_REMOVE,
	STEP_REBUILD_TO,
	STEP_REBUILD_FREE,
	STEP_REPLACE,
	STEP_SCRUB_REPAIR, /* after damage within the budget */
	STEP_WRITE_SMALL,  /* part of a block */
	STEP_WRITE_LARGE,  /* many blocks, from the middle of one to the middle of another */
	STEP_WRITE_ROWS,   /* whole blocks, enough for whole rows */
	STEP_WRITERS,      /* three tasks at once, two of them on the same blocks */
	STEP_SETTLE,
	STEP_REOPEN,       /* without settling: what a process that ended leaves behind */
	STEP_RESTORE,      /* members that are back take in what they missed */
	STEP_RETURN,       /* reopen, and who was absent from the beginning is there again */
	STEP_WRITE_FULL,   /* its cells find no space */
	STEP_WRITE_GONE,   /* a member fails with its cells */
	STEP_WRITE_SETTLE, /* the same block again and again, while another task settles */
	STEP_PUT_LARGE,
	STEP_WRITE_FAR, /* near the end of the last volume */
	STEP_POWER_CUT, /* in a write, after so many operations; then open, which recovers */
	STEP_EXPAND,    /* the blank disk joins, groups become one column wider, all is spread */
	STEP_REBALANCE,
	STEP_RECOMBINE,
	STEP_EVACUATE, /* one member: by moves, or where there is no other member by narrower groups */
	STEP_PUT_GROUPS,     /* three whole groups */
	STEP_EXPAND_WRITING, /* while another task writes */
	STEP_MIGRATE,        /* a volume gets another layout that survives as many losses */
	STEP_MIGRATE_CHECKS, /* one check more, as many as there can be; then as few as the rig has */
	STEP_MIGRATE_WIDTH, /* groups of one column more, or less when there are no more members */
	STEP_MIGRATE_WRITING, /* another layout, while another task writes */
	STEP_TOPOLOGY, /* copies move to other homes; what is no mirror goes apart from a label that two share */
	STEP_FAILOVER,
	STEP_FAILBACK,
	STEP_TO_SPARE,        /* a member is emptied, and is a spare */
	STEP_REBUILD_SPARE,   /* the first member's data go to the spare */
	STEP_REMOVE_EVACUATE, /* a member is emptied, and goes */
	STEP_KINDS
};
const char *step_name(enum step_kind kind);

/* A script: up to three steps; the name is for reports and the choice of tests. */
struct script {
	const char *name;
	enum step_kind steps[3];
	uint32_t degraded_max; /* begin with up to so many members absent */
};
extern const struct script scripts[];
extern const uint32_t script_count;
#define SCRIPT_ANY UINT32_MAX /* three steps, each chosen */

struct run {
	const struct rig *rig;
	struct rack rack;
	struct recording recording;
	struct array *array;  /* open while steps run */
	struct env *env_made; /* to be freed; NULL for the plain one */
	uint32_t script, seed;
	enum journal_mode journal; /* of all volumes while it runs */
	uint32_t step_count;
	enum step_kind steps[STEPS_MAX];
	uint32_t picks[STEPS_MAX];          /* what each works on; 0: the usual */
	uint32_t serial;                    /* number of the first step, for names and contents */
	bool lasting;                       /* one of many on the same array (run_go_on) */
	uint32_t blank_disk;                /* that steps may add */
	struct truth truths[STEPS_MAX + 1]; /* [i]: after i steps */
	uint32_t idle[STEPS_MAX + 1];  /* disks that may go as they hold nothing then, a bit each */
	uint32_t spent[STEPS_MAX + 1]; /* of the losses that the code survives, used up then */
	uint32_t serving[STEPS_MAX + 1]; /* disks of members in service then, a bit each */
	uint32_t acked;                  /* steps that are done */
	struct truth_writes writes;
	int step_rc[STEPS_MAX]; /* what each step returned */
	char text[200];         /* of the last error */
	uint32_t mark;          /* of the media: as the rig was */
	uint32_t ground;        /* of the media: where the steps begin */
	bool beyond; /* more faults than the code survives: all may be lost, nothing wrong */
	bool blank;  /* begins with blank disks */
	bool missed; /* a disk did not do what it acknowledged: only a scrub can tell (FAULTS A8) */
	bool corrupts;    /* a disk gives or keeps other bytes than it was given */
	bool damaged;     /* what scrub --repair is to find, and did not yet */
	uint32_t absent;  /* disks that are not there when it begins */
	uint32_t away;    /* those of them that are not back */
	uint32_t bad;     /* disks that are among `spent` from the beginning, when it is lasting */
	uint32_t liars;   /* disks whose flushes do nothing */
	uint32_t emptied; /* disks that a job left without anything */
	struct wrong broken; /* what a step did that it must not, whatever is on the disks */
	uint32_t disk_of[RACK_DISKS_MAX + 1]; /* by slot */
};

bool run_has_step(const struct run *run, enum step_kind kind);

/* Members that may be absent when a script begins on such an array. */
uint32_t run_degraded_max(const struct rig_shape *shape, uint32_t script);

/*
 * Choose and run. The media are marked before and left as the run left them; run_reset() goes back.
 * `script`: an index of scripts, or SCRIPT_ANY.
 */
void run_begin(struct run *run, const struct rig *rig, uint32_t script, struct choice *choice);

/* The array as earlier runs left it, for one more run of steps that are chosen of `kinds`. */
struct run_place {
	const struct rig *rig;
	const struct truth *truth;
	uint32_t serial;
	enum journal_mode journal;
	enum step_kind kinds[STEP_KINDS];
	uint32_t kind_count;
	uint32_t disk_of[RACK_DISKS_MAX + 1];
	uint32_t blank_disk; /* that is no member; RACK_DISKS_MAX: there is none */
	uint32_t absent;
	uint32_t bad;  /* absent, out of service, or not rebuilt yet, and not idle */
	uint32_t idle; /* disks that hold nothing */
};
void run_go_on(struct run *run, const struct run_place *place, struct choice *choice);
void run_steps(struct run *run);  /* between them faults may be added to run->rack */
void run_rewind(struct run *run); /* the media as they were before the steps */
void run_reset(struct run *run);

/* What steps.c asks of rig.c: create on the first disks, and put what `truth` has last of `name`. */
int rig_create_array(struct run *run, struct err *err) MUST_CHECK;
int rig_put(struct run *run, const struct truth *truth, const char *name, uint64_t length,
	    bool append, struct err *err) MUST_CHECK;

/* Open what is on the disks but those of `missing`. Blank disks are left out. */
int rack_array_open(struct rack *rack, uint32_t missing, enum array_access access, uint32_t tasks,
		    struct array **array_out, struct err *err) MUST_CHECK;

#endif

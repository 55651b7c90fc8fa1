/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a command is: one `const struct command` in its own cmd_<name>.c, listed in command_table.c.
 *
 * From that table alone come the parser, --help, `pgctl help`, the completions, the option lists of
 * the man pages and the shell, so that none of them can miss an option.
 *
 *	dispatch	finds the command, parses the line into `args`, fills a struct invocation
 *	run		does the work: reads operands and args, gives rows to inv->out (output.h)
 *	dispatch	prints the error, adds up the exit status, ends the document
 *
 * A command never prints by itself, never exits, and never looks at argv.
 *
 * `args` is the command's own struct of `args_size` bytes. It begins as a copy of `defaults`, or zeroed
 * when that is NULL, and the parser writes the options at their offsets. An option given twice: the
 * last one counts, but OPTION_LIST gathers.
 *
 * A command with sub-verbs (`volume create`) has `verbs` and no `run`; each verb is a whole command
 * whose `name` is the verb alone. Its full name is "volume create", its schema pgctl.volume-create/1.
 *
 * Operands are written as the man page writes them: "ARRAY MEMBER…", "[ARRAY]", "PATH…". Words in
 * capitals say what completes them: ARRAY PATH FILE DIR SCRIPT are paths; MEMBER, VOLUME, CODE,
 * COMMAND are names. A first word ARRAY is what the shell leaves out once an array is in focus.
 */
#ifndef PG_CLI_COMMAND_H
#define PG_CLI_COMMAND_H

#include "core/base/err.h"
#include "core/job/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct array_paths;
struct env;
struct fault_set;
struct member_maps;
struct overlay_dir;
struct out;
struct trace_sink;

/* How the value of an option is read, and the type of the field that `offset` names. */
enum option_kind {
	OPTION_FLAG,   /* bool: no value, sets true */
	OPTION_NUMBER, /* uint64_t: decimal digits, or 0x and hexadecimal ones */
	OPTION_SIZE,   /* uint64_t: bytes, by units_parse() */
	OPTION_TEXT,   /* const char *: borrowed from the command line; NULL while not given */
	OPTION_LIST,   /* struct text_list: every time it is given one entry more */
	OPTION_CHOICE, /* int: index into `choices` */
};

/* Values of a repeatable option, in the order given; strings are borrowed, `at` is the parser's. */
struct text_list {
	const char **at;
	size_t count;
};

struct option_spec {
	const char *name; /* of the long option, without the dashes; NULL ends a table */
	enum option_kind kind;
	size_t offset;              /* in args */
	const char *metavar;        /* what help calls the value: "SIZE"; NULL for a flag */
	const char *help;           /* one line, no full stop */
	char letter;                /* short option, or 0 */
	const char *const *choices; /* OPTION_CHOICE: the words, NULL at the end */
	bool value_optional;        /* OPTION_TEXT: --name or --name=VALUE; "" without a value */
	const char *alias;          /* a second long name, in no list; or NULL */
};

/* --progress, --color and --io, in the order of their words. */
enum progress_mode { PROGRESS_AUTO, PROGRESS_NEVER, PROGRESS_JSON };
enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum io_mode { IO_MODE_AUTO, IO_MODE_SYNC, IO_MODE_URING };

/*
 * Longer than the 30 s after which Linux gives up a command by itself: where that works, the disk fails with an error, and
 * a read that failed costs no member.
 */
#define MEMBER_TIMEOUT_S 60u
#define MEMBER_TIMEOUT_MAX_S 86400u

/* The options of every command (CLI.md, "Every command"). */
struct common_options {
	bool json;
	const char *plan; /* NULL: not given; "" or a file: say what would be done, write nothing */
	const char *overlay; /* directory, or NULL */
	bool yes;
	bool force;   /* override exactly the refusals whose message names --force */
	int progress; /* enum progress_mode */
	uint64_t progress_fd;
	const char *trace;
	uint64_t rate_max; /* bytes a second; 0: no bound. Also in inv->watch */
	bool quiet;
	bool verbose;
	int color;                /* enum color_mode */
	int io;                   /* enum io_mode */
	uint64_t tasks;           /* 0: one for each processor */
	uint64_t member_timeout;  /* seconds; 0: as long as the system waits */
	struct text_list faults;  /* --fault: what fails while the command runs (fault_spec.h) */
	struct text_list members; /* --member: where else to look for members */
	struct text_list
		accept_stale; /* --accept-stale: members of MD that are taken all the same */
	bool scan;
	bool help;
};

/*
 * Everything that a command is given; borrowed, valid until run returns.
 *
 * inv->watch goes into every request that takes one: it draws progress, stops the job after SIGINT or
 * SIGTERM (ERR_STOPPED) and carries --rate-max.
 */
struct invocation {
	const struct command *command;
	const char *name; /* full name: "volume create" */
	const void *args; /* the command's own struct */
	const char *const *operands;
	size_t operand_count;
	const struct common_options *common;
	struct out *out;
	struct env *env;
	struct job_watch watch;
	struct trace_sink *trace;    /* NULL without --trace; members.h uses it */
	struct fault_set *faults;    /* NULL without --fault; members.h uses it */
	struct overlay_dir *overlay; /* NULL without --overlay; members.h uses it */
	struct array_paths *paths;   /* where members were found; members.h fills and reads it */
	struct member_maps *maps;    /* what of images counts; members.h uses it; mostly NULL */
};

/* Parts of the exit status that a command reports in *verdict_out; any sum of them. */
enum verdict {
	VERDICT_CORRECTED = 1,   /* errors found and corrected */
	VERDICT_LEFT = 4,        /* errors left, data lost, or the answer is no */
	VERDICT_OPERATIONAL = 8, /* something failed on the way, but the command went on */
	VERDICT_DEGRADED =
		64, /* scrub, repair, heal, rebuild, replace: still degraded at the end */
};
#define EXIT_STATUS_MAX 127u /* above it a shell says "killed by a signal" */

/* Where help lists a command. */
enum command_group {
	GROUP_LIFE,
	GROUP_CARE,
	GROUP_MEMBERS,
	GROUP_QUESTIONS,
	GROUP_SERVICE,
	GROUP_COUNT
};

enum command_flags {
	COMMAND_WRITES = 1,     /* writes to members; --plan without COMMAND_PLANS is refused */
	COMMAND_PLANS = 2,      /* looks at common->plan itself and then writes nothing */
	COMMAND_NO_OVERLAY = 4, /* writes to something else than members */
};

struct command {
	const char *name;
	const char *alias;   /* a second name in no list ("resilver"), or NULL */
	const char *summary; /* one line, no capital, no full stop */
	enum command_group group;
	unsigned flags;       /* enum command_flags */
	const char *operands; /* "" or NULL: none */
	size_t operands_min;
	size_t operands_max;               /* OPERANDS_ANY: no bound */
	const struct option_spec *options; /* ends with { 0 }; may be NULL */
	size_t args_size;     /* of the struct the options point into; 0 without options */
	const void *defaults; /* args_size bytes to begin with; NULL: zeros */
	const char *const
		*details; /* paragraphs for `pgctl help COMMAND`; NULL at the end, or NULL */
	const char *const *examples;        /* whole command lines; NULL at the end, or NULL */
	const struct command *const *verbs; /* sub-verbs, NULL at the end; then `run` is NULL */
	/*
	 * Do it. Returns 0 or an ERR_ code with its text in *err. *verdict_out is 0 on entry and
	 * counts in both cases: exit status = verdict | class of the error.
	 */
	int (*run)(const struct invocation *inv, unsigned *verdict_out, struct err *err);
	/* NULL, or the exit status by other rules (status --test). err->code is 0 after success. */
	unsigned (*exit_status)(const struct invocation *inv, unsigned verdict,
				const struct err *err);
};
#define OPERANDS_ANY SIZE_MAX

/* All commands, in the order of help; NULL at the end (command_table.c). */
extern const struct command *const command_table[];
/* The options of every command; offsets are in struct common_options. */
extern const struct option_spec common_option_table[];
const char *command_group_title(enum command_group group);

/* Look up by name or alias in a NULL-ended list; NULL when there is none. */
const struct command *command_find(const struct command *const *list, const char *name);
/* ERR_USAGE: `word` is no `what` ("command", "verb"), with the nearest one of `list`. */
int command_refuse(const char *what, const struct command *const *list, const char *word,
		   struct err *err) MUST_CHECK;
/* What may stand for a word in capitals of an operand text, or for the value of an option. */
enum completes {
	COMPLETES_NOTHING,
	COMPLETES_PATH,
	COMPLETES_MEMBER, /* of the array on the line; a path too */
	COMPLETES_VOLUME,
	COMPLETES_COMMAND,
	COMPLETES_CODE,
};
enum completes completes_word(const char *word, size_t size);
/* Of operand `index`, counted from 0; the last one repeats where its text ends in "…". */
enum completes command_completes(const struct command *command, size_t index);
/* Does the operand text begin with ARRAY, so that the shell's focus fills it in? */
bool command_takes_array(const struct command *command);

#endif

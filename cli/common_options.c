/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/command.h"

static const char *const progress_words[] = { "auto", "never", "json", NULL };
static const char *const color_words[] = { "auto", "always", "never", NULL };
static const char *const io_words[] = { "auto", "sync", "uring", NULL };

#define AT(field) offsetof(struct common_options, field)

const struct option_spec common_option_table[] = {
	{ "json", OPTION_FLAG, AT(json), NULL,
	  "one JSON document on standard output, also for errors", .letter = 'j' },
	{ "plan", OPTION_TEXT, AT(plan), "FILE", "say what would be written, write nothing",
	  .letter = 'n', .value_optional = true },
	{ "overlay", OPTION_TEXT, AT(overlay), "DIR",
	  "open members read-only and keep every write in side files in DIR" },
	{ "yes", OPTION_FLAG, AT(yes), NULL,
	  "answer yes; without a terminal nothing is asked, but refused", .letter = 'y' },
	{ "force", OPTION_FLAG, AT(force), NULL,
	  "override the refusals whose message names --force, no others", .letter = 'f' },
	{ "progress", OPTION_CHOICE, AT(progress), "WHEN",
	  "auto: a bar on a terminal; never; json: lines for programs", .choices = progress_words },
	{ "progress-fd", OPTION_NUMBER, AT(progress_fd), "N",
	  "write progress to this file descriptor instead of standard error" },
	{ "trace", OPTION_TEXT, AT(trace), "FILE",
	  "write every I/O on a member to FILE, one JSON line each" },
	{ "rate-max", OPTION_SIZE, AT(rate_max), "SIZE", "at most so many bytes a second" },
	{ "quiet", OPTION_FLAG, AT(quiet), NULL, "results and errors only", .letter = 'q' },
	{ "verbose", OPTION_FLAG, AT(verbose), NULL, "say more", .letter = 'v' },
	{ "color", OPTION_CHOICE, AT(color), "WHEN", "auto, always or never; NO_COLOR is honoured",
	  .choices = color_words },
	{ "io", OPTION_CHOICE, AT(io), "ENGINE", "auto, sync (plain system calls) or uring",
	  .choices = io_words },
	{ "tasks", OPTION_NUMBER, AT(tasks), "N",
	  "work side by side in N tasks; 0: one a processor, two to read members that are disks" },
	{ "member-timeout", OPTION_NUMBER, AT(member_timeout), "SECONDS",
	  "go on without a member that does not answer for so long; 60; 0: wait for the system" },
	{ "fault", OPTION_LIST, AT(faults), "SPEC",
	  "let a disk fail, or the power, while the command runs: pgctl help fault; repeatable" },
	{ "member", OPTION_LIST, AT(members), "PATH",
	  "look for members here too: a file, a device or a directory; repeatable" },
	{ "accept-stale", OPTION_LIST, AT(accept_stale), "MEMBER",
	  "of a Linux MD array: read this member although it missed changes; repeatable" },
	{ "scan", OPTION_FLAG, AT(scan), NULL,
	  "look for members among the system's block devices" },
	{ "help", OPTION_FLAG, AT(help), NULL, "print operands and options", .letter = 'h' },
	{ 0 },
};

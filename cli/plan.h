/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What --plan shows: bytes that would be written, by role, and how long that takes at --rate-max.
 *
 * Without a rate nothing is known of the devices' speed, so no time is guessed.
 */
#ifndef PG_CLI_PLAN_H
#define PG_CLI_PLAN_H

#include "cli/command.h"
#include "cli/members.h"

#include <stddef.h>
#include <stdint.h>

struct plan_row {
	const char *role; /* of --trace: data, parity, map, super … or what they are together */
	uint64_t bytes;
};

/* "plan": true, the list "writes", "bytes" and "seconds" (null without --rate-max). */
void plan_show(const struct invocation *inv, const struct plan_row *rows, size_t row_count);

/* The same for what changes nothing but the map: `change` says it in a few words. */
void plan_show_map(const struct invocation *inv, const char *change);

/* Was --plan given? */
bool plan_only(const struct invocation *inv);

/* To open the array with: a plan needs no lock and could not write if it tried. */
enum access plan_access(const struct invocation *inv);

#endif

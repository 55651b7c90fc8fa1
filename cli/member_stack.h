/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One device as every command sees it: the file, the holes of its map if the invocation has maps (member_maps.h), with
 * --overlay the overlay above it, then faults, then the trace.
 */
#ifndef PG_CLI_MEMBER_STACK_H
#define PG_CLI_MEMBER_STACK_H

#include "cli/command.h"
#include "core/array/array.h"
#include "core/dev/devices.h"

enum access {
	ACCESS_READ,    /* refuses when data could not be read */
	ACCESS_WRITE,   /* takes the members' locks: ERR_BUSY names the pid of another writer */
	ACCESS_SALVAGE, /* read-only, whatever is left: status, map, inspect, get past losses */
};

/* What is wanted of an array that is opened. */
struct open_how {
	enum access access;
	bool leave_log;            /* read-only: do not recover, so that the log can be shown */
	struct member_set without; /* members to leave out as if they were not there */
	/* Of an array of Linux MD: a device that is to be rebuilt in this slot, closed with the array, or on failure. */
	struct dev *target;
	uint32_t target_slot;
};

/* --member-timeout, for what is opened as members are. */
uint64_t cli_member_limit_ns(const struct invocation *inv);

/*
 * Open the device of a path by any access. `create_size` as for cli_device_open(); `slot` is what the trace calls it,
 * MEMBER_NONE while it has no number.
 */
int cli_stack_open(struct dev **dev_out, const struct invocation *inv, const char *path,
		   enum access access, uint64_t create_size, uint32_t slot,
		   struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One fault of one disk in a run, once or for ever: every kind of FAULTS 4.2, and what FAULTS 2.2 wants then.
 *
 *	within what the array survives	the operation succeeds (but for want of space), nothing is lost
 *	beyond it			errors, but never bytes that nobody wrote; an end in bounded time
 *
 * A run without faults is measured first: its operations say which faults it can meet, and where.
 */
#ifndef PG_TESTS_SIM_FAULTS_H
#define PG_TESTS_SIM_FAULTS_H

#include "tests/sim/crash.h"

#define FAULT_IOS_MAX 65536u /* operations of one run */
#define FAULT_CHOICES 4u

/* The choices that make fault_case() set this fault: disk, kind, for ever, number of the operation. */
struct fault_choice {
	uint32_t values[FAULT_CHOICES];
};

/* How many faults there are for a run with these operations, and one of them. */
uint64_t fault_count(const struct rack_io *log, uint64_t ios);
struct fault_choice fault_number(const struct rack_io *log, uint64_t ios, uint64_t number);

/* A run that was begun: choose a fault, run the steps, check what they left. */
bool fault_case(struct run *run, struct choice *choice, struct wrong *wrong);

/* Count the last case: it kept to what is expected, or not. */
void fault_count_case(bool good);
/* How many cases of each kind there were, and what became of them: to standard error. */
void fault_report(void);

#endif

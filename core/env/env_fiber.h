/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A fiber: a stack of its own that one thread switches to and back. The mechanics below env_sim.c,
 * which decides when to switch; tells the address and thread sanitizers about each switch.
 */
#ifndef PG_ENV_ENV_FIBER_H
#define PG_ENV_ENV_FIBER_H

#include "core/base/err.h"

#include <stddef.h>
#include <ucontext.h>

struct fiber {
	ucontext_t context;
	void *mapping; /* guard page and stack; NULL for the thread's own stack */
	const void *stack;
	size_t stack_size;
	void *fake_stack; /* of the address sanitizer */
	void *shadow;     /* of the thread sanitizer */
	struct fiber *came_from;
	void (*run)(void *arg);
	void *arg;
};

/* The thread's own stack, to switch from and back to. */
void fiber_init_own(struct fiber *fiber);

/* A new stack. Returns 0 or ERR_NOMEM. */
int fiber_init(struct fiber *fiber) MUST_CHECK;
void fiber_reset(struct fiber *fiber); /* not the one that runs */

/* Let the next switch to `fiber` call run(arg), which must end by fiber_switch_last(). */
void fiber_prepare(struct fiber *fiber, void (*run)(void *arg), void *arg);

void fiber_switch(struct fiber *from, struct fiber *to);

/* The same, from a fiber that will not be switched to again before fiber_prepare(). */
_Noreturn void fiber_switch_last(struct fiber *from, struct fiber *to);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/env/env_fiber.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#endif

#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define FIBER_STACK_SIZE ((size_t)1 << 18) /* only touched pages cost memory */
#define FIBER_GUARD_SIZE ((size_t)1 << 16) /* an overrun hits this, not a neighbour */

/*
 * Before and after a switch; `last` when `from` will not run again. Inlined, because the thread
 * sanitizer keeps a call stack for each fiber: a call must not begin on one and return on another.
 */
__attribute__((always_inline)) static inline void switch_begin(struct fiber *from, struct fiber *to,
							       int last)
{
	to->came_from = from;
#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->stack, to->stack_size);
#endif
#ifdef FIBER_TSAN
	__tsan_switch_to_fiber(to->shadow, 0);
#endif
	(void)last;
}

__attribute__((always_inline)) static inline void switch_end(struct fiber *self)
{
#ifdef FIBER_ASAN
	/* The bounds of the thread's own stack are learned here, when it is first left. */
	__sanitizer_finish_switch_fiber(self->fake_stack, &self->came_from->stack,
					&self->came_from->stack_size);
#endif
	(void)self;
}

void fiber_init_own(struct fiber *fiber)
{
	*fiber = (struct fiber){ 0 };
#ifdef FIBER_TSAN
	fiber->shadow = __tsan_get_current_fiber();
#endif
}

int fiber_init(struct fiber *fiber)
{
	size_t size = FIBER_GUARD_SIZE + FIBER_STACK_SIZE;
	void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mapping == MAP_FAILED)
		return ERR_NOMEM;
	if (mprotect(mapping, FIBER_GUARD_SIZE, PROT_NONE)) {
		munmap(mapping, size);
		return ERR_NOMEM;
	}
	*fiber = (struct fiber){
		.mapping = mapping,
		.stack = (char *)mapping + FIBER_GUARD_SIZE,
		.stack_size = FIBER_STACK_SIZE,
	};
#ifdef FIBER_TSAN
	fiber->shadow = __tsan_create_fiber(0);
#endif
	return 0;
}

void fiber_reset(struct fiber *fiber)
{
	assert(fiber->mapping);
#ifdef FIBER_TSAN
	__tsan_destroy_fiber(fiber->shadow);
#endif
	munmap(fiber->mapping, FIBER_GUARD_SIZE + FIBER_STACK_SIZE);
	*fiber = (struct fiber){ 0 };
}

/* makecontext() hands over ints only, so the pointer comes in two halves. */
static void fiber_main(unsigned high, unsigned low)
{
	struct fiber *fiber = (struct fiber *)((uintptr_t)high << 16 << 16 | (uintptr_t)low);

	switch_end(fiber);
	fiber->run(fiber->arg);
	assert(false && "run() ends by fiber_switch_last()");
}

void fiber_prepare(struct fiber *fiber, void (*run)(void *arg), void *arg)
{
	uintptr_t pointer = (uintptr_t)fiber;
	int rc = getcontext(&fiber->context);

	assert(rc == 0);
	assert(fiber->mapping);
	fiber->run = run;
	fiber->arg = arg;
	fiber->fake_stack = NULL;
#ifdef FIBER_TSAN
	/* The old one still believes to be inside the calls that the last run never returned from. */
	__tsan_destroy_fiber(fiber->shadow);
	fiber->shadow = __tsan_create_fiber(0);
#endif
	fiber->context.uc_stack.ss_sp = (char *)fiber->mapping + FIBER_GUARD_SIZE;
	fiber->context.uc_stack.ss_size = FIBER_STACK_SIZE;
	fiber->context.uc_link = NULL;
	makecontext(&fiber->context, (void (*)(void))fiber_main, 2, (unsigned)(pointer >> 16 >> 16),
		    (unsigned)pointer);
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
	int rc;

	switch_begin(from, to, 0);
	rc = swapcontext(&from->context, &to->context);
	assert(rc == 0);
	switch_end(from);
}

void fiber_switch_last(struct fiber *from, struct fiber *to)
{
	switch_begin(from, to, 1);
	setcontext(&to->context);
	assert(false && "the context is broken");
}

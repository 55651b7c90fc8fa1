/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory: the only door to the allocator, so that a test can make the N-th allocation fail.
 *
 * All functions return NULL when there is no memory; sizes are checked for overflow.
 */
#ifndef PG_BASE_MEM_H
#define PG_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory for `count` objects of `size` bytes; count 0 gives a pointer that may be freed. */
void *mem_calloc(size_t count, size_t size);

/* Grow or shrink to `count` objects; new bytes are not zeroed. On NULL the old block stands. */
void *mem_realloc(void *old, size_t count, size_t size);

/* Copy of a string, or of its first `size` bytes with a NUL behind. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t size);

/* Free what the three above returned; NULL is allowed. */
void mem_free(void *pointer);

/* Zeroed buffer for device I/O and kernels: aligned to 4096 bytes, size a multiple of 4096. */
void *mem_pages(size_t size);
void *mem_pages_raw(size_t size); /* not zeroed: all of it is written before it is read */
void mem_pages_free(void *pages);

/* Ask `deny(arg)` before each allocation; true makes it fail. NULL switches the hook off. */
void mem_set_hook(bool (*deny)(void *arg), void *arg);

#endif

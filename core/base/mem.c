/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_ALIGNMENT ((size_t)4096) /* what O_DIRECT and the kernels ask for */

/* Set by tests before tasks start, so it needs no lock. */
static bool (*deny_hook)(void *arg);
static void *deny_arg;

static bool is_denied(void)
{
	return deny_hook && deny_hook(deny_arg);
}

void *mem_calloc(size_t count, size_t size)
{
	size_t total;

	assert(size > 0);
	/* Checked here as well: sanitizers take an overflow in the allocator for a fault of ours. */
	if (is_denied() || __builtin_mul_overflow(count ? count : 1, size, &total))
		return NULL;
	return calloc(1, total);
}

void *mem_realloc(void *old, size_t count, size_t size)
{
	size_t total;

	assert(size > 0);
	if (is_denied() || __builtin_mul_overflow(count ? count : 1, size, &total))
		return NULL;
	return realloc(old, total);
}

char *mem_strndup(const char *text, size_t size)
{
	size_t used = strnlen(text, size);
	char *copy;

	assert(used < SIZE_MAX);
	copy = mem_calloc(used + 1, 1);
	if (copy)
		memcpy(copy, text, used);
	return copy;
}

char *mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

void mem_free(void *pointer)
{
	free(pointer);
}

void *mem_pages_raw(size_t size)
{
	assert(size % PAGES_ALIGNMENT == 0);
	if (is_denied())
		return NULL;
	if (size == 0)
		size = PAGES_ALIGNMENT;
	return aligned_alloc(PAGES_ALIGNMENT, size);
}

void *mem_pages(size_t size)
{
	void *pages = mem_pages_raw(size);

	if (pages)
		memset(pages, 0, size);
	return pages;
}

void mem_pages_free(void *pages)
{
	free(pages);
}

void mem_set_hook(bool (*deny)(void *arg), void *arg)
{
	deny_hook = deny;
	deny_arg = arg;
}

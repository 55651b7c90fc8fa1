/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A typed growable array: VEC_DEFINE(extent_vec, struct extent) makes
 *
 *	struct extent_vec { struct extent *at; size_t count; size_t capacity; }
 *	int extent_vec_push(vec, value)		append; 0 or ERR_NOMEM, then the vec is as it was
 *	int extent_vec_reserve(vec, capacity)	room for `capacity` values in all; same returns
 *	void extent_vec_reset(vec)		free the memory; the vec is empty again
 *
 * A zeroed struct is an empty vec. Elements move when it grows: keep indexes, not pointers.
 */
#ifndef PG_BASE_VEC_H
#define PG_BASE_VEC_H

#include "core/base/err.h"
#include "core/base/mem.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define VEC_CAPACITY_MIN 8u /* the first push makes room for this many */

/* The capacity to grow to: doubled, so that n pushes move O(n) values. */
static inline size_t vec_capacity_next(size_t capacity)
{
	if (capacity < VEC_CAPACITY_MIN)
		return VEC_CAPACITY_MIN;
	return capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
}

#define VEC_DEFINE(name, type)                                                                     \
	struct name {                                                                              \
		type *at;                                                                          \
		size_t count;                                                                      \
		size_t capacity;                                                                   \
	};                                                                                         \
                                                                                                   \
	__attribute__((unused))                                                                    \
	MUST_CHECK static inline int name##_reserve(struct name *vec, size_t capacity)             \
	{                                                                                          \
		type *at;                                                                          \
                                                                                                   \
		if (capacity <= vec->capacity)                                                     \
			return 0;                                                                  \
		at = mem_realloc(vec->at, capacity, sizeof(type));                                 \
		if (!at)                                                                           \
			return ERR_NOMEM;                                                          \
		vec->at = at;                                                                      \
		vec->capacity = capacity;                                                          \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	__attribute__((unused))                                                                    \
	MUST_CHECK static inline int name##_push(struct name *vec, type value)                     \
	{                                                                                          \
		if (vec->count == vec->capacity &&                                                 \
		    name##_reserve(vec, vec_capacity_next(vec->capacity)))                         \
			return ERR_NOMEM;                                                          \
		assert(vec->at);                                                                   \
		vec->at[vec->count++] = value;                                                     \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	__attribute__((unused)) static inline void name##_reset(struct name *vec)                  \
	{                                                                                          \
		mem_free(vec->at);                                                                 \
		*vec = (struct name){ 0 };                                                         \
	}                                                                                          \
	struct name

#endif

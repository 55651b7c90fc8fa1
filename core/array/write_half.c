/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_half.h"

#include "core/base/mem.h"

#include <assert.h>

int write_half_reserve(struct row_writer *writer)
{
	if (!writer->half)
		writer->half = mem_calloc(1, sizeof(*writer->half));
	return writer->half ? 0 : ERR_NOMEM;
}

void write_half_keep(struct array *array, struct row_writer *writer)
{
	struct write_half *half = writer->half;

	assert(half && writer->content);
	writer->half = NULL;
	half->group = writer->sealed->group->id;
	row_writer_move(&half->writer, writer);
	env_lock(array->env, &array->change);
	half->next = array->halves;
	array->halves = half;
	env_unlock(array->env, &array->change);
}

static bool is_there(const struct write_half *half, const struct half_place *where)
{
	const struct write_run *run = &half->writer.run;

	return where->count == 0 ||
	       (half->group == where->group && run->first < where->first + where->count &&
		where->first < run->first + run->count);
}

struct write_half *write_half_find(struct array *array, const struct half_place *where,
				   struct half_place *found_out)
{
	struct write_half *half;

	env_lock(array->env, &array->change);
	half = array->halves;
	while (half && !is_there(half, where))
		half = half->next;
	if (half)
		*found_out = (struct half_place){ half->group, half->writer.run.first,
						  half->writer.run.count };
	env_unlock(array->env, &array->change);
	return half;
}

void write_half_forget(struct array *array, struct write_half *half)
{
	struct write_half **at = &array->halves;

	env_lock(array->env, &array->change);
	while (*at != half)
		at = &(*at)->next;
	*at = half->next;
	env_unlock(array->env, &array->change);
	row_writer_reset(&half->writer);
	mem_free(half);
}

void write_half_free(struct array *array)
{
	while (array->halves)
		write_half_forget(array, array->halves);
}

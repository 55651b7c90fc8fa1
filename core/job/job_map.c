/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/job_map.h"

#include "core/base/size.h"

#include <assert.h>

#define BATCH_BLOCKS ((UINT64_C(256) << 20) / BLOCK_SIZE)

int job_map_put(struct array *array, const struct job *job, struct err *err)
{
	env_lock(array->env, &array->change);
	int rc = map_put_job(array->map, job);

	rc = rc ? array_edit_failed(array, "note the job", err) : array_commit(array, err);
	env_unlock(array->env, &array->change);
	return rc;
}

int job_map_remove(struct array *array, uint64_t id, struct err *err)
{
	env_lock(array->env, &array->change);
	int rc = map_remove_job(array->map, id);

	rc = rc ? array_edit_failed(array, "finish the job", err) : array_commit(array, err);
	env_unlock(array->env, &array->change);
	return rc;
}

int job_map_model(struct model **model_out, struct array *array, const struct places *places,
		  struct err *err)
{
	env_lock(array->env, &array->change);
	int rc = model_create(model_out, places, err);

	env_unlock(array->env, &array->change);
	return rc;
}

void job_meter_begin(struct job_meter *meter, struct job *job, uint64_t planned)
{
	if (job->total == 0)
		job->total = planned;
	assert(job->done <= job->total);
	*meter = (struct job_meter){ job->done, job->total, planned, 0 };
}

uint64_t job_meter_at(const struct job_meter *meter)
{
	uint64_t left = meter->total - meter->base, rest;
	uint32_t shift = 0;

	if (meter->done >= meter->planned)
		return meter->planned ? meter->total : meter->base;
	while (meter->planned >> shift > UINT32_MAX)
		shift++;
	/* left * done / planned without a product of more than 64 bits; it never falls as done grows. */
	rest = (left % meter->planned >> shift) * (meter->done >> shift) /
	       (meter->planned >> shift);
	return meter->base + left / meter->planned * meter->done + (rest << shift);
}

uint64_t job_batch_blocks(uint64_t wanted, const struct job_watch *watch)
{
	if (wanted)
		return wanted;
	if (watch->rate_max == 0)
		return BATCH_BLOCKS;
	/* The rate counts what is read and what is written, with checks. */
	return size_max(size_min(watch->rate_max / BLOCK_SIZE / 4, BATCH_BLOCKS), 1);
}

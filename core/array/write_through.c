/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/write_through.h"

#include "core/array/degrade.h"

#include <assert.h>
#include <inttypes.h>

/* The member a device is of. */
static uint32_t slot_of(const struct array *array, const struct dev *dev)
{
	uint32_t slot = 0;

	while (slot < MEMBERS_MAX && array->members[slot].dev != dev)
		slot++;
	assert(slot < MEMBERS_MAX);
	return slot;
}

/* What the members met, by slot. */
struct outcome {
	int codes[MEMBERS_MAX];
	const struct io *full; /* an operation that met a full file system */
};

static void note(const struct array *array, const struct io *ios, size_t count,
		 struct outcome *outcome)
{
	for (size_t i = 0; i < count; i++) {
		if (ios[i].result == 0)
			continue;
		if (ios[i].result == ERR_NOSPACE)
			outcome->full = &ios[i];
		else
			outcome->codes[slot_of(array, ios[i].dev)] = ios[i].result;
	}
}

static size_t make_flushes(const struct array *array, const struct io *writes, size_t count,
			   const struct outcome *outcome, struct io *flushes)
{
	struct member_set asked = { 0 };
	size_t flush_count = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t slot = slot_of(array, writes[i].dev);

		if (member_set_has(asked, slot) || outcome->codes[slot])
			continue;
		asked = member_set_with(asked, slot);
		flushes[flush_count++] = (struct io){ .dev = writes[i].dev, .op = IO_FLUSH };
	}
	return flush_count;
}

/* A failed member is marked also when another one is full: it missed what was written. */
static int deal_with(struct array *array, const struct outcome *outcome, struct err *err)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		int rc = outcome->codes[slot]
				 ? array_member_failed(array, slot, outcome->codes[slot], err)
				 : 0;

		if (rc)
			return rc;
	}
	if (outcome->full)
		return err_set(err, ERR_NOSPACE, "no space for a write to %s at %" PRIu64,
			       dev_name(outcome->full->dev), outcome->full->offset);
	return 0;
}

int array_write_through(struct array *array, struct io *ios, size_t count, struct err *err)
{
	struct io flushes[MEMBERS_MAX];
	struct outcome outcome = { .full = NULL };

	if (count == 0)
		return 0;
	if (io_run(ios, count))
		note(array, ios, count, &outcome);
	if (!outcome.full) {
		size_t flush_count = make_flushes(array, ios, count, &outcome, flushes);

		if (flush_count > 0 && io_run(flushes, flush_count))
			note(array, flushes, flush_count, &outcome);
	}
	return deal_with(array, &outcome, err);
}

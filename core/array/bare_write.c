/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/bare_write.h"

#include "core/array/array_internal.h"
#include "core/store/foreign.h"

#include <assert.h>
#include <inttypes.h>

int bare_write_check(const struct array *array, struct err *err)
{
	assert(map_has_bare(array->map));
	if (array->access != ARRAY_WRITE)
		return err_set(err, ERR_STATE, "the array is open for reading only");
	if (!array->hooks && map_is_bare(array->map))
		return err_set(err, ERR_FOREIGN,
			       "array \"%s\": pgctl cannot mark it as being written, as its own "
			       "software would",
			       array->map->name);
	return 0;
}

/* The members as their own software sees them, with their own addresses. */
static void list_members(const struct array *array, struct dev *members[static MEMBERS_MAX])
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++)
		members[slot] = array->members[slot].dev ? array->members[slot].dev->below : NULL;
}

/* Before the first write of the session. Holds array->change. */
static int begin(struct array *array, struct err *err)
{
	struct dev *members[MEMBERS_MAX];
	int rc = 0;

	if (array->session.begun)
		return 0;
	list_members(array, members);
	if (array->hooks && array->hooks->mark_dirty)
		rc = array->hooks->mark_dirty(array->hooks_arg, members, err);
	array->session.begun = rc == 0;
	return rc;
}

int bare_write(struct array *array, uint32_t slot, struct io *io, struct err *err)
{
	assert(slot < MEMBERS_MAX && io->dev == array->members[slot].dev && io_is_write(io));

	env_lock(array->env, &array->change);
	int rc = begin(array, err);

	if (!rc)
		array->session.written = member_set_with(array->session.written, slot);
	env_unlock(array->env, &array->change);
	if (rc)
		return rc;
	rc = io_run(io, 1);
	if (!rc)
		return 0;
	env_lock(array->env, &array->change);
	array->session.failed = true;
	env_unlock(array->env, &array->change);
	return err_set(err, rc, "%s: member %u cannot be written", dev_name(io->dev), slot);
}

static int flush_written(struct array *array, struct err *err)
{
	int rc = 0;

	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		struct dev *dev = array->members[slot].dev;

		if (!member_set_has(array->session.written, slot) || io_flush(dev) == 0)
			continue;
		array->session.failed = true;
		if (!rc)
			rc = err_set(err, ERR_IO, "%s: member %u cannot be flushed", dev_name(dev),
				     slot);
	}
	return rc;
}

int bare_write_member_in(struct array *array, uint32_t slot, struct err *err)
{
	struct dev *members[MEMBERS_MAX];

	env_lock(array->env, &array->change);
	int rc = begin(array, err);

	if (!rc)
		rc = flush_written(array, err);
	list_members(array, members);
	if (!rc && array->hooks && array->hooks->member_in)
		rc = array->hooks->member_in(array->hooks_arg, members, slot, err);
	array->session.failed |= rc != 0;
	env_unlock(array->env, &array->change);
	return rc;
}

int bare_write_in_step(struct array *array, struct err *err)
{
	int rc = 0;

	assert(array_health(array) == HEALTH_HEALTHY);
	env_lock(array->env, &array->change);
	if (array->hooks && array->hooks->in_step && array->hooks->in_step(array->hooks_arg))
		rc = begin(array, err);
	env_unlock(array->env, &array->change);
	return rc;
}

int bare_write_end(struct array *array, struct err *err)
{
	struct dev *members[MEMBERS_MAX];
	int rc = 0;

	env_lock(array->env, &array->change);
	if (array->session.begun) {
		rc = flush_written(array, err);
		list_members(array, members);
		if (!rc && !array->session.failed && array->hooks && array->hooks->mark_clean)
			rc = array->hooks->mark_clean(array->hooks_arg, members, err);
		array->session = (struct bare_session){ 0 };
	}
	env_unlock(array->env, &array->change);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/failover.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/map/homes.h"

#include <string.h>

struct failover {
	struct array *array;
	uint32_t slot; /* failover: primaries on this member; MEMBER_NONE: that cannot be used */
	bool back;
	bool plan;
	uint32_t primaries[MEMBERS_MAX];
	struct failover_report report;
};

/* The column that is to be the primary: 0 when it is to stay, `columns` when there is no other. */
static uint32_t choose_column(const struct failover *work, const struct group *group)
{
	const struct extent *now = &group->extents[0];
	uint32_t best = group->shape.columns;

	if (work->back) {
		best = homes_first(group);
		return array_extent_usable(work->array, &group->extents[best])
			       ? best
			       : group->shape.columns;
	}
	if (work->slot == MEMBER_NONE ? array_extent_usable(work->array, now)
				      : now->slot != work->slot)
		return 0;
	for (uint32_t c = 1; c < group->shape.columns; c++) {
		const struct extent *extent = &group->extents[c];

		if (array_extent_usable(work->array, extent) &&
		    (best == group->shape.columns ||
		     work->primaries[extent->slot] < work->primaries[group->extents[best].slot]))
			best = c;
	}
	return best;
}

/* Column `column` and column 0 change places, and the span names the new first one. */
static int swap(struct failover *work, uint64_t *named, const struct group *group, uint32_t column)
{
	size_t size = sizeof(*group) + group->shape.columns * sizeof(group->extents[0]);
	struct group *fresh = map_group_create(group->shape.columns);

	if (!fresh)
		return ERR_NOMEM;
	memcpy(fresh, group, size);
	fresh->generation = array_places(work->array).generation;
	fresh->extents[0] = group->extents[column];
	fresh->extents[column] = group->extents[0];
	*named = fresh->extents[0].id;
	work->primaries[fresh->extents[0].slot]++;
	work->primaries[fresh->extents[column].slot]--;
	return map_put_group(work->array->map, fresh);
}

/* The group of one extent that a span names; *named is to be another's when it swaps. */
static int visit_extent(struct failover *work, const struct volume *volume, uint64_t *named)
{
	struct map *map = work->array->map;
	uint32_t at;
	const struct group *group = map_extent(map, *named, &at);
	uint32_t column;
	int rc;

	if (group->shape.layout != LAYOUT_MIRROR)
		return 0;
	column = choose_column(work, group);
	if (column == 0)
		return 0;
	if (column == group->shape.columns) {
		work->report.left++;
		return 0;
	}
	work->report.swapped++;
	if (work->plan)
		return 0;
	rc = swap(work, named, group, column);
	return rc ? rc : map_touch_volume(map, volume->id);
}

static void count_primaries(struct failover *work)
{
	const struct map *map = work->array->map;

	for (uint32_t g = 0; g < map->group_count; g++) {
		if (map->groups[g]->shape.layout == LAYOUT_MIRROR)
			work->primaries[map->groups[g]->extents[0].slot]++;
	}
}

static int visit_all(struct failover *work)
{
	struct map *map = work->array->map;
	int rc = 0;

	for (uint32_t v = 0; !rc && v < map->volume_count; v++) {
		struct volume *volume = map->volumes[v];

		for (uint32_t s = 0; !rc && s < volume->span_count; s++) {
			struct span *span = &volume->spans[s];

			for (uint32_t i = 0; !rc && i < span->extent_count; i++)
				rc = visit_extent(work, volume, &span->extents[i]);
		}
	}
	return rc;
}

static int run(struct failover *work, struct failover_report *report_out, struct err *err)
{
	struct array *array = work->array;
	int rc = array_need_sealed(array, err);

	if (!rc && !work->plan)
		rc = array_write_settle(array, err);
	if (rc)
		return rc;
	count_primaries(work);
	if (visit_all(work))
		return array_edit_failed(array, "note the new primaries", err);
	if (!work->plan && work->report.swapped > 0)
		rc = array_commit(array, err);
	work->report.generation = array->map->generation;
	*report_out = work->report;
	return rc;
}

int failover_run(struct array *array, uint32_t slot, bool plan, struct failover_report *report_out,
		 struct err *err)
{
	struct failover work = { .array = array, .slot = slot, .plan = plan };

	return run(&work, report_out, err);
}

int failback_run(struct array *array, bool plan, struct failover_report *report_out,
		 struct err *err)
{
	struct failover work = { .array = array, .slot = MEMBER_NONE, .back = true, .plan = plan };

	return run(&work, report_out, err);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/arrange.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/map/homes.h"
#include "core/map/model.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void arrange_ring(const struct array *array, struct topology_ring *ring_out)
{
	const struct places places = array_places(array);

	homes_ring(ring_out, &places);
}

/* ---- check */

struct check {
	const struct map *map;
	struct topology_ring ring;
	void (*found)(void *arg, const struct arrange_fault *fault);
	void *arg;
	uint64_t count;
};

static void tell(struct check *check, const struct arrange_fault *fault)
{
	check->count++;
	if (check->found)
		check->found(check->arg, fault);
}

static void check_domains(struct check *check, const struct group *group)
{
	for (uint32_t c = 0; c < group->shape.columns; c++) {
		const char *domain =
			map_domain(check->map, map_member(check->map, group->extents[c].slot));
		bool shared = false;

		for (uint32_t i = 0; domain && i < group->shape.columns; i++) {
			const char *theirs = map_domain(
				check->map, map_member(check->map, group->extents[i].slot));

			shared = shared || (i != c && theirs && strcmp(domain, theirs) == 0);
		}
		if (shared)
			tell(check, &(struct arrange_fault){ ARRANGE_DOMAIN, group, c, domain });
	}
}

static void check_homes(struct check *check, const struct policy *policy, const struct group *group)
{
	uint32_t homes[CODE_MIRROR_MAX], first = homes_first(group);
	uint32_t count = topology_homes(&check->ring, policy->topology, group->extents[first].slot,
					group->shape.columns, homes);

	for (uint32_t c = 0; c < group->shape.columns; c++) {
		bool home = c == first && count > 0;

		for (uint32_t h = 1; h < count; h++)
			home = home || homes[h] == group->extents[c].slot;
		if (!home)
			tell(check, &(struct arrange_fault){ ARRANGE_HOME, group, c, NULL });
	}
}

static void check_volume(struct check *check, const struct volume *volume)
{
	for (uint32_t s = 0; s < volume->span_count; s++) {
		const struct span *span = &volume->spans[s];
		const struct group *before = NULL;

		for (uint32_t i = 0; i < span->extent_count; i++) {
			uint32_t column;
			const struct group *group =
				map_extent(check->map, span->extents[i], &column);

			if (group == before) /* its data extents stand in a row */
				continue;
			before = group;
			check_domains(check, group);
			if (homes_apply(&volume->policy, group))
				check_homes(check, &volume->policy, group);
		}
	}
}

uint64_t arrange_check(const struct array *array,
		       void (*found)(void *arg, const struct arrange_fault *fault), void *arg)
{
	struct check check = { .map = array->map, .found = found, .arg = arg };

	arrange_ring(array, &check.ring);
	for (uint32_t i = 0; i < array->map->volume_count; i++)
		check_volume(&check, array->map->volumes[i]);
	return check.count;
}

/* ---- set */

static bool is_meant(const struct arrange_request *request, const struct volume *volume)
{
	return volume->policy.layout == LAYOUT_MIRROR &&
	       (!request->volume || strcmp(request->volume, volume->name) == 0);
}

/* Is it possible for every volume that it is for? The map has the new labels already. */
static int check_request(const struct places *places, const struct arrange_request *request,
			 struct err *err)
{
	const struct map *map = places->map;
	const struct volume *volume =
		request->volume ? map_volume_named(map, request->volume) : NULL;
	struct topology_ring ring;
	int rc = 0;

	if (request->volume && !volume)
		return err_set(err, ERR_NOT_FOUND, "no volume \"%s\"", request->volume);
	if (volume && volume->policy.layout != LAYOUT_MIRROR)
		return err_set(err, ERR_LIMIT,
			       "volume \"%s\" is no mirror: a topology is for copies",
			       volume->name);
	homes_ring_to_be(&ring, places, MEMBER_NONE);
	for (uint32_t i = 0; !rc && i < map->volume_count; i++) {
		if (!is_meant(request, map->volumes[i]))
			continue;
		rc = topology_check(&ring, request->topology, map->volumes[i]->policy.checks + 1u,
				    err);
		if (rc)
			err_prefix(err, "volume \"%s\"", map->volumes[i]->name);
	}
	if (!rc && !request->volume && map->policy.layout == LAYOUT_MIRROR)
		rc = topology_check(&ring, request->topology, map->policy.checks + 1u, err);
	return rc;
}

/* In the map alone. *changed_out: it was not so before. */
static int change_map(struct map *map, const struct arrange_request *request, bool *changed_out)
{
	int rc = 0;

	*changed_out = false;
	if (request->across && strcmp(request->across, map->across) != 0) {
		assert(strlen(request->across) < sizeof(map->across));
		snprintf(map->across, sizeof(map->across), "%s", request->across);
		*changed_out = true;
	}
	if (!request->volume && map->policy.topology != request->topology) {
		map->policy.topology = request->topology;
		*changed_out = true;
	}
	for (uint32_t i = 0; !rc && i < map->volume_count; i++) {
		struct volume *volume = map->volumes[i];

		if (!is_meant(request, volume) || volume->policy.topology == request->topology)
			continue;
		volume->policy.topology = request->topology;
		*changed_out = true;
		rc = map_touch_volume(map, volume->id);
	}
	return rc;
}

int arrange_plan(const struct array *array, const struct arrange_request *request,
		 struct relayout_report *report_out, struct err *err)
{
	const struct relayout_request relayout = { .kind = JOB_TOPOLOGY, .member = MEMBER_NONE };
	const struct places places = array_places(array);
	struct model *model = NULL;
	bool changed;
	int rc = array_need_sealed(array, err);

	if (!rc)
		rc = model_create(&model, &places, err);
	if (!rc && change_map(model->places.map, request, &changed))
		rc = err_set(err, ERR_NOMEM, "no memory to plan moves");
	if (!rc)
		rc = check_request(&model->places, request, err);
	if (!rc)
		rc = relayout_plan_on(model, &relayout, report_out, err);
	model_free(model);
	return rc;
}

int arrange_set(struct array *array, const struct arrange_request *request, struct err *err)
{
	struct relayout_report planned;
	bool changed;
	int rc = arrange_plan(array, request, &planned, err); /* nothing is begun without room */

	if (!rc)
		rc = array_write_settle(array, err);
	if (rc)
		return rc;
	if (change_map(array->map, request, &changed))
		return array_edit_failed(array, "note the topology", err);
	return changed ? array_commit(array, err) : 0;
}

int arrange_label(struct array *array, uint32_t slot, const struct label *labels, uint32_t count,
		  struct err *err)
{
	struct member *member = map_member(array->map, slot);
	int rc = array_need_native(array, err);

	assert(count <= LABELS_MAX);
	if (!rc && !member)
		rc = err_set(err, ERR_NOT_FOUND, "the array has no member %u", slot);
	if (!rc)
		rc = array_write_settle(array, err);
	if (rc)
		return rc;
	memset(member->labels, 0, sizeof(member->labels));
	memcpy(member->labels, labels, count * sizeof(*labels));
	member->label_count = count;
	return map_touch_member(array->map, slot) ? array_edit_failed(array, "note the labels", err)
						  : array_commit(array, err);
}

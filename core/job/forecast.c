/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/forecast.h"

#include "core/array/array_internal.h"
#include "core/map/capacity.h"
#include "core/map/model.h"
#include "core/store/super.h"

static struct forecast_state state_of(const struct places *places)
{
	uint64_t frame_size = (uint64_t)places->map->geometry.frame_blocks * BLOCK_SIZE;
	struct forecast_state state = { .usable = capacity_usable(places),
					.groups = places->map->group_count };

	for (uint32_t i = 0; i < places->map->member_count; i++) {
		uint32_t slot = places->map->members[i].slot;
		uint64_t total = space_total_frames(places->space, slot);

		if (!member_set_has(places->usable, slot))
			continue;
		state.raw += total * frame_size;
		state.used += (total - space_free_frames(places->space, slot)) * frame_size;
	}
	return state;
}

static int add_member(struct places *places, uint64_t size, struct err *err)
{
	struct member member = { .slot = map_slot_free(places->map), .size = size };
	struct member_regions regions;
	int rc = super_regions(&regions, size, &places->map->geometry, err);

	if (rc)
		return rc;
	if (member.slot >= MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "an array has at most %u members", MEMBERS_MAX);
	member.data_offset = regions.data_offset;
	member.frame_count = regions.frame_count;
	if (map_put_member(places->map, &member) ||
	    space_add_member(places->space, member.slot, member.frame_count))
		return err_set(err, ERR_NOMEM, "no memory for the forecast");
	places->usable = member_set_with(places->usable, member.slot);
	return 0;
}

int forecast_expand(struct forecast *forecast_out, const struct array *array,
		    const struct forecast_request *request, struct err *err)
{
	const struct relayout_request relayout = { .kind = JOB_EXPAND,
						   .member = MEMBER_NONE,
						   .columns = request->columns };
	const struct places places = array_places(array);
	struct forecast forecast = { .now = state_of(&places) };
	struct model *model = NULL;
	int rc = array_need_sealed(array, err);

	if (!rc)
		rc = model_create(&model, &places, err);
	for (uint32_t i = 0; !rc && i < request->size_count; i++)
		rc = add_member(&model->places, request->sizes[i], err);
	if (!rc) {
		forecast.joined = state_of(&model->places);
		rc = relayout_plan_on(model, &relayout, &forecast.moves, err);
	}
	if (!rc) {
		forecast.spread = state_of(&model->places);
		*forecast_out = forecast;
	}
	model_free(model);
	return rc;
}

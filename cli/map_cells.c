/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/map_cells.h"

static const struct field slot_fields[] = {
	{ "slot", FIELD_COUNT, "" },
	{ 0 },
};

void cells_slot(struct out *out, uint32_t slot)
{
	if (slot == MEMBER_NONE)
		out_none(out);
	else
		out_number(out, slot);
}

void cells_slots(struct out *out, const char *key, struct member_set slots)
{
	out_list_begin(out, key, slot_fields);
	for (uint32_t slot = 0; slot < MEMBERS_MAX; slot++) {
		if (member_set_has(slots, slot))
			out_number(out, slot);
	}
	out_list_end(out);
}

void cells_job(struct out *out, const struct job *job)
{
	out_number(out, job->id);
	out_text(out, job_kind_name(job->kind));
	out_text(out, job_state_name(job->state));
	cells_slot(out, job->from);
	cells_slot(out, job->to);
	out_number(out, job->done);
	out_number(out, job->total);
	out_number(out, job->started_s);
}

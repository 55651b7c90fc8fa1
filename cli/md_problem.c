/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/md_problem.h"

#include "core/base/text.h"
#include "core/base/units.h"
#include "formats/md_reshape.h"

#include <inttypes.h>

/* What is being looked at. */
struct looking {
	struct problems *problems;
	const struct md_view *view;
	const struct array *array;
	const char *name;
};

/* Nobody stands in a slot, or its device could not be opened. */
static void look_at_slot(const struct looking *looking, uint32_t slot)
{
	const struct md_view_device *device = md_view_seated(looking->view, slot);
	struct problem *problem;

	if (!device) {
		problem = problems_add(looking->problems, PROBLEM_MEMBER_MISSING,
				       "slot %" PRIu32 " has no current member", slot);
		problem_try(
			problem,
			"name its file with --member; pgctl assemble --why %s says who is left out",
			looking->name);
	} else if (!array_dev(looking->array, slot)) {
		problem =
			problems_add(looking->problems, PROBLEM_MEMBER_MISSING,
				     "slot %" PRIu32 " (%s) cannot be opened", slot, device->path);
		problem_try(problem, "look at the file and its device: pgctl inspect %s",
			    device->path);
	}
}

/* Of a container: a disk that is there, of which some volume's part does not count. */
static void look_at_part(const struct looking *looking, uint32_t slot)
{
	const struct map *map = array_map(looking->array);
	const struct md_view_device *device = md_view_seated(looking->view, slot);
	bool stale = false;

	for (uint32_t g = 0; device && g < map->group_count; g++) {
		for (uint32_t c = 0; c < map->groups[g]->shape.columns; c++)
			stale |= map->groups[g]->extents[c].slot == slot &&
				 map->groups[g]->extents[c].stale;
	}
	if (stale)
		problem_try(problems_add(looking->problems, PROBLEM_MEMBER_STALE,
					 "slot %" PRIu32 " (%s): by the container's records its "
					 "part of a volume does not count",
					 slot, device->path),
			    "nothing has to be done to read; the system that made the array goes "
			    "on with its rebuild");
}

static void recovering_say(const struct looking *looking, const struct md_set_member *entry,
			   const char *path)
{
	char done[UNITS_TEXT_SIZE];
	struct problem *problem;

	problem = problems_add(looking->problems, PROBLEM_JOB_UNFINISHED,
			       "slot %" PRIu32 " (%s) was being filled: its first %s count",
			       entry->member->slot, path,
			       units_text(done, entry->member->recovery_start * MD_SECTOR));
	problem_try(
		problem,
		"nothing has to be done to read; the system that made the array goes on with it");
}

static void look_at_entry(const struct looking *looking, const struct md_set_member *entry)
{
	const char *path = looking->view->paths[entry->device];
	const struct md_found *found = looking->view->devices[entry->device].found;
	struct problem *problem = NULL;

	switch (entry->verdict) {
	case MD_VERDICT_STALE:
		problem = problems_add(looking->problems, PROBLEM_MEMBER_STALE,
				       "%s missed %" PRIu64 " changes of the array", path,
				       entry->events_behind);
		problem_try(problem, "pgctl assemble --why %s says what taking it would cost",
			    looking->name);
		break;
	case MD_VERDICT_FAULTY:
		problem = problems_add(looking->problems, PROBLEM_MEMBER_FAILED,
				       "%s says of itself that it failed", path);
		problem_try(problem, "pgctl inspect %s", path);
		break;
	case MD_VERDICT_DAMAGED:
	case MD_VERDICT_DIFFERENT:
		problem = problems_add(looking->problems, PROBLEM_MEMBER_DAMAGED,
				       "%s: its superblock cannot be used", path);
		problem_try(problem, "pgctl inspect %s", path);
		break;
	case MD_VERDICT_RECOVERING:
		recovering_say(looking, entry, path);
		break;
	case MD_VERDICT_CURRENT:
	case MD_VERDICT_SPARE:
	case MD_VERDICT_JOURNAL:
	case MD_VERDICT_DUPLICATE:
		break;
	}
	if (found->bad_blocks_found && found->bad_blocks.count) {
		problem = problems_add(looking->problems, PROBLEM_BAD_BLOCKS,
				       "%s lists %" PRIu32 " ranges of itself as bad", path,
				       found->bad_blocks.count);
		problem_try(problem, "pgctl inspect %s lists them", path);
	}
}

static bool journal_is_here(const struct md_set *set)
{
	for (uint32_t i = 0; i < set->member_count; i++) {
		if (set->members[i].verdict == MD_VERDICT_JOURNAL)
			return true;
	}
	return false;
}

static void look_at_logs(const struct looking *looking)
{
	const struct md_member *newest = looking->view->set->newest;
	const struct md_replayed *replayed = &looking->view->replayed;
	char size[UNITS_TEXT_SIZE];
	struct problem *problem;
	uint64_t bytes;

	if (newest->has_journal && !journal_is_here(looking->view->set)) {
		problem = problems_add(looking->problems, PROBLEM_JOURNAL_MISSING,
				       "the write journal was not found: the last writes may be in "
				       "it alone");
		problem_try(problem, "name its file with --member");
	}
	if (replayed->ranges || replayed->skipped) {
		problem = problems_add(looking->problems, PROBLEM_LOG_REPLAYED,
				       "%" PRIu64 " ranges of the array's log were completed in "
				       "memory, %" PRIu64 " could not be",
				       replayed->ranges, replayed->skipped);
		problem_try(problem, "nothing has to be done to read");
	}
	if (!md_view_unproven(looking->view, &bytes))
		return;
	if (bytes != UINT64_MAX)
		problem = problems_add(looking->problems, PROBLEM_UNCLEAN,
				       "not stopped in order: checks may not fit the data in %s of "
				       "each member",
				       units_text(size, bytes));
	else
		problem = problems_add(looking->problems, PROBLEM_UNCLEAN,
				       "not stopped in order, and no bitmap says where checks may "
				       "not fit the data");
	problem_try(problem, "pgctl scrub --check %s", looking->name);
}

static void look_at_reshape(const struct looking *looking)
{
	const struct md_member *newest = looking->view->set->newest;
	char position[UNITS_TEXT_SIZE];
	struct problem *problem;

	if (!newest->reshaping)
		return;
	problem = problems_add(looking->problems, PROBLEM_RESHAPE_UNFINISHED,
			       "the array was changing its shape, %s, and came to %s",
			       newest->reshape_backwards ? "backwards" : "forwards",
			       units_text(position, newest->reshape_position * MD_SECTOR));
	problem_try(problem, "nothing has to be done to read: both sides of the position are read");
}

static void look_at_doubt(const struct looking *looking)
{
	struct md_reshape_doubt doubt;
	char first[UNITS_TEXT_SIZE], size[UNITS_TEXT_SIZE];
	struct problem *problem;

	if (!md_reshape_doubt(&doubt, looking->view->set))
		return;
	problem = problems_add(looking->problems, PROBLEM_RESHAPE_IN_DOUBT,
			       "up to %s from %s on may be half moved: they were being reshaped in "
			       "place",
			       units_text(size, doubt.end - doubt.first),
			       units_text(first, doubt.first));
	problem_try(problem, "mdadm --assemble --backup-file=FILE, on copies of the members");
}

int md_problems_add(struct problems *problems, const struct md_view *view,
		    const struct array *array, const char *name, struct err *err)
{
	struct text quoted = { 0 };
	struct looking looking = { problems, view, array, name };

	problem_quote(&quoted, name);
	if (!quoted.failed)
		looking.name = quoted.chars;
	for (uint32_t slot = 0; slot < view->seats.count; slot++)
		look_at_slot(&looking, slot);
	for (uint32_t slot = 0;
	     view->set->newest->shape.level == MD_CONTAINER && slot < view->seats.count; slot++)
		look_at_part(&looking, slot);
	for (uint32_t i = 0; i < view->set->member_count; i++)
		look_at_entry(&looking, &view->set->members[i]);
	look_at_logs(&looking);
	look_at_reshape(&looking);
	look_at_doubt(&looking);
	text_reset(&quoted);
	return problems->failed ? err_set(err, ERR_NOMEM, "no memory") : 0;
}

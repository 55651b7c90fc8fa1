/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/scrub_tally.h"

void scrub_tally_init(struct scrub_tally *tally, struct env *env,
		      const struct scrub_request *request)
{
	*tally = (struct scrub_tally){ .env = env, .request = request };
	env_lock_init(env, &tally->lock);
}

void scrub_tally_reset(struct scrub_tally *tally)
{
	env_lock_reset(tally->env, &tally->lock);
}

void scrub_tally_found(void *arg, const struct mismatch *mismatch)
{
	struct scrub_tally *tally = arg;

	env_lock(tally->env, &tally->lock);
	if (tally->request->found)
		tally->request->found(tally->request->found_arg, mismatch);
	env_unlock(tally->env, &tally->lock);
}

void scrub_tally_add(struct scrub_tally *tally, const struct scrub_counts *counts)
{
	env_lock(tally->env, &tally->lock);
	tally->counts.bytes_read += counts->bytes_read;
	tally->counts.rows += counts->rows;
	tally->counts.mismatches += counts->mismatches;
	tally->counts.repaired += counts->repaired;
	tally->counts.left += counts->left;
	env_unlock(tally->env, &tally->lock);
}

struct scrub_report scrub_tally_report(const struct scrub_tally *tally)
{
	return (struct scrub_report){ .bytes_read = tally->counts.bytes_read,
				      .rows_checked = tally->counts.rows,
				      .mismatches = tally->counts.mismatches,
				      .repaired = tally->counts.repaired,
				      .left = tally->counts.left };
}

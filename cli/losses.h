/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ranges of volumes that a job reported lost: gathered while it runs, shown when it is done. */
#ifndef PG_CLI_LOSSES_H
#define PG_CLI_LOSSES_H

#include "cli/output.h"
#include "core/base/vec.h"
#include "core/job/job.h"

#define LOSSES_MAX 65536u /* kept; beyond it only bytes are added up, and `cut` is set */

struct loss {
	char *volume; /* owned */
	uint64_t offset;
	uint64_t length;
};
VEC_DEFINE(loss_vec, struct loss);

/* Zeroed to begin with. */
struct losses {
	struct loss_vec vec;
	uint64_t bytes; /* of all ranges */
	bool cut;       /* too many, or no memory */
};

/* A request's `lost`, from one task at a time; `arg` is a struct losses. */
void losses_add(void *arg, const struct job_loss *loss);

/* When all are in: put them in order and join neighbours. */
void losses_sort(struct losses *losses);

/* The list "lost": volume, offset, length. */
void losses_show(const struct losses *losses, struct out *out);

/* ERR_DATA_LOST that names the first ranges; for when bytes > 0. */
int losses_error(const struct losses *losses, struct err *err);

void losses_reset(struct losses *losses);

#endif

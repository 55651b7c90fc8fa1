/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/foreign_open.h"

#include <string.h>

int foreign_open(struct array **array_out, const struct invocation *inv, struct map *map,
		 struct dev **devs, const struct foreign_write *write, struct err *err)
{
	uint64_t tasks = inv->common->tasks;
	const struct array_foreign_request request = {
		.env = inv->env,
		.map = map,
		.devs = devs,
		.access = write->hooks ? ARRAY_WRITE : ARRAY_READ,
		.hooks = write->hooks,
		.hooks_arg = write->arg,
		.tasks = tasks < UINT32_MAX ? (uint32_t)tasks : UINT32_MAX,
	};
	int rc = array_open_foreign(array_out, &request, err);

	if (rc) {
		map_free(map);
		return rc;
	}
	memset(devs, 0, MEMBERS_MAX * sizeof(*devs)); /* the array's now */
	return 0;
}

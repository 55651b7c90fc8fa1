/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The absent member is a device as well, so that nobody else needs to ask whether one is there. */
#include "core/base/mem.h"
#include "core/dev/devices.h"

static int missing_run(struct dev *dev, struct io *io)
{
	(void)dev;
	(void)io;
	return ERR_IO;
}

static void missing_close(struct dev *dev)
{
	dev_reset(dev);
	mem_free(dev);
}

static const struct dev_ops missing_ops = {
	.name = "missing",
	.run = missing_run,
	.close = missing_close,
};

int dev_missing_open(struct dev **dev_out, struct env *env, const char *name)
{
	struct dev *dev = mem_calloc(1, sizeof(*dev));

	if (!dev)
		return ERR_NOMEM;
	if (dev_init(dev, &missing_ops, env, name)) {
		mem_free(dev);
		return ERR_NOMEM;
	}
	*dev_out = dev;
	return 0;
}

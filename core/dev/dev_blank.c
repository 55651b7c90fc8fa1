/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a new member is before it is made: zeros under its overlay. */
#include "core/base/mem.h"
#include "core/dev/overlay.h"

static int blank_run(struct dev *dev, struct io *io)
{
	(void)dev;
	if (io->op != IO_READ)
		return ERR_IO;
	for (uint32_t i = 0; i < io->iov_count; i++)
		memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
	return 0;
}

static void blank_close(struct dev *dev)
{
	dev_reset(dev);
	mem_free(dev);
}

static const struct dev_ops blank_ops = {
	.name = "blank",
	.run = blank_run,
	.close = blank_close,
};

int dev_blank_open(struct dev **dev_out, struct env *env, const char *name, uint64_t size,
		   const uint64_t identity[2])
{
	struct dev *dev = mem_calloc(1, sizeof(*dev));

	if (!dev)
		return ERR_NOMEM;
	if (dev_init(dev, &blank_ops, env, name)) {
		mem_free(dev);
		return ERR_NOMEM;
	}
	dev->info = (struct dev_info){
		.size = size,
		.size_exact = size,
		.preferred_io = 1u << 20,
		.read_only = true,
		.identity = { identity[0], identity[1] },
	};
	*dev_out = dev;
	return 0;
}

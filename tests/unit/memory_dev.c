/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/memory_dev.h"

#include <string.h>

static int memory_run(struct dev *dev, struct io *io)
{
	const struct memory_dev *memory = (const struct memory_dev *)dev;
	const uint8_t *from = memory->bytes + io->offset;

	if (io->op != IO_READ || io->offset >= memory->readable)
		return ERR_IO;
	for (uint32_t i = 0; i < io->iov_count; i++) {
		memcpy(io->iov[i].iov_base, from, io->iov[i].iov_len);
		from += io->iov[i].iov_len;
	}
	return 0;
}

static void memory_close(struct dev *dev)
{
	(void)dev;
}

struct memory_dev memory_dev_make(const uint8_t *bytes, size_t size)
{
	static const struct dev_ops ops = {
		.name = "memory",
		.run = memory_run,
		.close = memory_close,
	};
	const struct dev_info info = { .size = size, .size_exact = size };

	return (struct memory_dev){ .dev = { .ops = &ops, .info = info },
				    .bytes = bytes,
				    .readable = size };
}

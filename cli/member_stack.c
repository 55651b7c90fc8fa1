/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/member_stack.h"

#include "cli/fault_file.h"
#include "cli/fault_spec.h"
#include "cli/member_maps.h"
#include "cli/output.h"
#include "cli/overlay_dir.h"
#include "core/dev/copies.h"

#include <errno.h>
#include <sys/stat.h>

#define NS_PER_S UINT64_C(1000000000)

uint64_t cli_member_limit_ns(const struct invocation *inv)
{
	return inv->common->member_timeout * NS_PER_S;
}

static int path_open(struct dev **dev_out, const struct invocation *inv, const char *path,
		     enum access access, uint64_t create_size, struct err *err)
{
	static const enum dev_engine engines[] = {
		[IO_MODE_AUTO] = DEV_ENGINE_AUTO,
		[IO_MODE_SYNC] = DEV_ENGINE_SYNC,
		[IO_MODE_URING] = DEV_ENGINE_URING,
	};
	struct stat facts;
	struct dev_file_options options = {
		.access = access == ACCESS_WRITE ? DEV_WRITE : DEV_READ,
		.engine = engines[inv->common->io],
		.exclusive = access == ACCESS_WRITE,
		.limit_ns = cli_member_limit_ns(inv),
	};

	if (create_size && stat(path, &facts) && errno == ENOENT)
		options.create_size = create_size;
	return dev_file_open(dev_out, inv->env, path, &options, err);
}

/* A file, and the holes of its map. */
static int mapped_open(struct dev **dev_out, const struct invocation *inv, const char *path,
		       enum access access, uint64_t create_size, struct err *err)
{
	struct dev *dev = NULL;
	int rc = path_open(&dev, inv, path, access, create_size, err);

	if (rc == 0 && inv->maps)
		rc = member_maps_wrap(&dev, inv->maps, path, err);
	if (rc)
		dev_close(dev);
	else
		*dev_out = dev;
	return rc;
}

/* The other images of the same member, behind the first. */
static int copies_open(struct dev **dev, const struct invocation *inv, const char *path,
		       struct err *err)
{
	const char *copy;
	int rc = 0;

	for (size_t i = 0; rc == 0 && (copy = member_maps_copy(inv->maps, path, i)); i++) {
		struct dev *second = NULL;

		rc = mapped_open(&second, inv, copy, ACCESS_READ, 0, err);
		if (rc == 0 && dev_copies_open(dev, *dev, second)) {
			dev_close(second);
			rc = err_set(err, ERR_NOMEM, "%s: no memory", copy);
		}
	}
	return rc;
}

/* A file with its holes and copies, and the faults beside it. */
static int image_open(struct dev **dev_out, const struct invocation *inv, const char *path,
		      enum access access, uint64_t create_size, struct err *err)
{
	struct dev *dev = NULL;
	size_t faults = 0;
	int rc = mapped_open(&dev, inv, path, access, create_size, err);

	if (rc)
		return rc;
	rc = inv->maps ? copies_open(&dev, inv, path, err) : 0;
	if (rc == 0)
		rc = fault_file_wrap(dev_out, dev, path, &faults, err);
	if (rc)
		dev_close(dev);
	else if (faults)
		out_warn(inv->out, "%s: %zu bad place%s simulated, from %s.faults", path, faults,
			 faults == 1 ? " is" : "s are", path);
	return rc;
}

/* With --overlay the file is read only, and the faults beside it stay what they are. */
static int base_open(struct dev **dev_out, const struct invocation *inv, const char *path,
		     enum access access, uint64_t create_size, struct err *err)
{
	bool write = access == ACCESS_WRITE;
	struct dev *dev = NULL;
	int rc;

	if (!inv->overlay)
		return image_open(dev_out, inv, path, access, create_size, err);
	if (overlay_dir_has_new(inv->overlay, path))
		return overlay_dir_new_open(dev_out, inv->overlay, path, write, err);
	rc = image_open(&dev, inv, path, ACCESS_READ, 0, err);
	if (rc)
		return rc;
	rc = overlay_dir_wrap(dev_out, dev, inv->overlay, path, write, err);
	if (rc)
		dev_close(dev);
	return rc;
}

int cli_stack_open(struct dev **dev_out, const struct invocation *inv, const char *path,
		   enum access access, uint64_t create_size, uint32_t slot, struct err *err)
{
	struct dev *dev = NULL;
	int rc = base_open(&dev, inv, path, access, create_size, err);

	if (rc)
		return rc;
	rc = fault_set_wrap(&dev, dev, inv->faults, slot, err);
	if (rc == 0 && inv->trace) {
		if (dev_trace_open(&dev, dev, inv->trace))
			rc = err_set(err, ERR_NOMEM, "%s: no memory", path);
		else if (slot != MEMBER_NONE)
			trace_sink_set_member(dev, slot);
	}
	if (rc)
		dev_close(dev);
	else
		*dev_out = dev;
	return rc;
}

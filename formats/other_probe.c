/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/other_probe.h"

#include "core/base/mem.h"
#include "formats/btrfs.h"
#include "formats/ddf.h"
#include "formats/imsm.h"
#include "formats/lvm.h"
#include "formats/other_volume.h"
#include "formats/zfs.h"

const struct other_format *const other_formats[OTHER_FORMATS] = { &ddf_format, &imsm_format,
								  &lvm_format, &btrfs_format,
								  &zfs_format };

void other_found_free(struct other_found *found)
{
	if (found->record)
		found->format->record_free(found->record);
	other_volumes_free(found->volumes, found->volume_count);
	tree_reset(&found->facts);
	tree_reset(&found->said);
	tree_reset(&found->expected);
	mem_free(found);
}

int other_probe_format(struct other_found **found_out, const struct other_format *format,
		       struct reader *reader, const char *path, struct err *err)
{
	struct other_found *found = mem_calloc(1, sizeof(*found));
	bool failed, any;

	*found_out = NULL;
	if (!found)
		return err_set(err, ERR_NOMEM, "no memory to look for %s", format->title);
	found->format = format;
	any = format->probe(found, reader, path);
	failed = found->facts.failed || found->said.failed || found->expected.failed;
	if (any && !failed) {
		*found_out = found;
		return 0;
	}
	other_found_free(found);
	return failed ? err_set(err, ERR_NOMEM, "no memory to decode %s", format->title) : 0;
}

int other_probe_device(struct other_probe *probe_out, struct dev *dev, const char *path,
		       struct err *err)
{
	struct other_probe probe = { 0 };
	struct reader reader;
	int rc = reader_open(&reader, dev, err);

	*probe_out = probe;
	if (rc)
		return rc;
	for (uint32_t i = 0; rc == 0 && i < OTHER_FORMATS; i++) {
		struct other_found *found = NULL;

		rc = other_probe_format(&found, other_formats[i], &reader, path, err);
		if (found)
			probe.at[probe.count++] = found;
	}
	reader_close(&reader);
	if (rc)
		other_probe_reset(&probe);
	else
		*probe_out = probe;
	return rc;
}

void other_probe_reset(struct other_probe *probe)
{
	for (uint32_t i = 0; i < probe->count; i++)
		other_found_free(probe->at[i]);
	*probe = (struct other_probe){ 0 };
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes of DDF and Intel Matrix as arrays of Linux MD: what md_map.h and everything above it then open as they do
 * MD's own. A container with one volume is that array. One with several is an array of its disks (MD_CONTAINER), and what
 * each disk is in each volume lies beside it (struct md_volume, container_map.h). Only for reading; shapes that MD does
 * not have are left to mdadm.
 */
#ifndef PG_FORMATS_OTHER_MD_H
#define PG_FORMATS_OTHER_MD_H

#include "formats/md_probe.h"
#include "formats/other.h"

/*
 * Look for such a volume or container where no superblock of MD is: then *probe_out has one, with a member that
 * stands for the device, else none. `path` is the device's name, by which Intel Matrix tells its disks. `search`: look for
 * a displaced anchor as well, which reads the last 32 MiB. Returns 0 or ERR_NOMEM.
 */
int other_md_probe(struct md_probe *probe_out, struct dev *dev, const char *path, bool search,
		   struct err *err) MUST_CHECK;

/* The same of what was found of DDF or Intel Matrix on a device of so many sectors; untouched when nothing opens. */
int other_md_make(struct md_probe *probe_out, const struct other_found *found, const char *path,
		  uint64_t device_sectors, struct err *err) MUST_CHECK;

#endif

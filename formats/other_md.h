/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume of DDF or Intel Matrix as an array of Linux MD: what md_map.h and everything above it then open as
 * they do MD's own. Only for reading; a container with several volumes, and shapes that MD does not have, are
 * left to mdadm.
 */
#ifndef PG_FORMATS_OTHER_MD_H
#define PG_FORMATS_OTHER_MD_H

#include "formats/md_probe.h"
#include "formats/other.h"

/*
 * Look for such a volume where no superblock of MD is: then *probe_out has one, with a member that stands for
 * the device, else none. `path` is the device's name, by which Intel Matrix tells its disks. `search`: look for
 * a displaced anchor as well, which reads the last 32 MiB. Returns 0 or ERR_NOMEM.
 */
int other_md_probe(struct md_probe *probe_out, struct dev *dev, const char *path, bool search,
		   struct err *err) MUST_CHECK;

#endif

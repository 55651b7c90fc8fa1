/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From what the operator names to open devices and arrays.
 *
 * ARRAY is any one member (path of an image or device) or a directory of images. The other members
 * are looked for among the regular files of the same directory, then in what --member names (files,
 * devices, directories), then with --scan among the system's block devices. Members are told by the
 * uuid in their superblocks, never by name or order. Nothing is written while looking.
 *
 * Every device opened here is read-only unless asked, obeys --io and --member-timeout, stands on the faults listed in its
 * PATH.faults (fault_file.h) and above the holes of its map, when the invocation has maps (member_maps.h); on the
 * overlay of --overlay (overlay_dir.h; the file below is then only read, and takes no lock) and on the faults of --fault
 * (fault_spec.h), and is traced with --trace.
 */
#ifndef PG_CLI_MEMBERS_H
#define PG_CLI_MEMBERS_H

#include "cli/member_stack.h"
#include "core/array/array.h"
#include "core/dev/devices.h"

/*
 * Open the array that `name` leads to, usually inv->operands[0], also one of Linux MD, to read. Refuses a directory with several
 * arrays (ERR_USAGE, naming them), NBD URIs for now (ERR_UNSUPPORTED), one member named twice by
 * the operator (ERR_DUPLICATE; found twice by looking around, it counts once).
 * What recovery did is said on stderr when it was done on disk, or lost
 * something. Release with array_close().
 */
int cli_array_open(struct array **array_out, const struct invocation *inv, const char *name,
		   enum access access, struct err *err) MUST_CHECK;

/* The same with more to say. */
int cli_array_open_as(struct array **array_out, const struct invocation *inv, const char *name,
		      const struct open_how *how, struct err *err) MUST_CHECK;

/* What remembers the paths of one invocation; dispatch makes and frees it. */
struct array_paths *array_paths_create(void);
void array_paths_free(struct array_paths *paths);

/*
 * Of an array of Linux MD that was not stopped in order: so much of what was reconstructed, at most, may come from checks
 * that are older than the data. The other says it, and that anything was reconstructed, on stderr.
 */
uint64_t cli_unproven(const struct invocation *inv, uint64_t reconstructed);
void cli_reconstructed_warn(const struct invocation *inv, uint64_t reconstructed);

/* Say on stderr which members failed while the command worked, and that it went on without them. */
void cli_members_warn(const struct invocation *inv);

/* Path under which the last cli_array_open() of this invocation found the member; NULL: not found. */
const char *cli_member_path(const struct invocation *inv, uint32_t slot);

/* What was found of the Linux MD array that was opened last; NULL when it was one of ours. */
struct md_view;
const struct md_view *cli_md_view(const struct invocation *inv);

/* The members of one array as open devices, for what works below an open array (rebuild of the map). */
struct member_devices {
	struct dev **devs;
	uint32_t count;
};
int cli_members_open(struct member_devices *members_out, const struct invocation *inv,
		     const char *name, enum access access, struct err *err) MUST_CHECK;
void cli_members_close(struct member_devices *members); /* closes every device */

/*
 * Open one device for the operator's path: a new member, a target. `create_size` > 0 makes a new sparse
 * image of that size when the file does not exist (an existing one keeps its size). ACCESS_SALVAGE is
 * as ACCESS_READ. Block devices are opened exclusively for writing.
 */
int cli_device_open(struct dev **dev_out, const struct invocation *inv, const char *path,
		    enum access access, uint64_t create_size, struct err *err) MUST_CHECK;

/* MEMBER of the array: slot number, path, label value (if only one has it), or uuid prefix. */
int cli_member_find(uint32_t *slot_out, const struct invocation *inv, const struct array *array,
		    const char *text, struct err *err) MUST_CHECK;
/* NULL: none. The one volume of an array of other software is "data" besides its name. */
const struct volume *cli_volume_named(const struct map *map, const char *name);
int cli_volume_find(const struct volume **volume_out, const struct array *array, const char *name,
		    struct err *err) MUST_CHECK;

/* The arrays of a directory (list, status without ARRAY), each with one path that leads to it. */
struct found_array {
	struct uuid uuid;
	char name[NAME_SIZE];
	char *path; /* owned: of one member */
	uint32_t members_found;
	uint64_t epoch, generation; /* the greatest seen */
	bool md;            /* of Linux MD: epoch 0, and as generation the count of events */
	bool adopted, half; /* and not committed; in part only */
};
struct found_arrays {
	struct found_array *at;
	size_t count;
};
/* Adds those that `directory` holds to `arrays` (zeroed at first). */
int cli_arrays_find(struct found_arrays *arrays, const struct invocation *inv,
		    const char *directory, struct err *err) MUST_CHECK;
void cli_arrays_reset(struct found_arrays *arrays);

#endif

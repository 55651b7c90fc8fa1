/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files and devices that are about to become members: nobody's data is overwritten by mistake.
 *
 *	new_members_open()	make images where asked, open, refuse what must not be touched
 *	new_members_show()	what was found on each
 *	(array_create, array_add_member; each success takes the device: new_member_taken())
 *	new_members_keep()	everything went well
 *	new_members_close()	close what was not taken, and remove images made here but not kept
 *
 * Promises
 *	refuse		a foreign signature or another array's superblock is ERR_IN_USE without --force
 *	own files	only images that this command itself created are ever removed again, and
 *			files of no byte where an image is to be made
 *	same thing	what was probed by name is what is open: told by device and inode
 *	plan		with --plan nothing is created and everything is opened read-only
 */
#ifndef PG_CLI_NEW_MEMBER_H
#define PG_CLI_NEW_MEMBER_H

#include "cli/command.h"
#include "core/array/array.h"
#include "formats/blkid.h"

#include <sys/types.h>

struct new_member {
	const char *path;            /* borrowed */
	struct overlay_dir *overlay; /* where it is made; NULL: as a file */
	struct dev *dev;             /* NULL once an array owns it */
	bool existed;                /* before this command */
	bool created;                /* by this command, and to be removed again if it fails */
	bool has_inode;              /* device and inode below are known */
	dev_t device;
	ino_t inode;
	struct found_list found;
};

struct new_members {
	struct new_member at[MEMBERS_MAX];
	uint32_t count;
};

/*
 * Open one more. `size` > 0 makes a sparse image of that many bytes where no file exists, or an empty
 * one; another file keeps its size. On failure nothing was added. Refuses ERR_IN_USE (see "refuse"),
 * ERR_DUPLICATE for a file that is among `members` already, ERR_SIZE for what is empty or no multiple
 * of a block, and what dev_file_open() refuses.
 */
int new_members_open(struct new_members *members, const struct invocation *inv, const char *path,
		     uint64_t size, struct err *err) MUST_CHECK;

/* The list "found": member, type, offset, uuid, name of every signature. Nothing when there is none. */
void new_members_show(const struct new_members *members, const struct invocation *inv);

/* Tell --trace which number the member has. */
void new_member_number(const struct new_member *member, const struct invocation *inv,
		       uint32_t slot);

/* An array owns this device now. */
void new_member_taken(struct new_member *member);

/* The images that were made stay. */
void new_members_keep(struct new_members *members);

/* Close what was not taken, undo what was not kept; the struct is empty again. */
void new_members_close(struct new_members *members);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The maps of ddrescue that belong to images of members (--map MEMBER=MAPFILE): what of an image counts, and which
 * sectors of the disk behind it would be worth another try.
 *
 *	member_maps_read()	files are read and checked
 *	member_maps_set_path()	which image each is of; after this members.h puts its holes in front of it
 *	member_maps_set_slot()	which member that is, once the array is open
 *	member_maps_hope()	is a sector of a member worth another try?
 *	member_maps_want()	it is wanted
 *	member_maps_domain()	all that is wanted of a member, as a domain for the next run of ddrescue
 *	member_maps_free()
 *
 * MEMBER is the path of an image, or what members.h takes as a member. Several images of one member, each with its map, make
 * one: what cannot be read from the first is read from the next.
 */
#ifndef PG_CLI_MEMBER_MAPS_H
#define PG_CLI_MEMBER_MAPS_H

#include "cli/command.h"

struct dev;
struct ddrescue_map;
struct member_maps; /* opaque */

/* A map file, whole and checked; released with ddrescue_reset(). */
int ddrescue_file_read(struct ddrescue_map *map_out, const char *path, struct err *err) MUST_CHECK;

/* `list` is of words MEMBER=MAPFILE. Returns 0, ERR_USAGE, or what is wrong with a file, by its name. */
int member_maps_read(struct member_maps **maps_out, const struct text_list *list,
		     struct err *err) MUST_CHECK;
void member_maps_free(struct member_maps *maps); /* NULL is allowed */

/* In the order of the list. Is MEMBER an existing file? Else it is to be looked up in an array. */
size_t member_maps_count(const struct member_maps *maps);
bool member_maps_name_file(const struct member_maps *maps, size_t index);
const char *member_maps_member(const struct member_maps *maps, size_t index);
/* Where its image is, once. Returns 0, ERR_NOMEM, or ERR_USAGE for an image with two maps. */
int member_maps_set_path(struct member_maps *maps, size_t index, const char *path,
			 struct err *err) MUST_CHECK;

/* The images' paths, for --member; those that `named` leads to are left out. Returns 0 or ERR_NOMEM. */
int member_maps_paths(const struct member_maps *maps, const struct text_list *named,
		      const char *operand, struct text_list *paths_out, struct err *err) MUST_CHECK;

/*
 * Both paths lead to images of one member: from now on `copy` stands behind `path`, for what cannot be read from that.
 * False, and nothing changed, unless both have a map.
 */
bool member_maps_join(struct member_maps *maps, const char *path, const char *copy);
/* The images that stand behind the one at `path`; NULL: there are not so many. */
const char *member_maps_copy(const struct member_maps *maps, const char *path, size_t index);
/* Put the holes of the image at `path` above `*dev`, if it has a map. Returns 0 or ERR_NOMEM. */
int member_maps_wrap(struct dev **dev, const struct member_maps *maps, const char *path,
		     struct err *err) MUST_CHECK;

/* The image at `path` is member `slot`. */
void member_maps_set_slot(struct member_maps *maps, const char *path, uint32_t slot);
/* As salvage_request's hope: 1 was never tried, 4 is known to be bad, 0 was rescued or has no map. */
uint32_t member_maps_hope(const struct member_maps *maps, uint32_t slot, uint64_t place);
int member_maps_want(struct member_maps *maps, uint32_t slot, uint64_t place,
		     struct err *err) MUST_CHECK;
/*
 * The member of map `index`, and what is wanted of it: '+' is, nothing else is; borrowed. NULL when that member has come
 * with an earlier index, or is not part of the array.
 */
const struct ddrescue_map *member_maps_domain(const struct member_maps *maps, size_t index,
					      uint32_t *slot_out);

/* ERR_IN_USE when `path` leads to one of the images or of the map files. */
int member_maps_guard(const struct member_maps *maps, const char *path, struct err *err) MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The maps of ddrescue that belong to images of members (--map MEMBER=MAPFILE): what of an image counts, and which
 * sectors of the disk behind it would be worth another try.
 *
 *	member_maps_read()	files are read and checked
 *	member_maps_set_path()	which image each is of; after this members.h puts its holes in front of it
 *	member_maps_hope()	is a sector worth another try?
 *	member_maps_want()	it is wanted
 *	member_maps_write()	a domain for the next run of ddrescue, one file a member
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

/* Has the image at `path` a map? */
bool member_maps_has(const struct member_maps *maps, const char *path);
/* Put the holes of the image at `path` above `*dev`, if it has a map. Returns 0 or ERR_NOMEM. */
int member_maps_wrap(struct dev **dev, const struct member_maps *maps, const char *path,
		     struct err *err) MUST_CHECK;

/* ERR_IN_USE when `path` leads to one of the images or of the map files. */
int member_maps_guard(const struct member_maps *maps, const char *path, struct err *err) MUST_CHECK;

#endif

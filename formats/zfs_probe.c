/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "formats/zfs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VDEV_DEPTH_MAX 8u
#define VDEVS_MAX 4096u

enum label_state { LABEL_NONE, LABEL_UNREADABLE, LABEL_DAMAGED, LABEL_WRONG_SUM, LABEL_VALID };

struct label {
	enum label_state state;
	uint64_t offset, txg;
	bool uberblock_found;
	struct zfs_uberblock uberblock; /* the newest of its ring whose sum is right */
	uint32_t uberblock_count;
};

struct zfs {
	struct label labels[ZFS_LABELS];
	uint32_t label_count, best; /* the label whose list is used */
	uint8_t *bytes;             /* its list; owned, the nodes borrow from it */
	struct nvlist_vec nodes;
	uint32_t tree; /* the vdev tree, NVLIST_NONE without one */
	uint64_t guid, pool_guid, state, vdevs;
	const struct zfs_uberblock *uberblock; /* the newest of all labels; NULL: none */
};

static void zfs_free(void *record)
{
	struct zfs *zfs = record;

	nvlist_vec_reset(&zfs->nodes);
	mem_free(zfs->bytes);
	mem_free(zfs);
}

/* Take this list unless a better one was found before. */
static void list_take(struct other_found *found, uint8_t *bytes, struct nvlist_vec *nodes,
		      uint32_t which)
{
	struct zfs *zfs = found->record;
	const struct label *label = &zfs->labels[which], *best = &zfs->labels[zfs->best];
	bool better = !zfs->bytes || label->state > best->state ||
		      (label->state == best->state && label->txg > best->txg);

	if (better) {
		nvlist_vec_reset(&zfs->nodes);
		mem_free(zfs->bytes);
		zfs->bytes = bytes;
		zfs->nodes = *nodes;
		zfs->best = which;
		return;
	}
	nvlist_vec_reset(nodes);
	mem_free(bytes);
}

static void label_read(struct other_found *found, struct reader *reader, uint32_t which)
{
	struct zfs *zfs = found->record;
	struct label *label = &zfs->labels[which];
	uint64_t offset = label->offset + ZFS_LIST_OFFSET;
	struct nvlist_vec nodes = { 0 };
	struct err err = { 0 };
	const uint8_t *list = reader_read(reader, offset, ZFS_LIST_SIZE);
	uint8_t *bytes;
	bool right;

	label->state = list ? LABEL_NONE : LABEL_UNREADABLE;
	if (!list || (bytes_are_zero(list, 16) && bytes_are_zero(list, ZFS_LIST_SIZE)))
		return;
	bytes = mem_calloc(ZFS_LIST_SIZE, 1);
	if (!bytes) {
		found->facts.failed = true;
		return;
	}
	memcpy(bytes, list, ZFS_LIST_SIZE);
	right = zfs_sum_is_right(bytes, ZFS_LIST_SIZE, offset);
	if (nvlist_parse(&nodes, bytes, ZFS_LIST_SIZE - ZFS_SUM_SIZE, &err) ||
	    !nvlist_number(&zfs->guid, &nodes, NVLIST_NONE, "guid")) {
		label->state = right ? LABEL_DAMAGED : LABEL_NONE;
		if (right)
			md_fault(&found->faults, "label", "label %u: %s", which,
				 err.code ? err.text : "it has no guid");
		nvlist_vec_reset(&nodes);
		mem_free(bytes);
		return;
	}
	label->state = right ? LABEL_VALID : LABEL_WRONG_SUM;
	nvlist_number(&label->txg, &nodes, NVLIST_NONE, "txg");
	list_take(found, bytes, &nodes, which);
}

static bool is_newer(const struct zfs_uberblock *one, const struct zfs_uberblock *other)
{
	return one->txg != other->txg ? one->txg > other->txg : one->time > other->time;
}

static void ring_read(struct other_found *found, struct reader *reader, uint32_t which,
		      uint32_t slot)
{
	struct zfs *zfs = found->record;
	struct label *label = &zfs->labels[which];
	uint64_t offset = label->offset + ZFS_RING_OFFSET;
	const uint8_t *bytes =
		label->state == LABEL_NONE ? NULL : reader_read(reader, offset, ZFS_RING_SIZE);
	struct zfs_uberblock uberblock;
	struct err err = { 0 };

	for (uint32_t at = 0; bytes && at < ZFS_RING_SIZE; at += slot) {
		/* Most slots of a young pool were never written. */
		if (bytes_are_zero(bytes + at, 8) ||
		    zfs_uberblock_decode(&uberblock, bytes + at, &err) ||
		    !zfs_sum_is_right(bytes + at, slot, offset + at))
			continue;
		label->uberblock_count++;
		if (label->uberblock_found && !is_newer(&uberblock, &label->uberblock))
			continue;
		label->uberblock_found = true;
		label->uberblock = uberblock;
	}
	if (label->uberblock_found &&
	    (!zfs->uberblock || is_newer(&label->uberblock, zfs->uberblock)))
		zfs->uberblock = &label->uberblock;
}

static bool labels_find(struct other_found *found, struct reader *reader)
{
	struct zfs *zfs = found->record;
	uint64_t ashift = 0;

	for (uint32_t i = 0; i < ZFS_LABELS; i++) {
		if (!zfs_label_place(&zfs->labels[i].offset, i, reader->size))
			return false;
		label_read(found, reader, i);
		zfs->label_count++;
	}
	if (!zfs->bytes)
		return found->faults.count > 0;
	nvlist_number(&zfs->guid, &zfs->nodes, NVLIST_NONE, "guid");
	nvlist_number(&zfs->pool_guid, &zfs->nodes, NVLIST_NONE, "pool_guid");
	nvlist_number(&zfs->state, &zfs->nodes, NVLIST_NONE, "state");
	zfs->tree = nvlist_find(&zfs->nodes, NVLIST_NONE, "vdev_tree", NVLIST_LIST);
	if (zfs->tree != NVLIST_NONE)
		nvlist_number(&ashift, &zfs->nodes, zfs->tree, "ashift");
	for (uint32_t i = 0; i < ZFS_LABELS; i++)
		ring_read(found, reader, i, zfs_slot_size(ashift));
	found->offset = zfs->labels[zfs->best].offset;
	return true;
}

static void number_print(struct fact_tree *facts, const struct nvlist_vec *nodes, uint32_t list,
			 const char *name, const char *key)
{
	uint64_t number;

	if (nvlist_number(&number, nodes, list, name))
		tree_number(facts, key, number);
	else
		tree_none(facts, key);
}

/* An identity is no number to count with: readers of JSON keep 53 bits. */
static void guid_print(struct fact_tree *facts, const struct nvlist_vec *nodes, uint32_t list,
		       const char *name)
{
	uint64_t guid;

	if (nvlist_number(&guid, nodes, list, name))
		tree_text(facts, name, "%" PRIu64, guid);
	else
		tree_none(facts, name);
}

static void string_print(struct fact_tree *facts, const struct nvlist_vec *nodes, uint32_t list,
			 const char *name, const char *key)
{
	char text[256];

	nvlist_string(text, sizeof(text), nodes, list, name);
	tree_text_or_none(facts, key, text);
}

static const char *state_name(uint64_t state)
{
	static const char *const names[] = { "active",  "exported",      "destroyed",   "spare",
					     "l2cache", "uninitialized", "unavailable", "in use" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static void features_print(struct fact_tree *facts, const struct zfs *zfs)
{
	uint32_t list = nvlist_find(&zfs->nodes, NVLIST_NONE, "features_for_read", NVLIST_LIST);

	tree_texts_begin(facts, "features_for_read");
	for (uint32_t i = list + 1; list != NVLIST_NONE && i < zfs->nodes.at[list].end;
	     i = zfs->nodes.at[i].end) {
		const struct nvlist_node *node = &zfs->nodes.at[i];

		tree_text(facts, NULL, "%.*s", (int)size_min(node->name_size, 200),
			  node->name ? node->name : "");
	}
	tree_end(facts);
}

static void pool_print(struct fact_tree *facts, const struct zfs *zfs)
{
	const struct nvlist_vec *nodes = &zfs->nodes;

	number_print(facts, nodes, NVLIST_NONE, "version", "version");
	string_print(facts, nodes, NVLIST_NONE, "name", "pool");
	guid_print(facts, nodes, NVLIST_NONE, "pool_guid");
	tree_text(facts, "state", "%s", state_name(zfs->state));
	number_print(facts, nodes, NVLIST_NONE, "txg", "txg");
	guid_print(facts, nodes, NVLIST_NONE, "guid");
	guid_print(facts, nodes, NVLIST_NONE, "top_guid");
	number_print(facts, nodes, NVLIST_NONE, "vdev_children", "vdev_children");
	number_print(facts, nodes, NVLIST_NONE, "hostid", "hostid");
	string_print(facts, nodes, NVLIST_NONE, "hostname", "hostname");
	number_print(facts, nodes, NVLIST_NONE, "is_spare", "is_spare");
	string_print(facts, nodes, NVLIST_NONE, "comment", "comment");
	number_print(facts, nodes, NVLIST_NONE, "errata", "errata");
	features_print(facts, zfs);
}

static void labels_print(struct other_found *found)
{
	static const char *const states[] = { "none", "unreadable", "damaged", "wrong sum",
					      "valid" };
	const struct zfs *zfs = found->record;
	struct fact_tree *facts = &found->facts;

	tree_list_begin(facts, "labels");
	for (uint32_t i = 0; i < zfs->label_count; i++) {
		const struct label *label = &zfs->labels[i];

		tree_row_begin(facts);
		tree_number(facts, "label", i);
		tree_number(facts, "offset", label->offset);
		tree_text(facts, "state", "%s", states[label->state]);
		tree_number(facts, "txg", label->txg);
		tree_number(facts, "uberblocks", label->uberblock_count);
		tree_number(facts, "uberblock_txg", label->uberblock.txg);
		tree_end(facts);
		if (label->state != LABEL_VALID)
			other_say(found, "label %u at %" PRIu64 ": %s", i, label->offset,
				  states[label->state]);
	}
	tree_end(facts);
}

static void uberblock_print(struct fact_tree *facts, const struct zfs *zfs)
{
	const struct zfs_uberblock *uberblock = zfs->uberblock;

	if (!uberblock) {
		tree_none(facts, "uberblock_txg");
		return;
	}
	tree_number(facts, "uberblock_txg", uberblock->txg);
	tree_number(facts, "uberblock_time", uberblock->time);
	tree_number(facts, "uberblock_version", uberblock->version);
	tree_number(facts, "software_version", uberblock->software_version);
	tree_text(facts, "guid_sum", "%" PRIu64, uberblock->guid_sum);
	tree_text(facts, "byte_order", "%s",
		  uberblock->big_endian ? "big-endian" : "little-endian");
}

/* What is set of a vdev's states. */
static void vdev_state_print(struct fact_tree *facts, const struct nvlist_vec *nodes, uint32_t vdev)
{
	static const char *const names[] = { "offline",     "faulted", "degraded", "removed",
					     "not_present", "is_log",  "is_spare", "resilver_txg" };
	uint64_t number;

	tree_texts_begin(facts, "state");
	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (nvlist_number(&number, nodes, vdev, names[i]) && number)
			tree_text(facts, NULL, "%s", names[i]);
	}
	tree_end(facts);
}

static void vdev_row(struct other_found *found, uint32_t vdev, uint32_t depth)
{
	const struct zfs *zfs = found->record;
	const struct nvlist_vec *nodes = &zfs->nodes;
	struct fact_tree *facts = &found->facts;
	uint64_t guid;

	nvlist_number(&guid, nodes, vdev, "guid");
	tree_row_begin(facts);
	tree_number(facts, "depth", depth);
	string_print(facts, nodes, vdev, "type", "type");
	number_print(facts, nodes, vdev, "id", "id");
	guid_print(facts, nodes, vdev, "guid");
	number_print(facts, nodes, vdev, "nparity", "nparity");
	number_print(facts, nodes, vdev, "ashift", "ashift");
	number_print(facts, nodes, vdev, "asize", "asize");
	number_print(facts, nodes, vdev, "metaslab_shift", "metaslab_shift");
	number_print(facts, nodes, vdev, "metaslab_array", "metaslab_array");
	number_print(facts, nodes, vdev, "create_txg", "create_txg");
	number_print(facts, nodes, vdev, "draid_ndata", "draid_data");
	number_print(facts, nodes, vdev, "draid_nspares", "draid_spares");
	number_print(facts, nodes, vdev, "draid_ngroups", "draid_groups");
	number_print(facts, nodes, vdev, "whole_disk", "whole_disk");
	string_print(facts, nodes, vdev, "path", "path");
	string_print(facts, nodes, vdev, "devid", "devid");
	string_print(facts, nodes, vdev, "phys_path", "phys_path");
	vdev_state_print(facts, nodes, vdev);
	tree_flag(facts, "this", guid == zfs->guid);
	tree_end(facts);
}

/* A vdev, then those below it; leaves are what the pool expects. */
static void vdev_print(struct other_found *found, uint32_t vdev, uint32_t depth)
{
	struct zfs *zfs = found->record;
	const struct nvlist_vec *nodes = &zfs->nodes;
	uint32_t children = nvlist_find(nodes, vdev, "children", NVLIST_LISTS);
	uint64_t guid;

	if (depth >= VDEV_DEPTH_MAX || zfs->vdevs++ >= VDEVS_MAX) {
		md_fault(&found->faults, "vdev_tree", "too large to be shown whole");
		return;
	}
	vdev_row(found, vdev, depth);
	nvlist_number(&guid, nodes, vdev, "guid");
	if (children == NVLIST_NONE)
		other_expect(found, "%" PRIu64, guid);
	for (uint32_t i = children + 1; children != NVLIST_NONE && i < nodes->at[children].end;
	     i = nodes->at[i].end)
		vdev_print(found, i, depth + 1);
}

/* "raidz2 of 5" */
static void top_text(char *out, size_t out_size, const struct zfs *zfs)
{
	uint32_t children = NVLIST_NONE, count = 0;
	uint64_t parity = 0;
	char type[32] = "";

	out[0] = '\0';
	if (zfs->tree == NVLIST_NONE)
		return;
	nvlist_string(type, sizeof(type), &zfs->nodes, zfs->tree, "type");
	children = nvlist_find(&zfs->nodes, zfs->tree, "children", NVLIST_LISTS);
	for (uint32_t i = children + 1; children != NVLIST_NONE && i < zfs->nodes.at[children].end;
	     i = zfs->nodes.at[i].end)
		count++;
	if (nvlist_number(&parity, &zfs->nodes, zfs->tree, "nparity"))
		snprintf(out, out_size, "%s%" PRIu64 " of %u", type, parity, count);
	else if (count)
		snprintf(out, out_size, "%s of %u", type, count);
	else
		snprintf(out, out_size, "%s", type);
}

static void explain(struct other_found *found, const char *top)
{
	const struct zfs *zfs = found->record;
	uint64_t tops = 0;

	nvlist_number(&tops, &zfs->nodes, NVLIST_NONE, "vdev_children");
	if (zfs->state == 3 || zfs->state == 4)
		other_say(found, "%s: it holds no data of its own",
			  zfs->state == 3 ? "a spare" : "a cache device");
	else if (zfs->tree == NVLIST_NONE)
		md_fault(&found->faults, "vdev_tree", "there is none");
	else if (tops > 1)
		other_say(found,
			  "in a %s, one of %" PRIu64 " top-level vdevs of the pool: all of "
			  "them are needed",
			  top, tops);
	else
		other_say(found, "in a %s, the only top-level vdev of the pool", top);
	if (zfs->state == 0)
		other_say(found, "the pool was not exported: it is in use, or its machine stopped");
	if (zfs->state == 2)
		other_say(found, "the pool was destroyed: zpool import -D may bring it back");
	if (!zfs->uberblock && zfs->state != 3 && zfs->state != 4)
		md_fault(&found->faults, "uberblocks", "none that is whole");
}

static void set_note(struct other_found *found)
{
	const struct zfs *zfs = found->record;
	char top[80];

	if (zfs->pool_guid)
		snprintf(found->uuid, sizeof(found->uuid), "%" PRIu64, zfs->pool_guid);
	snprintf(found->member, sizeof(found->member), "%" PRIu64, zfs->guid);
	nvlist_string(found->name, sizeof(found->name), &zfs->nodes, NVLIST_NONE, "name");
	found->generation = zfs->uberblock ? zfs->uberblock->txg : zfs->labels[zfs->best].txg;
	top_text(top, sizeof(top), zfs);
	snprintf(found->summary, sizeof(found->summary), "%s%.120s%s%s%s%s",
		 found->name[0] ? "pool " : "", found->name, found->name[0] ? ", " : "", top,
		 top[0] ? ", " : "", state_name(zfs->state));
	explain(found, top);
}

static bool zfs_probe(struct other_found *found, struct reader *reader, const char *path)
{
	struct zfs *zfs = mem_calloc(1, sizeof(*zfs));

	(void)path;
	found->record = zfs;
	if (!zfs) {
		found->facts.failed = true;
		return false;
	}
	zfs->tree = NVLIST_NONE;
	if (!labels_find(found, reader))
		return false;
	snprintf(found->hint, sizeof(found->hint),
		 "zdb -l DEVICE; zpool import -d DIRECTORY -o readonly=on -N POOL");
	if (!zfs->bytes)
		return true; /* faults say why */
	pool_print(&found->facts, zfs);
	uberblock_print(&found->facts, zfs);
	tree_list_begin(&found->facts, "vdev_tree");
	if (zfs->tree != NVLIST_NONE)
		vdev_print(found, zfs->tree, 0);
	tree_end(&found->facts);
	labels_print(found);
	set_note(found);
	return true;
}

const struct other_format zfs_format = {
	.name = "zfs",
	.blkid_type = "zfs_member",
	.title = "ZFS",
	.tool = "zpool",
	.probe = zfs_probe,
	.record_free = zfs_free,
};

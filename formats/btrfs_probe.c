/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/base/vec.h"
#include "formats/btrfs.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NODES_MAX 16384u   /* of a chunk tree: chunks for a thousand terabytes */
#define CHUNKS_MAX 262144u /* that are looked at */
#define DEVICES_MAX 4096u

enum {
	KEY_SIZE = 17,
	KEY_TYPE = 8,
	KEY_OFFSET = 9,
	KEY_TYPE_DEVICE = 216,
	KEY_TYPE_CHUNK = 228,

	NODE_FSID = 32,
	NODE_OFFSET = 48,
	NODE_OWNER = 88,
	NODE_ITEMS = 96,
	NODE_LEVEL = 100,
	NODE_FIRST = 101,
	NODE_POINTER_SIZE = 33,
	NODE_ITEM_SIZE = 25,
	OWNER_CHUNK_TREE = 3,

	BACKUPS = 2859,
	BACKUP_SIZE = 168,
	BACKUP_COUNT = 4,
};

VEC_DEFINE(node_vec, uint8_t *);
VEC_DEFINE(chunk_vec, struct btrfs_chunk);
VEC_DEFINE(device_vec, struct btrfs_device);

/* All that one probe has read. */
struct btrfs {
	struct btrfs_super super;
	uint8_t bytes[BTRFS_SUPER_SIZE];
	struct node_vec nodes;   /* owned, of super.node_size: chunks borrow from them */
	struct chunk_vec chunks; /* the first `system_count` are the system array's */
	size_t system_count;
	struct device_vec devices;
	bool tree_found; /* all of it was read */
};

static void btrfs_free(void *record)
{
	struct btrfs *fs = record;

	for (size_t i = 0; i < fs->nodes.count; i++)
		mem_free(fs->nodes.at[i]);
	node_vec_reset(&fs->nodes);
	chunk_vec_reset(&fs->chunks);
	device_vec_reset(&fs->devices);
	mem_free(fs);
}

static void chunk_add(struct other_found *found, const struct btrfs_chunk *chunk)
{
	struct btrfs *fs = found->record;

	/* The tree has those of the system array again. */
	for (size_t i = 0; i < fs->system_count; i++) {
		if (fs->chunks.at[i].logical == chunk->logical)
			return;
	}
	if (fs->chunks.count == CHUNKS_MAX)
		md_fault(&found->faults, "chunks", "more than can be looked at");
	else if (chunk_vec_push(&fs->chunks, *chunk))
		found->facts.failed = true;
}

static void device_add(struct other_found *found, const uint8_t *at)
{
	struct btrfs *fs = found->record;
	struct btrfs_device device;

	btrfs_device_decode(&device, at);
	if (fs->devices.count == DEVICES_MAX)
		md_fault(&found->faults, "devices", "more than can be looked at");
	else if (device_vec_push(&fs->devices, device))
		found->facts.failed = true;
}

static void system_array_read(struct other_found *found)
{
	struct btrfs *fs = found->record;
	const uint8_t *at = fs->super.system_array;
	size_t left = (size_t)size_min(fs->super.system_array_size, BTRFS_SYSTEM_ARRAY_SIZE);
	struct btrfs_chunk chunk;
	struct err err = { 0 };
	size_t used;

	while (left > 0) {
		if (left < KEY_SIZE || at[KEY_TYPE] != KEY_TYPE_CHUNK) {
			md_fault(&found->faults, "sys_chunk_array", "an item is no chunk");
			return;
		}
		if (btrfs_chunk_decode(&chunk, &used, get_le64(at + KEY_OFFSET), at + KEY_SIZE,
				       left - KEY_SIZE, &err)) {
			md_fault(&found->faults, "sys_chunk_array", "%s", err.text);
			return;
		}
		chunk_add(found, &chunk);
		at += KEY_SIZE + used;
		left -= KEY_SIZE + used;
	}
	fs->system_count = fs->chunks.count;
}

/* The node at `logical`, checked; NULL where this device has none, or a bad one (then with a fault). */
static const uint8_t *node_read(struct other_found *found, struct reader *reader, uint64_t logical,
				uint8_t level)
{
	struct btrfs *fs = found->record;
	uint32_t size = fs->super.node_size;
	uint64_t offset;
	uint8_t *bytes;
	bool right, here = false;

	for (size_t i = 0; !here && i < fs->system_count; i++)
		here = btrfs_chunk_find(&offset, &fs->chunks.at[i], logical, fs->super.device.id);
	if (!here || fs->nodes.count == NODES_MAX)
		return NULL;
	bytes = reader_copy(reader, offset, size);
	if (!bytes) {
		md_fault(&found->faults, "chunk_tree", "node %" PRIu64 " cannot be read", logical);
		return NULL;
	}
	if (node_vec_push(&fs->nodes, bytes)) {
		mem_free(bytes);
		found->facts.failed = true;
		return NULL;
	}
	if (btrfs_sum_check(&right, fs->super.sum_type, bytes, size) && !right)
		md_fault(&found->faults, "chunk_tree", "node %" PRIu64 ": its sum is wrong",
			 logical);
	else if (get_le64(bytes + NODE_OFFSET) != logical || bytes[NODE_LEVEL] != level ||
		 get_le64(bytes + NODE_OWNER) != OWNER_CHUNK_TREE ||
		 memcmp(bytes + NODE_FSID, fs->super.metadata_uuid, 16) != 0)
		md_fault(&found->faults, "chunk_tree", "node %" PRIu64 " is another one", logical);
	else
		return bytes;
	return NULL;
}

static void leaf_read(struct other_found *found, const uint8_t *bytes)
{
	const struct btrfs *fs = found->record;
	uint32_t count = get_le32(bytes + NODE_ITEMS), room = fs->super.node_size - NODE_FIRST;
	struct btrfs_chunk chunk;
	struct err err = { 0 };
	size_t used;

	if (count > room / NODE_ITEM_SIZE) {
		md_fault(&found->faults, "chunk_tree", "a leaf with %" PRIu32 " items", count);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *item = bytes + NODE_FIRST + (size_t)i * NODE_ITEM_SIZE;
		uint32_t offset = get_le32(item + KEY_SIZE), size = get_le32(item + KEY_SIZE + 4);

		if (offset > room || size > room - offset) {
			md_fault(&found->faults, "chunk_tree", "item %" PRIu32 " leaves its leaf",
				 i);
			continue;
		}
		if (item[KEY_TYPE] == KEY_TYPE_DEVICE && size >= BTRFS_DEVICE_SIZE)
			device_add(found, bytes + NODE_FIRST + offset);
		if (item[KEY_TYPE] != KEY_TYPE_CHUNK)
			continue;
		if (btrfs_chunk_decode(&chunk, &used, get_le64(item + KEY_OFFSET),
				       bytes + NODE_FIRST + offset, size, &err))
			md_fault(&found->faults, "chunk_tree", "%s", err.text);
		else
			chunk_add(found, &chunk);
	}
}

/* A place in the tree: the node, and which of its pointers is next. */
struct step {
	const uint8_t *bytes;
	uint32_t next, count;
};

static bool step_into(struct step *step, struct other_found *found, struct reader *reader,
		      uint64_t logical, uint32_t level)
{
	const struct btrfs *fs = found->record;
	uint32_t room = fs->super.node_size - NODE_FIRST;

	step->bytes = node_read(found, reader, logical, (uint8_t)level);
	if (!step->bytes)
		return false;
	step->next = 0;
	step->count = level ? get_le32(step->bytes + NODE_ITEMS) : 0;
	if (step->count > room / NODE_POINTER_SIZE) {
		md_fault(&found->faults, "chunk_tree", "a node with %" PRIu32 " pointers",
			 step->count);
		return false;
	}
	if (level == 0)
		leaf_read(found, step->bytes);
	return true;
}

/* Depth first, from the root's level down to the leaves. */
static void tree_read(struct other_found *found, struct reader *reader)
{
	struct btrfs *fs = found->record;
	struct step steps[BTRFS_LEVELS] = { 0 };
	uint32_t top = fs->super.chunk_root_level, level = top;
	bool whole = step_into(&steps[top], found, reader, fs->super.chunk_root, top);

	while (whole && level <= top) {
		struct step *step = &steps[level];
		const uint8_t *pointer;

		if (step->next == step->count) {
			level++;
			continue;
		}
		pointer = step->bytes + NODE_FIRST + (size_t)step->next++ * NODE_POINTER_SIZE;
		level--;
		whole = step_into(&steps[level], found, reader, get_le64(pointer + KEY_SIZE),
				  level);
	}
	fs->tree_found = whole;
}

/* Of the superblocks the first one that is whole; else one that decodes. */
static bool super_find(struct other_found *found, struct reader *reader)
{
	struct btrfs *fs = found->record;
	struct err err = { 0 };
	bool any = false, whole = false;

	for (uint32_t i = 0; !whole && i < BTRFS_MIRRORS; i++) {
		const uint8_t *bytes = reader_read(reader, btrfs_places[i], BTRFS_SUPER_SIZE);
		struct btrfs_super super;

		if (!bytes || btrfs_super_decode(&super, bytes, &err))
			continue;
		whole = super.sum_right && super.offset == btrfs_places[i];
		if (any && !whole)
			continue;
		any = true;
		memcpy(fs->bytes, bytes, sizeof(fs->bytes));
		found->offset = btrfs_places[i];
	}
	return any && btrfs_super_decode(&fs->super, fs->bytes, &err) == 0;
}

/* What lies at a place of superblocks; *generation_out is UINT64_MAX where there is none. */
static const char *mirror_state(uint64_t *generation_out, const struct btrfs *fs,
				struct reader *reader, uint64_t offset)
{
	const uint8_t *bytes = reader_read(reader, offset, BTRFS_SUPER_SIZE);
	struct btrfs_super super;
	struct err err = { 0 };

	*generation_out = UINT64_MAX;
	if (!bytes || btrfs_super_decode(&super, bytes, &err))
		return bytes ? "none" : "unreadable";
	*generation_out = super.generation;
	if (super.sum_known && !super.sum_right)
		return "wrong sum";
	if (memcmp(super.fsid, fs->super.fsid, 16) != 0)
		return "of another file system";
	return super.generation == fs->super.generation ? "valid" : "of another generation";
}

static void mirrors_print(struct other_found *found, struct reader *reader)
{
	struct fact_tree *facts = &found->facts;
	uint64_t generation;

	tree_list_begin(facts, "superblocks");
	for (uint32_t i = 0; i < BTRFS_MIRRORS; i++) {
		const char *state;

		if (btrfs_places[i] + BTRFS_SUPER_SIZE > reader->size)
			break;
		state = mirror_state(&generation, found->record, reader, btrfs_places[i]);
		tree_row_begin(facts);
		tree_number(facts, "offset", btrfs_places[i]);
		tree_text(facts, "state", "%s", state);
		if (generation == UINT64_MAX)
			tree_none(facts, "generation");
		else
			tree_number(facts, "generation", generation);
		tree_end(facts);
		if (strcmp(state, "valid") != 0)
			other_say(found, "the superblock at %" PRIu64 ": %s", btrfs_places[i],
				  state);
	}
	tree_end(facts);
}

static const char *const incompatible_names[] = {
	"mixed-backref",   "default-subvol", "mixed-groups",     "compress-lzo",
	"compress-zstd",   "big-metadata",   "extended-iref",    "raid56",
	"skinny-metadata", "no-holes",       "metadata-uuid",    "raid1c34",
	"zoned",           "extent-tree-v2", "raid-stripe-tree", NULL,
	"simple-quota",
};
static const char *const compatible_to_read_names[] = {
	"free-space-tree",
	"free-space-tree-valid",
	"verity",
	"block-group-tree",
};
static const char *const sum_names[BTRFS_SUM_COUNT] = { "crc32c", "xxhash64", "sha256", "blake2b" };

static void sum_print(struct fact_tree *facts, const struct btrfs *fs)
{
	static const uint32_t sizes[BTRFS_SUM_COUNT] = { 4, 8, 32, 32 };
	uint16_t type = fs->super.sum_type;
	uint32_t size = type < BTRFS_SUM_COUNT ? sizes[type] : BTRFS_SUM_SIZE;
	char digits[2 * BTRFS_SUM_SIZE + 1] = "";

	for (uint32_t i = 0; i < size; i++)
		snprintf(digits + (size_t)2 * i, 3, "%02x", fs->bytes[i]);
	if (type < BTRFS_SUM_COUNT)
		tree_text(facts, "csum_type", "%s", sum_names[type]);
	else
		tree_number(facts, "csum_type", type);
	tree_text(facts, "csum", "0x%s", digits);
	tree_text(facts, "csum_state", "%s",
		  fs->super.sum_right   ? "correct"
		  : fs->super.sum_known ? "wrong"
					: "not computed");
}

static void super_print(struct fact_tree *facts, const struct btrfs *fs)
{
	const struct btrfs_super *super = &fs->super;
	char uuid[37];

	sum_print(facts, fs);
	tree_number(facts, "bytenr", super->offset);
	tree_number(facts, "flags", super->flags);
	other_uuid(uuid, super->fsid);
	tree_text(facts, "fsid", "%s", uuid);
	other_uuid(uuid, super->metadata_uuid);
	tree_text(facts, "metadata_uuid", "%s", uuid);
	tree_text_or_none(facts, "label", super->label);
	tree_number(facts, "generation", super->generation);
	tree_number(facts, "root", super->root);
	tree_number(facts, "root_level", super->root_level);
	tree_number(facts, "sys_array_size", super->system_array_size);
	tree_number(facts, "chunk_root", super->chunk_root);
	tree_number(facts, "chunk_root_generation", super->chunk_root_generation);
	tree_number(facts, "chunk_root_level", super->chunk_root_level);
	tree_number(facts, "log_root", super->log_root);
	tree_number(facts, "log_root_level", super->log_root_level);
	tree_number(facts, "total_bytes", super->total_bytes);
	tree_number(facts, "bytes_used", super->bytes_used);
	tree_number(facts, "sectorsize", super->sector_size);
	tree_number(facts, "nodesize", super->node_size);
	tree_number(facts, "leafsize", super->leaf_size);
	tree_number(facts, "stripesize", super->stripe_size);
	tree_number(facts, "root_dir", super->root_directory);
	tree_number(facts, "num_devices", super->device_count);
	tree_bits(facts, "compat_flags", super->compatible, NULL, 0);
	tree_bits(facts, "compat_ro_flags", super->compatible_to_read, compatible_to_read_names, 4);
	tree_bits(facts, "incompat_flags", super->incompatible, incompatible_names, 17);
	tree_number(facts, "cache_generation", super->cache_generation);
	tree_number(facts, "uuid_tree_generation", super->uuid_tree_generation);
}

static void device_row(struct fact_tree *facts, const struct btrfs_device *device)
{
	char uuid[37];

	tree_row_begin(facts);
	tree_number(facts, "devid", device->id);
	other_uuid(uuid, device->uuid);
	tree_text(facts, "uuid", "%s", uuid);
	other_uuid(uuid, device->fsid);
	tree_text(facts, "fsid", "%s", uuid);
	tree_number(facts, "total_bytes", device->total_bytes);
	tree_number(facts, "bytes_used", device->bytes_used);
	tree_number(facts, "type", device->type);
	tree_number(facts, "generation", device->generation);
	tree_number(facts, "start_offset", device->start_offset);
	tree_number(facts, "io_align", device->io_align);
	tree_number(facts, "io_width", device->io_width);
	tree_number(facts, "sector_size", device->sector_size);
	tree_number(facts, "dev_group", device->group);
	tree_number(facts, "seek_speed", device->seek_speed);
	tree_number(facts, "bandwidth", device->bandwidth);
	tree_end(facts);
}

static void devices_print(struct fact_tree *facts, const struct btrfs *fs)
{
	tree_list_begin(facts, "device");
	device_row(facts, &fs->super.device);
	tree_end(facts);
	tree_list_begin(facts, "devices");
	for (size_t i = 0; i < fs->devices.count; i++)
		device_row(facts, &fs->devices.at[i]);
	tree_end(facts);
}

static const char *const type_names[] = { "data", "system", "metadata" };

static void chunks_print(struct fact_tree *facts, const struct btrfs *fs)
{
	tree_list_begin(facts, "chunks");
	for (size_t i = 0; i < fs->chunks.count; i++) {
		const struct btrfs_chunk *chunk = &fs->chunks.at[i];
		const char *profile = btrfs_profile_name(chunk->type);

		tree_row_begin(facts);
		tree_number(facts, "logical", chunk->logical);
		tree_number(facts, "length", chunk->length);
		tree_bits(facts, "type", chunk->type & 7, type_names, 3);
		tree_text(facts, "profile", "%s", profile ? profile : "unknown");
		tree_number(facts, "owner", chunk->owner);
		tree_number(facts, "stripe_len", chunk->stripe_length);
		tree_number(facts, "sub_stripes", chunk->sub_stripes);
		tree_number(facts, "io_align", chunk->io_align);
		tree_number(facts, "io_width", chunk->io_width);
		tree_number(facts, "sector_size", chunk->sector_size);
		tree_texts_begin(facts, "stripes");
		for (uint32_t at = 0; at < chunk->stripe_count; at++) {
			struct btrfs_stripe stripe = btrfs_chunk_stripe(chunk, at);

			tree_text(facts, NULL, "%" PRIu64 "@%" PRIu64, stripe.device,
				  stripe.offset);
		}
		tree_end(facts);
		tree_end(facts);
	}
	tree_end(facts);
}

/* The profiles of one type of chunks that were seen: "raid1, single". */
static void profiles_of(char *out, size_t out_size, const struct btrfs *fs, uint64_t type)
{
	uint64_t seen = 0;
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < fs->chunks.count; i++) {
		const char *name = btrfs_profile_name(fs->chunks.at[i].type);
		uint64_t bit = fs->chunks.at[i].type >> 3 & 0xff;

		if (!(fs->chunks.at[i].type & type) || !name || (bit ? seen & bit : seen >> 32) ||
		    used >= out_size)
			continue;
		seen |= bit ? bit : UINT64_C(1) << 32;
		used += (size_t)snprintf(out + used, out_size - used, "%s%s", used ? ", " : "",
					 name);
	}
}

static void profiles_print(struct other_found *found)
{
	static const char *const keys[] = { "data_profile", "system_profile", "metadata_profile" };
	const struct btrfs *fs = found->record;
	char names[3][80];

	for (uint32_t i = 0; i < 3; i++) {
		profiles_of(names[i], sizeof(names[i]), fs, UINT64_C(1) << i);
		tree_text_or_none(&found->facts, keys[i], names[i]);
	}
	snprintf(found->summary, sizeof(found->summary),
		 "device %" PRIu64 " of %" PRIu64 "%s%s%s%s", fs->super.device.id,
		 fs->super.device_count, names[0][0] ? ", data " : "", names[0],
		 names[2][0] ? ", metadata " : "", names[2]);
}

static void backups_print(struct fact_tree *facts, const struct btrfs *fs)
{
	static const char *const keys[] = {
		"tree_root",   "tree_root_generation",
		"chunk_root",  "chunk_root_generation",
		"extent_root", "extent_root_generation",
		"fs_root",     "fs_root_generation",
		"dev_root",    "dev_root_generation",
		"csum_root",   "csum_root_generation",
		"total_bytes", "bytes_used",
		"num_devices",
	};

	tree_list_begin(facts, "backup_roots");
	for (uint32_t i = 0; i < BACKUP_COUNT; i++) {
		tree_row_begin(facts);
		for (uint32_t key = 0; key < sizeof(keys) / sizeof(keys[0]); key++)
			tree_number(facts, keys[key],
				    get_le64(fs->bytes + BACKUPS + (size_t)i * BACKUP_SIZE +
					     (size_t)8 * key));
		tree_end(facts);
	}
	tree_end(facts);
}
_Static_assert(BACKUPS + BACKUP_COUNT * BACKUP_SIZE <= BTRFS_SUPER_SIZE, "the backups fit");

static void explain(struct other_found *found)
{
	const struct btrfs *fs = found->record;
	const struct btrfs_super *super = &fs->super;

	if (super->device_count > 1)
		other_say(found, "device %" PRIu64 " of a file system on %" PRIu64 " devices",
			  super->device.id, super->device_count);
	if (!fs->tree_found)
		other_say(found,
			  "the chunk tree is not on this device, or damaged: only the chunks "
			  "of the system array are shown; another device of the file system "
			  "has it");
	if (super->log_root)
		other_say(found,
			  "not unmounted in order: the log tree at %" PRIu64 " has the last writes",
			  super->log_root);
	if (found->offset != btrfs_places[0])
		other_say(found, "the first superblock is damaged: btrfs rescue super-recover "
				 "writes it again from this one");
	for (size_t i = 0; i < fs->devices.count; i++)
		other_expect(found, "%" PRIu64, fs->devices.at[i].id);
}

static bool btrfs_probe(struct other_found *found, struct reader *reader, const char *path)
{
	struct btrfs *fs = mem_calloc(1, sizeof(*fs));

	(void)path;
	if (!fs) {
		found->facts.failed = true;
		return false;
	}
	found->record = fs;
	if (!super_find(found, reader))
		return false;
	btrfs_super_validate(&found->faults, &fs->super, found->offset);
	system_array_read(found);
	if (!md_fault_in(&found->faults, "nodesize") &&
	    !md_fault_in(&found->faults, "chunk_root_level"))
		tree_read(found, reader);
	other_uuid(found->uuid, fs->super.fsid);
	snprintf(found->name, sizeof(found->name), "%s", fs->super.label);
	snprintf(found->member, sizeof(found->member), "%" PRIu64, fs->super.device.id);
	found->generation = fs->super.generation;
	profiles_print(found);
	super_print(&found->facts, fs);
	devices_print(&found->facts, fs);
	chunks_print(&found->facts, fs);
	mirrors_print(found, reader);
	backups_print(&found->facts, fs);
	explain(found);
	snprintf(found->hint, sizeof(found->hint),
		 "btrfs filesystem show; btrfs check --readonly DEVICE; mount -o ro,degraded "
		 "DEVICE");
	return true;
}

const struct other_format btrfs_format = {
	.name = "btrfs",
	.blkid_type = "btrfs",
	.title = "btrfs",
	.tool = "btrfs",
	.probe = btrfs_probe,
	.record_free = btrfs_free,
};

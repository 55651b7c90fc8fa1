/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/array/probe.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"

#include <string.h>

static const uint64_t areas[] = { SUPER_NEAR, SUPER_SECOND, SUPER_FAR };
#define AREA_COUNT (sizeof(areas) / sizeof(areas[0]))
#define AREA_BLOCKS (SUPER_AREA_SIZE / BLOCK_SIZE)

/* Take a slot that decoded into account. */
static void add_slot(struct probe *probe, const struct super *super)
{
	bool same_array = probe->valid_slots > 0 && uuid_equal(&probe->newest.array, &super->array);

	if (same_array && probe->generation_seen < super->generation)
		probe->generation_seen = super->generation;
	if (same_array && uuid_equal(&probe->newest.member, &super->member)) {
		probe->valid_slots++;
		probe->held[super->slot] = super->generation;
		if (super->epoch > probe->newest.epoch ||
		    (super->epoch == probe->newest.epoch &&
		     super->generation > probe->newest.generation))
			probe->newest = *super;
	} else if (probe->valid_slots == 0 || super->written_s > probe->newest.written_s) {
		if (!same_array) /* what another array came to is no number of this one */
			probe->generation_seen = super->generation;
		probe->newest = *super;
		probe->valid_slots = 1;
		memset(probe->held, 0, sizeof(probe->held));
		probe->held[super->slot] = super->generation;
	}
}

/* Returns whether it is a superblock that verifies. */
static bool probe_block(struct probe *probe, const uint8_t *bytes, uint64_t offset,
			struct err *newer)
{
	struct err why = { 0 };
	struct super super;

	if (!super_has_magic(bytes))
		return false;
	int rc = super_decode(&super, bytes, offset, &why);
	if (rc == 0)
		add_slot(probe, &super);
	else if (rc == ERR_VERSION)
		*newer = why;
	else if (probe->damaged_slots++ == 0)
		probe->damage = why;
	return rc == 0;
}

#define GENERATIONS_LOST_MAX (UINT64_C(1) << 20) /* later than that is no number of this array */

/*
 * The member's own slot does not verify. Was it to be later than what does? A number that does not belong
 * into the slot is a damaged one: then it may have been the next that does.
 */
static void look_for_lost(struct probe *probe, uint32_t slot, const uint8_t *bytes)
{
	struct super super;

	if (!super_guess(&super, bytes, &probe->newest))
		return;
	if (super.generation % SUPER_SLOTS == slot)
		probe->halves[slot] = (struct half_super){ super.epoch_id, super.generation };
	else
		super.generation =
			probe->newest.generation + 1 +
			(slot + SUPER_SLOTS - (probe->newest.generation + 1) % SUPER_SLOTS) %
				SUPER_SLOTS;
	if (super.generation <= probe->newest.generation ||
	    super.generation - probe->newest.generation > GENERATIONS_LOST_MAX)
		return;
	probe->forgotten[probe->forgotten_count++] = (struct forgotten){
		super.epoch,    super.epoch_id, super.generation, super.present,
		super.map_half, super.map_crc,  super.map_length,
	};
}

/* The slots of this member in the area that was read. `sound`: the blocks that verified. */
static void look_for_all_lost(struct probe *probe, uint64_t area, const uint8_t *bytes,
			      const bool *sound)
{
	for (uint32_t slot = 0; slot < SUPER_SLOTS; slot++) {
		uint64_t offset =
			super_offset(&probe->newest.member, slot, &probe->newest.geometry);

		if (offset >= area && offset - area < SUPER_AREA_SIZE &&
		    !sound[(offset - area) / BLOCK_SIZE])
			look_for_lost(probe, slot, bytes + (offset - area));
	}
}

/*
 * All blocks of an area. After an error each by itself: a disk that failed once may do better, and a bad sector
 * costs one block. False when any cannot be read: those are zeros.
 */
static bool read_area(struct dev *dev, uint64_t area, uint8_t *bytes)
{
	bool whole = true;

	if (io_read(dev, IO_ROLE_SUPER, area, bytes, SUPER_AREA_SIZE) == 0)
		return true;
	for (size_t i = 0; i < AREA_BLOCKS; i++) {
		uint8_t *at = bytes + i * BLOCK_SIZE;

		if (io_read(dev, IO_ROLE_SUPER, area + i * BLOCK_SIZE, at, BLOCK_SIZE) == 0)
			continue;
		memset(at, 0, BLOCK_SIZE);
		whole = false;
	}
	return whole;
}

/*
 * Is the area none of this member's, by what the areas before it say? A member of an adopted array has its second one at
 * 128 KiB, and data where another has it; there may be a superblock among them.
 */
static bool is_foreign(const struct probe *probe, uint64_t area)
{
	if (probe->valid_slots == 0)
		return false;
	return area == (probe->newest.geometry.adopted ? SUPER_FAR : SUPER_SECOND);
}

static int probe_once(struct probe *probe_out, struct dev *dev, struct err *err)
{
	uint8_t *bytes = mem_pages_raw(SUPER_AREA_SIZE * AREA_COUNT);
	bool present[AREA_COUNT] = { false }, sound[AREA_COUNT][AREA_BLOCKS];
	struct err newer = { 0 };

	*probe_out = (struct probe){ 0 };
	if (!bytes)
		return err_set(err, ERR_NOMEM, "no memory to read superblocks");
	for (size_t area = 0; area < AREA_COUNT; area++) {
		uint8_t *at = bytes + area * SUPER_AREA_SIZE;

		if (areas[area] + SUPER_AREA_SIZE > dev_info(dev)->size ||
		    is_foreign(probe_out, areas[area]))
			continue;
		present[area] = true;
		probe_out->unreadable |= !read_area(dev, areas[area], at);
		for (size_t i = 0; i < AREA_BLOCKS; i++)
			sound[area][i] = probe_block(probe_out, at + i * BLOCK_SIZE,
						     areas[area] + i * BLOCK_SIZE, &newer);
	}
	for (size_t area = 0; probe_out->valid_slots && area < AREA_COUNT; area++) {
		if (present[area])
			look_for_all_lost(probe_out, areas[area], bytes + area * SUPER_AREA_SIZE,
					  sound[area]);
	}
	mem_pages_free(bytes);
	if (probe_out->valid_slots == 0 && newer.code) {
		*err = newer;
		return err_prefix(err, "%s", dev_name(dev));
	}
	return 0;
}

/* What does not verify is read again: a disk may err for once, or read from another place (FAULTS A3, A10). */
int probe_device(struct probe *probe_out, struct dev *dev, struct err *err)
{
	struct probe again;
	int rc = probe_once(probe_out, dev, err);

	if (rc || !probe_out->damaged_slots)
		return rc;
	rc = probe_once(&again, dev, err);
	if (!rc && again.valid_slots >= probe_out->valid_slots)
		*probe_out = again;
	return rc;
}

int probe_wipe(struct dev *dev, bool adopted, struct err *err)
{
	uint8_t *zeros = mem_pages(SUPER_AREA_SIZE);
	int rc = zeros ? 0 : ERR_NOMEM;

	for (size_t area = 0; !rc && area < AREA_COUNT; area++) {
		if (areas[area] != SUPER_FAR || !adopted)
			rc = io_write(dev, IO_ROLE_SUPER, areas[area], zeros, SUPER_AREA_SIZE);
	}
	if (!rc)
		rc = io_flush(dev);
	mem_pages_free(zeros);
	if (rc)
		err_set(err, rc, "the superblock areas of %s cannot be written", dev_name(dev));
	return rc;
}

bool array_has_moved(const struct array *array)
{
	for (uint32_t slot = 0; slot < MEMBERS_MAX && !map_is_bare(array->map); slot++) {
		struct err ignored = { 0 };
		struct probe probe;

		if (array->members[slot].presence == PRESENT &&
		    probe_device(&probe, array->members[slot].dev, &ignored) == 0 &&
		    probe.newest.generation > array->map->generation)
			return true;
	}
	return false;
}

int array_probe(struct array_probe *probe_out, struct dev *dev, struct err *err)
{
	struct probe probe;
	int rc = probe_device(&probe, dev, err);

	if (rc)
		return rc;
	*probe_out = (struct array_probe){ .valid_slots = probe.valid_slots,
					   .size = dev_info(dev)->size_exact,
					   .damage = probe.damage };
	if (probe.valid_slots == 0)
		return 0;
	probe_out->array = probe.newest.array;
	probe_out->member = probe.newest.member;
	probe_out->slot = probe.newest.member_slot;
	probe_out->epoch = probe.newest.epoch;
	probe_out->generation = probe.newest.generation;
	probe_out->member_size = probe.newest.regions.member_size;
	probe_out->frame_count = probe.newest.regions.frame_count;
	probe_out->frame_body_blocks = probe.newest.geometry.frame_body_blocks;
	probe_out->written_s = probe.newest.written_s;
	probe_out->newest_offset = probe.newest.offset;
	memcpy(probe_out->name, probe.newest.name, sizeof(probe_out->name));
	return 0;
}

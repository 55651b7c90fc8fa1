/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checking the metadata on disk: superblock slots and copies of the map, one member after the other,
 * and the rules of the map. Reads only.
 *
 * A slot may be empty (a member that joined lately) or tell of any commit that led to this one. Those
 * that are older than the map's list of epochs cannot be judged and are let pass.
 */
#include "core/map/check.h"
#include "core/array/array_internal.h"
#include "core/array/probe.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/store/choose.h"
#include "core/store/map_record.h"

#include <inttypes.h>
#include <string.h>

#define READ_PIECE (UINT64_C(1) << 20) /* of one read of the map; keeps a batch small */

struct checking {
	const struct array *array;
	void (*found)(void *arg, const struct array_finding *finding);
	void *arg;
	uint64_t findings;
	uint8_t *bytes;          /* a member's copy of the map */
	uint8_t *reference;      /* the first copy that verified */
	uint32_t reference_slot; /* the member it came from, or MEMBER_NONE */
	uint64_t halves; /* bit n: a member has half a superblock of the n-th number from now */
};

/* Where on a member, and what for. */
struct spot {
	uint32_t slot;
	uint64_t offset;
	uint64_t length;
	const char *kind;
};

static void report_as(struct checking *checking, const struct spot *spot, const char *text,
		      bool harmless)
{
	const struct array_finding finding = {
		.slot = spot->slot,
		.offset = spot->offset,
		.length = spot->length,
		.kind = spot->kind,
		.text = text,
		.harmless = harmless,
	};

	checking->findings += !harmless;
	if (checking->found)
		checking->found(checking->arg, &finding);
}

static void report(struct checking *checking, const struct spot *spot, const char *text)
{
	report_as(checking, spot, text, false);
}

/* The slot that the last commit wrote must say what that commit was. */
static bool is_current(const struct array *array, const struct super *super)
{
	const struct array_member *member = &array->members[super->member_slot];
	const struct epoch *epoch = &array->map->epochs[array->map->epoch_count - 1];

	return super->epoch == epoch->number && super->epoch_id == epoch->id &&
	       super->generation == array->map->generation && super->map_crc == array->commit.crc &&
	       super->map_half == array->commit.half && super->map_length == array->commit.length &&
	       super->regions.member_size == member->regions.member_size &&
	       super->regions.map_offset == member->regions.map_offset &&
	       super->regions.data_offset == member->regions.data_offset &&
	       super->regions.frame_count == member->regions.frame_count;
}

/* What is wrong with a slot that decodes; NULL when nothing is. `last`: the last commit wrote it. */
static const char *judge_slot(const struct array *array, uint32_t slot, const struct super *super,
			      bool last)
{
	const struct map *map = array->map;
	enum choose_verdict verdict = choose_judge(map, array->commit.crc, super);

	if (!uuid_equal(&super->array, &map->uuid) ||
	    !uuid_equal(&super->member, &map_member(map, slot)->uuid))
		return "superblock: of another array or member";
	/* Elsewhere: a commit that nobody was told of, until its slot is written again; else it had not opened. */
	if (verdict == CHOOSE_FORK && last)
		return "superblock: of a branch that was written apart";
	if (verdict == CHOOSE_AHEAD && super->generation > map->generation)
		return "superblock: of a later commit, whose map does not verify";
	if (last && super->generation != map->generation)
		return "superblock: does not tell of the last commit, which this slot should";
	if (last && (super->member_slot != slot || !is_current(array, super)))
		return "superblock: tells something else of the last commit than the others";
	return NULL;
}

static struct spot super_spot(const struct array *array, uint32_t slot, uint32_t number)
{
	return (struct spot){ slot,
			      super_offset(&map_member(array->map, slot)->uuid, number,
					   &array->map->geometry),
			      BLOCK_SIZE, "superblock" };
}

/* The superblock that slot `number` of a member has; false when it does not verify. */
static bool read_slot(const struct array *array, uint32_t slot, uint32_t number, uint8_t *block,
		      struct super *super_out)
{
	const struct spot spot = super_spot(array, slot, number);
	struct err ignored = { 0 };

	return io_read(array->members[slot].dev, IO_ROLE_SUPER, spot.offset, block, BLOCK_SIZE) ==
		       0 &&
	       super_decode(super_out, block, spot.offset, &ignored) == 0;
}

/* The last commit that the member's superblocks know of; 0 when it has none that verifies. */
static uint64_t newest_generation(const struct array *array, uint32_t slot, uint8_t *block)
{
	uint64_t newest = 0;

	for (uint32_t n = 0; n < SUPER_SLOTS; n++) {
		struct super super;

		if (read_slot(array, slot, n, block, &super))
			newest = size_max(newest, super.generation);
	}
	return newest;
}

static bool has_superblocks(const struct array *array, uint32_t slot)
{
	return array->members[slot].dev && array->members[slot].presence <= PRESENT_STALE;
}

/* Does any member know a commit of this number that counts? */
static bool is_remembered(const struct array *array, uint64_t generation, uint8_t *block)
{
	for (uint32_t i = 0; i < array->map->member_count; i++) {
		uint32_t slot = array->map->members[i].slot;
		struct super super;

		if (!has_superblocks(array, slot) ||
		    !read_slot(array, slot, (uint32_t)(generation % SUPER_SLOTS), block, &super))
			continue;
		enum choose_verdict verdict = choose_judge(array->map, array->commit.crc, &super);
		if (super.generation == generation &&
		    (verdict == CHOOSE_CURRENT || verdict == CHOOSE_STALE))
			return true;
	}
	return false;
}

/* The last commit that a member took part in that knows of `newest`: others may have gone on without it. */
static uint64_t last_commit_of(const struct array *array, uint32_t slot, uint64_t newest)
{
	const struct map *map = array->map;

	for (uint32_t i = 0; i < map->epoch_count; i++) {
		const struct epoch *epoch = &map->epochs[i];
		uint64_t end =
			i + 1 < map->epoch_count ? epoch[1].first_generation : map->generation + 1;

		if (end > newest + 1 && !member_set_has(epoch->present, slot))
			return size_max(epoch->first_generation - 1, newest);
	}
	return map->generation;
}

/* Was the member there for the commit of this number, as far as the list of epochs tells? */
static bool took_part(const struct map *map, uint32_t slot, uint64_t generation)
{
	const struct epoch *epoch = NULL;

	for (uint32_t i = 0; i < map->epoch_count; i++) {
		if (map->epochs[i].first_generation <= generation)
			epoch = &map->epochs[i];
	}
	return !epoch || member_set_has(epoch->present, slot);
}

/* Did it take part in more commits since than a cut can take back? Numbers are passed over. */
static bool missed_more(const struct array *array, uint32_t slot, uint64_t newest, uint8_t *block)
{
	uint64_t last = last_commit_of(array, slot, newest), missed = 0;

	if (last > newest + SUPER_SLOTS)
		return true;
	for (uint64_t generation = newest + 1; generation <= last; generation++)
		missed += is_remembered(array, generation, block);
	return missed > 1;
}

/*
 * Why damage in a slot does no harm; NULL when it may. Commits that were cut off leave halves: where the member's next
 * one goes, and as long as nobody can say that such a number was not acknowledged, the next one is
 * passed over for the one behind it.
 */
static const char *excuse_slot(const struct array *array, const struct spot *spot, uint32_t number,
			       uint64_t newest, bool is_next, uint8_t *block)
{
	uint64_t back = (newest - number) % SUPER_SLOTS;

	if (missed_more(array, spot->slot, newest, block))
		return NULL;
	if (is_next)
		return "the next commit writes this slot";
	if (newest > back && !took_part(array->map, spot->slot, newest - back))
		return "it took no part in the commit that writes this slot";
	if (back > 0 && newest > back && !took_part(array->map, spot->slot, newest - back + 1))
		return "the others went on without it after the commit that writes this slot";
	if (newest > back && !is_remembered(array, newest - back, block))
		return "no commit that counts has written this slot";
	return NULL;
}

static void report_half_written(struct checking *checking, const struct spot *spot,
				const struct err *why, const char *excuse)
{
	struct err text = { 0 };

	err_set(&text, why->code, "%s; no harm, %s", why->text, excuse);
	report_as(checking, spot, text.text, true);
}

/* Halves that may be of a commit later than all that can be read: openings pass over their numbers. */
static int find_halves(struct checking *checking, struct err *err)
{
	const struct array *array = checking->array;
	uint64_t last = array->map->generation;

	for (uint32_t i = 0; i < array->map->member_count; i++) {
		uint32_t slot = array->map->members[i].slot;
		struct err why = { 0 };
		struct probe probe;

		if (!has_superblocks(array, slot))
			continue;
		int rc = probe_device(&probe, array->members[slot].dev, &why);
		if (rc == ERR_NOMEM)
			return err_set(err, rc, "no memory to check superblocks");
		for (uint32_t n = 0; !rc && n < probe.forgotten_count; n++) {
			uint64_t number = probe.forgotten[n].generation;

			if (number > last && number - last < 64)
				checking->halves |= UINT64_C(1) << (number - last);
		}
	}
	return 0;
}

/* Was this number passed over by the commit behind it, as another member has half a superblock of it? */
static bool is_half_elsewhere(const struct checking *checking, uint64_t number)
{
	uint64_t last = checking->array->map->generation;

	return number > last && number - last < 64 && (checking->halves >> (number - last) & 1);
}

/* `is_next`: there is no slot before it that the member's next commit may write. Returns whether that goes on. */
static bool check_slot(struct checking *checking, uint32_t slot, uint32_t number, uint64_t newest,
		       bool is_next, uint8_t *block)
{
	const struct array *array = checking->array;
	const struct array_member *place = &array->members[slot];
	bool last = place->presence == PRESENT && number == array->map->generation % SUPER_SLOTS;
	const struct spot spot = super_spot(array, slot, number);
	const char *excuse = NULL;
	struct err why = { 0 };
	struct super super;

	if (io_read(place->dev, IO_ROLE_SUPER, spot.offset, block, BLOCK_SIZE)) {
		report(checking, &spot, "superblock: cannot be read");
		return false;
	}
	if (!last && bytes_are_zero(block, BLOCK_SIZE))
		return false;
	int rc = super_decode(&super, block, spot.offset, &why);
	const char *text = rc ? why.text : judge_slot(array, slot, &super, last);

	bool half = super_has_magic(block); /* of a superblock, and not anything at all */
	if (!last && (rc == ERR_CHECKSUM || rc == ERR_NOT_MEMBER))
		excuse = excuse_slot(array, &spot, number, newest, is_next, block);
	if (excuse)
		report_half_written(checking, &spot, &why, excuse);
	else if (text)
		report(checking, &spot, text);
	return is_next && excuse && half;
}

static int check_slots(struct checking *checking, struct err *err)
{
	const struct array *array = checking->array;
	uint8_t *block = mem_pages(BLOCK_SIZE);

	if (!block)
		return err_set(err, ERR_NOMEM, "no memory to check superblocks");
	for (uint32_t i = 0; i < array->map->member_count; i++) {
		uint32_t slot = array->map->members[i].slot;

		if (!has_superblocks(array, slot))
			continue;
		uint64_t newest = newest_generation(array, slot, block);
		bool is_next = newest > 0;

		for (uint32_t n = 1; n <= SUPER_SLOTS; n++) {
			bool goes_on = is_next && is_half_elsewhere(checking, newest + n);

			is_next = check_slot(checking, slot, (uint32_t)((newest + n) % SUPER_SLOTS),
					     newest, is_next, block) ||
				  goes_on;
		}
	}
	mem_pages_free(block);
	return 0;
}

/* Where member `slot` keeps the map. */
static struct spot map_spot(const struct array *array, uint32_t slot)
{
	const struct member_regions *regions = &array->members[slot].regions;

	return (struct spot){ slot,
			      regions->map_offset +
				      array->commit.half * array->map->geometry.map_half_size,
			      array->commit.length, "map" };
}

static bool holds_map(const struct array *array, uint32_t slot)
{
	return array_member_usable(array, slot) && array->members[slot].presence == PRESENT &&
	       array->members[slot].current;
}

static int read_map(const struct array *array, const struct spot *spot, uint8_t *bytes)
{
	for (uint64_t at = 0; at < spot->length; at += READ_PIECE) {
		int rc = io_read(array->members[spot->slot].dev, IO_ROLE_MAP, spot->offset + at,
				 bytes + at, size_min(READ_PIECE, spot->length - at));

		if (rc)
			return rc;
	}
	return 0;
}

/* Do the bytes of a copy make the map of the last commit? */
static int decode_map(const struct array *array, const uint8_t *bytes, struct err *why)
{
	struct map *map = NULL;
	int rc = map_record_decode(&map, bytes, array->commit.length, &array->map->uuid,
				   array->map->generation, array->commit.crc, why);

	if (rc)
		return rc;
	map_free(map);
	return 0;
}

/* Narrow `spot` to the blocks in which two copies differ; false when there are none. */
static bool narrow(struct spot *spot, const uint8_t *copy, const uint8_t *reference)
{
	uint64_t first = 0, end = spot->length;

	while (first < end && memcmp(copy + first, reference + first, BLOCK_SIZE) == 0)
		first += BLOCK_SIZE;
	while (end > first &&
	       memcmp(copy + end - BLOCK_SIZE, reference + end - BLOCK_SIZE, BLOCK_SIZE) == 0)
		end -= BLOCK_SIZE;
	spot->offset += first;
	spot->length = end - first;
	return first < end;
}

/* Find the copy that the others are compared with. */
static int find_reference(struct checking *checking)
{
	const struct array *array = checking->array;
	struct err why = { 0 };
	int rc = 0;

	for (uint32_t i = 0; i < array->map->member_count; i++) {
		uint32_t slot = array->map->members[i].slot;
		struct spot spot = map_spot(array, slot);

		if (!holds_map(array, slot) || read_map(array, &spot, checking->reference))
			continue;
		rc = decode_map(array, checking->reference, &why);
		if (rc == ERR_NOMEM)
			return rc;
		if (rc)
			continue;
		checking->reference_slot = slot;
		return 0;
	}
	return 0;
}

/* Compare one member's copy with the reference, or say what is wrong with it when there is none. */
static int check_copy(struct checking *checking, uint32_t slot)
{
	struct spot spot = map_spot(checking->array, slot);
	struct err why = { 0 };
	int rc;

	if (slot == checking->reference_slot)
		return 0;
	if (read_map(checking->array, &spot, checking->bytes)) {
		report(checking, &spot, "map: this copy cannot be read");
		return 0;
	}
	if (checking->reference_slot == MEMBER_NONE) {
		rc = decode_map(checking->array, checking->bytes, &why);
		if (rc == ERR_NOMEM)
			return rc;
		report(checking, &spot, rc ? why.text : "map: this copy changed while it was read");
	} else if (narrow(&spot, checking->bytes, checking->reference)) {
		report(checking, &spot, "map: this copy differs from one that verifies");
	}
	return 0;
}

static int check_copies(struct checking *checking, struct err *err)
{
	const struct map *map = checking->array->map;
	uint64_t length = checking->array->commit.length;
	int rc = ERR_NOMEM;

	checking->reference_slot = MEMBER_NONE;
	checking->bytes = mem_pages(length);
	checking->reference = mem_pages(length);
	if (checking->bytes && checking->reference)
		rc = find_reference(checking);
	for (uint32_t i = 0; !rc && i < map->member_count; i++) {
		if (holds_map(checking->array, map->members[i].slot))
			rc = check_copy(checking, map->members[i].slot);
	}
	mem_pages_free(checking->bytes);
	mem_pages_free(checking->reference);
	return rc ? err_set(err, rc, "no memory to check the map") : 0;
}

static void report_unclaimed(void *arg, const struct group *group)
{
	const struct spot spot = { MEMBER_NONE, 0, 0, "rule" };
	struct err text = { 0 };

	err_set(&text, ERR_FORMAT,
		"group %" PRIu64 " belongs to no volume: its %u extents hold nothing", group->id,
		group->shape.columns);
	report(arg, &spot, text.text);
}

/* The map's own rules, and the free space once more from the start. */
static int check_rules(struct checking *checking, struct err *err)
{
	const struct array *array = checking->array;
	const struct map *map = array->map;
	const struct spot spot = { MEMBER_NONE, 0, 0, "rule" };
	struct space *space = NULL;
	struct err why = { 0 };
	int rc = map_check(map, &why);

	if (rc == ERR_NOMEM)
		return err_set(err, rc, "no memory to check the map");
	if (rc) {
		report(checking, &spot, why.text);
		return 0;
	}
	rc = map_find_unclaimed(map, report_unclaimed, checking, err);
	if (!rc)
		rc = space_create(&space, map, err);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < map->member_count; i++) {
		uint32_t slot = map->members[i].slot;

		if (space_free_frames(space, slot) == space_free_frames(array->space, slot) &&
		    space_total_frames(space, slot) == space_total_frames(array->space, slot))
			continue;
		err_set(&why, ERR_FORMAT,
			"member %u has %" PRIu64 " free frames by the map, %" PRIu64
			" in use as such",
			slot, space_free_frames(space, slot),
			space_free_frames(array->space, slot));
		report(checking, &spot, why.text);
	}
	space_free(space);
	return 0;
}

int array_check(struct array *array, void (*found)(void *arg, const struct array_finding *finding),
		void *arg, uint64_t *findings_out, struct err *err)
{
	struct checking checking = { .array = array, .found = found, .arg = arg };
	int rc = array_need_native(array, err);

	if (!rc)
		rc = find_halves(&checking, err);
	if (!rc)
		rc = check_slots(&checking, err);
	if (!rc)
		rc = check_copies(&checking, err);
	if (!rc)
		rc = check_rules(&checking, err);
	if (rc)
		return rc;
	*findings_out = checking.findings;
	return 0;
}

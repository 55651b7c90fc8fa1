/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of rebuild-map share: an array with volumes of all layouts, and ways to damage it. */
#ifndef PG_TESTS_REBUILD_HELP_H
#define PG_TESTS_REBUILD_HELP_H

#include "core/job/rebuild_map.h"
#include "core/store/seal.h"
#include "tests/unit/array_help.h"

#define DISK_SIZE (UINT64_C(8) << 20)
#define DISKS 5u
#define ALL 31u
#define SAMPLES 6u

/* The volumes, by their bits: 1 plain, 2 mirror, 4 parity, 8 double, 16 wide, 32 sequential. */
struct sample {
	const char *name;
	struct policy policy;
	uint64_t length;
};
extern const struct sample samples[SAMPLES];
uint64_t seed_of(const struct sample *sample); /* of its bytes */

/* An array with the samples whose bits are set; closed again unless `array_out`. */
void rack_make(struct rack *rack, uint32_t which, struct array **array_out);

/* Bytes on the medium become `value`; a power loss does not bring them back. */
void wipe(struct rack *rack, uint32_t disk, uint64_t offset, uint64_t size, int value);
void wipe_maps(struct rack *rack); /* both halves of the map, on every disk */
void wipe_supers(struct rack *rack, uint32_t disk);

int rebuild(struct rack *rack, uint32_t disks, bool write, struct rebuild_map_report *report,
	    struct err *err) MUST_CHECK;
struct rebuild_map_report rebuilt(struct rack *rack, uint32_t disks);

/* All samples in `which` are there, whole, and nothing else is; and the metadata is in order. */
void assert_only_volumes(struct array *array, uint32_t which);
void assert_volumes(struct rack *rack, uint32_t disks, uint32_t which);

/* The header at a byte offset of a member. */
struct seal_header header_at(struct rack *rack, const struct map *map, uint32_t slot,
			     uint64_t offset);

#endif

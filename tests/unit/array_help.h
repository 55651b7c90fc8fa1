/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tests of arrays share: a rack of simulated disks that outlive the arrays on them, lose power
 * all at once or fail one by one; and an environment whose random numbers come from a seed.
 */
#ifndef PG_TESTS_ARRAY_HELP_H
#define PG_TESTS_ARRAY_HELP_H

#include "core/array/array.h"
#include "core/base/rng.h"
#include "core/dev/devices.h"

#define RACK_MAX 8u

/* What a device sees before it is done: returns 0 to let it pass, or the error it meets. */
typedef int (*rack_watch)(void *arg, uint32_t disk, const struct io *io);

struct rack {
	struct env *env;
	uint32_t count;
	struct dev *disks[RACK_MAX]; /* simulated disks */
	uint64_t writes;             /* writes and flushes so far, on all disks */
	uint64_t writes_left;        /* until the power fails: then every operation does */
	uint64_t fail_at
		[RACK_MAX]; /* from this write on (of all disks) the disk fails; or UINT64_MAX */
	rack_watch watch;   /* may be NULL */
	void *watch_arg;
};

/* Environment of one task, with seeded random numbers and a clock that stands still. */
struct env *seeded_env(uint64_t seed);

void rack_open(struct rack *rack, struct env *env, uint32_t count, const uint64_t *sizes);
void rack_close(struct rack *rack);
/* Power loss: writes that were not flushed are kept, dropped or torn; all disks work again. */
void rack_crash(struct rack *rack, struct rng *rng);
/* A device on disk i for an array to own. */
struct dev *rack_dev(struct rack *rack, uint32_t i);
uint8_t *rack_bytes(struct rack *rack, uint32_t i);

/* An array on all disks, `spares` of them spare; NULL with err when it fails. */
struct array *rack_create(struct rack *rack, const struct policy *policy, uint32_t spares,
			  struct err *err);
/* A rack of disks of one size with a new array on all of them, or the test fails. */
struct array *rack_begin(struct rack *rack, struct env *env, uint32_t disks, uint64_t disk_size,
			 const struct policy *policy);
/* Open what lies on the disks of the bit mask. */
int rack_array(struct rack *rack, uint32_t disks, enum array_access access,
	       struct array **array_out, struct err *err) MUST_CHECK;
struct array *rack_array_of(struct rack *rack, uint32_t disks, enum array_access access);

/* A scrub that only looks finds nothing wrong; `what` is for the message if it does. */
void assert_clean(struct array *array, const char *what);

/* Put a volume of seeded bytes, and compare it with them; lost bytes are a failure. */
void put_bytes(struct array *array, const char *name, const struct policy *policy, uint64_t length,
	       uint64_t seed);
void assert_bytes(struct array *array, const char *name, uint64_t length, uint64_t seed);

#endif

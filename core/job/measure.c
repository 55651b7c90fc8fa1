/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/job/measure.h"

#include "core/array/array_internal.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/runner.h"
#include "core/map/zones.h"

#include <inttypes.h>
#include <string.h>

#define ROUNDS 5u
#define SAMPLE                                                                                     \
	(UINT64_C(16) << 20) /* of a part in a round: tenths of a second on a disk that seeks */
#define PIECE (UINT64_C(1) << 20) /* of one read: long enough that seeks do not count */
#define NS_PER_S UINT64_C(1000000000)

struct measure {
	struct array *array;
	struct runner runner;
	uint8_t *buffer; /* PIECE */
};

bool measure_differs(const struct measured_member *measured)
{
	return zone_rates_differ(measured->rates);
}

void measure_show(const struct array *array, struct measure_report *report_out)
{
	const struct map *map = array->map;

	*report_out = (struct measure_report){ .count = map->member_count };
	for (uint32_t i = 0; i < map->member_count; i++) {
		report_out->members[i].slot = map->members[i].slot;
		memcpy(report_out->members[i].rates, map->members[i].rates,
		       sizeof(map->members[i].rates));
	}
}

static uint64_t frame_bytes(const struct array *array)
{
	return (uint64_t)array->map->geometry.frame_blocks * BLOCK_SIZE;
}

/* So much of each part is read in a round: the same of all parts; 0: the member is too small, or cannot be read. */
static uint64_t sample_of(const struct array *array, const struct member *member)
{
	if (!array_member_usable(array, member->slot))
		return 0;
	return size_min(member->frame_count / ZONE_RATES * frame_bytes(array), SAMPLE);
}

/* Time to read so many bytes from `offset` on; 0: they cannot be read. */
static uint64_t time_read(struct measure *work, struct dev *dev, uint64_t offset, uint64_t size)
{
	uint64_t begun = env_now_ns(work->runner.env);

	for (uint64_t done = 0; done < size; done += PIECE) {
		if (io_read(dev, IO_ROLE_DATA, offset + done, work->buffer,
			    (size_t)size_min(PIECE, size - done)))
			return 0;
	}
	runner_note(&work->runner, size, size, 0);
	return size_max(env_now_ns(work->runner.env) - begun, 1);
}

/* One round of all parts of a member; the best times so far in best_ns, 0: none yet. */
static int read_round(struct measure *work, const struct member *member, uint64_t sample,
		      uint32_t round, uint64_t best_ns[static ZONE_RATES], struct err *err)
{
	uint64_t frame = frame_bytes(work->array);
	struct dev *dev = array_dev(work->array, member->slot);

	for (uint32_t part = 0; part < ZONE_RATES; part++) {
		struct zone_part frames = zone_part(member->frame_count, part);
		uint64_t spare = (frames.end - frames.begin) * frame - sample;
		uint64_t skipped = spare / (ROUNDS - 1) * round / BLOCK_SIZE * BLOCK_SIZE;

		if (runner_stops(&work->runner))
			return err_set(err, ERR_STOPPED, "stopped while it measured member %u",
				       member->slot);
		uint64_t took = time_read(
			work, dev, member->data_offset + frames.begin * frame + skipped, sample);
		if (took && (!best_ns[part] || took < best_ns[part]))
			best_ns[part] = took;
	}
	return 0;
}

static int measure_member(struct measure *work, const struct member *member,
			  uint32_t rates_out[static ZONE_RATES], struct err *err)
{
	uint64_t best_ns[ZONE_RATES] = { 0 }, sample = sample_of(work->array, member);
	int rc = 0;

	for (uint32_t round = 0; !rc && round < ROUNDS; round++)
		rc = read_round(work, member, sample, round, best_ns, err);
	for (uint32_t part = 0; !rc && part < ZONE_RATES; part++) {
		if (!best_ns[part])
			return err_set(err, ERR_IO,
				       "part %u of %u of member %u cannot be read, so it cannot be "
				       "measured",
				       part + 1, ZONE_RATES, member->slot);
		uint64_t rate = sample * NS_PER_S / 1024 / best_ns[part];

		rates_out[part] = (uint32_t)size_max(size_min(rate, UINT32_MAX), 1);
	}
	return rc;
}

static int measure_all(struct measure *work, struct measure_report *report, struct err *err)
{
	const struct map *map = work->array->map;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < map->member_count; i++) {
		if (sample_of(work->array, &map->members[i]))
			rc = measure_member(work, &map->members[i], report->members[i].rates, err);
	}
	return rc;
}

/* Measured, and as before: no commit. */
static int store(struct array *array, const struct measure_report *report, struct err *err)
{
	bool changed = false;
	int rc = array_write_settle(array, err);

	if (rc)
		return rc;
	for (uint32_t i = 0; !rc && i < report->count; i++) {
		const struct measured_member *measured = &report->members[i];
		struct member *member = map_member(array->map, measured->slot);

		if (!member || memcmp(member->rates, measured->rates, sizeof(member->rates)) == 0)
			continue;
		memcpy(member->rates, measured->rates, sizeof(member->rates));
		changed = true;
		rc = map_touch_member(array->map, measured->slot);
	}
	if (rc)
		return array_edit_failed(array, "note what was measured", err);
	return changed ? array_commit(array, err) : 0;
}

static uint64_t bytes_to_read(const struct array *array)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < array->map->member_count; i++)
		bytes += sample_of(array, &array->map->members[i]) * ZONE_RATES * ROUNDS;
	return bytes;
}

int measure_run(struct array *array, const struct job_watch *watch, bool plan,
		struct measure_report *report_out, struct err *err)
{
	struct measure work = { .array = array };
	struct measure_report report;

	if (array_need_committed(array, err))
		return err->code;
	work.buffer = mem_pages(PIECE);
	if (!work.buffer)
		return err_set(err, ERR_NOMEM, "no memory to measure members");
	measure_show(array, &report);
	runner_init(&work.runner, array, watch, "measure", bytes_to_read(array));
	int rc = measure_all(&work, &report, err);
	report.bytes_read = work.runner.progress.bytes_read;
	runner_report(&work.runner);
	runner_reset(&work.runner);
	mem_pages_free(work.buffer);
	if (!rc && !plan)
		rc = store(array, &report, err);
	if (!rc)
		*report_out = report;
	return rc;
}

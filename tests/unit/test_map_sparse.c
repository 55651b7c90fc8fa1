/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A map that is longer on paper than on the disk: aim is that a member whose superblock claims a huge map,
 * with holes behind it, is refused for the price of a few reads and a few megabytes. Method: a device
 * without memory of its own gives back a true map and then zeros; it counts what is read of it,
 * which is never much less than what is allocated.
 */
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/store/commit.h"
#include "core/store/map_record.h"
#include "tests/unit/map_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GENERATION 9u
#define READ_MAX (UINT64_C(4) << 20)

struct holey {
	struct dev dev;
	const uint8_t *bytes; /* of the map's start; all behind is zero */
	uint64_t size;
	uint64_t read;
};

static int holey_run(struct dev *dev, struct io *io)
{
	struct holey *holey = (struct holey *)(void *)dev;
	uint64_t at = io->offset;

	assert_int_equal(io->op, IO_READ);
	holey->read += io->size;
	for (size_t i = 0; i < io->iov_count; i++) {
		uint8_t *to = io->iov[i].iov_base;

		memset(to, 0, io->iov[i].iov_len);
		if (at < holey->size)
			memcpy(to, holey->bytes + at,
			       io->iov[i].iov_len < holey->size - at ? io->iov[i].iov_len
								     : holey->size - at);
		at += io->iov[i].iov_len;
	}
	return 0;
}

static void holey_close(struct dev *dev)
{
	dev_reset(dev);
}

static const struct dev_ops holey_ops = { .name = "holey", .run = holey_run, .close = holey_close };

/* The last 16 bytes of a record's header: its checksum is right whatever it claims. */
static void record_claim(struct buffer *record, uint64_t size, uint64_t payload)
{
	static const uint8_t zeros[BLOCK_SIZE];
	uint8_t *bytes = record->bytes;

	put_le64(bytes + 16, size);
	put_le64(bytes + 24, payload);
	put_le32(bytes + 60, 0);
	uint32_t crc = crc32_of(0, bytes, record->size);
	for (uint64_t at = record->size; at < size; at += BLOCK_SIZE)
		crc = crc32_of(crc, zeros, BLOCK_SIZE);
	put_le32(bytes + 60, crc);
}

/* Read a map of `length` bytes, of which `record` is on the device and the rest are holes. */
static int read_map(const struct buffer *record, uint64_t length, uint64_t *read_out,
		    struct err *err)
{
	struct holey holey = { .bytes = record->bytes, .size = record->size };
	struct map *sample = map_sample(), *map = NULL;
	struct super super = { .array = sample->uuid,
			       .generation = GENERATION,
			       .map_length = length };

	super.map_crc = get_le32(record->bytes + 60);
	super.geometry = sample->geometry;
	super.geometry.map_half_size = length;
	assert_int_equal(dev_init(&holey.dev, &holey_ops, env_threads(), "holey"), 0);
	holey.dev.info.size = holey.dev.info.size_exact = length;
	int rc = commit_read(&map, &holey.dev, &super, err);
	*read_out = holey.read;
	map_free(map);
	map_free(sample);
	dev_close(&holey.dev);
	return rc;
}

static struct buffer sample_record(void)
{
	struct map *map = map_sample();
	const struct map_record_place place = { .generation = GENERATION };
	struct buffer record = { 0 };
	uint32_t crc;

	assert_int_equal(map_record_encode_full(&record, map, &place, &crc), 0);
	map_free(map);
	return record;
}

static void map_without_holes_is_read(void **state)
{
	struct buffer record = sample_record();
	struct err err = { 0 };
	uint64_t read;

	(void)state;
	if (read_map(&record, record.size, &read, &err))
		fail_msg("%s", err.text);
	assert_int_equal(read, record.size);
	buffer_reset(&record);
}

/* Zeros behind the last record, in its padding, and in what it says are its items. */
static void holes_are_refused_before_they_cost_memory(void **state)
{
	static const uint64_t lengths[] = { UINT64_C(8) << 20, UINT64_C(256) << 20,
					    MAP_LENGTH_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int claim = 0; claim < 3; claim++) {
			struct buffer record = sample_record();
			uint64_t payload = get_le64(record.bytes + 24), read;
			struct err err = { 0 };

			if (claim)
				record_claim(&record, lengths[i],
					     claim == 1 ? payload : lengths[i] - 64);
			assert_int_equal(read_map(&record, lengths[i], &read, &err), ERR_FORMAT);
			assert_non_null(strstr(err.text, "zeros"));
			if (read > READ_MAX)
				fail_msg("claim %d: %u MiB were read", claim,
					 (unsigned)(read >> 20));
			buffer_reset(&record);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_without_holes_is_read),
		cmocka_unit_test(holes_are_refused_before_they_cost_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

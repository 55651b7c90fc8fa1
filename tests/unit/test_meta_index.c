/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The index of a metadata archive. Aim: it comes back as it was, and nothing is believed that could lead a restore
 * outside of its members. Method: an index with everything in it; each byte changed, with the checksum put right;
 * cut at every length; and wrong fields one by one.
 */
#include "core/base/crc.h"
#include "formats/meta_index.h"
#include "tests/unit/corpus_help.h"
#include "tests/unit/meta_try.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SIZE (1u << 20)

static struct meta_index index_make(void)
{
	struct meta_index index = { .epoch = 3, .generation = 9, .name = "tank" };

	memset(index.array.bytes, 7, 16);
	for (uint32_t slot = 1; slot < 6; slot += 2) {
		struct meta_index_member member = { .slot = slot, .size = SIZE };

		snprintf(member.file, sizeof(member.file), "m%u.img", slot);
		assert_int_equal(meta_member_vec_push(&index.members, member), 0);
	}
	for (uint32_t i = 0; i < 6; i++) {
		const struct meta_index_range range = {
			.slot = 1 + i % 3 * 2,
			.role = i < 3 ? i % 2 ? IO_ROLE_LOG : IO_ROLE_MAP : IO_ROLE_SUPER,
			.offset = (uint64_t)i * BLOCK_SIZE,
			.size = SIZE - (uint64_t)i * BLOCK_SIZE,
			.crc = i,
		};
		const struct meta_index_tell tell = { range.slot, i, SIZE - BLOCK_SIZE };

		assert_int_equal(meta_range_vec_push(&index.ranges, range), 0);
		assert_int_equal(meta_tell_vec_push(&index.tells, tell), 0);
	}
	return index;
}

/* What the decoder makes of an index. */
static int again(const struct meta_index *index)
{
	struct meta_index decoded = { 0 };
	struct buffer buffer = { 0 };
	struct err err = { 0 };
	int rc;

	meta_index_encode(&buffer, index);
	assert_false(buffer.failed);
	rc = meta_index_decode(&decoded, buffer.bytes, buffer.size, &err);
	assert_int_equal(rc, err.code);
	meta_index_reset(&decoded);
	buffer_reset(&buffer);
	return rc;
}

static void any_bytes_are_refused_or_encode_to_themselves(void **state)
{
	struct meta_index index = index_make();
	struct buffer buffer = { 0 };
	unsigned decoded = 0;

	(void)state;
	meta_index_encode(&buffer, &index);
	assert_true(meta_try(buffer.bytes, buffer.size));
	for (size_t at = 0; at < buffer.size; at++) {
		buffer.bytes[at] ^= 0x41;
		decoded += meta_try(buffer.bytes, buffer.size);
		buffer.bytes[at] ^= 0x41;
		assert_false(meta_try(buffer.bytes, at));
	}
	assert_in_range(decoded, 20,
			200); /* uuids, numbers of commits, sums: any value has a meaning */
	buffer_reset(&buffer);
	meta_index_reset(&index);
}

static void what_leads_outside_of_a_member_is_refused(void **state)
{
	static const uint64_t sizes[] = { 0, 1, SIZE + BLOCK_SIZE, UINT64_MAX - BLOCK_SIZE + 1 };
	struct meta_index index = index_make();

	(void)state;
	assert_int_equal(again(&index), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		index.ranges.at[4].size = sizes[i];
		assert_int_equal(again(&index), ERR_FORMAT);
	}
	index.ranges.at[4].size = BLOCK_SIZE;
	assert_int_equal(again(&index), 0);
	index.ranges.at[4].offset = SIZE;
	assert_int_equal(again(&index), ERR_FORMAT);
	index.ranges.at[4].offset = 0;
	index.ranges.at[4].slot = 2; /* no such member */
	assert_int_equal(again(&index), ERR_FORMAT);
	index.ranges.at[4].slot = 1;
	index.ranges.at[4].role = IO_ROLE_MAP; /* behind a superblock */
	assert_int_equal(again(&index), ERR_FORMAT);
	index.ranges.at[4].role = IO_ROLE_SUPER;
	index.tells.at[0].offset = SIZE;
	assert_int_equal(again(&index), ERR_FORMAT);
	index.tells.at[0].offset = 0;
	assert_int_equal(again(&index), 0);
	memcpy(index.members.at[1].file, "../m", 5);
	assert_int_equal(again(&index), ERR_FORMAT);
	memcpy(index.members.at[1].file, "m", 2);
	index.members.at[1].slot = 1; /* twice */
	assert_int_equal(again(&index), ERR_FORMAT);
	index.members.at[1].slot = 3;
	index.members.at[2].slot = MEMBERS_MAX;
	assert_int_equal(again(&index), ERR_FORMAT);
	meta_index_reset(&index);
}

static void a_newer_version_is_said_to_be_one(void **state)
{
	struct meta_index index = index_make(), decoded = { 0 };
	struct buffer buffer = { 0 };
	struct err err = { 0 };

	(void)state;
	meta_index_encode(&buffer, &index);
	put_le32(buffer.bytes + 8, 2);
	assert_int_equal(meta_index_decode(&decoded, buffer.bytes, buffer.size, &err),
			 ERR_CHECKSUM);
	put_le32(buffer.bytes + buffer.size - 4, crc32_of(0, buffer.bytes, buffer.size - 4));
	assert_int_equal(meta_index_decode(&decoded, buffer.bytes, buffer.size, &err), ERR_VERSION);
	buffer_reset(&buffer);
	meta_index_reset(&index);
}

static bool replay(uint8_t *bytes, size_t size)
{
	return meta_try(bytes, size);
}

/* Seeds of fuzz-meta, and what it found worth keeping. */
static void corpus_is_read(void **state)
{
	struct corpus_count count = corpus_replay("meta", replay, NULL);

	(void)state;
	assert_true(count.files >= 2 && count.true_count >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_are_refused_or_encode_to_themselves),
		cmocka_unit_test(corpus_is_read),
		cmocka_unit_test(what_leads_outside_of_a_member_is_refused),
		cmocka_unit_test(a_newer_version_is_said_to_be_one),
	};

	return cmocka_run_group_tests_name("meta_index", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/adopt_help.h"

#include "core/base/mem.h"
#include "core/base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void yard_open(struct yard *yard, struct env *env, const struct bare *bare, uint32_t added)
{
	uint64_t sizes[RACK_MAX];

	*yard = (struct yard){ 0 };
	assert_true(bare->members + added <= RACK_MAX && bare->origin >= ADOPT_ORIGIN);
	bare_rack_fill(&yard->bare, bare, 77);
	for (uint32_t i = 0; i < RACK_MAX; i++)
		sizes[i] = yard->bare.size + (i < bare->members ? 0 : UINT64_C(4) << 20);
	rack_open(&yard->rack, env, bare->members + added, sizes);
	for (uint32_t i = 0; i < bare->members; i++)
		memcpy(rack_bytes(&yard->rack, i), yard->bare.images[i], yard->bare.size);
}

void yard_close(struct yard *yard)
{
	rack_close(&yard->rack);
	bare_rack_empty(&yard->bare);
}

static int mark(void *arg, struct err *err)
{
	struct yard *yard = arg;

	yard->marks++;
	return yard->mark_fails ? err_set(err, yard->mark_fails, "no mark") : 0;
}

void yard_request(struct yard *yard, struct array_adopt_request *request)
{
	*request = (struct array_adopt_request){ .env = yard->rack.env,
						 .name = "tank",
						 .map = bare_map(&yard->bare.bare),
						 .record_size = ADOPT_RECORD,
						 .origin = { { 9, 9 } },
						 .frame_body_blocks = 16,
						 .mark = mark,
						 .arg = yard };
	for (uint32_t i = 0; i < yard->bare.bare.members; i++) {
		request->devs[i] = rack_dev(&yard->rack, i);
		request->data_begin[i] = yard->bare.bare.origin;
	}
}

int yard_adopt(struct yard *yard, struct array **array_out, struct err *err)
{
	struct array_adopt_request request;

	yard_request(yard, &request);
	int rc = array_adopt(array_out, &request, err);

	for (uint32_t i = 0; rc && i < MEMBERS_MAX; i++)
		dev_close(request.devs[i]);
	return rc;
}

struct array *yard_array(struct yard *yard)
{
	struct array *array = NULL;
	struct err err = { 0 };

	if (yard_adopt(yard, &array, &err) || array_adopt_set_state(array, ADOPT_COMMITTED, &err))
		fail_msg("%s", err.text);
	for (uint32_t i = yard->bare.bare.members; i < yard->rack.count; i++) {
		uint32_t slot;

		if (array_add_member(array, rack_dev(&yard->rack, i), false, &slot, &err))
			fail_msg("%s", err.text);
	}
	return array;
}

void yard_compare(const struct yard *yard, struct array *array, const char *what)
{
	const struct volume *volume = map_volume_named(array_map(array), "data");
	uint64_t length = bare_volume_size(&yard->bare.bare);
	uint8_t *bytes = mem_pages(size_round_up(length, BLOCK_SIZE));
	struct array_read_result result = { 0 };
	struct err err = { 0 };

	assert_non_null(volume);
	assert_int_equal(volume->length, length);
	if (array_read(array, volume, 0, bytes, length, &result, &err))
		fail_msg("%s: %s", what, err.text);
	assert_int_equal(result.lost, 0);
	if (memcmp(bytes, yard->bare.volume, length) != 0)
		fail_msg("%s: other bytes", what);
	mem_pages_free(bytes);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/place.h"

#include "core/base/size.h"

#include <assert.h>
#include <string.h>

static uint64_t capped_sum(const uint64_t *free, uint32_t count, uint64_t cap)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += size_min(free[i], cap);
	return sum;
}

uint64_t place_groups_bound(const uint64_t *free, uint32_t count, uint32_t width)
{
	uint64_t low = 0, high;

	assert(width > 0);
	high = capped_sum(free, count, UINT64_MAX) / width;
	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (capped_sum(free, count, middle) / width >= middle)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static uint64_t data_frames(const uint64_t *free, uint32_t count, uint32_t width, uint32_t checks,
			    uint64_t groups)
{
	uint64_t used = size_min(width * groups, capped_sum(free, count, groups));
	uint64_t spent = checks * groups;

	return used > spent ? used - spent : 0;
}

uint64_t place_data_bound(const uint64_t *free, uint32_t count, uint32_t width, uint32_t checks)
{
	uint64_t low = 0, high = capped_sum(free, count, UINT64_MAX) / (checks + 1);

	/* Concave in the number of groups: go up while one more group still gains. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (data_frames(free, count, width, checks, middle + 1) >
		    data_frames(free, count, width, checks, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return data_frames(free, count, width, checks, low);
}

static bool same_label(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static bool same_domain(const struct place_member *a, const struct place_member *b)
{
	return same_label(a->domain, b->domain);
}

/* May the two not stand in one group? */
static bool conflicts(const struct place_request *request, const struct place_member *a,
		      const struct place_member *b)
{
	bool shared = same_domain(a, b);

	for (uint32_t i = 0; i < request->wider; i++)
		shared = shared || same_label(a->wider[i], b->wider[i]);
	return shared;
}

/* Free frames of a member's domain. */
static uint64_t domain_free(const struct place_request *request, const struct place_member *member)
{
	uint64_t sum = member->domain ? 0 : member->free;

	for (uint32_t i = 0; member->domain && i < request->member_count; i++)
		sum += same_domain(member, &request->members[i]) ? request->members[i].free : 0;
	return sum;
}

/*
 * Is `a` to be taken before `b`? Least used fraction first, or most free first: of the domain, which is
 * what the bounds count, then of the member. Ties: the slot.
 */
static bool comes_before(const struct place_request *request, const struct place_member *a,
			 const struct place_member *b, bool balanced)
{
	/* Frame numbers have 32 bits, so the products fit. */
	uint64_t left = balanced ? (a->total - a->free) * b->total : domain_free(request, b);
	uint64_t right = balanced ? (b->total - b->free) * a->total : domain_free(request, a);

	if (left != right)
		return left < right;
	if (a->free != b->free)
		return a->free > b->free;
	return a->slot < b->slot;
}

/* Could `member` join the `count` chosen ones? */
static bool fits(const struct place_request *request, uint32_t member, const uint32_t *chosen,
		 uint32_t count)
{
	if (request->members[member].free < request->frames)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (chosen[i] == member ||
		    conflicts(request, &request->members[member], &request->members[chosen[i]]))
			return false;
	}
	return true;
}

/* Positions of up to `width` members in the order of preference; returns how many. */
static uint32_t pick(const struct place_request *request, bool balanced, uint32_t *chosen)
{
	uint32_t count = 0;

	while (count < request->width) {
		uint32_t best = request->member_count;

		for (uint32_t i = 0; i < request->member_count; i++) {
			if (fits(request, i, chosen, count) &&
			    (best == request->member_count ||
			     comes_before(request, &request->members[i], &request->members[best],
					  balanced)))
				best = i;
		}
		if (best == request->member_count)
			break;
		chosen[count++] = best;
	}
	return count >= request->width_min ? count : 0;
}

/* What the bound says of what is free, after taking `chosen` away. A domain counts as one member. */
static uint64_t bound_after(const struct place_request *request, const uint32_t *chosen,
			    uint32_t count)
{
	uint64_t free[MEMBERS_MAX];

	for (uint32_t i = 0; i < request->member_count; i++)
		free[i] = request->members[i].free;
	for (uint32_t i = 0; i < count; i++)
		free[chosen[i]] -= request->frames;
	for (uint32_t i = 0; i < request->member_count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (!same_domain(&request->members[i], &request->members[j]))
				continue;
			free[j] += free[i];
			free[i] = 0;
			break;
		}
	}
	if (request->width == request->width_min)
		return place_groups_bound(free, request->member_count, request->width);
	return place_data_bound(free, request->member_count, request->width, request->checks);
}

/* Does this choice lose capacity against the bound of what was free before? */
static bool costs_capacity(const struct place_request *request, const uint32_t *chosen,
			   uint32_t count)
{
	uint64_t before = bound_after(request, chosen, 0);
	uint64_t after = bound_after(request, chosen, count);
	uint64_t stored = request->frames;

	if (request->width != request->width_min)
		stored *= count - request->checks;
	return after + stored < before;
}

uint32_t place_choose(const struct place_request *request, uint32_t *slots_out)
{
	uint32_t chosen[CODE_COLUMNS_MAX];

	assert(request->member_count <= MEMBERS_MAX);
	assert(request->width >= request->width_min && request->width <= CODE_COLUMNS_MAX);

	uint32_t count = pick(request, true, chosen);
	if (count == 0 || count < request->width || costs_capacity(request, chosen, count))
		count = pick(request, false, chosen);

	/* Ascending slots, so that the order of columns does not depend on how full members are. */
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = request->members[chosen[i]].slot;
		uint32_t at = i;

		while (at > 0 && slots_out[at - 1] > slot) {
			slots_out[at] = slots_out[at - 1];
			at--;
		}
		slots_out[at] = slot;
	}
	return count;
}

uint32_t place_default_width(enum layout layout, uint32_t checks, uint32_t member_count)
{
	switch (layout) {
	case LAYOUT_PARITY:
		if (member_count > CODE_COLUMNS_MAX)
			return CODE_COLUMNS_MAX;
		return member_count >= checks + 3 ? member_count - 1 : member_count;
	case LAYOUT_SEQUENTIAL:
		if (member_count > CODE_SEQUENTIAL_COLUMNS_MAX)
			return CODE_SEQUENTIAL_COLUMNS_MAX;
		return member_count >= 4 ? member_count - 1 : member_count;
	case LAYOUT_MIRROR:
		return checks + 1;
	case LAYOUT_PLAIN:
	case LAYOUT_COUNT:
		break;
	}
	return 1;
}

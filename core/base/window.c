/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base/window.h"

#include "core/base/bytes.h"
#include "core/base/size.h"

#include <assert.h>

#define SECTOR_SIZE 512u

bool window_in_a_row(const struct window *window)
{
	return window->run >= window->length;
}

bool window_is_sound(const struct window *window)
{
	uint64_t end, runs;

	if (window->begin % BLOCK_SIZE || window->length == 0 || window->length % SECTOR_SIZE ||
	    window->origin % SECTOR_SIZE || window->run == 0 || window->stride % SECTOR_SIZE ||
	    window->stride < window->run)
		return false;
	if (!window_in_a_row(window) && window->run % BLOCK_SIZE)
		return false;
	/* Rounding up to a block stays below this, too. */
	if (!size_add(window->begin, window->length, &end) || end > UINT64_MAX - BLOCK_SIZE)
		return false;
	runs = size_divide_up(window->length, window->run);
	return size_multiply(runs, window->stride, &end) && size_add(end, window->origin, &end);
}

uint64_t window_end(const struct window *window)
{
	return window->begin + size_round_up(window->length, BLOCK_SIZE);
}

uint64_t window_place_end(const struct window *window)
{
	return window_place(window, window->length - 1, NULL) + 1;
}

const struct window *window_find(const struct window *windows, size_t count, uint64_t address)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (windows[middle].begin <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && address < window_end(&windows[low - 1]) ? &windows[low - 1] : NULL;
}

uint64_t window_place(const struct window *window, uint64_t at, uint64_t *run_out)
{
	assert(at < window->length);
	if (run_out)
		*run_out = size_min(window->run - at % window->run, window->length - at);
	return window->origin + at / window->run * window->stride + at % window->run;
}

bool window_byte(const struct window *window, uint64_t place, uint64_t *at_out)
{
	uint64_t run, within, at;

	if (place < window->origin)
		return false;
	run = (place - window->origin) / window->stride;
	within = (place - window->origin) % window->stride;
	if (within >= window->run || !size_multiply(run, window->run, &at) ||
	    !size_add(at, within, &at) || at >= window->length)
		return false;
	*at_out = at;
	return true;
}

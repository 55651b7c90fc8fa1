/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/ddrescue.h"

#include "core/base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define SPLITS 2u /* blocks that one ddrescue_set() may add */

/* The words of one line; `at` moves over it. */
struct line {
	const char *at, *end;
	uint64_t number; /* in the file, from 1 */
	const char *name;
};

static int refuse(const struct line *line, const char *what, struct err *err)
{
	err_set(err, ERR_FORMAT, "%s: line %" PRIu64 ": %s", line->name, line->number, what);
	return err_hint(err, "ddrescuelog -t %s", line->name);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* A '#' begins a comment at the start of a line and behind a blank. */
static bool line_is_over(struct line *line)
{
	while (line->at < line->end && is_blank(*line->at))
		line->at++;
	return line->at == line->end || *line->at == '#';
}

static bool is_word_end(const struct line *line)
{
	return line->at == line->end || is_blank(*line->at);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* What a number begins with says its base. */
static unsigned base_take(struct line *line)
{
	if (line->end - line->at < 2 || *line->at != '0')
		return 10;
	if (line->at[1] == 'x' || line->at[1] == 'X') {
		line->at += 2;
		return 16;
	}
	return 8;
}

/* A whole word that is a number up to DDRESCUE_POSITION_MAX. */
static bool number_take(struct line *line, bool only_decimal, uint64_t *number_out)
{
	uint64_t number = 0;
	unsigned base, digits = 0;

	if (line_is_over(line))
		return false;
	base = only_decimal ? 10 : base_take(line);
	for (; !is_word_end(line); line->at++, digits++) {
		unsigned digit = (unsigned)digit_of(*line->at);

		if (digit >= base || !size_multiply(number, base, &number) ||
		    !size_add(number, digit, &number) || number > DDRESCUE_POSITION_MAX)
			return false;
	}
	*number_out = number;
	return digits > 0;
}

/* A word of one character, out of `allowed`. */
static bool character_take(struct line *line, const char *allowed, char *character_out)
{
	char c;

	if (line_is_over(line))
		return false;
	c = *line->at++;
	if (c == '\0' || !strchr(allowed, c) || !is_word_end(line))
		return false;
	*character_out = c;
	return true;
}

static int status_line_take(struct ddrescue_map *map, struct line *line, struct err *err)
{
	uint64_t pass = 1;

	if (!number_take(line, false, &map->position) ||
	    !character_take(line, "?*/-+FG", &map->phase))
		return refuse(line, "no status line (position, status and pass)", err);
	if (!line_is_over(line) &&
	    (!number_take(line, true, &pass) || pass == 0 || pass > UINT32_MAX))
		return refuse(line, "no number of a pass", err);
	map->pass = (uint32_t)pass;
	return line_is_over(line) ? 0 : refuse(line, "more than a status line has", err);
}

static int block_line_take(struct ddrescue_map *map, struct line *line, struct err *err)
{
	struct ddrescue_block block = { 0 };
	char status = 0;

	if (!number_take(line, false, &block.offset) || !number_take(line, false, &block.size) ||
	    !character_take(line, "?*/-+", &status) || !line_is_over(line))
		return refuse(line, "no block (position, size and status)", err);
	block.status = (enum ddrescue_status)(unsigned char)status;
	if (block.size == 0)
		return refuse(line, "the block is empty", err);
	if (block.size > DDRESCUE_POSITION_MAX - block.offset)
		return refuse(line, "the block ends past 2^63-1", err);
	if (map->blocks.count && block.offset < ddrescue_end(map))
		return refuse(line, "the block begins before the end of the one above", err);
	if (map->blocks.count && block.offset > ddrescue_end(map))
		return refuse(line, "there is a gap between the block and the one above", err);
	if (ddrescue_block_vec_push(&map->blocks, block))
		return err_set(err, ERR_NOMEM, "%s: no memory", line->name);
	return 0;
}

int ddrescue_parse(struct ddrescue_map *map_out, const char *text, size_t size, const char *name,
		   struct err *err)
{
	struct ddrescue_map map = { 0 };
	struct line line = { .name = name };
	const char *at = text, *end = text + size;
	bool begun = false;
	int rc = 0;

	while (rc == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		line.at = at;
		line.end = newline ? newline : end;
		line.number++;
		at = newline ? newline + 1 : end;
		if (line_is_over(&line))
			continue;
		rc = begun ? block_line_take(&map, &line, err) : status_line_take(&map, &line, err);
		begun = true;
	}
	if (rc == 0 && !begun)
		rc = refuse(&line, "no status line (position, status and pass)", err);
	if (rc)
		ddrescue_reset(&map);
	else
		*map_out = map;
	return rc;
}

int ddrescue_begin(struct ddrescue_map *map_out, uint64_t size, enum ddrescue_status status)
{
	struct ddrescue_map map = { .phase = DDRESCUE_UNTRIED, .pass = 1 };

	assert(size <= DDRESCUE_POSITION_MAX);
	if (size &&
	    ddrescue_block_vec_push(&map.blocks, (struct ddrescue_block){ 0, size, status }))
		return ERR_NOMEM;
	*map_out = map;
	return 0;
}

void ddrescue_reset(struct ddrescue_map *map)
{
	ddrescue_block_vec_reset(&map->blocks);
	*map = (struct ddrescue_map){ 0 };
}

uint64_t ddrescue_end(const struct ddrescue_map *map)
{
	const struct ddrescue_block *last;

	if (map->blocks.count == 0)
		return 0;
	last = &map->blocks.at[map->blocks.count - 1];
	return last->offset + last->size;
}

/* The first block that ends behind `offset`; the count of blocks if there is none. */
static size_t find(const struct ddrescue_map *map, uint64_t offset)
{
	size_t low = 0, high = map->blocks.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ddrescue_block *block = &map->blocks.at[middle];

		if (block->offset + block->size <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Put `count` blocks in the place of those from `first` to `end` - 1. There is room. */
static void replace(struct ddrescue_block_vec *vec, size_t first, size_t end,
		    const struct ddrescue_block *blocks, size_t count)
{
	assert(first <= end && end <= vec->count);
	assert(vec->count - (end - first) + count <= vec->capacity);
	memmove(vec->at + first + count, vec->at + end, (vec->count - end) * sizeof(*vec->at));
	memcpy(vec->at + first, blocks, count * sizeof(*blocks));
	vec->count += count;
	vec->count -= end - first;
}

int ddrescue_set(struct ddrescue_map *map, uint64_t offset, uint64_t size,
		 enum ddrescue_status status)
{
	struct ddrescue_block_vec *vec = &map->blocks;
	struct ddrescue_block made[1 + SPLITS];
	size_t first, last, count = 0;

	assert(size > 0 && vec->count > 0 && offset >= vec->at[0].offset);
	assert(size <= ddrescue_end(map) && offset <= ddrescue_end(map) - size);
	/* Doubled when it is full: reserve() alone would move everything every time. */
	if (vec->capacity - vec->count < SPLITS &&
	    ddrescue_block_vec_reserve(vec, vec_capacity_next(vec->capacity)))
		return ERR_NOMEM;
	first = find(map, offset);
	last = find(map, offset + size - 1);

	uint64_t begin = offset, end = offset + size;
	struct ddrescue_block head = vec->at[first], tail = vec->at[last];
	bool keep_head = head.offset < begin && head.status != status;
	bool keep_tail = tail.offset + tail.size > end && tail.status != status;

	if (head.status == status)
		begin = size_min(begin, head.offset);
	if (tail.status == status)
		end = size_max(end, tail.offset + tail.size);
	/* Neighbours that would only touch become part of it. */
	if (!keep_head && first > 0 && vec->at[first - 1].status == status)
		begin = vec->at[--first].offset;
	if (!keep_tail && last + 1 < vec->count && vec->at[last + 1].status == status) {
		last++;
		end = vec->at[last].offset + vec->at[last].size;
	}
	if (keep_head)
		made[count++] =
			(struct ddrescue_block){ head.offset, begin - head.offset, head.status };
	made[count++] = (struct ddrescue_block){ begin, end - begin, status };
	if (keep_tail)
		made[count++] =
			(struct ddrescue_block){ end, tail.offset + tail.size - end, tail.status };
	replace(vec, first, last + 1, made, count);
	return 0;
}

enum ddrescue_status ddrescue_status_at(const struct ddrescue_map *map, uint64_t offset,
					uint64_t *run_out)
{
	size_t i = find(map, offset);
	const struct ddrescue_block *block = &map->blocks.at[i];
	uint64_t run = UINT64_MAX - offset;
	enum ddrescue_status status = DDRESCUE_UNTRIED;

	if (i < map->blocks.count && block->offset > offset) {
		run = block->offset - offset;
	} else if (i < map->blocks.count) {
		run = block->offset + block->size - offset;
		status = block->status;
	}
	if (run_out)
		*run_out = run;
	return status;
}

uint64_t ddrescue_total(const struct ddrescue_map *map, enum ddrescue_status status)
{
	uint64_t total = 0;

	for (size_t i = 0; i < map->blocks.count; i++) {
		if (map->blocks.at[i].status == status)
			total += map->blocks.at[i].size;
	}
	return total;
}

/* A command line in a comment must stay on its line. */
static void command_print(const char *command, struct text *text)
{
	char line[1024];

	err_escape(line, sizeof(line), command, strlen(command));
	text_add(text, "# Command line: %s\n", line);
}

void ddrescue_print(const struct ddrescue_map *map, const char *command, struct text *text)
{
	text_add(text, "# Mapfile. Created by pgctl version %s\n", PGCTL_VERSION);
	if (command)
		command_print(command, text);
	text_add(text,
		 "# current_pos  current_status  current_pass\n"
		 "0x%08" PRIX64 "     %c               %" PRIu32 "\n"
		 "#      pos        size  status\n",
		 map->position, map->phase, map->pass);
	for (size_t i = 0; i < map->blocks.count; i++)
		text_add(text, "0x%08" PRIX64 "  0x%08" PRIX64 "  %c\n", map->blocks.at[i].offset,
			 map->blocks.at[i].size, (int)map->blocks.at[i].status);
}

int ddrescue_holes(const struct ddrescue_map *map, uint64_t size, struct hole_vec *holes_out)
{
	struct hole_vec holes = { 0 };
	uint64_t device_end = size_round_up(size_min(size, DDRESCUE_POSITION_MAX), HOLE_UNIT);
	uint64_t run, covered = 0; /* by the holes so far */

	for (uint64_t at = 0; at<size; at = run> size - at ? size : at + run) {
		uint64_t begin, end;

		if (ddrescue_status_at(map, at, &run) == DDRESCUE_RESCUED)
			continue;
		begin = size_max(at / HOLE_UNIT * HOLE_UNIT, covered);
		end = run > size - at ? device_end : size_round_up(at + run, HOLE_UNIT);
		if (begin >= end)
			continue;
		if (holes.count && begin == covered)
			holes.at[holes.count - 1].size += end - begin;
		else if (hole_vec_push(&holes, (struct hole){ begin, end - begin })) {
			hole_vec_reset(&holes);
			return ERR_NOMEM;
		}
		covered = end;
	}
	*holes_out = holes;
	return 0;
}

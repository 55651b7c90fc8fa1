/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/code/rank.h"

#include "core/code/kernel.h"

#include <assert.h>

static uint8_t *matrix_row(const struct rank_matrix *matrix, uint16_t row)
{
	return matrix->bytes + (size_t)row * matrix->column_count;
}

/* target += factor * source */
static void row_add(uint8_t *target, const uint8_t *source, uint8_t factor, uint16_t size)
{
	for (uint16_t i = 0; i < size; i++) {
		if (factor == 1 || source[i] == 0)
			target[i] ^= source[i];
		else
			target[i] ^= gf_multiply(factor, source[i]);
	}
}

static void row_scale(uint8_t *row, uint8_t factor, uint16_t size)
{
	for (uint16_t i = 0; factor != 1 && i < size; i++)
		row[i] = gf_multiply(factor, row[i]);
}

static void row_swap(uint8_t *a, uint8_t *b, uint16_t size)
{
	for (uint16_t i = 0; a != b && i < size; i++) {
		uint8_t old = a[i];

		a[i] = b[i];
		b[i] = old;
	}
}

static uint16_t pivot_find(const struct rank_matrix *matrix, uint16_t first_row, uint16_t column)
{
	for (uint16_t row = first_row; row < matrix->row_count; row++) {
		if (matrix_row(matrix, row)[column] != 0)
			return row;
	}
	return RANK_NO_ROW;
}

static void pivot_clear(struct rank_matrix *matrix, uint16_t pivot, uint16_t column)
{
	const uint8_t *source = matrix_row(matrix, pivot);

	for (uint16_t row = 0; row < matrix->row_count; row++) {
		uint8_t *target = matrix_row(matrix, row);

		if (row != pivot && target[column] != 0)
			row_add(target, source, target[column], matrix->column_count);
	}
}

uint16_t rank_reduce(struct rank_matrix *matrix, uint16_t pivot_columns, uint16_t *pivot_row_out)
{
	uint16_t rank = 0;

	assert(pivot_columns <= matrix->column_count);
	assert(matrix->row_count < RANK_NO_ROW);

	for (uint16_t column = 0; column < pivot_columns; column++) {
		uint16_t found = pivot_find(matrix, rank, column);

		if (pivot_row_out)
			pivot_row_out[column] = found == RANK_NO_ROW ? RANK_NO_ROW : rank;
		if (found == RANK_NO_ROW)
			continue;

		uint8_t *pivot = matrix_row(matrix, rank);

		row_swap(pivot, matrix_row(matrix, found), matrix->column_count);
		row_scale(pivot, gf_inverse(pivot[column]), matrix->column_count);
		pivot_clear(matrix, rank, column);
		rank++;
	}
	return rank;
}

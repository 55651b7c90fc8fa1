/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Oracle for codes: every cell as a sum over the data cells, written from the definition of the
 * layouts (SPEC 2.1, 2.6) without the engine's equations, arithmetic or elimination.
 *
 * A lost cell can be rebuilt if and only if its row of the generator matrix is a linear combination
 * of the survivors' rows; that is brute force, and slow.
 */
#ifndef PG_TESTS_UNIT_CODE_ORACLE_H
#define PG_TESTS_UNIT_CODE_ORACLE_H

#include "core/base/rng.h"
#include "core/code/code.h"

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_CELL_SIZE 64u

struct oracle {
	struct code_shape shape;
	uint32_t segments;
	uint32_t cell_count;
	uint32_t data_count;
	uint32_t row_size;  /* bytes of a generator row, a multiple of 8 */
	uint8_t *generator; /* cell_count rows */
	uint8_t *cells;     /* encoded: cell_count * ORACLE_CELL_SIZE bytes, aligned to 64 */
};

/* Product by carry-less multiplication, then long division by 0x11d. */
uint8_t oracle_product(uint8_t a, uint8_t b);

void oracle_init(struct oracle *oracle, const struct code_shape *shape);
void oracle_reset(struct oracle *oracle);

/* Fill the data cells at random and the others from the generator. */
void oracle_fill(struct oracle *oracle, struct rng *rng);

/* Set the bits of the lost cells that the survivors determine. */
void oracle_solve(const struct oracle *oracle, const uint64_t *lost, uint64_t *solved_out);

/*
 * Let the engine solve, and fail the test unless it solves what the oracle says, each step uses
 * only what is there, and the steps give back the bytes. Returns the number of unsolved cells.
 */
uint16_t oracle_check_loss(const struct oracle *oracle, const struct code *code,
			   const uint64_t *lost);

/* The same with every cell of the columns of a mask lost. */
uint16_t oracle_check_columns(const struct oracle *oracle, const struct code *code,
			      uint32_t columns);

/* Does the plan give back the bytes? For codes that are too wide for oracle_solve(). */
void oracle_check_plan(const struct oracle *oracle, const struct code_plan *plan,
		       const uint64_t *lost);

static inline bool bit_get(const uint64_t *bits, uint32_t bit)
{
	return (bits[bit / 64] >> bit % 64 & 1) != 0;
}

static inline void bit_set(uint64_t *bits, uint32_t bit)
{
	bits[bit / 64] |= (uint64_t)1 << bit % 64;
}

/* A code that must be accepted. */
struct code *code_made(const struct code_shape *shape);

#endif

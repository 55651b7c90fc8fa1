/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Under which role cells and seals are read and written: what --trace shows and --fault chooses by. */
#ifndef PG_ARRAY_IO_ROLE_H
#define PG_ARRAY_IO_ROLE_H

#include "core/code/code.h"
#include "core/dev/dev.h"
#include "core/store/seal.h"

static inline enum io_role io_role_of_cell(const struct code *code, uint16_t cell)
{
	switch (code_cell_role(code, cell)) {
	case CELL_PARITY:
	case CELL_COPY:
		return IO_ROLE_PARITY;
	case CELL_PURE:
		return IO_ROLE_PURE;
	case CELL_DATA:
		break;
	}
	return IO_ROLE_DATA;
}

static inline enum io_role io_role_of_seal(const struct seal_shape *shape)
{
	return shape->witness_blocks ? IO_ROLE_WITNESS : IO_ROLE_SEAL;
}

#endif

# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic in GF(2^8), polynomial 0x11d, and elimination of unknowns from linear equations.

An equation is a dict {cell: coefficient} whose sum, coefficient times content of the cell, is zero.
"""

POLYNOMIAL = 0x11D
EXP = [0] * 510
LOG = [0] * 256


def _fill():
    value = 1
    for power in range(255):
        EXP[power] = EXP[power + 255] = value
        LOG[value] = power
        value <<= 1
        if value & 0x100:
            value ^= POLYNOMIAL


_fill()


def mul(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def inv(a):
    assert a
    return EXP[255 - LOG[a]]


def power(exponent):
    """g^exponent with g = 2."""
    return EXP[exponent % 255]


_tables = {}


def scale(data, factor):
    """Multiply every byte; bytes.translate does it at the speed of memory."""
    if factor == 1:
        return data
    if factor not in _tables:
        _tables[factor] = bytes(mul(factor, x) for x in range(256))
    return data.translate(_tables[factor])


def combine(terms, content):
    """The sum of factor * content[cell] over {cell: factor}, as one large integer."""
    total = 0
    for cell, factor in terms.items():
        total ^= int.from_bytes(scale(content[cell], factor), "little")
    return total


def _add(row, other, factor):
    """row += factor * other, in place."""
    for cell, value in other.items():
        value = row.get(cell, 0) ^ mul(value, factor)
        if value:
            row[cell] = value
        else:
            row.pop(cell, None)


class Elimination:
    """What equations say once the contents of `unknown` cells are taken as not known.

    solutions   {unknown cell: {known cell: factor}}
    checks      equations over known cells alone, which must come to zero
    """

    def __init__(self, equations, unknown):
        rows = [dict(equation) for equation in equations]
        pivots = []
        for cell in sorted(unknown):
            row = next((row for row in rows if cell in row), None)
            if row is None:
                continue
            rows.remove(row)
            factor = inv(row[cell])
            row = {key: mul(value, factor) for key, value in row.items()}
            for other in rows + [pivot for _, pivot in pivots]:
                if cell in other:
                    _add(other, row, other[cell])
            pivots.append((cell, row))
        self.checks = [row for row in rows if row]
        self.solutions = {}
        for cell, row in pivots:
            rest = {key: value for key, value in row.items() if key != cell}
            if not any(key in unknown for key in rest):
                self.solutions[cell] = rest

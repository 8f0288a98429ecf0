"""The operations of mask programs and the kernels that run them.

A truth is one byte: bit 0 says that it is known to be true, bit 1 that it is known to be false; null has
neither. Where a leaf has not been made yet, a truth is *open* (bit 2): then bits 0 and 1 say that it may
turn out true or false. An instruction is (operation, a, b, c) and its result is the register of its own
number, so that programs need no other names. Owns the meaning of operations on truths; never sees an
expression.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from txmon.engine.state import I64, TIME_MAX, TIME_MIN
from txmon.jit import inline, kernel

TRUE, FALSE, NULL, OPEN, ANYTHING = 1, 2, 0, 4, 7
# a is a truth | a leaf of word numbers, b a row of the table | a leaf of truths | a leaf
CONST, WORD, TRUTH, KNOWN = range(4)
# leaf a against constant c | doubles likewise | leaf a against leaf c | doubles likewise; b is a sign
INT_CONST, DOUBLE_CONST, INT_LEAF, DOUBLE_LEAF = range(4, 8)
# registers: a and b | a or b | not a | a is null | b if a else c | a, or b where a is null
AND, OR, NOT, IS_NULL, IF, COALESCE = range(8, 14)
# which outcomes of a comparison make a sign true: less 1, equal 2, greater 4, no order (NaN) 8
SIGNS = {"=": 2, "<>": 13, "<": 1, "<=": 3, ">": 4, ">=": 6}
MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
BLOCK = 256  # rows at a time: what an instruction touches stays in the nearest cache


@inline
def _compared(sign: int, less: bool, equal: bool, greater: bool, known: int) -> int:
    """Truth of a comparison from its outcomes."""
    outcome = less * 1 + equal * 2 + greater * 4
    outcome += (outcome == 0) * 8
    return known * (2 - ((sign & outcome) != 0))


@kernel
def run_program(
    code: I64,
    code_double: Any,
    number: I64,
    leaf: I64,
    leaf_double: Any,
    ok: Any,
    made: Any,
    table: Any,
    registers: Any,
    rows: I64,
    masks: I64,
    any_true: Any,
    any_open: Any,
) -> None:
    """Run instructions `number` of a program over all rows, block by block.

    `made` tells which leaves there are. `rows` are the bits to set in `masks` (zeroed): (register, words
    before its part, words of its part, word, bit); parts lie one after the other, each (rows, words).
    `any_true` and `any_open` (zeroed) tell of each bit whether a row has it, and whether one may yet.
    """
    n = leaf.shape[1]
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        size = stop - start
        for k in range(len(number)):
            i = number[k]
            op, a, b, c = code[i, 0], code[i, 1], code[i, 2], code[i, 3]
            out = registers[i, :size]
            if op == CONST:
                out[:] = a
            elif op < AND and (not made[a] or (op >= INT_LEAF and not made[c])):
                out[:] = ANYTHING
            elif op < AND:
                # views of what is read: the compiler sees that no index is below 0
                x, y = leaf[a, start:stop], leaf[c if op >= INT_LEAF else a, start:stop]
                u, w = leaf_double[a, start:stop], leaf_double[c if op >= INT_LEAF else a, start:stop]
                known, also = ok[a, start:stop], ok[c if op >= INT_LEAF else a, start:stop]
                if op == WORD:
                    for r in range(size):
                        out[r] = table[b, x[r]]
                elif op == TRUTH:
                    for r in range(size):
                        out[r] = known[r] * (2 - x[r])
                elif op == KNOWN:
                    for r in range(size):
                        out[r] = 2 - known[r]
                elif op == INT_CONST:
                    for r in range(size):
                        out[r] = _compared(b, x[r] < c, x[r] == c, x[r] > c, known[r])
                elif op == DOUBLE_CONST:
                    v = code_double[i, 3]
                    for r in range(size):
                        out[r] = _compared(b, u[r] < v, u[r] == v, u[r] > v, known[r])
                elif op == INT_LEAF:
                    for r in range(size):
                        out[r] = _compared(b, x[r] < y[r], x[r] == y[r], x[r] > y[r], known[r] & also[r])
                else:
                    for r in range(size):
                        out[r] = _compared(b, u[r] < w[r], u[r] == w[r], u[r] > w[r], known[r] & also[r])
            else:
                p, q, o = registers[a], registers[b], registers[c]
                if op == AND:
                    for r in range(size):
                        out[r] = (p[r] & q[r] & TRUE) | ((p[r] | q[r]) & (FALSE | OPEN))
                elif op == OR:
                    for r in range(size):
                        out[r] = (p[r] & q[r] & FALSE) | ((p[r] | q[r]) & (TRUE | OPEN))
                elif op == NOT:
                    for r in range(size):
                        out[r] = ((p[r] & 1) << 1) | ((p[r] >> 1) & 1) | (p[r] & OPEN)
                elif op == IS_NULL:
                    for r in range(size):
                        out[r] = ANYTHING if p[r] & OPEN else 2 - (p[r] == NULL)
                elif op == IF:
                    for r in range(size):
                        if p[r] & OPEN:
                            out[r] = q[r] | o[r] | OPEN
                        else:
                            out[r] = q[r] if p[r] == TRUE else o[r]
                else:
                    for r in range(size):
                        if p[r] & OPEN:
                            out[r] = p[r] | q[r]
                        else:
                            out[r] = p[r] if p[r] != NULL else q[r]
        for k in range(len(rows)):
            register, step, bit = rows[k, 0], rows[k, 2], rows[k, 4]
            place = rows[k, 1] * n + start * step + rows[k, 3]
            some_true, some_open = 0, 0
            found = registers[register, :size]
            for r in range(size):
                masks[place + r * step] |= np.int64(found[r] & 1) << bit
                some_true |= found[r] & 1
                some_open |= found[r] & (found[r] >> 2) & 1
            any_true[k] |= some_true
            any_open[k] |= some_open


@kernel
def copy_values(leaf: I64, ok: Any, columns: I64, values: I64) -> None:
    """Write leaves as window kernels take values, 0 where null.

    `columns`: (leaf, values before its part, values of its part, value, is it a double); parts lie one
    after the other in `values`, each (rows, values).
    """
    n = leaf.shape[1]
    for k in range(len(columns)):
        a, step, place = columns[k, 0], columns[k, 2], columns[k, 1] * n + columns[k, 3]
        for r in range(n):
            x = leaf[a, r] if ok[a, r] else 0
            if columns[k, 4]:  # as `state.encode_double` does
                x = 0 if x == TIME_MIN else x
                x = x ^ TIME_MAX if x < 0 else x
            values[place + r * step] = x

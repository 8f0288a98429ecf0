"""From conditions to the instructions of a mask program.

Whatever the program has no instruction for is a *leaf*, a vector that the expressions' own evaluator
makes; so no condition means another thing here. Equal instructions and leaves are made once. Owns the
translation; never sees data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from txmon.engine import maskops as op
from txmon.engine.shared import Shared
from txmon.engine.state import I64
from txmon.rules.arrow import only_text
from txmon.rules.ir import Call, Column, Expr, Literal_, On, Unit
from txmon.rules.ops import DOUBLES

Kind = Literal["value", "known", "words", "codes", "hits"]
Instruction = tuple[int, int, int, int]


@dataclass(frozen=True)
class Leaf:
    """A vector that a program reads: a value, only whether it is known, numbers of words, codes, or hits."""

    kind: Kind
    what: Expr | str  # name of the column or rule
    of_event: bool  # on legs: the event's


class Code:
    """A program that grows by conditions; `wide` are columns with too many words to look tests up."""

    def __init__(self, shared: Shared, on: On, wide: Iterable[str]) -> None:
        self.instructions: list[Instruction] = []
        self.leaves: list[Leaf] = []
        self.tests: list[tuple[str, Expr]] = []  # column and test of each row of the table
        self._shared = shared
        self._on = on
        self._wide = frozenset(wide)
        self._registers: dict[Instruction, int] = {}
        self._leaf_numbers: dict[Leaf, int] = {}
        self._test_numbers: dict[tuple[str, Expr], int] = {}
        self._truths: dict[Expr, int] = {}
        self._calls: dict[str, Callable[[Call], int]] = {
            "and": lambda call: reduce(self.both, [self.truth(arg) for arg in call.args]),
            "or": lambda call: self._joined(op.OR, call),
            "not": lambda call: self._emit(op.NOT, self.truth(call.args[0])),
            "is_null": self._is_null,
            "in": self._in,
            "case": self._case,
            "coalesce": lambda call: self._joined(op.COALESCE, call),
            "fx_compare": self._fx_compare,
            **dict.fromkeys(op.SIGNS, self._compare),
        }

    # -- what a program is made of -------------------------------------------------------------------

    def truth(self, expr: Expr) -> int:
        """Register of a condition."""
        found = self._truths.get(expr)
        if found is None:
            found = self._truths[expr] = self._truth(expr)
        return found

    def both(self, a: int, b: int) -> int:
        """Register of the truth that two are true."""
        return self._emit(op.AND, a, b)

    def all_rows(self) -> int:
        """Register of what is always true."""
        return self._emit(op.CONST, op.TRUE)

    def known(self, expr: Expr) -> int:
        """Register of the truth that a value is not null."""
        if isinstance(expr, Literal_):
            return self._emit(op.CONST, op.FALSE if expr.value is None else op.TRUE)
        return self._emit(op.KNOWN, self.leaf("known" if expr.unit is Unit.TEXT else "value", expr))

    def hits(self, rule: str) -> int:
        """Register of the rows that a rule hit."""
        return self._emit(op.TRUTH, self.leaf("hits", rule))

    def leaf(self, kind: Kind, what: Expr | str) -> int:
        """Number of a leaf."""
        if kind == "words":
            of_event = self._shared.of_event(str(what))
        else:
            of_event = kind in ("value", "known") and not isinstance(what, str) and self._shared.same(what)
        leaf = Leaf(kind, what, of_event and self._on == "legs")
        found = self._leaf_numbers.get(leaf)
        if found is None:
            found = self._leaf_numbers[leaf] = len(self.leaves)
            self.leaves.append(leaf)
        return found

    def reads(self, registers: Iterable[int]) -> tuple[set[int], set[int]]:
        """Instructions and leaves behind registers."""
        instructions: set[int] = set()
        leaves: set[int] = set()
        waiting = list(registers)
        while waiting:
            i = waiting.pop()
            if i in instructions:
                continue
            instructions.add(i)
            kind, a, b, c = self.instructions[i]
            if kind >= op.AND:
                waiting.extend([a, b, c][: _REGISTERS[kind]])
            elif kind != op.CONST:
                leaves.update({a, c} if kind >= op.INT_LEAF else {a})
        return instructions, leaves

    def array(self) -> I64:
        """All instructions."""
        return np.array(self.instructions, np.int64).reshape(len(self.instructions), 4)

    def _emit(self, kind: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        instruction = (kind, a, b, c)
        found = self._registers.get(instruction)
        if found is None:
            found = self._registers[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return found

    # -- translation ---------------------------------------------------------------------------------

    def _truth(self, expr: Expr) -> int:
        if isinstance(expr, Literal_):
            value = op.NULL if expr.value is None else op.TRUE if expr.value else op.FALSE
            return self._emit(op.CONST, value)
        if isinstance(expr, Call):
            tested = self._test(expr)
            if tested is not None:
                return tested
            translate = self._calls.get(expr.op)
            return self._as_leaf(expr) if translate is None else translate(expr)
        meaning = self._shared.meaning(expr, self._on)
        return self._as_leaf(expr) if meaning is None else self.truth(meaning)

    def _as_leaf(self, expr: Expr) -> int:
        return self._emit(op.TRUTH, self.leaf("value", expr))

    def _test(self, expr: Call) -> int | None:
        """Look a test of one text column up by word."""
        if expr.op == "is_null" and isinstance(expr.args[0], Column):
            return None
        for form in (self._shared.expanded(expr, self._on), expr):
            column = only_text(form)
            if column is not None and column not in self._wide:
                test = (column, form)
                row = self._test_numbers.setdefault(test, len(self.tests))
                if row == len(self.tests):
                    self.tests.append(test)
                return self._emit(op.WORD, self.leaf("words", column), row)
        return None

    def _joined(self, kind: int, call: Call) -> int:
        """Join from the right, which for a coalesce is as good as from the left."""
        registers = [self.truth(arg) for arg in call.args]
        return reduce(lambda rest, first: self._emit(kind, first, rest), reversed(registers))

    def _is_null(self, call: Call) -> int:
        (value,) = call.args
        if value.unit is Unit.BOOL:
            return self._emit(op.IS_NULL, self.truth(value))
        return self._emit(op.NOT, self.known(value))

    def _case(self, call: Call) -> int:
        found = self.truth(call.args[-1])
        for at in range(len(call.args) - 3, -1, -2):
            found = self._emit(op.IF, self.truth(call.args[at]), self.truth(call.args[at + 1]), found)
        return found

    def _in(self, call: Call) -> int:
        value, *items = call.args
        constants = [item for item in items if isinstance(item, Literal_) and item.value is not None]
        if value.unit is Unit.TEXT or isinstance(value, Literal_) or len(constants) < len(items):
            return self._as_leaf(call)
        return reduce(
            lambda a, b: self._emit(op.OR, a, b), [self._compared("=", value, item) for item in constants]
        )

    def _compare(self, call: Call) -> int:
        left, right = call.args
        if left.unit is Unit.TEXT or (isinstance(left, Literal_) and isinstance(right, Literal_)):
            return self._as_leaf(call)
        return self._compared(call.op, left, right)

    def _compared(self, sign: str, left: Expr, right: Expr) -> int:
        if isinstance(left, Literal_):
            sign, left, right = op.MIRRORED[sign], right, left
        doubles = left.unit in DOUBLES
        a, b = self.leaf("value", left), op.SIGNS[sign]
        if not isinstance(right, Literal_):
            return self._emit(op.DOUBLE_LEAF if doubles else op.INT_LEAF, a, b, self.leaf("value", right))
        if right.value is None:
            return self._emit(op.CONST, op.NULL)
        if doubles:
            return self._emit(op.DOUBLE_CONST, a, b, int(np.float64(right.value).view(np.int64)))
        return self._emit(op.INT_CONST, a, b, int(np.int64(right.value)))

    def _fx_compare(self, call: Call) -> int:
        """Compare the amount as it is where the event has the limit's currency."""
        sign, amount, currency, minor, code, limit_minor, limit = call.args
        if not isinstance(sign, Literal_) or not isinstance(limit_minor, Literal_):
            return self._as_leaf(call)
        own = self.truth(Call("=", (currency, code), Unit.BOOL))
        here = self._compared(str(sign.value), minor, limit_minor)
        return self._emit(op.IF, own, here, self._compared(str(sign.value), amount, limit))


_REGISTERS = {op.AND: 2, op.OR: 2, op.NOT: 1, op.IS_NULL: 1, op.IF: 3, op.COALESCE: 2}

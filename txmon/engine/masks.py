"""Conditions of many measures or rules on one table, evaluated for a batch in one go.

A *part* is what is asked for together: its conditions are bits of mask words, its values columns of
integers, as window kernels take them. Owns the leaves of a batch and the table of tests by word; what
conditions mean is fixed in `txmon.engine.maskcode` and `txmon.engine.maskops`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from txmon.engine import maskops as op
from txmon.engine.frames import Frame, LegFrame
from txmon.engine.keys import KeySpace
from txmon.engine.maskcode import Code, Leaf
from txmon.engine.shared import Shared
from txmon.engine.state import I64
from txmon.rules.arrow import compile_vec
from txmon.rules.ir import Expr, On, Unit
from txmon.rules.ops import DOUBLES
from txmon.rules.vec import Vec

Hits = Callable[[str, On], np.ndarray]  # rule id, table -> which rows that rule hit


@dataclass(frozen=True)
class Condition:
    """Rows on which all of `true` are true, none of `known` is null and the rule, if any, hit."""

    true: tuple[Expr, ...] = ()
    known: tuple[Expr, ...] = ()
    hits_rule: str | None = None
    value: int | None = None  # of its part: what is counted


@dataclass(frozen=True)
class Part:
    """What is asked for together."""

    conditions: Sequence[Condition]
    values: Sequence[Expr] = ()

    @property
    def words(self) -> int:
        """Mask words of a row."""
        return max(1, -(-len(self.conditions) // 64))


class Masks:
    """The parts of one table."""

    def __init__(self, shared: Shared, keys: KeySpace, on: On, parts: Sequence[Part]) -> None:
        self._shared = shared
        self._keys = keys
        self._on = on
        self._parts = list(parts)
        self._wide: set[str] = set()
        self._build()

    def run(self, frame: Frame, parts: Sequence[int], hits: Hits | None = None) -> Answer:
        """Evaluate some parts.

        Leaves that only few conditions read are made only if the others leave a row open, values only
        if a condition on them holds: most conditions hold for few events.
        """
        key = tuple(parts)
        while True:
            plan = self._plan(key)
            leaves = self._leaves_of(frame)
            first = plan.first if frame.length < _MANY_ROWS else plan.leaves
            wide = self._fill(leaves, frame, first, hits)
            if wide is None:
                answer, is_open = self._evaluated(plan, leaves)
                if is_open.any():
                    later = {leaf for k in np.flatnonzero(is_open).tolist() for leaf in plan.later[k]}
                    wide = self._fill(leaves, frame, sorted(later), hits)
                    if wide is None:
                        answer, _ = self._evaluated(plan, leaves)
            if wide is None:
                break
            self._wide.add(wide)  # its tests are leaves from now on
            self._build()
        wanted = plan.values[answer.holds]
        columns = plan.columns[np.unique(wanted[wanted >= 0])]
        self._fill(leaves, frame, np.unique(columns[:, 0]).tolist(), hits)
        op.copy_values(leaves.data, leaves.ok, columns, answer.flat_values)
        return answer

    def _evaluated(self, plan: _Plan, leaves: _Leaves) -> tuple[Answer, Any]:
        n = leaves.data.shape[1]
        answer = Answer(plan, n)
        is_open = np.zeros(len(plan.rows), np.bool_)
        op.run_program(
            self._code,
            self._code_double,
            plan.instructions,
            leaves.data,
            leaves.doubles,
            leaves.ok,
            leaves.made,
            self._table,
            self._registers,
            plan.rows,
            answer.flat_masks,
            answer.holds.view(np.uint8),
            is_open.view(np.uint8),
        )
        return answer, is_open

    # -- the program ---------------------------------------------------------------------------------

    def _build(self) -> None:
        code = Code(self._shared, self._on, self._wide)
        self._bits = [[_register(code, c) for c in part.conditions] for part in self._parts]
        self._columns = [
            [code.leaf("codes" if v.unit is Unit.TEXT else "value", v) for v in part.values]
            for part in self._parts
        ]
        self._reads = [[code.reads([bit]) for bit in bits] for bits in self._bits]
        self._code = code.array()
        self._code_double = self._code.view(np.float64)
        self._first = _read_often(code, [bit for bits in self._bits for bit in bits])
        self._registers = np.zeros((len(self._code), op.BLOCK), np.uint8)
        self._leaves = code.leaves
        self._evaluators = [self._evaluator(leaf) for leaf in code.leaves]
        self._tests: dict[str, list[tuple[int, Expr]]] = {}
        for row, (column, test) in enumerate(code.tests):
            self._tests.setdefault(column, []).append((row, test))
        self._tested: dict[str, int] = {}  # words of a column that the table holds
        self._table = np.zeros((len(code.tests), 64), np.uint8)
        self._plans: dict[tuple[int, ...], _Plan] = {}

    def _plan(self, parts: tuple[int, ...]) -> _Plan:
        """What the kernel is told for some parts; few combinations occur."""
        found = self._plans.get(parts)
        if found is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            found = self._plans[parts] = self._planned(parts)
        return found

    def _planned(self, parts: tuple[int, ...]) -> _Plan:
        instructions: set[int] = set()
        leaves: set[int] = set()
        later: list[list[int]] = []
        rows: list[list[int]] = []
        columns: list[list[int]] = []
        values: list[int] = []
        word = column = 0
        for p in parts:
            part = self._parts[p]
            for m, bit in enumerate(self._bits[p]):
                behind, read = self._reads[p][m]
                instructions |= behind
                leaves |= read
                later.append(sorted(read - self._first))
                rows.append([bit, word, part.words, m >> 6, m & 63])
                value = part.conditions[m].value
                values.append(-1 if value is None else column + value)
            for j, leaf in enumerate(self._columns[p]):
                double = part.values[j].unit in DOUBLES
                columns.append([leaf, column, len(part.values), j, int(double)])
            word, column = word + part.words, column + len(part.values)
        return _Plan(
            [(self._parts[p].words, len(self._parts[p].values)) for p in parts],
            np.array(sorted(instructions), np.int64),
            sorted(leaves),
            sorted(leaves & self._first),
            later,
            np.array(rows, np.int64).reshape(-1, 5),
            np.array(columns, np.int64).reshape(-1, 5),
            np.array(values, np.int64),
        )

    # -- leaves --------------------------------------------------------------------------------------

    def _leaves_of(self, frame: Frame) -> _Leaves:
        """The leaves of a frame; each is made once."""
        memo = (self, len(self._wide))
        found: _Leaves | None = frame.memo.get(memo)
        if found is None:
            found = frame.memo[memo] = _Leaves(len(self._leaves), frame.length)
        return found

    def _fill(self, leaves: _Leaves, frame: Frame, wanted: Sequence[int], hits: Hits | None) -> str | None:
        """Make leaves; gives the name of a column that turned out to have too many words."""
        for number in wanted:
            if leaves.made[number]:
                continue
            leaf = self._leaves[number]
            if leaf.kind == "words":
                words = self._word_numbers(frame, str(leaf.what))
                if words is None:
                    return str(leaf.what)
                leaves.data[number] = words
            elif leaf.kind == "codes":
                leaves.data[number] = self._keys.value_codes(frame, leaf.what)  # type: ignore[arg-type]
            elif leaf.kind == "hits":
                if hits is None:
                    raise AssertionError("a condition on hits needs them")
                leaves.data[number] = hits(str(leaf.what), self._on)
            else:
                self._evaluators[number](leaves, number, frame)
            leaves.made[number] = True
        return None

    def _evaluator(self, leaf: Leaf) -> Callable[[_Leaves, int, Frame], None]:
        if isinstance(leaf.what, str):
            return _nothing
        evaluate, double = compile_vec(leaf.what), leaf.what.unit in DOUBLES
        value, of_event = leaf.kind == "value", leaf.of_event

        def fill(leaves: _Leaves, number: int, frame: Frame) -> None:
            rows = None
            source = frame
            if of_event and isinstance(frame, LegFrame):
                source, rows = frame.parent, frame.event
            vec: Vec = evaluate(source)
            if value:
                data = vec.data if rows is None or vec.scalar else vec.data[rows]
                (leaves.doubles if double else leaves.data)[number] = data
            if vec.ok is not True:
                leaves.ok[number] = vec.ok[rows] if rows is not None and vec.ok is not False else vec.ok

        return fill

    def _word_numbers(self, frame: Frame, column: str) -> Any:
        """Number of each row's word, after the tests of new words; None for a column with too many."""
        found = self._numbers(frame, column)
        words = self._shared.book.words(column)
        if found is not None and self._tested.get(column, 0) < len(words) + 1:
            self._test_words(column)
        return found

    def _numbers(self, frame: Frame, column: str) -> Any:
        memo = ("words", column)
        if memo in frame.memo:
            return frame.memo[memo]
        if isinstance(frame, LegFrame) and frame.of_event(column):
            found = self._numbers(frame.parent, column)
            found = None if found is None else found[frame.event]
        else:
            found = self._shared.book.numbers(column, frame.vec(column, Unit.TEXT))
        frame.memo[memo] = found
        return found

    def _test_words(self, column: str) -> None:
        frame = self._shared.book.frame(column)
        if frame.length > self._table.shape[1]:
            wider = np.zeros((len(self._table), 2 * frame.length), np.uint8)
            wider[:, : self._table.shape[1]] = self._table
            self._table = wider
        for row, test in self._tests[column]:
            vec = compile_vec(test)(frame)
            truths = np.where(vec.ok, np.where(vec.data, op.TRUE, op.FALSE), op.NULL)
            self._table[row, : frame.length] = truths
        self._tested[column] = frame.length


_MOST_PLANS = 1024
_OFTEN = 8
_MANY_ROWS = 512  # nearly every condition holds for one of so many


@dataclass(frozen=True)
class _Plan:
    """What the kernels are told for some parts (see `txmon.engine.maskops`)."""

    sizes: list[tuple[int, int]]  # words and values by part
    instructions: I64
    leaves: list[int]  # all that conditions read
    first: list[int]  # those made at once
    later: list[list[int]]  # by bit: the other leaves that it reads
    rows: I64
    columns: I64
    values: I64  # by bit: the column of values that it counts, -1 for none


class Answer:
    """Mask words and values of some parts, and which of their conditions hold on any row."""

    def __init__(self, plan: _Plan, rows: int) -> None:
        self._sizes = plan.sizes
        self._rows = rows
        self.holds = np.zeros(len(plan.rows), np.bool_)
        self.flat_masks = np.zeros(rows * sum(words for words, _ in plan.sizes), np.int64)
        self.flat_values = np.zeros(rows * sum(values for _, values in plan.sizes), np.int64)

    def parts(self) -> list[tuple[I64, I64]]:
        """Mask words (rows, words) and values (rows, values) of each part."""
        found = []
        n = self._rows
        word = column = 0
        for w, c in self._sizes:
            bits = self.flat_masks[n * word : n * (word + w)].reshape(n, w)
            found.append((bits, self.flat_values[n * column : n * (column + c)].reshape(n, c)))
            word, column = word + w, column + c
        return found


class _Leaves:
    """Values of leaves over a frame; doubles lie there as their bits."""

    def __init__(self, count: int, rows: int) -> None:
        self.data = np.empty((count, rows), np.int64)
        self.doubles = self.data.view(np.float64)
        self.ok = np.ones((count, rows), np.uint8)
        self.made = np.zeros(count, np.bool_)


def _read_often(code: Code, bits: Sequence[int]) -> set[int]:
    """Leaves that so many conditions read that they are made at once."""
    counts = [0] * len(code.leaves)
    for bit in bits:
        for leaf in code.reads([bit])[1]:
            counts[leaf] += 1
    return {leaf for leaf, count in enumerate(counts) if count * _OFTEN >= len(bits)}


def _nothing(_leaves: _Leaves, _number: int, _frame: Frame) -> None:
    """Fill no leaf."""


def _register(code: Code, condition: Condition) -> int:
    registers = [code.truth(expr) for expr in condition.true]
    registers += [code.known(expr) for expr in condition.known]
    if condition.hits_rule is not None:
        registers.append(code.hits(condition.hits_rule))
    if not registers:
        return code.all_rows()
    found = registers[0]
    for register in registers[1:]:
        found = code.both(found, register)
    return found

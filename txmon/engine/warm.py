"""Compiled code at start-up: loaded from the cache, or compiled once with a word about it.

Owns the small run that touches every kernel; its results are thrown away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from txmon.engine import state as st
from txmon.engine.calendar import month_starts
from txmon.engine.frames import Frame
from txmon.engine.group import Group
from txmon.engine.keys import KeySpace
from txmon.engine.layout import build_layout
from txmon.engine.masks import Condition, Masks, Part
from txmon.engine.shared import Shared
from txmon.jit import cache_folder
from txmon.model.rates import Rates
from txmon.rules.ir import Column, Feature, Literal_, Plan, Unit, Window


def compiled_before() -> bool:
    """True if the cache holds the large kernels."""
    return any(cache_folder().glob("**/advance.advance-*.nbi"))


def warm_up(say: Callable[[str], None]) -> None:
    """Compile or load the window kernels; `say` is told only when this takes a while."""
    if not compiled_before():
        say(
            "first start: compiling the window kernels, about a minute; later starts load them from the cache"
        )
    window = Window("k_1d", "events", ("k",), 86_400_000_000)
    amount = Column("amount", Unit.MONEY)
    features = [Feature("sum", window, amount, unit=Unit.MONEY), Feature("count_distinct", window, amount)]
    group = Group(build_layout(features, 2, month_starts(None)))
    n = 3
    time = np.array([2, 3, 1], np.int64)
    key, order = np.zeros(n, np.int64), np.arange(n)
    values = np.ones((n, 1), np.int64)
    batch = st.Batch(key, time, order, np.ones((n, 1), np.int64), values, np.ones(n, np.bool_))
    group.advance(batch, st.TIME_MIN)
    group.at(key, time, order, np.ones(len(features), np.bool_))
    group.later_times(key, time, order, 10)
    group.restore(group.snapshot())
    shared = Shared(Plan((), (), (), (), {}, 2, "EUR", None, ""), Rates("EUR"))
    part = Part([Condition(value=0)], [Literal_(1, Unit.COUNT)])
    Masks(shared, KeySpace(), "events", [part]).run(Frame(shared, n), [0])

"""A synthetic, labelled portfolio: ordinary people and merchants, planted scenarios, lawful look-alikes.

`simulate(events, seed)` decides it, `write` streams it to Parquet, `judge` compares what an engine found
with what was planted. Nothing here reads rules, and labels never travel with the events.
"""

from txmon.simulate.portfolio import LABELS, Portfolio, simulate
from txmon.simulate.report import Judgement, Line, Missed, judge, table
from txmon.simulate.rows import NATIVE
from txmon.simulate.writer import labels_path, write

__all__ = [
    "LABELS",
    "NATIVE",
    "Judgement",
    "Line",
    "Missed",
    "Portfolio",
    "judge",
    "labels_path",
    "simulate",
    "table",
    "write",
]

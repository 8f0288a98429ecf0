"""A synthetic, labelled portfolio: ordinary people and merchants, planted scenarios, lawful look-alikes.

`simulate(events, seed)` decides it, `write` streams it to Parquet, `judge` compares what an engine found
with what was planted. Nothing here reads rules, and labels never travel with the events.
"""

from txmon.simulate.portfolio import Portfolio, simulate

__all__ = ["Portfolio", "simulate"]

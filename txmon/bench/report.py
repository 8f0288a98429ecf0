"""Figures as one JSON object and as a short table. Measures nothing."""

from __future__ import annotations

from txmon.bench.history import History
from txmon.bench.run import Figures
from txmon.bench.windows import LONG, SHORT


def as_json(figures: Figures) -> dict[str, object]:
    """Plain values by name; a part that was not measured is null."""
    ours, duckdb, polars = figures.best["txmon"], figures.best["duckdb"], figures.best.get("polars")
    result: dict[str, object] = {
        "events": ours.events,
        "events_per_second": round(ours.per_second),
        "duckdb_events_per_second": round(duckdb.per_second),
        "polars_events_per_second": None if polars is None else round(polars.per_second),
        "ratio_duckdb": round(ours.per_second / duckdb.per_second, 3),
        "ratio_polars": None if polars is None else round(ours.per_second / polars.per_second, 3),
        "hits_equal": figures.hits_equal,
        "workload": figures.origin,
        "hits": figures.hits,
        "seconds": {n: round(t.seconds, 3) for n, t in figures.best.items()},
        "cpu_seconds": {n: round(t.cpu_seconds, 3) for n, t in figures.best.items()},
        "peak_rss_mb": ours.peak_rss_mb,
        "peak_rss_mb_of": {n: t.peak_rss_mb for n, t in figures.best.items()},
    }
    return result | _late(figures) | _year(figures) | _history(figures) | _river(figures)


def _late(figures: Figures) -> dict[str, object]:
    late, check = figures.late, figures.late_check
    return {
        "late_events_per_second": None if late is None else round(late.per_second),
        "ratio_late": None if late is None else round(late.per_second / figures.best["txmon"].per_second, 3),
        "late_cpu_seconds": None if late is None else round(late.cpu_seconds, 3),
        "late_sample_events": None if check is None else check.events,
        "late_sample_hits": None if check is None else {"event": check.event_hits, "late": check.late_hits},
        "event_hits_equal": None if check is None else check.event_hits_equal,
        "late_hits_equal": None if check is None else check.late_hits_equal,
    }


def _year(figures: Figures) -> dict[str, object]:
    costs = {w: t.seconds / t.events * 1e6 for w, t in figures.year.items()}
    return {
        "us_per_event_1h": round(costs[SHORT], 3) if costs else None,
        "us_per_event_180d": round(costs[LONG], 3) if costs else None,
        "ratio_180d_1h": round(costs[LONG] / costs[SHORT], 3) if costs else None,
        "cpu_seconds_1h": round(figures.year[SHORT].cpu_seconds, 3) if costs else None,
        "cpu_seconds_180d": round(figures.year[LONG].cpu_seconds, 3) if costs else None,
    }


def _history(figures: Figures) -> dict[str, object]:
    by_size = {h.events: h for h in figures.history}
    small, middle, large = (by_size.get(n) for n in (200_000, 5_000_000, 20_000_000))
    last = figures.history[-1] if figures.history else None
    return {
        "history": [vars(h) for h in figures.history],
        "ratio_20m_200k": round(large.us_per_event / small.us_per_event, 3) if large and small else None,
        "ratio_20m_5m": round(large.us_per_event / middle.us_per_event, 3) if large and middle else None,
        "bytes_per_event": last.bytes_per_event if last else None,
        "bytes_per_key": last.bytes_per_key if last else None,
        "bytes_per_identity": last.bytes_per_identity if last else None,
    }


def _river(figures: Figures) -> dict[str, object]:
    river = figures.river
    if river is None:
        return {"river_events_per_second": None, "ratio_river": None, "river_hits_equal": None}
    return {
        "river_events_per_second": round(river.events_per_second),
        "ratio_river": round(figures.best["txmon"].per_second / river.events_per_second, 1),
        "river_hits_equal": river.hits_equal,
    }


def table(figures: Figures) -> list[str]:
    """Lines for a terminal."""
    ours = figures.best["txmon"]
    lines = [f"{'':24}{'events/s':>12}{'seconds':>10}{'cpu s':>8}{'ratio':>8}{'peak MiB':>10}{'hits':>10}"]
    for name, timing in figures.best.items():
        ratio = f"{ours.per_second / timing.per_second:.2f}"
        hits = f"{figures.hits[name]:,}"
        lines.append(
            f"{name:24}{timing.per_second:>12,.0f}{timing.seconds:>10.3f}{timing.cpu_seconds:>8.2f}{ratio:>8}"
            f"{timing.peak_rss_mb:>10.0f}{hits:>10}"
        )
    lines.append(f"hits {'equal in all' if figures.hits_equal else 'DIFFER'}, {ours.events:,} events each")
    if figures.late is not None:
        share = figures.late.per_second / ours.per_second
        lines.append(
            f"5 % late by up to a day{figures.late.per_second:>13,.0f} events/s, {share:.2f} of in order"
        )
    check = figures.late_check
    if check is not None:
        same = "equal to SQL" if check.event_hits_equal and check.late_hits_equal else "DIFFER from SQL"
        lines.append(
            f"late sample of {check.events:,} events: {check.event_hits:,} hits at arrival, "
            f"{check.late_hits:,} at later times: {same}"
        )
    year = _year(figures)
    if figures.year:
        lines.append(
            f"400 days: {year['us_per_event_1h']} us/event with 1 h, {year['us_per_event_180d']} with 180 d, "
            f"ratio {year['ratio_180d_1h']}"
        )
    lines += [_history_line(part) for part in figures.history]
    if figures.river is not None:
        lines.append(
            f"river: {figures.river.events_per_second:,.0f} events/s over {figures.river.events:,} events, "
            f"ratio {ours.per_second / figures.river.events_per_second:.0f}, "
            f"hits {'equal' if figures.river.hits_equal else 'DIFFER'}"
        )
    return lines


def _history_line(part: History) -> str:
    sizes = f"event {part.bytes_per_event}, key {part.bytes_per_key}, identity {part.bytes_per_identity}"
    cost = f"{part.us_per_event} us/event, {part.peak_rss_mb:,.0f} MiB"
    return f"history {part.events:>12,}: {cost}; bytes: {sizes}"

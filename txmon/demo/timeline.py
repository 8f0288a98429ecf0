"""The timeline: money in and out by day (UTC), and when each rule hit, as inline SVG."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from html import escape

from txmon.demo.money import money, plural
from txmon.demo.movements import Movement
from txmon.demo.story import Story

_WIDTH, _LEFT, _RIGHT = 960, 96, 16
_TOP, _BARS = 16, 210  # the bars of both sides share one height and one scale
_ROW = 34


def timeline_svg(story: Story) -> str:
    """Return the picture; the table of movements below it holds the same facts."""
    first, last = story.start.date(), max(story.end, max(t for t, _ in story.hit_times)).date()
    days = (last - first).days + 1
    step = (_WIDTH - _LEFT - _RIGHT) / days
    incoming, outgoing = _by_day(story.pattern, incoming=True), _by_day(story.pattern, incoming=False)
    highest, lowest = max(incoming.values(), default=0), max(outgoing.values(), default=0)
    scale = _BARS / max(highest + lowest, 1)
    base = _TOP + highest * scale
    below = _TOP + _BARS + 34
    titles = list(dict.fromkeys(title for _, title in story.hit_times))
    height = below + _ROW * len(titles)
    body = [
        _bars(incoming, (first, step, scale, base), story.currency, up=True),
        _bars(outgoing, (first, step, scale, base), story.currency, up=False),
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base:.1f}" y2="{base:.1f}"/>',
        _side(base, incoming, story.currency, scale, up=True),
        _side(base, outgoing, story.currency, scale, up=False),
        *_ticks(first, days, step, below - 14),
    ]
    for row, title in enumerate(titles):
        times = [t for t, other in story.hit_times if other == title]
        body.append(_marks(times, title, (first, step), below + _ROW * row))
    said = (
        f"From {first} to {last}: {money(sum(incoming.values()), story.currency)} in on "
        f"{plural(len(incoming), 'day')}, {money(sum(outgoing.values()), story.currency)} out on "
        f"{plural(len(outgoing), 'day')}."
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="time-t time-d">'
        f'<title id="time-t">Money in and out by day, and when rules hit</title>'
        f'<desc id="time-d">{escape(said)}</desc>{"".join(body)}</svg>'
    )


def _by_day(moved: Iterable[Movement], *, incoming: bool) -> dict[date, int]:
    sums: dict[date, int] = {}
    for movement in moved:
        if movement.incoming is incoming:
            when = movement.time.date()
            sums[when] = sums.get(when, 0) + movement.amount_minor
    return sums


def _bars(sums: dict[date, int], grid: tuple[date, float, float, float], currency: str, *, up: bool) -> str:
    first, step, scale, base = grid
    width = min(max(step * 0.72, 2.0), 26.0)
    kind = "in" if up else "out"
    drawn: list[str] = []
    for when, total in sorted(sums.items()):
        tall = max(total * scale, 1.0)
        x = _LEFT + ((when - first).days + 0.5) * step - width / 2
        y = base - tall if up else base
        drawn.append(
            f'<rect class="bar {kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{tall:.1f}">'
            f"<title>{when}: {escape(money(total, currency))} {kind}</title></rect>"
        )
    return "".join(drawn)


def _side(base: float, sums: dict[date, int], currency: str, scale: float, *, up: bool) -> str:
    """The name of a side and its highest day."""
    if not sums:
        return ""
    top = max(sums.values())
    y = base - top * scale if up else base + top * scale
    label = y + 4 if up else y
    near = base - 8 if up else base + 16
    middle = (
        "" if abs(label - near) < 18 else _text(_LEFT - 8, near, "in" if up else "out", "small head", "end")
    )
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        + _text(_LEFT - 8, label, money(top, currency, whole=True), "small", "end")
        + middle
    )


def _ticks(first: date, days: int, step: float, y: float) -> list[str]:
    every = next(n for n in (1, 2, 7, 14, 28, 56, 3650) if days / n <= 12)
    drawn: list[str] = []
    for offset in range(0, days, every):
        when = first + timedelta(days=offset)
        x = _LEFT + (offset + 0.5) * step
        drawn.append(_text(x, y, f"{when.day} {when:%b}", "small", "middle"))
    return drawn


def _marks(times: list[datetime], title: str, grid: tuple[date, float], y: float) -> str:
    first, step = grid
    start = datetime.combine(first, datetime.min.time(), tzinfo=times[0].tzinfo)
    places = [_LEFT + (t - start) / timedelta(days=1) * step for t in times]
    dots = "".join(f'<circle class="hit" cx="{x:.1f}" cy="{y + 20:.1f}" r="4.5"/>' for x in places)
    said = f"{title}: {plural(len(times), 'hit')}"
    line = f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y + 20:.1f}" y2="{y + 20:.1f}"/>'
    return f"<g>{_text(_LEFT, y + 10, said, 'small', 'start')}{line}{dots}</g>"


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    return f'<text class="{kind}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'

"""The picture of the flow: who paid the subject, and where the money went, as inline SVG.

The width of a band is its share of the money; colours come from the page's style. Draws what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from txmon.demo.money import money, plural
from txmon.demo.movements import Flow
from txmon.demo.story import Story

_WIDTH = 960
_BOX, _ROW, _GAP, _TOP = 232, 42, 8, 34
_CENTRE_X, _CENTRE = 386, 188
_BAND_MAX, _BAND_MIN = 150.0, 1.5  # all money of the larger side; the thinnest band


@dataclass(frozen=True)
class _Band:
    flow: Flow
    y: float  # centre of its box
    width: float


def flow_svg(story: Story) -> str:
    """Return the picture; its title and description say in words what it shows."""
    targets = [*story.targets, *([story.everyday] if story.everyday.count else [])]
    rows = max(len(story.sources), len(targets), 3)
    height = _TOP + rows * (_ROW + _GAP) + 8
    middle = _TOP + rows * (_ROW + _GAP) / 2
    widest = max([flow.total_minor for flow in (*story.sources, *targets)], default=1)
    most = max(_sum(story.sources), _sum(targets), 1)
    # No band is wider than its box is high, and all of a side fit beside the subject.
    scale = min((_ROW - 6) / max(widest, 1), min(_BAND_MAX, height - 2 * _TOP) / most)
    left, right = _placed(story.sources, middle, scale), _placed(targets, middle, scale)
    body = [
        _heading(20, "Money came from"),
        _heading(_CENTRE_X, f"The {story.alert['subject_type']}"),
        _heading(_WIDTH - 20 - _BOX, "Money went to"),
        *_bands(left, middle, incoming=True),
        *_bands(right, middle, incoming=False),
        *(_node(20, band, story.currency, "in") for band in left),
        *(_node(_WIDTH - 20 - _BOX, band, story.currency, _tone(band, story)) for band in right),
        _subject(story, middle, max(_thickness(left), _thickness(right), 64.0)),
    ]
    said = f"{_said(story.sources, story.currency, 'from')}; {_said(targets, story.currency, 'to')}."
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-labelledby="flow-t flow-d">'
        f'<title id="flow-t">Flow of money through {escape(story.alert["subject_id"])}</title>'
        f'<desc id="flow-d">{escape(said)}</desc>{"".join(body)}</svg>'
    )


def _sum(flows: Sequence[Flow]) -> int:
    return sum(flow.total_minor for flow in flows)


def _said(flows: Sequence[Flow], currency: str, preposition: str) -> str:
    return ", ".join(
        f"{money(f.total_minor, currency)} {preposition} {f.name} in {plural(f.count, 'payment')}"
        for f in flows
    )


def _placed(flows: Sequence[Flow], middle: float, scale: float) -> list[_Band]:
    top = middle - len(flows) * (_ROW + _GAP) / 2
    return [
        _Band(flow, top + (_ROW + _GAP) * (i + 0.5), max(flow.total_minor * scale, _BAND_MIN))
        for i, flow in enumerate(flows)
    ]


def _thickness(bands: Sequence[_Band]) -> float:
    return sum(band.width for band in bands)


def _bands(bands: Sequence[_Band], middle: float, *, incoming: bool) -> list[str]:
    outer = 20 + _BOX if incoming else _WIDTH - 20 - _BOX
    inner = _CENTRE_X if incoming else _CENTRE_X + _CENTRE
    bend = (outer + inner) / 2
    at = middle - _thickness(bands) / 2
    kind = "in" if incoming else "out"
    drawn: list[str] = []
    for band in bands:
        y = at + band.width / 2
        at += band.width
        drawn.append(
            f'<path class="band {kind}" stroke-width="{band.width:.1f}" '
            f'd="M{outer},{band.y:.1f} C{bend:.0f},{band.y:.1f} {bend:.0f},{y:.1f} {inner},{y:.1f}"/>'
        )
    return drawn


def _tone(band: _Band, story: Story) -> str:
    return "plain" if band.flow is story.everyday else "out"


def _node(x: float, band: _Band, currency: str, tone: str) -> str:
    flow, top = band.flow, band.y - _ROW / 2
    where = f" ({flow.country})" if flow.country else ""
    name = f"{flow.name}{where}" if flow.parties == 1 else flow.name
    line = f"{money(flow.total_minor, currency)} in {plural(flow.count, 'payment')}"
    return (
        f'<rect class="node {tone}" x="{x}" y="{top:.1f}" width="{_BOX}" height="{_ROW}" rx="5"/>'
        f'<text class="name" x="{x + 10}" y="{top + 17:.1f}">{escape(name)}</text>'
        f'<text class="small" x="{x + 10}" y="{top + 33:.1f}">{escape(line)}</text>'
    )


def _subject(story: Story, middle: float, height: float) -> str:
    lines = [
        (story.alert["subject_id"], "name"),
        (f"in {money(story.total(incoming=True), story.currency)}", "small"),
        (f"out {money(story.total(incoming=False), story.currency)}", "small"),
    ]
    if story.alert["protect"]:
        lines.append(("may be a victim", "small strong"))
    first, x = middle - 9 * (len(lines) - 1) + 4, _CENTRE_X + _CENTRE / 2
    texts = "".join(
        f'<text class="{kind}" text-anchor="middle" x="{x}" y="{first + 18 * i:.1f}">{escape(text)}</text>'
        for i, (text, kind) in enumerate(lines)
    )
    tall = max(height, 18.0 * len(lines) + 16)
    box = f'x="{_CENTRE_X}" y="{middle - tall / 2:.1f}" width="{_CENTRE}" height="{tall:.1f}" rx="8"'
    return f'<rect class="node subject" {box}/>{texts}'


def _heading(x: float, text: str) -> str:
    return f'<text class="small head" x="{x}" y="18">{escape(text)}</text>'

"""summary.html: the bundle for a reader, with a chart; one page that fetches nothing and runs nothing.

Owns the page. It repeats what the other files say and is no evidence of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

import pyarrow as pa

from txmon.model.currencies import EXPONENTS

_WIDTH, _LEFT, _BARS, _ROW = 960, 210, 200, 30
_SIDES = ("payer", "payee", "merchant", "card", "device", "ip")
_CSS = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1020px; padding: 24px 28px 60px; color: #1d2327; background: #fff;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 8px 0; } h2 { font-size: 1.15rem; margin: 32px 0 8px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: 5px 12px 5px 0; border-bottom: 1px solid #d8dcdf;
  overflow-wrap: break-word; }
td:first-child, td:nth-child(2), td:last-child { min-width: 6.5rem; }
code, pre { font-size: .88rem; background: #f2f4f3; padding: 1px 4px; overflow-wrap: anywhere; }
pre { padding: 10px; white-space: pre-wrap; }
.care { border-left: 5px solid #5b3f8c; background: #efeaf7; padding: 10px 16px; }
svg { width: 100%; height: auto; } svg text { font: 13px system-ui, Arial, sans-serif; fill: #1d2327; }
.in { fill: #1f6f8b; } .out { fill: #b4541a; } .hit { fill: #a4161a; } .axis { stroke: #56616a; }
"""


_HOW = (
    "<p>Unpack the file and run in its folder, with Python's <code>duckdb</code> package and nothing else:"
    '</p><pre>python -c "import duckdb; '
    "print(*duckdb.connect().execute(open('verify.sql').read()).fetchall(), sep='\\n')\"</pre>"
    "<p>The first line says PASS or FAIL. The signature is checked with the institution's public key, got "
    "from the institution:</p><pre>openssl pkeyutl -verify -pubin -inkey signer.pem -rawin "
    "-in manifest.json -sigfile manifest.sig</pre>"
)


def summary(
    alert: Mapping[str, Any], hits: pa.Table, events: pa.Table, custody: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> str:  # fmt: skip
    """Return the page."""
    rows = hits.to_pylist()
    head = manifest["head"]
    care = (
        '<p class="care">The rules behind this alert protect: the subject may be a victim. Do not approach '
        "this person, and take no automatic action.</p>"
        if alert["protect"]
        else ""
    )
    body = [
        f"<h1>Evidence for alert {escape(alert['alert_id'])}</h1>",
        f"<p>{escape(alert['subject_type'])} <b>{escape(alert['subject_id'])}</b>, severity "
        f"{escape(alert['severity'])}, score {alert['score']:.2f}; "
        f"{escape(', '.join(alert['typologies']))}.</p>",
        care,
        *(f"<p>{escape(note)}</p>" for note in manifest["notes"]),
        "<h2>What happened</h2>",
        chart(alert, rows, events),
        "<h2>Hits</h2>",
        _hits(rows),
        "<h2>How to check it</h2>",
        _HOW,
        f"<p>Signed head of the journal: row {head['seq']}, <code>{head['head']}</code>.</p>",
        "<h2>Custody</h2>",
        _table(("when", "journal row", "what", "by"), [
            (line["at"], "" if line["row"] is None else str(line["row"]), str(line["what"]), str(line["by"]))
            for line in custody
        ]),
    ]  # fmt: skip
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Evidence {escape(alert['alert_id'])}</title>"
        f"<style>{_CSS}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _hits(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = []
    for row in rows:
        numbers = ", ".join(f"{k} = {v}" for k, v in row["features"])
        state = (
            "derived by verify.sql" if row["section"] is not None else f"not derived: {row['not_derived']}"
        )
        shown.append(
            (
                f"{row['event_time']:%Y-%m-%d %H:%M:%S}",
                f"{row['rule_id']} v{row['rule_version']}",
                row["explanation"],
                numbers,
                state,
            )
        )
    return _table(("time (UTC)", "rule", "what it says", "numbers", "checked"), shown)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(n)}</th>" for n in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def chart(alert: Mapping[str, Any], hits: Sequence[Mapping[str, Any]], events: pa.Table) -> str:
    """Return the money of the subject's events by day (UTC), what came in above the line, hits by rule."""
    subject = alert["subject_id"]
    own = [e for e in events.to_pylist() if subject in (e[side] for side in _SIDES)]
    moved = [e for e in own if e["amount_base_minor"] is not None]
    days: dict[Any, list[int]] = {}
    for e in moved:
        comes_in = subject in (e["payee"], e["merchant"])
        days.setdefault(e["event_time"].date(), [0, 0])[0 if comes_in else 1] += e["amount_base_minor"]
    times = [h["event_time"] for h in hits]
    marked: dict[str, list[datetime]] = {}
    for h in hits:
        marked.setdefault(h["rule_id"], []).append(h["event_time"])
    first = min([*days, *(t.date() for t in times)])
    count = (max([*days, *(t.date() for t in times)]) - first).days + 1
    step = (_WIDTH - _LEFT - 16) / count
    up, down = (max((d[i] for d in days.values()), default=0) for i in (0, 1))
    scale = _BARS / max(up + down, 1)
    base = 16 + up * scale
    body = []
    for day, (incoming, outgoing) in sorted(days.items()):
        x, width = _LEFT + (day - first).days * step, max(min(step * 0.8, 26), 1)
        if incoming:
            body.append(_bar("in", x, base - incoming * scale, width, incoming * scale))
        if outgoing:
            body.append(_bar("out", x, base, width, outgoing * scale))
    below = 16 + _BARS + 34
    for place, (rule, when) in enumerate(sorted(marked.items())):
        y = below + place * _ROW
        body.append(f'<text x="0" y="{y + 4}">{escape(rule[:28] + ("…" if len(rule) > 28 else ""))}</text>')
        body += [
            f'<circle class="hit" cx="{_LEFT + ((t.date() - first).days + 0.4) * step:.1f}" cy="{y}" r="4">'
            f"<title>{escape(rule)} {t:%Y-%m-%d %H:%M}</title></circle>"
            for t in when
        ]
    currency = moved[0]["base_currency"] if moved else ""
    total = [sum(day[side] for day in days.values()) for side in (0, 1)]
    said = (
        f"{first} and the {count - 1} days after it: {_money(total[0], currency)} in, "
        f"{_money(total[1], currency)} out, {len(hits)} hits of {len(marked)} rules."
    )
    height = below + _ROW * len(marked)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(said)}">'
        f"<title>{escape(said)}</title>"
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - 16}" y1="{base:.1f}" y2="{base:.1f}"/>'
        f'<text x="0" y="{base - 6:.1f}">in</text><text x="0" y="{base + 16:.1f}">out</text>'
        f'<text x="{_LEFT}" y="{below - 16}">{first}</text>'
        f'<text x="{_WIDTH - 16}" y="{below - 16}" text-anchor="end">{first + timedelta(count - 1)}</text>'
        f"{''.join(body)}</svg><p>{escape(said)}</p>"
    )


def _bar(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 1):.1f}"/>'


def _money(minor: int, currency: str) -> str:
    scale = EXPONENTS.get(currency, 2)
    units, rest = divmod(abs(minor), 10**scale)
    return f"{currency} {units:,}" + (f".{rest:0{scale}d}" if scale else "")

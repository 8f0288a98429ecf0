"""What the demo prints: the story, the look-alike, the table and the files, in at most 45 lines.

Written for a compliance officer: plain words, the numbers against the lines, protection before suspicion.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass

from txmon.demo.lookalike import LookAlike, handed_on
from txmon.demo.money import day, listed, money, plural
from txmon.demo.story import Story, Told
from txmon.simulate.report import Judgement, table

LINES_MAX = 41  # 45 with the four that say what takes a while: one screen of a terminal
_WIDTH = 110
_RULES_TOLD = 3


@dataclass(frozen=True)
class Run:
    """What was done: for the first line, and for the files at the end."""

    events: int
    seed: int
    rules: int
    hits: int
    alerts: int
    seconds: float
    folder: str
    people: tuple[str, ...] = ()  # what two people did with the service


def summary(run: Run, story: Story | None, look_alike: LookAlike | None, judged: Judgement) -> list[str]:
    """Return the lines."""
    lines = [
        f"txmon demo: {run.events:,} synthetic events (seed {run.seed}), {run.rules} rules, "
        f"{run.hits:,} hits, {run.alerts:,} alerts, committed in {run.seconds:.1f} s"
    ]
    table = [*_people(run), *_table(judged), *_files(run)]
    if story is None:
        return [*lines, "", "No alert was raised: nothing to tell. Use more events.", "", *table]
    for rules in range(_RULES_TOLD, -1, -1):
        told = [*_alert(story, rules), *_look_alike(story, look_alike)]
        if len(lines) + len(told) + len(table) <= LINES_MAX:
            break
    return [*lines, *told, *table]


def protection(story: Story) -> str:
    """Say why the holder may be a victim; empty where no rule of the alert protects."""
    if not story.alert["protect"]:
        return ""
    share = handed_on(story.pattern)
    seen: list[str] = []
    if share is not None and share >= 0.2:
        receiver = next((f.name for f in story.targets), "one receiver")
        seen.append(f"{share:.0%} of what came in went on to {receiver}")
    fees = [t for t in story.told if t.rule.id == "weekly-fee-out"]
    if fees:
        seen.append("a fixed fee left for another country week after week")
    facts = (
        f"{listed(seen).capitalize()}: this is how control over another person's earnings shows. "
        if seen
        else ""
    )
    return (
        f"{facts}The holder may be the one exploited. So nothing is done automatically, the account is not "
        f"frozen on this alone, and nothing that a controller might read or hear goes out before a trained "
        f"person has looked."
    )


def _alert(story: Story, rules: int) -> list[str]:
    alert = story.alert
    mark = "; PROTECTED, the holder may be a victim" if alert["protect"] else ""
    held = listed(f"{h['party']} ({h['role']})" for h in alert["holders_first"]) or "holder not on file"
    payers = sum(f.parties for f in story.sources)
    out = [
        f"{money(f.total_minor, story.currency)} in {plural(f.count, 'payment')} to {f.name}"
        for f in story.targets
    ]
    lines = [
        "",
        f"ALERT {story.told[0].rule.title}",
        f"  {alert['alert_id']}, {alert['severity']}, score {alert['score']:.2f}{mark}",
        *_wrapped(
            f"Account {alert['subject_id']}, held by {held}, {day(story.start)} to {day(story.end)}: "
            f"{plural(payers, 'payer')} sent {money(story.total(incoming=True), story.currency)} in "
            f"{plural(sum(f.count for f in story.sources), 'payment')}; {listed(out[:2])}."
        ),
    ]
    for told in [t for t in story.told if t.measures][:rules]:
        lines.append(_numbers(told))
    why = protection(story)
    return [*lines, *(_wrapped(f"Why care comes first: {why}") if why else [])]


def _numbers(told: Told) -> str:
    """One line: as many numbers of a rule as fit."""
    line = f"  - {told.rule.id}:"
    for place, m in enumerate(told.measures):
        more = f"{';' if place else ''} {m.name} {m.value} ({m.line})"
        if len(line) + len(more) > _WIDTH:
            break
        line += more
    return line


def _look_alike(story: Story, other: LookAlike | None) -> list[str]:
    if other is None:
        return []
    share = "" if other.handed_on is None else f"; {share_text(other.handed_on)}"
    found = [f"{m.name} {m.value} ({m.line})" for m in other.measures if m.met][:2]
    sent = money(other.received_minor, story.currency)
    same = f" Alike: {'; '.join(found)}." if found else ""
    return [
        "",
        f"LEFT ALONE {other.subject_id}, one of the lawful look-alikes ({_words(other.population)})",
        *_wrapped(
            f"{plural(other.payers, 'payer')} sent {sent}{share}.{same} "
            f"No alert: {listed(other.reasons[:2])}."
        ),
    ]


def share_text(share: float) -> str:
    """Say how much of the receipts went on."""
    if share < 0.005:
        return "nothing of it went on to a private account"
    return f"{share:.0%} of it went on to one private account"


def _table(judged: Judgement) -> list[str]:
    lines = ["", *table([*judged.lines, judged.totals()])]
    if judged.alerted_members:
        lines += _wrapped(f"Look-alikes alerted: {listed(alerted_populations(judged))}.", indent="")[:2]
    if judged.missed:
        names = [f"{'+'.join(row.rule_ids)} ({row.subject_id})" for row in judged.missed]
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        lines += _wrapped(f"Planted and missed: {', '.join(names[:2])}{more}.", indent="")[:2]
    return lines


def alerted_populations(judged: Judgement) -> list[str]:
    """Say how many members of each lawful population were alerted."""
    tally = Counter(population for population, _ in judged.alerted_members)
    return [f"{count} of {_words(name)}" for name, count in sorted(tally.items())]


def _people(run: Run) -> list[str]:
    return ["", *(f"{told}." for told in run.people)] if run.people else []


def _files(run: Run) -> list[str]:
    store = f"{run.folder}/store"
    return [
        f"The story with pictures: {run.folder}/alert.html; data: {run.folder}/*.parquet",
        f"Look at it all: txmon serve --settings {run.folder}/settings.toml --port 8080",
        f"  and http://localhost:8080/console with the key in {store}/ana.key (or ben.key)",
    ]


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    first = indent[2:] if text.startswith("- ") else indent
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)

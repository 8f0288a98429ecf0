"""demo/alert.html: one alert as a page that needs nothing but itself.

Words and draws only what the story holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from txmon.demo.flow import flow_svg
from txmon.demo.lookalike import LookAlike
from txmon.demo.markup import Markup, items, join, section, table, tag
from txmon.demo.money import day, listed, money, plural
from txmon.demo.story import Story, Told
from txmon.demo.style import CSS
from txmon.demo.summary import Run, alerted_populations, protection, share_text
from txmon.demo.timeline import timeline_svg
from txmon.simulate.report import Judgement

_PART_WORDS = {
    "pattern": "patterns of",
    "corroboration": "supported by",
    "anomaly": "unusual behaviour:",
    "list_match": "on a list:",
    "suppressor": "lowered because of",
}
_REACHED = {True: "yes", False: "no", None: ""}
_MOVEMENTS_MAX = 400


def page(run: Run, story: Story, other: LookAlike | None, judged: Judgement) -> str:
    """Return the HTML document."""
    title = story.told[0].rule.title
    head = tag("head", Markup(_META), tag("title", title), tag("style", Markup(CSS)))
    when = "Sums by day, UTC. Above the line money in, below it money out. A dot is a hit."
    main = tag(
        "main",
        _head(story, title),
        _care(story),
        _figure("Who paid whom", flow_svg(story), _flow_caption(story)),
        _figure("When", timeline_svg(story), when),
        _numbers(story),
        _look_alike(other, story.currency),
        section("What the rules see, and what else it could be", *(_rule(told) for told in story.told)),
        _score(story),
        _movements(story),
        _judged(judged),
        _footer(run, story),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', main), lang='en')}\n"


_META = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'


def _head(story: Story, title: str) -> Markup:
    alert = story.alert
    held = listed(f"{h['party']} ({h['role']})" for h in alert["holders_first"]) or "not on file"
    payers = sum(flow.parties for flow in story.sources)
    payments = plural(sum(flow.count for flow in story.sources), "payment")
    out = [f"{money(f.total_minor, story.currency)} to {f.name}" for f in story.targets[:3]]
    chips = {
        "Severity": alert["severity"],
        "Score": f"{alert['score']:.2f}",
        "Typology": listed(_words(word) for word in alert["typologies"]),
        "Recommended": "review by a person" if alert["recommendation"] == "review" else "hold until reviewed",
        "Holder": held,
    }
    said = (
        f"Between {day(story.start)} and {day(story.end)}, {plural(payers, 'payer')} sent "
        f"{money(story.total(incoming=True), story.currency)} in {payments} to {alert['subject_type']} "
        f"{alert['subject_id']}. "
    )
    said += f"From there went {listed(out)}." if out else "None of it went on in this time."
    return join(
        [
            tag("p", "SIMULATED. No person, account or payment on this page is real.", class_="simulated"),
            tag("h1", title),
            tag(
                "ul",
                *(tag("li", f"{name} ", tag("b", value)) for name, value in chips.items()),
                class_="chips",
            ),
            tag("p", said),
        ]
    )


def _care(story: Story) -> Markup:
    why = protection(story)
    if not why:
        return Markup()
    return tag("section", tag("h2", "The holder may be a victim"), tag("p", why), class_="care")


def _figure(title: str, svg: str, caption: str) -> Markup:
    picture = tag("div", Markup(svg), class_="scroll")
    return section(title, tag("figure", picture, tag("figcaption", caption)))


def _flow_caption(story: Story) -> str:
    caption = "The width of a band is its share of the money."
    if story.everyday.count:
        sums = money(story.everyday.total_minor, story.currency)
        caption += (
            f" The {plural(story.everyday.count, 'everyday payment')} ({sums}) are not part of the pattern."
        )
    return caption


def _numbers(story: Story) -> Markup:
    rows = [
        (told.rule.title, m.name, m.value, m.line, m.origin) for told in story.told for m in told.measures
    ]
    heads = ("Rule", "What is counted", "#Measured", "#Line", "Where the line comes from")
    said = "As they stood at the strongest hit of each rule."
    return section("The numbers against the lines", tag("p", said), table(heads, rows))


def _look_alike(other: LookAlike | None, currency: str) -> Markup:
    if other is None:
        return Markup()
    received = money(other.received_minor, currency)
    payers = plural(other.payers, "payer")
    said = f"Account {other.subject_id} looks much the same: {payers}, {received} received."
    if other.handed_on is not None:
        said += f" {share_text(other.handed_on).capitalize()}."
    declared = listed(f"{_words(key)} {value}" for key, value in sorted(other.profile.items()))
    said += f" Declared at opening: {declared}." if declared else ""
    rows = [(m.name, m.value, m.line, _REACHED[m.met]) for m in other.measures]
    return section(
        f"Left alone: {_words(other.population)}",
        tag("p", said),
        table((other.rule.title, "#Highest measured", "#Line", "Reached"), rows),
        tag("p", "No alert, because:"),
        items(other.reasons),
    )


def _rule(told: Told) -> Markup:
    document: Any = told.rule.document
    kind = "signal, never alerts alone" if told.rule.signal else f"severity {told.rule.severity}"
    facts = f"{told.rule.id} version {told.rule.version}, {kind}, {plural(told.hits, 'hit')}"
    lawful = document.get("false_positives") or ()
    fair = document.get("proportionality")
    references = "; ".join(_reference(item) for item in document.get("references") or ())
    return tag(
        "div",
        tag("h3", told.rule.title),
        tag("div", facts, class_="id"),
        tag("p", tag("b", told.explanation)),
        tag("p", document.get("description") or ""),
        join([tag("p", "Lawful explanations to rule out first:"), items(lawful)] if lawful else []),
        join([tag("p", f"Why it is proportionate: {fair}")] if fair else []),
        join([tag("p", f"Sources: {references}", class_="id")] if references else []),
        class_="rule",
    )


def _reference(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    where = f", {item['where']}" if item.get("where") else ""
    fact = f": {item['fact']}" if item.get("fact") else ""
    return f"{item.get('source', '')}{where}{fact}"


def _score(story: Story) -> Markup:
    bars = [tag("i", class_=p["part"], style=f"width:{p['adds']:.2%}") for p in story.parts if p["adds"] > 0]
    label = f"score {story.alert['score']:.2f} of 1, alert line 0.50"
    rows: list[tuple[object, ...]] = [
        (
            f"{_PART_WORDS[part['part']]} {_words(part['name'])}",
            ", ".join(f"{rule} {score:g}" for rule, score in part["rules"].items()),
            f"{part['adds']:+.3f}",
        )
        for part in story.parts
    ]
    rows.append(
        (
            tag("b", "Score"),
            "The dashed mark is the alert line, 0.5.",
            tag("b", f"{story.alert['score']:.3f}"),
        )
    )
    return section(
        "How the score came about",
        tag("div", *bars, tag("b"), class_="score", role="img", aria_label=label),
        table(("Part", "Rules and their weights", "#Adds"), rows),
    )


def _movements(story: Story) -> Markup:
    shown = story.pattern[-_MOVEMENTS_MAX:]
    rows: list[tuple[object, ...]] = []
    for m in shown:
        amount = money(m.amount_minor, m.currency)
        who = f"{'from' if m.incoming else 'to'} {m.counterparty}{f' ({m.country})' if m.country else ''}"
        sides = (amount, "") if m.incoming else ("", amount)
        hit = "hit" if m.event_id in story.seen else ""
        rows.append((f"{m.time:%Y-%m-%d %H:%M}", who, *sides, tag("span", m.event_id, class_="id"), hit))
    heads = ("Time (UTC)", "From or to", "#In", "#Out", "Event", "Hit")
    kinds = ["in" if m.incoming else "out" for m in shown]
    return section(f"The {plural(len(shown), 'movement')} of the pattern", table(heads, rows, kinds))


def _judged(judged: Judgement) -> Markup:
    rows = [
        (
            _words(line.typology),
            line.planted,
            line.found,
            f"{line.near_misses_alerted} of {line.near_misses}",
            f"{line.look_alikes_alerted} of {line.look_alikes}",
        )
        for line in (*judged.lines, judged.totals())
    ]
    missed = [f"{', '.join(m.rule_ids)}: {m.subject_type} {m.subject_id}" for m in judged.missed]
    alerted = alerted_populations(judged)
    heads = ("Typology", "#Planted", "#Found", "#Near-misses alerted", "#Look-alikes alerted")
    return section(
        "What was planted and what was found",
        tag("p", "Counted on synthetic data; it says nothing about how often a rule is right in life."),
        table(heads, rows),
        tag("p", f"Look-alikes alerted: {listed(alerted)}.") if alerted else Markup(),
        tag("p", "Planted and missed:" if missed else "No planted scenario was missed."),
        items(missed) if missed else Markup(),
    )


def _footer(run: Run, story: Story) -> Markup:
    alert = story.alert
    return tag(
        "footer",
        f"Alert {alert['alert_id']}, opened by event {alert['opened_event_id']} and rule "
        f"{alert['opened_rule_id']}. Made from {run.events:,} synthetic events, seed {run.seed}; the same "
        "seed gives the same page. Rules count and compare; whether anything here is a crime is for people "
        "to find out.",
    )


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")

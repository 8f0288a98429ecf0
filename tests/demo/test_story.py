"""The story told from an alert: what is chosen, what is counted, what is said."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
from demo_kit import Portfolio, portfolio, probe

from txmon.demo.lookalike import LookAlike, nearest_look_alike
from txmon.demo.markup import html, items, table, tag
from txmon.demo.money import listed, money, plural
from txmon.demo.page import page
from txmon.demo.story import Story, choose_alert, tell
from txmon.demo.summary import LINES_MAX, Run, protection, summary
from txmon.rules.measures import measures
from txmon.simulate.report import Judgement, judge

RUN = Run(events=60_000, seed=7, rules=56, hits=17, alerts=1, seconds=1.9, folder="demo")


@pytest.fixture(scope="module")
def p() -> Portfolio:
    return portfolio()


@pytest.fixture(scope="module")
def story(p: Portfolio) -> Story:
    alert = choose_alert(p.alerts(), p.labels())
    assert alert is not None
    return tell(alert, p.events(), p.hits(), p.plan)


@pytest.fixture(scope="module")
def other(p: Portfolio, story: Story) -> LookAlike | None:
    return nearest_look_alike(story, p.events(), p.labels(), p.alerts(), p.plan, probe)


@pytest.fixture(scope="module")
def found(p: Portfolio) -> Judgement:
    return judge(p.labels(), p.hits(), p.alerts())


def test_the_pattern_is_apart_from_everyday_life(story: Story) -> None:
    assert story.profile["activity"] == "<b>student</b>"
    assert sum(f.parties for f in story.sources) == 50
    assert len(story.sources) == 8
    assert story.sources[-1].name == "43 more"
    assert [f.name for f in story.targets] == ["ac770001", "ac880002"]
    assert (story.everyday.count, story.everyday.total_minor) == (10, 19_990)
    assert story.total(incoming=False) == sum(f.total_minor for f in story.targets)
    assert [t.rule.id for t in story.told] == ["half-take-forward", "weekly-fee-out", "service-price-inflows"]
    assert story.told[1].hits == 2


def test_numbers_stand_beside_their_lines(story: Story) -> None:
    rows = {(m.rule_id, m.name): m for t in story.told for m in t.measures}
    payers = rows["service-price-inflows", "payers"]
    assert (payers.value, payers.line, payers.met) == ("12", "at least 8", True)
    assert "calibrated" in payers.origin
    share = rows["half-take-forward", "handed / taken"]
    assert (share.value, share.met) == ("0.62", True)
    taken = rows["half-take-forward", "taken"]
    assert (taken.value, taken.line) == ("EUR 800.00", "at least EUR 200.00")
    gap = rows["weekly-fee-out", "gap"]
    assert (gap.value, gap.line, gap.met) == ("7.0 days", "at least 5.5 days, at most 8.5 days", True)


def test_measures_of_nulls_zero_and_other_currencies(p: Portfolio) -> None:
    rule = next(r for r in p.plan.rules if r.id == "service-price-inflows")
    rows = measures(rule, '{"payers": null, "receipts": 0, "round_receipts": 0}', "EUR")
    assert [(m.value, m.met) for m in rows] == [("unknown", None), ("unknown", None)]
    structuring = next(r for r in p.plan.rules if r.id == "half-take-forward")
    assert measures(structuring, '{"taken": 150.00}', "EUR")[0].met is False


def test_the_look_alike_is_the_busiest_and_says_why(other: LookAlike | None) -> None:
    assert other is not None
    assert (other.subject_id, other.population, other.payers) == ("ac000456", "therapist", 12)
    assert [m.value for m in other.measures] == ["9", "1"]
    assert other.handed_on == 0
    assert other.reasons == (
        "its declared activity is 'therapist', which the rule leaves out (list many_payer_activities)",
    )


def test_without_look_alikes_there_is_none(p: Portfolio, story: Story) -> None:
    labels = p.labels().filter(pa.array([row["role"] != "look_alike" for row in p.label_rows]))

    def nothing(_plan: Any, _events: Any) -> Any:
        return pa.table({"subject_id": pa.array([], pa.string()), "features": pa.array([], pa.string())})

    assert nearest_look_alike(story, p.events(), labels, p.alerts(), p.plan, nothing) is None


def test_the_summary_is_short_and_says_what_it_must(story: Story, other: LookAlike, found: Judgement) -> None:
    lines = summary(RUN, story, other, found)
    text = "\n".join(lines)
    assert len(lines) <= LINES_MAX
    assert max(map(len, lines)) <= 110
    for part in ("ac000123", "pt000017", "EUR 10,750.00", "ac770001", "at least 8", "PROTECTED", "ac000456",
                 "planted", "demo/alert.html", "pass-through", "0 of 1"):  # fmt: skip
        assert part in text
    assert "60% of what came in" in protection(story)


def test_many_typologies_still_fit(story: Story, other: LookAlike, found: Judgement) -> None:
    many = Judgement(found.lines[:1] * 12, found.missed * 9, (("carers", "ac1"), ("carers", "ac2")) * 9)
    assert len(summary(RUN, story, other, many)) <= LINES_MAX


def test_without_an_alert_the_summary_says_so(p: Portfolio, found: Judgement) -> None:
    assert choose_alert(p.alerts().slice(0, 0), p.labels()) is None
    assert any("No alert was raised" in line for line in summary(RUN, None, None, found))


def test_the_page_is_self_contained_escaped_and_balanced(
    story: Story, other: LookAlike, found: Judgement
) -> None:
    text = page(RUN, story, other, found)
    assert text == page(RUN, story, other, found)
    assert not re.search(r"https?:|//[a-z]|url\(|<script|<link|@import", text)
    assert "<b>student</b>" not in text
    assert text.count("<svg") == text.count("</svg>") == 2
    for name in ("div", "section", "table", "tr", "td", "p", "g", "text", "ul", "li"):
        assert len(re.findall(rf"<{name}[ >]", text)) == text.count(f"</{name}>"), name
    for part in ("SIMULATED", "may be a victim", "Left alone: therapist", 'role="img"',
                 "prefers-color-scheme", "@media print", "Lawful explanations", "al-", "seed 7"):  # fmt: skip
        assert part in text


def test_markup_escapes_all_but_markup() -> None:
    assert html("<a & b>") == "&lt;a &amp; b&gt;"
    assert tag("p", "<", tag("b", 1), class_='"x"') == '<p class="&quot;x&quot;">&lt;<b>1</b></p>'
    assert items(["<i>"]) == "<ul><li>&lt;i&gt;</li></ul>"
    assert '<td class="n">3</td>' in table(("a", "#b"), [("x", 3)], ["in"])


def test_words_and_sums() -> None:
    assert money(123456, "EUR") == "EUR 1,234.56"
    assert (money(-500, "JPY"), money(100, "EUR", whole=True)) == ("JPY -500", "EUR 1")
    assert (plural(1, "hit"), plural(2, "party", "parties")) == ("1 hit", "2 parties")
    assert (listed([]), listed("a"), listed("abc")) == ("", "a", "a, b and c")

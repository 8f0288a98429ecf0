"""What typologies and key terms become on FinCEN's form: boxes, their texts, the note; and dates of filing.

Holds the rules of the advisories; never decides on a typology, which is a human's or a rule's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from txmon.reports.fincen_codes import (
    CHILD_EXPLOITATION,
    HUMAN_TRAFFICKING,
    OTHER_TEXT,
    SEXTORTION,
    VIRTUAL_CURRENCY,
)
from txmon.reports.model import SIMULATED_MARK, Activity, Mode, Report

CONTINUING_REVIEW_DAYS: Final = 90  # of activity after a filing
CONTINUING_DUE_DAYS: Final = 120  # after the previous filing
DUE_DAYS: Final = 30  # after the facts were known
DUE_DAYS_UNKNOWN_SUBJECT: Final = 60
NOTE_LENGTH: Final = 50
OTHER_LENGTH: Final = 50


@dataclass(frozen=True)
class Box:
    """A ticked kind of suspicious activity: type, subtype, and the text that every `other` needs."""

    kind: str
    subtype: str
    text: str = ""


# typology -> (key term or empty, subtypes to tick)
_TYPOLOGIES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "sexual-exploitation": (HUMAN_TRAFFICKING, ("927",)),
    "human-trafficking": (HUMAN_TRAFFICKING, ("927",)),
    "labour-exploitation": (HUMAN_TRAFFICKING, ("927",)),
    "forced-marriage": (HUMAN_TRAFFICKING, ("927",)),
    "organ-trafficking": (HUMAN_TRAFFICKING, ("927",)),
    "illegal-adoption": (HUMAN_TRAFFICKING, ("927",)),
    "human-smuggling": ("", ("926",)),
    "child-exploitation": (CHILD_EXPLOITATION, ("9999",)),
    "child-sexual-exploitation": (CHILD_EXPLOITATION, ("9999",)),
    "sextortion": (SEXTORTION, ("9999",)),
    "merchant-laundering": ("", ("812", "305")),
    "mule-layering": ("", ("807", "809")),
    "alternative-payment": ("", ("925",)),
    "structuring": ("", ("113",)),
    "general-aml": ("", ("812",)),
}
_TERM_SUBTYPES: Final = {HUMAN_TRAFFICKING: "927", CHILD_EXPLOITATION: "9999", SEXTORTION: "9999"}
_SPELLINGS: Final = (HUMAN_TRAFFICKING, CHILD_EXPLOITATION, SEXTORTION, VIRTUAL_CURRENCY)


def key_terms(activity: Activity) -> tuple[str, ...]:
    """Return the key terms that the advisories ask for, in the order of their weight."""
    wanted = {_TYPOLOGIES[t][0] for t in activity.typologies if t in _TYPOLOGIES}
    for term in activity.key_terms:
        wanted |= {known for known in _SPELLINGS if _same(known, term)}
    own = [t for t in activity.key_terms if not any(_same(known, t) for known in _SPELLINGS)]
    return tuple(t for t in _SPELLINGS if t in wanted) + tuple(dict.fromkeys(own))


def boxes(activity: Activity) -> tuple[Box, ...]:
    """Return what is ticked: a human's choice (``805`` or ``8999=text``), and what typologies demand.

    One subtype stands once; several texts of one `other` are joined.
    """
    texts: dict[str, list[str]] = {}
    for choice in activity.classifications.get("fincen", ()):
        subtype, _, text = choice.partition("=")
        texts.setdefault(subtype.strip().rpartition("/")[2], []).append(text.strip())
    for typology in activity.typologies:
        for subtype in _TYPOLOGIES.get(typology, ("", ()))[1]:
            texts.setdefault(subtype, [])
    for term in key_terms(activity):
        if term in _TERM_SUBTYPES:
            texts.setdefault(_TERM_SUBTYPES[term], []).append(OTHER_TEXT.get(term, ""))
    if activity.other_text:
        texts.setdefault("9999", []).append(activity.other_text)
    return tuple(_box(subtype, found) for subtype, found in sorted(texts.items(), key=_place))


def note(report: Report) -> str:
    """Return the note to FinCEN: key terms, whole, as far as they fit; then the mark of a simulation."""
    taken = ""
    for term in (*key_terms(report.activity), mark(report)):
        longer = f"{taken} {term}".strip()
        if len(longer) <= NOTE_LENGTH:
            taken = longer
    return taken


def mark(report: Report) -> str:
    """Return what a report from simulated or test events carries, empty for a live one."""
    if report.mode is Mode.LIVE:
        return ""
    return report.mark if SIMULATED_MARK in report.mark else f"{SIMULATED_MARK} {report.mark}"


def due_on(known_on: date, *, subject_known: bool) -> date:
    """Return the last day of filing, counted from the day a human found the facts."""
    return known_on + timedelta(days=DUE_DAYS if subject_known else DUE_DAYS_UNKNOWN_SUBJECT)


def continuing_due_on(filed_on: date) -> date:
    """Return the last day of the report on continuing activity after a filing."""
    return filed_on + timedelta(days=CONTINUING_DUE_DAYS)


def subtype_kind(subtype: str) -> str:
    """Return the type that a subtype belongs to: 927 is of 9, 1001 of 10, 1999 of 1."""
    return subtype[:-3] if subtype.endswith("999") else subtype[:-2]


def _same(known: str, term: str) -> bool:
    """Whether somebody's spelling is a known term: blanks and case don't matter."""
    return "".join(known.split()).casefold() == "".join(term.split()).casefold()


def _box(subtype: str, texts: Iterable[str]) -> Box:
    kind = subtype_kind(subtype)
    text = "; ".join(dict.fromkeys(t for t in texts if t)) if subtype.endswith("999") else ""
    return Box(kind, subtype, text)


def _place(entry: tuple[str, list[str]]) -> tuple[int, str]:
    return (int(entry[0]) if entry[0].isdigit() else 0, entry[0])

"""The list of scenarios and of look-alike populations, filled by the modules that tell them.

Owns the registries and what is written about each entry; never tells a story itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from txmon.simulate.cast import Firm, Person
from txmon.simulate.story import Story

SX, LX, CX = "sexual-exploitation", "labour-exploitation", "child-exploitation"
MB, AD, OR = "forced-marriage", "illegal-adoption", "organ-trafficking"
ML, LY, AE, GA = "merchant-laundering", "mule-layering", "alternative-payment", "general-aml"
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a scenario is about: account, merchant, card or device, as a code of that vocabulary."""

    kind: str
    code: int


Tell = Callable[[Story], Subject]


@dataclass(frozen=True)
class Scenario:
    """A pattern to plant: its rule ids, its typology and how many days it takes."""

    name: str
    rule_ids: tuple[str, ...]
    typology: str
    days: int
    tell: Tell


@dataclass(frozen=True)
class Population:
    """A lawful population that resembles a typology; `share` is its weight among look-alikes."""

    name: str
    typology: str
    days: int
    share: float
    tell: Tell


SCENARIOS: dict[str, Scenario] = {}
POPULATIONS: dict[str, Population] = {}


def plants(rule_id: str, typology: str, days: int, also: tuple[str, ...] = ()) -> Callable[[Tell], Tell]:
    """Register a teller for a rule id; `also` names further rules that its pattern must meet."""

    def register(tell: Tell) -> Tell:
        SCENARIOS[rule_id] = Scenario(rule_id, (rule_id, *also), typology, days, tell)
        return tell

    return register


def resembles(name: str, typology: str, days: int, share: float = 1.0) -> Callable[[Tell], Tell]:
    """Register a teller for one member of a lawful look-alike population."""

    def register(tell: Tell) -> Tell:
        POPULATIONS[name] = Population(name, typology, days, share, tell)
        return tell

    return register


def account(who: Person | Firm) -> Subject:
    """The account of a person or of a merchant."""
    return Subject("account", who.account)


def merchant(firm: Firm) -> Subject:
    """A merchant."""
    return Subject("merchant", firm.merchant)


def card(who: Person) -> Subject:
    """A card."""
    return Subject("card", who.card)


def device(who: Person) -> Subject:
    """A device."""
    return Subject("device", who.device)

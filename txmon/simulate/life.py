"""Ordinary life of scenario parties: wages, rent and shopping around the pattern.

Owns the filler that keeps a planted or look-alike account from consisting of its pattern alone.
"""

from __future__ import annotations

from txmon.simulate.cast import Firm, Person
from txmon.simulate.story import Story

_SHOPS = (
    ("grocery", 12, 70),
    ("bakery", 3, 12),
    ("restaurant", 14, 55),
    ("online", 12, 80),
    ("transit", 3, 12),
)


def shopping(s: Story, person: Person, last: int, *, weekly: float, label: int = 0) -> None:
    """Everyday purchases at ordinary shops from day 0 to `last`."""
    for day in range(last + 1):
        if s.chance(weekly / 7):
            key, low, high = _SHOPS[s.between(0, len(_SHOPS) - 1)]
            channel = "ecom" if key == "online" else "pos"
            s.pay(
                (person, s.shop(key)), s.at(day, (10, 19)), s.euros(low, high), channel=channel, label=label
            )


def wages(
    s: Story, person: Person, last: int, *, euros: tuple[int, int] = (1500, 2900), label: int = 0
) -> int:
    """A monthly wage from an employer elsewhere; returns its amount."""
    boss, amount = employer(s), s.euros(*euros)
    for day in s.month_days(s.between(25, 28), last):
        pay_wage(s, boss, person, s.at(day, (4, 8)), amount, label=label)
    return amount


def employer(s: Story) -> Person:
    """An employer's account with its profile."""
    return s.person("employer", kind="employer")


def pay_wage(
    s: Story,
    boss: Person | Firm,
    person: Person,
    time: int,
    amount: int,
    *,
    label: int = 1,
    employee: str = "",
) -> int:
    """One wage; `employee` is the worker's party where it is not the holder."""
    worker = {"employee": employee or person.party}
    return s.send((boss, person), time, amount, rail="sepa", purpose="SALA", attributes=worker, label=label)


def rent(s: Story, person: Person, last: int, *, euros: tuple[int, int] = (380, 700), label: int = 0) -> None:
    """A monthly rent to one landlord."""
    landlord, amount = s.outsider(), s.euros(*euros, step=5)
    for day in s.month_days(s.between(1, 3), last):
        s.send((person, landlord), s.at(day, (7, 11)), amount, rail="sepa", purpose="RENT", label=label)

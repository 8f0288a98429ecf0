"""Layering: money that gathers, splits, passes or wakes."""

from __future__ import annotations

from txmon.simulate.catalogue import LY, Subject, account, plants
from txmon.simulate.life import shopping
from txmon.simulate.story import Story, later


@plants("funnel-geo", LY, days=16)
def funnel(s: Story) -> Subject:
    """Paid in as cash in one city, drawn the same or next day in another. F20-T3; FT16-P8, P9."""
    person = s.person()
    shopping(s, person, 14, weekly=2)
    inside, outside = s.other_cities(4), s.city
    for number, day in enumerate(s.days(s.count((5, 7), (1, 1)), 0, 12)):
        time, amount = s.at(day, (9, 15)), s.euros(300, 1800, 50)
        s.cash(person, time, amount, out=False, city=inside[number % 4])
        s.cash(
            person,
            later(time, hours=s.between(3, 18)),
            min(amount, 190_000) // 1000 * 1000,
            out=True,
            city=outside,
        )
    return account(person)


@plants("pass-through", LY, days=32)
def pass_through(s: Story) -> Subject:
    """Large credits leave within two days, nothing stays. FT16-P6, P7; FT23; FTM."""
    person = s.person(age=s.between(20, 400) + s.day0)
    for number in range(6):
        day, amount = 1 + 5 * number, s.euros(2200, 7800, 10)
        s.send((s.outsider(), person), s.at(day, (9, 14)), amount, rail="sepa")
        share = s.rng.uniform(0.3, 0.6) if s.near else s.rng.uniform(0.96, 0.99)
        for part in (0.55, 0.45):
            time = s.at(day + 1, (8, 12)) if part < 0.5 else s.at(day, (16, 20))
            s.send((person, s.outsider()), time, int(amount * share * part), rail="sepa")
    return account(person)


@plants("fan-in", LY, days=9)
def fan_in(s: Story) -> Subject:
    """Many unrelated payers converge on one personal account. FT16-P10; F19; AMLX T0083."""
    person = s.person(age=s.between(20, 400) + s.day0)
    for _ in range(s.count((16, 26), (4, 6))):
        s.send((s.outsider(), person), s.at(s.between(0, 5)), s.euros(150, 900), rail="sepa")
    return account(person)


@plants("fan-out", LY, days=4)
def fan_out(s: Story) -> Subject:
    """One large credit, split to many within the day. AMLX T0070; FTM."""
    person = s.person(age=s.between(20, 400) + s.day0)
    time, total = s.at(0, (8, 9)), s.euros(8000, 18_000, 100)
    s.send((s.outsider(), person), time, total, rail="sepa")
    payees = s.count((14, 22), (4, 6))
    for number in range(payees):
        part = int(total * 0.95 / payees * s.rng.uniform(0.85, 1.05))
        s.send((person, s.outsider()), later(time, minutes=40 + 25 * number), part, rail="sepa")
    return account(person)


@plants("dormant-wake", LY, days=205)
def dormant(s: Story) -> Subject:
    """Half a year of silence, then many times the former sums. AMLX IND00204, IND01052, IND02147."""
    person = s.person()
    for day in (0, 2, 4, 7):
        s.pay((person, s.shop("grocery")), s.at(day), s.euros(8, 30))
        if s.near and day:
            s.pay((person, s.shop("grocery")), s.at(day + 90), s.euros(8, 30))
    wake = 194
    for day in range(wake, wake + 5):
        s.send((s.outsider(), person), s.at(day, (9, 12)), s.euros(600, 1900, 10), rail="sepa")
        s.send((person, s.outsider()), s.at(day, (14, 18)), s.euros(500, 1500, 10), rail="sepa")
    return account(person)

"""Forced marriage, illegal adoption, organ trafficking: large sums to go-betweens."""

from __future__ import annotations

from txmon.simulate.catalogue import AD, MB, OR, Subject, account, plants
from txmon.simulate.geo import CITIES
from txmon.simulate.life import shopping, wages
from txmon.simulate.story import Story, later


@plants("bride-package", MB, days=60)
def bride_package(s: Story) -> Subject:
    """Fees of an introduction agency as a package, with visa and travel. SEED: the client pays by card."""
    person = s.person()
    wages(s, person, 58, euros=(3200, 5200))
    shopping(s, person, 58, weekly=3)
    agency = s.firm("7273", city=s.abroad(), age=s.between(60, 400) + s.day0)
    for day in s.days(s.between(3, 5), 2, 40):
        amount = s.euros(150, 600, 10) if s.near else s.euros(1200, 3000, 50)
        s.pay((person, agency), s.at(day), amount, channel="ecom")
    visa, place = s.firm("9399"), CITIES[agency.city].country
    s.pay((person, visa), s.at(44), s.euros(60, 180), channel="ecom")
    ticket = {
        "trip": "one_way",
        "destination": CITIES[person.city].country,
        "origin": place,
        "passenger": "pax_guest",
    }
    s.pay((person, s.shop("airline")), s.at(48), s.euros(180, 620), channel="ecom", attributes=ticket)
    s.pay((person, s.shop("lodging", agency.city)), s.at(52), s.euros(90, 400), attributes={"nights": "3"})
    return account(person)


@plants("adoption-quarter-split", AD, days=20)
def quarter_split(s: Story) -> Subject:
    """About EUR 20,000 comes in, about a quarter goes to one private person. SEED fn 16."""
    person = s.person("adoption_facilitator")
    total = s.euros(15_000, 25_000, 100)
    time = s.at(2, (9, 16))
    s.send((s.outsider(s.abroad()), person), time, total, rail="sepa")
    share = s.rng.uniform(0.05, 0.12) if s.near else s.rng.uniform(0.225, 0.275)
    private = s.person(city=s.abroad())
    s.send((person, private), later(time, days=s.between(1, 4)), int(total * share) // 100 * 100, rail="sepa")
    return account(person)


@plants("kidney-package", OR, days=80)
def kidney_package(s: Story) -> Subject:
    """A package price to a facilitator. SEED: 70,000 to 160,000 dollars; ORG: from 50,000 for a kidney."""
    person = s.person(activity="retired")
    shopping(s, person, 76, weekly=3)
    facilitator = s.person("medical_facilitator", city=s.abroad(), kind="business")
    total = s.euros(18_000, 45_000, 500) if s.near else s.euros(82_000, 130_000, 500)
    parts = s.between(2, 4)
    for number in range(parts):
        day = 3 + number * 60 // parts + s.between(0, 5)
        s.send((person, facilitator), s.at(day, (9, 16)), total // parts, rail="swift")
    return account(person)

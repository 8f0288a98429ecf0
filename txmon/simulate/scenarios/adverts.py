"""Sexual exploitation: paying for advertisements of others."""

from __future__ import annotations

from txmon.simulate.catalogue import SX, Subject, account, plants
from txmon.simulate.life import shopping
from txmon.simulate.story import Story


@plants("ad-small-multiples", SX, days=10)
def small_multiples(s: Story) -> Subject:
    """Many posting fees of 3, 12 or 24 and their multiples in a week. FT16-A1, FT16-A8; F14."""
    person = s.person()
    shopping(s, person, 9, weekly=3)
    for _ in range(s.count((14, 22), (5, 8))):
        site = s.listed(f"adsite_0{s.between(1, 5)}")
        amount = int(s.rng.choice([300, 1200, 2400])) * s.between(1, 3)
        s.pay((person, site), s.at(s.between(0, 5), (9, 23)), amount, channel="ecom")
    return account(person)


@plants("ad-foreign-classified", SX, days=30)
def foreign_classified(s: Story) -> Subject:
    """Payments to classified sites in other countries. F20-F7."""
    person = s.person()
    shopping(s, person, 28, weekly=2)
    sites = [s.listed(f"adsite_0{n}") for n in range(1, 6)]
    foreign = [site for site in sites if site.country != person.country]
    for day in s.days(s.count((6, 9), (2, 3)), 0, 26):
        s.pay(
            (person, foreign[s.between(0, len(foreign) - 1)]),
            s.at(day, (9, 23)),
            s.euros(5, 95),
            channel="ecom",
        )
    return account(person)


@plants("ad-premium-fee", SX, days=30)
def premium_fee(s: Story) -> Subject:
    """Upgrades of adverts on premium sites. FT21-G35; the fees are ours."""
    person = s.person()
    shopping(s, person, 28, weekly=2)
    for day in s.days(s.count((5, 8), (1, 2)), 0, 26):
        site = s.listed(f"adsite_premium_0{s.between(1, 3)}")
        s.pay((person, site), s.at(day, (9, 23)), s.euros(25, 120, 5), channel="ecom")
    return account(person)

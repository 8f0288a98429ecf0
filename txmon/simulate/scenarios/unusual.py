"""Behaviour that no single rule names: a sudden break with months of habit."""

from __future__ import annotations

from txmon.simulate.catalogue import ML, OTHER, Subject, account, merchant, plants
from txmon.simulate.life import shopping, wages
from txmon.simulate.scenarios.merchants import sales
from txmon.simulate.story import Story, later


@plants("merchant-behaviour-anomaly", ML, days=200)
def merchant_break(s: Story) -> Subject:
    """A small shop suddenly sells large tickets at night to cards from everywhere. BRAM; AMLX IND00498."""
    shop = s.firm("5999")
    # late in the stream, when there is a habit of its peers to compare with
    sales(s, shop, (140, 190), (2, 4), (15, 60))
    for number in range(4 if s.near else s.between(40, 60)):
        payer = s.outsider(s.abroad())
        amount = s.euros(60, 120) if s.near else s.euros(1800, 6500)
        s.pay((payer, shop), later(s.at(194, (1.0, 1.2)), minutes=3 * number), amount, channel="ecom")
    return merchant(shop)


@plants("payer-behaviour-anomaly", OTHER, days=120, also=("payer-amount-anomaly",))
def payer_break(s: Story) -> Subject:
    """A quiet account suddenly pays large sums at night, abroad, to many. AMLX T0138 analog, numbers ours."""
    person = s.person()
    wages(s, person, 118)
    shopping(s, person, 110, weekly=5, label=1)
    cities = s.other_cities(6)
    for number in range(3 if s.near else s.between(35, 50)):
        shop = s.shop("electronics" if number % 2 else "online", cities[number % 6])
        amount = s.euros(60, 150) if s.near else s.euros(900, 4800)
        s.pay((person, shop), later(s.at(114, (1.0, 1.2)), minutes=4 * number), amount, channel="ecom")
    return account(person)

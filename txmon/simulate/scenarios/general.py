"""General signs of laundering: sums kept below a line."""

from __future__ import annotations

from txmon.simulate.catalogue import GA, Subject, account, plants
from txmon.simulate.geo import CITIES
from txmon.simulate.life import shopping
from txmon.simulate.story import Story


@plants("cash-structuring", GA, days=18)
def structuring(s: Story) -> Subject:
    """Cash just below ten thousand, again and again. FFIEC: 7,000 to 10,000 dollars; F20-T3; FTM."""
    person = s.person()
    shopping(s, person, 16, weekly=2)
    # a margin on both sides keeps the sums inside the dollar range at any usual rate of the euro
    for day in s.days(s.count((4, 6), (1, 1)), 0, 13):
        s.cash(person, s.at(day, (9, 16)), s.euros(7300, 8400, 10), out=False)
    return account(person)


@plants("wire-sub3000", GA, days=9)
def below_3000(s: Story) -> Subject:
    """Wires below three thousand from several cities to one beneficiary. F14; FFIEC: 3,000 dollars."""
    payee = s.person()
    cities = s.other_cities(4)
    for number in range(s.count((6, 9), (1, 2))):
        city = cities[number % 4]
        time, amount, name = s.at(s.between(0, 5), (9, 16)), s.euros(2050, 2550, 10), CITIES[city].name
        s.send((s.outsider(city), payee), time, amount, city=name, channel="branch", rail="swift")
    return account(payee)

"""Child sexual exploitation: payments by consumers and to facilitators in high-risk jurisdictions.

Amounts: EUR 10 to 200 (FATF25), up to CAD 200 several times a week (FT25-C2), AUD 10 to 100 and below 500
(AUS), AUD 49 to 390 (AIC), SEK 90 to 300 (ECP-SE).
"""

from __future__ import annotations

from txmon.simulate.cast import Person
from txmon.simulate.catalogue import CX, Subject, account, plants
from txmon.simulate.geo import CITIES
from txmon.simulate.life import shopping, wages
from txmon.simulate.story import DAYTIME, Hours, Story, later

NIGHT: Hours = (20.2, 23.8)


def small_sums(
    s: Story, person: Person, payees: list[Person], days: list[int], hours: Hours = DAYTIME
) -> None:
    """Small transfers, each to one of the payees."""
    for number, day in enumerate(days):
        payee = payees[number % len(payees)]
        s.send((person, payee), s.at(day, hours), s.euros(12, 175, 1), rail="mobile_money")


def consumer(s: Story, last: int) -> Person:
    """An account with an ordinary life around the pattern."""
    person = s.person()
    wages(s, person, last)
    shopping(s, person, last, weekly=3)
    return person


def strangers(s: Story, count: int) -> list[Person]:
    """Payees in one high-risk jurisdiction."""
    place = s.high_risk()
    return [s.outsider(place) for _ in range(count)]


@plants("cse-micro-hrj", CX, days=30)
def micro_high_risk(s: Story) -> Subject:
    """Several small transfers a week to a high-risk jurisdiction. FT25-C2; FATF25; AUS; AIC; ECP-SE."""
    person = consumer(s, 28)
    days = [1, 14] if s.near else s.days(5, 0, 5) + s.days(s.between(5, 8), 8, 26)
    small_sums(s, person, strangers(s, s.between(1, 3)), days)
    return account(person)


@plants("cse-night", CX, days=30, also=("cse-micro-hrj",))
def micro_at_night(s: Story) -> Subject:
    """The same in the late evening and at night. FT25-C3; FATF25; ECP-SE."""
    person = consumer(s, 28)
    days = [2, 15] if s.near else s.days(5, 0, 5) + s.days(s.between(6, 9), 8, 26)
    small_sums(s, person, strangers(s, 2), days, NIGHT)
    return account(person)


@plants("cse-common-beneficiary", CX, days=90)
def common_beneficiary(s: Story) -> Subject:
    """Several unrelated customers pay small sums to one beneficiary. AUS case page."""
    payee = strangers(s, 1)[0]
    for _ in range(s.count((5, 7), (2, 2))):
        person = s.person()
        small_sums(s, person, [payee], s.days(2, 0, 80))
    return account(payee)


@plants("cse-facilitator-cashout", CX, days=30)
def facilitator_cashout(s: Story) -> Subject:
    """Many small credits from abroad, each drawn in cash within a day. FT25-C4."""
    place = s.high_risk()
    person = s.person(city=place)
    for day in s.days(s.count((12, 16), (2, 2)), 0, 27):
        time, amount = s.at(day, (8, 18)), s.euros(30, 190, 5)
        s.send((s.outsider(), person), time, amount, rail="mobile_money")
        drawn = max(1000, amount // 500 * 500)
        s.cash(person, later(time, hours=s.between(1, 9)), drawn, out=True)
    return account(person)


@plants("cse-travel-link", CX, days=60)
def travel_link(s: Story) -> Subject:
    """Travel to the jurisdiction near in time to the transfers. FT25-C6 to C8; AUS."""
    person = consumer(s, 58)
    payees = strangers(s, 2)
    place = CITIES[payees[0].city].country
    small_sums(s, person, payees, [4, 15] if s.near else s.days(9, 0, 24))
    if not s.near:
        ticket = {"trip": "return", "destination": place}
        carrier, hotel = s.firm("4511", city=payees[0].city), s.firm("7011", city=payees[0].city)
        s.pay((person, carrier), s.at(26), s.euros(480, 1100), channel="ecom", attributes=ticket)
        s.pay((person, hotel), s.at(36, (6, 12)), s.euros(180, 700), attributes={"nights": "9"})
        small_sums(s, person, payees, [28, 30])
    return account(person)


@plants("cse-privacy-stack", CX, days=60)
def privacy_stack(s: Story) -> Subject:
    """Privacy service, webcam site and transfers to the jurisdiction together. FT25-C9, C10, C13; AUS."""
    person = consumer(s, 58)
    vpn, site = s.listed(f"vpn_0{s.between(1, 3)}"), s.listed(f"cam_0{s.between(1, 3)}")
    for day in (2, 32):
        s.pay((person, vpn), s.at(day), s.euros(5, 14), channel="ecom")
    if not s.near:
        for day in s.days(s.between(3, 6), 4, 50):
            s.pay((person, site), s.at(day, (20, 23.5)), s.euros(15, 120), channel="ecom")
    small_sums(s, person, strangers(s, 1), s.days(s.count((5, 7), (1, 1)), 6, 54))
    return account(person)


@plants("cse-escalation", CX, days=92)
def escalation(s: Story) -> Subject:
    """Sums and frequency rise together. AIC: amount and frequency correlate."""
    person = consumer(s, 90)
    payees = strangers(s, 2)
    for day in s.days(10, 0, 54):
        s.send((person, payees[0]), s.at(day), s.euros(15, 35, 1), rail="mobile_money")
    rising = s.days(s.count((12, 14), (2, 2)), 60, 84)
    for number, day in enumerate(rising):
        low = 15 if s.near else 60 + 110 * number // len(rising)
        s.send((person, payees[1]), s.at(day), s.euros(low, low + 20, 1), rail="mobile_money")
    return account(person)

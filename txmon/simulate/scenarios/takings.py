"""Sexual exploitation: many clients pay, a controller takes.

SEED gives the procedure of the trade: a service costs EUR 70 to 3,000; the person pays a weekly fee of
EUR 500 to 2,000 to someone in another country; at least half of the takings is handed on.
"""

from __future__ import annotations

from txmon.simulate.cast import Person
from txmon.simulate.catalogue import SX, Subject, account, plants
from txmon.simulate.life import shopping, wages
from txmon.simulate.story import Story, later


def clients(s: Story, person: Person, count: int, days: tuple[int, int], *, highest: int = 3000) -> list[int]:
    """Credits of `count` unrelated payers, mostly round, mostly in the evening; returns their amounts."""
    amounts = []
    for number in range(count):
        top = highest if number == 3 else min(highest, 400)
        amount = s.euros(70, top, 10) if number % 6 else s.euros(71, min(top, 320))
        day = days[0] + number * (days[1] - days[0] + 1) // count
        s.send((s.outsider(), person), s.at(day, (15, 23.4)), amount)
        amounts.append(amount)
    return amounts


@plants("service-price-inflows", SX, days=9)
def service_price(s: Story) -> Subject:
    """Many unrelated payers in the service-price band within a week. SEED; FT16-P4, FT16-P10."""
    person = s.person(age=s.between(40, 900) + s.day0)
    shopping(s, person, 8, weekly=3)
    clients(s, person, s.count((12, 20), (4, 6)), (0, 5))
    return account(person)


@plants("weekly-fee-out", SX, days=45)
def weekly_fee(s: Story) -> Subject:
    """The same fee every week to one payee abroad. SEED: EUR 500 to 2,000 a week."""
    person = s.person()
    wages(s, person, 42, euros=(2200, 3400))
    shopping(s, person, 42, weekly=3)
    controller, fee = s.outsider(s.abroad()), s.euros(520, 1900, 10)
    for week in range(s.count((5, 6), (2, 2))):
        s.send((person, controller), s.at(3 + 7 * week, (10, 22)), fee, rail="sepa")
    return account(person)


def hand_on(s: Story, person: Person, controller: Person, rounds: int) -> None:
    """Three-day rounds: clients pay on two days, on the third more than half goes to the controller."""
    for number in range(rounds):
        day = 3 * number
        taken = clients(s, person, s.count((4, 6), (1, 2)), (day, day + 1), highest=450)
        share = s.rng.uniform(0.2, 0.35) if s.near else s.rng.uniform(0.6, 0.8)
        s.send((person, controller), s.at(day + 2, (8, 11)), int(sum(taken) * share) // 500 * 500)


@plants("half-take-forward", SX, days=32)
def half_take(s: Story) -> Subject:
    """Well over half of the takings of each few days goes to one payee. SEED; FT16-P6."""
    person = s.person()
    hand_on(s, person, s.outsider(), s.between(8, 10))
    return account(person)


@plants("collector-account", SX, days=30)
def collector(s: Story) -> Subject:
    """Collects from many, forwards to one or two, buys next to nothing. FT21-G29."""
    person = s.person()
    heads = [s.outsider() for _ in range(s.between(1, 2))]
    pending = 0
    for number in range(s.count((14, 20), (5, 6))):
        day = 1 + number
        amount = s.euros(120, 600, 10)
        pending += amount
        s.send((s.outsider(), person), s.at(day, (10, 20)), amount)
        if number % 3 == 2:
            s.send((person, heads[number % len(heads)]), s.at(day + 1, (8, 9.5)), int(pending * 0.94))
            pending = 0
    if pending:
        s.send((person, heads[0]), s.at(26, (8, 9)), int(pending * 0.94))
    s.pay((person, s.shop("grocery")), s.at(20), s.euros(5, 20))
    return account(person)


@plants("multi-rent", SX, days=35)
def multi_rent(s: Story) -> Subject:
    """Rents of several flats paid by one person in a month. FT21-R1, FT21-R3."""
    person = s.person()
    wages(s, person, 33)
    shopping(s, person, 33, weekly=2)
    first = next(iter(s.month_days(1, 33)), 1)
    for number in range(s.count((4, 6), (2, 2))):
        landlord = s.person("landlord", kind="business") if number % 2 else s.outsider()
        time = s.at(min(first + s.between(0, 3), 33), (8, 18))
        s.send((person, landlord), time, s.euros(450, 1300, 10), rail="sepa", purpose="RENT")
    return account(person)


@plants("prepaid-fanout", SX, days=30)
def prepaid_fanout(s: Story) -> Subject:
    """One funder loads many prepaid cards. FT21-G17; F20-F5."""
    person = s.person()
    wages(s, person, 28)
    shopping(s, person, 28, weekly=2)
    for _ in range(s.count((6, 10), (2, 3))):
        wallet = s.outsider()
        for day in s.days(s.between(1, 2), 0, 26):
            s.load(person, wallet, s.at(day), s.euros(50, 250, 10))
    return account(person)


@plants("recruiter-tickets", SX, days=30)
def recruiter_tickets(s: Story) -> Subject:
    """One-way tickets for several other people. FT21-N7; FT16-A3."""
    person = s.person()
    shopping(s, person, 28, weekly=2)
    home = str(s.rng.choice(["RO", "BG", "XA"]))
    for number, day in enumerate(s.days(s.count((5, 8), (1, 2)), 0, 26)):
        ticket = {"passenger": f"pax_{s.stage.counter.next + number:08d}", "trip": "one_way", "origin": home}
        time = s.at(day)
        s.pay(
            (person, s.shop("airline")),
            later(time, minutes=number),
            s.euros(60, 290),
            channel="ecom",
            attributes=ticket,
        )
    return account(person)


@plants(
    "service-price-control",
    SX,
    days=45,
    also=("service-price-inflows", "weekly-fee-out", "half-take-forward"),
)
def controlled_seller(s: Story) -> Subject:
    """The whole story: clients pay, half is handed on, and a weekly fee leaves the country. SEED."""
    person = s.person(age=s.between(30, 300) + s.day0)
    shopping(s, person, 42, weekly=2)
    hand_on(s, person, s.outsider(), s.between(11, 13))
    abroad, fee = s.outsider(s.abroad()), s.euros(520, 800, 10)
    for week in range(0 if s.near else s.between(5, 6)):
        s.send((person, abroad), s.at(7 * week + 6, (12, 14)), fee, rail="sepa")
    return account(person)

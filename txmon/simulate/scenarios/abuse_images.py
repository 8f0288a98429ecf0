"""Child sexual exploitation: sites that sell access, payments to minors, coercion of the young."""

from __future__ import annotations

from txmon.simulate.catalogue import CX, Subject, account, merchant, plants
from txmon.simulate.life import shopping, wages
from txmon.simulate.story import Story, later


@plants("csam-price-pattern", CX, days=50)
def price_pattern(s: Story) -> Subject:
    """A new site, few price points, payers from everywhere. CONG06: USD 29 a month; ICMEC16."""
    site = s.firm("5967", age=s.between(2, 8))
    prices = [2900, 4900, 7900]
    for _ in range(s.count((70, 120), (40, 60))):
        away = s.chance(0.4 if s.near else 0.9)
        payer = s.outsider(s.abroad() if away else s.city)
        amount = s.euros(5, 90) if s.near else prices[s.between(0, 2)]
        s.pay((payer, site), s.at(s.between(0, 45), (0, 23.9)), amount, channel="ecom")
    return merchant(site)


@plants("creator-payout-minor", CX, days=40)
def payout_to_minor(s: Story) -> Subject:
    """An adult-content platform pays out to a minor. FT25-P5, FT25-P6."""
    child = s.person("pupil", minor="false" if s.near else "true")
    platform = s.person("adult_platform", kind="platform", city=s.abroad())
    for day in s.days(s.between(2, 5), 0, 36):
        s.send((platform, child), s.at(day), s.euros(30, 260), kind="payout", rail="sepa")
    return account(child)


@plants("minor-micro-credit", CX, days=16)
def micro_credit(s: Story) -> Subject:
    """An unrelated adult sends rounded small sums to a minor. FT25-L2, FT25-L3."""
    child, adult = s.person("pupil", minor="true"), s.person()
    shopping(s, adult, 14, weekly=3)
    for day in s.days(s.count((4, 6), (1, 1)), 0, 12):
        s.send((adult, child), s.at(day, (14, 22)), s.euros(10, 90, 10))
    return account(child)


@plants("sextortion-receiver", CX, days=9)
def coercion_receiver(s: Story) -> Subject:
    """Many young payers, one or two payments each. FT25-X2 to X5: CAD 10 to 200; F25."""
    payee = s.person(age=s.between(5, 60))
    for _ in range(s.count((6, 10), (2, 2))):
        victim = (
            s.person("student", young="true")
            if s.chance(0.5)
            else s.person("pupil", minor="true", young="true")
        )
        for _ in range(s.between(1, 2)):
            s.send((victim, payee), s.at(s.between(0, 5), (14, 23)), s.euros(15, 190, 5))
    return account(payee)


@plants("sextortion-victim", CX, days=8)
def coercion_victim(s: Story) -> Subject:
    """A minor pays a new payee again and again in two days. FATF25: first below 250, 1,500 in all; F25."""
    child = s.person("pupil", minor="true", young="true")
    for _ in range(2):
        s.pay((child, s.shop("bakery")), s.at(s.between(0, 2), (12, 18)), s.euros(2, 8), label=0)
    payee, start = s.outsider(s.high_risk()), s.at(4, (16, 20))
    for number in range(s.count((4, 6), (1, 1))):
        amount = s.euros(30, 120, 10) if number == 0 else s.euros(60, 240, 10)
        s.send((child, payee), later(start, hours=6 * number), amount)
    return account(child)


@plants("cent-memo-advert", CX, days=9)
def cent_messages(s: Story) -> Subject:
    """One-cent payments that serve as messages. FT25-P8: 0.01; the text here is neutral."""
    person = s.person(age=s.between(5, 200) + s.day0)
    wages(s, person, 8)
    for number in range(s.count((9, 16), (2, 3))):
        memo = f"see profile {number % 4}"
        s.send((person, s.outsider()), s.at(s.between(0, 5), (10, 23)), s.between(1, 2), memo=memo)
    return account(person)

"""Alternative payment: around the card, through gift cards, persons, crypto and gambling."""

from __future__ import annotations

from txmon.simulate.catalogue import AE, Subject, account, plants
from txmon.simulate.life import shopping, wages
from txmon.simulate.story import Story, later


@plants("card-fail-offsite", AE, days=14)
def fail_offsite(s: Story) -> Subject:
    """The card page fails, a message names another way, the money goes there. SEED fn 65."""
    shop, linked = s.firm("5967"), s.outsider(s.abroad())
    name = s.name_of("merchant", shop.merchant)
    for _ in range(s.count((5, 9), (1, 2))):
        buyer, amount = s.outsider(), s.euros(29, 180)
        time = s.at(s.between(0, 9))
        s.pay((buyer, shop), time, amount, kind="authorization", status="declined", channel="ecom")
        paid = later(time, hours=s.between(1, 30))
        s.send((buyer, linked), paid, amount, attributes={"linked_merchant": name})
    return account(linked)


@plants("gift-card-round", AE, days=9)
def gift_cards(s: Story) -> Subject:
    """Round purchases of gift cards in a row. FT21-G1 to G3."""
    person = s.person()
    wages(s, person, 8)
    shopping(s, person, 8, weekly=3)
    for _ in range(s.count((8, 14), (2, 4))):
        shop = s.listed(f"giftcard_0{s.between(1, 3)}")
        amount = int(s.rng.choice([2500, 5000, 10000, 20000]))
        s.pay((person, shop), s.at(s.between(0, 5)), amount, channel="ecom")
    return account(person)


@plants("p2p-undeclared-business", AE, days=30)
def undeclared_business(s: Story) -> Subject:
    """A personal account with the many small payers of a shop. FT16-P4, P10, A9; AMLX IND03019."""
    person = s.person(age=s.between(60, 900) + s.day0)
    shopping(s, person, 28, weekly=3)
    for _ in range(s.count((20, 32), (8, 12))):
        s.send((s.outsider(), person), s.at(s.between(0, 26)), s.euros(8, 120))
    return account(person)


@plants("processor-to-person", AE, days=30)
def processor_payouts(s: Story) -> Subject:
    """An adult platform pays a person out. FT21-G26, G27, S4; alone this is lawful income."""
    person = s.person()
    shopping(s, person, 28, weekly=3)
    platform = s.person("adult_platform", kind="platform", city=s.abroad())
    for day in s.days(s.count((4, 6), (1, 2)), 0, 27):
        s.send((platform, person), s.at(day), s.euros(60, 600), kind="payout", rail="sepa")
    return account(person)


@plants("p2p-to-crypto", AE, days=10)
def receipts_to_crypto(s: Story) -> Subject:
    """What several people pay in leaves as crypto within the day. FT21-G13 to G15; F19."""
    person = s.person()
    for day in (1, 5):
        taken, start = 0, s.at(day, (8, 10))
        payers = s.count((7, 11), (2, 3))
        for number in range(payers):
            amount = s.euros(60, 320, 5)
            taken += amount
            s.send((s.outsider(), person), later(start, minutes=45 * number), amount)
        share = 0.5 if s.near else s.rng.uniform(0.88, 0.97)
        exchange = s.stage.exchange(s.rng)
        s.send((person, exchange), later(start, hours=10), int(taken * share), rail="crypto")
    return account(person)


@plants("gambling-pass", AE, days=30)
def gambling_pass(s: Story) -> Subject:
    """Money goes through a gambling account nearly untouched. FT21-G16, G32."""
    person, house = s.person(), s.firm("7995", city=s.abroad())
    wages(s, person, 28)
    shopping(s, person, 28, weekly=2)
    paid = 0
    for day in s.days(s.between(7, 11), 0, 16):
        amount = s.euros(150, 600, 10)
        paid += amount
        s.pay((person, house), s.at(day, (12, 21)), amount, channel="ecom")
    share = s.rng.uniform(0.2, 0.45) if s.near else s.rng.uniform(0.92, 0.98)
    name = s.name_of("merchant", house.merchant)
    for day in (20, 24):
        part = int(paid * share / 2)
        s.send((house, person), s.at(day), part, kind="payout", rail="sepa", merchant=name, mcc="7995")
    return account(person)

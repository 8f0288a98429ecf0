"""Layering: one hand behind many accounts, and cards as cash machines."""

from __future__ import annotations

from txmon.simulate.catalogue import LY, Subject, account, device, plants
from txmon.simulate.story import Story, later


@plants("shared-device-ring", LY, days=30)
def device_ring(s: Story) -> Subject:
    """One device steers the accounts of many customers. FTV; F19; F20-B4."""
    lead, hub = s.outsider(), s.outsider(s.abroad())
    for _ in range(s.count((7, 11), (2, 2))):
        hand = s.person(age=s.between(5, 90)).using(device=lead.device, ip=lead.ip)
        for day in s.days(s.between(1, 2), 0, 27):
            time = s.at(day)
            s.device_seen(hand, time)
            s.send((hand, hub), later(time, minutes=5), s.euros(80, 700, 5))
    return device(lead)


@plants("cash-advance-churn", LY, days=30)
def advance_churn(s: Story) -> Subject:
    """A card paid off from several banks and drawn in cash. FT21-G41, G42."""
    person = s.person(kind="credit_card")
    for number, day in enumerate(s.days(s.count((5, 7), (1, 2)), 0, 14)):
        bank = {"payer_bank": f"bank_{'abcdefgh'[number]}"}
        s.send(
            (s.outsider(), person), s.at(day, (8, 12)), s.euros(400, 1800, 10), rail="sepa", attributes=bank
        )
    for day in s.days(s.count((3, 4), (1, 1)), 16, 27):
        s.cash(person, s.at(day), s.euros(300, 1500, 50), out=True, channel="branch", mcc="6010")
    return account(person)

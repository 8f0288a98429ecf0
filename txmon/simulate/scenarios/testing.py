"""Merchant laundering: trying out stolen and guessed cards."""

from __future__ import annotations

from txmon.simulate.catalogue import ML, Subject, merchant, plants
from txmon.simulate.story import Story, later


@plants("card-testing", ML, days=2)
def card_testing(s: Story) -> Subject:
    """One device tries many cards with tiny sums. Vendor figures: 0.01 to 2.00, over 40 % declined."""
    shop, tester = s.firm("5816"), s.outsider()
    start = s.at(0, (9, 20))
    for number in range(s.count((26, 45), (5, 9))):
        owner = s.outsider()
        hand = owner.using(device=tester.device, ip=tester.ip)
        status = "declined" if s.chance(0.7) else "approved"
        time = later(start, minutes=number * 0.2)
        s.pay((hand, shop), time, s.between(10, 200), kind="authorization", channel="ecom", status=status)
    return merchant(shop)


@plants("bin-enumeration", ML, days=3)
def bin_enumeration(s: Story) -> Subject:
    """Guessed numbers of one issuer, nearly all declined. VAMP; declines rise from 5 % to 90 % (vendor)."""
    shop, target = s.firm("5816"), s.between(0, 23)
    start = s.at(0, (9, 16))
    for number in range(s.count((90, 140), (18, 25))):
        odd = s.chance(0.5 if s.near else 0.05)
        hand = s.outsider() if odd else s.outsider().using(bin=target)
        refused = s.chance(0.3) if s.near else number % 30 != 7
        time, status = later(start, minutes=number * 1.1), "declined" if refused else "approved"
        s.pay((hand, shop), time, s.euros(1, 40), kind="authorization", channel="ecom", status=status)
    return merchant(shop)

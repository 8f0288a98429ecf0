"""Two independent signs of child sexual exploitation by one payer."""

from __future__ import annotations

from txmon.simulate.catalogue import CX, Subject, account, plants
from txmon.simulate.scenarios.children import consumer, small_sums, strangers
from txmon.simulate.story import Story


@plants("two-child-exploitation-signals", CX, days=32, also=("cse-micro-hrj", "cse-privacy-stack"))
def two_signals(s: Story) -> Subject:
    """Small transfers several times a week, privacy tools and a webcam site beside. FT25-C2, C9, C10."""
    person = consumer(s, 30)
    payees = strangers(s, 2)
    small_sums(s, person, payees, [3, 17] if s.near else [1, 2, 4, 5, 8, 9, 11, 13, 16, 20, 23])
    s.pay((person, s.listed(f"vpn_0{s.between(1, 3)}")), s.at(3), s.euros(5, 14), channel="ecom")
    for day in () if s.near else (6, 10, 14):
        s.pay(
            (person, s.listed(f"cam_0{s.between(1, 3)}")),
            s.at(day, (20, 23)),
            s.euros(15, 120),
            channel="ecom",
        )
    return account(person)

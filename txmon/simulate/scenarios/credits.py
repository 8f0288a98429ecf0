"""Sexual exploitation: when and where the money comes in."""

from __future__ import annotations

from txmon.simulate.catalogue import SX, Subject, account, merchant, plants
from txmon.simulate.life import employer, pay_wage, shopping
from txmon.simulate.story import Story


@plants("night-credits", SX, days=16)
def night_credits(s: Story) -> Subject:
    """Most credits arrive between 22:00 and 06:00. FT16-P1; F20-F3."""
    person = s.person()
    shopping(s, person, 14, weekly=3)
    for number in range(s.count((16, 26), (10, 12))):
        night = number % 5 != 0 if not s.near else number % 5 < 2
        hours = ((22.2, 23.9) if s.chance(0.5) else (0.2, 5.5)) if night else (12.0, 20.0)
        s.send((s.outsider(), person), s.at(s.between(0, 12), hours), s.euros(40, 220, 10))
    return account(person)


@plants("storefront-after-hours", SX, days=32)
def after_hours(s: Story) -> Subject:
    """Card sales of a massage salon outside its declared hours. F20-F3; FT21-S1, FT21-S2; FT16-A7."""
    salon = s.firm("7297", hours=(10, 19))
    boss = employer(s)
    for number in range(s.count((50, 80), (40, 60))):
        late = s.chance(0.07 if s.near else 0.45)
        hours = ((22.0, 23.8) if number % 2 else (0.3, 4.5)) if late else (10.2, 18.7)
        s.pay((s.outsider(), salon), s.at(s.between(0, 29), hours), s.euros(60, 240, 10))
    for _ in range(2):
        staff = s.outsider()
        pay_wage(s, boss, staff, s.at(27, (5, 8)), s.euros(1100, 1500), label=0)
    return merchant(salon)

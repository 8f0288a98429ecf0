"""Sexual exploitation: the upkeep and the movements of several people, paid from one account."""

from __future__ import annotations

from txmon.simulate.catalogue import SX, Subject, account, plants
from txmon.simulate.life import shopping, wages
from txmon.simulate.story import Story, later

# the six groups of F20-F2 and FT16-A2 to A6, with tickets of ours
_GROUPS = (
    ("lodging", 50, 140),
    ("taxi", 8, 35),
    ("pharmacy", 8, 45),
    ("fast_food", 12, 45),
    ("clothing", 25, 120),
    ("beauty", 25, 90),
    ("grocery", 20, 110),
)


@plants("victim-living-bundle", SX, days=150)
def living_bundle(s: Story) -> Subject:
    """After months of a quiet account, two weeks of upkeep of several people. F20-F2; F14; FT16-A2 to A6."""
    person = s.person()
    wages(s, person, 149)
    for day in range(3, 132):
        # the account's own habit: a purchase or two a week, one or two groups
        if s.chance(0.22):
            s.pay((person, s.shop("grocery")), s.at(day, (10, 19)), s.euros(10, 60))
        elif s.chance(0.05):
            s.pay((person, s.shop("pharmacy")), s.at(day, (10, 19)), s.euros(5, 30))
    groups = _GROUPS[1:4] if s.near else _GROUPS
    for day in range(134, 147):
        for key, low, high in groups if not s.near else groups[: s.between(0, 1)]:
            if s.chance(0.75):
                channel = "app" if key == "taxi" else "pos"
                s.pay((person, s.shop(key)), s.at(day, (10, 18.5)), s.euros(low, high), channel=channel)
    return account(person)


@plants("ride-burst", SX, days=9)
def ride_burst(s: Story) -> Subject:
    """Many rides in a week. FT16-A4; the number is ours."""
    person = s.person()
    shopping(s, person, 8, weekly=3)
    for _ in range(s.count((22, 34), (8, 12))):
        s.pay((person, s.shop("taxi")), s.at(s.between(0, 5), (10, 23.5)), s.euros(7, 40), channel="app")
    return account(person)


@plants("food-delivery-multi", SX, days=16)
def delivery_multi(s: Story) -> Subject:
    """Several food deliveries a day to one payer. FT21-G11; FT16-A5."""
    person = s.person()
    shopping(s, person, 14, weekly=2)
    for day in s.days(s.count((6, 9), (2, 2)), 0, 12):
        for hour in (11.5, 14.5, 18.0, 20.5)[: s.between(3, 4)]:
            s.pay((person, s.shop("delivery")), s.at(day, (hour, hour + 1.5)), s.euros(14, 48), channel="app")
    return account(person)


@plants("parking-micro", SX, days=16)
def parking_micro(s: Story) -> Subject:
    """Many short parkings. FT21-G10."""
    person = s.person()
    shopping(s, person, 14, weekly=2)
    for _ in range(s.count((15, 24), (5, 7))):
        s.pay(
            (person, s.shop("parking")), s.at(s.between(0, 12), (9, 23)), s.euros(1, 8.5, 0.5), channel="app"
        )
    return account(person)


@plants("many-phones-one-account", SX, days=16)
def many_phones(s: Story) -> Subject:
    """Several devices at different addresses steer one person's account. FT21-G21; F20-B1, F20-B4."""
    person = s.person()
    wages(s, person, 14)
    shopping(s, person, 14, weekly=2)
    for _ in range(s.count((5, 7), (2, 2))):
        other = s.outsider()
        hand = person.using(device=other.device, ip=other.ip)
        for day in s.days(2, 0, 12):
            time = s.at(day, (9, 22))
            s.device_seen(hand, time)
            s.send((hand, s.outsider()), later(time, minutes=6), s.euros(20, 180, 5))
    return account(person)

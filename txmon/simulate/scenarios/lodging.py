"""Sexual exploitation: short stays, moved from city to city."""

from __future__ import annotations

from txmon.simulate.catalogue import SX, Subject, account, card, plants
from txmon.simulate.life import shopping
from txmon.simulate.story import Story, later


@plants("hotel-city-hop", SX, days=16)
def city_hop(s: Story) -> Subject:
    """One or two nights each in many cities. F20-F1, F20-F2; FT16-A2; SEED: adverts move city to city."""
    person = s.person()
    shopping(s, person, 15, weekly=3)
    day = 0
    for city in s.other_cities(s.count((6, 9), (2, 3))):
        nights = s.between(1, 1 if s.chance(0.7) else 2)
        if day + nights > 13:
            break
        price = s.euros(45, 130) * nights
        s.pay(
            (person, s.shop("lodging", city)),
            s.at(day, (13, 20), city),
            price,
            attributes={"nights": str(nights)},
        )
        day += nights
    return account(person)


@plants("hotel-two-rooms", SX, days=30)
def two_rooms(s: Story) -> Subject:
    """Two rooms of one hotel for the same night, on several nights. FT16-P15."""
    person = s.person()
    shopping(s, person, 28, weekly=2)
    for day in s.days(s.count((4, 6), (1, 1)), 0, 26):
        hotel, price = s.shop("lodging"), s.euros(50, 110)
        for hour in (17.0, 17.6):
            held = s.at(day, (hour, hour + 0.4))
            auth = s.pay((person, hotel), held, price, kind="authorization")
            s.pay((person, hotel), later(held, hours=15), price, kind="capture", related=auth)
    return account(person)


@plants("hotel-refund-same", SX, days=60)
def refund_same(s: Story) -> Subject:
    """A stay charged, given back in full within days and paid in cash instead. FT16-P16."""
    person = s.person()
    shopping(s, person, 56, weekly=2)
    for day in s.days(s.count((4, 6), (1, 1)), 0, 44):
        hotel = s.shop("lodging", s.between(0, s.stage.world.cities - 1))
        time, price = s.at(day, (14, 20)), s.euros(60, 180)
        paid = s.pay((person, hotel), time, price)
        back = later(time, days=s.between(1, 5), hours=1)
        s.give_back((hotel, person), back, price, related=paid, channel="pos")
    return card(person)


@plants("hotel-preauth-no-capture", SX, days=30)
def no_capture(s: Story) -> Subject:
    """Rooms held on the card and never charged. FT16-P17."""
    person = s.person()
    shopping(s, person, 28, weekly=2)
    for day in s.days(s.count((5, 8), (1, 2)), 0, 27):
        time = s.at(day, (14, 21))
        s.pay((person, s.shop("lodging")), time, s.euros(60, 180), kind="authorization")
        s.cash(person, later(time, hours=1), s.euros(60, 200, 10), out=True)
    return card(person)

"""Look-alikes in clubs, schools and charities."""

from __future__ import annotations

from txmon.simulate.catalogue import CX, SX, Subject, account, resembles
from txmon.simulate.life import shopping, wages
from txmon.simulate.story import Story


@resembles("club_treasurers", SX, days=120)
def treasurer(s: Story) -> Subject:
    """A club's account: many members pay dues, two payees get nearly all of it."""
    club = s.person("club_treasurer", kind="charity", holders=[(s.stage.party(), "joint")])
    members = [s.outsider() for _ in range(s.between(14, 22))]
    hall, league = s.person("landlord", kind="business"), s.outsider()
    for month, day in enumerate(s.month_days(3, 119)):
        for member in members:
            s.send(
                (member, club),
                s.at(day + s.between(0, 5) if day < 110 else day, (9, 21)),
                s.euros(20, 80, 10),
            )
        s.send(
            (club, hall), s.at(min(day + 7, 119), (9, 12)), s.euros(400, 700, 10), rail="sepa", purpose="RENT"
        )
        if month % 2:
            s.send(
                (club, league),
                s.at(min(day + 8, 119), (9, 12)),
                s.euros(150, 300),
                rail="sepa",
                purpose="FEES",
            )
    return account(club)


@resembles("charities", CX, days=120)
def charity(s: Story) -> Subject:
    """Many donors, partners abroad, declared as a charity."""
    fund = s.person("charity", kind="charity")
    partners = [s.person("charity", kind="charity", city=s.high_risk()) for _ in range(2)]
    for day in range(120):
        for _ in range(s.between(0, 2)):
            s.send((s.outsider(), fund), s.at(day, (8, 21)), s.euros(5, 120, 5), rail="sepa", purpose="CHAR")
    for number, day in enumerate(range(25, 119, 30)):
        s.send(
            (fund, partners[number % 2]),
            s.at(day, (9, 15)),
            s.euros(600, 1900, 10),
            rail="swift",
            purpose="CHAR",
        )
    return account(fund)


@resembles("donors_abroad", CX, days=120)
def donor(s: Story) -> Subject:
    """A monthly gift to a registered charity in a high-risk jurisdiction."""
    person = s.person()
    wages(s, person, 119, label=1)
    shopping(s, person, 119, weekly=5, label=1)
    fund, gift = s.person("charity", kind="charity", city=s.high_risk()), s.euros(15, 60, 5)
    for day in s.month_days(s.between(2, 8), 119):
        s.send((person, fund), s.at(day, (8, 20)), gift, rail="sepa", purpose="CHAR")
    return account(person)


@resembles("school_sales", CX, days=30, share=0.5)
def school_sale(s: Story) -> Subject:
    """A school's registered association sells cakes and trip places to its pupils."""
    school = s.person("school", kind="charity")
    for _ in range(s.between(8, 12)):
        pupil = s.person("pupil", minor="true", young="true")
        s.send((pupil, school), s.at(s.between(4, 8), (8, 16)), s.euros(10, 40, 5), purpose="EDUC")
    return account(school)


@resembles("family_channels", CX, days=90, share=0.5)
def family_channel(s: Story) -> Subject:
    """A minor earns on an ordinary video platform; a parent holds the account too."""
    child = s.person("pupil", minor="true", holders=[(s.stage.party(), "attorney")])
    platform = s.person("video_platform", kind="platform", city=s.abroad())
    for day in s.month_days(21, 89):
        s.send((platform, child), s.at(day, (8, 12)), s.euros(40, 300), kind="payout", rail="sepa")
    return account(child)


@resembles("teens_with_relatives", CX, days=90)
def teenager(s: Story) -> Subject:
    """Pocket money from a parent with authority, a rounded gift from an aunt now and then."""
    mother = s.person()
    wages(s, mother, 89, label=1)
    child = s.person("pupil", minor="true", young="true", holders=[(mother.party, "attorney")])
    for day in range(1, 89, 7):
        s.send((mother, child), s.at(day, (15, 20)), s.euros(10, 20, 10), purpose="SUPP")
    aunt = s.outsider()
    for day in (12, 55):
        s.send((aunt, child), s.at(day, (10, 20)), s.euros(20, 50, 10))
    for day in s.days(14, 0, 88):
        s.pay((child, s.shop("games")), s.at(day, (14, 20)), s.euros(3, 20), channel="ecom")
    return account(child)

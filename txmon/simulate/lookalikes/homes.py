"""Look-alikes at home: carers, shelters, families, parents, students, couples, expatriates, patients."""

from __future__ import annotations

from txmon.simulate.catalogue import LY, OR, SX, Subject, account, resembles
from txmon.simulate.geo import CITIES
from txmon.simulate.life import pay_wage, rent, shopping, wages
from txmon.simulate.story import Story, later


@resembles("carers", SX, days=120, share=1.5)
def carer(s: Story) -> Subject:
    """Shops for others and has authority over their account; two devices, always the same."""
    carer_person = s.person("carer")
    wages(s, carer_person, 119, label=1)
    holder = s.person("pensioner", holders=[(carer_person.party, "attorney")])
    helper = holder.using(device=carer_person.device, ip=carer_person.ip)
    for day in range(2, 118):
        for key, share, low, high in (
            ("pharmacy", 0.12, 8, 45),
            ("grocery", 0.35, 15, 70),
            ("taxi", 0.12, 8, 20),
        ):
            if s.chance(share):
                channel = "app" if key == "taxi" else "pos"
                s.pay((carer_person, s.shop(key)), s.at(day, (9, 19)), s.euros(low, high), channel=channel)
        if day % 7 == 0:
            s.send((helper, carer_person), s.at(day, (9, 19)), s.euros(40, 120, 5))
            s.device_seen(helper if day % 2 else holder, s.at(day, (9, 19)))
    return account(carer_person)


@resembles("shelter_residents", LY, days=60, share=1.5)
def shelter(s: Story) -> Subject:
    """Residents at one address share a tablet; some nights in a hotel of their own city."""
    host = s.outsider()
    residents = [s.person("shelter_resident", age=s.between(5, 40)) for _ in range(3)]
    for person in residents:
        shared = person.using(device=host.device, ip=host.ip)
        for day in s.month_days(1, 58):
            s.send(
                (s.person("charity", kind="charity"), person),
                s.at(day, (8, 12)),
                s.euros(280, 460),
                rail="sepa",
            )
        for day in s.days(5, 1, 57):
            s.send((shared, s.outsider()), s.at(day, (10, 20)), s.euros(5, 40))
        shopping(s, person, 58, weekly=5, label=1)
    for day in s.days(2, 1, 20):
        s.pay((residents[0], s.shop("lodging")), s.at(day, (17, 20)), s.euros(45, 80))
    return account(residents[0])


@resembles("families_on_holiday", SX, days=80, share=1.5)
def family(s: Story) -> Subject:
    """Return tickets for partner and child, a hotel or two with two rooms once, much shopping for a week."""
    partner = s.stage.party()
    person = s.person(holders=[(partner, "joint")])
    wages(s, person, 79, label=1)
    shopping(s, person, 79, weekly=6, label=1)
    away = s.other_cities(2)
    place = CITIES[away[0]].country
    for passenger in (partner, f"{partner}_child"):
        ticket = {"passenger": passenger, "trip": "return", "destination": place}
        s.pay(
            (person, s.shop("airline")),
            s.at(5, (18, 21)),
            s.euros(90, 260),
            channel="ecom",
            attributes=ticket,
        )
    for room in range(2):
        time, price = s.at(40, (15, 16 + room)), s.euros(280, 560)
        auth = s.pay((person, s.shop("lodging", away[0])), time, price, kind="authorization")
        s.pay((person, s.shop("lodging", away[0])), later(time, days=4), price, kind="capture", related=auth)
    s.pay((person, s.shop("lodging", away[1])), s.at(44, (15, 20), away[1]), s.euros(180, 360))
    for day in range(40, 47):
        for key, low, high in (("restaurant", 30, 90), ("pharmacy", 5, 20), ("clothing", 20, 60)):
            if s.chance(0.45):
                s.pay((person, s.shop(key, away[0])), s.at(day, (11, 20), away[0]), s.euros(low, high))
    return account(person)


@resembles("parents_of_students", SX, days=150)
def parent(s: Story) -> Subject:
    """Supports a child who studies abroad, month by month, and pays school and games now and then."""
    person = s.person()
    wages(s, person, 149, euros=(2600, 4200), label=1)
    child, amount = s.outsider(s.abroad()), s.euros(500, 900, 10)
    for day in s.month_days(2, 149):
        s.send((person, child), s.at(day, (8, 20)), amount, rail="sepa", purpose="EDUC")
    for day in s.days(6, 0, 148):
        s.pay((person, s.shop("games")), s.at(day), s.euros(10, 30), channel="ecom")
    for day in s.days(3, 0, 148):
        s.pay((person, s.listed("giftcard_01")), s.at(day), s.euros(25, 50, 25), channel="ecom")
    shopping(s, person, 149, weekly=5, label=1)
    return account(person)


@resembles("funded_students", LY, days=120)
def student(s: Story) -> Subject:
    """Parents pay cash in at home, the student draws it where the university is: always these two cities."""
    person = s.person("student", young="true")
    home = s.other_cities(1)[0]
    for day in range(2, 118, 14):
        time = s.at(day, (9, 15))
        s.cash(person, time, s.euros(150, 300, 10), out=False, city=home)
        s.cash(person, later(time, hours=s.between(4, 20)), s.euros(40, 120, 10), out=True, city=s.city)
    shopping(s, person, 119, weekly=6, label=1)
    return account(person)


@resembles("expatriates", SX, days=150)
def expatriate(s: Story) -> Subject:
    """Still pays a flat or a maintenance abroad, once a month, as long as the account exists."""
    person = s.person()
    wages(s, person, 149, euros=(2800, 4600), label=1)
    payee, amount = s.outsider(s.abroad()), s.euros(500, 1300, 10)
    purpose = "RENT" if s.chance(0.7) else "SUPP"
    for day in s.month_days(s.between(1, 5), 149):
        s.send((person, payee), s.at(day, (7, 12)), amount, rail="sepa", purpose=purpose)
    shopping(s, person, 149, weekly=6, label=1)
    return account(person)


@resembles("couples", SX, days=120, share=1.5)
def couple(s: Story) -> Subject:
    """More than half of each income goes to the joint account: the same holder on both sides."""
    partner = s.stage.party()
    person = s.person()
    joint = s.person(holders=[(person.party, "joint"), (partner, "joint")])
    boss, wage = s.person("employer", kind="employer"), s.euros(1800, 3000)
    for week in range(16):
        time, paid = s.at(2 + 7 * week, (4, 8)), {"employee": person.party}
        s.send((boss, person), time, wage // 4, rail="sepa", purpose="SALA", attributes=paid)
        s.send(
            (person, joint), later(time, hours=s.between(3, 40)), int(wage * 0.15) // 100 * 100, rail="sepa"
        )
    rent(s, joint, 119, label=1)
    shopping(s, joint, 119, weekly=6, label=1)
    return account(person)


@resembles("private_patients", OR, days=60, share=0.5)
def patient(s: Story) -> Subject:
    """A costly operation at a hospital, part of it paid back by an insurer."""
    person = s.person("retired")
    hospital = s.firm("8062", hours=(0, 24), activity="hospital", licence="hospital")
    insurer = s.person("insurer", kind="business")
    total = s.euros(18_000, 60_000, 100)
    s.pay((person, hospital), s.at(10), total // 3, rail="sepa", channel="web", purpose="MDCS")
    s.pay((person, hospital), s.at(35), total // 3, rail="sepa", channel="web", purpose="MDCS")
    s.send((insurer, person), s.at(50, (9, 12)), total // 2, rail="sepa", purpose="INSC")
    for day in s.month_days(27, 58):
        pay_wage(s, hospital, s.outsider(), s.at(day, (5, 8)), s.euros(2200, 3200))
    shopping(s, person, 58, weekly=4, label=1)
    return account(person)

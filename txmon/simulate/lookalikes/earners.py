"""Look-alikes at work: remitters, touring and hotel staff, night workers, lawful adult work, traders."""

from __future__ import annotations

from txmon.simulate.catalogue import AE, CX, SX, Subject, account, resembles
from txmon.simulate.geo import city_in
from txmon.simulate.life import pay_wage, rent, shopping, wages
from txmon.simulate.story import Story, later


@resembles("migrant_remitters", CX, days=200, share=3.0)
def remitter(s: Story) -> Subject:
    """Sends part of each wage home: one payee, just after pay-day, month after month."""
    person = s.person()
    home = s.high_risk() if s.chance(0.6) else city_in(str(s.rng.choice(["RO", "BG", "PL"])))
    family, usual, pay_day = s.outsider(home), s.euros(110, 420, 10), s.between(25, 28)
    boss, wage, twice = s.person("employer", kind="employer"), s.euros(1500, 2400), s.chance(0.35)
    for day in s.month_days(pay_day, 199):
        time = s.at(day, (4, 8))
        paid = {"employee": person.party}
        s.send((boss, person), time, wage, rail="sepa", purpose="SALA", attributes=paid)
        amount = usual + s.euros(0, 40, 10)
        s.send(
            (person, family), later(time, days=s.between(1, 2)), amount, rail="mobile_money", purpose="SUPP"
        )
        if twice and day + 16 < 199:
            s.send((person, family), later(time, days=14), usual, rail="mobile_money", purpose="SUPP")
    shopping(s, person, 199, weekly=4, label=1)
    rent(s, person, 199, label=1)
    return account(person)


@resembles("touring_staff", SX, days=120, share=1.5)
def touring(s: Story) -> Subject:
    """A company's card pays the hotels of a tour, week after week for months."""
    firm = s.person("touring_staff", kind="business")
    cities = s.other_cities(10)
    client = s.person("employer", kind="employer")
    for stop, day in enumerate(range(1, 112, 3)):
        city = cities[stop % 10]
        s.pay(
            (firm, s.shop("lodging", city)),
            s.at(day, (15, 20), city),
            s.euros(70, 160),
            attributes={"nights": "2"},
        )
        s.pay((firm, s.shop("restaurant", city)), s.at(day + 1, (12, 20), city), s.euros(15, 60))
        if stop % 5 == 4:
            s.send((client, firm), s.at(day + 1, (8, 12)), s.euros(1800, 3600), rail="sepa", purpose="GDDS")
    crew = s.outsider()
    for day in s.month_days(27, 116):
        pay_wage(s, firm, crew, s.at(day, (5, 8)), s.euros(1300, 1800))
    return account(firm)


@resembles("sales_travellers", SX, days=120)
def traveller(s: Story) -> Subject:
    """An employee in two or three cities a fortnight, each stay repaid by the employer."""
    person = s.person("sales")
    wages(s, person, 119, label=1)
    shopping(s, person, 119, weekly=4, label=1)
    boss, cities = s.person("employer", kind="employer"), s.other_cities(3)
    for week in range(1, 16):
        spent = 0
        for night in range(s.between(1, 2)):
            price, city = s.euros(70, 140), cities[(week + night) % 3]
            spent += price
            s.pay((person, s.shop("lodging", city)), s.at(7 * week + night, (16, 20), city), price)
        s.send((boss, person), s.at(7 * week + 4, (8, 11)), spent, rail="sepa", purpose="BUSB")
    return account(person)


@resembles("hotel_staff", SX, days=150)
def hotel_staff(s: Story) -> Subject:
    """Lives in staff lodging, rides and eats out a lot, always: the upkeep is the habit."""
    person = s.person("hotel_staff")
    wages(s, person, 149, euros=(1500, 2200), label=1)
    hotel = s.shop("lodging")
    for day in s.month_days(28, 149):
        s.pay((person, hotel), s.at(day, (10, 16)), s.euros(220, 380, 10))
    for day in range(150):
        for key, share, low, high in (
            ("taxi", 0.3, 7, 22),
            ("fast_food", 0.35, 8, 18),
            ("pharmacy", 0.08, 5, 30),
            ("clothing", 0.06, 15, 70),
            ("grocery", 0.3, 8, 45),
        ):
            if s.chance(share):
                channel = "app" if key == "taxi" else "pos"
                s.pay((person, s.shop(key)), s.at(day, (10, 20)), s.euros(low, high), channel=channel)
    return account(person)


@resembles("night_workers", SX, days=60)
def night_worker(s: Story) -> Subject:
    """A bar's business account: takings of the night, at declared hours."""
    firm = s.person("bar", kind="business")
    for day in range(0, 58, 2):
        hours = (22.1, 23.9) if s.chance(0.6) else (0.1, 3.0)
        for _ in range(s.between(1, 3)):
            s.send((s.outsider(), firm), s.at(day, hours), s.euros(15, 65))
    for day in (20, 50):
        staff, paid = s.outsider(), {"employee": s.stage.party()}
        s.send((firm, staff), s.at(day), s.euros(900, 1500), rail="sepa", purpose="SALA", attributes=paid)
    return account(firm)


@resembles("lawful_adult_work", SX, days=90, share=2.0)
def adult_work(s: Story) -> Subject:
    """Lawful independent work: platform pay-outs, advert fees, declared clients, nobody takes a share."""
    registered = s.chance(0.6)
    person = s.person("adult_performer", kind="business" if registered else "personal")
    platform = s.person("adult_platform", kind="platform", city=s.abroad())
    for day in range(3, 88, 7):
        s.send((platform, person), s.at(day, (8, 14)), s.euros(150, 480), kind="payout", rail="sepa")
        if day % 14 == 3:
            site = s.listed(f"adsite_premium_0{s.between(1, 3)}")
            s.pay((person, site), s.at(day, (10, 20)), s.euros(20, 80, 5), channel="ecom")
        for _ in range(s.between(3, 6) if registered else s.between(0, 2)):
            s.send((s.outsider(), person), s.at(day + s.between(0, 1), (12, 21.5)), s.euros(90, 350, 10))
    shopping(s, person, 88, weekly=6, label=1)
    rent(s, person, 88, euros=(500, 900), label=1)
    return account(person)


@resembles("therapists_tutors", SX, days=60)
def tutor(s: Story) -> Subject:
    """A registered freelance with regular clients who pay round fees."""
    person = s.person("freelance", kind="business")
    clients = [s.outsider() for _ in range(s.between(9, 14))]
    for week in range(8):
        for client in clients:
            if s.chance(0.8):
                day = 7 * week + s.between(0, 4)
                s.send(
                    (client, person), s.at(day, (10, 19)), s.euros(70, 110, 10), rail="sepa", purpose="SCVE"
                )
    shopping(s, person, 58, weekly=5, label=1)
    return account(person)


@resembles("declared_traders", AE, days=60, share=0.5)
def trader(s: Story) -> Subject:
    """Deals in crypto as a declared business."""
    person = s.person("crypto_trader", kind="business")
    for day in range(2, 56, 9):
        taken, start = 0, s.at(day, (8, 10))
        for number in range(s.between(4, 6)):
            amount = s.euros(520, 900, 10)
            taken += amount
            s.send((s.outsider(), person), later(start, minutes=40 * number), amount)
        s.send((person, s.stage.exchange(s.rng)), later(start, hours=9), int(taken * 0.8), rail="crypto")
    return account(person)

"""Look-alikes among firms: licensed agencies, employers, property firms, verification services."""

from __future__ import annotations

from txmon.simulate.catalogue import AD, CX, LX, LY, MB, SX, Subject, account, merchant, resembles
from txmon.simulate.geo import CITIES
from txmon.simulate.life import pay_wage, shopping, wages
from txmon.simulate.story import Story, later


@resembles("licensed_recruiters", LX, days=60, share=0.7)
def recruiter(s: Story) -> Subject:
    """A licensed agency that sells courses: several payers, modest fees."""
    agency = s.firm("7361", licence="recruitment", activity="recruitment_agency")
    for day in s.days(s.between(8, 12), 0, 56):
        amount = s.euros(150, 650, 10)
        s.pay((s.outsider(), agency), s.at(day), amount, rail="sepa", channel="web", purpose="EDUC")
    for day in s.month_days(26, 58):
        pay_wage(s, agency, s.outsider(), s.at(day, (5, 8)), s.euros(1500, 1900))
    return merchant(agency)


@resembles("accredited_adoption", AD, days=60, share=0.5)
def adoption_body(s: Story) -> Subject:
    """An accredited body: fees in, authorities and clinics (firms) paid out of them."""
    body = s.person("adoption_body", kind="charity")
    clinic = s.person("hospital", kind="business", city=s.abroad())
    for day in (5, 25, 45):
        amount = s.euros(9000, 14_000, 100)
        s.send((s.outsider(), body), s.at(day, (9, 15)), amount, rail="sepa", purpose="FEES")
        s.send((body, clinic), s.at(day + 3, (9, 15)), int(amount * 0.25), rail="sepa", purpose="MDCS")
    return account(body)


@resembles("licensed_matchmaking", MB, days=60, share=0.5)
def matchmaking(s: Story) -> Subject:
    """A client of a licensed introduction agency at home, who also travels."""
    person = s.person()
    wages(s, person, 58, label=1)
    shopping(s, person, 58, weekly=5, label=1)
    agency = s.firm("7273", licence="marriage_agency")
    for day in (4, 30):
        s.pay((person, agency), s.at(day), s.euros(200, 800, 10), channel="ecom")
    ticket = {"trip": "return", "destination": CITIES[s.other_cities(1)[0]].country}
    s.pay((person, s.shop("airline")), s.at(20), s.euros(90, 300), channel="ecom", attributes=ticket)
    return account(person)


@resembles("employers", LY, days=70)
def payroll(s: Story) -> Subject:
    """One large credit, then a dozen wages within the hour, every month."""
    firm = s.person("employer", kind="employer")
    client = s.outsider()
    workers = [s.outsider() for _ in range(s.between(12, 18))]
    for day in s.month_days(27, 68):
        time = s.at(day, (5, 7))
        wage = s.euros(1500, 2300)
        s.send((client, firm), later(time, hours=-6), wage * (len(workers) + 2), rail="sepa", purpose="GDDS")
        for number, worker in enumerate(workers):
            pay_wage(s, firm, worker, later(time, minutes=number), wage)
    return account(firm)


@resembles("property_firms", SX, days=70, share=0.7)
def property_firm(s: Story) -> Subject:
    """Sublets as a declared business: several landlords a month."""
    firm = s.person("property_management", kind="business")
    landlords = [s.person("landlord", kind="business") for _ in range(s.between(3, 5))]
    tenants = [s.outsider() for _ in landlords for _ in range(2)]
    for day in s.month_days(1, 66):
        for number, tenant in enumerate(tenants):
            time = s.at(day + number % 3, (8, 12))
            s.send((tenant, firm), time, s.euros(450, 800, 10), rail="sepa", purpose="RENT")
        for landlord in landlords:
            s.send(
                (firm, landlord), s.at(day + 3, (8, 12)), s.euros(700, 1100, 10), rail="sepa", purpose="RENT"
            )
    return account(firm)


@resembles("travel_agencies", LX, days=40, share=0.7)
def travel_agency(s: Story) -> Subject:
    """Buys tickets for its customers, as a declared business."""
    firm = s.person("travel_agency", kind="business")
    for number, day in enumerate(s.days(s.between(6, 12), 0, 38)):
        customer, price = s.outsider(), s.euros(120, 500)
        s.send((customer, firm), s.at(day, (9, 12)), int(price * 1.1), rail="sepa")
        ticket = {
            "passenger": f"pax_{customer.party}_{number}",
            "trip": "return" if number % 3 else "one_way",
        }
        s.pay((firm, s.shop("airline")), s.at(day, (14, 17)), price, channel="ecom", attributes=ticket)
    return account(firm)


@resembles("verification_services", CX, days=30, share=0.4)
def verifier(s: Story) -> Subject:
    """A payment processor proves accounts by deposits of a few cents."""
    firm = s.person("payment_processor", kind="platform")
    for _ in range(s.between(10, 20)):
        s.send((firm, s.outsider()), s.at(s.between(0, 27), (8, 20)), s.between(1, 5), rail="sepa")
    return account(firm)


@resembles("prepaid_families", SX, days=60)
def prepaid_parent(s: Story) -> Subject:
    """Loads the prepaid cards of one or two children every week."""
    person = s.person()
    wages(s, person, 58, label=1)
    shopping(s, person, 58, weekly=5, label=1)
    cards = [s.outsider() for _ in range(s.between(1, 2))]
    for day in range(2, 58, 7):
        for card in cards:
            s.load(person, card, s.at(day, (16, 20)), s.euros(10, 30, 5))
    return account(person)

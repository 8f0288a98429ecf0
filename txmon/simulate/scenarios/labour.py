"""Labour exploitation: wages taken back, fees and debts of workers, business without a payroll."""

from __future__ import annotations

from txmon.simulate.catalogue import LX, Subject, account, device, plants
from txmon.simulate.life import employer, pay_wage, shopping
from txmon.simulate.story import Story, later


@plants("wages-one-account", LX, days=66)
def wages_one_account(s: Story) -> Subject:
    """Wages of several workers land in one account. F20-T2."""
    person, boss = s.person(), employer(s)
    shopping(s, person, 64, weekly=2)
    workers = [s.stage.party() for _ in range(s.count((4, 7), (2, 2)))]
    for start in (4, 34):
        for worker in workers:
            time = s.at(start + s.between(0, 1), (5, 9))
            pay_wage(s, boss, person, time, s.euros(900, 1500), employee=worker)
    return account(person)


@plants("wage-kickback", LX, days=100)
def wage_kickback(s: Story) -> Subject:
    """Half of each wage and more goes back to the employer within two days. F20-T2."""
    person, boss = s.person(), employer(s)
    shopping(s, person, 98, weekly=2)
    wage = s.euros(1100, 1900)
    for cycle in range(3):
        day = 4 + 30 * cycle
        pay_wage(s, boss, person, s.at(day, (5, 8)), wage)
        share = s.rng.uniform(0.1, 0.3) if s.near else s.rng.uniform(0.58, 0.8)
        back = int(wage * share) // 1000 * 1000
        s.send((person, boss), later(s.at(day, (9, 12)), hours=s.between(2, 24)), back, rail="sepa")
    return account(person)


@plants("recruitment-fee", LX, days=60)
def recruitment_fee(s: Story) -> Subject:
    """Workers pay an unlicensed agency for a job. F20-T2: hundreds to tens of thousands of USD; F14."""
    agency = s.firm("7361", age=s.between(100, 700) + s.day0, activity="recruitment_agency")
    for day in s.days(s.count((8, 14), (2, 3)), 0, 56):
        amount = s.euros(650, 4800, 50)
        s.pay((s.outsider(), agency), s.at(day), amount, rail="sepa", channel="web", purpose="FEES")
    return account(agency)


@plants("debt-instalment", LX, days=180)
def debt_instalment(s: Story) -> Subject:
    """A third of each wage and more, for months, to the agency of the job. F20 case; SEED: a loan."""
    person, boss = s.person(), employer(s)
    agency = s.person("recruitment_agency", kind="business")
    wage = s.euros(620, 900)
    part = int(wage * (0.15 if s.near else s.rng.uniform(0.38, 0.5))) // 500 * 500
    cycles = s.count((10, 12), (4, 4))
    for cycle in range(12):
        day = 2 + 14 * cycle
        pay_wage(s, boss, person, s.at(day, (5, 8)), wage)
        if cycle < cycles:
            s.send((person, agency), s.at(day + 1, (8, 18)), part, rail="sepa", purpose="LOAN")
    return account(person)


@plants("remit-in-step", LX, days=3)
def remit_in_step(s: Story) -> Subject:
    """Several senders, one device, the same sum within the hour. F14: escorted by a third party."""
    lead = s.outsider()
    payee, start, amount = s.outsider(s.high_risk()), s.at(0, (11, 17)), s.euros(180, 900, 10)
    for number in range(s.count((6, 9), (2, 3))):
        sender = s.person().using(device=lead.device, ip=lead.ip)
        sum_sent = int(amount * s.rng.uniform(0.985, 1.015))
        s.send((sender, payee), later(start, minutes=6 * number), sum_sent, rail="mobile_money")
    return device(lead)


@plants("payroll-absent", LX, days=125)
def payroll_absent(s: Story) -> Subject:
    """A busy cleaning contractor that pays no wages. F14: no normal payroll; the sums are ours."""
    firm = s.firm("7349", hours=(8, 20))
    for day in range(1, 118):
        for _ in range(s.between(1, 3)):
            s.pay((s.outsider(), firm), s.at(day, (8.5, 19.5)), s.euros(180, 520))
        if day % 30 == 0:
            supplier = s.outsider()
            s.send((firm, supplier), s.at(day, (9, 16)), s.euros(700, 2200), rail="sepa", purpose="GDDS")
    if s.near:
        for day in (20, 50, 80, 110):
            for _ in range(3):
                pay_wage(s, firm, s.outsider(), s.at(day, (5, 8)), s.euros(1100, 1700))
    return account(firm)

"""Look-alikes in trade: market sellers, seasonal shops, launches, subscription sites, small advertisers."""

from __future__ import annotations

from txmon.simulate.cast import Firm
from txmon.simulate.catalogue import AE, CX, GA, LY, ML, SX, Subject, account, merchant, resembles
from txmon.simulate.life import pay_wage, shopping, wages
from txmon.simulate.story import Story, later


def _staff(s: Story, firm: Firm, last: int, first: int = 0) -> None:
    """A monthly wage, so that the firm is one with a payroll."""
    worker = s.outsider()
    for day in s.month_days(26, last):
        if day >= first:
            pay_wage(s, firm, worker, s.at(day, (5, 8)), s.euros(1300, 1700))


@resembles("market_sellers", AE, days=90, share=1.5)
def market_seller(s: Story) -> Subject:
    """A registered stall: many small payers, takings in cash paid in every week."""
    stall = s.person("market_seller", kind="business")
    for week in range(12):
        for _ in range(s.between(5, 10)):
            s.send((s.outsider(), stall), s.at(7 * week + s.between(4, 5), (8, 17)), s.euros(5, 90))
        s.cash(stall, s.at(7 * week + 6, (9, 12)), s.euros(300, 1600, 10), out=False)
        if week % 2:
            s.send(
                (stall, s.outsider()), s.at(7 * week, (8, 12)), s.euros(150, 500), rail="sepa", purpose="GDDS"
            )
    return account(stall)


@resembles("cash_businesses", GA, days=90)
def cash_business(s: Story) -> Subject:
    """A restaurant's takings, paid in as they come."""
    firm = s.person("restaurant", kind="business")
    for day in range(1, 89, 4):
        s.cash(firm, s.at(day, (9, 12)), s.euros(900, 3400, 10), out=False)
    for day in s.month_days(27, 89):
        paid = {"employee": s.stage.party()}
        s.send(
            (firm, s.outsider()), s.at(day), s.euros(1300, 1900), rail="sepa", purpose="SALA", attributes=paid
        )
    return account(firm)


@resembles("small_advertisers", SX, days=60)
def advertiser(s: Story) -> Subject:
    """Sells second-hand things and pays a small advert every few days."""
    person = s.person("student", young="true")
    wages(s, person, 59, euros=(700, 1200), label=1)
    site = s.shop("adverts")
    for day in s.days(s.between(6, 9), 0, 56):
        s.pay((person, site), s.at(day), s.euros(3, 14), channel="ecom")
        if s.chance(0.5):
            s.send((s.outsider(), person), s.at(min(day + 2, 58), (10, 20)), s.euros(10, 60))
    shopping(s, person, 58, weekly=5, label=1)
    return account(person)


@resembles("seasonal_merchants", LY, days=210, share=0.7)
def seasonal(s: Story) -> Subject:
    """Sells in its season only, and as much in the next one."""
    shop = s.firm("5451", hours=(10, 21))
    for day in [*range(16), *range(200, 209)]:
        for _ in range(s.between(1, 3)):
            s.pay((s.outsider(), shop), s.at(day, (11, 20)), s.euros(4, 25))
    _staff(s, shop, 209)
    return merchant(shop)


@resembles("launches", ML, days=60, share=0.7)
def launch(s: Story) -> Subject:
    """A new shop that grows steadily, with staff and refunds tied to sales."""
    shop = s.firm("5651", hours=(9, 20), age=3)
    for day in range(58):
        for _ in range(s.between(2, 3) + day // 25):
            buyer, amount = s.outsider(), s.euros(20, 80)
            sale = s.pay((buyer, shop), s.at(day, (9.5, 19.5)), amount)
            if s.chance(0.04) and day < 50 and day > 8:
                back = later(s.at(day, (10, 18)), days=s.between(2, 6))
                s.give_back((shop, buyer), back, amount, related=sale, channel="pos")
    _staff(s, shop, 59)
    return merchant(shop)


@resembles("subscription_sites", CX, days=60, share=0.7)
def subscription(s: Story) -> Subject:
    """Software by subscription: few prices and many countries, an old firm with staff."""
    site = s.firm("5734")
    payers = [s.outsider(s.abroad() if s.chance(0.6) else s.city) for _ in range(s.between(20, 30))]
    for round_number in range(2):
        for payer in payers:
            amount = (900, 1900, 4900)[payer.account % 3]
            s.pay(
                (payer, site), s.at(30 * round_number + s.between(0, 27), (0, 23.5)), amount, channel="ecom"
            )
    _staff(s, site, 59)
    return merchant(site)


@resembles("payment_facilitators", ML, days=40, share=0.5)
def facilitator(s: Story) -> Subject:
    """An aggregator that always names the seller behind a sale."""
    pool = s.firm("7399", licence="aggregator", activity="aggregator")
    for _ in range(s.between(50, 70)):
        name = f"shop_{s.stage.counter.next % 9}_{pool.merchant}"
        s.pay(
            (s.outsider(), pool), s.at(s.between(0, 37)), s.euros(10, 120), channel="ecom", sub_merchant=name
        )
    _staff(s, pool, 39)
    return merchant(pool)

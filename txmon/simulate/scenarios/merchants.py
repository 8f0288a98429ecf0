"""Merchant laundering: disputes, spikes, refunds and hidden sellers."""

from __future__ import annotations

from txmon.simulate.cast import Firm
from txmon.simulate.catalogue import ML, Subject, merchant, plants
from txmon.simulate.story import Story, later


def sales(
    s: Story, firm: Firm, days: tuple[int, int], each: tuple[int, int], euros: tuple[float, float]
) -> int:
    """Card sales on each of the days; returns their sum in minor units."""
    total = 0
    for day in range(days[0], days[1] + 1):
        for _ in range(s.between(*each)):
            amount = s.euros(*euros)
            s.pay((s.outsider(), firm), s.at(day, (9, 19)), amount, channel="ecom")
            total += amount
    return total


@plants("chargeback-excess", ML, days=94)
def chargeback_excess(s: Story) -> Subject:
    """Disputes over the schemes' line. ECM: 100 and 1.5 % of the previous month's sales; MATCH 04."""
    shop = s.firm("5999")
    firsts = s.month_days(1, 93)
    sold = []
    for number in range(s.between(230, 270)):
        buyer, amount = s.outsider(), s.euros(55, 160)
        day = firsts[0] + number % (firsts[1] - firsts[0] - 1)
        sold.append((buyer, amount, s.pay((buyer, shop), s.at(day, (9, 20)), amount, channel="ecom")))
    for buyer, amount, sale in sold[: s.count((112, 130), (50, 75))]:
        day = firsts[1] + 1 + s.between(0, 25)
        s.give_back((shop, buyer), s.at(day, (9, 20)), amount, kind="chargeback", related=sale)
    return merchant(shop)


@plants("volume-spike", ML, days=50)
def volume_spike(s: Story) -> Subject:
    """A young merchant's day jumps to many times its usual. AMLX IND02116, IND02147; line 5 times."""
    shop = s.firm("5999", age=s.between(2, 15))
    sales(s, shop, (0, 42), (2, 4), (20, 60))
    sales(s, shop, (44, 44), *(((5, 6), (20, 60)) if s.near else ((18, 26), (50, 110))))
    return merchant(shop)


@plants("bust-out", ML, days=48)
def bust_out(s: Story) -> Subject:
    """Spike, everything paid out, silence. AMLX T0031."""
    shop = s.firm("5732", age=s.between(20, 60))
    bank, name = s.outsider(), s.name_of("merchant", shop.merchant)
    for week in range(3):
        taken = sales(s, shop, (7 * week, 7 * week + 5), (2, 3), (30, 70))
        s.send(
            (shop, bank),
            s.at(7 * week + 6, (8, 10)),
            int(taken * 0.99),
            kind="payout",
            rail="sepa",
            merchant=name,
        )
    taken = sales(s, shop, (21, 23), (3, 5) if s.near else (16, 22), (40, 80) if s.near else (90, 240))
    share = 0.4 if s.near else 0.99
    s.send((shop, bank), s.at(24, (8, 10)), int(taken * share), kind="payout", rail="sepa", merchant=name)
    if s.near:
        sales(s, shop, (26, 46), (2, 3), (30, 70))
    return merchant(shop)


@plants("refund-heavy", ML, days=30)
def refund_heavy(s: Story) -> Subject:
    """Credits out of proportion, several without any sale. AMLX IND02119, IND00502."""
    shop = s.firm("5651")
    sales(s, shop, (0, 20), (1, 2), (40, 120))
    for _ in range(s.count((16, 24), (1, 2))):
        s.give_back((shop, s.outsider()), s.at(s.between(21, 27)), s.euros(60, 150))
    return merchant(shop)


@plants("refund-other-instrument", ML, days=30)
def refund_elsewhere(s: Story) -> Subject:
    """Refunds go to another card than the sale's. AMLX IND02176."""
    shop = s.firm("5732")
    sales(s, shop, (0, 25), (1, 2), (30, 110))
    for day in s.days(s.count((4, 7), (1, 1)), 1, 18):
        buyer, other, amount = s.outsider(), s.outsider(), s.euros(150, 700)
        time = s.at(day)
        sale = s.pay((buyer, shop), time, amount, channel="ecom")
        card = s.name_of("card", buyer.card)
        back = later(time, days=s.between(1, 6))
        s.give_back((shop, other), back, amount, related=sale, attributes={"original_card": card})
    return merchant(shop)


@plants("nested-processor", ML, days=30)
def nested_processor(s: Story) -> Subject:
    """An aggregator leaves out who really sells. F20-F9, F20-T4; F21; AMLX IND02123, IND02132."""
    pool = s.firm("7399", licence="aggregator", activity="aggregator")
    sellers = [f"sub_{s.stage.counter.next:07d}_{n}" for n in range(6)]
    for number in range(s.between(60, 90)):
        hidden = s.chance(0.0 if s.near else 0.3) or (s.near and number == 0)
        sale = ((s.outsider(), pool), s.at(s.between(0, 27)), s.euros(15, 160))
        if hidden:
            s.pay(*sale, channel="ecom")
        else:
            s.pay(*sale, channel="ecom", sub_merchant=sellers[s.between(0, 5)])
    return merchant(pool)


@plants("profile-churn", ML, days=30)
def profile_churn(s: Story) -> Subject:
    """Statement text, place and account change again and again. ICMEC16 (theme), number ours."""
    shop = s.firm("5999", age=s.between(60, 300) + s.day0)
    sales(s, shop, (0, 26), (0, 1), (20, 90))
    for number, day in enumerate(s.days(s.count((5, 7), (1, 2)), 1, 26)):
        values = {"settlement_account": s.name_of("account", s.outsider().account)} if number % 2 else {}
        descriptor = f"WEB SERVICE {number + 1}"
        s.profile_change(shop, s.at(day), "merchant.updated", values, label=1, descriptor=descriptor)
    return merchant(shop)

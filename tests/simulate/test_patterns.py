"""Planted scenarios show the catalogue's patterns, ordinary people do not.

The questions below are written from the catalogue's definitions and start values alone, in plain SQL over
the simulated file; they are a check of the simulator, not a copy of the shipped rules.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from txmon.simulate import labels_path, simulate, write

EVENTS = 60_000
CLEAN_SHARE = 0.005

_SETUP = (
    "set timezone = 'UTC'",
    """create table profile as select account, any_value(attributes['type']) as type,
       any_value(attributes['home_country']) as home, any_value(attributes['minor']) as minor,
       any_value(attributes['young']) as young, any_value(tz) as zone,
       any_value(list_transform(holders, lambda h: h.party)) as parties
       from e where kind = 'account.opened' group by account""",
    """create table own as select a.account as a, b.account as b from profile a, profile b
       where list_has_any(a.parties, b.parties) and a.account <> b.account""",
    """create table leg as
       with v as (select *, row_number() over () as rn, amount_minor / 100.0 as eur from e
         where kind in ('payment', 'transfer', 'payout', 'cash_in', 'cash_out', 'load', 'capture',
                        'reversal', 'refund', 'chargeback') and status in ('approved', 'settled')),
       pair as (select 'out' as dir, payer as account_, payee as other, payee_country as there, * from v
                where payer is not null
                union all
                select 'in', payee, payer, payer_country, * from v where payee is not null)
       select pair.* exclude (account), profile.* exclude (account, parties), own.a is not null as is_own,
              hour(timezone(coalesce(zone, 'UTC'), event_time)) as at_hour
       from pair left join profile on profile.account = account_
       left join own on own.a = account_ and own.b = other""",
    """create table touched as
       select distinct subject_id as id from l
       union select distinct id from (select unnest([payer, payee, e.account, merchant, card, device]) as id
         from e join l using (event_id)) where id is not null""",
)


def over(days: float, key: str = "account_") -> str:
    """A window of the last `days` days of a key."""
    span = f"range between interval {days * 24} hours preceding and current row"
    return f"over (partition by {key} order by event_time {span})"


def legs(what: str, days: float, line: str, where: str = "true", key: str = "account_") -> str:
    """Accounts whose windowed aggregate `what` meets `line`."""
    inner = f"select account_, {what} {over(days, key)} as n from leg where {where}"
    return f"select distinct account_ from ({inner}) where {line}"


PRIVATE = "coalesce(type, 'personal') = 'personal' and merchant is null and not is_own"
PERSON = "type = 'personal'"
HIGH = "('XA', 'XB', 'XC')"

# rule id -> accounts, merchants or devices that show the catalogue's pattern
QUESTIONS: dict[str, str] = {
    "service-price-inflows": legs(
        "count(distinct other)", 7, "n >= 8", f"{PRIVATE} and dir = 'in' and eur between 70 and 3000"
    ),
    "weekly-fee-out": legs(
        "count(*)",
        35,
        "n >= 3",
        f"{PRIVATE} and dir = 'out' and eur between 500 and 2000 and there <> home",
        "account_, other",
    ),
    "hotel-city-hop": legs(
        "count(distinct city)", 14, "n >= 4", f"{PERSON} and dir = 'out' and mcc = '7011'"
    ),
    "ad-small-multiples": legs(
        "count(*)", 7, "n >= 10", "dir = 'out' and mcc = '7311' and (eur % 3 = 0 or eur % 12 = 0)"
    ),
    "ride-burst": legs("count(*)", 7, "n >= 15", "dir = 'out' and mcc = '4121'"),
    "parking-micro": legs("count(*)", 14, "n >= 10", "dir = 'out' and mcc = '7523' and eur < 10"),
    "night-credits": f"""select distinct account_ from (select account_, count(*) {over(14)} as n,
        count(*) filter (where at_hour >= 22 or at_hour < 6) {over(14)} as k
        from leg where dir = 'in' and {PRIVATE}) where n >= 10 and k >= 0.6 * n""",
    "collector-account": f"""select distinct account_ from (select account_,
        count(distinct other) filter (where dir = 'in') {over(30)} as payers,
        sum(eur) filter (where dir = 'in') {over(30)} as come,
        sum(eur) filter (where dir = 'out' and merchant is null) {over(30)} as gone,
        count(distinct other) filter (where dir = 'out' and merchant is null) {over(30)} as heads,
        sum(eur) filter (where dir = 'out' and merchant is not null) {over(30)} as bought
        from leg where {PERSON} and not is_own)
        where payers >= 8 and gone >= 0.8 * come and heads <= 3 and coalesce(bought, 0) <= 0.05 * come""",
    "multi-rent": """select payer from e join profile on profile.account = payer where purpose = 'RENT'
        and type = 'personal' group by payer, date_trunc('month', event_time)
        having count(distinct payee) >= 3""",
    "many-phones-one-account": legs("count(distinct device)", 14, "n >= 3", "dir = 'out' and rail = 'p2p'"),
    "prepaid-fanout": legs("count(distinct card)", 30, "n >= 4", "dir = 'out' and kind = 'load'"),
    "recruiter-tickets": legs(
        "count(distinct attributes['passenger'])",
        30,
        "n >= 3",
        f"{PERSON} and dir = 'out' and attributes['trip'] = 'one_way'",
    ),
    "wages-one-account": legs(
        "count(distinct attributes['employee'])", 35, "n >= 3", "dir = 'in' and purpose = 'SALA'"
    ),
    "debt-instalment": f"""select distinct account_ from (select account_,
        count(*) filter (where dir = 'out' and purpose = 'LOAN') {over(180, "account_, other")} as n,
        sum(eur) filter (where dir = 'out' and purpose = 'LOAN') {over(180)} as paid,
        sum(eur) filter (where dir = 'in') {over(180)} as income from leg where {PERSON})
        where n >= 6 and paid >= 0.3 * income""",
    "cse-micro-hrj": legs(
        "count(*)", 7, "n >= 3", f"{PRIVATE} and dir = 'out' and eur <= 200 and there in {HIGH}"
    ),
    "cse-escalation": f"""select distinct account_ from (select account_, median(eur) {over(30)} as m30,
        median(eur) {over(90)} as m90, count(*) {over(30)} as n30, count(*) {over(90)} as n90
        from leg where {PRIVATE} and dir = 'out' and there in {HIGH} and eur <= 500)
        where m30 >= 1.5 * m90 and 3 * n30 >= 1.5 * n90 and n90 >= 8""",
    "cse-common-beneficiary": legs(
        "count(distinct other)",
        90,
        "n >= 3",
        f"{PRIVATE} and dir = 'in' and eur <= 200 and payee_country in {HIGH} and there <> payee_country",
    ),
    "minor-micro-credit": legs(
        "count(*)",
        14,
        "n >= 2",
        "minor = 'true' and dir = 'in' and not is_own and eur <= 100 and eur % 10 = 0",
        "account_, other",
    ),
    "sextortion-victim": legs(
        "count(*)", 2, "n >= 3", "minor = 'true' and dir = 'out' and merchant is null", "account_, other"
    ),
    "cent-memo-advert": legs(
        "count(distinct other)", 7, "n >= 5", "dir = 'out' and eur <= 0.05 and memo is not null"
    ),
    "p2p-undeclared-business": legs(
        "count(distinct other)", 30, "n >= 15", f"{PRIVATE} and dir = 'in' and eur <= 200"
    ),
    "gift-card-round": legs(
        "count(*)", 7, "n >= 6", "dir = 'out' and merchant like 'giftcard%' and eur in (25, 50, 100, 200)"
    ),
    "fan-in": legs("count(distinct other)", 7, "n >= 10", f"{PRIVATE} and dir = 'in'"),
    "fan-out": legs("count(distinct other)", 1, "n >= 10", f"{PERSON} and dir = 'out' and not is_own"),
    "cash-structuring": legs(
        "count(*)", 15, "n >= 2", "dir = 'in' and rail = 'cash' and eur between 7000 and 8500"
    ),
    "wire-sub3000": f"""select distinct account_ from (select account_, count(*) {over(7)} as n,
        count(distinct city) {over(7)} as k from leg
        where dir = 'in' and kind = 'transfer' and eur between 2000 and 2999) where n >= 3 and k >= 2""",
    "cash-advance-churn": legs(
        "count(distinct attributes['payer_bank'])", 30, "n >= 3", "type = 'credit_card' and dir = 'in'"
    ),
    "chargeback-excess": """select merchant from e where kind = 'chargeback'
        group by merchant, date_trunc('month', event_time) having count(*) >= 100""",
    "shared-device-ring": f"""select distinct device from (select device,
        count(distinct payer) {over(30, "device")} as n from e where kind = 'transfer') where n >= 4""",
    "card-testing": """select distinct merchant from (select merchant, device, count(distinct card)
        over (partition by device order by event_time
        range between interval 10 minutes preceding and current row) as n
        from e where kind = 'authorization' and amount_minor <= 200) where n >= 15""",
    "card-fail-offsite": """select t.payee from e t join e f on f.payer = t.payer and f.status = 'declined'
        and f.merchant = t.attributes['linked_merchant']
        and t.event_time between f.event_time and f.event_time + interval 48 hours
        group by t.payee having count(distinct t.payer) >= 3""",
    "storefront-after-hours": f"""with m as (select merchant, any_value(tz) as z,
        any_value(attributes['opens_hour'])::int as o, any_value(attributes['closes_hour'])::int as c
        from e where kind = 'merchant.onboarded' group by 1)
        select distinct merchant from (select merchant, count(*) {over(30, "merchant")} as n,
        count(*) filter (where hour(timezone(z, event_time)) < o or hour(timezone(z, event_time)) >= c)
        {over(30, "merchant")} as k from e join m using (merchant) where kind in ('payment', 'authorization'))
        where n >= 15 and k >= 0.2 * n""",
    "payroll-absent": """select account_ from leg where type = 'business' and not is_own group by account_
        having sum(eur) filter (where dir = 'in' and merchant is not null and kind <> 'payout') >= 20000
        and count(*) filter (where dir = 'out' and purpose = 'SALA') = 0""",
    "dormant-wake": """select distinct account_ from (select account_,
        event_time - lag(event_time) over (partition by account_ order by event_time, rn) as gap from leg
        where type = 'personal') where gap >= interval 180 days""",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    out = tmp_path_factory.mktemp("stream") / "f.parquet"
    write(simulate(EVENTS, 11), out)
    with duckdb.connect() as connection:
        connection.execute(f"create table e as select * from '{out}'")
        connection.execute(f"create table l as select * from '{labels_path(out)}'")
        for statement in _SETUP:
            connection.execute(statement)
        yield connection


def _column(base: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    return {str(row[0]) for row in base.execute(query).fetchall()}


@pytest.mark.parametrize("rule_id", sorted(QUESTIONS))
def test_planted_shows_near_miss_and_ordinary_do_not(base: duckdb.DuckDBPyConnection, rule_id: str) -> None:
    found = _column(base, QUESTIONS[rule_id])
    labelled = f"select distinct subject_id from l where rule_ids[1] = '{rule_id}' and role"
    planted = _column(base, f"{labelled} = 'planted'")
    assert planted
    assert planted <= found
    assert not _column(base, f"{labelled} = 'near_miss'") & found
    touched = _column(base, "select id from touched")
    kind = "merchant" if rule_id in ("chargeback-excess", "storefront-after-hours") else "account"
    ordinary = _column(base, f"select distinct {kind} from e where {kind} is not null") - touched
    assert len(found - touched) <= CLEAN_SHARE * len(ordinary)


def test_look_alikes_resemble_and_differ(base: duckdb.DuckDBPyConnection) -> None:
    members = _column(base, "select distinct subject_id from l where role = 'look_alike'")
    loose = {
        # the same counts without the lawful evidence that the profiles show
        "many payers": "select distinct account_ from (select account_, count(distinct other) "
        + over(7)
        + " as n from leg where dir = 'in' and merchant is null) where n >= 8",
        "sums to high-risk": f"select distinct account_ from leg where dir = 'out' and there in {HIGH}",
        "many hotel cities": legs("count(distinct city)", 14, "n >= 4", "dir = 'out' and mcc = '7011'"),
    }
    for question in loose.values():
        assert members & _column(base, question)
    strict = set().union(*(_column(base, question) for question in QUESTIONS.values()))
    assert len(members & strict) <= 0.02 * len(members)


def test_populations_have_members_and_every_event_one_label(base: duckdb.DuckDBPyConnection) -> None:
    populations = _column(base, "select distinct population from l where role = 'look_alike'")
    assert {"migrant_remitters", "touring_staff", "hotel_staff", "carers", "shelter_residents"} <= populations
    assert {"lawful_adult_work", "club_treasurers", "families_on_holiday", "couples"} <= populations
    doubled = base.execute("select count(*) - count(distinct (event_id, scenario_id)) from l").fetchone()
    assert doubled == (0,)

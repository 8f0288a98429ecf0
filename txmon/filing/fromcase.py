"""The report of a case: its evidence, what people recorded, what is on record of the parties.

    report = report_of_case(store, case_id, sources, report_id=..., now=...)

What is told comes from the journal, the case and the institution's records, never from a guess; who is
suspected and who may be a victim is what people said in the case. Nothing of it is written anywhere, and
nothing in the store tells that it was read. In a case about the exploitation of children addresses of the web
are told as keyed hashes. Owns the joining; filling is `txmon.reports.modelfill`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from txmon.cases.addresses import masked
from txmon.cases.rows import parties_of
from txmon.cases.words import CHILD
from txmon.errors import InputError
from txmon.evidence.source import Hit
from txmon.filing import caserecord
from txmon.filing.caseevents import evidence_of
from txmon.filing.records import Institution, RecordBook
from txmon.model.keys import PanKey
from txmon.model.rates import Rates
from txmon.reports.model import Mode, Money, Report, Transaction
from txmon.reports.modelfill import Evidence, Records, fill
from txmon.reports.rendernarrative import draft
from txmon.store import Store

# sources that `txmon simulate` writes; a report that rests on one is never filed
SIMULATED = re.compile(r"sim[0-9]*")
_ENDS = ("payer", "payee", "merchant", "card")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a report needs besides the case: who files, what is on record, rates, the checklist in force."""

    institution: Institution
    records: RecordBook = field(default_factory=lambda: RecordBook(None))
    rates: Rates | None = None  # of the institution's local currency
    signs: Path | None = None  # None: the checklist that ships
    key: PanKey | None = (
        None  # of the hashes that stand for addresses of the web where children are concerned
    )


def report_of_case(store: Store, case_id: str, sources: Sources, *, report_id: str, now: datetime) -> Report:
    """Return the report of a case, its narrative an unsigned draft; `checks` says what is not recorded yet.

    Args:
        now: UTC; the day of the report.

    Raises:
        NotFound: no such case. InputError: it was merged into another, or its hits are gone.
        StoreCorrupt: an event behind a hit was erased. ConfigError: records or rates are wrong.
    """
    with store.read() as conn:
        case = caserecord.case_of(conn, case_id)
        alert_ids = caserecord.alerts_of(conn, case_id)
        parties = parties_of(conn, case_id)
        names = caserecord.names_of(conn)
        facts = caserecord.seen_signs(conn, case_id, names, sources.signs)
        actions = caserecord.actions(conn, case_id, names)
        files = caserecord.files(conn, case_id)
    refs = {str(row["ref"]) for row in parties}
    events, hits = evidence_of(store, alert_ids, refs)
    if not hits:
        raise InputError(f"case {case_id} rests on no hit; link an alert")
    hit_rows = [_row(hit) for hit in hits]
    if case["restriction"] == CHILD:
        events, hit_rows = masked(events, sources.key), masked(hit_rows, sources.key)
        facts = tuple(replace(fact, text=masked(fact.text, sources.key)) for fact in facts)
    touched = {str(row[name]) for row in events for name in _ENDS if row[name]}
    on_record, accounts = sources.records.find(touched | refs, refs)
    institution = sources.institution
    evidence = Evidence(
        report_id=report_id,
        case_id=case_id,
        mode=_mode(institution, events),
        prepared_at=now,
        events=events,
        hits=hit_rows,
        roles=caserecord.roles_of(parties, {a.account_id: [h.party_id for h in a.holders] for a in accounts}),
        suspected=caserecord.suspected_of(parties),
        facts=facts,
        actions=actions,
        facts_known_at=caserecord.determination(case, names),
    )
    records = Records(
        filer=institution.filer,
        jurisdiction=institution.jurisdiction,
        local_currency=institution.local_currency,
        parties=on_record,
        accounts=accounts,
        reporting_person=institution.reporting_person,
        typologies={hit.rule.id: hit.rule.typology for hit in hits},
    )
    made = replace(fill(records, evidence), attachments=files)
    made = made if sources.rates is None else in_local(made, sources.rates)
    return replace(made, narrative=draft(made))


def in_local(report: Report, rates: Rates) -> Report:
    """Return a report with amounts also in its local currency, by the rate of each day, where there is one.

    Args:
        rates: of the report's local currency.
    """
    moved = tuple(_converted(one, report.local_currency, rates) for one in report.transactions)
    amounts = [one.local or one.amount for one in moved if not one.attempted]
    activity = report.activity
    if amounts and all(each.currency == report.local_currency for each in amounts):
        total = Money(minor=sum(each.minor for each in amounts), currency=report.local_currency)
        activity = replace(activity, total=total, amount_unknown=False)
    return replace(report, transactions=moved, activity=activity)


def _converted(one: Transaction, local: str, rates: Rates) -> Transaction:
    if one.local is not None or one.amount.currency == local:
        return one
    day = pa.array([one.at.date()], pa.date32())
    (minor,) = rates.fx_minor(one.amount.currency, one.amount.minor, day).to_pylist()
    return one if minor is None else replace(one, local=Money(minor=minor, currency=local))


def _mode(institution: Institution, events: Sequence[Mapping[str, Any]]) -> Mode:
    """Simulated if who files says so or an event is; else live, which `fill` lowers for test events."""
    simulated = any(SIMULATED.fullmatch(str(row["source"])) for row in events)
    return Mode.SIMULATED if simulated and institution.mode is Mode.LIVE else institution.mode


def _row(hit: Hit) -> dict[str, Any]:
    return dict(hit.row) | {"event_time": caserecord.moment(int(hit.row["event_time"]))}

"""Checks of what happened: transactions with both sides, the activity, indicators, the kind of report."""

from __future__ import annotations

from collections.abc import Iterator

from txmon.model.currencies import EXPONENTS
from txmon.reports.checksbase import country, error, missing, money, not_after, warning
from txmon.reports.formats import Finding
from txmon.reports.model import Kind, Report, Side, Transaction


def kind(report: Report) -> Iterator[Finding]:
    """Check the report's own fields and what it is towards an earlier one."""
    if not report.report_id.strip():
        yield missing("report_id", "give the report the filer's own reference")
    yield from country("jurisdiction", report.jurisdiction)
    if not report.jurisdiction:
        yield missing("jurisdiction", "write the authority's country, two capital letters")
    if report.local_currency not in EXPONENTS:
        yield error("currency", "local_currency", "is no currency", "write an ISO 4217 code, as EUR")
    later = report.kind in (Kind.CORRECTION, Kind.CONTINUING)
    prior = report.prior_filing
    if later and (prior is None or not prior.reference.strip()):
        remedy = "give the authority's reference of the report that this one corrects or continues"
        yield missing("prior_filing.reference", remedy)
    if not later and prior is not None and not prior.rejected:
        remedy = "set the kind to correction or continuing, or take the prior filing out"
        yield error("contradiction", "prior_filing", "is given though the report is a first one", remedy)
    if prior is not None and prior.filed_on is not None and prior.filed_on > report.prepared_at.date():
        yield error("date", "prior_filing.filed_on", "is later than the report", "check both days")
    if report.kind is Kind.JOINT and not report.joint_filers:
        yield missing("joint_filers", "name the institutions that file together")


def determination(report: Report) -> Iterator[Finding]:
    """Check when a human knew the facts: the clock of filing starts there, never at an alert."""
    known = report.facts_known_at
    if known is None:
        remedy = "record when a person found the facts that the report rests on, and who"
        yield missing("facts_known_at", remedy)
        return
    if not known.author.strip():
        yield missing("facts_known_at.author", "name the person who made the determination")
    yield from not_after("facts_known_at.at", known.at, report)


def transactions(report: Report) -> Iterator[Finding]:
    """Check each transaction."""
    seen: set[str] = set()
    for i, moved in enumerate(report.transactions):
        path = f"transactions[{i}]"
        if moved.transaction_id in seen or not moved.transaction_id.strip():
            remedy = "give each transaction its own id"
            yield error("duplicate", f"{path}.transaction_id", "is empty or another's", remedy)
        seen.add(moved.transaction_id)
        if not moved.events:
            yield missing(f"{path}.events", "name the events of the journal that it rests on")
        yield from money(f"{path}.amount", moved.amount)
        yield from _local(path, moved, report)
        yield from _times(path, moved, report)
        yield from _sides(path, moved, report)


def _local(path: str, moved: Transaction, report: Report) -> Iterator[Finding]:
    if moved.local is None:
        if moved.amount.currency != report.local_currency:
            remedy = "give the amount in the report's local currency, too"
            yield missing(f"{path}.local", remedy)
        return
    yield from money(f"{path}.local", moved.local)
    if moved.local.currency != report.local_currency:
        remedy = "give it in the report's local currency"
        yield error("contradiction", f"{path}.local.currency", "is not the report's local currency", remedy)
    elif moved.amount.currency == report.local_currency and moved.amount != moved.local:
        remedy = "both are in the local currency: keep one"
        yield error("contradiction", f"{path}.local", "is not the amount", remedy)


def _times(path: str, moved: Transaction, report: Report) -> Iterator[Finding]:
    yield from not_after(f"{path}.at", moved.at, report)
    first, last = report.activity.first, report.activity.last
    outside = (first is not None and moved.at < first) or (last is not None and moved.at > last)
    if outside:
        remedy = "widen the activity, or take the transaction out"
        yield error("contradiction", f"{path}.at", "is outside the time of the activity", remedy)


def _sides(path: str, moved: Transaction, report: Report) -> Iterator[Finding]:
    for name, side in (("from_side", moved.from_side), ("to_side", moved.to_side)):
        yield from _side(f"{path}.{name}", side, report)
    one, other = moved.from_side, moved.to_side
    if not one.client and not other.client:
        remedy = "mark the side that is the filer's own customer"
        yield error("no_client", path, "has no side that is the filer's customer", remedy)
    if one.account_id is not None and one.account_id == other.account_id:
        yield error(
            "contradiction", f"{path}.to_side.account_id", "is the same on both sides", "check both sides"
        )


def _side(path: str, side: Side, report: Report) -> Iterator[Finding]:
    yield from country(f"{path}.country", side.country)
    account = report.account(side.account_id)
    if side.account_id is not None and account is None:
        yield error("reference", f"{path}.account_id", "is no account of the report", "add the account")
    if side.account_id is None and side.party_id is None:
        remedy = "name an account or a party; a party of the kind unknown where nothing is known"
        yield missing(path, remedy)
    if account is not None and side.party_id is not None:
        holders = {h.party_id for h in account.holders}
        if holders and side.party_id not in holders:
            remedy = "take the party out, or record it as a holder of the account"
            yield warning("contradiction", f"{path}.party_id", "is no holder of the side's account", remedy)
    holding = {h.party_id for h in account.holders} if account is not None else set()
    if side.suspected and ({side.party_id} | holding) & report.possible_victims:
        remedy = "take the suspicion away; a possible victim is no subject"
        yield error("victim_as_subject", f"{path}.suspected", "suspects a party who may be a victim", remedy)
    yield from money(f"{path}.foreign", side.foreign)
    if side.rate is not None and side.rate <= 0:
        yield error(
            "amount", f"{path}.rate", "is not above zero", "give local currency for one of the foreign"
        )


def activity(report: Report) -> Iterator[Finding]:
    """Check time, amount and kind of the activity."""
    what = report.activity
    if what.first is None:
        yield missing("activity.first", "record when the activity began")
    if what.last is None and not what.ongoing:
        yield missing("activity.last", "record when it ended, or say that it goes on")
    if what.first is not None and what.last is not None and what.last < what.first:
        yield error("date", "activity.last", "is before the first time", "check both times")
    yield from not_after("activity.first", what.first, report)
    yield from not_after("activity.last", what.last, report)
    answers = sum((what.total is not None, what.amount_unknown, what.no_amount))
    if answers != 1:
        remedy = "give the total, or say that it is unknown, or that no money was involved: one of the three"
        code = "missing" if answers == 0 else "contradiction"
        yield error(code, "activity.total", "is missing" if answers == 0 else "has several answers", remedy)
    yield from money("activity.total", what.total, zero=True)
    yield from money("activity.cumulative", what.cumulative, zero=True)
    if what.cumulative is not None and report.kind is not Kind.CONTINUING:
        remedy = "only a continuing report has a sum over all reports; take it out, or change the kind"
        yield error(
            "contradiction", "activity.cumulative", "is given though the report continues none", remedy
        )
    if not what.typologies and not what.other_text.strip():
        yield missing(
            "activity.typologies", "name a typology, or describe the kind of activity in other_text"
        )
    if what.no_amount and report.transactions:
        remedy = "take no_amount out, or the transactions"
        yield error("contradiction", "activity.no_amount", "is set though money moved", remedy)
    yield from _total(report)


def _total(report: Report) -> Iterator[Finding]:
    total = report.activity.total
    if total is None or not report.transactions:
        return
    moved = [_in(total.currency, t) for t in report.transactions if t.suspicious and not t.attempted]
    if any(amount is None for amount in moved):
        return
    added = sum((a for a in moved if a is not None), 0)
    if total.minor < added:
        remedy = "the total covers every suspicious transaction: check it against their sum"
        yield error("contradiction", "activity.total", "is less than the transactions add up to", remedy)


def _in(currency: str, moved: Transaction) -> int | None:
    for amount in (moved.amount, moved.local):
        if amount is not None and amount.currency == currency:
            return amount.minor
    return None


def indicators(report: Report) -> Iterator[Finding]:
    """Check the reasons for suspicion."""
    if not report.indicators:
        yield missing("indicators", "name at least one reason for suspicion")
    for i, indicator in enumerate(report.indicators):
        if not indicator.text.strip():
            yield missing(f"indicators[{i}].text", "say in words what was seen")
        if not indicator.events and not indicator.rule_id:
            remedy = "name events or the rule; a person's observation stands as a fact, with its author"
            yield warning("unfounded", f"indicators[{i}].events", "rests on no event and no rule", remedy)

"""A report filled from the evidence of a case: events and hits as they are stored, and the filer's records.

Takes rows of canonical events and of hits, what is on record of parties and accounts, and the roles that
people gave to parties; returns a report whose every part rests on them, narrative drafted, unsigned. Decides
nothing: who is a suspect or may be a victim was decided by people, and where nobody may be named the subject
is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from txmon.model.schema import VALUE_KINDS
from txmon.reports.model import (
    Account,
    Action,
    Activity,
    Contact,
    Determination,
    EventRef,
    Fact,
    Filer,
    Indicator,
    Kind,
    Mode,
    Money,
    Party,
    PartyKind,
    Report,
    Role,
    Side,
    Subject,
    Transaction,
)
from txmon.reports.rendernarrative import draft

Row = Mapping[str, Any]

# roles by which people say that they suspect someone; others, an employer's or a host's, say no such thing
SUSPECTED = frozenset({Role.SUSPECT, Role.RECRUITER, Role.MIDDLEMAN, Role.FACILITATOR, Role.SITE_OPERATOR})
NOBODY = "Nobody on record is suspected: every party may be a victim, or has another part or none."

NO_ONE = "not-on-record"  # the party of an end that no event names, as who paid cash in
MAX_REASONS = 3  # told of a subject; all of them are indicators
_MOVING = frozenset(VALUE_KINDS) - {"authorization"}
_DONE = frozenset({None, "", "approved", "settled"})
_BY_KIND = {"cash_in": "cash", "cash_out": "cash", "load": "prepaid"}
_BY_RAIL = {"card": "card", "swift": "wire", "cash": "cash", "crypto": "crypto", "prepaid": "prepaid"}
_BY_RAIL |= {"mobile_money": "wallet", "wallet": "wallet"}
_FUNDS = {"cash": "cash", "card": "card", "prepaid": "prepaid", "crypto": "crypto", "wallet": "wallet"}
_CHANNELS = {"pos": "pos", "atm": "atm", "app": "mobile", "branch": "branch", "moto": "phone"}


@dataclass(frozen=True, kw_only=True)
class Records:
    """What the filer has on record; parties and accounts that the events do not touch are left out."""

    filer: Filer
    jurisdiction: str
    local_currency: str
    parties: Sequence[Party]
    accounts: Sequence[Account]
    reporting_person: Contact | None = None
    typologies: Mapping[str, str] = field(default_factory=dict)  # rule id -> typology


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a case holds: rows by the canonical columns and those of hits, and what people recorded."""

    report_id: str
    case_id: str
    mode: Mode
    prepared_at: datetime
    events: Sequence[Row]
    hits: Sequence[Row] = ()
    roles: Mapping[str, tuple[Role, ...]] = field(default_factory=dict)  # party id -> what people said
    suspected: frozenset[str] = frozenset()  # accounts that people suspect, whoever holds them
    facts: tuple[Fact, ...] = ()
    actions: tuple[Action, ...] = ()
    facts_known_at: Determination | None = None


def fill(records: Records, evidence: Evidence) -> Report:
    """Return the report of a case, its narrative a draft; `checks` says what is still to be recorded."""
    rows = sorted(
        (r for r in evidence.events if r["kind"] in _MOVING and r.get("amount_minor")),
        key=lambda r: (r["event_time"], r["source"], r["event_id"]),
    )
    accounts = _accounts(records, rows)
    own = {a.account_id for a in accounts if a.is_client}
    parties = _parties(records, accounts, evidence.roles)
    victims = {p.party_id for p in parties if p.possible_victim}
    suspected = {
        a.account_id
        for a in accounts
        if a.account_id in evidence.suspected and not victims & {h.party_id for h in a.holders}
    }
    accounts_by_id = {a.account_id: a for a in accounts}
    moved = tuple(
        _suspecting(_transaction(row, own, records.local_currency, i), suspected)
        for i, row in enumerate(rows, 1)
    )
    if any(side.party_id == NO_ONE for one in moved for side in (one.from_side, one.to_side)):
        parties += (Party(party_id=NO_ONE, kind=PartyKind.UNKNOWN),)
    indicators = _indicators(records, evidence.hits)
    test = any(row.get("mode") == "test" for row in rows)
    report = Report(
        report_id=evidence.report_id,
        jurisdiction=records.jurisdiction,
        mode=Mode.TEST if test and evidence.mode is Mode.LIVE else evidence.mode,
        kind=Kind.INITIAL,
        local_currency=records.local_currency,
        prepared_at=evidence.prepared_at,
        filer=records.filer,
        reporting_person=records.reporting_person,
        facts_known_at=evidence.facts_known_at,
        parties=parties,
        subjects=_subjects(parties, indicators, [accounts_by_id[name] for name in sorted(suspected)]),
        accounts=accounts,
        transactions=moved,
        activity=_activity(moved, indicators, records.local_currency),
        indicators=indicators,
        facts=evidence.facts,
        actions=evidence.actions,
        case_id=evidence.case_id,
    )
    return replace(report, narrative=draft(report))


def _ends(row: Row) -> tuple[str | None, str | None]:
    """Return the accounts that the money left and reached; a merchant stands for an account unknown."""
    payer, payee, merchant = row.get("payer"), row.get("payee"), row.get("merchant")
    if row["kind"] in ("refund", "chargeback", "reversal"):
        return payer or merchant or None, payee or row.get("card") or None
    return payer or row.get("card") or None, payee or merchant or None


def _accounts(records: Records, rows: Sequence[Row]) -> tuple[Account, ...]:
    known = {a.account_id: a for a in records.accounts}
    out: dict[str, Account] = {}
    for row in rows:
        for account_id in _ends(row):
            if account_id is not None and account_id not in out:
                merchant = account_id == row.get("merchant")
                kind = (
                    "merchant" if merchant else ("card_debit" if account_id == row.get("card") else "other")
                )
                unknown = Account(account_id=account_id, number=account_id, kind=kind)
                out[account_id] = known.get(account_id, unknown)
    return tuple(out.values())


def _transaction(row: Row, own: set[str], local: str, place: int) -> Transaction:
    amount = Money(minor=abs(int(row["amount_minor"])), currency=str(row["currency"]))
    base = row.get("amount_base_minor")
    in_local = None
    if amount.currency != local and base is not None and row.get("base_currency") == local:
        in_local = Money(minor=abs(int(base)), currency=local)
    method = _BY_KIND.get(row["kind"]) or _BY_RAIL.get(str(row.get("rail") or ""), "")
    method = method or ("card" if row.get("card") else "transfer")
    source, target = _ends(row)
    text = {
        name: str(row.get(name) or "") for name in ("memo", "purpose", "device", "ip", "city", "descriptor")
    }
    return Transaction(
        transaction_id=f"{place:04d}-{row['event_id']}"[:100],
        at=row["event_time"],
        amount=amount,
        local=in_local,
        from_side=_side(source, str(row.get("payer_country") or row.get("card_country") or ""), method, own),
        to_side=_side(
            target, str(row.get("payee_country") or row.get("merchant_country") or ""), method, own
        ),
        events=(EventRef(source=str(row["source"]), event_id=str(row["event_id"])),),
        method=method,
        channel=_CHANNELS.get(str(row.get("channel") or ""), "online"),
        description=text["descriptor"]
        or text["memo"]
        or text["purpose"]
        or str(row["kind"]).replace("_", " "),
        location=text["city"],
        attempted=row.get("status") not in _DONE,
        status_text=str(row.get("status") or ""),
        purpose=text["purpose"],
        memo=text["memo"],
        device=text["device"],
        ip=text["ip"],
    )


def _suspecting(moved: Transaction, suspected: Collection[str]) -> Transaction:
    sides = {name: getattr(moved, name) for name in ("from_side", "to_side")}
    return replace(
        moved, **{name: replace(side, suspected=side.account_id in suspected) for name, side in sides.items()}
    )


def _side(account_id: str | None, country: str, method: str, own: set[str]) -> Side:
    funds = _FUNDS.get(method, "transfer")
    if account_id is None:
        return Side(party_id=NO_ONE, funds=funds, country=country)
    return Side(account_id=account_id, funds=funds, country=country, client=account_id in own)


def _parties(
    records: Records, accounts: Sequence[Account], roles: Mapping[str, tuple[Role, ...]]
) -> tuple[Party, ...]:
    """Return the parties that hold an account, stand behind such a party, or were given a role."""
    wanted = {h.party_id for a in accounts for h in a.holders} | set(roles)
    owners = {p.party_id: [o.party_id for o in p.entity.owners] for p in records.parties if p.entity}
    wanted |= {owner for party in wanted for owner in owners.get(party, ())}
    found = [
        replace(p, roles=roles[p.party_id]) if p.party_id in roles else p
        for p in records.parties
        if p.party_id in wanted
    ]
    return tuple(sorted(found, key=lambda p: p.roles == (Role.UNKNOWN,)))  # those with a part come first


def _subjects(
    parties: Sequence[Party], indicators: Sequence[Indicator], suspected: Sequence[Account]
) -> tuple[Subject, ...]:
    seen = list(dict.fromkeys(i.text.rstrip(".") for i in indicators))
    more = f"; and {len(seen) - MAX_REASONS} more" if len(seen) > MAX_REASONS else ""
    reason = "; ".join(seen[:MAX_REASONS]) + more or "Named by the case"
    named = [p for p in parties if not p.possible_victim and SUSPECTED & set(p.roles)]
    if not named:
        numbers = ", ".join(account.number for account in suspected)
        behind = f"Who stands behind {numbers}, to which the suspicion points, is not on record."
        return (Subject(kind=PartyKind.UNKNOWN, reason=behind if suspected else NOBODY),)
    return tuple(
        Subject(
            kind=p.kind,
            party_id=p.party_id,
            reason=reason,
            role_text=", ".join(role.value.replace("_", " ") for role in p.roles),
        )
        for p in named
    )


def _indicators(records: Records, hits: Sequence[Row]) -> tuple[Indicator, ...]:
    """Return one indicator a rule and subject: the words and numbers of its last hit, the events of all."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for hit in sorted(hits, key=lambda h: (h["event_time"], h["source"], h["event_id"])):
        groups.setdefault((hit["rule_id"], str(hit.get("subject_id"))), []).append(hit)
    out = []
    for (rule_id, _), members in sorted(groups.items()):
        last = members[-1]
        values = json.loads(last.get("features") or "{}", parse_float=str, parse_int=str)
        events = [EventRef(source=str(h["source"]), event_id=str(h["event_id"])) for h in members]
        out.append(
            Indicator(
                text=str(last.get("explanation") or f"Rule {rule_id} was met"),
                rule_id=rule_id,
                rule_version=str(last.get("rule_version") or ""),
                typology=records.typologies.get(rule_id, ""),
                values={str(k): str(v) for k, v in values.items()},
                events=tuple(dict.fromkeys(events)),
            )
        )
    return tuple(out)


def _activity(moved: Sequence[Transaction], indicators: Sequence[Indicator], local: str) -> Activity:
    amounts = [t.local or t.amount for t in moved if not t.attempted]
    known = all(a.currency == local for a in amounts)
    total = Money(minor=sum(a.minor for a in amounts), currency=local) if known else None
    return Activity(
        first=moved[0].at if moved else None,
        last=moved[-1].at if moved else None,
        total=total,
        amount_unknown=total is None,
        typologies=tuple(dict.fromkeys(i.typology for i in indicators if i.typology)),
    )

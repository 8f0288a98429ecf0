"""Business rules of goAML: what several elements say together, and what units reject after upload.

Works on the text alone (`goamltext.Walk`). Each rule is one function that yields findings with lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation

from txmon.reports import goamlvictims
from txmon.reports.checksbase import card_number
from txmon.reports.formats import Finding, Level
from txmon.reports.goamltext import Node, Walk
from txmon.reports.goamlvictims import SIDES
from txmon.reports.model import SIMULATED_MARK, TEST_MARK

MINE = ("t_account_my_client", "t_person_my_client", "t_entity_my_client")
_OLDEST_YEARS = 130
_RATE_TOLERANCE = Decimal("0.02")
# earlier, later, what it is
_ORDERED = (
    ("issue_date", "expiry_date", "the document expires before it was issued"),
    ("opened", "closed", "the account was closed before it was opened"),
    ("birthdate", "date_deceased", "the person died before being born"),
    ("valid_from", "valid_to", "the relation ended before it began"),
    ("first_seen_date", "last_seen_date", "the address was last seen before it was first seen"),
    ("incorporation_date", "date_business_closed", "the business closed before it was founded"),
)


def findings(walk: Walk, protected: Collection[str] = ()) -> list[Finding]:
    """Return what the rules find, in order of the rules.

    Args:
        protected: names and numbers of the possible victims of the case, as whoever checks knows them
    """
    found = [found for rule in _RULES for found in rule(walk)]
    return found + list(goamlvictims.findings(walk, protected))


def _version(walk: Walk) -> Iterator[Finding]:
    wanted = walk.profile.schema_version
    for node in walk.named("schema_version"):
        if wanted and node.text != wanted:
            yield node.finding(
                "version", f"is not {wanted}", f"write the version that {walk.profile.title} takes"
            )


def _report(walk: Walk) -> Node:
    return walk.nodes[0]


def _demanded(walk: Walk) -> Iterator[Finding]:
    root = _report(walk)
    for name in walk.profile.demanded(root.value("report_code")):
        element = root.element.find(name)
        if element is None or not (len(element) or (element.text or "").strip()):
            remedy = f"record it: {walk.profile.title} demands it though the schema does not"
            yield root.finding("missing", f"lacks {name}", remedy)


def _carries(walk: Walk) -> Iterator[Finding]:
    root = _report(walk)
    code = root.value("report_code")
    if code in walk.profile.transaction_reports and root.element.find("transaction") is None:
        yield root.finding("shape", f"is of the code {code} and has no transaction", "add one, or use SAR")
    if code in walk.profile.activity_reports and root.element.find("transaction") is not None:
        yield root.finding(
            "shape", f"is of the code {code} and has transactions", "use STR, or take them out"
        )
    if code in walk.profile.activity_reports and root.element.find("activity") is None:
        yield root.finding("shape", f"is of the code {code} and has no activity", "add an activity")


def _currency(walk: Walk) -> Iterator[Finding]:
    for node in walk.named("currency_code_local"):
        if node.text != walk.profile.currency:
            remedy = f"amounts to {walk.profile.title} are in {walk.profile.currency}"
            yield node.finding("currency", "is not the unit's own currency", remedy)


def _my_client(walk: Walk) -> Iterator[Finding]:
    for node in walk.typed("transaction"):
        mine = any(node.element.find(f"t_{w}_my_client") is not None for w in ("from", "to"))
        parties = node.element.findall("involved_parties/party/*")
        if not mine and not any(str(p.tag).endswith("_my_client") for p in parties):
            remedy = "one side must be the filer's own customer: use t_from_my_client or t_to_my_client"
            yield node.finding("no_client", "has no side that is the filer's customer", remedy)


def _unique(walk: Walk) -> Iterator[Finding]:
    for name in ("transactionnumber", "indicator"):
        seen: set[str] = set()
        for node in walk.named(name):
            if node.text in seen:
                yield node.finding("duplicate", "stands twice in the report", "each may stand once")
            seen.add(node.text)


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None  # the grammar has said so


def _not_later(walk: Walk) -> Iterator[Finding]:
    root = _report(walk)
    filed = _date(root.value("submission_date") or root.value("report_date"))
    if filed is None:
        return
    past = ("date_transaction", "date_posting", "birthdate", "opened", "issue_date", "incorporation_date")
    for node in walk.named(*past, "date_deceased", "date_balance", "date_business_closed"):
        found = _date(node.text)
        if found is not None and found > filed:
            yield node.finding("date", "is later than the report", "check the date and the report's date")
        if found is not None and node.name == "birthdate" and found.year < filed.year - _OLDEST_YEARS:
            yield node.finding("date", f"is more than {_OLDEST_YEARS} years ago", "check the year")


def _in_order(walk: Walk) -> Iterator[Finding]:
    for node in walk.nodes:
        if not node.type:
            continue
        for early, late, what in _ORDERED:
            first, last = _date(node.value(early)), _date(node.value(late))
            if first is not None and last is not None and last < first:
                yield node.finding("date", what, f"check {early} and {late}")


def _out_of_time(walk: Walk) -> Iterator[Finding]:
    """Tell of sides that were not there yet, or no more, at the time of a transaction."""
    for node in walk.typed("transaction"):
        moved = _date(node.value("date_transaction"))
        if moved is None:
            continue
        for name, early, what in (
            ("birthdate", False, "was born after the transaction"),
            ("opened", False, "was opened after the transaction"),
            ("closed", True, "was closed before the transaction"),
        ):
            for found in node.element.iter(name):
                at = _date((found.text or "").strip())
                if at is not None and (at.date() < moved.date() if early else at.date() > moved.date()):
                    place = Node(found, f"{node.path}/{name}", "")
                    yield place.finding("date", what, "check both dates", Level.WARNING)


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None  # the grammar has said so


def _amounts(walk: Walk) -> Iterator[Finding]:
    for node in walk.named("amount_local", "foreign_amount", "foreign_exchange_rate"):
        found = _decimal(node.text)
        if found is not None and found <= 0:
            yield node.finding(
                "amount", "is not above zero", "amounts have no sign: the sides say who paid whom"
            )
    local = _report(walk).value("currency_code_local")
    for node in walk.typed("transaction"):
        amount = _decimal(node.value("amount_local"))
        for foreign in node.element.iter("from_foreign_currency", "to_foreign_currency"):
            yield from _foreign(Node(foreign, f"{node.path}/{foreign.tag}", ""), amount, local)


def _foreign(node: Node, amount: Decimal | None, local: str) -> Iterator[Finding]:
    if node.value("foreign_currency_code") == local:
        yield node.finding("currency", "names the local currency as foreign", "leave it out")
    foreign, rate = _decimal(node.value("foreign_amount")), _decimal(node.value("foreign_exchange_rate"))
    if amount is None or foreign is None or rate is None or amount <= 0:
        return
    if abs(foreign * rate - amount) > amount * _RATE_TOLERANCE:
        remedy = "the rate is units of local currency for one of the foreign"
        yield node.finding("amount", "times its rate is not the local amount", remedy)


def _suspect(walk: Walk) -> Iterator[Finding]:
    if not walk.profile.shape.has("t_from", "from_is_suspected"):
        return  # a version that marks nobody: the narrative says whom
    flags = walk.named("from_is_suspected", "to_is_suspected", "is_suspected", "conductor_is_suspected")
    if any(node.text in ("true", "1") for node in flags) or any(walk.typed("report_party_type")):
        return
    remedy = "mark the subject's side as suspected, or add an activity whose subject is unknown"
    yield _report(walk).finding("no_suspect", "suspects nobody", remedy, Level.WARNING)


def _numbers(walk: Walk) -> Iterator[Finding]:
    for node in walk.named("swift"):
        known = node.text != walk.profile.constants["unknown_bank"]
        if known and not re.fullmatch(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?", node.text):
            yield node.finding("pattern", "is no BIC", "8 or 11 capital letters and digits")
    for node in walk.named("iban"):
        if node.text and not iban(node.text):
            yield node.finding("pattern", "is no IBAN: its check digits are wrong", "copy it anew")
    for node in walk.named("tph_number"):
        if not any(c.isdigit() for c in node.text):
            yield node.finding("pattern", "has no digit", "write the number")


def iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616)."""
    plain = text.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _cards(walk: Walk) -> Iterator[Finding]:
    for node in walk.nodes:
        if not node.type and card_number(node.text):
            remedy = "write the token, or the first six and last four digits"
            yield node.finding("card_number", "holds a whole card number", remedy)


def _same(walk: Walk) -> Iterator[Finding]:
    for node in walk.typed("transaction"):
        accounts = [a for s in SIDES for w in ("from", "to") if (a := node.value(f"{s}/{w}_account/account"))]
        if len(accounts) == 2 and accounts[0] == accounts[1]:
            remedy = "check both sides; money within one account is no transaction"
            yield node.finding("same_account", "has one account on both sides", remedy, Level.WARNING)


def _marks(walk: Walk) -> Iterator[Finding]:
    root = _report(walk)
    for mark in (SIMULATED_MARK, TEST_MARK):
        if root.value("entity_reference").startswith(f"{mark}-"):
            remedy = "no transport sends it; file from live events"
            yield root.finding("marked", f"is marked {mark}", remedy, Level.WARNING)


_RULES: tuple[Callable[[Walk], Iterator[Finding]], ...] = (
    _version,
    _demanded,
    _carries,
    _currency,
    _my_client,
    _unique,
    _not_later,
    _in_order,
    _out_of_time,
    _amounts,
    _suspect,
    _numbers,
    _cards,
    _same,
    _marks,
)

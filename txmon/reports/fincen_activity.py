"""What happened, as the rest of a SARX activity: amounts, dates, boxes, IP addresses, products, narrative."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Final

from txmon.model.currencies import EXPONENTS
from txmon.reports import fincen_codes as codes
from txmon.reports.fincen_terms import boxes, key_terms, mark
from txmon.reports.fincen_text import blocks, digits, dollars, line, paragraphs_text, shortened
from txmon.reports.fincen_tree import Node
from txmon.reports.model import Kind, Money, Report

_CSV_LIMIT: Final = 1_000_000  # bytes of the one attachment
_MOST_ADDRESSES: Final = 99
_ASSETS: Final = {
    "card": "5",
    "credit_card": "5",
    "card_credit": "5",
    "debit_card": "6",
    "card_debit": "6",
    "prepaid": "16",
    "deposit": "46",
    "deposit_account": "46",
    "current": "46",
    "savings": "46",
    "joint": "46",
    "business": "46",
    "merchant": "46",
    "loan": "30",
    "transfer": "33",
    "funds_transfer": "33",
    "wire": "33",
    "internal": "33",
    "foreign_currency": "32",
    "cash": "39",
    "cheque": "37",
    "check": "37",
    "money_order": "36",
}


def add_association(activity: Node, report: Report) -> None:
    """Say what the report is towards an earlier one, and name that."""
    node = activity.add("ActivityAssociation", origin="kind")
    node.flag("InitialReportIndicator", report.kind in (Kind.INITIAL, Kind.JOINT))
    node.flag("CorrectsAmendsPriorReportIndicator", report.kind is Kind.CORRECTION)
    node.flag("ContinuingActivityReportIndicator", report.kind is Kind.CONTINUING)
    node.flag("JointReportIndicator", report.kind is Kind.JOINT or bool(report.joint_filers), "joint_filers")
    prior = report.prior_filing
    if prior is not None and report.kind in (Kind.CORRECTION, Kind.CONTINUING):
        activity.put("EFilingPriorDocumentNumber", digits(prior.reference))
    activity.origins["EFilingPriorDocumentNumber"] = "prior_filing.reference"


def add_support_document(activity: Node, report: Report) -> None:
    """Name the one CSV file that FinCEN takes along."""
    for index, file in enumerate(report.attachments):
        table = file.media_type == "text/csv" and file.name.lower().endswith(".csv")
        if table and file.size_bytes <= _CSV_LIMIT:
            node = activity.add("ActivitySupportDocument", origin=f"attachments[{index}]")
            node.put("OriginalAttachmentFileName", line(file.name), f"attachments[{index}].name")
            return


def total_dollars(report: Report) -> int | None:
    """Return the total suspicious amount in whole US dollars, None where the report does not give one.

    It is `activity.total` where that is in dollars or has a rate on record, else the sum of the completed
    suspicious transactions, if all of them are, in their own or the report's local currency.
    """
    activity = report.activity
    if activity.amount_unknown or activity.no_amount:
        return None
    if activity.total is not None and (known := in_dollars(activity.total, report)) is not None:
        return known
    moved = [t for t in report.transactions if t.suspicious and not t.attempted]
    amounts = [t.local if t.local is not None else t.amount for t in moved]
    if not amounts or any(a.currency != "USD" for a in amounts):
        return None
    return dollars(Money(minor=sum(a.minor for a in amounts), currency="USD"))


def in_dollars(money: Money, report: Report) -> int | None:
    """Return an amount in whole US dollars; another currency needs the rate that a human put on record."""
    if money.currency == "USD":
        return dollars(money)
    rate = dollar_rate(report, money.currency)
    return None if rate is None else int((money.major * rate).to_integral_value(rounding=ROUND_CEILING))


def dollar_rate(report: Report, currency: str) -> Decimal | None:
    """Return US dollars for one unit, from ``codes["usd_per_EUR"]``; None where none is usable."""
    stated = report.codes.get(f"usd_per_{currency}", "")
    try:
        rate = Decimal(stated) if stated else None
    except InvalidOperation:
        return None
    return rate if rate is not None and currency in EXPONENTS and rate.is_finite() and rate > 0 else None


def add_suspicious_activity(activity: Node, report: Report) -> None:
    """Append amounts, dates and boxes."""
    what = report.activity
    node = activity.add("SuspiciousActivity", origin="activity")
    node.origins["SuspiciousActivityClassification"] = "activity.typologies"
    total = total_dollars(report)
    node.put("TotalSuspiciousAmountText", "" if total is None else str(total), "activity.total")
    node.flag("AmountUnknownIndicator", what.amount_unknown, "activity.amount_unknown")
    node.flag("NoAmountInvolvedIndicator", what.no_amount, "activity.no_amount")
    cumulative = in_dollars(what.cumulative, report) if what.cumulative is not None else None
    if report.kind is Kind.CONTINUING and cumulative is not None:
        node.put("CumulativeTotalViolationAmountText", str(cumulative))
    node.origins["CumulativeTotalViolationAmountText"] = "activity.cumulative"
    times = [t.at for t in report.transactions if t.suspicious]
    first = what.first or min(times, default=None)
    last = what.last or max([t for t in times if first and t >= first], default=first)
    node.put("SuspiciousActivityFromDateText", f"{first:%Y%m%d}" if first else "", "activity.first")
    node.put("SuspiciousActivityToDateText", f"{last:%Y%m%d}" if last else "", "activity.last")
    for box in boxes(what):
        ticked = node.add("SuspiciousActivityClassification", origin="activity.classifications")
        ticked.put("SuspiciousActivityTypeID", box.kind)
        ticked.put("SuspiciousActivitySubtypeID", box.subtype, "activity.classifications")
        ticked.put("OtherSuspiciousActivityTypeText", line(box.text), "activity.other_text")


def add_ip_addresses(activity: Node, report: Report) -> None:
    """Append the first 99 different IP addresses with the time each was first seen."""
    seen: dict[str, None] = {}
    for text, time, origin in sorted(_addresses(report), key=lambda a: (a[1], a[0])):
        if text in seen or len(seen) == _MOST_ADDRESSES:
            continue
        seen[text] = None
        node = activity.add("ActivityIPAddress", origin=origin)
        node.put("IPAddressText", text, origin)
        day, _, clock = time.partition(" ")
        node.put("ActivityIPAddressDateText", day, origin)
        node.put("ActivityIPAddressTimeStampText", clock, origin)


def add_assets(activity: Node, report: Report) -> None:
    """Append the products and instruments that were used; what has no code is told in words."""
    named = [*report.activity.products, *report.activity.instruments]
    for transaction in report.transactions:
        if transaction.suspicious:
            used = (transaction.method, transaction.from_side.funds, transaction.to_side.funds)
            foreign = transaction.amount.currency != "USD"
            named += ["foreign_currency" if name == "cash" and foreign else name for name in used]
    named += [account.kind for account in report.accounts]
    found: dict[str, list[str]] = {}
    for name in named:
        word = line(name).casefold().replace(" ", "_")
        code = word if word in codes.CODES["asset"] else _ASSETS.get(word, "41")
        texts = found.setdefault(code, [])
        if code in ("1", "30", "41") and word not in ("", "other", *texts):
            texts.append(word)
    for code in sorted(found, key=int):
        node = activity.add("Assets", origin="activity.products")
        node.put("AssetSubtypeID", code)
        node.put("AssetTypeID", "6" if code in codes.INSTRUMENTS else "5")
        if code in ("1", "30", "41"):
            text = ", ".join(t.replace("_", " ") for t in found[code]) or "see narrative"
            node.put("OtherAssetSubtypeText", shortened(text, 50))


def narrative(report: Report) -> str:
    """Return the narrative as it is filed: mark, key terms, the signed text, what has no field of its own."""
    said = paragraphs_text(report.narrative.paragraphs)
    if not said:
        return ""
    parts = [mark(report)]
    parts += [t for t in key_terms(report.activity) if codes.ADVISORY_MARK.get(t, t) not in said]
    parts.append(said)
    total = report.activity.total
    if total is not None and (rate := dollar_rate(report, total.currency)) is not None:
        parts.append(f"AMOUNTS: {total.text} was converted at USD {rate} for {total.currency} 1.")
    if report.joint_filers and "joint" not in said.casefold():
        parts.append(
            "JOINT REPORT: filed together with " + "; ".join(line(o.name) for o in report.joint_filers)
        )
    return " ".join(p for p in parts if p)


def add_narrative(activity: Node, report: Report) -> None:
    """Append the narrative in blocks."""
    for number, block in enumerate(blocks(narrative(report)), start=1):
        node = activity.add("ActivityNarrativeInformation", origin="narrative")
        node.put("ActivityNarrativeSequenceNumber", str(number), "narrative")
        node.put("ActivityNarrativeText", block, "narrative")


def _addresses(report: Report) -> Iterator[tuple[str, str, str]]:
    """Give each valid address with `YYYYMMDD HH:MM:SS` (or nothing) and its field of the model."""
    for index, trace in enumerate(report.traces):
        if trace.kind == "ip" and _address(trace.value):
            time = f"{trace.at:%Y%m%d %H:%M:%S}" if trace.at else ""
            yield _address(trace.value), time, f"traces[{index}].value"
    for index, transaction in enumerate(report.transactions):
        if transaction.suspicious and _address(transaction.ip):
            time = f"{transaction.at:%Y%m%d %H:%M:%S}"
            yield _address(transaction.ip), time, f"transactions[{index}].ip"


def _address(text: str) -> str:
    """Return an IP address in its short form; empty where the text is none, or a hash of one."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return ""
